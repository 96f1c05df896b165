/*
 * Packing and unpacking of the object protocol (object.h): messages, and the records that travel by
 * grant. Payloads have no padding and are zero beyond their fields.
 */
#include "object.h"

#include "assertion.h"
#include "bytes.h"
#include "mem.h"

struct object_request_wire {
    uint64_t oid, offset, length, size, txn_sequence, txn_outer, lsn, epoch;
    uint32_t txn_environment, txn_generation;
    uint32_t flags, session, rev, grant_data, grant_meta, members;
    uint8_t attr[OBJECT_ATTR_BYTES];
};
_Static_assert(sizeof(struct object_request_wire) == 8 * 8 + 8 * 4 + 64, "no padding");
_Static_assert(sizeof(struct object_request_wire) <= MSG_PAYLOAD_BYTES, "fits a message");

struct object_commit_wire {
    uint64_t sequence, outer;
    uint32_t environment, generation;
    uint8_t result[OBJECT_RESULT_BYTES];
};
_Static_assert(sizeof(struct object_commit_wire) == 24 + 96, "no padding");
_Static_assert(sizeof(struct object_commit_wire) <= MSG_PAYLOAD_BYTES, "fits a message");

struct object_reply_wire {
    uint64_t oid, size, blocks, epoch, lsn;
    uint32_t session, flags, done, moved;
    uint8_t result[OBJECT_RESULT_BYTES];
};
_Static_assert(sizeof(struct object_reply_wire) == 5 * 8 + 4 * 4 + 96, "no padding");
_Static_assert(sizeof(struct object_reply_wire) <= MSG_PAYLOAD_BYTES, "fits a message");
_Static_assert(OBJECT_ATTR_BYTES <= OBJECT_RESULT_BYTES, "attributes share the result's place");

#define OBJECT_FLAGS_ALL (OBJECT_LEVEL_MASK | (OBJECT_HOLE * 2u - 1u)) /* the highest are these */

/* The largest range of one request: a write of the VFS, or a batch of the cache. */
#define OBJECT_LENGTH_MAX (UINT64_C(1) << 20)
_Static_assert(OBJECT_BATCH_MAX_BLOCKS *BLOCK_BYTES <= OBJECT_LENGTH_MAX, "a batch is a request");

void object_request_pack(struct msg *m, uint32_t id, const struct object_request *request)
{
    ASSERT(request->op >= OBJECT_CREATE && request->op < OBJECT_OP_COUNT);
    ASSERT(request->op != OBJECT_TXN_COMMIT);
    struct object_request_wire wire = {
        .oid = request->oid,
        .offset = request->offset,
        .length = request->length,
        .size = request->size,
        .txn_sequence = request->txn.sequence,
        .txn_outer = request->txn.outer,
        .lsn = request->lsn,
        .epoch = request->epoch,
        .txn_environment = request->txn.environment,
        .txn_generation = request->txn.generation,
        .flags = request->flags,
        .session = request->session,
        .rev = request->rev,
        .grant_data = request->grant_data,
        .grant_meta = request->grant_meta,
        .members = request->members,
    };
    memcpy(wire.attr, request->attr, sizeof(wire.attr));
    memset(m, 0, sizeof(*m));
    m->type = PROTO_OBJECT | (uint32_t)request->op;
    m->id = id;
    memcpy(m->payload, &wire, sizeof(wire));
}

static void request_from_wire(struct object_request *request,
                              const struct object_request_wire *wire)
{
    *request = (struct object_request){
        .flags = wire->flags,
        .oid = wire->oid,
        .offset = wire->offset,
        .length = wire->length,
        .size = wire->size,
        .txn = {.environment = wire->txn_environment,
                .generation = wire->txn_generation,
                .sequence = wire->txn_sequence,
                .outer = wire->txn_outer},
        .session = wire->session,
        .rev = wire->rev,
        .lsn = wire->lsn,
        .epoch = wire->epoch,
        .grant_data = wire->grant_data,
        .grant_meta = wire->grant_meta,
        .members = wire->members,
    };
    memcpy(request->attr, wire->attr, sizeof(request->attr));
}

/* A commit has its own form: through this door only its operation and transaction can be read. */
static enum err unpack_head_of_commit(struct object_request *request, const struct msg *m)
{
    uint8_t result[OBJECT_RESULT_BYTES];
    *request = (struct object_request){.op = OBJECT_TXN_COMMIT};
    return object_commit_unpack(&request->txn, result, m);
}

