/*
 * A write-anywhere file system: nothing that the newest root reaches is ever overwritten. What it
 * adds to ../common (fs.h): trees of pointers with checksums, the map, batches, roots.
 *
 * tree.c    file block -> buffer; change, cut     space.c  the map: which blocks are whose
 * segment.c segments and their cleaner            log.c    the log of fsyncs; log_file.c: of files
 * inodes.c  numbers and records, orphans          batch.c  closing a batch: addresses, CRCs, copies
 * write.c   the batch on its way to disk          root.c   root slots: choosing, writing
 * store.c   requests, format, mount, stop         layout.c encoding
 *
 * A batch is what all operations since the last one changed. It is closed as a whole: each dirty
 * buffer gets a new address, bottom-up, its parent takes address and CRC; copies of all are written
 * at once, flushed, and then a root names the new tree.
 *
 * Invariants:
 *   (1) a buffer's key says inode, level and first file block, not where it lies: a dirty one has
 *       no place;
 *   (2) the parent of a dirty buffer is dirty, up to the inode's block in the inode file and on to
 *       the root. Closing a batch therefore reads nothing of the trees;
 *   (3) a pointer is changed only when a batch is closed (address, CRC) or when what it names is
 *       cut off (0): until then a dirty block's pointer names its place in the older tree;
 *   (4) dirty buffers + the whole map + what the request may add <= blocks that can be given out,
 *       before a request changes anything: closing a batch does not run out of space;
 *   (5) a block freed in batch N is given out once root N + 1 is stable (`defer: 2`), or root N is
 *       (`defer: 1`): the tree of the root before the newest is whole;
 *   (6) a buffer of the batch under way is `writing` and so stays in memory; it may change, as what
 *       is written is a copy.
 */
#ifndef LORIS_STACK_CLASSIC_COW_COW_H
#define LORIS_STACK_CLASSIC_COW_COW_H

#include "fs.h"
#include "layout.h"

#define BUFFERS_LEAST 1024u     /* room for a request of VFS_IO_MAX and its tree, twice */
#define DIRTY_MAX 3072u         /* buffers: their copies have to fit into the arena too */
#define REQUEST_BLOCKS_MAX 320u /* that one request may make dirty: a write of VFS_IO_MAX */
#define CRC_TRIES 3u /* reads of a block whose CRC is wrong: a mirror may have a good copy */
#define MAP_LEVELS_MAX 3u
#define PLANES                                                                                     \
    3u /* batches whose frees are told apart: open, under way, awaiting the next root              \
        */
#define EXPECTED 256u
#define MARGIN_DIVISOR 50u /* 2 % of the space is kept back for requests that free */
#define SEGMENT_BYTES (1u << 20)
/* Segments kept back for the cleaner and for requests that free: a sixteenth (mkfs.nilfs2 and
 * mkfs.f2fs keep some 5 %), of a small volume more, as one segment is filled while another is
 * cleaned, of a large one less, as the cleaner needs no more. */
#define SEGMENTS_SHARE 16u
#define SEGMENTS_KEPT_MIN 2u
#define SEGMENTS_KEPT_MAX 4u
#define SEGMENTS_AHEAD 8u /* while fewer are free, what is cheap to clean is cleaned ahead */
#define LOG_ENTRIES_MAX 252u
#define OLD_FILES_MAX 256u /* changed files whose data an fsync of another leaves out */
#define UNLOGGED_MAX 4096u /* changed blocks since the last log block, with repetitions */
#define LISTINGS_MAX 64u   /* inodes that one request makes orphans, or frees */

struct cow_tree { /* inode.own */
    struct cow_pointer pointer[COW_POINTERS];
    bool listed; /* on the list of orphans */
};

/* One block of the map: of level 0 with its bits, above that with pointers (those to the level
 * below are in memory with its blocks). */
struct cow_map_block {
    struct cow_pointer pointer; /* where it is on disk */
    bool dirty, loaded, bad;    /* bad: cannot be read; nothing there is given out */
    bool placed;                /* closing: it has its new address */
    bool has_freed[PLANES];
    uint32_t free;          /* blocks that can be given out */
    uint32_t free_segments; /* of which nothing is busy */
    uint8_t *bits;          /* reached by the batch to come: what goes to disk */
    uint8_t *busy;          /* not to be given out */
    uint8_t *freed[PLANES]; /* by batch number modulo PLANES */
};

struct cow_map_level {
    struct cow_map_block *block;
    uint32_t count;
};

enum cow_batch_state { BATCH_NONE, BATCH_WRITING, BATCH_FLUSHING, BATCH_ROOT_1, BATCH_ROOT_2 };

struct cow_copy { /* a block of the batch under way */
    uint8_t *page;
    uint32_t address;
    struct buffer *b; /* NULL: of the map */
};

