/*
 * A trial with several boots is judged after each: what one boot found is not forgotten because a
 * later one finds better, and looking changes nothing of the trial.
 */
#define _GNU_SOURCE /* fopencookie */
#include <stdio.h>
#include <string.h>

#include "campaign/tests/rig_trial.h"
#include "campaign/trial_private.h"
#include "scripts/check_main.h"

#define TRIALS 6
#define CUT_NS 1500000000u
#define SECOND_NS UINT64_C(60000000000)

static const char text[] =
    "campaign: boots\n"
    "machine: {disks: {count: 2, size: 32MiB}, environments: 2}\n"
    "variants:\n"
    "  none: {stack: none, raid: 1, cache: 2MiB}\n"
    "  loris: {stack: loris, raid: 1, checkpoint: 1s, cache: 2MiB, log-size: 1MiB}\n"
    "workloads: {mail: {app: postmark, files: 20, transactions: 60, think: 20ms}}\n"
    "faults:\n"
    "  cut: [{kind: power.cut, at: {time: 1500ms}, cache: drop}]\n"
    "  cut-cut: [{kind: power.cut, at: {time: 1500ms}, cache: drop}, {kind: power.cut, at: {time: "
    "60s}, cache: drop}]\n";
enum { CUT, CUT_CUT, PLANS };
enum { NONE, LORIS };

static struct rig_trial rig;
static struct trial_record record[PLANS], again;

static void setup(void)
{
    rig_trial_init(&rig, text);
}

static void teardown(void)
{
    rig_trial_fini(&rig);
}

static void run_all(uint32_t variant, uint64_t n)
{
    lab_begin(rig.lab, variant, 0, n);
    for (uint32_t k = 0; k < PLANS; k++)
        lab_trial(rig.lab, k, &record[k]);
}

/* The only verdict of a boot in the middle of the trial, "durable" of "after boot 1: durable". */
static const char *judged(const struct trial_record *r)
{
    static char level[RECORD_DETAIL_BYTES];
    unsigned count = 0;
    for (uint32_t k = 0; k < r->event_count; k++)
        if (strcmp(r->event[k].what, "judged") == 0) {
            ck_assert_int_eq(sscanf(r->event[k].detail, "after boot 1: %32[a-z]", level), 1);
            ck_assert_uint_gt(r->event[k].time_ns, CUT_NS);
            ck_assert_uint_lt(r->event[k].time_ns, SECOND_NS);
            count++;
        }
    ck_assert_uint_eq(count, 1);
    return level;
}

START_TEST(test_trial_boots__each_is_judged_by_what_it_found)
{
    for (uint32_t variant = NONE; variant <= LORIS; variant++)
        for (uint64_t n = 0; n < TRIALS; n++) {
            run_all(variant, n);
            /* The same cut, with nothing after it, is judged by the same reading. */
            ck_assert_str_eq(judged(&record[CUT_CUT]), level_name(record[CUT].level));
            ck_assert_int_ge(record[CUT_CUT].level, record[CUT].level);
            ck_assert_uint_ge(record[CUT_CUT].ops_lost, record[CUT].ops_lost);
        }
}
END_TEST

START_TEST(test_trial_boots__the_last_is_judged_at_the_end_alone)
{
    run_all(LORIS, 0);
    for (uint32_t k = 0; k < record[CUT].event_count; k++)
        ck_assert_str_ne(record[CUT].event[k].what, "judged");
}
END_TEST

/* Is told the events of a trial; at the second cut, the first boot has been judged: it was bad. */
static ssize_t spoil(void *cookie, const char *bytes, size_t count)
{
    (void)cookie;
    const char *cut = memmem(bytes, count, "fault injected", 14);
    if (cut != NULL && rig.lab->boots_judged == 1) {
        rig.lab->boots.level = rig.lab->boots.environment[1].level = LEVEL_SILENT;
        rig.lab->boots.ops_lost = rig.lab->boots.synced_lost = 4711;
        rig.lab->boots.undecided = true;
        strcpy(rig.lab->boots.story, "after boot 1: spoilt");
    }
    return (ssize_t)count;
}

START_TEST(test_trial_boots__the_power_kills_applications_by_name)
{
    unsigned killed = 0;
    run_all(LORIS, 0);
    for (uint32_t k = 0; k < record[CUT].event_count; k++)
        if (strcmp(record[CUT].event[k].what, "crash") == 0) {
            ck_assert_str_eq(record[CUT].event[k].layer, "app");
            killed++;
        }
    ck_assert_uint_eq(killed, 2);
}
END_TEST

START_TEST(test_trial_boots__the_weakest_is_that_of_the_trial)
{
    FILE *told = fopencookie(NULL, "w", (cookie_io_functions_t){.write = spoil});
    ck_assert_ptr_nonnull(told);
    setvbuf(told, NULL, _IOLBF, 4096);
    run_all(LORIS, 1);
    ck_assert_int_lt(record[CUT_CUT].level, LEVEL_SILENT);
    lab_tell(rig.lab, told);
    lab_trial(rig.lab, CUT_CUT, &again);
    ck_assert_uint_eq(again.hash, record[CUT_CUT].hash);
    ck_assert_int_eq(again.level, LEVEL_SILENT);
    ck_assert_int_eq(again.environment[0].level, record[CUT_CUT].environment[0].level);
    ck_assert_int_eq(again.environment[1].level, LEVEL_SILENT);
    ck_assert_uint_eq(again.synced_lost, 4711);
    ck_assert(again.undecided);
    ck_assert_ptr_nonnull(strstr(again.story, "after boot 1: spoilt"));
    lab_trial(rig.lab, CUT, &again); /* and no later trial's */
    ck_assert_int_eq(again.level, record[CUT].level);
    lab_tell(rig.lab, NULL);
    fclose(told);
}
END_TEST

START_TEST(test_trial_boots__looking_changes_nothing_of_the_trial)
{
    static const char second[] = "{\"time_ns\":60000000000,";
    run_all(LORIS, 3);
    ck_assert(record[CUT_CUT].injected);
    ck_assert_ptr_nonnull(strstr(record[CUT_CUT].struck, second));
    ck_assert_uint_eq(record[CUT_CUT].ops, record[CUT].ops);
    ck_assert_int_eq(record[CUT_CUT].outage_ns, record[CUT].outage_ns);
    lab_trial(rig.lab, CUT_CUT, &again);
    again.wall_ns = record[CUT_CUT].wall_ns;
    ck_assert_mem_eq(&again, &record[CUT_CUT], sizeof(again));
}
END_TEST

CHECK_MAIN("trial_boots", 120, tcase_add_checked_fixture(tc, setup, teardown);
           tcase_add_test(tc, test_trial_boots__each_is_judged_by_what_it_found);
           tcase_add_test(tc, test_trial_boots__the_last_is_judged_at_the_end_alone);
           tcase_add_test(tc, test_trial_boots__the_power_kills_applications_by_name);
           tcase_add_test(tc, test_trial_boots__the_weakest_is_that_of_the_trial);
           tcase_add_test(tc, test_trial_boots__looking_changes_nothing_of_the_trial);)
