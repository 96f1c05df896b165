/* The oracle proved: against the naive reference, in 400,000 cases. */
#include <stdio.h>
#include <string.h>

#include "scripts/check_main.h"
#include "workloads/oracle/model.h"
#include "workloads/tests/oracle/rig.h"

#define CASES 400000u
#define OPERATIONS 10

static struct judge_verdict verdict;

/* What surrounds the tree: drawn now and then, judged by the table of levels. */
static enum level surround(struct rig *r, struct judge_input *in, enum level level, bool errors)
{
    enum level told = errors ? LEVEL_DETECTED : LEVEL_SILENT;
    switch (rig_draw(r, 60)) {
    case 0:
        in->machine[0] = JUDGE_MACHINE_HANGS;
        return LEVEL_DEAD;
    case 1:
        in->probe[0] = JUDGE_PROBE_FAILED;
        return LEVEL_DEAD;
    case 2:
        in->probe[0] = JUDGE_PROBE_FAILED;
        in->degraded = true;
        return level_weaker(level, LEVEL_DETECTED);
    case 3:
        in->checker = (struct judge_checker){.ran = true, .damages = 1};
        return level_weaker(level, told);
    case 4:
        in->remount = JUDGE_REMOUNT_DIFFERS;
        return level_weaker(level, told);
    case 5:
        in->checker = (struct judge_checker){.ran = true, .ok = true, .leaks = 3};
        return level;
    default:
        return level;
    }
}

static void describe(const struct rig *r)
{
    for (uint32_t op = history_setup_ops(r->h) + 1; op <= history_ops(r->h); op++) {
        const struct history_op *o = history_op(r->h, op);
        printf("op %u app %u %s state %d ticks %u..%u inode %u\n", op, o->app,
               history_kind_name(o->kind), (int)o->state, o->begin_tick, o->end_tick, o->inode);
    }
    for (int k = 0; k < r->n.deltas; k++) {
        const struct naive_delta *d = &r->n.delta[k];
        printf("  op %d kind %d object %d part %d value %d%s%s\n", d->op, (int)d->kind, d->object,
               d->part, d->value, d->synced ? " synced" : "", d->grown ? " grown" : "");
    }
    for (int k = 0; k < NAIVE_NAMES; k++) {
        const struct naive_entry *e = &r->tree.entry[k];
        if (e->object < 0)
            continue;
        const struct naive_object *b = &r->tree.object[e->object];
        printf("name %d object %d type %d size %d mode %o nlink %d cells %d %d %d %d%s%s%s\n", k,
               e->object, b->type, b->size, (unsigned)b->mode, b->nlink, b->cell[0], b->cell[1],
               b->cell[2], b->cell[3], b->stat_error ? " stat-error" : "",
               b->listing_error ? " listing-error" : "", e->not_found ? " not-found" : "");
    }
}

/* From `synced` up, nothing that was synced is gone. */
static void check_synced(uint32_t number)
{
    ck_assert_msg(level_weaker(verdict.level, LEVEL_SYNCED) != LEVEL_SYNCED ||
                      verdict.synced_lost == 0,
                  "case %u: %s, and %lu synced operations are gone", number,
                  level_name(verdict.level), (unsigned long)verdict.synced_lost);
}

struct tally {
    uint32_t levels[LEVEL_COUNT], clauses[CLAUSES];
    uint32_t several, lost, raced, orders;
    uint32_t raced_levels[LEVEL_COUNT];
};

static void check_environment(const struct rig *r, uint32_t number, uint32_t environment,
                              enum level want)
{
    enum level is = verdict.environment[environment].level;
    if (is != want)
        describe(r);
    ck_assert_msg(is == want, "case %u, environment %u: %s, want %s (%s)", number, environment,
                  level_name(is), level_name(want), verdict.story);
}

/* Which environments have an application that lives and saw an error. */
static void find_seen(const struct rig *r, bool seen[2])
{
    for (uint32_t op = history_setup_ops(r->h) + 1; op <= history_ops(r->h); op++) {
        const struct history_op *o = history_op(r->h, op);
        if (o->state == HISTORY_TROUBLED && !r->killed)
            seen[o->environment] = true;
    }
}

/* The naive reference judges slots one by one where no cut explains them: there a commit of which
 * only a part is seen is no level that it knows. The oracle must not say so of anything else. */
static bool torn(const struct rig *r, struct judge *j, enum level naive)
{
    struct judge_input in = {.history = r->h, .observed = r->o};
    if (r->commits == 0)
        return false;
    judge_trial(j, &in, &verdict);
    if (verdict.environment[0].clause != CLAUSE_TRANSACTION)
        return false;
    bool possible = naive >= LEVEL_SYNCED && naive != LEVEL_PREFIX && naive != LEVEL_DEAD;
    if (!possible)
        describe(r);
    ck_assert_msg(possible, "by half, says the oracle, but the level is %s", level_name(naive));
    return true;
}

