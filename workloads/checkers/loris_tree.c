/* One member: its intents, the tree of its root, and its map against what the tree reaches. */
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"
#include "workloads/checkers/loris_state.h"

#define FANOUT 252u
#define INODES 15u
#define INODE_BYTES 256u
#define MENDING 0x80000000u

/* The line of incarnations: newest first, each once, nothing after the end. */
static void check_ancestors(struct check *c, uint32_t k)
{
    const struct loris_root *r = &c->disk[k].root;
    for (uint32_t n = 0; n < 24; n++) {
        bool wrong = r->ancestor[n] == r->incarnation;
        for (uint32_t m = 0; m < n && r->ancestor[n] != 0; m++)
            wrong |= r->ancestor[m] == r->ancestor[n] || r->ancestor[m] == 0;
        if (wrong)
            loris_damage(c, "disk %u: ancestor %u of the root's incarnation is none", k, n);
    }
}

/* ---- Intents --------------------------------------------------------------------------------- */

/* Whether the block at `n` of the region, with a right CRC, follows the rules of FORMAT.md. */
static bool intents_sane(const struct disk *d, uint32_t n, const uint8_t *raw)
{
    uint64_t sequence = get_le64(raw + 32), epoch = get_le64(raw + 40);
    uint32_t level = get_le16(raw + 8), count = get_le16(raw + 10);
    return count > 0 && count <= 126 && level <= 1 && sequence % d->at.intent_blocks == n &&
           (level == 0 || count < d->at.intent_blocks) &&
           (epoch > d->root.epoch || sequence < d->root.intent_head);
}

static void note_intents(struct check *c, uint32_t k, const uint8_t *raw)
{
    for (uint32_t i = 0; i < get_le16(raw + 10); i++) {
        const uint8_t *e = raw + HEAD + 32 * (size_t)i;
        c->intent = loris_grow(c->intent, c->intents, &c->intents_room, sizeof(*c->intent));
        c->intent[c->intents++] = (struct intent){
            .oid = get_le64(e), .index = get_le32(e + 8), .address = get_le64(e + 16), .disk = k};
    }
}

static int by_intent(const void *left, const void *right)
{
    const struct intent *a = left, *b = right;
    if (a->disk != b->disk)
        return a->disk < b->disk ? -1 : 1;
    if (a->oid != b->oid)
        return a->oid < b->oid ? -1 : 1;
    if (a->index != b->index)
        return a->index < b->index ? -1 : 1;
    return (a->address > b->address) - (a->address < b->address);
}

/* Blocks of data after intents have no head; one that looks like intents for its very place would
 * be taken for some: it is none that the stack has. */
static void read_intents(struct check *c, uint32_t k)
{
    uint8_t raw[BLOCK];
    struct disk *d = &c->disk[k];
    size_t before = c->intents;
    for (uint32_t n = 0; n < d->at.intent_blocks; n++) {
        if (!loris_read_block(c, k, 16 + (uint64_t)n, raw) || get_le32(raw) != 0x314d524c ||
            get_le16(raw + 6) != 4 || get_le64(raw + 16) != 16 + (uint64_t)n ||
            memcmp(raw + 48, d->root.uuid, 16) != 0)
            continue;
        uint32_t crc = get_le32(raw + 12);
        put_le32(raw + 12, 0);
        if (loris_crc(raw, BLOCK) != crc)
            continue;
        if (!intents_sane(d, n, raw))
            loris_damage(c, "disk %u: block %u of the intents breaks its rules", k, n);
        else if (get_le64(raw + 40) > d->root.epoch)
            note_intents(c, k, raw);
    }
    if (c->intents > before)
        qsort(c->intent + before, c->intents - before, sizeof(*c->intent), by_intent);
}

static bool has_intent(const struct check *c, uint32_t k, uint64_t oid, uint64_t index,
                       uint64_t address)
{
    struct intent key = {.oid = oid, .index = (uint32_t)index, .address = address, .disk = k};
    return c->intents > 0 && bsearch(&key, c->intent, c->intents, sizeof(key), by_intent) != NULL;
}

/* ---- Trees ----------------------------------------------------------------------------------- */

static struct loris_pointer get_pointer(const uint8_t *raw)
{
    uint64_t word = get_le64(raw);
    return (struct loris_pointer){.address = word & 0xffffffffffff,
                                  .flags = (uint32_t)(word >> 48),
                                  .crc = get_le32(raw + 8),
                                  .birth = get_le32(raw + 12)};
}

