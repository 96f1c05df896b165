/*
 * A table with one entry a block, in which files are chains (CS 423: "file system as a table").
 *
 * main.c   the store, requests          table.c   entries, the table in the cache, its writing
 * chain.c  blocks of files              rounds.c  delayed data: data, entries, tails, heads
 * head.c   inodes                       recover*.c after a crash: the scan
 * volume.c format, mount, stop
 *
 * Names are stable when a request on them returns; data and what is appended are delayed. A table
 * block with delayed entries has a shadow: what of it may be on disk. Immediate changes go to both,
 * delayed ones to memory until their round copies them over.
 *
 * Invariants: (1) what is written of a table block is its shadow, if it has one; both copies of the
 * table get the same; (2) a block of the table that has a shadow is pinned; (3) an entry is free in
 * `map` only if nothing on disk leads to it and nothing in memory uses it; (4) of an inode in
 * memory that is not `delayed`, chain, sizes and head on disk are those in memory.
 */
#ifndef LORIS_STACK_CLASSIC_FAT_FAT_H
#define LORIS_STACK_CLASSIC_FAT_FAT_H

#include "fs.h"

#define ENTRY_TABLE_BYTES 64u
#define ENTRIES_A_BLOCK (BLOCK_BYTES / ENTRY_TABLE_BYTES)
#define ENTRY_END UINT32_MAX
#define FAT_ROOT 1u
#define MARKS_MAX 1024u

enum entry_state { STATE_FREE, STATE_HEAD, STATE_BODY };

struct table_entry {
    uint32_t next; /* 0: free, ENTRY_END: last */
    enum entry_state state;
    uint32_t type; /* HEAD: enum vfs_type */
    uint32_t used; /* bytes in the last block */
    uint32_t head, generation, number;
    uint64_t linked_ns;
    uint32_t mode, nlink, uid, gid; /* HEAD, as what follows */
    uint64_t mtime_ns, ctime_ns;
};

/* What may be on disk of a table block. */
struct shadow {
    uint8_t *page;
    struct shadow *next; /* free ones */
    bool marked;         /* written at the end of this round */
};

/* struct inode.own */
struct chain {
    uint32_t entries, last;               /* in memory */
    uint32_t stable_entries, stable_last; /* on disk */
    uint32_t stable_used;
    uint32_t stable_nlink;
    uint32_t cursor_at, cursor; /* the last one looked up: file block, entry */
    bool on_disk;               /* the head is */
    bool filled;                /* the head's own block has content; not while the file is empty */
    bool delayed;               /* rounds have something to do */
};

struct fat {
    uint64_t blocks;               /* of the volume */
    uint32_t entries;              /* numbers 1 .. entries - 1 are blocks */
    uint32_t table_blocks, tables; /* of one copy; copies */
    uint32_t data_first;           /* block of entry 0, which has none */
    bool clean;
    uint64_t uuid[2];
    uint8_t *super_page;
    uint8_t *map; /* a bit an entry: 1 taken */
    uint32_t free, hint;
    uint32_t generation;       /* above every one on disk */
    uint64_t delayed_since_ns; /* the oldest delayed change; 0: none */
    bool unflushed;            /* data were written since the last flush of a round */
    struct shadow *free_shadows;
    uint32_t shadows;               /* in use */
    struct buffer *mark[MARKS_MAX]; /* table blocks to be written in this round */
    uint32_t marks;
};

static inline struct fat *fat(const struct fs *fs)
{
    return fs->own;
}

static inline struct chain *chain_of(const struct inode *i)
{
    return i->own;
}

/* ---- table.c ---- */

void table_encode(uint8_t raw[ENTRY_TABLE_BYTES], const struct table_entry *t);
/* E_CORRUPT: no state or type, or a next out of range. */
MUST_USE enum err table_decode(struct table_entry *t, const uint8_t raw[ENTRY_TABLE_BYTES],
                               uint32_t entries);
