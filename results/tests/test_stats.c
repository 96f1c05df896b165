/* Every worked number of the statistics, to the digits given; computed elsewhere (scipy 1.10). */
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <string.h>

#include "results/stats.h"
#include "scripts/check_main.h"

#define NEAR(value, wanted)                                                                        \
    ck_assert_msg(fabs((value) - (wanted)) <= 6e-9, "%s = %.10f, wanted %.10f", #value,            \
                  (double)(value), (double)(wanted))
#define RELATIVE(value, wanted)                                                                    \
    ck_assert_msg(fabs((value) / (wanted)-1) <= 1e-8, "%s = %.12g, wanted %.12g", #value,          \
                  (double)(value), (double)(wanted))
#define INTERVAL(value, wanted_low, wanted_high)                                                   \
    do {                                                                                           \
        struct interval got = (value);                                                             \
        NEAR(got.low, wanted_low);                                                                 \
        NEAR(got.high, wanted_high);                                                               \
    } while (0)

START_TEST(test_stats__clopper_pearson)
{
    INTERVAL(stats_clopper_pearson(0, 1000, .05), 0, 0.00368208);
    NEAR(stats_clopper_pearson(0, 1000, .10).high, 0.00299125);
    INTERVAL(stats_clopper_pearson(3, 1000, .05), 0.00061910, 0.00874202);
    INTERVAL(stats_clopper_pearson(1, 10, .05), 0.00252858, 0.44501612);
    INTERVAL(stats_clopper_pearson(37, 500, .05), 0.05263511, 0.10055887);
    INTERVAL(stats_clopper_pearson(500, 500, .05), 0.99264939, 1);
    INTERVAL(stats_clopper_pearson(0, 0, .05), 0, 1);
    struct interval rare = stats_clopper_pearson(3, 1000000, .05);
    RELATIVE(rare.low, 6.186725502e-7);
    RELATIVE(rare.high, 8.767247788e-6);
}
END_TEST

/* Where GSL's own inverse gives up. */
START_TEST(test_stats__clopper_pearson_converges_everywhere)
{
    static const uint64_t counts[] = {10, 1000, 10000, 100000, 1000000, 1000000000};
    for (size_t i = 0; i < 6; i++)
        for (uint64_t x = 0; x <= 1000 && x <= counts[i]; x = x * 2 + 1) {
            struct interval ci = stats_clopper_pearson(x, counts[i], .001);
            double share = (double)x / (double)counts[i];
            ck_assert(ci.low <= share && share <= ci.high);
            ck_assert(ci.high > ci.low && ci.high - ci.low < 1);
        }
}
END_TEST

START_TEST(test_stats__always_valid)
{
    INTERVAL(stats_always_valid(0, 1000, 1, .05), 0, 0.00985560);
    INTERVAL(stats_always_valid(3, 1000, 1, .05), 0.00006853, 0.01641831);
    INTERVAL(stats_always_valid(10, 1000, 1, .05), 0.00207548, 0.02794175);
    INTERVAL(stats_always_valid(37, 500, 1, .05), 0.03899386, 0.12366843);
    INTERVAL(stats_always_valid(100, 10000, 1, .05), 0.00634850, 0.01482314);
    INTERVAL(stats_always_valid(0, 1000, .5, .05), 0, .00699750);
    INTERVAL(stats_always_valid(3, 1000, .5, .05), .00012387, .01431215);
    INTERVAL(stats_always_valid(37, 500, .5, .05), .03941365, .12281745);
    INTERVAL(stats_always_valid(100, 10000, .5, .05), .00655848, .01446207);
    INTERVAL(stats_always_valid(0, 0, .5, .05), 0, 1);
    NEAR(stats_always_valid(5, 5, .5, .05).high, 1);
}
END_TEST

/* The mixture against 1/2, over discordant pairs, is e where the interval of alpha = 1 / e ends at
 * 1/2. Of pairs that all point one way 8 are the first with e >= 20. */
START_TEST(test_stats__paired_e_values)
{
    static const struct {
        uint64_t b, c;
        double e;
    } rows[] = {{12, 3, 4.501099}, {15, 3, 16.908153}, {20, 3, 197.360437}, {8, 0, 28.444444}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t b = rows[i].b, m = b + rows[i].c;
        NEAR(stats_always_valid(b, m, 1, 1 / rows[i].e).low, .5);
        NEAR(stats_always_valid(m - b, m, 1, 1 / rows[i].e).high, .5);
    }
    ck_assert(stats_always_valid(7, 7, 1, .05).low < .5);
    ck_assert(stats_always_valid(8, 8, 1, .05).low > .5);
}
END_TEST

