/*
 * Requests that change nothing: each is one read of the cache, or a few whose mixture is harmless.
 */
#include "naming.h"

void stat_fill(const struct node *node, struct vfs_stat *stat)
{
    *stat = (struct vfs_stat){.ino = node->oid,
                              .size = node->size,
                              .blocks = node->blocks,
                              .mtime_ns = node->a.mtime_ns,
                              .ctime_ns = node->a.ctime_ns,
                              .type = node->a.type,
                              .mode = node->a.mode,
                              .nlink = node->a.nlink,
                              .uid = node->a.uid,
                              .gid = node->a.gid,
                              .generation = node->a.generation};
}

/* A name whose inode is gone: it went meanwhile, or its creation was lost in a recovery. */
static enum err gone(struct naming *n, const struct node *dir, const char *name, uint32_t bytes,
                     const struct entry *entry)
{
    struct entry again;
    dirtree_forget(&n->tree);
    enum err e = directory_find(n, dir, name, bytes, &again);
    return e == OK ? again.ino == entry->ino ? E_LOST : E_NOENT : e;
}

static enum err lookup(struct naming *n, uint64_t directory, struct vfs_reply *out)
{
    struct node dir, found;
    struct entry entry = {0};
    enum err e = dirtree_open(n, directory, false, &dir);
    if (e != OK)
        return e;
    if (n->name_bytes == 2 && n->name[0] == '.' && n->name[1] == '.')
        entry.ino = dir.a.parent;
    else
        e = directory_find(n, &dir, n->name, n->name_bytes, &entry);
    if (e != OK)
        return e;
    e = objects_load(n, entry.ino, false, &found);
    if (e == E_NOENT)
        e = gone(n, &dir, n->name, n->name_bytes, &entry);
    if (e == OK)
        stat_fill(&found, &out->stat);
    return e;
}

/* Cuts the next name off the path, which *at is moved behind. OK; E_NAMETOOLONG; E_INVAL: none. */
static enum err next_name(const struct naming *n, uint32_t *at, const char **name, uint32_t *bytes)
{
    const char *path = (const char *)n->text;
    uint32_t end = *at;
    while (end < n->name_bytes && path[end] == '/')
        end++;
    *name = path + end;
    while (end < n->name_bytes && path[end] != '/')
        end++;
    *bytes = (uint32_t)(path + end - *name);
    *at = end;
    if (*bytes == 0)
        return E_INVAL;
    return *bytes > VFS_NAME_MAX ? E_NAMETOOLONG : OK;
}

/* The same along a path: what is a directory, by its name, and not the last is opened at once. */
static enum err lookup_path(struct naming *n, uint64_t directory, struct vfs_reply *out)
{
    struct node dir, below, found;
    struct entry entry;
    const char *name;
    uint32_t at = 0, bytes;
    enum err e = dirtree_open(n, directory, false, &dir);
    out->moved = 0;
    while (e == OK) {
        e = next_name(n, &at, &name, &bytes);
        if (e != OK)
            return e;
        out->ino2 = dir.oid;
        out->moved = at;
        e = directory_find(n, &dir, name, bytes, &entry);
        if (e != OK || at == n->name_bytes || entry.type != VFS_DIRECTORY)
            break;
        dirtree_forget(&n->tree);
        e = dirtree_open(n, entry.ino, false, &below);
        if (e == E_NOENT)
            e = gone(n, &dir, name, bytes, &entry);
        if (e == OK)
            dir = below;
    }
    if (e != OK)
        return e;
    e = objects_load(n, entry.ino, false, &found);
    if (e == E_NOENT)
        e = gone(n, &dir, name, bytes, &entry);
    if (e == OK)
        stat_fill(&found, &out->stat);
    return e;
}

/*
 * A query of a directory of several blocks has no lock, so another environment's change may come
 * between two of its reads. Then the blocks do not fit together, which looks like damage: what is
 * damage stays so when asked again.
 */
