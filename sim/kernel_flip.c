/*
 * Faults of memory: which bytes of a process qualify, and flips of bits in them.
 */
#include "assertion.h"
#include "sim/kernel.h"
#include "sim/secded.h"

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

#define LINE_BYTES 64u
#define WORD_BYTES sizeof(uint64_t)
#define WORD_BITS 64u

/* Bytes below `address` that lie in words of this number in their line. */
static uint64_t bytes_below(uint64_t address, uint32_t word)
{
    uint64_t in_line = address % LINE_BYTES, first = word * WORD_BYTES;
    uint64_t part = in_line <= first ? 0 : in_line - first;
    return address / LINE_BYTES * WORD_BYTES + (part < WORD_BYTES ? part : WORD_BYTES);
}

static void walk_range(struct walk *w, uint64_t address, uint64_t bytes)
{
    const struct sim_flip *flip = w->flip;
    uint64_t below = flip->in_word ? bytes_below(address, flip->word) : address;
    uint64_t count = flip->in_word ? bytes_below(address + bytes, flip->word) - below : bytes;
    if (!w->found && w->target - w->seen < count) {
        uint64_t at = below + (w->target - w->seen);
        w->found = true;
        w->address = at;
        if (flip->in_word)
            w->address = at / WORD_BYTES * LINE_BYTES + flip->word * WORD_BYTES + at % WORD_BYTES;
    }
    w->seen += count;
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

/* ---- What is spoilt -------------------------------------------------------------------------- */

#define ROW_BYTES 8192u
#define COLUMN_STRIDE 65536u

/* A fault being carried out. */
struct blow {
    struct sim_process *p;
    const struct sim_flip *flip;
    uint32_t region; /* index of that which is struck */
    uint64_t base;
    uint64_t aimed; /* address of the byte that was picked */
    uint32_t changed;
    bool detected;
};

/* A memory fault asks no sanitizer. */
static __attribute__((no_sanitize_address, noinline)) uint64_t
change_word(uint64_t address, uint64_t keep, uint64_t flip)
{
    uint64_t *word = (uint64_t *)(uintptr_t)address;
    *word = (*word & keep) ^ flip;
    return *word;
}

/* Whether anybody keeps something there: above its mark a region is zero, and will be cleared. */
static bool is_in_use(const struct blow *b, uint64_t address)
{
    const struct sim_region *region = &b->p->m->regions.region[b->region];
    uint64_t used = region->mark;
    if (region->has_stack && used < SIM_STACK_BYTES)
        used = SIM_STACK_BYTES;
    return address - b->base < used;
}

static void stick(struct blow *b, uint64_t address, uint64_t mask, uint64_t value)
{
    struct sim_machine *m = b->p->m;
    if (m->stuck_count < STUCK_MAX)
        m->stuck[m->stuck_count++] = (struct sim_stuck){
            .address = address, .mask = mask, .value = value & mask, .region = b->region};
}

/*
 * The bits in `mask` of the word at `address` are wrong: if it was aimed at, else if somebody keeps
 * something there. What was aimed at may be memory that its process has, and never touched: a cell
 * that is stuck there is met when it does.
 */
static void strike_word(struct blow *b, uint64_t address, uint64_t mask)
{
    bool detected = false;
    bool aimed = address == (b->aimed & ~(WORD_BYTES - 1));
    if (mask == 0 || !(aimed || is_in_use(b, address)))
        return;
    sim_regions_mark(&b->p->m->regions, b->region, address - b->base, WORD_BYTES);
    uint64_t wrong = b->flip->secded ? secded_read(mask, &detected) : mask;
    b->detected = b->detected || detected;
    b->changed += (uint32_t)__builtin_popcountll(wrong);
    uint64_t now = change_word(address, UINT64_MAX, wrong);
    if (b->flip->pattern == SIM_FLIP_STUCK && wrong != 0 && !detected)
        stick(b, address, wrong, now);
}

/* `bits` neighbours from `bit` of the byte at `address` on: in words, the last may end with the
 * region. */
static void strike_neighbours(struct blow *b, uint64_t address)
{
    uint64_t word = address & ~(WORD_BYTES - 1);
    uint32_t first = (uint32_t)(address - word) * 8 + b->flip->bit;
    uint64_t mask = 0;
    for (uint32_t k = 0; k < b->flip->bits; k++, first++) {
        if (first == WORD_BITS) {
            strike_word(b, word, mask);
            word += WORD_BYTES;
            first = 0;
            mask = 0;
        }
        mask |= UINT64_C(1) << first;
    }
    strike_word(b, word, mask);
}

static void strike_row(struct blow *b, uint64_t address)
{
    uint64_t row = address & ~(uint64_t)(ROW_BYTES - 1);
    uint32_t device = (uint32_t)(address % WORD_BYTES);
    for (uint64_t at = 0; at < ROW_BYTES; at += WORD_BYTES) {
        uint64_t byte = sim_rng_mix(b->flip->key, at) & 0xff;
        strike_word(b, row + at, byte << device * 8);
    }
}

static void strike_column(struct blow *b, uint64_t address)
{
    uint64_t word = address & ~(WORD_BYTES - 1);
    uint64_t mask = b->flip->bits < WORD_BITS ? (UINT64_C(1) << b->flip->bits) - 1 : UINT64_MAX;
    mask <<= (address - word) * 8 + b->flip->bit; /* of one word: what passes its end is no part */
    for (uint64_t at = b->base + (word - b->base) % COLUMN_STRIDE; at < b->base + SIM_REGION_BYTES;
         at += COLUMN_STRIDE)
        strike_word(b, at, mask);
}

static void carry_out(struct blow *b, uint64_t address)
{
    struct sim_process *p = b->p;
    bool own = address - region_base(p) < SIM_REGION_BYTES;
    b->region = own ? p->region : p->survivor;
    b->base = own ? region_base(p) : survivor_base(p);
    b->aimed = address;
    memory_open(p);
    switch (b->flip->pattern) {
    case SIM_FLIP_SINGLE:
    case SIM_FLIP_STUCK:
        strike_neighbours(b, address);
        break;
    case SIM_FLIP_ROW:
        strike_row(b, address);
        break;
    case SIM_FLIP_COLUMN:
        strike_column(b, address);
        break;
    }
}

void memory_stick(struct sim_process *p)
{
    const struct sim_machine *m = p->m;
    for (uint32_t k = 0; k < m->stuck_count; k++) {
        const struct sim_stuck *s = &m->stuck[k];
        if (s->region == p->region || s->region == p->survivor)
            (void)change_word(s->address, ~s->mask, s->value);
    }
}

uint64_t sim_machine_flip_bytes(struct sim_machine *m, const struct sim_flip *flip)
{
    struct walk w = {.flip = flip, .target = UINT64_MAX};
    const struct sim_process *p = process_by_name(m, flip->layer, flip->instance);
    if (p == NULL || p->program == NULL)
        return 0;
    walk(&w, p);
    return w.seen;
}

struct sim_flip_result sim_machine_flip(struct sim_machine *m, const struct sim_flip *flip)
{
    struct sim_flip_result picked = {.hit = false};
    struct sim_flip at = *flip;
    ASSERT(flip->bit < (flip->in_word ? WORD_BITS : 8));
    ASSERT(flip->bits >= 1);
    struct sim_process *p = process_by_name(m, flip->layer, flip->instance);
    if (p == NULL || p->program == NULL || !memory_pick(p, flip, &picked))
        return picked;
    if (flip->in_word) {
        picked.address = (picked.address & ~(uint64_t)(WORD_BYTES - 1)) + flip->bit / 8;
        at.bit = flip->bit % 8;
    }
    struct blow b = {.p = p, .flip = &at};
    carry_out(&b, picked.address);
    memory_suspect(m);
    sim_engine_note(m->engine, NOTE_FLIP, picked.address, (uint64_t)at.bit << 32 | at.bits);
    picked.changed = b.changed;
    picked.detected = b.detected;
    if (b.detected && p->alive)
        process_die(p, SIM_DEATH_SIGNAL);
    return picked;
}
