/* The VFS over a tree in memory: walks, links, descriptors, errors, deaths of the server. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "scripts/check_main.h"
#include "stack/tests/fake_platform.h"
#include "stack/tests/loris/vfs/vfs_rig.h"

#define REQUESTS_MAX 200u /* a loop over places of death that never ends proves nothing */

/* ---- Walks -------------------------------------------------------------------------------------
 */

START_TEST(test_vfs__walks_components_slashes_and_dots)
{
    rig_make(CALL_MKDIR, "a");
    rig_make(CALL_MKDIR, "a/b");
    rig_make_file("a/b/f");
    uint64_t a = rig_ino_of("a"), b = rig_ino_of("a/b"), f = rig_ino_of("a/b/f");
    ck_assert_uint_eq(rig_ino_of("/a/b/f"), f);
    ck_assert_uint_eq(rig_ino_of("//a///b//f"), f);
    ck_assert_uint_eq(rig_ino_of("a/./b/../b/f"), f);
    ck_assert_uint_eq(rig_ino_of("a/b/.."), a);
    ck_assert_uint_eq(rig_ino_of("a/b/."), b);
    ck_assert_uint_eq(rig_ino_of("../../a"), a);
    ck_assert_uint_eq(rig_ino_of("/"), TREE_ROOT);
    ck_assert_uint_eq(rig_ino_of("."), TREE_ROOT);
    ck_assert_uint_eq(rig_ino_of(".."), TREE_ROOT);
    ck_assert_int_eq(rig_call(CALL_STAT, "a/x", NULL), E_NOENT);
    ck_assert_int_eq(rig_call(CALL_STAT, "a/x/y", NULL), E_NOENT);
    ck_assert_int_eq(rig_call(CALL_STAT, "a/b/f/g", NULL), E_NOTDIR);
    ck_assert_int_eq(rig_call(CALL_MKDIR, "a/b/f/g", NULL), E_NOTDIR);
}
END_TEST

/* How many requests it takes the VFS to find out what the path leads to, and that. */
static uint32_t lookups(const char *path, enum err want)
{
    tree_forget_log();
    ck_assert_int_eq(rig_call(CALL_STAT, path, NULL), want);
    return tree_count(VFS_LOOKUP);
}

START_TEST(test_vfs__names_behind_each_other_are_one_request)
{
    rig_start();
    rig_make(CALL_MKDIR, "a");
    rig_make(CALL_MKDIR, "a/b");
    rig_make(CALL_MKDIR, "a/b/c");
    rig_make_file("a/b/c/f");
    ck_assert_int_eq(rig_call(CALL_SYMLINK, "/a/b", "a/l"), OK);
    uint64_t f = rig_ino_of("a/b/c/f");
    ck_assert_uint_eq(lookups("a/b/c/f", OK), 1);
    ck_assert_uint_eq(rig_reply.stat.ino, f);
    ck_assert_uint_eq(lookups("//a//b/c///f", OK), 1);
    ck_assert_uint_eq(lookups("a/b/../b/c/f", OK), 3);
    ck_assert_uint_eq(rig_reply.stat.ino, f);
    ck_assert_uint_eq(lookups("a/l/c/f", OK), 2);
    ck_assert_uint_eq(rig_reply.stat.ino, f);
    ck_assert_uint_eq(lookups("a/b/c/f/g", E_NOTDIR), 1);
    ck_assert_uint_eq(lookups("a/b/c/f/", E_NOTDIR), 1);
    ck_assert_uint_eq(lookups("a/x/c/f", E_NOENT), 1);
    ck_assert_uint_eq(lookups("a/b/c/x", E_NOENT), 1);
    tree_forget_log();
    rig_make_file("a/b/c/x"); /* where the walk ended */
    ck_assert_uint_eq(rig_ino_of("a/b/c/x"), f + 2);
}
END_TEST

START_TEST(test_vfs__a_walk_that_ends_where_no_name_does_is_an_error)
{
    rig_start();
    rig_make(CALL_MKDIR, "dir");
    rig_make_file("dir/file");
    for (uint64_t moved = 1; moved < 20; moved++) {
        tree_stray(moved);
        enum err want = moved == 3 ? E_NOTDIR : moved == 8 ? OK : E_IO; /* 3: dir is a file */
        ck_assert_int_eq(rig_call(CALL_STAT, "dir/file", NULL), want);
    }
    tree_stray(0);
    ck_assert_int_eq(rig_call(CALL_STAT, "dir/file", NULL), OK);
}
END_TEST

