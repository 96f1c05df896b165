/*
 * What deterministic code did with what it read, as a tree: a node is the variable (sim/record.h)
 * that is read next, an edge the content that it had, a leaf the number of the outcome. Code that
 * meets a state of the disks only through its reads ends in the leaf that its contents lead to, so
 * an outcome that was reached once need not be reached again (the theorem: sim/README.md).
 *
 * Two uses. sim_memo_follow goes down as far as the tree is known, asking for contents. A run of
 * the code (sim_memo_enter, then sim_memo_read for each variable that it reads for the first time,
 * sim_memo_leave) extends it by one leaf.
 */
#ifndef LORIS_SIM_MEMO_H
#define LORIS_SIM_MEMO_H

#include <stdbool.h>
#include <stdint.h>

struct sim_memo;

struct sim_memo *sim_memo_create(void);
void sim_memo_destroy(struct sim_memo *m);

/* Forgets all. Keeps memory. */
void sim_memo_reset(struct sim_memo *m);

typedef uint32_t sim_memo_value(void *context, uint32_t variable);

/* The leaf that the contents lead to; UINT32_MAX: the tree does not know it yet. */
uint32_t sim_memo_follow(const struct sim_memo *m, sim_memo_value *value, void *context);

/* A run begins; it reads `variable`, for the first time in it, as `content`; it ends in `leaf`,
 * which must be new to the tree. That equal contents lead to the same next variable is asserted:
 * else the code is not deterministic, or reads past the hook. */
void sim_memo_enter(struct sim_memo *m);
void sim_memo_read(struct sim_memo *m, uint32_t variable, uint32_t content);
void sim_memo_leave(struct sim_memo *m, uint32_t leaf);

uint32_t sim_memo_nodes(const struct sim_memo *m);

#endif
