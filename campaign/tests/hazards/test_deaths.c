/*
 * Hazards of deaths on the whole machine, by their numbers in stack/loris/INVARIANTS.md: processes
 * die in the middle of a recovery, over and over, or while a slow disk holds what they asked for.
 */
#include "campaign/tests/hazards/rig_hazard.h"
#include "scripts/check_main.h"

#define SCRIPT                                                                                     \
    "create a\\nwrite a 0 40000\\ncreate b\\nwrite b 0 9000\\nmkdir d\\nsync\\nwrite a 4096 "      \
    "8192\\nwrite b 0 5000\\nrename b d/c\\nwrite a 8192 16384\\nappend d/c 3000\\ncreate e\\n"    \
    "write e 0 20000\\nsleep 40ms\\nunlink a\\ncreate f\\nwrite f 0 30000\\nsleep 200ms\\nsync\\n"

static const char text[] =
    "campaign: deaths\n"
    "seed: 3\n"
    "machine: {disks: {count: 2, profile: ssd-sata, size: 8MiB}, environments: 1}\n"
    "variants:\n"
    "  mirror: {stack: loris, raid: 1, checkpoint: 100ms, cache: 1MiB, log-size: 1MiB}\n"
    "  parity: {like: mirror, raid: 5, machine: {disks: {count: 3}}}\n"
    "workloads:\n"
    "  files: {app: script, operations: \"" SCRIPT "\"}\n"
    "faults:\n"
    "  physical: [{kind: process.crash, layer: physical, at: {probe: ckpt-data-down, n: 2}}]\n"
    "  logical: [{kind: process.crash, layer: logical, at: {probe: ckpt-data-down, n: 2}}]\n"
    "  cut: [{kind: power.cut, at: {probe: ckpt-data-down, n: 2}, cache: random, off-for: 1ms}]\n"
    "  physical-physical:\n"
    "    - {kind: process.crash, layer: physical, at: {probe: ckpt-data-down, n: 2}}\n"
    "    - {kind: process.crash, layer: physical, at: {recovery: 1us}}\n"
    "  physical-logical:\n"
    "    - {kind: process.crash, layer: physical, at: {probe: ckpt-data-down, n: 2}}\n"
    "    - {kind: process.crash, layer: logical, at: {recovery: 1us}}\n"
    "  logical-physical:\n"
    "    - {kind: process.crash, layer: logical, at: {probe: ckpt-data-down, n: 2}}\n"
    "    - {kind: process.crash, layer: physical, at: {recovery: 1us}}\n"
    "  logical-driver:\n"
    "    - {kind: process.crash, layer: logical, at: {probe: ckpt-data-down, n: 2}}\n"
    "    - {kind: process.crash, layer: driver, at: {recovery: 1us}}\n"
    "  physical-cut:\n"
    "    - {kind: process.crash, layer: physical, at: {probe: ckpt-data-down, n: 2}}\n"
    "    - {kind: power.cut, at: {recovery: 1us}, cache: random}\n"
    "  cut-cut:\n"
    "    - {kind: power.cut, at: {probe: ckpt-data-down, n: 2}, cache: random, off-for: 1ms}\n"
    "    - {kind: power.cut, at: {recovery: 1us}, cache: random}\n"
    "  cut-physical:\n"
    "    - {kind: power.cut, at: {probe: ckpt-data-down, n: 2}, cache: random, off-for: 1ms}\n"
    "    - {kind: process.crash, layer: physical, at: {recovery: 1us}}\n"
    "  slow-and-physical:\n"
    "    - {kind: disk.fail-slow, disk: 0, at: {time: 0s}, factor: 300}\n"
    "    - {kind: process.crash, layer: physical, instance: 0, at: {write: 1, disk: 0}}\n"
    "  slow-and-driver:\n"
    "    - {kind: disk.fail-slow, disk: 0, at: {time: 0s}, factor: 300}\n"
    "    - {kind: process.crash, layer: driver, instance: 0, at: {write: 1, disk: 0}}\n"
    "  at-probes:\n"
    "    - {kind: process.crash, layer: physical, at: {probe: ckpt-data-down, n: 2}}\n"
    "    - {kind: process.crash, layer: logical, at: {probe: logical-chosen, n: 1}}\n"
    "    - {kind: process.crash, layer: physical, at: {probe: cache-replay-record, n: 1}}\n"
    "  between:\n"
    "    - {kind: process.crash, layer: logical, at: {write: 1}}\n"
    "    - {kind: disk.fail-stop, disk: any, at: {after: 3s}}\n"
    "  between-twice:\n"
    "    - {kind: process.crash, layer: physical, at: {write: 1}}\n"
    "    - {kind: process.crash, layer: physical, at: {recovery: uniform}}\n"
    "    - {kind: disk.fail-stop, disk: any, at: {after: 3s}}\n"
    "  parity-cut:\n"
    "    - {kind: power.cut, at: {write: 1}, cache: random, off-for: 50ms}\n"
    "    - {kind: disk.fail-stop, disk: any, at: {after: 3s}}\n";

