/* What a boot found becomes the first state of a new epoch: see base.h. */
#include "workloads/oracle/base.h"

#include <stdlib.h>
#include <string.h>

#include "workloads/oracle/invariants.h"
#include "workloads/oracle/model.h"
#include "workloads/oracle/tree.h"

#define SHARED_ROOT 1u

/* A file that may be met again under another name. */
struct linked {
    uint64_t ino;
    uint32_t inode;
};

struct finder {
    struct history *h;
    const struct observation *o;
    uint64_t now_ns;
    uint32_t *inode; /* by node of the observation; 0: not of the base */
    struct linked *linked;
    uint32_t linked_count, linked_room;
};

/* ---- Whether it can be told --------------------------------------------------------------------
 */

/* Of the shared tree the first environment's sight stands for all. */
static bool is_other_sight(const struct node *n)
{
    return n->root && n->shared_root && n->environment != 0;
}

/* lost+found in a root is not judged (sight_ignored). */
static bool is_ignored(const struct observation *o, const struct node *n)
{
    return n->parent != 0 && o->nodes[n->parent].root &&
           strcmp(o->text + n->text, "lost+found") == 0;
}

/* Whether the chunks of a file are all of it, be they readable or not. */
static bool is_all(const struct observation *o, const struct node *n)
{
    uint64_t at = 0;
    for (uint32_t c = n->chunk; c != 0; c = o->chunks[c].next) {
        if (o->chunks[c].from != at)
            return false;
        at = o->chunks[c].to;
    }
    return at == n->stat.size;
}

static bool is_told(const struct observation *o, const struct node *n)
{
    uint64_t xattrs = 0;
    for (uint32_t k = n->xattr; k != 0; k = o->xattrs[k].next)
        xattrs ^= o->xattrs[k].value;
    if (n->stat_result != OK || n->stat.xattrs != xattrs)
        return false;
    switch (n->stat.type) {
    case HISTORY_DIRECTORY:
        return n->listing_result == OK;
    case HISTORY_SYMBOLIC:
        return n->target_result == OK;
    default:
        return n->stat.type == HISTORY_FILE && is_all(o, n);
    }
}

/* Whether all that hangs below the roots is told. */
static bool can_be_base(const struct history *h, const struct observation *o)
{
    for (uint32_t e = 0; e < h->environments; e++)
        if (observation_root(o, e, false) == 0)
            return false;
    for (uint32_t k = 1; k <= o->node_count; k++)
        if (!is_ignored(o, &o->nodes[k]) && !is_told(o, &o->nodes[k]))
            return false;
    return true;
}

/* ---- Objects -----------------------------------------------------------------------------------
 */

static void find_bytes(struct finder *f, uint32_t op, const struct node *n)
{
    for (uint32_t c = n->chunk; c != 0; c = f->o->chunks[c].next) {
        const struct chunk *k = &f->o->chunks[c];
        bool read = k->result == OK;
        struct effect *e = model_effect(f->h, op, SLOT_RANGE, op, read ? k->place : 0);
        e->what = read ? RANGE_FOUND : RANGE_UNKNOWN;
        e->from = k->from;
        e->to = e->grown_from = k->to;
    }
}

/* As if they had been set one after the other, each by an operation of its own. */
static void find_xattrs(struct finder *f, uint32_t inode, const struct node *n)
{
    uint64_t sum = 0;
    for (uint32_t k = n->xattr; k != 0; k = f->o->xattrs[k].next) {
        sum ^= f->o->xattrs[k].value;
        uint32_t op = history_set_up(f->h, n->environment, f->now_ns);
        struct effect *e = model_effect(f->h, op, SLOT_XATTRS, inode, sum);
        e->from = f->o->xattrs[k].name;
        e->to = f->o->xattrs[k].value;
    }
}

/* The slot in a root that a name in directory `dir` lies below. */
static uint32_t top_of(const struct history *h, uint32_t dir, uint32_t slot)
{
    return h->inodes[dir].setup ? slot : h->inodes[dir].top;
}

