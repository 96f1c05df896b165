/*
 * The object protocol: naming -> cache -> logical -> physical. An object is a numbered sequence of
 * bytes with a size and 64 bytes of attributes that only naming understands.
 *
 * Naming -> cache: byte ranges, transactions. Cache -> logical -> physical: whole blocks, each with
 * its CRC32C; every request carries the recovery session, every mutation an lsn. Logical ->
 * physical: the same operations on a disk's own copy, plus the protocol of checkpoint and restore.
 *
 * Synchronous: a layer sends the next request to a peer only after the answer to the last, except
 * that logical has one request outstanding at each physical at the same time.
 */
#ifndef LORIS_OBJECT_H
#define LORIS_OBJECT_H

#include "block.h"

#define OBJECT_ATTR_BYTES 64u
/* Where in them, for whom but naming, the RAID level of a file is that it is to have: 4 bytes,
 * little- endian, in the numbering of OBJECT_LEVEL_SHIFT. Another one than before: logical migrates
 * it. */
#define OBJECT_ATTR_LEVEL 56u
#define OBJECT_IO_MAX_BLOCKS 64u
#define OBJECT_SIZE_MAX (UINT64_C(1) << 40) /* bytes */

/* Object ids. Those below OID_FIRST_FREE are fixed; the cache allocates the others, never twice. */
#define OID_NONE UINT64_C(0)
#define OID_MAPPING UINT64_C(1)      /* logical's own, mirrored on every disk */
#define OID_SHARED_ROOT UINT64_C(16) /* root directory of the shared tree */
#define OID_MEE_ROOT(mee) (UINT64_C(32) + 2 * (uint64_t)(mee))
#define OID_MEE_ORPHANS(mee) (UINT64_C(33) + 2 * (uint64_t)(mee))
#define OID_FIRST_FREE UINT64_C(1024)

enum object_op {
    OBJECT_CREATE = 1, /* flags, attr, policy; oid OID_NONE: the cache chooses and answers it */
    OBJECT_DELETE,
    OBJECT_READ,      /* range; grant_data, below the cache grant_meta too */
    OBJECT_WRITE,     /* range; grows the object if it ends beyond its size (naming -> cache) */
    OBJECT_TRUNCATE,  /* size */
    OBJECT_GETATTR,   /* answers size, attr, flags, blocks; physical: epoch = blocks up to the last;
                       * naming -> cache with a range and grant_data: reads it too, as READ does */
    OBJECT_SETATTR,   /* attr; below the cache also size (only stored there) */
    OBJECT_TXN_BEGIN, /* naming -> cache: txn id; answers done + result, or run */
    OBJECT_TXN_COMMIT, /* result */
    OBJECT_TXN_ABORT,
    OBJECT_SYNC,     /* naming -> cache: everything answered before is durable when answered;
                        oid: at least this object and its directories */
    OBJECT_STATFS,   /* answers size = capacity in blocks, blocks = free blocks */
    OBJECT_SHUTDOWN, /* orderly stop: checkpoint marked clean; service goes on, unclean at the next
                        change */
    OBJECT_ENVIRONMENT_DIED, /* naming's first message: abort the open request of this environment;
                                with a generation, VFS's: also user transactions of others */
    /* Cache -> logical -> physical only. */
    OBJECT_FLUSH,   /* everything answered is stable on the medium */
    OBJECT_PREPARE, /* cache -> logical: make checkpoint `epoch`; answered when it is durable on
                       all. logical -> physical: PREPARE(N, rev, members) */
    OBJECT_RELEASE, /* epoch: deferred frees usable, intents <= epoch void */
    OBJECT_RESTORE, /* cache -> logical: session; drop volatile state, go back to the newest
                       complete checkpoint; answers epoch, lsn. flag SYSTEM: also resynchronise data
                     */
    OBJECT_ROOTS,   /* logical -> physical: fence, flush, read both root slots; answers summaries */
    OBJECT_ADOPT, /* logical -> physical: go back to root (epoch, rev), void those above, write the
                     new incarnation, load the tree */
    OBJECT_INTENTS, /* logical -> physical: valid intents above the adopted epoch, by grant_data */
    OBJECT_NEXT,    /* logical -> physical: smallest object id >= oid that exists (scrub, rebuild,
                       listing) */
    OBJECT_FORMAT,  /* logical -> physical: make an empty layout; pool identity by grant_data */
    OBJECT_VERIFY,  /* logical -> physical: metadata in memory are compared with the disk, some from
                       `offset` on; answers blocks = how many, moved = how many were bad and will be
                       rewritten, size = where to go on, 0: that was all */
    /* Naming -> cache: user transactions (txn.outer). A request of one is answered E_ABORT if the
       cache does not know it (any more). */
    OBJECT_USER_BEGIN, /* E_WAIT: too many are open. Again: no effect */
    OBJECT_USER_END,   /* in a request: its commit commits the user transaction too */
    OBJECT_USER_ABORT, /* OK also if it is not open */
    /* Cache -> logical -> physical, with fsync=log: below, `segments`. */
    OBJECT_LOG_WRITE, /* a segment behind the last one, on all disks */
    OBJECT_LOG_READ,  /* the segment at a place: before anything was released since the restore */
    OBJECT_OP_COUNT
};

