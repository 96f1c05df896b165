/*
 * Names and attributes of `none`, in memory and after a remount.
 */
#include "scripts/check_main.h"

#include <stdio.h>
#include <string.h>

#include "stack/tests/classic/none/none_rig.h"

#define ROOT 1u

static struct none_rig rig;

static void setup(void)
{
    none_rig_init(&rig, 64 << 20, 1 << 20);
}

static void teardown(void)
{
    none_rig_fini(&rig);
}

START_TEST(test_names__format_has_root_and_shared)
{
    struct none_check check;
    none_rig_check(&rig, &check);
    ck_assert_msg(check.ok && check.mountable, "%s", check.text);
    ck_assert_int_eq(none_rig_lookup(&rig, ROOT, "shared"), OK);
    ck_assert_uint_eq(rig.reply.stat.type, VFS_DIRECTORY);
    ck_assert_int_eq(none_rig_lookup(&rig, ROOT, "lost"), E_NOENT);
}
END_TEST

START_TEST(test_names__errors_of_the_name_space)
{
    uint64_t dir, file;
    char longest[300];
    memset(longest, 'x', sizeof(longest));
    longest[256] = '\0';
    ck_assert_int_eq(none_rig_make(&rig, VFS_MKDIR, ROOT, "d", &dir), OK);
    ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, dir, "f", &file), OK);
    ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, dir, "f", NULL), E_EXIST);
    ck_assert_int_eq(none_rig_make(&rig, VFS_MKDIR, dir, "f", NULL), E_EXIST);
    ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, dir, "..", NULL), E_EXIST);
    ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, dir, longest, NULL), E_NAMETOOLONG);
    longest[255] = '\0';
    ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, dir, longest, NULL), OK);
    ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, dir, "a/b", NULL), E_INVAL);
    ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, file, "x", NULL), E_NOTDIR);
    ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, 999, "x", NULL), E_CORRUPT);
    ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, 1 << 30, "x", NULL), E_NOENT);
    ck_assert_int_eq(none_rig_remove(&rig, VFS_UNLINK, ROOT, "d"), E_ISDIR);
    ck_assert_int_eq(none_rig_remove(&rig, VFS_RMDIR, dir, "f"), E_NOTDIR);
    ck_assert_int_eq(none_rig_remove(&rig, VFS_RMDIR, ROOT, "d"), E_NOTEMPTY);
    ck_assert_int_eq(none_rig_remove(&rig, VFS_UNLINK, dir, "g"), E_NOENT);
    ck_assert_int_eq(none_rig_rename(&rig, ROOT, "d", dir, "e"), E_ARG);
    ck_assert_int_eq(none_rig_rename(&rig, dir, "f", ROOT, "shared"), E_ISDIR);
    ck_assert_int_eq(none_rig_rename(&rig, ROOT, "shared", dir, "f"), E_NOTDIR);
    ck_assert_int_eq(none_rig_plain(&rig, VFS_BEGIN, 0, 0), E_NOTSUP);
    ck_assert_int_eq(none_rig_remove(&rig, VFS_UNLINK, dir, "f"), OK);
    ck_assert_int_eq(none_rig_remove(&rig, VFS_UNLINK, dir, longest), OK);
    ck_assert_int_eq(none_rig_remove(&rig, VFS_RMDIR, ROOT, "d"), OK);
    none_rig_expect_sound(&rig);
}
END_TEST

START_TEST(test_names__many_entries_survive_a_remount_in_one_directory)
{
    char name[32];
    uint64_t dir;
    ck_assert_int_eq(none_rig_make(&rig, VFS_MKDIR, ROOT, "d", &dir), OK);
    for (uint32_t i = 0; i < 3000; i++) {
        snprintf(name, sizeof(name), "file-%u", i);
        ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, dir, name, NULL), OK);
    }
    for (uint32_t i = 0; i < 3000; i += 3) {
        snprintf(name, sizeof(name), "file-%u", i);
        ck_assert_int_eq(none_rig_remove(&rig, VFS_UNLINK, dir, name), OK);
    }
    uint64_t before = 0;
    ck_assert_int_eq(none_rig_lookup(&rig, ROOT, "d"), OK);
    before = rig.reply.stat.size;
    for (uint32_t i = 0; i < 900; i++) { /* goes where names were removed */
        snprintf(name, sizeof(name), "new-%u", i);
        ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, dir, name, NULL), OK);
    }
    ck_assert_int_eq(none_rig_lookup(&rig, ROOT, "d"), OK);
    ck_assert_uint_eq(rig.reply.stat.size, before);
    none_rig_reboot(&rig, true);
    for (uint32_t i = 0; i < 3000; i++) {
        snprintf(name, sizeof(name), "file-%u", i);
        ck_assert_int_eq(none_rig_lookup(&rig, dir, name), i % 3 == 0 ? E_NOENT : OK);
    }
    none_rig_expect_sound(&rig);
}
END_TEST

