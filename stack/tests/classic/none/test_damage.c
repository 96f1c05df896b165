/*
 * What happens to `none` when disks fail or the power goes, and that its checker sees damage.
 */
#include "scripts/check_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "stack/tests/classic/none/none_rig.h"

#define ROOT 1u
#define DISK_BYTES (4u << 20)
#define BITMAP 1u /* block of group 0's block bitmap */
#define INODE_BITMAP 2u
#define TABLE 3u /* first block of its inodes */
#define NAMES 12u

static struct none_rig rig;
static uint8_t data[40000], image[DISK_BYTES];
static uint64_t rng;

static uint32_t draw(uint32_t below)
{
    rng = rng * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(rng >> 33) % below;
}

/* A directory `d` with files of 0 .. 11 x 3000 bytes, stopped in order; `image` keeps it. */
static uint64_t setup_tree(void)
{
    uint64_t dir, f;
    char name[16];
    none_rig_init(&rig, DISK_BYTES, 1 << 20);
    rng = 4711;
    for (uint32_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)draw(256);
    ck_assert_int_eq(none_rig_make(&rig, VFS_MKDIR, ROOT, "d", &dir), OK);
    for (uint32_t i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "f%u", i);
        ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, dir, name, &f), OK);
        if (i > 0)
            ck_assert_int_eq(none_rig_write(&rig, f, 0, data, i * 3000), OK);
    }
    ck_assert_int_eq(none_rig_write(&rig, f, 20 * 4096, data, 100), OK); /* an indirect block */
    ck_assert_int_eq(none_rig_plain(&rig, VFS_UNMOUNT, 0, 0), OK);
    memcpy(image, rig.disk.bytes, DISK_BYTES);
    return dir;
}

static void setup(void)
{
    (void)setup_tree();
}

static void teardown(void)
{
    none_rig_fini(&rig);
}

/* ---- The checker ---- */

static uint8_t *inode_at(uint32_t ino)
{
    return rig.disk.bytes + TABLE * 4096 + ino * 256;
}

static void seal_inode(uint32_t ino)
{
    put_le32(inode_at(ino) + 252, plat_crc32c(inode_at(ino), 252));
}

/* The inode of the n-th file: root 1, shared 3, d 4, f0 5 ... */
static uint32_t file_ino(uint32_t n)
{
    return 5 + n;
}

static void expect_damage(const char *word)
{
    struct none_check check;
    none_rig_check(&rig, &check);
    ck_assert_msg(!check.ok, "not seen: %s", word);
    ck_assert_msg(strstr(check.text, word) != NULL, "%s instead of %s", check.text, word);
    memcpy(rig.disk.bytes, image, DISK_BYTES);
    none_rig_check(&rig, &check);
    ck_assert_msg(check.ok, "%s", check.text);
}

START_TEST(test_damage__the_checker_sees_each_broken_field)
{
    uint8_t *bytes = rig.disk.bytes;
    uint32_t block = get_le32(inode_at(file_ino(5)) + 48);
    uint8_t *dir = bytes + (size_t)get_le32(inode_at(4) + 48) * 4096;

    memset(bytes, 0, 4096);
    memset(bytes + DISK_BYTES - 4096, 0, 4096);
    expect_damage("no superblock");
    bytes[BITMAP * 4096 + (block - 1) / 8] &= (uint8_t) ~(1u << (block - 1) % 8);
    expect_damage("free in the bitmap");
    bytes[BITMAP * 4096] = 0xfe;
    expect_damage("its own block");
    bytes[INODE_BITMAP * 4096] &= (uint8_t) ~(1u << 5);
    expect_damage("which is free or broken");
    inode_at(file_ino(3))[4] ^= 1; /* its checksum is wrong */
    expect_damage("which is free or broken");
    put_le32(inode_at(file_ino(3)) + 48, block);
    seal_inode(file_ino(3));
    expect_damage("used twice");
    put_le32(inode_at(file_ino(3)) + 48, 5);
    seal_inode(file_ino(3));
    expect_damage("no data block");
    put_le16(inode_at(file_ino(3)) + 2, 2);
    seal_inode(file_ino(3));
    expect_damage("nlink");
    put_le32(inode_at(file_ino(3)) + 44, 9);
    seal_inode(file_ino(3));
    expect_damage("blocks, has");
    put_le64(inode_at(file_ino(3)) + 20, 100);
    seal_inode(file_ino(3));
    expect_damage("beyond its size");
    put_le16(inode_at(4) + 2, 5);
    seal_inode(4);
    expect_damage("nlink");
    put_le32(dir + 12, 3); /* ".." */
    expect_damage("\"..\"");
    put_le16(dir + 4, 6);
    expect_damage("broken entry");
    put_le32(dir + 24, 900);
    expect_damage("leads to inode 900");
    put_le32(dir + 24, 3); /* shared, which has a name already */
    expect_damage("is");
    dir[24 + 8] = '/';
    expect_damage("impossible name");
    bytes[4096 * TABLE + 256 + 20] ^= 1;
    expect_damage("no root directory");
}
END_TEST

