/*
 * Hazards of fsync=log on the whole machine, by their number in stack/loris/INVARIANTS.md: the
 * power goes at every write of a run that syncs before, during and after checkpoints, and then at
 * every write of the recovery from that.
 */
#include "campaign/tests/hazards/rig_hazard.h"
#include "scripts/check_main.h"

#define SCRIPT                                                                                     \
    "create a\\nwrite a 0 40000\\nfsync a\\nmkdir d\\ncreate b\\nwrite b 0 9000\\nfsync b\\n"      \
    "sleep 60ms\\nwrite a 4096 8192\\nrename b d/c\\nfsync d/c\\nsleep 60ms\\n"                    \
    "truncate a 5000\\nappend d/c 3000\\nfsync a\\nunlink a\\ncreate e\\nwrite e 0 20000\\n"       \
    "fsync e\\nsync\\nwrite e 100 9000\\nfsync e\\nsleep 90ms\\nwrite d/c 0 4096\\nfsync d/c\\n"

static const char text[] =
    "campaign: groups\n"
    "seed: 3\n"
    "machine: {disks: {count: 2, profile: ssd-sata, size: 8MiB}, environments: 1}\n"
    "variants:\n"
    "  mirror: {stack: loris, raid: 1, checkpoint: 50ms, cache: 1MiB, log-size: 1MiB, fsync: log}\n"
    "  cow: {like: mirror, data: cow}\n"
    "workloads:\n"
    "  files: {app: script, operations: \"" SCRIPT "\"}\n"
    "faults:\n"
    "  cut: [{kind: power.cut, at: {write: 1}, cache: random}]\n"
    "  cut-and-disk:\n"
    "    - {kind: power.cut, at: {write: 1}, cache: random, tears: none, off-for: 50ms}\n"
    "    - {kind: disk.fail-stop, disk: any, at: {after: 10ms}}\n"
    "  cut-cut:\n"
    "    - {kind: power.cut, at: {probe: cache-group-stable, n: 6}, cache: random}\n"
    "    - {kind: power.cut, at: {write: 1}, cache: random}\n";

static struct rig_trial rig;

static void setup(void)
{
    hazard_init(&rig, text);
}

static void teardown(void)
{
    rig_trial_fini(&rig);
}

START_TEST(test_groups__h34_a_cut_at_any_write)
{
    struct hazard_tally t = hazard_walk(
        &rig, &(struct hazard_walk){
                  .cell = "cow/files/cut", .most = 2000, .trials = 4, .weakest = LEVEL_DURABLE});
    ck_assert_uint_gt(t.whole, 100);
    t = hazard_walk(
        &rig, &(struct hazard_walk){
                  .cell = "mirror/files/cut", .most = 2000, .trials = 4, .weakest = LEVEL_SYNCED});
    ck_assert_uint_gt(t.whole, 100);
}
END_TEST

/* Each disk has every group. */
START_TEST(test_groups__h34_a_disk_lost_with_the_power_at_any_write)
{
    struct hazard_tally t = hazard_walk(
        &rig,
        &(struct hazard_walk){
            .cell = "cow/files/cut-and-disk", .most = 2000, .trials = 3, .weakest = LEVEL_DURABLE});
    ck_assert_uint_gt(t.whole, 100);
}
END_TEST

/* Up to service: the checkpoint that comes then is cut short in the tests of the cache. */
START_TEST(test_groups__h34_a_cut_at_any_write_of_the_recovery)
{
    struct hazard_tally t = hazard_walk(&rig, &(struct hazard_walk){.cell = "cow/files/cut-cut",
                                                                    .entry = 1,
                                                                    .most = 2000,
                                                                    .trials = 6,
                                                                    .weakest = LEVEL_DURABLE});
    ck_assert_uint_gt(t.whole, 30);
}
END_TEST

CHECK_MAIN("groups", HAZARD_TIMEOUT_S, tcase_add_checked_fixture(tc, setup, teardown);
           tcase_add_test(tc, test_groups__h34_a_cut_at_any_write);
           tcase_add_test(tc, test_groups__h34_a_disk_lost_with_the_power_at_any_write);
           tcase_add_test(tc, test_groups__h34_a_cut_at_any_write_of_the_recovery);)
