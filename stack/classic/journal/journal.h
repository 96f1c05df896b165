/*
 * A redo log over layout C: what an operation changes joins the running transaction; a transaction
 * that is closed goes to the log, is committed by one sector, goes home, and is reclaimed.
 *
 * main.c     the store: requests, options     commit.c   a closed transaction's way to its commit
 * txn.c      joining, freeing, closing        reclaim.c  home, and out of the log
 * logged.c   what is in the log, by block     recover.c  mount: redo, log superblock
 * record.c   encoding of what is in the log
 *
 * Invariants:
 *   (1) a block that the running or a closing transaction has does not go home, nor one that such a
 * transaction frees (prepare); what goes home is the newest committed version, as a copy. (2) A
 * block freed in T keeps its bit in memory until T is committed; the image of its bitmap that T
 * logs has it clear. (3) Transactions are committed and leave the log in order; `txn` holds them
 * oldest first. (4) Of each block in the log, at most one committed transaction owes the home
 * write; `owed` counts them, and one that owes nothing may be reclaimed. (5) The log always has
 * room for the running transaction as it is, and for one more operation before that begins.
 */
#ifndef LORIS_STACK_CLASSIC_JOURNAL_JOURNAL_H
#define LORIS_STACK_CLASSIC_JOURNAL_JOURNAL_H

#include "layout_c.h"
#include "record.h"

#define TXNS_MAX 64u      /* running, closing, committed and not yet reclaimed */
#define TXN_SOFT_MAX 512u /* blocks from which a transaction is closed */
#define META_CREDIT 24u   /* blocks of metadata that an operation changes, maps apart */
#define MAPS_CREDIT 64u   /* maps of free blocks that it changes at most, if there are so many */
#define LOG_SLOTS_MAX 16u /* requests under way for one transaction */
#define COPIES_MAX (RUNS_MAX * WRITE_RUN_BLOCKS)
#define WAITERS_MAX 64u
#define LOGGED_BUCKETS 4096u
#define LIST_CHUNK 254u

enum txn_state {
    TXN_NONE,
    TXN_RUNNING,
    TXN_WRITING,    /* images and revokes are on their way to the log */
    TXN_FLUSHING,   /* and stable soon */
    TXN_LOGGED,     /* waits for its turn */
    TXN_COMMITTING, /* its commit record is on its way */
    TXN_COMMITTED
};

/* Block numbers, any many: chunks are recycled. */
struct list_chunk {
    struct list_chunk *next;
    uint32_t count;
    uint32_t block[LIST_CHUNK];
};

struct txn {
    enum txn_state state;
    uint64_t txid;
    uint64_t first, end; /* positions in the log, when closed */
    uint64_t begun_ns;
    uint32_t *home; /* blocks whose images it has */
    uint32_t count;
    uint32_t owed; /* of these, committed by it and not yet home */
    uint32_t revoked_count;
    struct list_chunk *freed, *revoked;
    uint32_t stage;                      /* which staging area, while it is closing */
    uint32_t slot[LOG_SLOTS_MAX], slots; /* requests to the log */
    uint32_t data_slot;                  /* while data_flushing: a flush of the data's disk */
    bool data_flushing;
    bool probed; /* its first operation has left it */
};

/* What memory knows of a block that is in the log, or will be. */
struct logged {
    struct logged *next;
    uint32_t block;
    uint32_t index;        /* in open->home */
    struct txn *open;      /* the running or newest closing transaction that has it */
    struct txn *committed; /* the newest committed one whose image is in the log */
    struct txn *freeing;   /* not yet committed: the block is to be nobody's */
    uint64_t staged;       /* txid of the newest that was closed with it, 0: none */
    bool home;             /* the committed image is home too */
    uint8_t *copy;         /* on its way home */
    uint64_t copy_txid;
    uint32_t crc; /* recovery: of the image that is to go home */
};

struct waiter { /* an fsync or sync that is answered when this is committed */
    struct msg request;
    uint64_t txid;
};

struct journal {
    struct block_client
        *log;      /* of the file system, or of the disk that holds nothing but the log */
    bool log_gone; /* that disk is: what is in memory goes home by itself */
    struct txn txn[TXNS_MAX]; /* ring */
    uint32_t oldest, txns;    /* the newest may be running */
    uint64_t next_txid;
    uint64_t head, tail; /* positions: next to be written; oldest that is live */
    uint64_t tail_txid;  /* of the oldest that is live */
    uint64_t epoch;
    uint32_t capacity;    /* blocks of the log, superblocks apart */
    uint32_t soft;        /* blocks at which a transaction is closed */
    uint32_t hard;        /* blocks that one can have */
    uint8_t *super_pages; /* LOG_SUPERBLOCKS of them */
    uint8_t *stage[4];    /* one for each closing transaction; pages in the order of the log */
    bool stage_used[4];
    bool formatting, applying, inside;
    bool cutting;                        /* data that changes goes through the log, in every mode */
    bool reclaim_flushing, reclaim_tail; /* a reclaim is under way */
    uint32_t reclaim_slot, reclaim_count;
    struct logged *bucket[LOGGED_BUCKETS];
    struct logged *free_logged;
    struct list_chunk *free_chunks;
    uint8_t *copy[COPIES_MAX];
    uint32_t copies_made, copies_free;
    struct waiter waiter[WAITERS_MAX];
    uint32_t waiters;
    uint32_t orphan[RECORD_ORPHANS_MAX]; /* unlinked but open, as of the last commit */
    uint32_t orphans;
};

