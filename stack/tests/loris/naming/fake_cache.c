#include "stack/tests/loris/naming/fake_cache.h"

#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "stack/tests/fake_platform.h"

#define REPLIES 512u

/* What a change of the open transaction has overwritten. */
struct change {
    struct change *older;
    uint32_t slot;
    bool whole; /* the object itself, `was`; else only bytes of it */
    struct fake_object was;
    uint64_t offset, bytes;
    uint8_t old[];
};

static struct fake_cache {
    struct fake_object object[FAKE_OBJECTS];
    uint64_t next_oid, saved_next_oid;
    struct object_txn open; /* environment 0: none */
    struct change *newest;
    struct {
        struct object_txn txn;
        uint8_t result[OBJECT_RESULT_BYTES];
    } reply[REPLIES];
    uint64_t hole_bytes, requests, die_at, commits, count[OBJECT_OP_COUNT], reads;
    void (*hook)(void *ctx, uint64_t n);
    void *hook_ctx;
    uint32_t give_way, fail_left;
    enum object_op fail_op;
    enum err fail_with;
    uint32_t die_left, deaths;
    enum object_op die_op;
} cache;

struct fake_object *fake_cache_find(uint64_t oid)
{
    for (uint32_t i = 0; oid != 0 && i < FAKE_OBJECTS; i++)
        if (cache.object[i].oid == oid)
            return &cache.object[i];
    return NULL;
}

uint32_t fake_cache_objects(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < FAKE_OBJECTS; i++)
        count += cache.object[i].oid != 0;
    return count;
}

uint64_t fake_cache_bytes(void)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < FAKE_OBJECTS; i++)
        if (cache.object[i].oid != 0)
            bytes += (cache.object[i].size + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
    return bytes;
}

uint64_t fake_cache_commits(void)
{
    return cache.commits;
}

uint64_t fake_cache_count(enum object_op op)
{
    return cache.count[op];
}

uint64_t fake_cache_hole_bytes(void)
{
    return cache.hole_bytes;
}

static struct change *note(const struct fake_object *o, uint64_t bytes)
{
    if (cache.open.environment == 0)
        return NULL;
    struct change *c = calloc(1, sizeof(*c) + bytes);
    ASSERT(c != NULL);
    c->older = cache.newest;
    c->slot = (uint32_t)(o - cache.object);
    cache.newest = c;
    return c;
}

/* Call before the object itself changes: its existence, size, attributes. */
static void note_object(const struct fake_object *o)
{
    struct change *c = note(o, 0);
    if (c != NULL) {
        c->whole = true;
        c->was = *o;
    }
}

static void note_bytes(const struct fake_object *o, uint64_t offset, uint64_t bytes)
{
    struct change *c = note(o, bytes);
    if (c != NULL) {
        c->offset = offset;
        c->bytes = bytes;
        memcpy(c->old, o->data + offset, bytes);
    }
}

static void undo(void)
{
    for (struct change *c = cache.newest; c != NULL; c = cache.newest) {
        struct fake_object *o = &cache.object[c->slot];
        if (c->whole && c->was.data != o->data)
            free(o->data);
        if (c->whole)
            *o = c->was;
        else
            memcpy(o->data + c->offset, c->old, c->bytes);
        cache.newest = c->older;
        free(c);
    }
    if (cache.open.environment != 0)
        cache.next_oid = cache.saved_next_oid;
    cache.open.environment = 0;
}

static void forget(void)
{
    for (struct change *c = cache.newest; c != NULL; c = cache.newest) {
        if (c->whole && c->was.data != NULL && cache.object[c->slot].data != c->was.data)
            free(c->was.data); /* deleted */
        cache.newest = c->older;
        free(c);
    }
    cache.open.environment = 0;
}

static bool same(const struct object_txn *a, const struct object_txn *b)
{
    return a->environment == b->environment && a->generation == b->generation &&
           a->sequence == b->sequence;
}

