#include "workloads/oracle/versions.h"

#include <string.h>

#include "workloads/oracle/content.h"

/*
 * Objects that look alike (empty files, say) can be taken for either of two inodes that their name
 * led to. A pass chooses; where it does not end well the next choices are tried, at most so many,
 * for the first so many doubtful objects.
 */
#define DOUBTS_MAX 6u
#define PASSES_MAX 64u
#define CANDIDATES_MAX 16u

struct pass {
    struct judge *j;
    bool mark;
    struct versions_result *result;
    uint32_t torn; /* a commit that is there by half, or 0 */
    uint32_t doubts, choice[DOUBTS_MAX], choices[DOUBTS_MAX];
};

/* How well one slot, or an object, fits. */
enum fit { FIT_WRONG, FIT_OLD, FIT_SYNCED };

static enum fit worse(enum fit a, enum fit b)
{
    return a < b ? a : b;
}

static enum presence presence_of_version(const void *object, uint32_t op)
{
    const struct history *h = object;
    return h->ops[op].state == HISTORY_DONE ? IN : OPTIONAL;
}

/* A slot with one value at a time: which of its versions is seen. */
struct version {
    enum fit fit;
    uint32_t effect;    /* 0: the initial value, or none */
    uint32_t synced_op; /* the newest synced operation on the slot, or 0 */
    uint32_t sync;      /* the one that synced it, or 0 */
};

static bool gives(const struct history *h, const struct effect *e, uint64_t value)
{
    if (e->value == value)
        return true;
    const struct history_op *o = &h->ops[e->op];
    bool by_blocks = o->kind == HISTORY_WRITE || o->kind == HISTORY_FALLOCATE;
    return e->slot == SLOT_SIZE && by_blocks && o->state != HISTORY_DONE && value > e->grown_from &&
           value < e->value && value % HISTORY_BLOCK_BYTES == 0;
}

/* A synced effect bounds what may be older. Keeps the first that is met: it is the newest. */
static void note_sync(const struct history *h, struct version *v, const struct effect *e,
                      uint32_t *bound)
{
    if (!sight_effect_synced(h, e))
        return;
    *bound = *bound > h->ops[e->op].begin_tick ? *bound : h->ops[e->op].begin_tick;
    if (v->synced_op != 0)
        return;
    v->synced_op = e->op;
    v->sync = sight_sync_of(h, e);
}

/* initial_fits: the value that was read is the one before any effect. */
static struct version find_version(const struct history *h, uint32_t newest, uint64_t value,
                                   bool initial_fits)
{
    struct version v = {.fit = FIT_WRONG};
    uint32_t bound = 0;
    for (uint32_t at = newest; at != 0; at = h->effects[at].older) {
        const struct effect *e = &h->effects[at];
        if (e->is_void)
            continue;
        if (gives(h, e, value)) {
            enum fit fit = h->ops[e->op].end_tick < bound ? FIT_OLD : FIT_SYNCED;
            if (fit > v.fit) {
                v.fit = fit;
                v.effect = at;
            }
        }
        if (v.fit == FIT_SYNCED)
            return v;
        note_sync(h, &v, e, &bound);
    }
    if (initial_fits && v.fit == FIT_WRONG)
        v.fit = bound == 0 ? FIT_SYNCED : FIT_OLD;
    return v;
}

/* `late`: what is seen is older than something that was synced, not only in another order with it.
 */
static void lose(struct pass *p, const struct effect *e, bool late)
{
    if (!p->mark || e->is_void || p->j->h->ops[e->op].state != HISTORY_DONE)
        return;
    p->j->lost[e->op] |= LOST;
    if (late && sight_effect_synced(p->j->h, e))
        p->j->lost[e->op] |= LOST_SYNCED;
}

/* What is newer than the version that is seen is gone; if none is seen, the newest is. */
static void lose_newer(struct pass *p, uint32_t newest, const struct version *v)
{
    const struct history *h = p->j->h;
    uint32_t at = model_newest(h, newest, VIEW_SURE, 0);
    if (v->effect != 0 && h->ops[h->effects[v->effect].op].state != HISTORY_DONE)
        return; /* an operation without an answer came last */
    for (; at != 0 && at != v->effect; at = h->effects[at].older) {
        lose(p, &h->effects[at], v->fit != FIT_SYNCED);
        if (v->fit == FIT_WRONG)
            return;
    }
}