START_TEST(test_vfs__refuses_paths_that_are_empty_long_or_have_a_nul)
{
    char path[VFS_PATH_MAX + 2] = {0}, name[VFS_NAME_MAX + 2] = {0};
    memset(name, 'n', VFS_NAME_MAX);
    rig_make_file(name);
    memset(name, 'n', VFS_NAME_MAX + 1);
    ck_assert_int_eq(rig_call(CALL_MKDIR, name, NULL), E_NAMETOOLONG);
    for (uint32_t k = 0; k < VFS_PATH_MAX; k++)
        path[k] = k % 2 == 0 ? '.' : '/';
    ck_assert_uint_eq(rig_ino_of(path), TREE_ROOT);
    path[VFS_PATH_MAX] = '.';
    ck_assert_int_eq(rig_call(CALL_STAT, path, NULL), E_NAMETOOLONG);
    ck_assert_int_eq(rig_call(CALL_MKDIR, "", NULL), E_NOENT);
    struct call_request r = {.op = CALL_MKDIR, .path_bytes = 3};
    char with_nul[] = {'a', '\0', 'b'};
    r.path_grant = fake_grant(rig_app, with_nul, 3, PLAT_GRANT_READ);
    ck_assert_int_eq(rig_call_of(rig_app, r, NULL, NULL, NULL, 0), E_ARG);
    r.path_grant = 9999; /* no such grant */
    ck_assert_int_eq(rig_call_of(rig_app, r, NULL, NULL, NULL, 0), E_ARG);
}
END_TEST

START_TEST(test_vfs__working_directories_are_each_clients_own)
{
    uint32_t other = fake_client(LAYER_APP, 1);
    rig_make(CALL_MKDIR, "a");
    rig_make_file("a/f");
    uint64_t f = rig_ino_of("a/f");
    rig_make(CALL_CHDIR, "a");
    ck_assert_uint_eq(rig_ino_of("f"), f);
    ck_assert_uint_eq(rig_ino_of("/a/f"), f);
    ck_assert_uint_eq(rig_ino_of("../a/f"), f);
    ck_assert_int_eq(rig_call(CALL_CHDIR, "f", NULL), E_NOTDIR);
    ck_assert_int_eq(rig_call_of(other, (struct call_request){.op = CALL_STAT}, "f", NULL, NULL, 0),
                     E_NOENT);
    ck_assert_int_eq(
        rig_call_of(other, (struct call_request){.op = CALL_STAT}, "a/f", NULL, NULL, 0), OK);
}
END_TEST

START_TEST(test_vfs__symbolic_links_relative_absolute_and_nested)
{
    rig_make(CALL_MKDIR, "d");
    rig_make(CALL_MKDIR, "d/e");
    rig_make_file("d/e/f");
    uint64_t f = rig_ino_of("d/e/f");
    ck_assert_int_eq(rig_call(CALL_SYMLINK, "e/f", "d/relative"), OK);
    ck_assert_int_eq(rig_call(CALL_SYMLINK, "/d/e", "d/absolute"), OK);
    ck_assert_int_eq(rig_call(CALL_SYMLINK, "d/absolute", "nested"), OK);
    ck_assert_int_eq(rig_call(CALL_SYMLINK, "../d/./relative", "d/up"), OK);
    ck_assert_int_eq(rig_on_fd(CALL_CLOSE, rig_must_open("d/relative", 0)), OK);
    ck_assert_uint_eq(rig_reply.stat.ino, 0);
    static const char *const ways[] = {"d/relative", "d/absolute/f", "nested/f", "d/up",
                                       "nested/../relative"};
    for (uint32_t k = 0; k < 5; k++) {
        (void)rig_must_open(ways[k], 0);
        ck_assert_uint_eq(rig_reply.stat.ino, f);
    }
    ck_assert_int_eq(rig_call(CALL_STAT, "d/relative", NULL), OK); /* the last is not followed */
    ck_assert_uint_eq(rig_reply.stat.type, VFS_LINK_TYPE);
    ck_assert_int_eq(rig_call(CALL_CHMOD, "nested/f", NULL), OK);
    ck_assert_uint_eq(tree_node(f)->mode, 0644);
    char text[16] = {0};
    ck_assert_int_eq(rig_call_of(rig_app, (struct call_request){.op = CALL_READLINK}, "d/relative",
                                 NULL, text, sizeof(text)),
                     OK);
    ck_assert_uint_eq(rig_reply.moved, 3);
    ck_assert_str_eq(text, "e/f");
    ck_assert_int_eq(
        rig_call_of(rig_app, (struct call_request){.op = CALL_READLINK}, "d/e/f", NULL, text, 16),
        E_ARG);
    rig_make(CALL_UNLINK, "d/relative");
    ck_assert_int_eq(rig_call(CALL_STAT, "d/e/f", NULL), OK);
}
END_TEST

START_TEST(test_vfs__links_that_lead_nowhere_or_round)
{
    int32_t fd;
    ck_assert_int_eq(rig_call(CALL_SYMLINK, "b", "a"), OK);
    ck_assert_int_eq(rig_call(CALL_SYMLINK, "a", "b"), OK);
    ck_assert_int_eq(rig_open_as(rig_app, "a", 0, &fd), E_LOOP);
    ck_assert_int_eq(rig_call(CALL_STAT, "a/x", NULL), E_LOOP);
    ck_assert_int_eq(rig_call(CALL_SYMLINK, "gone", "dangling"), OK);
    ck_assert_int_eq(rig_open_as(rig_app, "dangling", 0, &fd), E_NOENT);
    ck_assert_int_eq(rig_open_as(rig_app, "dangling", CALL_CREATE, &fd),
                     OK); /* makes what it names */
    ck_assert_uint_eq(rig_ino_of("gone"), rig_reply.stat.ino);
    ck_assert_int_eq(rig_call(CALL_MKDIR, "dangling", NULL), E_EXIST);
}
END_TEST

