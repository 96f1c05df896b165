/*
 * Inodes, and the way from (object, block) to the pointer that names it.
 *
 * All trees have one shape. A node of level h >= 1 and index i holds the pointers of blocks
 * [i * F^h, (i + 1) * F^h), F = FORMAT_FANOUT. An inode of height H holds 9 pointers of level H,
 * index 0 to 8; the inode file is such a tree, over leaves instead of data blocks, with one
 * pointer, in the root. When a tree is too low its top pointers move into a new node that becomes
 * pointer 0.
 */
#include "physical.h"

#include "assertion.h"
#include "bytes.h"
#include "mem.h"

static size_t entry_at(uint64_t k)
{
    ASSERT(k < FORMAT_FANOUT);
    return FORMAT_HEAD_BYTES + FORMAT_POINTER_BYTES * k;
}

/* Of a node whose block was seen whole. */
static uint8_t *entry(const struct node *n, uint64_t k)
{
    return n->raw + entry_at(k);
}

static void see_all(struct physical *p, struct node *n)
{
    (void)phys_node_see(p, n, 0, BLOCK_BYTES);
}

static bool is_null(const uint8_t *raw)
{
    return get_le64(raw) == 0;
}

void phys_tree_point(struct physical *p, const struct spot *spot, const struct pointer *to)
{
    if (spot->holder != NULL)
        phys_node_alter(p, spot->holder, spot->raw, FORMAT_POINTER_BYTES);
    phys_pointer_encode(spot->raw, to);
}

void phys_tree_count(struct physical *p, struct node *leaf, uint8_t *inode, int64_t blocks)
{
    phys_node_alter(p, leaf, inode, FORMAT_INODE_BYTES);
    put_le64(inode + INODE_BLOCKS, get_le64(inode + INODE_BLOCKS) + (uint64_t)blocks);
}

/* FANOUT^level; all heights are small enough. */
static uint64_t reach(uint32_t level)
{
    uint64_t blocks = 1;
    for (uint32_t k = 0; k < level; k++)
        blocks *= FORMAT_FANOUT;
    return blocks;
}

/* ---- Extent ---------------------------------------------------------------------------------- */

static uint64_t end_below(struct physical *p, uint64_t oid, uint32_t level, uint64_t index)
{
    struct node *n;
    if (level == 0)
        return index + 1;
    if (phys_node_get(p, oid, level, index, NODE_LOOK, false, &n) != OK)
        return (index + 1) * reach(level); /* whatever it may hold */
    see_all(p, n);
    for (uint32_t k = FORMAT_FANOUT; k > 0; k--)
        if (!is_null(entry(n, k - 1)))
            return end_below(p, oid, level - 1, index * FORMAT_FANOUT + k - 1);
    return index * reach(level);
}

uint64_t phys_tree_end(struct physical *p, uint64_t oid, const uint8_t *inode)
{
    uint32_t height = get_le32(inode + INODE_HEIGHT);
    for (uint32_t k = FORMAT_INODE_POINTERS; k > 0; k--)
        if (!is_null(inode + INODE_POINTER(k - 1)))
            return end_below(p, oid, height, k - 1);
    return 0;
}

/* ---- Growing --------------------------------------------------------------------------------- */

