/*
 * Blocks in memory. Clean ones are on an LRU ring, oldest first; dirty ones are on a ring by the
 * time they became dirty, and on a list of their inode. none.h has the invariants.
 *
 * What was read wrongly is not kept: a buffer in the hash always holds the block's content.
 */
#include "assertion.h"
#include "mem.h"
#include "none.h"

#define PREFETCH_MAX 64u /* blocks of one call; at most a quarter of the cache */

struct read { /* one read under way */
    uint32_t slot, count;
    struct buffer *buffer[PREFETCH_MAX];
};

enum err cache_init(struct none *n)
{
    uint64_t want = n->options.cache_bytes / BLOCK_BYTES;
    n->buffers_max = want > BUFFERS_MAX ? BUFFERS_MAX : (uint32_t)want;
    if (n->buffers_max < BUFFERS_MIN)
        n->buffers_max = BUFFERS_MIN;
    uint32_t buckets = BUFFERS_MIN;
    while (buckets < n->buffers_max)
        buckets *= 2;
    n->bucket_mask = buckets - 1;
    size_t room = n->buffers_max + BUFFER_CHUNK; /* buffers come in whole chunks */
    n->bucket = plat_alloc(buckets * sizeof(n->bucket[0]), TAG_HEAP);
    n->order = plat_alloc(room * sizeof(n->order[0]), TAG_HEAP);
    n->sync_order = plat_alloc(room * sizeof(n->sync_order[0]), TAG_HEAP);
    n->lru.lru_next = n->lru.lru_prev = &n->lru;
    n->dirty.dirty_next = n->dirty.dirty_prev = &n->dirty;
    return n->bucket != NULL && n->order != NULL && n->sync_order != NULL ? OK : E_FULL;
}

/* ---- Lists ---- */

static void lru_remove(struct buffer *b)
{
    ASSERT(b->lru_prev != NULL && b->lru_next != NULL);
    b->lru_prev->lru_next = b->lru_next;
    b->lru_next->lru_prev = b->lru_prev;
    b->lru_prev = b->lru_next = NULL;
}

static void lru_append(struct none *n, struct buffer *b)
{
    ASSERT(b->lru_next == NULL);
    ASSERT(!b->dirty && !b->writing);
    b->lru_prev = n->lru.lru_prev;
    b->lru_next = &n->lru;
    b->lru_prev->lru_next = b;
    n->lru.lru_prev = b;
}

static struct buffer **bucket_of(struct none *n, uint32_t block)
{
    return &n->bucket[(block * 2654435761u >> 7) & n->bucket_mask]; /* Fibonacci hashing */
}

struct buffer *cache_find(struct none *n, uint32_t block)
{
    struct buffer *b = *bucket_of(n, block);
    while (b != NULL && b->block != block)
        b = b->hash_next;
    return b;
}

static void hash_insert(struct none *n, struct buffer *b, uint32_t block)
{
    struct buffer **bucket = bucket_of(n, block);
    ASSERT(b->block == 0);
    b->block = block;
    b->hash_next = *bucket;
    *bucket = b;
}

static void hash_remove(struct none *n, struct buffer *b)
{
    struct buffer **at = bucket_of(n, b->block);
    while (*at != b) {
        ASSERT(*at != NULL);
        at = &(*at)->hash_next;
    }
    *at = b->hash_next;
    b->hash_next = NULL;
}

static void release(struct none *n, struct buffer *b)
{
    ASSERT(!b->dirty && !b->writing);
    hash_remove(n, b);
    b->block = 0;
    b->loading = false;
    b->hash_next = n->free_buffers;
    n->free_buffers = b;
    plat_page_state(b->page, PAGE_UNUSED);
}

/* ---- Room ---- */

static void add_chunk(struct none *n)
{
    struct buffer *b = plat_alloc(BUFFER_CHUNK * sizeof(*b), TAG_HEAP);
    uint8_t *pages = plat_alloc((size_t)BUFFER_CHUNK * BLOCK_BYTES, TAG_PAGES);
    if (b == NULL || pages == NULL) {
        n->buffers_max = n->buffers; /* the arena is used up: what there is must do */
        return;
    }
    for (uint32_t i = BUFFER_CHUNK; i-- > 0;) {
        b[i].page = pages + (size_t)i * BLOCK_BYTES;
        b[i].hash_next = n->free_buffers;
        n->free_buffers = &b[i];
    }
    n->buffers += BUFFER_CHUNK;
}

