#include "workloads/client.h"

#include <string.h>

#include "assertion.h"

void client_init(struct client *c, uint32_t environment)
{
    *c = (struct client){.vfs = proto_await(LAYER_VFS, environment, PLAT_FOREVER)};
    ASSERT(c->vfs != ENDPOINT_NONE);
}

/* Sends one call; texts and data go along as grants. */
static enum err call(struct client *c, struct call_request *in, const char *path, const char *path2,
                     const struct plat_span *data, uint32_t access, struct call_reply *out)
{
    struct msg m;
    in->caller_uid = c->uid;
    in->caller_gid = c->gid;
    if (path != NULL) {
        in->path_bytes = (uint32_t)strlen(path);
        in->path_grant =
            plat_grant(c->vfs, (void *)(uintptr_t)path, in->path_bytes, PLAT_GRANT_READ);
    }
    if (path2 != NULL) {
        in->path2_bytes = (uint32_t)strlen(path2);
        in->path2_grant =
            plat_grant(c->vfs, (void *)(uintptr_t)path2, in->path2_bytes, PLAT_GRANT_READ);
    }
    if (data != NULL)
        in->data_grant = plat_grant(c->vfs, data->base, data->bytes, access);
    call_request_pack(&m, ++c->next_id, in);
    enum err e = plat_sendrec(c->vfs, &m);
    plat_revoke(in->path_grant);
    plat_revoke(in->path2_grant);
    plat_revoke(in->data_grant);
    if (e != OK)
        return E_DEAD;
    call_reply_unpack(out, &m);
    return (enum err)m.status;
}

static enum err plain(struct client *c, struct call_request *in, const char *path,
                      const char *path2)
{
    struct call_reply out;
    return call(c, in, path, path2, NULL, 0, &out);
}

enum err client_open(struct client *c, const char *path, uint32_t flags, uint32_t mode, int32_t *fd,
                     struct vfs_stat *stat)
{
    struct call_request in = {.op = CALL_OPEN, .flags = flags, .mode = mode};
    struct call_reply out;
    enum err e = call(c, &in, path, NULL, NULL, 0, &out);
    if (e != OK)
        return e;
    *fd = out.fd;
    if (stat != NULL)
        *stat = out.stat;
    return OK;
}

enum err client_close(struct client *c, int32_t fd)
{
    struct call_request in = {.op = CALL_CLOSE, .fd = fd};
    return plain(c, &in, NULL, NULL);
}

/* A sick stack may say that it has moved more than there is room for. Then nothing of it counts:
 * what reads the answer stays within its memory, and the oracle misses what should have come. */
static uint64_t believed(uint64_t moved, uint64_t room)
{
    return moved <= room ? moved : 0;
}

static enum err transfer(struct client *c, enum call_op op, int32_t fd, uint64_t offset,
                         const struct plat_span *data, uint64_t *moved, uint64_t *where)
{
    struct call_request in = {.op = op, .fd = fd, .offset = offset, .length = data->bytes};
    struct call_reply out;
    uint32_t access = op == CALL_WRITE ? PLAT_GRANT_READ : PLAT_GRANT_WRITE;
    *moved = 0;
    enum err e = call(c, &in, NULL, NULL, data, access, &out);
    if (e == OK)
        *moved = believed(out.moved, data->bytes);
    if (e == OK && where != NULL)
        *where = out.ino2;
    return e;
}

enum err client_read(struct client *c, int32_t fd, uint64_t offset, void *to, uint64_t bytes,
                     uint64_t *moved)
{
    struct plat_span data = {.base = to, .bytes = bytes};
    return transfer(c, CALL_READ, fd, offset, &data, moved, NULL);
}

enum err client_write(struct client *c, int32_t fd, uint64_t offset, const void *from,
                      uint64_t bytes, uint64_t *moved, uint64_t *where)
{
    struct plat_span data = {.base = (void *)(uintptr_t)from, .bytes = bytes};
    return transfer(c, CALL_WRITE, fd, offset, &data, moved, where);
}

enum err client_truncate(struct client *c, const char *path, uint64_t size)
{
    struct call_request in = {.op = CALL_TRUNCATE, .fd = -1, .size = size};
    return plain(c, &in, path, NULL);
}

enum err client_fsync(struct client *c, int32_t fd)
{
    struct call_request in = {.op = CALL_FSYNC, .fd = fd};
    return plain(c, &in, NULL, NULL);
}

enum err client_sync(struct client *c)
{
    struct call_request in = {.op = CALL_SYNC};
    return plain(c, &in, NULL, NULL);
}

enum err client_stat(struct client *c, const char *path, struct vfs_stat *stat)
{
    struct call_request in = {.op = CALL_STAT, .fd = -1};
    struct call_reply out;
    enum err e = call(c, &in, path, NULL, NULL, 0, &out);
    if (e == OK)
        *stat = out.stat;
    return e;
}

enum err client_mkdir(struct client *c, const char *path, uint32_t mode, struct vfs_stat *stat)
{
    struct call_request in = {.op = CALL_MKDIR, .mode = mode};
    struct call_reply out;
    enum err e = call(c, &in, path, NULL, NULL, 0, &out);
    if (e == OK && stat != NULL)
        *stat = out.stat;
    return e;
}

enum err client_rmdir(struct client *c, const char *path)
{
    struct call_request in = {.op = CALL_RMDIR};
    return plain(c, &in, path, NULL);
}

enum err client_unlink(struct client *c, const char *path)
{
    struct call_request in = {.op = CALL_UNLINK};
    return plain(c, &in, path, NULL);
}

enum err client_rename(struct client *c, const char *from, const char *to)
{
    struct call_request in = {.op = CALL_RENAME};
    return plain(c, &in, from, to);
}