struct cow_run { /* one write under way: copies order[first .. first + count - 1] */
    uint32_t slot, first, count;
};

struct cow_expected { /* what a block that is being read must hold */
    uint64_t key;
    struct cow_pointer pointer;
};

struct cow_listing { /* what the list of orphans has to be told when the request ends */
    uint32_t ino;
    bool add;
};

struct cow_cut { /* blocks from `from` on were cut off */
    uint32_t ino, from;
    bool data; /* off a file that goes on */
};

struct cow_old { /* a file that was changed since it was last logged, as the log has it */
    uint32_t ino, generation, blocks;
    uint64_t size, mtime_ns;
    struct cow_pointer pointer[COW_POINTERS];
};

struct cow {
    struct fs *fs;
    bool inside;   /* a request that changes is being served */
    bool stopping; /* in order: roots are written clean */

    /* The newest stable root and the one before it. */
    struct cow_root stable, previous;
    bool has_previous;
    bool fell_back; /* this mount took the root before the newest */
    bool damaged;   /* no root's tree begins well: nothing can be served but errors */
    uint64_t slot_life[ROOT_SLOTS], slot_batch[ROOT_SLOTS]; /* 0: empty or unreadable */
    uint64_t batch, life;                                   /* of the open batch */
    uint32_t inodes, files;
    uint32_t inode_hint;     /* no free number below, as far as is known */
    struct inode inode_file; /* its tree has one pointer: the root's */
    struct cow_tree inode_tree;
    bool changed; /* something joined the open batch */
    uint64_t changed_since_ns;
    struct cow_listing listing[LISTINGS_MAX];
    uint32_t listings;
    /* log.c: since the newest root, or the last log block. */
    uint64_t unlogged_key[UNLOGGED_MAX];
    struct cow_cut cut[LOG_ENTRIES_MAX];
    uint32_t unlogged, cuts;
    struct cow_old old[OLD_FILES_MAX]; /* log-scope: file */
    uint32_t old_files;
    bool log_all;         /* the next fsync logs everything, whatever the scope */
    bool log_overflow;    /* there was more: the next fsync is a batch */
    uint32_t log_address; /* of the next log block, 0: there is no chain to go on with */
    uint64_t log_seq;     /* its number */
    struct cow_expected expected[EXPECTED]; /* by a hash of the key; a later one takes the place */

    /* space.c */
    struct cow_map_level map[MAP_LEVELS_MAX];
    uint32_t map_height;
    uint64_t used; /* blocks that the batch to come reaches */
    uint64_t free; /* that can be given out, in loaded leaves */
    uint64_t deferred[PLANES];
    uint32_t cursor;
    uint8_t *scratch; /* a block */

    /* segment.c */
    uint32_t segment_next, segment_end; /* what is left of the segment that is being filled */
    uint32_t summary; /* 1 + number of the copy that is the summary being filled; 0: none yet */
    uint32_t free_segments;
    uint64_t cleaned;        /* the batch in which the cleaner last ran ahead */
    uint64_t *segment_birth; /* the batch that wrote it last; 0: before this mount */
    uint16_t *segment_left;  /* live blocks that the cleaner could not move; 0: none, or unknown */
    uint8_t *segment_pages;  /* of the cleaner */

    /* batch.c, write.c */
    enum cow_batch_state state;
    struct cow_root closing; /* root of the batch under way */
    uint32_t closing_log;    /* the log block set aside for it */
    uint64_t *order;         /* closing: keys of dirty buffers; then copies by address */
    struct cow_copy *copy;   /* of the batch under way; pages beyond `copies` are free */
    uint32_t copies, copies_sent, copies_room;
    struct cow_run run[RUNS_MAX];
    uint32_t run_first, runs; /* ring */
    uint32_t step_slot;       /* request of a flush or of a copy of the root */
    uint8_t *root_page;
};

static inline struct cow *cow_of(struct fs *fs)
{
    return fs->own;
}

static inline struct cow_tree *cow_tree_of(const struct inode *i)
{
    return i->own;
}

/* ---- tree.c ---- */

#define COW_FILE_BLOCKS_MAX                                                                        \
    (COW_DIRECT + (uint64_t)COW_FANOUT + (uint64_t)COW_FANOUT * COW_FANOUT +                       \
     (uint64_t)COW_FANOUT * COW_FANOUT * COW_FANOUT)

uint64_t cow_key(uint32_t ino, uint32_t level, uint32_t base);
uint32_t cow_key_ino(uint64_t key);
uint32_t cow_key_level(uint64_t key);
uint32_t cow_key_base(uint64_t key);

