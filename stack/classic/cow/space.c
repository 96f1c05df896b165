/*
 * The map: one bit a block, in blocks of a tree of their own. Of each block of it that was looked
 * at memory has five planes: what the batch to come reaches (this goes to disk), what may not be
 * given out, and what each of the last three batches freed.
 *
 * A mount does not read the map: a block of it comes when it is first needed. What the root before
 * the newest reached must stay whole until the next root is stable, so those bits, read from its
 * own map, count as freed by the newest batch.
 */
#include "assertion.h"
#include "bytes.h"
#include "cow.h"
#include "mem.h"
#include "planted.h"

#define WORD_BITS 64u
#define WORDS (BLOCK_BYTES / 8)

static bool bit_get(const uint8_t *map, uint32_t bit)
{
    return (map[bit / 8] >> bit % 8 & 1) != 0;
}

static void bit_set(uint8_t *map, uint32_t bit, bool on)
{
    uint8_t mask = (uint8_t)(1u << bit % 8);
    map[bit / 8] = on ? map[bit / 8] | mask : map[bit / 8] & (uint8_t)~mask;
}

static uint32_t ones(uint64_t x)
{
    x -= x >> 1 & UINT64_C(0x5555555555555555);
    x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
    x = (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (uint32_t)(x * UINT64_C(0x0101010101010101) >> 56);
}

static uint32_t count_set(const uint8_t *map)
{
    uint32_t set = 0;
    for (uint32_t w = 0; w < WORDS; w++)
        set += ones(get_le64(map + 8 * w));
    return set;
}

/* The lowest clear bit from `from` on, or COW_LEAF_BITS. */
static uint32_t find_clear(const uint8_t *map, uint32_t from)
{
    for (uint32_t bit = from; bit < COW_LEAF_BITS;) {
        uint64_t word = ~get_le64(map + bit / WORD_BITS * 8) >> bit % WORD_BITS;
        if (word != 0)
            return bit + (uint32_t)__builtin_ctzll(word);
        bit = (bit / WORD_BITS + 1) * WORD_BITS;
    }
    return COW_LEAF_BITS;
}

static uint32_t leaf_count(const struct cow *c)
{
    return c->map[0].count;
}

uint64_t cow_space_map_blocks(const struct cow *c)
{
    uint64_t blocks = 0;
    for (uint32_t level = 0; level <= c->map_height; level++)
        blocks += c->map[level].count;
    return blocks;
}

uint64_t cow_space_volume(const struct cow *c)
{
    return c->fs->blocks - 2 * ROOT_AREA_BLOCKS;
}

/* ---- Start ---- */

static enum err make_levels(struct cow *c)
{
    uint64_t count = (c->fs->blocks + COW_LEAF_BITS - 1) / COW_LEAF_BITS;
    for (uint32_t level = 0; level < MAP_LEVELS_MAX; level++) {
        c->map[level].count = (uint32_t)count;
        c->map[level].block = plat_alloc(count * sizeof(struct cow_map_block), TAG_HEAP);
        if (c->map[level].block == NULL)
            return E_FULL;
        c->map_height = level;
        if (count == 1)
            return OK;
        count = (count + COW_FANOUT - 1) / COW_FANOUT;
    }
    return E_FULL; /* cannot be: 32 bits of blocks are two levels of 256 above 2^17 leaves at most
                    */
}

/* Pointers out of a node into the level below. One that cannot be read hides what is below. */
static void read_node(struct cow *c, uint32_t level, uint32_t k)
{
    struct cow_map_block *node = &c->map[level].block[k];
    struct cow_map_level *below = &c->map[level - 1];
    if (node->pointer.address == 0 && !node->bad)
        return;
    bool bad = node->bad || cow_read(c, &node->pointer, c->scratch) != OK;
    for (uint32_t n = 0; n < COW_FANOUT && k * COW_FANOUT + n < below->count; n++) {
        struct cow_map_block *child = &below->block[k * COW_FANOUT + n];
        child->bad = bad;
        if (!bad)
            cow_pointer_decode(&child->pointer, c->scratch + POINTER_BYTES * n);
    }
}

enum err cow_space_init(struct cow *c)
{
    enum err e = OK;
    if (c->map[0].block == NULL)
        e = make_levels(c);
    if (e != OK)
        return e;
    ASSERT(!c->map[0].block[0].loaded); /* once a process: planes are not given back */
    c->map[c->map_height].block[0].pointer = c->stable.map;
    for (uint32_t level = c->map_height; level > 0; level--)
        for (uint32_t k = 0; k < c->map[level].count; k++)
            read_node(c, level, k);
    c->used = c->stable.used;
    c->free = 0;
    memset(c->deferred, 0, sizeof(c->deferred));
    c->cursor = ROOT_AREA_BLOCKS;
    return OK;
}

/* ---- Blocks of the map ---- */

/* Where the root before the newest has this leaf; address 0: the same place, or nothing to read. */
static struct cow_pointer previous_leaf(struct cow *c, uint32_t leaf)
{
    struct cow_pointer at = c->previous.map;
    uint32_t span = 1;
    for (uint32_t level = 1; level < c->map_height; level++)
        span *= COW_FANOUT;
    for (uint32_t level = c->map_height; level > 0 && at.address != 0; level--) {
        if (cow_read(c, &at, c->scratch) != OK)
            return (struct cow_pointer){0};
        cow_pointer_decode(&at, c->scratch + POINTER_BYTES * (leaf / span % COW_FANOUT));
        span /= COW_FANOUT;
    }
    const struct cow_pointer *now = &c->map[0].block[leaf].pointer;
    return at.address == now->address ? (struct cow_pointer){0} : at;
}

/* What only the root before the newest reaches counts as freed by the newest batch. */
static void keep_previous(struct cow *c, uint32_t leaf)
{
    struct cow_map_block *m = &c->map[0].block[leaf];
    uint32_t plane = (uint32_t)(c->stable.batch % PLANES);
    if (!c->has_previous || c->stable.batch == 0)
        return;
    struct cow_pointer at = previous_leaf(c, leaf);
    if (at.address == 0 || cow_read(c, &at, c->scratch) != OK)
        return;
    for (uint32_t k = 0; k < BLOCK_BYTES; k++)
        m->freed[plane][k] = c->scratch[k] & (uint8_t)~m->bits[k];
    uint32_t count = count_set(m->freed[plane]);
    m->has_freed[plane] = count > 0;
    c->deferred[plane] += count;
}

/* What is not between the roots is never given out. */
static void close_ends(struct cow *c, uint32_t leaf)
{
    struct cow_map_block *m = &c->map[0].block[leaf];
    uint64_t first = (uint64_t)leaf * COW_LEAF_BITS;
    uint64_t end = c->fs->blocks - ROOT_AREA_BLOCKS;
    for (uint32_t bit = 0; first + bit < ROOT_AREA_BLOCKS && bit < COW_LEAF_BITS; bit++)
        bit_set(m->busy, bit, true);
    uint32_t bit = first >= end                  ? 0
                   : end - first < COW_LEAF_BITS ? (uint32_t)(end - first)
                                                 : COW_LEAF_BITS;
    for (; bit < COW_LEAF_BITS; bit++)
        bit_set(m->busy, bit, true);
}

static bool make_planes(struct cow_map_block *m)
{
    if (m->bits != NULL)
        return true;
    uint8_t *all = plat_alloc((size_t)(2 + PLANES) * BLOCK_BYTES, TAG_HEAP);
    if (all == NULL)
        return false;
    m->bits = all;
    m->busy = all + BLOCK_BYTES;
    for (uint32_t k = 0; k < PLANES; k++)
        m->freed[k] = all + (size_t)(2 + k) * BLOCK_BYTES;
    return true;
}

struct cow_map_block *cow_space_leaf(struct cow *c, uint32_t leaf)
{
    struct cow_map_block *m = &c->map[0].block[leaf];
    if (m->loaded)
        return m->bad ? NULL : m;
    m->loaded = true;
    if (m->bad || !make_planes(m)) {
        m->bad = true;
        return NULL;
    }
    if (m->pointer.address != 0 && cow_read(c, &m->pointer, m->bits) != OK) {
        m->bad = true;
        return NULL;
    }
    keep_previous(c, leaf);
    memcpy(m->busy, m->bits, BLOCK_BYTES);
    for (uint32_t plane = 0; plane < PLANES; plane++)
        for (uint32_t k = 0; m->has_freed[plane] && k < BLOCK_BYTES; k++)
            m->busy[k] |= m->freed[plane][k];
    close_ends(c, leaf);
    m->free = COW_LEAF_BITS - count_set(m->busy);
    c->free += m->free;
    cow_segment_recount(c, leaf);
    return m;
}

bool cow_space_has(struct cow *c, uint64_t blocks)
{
    uint32_t first = c->cursor / COW_LEAF_BITS;
    if (c->fs->options.space_segment)
        return cow_segment_has(c, blocks);
    for (uint32_t k = 0; k < leaf_count(c) && c->free < blocks; k++)
        (void)cow_space_leaf(c, (first + k) % leaf_count(c));
    return c->free >= blocks;
}

/* ---- Taking and freeing ---- */

static void make_busy(struct cow *c, struct cow_map_block *m, uint32_t bit)
{
    ASSERT(m->free > 0 && !bit_get(m->busy, bit));
    bit_set(m->busy, bit, true);
    m->free--;
    c->free--;
}

static bool find_in(struct cow *c, uint32_t leaf, uint32_t from, uint32_t *block)
{
    struct cow_map_block *m = cow_space_leaf(c, leaf);
    if (m == NULL || m->free == 0)
        return false;
    uint32_t bit = find_clear(m->busy, from);
    if (bit == COW_LEAF_BITS)
        return false;
    make_busy(c, m, bit);
    *block = leaf * COW_LEAF_BITS + bit;
    c->cursor = *block + 1;
    ASSERT(cow_is_data(c->fs->blocks, *block));
    return true;
}

/* A block that is busy from now on. */
static enum err find(struct cow *c, uint64_t key, uint32_t *block)
{
    if (c->fs->options.space_segment) {
        enum err e = cow_segment_find(c, key, block);
        if (e == OK)
            make_busy(c, &c->map[0].block[*block / COW_LEAF_BITS], *block % COW_LEAF_BITS);
        return e;
    }

    uint32_t count = leaf_count(c);
    ASSERT(count > 0);
    uint32_t first = c->cursor / COW_LEAF_BITS % count;
    for (uint32_t k = 0; k <= count; k++) /* the first one twice: from the cursor, from its start */
        if (find_in(c, (first + k) % count, k == 0 ? c->cursor % COW_LEAF_BITS : 0, block))
            return OK;
    return E_NOSPC;
}

enum err cow_space_take(struct cow *c, uint64_t key, uint32_t *block)
{
    enum err e = find(c, key, block);
    if (e != OK)
        return e;
    struct cow_map_block *m = &c->map[0].block[*block / COW_LEAF_BITS];
    bit_set(m->bits, *block % COW_LEAF_BITS, true);
    m->dirty = true;
    c->used++;
    return OK;
}

/* It is given out again when what the open batch frees is. */
static void free_with_batch(struct cow *c, uint32_t block)
{
    uint32_t plane = (uint32_t)(c->batch % PLANES);
    struct cow_map_block *m = &c->map[0].block[block / COW_LEAF_BITS];
    bit_set(m->freed[plane], block % COW_LEAF_BITS, true);
    m->has_freed[plane] = true;
    c->deferred[plane]++;
}

enum err cow_space_take_log(struct cow *c, uint32_t *block)
{
    enum err e = find(c, 0, block);
    if (e == OK)
        free_with_batch(c, *block);
    return e;
}

void cow_space_claim(struct cow *c, uint32_t block)
{
    if (!cow_is_data(c->fs->blocks, block))
        return;
    struct cow_map_block *m = cow_space_leaf(c, block / COW_LEAF_BITS);
    if (m == NULL || bit_get(m->busy, block % COW_LEAF_BITS))
        return;
    make_busy(c, m, block % COW_LEAF_BITS);
    cow_segment_recount(c, block / COW_LEAF_BITS);
    free_with_batch(c, block);
}

void cow_space_free(struct cow *c, uint32_t block)
{
    uint32_t bit = block % COW_LEAF_BITS;
    if (!cow_is_data(c->fs->blocks, block))
        return;
    struct cow_map_block *m = cow_space_leaf(c, block / COW_LEAF_BITS);
    if (m == NULL || !bit_get(m->bits, bit)) {
        plat_report(REPORT_LEAK, 1, block);
        return;
    }
    bit_set(m->bits, bit, false);
    if (PLANTED(PLANTED_FREED_REUSED)) {
        bit_set(m->busy, bit, false);
        m->free++;
        m->dirty = true;
        c->free++;
        c->used--;
        c->cursor = block;
        return;
    }
    free_with_batch(c, block);
    m->dirty = true;
    if (c->used > 0)
        c->used--;
}

void cow_space_stable(struct cow *c, uint64_t batch)
{
    uint32_t plane = (uint32_t)((c->fs->options.defer == 1 ? batch : batch - 1) % PLANES);
    for (uint32_t leaf = 0; leaf < leaf_count(c) && c->deferred[plane] > 0; leaf++) {
        struct cow_map_block *m = &c->map[0].block[leaf];
        if (!m->has_freed[plane])
            continue;
        uint32_t count = count_set(m->freed[plane]);
        for (uint32_t k = 0; k < BLOCK_BYTES; k++)
            m->busy[k] &= (uint8_t)~m->freed[plane][k];
        memset(m->freed[plane], 0, BLOCK_BYTES);
        m->has_freed[plane] = false;
        m->free += count;
        c->free += count;
        ASSERT(c->deferred[plane] >= count);
        c->deferred[plane] -= count;
        cow_segment_recount(c, leaf);
    }
}

/* ---- Closing ---- */

/* A new place for one block of the map: changes bits, perhaps of others. */
static enum err place_one(struct cow *c, uint32_t level, uint32_t k)
{
    struct cow_map_block *m = &c->map[level].block[k];
    uint32_t old = m->pointer.address, address;
    enum err e = cow_space_take(c, cow_segment_map_key(level, k), &address);
    if (e != OK)
        return e;
    m->pointer = (struct cow_pointer){.address = address, .birth = (uint32_t)c->batch};
    m->placed = true;
    if (level < c->map_height)
        c->map[level + 1].block[k / COW_FANOUT].dirty = true;
    if (old != 0)
        cow_space_free(c, old);
    return OK;
}

/* Until nothing changes any more: each block is placed once, so the loop ends. */
static enum err place_all(struct cow *c)
{
    bool again = true;
    while (again) {
        again = false;
        for (uint32_t level = 0; level <= c->map_height; level++)
            for (uint32_t k = 0; k < c->map[level].count; k++) {
                struct cow_map_block *m = &c->map[level].block[k];
                if (!m->dirty || m->placed)
                    continue;
                enum err e = place_one(c, level, k);
                if (e != OK)
                    return e;
                again = true;
            }
    }
    return OK;
}

static enum err copy_one(struct cow *c, uint32_t level, uint32_t k)
{
    struct cow_map_block *m = &c->map[level].block[k];
    const uint8_t *page = m->bits;
    if (level > 0) {
        const struct cow_map_level *below = &c->map[level - 1];
        memset(c->scratch, 0, BLOCK_BYTES);
        for (uint32_t n = 0; n < COW_FANOUT && k * COW_FANOUT + n < below->count; n++)
            cow_pointer_encode(c->scratch + POINTER_BYTES * n,
                               &below->block[k * COW_FANOUT + n].pointer);
        page = c->scratch;
    }
    m->pointer.crc = plat_crc32c(page, BLOCK_BYTES);
    m->dirty = m->placed = false;
    return cow_copy_add(c, page, m->pointer.address, NULL);
}

enum err cow_space_place(struct cow *c)
{
    enum err e = place_all(c);
    for (uint32_t level = 0; level <= c->map_height; level++)
        for (uint32_t k = 0; k < c->map[level].count && e == OK; k++)
            if (c->map[level].block[k].placed)
                e = copy_one(c, level, k);
    return e;
}
