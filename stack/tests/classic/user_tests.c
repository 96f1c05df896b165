/*
 * The tests of user_tests.h.
 */
#include "stack/tests/classic/user_tests.h"

#include <stdio.h>
#include <string.h>

#include "scripts/check_main.h"

#define USER_ROOT 1u
#define USER_REQUESTS_MAX 2000u
#define BIG_BYTES (1u << 20)
#define USER_LOCKS_MAX 4096u /* ../../classic/common/user.h */
#define LOCKED_FROM 100000u  /* numbers that no inode has */

static struct cut_rig user_rig;
static struct none_rig *const r = &user_rig.none;
static uint8_t bytes_a[BIG_BYTES], bytes_b[BIG_BYTES], got[BIG_BYTES];

static enum err edge(enum vfs_op op, uint64_t outer)
{
    r->outer = outer;
    enum err e = none_rig_plain(r, op, 0, 0);
    r->outer = op == VFS_BEGIN && e == OK ? outer : 0;
    return e;
}

static void start(const struct cut_design *design)
{
    cut_rig_init(&user_rig, design);
    r->outer = 0;
    memset(bytes_a, 'a', sizeof(bytes_a));
    memset(bytes_b, 'b', sizeof(bytes_b));
}

static uint64_t made(enum vfs_op op, uint64_t dir, const char *name)
{
    uint64_t ino = 0;
    ck_assert_int_eq(none_rig_make(r, op, dir, name, &ino), OK);
    return ino;
}

static uint64_t made_file(uint64_t dir, const char *name, const uint8_t *content, size_t bytes)
{
    uint64_t ino = made(VFS_CREATE, dir, name);
    ck_assert_int_eq(none_rig_write(r, ino, 0, content, bytes), OK);
    return ino;
}

static bool holds(uint64_t ino, const uint8_t *want, size_t bytes)
{
    uint64_t moved;
    enum err e = none_rig_read(r, ino, 0, got, sizeof(got), &moved);
    return e == OK && moved == bytes && memcmp(got, want, bytes) == 0;
}

static bool is_there(uint64_t dir, const char *name)
{
    enum err e = none_rig_lookup(r, dir, name);
    ck_assert_msg(e == OK || e == E_NOENT, "%s: %d", name, (int)e);
    return e == OK;
}

/* What one has changed is seen inside it alone, and by all after its commit. */
static void user_sees_its_own(const struct cut_design *design)
{
    start(design);
    uint64_t f = made_file(USER_ROOT, "f", bytes_a, 9000), d = made(VFS_MKDIR, USER_ROOT, "d");
    ck_assert_int_eq(edge(VFS_BEGIN, 7), OK);
    ck_assert_int_eq(none_rig_write(r, f, 0, bytes_b, 9000), OK);
    uint64_t g = made_file(d, "g", bytes_b, 100);
    ck_assert_int_eq(none_rig_rename(r, USER_ROOT, "f", d, "f"), OK);
    for (uint32_t inside = 0; inside < 2; inside++) {
        r->outer = inside == 1 ? 7 : 0;
        ck_assert(is_there(USER_ROOT, "f") == (inside == 0));
        ck_assert(is_there(d, "f") == (inside == 1));
        ck_assert(is_there(d, "g") == (inside == 1));
        ck_assert(holds(f, inside == 1 ? bytes_b : bytes_a, 9000));
    }
    ck_assert(holds(g, bytes_b, 100));
    ck_assert_int_eq(edge(VFS_COMMIT, 7), OK);
    ck_assert(!is_there(USER_ROOT, "f") && is_there(d, "f") && is_there(d, "g"));
    ck_assert(holds(f, bytes_b, 9000) && holds(g, bytes_b, 100));
    design->expect_sound(r);
    cut_rig_fini(&user_rig);
}

