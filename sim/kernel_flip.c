/*
 * Faults of memory: which bytes of a process qualify, and flips of bits in them.
 */
#include "assertion.h"
#include "sim/kernel.h"

#define PAGE_BYTES 4096u

/* Walks over the bytes that qualify: counts them, and stops at the `target`-th. */
struct walk {
    const struct sim_flip *flip;
    uint64_t target;
    uint64_t seen;
    bool found;
    uint64_t address;
    enum plat_tag tag;
    bool stack;
    enum plat_page_state state;
};

static void walk_range(struct walk *w, uint64_t address, uint64_t bytes)
{
    if (!w->found && w->target - w->seen < bytes) {
        w->found = true;
        w->address = address + (w->target - w->seen);
    }
    w->seen += bytes;
}

/* The pages of an extent whose state is wanted, one by one. */
static void walk_pages(struct walk *w, uint64_t base, const struct sim_map *map,
                       const struct sim_extent *e)
{
    for (size_t at = e->offset & ~(size_t)(PAGE_BYTES - 1); at < e->offset + e->bytes;
         at += PAGE_BYTES) {
        uint8_t state = map->page_state == NULL ? PAGE_UNUSED : map->page_state[at / PAGE_BYTES];
        bool wanted = w->flip->any_state ? state != PAGE_UNUSED : state == w->flip->state;
        bool before = w->found;
        if (wanted)
            walk_range(w, base + at, PAGE_BYTES);
        if (w->found && !before) {
            w->tag = TAG_PAGES;
            w->state = (enum plat_page_state)state;
        }
    }
}

static void walk_map(struct walk *w, uint32_t region, const struct sim_map *map)
{
    uint64_t base = sim_plan_base(region);
    for (uint32_t i = 0; i < map->count; i++) {
        const struct sim_extent *e = &map->extent[i];
        bool before = w->found;
        if (!w->flip->any_tag && e->tag != w->flip->tag)
            continue;
        if (!w->flip->any_tag && e->tag == TAG_PAGES) {
            walk_pages(w, base, map, e);
            continue;
        }
        walk_range(w, base + e->offset, e->bytes);
        if (w->found && !before) {
            w->tag = e->tag;
            size_t page = (w->address - base) / PAGE_BYTES;
            w->state = e->tag == TAG_PAGES && map->page_state != NULL
                           ? (enum plat_page_state)map->page_state[page]
                           : PAGE_UNUSED;
        }
    }
}

static void walk(struct walk *w, const struct sim_process *p)
{
    const struct sim_flip *flip = w->flip;
    w->seen = 0;
    if (p->alive && p->co.sp != NULL && (flip->any_tag || flip->stack)) {
        uint64_t low = (uint64_t)(uintptr_t)p->co.sp;
        uint64_t top = (uint64_t)(uintptr_t)p->co.stack_low + p->co.stack_bytes;
        if (low < top && top - low <= p->co.stack_bytes)
            walk_range(w, low, top - low); /* frames in use */
        w->stack = w->found;
    }
    if (flip->stack && !flip->any_tag)
        return;
    if (p->alive)
        walk_map(w, p->region, &p->map);
    if (p->survivor != UINT32_MAX && p->survivor_used)
        walk_map(w, p->survivor, &p->survivor_map);
}

/* A memory fault asks no sanitizer. */
static __attribute__((no_sanitize_address, noinline)) void flip_bit(uint64_t address, uint32_t bit)
{
    *(uint8_t *)(uintptr_t)address ^= (uint8_t)(1u << bit);
}

void memory_open(struct sim_process *p)
{
    struct sim_machine *m = p->m;
    sim_regions_open(&m->regions, p->region);
    if (p->survivor != UINT32_MAX)
        sim_regions_open(&m->regions, p->survivor);
}

void memory_suspect(struct sim_machine *m)
{
    if (!m->layout_checked)
        ASSERT(sim_plan_hits() == 0); /* else a flipped pointer could reach the laboratory */
    m->layout_checked = true;
    m->guarded = m->strict != SIM_STRICT_REGIONS;
    sim_regions_strict(&m->regions, true);
}

bool memory_pick(const struct sim_process *p, const struct sim_flip *flip,
                 struct sim_flip_result *picked)
{
    struct walk w = {.flip = flip, .target = UINT64_MAX};
    ASSERT(flip->where >= 0.0 && flip->where < 1.0);
    walk(&w, p);
    *picked = (struct sim_flip_result){.hit = false};
    if (w.seen == 0)
        return false;
    uint64_t total = w.seen;
    w.target = (uint64_t)(flip->where * (double)total);
    w.target = w.target < total ? w.target : total - 1; /* rounding of a product near 1 */
    w.found = false;
    walk(&w, p);
    ASSERT(w.found);
    *picked = (struct sim_flip_result){
        .hit = true, .address = w.address, .tag = w.tag, .stack = w.stack, .state = w.state};
    return true;
}

static void flip_bits(struct sim_process *p, uint64_t address, uint32_t bit, uint32_t bits)
{
    memory_open(p);
    for (uint32_t i = 0; i < bits; i++) {
        uint64_t at = address + (bit + i) / 8;
        bool inside = process_owns(p, (void *)(uintptr_t)at, 1, true);
        if (inside) /* a run of bits may end with the region */
            flip_bit(at, (bit + i) % 8);
    }
}

struct sim_flip_result sim_machine_flip(struct sim_machine *m, const struct sim_flip *flip)
{
    struct sim_flip_result picked = {.hit = false};
    ASSERT(flip->bit < 8);
    ASSERT(flip->bits >= 1);
    struct sim_process *p = process_by_name(m, flip->layer, flip->instance);
    if (p == NULL || p->program == NULL || !memory_pick(p, flip, &picked))
        return picked;
    flip_bits(p, picked.address, flip->bit, flip->bits);
    memory_suspect(m);
    sim_engine_note(m->engine, NOTE_FLIP, picked.address, (uint64_t)flip->bit << 32 | flip->bits);
    return picked;
}
