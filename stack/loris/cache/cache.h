/*
 * The page cache of loris: pages with write-back, the overlay of objects, transactions for naming,
 * the roll-forward log, the global checkpoint, and the recovery of the layers below.
 *
 * One single-threaded loop: receive, do, reply. Memory is in two parts:
 *   survivor region  page frames and their descriptors, log, reply table, superblock: outlives the
 *                    process; everything in it is indices and sealed by a checksum;
 *   arena            hash tables, lists, objects, open transactions: can be rebuilt.
 *
 * Invariants:
 *   (1) what is answered is in the log (log on) before anything of it goes down (C1);
 *   (2) a page changed since the last checkpoint stays in memory while the log is on (C2);
 *   (3) the log is emptied only after RELEASE, or when a restore finds its checkpoint durable (C3);
 *   (4) a transaction is private (own page copies, `struct hold`) until its commit record is in
 *       the log: an abort, and a crash at any point before, leave nothing of it;
 *   (5) bytes of a page beyond the object's end are zero;
 *   (6) a page is in exactly one list: free, clean, dirty, pinned, or private to a transaction.
 *
 * Interrupted work: lower_call never recovers. It sets need_recovery and answers E_SESSION; the
 * operation unwinds without effect, the loop recovers and runs the request again (serve.c).
 */
#ifndef LORIS_STACK_LORIS_CACHE_CACHE_H
#define LORIS_STACK_LORIS_CACHE_CACHE_H

#include "assertion.h"
#include "bytes.h"
#include "mem.h"
#include "object.h"
#include "planted.h"

/* Internal outcome of a request: it waits inside, no reply yet. Never sent to anyone. */
#define PARKED E_TIMEOUT

/* Status of a block before the layers below have said anything about it. */
#define UNANSWERED E_TIMEOUT

#define OID_CACHE UINT64_C(8) /* the cache's own object: its attributes hold the id ceiling */
#define OID_STRIDE 256u       /* ids by which the ceiling moves: burned at most once a start */

#define CACHE_IO_MAX_BYTES (1u << 20)      /* one READ or WRITE of naming: VFS's largest */
#define CACHE_ENVS (ENVIRONMENTS_MAX + 1u) /* slot 0: single requests */
#define CACHE_USERS 16u                    /* user transactions that may be open */
#define CACHE_SLOTS (CACHE_ENVS + CACHE_USERS)
#define CACHE_USER_SHARE 4u        /* one may need a quarter of cache or log, as all of them half */
#define CACHE_SYNCS_MAX 16u        /* requests that wait for one checkpoint */
#define CACHE_HELD_MAX 32u         /* requests that wait for its end */
#define CACHE_REDO_MAX 8u          /* times a request is run again after a recovery, then E_MEDIA */
#define CACHE_RECOVERY_TRIES 60u   /* failed restores or replays in one recovery, then give up */
#define CACHE_PAUSE_NS 2000000000u /* longest wait between two of them */
#define CACHE_STARTS_MAX                                                                           \
    3u                     /* instances that die over the survivor region before it is given up    \
                            */
#define CACHE_SKIPS_MAX 8u /* poison records before the pool is read-only */
#define CACHE_SOON_NS 10000000u       /* checkpoint after a recovery */
#define CACHE_OPEN_NS 300000000u      /* after a start with fsync=log: a mount takes less */
#define CACHE_AWAIT_NS 60000000000ull /* for logical to come up */
#define CACHE_CALL_NS 300000000000ull /* above physical's 5 tries of 35 s */
#define CACHE_READ_AHEAD 32u          /* blocks beyond a sequential miss: measured, README */
#define CACHE_DIRTY_PERCENT 10u       /* of frames: above it write-back begins */
#define CACHE_PINNED_PERCENT 50u      /* of frames or of the log: above it a checkpoint (C5) */
#define CACHE_THROTTLE_PERCENT 75u    /* of the log: above it nothing is served meanwhile (C5) */
#define CACHE_SLACK_BLOCKS 32u        /* free blocks that only changes inside metadata reserve */
#define CACHE_OVERDRAFT_BLOCKS 16u    /* and these of the reserve below (P6, at least 64) */
#define CACHE_OBJECTS_MAX 32768u
#define CACHE_DIRTY_OBJECTS_MAX 8192u
#define CACHE_OBJECT_BUCKETS 4096u
#define REPLIES_PER_ENV 64u