/* Neither an address nor flags: a hole. */
static bool is_none(const uint8_t *raw)
{
    return get_le64(raw) == 0;
}

/* What changed last is no older than any of its parents: a parent is rewritten with its child. */
static void check_birth(struct check *c, uint32_t k, uint64_t oid, const struct loris_pointer *at,
                        uint64_t newest)
{
    if (at->address != 0 && at->birth > (uint32_t)newest)
        loris_damage(c, "disk %u: block %lu of object %lu is of epoch %u, what points to it of %lu",
                     k, (unsigned long)at->address, (unsigned long)oid, at->birth,
                     (unsigned long)newest);
}

/* Notes that a pointer names this place; false: it must not. */
static bool reach(struct check *c, uint32_t k, uint64_t oid, uint64_t address, bool data)
{
    uint64_t slot = 0;
    struct disk *d = &c->disk[k];
    enum loris_zone zone = loris_layout_zone(&d->at, address, &slot);
    bool in_slot = zone == ZONE_A || zone == ZONE_B;
    bool doubled = d->at.copies == 2 && c->meta;
    if (!(data ? zone == ZONE_DATA || (in_slot && doubled) : in_slot)) {
        loris_damage(c, "disk %u: object %lu points to block %lu, which is no place for it", k,
                     (unsigned long)oid, (unsigned long)address);
        return false;
    }
    uint64_t inside = slot - d->at.first_group;
    uint64_t *word =
        &d->group[inside / LORIS_GROUP_BLOCKS].reached[inside % LORIS_GROUP_BLOCKS / 64];
    uint64_t bit = UINT64_C(1) << inside % LORIS_GROUP_BLOCKS % 64;
    if ((*word & bit) != 0) {
        loris_damage(c, "disk %u: block %lu is used twice, by object %lu too", k,
                     (unsigned long)slot, (unsigned long)oid);
        return false;
    }
    *word |= bit;
    return true;
}

/* The content that a pointer names, from its second copy if the first is bad; false: there is none.
 */
static bool read_copy_of(const struct check *c, uint32_t k, const struct loris_pointer *at,
                         uint8_t *raw, uint64_t *place)
{
    uint64_t slot;
    const struct loris_layout *l = &c->disk[k].at;
    enum loris_zone zone = loris_layout_zone(l, at->address, &slot);
    *place = at->address;
    if (loris_read_block(c, k, *place, raw) && loris_crc(raw, BLOCK) == at->crc)
        return true;
    if (l->copies == 1 || (zone != ZONE_A && zone != ZONE_B))
        return false;
    *place = loris_layout_second(l, at->address);
    return loris_read_block(c, k, *place, raw) && loris_crc(raw, BLOCK) == at->crc;
}

/* A metadata block of the tree; false: it cannot be believed. */
static bool read_node(struct check *c, uint32_t k, uint64_t oid, uint32_t type, uint32_t level,
                      uint64_t index, const struct loris_pointer *at, uint8_t *raw)
{
    if (!reach(c, k, oid, at->address, false))
        return false;
    uint64_t place;
    return read_copy_of(c, k, at, raw, &place) && get_le32(raw) == 0x314d524c &&
           get_le16(raw + 4) == 1 && get_le16(raw + 6) == type && get_le16(raw + 8) == level &&
           get_le64(raw + 16) == at->address && get_le64(raw + 24) == oid &&
           get_le64(raw + 32) == index && get_le32(raw + 40) == at->birth &&
           memcmp(raw + 48, c->disk[k].root.uuid, 16) == 0;
}

static void note_block(struct check *c, uint32_t k, uint64_t oid, uint64_t index,
                       const struct loris_pointer *at)
{
    uint8_t raw[BLOCK];
    struct block b = {.oid = oid,
                      .index = index,
                      .address = at->address,
                      .disk = k,
                      .crc = at->crc,
                      .state = LOST};
    if (at->address != 0) {
        if (!reach(c, k, oid, at->address, true))
            return;
        b.state = read_copy_of(c, k, at, raw, &b.address) ? GOOD : BAD;
        b.intent = has_intent(c, k, oid, index, at->address);
    }
    c->block = loris_grow(c->block, c->blocks, &c->blocks_room, sizeof(*c->block));
    c->block[c->blocks++] = b;
}

