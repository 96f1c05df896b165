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

#define STAT_AT(field) offsetof(struct vfs_stat_wire, field)
#define REQUEST_AT(field) offsetof(struct vfs_request_wire, field)
#define REPLY_AT(field) offsetof(struct vfs_reply_wire, field)

void vfs_stat_to_wire(uint8_t *raw, const struct vfs_stat *stat)
{
    put_le64(raw + STAT_AT(ino), stat->ino);
    put_le64(raw + STAT_AT(size), stat->size);
    put_le64(raw + STAT_AT(blocks), stat->blocks);
    put_le64(raw + STAT_AT(mtime_ns), stat->mtime_ns);
    put_le64(raw + STAT_AT(ctime_ns), stat->ctime_ns);
    put_le32(raw + STAT_AT(type), stat->type);
    put_le32(raw + STAT_AT(mode), stat->mode);
    put_le32(raw + STAT_AT(nlink), stat->nlink);
    put_le32(raw + STAT_AT(uid), stat->uid);
    put_le32(raw + STAT_AT(gid), stat->gid);
    put_le32(raw + STAT_AT(generation), stat->generation);
}

void vfs_stat_from_wire(struct vfs_stat *stat, const uint8_t *raw)
{
    stat->ino = get_le64(raw + STAT_AT(ino));
    stat->size = get_le64(raw + STAT_AT(size));
    stat->blocks = get_le64(raw + STAT_AT(blocks));
    stat->mtime_ns = get_le64(raw + STAT_AT(mtime_ns));
    stat->ctime_ns = get_le64(raw + STAT_AT(ctime_ns));
    stat->type = get_le32(raw + STAT_AT(type));
    stat->mode = get_le32(raw + STAT_AT(mode));
    stat->nlink = get_le32(raw + STAT_AT(nlink));
    stat->uid = get_le32(raw + STAT_AT(uid));
    stat->gid = get_le32(raw + STAT_AT(gid));
    stat->generation = get_le32(raw + STAT_AT(generation));
}

static void request_to_wire(uint8_t *raw, const struct vfs_request *request)
{
    put_le64(raw + REQUEST_AT(ino), request->ino);
    put_le64(raw + REQUEST_AT(ino2), request->ino2);
    put_le64(raw + REQUEST_AT(offset), request->offset);
    put_le64(raw + REQUEST_AT(length), request->length);
    put_le64(raw + REQUEST_AT(size), request->size);
    put_le64(raw + REQUEST_AT(mtime_ns), request->mtime_ns);
    put_le64(raw + REQUEST_AT(sequence), request->sequence);
    put_le64(raw + REQUEST_AT(outer), request->outer);
    put_le32(raw + REQUEST_AT(flags), request->flags);
    put_le32(raw + REQUEST_AT(which), request->which);
    put_le32(raw + REQUEST_AT(environment), request->environment);
    put_le32(raw + REQUEST_AT(generation), request->generation);
    put_le32(raw + REQUEST_AT(attempt), request->attempt);
    put_le32(raw + REQUEST_AT(name_grant), request->name_grant);
    put_le32(raw + REQUEST_AT(name_bytes), request->name_bytes);
    put_le32(raw + REQUEST_AT(name2_grant), request->name2_grant);
    put_le32(raw + REQUEST_AT(name2_bytes), request->name2_bytes);
    put_le32(raw + REQUEST_AT(data_grant), request->data_grant);
    put_le32(raw + REQUEST_AT(mode), request->mode);
    put_le32(raw + REQUEST_AT(uid), request->uid);
    put_le32(raw + REQUEST_AT(gid), request->gid);
    put_le32(raw + REQUEST_AT(zero), 0);
    memset(raw + sizeof(struct vfs_request_wire), 0,
           MSG_PAYLOAD_BYTES - sizeof(struct vfs_request_wire));
}

