/*
 * The global checkpoint, its timer, the syncs that join it, and the credit of free blocks.
 *
 * Dirty data go down with the world stopped; then the state is frozen, and while the layers below
 * prepare it, which takes some rotations of the disks, requests are served that need nothing from
 * them. What those commit stays above, in the log's next segment, until the checkpoint is released:
 * its pages are dirty (those of the frozen state are pinned or clean), and an object notes what it
 * was at the freeze. If the checkpoint does not come to be, both segments are one again. All else
 * waits (held). With the log off nothing is served. Open transactions are private and no part of
 * it.
 *
 * Credit: a private page reserves a block; a page changed for the first time since the checkpoint
 * keeps it reserved until the next. So what was answered finds its space, shadows included. A
 * change inside metadata gives back at the checkpoint what it takes: it may use what no one else
 * may, else nothing could be removed from a full disk.
 */
#include "cache.h"

static bool credit_has(const struct cache *c, uint32_t pages, bool inside)
{
    uint64_t taken = c->reserved_blocks + c->private_pages + pages;
    if (PLANTED(PLANTED_CREDIT_UNCHECKED))
        return true;
    return inside ? taken <= c->free_blocks + CACHE_OVERDRAFT_BLOCKS
                  : taken + CACHE_SLACK_BLOCKS <= c->free_blocks;
}

enum err credit_reserve(struct cache *c, uint32_t pages, bool inside)
{
    if (credit_has(c, pages, inside))
        return OK;
    enum err e = lower_statfs(c); /* what was freed and released counts again */
    if (e == OK && !credit_has(c, pages, inside) && c->changed) {
        e = checkpoint_run(c, 0);
        if (e == OK)
            e = lower_statfs(c);
    }
    if (e != OK)
        return e;
    return credit_has(c, pages, inside) ? OK : E_NOSPC;
}

uint32_t frame_get(struct cache *c, enum err *e)
{
    *e = OK;
    uint32_t page = page_alloc(c);
    if (page != 0)
        return page;
    *e = checkpoint_run(c, 0); /* unpins */
    if (*e != OK)
        return 0;
    page = page_alloc(c);
    if (page == 0)
        *e = E_FULL; /* open transactions have all of it */
    return page;
}

void checkpoint_changed(struct cache *c)
{
    if (!c->changed)
        c->due_ns = plat_now() + c->options.checkpoint_ns;
    c->changed = true;
    uint32_t pinned = c->list[LIST_DIRTY].count + c->list[LIST_PINNED].count;
    uint64_t frames = c->mem.frames;
    bool kept = c->log_on || !c->options.steal; /* until the checkpoint */
    if (kept && pinned > frames * CACHE_PINNED_PERCENT / 100)
        c->want_checkpoint = true;
    uint64_t records = c->log_count - c->log_first;
    uint64_t slots = c->mem.log_slots;
    if (c->log_on && (records > slots * CACHE_PINNED_PERCENT / 100 || log_runs_short(c)))
        c->want_checkpoint = true;
    if (c->dirty_object_count > CACHE_DIRTY_OBJECTS_MAX)
        c->want_checkpoint = true;
}

static void unpin_all(struct cache *c)
{
    while (c->list[LIST_PINNED].first != 0) {
        uint32_t page = c->list[LIST_PINNED].first;
        page_list_take(c, page);
        c->page[page].attempts = 0;
        c->page[page].flags &= (uint8_t)~PAGE_WHOLE;
        if ((c->page[page].flags & PAGE_LOST) != 0) {
            page_drop(c, page); /* the layers below know that it is lost */
            continue;
        }
        page_list_put(c, page, LIST_CLEAN);
    }
}

void checkpoint_freeze(struct cache *c)
{
    ASSERT(!c->frozen);
    for (struct object *o = c->dirty_objects; o != NULL; o = o->dirty_next) {
        o->frozen = true;
        o->changed = false;
        o->frozen_size = o->size;
        o->frozen_low = o->size;
    }
    c->frozen = true;
    c->frozen_changed = c->changed;
    c->changed = false;
    c->want_checkpoint = false;
    c->freeze_lsn = c->next_lsn - 1;
    c->frozen_count = c->log_count;
    c->frozen_blocks = c->reserved_blocks;
    c->in_flight = c->epoch;
}

void checkpoint_unfreeze(struct cache *c)
{
    for (struct object *o = c->dirty_objects; o != NULL && c->frozen; o = o->dirty_next)
        o->frozen = false;
    if (c->frozen)
        c->changed = c->changed || c->frozen_changed;
    c->frozen = false;
    c->freeze_lsn = 0;
    c->in_flight = 0;
}

