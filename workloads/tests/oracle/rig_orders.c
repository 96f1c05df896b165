/*
 * Every order of the operations of a rig's history in which each takes effect at one moment between
 * its begin and its end, by plain enumeration: what the oracle's search (order.h) must agree with.
 */
#include <string.h>

#include "workloads/tests/oracle/rig.h"

struct orders {
    const bool *errors;
    bool placed[NAIVE_OPS];
    int first, waiting; /* operations that were answered, without a place yet */
    struct naive_verdict best;
    uint32_t count;
    int depth; /* operations that have a place */
};

static bool answered(const struct naive_op *o)
{
    return o->end != 0;
}

static void judge(struct orders *s, const struct rig *r)
{
    if (s->count++ > 0 && s->best.level == LEVEL_TRANSPARENT)
        return;
    struct naive_verdict v = naive_judge(&r->n, &r->tree, s->errors[0]);
    if (r->shared)
        v.level = level_weaker(v.level, naive_judge(&r->n, &r->tree, s->errors[1]).level);
    if (s->count == 1 || v.level < s->best.level ||
        (v.level == s->best.level && v.lost < s->best.lost))
        s->best = v;
}

static bool may_come(const struct orders *s, const struct rig *r, int op)
{
    for (int p = s->first; p <= r->n.last; p++) {
        const struct naive_op *o = &r->n.op[p];
        if (s->placed[p] || p == op)
            continue;
        if (o->app == r->n.op[op].app ? p < op : answered(o) && o->end < r->n.op[op].begin)
            return false;
    }
    return true;
}

static void enumerate(struct orders *s, const struct rig *r)
{
    if (s->waiting == 0)
        judge(s, r);
    for (int op = s->first; op <= r->n.last; op++) {
        const struct naive_op *o = &r->n.op[op];
        if (s->placed[op] || !may_come(s, r, op))
            continue;
        s->placed[op] = true;
        s->waiting -= answered(o);
        struct rig next = *r;
        next.n.op[op].place = s->depth;
        s->depth++;
        if (rig_again(&next, op))
            enumerate(s, &next);
        if (o->troubled) /* it did nothing */
            enumerate(s, r);
        s->depth--;
        s->waiting += answered(o);
        s->placed[op] = false;
    }
}

struct naive_verdict rig_best_order(const struct rig *r, const bool errors[2], uint32_t *orders)
{
    struct rig start = *r;
    struct orders s = {.errors = errors, .first = (int)history_setup_ops(r->h) + 1};
    memset(&start.fs, 0, sizeof(start.fs));
    memset(start.fs.cell, 0xff, sizeof(start.fs.cell));
    memset(start.app, 0, sizeof(start.app));
    memset(start.n.inode, 0, sizeof(start.n.inode));
    start.n.deltas = 0;
    start.ordered = true;
    for (int op = s.first; op <= r->n.last; op++) {
        start.n.op[op].effective = false;
        s.waiting += answered(&r->n.op[op]);
    }
    enumerate(&s, &start);
    *orders = s.count;
    return s.best;
}
