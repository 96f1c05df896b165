/* Every value of every profile has a source; overrides by name are read with their units. */
#include "sim/profiles.h"

#include <string.h>

#include "scripts/check_main.h"

START_TEST(test_profiles__the_promised_ones_exist_and_are_sound)
{
    static const char *const promised[] = {"hdd-7200", "hdd-15k", "ssd-sata", "nvme"};
    for (uint32_t i = 0; i < 4; i++)
        ck_assert_str_eq(sim_profile_name(i), promised[i]);
    uint32_t count = 0;
    for (; sim_profile_name(count) != NULL; count++) {
        struct sim_params params;
        enum sim_param bad;
        ck_assert_int_eq(sim_profile_load(sim_profile_name(count), &params), OK);
        ck_assert_msg(sim_params_check(&params, &bad) == OK, "%s", sim_profile_name(count));
        ck_assert_uint_gt(strlen(sim_profile_title(count)), 10);
    }
    ck_assert_uint_ge(count, 4);
    struct sim_params params;
    ck_assert_int_eq(sim_profile_load("floppy", &params), E_NOENT);
}
END_TEST

START_TEST(test_profiles__each_value_has_source_status_and_year)
{
    static const char *const statuses[] = {"SEEN", "SEEN*", "RECALLED", "DERIVED", "ASSUMED"};
    for (uint32_t i = 0; sim_profile_name(i) != NULL; i++)
        for (uint32_t p = 0; p < SIM_PARAM_COUNT; p++) {
            struct sim_param_info info;
            if (!sim_profile_info(i, (enum sim_param)p, &info))
                continue;
            ck_assert_str_eq(info.name, sim_param_name((enum sim_param)p));
            ck_assert_uint_gt(strlen(info.source), 3);
            ck_assert_int_gt(info.year, 1980);
            bool known = false;
            for (uint32_t s = 0; s < 5; s++)
                known = known || strcmp(statuses[s], info.status) == 0;
            ck_assert_msg(known, "%s %s", info.name, info.status);
            ck_assert_int_eq(info.word != NULL, strcmp(info.unit, "word") == 0);
        }
}
END_TEST

START_TEST(test_profiles__a_parameter_of_the_other_kind_is_not_shown)
{
    struct sim_param_info info;
    ck_assert(!sim_profile_info(3, SIM_PARAM_RPM, &info));
    ck_assert(!sim_profile_info(0, SIM_PARAM_CHANNELS, &info));
    ck_assert(sim_profile_info(0, SIM_PARAM_RPM, &info));
    ck_assert_int_eq(info.value, 7200);
}
END_TEST

static struct {
    const char *name, *text;
    enum err want;
    enum sim_param param;
    int64_t value;
} const overrides[] = {
    {"write-cache", "off", OK, SIM_PARAM_WRITE_CACHE, SIM_CACHE_OFF},
    {"write-cache", "protected", OK, SIM_PARAM_WRITE_CACHE, SIM_CACHE_PROTECTED},
    {"write-cache", "ordered", OK, SIM_PARAM_WRITE_CACHE, SIM_CACHE_ORDERED},
    {"write-cache", "true", OK, SIM_PARAM_WRITE_CACHE, SIM_CACHE_ON},
    {"write-cache", "maybe", E_INVAL, SIM_PARAM_WRITE_CACHE, 0},
    {"kind", "true", E_INVAL, SIM_PARAM_KIND, 0},
    {"cache-size", "64MiB", OK, SIM_PARAM_CACHE_SIZE, 64 << 20},
    {"cache-size", "65536", OK, SIM_PARAM_CACHE_SIZE, 65536},
    {"cache-size", "-1", E_INVAL, SIM_PARAM_CACHE_SIZE, 0},
    {"seek-average", "8.5ms", OK, SIM_PARAM_SEEK_AVERAGE, 8500000},
    {"seek-average", "64MiB", E_INVAL, SIM_PARAM_SEEK_AVERAGE, 0},
    {"interface-rate", "600MiB/s", OK, SIM_PARAM_INTERFACE_RATE, 600 << 20},
    {"interface-rate", "fast", E_INVAL, SIM_PARAM_INTERFACE_RATE, 0},
    {"rpm", "5400", OK, SIM_PARAM_RPM, 5400},
    {"rpm", "0", E_INVAL, SIM_PARAM_RPM, 0},
    {"rpm", "5400x", E_INVAL, SIM_PARAM_RPM, 0},
    {"colour", "blue", E_NOENT, SIM_PARAM_COUNT, 0},
};

START_TEST(test_profiles__overrides_by_name)
{
    struct sim_params params, before;
    ck_assert_int_eq(sim_profile_load("hdd-7200", &params), OK);
    before = params;
    ck_assert_msg(sim_params_set(&params, overrides[_i].name, overrides[_i].text) ==
                      overrides[_i].want,
                  "%s: %s", overrides[_i].name, overrides[_i].text);
    if (overrides[_i].want == OK)
        ck_assert_int_eq(params.value[overrides[_i].param], overrides[_i].value);
    else
        ck_assert_mem_eq(&params, &before, sizeof(params));
}
END_TEST

START_TEST(test_profiles__sets_that_are_no_disk_are_refused)
{
    static const struct {
        const char *name;
        int64_t value;
        enum sim_param bad;
    } cases[] = {
        {"sector-size", 1024, SIM_PARAM_SECTOR_SIZE},
        {"cache-size", 0, SIM_PARAM_CACHE_SIZE},
        {"track-inner", 2000000, SIM_PARAM_TRACK_INNER},
        {"seek-track", 9000000, SIM_PARAM_SEEK_TRACK},
        {"seek-full", 1000000, SIM_PARAM_SEEK_AVERAGE},
    };
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sim_params params;
        enum sim_param bad = SIM_PARAM_COUNT;
        ck_assert_int_eq(sim_profile_load("hdd-7200", &params), OK);
        ck_assert_int_eq(sim_params_set_number(&params, cases[i].name, cases[i].value), OK);
        ck_assert_int_eq(sim_params_check(&params, &bad), E_INVAL);
        ck_assert_int_eq(bad, cases[i].bad);
    }
}
END_TEST

CHECK_MAIN("profiles", 30, tcase_add_test(tc, test_profiles__the_promised_ones_exist_and_are_sound);
           tcase_add_test(tc, test_profiles__each_value_has_source_status_and_year);
           tcase_add_test(tc, test_profiles__a_parameter_of_the_other_kind_is_not_shown);
           tcase_add_loop_test(tc, test_profiles__overrides_by_name, 0,
                               (int)(sizeof(overrides) / sizeof(overrides[0])));
           tcase_add_test(tc, test_profiles__sets_that_are_no_disk_are_refused);)
