/*
 * Requests on names and attributes. Each changes memory alone; what it changes goes to disk when
 * the daemon, a sync or lack of room sends it, in any order.
 */
#include "assertion.h"
#include "mem.h"
#include "none.h"
#include "planted.h"

#define DEPTH_MAX 4096u /* of directories, on the way up from one that is moved */
#define PLANTED_UNLINK_EVERY 4u

static bool is_dots(const uint8_t *name, uint32_t bytes)
{
    return name[0] == '.' && (bytes == 1 || (bytes == 2 && name[1] == '.'));
}

static enum err get_dir(struct none *n, uint64_t ino, struct inode **out)
{
    enum err e = inode_get(n, ino, out);
    if (e != OK)
        return e;
    return (*out)->d.type == VFS_DIRECTORY ? OK : E_NOTDIR;
}

static enum err touch(struct none *n, struct inode *i)
{
    i->d.mtime_ns = i->d.ctime_ns = n->now_ns;
    return inode_dirty(n, i);
}

static enum err changed(struct none *n, struct inode *i)
{
    i->d.ctime_ns = n->now_ns;
    return inode_dirty(n, i);
}

enum err names_lookup(struct none *n, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *dir, *i;
    struct found found = {0};
    enum err e = get_dir(n, in->ino, &dir);
    if (e != OK)
        return e;
    if (!is_dots(n->name, n->name_bytes))
        e = dir_find(n, dir, n->name, n->name_bytes, &found);
    else if (n->name_bytes == 2)
        e = dir_parent(n, dir, &found.ino);
    else
        found.ino = dir->ino;
    if (e != OK)
        return e;
    e = inode_get(n, found.ino, &i);
    if (e == E_NOENT)
        return E_CORRUPT; /* a name that leads nowhere is damage, not absence */
    if (e == OK)
        inode_stat(i, &out->stat);
    return e;
}

enum err names_stat(struct none *n, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *i;
    enum err e = inode_get(n, in->ino, &i);
    if (e == OK)
        inode_stat(i, &out->stat);
    return e;
}

/* ---- New names ---- */

static enum err must_be_absent(struct none *n, struct inode *dir, const uint8_t *name,
                               uint32_t bytes)
{
    struct found found;
    if (is_dots(name, bytes))
        return E_EXIST;
    enum err e = dir_find(n, dir, name, bytes, &found);
    if (e == OK)
        return E_EXIST;
    return e == E_NOENT ? OK : e;
}

/* Gives a fresh inode its first name. Undone whole if there is no room. */
static enum err name_it(struct none *n, struct inode *dir, struct inode *i)
{
    enum err e = dir_add(n, dir, n->name, n->name_bytes, i->ino, i->d.type);
    if (e != OK) {
        (void)!inode_delete(n, i);
        return e;
    }
    i->d.nlink = i->d.type == VFS_DIRECTORY ? 2 : 1;
    if (i->d.type == VFS_DIRECTORY)
        dir->d.nlink++;
    e = touch(n, dir);
    return e == OK ? inode_dirty(n, i) : e;
}

static enum err make(struct none *n, const struct vfs_request *in, uint32_t type,
                     struct inode **out)
{
    struct inode *dir;
    enum err e = get_dir(n, in->ino, &dir);
    if (e == OK)
        e = must_be_absent(n, dir, n->name, n->name_bytes);
    if (e == OK && type == VFS_DIRECTORY && dir->d.nlink >= VFS_LINK_MAX)
        e = E_MLINK;
    if (e == OK)
        e = inode_new(n, dir->ino, type, out);
    if (e != OK)
        return e;
    (*out)->d.mode = in->mode & 07777u;
    (*out)->d.uid = in->uid;
    (*out)->d.gid = in->gid;
    if (type == VFS_DIRECTORY)
        e = dir_make(n, *out, dir->ino);
    else if (type == VFS_LINK_TYPE)
        e = file_set_target(n, *out, (uint32_t)in->length);
    if (e != OK) {
        (void)!inode_delete(n, *out);
        return e;
    }
    return name_it(n, dir, *out);
}

static enum err make_and_stat(struct none *n, const struct vfs_request *in, uint32_t type,
                              struct vfs_reply *out)
{
    struct inode *i;
    enum err e = make(n, in, type, &i);
    if (e == OK)
        inode_stat(i, &out->stat);
    return e;
}

enum err names_create(struct none *n, const struct vfs_request *in, struct vfs_reply *out)
{
    return make_and_stat(n, in, VFS_FILE, out);
}

