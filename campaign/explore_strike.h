/*
 * Every crash of a process, and crashes while it recovers: each stretch of blocks in which a death
 * of the process leaves the same behind (sim_machine_watch) is a *class*, and the death at its last
 * block stands for all of it. A first strike is in the run of the workload, a second in the
 * recovery from the first, from detection to full service, and so on; each is a trial as `loris
 * run` makes it of `at: {block: N}`.
 *
 * A strike may also be a loss of power beside deaths: at each write and flush, as they are given to
 * a disk, with the caches left as the plan says; and flips of memory (explore_flip.h).
 *
 * A *part* of a job is what begins with the death of one process of the stack, by its place in the
 * list of programs; what begins with a loss of power is part 0. Levels count from 1: level l has l
 * strikes.
 *
 * Promise: what is found depends on plan, build, cell, n and part alone. Asserted: every strike
 * finds its moment.
 */
#ifndef LORIS_CAMPAIGN_EXPLORE_STRIKE_H
#define LORIS_CAMPAIGN_EXPLORE_STRIKE_H

#include "campaign/explore.h"

#define EXPLORE_STRIKES_MAX 3u

/* A row's number: trial = job * EXPLORE_DEPTHS * EXPLORE_ROWS + (level - 1) * STRIKE_LEVEL_ROWS +
 * part * STRIKE_PART_ROWS + row, row from 1 over the rows that the part has at that level. */
#define STRIKE_PART_ROWS UINT64_C(78125)
#define STRIKE_LEVEL_ROWS (STRIKE_PART_ROWS * SIM_PROCESSES_MAX)

/* The death of a process at a block, counted since time 0 over all its instances; or, with block 0,
 * a flip in its memory when a probe is passed for the pass-th time (explore_flip.h); or, with
 * LAYER_NONE, the power fails at request number `block` of disk `instance`. */
struct explore_strike {
    enum layer layer;
    uint32_t instance;
    uint64_t block;
    enum probe probe;
    uint64_t pass;
    enum fault_region region;
    enum fault_page_state state;
    uint32_t word, bit;
};

struct striker;

/* In a laboratory that does nothing else meanwhile; both outlive the striker. */
struct striker *striker_create(struct lab *lab, const struct plan *plan);
void striker_destroy(struct striker *s);

/* Whether the cell's plan is one of deaths of processes, or of flips in their memory, which may
 * still be refused. */
bool striker_takes(const struct plan *plan, uint32_t cell);

/* Why the deaths of the cell's plan cannot be explored, static text; NULL: they can. */
const char *striker_refuses(const struct plan *plan, uint32_t cell);

/* Whether deaths of program `part` are a first strike of the cell; false beyond the last program
 * too. *parts: how many programs there are. */
bool striker_has_part(const struct plan *plan, uint32_t cell, uint32_t part, uint32_t *parts);

/* How many strikes the cell's plan itself has: the least level that is of interest. */
uint32_t striker_levels(const struct plan *plan, uint32_t cell);

/* Whether the cell's plan has flips. */
bool striker_flips(const struct plan *plan, uint32_t cell);

/* Whether the cell can be struck so by strike `level`, from 0. For what came from outside. */
bool striker_can(const struct plan *plan, uint32_t cell, uint32_t level,
                 const struct explore_strike *strike);

/* The number of the point that tells of a part at a level. */
static inline uint32_t striker_point(uint32_t part, uint32_t level)
{
    return part * 10 + level;
}

/*
 * Runs the classes of one part of trial n of a cell, those of level `from` up to `to`; shallower
 * ones are run where deeper ones begin with them, and are not told of. options->eager: at each
 * block of each class, told as the class's last.
 */
struct explore_sum striker_run(struct striker *s, uint32_t cell, uint64_t n, uint32_t part,
                               uint32_t from, uint32_t to, const struct explore_options *options,
                               const struct explore_sink *sink);

/* In a laboratory where the job of the cell was begun: runs one trial with these strikes. Fills
 * *record but for the trial's number. */
void striker_trial(struct lab *lab, const struct plan *plan, uint32_t cell,
                   const struct explore_strike *strikes, uint32_t count,
                   struct trial_record *record);

#endif
