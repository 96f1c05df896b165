/* Order statistics and ranks: times are skewed and heavy-tailed, so nothing here assumes a shape.
 */
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_errno.h>
#include <math.h>
#include <stdlib.h>

#include "assertion.h"
#include "results/stats.h"

/* Up to here Mann-Whitney is counted out: 1,250 steps for each of 2,501 sums. */
#define EXACT_PAIRS_MAX 2500

/* P(Bin(n, p) <= k), k possibly -1. */
static double binomial_p(int64_t k, uint64_t n, double p)
{
    if (k < 0)
        return 0;
    if ((uint64_t)k >= n)
        return 1;
    return gsl_cdf_beta_Q(p, (double)k + 1, (double)(n - (uint64_t)k));
}

struct rank_interval stats_quantile_ranks(uint64_t n, double p, double alpha)
{
    gsl_set_error_handler_off();
    ASSERT(p > 0 && p < 1);
    struct rank_interval r = {0, n + 1};
    uint64_t low = 0, high = n; /* largest l with P(X <= l - 1) <= alpha / 2 */
    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2;
        if (binomial_p((int64_t)middle - 1, n, p) <= alpha / 2)
            low = middle;
        else
            high = middle - 1;
    }
    r.low = low;
    low = 1; /* smallest u with P(X >= u) <= alpha / 2 */
    high = n + 1;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (1 - binomial_p((int64_t)middle - 1, n, p) <= alpha / 2)
            high = middle;
        else
            low = middle + 1;
    }
    r.high = low;
    return r;
}

/* What stats_needs_ratios searches for: whether both or one end of the interval is on one side. */
static bool ratios_decide(double above, double below, double far_below, uint64_t n, double alpha)
{
    struct rank_interval r = stats_quantile_ranks(n, 0.5, 2 * alpha);
    double count = (double)n, low = (double)r.low, high = (double)r.high;
    return (r.low > 0 && (1 - above) * count <= low - 1) || below * count >= high ||
           far_below * count >= high;
}

uint64_t stats_needs_ratios(double above, double below, double far_below, uint64_t n, double alpha)
{
    uint64_t low = n > 0 ? n : 1, high = STATS_NEEDS_MAX;
    if (low > high || !ratios_decide(above, below, far_below, high, alpha))
        return 0;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (ratios_decide(above, below, far_below, middle, alpha))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static int ascending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

void stats_sort(double *values, size_t n)
{
    if (n > 0)
        qsort(values, n, sizeof(*values), ascending);
}

double stats_quantile(const double *sorted, size_t n, double p)
{
    ASSERT(n > 0);
    size_t rank = (size_t)ceil((double)n * p - 1e-9);
    return sorted[rank == 0 ? 0 : rank - 1];
}

double stats_median(const double *sorted, size_t n)
{
    ASSERT(n > 0);
    if (n % 2 == 1 || isinf(sorted[n / 2]))
        return sorted[n / 2];
    return sorted[n / 2 - 1] + (sorted[n / 2] - sorted[n / 2 - 1]) / 2;
}

struct interval stats_quantile_interval(const double *sorted, size_t n, double p, double alpha)
{
    struct rank_interval r = stats_quantile_ranks(n, p, alpha);
    return (struct interval){r.low == 0 ? -INFINITY : sorted[r.low - 1],
                             r.high > n ? INFINITY : sorted[r.high - 1]};
}

/* Pairs with y < x, ties a half; tie_sum: sum of t^3 - t over groups of equal values. Both sorted.
 */
static double count_u(const double *x, size_t n1, const double *y, size_t n2, double *tie_sum)
{
    double u = 0;
    *tie_sum = 0;
    size_t i = 0, j = 0;
    while (i < n1 || j < n2) {
        double value = j >= n2 || (i < n1 && x[i] <= y[j]) ? x[i] : y[j];
        size_t in_x = 0, in_y = 0;
        while (i < n1 && x[i] == value)
            i++, in_x++;
        while (j < n2 && y[j] == value)
            j++, in_y++;
        double t = (double)(in_x + in_y);
        *tie_sum += t * t * t - t;
        u += (double)in_y * ((double)(n1 - i) + (double)in_x / 2);
    }
    return u;
}

/*
 * P(U <= u) without ties, by the recurrence on the largest value: ways(n1, n2, u) = ways(n1 - 1,
 * n2, u - n2) + ways(n1, n2 - 1, u), as the Gaussian binomial coefficient. O(n1 n2 (n1 + n2)).
 */
static double exact_p(double u, size_t n1, size_t n2)
{
    size_t sums = n1 * n2 + 1, top = (size_t)u;
    double *ways = calloc(sums, sizeof(*ways)); /* coefficients, scaled to sum to 1 at the end */
    ASSERT(ways != NULL);
    ways[0] = 1;
    for (size_t k = 1; k <= n1; k++) { /* times (1 - q^(n2 + k)) / (1 - q^k) */
        for (size_t s = sums; s-- > n2 + k;)
            ways[s] -= ways[s - n2 - k];
        for (size_t s = k; s < sums; s++)
            ways[s] += ways[s - k];
    }
    double below = 0, all = 0;
    for (size_t s = 0; s < sums; s++) {
        all += ways[s];
        if (s <= top)
            below += ways[s];
    }
    free(ways);
    return below / all;
}

/* P(U <= u) under equality. */
static double p_of_u(double u, size_t n1, size_t n2, double tie_sum)
{
    if (n1 == 0 || n2 == 0)
        return 1;
    if (tie_sum == 0 && n1 * n2 <= EXACT_PAIRS_MAX && n1 + n2 <= 100)
        return exact_p(u, n1, n2);
    double pairs = (double)n1 * (double)n2, n = (double)(n1 + n2);
    double variance = pairs / 12 * (n + 1 - tie_sum / (n * (n - 1)));
    if (variance <= 0)
        return 1; /* all values equal */
    return gsl_cdf_ugaussian_P((u + 0.5 - pairs / 2) / sqrt(variance));
}

double stats_mann_whitney_greater(double *x, size_t n1, double *y, size_t n2)
{
    gsl_set_error_handler_off();
    stats_sort(x, n1);
    stats_sort(y, n2);
    double tie_sum, u = count_u(x, n1, y, n2, &tie_sum);
    return fmin(1, p_of_u(u, n1, n2, tie_sum));
}
