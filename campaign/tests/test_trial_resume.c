/*
 * Applications that start again after a loss of power (machine: restart: apps: resume): they do the
 * rest of their work on what they find, each boot is judged, and what one boot found must be found
 * by the next.
 */
#include <string.h>

#include "campaign/tests/rig_trial.h"
#include "campaign/trial_private.h"
#include "scripts/check_main.h"

#define TRIALS 4

static const char text[] =
    "campaign: resume\n"
    "machine: {disks: {count: 2, size: 32MiB}, environments: 2, restart: {apps: resume}}\n"
    "variants:\n"
    "  loris: {stack: loris, raid: 1, checkpoint: 1s, cache: 2MiB, log-size: 1MiB}\n"
    "  journal: {stack: journal, raid: 1}\n"
    "  cow: {stack: cow, raid: 1}\n"
    "  ffs: {stack: ffs, raid: 1}\n"
    "  alone: {stack: ffs, machine: {disks: {count: 1, size: 32MiB}}}\n"
    "  stop: {like: loris, machine: {restart: {apps: stop}}}\n"
    "  live: {like: ffs, fsck: background, cache: 1MiB, sync: 300ms, machine: {disks: {count: 2,\n"
    "         profile: ssd-sata, size: 16MiB}}}\n"
    "workloads:\n"
    "  mail: {app: postmark, files: 15, transactions: 40, share: 30%, think: 10ms}\n"
    "  texts: [{app: editor, saves: 20, think: 10ms}, {app: append-log, records: 40, think: "
    "10ms}]\n"
    "  others: [{app: bank, transactions: 20, think: 10ms}, {app: mv-grep, moves: 20, think: "
    "10ms},\n"
    "           {app: fsstress, operations: 30, xattrs: on, think: 10ms},\n"
    "           {app: fsx, operations: 30, size: 64KiB, think: 10ms},\n"
    "           {app: script, operations: \"create a\\nwrite a 0 5000\\nsync\\nwrite a 5000 "
    "100\\n\"}]\n"
    "faults:\n"
    "  cuts: [{kind: power.cut, at: {op: uniform}}, {kind: power.cut, at: {op: uniform}}]\n"
    "  again: [{kind: power.cut, at: {op: uniform}}, {kind: power.cut, at: {recovery: uniform}}]\n"
    "  late: [{kind: power.cut, at: {op: 60}}, {kind: power.cut, at: {time: 60s}}]\n"
    "  rot: [{kind: power.cut, at: {op: 60}}, {kind: disk.bit-rot, disk: 0, at: {time: 50s}, "
    "where: "
    "data, count: 100}, {kind: power.cut, at: {time: 60s}}]\n"
    "  year: [{kind: power.cut, at: {rate: 3/year, over: 1year}, off-for: 6h}]\n"
    "  dies: [{kind: power.cut, at: {op: uniform}}, {kind: disk.fail-stop, disk: 1, at: {after: "
    "10014600us}}]\n";
enum { CUTS, AGAIN, LATE, ROT, YEAR, DIES };
enum { LORIS, JOURNAL, COW, FFS, ALONE, STOP, LIVE };
enum { MAIL, TEXTS, OTHERS, WORKLOADS };

static struct rig_trial rig;
static struct trial_record record, again;

static void setup(void)
{
    rig_trial_init(&rig, text);
}

static void teardown(void)
{
    rig_trial_fini(&rig);
}

static void run(uint32_t variant, uint32_t workload, uint32_t fault, uint64_t n)
{
    lab_begin(rig.lab, variant, workload, n);
    lab_trial(rig.lab, fault, &record);
}

static uint32_t count(const char *layer, const char *what)
{
    uint32_t found = 0;
    for (uint32_t k = 0; k < record.event_count; k++)
        found +=
            strcmp(record.event[k].layer, layer) == 0 && strcmp(record.event[k].what, what) == 0;
    return found;
}

START_TEST(test_trial_resume__all_work_is_done_in_the_end)
{
    uint32_t restarts = 0;
    for (uint32_t v = LORIS; v <= FFS; v++)
        for (uint32_t w = MAIL; w < WORKLOADS; w++)
            for (uint32_t f = CUTS; f <= AGAIN; f++)
                for (uint64_t n = 0; n < TRIALS; n++) {
                    run(v, w, f, n);
                    ck_assert_msg(record.level <= LEVEL_SYNCED, "%u %u %u %u: %s", v, w, f,
                                  (unsigned)n, record.story);
                    ck_assert_uint_eq(count("oracle", "app-broken"), 0);
                    ck_assert_uint_eq(count("app", "stopped"), 0);
                    for (uint32_t a = 0; a < rig.lab->work.app_count; a++)
                        ck_assert(rig.lab->work.app[a].ended);
                    restarts += count("app", "restart");
                    ck_assert_uint_le(count("app", "restart"), count("oracle", "judged"));
                }
    ck_assert_uint_gt(restarts, (FFS + 1) * WORKLOADS * TRIALS * 2);
}
END_TEST

