/*
 * Faults of processes and of their memory: at once, with the messages that an instance sends, or
 * again and again.
 */
#include "faults/inject_private.h"
#include "sim/rng.h"

/* A fault that a request triggers strikes when that is met, however often. */
static bool awaits_request(const struct fault *f)
{
    return f->repeat_same_request;
}

/* ---- Once --------------------------------------------------------------------------------------
 */

struct sim_flip inject_flip_of(const struct fault *f, uint32_t instance)
{
    static const enum plat_tag tags[] = {[FAULT_REGION_PAGES] = TAG_PAGES,
                                         [FAULT_REGION_HEAP] = TAG_HEAP,
                                         [FAULT_REGION_LOG] = TAG_LOG,
                                         [FAULT_REGION_STACK] = TAG_HEAP,
                                         [FAULT_REGION_ANY] = TAG_HEAP};
    static const enum plat_page_state states[] = {[FAULT_PAGE_ANY] = PAGE_CLEAN,
                                                  [FAULT_PAGE_CLEAN] = PAGE_CLEAN,
                                                  [FAULT_PAGE_DIRTY] = PAGE_DIRTY,
                                                  [FAULT_PAGE_WRITING] = PAGE_WRITING};
    static const enum sim_flip_pattern patterns[] = {[FAULT_PATTERN_SINGLE] = SIM_FLIP_SINGLE,
                                                     [FAULT_PATTERN_ROW] = SIM_FLIP_ROW,
                                                     [FAULT_PATTERN_COLUMN] = SIM_FLIP_COLUMN,
                                                     [FAULT_PATTERN_STUCK] = SIM_FLIP_STUCK};
    return (struct sim_flip){.layer = f->layer,
                             .instance = instance,
                             .any_tag = f->region == FAULT_REGION_ANY,
                             .stack = f->region == FAULT_REGION_STACK,
                             .tag = tags[f->region],
                             .any_state = f->state == FAULT_PAGE_ANY,
                             .state = states[f->state],
                             .in_word = f->in_word,
                             .word = f->word,
                             .bits = 1,
                             .pattern = patterns[f->pattern],
                             .secded = f->ecc == FAULT_ECC_SECDED};
}

static bool strike_memory(struct injector *in, uint32_t i, uint32_t instance)
{
    const struct fault *f = fault_of(in, i);
    struct sim_flip flip = inject_flip_of(f, instance);
    flip.where = inject_fraction(in, i, f->in_word ? f->draw : DRAW_PLACE);
    flip.bit = f->in_word ? f->bit : (uint32_t)amount_share(inject_fraction(in, i, DRAW_BIT), 8);
    flip.bits = (uint32_t)inject_amount(in, i, &f->bits, DRAW_BITS);
    flip.key = sim_rng_mix(inject_purpose(in, i), sim_rng_mix(in->setup.seed, in->setup.n));
    struct sim_flip_result struck = sim_machine_flip(in->setup.machine, &flip);
    return struck.hit && (struck.changed != 0 || flip.secded); /* what ECC corrects was there */
}

static bool strike_one(struct injector *in, uint32_t i, uint32_t instance)
{
    const struct fault *f = fault_of(in, i);
    switch (f->kind) {
    case FAULT_MEMORY_FLIP:
        return strike_memory(in, i, instance);
    case FAULT_PROCESS_BUG:
        return inject_bug_strike(in, i, instance);
    case FAULT_PROCESS_HANG:
        return sim_machine_hang(in->setup.machine, f->layer, instance);
    default:
        ASSERT(f->kind == FAULT_PROCESS_CRASH);
        return sim_machine_kill(in->setup.machine, f->layer, instance, SIM_DEATH_KILLED);
    }
}

/* ---- Messages that a bug spoils ----------------------------------------------------------------
 */

static bool spoils_messages(const struct injector *in, uint32_t i)
{
    return fault_of(in, i)->kind == FAULT_PROCESS_BUG && inject_bug_is_of_messages(in, i);
}

static bool has_messages_left(const struct armed *a)
{
    for (uint32_t k = 0; k < OFFER_INSTANCES_MAX; k++)
        if (a->messages_left[k] > 0)
            return true;
    return false;
}

/* Fault i may spoil what this instance sends now. */
static bool lies_in_wait(const struct injector *in, uint32_t i, enum layer layer, uint32_t instance)
{
    return fault_of(in, i)->layer == layer && in->fault[i].messages_left[instance] > 0;
}

static void note_spoiled(struct injector *in, uint32_t i, uint32_t instance)
{
    struct armed *a = &in->fault[i];
    bool first = !a->strike.took_effect;
    a->messages_left[instance]--;
    a->strike.done++;
    a->strike.took_effect = true;
    if (a->stage == STAGE_ARMED && !has_messages_left(a))
        a->stage = STAGE_OVER;
    if (first)
        inject_struck_late(in, i);
}

static void unhook_if_over(struct injector *in)
{
    for (uint32_t i = 0; i < in->slots; i++)
        if (has_messages_left(&in->fault[i]))
            return;
    sim_machine_hook_sends(in->setup.machine, NULL, NULL);
    sim_machine_hook_device(in->setup.machine, NULL, NULL);
}

static bool on_send(void *object, enum layer layer, uint32_t instance, struct msg *m, bool posted)
{
    struct injector *in = object;
    bool sent = true;
    for (uint32_t i = 0; sent && i < in->slots; i++)
        if (lies_in_wait(in, i, layer, instance) && inject_bug_spoil(in, i, m, posted, &sent))
            note_spoiled(in, i, instance);
    unhook_if_over(in);
    return sent;
}

