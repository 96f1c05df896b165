/* The rules of POSIX for names, as naming has to keep them: a table of requests on a small tree,
 * with answer, link counts, and whose times change. */
#include <string.h>

#include "bytes.h"
#include "scripts/check_main.h"
#include "stack/tests/loris/naming/naming_rig.h"

/* The tree, made anew for each row; the path says where a thing lies at first. */
enum thing { NONE, TOP, F, G, D, E, E_S, E_F, L, THINGS };
static const struct {
    const char *name;
    enum thing parent;
    enum vfs_op op;
} made[THINGS] = {
    [F] = {"f", TOP, VFS_CREATE},  [G] = {"g", TOP, VFS_CREATE}, [D] = {"d", TOP, VFS_MKDIR},
    [E] = {"e", TOP, VFS_MKDIR},   [E_S] = {"s", E, VFS_MKDIR},  [E_F] = {"f", E, VFS_CREATE},
    [L] = {"l", TOP, VFS_SYMLINK}, /* f has a second name, h */
};
static uint64_t ino[THINGS];

#define BIT(thing) (1u << (thing))

struct row {
    const char *what;
    enum vfs_op op;
    enum thing dir;
    const char *name;
    enum thing dir2; /* RENAME: second directory; LINK: the existing inode */
    const char *name2;
    enum err want;
    uint32_t mtime, ctime; /* BIT of the things whose times change */
    struct {
        enum thing thing;
        uint32_t count; /* 0: it is gone */
    } links[3];
};

