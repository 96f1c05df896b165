/* What users may do, and the last components of paths: a table of calls on a tree whose things
 * belong to users 7 and 8. */
#include <string.h>

#include "scripts/check_main.h"
#include "stack/tests/loris/vfs/vfs_rig.h"

static const struct {
    const char *path;
    bool directory;
    uint32_t mode, uid, gid;
} things[] = {
    {"open", true, 0777, 0, 0},     {"open/f", false, 0640, 7, 70},
    {"open/d", true, 0755, 7, 70},  {"open/d/x", false, 0644, 7, 70},
    {"open/w", false, 0222, 7, 70}, {"open/set", false, 06755, 7, 70},
    {"priv", true, 0700, 7, 70},    {"priv/f", false, 0666, 7, 70},
    {"group", true, 0770, 0, 70},   {"group/f", false, 0604, 0, 70},
    {"look", true, 0744, 7, 70},    {"look/f", false, 0666, 7, 70},
    {"tmp", true, 01777, 0, 0},     {"tmp/a", false, 0666, 7, 70},
    {"tmp/b", false, 0666, 8, 80},  {"tmp/d", true, 0777, 7, 70},
    {"own", true, 01777, 8, 80},    {"own/a", false, 0666, 7, 70},
};

#define R CALL_READ_ONLY
#define KEEP CALL_KEEP_ID

struct row {
    const char *what;
    uint32_t uid, gid;
    enum call_op op;
    uint32_t flags;
    const char *path, *path2;
    uint32_t mode, to_uid, to_gid;
    enum err want;
};

