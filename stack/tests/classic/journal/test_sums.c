/*
 * Checksums of metadata: whatever is flipped, or lies where something else should, is an error and
 * no answer; the rest is served; what a second read brings whole is used.
 */
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "scripts/check_main.h"
#include "stack/tests/classic/cut_rig.h"

#define ROOT 1u
#define DISK_BYTES (4u << 20)
#define LOG_BYTES (1u << 20)
#define TABLE 3u /* first block of the inodes of group 0 */
#define TAIL (BLOCK_BYTES - 16u)
#define NAMES 40u
#define LONG_BLOCKS 30u /* needs an indirect block */

static struct none_rig rig;
static uint8_t image[DISK_BYTES], back[BLOCK_BYTES], content[BLOCK_BYTES];
static uint64_t dir, large;

static struct stack_options options_of(void)
{
    return (struct stack_options){.journal_mode = JOURNAL_ORDERED,
                                  .journal_checksums = true,
                                  .log_bytes = LOG_BYTES,
                                  .inflight = 2};
}

static uint8_t *block_at(uint32_t block)
{
    return rig.disk.bytes + (size_t)block * BLOCK_BYTES;
}

static const uint8_t *inode_at(uint64_t ino)
{
    return block_at(TABLE) + ino * 256;
}

static uint32_t pointer_of(uint64_t ino, uint32_t k)
{
    return get_le32(inode_at(ino) + 48 + 4 * k);
}

static void name_of(uint32_t k, char name[16])
{
    snprintf(name, 16, "n%u", k);
}

/* A directory of NAMES files, and one with an indirect block; stopped in order. */
static void setup(void)
{
    struct stack_options options = options_of();
    char name[16];
    none_rig_init_as(&rig, journal_main, &options, DISK_BYTES, 1u << 20);
    ck_assert_int_eq(none_rig_make(&rig, VFS_MKDIR, ROOT, "d", &dir), OK);
    for (uint32_t k = 0; k < NAMES; k++) {
        name_of(k, name);
        ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, dir, name, NULL), OK);
    }
    ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, ROOT, "large", &large), OK);
    for (uint32_t k = 0; k < LONG_BLOCKS; k++) {
        memset(content, (int)k + 1, sizeof(content));
        ck_assert_int_eq(
            none_rig_write(&rig, large, (uint64_t)k * BLOCK_BYTES, content, sizeof(content)), OK);
    }
    none_rig_expect_sound(&rig);
    memcpy(image, rig.disk.bytes, DISK_BYTES);
}

static void teardown(void)
{
    none_rig_fini(&rig);
}

/* The stack on the disk as setup left it but for what `damage` does. */
static void boot(void)
{
    rig.boot.incarnation++;
    ck_assert_int_eq(none_rig_boot(&rig, false), OK);
}

/* Each block of metadata that answers with an error is one to the checker as well. */
static uint64_t unreadable(void)
{
    struct none_check check;
    none_rig_check(&rig, &check);
    ck_assert_msg(check.ok, "%s", check.text);
    return check.unreadable;
}

START_TEST(test_sums__tails_name_their_block_and_its_owner)
{
    const uint32_t block[] = {1, 2, pointer_of(dir, 0), pointer_of(large, 12)};
    const uint64_t owner[] = {0, 0, dir, large};
    ck_assert_uint_eq(get_le32(rig.disk.bytes + 8), 2); /* version */
    for (uint32_t k = 0; k < 4; k++) {
        const uint8_t *tail = block_at(block[k]) + TAIL;
        ck_assert_uint_eq(get_le32(tail), 0x4c494154);
        ck_assert_uint_eq(get_le32(tail + 4), block[k]);
        ck_assert_uint_eq(get_le32(tail + 8), owner[k]);
        ck_assert_uint_eq(get_le32(tail + 12), plat_crc32c(block_at(block[k]), BLOCK_BYTES - 4));
    }
    ck_assert_uint_eq(unreadable(), 0);
}
END_TEST