/* Moves `count` top pointers of height `height` at `raw` into a new node above them. */
static enum err grow(struct physical *p, uint64_t oid, struct node *holder, uint8_t *raw,
                     uint32_t count, uint32_t height, bool privileged)
{
    static const uint8_t zeros[FORMAT_POINTER_BYTES];
    uint64_t address;
    struct node *top;
    enum err e = phys_space_slot(p, privileged, &address);
    if (e != OK)
        return e;
    e = phys_node_new(p, oid, height + 1, 0, address, &top);
    if (e != OK) {
        phys_space_free(p, address);
        return e;
    }
    if (holder != NULL)
        phys_node_alter(p, holder, raw, (size_t)count * FORMAT_POINTER_BYTES);
    memcpy(entry(top, 0), raw, (size_t)count * FORMAT_POINTER_BYTES);
    for (uint32_t k = 0; k < count; k++) {
        struct node *child = height > 0 || oid == OID_INODES || oid == OID_MAP
                                 ? phys_node_find(p, oid, height, k)
                                 : NULL;
        if (child != NULL)
            phys_node_adopt_child(p, child, top);
        memcpy(raw + (size_t)k * FORMAT_POINTER_BYTES, zeros, sizeof(zeros));
    }
    phys_node_adopt_child(p, top, holder);
    struct pointer to = {.address = address, .birth = top->birth};
    phys_tree_point(p, &(struct spot){.holder = holder, .raw = raw}, &to);
    return OK;
}

static enum err grow_inode_file(struct physical *p, uint64_t leaf, bool privileged)
{
    while (leaf >= reach(p->core.height)) {
        if (p->core.height == FORMAT_HEIGHT_MAX)
            return E_INVAL;
        if (!is_null(p->core.inodes)) {
            enum err e = grow(p, OID_INODES, NULL, p->core.inodes, 1, p->core.height, privileged);
            if (e != OK)
                return e;
        }
        p->core.height++;
    }
    return OK;
}

static bool all_null(const uint8_t *inode)
{
    for (uint32_t k = 0; k < FORMAT_INODE_POINTERS; k++)
        if (!is_null(inode + INODE_POINTER(k)))
            return false;
    return true;
}

static enum err grow_object(struct physical *p, uint64_t oid, struct node *leaf, uint8_t *inode,
                            uint64_t block, bool privileged)
{
    uint32_t height = get_le32(inode + INODE_HEIGHT);
    while (block >= FORMAT_INODE_POINTERS * reach(height)) {
        if (height == FORMAT_HEIGHT_MAX - 1)
            return E_INVAL;
        if (!all_null(inode)) {
            enum err e = grow(p, oid, leaf, inode + INODE_POINTER(0), FORMAT_INODE_POINTERS, height,
                              privileged);
            if (e != OK)
                return e;
        }
        phys_node_alter(p, leaf, inode, FORMAT_INODE_BYTES);
        put_le32(inode + INODE_HEIGHT, ++height);
    }
    return OK;
}

/* ---- Finding --------------------------------------------------------------------------------- */

enum err phys_tree_inode(struct physical *p, uint64_t oid, enum node_get_mode mode, bool privileged,
                         struct node **leaf, uint8_t **inode)
{
    uint64_t index = oid / FORMAT_LEAF_INODES;
    if (oid == OID_INODES)
        return E_INVAL;
    if (index >= reach(p->core.height)) {
        enum err e = mode == NODE_LOOK ? E_NOENT : grow_inode_file(p, index, privileged);
        if (e != OK)
            return e;
    }
    enum err e = phys_node_get(p, OID_INODES, 0, index, mode, privileged, leaf);
    if (e != OK)
        return e;
    size_t at = FORMAT_HEAD_BYTES + FORMAT_INODE_BYTES * (oid % FORMAT_LEAF_INODES);
    *inode = phys_node_see(p, *leaf, at, FORMAT_INODE_BYTES);
    return OK;
}

enum err phys_tree_object(struct physical *p, uint64_t oid, struct node **leaf, uint8_t **inode)
{
    enum err e = phys_tree_inode(p, oid, NODE_LOOK, false, leaf, inode);
    if (e != OK)
        return e;
    return get_le64(*inode + INODE_OID) == oid ? OK : E_NOENT;
}

static enum err spot_in_node(struct physical *p, uint64_t oid, uint32_t level, uint64_t index,
                             enum node_get_mode mode, bool privileged, struct spot *spot)
{
    struct node *parent;
    enum err e = phys_node_get(p, oid, level + 1, index / FORMAT_FANOUT, mode, privileged, &parent);
    if (e != OK)
        return e;
    size_t at = entry_at(index % FORMAT_FANOUT);
    *spot =
        (struct spot){.holder = parent, .raw = phys_node_see(p, parent, at, FORMAT_POINTER_BYTES)};
    return OK;
}