static const struct row rows[] = {
    /* Opening. */
    {"the owner reads and writes", 7, 70, CALL_OPEN, 0, "open/f", NULL, 0, 0, 0, OK},
    {"the group reads", 8, 70, CALL_OPEN, R, "open/f", NULL, 0, 0, 0, OK},
    {"the group does not write", 8, 70, CALL_OPEN, 0, "open/f", NULL, 0, 0, 0, E_ACCES},
    {"others do not read", 9, 90, CALL_OPEN, R, "open/f", NULL, 0, 0, 0, E_ACCES},
    {"user 0 does", 0, 0, CALL_OPEN, 0, "open/f", NULL, 0, 0, 0, OK},
    {"writing alone is not reading", 9, 90, CALL_OPEN, R, "open/w", NULL, 0, 0, 0, E_ACCES},
    {"an owner is not of the others", 7, 70, CALL_OPEN, R, "open/w", NULL, 0, 0, 0, E_ACCES},
    {"the group's bits bind its members", 8, 70, CALL_OPEN, R, "group/f", NULL, 0, 0, 0, E_ACCES},
    {"a cut is a write", 8, 70, CALL_OPEN, R | CALL_TRUNC, "open/f", NULL, 0, 0, 0, E_ACCES},
    {"truncate is a write", 8, 70, CALL_TRUNCATE, 0, "open/f", NULL, 0, 0, 0, E_ACCES},
    {"truncate of one's own", 7, 70, CALL_TRUNCATE, 0, "open/f", NULL, 0, 0, 0, OK},
    {"a directory is read", 9, 90, CALL_OPEN, R, "look", NULL, 0, 0, 0, OK},
    {"or not", 9, 90, CALL_OPEN, R, "priv", NULL, 0, 0, 0, E_ACCES},
    /* Searching. */
    {"nobody passes a private directory", 8, 70, CALL_STAT, 0, "priv/f", NULL, 0, 0, 0, E_ACCES},
    {"its owner does", 7, 70, CALL_STAT, 0, "priv/f", NULL, 0, 0, 0, OK},
    {"not even by dots", 9, 90, CALL_STAT, 0, "priv/../open", NULL, 0, 0, 0, E_ACCES},
    {"to read is not to search", 9, 90, CALL_STAT, 0, "look/f", NULL, 0, 0, 0, E_ACCES},
    {"nor absent names", 9, 90, CALL_STAT, 0, "look/n", NULL, 0, 0, 0, E_ACCES},
    {"chdir searches", 9, 90, CALL_CHDIR, 0, "look", NULL, 0, 0, 0, E_ACCES},
    {"chdir", 9, 90, CALL_CHDIR, 0, "open", NULL, 0, 0, 0, OK},
    {"a link leads where its reader may go", 9, 90, CALL_OPEN, R, "to-priv", NULL, 0, 0, 0,
     E_ACCES},
    {"a link leads its owner", 7, 70, CALL_OPEN, R, "to-priv", NULL, 0, 0, 0, OK},
    /* Names. */
    {"create where all may", 9, 90, CALL_OPEN, CALL_CREATE, "open/n", NULL, 0600, 0, 0, OK},
    {"create elsewhere", 9, 90, CALL_OPEN, CALL_CREATE, "open/d/n", NULL, 0600, 0, 0, E_ACCES},
    {"create in the root", 9, 90, CALL_OPEN, CALL_CREATE, "n", NULL, 0600, 0, 0, E_ACCES},
    {"mkdir elsewhere", 9, 90, CALL_MKDIR, 0, "open/d/n", NULL, 0700, 0, 0, E_ACCES},
    {"mkdir of the group", 8, 70, CALL_MKDIR, 0, "group/n", NULL, 0700, 0, 0, OK},
    {"what is there is there", 9, 90, CALL_MKDIR, 0, "open/d", NULL, 0700, 0, 0, E_EXIST},
    {"symlink elsewhere", 9, 90, CALL_SYMLINK, 0, "t", "open/d/n", 0, 0, 0, E_ACCES},
    {"link elsewhere", 9, 90, CALL_LINK, 0, "open/f", "open/d/n", 0, 0, 0, E_ACCES},
    {"unlink elsewhere", 9, 90, CALL_UNLINK, 0, "open/d/x", NULL, 0, 0, 0, E_ACCES},
    {"unlink another's in an open one", 9, 90, CALL_UNLINK, 0, "open/f", NULL, 0, 0, 0, OK},
    {"rmdir elsewhere", 9, 90, CALL_RMDIR, 0, "priv", NULL, 0, 0, 0, E_ACCES},
    {"rename out of", 9, 90, CALL_RENAME, 0, "open/d/x", "open/x", 0, 0, 0, E_ACCES},
    {"rename into", 9, 90, CALL_RENAME, 0, "open/f", "open/d/f", 0, 0, 0, E_ACCES},
    {"rename of a directory changes it", 9, 90, CALL_RENAME, 0, "open/d", "tmp/n", 0, 0, 0,
     E_ACCES},
    {"but not inside its parent", 9, 90, CALL_RENAME, 0, "open/d", "open/n", 0, 0, 0, OK},
    /* Sticky directories. */
    {"sticky: another's stays", 9, 90, CALL_UNLINK, 0, "tmp/a", NULL, 0, 0, 0, E_PERM},
    {"sticky: one's own goes", 7, 70, CALL_UNLINK, 0, "tmp/a", NULL, 0, 0, 0, OK},
    {"sticky: user 0's will", 0, 0, CALL_UNLINK, 0, "tmp/a", NULL, 0, 0, 0, OK},
    {"sticky: the directory's owner's will", 8, 80, CALL_UNLINK, 0, "own/a", NULL, 0, 0, 0, OK},
    {"sticky: rmdir", 8, 80, CALL_RMDIR, 0, "tmp/d", NULL, 0, 0, 0, E_PERM},
    {"sticky: rename of another's", 8, 80, CALL_RENAME, 0, "tmp/a", "tmp/n", 0, 0, 0, E_PERM},
    {"sticky: rename over another's", 8, 80, CALL_RENAME, 0, "tmp/b", "tmp/a", 0, 0, 0, E_PERM},
    {"sticky: rename of one's own", 8, 80, CALL_RENAME, 0, "tmp/b", "tmp/n", 0, 0, 0, OK},
    /* Attributes. */
    {"chmod of one's own", 7, 70, CALL_CHMOD, 0, "open/f", NULL, 0600, 0, 0, OK},
    {"chmod of another's", 8, 70, CALL_CHMOD, 0, "open/f", NULL, 0666, 0, 0, E_PERM},
    {"utimens of another's", 8, 70, CALL_UTIMENS, 0, "open/f", NULL, 0, 0, 0, E_PERM},
    {"chown to another", 7, 70, CALL_CHOWN, 0, "open/f", NULL, 0, 8, KEEP, E_PERM},
    {"chown to oneself", 8, 70, CALL_CHOWN, 0, "open/f", NULL, 0, 8, KEEP, E_PERM},
    {"chgrp to one's own group", 7, 71, CALL_CHOWN, 0, "open/f", NULL, 0, KEEP, 71, OK},
    {"chgrp to another group", 7, 70, CALL_CHOWN, 0, "open/f", NULL, 0, KEEP, 99, E_PERM},
    {"chown by user 0", 0, 0, CALL_CHOWN, 0, "open/f", NULL, 0, 8, 80, OK},
    {"unmount is user 0's", 7, 70, CALL_UNMOUNT, 0, NULL, NULL, 0, 0, 0, E_PERM},
    /* Last components. */
    {"rmdir of .", 0, 0, CALL_RMDIR, 0, "open/d/.", NULL, 0, 0, 0, E_ARG},
    {"rmdir of ..", 0, 0, CALL_RMDIR, 0, "open/d/..", NULL, 0, 0, 0, E_NOTEMPTY},
    {"rmdir of the root", 0, 0, CALL_RMDIR, 0, "/", NULL, 0, 0, 0, E_BUSY},
    {"unlink of .", 0, 0, CALL_UNLINK, 0, "open/d/.", NULL, 0, 0, 0, E_ISDIR},
    {"rename of .", 0, 0, CALL_RENAME, 0, "open/.", "tmp/n", 0, 0, 0, E_ARG},
    {"rename to ..", 0, 0, CALL_RENAME, 0, "open/d", "tmp/..", 0, 0, 0, E_ARG},
    {"mkdir of .", 0, 0, CALL_MKDIR, 0, "open/.", NULL, 0, 0, 0, E_EXIST},
    {"a slash behind a file", 0, 0, CALL_STAT, 0, "open/f/", NULL, 0, 0, 0, E_NOTDIR},
    {"a slash behind a directory", 0, 0, CALL_STAT, 0, "open/d//", NULL, 0, 0, 0, OK},
    {"unlink, slash", 0, 0, CALL_UNLINK, 0, "open/f/", NULL, 0, 0, 0, E_NOTDIR},
    {"mkdir, slash", 0, 0, CALL_MKDIR, 0, "open/n/", NULL, 0700, 0, 0, OK},
    {"create, slash", 0, 0, CALL_OPEN, CALL_CREATE, "open/n/", NULL, 0600, 0, 0, E_ISDIR},
    {"symlink, slash", 0, 0, CALL_SYMLINK, 0, "t", "open/n/", 0, 0, 0, E_NOENT},
    {"link, slash", 0, 0, CALL_LINK, 0, "open/f", "open/n/", 0, 0, 0, E_NOENT},
    {"rename of a file, slash", 0, 0, CALL_RENAME, 0, "open/f", "open/n/", 0, 0, 0, E_NOTDIR},
    {"rename of a directory, slash", 0, 0, CALL_RENAME, 0, "open/d", "open/n/", 0, 0, 0, OK},
    {"create alone does not follow", 0, 0, CALL_OPEN, CALL_CREATE | CALL_EXCLUSIVE, "dangling",
     NULL, 0600, 0, 0, E_EXIST},
    {"create follows", 0, 0, CALL_OPEN, CALL_CREATE, "dangling", NULL, 0600, 0, 0, OK},
    {"a link to a file with a slash", 0, 0, CALL_STAT, 0, "slashed", NULL, 0, 0, 0, OK},
    {"followed", 0, 0, CALL_OPEN, R, "slashed", NULL, 0, 0, 0, E_NOTDIR},
};

