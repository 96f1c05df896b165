/*
 * Layout C (../none/FORMAT.md): superblock, groups with bitmaps and inode tables, indirect blocks.
 * What none, ffs and journal have in common above the cache; its functions fill a struct store, by
 * themselves or wrapped in the design's own.
 *
 * Blocks are numbered from 0 in the logical volume, in 32 bits; 0 in a pointer is a hole. Inode n
 * is in group n / 1024; inode 0 means none, 1 is the root, 2 is lost+found. The key of a buffer is
 * its block's number.
 *
 * c_layout.c  encoding       c_space.c  bitmaps                  c_file.c   blocks of files
 * c_inode.c   the table      c_map.c    file block -> disk block c_volume.c format, mount, stop
 * c_sums.c    checksums of metadata, if the volume has them
 */
#ifndef LORIS_STACK_CLASSIC_COMMON_LAYOUT_C_H
#define LORIS_STACK_CLASSIC_COMMON_LAYOUT_C_H

#include "fs.h"

#define SUPER_MAGIC UINT64_C(0x312d43746c757353)
#define SUPER_VERSION 1u
#define SUPER_VERSION_SUMS 2u /* with checksums of metadata */
#define SUM_TAIL_BYTES 16u    /* that end each block of metadata but those of the inodes then */
#define SUPER_BYTES 512u
#define SUPER_CLEAN 1u /* field `clean` */
#define SUPER_LEAKS 2u
#define GROUP_BLOCKS 4096u
#define GROUP_INODES 1024u
#define GROUP_META_BLOCKS 66u /* two bitmaps and the inodes, before the data of a group */
#define INODE_BYTES 256u
#define INODES_A_BLOCK (BLOCK_BYTES / INODE_BYTES)
#define INODE_DIRECT 12u
#define INODE_POINTERS 15u
#define POINTERS_A_BLOCK 1020u
#define LEVELS_MAX 3u
#define INO_ROOT 1u
#define INO_LOST_FOUND 2u
#define INO_FIRST 3u

/* A group that has no room for its own bitmaps, inodes and one data block is not made. */
#define GROUP_BLOCKS_MIN (GROUP_META_BLOCKS + 1u)

#define FILE_BLOCKS_MAX                                                                            \
    (INODE_DIRECT + (uint64_t)POINTERS_A_BLOCK + (uint64_t)POINTERS_A_BLOCK * POINTERS_A_BLOCK +   \
     (uint64_t)POINTERS_A_BLOCK * POINTERS_A_BLOCK * POINTERS_A_BLOCK)

struct super {
    uint64_t blocks; /* of the volume; the last one holds the copy of the superblock */
    uint32_t groups;
    bool clean;
    bool leaks; /* if not clean: bitmaps and counts err towards used only (ffs) */
    bool sums;  /* metadata has checksums */
    uint64_t uuid[2];
    uint32_t log_first, log_blocks; /* journal; 0 else */
    uint64_t log_uuid[2];
};

/* struct inode.own of layout C. */
struct inode_c {
    uint32_t pointer[INODE_POINTERS];
    uint32_t goal; /* where its last block was put; memory only */
};

struct group {
    uint32_t free_blocks, free_inodes; /* UINT32_MAX: not counted yet */
    uint32_t inode_hint;
};

/* What a design adds to the layout. */
struct hooks_c {
    /* A block of inode i that nothing in memory leads to any more. c_block_clear, at once or when
     * it may be used again. An error: it is leaked. */
    enum err (*block_freed)(struct fs *fs, struct inode *i, uint32_t block);
    /* Optional: blocks and the group's free counts may miss some that come free by and by: makes
     * them free now; true: worth another look. */
    bool (*reclaim)(struct fs *fs);
    /* It calls c_sums_changed and c_sums_seal: a volume may have checksums of metadata. */
    bool sums;
    /* Optional: more of a format, after the groups and the root are made and before the flush. */
    enum err (*format)(struct fs *fs);
};

/* struct buffer.sum. */
enum sum {
    SUM_NONE,    /* read and not looked at, or data */
    SUM_TAIL,    /* its tail was right, or it was made here: it is sealed when it is written */
    SUM_RECORDS, /* inodes, each with its own */
};

struct volume_c {
    const struct hooks_c *hooks;
    struct super super;
    uint8_t *super_page; /* a block, for reading and writing the superblock */
    struct group *group;
};

static inline struct inode_c *inode_c(const struct inode *i)
{
    return i->own;
}

/* ---- c_layout.c: encoding ---- */

void super_encode(uint8_t raw[SUPER_BYTES], const struct super *super);
/* E_CORRUPT; E_VERSION. `disk_blocks`: size of the volume that it was read from. */
MUST_USE enum err super_decode(struct super *super, const uint8_t raw[SUPER_BYTES],
                               uint64_t disk_blocks);
void inode_encode(uint8_t raw[INODE_BYTES], const struct attributes *d,
                  const uint32_t pointer[INODE_POINTERS]);
/* E_CORRUPT: bad checksum or type. Pointers are not judged. */
MUST_USE enum err inode_decode(struct attributes *d, uint32_t pointer[INODE_POINTERS],
                               const uint8_t raw[INODE_BYTES]);
/* The same in a volume with checksums of metadata: the record's has the inode's number in it. */
void inode_bind(uint8_t raw[INODE_BYTES], uint32_t ino);
bool inode_is_bound(const uint8_t raw[INODE_BYTES], uint32_t ino);
MUST_USE enum err inode_decode_bound(struct attributes *d, uint32_t pointer[INODE_POINTERS],
                                     const uint8_t raw[INODE_BYTES], uint32_t ino);
