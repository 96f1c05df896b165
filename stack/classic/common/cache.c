/*
 * Blocks in memory. Clean ones are on an LRU ring, oldest first; dirty ones are on a ring by the
 * time they became dirty, and on a list of their inode. fs.h has the invariants.
 *
 * What was read wrongly is not kept: a buffer in the hash always holds the block's content.
 */
#include "assertion.h"
#include "fs.h"
#include "mem.h"

struct read { /* one read under way */
    uint32_t slot, count;
    struct buffer *buffer[PREFETCH_MAX];
};

enum err cache_init(struct fs *fs)
{
    uint64_t want = fs->options.cache_bytes / BLOCK_BYTES;
    fs->buffers_max = want > BUFFERS_MAX ? BUFFERS_MAX : (uint32_t)want;
    if (fs->buffers_max < BUFFERS_MIN)
        fs->buffers_max = BUFFERS_MIN;
    uint32_t buckets = BUFFERS_MIN;
    while (buckets < fs->buffers_max)
        buckets *= 2;
    fs->bucket_mask = buckets - 1;
    size_t room = fs->buffers_max + BUFFER_CHUNK; /* buffers come in whole chunks */
    fs->bucket = plat_alloc(buckets * sizeof(fs->bucket[0]), TAG_HEAP);
    fs->order = plat_alloc(room * sizeof(fs->order[0]), TAG_HEAP);
    fs->sync_order = plat_alloc(room * sizeof(fs->sync_order[0]), TAG_HEAP);
    fs->lru.lru_next = fs->lru.lru_prev = &fs->lru;
    fs->dirty.dirty_next = fs->dirty.dirty_prev = &fs->dirty;
    return fs->bucket != NULL && fs->order != NULL && fs->sync_order != NULL ? OK : E_FULL;
}

/* ---- Lists ---- */

static void lru_remove(struct buffer *b)
{
    ASSERT(b->lru_prev != NULL && b->lru_next != NULL);
    b->lru_prev->lru_next = b->lru_next;
    b->lru_next->lru_prev = b->lru_prev;
    b->lru_prev = b->lru_next = NULL;
}

static void lru_append(struct fs *fs, struct buffer *b)
{
    ASSERT(b->lru_next == NULL);
    ASSERT(!b->dirty && !b->writing);
    b->lru_prev = fs->lru.lru_prev;
    b->lru_next = &fs->lru;
    b->lru_prev->lru_next = b;
    fs->lru.lru_prev = b;
}

static struct buffer **bucket_of(struct fs *fs, uint64_t key)
{
    uint64_t product = key * UINT64_C(0x9e3779b97f4a7c15); /* Fibonacci hashing: its high bits */
    return &fs->bucket[(product >> 40) & fs->bucket_mask];
}

struct buffer *cache_find(struct fs *fs, uint64_t key)
{
    struct buffer *b = *bucket_of(fs, key);
    while (b != NULL && b->key != key)
        b = b->hash_next;
    return b;
}

static void hash_insert(struct fs *fs, struct buffer *b, uint64_t key, uint32_t block)
{
    struct buffer **bucket = bucket_of(fs, key);
    ASSERT(b->key == 0 && key != 0);
    b->key = key;
    b->block = block;
    b->sum = 0;
    b->hash_next = *bucket;
    *bucket = b;
}

static void hash_remove(struct fs *fs, struct buffer *b)
{
    struct buffer **at = bucket_of(fs, b->key);
    while (*at != b) {
        ASSERT(*at != NULL);
        at = &(*at)->hash_next;
    }
    *at = b->hash_next;
    b->hash_next = NULL;
}

static void release(struct fs *fs, struct buffer *b)
{
    ASSERT(!b->dirty && !b->writing);
    ASSERT(b->pins == 0 && b->own == NULL);
    hash_remove(fs, b);
    b->key = 0;
    b->block = 0;
    b->loading = b->failed = false;
    b->hash_next = fs->free_buffers;
    fs->free_buffers = b;
    plat_page_state(b->page, PAGE_UNUSED);
}

/* ---- Room ---- */

