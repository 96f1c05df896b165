/*
 * The superblock (FORMAT.md), to bytes and back. Nothing that it says is believed before all of it
 * was looked at.
 */
#include "assertion.h"
#include "bytes.h"
#include "mem.h"
#include "raid.h"

#define MAGIC UINT64_C(0x31646961526b6c42)
#define VERSION 2u
#define REGIONS_MAX ((uint64_t)BITMAP_BLOCKS_MAX * BLOCK_BYTES * 8)
#define BAD_BYTES 8u

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
       SB_DRIVE = 76,
       SB_WHOLE = 92,
       SB_BADS = 156,
       SB_LIST = 256,
       SB_CRC = 4092,
};

_Static_assert(SB_LIST + BADS_MAX * BAD_BYTES <= SB_CRC, "the list fits");
_Static_assert(SB_DRIVE + DISKS_MAX == SB_WHOLE && SB_WHOLE + 4 * DISKS_MAX == SB_BADS, "");

void super_encode(uint8_t *raw, const struct super *super, const struct bad_list *bad)
{
    ASSERT(super->index < super->disks);
    ASSERT(bad->count <= BADS_MAX);
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
    for (uint32_t d = 0; d < super->disks; d++) {
        raw[SB_DRIVE + d] = (uint8_t)super->drive[d];
        put_le32(raw + SB_WHOLE + 4 * d, super->whole[d]);
        put_le32(raw + SB_BADS + 4 * d, super->bads[d]);
    }
    for (uint32_t k = 0; k < bad->count; k++) {
        put_le32(raw + SB_LIST + BAD_BYTES * k, bad->entry[k].block);
        raw[SB_LIST + BAD_BYTES * k + 4] = bad->entry[k].sectors;
    }
    put_le32(raw + SB_CRC, plat_crc32c(raw, SB_CRC));
}

static bool is_sound(const struct super *s)
{
    bool level =
        (s->level == 0) || (s->level == 1 && s->disks % 2 == 0) || (s->level == 5 && s->disks >= 3);
    bool sizes = s->chunk_sectors > 0 && s->chunk_sectors % SECTORS_A_BLOCK == 0 &&
                 s->chunk_sectors <= UINT32_MAX && s->column_sectors > 0 &&
                 s->column_sectors % s->chunk_sectors == 0 &&
                 s->column_sectors < REGIONS_MAX * REGION_SECTORS;
    return s->disks > 0 && s->disks <= DISKS_MAX && s->index < s->disks && level && sizes;
}

/* Drives: each has one place. */
static bool decode_drives(struct super *s, const uint8_t *raw)
{
    uint32_t seen = 0;
    for (uint32_t d = 0; d < s->disks; d++) {
        s->drive[d] = raw[SB_DRIVE + d];
        s->whole[d] = get_le32(raw + SB_WHOLE + 4 * d);
        s->bads[d] = get_le32(raw + SB_BADS + 4 * d);
        if (s->drive[d] >= DISKS_MAX || (seen >> s->drive[d] & 1) != 0)
            return false;
        if ((s->whole[d] != WHOLE && s->whole[d] > REGIONS_MAX) || s->bads[d] > BADS_MAX)
            return false;
        seen |= 1u << s->drive[d];
    }
    return true;
}

static bool decode_list(struct bad_list *bad, const struct super *s, const uint8_t *raw)
{
    bad->count = s->bads[s->index];
    for (uint32_t k = 0; k < bad->count; k++) {
        bad->entry[k].block = get_le32(raw + SB_LIST + BAD_BYTES * k);
        bad->entry[k].sectors = raw[SB_LIST + BAD_BYTES * k + 4];
        if (bad->entry[k].sectors == 0 ||
            bad->entry[k].block >= s->column_sectors / SECTORS_A_BLOCK)
            return false;
    }
    return true;
}

enum err super_decode(struct super *super, struct bad_list *bad, const uint8_t *raw)
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
    if (!is_sound(super) || get_le64(raw + SB_DATA_START) != DATA_START_BLOCK)
        return E_CORRUPT;
    return decode_drives(super, raw) && decode_list(bad, super, raw) ? OK : E_CORRUPT;
}
