/*
 * `fsck: background`: a volume with leaks is served at once, the check beside service frees what is
 * lost and nothing else, whatever requests do meanwhile and wherever the power goes.
 */
#include "scripts/check_main.h"

#include <stdio.h>
#include <string.h>

#include "stack/tests/classic/cut_rig.h"

#define ROOT 1u
#define BLOCK 4096u
#define MS UINT64_C(1000000)
#define LEAKS 200u       /* of blocks, of inode numbers */
#define LEAKED_BYTE 300u /* of the bitmap of blocks, */
#define LEAKED_INODE 64u /* and of that of inodes: far from what the tests make */
#define REQUESTS_MAX 2000u

static struct cut_rig rig;
static uint8_t data[12 * BLOCK], back[12 * BLOCK];

static void start(bool orphans_delete)
{
    cut_rig_init(&rig, &(struct cut_design){
                           .program = ffs_main,
                           .options = {.fsck_background = true, .orphans_delete = orphans_delete}});
    for (uint32_t k = 0; k < sizeof(data); k++)
        data[k] = (uint8_t)(k / 100 + 1);
}

static uint64_t must_make(enum vfs_op op, uint64_t dir, const char *name)
{
    uint64_t ino = 0;
    ck_assert_int_eq(none_rig_make(&rig.none, op, dir, name, &ino), OK);
    return ino;
}

static void sync_all(void)
{
    ck_assert_int_eq(none_rig_plain(&rig.none, VFS_SYNC, 0, 0), OK);
}

static uint64_t free_blocks(void)
{
    ck_assert_int_eq(none_rig_plain(&rig.none, VFS_STATFS, 0, 0), OK);
    return rig.none.reply.ino2;
}

static void pass_time(uint64_t ns)
{
    (void)fake_run_until(fake_now() + ns);
}

/* Sets bits of what nothing claims, and takes the name of inode `gone` off the disk. */
static void leak(uint64_t gone)
{
    uint8_t *bytes = rig.none.disk.bytes;
    memset(bytes + BLOCK + LEAKED_BYTE, 0xff, LEAKS / 8);
    memset(bytes + 2 * BLOCK + LEAKED_INODE, 0xff, LEAKS / 16);
    for (size_t at = 0; gone != 0 && at + 16 < rig.none.disk.sectors * 512; at += 4)
        if (bytes[at] == gone && memcmp(bytes + at + 8, "gone", 4) == 0)
            memset(bytes + at, 0, 4);
    ramdisk_set_volatile(&rig.none.disk); /* stable */
}

static bool is_lost(uint64_t ino, uint64_t *dir)
{
    char name[12];
    snprintf(name, sizeof(name), "#%u", (unsigned)ino);
    if (none_rig_lookup(&rig.none, ROOT, "lost+found") != OK)
        return false;
    *dir = rig.none.reply.stat.ino;
    return none_rig_lookup(&rig.none, *dir, name) == OK && rig.none.reply.stat.ino == ino;
}

static void expect_file(uint64_t ino, size_t bytes)
{
    uint64_t moved;
    ck_assert_int_eq(none_rig_read(&rig.none, ino, 0, back, sizeof(back), &moved), OK);
    ck_assert_uint_eq(moved, bytes);
    ck_assert_int_eq(memcmp(back, data, bytes), 0);
}

static void finish(void)
{
    none_rig_expect_sound(&rig.none);
    cut_rig_fini(&rig);
}

START_TEST(test_live__is_served_at_once_and_what_is_lost_comes_free_while_it_is_idle)
{
    start(false);
    uint64_t f = must_make(VFS_CREATE, ROOT, "f");
    ck_assert_int_eq(none_rig_write(&rig.none, f, 0, data, sizeof(data)), OK);
    sync_all();
    uint64_t before = free_blocks();
    leak(0);
    none_rig_reboot(&rig.none, false);
    ck_assert_uint_eq(free_blocks(), before - LEAKS);
    expect_file(f, sizeof(data));
    pass_time(2000 * MS);
    ck_assert_uint_eq(free_blocks(), before);
    expect_file(f, sizeof(data));
    finish();
}
END_TEST

START_TEST(test_live__what_lost_its_name_gets_one_or_is_freed)
{
    bool drop = _i % 2 == 1;
    uint64_t dir;
    start(drop);
    uint64_t gone = must_make(_i < 2 ? VFS_CREATE : VFS_MKDIR, ROOT, "gone"), inside = gone;
    if (_i >= 2)
        inside = must_make(VFS_CREATE, gone, "inside");
    ck_assert_int_eq(none_rig_write(&rig.none, inside, 0, data, sizeof(data)), OK);
    sync_all();
    leak(gone);
    none_rig_reboot(&rig.none, false);
    ck_assert(!is_lost(gone, &dir));
    pass_time(2000 * MS);
    ck_assert_int_eq(is_lost(gone, &dir), !drop);
    ck_assert_int_eq(none_rig_plain(&rig.none, VFS_STAT, gone, 0), drop ? E_NOENT : OK);
    if (!drop)
        expect_file(inside, sizeof(data));
    if (!drop && _i >= 2) {
        ck_assert_int_eq(none_rig_lookup(&rig.none, gone, ".."), OK);
        ck_assert_uint_eq(rig.none.reply.stat.ino, dir);
    }
    finish();
}
END_TEST