START_TEST(test_stats__tail_half)
{
    NEAR(stats_tail_half(12, 15), 0.01757812);
    NEAR(stats_tail_half(8, 10), 0.05468750);
    NEAR(stats_tail_half(0, 5), 1);
    NEAR(stats_tail_half(5, 10), 0.62304688);
    NEAR(stats_tail_half(0, 0), 1);
    NEAR(stats_tail_half(3, 2), 0);
}
END_TEST

/* The exact two-sided p is twice the tail; mid-p is without half of both outermost terms. */
START_TEST(test_stats__mcnemar_from_its_tails)
{
    static const struct {
        uint64_t b, c;
        double exact, mid;
    } rows[] = {{12, 3, .03515625, .02127075},
                {8, 2, .10937500, .06542969},
                {5, 0, .06250000, .03125000},
                {6, 0, .03125000, .01562500}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t b = rows[i].b, m = b + rows[i].c;
        NEAR(2 * stats_tail_half(b, m), rows[i].exact);
        NEAR(stats_tail_half(b, m) + stats_tail_half(b + 1, m), rows[i].mid);
    }
    ck_assert(2 * stats_tail_half(5, 10) > 1); /* b = c: exactly 1, mid-p less half of the middle */
    NEAR(1 - (stats_tail_half(5, 10) - stats_tail_half(6, 10)) / 2, .87695312);
    ck_assert(stats_tail_half(4, 4) > .05 && stats_tail_half(5, 5) < .05); /* five pairs at least */
}
END_TEST

START_TEST(test_stats__tango)
{
    INTERVAL(stats_tango(12, 2, 50, .05), 0.06111241, 0.34470875);
    INTERVAL(stats_tango(12, 3, 1000, .05), 0.00162373, 0.01821233);
    INTERVAL(stats_tango(20, 8, 2000, .05), 0.00087480, 0.01182879);
    INTERVAL(stats_tango(0, 0, 1000, .05), -0.00382676, 0.00382676);
    INTERVAL(stats_tango(9, 0, 200, .10), .02636517, .07578075);
    INTERVAL(stats_tango(5, 0, 100, .10), .02234014, .09916109);
    INTERVAL(stats_tango(12, 3, 1000, .10), .00290785, .01646080);
    INTERVAL(stats_tango(0, 0, 200, .10), -.01334716, .01334716);
    INTERVAL(stats_tango(0, 0, 0, .10), -1, 1);
    NEAR(stats_tango(7, 0, 7, .10).high, 1);
    NEAR(stats_tango(0, 7, 7, .10).low, -1);
}
END_TEST

START_TEST(test_stats__newcombe)
{
    INTERVAL(stats_newcombe(56, 70, 48, 80, .05), 0.05243147, 0.33387265);
    INTERVAL(stats_newcombe(7, 250, 18, 250, .05), -0.08549679, -0.00532263);
    INTERVAL(stats_newcombe(0, 1000, 0, 1000, .05), -0.00382676, 0.00382676);
    INTERVAL(stats_newcombe(20, 2000, 18, 2000, .10), -0.00419111, 0.00623564);
    INTERVAL(stats_newcombe(5, 200, 2, 200, .10), -0.00853669, 0.04132189);
    INTERVAL(stats_newcombe(0, 0, 1, 9, .10), -1, 1);
}
END_TEST

/* The difference to a share that is known to be 0 is the share, its interval Wilson's. */
START_TEST(test_stats__newcombe_is_wilson_against_certainty)
{
    const uint64_t certain = UINT64_C(1000000000000000000);
    INTERVAL(stats_newcombe(0, 1000, 0, certain, .05), 0, 0.00382676);
    INTERVAL(stats_newcombe(3, 1000, 0, certain, .05), 0.00102078, 0.00878301);
    INTERVAL(stats_newcombe(1, 10, 0, certain, .05), 0.01787621, 0.40415003);
    INTERVAL(stats_newcombe(37, 500, 0, certain, .05), 0.05416118, 0.10033475);
    INTERVAL(stats_newcombe(500, 500, 0, certain, .05), 0.99237566, 1);
}
END_TEST

/* Newcombe's method 10 of paired shares, a both fail, d neither, from Wilson's ends as above.
 * Tango's interval is what is printed: it needs no a and d. */
static struct interval paired_newcombe(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    const uint64_t n = a + b + c + d, certain = UINT64_C(1000000000000000000);
    struct interval i1 = stats_newcombe(a + b, n, 0, certain, .05);
    struct interval i2 = stats_newcombe(a + c, n, 0, certain, .05);
    double p1 = (double)(a + b) / (double)n, p2 = (double)(a + c) / (double)n;
    double t = (double)(a * d) - (double)(b * c);
    double all = (double)(a + b) * (double)(c + d) * (double)(a + c) * (double)(b + d);
    t = t > 0 ? fmax(t - (double)n / 2, 0) : t;
    double phi = all > 0 ? t / sqrt(all) : 0;
    double l1 = p1 - i1.low, h1 = i1.high - p1, l2 = p2 - i2.low, h2 = i2.high - p2;
    return (struct interval){p1 - p2 - sqrt(l1 * l1 - 2 * phi * l1 * h2 + h2 * h2),
                             p1 - p2 + sqrt(h1 * h1 - 2 * phi * h1 * l2 + l2 * l2)};
}

