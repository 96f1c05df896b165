/*
 * `space: segment`: blocks are given out one after the other within segments of 1 MiB of which
 * nothing is in use, so that a batch is written sequentially. What a batch puts into a segment
 * begins with a summary: the key of each block. Summaries are in no map: a segment is used again
 * when hardly a block of it is busy, and what is, is passed over: what cannot be read cannot be
 * moved, and must not cost a segment.
 *
 * The cleaner makes such segments: it takes the one with the highest (1 - u) age / (1 + u) (u:
 * share that is live; after LFS), looks up each key of its summaries, and makes dirty what the tree
 * still has there. So it moves with the next batch, and is freed as all that a batch frees.
 */
#include "assertion.h"
#include "bytes.h"
#include "cow.h"
#include "mem.h"

#define SEGMENT_BLOCKS (SEGMENT_BYTES / BLOCK_BYTES)
#define SEGMENTS_A_LEAF (COW_LEAF_BITS / SEGMENT_BLOCKS)
#define SEGMENT_MAP_BYTES (SEGMENT_BLOCKS / 8)
#define SUMMARY_MAGIC UINT64_C(0x316d7573776f6363)
#define SUMMARY_ENTRIES_MAX (SEGMENT_BLOCKS - 1)
#define SUMMARY_CRC (BLOCK_BYTES - 4)
#define LEFT_MAX                                                                                   \
    16u /* busy blocks of a segment that is used again: the room counted on is less                \
         */
#define ROOM (SUMMARY_ENTRIES_MAX - LEFT_MAX) /* blocks that a free segment takes at least */
#define LIVE_MAX 240u                         /* of 256: to move more gains too little */
#define MOVE_BLOCKS 8u /* that one block makes dirty: its path, its inode's path */
#define MAP_KEY (UINT64_C(1) << 62)

enum { /* offsets in a summary */
       SU_MAGIC = 0,
       SU_BATCH = 8,
       SU_ADDRESS = 16,
       SU_COUNT = 20,
       SU_ENTRIES = 24,
};
#define SU_ENTRY 12u /* key 8, address 4 */
_Static_assert(SU_ENTRIES + SUMMARY_ENTRIES_MAX * SU_ENTRY <= SUMMARY_CRC, "a summary fits");

uint64_t cow_segment_map_key(uint32_t level, uint32_t k)
{
    return MAP_KEY | (uint64_t)level << 32 | k;
}

enum err cow_segment_init(struct cow *c)
{
    size_t segments = c->fs->blocks / SEGMENT_BLOCKS + 1;
    if (!c->fs->options.space_segment)
        return OK;
    c->segment_birth = plat_alloc(segments * sizeof(c->segment_birth[0]), TAG_HEAP);
    c->segment_pages = plat_alloc((size_t)SEGMENT_BLOCKS * BLOCK_BYTES, TAG_HEAP);
    c->segment_left = plat_alloc(segments * sizeof(c->segment_left[0]), TAG_HEAP);
    bool all = c->segment_birth != NULL && c->segment_pages != NULL && c->segment_left != NULL;
    return all ? OK : E_FULL;
}

/* ---- Free segments ---- */

uint32_t cow_segments_kept(const struct cow *c)
{
    uint64_t share = cow_space_volume(c) / SEGMENT_BLOCKS / SEGMENTS_SHARE;
    if (share < SEGMENTS_KEPT_MIN)
        return SEGMENTS_KEPT_MIN;
    return share < SEGMENTS_KEPT_MAX ? (uint32_t)share : SEGMENTS_KEPT_MAX;
}

static bool is_current(const struct cow *c, uint32_t segment)
{
    return c->segment_end != 0 && segment == (c->segment_end - 1) / SEGMENT_BLOCKS;
}

static bool is_free(const struct cow *c, const struct cow_map_block *m, uint32_t segment)
{
    const uint8_t *at = m->busy + segment % SEGMENTS_A_LEAF * SEGMENT_MAP_BYTES;
    uint32_t busy = 0;
    for (uint32_t k = 0; k < SEGMENT_MAP_BYTES && busy <= LEFT_MAX; k += 8)
        for (uint64_t word = get_le64(at + k); word != 0; word &= word - 1)
            busy++;
    return busy <= LEFT_MAX && !is_current(c, segment);
}

void cow_segment_recount(struct cow *c, uint32_t leaf)
{
    struct cow_map_block *m = &c->map[0].block[leaf];
    if (!c->fs->options.space_segment)
        return;
    ASSERT(m->loaded && c->free_segments >= m->free_segments);
    c->free_segments -= m->free_segments;
    m->free_segments = 0;
    for (uint32_t k = 0; k < SEGMENTS_A_LEAF; k++)
        m->free_segments += is_free(c, m, leaf * SEGMENTS_A_LEAF + k) ? 1 : 0;
    c->free_segments += m->free_segments;
}