enum object_flags {
    OBJECT_META = 1u << 0,   /* directories, mapping, maps: mirrored on raid-metadata, shadowed */
    OBJECT_COW = 1u << 1,    /* data is shadowed too */
    OBJECT_NODATA = 1u << 2, /* READ: checksums only */
    OBJECT_REPAIR = 1u << 3, /* WRITE: mends a copy, changes nothing above */
    OBJECT_SHADOW = 1u << 4, /* WRITE: not in place */
    OBJECT_REPLAY =
        1u << 5, /* create of the existing and delete of the gone are OK; reserves usable */
    OBJECT_SYSTEM = 1u << 6, /* RESTORE: after a system crash or at start: resynchronise data */
    OBJECT_CLEAN = 1u << 7,  /* PREPARE: orderly stop */
    OBJECT_LOST_BLOCKS = 1u << 8, /* WRITE: mark the range known lost (pointer BAD): no data */
    OBJECT_EXCLUSIVE =
        1u << 9,            /* naming -> cache READ/GETATTR: lock for writing (will be changed) */
    OBJECT_HOLE = 1u << 10, /* WRITE of zeros: whole blocks of it need no place on a disk */
    /* Bits 11 to 13: OBJECT_LEVEL_MASK. */
    OBJECT_ATTR = 1u << 14,   /* naming -> cache WRITE: sets the attributes as SETATTR does */
    OBJECT_BEGINS = 1u << 15, /* naming -> cache: the first request of its transaction, which it
                                 begins as TXN_BEGIN does; `done`: it has not been carried out */
};

/* In the flags of CREATE: the RAID level of this object. 0: the pool's; else 1 + its place among 0,
 * 1, 4, 5, 6, n-way (RAID_N_WAY). */
#define OBJECT_LEVELS 6u
#define OBJECT_LEVEL_SHIFT 11u
#define OBJECT_LEVEL_MASK (7u << OBJECT_LEVEL_SHIFT)

/* Flag of WRITE's answer below the cache: make a checkpoint soon (the intents run short). */
#define OBJECT_NEED_CHECKPOINT (1u << 16)
/* Flag of any answer of logical: there is less room than STATFS said last, for a migration took
 * some.
 */
#define OBJECT_LESS_ROOM (1u << 18)
/* Flag of ROOTS' answer: a slot has no valid copy and is not void; it may have had any root. */
#define OBJECT_ROOT_DAMAGED (1u << 17)

/* ADOPT has two steps, each on all disks before the next: `size` says which. A third one changes
 * nothing: OK if every metadata block of the root `epoch` is whole. */
#define OBJECT_ADOPT_VOID 1u /* roots above `epoch` are voided and that is stable */
#define OBJECT_ADOPT_WALK 3u
#define OBJECT_ADOPT_LOAD 2u /* the root is rewritten as grant_data says, the tree loaded */

/* Who asks, so that a retried request takes effect once: (environment, VFS generation, sequence).
 */
struct object_txn {
    uint32_t environment; /* + 1; 0: no transaction, the request is one by itself */
    uint32_t generation;  /* VFS incarnation */
    uint64_t sequence;    /* VFS's request number */
    uint64_t outer;       /* user transaction that the request is a savepoint of, 0: none; VFS's
                             number for it, unique within its generation */
};

#define OBJECT_RESULT_BYTES                                                                        \
    96u /* of a transaction: naming's own reply, kept in the reply table                           \
         */

/* Answer to one block of a READ below the cache, in grant_meta, OBJECT_META_BYTES each. */
struct object_block_meta {
    uint32_t crc;   /* CRC32C of the 4096 bytes; of zeros for a hole */
    uint32_t birth; /* epoch of last change */
    int32_t status; /* enum err of this block: OK, E_CORRUPT, E_LOST, E_MEDIA */
    uint32_t flags; /* 1: hole */
};
#define OBJECT_META_BYTES 16u

/*
 * WRITE below the cache is a batch: up to OBJECT_BATCH_MAX_BLOCKS whole blocks of any objects, one
 * entry each in grant_meta (read and write access: the status of each comes back there), their data
 * in the same order in grant_data; `length` = 4096 x entries. So a write-back run needs one intent
 * block and one flush a mirror. The answer's `moved` counts the blocks that were overwritten in
 * place.
 */
#define OBJECT_BATCH_MAX_BLOCKS 126u
struct object_write_entry {
    uint64_t oid, block, lsn;
    uint32_t crc;
    int32_t status; /* answer */
    uint32_t flags; /* OBJECT_REPAIR, OBJECT_SHADOW, OBJECT_LOST_BLOCKS of this block */
};
#define OBJECT_ENTRY_BYTES 40u

