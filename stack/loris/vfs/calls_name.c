/*
 * Calls on names: the tree, attributes, and the file system as a whole.
 */
#include "vfs_state.h"

static enum err walk_to(struct vfs *v, uint32_t caller, uint32_t grant, uint32_t bytes,
                        char *buffer, struct walked *w)
{
    const struct client *client = client_of(v, caller);
    if (client == NULL)
        return E_MFILE;
    enum err e = walk_fetch(caller, grant, bytes, buffer);
    return e != OK ? e : walk(v, client->cwd, buffer, false, w);
}

static enum err walk_first(struct vfs *v, uint32_t caller, const struct call_request *in,
                           struct walked *w)
{
    return walk_to(v, caller, in->path_grant, in->path_bytes, v->path, w);
}

/* The walk of a call whose object must exist. */
static enum err walk_existing(struct vfs *v, uint32_t caller, const struct call_request *in,
                              struct walked *w)
{
    enum err e = walk_first(v, caller, in, w);
    return e != OK ? e : w->found_error;
}

/* Whether a name is there to be moved or removed: neither a root nor a mount point. */
static enum err changeable(const struct vfs *v, const struct walked *w)
{
    if (w->last == LAST_ROOT)
        return E_BUSY;
    if (w->last != LAST_NAME)
        return E_ARG;
    return walk_is_shared_point(v, w->parent.ino, w->name, w->name_bytes) ? E_BUSY : OK;
}

/* Whether the name may be made. A slash behind it means a directory. */
static enum err creatable(const struct vfs *v, const struct walked *w, bool directory)
{
    if (w->found_error == OK)
        return E_EXIST;
    if (w->slash && !directory)
        return E_NOENT;
    return permit_new_name(v, w);
}

enum err do_stat(struct vfs *v, uint32_t caller, const struct call_request *in,
                 struct call_reply *out)
{
    if (in->path_bytes > 0) {
        struct walked w;
        enum err e = walk_existing(v, caller, in, &w);
        if (e == OK)
            out->stat = w.stat;
        return e;
    }
    const struct open_file *file = file_of(v, caller, in->fd);
    if (file == NULL)
        return E_BADF;
    struct vfs_request request = {.op = VFS_STAT, .ino = file->ino};
    struct vfs_reply reply;
    enum err e = server_call(v, &request, NULL, &reply);
    if (e == OK)
        out->stat = reply.stat;
    return e;
}

enum err do_mkdir(struct vfs *v, uint32_t caller, const struct call_request *in,
                  struct call_reply *out)
{
    struct walked w;
    enum err e = walk_first(v, caller, in, &w);
    if (e == OK)
        e = creatable(v, &w, true);
    if (e != OK)
        return e;
    struct vfs_request request = {.op = VFS_MKDIR,
                                  .ino = w.parent.ino,
                                  .mode = in->mode & VFS_MODE_BITS,
                                  .uid = v->uid,
                                  .gid = v->gid};
    struct cargo cargo = {.name = w.name, .name_bytes = w.name_bytes};
    struct vfs_reply reply;
    e = server_call(v, &request, &cargo, &reply);
    if (e == OK)
        out->stat = reply.stat;
    return e;
}

static enum err remove_name(struct vfs *v, uint32_t caller, const struct call_request *in,
                            enum vfs_op op)
{
    struct walked w;
    enum err e = walk_existing(v, caller, in, &w);
    if (e == OK && w.stat.type == VFS_DIRECTORY && op == VFS_UNLINK)
        e = E_ISDIR;
    if (e == OK && w.last == LAST_DOT_DOT)
        e = E_NOTEMPTY; /* it holds where the path has just been */
    if (e == OK)
        e = changeable(v, &w);
    if (e == OK)
        e = permit_removal(v, &w);
    if (e != OK)
        return e;
    bool open = file_is_open(v, w.found.ino);
    struct vfs_request request = {
        .op = op, .ino = w.parent.ino, .ino2 = w.found.ino, .flags = open ? VFS_OPEN : 0};
    struct cargo cargo = {.name = w.name, .name_bytes = w.name_bytes};
    struct vfs_reply reply;
    e = server_call(v, &request, &cargo, &reply);
    if (e == OK && open && (op == VFS_RMDIR || w.stat.nlink <= 1))
        file_mark_orphan(v, w.found.ino);
    return e;
}

enum err do_unlink(struct vfs *v, uint32_t caller, const struct call_request *in,
                   struct call_reply *out)
{
    (void)out;
    return remove_name(v, caller, in, VFS_UNLINK);
}