static bool torn(struct naming *n, enum err e, uint32_t *times)
{
    dirtree_forget(&n->tree);
    return e == E_CORRUPT && ++*times < TORN_MAX;
}

enum err query_lookup(struct naming *n, const struct vfs_request *in, struct vfs_reply *out)
{
    enum err e;
    uint32_t times = 0;
    do
        e = (in->flags & VFS_PATH) != 0 ? lookup_path(n, in->ino, out) : lookup(n, in->ino, out);
    while (torn(n, e, &times));
    return e;
}

enum err query_stat(struct naming *n, const struct vfs_request *in, struct vfs_reply *out)
{
    struct node node;
    enum err e = objects_load(n, in->ino, false, &node);
    if (e == OK)
        stat_fill(&node, &out->stat);
    return e;
}

/* Lets the cache move data straight between its pages and the memory behind VFS's grant. */
static enum err forward_read(struct naming *n, const struct vfs_request *in, uint32_t vfs,
                             struct vfs_reply *out)
{
    uint32_t grant =
        plat_grant_forward(n->cache, vfs, in->data_grant, 0, (size_t)in->length, PLAT_GRANT_WRITE);
    struct object_request request = {.op = OBJECT_READ,
                                     .oid = in->ino,
                                     .offset = in->offset,
                                     .length = in->length,
                                     .grant_data = grant};
    struct object_reply reply;
    enum err e = objects_call(n, &request, &reply);
    plat_revoke(grant);
    if (e == OK)
        out->moved = reply.moved;
    return e;
}

enum err query_read(struct naming *n, const struct vfs_request *in, struct vfs_reply *out)
{
    if (in->length == 0)
        return OK;
    return forward_read(n, in, n->vfs, out);
}

enum err query_readlink(struct naming *n, const struct vfs_request *in, struct vfs_reply *out)
{
    struct vfs_request whole = *in;
    whole.offset = 0;
    return query_read(n, &whole, out);
}

static enum err list(struct naming *n, const struct vfs_request *in, uint64_t *at, size_t *used)
{
    struct node dir;
    enum err e = dirtree_open(n, in->ino, false, &dir);
    if (e != OK)
        return e;
    size_t room = in->length < sizeof(n->listing) ? (size_t)in->length : sizeof(n->listing);
    *at = in->offset;
    return directory_list(n, &dir, at, n->listing, room, used);
}

enum err query_readdir(struct naming *n, const struct vfs_request *in, struct vfs_reply *out)
{
    enum err e;
    uint64_t at;
    size_t used = 0;
    uint32_t times = 0;
    do
        e = list(n, in, &at, &used);
    while (torn(n, e, &times));
    if (e == OK && used > 0)
        e = plat_copy_out(n->vfs, in->data_grant, 0, n->listing, used);
    if (e == OK) {
        out->moved = used;
        out->size = at;
    }
    return e;
}

enum err query_statfs(struct naming *n, const struct vfs_request *in, struct vfs_reply *out)
{
    (void)in;
    struct object_request request = {.op = OBJECT_STATFS};
    struct object_reply reply;
    enum err e = objects_call(n, &request, &reply);
    if (e == OK) {
        out->size = reply.size;
        out->ino2 = reply.blocks;
    }
    return e;
}

static enum err sync_object(struct naming *n, enum object_op op, uint64_t oid)
{
    struct object_request request = {.op = op, .oid = oid};
    struct object_reply reply;
    return objects_call(n, &request, &reply);
}

enum err sync_one(struct naming *n, const struct vfs_request *in, struct vfs_reply *out)
{
    (void)out;
    return sync_object(n, OBJECT_SYNC, in->ino);
}

enum err sync_whole(struct naming *n, const struct vfs_request *in, struct vfs_reply *out)
{
    (void)in, (void)out;
    return sync_object(n, OBJECT_SYNC, OID_NONE);
}

enum err unmount(struct naming *n, const struct vfs_request *in, struct vfs_reply *out)
{
    (void)in, (void)out;
    return sync_object(n, OBJECT_SHUTDOWN, OID_NONE);
}
