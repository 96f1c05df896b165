#include "workloads/tests/oracle/naive.h"

#include <string.h>

const uint64_t naive_cell[NAIVE_CELLS + 1] = {0, 64, 4096, 4160, 4224};

/* How an operation counts in the state that is asked about. */
enum count { NOT, MAYBE, SURE };

struct state {
    const struct naive *n;
    const struct naive_tree *t;
    enum count count[NAIVE_OPS];
    bool zeros[NAIVE_OPS];         /* and of its block only the growth is: zeros */
    bool chosen[NAIVE_OPS];        /* it may be in or out, and is now tried as in */
    int identity[2 * NAIVE_NAMES]; /* of objects; 0: not chosen */
    int older;                     /* versions: 0 synced wanted, 1 any */
};

static bool before(const struct naive *n, int a, int b)
{
    return n->op[a].end != 0 && n->op[a].end < n->op[b].begin;
}

static bool same_slot(const struct naive_delta *d, enum naive_kind kind, int object, int part)
{
    return d->kind == kind && d->object == object && d->part == part;
}

/* Whether the delta is part of what its operation is taken to have done. */
static bool is_done(const struct state *s, const struct naive_delta *d)
{
    return s->count[d->op] == SURE && (!s->zeros[d->op] || d->grown);
}

/* Whether delta d may be the last on its slot: no sure operation on it comes after. One without an
 * answer that is in comes after all that began before it. */
static bool may_be_last(const struct state *s, const struct naive_delta *d)
{
    for (int k = 0; k < s->n->deltas; k++) {
        const struct naive_delta *e = &s->n->delta[k];
        bool after = before(s->n, d->op, e->op) ||
                     (s->chosen[e->op] && s->n->op[d->op].place < s->n->op[e->op].place);
        if (same_slot(e, d->kind, d->object, d->part) && is_done(s, e) && after)
            return false;
    }
    return true;
}

static bool any_sure(const struct state *s, enum naive_kind kind, int object, int part)
{
    for (int k = 0; k < s->n->deltas; k++)
        if (same_slot(&s->n->delta[k], kind, object, part) && s->count[s->n->delta[k].op] == SURE)
            return true;
    return false;
}

/* Whether the size may be `value` by an unanswered write that is in by blocks. */
static bool partial_size(const struct naive *n, const struct naive_delta *d, int value)
{
    const struct naive_op *o = &n->op[d->op];
    return d->kind == NAIVE_SIZE && o->write && (o->in_flight || o->troubled) && value == 2 &&
           d->was < 2 && d->value > 2;
}

/* Under a cut: whether a name, size or mode may have this value. `initial` before any operation. */
static bool may_hold(const struct state *s, enum naive_kind kind, int object, int part, int value,
                     int initial)
{
    for (int k = 0; k < s->n->deltas; k++) {
        const struct naive_delta *d = &s->n->delta[k];
        if (!same_slot(d, kind, object, part) || s->count[d->op] == NOT || !may_be_last(s, d))
            continue;
        if (d->value == value || (s->count[d->op] == MAYBE && partial_size(s->n, d, value)))
            return true;
    }
    return value == initial && !any_sure(s, kind, object, part);
}

/* Under a choice of what counts: whether one cell may be read as this. */
static bool cell_may_be(const struct state *s, int inode, int cell, int value)
{
    if (value == CELL_ERROR)
        return true;
    for (int k = 0; k < s->n->deltas; k++) {
        const struct naive_delta *d = &s->n->delta[k];
        int is = s->zeros[d->op] ? CELL_ZERO : d->value;
        if (same_slot(d, NAIVE_BYTES, inode, cell) && is_done(s, d) && may_be_last(s, d) &&
            is == value && is != CELL_ABSENT)
            return true;
    }
    return false;
}

static bool touches(const struct state *s, int op, int inode, int block)
{
    for (int k = 0; k < s->n->deltas; k++) {
        const struct naive_delta *d = &s->n->delta[k];
        if (d->op == op && d->kind == NAIVE_BYTES && d->object == inode && d->part / 2 == block)
            return true;
    }
    return false;
}

