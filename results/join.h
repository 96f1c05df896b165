/* `loris merge`: the shards of one campaign become the file that one run would have left. */
#ifndef LORIS_RESULTS_JOIN_H
#define LORIS_RESULTS_JOIN_H

#include <stddef.h>
#include <stdio.h>

struct join_options {
    const char *out_path;     /* must not exist */
    const char *const *parts; /* results files of one campaign, seed, plan and build */
    size_t part_count;        /* 1 or more */
};

/*
 * Joins. Trials that no part has are named on `err`, and the file is then not marked as finished:
 * `run --resume` fills it. Returns the exit code: 0, or 2 with every error told (parts of different
 * campaigns, a trial in two parts, ...) and no file made.
 */
int join_run(const struct join_options *options, FILE *out, FILE *err);

#endif
