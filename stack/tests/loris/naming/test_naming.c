/* Naming's requests one by one, and what becomes of them when naming, the cache or both die. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scripts/check_main.h"
#include "stack/tests/fake_platform.h"
#include "stack/tests/loris/naming/naming_rig.h"
#include "vfs.h"

#define CALLS_MAX 2000u /* a loop over crash points that never ends proves nothing */

START_TEST(test_naming__makes_finds_and_removes_names)
{
    rig_start();
    struct vfs_stat stat;
    struct vfs_reply reply;
    uint64_t file = rig_make(VFS_CREATE, ROOT, "file");
    uint64_t dir = rig_make(VFS_MKDIR, ROOT, "dir");
    ck_assert_int_eq(rig_lookup(ROOT, "file", &stat), OK);
    ck_assert_uint_eq(stat.ino, file);
    ck_assert_uint_eq(stat.nlink, 1);
    ck_assert_uint_eq(rig_links(ROOT), 3);
    ck_assert_int_eq(rig_lookup(dir, "..", &stat), OK);
    ck_assert_uint_eq(stat.ino, ROOT);
    ck_assert_int_eq(rig_name_op(VFS_CREATE, ROOT, "file", &reply), E_EXIST);
    ck_assert_int_eq(rig_name_op(VFS_UNLINK, ROOT, "dir", &reply), E_ISDIR);
    ck_assert_int_eq(rig_name_op(VFS_RMDIR, ROOT, "file", &reply), E_NOTDIR);
    ck_assert_int_eq(rig_lookup(file, "x", NULL), E_NOTDIR);
    (void)rig_make(VFS_CREATE, dir, "inside");
    ck_assert_int_eq(rig_name_op(VFS_RMDIR, ROOT, "dir", &reply), E_NOTEMPTY);
    ck_assert_int_eq(rig_name_op(VFS_UNLINK, dir, "inside", &reply), OK);
    ck_assert_int_eq(rig_name_op(VFS_RMDIR, ROOT, "dir", &reply), OK);
    ck_assert_int_eq(rig_name_op(VFS_UNLINK, ROOT, "file", &reply), OK);
    ck_assert_int_eq(rig_lookup(ROOT, "file", NULL), E_NOENT);
    ck_assert_uint_eq(rig_links(ROOT), 2);
    ck_assert_uint_eq(fake_cache_objects(), 3); /* two roots and the orphan directory */
}
END_TEST

START_TEST(test_naming__links_count_names_and_the_last_one_frees)
{
    rig_start();
    struct vfs_reply reply;
    uint64_t file = rig_make(VFS_CREATE, ROOT, "a");
    ck_assert_int_eq(rig_two_names(VFS_LINK, ROOT, "b", file, NULL), OK);
    ck_assert_uint_eq(rig_links(file), 2);
    ck_assert_int_eq(rig_two_names(VFS_LINK, ROOT, "b", file, NULL), E_EXIST);
    ck_assert_int_eq(rig_two_names(VFS_LINK, ROOT, "c", ROOT, NULL), E_PERM);
    ck_assert_int_eq(rig_two_names(VFS_RENAME, ROOT, "a", ROOT, "b"),
                     OK); /* one file: nothing happens */
    ck_assert_uint_eq(rig_links(file), 2);
    ck_assert_int_eq(rig_name_op(VFS_UNLINK, ROOT, "a", &reply), OK);
    ck_assert_uint_eq(rig_links(file), 1);
    ck_assert_int_eq(rig_name_op(VFS_UNLINK, ROOT, "b", &reply), OK);
    ck_assert_ptr_null(fake_cache_find(file));
}
END_TEST

