/*
 * Power cuts at every request of a script and at random ones, in the redo that follows too: what
 * was synced is there, and the volume is sound.
 */
#include <string.h>

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

START_TEST(test_cuts__the_same_with_the_log_on_a_disk_of_its_own)
{
    struct cut_design design = design_of((enum journal_mode)_i);
    design.options.log_disk = 1;
    cut_at_every_request(&design);
    cut_at_random(&design, 31 + (uint64_t)_i, 40);
}
END_TEST

#define ROOT 1u
#define REUSED_BYTES (40u * BLOCK_BYTES)

static struct cut_rig rig;
static uint8_t content[REUSED_BYTES], back[REUSED_BYTES];

static uint64_t filled_file(const char *name, uint8_t with)
{
    uint64_t ino = 0;
    memset(content, with, sizeof(content));
    (void)!none_rig_make(&rig.none, VFS_CREATE, ROOT, name, &ino);
    (void)!none_rig_write(&rig.none, ino, 0, content, sizeof(content));
    return ino;
}

/* Blocks of a file that went become another's, which is synced. Returns whether the n-th request
 * came. */
static bool cut_reused(const struct cut_design *design, uint32_t n, uint32_t keep_percent)
{
    uint64_t moved;
    cut_rig_init(&rig, design);
    rig.rng = n * 1000 + keep_percent;
    (void)filled_file("old", 'a');
    ck_assert_int_eq(none_rig_plain(&rig.none, VFS_SYNC, 0, 0), OK);
    ck_assert_int_eq(none_rig_remove(&rig.none, VFS_UNLINK, ROOT, "old"), OK);
    ck_assert_int_eq(none_rig_plain(&rig.none, VFS_SYNC, 0, 0), OK);
    cut_rig_arm(&rig, n);
    uint64_t ino = filled_file("new", 'b');
    (void)!none_rig_plain(&rig.none, VFS_FSYNC, ino, 0);
    bool went = cut_rig_cut(&rig, keep_percent);
    cut_rig_reboot(&rig, 0, keep_percent);
    if (none_rig_lookup(&rig.none, ROOT, "new") == OK) {
        ino = rig.none.reply.stat.ino;
        ck_assert_int_eq(none_rig_read(&rig.none, ino, 0, back, sizeof(back), &moved), OK);
        for (uint64_t k = 0; k < moved; k++)
            ck_assert_msg(back[k] == 'b', "request %u: byte %llu is another's", n,
                          (unsigned long long)k);
    }
    none_rig_expect_sound(&rig.none);
    cut_rig_fini(&rig);
    return went;
}

/* Whichever comes first: commits that go with their images, a log on a disk of its own. */
START_TEST(test_cuts__ordered_data_are_stable_before_the_commit)
{
    struct cut_design design = design_of(JOURNAL_ORDERED);
    design.options.commit_checksum = _i % 2 == 1;
    design.options.log_disk = _i >= 2 ? 1 : LOG_DISK_OFF;
    for (uint32_t percent = 0; percent <= 100; percent += 20)
        for (uint32_t n = 1; cut_reused(&design, n, percent); n++)
            ck_assert_uint_lt(n, 1000);
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
           tcase_add_loop_test(tc, test_cuts__the_same_with_the_log_on_a_disk_of_its_own, 0, 3);
           tcase_add_loop_test(tc, test_cuts__ordered_data_are_stable_before_the_commit, 0, 4);
           tcase_add_loop_test(tc, test_cuts__what_was_synced_outlives_random_cuts, 0, 6);)