/* An abort leaves nothing of any kind of change, on the disk neither. */
static void user_abort_leaves_nothing(const struct cut_design *design)
{
    uint64_t ino;
    start(design);
    uint64_t f = made_file(USER_ROOT, "f", bytes_a, 300000), d = made(VFS_MKDIR, USER_ROOT, "d");
    (void)made_file(d, "gone", bytes_a, 5000);
    ck_assert_int_eq(none_rig_plain(r, VFS_SYNC, 0, 0), OK);
    ck_assert_int_eq(edge(VFS_BEGIN, 7), OK);
    for (uint32_t k = 0; k < 40; k++) {
        char name[16];
        snprintf(name, sizeof(name), "new%u", k);
        ck_assert_int_eq(none_rig_make(r, k % 2 == 0 ? VFS_CREATE : VFS_MKDIR, d, name, &ino), OK);
    }
    ck_assert_int_eq(none_rig_plain(r, VFS_TRUNCATE, f, 10), OK);
    ck_assert_int_eq(none_rig_write(r, f, 250000, bytes_b, 9000), OK);
    ck_assert_int_eq(none_rig_remove(r, VFS_UNLINK, d, "gone"), OK);
    ck_assert_int_eq(none_rig_rename(r, USER_ROOT, "f", d, "new0"), OK);
    ck_assert_int_eq(edge(VFS_ABORT, 7), OK);
    ck_assert(is_there(USER_ROOT, "f") && is_there(d, "gone") && !is_there(d, "new0"));
    ck_assert(holds(f, bytes_a, 300000));
    ck_assert_int_eq(edge(VFS_COMMIT, 7), E_ABORT);
    design->expect_sound(r);
    cut_rig_fini(&user_rig);
}

/* Nobody changes what another has looked at; outside, reading goes on. */
static void user_locks(const struct cut_design *design)
{
    start(design);
    uint64_t f = made_file(USER_ROOT, "f", bytes_a, 100), g = made_file(USER_ROOT, "g", bytes_a, 9);
    uint64_t d = made(VFS_MKDIR, USER_ROOT, "d"), moved;
    ck_assert_int_eq(edge(VFS_BEGIN, 1), OK);
    ck_assert_int_eq(none_rig_write(r, f, 0, bytes_b, 100), OK);
    ck_assert_int_eq(none_rig_read(r, g, 0, got, sizeof(got), &moved), OK);
    r->outer = 0;
    ck_assert_int_eq(none_rig_write(r, f, 0, bytes_a, 1), E_WAIT);
    ck_assert_int_eq(none_rig_write(r, g, 0, bytes_a, 1), E_WAIT);
    ck_assert_int_eq(none_rig_remove(r, VFS_UNLINK, USER_ROOT, "f"), E_WAIT);
    ck_assert_int_eq(none_rig_plain(r, VFS_TRUNCATE, f, 0), E_WAIT);
    ck_assert(holds(f, bytes_a, 100));
    ck_assert_int_eq(none_rig_plain(r, VFS_FSYNC, f, 0), OK);
    (void)made(VFS_CREATE, d, "elsewhere");
    ck_assert_int_eq(edge(VFS_BEGIN, 2), OK);
    ck_assert_int_eq(none_rig_read(r, g, 0, got, sizeof(got), &moved), OK);
    ck_assert_int_eq(none_rig_read(r, f, 0, got, sizeof(got), &moved), E_WAIT);
    ck_assert_int_eq(edge(VFS_COMMIT, 1), OK);
    r->outer = 2;
    ck_assert_int_eq(none_rig_read(r, f, 0, got, sizeof(got), &moved), OK);
    ck_assert_int_eq(got[0], 'b');
    ck_assert_int_eq(edge(VFS_COMMIT, 2), OK);
    ck_assert_int_eq(none_rig_write(r, f, 0, bytes_a, 1), OK);
    design->expect_sound(r);
    cut_rig_fini(&user_rig);
}

