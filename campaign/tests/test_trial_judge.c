/* What the judge does to the stack while it reads belongs to no measure of the trial. */
#include <stdio.h>
#include <string.h>

#include "campaign/tests/rig_trial.h"
#include "scripts/check_main.h"

/* Rot that strikes when all applications have ended is read by nobody but the judge. */
static const char text[] =
    "campaign: judge\n"
    "machine: {disks: {count: 2, size: 32MiB}, environments: 2}\n"
    "variants: {loris: {stack: loris, raid: 1, checkpoint: 1s, cache: 2MiB, log-size: 1MiB}}\n"
    "workloads: {mail: {app: postmark, files: 20, transactions: 60, think: 20ms},\n"
    "  list: {app: script, copies: 1, operations: \"create a\\nexpect ENOENT unlink a\\n\\nmkdir "
    "b/c\"}}\n"
    "faults:\n"
    "  late: [{kind: disk.bit-rot, disk: 0, at: {time: 60s}, count: 512}]\n"
    "  early: [{kind: disk.fail-stop, disk: 0, at: {time: 1s}}]\n";
enum { LATE, EARLY };

static struct rig_trial rig;
static struct trial_record record;

static void setup(void)
{
    rig_trial_init(&rig, text);
    lab_begin(rig.lab, 0, 0, 0);
}

static void teardown(void)
{
    rig_trial_fini(&rig);
}

START_TEST(test_trial_judge__what_it_provokes_is_no_detection)
{
    unsigned noticed = 0;
    lab_trial(rig.lab, LATE, &record);
    for (uint32_t k = 0; k < record.event_count; k++)
        if (strcmp(record.event[k].what, "detected") == 0) {
            ck_assert_uint_gt(record.event[k].time_ns, record.sim_ns);
            noticed++;
        }
    ck_assert_uint_gt(noticed, 0);
    ck_assert(record.injected);
    ck_assert_int_eq(record.level, LEVEL_TRANSPARENT);
    ck_assert_str_eq(record.detected_by, "");
    ck_assert_int_eq(record.recovery_ns, RECORD_NULL);
    ck_assert_ptr_null(strstr(record.story, "noticed"));
}
END_TEST

START_TEST(test_trial_judge__what_the_run_noticed_is)
{
    lab_trial(rig.lab, EARLY, &record);
    ck_assert_str_ne(record.detected_by, "");
    ck_assert_int_ge(record.recovery_ns, 0);
    ck_assert_uint_eq(record.environments_hit, 0);
}
END_TEST

START_TEST(test_trial_judge__answers_that_a_list_does_not_expect_are_events)
{
    static const char *const want[] = {"app 0, line 2: no error, expected ENOENT",
                                       "app 0, line 4: ENOENT, expected no error"};
    unsigned told = 0;
    lab_begin(rig.lab, 0, 1, 0);
    lab_trial(rig.lab, LATE, &record);
    for (uint32_t k = 0; k < record.event_count; k++)
        if (strcmp(record.event[k].what, "unexpected") == 0) {
            ck_assert_uint_lt(told, 2);
            ck_assert_str_eq(record.event[k].layer, "app");
            ck_assert_str_eq(record.event[k].detail, want[told++]);
        }
    ck_assert_uint_eq(told, 2);
    ck_assert_uint_eq(record.anomalies, 2);
}
END_TEST

CHECK_MAIN("trial_judge", 60, tcase_add_checked_fixture(tc, setup, teardown);
           tcase_add_test(tc, test_trial_judge__what_it_provokes_is_no_detection);
           tcase_add_test(tc, test_trial_judge__answers_that_a_list_does_not_expect_are_events);
           tcase_add_test(tc, test_trial_judge__what_the_run_noticed_is);)