START_TEST(test_naming__rename_replaces_moves_and_never_loops)
{
    rig_start();
    struct vfs_stat stat;
    uint64_t a = rig_make(VFS_MKDIR, ROOT, "a"), b = rig_make(VFS_MKDIR, a, "b");
    uint64_t f = rig_make(VFS_CREATE, ROOT, "f"), g = rig_make(VFS_CREATE, b, "g");
    ck_assert_int_eq(rig_two_names(VFS_RENAME, ROOT, "a", b, "x"), E_ARG);
    ck_assert_int_eq(rig_two_names(VFS_RENAME, ROOT, "a", a, "x"), E_ARG);
    ck_assert_int_eq(rig_two_names(VFS_RENAME, ROOT, "f", ROOT, "a"), E_ISDIR);
    ck_assert_int_eq(rig_two_names(VFS_RENAME, ROOT, "a", ROOT, "f"), E_NOTDIR);
    ck_assert_int_eq(rig_two_names(VFS_RENAME, ROOT, "f", b, "g"), OK);
    ck_assert_ptr_null(fake_cache_find(g));
    ck_assert_int_eq(rig_lookup(b, "g", &stat), OK);
    ck_assert_uint_eq(stat.ino, f);
    ck_assert_int_eq(rig_lookup(ROOT, "f", NULL), E_NOENT);
    ck_assert_int_eq(rig_two_names(VFS_RENAME, a, "b", ROOT, "b"), OK);
    ck_assert_uint_eq(rig_links(a), 2);
    ck_assert_uint_eq(rig_links(ROOT), 4);
    ck_assert_int_eq(rig_lookup(b, "..", &stat), OK);
    ck_assert_uint_eq(stat.ino, ROOT);
    ck_assert_int_eq(rig_two_names(VFS_RENAME, ROOT, "b", ROOT, "a"),
                     OK); /* over an empty directory */
    ck_assert_ptr_null(fake_cache_find(a));
    ck_assert_uint_eq(rig_links(ROOT), 3);
}
END_TEST

START_TEST(test_naming__lists_every_name_once_whatever_the_buffer)
{
    rig_start();
    char name[16];
    for (uint32_t i = 0; i < 150; i++) {
        (void)snprintf(name, sizeof(name), "file-%u", i);
        (void)rig_make(VFS_CREATE, ROOT, name);
    }
    for (size_t room = 64; room <= 8192; room *= 2) {
        uint8_t packed[8192];
        bool seen[150] = {false};
        uint64_t cookie = 0;
        uint32_t count = 0;
        do {
            struct vfs_request r = {.op = VFS_READDIR,
                                    .ino = ROOT,
                                    .offset = cookie,
                                    .length = room,
                                    .sequence = ++rig_sequence,
                                    .attempt = 1};
            struct vfs_reply reply;
            enum err e = E_DEAD;
            ck_assert(rig_ask(&r, NULL, NULL, packed, room, &e, &reply));
            ck_assert_int_eq(e, OK);
            for (uint64_t at = 0; at < reply.moved; count++) {
                struct vfs_dirent d;
                vfs_dirent_decode(&d, packed + at);
                at += VFS_DIRENT_BYTES;
                (void)snprintf(name, sizeof(name), "%.*s", (int)d.name_bytes, packed + at);
                at += d.name_bytes;
                uint32_t i = (uint32_t)atoi(name + 5);
                ck_assert_uint_lt(i, 150);
                ck_assert(!seen[i]);
                seen[i] = true;
            }
            cookie = reply.size;
        } while (cookie != 0);
        ck_assert_uint_eq(count, 150);
    }
}
END_TEST

START_TEST(test_naming__keeps_an_open_inode_until_it_is_released)
{
    rig_start();
    uint64_t file = rig_make(VFS_CREATE, ROOT, "f");
    struct vfs_request r = {.op = VFS_UNLINK,
                            .ino = ROOT,
                            .ino2 = file,
                            .flags = VFS_OPEN,
                            .sequence = ++rig_sequence,
                            .attempt = 1};
    struct vfs_reply reply;
    enum err e = E_DEAD;
    ck_assert(rig_ask(&r, "f", NULL, NULL, 0, &e, &reply));
    ck_assert_int_eq(e, OK);
    ck_assert_ptr_nonnull(fake_cache_find(file));
    ck_assert_uint_eq(rig_links(file), 0);
    ck_assert_int_eq(rig_two_names(VFS_LINK, ROOT, "again", file, NULL), E_NOENT);
    r = (struct vfs_request){
        .op = VFS_RELEASE, .ino = file, .sequence = ++rig_sequence, .attempt = 1};
    ck_assert(rig_ask(&r, NULL, NULL, NULL, 0, &e, &reply));
    ck_assert_int_eq(e, OK);
    ck_assert_ptr_null(fake_cache_find(file));
}
END_TEST

