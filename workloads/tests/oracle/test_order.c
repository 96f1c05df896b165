/* The search for orders against plain enumeration of all of them, in 20,000 histories. */
#include <stdio.h>

#include "scripts/check_main.h"
#include "workloads/oracle/content.h"
#include "workloads/oracle/order.h"
#include "workloads/oracle/order_parts.h"
#include "workloads/tests/oracle/races.h"
#include "workloads/tests/oracle/scene.h"

#define CASES 20000u
#define OPERATIONS 8
#define PLAIN_STEPS_MAX 30000u /* of one case; beyond it is left out, and counted */

/* The strongest verdict of some orders. */
struct best {
    struct judge_verdict v;
    uint32_t orders;
};

static void judge_one(const struct races *r, struct judge *j, const struct history *world,
                      struct best *best)
{
    struct history told = *world;
    struct judge_verdict v;
    told.raced = false; /* it is one order */
    struct judge_input in = {.history = &told, .observed = r->o};
    judge_trial(j, &in, &v);
    ck_assert(!v.undecided);
    if (best->orders++ == 0 || v.level < best->v.level ||
        (v.level == best->v.level && v.ops_lost < best->v.ops_lost))
        best->v = v;
}

/* ---- All orders, with nothing left out ---- */

struct plain {
    struct races *r;
    struct judge *j;
    struct best best;
    struct step step[RACES_OPS];
    uint32_t depth, steps;
    bool placed[RACES_OPS];
};

static bool is_open(const struct history *h, uint32_t op)
{
    return h->ops[op].state == HISTORY_IN_FLIGHT;
}

static bool may_come(const struct plain *p, uint32_t k)
{
    const struct races *r = p->r;
    uint32_t op = r->ops[k];
    for (uint32_t n = 0; n < r->op_count; n++) {
        uint32_t other = r->ops[n];
        bool before =
            r->h->ops[other].app == r->h->ops[op].app ? other < op : precedes(r->h, other, op);
        if (!p->placed[n] && n != k && before)
            return false;
    }
    return true;
}

/* Tells the steps anew. Returns whether the last is right. */
static bool tell(struct plain *p)
{
    struct world_ops all = {.op = p->r->ops, .count = p->r->op_count};
    bool right = true;
    world_begin(&p->r->world, p->r->h, all);
    for (uint32_t k = 0; k < p->depth; k++)
        right = world_tell(&p->r->world, &p->step[k]);
    p->steps += p->depth;
    return right;
}

static bool is_whole(const struct plain *p)
{
    for (uint32_t k = 0; k < p->r->op_count; k++)
        if (!p->placed[k] && !is_open(p->r->h, p->r->ops[k]))
            return false;
    return true;
}

static void enumerate(struct plain *p)
{
    if (is_whole(p)) {
        (void)tell(p);
        world_finish(&p->r->world);
        judge_one(p->r, p->j, p->r->world.w, &p->best);
    }
    for (uint32_t k = 0; k < 2 * p->r->op_count && p->steps < PLAIN_STEPS_MAX; k++) {
        uint32_t op = p->r->ops[k / 2];
        bool out = k % 2 == 1;
        if (p->placed[k / 2] || (out && p->r->h->ops[op].state != HISTORY_TROUBLED) ||
            !may_come(p, k / 2))
            continue;
        p->placed[k / 2] = true;
        p->step[p->depth++] = (struct step){.op = op, .out = out};
        if (tell(p))
            enumerate(p);
        p->depth--;
        p->placed[k / 2] = false;
    }
}

/* ---- The search ---- */

static void search(const struct races *r, struct judge *j, struct order *s, struct best *best)
{
    order_begin(s, r->h);
    for (const struct history *w = order_next(s); w != NULL; w = order_next(s))
        judge_one(r, j, w, best);
    ck_assert(!order_undecided(s));
}

struct tally {
    uint32_t cases, left_out, fewer, several, parts, transactions, levels[LEVEL_COUNT];
};

static void describe(const struct races *r)
{
    for (uint32_t k = 0; k < r->op_count; k++) {
        const struct history_op *o = &r->h->ops[r->ops[k]];
        const struct history_call *c = &r->h->log.record[r->ops[k]].call;
        printf("op %u app %u %s %s %s result %d ticks %u..%u\n", r->ops[k], o->app,
               history_kind_name(o->kind), c->path == NULL ? "" : c->path,
               c->path2 == NULL ? "" : c->path2, (int)o->result, o->begin_tick, o->end_tick);
    }
    for (uint32_t k = 0; k < r->steps; k++)
        printf("%s%u%s", k == r->kept ? "lost: " : "", r->step[k].op, r->step[k].out ? "- " : " ");
    printf("\n");
}

