/*
 * The machine: a ping-pong of two processes killed at every k-th block, determinism, time, slices,
 * hangs and restarts, survivors, applications, power.
 */
#include <string.h>

#include "assertion.h"
#include "scripts/check_main.h"
#include "sim/kernel.h"
#include "sim/tests/rig.h"

#define ROUNDS 20u
#define BLOCKS_A_ROUND 10u

static struct {
    uint32_t finished;
    uint32_t errors;
    uint64_t value[16];
} seen;

static void setup(void)
{
    rig_setup();
    memset(&seen, 0, sizeof(seen));
}

static void work(uint32_t blocks)
{
    for (uint32_t i = 0; i < blocks; i++)
        STEP();
}

static void serve_forever(void)
{
    struct msg m;
    for (;;) {
        STEP();
        if (plat_receive(ENDPOINT_ANY, &m, PLAT_FOREVER) != OK)
            continue;
        if (m.source == ENDPOINT_RS)
            plat_notify(ENDPOINT_RS);
        if (m.type != 0x100)
            continue;
        work(BLOCKS_A_ROUND);
        m.payload[0]++;
        if (plat_post(m.source, &m) != OK)
            seen.errors++;
    }
}

static void server_main(const struct boot *boot)
{
    (void)boot;
    work(5);
    plat_ready();
    serve_forever();
}

/* Calls the server until it has had ROUNDS answers, however often one of the two dies. */
static void caller_main(const struct boot *boot)
{
    uint32_t *round = boot->survivor;
    plat_ready();
    while (*round < ROUNDS) {
        struct msg m = {.type = 0x100, .id = *round};
        work(BLOCKS_A_ROUND);
        m.payload[0] = (uint8_t)*round;
        uint32_t server = plat_lookup(LAYER_NAMING, 0);
        if (server == ENDPOINT_NONE)
            (void)!plat_receive(ENDPOINT_CLOCK, &m, plat_now() + MS);
        else if (plat_sendrec(server, &m) == OK && m.payload[0] == (uint8_t)(*round + 1))
            ++*round;
    }
    seen.finished++;
    serve_forever();
}

static void kill_it(void *context, enum layer layer, uint32_t instance)
{
    (void)context;
    (void)sim_machine_kill(rig.m, layer, instance, SIM_DEATH_KILLED);
}

/* Boots the pair, kills `layer` at its k-th block (0: never), runs 10 s. Returns the run's hash. */
static uint64_t ping_pong(enum layer layer, uint64_t k)
{
    rig_observe((struct sim_observer){.on_block = kill_it});
    rig_boot(server_main, caller_main, NULL);
    seen.finished = 0;
    if (k != 0)
        sim_machine_arm_block(rig.m, layer, 0, k);
    (void)sim_machine_run(rig.m, 3 * SECOND);
    return sim_machine_hash(rig.m);
}

START_TEST(test_machine__ping_pong_ends_though_killed_at_any_block)
{
    static const enum layer layers[] = {LAYER_NAMING, LAYER_CACHE};
    (void)ping_pong(LAYER_NONE, 0);
    ck_assert_uint_eq(seen.finished, 1);
    uint64_t kills = 0;
    for (uint32_t which = 0; which < 2; which++)
        for (uint64_t k = 1;; k++) {
            uint64_t hash = ping_pong(layers[which], k);
            if (rig.deaths == 0)
                break; /* it never executes that many blocks */
            kills++;
            ck_assert_uint_eq(rig.deaths, 1);
            ck_assert_int_eq(rig.death[0].cause, SIM_DEATH_KILLED);
            ck_assert_int_eq(rig.death[0].layer, layers[which]);
            ck_assert_uint_ge(seen.finished, 1);
            ck_assert(sim_machine_all_ready(rig.m));
            if (k % 16 == 1)
                ck_assert_uint_eq(ping_pong(layers[which], k), hash);
        }
    ck_assert_uint_ge(kills, 2 * ROUNDS * BLOCKS_A_ROUND);
}
END_TEST

START_TEST(test_machine__hash_is_the_same_for_the_same_run_and_differs_for_another)
{
    uint64_t undisturbed = ping_pong(LAYER_NONE, 0);
    uint64_t killed = ping_pong(LAYER_CACHE, 100);
    ck_assert_uint_eq(ping_pong(LAYER_NONE, 0), undisturbed);
    ck_assert_uint_eq(ping_pong(LAYER_CACHE, 100), killed);
    ck_assert_uint_ne(killed, undisturbed);
    ck_assert_uint_ne(ping_pong(LAYER_CACHE, 101), killed);
    rig_teardown(); /* another machine, another host layout */
    void *shift = malloc(12345678);
    rig_setup();
    ck_assert_uint_eq(ping_pong(LAYER_CACHE, 100), killed);
    free(shift);
}
END_TEST

