/*
 * H8 on the whole machine: bits change in what a layer keeps of the disk, at any time of a
 * run, and then the process dies or the power goes, so that what was kept would be used or written.
 */
#include "campaign/tests/hazards/rig_hazard.h"
#include "scripts/check_main.h"

static const char text[] =
    "campaign: flips\n"
    "seed: 3\n"
    "machine: {disks: {count: 2, profile: ssd-sata, size: 8MiB}, environments: 1}\n"
    "variants:\n"
    "  mirror: {stack: loris, raid: 1, checkpoint: 100ms, cache: 1MiB, log-size: 1MiB}\n"
    "  single: {like: mirror, raid: 0, machine: {disks: {count: 1}}}\n"
    "workloads:\n"
    "  mail: {app: postmark, files: 20, transactions: 60, think: 5ms, size: 512B..8KiB}\n"
    "faults:\n"
    "  metadata: [{kind: memory.flip, layer: physical, region: pages, at: uniform, bits: 1}]\n"
    "  data: [{kind: memory.flip, layer: cache, region: pages, at: uniform, bits: 1}]\n"
    "  log-then-crash:\n"
    "    - {kind: memory.flip, layer: cache, region: log, at: uniform, bits: 1}\n"
    "    - {kind: process.crash, layer: physical, at: {after: 1ms}}\n";

static struct rig_trial rig;

static void setup(void)
{
    hazard_init(&rig, text);
}

static void teardown(void)
{
    rig_trial_fini(&rig);
}

/* n differs, and with it when and where the bit is. */
static void flip(const char *cell, uint64_t trials, enum level weakest)
{
    static struct trial_record record;
    uint64_t whole = 0;
    for (uint64_t n = 0; n < trials; n++) {
        hazard_trial(&rig, cell, n, &record);
        whole += record.injected;
        ck_assert_msg(record.level <= weakest, "%s, n = %llu: %s: %s", cell, (unsigned long long)n,
                      level_name(record.level), record.story);
    }
    ck_assert_uint_gt(whole, trials / 2);
}

START_TEST(test_flips__h08_metadata_in_memory_is_not_believed)
{
    flip("single/mail/metadata", 150, LEVEL_TRANSPARENT);
    flip("mirror/mail/metadata", 100, LEVEL_TRANSPARENT);
}
END_TEST

START_TEST(test_flips__h08_pages_and_log_are_never_silent)
{
    flip("mirror/mail/data", 100, LEVEL_DETECTED);
    flip("mirror/mail/log-then-crash", 150, LEVEL_DETECTED);
}
END_TEST

CHECK_MAIN("flips", HAZARD_TIMEOUT_S, tcase_add_checked_fixture(tc, setup, teardown);
           tcase_add_test(tc, test_flips__h08_metadata_in_memory_is_not_believed);
           tcase_add_test(tc, test_flips__h08_pages_and_log_are_never_silent);)