static void begin(const struct object_txn *txn, struct object_reply *out)
{
    undo();
    for (uint32_t i = 0; i < REPLIES; i++)
        if (same(&cache.reply[i].txn, txn)) {
            out->done = 1;
            memcpy(out->result, cache.reply[i].result, OBJECT_RESULT_BYTES);
            return;
        }
    cache.saved_next_oid = cache.next_oid;
    cache.open = *txn;
}

static enum err commit(const struct msg *m)
{
    struct object_txn txn;
    uint8_t result[OBJECT_RESULT_BYTES];
    enum err e = object_commit_unpack(&txn, result, m);
    if (e != OK || !same(&txn, &cache.open))
        return E_INVAL;
    uint64_t slot = cache.commits++ % REPLIES;
    cache.reply[slot].txn = txn;
    memcpy(cache.reply[slot].result, result, OBJECT_RESULT_BYTES);
    forget();
    return OK;
}

static enum err create(const struct object_request *r, struct object_reply *out)
{
    uint64_t oid = r->oid != OID_NONE ? r->oid : cache.next_oid++;
    if (fake_cache_find(oid) != NULL)
        return E_EXIST;
    for (uint32_t i = 0; i < FAKE_OBJECTS; i++)
        if (cache.object[i].oid == 0) {
            note_object(&cache.object[i]);
            cache.object[i] = (struct fake_object){
                .oid = oid, .flags = r->flags, .data = calloc(1, FAKE_OBJECT_BYTES)};
            ASSERT(cache.object[i].data != NULL);
            memcpy(cache.object[i].attr, r->attr, OBJECT_ATTR_BYTES);
            out->oid = oid;
            return OK;
        }
    return E_FULL;
}

static enum err move(uint32_t from, const struct object_request *r, struct fake_object *o,
                     struct object_reply *out)
{
    uint64_t end = r->offset + r->length;
    if (r->op == OBJECT_WRITE) {
        if (end > FAKE_OBJECT_BYTES)
            return E_FULL;
        cache.hole_bytes += (r->flags & OBJECT_HOLE) != 0 ? r->length : 0;
        note_object(o);
        note_bytes(o, r->offset, r->length);
        if ((r->flags & OBJECT_ATTR) != 0)
            memcpy(o->attr, r->attr, OBJECT_ATTR_BYTES);
        enum err e = plat_copy_in(from, r->grant_data, 0, o->data + r->offset, r->length);
        if (e == OK && end > o->size)
            o->size = end;
        return e;
    }
    cache.reads++;
    if (cache.hook != NULL)
        cache.hook(cache.hook_ctx, cache.reads);
    if (r->offset >= o->size)
        return OK;
    out->moved = (uint32_t)((end < o->size ? end : o->size) - r->offset);
    return plat_copy_out(from, r->grant_data, 0, o->data + r->offset, out->moved);
}

static enum err on_object(uint32_t from, const struct object_request *r, struct object_reply *out)
{
    struct fake_object *o = fake_cache_find(r->oid);
    if (o == NULL)
        return E_NOENT;
    switch (r->op) {
    case OBJECT_DELETE:
        note_object(o);
        *o = (struct fake_object){0}; /* forget() frees its data */
        return OK;
    case OBJECT_TRUNCATE:
        if (r->size > FAKE_OBJECT_BYTES)
            return E_FULL;
        note_object(o);
        if (r->size < o->size) {
            note_bytes(o, r->size, o->size - r->size);
            memset(o->data + r->size, 0, o->size - r->size);
        }
        o->size = r->size;
        return OK;
    case OBJECT_GETATTR:
        out->size = o->size;
        memcpy(out->attr, o->attr, OBJECT_ATTR_BYTES);
        if (r->length == 0)
            return OK;
        cache.count[OBJECT_READ]++;
        return move(from, r, o, out);
    case OBJECT_SETATTR:
        note_object(o);
        memcpy(o->attr, r->attr, OBJECT_ATTR_BYTES);
        return OK;
    default:
        return move(from, r, o, out);
    }
}

