/*
 * Requests on names and attributes. Each changes memory alone, step by step in the order of careful
 * ordering (README.md): what goes to disk when is the design's.
 */
#include "assertion.h"
#include "fs.h"
#include "mem.h"
#include "planted.h"

#define DEPTH_MAX 4096u /* of directories, on the way up from one that is moved */
#define PLANTED_UNLINK_EVERY 4u

static enum err get_dir(struct fs *fs, uint64_t ino, struct inode **out)
{
    enum err e = inode_get(fs, ino, out);
    if (e != OK)
        return e;
    return (*out)->d.type == VFS_DIRECTORY ? OK : E_NOTDIR;
}

static enum err touch(struct fs *fs, struct inode *i)
{
    i->d.mtime_ns = i->d.ctime_ns = fs->now_ns;
    return inode_dirty(fs, i);
}

static enum err changed(struct fs *fs, struct inode *i)
{
    i->d.ctime_ns = fs->now_ns;
    return inode_dirty(fs, i);
}

enum err names_lookup(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *dir, *i;
    struct found found = {0};
    enum err e = get_dir(fs, in->ino, &dir);
    if (e != OK)
        return e;
    if (!dir_is_dots(fs->name, fs->name_bytes))
        e = dir_find(fs, dir, fs->name, fs->name_bytes, &found);
    else if (fs->name_bytes == 2)
        e = dir_parent(fs, dir, &found.ino);
    else
        found.ino = dir->ino;
    if (e != OK)
        return e;
    e = inode_get(fs, found.ino, &i);
    if (e == E_NOENT)
        return E_CORRUPT; /* a name that leads nowhere is damage, not absence */
    if (e == OK)
        inode_stat(i, &out->stat);
    return e;
}

enum err names_stat(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *i;
    enum err e = inode_get(fs, in->ino, &i);
    if (e == OK)
        inode_stat(i, &out->stat);
    return e;
}

/* ---- New names ---- */

static enum err must_be_absent(struct fs *fs, struct inode *dir, const uint8_t *name,
                               uint32_t bytes)
{
    struct found found;
    if (dir_is_dots(name, bytes))
        return E_EXIST;
    enum err e = dir_find(fs, dir, name, bytes, &found);
    if (e == OK)
        return E_EXIST;
    return e == E_NOENT ? OK : e;
}

/* What a new inode holds from the start. */
static enum err fill(struct fs *fs, struct inode *dir, const struct vfs_request *in,
                     struct inode *i)
{
    i->d.mode = in->mode & VFS_MODE_BITS;
    i->d.uid = in->uid;
    i->d.gid = in->gid;
    i->d.nlink = i->d.type == VFS_DIRECTORY ? 2 : 1;
    if (i->d.type == VFS_DIRECTORY)
        return dir_make(fs, i, dir->ino);
    return i->d.type == VFS_LINK_TYPE ? file_set_target(fs, i, (uint32_t)in->length) : OK;
}

/* Gives a fresh inode its first name; a directory is its parent's subdirectory before that. */
static enum err name_it(struct fs *fs, struct inode *dir, struct inode *i)
{
    enum err e = inode_settle(fs, i);
    if (e == OK)
        e = inode_dirty(fs, dir);
    if (e != OK)
        return e;
    uint32_t nlink = dir->d.nlink;
    if (i->d.type == VFS_DIRECTORY) {
        dir->d.nlink++;
        e = inode_settle(fs, dir);
    }
    if (e == OK)
        e = dir_add(fs, dir, fs->name, fs->name_bytes, i->ino, i->d.type);
    if (e != OK && i->d.type == VFS_DIRECTORY) {
        dir->d.nlink = nlink;
        (void)!inode_dirty(fs, dir);
    }
    return e == OK ? touch(fs, dir) : e;
}