/* ---- Survivor region ------------------------------------------------------------------------- */

enum frame_state { FRAME_FREE = 0, FRAME_PRIVATE = 1, FRAME_COMMITTED = 2 };

#define FRAME_STATE 3u         /* bits of `state` that are an enum frame_state */
#define FRAME_SUMMED (1u << 8) /* lazy: crc is of this content */

/* Whose page a frame holds. Only COMMITTED frames are sealed; lsn: of the last write, 0 if read.
 * The seal leaves crc and state out: lazy checksums come later, and a death between two stores must
 * not cost the page. A wrong crc shows as bad content, a wrong state as a missing page. */
struct frame {
    uint64_t oid, block, lsn;
    uint32_t crc;   /* of the content; of no meaning with checksums off */
    uint32_t state; /* enum frame_state, FRAME_SUMMED */
    uint64_t seal;  /* over oid, block, lsn */
};

enum record_op {
    RECORD_NONE = 0,
    RECORD_CREATE,
    RECORD_DELETE,
    RECORD_TRUNCATE,
    RECORD_WRITE,
    RECORD_SETATTR,
    RECORD_COMMIT,
    RECORD_OPS
};

/* One mutation as an after-image. Fixed size, so that a damaged one can be stepped over. */
struct record {
    uint32_t crc; /* of all behind it up to `attempts` */
    uint32_t op;  /* enum record_op */
    uint64_t lsn;
    uint64_t oid;
    uint64_t a;     /* TRUNCATE, SETATTR, CREATE: size; WRITE: first block; COMMIT: sequence */
    uint64_t b;     /* WRITE: blocks; COMMIT: environment << 32 | generation */
    uint32_t flags; /* object flags */
    uint32_t unused;
    uint8_t data[OBJECT_RESULT_BYTES]; /* attributes or the transaction's result */
    uint32_t attempts;                 /* deaths of a layer below with this record in flight */
    uint32_t forgotten;                /* planted bug: not there any more once it has been pushed */
};

struct reply_entry {
    uint64_t sequence;
    uint32_t generation;
    uint32_t unused;
    uint64_t epoch; /* in which it was committed */
    uint8_t result[OBJECT_RESULT_BYTES];
    uint64_t seal;
};

/* The newer valid of two copies counts. */
struct super {
    uint64_t magic;
    uint64_t version; /* of this copy: rises with each write */
    uint64_t serial;  /* of the log segment */
    uint64_t epoch;   /* number of the next checkpoint: of the segment */
    uint64_t next_lsn;
    uint64_t base_lsn; /* every record of the segment is above it */
    uint64_t next_oid;
    uint64_t session;
    uint64_t in_flight;  /* the checkpoint that PREPARE was sent for, 0: none */
    uint64_t freeze_lsn; /* and the last lsn that is in it */
    uint64_t first;      /* index of the segment's first record */
    uint64_t carried;    /* the segment before had its first records: its tail word counts too */
    uint64_t layout;     /* frames << 32 | log slots */
    uint64_t seal;
};

struct survivor {
    struct super *super[2];
    uint64_t *starts; /* of instances that did not come to service */
    uint64_t *tail;   /* count of records in the log, with a check: written in one store */
    struct reply_entry *replies;
    struct record *log;
    struct frame *frame; /* [frames + 1]; 0 is not used */
    uint8_t *data;       /* frame f at (f - 1) * 4096 */
    uint32_t log_slots;
    uint32_t frames;
    struct super now; /* content of the newest copy */
};

/* ---- Arena ----------------------------------------------------------------------------------- */

