/*
 * Trees: from file blocks to buffers. An inode has 4 direct pointers, then a single, a double and a
 * triple indirect one, of 256 pointers a block; the inode file has one pointer of fixed height. A
 * node is known by its level and the first file block below it.
 *
 * Who changes a block makes its path up to the root part of the open batch first (cow.h, invariant
 * 2), so whatever can fail does so before anything has changed.
 */
#include "assertion.h"
#include "cow.h"
#include "mem.h"
#include "planted.h"

/* One pointer of an inode: the file blocks that hang from it. */
struct region {
    uint32_t slot, start, height;
};

#define KEY_VALID (UINT64_C(1) << 63)
#define KEY_BASE_BITS 25u
#define KEY_INO_BITS 21u

/* Level highest: in the order of keys children come before their parents; the inode file last. */
uint64_t cow_key(uint32_t ino, uint32_t level, uint32_t base)
{
    ASSERT(level <= 3 && base < 1u << KEY_BASE_BITS && ino < 1u << KEY_INO_BITS);
    uint64_t last = ino == COW_INO_FILE ? 1 : 0;
    return KEY_VALID | last << 49 | (uint64_t)level << 47 | (uint64_t)ino << KEY_BASE_BITS | base;
}
_Static_assert(KEY_BASE_BITS + KEY_INO_BITS <= 47, "the fields of a key do not overlap");

uint32_t cow_key_ino(uint64_t key)
{
    return (uint32_t)(key >> KEY_BASE_BITS) & ((1u << KEY_INO_BITS) - 1);
}

uint32_t cow_key_level(uint64_t key)
{
    return (uint32_t)(key >> 47) & 3u;
}

uint32_t cow_key_base(uint64_t key)
{
    return (uint32_t)key & ((1u << KEY_BASE_BITS) - 1);
}

static uint32_t span_of(uint32_t level)
{
    ASSERT(level <= 3);
    return 1u << 8 * level; /* COW_FANOUT to the power of level */
}
_Static_assert(COW_FANOUT == 256, "span_of counts on it");

static struct region region_of(uint32_t ino, uint32_t at)
{
    if (ino == COW_INO_FILE)
        return (struct region){.height = COW_INODE_FILE_HEIGHT};
    ASSERT(at < COW_FILE_BLOCKS_MAX);
    if (at < COW_DIRECT)
        return (struct region){.slot = at, .start = at};
    uint32_t start = COW_DIRECT;
    for (uint32_t height = 1;; height++) {
        if (at - start < span_of(height))
            return (struct region){
                .slot = COW_DIRECT + height - 1, .start = start, .height = height};
        start += span_of(height);
    }
}

static uint32_t node_base(const struct region *r, uint32_t level, uint32_t at)
{
    return r->start + (at - r->start) / span_of(level) * span_of(level);
}

static uint32_t index_in_parent(const struct region *r, uint32_t level, uint32_t base)
{
    return (base - r->start) / span_of(level) % COW_FANOUT;
}

/* ---- Looking up ---- */

/* A block that was cut off while a copy of it was being written stays in the cache until that is
 * answered; `own` marks it. */
struct buffer *cow_present(struct cow *c, uint64_t key)
{
    struct buffer *b = cache_find(c->fs, key);
    return b != NULL && b->own == NULL ? b : NULL;
}

static void forget(struct cow *c, uint64_t key)
{
    struct buffer *b = cache_find(c->fs, key);
    if (b == NULL || b->own != NULL)
        return;
    bool writing = b->writing;
    cache_forget(c->fs, key);
    if (writing)
        b->own = c;
}

void cow_written(struct cow *c, struct buffer *b)
{
    bool cut = b->own != NULL;
    b->own = NULL;
    cache_written(c->fs, b);
    if (cut)
        cache_forget(c->fs, b->key);
}

static struct cow_expected *expected_at(struct cow *c, uint64_t key)
{
    return &c->expected[(key ^ key >> 25 ^ key >> 47) % EXPECTED];
}

