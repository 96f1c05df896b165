/* Regions: clearing, and that strict mode closes what is not entered. */
#include <signal.h>
#include <string.h>

#include "scripts/check_main.h"
#include "sim/crash.h"
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

static bool touch(void *context, uint64_t address)
{
    return sim_regions_touch(context, address);
}

static uint32_t open_pages(void)
{
    uint32_t count = 0;
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* the handler wrote them */
    for (uint32_t word = 0; word < SIM_REGION_WATCHED_PAGES / 64; word++)
        count += (uint32_t)__builtin_popcountll(regions.region[0].touched[word]);
    return count;
}

START_TEST(test_region__of_a_watched_region_what_was_touched_is_zero_after_clear)
{
    sim_crash_install();
    sim_crash_mend_by(touch, &regions);
    regions.watches = true;
    volatile uint8_t *base = sim_regions_map(&regions, 0, true);
    const size_t at[] = {5, SIM_STACK_BYTES, SIM_REGION_WATCHED_BYTES - 1,
                         SIM_REGION_WATCHED_BYTES};
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 4; i++)
            base[at[i]] = 0xaa;
        ck_assert_uint_eq(open_pages(), 3); /* what lies behind is not watched */
        sim_regions_mark(&regions, 0, 0, SIM_REGION_WATCHED_BYTES + 1);
        sim_regions_clear(&regions, 0);
        for (uint32_t i = 0; i < 4; i++)
            ck_assert_uint_eq(base[at[i]], 0);
    }
    ck_assert(!sim_regions_touch(&regions, (uint64_t)(uintptr_t)base)); /* a fault like any */
    ck_assert(!sim_regions_touch(&regions, sim_plan_base(1)));
    sim_crash_mend_by(NULL, NULL);
}
END_TEST

START_TEST(test_region__strict_mode_ends_the_watch_and_all_is_cleared)
{
    regions.watches = true;
    uint8_t *base = sim_regions_map(&regions, 0, true);
    sim_regions_strict(&regions, true);
    sim_regions_open(&regions, 0);
    memset(base, 0xaa, SIM_STACK_BYTES + 5000);
    sim_regions_mark(&regions, 0, 0, SIM_STACK_BYTES + 5000);
    sim_regions_strict(&regions, false);
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

CHECK_MAIN(
    "region", 60, tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_region__lies_at_its_planned_address_and_is_zero);
    tcase_add_test(tc, test_region__clear_zeroes_the_stack_and_up_to_the_mark);
    tcase_add_test(tc, test_region__of_a_watched_region_what_was_touched_is_zero_after_clear);
    tcase_add_test(tc, test_region__strict_mode_ends_the_watch_and_all_is_cleared); tcase_add_test(
        tc, test_region__a_survivor_is_zero_after_clear_where_marked_and_beyond_its_last_mark);
    tcase_add_test(tc, test_region__strict_mode_opens_what_is_entered);
    tcase_add_test_raise_signal(tc, test_region__strict_mode_closes_the_others, SIGSEGV);)
