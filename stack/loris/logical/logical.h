/*
 * The state of logical, and what its files offer each other.
 *
 *   calls.c    requests to several physicals at a time; a disk that failed leaves the pool
 *   mapping.c  object -> {level, stripe, disks}, in the mapping object, an entry a CRC (L3)
 *   place.c    the arithmetic of striping and parity
 *   read.c     reads, other copies, read-repair; write.c batches, staggered mirrors (L5)
 *   slot.c     what one slot of an object must hold, from the others
 *   rows*.c    parity: rows of blocks that belong together (rows.h); raid6.c the field of Q
 *   objects.c  create, delete, truncate, attributes; mending a copy
 *   choose.c   which checkpoint to go back to; checkpoint.c, restore.c, resync.c
 *   members.c  disks that leave and join
 *   log.c      segments of the log, on all members
 *   background.c  work between requests: rebuild.c makes new disks whole, migrate.c gives files
 *              other levels, scrub.c verifies all; walk.c which object is next
 *   serve.c    requests; main.c the process
 *
 * Rules that all keep:
 *   (1) OK to a write: every live copy accepted it (L1);
 *   (2) a copy is overwritten in place only while another is known whole and flushed (L5);
 *   (3) a process that died below ends the request with E_SESSION: nothing is mended here, the
 *       cache restores everybody; a disk that failed below leaves the pool and service goes on;
 *   (4) between PREPARE and RELEASE nothing below changes, repairs included.
 */
#ifndef LORIS_STACK_LORIS_LOGICAL_LOGICAL_H
#define LORIS_STACK_LORIS_LOGICAL_LOGICAL_H

#include "assertion.h"
#include "block.h"
#include "object.h"

#define PAGES_MAX 512u /* mapping pages in memory: 32768 objects */
#define PAGE_BUCKETS 512u
#define ENTRY_BYTES 64u
#define ENTRIES_PER_PAGE (BLOCK_BYTES / ENTRY_BYTES)
#define PHYSICAL_CALL_NS UINT64_C(200000000000) /* five tries of 35 s in the block client */
/* For one disk within one request of the cache, if others stand in for it: above the two time-outs
 * after which the block client gives a silent disk up, below CACHE_CALL_NS with one disk to go. */
#define PATIENCE_NS UINT64_C(120000000000)
#define PHYSICAL_AWAIT_NS UINT64_C(60000000000)
#define MEND_BLOCKS 32u
#define MEND_SCAN_MAX 16384u           /* blocks up to which holes and lost blocks are told apart */
#define MEND_REACH (UINT64_C(1) << 22) /* blocks; an object spread wider is not made anew */
#define DAMAGES_MAX 32u
#define DELTA_DOUBTS 512u        /* objects; with more, all is copied */
#define NEIGHBOURS 15u           /* ids on either side that may share a block of inodes below */
#define WIRE_BYTES 8192u         /* entries of a batch, or metas of a read, for one disk */
#define STATFS_META_BLOCKS 1024u /* that directories may take on every disk between two looks */
#define CALLS_MAX 96u            /* of one request of the cache: 64 stripes and more */

/*
 * Bit of an object's number on its disks: each migration turns it. The cache has fewer objects.
 * Slot OID_NONE of the mapping is that of the layout which a migration makes, or leaves behind.
 */
#define OID_MOVED (UINT64_C(1) << 31)

struct entry {              /* of the mapping */
    uint64_t oid;           /* on the disks */
    uint64_t file;          /* slot in the mapping: what the cache calls it, or OID_NONE */
    uint8_t level;          /* 0, 1 (as many copies as disks), 4, 5, 6 */
    uint8_t count;          /* disks */
    uint16_t flags;         /* OBJECT_META, OBJECT_COW */
    uint32_t stripe_blocks; /* of all levels but 1 */
    uint8_t disk[DISKS_MAX];
    uint8_t generation[DISKS_MAX]; /* of that disk when the copy was made: it counts while equal */
    uint8_t wanted;  /* level that was asked for last, in the numbering of OBJECT_LEVEL_SHIFT */
    bool waits;      /* to be given it */
    uint8_t filling; /* slot + 1 that is being copied to a new disk, 0: none; in memory only */
};