static void add_chunk(struct fs *fs)
{
    struct buffer *b = plat_alloc(BUFFER_CHUNK * sizeof(*b), TAG_HEAP);
    uint8_t *pages = plat_alloc((size_t)BUFFER_CHUNK * BLOCK_BYTES, TAG_PAGES);
    if (b == NULL || pages == NULL) {
        fs->buffers_max = fs->buffers; /* the arena is used up: what there is must do */
        return;
    }
    for (uint32_t i = BUFFER_CHUNK; i-- > 0;) {
        b[i].page = pages + (size_t)i * BLOCK_BYTES;
        b[i].hash_next = fs->free_buffers;
        fs->free_buffers = &b[i];
    }
    fs->buffers += BUFFER_CHUNK;
}

/* The clean buffer that was not used for longest, is not pinned, and is on disk as it is here. */
static struct buffer *victim(struct fs *fs)
{
    struct buffer *b = fs->lru.lru_next;
    while (b != &fs->lru && (b->pins > 0 || b->failed))
        b = b->lru_next;
    return b == &fs->lru ? NULL : b;
}

/* A free buffer: a fresh one, else one that is evicted. */
static struct buffer *take_buffer(struct fs *fs)
{
    if (fs->free_buffers == NULL && fs->buffers < fs->buffers_max)
        add_chunk(fs);
    for (uint32_t tries = 0; fs->free_buffers == NULL; tries++) {
        struct buffer *old = victim(fs);
        if (old != NULL) {
            lru_remove(old);
            release(fs, old);
            break;
        }
        ASSERT(tries <= fs->buffers); /* else the design does not make room */
        fs->store->make_room(fs);
    }
    struct buffer *b = fs->free_buffers;
    fs->free_buffers = b->hash_next;
    b->hash_next = NULL;
    ASSERT(b->key == 0 && b->owner == NULL && b->own == NULL);
    return b;
}

/* ---- Reading ---- */

static enum err check(struct fs *fs, struct buffer *b)
{
    return fs->store->check != NULL ? fs->store->check(fs, b) : OK;
}

static enum err read_one(struct fs *fs, struct buffer *b)
{
    enum err e =
        block_read(&fs->client, (uint64_t)b->block * SECTORS_A_BLOCK, b->page, BLOCK_BYTES);
    return e == OK ? check(fs, b) : E_MEDIA; /* a disk that is gone cannot either */
}

static void touch(struct fs *fs, struct buffer *b)
{
    if (b->lru_next == NULL || fs->lru.lru_prev == b)
        return;
    lru_remove(b);
    lru_append(fs, b);
}

enum err cache_get(struct fs *fs, uint64_t key, uint32_t block, struct buffer **out)
{
    struct buffer *b = cache_find(fs, key);
    if (b == NULL) {
        if (key == 0 || block == 0 || block >= fs->blocks)
            return E_CORRUPT;
        b = take_buffer(fs);
        hash_insert(fs, b, key, block);
        enum err e = read_one(fs, b);
        if (e != OK) {
            release(fs, b);
            return e;
        }
        plat_page_state(b->page, PAGE_CLEAN);
        lru_append(fs, b);
    } else {
        touch(fs, b);
    }
    *out = b;
    return OK;
}

struct buffer *cache_get_overwrite(struct fs *fs, uint64_t key, uint32_t block)
{
    ASSERT(key != 0 && block < fs->blocks);
    struct buffer *b = cache_find(fs, key);
    if (b != NULL) {
        touch(fs, b);
        return b;
    }
    b = take_buffer(fs);
    hash_insert(fs, b, key, block);
    plat_page_state(b->page, PAGE_CLEAN);
    lru_append(fs, b);
    return b;
}

struct buffer *cache_get_new(struct fs *fs, uint64_t key, uint32_t block)
{
    struct buffer *b = cache_get_overwrite(fs, key, block);
    memset(b->page, 0, BLOCK_BYTES);
    return b;
}

/* Ends a read: what came is kept; if the run failed, its blocks are read one by one, so that a bad
 * sector costs its own block only. */
static void read_done(struct fs *fs, struct read *r)
{
    enum err run_status = block_wait(&fs->client, r->slot);
    for (uint32_t i = 0; i < r->count; i++) {
        struct buffer *b = r->buffer[i];
        ASSERT(b->loading);
        enum err e = run_status != OK ? read_one(fs, b) : check(fs, b);
        b->loading = false;
        if (e != OK) {
            release(fs, b);
            continue;
        }
        plat_page_state(b->page, PAGE_CLEAN);
        lru_append(fs, b);
    }
}

