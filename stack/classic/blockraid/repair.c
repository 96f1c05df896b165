/*
 * What is done when a disk does not do its part. Everything here waits for the disks in place: no
 * request is taken meanwhile, so nothing can overlap (raid.h, invariant 5).
 */
#include "assertion.h"
#include "planted.h"
#include "raid.h"

#define RESYNC_SECTORS (RESYNC_BLOCKS * SECTORS_A_BLOCK)

/* Whether the column can do without this one. */
static bool is_last(const struct raid *r, uint32_t disk)
{
    return raid_is_5(r) ? rebuild_missing(r) > 0 : !r->member[disk ^ 1u]->usable;
}

/* Level 5 without a disk has nothing to compare. */
static void forget_unsynced(struct column *col)
{
    for (uint32_t k = 0; k < col->regions; k++)
        col->region[k].unsynced = false;
    col->unsynced = 0;
}

void repair_fail(struct raid *r, uint32_t disk, enum err why)
{
    struct member *m = r->member[disk];
    if (r->copies < 2 || !m->usable)
        return; /* level 0 has nobody to do without: each request answers for itself */
    bool last = is_last(r, disk);
    if (why != E_DEAD && last)
        return; /* the last copy stays: better some errors than none of it */
    plat_report(REPORT_DETECTED, (uint64_t) - (int64_t)why, disk);
    plat_report(REPORT_DEGRADED, disk, 0);
    m->usable = false;
    if (raid_is_5(r) && last)
        return; /* no request succeeds from now on: it misses nothing */
    r->super.failed |= 1u << disk;
    r->super.events++;
    struct column *col = &r->column[disk / r->copies];
    if (raid_is_5(r))
        forget_unsynced(col);
    else if (col->source == disk)
        col->source = disk ^ 1u;
    if (!PLANTED(PLANTED_RAID_UNRECORDED))
        format_write_supers(r);
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
        uint32_t disk = k == 0 ? p->disk : p->disk ^ 1u;
        if (!r->member[disk]->usable || (unsynced && disk != r->column[p->column].source))
            continue;
        enum err e = block_read(&r->member[disk]->client, raid_disk_sector(first), at, bytes);
        if (e == E_DEAD)
            repair_fail(r, disk, e);
        if (e != OK)
            continue;
        bool busy = bitmap_is_busy(r, p->column, first, count); /* a client's write mends it */
        if (k > 0 && r->member[p->disk]->usable && !busy) {
            plat_report(REPORT_REPAIR, p->disk, first / SECTORS_A_BLOCK);
            if (block_write(&r->member[p->disk]->client, raid_disk_sector(first), at, bytes,
                            false) != OK)
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
        if (r->column[c].unsynced > 0)
            return true;
    return false;
}

/* Level 1: copies the region from the source to the other member, in pieces. Blocks that the source
 * cannot read are taken from the other, which is all that is left of them. */
static enum err copy_region(struct raid *r, uint32_t column, uint64_t first, uint64_t sectors)
{
    struct column *col = &r->column[column];
    struct block_client *from = &r->member[col->source]->client;
    struct block_client *to = &r->member[col->source ^ 1u]->client;
    for (uint64_t at = 0; at < sectors; at += RESYNC_SECTORS) {
        uint64_t left = sectors - at;
        uint32_t count = left < RESYNC_SECTORS ? (uint32_t)left : RESYNC_SECTORS;
        size_t bytes = (size_t)count * SECTOR_BYTES;
        uint64_t sector = raid_disk_sector(first + at);
        enum err e = block_read(from, sector, r->copy, bytes);
        for (uint32_t k = 0; k < count && e == E_MEDIA; k += SECTORS_A_BLOCK) {
            uint8_t *block = r->copy + (size_t)k * SECTOR_BYTES;
            if (block_read(from, sector + k, block, BLOCK_BYTES) == OK)
                continue;
            if (block_read(to, sector + k, block, BLOCK_BYTES) == OK &&
                block_write(from, sector + k, block, BLOCK_BYTES, false) != OK)
                return E_MEDIA;
        }
        if (e == E_DEAD) {
            repair_fail(r, col->source, e);
            return e;
        }
        e = block_write(to, sector, r->copy, bytes, false);
        if (e != OK) {
            repair_fail(r, col->source ^ 1u, e);
            return e;
        }
    }
    enum err e = block_flush(to);
    return e == OK ? block_flush(from) : e;
}

static void one_region(struct raid *r, uint32_t column, uint32_t k)
{
    struct column *col = &r->column[column];
    uint64_t first = (uint64_t)k * REGION_SECTORS;
    uint64_t left = r->super.column_sectors - first;
    bool both =
        raid_is_5(r) || (r->member[col->source]->usable && r->member[col->source ^ 1u]->usable);
    if (both) {
        plat_probe(PROBE_RAID_RESYNC);
        uint64_t sectors = left < REGION_SECTORS ? left : REGION_SECTORS;
        both = (raid_is_5(r) ? rebuild_region(r, k) : copy_region(r, column, first, sectors)) == OK;
    }
    if (!col->region[k].unsynced)
        return;                      /* a member failed meanwhile */
    col->region[k].unsynced = false; /* alone, a member is in step with itself */
    col->unsynced--;
    if (both)
        bitmap_clear(r, column, k);
    if (col->unsynced == 0)
        plat_report(REPORT_RESYNC, col->regions, 0);
}

bool repair_step(struct raid *r)
{
    for (uint32_t c = 0; c < r->columns; c++) {
        struct column *col = &r->column[c];
        for (uint32_t tries = 0; tries < col->regions && col->unsynced > 0; tries++) {
            uint32_t k = col->resync_at++ % col->regions;
            if (!col->region[k].unsynced || col->region[k].writes > 0)
                continue;
            r->recheck = true;
            one_region(r, c, k);
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
    plat_report(REPORT_DETECTED, (uint64_t) - (int64_t)E_MEDIA, disk);
    if (!raid_is_5(r))
        col->source = disk ^ 1u;
    for (uint32_t k = 0; k < col->regions; k++) {
        if (!col->region[k].set || col->region[k].unsynced)
            continue;
        col->region[k].unsynced = true;
        col->region[k].candidate = false;
        col->region[k].lost = (uint8_t)(disk + 1);
        col->unsynced++;
    }
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