/* A free buffer: a fresh one, else the clean one that was not used for longest. */
static struct buffer *take_buffer(struct none *n)
{
    if (n->free_buffers == NULL && n->buffers < n->buffers_max)
        add_chunk(n);
    while (n->free_buffers == NULL) {
        struct buffer *victim = n->lru.lru_next;
        if (victim != &n->lru) {
            lru_remove(victim);
            release(n, victim);
            break;
        }
        if (!writeback_wait_one(n)) {
            writeback_start(n, UINT64_MAX);
            ASSERT(n->runs > 0); /* else nothing is dirty, and something would be clean */
        }
    }
    struct buffer *b = n->free_buffers;
    n->free_buffers = b->hash_next;
    b->hash_next = NULL;
    ASSERT(b->block == 0 && b->owner == NULL && b->inodes == NULL);
    return b;
}

/* ---- Reading ---- */

static enum err read_one(struct none *n, struct buffer *b, uint32_t block)
{
    enum err e = block_read(&n->client, (uint64_t)block * (BLOCK_BYTES / SECTOR_BYTES), b->page,
                            BLOCK_BYTES);
    return e == OK ? OK : E_MEDIA; /* a disk that is gone cannot either */
}

enum err cache_get(struct none *n, uint32_t block, struct buffer **out)
{
    struct buffer *b = cache_find(n, block);
    if (block == 0 || block >= n->super.blocks)
        return E_CORRUPT;
    if (b == NULL) {
        b = take_buffer(n);
        hash_insert(n, b, block);
        enum err e = read_one(n, b, block);
        if (e != OK) {
            release(n, b);
            return e;
        }
        plat_page_state(b->page, PAGE_CLEAN);
        lru_append(n, b);
    } else if (b->lru_next != NULL && n->lru.lru_prev != b) {
        lru_remove(b);
        lru_append(n, b);
    }
    *out = b;
    return OK;
}

struct buffer *cache_get_overwrite(struct none *n, uint32_t block)
{
    ASSERT(block != 0 && block < n->super.blocks);
    struct buffer *b = cache_find(n, block);
    if (b != NULL) {
        if (b->lru_next != NULL) {
            lru_remove(b);
            lru_append(n, b);
        }
        return b;
    }
    b = take_buffer(n);
    hash_insert(n, b, block);
    plat_page_state(b->page, PAGE_CLEAN);
    lru_append(n, b);
    return b;
}

struct buffer *cache_get_new(struct none *n, uint32_t block)
{
    struct buffer *b = cache_get_overwrite(n, block);
    memset(b->page, 0, BLOCK_BYTES);
    return b;
}

/* Ends a read: what came is kept; if the run failed, its blocks are read one by one, so that a bad
 * sector costs its own block only. */
static void read_done(struct none *n, struct read *r)
{
    enum err e = block_wait(&n->client, r->slot);
    for (uint32_t i = 0; i < r->count; i++) {
        struct buffer *b = r->buffer[i];
        ASSERT(b->loading);
        if (e != OK && read_one(n, b, b->block) != OK) {
            release(n, b);
            continue;
        }
        b->loading = false;
        plat_page_state(b->page, PAGE_CLEAN);
        lru_append(n, b);
    }
}

/* Takes the run of neighbours that are not here from blocks[*at] on. */
static void read_start(struct none *n, const uint32_t *blocks, uint32_t count, uint32_t *at,
                       struct read *r)
{
    struct plat_span span[PREFETCH_MAX];
    uint32_t first = blocks[*at];
    r->count = 0;
    while (*at < count && r->count < PREFETCH_MAX) {
        uint32_t block = blocks[*at];
        if (block != first + r->count || cache_find(n, block) != NULL)
            break;
        struct buffer *b = take_buffer(n);
        hash_insert(n, b, block);
        b->loading = true;
        span[r->count] = (struct plat_span){.base = b->page, .bytes = BLOCK_BYTES};
        r->buffer[r->count++] = b;
        (*at)++;
    }
    ASSERT(r->count > 0);
    r->slot = block_submit(&n->client, BLOCK_READ, (uint64_t)first * (BLOCK_BYTES / SECTOR_BYTES),
                           false, span, r->count);
}

