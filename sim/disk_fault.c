/* Fault hooks, and the ends of requests that are not their own: fences and the death of a disk. */
#include <stddef.h>

#include "assertion.h"
#include "sim/disk_state.h"

/* ---- Fences ---- */

/* Whether the device is past the point at which it could still leave this request undone. */
static bool is_committed(const struct disk_request *q)
{
    return q->r.op != SIM_DISK_READ && q->status == SIM_DISK_OK &&
           (q->state == REQUEST_MEDIA || q->state == REQUEST_ENDING);
}

static void end_early(struct sim_disk *disk, uint32_t slot)
{
    enum sim_disk_status status = is_committed(&disk->slot[slot]) ? SIM_DISK_OK : SIM_DISK_ABORTED;
    disk_unqueue(disk, slot);
    disk_end(disk, slot, status);
}

/* A callback may submit: the walk begins anew after each, and new requests are of the owner that
 * stays. */
void sim_disk_fence(struct sim_disk *disk, uint64_t owner)
{
    uint64_t last = disk->stats.requests;
    uint32_t drops = disk->drops;
    disk->fencing = true;
    uint32_t slot = disk->all.first;
    while (slot != 0) {
        const struct disk_request *q = &disk->slot[slot];
        if (q->r.owner == owner || q->ordinal > last) {
            slot = q->next;
            continue;
        }
        end_early(disk, slot);
        slot = disk->all.first;
    }
    disk->fencing = false;
    if (disk->drops != drops)
        return; /* an observer cut the power */
    disk_serve_stalled(disk);
    disk_admit(disk);
    disk_pump(disk);
}

/* ---- The whole disk ---- */

void sim_disk_fail_stop(struct sim_disk *disk)
{
    if (disk->fault.failed)
        return;
    disk->fault.failed = true;
    for (uint32_t slot = disk->all.first; slot != 0; slot = disk->slot[slot].next) {
        disk->slot[slot].write = 0; /* the cache is lost with the disk */
        disk_unqueue(disk, slot);
    }
    disk_stop_device(disk, true);
    disk_chain_clear(&disk->chain);
    disk->dirty_first = disk->dirty_last = 0;
    disk->acked_pending = 0;
    disk->cache_used = 0;
    uint64_t at_ns = sim_engine_now(disk->engine) + disk->overhead_ns;
    for (uint32_t slot = disk->all.first; slot != 0; slot = disk->slot[slot].next)
        disk_finish_at(disk, slot, at_ns, SIM_DISK_GONE);
}

void sim_disk_revive(struct sim_disk *disk)
{
    ASSERT(disk->fault.failed);
    disk->fault.failed = false;
    disk->resets++;
}

void sim_disk_replace(struct sim_disk *disk)
{
    ASSERT(disk->fault.failed);
    disk_trim_now(disk, 0, disk->sectors);
    ASSERT(sim_disk_used_count(disk) == 0);
    disk->fault.slow_permille = 1000;
    disk->fault.lying_flush = false;
    sim_disk_revive(disk);
}

bool sim_disk_failed(const struct sim_disk *disk)
{
    return disk->fault.failed;
}

void sim_disk_fail_slow(struct sim_disk *disk, uint64_t permille)
{
    ASSERT(permille >= 1 && permille <= 1000000000);
    disk->fault.slow_permille = permille;
}

void sim_disk_lying_flush(struct sim_disk *disk, bool on)
{
    disk->fault.lying_flush = on;
}

/* ---- Sectors ---- */

void sim_disk_latent_error(struct sim_disk *disk, uint64_t first_sector, uint64_t count)
{
    ASSERT(first_sector < disk->sectors);
    uint64_t room = disk->sectors - first_sector;
    for (uint64_t i = 0; i < count && i < room; i++)
        disk_image_spoil(&disk->image, first_sector + i);
}

uint64_t sim_disk_bad_count(const struct sim_disk *disk)
{
    return disk->image.bad_count;
}

bool sim_disk_bad(const struct sim_disk *disk, uint64_t sector)
{
    ASSERT(sector < disk->sectors);
    return disk_image_is_bad(&disk->image, sector);
}

bool sim_disk_bit_rot(struct sim_disk *disk, uint64_t sector, uint32_t bit)
{
    ASSERT(sector < disk->sectors);
    return disk_image_flip(&disk->image, sector, bit);
}

/* ---- The next request ---- */

void sim_disk_transient_errors(struct sim_disk *disk, uint32_t requests)
{
    disk->fault.transient = requests;
}

void sim_disk_torn_write(struct sim_disk *disk, uint32_t sectors)
{
    disk->fault.torn = true;
    disk->fault.torn_sectors = sectors;
}

void sim_disk_lost_write(struct sim_disk *disk)
{
    disk->fault.lost = true;
}

void sim_disk_misdirected_write(struct sim_disk *disk, uint64_t sector)
{
    ASSERT(sector < disk->sectors);
    disk->fault.wrong_write = true;
    disk->fault.wrong_write_sector = sector;
}

void sim_disk_misdirected_read(struct sim_disk *disk, uint64_t sector)
{
    ASSERT(sector < disk->sectors);
    disk->fault.wrong_read = true;
    disk->fault.wrong_read_sector = sector;
}
