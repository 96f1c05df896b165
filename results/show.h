/* `loris show`: outcomes as a table, with intervals, for people and for programs. */
#ifndef LORIS_RESULTS_SHOW_H
#define LORIS_RESULTS_SHOW_H

#include <stdbool.h>
#include <stdio.h>

enum show_format { SHOW_TABLE, SHOW_CSV, SHOW_JSON, SHOW_MARKDOWN, SHOW_JUNIT };

struct show_options {
    const char *path;  /* of the results file */
    const char *by;    /* column names with commas; NULL: variant,workload,fault */
    const char *where; /* SQL over the columns of trials; NULL: all */
    enum show_format format;
    bool colour; /* table only: for a terminal without NO_COLOR */
};

/* The format of that name (table, csv, json, markdown, junit), or -1. */
int show_format_from_name(const char *name);

/*
 * Prints the outcomes to `out`, errors to `err`. Returns the exit code: 0, or 2 for wrong input,
 * then without a byte on `out`. csv and json hold times in ns, levels as counts of injected trials.
 */
int show_run(const struct show_options *options, FILE *out, FILE *err);

#endif
