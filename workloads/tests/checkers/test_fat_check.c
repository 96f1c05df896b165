/* The checker of `fat` over a small volume made by hand; then with one thing wrong at a time. */
#include <isa-l.h>
#include <string.h>

#include "bytes.h"
#include "scripts/check_main.h"
#include "workloads/checkers/fat_check.h"

#define BLOCK 4096u
#define ENTRIES 100u
#define TABLE 2u /* blocks of one copy */
#define BLOCKS (1 + 2 * TABLE + ENTRIES - 1 + 1)
#define END UINT32_MAX

enum { ROOT = 1, DIR, FILE_A, FILE_A1, FILE_A2, LINK, ROOT1, LOOSE = 90 }; /* entries */
enum { HEAD = 1, BODY };

static uint8_t volume[BLOCKS][BLOCK];
static uint64_t bad; /* the block that cannot be read; 0: none */
static struct fat_check found;

static bool read_block(void *object, uint64_t block, uint8_t *raw)
{
    (void)object;
    ck_assert_uint_lt(block, BLOCKS);
    memcpy(raw, volume[block], BLOCK);
    return bad == 0 || block != bad;
}

static uint8_t *entry_copy(uint32_t entry, uint32_t copy)
{
    return volume[1 + copy * TABLE + entry / 64] + (size_t)(entry % 64) * 64;
}

/* Writes a field of an entry, both copies. */
static void set(uint32_t entry, uint32_t at, uint32_t bytes, uint32_t value)
{
    for (uint32_t copy = 0; copy < 2; copy++)
        for (uint32_t k = 0; k < bytes; k++)
            entry_copy(entry, copy)[at + k] = (uint8_t)(value >> 8 * k);
}

static void make_entry(uint32_t entry, uint32_t next, uint32_t head, uint32_t number, uint32_t used)
{
    set(entry, 0, 4, next);
    set(entry, 4, 1, number == 0 ? HEAD : BODY);
    set(entry, 6, 2, used);
    set(entry, 8, 4, head);
    set(entry, 12, 4, 10 + head);
    set(entry, 16, 4, number);
}

static void make_head(uint32_t entry, uint32_t next, uint32_t type, uint32_t nlink, uint32_t used)
{
    make_entry(entry, next, entry, 0, used);
    set(entry, 5, 1, type);
    set(entry, 30, 2, nlink);
}

static uint8_t *data_of(uint32_t entry)
{
    return volume[2 * TABLE + entry];
}

/* One entry at `at` of a directory's block, up to `end`. */
static void make_name(uint32_t entry, uint32_t at, uint32_t end, uint32_t ino, uint32_t type,
                      const char *name)
{
    uint8_t *raw = data_of(entry) + at;
    memset(raw, 0, 8);
    put_le32(raw, ino);
    put_le16(raw + 4, (uint16_t)(end - at));
    raw[6] = (uint8_t)strlen(name);
    raw[7] = (uint8_t)type;
    memcpy(raw + 8, name, strlen(name));
}

static void make_chunks(uint32_t entry, uint32_t first)
{
    for (uint32_t chunk = first; chunk < 8; chunk++)
        make_name(entry, 512 * chunk, 512 * (chunk + 1), 0, 0, "");
}

static void make_super(uint64_t block, uint32_t clean)
{
    uint8_t *raw = volume[block];
    put_le64(raw, UINT64_C(0x315441464c53524c));
    put_le32(raw + 8, 1);
    put_le32(raw + 12, clean);
    put_le64(raw + 32, BLOCKS);
    put_le32(raw + 40, ENTRIES);
    put_le32(raw + 44, 2);
    put_le32(raw + 48, ~crc32_iscsi(raw, 48, 0xffffffffu));
}

/* The root, of two blocks, holds directory d and file a of three; d holds a's second name, b, and
 * the symbolic link l. */
