/*
 * Reading the whole tree of a root, before it is gone back to though a newer one was acknowledged:
 * a disk that lied about a flush may have lost the newer tree, and begun to overwrite this one.
 *
 * Each step is a request of its own to the pool of nodes, so that a tree of any size fits: no
 * pointer into a node is kept over a step.
 */
#include "physical.h"

#include "assertion.h"
#include "bytes.h"

static enum err take(struct physical *p, uint64_t oid, uint32_t level, uint64_t index,
                     struct node **n)
{
    phys_node_end(p);
    phys_node_begin(p);
    return phys_node_get(p, oid, level, index, NODE_LOOK, true, n);
}

static bool is_null(struct physical *p, struct node *n, uint32_t k)
{
    size_t at = FORMAT_HEAD_BYTES + FORMAT_POINTER_BYTES * k;
    return get_le64(phys_node_see(p, n, at, FORMAT_POINTER_BYTES)) == 0;
}

/* An inner node, and what is below down to `lowest`. */
static enum err walk_node(struct physical *p, uint64_t oid, uint32_t level, uint64_t index,
                          uint32_t lowest)
{
    struct node *n;
    if (level == lowest)
        return take(p, oid, level, index, &n);
    for (uint32_t k = 0; k < FORMAT_FANOUT; k++) {
        enum err e = take(p, oid, level, index, &n);
        if (e != OK)
            return e;
        if (is_null(p, n, k))
            continue;
        e = walk_node(p, oid, level - 1, index * FORMAT_FANOUT + k, lowest);
        if (e != OK)
            return e;
    }
    return OK;
}

/* The trees of one object: down to maps, or to the nodes above data. */
static enum err walk_object(struct physical *p, uint64_t oid)
{
    uint32_t lowest = oid == OID_MAP ? 0 : 1;
    for (uint32_t k = 0; k < FORMAT_INODE_POINTERS; k++) {
        struct node *leaf;
        enum err e = take(p, OID_INODES, 0, oid / FORMAT_LEAF_INODES, &leaf);
        if (e != OK)
            return e;
        size_t at = FORMAT_HEAD_BYTES + FORMAT_INODE_BYTES * (oid % FORMAT_LEAF_INODES);
        const uint8_t *inode = phys_node_see(p, leaf, at, FORMAT_INODE_BYTES);
        uint32_t height = get_le32(inode + INODE_HEIGHT);
        if (height > FORMAT_HEIGHT_MAX)
            return E_CORRUPT;
        if (get_le64(inode + INODE_OID) != oid || height < lowest ||
            get_le64(inode + INODE_POINTER(k)) == 0)
            continue; /* no object, no tree, or nothing there */
        e = walk_node(p, oid, height, k, lowest);
        if (e != OK)
            return e;
    }
    return OK;
}

static enum err walk_inodes(struct physical *p, uint32_t level, uint64_t index)
{
    uint32_t count = level == 0 ? FORMAT_LEAF_INODES : FORMAT_FANOUT;
    for (uint32_t k = 0; k < count; k++) {
        struct node *n;
        enum err e = take(p, OID_INODES, level, index, &n);
        if (e != OK)
            return e;
        if (level == 0)
            e = walk_object(p, index * FORMAT_LEAF_INODES + k);
        else if (!is_null(p, n, k))
            e = walk_inodes(p, level - 1, index * FORMAT_FANOUT + k);
        if (e != OK)
            return e;
    }
    return OK;
}

enum err phys_walk_tree(struct physical *p)
{
    enum err e = walk_inodes(p, p->core.height, 0);
    return e == E_NOENT ? E_CORRUPT : e;
}