enum err do_rmdir(struct vfs *v, uint32_t caller, const struct call_request *in,
                  struct call_reply *out)
{
    (void)out;
    return remove_name(v, caller, in, VFS_RMDIR);
}

/* Whether what `from` leads to may have the name `to`, as far as the walks can tell. */
static enum err movable(const struct vfs *v, const struct walked *from, const struct walked *to)
{
    bool directory = from->stat.type == VFS_DIRECTORY, replaces = to->found_error == OK;
    enum err e = changeable(v, from);
    if (e == OK)
        e = changeable(v, to);
    if (e == OK && from->parent.shared != to->parent.shared)
        e = E_XDEV;
    if (e == OK && to->slash && !directory)
        e = E_NOTDIR;
    if (e == OK)
        e = permit_removal(v, from);
    if (e == OK)
        e = replaces ? permit_removal(v, to) : permit_new_name(v, to);
    if (e == OK && directory && from->parent.ino != to->parent.ino)
        e = permit(v, &from->stat, MAY_WRITE); /* its ".." changes */
    return e;
}

enum err do_rename(struct vfs *v, uint32_t caller, const struct call_request *in,
                   struct call_reply *out)
{
    (void)out;
    struct walked from, to;
    enum err e = walk_existing(v, caller, in, &from);
    if (e == OK)
        e = walk_to(v, caller, in->path2_grant, in->path2_bytes, v->path2, &to);
    if (e == OK)
        e = movable(v, &from, &to);
    if (e != OK)
        return e;
    bool replaces = to.found_error == OK && to.found.ino != from.found.ino;
    bool open = replaces && file_is_open(v, to.found.ino);
    struct vfs_request request = {.op = VFS_RENAME,
                                  .ino = from.parent.ino,
                                  .ino2 = to.parent.ino,
                                  .flags = open ? VFS_OPEN : 0};
    struct cargo cargo = {.name = from.name,
                          .name_bytes = from.name_bytes,
                          .name2 = to.name,
                          .name2_bytes = to.name_bytes};
    struct vfs_reply reply;
    e = server_call(v, &request, &cargo, &reply);
    if (e == OK && open && (to.stat.type == VFS_DIRECTORY || to.stat.nlink <= 1))
        file_mark_orphan(v, to.found.ino);
    return e;
}

enum err do_link(struct vfs *v, uint32_t caller, const struct call_request *in,
                 struct call_reply *out)
{
    (void)out;
    struct walked from, to;
    enum err e = walk_existing(v, caller, in, &from);
    if (e == OK)
        e = walk_to(v, caller, in->path2_grant, in->path2_bytes, v->path2, &to);
    if (e == OK)
        e = creatable(v, &to, false);
    if (e != OK)
        return e;
    if (from.stat.type == VFS_DIRECTORY)
        return E_PERM;
    if (from.found.shared != to.parent.shared)
        return E_XDEV;
    struct vfs_request request = {.op = VFS_LINK, .ino = to.parent.ino, .ino2 = from.found.ino};
    struct cargo cargo = {.name = to.name, .name_bytes = to.name_bytes};
    struct vfs_reply reply;
    return server_call(v, &request, &cargo, &reply);
}

enum err do_symlink(struct vfs *v, uint32_t caller, const struct call_request *in,
                    struct call_reply *out)
{
    struct walked to;
    enum err e = walk_to(v, caller, in->path2_grant, in->path2_bytes, v->path2, &to);
    if (e == OK)
        e = creatable(v, &to, false);
    if (e == OK)
        e = walk_fetch(caller, in->path_grant, in->path_bytes, v->target);
    if (e != OK)
        return e;
    struct vfs_request request = {.op = VFS_SYMLINK,
                                  .ino = to.parent.ino,
                                  .length = in->path_bytes,
                                  .mode = 0777,
                                  .uid = v->uid,
                                  .gid = v->gid};
    struct cargo cargo = {.name = to.name,
                          .name_bytes = to.name_bytes,
                          .data = v->target,
                          .bytes = in->path_bytes,
                          .access = PLAT_GRANT_READ};
    struct vfs_reply reply;
    e = server_call(v, &request, &cargo, &reply);
    if (e == OK)
        out->stat = reply.stat;
    return e;
}

