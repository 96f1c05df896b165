/*
 * What is on the disks (FORMAT.md): two copies of the superblock, the bitmap, the data.
 */
#include "assertion.h"
#include "mem.h"
#include "raid.h"

#define REGIONS_A_BLOCK (BLOCK_BYTES * 8)

static uint32_t bitmap_blocks(const struct raid *r)
{
    uint64_t regions = (r->super.column_sectors + REGION_SECTORS - 1) / REGION_SECTORS;
    return (uint32_t)((regions + REGIONS_A_BLOCK - 1) / REGIONS_A_BLOCK);
}

/* From the superblock: sizes, and memory for the columns. */
enum err format_tables(struct raid *r)
{
    ASSERT(r->disks > 0);
    r->copies = raid_is_5(r) ? r->disks : r->super.level == 1 ? 2 : 1;
    r->columns = r->disks / r->copies;
    r->volume_sectors = r->super.column_sectors * (raid_is_5(r) ? r->disks - 1 : r->columns);
    for (uint32_t c = 0; c < r->columns && r->copies >= 2; c++) {
        struct column *col = &r->column[c];
        col->regions = (uint32_t)((r->super.column_sectors + REGION_SECTORS - 1) / REGION_SECTORS);
        col->region = plat_alloc(col->regions * sizeof(col->region[0]), TAG_HEAP);
        col->bits = plat_alloc((size_t)bitmap_blocks(r) * BLOCK_BYTES, TAG_PAGES);
        if (col->region == NULL || col->bits == NULL)
            return E_FULL;
        col->dirty_first = UINT32_MAX;
        col->source = raid_disk(r, c, 0);
    }
    return OK;
}

static enum err write_super(struct raid *r, uint32_t disk)
{
    static const uint32_t places[] = {SUPER_BLOCK_A, SUPER_BLOCK_B};
    struct super super = r->super;
    super.index = disk;
    super_encode(r->block, &super, &r->member[disk]->bad);
    for (uint32_t k = 0; k < 2; k++) { /* one after the other: a torn one leaves the other whole */
        enum err e = block_write(&r->member[disk]->client, places[k] * SECTORS_A_BLOCK, r->block,
                                 BLOCK_BYTES, true);
        if (e != OK)
            return e;
    }
    return OK;
}

void format_write_supers(struct raid *r)
{
    r->recheck = true;
    for (uint32_t d = 0; d < r->disks; d++)
        if (r->member[d]->usable)
            r->super.bads[d] = r->member[d]->bad.count;
    for (uint32_t disk = 0; disk < r->disks;) {
        if (r->member[disk]->usable && write_super(r, disk) != OK) {
            plat_report(REPORT_DEGRADED, r->member[disk]->drive, 0);
            repair_leave(r, disk); /* once more, that all others know of this one too */
            r->super.failed |= 1u << disk;
            r->super.events++;
            disk = 0;
            continue;
        }
        disk++;
    }
}

/* Zeros or, of a column, the bits that are in memory. */
static enum err write_bitmap(struct raid *r, uint32_t disk, const uint8_t *bits)
{
    enum err e = OK;
    memset(r->block, 0, BLOCK_BYTES);
    for (uint32_t k = 0; k < bitmap_blocks(r) && e == OK; k++)
        e = block_write(&r->member[disk]->client, (BITMAP_BLOCK + k) * SECTORS_A_BLOCK,
                        bits == NULL ? r->block : bits + (size_t)k * BLOCK_BYTES, BLOCK_BYTES,
                        false);
    return e;
}

enum err format_join(struct raid *r, uint32_t disk)
{
    const struct column *col = &r->column[disk / r->copies];
    ASSERT(r->copies >= 2);
    r->recheck = true;
    enum err e = write_bitmap(r, disk, col->bits);
    return e == OK ? block_flush(&r->member[disk]->client) : e;
}

