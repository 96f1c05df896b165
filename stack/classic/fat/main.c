/*
 * `fat`: the store. Names are written when they change, the rest in rounds.
 */
#include "assertion.h"
#include "fat.h"
#include "programs.h"

static enum err fat_init(struct fs *fs)
{
    fs->remove_first = fs->options.rename_remove_first;
    fs->own = plat_alloc(sizeof(struct fat), TAG_HEAP);
    if (fs->own == NULL)
        return E_FULL;
    fat(fs)->super_page = plat_alloc(BLOCK_BYTES, TAG_PAGES);
    return fat(fs)->super_page != NULL ? OK : E_FULL;
}

/* A file that grows without being written is filled with zeros: they have to fit. */
static enum err truncate_fits(struct fs *fs, const struct vfs_request *in)
{
    struct inode *i;
    if (inode_get(fs, in->ino, &i) != OK || in->size <= i->d.size)
        return OK;
    return chain_reserve(fs, i, 0, (in->size - 1) / BLOCK_BYTES);
}

static enum err fat_begin(struct fs *fs, const struct vfs_request *in, bool changes)
{
    if (!changes)
        return OK;
    enum err e = volume_touch(fs);
    if (e == OK && in->op == VFS_TRUNCATE)
        e = truncate_fits(fs, in);
    if (e == OK && fat(fs)->shadows > fs->buffers_max / 4)
        e = rounds_run(fs, NULL); /* table blocks that wait for a round cannot be evicted */
    return e;
}

static enum err fat_sync(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    (void)in, (void)out;
    return rounds_run(fs, NULL);
}

static enum err fat_fsync(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *i;
    (void)out;
    if (fs->read_only)
        return fs->write_error;
    enum err e = inode_get(fs, in->ino, &i);
    return e == OK ? rounds_run(fs, i) : e;
}

static void fat_changed(struct fs *fs, const struct change *c)
{
    if (c->kind == CHANGE_DATA) {
        rounds_delay(fs, c->i);
        return;
    }
    struct inode *dir = c->i;
    bool named = c->kind != CHANGE_DIR_BLOCK;
    if (fs->more_follows)
        return;
    if (table_write_other(fs, c->b) != OK)
        return;
    if (named && dir->dirty && chain_of(dir)->entries != chain_of(dir)->stable_entries)
        (void)!inode_settle(fs, dir); /* the block with the name is the directory's on disk */
}

static void fat_written(struct fs *fs, struct buffer *b, enum err e)
{
    (void)b, (void)e;
    fat(fs)->unflushed = true;
}

static const struct store fat_store = {
    .name = "fat",
    .inode_bytes = sizeof(struct chain),
    .inline_max = 0,
    .file_blocks_max = ENTRY_END - 1,
    .careful = true,
    .writeback_probe = PROBE_COUNT,
    .init = fat_init,
    .format = volume_format,
    .load = volume_load,
    .sync = fat_sync,
    .fsync = fat_fsync,
    .unmount = volume_unmount,
    .statfs = volume_statfs,
    .begin = fat_begin,
    .throttle = writeback_throttle,
    .make_room = writeback_make_room,
    .alarm = rounds_alarm,
    .pump = writeback_pump,
    .changed = fat_changed,
    .written = fat_written,
    .inode_load = head_load,
    .inode_prepare = head_prepare,
    .inode_store = head_store,
    .inode_take = head_take,
    .inode_free = head_free,
    .block_get = chain_block_get,
    .block_make = chain_block_make,
    .blocks_find = chain_blocks_find,
    .cut = chain_cut,
    .reserve = chain_reserve,
};

void fat_main(const struct boot *boot)
{
    server_main(boot, &fat_store);
}
