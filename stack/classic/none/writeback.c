/*
 * Dirty blocks to disk: by age in address order (the update daemon), for an fsync, or because half
 * of the cache is dirty. Several runs of neighbours are under way while requests are served. No
 * flush, no FUA, no order between runs: that is what this file system is the control for.
 *
 * A write that fails for good makes the file system read-only: what memory held is then lost, and
 * each later sync says so.
 */
#include "assertion.h"
#include "none.h"

/* Ascending; shell sort with Ciura's gaps: no recursion, and quick enough for thousands. */
static void sort(uint32_t *v, uint32_t count)
{
    static const uint32_t gaps[] = {8861, 3938, 1750, 701, 301, 132, 57, 23, 10, 4, 1};
    for (uint32_t g = 0; g < sizeof(gaps) / sizeof(gaps[0]); g++) {
        uint32_t gap = gaps[g];
        for (uint32_t i = gap; i < count; i++) {
            uint32_t x = v[i], k = i;
            for (; k >= gap && v[k - gap] > x; k -= gap)
                v[k] = v[k - gap];
            v[k] = x;
        }
    }
}

static void fail(struct none *n, enum err why)
{
    if (n->read_only)
        return;
    n->read_only = true;
    n->write_error = why == E_DEAD ? E_MEDIA : why;
    plat_report(REPORT_DETECTED, (uint64_t) - (int64_t)why, 0);
    plat_report(REPORT_READ_ONLY, 0, 0);
}

/* Takes the oldest run off the ring; waits for its answer if need be. */
static void finish_oldest(struct none *n)
{
    ASSERT(n->runs > 0);
    struct run *r = &n->run[n->run_first];
    enum err e = block_wait(&n->client, r->slot);
    for (uint32_t i = 0; i < r->count; i++)
        cache_written(n, r->buffer[i]);
    n->run_first = (n->run_first + 1) % RUNS_MAX;
    n->runs--;
    if (e != OK)
        fail(n, e);
}

static struct buffer *writable(struct none *n, uint32_t block)
{
    struct buffer *b = cache_find(n, block);
    return b != NULL && b->dirty && !b->writing ? b : NULL;
}

static void take_into_run(struct none *n, struct run *r, struct plat_span *span, struct buffer *b)
{
    if (b->inodes != NULL)
        inode_encode_block(n, b);
    cache_undirty(b);
    b->writing = true;
    plat_page_state(b->page, PAGE_WRITING);
    span[r->count] = (struct plat_span){.base = b->page, .bytes = BLOCK_BYTES};
    r->buffer[r->count++] = b;
}

/* Sends the next run of neighbours in order[*at ..]; false if nothing is left to send. */
static bool send_run(struct none *n, const uint32_t *order, uint32_t count, uint32_t *at)
{
    struct plat_span span[WRITE_RUN_BLOCKS];
    ASSERT(n->runs < RUNS_MAX);
    struct run *r = &n->run[(n->run_first + n->runs) % RUNS_MAX];
    uint32_t first = 0;
    r->count = 0;
    while (*at < count && r->count < WRITE_RUN_BLOCKS) {
        struct buffer *b = writable(n, order[*at]);
        if (r->count > 0 && (b == NULL || b->block != first + r->count))
            break;
        (*at)++;
        if (b == NULL)
            continue;
        if (r->count == 0)
            first = b->block;
        take_into_run(n, r, span, b);
    }
    if (r->count == 0)
        return false;
    r->slot = block_submit(&n->client, BLOCK_WRITE, (uint64_t)first * (BLOCK_BYTES / SECTOR_BYTES),
                           false, span, r->count);
    n->runs++;
    return true;
}

void writeback_pump(struct none *n)
{
    while (n->runs > 0 && n->client.pending[n->run[n->run_first].slot].done)
        finish_oldest(n);
    while (n->runs < RUNS_MAX && n->order_at < n->order_count)
        if (!send_run(n, n->order, n->order_count, &n->order_at))
            break;
    writeback_set_alarm(n);
}

bool writeback_wait_one(struct none *n)
{
    if (n->runs == 0)
        return false;
    finish_oldest(n);
    writeback_pump(n);
    return true;
}

void writeback_start(struct none *n, uint64_t since_ns)
{
    if (n->order_at < n->order_count) {
        writeback_pump(n);
        return;
    }
    n->order_at = n->order_count = 0;
    for (struct buffer *b = n->dirty.dirty_next; b != &n->dirty; b = b->dirty_next) {
        if (b->dirty_since_ns > since_ns)
            break;
        ASSERT(n->order_count < n->buffers);
        n->order[n->order_count++] = b->block;
    }
    sort(n->order, n->order_count);
    if (n->order_count > 0)
        plat_probe(PROBE_NONE_WRITEBACK);
    writeback_pump(n);
}

void writeback_throttle(struct none *n)
{
    while (n->dirty_count > n->buffers_max / 2) {
        if (n->order_at >= n->order_count)
            writeback_start(n, UINT64_MAX);
        if (!writeback_wait_one(n))
            return;
    }
}

static uint32_t collect_inode(struct none *n, struct inode *i)
{
    uint32_t count = 0;
    for (struct buffer *b = i->dirty_head; b != NULL; b = b->own_next)
        n->sync_order[count++] = b->block;
    if (i->dirty)
        n->sync_order[count++] = inode_block(i->ino);
    return count;
}

static uint32_t collect_all(struct none *n)
{
    uint32_t count = 0;
    for (struct buffer *b = n->dirty.dirty_next; b != &n->dirty; b = b->dirty_next)
        n->sync_order[count++] = b->block;
    return count;
}

enum err writeback_sync(struct none *n, struct inode *inode)
{
    while (n->runs > 0)
        finish_oldest(n); /* a block under way cannot be sent again before */
    uint32_t count = inode != NULL ? collect_inode(n, inode) : collect_all(n);
    ASSERT(count <= n->buffers);
    sort(n->sync_order, count);
    for (uint32_t at = 0; at < count || n->runs > 0;) {
        bool sent = n->runs < RUNS_MAX && send_run(n, n->sync_order, count, &at);
        if (!sent && n->runs > 0)
            finish_oldest(n);
    }
    writeback_pump(n);
    return n->read_only ? n->write_error : OK;
}

void writeback_set_alarm(struct none *n)
{
    if (n->alarm_ns != 0 || n->dirty.dirty_next == &n->dirty || n->order_at < n->order_count)
        return;
    n->alarm_ns = n->dirty.dirty_next->dirty_since_ns + n->options.sync_ns;
    if (n->alarm_ns <= n->now_ns)
        n->alarm_ns = n->now_ns + 1;
    plat_alarm(n->alarm_ns);
}

void writeback_daemon(struct none *n)
{
    n->now_ns = plat_now();
    n->alarm_ns = 0;
    uint64_t along_ns = n->options.sync_ns / 2; /* younger ones go along: longer runs */
    writeback_start(n, n->now_ns > along_ns ? n->now_ns - along_ns : 0);
    writeback_set_alarm(n);
}