START_TEST(test_sums__no_flip_in_a_directory_is_believed)
{
    uint32_t block = pointer_of(dir, 0);
    for (uint32_t at = (uint32_t)_i; at < BLOCK_BYTES; at += 61) {
        block_at(block)[at] ^= (uint8_t)(1u << at % 8);
        ck_assert_uint_eq(unreadable(), 1);
        boot();
        ck_assert_msg(none_rig_lookup(&rig, dir, "n7") == E_CORRUPT, "byte %u", at);
        ck_assert_msg(none_rig_make(&rig, VFS_CREATE, dir, "new", NULL) == E_CORRUPT, "byte %u",
                      at);
        ck_assert_int_eq(none_rig_lookup(&rig, ROOT, "large"), OK);
        memcpy(rig.disk.bytes, image, DISK_BYTES);
    }
}
END_TEST

START_TEST(test_sums__no_flip_in_an_indirect_block_is_believed)
{
    uint64_t moved;
    uint32_t block = pointer_of(large, 12);
    for (uint32_t at = (uint32_t)_i; at < BLOCK_BYTES; at += 61) {
        block_at(block)[at] ^= (uint8_t)(1u << at % 8);
        boot();
        enum err e = none_rig_read(&rig, large, 20 * BLOCK_BYTES, back, BLOCK_BYTES, &moved);
        ck_assert_msg(e == E_CORRUPT, "byte %u", at);
        ck_assert_int_eq(none_rig_read(&rig, large, 0, back, BLOCK_BYTES, &moved), OK);
        ck_assert_uint_eq(back[0], 1);
        memcpy(rig.disk.bytes, image, DISK_BYTES);
    }
}
END_TEST

/* Block bitmap (1), or that of the inodes (2). */
START_TEST(test_sums__nothing_is_given_out_by_a_damaged_bitmap)
{
    uint64_t ino;
    memset(content, 7, sizeof(content));
    block_at((uint32_t)_i)[100] ^= 4; /* a zero, or a one beyond the end */
    boot();
    enum err made = none_rig_make(&rig, VFS_CREATE, ROOT, "new", &ino);
    ck_assert_int_eq(made, _i == 1 ? OK : E_CORRUPT);
    if (made == OK)
        ck_assert_int_eq(none_rig_write(&rig, ino, 0, content, sizeof(content)), E_CORRUPT);
    ck_assert_int_eq(none_rig_lookup(&rig, dir, "n7"), OK);
}
END_TEST

START_TEST(test_sums__a_damaged_inode_leaves_its_neighbours)
{
    uint64_t ino;
    ck_assert_int_eq(none_rig_boot(&rig, false), OK);
    ck_assert_int_eq(none_rig_lookup(&rig, dir, "n7"), OK);
    ino = rig.reply.stat.ino;
    none_rig_reboot(&rig, true);
    rig.disk.bytes[(size_t)TABLE * BLOCK_BYTES + ino * 256 + 24] ^= 1;
    boot();
    ck_assert_int_eq(none_rig_lookup(&rig, dir, "n7"), E_CORRUPT);
    ck_assert_int_eq(none_rig_lookup(&rig, dir, "n6"), OK);
    ck_assert_int_eq(none_rig_lookup(&rig, dir, "n8"), OK);
}
END_TEST

/* A block of the same kind in the place of another: whole, but not this one. */
START_TEST(test_sums__what_was_written_for_another_place_is_not_believed)
{
    uint32_t of_root = pointer_of(ROOT, 0), of_dir = pointer_of(dir, 0);
    uint64_t last;
    memcpy(block_at(of_dir), block_at(of_root), BLOCK_BYTES);
    boot();
    ck_assert_int_eq(none_rig_lookup(&rig, dir, "n7"), E_CORRUPT);
    memcpy(rig.disk.bytes, image, DISK_BYTES);
    boot();
    ck_assert_int_eq(none_rig_lookup(&rig, dir, "n39"), OK);
    last = rig.reply.stat.ino;
    ck_assert_uint_ge(last, 32); /* in another block of the table than the root */
    none_rig_reboot(&rig, true);
    memcpy(block_at(TABLE + 2), block_at(TABLE + 1), BLOCK_BYTES);
    boot();
    ck_assert_int_eq(none_rig_lookup(&rig, dir, "n39"), E_CORRUPT);
    ck_assert_int_eq(none_rig_lookup(&rig, dir, "n1"), OK);
}
END_TEST