enum err client_link(struct client *c, const char *existing, const char *name)
{
    struct call_request in = {.op = CALL_LINK};
    return plain(c, &in, existing, name);
}

enum err client_symlink(struct client *c, const char *target, const char *name)
{
    struct call_request in = {.op = CALL_SYMLINK};
    return plain(c, &in, target, name);
}

enum err client_readlink(struct client *c, const char *path, char *to, uint64_t room,
                         uint64_t *moved)
{
    struct call_request in = {.op = CALL_READLINK, .length = room};
    struct plat_span data = {.base = to, .bytes = room};
    struct call_reply out;
    enum err e = call(c, &in, path, NULL, &data, PLAT_GRANT_WRITE, &out);
    *moved = e == OK ? believed(out.moved, room) : 0;
    return e;
}

enum err client_readdir(struct client *c, int32_t fd, uint64_t *cookie, void *packed, uint64_t room,
                        uint64_t *moved)
{
    struct call_request in = {.op = CALL_READDIR, .fd = fd, .offset = *cookie, .length = room};
    struct plat_span data = {.base = packed, .bytes = room};
    struct call_reply out;
    *moved = 0;
    enum err e = call(c, &in, NULL, NULL, &data, PLAT_GRANT_WRITE, &out);
    if (e == OK) {
        *moved = believed(out.moved, room);
        *cookie = out.size;
    }
    return e;
}

bool client_entry_next(const uint8_t *packed, uint64_t moved, uint64_t *at,
                       struct client_entry *entry)
{
    if (*at + VFS_DIRENT_BYTES > moved)
        return false;
    struct vfs_dirent d;
    vfs_dirent_decode(&d, packed + *at);
    *at += VFS_DIRENT_BYTES;
    if (d.name_bytes > VFS_NAME_MAX || *at + d.name_bytes > moved)
        return false;
    entry->ino = d.ino;
    entry->type = d.type;
    memcpy(entry->name, packed + *at, d.name_bytes);
    entry->name[d.name_bytes] = '\0';
    *at += d.name_bytes;
    return true;
}

enum err client_chmod(struct client *c, const char *path, uint32_t mode)
{
    struct call_request in = {.op = CALL_CHMOD, .mode = mode};
    return plain(c, &in, path, NULL);
}

enum err client_chown(struct client *c, const char *path, uint32_t uid, uint32_t gid)
{
    struct call_request in = {.op = CALL_CHOWN, .uid = uid, .gid = gid};
    return plain(c, &in, path, NULL);
}

enum err client_fallocate(struct client *c, int32_t fd, uint32_t flags, uint64_t offset,
                          uint64_t length)
{
    struct call_request in = {
        .op = CALL_FALLOCATE, .fd = fd, .flags = flags, .offset = offset, .length = length};
    return plain(c, &in, NULL, NULL);
}

static enum err xattr_out(struct client *c, enum call_op op, const char *path, const char *name,
                          void *to, uint64_t room, uint64_t *size)
{
    struct call_request in = {.op = op, .length = room};
    struct plat_span data = {.base = to, .bytes = room};
    struct call_reply out;
    enum err e = call(c, &in, path, name, room > 0 ? &data : NULL, PLAT_GRANT_WRITE, &out);
    *size = e == OK ? out.size : 0;
    return e;
}

enum err client_getxattr(struct client *c, const char *path, const char *name, void *to,
                         uint64_t room, uint64_t *size)
{
    enum err e = xattr_out(c, CALL_GETXATTR, path, name, to, room, size);
    if (room > 0) /* without room only the size is asked for */
        *size = believed(*size, room);
    return e;
}

enum err client_listxattr(struct client *c, const char *path, char *to, uint64_t room,
                          uint64_t *size)
{
    return xattr_out(c, CALL_LISTXATTR, path, NULL, to, room, size);
}

enum err client_setxattr(struct client *c, const char *path, const char *name, const void *value,
                         uint64_t bytes)
{
    struct call_request in = {.op = CALL_SETXATTR, .length = bytes};
    struct plat_span data = {.base = (void *)(uintptr_t)value, .bytes = bytes};
    struct call_reply out;
    return call(c, &in, path, name, bytes > 0 ? &data : NULL, PLAT_GRANT_READ, &out);
}

enum err client_removexattr(struct client *c, const char *path, const char *name)
{
    struct call_request in = {.op = CALL_REMOVEXATTR};
    return plain(c, &in, path, name);
}

enum err client_statfs(struct client *c, uint64_t *blocks, uint64_t *available)
{
    struct call_request in = {.op = CALL_STATFS};
    struct call_reply out;
    enum err e = call(c, &in, NULL, NULL, NULL, 0, &out);
    if (e == OK) {
        *blocks = out.size;
        *available = out.ino2;
    }
    return e;
}

enum err client_unmount(struct client *c)
{
    struct call_request in = {.op = CALL_UNMOUNT};
    return plain(c, &in, NULL, NULL);
}

enum err client_begin(struct client *c)
{
    struct call_request in = {.op = CALL_BEGIN};
    return plain(c, &in, NULL, NULL);
}

enum err client_commit(struct client *c)
{
    struct call_request in = {.op = CALL_COMMIT};
    return plain(c, &in, NULL, NULL);
}

enum err client_abort(struct client *c)
{
    struct call_request in = {.op = CALL_ABORT};
    return plain(c, &in, NULL, NULL);
}

void client_sleep(uint64_t ns)
{
    struct msg m;
    uint64_t until = plat_now() + ns;
    enum err e = OK;
    while (e != E_TIMEOUT && plat_now() < until)
        e = proto_receive(ENDPOINT_LAB, &m, until);
}
