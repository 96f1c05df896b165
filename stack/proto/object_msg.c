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

#define OBJECT_FLAGS_ALL (OBJECT_BEGINS * 2u - 1u) /* the highest */

/* The largest range of one request: a write of the VFS, or a batch of the cache. */
#define OBJECT_LENGTH_MAX (UINT64_C(1) << 20)
_Static_assert(OBJECT_BATCH_MAX_BLOCKS *BLOCK_BYTES <= OBJECT_LENGTH_MAX, "a batch is a request");

/* Where a field lies in the payload: fields are put and taken one by one, as a structure that is
 * built and then copied costs a message twice. */
#define REQUEST_AT(field) offsetof(struct object_request_wire, field)
#define REPLY_AT(field) offsetof(struct object_reply_wire, field)

static void request_to_wire(uint8_t *raw, const struct object_request *request)
{
    put_le64(raw + REQUEST_AT(oid), request->oid);
    put_le64(raw + REQUEST_AT(offset), request->offset);
    put_le64(raw + REQUEST_AT(length), request->length);
    put_le64(raw + REQUEST_AT(size), request->size);
    put_le64(raw + REQUEST_AT(txn_sequence), request->txn.sequence);
    put_le64(raw + REQUEST_AT(txn_outer), request->txn.outer);
    put_le64(raw + REQUEST_AT(lsn), request->lsn);
    put_le64(raw + REQUEST_AT(epoch), request->epoch);
    put_le32(raw + REQUEST_AT(txn_environment), request->txn.environment);
    put_le32(raw + REQUEST_AT(txn_generation), request->txn.generation);
    put_le32(raw + REQUEST_AT(flags), request->flags);
    put_le32(raw + REQUEST_AT(session), request->session);
    put_le32(raw + REQUEST_AT(rev), request->rev);
    put_le32(raw + REQUEST_AT(grant_data), request->grant_data);
    put_le32(raw + REQUEST_AT(grant_meta), request->grant_meta);
    put_le32(raw + REQUEST_AT(members), request->members);
    memcpy(raw + REQUEST_AT(attr), request->attr, OBJECT_ATTR_BYTES);
    memset(raw + sizeof(struct object_request_wire), 0,
           MSG_PAYLOAD_BYTES - sizeof(struct object_request_wire));
}

void object_request_pack(struct msg *m, uint32_t id, const struct object_request *request)
{
    ASSERT(request->op >= OBJECT_CREATE && request->op < OBJECT_OP_COUNT);
    ASSERT(request->op != OBJECT_TXN_COMMIT);
    m->source = 0;
    m->type = PROTO_OBJECT | (uint32_t)request->op;
    m->id = id;
    m->status = 0;
    request_to_wire(m->payload, request);
}

/* All fields but the operation, which the type of the message tells. */
static void request_from_wire(struct object_request *request, const uint8_t *raw)
{
    request->oid = get_le64(raw + REQUEST_AT(oid));
    request->offset = get_le64(raw + REQUEST_AT(offset));
    request->length = get_le64(raw + REQUEST_AT(length));
    request->size = get_le64(raw + REQUEST_AT(size));
    request->txn.sequence = get_le64(raw + REQUEST_AT(txn_sequence));
    request->txn.outer = get_le64(raw + REQUEST_AT(txn_outer));
    request->lsn = get_le64(raw + REQUEST_AT(lsn));
    request->epoch = get_le64(raw + REQUEST_AT(epoch));
    request->txn.environment = get_le32(raw + REQUEST_AT(txn_environment));
    request->txn.generation = get_le32(raw + REQUEST_AT(txn_generation));
    request->flags = get_le32(raw + REQUEST_AT(flags));
    request->session = get_le32(raw + REQUEST_AT(session));
    request->rev = get_le32(raw + REQUEST_AT(rev));
    request->grant_data = get_le32(raw + REQUEST_AT(grant_data));
    request->grant_meta = get_le32(raw + REQUEST_AT(grant_meta));
    request->members = get_le32(raw + REQUEST_AT(members));
    memcpy(request->attr, raw + REQUEST_AT(attr), OBJECT_ATTR_BYTES);
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
    uint32_t op = PROTO_OPERATION(m->type);
    if (m->type != (PROTO_OBJECT | op) || op < OBJECT_CREATE || op >= OBJECT_OP_COUNT)
        return E_INVAL;
    if (op == OBJECT_TXN_COMMIT)
        return unpack_head_of_commit(request, m);
    request->op = (enum object_op)op;
    request_from_wire(request, m->payload);
    if (request->flags > OBJECT_FLAGS_ALL || request->txn.environment > ENVIRONMENTS_MAX)
        return E_INVAL;
    if (op == OBJECT_READ || op == OBJECT_WRITE || op == OBJECT_GETATTR) {
        if (request->length > OBJECT_LENGTH_MAX ||
            request->offset > OBJECT_SIZE_MAX - request->length)
            return E_INVAL;
    }
    if (op == OBJECT_TRUNCATE && request->size > OBJECT_SIZE_MAX)
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
    uint8_t *raw = m->payload;
    put_le64(raw + REPLY_AT(oid), reply->oid);
    put_le64(raw + REPLY_AT(size), reply->size);
    put_le64(raw + REPLY_AT(blocks), reply->blocks);
    put_le64(raw + REPLY_AT(epoch), reply->epoch);
    put_le64(raw + REPLY_AT(lsn), reply->lsn);
    put_le32(raw + REPLY_AT(session), reply->session);
    put_le32(raw + REPLY_AT(flags), reply->flags);
    put_le32(raw + REPLY_AT(done), reply->done);
    put_le32(raw + REPLY_AT(moved), reply->moved);
    memcpy(raw + REPLY_AT(result), reply->result, OBJECT_RESULT_BYTES);
    memset(raw + sizeof(struct object_reply_wire), 0,
           MSG_PAYLOAD_BYTES - sizeof(struct object_reply_wire));
}

void object_reply_unpack(struct object_reply *reply, const struct msg *m)
{
    const uint8_t *raw = m->payload;
    reply->oid = get_le64(raw + REPLY_AT(oid));
    reply->size = get_le64(raw + REPLY_AT(size));
    reply->blocks = get_le64(raw + REPLY_AT(blocks));
    reply->epoch = get_le64(raw + REPLY_AT(epoch));
    reply->lsn = get_le64(raw + REPLY_AT(lsn));
    reply->session = get_le32(raw + REPLY_AT(session));
    reply->flags = get_le32(raw + REPLY_AT(flags));
    reply->done = get_le32(raw + REPLY_AT(done));
    reply->moved = get_le32(raw + REPLY_AT(moved));
    memcpy(reply->result, raw + REPLY_AT(result), OBJECT_RESULT_BYTES);
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