/* Two that wait for each other: the younger is aborted, and stays so. */
static void user_deadlock(const struct cut_design *design)
{
    uint64_t moved;
    start(design);
    uint64_t f = made_file(USER_ROOT, "f", bytes_a, 100), g = made_file(USER_ROOT, "g", bytes_a, 9);
    ck_assert_int_eq(edge(VFS_BEGIN, 1), OK);
    ck_assert_int_eq(none_rig_write(r, f, 0, bytes_b, 100), OK);
    ck_assert_int_eq(edge(VFS_BEGIN, 2), OK);
    ck_assert_int_eq(none_rig_write(r, g, 0, bytes_b, 9), OK);
    ck_assert_int_eq(none_rig_write(r, f, 0, bytes_b, 9), E_WAIT);
    r->outer = 1;
    ck_assert_int_eq(none_rig_write(r, g, 0, bytes_b, 9), OK); /* the younger has gone */
    r->outer = 2;
    ck_assert_int_eq(none_rig_read(r, g, 0, got, sizeof(got), &moved), E_ABORT);
    ck_assert_int_eq(edge(VFS_COMMIT, 2), E_ABORT);
    ck_assert_int_eq(edge(VFS_BEGIN, 3), OK);
    ck_assert_int_eq(none_rig_read(r, f, 0, got, sizeof(got), &moved), E_WAIT);
    ck_assert_int_eq(edge(VFS_COMMIT, 1), OK);
    r->outer = 3;
    ck_assert(holds(f, bytes_b, 100) && holds(g, bytes_b, 9));
    ck_assert_int_eq(edge(VFS_ABORT, 3), OK);
    design->expect_sound(r);
    cut_rig_fini(&user_rig);
}

/* One that is too large is aborted with an answer that says so, and what it made is free again. */
static void user_too_large(const struct cut_design *design)
{
    uint64_t g, moved;
    start(design);
    uint64_t f = made_file(USER_ROOT, "f", bytes_a, 100);
    ck_assert_int_eq(edge(VFS_BEGIN, 1), OK);
    ck_assert_int_eq(none_rig_make(r, VFS_CREATE, USER_ROOT, "g", &g), OK);
    enum err e = OK;
    for (uint32_t k = 0; k < 64 && e == OK; k++)
        e = none_rig_write(r, f, k * (uint64_t)(BIG_BYTES / 8), bytes_b, BIG_BYTES / 8);
    ck_assert_int_eq(e, E_2BIG);
    ck_assert_int_eq(none_rig_read(r, f, 0, got, sizeof(got), &moved), E_ABORT);
    ck_assert_int_eq(edge(VFS_ABORT, 1), OK);
    ck_assert(holds(f, bytes_a, 100) && !is_there(USER_ROOT, "g"));
    ck_assert_int_eq(edge(VFS_BEGIN, 2), OK);
    e = OK;
    for (uint32_t k = 0; k < 200 && e == OK; k++) {
        char name[16];
        snprintf(name, sizeof(name), "file%u", k);
        e = none_rig_make(r, VFS_CREATE, USER_ROOT, name, &g);
    }
    ck_assert_int_eq(e, E_2BIG);
    r->outer = 0;
    ck_assert_int_eq(none_rig_write(r, f, 0, bytes_b, BIG_BYTES / 8), OK);
    design->expect_sound(r);
    cut_rig_fini(&user_rig);
}

/* A file that was open when one unlinked it is read until its release. */
static void user_unlinks_what_is_open(const struct cut_design *design)
{
    start(design);
    uint64_t f = made_file(USER_ROOT, "f", bytes_a, 9000);
    struct vfs_request request = {.op = VFS_UNLINK, .ino = USER_ROOT, .flags = VFS_OPEN};
    ck_assert_int_eq(edge(VFS_BEGIN, 1), OK);
    ck_assert_int_eq(none_rig_call(r, &request, "f", NULL, NULL, 0, 0), OK);
    uint64_t g = made_file(USER_ROOT, "g", bytes_b, 9000);
    struct vfs_request again = {.op = VFS_UNLINK, .ino = USER_ROOT, .flags = VFS_OPEN};
    ck_assert_int_eq(none_rig_call(r, &again, "g", NULL, NULL, 0, 0), OK);
    ck_assert_int_eq(edge(VFS_COMMIT, 1), OK);
    ck_assert(!is_there(USER_ROOT, "f") && !is_there(USER_ROOT, "g"));
    ck_assert(holds(f, bytes_a, 9000) && holds(g, bytes_b, 9000));
    ck_assert_int_eq(none_rig_plain(r, VFS_RELEASE, f, 0), OK);
    ck_assert_int_eq(none_rig_plain(r, VFS_STAT, f, 0), E_NOENT);
    (void)cut_rig_cut(&user_rig, 100); /* g goes with the next mount */
    cut_rig_reboot(&user_rig, 0, 100);
    design->expect_sound(r);
    cut_rig_fini(&user_rig);
}

