/*
 * Every crash state of one execution: records the fault-free run of (variant, workload, n), and at
 * each of its points visits every legal state of the disks that a loss of power may leave. What a
 * boot reads decides which states are equal for it (sim/memo.h), so few are booted; what it read
 * back is judged against the history as it was at the point.
 *
 * A *point* is an accepted write, a completed flush or an answer to an application, numbered from 0
 * over the whole run. A *class* is what the states of one leaf of the tree are: one boot, recovery,
 * reading back, checking, stop and boot, to the last event. A *row* is a class at a point: its
 * first state stands for it.
 *
 * Invariants, asserted: (1) at a point that was not left early the states covered are the states
 * that there are; (2) every boot reads what the tree knows that it reads. Promise: rows depend on
 * plan, build, cell and n alone.
 */
#ifndef LORIS_CAMPAIGN_EXPLORE_H
#define LORIS_CAMPAIGN_EXPLORE_H

#include "campaign/trial.h"
#include "results/store.h"
#include "sim/states.h"

/*
 * A row's number: trial = (job * EXPLORE_DEPTHS + depth) * EXPLORE_ROWS + row. The job is what
 * trial n of the cell is in `loris run`, from 0; depth the least of a state of the class at its
 * point; row counts the classes of that depth in the job, broken or not, from 1. What comes after
 * EXPLORE_ROWS of them is counted, and gets no row.
 */
#define EXPLORE_ROWS UINT64_C(1000000)
#define EXPLORE_DEPTHS (SIM_DEPTH_MAX + 1u)
#define EXPLORE_POINT_BYTES 64

struct explore_options {
    uint32_t depth;
    uint32_t strikes;     /* of deaths of processes: how many, one after the other, at most */
    uint64_t every;       /* only each N-th point, or stretch of a process; 1: all */
    uint64_t states;      /* of one job at most, 0: no bound */
    bool persistence;     /* only points after an fsync, sync or commit */
    bool keep_all;        /* rows of all classes, not only of broken ones */
    uint64_t deadline_ns; /* host time at which to stop, 0: none */
    bool eager;           /* no tree: each distinct image of the disks is booted */
};

/* What came of one point; of deaths of processes, of the first of one process (explore_strike.h):
 * blocks in place of states, trials in place of boots. */
struct explore_point {
    uint32_t number;
    char name[EXPLORE_POINT_BYTES];
    uint64_t states, distinct, boots, left, broken; /* saturating */
    enum level weakest;                             /* LEVEL_NONE: nothing was visited */
};

/* Who takes what is found, in order. Each may be NULL. */
struct explore_sink {
    void *context;
    void (*row)(void *context, const struct trial_record *record);
    void (*point)(void *context, const struct explore_point *point);
    /* Now and then: states covered and boots since the last time. */
    void (*progress)(void *context, uint64_t states, uint64_t boots);
    /* Each class of each point, as it is met: for tests. */
    void (*met)(void *context, uint32_t point, uint64_t digest);
};

/* What a job did in all. */
struct explore_sum {
    uint64_t points, states, boots, left, rows, broken;
    uint64_t repeated; /* boots that took over what another found after its orderly stop */
    uint64_t defects;  /* trials that ended the laboratory, and are left */
};

struct explorer;

/* In a laboratory that does nothing else meanwhile; both outlive the explorer. */
struct explorer *explorer_create(struct lab *lab, const struct plan *plan);
void explorer_destroy(struct explorer *x);

/* Why the cell cannot be explored, static text; NULL: it can. */
const char *explore_refuses(const struct plan *plan, uint32_t cell);

/*
 * Visits the states of trial n of a cell that can be explored, up to depth `to`, shallow ones first
 * at each point. Rows are told of, and the sum counts, what is new at depth `from` and more;
 * shallower states are visited all the same, so that a class has one depth and one number, whether
 * or not the depths are explored one by one. options->depth is what is asked for in the end: what
 * is deeper than `to` is left.
 */
struct explore_sum explorer_run(struct explorer *x, uint32_t cell, uint64_t n, uint32_t from,
                                uint32_t to, const struct explore_options *options,
                                const struct explore_sink *sink);

/*
 * Visits one state: point and words of each disk of the variant. Fills *record but for the trial's
 * number. False: this run has no such state.
 */
bool explorer_visit(struct explorer *x, uint32_t cell, uint64_t n, uint32_t point,
                    const struct sim_state_disk *disks, struct trial_record *record);

#endif
