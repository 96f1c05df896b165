/*
 * The checker of `cow` from raw bytes alone (stack/classic/cow/FORMAT.md). It shares no code with
 * the file system. The volume should be at rest (after an orderly stop, or a power cut).
 *
 * What it demands: a root; each block below the newest one reached once, with the CRC that its
 * pointer says; a map that says taken for just what is reached, and the root's counts right; inodes
 * whole; directories whole, one parent each, `..` right, no cycle; nlink = names; what has no name
 * is on the list of orphans. What the map says taken and nothing reaches is leaked: counted, no
 * damage. Nor is a block that cannot be read or whose CRC is wrong in all copies: it answers with
 * an error, and what it would have said is not held against the rest.
 */
#ifndef LORIS_WORKLOADS_CHECKERS_COW_CHECK_H
#define LORIS_WORKLOADS_CHECKERS_COW_CHECK_H

#include "workloads/checkers/checkers.h"

/* Fills 4096 bytes with copy `copy` of block `block` of the volume; false: it cannot be read. */
typedef bool cow_check_read(void *object, uint32_t copy, uint64_t block, uint8_t *raw);

struct cow_check {
    bool ok;
    uint64_t batch; /* of the root that was checked */
    uint64_t leaked_blocks, leaked_inodes;
    uint64_t unreadable; /* blocks needed and not to be had: no damage */
    uint64_t damages;
    char text[CHECKER_TEXT_BYTES]; /* the first damage; "" if there is none */
};

/* blocks, copies: of the volume. Memory: some bytes a block. */
void cow_check(cow_check_read *read, void *object, uint64_t blocks, uint32_t copies,
               struct cow_check *out);

/* The same of the volume on these disks. */
void cow_check_disks(const struct checker_disks *disks, struct checker_verdict *verdict);

#endif