/* In the order in which it was recorded, whatever raced. */
static enum level recorded_level(const struct rig *r, struct judge *j)
{
    struct judge_input in = {.history = r->h, .observed = r->o};
    r->h->raced = false;
    judge_trial(j, &in, &verdict);
    r->h->raced = true;
    return verdict.level;
}

/* What operations did to names hangs on their order: every one is tried. Where I/O errors leave no
 * order that fits, the recorded one is not made weaker. */
static void check_orders(struct rig *r, struct judge *j, uint32_t number, const bool seen[2],
                         struct tally *tally)
{
    uint32_t orders = 0;
    struct naive_verdict want = rig_best_order(r, seen, &orders);
    struct judge_input in = {.history = r->h, .observed = r->o};
    ck_assert_uint_ne(orders, 0);
    if (r->troubled && want.level == LEVEL_SILENT)
        want.level = recorded_level(r, j);
    judge_trial(j, &in, &verdict);
    if (verdict.level != want.level)
        describe(r);
    ck_assert_msg(verdict.level == want.level, "case %u, %u orders: %s, want %s (%s)", number,
                  orders, level_name(verdict.level), level_name(want.level), verdict.story);
    check_synced(number);
    ck_assert(!verdict.undecided);
    tally->raced++;
    tally->orders += orders > 1;
    tally->raced_levels[verdict.level]++;
}

static void check_case(struct rig *r, struct judge *j, uint32_t number, struct tally *tally)
{
    bool seen[2] = {false, false};
    find_seen(r, seen);
    if (r->h->raced) {
        check_orders(r, j, number, seen, tally);
        return;
    }
    struct naive_verdict want = naive_judge(&r->n, &r->tree, seen[0]);
    enum level other = r->shared ? naive_judge(&r->n, &r->tree, seen[1]).level : LEVEL_TRANSPARENT;
    struct judge_input in = {.history = r->h, .observed = r->o};
    bool errors = observation_errors(r->o) != 0 || seen[0] || seen[1];
    if (torn(r, j, want.level)) {
        want.level = LEVEL_SILENT;
        other = r->shared ? LEVEL_SILENT : other;
        tally->clauses[CLAUSE_TRANSACTION]++;
    }
    enum level level = surround(r, &in, want.level, errors);
    if (in.checker.damages != 0 || in.remount == JUDGE_REMOUNT_DIFFERS)
        other = level_weaker(other, errors ? LEVEL_DETECTED : LEVEL_SILENT);
    judge_trial(j, &in, &verdict);
    check_environment(r, number, 0, level);
    if (r->shared)
        check_environment(r, number, 1, other);
    check_synced(number);
    ck_assert(!verdict.undecided);
    if (want.lost >= 0 && !r->shared) {
        if ((int)verdict.ops_lost != want.lost)
            describe(r);
        ck_assert_msg((int)verdict.ops_lost == want.lost, "case %u: %d lost, want %d", number,
                      (int)verdict.ops_lost, want.lost);
        tally->lost += want.lost > 0;
    }
    tally->levels[level]++;
    tally->clauses[verdict.clause]++;
    tally->several += r->n.apps > 1;
}

START_TEST(test_oracle__equals_brute_force)
{
    struct rig rig = {.h = history_create(), .o = observation_create()};
    struct judge *j = judge_create();
    struct tally tally = {0};
    for (uint32_t k = 0; k < CASES; k++) {
        rig_history(&rig, k, OPERATIONS);
        rig_tree(&rig);
        rig_observe(&rig);
        check_case(&rig, j, k, &tally);
    }
    for (unsigned l = 0; l < LEVEL_COUNT; l++)
        ck_assert_msg(tally.levels[l] >= 100, "%s was hit %u times", level_name((enum level)l),
                      tally.levels[l]);
    for (unsigned c = 0; c < CLAUSES; c++) {
        bool elsewhere = c == CLAUSE_CONTENT || c == CLAUSE_ANSWER; /* test_history.c */
        ck_assert_msg(elsewhere || tally.clauses[c] != 0, "clause %s was never hit",
                      history_clause_name((enum history_clause)c));
    }
    ck_assert_uint_gt(tally.several, CASES / 4);
    ck_assert_uint_gt(tally.lost, CASES / 10);
    ck_assert_uint_gt(tally.orders, CASES / 40);
    for (unsigned l = 0; l < LEVEL_COUNT; l++) /* the machine is sound where operations race */
        ck_assert_msg(l == LEVEL_DEAD || tally.raced_levels[l] >= 100, "raced: %s was hit %u times",
                      level_name((enum level)l), tally.raced_levels[l]);
    judge_destroy(j);
    observation_destroy(rig.o);
    history_destroy(rig.h);
}
END_TEST

CHECK_MAIN("brute_force", 300, tcase_add_test(tc, test_oracle__equals_brute_force);)
