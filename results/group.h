/*
 * Trials of a results file, added up by columns: what show prints and plot draws.
 *
 * Rates and times count injected trials only; `trials` counts all. Groups come in the order of the
 * campaign file. Memory: four doubles a trial, three more over calendar time.
 */
#ifndef LORIS_RESULTS_GROUP_H
#define LORIS_RESULTS_GROUP_H

#include <sqlite3.h>

#include "errors.h"
#include "levels.h"
#include "results/stats.h"

#define GROUP_COLUMNS_MAX 8

/* One time of each injected trial; NULL of the file (never reached) is infinite. */
struct group_times {
    double *ns; /* sorted ascending */
    size_t count, room;
};

/* Injected trials over calendar time, a value a trial; of others there is none (years.h). */
struct group_calendar {
    double *exposure_ns, *down_ns, *lost; /* lost: synced operations */
    size_t count, room;
    uint64_t losses;   /* trials that lost something */
    double at_risk_ns; /* until then, or until they ended */
};

struct group {
    char *by[GROUP_COLUMNS_MAX]; /* values of the columns; "" for NULL */
    int64_t cell;                /* smallest id of a cell in it */
    uint64_t trials, injected;
    uint64_t promised, broken;   /* of the injected: with a promise; that did not keep it */
    uint64_t level[LEVEL_COUNT]; /* injected trials */
    bool watched;       /* cells ended when their interval was narrow (trials: half-width) */
    uint64_t undecided; /* trials in which the oracle gave up a search */
    enum level promised_weakest; /* LEVEL_NONE: some trial has no promise */
    uint64_t example;            /* first trial of the weakest level that broke a promise, or 0 */
    enum level example_level;
    uint64_t undecided_example; /* first trial that is undecided, or 0 */
    struct group_times rpo, outage, recovery, rebuild;
    struct group_calendar calendar;
};

struct groups {
    struct group *group;
    size_t count, room;
    char *column[GROUP_COLUMNS_MAX];
    size_t column_count;
};

/*
 * Adds up the trials for which `where` (SQL over the columns of `trials`; NULL: all) holds.
 * by: column names with commas between, of `trials` or swept keys. Returns OK, or E_INVAL with the
 * reason, a line, in error[STORE_ERROR_BYTES]; what was loaded is freed by groups_free in any case.
 */
MUST_USE enum err groups_load(struct groups *groups, sqlite3 *db, const char *by, const char *where,
                              char *error);
void groups_free(struct groups *groups);

/* All groups, of columns variant and fault, by fault: in the file's order, the variants of a fault
 * one after the other. order: room for all of them. Returns how many there are. */
size_t groups_by_fault(const struct groups *groups, const struct group **order);

/* Share of promised trials that kept it, with its exact 95 % interval, of cells that ended early
 * the always-valid one; NAN where none is promised. */
double group_kept(const struct group *group, struct interval *interval);

/* The p-quantile of times, NAN where there is none or it was never reached. */
double group_quantile(const struct group_times *times, double p);

/*
 * Checks that `where` is one SQL expression over the columns of `trials`. Returns OK, or E_INVAL
 * with the reason in error.
 */
MUST_USE enum err group_check_where(sqlite3 *db, const char *where, char *error);

#endif
