/* Which checkpoint a pool goes back to: the arithmetic of choose.c alone. */
#include "scripts/check_main.h"
#include "stack/loris/logical/logical.h"

#include <string.h>

static struct candidate disk[DISKS_MAX];
static struct choice choice;

static void start(void)
{
    memset(disk, 0, sizeof(disk));
}

/* Incarnation k has the ancestors k - 1, k - 2, ... 1. */
static void has(uint32_t k, uint64_t epoch, uint32_t rev, uint64_t incarnation, uint32_t members)
{
    disk[k].present = true;
    struct object_root *r = &disk[k].root[disk[k].count++];
    *r = (struct object_root){.valid = true,
                              .epoch = epoch,
                              .rev = rev,
                              .incarnation = incarnation,
                              .members = members,
                              .self = k,
                              .pool_uuid = {1, 2},
                              .highest_epoch = epoch,
                              .highest_lsn = 10 * epoch};
    for (uint64_t n = 1; n < incarnation && n <= OBJECT_ANCESTORS; n++)
        r->ancestor[n - 1] = incarnation - n;
}

static enum err choose(uint32_t missing_max)
{
    return logical_choose_root(disk, missing_max, &choice);
}

START_TEST(test_choose__takes_the_newest_that_all_members_have)
{
    start();
    has(0, 7, 1, 1, 3);
    has(0, 6, 1, 1, 3);
    has(1, 6, 1, 1, 3);
    has(1, 5, 1, 1, 3);
    ck_assert_int_eq(choose(1), OK);
    ck_assert_uint_eq(choice.root.epoch, 6);
    ck_assert_uint_eq(choice.members, 3);
    ck_assert_uint_eq(choice.highest_epoch, 7);
    has(1, 7, 1, 1, 3);
    ck_assert_int_eq(choose(1), OK);
    ck_assert_uint_eq(choice.root.epoch, 7);
}
END_TEST

START_TEST(test_choose__an_absent_member_does_not_count_and_too_many_are_refused)
{
    start();
    has(0, 7, 1, 1, 3);
    ck_assert_int_eq(choose(1), OK);
    ck_assert_uint_eq(choice.members, 1);
    ck_assert_int_eq(choose(0), E_MEDIA);
}
END_TEST

START_TEST(test_choose__a_half_adopted_root_is_complete_with_its_parent)
{
    start();
    has(0, 7, 2, 2, 3);
    has(1, 7, 1, 1, 3);
    ck_assert_int_eq(choose(0), OK);
    ck_assert_uint_eq(choice.root.rev, 2);
    ck_assert_uint_eq(choice.newest.incarnation, 2);
}
END_TEST

START_TEST(test_choose__a_stale_disk_is_no_member)
{
    start();
    has(0, 7, 2, 2, 1);
    has(1, 7, 1, 1, 3); /* it never heard that it was given up */
    ck_assert_int_eq(choose(1), OK);
    ck_assert_uint_eq(choice.members, 1);
    /* Nor when its own number is higher: the others do not have that root. */
    start();
    has(0, 7, 2, 2, 1);
    has(1, 8, 1, 1, 3);
    ck_assert_int_eq(choose(1), OK);
    ck_assert_uint_eq(choice.root.epoch, 7);
    ck_assert_uint_eq(choice.members, 1);
    start();
    has(0, 8, 1, 2, 1);
    has(0, 7, 2, 2, 1);
    has(1, 8, 1, 1, 3); /* of the parent: disk 0's root 8 is not in its line */
    ck_assert_int_eq(choose(1), OK);
    ck_assert_uint_eq(choice.members, 1);
    ck_assert_uint_eq(choice.root.incarnation, 2);
}
END_TEST

START_TEST(test_choose__an_unfinished_change_of_members_falls_back)
{
    start();
    has(0, 8, 1, 2, 3); /* a third disk was given up in checkpoint 8 */
    has(0, 7, 1, 1, 7);
    has(1, 7, 1, 1, 7);
    has(1, 6, 1, 1, 7);
    ck_assert_int_eq(choose(1), OK);
    ck_assert_uint_eq(choice.root.epoch, 7);
    ck_assert_uint_eq(choice.newest.incarnation, 2); /* whose line goes on */
}
END_TEST

START_TEST(test_choose__halves_are_refused_and_so_is_nothing)
{
    start();
    ck_assert_int_eq(choose(1), E_NOENT);
    has(0, 7, 1, 2, 1);
    has(1, 7, 1, 2, 2);
    disk[1].root[0].incarnation = 77;
    ck_assert_int_eq(choose(1), E_CORRUPT);
    ck_assert_uint_eq(choice.members, 0); /* nobody may go on */
}
END_TEST