/* Sees the laboratory's clock in a loop without end: it must be switched out. */
static void endless_main(const struct boot *boot)
{
    (void)boot;
    plat_ready();
    for (;;)
        STEP();
}

static void tick_main(const struct boot *boot)
{
    struct msg m;
    (void)boot;
    plat_ready();
    for (;;)
        if (plat_receive(ENDPOINT_ANY, &m, plat_now() + 10 * MS) == E_TIMEOUT)
            seen.value[0]++;
        else if (m.source == ENDPOINT_RS)
            plat_notify(ENDPOINT_RS);
}

START_TEST(test_machine__an_endless_loop_is_preempted_then_killed_for_its_silence)
{
    rig_boot(endless_main, tick_main, NULL);
    ck_assert_int_eq(sim_machine_run(rig.m, 2 * SECOND), SIM_RUN_TIME);
    ck_assert_uint_ge(sim_machine_now(rig.m), 2 * SECOND);
    ck_assert_uint_lt(sim_machine_now(rig.m), 2 * SECOND + MS);
    ck_assert_uint_ge(seen.value[0], 8); /* once a quantum of 200 ms of the other */
    ck_assert_uint_le(seen.value[0], 10);
    ck_assert_uint_eq(rig.deaths, 0);
    (void)sim_machine_run(rig.m, 4 * SECOND + SECOND / 2);
    ck_assert_uint_eq(rig.deaths, 1);
    ck_assert_int_eq(rig.death[0].cause, SIM_DEATH_RS_HUNG);
    ck_assert_uint_eq(rig.death[0].at_ns, 4 * SECOND); /* pinged at 1 s, silent > 2 periods */
    ck_assert(sim_machine_alive(rig.m, LAYER_NAMING, 0));
}
END_TEST

START_TEST(test_machine__a_hung_process_is_killed_and_restarted)
{
    rig_boot(server_main, tick_main, NULL);
    (void)sim_machine_run(rig.m, SECOND / 2);
    ck_assert(sim_machine_hang(rig.m, LAYER_NAMING, 0));
    (void)sim_machine_run(rig.m, 4 * SECOND - 1);
    ck_assert_uint_eq(rig.deaths, 0);
    (void)sim_machine_run(rig.m, 4 * SECOND + 10 * MS);
    ck_assert_uint_eq(rig.deaths, 1);
    ck_assert_int_eq(rig.death[0].cause, SIM_DEATH_RS_HUNG);
    ck_assert(sim_machine_all_ready(rig.m));
    (void)sim_machine_run(rig.m, 20 * SECOND);
    ck_assert_uint_eq(rig.deaths, 1); /* the next instance answers */
}
END_TEST

/* Tells when it was started, then crashes, until the sixth time. */
static void crashing_main(const struct boot *boot)
{
    plat_ready();
    if (boot->incarnation < 6) {
        seen.value[boot->incarnation] = plat_now();
        ASSERT(boot->incarnation == 6);
    }
    serve_forever();
}

START_TEST(test_machine__restarts_are_at_once_then_after_the_capped_delay)
{
    struct sim_restart_policy policy = sim_restart_minix;
    policy.backoff_cap_ns = 5 * SECOND;
    rig_teardown();
    rig_setup_with(&policy);
    rig_boot(crashing_main, NULL, NULL);
    (void)sim_machine_run(rig.m, 60 * SECOND);
    static const uint64_t delay_s[] = {0, 2, 4, 5, 5};
    ck_assert_uint_eq(rig.deaths, 6);
    for (uint32_t i = 0; i < 5; i++) {
        ck_assert_int_eq(rig.death[i].cause, SIM_DEATH_ASSERT);
        uint64_t gap_ns = seen.value[i + 1] - rig.death[i].at_ns;
        ck_assert_uint_ge(gap_ns, delay_s[i] * SECOND + policy.start_ns);
        ck_assert_uint_lt(gap_ns, delay_s[i] * SECOND + policy.start_ns + MS);
    }
}
END_TEST

/* Never says that it is ready; answers heartbeats in its first life only. */
static void slow_start_main(const struct boot *boot)
{
    if (boot->incarnation == 0)
        for (;;)
            STEP();
    serve_forever();
}