enum err cow_verify(struct fs *fs, struct buffer *b)
{
    struct cow *c = cow_of(fs);
    const struct cow_expected *x = expected_at(c, b->key);
    if (x->key != b->key || x->pointer.address != b->block)
        return E_CORRUPT; /* read ahead, and forgotten since: read when it is wanted */
    if (PLANTED(PLANTED_SUM_UNCHECKED) || plat_crc32c(b->page, BLOCK_BYTES) == x->pointer.crc)
        return OK;
    struct cow_pointer pointer = x->pointer;
    plat_report(REPORT_DETECTED, (uint64_t) - (int64_t)E_CORRUPT, pointer.address);
    return cow_read(c, &pointer, b->page);
}

static enum err node_get(struct cow *c, struct inode *i, const struct region *r, uint32_t level,
                         uint32_t base, struct buffer **out);

/* Where the node is on disk. Reads its ancestors; at most three levels deep. */
static enum err find_pointer(struct cow *c, struct inode *i, const struct region *r, uint32_t level,
                             uint32_t base, struct cow_pointer *pointer)
{
    *pointer = (struct cow_pointer){0};
    if (level == r->height) {
        *pointer = cow_tree_of(i)->pointer[r->slot];
    } else {
        struct buffer *parent;
        enum err e = node_get(c, i, r, level + 1, node_base(r, level + 1, base), &parent);
        if (e != OK || parent == NULL)
            return e;
        cow_pointer_decode(pointer, parent->page + POINTER_BYTES * index_in_parent(r, level, base));
    }
    if (pointer->address != 0 && !cow_is_data(c->fs->blocks, pointer->address))
        return E_CORRUPT;
    if (pointer->address != 0) {
        uint64_t key = cow_key(i->ino, level, base);
        *expected_at(c, key) = (struct cow_expected){.key = key, .pointer = *pointer};
    }
    return OK;
}

static enum err node_get(struct cow *c, struct inode *i, const struct region *r, uint32_t level,
                         uint32_t base, struct buffer **out)
{
    struct cow_pointer pointer;
    uint64_t key = cow_key(i->ino, level, base);
    *out = NULL;
    struct buffer *b = cow_present(c, key);
    if (b != NULL) {
        *out = cache_get_overwrite(c->fs, key, b->block); /* it is here: used, not read */
        return OK;
    }
    enum err e = find_pointer(c, i, r, level, base, &pointer);
    if (e != OK || pointer.address == 0)
        return e;
    return cache_get(c->fs, key, pointer.address, out);
}

enum err cow_tree_get(struct cow *c, struct inode *i, uint32_t at, struct buffer **out)
{
    struct region r = region_of(i->ino, at);
    return node_get(c, i, &r, 0, at, out);
}

enum err cow_tree_want(struct cow *c, struct inode *i, uint32_t at, struct want *want)
{
    struct cow_pointer pointer;
    struct region r = region_of(i->ino, at);
    *want = (struct want){.key = cow_key(i->ino, 0, at)};
    struct buffer *b = cow_present(c, want->key);
    if (b != NULL) {
        want->block = b->block;
        return OK;
    }
    enum err e = find_pointer(c, i, &r, 0, at, &pointer);
    want->block = pointer.address;
    if (e != OK || pointer.address == 0)
        want->key = 0;
    return e;
}

/* ---- Changes ---- */

static enum err node_change(struct cow *c, struct inode *i, const struct region *r, uint32_t level,
                            uint32_t base, bool whole, struct buffer **out, bool *fresh);

/* The parent of a node, or the inode's record, becomes part of the open batch. */
static enum err parent_change(struct cow *c, struct inode *i, const struct region *r,
                              uint32_t level, uint32_t base)
{
    struct buffer *b;
    bool fresh;
    if (level < r->height)
        return node_change(c, i, r, level + 1, node_base(r, level + 1, base), false, &b, &fresh);
    return i->ino == COW_INO_FILE ? OK : cow_inode_prepare(c->fs, i);
}

