/* What report.c (page and pictures) and report_text.c (answer, tables, lists) share. */
#ifndef LORIS_RESULTS_REPORT_PRIVATE_H
#define LORIS_RESULTS_REPORT_PRIVATE_H

#include <sqlite3.h>

#include "results/group.h"
#include "results/report.h"
#include "results/store.h"
#include "results/temp_folder.h"

struct report {
    const struct report_options *options;
    sqlite3 *db;
    struct groups cells;    /* by variant, workload, fault */
    struct groups variants; /* by variant */
    char *name, *question, *yaml, *seed, *version, *build, *started, *finished, *notes;
    uint64_t trials;
    FILE *page, *err;
    char pictures[TEMP_FOLDER_BYTES]; /* the folder with the pictures; "": none */
    char error[STORE_ERROR_BYTES];    /* of all queries */
};

/* The box under the heading: did the first variant keep its promises? */
void report_answer(struct report *r);

/* Every cell, the worst 20 open. */
void report_table(struct report *r);

/* Of trials over calendar time: availability and losses of each cell; else nothing. */
void report_calendar(struct report *r);

bool report_has_calendar(const struct report *r);

/* The same of the answer's variant, as a sentence. */
void report_calendar_answer(struct report *r, const struct group *subject);

/* One of each kind of broken promise, with its story and how to replay it. */
void report_broken(struct report *r);

/* Skipped, thin and unfinished cells. */
void report_never(struct report *r);

/* Method, limits, campaign, versions. */
void report_method(struct report *r);

#endif
