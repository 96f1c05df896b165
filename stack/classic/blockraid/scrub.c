/*
 * The scrub: each period all that should be equal is compared, a region a step, in idle moments and
 * between requests, as resynchronisation is done. Nobody knows which of two copies is right: the
 * first wins, and on level 5 the data win over parity. A sector that one cannot read comes from the
 * others. Regions that are being written, or not in step, are passed over.
 */
#include "assertion.h"
#include "mem.h"
#include "raid.h"

#define RUN_BLOCKS (RESYNC_BLOCKS / 2)

void scrub_init(struct raid *r)
{
    r->scrub = (struct scrub){.next_ns = plat_now() + r->options.scrub_ns};
}

uint64_t scrub_deadline(const struct raid *r)
{
    if (r->options.scrub_ns == 0 || r->copies < 2)
        return PLAT_FOREVER;
    return r->scrub.runs ? 0 : r->scrub.next_ns;
}

/* ---- Level 1 ---- */

static bool both_usable(const struct raid *r, uint32_t a)
{
    return raid_is_whole(r, a) && raid_is_whole(r, raid_twin(a));
}

static enum err read_one(struct raid *r, uint32_t disk, uint64_t first, uint8_t *to, size_t bytes)
{
    enum err e = bad_read(r, disk, first, to, bytes);
    if (e == E_DEAD)
        repair_fail(r, disk, e);
    return e;
}

/* One block, which differs or cannot be read: from `a` if that can be. */
static void mend_block(struct raid *r, uint32_t a, uint64_t first, size_t bytes)
{
    uint8_t *one = r->copy, *two = r->copy + BLOCK_BYTES;
    enum err e1 = read_one(r, a, first, one, bytes);
    enum err e2 = read_one(r, raid_twin(a), first, two, bytes);
    if (!both_usable(r, a) || (e1 != OK && e2 != OK))
        return; /* nobody has it */
    if (repair_has_lost(r))
        return; /* one of them is old: not the scrub's to tell which */
    if (e1 == OK && e2 == OK && memcmp(one, two, bytes) == 0)
        return;
    uint32_t to = e1 == OK ? raid_twin(a) : a;
    enum err why = e1 == OK && e2 == OK ? E_CORRUPT : E_MEDIA;
    plat_report(REPORT_DETECTED, (uint64_t) - (int64_t)why, r->member[to]->drive);
    if (bad_write(r, to, first, e1 == OK ? one : two, bytes) != OK) {
        repair_fail(r, to, E_MEDIA);
        return;
    }
    plat_report(REPORT_REPAIR, r->member[to]->drive, first / SECTORS_A_BLOCK);
    r->scrub.mended++;
}

static void compare_copies(struct raid *r, uint32_t column, uint64_t first, uint64_t end)
{
    uint32_t a = raid_disk(r, column, 0);
    for (uint64_t at = first; at < end && both_usable(r, a);) {
        uint64_t left = end - at, run = (uint64_t)RUN_BLOCKS * SECTORS_A_BLOCK;
        run = run < left ? run : left;
        size_t bytes = (size_t)run * SECTOR_BYTES;
        uint8_t *two = r->copy + (size_t)RUN_BLOCKS * BLOCK_BYTES;
        enum err e1 = read_one(r, a, at, r->copy, bytes);
        enum err e2 = read_one(r, raid_twin(a), at, two, bytes);
        bool equal = e1 == OK && e2 == OK && memcmp(r->copy, two, bytes) == 0;
        for (uint64_t k = 0; k < run && !equal && both_usable(r, a); k += SECTORS_A_BLOCK) {
            uint64_t count = SECTORS_A_BLOCK < run - k ? SECTORS_A_BLOCK : run - k;
            mend_block(r, a, at + k, (size_t)count * SECTOR_BYTES);
        }
        at += run;
    }
}

/* ---- A pass ---- */

static bool is_whole(const struct raid *r, uint32_t column)
{
    return raid_is_5(r) ? rebuild_missing(r) == 0 : both_usable(r, raid_disk(r, column, 0));
}

static void compare_region(struct raid *r, uint32_t column, uint32_t k)
{
    const struct region *g = &r->column[column].region[k];
    uint64_t first = (uint64_t)k * REGION_SECTORS, end = first + REGION_SECTORS;
    end = end < r->super.column_sectors ? end : r->super.column_sectors;
    if (g->unsynced || g->writes > 0 || !is_whole(r, column))
        return;
    r->recheck = true;
    if (raid_is_5(r))
        r->scrub.mended += rebuild_compare(r, k);
    else
        compare_copies(r, column, first, end);
    r->scrub.blocks += (end - first) / SECTORS_A_BLOCK;
}

void scrub_step(struct raid *r)
{
    struct scrub *s = &r->scrub;
    if (scrub_deadline(r) > plat_now())
        return;
    if (!s->runs)
        *s = (struct scrub){.runs = true, .began_ns = plat_now()};
    ASSERT(s->column < r->columns && s->region < r->column[s->column].regions);
    compare_region(r, s->column, s->region);
    if (++s->region < r->column[s->column].regions)
        return;
    s->region = 0;
    if (++s->column < r->columns)
        return;
    plat_report(REPORT_SCRUBBED, s->blocks, s->mended);
    *s = (struct scrub){.next_ns = s->began_ns + r->options.scrub_ns};
}