START_TEST(test_naming__purges_orphans_when_a_vfs_mounts)
{
    rig_start();
    uint64_t files[3];
    for (uint32_t i = 0; i < 3; i++) {
        char name[2] = {(char)('a' + i), 0};
        files[i] = rig_make(VFS_CREATE, ROOT, name);
        struct vfs_request r = {.op = VFS_UNLINK,
                                .ino = ROOT,
                                .ino2 = files[i],
                                .flags = VFS_OPEN,
                                .sequence = ++rig_sequence,
                                .attempt = 1};
        struct vfs_reply reply;
        enum err e = E_DEAD;
        ck_assert(rig_ask(&r, name, NULL, NULL, 0, &e, &reply));
        ck_assert_int_eq(e, OK);
    }
    struct vfs_request mount = {.op = VFS_MOUNT, .sequence = ++rig_sequence, .attempt = 1};
    struct vfs_reply reply;
    enum err e = E_DEAD;
    ck_assert(rig_ask(&mount, NULL, NULL, NULL, 0, &e, &reply));
    ck_assert_int_eq(e, OK);
    ck_assert_uint_eq(reply.stat.ino, ROOT);
    ck_assert_uint_eq(reply.ino2, OID_SHARED_ROOT);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_ptr_null(fake_cache_find(files[i]));
}
END_TEST

/* Kills naming at its n-th platform call inside a request, for every n, and sends the same request
 * again: it must take effect exactly once, with one answer. */
START_TEST(test_naming__a_request_takes_effect_once_wherever_naming_dies)
{
    bool died = true;
    for (uint64_t n = 1; died; n++) {
        rig_start();
        (void)rig_make(VFS_CREATE, ROOT, "f");
        uint64_t commits = fake_cache_commits();
        struct vfs_request r = {
            .op = VFS_RENAME, .ino = ROOT, .ino2 = ROOT, .sequence = ++rig_sequence, .attempt = 1};
        struct vfs_reply reply;
        enum err e = E_DEAD;
        fake_crash_at_call(n);
        bool answered = rig_ask(&r, "f", "g", NULL, 0, &e, &reply);
        died = fake_crash()[0] != '\0';
        fake_crash_at_call(0);
        if (died)
            rig_start_naming();
        if (!answered) {
            r.attempt++;
            ck_assert(rig_ask(&r, "f", "g", NULL, 0, &e, &reply));
        }
        ck_assert_msg(e == OK, "death at call %lu: error %d", (unsigned long)n, e);
        ck_assert_uint_eq(fake_cache_commits(), commits + 1);
        ck_assert_int_eq(rig_lookup(ROOT, "g", NULL), OK);
        ck_assert_int_eq(rig_lookup(ROOT, "f", NULL), E_NOENT);
        ck_assert_uint_lt(n, CALLS_MAX);
    }
}
END_TEST

/* Three deaths over one request: after the commit, then at the n-th call of each retry. */
START_TEST(test_naming__h20_deaths_after_the_commit_are_answered_from_the_reply_table)
{
    bool died = true;
    for (uint64_t n = 1; died; n++) {
        rig_start();
        struct vfs_request r = {
            .op = VFS_CREATE, .ino = ROOT, .sequence = ++rig_sequence, .attempt = 1};
        struct vfs_reply reply;
        enum err e = E_DEAD;
        fake_crash_at_probe(PROBE_NAMING_COMMITTED, 1);
        ck_assert(!rig_ask(&r, "once", NULL, NULL, 0, &e, &reply));
        fake_crash_at_probe(PROBE_NAMING_COMMITTED, 0);
        died = false;
        bool answered = false;
        for (uint32_t retry = 0; retry < 2 && !answered; retry++) {
            rig_start_naming();
            r.attempt++;
            fake_crash_at_call(n);
            answered = rig_ask(&r, "once", NULL, NULL, 0, &e, &reply);
            died |= fake_crash()[0] != '\0';
            fake_crash_at_call(0);
        }
        if (fake_crash()[0] != '\0')
            rig_start_naming();
        r.attempt++;
        if (!answered)
            ck_assert(rig_ask(&r, "once", NULL, NULL, 0, &e, &reply));
        ck_assert_int_eq(e, OK); /* not E_EXIST */
        ck_assert_uint_eq(fake_cache_commits(), 2);
        ck_assert_ptr_nonnull(fake_cache_find(reply.stat.ino));
        ck_assert_uint_lt(n, CALLS_MAX);
    }
}
END_TEST