enum err names_mkdir(struct none *n, const struct vfs_request *in, struct vfs_reply *out)
{
    return make_and_stat(n, in, VFS_DIRECTORY, out);
}

enum err names_symlink(struct none *n, const struct vfs_request *in, struct vfs_reply *out)
{
    if (in->length == 0 || in->length > VFS_PATH_MAX)
        return E_NAMETOOLONG;
    if (plat_copy_in(n->vfs, in->data_grant, 0, n->listing, (size_t)in->length) != OK)
        return E_INVAL;
    return make_and_stat(n, in, VFS_LINK_TYPE, out);
}

enum err names_link(struct none *n, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *dir, *i;
    enum err e = get_dir(n, in->ino, &dir);
    if (e == OK)
        e = inode_get(n, in->ino2, &i);
    if (e == OK && i->d.type == VFS_DIRECTORY)
        e = E_PERM;
    if (e == OK && (i->orphan || i->d.nlink == 0))
        e = E_NOENT;
    if (e == OK && i->d.nlink >= VFS_LINK_MAX)
        e = E_MLINK;
    if (e == OK)
        e = must_be_absent(n, dir, n->name, n->name_bytes);
    if (e == OK)
        e = dir_add(n, dir, n->name, n->name_bytes, i->ino, i->d.type);
    if (e != OK)
        return e;
    i->d.nlink++;
    inode_stat(i, &out->stat);
    e = changed(n, i);
    return e == OK ? touch(n, dir) : e;
}

/* ---- Names that go ---- */

/* One name fewer. Without any the inode goes; if it is open it stays until its release. */
static enum err drop_link(struct none *n, struct inode *i, bool open)
{
    bool gone = i->d.type == VFS_DIRECTORY || i->d.nlink <= 1;
    i->d.nlink = gone ? 0 : i->d.nlink - 1;
    if (gone && !open)
        return inode_delete(n, i);
    i->orphan = gone;
    return changed(n, i);
}

static enum err find_target(struct none *n, struct inode *dir, const uint8_t *name, uint32_t bytes,
                            struct found *found, struct inode **i)
{
    if (is_dots(name, bytes))
        return E_ARG;
    enum err e = dir_find(n, dir, name, bytes, found);
    if (e != OK)
        return e;
    e = inode_get(n, found->ino, i);
    return e == E_NOENT ? E_CORRUPT : e;
}

enum err names_unlink(struct none *n, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *dir, *i;
    struct found found;
    (void)out;
    enum err e = get_dir(n, in->ino, &dir);
    if (e == OK)
        e = find_target(n, dir, n->name, n->name_bytes, &found, &i);
    if (e == OK && i->d.type == VFS_DIRECTORY)
        e = E_ISDIR;
    if (PLANTED(PLANTED_UNLINK_KEEPS_NAME) && e == OK &&
        ++n->planted_unlinks % PLANTED_UNLINK_EVERY == 0)
        return OK;
    if (e == OK)
        e = dir_remove(n, dir, &found, n->name, n->name_bytes);
    if (e == OK)
        e = drop_link(n, i, (in->flags & VFS_OPEN) != 0);
    return e == OK ? touch(n, dir) : e;
}

static enum err must_be_empty(struct none *n, struct inode *dir)
{
    bool empty;
    enum err e = dir_is_empty(n, dir, &empty);
    if (e != OK)
        return e;
    return empty ? OK : E_NOTEMPTY;
}

static void one_subdirectory_fewer(struct inode *dir)
{
    if (dir->d.nlink > 2) /* the disk may have said anything */
        dir->d.nlink--;
}

enum err names_rmdir(struct none *n, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *dir, *i;
    struct found found;
    (void)out;
    enum err e = get_dir(n, in->ino, &dir);
    if (e == OK)
        e = find_target(n, dir, n->name, n->name_bytes, &found, &i);
    if (e == OK && i->d.type != VFS_DIRECTORY)
        e = E_NOTDIR;
    if (e == OK)
        e = must_be_empty(n, i);
    if (e == OK)
        e = dir_remove(n, dir, &found, n->name, n->name_bytes);
    if (e != OK)
        return e;
    one_subdirectory_fewer(dir);
    e = drop_link(n, i, (in->flags & VFS_OPEN) != 0);
    return e == OK ? touch(n, dir) : e;
}

enum err names_release(struct none *n, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *i;
    (void)out;
    enum err e = inode_get(n, in->ino, &i);
    if (e == E_NOENT)
        return OK; /* the server was restarted since: what was open is gone */
    if (e == OK && i->orphan)
        e = inode_delete(n, i);
    return e;
}

/* ---- Rename ---- */