START_TEST(test_stats__paired_newcombe_from_wilsons_ends)
{
    INTERVAL(paired_newcombe(36, 12, 2, 0), 0.05692958, 0.34042760);
    INTERVAL(paired_newcombe(20, 12, 3, 965), 0.00097918, 0.01813864);
    INTERVAL(paired_newcombe(5, 20, 8, 1967), 0.00068450, 0.01185056);
    INTERVAL(paired_newcombe(0, 0, 0, 1000), -0.00382676, 0.00382676);
}
END_TEST

/* Where both sides are as large the distribution is symmetric: two-sided is twice one-sided. */
START_TEST(test_stats__fisher)
{
    NEAR(stats_fisher_less(7, 250, 18, 250), 0.0190997874);
    NEAR(2 * stats_fisher_less(7, 250, 18, 250), 0.0381995748);
    NEAR(stats_fisher_less(7, 250, 18, 250) - stats_fisher_less(6, 250, 19, 250), 0.0129433583);
    ck_assert(fabs(2 * stats_fisher_less(18, 2000, 20, 2000) - 0.870800) < 1e-6);
    ck_assert(fabs(2 * stats_fisher_less(2, 200, 5, 200) - 0.448982) < 1e-6);
    NEAR(stats_fisher_less(0, 10, 0, 10), 1);
}
END_TEST

START_TEST(test_stats__discrete_holm)
{
    static const unsigned ws[6][2] = {{7, 0}, {8, 2}, {3, 0}, {1, 1}, {0, 0}, {0, 0}};
    static const double wanted[] = {.00878906, .0546875, .125, .75, 1, 1};
    struct hypothesis h[6];
    double adjusted[6];
    for (size_t i = 0; i < 6; i++) {
        uint64_t m = ws[i][0] + ws[i][1];
        h[i] = (struct hypothesis){stats_tail_half(ws[i][0], m), ATTAINS_BINOMIAL, m, 0, 0};
    }
    stats_discrete_holm(h, 6, adjusted);
    for (size_t i = 0; i < 6; i++)
        NEAR(adjusted[i], wanted[i]);
    static const double holm[] = {.046875, .2734375, .5, 1, 1, 1}; /* as if any p could occur */
    for (size_t i = 0; i < 6; i++)
        h[i].kind = ATTAINS_ANY;
    stats_discrete_holm(h, 6, adjusted);
    for (size_t i = 0; i < 6; i++)
        NEAR(adjusted[i], holm[i]);
}
END_TEST

/* Continuous tests make it Holm; a hypergeometric without events costs nothing. */
START_TEST(test_stats__discrete_holm_of_other_kinds)
{
    static const double p[] = {.041, .001, .200, .012, .030, .008};
    static const double holm[] = {.090, .006, .200, .048, .090, .040};
    struct hypothesis h[7];
    double adjusted[7];
    for (size_t i = 0; i < 6; i++)
        h[i] = (struct hypothesis){p[i], ATTAINS_ANY, 0, 0, 0};
    h[6] = (struct hypothesis){1, ATTAINS_HYPERGEOMETRIC, 0, 100, 100};
    stats_discrete_holm(h, 7, adjusted);
    for (size_t i = 0; i < 6; i++)
        NEAR(adjusted[i], holm[i]);
    double tail = stats_fisher_less(7, 250, 18, 250);
    struct hypothesis alone = {tail, ATTAINS_HYPERGEOMETRIC, 25, 250, 250};
    stats_discrete_holm(&alone, 1, adjusted);
    NEAR(adjusted[0], tail);
}
END_TEST

START_TEST(test_stats__false_discovery)
{
    static const double p[] = {.041, .001, .200, .012, .030, .008};
    static const double wanted[] = {.0492, .006, .200, .024, .045, .024};
    double q[6];
    stats_false_discovery(p, 6, q);
    for (size_t i = 0; i < 6; i++)
        NEAR(q[i], wanted[i]);
    stats_false_discovery(NULL, 0, NULL);
}
END_TEST

static void ranks(uint64_t n, double p, double alpha, uint64_t low, uint64_t high)
{
    struct rank_interval r = stats_quantile_ranks(n, p, alpha);
    ck_assert_msg(r.low == low && r.high == high, "n %llu: %llu, %llu", (unsigned long long)n,
                  (unsigned long long)r.low, (unsigned long long)r.high);
}

