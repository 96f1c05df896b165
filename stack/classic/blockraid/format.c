/*
 * What is on the disks (FORMAT.md): two copies of the superblock, the bitmap, the data.
 */
#include "assertion.h"
#include "bytes.h"
#include "mem.h"
#include "raid.h"

#define MAGIC UINT64_C(0x31646961526b6c42)
#define VERSION 1u
#define REGIONS_A_BLOCK (BLOCK_BYTES * 8)

enum { /* offsets in the superblock */
       SB_MAGIC = 0,
       SB_VERSION = 8,
       SB_LEVEL = 12,
       SB_UUID = 16,
       SB_DISKS = 32,
       SB_INDEX = 36,
       SB_CHUNK = 40,
       SB_DATA_START = 48,
       SB_COLUMN = 56,
       SB_EVENTS = 64,
       SB_FAILED = 72,
       SB_CRC = 76,
};

void super_encode(uint8_t *raw, const struct super *super)
{
    ASSERT(super->index < super->disks);
    memset(raw, 0, BLOCK_BYTES);
    put_le64(raw + SB_MAGIC, MAGIC);
    put_le32(raw + SB_VERSION, VERSION);
    put_le32(raw + SB_LEVEL, super->level);
    put_le64(raw + SB_UUID, super->uuid[0]);
    put_le64(raw + SB_UUID + 8, super->uuid[1]);
    put_le32(raw + SB_DISKS, super->disks);
    put_le32(raw + SB_INDEX, super->index);
    put_le64(raw + SB_CHUNK, super->chunk_sectors);
    put_le64(raw + SB_DATA_START, DATA_START_BLOCK);
    put_le64(raw + SB_COLUMN, super->column_sectors);
    put_le64(raw + SB_EVENTS, super->events);
    put_le32(raw + SB_FAILED, super->failed);
    put_le32(raw + SB_CRC, plat_crc32c(raw, SB_CRC));
}

enum err super_decode(struct super *super, const uint8_t *raw)
{
    if (get_le64(raw + SB_MAGIC) != MAGIC || get_le32(raw + SB_CRC) != plat_crc32c(raw, SB_CRC))
        return E_CORRUPT;
    if (get_le32(raw + SB_VERSION) != VERSION)
        return E_VERSION;
    *super = (struct super){
        .uuid = {get_le64(raw + SB_UUID), get_le64(raw + SB_UUID + 8)},
        .level = get_le32(raw + SB_LEVEL),
        .disks = get_le32(raw + SB_DISKS),
        .index = get_le32(raw + SB_INDEX),
        .chunk_sectors = get_le64(raw + SB_CHUNK),
        .column_sectors = get_le64(raw + SB_COLUMN),
        .events = get_le64(raw + SB_EVENTS),
        .failed = get_le32(raw + SB_FAILED),
    };
    bool sound =
        super->disks > 0 && super->disks <= DISKS_MAX && super->index < super->disks &&
        (super->level <= 1 || super->level == 5) && (super->level != 1 || super->disks % 2 == 0) &&
        (super->level != 5 || super->disks >= 3) && super->chunk_sectors > 0 &&
        super->chunk_sectors % SECTORS_A_BLOCK == 0 && super->chunk_sectors <= UINT32_MAX &&
        super->column_sectors > 0 && super->column_sectors % super->chunk_sectors == 0 &&
        super->column_sectors < (uint64_t)BITMAP_BLOCKS_MAX * REGIONS_A_BLOCK * REGION_SECTORS &&
        get_le64(raw + SB_DATA_START) == DATA_START_BLOCK;
    return sound ? OK : E_CORRUPT;
}

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
    super_encode(r->block, &super);
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
    for (uint32_t disk = 0; disk < r->disks;) {
        if (r->member[disk]->usable && write_super(r, disk) != OK) {
            r->member[disk]->usable = false; /* once more, that all others know of this one too */
            r->super.failed |= 1u << disk;
            r->super.events++;
            disk = 0;
            continue;
        }
        disk++;
    }
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
    enum err e = format_tables(r);
    for (uint32_t d = 0; d < r->disks && e == OK; d++) {
        for (uint32_t k = 0; k < bitmap_blocks(r) && e == OK; k++) {
            memset(r->block, 0, BLOCK_BYTES);
            e = block_write(&r->member[d]->client, (BITMAP_BLOCK + k) * SECTORS_A_BLOCK, r->block,
                            BLOCK_BYTES, false);
        }
        if (e == OK)
            e = write_super(r, d);
        if (e == OK)
            e = block_flush(&r->member[d]->client);
    }
    return e;
}

