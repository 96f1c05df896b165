/*
 * Sources: Clopper & Pearson 1934; Wilson 1927; Newcombe, Statistics in Medicine 17 (1998) 857 and
 * 873; Tango, ibid. 17 (1998) 891; Fisher 1935; the worked numbers in
 * tests/test_stats.c.
 *
 * GSL's gsl_cdf_beta_Pinv and Qinv fail to converge for one end in fourteen at n = 1000 and for
 * half of them at n = 10^5 (GSL 2.7.1), so ends are found by bisection of gsl_cdf_beta_P and _Q.
 * Its gsl_cdf_binomial_Q wants k - 1, which wraps at 0.
 */
#include "results/stats.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_sf_gamma.h>
#include <math.h>
#include <stdlib.h>

#include "assertion.h"

/* Halvings of [0, 1] until neighbouring doubles, denormal ones too. */
#define BISECTIONS_MAX 1100

static void quiet(void)
{
    gsl_set_error_handler_off();
}

double stats_z(double alpha)
{
    quiet();
    ASSERT(alpha > 0 && alpha < 1);
    return gsl_cdf_ugaussian_Qinv(alpha / 2);
}

/* The x in [low, high] where f, decreasing, falls below `target`; f may be flat. */
static double bisect(double (*f)(double x, const double *with), const double *with, double target,
                     double low, double high)
{
    for (unsigned i = 0; i < BISECTIONS_MAX; i++) {
        double middle = low + (high - low) / 2;
        if (middle <= low || middle >= high)
            break;
        if (f(middle, with) > target)
            low = middle;
        else
            high = middle;
    }
    return low + (high - low) / 2;
}

static double minus_beta_p(double x, const double *ab)
{
    return -gsl_cdf_beta_P(x, ab[0], ab[1]);
}

static double beta_q(double x, const double *ab)
{
    return gsl_cdf_beta_Q(x, ab[0], ab[1]);
}

struct interval stats_clopper_pearson(uint64_t x, uint64_t n, double alpha)
{
    quiet();
    ASSERT(x <= n);
    struct interval i = {0, 1};
    if (x > 0) {
        const double ab[2] = {(double)x, (double)(n - x) + 1};
        i.low = bisect(minus_beta_p, ab, -alpha / 2, 0, 1);
    }
    if (x < n) {
        const double ab[2] = {(double)x + 1, (double)(n - x)};
        i.high = bisect(beta_q, ab, alpha / 2, 0, 1);
    }
    return i;
}

/* Wilson's score interval at z standard deviations; of counts that are expected too. */
static struct interval wilson_z(double x, double n, double z)
{
    ASSERT(x <= n && n > 0);
    double p = x / n, z2 = z * z;
    double centre = p + z2 / (2 * n), scale = 1 + z2 / n;
    double half = z * sqrt(p * (1 - p) / n + z2 / (4 * n * n));
    struct interval i = {(centre - half) / scale, (centre + half) / scale};
    if (x <= 0)
        i.low = 0; /* exactly, not a rounding error away */
    if (x >= n)
        i.high = 1;
    return i;
}

/* ln of the mixture e-value against p: with = {x, n - x, a, lnbeta(a + x, a + n - x)}. */
static double log_e_value(double p, const double *with)
{
    double log_likelihood = 0;
    if (with[0] > 0)
        log_likelihood += with[0] * log(p);
    if (with[1] > 0)
        log_likelihood += with[1] * log1p(-p);
    return with[3] - gsl_sf_lnbeta(with[2], with[2]) - log_likelihood;
}

static double minus_log_e_value(double p, const double *with)
{
    return -log_e_value(p, with);
}

struct interval stats_always_valid(uint64_t x, uint64_t n, double a, double alpha)
{
    quiet();
    ASSERT(x <= n);
    ASSERT(a > 0);
    struct interval i = {0, 1};
    if (n == 0)
        return i;
    double share = (double)x / (double)n;
    const double with[4] = {(double)x, (double)(n - x), a,
                            gsl_sf_lnbeta(a + (double)x, a + (double)(n - x))};
    if (x > 0) /* falls from infinity at 0 to its least at the share */
        i.low = bisect(log_e_value, with, -log(alpha), 0, share);
    if (x < n)
        i.high = bisect(minus_log_e_value, with, log(alpha), share, 1);
    return i;
}

/* P(X >= k), X of Bin(m, 1/2), between whole numbers too: for counts that are expected, not seen.
 */
static double tail_half_real(double k, double m)
{
    quiet();
    return k <= 0 ? 1 : k > m ? 0 : gsl_cdf_beta_P(0.5, k, m - k + 1);
}

double stats_tail_half(uint64_t k, uint64_t m)
{
    return tail_half_real((double)k, (double)m);
}

/* Tango's score statistic at difference d; falls as d grows. with = {b, c, n}. */
static double tango_score(double d, const double *with)
{
    double b = with[0], c = with[1], n = with[2];
    double qa = 2 * n, qb = -b - c + (2 * n - b + c) * d, qc = -c * d * (1 - d);
    double q = (sqrt(fmax(0, qb * qb - 4 * qa * qc)) - qb) / (2 * qa);
    double variance = n * (2 * q + d * (1 - d));
    double distance = b - c - n * d;
    if (variance <= 0)
        return distance > 0 ? INFINITY : distance < 0 ? -INFINITY : 0;
    return distance / sqrt(variance);
}