START_TEST(test_vfs__follows_as_many_links_as_it_says_and_no_more)
{
    char from[8], to[8];
    int32_t fd;
    rig_make_file("l0");
    for (uint32_t k = 1; k <= VFS_SYMLINKS_MAX + 1; k++) {
        (void)snprintf(from, sizeof(from), "l%u", k - 1);
        (void)snprintf(to, sizeof(to), "l%u", k);
        ck_assert_int_eq(rig_call(CALL_SYMLINK, from, to), OK);
        ck_assert_int_eq(rig_open_as(rig_app, to, 0, &fd), k <= VFS_SYMLINKS_MAX ? OK : E_LOOP);
    }
}
END_TEST

START_TEST(test_vfs__a_link_whose_path_grows_too_long_is_refused)
{
    static char target[VFS_PATH_MAX], path[VFS_PATH_MAX];
    for (uint32_t k = 0; k < 3000; k++)
        target[k] = path[k] = k % 2 == 0 ? '.' : '/';
    ck_assert_int_eq(rig_call(CALL_SYMLINK, target, "l"), OK);
    ck_assert_uint_eq(rig_ino_of("l/."), TREE_ROOT);
    memcpy(path, "l/", 2);
    ck_assert_int_eq(rig_call(CALL_STAT, path, NULL), E_NAMETOOLONG);
    tree_lie(UINT64_MAX); /* a server that claims more than the buffer can hold */
    ck_assert_int_eq(rig_call(CALL_STAT, "l/.", NULL), E_IO);
}
END_TEST

/* ---- Descriptors -------------------------------------------------------------------------------
 */

START_TEST(test_vfs__cursors_belong_to_the_open_file_and_dup_shares_them)
{
    int32_t fd = rig_must_open("f", CALL_CREATE), other = rig_must_open("f", 0);
    ck_assert_int_eq(rig_transfer(CALL_WRITE, fd, CALL_AT_CURSOR, rig_big, 100), OK);
    ck_assert_int_eq(rig_transfer(CALL_WRITE, fd, CALL_AT_CURSOR, rig_big + 100, 100), OK);
    ck_assert_uint_eq(rig_reply.ino2, 100);
    ck_assert_int_eq(rig_on_fd(CALL_DUP, other), OK);
    int32_t twin = rig_reply.fd;
    ck_assert_int_ne(twin, other);
    ck_assert_int_eq(rig_transfer(CALL_READ, other, CALL_AT_CURSOR, rig_back, 60), OK);
    ck_assert_int_eq(rig_transfer(CALL_READ, twin, CALL_AT_CURSOR, rig_back + 60, 200), OK);
    ck_assert_uint_eq(rig_reply.moved, 140);
    ck_assert_mem_eq(rig_back, rig_big, 200);
    ck_assert_int_eq(rig_transfer(CALL_READ, other, 0, rig_back, 10), OK); /* moves no cursor */
    ck_assert_int_eq(rig_transfer(CALL_READ, other, CALL_AT_CURSOR, rig_back, 10), OK);
    ck_assert_uint_eq(rig_reply.moved, 0);
    ck_assert_int_eq(rig_on_fd(CALL_CLOSE, other), OK);
    ck_assert_int_eq(rig_transfer(CALL_READ, twin, 0, rig_back, 10), OK);
    ck_assert_int_eq(rig_transfer(CALL_READ, other, 0, rig_back, 10), E_BADF);
}
END_TEST

START_TEST(test_vfs__appends_go_to_the_end_and_the_cursor_follows)
{
    int32_t fd = rig_must_open("f", CALL_CREATE), appends = rig_must_open("f", CALL_APPEND);
    ck_assert_int_eq(rig_transfer(CALL_WRITE, fd, 0, rig_big, 300), OK);
    ck_assert_int_eq(rig_transfer(CALL_WRITE, appends, CALL_AT_CURSOR, rig_big, 50), OK);
    ck_assert_uint_eq(rig_reply.ino2, 300);
    ck_assert_int_eq(rig_transfer(CALL_READ, appends, CALL_AT_CURSOR, rig_back, 50), OK);
    ck_assert_uint_eq(rig_reply.moved, 0); /* behind what it wrote, not at 50 */
    ck_assert_int_eq(rig_transfer(CALL_WRITE, appends, 7, rig_big, 50), OK);
    ck_assert_uint_eq(rig_reply.ino2, 350);
    ck_assert_uint_eq(tree_node(rig_ino_of("f"))->size, 400);
}
END_TEST

