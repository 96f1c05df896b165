/*
 * The cache's process: start, then one loop of requests and background work.
 */
#include "cache.h"
#include "programs.h"

static void start(struct cache *c)
{
    plat_subscribe(LAYER_LOGICAL, 0);
    for (uint32_t k = 0; k < c->options.disks && k < DISKS_MAX; k++)
        plat_subscribe(LAYER_PHYSICAL, k);
    survivor_map(c);
    pages_init(c);
    overlay_init(c);
    stable_init(c);
    for (uint32_t k = 0; k < CACHE_SLOTS; k++)
        c->env[k].index = (uint8_t)k;
    c->epoch = 1;
    c->next_lsn = 1;
    c->next_oid = OID_FIRST_FREE;
    c->session = c->boot->incarnation << 16; /* above those of earlier instances */
    c->system = c->boot->survivor_fresh;
    c->need_recovery = true;
    if (!c->boot->survivor_fresh)
        revalidate(c);
    bool anew = c->system;
    recover(c);
    if (c->changed && !anew)
        c->want_checkpoint = true;   /* what came out of the survivor region: at once */
    if (c->stable != NULL && anew) { /* what came out of the log on the disks; and it opens that */
        uint64_t most = c->options.checkpoint_ns;
        c->changed = true;
        c->due_ns = plat_now() + (most < CACHE_OPEN_NS ? most : CACHE_OPEN_NS);
    }
}

/* Checkpoints that are due. One that fails for good is an error to those who wait for it. */
static void run_due(struct cache *c)
{
    bool timer_due = c->changed && plat_now() >= c->due_ns;
    if (c->down != OK || (c->syncs == 0 && !timer_due && !c->want_checkpoint))
        return;
    c->want_checkpoint = false;
    enum err e = checkpoint_run(c, log_runs_short(c) ? 0 : CHECKPOINT_SERVE);
    if (e == OK)
        return;
    c->failed_checkpoints++;
    if (e == E_SESSION && c->failed_checkpoints < CACHE_REDO_MAX) {
        recover(c);
        c->want_checkpoint = c->changed;
        return;
    }
    checkpoint_answer(c, e == E_SESSION ? E_MEDIA : e);
    c->failed_checkpoints = 0;
    c->due_ns = plat_now() + c->options.checkpoint_ns;
    c->retry_ns = c->due_ns;
}

/* Write-back above the share of dirty pages; after a failure only the next checkpoint tries. */
static void write_ahead(struct cache *c)
{
    uint64_t limit = (uint64_t)c->mem.frames * CACHE_DIRTY_PERCENT / 100;
    if (!c->options.steal)
        return;
    if (c->list[LIST_DIRTY].count <= limit || c->need_recovery || c->down != OK)
        return;
    if (c->retry_ns != 0 && plat_now() < c->retry_ns)
        return;
    uint32_t written = 0;
    enum err e = writeback_batch(c, &written);
    c->retry_ns = e == OK || e == E_SESSION ? 0 : c->due_ns;
}

/* Work between requests. */
static void housekeep(struct cache *c)
{
    if (c->need_recovery)
        recover(c);
    if (c->down != OK)
        checkpoint_answer(c, (enum err)c->down);
    serve_wake(c);
    run_due(c);
    serve_held(c);
    write_ahead(c);
}

static bool busy(const struct cache *c)
{
    return c->need_recovery || c->wake || ((c->want_checkpoint || c->syncs > 0) && c->down == OK);
}

static uint64_t deadline(const struct cache *c)
{
    if (busy(c))
        return 0; /* look for messages, do not wait */
    return c->changed && c->down == OK ? c->due_ns : PLAT_FOREVER;
}

/* For who looks at the run. */
static void tell_gauges(const struct cache *c)
{
    uint64_t taken = c->reserved_blocks + c->private_pages;
    plat_gauge(GAUGE_LOG, (uint64_t)(c->log_count - c->log_first) * sizeof(struct record));
    plat_gauge(GAUGE_CREDIT, c->free_blocks > taken ? c->free_blocks - taken : 0);
}

void cache_main(const struct boot *boot)
{
    struct cache *c = plat_alloc(sizeof(struct cache), TAG_HEAP);
    ASSERT(c != NULL);
    c->boot = boot;
    c->options = boot->options;
    c->eager = c->options.checksums == CHECKSUMS_EAGER;
    c->lazy = c->options.checksums == CHECKSUMS_LAZY;
    c->log_on = c->options.log;
    if (c->options.tries == 0)
        c->options.tries = 3;
    start(c);
    *c->mem.starts = 0;
    plat_ready();
    for (;;) {
        struct msg m;
        uint64_t at = deadline(c);
        enum err e = proto_receive(ENDPOINT_ANY, &m, c->lazy ? lazy_deadline(c, at) : at);
        if (e == OK && m.source == ENDPOINT_DS)
            lower_check(c);
        else if (e == OK && m.type == MSG_NOTIFY && m.source == c->logical)
            c->want_checkpoint = true; /* what was mended below is to become durable */
        else if (e == OK && PROTO_OF(m.type) == PROTO_OBJECT && (m.type & PROTO_REPLY) == 0)
            serve(c, &m);
        else if (e == E_TIMEOUT && c->lazy && !busy(c))
            lazy_work(c);
        housekeep(c);
        tell_gauges(c);
    }
}
