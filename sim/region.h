/*
 * Regions: the memory of simulated processes, mapped once at the addresses of the plan and cleared,
 * never unmapped, between instances and trials (clearing to a high-water mark by memset is ten
 * times cheaper than giving pages back).
 *
 * A region from the inside: [0, SIM_STACK_BYTES) is the stack, growing down into the free slot
 * below, so that an overflow faults; above lies the arena. A survivor region has no stack.
 *
 * Strict mode closes (mprotect) all regions but those that are opened. The simulator opens what it
 * needs by sim_regions_open, and closes the rest when it enters a process.
 *
 * Of the first SIM_REGION_WATCHED_BYTES of a region with a stack only the pages count that were
 * ever touched, so that a process which uses a tenth of what it has asked for costs a tenth: they
 * are closed at first, and the first touch of each opens it for good (sim_regions_touch, once in a
 * machine's life). Strict mode ends that: it opens and closes regions as a whole.
 *
 * Invariants: (1) bytes above the mark of an ordinary region are zero, and in a watched part those
 * of pages that are not open; (2) without strict mode all mapped regions are open, but for these.
 */
#ifndef LORIS_SIM_REGION_H
#define LORIS_SIM_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/address_plan.h"

#define SIM_STACK_BYTES ((size_t)128 << 10)

#define SIM_REGION_PAGE_BYTES ((size_t)4096)
#define SIM_REGION_PAGES (SIM_REGION_BYTES / SIM_REGION_PAGE_BYTES)
#define SIM_REGION_WATCHED_BYTES ((size_t)2 << 20)
#define SIM_REGION_WATCHED_PAGES (SIM_REGION_WATCHED_BYTES / SIM_REGION_PAGE_BYTES)

struct sim_region {
    uint8_t *base; /* NULL: not mapped yet */
    size_t mark;   /* bytes from base that may be other than zero (the stack counts whole) */
    /* Without a stack, where large areas below the mark may never be used: which pages may be. */
    uint64_t marked[SIM_REGION_PAGES / 64];
    uint64_t touched[SIM_REGION_WATCHED_PAGES / 64]; /* watched: which pages are open */
    bool has_stack;
    bool watched;
    bool dirty; /* marked since it was cleared */
    bool open;
};

struct sim_regions {
    struct sim_region region[SIM_REGIONS_MAX];
    uint32_t open[SIM_REGIONS_MAX]; /* strict mode: indices of the open ones */
    uint32_t open_count;
    bool strict;
    bool watches; /* somebody calls sim_regions_touch: regions mapped from now on are watched */
};

/* No region is mapped, strict mode is off. */
void sim_regions_init(struct sim_regions *regions);

/* Unmaps all. */
void sim_regions_fini(struct sim_regions *regions);

/*
 * Maps region `index` if it is not yet, zeroed, and returns its base. Memory is not reserved: only
 * what is touched counts. A slot that something else occupies is a defect of loris (exit 3).
 */
uint8_t *sim_regions_map(struct sim_regions *regions, uint32_t index, bool has_stack);

/* If it was marked since the last time: zeroes what was marked of region `index` (with a stack: all
 * up to the mark) and forgets the marks. Whatever lies above the last mark of a region without
 * stack is given back to the host.
 */
void sim_regions_clear(struct sim_regions *regions, uint32_t index);

/*
 * Gives every region fresh zero pages and opens it. For a forked child: pages shared with the
 * parent would be copied in small ones, and strict mode on small pages is up to 90 times dearer.
 */
void sim_regions_renew(struct sim_regions *regions);

/* A load or store at `address` faulted. True: it was the first of a page, which is open now. For a
 * handler of signals: no allocation, nothing printed. */
bool sim_regions_touch(struct sim_regions *regions, uint64_t address);

/* Whoever writes to a region says so first: marks [from, from + bytes), inside the region. */
void sim_regions_mark(struct sim_regions *regions, uint32_t index, size_t from, size_t bytes);

/* Turns strict mode on (all closed) or off (all open). */
void sim_regions_strict(struct sim_regions *regions, bool strict);

/* Makes region `index` accessible. Free if it is already. */
void sim_regions_open(struct sim_regions *regions, uint32_t index);

/* Strict mode: closes all but two regions (UINT32_MAX: none) and opens these. Else nothing. */
void sim_regions_enter(struct sim_regions *regions, uint32_t first, uint32_t second);

#endif
