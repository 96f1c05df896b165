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

struct super {
    uint64_t uuid, chunk, start, sectors, events;
    uint32_t level, disks, index, failed;
};

static bool decode(const uint8_t *raw, struct super *s)
{
    uint32_t crc = ~crc32_iscsi((unsigned char *)(uintptr_t)raw, 76, 0xffffffffu);
    if (get_le64(raw) != MAGIC || get_le32(raw + 8) != 1 || get_le32(raw + 76) != crc)
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
    bool known = s->level <= 1 || (s->level == 5 && s->disks >= 3);
    return known && s->chunk > 0 && s->chunk % SECTORS == 0;
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
        if (!readable || !decode(raw, &copy) || copy.index != disk || copy.disks != disks->count)
            continue;
        if (!found || copy.events > s->events)
            *s = copy;
        found = true;
    }
    return found;
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
    if (best == DISKS_MAX)
        return false;
    v->copies = super[best].level == 1 ? 2 : 1;
    v->parity = super[best].level == 5;
    v->columns = v->parity ? v->disks->count - 1 : v->disks->count / v->copies;
    v->chunk_blocks = super[best].chunk / SECTORS;
    v->data_start = super[best].start;
    v->blocks = super[best].sectors / SECTORS * v->columns;
    v->failed = super[best].failed;
    for (uint32_t d = 0; d < v->disks->count; d++)
        if (!found[d] || super[d].uuid != super[best].uuid)
            v->failed |= 1u << d;
    return true;
}

bool checker_volume_find(struct checker_volume *v, const struct checker_disks *disks)
{
    ASSERT(disks->count >= 1 && disks->count <= DISKS_MAX);
    *v = (struct checker_volume){.disks = disks, .columns = 1, .copies = 1, .chunk_blocks = 1};
    v->blocks = disks->blocks[0];
    return disks->count == 1 || find(v);
}

static bool read_disk(const struct checker_volume *v, uint32_t disk, uint64_t block, uint8_t *raw)
{
    bool readable = true;
    if ((v->failed >> disk & 1) != 0 || v->disks->dead[disk])
        return false;
    v->disks->read_block(v->disks->context, disk, block, raw, &readable);
    return readable;
}

/* Of level 5: what all disks but one say that it has. */
static bool read_others(const struct checker_volume *v, uint32_t but, uint64_t block, uint8_t *raw)
{
    uint8_t other[BLOCK];
    memset(raw, 0, BLOCK);
    for (uint32_t d = 0; d < v->disks->count; d++) {
        if (d == but)
            continue;
        if (!read_disk(v, d, block, other))
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
    uint64_t at = stripe * v->chunk_blocks + block % v->chunk_blocks + v->data_start;
    uint32_t column = (uint32_t)(chunk % v->columns), disk = column * v->copies + copy;
    ASSERT(copy < v->copies);
    if (!v->parity)
        return read_disk(v, disk, at, raw);
    uint32_t disks = v->disks->count;
    disk = (disks - 1 - (uint32_t)(stripe % disks) + 1 + column) % disks; /* after its parity */
    return read_disk(v, disk, at, raw) || read_others(v, disk, at, raw);
}

bool checker_volume_read(const struct checker_volume *v, uint64_t block, uint8_t *raw)
{
    for (uint32_t copy = 0; copy < v->copies; copy++)
        if (checker_volume_copy(v, copy, block, raw))
            return true;
    return false;
}