enum page_list { LIST_NONE, LIST_CLEAN, LIST_DIRTY, LIST_PINNED, LIST_COUNT };
enum page_flags {
    PAGE_LOST = 1u << 0,     /* content known bad, no copy: E_LOST to readers, never written */
    PAGE_UNLOGGED = 1u << 1, /* planted bug: the log does not know */
    PAGE_REFUSED = 1u << 2,  /* the layers below could not write it once */
    PAGE_UNMARKED = 1u << 3, /* nor mark it lost: it is kept, in no list */
    PAGE_HOLE = 1u << 4,     /* zeros, to be stored as a hole */
    PAGE_WHOLE = 1u << 5,    /* of a user transaction that the checkpoint lacks: not in place, else
                                a power cut would show a part of it */
};

/* What the arena knows of a frame: same index. Index 0 means none. */
struct page {
    uint32_t hash_next;
    uint32_t prev, next;         /* in its list */
    uint32_t obj_prev, obj_next; /* pages of the object, or of the transaction's hold */
    uint8_t list;                /* enum page_list */
    uint8_t env;                 /* 0: committed; else private to env - 1 */
    uint8_t flags;
    uint8_t attempts; /* deaths below with this page in flight */
    uint8_t owner;    /* environment that used it last, 0: none that is known */
    uint64_t used;    /* clean: when, by the count of uses */
    struct object *object;
};

struct page_ends {
    uint32_t first, last, count;
};

struct object {
    uint64_t oid, size, blocks;
    uint64_t saved_size;  /* in the last checkpoint */
    uint64_t low_size;    /* smallest since then */
    uint64_t frozen_size; /* frozen: in the checkpoint in flight */
    uint64_t frozen_low;  /* frozen: smallest since the freeze */
    uint32_t flags;       /* OBJECT_META, OBJECT_COW */
    uint32_t first_page, page_count;
    struct object *hash_next; /* in its bucket, or the free list */
    struct object *dirty_prev, *dirty_next;
    struct hold *hold;  /* of the transaction that has it locked exclusively */
    uint64_t read_next; /* block after the last read: sequential if hit again */
    uint32_t shared;    /* environments that hold it shared, a bit each */
    int32_t error;      /* of write-back: the next sync reports it */
    bool used;
    bool pending;     /* created by an open transaction: others do not see it */
    bool dirty;       /* size or attributes changed since the last checkpoint */
    bool frozen;      /* dirty: what it was at the freeze is in the checkpoint in flight */
    bool changed;     /* frozen: again since then */
    bool lost;        /* its creation or a change was skipped as poison */
    uint8_t attempts; /* deaths below with its attributes in flight */
    bool marked;      /* and the next checkpoint makes its attributes unreadable */
    uint8_t attr[OBJECT_ATTR_BYTES];
};

/* An object locked by a transaction, and, if exclusively, what it changed. */
struct hold {
    struct object *object;
    struct hold *next;
    struct hold *under; /* what this one is a savepoint on: the same of its user transaction */
    bool exclusive, created, deleted, attr_set, size_set, truncated;
    uint8_t env; /* whose */
    uint64_t size;
    uint64_t min_size; /* truncated: blocks of the committed object from here on are gone */
    uint32_t first_page, last_page, page_count;
    uint8_t attr[OBJECT_ATTR_BYTES];
};

/*
 * A transaction: one a naming process, slot 0 runs single requests, and from slot CACHE_ENVS on
 * user transactions (user_txn.c), which are never parked: `waits_for` is what their last request
 * met.
 */
struct env {
    bool open, waiting;
    bool broken; /* a copy from the client failed half-way: the transaction must go */
    bool tried;  /* run again in this round of waking */
    uint8_t index;
    uint32_t owner; /* endpoint that began it */
    struct object_txn id;
    uint64_t age; /* smaller is older */
    struct hold *holds, *holds_last;
    uint32_t pages;     /* private pages: credit that is reserved */
    uint32_t waits_for; /* waiting: holders of the lock it wants, a bit each */
    struct msg parked;
    struct env *outer; /* a request in a user transaction: that one */
    bool ends;         /* its commit is the user transaction's too */
    uint64_t last;     /* user transaction: sequence of its last request that changed something */
    uint8_t last_result[OBJECT_RESULT_BYTES];
};

