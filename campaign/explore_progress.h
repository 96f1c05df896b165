/* How far an exploration is, on stderr: states covered, boots, parts left, rate, ETA. */
#ifndef LORIS_CAMPAIGN_EXPLORE_PROGRESS_H
#define LORIS_CAMPAIGN_EXPLORE_PROGRESS_H

#include <stdint.h>
#include <stdio.h>

#include "campaign/run.h"

struct explore_show {
    enum run_progress mode; /* not AUTO */
    FILE *to;
    uint64_t jobs, jobs_done, states, boots, broken;
    uint64_t begin_ns, shown_ns; /* host time */
    uint32_t width;              /* of the live line */
};

/* Begins; AUTO looks whether `to` is a terminal. The counts are the caller's to change. */
void explore_show_begin(struct explore_show *s, enum run_progress mode, FILE *to, uint64_t jobs);
/* Shows the state if it is time to. */
void explore_show_tick(struct explore_show *s);
/* Clears the live line before something else is written. */
void explore_show_clear(struct explore_show *s);
/* Shows it for the last time. */
void explore_show_end(struct explore_show *s);

#endif
