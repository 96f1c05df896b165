/* The machine of the injector's tests. */
#include "faults/tests/rig.h"

#include <string.h>

#include "assertion.h"
#include "block.h"

#define STEP() __sanitizer_cov_trace_pc()
void __sanitizer_cov_trace_pc(void);

#define SECTOR_ROOM 65536u

struct rig rig;

/* Only the process itself may look, once memory is suspect. */
static uint32_t count_bits(const uint8_t *pages, uint32_t from, uint32_t to)
{
    uint32_t bits = 0;
    for (uint32_t k = from; k < to; k++)
        bits += (uint32_t)__builtin_popcount(pages[k]);
    return bits;
}

static void serve_main(const struct boot *boot)
{
    uint32_t me = boot->instance;
    uint8_t *pages = plat_alloc(RIG_PAGES_BYTES, TAG_PAGES);
    ASSERT(pages != NULL);
    memset(pages, 0, RIG_PAGES_BYTES);
    for (uint32_t at = 0; at < RIG_PAGES_BYTES; at += 4096)
        plat_page_state(pages + at, at < RIG_PAGES_BYTES / 2       ? PAGE_CLEAN
                                    : at < RIG_PAGES_BYTES * 3 / 4 ? PAGE_DIRTY
                                                                   : PAGE_UNUSED);
    plat_ready();
    for (;;) {
        struct msg m;
        STEP();
        if (plat_receive(ENDPOINT_ANY, &m, PLAT_FOREVER) != OK)
            continue;
        if (m.source == ENDPOINT_RS)
            plat_notify(ENDPOINT_RS);
        for (uint32_t k = 0; k < 10; k++)
            STEP();
        if (PROTO_OF(m.type) == PROTO_BLOCK) {
            rig.handled[me]++;
            rig.last[me] = m;
        }
        if (me == 0 && rig.looks) {
            rig.bits = count_bits(pages, 0, RIG_PAGES_BYTES);
            rig.dirty_bits = count_bits(pages, RIG_PAGES_BYTES / 2, RIG_PAGES_BYTES * 3 / 4);
        }
    }
}

static void tick_main(const struct boot *boot)
{
    (void)boot;
    plat_ready();
    for (uint32_t round = 0;; round++) {
        const uint64_t words[] = {11 + round % 3, 22, 33};
        struct msg m = {.type = PROTO_BLOCK | BLOCK_READ, .id = round};
        memcpy(m.payload, words, sizeof(words));
        if (rig.answers)
            m.type |= PROTO_REPLY;
        if (rig.answers && round % 2 == 0)
            m.status = E_MEDIA;
        for (uint32_t i = 0; i < RIG_DISKS; i++) {
            uint32_t server = plat_lookup(LAYER_NAMING, i);
            STEP();
            if (server != ENDPOINT_NONE)
                (void)!plat_post(server, &m);
        }
        if (plat_receive(ENDPOINT_ANY, &m, plat_now() + RIG_MS) == OK && m.source == ENDPOINT_RS)
            plat_notify(ENDPOINT_RS);
    }
}

/* ---- What the trial runner tells ---------------------------------------------------------------
 */

static void on_death(void *context, enum layer layer, uint32_t instance, enum sim_death cause)
{
    (void)context;
    if (layer != LAYER_NAMING || cause == SIM_DEATH_POWER)
        return;
    struct sim_counts counts = sim_machine_counts(rig.machine, layer, instance);
    rig.deaths[instance]++;
    rig.messages_at_death[instance] = counts.messages;
    rig.blocks_at_death[instance] = counts.blocks;
}

static void on_ready(void *context, enum layer layer, uint32_t instance, uint32_t incarnation)
{
    (void)context, (void)incarnation;
    injector_on_ready(rig.injector, layer, instance);
}

static void on_message(void *context, enum layer layer, uint32_t instance, uint64_t n)
{
    (void)context;
    injector_on_message(rig.injector, layer, instance, n);
}

static void on_block(void *context, enum layer layer, uint32_t instance)
{
    (void)context;
    injector_on_block(rig.injector, layer, instance);
}

/* Content begins with its file's name; capitals are applications'. */
static bool holds(void *context, const char *path, const uint8_t *bytes, uint32_t count)
{
    (void)context;
    ASSERT(count == 512 || count == 4096);
    return path != NULL ? bytes[0] == (uint8_t)path[0] : bytes[0] >= 'A' && bytes[0] <= 'Z';
}

static void struck(void *context, uint32_t i)
{
    (void)context;
    ASSERT(rig.strikes < sizeof(rig.order) / sizeof(rig.order[0]));
    rig.order[rig.strikes++] = i;
}

static void cut(void *context, uint32_t i)
{
    (void)context, (void)i;
    rig.cuts++;
}

/* ---- The fixture -------------------------------------------------------------------------------
 */