START_TEST(test_choose__h32_disks_without_the_root_that_most_have_have_lied)
{
    start();
    has(0, 7, 1, 1, 3);
    has(0, 6, 1, 1, 3);
    has(1, 5, 1, 1, 3);
    ck_assert_int_eq(choose(0), E_CORRUPT); /* no number that both have */
    ck_assert_uint_eq(choice.members, 1);
    start();
    has(0, 7, 1, 1, 7);
    has(0, 6, 1, 1, 7);
    has(1, 4, 1, 1, 7);
    has(2, 6, 1, 1, 7); /* 7 was still being prepared */
    has(2, 5, 1, 1, 7);
    ck_assert_int_eq(choose(0), E_CORRUPT);
    ck_assert_uint_eq(choice.members, 5);
    ck_assert_int_eq(choose(1), OK);
    ck_assert_uint_eq(choice.members, 5);
    ck_assert_uint_eq(choice.root.epoch, 6);
}
END_TEST

START_TEST(test_choose__another_pool_and_a_swapped_disk_are_nobody)
{
    start();
    has(0, 7, 1, 1, 3);
    has(1, 9, 1, 1, 3);
    disk[1].root[0].pool_uuid[0] = 99;
    ck_assert_int_eq(choose(1), OK);
    ck_assert_uint_eq(choice.members, 1);
    disk[1].root[0].pool_uuid[0] = 1;
    disk[1].root[0].self = 5;
    ck_assert_int_eq(choose(1), OK);
    ck_assert_uint_eq(choice.root.epoch, 7);
}
END_TEST

START_TEST(test_choose__h32_a_disk_whose_flush_lied_is_left_out)
{
    start();
    has(0, 9, 1, 1, 3);
    has(0, 8, 1, 1, 3);
    has(1, 6, 1, 1, 3); /* 9 was prepared after all had 8 */
    has(1, 5, 1, 1, 3);
    ck_assert_int_eq(choose(1), OK);
    ck_assert_uint_eq(choice.root.epoch, 9);
    ck_assert_uint_eq(choice.members, 1);
    ck_assert_int_eq(choose(0), E_CORRUPT);
    /* Behind by one only, but the other disk has gone on since: all had 9. */
    start();
    has(0, 9, 1, 1, 3);
    has(0, 8, 1, 1, 3);
    has(1, 8, 1, 1, 3);
    has(1, 7, 1, 1, 3);
    ck_assert_int_eq(choose(1), OK);
    ck_assert_uint_eq(choice.root.epoch, 8); /* as if 9 was being prepared */
    ck_assert_uint_eq(choice.members, 3);
    disk[0].root[0].highest_epoch = disk[0].root[1].highest_epoch = 10;
    ck_assert_int_eq(choose(1), OK);
    ck_assert_uint_eq(choice.root.epoch, 9);
    ck_assert_uint_eq(choice.members, 1);
    ck_assert_int_eq(choose(0), OK); /* no level to bear it: the older one is all there is */
    ck_assert_uint_eq(choice.root.epoch, 8);
    ck_assert_uint_eq(choice.members, 3);
}
END_TEST

START_TEST(test_choose__a_disk_that_lost_both_copies_of_a_root_is_left_out)
{
    start();
    has(0, 9, 1, 1, 3);
    has(0, 8, 1, 1, 3);
    has(1, 8, 1, 1, 3);
    disk[1].damaged = true;
    ck_assert_int_eq(choose(1), OK);
    ck_assert_uint_eq(choice.root.epoch, 9);
    ck_assert_uint_eq(choice.members, 1);
    /* What was lost is the older one: nothing is missing. */
    start();
    has(0, 9, 1, 1, 3);
    has(0, 8, 1, 1, 3);
    has(1, 9, 1, 1, 3);
    disk[1].damaged = true;
    ck_assert_int_eq(choose(1), OK);
    ck_assert_uint_eq(choice.members, 3);
}
END_TEST

/* A joiner has no older root, and a disk that left is in no newer list. */
START_TEST(test_choose__members_that_came_or_went_are_not_behind)
{
    start();
    has(0, 9, 1, 1, 7);
    has(0, 8, 1, 1, 3);
    has(1, 8, 1, 1, 3);
    has(1, 7, 1, 1, 3);
    has(2, 1, 1, 1, 4);
    ck_assert_int_eq(choose(1), OK);
    ck_assert_uint_eq(choice.root.epoch, 8);
    ck_assert_uint_eq(choice.members, 3);
}
END_TEST

CHECK_MAIN("logical choose", 60,
           tcase_add_test(tc, test_choose__takes_the_newest_that_all_members_have);
           tcase_add_test(tc,
                          test_choose__an_absent_member_does_not_count_and_too_many_are_refused);
           tcase_add_test(tc, test_choose__a_half_adopted_root_is_complete_with_its_parent);
           tcase_add_test(tc, test_choose__a_stale_disk_is_no_member);
           tcase_add_test(tc, test_choose__an_unfinished_change_of_members_falls_back);
           tcase_add_test(tc, test_choose__halves_are_refused_and_so_is_nothing);
           tcase_add_test(tc, test_choose__h32_disks_without_the_root_that_most_have_have_lied);
           tcase_add_test(tc, test_choose__another_pool_and_a_swapped_disk_are_nobody);
           tcase_add_test(tc, test_choose__h32_a_disk_whose_flush_lied_is_left_out);
           tcase_add_test(tc, test_choose__a_disk_that_lost_both_copies_of_a_root_is_left_out);
           tcase_add_test(tc, test_choose__members_that_came_or_went_are_not_behind);)
