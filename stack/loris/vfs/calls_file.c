/*
 * Calls on descriptors: open to close, data, fsync.
 */
#include "vfs_state.h"

static enum err walk_caller(struct vfs *v, uint32_t caller, const struct call_request *in,
                            bool follow, struct walked *w)
{
    const struct client *client = client_of(v, caller);
    if (client == NULL)
        return E_MFILE;
    enum err e = walk_fetch(caller, in->path_grant, in->path_bytes, v->path);
    return e != OK ? e : walk(v, client->cwd, v->path, follow, w);
}

static enum err truncate_ino(struct vfs *v, uint64_t ino, uint64_t size)
{
    struct vfs_request request = {.op = VFS_TRUNCATE, .ino = ino, .size = size};
    struct vfs_reply reply;
    return server_call(v, &request, NULL, &reply);
}

static enum err create_at(struct vfs *v, const struct call_request *in, struct walked *w)
{
    if (w->name_bytes == 0 || w->slash)
        return E_ISDIR;
    enum err e = permit_new_name(v, w);
    if (e != OK)
        return e;
    struct vfs_request request = {.op = VFS_CREATE,
                                  .ino = w->parent.ino,
                                  .mode = in->mode & VFS_MODE_BITS,
                                  .uid = v->uid,
                                  .gid = v->gid};
    struct cargo cargo = {.name = w->name, .name_bytes = w->name_bytes};
    struct vfs_reply reply;
    e = server_call(v, &request, &cargo, &reply);
    if (e == OK) {
        w->stat = reply.stat;
        w->found = (struct place){.ino = reply.stat.ino, .shared = w->parent.shared};
    }
    return e;
}

static enum err open_existing(struct vfs *v, const struct call_request *in, struct walked *w)
{
    bool directory = w->stat.type == VFS_DIRECTORY;
    if ((in->flags & CALL_CREATE) != 0 && (in->flags & CALL_EXCLUSIVE) != 0)
        return E_EXIST;
    if (w->stat.type == VFS_LINK_TYPE)
        return E_LOOP;
    if (directory && (in->flags & (CALL_CREATE | CALL_TRUNC)) != 0)
        return E_ISDIR;
    if (!directory && (in->flags & CALL_DIRECTORY) != 0)
        return E_NOTDIR;
    uint32_t want = MAY_READ;
    if (!directory && (in->flags & CALL_READ_ONLY) == 0)
        want |= MAY_WRITE;
    if ((in->flags & CALL_TRUNC) != 0)
        want |= MAY_WRITE;
    enum err e = permit(v, &w->stat, want);
    /* POSIX: a cut marks its times even where there is nothing to cut. */
    return e == OK && (in->flags & CALL_TRUNC) != 0 ? truncate_ino(v, w->stat.ino, 0) : e;
}

/* CREATE | EXCLUSIVE wants a name that nothing has, a symbolic link included. */
static bool open_follows(const struct call_request *in)
{
    return (in->flags & (CALL_CREATE | CALL_EXCLUSIVE)) != (CALL_CREATE | CALL_EXCLUSIVE);
}

enum err do_open(struct vfs *v, uint32_t caller, const struct call_request *in,
                 struct call_reply *out)
{
    struct walked w;
    if (!files_have_room(v))
        return E_MFILE; /* said before anything is made or cut */
    enum err e = walk_caller(v, caller, in, open_follows(in), &w);
    if (e != OK)
        return e;
    if (w.found_error == OK)
        e = open_existing(v, in, &w);
    else
        e = (in->flags & CALL_CREATE) != 0 ? create_at(v, in, &w) : w.found_error;
    if (e != OK)
        return e;
    out->stat = w.stat;
    return file_open(v, caller, w.found.ino, w.stat.type == VFS_DIRECTORY, in->flags, &out->fd);
}

enum err do_close(struct vfs *v, uint32_t caller, const struct call_request *in,
                  struct call_reply *out)
{
    (void)out;
    return file_close(v, caller, in->fd);
}

enum err do_dup(struct vfs *v, uint32_t caller, const struct call_request *in,
                struct call_reply *out)
{
    return file_dup(v, caller, in->fd, &out->fd);
}

/* Reads or writes in pieces of at most VFS_IO_MAX: each piece is one transaction. */
static enum err transfer(struct vfs *v, uint32_t caller, const struct call_request *in,
                         struct vfs_request *request, uint64_t *moved, uint64_t *where)
{
    bool writing = request->op == VFS_WRITE;
    for (*moved = 0; *moved < in->length;) {
        uint64_t left = in->length - *moved;
        request->length = left < VFS_IO_MAX ? left : VFS_IO_MAX;
        struct cargo cargo = {.granter = caller,
                              .grant = in->data_grant,
                              .offset = (size_t)*moved,
                              .bytes = (size_t)request->length,
                              .access = writing ? PLAT_GRANT_READ : PLAT_GRANT_WRITE};
        struct vfs_reply reply = {0};
        enum err e = server_call(v, request, &cargo, &reply);
#ifdef LORIS_PLANTED
        if (PLANTED(PLANTED_READ_SWALLOWS_ERROR) && e == E_IO && !writing) {
            e = OK;
            reply.moved = request->length;
        }
#endif
        if (e != OK)
            return *moved > 0 ? OK : e; /* POSIX: what was moved counts; the next call meets it */
        if (*moved == 0)
            *where = reply.ino2;
        *moved += reply.moved;
        request->offset += reply.moved;
        if (reply.moved < request->length)
            return OK;
    }
    return OK;
}