enum err phys_tree_spot(struct physical *p, uint64_t oid, uint32_t level, uint64_t index,
                        enum node_get_mode mode, bool privileged, struct spot *spot)
{
    struct node *leaf;
    uint8_t *inode;
    if (oid == OID_INODES) {
        if (level < p->core.height)
            return spot_in_node(p, oid, level, index, mode, privileged, spot);
        ASSERT(level == p->core.height);
        *spot = (struct spot){.holder = NULL, .raw = p->core.inodes};
        return index == 0 ? OK : E_NOENT;
    }
    enum err e = phys_tree_object(p, oid, &leaf, &inode);
    if (e != OK)
        return e;
    uint64_t block = index * reach(level);
    if (mode != NODE_LOOK) {
        e = grow_object(p, oid, leaf, inode, block, privileged);
        if (e != OK)
            return e;
    }
    uint32_t height = get_le32(inode + INODE_HEIGHT);
    if (height > FORMAT_HEIGHT_MAX)
        return E_CORRUPT;
    if (block >= FORMAT_INODE_POINTERS * reach(height))
        return E_NOENT;
    if (level < height)
        return spot_in_node(p, oid, level, index, mode, privileged, spot);
    ASSERT(level == height);
    *spot = (struct spot){.holder = leaf, .raw = inode + INODE_POINTER(index)};
    return OK;
}

/* ---- Freeing --------------------------------------------------------------------------------- */

struct cut {
    uint64_t oid, first; /* blocks from here on go */
    struct node *leaf;
    uint8_t *inode;
};

static void free_below(struct physical *p, const struct cut *cut, const struct spot *spot,
                       uint32_t level, uint64_t index);

/* Frees what the node has from cut->first on, and the node if nothing before stays. */
static void free_node(struct physical *p, const struct cut *cut, const struct spot *spot,
                      uint32_t level, uint64_t index, const struct pointer *at)
{
    static const struct pointer null = {.address = 0};
    struct node *n;
    bool whole = index * reach(level) >= cut->first;
    enum err e = phys_node_get(p, cut->oid, level, index, NODE_LOOK, true, &n);
    if (e == OK) {
        see_all(p, n);
        for (uint32_t k = 0; k < FORMAT_FANOUT; k++) {
            struct spot child = {.holder = n, .raw = entry(n, k)};
            free_below(p, cut, &child, level - 1, index * FORMAT_FANOUT + k);
        }
    } else {
        plat_report(REPORT_LEAK, 0, cut->oid); /* what lies below is in no file now */
    }
    if (!whole)
        return;
    uint64_t address = e == OK ? n->address : at->address;
    if (e == OK)
        phys_node_drop(p, n);
    if (phys_layout_is_slot(&p->layout, address))
        phys_space_free(p, address);
    phys_tree_point(p, spot, &null);
}

static void free_below(struct physical *p, const struct cut *cut, const struct spot *spot,
                       uint32_t level, uint64_t index)
{
    static const struct pointer null = {.address = 0};
    struct pointer at;
    if (is_null(spot->raw) || (index + 1) * reach(level) <= cut->first)
        return;
    phys_pointer_decode(&at, spot->raw);
    if (at.address != 0 && level > 0) {
        free_node(p, cut, spot, level, index, &at);
        return;
    }
    if (at.address != 0 && phys_space_holds(p, at.address)) {
        phys_space_free(p, at.address);
        phys_tree_count(p, cut->leaf, cut->inode, -1);
    }
    if (level == 0 || index * reach(level) >= cut->first)
        phys_tree_point(p, spot, &null);
}

