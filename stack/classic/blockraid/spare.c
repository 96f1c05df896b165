/*
 * A spare in the place of a member that is out.
 *
 *   WAIT for what is under way -> bitmap onto the spare, stable -> superblocks: it has the place
 * and joins, no region is whole -> regions, one a step, in idle moments and at most half of the
 * time: read, xored, flushed, in step -> superblocks every CURSOR_REGIONS: so many regions are
 * whole -> superblocks: it joins no more
 *
 * From the first step on it gets every write of clients. A region that it has not got yet is one
 * that is not in step because the spare's content is old (repair.c, rebuild.c): it is read from the
 * others, and nothing is copied over a write, since regions that are being written are passed by.
 *
 * A crash or a cut goes on where the superblocks say. A spare that fails is out like a member, and
 * gives way to the next; a drive that had a place once is no spare. If what it is copied from is
 * gone, the spare is no use alone and is out too, but not recorded as failed: should the other come
 * back with the next start, it goes on.
 */
#include "assertion.h"
#include "planted.h"
#include "raid.h"

#define STEPS_A_REPORT 256u

/* The next drive that may take a place, NULL: none is left. */
static struct member *next_spare(const struct raid *r)
{
    for (uint32_t k = r->disks; k < r->drives; k++) {
        struct member *m = r->drive[k];
        if (!m->spent && !m->client.gone && m->sectors >= raid_disk_sector(r->super.column_sectors))
            return m;
    }
    return NULL;
}

/* A disk that is out and could be copied from others that are whole, DISKS_MAX: none. */
static uint32_t vacant_place(const struct raid *r)
{
    if (r->copies < 2 || (raid_is_5(r) && rebuild_missing(r) != 1))
        return DISKS_MAX;
    for (uint32_t d = 0; d < r->disks; d++)
        if (!r->member[d]->usable && (raid_is_5(r) || raid_is_whole(r, raid_twin(d))))
            return d;
    return DISKS_MAX;
}

void spare_tell(const struct raid *r)
{
    const struct member *m = next_spare(r);
    if (m != NULL && vacant_place(r) < DISKS_MAX)
        plat_report(REPORT_REBUILDING, m->drive, 0);
}

void spare_resume(struct raid *r, uint32_t disk)
{
    struct column *col = &r->column[disk / r->copies];
    ASSERT(r->member[disk]->usable && r->member[disk]->joins);
    for (uint32_t k = r->super.whole[disk]; k < col->regions; k++)
        region_mark(col, k, disk + 1, true);
    if (!raid_is_5(r))
        col->source = raid_twin(disk);
}

void spare_abandon(struct raid *r, uint32_t disk)
{
    struct column *col = &r->column[disk / r->copies];
    ASSERT(r->member[disk]->joins);
    r->member[disk]->joins = false; /* on the disks it goes on as far as it was */
    for (uint32_t k = 0; k < col->regions && col->joining > 0; k++)
        if (col->region[k].joins)
            region_clear(col, k);
    ASSERT(col->joining == 0);
}

void spare_again(struct raid *r, uint32_t disk, uint64_t first, uint32_t count)
{
    struct column *col = &r->column[disk / r->copies];
    ASSERT(r->member[disk]->joins);
    for (uint64_t k = first / REGION_SECTORS; k <= (first + count - 1) / REGION_SECTORS; k++)
        region_mark(col, (uint32_t)k, disk + 1, true);
}

uint64_t spare_deadline(const struct raid *r)
{
    if (vacant_place(r) < DISKS_MAX && next_spare(r) != NULL)
        return 0;
    for (uint32_t d = 0; d < r->disks; d++)
        if (r->member[d]->joins)
            return r->join_ns;
    return PLAT_FOREVER;
}

static void take_place(struct raid *r, uint32_t disk, struct member *m)
{
    request_settle(r); /* what was planned without the disk must not meet it */
    if (vacant_place(r) != disk)
        return; /* something else has failed meanwhile */
    ASSERT(r->member[disk]->flights == 0 && r->member[disk]->queue == NULL);
    ASSERT(m->flights == 0 && m->queue == NULL);
    m->spent = true;
    m->usable = m->joins = false;
    m->bad.count = 0;
    r->member[disk] = m;
    enum err e = format_join(r, disk);
    if (e != OK) {
        plat_report(REPORT_DETECTED, (uint64_t) - (int64_t)e, m->drive);
        plat_report(REPORT_DEGRADED, m->drive, 0);
        spare_tell(r);
        return;
    }
    m->usable = m->joins = true;
    r->super.drive[disk] = m->drive;
    r->super.failed &= ~(1u << disk);
    r->super.whole[disk] = 0;
    r->super.events++;
    spare_resume(r, disk);
    format_write_supers(r);
    r->join_ns = plat_now();
    if (m->joins)
        plat_report(REPORT_REBUILDING, m->drive, 0);
}

static void finish(struct raid *r, uint32_t disk)
{
    struct member *m = r->member[disk];
    m->joins = false;
    r->super.whole[disk] = WHOLE;
    r->super.events++;
    format_write_supers(r);
    if (m->usable)
        plat_report(REPORT_REBUILT, m->drive, 0);
}

/* Notes on the disks how far it is, if that is worth it. */
static void record(struct raid *r, uint32_t disk)
{
    const struct column *col = &r->column[disk / r->copies];
    uint32_t low = r->super.whole[disk];
    while (low < col->regions && !col->region[low].joins)
        low++;
    if (low < r->super.whole[disk] + CURSOR_REGIONS)
        return;
    r->super.whole[disk] = PLANTED(PLANTED_RAID_CURSOR_AHEAD) ? col->regions : low;
    r->super.events++;
    format_write_supers(r);
}

static void copy_one(struct raid *r, uint32_t disk)
{
    struct member *m = r->member[disk];
    struct column *col = &r->column[disk / r->copies];
    uint64_t begin_ns = plat_now();
    bool any = false;
    for (uint32_t n = 0; n < col->regions && col->joining > 0 && !any; n++) {
        uint32_t k = col->join_at++ % col->regions;
        any = col->region[k].joins && col->region[k].writes == 0;
        if (any) {
            plat_probe(PROBE_RAID_REBUILD);
            repair_region(r, disk / r->copies, k);
        }
    }
    r->join_ns = plat_now() + (any ? plat_now() - begin_ns : RESYNC_RETRY_NS);
    if (!m->joins)
        return; /* it failed, or what it is copied from */
    if (col->joining == 0) {
        finish(r, disk);
        return;
    }
    record(r, disk);
    if (m->joins && ++r->join_steps >= STEPS_A_REPORT) {
        plat_report(REPORT_REBUILDING, m->drive, r->join_steps);
        r->join_steps = 0;
    }
}

void spare_step(struct raid *r)
{
    uint32_t disk = vacant_place(r);
    struct member *m = next_spare(r);
    r->recheck = true;
    if (disk < DISKS_MAX && m != NULL) {
        take_place(r, disk, m);
        return;
    }
    if (plat_now() < r->join_ns)
        return;
    for (uint32_t d = 0; d < r->disks; d++) {
        if (!r->member[d]->joins)
            continue;
        copy_one(r, d);
        return;
    }
}