START_TEST(test_stats__quantile_ranks)
{
    ranks(100, .5, .05, 40, 61);
    ranks(200, .95, .05, 184, 197);
    ranks(1000, .99, .05, 983, 997);
    ranks(10000, .999, .05, 9983, 9997);
    ranks(100, .99, .05, 97, 101);
    ranks(20, .5, .10, 6, 15);
    ranks(50, .5, .10, 19, 32);
    ranks(100, .5, .10, 42, 59);
    ranks(200, .5, .10, 88, 113);
    ranks(1000, .5, .10, 474, 527);
    ranks(5, .5, .05, 0, 6);
    ranks(6, .5, .05, 1, 6);
    ranks(0, .5, .05, 0, 1);
}
END_TEST

/* How often the interval between those ranks holds the quantile. */
START_TEST(test_stats__quantile_ranks_cover)
{
    static const struct {
        uint64_t n;
        double p, coverage;
    } rows[] = {{100, .5, 0.9647998},
                {200, .95, 0.9671522},
                {1000, .99, 0.9760948},
                {10000, .999, 0.9754575},
                {100, .99, 0.9816260}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rank_interval r = stats_quantile_ranks(rows[i].n, rows[i].p, .05);
        unsigned n = (unsigned)rows[i].n, low = (unsigned)r.low, high = (unsigned)r.high;
        double covers =
            gsl_cdf_binomial_P(high - 1, rows[i].p, n) - gsl_cdf_binomial_P(low - 1, rows[i].p, n);
        ck_assert_msg(fabs(covers - rows[i].coverage) <= 6e-8, "%.9f", covers);
    }
}
END_TEST

/* The smallest n at which a quantile is bounded from above: one-sided 95 %, two-sided 95 %. */
START_TEST(test_stats__quantiles_need_values)
{
    static const struct {
        double p;
        uint64_t one, two;
    } rows[] = {{.5, 5, 6}, {.9, 29, 36}, {.95, 59, 72}, {.99, 299, 368}, {.999, 2995, 3688}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t one = rows[i].one, two = rows[i].two;
        double p = rows[i].p;
        ck_assert(stats_quantile_ranks(one, p, .10).high <= one);
        ck_assert(stats_quantile_ranks(one - 1, p, .10).high > one - 1);
        ck_assert(stats_quantile_ranks(two, p, .05).high <= two);
        ck_assert(stats_quantile_ranks(two - 1, p, .05).high > two - 1);
    }
}
END_TEST

START_TEST(test_stats__quantiles_are_values_that_occurred)
{
    double v[] = {5, 1, 4, 2, 3, INFINITY};
    stats_sort(v, 6);
    NEAR(stats_quantile(v, 5, .5), 3);
    NEAR(stats_quantile(v, 5, .99), 5);
    NEAR(stats_quantile(v, 5, .01), 1);
    NEAR(stats_median(v, 4), 2.5);
    NEAR(stats_median(v, 5), 3);
    struct interval i = stats_quantile_interval(v, 5, .5, .05);
    ck_assert(isinf(i.low) && isinf(i.high));
}
END_TEST

START_TEST(test_stats__mann_whitney)
{
    double x[] = {5.5, 1.1, 2.2, 3.3, 4.4}, y[] = {8, 2.5, 3.5, 6, 7};
    NEAR(stats_mann_whitney_greater(x, 5, y, 5), 19.0 / 252);    /* of U = 5 */
    static const unsigned ways[] = {1, 2, 4, 7, 12, 19, 28, 39}; /* of 252: U <= 0, 1, ... */
    for (unsigned u = 0; u < 8; u++) {
        unsigned first = u < 5 ? u : 5, second = u - first; /* how many of x each lies below */
        double even[] = {2, 4, 6, 8, 10};
        double odd[] = {11 - 2.0 * first, 11.5 - 2.0 * second, 12, 13, 14};
        NEAR(stats_mann_whitney_greater(even, 5, odd, 5), ways[u] / 252.0);
    }
    double same[] = {1, 1, 1}, also[] = {1, 1, 1};
    NEAR(stats_mann_whitney_greater(same, 3, also, 3), 1);
}
END_TEST

/* Larger samples and those with ties: U = 946 of 51 x 51; U = 1302 of 60 x 60 in groups of four. */
START_TEST(test_stats__mann_whitney_normal_form)
{
    double x[60], y[60];
    for (size_t i = 0; i < 51; i++) {
        x[i] = (double)i;
        y[i] = (double)i + 7.3;
    }
    NEAR(stats_mann_whitney_greater(x, 51, y, 51), 0.0089128619);
    for (size_t i = 0; i < 60; i++) {
        size_t quarter = i / 4, later = (i + 9) / 4;
        x[i] = (double)quarter;
        y[i] = (double)later;
    }
    NEAR(stats_mann_whitney_greater(x, 60, y, 60), 0.0044454966);
}
END_TEST

