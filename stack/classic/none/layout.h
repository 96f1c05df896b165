/*
 * Layout C on disk (FORMAT.md): superblock, groups, inodes, directories. Encoding and decoding
 * only; nothing here reads or writes a disk.
 *
 * Blocks are numbered from 0 in the logical volume, in 32 bits; 0 in a pointer is a hole. Inode n
 * is in group n / 1024; inode 0 means none, 1 is the root, 2 is set aside.
 */
#ifndef LORIS_STACK_CLASSIC_NONE_LAYOUT_H
#define LORIS_STACK_CLASSIC_NONE_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "block.h"
#include "errors.h"

#define SUPER_MAGIC UINT64_C(0x312d43746c757353)
#define SUPER_VERSION 1u
#define SUPER_BYTES 512u
#define GROUP_BLOCKS 4096u
#define GROUP_INODES 1024u
#define GROUP_META_BLOCKS 66u /* two bitmaps and the inodes, before the data of a group */
#define INODE_BYTES 256u
#define INODES_A_BLOCK (BLOCK_BYTES / INODE_BYTES)
#define INODE_DIRECT 12u
#define INODE_POINTERS 15u
#define INODE_INLINE 140u
#define POINTERS_A_BLOCK 1020u
#define INO_NONE 0u
#define INO_ROOT 1u
#define INO_SET_ASIDE 2u
#define INO_FIRST 3u
#define CHUNK_BYTES 512u
#define ENTRY_BYTES 8u /* of a directory entry before the name */

/* A group that has no room for its own bitmaps, inodes and one data block is not made. */
#define GROUP_BLOCKS_MIN (GROUP_META_BLOCKS + 1u)

struct super {
    uint64_t blocks; /* of the volume; the last one holds the copy of the superblock */
    uint32_t groups;
    bool clean;
    uint64_t uuid[2];
};

struct disk_inode {
    uint32_t type, mode; /* enum vfs_type, 0: free; permission bits */
    uint32_t nlink, uid, gid, generation;
    uint64_t size, mtime_ns, ctime_ns;
    uint32_t blocks; /* allocated, indirect ones included */
    uint32_t pointer[INODE_POINTERS];
    uint8_t inlined[INODE_INLINE]; /* target of a short symbolic link */
};

struct disk_entry {
    uint32_t ino;    /* 0: free */
    uint32_t length; /* to the next entry, this header included */
    uint32_t name_bytes, type;
};

void super_encode(uint8_t raw[SUPER_BYTES], const struct super *super);
/* E_CORRUPT; E_VERSION. `disk_blocks`: size of the volume that it was read from. */
MUST_USE enum err super_decode(struct super *super, const uint8_t raw[SUPER_BYTES],
                               uint64_t disk_blocks);

void inode_encode(uint8_t raw[INODE_BYTES], const struct disk_inode *inode);
/* E_CORRUPT: bad checksum or type. Pointers are not judged. */
MUST_USE enum err inode_decode(struct disk_inode *inode, const uint8_t raw[INODE_BYTES]);

void entry_encode(uint8_t raw[ENTRY_BYTES], const struct disk_entry *entry);
/* at: offset in the chunk. E_CORRUPT: it leaves the chunk, or its name leaves it. */
MUST_USE enum err entry_decode(struct disk_entry *entry, const uint8_t *chunk, uint32_t at);
/* Bytes that an entry with such a name needs. */
uint32_t entry_room(uint32_t name_bytes);

/* How many groups a volume has: the last may be short. */
uint32_t layout_groups(uint64_t blocks);
uint32_t group_first(uint32_t group);                   /* block of its block bitmap */
uint32_t group_length(uint32_t group, uint64_t blocks); /* blocks in it, meta included */
uint32_t inode_block(uint32_t ino);                     /* block that holds it */
uint32_t inode_offset(uint32_t ino);                    /* bytes into that block */
bool layout_is_data(uint64_t blocks, uint32_t block);   /* may a pointer name it? */

#endif