/* stats_tango of such counts. */
static struct interval tango_real(double b, double c, double n, double alpha)
{
    ASSERT(b + c <= n * (1 + 1e-12));
    if (n <= 0)
        return (struct interval){-1, 1};
    double z = stats_z(alpha), d = (b - c) / n;
    const double with[3] = {b, c, n};
    struct interval i = {bisect(tango_score, with, z, -1, d), bisect(tango_score, with, -z, d, 1)};
    if (d >= 1)
        i.high = 1;
    if (d <= -1)
        i.low = -1;
    return i;
}

struct interval stats_tango(uint64_t b, uint64_t c, uint64_t n, double alpha)
{
    return tango_real((double)b, (double)c, (double)n, alpha);
}

bool stats_tango_above(uint64_t b, uint64_t c, uint64_t n, double margin, double alpha)
{
    ASSERT(n > 0 && b + c <= n);
    const double with[3] = {(double)b, (double)c, (double)n};
    return tango_score(margin, with) > stats_z(alpha); /* the score is z at the low end */
}

/* What stats_needs_pairs searches for: whether w and s discordant pairs of n decide. */
static bool pairs_decide(double w, double s, double n, double margin, double alpha)
{
    struct interval i = tango_real(w, s, n, 2 * alpha);
    if (i.low > margin && tail_half_real(w, w + s) <= alpha)
        return true;
    if (i.high < -margin && tail_half_real(s, w + s) <= alpha)
        return true;
    return i.high < margin && n >= (double)stats_floor(margin, alpha);
}

uint64_t stats_needs_pairs(uint64_t w, uint64_t s, uint64_t n, double margin, double alpha)
{
    if (n == 0)
        return 0;
    double w_share = (double)w / (double)n, s_share = (double)s / (double)n;
    uint64_t low = n, high = STATS_NEEDS_MAX;
    if (!pairs_decide(w_share * (double)high, s_share * (double)high, (double)high, margin, alpha))
        return 0;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        double count = (double)middle;
        if (pairs_decide(w_share * count, s_share * count, count, margin, alpha))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* stats_newcombe of such counts. */
static struct interval newcombe_real(double x1, double n1, double x2, double n2, double alpha)
{
    if (n1 <= 0 || n2 <= 0)
        return (struct interval){-1, 1};
    double z = stats_z(alpha), p1 = x1 / n1, p2 = x2 / n2;
    struct interval i1 = wilson_z(x1, n1, z), i2 = wilson_z(x2, n2, z);
    return (struct interval){p1 - p2 - hypot(p1 - i1.low, i2.high - p2),
                             p1 - p2 + hypot(i1.high - p1, p2 - i2.low)};
}

struct interval stats_newcombe(uint64_t x1, uint64_t n1, uint64_t x2, uint64_t n2, double alpha)
{
    return newcombe_real((double)x1, (double)n1, (double)x2, (double)n2, alpha);
}

double stats_fisher_less(uint64_t x1, uint64_t n1, uint64_t x2, uint64_t n2)
{
    quiet();
    ASSERT(x1 <= n1 && x2 <= n2);
    ASSERT(n1 + n2 <= UINT32_MAX);
    unsigned events = (unsigned)(x1 + x2), others = (unsigned)(n1 + n2) - events;
    if (events == 0 || others == 0)
        return 1;
    return fmin(1, gsl_cdf_hypergeometric_P((unsigned)x1, events, others, (unsigned)n1));
}

/* What stats_needs_trials searches for: whether these shares, of n trials a side, decide. */
static bool shares_decide(const struct stats_shares *cut, size_t count, uint64_t n, double margin,
                          double alpha)
{
    bool no_worse = n >= stats_floor(margin, alpha), worse = false, better = false;
    double trials = (double)n;
    for (size_t k = 0; k < count; k++) {
        double base = cut[k].base * trials, new = cut[k].new *trials;
        struct interval i = newcombe_real(new, trials, base, trials, 2 * alpha);
        uint64_t b = (uint64_t)llround(base), w = (uint64_t)llround(new);
        worse = worse || (i.low > margin && stats_fisher_less(b, n, w, n) <= alpha);
        better = better || (i.high < -margin && stats_fisher_less(w, n, b, n) <= alpha);
        no_worse = no_worse && i.high < margin;
    }
    return worse || better || no_worse;
}

uint64_t stats_needs_trials(const struct stats_shares *cut, size_t count, uint64_t n, double margin,
                            double alpha)
{
    uint64_t low = n, high = STATS_NEEDS_MAX;
    if (n == 0 || n > high || !shares_decide(cut, count, high, margin, alpha))
        return 0;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (shares_decide(cut, count, middle, margin, alpha))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

uint64_t stats_floor(double margin, double alpha)
{
    ASSERT(margin > 0 && margin < 1);
    return (uint64_t)ceil(log(alpha) / log1p(-margin) - 1e-9);
}
