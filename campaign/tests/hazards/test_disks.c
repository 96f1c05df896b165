/*
 * Hazards of sick disks on the whole machine, by their numbers in stack/loris/INVARIANTS.md.
 */
#define _GNU_SOURCE /* fopencookie */
#include <stdio.h>
#include <string.h>

#include "campaign/tests/hazards/rig_hazard.h"
#include "campaign/trial_private.h"
#include "scripts/check_main.h"
#include "sim/disk.h"

#define SCRIPT                                                                                     \
    "create a\\nwrite a 0 40000\\ncreate b\\nwrite b 0 9000\\nmkdir d\\nsync\\nwrite a 4096 "      \
    "8192\\nwrite b 0 5000\\nrename b d/c\\nfsync a\\nwrite a 8192 16384\\nappend d/c 3000\\n"     \
    "create e\\nwrite e 0 20000\\nsleep 40ms\\nunlink a\\ncreate f\\nwrite f 0 30000\\n"           \
    "sleep 200ms\\nwrite e 4096 8192\\nfsync e\\nwrite e 0 12000\\nread e 0 20000\\nsync\\n"
/* A disk is filled; what is given back is used again at once. */
#define W(name) "create " name "\\nwrite " name " 0 250000\\n"
#define W5(a, b, c, d, e) W(a) W(b) W(c) W(d) W(e)
#define W20                                                                                        \
    W5("a", "b", "c", "d", "e")                                                                    \
    W5("f", "g", "h", "i", "j")                                                                    \
    W5("k", "l", "m", "n", "o")                                                                    \
    W5("p", "q", "r", "s", "t")
#define AGAIN "sync\\nunlink b\\n" W("u") "unlink c\\nunlink d\\n" W("v") "fsync v\\nunlink e\\n"
#define FULL W20 AGAIN W("w") W("x") "sync\\n"

static const char text[] =
    "campaign: disks\n"
    "seed: 3\n"
    "machine: {disks: {count: 2, profile: ssd-sata, size: 8MiB}, environments: 1}\n"
    "variants:\n"
    "  mirror: {stack: loris, raid: 1, checkpoint: 100ms, cache: 1MiB, log-size: 1MiB}\n"
    "  cow: {like: mirror, data: cow}\n"
    "  small: {like: mirror, cache: 4MiB, checkpoint: 1s}\n"
    "  single: {like: mirror, raid: 0, machine: {disks: {count: 1}}}\n"
    "  spared: {like: mirror, machine: {spares: 1}}\n"
    "workloads:\n"
    "  files: {app: script, operations: \"" SCRIPT "\"}\n"
    "  full: {app: script, operations: \"" FULL "\"}\n"
    "faults:\n"
    "  none: []\n"
    "  cut: [{kind: power.cut, at: {write: 1}, cache: random}]\n"
    "  disk-and-cut:\n"
    "    - {kind: disk.fail-stop, disk: any, at: {write: 1}}\n"
    "    - {kind: power.cut, at: {after: 200us}, cache: random, tears: none}\n"
    "  disk-then-cut:\n"
    "    - {kind: disk.fail-stop, disk: any, at: {write: 1}}\n"
    "    - {kind: power.cut, at: {after: 20ms}, cache: random}\n"
    "  disk-cut-back:\n"
    "    - {kind: disk.fail-stop, disk: any, at: {write: 1}, for: 5s}\n"
    "    - {kind: power.cut, at: {after: 3ms}, cache: random, tears: none, off-for: 6s}\n"
    "  cut-then-disk:\n"
    "    - {kind: power.cut, at: {write: 1}, cache: random, tears: none, off-for: 1ms}\n"
    "    - {kind: disk.fail-stop, disk: any, at: {recovery: uniform}}\n"
    "  slow: [{kind: disk.fail-slow, disk: any, at: {write: 1}, factor: 1000000, for: 100s}]\n"
    "  dead-and-latent:\n"
    "    - {kind: disk.fail-stop, disk: 0, at: {write: 1}}\n"
    "    - {kind: disk.latent-error, disk: 1, at: {after: 100us}, count: 4}\n"
    "  lie-and-cut:\n"
    "    - {kind: disk.lying-flush, disk: any, at: {write: 1}}\n"
    "    - {kind: power.cut, at: {after: 30ms}, cache: random}\n"
    "  driver: [{kind: process.crash, layer: driver, instance: 0, at: {write: 1, disk: 0}}]\n"
    "  driver-1-and-cut:\n"
    "    - {kind: process.crash, layer: driver, instance: 1, at: {write: 1, disk: 1}}\n"
    "    - {kind: power.cut, at: {after: 70ms}, cache: random}\n";

static struct rig_trial rig;

static void setup(void)
{
    hazard_init(&rig, text);
}

static void teardown(void)
{
    rig_trial_fini(&rig);
}