/* At the size where the count gives way to the normal form the two agree. */
START_TEST(test_stats__mann_whitney_normal_is_near_exact)
{
    double x[51], y[51];
    for (size_t i = 0; i < 51; i++) {
        x[i] = (double)i;
        y[i] = (double)i + 7.3;
    }
    double exact = stats_mann_whitney_greater(x, 50, y, 50);
    double normal = stats_mann_whitney_greater(x, 51, y, 51);
    ck_assert(fabs(exact - normal) < 0.01);
    ck_assert(exact > 0.001 && exact < 0.2);
}
END_TEST

START_TEST(test_stats__needs_pairs)
{
    ck_assert_uint_eq(stats_needs_pairs(0, 0, 100, .01, .05), 299);
    ck_assert_uint_eq(stats_needs_pairs(1, 0, 200, .01, .05), 1072);
    ck_assert_uint_eq(stats_needs_pairs(2, 2, 200, .01, .05), 649);
    ck_assert_uint_eq(stats_needs_pairs(2, 1, 200, .01, .05), 1914);
    ck_assert_uint_eq(stats_needs_pairs(4, 0, 200, .01, .05), 274);
    ck_assert_uint_eq(stats_needs_pairs(2, 0, 200, .01, .05), 0); /* exactly at the margin */
}
END_TEST

/* By the ranks at 90 %: 59 of 100, 113 of 200; 42 of 100. */
START_TEST(test_stats__needs_ratios)
{
    ck_assert_uint_eq(stats_needs_ratios(0, 1, 0, 3, .05), 5); /* 2^-5 */
    ck_assert_uint_eq(stats_needs_ratios(1, 0, 0, 3, .05), 5);
    uint64_t n = stats_needs_ratios(.41, .59, .2, 50, .05);
    ck_assert(n > 60 && n <= 100);
    ck_assert_uint_eq(stats_needs_ratios(.59, .41, .2, 50, .05), n); /* the mirror */
    n = stats_needs_ratios(.435, .565, .2, 100, .05);
    ck_assert(n > 130 && n <= 200);
    ck_assert_uint_eq(stats_needs_ratios(.5, .5, 0, 50, .05), 0);
}
END_TEST

START_TEST(test_stats__needs_trials)
{
    struct stats_shares none[2] = {{0, 0}, {0, 0}};
    ck_assert_uint_eq(stats_needs_trials(none, 2, 100, .01, .05), 299);
    struct stats_shares cuts[2] = {{.1, .1}, {0, .02}};
    uint64_t n = stats_needs_trials(cuts, 2, 100, .01, .05); /* +2 points, unpaired */
    ck_assert_uint_gt(n, 299);
    ck_assert_uint_lt(n, 1200);
    uint64_t x = (uint64_t)llround(.02 * (double)n);
    ck_assert(stats_newcombe(x, n, 0, n, .10).low > .009);               /* of 9.4 events, 9 */
    ck_assert_uint_gt(stats_needs_trials(cuts, 1, 100, .01, .05), 4000); /* 10 %: no worse */
    struct stats_shares margin = {.10, .11};
    ck_assert_uint_eq(stats_needs_trials(&margin, 1, 100, .01, .05), 0);
    struct stats_shares fewer = {.5, .1};
    ck_assert_uint_eq(stats_needs_trials(&fewer, 1, 100, .01, .05), 100);
}
END_TEST

/* SplitMix64: reference of its paper (Steele, Lea, Flood 2014); only to draw cases. */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static double uniform(uint64_t *state)
{
    return ((double)(draw(state) >> 11) + 0.5) / 9007199254740992.0;
}

/*
 * Pairs of a common exponential workload, new slower by 0.5 and a jitter of its own: the median
 * shifts by what a large sample shows. Of 400 intervals at 90 % no fewer cover it than 99.9 % of
 * the binomial (341): medians of like pairs make them cautious. Yet they are narrower than of pairs
 * that are torn apart.
 */
START_TEST(test_stats__quantile_shift_covers)
{
    uint64_t state = 5;
    unsigned covered = 0;
    double paired = 0, torn = 0;
    static double base[40000], new[40000];
    for (size_t i = 0; i < 40000; i++) {
        base[i] = -log(uniform(&state));
        new[i] = base[i] + .5 + uniform(&state);
    }
    double a[400], b[400], truth;
    static double sorted_base[40000], sorted_new[40000];
    memcpy(sorted_base, base, sizeof(base));
    memcpy(sorted_new, new, sizeof(new));
    stats_sort(sorted_base, 40000);
    stats_sort(sorted_new, 40000);
    truth = stats_median(sorted_new, 40000) - stats_median(sorted_base, 40000);
    for (size_t round = 0; round < 400; round++) {
        struct stats_shift s =
            stats_quantile_shift(base + round * 100, new + round * 100, 100, .5, .10);
        covered += s.interval.low <= truth && truth <= s.interval.high;
        ck_assert(s.interval.low <= s.shift && s.shift <= s.interval.high);
        if (round >= 20)
            continue;
        for (size_t i = 0; i < 100; i++) {
            a[i] = base[round * 100 + i];
            b[i] = new[(round + 50) * 100 + i];
        }
        struct stats_shift other = stats_quantile_shift(a, b, 100, .5, .10);
        paired += s.interval.high - s.interval.low;
        torn += other.interval.high - other.interval.low;
    }
    ck_assert_msg(covered >= 341 && covered < 400, "%u of 400", covered);
    ck_assert_msg(paired < .7 * torn, "%g, %g", paired, torn);
}
END_TEST