/* What the checkpoint holds of the objects is now what was saved; those changed since stay dirty.
 */
static void settle_objects(struct cache *c)
{
    struct object *o = c->dirty_objects;
    while (o != NULL) {
        struct object *next = o->dirty_next;
        if (o->frozen) {
            o->frozen = false;
            o->attempts = 0;
            o->saved_size = o->frozen_size;
            o->low_size = o->frozen_low;
            if (!o->changed)
                object_mark_clean(c, o);
        }
        o = next;
    }
}

void checkpoint_done(struct cache *c)
{
    ASSERT(c->reserved_blocks >= c->frozen_blocks);
    unpin_all(c);
    settle_objects(c);
    c->shadow_all = false;
    c->free_blocks -= c->frozen_blocks < c->free_blocks ? c->frozen_blocks : c->free_blocks;
    c->reserved_blocks -= c->frozen_blocks;
    c->want_checkpoint = false;
    c->deaths = 0;
    c->failed_checkpoints = 0;
    uint64_t lsn = c->frozen_count == c->log_count ? c->next_lsn - 1 : c->freeze_lsn;
    c->frozen = false;
    c->freeze_lsn = 0;
    c->in_flight = 0;
    log_drop(c, PLANTED(PLANTED_SEGMENT_DROPPED) ? c->log_count : c->frozen_count, lsn);
}

static enum err send_attributes(struct cache *c, uint64_t oid, uint64_t size, const uint8_t *attr)
{
    struct object_request r = {
        .op = OBJECT_SETATTR, .oid = oid, .size = size, .lsn = c->next_lsn++};
    struct object_reply reply;
    memcpy(r.attr, attr, OBJECT_ATTR_BYTES);
    enum err e = lower_call(c, &r, &reply);
    if (!lower_short(e))
        return e;
    r.flags = OBJECT_REPLAY; /* reserved for what is acknowledged */
    return lower_call(c, &r, &reply);
}

/* The id ceiling, when ids have been given out above it. */
static enum err send_ceiling(struct cache *c)
{
    if (c->next_oid <= c->oid_ceiling && !c->ceiling_dirty)
        return OK;
    uint64_t ceiling = c->oid_ceiling;
    if (c->next_oid > ceiling)
        ceiling = c->next_oid + OID_STRIDE;
    uint8_t attr[OBJECT_ATTR_BYTES] = {0};
    put_le64(attr, ceiling);
    enum err e = OK;
    if (!c->own_exists) {
        struct object_request r = {.op = OBJECT_CREATE,
                                   .oid = OID_CACHE,
                                   .flags = OBJECT_META | OBJECT_REPLAY,
                                   .lsn = c->next_lsn++};
        struct object_reply reply;
        memcpy(r.attr, attr, OBJECT_ATTR_BYTES);
        e = lower_call(c, &r, &reply);
        if (lower_short(e))
            e = lower_call(c, &r, &reply);
        e = e == E_EXIST ? OK : e;
        c->own_exists = e == OK;
    }
    if (e == OK)
        e = send_attributes(c, OID_CACHE, 0, attr);
    if (e == OK) {
        c->oid_ceiling = ceiling;
        c->ceiling_dirty = false;
    }
    return e;
}

/* What a skipped change left is not what was answered: its old attributes give way to ones that
 * nobody can read, so that it stays an error after a restart. OK, or E_SESSION. */
static enum err send_mark(struct cache *c, struct object *o)
{
    uint8_t unreadable[OBJECT_ATTR_BYTES];
    memset(unreadable, 0xff, sizeof(unreadable));
    enum err e = send_attributes(c, o->oid, o->saved_size, unreadable);
    return e == E_SESSION ? e : OK; /* absent: a name without an object is an error too */
}

/* What it holds cannot be said below: whoever asks is told. */
static void lose_object(struct cache *c, struct object *o, enum err why)
{
    o->lost = true;
    o->error = (int32_t)why;
    c->error = (int32_t)why;
    plat_report(REPORT_LOST, o->oid, UINT64_MAX);
}

/* Size and attributes of one object. In flight at K deaths they give way to the mark "unreadable",
 * and if that kills as often to nothing. OK, E_SESSION, a shortage. */