struct cache {
    const struct boot *boot;
    struct stack_options options;
    struct survivor mem;
    bool eager, lazy, log_on; /* checksums: neither is off */

    /* pages.c */
    struct page *page;
    uint32_t *bucket;
    uint32_t bucket_mask;
    uint32_t frames_used; /* high-water mark */
    uint32_t free_page;   /* stack */
    uint32_t free_count;
    struct page_ends list[LIST_COUNT];  /* but that of clean pages: */
    struct page_ends clean[CACHE_ENVS]; /* a list each owner, in order of use */
    uint32_t clean_count;
    uint32_t serving;    /* environment whose request is served, 0: none */
    uint64_t uses;       /* counted so far */
    uint32_t sum_next;   /* lazy: dirty page from which on the list may lack checksums; 0: none */
    uint32_t sweep_page; /* lazy: the background pass has come so far */
    uint64_t sweep_ns;   /* of its next step */
    uint32_t unverified; /* lazy: pages of an earlier instance that had no checksum yet */

    /* overlay.c */
    struct object **object_bucket;
    struct object *object_free;
    struct object *chunk[CACHE_OBJECTS_MAX / 256u];
    uint32_t chunks, object_hand;
    struct object *dirty_objects;
    uint32_t dirty_object_count;
    uint64_t next_oid, oid_ceiling;
    bool own_exists, ceiling_dirty;

    /* txn.c */
    struct env env[CACHE_SLOTS];
    struct hold *hold_free;
    uint64_t next_age;
    uint64_t private_pages; /* of all open transactions */
    bool wake;              /* a lock was freed while someone waits */

    /* log.c */
    uint32_t log_first, log_count,
        log_sent; /* records: index of the first, behind the last, next */
    uint64_t next_lsn;
    uint64_t planted_count;

    /* stable.c, reload.c */
    bool stable_open;      /* groups may go into the log on the disks */
    uint32_t logged;       /* index behind the last record that is in one */
    uint64_t stable_next;  /* number of the next segment */
    struct stable *stable; /* NULL: fsync=checkpoint */
    struct reload *reload;

    /* checkpoint.c */
    uint64_t epoch;         /* number of the next checkpoint */
    uint64_t durable;       /* the last one released, or gone back to: the log begins there */
    uint64_t in_flight;     /* it, once PREPARE has been sent and until RELEASE is known done */
    bool changed;           /* since the last freeze */
    bool preparing;         /* requests are served while the layers below prepare it */
    bool frozen;            /* objects know what of them is in it */
    bool frozen_changed;    /* `changed` as it was */
    uint64_t freeze_lsn;    /* records and pages up to it are in the checkpoint in flight */
    uint32_t frozen_count;  /* index behind the last of its records */
    uint64_t frozen_blocks; /* of reserved_blocks */
    struct msg held[CACHE_HELD_MAX]; /* requests that cannot be served meanwhile */
    uint32_t held_count;
    bool want_checkpoint;
    uint64_t due_ns; /* of the next one, if changed */
    struct msg sync[CACHE_SYNCS_MAX];
    uint32_t syncs;
    uint64_t retry_ns; /* after a failure: no background work before */
    uint32_t failed_checkpoints;
    uint64_t capacity_blocks, free_blocks, reserved_blocks;
    int32_t error; /* of any object: the next sync of everything reports it */

    /* lower.c, recover.c */
    uint32_t logical;
    uint32_t physical[DISKS_MAX];
    uint32_t session, next_id;
    bool need_recovery, system, read_only;
    int32_t down;    /* not OK: the layers below cannot be restored */
    bool shadow_all; /* sizes of the checkpoint are not known: no page goes in place */
    bool replaying;  /* writes go down with OBJECT_REPLAY: shadowed, reserves usable */
    uint32_t deaths; /* below, since the last checkpoint */
    uint32_t skips;

