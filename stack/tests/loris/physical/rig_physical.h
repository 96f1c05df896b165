/*
 * One physical over one RAM disk, spoken to as logical would. Content of a block is a function of
 * (object, block, version), so that what is read back says which version it is.
 */
#ifndef LORIS_STACK_TESTS_LORIS_PHYSICAL_RIG_PHYSICAL_H
#define LORIS_STACK_TESTS_LORIS_PHYSICAL_RIG_PHYSICAL_H

#include "stack/loris/physical/physical.h"
#include "stack/tests/loris/rig.h"

static struct {
    struct physical *p; /* the layer's state, for tests that flip its bits */
    uint32_t client, session, id;
    uint64_t epoch; /* the released checkpoint */
    struct object_root root;
    struct object_reply reply;
    struct stack_options options; /* of the next boot; disks is set there */
} ph = {.options = {.meta_guard = true}};

static uint8_t ph_data[OBJECT_BATCH_MAX_BLOCKS * BLOCK_BYTES];
static uint8_t ph_meta[OBJECT_BATCH_MAX_BLOCKS * OBJECT_ENTRY_BYTES];

/* As physical_main, but the test can see the state. */
static inline void ph_body(void *ctx)
{
    struct stack_options options = ph.options;
    struct physical *p = plat_alloc(sizeof(*p), TAG_HEAP);
    (void)ctx;
    ph.p = p;
    options.disks = 1;
    physical_init(p, 0, &options);
    plat_ready();
    for (;;) {
        struct msg m;
        struct object_reply reply;
        if (proto_receive(ENDPOINT_ANY, &m, PLAT_FOREVER) != OK || m.type == MSG_NOTIFY)
            continue;
        enum err e = physical_serve(p, &m, &reply);
        struct msg answer = m;
        object_reply_pack(&answer, &reply);
        proto_reply(&m, e, &answer);
    }
}

static inline void ph_boot(void)
{
    fake_reset();
    ph.client = fake_client(LAYER_LOGICAL, 0);
    fake_boot_body(ph_body, NULL, LAYER_PHYSICAL, 0);
    ck_assert_int_eq(fake_run(), FAKE_IDLE);
}

/* E_DEAD if the layer crashed. */
static inline enum err ph_call(struct object_request *request)
{
    struct msg m;
    request->session = ph.session;
    object_request_pack(&m, ++ph.id, request);
    if (!fake_call(ph.client, &m))
        return E_DEAD;
    object_reply_unpack(&ph.reply, &m);
    return (enum err)m.status;
}

static inline enum err ph_call_with_root(struct object_request *request)
{
    uint8_t raw[OBJECT_ROOT_BYTES];
    object_root_encode(raw, &ph.root);
    request->grant_data = fake_grant(ph.client, raw, sizeof(raw), PLAT_GRANT_READ);
    enum err e = ph_call(request);
    fake_revoke(ph.client, request->grant_data);
    return e;
}

static inline enum err ph_format(void)
{
    ph.session = 1;
    ph.root = (struct object_root){.valid = true,
                                   .epoch = 1,
                                   .rev = 1,
                                   .members = 1,
                                   .pool_uuid = {11, 12},
                                   .disk_uuid = {21, 22},
                                   .incarnation = 5};
    ph.epoch = 1;
    return ph_call_with_root(&(struct object_request){.op = OBJECT_FORMAT, .epoch = 1});
}

static inline enum err ph_op(enum object_op op, uint64_t oid, uint64_t size, uint32_t flags)
{
    return ph_call(&(struct object_request){.op = op, .oid = oid, .size = size, .flags = flags});
}

static inline enum err ph_prepare(void)
{
    ph.root.epoch = ph.epoch + 1;
    ph.root.rev = 1;
    return ph_call_with_root(&(struct object_request){.op = OBJECT_PREPARE, .epoch = ph.epoch + 1});
}

static inline enum err ph_release(void)
{
    enum err e = ph_call(&(struct object_request){.op = OBJECT_RELEASE, .epoch = ph.epoch + 1});
    ph.epoch += e == OK;
    return e;
}

