/*
 * Calls on extended attributes, of what a path leads to. To read one is to read the file, to change
 * one is to write it; their names are no secret.
 */
#include "vfs_state.h"

/* What all four have in common. `want`: the permission needed. *reply: the server's. */
static enum err xattr_call(struct vfs *v, uint32_t caller, const struct call_request *in,
                           struct vfs_request *request, uint32_t want, struct vfs_reply *reply)
{
    const struct client *client = client_of(v, caller);
    struct walked w;
    if (client == NULL)
        return E_MFILE;
    enum err e = walk_fetch(caller, in->path_grant, in->path_bytes, v->path);
    if (e == OK)
        e = walk(v, client->cwd, v->path, true, &w);
    if (e == OK)
        e = w.found_error;
    if (e == OK)
        e = permit(v, &w.stat, want);
    struct cargo cargo = {.granter = caller,
                          .grant = in->data_grant,
                          .bytes = (size_t)request->length,
                          .access =
                              request->op == VFS_SETXATTR ? PLAT_GRANT_READ : PLAT_GRANT_WRITE};
    if (request->length == 0)
        cargo.grant = GRANT_NONE;
    if (e == OK && request->op != VFS_LISTXATTR) {
        e = walk_fetch(caller, in->path2_grant, in->path2_bytes, v->path2);
        if (e == E_NOENT)
            e = E_ARG; /* an empty name */
        if (e == OK && in->path2_bytes > VFS_NAME_MAX)
            e = E_NAMETOOLONG;
        cargo.name = v->path2;
        cargo.name_bytes = in->path2_bytes;
    }
    if (e != OK)
        return e;
    request->ino = w.found.ino;
    if (w.last == LAST_NAME) {
        request->ino2 = w.parent.ino;
        cargo.name2 = w.name;
        cargo.name2_bytes = w.name_bytes;
    }
    return server_call(v, request, &cargo, reply);
}

static uint64_t room_of(const struct call_request *in)
{
    return in->length < VFS_IO_MAX ? in->length : VFS_IO_MAX;
}

static enum err read_out(struct vfs *v, uint32_t caller, const struct call_request *in,
                         enum vfs_op op, struct call_reply *out)
{
    struct vfs_request request = {.op = op, .length = room_of(in)};
    struct vfs_reply reply = {0};
    uint32_t want = op == VFS_GETXATTR ? MAY_READ : 0;
    enum err e = xattr_call(v, caller, in, &request, want, &reply);
    if (e == OK) {
        out->moved = reply.moved;
        out->size = reply.size;
    }
    return e;
}

enum err do_getxattr(struct vfs *v, uint32_t caller, const struct call_request *in,
                     struct call_reply *out)
{
    return read_out(v, caller, in, VFS_GETXATTR, out);
}

enum err do_listxattr(struct vfs *v, uint32_t caller, const struct call_request *in,
                      struct call_reply *out)
{
    return read_out(v, caller, in, VFS_LISTXATTR, out);
}

enum err do_setxattr(struct vfs *v, uint32_t caller, const struct call_request *in,
                     struct call_reply *out)
{
    (void)out;
    struct vfs_request request = {.op = VFS_SETXATTR,
                                  .flags = (in->flags & CALL_EXCLUSIVE) != 0 ? VFS_NEW : 0,
                                  .length = room_of(in)};
    struct vfs_reply reply;
    return xattr_call(v, caller, in, &request, MAY_WRITE, &reply);
}

enum err do_removexattr(struct vfs *v, uint32_t caller, const struct call_request *in,
                        struct call_reply *out)
{
    (void)out;
    struct vfs_request request = {.op = VFS_REMOVEXATTR};
    struct vfs_reply reply;
    return xattr_call(v, caller, in, &request, MAY_WRITE, &reply);
}
