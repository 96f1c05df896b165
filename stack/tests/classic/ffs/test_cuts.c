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

/* The check beside service is under way when the power goes, in the script and in the lives after
 * it. */
START_TEST(test_cuts__the_same_with_a_check_beside_service)
{
    struct cut_design design = soft;
    design.options.fsck_background = true;
    cut_at_every_request(&design);
    cut_replacing(&design);
}
END_TEST

START_TEST(test_cuts__what_was_synced_outlives_random_cuts_of_a_check_beside_service)
{
    struct cut_design design = soft;
    design.options.fsck_background = true;
    design.options.orphans_delete = _i % 2 == 1;
    cut_at_random(&design, 177 + (uint64_t)_i, 60);
}
END_TEST

/* What leads to the file: names in the root and in both directories. */
static uint32_t count_names(struct cut_rig *rig, uint64_t ino)
{
    static const char *const dirs[] = {"a", "b"};
    uint32_t names = 0;
    if (none_rig_lookup(&rig->none, 1, "foo") == OK)
        names++;
    for (uint32_t k = 0; k < 2; k++) {
        if (none_rig_lookup(&rig->none, 1, dirs[k]) != OK)
            continue;
        uint64_t dir = rig->none.reply.stat.ino;
        if (none_rig_lookup(&rig->none, dir, "foo") == OK && rig->none.reply.stat.ino == ino)
            names++;
    }
    return names;
}

/* A synced file moves into a new directory, or out of one that is removed. Returns whether the n-th
 * request came. */
static bool cut_moving(uint32_t n, uint32_t seed, bool into_new)
{
    static struct cut_rig rig;
    static const uint8_t data[5000] = {1, 2, 3};
    uint64_t a = 1, b, foo;
    cut_rig_init(&rig, &soft);
    rig.rng = seed;
    if (!into_new)
        ck_assert_int_eq(none_rig_make(&rig.none, VFS_MKDIR, 1, "a", &a), OK);
    if (!into_new)
        ck_assert_int_eq(none_rig_make(&rig.none, VFS_MKDIR, 1, "b", &b), OK);
    ck_assert_int_eq(none_rig_make(&rig.none, VFS_CREATE, a, "foo", &foo), OK);
    ck_assert_int_eq(none_rig_write(&rig.none, foo, 0, data, sizeof(data)), OK);
    ck_assert_int_eq(none_rig_plain(&rig.none, VFS_SYNC, 0, 0), OK);
    cut_rig_arm(&rig, n);
    if (into_new && none_rig_make(&rig.none, VFS_MKDIR, 1, "b", &b) != OK)
        b = 1;
    (void)!none_rig_rename(&rig.none, a, "foo", b, "foo");
    if (!into_new)
        (void)!none_rig_remove(&rig.none, VFS_RMDIR, 1, "a");
    (void)!none_rig_plain(&rig.none, VFS_SYNC, 0, 0);
    bool went = cut_rig_cut(&rig, seed % 3 * 50);
    cut_rig_reboot(&rig, 0, 0);
    uint32_t names = count_names(&rig, foo);
    ck_assert_msg(names > 0, "request %u, seed %u: it has no name", n, seed);
    ck_assert_int_eq(none_rig_plain(&rig.none, VFS_STAT, foo, 0), OK);
    ck_assert_uint_eq(rig.none.reply.stat.nlink, names);
    cut_rig_fini(&rig);
    return went;
}

START_TEST(test_cuts__what_moves_has_a_name_that_leads_to_it)
{
    for (uint32_t seed = 0; seed < 12; seed++) {
        uint32_t n = 1;
        while (cut_moving(n, seed, _i == 0)) {
            n++;
            ck_assert_uint_lt(n, 500);
        }
        ck_assert_uint_gt(n, 5);
    }
}
END_TEST

CHECK_MAIN("ffs cuts", 120,
           tcase_add_test(tc,
                          test_cuts__a_cut_at_any_request_leaves_each_directory_once_and_all_sound);
           tcase_add_test(tc, test_cuts__a_directory_comes_over_an_empty_one_as_a_whole);
           tcase_add_test(tc, test_cuts__the_same_with_synchronous_names);
           tcase_add_loop_test(tc, test_cuts__what_was_synced_outlives_random_cuts, 0, 4);
           tcase_add_loop_test(tc, test_cuts__what_moves_has_a_name_that_leads_to_it, 0, 2);
           tcase_add_test(tc, test_cuts__the_same_with_a_check_beside_service); tcase_add_loop_test(
               tc, test_cuts__what_was_synced_outlives_random_cuts_of_a_check_beside_service, 0,
               8);)
