/*
 * Hazards of power cuts on the whole machine, by their numbers in stack/loris/INVARIANTS.md: the
 * power goes at every write of a run, other subsets of what was not flushed survive each time, and
 * a disk is lost before or after the recovery.
 */
#include "campaign/tests/hazards/rig_hazard.h"
#include "scripts/check_main.h"

/* Some files, overwritten in place, synced, renamed and removed, over several checkpoints. */
#define SCRIPT                                                                                     \
    "create a\\nwrite a 0 40000\\ncreate b\\nwrite b 0 9000\\nmkdir d\\nsync\\nwrite a 4096 "      \
    "8192\\n"                                                                                      \
    "write b 0 5000\\nsleep 60ms\\nrename b d/c\\nwrite a 8192 16384\\nfsync a\\nappend d/c "      \
    "3000\\n"                                                                                      \
    "create e\\nwrite e 0 20000\\nsleep 120ms\\nunlink a\\ncreate f\\nwrite f 0 30000\\nsync\\n"   \
    "write f 100 9000\\nwrite e 0 4096\\nsleep 120ms\\ntruncate f 5000\\nwrite e 4096 "            \
    "4096\\nsync\\n"

static const char text[] =
    "campaign: cuts\n"
    "seed: 3\n"
    "machine: {disks: {count: 2, profile: ssd-sata, size: 8MiB}, environments: 1}\n"
    "variants:\n"
    "  mirror: {stack: loris, raid: 1, checkpoint: 100ms, cache: 1MiB, log-size: 1MiB}\n"
    "  cow: {like: mirror, data: cow}\n"
    "workloads:\n"
    "  files: {app: script, operations: \"" SCRIPT "\"}\n"
    "faults:\n"
    "  cut: [{kind: power.cut, at: {write: 1}, cache: random}]\n"
    "  cut-and-disk:\n"
    "    - {kind: power.cut, at: {write: 1}, cache: random, tears: none, off-for: 50ms}\n"
    "    - {kind: disk.fail-stop, disk: any, at: {after: 10ms}}\n"
    "  cut-then-disk:\n"
    "    - {kind: power.cut, at: {write: 1}, cache: random, off-for: 50ms}\n"
    "    - {kind: disk.fail-stop, disk: any, at: {after: 5s}}\n";

static struct rig_trial rig;

static void setup(void)
{
    hazard_init(&rig, text);
}

static void teardown(void)
{
    rig_trial_fini(&rig);
}

START_TEST(test_cuts__h01_a_disk_lost_with_the_power_at_any_write)
{
    hazard_walk(&rig, &(struct hazard_walk){.cell = "cow/files/cut-and-disk",
                                            .most = 2000,
                                            .trials = 3,
                                            .weakest = LEVEL_DURABLE,
                                            .whole_above = 100});
    hazard_walk(&rig, &(struct hazard_walk){.cell = "mirror/files/cut-and-disk",
                                            .most = 2000,
                                            .trials = 3,
                                            .weakest = LEVEL_SYNCED,
                                            .whole_above = 100});
}
END_TEST

START_TEST(test_cuts__h02_both_copies_are_equal_after_a_cut_at_any_write)
{
    hazard_walk(&rig, &(struct hazard_walk){.cell = "mirror/files/cut-then-disk",
                                            .most = 2000,
                                            .trials = 4,
                                            .weakest = LEVEL_SYNCED,
                                            .whole_above = 100});
}
END_TEST

CHECK_MAIN("cuts", HAZARD_TIMEOUT_S, tcase_add_checked_fixture(tc, setup, teardown);
           tcase_add_test(tc, test_cuts__h01_a_disk_lost_with_the_power_at_any_write);
           tcase_add_test(tc, test_cuts__h02_both_copies_are_equal_after_a_cut_at_any_write);)
