/*
 * User transactions of `journal`, in each mode.
 */
#include "scripts/check_main.h"
#include "stack/tests/classic/user_tests.h"

#define MODES 5

/* The modes; commits that go with their images; and mode ordered with a log on its own disk. */
static struct cut_design design_of(int k)
{
    return (struct cut_design){.program = journal_main,
                               .options = {.journal_mode = (enum journal_mode)(k % 3),
                                           .log_disk = k == 4 ? 1 : LOG_DISK_OFF,
                                           .commit_checksum = k == 3,
                                           .log_bytes = 2u << 20,
                                           .inflight = 2},
                               .cache_bytes = 4u << 20,
                               .expect_sound = none_rig_expect_sound};
}

START_TEST(test_user__sees_its_own_changes_alone_until_the_commit)
{
    struct cut_design design = design_of(_i);
    user_sees_its_own(&design);
}
END_TEST

START_TEST(test_user__an_abort_leaves_nothing)
{
    struct cut_design design = design_of(_i);
    user_abort_leaves_nothing(&design);
}
END_TEST

START_TEST(test_user__locks_keep_others_from_changing_what_it_has_seen)
{
    struct cut_design design = design_of(_i);
    user_locks(&design);
}
END_TEST

START_TEST(test_user__the_younger_of_two_that_wait_for_each_other_is_aborted)
{
    struct cut_design design = design_of(_i);
    user_deadlock(&design);
}
END_TEST

START_TEST(test_user__one_that_is_too_large_is_aborted)
{
    struct cut_design design = design_of(_i);
    user_too_large(&design);
}
END_TEST

START_TEST(test_user__what_it_unlinks_while_open_stays_until_released)
{
    struct cut_design design = design_of(_i);
    user_unlinks_what_is_open(&design);
}
END_TEST

START_TEST(test_user__a_mount_ends_what_was_open)
{
    struct cut_design design = design_of(_i);
    user_mount_ends(&design);
}
END_TEST

START_TEST(test_user__operations_answer_and_leave_what_they_do_outside)
{
    struct cut_design design = design_of(_i);
    user_equals_plain(&design, 17 + (uint64_t)_i);
}
END_TEST

START_TEST(test_user__a_cut_at_any_request_leaves_all_or_nothing)
{
    struct cut_design design = design_of(_i);
    user_cut_at_every_request(&design);
}
END_TEST

CHECK_MAIN(
    "journal user transactions", 120,
    tcase_add_loop_test(tc, test_user__sees_its_own_changes_alone_until_the_commit, 0, MODES);
    tcase_add_loop_test(tc, test_user__an_abort_leaves_nothing, 0, MODES);
    tcase_add_loop_test(tc, test_user__locks_keep_others_from_changing_what_it_has_seen, 0, MODES);
    tcase_add_loop_test(tc, test_user__the_younger_of_two_that_wait_for_each_other_is_aborted, 0,
                        MODES);
    tcase_add_loop_test(tc, test_user__one_that_is_too_large_is_aborted, 0, MODES);
    tcase_add_loop_test(tc, test_user__what_it_unlinks_while_open_stays_until_released, 0, MODES);
    tcase_add_loop_test(tc, test_user__a_mount_ends_what_was_open, 0, MODES);
    tcase_add_loop_test(tc, test_user__operations_answer_and_leave_what_they_do_outside, 0,
                        5 * MODES);
    tcase_add_loop_test(tc, test_user__a_cut_at_any_request_leaves_all_or_nothing, 0, MODES);)
