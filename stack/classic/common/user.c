/*
 * User transactions as requests see them: begin, commit, abort, what runs inside one, and what it
 * is for those outside.
 */
#include "user.h"
#include "assertion.h"
#include "mem.h"

static struct user *find(struct fs *fs, const struct vfs_request *in)
{
    if (fs->users == NULL)
        return NULL;
    for (uint32_t k = 0; k < USERS_MAX; k++) {
        struct user *t = &fs->users->user[k];
        if (t->open && t->outer == in->outer && t->generation == in->generation)
            return t;
    }
    return NULL;
}

static struct users *make_users(struct fs *fs)
{
    struct users *users = plat_alloc(sizeof(*users), TAG_HEAP);
    if (users == NULL)
        return NULL;
    users->fs = fs;
    user_view_store(users);
    for (uint32_t k = 0; k < USERS_MAX; k++) {
        users->user[k].users = users;
        users->user[k].slot = k;
    }
    return users;
}

enum err user_begin(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    (void)out;
    if (in->outer == 0)
        return E_INVAL;
    if (fs->users == NULL)
        fs->users = make_users(fs);
    if (fs->users == NULL)
        return E_FULL;
    struct user *t = find(fs, in);
    if (t != NULL)
        user_end(t, false); /* begun again: nothing is left of the first */
    for (uint32_t k = 0; k < USERS_MAX; k++) {
        t = &fs->users->user[k];
        if (t->open)
            continue;
        if (user_view_open(t) == NULL)
            return E_FULL;
        t->outer = in->outer;
        t->generation = in->generation;
        t->age = t->serial = ++fs->users->next_age;
        t->open = true;
        fs->users->open++;
        return OK;
    }
    return E_WAIT;
}

/* Of the base: inodes that were made for it go. */
static enum err delete_made(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    const struct fs *view = fs->users->user[in->ino].view;
    (void)out;
    for (struct inode *i = view->inode_lru.lru_next; i != &view->inode_lru; i = i->lru_next) {
        struct inode *base;
        if (!user_inode(i)->made || inode_get(fs, i->ino, &base) != OK)
            continue;
        ASSERT(base->orphan);
        (void)!inode_delete(fs, base); /* it says itself what it leaks */
    }
    return OK;
}

static bool has_made(const struct fs *view)
{
    for (struct inode *i = view->inode_lru.lru_next; i != &view->inode_lru; i = i->lru_next)
        if (user_inode(i)->made)
            return true;
    return false;
}

void user_end(struct user *t, bool committed)
{
    struct fs *fs = t->users->fs;
    ASSERT(t->open);
    t->open = false;
    t->users->open--;
    user_unlock_all(t);
    if (!committed && !fs->read_only && has_made(t->view)) {
        struct vfs_request request = {.op = VFS_RELEASE, .ino = t->slot};
        struct vfs_reply reply;
        enum err e = server_operate(fs, &request, &reply, delete_made, true);
        if (e != OK) /* they go with the next mount */
            plat_report(REPORT_DETECTED, (uint64_t) - (int64_t)e, 0);
    }
    user_view_close(t);
}

enum err user_commit(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    struct user *t = find(fs, in);
    (void)out;
    if (t == NULL)
        return E_ABORT;
    enum err e = user_apply(t);
    user_end(t, e == OK);
    return e;
}

enum err user_abort(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    struct user *t = find(fs, in);
    (void)out;
    if (t != NULL)
        user_end(t, false);
    return OK;
}

void user_abort_all(struct fs *fs)
{
    for (uint32_t k = 0; fs->users != NULL && k < USERS_MAX; k++)
        if (fs->users->user[k].open)
            user_end(&fs->users->user[k], false);
}

enum err user_outside(struct fs *fs, const struct vfs_request *in)
{
    if (fs->users == NULL || fs->users->open == 0)
        return OK;
    return user_lock_change(fs->users, NULL, in);
}

/* ---- Inside ---- */

static void prepare_view(struct fs *fs, struct fs *view)
{
    view->vfs = fs->vfs;
    view->now_ns = fs->now_ns;
    view->name_bytes = fs->name_bytes;
    view->name2_bytes = fs->name2_bytes;
    memcpy(view->name, fs->name, sizeof(view->name));
    memcpy(view->name2, fs->name2, sizeof(view->name2));
}

/* A page that was got to be overwritten, and was not, went to the view's free ones. */
static void give_back_buffers(struct fs *fs, struct fs *view)
{
    while (view->free_buffers != NULL) {
        struct buffer *b = view->free_buffers;
        view->free_buffers = b->hash_next;
        b->hash_next = fs->free_buffers;
        fs->free_buffers = b;
    }
}

/* The inode as the transaction has it, without putting it into the view. */
static enum err see(struct user *t, uint32_t ino, struct vfs_stat *stat)
{
    struct inode *i = inode_find(t->view, ino);
    enum err e = i != NULL && i->d.type == 0 ? E_NOENT : OK;
    if (i == NULL) {
        e = user_lock(t->users, t, ino, false);
        if (e == OK)
            e = inode_get(t->users->fs, ino, &i);
    }
    if (e == OK)
        inode_stat(i, stat);
    return e;
}

static enum err look_up(struct user *t, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *dir = in->ino > UINT32_MAX ? NULL : inode_find(t->view, (uint32_t)in->ino);
    struct fs *where = dir != NULL ? t->view : t->users->fs;
    struct found found = {0};
    enum err e = inode_get(where, in->ino, &dir);
    if (e == OK && dir->d.type != VFS_DIRECTORY)
        e = E_NOTDIR;
    if (e != OK)
        return e;
    if (!dir_is_dots(where->name, where->name_bytes))
        e = dir_find(where, dir, where->name, where->name_bytes, &found);
    else if (where->name_bytes == 2)
        e = dir_parent(where, dir, &found.ino);
    else
        found.ino = dir->ino;
    if (e != OK)
        return e;
    e = see(t, found.ino, &out->stat);
    return e == E_NOENT ? E_CORRUPT : e; /* a name that leads nowhere is damage, not absence */
}

static enum err run(struct user *t, const struct vfs_request *in, struct vfs_reply *out,
                    request_fn *function, bool changes)
{
    struct users *users = t->users;
    enum err e = changes ? user_lock_change(users, t, in) : user_lock(users, t, in->ino, false);
    if (e != OK)
        return e;
    if (in->op == VFS_LOOKUP)
        return look_up(t, in, out);
    bool private = in->ino <= UINT32_MAX && inode_find(t->view, (uint32_t)in->ino) != NULL;
    e = function(changes || private ? t->view : users->fs, in, out);
    inode_store_all(t->view);
    return e;
}

enum err user_request(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out,
                      request_fn *function, bool changes)
{
    struct user *t = find(fs, in);
    if (t == NULL)
        return E_ABORT;
    prepare_view(fs, t->view);
    inode_make_room(fs);
    enum err e = run(t, in, out, function, changes);
    give_back_buffers(fs, t->view);
    if (e == E_ABORT || e == E_2BIG)
        user_end(t, false);
    return e;
}