START_TEST(test_damage__leaks_are_counted_and_no_damage)
{
    struct none_check check;
    rig.disk.bytes[BITMAP * 4096 + 900 / 8] |= 1u << 900 % 8;
    rig.disk.bytes[INODE_BITMAP * 4096 + 500 / 8] |= 1u << 500 % 8;
    none_rig_check(&rig, &check);
    ck_assert_msg(check.ok, "%s", check.text);
    ck_assert_uint_eq(check.leaked_blocks, 1);
    ck_assert_uint_eq(check.leaked_inodes, 1);
}
END_TEST

static uint64_t hole; /* block that the checker cannot read */

static bool read_with_a_hole(void *object, uint64_t at, uint8_t *raw)
{
    const struct ramdisk *disk = object;
    memcpy(raw, disk->bytes + at * 4096, 4096);
    return at != hole;
}

START_TEST(test_damage__what_cannot_be_read_is_no_damage)
{
    uint32_t seen = 0;
    for (hole = 0; hole < DISK_BYTES / 4096; hole++) {
        struct none_check check;
        none_check(read_with_a_hole, &rig.disk, DISK_BYTES / 4096, &check);
        ck_assert_msg(check.ok, "block %llu: %s", (unsigned long long)hole, check.text);
        seen += check.unreadable > 0 ? 1 : 0;
    }
    ck_assert_uint_ge(seen, 8); /* super, bitmaps, two of the table, directories, indirect */
}
END_TEST

/* ---- Failing disks ---- */

/* Some of everything; what is answered does not matter here. */
static void exercise(void)
{
    uint8_t back[5000];
    uint64_t moved, dir = 0;
    char name[16];
    if (none_rig_lookup(&rig, ROOT, "d") == OK)
        dir = rig.reply.stat.ino;
    for (uint32_t i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "f%u", i);
        if (none_rig_lookup(&rig, dir, name) == OK) {
            uint64_t ino = rig.reply.stat.ino;
            (void)!none_rig_read(&rig, ino, i * 2000, back, sizeof(back), &moved);
            (void)!none_rig_write(&rig, ino, i * 1000, data, 9000);
            (void)!none_rig_plain(&rig, VFS_TRUNCATE, ino, i * 900);
            (void)!none_rig_plain(&rig, VFS_FSYNC, ino, 0);
        }
        if (i % 3 == 0)
            (void)!none_rig_remove(&rig, VFS_UNLINK, dir, name);
        if (i % 3 == 1)
            (void)!none_rig_rename(&rig, dir, name, ROOT, name);
        snprintf(name, sizeof(name), "n%u", i);
        (void)!none_rig_make(&rig, i % 2 ? VFS_CREATE : VFS_MKDIR, dir, name, NULL);
    }
    (void)!none_rig_remove(&rig, VFS_RMDIR, dir, "n2");
    (void)!none_rig_plain(&rig, VFS_SYNC, 0, 0);
}

START_TEST(test_damage__the_nth_failing_read_leaves_a_sound_tree)
{
    bool fired = true;
    for (uint32_t n = 1; fired; n++) {
        struct none_check check;
        memcpy(rig.disk.bytes, image, DISK_BYTES);
        rig.disk.fail_read = n;
        rig.disk.fail_repeats = 2 * BLOCK_TRIES; /* a run, then its first block */
        rig.disk.fault_fired = false;
        if (none_rig_boot(&rig, false) == OK) {
            exercise();
            fired = rig.disk.fault_fired;
            rig.disk.fail_read = 0;
            ck_assert_int_eq(none_rig_plain(&rig, VFS_UNMOUNT, 0, 0), OK);
            none_rig_check(&rig, &check);
            ck_assert_msg(check.ok, "read %u: %s", n, check.text);
        }
        ck_assert_uint_lt(n, 1000);
    }
}
END_TEST

