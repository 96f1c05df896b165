/* Rare losses: closed forms to their published digits, and biased simulation against them. */
#include "results/stats_rare.h"

#include <gsl/gsl_rng.h>
#include <math.h>

#include "scripts/check_main.h"

#define LAMBDA 1e-5
#define MU 0.1

static gsl_rng *rng;

static void setup(void)
{
    rng = gsl_rng_alloc(gsl_rng_mt19937);
    gsl_rng_set(rng, 20260);
}

static void teardown(void)
{
    gsl_rng_free(rng);
}

static double draw(void *object)
{
    (void)object;
    return gsl_rng_uniform(rng);
}

static struct disk_group group(uint32_t disks, uint32_t borne, bool parallel)
{
    return (struct disk_group){disks, borne, LAMBDA, MU, parallel};
}

static void is(double got, double want)
{
    ck_assert_msg(fabs(got / want - 1) < 1e-9, "%.12g, not %.12g", got, want);
}

START_TEST(test_stats_rare__closed_forms_are_the_published_ones)
{
    struct disk_group g = group(8, 0, false);
    is(stats_mttdl(&g), 12500);
    g = group(2, 1, false);
    is(stats_mttdl(&g), 500150000);
    g = group(8, 1, false);
    is(stats_mttdl(&g), 17883928.571428571);
    g = group(8, 2, false);
    ck_assert_double_eq_tol(stats_mttdl(&g), 29803614880.952, 0.001);
    g = group(8, 2, true);
    ck_assert_double_eq_tol(stats_mttdl(&g), 59589329166.667, 0.001);
    g = group(8, 1, false);
    ck_assert_double_eq_tol(stats_mttdl_unreadable(&g, .893541), 13999.294, 0.01);
    ck_assert_double_eq_tol(stats_mttdl_unreadable(&g, .200685), 62163.311, 0.1);
    ck_assert_double_eq_tol(stats_mttdl_unreadable(&g, .0221510), 547842.960, 2);
    is(stats_mttdl_unreadable(&g, 0), stats_mttdl(&g));
    g = (struct disk_group){8, 1, 1e-6, 1.0 / 24, false};
    ck_assert_double_eq_tol(stats_mttdl(&g), 744315476.19, 0.01);
    ck_assert_double_eq_tol(stats_mttdl(&g) / 8760, 84967.52, 0.005); /* years */
}
END_TEST

/* By the matrix exponential, computed elsewhere; and of a time so short that nothing is repaired.
 */
START_TEST(test_stats_rare__losses_by_a_time_are_the_published_ones)
{
    static const struct {
        struct disk_group group;
        double time, mttdl, probability, tolerance;
    } rows[] = {{{5, 1, 1e-3, .1, false}, 1000, 5450, 0.16648675, 6e-9},
                {{6, 2, 1e-3, .1, false}, 1000, 92283.333, 0.010571723, 6e-10},
                {{2, 1, 1e-3, .1, false}, 1000, 51500, 0.019048764, 6e-10},
                {{8, 1, 1e-5, .1, false}, 87600, 17883928.571, 0.0048857229, 6e-11}};
    for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
        ck_assert_double_eq_tol(stats_mttdl(&rows[k].group), rows[k].mttdl, 0.001);
        double got = stats_loss_by(&rows[k].group, rows[k].time);
        ck_assert_msg(fabs(got - rows[k].probability) <= rows[k].tolerance, "%.12g", got);
    }
    struct disk_group g = group(4, 0, false);
    is(stats_loss_by(&g, 1e5), -expm1(-4.0)); /* one step: exponential */
    ck_assert_double_eq(stats_loss_by(&g, 0), 0);
    g = group(8, 1, false);
    is(stats_loss_by(&g, 1e-9), 28 * pow(LAMBDA * 1e-9, 2)); /* two of eight */
    double always = stats_loss_by(&g, 1e12);
    ck_assert(always > 1 - 1e-9 && always <= 1);
}
END_TEST

