/*
 * Dirty blocks to disk: by age in address order (the update daemon), for an fsync, or because half
 * of the cache is dirty. Several runs of neighbours are under way while requests are served. No
 * flush, no FUA, no order between runs: that is the design's, which is asked before each block goes
 * (store->prepare) and told after it (store->written).
 *
 * A write that fails for good makes the file system read-only: what memory held is lost with it,
 * and each later sync says so; until then it is what readers get.
 */
#include "assertion.h"
#include "fs.h"

/* Until blocks that are due and cannot go yet are looked at again: assumption, far below any age.
 */
#define AGAIN_NS 1000000u

/* By place, ascending; shell sort with Ciura's gaps: no recursion, and quick enough for thousands.
 */
static void sort(struct want *v, uint32_t count)
{
    static const uint32_t gaps[] = {8861, 3938, 1750, 701, 301, 132, 57, 23, 10, 4, 1};
    for (uint32_t g = 0; g < sizeof(gaps) / sizeof(gaps[0]); g++) {
        uint32_t gap = gaps[g];
        for (uint32_t i = gap; i < count; i++) {
            struct want x = v[i];
            uint32_t k = i;
            for (; k >= gap && v[k - gap].block > x.block; k -= gap)
                v[k] = v[k - gap];
            v[k] = x;
        }
    }
}

void writeback_fail(struct fs *fs, enum err why)
{
    if (fs->read_only)
        return;
    fs->read_only = true;
    fs->write_error = as_media(why);
    plat_report(REPORT_DETECTED, (uint64_t) - (int64_t)why, 0);
    plat_report(REPORT_READ_ONLY, 0, 0);
}

/* Takes the oldest run off the ring; waits for its answer if need be. */
static void finish_oldest(struct fs *fs)
{
    ASSERT(fs->runs > 0);
    struct run *r = &fs->run[fs->run_first];
    enum err e = block_wait(&fs->client, r->slot);
    if (e != OK)
        writeback_fail(fs, e);
    for (uint32_t i = 0; i < r->count; i++) {
        r->buffer[i]->failed = e != OK;
        cache_written(fs, r->buffer[i]);
        if (fs->store->written != NULL)
            fs->store->written(fs, r->buffer[i], e);
    }
    fs->run_first = (fs->run_first + 1) % RUNS_MAX;
    fs->runs--;
}

/* The buffer if it can go now, and the page that goes. */
static struct buffer *writable(struct fs *fs, const struct want *want, uint8_t **page)
{
    struct buffer *b = cache_find(fs, want->key);
    if (b == NULL || !b->dirty || b->writing || b->block == 0 || b->block != want->block)
        return NULL;
    *page = fs->store->prepare != NULL ? fs->store->prepare(fs, b) : b->page;
    return *page != NULL ? b : NULL;
}

static void take_into_run(struct run *r, struct plat_span *span, struct buffer *b, uint8_t *page)
{
    cache_undirty(b);
    b->writing = true;
    plat_page_state(b->page, PAGE_WRITING);
    span[r->count] = (struct plat_span){.base = page, .bytes = BLOCK_BYTES};
    r->buffer[r->count++] = b;
}

/* Sends the next run of neighbours in order[*at ..]; false if nothing is left to send. */
static bool send_run(struct fs *fs, const struct want *order, uint32_t count, uint32_t *at)
{
    struct plat_span span[WRITE_RUN_BLOCKS];
    ASSERT(fs->runs < RUNS_MAX);
    struct run *r = &fs->run[(fs->run_first + fs->runs) % RUNS_MAX];
    uint32_t first = 0;
    r->count = 0;
    while (*at < count && r->count < WRITE_RUN_BLOCKS) {
        uint8_t *page;
        if (r->count > 0 && order[*at].block != first + r->count)
            break;
        struct buffer *b = writable(fs, &order[*at], &page);
        if (r->count > 0 && b == NULL)
            break;
        (*at)++;
        if (b == NULL)
            continue;
        if (r->count == 0)
            first = b->block;
        ASSERT(b->block == first + r->count);
        take_into_run(r, span, b, page);
    }
    if (r->count == 0)
        return false;
    r->slot = block_submit(&fs->client, BLOCK_WRITE, (uint64_t)first * SECTORS_A_BLOCK, false, span,
                           r->count);
    fs->runs++;
    return true;
}

