/*
 * What `cow` is to ../common: requests in terms of trees and batches; format, mount, orderly stop.
 */
#include "assertion.h"
#include "cow.h"
#include "mem.h"
#include "programs.h"

#define NAME_REQUEST_BLOCKS                                                                        \
    48u                 /* two directories with their trees, four inodes, the orphan list          \
                         */
#define TREE_BLOCKS 12u /* above the data of one request: two lowest nodes, their parents */

/* ---- Requests ---- */

static enum err init(struct fs *fs)
{
    struct cow *c = plat_alloc(sizeof(*c), TAG_HEAP);
    if (c == NULL)
        return E_FULL;
    c->scratch = plat_alloc(BLOCK_BYTES, TAG_HEAP);
    c->root_page = plat_alloc(BLOCK_BYTES, TAG_PAGES);
    if (c->scratch == NULL || c->root_page == NULL)
        return E_FULL;
    c->fs = fs;
    fs->own = c;
    c->inode_file.own = &c->inode_tree;
    if (fs->buffers_max < BUFFERS_LEAST)
        fs->buffers_max = BUFFERS_LEAST;
    return OK;
}

/* Blocks that a request may make dirty, at worst. */
static uint64_t worst_case(const struct vfs_request *in)
{
    if (in->op == VFS_MOUNT)
        return REQUEST_BLOCKS_MAX;
    uint64_t data = in->op == VFS_WRITE ? in->length / BLOCK_BYTES + 2 : 0;
    if (in->op == VFS_COMMIT)
        data = in->length / BLOCK_BYTES;
    return data + TREE_BLOCKS + NAME_REQUEST_BLOCKS;
}

/* A user transaction joins the open batch as one request. */
static uint32_t user_blocks(const struct fs *fs)
{
    (void)fs;
    return REQUEST_BLOCKS_MAX - TREE_BLOCKS - NAME_REQUEST_BLOCKS;
}

static bool frees(const struct vfs_request *in)
{
    return in->op == VFS_UNLINK || in->op == VFS_RMDIR || in->op == VFS_TRUNCATE ||
           in->op == VFS_RELEASE || in->op == VFS_MOUNT;
}

static enum err begin(struct fs *fs, const struct vfs_request *in, bool changes)
{
    struct cow *c = cow_of(fs);
    if (fs->read_only || !changes)
        return OK;
    enum err e = cow_reserve(c, worst_case(in), frees(in));
    bool orphans = (in->flags & VFS_OPEN) != 0 || in->op == VFS_RELEASE || in->op == VFS_MOUNT;
    if (e == OK && orphans)
        e = cow_orphans_prepare(c);
    c->inside = e == OK;
    c->log_all = c->log_all || in->op == VFS_COMMIT; /* contents too are in it together */
    return e;
}

static enum err end(struct fs *fs, const struct vfs_request *in, bool changes, enum err status)
{
    struct cow *c = cow_of(fs);
    (void)in, (void)changes;
    cow_orphans_list(c);
    c->inside = false;
    return status;
}

static void throttle(struct fs *fs)
{
    (void)fs; /* begin makes room for a whole request: a batch is not closed inside it */
}

static void make_room(struct fs *fs)
{
    struct cow *c = cow_of(fs);
    ASSERT(c->state != BATCH_NONE); /* at most half is dirty: else something would be clean */
    cow_write_wait(c);
}

static void pump(struct fs *fs)
{
    cow_write_pump(cow_of(fs));
}

/* ---- Blocks ---- */

/* A directory's block that is read by a request that changes may be changed next, which cannot
 * fail: its path joins the batch now. */
static enum err block_get(struct fs *fs, struct inode *i, uint64_t at, struct buffer **b)
{
    struct cow *c = cow_of(fs);
    enum err e = OK;
    *b = NULL;
    if (at >= COW_FILE_BLOCKS_MAX)
        return E_CORRUPT;
    if (c->inside && i->d.type == VFS_DIRECTORY)
        e = cow_tree_open(c, i, (uint32_t)at);
    return e == OK ? cow_tree_get(c, i, (uint32_t)at, b) : e;
}