enum err do_readlink(struct vfs *v, uint32_t caller, const struct call_request *in,
                     struct call_reply *out)
{
    struct walked w;
    enum err e = walk_existing(v, caller, in, &w);
    if (e != OK)
        return e;
    if (w.stat.type != VFS_LINK_TYPE)
        return E_ARG;
    uint64_t length = in->length < VFS_PATH_MAX ? in->length : VFS_PATH_MAX;
    struct vfs_request request = {.op = VFS_READLINK, .ino = w.found.ino, .length = length};
    struct cargo cargo = {.granter = caller,
                          .grant = in->data_grant,
                          .bytes = (size_t)length,
                          .access = PLAT_GRANT_WRITE};
    struct vfs_reply reply;
    e = server_call(v, &request, &cargo, &reply);
    out->moved = e == OK ? reply.moved : 0;
    return e;
}

#define SET_IDS 06000u /* set-user-ID and set-group-ID */
#define SET_GID 02000u

/* Fills in what a call wants of an inode's attributes, if the caller may want it. */
static enum err attributes_wanted(const struct vfs *v, const struct call_request *in,
                                  const struct vfs_stat *stat, struct vfs_request *request)
{
    request->mode = in->mode & VFS_MODE_BITS;
    request->mtime_ns = in->mtime_ns;
    if (in->op == CALL_CHMOD) {
        request->which = VFS_SET_MODE;
        if (v->uid != 0 && v->gid != stat->gid)
            request->mode &= ~SET_GID;
        return permit_owner(v, stat);
    }
    if (in->op == CALL_UTIMENS) {
        request->which = VFS_SET_MTIME;
        return permit_owner(v, stat);
    }
    request->which = VFS_SET_OWNER;
    request->uid = in->uid == CALL_KEEP_ID ? stat->uid : in->uid;
    request->gid = in->gid == CALL_KEEP_ID ? stat->gid : in->gid;
    if (v->uid != 0 && stat->type == VFS_FILE && (stat->mode & SET_IDS) != 0) {
        request->which |= VFS_SET_MODE; /* POSIX: not for another owner */
        request->mode = stat->mode & ~SET_IDS;
    }
    return permit_chown(v, stat, request->uid, request->gid);
}

enum err do_setattr(struct vfs *v, uint32_t caller, const struct call_request *in,
                    struct call_reply *out)
{
    const struct client *client = client_of(v, caller);
    struct walked w;
    if (client == NULL)
        return E_MFILE;
    enum err e = walk_fetch(caller, in->path_grant, in->path_bytes, v->path);
    if (e == OK)
        e = walk(v, client->cwd, v->path, true, &w); /* POSIX: of what a link leads to */
    if (e == OK)
        e = w.found_error;
    if (e != OK)
        return e;
    struct vfs_request request = {.op = VFS_SETATTR, .ino = w.found.ino};
    struct vfs_reply reply;
    e = attributes_wanted(v, in, &w.stat, &request);
    if (e == OK)
        e = server_call(v, &request, NULL, &reply);
    if (e == OK)
        out->stat = reply.stat;
    return e;
}

enum err do_chdir(struct vfs *v, uint32_t caller, const struct call_request *in,
                  struct call_reply *out)
{
    (void)out;
    struct client *client = client_of(v, caller);
    if (client == NULL)
        return E_MFILE;
    struct walked w;
    enum err e = walk_fetch(caller, in->path_grant, in->path_bytes, v->path);
    if (e == OK)
        e = walk(v, client->cwd, v->path, true, &w);
    if (e == OK)
        e = w.found_error;
    if (e != OK)
        return e;
    if (w.stat.type != VFS_DIRECTORY)
        return E_NOTDIR;
    e = permit(v, &w.stat, MAY_SEARCH);
    if (e == OK)
        client->cwd = w.found;
    return e;
}

static enum err whole(struct vfs *v, enum vfs_op op, struct vfs_reply *reply)
{
    struct vfs_request request = {.op = op};
    return server_call(v, &request, NULL, reply);
}

enum err do_sync(struct vfs *v, uint32_t caller, const struct call_request *in,
                 struct call_reply *out)
{
    (void)caller, (void)in, (void)out;
    struct vfs_reply reply;
    return whole(v, VFS_SYNC, &reply);
}

enum err do_unmount(struct vfs *v, uint32_t caller, const struct call_request *in,
                    struct call_reply *out)
{
    (void)caller, (void)in, (void)out;
    struct vfs_reply reply;
    return v->uid == 0 ? whole(v, VFS_UNMOUNT, &reply) : E_PERM;
}

enum err do_statfs(struct vfs *v, uint32_t caller, const struct call_request *in,
                   struct call_reply *out)
{
    (void)caller, (void)in;
    struct vfs_reply reply;
    enum err e = whole(v, VFS_STATFS, &reply);
    if (e == OK) {
        out->size = reply.size;
        out->ino2 = reply.ino2;
    }
    return e;
}