struct page { /* 64 entries, as in the mapping object */
    uint8_t *raw;
    uint64_t index;
    bool used, dirty, recent;
    struct page *next;
};

/* Small state under one guard. */
struct core {
    uint64_t epoch, prepared; /* released, and in the making (equal: none) */
    uint64_t highest_epoch, highest_lsn;
    uint64_t pool_uuid[2], incarnation;
    uint64_t ancestor[OBJECT_ANCESTORS];
    uint64_t disk_uuid[DISKS_MAX][2];
    uint32_t members; /* live disks, a bit each */
    uint32_t rev;
    uint32_t unflushed;            /* disks with data overwritten in place since their last flush */
    bool new_members;              /* since the last root: the next one needs a new incarnation */
    uint32_t rebuilding;           /* members that are no redundancy yet */
    uint32_t vacant;               /* left the pool; entries may still name them */
    uint8_t generation[DISKS_MAX]; /* rises each time that the disk joins */
    uint32_t whole;                /* of rebuilding: the next root lists them as full members */
    uint32_t refilled;             /* of vacant: the next root lists them no more */
    uint32_t listed, prepared_list; /* members in the released root, and in the prepared one */
    uint32_t ready;                 /* no members, but up: may join once no root lists them */
    uint64_t moving, moved; /* file that is given another level, blocks that are in both layouts */
};

struct call {
    uint32_t disk;
    struct object_request request;
    struct object_reply reply;
    enum err status;
    bool sent, done;
    uint32_t id;
};

/* Blocks on their way down. entry[i] goes to the disks in mask[i], status there in status[k][i]. */
struct batch {
    uint32_t count, flags;
    struct object_write_entry entry[OBJECT_BATCH_MAX_BLOCKS];
    const uint8_t *page[OBJECT_BATCH_MAX_BLOCKS]; /* own memory; NULL: in the caller's grant */
    uint32_t caller, grant;                       /* whose data, block i at i * 4096 */
    uint64_t local[OBJECT_BATCH_MAX_BLOCKS];      /* block on its disk */
    uint32_t mask[OBJECT_BATCH_MAX_BLOCKS];
    bool shadow[OBJECT_BATCH_MAX_BLOCKS];
    bool stagger[OBJECT_BATCH_MAX_BLOCKS]; /* may be overwritten in place: mirror 1 first */
    bool backed[OBJECT_BATCH_MAX_BLOCKS];  /* parity stands in for it if its disk goes */
    int32_t status[OBJECT_BATCH_MAX_BLOCKS];
    uint32_t failed[OBJECT_BATCH_MAX_BLOCKS]; /* disks whose copy refused for itself */
    uint64_t moved[DISKS_MAX];                /* overwritten in place, a disk */
};

struct damage { /* an object that was made anew on a disk: its neighbours may have gone too */
    uint64_t oid;
    uint32_t disk;
};

struct candidate { /* what one disk answered */
    bool present;
    bool damaged; /* a slot holds neither a root nor nothing: what it had is unknown */
    uint32_t count;
    struct object_root root[OBJECT_ROOTS_MAX];
};

/* The copy of one object that is being made on a new disk; volatile, a restore begins it anew. */
enum rebuild_phase { REBUILD_IDLE, REBUILD_META, REBUILD_DATA, REBUILD_SWEEP, REBUILD_DONE };

struct rebuild {
    enum rebuild_phase phase;
    bool filling;  /* oid's slot is being copied: blocks [next, end) are to come */
    bool remained; /* some slots were not for this disk to take */
    bool compares; /* filling: only what differs is copied */
    uint64_t oid, next, end;
    uint32_t slot, disk; /* disk: the new one, unless idle */
    uint32_t replaced;   /* disks whose slots it takes */
    uint64_t at;         /* object to look at next */
    uint32_t skips, pushes;
    uint32_t steps; /* ranges and objects done since the last report */
};

/* A disk that came back with the tree of checkpoint `epoch`: what has not changed since stays. */
struct delta {
    uint64_t epoch; /* 0: none */
    uint32_t disk, doubted;
    uint8_t generation;           /* of the entries whose copies are in that tree */
    uint64_t doubt[DELTA_DOUBTS]; /* objects that were being overwritten in place when it left */
};

