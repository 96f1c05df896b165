/*
 * The allocation map: a bit a block, set while the block belongs to the tree as it is now. A
 * group's bits are one map block, itself a metadata block with a fixed slot, so that writing the
 * map never needs space. A null pointer in the map's tree is a group that nobody used yet.
 *
 * What is freed stays unusable until the next checkpoint is released: a block is given out only if
 * it is free now and was free in the last released map (G3).
 *
 * Invariant: group.free_data and free_slots count the bits clear in both maps; core.held_* the bits
 * clear now and set in the last one; a group whose bit in core.roomy_* is 0 has none free.
 *
 * Cost: finding a block looks at GROUP_WORDS words for a group and at one group's bits, whatever
 * the size of the disk and however full it is; a release looks at the groups that changed.
 */
#include "physical.h"

#include "assertion.h"
#include "bytes.h"
#include "mem.h"
#include "planted.h"

#define BITMAP_BYTES (BLOCK_BYTES - FORMAT_HEAD_BYTES)

static uint8_t *bits_now(struct group *g)
{
    return g->map->raw + FORMAT_HEAD_BYTES;
}

static bool bit_get(const uint8_t *bits, uint32_t bit)
{
    return (bits[bit / 8] >> (bit % 8) & 1) != 0;
}

uint64_t phys_space_reserve(const struct physical *p)
{
    uint64_t share = p->core.total_data / RESERVE_SHARE;
    return share < RESERVE_MIN ? RESERVE_MIN : share;
}

/* The first bit in [from, to) that is clear in both maps; `to` if there is none. */
static uint32_t find_clear(const uint8_t *now, const uint8_t *last, uint32_t from, uint32_t to)
{
    uint32_t bit = from;
    while (bit < to) {
        uint64_t busy = get_le64(now + bit / 64 * 8) | get_le64(last + bit / 64 * 8);
        busy |= (UINT64_C(1) << (bit % 64)) - 1;
        if (busy != UINT64_MAX) {
            bit = (bit & ~63u) + (uint32_t)__builtin_ctzll(~busy);
            return bit < to ? bit : to;
        }
        bit = (bit & ~63u) + 64;
    }
    return to;
}