bool cow_segment_has(struct cow *c, uint64_t blocks)
{
    uint32_t count = c->map[0].count;
    uint64_t here = c->segment_end - c->segment_next;
    here = here > LEFT_MAX ? here - LEFT_MAX : 0;
    for (uint32_t leaf = 0; leaf < count; leaf++) {
        if (here + (uint64_t)c->free_segments * ROOM > blocks + 1)
            return true;
        (void)cow_space_leaf(c, leaf);
    }
    return here + (uint64_t)c->free_segments * ROOM > blocks + 1;
}

/* ---- Filling ---- */

static uint8_t *summary_page(struct cow *c)
{
    ASSERT(c->summary > 0 && c->summary <= c->copies);
    return c->copy[c->summary - 1].page;
}

void cow_segment_seal(struct cow *c)
{
    if (c->summary == 0)
        return;
    uint8_t *page = summary_page(c);
    put_le32(page + SUMMARY_CRC, plat_crc32c(page, SUMMARY_CRC));
    c->summary = 0;
}

static enum err open_segment(struct cow *c)
{
    uint32_t leaves = c->map[0].count, first = c->segment_end / COW_LEAF_BITS % leaves;
    uint32_t old = c->segment_end;
    cow_segment_seal(c);
    for (uint32_t n = 0; n <= leaves; n++) {
        uint32_t leaf = (first + n) % leaves;
        struct cow_map_block *m = cow_space_leaf(c, leaf);
        for (uint32_t k = 0; m != NULL && m->free_segments > 0 && k < SEGMENTS_A_LEAF; k++) {
            uint32_t segment = leaf * SEGMENTS_A_LEAF + k;
            if (!is_free(c, m, segment) || (n == 0 && segment * SEGMENT_BLOCKS < c->segment_end))
                continue;
            c->segment_next = segment * SEGMENT_BLOCKS;
            c->segment_end = c->segment_next + SEGMENT_BLOCKS;
            c->segment_birth[segment] = c->batch;
            c->segment_left[segment] = 0;
            cow_segment_recount(c, leaf);
            if (old != 0)
                cow_segment_recount(c, (old - 1) / COW_LEAF_BITS);
            return OK;
        }
    }
    return E_NOSPC;
}

static enum err open_summary(struct cow *c)
{
    memset(c->scratch, 0, BLOCK_BYTES);
    put_le64(c->scratch + SU_MAGIC, SUMMARY_MAGIC);
    put_le64(c->scratch + SU_BATCH, c->batch);
    put_le32(c->scratch + SU_ADDRESS, c->segment_next);
    enum err e = cow_copy_add(c, c->scratch, c->segment_next, NULL);
    if (e != OK)
        return e;
    c->summary = c->copies;
    c->segment_next++;
    return OK;
}

/* The first block of the segment from `at` on that is not busy, or its end. */
static uint32_t skip_busy(const struct cow *c, uint32_t at)
{
    for (; at < c->segment_end; at++) {
        const uint8_t *busy = c->map[0].block[at / COW_LEAF_BITS].busy;
        if ((busy[at % COW_LEAF_BITS / 8] >> at % 8 & 1) == 0)
            break;
    }
    return at;
}

/* Whether it has room for one block, and for a summary before it. */
static bool has_room(const struct cow *c, bool summary)
{
    uint32_t at = skip_busy(c, c->segment_next);
    if (summary && at < c->segment_end)
        at = skip_busy(c, at + 1);
    return at < c->segment_end;
}

enum err cow_segment_find(struct cow *c, uint64_t key, uint32_t *block)
{
    enum err e = OK;
    bool summary = key != 0 && c->summary == 0;
    if (!has_room(c, summary)) {
        e = open_segment(c);
        summary = key != 0;
    }
    if (e != OK)
        return e;
    c->segment_next = skip_busy(c, c->segment_next);
    if (summary)
        e = open_summary(c);
    if (e != OK)
        return e;
    *block = skip_busy(c, c->segment_next);
    ASSERT(*block < c->segment_end);
    c->segment_next = *block + 1;
    if (key == 0)
        return OK;
    uint8_t *page = summary_page(c);
    uint32_t count = get_le32(page + SU_COUNT);
    ASSERT(count < SUMMARY_ENTRIES_MAX);
    put_le64(page + SU_ENTRIES + SU_ENTRY * count, key);
    put_le32(page + SU_ENTRIES + SU_ENTRY * count + 8, *block);
    put_le32(page + SU_COUNT, count + 1);
    return OK;
}

/* ---- Cleaning ---- */

static uint32_t live_in(const struct cow_map_block *m, uint32_t segment)
{
    const uint8_t *at = m->bits + segment % SEGMENTS_A_LEAF * SEGMENT_MAP_BYTES;
    uint32_t live = 0;
    for (uint32_t k = 0; k < SEGMENT_MAP_BYTES; k++)
        for (uint32_t byte = at[k]; byte != 0; byte &= byte - 1)
            live++;
    return live;
}