static void check_case(struct races *r, struct judge *j, struct order *s, uint32_t number,
                       struct tally *tally)
{
    struct plain plain = {.r = r, .j = j};
    struct best best = {.orders = 0};
    enumerate(&plain);
    if (plain.steps >= PLAIN_STEPS_MAX) {
        tally->left_out++;
        return;
    }
    search(r, j, s, &best);
    bool same = plain.best.orders != 0 && best.orders != 0 && plain.best.v.level == best.v.level &&
                plain.best.v.ops_lost == best.v.ops_lost;
    bool truth =
        r->kept < r->steps || r->damaged || r->troubled || best.v.level == LEVEL_TRANSPARENT;
    if (!same || !truth)
        describe(r);
    ck_assert_msg(same, "case %u: %s, %u lost, of %u orders; want %s, %u, of %u (%s)", number,
                  level_name(best.v.level), (unsigned)best.v.ops_lost, best.orders,
                  level_name(plain.best.v.level), (unsigned)plain.best.v.ops_lost,
                  plain.best.orders, best.v.story);
    ck_assert_msg(truth, "case %u: %s, but the tree is what happened (%s)", number,
                  level_name(best.v.level), best.v.story);
    tally->cases++;
    tally->fewer += best.orders < plain.best.orders;
    tally->several += best.orders > 1;
    tally->transactions += r->h->commits != 0;
    tally->levels[best.v.level]++;
}

START_TEST(test_order__reduced_search_equals_all_orders)
{
    struct races r;
    struct judge *j = judge_create();
    struct order *s = order_create();
    struct tally tally = {0};
    races_open(&r);
    for (uint32_t k = 0; k < CASES; k++) {
        races_draw(&r, k, OPERATIONS);
        check_case(&r, j, s, k, &tally);
    }
    ck_assert_uint_lt(tally.left_out, CASES / 20);
    ck_assert_uint_gt(tally.fewer, CASES / 4);
    ck_assert_uint_gt(tally.several, CASES / 50);
    ck_assert_uint_gt(tally.transactions, CASES / 20);
    for (unsigned l = 0; l < LEVEL_COUNT; l++)
        ck_assert_msg(l == LEVEL_DEAD || tally.levels[l] >= 10, "%s was hit %u times",
                      level_name((enum level)l), tally.levels[l]);
    races_close(&r);
    order_destroy(s);
    judge_destroy(j);
}
END_TEST

/* ---- What few random histories come to ---- */

static void make(struct scene *s, uint32_t app, const char *path, uint32_t mode)
{
    struct history_call call = {
        .kind = HISTORY_OPEN, .path = path, .flags = HISTORY_CREATE, .mode = mode};
    (void)scene_do(s, app, call, OK);
}

/* Another file comes under the name `to` while it is opened; what is then written is in the file
 * before or in the one after. A third application looks meanwhile. Returns the write. */
static uint32_t race(struct scene *s, uint32_t app, const char *from, const char *to)
{
    make(s, app, to, 0600);
    make(s, app, from, 0601);
    (void)scene_begin(s, app + 2, (struct history_call){.kind = HISTORY_STAT, .path = to});
    uint32_t first = scene_begin(
        s, app, (struct history_call){.kind = HISTORY_RENAME, .path = from, .path2 = to});
    uint32_t second =
        scene_begin(s, app + 1, (struct history_call){.kind = HISTORY_OPEN, .path = to});
    scene_end(s, first, (struct history_answer){.result = OK});
    scene_end(s, second, (struct history_answer){.result = OK, .fd = 3});
    return scene_write(s, app + 1, 0, 4096);
}

/* The file that is under the name in the end; what was written is in it, or in the one before. */
static void see_race(struct scene *s, uint32_t root, const char *name, uint32_t write, bool written)
{
    uint32_t node = observe_entry(s->o, root, name, HISTORY_FILE);
    struct history_stat stat = {.ino = 50 + write,
                                .type = HISTORY_FILE,
                                .mode = 0601,
                                .nlink = 1,
                                .size = written ? 4096 : 0};
    content_fill(history_op(s->h, write)->key, write, 0, s->bytes, 4096);
    observe_stat(s->o, node, OK, &stat);
    observe_data(s->o, node, 0, OK, s->bytes, stat.size);
}

/* What a descriptor leads to is part of a state, and each part's order goes with any of the
 * other's.
 */
START_TEST(test_order__each_file_may_have_been_opened_before_or_after)
{
    static struct scene s;
    for (uint32_t tree = 0; tree < 4; tree++) {
        scene_open(&s, 1);
        for (uint32_t a = 1; a < 6; a++)
            (void)history_add_app(s.h, 0);
        uint32_t one = race(&s, 0, "a", "b");
        uint32_t other = race(&s, 3, "x", "y");
        uint32_t root = observe_root(s.o, 0, false);
        see_race(&s, root, "b", one, tree % 2 != 0);
        see_race(&s, root, "y", other, tree / 2 != 0);
        observe_listing(s.o, root, OK);
        observe_listing(s.o, observe_root(s.o, 0, true), OK);
        ck_assert_msg(scene_judge(&s) == LEVEL_TRANSPARENT, "tree %u: %s", tree, s.v.story);
        scene_close(&s);
    }
}
END_TEST

/* ---- Worlds ---- */

