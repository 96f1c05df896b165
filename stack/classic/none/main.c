/*
 * `none`: what the common part does by default, and no more.
 */
#include "none.h"
#include "programs.h"

static const struct hooks_c none_hooks = {.block_freed = c_block_freed};

static enum err none_init(struct fs *fs)
{
    return c_init(fs, &none_hooks);
}

static enum err none_begin(struct fs *fs, const struct vfs_request *in, bool changes)
{
    (void)in;
    return changes ? c_touch(fs, false) : OK;
}

static enum err none_sync(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    (void)in, (void)out;
    return writeback_sync(fs);
}

/* The file's dirty blocks and its record; names are not its business, nor is a flush. */
static enum err none_fsync(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *i;
    (void)out;
    enum err e = inode_get(fs, in->ino, &i);
    if (e != OK)
        return e;
    uint32_t count = writeback_collect(fs, i), table = inode_block(i->ino);
    fs->sync_order[count++] = (struct want){.key = table, .block = table};
    return writeback_blocks(fs, fs->sync_order, count);
}

static const struct store none_store = {
    .name = "none",
    .inode_bytes = sizeof(struct inode_c),
    .inline_max = INLINE_MAX,
    .file_blocks_max = FILE_BLOCKS_MAX,
    .writeback_probe = PROBE_NONE_WRITEBACK,
    .init = none_init,
    .format = c_format,
    .load = c_load,
    .mounted = none_planted_at_mount,
    .sync = none_sync,
    .fsync = none_fsync,
    .unmount = c_unmount,
    .statfs = c_statfs,
    .begin = none_begin,
    .throttle = writeback_throttle,
    .make_room = writeback_make_room,
    .alarm = writeback_daemon,
    .pump = writeback_pump,
    .inode_load = c_inode_load,
    .inode_prepare = c_inode_prepare,
    .inode_store = c_inode_store,
    .inode_take = c_inode_take,
    .inode_free = c_inode_free,
    .block_get = c_block_get,
    .block_make = c_block_make,
    .blocks_find = c_blocks_find,
    .cut = c_cut,
    .reserve = c_reserve,
};

void none_main(const struct boot *boot)
{
    server_main(boot, &none_store);
}
