/* Micro-benchmarks of the machine. Host time is read here and nowhere else in sim/. */
#define _GNU_SOURCE
#include "sim/bench.h"

#include <math.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "assertion.h"
#include "platform.h"
#include "sim/coroutine.h"
#include "sim/crash.h"
#include "sim/disk.h"
#include "sim/engine.h"
#include "sim/machine.h"
#include "sim/region.h"
#include "sim/rng.h"

#define MEAN_NS 1000.0
#define PLENTY (UINT64_C(1) << 40)

static double now_ns(void)
{
    struct timespec t;
    int failed = clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
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
    uint64_t rounds = switches / 2; /* there and back */
    for (uint64_t i = 0; i < rounds; i++)
        (void)sim_coroutine_run(&co, PLENTY);
    double spent = now_ns() - start;
    sim_regions_fini(&regions);
    return spent / (2 * (double)rounds);
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

/* ---- Checksums and disks --------------------------------------------------------------------- */

#define PAGE_BYTES 4096u
#define AT_A_TIME 32u
#define DISK_BYTES (UINT64_C(64) << 20)
#define DISK_PAGES (DISK_BYTES / PAGE_BYTES)

double sim_bench_crc_ns(uint64_t blocks)
{
    static uint8_t page[PAGE_BYTES];
    uint32_t sum = 0;
    double start = now_ns();
    for (uint64_t i = 0; i < blocks; i++) {
        page[0] = (uint8_t)i;
        sum += plat_crc32c(page, sizeof(page));
    }
    double spent = now_ns() - start;
    ASSERT(sum != 0); /* keeps the loop */
    return spent / (double)blocks;
}

struct disk_load {
    struct sim_disk *disk;
    struct sim_rng rng;
    uint32_t sectors; /* a page */
    uint64_t left, done;
    uint32_t crc[DISK_PAGES]; /* of what each page holds */
    struct {
        uint64_t page;
        bool reads;
        _Alignas(64) uint8_t bytes[PAGE_BYTES];
    } slot[AT_A_TIME];
};

static void disk_answer(void *object, uint64_t slot, enum sim_disk_status status);

static void disk_ask(struct disk_load *load, uint64_t slot)
{
    uint64_t draw = sim_rng_u64(&load->rng);
    uint64_t page = draw % DISK_PAGES;
    uint8_t *bytes = load->slot[slot].bytes;
    bool reads = (draw >> 63) != 0;
    load->left--;
    load->slot[slot].page = page;
    load->slot[slot].reads = reads;
    if (!reads) {
        memcpy(bytes, &draw, sizeof(draw));
        load->crc[page] = plat_crc32c(bytes, PAGE_BYTES);
    }
    enum err err = sim_disk_submit(
        load->disk, &(struct sim_disk_request){.op = reads ? SIM_DISK_READ : SIM_DISK_WRITE,
                                               .first_sector = page * load->sectors,
                                               .count = load->sectors,
                                               .request_id = slot,
                                               .data = bytes,
                                               .buffer = bytes,
                                               .done = disk_answer,
                                               .object = load});
    ASSERT(err == OK);
}

static void disk_answer(void *object, uint64_t slot, enum sim_disk_status status)
{
    struct disk_load *load = object;
    ASSERT(status == SIM_DISK_OK);
    load->done++;
    if (load->slot[slot].reads) {
        uint32_t crc = plat_crc32c(load->slot[slot].bytes, PAGE_BYTES);
        ASSERT(crc == load->crc[load->slot[slot].page]);
    }
    if (load->left > 0)
        disk_ask(load, slot);
}

/* ns of `requests` more. */
static double disk_run(struct disk_load *load, struct sim_engine *engine, uint64_t requests)
{
    load->left = requests;
    load->done = 0;
    double start = now_ns();
    for (uint64_t slot = 0; slot < AT_A_TIME; slot++)
        disk_ask(load, slot);
    while (load->done < requests && sim_engine_step(engine))
        continue;
    ASSERT(load->done == requests);
    return now_ns() - start;
}

double sim_bench_disk_ns(const char *profile, uint64_t requests)
{
    static struct disk_load load;
    struct sim_disk_config config = {.size_bytes = DISK_BYTES};
    enum err err = sim_profile_load(profile, &config.params);
    ASSERT(err == OK);
    ASSERT(requests >= AT_A_TIME);
    struct sim_engine *engine = sim_engine_create();
    memset(&load, 0, sizeof(load));
    load.disk = sim_disk_create(engine, 0, &config);
    load.sectors = PAGE_BYTES / sim_disk_identify(load.disk).sector_size;
    sim_rng_init(&load.rng, 1, 1, sim_rng_purpose("bench", 2));
    for (uint64_t page = 0; page < DISK_PAGES; page++) {
        load.crc[page] = plat_crc32c(load.slot[0].bytes, PAGE_BYTES);
        sim_disk_poke(load.disk, page * load.sectors, load.sectors, load.slot[0].bytes);
    }
    (void)disk_run(&load, engine, 4 * DISK_PAGES); /* all memory is there when it counts */
    double spent = disk_run(&load, engine, requests);
    sim_disk_destroy(load.disk);
    sim_engine_destroy(engine);
    return spent / (double)requests;
}