struct scrub {                       /* a pass over all objects, and when the next begins */
    uint64_t next_pass_ns, began_ns; /* began: 0 between two passes */
    uint64_t oid, next, end;         /* in work: blocks [next, end) are to come */
    uint64_t blocks, mended;
    bool metadata; /* objects are done: what the disks have in memory, from `at` of `disk` */
    uint32_t disk;
    uint64_t at;
    uint32_t skips;
};

#define MIGRATE_QUEUE 32u

/* One file that is given another level (migrate.c), and those that wait for it. */
struct migrate {
    bool known;     /* page 0 of the mapping was looked at since the restore */
    bool left;      /* a layout is in the spare slot that has to go */
    bool walk;      /* who waits is found by looking at all objects, from `at` on */
    bool postponed; /* some could not be begun, or finished */
    bool took;      /* room, since the cache was told how much there is */
    uint32_t whole; /* slots of the new layout that were whole when it was made */
    uint32_t queued, skips, pushes;
    uint64_t queue[MIGRATE_QUEUE]; /* files that wait; more of them: walk */
    uint64_t end;                  /* blocks of the file in work, as far as known */
    uint64_t at;
    uint64_t due_ns, walk_ns; /* no step, no look before */
    uint8_t *pages;           /* MEND_BLOCKS blocks */
    uint8_t metas[MEND_BLOCKS * OBJECT_META_BYTES];
};

struct rows; /* rows.h */

struct logical {
    struct stack_options options;
    bool format; /* make an empty pool at the first restore */
    struct core core;
    uint32_t core_guard;
    bool active, in_pause; /* in_pause: PREPARE was answered, RELEASE not yet */
    uint32_t session, next_id;
    uint32_t endpoint[DISKS_MAX];
    uint32_t deaths[DISKS_MAX]; /* of physical while it was restored */
    struct page *page[PAGES_MAX];
    struct page *bucket[PAGE_BUCKETS];
    uint32_t pages, hand;
    struct call call[CALLS_MAX];
    struct batch batch;
    bool need_checkpoint; /* some disk's intents run short */
    bool want_checkpoint; /* the rebuild waits for one */
    uint32_t client;      /* endpoint of the cache */
    uint32_t left, unfit; /* disks that left in this life; that are not to join again in it */
    uint32_t seen_dead;   /* disks that answered E_DEAD, not that they refuse */
    uint32_t silent;      /* disks that were waited for in vain: nothing is sent to them again */
    uint64_t waited_ns[DISKS_MAX]; /* for each disk, within this request; <= PATIENCE_NS */
    uint64_t poll_ns, poll_gap_ns; /* when absent disks are looked for next */
    uint32_t joins[DISKS_MAX];     /* of each disk, none long after the one before */
    uint64_t joined_ns[DISKS_MAX]; /* the last of them */
    uint64_t room[DISKS_MAX];      /* free blocks as of the last STATFS */
    uint64_t
        since[DISKS_MAX]; /* last checkpoint released with a disk that left in this life, or 0 */
    struct delta delta;
    uint64_t durable; /* newest checkpoint released in this life: nobody goes back beyond it */
    uint8_t *wire[DISKS_MAX]; /* encoded entries or metas, a disk each */
    uint8_t *data;            /* OBJECT_BATCH_MAX_BLOCKS blocks of a batch */
    uint8_t *copies;          /* a block a disk: copies that are compared */
    uint8_t *mend;            /* MEND_BLOCKS blocks of a copy that is made anew */
    struct object_block_meta metas[OBJECT_IO_MAX_BLOCKS];
    uint8_t meta_wire[OBJECT_IO_MAX_BLOCKS * OBJECT_META_BYTES];
    struct intent_item *items;
    struct damage damage[DAMAGES_MAX];
    uint32_t damages;
    struct rebuild rebuild;
    struct scrub scrub;
    struct migrate migrate;
    bool settled;                  /* a checkpoint was released since the restore */
    uint64_t due_ns, asked_ns;     /* next step; when a checkpoint was asked for, or done, last */
    struct rows *rows, *mend_rows; /* of the request, of mending within it; NULL: no parity yet */
};

/* ---- Masks, a bit a disk or role ---- */