/* ---- User transactions: whole or not at all ---- */

enum half { HALF_SEEN = 1, HALF_GONE = 2 };

static void note_half(struct pass *p, uint32_t op, enum half half)
{
    p->j->halves[op] |= (uint8_t)half;
    if (p->j->halves[op] == (HALF_SEEN | HALF_GONE) && p->torn == 0)
        p->torn = op;
}

static bool is_commit(const struct history *h, const struct effect *e)
{
    return !e->is_void && h->ops[e->op].kind == HISTORY_COMMIT;
}

/* Of a slot with one value: the commit that the version is of is there, if no other operation gives
 * that value; those that come after it without doubt are not. */
static void note_halves(struct pass *p, uint32_t newest, const struct version *v)
{
    const struct history *h = p->j->h;
    if (h->commits == 0 || v->fit == FIT_WRONG)
        return;
    const struct effect *seen = v->effect != 0 ? &h->effects[v->effect] : NULL;
    uint32_t end = seen != NULL ? h->ops[seen->op].end_tick : 0;
    bool alone = seen != NULL && is_commit(h, seen) && seen->value != 0;
    bool newer = true;
    for (uint32_t at = newest; at != 0; at = h->effects[at].older) {
        const struct effect *e = &h->effects[at];
        newer = newer && at != v->effect;
        if (newer && is_commit(h, e) && end < h->ops[e->op].begin_tick &&
            (seen == NULL || seen->value != e->value))
            note_half(p, e->op, HALF_GONE);
        alone = alone && (at == v->effect || e->is_void || e->value != seen->value);
    }
    if (alone && seen->slot != SLOT_XATTRS)
        note_half(p, seen->op, HALF_SEEN);
}

/* Whether some other operation on these bytes may have come after the one of this effect. */
static bool may_be_covered(const struct history *h, uint32_t newest, uint32_t effect, uint64_t from,
                           uint64_t to)
{
    const struct history_op *o = &h->ops[h->effects[effect].op];
    bool newer = true;
    for (uint32_t at = newest; at != 0; at = h->effects[at].older) {
        const struct effect *e = &h->effects[at];
        newer = newer && at != effect;
        if (at != effect && !e->is_void && e->op != h->effects[effect].op && e->from < to &&
            e->to > from && (newer || !op_precedes(&h->ops[e->op], o)))
            return true;
        if (!newer && !h->inodes[e->object].mixed)
            return false; /* what is older precedes */
    }
    return false;
}

/* Of a file's bytes: what commits wrote last is there or not. */
static void note_data_halves(struct pass *p, const struct chunk *c, uint32_t inode)
{
    const struct history *h = p->j->h;
    uint32_t newest = h->inodes[inode].range;
    if (h->commits == 0 || c->result != OK)
        return;
    for (uint32_t k = newest; k != 0; k = h->effects[k].older) {
        const struct effect *e = &h->effects[k];
        if (!is_commit(h, e) || e->what != RANGE_DATA)
            continue;
        uint64_t at = e->from > c->from ? e->from : c->from;
        while (at < e->to && at < c->to) {
            uint64_t end = (at / HISTORY_BLOCK_BYTES + 1) * HISTORY_BLOCK_BYTES;
            end = end < e->to ? end : e->to;
            end = end < c->to ? end : c->to;
            const uint8_t *bytes = p->j->o->pool + c->place + (at - c->from);
            if (end - at >= 8 && !may_be_covered(h, newest, k, at, end))
                note_half(p, e->op,
                          content_match(h->ops[e->author].key, e->author, at + e->shift, bytes,
                                        end - at) == end - at
                              ? HALF_SEEN
                              : HALF_GONE);
            at = end;
        }
    }
}

/* ---- Bytes ---- */

/* One chunk of a file, and the inode that it is taken for. */
struct bytes {
    struct pass *pass;
    const struct chunk *chunk;
    uint32_t inode, node;
    const uint8_t *data;
};