/* Operations that may be in or out for this block, tried in all ways: in, out, out but grown. */
static bool block_ways(struct state *s, int inode, int block, const struct naive_object *b, int op)
{
    while (op < NAIVE_OPS && (s->count[op] != MAYBE || !touches(s, op, inode, block)))
        op++;
    if (op == NAIVE_OPS) {
        for (int c = 2 * block; c < 2 * block + 2; c++)
            if (c < b->size && !cell_may_be(s, inode, c, b->cell[c]))
                return false;
        return true;
    }
    s->count[op] = SURE;
    s->chosen[op] = true;
    bool right = block_ways(s, inode, block, b, op + 1);
    s->zeros[op] = true;
    right = right || block_ways(s, inode, block, b, op + 1);
    s->zeros[op] = false;
    s->chosen[op] = false;
    s->count[op] = NOT;
    right = right || block_ways(s, inode, block, b, op + 1);
    s->count[op] = MAYBE;
    return right;
}

/* ---- Cuts ---- */

static bool cut_entries(struct state *s, int name);

static int base_of(const struct state *s, int name)
{
    if (name <= NAIVE_DIR)
        return 0;
    int object = s->t->entry[NAIVE_DIR].object;
    return object < 0 ? -1 : s->identity[object];
}

static bool cut_object(struct state *s, int object, int inode)
{
    const struct naive_object *b = &s->t->object[object];
    if (b->type != s->n->inode[inode].type || !may_hold(s, NAIVE_MODE, inode, 0, b->mode, -1))
        return false;
    if (b->type == HISTORY_DIRECTORY)
        return true;
    if (!may_hold(s, NAIVE_SIZE, inode, 0, b->size, -1))
        return false;
    return block_ways(s, inode, 0, b, 0) && block_ways(s, inode, 1, b, 0);
}

static bool identity_taken(const struct state *s, int object, int inode)
{
    for (int k = 0; k < s->t->objects; k++)
        if (k != object && s->identity[k] == inode)
            return true;
    return false;
}

/* Names from `name` on, with every identity that each object may have. */
static bool cut_entries(struct state *s, int name)
{
    if (name == NAIVE_NAMES)
        return true;
    int dir = base_of(s, name);
    if (dir < 0) /* no directory is seen: nothing in it is */
        return cut_entries(s, name + 1);
    int object = s->t->entry[name].object;
    if (object < 0)
        return may_hold(s, NAIVE_NAME, dir, name, 0, 0) && cut_entries(s, name + 1);
    if (s->identity[object] != 0)
        return may_hold(s, NAIVE_NAME, dir, name, s->identity[object], 0) &&
               cut_entries(s, name + 1);
    for (int inode = 1; inode < NAIVE_OPS; inode++) {
        if (s->n->inode[inode].type == 0 || identity_taken(s, object, inode) ||
            !may_hold(s, NAIVE_NAME, dir, name, inode, 0))
            continue;
        s->identity[object] = inode;
        bool right = cut_object(s, object, inode) && cut_entries(s, name + 1);
        s->identity[object] = 0;
        if (right)
            return true;
    }
    return false;
}

struct best {
    bool full, durable, any;
    int lost; /* of the cut with most operations among the strongest kind */
    int rank;
};

/* One choice of prefixes: `in` says which operations are in. */
static void try_cut(struct state *s, const bool *in, struct best *best)
{
    const struct naive *n = s->n;
    for (int p = 1; p <= n->last; p++)
        for (int o = 1; o <= n->last; o++)
            if (in[p] && n->op[o].effective && !in[o] && before(n, o, p))
                return;
    bool full = true;
    bool durable = true;
    int lost = 0;
    int total = 0;
    for (int o = 1; o <= n->last; o++) {
        const struct naive_op *x = &n->op[o];
        bool whole = x->in_flight && !x->write;
        bool done = x->end != 0 && !x->troubled;
        s->count[o] = !in[o] ? NOT : done || whole ? SURE : MAYBE;
        full = full && (in[o] || !done || !x->effective);
        lost += x->effective && done && !in[o];
        total += in[o] && done;
    }
    for (int k = 0; k < n->deltas; k++)
        durable = durable && (!n->delta[k].synced || in[n->delta[k].op]);
    memset(s->identity, 0, sizeof(s->identity));
    if (!cut_entries(s, 0))
        return;
    int rank = (full ? 3 : durable ? 2 : 1) * 1000 + total;
    best->full = best->full || full;
    best->durable = best->durable || durable;
    best->any = true;
    if (rank > best->rank) {
        best->rank = rank;
        best->lost = lost;
    }
}

