/*
 * The logical volume below a classic file system, from raw disks: one disk as it is, several
 * through the layout of the block RAID (stack/classic/blockraid/FORMAT.md), which is read here
 * apart from its own code.
 */
#ifndef LORIS_WORKLOADS_CHECKERS_VOLUME_H
#define LORIS_WORKLOADS_CHECKERS_VOLUME_H

#include "workloads/checkers/checkers.h"

struct checker_volume {
    const struct checker_disks *disks;
    uint32_t columns, copies, failed; /* failed: bit a disk */
    bool parity;                      /* level 5: columns are those of data, one disk less */
    uint64_t chunk_blocks, data_start;
    uint64_t blocks; /* of the volume */
};

/* Fills *v, which keeps `disks`. false: no superblock of the RAID can be found. */
bool checker_volume_find(struct checker_volume *v, const struct checker_disks *disks);

/* Fills 4096 bytes with one copy of a block; false: it cannot be read. copy: below v->copies. Of
 * level 5 that is what its disk has, or else what all others say. */
bool checker_volume_copy(const struct checker_volume *v, uint32_t copy, uint64_t block,
                         uint8_t *raw);

/* The first copy that can be read: what the RAID would return, as long as no region is out of step.
 */
bool checker_volume_read(const struct checker_volume *v, uint64_t block, uint8_t *raw);

#endif