static bool explained(struct bytes *b, uint32_t newest, uint64_t from, uint64_t to)
{
    struct judge *j = b->pass->j;
    struct range_query q = {.h = j->h,
                            .presence = presence_of_version,
                            .object = j->h,
                            .inode = b->inode,
                            .newest = newest,
                            .from = from,
                            .to = to,
                            .bytes = b->data + (from - b->chunk->from)};
    return range_explained(&j->work, &q, NULL);
}

/* Whether an effect reaches into the block that holds `from`. */
static bool touches(const struct effect *e, uint64_t from)
{
    uint64_t start = from / HISTORY_BLOCK_BYTES * HISTORY_BLOCK_BYTES;
    return !e->is_void && e->from < start + HISTORY_BLOCK_BYTES && e->to > start;
}

/* The version of one block that is seen in [from, to). */
static struct version find_block(struct bytes *b, uint64_t from, uint64_t to)
{
    const struct history *h = b->pass->j->h;
    struct version v = {.fit = FIT_WRONG};
    uint32_t bound = 0;
    uint32_t head = 0; /* the newest effect of the operation: a version has all that it did */
    for (uint32_t at = h->inodes[b->inode].range; at != 0; at = h->effects[at].older) {
        const struct effect *e = &h->effects[at];
        head = head == 0 || h->effects[head].op != e->op ? at : head;
        if (!touches(e, from))
            continue;
        enum fit fit = h->ops[e->op].end_tick < bound ? FIT_OLD : FIT_SYNCED;
        if (fit > v.fit && explained(b, head, from, to)) {
            v.fit = fit;
            v.effect = at;
        }
        if (v.fit == FIT_SYNCED)
            return v;
        note_sync(h, &v, e, &bound);
    }
    return v;
}

/* What the bytes of a block that no version explains are; counts those that are wrong. */
static enum history_clause clause_of_block(struct bytes *b, uint64_t from, uint64_t to)
{
    struct judge *j = b->pass->j;
    enum history_clause clause = CLAUSE_TORN;
    uint64_t wrong = 0;
    bool seam = to - from > 16; /* one wrong word between good ones is where two versions meet */
    for (uint64_t at = from; at < to;) {
        uint64_t end = (at / 8 + 1) * 8 < to ? (at / 8 + 1) * 8 : to;
        bool bad = find_block(b, at, end).fit == FIT_WRONG;
        bool zeros = content_match_zeros(b->data + (at - b->chunk->from), end - at) == end - at;
        wrong += bad ? end - at : 0;
        if (bad && !seam && clause == CLAUSE_TORN)
            clause = zeros ? CLAUSE_ZEROS : CLAUSE_FOREIGN;
        seam = !bad && to - from > 16;
        at = end;
    }
    if (b->pass->mark)
        j->bytes_wrong += wrong != 0 ? wrong : to - from;
    return clause;
}

static void lose_block(struct bytes *b, uint64_t from, const struct version *v)
{
    const struct history *h = b->pass->j->h;
    if (v->effect != 0 && h->ops[h->effects[v->effect].op].state != HISTORY_DONE)
        return;
    for (uint32_t at = h->inodes[b->inode].range; at != 0 && at != v->effect;
         at = h->effects[at].older) {
        if (!touches(&h->effects[at], from) || h->ops[h->effects[at].op].state != HISTORY_DONE)
            continue;
        lose(b->pass, &h->effects[at], v->fit != FIT_SYNCED);
        if (v->fit == FIT_WRONG)
            return;
    }
}

static enum fit judge_block(struct bytes *b, uint64_t from, uint64_t to, bool tell)
{
    struct judge *j = b->pass->j;
    struct version v = find_block(b, from, to);
    unsigned long long number = from / HISTORY_BLOCK_BYTES;
    if (!tell)
        return v.fit;
    lose_block(b, from, &v);
    if (v.fit == FIT_WRONG) {
        enum history_clause clause = clause_of_block(b, from, to);
        sight_flaw(j, clause, v.synced_op, b->node, "block %llu reads %s%s", number,
                   clause == CLAUSE_TORN ? "" : "as ", history_clause_name(clause));
    } else if (v.fit == FIT_OLD) {
        sight_flaw(j, CLAUSE_SYNCED, v.synced_op, b->node,
                   "block %llu, synced by op %u, reads op %u", number,
                   sight_op_number(j->h, v.sync),
                   sight_op_number(j->h, j->h->effects[v.effect].op));
    }
    return v.fit;
}

