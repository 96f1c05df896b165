/*
 * The restart service, after MINIX 3's reincarnation server (sim/README.md tells where it differs):
 * learns of a death at once from the kernel, of a hang by a heartbeat that stays unanswered; starts
 * a fresh instance, at once after the first death, later after 2^n seconds up to a cap; publishes
 * the new endpoint and tells subscribers.
 */
#include "assertion.h"
#include "sim/kernel.h"

#define BACKOFF_SHIFT_MAX 30u

const struct sim_restart_policy sim_restart_minix = {
    .poll_ns = UINT64_C(1000000000),
    .backoff_cap_ns = UINT64_C(1000000000),
    .start_ns = UINT64_C(5000000),
    .init_limit_ns = UINT64_C(10000000000),
    .silent_periods = 2,
};

/* Silence for so long ends a process: a number of periods, or the longer limit of its start. */
static uint64_t patience_ns(const struct sim_process *p)
{
    const struct sim_restart_policy *policy = &p->m->config.restart;
    uint64_t periods_ns = policy->poll_ns * policy->silent_periods;
    return p->ready || periods_ns > policy->init_limit_ns ? periods_ns : policy->init_limit_ns;
}

static void check_heartbeat(struct sim_process *p, uint64_t now_ns)
{
    if (!p->ping_pending) {
        p->ping_pending = true;
        p->ping_ns = now_ns;
        kernel_tell(p, ENDPOINT_RS);
    } else if (now_ns - p->ping_ns > patience_ns(p)) {
        process_die(p, SIM_DEATH_RS_HUNG);
    }
}

static void on_poll(void *object, uint64_t unused)
{
    struct sim_machine *m = object;
    uint64_t now_ns = sim_engine_now(m->engine);
    (void)unused;
    for (uint32_t i = 0; i < m->programs && m->powered; i++)
        if (m->process[i].alive)
            check_heartbeat(&m->process[i], now_ns);
    if (m->powered)
        m->poll = sim_engine_after(m->engine, m->config.restart.poll_ns, on_poll, m, 0);
}

void restart_begin(struct sim_machine *m)
{
    ASSERT(m->powered);
    ASSERT(m->config.restart.poll_ns > 0);
    m->poll = sim_engine_after(m->engine, m->config.restart.poll_ns, on_poll, m, 0);
}

static void on_restart(void *object, uint64_t unused)
{
    struct sim_process *p = object;
    (void)unused;
    ASSERT(!p->alive);
    p->restart = 0;
    process_start(p);
}

void restart_publish(struct sim_process *p)
{
    struct sim_machine *m = p->m;
    for (uint32_t i = 0; i < m->slots; i++) {
        struct sim_process *other = &m->process[i];
        if (other->alive && (other->subscribed >> p->slot & 1) != 0)
            kernel_tell(other, ENDPOINT_DS);
    }
}

void restart_on_death(struct sim_process *p)
{
    const struct sim_restart_policy *policy = &p->m->config.restart;
    restart_publish(p);
    if (!p->service)
        return;
    ASSERT(p->restart == 0);
    uint64_t delay_ns = 0;
    if (p->deaths > 0) {
        uint32_t shift = p->deaths < BACKOFF_SHIFT_MAX ? p->deaths : BACKOFF_SHIFT_MAX;
        delay_ns = policy->poll_ns << shift;
        delay_ns = delay_ns < policy->backoff_cap_ns ? delay_ns : policy->backoff_cap_ns;
    }
    p->deaths++;
    p->restart = sim_engine_after(p->m->engine, delay_ns + policy->start_ns, on_restart, p, 0);
}

void restart_on_ready(struct sim_process *p)
{
    struct sim_machine *m = p->m;
    if (p->ready)
        return; /* said twice: nothing new */
    p->ready = true;
    sim_engine_note(m->engine, NOTE_READY, p->endpoint, p->co.blocks);
    restart_publish(p);
    if (m->observer.on_ready != NULL)
        m->observer.on_ready(m->observer.context, p->layer, p->instance, p->incarnation);
}

void restart_on_pong(struct sim_process *p)
{
    p->ping_pending = false;
}