#define LONG64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LONG255                                                                                    \
    LONG64 LONG64 LONG64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct row rows[] = {
    /* Making. */
    {"create", VFS_CREATE, TOP, "n", NONE, NULL, OK, BIT(TOP), BIT(TOP), {{TOP, 4}}},
    {"create, taken", VFS_CREATE, TOP, "f", NONE, NULL, E_EXIST, 0, 0, {{TOP, 4}}},
    {"create over a directory", VFS_CREATE, TOP, "d", NONE, NULL, E_EXIST, 0, 0, {{0}}},
    {"create in a file", VFS_CREATE, F, "n", NONE, NULL, E_NOTDIR, 0, 0, {{0}}},
    {"create, longest name", VFS_CREATE, TOP, LONG255, NONE, NULL, OK, BIT(TOP), BIT(TOP), {{0}}},
    {"create, longer", VFS_CREATE, TOP, LONG255 "a", NONE, NULL, E_NAMETOOLONG, 0, 0, {{0}}},
    {"mkdir", VFS_MKDIR, TOP, "n", NONE, NULL, OK, BIT(TOP), BIT(TOP), {{TOP, 5}}},
    {"mkdir, taken", VFS_MKDIR, TOP, "f", NONE, NULL, E_EXIST, 0, 0, {{TOP, 4}}},
    {"symlink", VFS_SYMLINK, TOP, "n", NONE, NULL, OK, BIT(TOP), BIT(TOP), {{TOP, 4}}},
    {"symlink, taken", VFS_SYMLINK, TOP, "l", NONE, NULL, E_EXIST, 0, 0, {{0}}},
    {"link", VFS_LINK, D, "n", F, NULL, OK, BIT(D), BIT(D) | BIT(F), {{F, 3}, {D, 2}}},
    {"link, taken", VFS_LINK, TOP, "g", F, NULL, E_EXIST, 0, 0, {{F, 2}}},
    {"link of a directory", VFS_LINK, TOP, "n", D, NULL, E_PERM, 0, 0, {{D, 2}}},
    {"link of a symbolic link",
     VFS_LINK,
     TOP,
     "n",
     L,
     NULL,
     OK,
     BIT(TOP),
     BIT(TOP) | BIT(L),
     {{L, 2}}},
    /* Removing. */
    {"unlink, last name", VFS_UNLINK, TOP, "g", NONE, NULL, OK, BIT(TOP), BIT(TOP), {{G, 0}}},
    {"unlink, one of two",
     VFS_UNLINK,
     TOP,
     "h",
     NONE,
     NULL,
     OK,
     BIT(TOP),
     BIT(TOP) | BIT(F),
     {{F, 1}}},
    {"unlink, absent", VFS_UNLINK, TOP, "n", NONE, NULL, E_NOENT, 0, 0, {{0}}},
    {"unlink of a directory", VFS_UNLINK, TOP, "d", NONE, NULL, E_ISDIR, 0, 0, {{D, 2}}},
    {"unlink of a symbolic link",
     VFS_UNLINK,
     TOP,
     "l",
     NONE,
     NULL,
     OK,
     BIT(TOP),
     BIT(TOP),
     {{L, 0}, {F, 2}}},
    {"rmdir", VFS_RMDIR, TOP, "d", NONE, NULL, OK, BIT(TOP), BIT(TOP), {{D, 0}, {TOP, 3}}},
    {"rmdir, not empty", VFS_RMDIR, TOP, "e", NONE, NULL, E_NOTEMPTY, 0, 0, {{E, 3}, {TOP, 4}}},
    {"rmdir of a file", VFS_RMDIR, TOP, "f", NONE, NULL, E_NOTDIR, 0, 0, {{F, 2}}},
    {"rmdir of a symbolic link", VFS_RMDIR, TOP, "l", NONE, NULL, E_NOTDIR, 0, 0, {{0}}},
    {"rmdir, absent", VFS_RMDIR, TOP, "n", NONE, NULL, E_NOENT, 0, 0, {{0}}},
    /* Moving. */
    {"rename", VFS_RENAME, TOP, "g", TOP, "n", OK, BIT(TOP), BIT(TOP) | BIT(G), {{G, 1}, {TOP, 4}}},
    {"rename to another directory",
     VFS_RENAME,
     TOP,
     "g",
     D,
     "n",
     OK,
     BIT(TOP) | BIT(D),
     BIT(TOP) | BIT(D) | BIT(G),
     {{G, 1}, {D, 2}}},
    {"rename, absent", VFS_RENAME, TOP, "n", TOP, "f", E_NOENT, 0, 0, {{F, 2}}},
    {"rename into a file", VFS_RENAME, TOP, "g", F, "n", E_NOTDIR, 0, 0, {{0}}},
    {"rename to a long name", VFS_RENAME, TOP, "g", TOP, LONG255 "a", E_NAMETOOLONG, 0, 0, {{0}}},
    {"rename over a file",
     VFS_RENAME,
     TOP,
     "g",
     E,
     "f",
     OK,
     BIT(TOP) | BIT(E),
     BIT(TOP) | BIT(E) | BIT(G),
     {{G, 1}, {E_F, 0}, {E, 3}}},
    {"rename over one of two names",
     VFS_RENAME,
     TOP,
     "g",
     TOP,
     "h",
     OK,
     BIT(TOP),
     BIT(TOP) | BIT(G) | BIT(F),
     {{G, 1}, {F, 1}}},
    {"rename over itself", VFS_RENAME, TOP, "g", TOP, "g", OK, 0, 0, {{G, 1}}},
    {"rename over its other name", VFS_RENAME, TOP, "f", TOP, "h", OK, 0, 0, {{F, 2}}},
    {"rename over a symbolic link",
     VFS_RENAME,
     TOP,
     "g",
     TOP,
     "l",
     OK,
     BIT(TOP),
     BIT(TOP) | BIT(G),
     {{L, 0}, {G, 1}, {F, 2}}},
    {"rename, file over directory",
     VFS_RENAME,
     TOP,
     "g",
     TOP,
     "d",
     E_ISDIR,
     0,
     0,
     {{G, 1}, {D, 2}}},
    {"rename, directory over file",
     VFS_RENAME,
     TOP,
     "d",
     TOP,
     "g",
     E_NOTDIR,
     0,
     0,
     {{G, 1}, {D, 2}}},
    {"rename, directory over symbolic link",
     VFS_RENAME,
     TOP,
     "d",
     TOP,
     "l",
     E_NOTDIR,
     0,
     0,
     {{L, 1}}},
    {"rename, directory over empty one",
     VFS_RENAME,
     TOP,
     "e",
     TOP,
     "d",
     OK,
     BIT(TOP),
     BIT(TOP) | BIT(E),
     {{D, 0}, {E, 3}, {TOP, 3}}},
    {"rename, directory over full one",
     VFS_RENAME,
     TOP,
     "d",
     TOP,
     "e",
     E_NOTEMPTY,
     0,
     0,
     {{D, 2}, {E, 3}, {TOP, 4}}},
    {"rename, directory over empty one elsewhere",
     VFS_RENAME,
     TOP,
     "d",
     E,
     "s",
     OK,
     BIT(TOP) | BIT(E),
     BIT(TOP) | BIT(E) | BIT(D),
     {{E_S, 0}, {E, 3}, {TOP, 3}}},
    {"rename, directory to another",
     VFS_RENAME,
     E,
     "s",
     D,
     "n",
     OK,
     BIT(E) | BIT(D),
     BIT(E) | BIT(D) | BIT(E_S),
     {{E, 2}, {D, 3}, {E_S, 2}}},
    {"rename into itself", VFS_RENAME, TOP, "e", E, "n", E_ARG, 0, 0, {{E, 3}, {TOP, 4}}},
    {"rename below itself", VFS_RENAME, TOP, "e", E_S, "n", E_ARG, 0, 0, {{E, 3}, {TOP, 4}}},
    {"rename over its parent", VFS_RENAME, E, "s", TOP, "e", E_NOTEMPTY, 0, 0, {{E, 3}, {E_S, 2}}},
};