static enum err make(struct fs *fs, const struct vfs_request *in, uint32_t type, struct inode **out)
{
    struct inode *dir;
    enum err e = get_dir(fs, in->ino, &dir);
    if (e == OK)
        e = must_be_absent(fs, dir, fs->name, fs->name_bytes);
    if (e == OK && type == VFS_DIRECTORY && dir->d.nlink >= VFS_LINK_MAX)
        e = E_MLINK;
    if (e == OK)
        e = inode_new(fs, dir->ino, type, out);
    if (e != OK)
        return e;
    e = fill(fs, dir, in, *out);
    if (e == OK)
        e = name_it(fs, dir, *out);
    if (e != OK) /* undone whole */
        (void)!inode_delete(fs, *out);
    return e;
}

static enum err make_and_stat(struct fs *fs, const struct vfs_request *in, uint32_t type,
                              struct vfs_reply *out)
{
    struct inode *i;
    enum err e = make(fs, in, type, &i);
    if (e == OK)
        inode_stat(i, &out->stat);
    return e;
}

enum err names_create(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    return make_and_stat(fs, in, VFS_FILE, out);
}

enum err names_mkdir(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    return make_and_stat(fs, in, VFS_DIRECTORY, out);
}

enum err names_symlink(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    if (in->length == 0 || in->length > VFS_PATH_MAX)
        return E_NAMETOOLONG;
    if (plat_copy_in(fs->vfs, in->data_grant, 0, fs->listing, (size_t)in->length) != OK)
        return E_INVAL;
    return make_and_stat(fs, in, VFS_LINK_TYPE, out);
}

/* Before the name comes: its count is never below what is on disk. */
static enum err one_name_more(struct fs *fs, struct inode *i)
{
    enum err e = inode_dirty(fs, i);
    if (e != OK)
        return e;
    i->d.nlink++;
    i->d.ctime_ns = fs->now_ns;
    return inode_settle(fs, i);
}

static void one_name_fewer(struct fs *fs, struct inode *i)
{
    ASSERT(i->d.nlink > 0);
    i->d.nlink--;
    (void)!inode_dirty(fs, i); /* its block was in reach when the name came */
}

enum err names_link(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *dir, *i;
    enum err e = get_dir(fs, in->ino, &dir);
    if (e == OK)
        e = inode_get(fs, in->ino2, &i);
    if (e == OK && i->d.type == VFS_DIRECTORY)
        e = E_PERM;
    if (e == OK && (i->orphan || i->d.nlink == 0))
        e = E_NOENT;
    if (e == OK && i->d.nlink >= VFS_LINK_MAX)
        e = E_MLINK;
    if (e == OK)
        e = must_be_absent(fs, dir, fs->name, fs->name_bytes);
    if (e == OK)
        e = one_name_more(fs, i);
    if (e != OK)
        return e;
    e = dir_add(fs, dir, fs->name, fs->name_bytes, i->ino, i->d.type);
    if (e != OK) {
        one_name_fewer(fs, i);
        return e;
    }
    inode_stat(i, &out->stat);
    return touch(fs, dir);
}

/* ---- Names that go ---- */

/* One name fewer. Without any the inode goes; if it is open it stays until its release. */
static enum err drop_link(struct fs *fs, struct inode *i, bool open)
{
    bool gone = i->d.type == VFS_DIRECTORY || i->d.nlink <= 1;
    i->d.nlink = gone ? 0 : i->d.nlink - 1;
    if (gone && !open)
        return inode_delete(fs, i);
    i->orphan = gone;
    return changed(fs, i);
}

static enum err find_target(struct fs *fs, struct inode *dir, const uint8_t *name, uint32_t bytes,
                            struct found *found, struct inode **i)
{
    if (dir_is_dots(name, bytes))
        return E_ARG;
    enum err e = dir_find(fs, dir, name, bytes, found);
    if (e != OK)
        return e;
    e = inode_get(fs, found->ino, i);
    return e == E_NOENT ? E_CORRUPT : e;
}

