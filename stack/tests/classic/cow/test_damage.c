/*
 * What happens to `cow` when blocks are bad, writes are lost or fail, and that its checker sees
 * damage.
 */
#include "scripts/check_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "stack/tests/classic/cow/cow_rig.h"

#define ROOT 1u
#define DISK_BYTES (4u << 20)
#define BLOCKS (DISK_BYTES / 4096)
#define FILES 6u

static struct cow_rig rig;
static uint8_t data[40000], image[DISK_BYTES];
static uint64_t rng;

static uint32_t draw(uint32_t below)
{
    rng = rng * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(rng >> 33) % below;
}

/* A directory with some files, stopped in order; `image` keeps it. */
static void setup(void)
{
    uint64_t dir, f;
    char name[16];
    cow_rig_init(&rig, DISK_BYTES, 4 << 20);
    rng = 4711;
    for (uint32_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)draw(256);
    ck_assert_int_eq(cow_rig_make(&rig, VFS_MKDIR, ROOT, "d", &dir), OK);
    for (uint32_t i = 0; i < FILES; i++) {
        snprintf(name, sizeof(name), "f%u", i);
        ck_assert_int_eq(cow_rig_make(&rig, VFS_CREATE, dir, name, &f), OK);
        ck_assert_int_eq(cow_rig_write(&rig, f, 0, data, 100 + i * 5000), OK);
    }
    ck_assert_int_eq(cow_rig_plain(&rig, VFS_UNMOUNT, 0, 0), OK);
    memcpy(image, rig.disk.bytes, DISK_BYTES);
}

static void teardown(void)
{
    cow_rig_fini(&rig);
}

/* ---- The checker ---- */

struct at {
    uint32_t address, crc;
};

static uint8_t *block(uint32_t address)
{
    return rig.disk.bytes + (size_t)address * 4096;
}

static uint8_t *newest_root(void)
{
    uint8_t *best = NULL;
    for (uint32_t slot = 0; slot < 4; slot++) {
        uint8_t *raw = block(64 * slot);
        if (get_le64(raw) != 0 && (best == NULL || get_le64(raw + 32) > get_le64(best + 32)))
            best = raw;
    }
    ck_assert_ptr_nonnull(best);
    return best;
}

static void seal_root(void)
{
    uint8_t *root = newest_root();
    put_le32(root + 136, plat_crc32c(root, 136));
    memcpy(block(BLOCKS - 256) + (root - rig.disk.bytes), root, 512);
}

static uint8_t *below(const uint8_t *pointer)
{
    return block(get_le32(pointer));
}

/* The pointers to the block of the inode file that holds inodes 0 to 15. */
static uint8_t *inode_block(void)
{
    return below(below(below(newest_root() + 56)));
}

/* Makes all CRCs above the inodes right again. */
static void seal_inode(uint32_t ino)
{
    uint8_t *root = newest_root(), *top = below(root + 56), *middle = below(top);
    uint8_t *inodes = below(middle);
    put_le32(inodes + 256 * ino + 252, plat_crc32c(inodes + 256 * ino, 252));
    put_le32(middle + 8, plat_crc32c(inodes, 4096));
    put_le32(top + 8, plat_crc32c(middle, 4096));
    put_le32(root + 64, plat_crc32c(top, 4096));
    seal_root();
}

static void seal_map(void)
{
    uint8_t *root = newest_root();
    put_le32(root + 80, plat_crc32c(below(root + 72), 4096));
    seal_root();
}

static void expect_damage(const char *word)
{
    struct cow_check check;
    cow_rig_check(&rig, &check);
    ck_assert_msg(!check.ok, "not seen: %s", word);
    ck_assert_msg(strstr(check.text, word) != NULL, "%s instead of %s", check.text, word);
    memcpy(rig.disk.bytes, image, DISK_BYTES);
    cow_rig_check(&rig, &check);
    ck_assert_msg(check.ok, "%s", check.text);
}

/* Inodes: root 1, orphans 2, shared 3, d 4, f0 5 ... */
START_TEST(test_damage__the_checker_sees_each_broken_field)
{
    uint8_t *f1 = inode_block() + 256 * 6, *f2 = inode_block() + 256 * 7;
    uint8_t *d = inode_block() + 256 * 4;
    uint32_t used = get_le32(f2 + 48);

    memset(rig.disk.bytes, 0, 1 << 20);
    memset(rig.disk.bytes + DISK_BYTES - (1 << 20), 0, 1 << 20);
    expect_damage("no root");
    f1[252] ^= 1;
    put_le32(below(below(newest_root() + 56)) + 8, plat_crc32c(inode_block(), 4096));
    put_le32(below(newest_root() + 56) + 8, plat_crc32c(below(below(newest_root() + 56)), 4096));
    put_le32(newest_root() + 64, plat_crc32c(below(newest_root() + 56), 4096));
    seal_root();
    expect_damage("inode 6 is broken");
    put_le32(f1 + 48, used);
    seal_inode(6);
    expect_damage("used twice");
    put_le32(f1 + 48, 3);
    seal_inode(6);
    expect_damage("no data block");
    put_le32(f1 + 60, 9999);
    seal_inode(6);
    expect_damage("younger than the root");
    put_le32(f1 + 44, 9);
    seal_inode(6);
    expect_damage("blocks, has");
    put_le64(f2 + 20, 100);
    seal_inode(7);
    expect_damage("beyond its size");
    put_le16(f1 + 2, 2);
    seal_inode(6);
    expect_damage("nlink");
    put_le16(d, 1 << 12 | 0755);
    seal_inode(4);
    expect_damage("is called type");
    below(newest_root() + 72)[used / 8] &= (uint8_t) ~(1u << used % 8);
    seal_map();
    expect_damage("free in the map");
    put_le64(newest_root() + 128, 7);
    seal_root();
    expect_damage("are reached");
    put_le32(newest_root() + 120, 7);
    seal_root();
    expect_damage("inodes, there are");
}
END_TEST