static bool ask(struct vfs_request r, const char *name, const char *name2, void *data, size_t bytes,
                enum err *e, struct vfs_reply *reply)
{
    r.sequence = ++rig_sequence;
    r.attempt = 1;
    return rig_ask(&r, name, name2, data, bytes, e, reply);
}

static void begin(void)
{
    rig_start();
    ino[TOP] = ROOT;
    enum err e;
    struct vfs_reply reply;
    for (enum thing t = F; t <= L; t++) {
        struct vfs_request r = {
            .op = made[t].op, .ino = ino[made[t].parent], .mode = 0644, .length = 1};
        ck_assert(ask(r, made[t].name, NULL, "f", made[t].op == VFS_SYMLINK ? 1 : 0, &e, &reply));
        ck_assert_int_eq(e, OK);
        ino[t] = reply.stat.ino;
    }
    ck_assert_int_eq(rig_two_names(VFS_LINK, ROOT, "h", ino[F], NULL), OK);
}

static enum err stat_of(enum thing t, struct vfs_stat *stat)
{
    struct vfs_reply reply = {0};
    enum err e = E_DEAD;
    ck_assert(
        ask((struct vfs_request){.op = VFS_STAT, .ino = ino[t]}, NULL, NULL, NULL, 0, &e, &reply));
    *stat = reply.stat;
    return e;
}

static void check_row(const struct row *row)
{
    struct vfs_stat before[THINGS], after;
    struct vfs_reply reply;
    enum err e = E_DEAD;
    begin();
    for (enum thing t = TOP; t <= L; t++)
        ck_assert_int_eq(stat_of(t, &before[t]), OK);
    fake_advance(1000000);
    struct vfs_request r = {
        .op = row->op, .ino = ino[row->dir], .ino2 = ino[row->dir2], .length = 1};
    ck_assert(ask(r, row->name, row->name2, "x", row->op == VFS_SYMLINK ? 1 : 0, &e, &reply));
    ck_assert_msg(e == row->want, "%s: %d, want %d", row->what, e, row->want);
    for (enum thing t = TOP; t <= L; t++) {
        if (stat_of(t, &after) != OK)
            continue;
        ck_assert_msg((after.mtime_ns != before[t].mtime_ns) == ((row->mtime & BIT(t)) != 0),
                      "%s: mtime of %d", row->what, t);
        ck_assert_msg((after.ctime_ns != before[t].ctime_ns) == ((row->ctime & BIT(t)) != 0),
                      "%s: ctime of %d", row->what, t);
    }
    for (uint32_t k = 0; k < 3 && row->links[k].thing != NONE; k++) {
        e = stat_of(row->links[k].thing, &after);
        uint32_t count = e == OK ? after.nlink : 0;
        ck_assert_msg(count == row->links[k].count, "%s: %u names of %d", row->what, count,
                      row->links[k].thing);
    }
}

START_TEST(test_rules__each_request_is_answered_as_posix_says)
{
    for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++)
        check_row(&rows[k]);
}
END_TEST

