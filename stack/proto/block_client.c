/*
 * The block client (block.h): keeps each request until it is answered for good.
 *
 * Invariants:
 *   (1) a pending request has id != 0; ids of two pending requests differ;
 *   (2) a pending request that is not done has been sent to `endpoint` with a grant to it, or the
 *       client is inside resend_all();
 *   (3) no data buffer is touched by the device after its block_wait has returned: an answer ends
 *       the request, and a driver that died is fenced before anything is answered.
 */
#include "block.h"

#include "assertion.h"
#include "mem.h"
#include "planted.h"
#include "proto.h"

/* A block RAID waits for its own drivers as long as a client of a driver does, and kills one. */
static uint64_t timeout_ns(const struct block_client *c)
{
    return c->layer == LAYER_RAID ? 3 * BLOCK_TIMEOUT_NS : BLOCK_TIMEOUT_NS;
}

static uint32_t take_id(struct block_client *c)
{
    c->next_id++;
    if (c->next_id == 0)
        c->next_id = 1;
    return c->next_id;
}

static size_t span_bytes(const struct block_pending *p)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < p->spans; i++)
        bytes += p->span[i].bytes;
    return bytes;
}

static void finish(struct block_pending *p, enum err status)
{
    ASSERT(p->id != 0);
    ASSERT(!p->done);
    plat_revoke(p->request.grant);
    p->request.grant = GRANT_NONE;
    p->status = status;
    p->done = true;
}

static void give_up(struct block_client *c)
{
    c->gone = true;
    c->endpoint = ENDPOINT_NONE;
    for (uint32_t i = 0; i < BLOCK_OUTSTANDING_MAX; i++)
        if (c->pending[i].id != 0 && !c->pending[i].done)
            finish(&c->pending[i], E_DEAD);
}

/* The driver is killed, since it may be what hangs; if the one after it is as silent, it is the
 * disk.
 */
void block_client_silent(struct block_client *c)
{
    if (PLANTED(PLANTED_SLOW_AWAITED))
        return;
    plat_kill(c->layer, c->instance);
    c->silences++;
    if (c->replaceable && c->silences >= BLOCK_SILENCES)
        give_up(c);
}

/* Sends a request to the present endpoint. OK or E_DEAD. */
static enum err send_one(struct block_client *c, struct block_pending *p)
{
    struct msg m;
    ASSERT(!p->done);
    ASSERT(p->request.grant == GRANT_NONE);
    if (p->request.op == BLOCK_READ || p->request.op == BLOCK_WRITE) {
        uint32_t access = p->request.op == BLOCK_READ ? PLAT_GRANT_WRITE : PLAT_GRANT_READ;
        p->request.grant = proto_grant_spans(c->endpoint, p->span, p->spans, access);
    }
    p->written_before = c->written;
    block_request_pack(&m, p->id, &p->request);
    enum err e = plat_post(c->endpoint, &m);
    if (e == E_FULL)
        e = plat_send(c->endpoint, &m);
    return e;
}

static enum err call_identify(struct block_client *c, struct block_identity *identity)
{
    struct msg m;
    struct block_request request = {.op = BLOCK_IDENTIFY};
    block_request_pack(&m, take_id(c), &request);
    enum err e = proto_call(c->endpoint, &m, plat_now() + timeout_ns(c));
    if (e != OK)
        return e;
    if (m.status == OK)
        block_identity_unpack(identity, &m);
    return (enum err)m.status;
}

static enum err call_fence(struct block_client *c)
{
    struct msg m;
    struct block_request request = {.op = BLOCK_FENCE};
    block_request_pack(&m, take_id(c), &request);
    enum err e = proto_call(c->endpoint, &m, plat_now() + timeout_ns(c));
    return e == OK ? (enum err)m.status : e;
}

/* The pending request that was submitted first among those after `after`, NULL if there is none. */
static struct block_pending *next_unanswered(struct block_client *c, uint64_t after)
{
    struct block_pending *best = NULL;
    for (uint32_t i = 0; i < BLOCK_OUTSTANDING_MAX; i++) {
        struct block_pending *p = &c->pending[i];
        if (p->id == 0 || p->done || p->sequence <= after)
            continue;
        if (best == NULL || p->sequence < best->sequence)
            best = p;
    }
    return best;
}

static enum err resend_all(struct block_client *c)
{
    uint64_t after = 0;
    struct block_pending *p;
    while ((p = next_unanswered(c, after)) != NULL) {
        after = p->sequence;
        plat_revoke(p->request.grant); /* names the dead endpoint */
        p->request.grant = GRANT_NONE;
        p->deaths++;
        if (p->deaths > BLOCK_DEATHS) {
            finish(p, E_DEAD);
            continue;
        }
        p->id = take_id(c); /* an answer to the earlier sending is stale */
        enum err e = send_one(c, p);
        if (e != OK)
            return e;
    }
    return OK;
}

