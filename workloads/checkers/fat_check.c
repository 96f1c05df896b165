/*
 * Phases: superblock; table; the chain of every head; directories from the root; counts. Everything
 * is judged against a private picture of the entries.
 */
#include "workloads/checkers/fat_check.h"

#include <isa-l.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"

#define BLOCK 4096u
#define CHUNK 512u
#define ENTRY 64u
#define ENTRIES_A_BLOCK (BLOCK / ENTRY)
#define MAGIC UINT64_C(0x315441464c53524c)
#define END UINT32_MAX
#define ROOT 1u

enum state { FREE, HEAD, BODY };
enum type { TYPE_NONE, TYPE_FILE, TYPE_DIRECTORY, TYPE_LINK };

struct seen { /* one entry */
    uint32_t next, head, generation, number;
    uint16_t used, nlink;
    uint8_t state, type;
    bool unknown; /* no copy of it can be read */
    bool broken;  /* damage, told already */
    bool reached; /* by the chain of its head */
    bool partial; /* a head: its chain could not be followed to the end */
    /* Of a head: */
    uint32_t length;                        /* entries of its chain */
    uint32_t names, subdirectories, parent; /* as found in directories */
    uint32_t dotdot;
};

struct check {
    fat_check_read *read;
    void *object;
    struct fat_check *out;
    uint64_t blocks;
    uint32_t entries, tables, table_blocks;
    struct seen *entry;
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
    ASSERT(block < c->blocks);
    if (c->read(c->object, block, raw))
        return true;
    c->out->unreadable++;
    return false;
}

/* ---- Superblock ---- */

static bool super_is_good(struct check *c, uint64_t block)
{
    uint8_t raw[BLOCK];
    if (!get_block(c, block, raw))
        return false;
    uint32_t crc = ~crc32_iscsi(raw, 48, 0xffffffffu);
    if (get_le64(raw) != MAGIC || get_le32(raw + 48) != crc || get_le32(raw + 8) != 1)
        return false;
    uint64_t blocks = get_le64(raw + 32), entries = get_le32(raw + 40);
    uint64_t tables = get_le32(raw + 44), table = (entries + ENTRIES_A_BLOCK - 1) / ENTRIES_A_BLOCK;
    if (blocks > c->blocks || tables < 1 || tables > 2 || entries <= ROOT ||
        1 + tables * table + (entries - 1) + 1 > blocks)
        return false;
    c->out->clean = get_le32(raw + 12) == 1 && block == 0;
    c->blocks = blocks;
    c->entries = (uint32_t)entries;
    c->tables = (uint32_t)tables;
    c->table_blocks = (uint32_t)table;
    return true;
}

/* ---- The table ---- */

static void take_entry(struct check *c, uint32_t number, const uint8_t *raw)
{
    static const uint8_t zero[ENTRY];
    struct seen *s = &c->entry[number];
    if (memcmp(raw, zero, ENTRY) == 0)
        return;
    *s = (struct seen){.next = get_le32(raw),
                       .state = raw[4],
                       .type = raw[5],
                       .used = get_le16(raw + 6),
                       .head = get_le32(raw + 8),
                       .generation = get_le32(raw + 12),
                       .number = get_le32(raw + 16),
                       .nlink = get_le16(raw + 30)};
    const char *what = NULL;
    if (s->state != HEAD && s->state != BODY)
        what = "is of no state";
    else if (s->next == 0 || (s->next >= c->entries && s->next != END))
        what = "leads to what is no entry";
    else if (s->used > BLOCK)
        what = "uses more than its block";
    else if (s->head == 0 || s->head >= c->entries || (s->state == HEAD) != (s->head == number))
        what = "has an impossible head";
    else if ((s->state == HEAD) != (s->number == 0))
        what = "has an impossible place";
    else if (s->state == HEAD && (s->type < TYPE_FILE || s->type > TYPE_LINK))
        what = "is of no type";
    s->broken = what != NULL;
    if (what != NULL)
        damage(c, "entry %u: %s", number, what);
}

