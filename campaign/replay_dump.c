#include "campaign/replay_dump.h"

#include <stdlib.h>
#include <unistd.h>

#include "assertion.h"

static bool put(FILE *file, uint64_t sector, uint32_t sector_bytes, const uint8_t *bytes)
{
    return fseeko(file, (off_t)(sector * sector_bytes), SEEK_SET) == 0 &&
           fwrite(bytes, sector_bytes, 1, file) == 1;
}

/* One sector, as it reads. */
static bool put_read(struct sim_disk *disk, FILE *file, uint64_t sector, uint8_t *bytes)
{
    if (sim_disk_peek(disk, sector, 1, bytes) != OK)
        sim_disk_peek_stable(disk, sector, 1, bytes);
    return put(file, sector, sim_disk_identify(disk).sector_size, bytes);
}

static bool put_stable(struct sim_disk *disk, FILE *file, uint64_t sector, uint8_t *bytes)
{
    sim_disk_peek_stable(disk, sector, 1, bytes);
    return put(file, sector, sim_disk_identify(disk).sector_size, bytes);
}

/* What is accepted and not stable. */
static bool put_pending(struct sim_disk *disk, FILE *file, uint8_t *bytes)
{
    uint32_t count = sim_disk_pending(disk);
    bool ok = true;
    struct sim_disk_pending *list = calloc((size_t)count + 1, sizeof(*list));
    ASSERT(list != NULL);
    count = sim_disk_pending_list(disk, list, count);
    for (uint32_t k = 0; k < count; k++)
        for (uint32_t s = 0; s < list[k].count; s++)
            ok = ok && put_read(disk, file, list[k].first_sector + s, bytes);
    free(list);
    return ok;
}

bool replay_dump(struct sim_disk *disk, FILE *reads, FILE *stable)
{
    off_t size = (off_t)sim_disk_size(disk);
    uint8_t *bytes = malloc(sim_disk_identify(disk).sector_size);
    ASSERT(bytes != NULL);
    bool ok = ftruncate(fileno(reads), size) == 0 && ftruncate(fileno(stable), size) == 0;
    uint64_t used = sim_disk_used_count(disk);
    for (uint64_t n = 0; n < used && ok; n++) {
        uint64_t sector = sim_disk_used_nth(disk, n);
        ok = put_read(disk, reads, sector, bytes) && put_stable(disk, stable, sector, bytes);
    }
    ok = ok && put_pending(disk, reads, bytes);
    free(bytes);
    return fflush(reads) == 0 && fflush(stable) == 0 && ok;
}
