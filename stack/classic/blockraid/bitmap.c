/*
 * The bitmap of levels 1 and 5: one bit a MiB of a column, on all its members. Set and stable
 * before the first write to the region; cleared when the region was idle for IDLE_NS and flushed
 * since. So after a crash only regions with a bit can differ. Without a bitmap (`bitmap: off`) all
 * bits stand for one: set with the first write, cleared when all was idle for SAFE_NS and flushed
 * since.
 *
 * Only one write of a column's bitmap is under way at a time. `gen` counts changes of the bits in
 * memory; a write makes the generation stable that it was taken from.
 */
#include "assertion.h"
#include "mem.h"
#include "planted.h"
#include "raid.h"

#define REGIONS_A_BLOCK (BLOCK_BYTES * 8)

static void change_bit(struct column *col, uint32_t region, bool on)
{
    uint8_t mask = (uint8_t)(1u << region % 8);
    uint32_t block = region / REGIONS_A_BLOCK;
    ASSERT(region < col->regions);
    ASSERT(col->region[region].set != on);
    col->region[region].set = on;
    col->set = on ? col->set + 1 : col->set - 1;
    col->bits[region / 8] =
        on ? col->bits[region / 8] | mask : col->bits[region / 8] & (uint8_t)~mask;
    if (col->dirty_first == UINT32_MAX) {
        col->dirty_first = col->dirty_last = block;
    } else {
        col->dirty_first = block < col->dirty_first ? block : col->dirty_first;
        col->dirty_last = block > col->dirty_last ? block : col->dirty_last;
    }
    col->gen++;
}

/* Without a bitmap a write is one to all regions. */
static void set_all(struct raid *r, struct column *col)
{
    if (col->set == col->regions && !r->sweeping)
        return;
    for (uint32_t k = 0; k < col->regions; k++) {
        col->region[k].candidate = false;
        if (!col->region[k].set)
            change_bit(col, k, true);
    }
}

uint64_t bitmap_begin(struct raid *r, uint32_t column, uint64_t first, uint32_t count)
{
    struct column *col = &r->column[column];
    uint64_t now_ns = plat_now();
    bool wait = false;
    if (r->copies < 2)
        return 0;
    if (!r->options.raid_bitmap)
        set_all(r, col);
    for (uint64_t k = first / REGION_SECTORS; k <= (first + count - 1) / REGION_SECTORS; k++) {
        struct region *region = &col->region[k];
        region->writes++;
        region->last_ns = now_ns;
        region->candidate = false;
        if (!region->set)
            change_bit(col, (uint32_t)k, true);
        wait = true;
    }
    /* A bit that is set may still be on its way: then that generation is waited for. */
    if (PLANTED(PLANTED_RAID_BIT_LATE))
        return 0;
    return wait && col->stable_gen < col->gen ? col->gen : 0;
}

void bitmap_end(struct raid *r, uint32_t column, uint64_t first, uint32_t count)
{
    struct column *col = &r->column[column];
    if (r->copies < 2)
        return;
    for (uint64_t k = first / REGION_SECTORS; k <= (first + count - 1) / REGION_SECTORS; k++) {
        ASSERT(col->region[k].writes > 0);
        col->region[k].writes--;
    }
}

void bitmap_push(struct raid *r, uint32_t column)
{
    struct column *col = &r->column[column];
    if (col->writing || col->dirty_first == UINT32_MAX)
        return;
    struct request *q = request_take(r, KIND_BITMAP, BLOCK_WRITE);
    uint32_t blocks = col->dirty_last - col->dirty_first + 1;
    if (q == NULL)
        return; /* tried again when a request ends */
    if (!request_get_pages(r, q, blocks)) {
        q->used = false;
        return;
    }
    for (uint32_t k = 0; k < blocks; k++)
        plat_copy(q->page[k], col->bits + (size_t)(col->dirty_first + k) * BLOCK_BYTES,
                  BLOCK_BYTES);
    q->fua = true;
    q->column = column;
    q->first = (uint64_t)(BITMAP_BLOCK + col->dirty_first) * SECTORS_A_BLOCK;
    q->count = blocks * SECTORS_A_BLOCK;
    col->writing = true;
    col->writing_gen = col->gen;
    col->dirty_first = UINT32_MAX;
    q->parts = 1; /* held until all parts are added */
    for (uint32_t copy = 0; copy < r->copies; copy++)
        if (r->member[raid_disk(r, column, copy)]->usable)
            request_add_part(r, q, raid_disk(r, column, copy), column, q->first, q->count);
    q->parts--;
    if (q->parts == 0) { /* no member is left: nothing to protect */
        col->writing = false;
        col->stable_gen = col->writing_gen;
        q->used = false;
    }
}

void bitmap_written(struct raid *r, const struct request *q)
{
    struct column *col = &r->column[q->column];
    ASSERT(col->writing);
    col->writing = false;
    col->stable_gen = col->writing_gen;
    plat_probe(PROBE_RAID_BIT_SET);
    bitmap_push(r, q->column);
    request_wake(r);
}

/* Without a bitmap: all bits go together. */
static bool all_are_candidates(const struct column *col)
{
    for (uint32_t k = 0; k < col->regions; k++)
        if (col->region[k].set && !col->region[k].candidate)
            return false;
    return true;
}