/* Written out, since the compiler's own would be a call of a library. */
static uint32_t count_ones(uint64_t x)
{
    x -= x >> 1 & UINT64_C(0x5555555555555555);
    x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
    x = (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (uint32_t)(x * UINT64_C(0x0101010101010101) >> 56);
}

static uint32_t count_clear(const struct group *g, uint32_t from, uint32_t to)
{
    const uint8_t *now = g->map->raw + FORMAT_HEAD_BYTES;
    uint32_t clear = 0;
    for (uint32_t bit = from; bit < to; bit = (bit & ~63u) + 64) {
        uint64_t busy = get_le64(now + bit / 64 * 8) | get_le64(g->last + bit / 64 * 8);
        uint64_t mask = UINT64_MAX << (bit % 64);
        if ((bit & ~63u) + 64 > to)
            mask &= UINT64_MAX >> (64 - to % 64);
        clear += count_ones(~busy & mask);
    }
    return clear;
}

/* ---- A bit a group --------------------------------------------------------------------------- */

static void bit_put(uint64_t words[GROUP_WORDS], uint32_t bit, bool on)
{
    uint64_t mask = UINT64_C(1) << (bit % 64);
    words[bit / 64] = on ? words[bit / 64] | mask : words[bit / 64] & ~mask;
}

/* The first set bit from `from` on, cyclically; FORMAT_GROUPS_MAX if there is none. */
static uint32_t next_set(const uint64_t words[GROUP_WORDS], uint32_t from)
{
    uint64_t mask = UINT64_MAX << (from % 64);
    for (uint32_t k = 0; k <= GROUP_WORDS; k++, mask = UINT64_MAX) {
        uint32_t at = (from / 64 + k) % GROUP_WORDS;
        uint64_t word = words[at] & mask;
        if (word != 0)
            return at * 64 + (uint32_t)__builtin_ctzll(word);
    }
    return FORMAT_GROUPS_MAX;
}

void phys_space_reset(struct physical *p)
{
    struct core *core = &p->core;
    uint32_t groups = p->layout.groups, last = groups - 1;
    uint64_t whole = last; /* all but the last are of full size */
    uint64_t zone = phys_layout_zone_blocks(&p->layout, last);
    uint64_t full_zone = whole > 0 ? phys_layout_zone_blocks(&p->layout, 0) : 0;
    core->total_slots = phys_layout_slots(&p->layout, last) +
                        (whole > 0 ? whole * phys_layout_slots(&p->layout, 0) : 0);
    core->total_data = phys_layout_group_blocks(&p->layout, last) - 2 * zone +
                       whole * (FORMAT_GROUP_BLOCKS - 2 * full_zone);
    memset(core->changed, 0, sizeof(core->changed));
    for (uint32_t k = 0; k < GROUP_WORDS; k++) {
        uint64_t all = groups >= (k + 1) * 64 ? UINT64_MAX
                       : groups <= k * 64     ? 0
                                              : (UINT64_C(1) << groups % 64) - 1;
        core->roomy_data[k] = core->roomy_slots[k] = all;
    }
}

/* After free_data or free_slots changed. */
static void note_room(struct physical *p, uint32_t index)
{
    const struct group *g = &p->group[index];
    bit_put(p->core.roomy_data, index, g->free_data > 0 && !g->bad);
    bit_put(p->core.roomy_slots, index, g->free_slots > 0 && !g->bad);
}

static void set_bad(struct physical *p, uint32_t index)
{
    ASSERT(!p->group[index].bad);
    p->group[index].bad = true;
    p->core.bad_groups++;
    bit_put(p->core.roomy_data, index, false);
    bit_put(p->core.roomy_slots, index, false);
}

/* ---- Groups in memory ------------------------------------------------------------------------ */

static enum err group_open(struct physical *p, uint32_t index, struct node *map)
{
    struct group *g = &p->group[index];
    uint32_t zone = phys_layout_zone_blocks(&p->layout, index);
    uint32_t blocks = phys_layout_group_blocks(&p->layout, index);
    if (g->last == NULL)
        g->last = plat_alloc(BLOCK_BYTES, TAG_PAGES);
    if (g->last == NULL)
        return E_FULL;
    plat_page_state(g->last, PAGE_CLEAN);
    if (g->map == NULL)
        g->hint = zone;
    g->map = map;
    memcpy(g->last, map->raw + FORMAT_HEAD_BYTES, BITMAP_BYTES);
    g->last_guard = plat_crc32c(g->last, BITMAP_BYTES);
    g->stamp = p->stamp;
    g->free_slots = count_clear(g, 0, phys_layout_slots(&p->layout, index));
    g->free_data = count_clear(g, zone, blocks - zone);
    note_room(p, index);
    return OK;
}

/* Marks slot 0, the map block's own, and takes it off the free ones. */
static void claim_own_slot(struct physical *p, uint32_t index)
{
    struct group *g = &p->group[index];
    bits_now(g)[0] |= 1;
    g->free_slots--;
    bit_put(p->core.changed, index, true);
    p->core.used_slots++;
}

enum err phys_space_group_make(struct physical *p, uint32_t index, struct node *map)
{
    enum err e = group_open(p, index, map);
    if (e != OK)
        return e;
    claim_own_slot(p, index);
    return OK;
}

/*
 * A group that nobody used: its map enters memory first, so that the nodes on the way to it can
 * take their slots from the group itself.
 */
static enum err group_create(struct physical *p, uint32_t index)
{
    struct node *map;
    struct spot spot;
    uint64_t address = phys_layout_group_start(&p->layout, index);
    enum err e = phys_node_new(p, OID_MAP, 0, index, address, &map);
    if (e != OK)
        return e;
    e = phys_space_group_make(p, index, map);
    if (e != OK) {
        phys_node_drop(p, map);
        return e;
    }
    p->core.slot_group = index;
    e = phys_tree_spot(p, OID_MAP, 0, index, NODE_MAKE, true, &spot);
    if (e != OK) {
        set_bad(p, index); /* half made: nobody may use it in this life */
        return e;
    }
    phys_node_adopt_child(p, map, spot.holder);
    struct pointer to = {.address = address, .birth = map->birth};
    phys_tree_point(p, &spot, &to);
    return OK;
}

static enum err group_load(struct physical *p, uint32_t index)
{
    struct node *map;
    struct spot spot;
    struct pointer to = {.address = 0};
    enum err e = phys_tree_spot(p, OID_MAP, 0, index, NODE_LOOK, true, &spot);
    if (e == OK)
        phys_pointer_decode(&to, spot.raw);
    if (e == E_NOENT || (e == OK && to.address == 0))
        return group_create(p, index);
    if (e == OK)
        e = phys_node_get(p, OID_MAP, 0, index, NODE_LOOK, true, &map);
    if (e != OK)
        return e;
    (void)phys_node_see(p, map, 0, BLOCK_BYTES);
    return group_open(p, index, map);
}

/* The group ready for use, or NULL: its map cannot be had. */
static struct group *group_get(struct physical *p, uint32_t index)
{
    struct group *g = &p->group[index];
    if (g->bad)
        return NULL;
    if (g->map == NULL && group_load(p, index) != OK) {
        plat_report(REPORT_DETECTED, (uint64_t)-E_CORRUPT,
                    phys_layout_group_start(&p->layout, index));
        if (!g->bad)
            set_bad(p, index);
        return NULL;
    }
    (void)phys_node_see(p, g->map, 0, BLOCK_BYTES);
    if (g->stamp != p->stamp) {
        if (p->meta_guard && g->last_guard != plat_crc32c(g->last, BITMAP_BYTES))
            phys_node_damaged(phys_layout_group_start(&p->layout, index));
        g->stamp = p->stamp;
    }
    return g;
}

/* ---- Taking and giving back ------------------------------------------------------------------ */

static void mark(struct physical *p, uint32_t index, uint32_t bit, bool busy)
{
    struct group *g = &p->group[index];
    uint8_t mask = (uint8_t)(1u << (bit % 8));
    ASSERT(bit_get(bits_now(g), bit) != busy);
    phys_node_alter(p, g->map, bits_now(g) + bit / 8, 1);
    if (busy)
        bits_now(g)[bit / 8] |= mask;
    else
        bits_now(g)[bit / 8] &= (uint8_t)~mask;
    bit_put(p->core.changed, index, true);
}

static bool take_data(struct physical *p, uint32_t index, uint64_t *address)
{
    struct group *g = group_get(p, index);
    if (g == NULL || g->free_data == 0)
        return false;
    uint32_t zone = phys_layout_zone_blocks(&p->layout, index);
    uint32_t end = phys_layout_group_blocks(&p->layout, index) - zone;
    uint32_t bit = find_clear(bits_now(g), g->last, g->hint, end);
    if (bit == end)
        bit = find_clear(bits_now(g), g->last, zone, end);
    ASSERT(bit < end);
    mark(p, index, bit, true);
    g->free_data--;
    note_room(p, index);
    g->hint = bit + 1 < end ? bit + 1 : zone;
    p->core.used_data++;
    *address = phys_layout_group_start(&p->layout, index) + bit;
    return true;
}

static bool take_slot(struct physical *p, uint32_t index, uint64_t *address)
{
    struct group *g = group_get(p, index);
    if (g == NULL || g->free_slots == 0)
        return false;
    uint32_t slots = phys_layout_slots(&p->layout, index);
    uint32_t bit = find_clear(bits_now(g), g->last, 0, slots);
    ASSERT(bit < slots);
    mark(p, index, bit, true);
    g->free_slots--;
    note_room(p, index);
    p->core.used_slots++;
    *address = phys_layout_group_start(&p->layout, index) + bit;
    return true;
}

uint64_t phys_space_promise(const struct physical *p, uint64_t slots_gone)
{
    const struct core *core = &p->core;
    uint64_t data = core->total_data - core->used_data - core->held_data;
    uint64_t slots = core->total_slots - core->used_slots - core->held_slots;
    uint64_t keep = phys_space_reserve(p);
    data = data > keep ? data - keep : 0;
    slots = slots > SLOTS_RESERVE + slots_gone ? slots - SLOTS_RESERVE - slots_gone : 0;
    return data < slots * DATA_PER_SLOT ? data : slots * DATA_PER_SLOT;
}

/*
 * With two copies of metadata the blocks of META objects lie in slots, so that they have two as
 * well: as long as slots are not what there is least of, else what was promised would shrink by
 * more than the block.
 */
enum err phys_space_block(struct physical *p, bool meta, bool privileged, uint64_t *address)
{
    bool spare = phys_space_promise(p, 1) == phys_space_promise(p, 0);
    if (meta && p->layout.copies == 2 && spare && phys_space_slot(p, privileged, address) == OK)
        return OK;
    return phys_space_data(p, privileged, address);
}

bool phys_space_holds(const struct physical *p, uint64_t address)
{
    return phys_layout_is_data(&p->layout, address) ||
           (p->layout.copies == 2 && phys_layout_is_slot(&p->layout, address));
}

/* No room: for good, until the next release, or because a group's map cannot be read: then there
 * may be room that nobody can know of, which is the disk's failure and no full disk. */
static enum err shortage(const struct physical *p, uint64_t held)
{
    if (p->core.bad_groups > 0)
        return E_MEDIA;
    return held > 0 ? E_AGAIN : E_FULL;
}

enum err phys_space_data(struct physical *p, bool privileged, uint64_t *address)
{
    uint64_t usable = p->core.total_data - p->core.used_data - p->core.held_data;
    uint64_t keep = privileged ? 0 : phys_space_reserve(p);
    if (usable <= keep)
        return shortage(p, p->core.held_data);
    uint32_t index = next_set(p->core.roomy_data, p->core.data_group);
    for (; index < FORMAT_GROUPS_MAX; index = next_set(p->core.roomy_data, index)) {
        p->core.data_group = index;
        if (take_data(p, index, address))
            return OK;
        ASSERT(next_set(p->core.roomy_data, index) != index); /* it has no room, and is known to */
    }
    return shortage(p, p->core.held_data);
}

enum err phys_space_slot(struct physical *p, bool privileged, uint64_t *address)
{
    uint64_t usable = p->core.total_slots - p->core.used_slots - p->core.held_slots;
    if (usable <= (privileged ? 0 : SLOTS_RESERVE))
        return shortage(p, p->core.held_slots);
    uint32_t index = next_set(p->core.roomy_slots, p->core.slot_group);
    for (; index < FORMAT_GROUPS_MAX; index = next_set(p->core.roomy_slots, index)) {
        p->core.slot_group = index;
        if (take_slot(p, index, address))
            return OK;
        ASSERT(next_set(p->core.roomy_slots, index) != index);
    }
    return shortage(p, p->core.held_slots);
}

void phys_space_free(struct physical *p, uint64_t address)
{
    bool slot = phys_layout_is_slot(&p->layout, address);
    uint64_t place = slot ? phys_layout_slot(&p->layout, address) : address;
    uint32_t index = phys_layout_group_of(&p->layout, place);
    struct group *g = group_get(p, index);
    uint32_t bit = (uint32_t)(place - phys_layout_group_start(&p->layout, index));
    if (g == NULL || !bit_get(bits_now(g), bit)) {
        plat_report(REPORT_LEAK, 1, 0); /* its map is lost, or the tree was damaged */
        return;
    }
    mark(p, index, bit, false);
    bool held = bit_get(g->last, bit) && !PLANTED(PLANTED_REUSE_AT_ONCE);
    if (PLANTED(PLANTED_REUSE_AT_ONCE)) {
        g->last[bit / 8] &= (uint8_t) ~(1u << (bit % 8));
        g->last_guard = plat_crc32c(g->last, BITMAP_BYTES);
    }
    if (slot) {
        p->core.used_slots--;
        p->core.held_slots += held;
        g->free_slots += !held;
    } else {
        p->core.used_data--;
        p->core.held_data += held;
        g->free_data += !held;
    }
    note_room(p, index);
}

bool phys_space_in_last(struct physical *p, uint64_t address)
{
    uint32_t index = phys_layout_group_of(&p->layout, address);
    struct group *g = group_get(p, index);
    /* Unknown counts as held: then nothing is overwritten without an intent. */
    return g == NULL ||
           bit_get(g->last, (uint32_t)(address - phys_layout_group_start(&p->layout, index)));
}

void phys_space_release(struct physical *p)
{
    uint32_t index = next_set(p->core.changed, 0);
    for (; index < FORMAT_GROUPS_MAX; index = next_set(p->core.changed, index)) {
        struct group *g = &p->group[index];
        (void)phys_node_see(p, g->map, 0, BLOCK_BYTES);
        (void)group_open(p, index, g->map); /* its memory is there already */
        bit_put(p->core.changed, index, false);
    }
    p->core.held_data = 0;
    p->core.held_slots = 0;
}
