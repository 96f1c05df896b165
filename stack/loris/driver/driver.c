/*
 * The driver: moves sectors between its client's grants and one device. One serves every stack.
 *
 * Event driven: requests go to the device as they come, as many as its queue holds, the rest wait
 * here in order of arrival; completions are answered as the device reports them. It keeps nothing
 * that outlives a request, so it is simply restarted.
 *
 * Invariants:
 *   (1) slot s is in use iff slot[s].id != 0, and then slot[s].id % SLOTS == s;
 *   (2) a request is in the device or in the waiting ring, never both; the ring is served first in,
 *       first out, so a flush goes to the device after all writes that came before it;
 *   (3) D1: after the answer to a fence nothing that came before it is in the device or here, and
 *       what an older instance of the fencing client sent is refused.
 */
#include "assertion.h"
#include "block.h"
#include "mem.h"
#include "planted.h"
#include "programs.h"

#define SLOTS 256u /* far above what clients have outstanding: BLOCK_OUTSTANDING_MAX each */

struct slot {
    uint32_t id; /* 0: free */
    uint32_t client, client_id, type;
    struct plat_disk_request request;
};

struct driver {
    struct plat_disk_info info;
    uint32_t resets; /* of the device, when it was fenced last, or at the start */
    struct slot slot[SLOTS];
    uint32_t next_id;
    uint32_t waiting[SLOTS]; /* ring of slots that the device had no place for */
    uint32_t waiting_first, waiting_count;
    struct block_fencer fencer;
};

static void answer(const struct slot *s, enum err status, uint32_t resets)
{
    struct msg request = {.source = s->client, .type = s->type, .id = s->client_id};
    struct msg reply = {0};
    block_resets_pack(&reply, resets);
    proto_reply(&request, status, &reply);
}

static void refuse(const struct msg *m, enum err status)
{
    struct msg reply = {0};
    proto_reply(m, status, &reply);
}

/* ---- Between slots and the device ---- */

static void finish(struct slot *s, enum err status, uint32_t resets)
{
    ASSERT(s->id != 0);
    answer(s, status, resets);
    s->id = 0;
}

/* Gives the request to the device. false: the device is full, the slot must wait. */
static bool submit(const struct driver *d, struct slot *s)
{
    enum err e = plat_disk_submit(&s->request);
    if (e == E_FULL)
        return false;
    if (e != OK)
        finish(s, e, d->resets);
    return true;
}

static void submit_waiting(struct driver *d)
{
    while (d->waiting_count > 0) {
        uint32_t at = d->waiting[d->waiting_first];
        ASSERT(at < SLOTS);
        if (!submit(d, &d->slot[at]))
            return;
        d->waiting_first = (d->waiting_first + 1) % SLOTS;
        d->waiting_count--;
    }
}

static void wait_in_line(struct driver *d, struct slot *s)
{
    ASSERT(d->waiting_count < SLOTS);
    d->waiting[(d->waiting_first + d->waiting_count) % SLOTS] = s->id % SLOTS;
    d->waiting_count++;
}

/* A device that was told to abort this request did nothing: the client may try again. */
static enum err status_of(enum err completion)
{
    return completion == E_AGAIN ? E_MEDIA : completion;
}

/* D2: a device that was reset since has lost what it acknowledged: no flush of it is OK until
 * somebody begins anew with a fence. */
static enum err flushed(const struct driver *d, const struct plat_disk_completion *done)
{
    return done->resets == d->resets ? OK : E_DEAD;
}

static void take_completions(struct driver *d)
{
    struct plat_disk_completion done;
    while (plat_disk_poll(&done)) {
        struct slot *s = &d->slot[done.id % SLOTS];
        if (s->id != done.id)
            continue; /* of a request that a fence has ended */
        bool flush = s->request.op == DISK_FLUSH && done.status == OK;
        finish(s, flush ? flushed(d, &done) : status_of(done.status), done.resets);
    }
    submit_waiting(d);
}

/* ---- Requests ---- */

static struct slot *take_slot(struct driver *d)
{
    for (uint32_t i = 0; i < SLOTS; i++) {
        d->next_id++;
        if (d->next_id == 0)
            d->next_id = 1;
        struct slot *s = &d->slot[d->next_id % SLOTS];
        if (s->id == 0) {
            s->id = d->next_id;
            return s;
        }
    }
    return NULL;
}