/* The sector of the root's record, so that of nothing else. */
START_TEST(test_damage__an_unreadable_root_is_an_error_to_each_path)
{
    rig.disk.bad[rig.disk.bads++] = TABLE * 8;
    ck_assert_int_eq(none_rig_boot(&rig, false), OK);
    ck_assert_int_eq(none_rig_lookup(&rig, ROOT, "d"), E_MEDIA);
    ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, ROOT, "n", NULL), E_MEDIA);
    ck_assert_int_eq(none_rig_plain(&rig, VFS_STAT, ROOT, 0), E_MEDIA);
}
END_TEST

START_TEST(test_damage__a_root_that_is_no_directory_is_an_error_to_each_path)
{
    if (_i == 0) {
        memset(inode_at(ROOT), 0, 256);
    } else {
        inode_at(ROOT)[1] = 0x10; /* a file */
    }
    seal_inode(ROOT);
    ck_assert_int_eq(none_rig_boot(&rig, false), OK);
    ck_assert_int_eq(none_rig_lookup(&rig, ROOT, "d"), E_CORRUPT);
    ck_assert_int_eq(none_rig_plain(&rig, VFS_STAT, ROOT, 0), E_CORRUPT);
}
END_TEST

/* The volume has one group. */
START_TEST(test_damage__without_a_bitmap_the_disk_is_sick_and_not_full)
{
    uint64_t f;
    rig.disk.bad[rig.disk.bads++] = (_i == 0 ? BITMAP : INODE_BITMAP) * 8;
    ck_assert_int_eq(none_rig_boot(&rig, false), OK);
    ck_assert_int_eq(none_rig_lookup(&rig, ROOT, "d"), OK);
    enum err e = none_rig_make(&rig, VFS_CREATE, ROOT, "n", &f);
    if (_i == 0 && e == OK)
        e = none_rig_write(&rig, f, 0, data, sizeof(data));
    ck_assert_int_eq(e, E_MEDIA);
}
END_TEST

START_TEST(test_damage__the_nth_failing_write_is_told_and_no_crash)
{
    bool fired = true;
    for (uint32_t n = 1; fired; n++) {
        memcpy(rig.disk.bytes, image, DISK_BYTES);
        ck_assert_int_eq(none_rig_boot(&rig, false), OK);
        rig.disk.fail_write = n; /* and all after it */
        rig.disk.fault_fired = false;
        exercise();
        fired = rig.disk.fault_fired;
        rig.disk.fail_write = 0;
        enum err e = none_rig_plain(&rig, VFS_SYNC, 0, 0);
        ck_assert_msg(!fired || e == E_MEDIA || n == 1, "write %u: %d", n,
                      e); /* the first is the superblock's */
        ck_assert_uint_lt(n, 1000);
    }
}
END_TEST

/* ---- Power ---- */

static bool coin(void *ctx, uint32_t write, uint32_t sector)
{
    (void)ctx, (void)write, (void)sector;
    return draw(2) == 0;
}

START_TEST(test_damage__a_power_cut_may_ruin_it_but_not_crash_it)
{
    uint32_t damaged = 0, mounted = 0;
    for (uint32_t round = 0; round < 40; round++) {
        struct none_check check;
        memcpy(rig.disk.bytes, image, DISK_BYTES);
        ck_assert_int_eq(none_rig_boot(&rig, false), OK);
        ramdisk_set_volatile(&rig.disk);
        exercise();
        ramdisk_power_cut(&rig.disk, coin, NULL);
        none_rig_check(&rig, &check);
        damaged += check.ok ? 0 : 1;
        if (none_rig_boot(&rig, false) != OK)
            continue;
        mounted++;
        exercise();
    }
    ck_assert_uint_gt(damaged, 0); /* else it is no control */
    ck_assert_uint_gt(mounted, 0);
}
END_TEST

CHECK_MAIN("none damage", 120, tcase_add_checked_fixture(tc, setup, teardown);
           tcase_add_test(tc, test_damage__the_checker_sees_each_broken_field);
           tcase_add_test(tc, test_damage__leaks_are_counted_and_no_damage);
           tcase_add_test(tc, test_damage__what_cannot_be_read_is_no_damage);
           tcase_add_test(tc, test_damage__the_nth_failing_read_leaves_a_sound_tree);
           tcase_add_test(tc, test_damage__an_unreadable_root_is_an_error_to_each_path);
           tcase_add_loop_test(tc,
                               test_damage__a_root_that_is_no_directory_is_an_error_to_each_path, 0,
                               2);
           tcase_add_loop_test(tc, test_damage__without_a_bitmap_the_disk_is_sick_and_not_full, 0,
                               2);
           tcase_add_test(tc, test_damage__the_nth_failing_write_is_told_and_no_crash);
           tcase_add_test(tc, test_damage__a_power_cut_may_ruin_it_but_not_crash_it);)