/* The entry as memory has it. E_MEDIA: both copies are out of reach. */
MUST_USE enum err table_get(struct fs *fs, uint32_t entry, struct table_entry *t);
/* The table block of an entry. */
MUST_USE enum err table_block(struct fs *fs, uint32_t entry, struct buffer **b);
/* Changes the entry in memory alone; its block is in the cache. */
void table_put_delayed(struct fs *fs, uint32_t entry, const struct table_entry *t);
/* In memory and in what goes to disk with the next table_write_marked. */
void table_put(struct fs *fs, uint32_t entry, const struct table_entry *t);
/* The entry as memory has it may go to disk with the next table_write_marked. */
void table_release(struct fs *fs, uint32_t entry);
/* The entry as the disk may have it. */
void table_get_stable(struct fs *fs, uint32_t entry, struct table_entry *t);
/* Changes that, and not memory. */
void table_put_stable(struct fs *fs, uint32_t entry, const struct table_entry *t);
/* Writes what was marked, all copies, and makes it stable. OK, or why it is read-only. */
MUST_USE enum err table_write_marked(struct fs *fs);
/* Writes one block of metadata that is no table's, and makes it stable. */
MUST_USE enum err table_write_other(struct fs *fs, struct buffer *b);
uint32_t table_disk_block(const struct fs *fs, uint32_t entry, uint32_t copy);

/* ---- chain.c ---- */

/* The entry of file block `at`, which the chain has. */
MUST_USE enum err chain_find(struct fs *fs, struct inode *i, uint64_t at, uint32_t *entry);
/* Takes a free entry; E_NOSPC. */
MUST_USE enum err chain_take(struct fs *fs, uint32_t near, uint32_t *entry);
void chain_give(struct fs *fs, uint32_t entry);
/* The chain covers i->d.size: zeros are appended. There is room. */
void chain_extend(struct fs *fs, struct inode *i);
MUST_USE enum err chain_block_get(struct fs *fs, struct inode *i, uint64_t at, struct buffer **b);
MUST_USE enum err chain_block_make(struct fs *fs, struct inode *i, uint64_t at, bool whole,
                                   struct buffer **b, bool *fresh);
MUST_USE enum err chain_blocks_find(struct fs *fs, struct inode *i, uint64_t at, uint32_t *count,
                                    struct want *want);
MUST_USE enum err chain_cut(struct fs *fs, struct inode *i);
MUST_USE enum err chain_reserve(struct fs *fs, struct inode *i, uint64_t first, uint64_t last);
/* Bytes in the last block as memory has it. */
uint32_t chain_used(const struct inode *i);

/* ---- head.c: store->inode_* ---- */

MUST_USE enum err head_load(struct fs *fs, struct inode *i);
MUST_USE enum err head_prepare(struct fs *fs, struct inode *i);
void head_store(struct fs *fs, struct inode *i);
MUST_USE enum err head_take(struct fs *fs, uint32_t near, uint32_t *ino, uint32_t *generation);
MUST_USE enum err head_free(struct fs *fs, uint32_t ino);

/* ---- rounds.c ---- */

/* Something of it is in memory alone. */
void rounds_delay(struct fs *fs, struct inode *i);
/* Data, entries, tail, head: of one inode, or (NULL) of all. OK, or why it is read-only. */
MUST_USE enum err rounds_run(struct fs *fs, struct inode *i);
void rounds_alarm(struct fs *fs);

/* ---- volume.c, recover.c ---- */

MUST_USE enum err volume_format(struct fs *fs, uint64_t blocks);
MUST_USE enum err volume_load(struct fs *fs, uint64_t blocks);
/* Before the first change: no longer clean. */
MUST_USE enum err volume_touch(struct fs *fs);
request_fn volume_unmount, volume_statfs;
/* Reads the table: the map of free entries; after a crash also what mends it. */
MUST_USE enum err recover_scan(struct fs *fs, bool clean);

#endif