    /* buffers of calls down */
    uint8_t *meta;      /* entries of a batch or of a read */
    uint8_t *zero_page; /* stands for pages that are lost */
    uint32_t *batch;    /* pages in flight */
};

/* ---- survivor.c ------------------------------------------------------------------------------ */

/* Lays the region out by the options, and tags it. Touches nothing else. */
void survivor_map(struct cache *c);
/* Reads the newest valid superblock into mem.now; false if there is none. */
bool survivor_load(struct survivor *s);
/* No superblock was ever written: the first restore of the system is not through. */
bool survivor_untouched(const struct survivor *s);
/* Writes the older copy from the cache's counters. */
void survivor_store(struct cache *c);
/* The same for a new segment of the log, whose records are all above `base_lsn`. */
void survivor_begin_segment(struct cache *c, uint64_t base_lsn);
/* Seal of a frame descriptor, of a reply entry; 64-bit multiplicative mixing. */
uint64_t frame_seal(const struct frame *f);
uint64_t reply_seal(const struct reply_entry *r);
uint64_t seal_words(const void *bytes, uint32_t words);

/* ---- pages.c --------------------------------------------------------------------------------- */

void pages_init(struct cache *c);
static inline uint8_t *page_data(const struct cache *c, uint32_t page)
{
    return c->mem.data + (size_t)(page - 1) * BLOCK_BYTES;
}
/* The page of a block: committed (env 0) or private to env - 1; 0 if it is not in memory. */
uint32_t page_find(const struct cache *c, uint64_t oid, uint64_t block, uint32_t env);
/* A frame without a page: freed, fresh or from the clean list; 0 if all are pinned or private. */
uint32_t page_alloc(struct cache *c);
/* Frames that page_alloc could give one after the other. */
uint32_t page_room(const struct cache *c);
/* Makes a frame the page of a block; not in any list yet. */
void page_insert(struct cache *c, uint32_t page, struct object *o, uint64_t block, uint32_t env);
/* Takes it out of hash and lists, frees the frame. */
void page_drop(struct cache *c, uint32_t page);
/* Frees a frame that has no page. */
void page_free(struct cache *c, uint32_t page);
void page_list_put(struct cache *c, uint32_t page, enum page_list list);
void page_list_take(struct cache *c, uint32_t page);
void page_touch(struct cache *c, uint32_t page);
/* After a change: recomputes the checksum (eager), or says that there is none (lazy). */
void page_seal_content(struct cache *c, uint32_t page);
/* True if no checksum of the present content is known (lazy: not yet; off: always). */
bool page_unsummed(const struct cache *c, uint32_t page);
/* Computes the checksum of the content as it is. */
void page_sum(struct cache *c, uint32_t page);
/* True if the content matches its checksum, or has none. */
bool page_sound(struct cache *c, uint32_t page);
/* A page that is not sound: fetched again if it is below, else lost. OK: *page is mended, or 0 if
 * it was dropped (it is below); E_LOST; E_SESSION. */
MUST_USE enum err page_mend(struct cache *c, uint32_t *page);
/* Content is bad and there is no other copy: readers and the next sync are told. */
void page_lose(struct cache *c, uint32_t page);
/* Links a page to the pages of its object. */
void page_join_object(struct cache *c, uint32_t page, struct object *o);

/* ---- overlay.c ------------------------------------------------------------------------------- */

void overlay_init(struct cache *c);
/* The object if it is known, NULL if not. Asks nobody. */
struct object *object_known(const struct cache *c, uint64_t oid);
/* The object, asked from below if needed. OK, E_NOENT, E_LOST, E_SESSION, errors from below. */
MUST_USE enum err object_load(struct cache *c, uint64_t oid, struct object **object);
/* A new entry; NULL if the table is full of objects that are in use. */
struct object *object_add(struct cache *c, uint64_t oid);
/* Forgets an object and its pages. It must not be locked. */
void object_remove(struct cache *c, struct object *o);
void object_mark_dirty(struct cache *c, struct object *o);
void object_mark_clean(struct cache *c, struct object *o);
/* Drops the committed pages from `block` on. */
void object_cut(struct cache *c, struct object *o, uint64_t block);
/* Forgets everything (log off, after a rollback). No transaction may be open. */
void overlay_clear(struct cache *c);