static void lose_unread(struct bytes *b)
{
    for (uint64_t at = b->chunk->from; at < b->chunk->to;
         at = (at / HISTORY_BLOCK_BYTES + 1) * HISTORY_BLOCK_BYTES) {
        struct version none = {.fit = FIT_WRONG};
        lose_block(b, at, &none);
    }
}

static enum fit judge_chunk(struct bytes *b, bool tell)
{
    const struct chunk *c = b->chunk;
    if (c->result != OK) {
        if (tell && b->pass->mark)
            lose_unread(b);
        return FIT_SYNCED; /* an error was told */
    }
    uint32_t newest = b->pass->j->h->inodes[b->inode].range;
    if (explained(b, newest, c->from, c->to))
        return FIT_SYNCED;
    enum fit fit = FIT_SYNCED;
    for (uint64_t at = c->from; at < c->to;) {
        uint64_t end = (at / HISTORY_BLOCK_BYTES + 1) * HISTORY_BLOCK_BYTES;
        end = end < c->to ? end : c->to;
        fit = worse(fit, judge_block(b, at, end, tell));
        at = end;
    }
    return fit;
}

/* ---- Objects ---- */

static enum fit judge_value(struct pass *p, const struct object *b, uint32_t newest, uint64_t value,
                            bool initial_fits, enum history_clause clause, bool tell)
{
    struct judge *j = p->j;
    struct version v = find_version(j->h, newest, value, initial_fits);
    if (!tell)
        return v.fit;
    lose_newer(p, newest, &v);
    note_halves(p, newest, &v);
    if (v.fit == FIT_WRONG)
        sight_flaw(j, clause, v.synced_op, b->node, "has a wrong %s (%llu)",
                   history_clause_name(clause), (unsigned long long)value);
    else if (v.fit == FIT_OLD)
        sight_flaw(j, CLAUSE_SYNCED, v.synced_op, b->node, "%s, synced by op %u, is older (%llu)",
                   history_clause_name(clause), sight_op_number(j->h, v.sync),
                   (unsigned long long)value);
    return v.fit;
}

/* Whether the names of an observed directory can be those of the inode. */
static bool names_possible(struct judge *j, uint32_t node, uint32_t inode)
{
    for (uint32_t c = j->o->nodes[node].child; c != 0; c = j->o->nodes[c].next) {
        uint32_t slot = j->glimpses[c].object == 0 ? 0 : sight_slot(j, c, inode);
        if (j->glimpses[c].object != 0 &&
            (slot == 0 || model_newest(j->h, j->h->slots[slot].newest, VIEW_ALL, 0) == 0))
            return false;
    }
    return true;
}

