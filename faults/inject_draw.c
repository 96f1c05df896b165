/*
 * Draws: each is a fraction keyed by (seed, plan's name, place in the plan, n, meaning), scaled by
 * what the variant offers.
 */
#include <stdlib.h>

#include "faults/inject_private.h"
#include "sim/rng.h"

/* Not the plan's name alone: a workload may have the same. */
uint64_t inject_purpose(const struct injector *in, uint32_t i)
{
    const struct armed *a = &in->fault[i];
    uint64_t purpose =
        sim_rng_mix(sim_rng_purpose("fault", a->of), sim_rng_purpose(in->setup.plan->draw_name, 0));
    if (!inject_is_rated(in, i))
        return purpose;
    return sim_rng_mix(purpose, sim_rng_purpose("rate", sim_rng_mix(a->target, a->times)));
}

double inject_fraction(const struct injector *in, uint32_t i, uint64_t ordinal)
{
    return sim_rng_draw_unit(in->setup.seed, in->setup.n, inject_purpose(in, i), ordinal);
}

uint64_t inject_amount(const struct injector *in, uint32_t i, const struct amount *amount,
                       enum draw draw)
{
    return (uint64_t)amount_at(amount, inject_fraction(in, i, draw));
}

uint32_t inject_instances(const struct injector *in, enum layer layer)
{
    switch (layer) {
    case LAYER_DRIVER:
    case LAYER_PHYSICAL:
        return in->setup.options->disks;
    case LAYER_NAMING:
    case LAYER_APP:
        return in->setup.options->environments;
    case LAYER_VFS:
        return in->setup.classic ? 1 : in->setup.options->environments;
    default:
        return 1;
    }
}

/* An index among `offered`; `all` stands for all of them. */
static uint32_t draw_target(const struct injector *in, uint32_t i, const struct fault_target *t,
                            uint32_t offered, uint32_t all, enum draw draw)
{
    ASSERT(offered > 0);
    switch (t->kind) {
    case FAULT_TARGET_ALL:
        return all;
    case FAULT_TARGET_INDEX:
        ASSERT(t->index < offered); /* the campaign's check refuses others */
        return t->index;
    default:
        return (uint32_t)amount_share(inject_fraction(in, i, draw), offered);
    }
}

/* What `any` draws from: spares are no part of it, though they have a number to be named by. */
static uint32_t offered_disks(const struct injector *in, const struct fault_target *t)
{
    const struct stack_options *o = in->setup.options;
    return t->kind == FAULT_TARGET_INDEX ? o->disks : o->disks - o->spares;
}

static uint32_t offered_instances(const struct injector *in, const struct fault *f)
{
    bool of_disk = f->layer == LAYER_DRIVER || f->layer == LAYER_PHYSICAL;
    return of_disk ? offered_disks(in, &f->instance) : inject_instances(in, f->layer);
}

void inject_draw_targets(struct injector *in, uint32_t i)
{
    const struct fault *f = fault_of(in, i);
    struct armed *a = &in->fault[i];
    a->disk = draw_target(in, i, &f->disk, offered_disks(in, &f->disk), DISKS_MAX, DRAW_DISK);
    a->instance = 0;
    if (f->layer != LAYER_NONE)
        a->instance = draw_target(in, i, &f->instance, offered_instances(in, f),
                                  OFFER_INSTANCES_MAX, DRAW_INSTANCE);
    /* Whose requests count: of the disk given with the moment, else of the fault's, else of all. */
    bool own = f->kind <= FAULT_DISK_LYING_FLUSH && f->disk.kind != FAULT_TARGET_ALL &&
               f->disk.kind != FAULT_TARGET_HOLDS; /* which is known when it strikes */
    a->count_disk = own ? a->disk : DISKS_MAX;
    if (f->at.disk.kind != FAULT_TARGET_NONE)
        a->count_disk = draw_target(in, i, &f->at.disk, offered_disks(in, &f->at.disk), DISKS_MAX,
                                    DRAW_MOMENT_DISK);
    a->count_instance = 0;
    if (f->at.layer == f->layer && a->instance != OFFER_INSTANCES_MAX)
        a->count_instance = a->instance;
}