static enum err send_object(struct cache *c, struct object *o)
{
    if (is_poison(c, o->attempts, 1) && !o->lost) {
        poison_skipped(c, 0, o->oid);
        lose_object(c, o, E_LOST);
        o->marked = true;
    }
    bool mark_kills = is_poison(c, o->attempts, 2);
    if (mark_kills)
        poison_read_only(c);
    if (o->lost && (!o->marked || mark_kills))
        return OK; /* nothing true to say about it */
    o->attempts++;
    enum err e = o->lost ? send_mark(c, o) : send_attributes(c, o->oid, o->size, o->attr);
    if (e == E_SESSION)
        return e;
    o->attempts--;
    if (e == OK || lower_short(e))
        return e;
    lose_object(c, o, lower_answer(e)); /* no copy of it takes any change */
    return OK;
}

static enum err send_objects(struct cache *c)
{
    enum err result = send_ceiling(c);
    for (struct object *o = c->dirty_objects; o != NULL && result != E_SESSION; o = o->dirty_next) {
        enum err e = send_object(c, o);
        result = result == OK || e == E_SESSION ? e : result;
    }
    return result;
}

static enum err send_prepare(struct cache *c, uint32_t how)
{
    struct object_request r = {.op = OBJECT_PREPARE,
                               .flags = (how & CHECKPOINT_CLEAN) != 0 ? OBJECT_CLEAN : 0,
                               .epoch = c->epoch,
                               .lsn = c->next_lsn};
    struct object_reply reply;
    if ((how & CHECKPOINT_SERVE) == 0 || !c->log_on)
        return lower_call(c, &r, &reply);
    c->preparing = true;
    enum err e = lower_call_serving(c, &r, &reply);
    c->preparing = false;
    return e;
}

static enum err send_release(struct cache *c)
{
    struct object_request r = {.op = OBJECT_RELEASE, .epoch = c->epoch, .lsn = c->next_lsn};
    struct object_reply reply;
    return lower_call(c, &r, &reply);
}

/* Everything that was answered is below when this is OK. */
static enum err data_down(struct cache *c, uint32_t *written)
{
    enum err e = log_push(c, 0);
    if (e == OK)
        e = writeback_all(c, written);
    if (e == OK)
        e = send_objects(c);
    return e;
}

enum err checkpoint_run(struct cache *c, uint32_t how)
{
    uint32_t written = 0;
    if (c->preparing)
        return E_SESSION; /* wanted by a request that is served meanwhile: it waits */
    if (c->down != OK)
        return (enum err)c->down;
    plat_probe(PROBE_CKPT_FROZEN);
    enum err e = data_down(c, &written);
    if (e == OK && c->free_blocks == 0) /* what is served meanwhile cannot ask for it */
        e = lower_statfs(c);
    if (e != OK)
        return e;
    plat_probe(PROBE_CKPT_DATA_DOWN);
    if (PLANTED(PLANTED_EARLY_FSYNC))
        checkpoint_answer(c, OK);
    checkpoint_freeze(c);
    survivor_store(c);
    e = send_prepare(c, how);
    if (e != OK)
        c->need_recovery = true; /* some disks may be prepared: only a restore says */
    if (e != OK)
        return e;
    plat_report(REPORT_CHECKPOINT, c->epoch, written);
    checkpoint_answer(c, OK);
    e = send_release(c);
    if (e != OK) {
        c->need_recovery = true; /* which finds that it is durable */
        return E_SESSION;
    }
    c->durable = c->epoch++;
    checkpoint_done(c);
    stable_released(c);
    return log_push(c, 0); /* what was committed meanwhile */
}

bool checkpoint_join(struct cache *c, const struct msg *m)
{
    if (c->syncs == CACHE_SYNCS_MAX)
        return false;
    c->sync[c->syncs++] = *m;
    return true;
}

enum err checkpoint_take_error(struct cache *c, uint64_t oid)
{
    enum err e = OK;
    struct object *o = oid == OID_NONE ? NULL : object_known(c, oid);
    if (o != NULL) {
        e = (enum err)o->error;
        o->error = OK;
    } else if (oid == OID_NONE) {
        e = (enum err)c->error;
        c->error = OK;
    }
    return e;
}

void checkpoint_answer(struct cache *c, enum err status)
{
    for (uint32_t k = 0; k < c->syncs; k++) {
        struct object_request r;
        enum err e = object_request_unpack(&r, &c->sync[k]);
        ASSERT(e == OK); /* it was unpacked when it came */
        e = checkpoint_take_error(c, r.oid);
        serve_reply(&c->sync[k], status != OK ? status : e, NULL);
    }
    c->syncs = 0;
}
