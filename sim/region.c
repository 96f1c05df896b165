/* Mapping, clearing and closing of regions. */
#define _GNU_SOURCE
#include "sim/region.h"

#include <string.h>
#include <sys/mman.h>

#include "assertion.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
/* Frames of a dropped stack leave their red zones behind. */
#define UNPOISON(base, bytes) __asan_unpoison_memory_region(base, bytes)
#else
#define UNPOISON(base, bytes) (void)0
#endif

#define INDEX_NONE UINT32_MAX
#define HUGE_PAGE_BYTES ((size_t)2 << 20) /* x86-64; elsewhere only less apt */

void sim_regions_init(struct sim_regions *regions)
{
    memset(regions, 0, sizeof(*regions));
}

void sim_regions_fini(struct sim_regions *regions)
{
    for (uint32_t i = 0; i < SIM_REGIONS_MAX; i++)
        if (regions->region[i].base != NULL)
            (void)munmap(regions->region[i].base, SIM_REGION_BYTES);
    sim_regions_init(regions);
}

/* Fresh zero pages at the region's place; `extra` are flags of mmap. */
static void *map_fresh(uint32_t index, int extra)
{
    void *want = (void *)(uintptr_t)sim_plan_base(index);
    void *got = mmap(want, SIM_REGION_BYTES, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | extra, -1, 0);
    ASSERT(got == want);
    (void)madvise(got, SIM_REGION_BYTES, MADV_HUGEPAGE); /* speed only: may be refused */
    return got;
}

/* Closes the first part of a fresh region, so that what is touched of it is known. */
static void watch(struct sim_region *r)
{
    memset(r->touched, 0, sizeof(r->touched));
    r->watched = mprotect(r->base, SIM_REGION_WATCHED_BYTES, PROT_NONE) == 0;
}

bool sim_regions_touch(struct sim_regions *regions, uint64_t address)
{
    for (uint32_t i = 0; i < SIM_REGIONS_MAX; i++) {
        struct sim_region *r = &regions->region[i];
        uint64_t inside = address - (uint64_t)(uintptr_t)r->base;
        if (!r->watched || inside >= SIM_REGION_WATCHED_BYTES)
            continue;
        uint64_t page = inside / SIM_REGION_PAGE_BYTES, bit = UINT64_C(1) << page % 64;
        if ((r->touched[page / 64] & bit) != 0)
            return false;
        r->touched[page / 64] |= bit;
        return mprotect(r->base + page * SIM_REGION_PAGE_BYTES, SIM_REGION_PAGE_BYTES,
                        PROT_READ | PROT_WRITE) == 0;
    }
    return false;
}

void sim_regions_renew(struct sim_regions *regions)
{
    regions->strict = false;
    regions->open_count = 0;
    for (uint32_t i = 0; i < SIM_REGIONS_MAX; i++) {
        struct sim_region *r = &regions->region[i];
        if (r->base == NULL)
            continue;
        UNPOISON(r->base, r->mark);
        r->base = map_fresh(i, MAP_FIXED);
        r->open = true;
        r->watched = false;
        r->dirty = false;
        r->mark = r->has_stack ? SIM_STACK_BYTES : 0;
        memset(r->marked, 0, sizeof(r->marked));
    }
}

uint8_t *sim_regions_map(struct sim_regions *regions, uint32_t index, bool has_stack)
{
    ASSERT(index < SIM_REGIONS_MAX);
    struct sim_region *r = &regions->region[index];
    bool fresh = r->base == NULL;
    if (fresh) {
        r->base = map_fresh(index, MAP_FIXED_NOREPLACE);
        r->open = true;
        r->mark = has_stack ? SIM_STACK_BYTES : 0;
        if (regions->strict)
            regions->open[regions->open_count++] = index;
    }
    if (fresh && has_stack && regions->watches && !regions->strict)
        watch(r);
    r->has_stack = has_stack;
    return r->base;
}

/* Zeroes those of the first `pages` pages that have a bit. */
static void clear_pages(const struct sim_region *r, const uint64_t *bits, size_t pages)
{
    for (size_t word = 0; word * 64 < pages; word++)
        for (uint64_t left = bits[word]; left != 0; left &= left - 1) {
            size_t page = word * 64 + (size_t)__builtin_ctzll(left);
            memset(r->base + page * SIM_REGION_PAGE_BYTES, 0, SIM_REGION_PAGE_BYTES);
        }
}