static bool is_position(const struct fault_when *at)
{
    if (at->kind == FAULT_AT_UNIFORM)
        return true;
    return at->kind != FAULT_AT_RECOVERY && at->kind != FAULT_AT_AFTER &&
           at->number.kind == AMOUNT_UNIFORM;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The uniform positions of a plan are sorted: it strikes in the order written. Over all of the
 * plan, also where only its first faults are armed: those strike then where they always do. */
static void sort_positions(struct injector *in)
{
    double sorted[FAULTS_PER_PLAN_MAX];
    uint32_t positions = 0, next = 0;
    for (uint32_t i = 0; i < in->setup.plan->count; i++)
        if (is_position(&fault_of(in, i)->at))
            sorted[positions++] = in->fault[i].moment;
    qsort(sorted, positions, sizeof(sorted[0]), by_value);
    for (uint32_t i = 0; i < in->setup.plan->count; i++)
        if (is_position(&fault_of(in, i)->at))
            in->fault[i].moment = sorted[next++];
}

static uint64_t sum(const uint64_t *values, uint32_t one, uint32_t all)
{
    if (one != all)
        return values[one];
    uint64_t total = 0;
    for (uint32_t k = 0; k < all; k++)
        total += values[k];
    return total;
}

/* How many of what a count counts the fault-free run had. */
static uint64_t offered(const struct injector *in, uint32_t i)
{
    const struct fault_when *at = &fault_of(in, i)->at;
    const struct armed *a = &in->fault[i];
    const struct offer *o = in->setup.offer;
    switch (at->kind) {
    case FAULT_AT_OP:
        return o->operations;
    case FAULT_AT_IO:
        return sum(o->requests, a->count_disk, DISKS_MAX);
    case FAULT_AT_WRITE:
        return sum(o->writes, a->count_disk, DISKS_MAX);
    case FAULT_AT_MESSAGE:
        return o->messages[at->layer][a->count_instance];
    case FAULT_AT_BLOCK:
        return o->blocks[at->layer][a->count_instance];
    case FAULT_AT_PROBE:
        return o->probes[at->probe];
    case FAULT_AT_MARK:
        return o->marks;
    default:
        return in->setup.over_ns > 0 ? in->setup.over_ns : o->run_ns;
    }
}

void inject_draw_number(struct injector *in, uint32_t i)
{
    const struct fault_when *at = &fault_of(in, i)->at;
    struct armed *a = &in->fault[i];
    bool time = at->kind == FAULT_AT_UNIFORM || at->kind == FAULT_AT_TIME;
    if (at->kind == FAULT_AT_RATE)
        return; /* each target has its own */
    if (at->kind == FAULT_AT_RECOVERY || at->kind == FAULT_AT_AFTER)
        return; /* known when the entry before it has struck */
    if (at->kind != FAULT_AT_UNIFORM && at->number.kind != AMOUNT_UNIFORM) {
        a->number = (uint64_t)amount_at(&at->number, a->moment);
        return;
    }
    uint64_t n = offered(in, i);
    /* Where a run has none of it the moment never comes. */
    a->number = n == 0 ? UINT64_MAX : amount_share(a->moment, n) + (time ? 0 : 1);
}

void inject_draw_moments(struct injector *in)
{
    in->slots = in->setup.plan->count;
    for (uint32_t i = 0; i < in->slots; i++)
        in->fault[i] = (struct armed){.of = i};
    for (uint32_t i = 0; i < in->setup.plan->count; i++)
        in->fault[i].moment = inject_fraction(in, i, DRAW_MOMENT);
    sort_positions(in);
}