/* Of a map's word `n` the bits [from, to) of the map. */
static uint64_t bits_between(uint32_t n, uint32_t from, uint32_t to)
{
    uint32_t first = n * 64, low = from > first ? from - first : 0;
    uint64_t below = to >= first + 64 ? ~UINT64_C(0)
                     : to > first     ? (UINT64_C(1) << (to - first)) - 1
                                      : 0;
    return low >= 64 ? 0 : below >> low << low;
}

/* The bits of a map: what is in use of group `g`, and nothing of what it does not speak of. */
static void note_bits(struct check *c, uint32_t k, uint32_t g, const uint8_t *raw)
{
    const struct loris_layout *at = &c->disk[k].at;
    uint32_t n = loris_layout_group_blocks(at, g), zone = loris_layout_zone_blocks(at, g);
    uint32_t slots = loris_layout_slots(at, g);
    for (uint32_t w = 0; w < LORIS_GROUP_WORDS; w++) {
        uint64_t word = get_le64(raw + 8 * (size_t)w);
        uint64_t none =
            word & (bits_between(w, slots, zone) | bits_between(w, n - zone, LORIS_GROUP_BLOCKS));
        c->disk[k].group[g].taken[w] = word & bits_between(w, 0, n);
        for (; none != 0; none &= none - 1)
            loris_damage(c, "disk %u: the map of group %u has bits of what it does not speak of", k,
                         g);
    }
}

/* Map blocks: their bits become `taken`. */
static void note_map(struct check *c, uint32_t k, uint64_t number, const struct loris_pointer *at)
{
    uint8_t raw[BLOCK];
    struct disk *d = &c->disk[k];
    uint64_t slot = 0;
    if (number >= d->at.groups) {
        loris_damage(c, "disk %u: a map for group %lu", k, (unsigned long)number);
        return;
    }
    struct loris_group *group = &d->group[number];
    bool known = read_node(c, k, 2, 3, 0, number, at, raw);
    if (loris_layout_zone(&d->at, at->address, &slot) != ZONE_NONE &&
        slot != loris_layout_group(&d->at, (uint32_t)number))
        loris_damage(c, "disk %u: the map of group %lu is at %lu", k, (unsigned long)number,
                     (unsigned long)at->address);
    d->maps_unknown |= !known;
    group->unknown = !known;
    if (known)
        note_bits(c, k, (uint32_t)number, raw + HEAD);
    else
        memset(group->taken, 0, sizeof(group->taken));
}

/* Visits what a pointer of level `level` leads to; newest: epoch of the block that has it. false:
 * some of it cannot be read. */
static bool walk(struct check *c, uint32_t k, uint64_t oid, uint32_t level, uint64_t index,
                 const uint8_t *pointer, uint64_t newest)
{
    uint8_t raw[BLOCK];
    struct loris_pointer at = get_pointer(pointer);
    if (is_none(pointer))
        return true;
    check_birth(c, k, oid, &at, newest);
    if (level == 0) {
        if (oid == 2)
            note_map(c, k, index, &at);
        else
            note_block(c, k, oid, index, &at);
        return true;
    }
    if (at.address == 0 || !read_node(c, k, oid, 2, level, index, &at, raw))
        return false;
    bool whole = true;
    for (uint32_t n = 0; n < FANOUT; n++) {
        const uint8_t *next = raw + HEAD + 16 * (size_t)n;
        whole &= is_none(next) || walk(c, k, oid, level - 1, index * FANOUT + n, next, at.birth);
    }
    return whole;
}

