/*
 * A classic file system on a RAM disk with a volatile cache: the power goes at the n-th request,
 * and any part of the sectors that were not flushed survives. And the tests that all of them take
 * with it: scripts that are cut everywhere, in the recovery that follows too.
 *
 * A test of a layer links its own folder's helpers alone: each folder has a file that includes
 * cut_rig.c and cut_tests.c.
 */
#ifndef LORIS_STACK_TESTS_CLASSIC_CUT_RIG_H
#define LORIS_STACK_TESTS_CLASSIC_CUT_RIG_H

#include "stack/tests/classic/none/none_rig.h"

/* What is to be tested. */
struct cut_design {
    program_main *program;
    struct stack_options options; /* disks, environments, cache and sync are filled by the rig */
    size_t cache_bytes;           /* 0: 1 MiB */
    /* Unmounts; then the design's checker must find neither damage nor a leak. */
    void (*expect_sound)(struct none_rig *rig);
};

struct cut_rig {
    struct none_rig none;
    uint32_t goes_at, requests; /* of the disk; 0: it stays */
    uint32_t keep_percent;
    uint64_t rng;
};

/* Formats and mounts; the disk's cache is volatile from then on. */
void cut_rig_init(struct cut_rig *rig, const struct cut_design *design);
void cut_rig_fini(struct cut_rig *rig);

/* The disk goes at the n-th request from now; 0: it stays. */
void cut_rig_arm(struct cut_rig *rig, uint32_t requests);

/* The power goes and comes: so many of 100 unflushed sectors survive. Whether the disk had gone
 * before. Then boot. */
bool cut_rig_cut(struct cut_rig *rig, uint32_t keep_percent);

uint32_t cut_rig_draw(struct cut_rig *rig, uint32_t below);

/* Boots after a cut, cutting the recovery itself `more` times at random requests. */
void cut_rig_reboot(struct cut_rig *rig, uint32_t more, uint32_t keep_percent);

/* ---- cut_tests.c ---- */

/* A script of moves, links and cuts short is cut at its every request: what was synced is there,
 * a directory has one name, all is sound. */
void cut_at_every_request(const struct cut_design *design);

/* A directory is moved over an empty one in the same parent, cut at every request: either nothing
 * or all of the move is there. */
void cut_replacing(const struct cut_design *design);

/* Random operations on some files, cut at random requests, life after life: what was synced and not
 * touched since is there. */
void cut_at_random(const struct cut_design *design, uint64_t seed, uint32_t lives);

#endif
