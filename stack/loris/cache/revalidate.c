/*
 * After the cache's own crash: what of the survivor region can be believed. Records and pages of
 * the log with sound seals are taken over, the overlay is redone from the records; a page whose
 * content is bad or missing becomes known lost. Clean pages are dropped: the disk has them. Open
 * transactions are gone with the arena.
 *
 * The layers below are then restored and the log is replayed, as after a crash of theirs: one path
 * for both, and a death below in the meantime is no double fault.
 */
#include "cache.h"

/* Numbers that a checkpoint in flight may have used beyond those on record: it sends at most one
 * for each dirty object. */
#define LSN_GAP (2 * CACHE_DIRTY_OBJECTS_MAX)

/* Everything since the checkpoint cannot be known: say so, begin from below, and let nobody go on
 * who was told otherwise. */
static void begin_empty(struct cache *c)
{
    recover_end_environments(c);
    memset(&c->mem.now, 0, sizeof(c->mem.now));
    for (uint32_t k = 0; k < CACHE_ENVS * REPLIES_PER_ENV; k++)
        c->mem.replies[k].seal = 0;
    c->system = true;
    c->error = E_LOST;
    plat_report(REPORT_LOST, 0, 0);
}

/* An overlay entry for an object that a record names; its state comes from the records. */
static struct object *entry_of(struct cache *c, uint64_t oid)
{
    struct object *o = object_known(c, oid);
    return o != NULL ? o : object_add(c, oid);
}

/* Takes the frames whose descriptors are sound and whose writes are in the log. */
static void take_frames(struct cache *c, uint64_t last_lsn)
{
    for (uint32_t page = c->mem.frames; page > 0; page--) {
        struct frame *f = &c->mem.frame[page];
        if (c->frames_used == 0 && f->state == FRAME_FREE && f->seal == 0)
            continue; /* never used */
        if (c->frames_used == 0)
            c->frames_used = page;
        bool taken = (f->state & FRAME_STATE) == FRAME_COMMITTED && f->seal == frame_seal(f) &&
                     f->lsn > c->mem.now.base_lsn && f->lsn <= last_lsn;
        struct object *o = taken ? entry_of(c, f->oid) : NULL;
        uint32_t other = o != NULL ? page_find(c, f->oid, f->block, 0) : 0;
        if (other != 0 && c->mem.frame[other].lsn > f->lsn)
            o = NULL;
        if (o == NULL) {
            page_free(c, page);
            continue;
        }
        if (other != 0)
            page_drop(c, other);
        uint64_t lsn = f->lsn;
        page_insert(c, page, o, f->block, 0);
        f->lsn = lsn;
        page_list_put(c, page, LIST_DIRTY);
        plat_page_state(page_data(c, page), PAGE_DIRTY);
        bool unverified = c->lazy && page_unsummed(c, page);
        c->unverified += unverified ? 1 : 0;
        if (unverified ? c->options.unverified_drop : !page_sound(c, page))
            c->page[page].flags |= PAGE_LOST;
    }
    if (c->unverified > 0)
        plat_report(REPORT_UNVERIFIED, c->unverified, c->options.unverified_drop ? 1 : 0);
}

/* A page that the log names and nobody has: its place says that it is lost. */
static void mark_missing(struct cache *c, struct object *o, uint64_t block, uint64_t lsn)
{
    uint32_t page = page_alloc(c);
    if (page == 0)
        return;
    page_insert(c, page, o, block, 0);
    c->mem.frame[page].lsn = lsn;
    c->mem.frame[page].seal = frame_seal(&c->mem.frame[page]);
    page_list_put(c, page, LIST_DIRTY);
    c->page[page].flags |= PAGE_LOST;
}

/* A cut drops pages written before it only: frames hold the newest content. */
static void redo_cut(struct cache *c, struct object *o, uint64_t block, uint64_t lsn)
{
    uint32_t page = o->first_page;
    while (page != 0) {
        uint32_t next = c->page[page].obj_next;
        if (c->mem.frame[page].block >= block && c->mem.frame[page].lsn < lsn)
            page_drop(c, page);
        page = next;
    }
}

static void redo_state(struct cache *c, struct object *o, const struct record *r)
{
    o->size = r->a;
    o->blocks = (r->a + BLOCK_BYTES - 1) / BLOCK_BYTES;
    o->flags = r->flags;
    memcpy(o->attr, r->data, OBJECT_ATTR_BYTES);
    object_mark_dirty(c, o);
    if (o->oid >= c->next_oid)
        c->next_oid = o->oid + 1;
}

/* The newest content of a block that a record names must be there. */
static void redo_page(struct cache *c, struct object *o, uint64_t block, uint64_t lsn)
{
    uint32_t page = page_find(c, o->oid, block, 0);
    if (page == 0) {
        mark_missing(c, o, block, lsn);
    } else if (c->mem.frame[page].lsn < lsn) {
        c->mem.frame[page].lsn = lsn;
        c->page[page].flags |= PAGE_LOST; /* an older version, its frame not yet freed */
    }
}

