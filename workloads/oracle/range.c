#include "workloads/oracle/range.h"

#include <stdlib.h>
#include <string.h>

#include "workloads/oracle/content.h"

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void add_piece(struct range_work *w, uint64_t from, uint64_t to, uint32_t bound)
{
    if (from >= to)
        return;
    w->piece = model_grow(w->piece, &w->room, w->count + 1, sizeof(*w->piece));
    w->piece[w->count++] = (struct range_piece){.from = from, .to = to, .bound = bound};
}

/* How many bytes agree, from the first on. */
static uint64_t match_found(const uint8_t *found, const uint8_t *bytes, uint64_t count)
{
    uint64_t same = 0;
    if (memcmp(found, bytes, count) == 0)
        return count;
    while (found[same] == bytes[same])
        same++;
    return same;
}

/* How many bytes of [from, to) the effect explains, from the first on. */
static uint64_t explains(const struct range_query *q, const struct effect *e, uint64_t from,
                         uint64_t to)
{
    const uint8_t *bytes = q->bytes + (from - q->from);
    switch ((enum range_what)e->what) {
    case RANGE_DATA:
        return content_match(q->h->ops[e->author].key, e->author, from + e->shift, bytes,
                             to - from);
    case RANGE_ZERO:
        return content_match_zeros(bytes, to - from);
    case RANGE_ABSENT:
        return 0; /* there should be no byte here */
    case RANGE_FOUND:
        return match_found(q->h->base.bytes + e->value + (from - e->from), bytes, to - from);
    case RANGE_UNKNOWN:
        return to - from;
    }
    ASSERT(false);
    return 0;
}

/* Holds [from, to) against an effect that counts; what it does not explain stays, bounded. */
static void demand(struct range_work *w, const struct range_query *q, const struct effect *e,
                   uint64_t from, uint64_t to, uint32_t bound)
{
    uint32_t tighter = bound > q->h->ops[e->op].begin_tick ? bound : q->h->ops[e->op].begin_tick;
    while (from < to) {
        uint64_t good = explains(q, e, from, to);
        from += good;
        if (from == to)
            return;
        add_piece(w, from, from + 1, tighter);
        if (!q->h->inodes[q->inode].mixed) { /* nothing older can help */
            add_piece(w, from + 1, to, tighter);
            return;
        }
        from++;
    }
}

/* Where an operation's range begins: that of a write beyond the end has a hole before its data. */
static uint64_t start_of(const struct range_query *q, const struct effect *e)
{
    const struct effect *hole = &q->h->effects[e->older];
    bool has = q->h->ops[e->op].kind != HISTORY_COMMIT && e->older != 0 && e->what == RANGE_DATA &&
               hole->op == e->op && !hole->is_void;
    return has ? hole->from : e->from;
}

/* Whether the operation, its hole included, explains all of [from, to). */
static bool explains_all(const struct range_query *q, const struct effect *e, uint64_t from,
                         uint64_t to)
{
    uint64_t middle = most(from, least(to, e->from));
    return content_match_zeros(q->bytes + (from - q->from), middle - from) == middle - from &&
           explains(q, e, middle, to) == to - middle;
}

/* Offers an operation that may be in by whole blocks; a grown block that is out may be zeros. */
static void offer(struct range_work *w, const struct range_query *q, const struct effect *e,
                  uint64_t from, uint64_t to, uint32_t bound)
{
    bool hole = start_of(q, e) < e->from;
    while (from < to) {
        uint64_t end = least(to, (from / HISTORY_BLOCK_BYTES + 1) * HISTORY_BLOCK_BYTES);
        uint64_t grown = hole ? from : most(from, least(e->grown_from, end));
        bool in = explains_all(q, e, from, end);
        if (!in && e->what == RANGE_DATA && grown < end &&
            content_match_zeros(q->bytes + (grown - q->from), end - grown) == end - grown)
            add_piece(w, from, grown, bound);
        else if (!in)
            add_piece(w, from, end, bound);
        from = end;
    }
}

/* Joins pieces that touch: an operation that is out must not leave a seam, or an older one could be
 * half in. */
static void join_pieces(struct range_work *w)
{
    for (uint32_t k = 1; k < w->count; k++) {
        struct range_piece p = w->piece[k];
        uint32_t at = k;
        for (; at > 0 && w->piece[at - 1].from > p.from; at--)
            w->piece[at] = w->piece[at - 1];
        w->piece[at] = p;
    }
    uint32_t kept = 0;
    for (uint32_t k = 0; k < w->count; k++) {
        struct range_piece *last = kept == 0 ? NULL : &w->piece[kept - 1];
        if (last != NULL && last->to == w->piece[k].from && last->bound == w->piece[k].bound)
            last->to = w->piece[k].to;
        else
            w->piece[kept++] = w->piece[k];
    }
    w->count = kept;
}

/* One effect against all pieces. Returns false if a piece can no longer be explained. */
static bool apply_effect(struct range_work *w, const struct range_query *q, const struct effect *e,
                         enum presence presence, uint64_t *failed)
{
    const struct history_op *o = &q->h->ops[e->op];
    uint64_t start = presence == OPTIONAL ? start_of(q, e) : e->from;
    uint32_t count = w->count;
    for (uint32_t k = 0; k < count; k++) {
        struct range_piece p = w->piece[k];
        uint64_t from = most(p.from, start);
        uint64_t to = least(p.to, e->to);
        if (from >= to || o->end_tick < p.bound)
            continue;
        uint32_t before = w->count;
        if (presence == IN)
            demand(w, q, e, from, to, p.bound);
        else
            offer(w, q, e, from, to, p.bound);
        if (presence == IN && w->count > before && !q->h->inodes[q->inode].mixed) {
            *failed = w->piece[before].from;
            return false;
        }
        w->piece[k].to = p.from; /* empty: its rest is added anew */
        add_piece(w, p.from, from, p.bound);
        add_piece(w, to, p.to, p.bound);
    }
    uint32_t kept = 0;
    for (uint32_t k = 0; k < w->count; k++)
        if (w->piece[k].from < w->piece[k].to)
            w->piece[kept++] = w->piece[k];
    w->count = kept;
    if (presence == OPTIONAL)
        join_pieces(w);
    return true;
}

bool range_explained(struct range_work *w, const struct range_query *q, uint64_t *failed)
{
    ASSERT(q->from <= q->to);
    ASSERT(q->bytes != NULL || q->from == q->to);
    uint64_t nowhere;
    failed = failed == NULL ? &nowhere : failed;
    w->count = 0;
    add_piece(w, q->from, q->to, 0);
    for (uint32_t at = q->newest; at != 0 && w->count != 0; at = q->h->effects[at].older) {
        const struct effect *e = &q->h->effects[at];
        enum presence presence = e->is_void ? OUT : q->presence(q->object, e->op);
        if (presence == OUT || e->to <= q->from || start_of(q, e) >= q->to)
            continue;
        if (!apply_effect(w, q, e, presence, failed))
            return false;
        if (presence == OPTIONAL && start_of(q, e) < e->from)
            at = e->older; /* the hole went with the data */
    }
    if (w->count != 0)
        *failed = w->piece[0].from;
    return w->count == 0;
}

void range_work_free(struct range_work *w)
{
    free(w->piece);
    *w = (struct range_work){0};
}
