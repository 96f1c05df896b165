/* The checker of names over a small pool made by hand; then with one thing wrong at a time. */
#include <string.h>

#include "bytes.h"
#include "scripts/check_main.h"
#include "workloads/checkers/names_check.h"

#define BLOCK 4096u
#define OBJECTS 7u
#define BLOCKS_EACH 4u

enum { ROOT, ORPHANS, DIR, FILE_A, FILE_B, ORPHAN, XATTR }; /* places in pool.object */

static struct {
    struct names_object object[OBJECTS];
    uint8_t block[OBJECTS][BLOCKS_EACH][BLOCK];
    bool unreadable[OBJECTS];
    uint32_t damages;
    const char *first;
} pool;

static void inode(uint32_t k, uint64_t oid, uint32_t type, uint32_t links)
{
    pool.object[k] = (struct names_object){.oid = oid, .blocks = 1};
    put_le32(pool.object[k].attr, type);
    put_le32(pool.object[k].attr + 8, links);
}

static void head(uint8_t *raw, uint32_t level, uint64_t low, uint64_t high)
{
    put_le32(raw, 0x3144524c);
    raw[4] = (uint8_t)level;
    put_le64(raw + 16, low);
    put_le64(raw + 24, high);
}

static void name(uint8_t *raw, uint64_t key, uint64_t oid, uint32_t type, const char *text)
{
    uint32_t used = get_le32(raw + 8), bytes = (uint32_t)strlen(text);
    uint8_t *e = raw + 48 + used;
    put_le64(e, key);
    put_le64(e + 8, oid);
    e[16] = (uint8_t)type;
    e[17] = (uint8_t)bytes;
    memcpy(e + 18, text, bytes);
    put_le16(raw + 6, (uint16_t)(get_le16(raw + 6) + 1));
    put_le32(raw + 8, used + 18 + bytes);
}

static void child(uint8_t *raw, uint64_t key, uint32_t block)
{
    uint32_t used = get_le32(raw + 8);
    put_le64(raw + 48 + used, key);
    put_le32(raw + 48 + used + 8, block);
    put_le16(raw + 6, (uint16_t)(get_le16(raw + 6) + 1));
    put_le32(raw + 8, used + 12);
}

/* The root, of three blocks and a free one, holds directory d and file a; d holds b, which is a's
 * second name, and c; one orphan; c has extended attributes. */
static void make_pool(void)
{
    memset(&pool, 0, sizeof(pool));
    inode(ROOT, 32, 2, 3);
    pool.object[ROOT].size = 4 * BLOCK;
    put_le64(pool.object[ROOT].attr + 40, 32);
    inode(ORPHANS, 33, 2, 2);
    pool.object[ORPHANS].size = BLOCK;
    put_le64(pool.object[ORPHANS].attr + 40, 33);
    inode(DIR, 1024, 2, 2);
    pool.object[DIR].size = BLOCK;
    put_le64(pool.object[DIR].attr + 40, 32);
    inode(FILE_A, 1025, 1, 2);
    inode(FILE_B, 1026, 1, 1);
    put_le64(pool.object[FILE_B].attr + 48, 1028);
    inode(ORPHAN, 1027, 1, 0);
    inode(XATTR, 1028, 4, 0);
    head(pool.block[ROOT][0], 1, 0, UINT64_MAX);
    child(pool.block[ROOT][0], 0, 2);
    child(pool.block[ROOT][0], 1000, 1);
    put_le32(pool.block[ROOT][0] + 12, 3);
    head(pool.block[ROOT][1], 0, 1000, UINT64_MAX);
    name(pool.block[ROOT][1], 5000, 1024, 2, "d");
    head(pool.block[ROOT][2], 0, 0, 1000);
    name(pool.block[ROOT][2], 7, 1025, 1, "a");
    head(pool.block[ROOT][3], 255, 0, 0);
    head(pool.block[ORPHANS][0], 0, 0, UINT64_MAX);
    name(pool.block[ORPHANS][0], 1, 1027, 1, "0000000000000403");
    head(pool.block[DIR][0], 0, 0, UINT64_MAX);
    name(pool.block[DIR][0], 3, 1025, 1, "b");
    name(pool.block[DIR][0], 4, 1026, 1, "c");
    put_le32(pool.block[XATTR][0], 0x3158524c);
    put_le64(pool.block[XATTR][0] + 8, 1026);
}

