/*
 * What a boot found is the first state of the next epoch: it may not go again, what is asked later
 * is judged on top of it, and what was before is gone for good.
 */
#include <string.h>

#include "scripts/check_main.h"
#include "workloads/oracle/base.h"
#include "workloads/oracle/content.h"
#include "workloads/oracle/copy.h"
#include "workloads/tests/oracle/rig.h"
#include "workloads/tests/oracle/scene.h"

#define RANDOM_CASES 20000u

static struct scene s;

static struct history_call call_of(enum history_kind kind, const char *path, const char *path2)
{
    return (struct history_call){.kind = kind, .path = path, .path2 = path2, .fd = 3, .mode = 0755};
}

/* Two homes with a file each, of 8192 bytes, written and synced by one application each; a loss of
 * power. Returns the write of f in home 0. */
static uint32_t first_epoch(void)
{
    uint32_t w = 0;
    scene_open(&s, 1);
    (void)history_add_app(s.h, 0);
    for (uint32_t app = 0; app < 2; app++) {
        (void)scene_do(&s, app, call_of(HISTORY_MKDIR, app == 0 ? "a" : "b", NULL), OK);
        uint32_t write = scene_file(&s, app, app == 0 ? "a/f" : "b/f", 8192);
        (void)scene_fsync(&s, app);
        w = app == 0 ? write : w;
    }
    scene_cut(&s);
    return w;
}

struct found { /* what is there of a home */
    uint32_t writer;
    uint64_t size;
    bool dir, file;
};

static const struct found whole = {.size = 8192, .dir = true, .file = true};

/* Reads the homes back; the file of the first has bytes of `writer`, that of the second zeros. */
static uint32_t see_homes(struct found a, struct found b)
{
    uint32_t dir = 0;
    observation_reset(s.o);
    uint32_t root = scene_root(&s, 0, false);
    memset(s.bytes, 0, sizeof(s.bytes));
    if (b.dir)
        dir = scene_see_dir(&s, root, "b", 20);
    if (b.dir && b.file)
        (void)scene_see(&s, dir, "f", 21, b.size);
    if (a.dir)
        dir = scene_see_dir(&s, root, "a", 10);
    if (a.dir && a.file) {
        if (a.writer != 0)
            scene_fill(&s, a.writer, 0, 4096);
        (void)scene_see(&s, dir, "f", 11, a.size);
    }
    return dir;
}

static void go_on(void)
{
    ck_assert(history_rebase(s.h, s.o, s.now, false));
    for (uint32_t app = 0; app < 2; app++)
        history_revive(s.h, app);
}

START_TEST(test_base__what_was_found_must_be_found_again)
{
    (void)first_epoch();
    (void)see_homes(whole, whole);
    ck_assert_int_eq(scene_judge(&s), LEVEL_SILENT); /* all was lost: the oracle has said so */
    go_on();
    ck_assert_int_eq(scene_judge(&s), LEVEL_TRANSPARENT);
    ck_assert_uint_eq(s.v.ops, 8);
    ck_assert_uint_eq(s.v.environment[0].killed, 2);
    scene_cut(&s);
    ck_assert_int_eq(scene_judge(&s), LEVEL_TRANSPARENT);
    scene_close(&s);
}
END_TEST

START_TEST(test_base__a_loss_in_a_later_epoch_is_told)
{
    const struct found lost[] = {{.dir = true},
                                 {.dir = false},
                                 {.dir = true, .file = true, .size = 4096},
                                 {.dir = true, .file = true, .size = 8192, .writer = 1}};
    const enum level level[] = {LEVEL_STRUCTURAL, LEVEL_STRUCTURAL, LEVEL_SILENT, LEVEL_SILENT};
    for (uint32_t k = 0; k < 4; k++)
        for (uint32_t works = 0; works < 2; works++) {
            uint32_t w = first_epoch();
            (void)see_homes(whole, whole);
            go_on();
            if (works == 1) /* in the other home, which nobody lost */
                (void)scene_do(&s, 1, call_of(HISTORY_CHMOD, "b", NULL), OK);
            scene_cut(&s);
            struct found bad = lost[k];
            bad.writer = bad.writer == 0 ? 0 : w;
            (void)see_homes(bad, whole);
            ck_assert_int_eq(scene_judge(&s), level[k]);
            if (level[k] == LEVEL_STRUCTURAL)
                ck_assert_uint_ge(s.v.synced_lost, 1);
            scene_close(&s);
        }
}
END_TEST

