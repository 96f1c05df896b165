/*
 * Time compression: what may be left out of a long run is a stretch in which nothing but heartbeats
 * and fruitless timers would come. What is under way anywhere (a call, a request of a disk, a
 * restart, a heartbeat without its answer) makes the machine busy.
 */
#include "assertion.h"
#include "sim/kernel.h"

/* So many timers of a process that led to nothing: its timer is a habit and no date. */
#define FRUITLESS_MIN 3u

static bool process_rests(const struct sim_process *p)
{
    if (!p->alive)
        return !p->service;
    bool idle = p->state == STATE_RECEIVING && !p->quiet && !p->hung && p->ready &&
                !p->ping_pending && p->inbox == NULL && p->kernel_notes == 0 && p->notes == 0 &&
                p->completion_count == 0;
    return idle && (p->waits_for == ENDPOINT_ANY || p->waits_for == ENDPOINT_LAB);
}

bool sim_machine_rests(const struct sim_machine *m)
{
    ASSERT(m->running == NULL);
    if (!m->powered || m->ready_first != NULL)
        return false;
    for (uint32_t i = 0; i < m->slots; i++)
        if (!process_rests(&m->process[i]))
            return false;
    for (uint32_t d = 0; d < m->config.disks; d++)
        if (sim_disk_outstanding(m->disk[d]) > 0)
            return false;
    return true;
}

void sim_machine_worked(struct sim_machine *m)
{
    for (uint32_t i = 0; i < m->slots; i++)
        m->process[i].timeouts = 0;
}

struct jump {
    const struct sim_machine *m;
    bool timers;
};

static bool is_tick(const void *context, sim_event_id id)
{
    const struct jump *jump = context;
    if (id == jump->m->poll)
        return true;
    for (uint32_t i = 0; jump->timers && i < jump->m->slots; i++) {
        const struct sim_process *p = &jump->m->process[i];
        if (p->alive && p->service && p->timeouts >= FRUITLESS_MIN &&
            (p->alarm == id || p->deadline == id))
            return true;
    }
    return false;
}

uint64_t sim_machine_jump(struct sim_machine *m, uint64_t to_ns, bool timers)
{
    ASSERT(sim_machine_rests(m));
    struct jump jump = {.m = m, .timers = timers};
    uint64_t ns = sim_engine_jump(m->engine, to_ns, is_tick, &jump);
    if (ns > 0)
        sim_engine_note(m->engine, NOTE_JUMP, timers, ns);
    return ns;
}