/* How well the object fits an inode, its names apart. tell: keep flaws and losses. */
static enum fit judge_object(struct pass *p, struct object *b, uint32_t inode, bool tell)
{
    struct judge *j = p->j;
    const struct inode *i = &j->h->inodes[inode];
    const struct node *n = &j->o->nodes[b->data_node];
    if (i->type != n->stat.type) {
        if (tell)
            sight_flaw(j, CLAUSE_TYPE, 0, b->node, "is of another type");
        return FIT_WRONG;
    }
    bool no_mode = model_newest(j->h, i->mode, VIEW_ALL, 0) == 0;
    bool known_owner = model_newest(j->h, i->owner, VIEW_SURE, 0) != 0;
    uint64_t owner = (uint64_t)n->stat.uid << 32 | n->stat.gid;
    enum fit fit = judge_value(p, b, i->mode, n->stat.mode, no_mode, CLAUSE_ATTRIBUTE, tell);
    if (known_owner)
        fit = worse(fit, judge_value(p, b, i->owner, owner, true, CLAUSE_ATTRIBUTE, tell));
    if (!i->mixed) /* the set of several that change it at once is not modelled */
        fit = worse(fit, judge_value(p, b, i->xattrs, n->stat.xattrs, n->stat.xattrs == 0,
                                     CLAUSE_ATTRIBUTE, tell));
    if (i->type == HISTORY_DIRECTORY)
        return tell || names_possible(j, b->node, inode) ? fit : FIT_WRONG;
    if (i->type == HISTORY_SYMBOLIC) {
        bool same = n->target_result != OK ||
                    (n->target_bytes == i->text_bytes &&
                     memcmp(j->o->text + n->target, j->h->text + i->text, i->text_bytes) == 0);
        if (!same && tell)
            sight_flaw(j, CLAUSE_ATTRIBUTE, 0, b->node, "leads elsewhere");
        return same ? fit : FIT_WRONG;
    }
    fit = worse(fit, judge_value(p, b, i->size, n->stat.size, false, CLAUSE_SIZE, tell));
    for (uint32_t k = n->chunk; k != 0; k = j->o->chunks[k].next) {
        struct bytes bytes = {.pass = p,
                              .chunk = &j->o->chunks[k],
                              .inode = inode,
                              .node = b->node,
                              .data = j->o->pool + j->o->chunks[k].place};
        fit = worse(fit, judge_chunk(&bytes, tell));
        if (tell)
            note_data_halves(p, &j->o->chunks[k], inode);
    }
    return fit;
}

struct candidate {
    uint32_t inode;
    enum fit fit;
};

/* The inodes that the name ever led to and that no other object is, the best first, then the
 * newest. */
static uint32_t list_candidates(struct pass *p, struct object *b, uint32_t slot,
                                struct candidate *list)
{
    struct judge *j = p->j;
    const struct history *h = j->h;
    uint32_t count = 0;
    for (uint32_t at = h->slots[slot].newest; at != 0 && count < CANDIDATES_MAX;
         at = h->effects[at].older) {
        uint32_t inode = h->effects[at].is_void ? 0 : (uint32_t)h->effects[at].value;
        bool out = inode == 0 || j->inode_stamp[inode] == j->stamp;
        for (uint32_t k = 0; k < count; k++)
            out = out || list[k].inode == inode;
        if (out)
            continue;
        list[count++] = (struct candidate){.inode = inode, .fit = FIT_WRONG};
    }
    for (uint32_t k = 0; k < count && count > 1; k++) {
        enum fit by_name = find_version(h, h->slots[slot].newest, list[k].inode, false).fit;
        struct candidate c = {.inode = list[k].inode,
                              .fit = worse(by_name, judge_object(p, b, list[k].inode, false))};
        uint32_t at = k;
        for (; at > 0 && list[at - 1].fit < c.fit; at--)
            list[at] = list[at - 1];
        list[at] = c;
    }
    return count;
}

/* Chooses the inode that the object is taken for, or 0. */
static uint32_t identify(struct pass *p, struct object *b, uint32_t slot)
{
    struct candidate list[CANDIDATES_MAX];
    uint32_t count = list_candidates(p, b, slot, list);
    uint32_t good = 0;
    while (good < count && list[good].fit != FIT_WRONG)
        good++;
    if (count == 0)
        return 0;
    if (good < 2 || p->doubts == DOUBTS_MAX)
        return list[0].inode;
    uint32_t doubt = p->doubts++;
    p->choices[doubt] = good;
    return list[p->choice[doubt] < good ? p->choice[doubt] : 0].inode;
}

/* ---- Names ---- */

static void note_fit(struct pass *p, enum fit fit)
{
    p->result->right = p->result->right && fit != FIT_WRONG;
    p->result->synced = p->result->synced && fit == FIT_SYNCED;
}