void phys_tree_truncate(struct physical *p, struct node *leaf, uint8_t *inode, uint64_t first)
{
    struct cut cut = {
        .oid = get_le64(inode + INODE_OID), .first = first, .leaf = leaf, .inode = inode};
    uint32_t height = get_le32(inode + INODE_HEIGHT);
    ASSERT(cut.oid > OID_MAP || cut.oid == OID_MAPPING);
    phys_node_alter(p, leaf, inode, FORMAT_INODE_BYTES);
    if (height > FORMAT_HEIGHT_MAX)
        return;
    for (uint32_t k = 0; k < FORMAT_INODE_POINTERS; k++) {
        struct spot spot = {.holder = leaf, .raw = inode + INODE_POINTER(k)};
        free_below(p, &cut, &spot, height, k);
    }
    if (!all_null(inode))
        return;
    phys_node_alter(p, leaf, inode, FORMAT_INODE_BYTES);
    put_le32(inode + INODE_HEIGHT, 0);
    put_le64(inode + INODE_BLOCKS, 0); /* what could not be read is not counted any more */
}

static bool is_empty(struct physical *p, struct node *n)
{
    see_all(p, n);
    uint32_t step = n->level == 0 ? FORMAT_INODE_BYTES : FORMAT_POINTER_BYTES;
    uint32_t count = n->level == 0 ? FORMAT_LEAF_INODES : FORMAT_FANOUT;
    for (uint32_t k = 0; k < count; k++)
        if (!is_null(n->raw + FORMAT_HEAD_BYTES + (size_t)k * step))
            return false;
    return true;
}

void phys_tree_remove(struct physical *p, struct node *leaf, uint8_t *inode)
{
    static const struct pointer null = {.address = 0};
    struct node *n = leaf;
    phys_node_alter(p, leaf, inode, FORMAT_INODE_BYTES);
    memset(inode, 0, FORMAT_INODE_BYTES);
    while (n != NULL && is_empty(p, n)) {
        struct spot spot;
        enum err e = phys_tree_spot(p, OID_INODES, n->level, n->index, NODE_LOOK, true, &spot);
        ASSERT(e == OK); /* its parent is in memory */
        uint64_t address = n->address;
        phys_node_drop(p, n);
        phys_tree_point(p, &spot, &null);
        phys_space_free(p, address);
        n = spot.holder;
    }
}

/* ---- Listing --------------------------------------------------------------------------------- */

static enum err next_in_leaf(struct physical *p, uint64_t index, uint64_t *oid)
{
    struct node *leaf;
    enum err e = phys_node_get(p, OID_INODES, 0, index, NODE_LOOK, false, &leaf);
    if (e != OK)
        return e;
    see_all(p, leaf);
    for (uint32_t k = 0; k < FORMAT_LEAF_INODES; k++) {
        uint64_t found =
            get_le64(leaf->raw + FORMAT_HEAD_BYTES + FORMAT_INODE_BYTES * k + INODE_OID);
        if (found >= *oid && found != OID_MAP && found == index * FORMAT_LEAF_INODES + k) {
            *oid = found;
            return OK;
        }
    }
    return E_NOENT;
}

static enum err next_below(struct physical *p, uint32_t level, uint64_t index, uint64_t *oid)
{
    struct node *n;
    if ((index + 1) * reach(level) * FORMAT_LEAF_INODES <= *oid)
        return E_NOENT;
    if (level == 0)
        return next_in_leaf(p, index, oid);
    enum err e = phys_node_get(p, OID_INODES, level, index, NODE_LOOK, false, &n);
    if (e == OK)
        see_all(p, n);
    for (uint32_t k = 0; e == OK && k < FORMAT_FANOUT; k++) {
        if (is_null(entry(n, k)))
            continue;
        enum err found = next_below(p, level - 1, index * FORMAT_FANOUT + k, oid);
        if (found != E_NOENT)
            return found;
    }
    return e == OK ? E_NOENT : e;
}

enum err phys_tree_next(struct physical *p, uint64_t *oid)
{
    if (is_null(p->core.inodes))
        return E_NOENT;
    return next_below(p, p->core.height, 0, oid);
}
