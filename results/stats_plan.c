/*
 * How many trials a gate needs, by the gate's own rule (compare.h), and how far a share must be
 * watched until its always-valid interval is narrow.
 *
 * The model of a rise: of n pairs, half of the trials that the base breaks (a share `from`) are
 * drawn again by any change at all, so that as many get weaker as stronger; on top of these the
 * share `detect` gets weaker. Weaker, stronger and equal pairs are trinomial; both counts are
 * enumerated, the stronger within SPREAD standard deviations.
 */
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_randist.h>
#include <math.h>

#include "assertion.h"
#include "results/stats.h"

#define SPREAD 6.0 /* standard deviations: what lies beyond adds less than 1e-8 */

/* The least w of pairs with s that get stronger at which the gate says worse; n + 1: none. */
static uint64_t least_worse(const struct stats_rise *r, uint64_t s, uint64_t n)
{
    uint64_t low = s, high = n - s + 1;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (stats_tail_half(middle, middle + s) <= r->alpha / (double)r->cells &&
            stats_tango_above(middle, s, n, r->margin, 2 * r->alpha))
            high = middle;
        else
            low = middle + 1;
    }
    return low > n - s ? n + 1 : low;
}

/* P(Bin(n, p) >= k). */
static double binomial_tail(uint64_t k, uint64_t n, double p)
{
    if (k == 0)
        return 1;
    return k > n ? 0 : gsl_cdf_beta_P(p, (double)k, (double)(n - k) + 1);
}

double stats_gate_power(const struct stats_rise *r, uint64_t n)
{
    gsl_set_error_handler_off();
    ASSERT(r->from >= 0 && r->detect >= 0 && r->from + r->detect <= 1);
    ASSERT(r->cells > 0 && n <= STATS_PLAN_MAX);
    double stronger = r->from * (1 - r->from) / 2;
    double weaker = fmin((stronger + r->detect) / (1 - stronger), 1); /* of those not stronger */
    double mean = (double)n * stronger, spread = SPREAD * sqrt(mean) + SPREAD;
    uint64_t first = mean > spread ? (uint64_t)(mean - spread) : 0;
    uint64_t last = (uint64_t)fmin(mean + spread, (double)n);
    double power = 0;
    for (uint64_t s = first; s <= last && (s == 0 || stronger > 0) && 2 * s <= n; s++)
        power += gsl_ran_binomial_pdf((unsigned)s, stronger, (unsigned)n) *
                 binomial_tail(least_worse(r, s, n), n - s, weaker);
    return fmin(power, 1);
}

uint64_t stats_gate_trials(const struct stats_rise *r, double power)
{
    ASSERT(power > 0 && power < 1);
    uint64_t fails = 0, n = STATS_LOOK; /* the last that was too few, the next to try */
    while (stats_gate_power(r, n) < power) {
        fails = n;
        n += STATS_LOOK * (1 + n / (STATS_LOOK * 8)); /* an eighth more */
        if (n > STATS_PLAN_MAX)
            return 0;
    }
    for (uint64_t k = fails + STATS_LOOK; k < n; k += STATS_LOOK)
        if (stats_gate_power(r, k) >= power)
            return k;
    return n;
}

double stats_gate_sees(const struct stats_rise *r, uint64_t n, double power)
{
    struct stats_rise rise = *r;
    double low = r->margin, high = 1 - r->from; /* the power grows with the rise */
    rise.detect = high;
    if (stats_gate_power(&rise, n) < power)
        return NAN;
    for (int i = 0; i < 20; i++) { /* to a millionth */
        rise.detect = low + (high - low) / 2;
        *(stats_gate_power(&rise, n) < power ? &low : &high) = rise.detect;
    }
    return high;
}

bool stats_narrow(uint64_t x, uint64_t n, double half_width, double alpha)
{
    struct interval i = stats_always_valid(x, n, STATS_MIXTURE, alpha);
    return i.high - i.low <= 2 * half_width;
}

uint64_t stats_narrow_trials(double share, uint64_t max, double half_width, double alpha)
{
    for (uint64_t n = STATS_LOOK; n < max; n += STATS_LOOK)
        if (stats_narrow((uint64_t)llround(share * (double)n), n, half_width, alpha))
            return n;
    return max;
}