static void note_inode(struct check *c, uint32_t k, uint64_t oid, const uint8_t *inode,
                       uint64_t newest)
{
    if (get_le64(inode) == 0)
        return;
    uint32_t height = get_le32(inode + 12);
    if (get_le64(inode) != oid || height > HEIGHT_MAX) {
        loris_damage(c, "disk %u: the inode of object %lu names %lu", k, (unsigned long)oid,
                     (unsigned long)get_le64(inode));
        return;
    }
    size_t before = c->blocks;
    c->meta = (get_le32(inode + 8) & 1u) != 0;
    bool whole = (get_le32(inode + 8) & MENDING) == 0;
    for (uint32_t n = 0; n < 9; n++)
        whole &= walk(c, k, oid, height, n, inode + 112 + 16 * (size_t)n, newest);
    uint64_t counted = 0;
    for (size_t b = before; b < c->blocks; b++)
        counted += c->block[b].state != LOST;
    if (whole && oid != 2 && counted != get_le64(inode + 24))
        loris_damage(c, "disk %u: object %lu has %lu blocks and says %lu", k, (unsigned long)oid,
                     (unsigned long)counted, (unsigned long)get_le64(inode + 24));
    if (oid == 2) {
        c->disk[k].blind |= !whole;
        return;
    }
    c->object = loris_grow(c->object, c->objects, &c->objects_room, sizeof(*c->object));
    c->object[c->objects++] = (struct object){.oid = oid,
                                              .size = get_le64(inode + 16),
                                              .disk = k,
                                              .flags = get_le32(inode + 8) & ~MENDING,
                                              .attributes = loris_crc(inode + 48, 64),
                                              .partial = !whole};
    memcpy(c->object[c->objects - 1].attr, inode + 48, 64);
}

static void walk_inodes(struct check *c, uint32_t k, uint32_t level, uint64_t index,
                        const uint8_t *pointer, uint64_t newest)
{
    uint8_t raw[BLOCK];
    struct loris_pointer at = get_pointer(pointer);
    if (is_none(pointer))
        return;
    check_birth(c, k, 0, &at, newest);
    if (at.address == 0 || !read_node(c, k, 0, level == 0 ? 1 : 2, level, index, &at, raw)) {
        c->disk[k].blind = true;
        return;
    }
    for (uint32_t n = 0; level > 0 && n < FANOUT; n++)
        walk_inodes(c, k, level - 1, index * FANOUT + n, raw + HEAD + 16 * (size_t)n, at.birth);
    for (uint32_t n = 0; level == 0 && n < INODES; n++)
        note_inode(c, k, index * INODES + n, raw + HEAD + INODE_BYTES * (size_t)n, at.birth);
}

/* A block that is reached, or taken, or both. what: 1 if it is data. */
static void check_block(struct check *c, uint32_t k, uint64_t block,
                        const struct loris_group *group, uint32_t what)
{
    uint64_t inside = (block - c->disk[k].at.first_group) % LORIS_GROUP_BLOCKS;
    bool reached = (group->reached[inside / 64] >> inside % 64 & 1) != 0;
    bool taken = (group->taken[inside / 64] >> inside % 64 & 1) != 0;
    c->disk[k].reached[what] += reached;
    c->disk[k].taken[what] += taken;
    if (reached && !taken && !group->unknown)
        loris_damage(c, "disk %u: block %lu is in use and free in the map", k,
                     (unsigned long)block);
    if (!reached && taken)
        c->out->leaked_blocks++;
}

static void check_map(struct check *c, uint32_t k)
{
    struct disk *d = &c->disk[k];
    for (uint32_t g = 0; g < d->at.groups; g++)
        for (uint32_t w = 0; w < LORIS_GROUP_WORDS; w++) {
            uint64_t any = d->group[g].reached[w] | d->group[g].taken[w];
            for (; any != 0; any &= any - 1) {
                uint64_t slot = 0, block = loris_layout_group(&d->at, g) + w * UINT64_C(64) +
                                           (uint64_t)__builtin_ctzll(any);
                uint32_t what = loris_layout_zone(&d->at, block, &slot) == ZONE_DATA ? 1 : 0;
                check_block(c, k, block, &d->group[g], what);
            }
        }
    const uint64_t says[2] = {d->root.used_slots, d->root.used_data};
    for (uint32_t what = 0; what < 2 && !d->maps_unknown; what++)
        if (says[what] < d->reached[what] || says[what] > d->taken[what])
            loris_damage(c, "disk %u: the root counts %lu %s in use, the map %lu, the trees %lu", k,
                         (unsigned long)says[what], what == 1 ? "blocks" : "slots",
                         (unsigned long)d->taken[what], (unsigned long)d->reached[what]);
}

void loris_check_disk(struct check *c, uint32_t k)
{
    struct disk *d = &c->disk[k];
    d->group = calloc(d->at.groups, sizeof(*d->group));
    ASSERT(d->group != NULL);
    read_intents(c, k);
    check_ancestors(c, k);
    walk_inodes(c, k, d->root.height, 0, d->root.top, d->root.epoch);
    if (!d->blind)
        check_map(c, k);
}