enum err object_request_unpack(struct object_request *request, const struct msg *m)
{
    struct object_request_wire wire;
    uint32_t op = PROTO_OPERATION(m->type);
    if (m->type != (PROTO_OBJECT | op) || op < OBJECT_CREATE || op >= OBJECT_OP_COUNT)
        return E_INVAL;
    if (op == OBJECT_TXN_COMMIT)
        return unpack_head_of_commit(request, m);
    memcpy(&wire, m->payload, sizeof(wire));
    request_from_wire(request, &wire);
    request->op = (enum object_op)op;
    if (wire.flags > OBJECT_FLAGS_ALL || wire.txn_environment > ENVIRONMENTS_MAX)
        return E_INVAL;
    if (op == OBJECT_READ || op == OBJECT_WRITE || op == OBJECT_GETATTR) {
        if (wire.length > OBJECT_LENGTH_MAX || wire.offset > OBJECT_SIZE_MAX - wire.length)
            return E_INVAL;
    }
    if (op == OBJECT_TRUNCATE && wire.size > OBJECT_SIZE_MAX)
        return E_INVAL;
    return OK;
}

void object_commit_pack(struct msg *m, uint32_t id, const struct object_txn *txn,
                        const uint8_t result[OBJECT_RESULT_BYTES])
{
    ASSERT(txn->environment != 0);
    struct object_commit_wire wire = {.sequence = txn->sequence,
                                      .outer = txn->outer,
                                      .environment = txn->environment,
                                      .generation = txn->generation};
    memcpy(wire.result, result, sizeof(wire.result));
    memset(m, 0, sizeof(*m));
    m->type = PROTO_OBJECT | (uint32_t)OBJECT_TXN_COMMIT;
    m->id = id;
    memcpy(m->payload, &wire, sizeof(wire));
}

enum err object_commit_unpack(struct object_txn *txn, uint8_t result[OBJECT_RESULT_BYTES],
                              const struct msg *m)
{
    struct object_commit_wire wire;
    if (m->type != (PROTO_OBJECT | (uint32_t)OBJECT_TXN_COMMIT))
        return E_INVAL;
    memcpy(&wire, m->payload, sizeof(wire));
    *txn = (struct object_txn){.environment = wire.environment,
                               .generation = wire.generation,
                               .sequence = wire.sequence,
                               .outer = wire.outer};
    memcpy(result, wire.result, sizeof(wire.result));
    if (wire.environment == 0 || wire.environment > ENVIRONMENTS_MAX)
        return E_INVAL;
    return OK;
}

void object_reply_pack(struct msg *m, const struct object_reply *reply)
{
    struct object_reply_wire wire = {
        .oid = reply->oid,
        .size = reply->size,
        .blocks = reply->blocks,
        .epoch = reply->epoch,
        .lsn = reply->lsn,
        .session = reply->session,
        .flags = reply->flags,
        .done = reply->done,
        .moved = reply->moved,
    };
    memcpy(wire.result, reply->result, sizeof(wire.result));
    memset(m->payload, 0, sizeof(m->payload));
    memcpy(m->payload, &wire, sizeof(wire));
}

void object_reply_unpack(struct object_reply *reply, const struct msg *m)
{
    struct object_reply_wire wire;
    memcpy(&wire, m->payload, sizeof(wire));
    *reply = (struct object_reply){
        .oid = wire.oid,
        .size = wire.size,
        .blocks = wire.blocks,
        .epoch = wire.epoch,
        .lsn = wire.lsn,
        .session = wire.session,
        .flags = wire.flags,
        .done = wire.done,
        .moved = wire.moved,
    };
    memcpy(reply->result, wire.result, sizeof(reply->result));
}

void object_block_meta_encode(uint8_t raw[OBJECT_META_BYTES], const struct object_block_meta *meta)
{
    put_le32(raw, meta->crc);
    put_le32(raw + 4, meta->birth);
    put_le32(raw + 8, (uint32_t)meta->status);
    put_le32(raw + 12, meta->flags);
}

void object_block_meta_decode(struct object_block_meta *meta, const uint8_t raw[OBJECT_META_BYTES])
{
    meta->crc = get_le32(raw);
    meta->birth = get_le32(raw + 4);
    meta->status = (int32_t)get_le32(raw + 8);
    meta->flags = get_le32(raw + 12);
}

void object_write_entry_encode(uint8_t raw[OBJECT_ENTRY_BYTES],
                               const struct object_write_entry *entry)
{
    put_le64(raw, entry->oid);
    put_le64(raw + 8, entry->block);
    put_le64(raw + 16, entry->lsn);
    put_le32(raw + 24, entry->crc);
    put_le32(raw + 28, (uint32_t)entry->status);
    put_le32(raw + 32, entry->flags);
    put_le32(raw + 36, 0);
}

void object_write_entry_decode(struct object_write_entry *entry,
                               const uint8_t raw[OBJECT_ENTRY_BYTES])
{
    entry->oid = get_le64(raw);
    entry->block = get_le64(raw + 8);
    entry->lsn = get_le64(raw + 16);
    entry->crc = get_le32(raw + 24);
    entry->status = (int32_t)get_le32(raw + 28);
    entry->flags = get_le32(raw + 32);
}

