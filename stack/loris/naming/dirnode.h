/*
 * One block of a directory (FORMAT.md): a leaf, whose entries are names in the order of their keys,
 * or an interior node, whose entries lead to other blocks. A block is kept as it is on disk; these
 * functions read and change it in place.
 *
 * Bytes of a block come from a disk. `dirnode_valid` holds the head against itself; entries are
 * checked when they are passed over, so that a search reads no more of a block than it needs.
 *
 * Invariants of a block that passes dirnode_valid:
 *   (1) DIRNODE_HEAD_BYTES + used <= BLOCK_BYTES, so a move of its entries stays inside;
 *   (2) low < high: the keys of what lies in or below this block are in [low, high);
 *   (3) an interior node has at least one entry, and used = count * DIRNODE_CHILD_BYTES.
 */
#ifndef LORIS_NAMING_DIRNODE_H
#define LORIS_NAMING_DIRNODE_H

#include "vfs.h"

#include "block.h"

#define DIRNODE_HEAD_BYTES 48u
#define DIRNODE_ROOM (BLOCK_BYTES - DIRNODE_HEAD_BYTES) /* bytes of entries */
#define DIRNODE_CHILD_BYTES 12u                         /* an interior entry */
#define DIRNODE_NAME_BYTES 18u                          /* a leaf entry, before the name */
#define DIRNODE_LEVELS_MAX 5u /* 5 levels hold more blocks than DIR_BLOCKS_MAX */
#define DIRNODE_FREE 255u     /* in the place of the level: the block is in the free list */
#define DIRNODE_KEY_END UINT64_MAX

/* A leaf entry, decoded; `name` points into the block. */
struct dirnode_entry {
    uint64_t key, ino;
    uint32_t type, name_bytes;
    const char *name;
    uint32_t at, bytes; /* in the block */
};

void dirnode_init(uint8_t *block, uint32_t level, uint64_t low, uint64_t high);
bool dirnode_valid(const uint8_t *block);
/* The block becomes one of the free list. */
void dirnode_make_free(uint8_t *block, uint32_t next);
bool dirnode_is_free(const uint8_t *block, uint32_t *next);

uint32_t dirnode_level(const uint8_t *block);
uint32_t dirnode_count(const uint8_t *block);
uint32_t dirnode_used(const uint8_t *block);
uint64_t dirnode_low(const uint8_t *block);
uint64_t dirnode_high(const uint8_t *block);

/* Head fields of the root only. */
uint32_t dirnode_first_free(const uint8_t *root);
void dirnode_set_first_free(uint8_t *root, uint32_t block);
void dirnode_seed(const uint8_t *root, uint64_t seed[2]);
void dirnode_set_seed(uint8_t *root, const uint64_t seed[2]);

/*
 * The first entry of a leaf with key >= `key`. OK; E_NOENT: there is none; E_CORRUPT. *entry.at is
 * in every case but the last where an entry of that key belongs. O(entries).
 */
MUST_USE enum err dirnode_seek(const uint8_t *leaf, uint64_t key, struct dirnode_entry *entry);
/* The entry after *entry. OK, E_NOENT, E_CORRUPT. */
MUST_USE enum err dirnode_after(const uint8_t *leaf, struct dirnode_entry *entry);
/* Puts an entry, with room for it, at its place `at` (of dirnode_seek). */
void dirnode_add(uint8_t *leaf, uint32_t at, const struct dirnode_entry *entry);
void dirnode_remove(uint8_t *leaf, const struct dirnode_entry *entry);
void dirnode_redirect(uint8_t *leaf, const struct dirnode_entry *entry, uint64_t ino,
                      uint32_t type);

/* The entry of an interior node in whose range `key` lies. O(log entries). */
uint32_t dirnode_child_of(const uint8_t *node, uint64_t key);
uint64_t dirnode_child_key(const uint8_t *node, uint32_t slot);
uint32_t dirnode_child(const uint8_t *node, uint32_t slot); /* number of its block */
void dirnode_child_add(uint8_t *node, uint32_t slot, uint64_t key, uint32_t block);
void dirnode_child_remove(uint8_t *node, uint32_t slot);

/* Moves the upper half, by bytes, of `node` into `right`, which is made. E_CORRUPT. */
MUST_USE enum err dirnode_split(uint8_t *node, uint8_t *right);
/* Moves all of `right`, the neighbour above, to the end of `left`, which has the room. */
void dirnode_join(uint8_t *left, const uint8_t *right);
/* Lets `to` have level, range and entries of `from`; what only a root has stays. */
void dirnode_take(uint8_t *to, const uint8_t *from);

#endif
