/*
 * Memory of a process: the arena, what ranges hold, the state of pages. The stack and the arena lie
 * in the slot's region, so an address is an offset from its base.
 */
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "sim/kernel.h"

#define LINE_BYTES 64u
#define PAGE_BYTES 4096u
#define ARENA_START SIM_STACK_BYTES

void memory_forget(struct sim_map *map)
{
    map->count = 0;
    if (map->pages_declared)
        memset(map->page_state, PAGE_UNUSED, REGION_PAGES);
    map->pages_declared = false;
}

/* Notes what a range holds; merged with the last one if it goes on where that ended. A layer with
 * more than EXTENTS_MAX alternations has the rest counted to the last one's tag. */
static void map_add(struct sim_map *map, size_t offset, size_t bytes, enum plat_tag tag)
{
    struct sim_extent *last = map->count > 0 ? &map->extent[map->count - 1] : NULL;
    bool follows = last != NULL && offset >= last->offset + last->bytes;
    if (follows && (last->tag == tag || map->count == EXTENTS_MAX) &&
        offset - (last->offset + last->bytes) < PAGE_BYTES) {
        last->bytes = offset + bytes - last->offset;
        return;
    }
    if (map->count < EXTENTS_MAX)
        map->extent[map->count++] = (struct sim_extent){offset, bytes, tag};
}

/* gate: a = bytes, c = tag -> pointer. The region is zero above its mark. */
void kernel_alloc(struct sim_process *p)
{
    uint64_t bytes = p->gate.a;
    enum plat_tag tag =
        p->gate.c == TAG_PAGES || p->gate.c == TAG_LOG ? (enum plat_tag)p->gate.c : TAG_HEAP;
    uint64_t align = tag == TAG_PAGES && bytes >= PAGE_BYTES ? PAGE_BYTES : LINE_BYTES;
    uint64_t start = (p->arena_used + align - 1) & ~(align - 1);
    p->gate.pointer = NULL;
    if (p->leaks || bytes > PLAT_ARENA_BYTES || start + bytes > ARENA_START + PLAT_ARENA_BYTES)
        return;
    p->arena_used = start + bytes;
    sim_regions_mark(&p->m->regions, p->region, start, bytes);
    map_add(&p->map, start, bytes, tag);
    p->gate.pointer = (void *)(uintptr_t)(sim_plan_base(p->region) + start);
}

/* gate: a = offset, b = bytes, c = tag. What lies outside is the process's bug and ignored. */
void kernel_tag_survivor(struct sim_process *p)
{
    uint64_t offset = p->gate.a, bytes = p->gate.b;
    if (p->survivor == UINT32_MAX || offset > SIM_REGION_BYTES || bytes > SIM_REGION_BYTES - offset)
        return;
    if (p->gate.c == TAG_HEAP) /* of pages and log what comes into use (kernel_page_state) */
        sim_regions_mark(&p->m->regions, p->survivor, offset, bytes);
    map_add(&p->survivor_map, offset, bytes, (enum plat_tag)p->gate.c);
}

/* Where the page at this address of p is declared, and the offset in its region; NULL: nowhere. */
static struct sim_map *page_map(struct sim_process *p, const void *page, uint64_t *offset)
{
    uint64_t at = (uint64_t)(uintptr_t)page;
    *offset = at - region_base(p);
    if (*offset < SIM_REGION_BYTES)
        return &p->map;
    if (p->survivor == UINT32_MAX)
        return NULL;
    *offset = at - survivor_base(p);
    return *offset < SIM_REGION_BYTES ? &p->survivor_map : NULL;
}

uint32_t kernel_pages(const struct sim_map *map, enum plat_page_state state)
{
    uint32_t count = 0;
    for (uint32_t i = 0; map->page_state != NULL && i < map->count; i++) {
        const struct sim_extent *e = &map->extent[i];
        size_t end = (e->offset + e->bytes) / PAGE_BYTES;
        for (size_t page = e->offset / PAGE_BYTES; e->tag == TAG_PAGES && page < end; page++)
            count += map->page_state[page] == state;
    }
    return count;
}

bool kernel_page_state_is_plain(struct sim_process *p)
{
    uint64_t offset;
    const struct sim_map *map = page_map(p, p->gate.pointer, &offset);
    return map == NULL || map->page_state != NULL;
}

/* gate: pointer, c = state. */
void kernel_page_state(struct sim_process *p)
{
    uint64_t offset;
    struct sim_map *map = page_map(p, p->gate.pointer, &offset);
    if (map == NULL)
        return; /* no page of this process: its bug, and nothing that injectors aim at */
    if (map == &p->survivor_map)
        sim_regions_mark(&p->m->regions, p->survivor, offset / PAGE_BYTES * PAGE_BYTES, PAGE_BYTES);
    if (map->page_state == NULL)
        map->page_state = calloc(REGION_PAGES, 1);
    ASSERT(map->page_state != NULL);
    map->pages_declared = true;
    map->page_state[offset / PAGE_BYTES] = (uint8_t)p->gate.c;
}
