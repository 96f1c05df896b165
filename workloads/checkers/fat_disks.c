/*
 * Hands the blocks of the logical volume to the checker of `fat`.
 */
#include <stdio.h>
#include <string.h>

#include "workloads/checkers/fat_check.h"
#include "workloads/checkers/volume.h"

static bool read_volume(void *object, uint64_t block, uint8_t *raw)
{
    return checker_volume_read(object, block, raw);
}

void fat_check_disks(const struct checker_disks *disks, struct checker_verdict *verdict)
{
    struct checker_volume v;
    struct fat_check check;
    *verdict = (struct checker_verdict){.ran = true};
    if (!checker_volume_find(&v, disks)) {
        verdict->damages = 1;
        snprintf(verdict->text, sizeof(verdict->text), "no superblock of the block RAID");
        return;
    }
    fat_check(read_volume, &v, v.blocks, &check);
    verdict->ok = check.ok;
    verdict->damages = check.damages;
    verdict->leaked_blocks = check.leaked_entries;
    memcpy(verdict->text, check.text, sizeof(verdict->text));
}
