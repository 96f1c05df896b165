/*
 * Packing and unpacking of the calls of applications (call.h). Payloads have no padding and are
 * zero beyond their fields.
 */
#include "call.h"

#include "assertion.h"
#include "bytes.h"
#include "mem.h"
#include "vfs_wire.h"

struct call_request_wire {
    uint64_t offset, length, size, mtime_ns;
    uint32_t flags, mode, uid, gid, caller_uid, caller_gid;
    uint32_t path_grant, path_bytes, path2_grant, path2_bytes, data_grant;
    int32_t fd;
};
_Static_assert(sizeof(struct call_request_wire) == 4 * 8 + 12 * 4, "no padding");
_Static_assert(sizeof(struct call_request_wire) <= MSG_PAYLOAD_BYTES, "fits a message");

struct call_reply_wire {
    struct vfs_stat_wire stat;
    uint64_t moved, size, ino2;
    int32_t fd;
    uint32_t zero;
};
_Static_assert(sizeof(struct call_reply_wire) == 64 + 3 * 8 + 8, "no padding");
_Static_assert(sizeof(struct call_reply_wire) <= MSG_PAYLOAD_BYTES, "fits a message");

#define CALL_FLAGS_ALL (CALL_ZERO * 2u - 1u) /* ZERO is the highest flag */

#define REQUEST_AT(field) offsetof(struct call_request_wire, field)
#define REPLY_AT(field) offsetof(struct call_reply_wire, field)

static void request_to_wire(uint8_t *raw, const struct call_request *request)
{
    put_le64(raw + REQUEST_AT(offset), request->offset);
    put_le64(raw + REQUEST_AT(length), request->length);
    put_le64(raw + REQUEST_AT(size), request->size);
    put_le64(raw + REQUEST_AT(mtime_ns), request->mtime_ns);
    put_le32(raw + REQUEST_AT(flags), request->flags);
    put_le32(raw + REQUEST_AT(mode), request->mode);
    put_le32(raw + REQUEST_AT(uid), request->uid);
    put_le32(raw + REQUEST_AT(gid), request->gid);
    put_le32(raw + REQUEST_AT(caller_uid), request->caller_uid);
    put_le32(raw + REQUEST_AT(caller_gid), request->caller_gid);
    put_le32(raw + REQUEST_AT(path_grant), request->path_grant);
    put_le32(raw + REQUEST_AT(path_bytes), request->path_bytes);
    put_le32(raw + REQUEST_AT(path2_grant), request->path2_grant);
    put_le32(raw + REQUEST_AT(path2_bytes), request->path2_bytes);
    put_le32(raw + REQUEST_AT(data_grant), request->data_grant);
    put_le32(raw + REQUEST_AT(fd), (uint32_t)request->fd);
    memset(raw + sizeof(struct call_request_wire), 0,
           MSG_PAYLOAD_BYTES - sizeof(struct call_request_wire));
}

void call_request_pack(struct msg *m, uint32_t id, const struct call_request *request)
{
    ASSERT(request->op >= CALL_OPEN && request->op < CALL_OP_COUNT);
    m->source = 0;
    m->type = PROTO_CALL | (uint32_t)request->op;
    m->id = id;
    m->status = 0;
    request_to_wire(m->payload, request);
}

/* All fields but the operation, which the type of the message tells. */
static void request_from_wire(struct call_request *request, const uint8_t *raw)
{
    request->offset = get_le64(raw + REQUEST_AT(offset));
    request->length = get_le64(raw + REQUEST_AT(length));
    request->size = get_le64(raw + REQUEST_AT(size));
    request->mtime_ns = get_le64(raw + REQUEST_AT(mtime_ns));
    request->flags = get_le32(raw + REQUEST_AT(flags));
    request->mode = get_le32(raw + REQUEST_AT(mode));
    request->uid = get_le32(raw + REQUEST_AT(uid));
    request->gid = get_le32(raw + REQUEST_AT(gid));
    request->caller_uid = get_le32(raw + REQUEST_AT(caller_uid));
    request->caller_gid = get_le32(raw + REQUEST_AT(caller_gid));
    request->path_grant = get_le32(raw + REQUEST_AT(path_grant));
    request->path_bytes = get_le32(raw + REQUEST_AT(path_bytes));
    request->path2_grant = get_le32(raw + REQUEST_AT(path2_grant));
    request->path2_bytes = get_le32(raw + REQUEST_AT(path2_bytes));
    request->data_grant = get_le32(raw + REQUEST_AT(data_grant));
    request->fd = (int32_t)get_le32(raw + REQUEST_AT(fd));
}

enum err call_request_unpack(struct call_request *request, const struct msg *m)
{
    uint32_t op = PROTO_OPERATION(m->type);
    if (m->type != (PROTO_CALL | op) || op < CALL_OPEN || op >= CALL_OP_COUNT)
        return E_INVAL;
    request->op = (enum call_op)op;
    request_from_wire(request, m->payload);
    if (request->flags > CALL_FLAGS_ALL)
        return E_INVAL;
    return OK; /* too long a path is an answer of the name space: the VFS checks it */
}

void call_reply_pack(struct msg *m, const struct call_reply *reply)
{
    uint8_t *raw = m->payload;
    vfs_stat_to_wire(raw + REPLY_AT(stat), &reply->stat);
    put_le64(raw + REPLY_AT(moved), reply->moved);
    put_le64(raw + REPLY_AT(size), reply->size);
    put_le64(raw + REPLY_AT(ino2), reply->ino2);
    put_le32(raw + REPLY_AT(fd), (uint32_t)reply->fd);
    put_le32(raw + REPLY_AT(zero), 0);
    memset(raw + sizeof(struct call_reply_wire), 0,
           MSG_PAYLOAD_BYTES - sizeof(struct call_reply_wire));
}

void call_reply_unpack(struct call_reply *reply, const struct msg *m)
{
    const uint8_t *raw = m->payload;
    vfs_stat_from_wire(&reply->stat, raw + REPLY_AT(stat));
    reply->moved = get_le64(raw + REPLY_AT(moved));
    reply->size = get_le64(raw + REPLY_AT(size));
    reply->ino2 = get_le64(raw + REPLY_AT(ino2));
    reply->fd = (int32_t)get_le32(raw + REPLY_AT(fd));
}
