/*
 * Phases: roots, and which checkpoint; the tree of each member, noting every object and block; the
 * map against what was reached; the mapping against what the disks have.
 */
#include "workloads/checkers/loris_check.h"

#include <isa-l.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"
#include "workloads/checkers/loris_check_log.h"
#include "workloads/checkers/loris_layout.h"
#include "workloads/checkers/loris_parity.h"
#include "workloads/checkers/names_check.h"

#define BLOCK 4096u
#define SECTOR 512u
#define HEAD 64u
#define FANOUT 252u
#define INODES 15u
#define INODE_BYTES 256u
#define HEIGHT_MAX 6u
#define MENDING 0x80000000u
#define ENTRY 64u
#define MOVED 0x80000000u /* bit of an object's number on its disks */
#define MOVES 1u          /* bits of an entry's state: its object has it; it waits for a level */
#define WAITS 2u
#define LEVELS 6u

enum state { GOOD, BAD, LOST };

struct loris_root {
    bool valid;
    uint64_t epoch, lsn, incarnation, ancestor[24], intent_head, used_data, used_slots;
    uint32_t rev, members, rebuilding, height, log_blocks;
    uint8_t pool[16], uuid[16], top[16], generation[16];
};

struct loris_pointer {
    uint64_t address;
    uint32_t flags, crc, birth;
};

struct block { /* one data block on one disk */
    uint64_t oid, index, address;
    uint32_t disk, crc;
    enum state state;
    bool intent; /* a live intent names it */
};

struct object { /* one inode on one disk */
    uint64_t oid, size;
    uint32_t disk, flags, attributes; /* their CRC */
    bool partial;                     /* some of its tree cannot be read, or it is being mended */
    bool current;                     /* the mapping names it: it is no stale one */
    bool copied;                      /* and has whole copies: its blocks are the object's */
    uint8_t attr[64];
};

struct intent {
    uint64_t oid, address;
    uint32_t index, disk;
};

struct disk {
    bool member;
    struct loris_layout at;
    struct loris_root slot[2], root;
    uint8_t *reached, *taken; /* a byte a block */
    bool blind;               /* part of the inode file cannot be read */
    bool maps_unknown;        /* some map block cannot be read */
};

struct row { /* blocks of one number, in the order of an entry's disks: FORMAT.md, mapping */
    uint64_t oid, index;
    uint32_t slots, parities, first; /* first: the slot of P */
    uint32_t unknown, bad;           /* slots without a content; of these: not known to be lost */
    uint8_t content[DISKS_MAX][BLOCK];
};

struct check {
    const struct checker_disks *in;
    struct checker_verdict *out;
    struct disk disk[DISKS_MAX];
    struct block *block;
    struct object *object;
    struct intent *intent;
    struct row row;         /* the one being checked */
    struct loris_root root; /* the chosen one */
    size_t blocks, blocks_room, objects, objects_room, intents, intents_room;
    uint64_t waiting, counted; /* entries that wait for another level; and as the mapping says */
};