static void redo_write(struct cache *c, struct object *o, const struct record *r)
{
    for (uint64_t k = 0; k < r->b && k < c->mem.frames; k++)
        redo_page(c, o, r->a + k, r->lsn);
}

static void redo_commit(struct cache *c, const struct record *r)
{
    struct object_txn id = {
        .environment = (uint32_t)(r->b >> 32), .generation = (uint32_t)r->b, .sequence = r->a};
    if (id.environment != 0 && id.environment < CACHE_ENVS)
        reply_put(c, &id, r->data);
}

void revalidate_redo(struct cache *c, const struct record *r)
{
    if (r->op == RECORD_COMMIT) {
        redo_commit(c, r);
        return;
    }
    struct object *o = r->op == RECORD_NONE ? NULL : entry_of(c, r->oid);
    if (o == NULL)
        return;
    switch ((enum record_op)r->op) {
    case RECORD_CREATE:
    case RECORD_SETATTR:
        redo_state(c, o, r);
        break;
    case RECORD_TRUNCATE:
        redo_cut(c, o, (r->a + BLOCK_BYTES - 1) / BLOCK_BYTES, r->lsn);
        break;
    case RECORD_WRITE:
        redo_write(c, o, r);
        break;
    case RECORD_DELETE:
        object_remove(c, o);
        break;
    case RECORD_NONE:
    case RECORD_COMMIT:
    case RECORD_OPS:
        break;
    }
}

/* The object that a damaged record seems to speak of: what it holds cannot be believed. */
static void suspect(struct cache *c, const struct record *r)
{
    struct object *o = object_known(c, r->oid);
    plat_report(REPORT_DETECTED, (uint64_t)-E_CORRUPT, r->oid);
    plat_report(REPORT_LOST, r->oid, r->lsn);
    c->error = E_LOST;
    if (o != NULL) {
        o->lost = true;
        o->marked = true; /* else a restart would show what it held before as if it were whole */
        o->error = E_LOST;
        object_mark_dirty(c, o);
    }
}

/* What is still lost when later cuts have been redone. */
static void report_lost(struct cache *c)
{
    for (uint32_t p = c->list[LIST_DIRTY].first; p != 0; p = c->page[p].next)
        if ((c->page[p].flags & PAGE_LOST) != 0)
            page_lose(c, p);
}

/* Objects that only damaged records would have completed: their state is not known. */
static void forget_stubs(struct cache *c)
{
    for (uint32_t k = 0; k < c->chunks * 256u; k++) {
        struct object *o = &c->chunk[k / 256u][k % 256u];
        if (!o->used || o->dirty || o->lost)
            continue;
        if (o->page_count == 0)
            object_remove(c, o);
        else
            o->lost = true;
    }
}

void revalidate_settle(struct cache *c)
{
    report_lost(c);
    forget_stubs(c);
}

static void take_log(struct cache *c)
{
    c->log_count = log_survived(c);
    uint64_t last_lsn = 0; /* of what counts: frames above it are an open transaction's */
    c->frozen_count = c->log_count;
    for (uint32_t k = c->log_first; k < c->log_count; k++) {
        const struct record *r = &c->mem.log[k];
        if (!record_sound(c, r))
            continue;
        last_lsn = r->lsn > last_lsn ? r->lsn : last_lsn;
        if (r->lsn > c->freeze_lsn && k < c->frozen_count)
            c->frozen_count = k;
    }
    if (c->next_lsn <= last_lsn)
        c->next_lsn = last_lsn + 1;
    c->next_lsn += LSN_GAP;
    take_frames(c, last_lsn);
    for (uint32_t k = c->log_first; k < c->log_count; k++) {
        const struct record *r = &c->mem.log[k];
        if (record_sound(c, r))
            revalidate_redo(c, r);
        else
            suspect(c, r);
    }
    revalidate_settle(c);
    c->changed = c->log_count > c->log_first;
    c->reserved_blocks = c->list[LIST_DIRTY].count;
}

void revalidate(struct cache *c)
{
    plat_probe(PROBE_CACHE_REVALIDATE);
    bool hopeless = ++*c->mem.starts > CACHE_STARTS_MAX;
    if (survivor_untouched(&c->mem)) {
        c->system = true; /* nothing was answered yet */
        return;
    }
    if (hopeless || !survivor_load(&c->mem)) {
        begin_empty(c);
        return;
    }
    const struct super *s = &c->mem.now;
    c->epoch = s->epoch;
    c->in_flight = s->in_flight;
    c->freeze_lsn = s->freeze_lsn;
    c->log_first = s->first <= c->mem.log_slots ? (uint32_t)s->first : 0;
    c->next_lsn = s->next_lsn;
    c->next_oid = s->next_oid;
    c->oid_ceiling = s->next_oid; /* ids below were given out: not again */
    if (c->session <= s->session)
        c->session = (uint32_t)s->session;
    c->shadow_all = true;
    c->changed = true; /* log off: what was answered is not known */
    if (c->log_on)
        take_log(c);
}