enum err names_unlink(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *dir, *i;
    struct found found;
    (void)out;
    enum err e = get_dir(fs, in->ino, &dir);
    if (e == OK)
        e = find_target(fs, dir, fs->name, fs->name_bytes, &found, &i);
    if (e == OK && i->d.type == VFS_DIRECTORY)
        e = E_ISDIR;
    if (PLANTED(PLANTED_UNLINK_KEEPS_NAME) && e == OK &&
        ++fs->planted_count % PLANTED_UNLINK_EVERY == 0)
        return OK;
    if (e == OK)
        e = dir_remove(fs, dir, &found, fs->name, fs->name_bytes);
    if (e == OK)
        e = drop_link(fs, i, (in->flags & VFS_OPEN) != 0);
    return e == OK ? touch(fs, dir) : e;
}

static enum err must_be_empty(struct fs *fs, struct inode *dir)
{
    bool empty;
    enum err e = dir_is_empty(fs, dir, &empty);
    if (e != OK)
        return e;
    return empty ? OK : E_NOTEMPTY;
}

static void one_subdirectory_fewer(struct inode *dir)
{
    if (dir->d.nlink > 2) /* the disk may have said anything */
        dir->d.nlink--;
}

enum err names_rmdir(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *dir, *i;
    struct found found;
    (void)out;
    enum err e = get_dir(fs, in->ino, &dir);
    if (e == OK)
        e = find_target(fs, dir, fs->name, fs->name_bytes, &found, &i);
    if (e == OK && i->d.type != VFS_DIRECTORY)
        e = E_NOTDIR;
    if (e == OK)
        e = must_be_empty(fs, i);
    if (e == OK)
        e = dir_remove(fs, dir, &found, fs->name, fs->name_bytes);
    if (e != OK)
        return e;
    e = drop_link(fs, i, (in->flags & VFS_OPEN) != 0);
    one_subdirectory_fewer(dir);
    return e == OK ? touch(fs, dir) : e;
}

enum err names_release(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *i;
    (void)out;
    enum err e = inode_get(fs, in->ino, &i);
    if (e == E_NOENT)
        return OK; /* the server was restarted since: what was open is gone */
    if (e == OK && i->orphan)
        e = inode_delete(fs, i);
    return e;
}

/* ---- Rename ---- */

struct move {
    struct inode *from, *to; /* directories */
    struct inode *what, *over;
    struct found what_at, over_at;
};

/* E_ARG if `dir` is `what` or lies below it. */
static enum err must_not_be_below(struct fs *fs, struct inode *dir, const struct inode *what)
{
    uint32_t ino = dir->ino;
    for (uint32_t depth = 0; depth < DEPTH_MAX; depth++) {
        if (ino == what->ino)
            return E_ARG;
        if (ino == fs->root)
            return OK;
        struct inode *up;
        enum err e = get_dir(fs, ino, &up);
        if (e == OK)
            e = dir_parent(fs, up, &ino);
        if (e != OK)
            return e;
    }
    return E_CORRUPT; /* a cycle */
}

static enum err may_replace(struct fs *fs, const struct move *m)
{
    bool what_dir = m->what->d.type == VFS_DIRECTORY;
    bool over_dir = m->over->d.type == VFS_DIRECTORY;
    if (what_dir != over_dir)
        return what_dir ? E_NOTDIR : E_ISDIR;
    return over_dir ? must_be_empty(fs, m->over) : OK;
}

static enum err find_both(struct fs *fs, const struct vfs_request *in, struct move *m)
{
    enum err e = get_dir(fs, in->ino, &m->from);
    if (e == OK)
        e = get_dir(fs, in->ino2, &m->to);
    if (e == OK)
        e = find_target(fs, m->from, fs->name, fs->name_bytes, &m->what_at, &m->what);
    if (e == OK && m->what->d.type == VFS_DIRECTORY)
        e = must_not_be_below(fs, m->to, m->what);
    if (e != OK)
        return e;
    e = find_target(fs, m->to, fs->name2, fs->name2_bytes, &m->over_at, &m->over);
    if (e == E_NOENT) {
        m->over = NULL;
        bool deeper = m->what->d.type == VFS_DIRECTORY && m->from != m->to;
        return deeper && m->to->d.nlink >= VFS_LINK_MAX ? E_MLINK : OK;
    }
    if (e == OK && m->over != m->what)
        e = may_replace(fs, m);
    return e;
}