void rig_setup(void)
{
    static const struct sim_program programs[] = {
        {LAYER_NAMING, 0, serve_main, false, UINT32_MAX},
        {LAYER_NAMING, 1, serve_main, false, UINT32_MAX},
        {LAYER_CACHE, 0, tick_main, false, UINT32_MAX},
    };
    struct sim_machine_config config = {.disks = RIG_DISKS, .restart = sim_restart_minix};
    for (uint32_t d = 0; d < RIG_DISKS; d++) {
        enum err e = sim_profile_load("ssd-sata", &config.disk[d].params);
        ASSERT(e == OK);
        config.disk[d].size_bytes = SIM_DISK_SIZE_MIN;
    }
    rig = (struct rig){.machine = sim_machine_create(&config),
                       .injector = injector_create(),
                       .options = {.disks = RIG_DISKS, .environments = RIG_DISKS, .seed = 1},
                       .plan = {.name = "p", .draw_name = "p"},
                       .offer = {.run_ns = 100 * RIG_MS, .operations = 50, .marks = 5}};
    rig.plan.faults = rig.fault;
    sim_machine_reset(rig.machine, 1, 1);
    sim_machine_observe(rig.machine, &(struct sim_observer){.on_death = on_death,
                                                            .on_ready = on_ready,
                                                            .on_message = on_message,
                                                            .on_block = on_block});
    sim_machine_boot(rig.machine, programs, 3, &rig.options, false);
    while (!sim_machine_all_ready(rig.machine))
        rig_run(RIG_MS);
}

void rig_teardown(void)
{
    injector_destroy(rig.injector);
    sim_machine_destroy(rig.machine);
}

struct fault *rig_fault(enum fault_kind kind, enum fault_when_kind when, int64_t number)
{
    ASSERT(rig.plan.count < FAULTS_PER_PLAN_MAX);
    struct fault *f = &rig.fault[rig.plan.count++];
    *f = fault_default(kind);
    f->at.kind = when;
    if (when != FAULT_AT_UNIFORM)
        f->at.number = amount_fixed(number);
    return f;
}

void rig_arm(uint32_t count)
{
    rig.origin_ns = sim_machine_now(rig.machine);
    rig.strikes = rig.cuts = 0;
    memset(rig.deaths, 0, sizeof(rig.deaths));
    memset(rig.handled, 0, sizeof(rig.handled));
    sim_machine_zero_counters(rig.machine);
    injector_arm(rig.injector, &(struct inject_setup){.machine = rig.machine,
                                                      .options = &rig.options,
                                                      .plan = &rig.plan,
                                                      .count = count,
                                                      .seed = 7,
                                                      .n = 3,
                                                      .offer = &rig.offer,
                                                      .origin_ns = rig.origin_ns,
                                                      .recovery_ns = rig.recovery_ns,
                                                      .holds = holds,
                                                      .struck = struck,
                                                      .cut = cut});
}

const struct strike *rig_strike(uint32_t i)
{
    return injector_strike(rig.injector, i);
}

void rig_run(uint64_t ns)
{
    uint64_t until = sim_machine_now(rig.machine) + ns;
    while (sim_machine_run(rig.machine, until) == SIM_RUN_STOPPED)
        ;
}

/* ---- Requests ----------------------------------------------------------------------------------
 */

static struct {
    bool over;
    enum sim_disk_status status;
} answer;

static void done(void *object, uint64_t request_id, enum sim_disk_status status)
{
    (void)object, (void)request_id;
    answer.over = true;
    answer.status = status;
}

static enum sim_disk_status request(uint32_t disk, enum sim_disk_op op, uint64_t sector, void *data)
{
    struct sim_disk_request r = {.op = op,
                                 .first_sector = sector,
                                 .count = op == SIM_DISK_FLUSH ? 0 : RIG_SECTORS,
                                 .data = op == SIM_DISK_WRITE ? data : NULL,
                                 .buffer = op == SIM_DISK_READ ? data : NULL,
                                 .done = done};
    answer.over = false;
    enum err e = sim_disk_submit(sim_machine_disk(rig.machine, disk), &r);
    ASSERT(e == OK);
    for (uint32_t k = 0; !answer.over; k++) {
        ASSERT(k < 1000);
        rig_run(RIG_MS);
    }
    return answer.status;
}

enum sim_disk_status rig_write(uint32_t disk, uint64_t sector, uint8_t byte)
{
    static uint8_t data[SECTOR_ROOM];
    memset(data, byte, sizeof(data));
    return request(disk, SIM_DISK_WRITE, sector, data);
}

enum sim_disk_status rig_read(uint32_t disk, uint64_t sector, uint8_t *to)
{
    return request(disk, SIM_DISK_READ, sector, to);
}

enum sim_disk_status rig_flush(uint32_t disk)
{
    return request(disk, SIM_DISK_FLUSH, 0, NULL);
}

void rig_settle(void)
{
    for (uint32_t d = 0; d < RIG_DISKS; d++)
        sim_disk_settle(sim_machine_disk(rig.machine, d));
}