/* The buffer of this key, if the file has it in memory. */
struct buffer *cow_present(struct cow *c, uint64_t key);
/* The copy of it was written. */
void cow_written(struct cow *c, struct buffer *b);
/* The buffer of a file block; *out NULL: a hole. E_MEDIA, E_CORRUPT. */
MUST_USE enum err cow_tree_get(struct cow *c, struct inode *i, uint32_t at, struct buffer **out);
/* Makes the path from its parent up to the root part of the open batch, so that nothing can fail
 * when it is changed. */
MUST_USE enum err cow_tree_open(struct cow *c, struct inode *i, uint32_t at);
/* The same with the block itself, which need not be read if `whole`. *fresh: it was a hole
 * (zeroed).
 */
MUST_USE enum err cow_tree_change(struct cow *c, struct inode *i, uint32_t at, bool whole,
                                  struct buffer **out, bool *fresh);
/* Where a file block is, in memory or on disk; key 0: a hole. */
MUST_USE enum err cow_tree_want(struct cow *c, struct inode *i, uint32_t at, struct want *want);
/* Frees everything from file block `from` on. An error: nothing has changed. What hangs below a
 * block that cannot be read is leaked and reported. */
MUST_USE enum err cow_tree_cut(struct cow *c, struct inode *i, uint64_t from);
/* If the tree has this block at `address`: makes it part of the open batch. Returns whether it has.
 */
bool cow_tree_move(struct cow *c, uint64_t key, uint32_t address);
/* Closing: where the pointer to a node is: in the parent's buffer at *slot, or, if NULL, pointer
 * *slot of the inode. */
struct buffer *cow_tree_parent(struct cow *c, uint64_t key, uint32_t *slot);
/* store->check: compares the CRC; reads again if it is wrong. */
enum err cow_verify(struct fs *fs, struct buffer *b);

/* ---- inodes.c ---- */

enum err cow_inode_load(struct fs *fs, struct inode *i);
enum err cow_inode_prepare(struct fs *fs, struct inode *i);
void cow_inode_store(struct fs *fs, struct inode *i);
enum err cow_inode_take(struct fs *fs, uint32_t near, uint32_t *ino, uint32_t *generation);
enum err cow_inode_free(struct fs *fs, uint32_t ino);
/* Closing: the inode's pointer, in its record and in memory. */
struct cow_pointer cow_inode_pointer(struct cow *c, uint32_t ino, uint32_t slot);
void cow_inode_set_pointer(struct cow *c, uint32_t ino, uint32_t slot,
                           const struct cow_pointer *pointer);
/* Before a request that may leave orphans: the list can take them without failing. */
MUST_USE enum err cow_orphans_prepare(struct cow *c);
/* After it: those that it left are put on the list, those that it freed are taken off. */
void cow_orphans_list(struct cow *c);
/* Frees all on the list. */
MUST_USE enum err cow_orphans_free(struct cow *c);

/* ---- space.c ---- */

/* Of the newest root c->stable. E_MEDIA, E_CORRUPT, E_FULL. */
MUST_USE enum err cow_space_init(struct cow *c);
/* One leaf with its planes; NULL: it cannot be read. */
struct cow_map_block *cow_space_leaf(struct cow *c, uint32_t leaf);
/* Closing: a block for the batch, which will hold the block `key`. E_NOSPC: invariant (4) did not
 * hold, as a part of the map cannot be read. */
MUST_USE enum err cow_space_take(struct cow *c, uint64_t key, uint32_t *block);
/* A block for the log: busy, but in no tree, and free again with what the open batch frees. */
MUST_USE enum err cow_space_take_log(struct cow *c, uint32_t *block);
/* The same of a block that a log block of the last life names. */
void cow_space_claim(struct cow *c, uint32_t block);
/* The open batch no longer reaches it. */
void cow_space_free(struct cow *c, uint32_t block);
/* Root `batch` is stable: what waited for that can be given out. */
void cow_space_stable(struct cow *c, uint64_t batch);
/* Whether so many blocks can be given out; looks at more of the map if need be. */
bool cow_space_has(struct cow *c, uint64_t blocks);
/* Closing: new addresses for all blocks of the map that changed, copies of them into the batch. */
MUST_USE enum err cow_space_place(struct cow *c);
/* Blocks that the map may need in a batch. */
uint64_t cow_space_map_blocks(const struct cow *c);
/* Blocks between the roots. */
uint64_t cow_space_volume(const struct cow *c);

/* ---- segment.c ---- */