void bitmap_sweep(struct raid *r)
{
    uint64_t now_ns = plat_now();
    uint64_t idle_ns = r->options.raid_bitmap ? IDLE_NS : SAFE_NS;
    bool any = false;
    r->sweep_ns = now_ns + (r->options.raid_bitmap ? SWEEP_NS : SAFE_NS);
    if (r->sweeping || r->copies < 2)
        return;
    for (uint32_t c = 0; c < r->columns; c++) {
        struct column *col = &r->column[c];
        for (uint32_t k = 0; k < col->regions && col->set > 0; k++) {
            struct region *g = &col->region[k];
            g->candidate =
                g->set && !g->unsynced && g->writes == 0 && now_ns - g->last_ns >= idle_ns;
            any |= g->candidate;
        }
        if (!r->options.raid_bitmap && !all_are_candidates(col))
            return; /* later */
    }
    if (!any)
        return;
    struct request *q = request_take(r, KIND_SWEEP, BLOCK_FLUSH);
    if (q == NULL)
        return;
    r->sweeping = true;
    q->parts = 1;
    for (uint32_t d = 0; d < r->disks; d++)
        if (r->member[d]->usable)
            request_add_part(r, q, d, d / r->copies, 0, 0);
    q->parts--;
    if (q->parts == 0) {
        r->sweeping = false;
        q->used = false;
    }
}

void bitmap_swept(struct raid *r, const struct request *q)
{
    r->sweeping = false;
    for (uint32_t c = 0; c < r->columns; c++) {
        struct column *col = &r->column[c];
        if ((q->columns_ok >> c & 1) == 0 || q->status != OK)
            continue;
        for (uint32_t k = 0; k < col->regions; k++)
            if (col->region[k].candidate) {
                col->region[k].candidate = false;
                change_bit(col, k, false);
            }
        bitmap_push(r, c);
    }
}

bool bitmap_is_unsynced(const struct raid *r, uint32_t column, uint64_t first, uint32_t count)
{
    const struct column *col = &r->column[column];
    if (r->copies < 2 || col->unsynced == 0)
        return false;
    for (uint64_t k = first / REGION_SECTORS; k <= (first + count - 1) / REGION_SECTORS; k++)
        if (col->region[k].unsynced)
            return true;
    return false;
}

bool bitmap_is_busy(const struct raid *r, uint32_t column, uint64_t first, uint32_t count)
{
    const struct column *col = &r->column[column];
    for (uint64_t k = first / REGION_SECTORS; k <= (first + count - 1) / REGION_SECTORS; k++)
        if (col->region[k].writes > 0)
            return true;
    return false;
}

void region_mark(struct column *col, uint32_t region, uint32_t lost, bool joins)
{
    struct region *g = &col->region[region];
    region_clear(col, region);
    g->unsynced = true;
    g->candidate = false;
    g->joins = joins;
    g->lost = (uint8_t)lost;
    col->unsynced++;
    col->joining += joins ? 1 : 0;
}

void region_clear(struct column *col, uint32_t region)
{
    struct region *g = &col->region[region];
    ASSERT(region < col->regions);
    if (!g->unsynced)
        return;
    ASSERT(col->unsynced > 0);
    ASSERT(!g->joins || col->joining > 0);
    col->unsynced--;
    col->joining -= g->joins ? 1 : 0;
    g->unsynced = g->joins = false;
    g->lost = 0;
}

void bitmap_clear(struct raid *r, uint32_t column, uint32_t region)
{
    struct column *col = &r->column[column];
    ASSERT(!col->region[region].unsynced);
    ASSERT(col->region[region].writes == 0);
    if (!r->options.raid_bitmap)
        return; /* the sweep does it, for all together */
    if (col->region[region].set)
        change_bit(col, region, false);
    bitmap_push(r, column);
}

void bitmap_clear_all(struct raid *r)
{
    struct column *col = &r->column[0];
    ASSERT(raid_is_5(r));
    if (col->writing || col->unsynced > col->joining)
        return; /* the next time */
    for (uint32_t k = 0; k < col->regions; k++)
        if (col->region[k].writes > 0)
            return;
    for (uint32_t k = 0; k < col->regions; k++) {
        col->region[k].candidate = false;
        if (col->region[k].set)
            change_bit(col, k, false);
    }
    if (col->dirty_first == UINT32_MAX)
        return;
    size_t bytes = (size_t)(col->dirty_last - col->dirty_first + 1) * BLOCK_BYTES;
    uint64_t first = (uint64_t)(BITMAP_BLOCK + col->dirty_first) * SECTORS_A_BLOCK;
    const uint8_t *from = col->bits + (size_t)col->dirty_first * BLOCK_BYTES;
    r->recheck = true;
    col->dirty_first = UINT32_MAX;
    col->stable_gen = col->gen;
    for (uint32_t d = 0; d < r->disks; d++) {
        if (!r->member[d]->usable)
            continue;
        enum err e = block_write(&r->member[d]->client, first, from, bytes, true);
        if (e != OK)
            repair_fail(r, d, e);
    }
}
