/*
 * The machine: slots and their processes, the run loop, power, counters. What processes ask for is
 * in kernel_*.c, what the restart service does in restart.c.
 */
#include "sim/machine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "sim/crash.h"
#include "sim/kernel.h"

#define SURVIVOR_BYTES SIM_REGION_BYTES
#define PAGE_BYTES 4096u                      /* of the host: at least */
#define REGION_OF_SURVIVORS SIM_PROCESSES_MAX /* regions below belong to slots of this index */

/* ---- Life ------------------------------------------------------------------------------------ */

/* What a defect of loris prints of the trial it struck in. */
static void describe(void *context, char *text, uint32_t size)
{
    const struct sim_machine *m = context;
    const struct sim_process *p = m->running;
    (void)snprintf(text, size, "seed %" PRIu64 ", trial %" PRIu64 ", at %" PRIu64 " ns%s", m->seed,
                   m->trial, sim_engine_now(m->engine), p != NULL ? ", while a process ran" : "");
}

/* Valgrind does not give back all registers after a fault that a handler mends. It says that it is
 * there by what it has loaded before all else; what is run is the same either way. */
static bool mends_faults(void)
{
    const char *loaded = getenv("LD_PRELOAD");
    return loaded == NULL || strstr(loaded, "vgpreload") == NULL;
}

/* A store or load that faults, and is none of the process's faults. */
static bool mend(void *context, uint64_t address)
{
    struct sim_machine *m = context;
    return watch_mend(m, address) || sim_regions_touch(&m->regions, address);
}