static void read_table_block(struct check *c, uint32_t at)
{
    uint8_t raw[2][BLOCK];
    bool good[2] = {false, false};
    for (uint32_t k = 0; k < c->tables; k++)
        good[k] = get_block(c, 1 + (uint64_t)k * c->table_blocks + at, raw[k]);
    if (good[0] && good[1] && c->out->clean && memcmp(raw[0], raw[1], BLOCK) != 0)
        damage(c, "table block %u: its copies differ", at);
    for (uint32_t k = 0; k < ENTRIES_A_BLOCK; k++) {
        uint32_t number = at * ENTRIES_A_BLOCK + k;
        if (number == 0 || number >= c->entries)
            continue;
        if (good[0] || good[1])
            take_entry(c, number, raw[good[0] ? 0 : 1] + (size_t)k * ENTRY);
        else
            c->entry[number].unknown = true;
    }
}

/* ---- Chains ---- */

/* Why entry `number`, the next after `length` of head h's chain, is not in it; NULL: it is. */
static const char *misfit(const struct check *c, uint32_t h, uint32_t number, uint32_t length)
{
    const struct seen *s = &c->entry[number];
    if (s->state != BODY)
        return "is no body";
    if (s->reached)
        return "is in it twice, or in another";
    if (s->head != h)
        return "names another head";
    if (s->generation != c->entry[h].generation)
        return "is of another generation";
    return s->number != length ? "is of another place" : NULL;
}

static void follow(struct check *c, uint32_t h)
{
    struct seen *head = &c->entry[h], *last = head;
    head->reached = true;
    head->length = 1;
    while (last->next != END && !last->broken) {
        struct seen *s = &c->entry[last->next];
        const char *why = s->unknown || s->broken ? "" : misfit(c, h, last->next, head->length);
        if (why != NULL) {
            head->partial = true;
            if (!s->unknown && !s->broken)
                damage(c, "head %u: entry %u of its chain %s", h, last->next, why);
            return;
        }
        s->reached = true;
        head->length++;
        last = s;
    }
    head->partial = last->broken;
    if (!last->broken && last != head && last->used == 0)
        damage(c, "head %u: nothing is used of its last entry", h);
}

/* ---- Directories ---- */

static void take_name(struct check *c, uint32_t dir, uint32_t ino, uint32_t type)
{
    struct seen *s = &c->entry[ino < c->entries ? ino : 0];
    if (!s->unknown && s->state != HEAD) {
        damage(c, "directory %u: a name leads to %u, which is no head", dir, ino);
        return;
    }
    s->names++;
    if (s->unknown || s->broken)
        return;
    if (s->type != type)
        damage(c, "directory %u: head %u is called type %u and is %u", dir, ino, type, s->type);
    if (s->type != TYPE_DIRECTORY)
        return;
    c->entry[dir].subdirectories++;
    if (s->names > 1 || ino == ROOT) {
        damage(c, "directory %u: head %u is a directory with two names", dir, ino);
        return;
    }
    s->parent = dir;
    c->queue[c->queued++] = ino;
}

/* One entry of a chunk. place: 0 that of ".", 1 that of "..", else 2. */
static void check_name(struct check *c, uint32_t dir, const uint8_t *raw, uint32_t place)
{
    uint32_t ino = get_le32(raw), bytes = raw[6];
    const uint8_t *name = raw + 8;
    bool dot = bytes == 1 && name[0] == '.';
    bool dots = bytes == 2 && name[0] == '.' && name[1] == '.';
    if (place == 0 && (!dot || ino != dir))
        damage(c, "directory %u: does not begin with \".\"", dir);
    if (place == 1 && dots)
        c->entry[dir].dotdot = ino;
    if (place < 2 || ino == 0)
        return;
    if (dot || dots || bytes == 0 || memchr(name, '/', bytes) || memchr(name, 0, bytes))
        damage(c, "directory %u: impossible name", dir);
    else
        take_name(c, dir, ino, raw[7] & 0x7fu);
}

