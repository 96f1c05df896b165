/*
 * The list of a drive's sectors that nobody could tell when it was copied (raid.h, invariant 7). It
 * is part of the drive's own superblocks; how long it is stands in those of all, so that a drive
 * whose superblocks cannot be read is believed only if it had no list.
 */
#include "assertion.h"
#include "raid.h"

/* The sectors of a block that a range covers, bit a sector. */
static uint8_t covered(uint32_t block, uint64_t first, uint64_t end)
{
    uint8_t bits = 0;
    for (uint32_t k = 0; k < SECTORS_A_BLOCK; k++) {
        uint64_t sector = (uint64_t)block * SECTORS_A_BLOCK + k;
        if (sector >= first && sector < end)
            bits |= (uint8_t)(1u << k);
    }
    return bits;
}

bool bad_hits(const struct raid *r, uint32_t disk, uint64_t first, uint32_t count)
{
    const struct bad_list *bad = &r->member[disk]->bad;
    for (uint32_t k = 0; k < bad->count; k++)
        if ((covered(bad->entry[k].block, first, first + count) & bad->entry[k].sectors) != 0)
            return true;
    return false;
}

enum err bad_add(struct raid *r, uint32_t disk, uint64_t first, uint32_t count)
{
    struct bad_list *bad = &r->member[disk]->bad;
    uint32_t block = (uint32_t)(first / SECTORS_A_BLOCK), k = 0;
    ASSERT(count > 0);
    ASSERT((first + count - 1) / SECTORS_A_BLOCK == block);
    while (k < bad->count && bad->entry[k].block != block)
        k++;
    if (k == BADS_MAX)
        return E_FULL;
    if (k == bad->count) {
        bad->entry[k].block = block;
        bad->entry[k].sectors = 0;
        bad->count++;
    }
    bad->entry[k].sectors |= covered(block, first, first + count);
    r->bad_changed = true;
    plat_report(REPORT_LOST, r->member[disk]->drive, block);
    return OK;
}

void bad_store(struct raid *r)
{
    if (!r->bad_changed)
        return;
    r->bad_changed = false;
    r->super.events++;
    format_write_supers(r);
}

void bad_written(struct raid *r, uint32_t disk, uint64_t first, uint32_t count)
{
    struct bad_list *bad = &r->member[disk]->bad;
    if (!bad_hits(r, disk, first, count))
        return;
    r->recheck = true;
    enum err e = block_flush(&r->member[disk]->client);
    if (e != OK) {
        repair_fail(r, disk, e);
        return; /* else, if it stays: they count as bad, which loses nothing that was stable */
    }
    for (uint32_t k = bad->count; k-- > 0;) {
        uint8_t now = covered(bad->entry[k].block, first, first + count);
        bad->entry[k].sectors &= (uint8_t)~now;
        if (bad->entry[k].sectors == 0)
            bad->entry[k] = bad->entry[--bad->count];
    }
    r->bad_changed = true;
    bad_store(r);
}

enum err bad_read(struct raid *r, uint32_t disk, uint64_t first, void *to, size_t bytes)
{
    if (bad_hits(r, disk, first, (uint32_t)(bytes / SECTOR_BYTES)))
        return E_MEDIA;
    return block_read(&r->member[disk]->client, raid_disk_sector(first), to, bytes);
}

enum err bad_write(struct raid *r, uint32_t disk, uint64_t first, const void *from, size_t bytes)
{
    enum err e = block_write(&r->member[disk]->client, raid_disk_sector(first), from, bytes, false);
    if (e == OK)
        bad_written(r, disk, first, (uint32_t)(bytes / SECTOR_BYTES));
    return e;
}
