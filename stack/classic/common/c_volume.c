/*
 * A volume of layout C: making it, reading its superblock, stopping it in order.
 */
#include "assertion.h"
#include "layout_c.h"
#include "mem.h"

enum err c_init(struct fs *fs, const struct hooks_c *hooks)
{
    ASSERT(hooks != NULL && hooks->block_freed != NULL);
    fs->c = plat_alloc(sizeof(*fs->c), TAG_HEAP);
    if (fs->c == NULL)
        return E_FULL;
    fs->c->hooks = hooks;
    fs->c->super_page = plat_alloc(BLOCK_BYTES, TAG_PAGES);
    return fs->c->super_page != NULL ? OK : E_FULL;
}

static enum err make_groups(struct fs *fs)
{
    fs->blocks = fs->c->super.blocks;
    fs->root = INO_ROOT;
    fs->c->group = plat_alloc(fs->c->super.groups * sizeof(fs->c->group[0]), TAG_HEAP);
    if (fs->c->group == NULL)
        return E_FULL;
    c_space_forget(fs);
    fs->dir_tail = fs->c->super.sums ? SUM_TAIL_BYTES : 0;
    return OK;
}

/* One copy of the superblock, alone in its block. */
static enum err super_write(struct fs *fs, uint64_t block, bool fua)
{
    memset(fs->c->super_page, 0, BLOCK_BYTES);
    super_encode(fs->c->super_page, &fs->c->super);
    return as_media(
        block_write(&fs->client, block * SECTORS_A_BLOCK, fs->c->super_page, BLOCK_BYTES, fua));
}

enum err c_super_write(struct fs *fs, bool copy, bool fua)
{
    return super_write(fs, copy ? fs->c->super.blocks - 1 : 0, fua);
}

static enum err super_read(struct fs *fs, uint64_t block, uint64_t blocks)
{
    enum err e = block_read(&fs->client, block * SECTORS_A_BLOCK, fs->c->super_page, BLOCK_BYTES);
    return e == OK ? super_decode(&fs->c->super, fs->c->super_page, blocks) : as_media(e);
}

static void format_group(struct fs *fs, uint32_t g)
{
    uint32_t length = group_length(g, fs->c->super.blocks);
    fs->store->throttle(fs);
    struct buffer *b = cache_get_new(fs, group_first(g), group_first(g));
    for (uint32_t bit = 0; bit < GROUP_BLOCKS; bit++)
        if (bit < GROUP_META_BLOCKS || bit >= length)
            b->page[bit / 8] |= (uint8_t)(1u << bit % 8);
    memset(b->page + GROUP_BLOCKS / 8, 0xff, BLOCK_BYTES - GROUP_BLOCKS / 8);
    c_sums_made(fs, b, INO_NONE);
    cache_dirty(fs, b, NULL);
    b = cache_get_new(fs, group_first(g) + 1, group_first(g) + 1);
    if (g == 0)
        b->page[0] = 1u << INO_NONE | 1u << INO_ROOT | 1u << INO_LOST_FOUND;
    memset(b->page + GROUP_INODES / 8, 0xff, BLOCK_BYTES - GROUP_INODES / 8);
    c_sums_made(fs, b, INO_NONE);
    cache_dirty(fs, b, NULL);
}

enum err c_format(struct fs *fs, uint64_t blocks)
{
    if (blocks > UINT32_MAX)
        blocks = UINT32_MAX;
    fs->c->super = (struct super){.blocks = blocks, .groups = layout_groups(blocks)};
    fs->c->super.sums = fs->c->hooks->sums && fs->options.journal_checksums;
    fs->c->super.uuid[0] = fs->options.seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    fs->c->super.uuid[1] = fs->options.seed ^ blocks;
    if (fs->c->super.groups == 0)
        return E_NOSPC;
    enum err e = make_groups(fs);
    if (e != OK)
        return e;
    for (uint32_t g = 0; g < fs->c->super.groups; g++)
        format_group(fs, g);
    e = names_make_root(fs, INO_ROOT);
    if (e == OK && fs->c->hooks->format != NULL)
        e = fs->c->hooks->format(fs);
    return e == OK ? fs->store->unmount(fs, NULL, NULL) : e;
}

enum err c_load(struct fs *fs, uint64_t blocks)
{
    if (blocks > UINT32_MAX)
        blocks = UINT32_MAX;
    enum err e = super_read(fs, 0, blocks);
    if (e == E_MEDIA || e == E_CORRUPT) {
        plat_report(REPORT_DETECTED, (uint64_t) - (int64_t)e, 0);
        enum err copy = super_read(fs, blocks - 1, blocks);
        fs->c->super.clean = false; /* it is as of the last orderly stop */
        e = copy == OK ? OK : e;
    }
    if (e == OK && fs->c->super.sums && !fs->c->hooks->sums)
        e = E_VERSION;
    return e == OK ? make_groups(fs) : e;
}

enum err c_touch(struct fs *fs, bool fua)
{
    if (!fs->c->super.clean)
        return OK;
    fs->c->super.clean = false;
    return super_write(fs, 0, fua);
}

enum err c_mark_clean(struct fs *fs)
{
    enum err e = as_media(block_flush(&fs->client));
    if (e != OK)
        return e;
    fs->c->super.clean = true;
    e = super_write(fs, 0, false);
    if (e == OK)
        e = super_write(fs, fs->c->super.blocks - 1, false);
    return e == OK ? as_media(block_flush(&fs->client)) : e;
}

enum err c_unmount(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    (void)in, (void)out;
    enum err e = inode_free_orphans(fs); /* nobody has them open any more */
    inode_store_all(fs);
    if (e == OK)
        e = fs->store->sync(fs, NULL, NULL);
    if (e == OK)
        e = c_mark_clean(fs);
    if (e != OK)
        return e;
    index_drop(fs);
    inode_drop_all(fs);
    cache_drop(fs); /* the next mount reads the disk */
    return OK;
}

enum err c_statfs(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    uint64_t free = c_space_count(fs, UINT64_MAX);
    (void)in;
    out->size = fs->c->super.blocks;
    out->stat.blocks = free;
    out->ino2 = free;
    return OK;
}