START_TEST(test_vfs__open_flags_mean_what_they_say)
{
    int32_t fd = rig_must_open("f", CALL_CREATE | CALL_EXCLUSIVE);
    ck_assert_int_eq(rig_transfer(CALL_WRITE, fd, 0, rig_big, 300), OK);
    rig_make(CALL_MKDIR, "d");
    ck_assert_int_eq(rig_open_as(rig_app, "f", CALL_CREATE | CALL_EXCLUSIVE, &fd), E_EXIST);
    ck_assert_int_eq(rig_open_as(rig_app, "g", 0, &fd), E_NOENT);
    ck_assert_int_eq(rig_open_as(rig_app, "f", CALL_DIRECTORY, &fd), E_NOTDIR);
    ck_assert_int_eq(rig_open_as(rig_app, "d", CALL_TRUNC, &fd), E_ISDIR);
    int32_t d = rig_must_open("d", CALL_DIRECTORY), reads = rig_must_open("f", CALL_READ_ONLY);
    ck_assert_int_eq(rig_transfer(CALL_READ, d, 0, rig_back, 10), E_ISDIR);
    ck_assert_int_eq(rig_transfer(CALL_WRITE, reads, 0, rig_big, 10), E_BADF);
    ck_assert_int_eq(rig_on_fd(CALL_TRUNCATE, reads), E_BADF);
    ck_assert_int_eq(rig_on_fd(CALL_READDIR, reads), E_NOTDIR);
    ck_assert_int_eq(rig_transfer(CALL_READDIR, d, 0, rig_big, sizeof(rig_big)),
                     OK); /* more than a piece */
    ck_assert_uint_eq(rig_reply.size, 77);
    (void)rig_must_open("f", CALL_TRUNC);
    ck_assert_uint_eq(tree_node(rig_ino_of("f"))->size, 0);
    ck_assert_int_eq(rig_on_fd(CALL_READ, 200), E_BADF);
    ck_assert_int_eq(rig_on_fd(CALL_READ, -5), E_BADF);
    ck_assert_int_eq(rig_on_fd(CALL_READ, INT32_MAX), E_BADF);
}
END_TEST

START_TEST(test_vfs__descriptors_are_their_owners)
{
    int32_t fd = rig_must_open("f", CALL_CREATE);
    uint32_t other = fake_client(LAYER_APP, 1);
    struct call_request r = {.op = CALL_FSYNC, .fd = fd};
    ck_assert_int_eq(rig_call_of(other, r, NULL, NULL, NULL, 0), E_BADF);
    r.op = CALL_LOCK;
    ck_assert_int_eq(rig_call_of(rig_app, r, NULL, NULL, NULL, 0), OK);
    int32_t theirs;
    ck_assert_int_eq(rig_open_as(other, "f", 0, &theirs), OK);
    r.fd = theirs;
    ck_assert_int_eq(rig_call_of(other, r, NULL, NULL, NULL, 0), E_AGAIN);
    ck_assert_int_eq(rig_on_fd(CALL_CLOSE, fd), OK); /* gives up the lock */
    ck_assert_int_eq(rig_call_of(other, r, NULL, NULL, NULL, 0), OK);
}
END_TEST

START_TEST(test_vfs__when_no_descriptor_is_left_nothing_is_made)
{
    int32_t fd = 0;
    uint32_t open = 0;
    while (rig_open_as(rig_app, "f", CALL_CREATE, &fd) == OK)
        ck_assert_uint_lt(++open, 1000);
    ck_assert_uint_gt(open, 100);
    ck_assert_int_eq(rig_open_as(rig_app, "g", CALL_CREATE, &fd), E_MFILE);
    ck_assert_int_eq(rig_call(CALL_STAT, "g", NULL), E_NOENT);
    uint32_t other = fake_client(LAYER_APP, 1);
    fake_client_die(rig_app);
    rig_app = other;
    (void)rig_must_open("g", CALL_CREATE); /* the dead one's were closed */
}
END_TEST

START_TEST(test_vfs__dead_clients_make_room_and_release_what_they_held)
{
    int32_t fd;
    (void)rig_must_open("f", CALL_CREATE);
    rig_make(CALL_UNLINK, "f"); /* open: it lives on */
    ck_assert_uint_eq(tree_nodes(), 3);
    fake_client_die(rig_app);
    for (uint32_t k = 0; k < 500; k++) { /* far more than there is room for */
        uint32_t client = fake_client(LAYER_APP, 2 + k);
        ck_assert_int_eq(rig_open_as(client, "g", CALL_CREATE, &fd), OK);
        fake_client_die(client);
    }
    ck_assert_uint_eq(tree_count(VFS_RELEASE), 1);
    ck_assert_uint_eq(tree_nodes(), 3); /* the roots and g */
}
END_TEST

START_TEST(test_vfs__unlinked_while_open_is_released_at_the_last_close)
{
    int32_t fd = rig_must_open("f", CALL_CREATE), other = rig_must_open("f", 0);
    ck_assert_int_eq(rig_on_fd(CALL_DUP, fd), OK);
    int32_t twin = rig_reply.fd;
    ck_assert_int_eq(rig_call(CALL_LINK, "f", "g"), OK);
    ck_assert_int_eq(rig_call(CALL_UNLINK, "f", NULL), OK); /* a name is left */
    ck_assert_int_eq(rig_call(CALL_UNLINK, "g", NULL), OK);
    ck_assert_int_eq(rig_transfer(CALL_WRITE, fd, 0, rig_big, 10), OK);
    ck_assert_int_eq(rig_on_fd(CALL_CLOSE, fd), OK);
    ck_assert_int_eq(rig_on_fd(CALL_CLOSE, other), OK);
    ck_assert_uint_eq(tree_count(VFS_RELEASE), 0);
    ck_assert_int_eq(rig_transfer(CALL_READ, twin, 0, rig_back, 10), OK);
    ck_assert_mem_eq(rig_back, rig_big, 10);
    ck_assert_int_eq(rig_on_fd(CALL_CLOSE, twin), OK);
    ck_assert_uint_eq(tree_count(VFS_RELEASE), 1);
    ck_assert_uint_eq(tree_nodes(), 2);
}
END_TEST

