/*
 * A commit: what the view has changed becomes the base's state, in one operation of the design, so
 * a cut leaves all of it or nothing.
 *
 * What can fail is done before anything has changed: pointers are read, space is asked for, records
 * are brought into reach. A failure after that ends the process: what memory holds then is neither
 * old nor new, and recovery has the old.
 */
#include "assertion.h"
#include "mem.h"
#include "planted.h"
#include "user.h"

#define DIRECT_LEAST 4u  /* blocks that an inode of any layout points to itself */
#define LEAF_BLOCKS 256u /* that an indirect block of any layout points to, at least */
#define LEVELS_CREDIT 3u /* indirect blocks above a file's first leaf */
#define RECORD_CREDIT 2u /* the block of an inode's record, and what points to that */
#define CUT_CREDIT 4u    /* a path that stays in part */

struct survey {
    uint32_t credit; /* blocks that change, at most */
    uint32_t fresh;  /* of these, such as have no place yet */
    bool changes;
};

/* The next changed page of the inode after `b` (NULL: the first), in the order of changes. */
static struct buffer *next_page(const struct fs *view, const struct inode *i, struct buffer *b)
{
    b = b == NULL ? view->dirty.dirty_next : b->dirty_next;
    while (b != &view->dirty && b->owner != i)
        b = b->dirty_next;
    return b == &view->dirty ? NULL : b;
}

static enum err survey_block(struct fs *fs, const struct inode *i, struct inode *base, uint64_t at,
                             struct survey *s)
{
    struct want want = {0};
    uint32_t count = 1;
    enum err e = OK;
    if (!user_inode(i)->made && at < fs->store->file_blocks_max)
        e = fs->store->blocks_find(fs, base, at, &count, &want);
    s->fresh += want.key == 0 ? 1 : 0;
    return e;
}

static enum err survey_inode(struct user *t, const struct inode *i, struct survey *s)
{
    struct fs *fs = t->users->fs;
    struct inode *base;
    uint64_t leaf = UINT64_MAX;
    enum err e = inode_get(fs, i->ino, &base);
    s->changes = true;
    s->credit += RECORD_CREDIT;
    if (e == OK && user_inode(i)->kept < (base->d.size + BLOCK_BYTES - 1) / BLOCK_BYTES) {
        s->credit += CUT_CREDIT;
        e = survey_block(fs, i, base, user_inode(i)->kept, s);
    }
    for (struct buffer *b = next_page(t->view, i, NULL); b != NULL && e == OK;
         b = next_page(t->view, i, b)) {
        uint64_t at = user_page_at(b);
        s->credit++;
        if (at >= DIRECT_LEAST && at / LEAF_BLOCKS != leaf) {
            uint32_t path = leaf == UINT64_MAX ? LEVELS_CREDIT : LEVELS_CREDIT - 1;
            leaf = at / LEAF_BLOCKS;
            s->credit += path;
            s->fresh += path;
        }
        e = survey_block(fs, i, base, at, s);
    }
    return e;
}

static enum err survey(struct user *t, struct survey *s)
{
    enum err e = OK;
    *s = (struct survey){0};
    const struct fs *view = t->view;
    for (struct inode *i = view->inode_lru.lru_next; i != &view->inode_lru && e == OK;
         i = i->lru_next)
        if (user_inode(i)->changed)
            e = survey_inode(t, i, s);
    return e;
}

/* ---- Into the base ---- */

static enum err apply_pages(struct user *t, const struct inode *i, struct inode *base)
{
    struct fs *fs = t->users->fs;
    struct buffer *to, *b = next_page(t->view, i, NULL);
    while (b != NULL) {
        bool fresh;
        uint64_t at = user_page_at(b);
        enum err e = fs->store->block_make(fs, base, at, true, &to, &fresh);
        if (e != OK)
            return e;
        change_open(fs, to, 0, 0);
        plat_copy(to->page, b->page, BLOCK_BYTES);
        change_close_data(fs, base, fresh, at * BLOCK_BYTES >= base->d.size);
        struct buffer *next = next_page(t->view, i, b);
        user_page_drop(t, b);
        b = next;
    }
    return OK;
}

static enum err apply_inode(struct user *t, const struct inode *i)
{
    struct fs *fs = t->users->fs;
    struct inode *base = inode_find(fs, i->ino);
    enum err e = OK;
    ASSERT(base != NULL && base->dirty);
    index_forget(fs, base); /* of a directory: its entries are others now */
    if (i->d.type == 0)
        return inode_delete(fs, base);
    base->d.type = i->d.type;
    if (user_inode(i)->kept < (base->d.size + BLOCK_BYTES - 1) / BLOCK_BYTES) {
        base->d.size = user_inode(i)->kept * BLOCK_BYTES;
        e = fs->store->cut(fs, base);
    }
    if (e == OK)
        e = apply_pages(t, i, base);
    if (e != OK)
        return e;
    uint32_t blocks = base->d.blocks;
    base->d = i->d;
    base->d.blocks = blocks;
    base->orphan = i->orphan;
    return OK;
}

static enum err reach_records(struct user *t)
{
    struct fs *fs = t->users->fs;
    const struct fs *view = t->view;
    for (struct inode *i = view->inode_lru.lru_next; i != &view->inode_lru; i = i->lru_next) {
        struct inode *base;
        if (!user_inode(i)->changed)
            continue;
        enum err e = inode_get(fs, i->ino, &base);
        if (e == OK)
            e = inode_dirty(fs, base);
        if (e != OK)
            return e;
    }
    return OK;
}

static enum err apply(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    struct user *t = &fs->users->user[in->ino];
    const struct fs *view = t->view;
    uint32_t count = 0;
    (void)out;
    enum err e = reach_records(t);
    if (e != OK)
        return e;
    fs->together = true;
    for (struct inode *i = view->inode_lru.lru_next; i != &view->inode_lru; i = i->lru_next) {
        if (!user_inode(i)->changed || (PLANTED(PLANTED_USER_TORN) && ++count % 2 == 0))
            continue;
        e = apply_inode(t, i);
        if (e != OK)
            plat_panic(e);
    }
    inode_store_all(fs);
    fs->together = false;
    return OK;
}

enum err user_apply(struct user *t)
{
    struct fs *fs = t->users->fs;
    struct survey s;
    struct vfs_reply reply;
    enum err e = survey(t, &s);
    if (e != OK || !s.changes)
        return e;
    if (fs->read_only)
        return E_ROFS;
    if (s.credit > fs->store->user_blocks(fs))
        return E_2BIG;
    struct vfs_request request = {.op = VFS_COMMIT,
                                  .flags = VFS_OPEN,
                                  .ino = t->slot,
                                  .length = (uint64_t)s.credit * BLOCK_BYTES,
                                  .size = s.fresh};
    return server_operate(fs, &request, &reply, apply, true);
}