MUST_USE enum err cow_segment_init(struct cow *c);
/* The key of a block of the map, in summaries. */
uint64_t cow_segment_map_key(uint32_t level, uint32_t k);
/* Bits of this leaf have changed otherwise than by filling the current segment. */
void cow_segment_recount(struct cow *c, uint32_t leaf);
bool cow_segment_has(struct cow *c, uint64_t blocks);
/* Segments that are kept back. */
uint32_t cow_segments_kept(const struct cow *c);
/* The next block; key 0: of the log, not in a summary. E_NOSPC. */
MUST_USE enum err cow_segment_find(struct cow *c, uint64_t key, uint32_t *block);
/* The batch has its last block: its last summary is complete. */
void cow_segment_seal(struct cow *c);
/* Makes what is live in the segment that pays most part of the open batch; closes batches meanwhile
 * if memory is short. cheap: one of which at most half is live. false: there is nothing to gain.
 * Between requests only. */
bool cow_segment_clean(struct cow *c, bool cheap);

/* ---- batch.c ---- */

/* Room in memory for so many more dirty blocks: closes a batch if need be. Between requests only.
 */
void cow_make_memory(struct cow *c, uint64_t more);

/* Before a request changes anything: room for `more` blocks in space and memory. frees: it may use
 * what is kept back for requests that free. E_NOSPC, or why it is read-only. */
MUST_USE enum err cow_reserve(struct cow *c, uint64_t more, bool frees);
/* Blocks that such a request leaves for others. */
uint64_t cow_kept_back(const struct cow *c, bool frees);
/* Something joined the open batch. */
void cow_joined(struct cow *c);
/* Closes the open batch and starts to write it; one under way is waited for. */
void cow_close(struct cow *c);
/* All that was done so far is stable when it returns OK. */
MUST_USE enum err cow_sync(struct cow *c);
/* store->alarm: the update daemon. */
void cow_alarm(struct fs *fs);
/* Adds a copy of `page` to the batch that is being closed. E_FULL. */
MUST_USE enum err cow_copy_add(struct cow *c, const uint8_t *page, uint32_t address,
                               struct buffer *b);
/* Ascending. */
void cow_sort(uint64_t *v, uint32_t count);
/* Puts c->order into the order of the addresses of copies. */
void cow_order_copies(struct cow *c);
/* Room for copies. */
MUST_USE enum err cow_batch_init(struct cow *c);
void cow_set_alarm(struct cow *c);

/* ---- write.c ---- */

/* The closed batch goes out. */
void cow_write_start(struct cow *c);
/* Writes all copies, flushes and waits: of the log. On an error it is read-only. */
MUST_USE enum err cow_write_all(struct cow *c);
/* Takes what is answered and sends more. Never waits. */
void cow_write_pump(struct cow *c);
/* Waits until no batch is under way. */
void cow_write_wait(struct cow *c);

/* ---- log.c ---- */

/* This block was changed, or is about to be. */
void cow_log_changed(struct cow *c, uint64_t key);
void cow_log_cut(struct cow *c, const struct inode *i, uint32_t from);
/* All changes so far are in a closed batch or in the log. */
void cow_log_reset(struct cow *c);
/* All that was done so far is stable when it returns OK, in the log or as a batch; under
 * `log-scope: file` all names, and the data of inode `of`. */
MUST_USE enum err cow_log_sync(struct cow *c, uint32_t of);
/* Follows the chain of c->stable: claims its blocks, replays them in memory. */
MUST_USE enum err cow_log_replay(struct cow *c);

/* ---- log_file.c ---- */

/* The inode's record is about to be changed, by a request or because what hangs from it moves. */
void cow_log_inode(struct cow *c, const struct inode *i);
/* Whether an fsync of `of` leaves the data of this inode out. */
bool cow_log_withholds(struct cow *c, uint32_t ino, uint32_t of);
/* Those whose records the log does not have as they are, and gets by an fsync of `of`. */
uint32_t cow_log_old_files(const struct cow *c, uint32_t of, uint32_t ino[OLD_FILES_MAX]);
/* In the copy of a block of the inode file that begins with inode `first`: what is left out is as
 * the log has it. */
void cow_log_old_records(struct cow *c, uint32_t first, uint32_t of, uint8_t *page);
/* The log has its record as it is. */
void cow_log_logged(struct cow *c, uint32_t ino);

/* ---- root.c ---- */

/* Reads all slots, chooses the newest whose tree begins well: c->stable, c->previous. E_CORRUPT,
 * E_MEDIA, E_VERSION: no root. */
MUST_USE enum err cow_root_choose(struct cow *c);
/* Reads back both copies of the newest root and the beginning of its tree; what is not as it was
 * written is written again. E_CORRUPT: to no avail. */
MUST_USE enum err cow_root_verify(struct cow *c);
/* The slot that the next root goes to. */
uint32_t cow_root_oldest(const struct cow *c);
/* It is the newest now. */
void cow_root_took(struct cow *c, const struct cow_root *root);
/* Reads a block and compares its CRC. E_MEDIA, E_CORRUPT. */
MUST_USE enum err cow_read(struct cow *c, const struct cow_pointer *from, uint8_t *to);

extern const struct store cow_store; /* store.c */

#endif
