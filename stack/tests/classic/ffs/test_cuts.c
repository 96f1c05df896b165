/*
 * Power cuts at every request of a script and at random ones, in the check that follows too: what
 * was synced is there, and the volume is sound.
 */
#include "scripts/check_main.h"
#include "stack/tests/classic/cut_rig.h"

static const struct cut_design soft = {.program = ffs_main, .expect_sound = none_rig_expect_sound};

START_TEST(test_cuts__a_cut_at_any_request_leaves_each_directory_once_and_all_sound)
{
    cut_at_every_request(&soft);
}
END_TEST

START_TEST(test_cuts__a_directory_comes_over_an_empty_one_as_a_whole)
{
    cut_replacing(&soft);
}
END_TEST

START_TEST(test_cuts__the_same_with_synchronous_names)
{
    struct cut_design design = soft;
    design.options.order_sync = true;
    cut_at_every_request(&design);
}
END_TEST

START_TEST(test_cuts__what_was_synced_outlives_random_cuts)
{
    struct cut_design design = soft;
    design.options.orphans_delete = _i % 2 == 1;
    cut_at_random(&design, 77 + (uint64_t)_i, 40);
}
END_TEST

CHECK_MAIN("ffs cuts", 120,
           tcase_add_test(tc,
                          test_cuts__a_cut_at_any_request_leaves_each_directory_once_and_all_sound);
           tcase_add_test(tc, test_cuts__a_directory_comes_over_an_empty_one_as_a_whole);
           tcase_add_test(tc, test_cuts__the_same_with_synchronous_names);
           tcase_add_loop_test(tc, test_cuts__what_was_synced_outlives_random_cuts, 0, 4);)