/* The segment that it pays most to clean; false: none does. */
static bool choose(struct cow *c, uint32_t live_max, uint32_t *segment)
{
    uint64_t best = 0;
    for (uint32_t leaf = 0; leaf < c->map[0].count; leaf++) {
        const struct cow_map_block *m = &c->map[0].block[leaf];
        for (uint32_t k = 0; m->loaded && !m->bad && k < SEGMENTS_A_LEAF; k++) {
            uint32_t s = leaf * SEGMENTS_A_LEAF + k, live = live_in(m, s);
            if (live <= LEFT_MAX || live > live_max || is_current(c, s) ||
                c->segment_birth[s] == c->batch || live == c->segment_left[s])
                continue;
            uint64_t age = c->batch - c->segment_birth[s];
            uint64_t gain =
                (SEGMENT_BLOCKS - live) * age * SEGMENT_BLOCKS / (SEGMENT_BLOCKS + live);
            if (gain <= best)
                continue;
            best = gain;
            *segment = s;
        }
    }
    return best > 0;
}

/* What cannot be read is no summary. */
static void read_segment(struct cow *c, uint32_t segment)
{
    const uint32_t half = SEGMENT_BLOCKS / 2;
    _Static_assert(SEGMENT_BLOCKS / 2 <= BLOCK_IO_MAX_BLOCKS, "two reads suffice");
    for (uint32_t k = 0; k < 2; k++) {
        uint8_t *to = c->segment_pages + (size_t)k * half * BLOCK_BYTES;
        uint64_t first = (uint64_t)segment * SEGMENT_BLOCKS + k * half;
        if (block_read(&c->fs->client, first * SECTORS_A_BLOCK, to, half * BLOCK_BYTES) == OK)
            continue;
        for (uint32_t n = 0; n < half; n++)
            if (block_read(&c->fs->client, (first + n) * SECTORS_A_BLOCK,
                           to + (size_t)n * BLOCK_BYTES, BLOCK_BYTES) != OK)
                memset(to + (size_t)n * BLOCK_BYTES, 0, BLOCK_BYTES);
    }
}

static bool is_summary(const uint8_t *page, uint32_t address)
{
    return get_le64(page) == SUMMARY_MAGIC && get_le32(page + SU_ADDRESS) == address &&
           get_le32(page + SU_COUNT) <= SUMMARY_ENTRIES_MAX &&
           get_le32(page + SUMMARY_CRC) == plat_crc32c(page, SUMMARY_CRC);
}

static bool move(struct cow *c, uint64_t key, uint32_t address)
{
    uint32_t level = (uint32_t)(key >> 32) & 3u, k = (uint32_t)key;
    if ((key & MAP_KEY) == 0 || key >> 63 != 0)
        return cow_tree_move(c, key, address);
    if (level > c->map_height || k >= c->map[level].count ||
        c->map[level].block[k].pointer.address != address)
        return false;
    c->map[level].block[k].dirty = true;
    cow_joined(c);
    return true;
}

/* *all: it did not end for lack of space. */
static uint32_t clean_summary(struct cow *c, const struct cow_map_block *m, const uint8_t *page,
                              bool *all)
{
    uint32_t moved = 0;
    for (uint32_t k = 0; k < get_le32(page + SU_COUNT) && !c->fs->read_only; k++) {
        const uint8_t *raw = page + SU_ENTRIES + SU_ENTRY * k;
        uint32_t address = get_le32(raw + 8), bit = address % COW_LEAF_BITS;
        if (!cow_is_data(c->fs->blocks, address) || (m->bits[bit / 8] >> bit % 8 & 1) == 0)
            continue;
        cow_make_memory(c, MOVE_BLOCKS);
        if (!cow_segment_has(c, c->fs->dirty_count + cow_space_map_blocks(c) + MOVE_BLOCKS)) {
            *all = false;
            return moved;
        }
        moved += move(c, get_le64(raw), address) ? 1 : 0;
    }
    return moved;
}

bool cow_segment_clean(struct cow *c, bool cheap)
{
    uint32_t segment = 0, moved = 0;
    cow_write_wait(c);
    if (c->fs->read_only || !choose(c, cheap ? SEGMENT_BLOCKS / 2 : LIVE_MAX, &segment))
        return false;
    const struct cow_map_block *m = &c->map[0].block[segment / SEGMENTS_A_LEAF];
    uint32_t live = live_in(m, segment);
    bool all = true;
    read_segment(c, segment);
    for (uint32_t k = 0; k < SEGMENT_BLOCKS; k++) {
        const uint8_t *page = c->segment_pages + (size_t)k * BLOCK_BYTES;
        if (is_summary(page, segment * SEGMENT_BLOCKS + k))
            moved += clean_summary(c, m, page, &all);
    }
    if (all && live > moved)
        c->segment_left[segment] = (uint16_t)(live - moved);
    c->segment_birth[segment] = c->batch; /* not at once again, whatever stays in it */
    plat_probe(PROBE_COW_CLEAN);
    return moved > 0;
}
