#include "faults/inject.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "faults/inject_private.h"
#include "sim/rng.h"
#include "stack/designs.h"

struct injector *injector_create(void)
{
    struct injector *in = calloc(1, sizeof(*in));
    ASSERT(in != NULL);
    return in;
}

void injector_destroy(struct injector *in)
{
    free(in->rated);
    free(in);
}

const struct strike *injector_strike(const struct injector *in, uint32_t i)
{
    ASSERT(i < in->count);
    return &in->fault[i].strike;
}

uint64_t injector_times(const struct injector *in, uint32_t i)
{
    ASSERT(i < in->count);
    return in->fault[i].times;
}

size_t injector_rated(const struct injector *in, size_t k, uint64_t *at_ns)
{
    if (k < in->rated_count)
        *at_ns = in->rated[k].at_ns;
    return in->rated_count;
}

/* ---- Moments -----------------------------------------------------------------------------------
 */

static void at_event(void *object, uint64_t i);

static void schedule(struct injector *in, uint32_t i, uint64_t at_ns)
{
    struct armed *a = &in->fault[i];
    uint64_t now = sim_machine_now(in->setup.machine);
    a->stage = STAGE_TIMED;
    a->event = sim_engine_at(sim_machine_engine(in->setup.machine), at_ns > now ? at_ns : now,
                             at_event, in, i);
}

/* Block faults of one process are armed one after the other: the kernel waits for one at a time. */
static void arm_next_block(struct injector *in, enum layer layer, uint32_t instance)
{
    uint64_t done = sim_machine_counts(in->setup.machine, layer, instance).blocks;
    uint64_t nearest = UINT64_MAX;
    for (uint32_t i = 0; i < in->count; i++) {
        const struct fault_when *at = &fault_of(in, i)->at;
        const struct armed *a = &in->fault[i];
        if (at->kind == FAULT_AT_BLOCK && at->layer == layer && a->count_instance == instance &&
            a->stage == STAGE_WAITING && a->number < nearest)
            nearest = a->number;
    }
    if (nearest != UINT64_MAX)
        sim_machine_arm_block(in->setup.machine, layer, instance,
                              nearest > done ? nearest - done : 1);
}

/* Entries that wait for this one to strike. */
static void wake_after(struct injector *in, uint32_t i)
{
    if (i + 1 >= in->count || fault_of(in, i + 1)->at.kind != FAULT_AT_AFTER)
        return;
    if (in->fault[i + 1].stage != STAGE_WAITING)
        return; /* of a rate it follows the first strike */
    uint64_t delay = (uint64_t)amount_at(&fault_of(in, i + 1)->at.number, in->fault[i + 1].moment);
    schedule(in, i + 1, sim_machine_now(in->setup.machine) + delay);
}

/* The plan's own place of a rate tells of the strike that came last, and how many came. */
static void tell_struck(struct injector *in, uint32_t i)
{
    const struct armed *a = &in->fault[i];
    struct armed *own = &in->fault[a->of];
    if (inject_is_rated(in, i)) {
        uint32_t instance = own->strike.instance; /* of all strikes so far */
        own->times++;
        own->strike = a->strike;
        own->strike.instance = instance;
    }
    in->setup.struck(in->setup.context, a->of);
}

void inject_now(struct injector *in, uint32_t i)
{
    if (!in->live || in->fault[i].strike.struck)
        return;
    inject_strike(in, i);
    bool by_request = fault_of(in, i)->repeat_same_request;
    if (in->fault[i].stage == STAGE_ARMED || by_request)
        return; /* it strikes with the request that it spoils, or that triggers it */
    tell_struck(in, i);
    if (fault_of(in, i)->kind == FAULT_POWER_CUT && in->fault[i].strike.took_effect)
        in->setup.cut(in->setup.context, i);
    wake_after(in, in->fault[i].of);
}

void inject_struck_late(struct injector *in, uint32_t i)
{
    in->fault[i].strike.time_ns = sim_machine_now(in->setup.machine) - in->setup.origin_ns;
    tell_struck(in, i);
    wake_after(in, in->fault[i].of);
}

static void at_event(void *object, uint64_t i)
{
    struct injector *in = object;
    struct armed *a = &in->fault[i];
    double s = (double)(sim_machine_now(in->setup.machine) - in->setup.origin_ns) / 1e9;
    (void)snprintf(a->strike.position, sizeof(a->strike.position), "at %.6f s", s);
    inject_now(in, (uint32_t)i);
}

/* Strikes every waiting fault of this kind of count whose number is n. */
static void count_reached(struct injector *in, uint32_t i, const char *word, uint64_t n)
{
    struct armed *a = &in->fault[i];
    if (a->stage != STAGE_WAITING || a->number != n)
        return;
    (void)snprintf(a->strike.position, sizeof(a->strike.position), "%s %" PRIu64, word, n);
    inject_now(in, i);
}