/* A mount ends those of the VFS before it. */
static void user_mount_ends(const struct cut_design *design)
{
    start(design);
    uint64_t f = made_file(USER_ROOT, "f", bytes_a, 100);
    ck_assert_int_eq(edge(VFS_BEGIN, 1), OK);
    ck_assert_int_eq(none_rig_write(r, f, 0, bytes_b, 100), OK);
    (void)made(VFS_CREATE, USER_ROOT, "g");
    r->outer = 0;
    ck_assert_int_eq(none_rig_plain(r, VFS_MOUNT, 0, 0), OK);
    ck_assert(holds(f, bytes_a, 100) && !is_there(USER_ROOT, "g"));
    ck_assert_int_eq(none_rig_write(r, f, 0, bytes_b, 100), OK);
    r->outer = 1;
    ck_assert_int_eq(none_rig_lookup(r, USER_ROOT, "f"), E_ABORT);
    r->outer = 0;
    design->expect_sound(r);
    cut_rig_fini(&user_rig);
}

/* ---- Against the same operations without transactions ---- */

#define GROUPS 60u
#define GROUP_STEPS 6u
#define DIRS 3u
#define NAMES 5u

static uint64_t dirs[DIRS];
static enum err answers[GROUPS * GROUP_STEPS];

static uint64_t target_of(uint64_t dir, const char *name)
{
    return none_rig_lookup(r, dir, name) == OK ? r->reply.stat.ino : 0;
}

static enum err random_write(uint64_t ino, uint32_t draw)
{
    static uint8_t content[40000];
    size_t bytes = 1 + draw % sizeof(content);
    memset(content, (int)draw, bytes);
    if (draw % 5 == 0)
        return none_rig_plain(r, VFS_TRUNCATE, ino, draw % 90000);
    return none_rig_write(r, ino, draw / 7 % 60000, content, bytes);
}

static enum err random_step(void)
{
    char name[8], name2[8];
    uint64_t from = dirs[cut_rig_draw(&user_rig, DIRS)], to = dirs[cut_rig_draw(&user_rig, DIRS)];
    uint32_t what = cut_rig_draw(&user_rig, 10), draw = cut_rig_draw(&user_rig, 1u << 30);
    snprintf(name, sizeof(name), "n%u", cut_rig_draw(&user_rig, NAMES));
    snprintf(name2, sizeof(name2), "n%u", cut_rig_draw(&user_rig, NAMES));
    uint64_t ino = target_of(from, name);
    struct vfs_request request = {.op = VFS_LINK, .ino = to, .ino2 = ino};
    switch (what) {
    case 0:
        return none_rig_make(r, VFS_MKDIR, from, name, NULL);
    case 1:
        return none_rig_remove(r, VFS_UNLINK, from, name);
    case 2:
        return none_rig_remove(r, VFS_RMDIR, from, name);
    case 3:
    case 4:
        return none_rig_rename(r, from, name, to, name2);
    case 5:
        return ino == 0 ? E_NOENT : none_rig_call(r, &request, name2, NULL, NULL, 0, 0);
    default:
        return ino == 0 ? none_rig_make(r, VFS_CREATE, from, name, NULL) : random_write(ino, draw);
    }
}