/* ---- lower.c --------------------------------------------------------------------------------- */

/* One call to logical in the present session. E_SESSION: a recovery is due; unwind. */
MUST_USE enum err lower_call(struct cache *c, struct object_request *r, struct object_reply *reply);
/* The same; requests that come meanwhile are served if they need nothing from below, else held. */
MUST_USE enum err lower_call_serving(struct cache *c, struct object_request *r,
                                     struct object_reply *reply);
/* The layers below are short of blocks that are free before the next checkpoint. */
static inline bool lower_short(enum err e)
{
    return e == E_FULL || e == E_AGAIN || e == E_NOSPC;
}
/* What a change that was answered above has come to: an object that is not there below is lost. */
static inline enum err lower_answer(enum err e)
{
    return e == E_NOENT ? E_LOST : e;
}
/* Looks whether a layer below has another endpoint than at the last restore. */
void lower_check(struct cache *c);
/* Notes the endpoints of the layers below. */
void lower_note(struct cache *c);
/* Free blocks below: fills the credit. */
MUST_USE enum err lower_statfs(struct cache *c);
/* Reads `count` blocks from `first` that are not in memory; the status of the first. The others
 * are kept if they are good. */
MUST_USE enum err lower_read(struct cache *c, struct object *o, uint64_t first, uint32_t count);
/* Fetches the content of a page that is below again: OK, or it has become E_LOST. */
MUST_USE enum err lower_reread(struct cache *c, uint32_t page);

/* ---- txn.c, locks.c -------------------------------------------------------------------------- */

/* Locks for the transaction. OK; PARKED: it waits; E_AGAIN: deadlock, the transaction is over;
 * E_WAIT: a user transaction has it; E_ABORT: deadlock, its own user transaction has to go. */
MUST_USE enum err txn_lock(struct cache *c, struct env *env, struct object *o, bool exclusive);
/* Waits until a transaction of the environments in `waits_for` ends. PARKED: it does; E_AGAIN: it
 * was the youngest in a cycle, and is over; OK: another was and is: look again. */
MUST_USE enum err txn_wait(struct cache *c, struct env *env, uint32_t waits_for);
/* The open transaction of a request, NULL if it is not (or no longer) open. */
struct env *txn_of(struct cache *c, const struct object_txn *id, uint32_t source);
void txn_open(struct cache *c, struct env *env, const struct object_txn *id, uint32_t source);
/* Forgets an open transaction with all it did; its parked request is answered if `answer`. */
void txn_kill(struct cache *c, struct env *env, bool answer);
/* Unlocks all; the transaction is over. */
void txn_close(struct cache *c, struct env *env);
/* One step: all of it takes effect, or nothing. OK, E_NOSPC, E_FULL, E_SESSION (run again). */
MUST_USE enum err txn_commit(struct cache *c, struct env *env,
                             const uint8_t result[OBJECT_RESULT_BYTES]);
/* Records that the group of a commit may need. */
uint32_t txn_records(const struct cache *c, const struct env *env);
/* Whether it would have anything to keep. */
bool txn_changes(const struct env *env);
/* Whether the transaction that has the object locked has deleted it. */
bool txn_deleted(const struct object *o);
uint64_t txn_size(const struct env *env, const struct object *o);
const uint8_t *txn_attr(const struct env *env, const struct object *o);

/* ---- user_txn.c ------------------------------------------------------------------------------ */

