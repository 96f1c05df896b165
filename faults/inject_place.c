/*
 * Where on a disk a fault of media strikes: anywhere, where something was written, or where an
 * application's content is, or is not. Content tells whose it is (inject_setup.holds), so this
 * needs no layout: a copy in a log, or an old version, is as much data as what a file leads to.
 */
#include <stdlib.h>

#include "faults/inject_private.h"

static bool is_zero(const uint8_t *bytes, uint32_t count)
{
    for (uint32_t k = 0; k < count; k++)
        if (bytes[k] != 0)
            return false;
    return true;
}

/* Sectors of zeros are nobody's: neither data nor metadata. */
static bool qualifies(const struct injector *in, const char *path, bool metadata,
                      const uint8_t *bytes, uint32_t count)
{
    bool data = in->setup.holds(in->setup.context, path, bytes, count);
    return metadata ? !data && !is_zero(bytes, count) : data;
}

/* The stable sectors that qualify. */
static struct inject_places find(const struct injector *in, const struct sim_disk *disk,
                                 const char *path, bool metadata)
{
    uint64_t used = sim_disk_used_count(disk);
    uint32_t bytes = sim_disk_identify(disk).sector_size;
    struct inject_places p = {.disk = disk, .sector = calloc(used + 1, sizeof(p.sector[0]))};
    uint8_t *raw = malloc(bytes);
    ASSERT(p.sector != NULL && raw != NULL);
    for (uint64_t k = 0; in->setup.holds != NULL && k < used; k++) {
        uint64_t sector = sim_disk_used_nth(disk, k);
        sim_disk_peek_stable(disk, sector, 1, raw);
        if (qualifies(in, path, metadata, raw, bytes))
            p.sector[p.count++] = sector;
    }
    free(raw);
    return p;
}

struct inject_places inject_places_find(const struct injector *in, uint32_t i,
                                        const struct sim_disk *disk)
{
    const struct fault *f = fault_of(in, i);
    switch (f->where) {
    case FAULT_WHERE_ANY:
        return (struct inject_places){
            .disk = disk, .any = true, .count = sim_disk_identify(disk).sectors};
    case FAULT_WHERE_USED:
        return (struct inject_places){.disk = disk, .count = sim_disk_used_count(disk)};
    default:
        return find(in, disk, f->where == FAULT_WHERE_FILE ? f->where_path : NULL,
                    f->where == FAULT_WHERE_METADATA);
    }
}

uint64_t inject_places_nth(const struct inject_places *places, uint64_t k)
{
    ASSERT(k < places->count);
    if (places->any)
        return k;
    return places->sector != NULL ? places->sector[k] : sim_disk_used_nth(places->disk, k);
}

uint64_t inject_places_below(const struct inject_places *places, uint64_t sector)
{
    uint64_t low = 0, high = places->count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (inject_places_nth(places, middle) < sector)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void inject_places_free(struct inject_places *places)
{
    free(places->sector);
    *places = (struct inject_places){0};
}

void inject_find_holder(struct injector *in, uint32_t i)
{
    const struct fault *f = fault_of(in, i);
    struct armed *a = &in->fault[i];
    uint32_t copy = 0;
    if (f->disk.kind != FAULT_TARGET_HOLDS)
        return;
    a->disk = NO_DISK;
    for (uint32_t d = 0; d < in->setup.options->disks && a->disk == NO_DISK; d++) {
        const struct sim_disk *disk = sim_machine_disk(in->setup.machine, d);
        if (sim_disk_failed(disk))
            continue;
        struct inject_places its = find(in, disk, f->disk.path, false);
        if (its.count > 0 && copy++ == f->disk.index)
            a->disk = d;
        inject_places_free(&its);
    }
}
