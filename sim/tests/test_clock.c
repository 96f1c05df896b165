/* The clock: whether a call is done in place or traps makes no difference to it. */
#include "scripts/check_main.h"
#include "sim/tests/rig.h"

#define ROUNDS 400u
#define POLL_NS UINT64_C(2300)

static uint64_t told_ns, pings; /* when heartbeats came, added up */

/* Calls and services of all kinds, most of them dearer than what is left until the next alarm. */
static void busy_main(const struct boot *boot)
{
    uint8_t *page = plat_alloc(8192, TAG_PAGES);
    struct msg m;
    (void)boot;
    plat_ready();
    for (uint32_t k = 0; k < ROUNDS; k++) {
        uint32_t to = plat_lookup(LAYER_CACHE, 0);
        for (uint32_t blocks = 0; blocks < k % 7; blocks++)
            STEP();
        uint32_t grant = plat_grant(to, page, 4096, PLAT_GRANT_READ);
        page[0] = (uint8_t)plat_crc32c(page, 512 * (k % 5));
        plat_page_state(page, PAGE_DIRTY);
        plat_copy(page + 4096, page, 16 * (k % 201));
        plat_revoke(grant);
        STEP();
        if (plat_receive(ENDPOINT_CLOCK, &m, plat_now() + 50 * (k % 3)) == OK)
            STEP();
    }
    for (;;)
        if (plat_receive(ENDPOINT_ANY, &m, PLAT_FOREVER) == OK && m.source == ENDPOINT_RS)
            plat_notify(ENDPOINT_RS);
}

/* The restart service polls ever again so long after it polled last. */
static void listener_main(const struct boot *boot)
{
    struct msg m;
    (void)boot;
    plat_ready();
    for (;;) {
        if (plat_receive(ENDPOINT_ANY, &m, PLAT_FOREVER) != OK || m.source != ENDPOINT_RS)
            continue;
        plat_notify(ENDPOINT_RS);
        told_ns += plat_now();
        pings++;
        STEP();
    }
}

static void setup(void)
{
    struct sim_restart_policy often = sim_restart_minix;
    often.poll_ns = POLL_NS;
    often.silent_periods = 1000;
    rig_setup_with(&often);
}

static uint64_t run(enum sim_strict strict)
{
    told_ns = pings = 0;
    (void)sim_machine_set_strict(rig.m, strict);
    rig_boot(busy_main, listener_main, NULL);
    (void)sim_machine_run(rig.m, 3 * MS);
    return sim_machine_hash(rig.m);
}

START_TEST(test_clock__strict_mode_changes_no_time)
{
    uint64_t hash = run(SIM_STRICT_REGIONS), told = told_ns, count = pings;
    ck_assert_uint_gt(count, 100);
    ck_assert_uint_eq(run(SIM_STRICT_ALWAYS), hash);
    ck_assert_uint_eq(told_ns, told);
    ck_assert_uint_eq(pings, count);
}
END_TEST

CHECK_MAIN("clock", 60, tcase_add_checked_fixture(tc, setup, rig_teardown);
           tcase_add_test(tc, test_clock__strict_mode_changes_no_time);)
