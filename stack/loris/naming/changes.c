/*
 * Requests that change the tree or an inode. Each runs inside one transaction that main.c opens and
 * closes: an error return aborts it, so nothing is undone here.
 */
#include "naming.h"

static enum err load_directory(struct naming *n, uint64_t oid, struct node *dir)
{
    enum err e = dirtree_open(n, oid, true, dir);
    if (e != OK)
        return e;
    return dir->a.nlink > 0 ? OK : E_NOENT; /* a removed directory gets no names */
}

static enum err touch_directory(struct naming *n, struct node *dir)
{
    dir->a.mtime_ns = dir->a.ctime_ns = n->now_ns;
    return objects_store(n, dir);
}

/* The same along with the change of a name in it, which comes next. */
static void touch_with_names(struct naming *n, struct node *dir)
{
    dir->a.mtime_ns = dir->a.ctime_ns = n->now_ns;
    objects_keep(n, dir);
}

/* A new inode of this type under the request's first name. */
static enum err make(struct naming *n, const struct vfs_request *in, uint32_t type,
                     struct node *node)
{
    struct node dir;
    enum err e = load_directory(n, in->ino, &dir);
    if (e == OK && type == VFS_DIRECTORY && dir.a.nlink >= VFS_LINK_MAX)
        e = E_MLINK;
    if (e != OK)
        return e;
    struct attributes a = {.type = type,
                           .mode = in->mode,
                           .nlink = type == VFS_DIRECTORY ? 2 : 1,
                           .uid = in->uid,
                           .gid = in->gid,
                           .mtime_ns = n->now_ns,
                           .ctime_ns = n->now_ns,
                           .parent = type == VFS_DIRECTORY ? dir.oid : 0};
    uint32_t matched;
    a.level = policy_level(n, &dir, n->name, n->name_bytes, &matched);
    a.matched = type == VFS_DIRECTORY ? matched : 0;
    e = objects_create(n, OID_NONE, &a, node);
    if (e != OK)
        return e;
    if (type == VFS_DIRECTORY)
        dir.a.nlink++;
    touch_with_names(n, &dir);
    e = directory_insert(n, &dir, n->name, n->name_bytes, node->oid, type);
    return e == OK ? objects_store_kept(n) : e;
}

/* CREATE and MKDIR. */
enum err change_make(struct naming *n, const struct vfs_request *in, struct vfs_reply *out)
{
    struct node node;
    enum err e = make(n, in, in->op == VFS_MKDIR ? VFS_DIRECTORY : VFS_FILE, &node);
    if (e == OK)
        stat_fill(&node, &out->stat);
    return e;
}

enum err change_symlink(struct naming *n, const struct vfs_request *in, struct vfs_reply *out)
{
    struct node node;
    if (in->length == 0 || in->length > VFS_PATH_MAX)
        return E_NAMETOOLONG;
    enum err e = make(n, in, VFS_LINK_TYPE, &node);
    if (e == OK)
        e = plat_copy_in(n->vfs, in->data_grant, 0, n->text, (size_t)in->length);
    if (e == OK)
        e = objects_write(n, node.oid, 0, n->text, (size_t)in->length);
    node.size = in->length;
    if (e == OK)
        stat_fill(&node, &out->stat);
    return e;
}

/* One name fewer; without any, the inode goes, or becomes an orphan if it is open. */
static enum err drop_link(struct naming *n, struct node *node, bool open)
{
    bool gone = node->a.type == VFS_DIRECTORY || node->a.nlink <= 1;
    if (gone && !open)
        return objects_delete(n, node);
    node->a.nlink = gone ? 0 : node->a.nlink - 1;
    node->a.ctime_ns = n->now_ns;
    enum err e = objects_store(n, node);
    return e == OK && gone ? orphans_add(n, node->oid, node->a.type) : e;
}

static enum err load_target(struct naming *n, const struct node *dir, const char *name,
                            uint32_t bytes, struct entry *entry, struct node *node)
{
    enum err e = directory_find(n, dir, name, bytes, entry);
    if (e != OK)
        return e;
    e = objects_load(n, entry->ino, true, node);
    return e == E_NOENT ? E_LOST : e; /* the directory is locked: its creation was lost */
}

