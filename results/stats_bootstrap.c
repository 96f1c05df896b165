/*
 * Intervals by resampling trials with replacement (Efron 1979), percentile form: what has no exact
 * one, namely ratios of sums and shifts of quantiles. Draws are of a fixed seed, so that equal
 * trials give equal intervals; SplitMix64 (Steele, Lea, Flood, OOPSLA 2014) suffices for places in
 * a list.
 */
#include <math.h>
#include <stdlib.h>

#include "assertion.h"
#include "results/stats.h"

#define RESAMPLES 2000
#define RATIO_MAX 2000 /* trials from which on the normal form serves: the sum has many terms */

static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* A place in [0, n), n below 2^32: the bias is below n / 2^32. */
static size_t place(uint64_t *state, size_t n)
{
    return (size_t)((draw(state) >> 32) * n >> 32);
}

/* The interval of RESAMPLES values, which are sorted by the call. */
static struct interval percentile(double *values, double alpha)
{
    stats_sort(values, RESAMPLES);
    return (struct interval){stats_quantile(values, RESAMPLES, alpha / 2),
                             stats_quantile(values, RESAMPLES, 1 - alpha / 2)};
}

/* By the delta method: the variance of top - ratio bottom. */
static struct interval ratio_normal(const double *top, const double *bottom, size_t n, double alpha)
{
    double a = 0, b = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        a += top[i];
        b += bottom[i];
    }
    for (size_t i = 0; i < n; i++) {
        double rest = top[i] - a / b * bottom[i];
        squares += rest * rest;
    }
    double half = stats_z(alpha) * sqrt(squares) / b;
    return (struct interval){a / b - half, a / b + half};
}

struct interval stats_ratio_interval(const double *top, const double *bottom, size_t n,
                                     double alpha)
{
    if (n == 0)
        return (struct interval){-INFINITY, INFINITY};
    if (n > RATIO_MAX)
        return ratio_normal(top, bottom, n, alpha);
    double values[RESAMPLES];
    uint64_t state = n;
    for (size_t k = 0; k < RESAMPLES; k++) {
        double a = 0, b = 0;
        for (size_t i = 0; i < n; i++) {
            size_t at = place(&state, n);
            a += top[at];
            b += bottom[at];
        }
        ASSERT(b > 0);
        values[k] = a / b;
    }
    return percentile(values, alpha);
}

struct ranked {
    double value;
    uint32_t pair;
};

static int by_value(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    if (a->value != b->value)
        return a->value < b->value ? -1 : 1;
    return (a->pair > b->pair) - (a->pair < b->pair);
}

static struct ranked *rank_all(const double *values, size_t n)
{
    struct ranked *order = calloc(n, sizeof(*order));
    ASSERT(order != NULL);
    for (size_t i = 0; i < n; i++)
        order[i] = (struct ranked){values[i], (uint32_t)i};
    qsort(order, n, sizeof(order[0]), by_value);
    return order;
}

/* The order statistic of rank ceil(n p) of a resample that has pair i `times[i]` times. */
static double resampled(const struct ranked *order, const uint32_t *times, size_t n, double p)
{
    uint64_t rank = (uint64_t)fmax(1, ceil((double)n * p - 1e-9)), below = 0;
    for (size_t i = 0; i < n; i++) {
        below += times[order[i].pair];
        if (below >= rank)
            return order[i].value;
    }
    ASSERT(false); /* a resample has n values */
}

/* What lies between two times, of which infinite ones were never reached. */
static double between(double base, double new)
{
    return isinf(base) && isinf(new) ? 0 : new - base;
}

struct stats_shift stats_quantile_shift(const double *base, const double *new, size_t n, double p,
                                        double alpha)
{
    struct stats_shift shift = {NAN, {NAN, NAN}};
    if (n == 0 || n > UINT32_MAX || stats_quantile_ranks(n, p, alpha).high > n)
        return shift;
    struct ranked *a = rank_all(base, n), *b = rank_all(new, n);
    uint32_t *times = calloc(n, sizeof(*times));
    double values[RESAMPLES];
    uint64_t state = n;
    ASSERT(times != NULL);
    for (size_t i = 0; i < n; i++)
        times[i] = 1;
    shift.shift = between(resampled(a, times, n, p), resampled(b, times, n, p));
    for (size_t k = 0; k < RESAMPLES; k++) {
        for (size_t i = 0; i < n; i++)
            times[i] = 0;
        for (size_t i = 0; i < n; i++)
            times[place(&state, n)]++;
        values[k] = between(resampled(a, times, n, p), resampled(b, times, n, p));
    }
    shift.interval = percentile(values, alpha);
    free(a);
    free(b);
    free(times);
    return shift;
}
