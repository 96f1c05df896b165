/* What compare.c (files and cells), compare_test.c (statistics) and compare_print.c share. */
#ifndef LORIS_RESULTS_COMPARE_PRIVATE_H
#define LORIS_RESULTS_COMPARE_PRIVATE_H

#include <sqlite3.h>

#include "errors.h"
#include "levels.h"
#include "results/compare.h"
#include "results/measure.h"
#include "results/stats.h"

#define TIMES_COUNT (MEASURE_COUNT - MEASURE_OUTAGE)

enum verdict { VERDICT_WORSE, VERDICT_UNDECIDED, VERDICT_BETTER, VERDICT_NO_WORSE, VERDICT_COUNT };
enum why { WHY_STATISTICS, WHY_IDENTICAL, WHY_PROMISE };

/* A trial of one side. Times are infinite where the file has NULL. */
struct side_trial {
    int64_t n, hash;
    uint64_t trial;
    enum level level, promised;
    bool injected;
    double time_ns[TIMES_COUNT];
};

struct side {
    struct side_trial *trial; /* in order of n */
    size_t count;
};

struct pair {
    const struct side_trial *base, *new;
};

struct compare_cell {
    char *base_variant, *new_variant, *workload, *fault;
    struct side base, new;
    struct pair *pair; /* trials of equal n that were injected on both sides */
    size_t pair_count;
    bool identical;              /* all trials of equal n have equal hashes, and there is one */
    uint64_t promises_lost;      /* pairs where new breaks what base, promising the same, kept */
    struct pair promise_example; /* the first of them */
};

/* One hypothesis of a row: the only one if paired, else a cut between two levels. */
struct cut {
    struct hypothesis worse, better;
    double worse_adjusted, better_adjusted;
    double effect;
    struct interval interval;
};
#define CUTS_MAX (LEVEL_COUNT - 1)

#define EXAMPLES_MAX 3

/* One cell by one measure: a row of the table. */
struct compare_row {
    const struct compare_cell *cell;
    enum measure measure;
    uint64_t n;                /* pairs; unpaired: trials of the smaller side */
    uint64_t base_n, new_n;    /* trials of each side that count */
    uint64_t weaker, stronger; /* pairs */
    uint64_t left_out;         /* pairs of times without a ratio */
    struct cut cut[CUTS_MAX];
    size_t cut_count; /* 0: nothing to test */
    size_t shown;     /* the cut whose numbers are printed */
    double margin;
    enum verdict verdict;
    enum why why;
    uint64_t needs_n; /* 0: null */
    enum level base_weakest, new_weakest;
    double base_share, new_share; /* of the weakest level; of broken; of wrong */
    double base_p50_ns, base_p99_ns, new_p50_ns, new_p99_ns;
    struct stats_shift shift_p50, shift_p99; /* of paired times, ns; NAN: too few pairs */
    double q;                                /* of `worse`, the shown cut, among all; NAN: none */
    struct pair example[EXAMPLES_MAX];
    size_t example_count;
};

struct comparison {
    const struct compare_options *options;
    char *base_name, *new_name;   /* files, or variants of one file */
    char *base_build, *new_build; /* as short as they are shown */
    bool paired;
    const char *why_unpaired; /* or NULL */
    double alpha;
    double margin_share, margin_time;
    enum measure measure[MEASURE_COUNT];
    size_t measure_count;
    struct compare_cell *cell;
    size_t cell_count, cell_room;
    uint64_t base_undecided, new_undecided; /* trials on which the oracle gave up */
    bool watched;          /* cells of a side ended because of what was seen in them */
    size_t cells_left_out; /* skipped, or lacking with --common */
    struct compare_row *row;
    size_t row_count;
    uint64_t pooled_worse, pooled_better; /* trial numbers by the sign of their net */
    double pooled_p;
    enum verdict verdict;
};

const char *verdict_name(enum verdict verdict);
const char *why_name(enum why why);

/* Pairs the trials of every cell and fills every row up to its verdict. */
void comparison_test(struct comparison *c);

/* Prints in the format of the options. */
void comparison_print(const struct comparison *c, FILE *out);

#endif
