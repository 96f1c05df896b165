/*
 * Where the execution of a process falls into stretches that nobody can tell apart once it is dead:
 * the watcher is told of the end of each. A stretch ends where the process makes a call of the
 * platform, where an event comes between two of its blocks, and, since a survivor region outlives
 * it, where the bytes of that change from one block to the next.
 *
 * For the last the region is closed to stores at each edge: the first store to a page is mended by
 * the handler of faults, which keeps what the page held; and the process runs block by block, with
 * the pages that are open compared after each. Times and hashes are those of any run.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

#include "assertion.h"
#include "sim/kernel.h"

#define PAGE_BYTES 4096u

struct sim_watch_page {
    uint8_t *page;
    uint8_t was[PAGE_BYTES];
};

static size_t pages_bytes(void)
{
    return REGION_PAGES * sizeof(struct sim_watch_page);
}

/* A store to a closed page of the survivor: keeps what it held, and opens it. From the handler of
 * faults, while no allocation is under way. */
bool watch_mend(struct sim_machine *m, uint64_t address)
{
    struct sim_watch *w = &m->watch;
    if (!w->closed || address - (uint64_t)(uintptr_t)w->survivor >= SIM_REGION_BYTES)
        return false;
    uint8_t *page =
        w->survivor + (address - (uint64_t)(uintptr_t)w->survivor) / PAGE_BYTES * PAGE_BYTES;
    if (w->page_count == REGION_PAGES || mprotect(page, PAGE_BYTES, PROT_READ | PROT_WRITE) != 0)
        return false;
    w->page[w->page_count].page = page;
    memcpy(w->page[w->page_count++].was, page, PAGE_BYTES);
    return true;
}

void watch_open(struct sim_machine *m)
{
    struct sim_watch *w = &m->watch;
    w->page_count = 0;
    w->looked_blocks = 0; /* of an earlier run, whose number might come again */
    if (!w->closed)
        return;
    int failed = mprotect(w->survivor, SIM_REGION_BYTES, PROT_READ | PROT_WRITE);
    ASSERT(failed == 0);
    w->closed = false;
}

/* From now on stores to the survivor of p are noticed. */
static void close_survivor(const struct sim_process *p)
{
    struct sim_watch *w = &p->m->watch;
    ASSERT(!p->m->regions.strict); /* what is watched has no faults of memory */
    ASSERT(p->m->survivors == 1);
    if (w->closed && w->page_count == 0)
        return;
    w->survivor = p->m->regions.region[p->survivor].base;
    int failed = mprotect(w->survivor, SIM_REGION_BYTES, PROT_READ);
    ASSERT(failed == 0);
    w->closed = true;
    w->page_count = 0;
}

/* Whether the survivor changed since the last look; a block may be looked at more than once. */
static bool survivor_changed(struct sim_process *p)
{
    struct sim_watch *w = &p->m->watch;
    bool changed = false;
    if (p->counts.blocks == w->looked_blocks)
        return false; /* within a block: what it stored counts with the next */
    w->looked_blocks = p->counts.blocks;
    for (uint32_t k = 0; k < w->page_count; k++) {
        if (memcmp(w->page[k].was, w->page[k].page, PAGE_BYTES) == 0)
            continue;
        memcpy(w->page[k].was, w->page[k].page, PAGE_BYTES);
        changed = true;
    }
    return changed;
}

void watch_stop(struct sim_process *p, enum sim_stop stop)
{
    struct sim_machine *m = p->m;
    struct sim_watch *w = &m->watch;
    if (p->program == NULL)
        return;
    bool survives = p->survivor != UINT32_MAX;
    if (stop == SIM_STOP_BLOCKS) {
        /* The callback comes before the block's own code: a kill there meets what was before. */
        if (survives && survivor_changed(p))
            w->fn(w->context, p->layer, p->instance, p->counts.blocks - 1);
        bool event = sim_engine_next_ns(m->engine) <= sim_engine_now(m->engine);
        if (!event && p->quantum_left_ns > 0)
            return;
    }
    w->fn(w->context, p->layer, p->instance, p->counts.blocks);
    if (survives)
        close_survivor(p);
}

void watch_stamp(struct sim_process *p)
{
    struct sim_stamp *s = &p->m->stamp;
    ASSERT(p->counts.blocks <= s->blocks);
    ASSERT(sim_engine_now(p->m->engine) <= s->at_ns);
    p->co.blocks += s->blocks - p->counts.blocks;
    p->counts.blocks = s->blocks;
    sim_engine_advance(p->m->engine, s->at_ns);
    s->slot = SLOT_NONE;
}

void sim_machine_watch(struct sim_machine *m, sim_edge_fn *fn, void *context)
{
    struct sim_watch *w = &m->watch;
    watch_open(m);
    if (fn != NULL && w->page == NULL) {
        w->page = mmap(NULL, pages_bytes(), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        ASSERT(w->page != MAP_FAILED);
    }
    w->fn = fn;
    w->context = context;
}

void watch_free(struct sim_machine *m)
{
    sim_machine_watch(m, NULL, NULL);
    if (m->watch.page != NULL)
        (void)munmap(m->watch.page, pages_bytes());
    m->watch.page = NULL;
}

void sim_machine_stamp_death(struct sim_machine *m, enum layer layer, uint32_t instance,
                             uint64_t blocks, uint64_t at_ns)
{
    const struct sim_process *p = process_by_name(m, layer, instance);
    ASSERT(p != NULL);
    m->stamp = (struct sim_stamp){.slot = p->slot, .blocks = blocks, .at_ns = at_ns};
}