/* Turns sectors of 512 bytes into those of the device. E_INVAL: not on its borders, or beyond it.
 */
static enum err to_device(const struct driver *d, const struct block_request *r,
                          struct plat_disk_request *out)
{
    static const enum plat_disk_op ops[] = {[BLOCK_READ] = DISK_READ,
                                            [BLOCK_WRITE] = DISK_WRITE,
                                            [BLOCK_FLUSH] = DISK_FLUSH,
                                            [BLOCK_TRIM] = DISK_TRIM};
    out->op = ops[r->op];
    out->fua = r->fua && r->op == BLOCK_WRITE;
    if (r->op == BLOCK_FLUSH)
        return OK;
    uint32_t scale = d->info.sector_bytes / SECTOR_BYTES;
    if (scale == 0 || r->first_sector % scale != 0 || r->count % scale != 0)
        return E_INVAL;
    out->first_sector = r->first_sector / scale;
    out->count = r->count / scale;
    if (out->first_sector > d->info.sectors || out->count > d->info.sectors - out->first_sector)
        return E_INVAL;
    return OK;
}

static void serve_transfer(struct driver *d, const struct msg *m, const struct block_request *r)
{
    struct plat_disk_request request = {.granter = m->source, .grant = r->grant};
    enum err e = to_device(d, r, &request);
    struct slot *s = e == OK ? take_slot(d) : NULL;
    if (s == NULL) {
        refuse(m, e == OK ? E_FULL : e);
        return;
    }
    request.id = s->id;
    s->client = m->source;
    s->client_id = m->id;
    s->type = m->type;
    s->request = request;
    if (d->waiting_count > 0 || !submit(d, s))
        wait_in_line(d, s);
}

static void serve_identify(struct driver *d, const struct msg *m)
{
    struct msg reply = {0};
    plat_disk_identify(&d->info);
    uint32_t scale = d->info.sector_bytes / SECTOR_BYTES;
    struct block_identity identity = {.sectors = d->info.sectors * scale,
                                      .sector_bytes = d->info.sector_bytes,
                                      .resets = d->info.resets,
                                      .write_cache = d->info.write_cache};
    block_identity_pack(&reply, &identity);
    proto_reply(m, d->info.gone ? E_DEAD : OK, &reply);
}

/* Ends everything that came before: nobody will ask for the answers, nothing moves any more. */
static void serve_fence(struct driver *d, const struct msg *m)
{
    struct plat_disk_completion done;
    if (PLANTED(PLANTED_NO_FENCE)) {
        refuse(m, OK);
        return;
    }
    plat_disk_abort();
    while (plat_disk_poll(&done))
        ; /* over, and so is the request that it belongs to */
    for (uint32_t i = 0; i < SLOTS; i++)
        d->slot[i].id = 0;
    d->waiting_first = d->waiting_count = 0;
    plat_disk_identify(&d->info);
    d->resets = d->info.resets;
    block_fencer_set(&d->fencer, m->source);
    plat_probe(PROBE_DRIVER_FENCE);
    refuse(m, OK);
}

static void serve(struct driver *d, const struct msg *m)
{
    struct block_request r;
    if ((m->type & PROTO_REPLY) != 0)
        return; /* the driver asks nobody: a stray message */
    enum err e = block_request_unpack(&r, m);
    if (e != OK) {
        refuse(m, e);
        return;
    }
    if (block_fencer_refuses(&d->fencer, m->source, r.op == BLOCK_FENCE)) {
        refuse(m, E_DEAD);
        return;
    }
    if (r.op == BLOCK_IDENTIFY)
        serve_identify(d, m);
    else if (r.op == BLOCK_FENCE)
        serve_fence(d, m);
    else
        serve_transfer(d, m, &r);
}

void driver_main(const struct boot *boot)
{
    struct driver *d = plat_alloc(sizeof(*d), TAG_HEAP);
    ASSERT(d != NULL);
    ASSERT(boot->layer == LAYER_DRIVER);
    plat_disk_identify(&d->info);
    d->resets = d->info.resets;
    plat_ready();
    for (;;) {
        struct msg m;
        enum err e = proto_receive(ENDPOINT_ANY, &m, PLAT_FOREVER);
        ASSERT(e == OK);
        if (m.type != MSG_NOTIFY)
            serve(d, &m);
        else if (m.source == ENDPOINT_HARDWARE)
            take_completions(d);
    }
}