static enum err node_change(struct cow *c, struct inode *i, const struct region *r, uint32_t level,
                            uint32_t base, bool whole, struct buffer **out, bool *fresh)
{
    struct cow_pointer pointer = {0};
    uint64_t key = cow_key(i->ino, level, base);
    struct buffer *b = cow_present(c, key);
    enum err e = OK;
    *fresh = false;
    if (b == NULL || !b->dirty)
        e = parent_change(c, i, r, level, base);
    if (e != OK)
        return e;
    b = cow_present(c, key);
    if (b == NULL) {
        e = find_pointer(c, i, r, level, base, &pointer);
        *fresh = e == OK && pointer.address == 0;
    }
    if (e != OK)
        return e;
    if (*fresh) {
        b = cache_get_new(c->fs, key, 0);
        b->own = NULL;
        i->d.blocks++;
    } else if (b != NULL || whole) {
        b = cache_get_overwrite(c->fs, key, b != NULL ? b->block : pointer.address);
        b->own = NULL;
    } else {
        e = cache_get(c->fs, key, pointer.address, &b);
    }
    if (e != OK)
        return e;
    cache_dirty(c->fs, b, NULL);
    *out = b;
    return OK;
}

enum err cow_tree_change(struct cow *c, struct inode *i, uint32_t at, bool whole,
                         struct buffer **out, bool *fresh)
{
    struct region r = region_of(i->ino, at);
    cow_joined(c);
    cow_log_changed(c, cow_key(i->ino, 0, at));
    return node_change(c, i, &r, 0, at, whole, out, fresh);
}

enum err cow_tree_open(struct cow *c, struct inode *i, uint32_t at)
{
    struct region r = region_of(i->ino, at);
    cow_joined(c);
    return parent_change(c, i, &r, 0, at);
}

bool cow_tree_move(struct cow *c, uint64_t key, uint32_t address)
{
    uint32_t ino = cow_key_ino(key), level = cow_key_level(key), base = cow_key_base(key);
    struct inode *i = &c->inode_file;
    struct cow_pointer pointer;
    struct buffer *b = cow_present(c, key);
    bool fresh;
    if (b != NULL && b->dirty)
        return b->block == address;
    if (base >= COW_FILE_BLOCKS_MAX || (ino != COW_INO_FILE && inode_get(c->fs, ino, &i) != OK))
        return false;
    struct region r = region_of(ino, base);
    if (level > r.height || find_pointer(c, i, &r, level, base, &pointer) != OK ||
        pointer.address != address)
        return false;
    cow_joined(c);
    return node_change(c, i, &r, level, base, false, &b, &fresh) == OK;
}

struct buffer *cow_tree_parent(struct cow *c, uint64_t key, uint32_t *slot)
{
    uint32_t ino = cow_key_ino(key), level = cow_key_level(key), base = cow_key_base(key);
    struct region r = region_of(ino, base);
    if (level == r.height) {
        *slot = r.slot;
        return NULL;
    }
    *slot = index_in_parent(&r, level, base);
    struct buffer *parent = cow_present(c, cow_key(ino, level + 1, node_base(&r, level + 1, base)));
    ASSERT(parent != NULL && parent->dirty);
    return parent;
}

/* ---- Cutting ---- */

struct cut {
    struct cow *c;
    struct inode *i;
    const struct region *r;
    uint32_t from;
};

static enum err cut_node(struct cut *x, uint32_t level, uint32_t base, bool *went);

/* What hangs below a node that goes and cannot be read: lost to the volume, not to the caller. */
static void leak(struct cut *x, uint32_t level, uint32_t base)
{
    struct cow *c = x->c;
    plat_report(REPORT_LEAK, 1, x->i->ino);
    for (uint32_t at = 0; at <= c->fs->bucket_mask; at++) {
        struct buffer *next;
        for (struct buffer *b = c->fs->bucket[at]; b != NULL; b = next) {
            next = b->hash_next;
            uint32_t below = cow_key_base(b->key) - base;
            if ((b->key & KEY_PRIVATE) == 0 && cow_key_ino(b->key) == x->i->ino &&
                cow_key_level(b->key) < level && below < span_of(level))
                forget(c, b->key);
        }
    }
}

