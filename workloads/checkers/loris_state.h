/*
 * What the parts of the checker of a loris pool share: what is known of its disks. Each part says
 * its breaches itself (loris_damage).
 */
#ifndef LORIS_WORKLOADS_CHECKERS_LORIS_STATE_H
#define LORIS_WORKLOADS_CHECKERS_LORIS_STATE_H

#include <stddef.h>

#include "workloads/checkers/checkers.h"
#include "workloads/checkers/loris_layout.h"

#define BLOCK 4096u
#define SECTOR 512u
#define HEAD 64u
#define HEIGHT_MAX 6u
#define MOVED 0x80000000u /* bit of an object's number on its disks */

enum state { GOOD, BAD, LOST };

struct loris_root {
    bool valid;
    uint64_t epoch, lsn, incarnation, ancestor[24], intent_head, used_data, used_slots;
    uint32_t rev, members, rebuilding, height, log_blocks, copies;
    uint8_t pool[16], uuid[16], top[16], generation[16];
};

struct loris_pointer {
    uint64_t address;
    uint32_t flags, crc, birth;
};

struct block {                    /* one data block on one disk */
    uint64_t oid, index, address; /* address: of its second copy if only that is good */
    uint32_t disk, crc;
    enum state state;
    bool intent; /* a live intent names it */
};

struct object { /* one inode on one disk */
    uint64_t oid, size;
    uint32_t disk, flags, attributes; /* their CRC */
    bool partial;                     /* some of its tree cannot be read, or it is being mended */
    bool current;                     /* the mapping names it: it is no stale one */
    bool copied;                      /* and has whole copies: its blocks are the object's */
    uint8_t attr[64];
};

struct intent {
    uint64_t oid, address;
    uint32_t index, disk;
};

#define LORIS_GROUP_WORDS (LORIS_GROUP_BLOCKS / 64)

struct loris_group { /* a bit a block */
    uint64_t reached[LORIS_GROUP_WORDS], taken[LORIS_GROUP_WORDS];
    bool unknown; /* its map cannot be read: nothing is taken, nothing is free */
};

struct disk {
    bool member;
    struct loris_layout at;
    struct loris_root slot[2], root;
    struct loris_group *group;     /* [at.groups] */
    uint64_t reached[2], taken[2]; /* how many slots, data blocks */
    bool blind;                    /* part of the inode file cannot be read */
    bool maps_unknown;             /* some map block cannot be read */
};

struct row { /* blocks of one number, in the order of an entry's disks: FORMAT.md, mapping */
    uint64_t oid, index;
    uint32_t slots, parities, first; /* first: the slot of P */
    uint32_t unknown, bad;           /* slots without a content; of these: not known to be lost */
    uint8_t content[DISKS_MAX][BLOCK];
};

struct check {
    const struct checker_disks *in;
    struct checker_verdict *out;
    struct disk disk[DISKS_MAX];
    struct block *block;
    struct object *object;
    struct intent *intent;
    bool meta;              /* the object whose tree is walked is a META object */
    struct row row;         /* the one being checked */
    struct loris_root root; /* the chosen one */
    size_t blocks, blocks_room, objects, objects_room, intents, intents_room;
    uint64_t waiting, counted; /* entries that wait for another level; and as the mapping says */
};

/* ---- loris_check.c ---- */

/* A breach: the first one's text is kept. */
void loris_damage(struct check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
uint32_t loris_crc(const uint8_t *raw, uint32_t bytes);
/* Room for one more in a growing array. */
void *loris_grow(void *array, size_t used, size_t *room, size_t bytes);
/* A block of disk k; false: it cannot be read. */
bool loris_read_block(const struct check *c, uint32_t k, uint64_t block, uint8_t *raw);

/* ---- loris_roots.c ---- */

void loris_read_slots(struct check *c, uint32_t k);
/* Which root counts, and who is a member; false: there is none. */
bool loris_choose(struct check *c);

/* ---- loris_tree.c ---- */

/* Notes every object, block and intent of one member; its map against what was reached. */
void loris_check_disk(struct check *c, uint32_t k);

/* ---- loris_pool.c ---- */

/* The mapping against what the disks have; sorts blocks and objects. */
void loris_check_mapping(struct check *c);
/* Once sorted: one inode, or NULL; the first block of an object, at or after one. */
struct object *loris_find_object(const struct check *c, uint64_t oid, uint32_t k);
size_t loris_first_block(const struct check *c, uint64_t oid);
size_t loris_first_block_at(const struct check *c, uint64_t oid, uint64_t index);

#endif