static enum err block_make(struct fs *fs, struct inode *i, uint64_t at, bool whole,
                           struct buffer **b, bool *fresh)
{
    if (at >= COW_FILE_BLOCKS_MAX)
        return E_CORRUPT;
    return cow_tree_change(cow_of(fs), i, (uint32_t)at, whole, b, fresh);
}

static enum err blocks_find(struct fs *fs, struct inode *i, uint64_t at, uint32_t *count,
                            struct want *want)
{
    uint32_t wanted = *count;
    for (*count = 0; *count < wanted; (*count)++) {
        if (at + *count >= COW_FILE_BLOCKS_MAX)
            return E_CORRUPT;
        enum err e = cow_tree_want(cow_of(fs), i, (uint32_t)at + *count, &want[*count]);
        if (e != OK)
            return e;
    }
    return OK;
}

static void changed(struct fs *fs, const struct change *change)
{
    cow_log_changed(cow_of(fs), change->b->key);
}

static enum err cut(struct fs *fs, struct inode *i)
{
    uint64_t from = (i->d.size + BLOCK_BYTES - 1) / BLOCK_BYTES;
    enum err e = cow_tree_cut(cow_of(fs), i, from);
    if (e == OK)
        cow_log_cut(cow_of(fs), i, (uint32_t)from);
    return e;
}

static enum err reserve(struct fs *fs, struct inode *i, uint64_t first, uint64_t last)
{
    (void)fs, (void)i, (void)first, (void)last;
    return OK; /* by begin: every block that is written needs a new place, hole or not */
}

/* ---- Format, mount, stop ---- */

static enum err clear_slots(struct cow *c)
{
    enum err e = OK;
    memset(c->root_page, 0, BLOCK_BYTES);
    for (uint32_t k = 0; k < ROOT_SLOTS * ROOT_COPIES && e == OK; k++) {
        uint64_t block = cow_root_block(c->fs->blocks, k / ROOT_COPIES, k % ROOT_COPIES);
        e = block_write(&c->fs->client, block * SECTORS_A_BLOCK, c->root_page, BLOCK_BYTES, false);
    }
    if (e == OK)
        e = block_flush(&c->fs->client);
    return as_media(e);
}

/* The state of the trees is that of c->stable. */
static enum err adopt(struct cow *c)
{
    c->batch = c->stable.batch + 1;
    c->inodes = c->stable.inodes;
    c->files = c->stable.files;
    c->inode_tree.pointer[0] = c->stable.inode_file;
    enum err e = cow_segment_init(c);
    if (e == OK)
        e = cow_space_init(c);
    return e == OK ? cow_batch_init(c) : e;
}

static enum err make_first(struct fs *fs)
{
    struct inode *list;
    struct cow *c = cow_of(fs);
    enum err e = cow_reserve(c, REQUEST_BLOCKS_MAX, true);
    if (e == OK)
        e = inode_make(fs, COW_INO_ORPHANS, VFS_FILE, 1, &list);
    if (e != OK)
        return e;
    list->d.nlink = 1;
    c->files = 2; /* with the root */
    c->inside = true;
    e = names_make_root(fs, COW_INO_ROOT);
    c->inside = false;
    inode_store_all(fs);
    return e == OK ? cow_sync(c) : e;
}

static enum err format(struct fs *fs, uint64_t blocks)
{
    struct cow *c = cow_of(fs);
    fs->blocks = blocks > UINT32_MAX ? UINT32_MAX : blocks;
    fs->root = COW_INO_ROOT;
    if (fs->blocks < COW_BLOCKS_MIN)
        return E_NOSPC;
    c->stable = (struct cow_root){.blocks = fs->blocks, .inodes = COW_INODES_A_BLOCK};
    c->stable.uuid[0] = fs->options.seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    c->stable.uuid[1] = fs->options.seed ^ fs->blocks;
    c->life = 1;
    enum err e = clear_slots(c);
    if (e == OK)
        e = adopt(c);
    return e == OK ? make_first(fs) : e;
}