/* One name that was read: who it leads to, and whether it ever did. */
static void judge_name(struct pass *p, uint32_t node, uint32_t dir)
{
    struct judge *j = p->j;
    const struct history *h = j->h;
    uint32_t slot = sight_slot(j, node, dir);
    if (slot == 0 || model_newest(h, h->slots[slot].newest, VIEW_ALL, 0) == 0) {
        sight_flaw(j, CLAUSE_NAME, 0, node, "is a name that never was");
        note_fit(p, FIT_WRONG);
        return;
    }
    j->slot_stamp[slot] = j->stamp;
    struct object *b = &j->objects[j->glimpses[node].object];
    if (!b->known)
        return;
    bool is_new = b->stamp != j->stamp;
    if (is_new) {
        uint32_t inode = identify(p, b, slot);
        b->inode = inode;
        b->stamp = j->stamp;
        if (inode != 0)
            j->inode_stamp[inode] = j->stamp;
    }
    struct version v = find_version(h, h->slots[slot].newest, b->inode, false);
    if (b->inode == 0)
        v.fit = FIT_WRONG;
    lose_newer(p, h->slots[slot].newest, &v);
    note_halves(p, h->slots[slot].newest, &v);
    note_fit(p, v.fit);
    if (v.fit == FIT_WRONG)
        sight_flaw(j, CLAUSE_NAME, v.synced_op, node, "leads to another object");
    else if (v.fit == FIT_OLD)
        sight_flaw(j, CLAUSE_SYNCED, v.synced_op, node, "synced by op %u, leads to an older object",
                   sight_op_number(h, v.sync));
    if (is_new && b->inode != 0)
        note_fit(p, judge_object(p, b, b->inode, true));
}

/* Names of the shared tree are of the roots, and not told by readers. */
static bool leads_to_root(const struct history *h, uint32_t effect)
{
    uint32_t inode = (uint32_t)h->effects[effect].value;
    return inode != 0 && h->inodes[inode].setup;
}

/* The names that a directory's listing lacks. */
static void judge_missing(struct pass *p, uint32_t node, uint32_t dir)
{
    struct judge *j = p->j;
    const struct history *h = j->h;
    for (uint32_t s = h->inodes[dir].slots; s != 0; s = h->slots[s].next) {
        uint32_t newest = model_newest(h, h->slots[s].newest, VIEW_ALL, 0);
        if (j->slot_stamp[s] == j->stamp || newest == 0 || leads_to_root(h, newest))
            continue;
        struct version v = find_version(h, h->slots[s].newest, 0, true);
        lose_newer(p, h->slots[s].newest, &v);
        note_halves(p, h->slots[s].newest, &v);
        note_fit(p, v.fit);
        if (v.fit != FIT_SYNCED)
            sight_flaw(j, CLAUSE_SYNCED, v.synced_op, node, "lacks %.60s, synced by op %u",
                       h->text + h->slots[s].text, sight_op_number(h, v.sync));
    }
}

/* All operations on an inode that should be there are gone with it. */
static void lose_inode(struct pass *p, uint32_t inode, bool late)
{
    const struct history *h = p->j->h;
    const struct inode *i = &h->inodes[inode];
    if (model_names(h, inode, VIEW_SURE, 0) == 0)
        return;
    const uint32_t lists[] = {i->size, i->mode, i->owner, i->xattrs};
    for (size_t k = 0; k < sizeof(lists) / sizeof(lists[0]); k++) {
        uint32_t newest = model_newest(h, lists[k], VIEW_SURE, 0);
        if (newest != 0)
            lose(p, &h->effects[newest], late);
    }
    for (uint32_t at = i->range; at != 0; at = h->effects[at].older)
        lose(p, &h->effects[at], late);
    for (uint32_t at = i->names; at != 0; at = h->effects[at].sibling)
        if (model_newest(h, h->slots[h->effects[at].object].newest, VIEW_SURE, 0) == at)
            lose(p, &h->effects[at], late);
}

static bool inode_synced(const struct history *h, uint32_t inode)
{
    const struct inode *i = &h->inodes[inode];
    if (sight_op_synced(h, inode))
        return true;
    const uint32_t lists[] = {i->size, i->mode, i->owner, i->xattrs, i->range};
    for (size_t k = 0; k < sizeof(lists) / sizeof(lists[0]); k++)
        for (uint32_t at = lists[k]; at != 0; at = h->effects[at].older)
            if (sight_effect_synced(h, &h->effects[at]))
                return true;
    return false;
}

