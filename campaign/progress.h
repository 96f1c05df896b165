/*
 * How far a run is, on stderr: a live line on a terminal, a line a minute elsewhere, JSON objects,
 * or nothing. Host time is read here and shows here only; it never reaches a result.
 */
#ifndef LORIS_CAMPAIGN_PROGRESS_H
#define LORIS_CAMPAIGN_PROGRESS_H

#include <stdint.h>
#include <stdio.h>

#include "campaign/run.h"
#include "results/record.h"

struct progress {
    enum run_progress mode; /* not AUTO */
    FILE *to;
    uint64_t total, done; /* trials, those found by --resume included */
    uint64_t before;      /* done when this run began */
    uint64_t broken;
    uint64_t level[LEVEL_COUNT];        /* of injected trials */
    uint64_t broken_level[LEVEL_COUNT]; /* of those that broke a promise */
    uint64_t begin_ns, shown_ns;        /* host time */
    uint32_t width;                     /* characters of the live line that is shown */
};

/* Host time, ns, monotone. */
uint64_t progress_now_ns(void);

/* Begins: `total` trials in all, `done` of them stored already. AUTO looks whether `to` is a
 * terminal. */
void progress_begin(struct progress *p, enum run_progress mode, FILE *to, uint64_t total,
                    uint64_t done);

/* Counts one more trial. */
void progress_add(struct progress *p, const struct trial_record *record);

/* Shows the state if it is time to. */
void progress_tick(struct progress *p);

/* Shows it for the last time and leaves the live line. */
void progress_end(struct progress *p);

/* Clears the live line before something else is written; the next tick shows it again. */
void progress_clear(struct progress *p);

/* The line itself, without clock or newline: "1,240/2,000 ... broken 3 (2 silent, 1 dead)". */
void progress_format(const struct progress *p, uint64_t now_ns, char *to, size_t room);

#endif