static void find_name(struct finder *f, uint32_t op, const struct node *n, uint32_t inode)
{
    struct history *h = f->h;
    uint32_t dir = f->inode[n->parent];
    uint32_t slot = model_slot(h, dir, f->o->text + n->text, n->text_bytes);
    (void)model_effect(h, op, SLOT_NAME, slot, inode);
    if (h->inodes[inode].top == 0)
        h->inodes[inode].top = top_of(h, dir, slot);
}

/* An object that no name before led to. */
static uint32_t find_object(struct finder *f, const struct node *n)
{
    struct history *h = f->h;
    uint32_t op = history_set_up(h, n->environment, f->now_ns);
    h->inodes[op] = (struct inode){.type = n->stat.type};
    find_name(f, op, n, op);
    (void)model_effect(h, op, SLOT_OWNER, op, (uint64_t)n->stat.uid << 32 | n->stat.gid);
    if (n->stat.type == HISTORY_SYMBOLIC) {
        h->inodes[op].text = model_text(h, f->o->text + n->target, n->target_bytes);
        h->inodes[op].text_bytes = n->target_bytes;
        h->base.links = true;
        return op;
    }
    (void)model_effect(h, op, SLOT_MODE, op, n->stat.mode);
    if (n->stat.type == HISTORY_FILE) {
        (void)model_effect(h, op, SLOT_SIZE, op, n->stat.size);
        find_bytes(f, op, n);
    }
    find_xattrs(f, op, n);
    return op;
}

/* The inode of a file that had another name before, or 0. */
static uint32_t met_before(const struct finder *f, const struct node *n)
{
    for (uint32_t k = 0; k < f->linked_count; k++)
        if (f->linked[k].ino == n->stat.ino)
            return f->linked[k].inode;
    return 0;
}

static uint32_t find_node(struct finder *f, const struct node *n)
{
    bool many = n->stat.nlink > 1 && n->stat.type != HISTORY_DIRECTORY;
    uint32_t inode = many ? met_before(f, n) : 0;
    if (inode != 0) {
        f->h->base.links = true;
        find_name(f, history_set_up(f->h, n->environment, f->now_ns), n, inode);
        return inode;
    }
    inode = find_object(f, n);
    if (many) {
        f->linked = model_grow(f->linked, &f->linked_room, f->linked_count + 1, sizeof(*f->linked));
        f->linked[f->linked_count++] = (struct linked){.ino = n->stat.ino, .inode = inode};
    }
    return inode;
}

static void find_all(struct history *h, const struct observation *o, uint64_t now_ns)
{
    struct finder f = {.h = h, .o = o, .now_ns = now_ns};
    f.inode = calloc(o->node_count + 1, sizeof(*f.inode));
    ASSERT(f.inode != NULL);
    for (uint32_t k = 1; k <= o->node_count; k++) { /* directories come before what they hold */
        const struct node *n = &o->nodes[k];
        if (is_other_sight(n) || is_ignored(o, n))
            continue;
        if (n->root)
            f.inode[k] = n->shared_root ? SHARED_ROOT : n->environment + 2;
        else if (f.inode[n->parent] != 0)
            f.inode[k] = find_node(&f, n);
    }
    free(f.inode);
    free(f.linked);
}

/* ---- Epochs ------------------------------------------------------------------------------------
 */

/* What was asked so far has no effects any more; the roots are as on the first day. */
static void forget_effects(struct history *h)
{
    h->effect_count = h->slot_count = h->text_bytes = 0;
    memset(h->buckets, 0, h->bucket_count * sizeof(*h->buckets));
    for (uint32_t op = 1; op <= h->op_count; op++) {
        h->ops[op].effects = h->ops[op].name = h->ops[op].name2 = 0;
        h->inodes[op] = (struct inode){0};
    }
    history_make_roots(h);
    h->raced = h->log.full = false;
    h->log.bytes = h->log.entries = 0;
    for (uint32_t e = 0; e < h->environments; e++)
        h->wrongs[e].count = h->wrongs[e].bytes = 0;
}

