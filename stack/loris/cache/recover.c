/*
 * Recovery of the layers below by rollback and replay: logical and every physical go back to the
 * newest complete checkpoint; then everything acknowledged since goes down again.
 *
 * Replay: structural records in the order of their lsn, then the pages of the log with their
 * present content (no replayed cut can hit them any more). Sizes and attributes follow with the
 * next checkpoint, which comes soon. With the log off everything since the checkpoint is forgotten
 * instead, as after a power cut, and open transactions are aborted.
 */
#include "cache.h"

/* The pages of the log are to go down again; those the log does not know (planted bug) are not. */
static void redirty_pages(struct cache *c)
{
    uint32_t page = c->list[LIST_PINNED].first;
    while (page != 0) {
        uint32_t next = c->page[page].next;
        if ((c->page[page].flags & PAGE_UNLOGGED) == 0) {
            page_list_take(c, page);
            page_list_put(c, page, LIST_DIRTY);
            plat_page_state(page_data(c, page), PAGE_DIRTY);
        }
        page = next;
    }
}

void recover_end_environments(const struct cache *c)
{
    for (uint32_t k = 0; k < c->options.environments && k < ENVIRONMENTS_MAX; k++)
        plat_kill(LAYER_VFS, k);
}

/* log off: back to the checkpoint, whatever was answered since. */
static void forget_all(struct cache *c, uint64_t epoch)
{
    if (c->changed)
        recover_end_environments(c);
    for (uint32_t k = CACHE_ENVS; k < CACHE_SLOTS; k++)
        if (c->env[k].open)
            user_close(c, &c->env[k]);
    for (uint32_t k = 0; k < CACHE_ENVS; k++)
        txn_kill(c, &c->env[k], true);
    checkpoint_answer(c, E_MEDIA); /* what they wait for is gone */
    overlay_clear(c);
    reply_forget_above(c, epoch);
    c->reserved_blocks = 0;
    c->changed = false;
    c->want_checkpoint = false;
    c->shadow_all = false;
    c->deaths = 0;
    log_drop(c, c->log_count, c->next_lsn - 1);
}

/* Rolls back. OK: the layers below stand at a checkpoint and this session is theirs. */
static enum err restore(struct cache *c, uint64_t *epoch)
{
    c->session++;
    c->stable_open = false;
    survivor_store(c);
    c->logical = proto_await(LAYER_LOGICAL, 0, plat_now() + CACHE_AWAIT_NS);
    c->need_recovery = false;
    if (c->logical == ENDPOINT_NONE)
        return E_SESSION;
    struct object_request r = {.op = OBJECT_RESTORE,
                               .flags = c->system ? OBJECT_SYSTEM : 0,
                               .lsn = c->next_lsn,
                               .size = c->durable,
                               .epoch = c->epoch};
    struct object_reply reply;
    enum err e = lower_call(c, &r, &reply);
    if (e == E_AGAIN)
        e = E_SESSION;
    if (e != OK)
        return e;
    lower_note(c);
    *epoch = c->durable = reply.epoch;
    if (c->epoch <= reply.blocks) /* numbers that some disk has seen: not again */
        c->epoch = reply.blocks;
    if (c->next_lsn <= reply.lsn)
        c->next_lsn = reply.lsn + 1;
    if (!c->system) {
        plat_probe(PROBE_CACHE_RESTORED);
        plat_report(REPORT_ROLLBACK, reply.epoch, 0);
    }
    return OK;
}

/* The id ceiling as the checkpoint has it. */
static enum err load_own(struct cache *c)
{
    struct object_request r = {.op = OBJECT_GETATTR, .oid = OID_CACHE};
    struct object_reply reply;
    enum err e = lower_call(c, &r, &reply);
    c->own_exists = e == OK;
    c->ceiling_dirty = true;
    if (e == OK) {
        uint64_t ceiling = get_le64(reply.attr);
        if (c->next_oid < ceiling && c->oid_ceiling == 0)
            c->next_oid = ceiling; /* system start: ids below may have been used */
        c->oid_ceiling = c->oid_ceiling > ceiling ? c->oid_ceiling : ceiling;
        c->ceiling_dirty = c->oid_ceiling != ceiling;
    }
    if (c->oid_ceiling == 0)
        c->oid_ceiling = c->next_oid; /* nothing below yet: the first checkpoint writes it */
    return e == E_NOENT ? OK : e;
}

