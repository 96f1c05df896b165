/* The proof of ORACLE section 8: the oracle against the naive reference, in 120,000 cases. */
#include <stdio.h>
#include <string.h>

#include "scripts/check_main.h"
#include "workloads/tests/oracle/rig.h"

#define CASES 120000u
#define OPERATIONS 10

static struct judge_verdict verdict;

/* What surrounds the tree: drawn now and then, judged by the table of ORACLE section 5. */
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

START_TEST(test_oracle__equals_brute_force)
{
    struct rig rig = {.h = history_create(), .o = observation_create()};
    struct judge *j = judge_create();
    uint32_t levels[LEVEL_COUNT] = {0};
    uint32_t clauses[CLAUSES] = {0};
    uint32_t several = 0;
    uint32_t lost = 0;
    for (uint32_t k = 0; k < CASES; k++) {
        rig_history(&rig, k, OPERATIONS);
        rig_tree(&rig);
        rig_observe(&rig);
        bool told = rig.troubled && !rig.killed;
        struct naive_verdict want = {0};
        /* environments see the same: an error that an application saw counts in its own only */
        bool seen[2] = {false, false};
        for (uint32_t op = history_setup_ops(rig.h) + 1; op <= history_ops(rig.h); op++)
            if (history_op(rig.h, op)->state == HISTORY_TROUBLED && told)
                seen[history_op(rig.h, op)->environment] = true;
        want = naive_judge(&rig.n, &rig.tree, seen[0]);
        enum level other = LEVEL_TRANSPARENT;
        if (rig.shared)
            other = naive_judge(&rig.n, &rig.tree, seen[1]).level;
        struct judge_input in = {.history = rig.h, .observed = rig.o};
        bool errors = observation_errors(rig.o) != 0 || seen[0] || seen[1];
        enum level level = surround(&rig, &in, want.level, errors);
        if (in.checker.damages != 0 || in.remount == JUDGE_REMOUNT_DIFFERS)
            other = level_weaker(other, errors ? LEVEL_DETECTED : LEVEL_SILENT);
        judge_trial(j, &in, &verdict);
        if (verdict.environment[0].level != level ||
            (rig.shared && verdict.environment[1].level != other))
            describe(&rig);
        ck_assert_msg(verdict.environment[0].level == level, "case %u: %s, want %s (%s)", k,
                      level_name(verdict.environment[0].level), level_name(level), verdict.story);
        ck_assert_msg(!rig.shared || verdict.environment[1].level == other,
                      "case %u: %s, want %s in the other environment", k,
                      level_name(verdict.environment[1].level), level_name(other));
        ck_assert(!verdict.undecided);
        if (want.lost >= 0 && !rig.shared) {
            if ((int)verdict.ops_lost != want.lost)
                describe(&rig);
            ck_assert_msg((int)verdict.ops_lost == want.lost, "case %u: %d lost, want %d", k,
                          (int)verdict.ops_lost, want.lost);
            lost += want.lost > 0;
        }
        levels[level]++;
        clauses[verdict.clause]++;
        several += rig.n.apps > 1;
    }
    for (unsigned l = 0; l < LEVEL_COUNT; l++)
        ck_assert_msg(levels[l] >= 100, "%s was hit %u times", level_name((enum level)l),
                      levels[l]);
    for (unsigned c = 0; c < CLAUSES; c++) {
        bool elsewhere = c == CLAUSE_CONTENT || c == CLAUSE_ANSWER; /* test_history.c */
        ck_assert_msg(elsewhere || clauses[c] != 0, "clause %s was never hit",
                      history_clause_name((enum history_clause)c));
    }
    ck_assert_uint_gt(several, CASES / 4);
    ck_assert_uint_gt(lost, CASES / 10);
    judge_destroy(j);
    observation_destroy(rig.o);
    history_destroy(rig.h);
}
END_TEST

CHECK_MAIN("brute_force", 300, tcase_add_test(tc, test_oracle__equals_brute_force);)