START_TEST(test_names__readdir_lists_each_name_once)
{
    char name[32];
    uint8_t seen[500] = {0}, page[700];
    uint64_t cookie = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < 500; i++) {
        snprintf(name, sizeof(name), "%u", i);
        ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, ROOT, name, NULL), OK);
    }
    ck_assert_int_eq(none_rig_remove(&rig, VFS_RMDIR, ROOT, "shared"), OK);
    do {
        struct vfs_request request = {
            .op = VFS_READDIR, .ino = ROOT, .offset = cookie, .length = sizeof(page)};
        ck_assert_int_eq(
            none_rig_call(&rig, &request, NULL, NULL, page, sizeof(page), PLAT_GRANT_WRITE), OK);
        cookie = rig.reply.size;
        for (uint32_t at = 0; at < rig.reply.moved; count++) {
            struct vfs_dirent entry;
            vfs_dirent_decode(&entry, page + at);
            unsigned number = 0;
            memcpy(name, page + at + VFS_DIRENT_BYTES, entry.name_bytes);
            name[entry.name_bytes] = '\0';
            ck_assert_int_eq(sscanf(name, "%u", &number), 1);
            ck_assert_uint_lt(number, 500);
            ck_assert_uint_eq(seen[number]++, 0);
            at += VFS_DIRENT_BYTES + entry.name_bytes;
        }
    } while (cookie != 0);
    ck_assert_uint_eq(count, 500);
}
END_TEST

START_TEST(test_names__rename_replaces_and_moves)
{
    uint64_t a, b, sub, f, g;
    ck_assert_int_eq(none_rig_make(&rig, VFS_MKDIR, ROOT, "a", &a), OK);
    ck_assert_int_eq(none_rig_make(&rig, VFS_MKDIR, ROOT, "b", &b), OK);
    ck_assert_int_eq(none_rig_make(&rig, VFS_MKDIR, a, "sub", &sub), OK);
    ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, sub, "f", &f), OK);
    ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, b, "g", &g), OK);
    ck_assert_int_eq(none_rig_rename(&rig, sub, "f", b, "g"), OK); /* over g */
    ck_assert_int_eq(none_rig_lookup(&rig, b, "g"), OK);
    ck_assert_uint_eq(rig.reply.stat.ino, f);
    ck_assert_int_eq(none_rig_rename(&rig, a, "sub", b, "moved"), OK);
    ck_assert_int_eq(none_rig_lookup(&rig, sub, ".."), OK);
    ck_assert_uint_eq(rig.reply.stat.ino, b);
    ck_assert_uint_eq(rig.reply.stat.nlink, 3);
    ck_assert_int_eq(none_rig_rename(&rig, b, "g", b, "g"), OK);
    ck_assert_int_eq(none_rig_rename(&rig, b, "moved", ROOT, "a"), OK); /* over an empty one */
    ck_assert_int_eq(none_rig_lookup(&rig, ROOT, "a"), OK);
    ck_assert_uint_eq(rig.reply.stat.ino, sub);
    ck_assert_int_eq(none_rig_lookup(&rig, ROOT, "."), OK);
    ck_assert_uint_eq(rig.reply.stat.nlink, 5); /* a, b, shared */
    none_rig_expect_sound(&rig);
}
END_TEST