/* ---- Start ---- */

static enum err read_super(struct raid *r, uint32_t disk, struct super *super)
{
    struct block_client *c = &r->member[disk]->client;
    enum err e = block_read(c, SUPER_BLOCK_A * SECTORS_A_BLOCK, r->block, BLOCK_BYTES);
    if (e == OK)
        e = super_decode(super, r->block);
    struct super copy;
    enum err e2 = block_read(c, SUPER_BLOCK_B * SECTORS_A_BLOCK, r->block, BLOCK_BYTES);
    if (e2 == OK)
        e2 = super_decode(&copy, r->block);
    if (e2 == OK && (e != OK || copy.events > super->events)) {
        *super = copy;
        e = OK;
    }
    if (e == E_MEDIA && e2 != E_MEDIA)
        e = e2;
    if (e == OK && super->index != disk)
        e = E_CORRUPT;
    return e;
}

/*
 * Adopts the newest superblock. Out are the disks that it calls failed, and those of another
 * volume. One on which no superblock can be read is in, if the others do not call it failed: they
 * would, if it had missed anything. One that is merely older was passed by when a crash ended the
 * writing of superblocks: a disk that missed data is called failed on all others before anything
 * else happens. *uneven: some are older, or cannot be read.
 */
static enum err choose(struct raid *r, const struct super *super, const enum err *status,
                       bool *uneven)
{
    uint32_t best = DISKS_MAX;
    for (uint32_t d = 0; d < r->disks; d++) {
        if (status[d] == E_VERSION)
            return E_VERSION;
        if (status[d] == OK && (best == DISKS_MAX || super[d].events > super[best].events))
            best = d;
    }
    if (best == DISKS_MAX || super[best].disks != r->disks)
        return E_CORRUPT;
    r->super = super[best];
    *uneven = false;
    for (uint32_t d = 0; d < r->disks; d++) {
        bool same = status[d] == OK && super[d].uuid[0] == r->super.uuid[0] &&
                    super[d].uuid[1] == r->super.uuid[1];
        bool silent = status[d] == E_MEDIA;
        r->member[d]->usable = (same || silent) && (r->super.failed >> d & 1) == 0;
        *uneven |= r->member[d]->usable && (silent || super[d].events != r->super.events);
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
        col->region[k].set = col->region[k].unsynced = true;
        col->set++;
        col->unsynced++;
    }
    if (!r->member[col->source]->usable)
        col->source = raid_disk(r, column, 1);
}

/* Level 5: one disk may be missing, but not if parity may be wrong: it would be taken for what that
 * disk had. Started nevertheless, all counts as in step. */
static enum err may_start(struct raid *r)
{
    struct column *col = &r->column[0];
    uint32_t missing = rebuild_missing(r);
    if (!raid_is_5(r) || missing == 0)
        return OK;
    if (missing > 1 || (col->unsynced > 0 && !r->options.dirty_degraded_start))
        return E_DEAD;
    for (uint32_t k = 0; k < col->regions; k++)
        col->region[k].unsynced = false;
    col->unsynced = 0;
    return OK;
}

enum err format_load(struct raid *r)
{
    struct super super[DISKS_MAX];
    enum err status[DISKS_MAX];
    for (uint32_t d = 0; d < r->disks; d++)
        status[d] = r->member[d]->client.gone ? E_DEAD : read_super(r, d, &super[d]);
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
        plat_report(REPORT_DEGRADED, d, 0);
    }
    if (uneven || (r->super.failed != before && r->copies >= 2)) {
        r->super.events++; /* before anything is written that it misses */
        format_write_supers(r);
    }
    return OK;
}
