/*
 * From file blocks to disk blocks: 12 direct pointers, then single, double and triple indirect
 * blocks of 1020 pointers. Pointers from the disk are believed if they lie in a group's data.
 */
#include "assertion.h"
#include "bytes.h"
#include "layout_c.h"
#include "mem.h"

/* Splits a file block number into the inode's pointer and one index a level. Returns levels. */
static uint32_t split(uint64_t at, uint32_t path[LEVELS_MAX + 1])
{
    uint64_t span = 1;
    ASSERT(at < FILE_BLOCKS_MAX);
    if (at < INODE_DIRECT) {
        path[0] = (uint32_t)at;
        return 0;
    }
    at -= INODE_DIRECT;
    for (uint32_t levels = 1;; levels++) {
        span *= POINTERS_A_BLOCK;
        if (at >= span) {
            at -= span;
            continue;
        }
        path[0] = INODE_DIRECT + levels - 1;
        for (uint32_t k = levels; k > 0; k--) {
            path[k] = (uint32_t)(at % POINTERS_A_BLOCK);
            at /= POINTERS_A_BLOCK;
        }
        return levels;
    }
}

static enum err pointer_check(const struct fs *fs, uint32_t block)
{
    return block == 0 || layout_is_data(fs->blocks, block) ? OK : E_CORRUPT;
}

enum err c_map_find(struct fs *fs, struct inode *i, uint64_t at, uint32_t *block)
{
    uint32_t path[LEVELS_MAX + 1];
    uint32_t levels = split(at, path);
    *block = inode_c(i)->pointer[path[0]];
    enum err e = pointer_check(fs, *block);
    for (uint32_t k = 1; k <= levels && e == OK && *block != 0; k++) {
        struct buffer *b;
        e = c_get_meta(fs, *block, i->ino, &b);
        if (e == OK) {
            *block = get_le32(b->page + 4 * path[k]);
            e = pointer_check(fs, *block);
        }
    }
    return e;
}

/* A block whose bit cannot be cleared is lost to the volume, not to the caller. */
static void free_one(struct fs *fs, struct inode *i, uint32_t block)
{
    if (i->d.blocks > 0)
        i->d.blocks--;
    if (fs->c->hooks->block_freed(fs, i, block) != OK)
        plat_report(REPORT_LEAK, 1, i->ino);
}

/* Takes a block and makes its buffer, which is dirty before anything leads to it. */
static enum err take(struct fs *fs, struct inode *i, bool is_data, bool whole, uint32_t *block)
{
    struct inode_c *c = inode_c(i);
    uint32_t own_group = group_first(i->ino / GROUP_INODES) + GROUP_META_BLOCKS;
    ASSERT(i->dirty);
    enum err e = c_block_take(fs, c->goal != 0 ? c->goal : own_group, block);
    if (e != OK)
        return e;
    c->goal = *block + 1;
    i->d.blocks++;
    struct buffer *b = whole && is_data ? cache_get_overwrite(fs, *block, *block)
                                        : cache_get_new(fs, *block, *block);
    change_open(fs, b, 0, 0);
    if (is_data)
        change_close_data(fs, i, true, true);
    else
        change_close(fs, CHANGE_INDIRECT, i, *block, 0);
    return OK;
}

static void set_pointer(struct fs *fs, struct inode *i, struct buffer *b, uint32_t index,
                        uint32_t block)
{
    uint32_t old = get_le32(b->page + 4 * index);
    change_open(fs, b, 4 * index, 4);
    put_le32(b->page + 4 * index, block);
    change_close(fs, CHANGE_POINTER, i, block, old);
}

/* Follows the pointer `index` of the indirect block *block, filling a hole. *block: where it leads.
 */
static enum err make_level(struct fs *fs, struct inode *i, uint32_t index, bool is_data, bool whole,
                           uint32_t *block, bool *fresh)
{
    struct buffer *b;
    uint32_t parent = *block;
    enum err e = c_get_meta(fs, parent, i->ino, &b);
    if (e != OK)
        return e;
    *block = get_le32(b->page + 4 * index);
    e = pointer_check(fs, *block);
    if (e != OK || *block != 0)
        return e;
    e = take(fs, i, is_data, whole, block);
    if (e != OK)
        return e;
    *fresh = is_data;
    e = c_get_meta(fs, parent, i->ino, &b); /* the search for room may have pushed it out */
    if (e == OK)
        set_pointer(fs, i, b, index, *block);
    else
        free_one(fs, i, *block);
    return e;
}

enum err c_map_make(struct fs *fs, struct inode *i, uint64_t at, bool whole, uint32_t *block,
                    bool *fresh)
{
    uint32_t path[LEVELS_MAX + 1];
    uint32_t levels = split(at, path);
    uint32_t *top = &inode_c(i)->pointer[path[0]];
    *fresh = false;
    *block = *top;
    enum err e = pointer_check(fs, *block);
    if (e == OK && *block == 0) {
        e = take(fs, i, levels == 0, whole, block);
        if (e == OK)
            *top = *block;
        *fresh = levels == 0;
    }
    for (uint32_t k = 1; k <= levels && e == OK; k++)
        e = make_level(fs, i, path[k], k == levels, whole, block, fresh);
    return e;
}