/* ---- Bad blocks ---- */

/* Reads all; returns how many answers were errors. Contents are right where they come. */
static uint32_t errors_of_reading(void)
{
    static uint8_t back[40000];
    uint32_t errors = 0;
    uint64_t dir = 0, f, moved;
    char name[16];
    if (cow_rig_lookup(&rig, ROOT, "d", &dir) != OK)
        return FILES;
    for (uint32_t i = 0; i < FILES; i++) {
        snprintf(name, sizeof(name), "f%u", i);
        bool came = cow_rig_lookup(&rig, dir, name, &f) == OK &&
                    cow_rig_read(&rig, f, 0, back, sizeof(back), &moved) == OK;
        errors += came ? 0 : 1;
        if (came)
            ck_assert(moved == 100 + i * 5000 && memcmp(back, data, (size_t)moved) == 0);
    }
    return errors;
}

static bool is_used(uint32_t at)
{
    static const uint8_t zeros[4096];
    return memcmp(image + (size_t)at * 4096, zeros, 4096) != 0;
}

START_TEST(test_damage__any_block_that_rots_is_an_error_or_nothing)
{
    uint32_t hurt = 0;
    for (uint32_t at = 0; at < BLOCKS; at++) {
        if (!is_used(at))
            continue;
        memcpy(rig.disk.bytes, image, DISK_BYTES);
        block(at)[100] ^= 0x40;
        uint32_t before = fake_report_count(REPORT_ROLLBACK);
        ck_assert_int_eq(cow_rig_boot(&rig, false), OK);
        bool fell_back = fake_report_count(REPORT_ROLLBACK) > before;
        hurt += !fell_back && errors_of_reading() > 0;
    }
    ck_assert_uint_ge(hurt,
                      12); /* a block of each file but the first, and more of the later ones */
}
END_TEST

START_TEST(test_damage__a_root_without_a_tree_falls_back_to_the_one_before)
{
    uint64_t dir, f;
    ck_assert_int_eq(cow_rig_boot(&rig, false), OK);
    ck_assert_int_eq(cow_rig_lookup(&rig, ROOT, "d", &dir), OK);
    ck_assert_int_eq(cow_rig_make(&rig, VFS_CREATE, dir, "new", &f), OK);
    ck_assert_int_eq(cow_rig_plain(&rig, VFS_SYNC, 0, 0), OK);
    fake_kill_layer();
    below(newest_root() + 56)[7] ^= 1;
    ck_assert_int_eq(cow_rig_boot(&rig, false), OK);
    ck_assert_uint_eq(fake_report_count(REPORT_ROLLBACK), 1);
    ck_assert_int_eq(cow_rig_lookup(&rig, dir, "new", &f), E_NOENT);
    ck_assert_uint_eq(errors_of_reading(), 0);
    ck_assert_int_eq(cow_rig_plain(&rig, VFS_UNMOUNT, 0, 0), OK);
    struct cow_check check;
    cow_rig_check(&rig, &check);
    ck_assert_msg(check.ok, "%s", check.text);
    ck_assert_uint_eq(check.leaked_blocks, 0);
}
END_TEST

START_TEST(test_damage__nothing_goes_back_behind_an_orderly_stop)
{
    uint64_t dir;
    below(newest_root() + 56)[7] ^= 1;
    ck_assert_int_eq(cow_rig_boot(&rig, false), OK);
    ck_assert_uint_eq(fake_report_count(REPORT_ROLLBACK), 0);
    enum err e = cow_rig_lookup(&rig, ROOT, "d", &dir);
    ck_assert(e == E_CORRUPT);
    ck_assert_int_eq(cow_rig_make(&rig, VFS_CREATE, ROOT, "new", NULL), E_ROFS);
}
END_TEST

