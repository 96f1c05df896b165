/*
 * Logical as the layer, real physicals over RAM disks as the functions below it, and the test as
 * the cache above. All processes die together with the power, or at an armed probe.
 */
#ifndef LORIS_STACK_TESTS_LORIS_LOGICAL_RIG_POOL_H
#define LORIS_STACK_TESTS_LORIS_LOGICAL_RIG_POOL_H

#include "stack/loris/physical/physical.h"
#include "stack/tests/loris/rig.h"

#define POOL_CALL_NS UINT64_C(500000000000)

static struct {
    struct physical *p[RIG_DISKS];
    struct stack_options options;
    uint32_t client, session, id;
    uint64_t epoch, lsn;
    uint32_t meta_copies; /* of the next pool; 0: one */
    uint64_t blocks_read; /* below, in all */
    void (*idle)(void); /* moves the clock when logical waits for nobody but time; NULL: the rig */
    struct object_reply reply;
} pool;

static uint8_t pool_data[OBJECT_BATCH_MAX_BLOCKS * BLOCK_BYTES];
static uint8_t pool_raw[OBJECT_BATCH_MAX_BLOCKS * OBJECT_ENTRY_BYTES];

static inline void pool_physical(void *ctx, const struct msg *m)
{
    uint32_t k = (uint32_t)(uintptr_t)ctx;
    struct object_reply reply;
    if (pool.p[k] == NULL) {
        pool.p[k] = plat_alloc(sizeof(*pool.p[k]), TAG_HEAP);
        physical_init(pool.p[k], k, &pool.options);
    }
    struct object_request request;
    if (object_request_unpack(&request, m) == OK && request.op == OBJECT_READ)
        pool.blocks_read += request.length / BLOCK_BYTES;
    enum err e = physical_serve(pool.p[k], m, &reply);
    struct msg answer = *m;
    object_reply_pack(&answer, &reply);
    proto_reply(m, e, &answer);
}

/* New processes over the disks as they are. */
static inline void pool_boot(bool format)
{
    fake_reset();
    memset(pool.p, 0, sizeof(pool.p));
    for (uint32_t k = 0; k < pool.options.disks; k++)
        (void)fake_peer(LAYER_PHYSICAL, k, pool_physical, (void *)(uintptr_t)k);
    pool.client = fake_client(LAYER_CACHE, 0);
    struct boot boot = {.layer = LAYER_LOGICAL, .format = format, .options = pool.options};
    fake_boot(logical_main, &boot);
    ck_assert_int_eq(fake_run(), FAKE_IDLE);
}

static inline bool pool_await(struct msg *m)
{
    uint64_t limit_ns = fake_now() + POOL_CALL_NS;
    uint32_t id = m->id;
    if (pool.idle == NULL)
        return fake_call_for(pool.client, m, POOL_CALL_NS);
    fake_request(pool.client, m);
    while (fake_run() == FAKE_IDLE && fake_now() < limit_ns) {
        if (fake_take_reply(pool.client, m) && m->id == id)
            return true;
        pool.idle();
    }
    return false;
}

/* E_DEAD if the layer crashed. */
static inline enum err pool_call(struct object_request *request)
{
    struct msg m;
    request->session = pool.session;
    object_request_pack(&m, ++pool.id, request);
    if (!pool_await(&m))
        return E_DEAD;
    object_reply_unpack(&pool.reply, &m);
    return (enum err)m.status;
}

static inline enum err pool_restore(bool system)
{
    pool.session++;
    enum err e = pool_call(
        &(struct object_request){.op = OBJECT_RESTORE, .flags = system ? OBJECT_SYSTEM : 0});
    if (e != OK)
        return e;
    pool.epoch = pool.reply.epoch;
    ck_assert_uint_ge(pool.reply.blocks, pool.epoch);
    if (pool.reply.lsn > pool.lsn)
        pool.lsn = pool.reply.lsn;
    return OK;
}

static inline enum err pool_op(enum object_op op, uint64_t oid, uint64_t size, uint32_t flags)
{
    return pool_call(&(struct object_request){
        .op = op, .oid = oid, .size = size, .flags = flags, .lsn = ++pool.lsn});
}

static inline enum err pool_prepare(void)
{
    return pool_call(
        &(struct object_request){.op = OBJECT_PREPARE, .epoch = pool.epoch + 1, .lsn = ++pool.lsn});
}

static inline enum err pool_release(void)
{
    enum err e = pool_call(&(struct object_request){.op = OBJECT_RELEASE, .epoch = pool.epoch + 1});
    pool.epoch += e == OK;
    return e;
}

