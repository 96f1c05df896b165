/*
 * Whether bytes of a file can be explained by the effects on it: the heart of every judgement about
 * contents. Private to this folder.
 *
 * The effects are walked from the newest to the oldest. What an effect explains is taken out of the
 * range; what it must explain and does not is wrong, unless an older effect that does not precede
 * it could have come last. Cost: O(effects walked x pieces left), and each byte is compared about
 * once.
 */
#ifndef LORIS_WORKLOADS_ORACLE_RANGE_H
#define LORIS_WORKLOADS_ORACLE_RANGE_H

#include "workloads/oracle/model.h"

enum presence {
    OUT,      /* does not count */
    OPTIONAL, /* each 4 KiB block of it may be in or out; what it grew may be zeros */
    IN
};

/* How an operation counts in what is to be explained. */
typedef enum presence presence_fn(const void *object, uint32_t op);

struct range_query {
    const struct history *h;
    presence_fn *presence;
    const void *object;
    uint32_t inode;
    uint32_t newest; /* effect to start from; 0: nothing was ever written */
    uint64_t from, to;
    const uint8_t *bytes; /* of [from, to) */
};

struct range_piece {
    uint64_t from, to;
    uint32_t bound; /* only operations that end at this tick or later can explain it */
};

/* Room for pieces, kept. Zero-initialised; range_work_free gives it back. */
struct range_work {
    struct range_piece *piece;
    uint32_t count, room;
};

/* Whether the bytes are explained. *failed (may be NULL): place of the first byte found wrong. */
bool range_explained(struct range_work *w, const struct range_query *q, uint64_t *failed);

void range_work_free(struct range_work *w);

#endif
