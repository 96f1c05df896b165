/*
 * The control: an ext2-like file system in place, without any order of writes and without recovery.
 * State of the process and the functions between its files.
 *
 * cache.c     blocks in memory, reading         space.c   bitmaps of blocks and inodes
 * writeback.c dirty blocks to disk              inode.c   inodes in memory
 * map.c       file block -> disk block          index.c   which name is where, in memory
 * file.c      read, write, truncate             dir.c     entries of directories
 * names.c     requests on names                 mount.c   format, mount, orderly stop
 *
 * Invariants:
 *   (1) a buffer is in the hash iff its block != 0, and is then on exactly one of: the LRU ring
 * (clean and not being written), the dirty ring, or neither (being read or written); (2) a buffer
 * that was got stays in memory over the next GETS_SAFE gets; (3) an inode in memory that is dirty
 * has its table block dirty in the cache, so it is encoded there without reading when that block is
 * written; (4) two writes under way never overlap: a buffer is sent again only after its last write
 * is answered; (5) an indexed directory has all its entries but "." and ".." in the index.
 */
#ifndef LORIS_STACK_CLASSIC_NONE_NONE_H
#define LORIS_STACK_CLASSIC_NONE_NONE_H

#include "block.h"
#include "layout.h"
#include "vfs.h"

#define BUFFER_CHUNK 64u   /* buffers that are allocated at once: memory is touched as needed */
#define BUFFERS_MIN 128u   /* of a cache of half a MiB, the smallest that can be asked for */
#define BUFFERS_MAX 10240u /* 40 MiB: the rest of the arena is for what describes them */
#define GETS_SAFE 16u
#define INODE_CHUNK 32u
#define INODES_MAX 2048u /* in memory */
#define INODE_BUCKETS 1024u
#define NAME_CHUNK 256u
#define NAMES_MAX 65536u /* in the index */
#define NAME_BUCKETS 4096u
#define RUNS_MAX 12u   /* writes under way */
#define READS_MAX 8u   /* reads under way of one request */
#define READ_AHEAD 32u /* blocks: 128 KiB, as Linux reads ahead */
#define WRITE_RUN_BLOCKS 64u
#define LISTING_BYTES 16384u

struct inode;

struct buffer {
    uint8_t *page;
    uint32_t block; /* 0: free */
    bool dirty, writing, loading;
    struct buffer *hash_next;
    struct buffer *lru_prev, *lru_next;     /* clean */
    struct buffer *dirty_prev, *dirty_next; /* dirty, oldest first */
    struct buffer *own_prev, *own_next;     /* dirty, of the same inode */
    struct inode *owner;                    /* while dirty: whose fsync writes it; or NULL */
    struct inode *inodes;                   /* a block of the inode table: dirty ones in it */
    uint64_t dirty_since_ns;
};

struct inode {
    uint32_t ino; /* 0: free */
    bool dirty, indexed, orphan;
    struct disk_inode d;
    struct inode *hash_next, *lru_prev, *lru_next;
    struct inode *table_next;  /* dirty, in the same block of the table */
    struct buffer *dirty_head; /* its dirty blocks */
    uint32_t goal;             /* where its last block was put */
    uint64_t read_end;         /* where the last read ended: a read from here is sequential */
    uint32_t free_bytes;       /* indexed directory: room inside its chunks */
    uint32_t chunk_hint;       /* indexed directory: chunk that had room last */
};

struct name {
    struct name *next;
    uint32_t dir, hash, offset; /* offset of the entry in the directory, bytes */
};

struct run { /* one write under way */
    uint32_t slot, count;
    struct buffer *buffer[WRITE_RUN_BLOCKS];
};

struct group {
    uint32_t free_blocks, free_inodes; /* UINT32_MAX: not counted yet */
    uint32_t inode_hint;
};

struct none {
    struct block_client client;
    struct stack_options options;
    struct super super;
    uint8_t *super_page;   /* a block, for reading and writing the superblock */
    enum err mount_status; /* OK, or why there is nothing to serve */
    bool read_only;
    enum err write_error; /* why it is read-only */
    uint32_t vfs;         /* endpoint of the request being served */
    uint64_t now_ns;      /* at the start of the request */

    struct buffer **bucket;
    uint32_t bucket_mask;
    uint32_t buffers, buffers_max;
    struct buffer *free_buffers;  /* by hash_next */
    struct buffer lru, dirty;     /* heads of rings */
    uint32_t dirty_count;         /* dirty or being written */
    uint32_t *order, *sync_order; /* block numbers to write, ascending */
    uint32_t order_count, order_at;
    struct run run[RUNS_MAX];
    uint32_t run_first, runs; /* ring */
    uint64_t alarm_ns;

