#include "sim/option.h"

#include <string.h>

#include "scripts/check_main.h"

static char error[OPTION_ERROR_BYTES];

struct number_case {
    const char *text;
    int64_t value;     /* -1: must be refused */
    const char *words; /* of the message */
};

START_TEST(test_option__reads_times_with_units_and_nothing_else)
{
    static const struct number_case cases[] = {
        {"250us", 250000, NULL},
        {"5s", 5000000000, NULL},
        {"2.5s", 2500000000, NULL},
        {"2min", INT64_C(120000000000), NULL},
        {"3days", INT64_C(259200000000000), NULL},
        {"1year", INT64_C(31536000000000000), NULL},
        {"1ns", 1, NULL},
        {"0s", 0, NULL},
        {"5", -1, "has no unit"},
        {"5 s", -1, "did you mean `5s`?"},
        {"5sec", -1, "did you mean `5s`?"},
        {"5m", -1, "did you mean `5min`?"},
        {"0.5ns", -1, "no whole number of ns"},
        {"-5s", -1, "is negative"},
        {"s", -1, "not a number"},
        {"", -1, "not a number"},
        {"99999999999999999999s", -1, "too many digits"},
        {"1000years", -1, "too large"},
        {"1e3s", -1, "unknown unit"},
        {"0x10s", -1, "unknown unit"},
    };
    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        int64_t ns = -7;
        bool sound = option_parse_time(cases[k].text, &ns, error);
        ck_assert_msg(sound == (cases[k].value >= 0), "%s", cases[k].text);
        if (sound)
            ck_assert_int_eq(ns, cases[k].value);
        else
            ck_assert_msg(strstr(error, cases[k].words) != NULL, "%s: %s", cases[k].text, error);
    }
}
END_TEST

START_TEST(test_option__reads_sizes_with_binary_units_only)
{
    static const struct number_case cases[] = {
        {"512B", 512, NULL},
        {"8KiB", 8192, NULL},
        {"1.5MiB", 1572864, NULL},
        {"1TiB", INT64_C(1) << 40, NULL},
        {"64MB", -1, "did you mean `64MiB`?"},
        {"64", -1, "has no unit"},
        {"64mib", -1, "did you mean `64MiB`?"},
        {"5000000TiB", -1, "too large"},
    };
    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        int64_t bytes = -7;
        bool sound = option_parse_size(cases[k].text, &bytes, error);
        ck_assert_msg(sound == (cases[k].value >= 0), "%s", cases[k].text);
        if (sound)
            ck_assert_int_eq(bytes, cases[k].value);
        else
            ck_assert_msg(strstr(error, cases[k].words) != NULL, "%s: %s", cases[k].text, error);
    }
}
END_TEST

START_TEST(test_option__integers_are_decimal_up_to_the_largest_seed)
{
    int64_t value = 0;
    ck_assert(option_parse_integer("9223372036854775807", &value, error));
    ck_assert_int_eq(value, INT64_MAX);
    ck_assert(!option_parse_integer("9223372036854775808", &value, error));
    ck_assert(!option_parse_integer("010", &value, error));
    ck_assert_ptr_nonnull(strstr(error, "did you mean `10`?"));
    ck_assert(!option_parse_integer("000", &value, error));
    ck_assert_ptr_nonnull(strstr(error, "did you mean `0`?"));
    ck_assert(!option_parse_integer("0x10", &value, error));
    ck_assert(!option_parse_integer("-1", &value, error));
    ck_assert(!option_parse_integer("1_000", &value, error));
    ck_assert(option_parse_integer("0", &value, error));
    ck_assert_int_eq(value, 0);
}
END_TEST

START_TEST(test_option__shares_rates_and_switches)
{
    double real = 0;
    bool on = false;
    ck_assert(option_parse_percent("2.5%", &real, error));
    ck_assert_double_eq_tol(real, 0.025, 1e-12);
    ck_assert(!option_parse_percent("5", &real, error));
    ck_assert_ptr_nonnull(strstr(error, "did you mean `5%`?"));
    ck_assert(!option_parse_percent("101%", &real, error));
    ck_assert(option_parse_rate("0.03/year", &real, error));
    ck_assert_double_eq_tol(real, 0.03, 1e-12);
    ck_assert(option_parse_rate("1/h", &real, error));
    ck_assert_double_eq_tol(real, 8760, 1e-6);
    ck_assert(!option_parse_rate("1/fortnight", &real, error));
    ck_assert(option_parse_switch("on", &on, error) && on);
    ck_assert(option_parse_switch("false", &on, error) && !on);
    ck_assert(!option_parse_switch("yes", &on, error));
    ck_assert_ptr_nonnull(strstr(error, "did you mean `on`?"));
    ck_assert(!option_parse_switch("no", &on, error));
}
END_TEST

