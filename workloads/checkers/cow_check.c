/*
 * Phases: roots; map; inode file with all inodes and their blocks; directories from the root;
 * counts.
 */
#include "workloads/checkers/cow_check.h"

#include <isa-l.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"

#define BLOCK 4096u
#define MAGIC UINT64_C(0x31776f6363736c76)
#define ROOT_AREA 256u
#define SMALLEST 640u
#define FANOUT 256u
#define LEAF_BITS 32768u
#define INODE 256u
#define INODES_A_BLOCK 16u
#define INLINE 92u
#define ROOT 1u
#define ORPHANS 2u
#define BLOCKS_SANE (1u << 20)

enum type { TYPE_FREE, TYPE_FILE, TYPE_DIRECTORY, TYPE_LINK };

struct pointer {
    uint32_t address, flags, crc, birth;
};

struct seen { /* one inode */
    bool readable, orphan;
    uint8_t raw[INODE];
    uint8_t type;
    uint16_t nlink;
    uint32_t names, subdirectories, parent, dotdot;
};

struct check {
    cow_check_read *read;
    void *object;
    struct cow_check *out;
    uint64_t blocks;
    uint32_t copies;
    uint8_t root[512];
    uint8_t *used, *taken; /* a block: reached; set in the map */
    uint64_t reached;
    struct seen *inode;
    uint32_t inodes;
    uint32_t *queue; /* directories to walk */
    uint32_t queued;
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

static struct pointer pointer_at(const uint8_t *raw)
{
    return (struct pointer){get_le32(raw), get_le32(raw + 4), get_le32(raw + 8),
                            get_le32(raw + 12)};
}

/* ---- Blocks ---- */

/* Fills raw with what the pointer names, of any copy; false: no copy is good. */
static bool fetch(struct check *c, const struct pointer *p, uint8_t *raw)
{
    for (uint32_t copy = 0; copy < c->copies; copy++)
        if (c->read(c->object, copy, p->address, raw) && crc32c(raw, BLOCK) == p->crc)
            return true;
    c->out->unreadable++;
    return false;
}

/* One use of a block; false if it cannot be believed. */
static bool reach(struct check *c, const char *of, uint32_t number, const struct pointer *p)
{
    if (p->address < ROOT_AREA || p->address >= c->blocks - ROOT_AREA) {
        damage(c, "%s %u: pointer to %u, which is no data block", of, number, p->address);
        return false;
    }
    if (p->flags != 0)
        damage(c, "%s %u: flags in a pointer", of, number);
    if (p->birth > (uint32_t)get_le64(c->root + 32))
        damage(c, "%s %u: block %u is younger than the root", of, number, p->address);
    if (c->used[p->address] != 0) {
        damage(c, "%s %u: block %u is used twice", of, number, p->address);
        return false;
    }
    c->used[p->address] = 1;
    c->reached++;
    return true;
}

/* ---- Roots ---- */

static bool root_is_good(const struct check *c, const uint8_t *raw, uint32_t slot)
{
    return get_le64(raw) == MAGIC && get_le32(raw + 136) == crc32c(raw, 136) &&
           get_le32(raw + 8) == 1 && get_le32(raw + 12) == slot && get_le64(raw + 48) == c->blocks;
}

static bool is_newer(const uint8_t *a, const uint8_t *b)
{
    uint64_t life_a = get_le64(a + 40), life_b = get_le64(b + 40);
    return life_a != life_b ? life_a > life_b : get_le64(a + 32) > get_le64(b + 32);
}

static bool find_root(struct check *c)
{
    bool found = false;
    for (uint32_t k = 0; k < 8 * c->copies; k++) {
        uint8_t raw[BLOCK];
        uint32_t slot = k % 4;
        uint64_t at = 64u * slot + (k % 8 < 4 ? 0 : c->blocks - ROOT_AREA);
        if (!c->read(c->object, k / 8, at, raw) || !root_is_good(c, raw, slot))
            continue;
        if (!found || is_newer(raw, c->root))
            memcpy(c->root, raw, sizeof(c->root));
        found = true;
    }
    return found;
}

/* ---- Map ---- */

static void read_map(struct check *c, const struct pointer *p, uint32_t level, uint64_t leaf)
{
    uint8_t raw[BLOCK];
    uint64_t span = 1;
    if (p->address == 0 || !reach(c, "map", level, p))
        return;
    for (uint32_t k = 0; k < level; k++)
        span *= FANOUT;
    if (!fetch(c, p, raw)) {
        for (uint64_t b = leaf * LEAF_BITS; b < (leaf + span) * LEAF_BITS && b < c->blocks; b++)
            c->taken[b] = 2; /* not known */
        return;
    }
    for (uint32_t k = 0; level > 0 && k < FANOUT; k++) {
        struct pointer child = pointer_at(raw + 16 * k);
        read_map(c, &child, level - 1, leaf + k * span / FANOUT);
    }
    for (uint32_t k = 0; level == 0 && k < LEAF_BITS; k++) {
        uint64_t block = leaf * LEAF_BITS + k;
        bool set = (raw[k / 8] >> k % 8 & 1) != 0;
        if (set && (block < ROOT_AREA || block >= c->blocks - ROOT_AREA))
            damage(c, "map: block %llu is no data block", (unsigned long long)block);
        else if (set)
            c->taken[block] = 1;
    }
}

static void check_map(struct check *c)
{
    uint64_t leaves = (c->blocks + LEAF_BITS - 1) / LEAF_BITS;
    uint32_t height = 0;
    for (; leaves > 1; leaves = (leaves + FANOUT - 1) / FANOUT)
        height++;
    struct pointer top = pointer_at(c->root + 72);
    read_map(c, &top, height, 0);
}

static void compare_map(struct check *c)
{
    for (uint64_t b = 0; b < c->blocks; b++) {
        if (c->used[b] != 0 && c->taken[b] == 0)
            damage(c, "block %llu is reached and free in the map", (unsigned long long)b);
        if (c->used[b] == 0 && c->taken[b] == 1)
            c->out->leaked_blocks++;
    }
    if (c->out->unreadable > 0)
        return; /* what hangs below is not leaked */
    if (c->reached != get_le64(c->root + 128))
        damage(c, "the root says %llu blocks, %llu are reached",
               (unsigned long long)get_le64(c->root + 128), (unsigned long long)c->reached);
}

/* ---- Inodes and their blocks ---- */

/* Reaches a tree of blocks; returns how many. limit: file blocks that the size allows in it. */
static uint64_t reach_tree(struct check *c, uint32_t ino, const struct pointer *p, uint32_t level,
                           uint64_t limit)
{
    uint8_t raw[BLOCK];
    uint64_t count = 1, span = 1;
    if (p->address == 0 || !reach(c, "inode", ino, p))
        return 0;
    if (limit == 0)
        damage(c, "inode %u: block %u lies beyond its size", ino, p->address);
    if (!fetch(c, p, raw) || level == 0)
        return 1;
    for (uint32_t k = 1; k < level; k++)
        span *= FANOUT;
    for (uint32_t k = 0; k < FANOUT; k++) {
        struct pointer child = pointer_at(raw + 16 * k);
        uint64_t below = limit > k * span ? limit - k * span : 0;
        count += reach_tree(c, ino, &child, level - 1, below);
    }
    return count;
}

static void reach_blocks(struct check *c, uint32_t ino, const uint8_t *raw)
{
    uint64_t size = get_le64(raw + 20), file_blocks = (size + BLOCK - 1) / BLOCK;
    uint64_t count = 0, base = 0, span = 1, unreadable = c->out->unreadable;
    for (uint32_t k = 0; k < 7; k++) {
        struct pointer p = pointer_at(raw + 48 + 16 * k);
        span *= k >= 4 ? FANOUT : 1;
        uint64_t limit = file_blocks > base ? file_blocks - base : 0;
        count += reach_tree(c, ino, &p, k < 4 ? 0 : k - 3, limit);
        base += span;
    }
    if (count != get_le32(raw + 44) && c->out->unreadable == unreadable)
        damage(c, "inode %u: says %u blocks, has %llu", ino, get_le32(raw + 44),
               (unsigned long long)count);
}

static void take_inode(struct check *c, uint32_t ino, const uint8_t *raw)
{
    static const uint8_t zeros[INODE];
    struct seen *s = &c->inode[ino];
    s->readable = true;
    memcpy(s->raw, raw, INODE);
    if (memcmp(raw, zeros, INODE) == 0)
        return;
    s->type = (uint8_t)(get_le16(raw) >> 12);
    s->nlink = get_le16(raw + 2);
    if (get_le32(raw + 252) != crc32c(raw, 252) || s->type > TYPE_LINK) {
        damage(c, "inode %u is broken", ino);
        s->type = TYPE_FREE;
        return;
    }
    if (s->type != TYPE_FREE)
        reach_blocks(c, ino, raw);
}

/* at: first block of the inode file below this pointer. */
static void read_inodes(struct check *c, const struct pointer *p, uint32_t level, uint32_t at)
{
    uint8_t raw[BLOCK];
    if (p->address == 0) {
        uint32_t span = level == 0 ? 1 : level == 1 ? FANOUT : FANOUT * FANOUT;
        uint64_t end = ((uint64_t)at + span) * INODES_A_BLOCK;
        for (uint64_t n = (uint64_t)at * INODES_A_BLOCK; n < c->inodes && n < end; n++)
            c->inode[n].readable = true;
        return;
    }
    if (!reach(c, "inode file", at, p) || !fetch(c, p, raw))
        return;
    for (uint32_t k = 0; level > 0 && k < FANOUT; k++) {
        struct pointer child = pointer_at(raw + 16 * k);
        read_inodes(c, &child, level - 1, at + k * (level == 2 ? FANOUT : 1));
    }
    for (uint32_t k = 0; level == 0 && k < INODES_A_BLOCK; k++) {
        if (at * INODES_A_BLOCK + k < c->inodes)
            take_inode(c, at * INODES_A_BLOCK + k, raw + INODE * k);
        else
            damage(c, "inode file: block %u lies beyond its end", at);
    }
}

/* Fills raw with a block of a file; false: a hole, or it cannot be read. */
static bool file_block(struct check *c, const uint8_t *inode, uint64_t at, uint8_t *raw)
{
    uint64_t span = 1;
    uint32_t level = 0;
    struct pointer p = {0};
    if (at < 4) {
        p = pointer_at(inode + 48 + 16 * at);
    } else {
        at -= 4;
        for (level = 1, span = FANOUT; level < 3 && at >= span; level++, span *= FANOUT)
            at -= span;
        p = pointer_at(inode + 48 + 16 * (3 + level));
    }
    for (; level > 0; level--) {
        span /= FANOUT;
        if (p.address == 0 || p.address >= c->blocks || !fetch(c, &p, raw))
            return false;
        p = pointer_at(raw + 16 * (at / span));
        at %= span;
    }
    return p.address != 0 && p.address < c->blocks && fetch(c, &p, raw);
}

/* ---- Names ---- */

static void take_name(struct check *c, uint32_t dir, uint32_t ino, uint32_t type)
{
    if (ino >= c->inodes || ino <= ORPHANS) {
        damage(c, "directory %u: a name leads to inode %u, which cannot be", dir, ino);
        return;
    }
    struct seen *s = &c->inode[ino];
    s->names++;
    if (!s->readable)
        return;
    if (s->type == TYPE_FREE) {
        damage(c, "directory %u: a name leads to inode %u, which is free or broken", dir, ino);
        return;
    }
    if (s->type != type)
        damage(c, "directory %u: inode %u is called type %u and is %u", dir, ino, type, s->type);
    if (s->type != TYPE_DIRECTORY)
        return;
    c->inode[dir].subdirectories++;
    if (s->names > 1) {
        damage(c, "directory %u: inode %u is a directory with two names", dir, ino);
        return;
    }
    s->parent = dir;
    c->queue[c->queued++] = ino;
}

/* One entry. first: its place is that of "." (0) or ".." (1), else 2. */
static void check_entry(struct check *c, uint32_t dir, const uint8_t *entry, uint32_t first)
{
    uint32_t ino = get_le32(entry), bytes = entry[6];
    const uint8_t *name = entry + 8;
    bool dot = bytes == 1 && name[0] == '.';
    bool dots = bytes == 2 && name[0] == '.' && name[1] == '.';
    if (first == 0 && (!dot || ino != dir))
        damage(c, "directory %u: does not begin with \".\"", dir);
    if (first == 1 && dots)
        c->inode[dir].dotdot = ino;
    if (first < 2 || ino == 0)
        return;
    if (dot || dots || bytes == 0 || memchr(name, '/', bytes) || memchr(name, 0, bytes)) {
        damage(c, "directory %u: impossible name", dir);
        return;
    }
    take_name(c, dir, ino, entry[7]);
}

static void check_chunk(struct check *c, uint32_t dir, const uint8_t *chunk, bool is_first)
{
    uint32_t entry = 0;
    for (uint32_t at = 0; at < 512; entry++) {
        uint32_t length = at + 8 <= 512 ? get_le16(chunk + at + 4) : 0;
        if (length < 8 || length % 4 != 0 || length > 512 - at) {
            damage(c, "directory %u: broken entry", dir);
            return;
        }
        if (get_le32(chunk + at) != 0 && ((8u + chunk[at + 6] + 3u) & ~3u) > length) {
            damage(c, "directory %u: a name is longer than its entry", dir);
            return;
        }
        check_entry(c, dir, chunk + at, is_first ? entry : 2);
        at += length;
    }
}

static void check_directory(struct check *c, uint32_t dir)
{
    struct seen *s = &c->inode[dir];
    uint64_t size = get_le64(s->raw + 20);
    bool first_is_there = false;
    if (size == 0 || size % BLOCK != 0 || size / BLOCK > BLOCKS_SANE) {
        damage(c, "directory %u: size %llu", dir, (unsigned long long)size);
        return;
    }
    for (uint64_t at = 0; at < size / BLOCK; at++) {
        uint8_t raw[BLOCK];
        uint64_t unreadable = c->out->unreadable;
        if (!file_block(c, s->raw, at, raw)) {
            if (c->out->unreadable == unreadable)
                damage(c, "directory %u: block %llu missing", dir, (unsigned long long)at);
            continue;
        }
        first_is_there |= at == 0;
        for (uint32_t k = 0; k < 8; k++)
            check_chunk(c, dir, raw + 512 * k, at == 0 && k == 0);
    }
    if (first_is_there && s->dotdot != s->parent)
        damage(c, "directory %u: \"..\" is %u and should be %u", dir, s->dotdot, s->parent);
}

static void read_orphans(struct check *c)
{
    const struct seen *list = &c->inode[ORPHANS];
    uint64_t slots = get_le64(list->raw + 20) / 4;
    uint8_t raw[BLOCK];
    if (!list->readable || list->type != TYPE_FILE || slots > BLOCKS_SANE) {
        if (list->readable)
            damage(c, "no list of orphans");
        return;
    }
    for (uint64_t k = 0; k < slots; k++) {
        if (k % (BLOCK / 4) == 0 && !file_block(c, list->raw, k / (BLOCK / 4), raw))
            return;
        uint32_t ino = get_le32(raw + k % (BLOCK / 4) * 4);
        if (ino != 0 && ino < c->inodes)
            c->inode[ino].orphan = true;
    }
}

/* ---- Counts ---- */

static void check_one_count(struct check *c, uint32_t ino)
{
    const struct seen *s = &c->inode[ino];
    bool all = c->out->unreadable == 0; /* else names may be where nobody can read */
    uint32_t want = s->type == TYPE_DIRECTORY ? 2 + s->subdirectories : s->names;
    if (ino != ROOT && s->names == 0) {
        if (s->nlink != 0 && all)
            damage(c, "inode %u: nlink %u and no name", ino, s->nlink);
        c->out->leaked_inodes += !s->orphan && s->nlink == 0 ? 1 : 0;
        return;
    }
    if (s->nlink != want && (all || s->nlink < want))
        damage(c, "inode %u: nlink %u, should be %u", ino, s->nlink, want);
}

static void check_counts(struct check *c)
{
    uint32_t files = 0;
    for (uint32_t ino = ROOT; ino < c->inodes; ino++) {
        if (!c->inode[ino].readable || c->inode[ino].type == TYPE_FREE)
            continue;
        files++;
        if (ino != ORPHANS)
            check_one_count(c, ino);
    }
    if (files != get_le32(c->root + 120) && c->out->unreadable == 0)
        damage(c, "the root says %u inodes, there are %u", get_le32(c->root + 120), files);
}

static void check_tree(struct check *c)
{
    struct pointer inode_file = pointer_at(c->root + 56);
    check_map(c);
    read_inodes(c, &inode_file, 2, 0);
    compare_map(c);
    if (!c->inode[ROOT].readable)
        return;
    if (c->inode[ROOT].type != TYPE_DIRECTORY) {
        damage(c, "no root directory");
        return;
    }
    c->inode[ROOT].parent = ROOT;
    c->queue[c->queued++] = ROOT;
    for (uint32_t k = 0; k < c->queued; k++)
        check_directory(c, c->queue[k]);
    read_orphans(c);
    check_counts(c);
}

void cow_check(cow_check_read *read, void *object, uint64_t blocks, uint32_t copies,
               struct cow_check *out)
{
    struct check c = {
        .read = read, .object = object, .out = out, .blocks = blocks, .copies = copies};
    ASSERT(read != NULL && out != NULL && copies > 0);
    memset(out, 0, sizeof(*out));
    if (blocks < SMALLEST || !find_root(&c)) {
        damage(&c, "no root");
        return;
    }
    out->batch = get_le64(c.root + 32);
    c.inodes = get_le32(c.root + 108);
    if (c.inodes % INODES_A_BLOCK != 0 || c.inodes < INODES_A_BLOCK ||
        c.inodes > FANOUT * FANOUT * INODES_A_BLOCK) {
        damage(&c, "the root says %u slots of inodes", c.inodes);
        return;
    }
    c.used = calloc(blocks, 1);
    c.taken = calloc(blocks, 1);
    c.inode = calloc(c.inodes, sizeof(*c.inode));
    c.queue = calloc(c.inodes, sizeof(*c.queue));
    ASSERT(c.used != NULL && c.taken != NULL && c.inode != NULL && c.queue != NULL);
    check_tree(&c);
    out->ok = out->damages == 0;
    free(c.used);
    free(c.taken);
    free(c.inode);
    free(c.queue);
}
