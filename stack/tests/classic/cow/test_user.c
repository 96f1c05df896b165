/*
 * User transactions of `cow`, with and without a log of fsyncs, with either way of giving out
 * space.
 */
#include "scripts/check_main.h"
#include "stack/tests/classic/user_tests.h"

#include <string.h>

#include "workloads/checkers/cow_check.h"

#define MODES 5

static bool disk_block(void *object, uint32_t copy, uint64_t at, uint8_t *raw)
{
    const struct ramdisk *disk = object;
    ck_assert_uint_eq(copy, 0);
    memcpy(raw, disk->bytes + at * BLOCK_BYTES, BLOCK_BYTES);
    return true;
}

static void expect_sound(struct none_rig *rig)
{
    struct cow_check check;
    ck_assert_int_eq(none_rig_plain(rig, VFS_UNMOUNT, 0, 0), OK);
    cow_check(disk_block, &rig->disk, rig->disk.sectors / 8, 1, &check);
    ck_assert_msg(check.ok, "%s", check.text);
    ck_assert_uint_eq(check.leaked_blocks, 0);
    ck_assert_uint_eq(check.leaked_inodes, 0);
}

static struct cut_design design_of(int k)
{
    return (struct cut_design){.program = cow_main,
                               .options = {.defer = 2,
                                           .fsync_log = k % 2 == 1 || k == 4,
                                           .log_scope_file = k == 4,
                                           .space_segment = k == 2 || k == 3},
                               .cache_bytes = 4u << 20,
                               .expect_sound = expect_sound};
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
    "cow user transactions", 120,
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