/* Levels of indirect blocks below the inode's pointer p. */
static uint32_t level_of(uint32_t p)
{
    return p < INODE_DIRECT ? 0 : p - INODE_DIRECT + 1;
}

static uint64_t span_of(uint32_t level)
{
    uint64_t span = 1;
    for (uint32_t k = 0; k < level; k++)
        span *= POINTERS_A_BLOCK;
    return span;
}

/* Frees what hangs below `block` beyond its first `keep` file blocks, and itself if keep is 0. What
 * hangs below a block that cannot be read is leaked. */
static void cut_tree(struct fs *fs, struct inode *i, uint32_t block, uint32_t level, uint64_t keep,
                     bool *leaked)
{
    uint64_t span = level > 0 ? span_of(level - 1) : 0;
    if (pointer_check(fs, block) != OK)
        return; /* what it names is not ours to free */
    for (uint32_t k = level > 0 ? (uint32_t)(keep / span) : POINTERS_A_BLOCK; k < POINTERS_A_BLOCK;
         k++) {
        struct buffer *b;
        if (c_get_meta(fs, block, i->ino, &b) != OK) {
            plat_report(REPORT_LEAK, POINTERS_A_BLOCK - k, i->ino);
            *leaked = true;
            break;
        }
        uint32_t child = get_le32(b->page + 4 * k);
        uint64_t child_keep = k * span >= keep ? 0 : keep - k * span;
        if (child == 0)
            continue;
        if (child_keep == 0 && keep > 0)
            set_pointer(fs, i, b, k, 0);
        cut_tree(fs, i, child, level - 1, child_keep, leaked);
    }
    if (keep == 0)
        free_one(fs, i, block);
}

/* Whether the tree that is kept in part can be followed to where it is cut. */
static enum err check_edge(struct fs *fs, const struct inode *i, uint32_t block, uint32_t level,
                           uint64_t keep)
{
    for (; keep > 0 && level > 0 && block != 0; level--) {
        struct buffer *b;
        uint64_t span = span_of(level - 1);
        enum err e = pointer_check(fs, block);
        if (e == OK)
            e = c_get_meta(fs, block, i->ino, &b);
        if (e != OK)
            return e;
        uint64_t slot = keep / span;
        block = get_le32(b->page + 4 * slot);
        keep -= slot * span;
    }
    return OK;
}

/* Blocks in a tree, as far as it can be read. */
static uint32_t count_tree(struct fs *fs, const struct inode *i, uint32_t block, uint32_t level)
{
    struct buffer *b;
    uint32_t count = 1;
    if (block == 0 || pointer_check(fs, block) != OK)
        return 0;
    for (uint32_t k = 0; k < POINTERS_A_BLOCK && level > 0; k++)
        if (c_get_meta(fs, block, i->ino, &b) == OK)
            count += count_tree(fs, i, get_le32(b->page + 4 * k), level - 1);
    return count;
}

/* After a leak nobody knows how many blocks went: what is left is counted. */
static void count_again(struct fs *fs, struct inode *i)
{
    i->d.blocks = 0;
    for (uint32_t p = 0; p < INODE_POINTERS; p++)
        i->d.blocks += count_tree(fs, i, inode_c(i)->pointer[p], level_of(p));
}

/* What of each of the inode's trees stays when the file ends after `from` blocks. */
static void what_stays(uint64_t from, uint64_t keep[INODE_POINTERS])
{
    uint64_t base = 0;
    for (uint32_t p = 0; p < INODE_POINTERS; p++) {
        uint64_t span = span_of(level_of(p));
        keep[p] = from <= base ? 0 : from - base < span ? from - base : span;
        base += span;
    }
}

enum err c_cut(struct fs *fs, struct inode *i)
{
    uint64_t keep[INODE_POINTERS];
    uint32_t block[INODE_POINTERS];
    bool leaked = false;
    ASSERT(i->dirty);
    what_stays((i->d.size + BLOCK_BYTES - 1) / BLOCK_BYTES, keep);
    for (uint32_t p = 0; p < INODE_POINTERS; p++) {
        block[p] = inode_c(i)->pointer[p];
        enum err e = check_edge(fs, i, block[p], level_of(p), keep[p] % span_of(level_of(p)));
        if (e != OK)
            return e; /* nothing was freed yet */
    }
    for (uint32_t p = 0; p < INODE_POINTERS; p++)
        if (keep[p] == 0)
            inode_c(i)->pointer[p] = 0;
    enum err e = inode_settle(fs, i);
    if (e == OK)
        e = inode_dirty(fs, i);
    for (uint32_t p = 0; p < INODE_POINTERS && e == OK; p++)
        if (block[p] != 0 && keep[p] < span_of(level_of(p)))
            cut_tree(fs, i, block[p], level_of(p), keep[p], &leaked);
    if (leaked)
        count_again(fs, i);
    return e;
}