static inline enum err pool_checkpoint(void)
{
    enum err e = pool_prepare();
    return e == OK ? pool_release() : e;
}

/* The last `spares` of the disks are no members yet. */
static inline void pool_make_spared(uint32_t disks, uint32_t spares, uint32_t raid, uint64_t blocks,
                                    uint64_t stripe)
{
    for (uint32_t k = 0; k < disks; k++)
        rig_disk_init(k, blocks);
    for (uint32_t k = disks; k < RIG_DISKS; k++)
        rig.disk[k].gone = true;
    pool.options = (struct stack_options){.disks = disks,
                                          .spares = spares,
                                          .raid = raid,
                                          .raid_copies = 2,
                                          .stripe_bytes = stripe,
                                          .meta_guard = true,
                                          .meta_copies = pool.meta_copies,
                                          .tries = 3,
                                          .seed = 7};
    pool.session = 0;
    pool.lsn = 0;
    pool_boot(true);
    ck_assert_int_eq(pool_restore(true), OK);
}

static inline void pool_make(uint32_t disks, uint32_t raid, uint64_t blocks, uint64_t stripe)
{
    pool_make_spared(disks, 0, raid, blocks, stripe);
}

/* A batch of blocks [first, first + count) of one object, all of one version. */
static inline enum err pool_write(uint64_t oid, uint64_t first, uint32_t count, uint64_t version,
                                  uint32_t flags)
{
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *page = pool_data + (size_t)i * BLOCK_BYTES;
        rig_fill_page(page, oid, first + i, version);
        struct object_write_entry entry = {.oid = oid,
                                           .block = first + i,
                                           .lsn = ++pool.lsn,
                                           .crc = plat_crc32c(page, BLOCK_BYTES)};
        object_write_entry_encode(pool_raw + (size_t)i * OBJECT_ENTRY_BYTES, &entry);
    }
    struct object_request request = {
        .op = OBJECT_WRITE,
        .flags = flags,
        .length = (uint64_t)count * BLOCK_BYTES,
        .grant_data = fake_grant(pool.client, pool_data, sizeof(pool_data), PLAT_GRANT_READ),
        .grant_meta = fake_grant(pool.client, pool_raw, sizeof(pool_raw),
                                 PLAT_GRANT_READ | PLAT_GRANT_WRITE)};
    enum err e = pool_call(&request);
    fake_revoke(pool.client, request.grant_data);
    fake_revoke(pool.client, request.grant_meta);
    return e;
}

/* Reads up to 64 blocks; version[i]: which of 1..highest, 0 zeros, -1 none, or an enum err - 1000.
 */
static inline enum err pool_read(uint64_t oid, uint64_t first, uint32_t count, uint64_t highest,
                                 int64_t *version)
{
    static uint8_t got[OBJECT_IO_MAX_BLOCKS * BLOCK_BYTES], want[BLOCK_BYTES];
    memset(got, 0xee, (size_t)count * BLOCK_BYTES);
    struct object_request request = {
        .op = OBJECT_READ,
        .oid = oid,
        .offset = first * BLOCK_BYTES,
        .length = (uint64_t)count * BLOCK_BYTES,
        .grant_data = fake_grant(pool.client, got, sizeof(got), PLAT_GRANT_WRITE),
        .grant_meta = fake_grant(pool.client, pool_raw, sizeof(pool_raw), PLAT_GRANT_WRITE)};
    enum err e = pool_call(&request);
    fake_revoke(pool.client, request.grant_data);
    fake_revoke(pool.client, request.grant_meta);
    for (uint32_t i = 0; i < count && e == OK; i++) {
        struct object_block_meta meta;
        object_block_meta_decode(&meta, pool_raw + (size_t)i * OBJECT_META_BYTES);
        version[i] = -1;
        if (meta.status != OK) {
            version[i] = meta.status - 1000;
            continue;
        }
        const uint8_t *page = got + (size_t)i * BLOCK_BYTES;
        ck_assert_uint_eq(meta.crc, plat_crc32c(page, BLOCK_BYTES));
        memset(want, 0, sizeof(want));
        for (uint64_t v = 0; v <= highest; v++) {
            if (v > 0)
                rig_fill_page(want, oid, first + i, v);
            if (memcmp(want, page, BLOCK_BYTES) == 0)
                version[i] = (int64_t)v;
        }
    }
    return e;
}

static inline int64_t pool_version(uint64_t oid, uint64_t block, uint64_t highest)
{
    int64_t version = -2;
    ck_assert_int_eq(pool_read(oid, block, 1, highest, &version), OK);
    return version;
}

#define pool_ok(call) ck_assert_int_eq((call), OK)

#endif