START_TEST(test_stats_rare__the_weight_of_a_biased_death_is_the_published_one)
{
    struct disk_group g = group(8, 1, false);
    double true_probability = stats_biased_weight(&g, 1) / 2;
    ck_assert_double_eq_tol(true_probability, 6.995103e-4, 1e-10);
    ck_assert_double_eq_tol(stats_biased_weight(&g, 1), 0.001399020686, 1e-12);
    /* Of the variance of plain simulation, p (1 - p), with p^2 for the biased one. */
    ck_assert_double_eq_tol((1 - true_probability) / true_probability, 1428.571, 0.001);
}
END_TEST

START_TEST(test_stats_rare__estimates_are_within_their_errors_of_the_closed_form)
{
    static const struct {
        uint32_t borne;
        bool parallel;
        uint64_t cycles;
        double error;
    } cases[] = {{1, false, 10000, .015}, {1, false, 100000, .0043}, {2, true, 20000, .013}};
    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        struct disk_group g = group(8, cases[k].borne, cases[k].parallel);
        struct rare_loss r = stats_rare_loss(&g, cases[k].cycles, 0.05, draw, NULL);
        ck_assert(stats_rare_is_sound(&r));
        ck_assert_double_eq_tol(r.mttdl / stats_mttdl(&g), 1, 4 * r.relative_error);
        ck_assert_double_eq_tol(r.relative_error, cases[k].error, 0.25 * cases[k].error);
    }
    struct disk_group g = group(8, 1, false);
    struct rare_loss r = stats_rare_loss(&g, 10000, 0.05, draw, NULL);
    ck_assert_double_eq_tol(r.effective, 0.5, 0.03);
}
END_TEST

START_TEST(test_stats_rare__intervals_cover_and_errors_stay_flat)
{
    struct disk_group g = group(8, 1, false);
    double truth = stats_mttdl(&g);
    unsigned covered = 0;
    for (unsigned k = 0; k < 400; k++) {
        struct rare_loss r = stats_rare_loss(&g, 1000, 0.05, draw, NULL);
        covered += r.interval.low <= truth && truth <= r.interval.high;
    }
    ck_assert_uint_ge(covered, 366); /* 95 % of 400 less three standard errors */
    struct disk_group rarer = g;
    rarer.lambda /= 1e4;
    struct rare_loss a = stats_rare_loss(&g, 10000, 0.05, draw, NULL);
    struct rare_loss b = stats_rare_loss(&rarer, 10000, 0.05, draw, NULL);
    ck_assert_double_eq_tol(b.relative_error / a.relative_error, 1, 0.1);
    ck_assert_double_eq_tol(b.mttdl / stats_mttdl(&rarer), 1, 4 * b.relative_error);
}
END_TEST

START_TEST(test_stats_rare__too_few_losses_are_not_sound)
{
    struct disk_group g = group(8, 2, true);
    struct rare_loss r = stats_rare_loss(&g, 40, 0.05, draw, NULL);
    ck_assert(!stats_rare_is_sound(&r));
    g = group(2, 0, false); /* none is borne: each cycle is a loss, and none is rare */
    r = stats_rare_loss(&g, 1000, 0.05, draw, NULL);
    ck_assert_uint_eq(r.losses, 1000);
    ck_assert_double_eq_tol(r.mttdl * 2 * LAMBDA, 1, 0.15);
}
END_TEST

CHECK_MAIN("stats_rare", 120, tcase_add_checked_fixture(tc, setup, teardown);
           tcase_add_test(tc, test_stats_rare__closed_forms_are_the_published_ones);
           tcase_add_test(tc, test_stats_rare__losses_by_a_time_are_the_published_ones);
           tcase_add_test(tc, test_stats_rare__the_weight_of_a_biased_death_is_the_published_one);
           tcase_add_test(tc,
                          test_stats_rare__estimates_are_within_their_errors_of_the_closed_form);
           tcase_add_test(tc, test_stats_rare__intervals_cover_and_errors_stay_flat);
           tcase_add_test(tc, test_stats_rare__too_few_losses_are_not_sound);)