/*
 * Segments: with fsync=log each disk has a region for groups of log records on top of the released
 * checkpoint `epoch`. A group is one segment or several; only the last one is flushed, and what was
 * written of a group without its last is void. Every release empties the region.
 *
 * WRITE: `epoch`; `lsn` = the number of the segment, from 1 after each release; `length` = 4096 x
 * blocks, at most OBJECT_BATCH_MAX_BLOCKS, by grant_data; the CRC of each by grant_meta,
 * OBJECT_LOG_CRC_BYTES; `size` = blocks that the rest of its group takes, heads included, 0: it is
 * the last. OK: on all members, stable if it is the last; E_FULL: the group does not fit; E_AGAIN:
 * a checkpoint has to come first. After anything but OK nothing more is taken before a release.
 *
 * READ: `epoch`, `lsn` as above, `offset` = its place, 0 for the first; room for
 * OBJECT_BATCH_MAX_BLOCKS by the grants. The answer: `moved` bytes, `size` = place of the next,
 * `done` = 1: the last of its group. E_NOENT: no member has it whole.
 */
#define OBJECT_LOG_CRC_BYTES 4u

struct object_request {
    enum object_op op;
    uint32_t flags;
    uint64_t oid;
    uint64_t offset, length; /* bytes; below the cache multiples of 4096, length <= 64 blocks */
    uint64_t size;           /* TRUNCATE, SETATTR, CREATE below the cache */
    struct object_txn txn;   /* naming -> cache */
    uint32_t session;        /* below the cache */
    uint32_t rev;
    uint64_t lsn;
    uint64_t epoch; /* PREPARE, RELEASE, ADOPT */
    uint32_t grant_data, grant_meta;
    uint32_t members;                /* PREPARE, ADOPT: bit a disk */
    uint8_t attr[OBJECT_ATTR_BYTES]; /* CREATE, SETATTR, WRITE with OBJECT_ATTR */
};

struct object_reply {
    uint64_t oid, size, blocks; /* blocks: of 4096 bytes that are allocated */
    uint64_t epoch, lsn;
    uint32_t session, flags;
    uint32_t done;  /* TXN_BEGIN, OBJECT_BEGINS: 1 = already committed, `result` is its answer */
    uint32_t moved; /* bytes read or written */
    union {
        uint8_t attr[OBJECT_ATTR_BYTES];
        uint8_t result[OBJECT_RESULT_BYTES];
    };
};

/* TXN_COMMIT carries the result in place of attributes: it has its own packing. */
void object_request_pack(struct msg *m, uint32_t id, const struct object_request *request);
MUST_USE enum err object_request_unpack(struct object_request *request, const struct msg *m);
void object_commit_pack(struct msg *m, uint32_t id, const struct object_txn *txn,
                        const uint8_t result[OBJECT_RESULT_BYTES]);
MUST_USE enum err object_commit_unpack(struct object_txn *txn, uint8_t result[OBJECT_RESULT_BYTES],
                                       const struct msg *m);
void object_reply_pack(struct msg *m, const struct object_reply *reply);
void object_reply_unpack(struct object_reply *reply, const struct msg *m);
void object_block_meta_encode(uint8_t raw[OBJECT_META_BYTES], const struct object_block_meta *meta);
void object_write_entry_encode(uint8_t raw[OBJECT_ENTRY_BYTES],
                               const struct object_write_entry *entry);
void object_write_entry_decode(struct object_write_entry *entry,
                               const uint8_t raw[OBJECT_ENTRY_BYTES]);
void object_block_meta_decode(struct object_block_meta *meta, const uint8_t raw[OBJECT_META_BYTES]);

/* Answer to ROOTS: what physical found in its slots, newest first, in the order of encoding. */
#define OBJECT_ROOTS_MAX 2u
#define OBJECT_ANCESTORS 24u
struct object_root {
    bool valid, clean;
    uint64_t epoch, lsn;
    uint32_t rev, members, self;   /* members: bit a disk; self: this disk's index */
    uint32_t rebuilding;           /* members that are no redundancy yet */
    uint32_t vacant;               /* disks that left, whose copies nobody has taken over yet */
    uint8_t generation[DISKS_MAX]; /* of each disk: rises when it joins again */
    uint64_t pool_uuid[2], disk_uuid[2];
    uint64_t incarnation;
    uint64_t ancestor[OBJECT_ANCESTORS]; /* newest first, 0: none */
    uint64_t highest_epoch; /* above every number seen in any root or intent of this disk */
    uint64_t highest_lsn;
};
#define OBJECT_ROOT_BYTES 320u
void object_root_encode(uint8_t raw[OBJECT_ROOT_BYTES], const struct object_root *root);
MUST_USE enum err object_root_decode(struct object_root *root,
                                     const uint8_t raw[OBJECT_ROOT_BYTES]);

/* One intent, in the answer to INTENTS: which block may differ from the adopted tree, and how. */
struct object_intent {
    uint64_t oid, block, lsn, epoch;
    uint64_t address; /* where on this disk */
    uint32_t crc;
};
#define OBJECT_INTENT_BYTES 48u
void object_intent_encode(uint8_t raw[OBJECT_INTENT_BYTES], const struct object_intent *intent);
void object_intent_decode(struct object_intent *intent, const uint8_t raw[OBJECT_INTENT_BYTES]);

#endif
