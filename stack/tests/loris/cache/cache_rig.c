#include "cache_rig.h"

#include <check.h>
#include <string.h>

#include "assertion.h"
#include "stack/loris/cache/cache.h"

static uint8_t region[RIG_REGION] __attribute__((aligned(4096)));

uint8_t *rig_region(void)
{
    return region;
}

void rig_init(struct rig *r)
{
    memset(r, 0, sizeof(*r));
    store_init(&r->store, 4000);
    r->boot = (struct boot){.layer = LAYER_CACHE,
                            .survivor = region,
                            .survivor_bytes = RIG_REGION,
                            .survivor_fresh = true};
    r->boot.options = (struct stack_options){.disks = 1,
                                             .environments = 1,
                                             .cache_bytes = 4u << 20,
                                             .checkpoint_ns = 5000000000u,
                                             .log_bytes = 1u << 20,
                                             .checksums = CHECKSUMS_EAGER,
                                             .log = true,
                                             .steal = true,
                                             .tries = 3};
}

static void boot_cache(struct rig *r)
{
    fake_boot(cache_main, &r->boot);
    (void)fake_run();
    r->boot.survivor_fresh = false;
    r->boot.incarnation++;
}

void rig_start(struct rig *r)
{
    fake_reset();
    memset(region, 0, sizeof(region));
    fake_peer(LAYER_LOGICAL, 0, store_handler, &r->store);
    if (r->physical)
        fake_peer(LAYER_PHYSICAL, 0, store_handler, &r->store);
    for (uint32_t k = 0; k < RIG_ENVS; k++)
        r->client[k] = fake_client(LAYER_NAMING, k);
    boot_cache(r);
}

void rig_fini(struct rig *r)
{
    store_fini(&r->store);
    fake_reset();
}

void rig_power_cut(struct rig *r)
{
    fake_kill_layer();
    memset(region, 0, sizeof(region));
    r->boot.survivor_fresh = true;
    r->boot.incarnation = 0;
    r->store.session = 0;
    boot_cache(r);
}

/* After a crash of the cache: a new one, as often as it takes. */
static bool revive(struct rig *r)
{
    if (fake_is_ready() && fake_crash()[0] == '\0')
        return false;
    r->crashes++;
    ASSERT(r->crashes < 100);
    boot_cache(r);
    return true;
}

/* Begins or ends a slow checkpoint before the next request. False: the cache died of it. */
static bool pace(struct rig *r)
{
    if (r->slow == 0)
        return true;
    r->store.slow = true;
    if (r->store.late && ++r->meanwhile > r->slow) {
        store_finish(&r->store);
        (void)fake_run();
    } else if (!r->store.late) {
        (void)fake_run_until(fake_now() + 2 * r->boot.options.checkpoint_ns);
        r->meanwhile = 0;
    }
    return !revive(r);
}

/* The request waits for the end of a slow checkpoint. */
static bool finish_and_take(struct rig *r, uint32_t env, struct msg *m)
{
    uint32_t id = m->id;
    while (r->store.late) {
        store_finish(&r->store);
        (void)fake_run_until(fake_now() + 1000000000);
    }
    while (fake_take_reply(r->client[env], m))
        if (m->id == id)
            return true;
    return false;
}

static enum err exchange(struct rig *r, uint32_t env, struct msg *m)
{
    m->id = ++r->next_id;
    r->parked = false;
    if (!pace(r))
        return E_DEAD; /* what was granted was granted to it */
    bool during = r->store.late;
    if (fake_call_for(r->client[env], m, 1000000000)) {
        r->served += during && r->store.late ? 1 : 0;
        return (enum err)m->status;
    }
    if (fake_is_ready() && finish_and_take(r, env, m))
        return (enum err)m->status;
    if (revive(r))
        return E_DEAD;
    r->parked = true;
    return E_TIMEOUT;
}

static struct object_txn txn_id(const struct rig *r, uint32_t env)
{
    return (struct object_txn){.environment = env + 1,
                               .generation = 1,
                               .sequence = r->sequence[env],
                               .outer = r->outer[env]};
}

enum err rig_call(struct rig *r, uint32_t env, struct object_request *q, struct object_reply *reply,
                  bool txn)
{
    if (txn)
        q->txn = txn_id(r, env);
    struct msg m = {0};
    *reply = (struct object_reply){0};
    object_request_pack(&m, 0, q);
    enum err e = exchange(r, env, &m);
    if (e != E_DEAD && !r->parked)
        object_reply_unpack(reply, &m);
    return e;
}

enum err rig_begin(struct rig *r, uint32_t env, bool *done)
{
    struct object_request q = {.op = OBJECT_TXN_BEGIN};
    struct object_reply reply;
    enum err e = rig_call(r, env, &q, &reply, true);
    if (done != NULL)
        *done = e == OK && reply.done != 0;
    if (e == OK && reply.done != 0)
        ASSERT(reply.result[0] == (uint8_t)r->sequence[env]);
    return e;
}

enum err rig_commit(struct rig *r, uint32_t env)
{
    struct object_txn id = txn_id(r, env);
    uint8_t result[OBJECT_RESULT_BYTES] = {(uint8_t)id.sequence};
    struct msg m = {0};
    object_commit_pack(&m, 0, &id, result);
    return exchange(r, env, &m);
}