START_TEST(test_vfs__what_a_rename_replaces_is_released_when_closed)
{
    int32_t fd = rig_must_open("old", CALL_CREATE);
    rig_make_file("new");
    uint64_t ino = rig_ino_of("new");
    ck_assert_int_eq(rig_call(CALL_RENAME, "new", "old"), OK);
    ck_assert_uint_eq(rig_ino_of("old"), ino);
    ck_assert_uint_eq(tree_nodes(), 4);
    ck_assert_int_eq(rig_on_fd(CALL_CLOSE, fd), OK);
    ck_assert_uint_eq(tree_count(VFS_RELEASE), 1);
    ck_assert_uint_eq(tree_nodes(), 3);
}
END_TEST

START_TEST(test_vfs__large_transfers_are_cut_into_transactions)
{
    const uint64_t bytes = 2 * VFS_IO_MAX + 12345;
    int32_t fd = rig_must_open("f", CALL_CREATE);
    tree_forget_log();
    ck_assert_int_eq(rig_transfer(CALL_WRITE, fd, 777, rig_big, bytes), OK);
    ck_assert_uint_eq(rig_reply.moved, bytes);
    ck_assert_uint_eq(tree_count(VFS_WRITE), 3);
    uint32_t count;
    const struct tree_request *log = tree_log(&count);
    for (uint32_t k = 0; k < count; k++)
        ck_assert_uint_eq(log[k].request.offset, 777 + k * VFS_IO_MAX);
    ck_assert_int_eq(rig_transfer(CALL_READ, fd, 777, rig_back, bytes), OK);
    ck_assert_uint_eq(rig_reply.moved, bytes);
    ck_assert_mem_eq(rig_back, rig_big, bytes);
    ck_assert_int_eq(rig_transfer(CALL_READ, fd, 777 + VFS_IO_MAX, rig_back, 3 * VFS_IO_MAX), OK);
    ck_assert_uint_eq(rig_reply.moved, bytes - VFS_IO_MAX); /* short at the end */
}
END_TEST

/* ---- The shared tree ---------------------------------------------------------------------------
 */

START_TEST(test_vfs__the_shared_tree_is_mounted_and_cannot_be_left_by_links_or_moved)
{
    rig_make_file("f");
    rig_make(CALL_MKDIR, "d");
    rig_make_file("shared/s");
    ck_assert_uint_eq(rig_ino_of("shared"), TREE_SHARED);
    ck_assert_uint_eq(rig_ino_of("shared/.."), TREE_ROOT);
    ck_assert_uint_eq(rig_ino_of("shared/../shared/s"), rig_ino_of("shared/s"));
    ck_assert_int_eq(rig_call(CALL_STAT, "d/shared", NULL), E_NOENT); /* in the root alone */
    ck_assert_int_eq(rig_call(CALL_RENAME, "f", "shared/f"), E_XDEV);
    ck_assert_int_eq(rig_call(CALL_RENAME, "shared/s", "s"), E_XDEV);
    ck_assert_int_eq(rig_call(CALL_LINK, "f", "shared/f"), E_XDEV);
    ck_assert_int_eq(rig_call(CALL_LINK, "shared/s", "s"), E_XDEV);
    ck_assert_int_eq(rig_call(CALL_RENAME, "shared/s", "shared/t"), OK);
    ck_assert_int_eq(rig_call(CALL_RENAME, "shared", "x"), E_BUSY);
    ck_assert_int_eq(rig_call(CALL_RENAME, "d", "shared"), E_BUSY);
    ck_assert_int_eq(rig_call(CALL_RMDIR, "shared", NULL), E_BUSY);
    ck_assert_int_eq(rig_call(CALL_RMDIR, "d/.", NULL), E_ARG);
    ck_assert_int_eq(rig_call(CALL_RMDIR, "/", NULL), E_BUSY);
    ck_assert_int_eq(rig_call(CALL_MKDIR, "shared", NULL), E_EXIST);
    ck_assert_int_eq(rig_call(CALL_LINK, "d", "e"), E_PERM);
    ck_assert_int_eq(rig_call(CALL_SYMLINK, "../f", "shared/link"), OK);
    ck_assert_int_eq(rig_on_fd(CALL_CLOSE, rig_must_open("shared/link", 0)), OK);
}
END_TEST

/* ---- Errors and deaths -------------------------------------------------------------------------
 */

