/*
 * The view's store: inodes and blocks of the base until they are changed, private pages then.
 */
#include "assertion.h"
#include "mem.h"
#include "user.h"

/* Keys of pages: KEY_PRIVATE, transaction, inode of the view, file block. */
#define KEY_AT_BITS 32u
#define KEY_INODE_BITS 6u
#define KEY_SERIAL_BITS 24u
#define CACHE_SHARE 4u /* pages of transactions are at most this part of the cache: README.md */

_Static_assert(USER_INODES_MAX < 1u << KEY_INODE_BITS, "an inode's index fits its keys");
_Static_assert(KEY_AT_BITS + KEY_INODE_BITS + KEY_SERIAL_BITS <= 62, "the fields do not overlap");

static struct user *user_of(const struct fs *view)
{
    return view->own;
}

static uint64_t page_key(const struct user *t, const struct inode *i, uint64_t at)
{
    ASSERT(at < UINT64_C(1) << KEY_AT_BITS);
    uint64_t serial = t->serial & ((1u << KEY_SERIAL_BITS) - 1);
    return KEY_PRIVATE | serial << (KEY_AT_BITS + KEY_INODE_BITS) |
           (uint64_t)user_inode(i)->index << KEY_AT_BITS | at;
}

uint64_t user_page_at(const struct buffer *page)
{
    ASSERT((page->key & KEY_PRIVATE) != 0);
    return page->key & ((UINT64_C(1) << KEY_AT_BITS) - 1);
}

void user_page_drop(struct user *t, struct buffer *page)
{
    ASSERT(page->dirty && t->view->dirty_count > 0);
    t->view->dirty_count--;
    cache_drop_private(t->users->fs, page);
}

/* ---- Inodes ---- */

static enum err view_inode_load(struct fs *view, struct inode *i)
{
    struct user *t = user_of(view);
    struct inode *base;
    enum err e = user_lock(t->users, t, i->ino, false);
    if (e == OK)
        e = inode_get(t->users->fs, i->ino, &base);
    if (e == OK && t->inodes == USER_INODES_MAX)
        e = E_2BIG;
    if (e != OK)
        return e;
    i->d = base->d;
    i->orphan = base->orphan;
    i->pins = 1; /* until the transaction ends: its pages are known by it */
    *user_inode(i) = (struct user_inode){.kept = UINT64_MAX, .index = t->inodes++};
    return OK;
}

/* One that was not loaded was made just now. */
static enum err view_inode_prepare(struct fs *view, struct inode *i)
{
    struct user *t = user_of(view);
    if (i->pins > 0)
        return OK;
    ASSERT(t->inodes < USER_INODES_MAX);
    i->pins = 1;
    *user_inode(i) = (struct user_inode){.index = t->inodes++, .made = true};
    return OK;
}

static void view_inode_store(struct fs *view, struct inode *i)
{
    (void)view;
    user_inode(i)->changed = true;
}

/* In the base, an inode without a name: it outlives neither an abort nor a crash. */
static enum err make_orphan(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *i;
    enum err e = inode_new(fs, (uint32_t)in->ino, VFS_FILE, &i);
    if (e != OK)
        return e;
    i->orphan = true;
    inode_stat(i, &out->stat);
    return OK;
}

/* The number is given back: nothing in the view has it. */
static enum err drop_orphan(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *i;
    (void)out;
    enum err e = inode_get(fs, in->ino, &i);
    return e == OK ? inode_delete(fs, i) : e;
}

static void give_back(struct user *t, uint32_t ino)
{
    struct vfs_request request = {.op = VFS_RELEASE, .ino = ino};
    struct vfs_reply reply;
    enum err e = server_operate(t->users->fs, &request, &reply, drop_orphan, true);
    if (e != OK) /* it goes with the next mount */
        plat_report(REPORT_DETECTED, (uint64_t) - (int64_t)e, 0);
}