void injector_on_op(struct injector *in, uint64_t n)
{
    for (uint32_t i = 0; in->live && i < in->count; i++)
        if (fault_of(in, i)->at.kind == FAULT_AT_OP)
            count_reached(in, i, "operation", n);
}

void injector_on_mark(struct injector *in, uint64_t n)
{
    for (uint32_t i = 0; in->live && i < in->count; i++)
        if (fault_of(in, i)->at.kind == FAULT_AT_MARK)
            count_reached(in, i, "mark", n);
}

void injector_on_probe(struct injector *in, enum probe probe, uint64_t n)
{
    for (uint32_t i = 0; in->live && i < in->count; i++)
        if (fault_of(in, i)->at.kind == FAULT_AT_PROBE && fault_of(in, i)->at.probe == probe)
            count_reached(in, i, "probe pass", n);
}

void injector_on_message(struct injector *in, enum layer layer, uint32_t instance, uint64_t n)
{
    for (uint32_t i = 0; in->live && i < in->slots; i++) {
        const struct fault *f = fault_of(in, i);
        const struct armed *a = &in->fault[i];
        if (f->at.kind == FAULT_AT_MESSAGE && f->at.layer == layer && a->count_instance == instance)
            count_reached(in, i, "message", n);
        if (f->layer == layer)
            inject_instance_meets(in, i, instance);
    }
}

void injector_on_block(struct injector *in, enum layer layer, uint32_t instance)
{
    uint64_t done = sim_machine_counts(in->setup.machine, layer, instance).blocks;
    for (uint32_t i = 0; in->live && i < in->count; i++) {
        const struct fault_when *at = &fault_of(in, i)->at;
        const struct armed *a = &in->fault[i];
        if (at->kind == FAULT_AT_BLOCK && at->layer == layer && a->count_instance == instance &&
            a->stage == STAGE_WAITING && a->number <= done)
            count_reached(in, i, "block", a->number);
    }
    if (in->live)
        arm_next_block(in, layer, instance);
}

void injector_on_ready(struct injector *in, enum layer layer, uint32_t instance)
{
    for (uint32_t i = 0; in->live && i < in->slots; i++) {
        struct armed *a = &in->fault[i];
        if (fault_of(in, i)->layer == layer && a->deaths_left[instance] > 0)
            a->reborn[instance] = true;
    }
}

void injector_on_notice(struct injector *in)
{
    for (uint32_t i = 0; in->live && i < in->slots; i++)
        if (in->fault[i].acting)
            in->fault[i].noticed = true;
}

void injector_on_recovery(struct injector *in, uint32_t i)
{
    if (!in->live || i + 1 >= in->count)
        return;
    const struct fault_when *at = &fault_of(in, i + 1)->at;
    struct armed *a = &in->fault[i + 1];
    if (at->kind != FAULT_AT_RECOVERY || a->stage != STAGE_WAITING)
        return;
    uint64_t length = in->setup.recovery_ns != NULL ? in->setup.recovery_ns[i] : 0;
    uint64_t into = at->number.kind == AMOUNT_UNIFORM
                        ? (length > 0 ? amount_share(a->moment, length) : 0)
                        : (uint64_t)amount_at(&at->number, a->moment);
    schedule(in, i + 1, sim_machine_now(in->setup.machine) + into);
}

/* ---- Disks -------------------------------------------------------------------------------------
 */

static void count_request(struct injector *in, uint32_t i, const struct sim_disk_event *e)
{
    const struct fault_when *at = &fault_of(in, i)->at;
    const struct armed *a = &in->fault[i];
    bool all = a->count_disk == DISKS_MAX;
    if (!all && a->count_disk != e->disk)
        return;
    if (at->kind == FAULT_AT_IO)
        count_reached(in, i, "request", all ? in->total_requests : in->requests[e->disk]);
    else if (at->kind == FAULT_AT_WRITE && e->op == SIM_DISK_WRITE)
        count_reached(in, i, "write", all ? in->total_writes : in->writes[e->disk]);
}

static void spoil(struct injector *in, uint32_t i, struct sim_disk *disk,
                  const struct sim_disk_event *e)
{
    bool first = !in->fault[i].strike.took_effect;
    if (inject_spoil(in, i, disk, e) && first)
        inject_struck_late(in, i);
}

