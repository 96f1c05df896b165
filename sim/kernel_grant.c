/*
 * Grants: a process lets another read or write a range of its memory. A number names an entry of
 * the granter's table and carries a sequence, so a stale one is refused. All that comes from a
 * process is checked: the range when the grant is made (a range that is not the granter's is a wild
 * pointer and its crash), owner, direction and bounds at each use.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "sim/kernel.h"

#define INDEX_BITS 10u
#define SEQUENCE_MASK ((1u << (32 - INDEX_BITS)) - 1)
_Static_assert(PLAT_GRANTS_MAX == 1u << INDEX_BITS, "an index fits its bits of a grant number");

/* Set by the linker: constants of the program lie between these. */
extern const char etext[];
extern const char __init_array_start[];

static bool lies_in(const void *base, size_t bytes, uint64_t low, uint64_t size)
{
    uint64_t at = (uint64_t)(uintptr_t)base;
    return at >= low && at - low <= size && bytes <= size - (at - low);
}

bool process_owns(const struct sim_process *p, const void *base, size_t bytes, bool write)
{
    if (p->program == NULL)
        return true; /* an application is the laboratory's code and may use its memory */
    if (lies_in(base, bytes, region_base(p), SIM_REGION_BYTES))
        return true;
    if (p->survivor != UINT32_MAX && lies_in(base, bytes, survivor_base(p), SIM_REGION_BYTES))
        return true;
    uint64_t constants = (uint64_t)(uintptr_t)etext;
    return !write &&
           lies_in(base, bytes, constants, (uint64_t)(uintptr_t)__init_array_start - constants);
}

static void crash_at(struct sim_process *p, const void *address)
{
    p->co.crash = (struct sim_crash){.signal = SIGSEGV, .address = (uint64_t)(uintptr_t)address};
    process_die(p, SIM_DEATH_SIGNAL);
}

/* The first free entry of p's table, NULL if all are taken: few are in use at a time, and these
 * stay in the host's cache. */
static struct sim_grant *grant_take(struct sim_process *p)
{
    if (p->grants == NULL) {
        p->grants = calloc(PLAT_GRANTS_MAX, sizeof(*p->grants));
        ASSERT(p->grants != NULL);
    }
    for (uint32_t index = p->grant_free; index < PLAT_GRANTS_MAX; index++) {
        struct sim_grant *g = &p->grants[index];
        if (index >= p->grants_used) {
            g->number = 0; /* of an earlier instance */
            p->grants_used = index + 1;
        }
        if (g->number != 0)
            continue;
        p->grant_free = index + 1;
        p->grant_sequence = (p->grant_sequence & SEQUENCE_MASK) + 1;
        p->grant_sequence += (p->grant_sequence & SEQUENCE_MASK) == 0;
        g->number = (p->grant_sequence & SEQUENCE_MASK) << INDEX_BITS | index;
        return g;
    }
    p->grant_free = PLAT_GRANTS_MAX;
    return NULL;
}

static struct sim_grant *grant_find(const struct sim_process *p, uint32_t number)
{
    uint32_t index = number % PLAT_GRANTS_MAX;
    if (number == GRANT_NONE || index >= p->grants_used || p->grants[index].number != number)
        return NULL;
    return &p->grants[index];
}

/* gate: peer, access, count, u.spans -> grant. */
void kernel_grant(struct sim_process *p)
{
    struct sim_gate *gate = &p->gate;
    size_t bytes = 0;
    gate->grant = GRANT_NONE;
    for (uint32_t i = 0; i < gate->count; i++) {
        const struct plat_span *span = &gate->u.spans[i];
        if (!process_owns(p, span->base, span->bytes, (gate->access & PLAT_GRANT_WRITE) != 0)) {
            crash_at(p, span->base);
            return;
        }
        bytes += span->bytes;
    }
    struct sim_grant *g = grant_take(p);
    if (g == NULL)
        return;
    g->to = gate->peer;
    g->access = gate->access;
    g->count = gate->count;
    g->bytes = bytes;
    g->first = gate->u.spans[0];
    if (gate->count > 1) {
        if (g->more == NULL)
            g->more = calloc(PLAT_SPANS_MAX, sizeof(*g->more));
        ASSERT(g->more != NULL);
        memcpy(g->more, gate->u.spans, gate->count * sizeof(*g->more));
    }
    gate->grant = g->number;
}

/* gate: peer, access, c = granter << 32 | grant, a = offset, b = bytes -> grant. What is passed on
 * is checked at each use, with the rights of every hand it went through. */
