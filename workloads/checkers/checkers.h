/*
 * The checkers: each reads the raw disks of a stopped stack against that design's FORMAT.md and
 * says whether they are sound. Written apart from the stack's own code, which they share nothing
 * with.
 */
#ifndef LORIS_WORKLOADS_CHECKERS_H
#define LORIS_WORKLOADS_CHECKERS_H

#include <stdbool.h>
#include <stdint.h>

#include "options.h"

#define CHECKER_TEXT_BYTES 256u

/* What a checker may read. */
struct checker_disks {
    void *context;
    /* Reads block `block` (4096 bytes) of disk `disk`; zeros and *readable false if it cannot. */
    void (*read_block)(void *context, uint32_t disk, uint64_t block, uint8_t *to, bool *readable);
    uint32_t count;
    uint64_t blocks[DISKS_MAX]; /* size of each */
    bool dead[DISKS_MAX];       /* failed for good: not to be read */
};

struct checker_verdict {
    bool ran;                      /* false: there is no checker for this design */
    bool ok;                       /* sound, leaks apart */
    uint64_t leaked_blocks;        /* used according to the maps, reached by nothing */
    uint64_t damages;              /* broken invariants that redundancy does not mend */
    char text[CHECKER_TEXT_BYTES]; /* the first of them */
};

/* Checks the disks of a design ("loris", "cow", "fat", ...). */
void checker_run(const char *design, const struct checker_disks *disks,
                 struct checker_verdict *verdict);

#endif