static inline uint32_t logical_bits(uint32_t mask)
{
    uint32_t bits = 0;
    for (; mask != 0; mask &= mask - 1) /* no builtin: it may be a call of the compiler's library */
        bits++;
    return bits;
}
/* The number of the lowest bit; mask is not 0. */
static inline uint32_t logical_lowest(uint32_t mask)
{
    ASSERT(mask != 0);
    return (uint32_t)__builtin_ctz(mask);
}

/* ---- calls.c ---- */

/*
 * Carries out calls[0..count): at most one outstanding at each physical, several physicals at a
 * time. OK: each has its status. E_SESSION: a process died or belongs to another session; the
 * request of the cache ends with that.
 */
MUST_USE enum err logical_calls_run(struct logical *l, struct call *calls, uint32_t count);
MUST_USE enum err logical_calls_one(struct logical *l, struct call *call);
/* The same request to all disks of `mask`, into calls[]; their number in *count. */
MUST_USE enum err logical_calls_all(struct logical *l, uint32_t mask,
                                    const struct object_request *request, uint32_t *count);
/* true: this status means that the disk cannot serve any more. */
bool logical_disk_failed(enum err status);
/*
 * Takes a disk out of the pool; flushes the others, so that no block hangs on it. What only it had
 * is lost, the rest is served. OK; E_MEDIA: it is the last one (nothing has changed); E_SESSION.
 */
MUST_USE enum err logical_disk_drop(struct logical *l, uint32_t disk);
void logical_core_seal(struct logical *l);
void logical_core_check(const struct logical *l);

/* ---- mapping.c ---- */

/* The object that the cache calls so. */
MUST_USE enum err logical_mapping_get(struct logical *l, uint64_t file, struct entry *entry);
/* The layout that has this number on the disks, also that which a migration makes or leaves. */
MUST_USE enum err logical_mapping_find(struct logical *l, uint64_t oid, struct entry *entry);
/* That one: E_NOENT if there is none. */
MUST_USE enum err logical_mapping_spare(struct logical *l, struct entry *entry);
/* Into the slot entry->file. entry->count 0: forget the object. */
MUST_USE enum err logical_mapping_put(struct logical *l, const struct entry *entry);
/* Files that wait for another level. */
MUST_USE enum err logical_mapping_waiting(struct logical *l, uint64_t *count);
/* What a new object gets. */
void logical_mapping_choose(const struct logical *l, uint64_t oid, uint32_t flags,
                            struct entry *entry);
MUST_USE enum err logical_mapping_write_all(struct logical *l, uint64_t lsn);
void logical_mapping_reset(struct logical *l);
/*
 * A slot k (entry->disk[k]) is whole if its disk is a member of the generation that the entry
 * knows: that copy or part may be read, also on a disk that is REBUILDING (the object was copied
 * there). It is a sink if it is whole or is being copied to a new disk: every write goes to all
 * sinks.
 */
bool logical_entry_whole(const struct logical *l, const struct entry *entry, uint32_t slot);
bool logical_entry_sink(const struct logical *l, const struct entry *entry, uint32_t slot);
/* The same as masks of disks. */
uint32_t logical_entry_disks(const struct logical *l, const struct entry *entry);
uint32_t logical_entry_sinks(const struct logical *l, const struct entry *entry);
/* Copies that count as redundancy: whole, and on no disk that is REBUILDING (L5). */
uint32_t logical_entry_safe(const struct logical *l, const struct entry *entry);

/* ---- place.c ---- */

struct place {
    uint32_t disk, role;
    uint64_t block; /* on that disk */
    uint32_t run;   /* blocks that follow each other there, this one included */
};
/* Where a block of the object is; not for level 1. */
void logical_place_stripe(const struct entry *entry, uint64_t block, struct place *place);
/* Parity blocks in a row: 0 (levels 0, 1), 1 (4, 5), 2 (6). */
uint32_t logical_place_parities(const struct entry *entry);
/* Slots that a layout can do without: the others say all that these held. */
uint32_t logical_place_spares(const struct entry *entry);
/* The slot of a role in the row of block `block` of the parts; and the role of a slot there. */
uint32_t logical_place_slot(const struct entry *entry, uint64_t block, uint32_t role);
uint32_t logical_place_role(const struct entry *entry, uint64_t block, uint32_t slot);
/* Blocks that the k-th disk of the entry keeps of the first `blocks` of the object. */
uint64_t logical_place_kept(const struct entry *entry, uint32_t k, uint64_t blocks);

