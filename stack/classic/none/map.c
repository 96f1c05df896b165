/*
 * From file blocks to disk blocks: 12 direct pointers, then single, double and triple indirect
 * blocks of 1020 pointers. Pointers from the disk are believed if they lie in a group's data.
 */
#include "assertion.h"
#include "bytes.h"
#include "mem.h"
#include "none.h"

#define LEVELS_MAX 3u

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

static enum err pointer_check(const struct none *n, uint32_t block)
{
    return block == 0 || layout_is_data(n->super.blocks, block) ? OK : E_CORRUPT;
}

enum err map_find(struct none *n, struct inode *i, uint64_t at, uint32_t *block)
{
    uint32_t path[LEVELS_MAX + 1];
    uint32_t levels = split(at, path);
    *block = i->d.pointer[path[0]];
    enum err e = pointer_check(n, *block);
    for (uint32_t k = 1; k <= levels && e == OK && *block != 0; k++) {
        struct buffer *b;
        e = cache_get(n, *block, &b);
        if (e == OK) {
            *block = get_le32(b->page + 4 * path[k]);
            e = pointer_check(n, *block);
        }
    }
    return e;
}

static enum err take(struct none *n, struct inode *i, uint32_t *block)
{
    enum err e = inode_dirty(n, i); /* the one that can fail late comes first */
    if (e == OK)
        e = space_take_block(n, i->goal != 0 ? i->goal : inode_block(i->ino), block);
    if (e != OK)
        return e;
    i->goal = *block + 1;
    i->d.blocks++;
    return OK;
}

/* A block whose bit cannot be cleared is lost to the volume, not to the caller. */
static void free_one(struct none *n, struct inode *i, uint32_t block)
{
    if (i->d.blocks > 0)
        i->d.blocks--;
    if (space_free_block(n, block) != OK)
        plat_report(REPORT_LEAK, 1, i->ino);
}

/* A fresh indirect block is all holes; a fresh data block is the caller's to fill. */
static enum err take_for_level(struct none *n, struct inode *i, bool is_data, uint32_t *block)
{
    enum err e = take(n, i, block);
    if (e == OK && !is_data)
        cache_dirty(n, cache_get_new(n, *block), i);
    return e;
}

enum err map_make(struct none *n, struct inode *i, uint64_t at, uint32_t *block, bool *fresh)
{
    uint32_t path[LEVELS_MAX + 1];
    uint32_t levels = split(at, path);
    *fresh = false;
    *block = i->d.pointer[path[0]];
    enum err e = pointer_check(n, *block);
    if (e == OK && *block == 0) {
        e = take_for_level(n, i, levels == 0, block);
        i->d.pointer[path[0]] = e == OK ? *block : 0;
        *fresh = levels == 0;
    }
    for (uint32_t k = 1; k <= levels && e == OK; k++) {
        struct buffer *b;
        uint32_t parent = *block;
        e = cache_get(n, parent, &b);
        if (e != OK)
            break;
        *block = get_le32(b->page + 4 * path[k]);
        e = pointer_check(n, *block);
        if (e != OK || *block != 0)
            continue;
        e = take_for_level(n, i, k == levels, block);
        if (e != OK)
            break;
        e = cache_get(n, parent, &b); /* the search for room may have pushed it out */
        if (e != OK) {
            free_one(n, i, *block);
            break;
        }
        put_le32(b->page + 4 * path[k], *block);
        cache_dirty(n, b, i);
        *fresh = k == levels;
    }
    return e;
}

static uint64_t span_of(uint32_t level)
{
    uint64_t span = 1;
    for (uint32_t k = 0; k < level; k++)
        span *= POINTERS_A_BLOCK;
    return span;
}

/* Frees what hangs below `block` beyond its first `keep` file blocks, and itself if keep is 0.
 * Fails only if pointers that must go stay: before anything was freed. What hangs below a block
 * that goes and cannot be read is leaked. */
static enum err cut_tree(struct none *n, struct inode *i, uint32_t block, uint32_t level,
                         uint64_t keep, bool *leaked)
{
    uint64_t span = level > 0 ? span_of(level - 1) : 0;
    if (pointer_check(n, block) != OK)
        return keep > 0 ? E_CORRUPT : OK; /* what it names is not ours to free */
    for (uint32_t k = level > 0 ? (uint32_t)(keep / span) : POINTERS_A_BLOCK; k < POINTERS_A_BLOCK;
         k++) {
        struct buffer *b;
        enum err e = cache_get(n, block, &b);
        if (e != OK && keep > 0)
            return e;
        if (e != OK) {
            plat_report(REPORT_LEAK, POINTERS_A_BLOCK - k, i->ino);
            *leaked = true;
            break;
        }
        uint32_t child = get_le32(b->page + 4 * k);
        uint64_t child_keep = k * span >= keep ? 0 : keep - k * span;
        if (child == 0)
            continue;
        if (child_keep == 0 && keep > 0) {
            put_le32(b->page + 4 * k, 0);
            cache_dirty(n, b, i);
        }
        e = cut_tree(n, i, child, level - 1, child_keep, leaked);
        if (e != OK)
            return e; /* the first child, which is kept in part: nothing was freed yet */
    }
    if (keep == 0)
        free_one(n, i, block);
    return OK;
}

/* Blocks in a tree, as far as it can be read. */
static uint32_t count_tree(struct none *n, uint32_t block, uint32_t level)
{
    struct buffer *b;
    uint32_t count = 1;
    if (block == 0 || pointer_check(n, block) != OK)
        return 0;
    for (uint32_t k = 0; k < POINTERS_A_BLOCK && level > 0; k++)
        if (cache_get(n, block, &b) == OK)
            count += count_tree(n, get_le32(b->page + 4 * k), level - 1);
    return count;
}

/* After a leak nobody knows how many blocks went: what is left is counted. */
static void count_again(struct none *n, struct inode *i)
{
    i->d.blocks = 0;
    for (uint32_t p = 0; p < INODE_POINTERS; p++)
        i->d.blocks += count_tree(n, i->d.pointer[p], p < INODE_DIRECT ? 0 : p - INODE_DIRECT + 1);
}

enum err map_cut(struct none *n, struct inode *i, uint64_t from)
{
    uint64_t base = 0;
    bool leaked = false;
    if (i->d.type == VFS_LINK_TYPE && i->d.size <= INODE_INLINE)
        return OK;
    for (uint32_t p = 0; p < INODE_POINTERS; p++) {
        uint32_t level = p < INODE_DIRECT ? 0 : p - INODE_DIRECT + 1;
        uint64_t span = span_of(level);
        uint32_t block = i->d.pointer[p];
        uint64_t keep = from <= base ? 0 : from - base;
        base += span;
        if (block == 0 || keep >= span)
            continue;
        if (keep == 0)
            i->d.pointer[p] = 0;
        enum err e = cut_tree(n, i, block, level, keep, &leaked);
        if (e != OK)
            return e;
    }
    if (leaked)
        count_again(n, i);
    return inode_dirty(n, i);
}
