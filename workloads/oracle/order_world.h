/*
 * A world: a history that is told again, one operation after the other. Private to this folder.
 *
 * Operations keep their numbers and the moments of their begin and answer; each takes effect when
 * it is told. What was told can be taken back to one of the marks that were set on the way.
 *
 * Invariants:
 *   (1) `ops` of the world are those that were told, in their order, as the caller has them;
 *   (2) mark k holds the world after (k + 1) * WORLD_MARK_STEPS of them.
 */
#ifndef LORIS_WORKLOADS_ORACLE_ORDER_WORLD_H
#define LORIS_WORKLOADS_ORACLE_ORDER_WORLD_H

#include "workloads/oracle/model.h"

#define WORLD_MARK_STEPS                                                                           \
    32u /* assumption: a copy of the world costs about as much as telling them */

struct step {
    uint32_t op;
    bool out; /* it was in trouble and did nothing */
};

/* What a world is about: operations, and the applications that they are of; of none, if it sets no
 * marks. */
struct world_ops {
    const uint32_t *op, *app;
    uint32_t count, app_count;
};

struct world_mark;

struct world {
    const struct history *h; /* what was recorded */
    struct history *w;
    struct world_ops ops;
    uint32_t told; /* operations */
    struct world_mark *marks;
    uint32_t mark_count, marks_made, mark_room;
};

void world_init(struct world *x);
void world_fini(struct world *x);

/* Nothing of these operations of the history has happened; others never will. O(operations). */
void world_begin(struct world *x, const struct history *h, struct world_ops ops);

/* Tells one operation. Returns whether its answer is right there; if not, or if it is one in flight
 * that cannot happen there, the world is of no use but for world_back. O(1) mostly. */
bool world_tell(struct world *x, const struct step *step);

/* Back to when at most `told` operations were told: to the last mark before that, or the start.
 * Returns how many are told. O(operations told). */
uint32_t world_back(struct world *x, uint32_t told);

/* What is known besides the operations: who died, marks. Nothing is told after that. */
void world_finish(struct world *x);

/* All that the judge can tell apart of what was told; if `later`, all that later answers can, too.
 * O(operations told and their effects). */
uint64_t world_hash(const struct world *x, bool later);

uint64_t world_mix(uint64_t hash, uint64_t value);

#endif
