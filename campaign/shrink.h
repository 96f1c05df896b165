/*
 * `loris shrink`: from a failing trial of a results file to the smallest campaign found that fails
 * the same way, as a campaign file and an operation script.
 */
#ifndef LORIS_CAMPAIGN_SHRINK_H
#define LORIS_CAMPAIGN_SHRINK_H

#include <stdbool.h>
#include <stdint.h>

#include "planted.h"

#define SHRINK_JOBS_MAX 256u
#define SHRINK_BUDGET_S 300u /* assumption: what somebody waits for a minimal case */

struct shrink_options {
    const char *db_path;
    const char *trial;    /* a number, or variant/workload/fault/n */
    const char *out_path; /* of the campaign; the script stands beside it, as .ops */
    uint32_t jobs;        /* candidates that run at a time, 1 .. SHRINK_JOBS_MAX */
    uint64_t budget_s;    /* host time after which no further candidate is begun */
    bool overwrite;       /* else files that are there are refused */
    bool any_build;
    enum planted planted; /* builds with LORIS_PLANTED: the defect that candidates run with */
};

struct stored;

/* Does it all. Returns an exit code: 1 if the trial did not fail again. */
int shrink_trial(const struct shrink_options *options);

/* The same of a trial that was found by itself, in a plan at hand: file->db is of no use then. */
int shrink_found(const struct shrink_options *options, const struct stored *file);

#endif