/* The disk that answers wrongly the first so many times it is asked for a block. */
static uint32_t wrong_block, wrong_times;

static void serve(void *ctx, const struct msg *request)
{
    struct block_request r;
    uint64_t at = (uint64_t)wrong_block * (BLOCK_BYTES / SECTOR_BYTES);
    bool wrong = block_request_unpack(&r, request) == OK && r.op == BLOCK_READ &&
                 r.first_sector <= at && at < r.first_sector + r.count && wrong_times > 0;
    if (wrong)
        block_at(wrong_block)[16] ^= 1;
    ramdisk_serve(ctx, request);
    if (!wrong)
        return;
    block_at(wrong_block)[16] ^= 1;
    wrong_times--;
}

START_TEST(test_sums__a_second_read_may_bring_it_whole)
{
    for (uint32_t times = 1; times <= 4; times++) {
        memcpy(rig.disk.bytes, image, DISK_BYTES);
        fake_peer(LAYER_DRIVER, 0, serve, &rig.disk);
        wrong_block = pointer_of(dir, 0);
        wrong_times = times;
        boot();
        ck_assert_int_eq(none_rig_lookup(&rig, dir, "n7"), times < 3 ? OK : E_CORRUPT);
        ck_assert_int_eq(none_rig_lookup(&rig, dir, "n7"), OK);
    }
}
END_TEST

/* It would not keep them. */
START_TEST(test_sums__a_design_without_them_refuses_the_volume)
{
    rig.program = ffs_main;
    rig.boot.incarnation++;
    ck_assert_int_eq(none_rig_boot(&rig, false), E_VERSION);
}
END_TEST

/* A directory of several blocks: no entry lies in a tail, and all names are found. */
START_TEST(test_sums__directories_fill_their_blocks_up_to_the_tail)
{
    char name[200];
    boot();
    for (uint32_t k = 0; k < 120; k++) {
        memset(name, 'a' + (int)(k % 26), sizeof(name));
        name[100 + k % 80] = 0;
        snprintf(name, 8, "%07u", k);
        name[7] = '-';
        ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, dir, name, NULL), OK);
        if (k % 3 == 0)
            ck_assert_int_eq(none_rig_remove(&rig, VFS_UNLINK, dir, name), OK);
    }
    none_rig_expect_sound(&rig);
    ck_assert_uint_eq(unreadable(), 0);
    ck_assert_uint_gt(get_le64(inode_at(dir) + 20), 3u * BLOCK_BYTES);
}
END_TEST

/* mode: data, ordered, writeback. */
START_TEST(test_sums__hold_after_a_cut_at_any_request)
{
    struct cut_design design = {.program = journal_main,
                                .options = options_of(),
                                .cache_bytes = 4u << 20,
                                .expect_sound = none_rig_expect_sound};
    design.options.journal_mode = (enum journal_mode)_i;
    design.options.log_bytes = 2u << 20;
    cut_at_every_request(&design);
    cut_at_random(&design, 91 + (uint64_t)_i, 40);
}
END_TEST

static void add_cuts(Suite *suite)
{
    TCase *tc = tcase_create("cuts");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, test_sums__hold_after_a_cut_at_any_request, 0, 3);
    suite_add_tcase(suite, tc);
}

CHECK_MAIN("journal checksums", 60, tcase_add_checked_fixture(tc, setup, teardown);
           tcase_add_test(tc, test_sums__tails_name_their_block_and_its_owner);
           tcase_add_loop_test(tc, test_sums__no_flip_in_a_directory_is_believed, 0, 4);
           tcase_add_loop_test(tc, test_sums__no_flip_in_an_indirect_block_is_believed, 0, 4);
           tcase_add_loop_test(tc, test_sums__nothing_is_given_out_by_a_damaged_bitmap, 1, 3);
           tcase_add_test(tc, test_sums__a_damaged_inode_leaves_its_neighbours);
           tcase_add_test(tc, test_sums__what_was_written_for_another_place_is_not_believed);
           tcase_add_test(tc, test_sums__a_second_read_may_bring_it_whole);
           tcase_add_test(tc, test_sums__a_design_without_them_refuses_the_volume);
           tcase_add_test(tc, test_sums__directories_fill_their_blocks_up_to_the_tail);
           add_cuts(suite);)