START_TEST(test_vfs__a_sick_disk_is_an_io_error_to_applications)
{
    static const struct {
        enum err below, above;
    } rows[] = {{E_MEDIA, E_IO},   {E_CORRUPT, E_IO},  {E_LOST, E_IO},  {E_VERSION, E_IO},
                {E_FULL, E_NOSPC}, {E_INVAL, E_ARG},   {E_DEAD, E_IO},  {E_NOENT, E_NOENT},
                {E_IO, E_IO},      {E_MLINK, E_MLINK}, {E_ROFS, E_ROFS}};
    int32_t fd = rig_must_open("f", CALL_CREATE);
    for (uint32_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
        tree_fail(VFS_FSYNC, rows[k].below, 1);
        ck_assert_int_eq(rig_on_fd(CALL_FSYNC, fd), rows[k].above);
        ck_assert_int_eq(rig_on_fd(CALL_FSYNC, fd), OK);
    }
}
END_TEST

START_TEST(test_vfs__part_of_a_transfer_counts_and_the_next_call_meets_the_error)
{
    int32_t fd = rig_must_open("f", CALL_CREATE);
    ck_assert_int_eq(
        rig_transfer(CALL_WRITE, fd, TREE_FILE_BYTES - VFS_IO_MAX, rig_big, 2 * VFS_IO_MAX), OK);
    ck_assert_uint_eq(rig_reply.moved, VFS_IO_MAX);
    ck_assert_int_eq(rig_transfer(CALL_WRITE, fd, TREE_FILE_BYTES, rig_big, VFS_IO_MAX), E_NOSPC);
    tree_lie(1u << 30);
    ck_assert_int_eq(rig_transfer(CALL_READ, fd, 0, rig_back, 100),
                     E_IO); /* moved more than was asked */
}
END_TEST

START_TEST(test_vfs__one_that_gives_way_is_asked_again_as_another)
{
    tree_fail(VFS_MKDIR, E_AGAIN, 3);
    tree_forget_log();
    rig_make(CALL_MKDIR, "d");
    uint32_t count;
    const struct tree_request *log = tree_log(&count);
    ck_assert_uint_eq(tree_count(VFS_MKDIR), 4);
    for (uint32_t k = 1; k < count; k++) {
        ck_assert_uint_eq(log[k].request.sequence, log[k - 1].request.sequence + 1);
        ck_assert_uint_eq(log[k].request.attempt, 1);
    }
    tree_fail(VFS_MKDIR, E_AGAIN, UINT32_MAX);
    ck_assert_int_eq(rig_call(CALL_MKDIR, "e", NULL), E_BUSY); /* not for ever */
}
END_TEST

/* Everything that changes something, once; each must be answered and leave the same tree. */
static void script(void)
{
    int32_t fd = rig_must_open("a", CALL_CREATE | CALL_EXCLUSIVE);
    rig_make(CALL_MKDIR, "d");
    ck_assert_int_eq(rig_transfer(CALL_WRITE, fd, CALL_AT_CURSOR, rig_big, VFS_IO_MAX + 500), OK);
    ck_assert_uint_eq(rig_reply.moved, VFS_IO_MAX + 500);
    ck_assert_int_eq(rig_call(CALL_SYMLINK, "/d", "l"), OK);
    ck_assert_int_eq(rig_call(CALL_LINK, "a", "l/b"), OK);
    ck_assert_int_eq(rig_call(CALL_RENAME, "a", "d/c"), OK);
    int32_t appends = rig_must_open("d/c", CALL_APPEND);
    ck_assert_int_eq(rig_transfer(CALL_WRITE, appends, 0, rig_big, 9), OK);
    ck_assert_uint_eq(rig_reply.ino2, VFS_IO_MAX + 500);
    ck_assert_int_eq(rig_call(CALL_CHMOD, "d/b", NULL), OK);
    ck_assert_int_eq(rig_on_fd(CALL_FSYNC, fd), OK);
    ck_assert_int_eq(rig_call(CALL_UNLINK, "d/b", NULL), OK);
    ck_assert_int_eq(rig_call(CALL_UNLINK, "d/c", NULL), OK);
    ck_assert_int_eq(rig_transfer(CALL_READ, fd, 0, rig_back, VFS_IO_MAX + 509), OK);
    ck_assert_uint_eq(rig_reply.moved, VFS_IO_MAX + 509);
    ck_assert_mem_eq(rig_back, rig_big, VFS_IO_MAX + 500);
    ck_assert_mem_eq(rig_back + VFS_IO_MAX + 500, rig_big, 9);
    ck_assert_int_eq(rig_on_fd(CALL_CLOSE, fd), OK);
    ck_assert_int_eq(rig_on_fd(CALL_CLOSE, appends), OK);
    rig_make(CALL_RMDIR, "d");
    ck_assert_int_eq(rig_call(CALL_SYNC, NULL, NULL), OK);
    ck_assert_int_eq(rig_call(CALL_STATFS, NULL, NULL), OK);
    ck_assert_uint_eq(rig_reply.size, 500);
    ck_assert_uint_eq(rig_reply.ino2, 400);
    ck_assert_int_eq(rig_call(CALL_UNMOUNT, NULL, NULL), OK);
    ck_assert_uint_eq(tree_nodes(), 3); /* the roots and the link */
}

