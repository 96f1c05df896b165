/*
 * Lazy checksums: a page that a transaction changed has none until the cache is idle or the page
 * goes down. Before that a flip cannot be told from a change; after it the flush, an eviction, a
 * partial write, or the background pass finds it. Hits are not verified: this is what it saves.
 *
 * Pages that lack a checksum are at the end of the dirty list: sum_next is the first that may. The
 * background pass goes round all frames; its rate bounds how long a flip stays unseen.
 */
#include "cache.h"

/* Assumptions: a request follows the last within half a millisecond while an application works; an
 * idle step is short against a disk access. */
#define IDLE_NS 500000u
#define IDLE_PAGES 8u
#define SWEEP_STEP_NS 100000000u /* a pass takes SWEEP_STEPS of these: 10 s */
#define SWEEP_STEPS 100u

uint64_t lazy_deadline(const struct cache *c, uint64_t at)
{
    ASSERT(c->lazy);
    bool sweeps = c->frames_used > 0 && c->down == OK; /* as lazy_work does: else it never waits */
    uint64_t work = sweeps ? c->sweep_ns : PLAT_FOREVER;
    if (c->sum_next != 0)
        work = plat_now() + IDLE_NS;
    return work < at ? work : at;
}

static void sum_some(struct cache *c)
{
    for (uint32_t k = 0; k < IDLE_PAGES && c->sum_next != 0; k++) {
        uint32_t page = c->sum_next;
        ASSERT(c->page[page].list == LIST_DIRTY);
        if ((c->page[page].flags & PAGE_LOST) == 0 && page_unsummed(c, page))
            page_sum(c, page);
        c->sum_next = c->page[page].next;
    }
}

/* One frame of the background pass. Private pages have no checksum yet. OK, E_LOST, E_SESSION. */
static enum err verify(struct cache *c, uint32_t page)
{
    const struct page *p = &c->page[page];
    if (p->list == LIST_NONE || (p->flags & PAGE_LOST) != 0 || page_sound(c, page))
        return OK;
    return page_mend(c, &page);
}

static void sweep_some(struct cache *c)
{
    uint32_t count = c->frames_used / SWEEP_STEPS + 1;
    enum err e = OK;
    for (uint32_t k = 0; k < count && e != E_SESSION; k++) {
        c->sweep_page = c->sweep_page < c->frames_used ? c->sweep_page + 1 : 1;
        e = verify(c, c->sweep_page);
    }
}

void lazy_work(struct cache *c)
{
    ASSERT(c->lazy);
    if (c->sum_next != 0)
        sum_some(c);
    if (c->frames_used > 0 && c->down == OK && plat_now() >= c->sweep_ns) {
        sweep_some(c);
        c->sweep_ns = plat_now() + SWEEP_STEP_NS;
    }
}