enum err format_make(struct raid *r, const uint64_t *disk_sectors)
{
    uint64_t smallest = UINT64_MAX, chunk = r->options.stripe_bytes / SECTOR_BYTES;
    for (uint32_t d = 0; d < r->disks; d++)
        smallest = disk_sectors[d] < smallest ? disk_sectors[d] : smallest;
    if (chunk == 0)
        chunk = SECTORS_A_BLOCK;
    if (smallest < raid_disk_sector(chunk))
        return E_NOSPC;
    r->super = (struct super){
        .level = r->options.raid, .disks = r->disks, .chunk_sectors = chunk, .events = 1};
    r->super.column_sectors = (smallest - raid_disk_sector(0)) / chunk * chunk;
    r->super.uuid[0] = r->options.seed * UINT64_C(0x9e3779b97f4a7c15) + 2;
    r->super.uuid[1] = r->options.seed ^ smallest;
    for (uint32_t d = 0; d < r->disks; d++) {
        r->super.drive[d] = r->member[d]->drive;
        r->super.whole[d] = WHOLE;
    }
    enum err e = format_tables(r);
    for (uint32_t d = 0; d < r->disks && e == OK; d++) {
        e = write_bitmap(r, d, NULL);
        if (e == OK)
            e = write_super(r, d);
        if (e == OK)
            e = block_flush(&r->member[d]->client);
    }
    return e;
}

/* ---- Start ---- */

static enum err read_copy(struct raid *r, struct member *m, uint32_t block, struct super *super,
                          struct bad_list *bad)
{
    enum err e = block_read(&m->client, block * SECTORS_A_BLOCK, r->block, BLOCK_BYTES);
    if (e == OK)
        e = super_decode(super, bad, r->block);
    if (e == OK && super->drive[super->index] != m->drive)
        e = E_CORRUPT;
    return e;
}

/* The newer of a drive's superblocks. */
static enum err read_super(struct raid *r, struct member *m, struct super *super)
{
    struct super copy;
    enum err e = read_copy(r, m, SUPER_BLOCK_A, super, &m->bad);
    enum err e2 = read_copy(r, m, SUPER_BLOCK_B, &copy, &r->bad);
    if (e2 == OK && (e != OK || copy.events > super->events)) {
        *super = copy;
        m->bad = r->bad;
        e = OK;
    }
    if (e == E_MEDIA && e2 != E_MEDIA)
        e = e2;
    return e;
}

/*
 * Adopts the newest superblock. Out are the disks that it calls failed, and those of another
 * volume. One on which no superblock can be read is in, if the others do not call it failed: they
 * would, if it had missed anything; nor may it join or have a list of bad sectors, which is not to
 * be had. One that is merely older was passed by when a crash ended the writing of superblocks: a
 * disk that missed data is called failed on all others before anything else happens. *uneven: some
 * are older, or cannot be read.
 */
static enum err choose(struct raid *r, const struct super *super, const enum err *status,
                       bool *uneven)
{
    uint32_t best = DISKS_MAX;
    for (uint32_t k = 0; k < r->drives; k++) {
        if (status[k] == E_VERSION)
            return E_VERSION;
        if (status[k] == OK && (best == DISKS_MAX || super[k].events > super[best].events))
            best = k;
    }
    if (best == DISKS_MAX || super[best].disks != r->disks)
        return E_CORRUPT;
    r->super = super[best];
    *uneven = false;
    for (uint32_t d = 0; d < r->disks; d++) {
        uint32_t k = 0;
        while (k < r->drives && r->drive[k]->drive != r->super.drive[d])
            k++;
        if (k == r->drives)
            return E_CORRUPT; /* more drives than the machine has */
        bool same = status[k] == OK && super[k].uuid[0] == r->super.uuid[0] &&
                    super[k].uuid[1] == r->super.uuid[1] && super[k].index == d;
        bool silent = status[k] == E_MEDIA && r->super.whole[d] == WHOLE && r->super.bads[d] == 0;
        struct member *m = r->member[d] = r->drive[k];
        m->spent = true;
        m->usable = (same || silent) && (r->super.failed >> d & 1) == 0;
        m->joins = m->usable && r->super.whole[d] != WHOLE;
        if (!same)
            m->bad.count = 0;
        *uneven |= m->usable && (silent || super[k].events != r->super.events);
    }
    return OK;
}

/* A region whose bit is set on any member is not in step. An unreadable bitmap says nothing: all.
 */