/* Which groups are aborted is drawn first: without transactions they are left out. */
static void run_groups(bool transactions, uint64_t seed)
{
    bool aborted[GROUPS];
    user_rig.rng = seed;
    for (uint32_t g = 0; g < GROUPS; g++)
        aborted[g] = cut_rig_draw(&user_rig, 4) == 0;
    for (uint32_t g = 0; g < GROUPS; g++) {
        user_rig.rng = seed * 1000 + g;
        if (aborted[g] && !transactions)
            continue;
        if (transactions)
            ck_assert_int_eq(edge(VFS_BEGIN, g + 1), OK);
        for (uint32_t k = 0; k < GROUP_STEPS; k++) {
            enum err e = random_step();
            if (transactions)
                answers[g * GROUP_STEPS + k] = e;
            else
                ck_assert_msg(e == answers[g * GROUP_STEPS + k], "group %u, %u: %d instead of %d",
                              g, k, (int)e, (int)answers[g * GROUP_STEPS + k]);
        }
        if (transactions)
            ck_assert_int_eq(edge(aborted[g] ? VFS_ABORT : VFS_COMMIT, g + 1), OK);
    }
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
    return (hash ^ word) * UINT64_C(0x100000001b3); /* FNV-1a, word by word */
}

/* Names, types, links, sizes and contents of the directories; inode numbers may differ. */
static uint64_t tree_hash(void)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325), moved;
    for (uint32_t k = 0; k < DIRS * NAMES; k++) {
        char name[8];
        snprintf(name, sizeof(name), "n%u", k % NAMES);
        uint64_t ino = target_of(dirs[k / NAMES], name);
        if (ino == 0)
            continue;
        struct vfs_stat s = r->reply.stat;
        hash = mix(mix(mix(hash, k), s.type), s.nlink);
        if (s.type != VFS_FILE)
            continue;
        ck_assert_int_eq(none_rig_read(r, ino, 0, got, sizeof(got), &moved), OK);
        ck_assert_uint_eq(moved, s.size);
        for (uint64_t at = 0; at < moved; at++)
            hash = mix(hash, got[at]);
    }
    return hash;
}

/* Random operations in transactions, some aborted, answer and leave what the others do without. */
static void user_equals_plain(const struct cut_design *design, uint64_t seed)
{
    uint64_t hash[2];
    for (uint32_t k = 0; k < 2; k++) {
        start(design);
        for (uint32_t d = 0; d < DIRS; d++) {
            char name[8];
            snprintf(name, sizeof(name), "d%u", d);
            dirs[d] = made(VFS_MKDIR, USER_ROOT, name);
        }
        run_groups(k == 0, seed);
        hash[k] = tree_hash();
        none_rig_reboot(r, true);
        ck_assert_uint_eq(tree_hash(), hash[k]);
        design->expect_sound(r);
        cut_rig_fini(&user_rig);
    }
    ck_assert_uint_eq(hash[0], hash[1]);
}

/* ---- Cuts ---- */

struct cut_tree {
    uint64_t x, y, a, b, c;
};

static struct cut_tree make_cut_tree(void)
{
    struct cut_tree t = {.x = made(VFS_MKDIR, USER_ROOT, "x"),
                         .y = made(VFS_MKDIR, USER_ROOT, "y")};
    t.a = made_file(t.x, "a", bytes_a, 9000);
    t.b = made_file(t.x, "b", bytes_a, 9000);
    t.c = made_file(t.x, "c", bytes_a, 100000);
    (void)made(VFS_MKDIR, t.x, "d");
    (void)made_file(t.y, "over", bytes_a, 10);
    (void)made_file(t.x, "goes", bytes_a, 5000);
    ck_assert_int_eq(none_rig_plain(r, VFS_SYNC, 0, 0), OK);
    return t;
}