/* ---- read.c, write.c, objects.c ---- */

enum err logical_read_serve(struct logical *l, const struct object_request *request,
                            uint32_t source, struct object_reply *reply);
/* Reads one block of one disk into own memory. The status of the block is in *meta. */
MUST_USE enum err logical_read_copy(struct logical *l, uint32_t disk, uint64_t oid, uint64_t block,
                                    uint8_t *page, struct object_block_meta *meta);
/* One block of OID_MAPPING, from any copy, bad ones repaired. */
MUST_USE enum err logical_read_mapping(struct logical *l, uint64_t block, uint8_t *page);

enum err logical_write_serve(struct logical *l, const struct object_request *request,
                             uint32_t source, struct object_reply *reply);
/* Sends l->batch to the disks of its masks, staggered where it matters, dropping disks that fail.
 */
MUST_USE enum err logical_write_batch(struct logical *l);
/* One phase of it: to exactly those in mask[]. For resync, where the order does not matter. */
MUST_USE enum err logical_write_phase(struct logical *l, const uint32_t *mask);
MUST_USE enum err logical_write_repair(struct logical *l, uint32_t disk, uint64_t oid,
                                       uint64_t block, const uint8_t *page, uint32_t crc);
/* One block to one disk, whatever the batch does. flags: of the entry. */
MUST_USE enum err logical_write_one(struct logical *l, uint32_t disk, uint64_t oid, uint64_t block,
                                    const uint8_t *page, uint32_t crc, uint32_t flags);
MUST_USE enum err logical_flush_disks(struct logical *l, uint32_t mask);

/* Writes a batch, whatever its objects' levels; in->status[i] of each block. */
struct intake;
MUST_USE enum err logical_write_intake(struct logical *l, struct intake *in);

/* One block of the batch to one disk, once more. */
MUST_USE enum err logical_write_alone(struct logical *l, uint32_t i, uint32_t disk);

/* ---- rows_write.c, rows_read.c: objects with parity ---- */

/* Level 4, 5 or 6. */
static inline bool logical_has_parity(const struct entry *entry)
{
    return entry->level >= 4;
}
struct intake { /* a batch; found[i] OK: entry[i] is its object's, wire[i].oid that on the disks */
    uint32_t source, grant, flags, count;
    const struct object_write_entry *wire;
    const struct entry *entry;
    const enum err *found;
    int32_t *status; /* answers */
    uint32_t moved;
};
/* Writes what of the batch belongs to objects with parity; l->batch is used for that. */
MUST_USE enum err logical_rows_write(struct logical *l, struct intake *in);
/*
 * Takes what a truncation to `blocks` will cut off out of the parity that stays. Nothing else may
 * be done with the object before it is cut. *refused: disks whose parts have to be mended then.
 */
MUST_USE enum err logical_rows_truncate(struct logical *l, const struct entry *entry,
                                        uint64_t blocks, uint64_t lsn, uint32_t *refused);
/*
 * Blocks [first, first + count) of the object whose status in l->metas[] is not OK: those that can
 * be worked out become OK and go to the caller's data; what their disk has of them is mended.
 */
MUST_USE enum err logical_rows_recover(struct logical *l, const struct object_request *request,
                                       uint32_t source, const struct entry *entry, uint64_t first,
                                       uint32_t count);
/*
 * logical_slot_read for objects with parity. *seen += blocks that the other slots have in that
 * range, holes and lost ones left out: when that is the sum of their counts, nothing is beyond.
 */
MUST_USE enum err logical_rows_make(struct logical *l, const struct entry *entry, uint32_t slot,
                                    uint64_t first, uint32_t count, uint8_t *pages,
                                    struct object_block_meta *metas, uint64_t *seen);

enum err logical_objects_serve(struct logical *l, const struct object_request *request,
                               struct object_reply *reply);
enum err logical_objects_statfs(struct logical *l, struct object_reply *reply);
/* CREATE, TRUNCATE, SETATTR, DELETE on all disks that have a part of this layout. */
MUST_USE enum err logical_objects_make(struct logical *l, const struct entry *entry,
                                       const struct object_request *request);
MUST_USE enum err logical_objects_change(struct logical *l, const struct entry *entry,
                                         const struct object_request *request);
