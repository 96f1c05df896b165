/*
 * `loris compare`: is the new variant, or build, worse than the base? With an exit code for a gate.
 *
 * The rule (paired shares; w pairs where new is weaker, s where it is stronger, n pairs injected on
 * both sides): p = P(X >= w | Bin(w + s, 1/2)), corrected by discrete Holm over all cells and
 * measures; the interval is Tango's at 1 - 2 alpha. `worse`: p <= alpha and the interval above the
 * margin; `better`: the mirror; `no-worse`: the interval below the margin and n large enough that 0
 * events mean something; else `undecided`. Pairs that are equal event by event are `no-worse` at
 * any n. A promise that base kept everywhere and new breaks is `worse` whatever the p. Unpaired
 * shares: Fisher and Newcombe at each cut between levels. Times: sign test and order statistics of
 * the pairs' ratios; unpaired Mann-Whitney.
 */
#ifndef LORIS_RESULTS_COMPARE_H
#define LORIS_RESULTS_COMPARE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum compare_format { COMPARE_TABLE, COMPARE_JSON, COMPARE_JUNIT, COMPARE_MARKDOWN, COMPARE_CSV };

struct compare_options {
    const char *base_path;
    const char *new_path;     /* NULL: two variants of base_path */
    const char *base_variant; /* with one file: both; NULL: the file's compare.base for base */
    const char *new_variant;
    const char *measures;  /* names with commas; NULL: the file's compare.measure, else level */
    double margin;         /* as a share; NAN: the file's, else 0.01 of shares and 0.05 of times */
    double alpha;          /* NAN: the file's, else 0.05 */
    uint64_t allow_broken; /* promises that new may break and base kept */
    bool unpaired;         /* do not pair by trial */
    bool common;           /* compare the cells that both have, and say what was left out */
    bool strict;           /* undecided fails too */
    bool verbose;          /* the table shows no-worse cells one by one */
    bool colour;           /* table only */
    enum compare_format format;
};

/* The format of that name (table, json, junit, markdown, csv), or -1. */
int compare_format_from_name(const char *name);

/*
 * Compares and prints to `out`, errors to `err`. Returns the exit code: 0; 1 if a cell is worse (or
 * undecided, with strict); 2 for wrong input, then without a byte on `out`.
 */
int compare_run(const struct compare_options *options, FILE *out, FILE *err);

#endif
