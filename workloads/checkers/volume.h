/*
 * The logical volume below a classic file system, from raw disks: one disk as it is, several
 * through the layout of the block RAID (stack/classic/blockraid/FORMAT.md), which is read here
 * apart from its own code.
 */
#ifndef LORIS_WORKLOADS_CHECKERS_VOLUME_H
#define LORIS_WORKLOADS_CHECKERS_VOLUME_H

#include "workloads/checkers/checkers.h"

#define CHECKER_BADS_MAX 479u /* as many as a superblock has room for */

struct checker_volume {
    const struct checker_disks *disks;
    uint32_t columns, copies;
    uint32_t places, failed; /* disks of the RAID; failed: bit a place */
    bool parity;             /* level 5: columns are those of data, one disk less */
    bool spared;             /* a spare has the place of another disk */
    uint64_t chunk_blocks, data_start;
    uint64_t blocks;      /* of the volume */
    uint64_t disk_blocks; /* of data on each disk */
    struct checker_place {
        uint32_t disk;  /* of the machine */
        uint64_t whole; /* blocks of its data that are there: the rest was not yet copied */
        uint32_t bads;  /* blocks, or parts of them, that nobody could tell it */
        uint32_t bad[CHECKER_BADS_MAX];
    } place[DISKS_MAX];
};

/* Fills *v, which keeps `disks`. false: no superblock of the RAID can be found. */
bool checker_volume_find(struct checker_volume *v, const struct checker_disks *disks);

/* Fills 4096 bytes with one copy of a block; false: it cannot be read. copy: below v->copies. Of
 * level 5 that is what its disk has, or else what all others say. */
bool checker_volume_copy(const struct checker_volume *v, uint32_t copy, uint64_t block,
                         uint8_t *raw);

/*
 * Of a volume of which a disk was replaced: whether in each region without a bit all copies are the
 * same, or parity is right. Else *block is the first of the disks' data that is not. One that
 * cannot be read, was not copied yet or is on a list says nothing.
 */
bool checker_volume_agrees(const struct checker_volume *v, uint64_t *block);

/* The first copy that can be read: what the RAID would return, as long as no region is out of step.
 */
bool checker_volume_read(const struct checker_volume *v, uint64_t block, uint8_t *raw);

#endif