/* Mends what shares its place with objects that were mended; when no batch is under way. */
MUST_USE enum err logical_objects_mend_neighbours(struct logical *l);
/* Makes the copy of an object on `bad` anew from `good`. */
MUST_USE enum err logical_objects_mend(struct logical *l, const struct entry *entry, uint32_t bad,
                                       uint32_t good);

/* ---- members.c ---- */

/* Book-keeping when a disk leaves. */
void logical_members_left(struct logical *l, uint32_t disk);
/* After a restore: who may join. without: disks whose tree could not be loaded. */
void logical_members_restored(struct logical *l, const struct candidate disk[DISKS_MAX],
                              uint32_t without);
bool logical_members_may_join(const struct logical *l);
/* Takes the next disk in, REBUILDING. OK also if it did not work out; E_SESSION, E_MEDIA. */
MUST_USE enum err logical_members_join(struct logical *l);
/* Looks whether a disk that left is back; when next (PLAT_FOREVER: none is absent). OK, E_SESSION.
 */
uint64_t logical_members_poll_due(const struct logical *l);
MUST_USE enum err logical_members_poll(struct logical *l);
/* Reports which disk is being made whole, or will be. */
void logical_members_tell(struct logical *l);

/* ---- rebuild.c ---- */

void logical_rebuild_reset(struct logical *l);
void logical_rebuild_disk_left(struct logical *l, uint32_t disk);
/* The list of members that PREPARE writes; what RELEASE makes true. */
void logical_rebuild_prepare(struct logical *l);
void logical_rebuild_release(struct logical *l);
bool logical_rebuild_has_work(const struct logical *l);
MUST_USE enum err logical_rebuild_work(struct logical *l); /* a step; OK or E_SESSION */

/* ---- migrate.c ---- */

void logical_migrate_reset(struct logical *l);
/* What page 0 of the mapping says when it comes into memory. work: files wait, or a layout is left.
 */
void logical_migrate_found(struct logical *l, bool work);
/* The level that naming asks for came with the attributes. OK, E_SESSION, as the mapping. */
MUST_USE enum err logical_migrate_wish(struct logical *l, const struct entry *entry,
                                       const uint8_t *attr);
/* The same change as to the file, to what is being made of it: E_SESSION or OK. */
MUST_USE enum err logical_migrate_change(struct logical *l, const struct entry *entry,
                                         const struct object_request *request);
MUST_USE enum err logical_migrate_write(struct logical *l, const struct intake *in);
/* When a step is due, PLAT_FOREVER: there is nothing to do. */
uint64_t logical_migrate_due(const struct logical *l);
/* A layout may go that nobody needs: before a rebuild looks at it. */
bool logical_migrate_must_clear(const struct logical *l);
MUST_USE enum err logical_migrate_work(struct logical *l); /* a step; OK or E_SESSION */

/* ---- scrub.c ---- */

uint64_t logical_scrub_due(const struct logical *l);
MUST_USE enum err logical_scrub_work(struct logical *l); /* a step; OK or E_SESSION */

/* ---- background.c ---- */

/* When the next step is due, PLAT_FOREVER: none is; and that step, if it is due. */
uint64_t logical_background_due(const struct logical *l);
void logical_background_step(struct logical *l);
/* A checkpoint is wanted; one was released. */
void logical_background_ask(struct logical *l);
void logical_background_released(struct logical *l);

/* ---- walk.c ---- */

#define WALK_LOOKS 64u        /* objects looked at in one step */
#define WALK_LEAF_OBJECTS 15u /* of physical: objects that one unreadable leaf hides */
#define WALK_SKIPS_MAX 300u   /* unreadable leaves in a row: then there are no more */

/*
 * The smallest object >= from that a disk of `mask` has, in *oid. OK; E_NOENT: there is none;
 * E_AGAIN: no disk can say, its leaf is unreadable; E_SESSION. Disks that are dead leave the pool.
 */
MUST_USE enum err logical_walk_next(struct logical *l, uint32_t mask, uint64_t from, uint64_t *oid);
/*
 * Attributes as a whole slot has them, and how many blocks the longest part has, up to its last
 * one. E_NOENT: no disk says; E_LOST: so few slots say that the longest may be among the others
 * (the attributes are right, the end may be short); E_SESSION.
 */
