/*
 * Finds the logical volume by the superblocks of the block RAID.
 */
#include "workloads/checkers/volume.h"

#include <isa-l.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"

#define BLOCK 4096u
#define SECTORS 8u
#define MAGIC UINT64_C(0x31646961526b6c42)

#define VERSION 2u
#define ALL UINT32_MAX
#define REGION_BLOCKS 256u
#define BITMAP_BLOCK 2u

struct super {
    uint64_t uuid, chunk, start, sectors, events;
    uint32_t level, disks, index, failed;
    uint8_t raw[BLOCK];
};

static bool decode(const uint8_t *raw, struct super *s)
{
    uint32_t crc = ~crc32_iscsi((unsigned char *)(uintptr_t)raw, 4092, 0xffffffffu);
    if (get_le64(raw) != MAGIC || get_le32(raw + 8) != VERSION || get_le32(raw + 4092) != crc)
        return false;
    *s = (struct super){.uuid = get_le64(raw + 16),
                        .chunk = get_le64(raw + 40),
                        .start = get_le64(raw + 48),
                        .sectors = get_le64(raw + 56),
                        .events = get_le64(raw + 64),
                        .level = get_le32(raw + 12),
                        .disks = get_le32(raw + 32),
                        .index = get_le32(raw + 36),
                        .failed = get_le32(raw + 72)};
    memcpy(s->raw, raw, BLOCK);
    bool known = s->level <= 1 || (s->level == 5 && s->disks >= 3);
    return known && s->disks >= 1 && s->disks <= DISKS_MAX && s->index < s->disks && s->chunk > 0 &&
           s->chunk % SECTORS == 0;
}

static uint32_t drive_of(const struct super *s, uint32_t place)
{
    return s->raw[76 + place];
}

/* The newer of the two copies on a disk. */
static bool read_super(const struct checker_disks *disks, uint32_t disk, struct super *s)
{
    static const uint64_t places[] = {0, 128};
    bool found = false;
    for (uint32_t k = 0; k < 2 && !disks->dead[disk]; k++) {
        uint8_t raw[BLOCK];
        struct super copy;
        bool readable = true;
        disks->read_block(disks->context, disk, places[k], raw, &readable);
        if (!readable || !decode(raw, &copy) || drive_of(&copy, copy.index) != disk)
            continue;
        if (!found || copy.events > s->events)
            *s = copy;
        found = true;
    }
    return found;
}

/* What the newest superblock says of a place, and its own disk's of its list. */
static void fill_place(struct checker_volume *v, uint32_t k, const struct super *best,
                       const struct super *own)
{
    struct checker_place *p = &v->place[k];
    uint32_t whole = get_le32(best->raw + 92 + 4 * k);
    p->whole = whole == ALL ? v->disk_blocks : (uint64_t)whole * REGION_BLOCKS;
    p->bads = 0;
    v->spared |= p->disk != k;
    if (own == NULL || own->uuid != best->uuid || own->index != k) {
        v->failed |= 1u << k;
        return;
    }
    uint32_t bads = get_le32(own->raw + 156 + 4 * k);
    for (; p->bads < bads && p->bads < CHECKER_BADS_MAX; p->bads++)
        p->bad[p->bads] = get_le32(own->raw + 256 + 8 * p->bads);
}

static bool find(struct checker_volume *v)
{
    struct super super[DISKS_MAX];
    bool found[DISKS_MAX] = {false};
    uint32_t best = DISKS_MAX;
    for (uint32_t d = 0; d < v->disks->count; d++) {
        found[d] = read_super(v->disks, d, &super[d]);
        if (found[d] && (best == DISKS_MAX || super[d].events > super[best].events))
            best = d;
    }
    if (best == DISKS_MAX || super[best].disks > v->disks->count)
        return false;
    const struct super *s = &super[best];
    v->places = s->disks;
    v->copies = s->level == 1 ? 2 : 1;
    v->parity = s->level == 5;
    v->columns = v->parity ? v->places - 1 : v->places / v->copies;
    v->chunk_blocks = s->chunk / SECTORS;
    v->data_start = s->start;
    v->disk_blocks = s->sectors / SECTORS;
    v->blocks = v->disk_blocks * v->columns;
    v->failed = s->failed;
    for (uint32_t k = 0; k < v->places; k++) {
        uint32_t d = v->place[k].disk = drive_of(s, k);
        if (d >= v->disks->count)
            return false;
        fill_place(v, k, s, found[d] ? &super[d] : NULL);
    }
    return true;
}

