/* Survival: the textbook's data (remission of leukaemia, weeks), and what is at the edges. */
#include "results/stats_survival.h"

#include <math.h>

#include "scripts/check_main.h"

/* 6-MP of Freireich et al. 1963, and its placebo group, in which all relapsed. */
static struct survival_time treated[] = {
    {6, false},  {6, false},  {6, false},  {6, true},   {7, false}, {9, true},  {10, false},
    {10, true},  {11, true},  {13, false}, {16, false}, {17, true}, {19, true}, {20, true},
    {22, false}, {23, false}, {25, true},  {32, true},  {32, true}, {34, true}, {35, true}};
static struct survival_time placebo[] = {
    {1, false},  {1, false},  {2, false},  {2, false},  {3, false},  {4, false},  {4, false},
    {5, false},  {5, false},  {8, false},  {8, false},  {8, false},  {8, false},  {11, false},
    {11, false}, {12, false}, {12, false}, {15, false}, {17, false}, {22, false}, {23, false}};
#define COUNT(x) (sizeof(x) / sizeof((x)[0]))

START_TEST(test_stats_survival__kaplan_meier_is_the_textbooks)
{
    static const struct {
        double time, survival, se;
    } want[] = {{6, .857143, .076360},  {7, .806723, .086935},  {10, .752941, .096350},
                {13, .690196, .106815}, {16, .627451, .114054}, {22, .537815, .128234},
                {23, .448179, .134591}};
    struct survival_step steps[COUNT(treated)];
    stats_survival_sort(treated, COUNT(treated));
    ck_assert_uint_eq(stats_survival(treated, COUNT(treated), 0.05, steps), COUNT(want));
    for (size_t k = 0; k < COUNT(want); k++) {
        ck_assert_double_eq(steps[k].time, want[k].time);
        ck_assert_double_eq_tol(steps[k].survival, want[k].survival, 1e-6);
        ck_assert_double_eq_tol(steps[k].se, want[k].se, 1e-6);
    }
    ck_assert_double_eq_tol(steps[0].interval.low, .619718, 1e-6);
    ck_assert_double_eq_tol(steps[0].interval.high, .951552, 1e-6);
    ck_assert_double_eq_tol(steps[6].interval.low, .188052, 1e-6);
    ck_assert_double_eq_tol(steps[6].interval.high, .680143, 1e-6);
    ck_assert_uint_eq(steps[0].at_risk, 21);
    ck_assert_uint_eq(steps[0].events, 3);
    ck_assert_uint_eq(stats_survival_at_risk(treated, COUNT(treated), 10), 15);
}
END_TEST

START_TEST(test_stats_survival__log_rank_is_the_textbooks)
{
    stats_survival_sort(treated, COUNT(treated));
    struct log_rank r = stats_log_rank(treated, COUNT(treated), placebo, COUNT(placebo));
    ck_assert_double_eq(r.observed, 9);
    ck_assert_double_eq_tol(r.expected, 19.250501, 1e-6);
    ck_assert_double_eq_tol(r.variance, 6.256961, 1e-6);
    ck_assert_double_eq_tol(r.chi2, 16.792941, 1e-6);
    ck_assert_double_eq_tol(r.p, 4.16881e-5, 1e-10);
    struct log_rank other = stats_log_rank(placebo, COUNT(placebo), treated, COUNT(treated));
    ck_assert_double_eq_tol(other.chi2, r.chi2, 1e-9);
    ck_assert_double_eq(other.observed, 21);
}
END_TEST

START_TEST(test_stats_survival__the_interval_of_a_rate_is_garwoods)
{
    struct interval i = stats_rate_interval(5, 1000, 0.05);
    ck_assert_double_eq_tol(i.low, 0.0016234864, 1e-10);
    ck_assert_double_eq_tol(i.high, 0.0116683321, 1e-10);
    i = stats_rate_interval(0, 1000, 0.05);
    ck_assert_double_eq(i.low, 0);
    ck_assert_double_eq_tol(i.high, 3.688879e-3, 1e-9);
}
END_TEST

START_TEST(test_stats_survival__edges_are_numbers)
{
    struct survival_time all[] = {{1, false}, {2, true}, {2, false}}, none[] = {{3, true}};
    struct survival_step steps[3];
    stats_survival_sort(all, 3);
    ck_assert(!all[1].censored); /* who ends with an event was at risk of it */
    ck_assert_uint_eq(stats_survival(NULL, 0, 0.05, NULL), 0);
    ck_assert_uint_eq(stats_survival(none, 1, 0.05, steps), 0);
    ck_assert_uint_eq(stats_survival(all, 3, 0.05, steps), 2);
    ck_assert_double_eq_tol(steps[1].survival, 1.0 / 3, 1e-12);
    struct survival_time last[] = {{1, false}};
    ck_assert_uint_eq(stats_survival(last, 1, 0.05, steps), 1);
    ck_assert_double_eq(steps[0].survival, 0);
    ck_assert_double_eq(steps[0].interval.low, 0);
    ck_assert_double_eq(steps[0].interval.high, 1);
    ck_assert_double_eq(stats_log_rank(none, 1, none, 1).p, 1);
    ck_assert_double_eq(stats_log_rank(NULL, 0, NULL, 0).p, 1);
}
END_TEST

CHECK_MAIN("stats_survival", 60,
           tcase_add_test(tc, test_stats_survival__kaplan_meier_is_the_textbooks);
           tcase_add_test(tc, test_stats_survival__log_rank_is_the_textbooks);
           tcase_add_test(tc, test_stats_survival__the_interval_of_a_rate_is_garwoods);
           tcase_add_test(tc, test_stats_survival__edges_are_numbers);)