static void try_cuts(struct state *s, bool *in, int app, struct best *best)
{
    if (app == s->n->apps) {
        try_cut(s, in, best);
        return;
    }
    for (int o = 1; o <= s->n->last; o++)
        if (s->n->op[o].app == app)
            in[o] = false;
    try_cuts(s, in, app + 1, best);
    for (int o = 1; o <= s->n->last; o++) {
        if (s->n->op[o].app != app || !s->n->op[o].effective)
            continue;
        in[o] = true;
        try_cuts(s, in, app + 1, best);
    }
    for (int o = 1; o <= s->n->last; o++)
        if (s->n->op[o].app == app)
            in[o] = false;
}

/* ---- Versions ---- */

/* Whether a version by operation `op` (0: none yet) is not older than what is synced on the slot.
 */
static bool new_enough(const struct state *s, enum naive_kind kind, int object, int part, int op)
{
    if (s->older)
        return true;
    for (int k = 0; k < s->n->deltas; k++) {
        const struct naive_delta *d = &s->n->delta[k];
        if (same_slot(d, kind, object, part) && d->synced && (op == 0 || before(s->n, op, d->op)))
            return false;
    }
    return true;
}

static bool once_held(const struct state *s, enum naive_kind kind, int object, int part, int value,
                      int initial)
{
    for (int k = 0; k < s->n->deltas; k++) {
        const struct naive_delta *d = &s->n->delta[k];
        if (same_slot(d, kind, object, part) &&
            (d->value == value || partial_size(s->n, d, value)) &&
            new_enough(s, kind, object, part, d->op))
            return true;
    }
    return value == initial && new_enough(s, kind, object, part, 0);
}

/* The block as it was after some operation on it, those without an answer in any way. */
static bool block_once(struct state *s, int inode, int block, const struct naive_object *b)
{
    if (2 * block >= b->size ||
        (b->cell[2 * block] == CELL_ERROR &&
         (2 * block + 1 >= b->size || b->cell[2 * block + 1] == CELL_ERROR)))
        return true;
    for (int last = s->n->deltas - 1; last >= 0; last--) {
        const struct naive_delta *d = &s->n->delta[last];
        if (d->kind != NAIVE_BYTES || d->object != inode || d->part / 2 != block)
            continue;
        if (!new_enough(s, NAIVE_BYTES, inode, 2 * block, d->op) ||
            !new_enough(s, NAIVE_BYTES, inode, 2 * block + 1, d->op))
            continue;
        for (int o = 1; o <= s->n->last; o++) {
            const struct naive_op *x = &s->n->op[o];
            s->count[o] = NOT;
            for (int k = 0; k < s->n->deltas; k++)
                if (s->n->delta[k].op == o && s->n->op[o].place <= s->n->op[d->op].place)
                    s->count[o] = x->in_flight || x->troubled ? MAYBE : SURE;
        }
        if (block_ways(s, inode, block, b, 0))
            return true;
    }
    return false;
}

static bool version_object(struct state *s, int object, int inode)
{
    const struct naive_object *b = &s->t->object[object];
    if (b->type != s->n->inode[inode].type || !once_held(s, NAIVE_MODE, inode, 0, b->mode, -1))
        return false;
    if (b->type == HISTORY_DIRECTORY)
        return true;
    return once_held(s, NAIVE_SIZE, inode, 0, b->size, -1) && block_once(s, inode, 0, b) &&
           block_once(s, inode, 1, b);
}

/* Whether every inode with something synced is there, or lost its last name by request. */
static bool all_reached(const struct state *s)
{
    for (int inode = 1; inode < NAIVE_OPS; inode++) {
        if (s->n->inode[inode].type == 0 || s->n->inode[inode].dead_op != 0 ||
            identity_taken(s, -1, inode))
            continue;
        for (int k = 0; k < s->n->deltas; k++) {
            const struct naive_delta *d = &s->n->delta[k];
            bool its = d->op == inode || (d->kind != NAIVE_NAME && d->object == inode);
            if (its && d->synced)
                return false;
        }
    }
    return true;
}

