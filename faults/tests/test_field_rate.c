/* Field rates: how many strikes, when, of whom; that draws are keyed by target; disks that are
 * replaced. */
#include <math.h>
#include <string.h>

#include "faults/inject.h"
#include "faults/tests/rig.h"
#include "scripts/check_main.h"

#define TRIALS 2000u
#define OVER_NS (UINT64_C(1000) * RIG_MS)

static struct fault *rated(enum fault_kind kind, double mean_ns)
{
    struct fault *f = rig_fault(kind, FAULT_AT_RATE, 0);
    f->at.number = (struct amount){.kind = AMOUNT_EXPONENTIAL, .low = 1, .first = mean_ns};
    f->at.over_ns = OVER_NS;
    return f;
}

/* Arms trial n for `disks` disks and returns how many strikes were drawn. */
static size_t arm(uint64_t n, uint32_t disks)
{
    static struct stack_options options;
    uint64_t at_ns = 0;
    injector_disarm(rig.injector);
    options = rig.options;
    options.disks = disks;
    struct inject_setup setup = {.machine = rig.machine,
                                 .options = &options,
                                 .plan = &rig.plan,
                                 .count = rig.plan.count,
                                 .seed = 9,
                                 .n = n,
                                 .offer = &rig.offer,
                                 .over_ns = OVER_NS,
                                 .origin_ns = sim_machine_now(rig.machine)};
    injector_arm(rig.injector, &setup);
    return injector_rated(rig.injector, 0, &at_ns);
}

/* 3 a target and trial are expected: of 4000 targets the mean is within 4 standard errors, and the
 * variance of a Poisson count is its mean (its own standard error here: 3 * sqrt(2 / 2000)). */
START_TEST(test_field_rate__a_rate_is_a_poisson_process_of_each_target)
{
    double sum = 0, squares = 0;
    rated(FAULT_DISK_FAIL_STOP, (double)OVER_NS / 3);
    for (uint64_t n = 0; n < TRIALS; n++) {
        double x = (double)arm(n, RIG_DISKS);
        sum += x;
        squares += x * x;
    }
    double mean = sum / TRIALS, variance = squares / TRIALS - mean * mean;
    ck_assert(fabs(mean - 6) < 4 * sqrt(6.0 / TRIALS));
    ck_assert(fabs(variance - 6) < 4 * 6 * sqrt(2.0 / TRIALS));
}
END_TEST

START_TEST(test_field_rate__strikes_are_sorted_and_within_the_calendar)
{
    rated(FAULT_DISK_FAIL_STOP, (double)OVER_NS / 20);
    rated(FAULT_POWER_CUT, (double)OVER_NS / 20);
    size_t count = arm(1, RIG_DISKS);
    ck_assert_uint_gt(count, 30);
    uint64_t before = 0, at_ns = 0;
    for (size_t k = 0; k < count; k++, before = at_ns) {
        (void)injector_rated(rig.injector, k, &at_ns);
        ck_assert_uint_ge(at_ns, before);
        ck_assert_uint_lt(at_ns, OVER_NS);
    }
}
END_TEST

START_TEST(test_field_rate__a_target_has_the_same_days_beside_any_others)
{
    rated(FAULT_DISK_FAIL_STOP, (double)OVER_NS / 5);
    for (uint64_t n = 0; n < 50; n++) {
        uint64_t alone[64], at_ns = 0;
        size_t one = arm(n, 1), found = 0;
        ck_assert_uint_lt(one, 64);
        for (size_t k = 0; k < one; k++)
            (void)injector_rated(rig.injector, k, &alone[k]);
        size_t both = arm(n, 2);
        for (size_t k = 0; k < both; k++) {
            (void)injector_rated(rig.injector, k, &at_ns);
            found += found < one && at_ns == alone[found];
        }
        ck_assert_uint_eq(found, one);
    }
}
END_TEST

/* {weibull: [2, s]}: mean s * Gamma(1.5) = 0.886 s, so that a renewal comes more evenly than
 * Poisson's: the variance of the count is far below its mean. */
START_TEST(test_field_rate__a_distribution_is_that_of_the_time_between_strikes)
{
    double sum = 0, squares = 0;
    struct fault *f = rated(FAULT_POWER_CUT, 1);
    f->at.number = (struct amount){
        .kind = AMOUNT_WEIBULL, .low = 1, .first = 2, .second = (double)OVER_NS / 20};
    for (uint64_t n = 0; n < TRIALS; n++) {
        double x = (double)arm(n, RIG_DISKS);
        sum += x;
        squares += x * x;
    }
    double mean = sum / TRIALS, variance = squares / TRIALS - mean * mean;
    ck_assert(fabs(mean - 20 / 0.886227) < 0.6); /* less about 0.36: the first begins new */
    ck_assert(variance < 0.4 * mean);
}
END_TEST