static void check_same(const struct world *a, const struct world *b)
{
    ck_assert_uint_eq(a->told, b->told);
    ck_assert_uint_eq(world_hash(a, true), world_hash(b, true));
    ck_assert_uint_eq(world_hash(a, false), world_hash(b, false));
    ck_assert_uint_eq(a->w->sync_tick, b->w->sync_tick);
    ck_assert_uint_eq(a->w->commits, b->w->commits);
    ck_assert_uint_eq(a->w->effect_count, b->w->effect_count);
    ck_assert_uint_eq(a->w->wrong_count, 0);
}

static void tell_to(struct world *x, const struct races *r, uint32_t to)
{
    while (x->told < to)
        (void)world_tell(x, &r->step[x->told]);
}

/* Goes on from a mark as a world does that was told from the start. */
START_TEST(test_order_world__going_back_leaves_no_trace)
{
    struct races r;
    struct world again;
    uint32_t marks = 0;
    races_open(&r);
    world_init(&again);
    for (uint32_t k = 0; k < 300; k++) {
        static const uint32_t app[RACES_APPS] = {0, 1, 2, 3};
        races_draw(&r, k, RACES_OPS);
        struct world_ops all = {.op = r.ops, .count = r.op_count, .app = app, .app_count = r.apps};
        world_begin(&r.world, r.h, all);
        world_begin(&again, r.h, all);
        for (uint32_t turn = 1; turn <= 5; turn++) {
            uint32_t to = r.steps * turn / 5;
            tell_to(&r.world, &r, to);
            tell_to(&again, &r, r.steps);
            marks += world_back(&again, to) != 0;
            ck_assert_uint_le(again.told, to);
            tell_to(&again, &r, to);
            check_same(&again, &r.world);
        }
    }
    ck_assert_uint_gt(marks, 500);
    world_fini(&again);
    races_close(&r);
}
END_TEST

/* ---- Which applications cannot touch ---- */

/* The applications 0 and 1, in environments 0 and 1, ask for these paths: their parts. */
static uint32_t parts_of(enum history_kind kind, const char *path, const char *path2,
                         const char *other)
{
    struct history *h = history_create();
    struct parts parts = {0};
    history_reset(h, 2);
    struct history_answer answer = {.result = E_NOENT};
    struct history_call call[2] = {{.kind = kind, .path = path, .path2 = path2},
                                   {.kind = HISTORY_UNLINK, .path = other}};
    for (uint32_t a = 0; a < 2; a++) {
        (void)history_add_app(h, a);
        (void)history_end(h, history_begin(h, a, 0, &call[a]), 0, &answer);
    }
    parts_find(&parts, h);
    uint32_t count = parts.count;
    ck_assert_uint_eq(parts.of[1], count - 1);
    parts_free(&parts);
    history_destroy(h);
    return count;
}

START_TEST(test_order_parts__what_may_meet_is_one)
{
    ck_assert_uint_eq(parts_of(HISTORY_UNLINK, "a", NULL, "a"), 2); /* of two environments */
    ck_assert_uint_eq(parts_of(HISTORY_UNLINK, "shared/a", NULL, "shared/b"), 2);
    ck_assert_uint_eq(parts_of(HISTORY_UNLINK, "shared/a/b", NULL, "/shared/./a/c"), 1);
    ck_assert_uint_eq(parts_of(HISTORY_RENAME, "a", "shared/c", "shared//c"), 1);
    ck_assert_uint_eq(parts_of(HISTORY_RENAME, "a", "shared/c", "shared/d"), 2);
    ck_assert_uint_eq(parts_of(HISTORY_UNLINK, "a/../shared/b", NULL, "shared/b"), 1);
    ck_assert_uint_eq(parts_of(HISTORY_READDIR, "shared", NULL, "shared/b"), 1);
    ck_assert_uint_eq(parts_of(HISTORY_STAT, "shared", NULL, "shared/b"), 2);
    ck_assert_uint_eq(parts_of(HISTORY_SYMLINK, "b", "a", "b"), 1); /* it may come to lie there */
    ck_assert_uint_eq(parts_of(HISTORY_SYMLINK, "shared/b", "a", "shared/b"), 1);
    ck_assert_uint_eq(parts_of(HISTORY_SYMLINK, "../b", "a", "shared/c"), 1);
    ck_assert_uint_eq(parts_of(HISTORY_SYMLINK, "/b", "a", "shared/c"), 1);
    ck_assert_uint_eq(parts_of(HISTORY_SYMLINK, "b", "a", "shared/c"), 2);
    ck_assert_uint_eq(parts_of(HISTORY_GETXATTR, "a", "shared/b", "shared/b"), 2); /* no path */
}
END_TEST

CHECK_MAIN("order", 300, tcase_add_test(tc, test_order__reduced_search_equals_all_orders);
           tcase_add_test(tc, test_order__each_file_may_have_been_opened_before_or_after);
           tcase_add_test(tc, test_order_world__going_back_leaves_no_trace);
           tcase_add_test(tc, test_order_parts__what_may_meet_is_one);)