START_TEST(test_machine__a_silent_start_has_its_longer_limit)
{
    rig_boot(slow_start_main, NULL, NULL);
    (void)sim_machine_run(rig.m, 100 * SECOND);
    ck_assert_uint_eq(rig.deaths, 1); /* the second is not ready either, but answers */
    ck_assert_int_eq(rig.death[0].cause, SIM_DEATH_RS_HUNG);
    ck_assert_uint_eq(rig.death[0].at_ns, 12 * SECOND);
    ck_assert(!sim_machine_all_ready(rig.m));
}
END_TEST

/* Counts its lives in memory of each kind. */
static void remembering_main(const struct boot *boot)
{
    uint32_t *heap = plat_alloc(1 << 20, TAG_HEAP);
    uint32_t *survivor = boot->survivor;
    seen.value[0] = ++heap[1000];
    seen.value[1] = ++survivor[1000000];
    seen.value[2] = boot->survivor_fresh;
    seen.value[3] = boot->incarnation;
    seen.value[4] = boot->survivor_bytes;
    plat_tag_survivor(0, 5 << 20, TAG_PAGES);
    plat_ready();
    serve_forever();
}

START_TEST(test_machine__memory_dies_with_the_process_and_a_survivor_with_the_power)
{
    rig_boot(server_main, remembering_main, NULL);
    for (uint64_t life = 0; life < 3; life++) {
        (void)sim_machine_run(rig.m, (life + 1) * 2 * SECOND);
        ck_assert_uint_eq(seen.value[0], 1);
        ck_assert_uint_eq(seen.value[1], life + 1);
        ck_assert_uint_eq(seen.value[2], life == 0);
        ck_assert_uint_eq(seen.value[3], life);
        ck_assert_uint_ge(seen.value[4], 5 << 20);
        ck_assert(sim_machine_kill(rig.m, LAYER_CACHE, 0, SIM_DEATH_KILLED));
    }
    sim_machine_power_cut(rig.m, SIM_CUT_DROP, SIM_TEARS_NONE, 1);
    ck_assert(!sim_machine_powered(rig.m));
    ck_assert(!sim_machine_alive(rig.m, LAYER_NAMING, 0));
    ck_assert_int_eq(sim_machine_run(rig.m, 8 * SECOND), SIM_RUN_IDLE);
    const struct sim_program program[] = {{LAYER_NAMING, 0, server_main, false, UINT32_MAX},
                                          {LAYER_CACHE, 0, remembering_main, true, UINT32_MAX}};
    sim_machine_boot(rig.m, program, 2, &(struct stack_options){.seed = 1}, false);
    (void)sim_machine_run(rig.m, 10 * SECOND);
    ck_assert(sim_machine_all_ready(rig.m));
    ck_assert_uint_eq(seen.value[1], 1);
    ck_assert_uint_eq(seen.value[2], 1);
    ck_assert_uint_eq(seen.value[3], 0);
    rig_boot(server_main, remembering_main, NULL); /* and with the trial */
    (void)sim_machine_run(rig.m, SECOND);
    ck_assert_uint_eq(seen.value[0], 1);
    ck_assert_uint_eq(seen.value[1], 1);
    ck_assert_uint_eq(seen.value[2], 1);
}
END_TEST

/* The hash of a second boot after a first one in which the server died or did not; *first: its own.
 */
static uint64_t second_boot(bool died, bool rests, uint64_t *first)
{
    const struct sim_program program[] = {{LAYER_NAMING, 0, server_main, false, UINT32_MAX},
                                          {LAYER_CACHE, 0, remembering_main, true, UINT32_MAX}};
    rig_boot(server_main, remembering_main, NULL);
    (void)sim_machine_run(rig.m, SECOND);
    if (died)
        (void)sim_machine_kill(rig.m, LAYER_NAMING, 0, SIM_DEATH_KILLED);
    (void)sim_machine_run(rig.m, 4 * SECOND);
    sim_machine_power_cut(rig.m, SIM_CUT_DROP, SIM_TEARS_NONE, 1);
    *first = sim_machine_hash(rig.m);
    if (rests)
        ck_assert_uint_eq(sim_machine_rest(rig.m), *first);
    sim_engine_advance(sim_machine_engine(rig.m), 6 * SECOND);
    sim_machine_boot(rig.m, program, 2, &(struct stack_options){.seed = 1}, false);
    (void)sim_machine_run(rig.m, 8 * SECOND);
    ck_assert(sim_machine_all_ready(rig.m));
    ck_assert_uint_eq(seen.value[2], 1); /* its survivor is fresh */
    return sim_machine_hash(rig.m);
}