static void load_bits(struct raid *r, uint32_t column)
{
    struct column *col = &r->column[column];
    uint32_t bytes = bitmap_blocks(r) * BLOCK_BYTES;
    for (uint32_t copy = 0; copy < r->copies; copy++) {
        struct member *m = r->member[raid_disk(r, column, copy)];
        for (uint32_t at = 0; at < bytes && m->usable; at += BLOCK_BYTES) {
            enum err e = block_read(&m->client, BITMAP_BLOCK * SECTORS_A_BLOCK + at / SECTOR_BYTES,
                                    r->block, BLOCK_BYTES);
            if (e == E_DEAD)
                m->usable = false;
            for (uint32_t k = 0; k < BLOCK_BYTES; k++)
                col->bits[at + k] |= e == OK ? r->block[k] : 0xff;
        }
    }
    for (uint32_t k = 0; k < col->regions; k++) {
        if ((col->bits[k / 8] >> k % 8 & 1) == 0)
            continue;
        col->region[k].set = true;
        col->set++;
        region_mark(col, k, 0, false);
    }
    if (!r->member[col->source]->usable)
        col->source = raid_disk(r, column, 1);
}

/* Whether parity may be wrong where a disk that joins is not there yet. */
static bool is_dirty_behind(const struct raid *r)
{
    const struct column *col = &r->column[0];
    for (uint32_t d = 0; d < r->disks; d++)
        for (uint32_t k = r->super.whole[d]; r->member[d]->joins && k < col->regions; k++)
            if (col->region[k].unsynced)
                return true;
    return false;
}

/* Level 5: one disk may be missing, or join, but not if parity may be wrong: it would be taken for
 * what that disk had. Started nevertheless, all counts as in step. */
static enum err may_start_5(struct raid *r)
{
    struct column *col = &r->column[0];
    uint32_t out = 0, missing = rebuild_missing(r);
    for (uint32_t d = 0; d < r->disks; d++)
        out += r->member[d]->usable ? 0 : 1;
    bool dirty = out > 0 ? col->unsynced > 0 : is_dirty_behind(r);
    if (missing > 1 || (dirty && !r->options.dirty_degraded_start))
        return E_DEAD;
    for (uint32_t k = 0; k < col->regions && out > 0; k++)
        region_clear(col, k);
    return OK;
}

/* Level 1: what joins is nothing without the disk that it is copied from. */
static enum err may_start_1(struct raid *r)
{
    uint32_t usable = 0;
    for (uint32_t d = 0; d < r->disks; d++) {
        if (r->member[d]->joins && !raid_is_whole(r, raid_twin(d)))
            r->member[d]->usable = r->member[d]->joins = false;
        usable += r->member[d]->usable ? 1 : 0;
    }
    return usable > 0 ? OK : E_DEAD;
}

static enum err may_start(struct raid *r)
{
    if (r->copies < 2)
        return OK;
    enum err e = raid_is_5(r) ? may_start_5(r) : may_start_1(r);
    for (uint32_t d = 0; d < r->disks && e == OK; d++)
        if (r->member[d]->joins)
            spare_resume(r, d);
    return e;
}

enum err format_load(struct raid *r)
{
    struct super super[DISKS_MAX];
    enum err status[DISKS_MAX];
    for (uint32_t k = 0; k < r->drives; k++)
        status[k] = r->drive[k]->client.gone ? E_DEAD : read_super(r, r->drive[k], &super[k]);
    bool uneven;
    enum err e = choose(r, super, status, &uneven);
    if (e == OK)
        e = format_tables(r);
    if (e != OK)
        return e;
    for (uint32_t c = 0; c < r->columns && r->copies >= 2; c++)
        load_bits(r, c);
    e = may_start(r);
    if (e != OK)
        return e;
    uint32_t before = r->super.failed;
    for (uint32_t d = 0; d < r->disks; d++) {
        if (r->member[d]->usable)
            continue;
        r->super.failed |= 1u << d;
        plat_report(REPORT_DEGRADED, r->member[d]->drive, 0);
    }
    for (uint32_t d = 0; d < r->disks; d++)
        if (r->member[d]->joins)
            plat_report(REPORT_REBUILDING, r->member[d]->drive, 0);
    spare_tell(r);
    if (uneven || (r->super.failed != before && r->copies >= 2)) {
        r->super.events++; /* before anything is written that it misses */
        format_write_supers(r);
    }
    return OK;
}
