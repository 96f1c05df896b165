/*
 * The process: clients above, one driver a disk below, and in idle moments resynchronisation.
 */
#include "assertion.h"
#include "mem.h"
#include "programs.h"
#include "raid.h"

static void serve_identify(struct raid *r, const struct msg *m)
{
    struct msg reply = {0};
    struct block_identity identity = {.sectors = r->volume_sectors,
                                      .sector_bytes = r->sector_bytes,
                                      .write_cache = r->write_cache};
    for (uint32_t k = 0; k < r->drives; k++)
        identity.resets += r->drive[k]->client.resets;
    block_identity_pack(&reply, &identity);
    proto_reply(m, r->status == OK ? OK : E_DEAD, &reply);
}

static void serve_fence(struct raid *r, const struct msg *m)
{
    struct msg reply = {0};
    request_drain(r);
    block_fencer_set(&r->fencer, m->source);
    proto_reply(m, OK, &reply);
}

static void refuse(const struct msg *m, enum err e)
{
    struct msg reply = {0};
    proto_reply(m, e, &reply);
}

static void serve(struct raid *r, const struct msg *m)
{
    struct block_request in;
    if ((m->type & PROTO_REPLY) != 0)
        return; /* late, or stray */
    enum err e = block_request_unpack(&in, m);
    if (e == OK && block_fencer_refuses(&r->fencer, m->source, in.op == BLOCK_FENCE))
        e = E_DEAD;
    if (e != OK)
        refuse(m, e);
    else if (in.op == BLOCK_IDENTIFY)
        serve_identify(r, m);
    else if (in.op == BLOCK_FENCE)
        serve_fence(r, m);
    else if (r->status != OK)
        refuse(m, E_DEAD);
    else
        request_serve(r, m, &in);
}

/* A message that some driver's client takes; false: it is for serve(). */
static bool from_below(struct raid *r, const struct msg *m)
{
    if (m->type == MSG_NOTIFY) {
        r->recheck = true;
        return true;
    }
    for (uint32_t d = 0; d < r->disks; d++) {
        if (m->source != r->member[d]->client.endpoint)
            continue;
        if (block_client_take(&r->member[d]->client, m))
            request_reap(r, d);
        return true;
    }
    return false;
}

/* While one client waited, messages for the others were taken or passed by: look at all of them,
 * at deaths as well. */
static void recheck(struct raid *r)
{
    static const struct msg death = {.type = MSG_NOTIFY, .source = ENDPOINT_DS};
    for (uint32_t rounds = 0; r->recheck && rounds < DISKS_MAX; rounds++) {
        r->recheck = false;
        for (uint32_t d = 0; d < r->disks; d++) {
            struct block_client *c = &r->member[d]->client;
            if (block_client_take(c, &death))
                r->recheck = true; /* it waited: once more */
        }
        request_reap_all(r);
    }
    for (uint32_t c = 0; c < r->columns && r->copies >= 2; c++)
        bitmap_push(r, c);
}

/* All drives; at first each has the place of its number, and the spares have none. */
static void start_drives(struct raid *r, uint64_t *sectors)
{
    r->drives = r->disks + r->options.spares;
    ASSERT(r->drives <= DISKS_MAX);
    for (uint32_t k = 0; k < r->drives; k++) {
        struct member *m = plat_alloc(sizeof(*m), TAG_HEAP);
        struct block_identity identity = {0};
        ASSERT(m != NULL);
        m->drive = k < r->disks ? k : r->options.disks - r->drives + k; /* a log has one between */
        m->queue_end = &m->queue;
        m->usable = block_client_init(&m->client, LAYER_DRIVER, m->drive, &identity) == OK;
        m->client.replaceable = m->client.watches = r->options.raid != 0;
        m->sectors = identity.sectors;
        r->write_cache |= identity.write_cache;
        if (identity.sector_bytes > r->sector_bytes)
            r->sector_bytes = identity.sector_bytes;
        r->drive[k] = m;
        if (k >= r->disks)
            continue;
        r->member[k] = m;
        m->spent = true;
        sectors[k] = identity.sectors;
    }
}