/* The environment starts again: the next naming, and a mount of the next VFS generation. */
static void restart_environment(uint64_t die_at_call)
{
    struct vfs_request mount = {.op = VFS_MOUNT, .sequence = 1, .attempt = 1};
    struct vfs_reply reply;
    enum err e = E_DEAD;
    rig_start_naming();
    rig_generation++;
    fake_crash_at_call(die_at_call);
    bool answered = rig_ask(&mount, NULL, NULL, NULL, 0, &e, &reply);
    fake_crash_at_call(0);
    if (answered) {
        ck_assert_int_eq(e, OK);
        return;
    }
    rig_start_naming(); /* it died in the purge: VFS asks again */
    mount.attempt++;
    ck_assert(rig_ask(&mount, NULL, NULL, NULL, 0, &e, &reply));
    ck_assert_int_eq(e, OK);
}

/* A file with data and attributes is unlinked while open, and VFS dies, naming with it at the n-th
 * call; the purge may die too. Nothing of the file takes room afterwards, or its name is there. */
START_TEST(test_naming__h21_an_unlinked_open_file_leaves_no_block_when_vfs_dies)
{
    bool died = true;
    for (uint64_t n = 1; died; n++) {
        rig_start();
        uint8_t data[5000] = {1};
        struct vfs_reply reply;
        struct vfs_stat stat;
        enum err e = E_DEAD;
        (void)rig_make(VFS_CREATE, ROOT, "stays");
        uint64_t first = rig_make(VFS_CREATE, ROOT, "first"); /* the orphans' directory is made */
        struct vfs_request r = {.op = VFS_UNLINK,
                                .ino = ROOT,
                                .flags = VFS_OPEN,
                                .sequence = ++rig_sequence,
                                .attempt = 1};
        ck_assert(rig_ask(&r, "first", NULL, NULL, 0, &e, &reply));
        r = (struct vfs_request){
            .op = VFS_RELEASE, .ino = first, .sequence = ++rig_sequence, .attempt = 1};
        ck_assert(rig_ask(&r, NULL, NULL, NULL, 0, &e, &reply));
        uint64_t bytes = fake_cache_bytes();
        uint32_t objects = fake_cache_objects();
        uint64_t file = rig_make(VFS_CREATE, ROOT, "f");
        r = (struct vfs_request){.op = VFS_WRITE,
                                 .ino = file,
                                 .length = sizeof(data),
                                 .sequence = ++rig_sequence,
                                 .attempt = 1};
        ck_assert(rig_ask(&r, NULL, NULL, data, sizeof(data), &e, &reply));
        r = (struct vfs_request){.op = VFS_SETXATTR,
                                 .ino = file,
                                 .length = 10,
                                 .sequence = ++rig_sequence,
                                 .attempt = 1};
        ck_assert(rig_ask(&r, "a", NULL, data, 10, &e, &reply));
        r = (struct vfs_request){.op = VFS_UNLINK,
                                 .ino = ROOT,
                                 .ino2 = file,
                                 .flags = VFS_OPEN,
                                 .sequence = ++rig_sequence,
                                 .attempt = 1};
        fake_crash_at_call(n);
        (void)rig_ask(&r, "f", NULL, NULL, 0, &e, &reply);
        died = fake_crash()[0] != '\0';
        fake_crash_at_call(0);
        restart_environment(n);
        restart_environment(0);
        if (rig_lookup(ROOT, "f", &stat) == OK) {
            ck_assert_uint_eq(stat.nlink, 1);
            ck_assert_int_eq(rig_name_op(VFS_UNLINK, ROOT, "f", &reply), OK);
        }
        ck_assert_uint_eq(fake_cache_objects(), objects);
        ck_assert_uint_eq(fake_cache_bytes(), bytes);
        ck_assert_int_eq(rig_lookup(ROOT, "stays", NULL), OK);
        ck_assert_uint_lt(n, CALLS_MAX);
    }
}
END_TEST

/* V2: what another environment sees of a shared file is what a whole transaction left. Naming and
 * its VFS die at the n-th call of an append; nobody retries. */