static struct hazard_tally walk(const char *cell, uint64_t step, uint64_t trials,
                                enum level weakest, uint64_t whole_above)
{
    return hazard_walk(&rig, &(struct hazard_walk){.cell = cell,
                                                   .step = step,
                                                   .most = 1000,
                                                   .trials = trials,
                                                   .weakest = weakest,
                                                   .whole_above = whole_above});
}

START_TEST(test_disks__h05_blocks_of_a_full_disk_are_not_used_again_too_early)
{
    walk("small/full/cut", 3, 3, LEVEL_SYNCED, 90);
}
END_TEST

START_TEST(test_disks__h22_a_disk_dies_then_the_power_goes)
{
    walk("cow/files/disk-and-cut", 1, 3, LEVEL_DURABLE, 90);
    walk("mirror/files/disk-and-cut", 1, 4, LEVEL_SYNCED, 90);
    walk("mirror/files/disk-then-cut", 1, 3, LEVEL_SYNCED, 90);
}
END_TEST

/* The number that it did not prepare was acknowledged without it: it must not hide that. */
START_TEST(test_disks__h22_a_disk_dies_then_the_power_goes_then_it_is_back)
{
    walk("cow/files/disk-cut-back", 1, 3, LEVEL_DURABLE, 90);
    walk("mirror/files/disk-cut-back", 1, 3, LEVEL_SYNCED, 90);
}
END_TEST

START_TEST(test_disks__h22_the_power_goes_then_a_disk_dies)
{
    walk("cow/files/cut-then-disk", 1, 3, LEVEL_DURABLE, 90);
    walk("mirror/files/cut-then-disk", 1, 3, LEVEL_SYNCED, 90);
}
END_TEST

START_TEST(test_disks__h23_a_bad_block_of_the_source_costs_itself_alone)
{
    walk("spared/files/dead-and-latent", 1, 3, LEVEL_DETECTED, 90);
}
END_TEST

START_TEST(test_disks__h24_a_disk_slower_than_every_time_out_is_given_up)
{
    walk("mirror/files/slow", 1, 2, LEVEL_TRANSPARENT, 50);
}
END_TEST

START_TEST(test_disks__h32_a_disk_that_lied_is_left_out)
{
    walk("mirror/files/lie-and-cut", 1, 4, LEVEL_DURABLE, 50);
}
END_TEST

/* Alone it has nothing to fall back on: refused or reported, never wrong. */
START_TEST(test_disks__h32_the_lie_of_an_only_disk_is_never_silent)
{
    struct hazard_tally t = walk("single/files/lie-and-cut", 1, 4, LEVEL_DEAD, 50);
    ck_assert_uint_eq(t.level[LEVEL_SILENT], 0);
}
END_TEST

/* ---- H19 ---- */

static uint32_t resets, reset_of;

/* Is told the events of a trial: when a driver is killed, its device is reset and loses its cache.
 */
static ssize_t reset_device(void *cookie, const char *bytes, size_t count)
{
    (void)cookie;
    if (memmem(bytes, count, "fault injected", 14) != NULL) {
        struct sim_disk *disk = sim_machine_disk(rig.lab->machine, reset_of);
        sim_disk_fail_stop(disk);
        sim_disk_revive(disk);
        resets++;
    }
    return (ssize_t)count;
}

START_TEST(test_disks__h19_a_reset_that_drops_acknowledged_writes_is_made_good)
{
    FILE *told = fopencookie(NULL, "w", (cookie_io_functions_t){.write = reset_device});
    ck_assert_ptr_nonnull(told);
    setvbuf(told, NULL, _IOLBF, 4096);
    lab_tell(rig.lab, told);
    reset_of = 0; /* without a mirror to mend it from */
    struct hazard_tally t = walk("single/files/driver", 1, 2, LEVEL_TRANSPARENT, 50);
    ck_assert_uint_ge(resets, t.whole);
    reset_of = 1;
    walk("mirror/files/driver-1-and-cut", 1, 2, LEVEL_SYNCED, 50);
    lab_tell(rig.lab, NULL);
    (void)fclose(told);
}
END_TEST

CHECK_MAIN("disks", HAZARD_TIMEOUT_S, tcase_add_checked_fixture(tc, setup, teardown);
           tcase_add_test(tc, test_disks__h05_blocks_of_a_full_disk_are_not_used_again_too_early);
           tcase_add_test(tc, test_disks__h19_a_reset_that_drops_acknowledged_writes_is_made_good);
           tcase_add_test(tc, test_disks__h22_a_disk_dies_then_the_power_goes);
           tcase_add_test(tc, test_disks__h22_a_disk_dies_then_the_power_goes_then_it_is_back);
           tcase_add_test(tc, test_disks__h22_the_power_goes_then_a_disk_dies);
           tcase_add_test(tc, test_disks__h23_a_bad_block_of_the_source_costs_itself_alone);
           tcase_add_test(tc, test_disks__h24_a_disk_slower_than_every_time_out_is_given_up);
           tcase_add_test(tc, test_disks__h32_a_disk_that_lied_is_left_out);
           tcase_add_test(tc, test_disks__h32_the_lie_of_an_only_disk_is_never_silent);)
