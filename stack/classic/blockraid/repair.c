/*
 * What is done when a disk does not do its part. Everything here waits for the disks in place: no
 * request is taken meanwhile, so nothing can overlap (raid.h, invariant 5).
 */
#include "assertion.h"
#include "mem.h"
#include "planted.h"
#include "raid.h"

#define RESYNC_SECTORS (RESYNC_BLOCKS * SECTORS_A_BLOCK)

/* Whether the column cannot do without this one. */
static bool is_last(const struct raid *r, uint32_t disk)
{
    if (r->member[disk]->joins)
        return false; /* all others are whole */
    return raid_is_5(r) ? rebuild_missing(r) > 0 : !raid_is_whole(r, raid_twin(disk));
}

/* Level 5 without a disk has nothing to compare. */
static void forget_unsynced(struct column *col)
{
    for (uint32_t k = 0; k < col->regions; k++)
        region_clear(col, k);
}

void repair_leave(struct raid *r, uint32_t disk)
{
    r->member[disk]->usable = false;
    for (uint32_t k = 0; k < r->copies; k++) {
        uint32_t other = raid_disk(r, disk / r->copies, k);
        if (!r->member[other]->joins)
            continue;
        spare_abandon(r, other);
        r->member[other]->usable = false;
    }
}

void repair_fail(struct raid *r, uint32_t disk, enum err why)
{
    struct member *m = r->member[disk];
    if (r->copies < 2 || !m->usable)
        return; /* level 0 has nobody to do without: each request answers for itself */
    bool last = is_last(r, disk);
    if (why != E_DEAD && last)
        return; /* the last copy stays: better some errors than none of it */
    plat_report(REPORT_DETECTED, (uint64_t) - (int64_t)why, m->drive);
    plat_report(REPORT_DEGRADED, m->drive, 0);
    repair_leave(r, disk);
    if (raid_is_5(r) && last)
        return; /* no request succeeds from now on: it misses nothing */
    r->super.failed |= 1u << disk;
    r->super.events++;
    struct column *col = &r->column[disk / r->copies];
    if (raid_is_5(r))
        forget_unsynced(col);
    else if (col->source == disk)
        col->source = raid_twin(disk);
    if (!PLANTED(PLANTED_RAID_UNRECORDED))
        format_write_supers(r);
    spare_tell(r);
}

/* ---- Bad sectors ---- */

/* One piece of at most a block, from any copy; the copy that failed is rewritten. */
static enum err read_piece(struct raid *r, const struct part *p, uint64_t first, uint32_t count,
                           uint8_t *at)
{
    enum err worst = E_MEDIA;
    bool unsynced = bitmap_is_unsynced(r, p->column, first, count);
    size_t bytes = (size_t)count * SECTOR_BYTES;
    for (uint32_t k = 0; k < r->copies; k++) {
        uint32_t disk = k == 0 ? p->disk : raid_twin(p->disk);
        if (!r->member[disk]->usable || (unsynced && disk != r->column[p->column].source))
            continue;
        enum err e = bad_read(r, disk, first, at, bytes);
        if (e == E_DEAD)
            repair_fail(r, disk, e);
        if (e != OK)
            continue;
        bool busy = bitmap_is_busy(r, p->column, first, count); /* a client's write mends it */
        if (k > 0 && r->member[p->disk]->usable && !busy) {
            plat_report(REPORT_REPAIR, r->member[p->disk]->drive, first / SECTORS_A_BLOCK);
            if (bad_write(r, p->disk, first, at, bytes) != OK)
                repair_fail(r, p->disk, E_MEDIA);
        }
        return OK;
    }
    return worst;
}

enum err repair_read(struct raid *r, const struct part *p)
{
    struct plat_span span[PLAT_SPANS_MAX + 1];
    uint32_t spans = request_spans(r, p, span);
    uint64_t first = p->first;
    if (r->copies < 2)
        return E_MEDIA;
    r->recheck = true;
    for (uint32_t k = 0; k < spans; k++) {
        uint8_t *at = span[k].base;
        for (size_t done = 0; done < span[k].bytes;) {
            size_t left = span[k].bytes - done;
            uint32_t to_border = SECTORS_A_BLOCK - (uint32_t)(first % SECTORS_A_BLOCK);
            uint32_t count = (uint32_t)(left / SECTOR_BYTES);
            count = count < to_border ? count : to_border;
            enum err e = raid_is_5(r) ? rebuild_piece(r, p->disk, first, count, at + done)
                                      : read_piece(r, p, first, count, at + done);
            if (e != OK)
                return e;
            done += (size_t)count * SECTOR_BYTES;
            first += count;
        }
    }
    return OK;
}

/* ---- Resynchronisation ---- */

bool repair_is_needed(const struct raid *r)
{
    for (uint32_t c = 0; c < r->columns; c++)
        if (r->column[c].unsynced > r->column[c].joining)
            return true;
    return false;
}

/*
 * At most a block that was among what the source of a copy cannot read. What is left of it is the
 * other's, which is as good if the two were only not in step. false: nobody can tell, and nothing
 * is made up.
 */
static bool copy_block(struct raid *r, uint32_t from, uint64_t first, uint32_t count, bool lost,
                       uint8_t *block)
{
    size_t bytes = (size_t)count * SECTOR_BYTES;
    enum err e = bad_read(r, from, first, block, bytes);
    if (e == E_DEAD)
        repair_fail(r, from, e);
    if (e == OK)
        return true; /* it was a neighbour */
    if (!lost && bad_read(r, raid_twin(from), first, block, bytes) == OK) {
        e = bad_write(r, from, first, block, bytes);
        if (e != OK)
            repair_fail(r, from, e);
        return true;
    }
    memset(block, 0, bytes);
    return false;
}