/* Also gives back what lies above all marks, by whole huge pages: splitting one costs more. */
static void clear_marked(struct sim_region *r)
{
    size_t end = (r->mark + HUGE_PAGE_BYTES - 1) & ~(HUGE_PAGE_BYTES - 1);
    int failed = madvise(r->base + end, SIM_REGION_BYTES - end, MADV_DONTNEED);
    ASSERT(failed == 0);
    clear_pages(r, r->marked, (r->mark + SIM_REGION_PAGE_BYTES - 1) / SIM_REGION_PAGE_BYTES);
    memset(r->marked, 0, sizeof(r->marked));
}

static void clear_touched(struct sim_region *r)
{
    clear_pages(r, r->touched, SIM_REGION_WATCHED_PAGES);
    if (r->mark > SIM_REGION_WATCHED_BYTES)
        memset(r->base + SIM_REGION_WATCHED_BYTES, 0, r->mark - SIM_REGION_WATCHED_BYTES);
}

void sim_regions_clear(struct sim_regions *regions, uint32_t index)
{
    ASSERT(index < SIM_REGIONS_MAX);
    struct sim_region *r = &regions->region[index];
    ASSERT(r->base != NULL);
    ASSERT(r->mark <= SIM_REGION_BYTES);
    if (!r->dirty)
        return;
    sim_regions_open(regions, index);
    UNPOISON(r->base, r->mark);
    if (r->watched)
        clear_touched(r);
    else if (r->has_stack)
        memset(r->base, 0, r->mark);
    else
        clear_marked(r);
    r->mark = r->has_stack ? SIM_STACK_BYTES : 0;
    r->dirty = false;
}

void sim_regions_mark(struct sim_regions *regions, uint32_t index, size_t from, size_t bytes)
{
    ASSERT(index < SIM_REGIONS_MAX);
    ASSERT(from <= SIM_REGION_BYTES && bytes <= SIM_REGION_BYTES - from);
    struct sim_region *r = &regions->region[index];
    r->dirty = true;
    if (from + bytes > r->mark)
        r->mark = from + bytes;
    if (r->has_stack)
        return;
    for (size_t page = from / SIM_REGION_PAGE_BYTES; page * SIM_REGION_PAGE_BYTES < from + bytes;
         page++)
        r->marked[page / 64] |= UINT64_C(1) << page % 64;
}

static void set_access(struct sim_region *r, bool open)
{
    if (r->base == NULL || r->open == open)
        return;
    int failed = mprotect(r->base, SIM_REGION_BYTES, open ? PROT_READ | PROT_WRITE : PROT_NONE);
    ASSERT(failed == 0);
    r->open = open;
}

void sim_regions_strict(struct sim_regions *regions, bool strict)
{
    if (regions->strict == strict)
        return;
    regions->strict = strict;
    regions->open_count = 0;
    for (uint32_t i = 0; i < SIM_REGIONS_MAX; i++) {
        set_access(&regions->region[i], !strict);
        regions->region[i].watched = false;
    }
}

void sim_regions_open(struct sim_regions *regions, uint32_t index)
{
    ASSERT(index < SIM_REGIONS_MAX);
    struct sim_region *r = &regions->region[index];
    ASSERT(r->base != NULL);
    if (!regions->strict || r->open)
        return;
    set_access(r, true);
    ASSERT(regions->open_count < SIM_REGIONS_MAX);
    regions->open[regions->open_count++] = index;
}

void sim_regions_enter(struct sim_regions *regions, uint32_t first, uint32_t second)
{
    if (!regions->strict)
        return;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < regions->open_count; i++) {
        uint32_t index = regions->open[i];
        if (index == first || index == second)
            regions->open[kept++] = index;
        else
            set_access(&regions->region[index], false);
    }
    regions->open_count = kept;
    if (first != INDEX_NONE)
        sim_regions_open(regions, first);
    if (second != INDEX_NONE)
        sim_regions_open(regions, second);
}
