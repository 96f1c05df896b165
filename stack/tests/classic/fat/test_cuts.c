/*
 * Power cuts at every request of a script and at random ones, in the scan that follows too: what
 * was synced is there, and the volume is sound.
 */
#include "scripts/check_main.h"
#include "stack/tests/classic/cut_rig.h"
#include "stack/tests/classic/fat/fat_sound.h"

static struct cut_design design_of(uint32_t tables)
{
    return (struct cut_design){.program = fat_main,
                               .options = {.fat_tables = tables, .orphans_delete = tables == 1},
                               .expect_sound = fat_expect_sound};
}

START_TEST(test_cuts__a_cut_at_any_request_leaves_each_directory_once_and_all_sound)
{
    struct cut_design design = design_of(2);
    cut_at_every_request(&design);
}
END_TEST

START_TEST(test_cuts__a_directory_comes_over_an_empty_one_as_a_whole)
{
    struct cut_design design = design_of(1);
    cut_replacing(&design);
}
END_TEST

START_TEST(test_cuts__the_same_with_one_table)
{
    struct cut_design design = design_of(1);
    cut_at_every_request(&design);
}
END_TEST

START_TEST(test_cuts__what_was_synced_outlives_random_cuts)
{
    struct cut_design design = design_of(1 + (uint32_t)_i % 2);
    cut_at_random(&design, 177 + (uint64_t)_i, 40);
}
END_TEST

CHECK_MAIN("fat cuts", 120,
           tcase_add_test(tc,
                          test_cuts__a_cut_at_any_request_leaves_each_directory_once_and_all_sound);
           tcase_add_test(tc, test_cuts__a_directory_comes_over_an_empty_one_as_a_whole);
           tcase_add_test(tc, test_cuts__the_same_with_one_table);
           tcase_add_loop_test(tc, test_cuts__what_was_synced_outlives_random_cuts, 0, 4);)