static void on_request(void *object, struct sim_disk *disk, const struct sim_disk_event *e)
{
    struct injector *in = object;
    if (e->phase != SIM_DISK_SUBMITTED || !in->live)
        return;
    in->total_requests++;
    in->requests[e->disk]++;
    if (e->op == SIM_DISK_WRITE) {
        in->total_writes++;
        in->writes[e->disk]++;
    }
    for (uint32_t i = 0; i < in->slots; i++) {
        struct armed *a = &in->fault[i];
        if (i < in->count)
            count_request(in, i, e);
        if (a->stage == STAGE_ARMED && a->left[e->disk] > 0)
            spoil(in, i, disk, e);
    }
}

/* ---- Arming ------------------------------------------------------------------------------------
 */

void injector_arm(struct injector *in, const struct inject_setup *setup)
{
    ASSERT(setup->count <= setup->plan->count && setup->plan->count <= FAULTS_PER_PLAN_MAX);
    struct rated_strike *rated = in->rated;
    size_t rated_room = in->rated_room;
    memset(in, 0, offsetof(struct injector, fault)); /* half a MiB of places is cleared as used */
    in->setup = *setup;
    in->count = setup->count;
    in->live = true;
    in->rated = rated;
    in->rated_room = rated_room;
    if (in->count == 0)
        return;
    inject_draw_moments(in);
    for (uint32_t i = 0; i < in->count; i++)
        inject_draw_targets(in, i);
    for (uint32_t i = 0; i < in->count; i++)
        inject_draw_number(in, i);
    for (uint32_t d = 0; d < setup->options->disks; d++)
        sim_disk_observe(sim_machine_disk(setup->machine, d), on_request, in);
    for (uint32_t i = 0; i < in->count; i++) {
        const struct fault_when *at = &fault_of(in, i)->at;
        const struct armed *a = &in->fault[i];
        bool time = at->kind == FAULT_AT_UNIFORM || at->kind == FAULT_AT_TIME;
        if (time && a->number != UINT64_MAX)
            schedule(in, i, setup->origin_ns + a->number);
        else if (at->kind == FAULT_AT_BLOCK)
            arm_next_block(in, at->layer, a->count_instance);
    }
    inject_rates_arm(in);
}

void injector_disarm(struct injector *in)
{
    if (!in->live)
        return;
    in->live = false;
    inject_rates_forget(in);
    for (uint32_t i = in->count; i < in->slots; i++)
        inject_lasting_forget(in, i);
    for (uint32_t i = 0; i < in->count; i++) {
        const struct fault_when *at = &fault_of(in, i)->at;
        if (in->fault[i].stage == STAGE_TIMED)
            (void)sim_engine_cancel(sim_machine_engine(in->setup.machine), in->fault[i].event);
        if (at->kind == FAULT_AT_BLOCK)
            sim_machine_arm_block(in->setup.machine, at->layer, in->fault[i].count_instance, 0);
        inject_lasting_forget(in, i);
    }
    if (in->count > 0) {
        sim_machine_hook_sends(in->setup.machine, NULL, NULL);
        sim_machine_hook_device(in->setup.machine, NULL, NULL);
    }
    for (uint32_t d = 0; in->count > 0 && d < in->setup.options->disks; d++)
        sim_disk_unobserve(sim_machine_disk(in->setup.machine, d), on_request, in);
}

bool injector_awaits(const struct injector *in)
{
    if (in->rated_next < in->rated_count)
        return true;
    for (uint32_t i = 0; i < in->slots; i++)
        if (in->fault[i].stage == STAGE_TIMED || inject_lasting_awaited(in, i))
            return true;
    return false;
}

struct inject_cut injector_cut_plan(const struct injector *in, uint32_t i)
{
    static const enum sim_disk_cut modes[] = {[FAULT_CACHE_DROP] = SIM_CUT_DROP,
                                              [FAULT_CACHE_KEEP] = SIM_CUT_KEEP,
                                              [FAULT_CACHE_RANDOM] = SIM_CUT_RANDOM,
                                              [FAULT_CACHE_REORDER] = SIM_CUT_REORDER};
    static const enum sim_cut_tears tears[] = {[FAULT_TEARS_NONE] = SIM_TEARS_NONE,
                                               [FAULT_TEARS_PREFIX] = SIM_TEARS_PREFIX,
                                               [FAULT_TEARS_ANY] = SIM_TEARS_ANY,
                                               [FAULT_TEARS_ERROR] = SIM_TEARS_ERROR};
    const struct fault *f = fault_of(in, i);
    ASSERT(f->kind == FAULT_POWER_CUT);
    return (struct inject_cut){.mode = modes[f->cache],
                               .tears = tears[f->tears],
                               .rng_key = sim_rng_mix(inject_purpose(in, i), DRAW_CUT),
                               .off_for_ns = inject_amount(in, i, &f->off_for_ns, DRAW_OFF_FOR),
                               .chosen = f->chosen};
}