/* Bytes that an earlier epoch wrote, and a boot did not find, are none of the file's any more. */
START_TEST(test_base__versions_of_an_earlier_epoch_are_none)
{
    uint32_t w = first_epoch();
    (void)see_homes(whole, whole);
    go_on();
    struct found old = whole;
    old.writer = w;
    (void)see_homes(old, whole);
    ck_assert_int_eq(scene_judge(&s), LEVEL_SILENT);
    ck_assert_uint_eq(s.v.bytes_wrong, 4096);
    scene_close(&s);
}
END_TEST

START_TEST(test_base__what_is_written_later_lies_on_top)
{
    for (uint32_t synced = 0; synced < 2; synced++)
        for (uint32_t there = 0; there < 2; there++) {
            (void)first_epoch();
            (void)see_homes(whole, whole);
            go_on();
            (void)scene_do(&s, 0, call_of(HISTORY_OPEN, "a/f", NULL), OK);
            uint32_t w = scene_write(&s, 0, 0, 4096);
            if (synced == 1)
                (void)scene_fsync(&s, 0);
            scene_cut(&s);
            struct found now = whole;
            now.writer = there == 1 ? w : 0;
            (void)see_homes(now, whole);
            enum level want = there == 1    ? LEVEL_TRANSPARENT
                              : synced == 1 ? LEVEL_PREFIX
                                            : LEVEL_DURABLE;
            ck_assert_int_eq(scene_judge(&s), want);
            ck_assert_uint_eq(s.v.ops_lost, 1 - there);
            ck_assert_uint_eq(s.v.synced_lost, there == 1 ? 0 : synced);
            scene_close(&s);
        }
}
END_TEST

START_TEST(test_base__answers_are_held_against_it)
{
    uint32_t w = first_epoch();
    (void)see_homes(whole, whole);
    go_on();
    (void)scene_do(&s, 0, call_of(HISTORY_OPEN, "a/f", NULL), OK);
    memset(s.bytes, 0, sizeof(s.bytes));
    ck_assert(scene_read(&s, 0, 0, 8192, 8192));
    ck_assert(!scene_read(&s, 0, 4096, 8192, 100)); /* it ends at 8192 */
    scene_fill(&s, w, 0, 4096);
    ck_assert(!scene_read(&s, 0, 0, 4096, 4096));
    uint32_t op = scene_do(&s, 0, call_of(HISTORY_MKDIR, "a", NULL), OK);
    ck_assert(history_op(s.h, op)->wrong); /* it is there */
    op = scene_do(&s, 1, call_of(HISTORY_UNLINK, "b/f", NULL), E_NOENT);
    ck_assert(history_op(s.h, op)->wrong);
    ck_assert_uint_eq(history_wrongs(s.h), 4);
    ck_assert_int_eq(scene_judge(&s), LEVEL_SILENT);
    scene_cut(&s);
    (void)see_homes(whole, whole);
    go_on();
    ck_assert_int_eq(scene_judge(&s), LEVEL_TRANSPARENT); /* they are told, and judged */
    ck_assert_uint_eq(history_wrongs(s.h), 4);
    scene_close(&s);
}
END_TEST