static enum err move_data(struct vfs *v, uint32_t caller, const struct call_request *in,
                          enum vfs_op op, struct call_reply *out)
{
    struct open_file *file = file_of(v, caller, in->fd);
    if (file == NULL)
        return E_BADF;
    if (file->directory)
        return E_ISDIR;
    if (op == VFS_WRITE && (file->flags & CALL_READ_ONLY) != 0)
        return E_BADF;
    bool at_cursor = in->offset == CALL_AT_CURSOR;
    struct vfs_request request = {
        .op = op, .ino = file->ino, .offset = at_cursor ? file->cursor : in->offset};
    if (op == VFS_WRITE && (file->flags & CALL_APPEND) != 0)
        request.flags = VFS_APPEND;
    enum err e = transfer(v, caller, in, &request, &out->moved, &out->ino2);
    if (e == OK && at_cursor && out->moved > 0)
        file->cursor = request.flags == VFS_APPEND ? out->ino2 + out->moved : request.offset;
    return e;
}

enum err do_read(struct vfs *v, uint32_t caller, const struct call_request *in,
                 struct call_reply *out)
{
    return move_data(v, caller, in, VFS_READ, out);
}

enum err do_write(struct vfs *v, uint32_t caller, const struct call_request *in,
                  struct call_reply *out)
{
    return move_data(v, caller, in, VFS_WRITE, out);
}

enum err do_truncate(struct vfs *v, uint32_t caller, const struct call_request *in,
                     struct call_reply *out)
{
    (void)out;
    if (in->fd >= 0) {
        const struct open_file *file = file_of(v, caller, in->fd);
        if (file == NULL || (file->flags & CALL_READ_ONLY) != 0)
            return E_BADF;
        return file->directory ? E_ISDIR : truncate_ino(v, file->ino, in->size);
    }
    struct walked w;
    enum err e = walk_caller(v, caller, in, true, &w);
    if (e == OK)
        e = w.found_error;
    if (e == OK && w.stat.type == VFS_DIRECTORY)
        e = E_ISDIR;
    if (e == OK)
        e = permit(v, &w.stat, MAY_WRITE);
    return e == OK ? truncate_ino(v, w.found.ino, in->size) : e;
}

/* In pieces of at most VFS_IO_MAX: each piece is one transaction. A hole ends with the file. */
enum err do_fallocate(struct vfs *v, uint32_t caller, const struct call_request *in,
                      struct call_reply *out)
{
    (void)out;
    const struct open_file *file = file_of(v, caller, in->fd);
    if (file == NULL || (file->flags & CALL_READ_ONLY) != 0)
        return E_BADF;
    if (file->directory)
        return E_ISDIR;
    bool punch = (in->flags & CALL_PUNCH) != 0;
    if (in->length == 0 || in->length > UINT64_MAX - in->offset)
        return E_ARG;
    struct vfs_request request = {.op = VFS_FALLOCATE, .ino = file->ino, .offset = in->offset};
    request.flags = (punch ? VFS_PUNCH : 0) | ((in->flags & CALL_ZERO) != 0 ? VFS_ZERO : 0) |
                    ((in->flags & CALL_KEEP_SIZE) != 0 ? VFS_KEEP_SIZE : 0);
    for (uint64_t end = in->offset + in->length; request.offset < end;) {
        uint64_t left = end - request.offset;
        request.length = left < VFS_IO_MAX ? left : VFS_IO_MAX;
        struct vfs_reply reply;
        enum err e = server_call(v, &request, NULL, &reply);
        if (e != OK)
            return e;
        request.offset += request.length;
        if (punch && request.offset >= reply.size)
            return OK;
    }
    return OK;
}

enum err do_fsync(struct vfs *v, uint32_t caller, const struct call_request *in,
                  struct call_reply *out)
{
    (void)out;
    struct open_file *file = file_of(v, caller, in->fd);
    if (file == NULL)
        return E_BADF;
    struct vfs_request request = {.op = VFS_FSYNC, .ino = file->ino};
    struct vfs_reply reply;
    return file_sync_result(v, file, server_call(v, &request, NULL, &reply));
}

enum err do_readdir(struct vfs *v, uint32_t caller, const struct call_request *in,
                    struct call_reply *out)
{
    const struct open_file *file = file_of(v, caller, in->fd);
    if (file == NULL)
        return E_BADF;
    if (!file->directory)
        return E_NOTDIR;
    uint64_t length = in->length < VFS_IO_MAX ? in->length : VFS_IO_MAX;
    struct vfs_request request = {
        .op = VFS_READDIR, .ino = file->ino, .offset = in->offset, .length = length};
    struct cargo cargo = {.granter = caller,
                          .grant = in->data_grant,
                          .bytes = (size_t)length,
                          .access = PLAT_GRANT_WRITE};
    struct vfs_reply reply;
    enum err e = server_call(v, &request, &cargo, &reply);
    if (e == OK) {
        out->moved = reply.moved;
        out->size = reply.size;
    }
    return e;
}

enum err do_lock(struct vfs *v, uint32_t caller, const struct call_request *in,
                 struct call_reply *out)
{
    (void)out;
    struct open_file *file = file_of(v, caller, in->fd);
    return file == NULL ? E_BADF : file_lock(v, caller, file);
}

enum err do_unlock(struct vfs *v, uint32_t caller, const struct call_request *in,
                   struct call_reply *out)
{
    (void)out;
    const struct open_file *file = file_of(v, caller, in->fd);
    if (file == NULL)
        return E_BADF;
    file_unlock(v, caller, file);
    return OK;
}
