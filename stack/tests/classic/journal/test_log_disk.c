/*
 * A log on a disk of its own that goes: while it runs, all that is in memory goes home; after an
 * orderly stop, or when everything went home, the log is not missed, and nothing is changed.
 */
#include <stdio.h>

#include "scripts/check_main.h"
#include "stack/tests/classic/cut_rig.h"

#define ROOT 1u
#define FILES 30u
#define LOG_DISK 1u

static struct cut_rig rig;

static void init(enum journal_mode mode)
{
    struct cut_design design = {.program = journal_main,
                                .options = {.journal_mode = mode,
                                            .log_bytes = 2u << 20,
                                            .log_disk = LOG_DISK,
                                            .inflight = 2},
                                .cache_bytes = 4u << 20,
                                .expect_sound = none_rig_expect_sound};
    cut_rig_init(&rig, &design);
}

static void make_files(uint32_t from, uint32_t to)
{
    char name[16];
    for (uint32_t k = from; k < to; k++) {
        snprintf(name, sizeof(name), "file%u", k);
        ck_assert_int_eq(none_rig_make(&rig.none, VFS_CREATE, ROOT, name, NULL), OK);
    }
}

static void expect_files(uint32_t count)
{
    char name[16];
    for (uint32_t k = 0; k < count; k++) {
        snprintf(name, sizeof(name), "file%u", k);
        ck_assert_msg(none_rig_lookup(&rig.none, ROOT, name) == OK, "%s", name);
    }
}

/* On the disk as it is: sound, leaks apart. */
static void expect_content_checker(void)
{
    struct none_check check;
    none_rig_check(&rig.none, &check);
    ck_assert_msg(check.ok, "%s", check.text);
    ck_assert_uint_eq(check.leaked_blocks, 0);
}

START_TEST(test_log_disk__nothing_of_the_log_is_on_the_disk_of_the_data)
{
    init(JOURNAL_DATA);
    uint32_t writes = rig.none.log.writes;
    make_files(0, FILES);
    ck_assert_int_eq(none_rig_plain(&rig.none, VFS_SYNC, 0, 0), OK);
    ck_assert_uint_gt(rig.none.log.writes, writes);
    expect_files(FILES);
    none_rig_expect_sound(&rig.none);
    cut_rig_fini(&rig);
}
END_TEST

/* All that was done is there, in the next life as well, and nothing can be changed. */
START_TEST(test_log_disk__what_memory_holds_goes_home_when_it_goes)
{
    init((enum journal_mode)_i);
    make_files(0, FILES);
    ck_assert_int_eq(none_rig_plain(&rig.none, VFS_SYNC, 0, 0), OK);
    make_files(FILES, 2 * FILES);
    rig.none.log.gone = true;
    ck_assert_int_ne(none_rig_plain(&rig.none, VFS_SYNC, 0, 0), OK);
    fake_advance(UINT64_C(1000000000));
    ck_assert_int_eq(none_rig_make(&rig.none, VFS_CREATE, ROOT, "new", NULL), E_ROFS);
    expect_files(2 * FILES);
    expect_content_checker();
    rig.none.boot.incarnation++;
    ck_assert_int_eq(none_rig_boot(&rig.none, false), OK);
    expect_files(2 * FILES);
    ck_assert_int_eq(none_rig_make(&rig.none, VFS_CREATE, ROOT, "new", NULL), E_ROFS);
    cut_rig_fini(&rig);
}
END_TEST

START_TEST(test_log_disk__without_it_nothing_is_mounted_after_a_cut)
{
    init(JOURNAL_DATA);
    make_files(0, FILES);
    ck_assert_int_eq(none_rig_plain(&rig.none, VFS_SYNC, 0, 0), OK);
    (void)cut_rig_cut(&rig, 100);
    rig.none.log.gone = true;
    rig.none.boot.incarnation++;
    ck_assert_int_eq(none_rig_boot(&rig.none, false), E_MEDIA);
    rig.none.log.gone = false;
    cut_rig_reboot(&rig, 0, 100);
    expect_files(FILES);
    none_rig_expect_sound(&rig.none);
    cut_rig_fini(&rig);
}
END_TEST

CHECK_MAIN("journal log disk", 60,
           tcase_add_test(tc, test_log_disk__nothing_of_the_log_is_on_the_disk_of_the_data);
           tcase_add_loop_test(tc, test_log_disk__what_memory_holds_goes_home_when_it_goes, 0, 3);
           tcase_add_test(tc, test_log_disk__without_it_nothing_is_mounted_after_a_cut);)
