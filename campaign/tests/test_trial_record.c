/* What a record says of a trial in words: whole, however many faults struck. */
#include <stdio.h>
#include <string.h>

#include "campaign/tests/rig_trial.h"
#include "scripts/check_main.h"

#define FAULTS 16 /* FAULTS_PER_PLAN_MAX */

static struct rig_trial rig;
static struct trial_record record;

static void setup(void)
{
    char text[4096] =
        "campaign: words\n"
        "machine: {disks: {count: 2, size: 32MiB}, environments: 2}\n"
        "variants: {loris: {stack: loris, cache: 2MiB, log-size: 1MiB}}\n"
        "workloads: {mail: {app: postmark, files: 20, transactions: 60, think: 20ms}}\n"
        "faults:\n  many:\n";
    for (unsigned k = 0; k + 1 < FAULTS; k++)
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text),
                       "    - {kind: disk.transient-error, disk: %u, count: 2, at: {time: %ums}}\n",
                       k % 2, 10 + k);
    (void)snprintf(text + strlen(text), sizeof(text) - strlen(text),
                   "    - {kind: power.cut, at: {time: 900ms}, cache: drop}\n");
    rig_trial_init(&rig, text);
    lab_begin(rig.lab, 0, 0, 0);
    lab_trial(rig.lab, 0, &record);
}

static void teardown(void)
{
    rig_trial_fini(&rig);
}

START_TEST(test_trial_record__every_strike_of_a_long_plan_is_listed)
{
    unsigned entries = 0;
    for (const char *at = record.struck; (at = strstr(at, "{\"time_ns\":")) != NULL; at++)
        entries++;
    ck_assert_uint_eq(entries, FAULTS);
    ck_assert_ptr_nonnull(strstr(record.struck, "\"all disks\"")); /* the last one */
    ck_assert_str_eq(record.struck + strlen(record.struck) - 2, "}]");
    ck_assert(record.injected);
}
END_TEST

START_TEST(test_trial_record__the_story_of_a_long_plan_says_how_it_ended)
{
    ck_assert_uint_lt(strlen(record.story), RECORD_STORY_BYTES);
    ck_assert_ptr_nonnull(strstr(record.story, "; noticed by "));
    ck_assert_ptr_nonnull(strstr(record.story, "; full service after "));
    ck_assert(strstr(record.story, " operations lost, ") != NULL ||
              strstr(record.story, "; nothing synced was lost") != NULL);
}
END_TEST

CHECK_MAIN("trial_record", 60, tcase_add_unchecked_fixture(tc, setup, teardown);
           tcase_add_test(tc, test_trial_record__every_strike_of_a_long_plan_is_listed);
           tcase_add_test(tc, test_trial_record__the_story_of_a_long_plan_says_how_it_ended);)