START_TEST(test_naming__v2_a_shared_file_holds_whole_transactions_only)
{
    bool died = true;
    for (uint64_t n = 1; died; n++) {
        rig_start();
        uint8_t data[9000];
        struct vfs_reply reply;
        enum err e = E_DEAD;
        uint64_t file = rig_make(VFS_CREATE, OID_SHARED_ROOT, "f");
        memset(data, 0x55, sizeof(data));
        struct vfs_request r = {.op = VFS_WRITE,
                                .ino = file,
                                .flags = VFS_APPEND,
                                .length = sizeof(data),
                                .sequence = ++rig_sequence,
                                .attempt = 1};
        ck_assert(rig_ask(&r, NULL, NULL, data, sizeof(data), &e, &reply));
        memset(data, 0xaa, sizeof(data));
        r.sequence = ++rig_sequence;
        fake_crash_at_call(n);
        (void)rig_ask(&r, NULL, NULL, data, sizeof(data), &e, &reply);
        died = fake_crash()[0] != '\0';
        fake_crash_at_call(0);
        restart_environment(0);
        const struct fake_object *o = fake_cache_find(file);
        ck_assert(o->size == sizeof(data) || o->size == 2 * sizeof(data));
        for (uint64_t k = 0; k < o->size; k++)
            ck_assert_uint_eq(o->data[k], k < sizeof(data) ? 0x55 : 0xaa);
        ck_assert_uint_lt(n, CALLS_MAX);
    }
}
END_TEST

START_TEST(test_naming__carries_on_when_the_cache_dies_at_any_request)
{
    uint64_t before = 0;
    for (uint64_t n = 1; n < CALLS_MAX; n++) {
        rig_start();
        uint64_t dir = rig_make(VFS_MKDIR, ROOT, "d");
        fake_cache_die_at(n);
        struct vfs_reply reply;
        ck_assert_int_eq(rig_name_op(VFS_CREATE, dir, "f", &reply), OK);
        before = fake_cache_commits();
        fake_cache_die_at(0);
        ck_assert_int_eq(rig_lookup(dir, "f", NULL), OK);
        ck_assert_uint_eq(rig_links(dir), 2);
        if (n > 20)
            break; /* a create has fewer requests than that */
    }
    ck_assert_uint_eq(before, 3);
}
END_TEST

START_TEST(test_naming__n4_a_request_that_kills_it_again_and_again_is_only_asked_about)
{
    rig_start();
    struct vfs_request r = {
        .op = VFS_CREATE, .ino = ROOT, .sequence = ++rig_sequence, .attempt = 4};
    struct vfs_reply reply;
    enum err e = OK;
    ck_assert(rig_ask(&r, "poison", NULL, NULL, 0, &e, &reply));
    ck_assert_int_eq(e, E_IO);
    ck_assert_int_eq(rig_lookup(ROOT, "poison", NULL), E_NOENT);
    r = (struct vfs_request){.op = VFS_STAT, .ino = ROOT, .sequence = ++rig_sequence, .attempt = 4};
    ck_assert(rig_ask(&r, NULL, NULL, NULL, 0, &e, &reply));
    ck_assert_int_eq(e, E_IO);
}
END_TEST

START_TEST(test_naming__a_name_without_its_inode_is_lost_and_not_absent)
{
    rig_start();
    struct vfs_reply reply;
    fake_cache_find(rig_make(VFS_CREATE, ROOT, "f"))->oid = 0;
    ck_assert_int_eq(rig_lookup(ROOT, "f", NULL), E_LOST);
    ck_assert_int_eq(rig_name_op(VFS_UNLINK, ROOT, "f", &reply), E_LOST);
    ck_assert_int_eq(rig_two_names(VFS_RENAME, ROOT, "f", ROOT, "g"), E_LOST);
    ck_assert_int_eq(rig_name_op(VFS_CREATE, ROOT, "f", &reply), E_EXIST);
    ck_assert_int_eq(rig_lookup(ROOT, "g", NULL), E_NOENT);
}
END_TEST