static void on_device(void *object, uint32_t instance, struct plat_disk_request *r)
{
    struct injector *in = object;
    for (uint32_t i = 0; i < in->slots; i++)
        if (lies_in_wait(in, i, LAYER_DRIVER, instance) && inject_bug_spoil_device(in, i, r))
            note_spoiled(in, i, instance);
    unhook_if_over(in);
}

static void spoil_messages(struct injector *in, uint32_t i, uint32_t instance, uint64_t count)
{
    struct armed *a = &in->fault[i];
    a->messages_left[instance] += count;
    a->strike.wanted += count;
    sim_machine_hook_sends(in->setup.machine, on_send, in);
    sim_machine_hook_device(in->setup.machine, on_device, in);
}

/* ---- A request that triggers it ----------------------------------------------------------------
 */

static void trigger(struct injector *in, uint32_t i, uint32_t instance)
{
    struct armed *a = &in->fault[i];
    bool first = !a->strike.took_effect;
    if (spoils_messages(in, i)) {
        spoil_messages(in, i, instance, 1);
        return;
    }
    a->strike.wanted++;
    a->strike.done += strike_one(in, i, instance);
    a->strike.took_effect = a->strike.done > 0;
    if (first && a->strike.took_effect)
        inject_struck_late(in, i);
}

/* At its moment: the request that the instance is at work on, if the moment is within its code;
 * else the next one that is about something. */
static void await_request(struct injector *in, uint32_t i)
{
    struct armed *a = &in->fault[i];
    uint32_t instance = a->count_instance;
    a->stage = STAGE_ARMED;
    if (fault_of(in, i)->at.kind != FAULT_AT_BLOCK || !inject_aims_at_instance(a, instance) ||
        a->at_work[instance].type == 0)
        return;
    a->request = a->at_work[instance];
    a->stage = STAGE_OVER;
    trigger(in, i, instance);
}

static void meet_request(struct injector *in, uint32_t i, uint32_t instance)
{
    struct armed *a = &in->fault[i];
    struct sim_machine *machine = in->setup.machine;
    enum layer layer = fault_of(in, i)->layer;
    if (a->request.type != 0) {
        if (request_is(machine, layer, instance, &a->request, in->setup.options->tries))
            trigger(in, i, instance);
        return;
    }
    struct request_key key;
    if (!request_key_of(machine, layer, instance, &key))
        return;
    a->at_work[instance] = key;
    if (a->stage != STAGE_ARMED)
        return;
    a->request = key;
    a->stage = STAGE_OVER;
    trigger(in, i, instance);
}

/* ---- All instances, and again ------------------------------------------------------------------
 */

static uint64_t times(const struct injector *in, uint32_t i)
{
    uint64_t repeat = inject_amount(in, i, &fault_of(in, i)->repeat, DRAW_REPEAT);
    return repeat > 0 ? repeat : 1; /* distributions draw 0, too */
}

/* What comes after it was struck once: a fresh instance has to die again; one that stores where it
 * should not, and lives, does so again with the next message. */
static void plan_again(struct injector *in, uint32_t i, uint32_t instance)
{
    struct armed *a = &in->fault[i];
    bool stores = fault_of(in, i)->kind == FAULT_PROCESS_BUG && a->bug == BUG_STORE;
    a->reborn[instance] = stores && a->deaths_left[instance] > 0 &&
                          sim_machine_alive(in->setup.machine, fault_of(in, i)->layer, instance);
}

void inject_instances_strike(struct injector *in, uint32_t i)
{
    const struct fault *f = fault_of(in, i);
    struct armed *a = &in->fault[i];
    uint64_t repeat = times(in, i);
    if (awaits_request(f)) {
        await_request(in, i);
        return;
    }
    for (uint32_t k = 0; k < inject_instances(in, f->layer); k++) {
        bool alive = sim_machine_alive(in->setup.machine, f->layer, k);
        if (!inject_aims_at_instance(a, k) || !alive)
            continue;
        if (spoils_messages(in, i)) {
            a->stage = STAGE_ARMED;
            spoil_messages(in, i, k, repeat);
        } else if (strike_one(in, i, k)) {
            a->deaths_left[k] = repeat - 1;
            a->strike.wanted += repeat;
            a->strike.done++;
            plan_again(in, i, k);
        }
    }
    a->strike.took_effect = a->strike.done > 0;
    if (a->strike.took_effect && f->kind == FAULT_PROCESS_HANG)
        inject_lasting_begin(in, i);
}

static void strike_again(struct injector *in, uint32_t i, uint32_t instance)
{
    struct armed *a = &in->fault[i];
    ASSERT(a->deaths_left[instance] > 0);
    a->reborn[instance] = false;
    a->deaths_left[instance]--;
    a->strike.done += strike_one(in, i, instance);
    plan_again(in, i, instance);
    if (fault_of(in, i)->kind == FAULT_PROCESS_HANG)
        inject_lasting_begin(in, i);
}

void inject_instance_meets(struct injector *in, uint32_t i, uint32_t instance)
{
    const struct armed *a = &in->fault[i];
    if (!inject_aims_at_instance(a, instance))
        return;
    if (awaits_request(fault_of(in, i)))
        meet_request(in, i, instance);
    else if (a->reborn[instance])
        strike_again(in, i, instance);
}
