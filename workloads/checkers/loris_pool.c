/* The pool: the mapping against what the disks have, copies against each other, parity. */
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"
#include "workloads/checkers/loris_parity.h"
#include "workloads/checkers/loris_state.h"

#define ENTRY 64u
#define MOVES 1u /* bits of an entry's state: its object has it; it waits for a level */
#define WAITS 2u
#define LEVELS 6u

static int by_block(const void *left, const void *right)
{
    const struct block *a = left, *b = right;
    if (a->oid != b->oid)
        return a->oid < b->oid ? -1 : 1;
    if (a->index != b->index)
        return a->index < b->index ? -1 : 1;
    return (a->disk > b->disk) - (a->disk < b->disk);
}

static int by_object(const void *left, const void *right)
{
    const struct object *a = left, *b = right;
    if (a->oid != b->oid)
        return a->oid < b->oid ? -1 : 1;
    return (a->disk > b->disk) - (a->disk < b->disk);
}

/* The first block at or after this one. */
size_t loris_first_block_at(const struct check *c, uint64_t oid, uint64_t index)
{
    size_t low = 0, high = c->blocks;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct block *b = &c->block[middle];
        if (b->oid < oid || (b->oid == oid && b->index < index))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t loris_first_block(const struct check *c, uint64_t oid)
{
    return loris_first_block_at(c, oid, 0);
}

/* Blocks of one object and number from block[i] on: one a disk. */
static size_t run_of(const struct check *c, size_t i)
{
    size_t n = 1;
    while (i + n < c->blocks && c->block[i + n].oid == c->block[i].oid &&
           c->block[i + n].index == c->block[i].index)
        n++;
    return n;
}

struct object *loris_find_object(const struct check *c, uint64_t oid, uint32_t k)
{
    struct object key = {.oid = oid, .disk = k};
    return bsearch(&key, c->object, c->objects, sizeof(key), by_object);
}

/* The copies of one block: b[0..n) on the disks in `whole` and perhaps others. Of those on `disks`;
 * others are in the making. */
static void check_copies(struct check *c, const struct block *b, size_t n, uint32_t disks,
                         uint32_t whole)
{
    uint32_t good = 0, lost = 0, seen = 0;
    const struct block *first = NULL;
    for (size_t i = 0; i < n; i++) {
        if ((disks >> b[i].disk & 1) == 0)
            continue;
        seen |= 1u << b[i].disk;
        if (b[i].state == LOST)
            lost |= 1u << b[i].disk;
        if (b[i].state != GOOD)
            continue;
        good |= 1u << b[i].disk;
        if (first != NULL && first->crc != b[i].crc && !first->intent && !b[i].intent)
            loris_damage(c, "object %lu block %lu: copies on disks %u and %u differ",
                         (unsigned long)b->oid, (unsigned long)b->index, first->disk, b[i].disk);
        first = &b[i];
    }
    bool intent = false;
    for (size_t i = 0; i < n; i++)
        intent |= b[i].intent;
    if (good == 0 && lost == 0 && !intent && (whole & ~seen) == 0)
        loris_damage(c, "object %lu block %lu: no copy is whole", (unsigned long)b->oid,
                     (unsigned long)b->index);
    if (good != 0 && (whole & ~seen) != 0)
        loris_damage(c, "object %lu block %lu: a copy has a hole instead", (unsigned long)b->oid,
                     (unsigned long)b->index);
}

/* Two inodes of one object; either may be NULL. */
static void check_like(struct check *c, const struct object *a, const struct object *b)
{
    if (a == NULL || b == NULL)
        return;
    if (a->size != b->size || a->attributes != b->attributes || a->flags != b->flags)
        loris_damage(c, "object %lu: size, flags or attributes on disks %u and %u differ",
                     (unsigned long)a->oid, a->disk, b->disk);
}

/* The inodes of an object on `disks`; which of these have one, *have, and which a whole part. */
static uint32_t check_inodes(struct check *c, uint64_t oid, uint32_t disks, uint32_t *have)
{
    uint32_t whole = 0;
    const struct object *one = NULL;
    *have = 0;
    for (uint32_t k = 0; k < DISKS_MAX; k++) {
        const struct object *o = (disks >> k & 1) != 0 ? loris_find_object(c, oid, k) : NULL;
        if (o == NULL && (disks >> k & 1) != 0 && !c->disk[k].blind)
            loris_damage(c, "object %lu is not on disk %u", (unsigned long)oid, k);
        if (o == NULL)
            continue;
        *have |= 1u << k;
        whole |= o->partial ? 0 : 1u << k;
        check_like(c, one, o);
        one = o;
    }
    return whole;
}

static void check_mirrored(struct check *c, uint64_t oid, uint32_t disks)
{
    uint32_t have, whole = check_inodes(c, oid, disks, &have);
    if (have == 0 || (whole == 0 && disks != 0))
        loris_damage(c, "object %lu: no disk has a whole tree of it", (unsigned long)oid);
    for (size_t i = loris_first_block(c, oid); i < c->blocks && c->block[i].oid == oid;) {
        size_t n = run_of(c, i);
        check_copies(c, &c->block[i], n, disks, whole);
        i += n;
    }
}

static void check_striped(struct check *c, uint64_t oid, uint32_t disks)
{
    uint32_t have, lacking = disks & ~check_inodes(c, oid, disks, &have);
    if (lacking != 0)
        loris_damage(c, "object %lu: parts are not whole, on disks of mask %x", (unsigned long)oid,
                     lacking);
    for (size_t i = loris_first_block(c, oid); i < c->blocks && c->block[i].oid == oid; i++)
        if (c->block[i].state == BAD && !c->block[i].intent)
            loris_damage(c, "object %lu: block %lu on disk %u is bad", (unsigned long)oid,
                         (unsigned long)c->block[i].index, c->block[i].disk);
}

/* ---- Parity ---------------------------------------------------------------------------------- */

static uint32_t bits(uint32_t mask)
{
    uint32_t n = 0;
    for (; mask != 0; mask &= mask - 1)
        n++;
    return n;
}

static void check_row(struct check *c, const struct row *r)
{
    uint32_t parity = 0;
    ASSERT(r->slots > 0);
    for (uint32_t k = 0; k < r->parities; k++)
        parity |= 1u << (r->first + k) % r->slots;
    /* A bad parity alone takes nothing from a block that is good, or known lost. */
    if ((r->bad & ~parity) != 0 && bits(r->unknown) > r->parities)
        loris_damage(c, "object %lu row %lu: more blocks are bad than parity stands in for",
                     (unsigned long)r->oid, (unsigned long)r->index);
    if ((r->unknown & ~parity) != 0)
        return;
    for (uint32_t k = 0; k < r->parities; k++)
        if ((r->unknown >> (r->first + k) % r->slots & 1) == 0 &&
            !loris_parity_holds(r->content, r->slots, r->parities, r->first, k))
            loris_damage(c, "object %lu row %lu: %s does not match the data", (unsigned long)r->oid,
                         (unsigned long)r->index, k == 0 ? "P" : "Q");
}

/* The row of b[0..n). missing: slots whose part cannot be read. */
static void read_row(struct check *c, const uint8_t *e, const struct block *b, size_t n,
                     uint32_t missing, struct row *r)
{
    ASSERT(get_le32(e + 12) > 0 && e[9] > 0); /* entry_sane */
    uint64_t stripe = b->index / get_le32(e + 12);
    r->oid = b->oid;
    r->index = b->index;
    r->slots = e[9];
    r->parities = e[8] == 6 ? 2 : 1;
    r->first = r->slots - 1 - (e[8] == 4 ? 0 : (uint32_t)(stripe % r->slots));
    r->unknown = missing;
    r->bad = 0;
    for (uint32_t slot = 0; slot < r->slots; slot++) {
        memset(r->content[slot], 0, BLOCK);
        if ((missing >> slot & 1) != 0 && c->disk[e[16 + slot]].member)
            r->bad |= 1u << slot; /* a disk that is gone is told by the pool */
        for (size_t i = 0; i < n; i++) {
            if (b[i].disk != e[16 + slot] || (missing >> slot & 1) != 0)
                continue;
            bool read = b[i].state == GOOD &&
                        loris_read_block(c, b[i].disk, b[i].address, r->content[slot]);
            r->unknown |= read ? 0 : 1u << slot;
            r->bad |= read || b[i].state == LOST ? 0 : 1u << slot;
        }
    }
}

static void check_rows(struct check *c, uint64_t oid, const uint8_t *e, uint32_t disks)
{
    struct row *r = &c->row;
    uint32_t missing = 0, have, whole = check_inodes(c, oid, disks, &have);
    for (uint32_t slot = 0; slot < e[9]; slot++)
        missing |= (whole >> e[16 + slot] & 1) == 0 ? 1u << slot : 0;
    if (have == 0)
        loris_damage(c, "object %lu: no disk has it", (unsigned long)oid);
    for (size_t i = loris_first_block(c, oid); i < c->blocks && c->block[i].oid == oid;) {
        size_t n = run_of(c, i);
        read_row(c, e, &c->block[i], n, missing, r);
        check_row(c, r);
        i += n;
    }
}

/* ---- The mapping ----------------------------------------------------------------------------- */

/* An entry of a level that there is, with disks enough for it. Slot 0's object may be any. */
static bool entry_sane(const uint8_t *e, uint64_t slot)
{
    bool parity = e[8] >= 4;
    if (get_le32(e + 60) != loris_crc(e, 60) || (slot != 0 && get_le64(e) != slot) || e[9] == 0 ||
        e[9] > DISKS_MAX || e[8] > 6 || e[8] == 2 || e[8] == 3 || e[48] > LEVELS ||
        e[49] > (slot == 0 ? 0 : MOVES | WAITS))
        return false;
    uint32_t disks = 0;
    for (uint32_t n = 0; n < e[9]; n++) {
        if (e[16 + n] >= DISKS_MAX || (disks >> e[16 + n] & 1) != 0)
            return false;
        disks |= 1u << e[16 + n];
    }
    return (e[8] == 1 || get_le32(e + 12) > 0) && (!parity || e[9] >= (e[8] == 6 ? 4 : 3));
}

/* Slot 1 is no object's: it counts those that wait for another level. */
static void check_count(struct check *c, const uint8_t *e)
{
    if (get_le64(e) != 1 || get_le32(e + 60) != loris_crc(e, 60) || get_le64(e + 16) == 0)
        loris_damage(c, "mapping: the count of files that wait is damaged");
    c->counted = get_le64(e + 16);
}

/* The layout in slot 0 is being made, or goes: it may be anything. */
static void check_spare(struct check *c, const uint8_t *e, uint8_t *known)
{
    for (uint32_t n = 0; n < e[9]; n++) {
        const struct object *o = loris_find_object(c, get_le64(e), e[16 + n]);
        if (o != NULL)
            known[o - c->object] = 1;
    }
}

/* A copy counts while its disk is of the generation that the entry names: else the disk has left
 * and joined again since, and has nothing of it, or half. */
static void check_entry(struct check *c, uint64_t slot, const uint8_t *e, uint32_t members,
                        uint8_t *known)
{
    uint32_t disks = 0;
    uint64_t oid = slot | ((e[49] & MOVES) != 0 ? MOVED : 0);
    if (get_le64(e) == 0 && get_le32(e + 60) == 0)
        return;
    if (slot == 1) {
        check_count(c, e);
        return;
    }
    if (!entry_sane(e, slot)) {
        loris_damage(c, "mapping: the entry of object %lu is damaged", (unsigned long)oid);
        return;
    }
    if (slot == 0) {
        check_spare(c, e, known);
        return;
    }
    c->waiting += (e[49] & WAITS) != 0;
    for (uint32_t n = 0; n < e[9]; n++) {
        uint32_t k = e[16 + n];
        bool counts = e[32 + n] == c->root.generation[k];
        const struct object *o = loris_find_object(c, oid, k);
        disks |= counts ? 1u << k : 0;
        if (o != NULL)
            known[o - c->object] = 1;
        if (o != NULL)
            c->object[o - c->object].current = counts;
        if (o != NULL)
            c->object[o - c->object].copied = counts && e[8] == 1;
        if (o != NULL && counts && o->flags != get_le16(e + 10))
            loris_damage(c, "object %lu: flags on disk %u are not the mapping's",
                         (unsigned long)oid, k);
    }
    if (e[8] == 1)
        check_mirrored(c, oid, disks & members);
    else if (e[8] == 0)
        check_striped(c, oid, disks & members);
    else
        check_rows(c, oid, e, disks & members);
}

/* One block of the mapping from the first disk that has it whole. */
static void check_page(struct check *c, const struct block *b, uint32_t members, uint8_t *known)
{
    uint8_t raw[BLOCK];
    if (!loris_read_block(c, b->disk, b->address, raw))
        return;
    for (uint32_t n = 0; n < BLOCK / ENTRY; n++)
        check_entry(c, b->index * (BLOCK / ENTRY) + n, raw + ENTRY * (size_t)n, members, known);
}

void loris_check_mapping(struct check *c)
{
    uint32_t members = 0;
    uint64_t next = 0;
    uint8_t *known = calloc(c->objects + 1, 1);
    ASSERT(known != NULL);
    for (uint32_t k = 0; k < DISKS_MAX; k++)
        members |= c->disk[k].member ? 1u << k : 0;
    uint32_t whole = members & ~c->root.rebuilding; /* have the mapping */
    qsort(c->block, c->blocks, sizeof(*c->block), by_block);
    qsort(c->object, c->objects, sizeof(*c->object), by_object);
    check_mirrored(c, 1, whole);
    for (size_t i = loris_first_block(c, 1); i < c->blocks && c->block[i].oid == 1; i++) {
        if (c->block[i].state != GOOD || c->block[i].index < next ||
            (whole >> c->block[i].disk & 1) == 0)
            continue;
        next = c->block[i].index + 1;
        check_page(c, &c->block[i], members, known);
    }
    if (c->waiting != c->counted && c->out->damages == 0)
        loris_damage(c, "mapping: %lu files wait for another level, it counts %lu",
                     (unsigned long)c->waiting, (unsigned long)c->counted);
    for (size_t i = 0; i < c->objects; i++) {
        const struct object *o = &c->object[i];
        bool half = (c->root.rebuilding >> o->disk & 1) != 0; /* a copy in the making */
        if (known[i] == 0 && o->oid != 1 && !half)
            loris_damage(c, "disk %u: object %lu is not in the mapping", o->disk,
                         (unsigned long)o->oid);
    }
    free(known);
}