/* Whole pages of its own: the guard keeps them readable, closes what lies beside them. */
static size_t machine_bytes(void)
{
    return (sizeof(struct sim_machine) + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

struct sim_machine *sim_machine_create(const struct sim_machine_config *config)
{
    ASSERT(config->disks <= DISKS_MAX);
    struct sim_machine *m = aligned_alloc(PAGE_BYTES, machine_bytes());
    ASSERT(m != NULL);
    memset(m, 0, machine_bytes());
    sim_crash_install();
    m->config = *config;
    if (m->config.restart.poll_ns == 0)
        m->config.restart = sim_restart_minix;
    m->engine = sim_engine_create();
    sim_crash_describe_by(describe, m);
    sim_regions_init(&m->regions);
    m->regions.watches = mends_faults();
    sim_crash_mend_by(mend, m);
    for (uint32_t i = 0; i < config->disks; i++)
        m->disk[i] = sim_disk_create(m->engine, i, &config->disk[i]);
    m->planted = PLANTED_NONE;
    m->stamp.slot = SLOT_NONE;
    sim_machine_reset(m, 0, 0);
    return m;
}

void sim_machine_destroy(struct sim_machine *m)
{
    if (m == NULL)
        return;
    sim_crash_describe_by(NULL, NULL);
    sim_crash_mend_by(NULL, NULL);
    for (uint32_t i = 0; i < m->config.disks; i++)
        sim_disk_destroy(m->disk[i]);
    for (uint32_t i = 0; i < SIM_PROCESSES_MAX; i++) {
        struct sim_process *p = &m->process[i];
        for (uint32_t g = 0; p->grants != NULL && g < PLAT_GRANTS_MAX; g++)
            free(p->grants[g].more);
        free(p->grants);
        free(p->completions);
        free(p->map.page_state);
        free(p->survivor_map.page_state);
    }
    device_free_all(m);
    message_free_all(m);
    watch_free(m);
    sim_regions_fini(&m->regions);
    sim_engine_destroy(m->engine);
    free(m);
}

/* Ends an instance without anybody noticing: the power is gone, or the trial is over. */
static void vanish(struct sim_process *p)
{
    p->alive = false;
    p->ready = false;
    p->state = STATE_DEAD;
    p->deadline = 0;
    p->alarm = 0;
    p->timeouts = 0;
    p->restart = 0;
    p->inbox = NULL;
    p->inbox_end = &p->inbox;
    p->posts = 0;
    p->ready_next = NULL;
}

/* Makes a slot new for the trial; keeps what it has allocated. */
static void slot_reset(struct sim_machine *m, uint32_t slot)
{
    struct sim_process *p = &m->process[slot];
    vanish(p);
    p->m = m;
    p->slot = slot;
    p->region = slot;
    p->survivor = UINT32_MAX;
    p->layer = LAYER_NONE;
    p->instance = 0;
    p->disk = UINT32_MAX;
    p->program = NULL;
    p->app = NULL;
    p->app_argument = NULL;
    p->endpoint = ENDPOINT_NONE;
    p->counts = (struct sim_counts){0};
    p->arm_left = 0;
    p->service = false;
    p->starts = 0;
    p->deaths = 0;
    p->survivor_used = false;
    p->ping_pending = false;
    p->hung = false;
    p->co = (struct sim_coroutine){0};
    memory_forget(&p->map);
    memory_forget(&p->survivor_map);
}

/* Nothing runs, is ready to, or waits to be delivered. */
static void drop_work(struct sim_machine *m)
{
    message_forget_all(m);
    m->ready_first = NULL;
    m->ready_end = &m->ready_first;
    m->running = NULL;
}

void sim_machine_reset(struct sim_machine *m, uint64_t seed, uint64_t trial)
{
    ASSERT(m->running == NULL); /* not from inside a run */
    sim_regions_strict(&m->regions, false);
    watch_open(m);
    for (uint32_t i = 0; i < SIM_REGIONS_MAX; i++)
        if (m->regions.region[i].base != NULL)
            sim_regions_clear(&m->regions, i);
    sim_engine_reset(m->engine);
    for (uint32_t i = 0; i < m->config.disks; i++)
        sim_disk_reset(m->disk[i]);
    device_forget_all(m);
    for (uint32_t i = 0; i < SIM_PROCESSES_MAX; i++)
        slot_reset(m, i);
    drop_work(m);
    m->programs = 0;
    m->slots = 0;
    m->survivors = 0;
    m->generation = 0;
    m->powered = false;
    m->stop = false;
    m->guarded = false;
    m->stuck_count = 0;
    m->send_hook = NULL;
    m->device_hook = NULL;
    m->seed = seed;
    m->trial = trial;
    sim_machine_zero_counters(m);
}

void sim_machine_renew(struct sim_machine *m)
{
    ASSERT(m->running == NULL);
    sim_regions_renew(&m->regions);
}

bool sim_machine_set_strict(struct sim_machine *m, enum sim_strict strict)
{
    ASSERT(m->running == NULL);
    m->strict = strict;
    return strict == SIM_STRICT_REGIONS || sim_guard_scan(&m->guard, m, machine_bytes());
}

void sim_machine_seal(struct sim_machine *m)
{
    ASSERT(m->running == NULL);
    for (uint32_t i = 0; i < m->config.disks; i++) {
        sim_disk_fence(m->disk[i], ENDPOINT_NONE);
        sim_disk_settle(m->disk[i]);
        sim_disk_seal(m->disk[i]);
    }
}

/* ---- Processes ------------------------------------------------------------------------------- */

struct sim_process *process_by_endpoint(struct sim_machine *m, uint32_t endpoint)
{
    uint32_t slot = (endpoint & ((1u << ENDPOINT_SLOT_BITS) - 1)) - ENDPOINT_SLOT_FIRST;
    if (slot >= m->slots)
        return NULL;
    struct sim_process *p = &m->process[slot];
    return p->alive && p->endpoint == endpoint ? p : NULL;
}

struct sim_process *process_by_name(struct sim_machine *m, enum layer layer, uint32_t instance)
{
    for (uint32_t i = 0; i < m->slots; i++)
        if (m->process[i].layer == layer && m->process[i].instance == instance)
            return &m->process[i];
    return NULL;
}

static void ready_push_last(struct sim_process *p)
{
    struct sim_machine *m = p->m;
    p->ready_next = NULL;
    *m->ready_end = p;
    m->ready_end = &p->ready_next;
}

void process_make_ready(struct sim_process *p)
{
    ASSERT(p->alive);
    ASSERT(p->state != STATE_READY);
    p->state = STATE_READY;
    if (!p->hung)
        ready_push_last(p);
}

static void ready_push_first(struct sim_process *p)
{
    struct sim_machine *m = p->m;
    p->state = STATE_READY;
    p->ready_next = m->ready_first;
    if (m->ready_first == NULL)
        m->ready_end = &p->ready_next;
    m->ready_first = p;
}

static void ready_remove(struct sim_process *p)
{
    struct sim_machine *m = p->m;
    for (struct sim_process **link = &m->ready_first; *link != NULL; link = &(*link)->ready_next) {
        if (*link != p)
            continue;
        *link = p->ready_next;
        if (m->ready_end == &p->ready_next)
            m->ready_end = link;
        p->ready_next = NULL;
        return;
    }
}

static struct sim_process *ready_pop(struct sim_machine *m)
{
    struct sim_process *p = m->ready_first;
    if (p == NULL)
        return NULL;
    m->ready_first = p->ready_next;
    if (m->ready_first == NULL)
        m->ready_end = &m->ready_first;
    p->ready_next = NULL;
    return p;
}

/* The first frame of every process. */
static void process_entry(void *argument)
{
    const struct sim_process *p = argument;
    if (p->program != NULL)
        p->program(p->boot);
    else
        p->app(p->app_argument);
}

static void boot_block_make(struct sim_process *p)
{
    struct sim_machine *m = p->m;
    p->gate.a = sizeof(struct boot);
    p->gate.c = TAG_HEAP;
    kernel_alloc(p);
    p->boot = p->gate.pointer;
    ASSERT(p->boot != NULL);
    *p->boot = (struct boot){.layer = p->layer,
                             .instance = p->instance,
                             .incarnation = p->incarnation,
                             .format = m->format,
                             .options = m->options};
    if (p->survivor != UINT32_MAX) {
        p->boot->survivor = sim_regions_map(&m->regions, p->survivor, false);
        p->boot->survivor_bytes = SURVIVOR_BYTES;
        p->boot->survivor_fresh = !p->survivor_used;
        if (!p->survivor_used)
            sim_regions_clear(&m->regions, p->survivor);
        sim_regions_mark(&m->regions, p->survivor, 0, 0);
        p->survivor_used = true;
        memory_forget(&p->survivor_map);
    }
}

void process_start(struct sim_process *p)
{
    struct sim_machine *m = p->m;
    ASSERT(!p->alive);
    ASSERT(m->generation < GENERATION_MAX);
    (void)sim_regions_map(&m->regions, p->region, true);
    sim_regions_open(&m->regions, p->region); /* strict mode: its stack is prepared below */
    sim_regions_clear(&m->regions, p->region);
    vanish(p);
    p->alive = true;
    p->hung = false;
    p->endpoint = p->slot + ENDPOINT_SLOT_FIRST + (++m->generation << ENDPOINT_SLOT_BITS);
    p->incarnation = p->starts++;
    p->arena_used = SIM_STACK_BYTES;
    memset(p->gauge, 0, sizeof(p->gauge));
    p->quantum_left_ns = QUANTUM_NS;
    p->blocks_accounted = 0;
    p->kernel_notes = 0;
    p->notes = 0;
    p->subscribed = 0;
    p->grants_used = 0;
    p->grant_free = 0;
    p->completion_first = 0;
    p->completion_count = 0;
    p->ping_pending = false;
    p->quiet = false;
    p->leaks = false;
    memory_forget(&p->map);
    uint64_t who = sim_rng_mix(sim_rng_mix(p->layer, p->instance), p->incarnation);
    sim_rng_init(&p->rng, m->seed, m->trial, sim_rng_purpose("plat-random", who));
    sim_coroutine_init(&p->co, m->regions.region[p->region].base, SIM_STACK_BYTES, p->slot,
                       process_entry, p);
    boot_block_make(p);
    sim_engine_note(m->engine, NOTE_START, p->endpoint, p->incarnation);
    process_trace(p, SIM_TRACE_STARTS, ENDPOINT_NONE, NULL, OK);
    process_make_ready(p);
}

void process_die(struct sim_process *p, enum sim_death cause)
{
    struct sim_machine *m = p->m;
    ASSERT(p->alive);
    if (m->stamp.slot == p->slot && cause == SIM_DEATH_KILLED)
        watch_stamp(p);
    p->alive = false;
    p->ready = false;
    process_trace(p, SIM_TRACE_ENDS, ENDPOINT_NONE, NULL, OK);
    if (p->state == STATE_READY)
        ready_remove(p);
    kernel_forget_peer(p);
    p->state = STATE_DEAD;
    p->co.sp = NULL;
    sim_engine_note(m->engine, NOTE_DEATH | (uint64_t)cause << 32, p->endpoint, p->co.blocks);
    if (cause != SIM_DEATH_POWER)
        restart_on_death(p);
    if (m->observer.on_death != NULL)
        m->observer.on_death(m->observer.context, p->layer, p->instance, cause);
}

/* ---- Power ----------------------------------------------------------------------------------- */

void sim_machine_boot(struct sim_machine *m, const struct sim_program *programs, uint32_t count,
                      const struct stack_options *options, bool format)
{
    ASSERT(!m->powered);
    ASSERT(count <= SIM_PROCESSES_MAX);
    m->options = *options;
    m->format = format;
    if (m->strict == SIM_STRICT_ALWAYS) {
        m->guarded = true;
        sim_regions_strict(&m->regions, true);
    }
    m->powered = true;
    m->programs = count;
    m->survivors = 0;
    m->slots = m->slots > count ? m->slots : count;
    sim_engine_note(m->engine, NOTE_POWER, 1, count);
    for (uint32_t i = 0; i < m->config.disks; i++)
        if (!sim_disk_powered(m->disk[i]))
            sim_disk_power_on(m->disk[i]);
    for (uint32_t i = 0; i < count; i++) {
        struct sim_process *p = &m->process[i];
        ASSERT(p->layer == LAYER_NONE || p->layer == programs[i].layer); /* the same after a cut */
        ASSERT(programs[i].main != NULL);
        ASSERT(programs[i].disk == UINT32_MAX || programs[i].disk < m->config.disks);
        p->layer = programs[i].layer;
        p->instance = programs[i].instance;
        p->program = programs[i].main;
        p->disk = programs[i].disk;
        p->survivor = UINT32_MAX;
        if (programs[i].survivor)
            p->survivor = REGION_OF_SURVIVORS + m->survivors++;
        ASSERT(REGION_OF_SURVIVORS + m->survivors <= SIM_REGIONS_MAX);
        p->service = true;
        p->starts = 0;
        p->deaths = 0;
        p->survivor_used = false;
    }
    for (uint32_t i = 0; i < count; i++)
        process_start(&m->process[i]);
    restart_begin(m);
}

bool sim_machine_all_ready(const struct sim_machine *m)
{
    for (uint32_t i = 0; i < m->programs; i++)
        if (!m->process[i].alive || !m->process[i].ready)
            return false;
    return m->powered;
}

void sim_machine_spawn_app(struct sim_machine *m, uint32_t number, void (*main)(void *argument),
                           void *argument)
{
    ASSERT(m->powered);
    ASSERT(number < SIM_APPS_MAX);
    ASSERT(main != NULL);
    struct sim_process *p = process_by_name(m, LAYER_APP, number);
    if (p == NULL) {
        ASSERT(m->slots < SIM_PROCESSES_MAX);
        p = &m->process[m->slots++];
        p->layer = LAYER_APP;
        p->instance = number;
    }
    ASSERT(!p->alive); /* one process an application number at a time */
    p->app = main;
    p->app_argument = argument;
    process_start(p);
    p->ready = true;
}

static uint64_t draw_u64(void *rng)
{
    return sim_rng_u64(rng);
}

void sim_machine_power_cut(struct sim_machine *m, enum sim_disk_cut mode, enum sim_cut_tears tears,
                           uint64_t rng_key)
{
    ASSERT(m->powered);
    m->powered = false;
    (void)sim_engine_cancel(m->engine, m->poll);
    sim_engine_note(m->engine, NOTE_POWER, 0, (uint64_t)mode);
    if (m->tracer != NULL)
        m->tracer(m->tracer_context,
                  &(struct sim_trace){.kind = SIM_TRACE_POWER_CUT, .layer = LAYER_KERNEL});
    for (uint32_t i = 0; i < m->slots; i++) {
        struct sim_process *p = &m->process[i];
        (void)sim_engine_cancel(m->engine, p->restart);
        p->restart = 0;
        if (p->alive)
            process_die(p, SIM_DEATH_POWER);
    }
    for (uint32_t i = 0; i < m->config.disks; i++) {
        struct sim_rng rng;
        sim_rng_init(&rng, m->seed, m->trial, sim_rng_mix(rng_key, i));
        struct sim_disk_cut_plan plan = {
            .mode = mode, .tears = tears, .draw = draw_u64, .draw_object = &rng};
        sim_disk_power_cut(m->disk[i], &plan);
    }
    device_forget_all(m);
}

uint64_t sim_machine_rest(struct sim_machine *m)
{
    ASSERT(!m->powered && m->running == NULL);
    ASSERT(!m->regions.strict && m->stuck_count == 0);
    ASSERT(sim_engine_next_ns(m->engine) == SIM_TIME_NEVER); /* power took what was to come */
    for (uint32_t i = 0; i < m->config.disks; i++)
        sim_disk_rest(m->disk[i]);
    for (uint32_t i = 0; i < SIM_PROCESSES_MAX; i++)
        slot_reset(m, i);
    drop_work(m);
    m->programs = 0;
    m->slots = 0;
    m->survivors = 0;
    m->generation = 0;
    return sim_engine_split_hash(m->engine);
}

bool sim_machine_powered(const struct sim_machine *m)
{
    return m->powered;
}

/* ---- Running --------------------------------------------------------------------------------- */

/* Runs what is due. Returns the time of the next event after that. */
static uint64_t run_due_events(struct sim_machine *m)
{
    uint64_t next_ns = sim_engine_next_ns(m->engine);
    while (next_ns <= sim_engine_now(m->engine) && !m->stop) {
        (void)sim_engine_step(m->engine);
        next_ns = sim_engine_next_ns(m->engine);
    }
    return next_ns;
}

/* How long p may run: until the next event, the end of its quantum or of the run. */
static uint64_t limit_of(const struct sim_process *p, uint64_t now_ns, uint64_t end_ns)
{
    uint64_t left_ns = end_ns > now_ns ? end_ns - now_ns : 0;
    return left_ns < p->quantum_left_ns ? left_ns : p->quantum_left_ns;
}

/* The same in blocks, or until the block that somebody waits for. What calls have cost since p ran
 * is spent first. */
static uint64_t budget_of(const struct sim_process *p, uint64_t limit_ns)
{
    ASSERT(p->co.charged_ns <= limit_ns);
    uint64_t blocks = (limit_ns - p->co.charged_ns) / COST_BLOCK_NS;
    if (p->arm_left != 0 && p->arm_left < blocks)
        blocks = p->arm_left;
    return blocks > 0 ? blocks : 1;
}

/* Moves the clock by what p executed since it moved last. */
static void account(struct sim_process *p)
{
    struct sim_machine *m = p->m;
    uint64_t blocks = p->co.blocks - p->blocks_accounted;
    p->blocks_accounted = p->co.blocks;
    uint64_t ns = blocks * COST_BLOCK_NS + p->co.charged_ns;
    p->co.charged_ns = 0;
    p->counts.blocks += blocks;
    m->totals.blocks += blocks;
    p->quantum_left_ns -= ns < p->quantum_left_ns ? ns : p->quantum_left_ns;
    sim_engine_advance(m->engine, sim_engine_now(m->engine) + ns);
    if (p->arm_left == 0)
        return;
    ASSERT(blocks <= p->arm_left);
    p->arm_left -= blocks;
    if (p->arm_left == 0 && m->observer.on_block != NULL)
        m->observer.on_block(m->observer.context, p->layer, p->instance);
}

void process_catch_up(struct sim_process *p)
{
    sim_coroutine_settle(&p->co);
    account(p);
    p->m->slice_start_ns = sim_engine_now(p->m->engine);
}

static void handle_stop(struct sim_process *p, enum sim_stop stop)
{
    switch (stop) {
    case SIM_STOP_TRAP:
        kernel_call(p);
        break;
    case SIM_STOP_BLOCKS:
        break;
    case SIM_STOP_SIGNAL:
        process_die(p, SIM_DEATH_SIGNAL);
        break;
    case SIM_STOP_ASSERT:
        process_die(p, SIM_DEATH_ASSERT);
        break;
    case SIM_STOP_EXIT: /* for a program of the stack, which must not return, a crash */
        process_die(p, p->program == NULL ? SIM_DEATH_EXIT : SIM_DEATH_SIGNAL);
        break;
    }
}

/* Whether p, after a call or an event, is still the one to run. */
static bool goes_on(const struct sim_process *p, uint32_t endpoint)
{
    return p->alive && p->endpoint == endpoint && p->state == STATE_RUNNING && !p->hung;
}

/* p has stopped running: puts it where it belongs. */
static void put_back(struct sim_process *p, uint32_t endpoint)
{
    p->m->running = NULL;
    if (p->state != STATE_RUNNING || !p->alive || p->endpoint != endpoint)
        return;
    if (p->quantum_left_ns == 0) {
        p->quantum_left_ns = QUANTUM_NS;
        process_make_ready(p);
    } else if (p->hung) {
        p->state = STATE_READY;
    } else {
        ready_push_first(p);
    }
}

/*
 * Runs p until it blocks, dies, has used its quantum, or the run ends.
 * next_ns: time of the next event, which is not yet due. Returns the same for afterwards.
 */
static uint64_t run_process(struct sim_machine *m, struct sim_process *p, uint64_t until_ns,
                            uint64_t next_ns)
{
    uint32_t endpoint = p->endpoint;
    m->running = p;
    p->state = STATE_RUNNING;
    do {
        uint64_t now_ns = sim_engine_now(m->engine);
        uint64_t end_ns = next_ns < until_ns ? next_ns : until_ns;
        uint64_t limit_ns = limit_of(p, now_ns, end_ns);
        if (p->co.charged_ns != 0 && p->co.charged_ns >= limit_ns) {
            account(p); /* what its last call cost takes all of it */
            next_ns = run_due_events(m);
            continue;
        }
        uint64_t blocks = budget_of(p, limit_ns);
        if (m->watch.fn != NULL && p->survivor != SLOT_NONE)
            blocks = 1; /* each store to what outlives it is looked for */
        if (m->regions.strict)
            sim_regions_enter(&m->regions, p->region, p->survivor);
        m->slice_start_ns = now_ns;
        if (m->stuck_count > 0)
            memory_stick(p);
        if (m->guarded && p->program != NULL) /* applications are the laboratory's own */
            sim_guard_close(&m->guard, p, sizeof(*p));
        enum sim_stop stop = sim_coroutine_run(&p->co, blocks);
        sim_guard_open(&m->guard);
        if (m->stuck_count > 0)
            memory_stick(p);
        account(p);
        if (m->watch.fn != NULL && goes_on(p, endpoint))
            watch_stop(p, stop);
        if (goes_on(p, endpoint)) /* else on_block has killed it: nothing of it is done any more */
            handle_stop(p, stop);
        next_ns = run_due_events(m);
    } while (goes_on(p, endpoint) && p->quantum_left_ns > 0 && !m->stop &&
             sim_engine_now(m->engine) < until_ns);
    put_back(p, endpoint);
    return next_ns;
}

enum sim_run_end sim_machine_run(struct sim_machine *m, uint64_t until_ns)
{
    ASSERT(m->running == NULL);
    m->stop = false;
    if (m->guarded)
        m->guarded = sim_guard_scan(&m->guard, m, machine_bytes()); /* it may have grown */
    uint64_t next_ns = run_due_events(m);
    for (;;) {
        if (m->stop)
            return SIM_RUN_STOPPED;
        if (sim_engine_now(m->engine) >= until_ns)
            return SIM_RUN_TIME;
        struct sim_process *p = ready_pop(m);
        if (p != NULL) {
            next_ns = run_process(m, p, until_ns, next_ns);
            continue;
        }
        if (next_ns == SIM_TIME_NEVER)
            return SIM_RUN_IDLE;
        sim_engine_advance(m->engine, next_ns < until_ns ? next_ns : until_ns);
        next_ns = run_due_events(m);
    }
}

void sim_machine_stop(struct sim_machine *m)
{
    m->stop = true;
}

/* ---- What can be done to it ------------------------------------------------------------------ */

bool sim_machine_kill(struct sim_machine *m, enum layer layer, uint32_t instance,
                      enum sim_death cause)
{
    struct sim_process *p = process_by_name(m, layer, instance);
    if (p == NULL || !p->alive)
        return false;
    process_die(p, cause);
    return true;
}

bool sim_machine_hang(struct sim_machine *m, enum layer layer, uint32_t instance)
{
    struct sim_process *p = process_by_name(m, layer, instance);
    if (p == NULL || !p->alive)
        return false;
    if (p->state == STATE_READY && !p->hung)
        ready_remove(p);
    p->hung = true;
    sim_engine_note(m->engine, NOTE_HANG, p->endpoint, p->co.blocks);
    return true;
}

bool sim_machine_hangs(const struct sim_machine *m, enum layer layer, uint32_t instance)
{
    const struct sim_process *p = process_by_name((struct sim_machine *)m, layer, instance);
    return p != NULL && p->alive && p->hung;
}

bool sim_machine_wake(struct sim_machine *m, enum layer layer, uint32_t instance)
{
    struct sim_process *p = process_by_name(m, layer, instance);
    if (p == NULL || !p->alive || !p->hung)
        return false;
    p->hung = false;
    if (p->state == STATE_READY)
        ready_push_last(p);
    sim_engine_note(m->engine, NOTE_WAKE, p->endpoint, p->co.blocks);
    return true;
}

bool sim_machine_alive(const struct sim_machine *m, enum layer layer, uint32_t instance)
{
    const struct sim_process *p = process_by_name((struct sim_machine *)m, layer, instance);
    return p != NULL && p->alive;
}

void sim_machine_arm_block(struct sim_machine *m, enum layer layer, uint32_t instance, uint64_t k)
{
    struct sim_process *p = process_by_name(m, layer, instance);
    ASSERT(p != NULL); /* arm what has been booted */
    p->arm_left = k;
}

/* ---- What can be seen of it ------------------------------------------------------------------ */

struct sim_engine *sim_machine_engine(struct sim_machine *m)
{
    return m->engine;
}

struct sim_disk *sim_machine_disk(struct sim_machine *m, uint32_t index)
{
    ASSERT(index < m->config.disks);
    return m->disk[index];
}

uint32_t sim_machine_disks(const struct sim_machine *m)
{
    return m->config.disks;
}

uint64_t sim_machine_now(const struct sim_machine *m)
{
    return sim_engine_now(m->engine);
}

void sim_machine_observe(struct sim_machine *m, const struct sim_observer *observer)
{
    m->observer = observer != NULL ? *observer : (struct sim_observer){0};
}

void sim_machine_trace(struct sim_machine *m, sim_trace_fn *fn, void *context)
{
    m->tracer = fn;
    m->tracer_context = context;
}

void process_trace(const struct sim_process *p, enum sim_trace_kind kind, uint32_t peer,
                   const struct msg *message, enum err result)
{
    if (p->m->tracer == NULL)
        return;
    p->m->tracer(p->m->tracer_context, &(struct sim_trace){.kind = kind,
                                                           .slot = p->slot,
                                                           .layer = p->layer,
                                                           .instance = p->instance,
                                                           .endpoint = p->endpoint,
                                                           .peer = peer,
                                                           .message = message,
                                                           .result = result});
}

struct sim_counts sim_machine_counts(const struct sim_machine *m, enum layer layer,
                                     uint32_t instance)
{
    const struct sim_process *p = process_by_name((struct sim_machine *)m, layer, instance);
    return p != NULL ? p->counts : (struct sim_counts){0};
}

uint64_t sim_machine_gauge(const struct sim_machine *m, uint32_t slot, enum gauge which)
{
    ASSERT(slot < SIM_PROCESSES_MAX);
    ASSERT(which < GAUGE_COUNT);
    return m->process[slot].gauge[which];
}

uint32_t sim_machine_pages(const struct sim_machine *m, uint32_t slot, enum plat_page_state state)
{
    ASSERT(slot < SIM_PROCESSES_MAX);
    const struct sim_process *p = &m->process[slot];
    return kernel_pages(&p->map, state) + kernel_pages(&p->survivor_map, state);
}

struct sim_counts sim_machine_totals(const struct sim_machine *m)
{
    return m->totals;
}

uint64_t sim_machine_probe_count(const struct sim_machine *m, enum probe probe)
{
    ASSERT(probe < PROBE_COUNT);
    return m->probe_count[probe];
}

void sim_machine_zero_counters(struct sim_machine *m)
{
    for (uint32_t i = 0; i < SIM_PROCESSES_MAX; i++)
        m->process[i].counts = (struct sim_counts){0};
    m->totals = (struct sim_counts){0};
    memset(m->probe_count, 0, sizeof(m->probe_count));
}

uint64_t sim_machine_hash(const struct sim_machine *m)
{
    return sim_engine_hash(m->engine);
}

#ifdef LORIS_PLANTED
void sim_machine_plant(struct sim_machine *m, enum planted bug)
{
    m->planted = bug;
}
#endif