void kernel_grant_forward(struct sim_process *p)
{
    struct sim_gate *gate = &p->gate;
    struct sim_grant *g = grant_take(p);
    gate->grant = GRANT_NONE;
    if (g == NULL)
        return;
    g->to = gate->peer;
    g->access = gate->access;
    g->count = 0;
    g->bytes = gate->b;
    g->offset = gate->a;
    g->granter = (uint32_t)(gate->c >> 32);
    g->forwarded = (uint32_t)gate->c;
    gate->grant = g->number;
}

/* gate: grant. */
void kernel_revoke(struct sim_process *p)
{
    struct sim_grant *g = grant_find(p, p->gate.grant);
    if (g == NULL || p->leaks)
        return; /* GRANT_NONE, or a number that p made up: nothing to end */
    uint32_t index = g->number % PLAT_GRANTS_MAX;
    g->number = 0;
    p->grant_free = index < p->grant_free ? index : p->grant_free;
}

static void move_spans(struct sim_machine *m, struct sim_process *owner, const struct sim_grant *g,
                       size_t offset, uint8_t *mine, size_t bytes, bool out)
{
    const struct plat_span *span = g->count > 1 ? g->more : &g->first;
    sim_regions_open(&m->regions, owner->region);
    if (owner->survivor != UINT32_MAX)
        sim_regions_open(&m->regions, owner->survivor);
    for (uint32_t i = 0; bytes > 0; i++) {
        ASSERT(i < g->count);
        if (offset >= span[i].bytes) {
            offset -= span[i].bytes;
            continue;
        }
        size_t part = span[i].bytes - offset < bytes ? span[i].bytes - offset : bytes;
        uint8_t *theirs = (uint8_t *)span[i].base + offset;
        memmove(out ? theirs : mine, out ? mine : theirs, part);
        mine += part;
        bytes -= part;
        offset = 0;
    }
}

enum err grant_move(struct sim_machine *m, uint32_t user, uint32_t granter, uint32_t grant,
                    size_t offset, void *mine, size_t bytes, bool out)
{
    uint32_t need = out ? PLAT_GRANT_WRITE : PLAT_GRANT_READ;
    for (uint32_t depth = 0; depth < FORWARD_DEPTH_MAX; depth++) {
        struct sim_process *owner = process_by_endpoint(m, granter);
        if (owner == NULL)
            return E_DEAD;
        const struct sim_grant *g = grant_find(owner, grant);
        if (g == NULL || g->to != user || (g->access & need) == 0)
            return E_INVAL;
        if (offset > g->bytes || bytes > g->bytes - offset)
            return E_INVAL;
        if (g->count > 0) {
            move_spans(m, owner, g, offset, mine, bytes, out);
            return OK;
        }
        if (g->offset > SIZE_MAX - offset)
            return E_INVAL;
        offset += g->offset;
        user = granter;
        granter = g->granter;
        grant = g->forwarded;
    }
    return E_INVAL; /* forwarded in a circle, or through more hands than there are layers */
}

/* gate: peer = granter, grant, a = offset, pointer, b = bytes -> result. */
void kernel_copy(struct sim_process *p, bool out)
{
    struct sim_gate *gate = &p->gate;
    if (!process_owns(p, gate->pointer, gate->b, !out)) {
        crash_at(p, gate->pointer);
        return;
    }
    sim_regions_open(&p->m->regions, p->region);
    if (p->survivor != UINT32_MAX)
        sim_regions_open(&p->m->regions, p->survivor);
    gate->result = grant_move(p->m, p->endpoint, gate->peer, gate->grant, gate->a, gate->pointer,
                              gate->b, out);
    if (gate->result == OK)
        p->co.charged_ns += gate->b / COST_COPY_BYTES_PER_NS;
}

static bool spans_are_owned(const struct sim_process *p)
{
    const struct sim_gate *gate = &p->gate;
    for (uint32_t i = 0; i < gate->count; i++)
        if (!process_owns(p, gate->u.spans[i].base, gate->u.spans[i].bytes,
                          (gate->access & PLAT_GRANT_WRITE) != 0))
            return false;
    return true;
}

bool kernel_grant_is_plain(const struct sim_process *p)
{
    switch (p->gate.call) {
    case CALL_GRANT:
        return p->grants != NULL && p->gate.count == 1 && spans_are_owned(p);
    case CALL_GRANT_FORWARD:
        return p->grants != NULL;
    case CALL_REVOKE:
        return true;
    case CALL_COPY_IN:
        return process_owns(p, p->gate.pointer, p->gate.b, true);
    case CALL_COPY_OUT:
        return process_owns(p, p->gate.pointer, p->gate.b, false);
    default:
        return false;
    }
}