/* A directory that goes to another parent. */
static bool changes_parent(const struct move *m)
{
    return m->what->d.type == VFS_DIRECTORY && m->from != m->to;
}

/* The counts that may be too high for a while, before any name. */
static enum err counts_up(struct fs *fs, const struct move *m)
{
    enum err e = inode_dirty(fs, m->from);
    if (e == OK)
        e = inode_dirty(fs, m->to);
    if (e == OK)
        e = inode_dirty(fs, m->what);
    if (e == OK && changes_parent(m)) {
        m->to->d.nlink++;
        e = inode_settle(fs, m->to);
    }
    return e == OK ? one_name_more(fs, m->what) : e;
}

static void counts_down(struct fs *fs, const struct move *m)
{
    one_name_fewer(fs, m->what);
    if (changes_parent(m))
        one_subdirectory_fewer(m->from);
    if (m->over != NULL && m->over->d.type == VFS_DIRECTORY)
        one_subdirectory_fewer(m->to);
}

/* Nothing has moved: the counts as they were. */
static void counts_back(struct fs *fs, const struct move *m)
{
    one_name_fewer(fs, m->what);
    if (changes_parent(m))
        m->to->d.nlink--;
    (void)!inode_dirty(fs, m->to);
}

static enum err add_new_name(struct fs *fs, const struct move *m)
{
    if (m->over != NULL)
        return dir_point(fs, m->to, &m->over_at, m->what->ino, m->what->d.type);
    return dir_add(fs, m->to, fs->name2, fs->name2_bytes, m->what->ino, m->what->d.type);
}

static enum err remove_old_name(struct fs *fs, const struct move *m)
{
    return dir_remove(fs, m->from, &m->what_at, fs->name, fs->name_bytes);
}

/* The new name goes again: what should have followed cannot be done. */
static void take_back_new_name(struct fs *fs, const struct move *m)
{
    struct found found;
    if (m->over != NULL)
        (void)!dir_point(fs, m->to, &m->over_at, m->over->ino, m->over->d.type);
    else if (dir_find(fs, m->to, fs->name2, fs->name2_bytes, &found) == OK)
        (void)!dir_remove(fs, m->to, &found, fs->name2, fs->name2_bytes);
}

/* Over another name in the same sector: both changes are one. */
static bool is_one_write(const struct move *m)
{
    return m->from == m->to && m->over != NULL &&
           m->what_at.offset / CHUNK_BYTES == m->over_at.offset / CHUNK_BYTES;
}

/* What comes before the new name: if a cut leaves both names of a directory, `..` leads to the new
 * one, or the old one is marked; the new one may have come over a directory that is lost if the
 * move is taken back. */
static enum err before_new_name(struct fs *fs, const struct move *m)
{
    if (changes_parent(m))
        return dir_set_parent(fs, m->what, m->to->ino);
    bool replaces = m->over != NULL && m->over->d.type == VFS_DIRECTORY;
    if (!replaces || !fs->store->careful || is_one_write(m))
        return OK;
    return dir_mark_going(fs, m->from, &m->what_at);
}

static enum err add_then_remove(struct fs *fs, const struct move *m)
{
    enum err e = before_new_name(fs, m);
    if (e != OK)
        return e;
    fs->more_follows = is_one_write(m);
    e = add_new_name(fs, m);
    fs->more_follows = false;
    if (e == OK) {
        e = remove_old_name(fs, m);
        if (e == OK)
            return OK;
        take_back_new_name(fs, m);
    }
    if (changes_parent(m))
        (void)!dir_set_parent(fs, m->what, m->from->ino);
    return e;
}