void cache_prefetch(struct none *n, const uint32_t *blocks, uint32_t count)
{
    struct read reads[READS_MAX];
    uint32_t under_way = 0;
    uint32_t limit = n->buffers_max / 4 < PREFETCH_MAX ? n->buffers_max / 4 : PREFETCH_MAX;
    if (count > limit)
        count = limit;
    for (uint32_t at = 0; at < count;) {
        bool known = blocks[at] == 0 || blocks[at] >= n->super.blocks;
        if (known || cache_find(n, blocks[at]) != NULL) {
            at++;
            continue;
        }
        if (under_way == READS_MAX) {
            for (uint32_t i = 0; i < under_way; i++)
                read_done(n, &reads[i]);
            under_way = 0;
        }
        read_start(n, blocks, count, &at, &reads[under_way++]);
    }
    for (uint32_t i = 0; i < under_way; i++)
        read_done(n, &reads[i]);
}

/* ---- Changes ---- */

static void own(struct buffer *b, struct inode *owner)
{
    b->owner = owner;
    b->own_prev = NULL;
    b->own_next = owner->dirty_head;
    if (b->own_next != NULL)
        b->own_next->own_prev = b;
    owner->dirty_head = b;
}

void cache_dirty(struct none *n, struct buffer *b, struct inode *owner)
{
    ASSERT(b->block != 0 && !b->loading);
    if (b->dirty)
        return;
    if (b->lru_next != NULL)
        lru_remove(b);
    if (!b->writing)
        n->dirty_count++;
    b->dirty = true;
    b->dirty_since_ns = n->now_ns;
    b->dirty_prev = n->dirty.dirty_prev;
    b->dirty_next = &n->dirty;
    b->dirty_prev->dirty_next = b;
    n->dirty.dirty_prev = b;
    if (owner != NULL)
        own(b, owner);
    plat_page_state(b->page, PAGE_DIRTY);
    writeback_set_alarm(n);
}

void cache_undirty(struct buffer *b)
{
    ASSERT(b->dirty);
    b->dirty = false;
    b->dirty_prev->dirty_next = b->dirty_next;
    b->dirty_next->dirty_prev = b->dirty_prev;
    b->dirty_prev = b->dirty_next = NULL;
    if (b->owner == NULL)
        return;
    if (b->own_prev != NULL)
        b->own_prev->own_next = b->own_next;
    else
        b->owner->dirty_head = b->own_next;
    if (b->own_next != NULL)
        b->own_next->own_prev = b->own_prev;
    b->owner = NULL;
    b->own_prev = b->own_next = NULL;
}

void cache_written(struct none *n, struct buffer *b)
{
    ASSERT(b->writing);
    b->writing = false;
    if (b->dirty)
        return; /* changed meanwhile */
    ASSERT(n->dirty_count > 0);
    n->dirty_count--;
    plat_page_state(b->page, PAGE_CLEAN);
    lru_append(n, b);
}

void cache_forget(struct none *n, uint32_t block)
{
    struct buffer *b = cache_find(n, block);
    if (b == NULL)
        return;
    ASSERT(b->inodes == NULL);
    if (b->dirty) {
        cache_undirty(b);
        if (b->writing)
            return; /* becomes clean when it is answered */
        n->dirty_count--;
    } else if (b->writing) {
        return;
    } else {
        lru_remove(b);
    }
    release(n, b);
}

void cache_drop(struct none *n)
{
    ASSERT(n->dirty_count == 0);
    while (n->lru.lru_next != &n->lru) {
        struct buffer *b = n->lru.lru_next;
        lru_remove(b);
        release(n, b);
    }
}
