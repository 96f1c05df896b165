/*
 * A directory as a tree of blocks: a B+-tree over 64-bit keys, whose root is block 0 of the object.
 * A small directory is that one block, a leaf. Keys are unique; directory.c makes them of names.
 *
 * A descent keeps the blocks from root to leaf in memory (struct dirtree), where a change is made;
 * dirtree_write stores what was changed. It stays valid for the present request: a change runs in a
 * transaction that has the directory locked. A query has no lock, and may meet blocks of before and
 * after a change: each block tells the range of keys that it stands for, so that a query whose leaf
 * has its key is right, and any other ends in E_CORRUPT and is asked again.
 *
 * Invariants: (1) the children of an interior node tile its range, and are one level below it;
 *   (2) each block of the object is the root, in the tree once, or in the free list once;
 *   (3) a directory without interior nodes has one block.
 */
#ifndef LORIS_NAMING_DIRTREE_H
#define LORIS_NAMING_DIRTREE_H

#include "dirnode.h"

#define DIR_BLOCKS_MAX (UINT32_C(1) << 20) /* of one directory: 4 GiB */

struct naming;
struct node;

struct dirtree {
    uint64_t oid;  /* of the directory whose path is held; OID_NONE: none */
    uint32_t top;  /* level of the root */
    uint32_t held; /* lowest level of the path that is in memory */
    /* By level, root at `top`: */
    uint32_t block[DIRNODE_LEVELS_MAX]; /* number in the object */
    uint32_t slot[DIRNODE_LEVELS_MAX];  /* entry that the path takes; interior nodes only */
    bool changed[DIRNODE_LEVELS_MAX];
    uint8_t raw[DIRNODE_LEVELS_MAX][BLOCK_BYTES];
    uint8_t spare[BLOCK_BYTES]; /* a neighbour, a new block */
};

/* Forgets the path that is held: at the start of each attempt at a request. */
void dirtree_forget(struct dirtree *t);

/* Loads a directory's attributes and, in the same request, its root: which is held then if it makes
 * sense, and else asked for again by dirtree_root, which says what is wrong. E_NOTDIR: it is none.
 */
MUST_USE enum err dirtree_open(struct naming *n, uint64_t oid, bool exclusive, struct node *dir);
/* Loads the root, if it is not held. Errors as below. */
MUST_USE enum err dirtree_root(struct naming *n, const struct node *dir);
/*
 * Loads the path to the leaf in whose range `key` lies. The directory must have a block. E_CORRUPT:
 * blocks do not fit together. O(log entries) block reads, fewer if the path held goes part of the
 * way.
 */
MUST_USE enum err dirtree_descend(struct naming *n, const struct node *dir, uint64_t key);
/* Makes the root, an empty leaf, of a directory that has no block; sets dir->size. */
MUST_USE enum err dirtree_make(struct naming *n, struct node *dir, const uint64_t seed[2]);

/* Adds an entry whose key is in no leaf; may grow dir->size. Its path is held then. E_NOSPC: the
 * directory has as many blocks as it may. */
MUST_USE enum err dirtree_add(struct naming *n, struct node *dir,
                              const struct dirnode_entry *entry);
/* Removes the entry of that key; merges blocks that have become nearly empty, and cuts dir->size
 * when one block is left. E_CORRUPT: there is none. */
MUST_USE enum err dirtree_remove(struct naming *n, struct node *dir, uint64_t key);
/* Lets the entry of that key lead to another inode. */
MUST_USE enum err dirtree_redirect(struct naming *n, const struct node *dir, uint64_t key,
                                   uint64_t ino, uint32_t type);

#endif