void writeback_pump(struct fs *fs)
{
    while (fs->runs > 0 && fs->client.pending[fs->run[fs->run_first].slot].done)
        finish_oldest(fs);
    while (fs->runs < RUNS_MAX && fs->order_at < fs->order_count)
        if (!send_run(fs, fs->order, fs->order_count, &fs->order_at))
            break;
    writeback_set_alarm(fs);
}

static bool wait_one(struct fs *fs)
{
    if (fs->runs == 0)
        return false;
    finish_oldest(fs);
    writeback_pump(fs);
    return true;
}

void writeback_start(struct fs *fs, uint64_t since_ns)
{
    if (fs->order_at < fs->order_count) {
        writeback_pump(fs);
        return;
    }
    fs->order_at = fs->order_count = 0;
    for (struct buffer *b = fs->dirty.dirty_next; b != &fs->dirty; b = b->dirty_next) {
        if (b->dirty_since_ns > since_ns)
            break;
        ASSERT(fs->order_count < fs->buffers);
        fs->order[fs->order_count++] = (struct want){b->key, b->block};
    }
    sort(fs->order, fs->order_count);
    if (fs->order_count > 0 && fs->store->writeback_probe != PROBE_COUNT)
        plat_probe(fs->store->writeback_probe);
    writeback_pump(fs);
}

void writeback_throttle(struct fs *fs)
{
    while (fs->dirty_count > fs->buffers_max / 2) {
        if (fs->order_at >= fs->order_count)
            writeback_start(fs, UINT64_MAX);
        if (!wait_one(fs))
            return;
    }
}

void writeback_make_room(struct fs *fs)
{
    if (wait_one(fs))
        return;
    writeback_start(fs, UINT64_MAX);
    ASSERT(fs->runs > 0); /* else nothing is dirty, and something would be clean */
}

void writeback_settle(struct fs *fs)
{
    while (fs->runs > 0)
        finish_oldest(fs);
}

enum err writeback_blocks(struct fs *fs, struct want *list, uint32_t count)
{
    writeback_settle(fs); /* a block under way cannot be sent again before */
    sort(list, count);
    for (uint32_t at = 0; at < count || fs->runs > 0;) {
        bool sent = fs->runs < RUNS_MAX && send_run(fs, list, count, &at);
        if (!sent && fs->runs > 0)
            finish_oldest(fs);
    }
    writeback_pump(fs);
    return fs->read_only ? fs->write_error : OK;
}

uint32_t writeback_collect(struct fs *fs, struct inode *inode)
{
    uint32_t count = 0;
    struct want *list = fs->sync_order;
    if (inode != NULL)
        for (struct buffer *b = inode->dirty_head; b != NULL; b = b->own_next)
            list[count++] = (struct want){b->key, b->block};
    else
        for (struct buffer *b = fs->dirty.dirty_next; b != &fs->dirty; b = b->dirty_next)
            list[count++] = (struct want){b->key, b->block};
    ASSERT(count <= fs->buffers);
    return count;
}

enum err writeback_sync(struct fs *fs)
{
    return writeback_blocks(fs, fs->sync_order, writeback_collect(fs, NULL));
}

void writeback_set_alarm(struct fs *fs)
{
    if (fs->alarm_ns != 0 || fs->dirty.dirty_next == &fs->dirty || fs->order_at < fs->order_count)
        return;
    fs->alarm_ns = fs->dirty.dirty_next->dirty_since_ns + fs->options.sync_ns;
    if (fs->alarm_ns <= fs->now_ns) /* an older version of it is still on its way: not at once */
        fs->alarm_ns = fs->now_ns + AGAIN_NS;
    plat_alarm(fs->alarm_ns);
}

void writeback_daemon(struct fs *fs)
{
    fs->now_ns = plat_now();
    fs->alarm_ns = 0;
    uint64_t along_ns = fs->options.sync_ns / 2; /* younger ones go along: longer runs */
    writeback_start(fs, fs->now_ns > along_ns ? fs->now_ns - along_ns : 0);
    writeback_set_alarm(fs);
}