static void keep_bytes(struct history_base *b, const struct observation *o)
{
    b->own = model_remake(b->own, &b->own_room, o->pool_bytes);
    if (o->pool_bytes > 0)
        memcpy(b->own, o->pool, o->pool_bytes);
    b->own_bytes = o->pool_bytes;
    b->bytes = b->own;
}

bool history_rebase(struct history *h, const struct observation *o, uint64_t now_ns,
                    bool shared_is_name)
{
    ASSERT(!h->linear);
    for (uint32_t a = 0; a < h->app_count; a++)
        ASSERT(h->apps[a].in_flight == 0 || h->apps[a].death != HISTORY_ALIVE);
    if (!can_be_base(h, o))
        return false;
    invariants_rebase(h, o, shared_is_name);
    forget_effects(h);
    keep_bytes(&h->base, o);
    h->base.first = h->op_count + 1;
    h->base.links = false;
    find_all(h, o, now_ns);
    h->base.slots = h->slot_count;
    h->base.effects = h->effect_count;
    h->setup_ops = h->op_count;
    h->base.tick = h->sync_tick = ++h->tick;
    return true;
}

void history_revive(struct history *h, uint32_t app)
{
    ASSERT(app < h->app_count);
    struct app *a = &h->apps[app];
    ASSERT(a->death != HISTORY_ALIVE);
    a->death = HISTORY_ALIVE;
    a->in_flight = a->txn = 0;
    a->doomed = a->unsettled = false;
    memset(a->fds, 0, sizeof(a->fds));
}

const uint8_t *history_found_bytes(const struct history *h, uint32_t inode, uint32_t k,
                                   uint64_t *from, uint64_t *to)
{
    *from = *to = 0;
    if (inode < h->base.first || inode > h->setup_ops)
        return NULL;
    const struct history_op *o = &h->ops[inode];
    for (uint32_t n = 0; n < o->effects; n++) {
        const struct effect *e = &h->effects[o->first_effect + n];
        if (e->slot != SLOT_RANGE || e->what != RANGE_FOUND || k-- > 0)
            continue;
        *from = e->from;
        *to = e->to;
        return h->base.bytes + e->value;
    }
    return NULL;
}

void base_repeat(struct history *w, const struct history *h)
{
    uint32_t roots = w->setup_ops, effects = w->effect_count;
    if (h->setup_ops == roots)
        return;
    memcpy(w->ops + roots + 1, h->ops + roots + 1, (h->setup_ops - roots) * sizeof(*w->ops));
    for (uint32_t op = roots + 1; op <= h->setup_ops; op++) {
        const struct inode *i = &h->inodes[op];
        w->ops[op].effects = 0;
        w->inodes[op] = (struct inode){.type = i->type, .top = i->top};
        if (i->type != HISTORY_SYMBOLIC)
            continue;
        w->inodes[op].text = model_text(w, h->text + i->text, i->text_bytes);
        w->inodes[op].text_bytes = i->text_bytes;
    }
    for (uint32_t s = w->slot_count + 1; s <= h->base.slots; s++) {
        uint32_t same =
            model_slot(w, h->slots[s].dir, h->text + h->slots[s].text, h->slots[s].bytes);
        ASSERT(same == s);
    }
    for (uint32_t k = effects + 1; k <= h->base.effects; k++) {
        const struct effect *e = &h->effects[k];
        struct effect *to = model_effect(w, e->op, (enum slot_kind)e->slot, e->object, e->value);
        to->what = e->what;
        to->from = e->from;
        to->to = e->to;
        to->grown_from = e->grown_from;
    }
    uint8_t *own = w->base.own;
    uint64_t room = w->base.own_room;
    w->base = h->base;
    w->base.own = own;
    w->base.own_room = room;
    w->setup_ops = h->setup_ops;
    w->set_up = h->set_up;
    w->sync_tick = h->base.tick;
}