/* The open user transaction that the id names, NULL if there is none. */
struct env *user_of(struct cache *c, const struct object_txn *id);
/* Opens it, or finds it open. OK, E_WAIT. */
MUST_USE enum err user_begin(struct cache *c, const struct object_txn *id, uint32_t source);
/* Aborts it with the request that runs in it. */
void user_close(struct cache *c, struct env *user);
/* The VFS of this environment has another generation: its user transactions are aborted. */
void user_died(struct cache *c, uint32_t environment, uint32_t generation);
/* Commits a request: into its user transaction, or with it if the request ends that. */
MUST_USE enum err user_commit(struct cache *c, struct env *env,
                              const uint8_t result[OBJECT_RESULT_BYTES]);
/* Room for one more private page of a request. OK, E_2BIG, E_ABORT: others have it. */
MUST_USE enum err user_room(const struct cache *c, const struct env *env);
/* A request of `env` wants what these user transactions have. E_WAIT: it gives up and comes again;
 * OK: one of them was the youngest of a cycle, and is gone; E_ABORT: its own is. */
MUST_USE enum err user_wait(struct cache *c, const struct env *env, uint32_t waits_for);
/* Puts a page among those that a hold has changed, or takes it out. */
void hold_link(struct cache *c, struct hold *h, uint32_t page);
void hold_unlink(struct cache *c, struct hold *h, uint32_t page);

/* ---- io.c ------------------------------------------------------------------------------------ */

MUST_USE enum err io_read(struct cache *c, struct env *env, struct object *o,
                          const struct object_request *r, uint32_t source, uint32_t *moved);
MUST_USE enum err io_write(struct cache *c, struct env *env, struct object *o,
                           const struct object_request *r, uint32_t source, uint32_t *moved);
MUST_USE enum err io_truncate(struct cache *c, struct env *env, struct object *o, uint64_t size);

/* ---- replies.c ------------------------------------------------------------------------------- */

/* The result of a committed transaction, NULL if it is not known. */
const uint8_t *reply_find(const struct cache *c, const struct object_txn *id);
void reply_put(struct cache *c, const struct object_txn *id, const uint8_t *result);
/* Forgets results of epochs above `epoch` (log off, after a rollback). */
void reply_forget_above(struct cache *c, uint64_t epoch);

/* ---- log.c ----------------------------------------------------------------------------------- */

/* Room for `count` more records. */
bool log_has_room(const struct cache *c, uint32_t count);
/* It comes to its end: a checkpoint that serves nobody meanwhile lets it begin again. */
bool log_runs_short(const struct cache *c);
/* Puts a record behind those of the group; it counts only after log_seal. */
struct record *log_add(struct cache *c, enum record_op op, uint64_t oid, uint64_t a, uint64_t b,
                       uint32_t flags, const uint8_t *data, uint32_t data_bytes);
/* Ends a record that log_add began: nothing of it changes any more. */
void log_finish(struct cache *c, struct record *r);
/* The one step: all records added so far count. */
void log_seal(struct cache *c);
/* A new segment: the records before `first` are gone, the others are above `lsn`. */
void log_drop(struct cache *c, uint32_t first, uint64_t lsn);
/* Sends down what is structural and not yet sent. OK or E_SESSION. */
MUST_USE enum err log_push(struct cache *c, uint32_t flags);
bool record_sound(const struct cache *c, const struct record *r);
/* Number of records in the survivor's log, by its tail word; by scanning if that is damaged. */
uint32_t log_survived(struct cache *c);

/* ---- checkpoint.c, writeback.c --------------------------------------------------------------- */

/* Whether so many deaths make what was in flight poison: K, or a multiple of it. */
static inline bool is_poison(const struct cache *c, uint32_t attempts, uint32_t times)
{
    return attempts >= times * c->options.tries && !PLANTED(PLANTED_POISON_RETRIED);
}
/* A request that killed the layers below K times is given up: said and counted; too many, or a mark
 * that kills as well, make the pool read-only. */