    struct inode *inode_bucket[INODE_BUCKETS];
    struct inode *free_inodes;
    struct inode inode_lru;
    uint32_t inodes;

    struct name *name_bucket[NAME_BUCKETS];
    struct name *free_names;
    uint32_t names;

    struct group *group;
    uint64_t planted_unlinks;

    uint8_t name[VFS_NAME_MAX + 1], name2[VFS_NAME_MAX + 1];
    uint32_t name_bytes, name2_bytes;
    uint8_t listing[LISTING_BYTES];
};

/* ---- cache.c ---- */

MUST_USE enum err cache_init(struct none *n);
/* The block's buffer, read if need be. E_MEDIA. */
MUST_USE enum err cache_get(struct none *n, uint32_t block, struct buffer **out);
/* The block's buffer without reading; zeroed. For blocks that were just allocated. */
struct buffer *cache_get_new(struct none *n, uint32_t block);
/* Without reading, content undefined: the caller overwrites all of it. */
struct buffer *cache_get_overwrite(struct none *n, uint32_t block);
/* Reads those of the blocks that are not here, as many at once as fit. Best effort. */
void cache_prefetch(struct none *n, const uint32_t *blocks, uint32_t count);
/* It was changed. owner: whose fsync has to write it, or NULL. */
void cache_dirty(struct none *n, struct buffer *b, struct inode *owner);
/* The block was freed: its content need not be written. */
void cache_forget(struct none *n, uint32_t block);
/* Forgets everything; nothing may be dirty. */
void cache_drop(struct none *n);
struct buffer *cache_find(struct none *n, uint32_t block);
/* For writeback.c: off the dirty lists, before it is sent; and after the answer. */
void cache_undirty(struct buffer *b);
void cache_written(struct none *n, struct buffer *b);

/* ---- writeback.c ---- */

/* Starts to write what has been dirty since before `since_ns`, if nothing is being written back. */
void writeback_start(struct none *n, uint64_t since_ns);
/* Collects what is answered and sends more. Never waits. */
void writeback_pump(struct none *n);
/* Waits until at most half of the cache is dirty. */
void writeback_throttle(struct none *n);
/* Writes the dirty blocks of one inode, NULL: of all, and waits. OK or why a write failed. */
MUST_USE enum err writeback_sync(struct none *n, struct inode *inode);
/* The alarm rang: the update daemon. */
void writeback_daemon(struct none *n);
void writeback_set_alarm(struct none *n);
/* From cache.c: waits for the oldest write under way; false if there is none. */
bool writeback_wait_one(struct none *n);

/* ---- space.c ---- */

/* A free block, near goal (any block number, 0: none). E_NOSPC. */
MUST_USE enum err space_take_block(struct none *n, uint32_t goal, uint32_t *block);
/* Blocks beyond the volume are ignored: the disk may say anything. */
MUST_USE enum err space_free_block(struct none *n, uint32_t block);
MUST_USE enum err space_take_inode(struct none *n, uint32_t near, uint32_t *ino);
MUST_USE enum err space_free_inode(struct none *n, uint32_t ino);
/* Free blocks of the whole volume; stops counting at `enough`. Those of a group whose bitmap cannot
 * be read cannot be given out, so they do not count. */
uint64_t space_count(struct none *n, uint64_t enough);

/* ---- inode.c ---- */

/* The inode in memory; valid until the request ends. E_NOENT: free or no such number. */
MUST_USE enum err inode_get(struct none *n, uint64_t ino, struct inode **out);
/* A fresh inode of a number that is taken already. */
MUST_USE enum err inode_make(struct none *n, uint32_t ino, uint32_t type, struct inode **out);
/* A fresh inode near another, nlink 0. */
MUST_USE enum err inode_new(struct none *n, uint32_t near, uint32_t type, struct inode **out);
MUST_USE enum err inode_dirty(struct none *n, struct inode *i);
/* Writes all dirty inodes of this table block into it. */
void inode_encode_block(struct none *n, struct buffer *b);
/* Frees its blocks and its number. */
MUST_USE enum err inode_delete(struct none *n, struct inode *i);
/* Forgets all but what must stay (all: even that; nothing may be dirty). */
void inode_drop_all(struct none *n);
void inode_stat(const struct inode *i, struct vfs_stat *stat);

/* ---- map.c ---- */

