/*
 * Packing and unpacking of the VFS protocol (vfs.h). Payloads have no padding and are zero beyond
 * their fields.
 */
#include "vfs.h"

#include "assertion.h"
#include "bytes.h"
#include "mem.h"
#include "vfs_wire.h"

struct vfs_request_wire {
    uint64_t ino, ino2, offset, length, size, mtime_ns, sequence, outer;
    uint32_t flags, which, environment, generation, attempt;
    uint32_t name_grant, name_bytes, name2_grant, name2_bytes, data_grant;
    uint32_t mode, uid, gid, zero;
};
_Static_assert(sizeof(struct vfs_request_wire) == 8 * 8 + 14 * 4, "no padding");
_Static_assert(sizeof(struct vfs_request_wire) <= MSG_PAYLOAD_BYTES, "fits a message");

struct vfs_reply_wire {
    struct vfs_stat_wire stat;
    uint64_t ino2, size, moved;
};
_Static_assert(sizeof(struct vfs_reply_wire) == 64 + 24, "no padding");
_Static_assert(sizeof(struct vfs_reply_wire) <= MSG_PAYLOAD_BYTES, "fits a message");

void vfs_stat_to_wire(struct vfs_stat_wire *wire, const struct vfs_stat *stat)
{
    *wire = (struct vfs_stat_wire){
        .ino = stat->ino,
        .size = stat->size,
        .blocks = stat->blocks,
        .mtime_ns = stat->mtime_ns,
        .ctime_ns = stat->ctime_ns,
        .type = stat->type,
        .mode = stat->mode,
        .nlink = stat->nlink,
        .uid = stat->uid,
        .gid = stat->gid,
        .generation = stat->generation,
    };
}

void vfs_stat_from_wire(struct vfs_stat *stat, const struct vfs_stat_wire *wire)
{
    *stat = (struct vfs_stat){
        .ino = wire->ino,
        .size = wire->size,
        .blocks = wire->blocks,
        .mtime_ns = wire->mtime_ns,
        .ctime_ns = wire->ctime_ns,
        .type = wire->type,
        .mode = wire->mode,
        .nlink = wire->nlink,
        .uid = wire->uid,
        .gid = wire->gid,
        .generation = wire->generation,
    };
}

void vfs_request_pack(struct msg *m, uint32_t id, const struct vfs_request *request)
{
    ASSERT(request->op >= VFS_MOUNT && request->op < VFS_OP_COUNT);
    struct vfs_request_wire wire = {
        .ino = request->ino,
        .ino2 = request->ino2,
        .offset = request->offset,
        .length = request->length,
        .size = request->size,
        .mtime_ns = request->mtime_ns,
        .sequence = request->sequence,
        .outer = request->outer,
        .flags = request->flags,
        .which = request->which,
        .environment = request->environment,
        .generation = request->generation,
        .attempt = request->attempt,
        .name_grant = request->name_grant,
        .name_bytes = request->name_bytes,
        .name2_grant = request->name2_grant,
        .name2_bytes = request->name2_bytes,
        .data_grant = request->data_grant,
        .mode = request->mode,
        .uid = request->uid,
        .gid = request->gid,
    };
    memset(m, 0, sizeof(*m));
    m->type = PROTO_VFS | (uint32_t)request->op;
    m->id = id;
    memcpy(m->payload, &wire, sizeof(wire));
}

static void request_from_wire(struct vfs_request *request, const struct vfs_request_wire *wire)
{
    *request = (struct vfs_request){
        .flags = wire->flags,
        .which = wire->which,
        .ino = wire->ino,
        .ino2 = wire->ino2,
        .offset = wire->offset,
        .length = wire->length,
        .size = wire->size,
        .mtime_ns = wire->mtime_ns,
        .sequence = wire->sequence,
        .outer = wire->outer,
        .environment = wire->environment,
        .generation = wire->generation,
        .attempt = wire->attempt,
        .name_grant = wire->name_grant,
        .name_bytes = wire->name_bytes,
        .name2_grant = wire->name2_grant,
        .name2_bytes = wire->name2_bytes,
        .data_grant = wire->data_grant,
        .mode = wire->mode,
        .uid = wire->uid,
        .gid = wire->gid,
    };
}

enum err vfs_request_unpack(struct vfs_request *request, const struct msg *m)
{
    struct vfs_request_wire wire;
    uint32_t op = PROTO_OPERATION(m->type);
    if (m->type != (PROTO_VFS | op) || op < VFS_MOUNT || op >= VFS_OP_COUNT)
        return E_INVAL;
    memcpy(&wire, m->payload, sizeof(wire));
    request_from_wire(request, &wire);
    request->op = (enum vfs_op)op;
    /* A name that is too long is an answer of the name space (E_NAMETOOLONG); one that no path can
     * hold is a broken message. */
    if (wire.name_bytes > VFS_PATH_MAX || wire.name2_bytes > VFS_PATH_MAX)
        return E_INVAL;
    if (wire.length > VFS_IO_MAX || wire.flags >= 2 * VFS_NEW)
        return E_INVAL;
    if (wire.which > (VFS_SET_MODE | VFS_SET_OWNER | VFS_SET_MTIME))
        return E_INVAL;
    return OK;
}

void vfs_reply_pack(struct msg *m, const struct vfs_reply *reply)
{
    struct vfs_reply_wire wire = {.ino2 = reply->ino2, .size = reply->size, .moved = reply->moved};
    vfs_stat_to_wire(&wire.stat, &reply->stat);
    memset(m->payload, 0, sizeof(m->payload));
    memcpy(m->payload, &wire, sizeof(wire));
}

void vfs_reply_unpack(struct vfs_reply *reply, const struct msg *m)
{
    struct vfs_reply_wire wire;
    memcpy(&wire, m->payload, sizeof(wire));
    vfs_stat_from_wire(&reply->stat, &wire.stat);
    reply->ino2 = wire.ino2;
    reply->size = wire.size;
    reply->moved = wire.moved;
}

void vfs_dirent_encode(uint8_t raw[VFS_DIRENT_BYTES], const struct vfs_dirent *entry)
{
    ASSERT(entry->name_bytes <= VFS_NAME_MAX);
    put_le64(raw, entry->ino);
    put_le64(raw + 8, entry->next);
    put_le32(raw + 16, entry->type);
    put_le32(raw + 20, entry->name_bytes);
}

void vfs_dirent_decode(struct vfs_dirent *entry, const uint8_t raw[VFS_DIRENT_BYTES])
{
    entry->ino = get_le64(raw);
    entry->next = get_le64(raw + 8);
    entry->type = get_le32(raw + 16);
    entry->name_bytes = get_le32(raw + 20);
}