/* Whether all names that the inode ever had lie in trees that this sight shows. */
static bool all_names_here(const struct judge *j, uint32_t inode)
{
    const struct history *h = j->h;
    for (uint32_t at = h->inodes[inode].names; at != 0; at = h->effects[at].sibling) {
        const struct effect *e = &h->effects[at];
        if (e->is_void)
            continue;
        uint32_t root = model_root(h, h->slots[e->object].dir);
        if (root != j->environment + 2 && !(root == 1 && j->root[1] != 0))
            return false;
    }
    return true;
}

/* Inodes that nothing leads to any more: a synced one must have lost its last name by request. */
static void judge_unreached(struct pass *p)
{
    struct judge *j = p->j;
    const struct history *h = j->h;
    for (uint32_t k = h->base.first; k <= h->op_count; k++) {
        const struct inode *i = &h->inodes[k];
        if (i->type == 0 || j->inode_stamp[k] == j->stamp || !all_names_here(j, k))
            continue;
        bool late = i->dead_op == 0 && inode_synced(h, k);
        lose_inode(p, k, late);
        if (!late)
            continue;
        note_fit(p, FIT_OLD);
        sight_flaw(j, CLAUSE_SYNCED, k, 0, "what op %u created was synced and is gone",
                   sight_op_number(h, k));
    }
}

static void run_pass(struct pass *p)
{
    struct judge *j = p->j;
    *p->result = (struct versions_result){.right = true, .synced = true};
    p->doubts = 0;
    p->torn = 0;
    j->stamp++;
    if (j->h->commits > 0) {
        j->halves = model_grow(j->halves, &j->halves_room, j->h->op_count + 1, 1);
        memset(j->halves, 0, j->h->op_count + 1);
    }
    for (uint32_t k = 1; k <= j->o->node_count; k++) {
        const struct node *n = &j->o->nodes[k];
        uint32_t object = j->glimpses[k].object;
        if (object == 0)
            continue;
        if (n->root) {
            uint32_t root = n->shared_root ? 1 : j->environment + 2;
            j->objects[object].inode = root;
            j->objects[object].stamp = j->stamp;
            j->inode_stamp[root] = j->stamp;
        } else {
            const struct object *dir = &j->objects[j->glimpses[n->parent].object];
            if (dir->stamp == j->stamp && dir->inode != 0)
                judge_name(p, k, dir->inode);
        }
    }
    for (uint32_t k = 1; k <= j->object_count; k++) {
        const struct object *b = &j->objects[k];
        const struct node *n = &j->o->nodes[b->node];
        bool listed = b->stamp == j->stamp && b->inode != 0 && n->listing_result == OK &&
                      j->h->inodes[b->inode].type == HISTORY_DIRECTORY;
        if (listed)
            judge_missing(p, b->node, b->inode);
    }
    judge_unreached(p);
    if (p->torn == 0)
        return;
    note_fit(p, FIT_WRONG);
    sight_flaw(j, CLAUSE_TRANSACTION, p->torn, 0, "of the user transaction only a part is there");
}

/* The next choice for the doubtful objects, counting up. Returns false after the last. */
static bool next_choice(struct pass *p)
{
    for (uint32_t k = p->doubts; k-- > 0;) {
        if (++p->choice[k] < p->choices[k])
            return true;
        p->choice[k] = 0;
    }
    return false;
}

void versions_judge(struct judge *j, bool mark, struct versions_result *result)
{
    struct versions_result now;
    struct pass p = {.j = j, .result = &now};
    uint32_t best[DOUBTS_MAX] = {0};
    struct flaw before = j->flaw;
    struct flaw flaw = before;
    *result = (struct versions_result){.right = false};
    for (uint32_t passes = 0; passes < PASSES_MAX; passes++) {
        j->flaw = before;
        run_pass(&p);
        if (passes == 0 || now.right + now.synced > result->right + result->synced) {
            *result = now;
            flaw = j->flaw;
            memcpy(best, p.choice, sizeof(best));
        }
        if ((now.right && now.synced) || !next_choice(&p))
            break;
    }
    if (mark) {
        memcpy(p.choice, best, sizeof(best));
        p.mark = true;
        j->flaw = before;
        run_pass(&p);
    }
    j->flaw = flaw;
}