START_TEST(test_stats__quantile_shift_at_the_edges)
{
    double same[400], later[400];
    for (size_t i = 0; i < 400; i++) {
        same[i] = (double)(i * 7 % 400);
        later[i] = same[i] + 3;
    }
    struct stats_shift s = stats_quantile_shift(same, later, 400, .99, .05);
    NEAR(s.shift, 3);
    INTERVAL(s.interval, 3, 3);
    ck_assert(isnan(stats_quantile_shift(same, later, 367, .99, .05).shift)); /* no upper bound */
    ck_assert(isnan(stats_quantile_shift(same, later, 0, .5, .05).shift));
    for (size_t i = 0; i < 390; i++)
        later[i] = INFINITY;
    s = stats_quantile_shift(same, later, 400, .5, .05);
    ck_assert(isinf(s.shift) && isinf(s.interval.low) && isinf(s.interval.high));
    NEAR(stats_quantile_shift(later, later, 400, .5, .05).shift, 0);
}
END_TEST

/*
 * Down times of trials of a year, most of them 0, the others exponential with a mean of a
 * hundredth: 95 % intervals of their share cover the truth, .003, nearly as often as they say; 99.9
 * % of the binomial at 90 % is 343 to 377 of 400, and the percentile form may say too much, not
 * less.
 */
START_TEST(test_stats__ratio_interval_covers)
{
    uint64_t state = 9;
    unsigned covered = 0;
    double down[100], year[100], many[3000], one[3000];
    for (unsigned round = 0; round < 400; round++) {
        for (size_t i = 0; i < 100; i++) {
            year[i] = 1;
            down[i] = uniform(&state) < .3 ? -.01 * log(uniform(&state)) : 0;
        }
        struct interval i = stats_ratio_interval(down, year, 100, .05);
        covered += i.low <= .003 && .003 <= i.high;
    }
    ck_assert_msg(covered >= 343, "%u of 400", covered);
    for (size_t i = 0; i < 3000; i++) {
        one[i] = 1;
        many[i] = uniform(&state) < .3 ? -.01 * log(uniform(&state)) : 0;
    }
    struct interval large = stats_ratio_interval(many, one, 3000, .05);
    struct interval less = stats_ratio_interval(many, one, 2000, .05);
    ck_assert(large.low <= .003 && .003 <= large.high);
    ck_assert(large.high - large.low < less.high - less.low); /* the two forms agree in size */
    ck_assert(large.high - large.low > .7 * (less.high - less.low));
    ck_assert(isinf(stats_ratio_interval(NULL, NULL, 0, .05).high));
    double none[5] = {0};
    INTERVAL(stats_ratio_interval(none, one, 5, .05), 0, 0);
}
END_TEST

/*
 * Neutral changes over 20 cells of 300 pairs, with rates from clean to noisy: in 1,000 comparisons
 * a family-wise alarm (p alone, without the margin) in at most 73, the upper end of a 99.9 % band.
 */
START_TEST(test_stats__discrete_holm_keeps_its_alpha)
{
    static const unsigned per_10000[] = {0, 10, 100, 1000}; /* discordant pairs */
    uint64_t state = 1;
    for (size_t rate = 0; rate < 4; rate++) {
        unsigned alarms = 0;
        for (unsigned round = 0; round < 1000; round++) {
            struct hypothesis h[20];
            double adjusted[20];
            bool alarm = false;
            for (size_t cell = 0; cell < 20; cell++) {
                uint64_t w = 0, s = 0;
                for (unsigned pair = 0; pair < 300; pair++) {
                    uint64_t bits = draw(&state);
                    if (bits % 10000 < per_10000[rate])
                        *((bits >> 60) & 1 ? &w : &s) += 1;
                }
                h[cell] =
                    (struct hypothesis){stats_tail_half(w, w + s), ATTAINS_BINOMIAL, w + s, 0, 0};
            }
            stats_discrete_holm(h, 20, adjusted);
            for (size_t cell = 0; cell < 20; cell++)
                alarm = alarm || adjusted[cell] <= .05;
            alarms += alarm;
        }
        ck_assert_msg(alarms <= 73, "%u alarms at %u", alarms, per_10000[rate]);
        ck_assert_msg(rate < 3 || alarms >= 5, "%u alarms: it never speaks", alarms);
    }
}
END_TEST