static enum err serve(const struct msg *m, struct object_reply *out)
{
    struct object_request r;
    if (PROTO_OPERATION(m->type) == OBJECT_TXN_COMMIT)
        return commit(m);
    enum err e = object_request_unpack(&r, m);
    if (e != OK)
        return e;
    ASSERT(r.op < OBJECT_OP_COUNT);
    bool begins = (r.flags & OBJECT_BEGINS) != 0;
    cache.count[r.op]++;
    cache.count[OBJECT_TXN_BEGIN] += begins;
    if (cache.fail_left > 0 &&
        (r.op == cache.fail_op || (begins && cache.fail_op == OBJECT_TXN_BEGIN))) {
        cache.fail_left--;
        return cache.fail_with;
    }
    bool change = r.txn.environment != 0 && r.op != OBJECT_TXN_BEGIN && r.op != OBJECT_TXN_ABORT &&
                  r.op != OBJECT_ENVIRONMENT_DIED;
    if (change && cache.give_way > 0) {
        cache.give_way--;
        return E_AGAIN;
    }
    if (begins) {
        begin(&r.txn, out);
        if (out->done != 0)
            return OK;
    }
    switch (r.op) {
    case OBJECT_TXN_BEGIN:
        begin(&r.txn, out);
        return OK;
    case OBJECT_TXN_ABORT:
    case OBJECT_ENVIRONMENT_DIED:
        undo();
        return OK;
    case OBJECT_USER_BEGIN: /* it knows of no user transactions, and counts what is asked */
    case OBJECT_USER_END:
    case OBJECT_USER_ABORT:
    case OBJECT_SYNC:
    case OBJECT_SHUTDOWN:
        return OK;
    case OBJECT_STATFS:
        out->size = 1000;
        out->blocks = 900;
        return OK;
    case OBJECT_CREATE:
        return create(&r, out);
    default:
        return on_object(m->source, &r, out);
    }
}

/* The first request of a transaction is a begin, too. */
static bool is(const struct msg *m, enum object_op op)
{
    struct object_request r;
    return PROTO_OPERATION(m->type) == (uint32_t)op ||
           (op == OBJECT_TXN_BEGIN && object_request_unpack(&r, m) == OK &&
            (r.flags & OBJECT_BEGINS) != 0);
}

static void handle(void *ctx, const struct msg *m)
{
    (void)ctx;
    if (PROTO_OF(m->type) != PROTO_OBJECT)
        return;
    bool often = cache.die_left > 0 && is(m, cache.die_op);
    if (++cache.requests == cache.die_at || often) {
        cache.die_left -= often;
        cache.deaths++;
        undo();
        fake_kill(LAYER_CACHE, 0);
        (void)fake_restart(LAYER_CACHE, 0);
        return;
    }
    struct object_reply reply = {0};
    struct msg out;
    enum err e = serve(m, &reply);
    object_reply_pack(&out, &reply);
    proto_reply(m, e, &out);
}

void fake_cache_init(void)
{
    undo();
    for (uint32_t i = 0; i < FAKE_OBJECTS; i++)
        free(cache.object[i].data);
    memset(&cache, 0, sizeof(cache));
    cache.next_oid = OID_FIRST_FREE;
    (void)fake_peer(LAYER_CACHE, 0, handle, NULL);
}

void fake_cache_die_at(uint64_t n)
{
    cache.die_at = n == 0 ? 0 : cache.requests + n;
}

void fake_cache_die_often(uint32_t n, enum object_op op)
{
    cache.die_left = n;
    cache.die_op = op;
    cache.deaths = 0;
}

void fake_cache_on_read(void (*hook)(void *ctx, uint64_t n), void *ctx)
{
    cache.hook = hook;
    cache.hook_ctx = ctx;
    cache.reads = 0;
}

void fake_cache_fail(enum object_op op, enum err e, uint32_t n)
{
    cache.fail_op = op;
    cache.fail_with = e;
    cache.fail_left = n;
}

uint32_t fake_cache_deaths(void)
{
    return cache.deaths;
}

void fake_cache_give_way(uint32_t n)
{
    cache.give_way = n;
}