START_TEST(test_naming__n4_a_request_that_kills_the_cache_again_and_again_ends)
{
    rig_start();
    struct vfs_reply reply;
    uint64_t commits = fake_cache_commits();
    fake_cache_die_often(3, OBJECT_CREATE); /* asked about: nothing was changed */
    ck_assert_int_eq(rig_name_op(VFS_CREATE, ROOT, "poison", &reply), E_IO);
    ck_assert_uint_eq(fake_cache_deaths(), 3);
    ck_assert_uint_eq(fake_cache_commits(), commits);
    ck_assert_int_eq(rig_lookup(ROOT, "poison", NULL), E_NOENT);
    fake_cache_die_often(UINT32_MAX, OBJECT_GETATTR); /* a query too */
    ck_assert_int_eq(rig_name_op(VFS_STAT, ROOT, NULL, &reply), E_IO);
    ck_assert_uint_eq(fake_cache_deaths(), 3);
    fake_cache_die_often(UINT32_MAX, OBJECT_TXN_BEGIN); /* and even asking */
    ck_assert_int_eq(rig_name_op(VFS_CREATE, ROOT, "poison", &reply), E_IO);
    ck_assert_uint_eq(fake_cache_deaths(), 6);
    fake_cache_die_often(2, OBJECT_CREATE); /* less often: it is carried out, once */
    ck_assert_int_eq(rig_name_op(VFS_CREATE, ROOT, "poison", &reply), OK);
    ck_assert_uint_eq(fake_cache_commits(), commits + 1);
}
END_TEST

START_TEST(test_naming__tries_again_when_its_transaction_gives_way)
{
    rig_start();
    struct vfs_reply reply;
    fake_cache_give_way(3);
    ck_assert_int_eq(rig_name_op(VFS_CREATE, ROOT, "f", &reply), OK);
    fake_cache_give_way(1000);
    ck_assert_int_eq(rig_name_op(VFS_CREATE, ROOT, "g", &reply), E_AGAIN);
    fake_cache_give_way(0);
    ck_assert_int_eq(rig_lookup(ROOT, "g", NULL), E_NOENT);
}
END_TEST

/* Every byte of a directory block, flipped: an answer or an error, never a crash (N5). */
/* Looks the path up from the root; *reply says where that ended. */
static enum err walk(const char *path, struct vfs_reply *reply)
{
    struct vfs_request r = {
        .op = VFS_LOOKUP, .flags = VFS_PATH, .ino = ROOT, .sequence = ++rig_sequence, .attempt = 1};
    enum err e = E_DEAD;
    ck_assert(rig_ask(&r, path, NULL, NULL, 0, &e, reply));
    return e;
}

START_TEST(test_naming__walks_a_path_as_far_as_it_leads)
{
    rig_start();
    struct vfs_reply reply;
    char much[VFS_NAME_MAX + 8];
    uint64_t a = rig_make(VFS_MKDIR, ROOT, "a"), b = rig_make(VFS_MKDIR, a, "bb");
    uint64_t f = rig_make(VFS_CREATE, b, "file");
    static const struct {
        const char *path;
        enum err e;
        uint64_t moved;
    } cases[] = {{"a/bb/file", OK, 9},   {"a", OK, 1},        {"//a///bb", OK, 8},
                 {"a/bb/file/x", OK, 9}, {"a/x", E_NOENT, 3}, {"x/bb/file", E_NOENT, 1},
                 {"a/", E_INVAL, 1},     {"//", E_INVAL, 0}};
    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        ck_assert_int_eq(walk(cases[k].path, &reply), cases[k].e);
        ck_assert_uint_eq(reply.moved, cases[k].moved);
    }
    ck_assert_int_eq(walk("a/bb/file", &reply), OK);
    ck_assert_uint_eq(reply.stat.ino, f);
    ck_assert_uint_eq(reply.ino2, b);
    ck_assert_int_eq(walk("a/bb/nothing", &reply), E_NOENT);
    ck_assert_uint_eq(reply.ino2, b);
    memset(much, 'm', sizeof(much));
    memcpy(much, "a/", 2);
    much[sizeof(much) - 1] = '\0';
    ck_assert_int_eq(walk(much, &reply), E_NAMETOOLONG);
}
END_TEST

START_TEST(test_naming__a_path_through_a_lost_directory_is_lost)
{
    rig_start();
    struct vfs_reply reply;
    uint64_t a = rig_make(VFS_MKDIR, ROOT, "a");
    (void)rig_make(VFS_CREATE, a, "f");
    fake_cache_find(a)->oid = 0; /* what a recovery leaves of a creation that it skipped */
    ck_assert_int_eq(walk("a/f", &reply), E_LOST);
}
END_TEST