/* A file of two names below different names of the root, used by one application each. */
START_TEST(test_base__a_file_of_two_names_is_one)
{
    for (uint32_t bad = 0; bad < 2; bad++) {
        (void)first_epoch();
        for (uint32_t pass = 0; pass < 2; pass++) {
            observation_reset(s.o);
            uint32_t root = scene_root(&s, 0, false);
            memset(s.bytes, 0, sizeof(s.bytes));
            for (uint32_t app = 0; app < 2; app++) {
                uint32_t dir = scene_see_dir(&s, root, app == 0 ? "a" : "b", 10 + app);
                if (pass == 1 && app == 1)
                    continue; /* unlinked since */
                uint32_t node = observe_entry(s.o, dir, "f", HISTORY_FILE);
                struct history_stat stat = {
                    .ino = 7, .size = 4096, .type = HISTORY_FILE, .mode = 0644, .nlink = 2 - pass};
                if (pass == 1 && bad == 0)
                    scene_fill(&s, history_ops(s.h) - 1, 0, 4096);
                observe_stat(s.o, node, OK, &stat);
                observe_data(s.o, node, 0, OK, s.bytes, 4096);
            }
            if (pass == 1)
                break;
            go_on();
            ck_assert_int_eq(scene_judge(&s), LEVEL_TRANSPARENT);
            (void)scene_do(&s, 0, call_of(HISTORY_OPEN, "a/f", NULL), OK);
            (void)scene_write(&s, 0, 0, 4096);
            (void)scene_do(&s, 1, call_of(HISTORY_UNLINK, "b/f", NULL), OK);
            scene_cut(&s);
        }
        ck_assert_int_eq(scene_judge(&s), bad == 0 ? LEVEL_TRANSPARENT : LEVEL_SYNCED);
        scene_close(&s);
    }
}
END_TEST

/* Two applications race for a name of the base: the orders are told on top of it. */
START_TEST(test_base__races_are_judged_on_it)
{
    for (uint32_t first = 0; first < 3; first++) {
        (void)first_epoch();
        (void)see_homes(whole, whole);
        go_on();
        uint32_t ops[2];
        for (uint32_t app = 0; app < 2; app++)
            ops[app] =
                scene_begin(&s, app, call_of(HISTORY_RENAME, app == 0 ? "a/f" : "b/f", "a/g"));
        for (uint32_t app = 0; app < 2; app++)
            scene_end(&s, ops[app], (struct history_answer){.result = OK});
        scene_cut(&s);
        observation_reset(s.o);
        uint32_t root = scene_root(&s, 0, false);
        memset(s.bytes, first == 2 ? 1 : 0, sizeof(s.bytes));
        uint32_t dir = scene_see_dir(&s, root, "a", 10);
        (void)scene_see(&s, dir, "g", 11 + 10 * first, 8192);
        (void)scene_see_dir(&s, root, "b", 20);
        ck_assert_int_eq(scene_judge(&s), first == 2 ? LEVEL_SILENT : LEVEL_TRANSPARENT);
        ck_assert_uint_eq(s.v.ops, 10);
        scene_close(&s);
    }
}
END_TEST

START_TEST(test_base__bytes_that_could_not_be_read_may_be_anything)
{
    (void)first_epoch();
    for (uint32_t pass = 0; pass < 2; pass++) {
        uint32_t dir = see_homes((struct found){.dir = true}, whole);
        uint32_t node = observe_entry(s.o, dir, "f", HISTORY_FILE);
        struct history_stat stat = {
            .ino = 11, .size = 8192, .type = HISTORY_FILE, .mode = 0644, .nlink = 1};
        observe_stat(s.o, node, OK, &stat);
        memset(s.bytes, 5, 8192);
        observe_data(s.o, node, 0, pass == 0 ? E_IO : OK, s.bytes, 4096);
        observe_data(s.o, node, 4096, OK, s.bytes, 4096);
        if (pass == 0)
            go_on();
    }
    ck_assert_int_eq(scene_judge(&s), LEVEL_TRANSPARENT);
    scene_close(&s);
}
END_TEST

