/*
 * Level 5: what a disk should have, from all others. As in repair.c, everything waits for the disks
 * in place, and works on rows that no write has.
 */
#include "assertion.h"
#include "mem.h"
#include "raid.h"

/* What one disk has in r->copy, in blocks: each has a slice. */
static uint32_t slice_blocks(const struct raid *r)
{
    return RESYNC_BLOCKS / r->disks;
}

static uint8_t *slice(const struct raid *r, uint32_t disk)
{
    return r->copy + (size_t)disk * slice_blocks(r) * BLOCK_BYTES;
}

uint32_t rebuild_missing(const struct raid *r)
{
    uint32_t missing = 0;
    for (uint32_t d = 0; d < r->disks; d++)
        missing += raid_is_whole(r, d) ? 0 : 1;
    return missing;
}

/*
 * Reads these rows of all disks but one into their slices, at the same time, and xors them into the
 * slice of that one. E_MEDIA: *bad, and perhaps others, cannot be read (they are failed if gone),
 * or, *bad being DISKS_MAX, one of them is out.
 */
static enum err gather(struct raid *r, uint32_t but, uint64_t first, uint32_t count, uint32_t *bad)
{
    uint32_t slot[DISKS_MAX] = {0};
    size_t bytes = (size_t)count * SECTOR_BYTES;
    ASSERT(count <= slice_blocks(r) * SECTORS_A_BLOCK);
    *bad = DISKS_MAX;
    for (uint32_t d = 0; d < r->disks; d++) {
        if (d != but && !r->member[d]->usable)
            return E_MEDIA;
    }
    for (uint32_t d = 0; d < r->disks; d++) {
        struct plat_span span = {.base = slice(r, d), .bytes = bytes};
        if (d != but)
            slot[d] = block_submit(&r->member[d]->client, BLOCK_READ, raid_disk_sector(first),
                                   false, &span, 1);
    }
    memset(slice(r, but), 0, bytes);
    for (uint32_t d = 0; d < r->disks; d++) {
        if (d == but)
            continue;
        enum err e = block_wait(&r->member[d]->client, slot[d]);
        if (e == OK && bad_hits(r, d, first, count))
            e = E_MEDIA;
        if (e == E_DEAD)
            repair_fail(r, d, e);
        if (e != OK)
            *bad = d;
        else
            plat_xor(slice(r, but), slice(r, d), bytes);
    }
    return *bad == DISKS_MAX ? OK : E_MEDIA;
}

static enum err put(struct raid *r, uint32_t disk, uint64_t first, uint32_t count)
{
    if (!r->member[disk]->usable)
        return E_DEAD;
    enum err e = bad_write(r, disk, first, slice(r, disk), (size_t)count * SECTOR_BYTES);
    if (e != OK)
        repair_fail(r, disk, e);
    return e;
}

enum err rebuild_piece(struct raid *r, uint32_t disk, uint64_t first, uint32_t count, uint8_t *at)
{
    uint32_t bad;
    ASSERT(raid_is_5(r));
    ASSERT(count <= SECTORS_A_BLOCK);
    r->recheck = true;
    enum err e = bad_read(r, disk, first, at, (size_t)count * SECTOR_BYTES);
    if (e == OK)
        return OK; /* it was a neighbour that cannot be read */
    if (e == E_DEAD)
        repair_fail(r, disk, e);
    if (bitmap_is_unsynced(r, 0, first, count) || gather(r, disk, first, count, &bad) != OK)
        return E_MEDIA;
    plat_copy(at, slice(r, disk), (size_t)count * SECTOR_BYTES);
    plat_report(REPORT_REPAIR, r->member[disk]->drive, first / SECTORS_A_BLOCK);
    (void)put(r, disk, first, count); /* what was asked for is here, whatever becomes of that */
    return OK;
}

/* At most a block that nobody can tell of a disk whose own content is not to be believed. */
static enum err give_up(struct raid *r, uint32_t target, uint64_t first, uint32_t count)
{
    memset(slice(r, target), 0, (size_t)count * SECTOR_BYTES);
    enum err e = put(r, target, first, count);
    if (e == OK)
        e = bad_add(r, target, first, count);
    if (e == E_FULL)
        repair_fail(r, target, E_MEDIA);
    return e;
}

/* A bad sector in rows whose parity is to be made: all that is left of it is what parity says.
 * Where a disk's content is to be made (lost), nothing is. */