START_TEST(test_option__formats_what_it_reads)
{
    static const char *const times[] = {"1year", "3day", "90min", "1500us", "7ns", "0s"};
    static const char *const sizes[] = {"64MiB", "513B", "1TiB", "1536KiB"};
    char text[32];
    for (size_t k = 0; k < 6; k++) {
        int64_t ns = 0;
        ck_assert(option_parse_time(times[k], &ns, error));
        option_format_time(ns, text, sizeof(text));
        ck_assert_str_eq(text, times[k]);
    }
    for (size_t k = 0; k < 4; k++) {
        int64_t bytes = 0;
        ck_assert(option_parse_size(sizes[k], &bytes, error));
        option_format_size(bytes, text, sizeof(text));
        ck_assert_str_eq(text, sizes[k]);
    }
}
END_TEST

START_TEST(test_option__finds_what_was_meant)
{
    static const char *const names[] = {"loris", "fat", "ffs", "cow", "journal", "none"};
    ck_assert_str_eq(option_nearest("lorsi", names, 6), "loris");
    ck_assert_str_eq(option_nearest("jornal", names, 6), "journal");
    ck_assert_ptr_null(option_nearest("zzzzzz", names, 6));
    ck_assert_ptr_null(option_nearest("", names, 6));
}
END_TEST

START_TEST(test_option__refuses_what_is_not_built_yet_by_name)
{
    static const struct option_choice choices[] = {
        {"0", 0, false}, {"5", 5, true}, {NULL, 0, false}};
    static const struct option_spec raid = {
        .name = "raid", .type = OPTION_CHOICE, .choices = choices, .fallback = "0"};
    static const struct option_spec scrub = {
        .name = "scrub", .type = OPTION_TIME, .may_off = true, .off_only = true, .fallback = "off"};
    struct option_value value;
    ck_assert(option_parse(&raid, "0", &value, error));
    ck_assert(!option_parse(&raid, "5", &value, error));
    ck_assert_str_eq(error, "not available yet: `raid: 5`");
    ck_assert(!option_parse(&raid, "7", &value, error));
    ck_assert_ptr_nonnull(strstr(error, "0, 5 (not available yet)"));
    ck_assert(option_parse(&scrub, "off", &value, error));
    ck_assert(value.off);
    ck_assert(!option_parse(&scrub, "14days", &value, error));
    ck_assert_int_eq(strncmp(error, "not available yet", 17), 0);
}
END_TEST

START_TEST(test_amount__draws_both_ends_of_a_range_and_inverts_distributions)
{
    struct amount range;
    ck_assert(option_parse_amount(OPTION_SIZE, "1B..4B", &range, error));
    ck_assert_int_eq(amount_at(&range, 0), 1);
    ck_assert_int_eq(amount_at(&range, 0.999999), 4);
    ck_assert_int_eq(amount_at(&range, 0.5), 3);
    ck_assert(!option_parse_amount(OPTION_SIZE, "4B..1B", &range, error));
    struct amount exponential = {.kind = AMOUNT_EXPONENTIAL, .first = 1e9};
    ck_assert_int_eq(amount_at(&exponential, 0), 0);
    ck_assert_int_eq(amount_at(&exponential, 0.5), 693147181); /* mean x ln 2 */
    struct amount lognormal = {.kind = AMOUNT_LOGNORMAL, .first = 10, .second = 2};
    ck_assert_int_eq(amount_at(&lognormal, 0.5), 22026); /* e^10: the median */
    struct amount weibull = {.kind = AMOUNT_WEIBULL, .first = 1, .second = 1e9};
    ck_assert_int_eq(amount_at(&weibull, 0.5), 693147181); /* shape 1 is exponential */
    ck_assert_uint_eq(amount_share(0.9999999999999999, UINT64_MAX), UINT64_MAX - 2048);
}
END_TEST

CHECK_MAIN("option", 60, tcase_add_test(tc, test_option__reads_times_with_units_and_nothing_else);
           tcase_add_test(tc, test_option__reads_sizes_with_binary_units_only);
           tcase_add_test(tc, test_option__integers_are_decimal_up_to_the_largest_seed);
           tcase_add_test(tc, test_option__shares_rates_and_switches);
           tcase_add_test(tc, test_option__formats_what_it_reads);
           tcase_add_test(tc, test_option__finds_what_was_meant);
           tcase_add_test(tc, test_option__refuses_what_is_not_built_yet_by_name);
           tcase_add_test(tc, test_amount__draws_both_ends_of_a_range_and_inverts_distributions);)