static void make_tree(void)
{
    for (size_t k = 0; k < sizeof(things) / sizeof(things[0]); k++) {
        if (things[k].directory)
            rig_make(CALL_MKDIR, things[k].path);
        else
            rig_make_file(things[k].path);
        struct tree_node *node = tree_node(rig_ino_of(things[k].path));
        node->mode = things[k].mode;
        node->uid = things[k].uid;
        node->gid = things[k].gid;
    }
    ck_assert_int_eq(rig_call(CALL_SYMLINK, "priv/f", "to-priv"), OK);
    ck_assert_int_eq(rig_call(CALL_SYMLINK, "open/new", "dangling"), OK);
    ck_assert_int_eq(rig_call(CALL_SYMLINK, "open/f/", "slashed"), OK);
}

START_TEST(test_permissions__each_call_is_answered_as_posix_says)
{
    for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
        const struct row *row = &rows[k];
        rig_start();
        make_tree();
        tree_forget_log();
        struct call_request r = {.op = row->op,
                                 .flags = row->flags,
                                 .fd = -1,
                                 .mode = row->mode,
                                 .uid = row->to_uid,
                                 .gid = row->to_gid,
                                 .caller_uid = row->uid,
                                 .caller_gid = row->gid};
        enum err e = rig_call_of(rig_app, r, row->path, row->path2, NULL, 0);
        ck_assert_msg(e == row->want, "%s: %d, want %d", row->what, e, row->want);
        uint32_t changes = tree_count(VFS_CREATE) + tree_count(VFS_MKDIR) + tree_count(VFS_UNLINK) +
                           tree_count(VFS_RMDIR) + tree_count(VFS_RENAME) + tree_count(VFS_LINK) +
                           tree_count(VFS_SYMLINK) + tree_count(VFS_SETATTR) +
                           tree_count(VFS_TRUNCATE);
        ck_assert_msg(e == OK || changes == 0, "%s: refused, but changed", row->what);
    }
}
END_TEST

