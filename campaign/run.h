/*
 * Running a campaign and replaying a trial: what the command line asks of the coordinator.
 * All of them write results to stdout, everything else to stderr, and return the exit code of
 * the command (0 done, 1 broken promise or divergence, 2 wrong input, 3 a defect of loris,
 * 130, 143 interrupted).
 */
#ifndef LORIS_CAMPAIGN_RUN_H
#define LORIS_CAMPAIGN_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "campaign/plan.h"

enum run_progress {
    PROGRESS_AUTO, /* bar on a terminal, else a line a minute */
    PROGRESS_BAR,
    PROGRESS_LINES,
    PROGRESS_JSON,
    PROGRESS_OFF,
};

struct run_options {
    /* As the user gave it, for the line that tells how to resume; NULL: only the command's name. */
    const struct plan_request *request;
    const char *out_path; /* of the database */
    uint32_t jobs;        /* worker processes, 1 .. RUN_JOBS_MAX */
    bool resume, overwrite, strict;
    enum run_progress progress;
    const char *format;    /* of the final table: table, csv, json, markdown, junit */
    uint64_t host_limit_s; /* host time that one trial may take; 0: the default */
};

#define RUN_JOBS_MAX 256u
#define RUN_HOST_LIMIT_S                                                                           \
    120u /* assumption: no trial of the shipped campaigns takes over a second */
#define RUN_HOST_LIMIT_CALENDAR_S 1200u /* a strike takes up to a second on a loaded machine */

/* Runs the selected trials of the plan into options->out_path. Returns an exit code. */
int run_campaign(const struct plan *plan, const struct run_options *options);

struct worker_ops;

/* The same with another laboratory: for tests. */
int run_with(const struct plan *plan, const struct run_options *options,
             const struct worker_ops *ops);

/* The laboratory of campaign/trial.h. */
extern const struct worker_ops run_lab_ops;

struct replay_options {
    const char *db_path;
    const char *trial;       /* a number, or variant/workload/fault/n */
    const char *trace_path;  /* or NULL */
    const char *record_path; /* 8 bytes for each event of the trace, or NULL */
    uint64_t until;          /* event of the trace at which the run ends, 0: none */
    const char *dump_path; /* the disk's image, with `.stable` behind it without its cache; NULL */
    uint32_t dump_disk;
    bool gdb; /* starts a debugger at `until`, else at the first event, and goes on to the end */
    bool verbose, any_build;
};

/* Runs one trial again and tells its story. Returns an exit code: 1 if it diverged. */
int replay_trial(const struct replay_options *options);

#endif