START_TEST(test_base__names_that_could_not_be_read_are_none)
{
    (void)first_epoch();
    observation_reset(s.o);
    uint32_t root = scene_root(&s, 0, false);
    (void)observe_entry(s.o, root, "a", HISTORY_DIRECTORY); /* no stat came */
    ck_assert(!history_rebase(s.h, s.o, s.now, false));
    (void)see_homes(whole, whole);
    ck_assert_int_eq(scene_judge(&s), LEVEL_SILENT); /* nothing has changed: zeros for data */
    observation_reset(s.o);
    observe_listing(s.o, observe_root(s.o, 0, false), E_IO);
    ck_assert(!history_rebase(s.h, s.o, s.now, false));
    scene_close(&s);
}
END_TEST

/* Extended attributes u and v of a/f, told by their digests; those in `there`, by bits. */
static void see_xattrs(unsigned there)
{
    observation_reset(s.o);
    uint32_t root = scene_root(&s, 0, false);
    uint32_t dir = scene_see_dir(&s, root, "a", 10);
    (void)scene_see_dir(&s, root, "b", 20);
    memset(s.bytes, 0, 100);
    uint32_t node = observe_entry(s.o, dir, "f", HISTORY_FILE);
    struct history_stat stat = {
        .ino = 11, .size = 100, .type = HISTORY_FILE, .mode = 0644, .nlink = 1};
    const char *const names[] = {"u", "v"};
    for (unsigned k = 0; k < 2; k++) {
        uint64_t digest = content_digest(names[k], (const uint8_t *)"value", 5);
        if ((there >> k & 1) == 0)
            continue;
        stat.xattrs ^= digest;
        observe_xattr(s.o, node, content_digest(names[k], NULL, 0), digest);
    }
    observe_stat(s.o, node, OK, &stat);
    observe_data(s.o, node, 0, OK, s.bytes, 100);
}

START_TEST(test_base__attributes_are_known_by_name)
{
    struct history_call call = {.kind = HISTORY_GETXATTR, .path = "a/f"};
    (void)first_epoch();
    see_xattrs(3);
    go_on();
    ck_assert_int_eq(scene_judge(&s), LEVEL_TRANSPARENT);
    call.path2 = "v";
    uint32_t op = scene_begin(&s, 0, call);
    scene_end(&s, op, (struct history_answer){.moved = 5, .data = (const uint8_t *)"value"});
    ck_assert(!history_op(s.h, op)->wrong);
    op = scene_begin(&s, 0, call);
    scene_end(&s, op, (struct history_answer){.moved = 5, .data = (const uint8_t *)"other"});
    ck_assert(history_op(s.h, op)->wrong);
    op = scene_do(&s, 0, call, E_NODATA);
    ck_assert(history_op(s.h, op)->wrong);
    scene_close(&s);
    for (unsigned there = 0; there < 4; there++) {
        (void)first_epoch();
        see_xattrs(3);
        go_on();
        call.kind = HISTORY_REMOVEXATTR;
        call.path2 = "u";
        op = scene_do(&s, 0, call, OK);
        ck_assert(!history_op(s.h, op)->wrong);
        scene_cut(&s);
        see_xattrs(there);
        enum level want = there == 2   ? LEVEL_TRANSPARENT
                          : there == 3 ? LEVEL_DURABLE
                          : there == 0 ? LEVEL_STRUCTURAL /* as when it was made */
                                       : LEVEL_SILENT;
        ck_assert_int_eq(scene_judge(&s), want);
        scene_close(&s);
    }
    (void)first_epoch();
    see_xattrs(3);
    struct history_stat stat = {.ino = 9, .type = HISTORY_FILE, .nlink = 1, .xattrs = 4711};
    observe_stat(s.o, observe_entry(s.o, 1, "g", HISTORY_FILE), OK, &stat);
    ck_assert(!history_rebase(s.h, s.o, s.now, false)); /* which ones, nobody has told */
    scene_close(&s);
}
END_TEST

