/*
 * Random lives of a `cow` in a small tree, with the hash of what was visible after each operation.
 */
#ifndef LORIS_STACK_TESTS_CLASSIC_COW_COW_LIFE_H
#define LORIS_STACK_TESTS_CLASSIC_COW_COW_LIFE_H

#include "stack/tests/classic/cow/cow_rig.h"

#define LIFE_STATES_MAX 400u

struct cow_life {
    struct cow_rig *rig;
    uint64_t rng;
    enum vfs_op sync; /* VFS_SYNC, or VFS_FSYNC of the root directory */
    uint64_t state[LIFE_STATES_MAX];
    uint32_t count, synced; /* states; the index of the one that was synced last */
};

/* Formats the rig's disk, which loses what is not flushed from now on, and notes its state. */
void cow_life_begin(struct cow_life *life, struct cow_rig *rig, uint64_t seed, enum vfs_op sync);
uint32_t cow_life_draw(struct cow_life *life, uint32_t below);
/* One random operation, which must be answered; notes the state. */
void cow_life_step(struct cow_life *life);
/* Syncs; true if it was answered OK. */
bool cow_life_sync(struct cow_life *life);
/* Cuts the power: any subset of what is not flushed stays. */
void cow_life_cut(struct cow_life *life);
/* Boots, expects a state since the last sync, and goes on from it. Returns how many states before
 * the last one it was. */
uint32_t cow_life_find(struct cow_life *life);
/* The checker has nothing to say. */
void cow_life_expect_sound(struct cow_life *life);

#endif