/* Offsets in an encoded root. */
enum {
    ROOT_FLAGS = 0, /* bit 0 valid, bit 1 clean */
    ROOT_REV = 4,
    ROOT_MEMBERS = 8,
    ROOT_SELF = 12,
    ROOT_EPOCH = 16,
    ROOT_LSN = 24,
    ROOT_POOL = 32,
    ROOT_DISK = 48,
    ROOT_INCARNATION = 64,
    ROOT_HIGHEST_EPOCH = 72,
    ROOT_HIGHEST_LSN = 80,
    ROOT_ANCESTORS = 88,
    ROOT_REBUILDING = ROOT_ANCESTORS + 8 * OBJECT_ANCESTORS,
    ROOT_VACANT = ROOT_REBUILDING + 4,
    ROOT_GENERATION = ROOT_VACANT + 4,
};
_Static_assert(ROOT_GENERATION + DISKS_MAX <= OBJECT_ROOT_BYTES, "a root fits");

void object_root_encode(uint8_t raw[OBJECT_ROOT_BYTES], const struct object_root *root)
{
    ASSERT(root->self < DISKS_MAX);
    memset(raw, 0, OBJECT_ROOT_BYTES);
    put_le32(raw + ROOT_FLAGS, (root->valid ? 1u : 0u) | (root->clean ? 2u : 0u));
    put_le32(raw + ROOT_REV, root->rev);
    put_le32(raw + ROOT_MEMBERS, root->members);
    put_le32(raw + ROOT_SELF, root->self);
    put_le64(raw + ROOT_EPOCH, root->epoch);
    put_le64(raw + ROOT_LSN, root->lsn);
    for (uint32_t i = 0; i < 2; i++) {
        put_le64(raw + ROOT_POOL + 8 * i, root->pool_uuid[i]);
        put_le64(raw + ROOT_DISK + 8 * i, root->disk_uuid[i]);
    }
    put_le64(raw + ROOT_INCARNATION, root->incarnation);
    put_le64(raw + ROOT_HIGHEST_EPOCH, root->highest_epoch);
    put_le64(raw + ROOT_HIGHEST_LSN, root->highest_lsn);
    for (uint32_t i = 0; i < OBJECT_ANCESTORS; i++)
        put_le64(raw + ROOT_ANCESTORS + 8 * i, root->ancestor[i]);
    put_le32(raw + ROOT_REBUILDING, root->rebuilding);
    put_le32(raw + ROOT_VACANT, root->vacant);
    memcpy(raw + ROOT_GENERATION, root->generation, DISKS_MAX);
}

enum err object_root_decode(struct object_root *root, const uint8_t raw[OBJECT_ROOT_BYTES])
{
    uint32_t flags = get_le32(raw + ROOT_FLAGS);
    *root = (struct object_root){
        .valid = (flags & 1u) != 0,
        .clean = (flags & 2u) != 0,
        .rev = get_le32(raw + ROOT_REV),
        .members = get_le32(raw + ROOT_MEMBERS),
        .self = get_le32(raw + ROOT_SELF),
        .epoch = get_le64(raw + ROOT_EPOCH),
        .lsn = get_le64(raw + ROOT_LSN),
        .incarnation = get_le64(raw + ROOT_INCARNATION),
        .highest_epoch = get_le64(raw + ROOT_HIGHEST_EPOCH),
        .highest_lsn = get_le64(raw + ROOT_HIGHEST_LSN),
    };
    for (uint32_t i = 0; i < 2; i++) {
        root->pool_uuid[i] = get_le64(raw + ROOT_POOL + 8 * i);
        root->disk_uuid[i] = get_le64(raw + ROOT_DISK + 8 * i);
    }
    for (uint32_t i = 0; i < OBJECT_ANCESTORS; i++)
        root->ancestor[i] = get_le64(raw + ROOT_ANCESTORS + 8 * i);
    root->rebuilding = get_le32(raw + ROOT_REBUILDING);
    root->vacant = get_le32(raw + ROOT_VACANT);
    memcpy(root->generation, raw + ROOT_GENERATION, DISKS_MAX);
    if (flags > 3 || root->self >= DISKS_MAX || root->members >= 1u << DISKS_MAX ||
        (root->rebuilding & ~root->members) != 0 || root->vacant >= 1u << DISKS_MAX)
        return E_INVAL;
    return OK;
}

void object_intent_encode(uint8_t raw[OBJECT_INTENT_BYTES], const struct object_intent *intent)
{
    put_le64(raw, intent->oid);
    put_le64(raw + 8, intent->block);
    put_le64(raw + 16, intent->lsn);
    put_le64(raw + 24, intent->epoch);
    put_le64(raw + 32, intent->address);
    put_le32(raw + 40, intent->crc);
    put_le32(raw + 44, 0);
}

void object_intent_decode(struct object_intent *intent, const uint8_t raw[OBJECT_INTENT_BYTES])
{
    intent->oid = get_le64(raw);
    intent->block = get_le64(raw + 8);
    intent->lsn = get_le64(raw + 16);
    intent->epoch = get_le64(raw + 24);
    intent->address = get_le64(raw + 32);
    intent->crc = get_le32(raw + 40);
}
