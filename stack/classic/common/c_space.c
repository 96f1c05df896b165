/*
 * The bitmaps: free blocks and free inode numbers, group by group. Bits are taken lowest first from
 * a goal on, in the goal's group if it has any. Free counts are memory's, counted when a group is
 * first looked at.
 */
#include "assertion.h"
#include "bytes.h"
#include "layout_c.h"

#define UNCOUNTED UINT32_MAX

/* Numbers that are set aside at most for one request, while their blocks cannot be read. */
#define BAD_TABLE_TRIES (4 * INODES_A_BLOCK)
#define WORD_BITS 64u

static bool bit_get(const uint8_t *map, uint32_t bit)
{
    return (map[bit / 8] >> bit % 8 & 1) != 0;
}

static void bit_set(uint8_t *map, uint32_t bit, bool on)
{
    uint8_t mask = (uint8_t)(1u << bit % 8);
    map[bit / 8] = on ? map[bit / 8] | mask : map[bit / 8] & (uint8_t)~mask;
}

static void change_bit(struct fs *fs, struct buffer *map, uint32_t bit, bool on)
{
    change_open(fs, map, bit / 8, 1);
    bit_set(map->page, bit, on);
    change_close(fs, CHANGE_MAP, NULL, 0, 0);
}

static uint32_t ones(uint64_t x)
{
    x -= x >> 1 & UINT64_C(0x5555555555555555);
    x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
    x = (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (uint32_t)(x * UINT64_C(0x0101010101010101) >> 56);
}

/* The lowest clear bit in [from, to), or `to`. */
static uint32_t find_clear(const uint8_t *map, uint32_t from, uint32_t to)
{
    for (uint32_t bit = from; bit < to;) {
        uint64_t word = ~get_le64(map + bit / WORD_BITS * 8) >> bit % WORD_BITS;
        if (word != 0) {
            bit += (uint32_t)__builtin_ctzll(word);
            return bit < to ? bit : to;
        }
        bit = (bit / WORD_BITS + 1) * WORD_BITS;
    }
    return to;
}

static uint32_t count_clear(const uint8_t *map, uint32_t bits)
{
    uint32_t set = 0, whole = bits / WORD_BITS * WORD_BITS;
    for (uint32_t bit = 0; bit < whole; bit += WORD_BITS)
        set += ones(get_le64(map + bit / 8));
    for (uint32_t bit = whole; bit < bits; bit++)
        set += bit_get(map, bit) ? 1 : 0;
    return bits - set;
}

static uint32_t blocks_in(const struct fs *fs, uint32_t group)
{
    return group_length(group, fs->c->super.blocks);
}

/* The group's block bitmap; counts it if that was not done yet. */
static enum err block_map(struct fs *fs, uint32_t group, struct buffer **map)
{
    struct group *g = &fs->c->group[group];
    enum err e = c_get_meta(fs, group_first(group), INO_NONE, map);
    if (e == OK && g->free_blocks == UNCOUNTED)
        g->free_blocks = count_clear((*map)->page, blocks_in(fs, group));
    return e;
}

static enum err inode_map(struct fs *fs, uint32_t group, struct buffer **map)
{
    struct group *g = &fs->c->group[group];
    enum err e = c_get_meta(fs, group_first(group) + 1, INO_NONE, map);
    if (e == OK && g->free_inodes == UNCOUNTED)
        g->free_inodes = count_clear((*map)->page, GROUP_INODES);
    return e;
}

/* E_NOSPC if this group has none. */
static enum err take_in_group(struct fs *fs, uint32_t group, uint32_t from, uint32_t *block)
{
    struct buffer *map;
    struct group *g = &fs->c->group[group];
    if (g->free_blocks == 0)
        return E_NOSPC;
    enum err e = block_map(fs, group, &map);
    if (e != OK)
        return e;
    uint32_t length = blocks_in(fs, group);
    if (from < GROUP_META_BLOCKS)
        from = GROUP_META_BLOCKS; /* whatever a damaged bitmap says of them */
    uint32_t bit = find_clear(map->page, from, length);
    if (bit == length)
        bit = find_clear(map->page, GROUP_META_BLOCKS, from < length ? from : length);
    if (bit >= length || bit_get(map->page, bit)) {
        g->free_blocks = 0;
        return E_NOSPC;
    }
    change_bit(fs, map, bit, true);
    if (g->free_blocks > 0)
        g->free_blocks--;
    *block = group_first(group) + bit;
    return OK;
}

static enum err take_somewhere(struct fs *fs, uint32_t goal, uint32_t *block)
{
    uint32_t first = goal == 0 ? 0 : (goal - 1) / GROUP_BLOCKS;
    uint32_t from = goal == 0 ? 0 : (goal - 1) % GROUP_BLOCKS;
    if (first >= fs->c->super.groups)
        first = from = 0;
    for (uint32_t k = 0; k < fs->c->super.groups; k++) {
        uint32_t group = (first + k) % fs->c->super.groups;
        if (take_in_group(fs, group, k == 0 ? from : 0, block) == OK)
            return OK; /* a group whose bitmap cannot be read is passed over */
    }
    return E_NOSPC;
}

enum err c_no_space(struct fs *fs)
{
    for (uint32_t group = 0; group < fs->c->super.groups; group++) {
        struct buffer *map;
        enum err e = block_map(fs, group, &map);
        if (e != OK)
            return e;
    }
    return E_NOSPC;
}

enum err c_block_clear(struct fs *fs, uint32_t block)
{
    struct buffer *map;
    if (!layout_is_data(fs->c->super.blocks, block))
        return OK;
    uint32_t group = (block - 1) / GROUP_BLOCKS;
    enum err e = block_map(fs, group, &map);
    if (e != OK)
        return e;
    uint32_t bit = (block - 1) % GROUP_BLOCKS;
    if (bit_get(map->page, bit)) {
        change_bit(fs, map, bit, false);
        fs->c->group[group].free_blocks++;
    }
    cache_forget(fs, block);
    return OK;
}

enum err c_block_take(struct fs *fs, uint32_t goal, uint32_t *block)
{
    enum err e = take_somewhere(fs, goal, block);
    if (e == E_NOSPC && fs->c->hooks->reclaim != NULL && fs->c->hooks->reclaim(fs))
        e = take_somewhere(fs, goal, block);
    return e == E_NOSPC ? c_no_space(fs) : e;
}

enum err c_block_freed(struct fs *fs, struct inode *i, uint32_t block)
{
    (void)i;
    return c_block_clear(fs, block);
}

static enum err take_inode_in_group(struct fs *fs, uint32_t group, uint32_t *ino)
{
    struct buffer *map;
    struct group *g = &fs->c->group[group];
    if (g->free_inodes == 0)
        return E_NOSPC;
    enum err e = inode_map(fs, group, &map);
    if (e != OK)
        return e;
    uint32_t bit = find_clear(map->page, g->inode_hint, GROUP_INODES);
    if (group == 0 && bit < INO_FIRST)
        bit = find_clear(map->page, INO_FIRST, GROUP_INODES);
    if (bit == GROUP_INODES) {
        g->free_inodes = 0;
        return E_NOSPC;
    }
    change_bit(fs, map, bit, true);
    if (g->free_inodes > 0)
        g->free_inodes--;
    g->inode_hint = bit + 1;
    *ino = group * GROUP_INODES + bit;
    return OK;
}

/* The generation after the one that the number had, if that can be told. */
static enum err next_generation(struct fs *fs, uint32_t ino, uint32_t *generation)
{
    struct buffer *b;
    struct attributes old;
    uint32_t pointer[INODE_POINTERS];
    const struct inode *i = inode_find(fs, ino); /* one that was deleted */
    enum err e = c_get_meta(fs, inode_block(ino), INO_NONE, &b);
    if (e != OK)
        return e;
    if (i != NULL)
        *generation = i->d.generation + 1;
    else if (c_inode_decode(fs, &old, pointer, b->page + inode_offset(ino), ino) == OK)
        *generation = old.generation + 1;
    else
        *generation = 1;
    return OK;
}

/* E_NOSPC; or what is wrong with a bitmap, if the others have none. */
static enum err take_number(struct fs *fs, uint32_t near, uint32_t *ino)
{
    enum err worst = E_NOSPC;
    uint32_t first = near / GROUP_INODES % fs->c->super.groups;
    for (uint32_t k = 0; k < fs->c->super.groups; k++) {
        enum err e = take_inode_in_group(fs, (first + k) % fs->c->super.groups, ino);
        if (e == OK)
            return OK;
        if (e != E_NOSPC)
            worst = e;
    }
    return worst;
}

enum err c_inode_take(struct fs *fs, uint32_t near, uint32_t *ino, uint32_t *generation)
{
    enum err e = E_NOSPC;
    bool reclaimed = false;
    for (uint32_t tries = 0; tries < BAD_TABLE_TRIES; tries++) {
        e = take_number(fs, near, ino);
        if (e != OK && !reclaimed && fs->c->hooks->reclaim != NULL) {
            reclaimed = true;
            if (fs->c->hooks->reclaim(fs))
                continue;
        }
        if (e != OK)
            return e;
        e = next_generation(fs, *ino, generation);
        if (e != E_MEDIA)
            return e;
        /* Its block cannot be read: the number stays taken, nobody can use it. */
    }
    return e;
}

enum err c_inode_free(struct fs *fs, uint32_t ino)
{
    struct buffer *map;
    uint32_t group = ino / GROUP_INODES, bit = ino % GROUP_INODES;
    ASSERT(group < fs->c->super.groups);
    enum err e = inode_map(fs, group, &map);
    if (e != OK || !bit_get(map->page, bit))
        return e;
    change_bit(fs, map, bit, false);
    fs->c->group[group].free_inodes++;
    if (bit < fs->c->group[group].inode_hint)
        fs->c->group[group].inode_hint = bit;
    return OK;
}

uint64_t c_space_count(struct fs *fs, uint64_t enough)
{
    uint64_t free = 0;
    for (uint32_t group = 0; group < fs->c->super.groups && free < enough; group++) {
        struct buffer *map;
        if (fs->c->group[group].free_blocks != UNCOUNTED || block_map(fs, group, &map) == OK)
            free += fs->c->group[group].free_blocks;
    }
    return free;
}

void c_space_forget(struct fs *fs)
{
    for (uint32_t g = 0; g < fs->c->super.groups; g++)
        fs->c->group[g] = (struct group){.free_blocks = UNCOUNTED, .free_inodes = UNCOUNTED};
}
