/*
 * The bytes of one disk, as FORMAT.md describes them: where things lie, and how each record is
 * encoded and decoded. Pure functions: no I/O, no state but what the caller lends.
 *
 * Invariants:
 *   (1) every block of the disk belongs to exactly one of: roots, intent region, log region, zone
 * A, data or zone B of one group, the unused margins; (2) phys_layout_twin(phys_layout_twin(a)) ==
 * a, and the two lie at least 1 MiB apart, as a block and its second copy do; (3) what decode
 * accepts, encode gives back byte for byte.
 */
#ifndef LORIS_STACK_LORIS_PHYSICAL_FORMAT_H
#define LORIS_STACK_LORIS_PHYSICAL_FORMAT_H

#include "object.h"

#define FORMAT_VERSION 1u
#define FORMAT_HEAD_BYTES 64u
#define FORMAT_FANOUT 252u     /* pointers of a tree node: (4096 - 64) / 16 */
#define FORMAT_LEAF_INODES 15u /* inodes of a leaf: (4096 - 64) / 256 */
#define FORMAT_INODE_BYTES 256u
#define FORMAT_INODE_POINTERS 9u
#define FORMAT_POINTER_BYTES 16u
#define FORMAT_INTENTS 126u /* entries of an intent block: (4096 - 64) / 32 */
#define FORMAT_INTENT_BYTES 32u
#define FORMAT_GROUP_BLOCKS 32256u /* bits of a map block: (4096 - 64) * 8 */
#define FORMAT_GROUP_MIN 1024u     /* a shorter tail of the disk stays unused */
#define FORMAT_GROUPS_MAX 2048u    /* 252 GiB; what lies beyond stays unused */
#define FORMAT_MARGIN 16u          /* blocks at either end that hold roots or nothing */
#define FORMAT_ROOT_BYTES 512u
#define FORMAT_HEIGHT_MAX 6u
#define FORMAT_DISK_BLOCKS_MIN 2048u /* 8 MiB */

#define OID_INODES UINT64_C(0) /* the inode file */
#define OID_MAP UINT64_C(2)    /* the allocation map */

/* Level of a log segment that ends its group. */
#define LOG_GROUP_END 1u

/* Level of an intent block whose data lie in the blocks of the region after it. */
#define INTENT_WITH_DATA 1u

enum format_type { TYPE_LEAF = 1, TYPE_NODE = 2, TYPE_MAP = 3, TYPE_INTENT = 4, TYPE_LOG = 5 };

/* Flags of a pointer and of an inode beside those of object.h. */
#define POINTER_BAD 1u /* content known lost */
#define INODE_HOLES_LOST                                                                           \
    (UINT32_C(1) << 31) /* being mended: a null pointer is no hole but a loss */

struct layout {
    uint64_t blocks; /* of the disk */
    uint64_t intent_first;
    uint32_t intent_blocks;
    uint64_t log_first;
    uint32_t log_blocks;  /* 0: no region of the log */
    uint64_t group_first; /* first block of group 0 */
    uint64_t group_end;   /* first block after the last group */
    uint32_t groups;
    uint32_t copies; /* of each metadata block: 1 or 2 */
};

struct pointer {
    uint64_t address; /* 0: null */
    uint32_t flags, crc, birth;
};

struct block_head {
    uint32_t type, level, count;
    uint64_t address, owner, index, epoch;
    uint64_t disk_uuid[2];
};

/* A root as on disk: the part that logical sees, and what leads to the tree. */
struct root {
    struct object_root id;
    uint64_t blocks;      /* size of the disk when it was formatted */
    uint64_t intent_head; /* sequence of the next intent block */
    uint64_t used_data, used_slots;
    uint8_t inodes[FORMAT_POINTER_BYTES];
    uint32_t height;                 /* of the inode file's tree */
    uint32_t data_group, slot_group; /* where blocks were found last: hints */
    uint32_t intent_blocks, log_blocks;
    uint32_t copies; /* of metadata blocks */
};

/* log: with a region of the log; copies of each metadata block. E_INVAL: too small a disk. */
MUST_USE enum err phys_layout_init(struct layout *l, uint64_t blocks, bool log, uint32_t copies);
uint64_t phys_layout_group_start(const struct layout *l, uint32_t group);
uint32_t phys_layout_group_blocks(const struct layout *l, uint32_t group);
/* Blocks of zone A, and of zone B: `copies` for each slot. */
uint32_t phys_layout_zone_blocks(const struct layout *l, uint32_t group);
uint32_t phys_layout_slots(const struct layout *l, uint32_t group);
/* Group of an address inside the groups. */
uint32_t phys_layout_group_of(const struct layout *l, uint64_t address);
/* In the data part of a group; one of the two places of a slot (no second copy). */
bool phys_layout_is_data(const struct layout *l, uint64_t address);
bool phys_layout_is_slot(const struct layout *l, uint64_t address);
/* The other place of a metadata block; the place in zone A, which the map speaks of. */
uint64_t phys_layout_twin(const struct layout *l, uint64_t address);
uint64_t phys_layout_slot(const struct layout *l, uint64_t address);
/* Where the second copy of the metadata block at this place is; with two copies. */
uint64_t phys_layout_second(const struct layout *l, uint64_t address);
/* First sector of a copy (0, 1) of a root slot (0, 1). */
uint64_t phys_layout_root_sector(const struct layout *l, uint32_t slot, uint32_t copy);

void phys_pointer_decode(struct pointer *p, const uint8_t raw[FORMAT_POINTER_BYTES]);
void phys_pointer_encode(uint8_t raw[FORMAT_POINTER_BYTES], const struct pointer *p);

void phys_block_head_encode(uint8_t raw[FORMAT_HEAD_BYTES], const struct block_head *head);
/* OK; E_CORRUPT: not such a block, or written for another place, disk or owner; E_VERSION. */
MUST_USE enum err phys_block_head_check(const uint8_t raw[FORMAT_HEAD_BYTES],
                                        const struct block_head *want);

/* Intent blocks, and heads of log segments, have a checksum of their own, since no parent names
 * them. */
void phys_intent_block_seal(uint8_t raw[BLOCK_BYTES]);
MUST_USE enum err phys_intent_block_decode(struct block_head *head, uint8_t raw[BLOCK_BYTES],
                                           uint64_t address, const uint64_t disk_uuid[2]);
MUST_USE enum err phys_log_head_decode(struct block_head *head, uint8_t raw[BLOCK_BYTES],
                                       uint64_t address, const uint64_t disk_uuid[2]);
/* Where in the head of a segment the CRC of its k-th block is. */
#define LOG_CRC(k) (FORMAT_HEAD_BYTES + OBJECT_LOG_CRC_BYTES * (size_t)(k))
void phys_intent_entry_encode(uint8_t *raw, const struct object_intent *intent);
void phys_intent_entry_decode(struct object_intent *intent, const uint8_t *raw);

void phys_root_encode(uint8_t raw[FORMAT_ROOT_BYTES], const struct root *root, uint64_t sector);
/* OK, E_CORRUPT, E_VERSION. */
MUST_USE enum err phys_root_decode(struct root *root, const uint8_t raw[FORMAT_ROOT_BYTES],
                                   uint64_t sector);

/* Inode fields, by place inside the 256 bytes. */
#define INODE_OID 0u
#define INODE_FLAGS 8u
#define INODE_HEIGHT 12u
#define INODE_SIZE 16u
#define INODE_BLOCKS 24u
#define INODE_LSN 32u
#define INODE_ATTR 48u
#define INODE_POINTER(k) (112u + FORMAT_POINTER_BYTES * (k))

#endif
