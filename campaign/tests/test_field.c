/* Rates and field profiles as a campaign has them: what they stand for, what is refused. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "campaign/plan.h"
#include "faults/field_profiles.h"
#include "scripts/check_main.h"

#define YEAR_NS (8760 * UINT64_C(3600000000000))

static char *errors;
static size_t errors_bytes;

/* The plan of a campaign with this fault plan; NULL: refused, and `errors` says why. */
static struct plan *load(const char *fault)
{
    char text[1024];
    (void)snprintf(text, sizeof(text),
                   "campaign: c\nvariants: {v: {stack: loris, raid: 1}}\nworkloads: {w: {app: "
                   "fsx}}\nfaults: {f: %s}\n",
                   fault);
    free(errors);
    FILE *to = open_memstream(&errors, &errors_bytes);
    struct plan_request request = {.path = "t.yaml"};
    struct plan *plan = plan_load_text(text, &request, to);
    (void)fclose(to);
    return plan;
}

static void refused(const char *fault, const char *why)
{
    struct plan *plan = load(fault);
    ck_assert_msg(plan == NULL, "taken: %s", fault);
    ck_assert_msg(strstr(errors, why) != NULL, "%s\nsays: %s", fault, errors);
}

START_TEST(test_field__a_rate_is_an_exponential_time_between_strikes)
{
    struct plan *plan = load("[{kind: disk.fail-stop, at: {rate: 0.5/year, over: 30days}}]");
    ck_assert_ptr_nonnull(plan);
    const struct fault_when *at = &plan->faults[0].faults[0].at;
    ck_assert_int_eq(at->kind, FAULT_AT_RATE);
    ck_assert_int_eq(at->number.kind, AMOUNT_EXPONENTIAL);
    ck_assert_double_eq_tol(at->number.first, 2.0 * (double)YEAR_NS, 1);
    ck_assert_uint_eq(fault_plan_over_ns(&plan->faults[0]), 30 * (YEAR_NS / 365));
    plan_destroy(plan);
    plan = load("[{kind: disk.fail-stop, replace: 5h, at: {rate: {weibull: [1.12, 461386h]}, over: "
                "1year}}]");
    ck_assert_ptr_nonnull(plan);
    ck_assert_int_eq(plan->faults[0].faults[0].at.number.kind, AMOUNT_WEIBULL);
    ck_assert(plan->faults[0].faults[0].replaced);
    plan_destroy(plan);
}
END_TEST

START_TEST(test_field__bad_rates_are_refused)
{
    refused("[{kind: power.cut, at: {rate: 1/year}}]", "a rate has no `over`");
    refused("[{kind: power.cut, at: {rate: 1, over: 1year}}]", "4:");
    refused("[{kind: power.cut, at: {rate: {gamma: [1, 2h]}, over: 1year}}]",
            "unknown distribution `gamma`");
    refused("[{kind: power.cut, at: {rate: 90000/year, over: 1year}}]", "more than 1000 strikes");
    refused("[{kind: power.cut, at: {rate: 1/year, over: 1year}}, {kind: disk.fail-stop, at: "
            "{rate: 1/year, over: 2years}}]",
            "rates `over` different times");
    refused("[{kind: disk.fail-stop, for: 1h, replace: 2h}]", "exclude each other");
}
END_TEST

/* What is not built yet is refused by name, never left out. */
START_TEST(test_field__every_profile_stands_for_all_of_its_faults)
{
    uint32_t count = 0;
    const struct field_profile *table = field_profile_table(&count);
    ck_assert_uint_ge(count, 10);
    for (uint32_t k = 0; k < count; k++) {
        char text[256];
        (void)snprintf(text, sizeof(text), "[{profile: %s, over: 1year%s}]", table[k].name,
                       table[k].on_layer ? ", layer: cache" : "");
        struct plan *plan = load(text);
        if (plan == NULL) {
            ck_assert_msg(strstr(errors, "not available yet") != NULL, "%s", errors);
            continue;
        }
        ck_assert_uint_eq(plan->faults[0].count, table[k].count);
        for (uint32_t i = 0; i < table[k].count; i++) {
            ck_assert_int_eq(plan->faults[0].faults[i].at.kind, FAULT_AT_RATE);
            ck_assert_uint_gt(strlen(table[k].faults[i].source), 8);
            ck_assert_uint_ge(strlen(table[k].faults[i].status), 4);
        }
        plan_destroy(plan);
    }
}
END_TEST

/* 1800 machines: in the quotation one power unit takes 500 to 1000 of them, the chance that all
 * overheat is one half, and 1000 fail by themselves. */
START_TEST(test_field__a_clusters_first_year_is_as_quoted)
{
    struct plan *plan = load("[{profile: datacenter-2008, over: 1year}]");
    ck_assert_ptr_nonnull(plan);
    const struct fault *f = plan->faults[0].faults;
    ck_assert_double_eq_tol(f[0].at.per_year * 1800, 750, 1);
    ck_assert_double_eq_tol(f[1].at.per_year, 0.5, 1e-9);
    ck_assert_double_eq_tol(f[2].at.per_year * 1800, 1000, 1);
    ck_assert_int_eq(f[3].kind, FAULT_DISK_FAIL_STOP);
    ck_assert_double_eq_tol(1 - exp(-f[3].at.per_year), 0.03, 1e-4);
    plan_destroy(plan);
}
END_TEST

START_TEST(test_field__bad_profiles_are_refused)
{
    refused("[{profile: datacenter-2007, over: 1year}]", "did you mean `datacenter-2008`");
    refused("[{profile: datacenter-2008}]", "a field profile has no `over`");
    refused("[{profile: datacenter-2008, over: 1yeer}]", "4:");
    refused("[{profile: datacenter-2008, over: 1year, layer: cache}]", "unknown key `layer`");
    refused("[{profile: bugs-crash-hang, over: 1year}]", "a field profile has no `layer`");
    refused("[{profile: bugs-crash-hang, over: 1year, layer: cahce}]", "unknown layer `cahce`");
    refused("[{profile: datacenter-2008, over: \"1year}, disk: {\"}]", "`over` is a time");
    refused("[{profile: datacenter-2008, over: \"'1year\"}]", "`over` is a time");
    refused("[{profile: datacenter-2008, over: \"|\"}]", "`over` is a time");
    refused("[{profile: datacenter-2008, over: \"- 1year\"}]", "`over` is a time");
    refused("[{profile: bugs-crash-hang, over: 1year, layer: '\"'}]", "`layer` a name");
    refused("[{profile: [datacenter-2008], over: 1year}]", "single value is wanted");
}
END_TEST

CHECK_MAIN("field", 60,
           tcase_add_test(tc, test_field__a_rate_is_an_exponential_time_between_strikes);
           tcase_add_test(tc, test_field__bad_rates_are_refused);
           tcase_add_test(tc, test_field__every_profile_stands_for_all_of_its_faults);
           tcase_add_test(tc, test_field__a_clusters_first_year_is_as_quoted);
           tcase_add_test(tc, test_field__bad_profiles_are_refused);)