enum err change_unlink(struct naming *n, const struct vfs_request *in, struct vfs_reply *out)
{
    (void)out;
    struct node dir, node;
    struct entry entry;
    enum err e = load_directory(n, in->ino, &dir);
    if (e == OK)
        e = load_target(n, &dir, n->name, n->name_bytes, &entry, &node);
    if (e == OK && node.a.type == VFS_DIRECTORY)
        e = E_ISDIR;
    if (e != OK)
        return e;
    touch_with_names(n, &dir);
    e = directory_remove(n, &dir, &entry);
    if (e == OK)
        e = objects_store_kept(n);
    return e == OK ? drop_link(n, &node, (in->flags & VFS_OPEN) != 0) : e;
}

static enum err must_be_empty(struct naming *n, const struct node *dir)
{
    bool empty = false;
    enum err e = directory_is_empty(n, dir, &empty);
    if (e != OK)
        return e;
    return empty ? OK : E_NOTEMPTY;
}

enum err change_rmdir(struct naming *n, const struct vfs_request *in, struct vfs_reply *out)
{
    (void)out;
    struct node dir, node;
    struct entry entry;
    enum err e = load_directory(n, in->ino, &dir);
    if (e == OK)
        e = load_target(n, &dir, n->name, n->name_bytes, &entry, &node);
    if (e == OK && node.a.type != VFS_DIRECTORY)
        e = E_NOTDIR;
    if (e == OK)
        e = must_be_empty(n, &node);
    if (e == OK)
        e = directory_remove(n, &dir, &entry);
    if (e == OK)
        e = drop_link(n, &node, (in->flags & VFS_OPEN) != 0);
    if (e == OK && dir.a.nlink <= 2)
        e = E_CORRUPT; /* a subdirectory was there that its parent does not count */
    dir.a.nlink--;
    return e == OK ? touch_directory(n, &dir) : e;
}

enum err change_link(struct naming *n, const struct vfs_request *in, struct vfs_reply *out)
{
    struct node dir, node;
    enum err e = load_directory(n, in->ino, &dir);
    if (e == OK)
        e = objects_load(n, in->ino2, true, &node);
    if (e == OK && node.a.type == VFS_DIRECTORY)
        e = E_PERM;
    if (e == OK && node.a.nlink == 0)
        e = E_NOENT; /* an orphan does not get a name again */
    if (e == OK && node.a.nlink >= VFS_LINK_MAX)
        e = E_MLINK;
    if (e == OK)
        e = directory_insert(n, &dir, n->name, n->name_bytes, node.oid, node.a.type);
    if (e != OK)
        return e;
    node.a.nlink++;
    node.a.ctime_ns = n->now_ns;
    stat_fill(&node, &out->stat);
    e = objects_store(n, &node);
    return e == OK ? touch_directory(n, &dir) : e;
}

/* Directory `oid` must not lie at or above `at`, else a move would cut a loop off the tree. */
static enum err must_not_contain(struct naming *n, uint64_t oid, uint64_t at)
{
    for (uint32_t depth = 0; depth < DEPTH_MAX; depth++) {
        if (at == oid)
            return E_ARG;
        struct node node;
        enum err e = objects_load(n, at, false, &node);
        if (e != OK)
            return e;
        if (node.a.parent == at || node.a.parent == 0)
            return OK;
        at = node.a.parent;
    }
    return E_LOOP;
}

struct move {
    struct node from_dir, to_dir; /* to_dir is unused if both are the same */
    bool same_dir;
    struct entry from, to;
    struct node moved, replaced;
    bool replaces;
};

static struct node *move_target(struct move *m)
{
    return m->same_dir ? &m->from_dir : &m->to_dir;
}

static enum err move_load(struct naming *n, const struct vfs_request *in, struct move *m)
{
    *m = (struct move){.same_dir = in->ino == in->ino2};
    enum err e = load_directory(n, in->ino, &m->from_dir);
    if (e == OK && !m->same_dir)
        e = load_directory(n, in->ino2, &m->to_dir);
    if (e == OK)
        e = load_target(n, &m->from_dir, n->name, n->name_bytes, &m->from, &m->moved);
    if (e != OK)
        return e;
    e = load_target(n, move_target(m), n->name2, n->name2_bytes, &m->to, &m->replaced);
    m->replaces = e == OK;
    return e == E_NOENT ? OK : e;
}

static enum err move_allowed(struct naming *n, const struct move *m)
{
    bool directory = m->moved.a.type == VFS_DIRECTORY;
    if (m->replaces) {
        if (directory && m->replaced.a.type != VFS_DIRECTORY)
            return E_NOTDIR;
        if (!directory && m->replaced.a.type == VFS_DIRECTORY)
            return E_ISDIR;
        if (directory) {
            enum err e = must_be_empty(n, &m->replaced);
            if (e != OK)
                return e;
        }
    }
    if (!directory || m->same_dir)
        return OK;
    if (!m->replaces && m->to_dir.a.nlink >= VFS_LINK_MAX)
        return E_MLINK;
    return must_not_contain(n, m->moved.oid, m->to_dir.oid);
}