static bool is_wanted(struct fs *fs, const struct want *want)
{
    return want->key != 0 && want->block != 0 && want->block < fs->blocks &&
           cache_find(fs, want->key) == NULL;
}

/* Takes the run of neighbours that are not here from want[*at] on. */
static void read_start(struct fs *fs, const struct want *want, uint32_t count, uint32_t *at,
                       struct read *r)
{
    struct plat_span span[PREFETCH_MAX];
    uint32_t first = want[*at].block;
    r->count = 0;
    while (*at < count && r->count < PREFETCH_MAX) {
        if (want[*at].block != first + r->count || !is_wanted(fs, &want[*at]))
            break;
        struct buffer *b = take_buffer(fs);
        hash_insert(fs, b, want[*at].key, want[*at].block);
        b->loading = true;
        span[r->count] = (struct plat_span){.base = b->page, .bytes = BLOCK_BYTES};
        r->buffer[r->count++] = b;
        (*at)++;
    }
    ASSERT(r->count > 0);
    r->slot = block_submit(&fs->client, BLOCK_READ, (uint64_t)first * SECTORS_A_BLOCK, false, span,
                           r->count);
}

void cache_prefetch(struct fs *fs, const struct want *want, uint32_t count)
{
    struct read reads[READS_MAX];
    uint32_t under_way = 0;
    uint32_t limit = fs->buffers_max / 4 < PREFETCH_MAX ? fs->buffers_max / 4 : PREFETCH_MAX;
    if (count > limit)
        count = limit;
    for (uint32_t at = 0; at < count;) {
        if (!is_wanted(fs, &want[at])) {
            at++;
            continue;
        }
        if (under_way == READS_MAX) {
            for (uint32_t i = 0; i < under_way; i++)
                read_done(fs, &reads[i]);
            under_way = 0;
        }
        read_start(fs, want, count, &at, &reads[under_way++]);
    }
    for (uint32_t i = 0; i < under_way; i++)
        read_done(fs, &reads[i]);
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

void cache_dirty(struct fs *fs, struct buffer *b, struct inode *owner)
{
    ASSERT(b->key != 0 && !b->loading);
    if (b->dirty)
        return;
    if (b->lru_next != NULL)
        lru_remove(b);
    if (!b->writing)
        fs->dirty_count++;
    b->dirty = true;
    b->dirty_since_ns = fs->now_ns;
    b->dirty_prev = fs->dirty.dirty_prev;
    b->dirty_next = &fs->dirty;
    b->dirty_prev->dirty_next = b;
    fs->dirty.dirty_prev = b;
    if (owner != NULL)
        own(b, owner);
    plat_page_state(b->page, PAGE_DIRTY);
    writeback_set_alarm(fs);
}

void cache_disown(struct buffer *b)
{
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

void cache_undirty(struct buffer *b)
{
    ASSERT(b->dirty);
    b->dirty = false;
    b->dirty_prev->dirty_next = b->dirty_next;
    b->dirty_next->dirty_prev = b->dirty_prev;
    b->dirty_prev = b->dirty_next = NULL;
    cache_disown(b);
}

void cache_written(struct fs *fs, struct buffer *b)
{
    ASSERT(b->writing);
    b->writing = false;
    if (b->dirty)
        return; /* changed meanwhile */
    ASSERT(fs->dirty_count > 0);
    fs->dirty_count--;
    plat_page_state(b->page, PAGE_CLEAN);
    lru_append(fs, b);
}

void cache_forget(struct fs *fs, uint64_t key)
{
    struct buffer *b = cache_find(fs, key);
    if (b == NULL)
        return;
    ASSERT(b->pins == 0 && b->own == NULL);
    if (b->dirty) {
        cache_undirty(b);
        if (b->writing)
            return; /* becomes clean when it is answered */
        fs->dirty_count--;
    } else if (b->writing) {
        return;
    } else {
        lru_remove(b);
    }
    release(fs, b);
}

void cache_drop_private(struct fs *fs, struct buffer *b)
{
    ASSERT((b->key & KEY_PRIVATE) != 0 && b->block == 0);
    if (b->dirty)
        cache_undirty(b);
    else
        lru_remove(b);
    release(fs, b);
}

void cache_drop(struct fs *fs)
{
    ASSERT(fs->dirty_count == 0);
    for (struct buffer *b = victim(fs); b != NULL; b = victim(fs)) {
        lru_remove(b);
        release(fs, b);
    }
}