START_TEST(test_permissions__what_a_user_makes_is_its_own)
{
    struct call_request r = {
        .op = CALL_MKDIR, .fd = -1, .mode = 0750, .caller_uid = 9, .caller_gid = 90};
    rig_start();
    make_tree();
    ck_assert_int_eq(rig_call_of(rig_app, r, "open/n", NULL, NULL, 0), OK);
    ck_assert_uint_eq(rig_reply.stat.uid, 9);
    ck_assert_uint_eq(rig_reply.stat.gid, 90);
    ck_assert_uint_eq(rig_reply.stat.mode, 0750);
    r.op = CALL_OPEN;
    r.flags = CALL_CREATE;
    ck_assert_int_eq(rig_call_of(rig_app, r, "open/n/f", NULL, NULL, 0), OK);
    ck_assert_uint_eq(rig_reply.stat.uid, 9);
    r.op = CALL_SYMLINK;
    ck_assert_int_eq(rig_call_of(rig_app, r, "t", "open/n/l", NULL, 0), OK);
    ck_assert_uint_eq(rig_reply.stat.gid, 90);
}
END_TEST

START_TEST(test_permissions__another_owner_does_not_get_set_ids)
{
    struct call_request r = {.op = CALL_CHOWN,
                             .fd = -1,
                             .uid = CALL_KEEP_ID,
                             .gid = 71,
                             .caller_uid = 7,
                             .caller_gid = 71};
    rig_start();
    make_tree();
    ck_assert_int_eq(rig_call_of(rig_app, r, "open/set", NULL, NULL, 0), OK);
    ck_assert_uint_eq(rig_reply.stat.mode, 0755);
    ck_assert_uint_eq(rig_reply.stat.uid, 7);
    ck_assert_uint_eq(rig_reply.stat.gid, 71);
    r = (struct call_request){
        .op = CALL_CHMOD, .fd = -1, .mode = 06755, .caller_uid = 7, .caller_gid = 70};
    ck_assert_int_eq(rig_call_of(rig_app, r, "open/set", NULL, NULL, 0), OK);
    ck_assert_uint_eq(rig_reply.stat.mode, 04755); /* not of the file's group any more */
}
END_TEST

START_TEST(test_permissions__an_open_file_stays_usable)
{
    rig_start();
    make_tree();
    struct call_request r = {.op = CALL_OPEN, .fd = -1, .caller_uid = 7, .caller_gid = 70};
    ck_assert_int_eq(rig_call_of(rig_app, r, "open/f", NULL, NULL, 0), OK);
    int32_t fd = rig_reply.fd;
    tree_node(rig_ino_of("open/f"))->mode = 0;
    r = (struct call_request){.op = CALL_WRITE, .fd = fd, .caller_uid = 7, .caller_gid = 70};
    ck_assert_int_eq(rig_call_of(rig_app, r, NULL, NULL, rig_big, 100), OK);
    r.op = CALL_FSYNC;
    ck_assert_int_eq(rig_call_of(rig_app, r, NULL, NULL, NULL, 0), OK);
}
END_TEST

CHECK_MAIN("permissions", 60,
           tcase_add_test(tc, test_permissions__each_call_is_answered_as_posix_says);
           tcase_add_test(tc, test_permissions__what_a_user_makes_is_its_own);
           tcase_add_test(tc, test_permissions__another_owner_does_not_get_set_ids);
           tcase_add_test(tc, test_permissions__an_open_file_stays_usable);)