/* Disk block of a file block, 0: hole. E_CORRUPT: a pointer out of range. */
MUST_USE enum err map_find(struct none *n, struct inode *i, uint64_t at, uint32_t *block);
/* The same, allocating; *fresh: it was a hole. */
MUST_USE enum err map_make(struct none *n, struct inode *i, uint64_t at, uint32_t *block,
                           bool *fresh);
/* Frees everything from file block `from` on. An error: nothing has changed. What cannot be freed
 * is leaked and reported. */
MUST_USE enum err map_cut(struct none *n, struct inode *i, uint64_t from);
#define FILE_BLOCKS_MAX                                                                            \
    (INODE_DIRECT + (uint64_t)POINTERS_A_BLOCK + (uint64_t)POINTERS_A_BLOCK * POINTERS_A_BLOCK +   \
     (uint64_t)POINTERS_A_BLOCK * POINTERS_A_BLOCK * POINTERS_A_BLOCK)

/* ---- file.c ---- */

MUST_USE enum err file_read(struct none *n, const struct vfs_request *in, struct vfs_reply *out);
MUST_USE enum err file_write(struct none *n, const struct vfs_request *in, struct vfs_reply *out);
MUST_USE enum err file_truncate(struct none *n, const struct vfs_request *in,
                                struct vfs_reply *out);
MUST_USE enum err file_fsync(struct none *n, const struct vfs_request *in, struct vfs_reply *out);
MUST_USE enum err file_readlink(struct none *n, const struct vfs_request *in,
                                struct vfs_reply *out);
/* Makes `bytes` of n->listing the target of a new link. */
MUST_USE enum err file_set_target(struct none *n, struct inode *link, uint32_t bytes);

/* ---- dir.c, index.c ---- */

struct found {
    uint32_t ino, type;
    uint32_t offset; /* of the entry, bytes */
};
/* E_NOENT, E_CORRUPT, E_MEDIA. */
MUST_USE enum err dir_find(struct none *n, struct inode *dir, const uint8_t *name, uint32_t bytes,
                           struct found *out);
MUST_USE enum err dir_add(struct none *n, struct inode *dir, const uint8_t *name, uint32_t bytes,
                          uint32_t ino, uint32_t type);
MUST_USE enum err dir_remove(struct none *n, struct inode *dir, const struct found *found,
                             const uint8_t *name, uint32_t bytes);
/* Makes the entry at `found` lead to another inode. */
MUST_USE enum err dir_point(struct none *n, struct inode *dir, const struct found *found,
                            uint32_t ino, uint32_t type);
/* The first block with "." and "..". */
MUST_USE enum err dir_make(struct none *n, struct inode *dir, uint32_t parent);
MUST_USE enum err dir_parent(struct none *n, struct inode *dir, uint32_t *parent);
MUST_USE enum err dir_set_parent(struct none *n, struct inode *dir, uint32_t parent);
MUST_USE enum err dir_is_empty(struct none *n, struct inode *dir, bool *empty);
/* Packs entries from *cookie on into n->listing; *cookie = next, 0 at the end. */
MUST_USE enum err dir_list(struct none *n, struct inode *dir, uint64_t *cookie, uint32_t room,
                           uint32_t *used);

uint32_t index_hash(uint32_t dir, const uint8_t *name, uint32_t bytes);
void index_add(struct none *n, struct inode *dir, uint32_t hash, uint32_t offset);
void index_remove(struct none *n, struct inode *dir, uint32_t hash, uint32_t offset);
/* The next name of this hash after `after` (NULL: first); NULL if there is none. */
struct name *index_next(struct none *n, uint32_t dir, uint32_t hash, struct name *after);
/* Whether `more` names fit. */
bool index_has_room(struct none *n, uint32_t more);
void index_drop(struct none *n);

/* ---- names.c ---- */

typedef enum err request_fn(struct none *n, const struct vfs_request *in, struct vfs_reply *out);
request_fn names_lookup, names_create, names_mkdir, names_unlink, names_rmdir, names_link,
    names_symlink, names_rename, names_readdir, names_stat, names_setattr, names_release;

/* ---- mount.c, planted.c ---- */

/* Makes an empty file system on the volume of this many blocks, stable when it returns. */
MUST_USE enum err mount_format(struct none *n, uint64_t blocks);
/* Reads the superblock. E_CORRUPT, E_MEDIA, E_VERSION. */
MUST_USE enum err mount_load(struct none *n, uint64_t blocks);
request_fn mount_serve, mount_unmount, mount_sync, mount_statfs;
/* Before the first change after a mount or an orderly stop: the superblock is no longer clean. */
MUST_USE enum err mount_touch(struct none *n);
void planted_at_mount(struct none *n);

#endif
