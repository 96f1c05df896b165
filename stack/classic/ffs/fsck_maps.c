/*
 * Phase 5: the bitmaps, from what was found. A block that differs is written whole.
 */
#include "assertion.h"
#include "fsck.h"
#include "mem.h"

static void set_bit(uint8_t *map, uint32_t bit)
{
    map[bit / 8] |= (uint8_t)(1u << bit % 8);
}

static void put_map(struct check *c, uint32_t block, const uint8_t *map)
{
    struct buffer *b;
    bool read = c_get(c->fs, block, &b) == OK;
    if (read && memcmp(b->page, map, BLOCK_BYTES) == 0)
        return;
    if (!read)
        b = cache_get_overwrite(c->fs, block, block);
    plat_copy(b->page, map, BLOCK_BYTES);
    cache_dirty(c->fs, b, NULL);
}

static void block_map(struct check *c, uint32_t group, uint8_t *map)
{
    uint32_t length = group_length(group, c->fs->blocks);
    memset(map, 0, BLOCK_BYTES);
    if (c->claimed[group] != NULL)
        memcpy(map, c->claimed[group], GROUP_BLOCKS / 8);
    for (uint32_t bit = 0; bit < GROUP_META_BLOCKS; bit++)
        set_bit(map, bit);
    for (uint32_t bit = length; bit < BLOCK_BYTES * 8; bit++)
        set_bit(map, bit);
}

static void inode_map(struct check *c, uint32_t group, uint8_t *map)
{
    memset(map, 0, BLOCK_BYTES);
    memset(map + GROUP_INODES / 8, 0xff, BLOCK_BYTES - GROUP_INODES / 8);
    for (uint32_t slot = 0; slot < GROUP_INODES; slot++) {
        uint32_t ino = group * GROUP_INODES + slot;
        if (ino < INO_FIRST || fsck_seen(c, ino) != NULL)
            set_bit(map, slot);
    }
}

void fsck_maps(struct check *c)
{
    uint8_t map[BLOCK_BYTES];
    for (uint32_t g = 0; g < c->fs->c->super.groups; g++) {
        c->fs->store->throttle(c->fs);
        block_map(c, g, map);
        put_map(c, group_first(g), map);
        inode_map(c, g, map);
        put_map(c, group_first(g) + 1, map);
    }
    c_space_forget(c->fs);
}
