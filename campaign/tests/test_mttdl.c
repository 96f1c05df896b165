/*
 * Disks that die and are replaced, on the real stack, against the textbook's Markov chains
 * (Patterson, Gibson, Katz, SIGMOD 1988): time to data loss with exponential life and repair. Rates
 * are inflated, so that a few trials tell; each has a year or until the loss. The estimate of a
 * constant rate from censored times is losses / time at risk, with Garwood's exact interval; the
 * chain starts with all disks up, which at these rates is a loss less in a hundred.
 */
#include <string.h>

#include "campaign/tests/rig_trial.h"
#include "campaign/trial_private.h"
#include "results/stats_rare.h"
#include "results/stats_survival.h"
#include "scripts/check_main.h"

#define YEAR_NS 31536000e9
#define SELDOM 1.5 /* deaths of a disk a year, by fault plan */
#define OFTEN 3.0
#define MU (365.0 / 10) /* repairs a year: 10 days on average */
#define TRIALS 40

static const char text[] =
    "campaign: mttdl\n"
    "seed: 11\n"
    "machine: {disks: {count: 2, size: 32MiB, profile: ssd-sata}, environments: 1}\n"
    "variants:\n"
    "  raid-0: {stack: loris, raid: 0, cache: 2MiB, log-size: 1MiB}\n"
    "  raid-1: {like: raid-0, raid: 1}\n"
    "  raid-5: {like: raid-0, raid: 5, machine: {disks: {count: 4}}}\n"
    "workloads: {file: {app: fsx, operations: 150, size: 512KiB, sync: 2}}\n"
    "faults:\n"
    "  seldom: [{kind: disk.fail-stop, at: {rate: 1.5/year, over: 1year}, replace: {exponential: "
    "10days}}]\n"
    "  often: [{kind: disk.fail-stop, at: {rate: 3/year, over: 1year}, replace: {exponential: "
    "10days}}]\n";

static struct trial_record record;

/* Years at risk, and whether they ended with a loss. */
static double run(struct rig_trial *rig, uint32_t variant, uint32_t fault, uint64_t n,
                  uint64_t *losses)
{
    lab_begin(rig->lab, variant, 0, n);
    lab_trial(rig->lab, fault, &record);
    for (uint32_t i = 0; i < record.event_count; i++)
        if (strcmp(record.event[i].what, "loss") == 0) {
            ++*losses;
            return (double)record.event[i].time_ns / YEAR_NS;
        }
    return 1;
}

static void compare(uint32_t variant, uint32_t fault, const struct disk_group *chain)
{
    double mttdl_years = stats_mttdl(chain);
    struct rig_trial rig;
    uint64_t losses = 0;
    double years = 0;
    rig_trial_init(&rig, text);
    for (uint64_t n = 0; n < TRIALS; n++)
        years += run(&rig, variant, fault, n, &losses);
    rig_trial_fini(&rig);
    struct interval rate = stats_rate_interval(losses, years, 0.05);
    ck_assert_uint_ge(losses, 10);
    ck_assert_msg(rate.low <= 1 / mttdl_years && 1 / mttdl_years <= rate.high,
                  "%.4g years; of %llu losses in %.4g years: %.4g to %.4g", mttdl_years,
                  (unsigned long long)losses, years, 1 / rate.high, 1 / rate.low);
    /* And it is no interval that anything fits in. */
    ck_assert(rate.high < 4 * rate.low);
}

/* n disks, none may die: 1 / (n lambda). */
START_TEST(test_mttdl__of_raid_0_is_that_of_the_first_death)
{
    compare(0, 0, &(struct disk_group){2, 0, SELDOM, MU, true});
}
END_TEST

/* (3 lambda + mu) / (2 lambda^2). */
START_TEST(test_mttdl__of_raid_1_is_that_of_its_chain)
{
    compare(1, 1, &(struct disk_group){2, 1, OFTEN, MU, true});
}
END_TEST

/* ((2n - 1) lambda + mu) / (n (n - 1) lambda^2), n = 4. */
START_TEST(test_mttdl__of_raid_5_is_that_of_its_chain)
{
    compare(2, 0, &(struct disk_group){4, 1, SELDOM, MU, true});
}
END_TEST

CHECK_MAIN("mttdl", 300, tcase_add_test(tc, test_mttdl__of_raid_0_is_that_of_the_first_death);
           tcase_add_test(tc, test_mttdl__of_raid_1_is_that_of_its_chain);
           tcase_add_test(tc, test_mttdl__of_raid_5_is_that_of_its_chain);)
