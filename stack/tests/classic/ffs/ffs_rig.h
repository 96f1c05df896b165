/*
 * An `ffs` on a RAM disk with a volatile cache: the power goes at the n-th request, and any part of
 * the sectors that were not flushed survives.
 */
#ifndef LORIS_STACK_TESTS_CLASSIC_FFS_FFS_RIG_H
#define LORIS_STACK_TESTS_CLASSIC_FFS_FFS_RIG_H

#include "stack/tests/classic/none/none_rig.h"

struct ffs_rig {
    struct none_rig none;
    uint32_t goes_at, requests; /* of the disk; 0: it stays */
    uint32_t keep_percent;
    uint64_t rng;
};

/* Formats and mounts; the disk's cache is volatile from then on. */
void ffs_rig_init(struct ffs_rig *rig, const struct stack_options *options);
void ffs_rig_fini(struct ffs_rig *rig);

/* The disk goes at the n-th request from now; 0: it stays. */
void ffs_rig_arm(struct ffs_rig *rig, uint32_t requests);

/* The power goes and comes: so many of 100 unflushed sectors survive. Whether the disk had gone
 * before. Then boot. */
bool ffs_rig_cut(struct ffs_rig *rig, uint32_t keep_percent);

uint32_t ffs_rig_draw(struct ffs_rig *rig, uint32_t below);

#endif