static enum err replay(struct cache *c)
{
    if (!c->changed)
        return OK;
    uint32_t skips = c->skips;
    redirty_pages(c);
    c->log_sent = c->log_first;
    c->replaying = true;
    enum err e = log_push(c, OBJECT_REPLAY);
    uint32_t pages = 0;
    uint32_t target = c->list[LIST_DIRTY].count;
    while (e == OK && pages < target && c->list[LIST_DIRTY].count > 0) {
        uint32_t before = pages;
        e = writeback_batch(c, &pages);
        if (e != OK && e != E_SESSION) {
            e = OK; /* it stays dirty: the next checkpoint says what is wrong with it */
            break;
        }
        for (uint32_t k = before; k < pages; k++)
            plat_probe(PROBE_CACHE_REPLAY_RECORD);
    }
    c->replaying = false;
    if (e != OK)
        return e;
    plat_probe(PROBE_CACHE_REPLAYED);
    plat_report(REPORT_REPLAY, c->log_count - c->log_first + pages, c->skips - skips);
    return OK;
}

/* An earlier instance froze the checkpoint: what is in it shows by lsn. */
static void sort_by_lsn(struct cache *c)
{
    uint32_t page = c->list[LIST_DIRTY].first;
    while (page != 0) {
        uint32_t next = c->page[page].next;
        if (c->mem.frame[page].lsn <= c->freeze_lsn) {
            page_list_take(c, page);
            page_list_put(c, page, LIST_PINNED);
        }
        page = next;
    }
    c->frozen_blocks = c->reserved_blocks - c->list[LIST_DIRTY].count;
    if (c->frozen_count == c->log_count)
        checkpoint_freeze(c); /* all of it is */
}

/* The checkpoint that was in flight is durable: only what was committed since is to be replayed. */
static void keep_durable(struct cache *c)
{
    if (!c->frozen)
        sort_by_lsn(c);
    bool sizes_known = c->frozen;
    checkpoint_done(c);
    c->shadow_all = !sizes_known;
}

/* One attempt. E_SESSION: a layer below died again. */
static enum err recover_once(struct cache *c)
{
    uint64_t epoch = 0;
    enum err e = restore(c, &epoch);
    if (e != OK)
        return e;
    bool durable = c->in_flight != 0 && epoch >= c->in_flight;
    if (c->epoch <= epoch)
        c->epoch = epoch;
    c->epoch++; /* the number that was in flight is burned */
    e = load_own(c);
    if (e != OK)
        return e;
    if (durable)
        checkpoint_answer(c, OK);
    if (durable && c->log_on)
        keep_durable(c);
    else
        checkpoint_unfreeze(c);
    if (c->system && c->stable != NULL)
        e = reload_groups(c);
    if (e != OK)
        return e;
    if (!c->log_on && durable)
        c->changed = false; /* nothing was answered since: it is not taken back */
    if (c->log_on)
        e = replay(c);
    else
        forget_all(c, epoch);
    survivor_store(c);
    if (e == OK)
        e = lower_statfs(c);
    return e;
}

/* Gives what died time to come back: longer with each failure, cut short by a death or start. */
static void pause_before(uint32_t tries)
{
    if (tries < 3)
        return;
    uint64_t ns = UINT64_C(1000000) << (tries < 16 ? tries : 16);
    struct msg m;
    enum err e =
        proto_receive(ENDPOINT_DS, &m, plat_now() + (ns < CACHE_PAUSE_NS ? ns : CACHE_PAUSE_NS));
    ASSERT(e == OK || e == E_TIMEOUT || e == E_DEAD);
}

void recover(struct cache *c)
{
    bool start = c->system; /* of the whole system: nothing is being recovered above */
    if (!start) {
        plat_report(REPORT_RECOVERY_BEGIN, c->session + 1, 0);
        plat_probe(PROBE_CACHE_ROLLBACK);
    }
    enum err e = E_SESSION;
    uint32_t refused = 0; /* times that the layers below said no, rather than die */
    for (uint32_t tries = 0; tries < CACHE_RECOVERY_TRIES && refused < c->options.tries; tries++) {
        pause_before(tries);
        e = recover_once(c);
        if (e == OK)
            break;
        refused += e == E_SESSION ? 0 : 1;
    }
    c->need_recovery = false;
    if (e != OK) {
        c->down = e == E_SESSION ? E_MEDIA : (int32_t)e;
        plat_report(REPORT_READ_ONLY, 0, 0);
        return;
    }
    c->down = OK;
    c->system = false;
    survivor_store(c);
    uint64_t soon = plat_now() + CACHE_SOON_NS;
    if (c->changed && soon > c->retry_ns) {
        c->due_ns = c->due_ns < soon ? c->due_ns : soon;
    }
    if (!start)
        plat_report(REPORT_RECOVERY_END, c->session, 0);
}
