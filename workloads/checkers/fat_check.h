/*
 * The checker of `fat` from raw bytes alone (stack/classic/fat/FORMAT.md). It shares no code with
 * the file system. The volume should be at rest, after an orderly stop.
 *
 * What it demands: a superblock; after an orderly stop both copies of the table equal; entries that
 * can be; from each head a chain of entries that name it, its generation and their place, none of
 * them twice, to an end whose last block is used as far as a size can be; directories whole, one
 * parent each, `..` right, no cycle; nlink = names. Entries in use that nothing leads to are
 * leaked: counted, no damage. Nor is a block that cannot be read: it answers with an error, and
 * what it would have said is not held against the rest.
 */
#ifndef LORIS_WORKLOADS_CHECKERS_FAT_CHECK_H
#define LORIS_WORKLOADS_CHECKERS_FAT_CHECK_H

#include "workloads/checkers/checkers.h"

/* Fills 4096 bytes with block `block` of the logical volume; false: it cannot be read. */
typedef bool fat_check_read(void *object, uint64_t block, uint8_t *raw);

struct fat_check {
    bool ok;                       /* no damage */
    bool clean;                    /* stopped in an orderly way */
    uint64_t leaked_entries;       /* of heads without a name, their chains, and loose bodies */
    uint64_t unreadable;           /* blocks needed and not to be had: no damage */
    uint64_t damages;              /* broken invariants */
    char text[CHECKER_TEXT_BYTES]; /* the first of them */
};

/* blocks: size of the volume in blocks of 4096 bytes. Memory: some 60 bytes an entry in use. */
void fat_check(fat_check_read *read, void *object, uint64_t blocks, struct fat_check *out);

/* The same of the volume on these disks. */
void fat_check_disks(const struct checker_disks *disks, struct checker_verdict *verdict);

#endif