static void change_cut_tree(const struct cut_tree *t)
{
    uint64_t n;
    (void)!none_rig_write(r, t->a, 0, bytes_b, 9000);
    (void)!none_rig_write(r, t->b, 0, bytes_b, 9000);
    (void)!none_rig_plain(r, VFS_TRUNCATE, t->c, 5000);
    (void)!none_rig_rename(r, t->x, "d", t->y, "d");
    (void)!none_rig_rename(r, t->x, "b", t->y, "over");
    (void)!none_rig_remove(r, VFS_UNLINK, t->x, "goes");
    if (none_rig_make(r, VFS_CREATE, t->y, "new", &n) == OK)
        (void)!none_rig_write(r, n, 0, bytes_b, 60000);
    (void)!none_rig_make(r, VFS_MKDIR, t->y, "dir", NULL);
}

/* All as before, or all as after; else neither. */
static bool is_state(const struct cut_tree *t, bool after)
{
    if (is_there(t->x, "d") == after || is_there(t->y, "d") != after ||
        is_there(t->x, "goes") == after || is_there(t->x, "b") == after ||
        is_there(t->y, "dir") != after || is_there(t->y, "new") != after)
        return false;
    if (after && !holds(target_of(t->y, "new"), bytes_b, 60000))
        return false;
    uint64_t over = target_of(t->y, "over");
    return holds(over, after ? bytes_b : bytes_a, after ? 9000 : 10) &&
           holds(t->a, after ? bytes_b : bytes_a, 9000) &&
           holds(t->b, after ? bytes_b : bytes_a, 9000) &&
           holds(t->c, bytes_a, after ? 5000 : 100000);
}

/* Returns whether the n-th request came. *seen: whether the new state was there. */
static bool cut_transaction(const struct cut_design *design, uint32_t n, uint32_t keep, bool *seen)
{
    start(design);
    user_rig.rng = n * 1000 + keep;
    struct cut_tree t = make_cut_tree();
    cut_rig_arm(&user_rig, n);
    bool committed = false, durable = false;
    if (edge(VFS_BEGIN, 1) == OK) {
        change_cut_tree(&t);
        committed = edge(VFS_COMMIT, 1) == OK;
    }
    r->outer = 0;
    if (committed) {
        durable = none_rig_plain(r, VFS_FSYNC, t.a, 0) == OK;
        (void)!none_rig_write(r, t.a, 0, bytes_b, 9000); /* over what is in the log */
        (void)!none_rig_plain(r, VFS_SYNC, 0, 0);
    }
    bool went = cut_rig_cut(&user_rig, keep);
    cut_rig_reboot(&user_rig, n % 3, keep);
    *seen = is_state(&t, true);
    ck_assert_msg(*seen || is_state(&t, false), "request %u, %u %%: a part of it", n, keep);
    ck_assert_msg(*seen || !durable, "request %u, %u %%: it was synced", n, keep);
    design->expect_sound(r);
    cut_rig_fini(&user_rig);
    return went;
}

/* A cut at any request of the disk leaves all of one or nothing. */
static void user_cut_at_every_request(const struct cut_design *design)
{
    static const uint32_t percents[] = {0, 50, 100};
    for (uint32_t k = 0; k < 3; k++) {
        uint32_t n = 1, after = 0;
        bool seen;
        for (; cut_transaction(design, n, percents[k], &seen); n++) {
            after += seen ? 1 : 0;
            ck_assert_uint_lt(n, USER_REQUESTS_MAX); /* a loop that never ends proves nothing */
        }
        ck_assert_uint_gt(n, 3);
        ck_assert_uint_gt(n, after); /* some saw nothing of it */
        ck_assert(seen);
    }
}

