/*
 * `loris explore`: the states of all cells of a campaign that can be explored, by worker processes,
 * into a results file: rows of broken states in `trials`, one of each point in `explored`.
 *
 * A job is (depth, cell, n). Without a bound all depths of a cell are one job; with --states or
 * --budget each depth goes over all cells before the next begins, so that what was done is whole
 * depths. Results are stored in the order of jobs, a transaction a job, whatever -j.
 */
#ifndef LORIS_CAMPAIGN_EXPLORE_RUN_H
#define LORIS_CAMPAIGN_EXPLORE_RUN_H

#include "campaign/explore.h"
#include "campaign/run.h"

struct explore_run_options {
    const struct plan_request *request; /* for the line that tells how to resume */
    const char *out_path;
    uint32_t jobs;
    bool resume, overwrite;
    enum run_progress progress;
    const char *format; /* of the final table */
    uint64_t budget_ns; /* host time, 0: no bound */
    struct explore_options explore;
};

/* Explores the selected cells of the plan. Returns an exit code: 1 if a promise was broken. */
int explore_campaign(const struct plan *plan, const struct explore_run_options *options);

/* The formats of the final table, "table csv json markdown"; whether the name is one. */
bool explore_format_is(const char *name);

/* Prints what the view `explored` says of each cell. Returns an exit code. */
int explore_print(const char *path, const char *format, FILE *out, FILE *err);

#endif