void poison_skipped(struct cache *c, uint64_t lsn, uint64_t oid);
void poison_read_only(struct cache *c);
/* Writes one batch of the oldest dirty pages. OK, E_SESSION, or why the first could not be. */
MUST_USE enum err writeback_batch(struct cache *c, uint32_t *written);
MUST_USE enum err writeback_all(struct cache *c, uint32_t *written);
/* Makes everything answered durable. OK, E_SESSION, errors from below. `how`: CHECKPOINT_ flags. */
MUST_USE enum err checkpoint_run(struct cache *c, uint32_t how);
#define CHECKPOINT_CLEAN 1u /* orderly stop */
#define CHECKPOINT_SERVE 2u /* requests are served meanwhile: not from within one */
/* After a change: the time of the next checkpoint. */
void checkpoint_changed(struct cache *c);
/* The layers below hold all that was answered before the freeze: its pages and objects are clean,
 * its records leave the log. */
void checkpoint_done(struct cache *c);
/* From here on changes belong to the next checkpoint. All that was answered is below. */
void checkpoint_freeze(struct cache *c);
/* The checkpoint in flight did not come to be: its changes are the next one's too. */
void checkpoint_unfreeze(struct cache *c);
/* Puts a sync among those that the next checkpoint answers; false if the queue is full. */
bool checkpoint_join(struct cache *c, const struct msg *m);
void checkpoint_answer(struct cache *c, enum err status);
/* An error of write-back that no sync has reported yet, of one object, or of any (OID_NONE). */
enum err checkpoint_take_error(struct cache *c, uint64_t oid);
/* Reserves space for `pages` more private pages; `inside`: of metadata, where there are blocks
 * already. OK, E_NOSPC, E_SESSION, errors from below. */
MUST_USE enum err credit_reserve(struct cache *c, uint32_t pages, bool inside);
/* A frame, after a checkpoint if need be. 0 and *e if there is none. */
uint32_t frame_get(struct cache *c, enum err *e);

/* ---- stable.c, reload.c: groups in the log on the disks (fsync=log) ---- */

/* Takes memory, if groups are wanted. */
void stable_init(struct cache *c);
/* A checkpoint was released: the log on the disks is empty, and takes groups. */
void stable_released(struct cache *c);
/* Makes everything answered stable as a group. OK; E_SESSION; anything else: by a checkpoint. */
MUST_USE enum err stable_sync(struct cache *c);
/* At the start of the system: what the log on the disks holds on top of the checkpoint becomes the
 * state, not yet replayed. OK, E_SESSION, errors from below, E_CORRUPT: once more. */
MUST_USE enum err reload_groups(struct cache *c);

/* ---- recover.c, revalidate.c ----------------------------------------------------------------- */

/* Brings the layers below back to all that was answered (log on) or to the last checkpoint. */
void recover(struct cache *c);
/* What was answered is taken back: nobody may go on as if it held. As with a power cut the
 * environments end, their processes with them; they start again on the older state. */
void recover_end_environments(const struct cache *c);
/* Takes over what the survivor region still holds. */
void revalidate(struct cache *c);
/* The effect of one sound record on the overlay; what it wrote counts as lost until it is found. */
void revalidate_redo(struct cache *c, const struct record *r);
/* When all records are redone: says what is lost, and forgets objects that none has completed. */
void revalidate_settle(struct cache *c);

/* ---- lazy.c ---------------------------------------------------------------------------------- */

/* Lazy checksums: when there is work for an idle cache, not later than `at` (virtual ns). */
uint64_t lazy_deadline(const struct cache *c, uint64_t at);
/* Nobody asks for anything: a few checksums are computed, a few verified. */
void lazy_work(struct cache *c);

/* ---- serve.c --------------------------------------------------------------------------------- */

/* Runs one request, through recoveries if need be, and replies unless it waits. */
void serve(struct cache *c, const struct msg *m);
/* Runs requests that were held during a checkpoint, in the order in which they came. */
void serve_held(struct cache *c);
/* Runs waiting requests again, oldest transaction first. */
void serve_wake(struct cache *c);
void serve_reply(const struct msg *m, enum err status, struct object_reply *reply);

#endif