static enum err resync_block(struct raid *r, uint32_t target, uint64_t first, uint32_t count,
                             bool lost)
{
    uint32_t bad, none;
    if (gather(r, target, first, count, &bad) == OK)
        return put(r, target, first, count);
    if (bad == DISKS_MAX || !r->member[bad]->usable)
        return E_DEAD; /* a member is out */
    if (lost)
        return give_up(r, target, first, count);
    if (gather(r, bad, first, count, &none) == OK) {
        plat_report(REPORT_REPAIR, r->member[bad]->drive, first / SECTORS_A_BLOCK);
        return put(r, bad, first, count);
    }
    if (none == DISKS_MAX || !r->member[none]->usable)
        return E_DEAD;
    return give_up(r, target, first, count); /* two are bad: parity is not to be had */
}

static enum err resync_rows(struct raid *r, uint32_t target, uint64_t first, uint32_t count,
                            bool lost)
{
    uint32_t bad;
    if (gather(r, target, first, count, &bad) == OK)
        return put(r, target, first, count);
    for (uint32_t k = 0; k < count; k += SECTORS_A_BLOCK) {
        uint32_t left = count - k;
        enum err e = resync_block(r, target, first + k,
                                  left < SECTORS_A_BLOCK ? left : SECTORS_A_BLOCK, lost);
        if (e != OK)
            return e;
    }
    return OK;
}

enum err rebuild_region(struct raid *r, uint32_t region)
{
    const struct region *g = &r->column[0].region[region];
    uint64_t chunk = r->super.chunk_sectors, first = (uint64_t)region * REGION_SECTORS;
    uint64_t end = first + REGION_SECTORS;
    uint64_t most = (uint64_t)slice_blocks(r) * SECTORS_A_BLOCK;
    ASSERT(g->unsynced);
    ASSERT(g->writes == 0);
    end = end < r->super.column_sectors ? end : r->super.column_sectors;
    while (first < end) {
        uint64_t count = (first / chunk + 1) * chunk - first;
        count = count < end - first ? count : end - first;
        count = count < most ? count : most;
        uint32_t target = g->lost != 0 ? g->lost - 1u : raid_parity_disk(r, first / chunk);
        enum err e = resync_rows(r, target, first, (uint32_t)count, g->lost != 0);
        if (e != OK)
            return e;
        first += count;
    }
    enum err e = OK;
    for (uint32_t d = 0; d < r->disks && e == OK; d++)
        e = repair_flush(r, d);
    return e;
}

/* Whether the rows' parity is what the data say, and can be read. */
static bool is_in_step(struct raid *r, uint32_t parity, uint64_t first, uint32_t count)
{
    uint32_t bad, other = (parity + 1) % r->disks;
    size_t bytes = (size_t)count * SECTOR_BYTES;
    if (gather(r, parity, first, count, &bad) != OK)
        return false;
    enum err e = bad_read(r, parity, first, slice(r, other), bytes); /* its own is in the sum */
    if (e == E_DEAD)
        repair_fail(r, parity, e);
    return e == OK && memcmp(slice(r, parity), slice(r, other), bytes) == 0;
}

/* At most a block whose parity is wrong, or of which one disk cannot read its part. */
static bool mend_rows(struct raid *r, uint32_t parity, uint64_t first, uint32_t count)
{
    uint32_t bad, none, target = parity;
    if (gather(r, parity, first, count, &bad) != OK) {
        target = bad;
        if (bad == DISKS_MAX || !r->member[bad]->usable ||
            gather(r, bad, first, count, &none) != OK)
            return false;
    }
    if (repair_has_lost(r))
        return false; /* what was read may be old, and is right by parity */
    plat_report(REPORT_DETECTED, (uint64_t) - (int64_t)(target == parity ? E_CORRUPT : E_MEDIA),
                r->member[target]->drive);
    plat_report(REPORT_REPAIR, r->member[target]->drive, first / SECTORS_A_BLOCK);
    return put(r, target, first, count) == OK;
}

uint32_t rebuild_compare(struct raid *r, uint32_t region)
{
    uint64_t chunk = r->super.chunk_sectors, first = (uint64_t)region * REGION_SECTORS;
    uint64_t end = first + REGION_SECTORS;
    uint32_t mended = 0;
    end = end < r->super.column_sectors ? end : r->super.column_sectors;
    while (first < end && rebuild_missing(r) == 0) {
        uint64_t count = SECTORS_A_BLOCK; /* a chunk is whole blocks */
        uint32_t parity = raid_parity_disk(r, first / chunk);
        uint64_t most = (uint64_t)slice_blocks(r) * SECTORS_A_BLOCK;
        uint64_t run = (first / chunk + 1) * chunk - first;
        run = run < end - first ? run : end - first;
        run = run < most ? run : most;
        if (is_in_step(r, parity, first, (uint32_t)run)) {
            first += run;
            continue;
        }
        count = count < end - first ? count : end - first;
        if (!is_in_step(r, parity, first, (uint32_t)count) && rebuild_missing(r) == 0)
            mended += mend_rows(r, parity, first, (uint32_t)count) ? 1 : 0;
        first += count;
    }
    return mended;
}
