/*
 * Blocks of files and directories of layout C, through the map and the cache.
 */
#include "assertion.h"
#include "layout_c.h"

/* Indirect blocks that a write of VFS_IO_MAX may need at most: two of the lowest level, and those
 * above them. */
#define INDIRECT_WORST 6u

enum err c_get(struct fs *fs, uint32_t block, struct buffer **b)
{
    return cache_get(fs, block, block, b);
}

/* What is in a block of a directory is metadata. */
static enum err get_of(struct fs *fs, const struct inode *i, uint32_t block, struct buffer **b)
{
    return i->d.type == VFS_DIRECTORY ? c_get_meta(fs, block, i->ino, b) : c_get(fs, block, b);
}

enum err c_block_get(struct fs *fs, struct inode *i, uint64_t at, struct buffer **b)
{
    uint32_t block;
    enum err e = c_map_find(fs, i, at, &block);
    *b = NULL;
    return e != OK || block == 0 ? e : get_of(fs, i, block, b);
}

enum err c_block_make(struct fs *fs, struct inode *i, uint64_t at, bool whole, struct buffer **b,
                      bool *fresh)
{
    uint32_t block;
    enum err e = c_map_make(fs, i, at, whole, &block, fresh);
    if (e != OK)
        return e;
    if (!whole && !*fresh)
        return get_of(fs, i, block, b);
    *b = cache_get_overwrite(fs, block, block);
    return OK;
}

enum err c_blocks_find(struct fs *fs, struct inode *i, uint64_t at, uint32_t *count,
                       struct want *want)
{
    for (uint32_t k = 0; k < *count; k++) {
        uint32_t block;
        enum err e = c_map_find(fs, i, at + k, &block);
        if (e != OK) {
            *count = k;
            return e;
        }
        want[k] = (struct want){.key = block, .block = block};
    }
    return OK;
}

/* Counts holes only if space is short. */
static enum err fits(struct fs *fs, struct inode *i, uint64_t first, uint64_t last)
{
    uint64_t worst = last - first + 1 + INDIRECT_WORST;
    uint64_t free = c_space_count(fs, worst), holes = 0;
    if (free >= worst)
        return OK;
    for (uint64_t at = first; at <= last; at++) {
        uint32_t block;
        enum err found = c_map_find(fs, i, at, &block);
        if (found != OK)
            return found;
        holes += block == 0 ? 1 : 0;
    }
    if (holes == 0)
        return OK;
    uint64_t indirect = 3 + (last - first) / POINTERS_A_BLOCK;
    return free < holes + indirect ? E_NOSPC : OK;
}

enum err c_reserve(struct fs *fs, struct inode *i, uint64_t first, uint64_t last)
{
    enum err e = fits(fs, i, first, last);
    if (e == E_NOSPC && fs->c->hooks->reclaim != NULL && fs->c->hooks->reclaim(fs))
        e = fits(fs, i, first, last);
    return e == E_NOSPC ? c_no_space(fs) : e;
}
