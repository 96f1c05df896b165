/* Strict mode `full`: a program's wild access to the laboratory's memory is its own crash, and
 * nothing else of a run changes. */
#include "sim/guard.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "scripts/check_main.h"
#include "sim/kernel.h"
#include "sim/tests/rig.h"

#define LARGE_BYTES ((size_t)8 << 20)
#define LATER_BYTES ((size_t)3 << 20)
#define ROUNDS 50u
#ifdef __SANITIZE_ADDRESS__
#define CLOSES 0 /* guard.h */
#else
#define CLOSES 1
#endif

static volatile uint8_t *target; /* where the program stores, or what it loads */
static bool loads;
static uint32_t answers;

static void wild_main(const struct boot *boot)
{
    struct msg m;
    plat_ready();
    if (boot->incarnation == 0 && target != NULL) {
        STEP();
        if (loads)
            (void)*target;
        else
            *target = 0x5a;
    }
    for (;;) {
        if (plat_receive(ENDPOINT_ANY, &m, PLAT_FOREVER) != OK)
            continue;
        if (m.source == ENDPOINT_RS)
            plat_notify(ENDPOINT_RS);
        else
            (void)!plat_post(m.source, &m);
        STEP();
    }
}

static void caller_main(const struct boot *boot)
{
    struct msg m;
    (void)boot;
    plat_ready();
    for (;;) {
        uint32_t server = plat_lookup(LAYER_NAMING, 0);
        m = (struct msg){.type = 0x100};
        if (server != ENDPOINT_NONE && plat_sendrec(server, &m) == OK)
            answers++;
        if (plat_receive(ENDPOINT_ANY, &m, plat_now() + MS) == OK && m.source == ENDPOINT_RS)
            plat_notify(ENDPOINT_RS);
    }
}

/* Lets the program at `at`; returns the run's hash. */
static uint64_t run(void *at, enum sim_strict strict)
{
    target = at;
    answers = 0;
    ck_assert_int_eq(sim_machine_set_strict(rig.m, strict), strict == SIM_STRICT_REGIONS || CLOSES);
    rig_boot(wild_main, caller_main, NULL);
    (void)sim_machine_run(rig.m, 5 * SECOND);
    return sim_machine_hash(rig.m);
}

static void check_is_its_crash(void *at)
{
    volatile uint8_t *byte = at;
    uint8_t before = *byte;
    (void)run(at, SIM_STRICT_ALWAYS);
    ck_assert_uint_eq(*byte, before);
    ck_assert_uint_eq(rig.deaths, 1);
    ck_assert_int_eq(rig.death[0].layer, LAYER_NAMING);
    ck_assert_int_eq(rig.death[0].cause, SIM_DEATH_SIGNAL);
    ck_assert_uint_gt(answers, ROUNDS); /* its next instance does its work */
}

START_TEST(test_guard__a_wild_access_to_the_laboratory_is_the_process_s_crash)
{
    if (!CLOSES)
        return;
    uint8_t *small = malloc(100), *large = malloc(LARGE_BYTES);
    ck_assert(small != NULL && large != NULL);
    small[50] = large[LARGE_BYTES / 2] = 0x11;
    for (uint32_t turn = 0; turn < 2; turn++) {
        loads = turn == 1;
        check_is_its_crash(&small[50]);
        check_is_its_crash(&large[LARGE_BYTES / 2]);
        uint8_t *later = calloc(1, LATER_BYTES); /* after the machine was told */
        ck_assert(later != NULL);
        check_is_its_crash(&later[LATER_BYTES / 2]);
        free(later); /* and gone, while its place is still noted */
    }
    loads = false;
    check_is_its_crash(&rig.m->probe_count[1]);
    check_is_its_crash(&rig.m->process[SIM_PROCESSES_MAX - 1]);
    free(small);
    free(large);
}
END_TEST

START_TEST(test_guard__without_it_the_store_would_go_through)
{
    uint8_t *byte = malloc(1);
    ck_assert(byte != NULL);
    *byte = 0x11;
    (void)run(byte, SIM_STRICT_FULL); /* no fault in memory was injected: nothing is closed */
    ck_assert_uint_eq(*byte, 0x5a);
    ck_assert_uint_eq(rig.deaths, 0);
    free(byte);
}
END_TEST

START_TEST(test_guard__after_a_flip_the_laboratory_is_closed_if_that_was_asked_for)
{
    static const enum sim_strict asked[] = {SIM_STRICT_REGIONS, SIM_STRICT_FULL};
    for (uint32_t turn = 0; turn < 2; turn++) {
        (void)run(NULL, asked[turn]);
        struct sim_flip flip = {.layer = LAYER_CACHE, .any_tag = true, .bits = 1, .where = 0.5};
        ck_assert(sim_machine_flip(rig.m, &flip).hit);
        ck_assert_int_eq(rig.m->guarded, turn == 1);
    }
    sim_machine_reset(rig.m, 1, 1);
    ck_assert(!rig.m->guarded);
}
END_TEST

START_TEST(test_guard__changes_no_run_that_stays_in_bounds)
{
    uint64_t plain = run(NULL, SIM_STRICT_REGIONS);
    ck_assert_uint_eq(run(NULL, SIM_STRICT_ALWAYS), plain);
    ck_assert_uint_gt(answers, ROUNDS);
    ck_assert_uint_eq(run(NULL, SIM_STRICT_REGIONS), plain);
}
END_TEST

CHECK_MAIN("guard", 600, {
    tcase_add_checked_fixture(tc, rig_setup, rig_teardown);
    tcase_add_test(tc, test_guard__a_wild_access_to_the_laboratory_is_the_process_s_crash);
    tcase_add_test(tc, test_guard__without_it_the_store_would_go_through);
    tcase_add_test(tc, test_guard__after_a_flip_the_laboratory_is_closed_if_that_was_asked_for);
    tcase_add_test(tc, test_guard__changes_no_run_that_stays_in_bounds);
})
