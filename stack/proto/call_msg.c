/*
 * Packing and unpacking of the calls of applications (call.h). Payloads have no padding and are
 * zero beyond their fields.
 */
#include "call.h"

#include "assertion.h"
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

void call_request_pack(struct msg *m, uint32_t id, const struct call_request *request)
{
    ASSERT(request->op >= CALL_OPEN && request->op < CALL_OP_COUNT);
    struct call_request_wire wire = {
        .offset = request->offset,
        .length = request->length,
        .size = request->size,
        .mtime_ns = request->mtime_ns,
        .flags = request->flags,
        .mode = request->mode,
        .uid = request->uid,
        .gid = request->gid,
        .caller_uid = request->caller_uid,
        .caller_gid = request->caller_gid,
        .path_grant = request->path_grant,
        .path_bytes = request->path_bytes,
        .path2_grant = request->path2_grant,
        .path2_bytes = request->path2_bytes,
        .data_grant = request->data_grant,
        .fd = request->fd,
    };
    memset(m, 0, sizeof(*m));
    m->type = PROTO_CALL | (uint32_t)request->op;
    m->id = id;
    memcpy(m->payload, &wire, sizeof(wire));
}

static void request_from_wire(struct call_request *request, const struct call_request_wire *wire)
{
    *request = (struct call_request){
        .flags = wire->flags,
        .fd = wire->fd,
        .mode = wire->mode,
        .uid = wire->uid,
        .gid = wire->gid,
        .caller_uid = wire->caller_uid,
        .caller_gid = wire->caller_gid,
        .path_grant = wire->path_grant,
        .path_bytes = wire->path_bytes,
        .path2_grant = wire->path2_grant,
        .path2_bytes = wire->path2_bytes,
        .data_grant = wire->data_grant,
        .offset = wire->offset,
        .length = wire->length,
        .size = wire->size,
        .mtime_ns = wire->mtime_ns,
    };
}

enum err call_request_unpack(struct call_request *request, const struct msg *m)
{
    struct call_request_wire wire;
    uint32_t op = PROTO_OPERATION(m->type);
    if (m->type != (PROTO_CALL | op) || op < CALL_OPEN || op >= CALL_OP_COUNT)
        return E_INVAL;
    memcpy(&wire, m->payload, sizeof(wire));
    request_from_wire(request, &wire);
    request->op = (enum call_op)op;
    if (wire.flags > CALL_FLAGS_ALL)
        return E_INVAL;
    return OK; /* too long a path is an answer of the name space: the VFS checks it */
}

void call_reply_pack(struct msg *m, const struct call_reply *reply)
{
    struct call_reply_wire wire = {
        .moved = reply->moved, .size = reply->size, .ino2 = reply->ino2, .fd = reply->fd};
    vfs_stat_to_wire(&wire.stat, &reply->stat);
    memset(m->payload, 0, sizeof(m->payload));
    memcpy(m->payload, &wire, sizeof(wire));
}

void call_reply_unpack(struct call_reply *reply, const struct msg *m)
{
    struct call_reply_wire wire;
    memcpy(&wire, m->payload, sizeof(wire));
    *reply = (struct call_reply){
        .fd = wire.fd, .moved = wire.moved, .size = wire.size, .ino2 = wire.ino2};
    vfs_stat_from_wire(&reply->stat, &wire.stat);
}
