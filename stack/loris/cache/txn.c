/*
 * Commit: the private changes of a transaction become one group of log records, then the state that
 * everyone sees, then structural requests to the layers below.
 *
 * The group counts from the store of the log's tail word on. Before it, a crash finds frames whose
 * lsn is above the last one committed, and drops them; after it, everything is redone from the log.
 */
#include "cache.h"

/* Whoever is in a transaction has locked the object: a hold on it is its own. */
uint64_t txn_size(const struct env *env, const struct object *o)
{
    return env != NULL && o->hold != NULL ? o->hold->size : o->size;
}

const uint8_t *txn_attr(const struct env *env, const struct object *o)
{
    for (const struct hold *h = env != NULL ? o->hold : NULL; h != NULL; h = h->under)
        if (h->attr_set)
            return h->attr;
    return o->attr;
}

bool txn_deleted(const struct object *o)
{
    for (const struct hold *h = o->hold; h != NULL; h = h->under)
        if (h->deleted)
            return true;
    return false;
}

static bool hold_changes(const struct hold *h)
{
    if (!h->exclusive || (h->created && h->deleted))
        return false;
    return h->created || h->deleted || h->attr_set || h->size_set || h->truncated ||
           h->first_page != 0;
}

bool txn_changes(const struct env *env)
{
    bool changes = false;
    for (const struct hold *h = env->holds; h != NULL; h = h->next)
        changes = changes || hold_changes(h);
    return changes;
}

/* The commit record included. */
uint32_t txn_records(const struct cache *c, const struct env *env)
{
    uint32_t count = 1;
    for (const struct hold *h = env->holds; h != NULL; h = h->next) {
        if (!hold_changes(h))
            continue;
        count += 3;
        uint64_t expect = UINT64_MAX;
        for (uint32_t p = h->first_page; p != 0; p = c->page[p].obj_next) {
            uint64_t block = c->mem.frame[p].block;
            count += block != expect ? 1u : 0u;
            expect = block + 1;
        }
    }
    return count;
}

/* One record for each run of consecutive blocks; its pages are marked with its lsn. */
static void log_pages(struct cache *c, const struct hold *h)
{
    uint32_t p = h->first_page;
    while (p != 0) {
        uint64_t first = c->mem.frame[p].block;
        uint64_t count = 0;
        uint32_t run = p;
        while (p != 0 && c->mem.frame[p].block == first + count) {
            count++;
            p = c->page[p].obj_next;
        }
        struct record *r = log_add(c, RECORD_WRITE, h->object->oid, first, count, 0, NULL, 0);
        log_finish(c, r);
        for (uint64_t k = 0; k < count; k++) {
            struct frame *f = &c->mem.frame[run];
            f->lsn = r->lsn;
            f->state = (f->state & ~FRAME_STATE) | FRAME_COMMITTED;
            f->seal = frame_seal(f);
            if (r->op == RECORD_NONE)
                c->page[run].flags |= PAGE_UNLOGGED;
            run = c->page[run].obj_next;
        }
    }
}

static void log_hold(struct cache *c, const struct hold *h)
{
    const struct object *o = h->object;
    if (h->deleted) {
        log_finish(c, log_add(c, RECORD_DELETE, o->oid, 0, 0, 0, NULL, 0));
        return;
    }
    const uint8_t *attr = h->attr_set ? h->attr : o->attr;
    if (h->created)
        log_finish(
            c, log_add(c, RECORD_CREATE, o->oid, h->size, 0, o->flags, attr, OBJECT_ATTR_BYTES));
    else if (h->truncated)
        log_finish(c, log_add(c, RECORD_TRUNCATE, o->oid, h->min_size, 0, 0, NULL, 0));
    log_pages(c, h);
    if (!h->created || h->first_page != 0)
        log_finish(
            c, log_add(c, RECORD_SETATTR, o->oid, h->size, 0, o->flags, attr, OBJECT_ATTR_BYTES));
}