static enum err view_inode_take(struct fs *view, uint32_t near, uint32_t *ino, uint32_t *generation)
{
    struct user *t = user_of(view);
    struct vfs_request request = {.op = VFS_CREATE, .flags = VFS_OPEN, .ino = near};
    struct vfs_reply reply;
    if (t->inodes == USER_INODES_MAX)
        return E_2BIG;
    enum err e = server_operate(t->users->fs, &request, &reply, make_orphan, true);
    if (e != OK)
        return e;
    *ino = (uint32_t)reply.stat.ino;
    *generation = reply.stat.generation;
    e = user_lock(t->users, t, *ino, true);
    if (e != OK)
        give_back(t, *ino);
    return e;
}

static enum err view_inode_free(struct fs *view, uint32_t ino)
{
    if (inode_find(view, ino) == NULL)
        give_back(user_of(view), ino); /* it was taken just now */
    return OK;                         /* else by the commit */
}

/* ---- Blocks ---- */

/* The base's buffer of a file block that the transaction has not cut off; NULL: a hole. */
static enum err base_get(struct fs *view, const struct inode *i, uint64_t at, struct buffer **b)
{
    struct fs *fs = user_of(view)->users->fs;
    struct inode *base;
    *b = NULL;
    if (user_inode(i)->made || at >= user_inode(i)->kept)
        return OK;
    enum err e = inode_get(fs, i->ino, &base);
    return e == OK ? fs->store->block_get(fs, base, at, b) : e;
}

/* Blocks of directories are copied: whoever gets one may change it. */
static enum err view_block_get(struct fs *view, struct inode *i, uint64_t at, struct buffer **b)
{
    struct user *t = user_of(view);
    struct fs *fs = t->users->fs;
    uint64_t key = page_key(t, i, at);
    if (cache_find(fs, key) != NULL) {
        *b = cache_get_overwrite(fs, key, 0);
        return OK;
    }
    enum err e = base_get(view, i, at, b);
    if (e != OK || *b == NULL || i->d.type != VFS_DIRECTORY)
        return e;
    const uint8_t *from = (*b)->page;
    *b = cache_get_overwrite(fs, key, 0);
    plat_copy((*b)->page, from, BLOCK_BYTES);
    return OK;
}

static bool has_room(const struct user *t)
{
    uint32_t pages = 0;
    const struct fs *fs = t->users->fs;
    for (uint32_t k = 0; k < USERS_MAX; k++)
        if (t->users->user[k].open)
            pages += t->users->user[k].view->dirty_count;
    return pages < fs->buffers_max / CACHE_SHARE &&
           t->view->dirty_count < fs->store->user_blocks(fs);
}

/* Whether the base has something there that a write of the whole block need not read. */
static enum err is_hole(struct fs *view, const struct inode *i, uint64_t at, bool *hole)
{
    struct fs *fs = user_of(view)->users->fs;
    struct inode *base;
    struct want want = {0};
    uint32_t count = 1;
    *hole = true;
    if (user_inode(i)->made || at >= user_inode(i)->kept)
        return OK;
    enum err e = inode_get(fs, i->ino, &base);
    if (e == OK)
        e = fs->store->blocks_find(fs, base, at, &count, &want);
    *hole = want.key == 0;
    return e;
}

static enum err view_block_make(struct fs *view, struct inode *i, uint64_t at, bool whole,
                                struct buffer **b, bool *fresh)
{
    struct user *t = user_of(view);
    struct fs *fs = t->users->fs;
    struct buffer *base = NULL;
    uint64_t key = page_key(t, i, at);
    *fresh = false;
    if (cache_find(fs, key) != NULL) {
        *b = cache_get_overwrite(fs, key, 0);
        return OK;
    }
    if (!has_room(t))
        return E_2BIG;
    enum err e = whole ? is_hole(view, i, at, fresh) : base_get(view, i, at, &base);
    if (e != OK)
        return e;
    *fresh = whole ? *fresh : base == NULL;
    const uint8_t *from = base == NULL ? NULL : base->page;
    *b = *fresh ? cache_get_new(fs, key, 0) : cache_get_overwrite(fs, key, 0);
    if (from != NULL)
        plat_copy((*b)->page, from, BLOCK_BYTES);
    if (*fresh)
        i->d.blocks++;
    return OK;
}

