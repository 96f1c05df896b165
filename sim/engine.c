/*
 * The event queue: a 4-ary heap of 16-byte entries (time, sequence and slot) over a table of slots
 * that hold what to call. Heap order needs the entries alone, so a sift touches one cache line a
 * level.
 *
 * Numbered invariants:
 *   (1) an entry's key is sequence << SLOT_BITS | slot; sequences are never used twice, so keys are
 *       unique, are handles, and order events of equal time by age;
 *   (2) slot[s].id is the key of the entry that owns s, or 0: then s is free, or its event was
 *       cancelled and its entry is dead and waits in the heap;
 *   (3) `dead` counts dead entries; they are swept out when they outnumber the living;
 *   (4) while `hole` is set the heap's top entry has run and its place may be taken by the next
 *       event to be scheduled, which saves half of the work of the usual "run, schedule again".
 */
#include "sim/engine.h"

#include <stddef.h>
#include <stdlib.h>

#include "assertion.h"

#define SLOT_BITS 20u
#define SLOT_MASK ((UINT64_C(1) << SLOT_BITS) - 1)
#define SEQUENCE_MAX (UINT64_C(1) << (64 - SLOT_BITS))
#define FIRST_CAPACITY 256u   /* entries; grows by doubling */
#define SWEEP_MIN_ENTRIES 64u /* a sweep of fewer is not worth its call */
#define HASH_START UINT64_C(0x6c6f7269732d3031)

_Static_assert(SIM_EVENTS_MAX - 1 == SLOT_MASK, "a slot number fits its bits of a key");

__extension__ typedef unsigned __int128 wide;

struct entry {
    uint64_t key; /* low half in the order of comparison */
    uint64_t at_ns;
};

struct slot {
    uint64_t id;
    sim_event_fn *fn;
    void *object;
    uint64_t argument; /* of a free slot: the next free one, plus 1 */
};

struct sim_engine {
    struct sim_clock clock; /* first: engine.h reads it */
    uint64_t sequence;
    struct entry *heap;
    struct slot *slot;
    uint32_t count;    /* entries in the heap, the hole and dead ones included */
    uint32_t capacity; /* of heap and of slot */
    uint32_t dead;
    uint32_t free_slot;  /* head of the list of free slots, plus 1; 0 = none */
    uint32_t used_slots; /* slots below this were handed out at least once since the reset */
    bool hole;
    uint64_t hash;
    uint64_t notes;
    uint64_t dispatched;
};

static inline wide order_of(struct entry e)
{
    return (wide)e.at_ns << 64 | e.key;
}

/* Places `e` at index `at` or above, moving later entries down. */
static void sift_up(struct entry *heap, uint32_t at, struct entry e)
{
    while (at > 0) {
        uint32_t parent = (at - 1) / 4;
        if (order_of(heap[parent]) < order_of(e))
            break;
        heap[at] = heap[parent];
        at = parent;
    }
    heap[at] = e;
}

/* Places `e` at index `at` or below, moving earlier entries up. */
static void sift_down(struct entry *heap, uint32_t count, uint32_t at, struct entry e)
{
    for (;;) {
        uint32_t child = at * 4 + 1;
        if (child >= count)
            break;
        uint32_t end = child + 4 < count ? child + 4 : count;
        uint32_t least = child;
        wide least_order = order_of(heap[child]);
        for (uint32_t i = child + 1; i < end; i++) {
            wide order = order_of(heap[i]);
            least = order < least_order ? i : least;
            least_order = order < least_order ? order : least_order;
        }
        if (order_of(e) < least_order)
            break;
        heap[at] = heap[least];
        at = least;
    }
    heap[at] = e;
}

static void drop_top(struct sim_engine *engine)
{
    ASSERT(engine->count > 0);
    engine->count--;
    if (engine->count > 0)
        sift_down(engine->heap, engine->count, 0, engine->heap[engine->count]);
}

static void close_hole(struct sim_engine *engine)
{
    if (engine->hole) {
        engine->hole = false;
        drop_top(engine);
    }
}