/* The request after the one that died is that one, one attempt later. */
static void check_retry(uint32_t at)
{
    uint32_t count;
    const struct tree_request *log = tree_log(&count);
    struct vfs_request first = log[at].request, next = log[at + 1].request;
    ck_assert_uint_lt(at + 1, count);
    ck_assert_uint_eq(first.attempt, 1);
    ck_assert_uint_eq(next.attempt, 2);
    ck_assert_uint_eq(next.sequence, first.sequence);
    ck_assert_int_eq(next.op, first.op);
    ck_assert_uint_eq(next.ino, first.ino);
    ck_assert_uint_eq(next.offset, first.offset);
    ck_assert_uint_eq(next.length, first.length);
    ck_assert_uint_eq(next.flags, first.flags);
}

START_TEST(test_vfs__the_server_may_die_at_every_request)
{
    for (uint32_t after = 0; after < 2; after++) {
        uint32_t count = 0;
        for (uint32_t n = 1;; n++) {
            rig_start();
            tree_forget_log();
            tree_die_at(n, after == 1);
            script();
            (void)tree_log(&count);
            if (n > count)
                break; /* there is none left to die at */
            check_retry(n - 1);
            ck_assert_uint_lt(n, REQUESTS_MAX);
        }
        ck_assert_uint_gt(count, 30);
    }
}
END_TEST

START_TEST(test_vfs__numbers_grow_and_name_the_generation)
{
    uint64_t before = 0;
    uint32_t count;
    for (uint32_t incarnation = 1; incarnation < 3; incarnation++) {
        fake_kill_layer();
        tree_forget_log();
        rig_start_as(0, incarnation);
        rig_app = fake_client(LAYER_APP, 0);
        rig_make(CALL_MKDIR, incarnation == 1 ? "a" : "b");
        const struct tree_request *log = tree_log(&count);
        ck_assert_int_eq(log[0].request.op, VFS_MOUNT);
        for (uint32_t k = 0; k < count; k++) {
            ck_assert_uint_eq(log[k].request.generation, incarnation + 1);
            ck_assert_uint_eq(log[k].request.environment, 0);
            ck_assert(k == 0 || log[k].request.sequence > before);
            before = log[k].request.sequence;
        }
    }
}
END_TEST

START_TEST(test_vfs__v3_an_error_of_fsync_is_told_once_to_each_handle)
{
    rig_make_file("f");
    rig_make_file("g");
    int32_t a = rig_must_open("f", 0), b = rig_must_open("f", 0), g = rig_must_open("g", 0);
    ck_assert_int_eq(rig_on_fd(CALL_DUP, a), OK);
    int32_t same = rig_reply.fd;
    tree_fail(VFS_FSYNC, E_LOST, 1);
    ck_assert_int_eq(rig_on_fd(CALL_FSYNC, a), E_IO);
    int32_t later = rig_must_open("f", 0);
    ck_assert_int_eq(rig_on_fd(CALL_FSYNC, a), OK);
    ck_assert_int_eq(rig_on_fd(CALL_FSYNC, same), OK); /* the same handle */
    ck_assert_int_eq(rig_on_fd(CALL_FSYNC, later), OK);
    ck_assert_int_eq(rig_on_fd(CALL_FSYNC, g), OK);
    ck_assert_int_eq(rig_on_fd(CALL_FSYNC, b), E_IO); /* its own turn */
    ck_assert_int_eq(rig_on_fd(CALL_FSYNC, b), OK);
    tree_fail(VFS_FSYNC, E_FULL, 1); /* says nothing of lost data */
    ck_assert_int_eq(rig_on_fd(CALL_FSYNC, a), E_NOSPC);
    ck_assert_int_eq(rig_on_fd(CALL_FSYNC, b), OK);
}
END_TEST

START_TEST(test_vfs__v4_a_range_is_allocated_in_transactions_of_a_mebibyte)
{
    uint32_t count;
    rig_make_file("f");
    int32_t fd = rig_must_open("f", 0), reader = rig_must_open("f", CALL_READ_ONLY);
    struct call_request r = {.op = CALL_FALLOCATE,
                             .fd = fd,
                             .flags = CALL_ZERO | CALL_KEEP_SIZE,
                             .offset = 5,
                             .length = 2 * VFS_IO_MAX + 7};
    tree_forget_log();
    ck_assert_int_eq(rig_call_of(rig_app, r, NULL, NULL, NULL, 0), OK);
    const struct tree_request *log = tree_log(&count);
    ck_assert_uint_eq(count, 3);
    uint64_t at = 5;
    for (uint32_t k = 0; k < count; k++) {
        ck_assert_int_eq(log[k].request.op, VFS_FALLOCATE);
        ck_assert_uint_eq(log[k].request.flags, VFS_ZERO | VFS_KEEP_SIZE);
        ck_assert_uint_eq(log[k].request.offset, at);
        ck_assert_uint_eq(log[k].request.length, k < 2 ? VFS_IO_MAX : 7);
        at += log[k].request.length;
    }
    tree_forget_log(); /* a hole ends with the file, which has 4 MiB at most here */
    r.flags = CALL_PUNCH;
    r.length = UINT64_C(1) << 40;
    ck_assert_int_eq(rig_call_of(rig_app, r, NULL, NULL, NULL, 0), OK);
    ck_assert_uint_le(tree_count(VFS_FALLOCATE), 4);
    r.length = 0;
    ck_assert_int_eq(rig_call_of(rig_app, r, NULL, NULL, NULL, 0), E_ARG);
    r.length = 10;
    r.fd = reader;
    ck_assert_int_eq(rig_call_of(rig_app, r, NULL, NULL, NULL, 0), E_BADF);
}
END_TEST