START_TEST(test_stats__floor)
{
    ck_assert_uint_eq(stats_floor(.01, .05), 299);
    ck_assert_uint_eq(stats_floor(.001, .05), 2995);
    ck_assert_uint_eq(stats_floor(.0001, .05), 29956);
}
END_TEST

/* Computed elsewhere by the same enumeration; simulation gives 55 % and 82 % of the last two. */
START_TEST(test_stats__power_of_the_gate)
{
    struct stats_rise r = {.from = 0, .detect = .05, .margin = .01, .alpha = .05, .cells = 1};
    NEAR(stats_gate_power(&r, 100), 0.5640186993);
    NEAR(stats_gate_power(&r, 300), 0.9976678613);
    r.detect = .02;
    NEAR(stats_gate_power(&r, 300), 0.5559447092);
    NEAR(stats_gate_power(&r, 1000), 0.8460896928);
    r.detect = stats_gate_sees(&r, 300, .8);
    ck_assert(fabs(stats_gate_power(&r, 300) - .8) < 1e-4);
    ck_assert(isnan(stats_gate_sees(&r, 4, .8))); /* 2^-4 is above 5 % */
}
END_TEST

/*
 * Without a margin the gate is McNemar's exact test, and the power that of the closed form's
 * numbers of pairs: p10 = .03 and p01 = .01, then .02 and .01, two-sided at 5 %. Pairs that get
 * stronger are `from` (1 - from) / 2 of all. And with both equal it is the size of the test, once
 * for each side.
 */
START_TEST(test_stats__power_without_a_margin_is_mcnemars)
{
    static const struct {
        double detect;
        uint64_t n;
        double power;
    } rows[] = {
        {.02, 783, .764998}, {.02, 843, .800286}, {.01, 2353, .776366}, {.01, 2493, .800705}};
    struct stats_rise r = {(1 - sqrt(1 - 8 * .01)) / 2, 0, 0, .025, 1};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        r.detect = rows[i].detect;
        double power = stats_gate_power(&r, rows[i].n);
        ck_assert_msg(fabs(power - rows[i].power) < 2e-6, "%.8f", power);
    }
    r.detect = 0;
    r.from = (1 - sqrt(1 - 8 * .02)) / 2;
    ck_assert(fabs(2 * stats_gate_power(&r, 843) - .0322) < 1e-4);
    r.from = (1 - sqrt(1 - 8 * .015)) / 2;
    ck_assert(fabs(2 * stats_gate_power(&r, 2353) - .0380) < 1e-4);
    struct stats_rise planned = {.01, .02, .01, .05, 1}; /* what Fleiss' form plans for 80 % */
    ck_assert(fabs(stats_gate_power(&planned, 866) - .57) < .005);
}
END_TEST

/* The table was sampled in steps of 12 %, so that it may be that much too high; its 25,600 has
 * 79.66 %. */
