/* Regions: clearing, and that strict mode closes what is not entered. */
#include <signal.h>
#include <string.h>

#include "scripts/check_main.h"
#include "sim/region.h"

static struct sim_regions regions;

static void setup(void)
{
    sim_regions_init(&regions);
}

static void teardown(void)
{
    sim_regions_fini(&regions);
}

START_TEST(test_region__lies_at_its_planned_address_and_is_zero)
{
    for (uint32_t i = 0; i < SIM_REGIONS_MAX; i++) {
        uint8_t *base = sim_regions_map(&regions, i, true);
        ck_assert_uint_eq((uint64_t)(uintptr_t)base, sim_plan_base(i));
        ck_assert_uint_eq(base[0], 0);
        ck_assert_uint_eq(base[SIM_REGION_BYTES - 1], 0);
        ck_assert_ptr_eq(sim_regions_map(&regions, i, true), base);
    }
}
END_TEST

START_TEST(test_region__clear_zeroes_the_stack_and_up_to_the_mark)
{
    uint8_t *base = sim_regions_map(&regions, 0, true);
    memset(base, 0xaa, SIM_STACK_BYTES + 5000);
    sim_regions_mark(&regions, 0, 0, SIM_STACK_BYTES + 5000);
    sim_regions_clear(&regions, 0);
    for (size_t i = 0; i < SIM_STACK_BYTES + 5000; i++)
        ck_assert_uint_eq(base[i], 0);
}
END_TEST

START_TEST(test_region__a_survivor_is_zero_after_clear_where_marked_and_beyond_its_last_mark)
{
    uint8_t *base = sim_regions_map(&regions, 1, false);
    memset(base + 5000, 0xaa, 7);
    memset(base + (3 << 20) - 1, 0xaa, 2);
    memset(base + (5 << 20), 0xaa, 4 << 20);
    sim_regions_mark(&regions, 1, 5000, 7);
    sim_regions_mark(&regions, 1, (3 << 20) - 1, 2);
    sim_regions_mark(&regions, 1, 5 << 20, 1 << 20);
    sim_regions_clear(&regions, 1);
    for (size_t i = 0; i < 9 << 20; i++)
        ck_assert_uint_eq(base[i], 0);
}
END_TEST

START_TEST(test_region__strict_mode_opens_what_is_entered)
{
    for (uint32_t i = 0; i < 4; i++)
        sim_regions_map(&regions, i, true);
    sim_regions_strict(&regions, true);
    sim_regions_enter(&regions, 1, 2);
    regions.region[1].base[0] = 1;
    regions.region[2].base[0] = 1;
    sim_regions_open(&regions, 3);
    regions.region[3].base[0] = 1;
    sim_regions_enter(&regions, 1, UINT32_MAX);
    ck_assert_uint_eq(regions.region[1].base[0], 1);
    ck_assert_uint_eq(regions.open_count, 1);
    sim_regions_strict(&regions, false);
    ck_assert_uint_eq(regions.region[3].base[0], 1);
    ck_assert_uint_eq(regions.region[0].base[0], 0);
}
END_TEST

START_TEST(test_region__strict_mode_closes_the_others)
{
    for (uint32_t i = 0; i < 4; i++)
        sim_regions_map(&regions, i, true);
    sim_regions_strict(&regions, true);
    sim_regions_enter(&regions, 0, 1);
    sim_regions_enter(&regions, 1, UINT32_MAX);
    *(volatile uint8_t *)regions.region[0].base = 1; /* ends in SIGSEGV */
}
END_TEST

CHECK_MAIN("region", 60, tcase_add_checked_fixture(tc, setup, teardown);
           tcase_add_test(tc, test_region__lies_at_its_planned_address_and_is_zero);
           tcase_add_test(tc, test_region__clear_zeroes_the_stack_and_up_to_the_mark);
           tcase_add_test(
               tc,
               test_region__a_survivor_is_zero_after_clear_where_marked_and_beyond_its_last_mark);
           tcase_add_test(tc, test_region__strict_mode_opens_what_is_entered);
           tcase_add_test_raise_signal(tc, test_region__strict_mode_closes_the_others, SIGSEGV);)