/* The log cannot be done over, as what it changes cannot be read: what the root leads to is served
 * as it is, read-only. Nothing was written yet. */
static void give_up_log(struct cow *c, enum err why)
{
    struct fs *fs = c->fs;
    ASSERT(c->state == BATCH_NONE);
    while (fs->dirty.dirty_next != &fs->dirty)
        cache_forget(fs, fs->dirty.dirty_next->key);
    inode_drop_all(fs);
    cache_drop(fs);
    c->inode_tree.pointer[0] = c->stable.inode_file;
    c->inodes = c->stable.inodes;
    c->files = c->stable.files;
    c->changed = false;
    writeback_fail(fs, why);
}

static enum err load(struct fs *fs, uint64_t blocks)
{
    struct cow *c = cow_of(fs);
    fs->blocks = blocks > UINT32_MAX ? UINT32_MAX : blocks;
    fs->root = COW_INO_ROOT;
    if (fs->blocks < COW_BLOCKS_MIN)
        return E_CORRUPT;
    enum err e = cow_root_choose(c);
    if (e == OK)
        e = adopt(c);
    if (e != OK)
        return e;
    if (c->damaged) {
        writeback_fail(fs, E_CORRUPT);
        return OK;
    }
    e = cow_log_replay(c);
    bool replayed = c->changed;
    if (e != OK) {
        give_up_log(c, e);
        return OK;
    }
    if (cow_orphans_free(c) != OK)
        plat_report(REPORT_LEAK, 0, COW_INO_ORPHANS);
    if (!c->fell_back && !replayed)
        return OK;
    cow_joined(c); /* a root of this life: nobody follows the damaged one, or the chain, again */
    return cow_sync(c);
}

static enum err sync(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    (void)in, (void)out;
    return cow_sync(cow_of(fs));
}

static enum err fsync(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *i;
    (void)out;
    enum err e = inode_get(fs, in->ino, &i);
    if (e != OK)
        return e;
    return fs->options.fsync_log ? cow_log_sync(cow_of(fs), i->ino) : cow_sync(cow_of(fs));
}

static enum err unmount(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    (void)in, (void)out;
    struct cow *c = cow_of(fs);
    if (c->changed || c->state != BATCH_NONE || !c->stable.clean)
        cow_joined(c);
    c->stopping = true;
    enum err e = cow_sync(c);
    if (e == OK)
        e = cow_root_verify(c);
    c->stopping = false;
    if (e != OK)
        return e;
    index_drop(fs);
    inode_drop_all(fs);
    cache_drop(fs); /* the next mount reads the disk */
    return OK;
}

static enum err statfs(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    const struct cow *c = cow_of(fs);
    (void)in;
    uint64_t volume = cow_space_volume(c), used = c->used + fs->dirty_count;
    uint64_t free = used < volume ? volume - used : 0;
    out->size = fs->blocks;
    out->stat.blocks = free;
    out->ino2 = free;
    return OK;
}

const struct store cow_store = {
    .name = "cow",
    .inode_bytes = sizeof(struct cow_tree),
    .inline_max = COW_INLINE,
    .writeback_probe = PROBE_COUNT,
    .init = init,
    .format = format,
    .load = load,
    .sync = sync,
    .unmount = unmount,
    .statfs = statfs,
    .fsync = fsync,
    .user_blocks = user_blocks,
    .begin = begin,
    .end = end,
    .throttle = throttle,
    .make_room = make_room,
    .alarm = cow_alarm,
    .pump = pump,
    .check = cow_verify,
    .changed = changed,
    .inode_load = cow_inode_load,
    .inode_prepare = cow_inode_prepare,
    .inode_store = cow_inode_store,
    .inode_take = cow_inode_take,
    .inode_free = cow_inode_free,
    .block_get = block_get,
    .block_make = block_make,
    .blocks_find = blocks_find,
    .cut = cut,
    .reserve = reserve,
    .file_blocks_max = COW_FILE_BLOCKS_MAX,
};

void cow_main(const struct boot *boot)
{
    server_main(boot, &cow_store);
}
