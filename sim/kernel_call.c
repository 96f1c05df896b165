/* The table of kernel calls: which handler, and what the call costs. */
#include "assertion.h"
#include "sim/kernel.h"

/* gate: layer, instance -> peer. */
static void call_lookup(struct sim_process *p)
{
    const struct sim_process *other = process_by_name(p->m, p->gate.layer, p->gate.instance);
    p->gate.peer = other != NULL && other->alive && other->ready ? other->endpoint : ENDPOINT_NONE;
}

/* gate: layer, instance. Of what does not exist nobody ever tells. */
static void call_subscribe(struct sim_process *p)
{
    const struct sim_process *other = process_by_name(p->m, p->gate.layer, p->gate.instance);
    if (other != NULL)
        p->subscribed |= UINT64_C(1) << other->slot;
}

/* gate: peer -> layer, instance. */
static void call_layer_of(struct sim_process *p)
{
    const struct sim_process *other = process_by_endpoint(p->m, p->gate.peer);
    p->gate.layer = other != NULL ? other->layer : LAYER_NONE;
    p->gate.instance = other != NULL ? other->instance : 0;
}

/* gate: layer, instance. */
static void call_kill(struct sim_process *p)
{
    struct sim_process *other = process_by_name(p->m, p->gate.layer, p->gate.instance);
    if (other != NULL && other->alive)
        process_die(other, SIM_DEATH_RS_ASKED);
}

static void call_copy_in(struct sim_process *p)
{
    kernel_copy(p, false);
}

static void call_copy_out(struct sim_process *p)
{
    kernel_copy(p, true);
}

/* gate -> a. */
static void call_random(struct sim_process *p)
{
    p->gate.a = sim_rng_u64(&p->rng);
}

/* gate: a = probe. */
static void call_probe(struct sim_process *p)
{
    struct sim_machine *m = p->m;
    uint64_t probe = p->gate.a;
    if (probe >= PROBE_COUNT)
        return; /* a corrupted number; no point of that name exists */
    uint64_t n = ++m->probe_count[probe];
    sim_engine_note(m->engine, NOTE_PROBE | probe << 32, p->endpoint, p->co.blocks);
    if (m->tracer != NULL)
        m->tracer(m->tracer_context, &(struct sim_trace){.kind = SIM_TRACE_PROBE,
                                                         .slot = p->slot,
                                                         .layer = p->layer,
                                                         .instance = p->instance,
                                                         .endpoint = p->endpoint,
                                                         .probe = (enum probe)probe});
    if (m->observer.on_probe != NULL)
        m->observer.on_probe(m->observer.context, p->layer, p->instance, (enum probe)probe, n);
}

/* gate: c = report, a, b. */
static void call_report(struct sim_process *p)
{
    const struct sim_observer *observer = &p->m->observer;
    if (p->gate.c < REPORT_COUNT && observer->on_report != NULL)
        observer->on_report(observer->context, p->layer, p->instance, (enum report)p->gate.c,
                            p->gate.a, p->gate.b);
}

/* gate: c = gauge, a = value. */
static void call_gauge(struct sim_process *p)
{
    if (p->gate.c < GAUGE_COUNT)
        p->gauge[p->gate.c] = p->gate.a;
}

static void call_panic(struct sim_process *p)
{
    process_die(p, SIM_DEATH_PANIC);
}

/* gate: fn, pointer. */
static void call_lab(struct sim_process *p)
{
    p->gate.fn(p->gate.pointer);
}

static const struct call_row {
    void (*handle)(struct sim_process *p);
    uint32_t cost_ns;
    bool timed; /* the event stream has its time: the clock must be right also when done in place */
} calls[CALL_COUNT] = {
    [CALL_SEND] = {kernel_send, COST_MESSAGE_NS},
    [CALL_POST] = {kernel_post, COST_MESSAGE_NS, .timed = true},
    [CALL_RECEIVE] = {kernel_receive, COST_CALL_NS},
    [CALL_SENDREC] = {kernel_sendrec, COST_MESSAGE_NS},
    [CALL_NOTIFY] = {kernel_notify, COST_MESSAGE_NS},
    [CALL_LOOKUP] = {call_lookup, COST_CALL_NS},
    [CALL_SUBSCRIBE] = {call_subscribe, COST_CALL_NS},
    [CALL_LAYER_OF] = {call_layer_of, COST_CALL_NS},
    [CALL_READY] = {restart_on_ready, COST_MESSAGE_NS},
    [CALL_KILL] = {call_kill, COST_MESSAGE_NS},
    [CALL_GRANT] = {kernel_grant, 0}, /* on MINIX a store into the process's own table */
    [CALL_GRANT_FORWARD] = {kernel_grant_forward, 0},
    [CALL_REVOKE] = {kernel_revoke, 0},
    [CALL_COPY_IN] = {call_copy_in, COST_CALL_NS},
    [CALL_COPY_OUT] = {call_copy_out, COST_CALL_NS},
    [CALL_ALLOC] = {kernel_alloc, COST_CALL_NS},
    [CALL_TAG_SURVIVOR] = {kernel_tag_survivor, 0}, /* tells the laboratory alone */
    [CALL_PAGE_STATE] = {kernel_page_state, 0},
    [CALL_ALARM] = {kernel_alarm, COST_CALL_NS},
    [CALL_RANDOM] = {call_random, COST_CALL_NS},
    [CALL_PROBE] = {call_probe, 0, .timed = true},
    [CALL_REPORT] = {call_report, 0},
    [CALL_GAUGE] = {call_gauge, 0},
    [CALL_PANIC] = {call_panic, 0},
    [CALL_DISK_SUBMIT] = {kernel_disk_submit, COST_CALL_NS},
    [CALL_DISK_POLL] = {kernel_disk_poll, COST_CALL_NS},
    [CALL_DISK_ABORT] = {kernel_disk_abort, COST_CALL_NS},
    [CALL_DISK_IDENTIFY] = {kernel_disk_identify, COST_CALL_NS},
    [CALL_LAB] = {call_lab, 0},
};

void kernel_call(struct sim_process *p)
{
    enum sim_call number = p->gate.call;
    ASSERT((uint32_t)number < CALL_COUNT);
    p->co.charged_ns += calls[number].cost_ns; /* counts with what it executes next */
    calls[number].handle(p);
}

/* Whether the kernel can do it in the process: it ends nobody, and tells no observer. */
static bool is_plain(struct sim_process *p)
{
    switch (p->gate.call) {
    case CALL_POST:
        return p->m->observer.on_message == NULL && p->m->send_hook == NULL &&
               p->m->tracer == NULL && p->m->free_nodes != NULL;
    case CALL_PROBE:
        return p->m->observer.on_probe == NULL && p->m->tracer == NULL;
    case CALL_LAYER_OF:
    case CALL_GAUGE:
        return true;
    case CALL_PAGE_STATE:
        return kernel_page_state_is_plain(p);
    default:
        return kernel_grant_is_plain(p);
    }
}

bool kernel_call_in_place(struct sim_process *p)
{
    enum sim_call number = p->gate.call;
    ASSERT((uint32_t)number < CALL_COUNT);
    if (p->m->regions.strict || p->m->watch.fn != NULL || !is_plain(p))
        return false;
    if (calls[number].timed)
        process_catch_up(p);
    uint64_t before_ns = p->co.charged_ns;
    p->co.charged_ns += calls[number].cost_ns;
    calls[number].handle(p);
    sim_coroutine_shorten((p->co.charged_ns - before_ns) / COST_BLOCK_NS);
    return true;
}