struct move {
    struct inode *from, *to; /* directories */
    struct inode *what, *over;
    struct found what_at, over_at;
};

/* E_ARG if `dir` is `what` or lies below it. */
static enum err must_not_be_below(struct none *n, struct inode *dir, const struct inode *what)
{
    uint32_t ino = dir->ino;
    for (uint32_t depth = 0; depth < DEPTH_MAX; depth++) {
        if (ino == what->ino)
            return E_ARG;
        if (ino == INO_ROOT)
            return OK;
        struct inode *up;
        enum err e = get_dir(n, ino, &up);
        if (e == OK)
            e = dir_parent(n, up, &ino);
        if (e != OK)
            return e;
    }
    return E_CORRUPT; /* a cycle */
}

static enum err may_replace(struct none *n, const struct move *m)
{
    bool what_dir = m->what->d.type == VFS_DIRECTORY;
    bool over_dir = m->over->d.type == VFS_DIRECTORY;
    if (what_dir != over_dir)
        return what_dir ? E_NOTDIR : E_ISDIR;
    return over_dir ? must_be_empty(n, m->over) : OK;
}

static enum err find_both(struct none *n, const struct vfs_request *in, struct move *m)
{
    enum err e = get_dir(n, in->ino, &m->from);
    if (e == OK)
        e = get_dir(n, in->ino2, &m->to);
    if (e == OK)
        e = find_target(n, m->from, n->name, n->name_bytes, &m->what_at, &m->what);
    if (e == OK && m->what->d.type == VFS_DIRECTORY)
        e = must_not_be_below(n, m->to, m->what);
    if (e != OK)
        return e;
    e = find_target(n, m->to, n->name2, n->name2_bytes, &m->over_at, &m->over);
    if (e == E_NOENT) {
        m->over = NULL;
        bool deeper = m->what->d.type == VFS_DIRECTORY && m->from != m->to;
        return deeper && m->to->d.nlink >= VFS_LINK_MAX ? E_MLINK : OK;
    }
    if (e == OK && m->over != m->what)
        e = may_replace(n, m);
    return e;
}

/* The directory `what` has another parent now, or took another directory's place. */
static enum err move_directory(struct none *n, const struct move *m)
{
    enum err e = OK;
    if (m->over != NULL)
        one_subdirectory_fewer(m->to);
    if (m->from != m->to) {
        one_subdirectory_fewer(m->from);
        m->to->d.nlink++;
        e = dir_set_parent(n, m->what, m->to->ino);
    }
    return e;
}

enum err names_rename(struct none *n, const struct vfs_request *in, struct vfs_reply *out)
{
    struct move m = {0};
    (void)out;
    enum err e = find_both(n, in, &m);
    if (e != OK || m.over == m.what)
        return e;
    if (m.over != NULL)
        e = dir_point(n, m.to, &m.over_at, m.what->ino, m.what->d.type);
    else
        e = dir_add(n, m.to, n->name2, n->name2_bytes, m.what->ino, m.what->d.type);
    if (e == OK)
        e = dir_remove(n, m.from, &m.what_at, n->name, n->name_bytes);
    if (e == OK && m.what->d.type == VFS_DIRECTORY)
        e = move_directory(n, &m);
    if (e == OK && m.over != NULL)
        e = drop_link(n, m.over, (in->flags & VFS_OPEN) != 0);
    if (e == OK)
        e = changed(n, m.what);
    if (e == OK)
        e = touch(n, m.from);
    return e == OK ? touch(n, m.to) : e;
}

/* ---- Listing and attributes ---- */

enum err names_readdir(struct none *n, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *dir;
    uint64_t cookie = in->offset;
    uint32_t used = 0;
    enum err e = get_dir(n, in->ino, &dir);
    if (e == OK)
        e = dir_list(n, dir, &cookie, (uint32_t)in->length, &used);
    if (e == OK && used > 0 && plat_copy_out(n->vfs, in->data_grant, 0, n->listing, used) != OK)
        e = E_INVAL;
    out->moved = used;
    out->size = cookie;
    return e;
}

enum err names_setattr(struct none *n, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *i;
    enum err e = inode_get(n, in->ino, &i);
    if (e != OK)
        return e;
    if ((in->which & VFS_SET_MODE) != 0)
        i->d.mode = in->mode & 07777u;
    if ((in->which & VFS_SET_OWNER) != 0) {
        i->d.uid = in->uid;
        i->d.gid = in->gid;
    }
    if ((in->which & VFS_SET_MTIME) != 0)
        i->d.mtime_ns = in->mtime_ns;
    e = changed(n, i);
    inode_stat(i, &out->stat);
    return e;
}
