/*
 * What `cow` has on disk (FORMAT.md): roots, pointers, inodes. Encoding and decoding only; nothing
 * here reads or writes a disk.
 *
 * Blocks are numbered from 0 in the logical volume, in 32 bits; 0 in a pointer is a hole. The first
 * and the last ROOT_AREA_BLOCKS hold the copies of the root slots; all between may be anything.
 */
#ifndef LORIS_STACK_CLASSIC_COW_LAYOUT_H
#define LORIS_STACK_CLASSIC_COW_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "block.h"
#include "errors.h"

#define COW_MAGIC UINT64_C(0x31776f6363736c76)
#define COW_VERSION 1u
#define COW_ROOT_BYTES 512u
#define ROOT_SLOTS 4u
#define ROOT_COPIES 2u
#define ROOT_AREA_BLOCKS 256u /* 1 MiB at either end */
#define ROOT_SLOT_BLOCKS (ROOT_AREA_BLOCKS / ROOT_SLOTS)
#define COW_BLOCKS_MIN (2 * ROOT_AREA_BLOCKS + 128u)

#define POINTER_BYTES 16u
#define COW_FANOUT (BLOCK_BYTES / POINTER_BYTES)
#define COW_DIRECT 4u
#define COW_POINTERS 7u /* direct, single, double, triple indirect */
#define COW_INODE_BYTES 256u
#define COW_INODES_A_BLOCK (BLOCK_BYTES / COW_INODE_BYTES)
#define COW_INLINE 92u
#define COW_INODE_POINTERS_AT 48u        /* in a record */
#define COW_LEAF_BITS (BLOCK_BYTES * 8u) /* blocks that one block of the map describes */
#define COW_INODE_FILE_HEIGHT 2u         /* levels of indirect blocks: about a million inodes */

#define COW_INO_FILE 0u /* as the owner of pages: the inode file itself */
#define COW_INO_ROOT 1u
#define COW_INO_ORPHANS 2u /* a file of inode numbers, 4 bytes each: unlinked while open */

struct cow_pointer {
    uint32_t address; /* block, 0: a hole */
    uint32_t flags;   /* 0 */
    uint32_t crc;     /* of the 4096 bytes there */
    uint32_t birth;   /* low half of the batch that wrote it */
};

struct cow_root {
    uint64_t uuid[2];
    uint64_t batch, life;
    uint64_t blocks; /* of the volume */
    struct cow_pointer inode_file, map, usage;
    uint32_t log_address; /* first block of the chain to follow, 0: none */
    uint64_t log_seq;     /* its number */
    uint32_t inodes;      /* slots of the inode file, the unused number 0 included */
    uint32_t files;       /* of them in use */
    uint64_t used;        /* blocks that are reached */
    uint32_t slot;        /* its own */
    bool clean;           /* of an orderly stop */
};

struct cow_disk_inode {
    uint32_t type, mode; /* enum vfs_type, 0: free; permission bits */
    uint32_t nlink, uid, gid, generation;
    uint64_t size, mtime_ns, ctime_ns;
    uint32_t blocks; /* allocated, indirect ones included */
    struct cow_pointer pointer[COW_POINTERS];
    uint8_t inlined[COW_INLINE]; /* target of a short symbolic link */
};

void cow_root_encode(uint8_t raw[COW_ROOT_BYTES], const struct cow_root *root);
/* E_CORRUPT; E_VERSION. volume_blocks, slot: where it was read. Pointers are not judged. */
MUST_USE enum err cow_root_decode(struct cow_root *root, const uint8_t raw[COW_ROOT_BYTES],
                                  uint64_t volume_blocks, uint32_t slot);
/* Block of a copy of a slot. */
uint64_t cow_root_block(uint64_t blocks, uint32_t slot, uint32_t copy);

void cow_pointer_encode(uint8_t raw[POINTER_BYTES], const struct cow_pointer *pointer);
void cow_pointer_decode(struct cow_pointer *pointer, const uint8_t raw[POINTER_BYTES]);
/* May a pointer name it? */
bool cow_is_data(uint64_t blocks, uint32_t block);

void cow_inode_encode(uint8_t raw[COW_INODE_BYTES], const struct cow_disk_inode *inode);
/* A slot of zeros is a free inode of generation 0. E_CORRUPT. */
MUST_USE enum err cow_inode_decode(struct cow_disk_inode *inode,
                                   const uint8_t raw[COW_INODE_BYTES]);

#endif