/* One attempt to serve on with a new endpoint: fence, compare resets, send all again. */
static enum err reconnect(struct block_client *c)
{
    struct block_identity identity;
    c->endpoint = proto_await(c->layer, c->instance, plat_now() + BLOCK_AWAIT_NS);
    if (c->endpoint == ENDPOINT_NONE)
        return E_DEAD;
    enum err e = call_fence(c);
    if (e == OK)
        e = call_identify(c, &identity);
    if (e == E_TIMEOUT)
        block_client_silent(c);
    if (e != OK)
        return e;
    if (identity.resets != c->resets && c->written > c->stable)
        c->lost_writes = true;
    c->resets = identity.resets;
    return resend_all(c);
}

/* The endpoint is dead: come back with the next one, or give up after BLOCK_DEATHS of them. */
static void recover(struct block_client *c)
{
    for (uint32_t attempt = 0; attempt < BLOCK_DEATHS; attempt++) {
        if (reconnect(c) == OK)
            return;
        if (c->endpoint == ENDPOINT_NONE)
            break; /* nothing came up within BLOCK_AWAIT_NS, or given up */
    }
    give_up(c);
}

/* The statuses that a server of blocks may answer; others are a sick peer's. */
static enum err believed(int32_t status)
{
    switch (status) {
    case OK:
    case E_MEDIA:
    case E_DEAD:
        return (enum err)status;
    default:
        return E_INVAL;
    }
}

static void count_stable(struct block_client *c, const struct block_pending *p)
{
    if (p->request.op == BLOCK_WRITE && !p->request.fua)
        c->written++;
    if (p->request.op == BLOCK_FLUSH && p->written_before > c->stable)
        c->stable = p->written_before;
}

static void take_answer(struct block_client *c, struct block_pending *p, int32_t status)
{
    enum err e = believed(status);
    if (e == E_MEDIA || e == E_INVAL) { /* what no honest driver says of our requests: once more */
        p->tries++;
        if (p->tries < BLOCK_TRIES) {
            plat_revoke(p->request.grant);
            p->request.grant = GRANT_NONE;
            p->id = take_id(c);
            if (send_one(c, p) == E_DEAD)
                recover(c);
            return;
        }
    }
    if (e == OK)
        count_stable(c, p);
    finish(p, e);
}

/* The device was reset since it was identified. */
static bool tells_reset(const struct block_client *c, const struct msg *m)
{
    uint32_t resets;
    return c->watches && block_resets_unpack(&resets, m) && resets != c->resets;
}

bool block_client_take(struct block_client *c, const struct msg *m)
{
    if (m->type == MSG_NOTIFY) {
        if (m->source != ENDPOINT_DS || c->gone)
            return false;
        if (plat_lookup(c->layer, c->instance) == c->endpoint)
            return false;
        recover(c);
        return true;
    }
    if (m->source != c->endpoint || c->endpoint == ENDPOINT_NONE)
        return false;
    if ((m->type & PROTO_REPLY) == 0 || PROTO_OF(m->type) != PROTO_BLOCK)
        return false;
    for (uint32_t i = 0; i < BLOCK_OUTSTANDING_MAX; i++) {
        struct block_pending *p = &c->pending[i];
        if (p->id == 0 || p->done || p->id != m->id)
            continue;
        if (m->type == (PROTO_BLOCK | PROTO_REPLY | (uint32_t)p->request.op)) {
            c->silences = 0;
            if (tells_reset(c, m))
                recover(c); /* a read may have missed what was written before */
            else
                take_answer(c, p, m->status);
        }
        break;
    }
    return true; /* else an answer to a request that is over */
}

enum err block_client_init(struct block_client *c, enum layer layer, uint32_t instance,
                           struct block_identity *identity)
{
    ASSERT(layer == LAYER_DRIVER || layer == LAYER_RAID);
    memset(c, 0, sizeof(*c));
    c->layer = layer;
    c->instance = instance;
    for (uint32_t attempt = 0; attempt < BLOCK_DEATHS; attempt++) {
        c->endpoint = proto_await(layer, instance, plat_now() + BLOCK_AWAIT_NS);
        if (c->endpoint == ENDPOINT_NONE)
            break;
        enum err e = call_fence(c); /* what an earlier instance of this layer sent is over */
        if (e == OK)
            e = call_identify(c, identity);
        if (e == OK) {
            c->resets = identity->resets;
            return OK;
        }
        if (e == E_TIMEOUT)
            block_client_silent(c);
    }
    give_up(c);
    return E_DEAD;
}