/* How many groups a volume has: the last may be short. */
uint32_t layout_groups(uint64_t blocks);
uint32_t group_first(uint32_t group);                   /* block of its block bitmap */
uint32_t group_length(uint32_t group, uint64_t blocks); /* blocks in it, meta included */
uint32_t inode_block(uint32_t ino);                     /* block that holds it */
uint32_t inode_offset(uint32_t ino);                    /* bytes into that block */
bool layout_is_data(uint64_t blocks, uint32_t block);   /* may a pointer name it? */

/* ---- c_space.c: bitmaps ---- */

/* A free block, near goal (any block number, 0: none). c_no_space. */
MUST_USE enum err c_block_take(struct fs *fs, uint32_t goal, uint32_t *block);
/* Its bit goes and its buffer is forgotten. Blocks that are no data are ignored: the disk may say
 * anything. */
MUST_USE enum err c_block_clear(struct fs *fs, uint32_t block);
/* hooks_c.block_freed of whoever may use it again at once. */
MUST_USE enum err c_block_freed(struct fs *fs, struct inode *i, uint32_t block);
/* store->inode_take, inode_free. */
MUST_USE enum err c_inode_take(struct fs *fs, uint32_t near, uint32_t *ino, uint32_t *generation);
MUST_USE enum err c_inode_free(struct fs *fs, uint32_t ino);
/* Free blocks of the whole volume; stops counting at `enough`. Those of a group whose bitmap cannot
 * be read cannot be given out, so they do not count. */
uint64_t c_space_count(struct fs *fs, uint64_t enough);
/* What to answer when no block is free: E_NOSPC; E_MEDIA, E_CORRUPT if some bitmap cannot be read,
 * which may have had one. */
MUST_USE enum err c_no_space(struct fs *fs);
/* The bitmaps on disk were written anew (recovery): counts are made again. */
void c_space_forget(struct fs *fs);

/* ---- c_inode.c: store->inode_* ---- */

MUST_USE enum err c_inode_load(struct fs *fs, struct inode *i);
MUST_USE enum err c_inode_prepare(struct fs *fs, struct inode *i);
void c_inode_store(struct fs *fs, struct inode *i);

/* As the volume has it: bound or not. E_CORRUPT. */
MUST_USE enum err c_inode_decode(const struct fs *fs, struct attributes *d,
                                 uint32_t pointer[INODE_POINTERS], const uint8_t raw[INODE_BYTES],
                                 uint32_t ino);

/* ---- c_sums.c ---- */

/* A block of metadata by its number: a bitmap (owner 0) or one of the inodes' table, or a block of
 * a directory or of pointers, whose owner is its inode. E_CORRUPT: its checksum is wrong, however
 * often it is read. */
MUST_USE enum err c_get_meta(struct fs *fs, uint32_t block, uint32_t owner, struct buffer **b);
/* It has a tail from now on. By a format; else c_sums_changed does it. */
void c_sums_made(struct fs *fs, struct buffer *b, uint32_t owner);
/* In store->changed. */
void c_sums_changed(struct fs *fs, const struct change *c);
/* page: a copy of the buffer that goes to disk, or its own page if nobody changes it meanwhile. */
void c_sums_seal(const struct buffer *b, uint8_t *page);

/* ---- c_map.c ---- */

/* Disk block of a file block, 0: hole. E_CORRUPT: a pointer out of range. */
MUST_USE enum err c_map_find(struct fs *fs, struct inode *i, uint64_t at, uint32_t *block);
/* The same, allocating; *fresh: it was a hole, and the block is in the cache, dirty: zeroed, or
 * undefined if `whole`, when the caller overwrites it before anything else. i is dirty already. */
MUST_USE enum err c_map_make(struct fs *fs, struct inode *i, uint64_t at, bool whole,
                             uint32_t *block, bool *fresh);
/* store->cut. What cannot be freed is leaked and reported. */
MUST_USE enum err c_cut(struct fs *fs, struct inode *i);

/* ---- c_file.c: store->block_*, reserve ---- */

MUST_USE enum err c_block_get(struct fs *fs, struct inode *i, uint64_t at, struct buffer **b);
MUST_USE enum err c_block_make(struct fs *fs, struct inode *i, uint64_t at, bool whole,
                               struct buffer **b, bool *fresh);
MUST_USE enum err c_blocks_find(struct fs *fs, struct inode *i, uint64_t at, uint32_t *count,
                                struct want *want);
MUST_USE enum err c_reserve(struct fs *fs, struct inode *i, uint64_t first, uint64_t last);
/* The block by its number. */
MUST_USE enum err c_get(struct fs *fs, uint32_t block, struct buffer **b);

/* ---- c_volume.c ---- */

/* For store->init: makes fs->c. */
MUST_USE enum err c_init(struct fs *fs, const struct hooks_c *hooks);
/* store->format; and the part of store->load that reads the superblock. */
MUST_USE enum err c_format(struct fs *fs, uint64_t blocks);
MUST_USE enum err c_load(struct fs *fs, uint64_t blocks);
/* Writes the superblock at block 0 (copy: at the end) as it is in memory. fua: stable when it
 * returns. */
MUST_USE enum err c_super_write(struct fs *fs, bool copy, bool fua);
/* Before the first change after a mount or an orderly stop: the superblock is no longer clean. */
MUST_USE enum err c_touch(struct fs *fs, bool fua);
/* Flush, superblock clean in both places, flush. */
MUST_USE enum err c_mark_clean(struct fs *fs);
/* store->sync, c_mark_clean; caches are emptied. c_format ends with store->unmount. */
request_fn c_unmount, c_statfs;

#endif