enum err rig_abort(struct rig *r, uint32_t env)
{
    struct object_request q = {.op = OBJECT_TXN_ABORT};
    struct object_reply reply;
    return rig_call(r, env, &q, &reply, true);
}

enum err rig_user(struct rig *r, uint32_t env, enum object_op op)
{
    struct object_request q = {.op = op};
    struct object_reply reply;
    return rig_call(r, env, &q, &reply, true);
}

enum err rig_create(struct rig *r, uint32_t env, uint64_t *oid)
{
    struct object_request q = {.op = OBJECT_CREATE, .attr = {7}};
    struct object_reply reply;
    enum err e = rig_call(r, env, &q, &reply, true);
    if (e == OK)
        *oid = reply.oid;
    return e;
}

enum err rig_write(struct rig *r, uint32_t env, uint64_t oid, uint64_t offset, const void *from,
                   size_t bytes)
{
    uint32_t g = fake_grant(r->client[env], (void *)(uintptr_t)from, bytes, PLAT_GRANT_READ);
    struct object_request q = {
        .op = OBJECT_WRITE, .oid = oid, .offset = offset, .length = bytes, .grant_data = g};
    struct object_reply reply;
    enum err e = rig_call(r, env, &q, &reply, true);
    fake_revoke(r->client[env], g);
    return e;
}

enum err rig_read(struct rig *r, uint32_t env, uint64_t oid, uint64_t offset, void *to,
                  size_t bytes, uint32_t *moved, bool txn)
{
    uint32_t g = fake_grant(r->client[env], to, bytes, PLAT_GRANT_WRITE);
    struct object_request q = {
        .op = OBJECT_READ, .oid = oid, .offset = offset, .length = bytes, .grant_data = g};
    struct object_reply reply = {0};
    enum err e = rig_call(r, env, &q, &reply, txn);
    fake_revoke(r->client[env], g);
    *moved = reply.moved;
    return e;
}

enum err rig_truncate(struct rig *r, uint32_t env, uint64_t oid, uint64_t size)
{
    struct object_request q = {.op = OBJECT_TRUNCATE, .oid = oid, .size = size};
    struct object_reply reply;
    return rig_call(r, env, &q, &reply, true);
}

enum err rig_delete(struct rig *r, uint32_t env, uint64_t oid)
{
    struct object_request q = {.op = OBJECT_DELETE, .oid = oid};
    struct object_reply reply;
    return rig_call(r, env, &q, &reply, true);
}

enum err rig_setattr(struct rig *r, uint32_t env, uint64_t oid, uint8_t value)
{
    struct object_request q = {.op = OBJECT_SETATTR, .oid = oid, .attr = {value}};
    struct object_reply reply;
    return rig_call(r, env, &q, &reply, true);
}

enum err rig_getattr(struct rig *r, uint32_t env, uint64_t oid, uint64_t *size, uint8_t *value,
                     bool txn)
{
    struct object_request q = {.op = OBJECT_GETATTR, .oid = oid};
    struct object_reply reply = {0};
    enum err e = rig_call(r, env, &q, &reply, txn);
    *size = reply.size;
    *value = reply.attr[0];
    return e;
}

enum err rig_sync(struct rig *r, uint32_t env, uint64_t oid)
{
    struct object_request q = {.op = OBJECT_SYNC, .oid = oid};
    struct object_reply reply;
    return rig_call(r, env, &q, &reply, false);
}

void rig_next(struct rig *r, uint32_t env)
{
    r->sequence[env]++;
    ck_assert_int_eq(rig_begin(r, env, NULL), OK);
}

uint64_t rig_make(struct rig *r, uint32_t env, const void *from, size_t bytes)
{
    uint64_t oid = 0;
    rig_next(r, env);
    ck_assert_int_eq(rig_create(r, env, &oid), OK);
    if (bytes > 0)
        ck_assert_int_eq(rig_write(r, env, oid, 0, from, bytes), OK);
    ck_assert_int_eq(rig_commit(r, env), OK);
    return oid;
}

void rig_fill(uint8_t *to, uint8_t seed, size_t bytes)
{
    for (size_t k = 0; k < bytes; k++)
        to[k] = (uint8_t)(seed + k * 7 + k / 251);
}

enum err rig_read_back(struct rig *r, uint64_t oid, void *to, size_t bytes)
{
    uint32_t moved = 0;
    memset(to, 0, bytes);
    return rig_read(r, 0, oid, 0, to, bytes, &moved, false);
}

uint32_t rig_hide_frame(uint64_t oid, uint64_t block)
{
    uint32_t found = 0;
    for (size_t k = 0; k + sizeof(struct frame) <= RIG_REGION; k += sizeof(uint64_t)) {
        struct frame f;
        memcpy(&f, region + k, sizeof(f));
        if (f.oid != oid || f.block != block || f.lsn == 0 || f.seal != frame_seal(&f))
            continue;
        region[k + 14] ^= 0x10; /* of `block` */
        found++;
    }
    return found;
}

uint32_t rig_flip_pages(const uint8_t *start)
{
    uint32_t found = 0;
    for (size_t k = 0; k + BLOCK_BYTES <= RIG_REGION; k += BLOCK_BYTES) {
        uint8_t *page = region + k;
        if (memcmp(page, start, 16) == 0) {
            page[100] ^= 0x10;
            found++;
        }
    }
    return found;
}