static uint32_t free_slot(const struct block_client *c)
{
    for (uint32_t i = 0; i < BLOCK_OUTSTANDING_MAX; i++)
        if (c->pending[i].id == 0)
            return i;
    return BLOCK_OUTSTANDING_MAX;
}

static void set_range(struct block_pending *p)
{
    size_t bytes = span_bytes(p);
    ASSERT(bytes > 0);
    ASSERT(bytes % SECTOR_BYTES == 0);
    ASSERT(bytes / BLOCK_BYTES <= BLOCK_IO_MAX_BLOCKS || p->request.op == BLOCK_TRIM);
    p->request.count = (uint32_t)(bytes / SECTOR_BYTES);
}

uint32_t block_submit(struct block_client *c, enum block_op op, uint64_t first_sector, bool fua,
                      const struct plat_span *spans, uint32_t count_spans)
{
    ASSERT(op >= BLOCK_READ && op <= BLOCK_TRIM);
    ASSERT(count_spans <= PLAT_SPANS_MAX);
    ASSERT(op == BLOCK_FLUSH ? count_spans == 0 : count_spans > 0);
    uint32_t slot = free_slot(c);
    ASSERT(slot < BLOCK_OUTSTANDING_MAX); /* slots are freed by block_wait only */
    struct block_pending *p = &c->pending[slot];
    p->request = (struct block_request){.op = op, .fua = fua, .first_sector = first_sector};
    for (uint32_t i = 0; i < count_spans; i++)
        p->span[i] = spans[i];
    p->spans = count_spans;
    if (op != BLOCK_FLUSH)
        set_range(p);
    p->tries = p->deaths = 0;
    p->status = OK;
    p->done = false;
    p->id = take_id(c);
    p->sequence = ++c->next_sequence;
    if (c->gone)
        finish(p, E_DEAD);
    else if (send_one(c, p) == E_DEAD)
        recover(c);
    return slot;
}

enum err block_wait(struct block_client *c, uint32_t slot)
{
    ASSERT(slot < BLOCK_OUTSTANDING_MAX);
    struct block_pending *p = &c->pending[slot];
    ASSERT(p->id != 0);
    uint64_t deadline_ns = plat_now() + timeout_ns(c);
    while (!p->done) {
        struct msg m;
        enum err e = proto_receive(c->endpoint, &m, deadline_ns);
        if (e == OK) {
            (void)block_client_take(c, &m); /* else a notification that a call may drop */
        } else if (e == E_DEAD) {
            recover(c);
            deadline_ns = plat_now() + timeout_ns(c);
        } else {
            ASSERT(e == E_TIMEOUT);
            block_client_silent(c); /* the next receive says E_DEAD */
            deadline_ns = plat_now() + timeout_ns(c);
        }
    }
    enum err status = p->status;
    p->id = 0;
    return status;
}

/* Moves `bytes` in requests of the largest size, one after the other. */
static enum err move(struct block_client *c, enum block_op op, uint64_t first_sector, void *base,
                     size_t bytes, bool fua)
{
    ASSERT(bytes % SECTOR_BYTES == 0);
    uint8_t *at = base;
    while (bytes > 0) {
        size_t part = (size_t)BLOCK_IO_MAX_BLOCKS * BLOCK_BYTES;
        if (part > bytes)
            part = bytes;
        struct plat_span span = {.base = at, .bytes = part};
        enum err e = block_wait(c, block_submit(c, op, first_sector, fua, &span, 1));
        if (e != OK)
            return e;
        at += part;
        bytes -= part;
        first_sector += part / SECTOR_BYTES;
    }
    return OK;
}

enum err block_read(struct block_client *c, uint64_t first_sector, void *to, size_t bytes)
{
    return move(c, BLOCK_READ, first_sector, to, bytes, false);
}

enum err block_write(struct block_client *c, uint64_t first_sector, const void *from, size_t bytes,
                     bool fua)
{
    return move(c, BLOCK_WRITE, first_sector, (void *)from, bytes, fua);
}

enum err block_flush(struct block_client *c)
{
    return block_wait(c, block_submit(c, BLOCK_FLUSH, 0, false, NULL, 0));
}

enum err block_fence(struct block_client *c)
{
    if (c->gone)
        return E_DEAD;
    enum err e = call_fence(c);
    for (uint32_t i = 0; i < BLOCK_OUTSTANDING_MAX; i++) {
        plat_revoke(c->pending[i].id != 0 ? c->pending[i].request.grant : GRANT_NONE);
        c->pending[i].id = 0;
    }
    if (e == OK)
        return OK;
    if (e == E_TIMEOUT)
        block_client_silent(c);
    if (!c->gone)
        recover(c); /* fences with the next endpoint */
    return c->gone ? E_DEAD : OK;
}
