/*
 * Software bugs of the stack's programs, as the machine can see them: messages that are not what
 * was meant, stores where none was meant, memory and grants that are never given back. What goes
 * wrong is decided by whoever asks (faults/); here it is carried out.
 */
#include <string.h>

#include "assertion.h"
#include "sim/kernel.h"

void sim_machine_hook_sends(struct sim_machine *m, sim_send_hook_fn *fn, void *context)
{
    m->send_hook = fn;
    m->send_hook_context = context;
}

bool bug_lets_send(struct sim_process *p, bool posted)
{
    struct sim_machine *m = p->m;
    if (m->send_hook == NULL || p->program == NULL)
        return true;
    struct msg before;
    msg_copy(&before, &p->gate.msg);
    bool sent = m->send_hook(m->send_hook_context, p->layer, p->instance, &p->gate.msg, posted);
    ASSERT(p->alive);
    if (sent && memcmp(&before, &p->gate.msg, sizeof(before)) == 0)
        return true;
    memory_suspect(m); /* what it does with a number that it believes nobody knows */
    sim_engine_note(m->engine, NOTE_BUG, p->endpoint, p->co.blocks);
    return sent || !posted;
}

void sim_machine_hook_device(struct sim_machine *m, sim_device_hook_fn *fn, void *context)
{
    m->device_hook = fn;
    m->device_hook_context = context;
}

void bug_meets_device(struct sim_process *p)
{
    struct sim_machine *m = p->m;
    if (m->device_hook == NULL)
        return;
    struct plat_disk_request *r = &p->gate.u.request;
    struct plat_disk_request before = *r;
    m->device_hook(m->device_hook_context, p->instance, r);
    if (before.first_sector == r->first_sector && before.count == r->count &&
        before.grant_offset == r->grant_offset)
        return;
    memory_suspect(m);
    sim_engine_note(m->engine, NOTE_BUG, p->endpoint, p->co.blocks);
}

const struct msg *sim_machine_arriving(const struct sim_machine *m, uint32_t *source)
{
    ASSERT(m->arriving != NULL);
    *source = m->arriving_from;
    return m->arriving;
}

bool sim_machine_read_grant(struct sim_machine *m, enum layer layer, uint32_t instance,
                            uint32_t granter, uint32_t grant, size_t offset, void *to, size_t bytes)
{
    const struct sim_process *p = process_by_name(m, layer, instance);
    return p != NULL && p->alive &&
           grant_move(m, p->endpoint, granter, grant, offset, to, bytes, false) == OK;
}

static struct sim_process *find_alive(struct sim_machine *m, enum layer layer, uint32_t instance)
{
    struct sim_process *p = process_by_name(m, layer, instance);
    return p != NULL && p->alive && p->program != NULL ? p : NULL;
}

/* A sanitizer is not asked either: what is overwritten is the fault. Whether it is another byte. */
static __attribute__((no_sanitize_address, noinline)) bool overwrite(uint64_t address,
                                                                     uint8_t value)
{
    uint8_t *byte = (uint8_t *)(uintptr_t)address, old = *byte;
    *byte = value;
    return old != value;
}

/* The region of its two in which an address is that is its own. */
static uint32_t region_at(const struct sim_process *p, uint64_t address, size_t *offset)
{
    *offset = address - region_base(p);
    if (*offset < SIM_REGION_BYTES)
        return p->region;
    *offset = address - survivor_base(p);
    return p->survivor;
}

bool sim_machine_store(struct sim_machine *m, const struct sim_store *store)
{
    struct sim_process *p = find_alive(m, store->layer, store->instance);
    struct sim_flip anywhere = {.any_tag = true, .any_state = true, .where = store->where};
    struct sim_flip_result at;
    ASSERT(store->bytes >= 1);
    if (p == NULL)
        return false;
    memory_suspect(m);
    sim_engine_note(m->engine, NOTE_BUG, p->endpoint, (uint64_t)store->astray << 32 | store->bytes);
    if (store->astray || !memory_pick(p, &anywhere, &at)) {
        process_die(p, SIM_DEATH_SIGNAL);
        return true;
    }
    memory_open(p);
    bool changed = false;
    for (uint32_t i = 0; i < store->bytes; i++) {
        if (!process_owns(p, (void *)(uintptr_t)(at.address + i), 1, true)) {
            process_die(p, SIM_DEATH_SIGNAL);
            return true;
        }
        size_t offset;
        uint32_t region = region_at(p, at.address + i, &offset);
        sim_regions_mark(&m->regions, region, offset, 1);
        uint64_t word = sim_rng_mix(store->key, i / sizeof(uint64_t));
        changed = overwrite(at.address + i, (uint8_t)(word >> i % sizeof(word) * 8)) || changed;
    }
    return changed;
}

bool sim_machine_leak(struct sim_machine *m, enum layer layer, uint32_t instance)
{
    struct sim_process *p = find_alive(m, layer, instance);
    if (p == NULL)
        return false;
    memory_suspect(m);
    sim_engine_note(m->engine, NOTE_BUG, p->endpoint, p->co.blocks);
    p->leaks = true;
    return true;
}