static void grow(struct sim_engine *engine)
{
    uint32_t capacity = engine->capacity == 0 ? FIRST_CAPACITY : engine->capacity * 2;
    ASSERT(capacity <= SIM_EVENTS_MAX); /* more pending events than any trial has: a defect */
    engine->heap = realloc(engine->heap, capacity * sizeof(engine->heap[0]));
    engine->slot = realloc(engine->slot, capacity * sizeof(engine->slot[0]));
    ASSERT(engine->heap != NULL);
    ASSERT(engine->slot != NULL);
    engine->capacity = capacity;
}

struct sim_engine *sim_engine_create(void)
{
    struct sim_engine *engine = calloc(1, sizeof(*engine));
    ASSERT(engine != NULL);
    grow(engine);
    sim_engine_reset(engine);
    return engine;
}

void sim_engine_destroy(struct sim_engine *engine)
{
    if (engine == NULL)
        return;
    free(engine->heap);
    free(engine->slot);
    free(engine);
}

void sim_engine_reset(struct sim_engine *engine)
{
    *engine = (struct sim_engine){
        .heap = engine->heap,
        .slot = engine->slot,
        .capacity = engine->capacity,
        .sequence = 1, /* key 0 is no event */
        .hash = HASH_START,
    };
}

static void slot_free(struct sim_engine *engine, uint32_t index)
{
    ASSERT(index < engine->used_slots);
    engine->slot[index].id = 0;
    engine->slot[index].argument = engine->free_slot;
    engine->free_slot = index + 1;
}

/* Puts all entries in order. */
static void make_heap(struct sim_engine *engine)
{
    for (uint32_t i = engine->count / 4 + 1; i-- > 0;)
        if (i < engine->count)
            sift_down(engine->heap, engine->count, i, engine->heap[i]);
}

/* Throws the dead entries out and makes a heap of the rest; order does not depend on its shape. */
static void sweep(struct sim_engine *engine)
{
    uint32_t kept = 0;
    close_hole(engine);
    for (uint32_t i = 0; i < engine->count; i++) {
        struct entry e = engine->heap[i];
        uint32_t index = (uint32_t)(e.key & SLOT_MASK);
        if (engine->slot[index].id == e.key)
            engine->heap[kept++] = e;
        else
            slot_free(engine, index);
    }
    ASSERT(engine->count - kept == engine->dead);
    engine->count = kept;
    engine->dead = 0;
    make_heap(engine);
}

static uint32_t slot_take(struct sim_engine *engine)
{
    if (engine->free_slot != 0) {
        uint32_t index = engine->free_slot - 1;
        engine->free_slot = (uint32_t)engine->slot[index].argument;
        return index;
    }
    ASSERT(engine->used_slots < engine->capacity);
    return engine->used_slots++;
}

sim_event_id sim_engine_at(struct sim_engine *engine, uint64_t at_ns, sim_event_fn *fn,
                           void *object, uint64_t argument)
{
    ASSERT(fn != NULL);
    ASSERT(at_ns >= engine->clock.now_ns);
    ASSERT(at_ns != SIM_TIME_NEVER);
    if (engine->count == engine->capacity)
        grow(engine);
    uint32_t index = slot_take(engine);
    ASSERT(engine->sequence < SEQUENCE_MAX);
    uint64_t key = engine->sequence++ << SLOT_BITS | index;
    engine->slot[index] = (struct slot){key, fn, object, argument};
    struct entry e = {.key = key, .at_ns = at_ns};
    if (at_ns < engine->clock.next_ns)
        engine->clock.next_ns = at_ns;
    if (engine->hole) {
        engine->hole = false;
        sift_down(engine->heap, engine->count, 0, e);
    } else {
        sift_up(engine->heap, engine->count++, e);
    }
    return key;
}

sim_event_id sim_engine_after(struct sim_engine *engine, uint64_t delay_ns, sim_event_fn *fn,
                              void *object, uint64_t argument)
{
    uint64_t room_ns = SIM_TIME_NEVER - 1 - engine->clock.now_ns;
    uint64_t at_ns = engine->clock.now_ns + (delay_ns < room_ns ? delay_ns : room_ns);
    return sim_engine_at(engine, at_ns, fn, object, argument);
}

