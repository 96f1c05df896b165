/*
 * Batches: reservations for what joins, and closing. Dirty buffers are taken in the order of their
 * keys, children before parents: each gets an address, its pointer with address and CRC goes into
 * its parent, and a copy of it is set aside to be written. The map comes last, then the root.
 */
#include "assertion.h"
#include "cow.h"
#include "mem.h"

#define ROOTS_TO_FREE 3u                  /* after so many roots nothing waits any more */
#define CLEAN_TRIES (16u * ROOTS_TO_FREE) /* of one request: 16 segments are cleaned, and free */
#define CLEAN_AT_ONCE 4u
#define WORTH_WAITING (SEGMENT_BYTES / BLOCK_BYTES / 2) /* blocks: as many as a segment gains */

enum err cow_batch_init(struct cow *c)
{
    c->copies_room = c->fs->buffers_max + BUFFER_CHUNK + (uint32_t)cow_space_map_blocks(c);
    c->order = plat_alloc(c->copies_room * sizeof(c->order[0]), TAG_HEAP);
    c->copy = plat_alloc(c->copies_room * sizeof(c->copy[0]), TAG_HEAP);
    return c->order != NULL && c->copy != NULL ? OK : E_FULL;
}

void cow_set_alarm(struct cow *c)
{
    struct fs *fs = c->fs;
    if (!c->changed || c->state != BATCH_NONE || fs->read_only)
        return;
    uint64_t at_ns = c->changed_since_ns + fs->options.sync_ns;
    if (at_ns <= fs->now_ns)
        at_ns = fs->now_ns + 1;
    if (fs->alarm_ns != 0 && fs->alarm_ns <= at_ns)
        return;
    fs->alarm_ns = at_ns;
    plat_alarm(at_ns);
}

void cow_joined(struct cow *c)
{
    if (c->changed)
        return;
    c->changed = true;
    c->changed_since_ns = c->fs->now_ns;
    cow_set_alarm(c);
}

void cow_alarm(struct fs *fs)
{
    struct cow *c = cow_of(fs);
    fs->now_ns = plat_now();
    fs->alarm_ns = 0;
    bool due = c->changed && fs->now_ns >= c->changed_since_ns + fs->options.sync_ns;
    if (due && c->state == BATCH_NONE)
        cow_close(c);
    cow_set_alarm(c);
}

/* ---- Room ---- */

static uint32_t dirty_limit(const struct cow *c)
{
    uint32_t half = c->fs->buffers_max / 2;
    return half < DIRTY_MAX ? half : DIRTY_MAX;
}

/* Blocks that are free after some more roots. */
static uint64_t deferred(const struct cow *c)
{
    uint64_t blocks = 0;
    for (uint32_t k = 0; k < PLANES; k++)
        blocks += c->deferred[k];
    return blocks;
}

static bool waits(const struct cow *c)
{
    return deferred(c) > 0 || c->fs->dirty_count > 0 || c->state != BATCH_NONE;
}

/* Another root, although perhaps nothing has changed: what was freed comes nearer to use. */
static void push(struct cow *c)
{
    cow_joined(c);
    cow_close(c);
    cow_write_wait(c);
}

void cow_make_memory(struct cow *c, uint64_t more)
{
    if (c->fs->dirty_count + more > dirty_limit(c))
        cow_close(c);
    if (c->fs->dirty_count + more > dirty_limit(c))
        cow_write_wait(c);
}

uint64_t cow_kept_back(const struct cow *c, bool frees)
{
    uint64_t some = cow_space_volume(c) / MARGIN_DIVISOR;
    if (!c->fs->options.space_segment)
        return frees ? 0 : some;
    uint32_t kept = cow_segments_kept(c);
    return (frees ? kept / 2 : kept) * SEGMENT_BYTES / BLOCK_BYTES + (frees ? 0 : 2 * some);
}

/* Once a batch, before space is really short. */
static void clean_ahead(struct cow *c)
{
    bool urgent = c->free_segments < 2 * cow_segments_kept(c);
    if (!c->fs->options.space_segment || c->cleaned == c->batch ||
        c->free_segments >= SEGMENTS_AHEAD)
        return;
    c->cleaned = c->batch;
    (void)cow_segment_clean(c, !urgent);
}

/* A few at once, as long as each has room to go to: the roots after it are for all of them. */
static bool clean_some(struct cow *c)
{
    uint64_t least = cow_space_map_blocks(c) + SEGMENT_BYTES / BLOCK_BYTES;
    uint32_t cleaned = 0;
    while (cleaned < CLEAN_AT_ONCE && cow_space_has(c, c->fs->dirty_count + least) &&
           cow_segment_clean(c, false))
        cleaned++;
    return cleaned > 0 || cow_segment_clean(c, false);
}

enum err cow_reserve(struct cow *c, uint64_t more, bool frees)
{
    struct fs *fs = c->fs;
    uint64_t want = cow_space_map_blocks(c) + more + cow_kept_back(c, frees);
    uint32_t tries = fs->options.space_segment ? CLEAN_TRIES : ROOTS_TO_FREE;
    ASSERT(more <= REQUEST_BLOCKS_MAX);
    clean_ahead(c);
    cow_make_memory(c, more);
    for (uint32_t k = 0; k <= tries && !fs->read_only; k++) {
        if (cow_space_has(c, fs->dirty_count + want))
            return OK;
        /* A root is cheap, and what was cleaned just now comes free by it. */
        bool clean = fs->options.space_segment && deferred(c) < WORTH_WAITING;
        bool moved = clean && clean_some(c);
        if (!moved && !waits(c))
            break;
        push(c);
    }
    return fs->read_only ? fs->write_error : E_NOSPC;
}