/* One that cannot lock what it makes is aborted, and the inode's number is free at once. */
static void user_too_many_locks(const struct cut_design *design)
{
    start(design);
    uint64_t first = made(VFS_CREATE, USER_ROOT, "first");
    ck_assert_int_eq(none_rig_remove(r, VFS_UNLINK, USER_ROOT, "first"), OK);
    ck_assert_int_eq(edge(VFS_BEGIN, 1), OK);
    ck_assert_int_eq(none_rig_plain(r, VFS_STAT, USER_ROOT, 0), OK);
    for (uint64_t k = 1; k < USER_LOCKS_MAX; k++) /* looked at, whatever they are */
        (void)!none_rig_plain(r, VFS_STAT, LOCKED_FROM + k, 0);
    ck_assert_int_eq(none_rig_make(r, VFS_CREATE, USER_ROOT, "new", NULL), E_2BIG);
    ck_assert_int_eq(edge(VFS_ABORT, 1), OK);
    ck_assert_uint_eq(made(VFS_CREATE, USER_ROOT, "second"), first);
    design->expect_sound(r);
    cut_rig_fini(&user_rig);
}

/* ---- As tests ---- */

static user_design_fn *user_design;
static int user_modes;

START_TEST(test_user__sees_its_own_changes_alone_until_the_commit)
{
    struct cut_design design = user_design(_i % user_modes);
    user_sees_its_own(&design);
}
END_TEST

START_TEST(test_user__an_abort_leaves_nothing)
{
    struct cut_design design = user_design(_i % user_modes);
    user_abort_leaves_nothing(&design);
}
END_TEST

START_TEST(test_user__locks_keep_others_from_changing_what_it_has_seen)
{
    struct cut_design design = user_design(_i % user_modes);
    user_locks(&design);
}
END_TEST

START_TEST(test_user__the_younger_of_two_that_wait_for_each_other_is_aborted)
{
    struct cut_design design = user_design(_i % user_modes);
    user_deadlock(&design);
}
END_TEST

START_TEST(test_user__one_that_is_too_large_is_aborted)
{
    struct cut_design design = user_design(_i % user_modes);
    user_too_large(&design);
}
END_TEST

START_TEST(test_user__one_with_too_many_locks_is_aborted_and_leaves_no_inode)
{
    struct cut_design design = user_design(_i % user_modes);
    user_too_many_locks(&design);
}
END_TEST

START_TEST(test_user__what_it_unlinks_while_open_stays_until_released)
{
    struct cut_design design = user_design(_i % user_modes);
    user_unlinks_what_is_open(&design);
}
END_TEST

START_TEST(test_user__a_mount_ends_what_was_open)
{
    struct cut_design design = user_design(_i % user_modes);
    user_mount_ends(&design);
}
END_TEST

START_TEST(test_user__operations_answer_and_leave_what_they_do_outside)
{
    struct cut_design design = user_design(_i % user_modes);
    user_equals_plain(&design, 17 + (uint64_t)_i);
}
END_TEST

START_TEST(test_user__a_cut_at_any_request_leaves_all_or_nothing)
{
    struct cut_design design = user_design(_i % user_modes);
    user_cut_at_every_request(&design);
}
END_TEST

void user_tests_add(TCase *tc, user_design_fn *design, int modes)
{
    user_design = design;
    user_modes = modes;
    tcase_add_loop_test(tc, test_user__sees_its_own_changes_alone_until_the_commit, 0, modes);
    tcase_add_loop_test(tc, test_user__an_abort_leaves_nothing, 0, modes);
    tcase_add_loop_test(tc, test_user__locks_keep_others_from_changing_what_it_has_seen, 0, modes);
    tcase_add_loop_test(tc, test_user__the_younger_of_two_that_wait_for_each_other_is_aborted, 0,
                        modes);
    tcase_add_loop_test(tc, test_user__one_that_is_too_large_is_aborted, 0, modes);
    tcase_add_loop_test(tc, test_user__one_with_too_many_locks_is_aborted_and_leaves_no_inode, 0,
                        modes);
    tcase_add_loop_test(tc, test_user__what_it_unlinks_while_open_stays_until_released, 0, modes);
    tcase_add_loop_test(tc, test_user__a_mount_ends_what_was_open, 0, modes);
    tcase_add_loop_test(tc, test_user__operations_answer_and_leave_what_they_do_outside, 0,
                        5 * modes);
    tcase_add_loop_test(tc, test_user__a_cut_at_any_request_leaves_all_or_nothing, 0, modes);
}