bool sim_engine_cancel(struct sim_engine *engine, sim_event_id id)
{
    uint32_t index = (uint32_t)(id & SLOT_MASK);
    if (id == 0 || index >= engine->used_slots || engine->slot[index].id != id)
        return false;
    engine->slot[index].id = 0;
    engine->clock.next_ns = SIM_NEXT_UNKNOWN;
    engine->dead++;
    if (engine->dead > SWEEP_MIN_ENTRIES && engine->dead > engine->count / 2)
        sweep(engine);
    return true;
}

/* Drops dead entries off the top, so that the top is the next event. Returns whether there is one.
 */
static bool settle_top(struct sim_engine *engine)
{
    close_hole(engine);
    while (engine->count > 0) {
        uint64_t key = engine->heap[0].key;
        uint32_t index = (uint32_t)(key & SLOT_MASK);
        if (engine->slot[index].id == key)
            return true;
        ASSERT(engine->dead > 0);
        engine->dead--;
        slot_free(engine, index);
        drop_top(engine);
    }
    return false;
}

bool sim_engine_step(struct sim_engine *engine)
{
    if (!settle_top(engine))
        return false;
    struct entry top = engine->heap[0];
    uint32_t index = (uint32_t)(top.key & SLOT_MASK);
    struct slot slot = engine->slot[index];
    slot_free(engine, index);
    if (top.at_ns > engine->clock.now_ns)
        engine->clock.now_ns = top.at_ns; /* an overdue event runs now: advance() went past it */
    engine->dispatched++;
    engine->clock.next_ns = SIM_NEXT_UNKNOWN;
    engine->hole = true;
    slot.fn(slot.object, slot.argument);
    close_hole(engine);
    return true;
}

uint64_t sim_engine_find_next(struct sim_engine *engine)
{
    engine->clock.next_ns = settle_top(engine) ? engine->heap[0].at_ns : SIM_TIME_NEVER;
    return engine->clock.next_ns;
}

uint64_t sim_engine_jump(struct sim_engine *engine, uint64_t to_ns, sim_tick_fn *is_tick,
                         const void *context)
{
    uint64_t now_ns = engine->clock.now_ns;
    ASSERT(to_ns >= now_ns && to_ns != SIM_TIME_NEVER);
    ASSERT(is_tick != NULL);
    sweep(engine); /* what is left is alive */
    for (uint32_t i = 0; i < engine->count; i++)
        if (engine->heap[i].at_ns < to_ns && !is_tick(context, engine->heap[i].key))
            to_ns = engine->heap[i].at_ns;
    if (to_ns <= now_ns)
        return 0;
    for (uint32_t i = 0; i < engine->count; i++)
        if (is_tick(context, engine->heap[i].key))
            engine->heap[i].at_ns += to_ns - now_ns;
    make_heap(engine);
    engine->clock.now_ns = to_ns;
    engine->clock.next_ns = SIM_NEXT_UNKNOWN;
    return to_ns - now_ns;
}

static inline uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

/* The multipliers are odd words of splitmix64 and MurmurHash3; the words meet on separate lanes
 * first, so only one multiplication lies on the path from hash to hash. */
void sim_engine_note(struct sim_engine *engine, uint64_t what, uint64_t who, uint64_t value)
{
    uint64_t a = (what ^ rotate(who, 32)) * UINT64_C(0xbf58476d1ce4e5b9);
    uint64_t b = (value + rotate(engine->clock.now_ns, 17)) * UINT64_C(0x94d049bb133111eb);
    a ^= a >> 29;
    b ^= b >> 31;
    engine->hash = (rotate(engine->hash, 23) ^ a ^ rotate(b, 11)) * UINT64_C(0xff51afd7ed558ccd);
    engine->notes++;
}

uint64_t sim_engine_hash(const struct sim_engine *engine)
{
    uint64_t x = engine->hash ^ engine->notes;
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ x >> 29;
}

uint64_t sim_engine_split_hash(struct sim_engine *engine)
{
    uint64_t hash = sim_engine_hash(engine);
    engine->hash = HASH_START;
    engine->notes = 0;
    return hash;
}

uint64_t sim_engine_dispatched(const struct sim_engine *engine)
{
    return engine->dispatched;
}