static void make_volume(void)
{
    memset(volume, 0, sizeof(volume));
    bad = 0;
    make_super(0, 1);
    make_super(BLOCKS - 1, 1);
    make_head(ROOT, ROOT1, 2, 3, BLOCK);
    make_entry(ROOT1, END, ROOT, 1, BLOCK);
    make_head(DIR, END, 2, 2, BLOCK);
    make_head(FILE_A, FILE_A1, 1, 2, BLOCK);
    make_entry(FILE_A1, FILE_A2, FILE_A, 1, BLOCK);
    make_entry(FILE_A2, END, FILE_A, 2, 77);
    make_head(LINK, END, 3, 1, 5);
    make_name(ROOT, 0, 12, ROOT, 2, ".");
    make_name(ROOT, 12, 24, ROOT, 2, "..");
    make_name(ROOT, 24, 512, DIR, 2, "d");
    make_chunks(ROOT, 1);
    make_chunks(ROOT1, 0);
    make_name(ROOT1, 512, 1024, FILE_A, 1, "a");
    make_name(DIR, 0, 12, DIR, 2, ".");
    make_name(DIR, 12, 24, ROOT, 2, "..");
    make_name(DIR, 24, 36, FILE_A, 1, "b");
    make_name(DIR, 36, 512, LINK, 3, "l");
    make_chunks(DIR, 1);
}

static void check(void)
{
    fat_check(read_block, NULL, BLOCKS, &found);
    ck_assert_int_eq(found.ok, found.damages == 0);
}

START_TEST(test_fat_check__a_sound_volume_is_sound)
{
    make_volume();
    check();
    ck_assert_msg(found.ok, "%s", found.text);
    ck_assert(found.clean);
    ck_assert_uint_eq(found.leaked_entries, 0);
    ck_assert_uint_eq(found.unreadable, 0);
}
END_TEST

/* ---- One thing wrong at a time ---- */

static void no_super(void)
{
    volume[0][50] ^= 1;
    volume[BLOCKS - 1][33] ^= 1;
}

static void copies_differ(void)
{
    entry_copy(FILE_A, 1)[40] ^= 1;
}

static void no_state(void)
{
    set(FILE_A1, 4, 1, 3);
}

static void next_beyond(void)
{
    set(FILE_A2, 0, 4, ENTRIES);
}

static void used_too_much(void)
{
    set(FILE_A2, 6, 2, BLOCK + 1);
}

static void head_beyond(void)
{
    set(FILE_A1, 8, 4, ENTRIES);
}

static void place_of_a_head(void)
{
    set(FILE_A1, 16, 4, 0);
}

static void no_type(void)
{
    set(LINK, 5, 1, 4);
}

static void chain_to_free(void)
{
    set(FILE_A2, 0, 4, LOOSE);
}

static void chain_round(void)
{
    set(FILE_A2, 0, 4, FILE_A1);
}

static void chain_to_other(void)
{
    set(DIR, 0, 4, FILE_A1);
}

static void other_generation(void)
{
    set(FILE_A1, 12, 4, 9);
}

static void other_number(void)
{
    set(FILE_A2, 16, 4, 3);
}

static void nothing_used(void)
{
    set(FILE_A2, 6, 2, 0);
}

static void odd_directory(void)
{
    set(DIR, 6, 2, 512);
}

static void name_of_free(void)
{
    make_name(DIR, 36, 512, LOOSE, 3, "l");
}

static void name_of_body(void)
{
    make_name(DIR, 36, 512, FILE_A1, 3, "l");
}

static void name_of_other_type(void)
{
    make_name(DIR, 24, 36, FILE_A, 2, "b");
}

static void two_names(void)
{
    make_name(ROOT1, 1024, 1536, DIR, 2, "e");
    set(ROOT, 30, 2, 4);
}

static void cycle(void)
{
    make_name(DIR, 512, 1024, ROOT, 2, "up");
    set(DIR, 30, 2, 3);
}

static void wrong_dots(void)
{
    make_name(DIR, 12, 24, DIR, 2, "..");
}

static void no_dot(void)
{
    make_name(DIR, 0, 12, DIR, 2, "x");
}

static void impossible_name(void)
{
    make_name(DIR, 36, 512, LINK, 3, "a/b");
}

static void broken_entry(void)
{
    make_name(DIR, 36, 516, LINK, 3, "l");
}