static inline struct journal *journal(const struct fs *fs)
{
    return fs->own;
}

/* ---- txn.c ---- */

/* The running transaction, NULL if none was begun. */
struct txn *txn_running(struct fs *fs);
/* The k-th of the ring, 0: the oldest. */
struct txn *txn_at(struct fs *fs, uint32_t k);
/* Begins one if none runs. There is room. */
struct txn *txn_begin(struct fs *fs);
bool txn_is_empty(const struct txn *t);
/* Blocks that it takes in the log with `more` images besides. */
uint32_t txn_log_blocks(const struct txn *t, uint32_t more);
/* The block's image will be in the running transaction. */
void txn_join(struct fs *fs, uint32_t block);
/* hooks_c.block_freed. */
MUST_USE enum err txn_free_block(struct fs *fs, struct inode *i, uint32_t block);
/* Its blocks are nobody's now: bits are cleared in memory, buffers forgotten. */
void txn_apply_frees(struct fs *fs, struct txn *t);
/* Copies what it changed, as the log will have it; nothing can join it any more. */
void txn_stage(struct fs *fs, struct txn *t);
void list_add(struct fs *fs, struct list_chunk **list, uint32_t block);
void list_drop(struct fs *fs, struct list_chunk **list);

/* ---- logged.c ---- */

struct logged *logged_find(struct fs *fs, uint32_t block);
struct logged *logged_make(struct fs *fs, uint32_t block);
/* Forgets it if there is nothing left to know. */
void logged_let_go(struct fs *fs, struct logged *l);
/* The committed image need not go home any more. */
void logged_settle(struct logged *l);
/* Whether the log has, or will have, an image of it that a redo could meet. */
bool logged_is_live(struct fs *fs, const struct logged *l);
/* A page for a copy on its way home, NULL if all are in use; and back. */
uint8_t *copy_take(struct fs *fs);
void copy_give(struct fs *fs, uint8_t *page);

/* ---- commit.c ---- */

/* A write to the log has failed: read-only; with a disk of its own lost, commit_rescue is due. */
void commit_log_failed(struct fs *fs, enum err why);
/* The log's disk is gone: all that is in memory goes home, without a log. */
void commit_rescue(struct fs *fs);
/* Closes the running transaction and sends it to the log; its data first in mode ordered. It goes
 * on by itself (commit_advance). */
void commit_start(struct fs *fs);
/* Takes closing transactions as far as the disk's answers allow. Never waits. */
void commit_advance(struct fs *fs);
/* Waits until everything that was closed is committed. OK, or why it is read-only. */
MUST_USE enum err commit_wait(struct fs *fs);
/* The newest transaction that is closed and not committed; 0: none. */
uint64_t commit_pending(struct fs *fs);
/* Sees to room in the log for the running transaction and `credit` blocks more. */
MUST_USE enum err commit_make_room(struct fs *fs, uint32_t credit);
/* Data that no transaction carries go home, of one inode or (NULL) of all. OK, or why it is
 * read-only. */
MUST_USE enum err commit_write_data(struct fs *fs, struct inode *i);

/* ---- reclaim.c ---- */

/* store->prepare, store->written. */
uint8_t *reclaim_prepare(struct fs *fs, struct buffer *b);
void reclaim_written(struct fs *fs, struct buffer *b, enum err status);
/* Moves the tail over what is home. Never waits. */
void reclaim_advance(struct fs *fs);
/* Everything committed goes home and out of the log; waits. */
MUST_USE enum err reclaim_all(struct fs *fs);
/* Blocks of the log that are free. */
uint32_t reclaim_room(struct fs *fs);

/* ---- recover.c ---- */

MUST_USE enum err recover_format(struct fs *fs);
/* Finds the log, does over what was committed, empties it. */
MUST_USE enum err recover_log(struct fs *fs);
/* Encodes the log's superblocks, which are the same, into super_pages. */
void recover_super(struct fs *fs);
uint32_t log_block(const struct fs *fs, uint64_t position);

#endif
