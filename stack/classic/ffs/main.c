/*
 * `ffs`: the table, and when an operation needs a pass.
 */
#include "assertion.h"
#include "ffs.h"
#include "programs.h"

static const struct hooks_c ffs_hooks = {.block_freed = ffs_block_freed, .reclaim = ffs_reclaim};

static enum err ffs_init(struct fs *fs)
{
    fs->remove_first = fs->options.rename_remove_first;
    enum err e = c_init(fs, &ffs_hooks);
    return e == OK ? ffs_patch_init(fs) : e;
}

static enum err ffs_format(struct fs *fs, uint64_t blocks)
{
    ffs_of(fs)->off = true; /* whoever cuts the power in a format has no file system */
    enum err e = c_format(fs, blocks);
    ffs_of(fs)->off = false;
    fs->c->super.leaks = fs->options.fsck_background;
    return e;
}

static enum err ffs_load(struct fs *fs, uint64_t blocks)
{
    enum err e = c_load(fs, blocks);
    if (e != OK)
        return e;
    bool leaks = fs->c->super.leaks;
    fs->c->super.leaks = fs->options.fsck_background;
    if (!fs->c->super.clean && leaks && fs->options.fsck_background)
        return ffs_live_begin(fs);
    if (!fs->c->super.clean)
        e = ffs_check(fs);
    if (fs->options.fsck_background)
        plat_report(REPORT_CHECKED, 0, 0);
    return e;
}

static enum err ffs_unmount(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    ffs_live_finish(fs); /* only then it is clean */
    return c_unmount(fs, in, out);
}

/* Rule R5 is for a rename that takes a directory to another parent; with `fsck: background` for
 * each of a directory. */
static bool moves_directory(struct fs *fs, const struct vfs_request *in)
{
    struct inode *from, *what;
    struct found found;
    bool stays = in->ino == in->ino2 && !fs->options.fsck_background;
    if (in->op != VFS_RENAME || stays || dir_is_dots(fs->name, fs->name_bytes))
        return false;
    if (inode_get(fs, in->ino, &from) != OK || from->d.type != VFS_DIRECTORY)
        return false;
    return dir_find(fs, from, fs->name, fs->name_bytes, &found) == OK &&
           inode_get(fs, found.ino, &what) == OK && what->d.type == VFS_DIRECTORY;
}

/* Rule R6 is for a truncate that leaves a part of a block. */
static bool cuts_a_block(struct fs *fs, const struct vfs_request *in)
{
    struct inode *i;
    return in->op == VFS_TRUNCATE && in->size % BLOCK_BYTES != 0 &&
           inode_get(fs, in->ino, &i) == OK && in->size < i->d.size;
}

/* With `fsck: background`: two names of a directory are more than a leak. A cut from here on to the
 * end of the operation has a full check. */
static enum err guard(struct fs *fs)
{
    if (!fs->options.fsck_background)
        return OK;
    ffs_of(fs)->guarded = true;
    return ffs_set_leaks(fs, false);
}

static enum err ffs_begin(struct fs *fs, const struct vfs_request *in, bool changes)
{
    struct ffs *f = ffs_of(fs);
    f->moved_directory = f->guarded = false;
    if (!changes)
        return OK;
    enum err e = ffs_live_before(fs, in->ino);
    if (e == OK)
        e = ffs_live_before(fs, in->ino2);
    f->cut_a_block = cuts_a_block(fs, in);
    bool moves = moves_directory(fs, in);
    if (e == OK && (ffs_patch_is_short(f) || moves))
        e = ffs_pass_all(fs);
    if (e == OK && moves)
        e = guard(fs);
    f->op_first_id = f->next_id;
    return e == OK ? c_touch(fs, true) : e;
}

static bool is_of_names(enum vfs_op op)
{
    return op == VFS_CREATE || op == VFS_MKDIR || op == VFS_SYMLINK || op == VFS_LINK ||
           op == VFS_UNLINK || op == VFS_RMDIR || op == VFS_RENAME;
}

static enum err ffs_end(struct fs *fs, const struct vfs_request *in, bool changes, enum err status)
{
    enum err e = OK;
    if (!changes)
        return status;
    if (ffs_of(fs)->moved_directory || ffs_of(fs)->guarded)
        e = ffs_pass_all(fs);
    else if (status == OK &&
             (ffs_of(fs)->cut_a_block || (fs->options.order_sync && is_of_names(in->op))))
        e = ffs_pass_operation(fs);
    if (e == OK && ffs_of(fs)->guarded)
        e = ffs_set_leaks(fs, true);
    return status == OK ? e : status;
}

static enum err ffs_fsync(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *i;
    (void)out;
    enum err e = inode_get(fs, in->ino, &i);
    return e == OK ? ffs_pass_inode(fs, i) : e;
}

static enum err ffs_sync(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    (void)in, (void)out;
    enum err e = ffs_pass_all(fs);
    if (e == OK && fs->dirty_count > 0) /* bitmaps of what was freed meanwhile */
        e = ffs_pass_all(fs);
    ASSERT(e != OK || fs->dirty_count == 0);
    return e;
}

static const struct store ffs_store = {
    .name = "ffs",
    .inode_bytes = sizeof(struct inode_c),
    .inline_max = INLINE_MAX,
    .file_blocks_max = FILE_BLOCKS_MAX,
    .careful = true,
    .writeback_probe = PROBE_COUNT,
    .init = ffs_init,
    .format = ffs_format,
    .load = ffs_load,
    .sync = ffs_sync,
    .fsync = ffs_fsync,
    .unmount = ffs_unmount,
    .statfs = c_statfs,
    .begin = ffs_begin,
    .end = ffs_end,
    .throttle = ffs_throttle,
    .make_room = ffs_make_room,
    .alarm = ffs_alarm,
    .idle = ffs_live_step,
    .pump = writeback_pump,
    .changed = ffs_changed,
    .prepare = ffs_prepare,
    .written = ffs_written,
    .inode_load = c_inode_load,
    .inode_prepare = c_inode_prepare,
    .inode_store = c_inode_store,
    .inode_take = c_inode_take,
    .inode_free = ffs_inode_free,
    .block_get = c_block_get,
    .block_make = c_block_make,
    .blocks_find = c_blocks_find,
    .cut = c_cut,
    .reserve = c_reserve,
};

void ffs_main(const struct boot *boot)
{
    server_main(boot, &ffs_store);
}
