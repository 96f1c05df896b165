/*
 * Making the file system, mounting it, stopping it in order. There is no recovery: a mount believes
 * what it finds.
 */
#include "assertion.h"
#include "mem.h"
#include "none.h"

#define SECTORS_A_BLOCK (BLOCK_BYTES / SECTOR_BYTES)

static enum err make_groups(struct none *n)
{
    n->group = plat_alloc(n->super.groups * sizeof(n->group[0]), TAG_HEAP);
    if (n->group == NULL)
        return E_FULL;
    for (uint32_t g = 0; g < n->super.groups; g++)
        n->group[g] = (struct group){.free_blocks = UINT32_MAX, .free_inodes = UINT32_MAX};
    return OK;
}

static enum err as_media(enum err e)
{
    return e == E_DEAD ? E_MEDIA : e;
}

/* One copy of the superblock, alone in its block. */
static enum err super_write(struct none *n, uint64_t block)
{
    memset(n->super_page, 0, BLOCK_BYTES);
    super_encode(n->super_page, &n->super);
    return as_media(
        block_write(&n->client, block * SECTORS_A_BLOCK, n->super_page, BLOCK_BYTES, false));
}

static enum err super_read(struct none *n, uint64_t block, uint64_t blocks)
{
    enum err e = block_read(&n->client, block * SECTORS_A_BLOCK, n->super_page, BLOCK_BYTES);
    return e == OK ? super_decode(&n->super, n->super_page, blocks) : as_media(e);
}

/* ---- Format ---- */

static void format_group(struct none *n, uint32_t g)
{
    uint32_t length = group_length(g, n->super.blocks);
    writeback_throttle(n);
    struct buffer *b = cache_get_new(n, group_first(g));
    for (uint32_t bit = 0; bit < GROUP_BLOCKS; bit++)
        if (bit < GROUP_META_BLOCKS || bit >= length)
            b->page[bit / 8] |= (uint8_t)(1u << bit % 8);
    memset(b->page + GROUP_BLOCKS / 8, 0xff, BLOCK_BYTES - GROUP_BLOCKS / 8);
    cache_dirty(n, b, NULL);
    b = cache_get_new(n, group_first(g) + 1);
    if (g == 0)
        b->page[0] = 1u << INO_NONE | 1u << INO_ROOT | 1u << INO_SET_ASIDE;
    memset(b->page + GROUP_INODES / 8, 0xff, BLOCK_BYTES - GROUP_INODES / 8);
    cache_dirty(n, b, NULL);
}

static enum err format_root(struct none *n)
{
    struct inode *root;
    struct vfs_reply reply;
    enum err e = inode_make(n, INO_ROOT, VFS_DIRECTORY, &root);
    if (e == OK)
        e = dir_make(n, root, INO_ROOT);
    if (e != OK)
        return e;
    root->d.mode = 0755;
    root->d.nlink = 2;
    n->name_bytes = 6;
    memcpy(n->name, "shared", n->name_bytes);
    return names_mkdir(n, &(struct vfs_request){.ino = INO_ROOT, .mode = 0777}, &reply);
}

enum err mount_format(struct none *n, uint64_t blocks)
{
    if (blocks > UINT32_MAX)
        blocks = UINT32_MAX;
    n->super = (struct super){.blocks = blocks, .groups = layout_groups(blocks)};
    n->super.uuid[0] = n->options.seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    n->super.uuid[1] = n->options.seed ^ blocks;
    if (n->super.groups == 0)
        return E_NOSPC;
    enum err e = make_groups(n);
    if (e != OK)
        return e;
    for (uint32_t g = 0; g < n->super.groups; g++)
        format_group(n, g);
    e = format_root(n);
    if (e == OK)
        e = writeback_sync(n, NULL);
    return e == OK ? mount_unmount(n, NULL, NULL) : e;
}

/* ---- Mount ---- */

enum err mount_load(struct none *n, uint64_t blocks)
{
    if (blocks > UINT32_MAX)
        blocks = UINT32_MAX;
    enum err e = super_read(n, 0, blocks);
    if (e == E_MEDIA || e == E_CORRUPT) {
        plat_report(REPORT_DETECTED, (uint64_t) - (int64_t)e, 0);
        enum err copy = super_read(n, blocks - 1, blocks);
        e = copy == OK ? OK : e;
    }
    return e == OK ? make_groups(n) : e;
}

static enum err free_orphans(struct none *n)
{
    if (n->inode_lru.lru_next == NULL)
        return OK;
    for (struct inode *i = n->inode_lru.lru_next; i != &n->inode_lru; i = i->lru_next) {
        if (!i->orphan)
            continue;
        enum err e = inode_delete(n, i);
        if (e != OK)
            return e;
    }
    return OK;
}

enum err mount_serve(struct none *n, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *root;
    (void)in;
    if (n->mount_status != OK)
        return n->mount_status;
    enum err e = free_orphans(n); /* who had them open is gone: a VFS mounts once */
    if (e == OK)
        e = inode_get(n, INO_ROOT, &root);
    if (e == OK && root->d.type != VFS_DIRECTORY)
        e = E_CORRUPT;
    if (e != OK)
        return e == E_NOENT ? E_CORRUPT : e;
    planted_at_mount(n);
    inode_stat(root, &out->stat);
    out->ino2 = 0;
    return OK;
}

enum err mount_touch(struct none *n)
{
    if (!n->super.clean)
        return OK;
    n->super.clean = false;
    return super_write(n, 0);
}

enum err mount_sync(struct none *n, const struct vfs_request *in, struct vfs_reply *out)
{
    (void)in, (void)out;
    return writeback_sync(n, NULL);
}

/* The one place with flushes: whoever stops it in order may cut the power. */
enum err mount_unmount(struct none *n, const struct vfs_request *in, struct vfs_reply *out)
{
    (void)in, (void)out;
    enum err e = writeback_sync(n, NULL);
    if (e == OK)
        e = as_media(block_flush(&n->client));
    if (e != OK)
        return e;
    n->super.clean = true;
    e = super_write(n, 0);
    if (e == OK)
        e = super_write(n, n->super.blocks - 1);
    if (e == OK)
        e = as_media(block_flush(&n->client));
    index_drop(n);
    inode_drop_all(n);
    cache_drop(n); /* the next mount reads the disk */
    return e;
}

enum err mount_statfs(struct none *n, const struct vfs_request *in, struct vfs_reply *out)
{
    uint64_t free = space_count(n, UINT64_MAX);
    (void)in;
    out->size = n->super.blocks;
    out->stat.blocks = free;
    out->ino2 = free;
    return OK;
}
