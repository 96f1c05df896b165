/*
 * Field rates in calendar time. The rate of a fault is that of each of its targets: of every disk,
 * spares too (they spin as well), of every instance of its layer, of the one machine. Each has a
 * renewal process of its own: the times between its strikes are drawn one by one, exponential where
 * the campaign gives a rate (a Poisson process), else from the distribution that it gives. `all` is
 * one process that strikes all of them at once.
 *
 * Draws are keyed by (seed, plan, place in the plan, n, target, ordinal of the strike): disk 0 dies
 * on the same days whatever the number of disks.
 *
 * A strike that finds its target still under an earlier one of the same entry (a disk that is away,
 * a slow one, one that has not met the request it is to spoil) changes nothing and is not counted.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "faults/inject_private.h"
#include "sim/rng.h"
#include "stack/designs.h"

static void note(struct injector *in, uint64_t at_ns, uint32_t slot)
{
    if (in->rated_count == in->rated_room) {
        in->rated_room = in->rated_room == 0 ? 64 : 2 * in->rated_room;
        in->rated = realloc(in->rated, in->rated_room * sizeof(*in->rated));
        ASSERT(in->rated != NULL);
    }
    in->rated[in->rated_count++] = (struct rated_strike){.at_ns = at_ns, .slot = slot};
}

static void draw_strikes(struct injector *in, uint32_t slot)
{
    const struct fault_when *at = &fault_of(in, slot)->at;
    const struct armed *a = &in->fault[slot];
    uint64_t purpose = sim_rng_mix(inject_purpose(in, a->of), sim_rng_purpose("gap", a->target));
    uint64_t at_ns = 0;
    for (uint64_t k = 0;; k++) {
        double fraction = sim_rng_draw_unit(in->setup.seed, in->setup.n, purpose, k);
        uint64_t gap_ns = (uint64_t)amount_at(&at->number, fraction);
        if (gap_ns >= at->over_ns - at_ns)
            return;
        at_ns += gap_ns > 0 ? gap_ns : 1; /* so that it ends */
        note(in, at_ns, slot);
    }
}

/* A place for one target of fault i. all: what stands for all of them at once. */
static void add_target(struct injector *in, uint32_t i, uint32_t target)
{
    ASSERT(in->slots < SLOTS_MAX);
    uint32_t slot = in->slots++;
    struct armed *a = &in->fault[slot];
    *a = (struct armed){.of = i, .target = target};
    if (fault_of(in, slot)->layer != LAYER_NONE)
        a->instance = target == DISKS_MAX ? OFFER_INSTANCES_MAX : target;
    else
        a->disk = target;
    draw_strikes(in, slot);
}

static void add_fault(struct injector *in, uint32_t i)
{
    const struct fault *f = fault_of(in, i);
    const struct fault_target *t = f->layer != LAYER_NONE ? &f->instance : &f->disk;
    uint32_t targets =
        f->layer != LAYER_NONE ? inject_instances(in, f->layer) : in->setup.options->disks;
    ASSERT(t->kind != FAULT_TARGET_HOLDS);
    if (t->kind == FAULT_TARGET_ALL || f->kind == FAULT_POWER_CUT)
        add_target(in, i, DISKS_MAX);
    else if (t->kind == FAULT_TARGET_INDEX)
        add_target(in, i, t->index);
    else
        for (uint32_t k = 0; k < targets; k++)
            add_target(in, i, k);
}

static int by_time(const void *a, const void *b)
{
    const struct rated_strike *x = a, *y = b;
    if (x->at_ns != y->at_ns)
        return x->at_ns < y->at_ns ? -1 : 1;
    return (x->slot > y->slot) - (x->slot < y->slot);
}

static void wait_for_next(struct injector *in);

static void on_strike(void *object, uint64_t unused)
{
    struct injector *in = object;
    const struct rated_strike *s = &in->rated[in->rated_next++];
    struct armed *a = &in->fault[s->slot];
    (void)unused;
    in->rated_event = 0;
    wait_for_next(in);
    if (a->acting || a->stage == STAGE_ARMED)
        return;
    uint64_t times = a->times + 1;
    *a = (struct armed){
        .of = a->of, .target = a->target, .disk = a->disk, .instance = a->instance, .times = times};
    (void)snprintf(a->strike.position, sizeof(a->strike.position), "on day %.6f",
                   (double)s->at_ns / (24 * 3600 * 1e9));
    struct armed *own = &in->fault[a->of];
    bool same = !own->strike.struck || own->strike.instance == a->instance;
    own->strike.instance = same ? a->instance : OFFER_INSTANCES_MAX;
    own->strike.struck = true; /* known before anybody dies of it */
    inject_now(in, s->slot);
}

static void wait_for_next(struct injector *in)
{
    if (in->rated_next == in->rated_count)
        return;
    uint64_t now_ns = sim_machine_now(in->setup.machine);
    uint64_t at_ns = in->setup.origin_ns + in->rated[in->rated_next].at_ns;
    in->rated_event = sim_engine_at(sim_machine_engine(in->setup.machine),
                                    at_ns > now_ns ? at_ns : now_ns, on_strike, in, 0);
}

void inject_rates_arm(struct injector *in)
{
    for (uint32_t i = 0; i < in->count; i++)
        if (fault_of(in, i)->at.kind == FAULT_AT_RATE)
            add_fault(in, i);
    if (in->rated_count > 0)
        qsort(in->rated, in->rated_count, sizeof(in->rated[0]), by_time);
    wait_for_next(in);
}

void inject_rates_forget(struct injector *in)
{
    if (in->rated_event != 0)
        (void)sim_engine_cancel(sim_machine_engine(in->setup.machine), in->rated_event);
    in->rated_event = 0;
    in->rated_next = in->rated_count;
}