START_TEST(test_machine__what_follows_a_rest_does_not_depend_on_what_was_before)
{
    uint64_t quiet, died;
    ck_assert_uint_ne(second_boot(false, false, &quiet), second_boot(true, false, &died));
    ck_assert_uint_ne(quiet, died);
    ck_assert_uint_eq(second_boot(false, true, &quiet), second_boot(true, true, &died));
    ck_assert_uint_ne(quiet, died);
}
END_TEST

static void count_up(void *argument)
{
    ++*(uint64_t *)argument;
}

/* An application: calls the server, tells the laboratory, returns. */
static void app(void *argument)
{
    struct msg m = {.type = 0x100};
    if (plat_sendrec(plat_lookup(LAYER_NAMING, 0), &m) == OK && m.payload[0] == 1)
        sim_trap(count_up, argument);
}

START_TEST(test_machine__an_application_runs_traps_and_ends)
{
    uint64_t done = 0;
    rig_boot(server_main, NULL, NULL);
    (void)sim_machine_run(rig.m, MS);
    for (uint32_t turn = 1; turn <= 3; turn++) {
        for (uint32_t i = 0; i < SIM_APPS_MAX; i++)
            sim_machine_spawn_app(rig.m, i, app, &done);
        (void)sim_machine_run(rig.m, sim_machine_now(rig.m) + MS);
        ck_assert_uint_eq(done, turn * SIM_APPS_MAX);
        ck_assert_uint_eq(rig.deaths, SIM_APPS_MAX);
        for (uint32_t i = 0; i < rig.deaths; i++)
            ck_assert_int_eq(rig.death[i].cause, SIM_DEATH_EXIT);
        ck_assert(!sim_machine_alive(rig.m, LAYER_APP, 0));
        rig.deaths = 0;
    }
}
END_TEST

static void stop_it(void *argument)
{
    (void)argument;
    sim_machine_stop(rig.m);
}

static void stopping_app(void *argument)
{
    for (int i = 0; i < 10; i++) {
        sim_trap(stop_it, NULL);
        ++*(uint64_t *)argument;
    }
}

START_TEST(test_machine__stop_returns_at_once_and_the_run_goes_on_where_it_was)
{
    uint64_t done = 0;
    rig_boot(server_main, NULL, NULL);
    (void)sim_machine_run(rig.m, MS);
    sim_machine_spawn_app(rig.m, 0, stopping_app, &done);
    for (uint64_t i = 0; i < 10; i++) {
        ck_assert_int_eq(sim_machine_run(rig.m, SECOND), SIM_RUN_STOPPED);
        ck_assert_uint_eq(done, i);
    }
    ck_assert_int_eq(sim_machine_run(rig.m, SECOND / 2), SIM_RUN_TIME);
    ck_assert_uint_eq(done, 10);
}
END_TEST

static void timed_main(const struct boot *boot)
{
    (void)boot;
    seen.value[0] = plat_now();
    work(1000);
    seen.value[1] = plat_now();
    uint8_t *data = plat_alloc(8000, TAG_HEAP);
    seen.value[2] = plat_now();
    plat_copy(data, data + 4000, 4000);
    seen.value[3] = plat_now();
    seen.value[4] = plat_crc32c(data, 1800);
    seen.value[5] = plat_now();
    plat_ready();
    serve_forever();
}

START_TEST(test_machine__time_is_what_was_executed_at_the_documented_rates)
{
    rig_boot(timed_main, NULL, NULL);
    (void)sim_machine_run(rig.m, SECOND);
    ck_assert_uint_eq(seen.value[1] - seen.value[0], 1000 * COST_BLOCK_NS);
    ck_assert_uint_eq(seen.value[2] - seen.value[1], COST_CALL_NS);
    ck_assert_uint_eq(seen.value[3] - seen.value[2], 4000 / COST_COPY_BYTES_PER_NS);
    ck_assert_uint_eq(seen.value[5] - seen.value[3], 1000);
}
END_TEST

/* RFC 3720, B.4: 32 bytes of zeros, of ones, ascending, descending. */
static void crc_main(const struct boot *boot)
{
    uint8_t *data = plat_alloc(64, TAG_HEAP);
    (void)boot;
    seen.value[0] = plat_crc32c(data, 32);
    memset(data, 0xff, 32);
    seen.value[1] = plat_crc32c(data, 32);
    for (uint8_t i = 0; i < 32; i++)
        data[i] = i;
    seen.value[2] = plat_crc32c(data, 32);
    for (uint8_t i = 0; i < 32; i++)
        data[i] = (uint8_t)(31 - i);
    seen.value[3] = plat_crc32c(data, 32);
    data[32] = 5;
    plat_xor(data, data + 31, 2);
    seen.value[4] = data[0];
    seen.value[5] = data[1];
    plat_ready();
    serve_forever();
}