MUST_USE enum err logical_walk_attributes(struct logical *l, const struct entry *entry,
                                          struct object_reply *reply, uint64_t *end);

/* ---- slot.c: what a disk in the place of a slot must hold, for every level ---- */

/* What blocks [first, first + count) of one disk are: all are read and verified. Each has its
 * status in metas, which for all is that of the request if it came to none. OK or E_SESSION; a dead
 * disk has left the pool. */
MUST_USE enum err logical_slot_verify(struct logical *l, uint32_t disk, uint64_t oid,
                                      uint64_t first, uint32_t count, uint8_t *pages,
                                      struct object_block_meta *metas);
/* The same without reading: what the disk's pointers say. */
MUST_USE enum err logical_slot_look(struct logical *l, uint32_t disk, uint64_t oid, uint64_t first,
                                    uint32_t count, struct object_block_meta *metas);
/*
 * What blocks [first, first + count) of the entry's slot must hold (numbered as on its disk), made
 * from the whole slots: another copy, or data and parity. pages: count blocks; metas: the status of
 * each, OK, flag 1 for a hole, or why it cannot be made (E_LOST, E_MEDIA, E_CORRUPT). count <=
 * MEND_BLOCKS. OK or E_SESSION; a disk that failed has left the pool.
 */
MUST_USE enum err logical_slot_read(struct logical *l, const struct entry *entry, uint32_t slot,
                                    uint64_t first, uint32_t count, uint8_t *pages,
                                    struct object_block_meta *metas);
/*
 * Writes them to `disk`: holes are left out, blocks that could not be made are marked lost. OK,
 * E_SESSION, or why that disk does not take them (E_DEAD, E_MEDIA, E_FULL, E_AGAIN).
 */
MUST_USE enum err logical_slot_write(struct logical *l, uint32_t disk, uint64_t oid, uint64_t first,
                                     uint32_t count, const uint8_t *pages,
                                     const struct object_block_meta *metas);

/* ---- choose.c ---- */

struct choice {
    struct object_root root;   /* the chosen one, as some disk has it */
    struct object_root newest; /* of the newest incarnation: whose line goes on */
    uint32_t members;          /* present members */
    uint64_t highest_epoch, highest_lsn;
};
/*
 * OK; E_NOENT: no disk has a root; E_MEDIA: too few members; E_CORRUPT: halves ran apart, or no
 * root is complete: then `members` are those to go on with, without the others. missing_max: absent
 * members that the levels bear.
 */
MUST_USE enum err logical_choose_root(const struct candidate disk[DISKS_MAX], uint32_t missing_max,
                                      struct choice *choice);

/* ---- checkpoint.c, restore.c, resync.c ---- */

enum err logical_checkpoint_prepare(struct logical *l, uint64_t epoch, uint64_t lsn, bool clean);
enum err logical_checkpoint_release(struct logical *l, uint64_t epoch);
void logical_new_incarnation(struct logical *l);

/*
 * Sends *request (PREPARE or ADOPT) with *root to all members; fills in of both what this
 * incarnation of the pool has in common. OK: *failed gains the disks that could not.
 */
MUST_USE enum err logical_root_send(struct logical *l, struct object_root *root,
                                    const struct object_request *request, uint32_t *failed);
/* What the slots of the disks in `up` hold; present: it answered. OK or E_SESSION. */
MUST_USE enum err logical_restore_read_roots(struct logical *l, uint32_t up,
                                             struct candidate disk[DISKS_MAX]);
enum err logical_restore_serve(struct logical *l, const struct object_request *request,
                               uint32_t source, struct object_reply *reply);
/* *found: blocks named by intents. quiet: what is lost will be replayed, so it is not reported. */
MUST_USE enum err logical_resync_run(struct logical *l, bool quiet, uint32_t *found);

/* ---- log.c: segments of the log (fsync=log) ---- */

enum err logical_log_write(struct logical *l, const struct object_request *request, uint32_t source,
                           struct object_reply *reply);
enum err logical_log_read(struct logical *l, const struct object_request *request, uint32_t source,
                          struct object_reply *reply);

/* ---- serve.c ---- */

void logical_init(struct logical *l, const struct boot *boot);
enum err logical_serve(struct logical *l, const struct msg *m, struct object_reply *reply);

#endif