bool checker_volume_find(struct checker_volume *v, const struct checker_disks *disks)
{
    ASSERT(disks->count >= 1 && disks->count <= DISKS_MAX);
    *v = (struct checker_volume){
        .disks = disks, .columns = 1, .copies = 1, .places = 1, .chunk_blocks = 1};
    v->blocks = v->disk_blocks = v->place[0].whole = disks->blocks[0];
    return disks->count == 1 || find(v);
}

/* at: block of the disk's data. */
static bool read_disk(const struct checker_volume *v, uint32_t place, uint64_t at, uint8_t *raw)
{
    const struct checker_place *p = &v->place[place];
    bool readable = true;
    if ((v->failed >> place & 1) != 0 || v->disks->dead[p->disk] || at >= p->whole)
        return false;
    for (uint32_t k = 0; k < p->bads; k++)
        if (p->bad[k] == at)
            return false;
    v->disks->read_block(v->disks->context, p->disk, at + v->data_start, raw, &readable);
    return readable;
}

/* Of level 5: what all disks but one say that it has; of all, but being none, nought. */
static bool read_others(const struct checker_volume *v, uint32_t but, uint64_t at, uint8_t *raw)
{
    uint8_t other[BLOCK];
    memset(raw, 0, BLOCK);
    for (uint32_t d = 0; d < v->places; d++) {
        if (d == but)
            continue;
        if (!read_disk(v, d, at, other))
            return false;
        for (uint32_t k = 0; k < BLOCK; k++)
            raw[k] ^= other[k];
    }
    return true;
}

bool checker_volume_copy(const struct checker_volume *v, uint32_t copy, uint64_t block,
                         uint8_t *raw)
{
    uint64_t chunk = block / v->chunk_blocks, stripe = chunk / v->columns;
    uint64_t at = stripe * v->chunk_blocks + block % v->chunk_blocks;
    uint32_t column = (uint32_t)(chunk % v->columns), place = column * v->copies + copy;
    ASSERT(copy < v->copies);
    if (!v->parity)
        return read_disk(v, place, at, raw);
    place = (v->places - 1 - (uint32_t)(stripe % v->places) + 1 + column) % v->places;
    return read_disk(v, place, at, raw) || read_others(v, place, at, raw); /* after its parity */
}

/* Whether a bit says, on any disk of the column, that the region may be out of step. */
static bool has_bit(const struct checker_volume *v, uint32_t first, uint32_t count, uint64_t region)
{
    uint8_t raw[BLOCK];
    for (uint32_t k = first; k < first + count; k++) {
        bool readable = true;
        if ((v->failed >> k & 1) != 0 || v->disks->dead[v->place[k].disk])
            continue;
        v->disks->read_block(v->disks->context, v->place[k].disk,
                             BITMAP_BLOCK + region / (BLOCK * 8), raw, &readable);
        if (!readable || (raw[region / 8 % BLOCK] >> region % 8 & 1) != 0)
            return true;
    }
    return false;
}

static bool agrees_at(const struct checker_volume *v, uint32_t first, uint64_t at)
{
    uint8_t a[BLOCK], b[BLOCK] = {0};
    if (v->parity)
        return !read_others(v, DISKS_MAX, at, a) || memcmp(a, b, BLOCK) == 0;
    return !read_disk(v, first, at, a) || !read_disk(v, first + 1, at, b) ||
           memcmp(a, b, BLOCK) == 0;
}

bool checker_volume_agrees(const struct checker_volume *v, uint64_t *block)
{
    uint32_t width = v->parity ? v->places : v->copies;
    if (!v->spared || width < 2)
        return true;
    for (uint32_t first = 0; first < v->places; first += width) {
        bool bit = false;
        for (*block = 0; *block < v->disk_blocks; (*block)++) {
            if (*block % REGION_BLOCKS == 0)
                bit = has_bit(v, first, width, *block / REGION_BLOCKS);
            if (!bit && !agrees_at(v, first, *block))
                return false;
        }
    }
    return true;
}

bool checker_volume_read(const struct checker_volume *v, uint64_t block, uint8_t *raw)
{
    for (uint32_t copy = 0; copy < v->copies; copy++)
        if (checker_volume_copy(v, copy, block, raw))
            return true;
    return false;
}
