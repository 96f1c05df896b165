/*
 * A logical layer in memory, for tests of the cache: a store of objects that keeps a checkpoint,
 * goes back to it on RESTORE, dies or fails at a chosen call, and counts what it was asked.
 */
#ifndef LORIS_STACK_TESTS_LORIS_CACHE_CACHE_STORE_H
#define LORIS_STACK_TESTS_LORIS_CACHE_CACHE_STORE_H

#include "object.h"

#define STORE_OBJECTS 128u
#define STORE_ANY_OBJECT UINT64_MAX
#define STORE_BLOCKS 300u /* an object */
#define STORE_SEGMENTS 128u

struct store_block {
    bool present, lost;
    uint32_t crc;
    uint8_t data[BLOCK_BYTES];
};

struct store_object {
    bool used;
    uint64_t oid, size;
    uint32_t flags;
    uint8_t attr[OBJECT_ATTR_BYTES];
    struct store_block *block[STORE_BLOCKS];
};

struct store_image {
    struct store_object object[STORE_OBJECTS];
    uint64_t epoch;
};

struct store_segment { /* of the log on the disks: outlives everything */
    uint64_t epoch, number, place;
    uint32_t blocks;
    bool end;
    uint8_t *data, *crc;
};

enum store_death { DIE_BEFORE, DIE_AFTER }; /* the effect of the call */

struct store {
    struct store_image live, checkpoint;
    uint32_t session;
    uint64_t calls;
    uint64_t die_at;    /* n-th call from the start, 0: never */
    uint64_t die_gap;   /* after the first death: another so many calls later, once; 0: none */
    uint64_t die_again; /* STORE_ANY_OBJECT (of naming's), or and every call of this operation on
                           this oid, 0: none */
    enum object_op die_op;
    enum store_death how;
    uint64_t fail_at;    /* n-th call answers fail_with */
    uint64_t fail_until; /* all calls up to this one answer fail_with; 0: none */
    enum err fail_with;
    bool fail_only_changes; /* ... if it is a structural change, attributes or data */
    bool poison_marks;      /* the mark "lost" in place of that entry kills too */
    uint64_t poison_lsn;    /* dies whenever a request (or entry) has it; 0: none */
    uint64_t media_oid;     /* its blocks cannot be written, nor marked */
    uint64_t corrupt_oid;   /* READ of it answers E_CORRUPT */
    uint64_t capacity_blocks;
    uint64_t shadowed;       /* bits of the blocks (mod 64) that came with OBJECT_SHADOW */
    uint32_t watched;        /* client whose answers are counted when PREPARE comes; 0: none */
    uint32_t answered_early; /* answers to it that were there by then */
    uint32_t deaths, restores, prepares, bad_crcs, bad_sessions, refused, system_restores;
    uint32_t count[OBJECT_OP_COUNT];
    uint64_t highest_epoch, max_batch;
    struct store_segment segment[STORE_SEGMENTS];
    uint32_t segments;
    uint64_t log_room; /* blocks of the log on the disks */
    bool log_open;     /* something was released since the restore */
    uint32_t groups;   /* taken whole */
    bool clean;
    bool prepared;      /* and not yet released: no change may come */
    bool slow;          /* PREPARE is done and answered by store_finish only */
    bool late, at_late; /* one waits for it; it is being done */
    struct msg late_request;
    uint32_t late_endpoint; /* that it was sent to */
    uint32_t read_grants;   /* of READ: the first few, and whom they were given to */
    uint32_t read_grant[4], read_from[4];
};

void store_init(struct store *s, uint64_t capacity_blocks);
void store_fini(struct store *s);
void store_handler(void *ctx, const struct msg *request); /* a fake_handler */
/* Does and answers a PREPARE that waits (slow). */
void store_finish(struct store *s);
struct store_object *store_find(struct store_image *image, uint64_t oid);
uint64_t store_used(const struct store_image *image);

#endif