/* ---- Closing ---- */

/* Ascending; shell sort with Ciura's gaps: no recursion, and quick enough for thousands. */
void cow_sort(uint64_t *v, uint32_t count)
{
    static const uint32_t gaps[] = {8861, 3938, 1750, 701, 301, 132, 57, 23, 10, 4, 1};
    for (uint32_t g = 0; g < sizeof(gaps) / sizeof(gaps[0]); g++) {
        uint32_t gap = gaps[g];
        for (uint32_t i = gap; i < count; i++) {
            uint64_t x = v[i];
            uint32_t k = i;
            for (; k >= gap && v[k - gap] > x; k -= gap)
                v[k] = v[k - gap];
            v[k] = x;
        }
    }
}

enum err cow_copy_add(struct cow *c, const uint8_t *page, uint32_t address, struct buffer *b)
{
    ASSERT(c->copies < c->copies_room);
    struct cow_copy *copy = &c->copy[c->copies];
    if (copy->page == NULL)
        copy->page = plat_alloc(BLOCK_BYTES, TAG_PAGES);
    if (copy->page == NULL)
        return E_FULL;
    plat_copy(copy->page, page, BLOCK_BYTES);
    copy->address = address;
    copy->b = b;
    c->copies++;
    return OK;
}

static uint32_t collect(struct cow *c)
{
    uint32_t count = 0;
    for (struct buffer *b = c->fs->dirty.dirty_next; b != &c->fs->dirty; b = b->dirty_next) {
        ASSERT(count < c->copies_room);
        c->order[count++] = b->key;
    }
    cow_sort(c->order, count);
    return count;
}

/* Puts the new pointer where the old one is, which is returned. */
static struct cow_pointer exchange(struct cow *c, uint64_t key, const struct cow_pointer *fresh)
{
    struct cow_pointer old;
    uint32_t slot;
    struct buffer *parent = cow_tree_parent(c, key, &slot);
    if (parent != NULL) {
        cow_pointer_decode(&old, parent->page + POINTER_BYTES * slot);
        cow_pointer_encode(parent->page + POINTER_BYTES * slot, fresh);
    } else {
        old = cow_inode_pointer(c, cow_key_ino(key), slot);
        cow_inode_set_pointer(c, cow_key_ino(key), slot, fresh);
    }
    return old;
}

static enum err place(struct cow *c, uint64_t key)
{
    struct buffer *b = cow_present(c, key);
    struct cow_pointer fresh = {.birth = (uint32_t)c->batch};
    ASSERT(b != NULL && b->dirty && !b->writing);
    enum err e = cow_space_take(c, key, &fresh.address);
    if (e == OK)
        e = cow_copy_add(c, b->page, fresh.address, b);
    if (e != OK)
        return e;
    fresh.crc = plat_crc32c(b->page, BLOCK_BYTES);
    struct cow_pointer old = exchange(c, key, &fresh);
    if (old.address != 0)
        cow_space_free(c, old.address);
    cache_undirty(b);
    b->writing = true;
    b->block = fresh.address;
    plat_page_state(b->page, PAGE_WRITING);
    return OK;
}

/* Of the batch that was open until now. */
static void make_root(struct cow *c)
{
    c->closing = (struct cow_root){
        .uuid = {c->stable.uuid[0], c->stable.uuid[1]},
        .batch = c->batch - 1,
        .life = c->life,
        .blocks = c->fs->blocks,
        .inode_file = c->inode_tree.pointer[0],
        .map = c->map[c->map_height].block[0].pointer,
        .inodes = c->inodes,
        .files = c->files,
        .used = c->used,
        .log_address = c->closing_log,
        .log_seq = c->log_seq,
        .slot = cow_root_oldest(c),
        .clean = c->stopping,
    };
}

void cow_order_copies(struct cow *c)
{
    for (uint32_t k = 0; k < c->copies; k++)
        c->order[k] = (uint64_t)c->copy[k].address << 32 | k;
    cow_sort(c->order, c->copies);
}

void cow_close(struct cow *c)
{
    cow_write_wait(c);
    if (!c->changed || c->fs->read_only)
        return;
    ASSERT(c->fs->changed == NULL); /* between operations: all inodes are stored */
    plat_probe(PROBE_COW_CLOSED);
    uint32_t count = collect(c);
    enum err e = OK;
    c->copies = c->copies_sent = c->summary = 0;
    for (uint32_t k = 0; k < count && e == OK; k++)
        e = place(c, c->order[k]);
    if (e == OK)
        e = cow_space_place(c);
    if (e != OK) {
        writeback_fail(c->fs, e);
        return;
    }
    cow_segment_seal(c);
    c->batch++;
    if (!c->fs->options.fsync_log || cow_space_take_log(c, &c->closing_log) != OK)
        c->closing_log = 0;
    make_root(c);
    cow_order_copies(c);
    cow_log_reset(c);
    c->changed = false;
    cow_write_start(c);
}

enum err cow_sync(struct cow *c)
{
    cow_close(c);
    cow_write_wait(c);
    return c->fs->read_only ? c->fs->write_error : OK;
}