START_TEST(test_field_rate__each_strike_is_told_and_nothing_stays_when_it_is_disarmed)
{
    struct fault *f = rated(FAULT_DISK_LATENT_ERROR, (double)OVER_NS / 10);
    f->where = FAULT_WHERE_ANY;
    rig_arm(1);
    uint64_t at_ns = 0;
    size_t count = injector_rated(rig.injector, 0, &at_ns);
    ck_assert_uint_gt(count, 8);
    ck_assert(injector_awaits(rig.injector));
    rig_run(OVER_NS / 2);
    ck_assert_uint_gt(rig.strikes, 2);
    ck_assert_uint_eq(injector_times(rig.injector, 0), rig.strikes);
    ck_assert(rig_strike(0)->took_effect);
    uint64_t bad = sim_disk_bad_count(sim_machine_disk(rig.machine, 0)) +
                   sim_disk_bad_count(sim_machine_disk(rig.machine, 1));
    ck_assert_uint_gt(bad, rig.strikes / 2); /* each strike has draws of its own */
    injector_disarm(rig.injector);
    ck_assert(!injector_awaits(rig.injector));
    uint32_t strikes = rig.strikes;
    rig_run(OVER_NS);
    ck_assert_uint_eq(rig.strikes, strikes);
}
END_TEST

/* Every other sector within two of the one before; by chance about none would be. */
START_TEST(test_field_rate__sectors_of_one_strike_lie_near_each_other)
{
    struct sim_disk *disk = sim_machine_disk(rig.machine, 0);
    struct sim_disk_identity is = sim_disk_identify(disk);
    struct fault *f = rig_fault(FAULT_DISK_LATENT_ERROR, FAULT_AT_TIME, 0);
    f->disk = (struct fault_target){.kind = FAULT_TARGET_INDEX, .index = 0};
    f->where = FAULT_WHERE_ANY;
    f->count = amount_fixed(60);
    f->near_bytes = 2 * (uint64_t)is.sector_size;
    rig_arm(1);
    rig_run(RIG_MS);
    uint32_t pairs = 0, bad = 0;
    for (uint64_t s = 0, last = is.sectors; s < is.sectors; s++) {
        if (!sim_disk_bad(disk, s))
            continue;
        pairs += last != is.sectors && s - last <= 2;
        bad++;
        last = s;
    }
    ck_assert_uint_gt(bad, 30); /* near ones may be the same */
    ck_assert_uint_gt(pairs, 6);
    ck_assert_uint_lt(pairs, bad);
}
END_TEST

static void replace(bool noticed)
{
    uint8_t sector[RIG_SECTORS * 4096];
    struct fault *f = rig_fault(FAULT_DISK_FAIL_STOP, FAULT_AT_TIME, (int64_t)RIG_MS);
    f->disk = (struct fault_target){.kind = FAULT_TARGET_INDEX, .index = 1};
    f->for_ns = amount_fixed((int64_t)(5 * RIG_MS));
    f->replaced = true;
    ck_assert_int_eq(rig_write(1, 0, 0x5a), SIM_DISK_OK);
    rig_settle();
    rig_arm(1);
    struct sim_disk *disk = sim_machine_disk(rig.machine, 1);
    rig_run(3 * RIG_MS);
    ck_assert(sim_disk_failed(disk));
    if (noticed)
        injector_on_notice(rig.injector);
    rig_run(5 * RIG_MS);
    ck_assert_int_eq(sim_disk_failed(disk), !noticed);
    ck_assert_int_eq(injector_awaits(rig.injector), false);
    if (!noticed)
        return;
    ck_assert_uint_eq(sim_disk_used_count(disk), 0);
    ck_assert_int_eq(rig_read(1, 0, sector), SIM_DISK_OK);
    ck_assert_uint_eq(sector[0], 0);
}

START_TEST(test_field_rate__a_disk_that_is_replaced_comes_back_blank)
{
    replace(true);
}
END_TEST

START_TEST(test_field_rate__a_dead_disk_that_nobody_noticed_is_not_replaced)
{
    replace(false);
}
END_TEST

CHECK_MAIN(
    "field_rate", 60, tcase_add_checked_fixture(tc, rig_setup, rig_teardown);
    tcase_add_test(tc, test_field_rate__sectors_of_one_strike_lie_near_each_other);
    tcase_add_test(tc, test_field_rate__a_rate_is_a_poisson_process_of_each_target);
    tcase_add_test(tc, test_field_rate__strikes_are_sorted_and_within_the_calendar);
    tcase_add_test(tc, test_field_rate__a_target_has_the_same_days_beside_any_others);
    tcase_add_test(tc, test_field_rate__a_distribution_is_that_of_the_time_between_strikes);
    tcase_add_test(tc, test_field_rate__each_strike_is_told_and_nothing_stays_when_it_is_disarmed);
    tcase_add_test(tc, test_field_rate__a_disk_that_is_replaced_comes_back_blank);
    tcase_add_test(tc, test_field_rate__a_dead_disk_that_nobody_noticed_is_not_replaced);)