static bool read_pool(void *context, uint64_t oid, uint64_t block, uint8_t *raw)
{
    (void)context;
    for (uint32_t k = 0; k < OBJECTS; k++)
        if (pool.object[k].oid == oid && block < BLOCKS_EACH) {
            memcpy(raw, pool.block[k][block], BLOCK);
            return !pool.unreadable[k];
        }
    return false;
}

static void note_damage(void *context, uint64_t oid, const char *what)
{
    (void)context, (void)oid;
    pool.first = pool.damages++ == 0 ? what : pool.first;
}

static uint64_t check(void)
{
    struct names_input in = {
        .object = pool.object, .objects = OBJECTS, .read = read_pool, .damage = note_damage};
    return names_check(&in);
}

START_TEST(test_names_check__a_sound_pool_is_sound)
{
    make_pool();
    ck_assert_uint_eq(check(), 0);
    ck_assert_msg(pool.damages == 0, "%s", pool.first);
}
END_TEST

START_TEST(test_names_check__finds_each_thing_that_is_wrong)
{
    uint8_t *root = pool.block[ROOT][0], *high = pool.block[ROOT][1], *low = pool.block[ROOT][2];
    const struct {
        uint8_t *at;
        uint32_t bytes;
        uint64_t value;
        const char *says;
    } cases[] = {
        {pool.object[FILE_A].attr + 8, 4, 1, "count of names"},
        {pool.object[ROOT].attr + 8, 4, 2, "count of subdirectories"},
        {pool.object[DIR].attr + 40, 8, 33, "two parents"},
        {pool.object[ORPHAN].attr + 8, 4, 1, "orphan"},
        {pool.object[FILE_B].attr + 48, 8, 1027, "extended attributes is not there"},
        {pool.block[XATTR][0] + 8, 8, 1025, "not its own"},
        {low + 48 + 8, 8, 9999, "object that is not there"},
        {low + 48 + 16, 1, 2, "another type"},
        {low + 48, 8, 1000, "out of order"},
        {low + 48 + 17, 1, 200, "crosses its end"},
        {low + 6, 2, 2, "another count of entries"},
        {low, 4, 0, "bad head"},
        {low + 24, 8, 999, "not what its parent says"},
        {high + 4, 1, 1, "not what its parent says"},
        {root + 48 + 12, 8, 0, "out of order"},
        {root + 48 + 12 + 8, 4, 2, "used twice"},
        {root + 48 + 8, 4, 77, "or is none"},
        {root + 12, 4, 0, "neither in its tree nor free"},
        {root + 12, 4, 2, "used twice"},
        {pool.block[ROOT][3] + 4, 1, 0, "is not free"},
        {root + 4, 1, 7, "no level"},
        {(uint8_t *)&pool.object[DIR].size, 8, 100, "size that none can have"},
    };
    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        make_pool();
        for (uint32_t b = 0; b < cases[k].bytes; b++)
            cases[k].at[b] = (uint8_t)(cases[k].value >> 8 * b);
        (void)check();
        ck_assert_msg(pool.damages > 0 && strstr(pool.first, cases[k].says) != NULL,
                      "case %zu: \"%s\", want \"%s\"", k, pool.damages > 0 ? pool.first : "",
                      cases[k].says);
    }
}
END_TEST

START_TEST(test_names_check__what_nothing_leads_to_is_leaked)
{
    make_pool();
    put_le64(pool.object[FILE_B].attr + 48, 0);
    pool.object[XATTR].blocks = 3;
    ck_assert_uint_eq(check(), 3);
    make_pool();
    memset(pool.block[ORPHANS][0], 0, BLOCK);
    head(pool.block[ORPHANS][0], 0, 0, UINT64_MAX);
    pool.object[ORPHAN].blocks = 5;
    ck_assert_uint_eq(check(), 5);
    ck_assert_uint_eq(pool.damages, 0);
}
END_TEST

START_TEST(test_names_check__counts_nothing_where_a_directory_cannot_be_read)
{
    make_pool();
    pool.unreadable[DIR] = true;
    ck_assert_uint_eq(check(), 0);
    ck_assert_uint_eq(pool.damages, 0);
}
END_TEST

CHECK_MAIN("names_check", 20, tcase_add_test(tc, test_names_check__a_sound_pool_is_sound);
           tcase_add_test(tc, test_names_check__finds_each_thing_that_is_wrong);
           tcase_add_test(tc, test_names_check__what_nothing_leads_to_is_leaked);
           tcase_add_test(tc, test_names_check__counts_nothing_where_a_directory_cannot_be_read);)