/* The k-th child of a node, if it is beyond x->from. */
static enum err cut_child(struct cut *x, uint32_t level, uint32_t base, uint32_t k, bool stays)
{
    struct buffer *b;
    struct cow_pointer pointer;
    uint32_t child = base + k * span_of(level - 1);
    enum err e = node_get(x->c, x->i, x->r, level, base, &b);
    if (e != OK || b == NULL)
        return e;
    cow_pointer_decode(&pointer, b->page + POINTER_BYTES * k);
    if (pointer.address == 0 && cow_present(x->c, cow_key(x->i->ino, level - 1, child)) == NULL)
        return OK;
    bool went;
    e = cut_node(x, level - 1, child, &went);
    if (e != OK || !stays || !went)
        return e;
    b = cow_present(x->c, cow_key(x->i->ino, level, base));
    ASSERT(b != NULL && b->dirty);
    memset(b->page + POINTER_BYTES * k, 0, POINTER_BYTES);
    return OK;
}

/* Whether nothing hangs from a node that no batch has seen. It goes then, as a replay of the log,
 * which has not seen what was made and cut off meanwhile, does not make it. One that a batch has
 * written stays even if it is empty, since the cuts of a replay come before its images. */
static bool is_in_vain(struct cut *x, uint32_t level, uint32_t base)
{
    struct cow_pointer own;
    const struct buffer *b = cow_present(x->c, cow_key(x->i->ino, level, base));
    ASSERT(b != NULL && level > 0);
    if (find_pointer(x->c, x->i, x->r, level, base, &own) != OK || own.address != 0)
        return false;
    for (uint32_t k = 0; k < COW_FANOUT; k++) {
        struct cow_pointer pointer;
        cow_pointer_decode(&pointer, b->page + POINTER_BYTES * k);
        uint64_t child = cow_key(x->i->ino, level - 1, base + k * span_of(level - 1));
        if (pointer.address != 0 || cow_present(x->c, child) != NULL)
            return false;
    }
    return true;
}

static void free_node(struct cut *x, uint32_t level, uint32_t base)
{
    struct cow_pointer pointer;
    if (find_pointer(x->c, x->i, x->r, level, base, &pointer) == OK && pointer.address != 0)
        cow_space_free(x->c, pointer.address);
    forget(x->c, cow_key(x->i->ino, level, base));
    if (x->i->d.blocks > 0)
        x->i->d.blocks--;
}

/* A node stays if it begins before what is cut off, and something is left in it. Fails only then:
 * before anything was freed, as the one that stays in part is the first that is looked at. */
static enum err cut_node(struct cut *x, uint32_t level, uint32_t base, bool *went)
{
    struct buffer *b;
    bool fresh, stays = base < x->from;
    enum err e = OK;
    *went = false;
    if (stays)
        e = node_change(x->c, x->i, x->r, level, base, false, &b, &fresh);
    for (uint32_t k = 0; level > 0 && k < COW_FANOUT && e == OK; k++)
        if (base + (k + 1) * span_of(level - 1) > x->from)
            e = cut_child(x, level, base, k, stays);
    if (stays && (e != OK || level == 0 || !is_in_vain(x, level, base)))
        return e;
    if (e != OK)
        leak(x, level, base);
    free_node(x, level, base);
    *went = true;
    return OK;
}

enum err cow_tree_cut(struct cow *c, struct inode *i, uint64_t from)
{
    static const uint32_t starts[COW_POINTERS] = {
        0, 1, 2, 3, COW_DIRECT, COW_DIRECT + COW_FANOUT, COW_DIRECT + COW_FANOUT + 65536u};
    ASSERT(i->ino != COW_INO_FILE);
    cow_joined(c);
    enum err e = cow_inode_prepare(c->fs, i);
    for (uint32_t k = 0; k < COW_POINTERS && e == OK; k++) {
        struct region r = region_of(i->ino, starts[k]);
        struct cow_pointer *top = &cow_tree_of(i)->pointer[k];
        ASSERT(r.slot == k);
        bool there =
            top->address != 0 || cow_present(c, cow_key(i->ino, r.height, r.start)) != NULL;
        if ((uint64_t)r.start + span_of(r.height) <= from || !there)
            continue;
        struct cut x = {.c = c, .i = i, .r = &r, .from = (uint32_t)from};
        bool went;
        e = cut_node(&x, r.height, r.start, &went);
        if (e == OK && went)
            *top = (struct cow_pointer){0};
    }
    return e;
}
