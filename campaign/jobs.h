/*
 * Which jobs a run has, in the order in which they are handed out: blocks of JOBS_BLOCK values of
 * n, in each block variant by variant and workload by workload, so that a worker seldom changes its
 * variant and yet all cells grow at about the same pace. Where cells may end early they are handed
 * out up to the next look.
 */
#ifndef LORIS_CAMPAIGN_JOBS_H
#define LORIS_CAMPAIGN_JOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "campaign/early.h"
#include "campaign/plan.h"

#define JOBS_BLOCK 16u /* a change of variant (a fresh format) every so many jobs */

struct job {
    uint32_t variant, workload;
    uint64_t n;
    uint32_t count;   /* of the fault plans still to be run */
    uint32_t *faults; /* the owner's: room for all plans */
};

/* Whether a trial is there already (--resume). */
typedef bool jobs_have(void *object, uint64_t trial);

struct jobs {
    const struct plan *plan;
    jobs_have *have; /* or NULL */
    void *object;
    const struct early *early; /* or NULL */
    uint64_t end;              /* trials of n below it are handed out */
    uint64_t block, n;         /* the next place: first n of the block, n */
    uint32_t variant, workload;
    bool ended;
};

/* early: the rule by which cells end, or NULL; must outlive the jobs. */
void jobs_begin(struct jobs *jobs, const struct plan *plan, const struct early *early,
                jobs_have *have, void *object);

/* After a look that moved the end. */
void jobs_go_on(struct jobs *jobs);

/* Fills *job (its `faults` stays) with the next job that has a trial to run. False: none is left.
 */
bool jobs_next(struct jobs *jobs, struct job *job);

/* Trials that this run wants in all, and how many of them are there already. */
void jobs_count(const struct plan *plan, jobs_have *have, void *object, uint64_t *total,
                uint64_t *done);

#endif