void vfs_request_pack(struct msg *m, uint32_t id, const struct vfs_request *request)
{
    ASSERT(request->op >= VFS_MOUNT && request->op < VFS_OP_COUNT);
    m->source = 0;
    m->type = PROTO_VFS | (uint32_t)request->op;
    m->id = id;
    m->status = 0;
    request_to_wire(m->payload, request);
}

/* All fields but the operation, which the type of the message tells. */
static void request_from_wire(struct vfs_request *request, const uint8_t *raw)
{
    request->ino = get_le64(raw + REQUEST_AT(ino));
    request->ino2 = get_le64(raw + REQUEST_AT(ino2));
    request->offset = get_le64(raw + REQUEST_AT(offset));
    request->length = get_le64(raw + REQUEST_AT(length));
    request->size = get_le64(raw + REQUEST_AT(size));
    request->mtime_ns = get_le64(raw + REQUEST_AT(mtime_ns));
    request->sequence = get_le64(raw + REQUEST_AT(sequence));
    request->outer = get_le64(raw + REQUEST_AT(outer));
    request->flags = get_le32(raw + REQUEST_AT(flags));
    request->which = get_le32(raw + REQUEST_AT(which));
    request->environment = get_le32(raw + REQUEST_AT(environment));
    request->generation = get_le32(raw + REQUEST_AT(generation));
    request->attempt = get_le32(raw + REQUEST_AT(attempt));
    request->name_grant = get_le32(raw + REQUEST_AT(name_grant));
    request->name_bytes = get_le32(raw + REQUEST_AT(name_bytes));
    request->name2_grant = get_le32(raw + REQUEST_AT(name2_grant));
    request->name2_bytes = get_le32(raw + REQUEST_AT(name2_bytes));
    request->data_grant = get_le32(raw + REQUEST_AT(data_grant));
    request->mode = get_le32(raw + REQUEST_AT(mode));
    request->uid = get_le32(raw + REQUEST_AT(uid));
    request->gid = get_le32(raw + REQUEST_AT(gid));
}

enum err vfs_request_unpack(struct vfs_request *request, const struct msg *m)
{
    uint32_t op = PROTO_OPERATION(m->type);
    if (m->type != (PROTO_VFS | op) || op < VFS_MOUNT || op >= VFS_OP_COUNT)
        return E_INVAL;
    request->op = (enum vfs_op)op;
    request_from_wire(request, m->payload);
    /* A name that is too long is an answer of the name space (E_NAMETOOLONG); one that no path can
     * hold is a broken message. */
    if (request->name_bytes > VFS_PATH_MAX || request->name2_bytes > VFS_PATH_MAX)
        return E_INVAL;
    if (request->length > VFS_IO_MAX || request->flags >= 2 * VFS_PATH)
        return E_INVAL;
    if (request->which > (VFS_SET_MODE | VFS_SET_OWNER | VFS_SET_MTIME))
        return E_INVAL;
    return OK;
}

void vfs_reply_pack(struct msg *m, const struct vfs_reply *reply)
{
    uint8_t *raw = m->payload;
    vfs_stat_to_wire(raw + REPLY_AT(stat), &reply->stat);
    put_le64(raw + REPLY_AT(ino2), reply->ino2);
    put_le64(raw + REPLY_AT(size), reply->size);
    put_le64(raw + REPLY_AT(moved), reply->moved);
    memset(raw + sizeof(struct vfs_reply_wire), 0,
           MSG_PAYLOAD_BYTES - sizeof(struct vfs_reply_wire));
}

void vfs_reply_unpack(struct vfs_reply *reply, const struct msg *m)
{
    const uint8_t *raw = m->payload;
    vfs_stat_from_wire(&reply->stat, raw + REPLY_AT(stat));
    reply->ino2 = get_le64(raw + REPLY_AT(ino2));
    reply->size = get_le64(raw + REPLY_AT(size));
    reply->moved = get_le64(raw + REPLY_AT(moved));
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