/* Level 1: copies at most RESYNC_SECTORS from one of a pair to the other, whose list gets what
 * nobody could tell. lost: what the other has is not to be believed. */
static enum err copy_run(struct raid *r, uint32_t from, uint64_t first, uint32_t count, bool lost)
{
    uint32_t to = raid_twin(from), blocks = (count + SECTORS_A_BLOCK - 1) / SECTORS_A_BLOCK;
    size_t bytes = (size_t)count * SECTOR_BYTES;
    bool told[RESYNC_BLOCKS];
    ASSERT(blocks <= RESYNC_BLOCKS && count % SECTORS_A_BLOCK == 0);
    enum err e = bad_read(r, from, first, r->copy, bytes);
    if (e == E_DEAD)
        repair_fail(r, from, e);
    for (uint32_t k = 0; k < blocks; k++)
        told[k] = e == OK || copy_block(r, from, first + (uint64_t)k * SECTORS_A_BLOCK,
                                        SECTORS_A_BLOCK, lost, r->copy + (size_t)k * BLOCK_BYTES);
    if (!r->member[from]->usable || !r->member[to]->usable)
        return E_DEAD;
    e = bad_write(r, to, first, r->copy, bytes);
    for (uint32_t k = 0; k < blocks && e == OK; k++)
        if (!told[k])
            e = bad_add(r, to, first + (uint64_t)k * SECTORS_A_BLOCK, SECTORS_A_BLOCK);
    if (e != OK)
        repair_fail(r, to, e == E_FULL ? E_MEDIA : e);
    return e;
}

enum err repair_flush(struct raid *r, uint32_t disk)
{
    enum err e = block_flush(&r->member[disk]->client);
    if (e != OK)
        repair_fail(r, disk, e);
    return e;
}

/* Level 1: the region from the source to the other member, in pieces, stable. */
static enum err copy_region(struct raid *r, uint32_t column, uint32_t region, uint64_t sectors)
{
    const struct column *col = &r->column[column];
    uint64_t first = (uint64_t)region * REGION_SECTORS;
    uint32_t from = col->source;
    bool lost = col->region[region].lost != 0;
    for (uint64_t at = 0; at < sectors; at += RESYNC_SECTORS) {
        uint64_t left = sectors - at;
        uint32_t count = left < RESYNC_SECTORS ? (uint32_t)left : RESYNC_SECTORS;
        enum err e = copy_run(r, from, first + at, count, lost);
        if (e != OK)
            return e;
    }
    enum err e = repair_flush(r, raid_twin(from));
    return e == OK ? repair_flush(r, from) : e;
}

void repair_region(struct raid *r, uint32_t column, uint32_t k)
{
    struct column *col = &r->column[column];
    uint64_t left = r->super.column_sectors - (uint64_t)k * REGION_SECTORS;
    bool both = raid_is_5(r) ||
                (r->member[col->source]->usable && r->member[raid_twin(col->source)]->usable);
    r->recheck = true;
    if (both) {
        uint32_t sectors = left < REGION_SECTORS ? (uint32_t)left : REGION_SECTORS;
        both = (raid_is_5(r) ? rebuild_region(r, k) : copy_region(r, column, k, sectors)) == OK;
    }
    bad_store(r);
    if (!col->region[k].unsynced)
        return;           /* a member failed meanwhile */
    region_clear(col, k); /* alone, a member is in step with itself */
    if (both)
        bitmap_clear(r, column, k);
}

bool repair_step(struct raid *r)
{
    for (uint32_t c = 0; c < r->columns; c++) {
        struct column *col = &r->column[c];
        for (uint32_t n = 0; n < col->regions && col->unsynced > col->joining; n++) {
            uint32_t k = col->resync_at++ % col->regions;
            const struct region *g = &col->region[k];
            if (!g->unsynced || g->joins || g->writes > 0)
                continue;
            plat_probe(PROBE_RAID_RESYNC);
            repair_region(r, c, k);
            if (col->unsynced == col->joining)
                plat_report(REPORT_RESYNC, col->regions, 0);
            return true;
        }
    }
    return false;
}

/* What is asked of it may have been answered with what was there before. */
static void mark_old(struct member *m)
{
    for (uint32_t k = 0; k < m->flights; k++)
        m->flight[k]->old = true;
    for (struct part *p = m->queue; p != NULL; p = p->next)
        p->old = true;
}

static void lost_writes(struct raid *r, uint32_t disk)
{
    if (r->copies < 2 || !r->member[disk]->usable)
        return;
    struct column *col = &r->column[disk / r->copies];
    mark_old(r->member[disk]);
    if (is_last(r, disk)) { /* nobody knows what it had */
        repair_fail(r, disk, E_DEAD);
        return;
    }
    plat_report(REPORT_DETECTED, (uint64_t) - (int64_t)E_MEDIA, r->member[disk]->drive);
    if (!raid_is_5(r))
        col->source = raid_twin(disk);
    for (uint32_t k = 0; k < col->regions; k++)
        if (col->region[k].set && !col->region[k].unsynced)
            region_mark(col, k, disk + 1, false);
}

bool repair_has_lost(const struct raid *r)
{
    for (uint32_t d = 0; d < r->disks; d++)
        if (r->member[d]->client.lost_writes)
            return true;
    return false;
}

void repair_lost_writes(struct raid *r)
{
    for (uint32_t d = 0; d < r->disks; d++) {
        if (!r->member[d]->client.lost_writes)
            continue;
        r->member[d]->client.lost_writes = false;
        lost_writes(r, d);
        /* At once, as a stop leaves only bits, and the next start takes the first copy. */
        for (uint32_t k = 0; k < RESYNC_AT_ONCE && repair_step(r); k++)
            ;
    }
}
