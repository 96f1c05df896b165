#include "workloads/checkers/names_check.h"

#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"

#define BLOCK 4096u
#define HEAD 48u
#define ROOM (BLOCK - HEAD)
#define CHILD 12u
#define LEVELS 5u
#define LEVEL_FREE 255u
#define KEY_END UINT64_MAX
#define FIXED_MIN 16u   /* roots and orphan directories */
#define FIXED_MAX 1024u /* below: they have no name */
#define BLOCKS_MAX (UINT64_C(1) << 20)

enum { FILE_TYPE = 1, DIRECTORY = 2, LINK_TYPE = 3, XATTRS = 4 };

struct found { /* what leads to one object */
    uint32_t names, orphans, subdirectories, owners;
    uint64_t parent;
};

struct names {
    const struct names_input *in;
    struct found *found;
    uint8_t *seen; /* by block of the directory at hand */
    uint64_t blocks, oid, last_key;
    bool blind, bad, first;
};

static uint32_t type_of(const struct names_object *o)
{
    return get_le32(o->attr);
}

static bool is_orphans(uint64_t oid)
{
    return oid >= 33 && oid < 64 && oid % 2 == 1;
}

static size_t find(const struct names *n, uint64_t oid)
{
    size_t low = 0, high = n->in->objects;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (n->in->object[middle].oid < oid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n->in->objects && n->in->object[low].oid == oid ? low : SIZE_MAX;
}

static void damage(struct names *n, const char *what)
{
    n->in->damage(n->in->context, n->oid, what);
    n->bad = true;
}

/* ---- One directory -----------------------------------------------------------------------------
 */

static void note_name(struct names *n, uint64_t target, uint32_t type)
{
    size_t at = find(n, target);
    if (at == SIZE_MAX) {
        damage(n, "a name leads to an object that is not there");
        return;
    }
    struct found *f = &n->found[at];
    uint32_t real = type_of(&n->in->object[at]);
    if (real < FILE_TYPE || real > XATTRS)
        return; /* attributes that were given up: readers are told */
    if (real != type)
        damage(n, "a name gives another type than its object's");
    if (is_orphans(n->oid)) {
        f->orphans++;
        return;
    }
    f->names++;
    if (type == DIRECTORY) {
        f->parent = n->oid;
        n->found[find(n, n->oid)].subdirectories++;
    }
}

static void check_leaf(struct names *n, const uint8_t *raw, uint64_t low, uint64_t high)
{
    uint32_t end = HEAD + get_le32(raw + 8), count = 0;
    for (uint32_t at = HEAD; at < end; count++) {
        uint32_t bytes = end - at < 18 ? BLOCK : 18u + raw[at + 17];
        if (bytes > end - at || raw[at + 17] == 0) {
            damage(n, "an entry of a directory crosses its end");
            return;
        }
        uint64_t key = get_le64(raw + at);
        if (key < low || key >= high || (!n->first && key <= n->last_key))
            damage(n, "a key of a directory is out of order");
        n->first = false;
        n->last_key = key;
        note_name(n, get_le64(raw + at + 8), raw[at + 16]);
        at += bytes;
    }
    if (count != get_le16(raw + 6))
        damage(n, "a block of a directory has another count of entries than it says");
}

/* Reads a block that should be used once. false: it is not to be gone on with. */
static bool take(struct names *n, uint64_t block, uint8_t *raw)
{
    if (block >= n->blocks || n->seen[block]++ > 0) {
        damage(n, "a block of a directory is used twice, or is none");
        return false;
    }
    if (!n->in->read(n->in->context, n->oid, block, raw)) {
        n->blind = true;
        return false;
    }
    if (get_le32(raw) != 0x3144524c || get_le32(raw + 8) > ROOM) {
        damage(n, "a block of a directory has a bad head");
        return false;
    }
    return true;
}

static void check_block(struct names *n, uint64_t block, uint32_t level, uint64_t low,
                        uint64_t high)
{
    uint8_t raw[BLOCK];
    if (!take(n, block, raw))
        return;
    if (raw[4] != level || get_le64(raw + 16) != low || get_le64(raw + 24) != high) {
        damage(n, "a block of a directory is not what its parent says");
        return;
    }
    if (level == 0) {
        check_leaf(n, raw, low, high);
        return;
    }
    uint32_t count = get_le16(raw + 6);
    if (count == 0 || get_le32(raw + 8) != count * CHILD || get_le64(raw + HEAD) != low) {
        damage(n, "an interior block of a directory is no node");
        return;
    }
    for (uint32_t k = 0; k < count; k++) {
        const uint8_t *e = raw + HEAD + (size_t)k * CHILD;
        uint64_t end = k + 1 < count ? get_le64(e + CHILD) : high;
        if (get_le64(e) >= end) {
            damage(n, "the children of a directory's block are out of order");
            return;
        }
        check_block(n, get_le32(e + 8), level - 1, get_le64(e), end);
    }
}

static void check_free_list(struct names *n, uint32_t block)
{
    uint8_t raw[BLOCK];
    while (block != 0 && !n->blind && take(n, block, raw)) {
        if (raw[4] != LEVEL_FREE) {
            damage(n, "a block in the free list of a directory is not free");
            return;
        }
        block = get_le32(raw + 12);
    }
}

static void check_directory(struct names *n, const struct names_object *o)
{
    uint8_t raw[BLOCK];
    n->oid = o->oid;
    n->blocks = o->size / BLOCK;
    n->first = true;
    n->bad = false;
    if (o->size % BLOCK != 0 || n->blocks > BLOCKS_MAX) {
        damage(n, "a directory has a size that none can have");
        return;
    }
    if (o->size == 0)
        return;
    if (!n->in->read(n->in->context, o->oid, 0, raw)) {
        n->blind = true;
        return;
    }
    n->seen = calloc(n->blocks, 1);
    ASSERT(n->seen != NULL);
    if (raw[4] >= LEVELS)
        damage(n, "the root of a directory has no level");
    else
        check_block(n, 0, raw[4], 0, KEY_END);
    if (!n->bad)
        check_free_list(n, get_le32(raw + 12));
    bool all = true;
    for (uint64_t b = 0; b < n->blocks; b++)
        all &= n->seen[b] == 1;
    if (!all && !n->bad && !n->blind)
        damage(n, "a block of a directory is neither in its tree nor free");
    free(n->seen);
    n->seen = NULL;
}

/* ---- All ---------------------------------------------------------------------------------------
 */

static void note_xattrs(struct names *n, const struct names_object *o)
{
    uint8_t raw[BLOCK];
    uint64_t oid = get_le64(o->attr + 48);
    if (oid == 0)
        return;
    size_t at = find(n, oid);
    n->oid = o->oid;
    if (at == SIZE_MAX || type_of(&n->in->object[at]) != XATTRS) {
        damage(n, "the object with its extended attributes is not there");
        return;
    }
    n->found[at].owners++;
    if (n->in->read(n->in->context, oid, 0, raw) &&
        (get_le32(raw) != 0x3158524c || get_le64(raw + 8) != o->oid || get_le32(raw + 4) > 4080))
        damage(n, "its extended attributes are not its own");
}

/* Holds an inode's own counts against what was found. Returns its blocks if nothing leads to it. */
static uint64_t check_counts(struct names *n, const struct names_object *o, const struct found *f)
{
    uint32_t type = type_of(o), links = get_le32(o->attr + 8);
    bool fixed = o->oid < FIXED_MAX;
    n->oid = o->oid;
    if (type == XATTRS && f->owners > 1)
        damage(n, "it holds the extended attributes of several inodes");
    if (type == XATTRS)
        return f->owners == 0 ? o->blocks : 0;
    if (type < FILE_TYPE || type > LINK_TYPE)
        return 0;
    if (!fixed && f->names == 0 && f->orphans == 0)
        return o->blocks;
    if (f->orphans > 0 && (links != 0 || f->names > 0 || f->orphans > 1))
        damage(n, "an orphan has a name");
    else if (f->orphans == 0 && type != DIRECTORY && links != f->names)
        damage(n, "an inode has another count of names than it says");
    else if (f->orphans == 0 && type == DIRECTORY && links != 2 + f->subdirectories)
        damage(n, "a directory has another count of subdirectories than it says");
    if (type == DIRECTORY && !fixed && f->names > 0 &&
        (f->names > 1 || f->parent != get_le64(o->attr + 40)))
        damage(n, "a directory has two parents, or another than it says");
    return 0;
}

uint64_t names_check(const struct names_input *in)
{
    struct names n = {.in = in};
    uint64_t leaked = 0;
    n.found = calloc(in->objects + 1, sizeof(*n.found));
    ASSERT(n.found != NULL);
    for (size_t k = 0; k < in->objects; k++) {
        if (in->object[k].oid < FIXED_MIN)
            continue;
        if (type_of(&in->object[k]) == DIRECTORY)
            check_directory(&n, &in->object[k]);
        if (type_of(&in->object[k]) != XATTRS)
            note_xattrs(&n, &in->object[k]);
    }
    for (size_t k = 0; k < in->objects && !n.blind; k++)
        if (in->object[k].oid >= FIXED_MIN)
            leaked += check_counts(&n, &in->object[k], &n.found[k]);
    free(n.found);
    return leaked;
}