static bool version_entries(struct state *s, int name)
{
    const struct naive_tree *t = s->t;
    if (name == NAIVE_NAMES)
        return s->older || all_reached(s);
    int dir = base_of(s, name);
    bool hidden = name > NAIVE_DIR && t->entry[NAIVE_DIR].object >= 0 &&
                  (t->object[t->entry[NAIVE_DIR].object].listing_error ||
                   t->object[t->entry[NAIVE_DIR].object].stat_error);
    if (dir < 0 || hidden)
        return version_entries(s, name + 1);
    int object = t->entry[name].object;
    if (object < 0)
        return once_held(s, NAIVE_NAME, dir, name, 0, 0) && version_entries(s, name + 1);
    if (t->object[object].stat_error) { /* any name that ever was */
        bool was = false;
        for (int k = 0; k < s->n->deltas; k++)
            was = was || same_slot(&s->n->delta[k], NAIVE_NAME, dir, name);
        return was && version_entries(s, name + 1);
    }
    if (s->identity[object] != 0)
        return once_held(s, NAIVE_NAME, dir, name, s->identity[object], 0) &&
               version_entries(s, name + 1);
    for (int inode = 1; inode < NAIVE_OPS; inode++) {
        if (s->n->inode[inode].type == 0 || identity_taken(s, object, inode) ||
            !once_held(s, NAIVE_NAME, dir, name, inode, 0))
            continue;
        s->identity[object] = inode;
        bool right = version_object(s, object, inode) && version_entries(s, name + 1);
        s->identity[object] = 0;
        if (right)
            return true;
    }
    return false;
}

static bool versions_hold(const struct naive *n, const struct naive_tree *t, bool older)
{
    struct state s = {.n = n, .t = t, .older = older};
    return version_entries(&s, 0);
}

/* ---- Sound names, errors, levels ---- */

/* Whether some names, or what they lead to, could not be read. */
static bool is_hidden(const struct naive_tree *t)
{
    for (int k = 0; k < NAIVE_NAMES; k++) {
        const struct naive_object *b = &t->object[t->entry[k].object < 0 ? 0 : t->entry[k].object];
        if (t->entry[k].object >= 0 && !t->entry[k].not_found &&
            (b->stat_error || (b->type == HISTORY_DIRECTORY && b->listing_error)))
            return true;
    }
    return false;
}

static bool is_sound(const struct naive_tree *t)
{
    if (t->stray)
        return false;
    for (int k = 0; k < NAIVE_NAMES; k++) {
        const struct naive_entry *e = &t->entry[k];
        if (e->object < 0)
            continue;
        const struct naive_object *b = &t->object[e->object];
        int names = 0;
        for (int i = 0; i < NAIVE_NAMES; i++)
            names += t->entry[i].object == e->object;
        if (e->not_found || (!b->stat_error && e->listed_type != b->type))
            return false;
        if (!b->stat_error && b->type == HISTORY_FILE &&
            (b->nlink < names || (b->nlink > names && !is_hidden(t))))
            return false;
        if (!b->stat_error && b->type == HISTORY_DIRECTORY && names != 1)
            return false;
    }
    return true;
}

static bool has_errors(const struct naive_tree *t)
{
    for (int k = 0; k < NAIVE_NAMES; k++) {
        if (t->entry[k].object < 0)
            continue;
        const struct naive_object *b = &t->object[t->entry[k].object];
        if (b->stat_error || (b->type == HISTORY_DIRECTORY && b->listing_error))
            return true;
        for (int c = 0; c < b->size && b->type == HISTORY_FILE; c++)
            if (b->cell[c] == CELL_ERROR)
                return true;
    }
    return false;
}

struct naive_verdict naive_judge(const struct naive *n, const struct naive_tree *t, bool errors)
{
    struct naive_verdict v = {.level = LEVEL_SILENT, .lost = -1};
    if (!is_sound(t))
        return v;
    if (errors || has_errors(t)) {
        v.level = versions_hold(n, t, true) ? LEVEL_DETECTED : LEVEL_SILENT;
        return v;
    }
    struct state s = {.n = n, .t = t};
    struct best best = {0};
    bool in[NAIVE_OPS] = {false};
    try_cuts(&s, in, 0, &best);
    v.lost = best.any ? best.lost : -1;
    if (best.full)
        v.level = LEVEL_TRANSPARENT;
    else if (best.durable)
        v.level = LEVEL_DURABLE;
    else if (versions_hold(n, t, false))
        v.level = LEVEL_SYNCED;
    else if (best.any)
        v.level = LEVEL_PREFIX;
    else if (versions_hold(n, t, true))
        v.level = LEVEL_STRUCTURAL;
    return v;
}
