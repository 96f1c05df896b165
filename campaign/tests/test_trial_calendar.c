/*
 * Trials over a year: they last a year of virtual time without a year of heartbeats, nothing that
 * recovers or scrubs is jumped, and what was lost is dated.
 */
#include <stdlib.h>
#include <string.h>

#include "campaign/tests/rig_trial.h"
#include "campaign/trial_private.h"
#include "scripts/check_main.h"

#define HOUR_NS UINT64_C(3600000000000)
#define YEAR_NS (8760 * HOUR_NS)
#define TRIALS 8
#define HEARTBEATS_A_YEAR UINT64_C(31536000) /* of each process */

static const char text[] =
    "campaign: calendar\n"
    "machine: {disks: {count: 2, size: 32MiB}, environments: 1}\n"
    "variants:\n"
    "  loris: {stack: loris, raid: 1, cache: 2MiB, log-size: 1MiB}\n"
    "  scrub: {like: loris, scrub: 14days}\n"
    "  lazy: {like: loris, checksums: lazy}\n"
    "  stripes: {like: loris, raid: 0}\n"
    "  journal: {stack: journal, raid: 1, cache: 4MiB}\n"
    "workloads: {mail: {app: postmark, files: 20, transactions: 40, size: 512B..8KiB}}\n"
    "faults:\n"
    "  quiet: [{kind: power.cut, at: {rate: 0/year, over: 1year}}]\n"
    "  disks: [{kind: disk.fail-stop, at: {rate: 0.8/year, over: 1year}, replace: 24h}]\n"
    "  power: [{kind: power.cut, at: {rate: 2/year, over: 1year}, off-for: 6h}]\n";
enum { QUIET, DISKS, POWER };
enum { LORIS, SCRUB, LAZY, STRIPES, JOURNAL, VARIANTS };

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

static void run(uint32_t variant, uint32_t fault, uint64_t n)
{
    lab_begin(rig.lab, variant, 0, n);
    lab_trial(rig.lab, fault, &record);
}

/* The k-th event of this name, from 0, or NULL. */
static const struct record_event *find(const char *what, uint32_t k)
{
    for (uint32_t i = 0; i < record.event_count; i++)
        if (strcmp(record.event[i].what, what) == 0 && k-- == 0)
            return &record.event[i];
    return NULL;
}

static uint64_t down_ns(void)
{
    const struct record_event *e = find("down", 0);
    ck_assert_ptr_nonnull(e);
    return strtoull(e->detail, NULL, 10);
}

START_TEST(test_trial_calendar__a_quiet_year_is_a_year_and_costs_little)
{
    for (uint32_t v = 0; v < VARIANTS; v++) {
        run(v, QUIET, 0);
        ck_assert_uint_eq(record.exposure_ns, YEAR_NS);
        ck_assert_uint_ge(record.sim_ns, YEAR_NS);
        ck_assert_uint_lt(record.sim_ns, YEAR_NS + HOUR_NS);
        ck_assert_uint_lt(record.events, HEARTBEATS_A_YEAR / 100);
        ck_assert_int_eq(record.level, LEVEL_TRANSPARENT);
        ck_assert(record.injected); /* a rate counts, however many it drew */
        ck_assert_uint_eq(down_ns(), 0);
        ck_assert_ptr_null(find("loss", 0));
    }
}
END_TEST

START_TEST(test_trial_calendar__a_scrub_comes_every_period)
{
    run(SCRUB, QUIET, 0);
    uint32_t passes = 0;
    for (const struct record_event *e; (e = find("scrubbed", passes)) != NULL; passes++) {
        /* Nobody asks for its date more often than each eighth of a period. */
        uint64_t due = (passes + 1) * 14 * 24 * HOUR_NS;
        ck_assert_uint_ge(e->time_ns + HOUR_NS, due);
        ck_assert_uint_lt(e->time_ns, due + (passes + 1) * 42 * HOUR_NS);
    }
    ck_assert_uint_ge(passes, 24);
    ck_assert_uint_le(passes, 26);
}
END_TEST

START_TEST(test_trial_calendar__a_rebuild_is_run_and_not_jumped)
{
    uint32_t rebuilt = 0;
    for (uint64_t n = 0; n < TRIALS; n++) {
        run(LORIS, DISKS, n);
        for (uint32_t k = 0; find("rebuilt", k) != NULL; k++) {
            uint64_t end = find("rebuilt", k)->time_ns;
            const struct record_event *begin = NULL;
            for (uint32_t i = 0; find("rebuilding", i) != NULL; i++)
                if (find("rebuilding", i)->time_ns < end)
                    begin = find("rebuilding", i);
            ck_assert_ptr_nonnull(begin);
            ck_assert_uint_lt(end - begin->time_ns, HOUR_NS / 60);
            rebuilt++;
        }
    }
    ck_assert_uint_ge(rebuilt, TRIALS / 4);
}
END_TEST

START_TEST(test_trial_calendar__time_without_power_is_time_without_service)
{
    uint64_t cuts = 0;
    for (uint64_t n = 0; n < TRIALS; n++) {
        run(JOURNAL, POWER, n);
        const char *strikes = strstr(record.struck, "\"strikes\":");
        uint64_t times = strikes == NULL ? 0 : strtoull(strikes + 10, NULL, 10);
        ck_assert_uint_ge(down_ns(), times * 6 * HOUR_NS);
        ck_assert_uint_lt(down_ns(), times * 6 * HOUR_NS + HOUR_NS);
        if (times > 0) /* it counts from when the power is back, as in any other trial */
            ck_assert_uint_lt((uint64_t)record.recovery_ns, HOUR_NS / 60);
        cuts += times;
    }
    ck_assert_uint_ge(cuts, TRIALS);
}
END_TEST

START_TEST(test_trial_calendar__a_loss_is_dated_by_the_strike_that_took_it)
{
    uint32_t lost = 0;
    for (uint64_t n = 0; n < TRIALS; n++) {
        run(STRIPES, DISKS, n);
        const struct record_event *loss = find("loss", 0), *first = find("fault injected", 0);
        ck_assert_int_eq(loss != NULL, record.level > LEVEL_SYNCED);
        if (loss == NULL)
            continue;
        ck_assert_ptr_nonnull(first);
        ck_assert_uint_eq(loss->time_ns, first->time_ns); /* without redundancy: the first */
        lost++;
    }
    ck_assert_uint_ge(lost, TRIALS / 4);
}
END_TEST

START_TEST(test_trial_calendar__runs_are_the_same_again)
{
    for (uint32_t v = 0; v < VARIANTS; v++)
        for (uint32_t f = DISKS; f <= POWER; f++) {
            run(v, f, 3);
            again = record;
            run((v + 1) % VARIANTS, QUIET, 1);
            run(v, f, 3);
            ck_assert_uint_eq(record.hash, again.hash);
            ck_assert_str_eq(record.struck, again.struck);
            ck_assert_int_eq(record.level, again.level);
        }
}
END_TEST

CHECK_MAIN("trial_calendar", 120, tcase_add_checked_fixture(tc, setup, teardown);
           tcase_add_test(tc, test_trial_calendar__a_quiet_year_is_a_year_and_costs_little);
           tcase_add_test(tc, test_trial_calendar__a_scrub_comes_every_period);
           tcase_add_test(tc, test_trial_calendar__a_rebuild_is_run_and_not_jumped);
           tcase_add_test(tc, test_trial_calendar__time_without_power_is_time_without_service);
           tcase_add_test(tc, test_trial_calendar__a_loss_is_dated_by_the_strike_that_took_it);
           tcase_add_test(tc, test_trial_calendar__runs_are_the_same_again);)