START_TEST(test_naming__n5_a_bad_directory_is_an_error)
{
    for (uint32_t byte = 0; byte < 64; byte++) {
        rig_start();
        (void)rig_make(VFS_CREATE, ROOT, "f");
        (void)rig_make(VFS_CREATE, ROOT, "g");
        fake_cache_find(ROOT)->data[byte] ^= 0xff;
        struct vfs_reply reply;
        enum err e = rig_lookup(ROOT, "nothing", NULL);
        ck_assert_msg(e == E_NOENT || e == E_CORRUPT, "byte %u: %d", byte, e);
        e = rig_name_op(VFS_UNLINK, ROOT, "g", &reply);
        ck_assert_msg(e == OK || e == E_NOENT || e == E_CORRUPT || e == E_ISDIR || e == E_LOST,
                      "byte %u: %d", byte, e);
        e = rig_name_op(VFS_CREATE, ROOT, "h", &reply);
        ck_assert_msg(e == OK || e == E_CORRUPT, "byte %u: %d", byte, e);
        ck_assert_str_eq(fake_crash(), "");
    }
}
END_TEST

START_TEST(test_naming__writes_and_reads_through_the_callers_memory)
{
    rig_start();
    uint64_t file = rig_make(VFS_CREATE, ROOT, "f");
    uint8_t data[3000], back[3000] = {0};
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 31);
    struct vfs_request r = {.op = VFS_WRITE,
                            .ino = file,
                            .offset = 100,
                            .length = sizeof(data),
                            .sequence = ++rig_sequence,
                            .attempt = 1};
    struct vfs_reply reply;
    enum err e = E_DEAD;
    ck_assert(rig_ask(&r, NULL, NULL, data, sizeof(data), &e, &reply));
    ck_assert_int_eq(e, OK);
    ck_assert_uint_eq(reply.moved, sizeof(data));
    r.flags = VFS_APPEND;
    r.sequence = ++rig_sequence;
    ck_assert(rig_ask(&r, NULL, NULL, data, sizeof(data), &e, &reply));
    ck_assert_uint_eq(reply.ino2, 3100);
    r = (struct vfs_request){.op = VFS_READ,
                             .ino = file,
                             .offset = 3100,
                             .length = sizeof(back),
                             .sequence = ++rig_sequence,
                             .attempt = 1};
    ck_assert(rig_ask(&r, NULL, NULL, back, sizeof(back), &e, &reply));
    ck_assert_uint_eq(reply.moved, sizeof(back));
    ck_assert_mem_eq(back, data, sizeof(back));
}
END_TEST

CHECK_MAIN(
    "naming", 60, tcase_add_test(tc, test_naming__makes_finds_and_removes_names);
    tcase_add_test(tc, test_naming__links_count_names_and_the_last_one_frees);
    tcase_add_test(tc, test_naming__rename_replaces_moves_and_never_loops);
    tcase_add_test(tc, test_naming__lists_every_name_once_whatever_the_buffer);
    tcase_add_test(tc, test_naming__keeps_an_open_inode_until_it_is_released);
    tcase_add_test(tc, test_naming__purges_orphans_when_a_vfs_mounts);
    tcase_add_test(tc, test_naming__a_request_takes_effect_once_wherever_naming_dies);
    tcase_add_test(tc, test_naming__h20_deaths_after_the_commit_are_answered_from_the_reply_table);
    tcase_add_test(tc, test_naming__h21_an_unlinked_open_file_leaves_no_block_when_vfs_dies);
    tcase_add_test(tc, test_naming__v2_a_shared_file_holds_whole_transactions_only);
    tcase_add_test(tc, test_naming__carries_on_when_the_cache_dies_at_any_request);
    tcase_add_test(tc, test_naming__n4_a_request_that_kills_it_again_and_again_is_only_asked_about);
    tcase_add_test(tc, test_naming__a_name_without_its_inode_is_lost_and_not_absent);
    tcase_add_test(tc, test_naming__n4_a_request_that_kills_the_cache_again_and_again_ends);
    tcase_add_test(tc, test_naming__tries_again_when_its_transaction_gives_way);
    tcase_add_test(tc, test_naming__walks_a_path_as_far_as_it_leads);
    tcase_add_test(tc, test_naming__a_path_through_a_lost_directory_is_lost);
    tcase_add_test(tc, test_naming__n5_a_bad_directory_is_an_error);
    tcase_add_test(tc, test_naming__writes_and_reads_through_the_callers_memory);)