START_TEST(test_machine__services_give_the_published_answers)
{
    rig_boot(crc_main, NULL, NULL);
    (void)sim_machine_run(rig.m, MS);
    ck_assert_uint_eq(seen.value[0], 0x8a9136aa);
    ck_assert_uint_eq(seen.value[1], 0x62a8ab43);
    ck_assert_uint_eq(seen.value[2], 0x46dd794e);
    ck_assert_uint_eq(seen.value[3], 0x113fdb5c);
    ck_assert_uint_eq(seen.value[4], 31 ^ 0);
    ck_assert_uint_eq(seen.value[5], 30 ^ 5);
}
END_TEST

/* A process that probes, reports and draws. */
static void talking_main(const struct boot *boot)
{
    (void)boot;
    for (uint32_t i = 0; i < 5; i++)
        plat_probe(PROBE_TXN_COMMIT);
    plat_probe((enum probe)9999);
    plat_report(REPORT_REPLAY, 12, 34);
    seen.value[0] = plat_random();
    plat_ready();
    serve_forever();
}

static void on_probe(void *context, enum layer layer, uint32_t instance, enum probe probe,
                     uint64_t n)
{
    (void)context;
    (void)instance;
    seen.value[1] += layer == LAYER_NAMING && probe == PROBE_TXN_COMMIT ? n : 1000;
}

static void on_report(void *context, enum layer layer, uint32_t instance, enum report what,
                      uint64_t a, uint64_t b)
{
    (void)context;
    (void)instance;
    seen.value[2] = layer == LAYER_NAMING && what == REPORT_REPLAY ? a * 100 + b : 0;
}

START_TEST(test_machine__probes_and_reports_reach_the_observer_and_draws_repeat)
{
    rig_observe((struct sim_observer){.on_probe = on_probe, .on_report = on_report});
    rig_boot(talking_main, NULL, NULL);
    (void)sim_machine_run(rig.m, MS);
    ck_assert_uint_eq(seen.value[1], 1 + 2 + 3 + 4 + 5);
    ck_assert_uint_eq(seen.value[2], 1234);
    ck_assert_uint_eq(sim_machine_probe_count(rig.m, PROBE_TXN_COMMIT), 5);
    uint64_t drawn = seen.value[0];
    rig_boot(talking_main, NULL, NULL);
    (void)sim_machine_run(rig.m, MS);
    ck_assert_uint_eq(seen.value[0], drawn);
    (void)sim_machine_kill(rig.m, LAYER_NAMING, 0, SIM_DEATH_KILLED);
    (void)sim_machine_run(rig.m, SECOND);
    ck_assert_uint_ne(seen.value[0], drawn);
}
END_TEST

CHECK_MAIN(
    "machine", 120, tcase_add_checked_fixture(tc, setup, rig_teardown);
    tcase_add_test(tc, test_machine__ping_pong_ends_though_killed_at_any_block);
    tcase_add_test(tc, test_machine__hash_is_the_same_for_the_same_run_and_differs_for_another);
    tcase_add_test(tc, test_machine__an_endless_loop_is_preempted_then_killed_for_its_silence);
    tcase_add_test(tc, test_machine__a_hung_process_is_killed_and_restarted);
    tcase_add_test(tc, test_machine__restarts_are_at_once_then_after_the_capped_delay);
    tcase_add_test(tc, test_machine__a_silent_start_has_its_longer_limit);
    tcase_add_test(tc, test_machine__memory_dies_with_the_process_and_a_survivor_with_the_power);
    tcase_add_test(tc, test_machine__what_follows_a_rest_does_not_depend_on_what_was_before);
    tcase_add_test(tc, test_machine__an_application_runs_traps_and_ends);
    tcase_add_test(tc, test_machine__stop_returns_at_once_and_the_run_goes_on_where_it_was);
    tcase_add_test(tc, test_machine__time_is_what_was_executed_at_the_documented_rates);
    tcase_add_test(tc, test_machine__services_give_the_published_answers);
    tcase_add_test(tc, test_machine__probes_and_reports_reach_the_observer_and_draws_repeat);)
