/*
 * The statistics behind every number that loris prints: exact where that is possible.
 *
 * All functions are pure and total: no n = 0 yields NaN, no argument ends the program (GSL's error
 * handler is off after the first call). Intervals are two-sided at level 1 - alpha; a p is
 * one-sided where its name says so. Where GSL fails is said in stats.c.
 */
#ifndef LORIS_RESULTS_STATS_H
#define LORIS_RESULTS_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct interval {
    double low, high;
};

/* z such that P(|N(0,1)| <= z) = 1 - alpha. */
double stats_z(double alpha);

/* --- One share, x of n. n = 0: [0, 1]. --- */
struct interval stats_clopper_pearson(uint64_t x, uint64_t n, double alpha); /* exact */
/* Always-valid: may be looked at after every trial. Beta-binomial mixture with a = b. */
struct interval stats_always_valid(uint64_t x, uint64_t n, double a, double alpha);

/* --- Two shares of the same trials. b: only the first fails, c: only the second. --- */
/* McNemar's exact test, one-sided: P(X >= k), X of Bin(m, 1/2); k = b or c, m = b + c. */
double stats_tail_half(uint64_t k, uint64_t m);
/* Difference (b - c) / n; Tango's score interval needs no other cell of the table. */
struct interval stats_tango(uint64_t b, uint64_t c, uint64_t n, double alpha);
/* Whether the low end of that interval lies above `margin`; without searching for it. n > 0. */
bool stats_tango_above(uint64_t b, uint64_t c, uint64_t n, double margin, double alpha);
/*
 * The smallest N at which (w, s) N / n discordant pairs would decide about a margin by the rule of
 * compare.h; 0: not up to STATS_NEEDS_MAX.
 */
#define STATS_NEEDS_MAX 1000000
uint64_t stats_needs_pairs(uint64_t w, uint64_t s, uint64_t n, double margin, double alpha);

/* --- Two shares of different trials: x1 of n1, x2 of n2. --- */
/* Fisher's exact test of share 1 < share 2, one-sided. */
double stats_fisher_less(uint64_t x1, uint64_t n1, uint64_t x2, uint64_t n2);
/* Newcombe's interval of the difference, share 1 less share 2. */
struct interval stats_newcombe(uint64_t x1, uint64_t n1, uint64_t x2, uint64_t n2, double alpha);

/* The shares of both sides below a cut between two levels. */
struct stats_shares {
    double base, new;
};

/* The smallest number of trials a side at which these shares would decide by the rule of compare.h;
 * 0: not up to STATS_NEEDS_MAX. */
uint64_t stats_needs_trials(const struct stats_shares *cut, size_t count, uint64_t n, double margin,
                            double alpha);

/* --- Many tests at once. --- */
/* What one test could have reached, given what it is conditioned on. */
enum attainable {
    ATTAINS_ANY,            /* continuous: every p */
    ATTAINS_BINOMIAL,       /* P(X >= k), X of Bin(m, 1/2) */
    ATTAINS_HYPERGEOMETRIC, /* P(X >= k), X of Hyp: events among n1 of n1 + n2 trials, m in all */
};

struct hypothesis {
    double p;
    enum attainable kind;
    uint64_t m, n1, n2;
};

/*
 * Holm's procedure in which a test costs the largest p that it could attain below the one at hand.
 * Valid under any dependence. adjusted[i] belongs to tests[i]. O(count^2 log m).
 */
void stats_discrete_holm(const struct hypothesis *tests, size_t count, double *adjusted);

/*
 * Benjamini and Hochberg's q of each p: calling all with q <= alpha findings, a share alpha of them
 * is false on average. For tables that are explored, not for gates.
 */
void stats_false_discovery(const double *p, size_t count, double *q);

/* --- By resampling trials (stats_bootstrap.c): of a fixed seed, equal for equal values. --- */

/* Of sum(top) / sum(bottom) over n trials, all bottoms above 0. n = 0: no bound. Without spread it
 * has no width: of nothing seen it says nothing. */
struct interval stats_ratio_interval(const double *top, const double *bottom, size_t n,
                                     double alpha);

/* By how much the p-quantile of `new` lies above that of `base`, whose i-th values are of one trial
 * number. NAN where n values do not bound that quantile. Infinite values are allowed. */
struct stats_shift {
    double shift;
    struct interval interval;
};
struct stats_shift stats_quantile_shift(const double *base, const double *new, size_t n, double p,
                                        double alpha);

/* --- Quantiles and times. --- */

/* Ranks (from 1) of the order statistics that bound the p-quantile; low = 0 is minus infinity, high
 * = n + 1 is plus infinity. */
struct rank_interval {
    uint64_t low, high;
};
struct rank_interval stats_quantile_ranks(uint64_t n, double p, double alpha);

/* Sorts values ascending. No NaN; infinities are allowed. */
void stats_sort(double *values, size_t n);

/* The p-quantile as an order statistic: the ceil(n p)-th of n > 0 sorted values; the median of an
 * even n is the mean of the two in the middle. */
double stats_quantile(const double *sorted, size_t n, double p);
double stats_median(const double *sorted, size_t n);

/*
 * The smallest n at which the interval of a median of ratios would decide about a margin, if of all
 * ratios the share `above` lay above 1 + margin, `below` below it, and `far_below` below 1 -
 * margin. n: how many there are now. 0: not up to STATS_NEEDS_MAX.
 */
uint64_t stats_needs_ratios(double above, double below, double far_below, uint64_t n, double alpha);

/* The interval of stats_quantile_ranks as values; infinite where no rank bounds. */
struct interval stats_quantile_interval(const double *sorted, size_t n, double p, double alpha);

/*
 * Mann-Whitney. y tends to be larger than x: one-sided p; both arrays are sorted by the call. Exact
 * without ties up to n1 n2 = 2500, else normal with continuity and ties.
 */
double stats_mann_whitney_greater(double *x, size_t n1, double *y, size_t n2);

/* Smallest n at which 0 of n says, at 1 - alpha one-sided, that a share is below `margin`. */
uint64_t stats_floor(double margin, double alpha);

/* --- Planning (stats_plan.c). --- */
#define STATS_LOOK 50          /* trials from one look of a stopping rule to the next */
#define STATS_MIXTURE 0.5      /* a = b of the always-valid interval that the rule looks at */
#define STATS_PLAN_MAX 1000000 /* trials a cell: no plan goes further */

/* A rise of a share that a gate shall see, in one of `cells` cells compared at once. */
struct stats_rise {
    double from, detect;  /* base share, and by how much it grows */
    double margin, alpha; /* of the gate */
    uint64_t cells;       /* p is held against alpha / cells; 1: the others are clean */
};

/* The probability that a paired comparison of n trials calls this rise worse. */
double stats_gate_power(const struct stats_rise *rise, uint64_t n);

/* The smallest multiple of STATS_LOOK with that power, or 0: more than STATS_PLAN_MAX. */
uint64_t stats_gate_trials(const struct stats_rise *rise, double power);

/* The least rise (`detect` is not read) that n trials see with that power; NAN: none at all. */
double stats_gate_sees(const struct stats_rise *rise, uint64_t n, double power);

/* Whether the always-valid interval of x of n is at most 2 half_width wide. */
bool stats_narrow(uint64_t x, uint64_t n, double half_width, double alpha);

/* The first look at which a share that is seen exactly is that narrow; `max` if none is before. */
uint64_t stats_narrow_trials(double share, uint64_t max, double half_width, double alpha);

#endif