/* What an earlier option wrote has bitmaps of any content: nothing of it is believed. */
START_TEST(test_live__a_volume_that_does_not_say_so_is_checked_before)
{
    start(false);
    rig.none.boot.options.fsck_background = false;
    none_rig_reboot(&rig.none, false);
    uint64_t f = must_make(VFS_CREATE, ROOT, "f");
    ck_assert_int_eq(none_rig_write(&rig.none, f, 0, data, sizeof(data)), OK);
    sync_all();
    uint64_t before = free_blocks();
    leak(0);
    rig.none.boot.options.fsck_background = true;
    none_rig_reboot(&rig.none, false);
    ck_assert_uint_eq(free_blocks(), before);
    finish();
}
END_TEST

START_TEST(test_live__an_unmount_ends_the_check_before_it_says_clean)
{
    start(false);
    must_make(VFS_CREATE, ROOT, "f");
    sync_all();
    leak(0);
    none_rig_reboot(&rig.none, false);
    finish();
}
END_TEST

/* ---- Requests meanwhile, and a cut at each request to the disk ---- */

/* Ops that take and free blocks, numbers and names, in steps of the check. Each may fail: the disk
 * may be gone. */
static void requests(uint64_t d, uint64_t f, uint64_t pause_ns)
{
    char name[8];
    uint64_t ino;
    for (uint32_t k = 0; k < 6; k++) {
        snprintf(name, sizeof(name), "n%u", k);
        if (none_rig_make(&rig.none, k == 3 ? VFS_MKDIR : VFS_CREATE, d, name, &ino) == OK &&
            k != 3)
            (void)!none_rig_write(&rig.none, ino, 0, data, (k + 1) * BLOCK);
        pass_time(pause_ns);
        if (k == 1)
            (void)!none_rig_plain(&rig.none, VFS_TRUNCATE, f, 2 * BLOCK);
        if (k == 2)
            (void)!none_rig_write(&rig.none, f, 2 * BLOCK, data + 2 * BLOCK, 4 * BLOCK);
        if (k == 4)
            (void)!none_rig_rename(&rig.none, d, "n3", ROOT, "moved");
        if (k % 2 == 1)
            (void)!none_rig_remove(&rig.none, VFS_UNLINK, d, k == 1 ? "n0" : "old");
        pass_time(pause_ns);
        if (k == 3)
            (void)!none_rig_plain(&rig.none, VFS_SYNC, 0, 0);
    }
    (void)!none_rig_plain(&rig.none, VFS_SYNC, 0, 0);
}

/* Returns whether the n-th request came. */
static bool cut_check(uint32_t n, uint32_t keep_percent, uint64_t pause_ns)
{
    uint64_t dir;
    start(false);
    rig.rng = n * 1000 + keep_percent;
    uint64_t d = must_make(VFS_MKDIR, ROOT, "d"), keeps = must_make(VFS_CREATE, d, "keeps");
    uint64_t f = must_make(VFS_CREATE, d, "f"), gone = must_make(VFS_CREATE, ROOT, "gone");
    uint64_t old = must_make(VFS_CREATE, d, "old");
    ck_assert_int_eq(none_rig_write(&rig.none, keeps, 0, data, sizeof(data)), OK);
    ck_assert_int_eq(none_rig_write(&rig.none, f, 0, data, 8 * BLOCK), OK);
    ck_assert_int_eq(none_rig_write(&rig.none, gone, 0, data, 3 * BLOCK), OK);
    ck_assert_int_eq(none_rig_write(&rig.none, old, 0, data, BLOCK), OK);
    sync_all();
    ck_assert(!cut_rig_cut(&rig, 100));
    leak(gone);
    none_rig_reboot(&rig.none, false);
    cut_rig_arm(&rig, n);
    requests(d, f, pause_ns);
    pass_time(500 * MS);
    bool went = cut_rig_cut(&rig, keep_percent);
    cut_rig_reboot(&rig, n % 2, keep_percent);
    expect_file(keeps, sizeof(data));
    pass_time(2000 * MS);
    ck_assert_int_eq(none_rig_lookup(&rig.none, d, "keeps"), OK);
    expect_file(keeps, sizeof(data));
    ck_assert_msg(is_lost(gone, &dir), "request %u: what lost its name is gone", n);
    expect_file(gone, 3 * BLOCK);
    finish();
    return went;
}

START_TEST(test_live__a_cut_at_any_request_of_the_check_beside_requests_loses_nothing)
{
    static const uint32_t percents[] = {0, 50, 100};
    uint64_t pause_ns = _i == 0 ? MS / 5 : 3 * MS;
    for (uint32_t k = 0; k < 3; k++) {
        uint32_t n = 1;
        while (cut_check(n, percents[k], pause_ns)) {
            n++;
            ck_assert_uint_lt(n, REQUESTS_MAX);
        }
        ck_assert_uint_gt(n, 20);
    }
}
END_TEST

CHECK_MAIN(
    "ffs live", 240,
    tcase_add_test(tc, test_live__is_served_at_once_and_what_is_lost_comes_free_while_it_is_idle);
    tcase_add_loop_test(tc, test_live__what_lost_its_name_gets_one_or_is_freed, 0, 4);
    tcase_add_test(tc, test_live__a_volume_that_does_not_say_so_is_checked_before);
    tcase_add_test(tc, test_live__an_unmount_ends_the_check_before_it_says_clean);
    tcase_add_loop_test(tc,
                        test_live__a_cut_at_any_request_of_the_check_beside_requests_loses_nothing,
                        0, 2);)
