/* Micro-benchmarks of the machine. Host time is read here and nowhere else in sim/. */
#define _GNU_SOURCE
#include "sim/bench.h"

#include <math.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "assertion.h"
#include "sim/coroutine.h"
#include "sim/crash.h"
#include "sim/engine.h"
#include "sim/machine.h"
#include "sim/region.h"
#include "sim/rng.h"

#define MEAN_NS 1000.0
#define PLENTY (UINT64_C(1) << 40)

static double now_ns(void)
{
    struct timespec t;
    int failed = clock_gettime(CLOCK_MONOTONIC, &t);
    ASSERT(failed == 0);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* ---- Events ---------------------------------------------------------------------------------- */

#define DELAYS 4096u /* drawn before the clock starts; a power of two */

struct hold {
    struct sim_engine *engine;
    uint64_t delay_ns[DELAYS];
    uint64_t left;
    uint32_t next;
};

static void hold_again(void *object, uint64_t argument)
{
    struct hold *h = object;
    (void)sim_engine_after(h->engine, h->delay_ns[h->next++ % DELAYS], hold_again, h, argument);
}

double sim_bench_hold_ns(uint32_t pending, uint64_t holds)
{
    static struct hold h;
    struct sim_rng rng;
    ASSERT(pending >= 1 && pending < SIM_EVENTS_MAX);
    h = (struct hold){.engine = sim_engine_create()};
    sim_rng_init(&rng, 1, 1, sim_rng_purpose("bench", 0));
    for (uint32_t i = 0; i < DELAYS; i++)
        h.delay_ns[i] = (uint64_t)(-MEAN_NS * log(1.0 - sim_rng_unit(&rng)));
    for (uint32_t i = 0; i < pending; i++)
        hold_again(&h, i);
    double start = now_ns();
    for (uint64_t i = 0; i < holds; i++)
        (void)sim_engine_step(h.engine);
    double spent = now_ns() - start;
    sim_engine_destroy(h.engine);
    return spent / (double)holds;
}

/* ---- Switches and crashes -------------------------------------------------------------------- */

static void trap_for_ever(void *unused)
{
    (void)unused;
    for (;;)
        sim_coroutine_trap();
}

static void fault(void *unused)
{
    (void)unused;
    __builtin_trap();
}

double sim_bench_switch_ns(uint64_t switches)
{
    struct sim_regions regions;
    struct sim_coroutine co;
    sim_crash_install();
    sim_regions_init(&regions);
    sim_coroutine_init(&co, sim_regions_map(&regions, 0, true), SIM_STACK_BYTES, 0, trap_for_ever,
                       NULL);
    double start = now_ns();
    for (uint64_t i = 0; i < switches / 2; i++)
        (void)sim_coroutine_run(&co, PLENTY);
    double spent = now_ns() - start;
    sim_regions_fini(&regions);
    return spent / (double)(switches / 2 * 2);
}

double sim_bench_crash_ns(uint64_t crashes)
{
    struct sim_regions regions;
    struct sim_coroutine co;
    sim_crash_install();
    sim_regions_init(&regions);
    uint8_t *stack = sim_regions_map(&regions, 0, true);
    double start = now_ns();
    for (uint64_t i = 0; i < crashes; i++) {
        sim_coroutine_init(&co, stack, SIM_STACK_BYTES, 0, fault, NULL);
        enum sim_stop stop = sim_coroutine_run(&co, PLENTY);
        ASSERT(stop == SIM_STOP_SIGNAL);
    }
    double spent = now_ns() - start;
    sim_regions_fini(&regions);
    return spent / (double)crashes;
}

/* ---- Messages -------------------------------------------------------------------------------- */

#define MESSAGE_TYPE 0x7000u

static uint64_t bench_messages; /* read by the processes below */
static bool bench_replies;
static struct sim_machine *bench_machine;

static void bench_stop(void *unused)
{
    (void)unused;
    sim_machine_stop(bench_machine);
}

static void bench_client(const struct boot *boot)
{
    struct msg m = {.type = MESSAGE_TYPE};
    uint32_t to;
    (void)boot;
    plat_ready();
    while ((to = plat_lookup(LAYER_CACHE, 0)) == ENDPOINT_NONE)
        if (plat_receive(ENDPOINT_CLOCK, &m, plat_now() + 1000) == OK)
            continue;
    sim_trap(bench_stop, NULL); /* all is set up: the measurement starts */
    for (uint64_t i = 0; i < bench_messages; i++) {
        m.type = MESSAGE_TYPE;
        enum err err = bench_replies ? plat_sendrec(to, &m) : plat_send(to, &m);
        ASSERT(err == OK);
    }
    sim_trap(bench_stop, NULL);
    plat_panic(OK);
}

static void bench_server(const struct boot *boot)
{
    struct msg m;
    (void)boot;
    plat_ready();
    for (;;) {
        enum err err = plat_receive(ENDPOINT_ANY, &m, PLAT_FOREVER);
        if (err == OK && m.source == ENDPOINT_RS)
            plat_notify(ENDPOINT_RS);
        else if (err == OK && bench_replies)
            err = plat_post(m.source, &m);
        ASSERT(err == OK);
    }
}

static double messages_ns(uint64_t messages, bool replies)
{
    const struct sim_program programs[] = {{LAYER_NAMING, 0, bench_client, false, UINT32_MAX},
                                           {LAYER_CACHE, 0, bench_server, false, UINT32_MAX}};
    struct sim_machine_config config = {.restart = sim_restart_minix};
    config.restart.silent_periods = 1000; /* a client that only sends does not answer */
    struct stack_options options = {.seed = 1};
    bench_machine = sim_machine_create(&config);
    bench_messages = messages;
    bench_replies = replies;
    sim_machine_boot(bench_machine, programs, 2, &options, false);
    enum sim_run_end end = sim_machine_run(bench_machine, SIM_TIME_NEVER - 1);
    double start = now_ns();
    if (end == SIM_RUN_STOPPED)
        end = sim_machine_run(bench_machine, SIM_TIME_NEVER - 1);
    double spent = now_ns() - start;
    ASSERT(end == SIM_RUN_STOPPED);
    sim_machine_destroy(bench_machine);
    bench_machine = NULL;
    return spent / (double)messages;
}

double sim_bench_call_ns(uint64_t calls)
{
    return messages_ns(calls, true);
}

double sim_bench_rendezvous_ns(uint64_t messages)
{
    return messages_ns(messages, false);
}

double sim_bench_random_ns(uint64_t draws)
{
    struct sim_rng rng;
    uint64_t sum = 0;
    sim_rng_init(&rng, 1, 1, sim_rng_purpose("bench", 1));
    double start = now_ns();
    for (uint64_t i = 0; i < draws; i++)
        sum += sim_rng_u64(&rng);
    double spent = now_ns() - start;
    ASSERT(sum != 0); /* keeps the loop */
    return spent / (double)draws;
}