START_TEST(test_rules__data_and_attributes_mark_the_times_that_posix_says)
{
    static const struct {
        const char *what;
        struct vfs_request r;
        bool mtime, ctime;
    } changes[] = {
        {"write", {.op = VFS_WRITE, .length = 10}, true, true},
        {"write of nothing", {.op = VFS_WRITE}, false, false},
        {"read", {.op = VFS_READ, .length = 10}, false, false},
        {"truncate", {.op = VFS_TRUNCATE, .size = 99}, true, true},
        {"chmod", {.op = VFS_SETATTR, .which = VFS_SET_MODE, .mode = 0600}, false, true},
        {"chown", {.op = VFS_SETATTR, .which = VFS_SET_OWNER, .uid = 3}, false, true},
        {"utimens", {.op = VFS_SETATTR, .which = VFS_SET_MTIME, .mtime_ns = 5}, true, true},
    };
    for (size_t k = 0; k < sizeof(changes) / sizeof(changes[0]); k++) {
        struct vfs_stat before, after;
        struct vfs_reply reply;
        enum err e = E_DEAD;
        char data[10] = "0123456789";
        begin();
        ck_assert_int_eq(stat_of(F, &before), OK);
        fake_advance(1000000);
        struct vfs_request r = changes[k].r;
        r.ino = ino[F];
        ck_assert(ask(r, NULL, NULL, data, sizeof(data), &e, &reply));
        ck_assert_int_eq(e, OK);
        ck_assert_int_eq(stat_of(F, &after), OK);
        ck_assert_msg((after.mtime_ns != before.mtime_ns) == changes[k].mtime, "%s: mtime",
                      changes[k].what);
        ck_assert_msg((after.ctime_ns != before.ctime_ns) == changes[k].ctime, "%s: ctime",
                      changes[k].what);
    }
}
END_TEST

/* Sets the count of names that is stored with an inode. */
static void set_links(enum thing t, uint32_t count)
{
    put_le32(fake_cache_find(ino[t])->attr + 8, count);
}

START_TEST(test_rules__names_of_one_inode_are_limited)
{
    struct vfs_reply reply;
    begin();
    set_links(F, VFS_LINK_MAX);
    set_links(D, VFS_LINK_MAX);
    ck_assert_int_eq(rig_two_names(VFS_LINK, ROOT, "n", ino[F], NULL), E_MLINK);
    ck_assert_int_eq(rig_name_op(VFS_MKDIR, ino[D], "n", &reply), E_MLINK);
    ck_assert_int_eq(rig_two_names(VFS_RENAME, ino[E], "s", ino[D], "n"), E_MLINK);
    ck_assert_int_eq(rig_name_op(VFS_CREATE, ino[D], "n", &reply),
                     OK); /* a file counts not there */
    set_links(F, VFS_LINK_MAX - 1);
    ck_assert_int_eq(rig_two_names(VFS_LINK, ROOT, "n", ino[F], NULL), OK);
}
END_TEST

START_TEST(test_rules__a_directory_removed_while_open_gets_no_names)
{
    struct vfs_reply reply;
    enum err e = E_DEAD;
    begin();
    ck_assert(ask((struct vfs_request){.op = VFS_RMDIR, .ino = ROOT, .flags = VFS_OPEN}, "d", NULL,
                  NULL, 0, &e, &reply));
    ck_assert_int_eq(e, OK);
    ck_assert_int_eq(rig_name_op(VFS_CREATE, ino[D], "n", &reply), E_NOENT);
    ck_assert_int_eq(rig_name_op(VFS_MKDIR, ino[D], "n", &reply), E_NOENT);
    ck_assert_int_eq(rig_two_names(VFS_RENAME, ROOT, "g", ino[D], "n"), E_NOENT);
    ck_assert_int_eq(rig_two_names(VFS_LINK, ino[D], "n", ino[F], NULL), E_NOENT);
    ck_assert(ask((struct vfs_request){.op = VFS_RELEASE, .ino = ino[D]}, NULL, NULL, NULL, 0, &e,
                  &reply));
    ck_assert_int_eq(e, OK);
    ck_assert_ptr_null(fake_cache_find(ino[D]));
}
END_TEST

CHECK_MAIN("rules", 60, tcase_add_test(tc, test_rules__each_request_is_answered_as_posix_says);
           tcase_add_test(tc, test_rules__data_and_attributes_mark_the_times_that_posix_says);
           tcase_add_test(tc, test_rules__names_of_one_inode_are_limited);
           tcase_add_test(tc, test_rules__a_directory_removed_while_open_gets_no_names);)
