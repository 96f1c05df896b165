/*
 * Phases: superblock; bitmaps; every taken inode with its blocks; directories from the root;
 * counts. Everything is judged against a private count of what was reached.
 */
#include "workloads/checkers/none_check.h"

#include <isa-l.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"

#define BLOCK 4096u
#define GROUP 4096u
#define INODES_A_GROUP 1024u
#define FIRST_DATA 66u
#define SHORTEST_GROUP 67u
#define POINTERS 1020u
#define MAGIC UINT64_C(0x312d43746c757353)
#define TAIL_MAGIC UINT32_C(0x4c494154)
#define TAIL_BYTES 16u
#define ROOT 1u

enum type { TYPE_FREE, TYPE_FILE, TYPE_DIRECTORY, TYPE_LINK };

struct seen { /* one inode */
    bool taken, looked_at, whole, unreadable;
    uint8_t type;
    uint16_t nlink;
    uint32_t names, subdirectories, parent; /* as found in directories */
    uint32_t dotdot;
};

struct check {
    none_check_read *read;
    void *object;
    struct none_check *out;
    uint64_t blocks;
    uint32_t groups;
    bool sums;      /* metadata has checksums: version 2 */
    uint8_t *used;  /* times a block was reached, up to 2 */
    uint8_t *taken; /* by the bitmaps */
    struct seen *inode;
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

static bool get_block(struct check *c, uint64_t block, uint8_t *raw)
{
    if (c->read(c->object, block, raw))
        return true;
    c->out->unreadable++;
    return false;
}

static uint32_t crc32c(const uint8_t *raw, uint32_t bytes)
{
    return ~crc32_iscsi((unsigned char *)(uintptr_t)raw, (int)bytes, 0xffffffffu);
}

/* A bitmap (owner 0), or a block of a directory or of pointers. One whose tail is wrong answers
 * with an error, like one that cannot be read. */
static bool get_meta(struct check *c, uint64_t block, uint32_t owner, uint8_t *raw)
{
    const uint8_t *tail = raw + BLOCK - TAIL_BYTES;
    if (!get_block(c, block, raw))
        return false;
    if (!c->sums || (get_le32(tail) == TAIL_MAGIC && get_le32(tail + 4) == block &&
                     get_le32(tail + 8) == owner && get_le32(tail + 12) == crc32c(raw, BLOCK - 4)))
        return true;
    c->out->unreadable++;
    return false;
}

static uint32_t groups_of(uint64_t blocks)
{
    if (blocks < 2 + SHORTEST_GROUP)
        return 0;
    uint64_t inner = blocks - 2;
    return (uint32_t)(inner / GROUP + (inner % GROUP >= SHORTEST_GROUP ? 1 : 0));
}

/* ---- Superblock and bitmaps ---- */

static bool super_is_good(struct check *c, uint64_t block)
{
    uint8_t raw[BLOCK];
    if (!get_block(c, block, raw))
        return false;
    uint32_t version = get_le32(raw + 8);
    if (get_le64(raw) != MAGIC || get_le32(raw + 68) != crc32c(raw, 68) || version < 1 ||
        version > 2)
        return false;
    uint64_t blocks = get_le64(raw + 32);
    if (blocks > c->blocks || groups_of(blocks) == 0 || get_le32(raw + 40) != groups_of(blocks))
        return false;
    c->blocks = blocks;
    c->groups = groups_of(blocks);
    c->sums = version == 2;
    return true;
}

static uint32_t length_of(const struct check *c, uint32_t group)
{
    uint64_t first = 1 + (uint64_t)group * GROUP;
    uint64_t left = c->blocks - 1 - first;
    return left < GROUP ? (uint32_t)left : GROUP;
}

static bool bit(const uint8_t *map, uint32_t k)
{
    return (map[k / 8] >> k % 8 & 1) != 0;
}

static void read_bitmaps(struct check *c, uint32_t group)
{
    uint8_t raw[BLOCK];
    uint64_t first = 1 + (uint64_t)group * GROUP;
    if (get_meta(c, first, 0, raw)) {
        for (uint32_t k = 0; k < length_of(c, group); k++)
            c->taken[first + k] = bit(raw, k);
        for (uint32_t k = 0; k < FIRST_DATA; k++)
            if (!bit(raw, k))
                damage(c, "group %u: its own block %u is free in the bitmap", group, k);
    } else {
        memset(c->taken + first, 1, length_of(c, group));
    }
    bool readable = get_meta(c, first + 1, 0, raw);
    for (uint32_t k = 0; k < INODES_A_GROUP; k++)
        c->inode[group * INODES_A_GROUP + k].taken = !readable || bit(raw, k);
}

/* ---- Inodes and their blocks ---- */

static bool is_data(const struct check *c, uint32_t block)
{
    if (block == 0 || block >= c->blocks - 1)
        return false;
    return (block - 1) / GROUP < c->groups && (block - 1) % GROUP >= FIRST_DATA;
}

/* One use of a block; false if it cannot be believed. */
static bool reach(struct check *c, uint32_t ino, uint32_t block)
{
    if (!is_data(c, block)) {
        damage(c, "inode %u: pointer to %u, which is no data block", ino, block);
        return false;
    }
    if (c->used[block] > 0) {
        damage(c, "inode %u: block %u is used twice", ino, block);
        return false;
    }
    c->used[block] = 1;
    if (!c->taken[block])
        damage(c, "inode %u: block %u is free in the bitmap", ino, block);
    return true;
}

/* Reaches a tree of blocks; returns how many. limit: file blocks that the size allows in it. */
static uint64_t reach_tree(struct check *c, uint32_t ino, uint32_t block, uint32_t level,
                           uint64_t limit)
{
    uint8_t raw[BLOCK];
    uint64_t count = 1, span = 1;
    if (block == 0 || !reach(c, ino, block))
        return 0;
    if (limit == 0)
        damage(c, "inode %u: block %u lies beyond its size", ino, block);
    if (level == 0)
        return 1;
    if (!get_meta(c, block, ino, raw))
        return 1;
    for (uint32_t k = 1; k < level; k++)
        span *= POINTERS;
    for (uint32_t k = 0; k < POINTERS; k++) {
        uint64_t below = limit > k * span ? limit - k * span : 0;
        count += reach_tree(c, ino, get_le32(raw + 4 * k), level - 1, below);
    }
    return count;
}

static void reach_blocks(struct check *c, uint32_t ino, const uint8_t *raw)
{
    uint64_t size = get_le64(raw + 20), file_blocks = (size + BLOCK - 1) / BLOCK;
    uint64_t count = 0, base = 0, span = 1, unreadable = c->out->unreadable;
    struct seen *s = &c->inode[ino];
    if (s->type == TYPE_LINK && size <= 140)
        return;
    for (uint32_t k = 0; k < 15; k++) {
        if (k >= 12)
            span *= POINTERS;
        uint64_t limit = file_blocks > base ? file_blocks - base : 0;
        count += reach_tree(c, ino, get_le32(raw + 48 + 4 * k), k < 12 ? 0 : k - 11, limit);
        base += span;
    }
    if (count != get_le32(raw + 44) && c->out->unreadable == unreadable)
        damage(c, "inode %u: says %u blocks, has %llu", ino, get_le32(raw + 44),
               (unsigned long long)count);
}

static bool read_inode(struct check *c, uint32_t ino, uint8_t *raw)
{
    uint8_t block[BLOCK];
    uint32_t slot = ino % INODES_A_GROUP;
    uint64_t at = 1 + (uint64_t)(ino / INODES_A_GROUP) * GROUP + 2 + slot / 16;
    if (!get_block(c, at, block)) {
        c->inode[ino].unreadable = true;
        return false;
    }
    memcpy(raw, block + slot % 16 * 256, 256);
    uint32_t crc = crc32c(raw, 252);
    if (c->sums) { /* over the inode's number, and that */
        uint8_t both[8];
        put_le32(both, ino);
        put_le32(both + 4, crc);
        crc = crc32c(both, sizeof(both));
    }
    if (get_le32(raw + 252) == crc)
        return true;
    if (c->sums) {
        c->inode[ino].unreadable = true;
        c->out->unreadable++;
    }
    return false;
}

static void check_inode(struct check *c, uint32_t ino)
{
    uint8_t raw[256];
    struct seen *s = &c->inode[ino];
    s->looked_at = true;
    if (!read_inode(c, ino, raw))
        return; /* broken: whoever has a name for it says so */
    s->type = (uint8_t)(get_le16(raw) >> 12);
    s->nlink = get_le16(raw + 2);
    if (s->type == TYPE_FREE || s->type > TYPE_LINK) {
        if (s->type != TYPE_FREE)
            damage(c, "inode %u: type %u", ino, s->type);
        return;
    }
    s->whole = true;
    reach_blocks(c, ino, raw);
}

/* ---- Directories ---- */

static uint32_t block_of_file(struct check *c, uint32_t ino, const uint8_t *inode, uint64_t at)
{
    uint8_t raw[BLOCK];
    uint64_t span = 1;
    if (at < 12)
        return get_le32(inode + 48 + 4 * at);
    at -= 12;
    for (uint32_t level = 1; level <= 3; level++) {
        span *= POINTERS;
        if (at >= span) {
            at -= span;
            continue;
        }
        uint32_t block = get_le32(inode + 48 + 4 * (11 + level));
        for (uint32_t k = 0; k < level; k++) {
            span /= POINTERS;
            if (!is_data(c, block) || !get_meta(c, block, ino, raw))
                return 0;
            block = get_le32(raw + 4 * (at / span));
            at %= span;
        }
        return block;
    }
    return 0;
}

static void take_name(struct check *c, uint32_t dir, uint32_t ino, uint32_t type)
{
    if (ino >= c->groups * INODES_A_GROUP || ino < ROOT) {
        damage(c, "directory %u: a name leads to inode %u, which cannot be", dir, ino);
        return;
    }
    struct seen *s = &c->inode[ino];
    if (!s->looked_at)
        check_inode(c, ino);
    if (s->unreadable) {
        s->names++;
        return;
    }
    if (!s->whole || !s->taken) {
        damage(c, "directory %u: a name leads to inode %u, which is free or broken", dir, ino);
        return;
    }
    if (s->type != type)
        damage(c, "directory %u: inode %u is called type %u and is %u", dir, ino, type, s->type);
    s->names++;
    if (s->type != TYPE_DIRECTORY)
        return;
    c->inode[dir].subdirectories++;
    if (s->names > 1 || ino == ROOT) {
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
    take_name(c, dir, ino, entry[7] & 0x7fu);
}

/* The k-th of a block; the last one ends before the tail. */
static void check_chunk(struct check *c, uint32_t dir, const uint8_t *chunk, uint32_t k,
                        bool is_first)
{
    uint32_t entry = 0, end = c->sums && k == 7 ? 512 - TAIL_BYTES : 512;
    for (uint32_t at = 0; at < end; entry++) {
        uint32_t length = at + 8 <= end ? get_le16(chunk + at + 4) : 0;
        uint32_t need = (8u + chunk[at + 6] + 3u) & ~3u;
        bool in_use = get_le32(chunk + at) != 0;
        if (length < 8 || length % 4 != 0 || length > end - at || (in_use && need > length)) {
            damage(c, "directory %u: broken entry", dir);
            return;
        }
        check_entry(c, dir, chunk + at, is_first ? entry : 2);
        at += length;
        if (at < end && at + 8 > end) {
            damage(c, "directory %u: broken chunk", dir);
            return;
        }
    }
}

static void check_directory(struct check *c, uint32_t dir)
{
    uint8_t inode[256], raw[BLOCK];
    if (!read_inode(c, dir, inode))
        return; /* counted already */
    uint64_t size = get_le64(inode + 20);
    if (size == 0 || size % BLOCK != 0 || size / BLOCK > c->blocks) {
        damage(c, "directory %u: size %llu", dir, (unsigned long long)size);
        return;
    }
    bool first_is_there = true;
    for (uint64_t at = 0; at < size / BLOCK; at++) {
        uint32_t block = block_of_file(c, dir, inode, at);
        if (!is_data(c, block) && c->out->unreadable == 0)
            damage(c, "directory %u: block %llu missing", dir, (unsigned long long)at);
        if (!is_data(c, block) || !get_meta(c, block, dir, raw)) {
            first_is_there &= at > 0;
            continue;
        }
        for (uint32_t k = 0; k < 8; k++)
            check_chunk(c, dir, raw + 512 * k, k, at == 0 && k == 0);
    }
    if (first_is_there && c->inode[dir].dotdot != c->inode[dir].parent)
        damage(c, "directory %u: \"..\" is %u and should be %u", dir, c->inode[dir].dotdot,
               c->inode[dir].parent);
}

/* ---- Counts ---- */

static void check_counts(struct check *c)
{
    for (uint32_t ino = 3; ino < c->groups * INODES_A_GROUP; ino++) {
        const struct seen *s = &c->inode[ino];
        if (!s->taken)
            continue;
        if (s->names == 0) {
            c->out->leaked_inodes++;
            continue;
        }
        uint32_t want = s->type == TYPE_DIRECTORY ? 2 + s->subdirectories : s->names;
        if (s->unreadable || (s->nlink > want && c->out->unreadable > 0))
            continue; /* the names that are missing may be where nobody can read */
        if (s->nlink != want)
            damage(c, "inode %u: nlink %u, should be %u", ino, s->nlink, want);
    }
    if (c->inode[ROOT].nlink != 2 + c->inode[ROOT].subdirectories && c->out->unreadable == 0)
        damage(c, "root: nlink %u, should be %u", c->inode[ROOT].nlink,
               2 + c->inode[ROOT].subdirectories);
    for (uint64_t block = 1; block < c->blocks - 1; block++)
        if (is_data(c, (uint32_t)block) && c->taken[block] && c->used[block] == 0)
            c->out->leaked_blocks++;
}

static void check_volume(struct check *c)
{
    for (uint32_t g = 0; g < c->groups; g++)
        read_bitmaps(c, g);
    check_inode(c, ROOT);
    c->out->mountable = c->inode[ROOT].whole && c->inode[ROOT].type == TYPE_DIRECTORY;
    if (!c->out->mountable) {
        if (!c->inode[ROOT].unreadable)
            damage(c, "no root directory");
        return;
    }
    c->inode[ROOT].parent = ROOT;
    c->queue[c->queued++] = ROOT;
    for (uint32_t k = 0; k < c->queued; k++)
        check_directory(c, c->queue[k]);
    check_counts(c);
}

void none_check(none_check_read *read, void *object, uint64_t blocks, struct none_check *out)
{
    struct check c = {.read = read, .object = object, .out = out, .blocks = blocks};
    ASSERT(read != NULL && out != NULL);
    memset(out, 0, sizeof(*out));
    if (blocks == 0 || (!super_is_good(&c, 0) && !super_is_good(&c, blocks - 1))) {
        if (out->unreadable < 2) /* else both copies answer with an error */
            damage(&c, "no superblock");
        out->ok = out->damages == 0;
        return;
    }
    size_t inodes = (size_t)c.groups * INODES_A_GROUP;
    c.used = calloc(c.blocks, 1);
    c.taken = calloc(c.blocks, 1);
    c.inode = calloc(inodes, sizeof(*c.inode));
    c.queue = calloc(inodes, sizeof(*c.queue));
    ASSERT(c.used != NULL && c.taken != NULL && c.inode != NULL && c.queue != NULL);
    check_volume(&c);
    out->ok = out->damages == 0;
    free(c.used);
    free(c.taken);
    free(c.inode);
    free(c.queue);
}