/* A random state of the history, as it is read back; its names are sound, and all are told. Returns
 * false if that is not to be had: a directory has two names. */
static bool see_random(struct rig *r, struct observation *to)
{
    rig_tree(r);
    struct naive_tree *t = &r->tree;
    int names[2 * NAIVE_NAMES] = {0};
    bool sound = true;
    t->stray = false;
    for (int k = 0; k < NAIVE_NAMES; k++) {
        int object = t->entry[k].object;
        if (object < 0)
            continue;
        t->entry[k].not_found = false;
        t->entry[k].listed_type = t->object[object].type;
        t->object[object].nlink = ++names[object];
    }
    for (int k = 0; k < t->objects; k++)
        if (t->object[k].type == HISTORY_DIRECTORY) {
            sound = sound && names[k] < 2;
            t->object[k].nlink = 2;
        }
    rig_observe(r);
    observation_copy(to, r->o);
    return sound;
}

/* Random histories and states: what can be a base explains itself, and no other tree. */
START_TEST(test_base__nothing_but_it_is_explained)
{
    struct rig r = {.h = history_create(), .o = observation_create()};
    struct history *copy = history_create();
    struct judge *j = judge_create();
    struct judge_verdict v;
    uint32_t bases = 0, same = 0, others = 0;
    struct observation *base = observation_create(), *other = observation_create();
    for (uint64_t seed = 0; seed < RANDOM_CASES; seed++) {
        rig_history(&r, seed, 10);
        struct judge_input in = {.history = r.h, .observed = base};
        for (uint32_t a = 0; a < history_apps(r.h); a++)
            history_kill(r.h, a, 1000000, HISTORY_POWER);
        bool sound = see_random(&r, base) && see_random(&r, other);
        if (!sound || observation_errors(base) != 0 || observation_errors(other) != 0 ||
            !history_rebase(r.h, base, 1000000, false))
            continue;
        bases++;
        judge_trial(j, &in, &v);
        ck_assert_msg(v.level == LEVEL_TRANSPARENT, "seed %llu: %s", (unsigned long long)seed,
                      v.story);
        history_copy(copy, r.h);
        in.history = copy;
        in.observed = other;
        judge_trial(j, &in, &v);
        bool agrees = observation_agrees(base, other);
        ck_assert_msg(agrees == (v.level == LEVEL_TRANSPARENT), "seed %llu: %s, %s",
                      (unsigned long long)seed, level_name(v.level), v.story);
        ck_assert(agrees || v.level == LEVEL_SILENT || v.synced_lost > 0);
        same += agrees;
        others += !agrees;
    }
    ck_assert_uint_gt(same, RANDOM_CASES / 50);
    ck_assert_uint_gt(others, RANDOM_CASES / 50);
    ck_assert_uint_gt(bases, RANDOM_CASES / 4);
    observation_destroy(base);
    observation_destroy(other);
    judge_destroy(j);
    observation_destroy(r.o);
    history_destroy(copy);
    history_destroy(r.h);
}
END_TEST

CHECK_MAIN("base", 60, tcase_add_test(tc, test_base__what_was_found_must_be_found_again);
           tcase_add_test(tc, test_base__a_loss_in_a_later_epoch_is_told);
           tcase_add_test(tc, test_base__versions_of_an_earlier_epoch_are_none);
           tcase_add_test(tc, test_base__what_is_written_later_lies_on_top);
           tcase_add_test(tc, test_base__answers_are_held_against_it);
           tcase_add_test(tc, test_base__a_file_of_two_names_is_one);
           tcase_add_test(tc, test_base__races_are_judged_on_it);
           tcase_add_test(tc, test_base__bytes_that_could_not_be_read_may_be_anything);
           tcase_add_test(tc, test_base__names_that_could_not_be_read_are_none);
           tcase_add_test(tc, test_base__attributes_are_known_by_name);
           tcase_add_test(tc, test_base__nothing_but_it_is_explained);)
