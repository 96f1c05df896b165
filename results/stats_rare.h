/*
 * Data loss that no simulation meets by luck: groups of disks that die and are repaired, lambda and
 * mu the rates of exponential times. Closed forms, and an estimate by cycles that works without
 * one.
 *
 * A cycle begins with all disks up and ends when they are again, or with the loss. MTTDL = mean
 * length of a cycle / probability of a loss in it, each from a stream of its own: lengths by plain
 * simulation, losses by balanced failure biasing (Goyal et al., IEEE Trans. Computers 41(1), 1992):
 * while a disk is down the next event is a death with probability 1/2, and the path's weight is the
 * product of true by biased probabilities. Units of time are those of the rates.
 */
#ifndef LORIS_RESULTS_STATS_RARE_H
#define LORIS_RESULTS_STATS_RARE_H

#include <stdbool.h>
#include <stdint.h>

#include "results/stats.h"

struct disk_group {
    uint32_t disks, borne; /* how many there are; and may be down without a loss, < disks */
    double lambda, mu;     /* deaths of a disk; repairs of a disk, both > 0 */
    bool parallel;         /* all that are down are repaired at a time; else one */
};

/* The closed form: exact for the birth-death chain. */
double stats_mttdl(const struct disk_group *group);

/* The same of a group that bears one, where a repair meets an unreadable sector with probability
 * `unreadable` and then loses something. */
double stats_mttdl_unreadable(const struct disk_group *group, double unreadable);

/* The probability that all disks, up at 0, lost something by `time`, which is finite: exact for the
 * chain. */
double stats_loss_by(const struct disk_group *group, double time);

/* The weight of a death under the bias, with `down` disks down (at least 1). */
double stats_biased_weight(const struct disk_group *group, uint32_t down);

/* A uniform fraction of [0, 1). */
typedef double stats_draw_fn(void *object);

struct rare_loss {
    double mttdl;
    struct interval interval; /* of it, at 1 - alpha */
    double relative_error;
    double probability; /* of a loss in a cycle */
    uint64_t losses;    /* paths that ended with one, unweighted */
    /* The checks: trust it only if these are in order (stats_rare_is_sound). */
    double weight;           /* mean: 1 within its interval */
    struct interval weights; /* that interval, at 99.9 % */
    double effective;        /* (sum W)^2 / sum W^2, as a share of the cycles */
    double largest_share;    /* of the weight of all losses */
};

/* `cycles` of each kind, at least 2. */
struct rare_loss stats_rare_loss(const struct disk_group *group, uint64_t cycles, double alpha,
                                 stats_draw_fn *draw, void *object);

/* Whether the weights average to 1, none has 5 % of the loss, and 30 losses were met. */
bool stats_rare_is_sound(const struct rare_loss *r);

#endif
