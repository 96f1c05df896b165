/*
 * Power cuts at every request of a script and at random ones, in the redo that follows too: what
 * was synced is there, and the volume is sound.
 */
#include "scripts/check_main.h"
#include "stack/tests/classic/cut_rig.h"

static struct cut_design design_of(enum journal_mode mode)
{
    return (struct cut_design){
        .program = journal_main,
        .options = {.journal_mode = mode, .log_bytes = 2u << 20, .inflight = 2},
        .cache_bytes = 4u << 20,
        .expect_sound = none_rig_expect_sound};
}

START_TEST(test_cuts__a_cut_at_any_request_leaves_each_directory_once_and_all_sound)
{
    struct cut_design design = design_of((enum journal_mode)_i);
    cut_at_every_request(&design);
}
END_TEST

START_TEST(test_cuts__the_same_with_commits_that_go_with_their_images)
{
    struct cut_design design = design_of(JOURNAL_DATA);
    design.options.commit_checksum = true;
    cut_at_every_request(&design);
}
END_TEST

START_TEST(test_cuts__what_was_synced_outlives_random_cuts)
{
    struct cut_design design = design_of((enum journal_mode)(_i % 3));
    if (_i % 3 != JOURNAL_DATA)
        design.options.log_bytes = 256u << 10; /* it goes round often */
    cut_at_random(&design, 277 + (uint64_t)_i, 40);
}
END_TEST

CHECK_MAIN("journal cuts", 120,
           tcase_add_loop_test(
               tc, test_cuts__a_cut_at_any_request_leaves_each_directory_once_and_all_sound, 0, 3);
           tcase_add_test(tc, test_cuts__the_same_with_commits_that_go_with_their_images);
           tcase_add_loop_test(tc, test_cuts__what_was_synced_outlives_random_cuts, 0, 6);)