START_TEST(test_damage__an_orderly_stop_mends_a_root_that_was_lost)
{
    uint64_t f;
    ck_assert_int_eq(cow_rig_boot(&rig, false), OK);
    ck_assert_int_eq(cow_rig_make(&rig, VFS_CREATE, ROOT, "new", &f), OK);
    ck_assert_int_eq(cow_rig_plain(&rig, VFS_SYNC, 0, 0), OK);
    uint8_t *root = newest_root();
    memset(block(BLOCKS - 256) + (root - rig.disk.bytes), 0, 4096);
    below(root + 56)[7] ^= 1;
    memset(root, 0, 4096);
    ck_assert_int_eq(cow_rig_plain(&rig, VFS_UNMOUNT, 0, 0), OK);
    ck_assert_int_eq(cow_rig_boot(&rig, false), OK);
    ck_assert_int_eq(cow_rig_lookup(&rig, ROOT, "new", &f), OK);
    ck_assert_uint_eq(errors_of_reading(), 0);
}
END_TEST

START_TEST(test_damage__the_nth_failing_write_is_told_and_leaves_old_or_new)
{
    bool fired = true;
    for (uint32_t n = 1; fired; n++) {
        uint64_t f, dir;
        memcpy(rig.disk.bytes, image, DISK_BYTES);
        ck_assert_int_eq(cow_rig_boot(&rig, false), OK);
        ck_assert_int_eq(cow_rig_lookup(&rig, ROOT, "d", &dir), OK);
        rig.disk.fail_write = n; /* and all after it */
        rig.disk.fault_fired = false;
        enum err e = cow_rig_make(&rig, VFS_CREATE, dir, "new", &f);
        if (e == OK)
            e = cow_rig_plain(&rig, VFS_FSYNC, f, 0);
        fired = rig.disk.fault_fired;
        rig.disk.fail_write = 0;
        ck_assert_msg(fired == (e != OK), "write %u: %s", n, fired ? "error lost" : "no fault");
        if (fired)
            ck_assert_int_eq(cow_rig_make(&rig, VFS_CREATE, dir, "later", &f), E_ROFS);
        ck_assert_uint_eq(errors_of_reading(), 0);
        ck_assert_int_eq(cow_rig_boot(&rig, false), OK);
        e = cow_rig_lookup(&rig, dir, "new", &f);
        ck_assert(e == OK || (fired && e == E_NOENT));
        ck_assert_uint_eq(errors_of_reading(), 0);
        ck_assert_uint_lt(n, 100);
    }
}
END_TEST

/* What an fsync logged changes a file whose inode rots in the root's tree: without the log it is
 * mounted all the same, as the root has it. */
START_TEST(test_damage__a_log_that_cannot_be_done_over_does_not_keep_it_from_mounting)
{
    uint64_t f = 0, g;
    char name[16];
    rig.boot.options.fsync_log = true;
    ck_assert_int_eq(cow_rig_boot(&rig, false), OK);
    for (uint32_t i = 0; f < 20; i++) {
        snprintf(name, sizeof(name), "more%u", i);
        ck_assert_int_eq(cow_rig_make(&rig, VFS_CREATE, ROOT, name, &f), OK);
    }
    ck_assert_int_eq(cow_rig_write(&rig, f, 0, data, 30000), OK);
    ck_assert_int_eq(cow_rig_plain(&rig, VFS_SYNC, 0, 0), OK);
    uint64_t batch = get_le64(newest_root() + 32);
    ck_assert_int_eq(cow_rig_make(&rig, VFS_CREATE, ROOT, "logged", &g), OK);
    ck_assert_int_eq(cow_rig_plain(&rig, VFS_TRUNCATE, f, 100), OK);
    ck_assert_int_eq(cow_rig_plain(&rig, VFS_FSYNC, f, 0), OK);
    ck_assert_uint_eq(get_le64(newest_root() + 32), batch); /* it is in the log */
    fake_kill_layer();
    below(below(below(newest_root() + 56)) + 16)[7] ^= 1;
    for (uint32_t life = 0; life < 2; life++) {
        ck_assert_int_eq(cow_rig_boot(&rig, false), OK);
        ck_assert_int_eq(cow_rig_lookup(&rig, ROOT, "logged", &g), E_NOENT);
        ck_assert_int_eq(cow_rig_lookup(&rig, ROOT, "more0", &g), OK);
        ck_assert_int_eq(cow_rig_plain(&rig, VFS_STAT, f, 0), E_CORRUPT);
        ck_assert_int_eq(cow_rig_make(&rig, VFS_CREATE, ROOT, "new", &g), E_ROFS);
    }
}
END_TEST

CHECK_MAIN(
    "damage", 120, tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_damage__the_checker_sees_each_broken_field);
    tcase_add_test(tc, test_damage__any_block_that_rots_is_an_error_or_nothing);
    tcase_add_test(tc, test_damage__a_root_without_a_tree_falls_back_to_the_one_before);
    tcase_add_test(tc, test_damage__nothing_goes_back_behind_an_orderly_stop);
    tcase_add_test(tc, test_damage__a_log_that_cannot_be_done_over_does_not_keep_it_from_mounting);
    tcase_add_test(tc, test_damage__an_orderly_stop_mends_a_root_that_was_lost);
    tcase_add_test(tc, test_damage__the_nth_failing_write_is_told_and_leaves_old_or_new);)