/* The private pages take the place of the committed ones. */
static void apply_pages(struct cache *c, struct hold *h)
{
    struct object *o = h->object;
    uint64_t old_blocks = (o->size + BLOCK_BYTES - 1) / BLOCK_BYTES;
    uint32_t page = h->first_page;
    while (page != 0) {
        struct page *p = &c->page[page];
        uint32_t next = p->obj_next;
        uint64_t block = c->mem.frame[page].block;
        uint32_t old = page_find(c, o->oid, block, 0);
        bool reserved = false;
        if (old != 0) { /* one of the checkpoint in flight is needed as it is: another block */
            enum page_list list = (enum page_list)c->page[old].list;
            reserved = list != LIST_CLEAN && !(c->preparing && list == LIST_PINNED);
            p->flags |= c->page[old].flags & PAGE_WHOLE;
            page_drop(c, old);
        }
        p->flags |= p->env > CACHE_ENVS ? PAGE_WHOLE : 0;
        p->env = 0;
        page_join_object(c, page, o);
        page_list_put(c, page, LIST_DIRTY);
        c->reserved_blocks += reserved ? 0 : 1;
        o->blocks += block >= old_blocks ? 1 : 0;
        page = next;
    }
    h->first_page = 0;
    h->last_page = 0;
    h->page_count = 0;
}

static void apply_hold(struct cache *c, struct hold *h)
{
    struct object *o = h->object;
    if (h->deleted) {
        object_cut(c, o, 0);
        object_mark_clean(c, o);
        o->pending = true; /* txn_close removes the entry */
        return;
    }
    if (h->truncated) {
        uint64_t keep = (h->min_size + BLOCK_BYTES - 1) / BLOCK_BYTES;
        object_cut(c, o, keep);
        o->blocks = o->blocks < keep ? o->blocks : keep;
    }
    apply_pages(c, h);
    o->pending = false;
    o->size = h->size;
    uint64_t low = h->truncated && h->min_size < h->size ? h->min_size : h->size;
    o->low_size = o->low_size < low ? o->low_size : low;
    o->changed = true;
    o->frozen_low = o->frozen_low < low ? o->frozen_low : low;
    if (h->attr_set)
        memcpy(o->attr, h->attr, OBJECT_ATTR_BYTES);
    object_mark_dirty(c, o);
}

/* Room in the log for the group, and memory not too full of pinned pages. */
static enum err make_room(struct cache *c, uint32_t records)
{
    if (log_has_room(c, records))
        return OK;
    enum err e = checkpoint_run(c, 0);
    if (e != OK)
        return e;
    return log_has_room(c, records) ? OK : E_FULL;
}

enum err txn_commit(struct cache *c, struct env *env, const uint8_t result[OBJECT_RESULT_BYTES])
{
    ASSERT(env->open);
    if (!txn_changes(env)) { /* nothing to keep: run again it gives the same */
        txn_close(c, env);
        return OK;
    }
    uint32_t records = txn_records(c, env);
    enum err e = make_room(c, records);
    if (e != OK)
        return e;
    uint32_t before = c->log_count;
    for (const struct hold *h = env->holds; h != NULL; h = h->next)
        if (hold_changes(h))
            log_hold(c, h);
    log_finish(c, log_add(c, RECORD_COMMIT, 0, env->id.sequence,
                          (uint64_t)env->id.environment << 32 | env->id.generation, 0, result,
                          OBJECT_RESULT_BYTES));
    ASSERT(c->log_count - before <= records);
    log_seal(c);
    plat_probe(PROBE_TXN_COMMIT);
    for (struct hold *h = env->holds; h != NULL; h = h->next)
        if (hold_changes(h))
            apply_hold(c, h);
    if (env->id.environment != 0)
        reply_put(c, &env->id, result);
    checkpoint_changed(c);
    txn_close(c, env);
    e = log_push(c, 0);
    ASSERT(e == OK || e == E_SESSION); /* a recovery sends it again: it is in the log */
    return OK;
}