static inline enum err ph_checkpoint(void)
{
    enum err e = ph_prepare();
    return e == OK ? ph_release() : e;
}

/* ROOTS, then ADOPT of the newest root that the disk has. E_NOENT: it has none. */
static inline enum err ph_restore(void)
{
    uint8_t raw[OBJECT_ROOTS_MAX * OBJECT_ROOT_BYTES];
    ph.session++;
    uint32_t grant = fake_grant(ph.client, raw, sizeof(raw), PLAT_GRANT_WRITE);
    enum err e = ph_call(&(struct object_request){.op = OBJECT_ROOTS, .grant_data = grant});
    if (e != OK)
        return e;
    if (ph.reply.moved == 0)
        return E_NOENT;
    ck_assert_int_eq(object_root_decode(&ph.root, raw), OK);
    ph.epoch = ph.root.epoch;
    e = ph_call(
        &(struct object_request){.op = OBJECT_ADOPT, .epoch = ph.epoch, .size = OBJECT_ADOPT_VOID});
    ph.root.rev++;
    ph.root.ancestor[0] = ph.root.incarnation;
    ph.root.incarnation++;
    if (e == OK)
        e = ph_call_with_root(&(struct object_request){
            .op = OBJECT_ADOPT, .epoch = ph.epoch, .size = OBJECT_ADOPT_LOAD});
    return e;
}

/* Writes blocks [first, first + count) of one object in one batch, all of one version. */
static inline enum err ph_write(uint64_t oid, uint64_t first, uint32_t count, uint64_t version,
                                uint32_t flags)
{
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *page = ph_data + (size_t)i * BLOCK_BYTES;
        rig_fill_page(page, oid, first + i, version);
        struct object_write_entry entry = {.oid = oid,
                                           .block = first + i,
                                           .lsn = version,
                                           .flags = flags,
                                           .crc = plat_crc32c(page, BLOCK_BYTES)};
        object_write_entry_encode(ph_meta + (size_t)i * OBJECT_ENTRY_BYTES, &entry);
    }
    struct object_request request = {
        .op = OBJECT_WRITE,
        .length = (uint64_t)count * BLOCK_BYTES,
        .flags = flags & OBJECT_REPLAY,
        .grant_data = fake_grant(ph.client, ph_data, sizeof(ph_data), PLAT_GRANT_READ),
        .grant_meta =
            fake_grant(ph.client, ph_meta, sizeof(ph_meta), PLAT_GRANT_READ | PLAT_GRANT_WRITE)};
    enum err e = ph_call(&request);
    fake_revoke(ph.client, request.grant_data);
    fake_revoke(ph.client, request.grant_meta);
    return e;
}

/* Reads one block; version: which of 1..highest it is, 0 a hole of zeros, -1 none of them. */
static inline enum err ph_read(uint64_t oid, uint64_t block, uint64_t highest, int64_t *version)
{
    static uint8_t page[BLOCK_BYTES], want[BLOCK_BYTES], raw[OBJECT_META_BYTES];
    struct object_block_meta meta;
    memset(page, 0xee, sizeof(page));
    struct object_request request = {
        .op = OBJECT_READ,
        .oid = oid,
        .offset = block * BLOCK_BYTES,
        .length = BLOCK_BYTES,
        .grant_data = fake_grant(ph.client, page, sizeof(page), PLAT_GRANT_WRITE),
        .grant_meta = fake_grant(ph.client, raw, sizeof(raw), PLAT_GRANT_WRITE)};
    enum err e = ph_call(&request);
    fake_revoke(ph.client, request.grant_data);
    fake_revoke(ph.client, request.grant_meta);
    *version = -1;
    if (e != OK)
        return e;
    object_block_meta_decode(&meta, raw);
    memset(want, 0, sizeof(want));
    for (uint64_t v = 0; v <= highest; v++) {
        if (v > 0)
            rig_fill_page(want, oid, block, v);
        if (memcmp(want, page, sizeof(want)) == 0)
            *version = (int64_t)v;
    }
    ck_assert_uint_eq(meta.crc, plat_crc32c(page, BLOCK_BYTES));
    return OK;
}

#define ph_ok(call) ck_assert_int_eq((call), OK)

#endif