START_TEST(test_vfs__hands_extended_attributes_through)
{
    char value[8] = "value";
    uint32_t count;
    rig_make_file("f");
    struct call_request r = {.op = CALL_SETXATTR, .fd = -1, .flags = CALL_EXCLUSIVE};
    tree_forget_log();
    ck_assert_int_eq(rig_call_of(rig_app, r, "f", "user.a", value, 5), OK);
    const struct tree_request *log = tree_log(&count);
    ck_assert_int_eq(log[count - 1].request.op, VFS_SETXATTR);
    ck_assert_uint_eq(log[count - 1].request.flags, VFS_NEW);
    ck_assert_uint_eq(log[count - 1].request.name_bytes, 6);
    r = (struct call_request){.op = CALL_GETXATTR, .fd = -1};
    memset(value, 0, sizeof(value));
    ck_assert_int_eq(rig_call_of(rig_app, r, "f", "user.a", value, 8), OK);
    ck_assert_uint_eq(rig_reply.moved, 5);
    ck_assert_str_eq(value, "value");
    ck_assert_int_eq(rig_call_of(rig_app, r, "f", "", value, 8), E_ARG);
    ck_assert_int_eq(rig_call_of(rig_app, r, "g", "user.a", value, 8), E_NOENT);
    r.op = CALL_REMOVEXATTR;
    ck_assert_int_eq(rig_call_of(rig_app, r, "f", "user.a", NULL, 0), OK);
    ck_assert_int_eq(rig_call_of(rig_app, r, "f", "user.a", NULL, 0), E_NODATA);
    struct tree_node *node = tree_node(rig_ino_of("f"));
    node->mode = 0400;
    node->uid = 7;
    r = (struct call_request){.op = CALL_SETXATTR, .fd = -1, .caller_uid = 7};
    ck_assert_int_eq(rig_call_of(rig_app, r, "f", "user.a", value, 5), E_ACCES);
    r.op = CALL_GETXATTR;
    r.caller_uid = 8;
    ck_assert_int_eq(rig_call_of(rig_app, r, "f", "user.a", value, 5), E_ACCES);
}
END_TEST

CHECK_MAIN("vfs", 60, {
    tcase_add_checked_fixture(tc, rig_start, NULL);
    tcase_add_test(tc, test_vfs__walks_components_slashes_and_dots);
    tcase_add_test(tc, test_vfs__names_behind_each_other_are_one_request);
    tcase_add_test(tc, test_vfs__a_walk_that_ends_where_no_name_does_is_an_error);
    tcase_add_test(tc, test_vfs__refuses_paths_that_are_empty_long_or_have_a_nul);
    tcase_add_test(tc, test_vfs__working_directories_are_each_clients_own);
    tcase_add_test(tc, test_vfs__symbolic_links_relative_absolute_and_nested);
    tcase_add_test(tc, test_vfs__links_that_lead_nowhere_or_round);
    tcase_add_test(tc, test_vfs__follows_as_many_links_as_it_says_and_no_more);
    tcase_add_test(tc, test_vfs__a_link_whose_path_grows_too_long_is_refused);
    tcase_add_test(tc, test_vfs__cursors_belong_to_the_open_file_and_dup_shares_them);
    tcase_add_test(tc, test_vfs__appends_go_to_the_end_and_the_cursor_follows);
    tcase_add_test(tc, test_vfs__open_flags_mean_what_they_say);
    tcase_add_test(tc, test_vfs__descriptors_are_their_owners);
    tcase_add_test(tc, test_vfs__when_no_descriptor_is_left_nothing_is_made);
    tcase_add_test(tc, test_vfs__dead_clients_make_room_and_release_what_they_held);
    tcase_add_test(tc, test_vfs__unlinked_while_open_is_released_at_the_last_close);
    tcase_add_test(tc, test_vfs__what_a_rename_replaces_is_released_when_closed);
    tcase_add_test(tc, test_vfs__large_transfers_are_cut_into_transactions);
    tcase_add_test(tc, test_vfs__the_shared_tree_is_mounted_and_cannot_be_left_by_links_or_moved);
    tcase_add_test(tc, test_vfs__a_sick_disk_is_an_io_error_to_applications);
    tcase_add_test(tc, test_vfs__part_of_a_transfer_counts_and_the_next_call_meets_the_error);
    tcase_add_test(tc, test_vfs__one_that_gives_way_is_asked_again_as_another);
    tcase_add_test(tc, test_vfs__the_server_may_die_at_every_request);
    tcase_add_test(tc, test_vfs__numbers_grow_and_name_the_generation);
    tcase_add_test(tc, test_vfs__v3_an_error_of_fsync_is_told_once_to_each_handle);
    tcase_add_test(tc, test_vfs__v4_a_range_is_allocated_in_transactions_of_a_mebibyte);
    tcase_add_test(tc, test_vfs__hands_extended_attributes_through);
})