START_TEST(test_stats__trials_of_the_gate)
{
    static const struct {
        double from, detect;
        uint64_t one, sixty;
    } rows[] = {{0, .015, 3200, 3200},  {0, .02, 750, 750},      {0, .03, 300, 550},
                {0, .05, 150, 300},     {.01, .015, 6450, 6450}, {.01, .02, 1700, 1700},
                {.01, .03, 550, 750},   {.01, .05, 200, 350},    {.10, .015, 25600, 25600},
                {.10, .02, 7250, 7250}, {.10, .03, 1950, 2200},  {.10, .05, 550, 1000}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (uint64_t cells = 1; cells <= 60; cells += 59) {
            struct stats_rise r = {rows[i].from, rows[i].detect, .01, .05, cells};
            double table = (double)(cells == 1 ? rows[i].one : rows[i].sixty);
            uint64_t n = stats_gate_trials(&r, .8);
            ck_assert_uint_eq(n % STATS_LOOK, 0);
            ck_assert_msg((double)n <= table * 1.015 && (double)n >= table / 1.15, "%g %g: %llu",
                          r.from, r.detect, (unsigned long long)n);
            ck_assert(stats_gate_power(&r, n) >= .8);
            ck_assert(n == STATS_LOOK || stats_gate_power(&r, n - STATS_LOOK) < .8);
        }
    struct stats_rise never = {0, .01, .01, .05, 1}; /* exactly the margin */
    ck_assert_uint_eq(stats_gate_trials(&never, .8), 0);
}
END_TEST

START_TEST(test_stats__trials_until_narrow)
{
    ck_assert_uint_eq(stats_narrow_trials(0, 5000, .01, .05), 350);
    ck_assert_uint_eq(stats_narrow_trials(0, 5000, .02, .05), 150);
    ck_assert_uint_eq(stats_narrow_trials(.05, 5000, .01, .05), 5000);
    ck_assert(stats_narrow(0, 350, .01, .05) && !stats_narrow(0, 300, .01, .05));
    ck_assert(!stats_narrow(0, 0, .4, .05));
}
END_TEST

/*
 * Trials until the interval is narrow, of 300 cells looked at every 50, within four standard errors
 * of what others simulated; and however it ended, it holds the share nearly always.
 */
START_TEST(test_stats__stopping_when_narrow_keeps_its_coverage)
{
    static const struct {
        double share, half_width, trials;
    } rows[] = {{.001, .01, 402}, {.01, .01, 1347}, {.03, .01, 4326},
                {.01, .02, 345},  {.03, .02, 956},  {.05, .02, 1650}};
    uint64_t state = 3;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        double sum = 0, squares = 0;
        unsigned covered = 0;
        for (unsigned round = 0; round < 300; round++) {
            uint64_t x = 0, n = 0;
            while (n == 0 || !stats_narrow(x, n, rows[i].half_width, .05))
                for (unsigned k = 0; k < STATS_LOOK; k++, n++)
                    x += uniform(&state) < rows[i].share;
            struct interval ci = stats_always_valid(x, n, STATS_MIXTURE, .05);
            covered += ci.low <= rows[i].share && rows[i].share <= ci.high;
            sum += (double)n;
            squares += (double)n * (double)n;
        }
        double mean = sum / 300, error = sqrt(fmax(squares / 300 - mean * mean, 0) / 300);
        ck_assert_msg(fabs(mean - rows[i].trials) <= 4 * error + .01 * mean, "%g: %g +- %g",
                      rows[i].share, mean, error);
        ck_assert_uint_ge(covered, 293); /* of 99.5 %: 1 in 10,000 has 8 or more that miss */
    }
}
END_TEST

/* Of 0 events the interval alone says no worse from 268 on, the floor from 299. */
START_TEST(test_stats__zero_events_need_the_floor)
{
    ck_assert(stats_tango(0, 0, 268, .10).high < .01 && stats_tango(0, 0, 267, .10).high > .01);
    ck_assert(pow(1 - .01, 299) < .05 && pow(1 - .01, 298) > .05);
}
END_TEST

CHECK_MAIN("stats", 60, tcase_add_test(tc, test_stats__zero_events_need_the_floor);
           tcase_add_test(tc, test_stats__paired_newcombe_from_wilsons_ends);
           tcase_add_test(tc, test_stats__paired_e_values);
           tcase_add_test(tc, test_stats__quantile_ranks_cover);
           tcase_add_test(tc, test_stats__mann_whitney_normal_form);
           tcase_add_test(tc, test_stats__power_without_a_margin_is_mcnemars);
           tcase_add_test(tc, test_stats__stopping_when_narrow_keeps_its_coverage);
           tcase_add_test(tc, test_stats__mcnemar_from_its_tails);
           tcase_add_test(tc, test_stats__newcombe_is_wilson_against_certainty);
           tcase_add_test(tc, test_stats__false_discovery);
           tcase_add_test(tc, test_stats__quantile_shift_covers);
           tcase_add_test(tc, test_stats__quantile_shift_at_the_edges);
           tcase_add_test(tc, test_stats__ratio_interval_covers);
           tcase_add_test(tc, test_stats__quantiles_need_values);
           tcase_add_test(tc, test_stats__power_of_the_gate);
           tcase_add_test(tc, test_stats__trials_of_the_gate);
           tcase_add_test(tc, test_stats__trials_until_narrow);
           tcase_add_test(tc, test_stats__clopper_pearson);
           tcase_add_test(tc, test_stats__clopper_pearson_converges_everywhere);
           tcase_add_test(tc, test_stats__always_valid); tcase_add_test(tc, test_stats__tail_half);
           tcase_add_test(tc, test_stats__tango); tcase_add_test(tc, test_stats__newcombe);
           tcase_add_test(tc, test_stats__fisher); tcase_add_test(tc, test_stats__discrete_holm);
           tcase_add_test(tc, test_stats__discrete_holm_of_other_kinds);
           tcase_add_test(tc, test_stats__quantile_ranks);
           tcase_add_test(tc, test_stats__quantiles_are_values_that_occurred);
           tcase_add_test(tc, test_stats__mann_whitney);
           tcase_add_test(tc, test_stats__mann_whitney_normal_is_near_exact);
           tcase_add_test(tc, test_stats__needs_pairs);
           tcase_add_test(tc, test_stats__needs_trials);
           tcase_add_test(tc, test_stats__needs_ratios);
           tcase_add_test(tc, test_stats__discrete_holm_keeps_its_alpha);
           tcase_add_test(tc, test_stats__floor);)