/* In one transaction the order is free: the old name goes first, which may make room for the new.
 */
static enum err move_names(struct naming *n, struct move *m)
{
    struct node *to_dir = move_target(m);
    enum err e = directory_remove(n, &m->from_dir, &m->from);
    if (e != OK || PLANTED(PLANTED_RENAME_DROPS_TARGET))
        return e;
    if (!m->replaces)
        return directory_insert(n, to_dir, n->name2, n->name2_bytes, m->moved.oid, m->moved.a.type);
    return directory_replace(n, to_dir, &m->to, m->moved.oid, m->moved.a.type);
}

static void move_counts(struct move *m)
{
    if (m->moved.a.type != VFS_DIRECTORY)
        return;
    struct node *to_dir = move_target(m);
    m->moved.a.parent = to_dir->oid;
    m->from_dir.a.nlink--;
    if (!m->replaces)
        to_dir->a.nlink++;
}

enum err change_rename(struct naming *n, const struct vfs_request *in, struct vfs_reply *out)
{
    (void)out;
    struct move m;
    enum err e = move_load(n, in, &m);
    if (e != OK)
        return e;
    if (m.replaces && m.replaced.oid == m.moved.oid)
        return OK; /* POSIX: two names of one file: nothing happens */
    e = move_allowed(n, &m);
    if (e == OK)
        e = move_names(n, &m);
    if (e == OK && m.replaces)
        e = drop_link(n, &m.replaced, (in->flags & VFS_OPEN) != 0);
    if (e != OK)
        return e;
    move_counts(&m);
    m.moved.a.ctime_ns = n->now_ns;
    e = objects_store(n, &m.moved);
    if (e == OK)
        e = touch_directory(n, &m.from_dir);
    if (e == OK && !m.same_dir)
        e = touch_directory(n, &m.to_dir);
    return e;
}

enum err change_setattr(struct naming *n, const struct vfs_request *in, struct vfs_reply *out)
{
    struct node node;
    enum err e = objects_load(n, in->ino, true, &node);
    if (e != OK)
        return e;
    if ((in->which & VFS_SET_MODE) != 0)
        node.a.mode = in->mode;
    if ((in->which & VFS_SET_OWNER) != 0) {
        node.a.uid = in->uid;
        node.a.gid = in->gid;
    }
    if ((in->which & VFS_SET_MTIME) != 0)
        node.a.mtime_ns = in->mtime_ns;
    node.a.ctime_ns = n->now_ns;
    stat_fill(&node, &out->stat);
    return objects_store(n, &node);
}

enum err load_file(struct naming *n, uint64_t oid, struct node *node)
{
    enum err e = objects_load(n, oid, true, node);
    if (e != OK)
        return e;
    return node->a.type == VFS_FILE ? OK : E_ISDIR;
}

enum err change_write(struct naming *n, const struct vfs_request *in, struct vfs_reply *out)
{
    struct node node;
    enum err e = load_file(n, in->ino, &node);
    if (e != OK || in->length == 0)
        return e;
    uint64_t offset = (in->flags & VFS_APPEND) != 0 ? node.size : in->offset;
    if (offset > OBJECT_SIZE_MAX || in->length > OBJECT_SIZE_MAX - offset)
        return E_FBIG;
    node.a.mtime_ns = node.a.ctime_ns = n->now_ns;
    objects_keep(n, &node);
    uint32_t grant = plat_grant_forward(n->cache, n->vfs, in->data_grant, 0, (size_t)in->length,
                                        PLAT_GRANT_READ);
    e = objects_write_granted(n, node.oid, offset, in->length, grant);
    plat_revoke(grant);
    out->moved = in->length;
    out->ino2 = offset;
    return e;
}

enum err change_truncate(struct naming *n, const struct vfs_request *in, struct vfs_reply *out)
{
    (void)out;
    struct node node;
    if (in->size > OBJECT_SIZE_MAX)
        return E_FBIG;
    enum err e = load_file(n, in->ino, &node);
    if (e != OK)
        return e;
    e = objects_truncate(n, node.oid, in->size);
    node.a.mtime_ns = node.a.ctime_ns = n->now_ns;
    return e == OK ? objects_store(n, &node) : e;
}

enum err change_release(struct naming *n, const struct vfs_request *in, struct vfs_reply *out)
{
    (void)out;
    return orphans_drop(n, in->ino);
}