static void check_chunk(struct check *c, uint32_t dir, const uint8_t *chunk, bool first)
{
    uint32_t place = first ? 0 : 2;
    for (uint32_t at = 0; at < CHUNK;) {
        uint32_t left = CHUNK - at, length = left >= 8 ? get_le16(chunk + at + 4) : 0;
        bool fits = length >= 8 && length % 4 == 0 && length <= left;
        if (!fits || (get_le32(chunk + at) != 0 && 8u + chunk[at + 6] > length)) {
            damage(c, "directory %u: broken entry", dir);
            return;
        }
        check_name(c, dir, chunk + at, place);
        place = place < 2 ? place + 1 : 2;
        at += length;
    }
}

static void check_directory(struct check *c, uint32_t dir)
{
    uint8_t raw[BLOCK];
    struct seen *d = &c->entry[dir];
    bool first_is_there = false;
    uint32_t number = dir, length = d->length;
    for (uint32_t k = 0; k < length; k++, number = c->entry[number].next) {
        bool last = k + 1 == length && !d->partial;
        if (last && c->entry[number].used != BLOCK)
            damage(c, "directory %u: its size is no multiple of a block", dir);
        if (!get_block(c, (uint64_t)c->tables * c->table_blocks + number, raw)) {
            d->partial = true;
            continue;
        }
        first_is_there |= k == 0;
        for (uint32_t chunk = 0; chunk < BLOCK / CHUNK; chunk++)
            check_chunk(c, dir, raw + (size_t)chunk * CHUNK, k == 0 && chunk == 0);
    }
    if (first_is_there && d->dotdot != d->parent)
        damage(c, "directory %u: \"..\" is %u and should be %u", dir, d->dotdot, d->parent);
}

/* ---- Counts ---- */

static void check_head(struct check *c, uint32_t number, bool all_seen)
{
    const struct seen *s = &c->entry[number];
    if (s->names == 0 && number != ROOT) {
        c->out->leaked_entries += all_seen ? s->length : 0;
        return;
    }
    uint32_t want = s->type == TYPE_DIRECTORY ? 2 + s->subdirectories : s->names;
    if (s->nlink != want && (all_seen || s->nlink < want)) /* else names may be out of reach */
        damage(c, "head %u: nlink %u, should be %u", number, s->nlink, want);
}

static void check_counts(struct check *c)
{
    bool all_seen = c->out->unreadable == 0;
    for (uint32_t number = 1; number < c->entries; number++) {
        const struct seen *s = &c->entry[number];
        if (s->state == HEAD && !s->broken)
            check_head(c, number, all_seen);
        else if (s->state == BODY && !s->reached)
            c->out->leaked_entries++;
    }
}

static void check_volume(struct check *c)
{
    for (uint32_t k = 0; k < c->table_blocks; k++)
        read_table_block(c, k);
    for (uint32_t number = 1; number < c->entries; number++)
        if (c->entry[number].state == HEAD)
            follow(c, number);
    const struct seen *root = &c->entry[ROOT];
    if (root->unknown)
        return;
    if (root->state != HEAD || root->type != TYPE_DIRECTORY) {
        damage(c, "no root directory");
        return;
    }
    c->entry[ROOT].parent = ROOT;
    c->queue[c->queued++] = ROOT;
    for (uint32_t k = 0; k < c->queued; k++)
        check_directory(c, c->queue[k]);
    check_counts(c);
}

void fat_check(fat_check_read *read, void *object, uint64_t blocks, struct fat_check *out)
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
    c.entry = calloc(c.entries, sizeof(*c.entry));
    c.queue = calloc(c.entries, sizeof(*c.queue));
    ASSERT(c.entry != NULL && c.queue != NULL);
    check_volume(&c);
    out->ok = out->damages == 0;
    free(c.entry);
    free(c.queue);
}