START_TEST(test_names__links_symlinks_and_attributes_survive_a_remount)
{
    uint64_t f;
    char text[200], back[200];
    uint64_t inode_of_link;
    memset(text, 't', sizeof(text));
    ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, ROOT, "f", &f), OK);
    struct vfs_request link = {.op = VFS_LINK, .ino = ROOT, .ino2 = f};
    ck_assert_int_eq(none_rig_call(&rig, &link, "g", NULL, NULL, 0, 0), OK);
    ck_assert_uint_eq(rig.reply.stat.nlink, 2);
    for (uint32_t bytes = 100; bytes <= 200; bytes += 100) { /* inline, and in a block */
        struct vfs_request symlink = {.op = VFS_SYMLINK, .ino = ROOT, .length = bytes};
        ck_assert_int_eq(none_rig_call(&rig, &symlink, bytes == 100 ? "s" : "t", NULL, text, bytes,
                                       PLAT_GRANT_READ),
                         OK);
    }
    struct vfs_request set = {.op = VFS_SETATTR,
                              .ino = f,
                              .which = VFS_SET_MODE | VFS_SET_OWNER | VFS_SET_MTIME,
                              .mode = 0600,
                              .uid = 7,
                              .gid = 8,
                              .mtime_ns = 9};
    ck_assert_int_eq(none_rig_call(&rig, &set, NULL, NULL, NULL, 0, 0), OK);
    none_rig_reboot(&rig, true);
    ck_assert_int_eq(none_rig_lookup(&rig, ROOT, "g"), OK);
    ck_assert_uint_eq(rig.reply.stat.ino, f);
    ck_assert_uint_eq(rig.reply.stat.mode, 0600);
    ck_assert_uint_eq(rig.reply.stat.uid, 7);
    ck_assert_uint_eq(rig.reply.stat.gid, 8);
    ck_assert_uint_eq(rig.reply.stat.mtime_ns, 9);
    for (uint32_t bytes = 100; bytes <= 200; bytes += 100) {
        ck_assert_int_eq(none_rig_lookup(&rig, ROOT, bytes == 100 ? "s" : "t"), OK);
        inode_of_link = rig.reply.stat.ino;
        ck_assert_uint_eq(rig.reply.stat.size, bytes);
        struct vfs_request read = {.op = VFS_READLINK, .ino = inode_of_link, .length = 200};
        memset(back, 0, sizeof(back));
        ck_assert_int_eq(
            none_rig_call(&rig, &read, NULL, NULL, back, sizeof(back), PLAT_GRANT_WRITE), OK);
        ck_assert_uint_eq(rig.reply.moved, bytes);
        ck_assert_int_eq(memcmp(back, text, bytes), 0);
    }
    ck_assert_int_eq(none_rig_remove(&rig, VFS_UNLINK, ROOT, "f"), OK);
    ck_assert_int_eq(none_rig_remove(&rig, VFS_UNLINK, ROOT, "s"), OK);
    ck_assert_int_eq(none_rig_remove(&rig, VFS_UNLINK, ROOT, "t"), OK);
    none_rig_expect_sound(&rig);
}
END_TEST

START_TEST(test_names__unlinked_but_open_lives_until_release)
{
    uint64_t f, moved, free_before;
    char back[4];
    ck_assert_int_eq(none_rig_plain(&rig, VFS_STATFS, 0, 0), OK);
    free_before = rig.reply.stat.blocks;
    ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, ROOT, "f", &f), OK);
    ck_assert_int_eq(none_rig_write(&rig, f, 0, "abcd", 4), OK);
    struct vfs_request unlink = {.op = VFS_UNLINK, .ino = ROOT, .flags = VFS_OPEN, .ino2 = f};
    ck_assert_int_eq(none_rig_call(&rig, &unlink, "f", NULL, NULL, 0, 0), OK);
    ck_assert_int_eq(none_rig_lookup(&rig, ROOT, "f"), E_NOENT);
    ck_assert_int_eq(none_rig_read(&rig, f, 0, back, 4, &moved), OK);
    ck_assert_int_eq(memcmp(back, "abcd", 4), 0);
    ck_assert_int_eq(none_rig_plain(&rig, VFS_RELEASE, f, 0), OK);
    ck_assert_int_eq(none_rig_plain(&rig, VFS_STAT, f, 0), E_NOENT);
    ck_assert_int_eq(none_rig_plain(&rig, VFS_STATFS, 0, 0), OK);
    ck_assert_uint_eq(rig.reply.stat.blocks, free_before);
    none_rig_expect_sound(&rig);
}
END_TEST

CHECK_MAIN("none names", 60, tcase_add_checked_fixture(tc, setup, teardown);
           tcase_add_test(tc, test_names__format_has_root_and_shared);
           tcase_add_test(tc, test_names__errors_of_the_name_space);
           tcase_add_test(tc, test_names__many_entries_survive_a_remount_in_one_directory);
           tcase_add_test(tc, test_names__readdir_lists_each_name_once);
           tcase_add_test(tc, test_names__rename_replaces_and_moves);
           tcase_add_test(tc, test_names__links_symlinks_and_attributes_survive_a_remount);
           tcase_add_test(tc, test_names__unlinked_but_open_lives_until_release);)