static struct rig_trial rig;

static void setup(void)
{
    hazard_init(&rig, text);
}

static void teardown(void)
{
    rig_trial_fini(&rig);
}

START_TEST(test_deaths__h03_a_crash_before_the_parity_then_a_lost_disk)
{
    static const char *const cells[] = {"parity/files/between", "parity/files/between-twice"};
    for (uint32_t k = 0; k < 2; k++) {
        hazard_walk(&rig, &(struct hazard_walk){.cell = cells[k],
                                                .most = 300,
                                                .trials = 2,
                                                .weakest = LEVEL_TRANSPARENT,
                                                .whole_above = 20});
    }
    hazard_walk(&rig, &(struct hazard_walk){.cell = "parity/files/parity-cut",
                                            .most = 300,
                                            .trials = 3,
                                            .weakest = LEVEL_DURABLE,
                                            .whole_above = 100});
}
END_TEST

/* The second fault at a hundred places of the recovery from the first, which `alone` has alone. */
static void nested(const char *variant, const char *alone, const char *both, enum level weakest)
{
    static struct trial_record record;
    char cell[100];
    (void)snprintf(cell, sizeof(cell), "%s/files/%s", variant, alone);
    hazard_trial(&rig, cell, 0, &record);
    ck_assert_int_gt(record.recovery_ns, 1000000);
    (void)snprintf(cell, sizeof(cell), "%s/files/%s", variant, both);
    uint64_t step = (uint64_t)record.recovery_ns / 100;
    hazard_walk(&rig, &(struct hazard_walk){.cell = cell,
                                            .entry = 1,
                                            .first = 1000,
                                            .step = step,
                                            .last = 110 * step,
                                            .most = 200,
                                            .trials = 2,
                                            .weakest = weakest,
                                            .whole_above = 80});
}

START_TEST(test_deaths__h09_a_process_dies_while_another_death_is_recovered_from)
{
    nested("mirror", "physical", "physical-physical", LEVEL_TRANSPARENT);
    nested("mirror", "physical", "physical-logical", LEVEL_TRANSPARENT);
    nested("mirror", "logical", "logical-physical", LEVEL_TRANSPARENT);
    nested("mirror", "logical", "logical-driver", LEVEL_TRANSPARENT);
    nested("parity", "physical", "physical-logical", LEVEL_TRANSPARENT);
}
END_TEST

START_TEST(test_deaths__h09_a_process_dies_at_each_record_of_the_replay)
{
    hazard_walk(&rig, &(struct hazard_walk){.cell = "mirror/files/at-probes",
                                            .entry = 2,
                                            .most = 200,
                                            .trials = 2,
                                            .weakest = LEVEL_TRANSPARENT,
                                            .whole_above = 10});
}
END_TEST

START_TEST(test_deaths__h09_a_cut_while_a_crash_or_a_cut_is_recovered_from)
{
    nested("mirror", "physical", "physical-cut", LEVEL_SYNCED);
    nested("mirror", "cut", "cut-cut", LEVEL_SYNCED);
    nested("mirror", "cut", "cut-physical", LEVEL_SYNCED);
    nested("parity", "cut", "cut-cut", LEVEL_DURABLE);
}
END_TEST

START_TEST(test_deaths__h14_what_a_slow_disk_still_holds_is_over_when_its_client_dies)
{
    static const char *const cells[] = {"mirror/files/slow-and-physical",
                                        "mirror/files/slow-and-driver"};
    for (uint32_t k = 0; k < 2; k++) {
        hazard_walk(&rig, &(struct hazard_walk){.cell = cells[k],
                                                .entry = 1,
                                                .most = 300,
                                                .trials = 2,
                                                .weakest = LEVEL_TRANSPARENT,
                                                .whole_above = 25});
    }
}
END_TEST

CHECK_MAIN(
    "deaths", HAZARD_TIMEOUT_S, tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_deaths__h03_a_crash_before_the_parity_then_a_lost_disk);
    tcase_add_test(tc, test_deaths__h09_a_process_dies_while_another_death_is_recovered_from);
    tcase_add_test(tc, test_deaths__h09_a_process_dies_at_each_record_of_the_replay);
    tcase_add_test(tc, test_deaths__h09_a_cut_while_a_crash_or_a_cut_is_recovered_from);
    tcase_add_test(tc, test_deaths__h14_what_a_slow_disk_still_holds_is_over_when_its_client_dies);)
