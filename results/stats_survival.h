/*
 * Survival: how long without loss, from trials of which some end before anything is lost. Those are
 * censored, not successes: they are at risk until they end and say nothing of what would have come.
 *
 * Pure and total, as all of stats.h. Source: Kaplan & Meier, JASA 53 (1958); the tests repeat the
 * textbook's data of Freireich et al., Blood 21 (1963).
 */
#ifndef LORIS_RESULTS_STATS_SURVIVAL_H
#define LORIS_RESULTS_STATS_SURVIVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "results/stats.h"

struct survival_time {
    double time;
    bool censored; /* it ended then, with nothing lost */
};

/* The curve from one event on: right after `time`. */
struct survival_step {
    double time;
    uint64_t at_risk, events; /* just before it, and at it */
    double survival, se;      /* Greenwood */
    struct interval interval; /* on log(-log S); [0, 1] where S is 0 */
};

/* Sorts by time, those that end at the time of an event after it. */
void stats_survival_sort(struct survival_time *times, size_t count);

/*
 * Kaplan-Meier's estimate at each time of an event. times: sorted; steps: room for `count` of them.
 * Returns how many there are.
 */
size_t stats_survival(const struct survival_time *times, size_t count, double alpha,
                      struct survival_step *steps);

/* Trials that are still at risk at `time`: those that end at it are. */
uint64_t stats_survival_at_risk(const struct survival_time *times, size_t count, double time);

/* The rate of a Poisson process with `events` in `time`: Garwood's exact interval. time > 0. */
struct interval stats_rate_interval(uint64_t events, double time, double alpha);

/* Of the first sample, under the hypothesis that both survive alike. */
struct log_rank {
    double observed, expected, variance;
    double chi2, p; /* two-sided; p 1 where nothing was lost */
};
struct log_rank stats_log_rank(const struct survival_time *a, size_t a_count,
                               const struct survival_time *b, size_t b_count);

#endif