/* The slides' order: cut in between, the file has no name. */
static enum err remove_then_add(struct fs *fs, const struct move *m)
{
    enum err e = remove_old_name(fs, m);
    if (e != OK)
        return e;
    e = add_new_name(fs, m);
    if (e == OK && changes_parent(m))
        e = dir_set_parent(fs, m->what, m->to->ino);
    if (e != OK) /* no room for the new one: the old one's is still there */
        (void)!dir_add(fs, m->from, fs->name, fs->name_bytes, m->what->ino, m->what->d.type);
    return e;
}

/* The names, in the order that is asked for. What has to be changed is looked at first, so that a
 * block that cannot be read stops it before it begins. */
static enum err move_names(struct fs *fs, const struct move *m)
{
    uint32_t parent;
    enum err e = changes_parent(m) ? dir_parent(fs, m->what, &parent) : OK;
    if (e != OK)
        return e;
    return fs->remove_first ? remove_then_add(fs, m) : add_then_remove(fs, m);
}

enum err names_rename(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    struct move m = {0};
    (void)out;
    enum err e = find_both(fs, in, &m);
    if (e != OK || m.over == m.what)
        return e;
    e = counts_up(fs, &m);
    if (e != OK)
        return e;
    e = move_names(fs, &m);
    if (e != OK) {
        counts_back(fs, &m);
        return e;
    }
    counts_down(fs, &m);
    if (m.over != NULL)
        e = drop_link(fs, m.over, (in->flags & VFS_OPEN) != 0);
    if (e == OK)
        e = touch(fs, m.from);
    return e == OK ? touch(fs, m.to) : e;
}

/* ---- Listing and attributes ---- */

enum err names_readdir(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *dir;
    uint64_t cookie = in->offset;
    uint32_t used = 0;
    enum err e = get_dir(fs, in->ino, &dir);
    if (e == OK)
        e = dir_list(fs, dir, &cookie, (uint32_t)in->length, &used);
    if (e == OK && used > 0 && plat_copy_out(fs->vfs, in->data_grant, 0, fs->listing, used) != OK)
        e = E_INVAL;
    out->moved = used;
    out->size = cookie;
    return e;
}

enum err names_setattr(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *i;
    enum err e = inode_get(fs, in->ino, &i);
    if (e != OK)
        return e;
    if ((in->which & VFS_SET_MODE) != 0)
        i->d.mode = in->mode & VFS_MODE_BITS;
    if ((in->which & VFS_SET_OWNER) != 0) {
        i->d.uid = in->uid;
        i->d.gid = in->gid;
    }
    if ((in->which & VFS_SET_MTIME) != 0)
        i->d.mtime_ns = in->mtime_ns;
    e = changed(fs, i);
    inode_stat(i, &out->stat);
    return e;
}

/* ---- Mounting and making ---- */

enum err names_mount(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *root;
    (void)in;
    enum err e = inode_free_orphans(fs); /* who had them open is gone: a VFS mounts once */
    if (e != OK)
        return e;
    out->stat.ino = fs->root;
    out->ino2 = 0;
    e = inode_get(fs, fs->root, &root);
    if (e != OK) { /* served all the same: each path is an error */
        plat_report(REPORT_DETECTED, (uint64_t) - (int64_t)e, fs->root);
        return OK;
    }
    if (fs->store->mounted != NULL)
        fs->store->mounted(fs);
    inode_stat(root, &out->stat);
    return OK;
}

enum err names_make_root(struct fs *fs, uint32_t ino)
{
    static const uint8_t shared[] = "shared";
    struct inode *root;
    struct vfs_reply reply;
    fs->root = ino;
    enum err e = inode_make(fs, ino, VFS_DIRECTORY, 1, &root);
    if (e != OK)
        return e;
    root->d.mode = 0755;
    root->d.nlink = 2;
    e = dir_make(fs, root, ino);
    if (e == OK)
        e = inode_settle(fs, root);
    if (e != OK)
        return e;
    fs->name_bytes = sizeof(shared) - 1;
    memcpy(fs->name, shared, fs->name_bytes);
    e = names_mkdir(fs, &(struct vfs_request){.ino = ino, .mode = 0777}, &reply);
    inode_store_all(fs);
    return e;
}