START_TEST(test_trial_resume__with_stop_the_dead_stay_so)
{
    run(LORIS, MAIL, CUTS, 0);
    uint64_t ops = record.ops;
    uint32_t killed = record.environment[0].killed;
    ck_assert_uint_eq(count("app", "restart"), 2);
    run(STOP, MAIL, CUTS, 0);
    ck_assert_uint_eq(count("app", "restart"), 0);
    ck_assert_uint_lt(record.ops, ops);
    ck_assert_uint_eq(record.environment[0].killed, killed); /* it counts who died, not how often */
    ck_assert(!rig.lab->work.app[0].ended);
}
END_TEST

/* On one disk and without checksums: bits that rot long after the first boot are seen by the next,
 * for what the first boot found is what must be there. */
START_TEST(test_trial_resume__a_loss_in_a_later_epoch_is_caught)
{
    for (uint64_t n = 0; n < TRIALS; n++) {
        run(ALONE, MAIL, LATE, n);
        ck_assert_int_le(record.level, LEVEL_SYNCED);
        ck_assert_uint_eq(record.bytes_wrong, 0);
        run(ALONE, MAIL, ROT, n);
        ck_assert_int_eq(record.level, LEVEL_SILENT);
        ck_assert_uint_gt(record.bytes_wrong, 0);
        ck_assert_uint_eq(count("app", "restart"), 1);
    }
}
END_TEST

/* A boot is read back once the check beside service is over, also if a disk dies during the check.
 */
START_TEST(test_trial_resume__a_check_is_awaited_though_a_disk_dies)
{
    uint32_t early = 0;
    for (uint64_t n = 0; n < 5 * TRIALS; n++) {
        run(LIVE, TEXTS, DIES, n); /* power is back 10 s after the cut */
        uint32_t checked = 0, degraded = UINT32_MAX, restart = UINT32_MAX;
        for (uint32_t k = 0; k < record.event_count; k++) {
            const char *what = record.event[k].what;
            if (strcmp(what, "checked") == 0)
                checked = k;
            else if (strcmp(what, "degraded") == 0)
                degraded = k;
            else if (strcmp(what, "restart") == 0)
                restart = k;
        }
        early += degraded < checked && restart < checked;
        ck_assert_msg(record.level <= LEVEL_SYNCED, "%u: %s", (unsigned)n, record.story);
    }
    ck_assert_uint_gt(early, 0);
}
END_TEST

START_TEST(test_trial_resume__a_year_of_cuts_meets_work_each_time)
{
    uint32_t restarts = 0;
    for (uint64_t n = 0; n < TRIALS; n++) {
        run(LORIS, MAIL, YEAR, n);
        ck_assert_int_le(record.level, LEVEL_DURABLE);
        ck_assert_uint_eq(record.exposure_ns, UINT64_C(8760) * 3600 * 1000000000);
        for (uint32_t a = 0; a < rig.lab->work.app_count; a++)
            ck_assert(rig.lab->work.app[a].ended);
        ck_assert_uint_eq(count("app", "restart"), count("kernel", "power"));
        restarts += count("app", "restart");
    }
    ck_assert_uint_ge(restarts, 2 * TRIALS);
}
END_TEST

START_TEST(test_trial_resume__runs_are_the_same_again)
{
    for (uint32_t v = LORIS; v <= FFS; v++)
        for (uint32_t f = CUTS; f <= AGAIN; f++) {
            run(v, OTHERS, f, 1);
            again = record;
            run(STOP, MAIL, LATE, 0);
            run(v, OTHERS, f, 1);
            again.wall_ns = record.wall_ns;
            ck_assert_mem_eq(&again, &record, sizeof(again));
        }
}
END_TEST

CHECK_MAIN("trial_resume", 120, tcase_add_checked_fixture(tc, setup, teardown);
           tcase_add_test(tc, test_trial_resume__all_work_is_done_in_the_end);
           tcase_add_test(tc, test_trial_resume__with_stop_the_dead_stay_so);
           tcase_add_test(tc, test_trial_resume__a_loss_in_a_later_epoch_is_caught);
           tcase_add_test(tc, test_trial_resume__a_check_is_awaited_though_a_disk_dies);
           tcase_add_test(tc, test_trial_resume__a_year_of_cuts_meets_work_each_time);
           tcase_add_test(tc, test_trial_resume__runs_are_the_same_again);)