static void start(struct raid *r, const struct boot *boot)
{
    uint64_t sectors[DISKS_MAX] = {0};
    r->options = boot->options;
    r->disks = options_data_disks(&boot->options);
    r->block = plat_alloc(BLOCK_BYTES, TAG_PAGES);
    r->copy = plat_alloc((size_t)RESYNC_BLOCKS * BLOCK_BYTES, TAG_PAGES);
    uint32_t count = REQUESTS_MAX * (r->options.raid == 5 ? PARTS_A_REQUEST_5 : PARTS_A_REQUEST);
    struct part *parts = plat_alloc(count * sizeof(*parts), TAG_HEAP);
    ASSERT(r->block != NULL && r->copy != NULL && parts != NULL);
    for (uint32_t k = 0; k < count; k++) {
        parts[k].next = r->free_parts;
        r->free_parts = &parts[k];
    }
    start_drives(r, sectors);
    r->status = boot->format ? format_make(r, sectors) : format_load(r);
    if (r->status != OK)
        plat_report(REPORT_DETECTED, (uint64_t) - (int64_t)r->status, 0);
    r->sweep_ns = plat_now();
    scrub_init(r);
    r->recheck = true;
    while (r->status == OK && raid_is_5(r) && rebuild_missing(r) > 0 && repair_step(r))
        ; /* parity first: a request is not to meet both that and what the spare lacks */
}

static uint64_t silent_at_ns(const struct member *m)
{
    bool asked = m->flights > 0 && !m->client.gone;
    return asked ? m->heard_ns + BLOCK_TIMEOUT_NS : PLAT_FOREVER;
}

/* A mirror does without a disk that does not answer in time. */
static void look_for_silence(struct raid *r)
{
    for (uint32_t d = 0; d < r->disks; d++) {
        struct member *m = r->member[d];
        if (plat_now() < silent_at_ns(m))
            continue;
        m->heard_ns = plat_now();
        block_client_silent(&m->client);
        r->recheck = true;
    }
}

/* When to wake without a message: for the sweep while bits are set, at once to resynchronise, or
 * when a disk has been silent too long. */
static uint64_t deadline(const struct raid *r)
{
    uint64_t at_ns = PLAT_FOREVER;
    if (r->status != OK)
        return PLAT_FOREVER;
    if (repair_is_needed(r))
        return r->resync_waits ? plat_now() + RESYNC_RETRY_NS : 0;
    at_ns = spare_deadline(r);
    if (at_ns == PLAT_FOREVER)
        at_ns = scrub_deadline(r);
    for (uint32_t c = 0; c < r->columns; c++)
        if (r->column[c].set > 0 && r->sweep_ns < at_ns)
            at_ns = r->sweep_ns;
    for (uint32_t d = 0; d < r->disks; d++)
        if (silent_at_ns(r->member[d]) < at_ns)
            at_ns = silent_at_ns(r->member[d]);
    return at_ns;
}

static void in_idle_moments(struct raid *r, bool idle)
{
    if (r->status != OK || r->copies < 2)
        return;
    r->since_resync++;
    if (idle || r->since_resync >= RESYNC_EVERY) {
        r->since_resync = 0;
        r->resync_waits = !repair_step(r); /* every region left is being written */
        if (repair_is_needed(r))
            ; /* first what may be wrong, then what is missing */
        else if (spare_deadline(r) < PLAT_FOREVER)
            spare_step(r);
        else
            scrub_step(r);
    }
    if (plat_now() >= r->sweep_ns)
        bitmap_sweep(r);
}

void blockraid_main(const struct boot *boot)
{
    struct raid *r = plat_alloc(sizeof(*r), TAG_HEAP);
    ASSERT(r != NULL);
    ASSERT(boot->layer == LAYER_RAID);
    ASSERT(boot->options.disks > 0 && boot->options.disks <= DISKS_MAX);
    plat_ready(); /* a silent disk makes the start longer than a client waits for a process */
    start(r, boot);
    for (;;) {
        struct msg m;
        look_for_silence(r);
        if (r->recheck)
            recheck(r);
        repair_lost_writes(r);
        enum err e = proto_receive(ENDPOINT_ANY, &m, deadline(r));
        ASSERT(e == OK || e == E_TIMEOUT);
        if (e == OK && !from_below(r, &m))
            serve(r, &m);
        in_idle_moments(r, e == E_TIMEOUT);
    }
}