/* What the base has is read ahead in the base: a view reads no disk. */
static enum err view_blocks_find(struct fs *view, struct inode *i, uint64_t at, uint32_t *count,
                                 struct want *want)
{
    struct fs *fs = user_of(view)->users->fs;
    struct inode *base;
    uint32_t found = *count < READ_AHEAD ? *count : READ_AHEAD;
    memset(want, 0, *count * sizeof(*want));
    if (user_inode(i)->made || at >= user_inode(i)->kept)
        return OK;
    enum err e = inode_get(fs, i->ino, &base);
    if (e == OK)
        e = fs->store->blocks_find(fs, base, at, &found, want);
    if (e == OK && found > 1)
        cache_prefetch(fs, want, found);
    memset(want, 0, *count * sizeof(*want));
    return e;
}

static enum err view_cut(struct fs *view, struct inode *i)
{
    uint64_t from = (i->d.size + BLOCK_BYTES - 1) / BLOCK_BYTES;
    struct buffer *next;
    for (struct buffer *b = i->dirty_head; b != NULL; b = next) {
        next = b->own_next;
        if (user_page_at(b) >= from)
            user_page_drop(user_of(view), b);
    }
    if (from < user_inode(i)->kept)
        user_inode(i)->kept = from;
    return OK;
}

static enum err view_reserve(struct fs *view, struct inode *i, uint64_t first, uint64_t last)
{
    (void)view, (void)i, (void)first, (void)last;
    return OK; /* by the commit */
}

static void view_throttle(struct fs *view)
{
    (void)view; /* nothing of it is written before the commit */
}

/* ---- The view ---- */

void user_view_store(struct users *users)
{
    const struct store *base = users->fs->store;
    users->store = (struct store){
        .name = "user",
        .inode_bytes = sizeof(struct user_inode),
        .inline_max = base->inline_max,
        .file_blocks_max = base->file_blocks_max,
        .writeback_probe = PROBE_COUNT,
        .throttle = view_throttle,
        .inode_load = view_inode_load,
        .inode_prepare = view_inode_prepare,
        .inode_store = view_inode_store,
        .inode_take = view_inode_take,
        .inode_free = view_inode_free,
        .block_get = view_block_get,
        .block_make = view_block_make,
        .blocks_find = view_blocks_find,
        .cut = view_cut,
        .reserve = view_reserve,
    };
}

struct fs *user_view_open(struct user *t)
{
    struct fs *fs = t->users->fs;
    if (t->view == NULL) {
        t->view = plat_alloc(sizeof(*t->view), TAG_HEAP);
        if (t->view == NULL)
            return NULL;
        inode_init(t->view);
        t->view->dirty.dirty_next = t->view->dirty.dirty_prev = &t->view->dirty;
        t->view->names = NAMES_MAX - USER_NAMES_MAX;
        t->view->alarm_ns = PLAT_FOREVER; /* no daemon writes its pages */
    }
    t->view->store = &t->users->store;
    t->view->own = t;
    t->view->options = fs->options;
    t->view->blocks = fs->blocks;
    t->view->root = fs->root;
    t->view->remove_first = fs->remove_first;
    t->view->dir_tail = fs->dir_tail;
    t->view->bucket = fs->bucket; /* its pages lie in the base's cache */
    t->view->bucket_mask = fs->bucket_mask;
    t->inodes = 0;
    return t->view;
}

void user_view_close(struct user *t)
{
    struct fs *view = t->view;
    bool indexed = false;
    ASSERT(view->changed == NULL);
    while (view->dirty.dirty_next != &view->dirty)
        user_page_drop(t, view->dirty.dirty_next);
    ASSERT(view->dirty_count == 0);
    for (struct inode *i = view->inode_lru.lru_next; i != &view->inode_lru; i = i->lru_next) {
        indexed = indexed || i->indexed;
        i->orphan = false;
        i->pins = 0;
    }
    if (indexed)
        index_drop(view);
    inode_drop_all(view);
}
