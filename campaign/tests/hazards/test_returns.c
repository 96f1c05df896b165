/*
 * Hazards of disks that go and come back on the whole machine, by their numbers in
 * stack/loris/INVARIANTS.md.
 */
#include "campaign/tests/hazards/rig_hazard.h"
#include "scripts/check_main.h"

#define SCRIPT                                                                                     \
    "create a\\nwrite a 0 40000\\ncreate b\\nwrite b 0 9000\\nmkdir d\\nsync\\nwrite a 4096 "      \
    "8192\\nwrite b 0 5000\\nrename b d/c\\nfsync a\\nwrite a 8192 16384\\nappend d/c 3000\\n"     \
    "create e\\nwrite e 0 20000\\nsleep 40ms\\nunlink a\\ncreate f\\nwrite f 0 30000\\n"           \
    "sleep 200ms\\nwrite e 4096 8192\\nfsync e\\nwrite e 0 12000\\nread e 0 20000\\nsync\\n"

static const char text[] =
    "campaign: returns\n"
    "seed: 3\n"
    "machine: {disks: {count: 2, profile: ssd-sata, size: 8MiB}, environments: 1}\n"
    "variants:\n"
    "  mirror: {stack: loris, raid: 1, checkpoint: 100ms, cache: 1MiB, log-size: 1MiB}\n"
    "  cow: {like: mirror, data: cow}\n"
    "workloads:\n"
    "  files: {app: script, operations: \"" SCRIPT "\"}\n"
    "faults:\n"
    "  back: [{kind: disk.fail-stop, disk: any, at: {write: 1}, for: 30ms}]\n"
    "  back-then-other:\n"
    "    - {kind: disk.fail-stop, disk: 0, at: {write: 1}, for: 30ms}\n"
    "    - {kind: disk.fail-stop, disk: 1, at: {after: 20s}}\n"
    "  boot-without:\n"
    "    - {kind: power.cut, at: {write: 40}, cache: random, tears: none, off-for: 1s}\n"
    "    - {kind: disk.fail-stop, disk: any, at: {after: 500ms}, for: 1s}\n"
    "    - {kind: power.cut, at: {after: 500ms}, cache: random, tears: none, off-for: 1s}\n"
    "    - {kind: disk.fail-stop, disk: any, at: {after: 20s}}\n"
    "  lost-and-cut:\n"
    "    - {kind: disk.fail-stop, disk: any, at: {write: 1}, for: 500ms}\n"
    "    - {kind: power.cut, at: {after: 300us}, cache: random, tears: none, off-for: 1s}\n"
    "  join-and-cut:\n"
    "    - {kind: disk.fail-stop, disk: 0, at: {write: 20}, for: 30ms}\n"
    "    - {kind: power.cut, at: {after: 30ms}, cache: random, tears: none, off-for: 100ms}\n"
    "    - {kind: disk.fail-stop, disk: 1, at: {after: 20s}}\n"
    "  join-and-crash:\n"
    "    - {kind: disk.fail-stop, disk: 0, at: {write: 20}, for: 30ms}\n"
    "    - {kind: process.crash, layer: logical, at: {after: 30ms}}\n"
    "    - {kind: disk.fail-stop, disk: 1, at: {after: 20s}}\n";

static struct rig_trial rig;

static void setup(void)
{
    hazard_init(&rig, text);
}

static void teardown(void)
{
    rig_trial_fini(&rig);
}

START_TEST(test_returns__h04_a_disk_that_comes_back_is_not_believed)
{
    hazard_walk(&rig, &(struct hazard_walk){.cell = "mirror/files/back",
                                            .most = 300,
                                            .trials = 2,
                                            .weakest = LEVEL_TRANSPARENT,
                                            .whole_above = 50});
    hazard_walk(&rig, &(struct hazard_walk){.cell = "mirror/files/back-then-other",
                                            .most = 300,
                                            .trials = 2,
                                            .weakest = LEVEL_TRANSPARENT,
                                            .whole_above = 50});
}
END_TEST

START_TEST(test_returns__h27_a_start_without_a_disk_that_then_returns)
{
    static const char *const cells[] = {"cow/files/boot-without", "mirror/files/boot-without"};
    for (uint32_t k = 0; k < 2; k++) {
        hazard_walk(&rig, &(struct hazard_walk){.cell = cells[k],
                                                .entry = 2,
                                                .first = 500000000,
                                                .step = 100000,
                                                .last = 510000000,
                                                .most = 300,
                                                .trials = 4,
                                                .weakest = k == 0 ? LEVEL_DURABLE : LEVEL_SYNCED,
                                                .whole_above = 50});
    }
}
END_TEST

START_TEST(test_returns__h29_a_mirror_lost_at_any_write_then_a_cut_then_it_is_back)
{
    static const char *const cells[] = {"cow/files/lost-and-cut", "mirror/files/lost-and-cut"};
    for (uint32_t k = 0; k < 2; k++) {
        hazard_walk(&rig, &(struct hazard_walk){.cell = cells[k],
                                                .most = 300,
                                                .trials = 4,
                                                .weakest = k == 0 ? LEVEL_DURABLE : LEVEL_SYNCED,
                                                .whole_above = 50});
    }
}
END_TEST

/* Every place of the join and the rebuild; then the copy that was made is all there is. */
START_TEST(test_returns__h30_faults_while_it_is_made_whole_again)
{
    static const struct {
        const char *cell;
        enum level weakest;
    } cells[] = {{"cow/files/join-and-cut", LEVEL_DURABLE},
                 {"mirror/files/join-and-cut", LEVEL_SYNCED},
                 {"mirror/files/join-and-crash", LEVEL_TRANSPARENT}};
    for (uint32_t k = 0; k < 3; k++) {
        hazard_walk(&rig, &(struct hazard_walk){.cell = cells[k].cell,
                                                .entry = 1,
                                                .first = 20000000,
                                                .step = 1000000,
                                                .last = 140000000,
                                                .most = 300,
                                                .trials = 2,
                                                .weakest = cells[k].weakest,
                                                .whole_above = 50});
    }
}
END_TEST

CHECK_MAIN("returns", HAZARD_TIMEOUT_S, tcase_add_checked_fixture(tc, setup, teardown);
           tcase_add_test(tc, test_returns__h04_a_disk_that_comes_back_is_not_believed);
           tcase_add_test(tc, test_returns__h27_a_start_without_a_disk_that_then_returns);
           tcase_add_test(tc,
                          test_returns__h29_a_mirror_lost_at_any_write_then_a_cut_then_it_is_back);
           tcase_add_test(tc, test_returns__h30_faults_while_it_is_made_whole_again);)
