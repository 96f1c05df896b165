/* Values that no trial can use: refused where they stand, swept ones and those they replace too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "campaign/plan.h"
#include "scripts/check_main.h"

#define TOP "campaign: c\n"
#define REST "variants: {v: {stack: loris}}\nworkloads: {w: {app: fsx}}\nfaults: {f: []}\n"
#define THINK(amount)                                                                              \
    TOP "variants: {v: {stack: loris}}\nfaults: {f: []}\nworkloads: {w: {app: fsx, think: " amount \
        "}}\n"

static char *errors;
static size_t errors_bytes;

static struct plan *load(const char *text)
{
    free(errors);
    FILE *to = open_memstream(&errors, &errors_bytes);
    struct plan_request request = {.path = "t.yaml"};
    struct plan *plan = plan_load_text(text, &request, to);
    (void)fclose(to);
    return plan;
}

/* Refused, by exactly these lines. */
static void refused(const char *text, const char *lines)
{
    struct plan *plan = load(text);
    ck_assert_msg(plan == NULL, "taken: %s", text);
    ck_assert_str_eq(errors, lines);
}

static struct plan *taken(const char *text)
{
    struct plan *plan = load(text);
    ck_assert_msg(plan != NULL, "%s\nsays: %s", text, errors);
    return plan;
}

START_TEST(test_bad_values__distributions_have_bounds)
{
    refused(THINK("{lognormal: [400, 1]}"),
            "t.yaml:4:47: `400` is out of range for mu (the median is e^mu ns); 0 to 42.98 is "
            "allowed\n");
    refused(THINK("{lognormal: [-2, 1]}"),
            "t.yaml:4:47: `-2` is out of range for mu (the median is e^mu ns); 0 to 42.98 is "
            "allowed\n");
    refused(THINK("{lognormal: [16, 11]}"),
            "t.yaml:4:51: `11` is out of range for sigma; 0 to 10 is allowed\n");
    refused(THINK("{weibull: [1000, 0.5us]}"),
            "t.yaml:4:45: `1000` is out of range for the shape; 0.1 to 100 is allowed\n");
    refused(THINK("{weibull: [0.01, 5ms]}"),
            "t.yaml:4:45: `0.01` is out of range for the shape; 0.1 to 100 is allowed\n");
    static const char *const good[] = {THINK("{lognormal: [16.8, 1]}"),
                                       THINK("{weibull: [1, 5ms]}"), THINK("{exponential: 20ms}")};
    for (size_t k = 0; k < sizeof(good) / sizeof(good[0]); k++)
        plan_destroy(taken(good[k]));
}
END_TEST

START_TEST(test_bad_values__a_mean_below_the_least_value_is_refused)
{
    static const char text[] =
        TOP "variants: {v: {stack: loris}}\nfaults: {f: []}\nworkloads: {w: {app: postmark, size: "
            "{exponential: 9000000TiB}}}\n";
    ck_assert_ptr_null(load(text));
    ck_assert_msg(strncmp(errors, "t.yaml:4:52: ", 13) == 0, "%s", errors);
}
END_TEST

START_TEST(test_bad_values__what_a_sweep_replaces_is_checked_too)
{
    refused(TOP "workloads: {w: {app: fsx}}\nfaults: {f: []}\n"
                "variants:\n  v: {stack: loris, checkpoint: 10}\n"
                "sweep: {checkpoint: [1s, 5s]}\n",
            "t.yaml:5:33: `10` has no unit; a time is a number and a unit, as 5s or 250us (ns us "
            "ms s min h day week year)\n");
    refused(TOP "variants: {v: {stack: loris}}\nfaults: {f: []}\n"
                "workloads:\n  w: {app: fsx, operations: many}\n"
                "sweep: {workloads.w.operations: [10, 20]}\n",
            "t.yaml:5:29: `many` is not a whole number; digits 0-9 are allowed\n");
    refused(TOP "variants: {v: {stack: loris}}\nworkloads: {w: {app: fsx}}\n"
                "faults:\n  f: [{kind: disk.bit-rot, disk: 0, at: uniform, count: x}]\n"
                "sweep: {faults.f.count: [1, 2]}\n",
            "t.yaml:5:57: `x` is not a whole number; digits 0-9 are allowed\n");
    refused(TOP REST "machine: {memory: 64}\nsweep: {machine.memory: [64MiB, 128MiB]}\n",
            "t.yaml:5:19: `64` has no unit; a size is a number and a unit, as 64MiB (B KiB MiB GiB "
            "TiB)\n");
}
END_TEST

/* An entry that is whole only by its sweep is no error, nor what two replaced values make. */
START_TEST(test_bad_values__a_base_may_be_what_no_cell_is)
{
    struct plan *plan = taken(TOP "workloads: {w: {app: fsx}}\nfaults: {f: []}\n"
                                  "variants: {v: {stack: loris, raid: 1}}\n"
                                  "machine: {disks: {count: 1}}\n"
                                  "sweep: {machine.disks.count: [2, 3]}\n");
    ck_assert_uint_eq(plan->variant_count, 2);
    plan_destroy(plan);
}
END_TEST

static double alpha_of(const char *alpha)
{
    char text[400];
    (void)snprintf(text, sizeof(text), TOP REST "compare: {alpha: %s}\n", alpha);
    struct plan *plan = taken(text);
    double value = plan->compare.alpha;
    plan_destroy(plan);
    return value;
}

START_TEST(test_bad_values__shares_are_written_as_on_the_command_line)
{
    ck_assert(alpha_of("5%") == 0.05);
    ck_assert(alpha_of("0.05") == 0.05);
    ck_assert(alpha_of("0.01") == 0.01);
    refused(TOP REST "compare: {alpha: 5}\n", "t.yaml:5:18: `5` is beyond 1; as 5% or 0.05\n");
    refused(
        TOP REST "compare: {alpha: 0.7}\n",
        "t.yaml:5:18: `alpha` is out of range; more than 0% and less than 50%, as 5% or 0.05\n");
    refused(TOP REST "compare: {margin: 0%}\n",
            "t.yaml:5:19: `margin` is out of range; more than 0% and less than 100%, as 1%\n");
}
END_TEST

CHECK_MAIN("bad values", 60, tcase_add_test(tc, test_bad_values__distributions_have_bounds);
           tcase_add_test(tc, test_bad_values__a_mean_below_the_least_value_is_refused);
           tcase_add_test(tc, test_bad_values__what_a_sweep_replaces_is_checked_too);
           tcase_add_test(tc, test_bad_values__a_base_may_be_what_no_cell_is);
           tcase_add_test(tc, test_bad_values__shares_are_written_as_on_the_command_line);)
