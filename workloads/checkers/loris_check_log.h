/*
 * The region of the log on the disks of a loris pool (FORMAT.md, Segments): part of loris_check.
 *
 * What it demands of the segments on top of a member's root, up to the first that is not whole:
 * lists of items that are some, records in the order of their lsn and none older than the root, a
 * place for every page that its record wrote, and no page too many; the same segment on all
 * members.
 */
#ifndef LORIS_WORKLOADS_CHECKERS_LORIS_CHECK_LOG_H
#define LORIS_WORKLOADS_CHECKERS_LORIS_CHECK_LOG_H

#include "workloads/checkers/checkers.h"

struct loris_log { /* of one member */
    uint32_t disk, blocks;
    uint64_t first;      /* block of the disk */
    uint64_t epoch, lsn; /* of its root */
    uint8_t uuid[16];
};

/* Says each breach to `damage`, disk and place; context goes with it. */
struct loris_log_input {
    const struct checker_disks *disks;
    struct loris_log log[DISKS_MAX];
    uint32_t count;
    void *context;
    void (*damage)(void *context, uint32_t disk, uint64_t place, const char *what);
};

void loris_check_log(const struct loris_log_input *in);

#endif