static void damage(struct check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void damage(struct check *c, const char *format, ...)
{
    va_list list;
    if (c->out->damages++ > 0)
        return;
    va_start(list, format);
    vsnprintf(c->out->text, sizeof(c->out->text), format, list);
    va_end(list);
}

static uint32_t crc32c(const uint8_t *raw, uint32_t bytes)
{
    return ~crc32_iscsi((unsigned char *)(uintptr_t)raw, (int)bytes, 0xffffffffu);
}

/* Room for one more in a growing array. */
static void *grow(void *array, size_t used, size_t *room, size_t bytes)
{
    if (used < *room)
        return array;
    *room = *room == 0 ? 1024 : *room * 2;
    array = realloc(array, *room * bytes);
    ASSERT(array != NULL);
    return array;
}

static bool read_block(const struct check *c, uint32_t k, uint64_t block, uint8_t *raw)
{
    bool readable = true;
    if (block >= c->disk[k].at.blocks)
        return false;
    c->in->read_block(c->in->context, k, block, raw, &readable);
    return readable;
}

/* ---- Roots ----------------------------------------------------------------------------------- */

static bool decode_root(const struct disk *d, uint32_t disk, uint64_t sector, const uint8_t *raw,
                        struct loris_root *r)
{
    if (get_le32(raw) != 0x3152524c || get_le32(raw + 4) != 1 ||
        get_le32(raw + 508) != crc32c(raw, 508) || get_le64(raw + 496) != sector ||
        get_le64(raw + 272) != d->at.blocks || get_le32(raw + 300) != d->at.intent_blocks ||
        get_le32(raw + 264) != disk || get_le32(raw + 296) > HEIGHT_MAX ||
        !loris_layout_log_possible(&d->at, get_le32(raw + 360)))
        return false;
    *r = (struct loris_root){.valid = true,
                             .epoch = get_le64(raw + 40),
                             .lsn = get_le64(raw + 48),
                             .incarnation = get_le64(raw + 56),
                             .rev = get_le32(raw + 256),
                             .members = get_le32(raw + 260),
                             .height = get_le32(raw + 296),
                             .intent_head = get_le64(raw + 304),
                             .rebuilding = get_le32(raw + 328),
                             .log_blocks = get_le32(raw + 360),
                             .used_data = get_le64(raw + 312),
                             .used_slots = get_le64(raw + 320)};
    for (uint32_t k = 0; k < 24; k++)
        r->ancestor[k] = get_le64(raw + 64 + 8 * (size_t)k);
    memcpy(r->pool, raw + 8, 16);
    memcpy(r->uuid, raw + 24, 16);
    memcpy(r->top, raw + 280, 16);
    memcpy(r->generation, raw + 336, 16);
    return true;
}

static bool newer(const struct loris_root *a, const struct loris_root *b)
{
    return a->epoch != b->epoch ? a->epoch > b->epoch : a->rev > b->rev;
}

static void read_slots(struct check *c, uint32_t k)
{
    uint8_t raw[BLOCK];
    struct disk *d = &c->disk[k];
    for (uint32_t n = 0; n < 4; n++) {
        struct loris_root found;
        uint64_t block = 4 * (n / 2 + UINT64_C(1));
        if (n % 2 == 1)
            block = d->at.blocks - block;
        if (!read_block(c, k, block, raw) ||
            !decode_root(d, k, block * (BLOCK / SECTOR), raw, &found))
            continue;
        if (!d->slot[n / 2].valid || newer(&found, &d->slot[n / 2]))
            d->slot[n / 2] = found;
    }
}

static bool in_line(const struct loris_root *r, uint64_t incarnation)
{
    if (r->incarnation == incarnation)
        return true;
    for (uint32_t k = 0; k < 24; k++)
        if (r->ancestor[k] == incarnation && incarnation != 0)
            return true;
    return false;
}

/* The root of that number which belongs to `r`, on one disk; NULL: it has none. */
static const struct loris_root *same_number(const struct disk *d, const struct loris_root *r)
{
    for (uint32_t s = 0; s < 2; s++)
        if (d->slot[s].valid && d->slot[s].epoch == r->epoch &&
            memcmp(d->slot[s].pool, r->pool, 16) == 0 && in_line(r, d->slot[s].incarnation))
            return &d->slot[s];
    return NULL;
}

/* Every disk of its list that has any root at all has this one. */
static bool complete(const struct check *c, const struct loris_root *r)
{
    for (uint32_t k = 0; k < DISKS_MAX; k++) {
        const struct disk *d = &c->disk[k];
        bool has_any = d->slot[0].valid || d->slot[1].valid;
        if ((r->members >> k & 1) != 0 && has_any && same_number(d, r) == NULL)
            return false;
    }
    return true;
}

static bool choose(struct check *c)
{
    const struct loris_root *best = NULL;
    for (uint32_t k = 0; k < DISKS_MAX; k++)
        for (uint32_t s = 0; s < 2; s++) {
            const struct loris_root *r = &c->disk[k].slot[s];
            bool listed = (r->members >> k & 1) != 0; /* else it never joined */
            if (r->valid && listed && complete(c, r) && (best == NULL || newer(r, best)))
                best = r;
        }
    if (best == NULL) {
        damage(c, "no complete root on any disk");
        return false;
    }
    c->root = *best;
    for (uint32_t k = 0; k < DISKS_MAX; k++) {
        const struct loris_root *mine = same_number(&c->disk[k], best);
        c->disk[k].member = (best->members >> k & 1) != 0 && mine != NULL;
        if (c->disk[k].member) {
            c->disk[k].root = *mine;
            loris_layout_end(&c->disk[k].at, mine->log_blocks);
        }
    }
    return true;
}

/* The line of incarnations: newest first, each once, nothing after the end. */
static void check_ancestors(struct check *c, uint32_t k)
{
    const struct loris_root *r = &c->disk[k].root;
    for (uint32_t n = 0; n < 24; n++) {
        bool wrong = r->ancestor[n] == r->incarnation;
        for (uint32_t m = 0; m < n && r->ancestor[n] != 0; m++)
            wrong |= r->ancestor[m] == r->ancestor[n] || r->ancestor[m] == 0;
        if (wrong)
            damage(c, "disk %u: ancestor %u of the root's incarnation is none", k, n);
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
        c->intent = grow(c->intent, c->intents, &c->intents_room, sizeof(*c->intent));
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
        if (!read_block(c, k, 16 + (uint64_t)n, raw) || get_le32(raw) != 0x314d524c ||
            get_le16(raw + 6) != 4 || get_le64(raw + 16) != 16 + (uint64_t)n ||
            memcmp(raw + 48, d->root.uuid, 16) != 0)
            continue;
        uint32_t crc = get_le32(raw + 12);
        put_le32(raw + 12, 0);
        if (crc32c(raw, BLOCK) != crc)
            continue;
        if (!intents_sane(d, n, raw))
            damage(c, "disk %u: block %u of the intents breaks its rules", k, n);
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
        damage(c, "disk %u: block %lu of object %lu is of epoch %u, what points to it of %lu", k,
               (unsigned long)at->address, (unsigned long)oid, at->birth, (unsigned long)newest);
}

/* Notes that a pointer names this place; false: it must not. */
static bool reach(struct check *c, uint32_t k, uint64_t oid, uint64_t address, bool data)
{
    uint64_t slot = 0;
    struct disk *d = &c->disk[k];
    enum loris_zone zone = loris_layout_zone(&d->at, address, &slot);
    if ((zone == ZONE_DATA) != data || zone == ZONE_NONE) {
        damage(c, "disk %u: object %lu points to block %lu, which is no place for it", k,
               (unsigned long)oid, (unsigned long)address);
        return false;
    }
    if (d->reached[slot]++ > 0) {
        damage(c, "disk %u: block %lu is used twice, by object %lu too", k, (unsigned long)slot,
               (unsigned long)oid);
        return false;
    }
    return true;
}

/* A metadata block of the tree; false: it cannot be believed. */
static bool read_node(struct check *c, uint32_t k, uint64_t oid, uint32_t type, uint32_t level,
                      uint64_t index, const struct loris_pointer *at, uint8_t *raw)
{
    if (!reach(c, k, oid, at->address, false))
        return false;
    return read_block(c, k, at->address, raw) && crc32c(raw, BLOCK) == at->crc &&
           get_le32(raw) == 0x314d524c && get_le16(raw + 4) == 1 && get_le16(raw + 6) == type &&
           get_le16(raw + 8) == level && get_le64(raw + 16) == at->address &&
           get_le64(raw + 24) == oid && get_le64(raw + 32) == index &&
           get_le32(raw + 40) == at->birth && memcmp(raw + 48, c->disk[k].root.uuid, 16) == 0;
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
        bool good = read_block(c, k, at->address, raw) && crc32c(raw, BLOCK) == at->crc;
        b.state = good ? GOOD : BAD;
        b.intent = has_intent(c, k, oid, index, at->address);
    }
    c->block = grow(c->block, c->blocks, &c->blocks_room, sizeof(*c->block));
    c->block[c->blocks++] = b;
}

/* Map blocks: their bits become `taken`. */
static void note_map(struct check *c, uint32_t k, uint64_t group, const struct loris_pointer *at)
{
    uint8_t raw[BLOCK];
    struct disk *d = &c->disk[k];
    uint64_t slot = 0;
    if (group >= d->at.groups) {
        damage(c, "disk %u: a map for group %lu", k, (unsigned long)group);
        return;
    }
    uint64_t start = loris_layout_group(&d->at, (uint32_t)group);
    bool known = read_node(c, k, 2, 3, 0, group, at, raw);
    if (loris_layout_zone(&d->at, at->address, &slot) != ZONE_NONE && slot != start)
        damage(c, "disk %u: the map of group %lu is at %lu", k, (unsigned long)group,
               (unsigned long)at->address);
    uint32_t n = loris_layout_group_blocks(&d->at, (uint32_t)group);
    d->maps_unknown |= !known;
    for (uint32_t b = n - n / 8; known && b < LORIS_GROUP_BLOCKS; b++)
        if (raw[HEAD + b / 8] >> (b % 8) & 1u)
            damage(c, "disk %u: the map of group %lu has bits beyond its data", k,
                   (unsigned long)group);
    for (uint32_t b = 0; b < n; b++) {
        uint32_t bit = known ? (uint32_t)raw[HEAD + b / 8] >> (b % 8) & 1u : 2u;
        d->taken[start + b] = (uint8_t)bit;
    }
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
        damage(c, "disk %u: the inode of object %lu names %lu", k, (unsigned long)oid,
               (unsigned long)get_le64(inode));
        return;
    }
    size_t before = c->blocks;
    bool whole = (get_le32(inode + 8) & MENDING) == 0;
    for (uint32_t n = 0; n < 9; n++)
        whole &= walk(c, k, oid, height, n, inode + 112 + 16 * (size_t)n, newest);
    uint64_t counted = 0;
    for (size_t b = before; b < c->blocks; b++)
        counted += c->block[b].state != LOST;
    if (whole && oid != 2 && counted != get_le64(inode + 24))
        damage(c, "disk %u: object %lu has %lu blocks and says %lu", k, (unsigned long)oid,
               (unsigned long)counted, (unsigned long)get_le64(inode + 24));
    if (oid == 2) {
        c->disk[k].blind |= !whole;
        return;
    }
    c->object = grow(c->object, c->objects, &c->objects_room, sizeof(*c->object));
    c->object[c->objects++] = (struct object){.oid = oid,
                                              .size = get_le64(inode + 16),
                                              .disk = k,
                                              .flags = get_le32(inode + 8) & ~MENDING,
                                              .attributes = crc32c(inode + 48, 64),
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

static void check_map(struct check *c, uint32_t k)
{
    const struct disk *d = &c->disk[k];
    uint64_t reached[2] = {0, 0}, taken[2] = {0, 0}; /* slots, data */
    for (uint64_t b = d->at.first_group; b < d->at.end; b++) {
        uint64_t slot = 0;
        if ((d->reached[b] | d->taken[b]) == 0)
            continue; /* most */
        uint32_t what = loris_layout_zone(&d->at, b, &slot) == ZONE_DATA ? 1 : 0;
        reached[what] += d->reached[b] > 0;
        taken[what] += d->taken[b] == 1;
        if (d->reached[b] > 0 && d->taken[b] == 0)
            damage(c, "disk %u: block %lu is in use and free in the map", k, (unsigned long)b);
        if (d->reached[b] == 0 && d->taken[b] == 1)
            c->out->leaked_blocks++;
    }
    const uint64_t says[2] = {d->root.used_slots, d->root.used_data};
    for (uint32_t what = 0; what < 2 && !d->maps_unknown; what++)
        if (says[what] < reached[what] || says[what] > taken[what])
            damage(c, "disk %u: the root counts %lu %s in use, the map %lu, the trees %lu", k,
                   (unsigned long)says[what], what == 1 ? "blocks" : "slots",
                   (unsigned long)taken[what], (unsigned long)reached[what]);
}

static void check_disk(struct check *c, uint32_t k)
{
    struct disk *d = &c->disk[k];
    d->reached = calloc(d->at.blocks, 1);
    d->taken = calloc(d->at.blocks, 1);
    ASSERT(d->reached != NULL && d->taken != NULL);
    read_intents(c, k);
    check_ancestors(c, k);
    walk_inodes(c, k, d->root.height, 0, d->root.top, d->root.epoch);
    if (!d->blind)
        check_map(c, k);
}

static void damaged_log(void *context, uint32_t disk, uint64_t place, const char *what)
{
    damage(context, "disk %u: log, block %lu: %s", disk, (unsigned long)place, what);
}

static void check_log(struct check *c)
{
    struct loris_log_input in = {.disks = c->in, .context = c, .damage = damaged_log};
    for (uint32_t k = 0; k < DISKS_MAX; k++) {
        const struct disk *d = &c->disk[k];
        if (!d->member)
            continue;
        struct loris_log *log = &in.log[in.count++];
        *log = (struct loris_log){.disk = k,
                                  .blocks = d->root.log_blocks,
                                  .first = d->at.first_log,
                                  .epoch = d->root.epoch,
                                  .lsn = d->root.lsn};
        memcpy(log->uuid, d->root.uuid, 16);
    }
    loris_check_log(&in);
}

/* ---- The pool -------------------------------------------------------------------------------- */

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
static size_t first_block_at(const struct check *c, uint64_t oid, uint64_t index)
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

static size_t first_block(const struct check *c, uint64_t oid)
{
    return first_block_at(c, oid, 0);
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

static struct object *find_object(const struct check *c, uint64_t oid, uint32_t k)
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
            damage(c, "object %lu block %lu: copies on disks %u and %u differ",
                   (unsigned long)b->oid, (unsigned long)b->index, first->disk, b[i].disk);
        first = &b[i];
    }
    bool intent = false;
    for (size_t i = 0; i < n; i++)
        intent |= b[i].intent;
    if (good == 0 && lost == 0 && !intent && (whole & ~seen) == 0)
        damage(c, "object %lu block %lu: no copy is whole", (unsigned long)b->oid,
               (unsigned long)b->index);
    if (good != 0 && (whole & ~seen) != 0)
        damage(c, "object %lu block %lu: a copy has a hole instead", (unsigned long)b->oid,
               (unsigned long)b->index);
}

/* Two inodes of one object; either may be NULL. */
static void check_like(struct check *c, const struct object *a, const struct object *b)
{
    if (a == NULL || b == NULL)
        return;
    if (a->size != b->size || a->attributes != b->attributes || a->flags != b->flags)
        damage(c, "object %lu: size, flags or attributes on disks %u and %u differ",
               (unsigned long)a->oid, a->disk, b->disk);
}

/* The inodes of an object on `disks`; which of these have one, *have, and which a whole part. */
static uint32_t check_inodes(struct check *c, uint64_t oid, uint32_t disks, uint32_t *have)
{
    uint32_t whole = 0;
    const struct object *one = NULL;
    *have = 0;
    for (uint32_t k = 0; k < DISKS_MAX; k++) {
        const struct object *o = (disks >> k & 1) != 0 ? find_object(c, oid, k) : NULL;
        if (o == NULL && (disks >> k & 1) != 0 && !c->disk[k].blind)
            damage(c, "object %lu is not on disk %u", (unsigned long)oid, k);
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
        damage(c, "object %lu: no disk has a whole tree of it", (unsigned long)oid);
    for (size_t i = first_block(c, oid); i < c->blocks && c->block[i].oid == oid;) {
        size_t n = run_of(c, i);
        check_copies(c, &c->block[i], n, disks, whole);
        i += n;
    }
}

static void check_striped(struct check *c, uint64_t oid, uint32_t disks)
{
    uint32_t have, lacking = disks & ~check_inodes(c, oid, disks, &have);
    if (lacking != 0)
        damage(c, "object %lu: parts are not whole, on disks of mask %x", (unsigned long)oid,
               lacking);
    for (size_t i = first_block(c, oid); i < c->blocks && c->block[i].oid == oid; i++)
        if (c->block[i].state == BAD && !c->block[i].intent)
            damage(c, "object %lu: block %lu on disk %u is bad", (unsigned long)oid,
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
        damage(c, "object %lu row %lu: more blocks are bad than parity stands in for",
               (unsigned long)r->oid, (unsigned long)r->index);
    if ((r->unknown & ~parity) != 0)
        return;
    for (uint32_t k = 0; k < r->parities; k++)
        if ((r->unknown >> (r->first + k) % r->slots & 1) == 0 &&
            !loris_parity_holds(r->content, r->slots, r->parities, r->first, k))
            damage(c, "object %lu row %lu: %s does not match the data", (unsigned long)r->oid,
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
            bool read =
                b[i].state == GOOD && read_block(c, b[i].disk, b[i].address, r->content[slot]);
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
        damage(c, "object %lu: no disk has it", (unsigned long)oid);
    for (size_t i = first_block(c, oid); i < c->blocks && c->block[i].oid == oid;) {
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
    if (get_le32(e + 60) != crc32c(e, 60) || (slot != 0 && get_le64(e) != slot) || e[9] == 0 ||
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
    if (get_le64(e) != 1 || get_le32(e + 60) != crc32c(e, 60) || get_le64(e + 16) == 0)
        damage(c, "mapping: the count of files that wait is damaged");
    c->counted = get_le64(e + 16);
}

/* The layout in slot 0 is being made, or goes: it may be anything. */
static void check_spare(struct check *c, const uint8_t *e, uint8_t *known)
{
    for (uint32_t n = 0; n < e[9]; n++) {
        const struct object *o = find_object(c, get_le64(e), e[16 + n]);
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
        damage(c, "mapping: the entry of object %lu is damaged", (unsigned long)oid);
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
        const struct object *o = find_object(c, oid, k);
        disks |= counts ? 1u << k : 0;
        if (o != NULL)
            known[o - c->object] = 1;
        if (o != NULL)
            c->object[o - c->object].current = counts;
        if (o != NULL)
            c->object[o - c->object].copied = counts && e[8] == 1;
        if (o != NULL && counts && o->flags != get_le16(e + 10))
            damage(c, "object %lu: flags on disk %u are not the mapping's", (unsigned long)oid, k);
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
    if (!read_block(c, b->disk, b->address, raw))
        return;
    for (uint32_t n = 0; n < BLOCK / ENTRY; n++)
        check_entry(c, b->index * (BLOCK / ENTRY) + n, raw + ENTRY * (size_t)n, members, known);
}

static void check_mapping(struct check *c)
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
    for (size_t i = first_block(c, 1); i < c->blocks && c->block[i].oid == 1; i++) {
        if (c->block[i].state != GOOD || c->block[i].index < next ||
            (whole >> c->block[i].disk & 1) == 0)
            continue;
        next = c->block[i].index + 1;
        check_page(c, &c->block[i], members, known);
    }
    if (c->waiting != c->counted && c->out->damages == 0)
        damage(c, "mapping: %lu files wait for another level, it counts %lu",
               (unsigned long)c->waiting, (unsigned long)c->counted);
    for (size_t i = 0; i < c->objects; i++) {
        const struct object *o = &c->object[i];
        bool half = (c->root.rebuilding >> o->disk & 1) != 0; /* a copy in the making */
        if (known[i] == 0 && o->oid != 1 && !half)
            damage(c, "disk %u: object %lu is not in the mapping", o->disk, (unsigned long)o->oid);
    }
    free(known);
}

/* ---- Names -----------------------------------------------------------------------------------
 */

static bool read_copy(void *context, uint64_t oid, uint64_t index, uint8_t *raw)
{
    const struct check *c = context;
    bool any = false;
    uint32_t copies = 0, whole = 0;
    for (uint32_t k = 0; k < DISKS_MAX; k++) {
        const struct object *o = c->disk[k].member ? find_object(c, oid, k) : NULL;
        copies |= o != NULL && o->copied ? 1u << k : 0;
        whole |= o != NULL && o->copied && !o->partial ? 1u << k : 0;
    }
    for (size_t i = first_block_at(c, oid, index);
         i < c->blocks && c->block[i].oid == oid && c->block[i].index == index; i++) {
        const struct block *b = &c->block[i];
        if ((copies >> b->disk & 1) == 0)
            continue;
        any = true;
        if (b->state == GOOD && read_block(c, b->disk, b->address, raw))
            return true;
    }
    memset(raw, 0, BLOCK);
    return whole != 0 && !any; /* a hole */
}

static void damaged_name(void *context, uint64_t oid, const char *what)
{
    damage(context, "object %lu: %s", (unsigned long)oid, what);
}

static int by_name(const void *left, const void *right)
{
    const struct names_object *a = left, *b = right;
    return (a->oid > b->oid) - (a->oid < b->oid);
}

/* Objects as naming sees them, of the first current copy of each. */
static void check_names(struct check *c)
{
    struct names_object *list = calloc(c->objects + 1, sizeof(*list));
    struct names_input in = {
        .object = list, .context = c, .read = read_copy, .damage = damaged_name};
    ASSERT(list != NULL);
    for (size_t i = 0; i < c->objects; i++) {
        const struct object *o = &c->object[i];
        uint64_t oid = o->oid & ~(uint64_t)MOVED;
        bool again = in.objects > 0 && list[in.objects - 1].oid == oid;
        if (!o->current || again)
            continue;
        struct names_object *to = &list[in.objects++];
        *to = (struct names_object){.oid = oid, .size = o->size};
        memcpy(to->attr, o->attr, sizeof(to->attr));
        for (size_t b = first_block(c, o->oid); b < c->blocks && c->block[b].oid == o->oid; b++)
            to->blocks += c->block[b].disk == o->disk;
    }
    qsort(list, in.objects, sizeof(*list), by_name);
    c->out->leaked_blocks += names_check(&in);
    free(list);
}

void loris_check(const struct checker_disks *disks, struct checker_verdict *verdict)
{
    struct check *c = calloc(1, sizeof(*c));
    ASSERT(c != NULL && disks->count <= DISKS_MAX);
    *verdict = (struct checker_verdict){.ran = true};
    c->in = disks;
    c->out = verdict;
    c->block = grow(c->block, 0, &c->blocks_room, sizeof(*c->block));
    c->object = grow(c->object, 0, &c->objects_room, sizeof(*c->object));
    for (uint32_t k = 0; k < disks->count; k++)
        if (!disks->dead[k] && loris_layout_begin(&c->disk[k].at, disks->blocks[k]))
            read_slots(c, k);
    if (choose(c)) {
        for (uint32_t k = 0; k < DISKS_MAX; k++)
            if (c->disk[k].member)
                check_disk(c, k);
        check_log(c);
        check_mapping(c);
        check_names(c);
    }
    for (uint32_t k = 0; k < DISKS_MAX; k++) {
        free(c->disk[k].reached);
        free(c->disk[k].taken);
    }
    free(c->block);
    free(c->object);
    free(c->intent);
    free(c);
    verdict->ok = verdict->damages == 0;
}