static void link_count(void)
{
    set(FILE_A, 30, 2, 3);
}

static void directory_count(void)
{
    set(ROOT, 30, 2, 2);
}

static void no_root(void)
{
    set(ROOT, 5, 1, 1);
}

static const struct wrong {
    void (*make)(void);
    const char *text;
} wrongs[] = {{no_super, "no superblock"},
              {copies_differ, "its copies differ"},
              {no_state, "is of no state"},
              {next_beyond, "leads to what is no entry"},
              {used_too_much, "uses more than its block"},
              {head_beyond, "has an impossible head"},
              {place_of_a_head, "has an impossible place"},
              {no_type, "is of no type"},
              {chain_to_free, "is no body"},
              {chain_round, "is in it twice"},
              {chain_to_other, "names another head"},
              {other_generation, "is of another generation"},
              {other_number, "is of another place"},
              {nothing_used, "nothing is used"},
              {odd_directory, "no multiple of a block"},
              {name_of_free, "is no head"},
              {name_of_body, "is no head"},
              {name_of_other_type, "is called type 2 and is 1"},
              {two_names, "two names"},
              {cycle, "two names"},
              {wrong_dots, "\"..\" is 2 and should be 1"},
              {no_dot, "does not begin"},
              {impossible_name, "impossible name"},
              {broken_entry, "broken entry"},
              {link_count, "nlink 3, should be 2"},
              {directory_count, "nlink 2, should be 3"},
              {no_root, "no root directory"}};

START_TEST(test_fat_check__finds_each_thing_that_is_wrong)
{
    const struct wrong *w = &wrongs[_i];
    make_volume();
    w->make();
    check();
    ck_assert_msg(!found.ok, "%s: passed", w->text);
    ck_assert_msg(strstr(found.text, w->text) != NULL, "%s: %s", w->text, found.text);
}
END_TEST

/* ---- What is no damage ---- */

START_TEST(test_fat_check__what_nothing_leads_to_is_leaked)
{
    make_volume();
    make_entry(LOOSE, END, FILE_A, 3, 5);         /* a body that no chain has */
    make_head(LOOSE + 1, LOOSE + 2, 1, 1, BLOCK); /* a file without a name */
    make_entry(LOOSE + 2, END, LOOSE + 1, 1, 1);
    check();
    ck_assert_msg(found.ok, "%s", found.text);
    ck_assert_uint_eq(found.leaked_entries, 3);
}
END_TEST

START_TEST(test_fat_check__copies_may_differ_after_a_crash)
{
    make_volume();
    make_super(0, 0);
    copies_differ();
    check();
    ck_assert_msg(found.ok, "%s", found.text);
    ck_assert(!found.clean);
}
END_TEST

START_TEST(test_fat_check__either_superblock_is_enough)
{
    make_volume();
    volume[_i == 0 ? 0 : BLOCKS - 1][0] ^= 1;
    check();
    ck_assert_msg(found.ok, "%s", found.text);
}
END_TEST

START_TEST(test_fat_check__a_block_that_cannot_be_read_is_no_damage)
{
    for (bad = 1; bad < BLOCKS - 1; bad++) {
        uint64_t block = bad;
        make_volume();
        bad = block;
        check();
        ck_assert_msg(found.ok, "block %u: %s", (unsigned)block, found.text);
        ck_assert_uint_eq(found.leaked_entries, 0);
    }
}
END_TEST

CHECK_MAIN("fat_check", 20, tcase_add_test(tc, test_fat_check__a_sound_volume_is_sound);
           tcase_add_loop_test(tc, test_fat_check__finds_each_thing_that_is_wrong, 0,
                               (int)(sizeof(wrongs) / sizeof(wrongs[0])));
           tcase_add_test(tc, test_fat_check__what_nothing_leads_to_is_leaked);
           tcase_add_test(tc, test_fat_check__copies_may_differ_after_a_crash);
           tcase_add_loop_test(tc, test_fat_check__either_superblock_is_enough, 0, 2);
           tcase_add_test(tc, test_fat_check__a_block_that_cannot_be_read_is_no_damage);)
