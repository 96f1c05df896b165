/*
 * The state of one physical process, and what its files offer each other: node.c has metadata
 * blocks in memory, a bounded pool under checksums (P5) that are written to twins; space.c the
 * allocation map, what is free now and was free in the last released checkpoint; tree.c inodes and
 * the way from (object, block) to a pointer; intent.c the region of durable intents; data.c reading
 * and writing batches of data blocks; checkpoint.c and restore.c roots: prepare and release,
 * format, roots, adopt, intents; serve.c requests; main.c the process.
 *
 * Rules that all keep:
 *   (1) nothing that the last released root reaches is overwritten, but in-place data named by a
 *       durable intent (P1);
 *   (2) bytes of a metadata block are looked at only through phys_node_see and changed only through
 *       phys_node_alter, so that each request verifies their guards before and renews them after
 *       (P5);
 *   (3) the parent of a node in memory is in memory;
 *   (4) between PREPARE and RELEASE nothing changes.
 */
#ifndef LORIS_STACK_LORIS_PHYSICAL_PHYSICAL_H
#define LORIS_STACK_LORIS_PHYSICAL_PHYSICAL_H

#include "format.h"

#define NODES_MAX 4096u /* metadata blocks in memory: 16 MiB of the arena */
#define BUCKETS 4096u   /* of their hash table, a power of two */
#define NODE_PIECES 8u  /* of a block in memory, each under a guard of its own */
#define NODE_PIECE_BYTES (BLOCK_BYTES / NODE_PIECES)
#define RANKS 16u     /* order of writing: children before parents */
#define RANK_LEAF 8u  /* inode leaves; the inode file's inner nodes follow */
#define RING_MAX 256u /* intent blocks */
#define LOG_WINDOW_BLOCKS 128u
#define GROUP_WORDS (FORMAT_GROUPS_MAX / 64u) /* of a bit a group */
#define DURABLE_SLOTS 4096u
#define RESERVE_MIN 64u   /* blocks kept for replay, repair and recovery (P6) */
#define RESERVE_SHARE 100 /* or 1 % */
#define SLOTS_RESERVE 16u
#define VERIFY_BLOCKS 64u
#define DATA_PER_SLOT 6u /* each data block may cost a sixth of a metadata slot: statfs */

struct node {
    uint8_t *raw; /* the block as on disk; its head is filled in when it is written */
    uint64_t oid, index, address;
    uint32_t level, type, crc, birth;
    uint32_t children; /* nodes in memory that this one points to */
    struct node *parent;
    bool dirty;
    uint32_t guard;              /* over the fields above */
    uint32_t piece[NODE_PIECES]; /* guards of raw */
    uint8_t seen, altered;       /* pieces, a bit each: verified at `stamp`; to be renewed */
    /* Book-keeping of the pool, doubly linked so that a flip in a link shows. */
    bool used, changed, recent;
    uint32_t stamp;   /* when it was verified last */
    uint32_t request; /* that touched it last: it stays in memory until that ends */
    struct node *chain_next, *chain_prev, *dirty_next, *dirty_prev, *touched_next;
};

struct bucket {
    struct node *first;
    uint32_t count;
};

struct group {
    struct node *map;
    uint8_t *last; /* bits of the last released map */
    uint32_t last_guard, stamp;
    uint32_t free_data, free_slots; /* usable now: free in both maps */
    uint32_t hint;                  /* bit from which to look for data */
    bool bad;                       /* its map is unreadable: never allocate or free here */
};

/* Small state under one guard, verified by each request. Everything here is gone with the process.
 */
struct core {
    uint64_t released, prepared; /* checkpoints; equal outside [PREPARE, RELEASE] */
    uint64_t disk_uuid[2];
    uint32_t live_slot; /* where the released root is */
    uint64_t used_data, used_slots, held_data, held_slots, total_data, total_slots;
    uint64_t intent_head;
    uint32_t intent_live; /* blocks of the region with intents above `released` */
    bool log_open;        /* the region of the log takes segments on top of `released` */
    uint32_t log_used;    /* blocks of it */
    uint64_t log_next;    /* number of the next segment */
    uint8_t inodes[FORMAT_POINTER_BYTES];
    uint32_t height;
    uint32_t data_group, slot_group;                            /* where to allocate next */
    uint32_t bad_groups;                                        /* whose maps cannot be read */
    uint64_t roomy_data[GROUP_WORDS], roomy_slots[GROUP_WORDS]; /* 0: there is nothing free */
    uint64_t changed[GROUP_WORDS];                              /* since the last release */
};

struct identity {
    struct object_root id; /* of the newest root of this life */
    struct root live;      /* the newest root as written */
};

/* What each block of the region of intents holds; intent.c alone looks at it. */
struct ring {
    uint64_t epoch[RING_MAX]; /* 0: nothing */
    bool copy[RING_MAX];      /* data of an intent block before it (doublewrite) */
};

/* Which intent is durable for an address: a lossy table, a miss costs one more intent. */
struct durable {
    uint64_t key; /* address, generation in the upper 16 bits */
    uint32_t crc;
};

struct found_root {
    bool valid, bad; /* bad: some copy is neither valid nor void */
    struct root root;
};

/* Blocks [place, place + blocks) of the region of the log, read ahead; verified at each use. */
struct log_window {
    uint8_t *raw; /* NULL: not needed yet */
    uint64_t place;
    uint32_t blocks;
    uint64_t unreadable[LOG_WINDOW_BLOCKS / 64]; /* a bit a block */
};

struct physical {
    struct layout layout;
    struct core core;
    uint32_t core_guard, layout_guard, found_guard;
    struct identity identity; /* under a guard of its own: only roots are made of it */
    uint32_t identity_guard;
    struct ring ring;
    uint32_t ring_guard, ring_stamp; /* under a guard of its own: few requests need it */
    bool ring_changed;
    bool identified, active;     /* active: a tree is loaded, this session */
    uint32_t sector_bytes;       /* of the device: SECTOR_BYTES to BLOCK_BYTES */
    uint8_t sector[BLOCK_BYTES]; /* one on its way, if it is larger than SECTOR_BYTES */
    uint32_t copies;             /* of each metadata block */
    bool data_cow, meta_guard, verify_writes, doublewrite, replaceable, log;
    uint32_t session, disk;
    uint32_t stamp;   /* rises whenever memory may have been damaged unseen */
    uint32_t request; /* rises with each */
    struct node *touched;
    struct found_root found[2]; /* what ROOTS read in each slot */
    uint64_t highest_epoch, highest_lsn;
    uint16_t generation; /* of `durable` */
    struct durable *durable;
    struct node **node;
    struct node *free_frames;
    struct node *chunk; /* what the next frames are described by, CHUNK_FRAMES at a time */
    uint32_t nodes_max; /* frames that may be taken from the arena */
    uint32_t nodes, dirty_nodes, hand;
    struct bucket *bucket;
    struct node *dirty[RANKS];
    struct group *group;
    uint8_t *batch;  /* OBJECT_BATCH_MAX_BLOCKS data blocks */
    uint8_t *intent; /* one intent block */
    uint8_t *meta;   /* encoded entries of a request */
    struct write_plan *plan;
    struct io_item *items; /* NODES_MAX of them */
    uint8_t *verify;       /* VERIFY_BLOCKS, what is read back; NULL without verify_writes */
    struct log_window window;
    struct block_client client;
};

/* ---- io.c: many blocks at once ---- */

struct io_item {
    uint64_t address;
    void *page;
    struct node *owner; /* of a metadata block */
    uint32_t crc;       /* of what is written: for verify-writes */
    enum err status;
};

/* Reads or writes all items, neighbours in one request, several outstanding. Each item has its own
 * status; the result is the first that is not OK. */
enum err phys_io_run(struct physical *p, enum block_op op, struct io_item *items, uint32_t count);
MUST_USE enum err phys_io_block(struct physical *p, enum block_op op, uint64_t address, void *page);
/*
 * Writes all items, metadata blocks in all their copies. With verify_writes they are flushed and
 * read back, and what is not there is written once more; E_MEDIA: it still is not. Status and
 * result as of phys_io_run; a block of which one copy was written counts as written.
 */
enum err phys_io_write(struct physical *p, struct io_item *items, uint32_t count);
MUST_USE enum err phys_io_flush(struct physical *p);
/* SECTOR_BYTES at the start of a block that has nothing else, as one sector of the device. */
MUST_USE enum err phys_io_sector(struct physical *p, enum block_op op, uint64_t sector, void *raw);

/*
 * The second copy of a metadata block whose first, at `address`, cannot be read or is wrong. true:
 * it has this checksum and is in `page` now, and the first was written again. false: there is none.
 */
bool phys_io_second(struct physical *p, uint64_t address, uint32_t crc, void *page);

/* ---- node.c ---- */

enum node_get_mode {
    NODE_LOOK,   /* E_NOENT if there is none */
    NODE_MAKE,   /* an empty one if there is none */
    NODE_REPAIR, /* and if a leaf is unreadable, an empty one in its place */
};

/* Begins and ends a request: verifies core, renews the guards of all that was changed. */
void phys_node_begin(struct physical *p);
void phys_node_end(struct physical *p);
/*
 * Around each wait for the disk: most of a request's time is spent there, so guards are renewed
 * before and what is used after is verified again. A caller that keeps a pointer into a node over a
 * wait must call phys_node_alter before it writes through it.
 */
void phys_node_wait(struct physical *p);
void phys_node_woke(struct physical *p);
void phys_node_reset(struct physical *p);
/* Verifies the guard of the fields if this request has not yet; crashes on purpose if it fails. */
void phys_node_use(struct physical *p, struct node *n);
/* The same of the bytes [at, at + bytes) of the block, by whole pieces; says where they are. Before
 * they are read, and again after a wait. */
uint8_t *phys_node_see(struct physical *p, struct node *n, size_t at, size_t bytes);
/* It will be written with the next checkpoint. */
void phys_node_change(struct physical *p, struct node *n);
/* The same, and these bytes, a part of its block, are about to be written to; verifies them first.
 */
void phys_node_alter(struct physical *p, struct node *n, const uint8_t *part, size_t bytes);
struct node *phys_node_find(struct physical *p, uint64_t oid, uint32_t level, uint64_t index);
/*
 * The node of an object's tree. Level 0 exists for OID_INODES (leaves) and OID_MAP (map blocks)
 * only. OK; E_NOENT; E_LOST: the pointer is BAD; E_CORRUPT; E_MEDIA; E_DEAD; E_FULL, E_AGAIN: no
 * slot for a new one, or no frame.
 */
MUST_USE enum err phys_node_get(struct physical *p, uint64_t oid, uint32_t level, uint64_t index,
                                enum node_get_mode mode, bool privileged, struct node **out);
/* Puts an empty node with a slot into the pool. OK or E_FULL. parent may be NULL. */
MUST_USE enum err phys_node_new(struct physical *p, uint64_t oid, uint32_t level, uint64_t index,
                                uint64_t address, struct node **out);
void phys_node_adopt_child(struct physical *p, struct node *child, struct node *parent);
/* Forgets a node without children; its slot is freed by the caller. */
void phys_node_drop(struct physical *p, struct node *n);
/* Completes all dirty nodes, children before parents, and lists them in p->items; how many. */
uint32_t phys_node_collect(struct physical *p);
/* Writes what was collected; a block that cannot be written moves to another slot. */
MUST_USE enum err phys_node_write_collected(struct physical *p, uint32_t count);
_Noreturn void phys_node_damaged(uint64_t place);
/* Renews the guard of what ROOTS found, which lies in memory until ADOPT; verifies it. */
void phys_node_seal_found(struct physical *p);
void phys_node_check_found(const struct physical *p);
/* The same for the identity; of whoever changes it, call the first afterwards. */
void phys_node_seal_identity(struct physical *p);
struct identity *phys_node_identity(struct physical *p);

/* ---- space.c ---- */

/* Nothing is known of any group: room may be anywhere. Sets the totals of the disk. */
void phys_space_reset(struct physical *p);
MUST_USE enum err phys_space_data(struct physical *p, bool privileged, uint64_t *address);
MUST_USE enum err phys_space_slot(struct physical *p, bool privileged, uint64_t *address);
/* For a block of an object; meta: of a META object. */
MUST_USE enum err phys_space_block(struct physical *p, bool meta, bool privileged,
                                   uint64_t *address);
/* Whether a block of an object may lie there. */
bool phys_space_holds(const struct physical *p, uint64_t address);
/* Blocks that ordinary requests may count on, each with its share of a metadata slot, if so many
 * slots were gone. */
uint64_t phys_space_promise(const struct physical *p, uint64_t slots_gone);
void phys_space_free(struct physical *p, uint64_t address); /* data, or either twin of a slot */
bool phys_space_in_last(struct physical *p, uint64_t address);
void phys_space_release(struct physical *p);
MUST_USE enum err phys_space_group_make(struct physical *p, uint32_t group, struct node *map);
uint64_t phys_space_reserve(const struct physical *p);

/* ---- tree.c ---- */

struct spot {            /* where a pointer is */
    struct node *holder; /* NULL: in core (root of the inode file) */
    uint8_t *raw;
};

MUST_USE enum err phys_tree_inode(struct physical *p, uint64_t oid, enum node_get_mode mode,
                                  bool privileged, struct node **leaf, uint8_t **inode);
/* Like phys_tree_inode, for an object that must exist: E_NOENT. */
MUST_USE enum err phys_tree_object(struct physical *p, uint64_t oid, struct node **leaf,
                                   uint8_t **inode);
/* The place of the pointer to (oid, level, index), for level >= 0. */
MUST_USE enum err phys_tree_spot(struct physical *p, uint64_t oid, uint32_t level, uint64_t index,
                                 enum node_get_mode mode, bool privileged, struct spot *spot);
/* Adds to the number of data blocks that an object has. */
void phys_tree_count(struct physical *p, struct node *leaf, uint8_t *inode, int64_t blocks);
void phys_tree_point(struct physical *p, const struct spot *spot, const struct pointer *to);
/* Blocks up to the last one that it has; of a subtree that cannot be read, all that it may have. */
uint64_t phys_tree_end(struct physical *p, uint64_t oid, const uint8_t *inode);
/* Frees all blocks from `first` on. Unreadable subtrees leak; that is reported. */
void phys_tree_truncate(struct physical *p, struct node *leaf, uint8_t *inode, uint64_t first);
/* Removes an inode without blocks, and the nodes above that have nothing left. */
void phys_tree_remove(struct physical *p, struct node *leaf, uint8_t *inode);
/* The smallest object >= *oid but the map. OK, E_NOENT, or why a node cannot be read. */
MUST_USE enum err phys_tree_next(struct physical *p, uint64_t *oid);

/* Reads all metadata of the tree. OK, or why one of its blocks cannot be had. */
MUST_USE enum err phys_walk_tree(struct physical *p);

/* ---- intent.c ---- */

void phys_intent_clear_durable(struct physical *p);
bool phys_intent_is_durable(const struct physical *p, uint64_t address, uint32_t crc);
/* Whether a block with that many intents fits, with their data if there is doublewrite. */
bool phys_intent_room(struct physical *p, uint32_t intents);
bool phys_intent_half_full(const struct physical *p);
/* Writes one block of `count` intents and makes it stable; page[i]: what is about to be written. */
MUST_USE enum err phys_intent_write(struct physical *p, const struct object_intent *intents,
                                    uint8_t *const *page, uint32_t count);
void phys_intent_release(struct physical *p);
/* Reads the region: ring, head, highest numbers. Unreadable blocks count as none. */
MUST_USE enum err phys_intent_scan(struct physical *p, const uint64_t disk_uuid[2], bool wipe);
/*
 * Overwrites blocks in place that are neither what the adopted tree nor what their newest intent
 * says, with the data that were written with the intent. OK or E_DEAD.
 */
MUST_USE enum err phys_intent_redo(struct physical *p);
/* Loads the intents of one block of the region that are above `released` and name the place where
 * the adopted tree has the block. Answers how many. */
MUST_USE enum err phys_intent_collect(struct physical *p, uint32_t ring_index,
                                      struct object_intent out[FORMAT_INTENTS], uint32_t *count);

/* ---- log.c: the region of the log (fsync=log) ---- */

enum err phys_log_write(struct physical *p, const struct object_request *request, uint32_t source,
                        struct object_reply *reply);
enum err phys_log_read(struct physical *p, const struct object_request *request, uint32_t source,
                       struct object_reply *reply);
/* A checkpoint was released: the region is empty. */
void phys_log_release(struct physical *p);
/* What the region tells before a checkpoint is chosen. OK or E_DEAD. */
MUST_USE enum err phys_log_scan(struct physical *p, const uint64_t disk_uuid[2]);
/* Overwrites what an earlier layout left. OK or E_DEAD. */
MUST_USE enum err phys_log_wipe(struct physical *p);

/* ---- data.c ---- */

enum err phys_data_read(struct physical *p, const struct object_request *request, uint32_t source,
                        struct object_reply *reply);
enum err phys_data_write(struct physical *p, const struct object_request *request, uint32_t source,
                         struct object_reply *reply);

/* ---- scrub.c ---- */

enum err phys_scrub(struct physical *p, const struct object_request *request,
                    struct object_reply *reply);

/* ---- checkpoint.c and restore.c ---- */

/* Both copies, flushed, read back. */
MUST_USE enum err phys_root_write(struct physical *p, uint32_t slot, const struct root *root);
/* The same with zeros. */
MUST_USE enum err phys_root_void(struct physical *p, uint32_t slot);
enum err phys_checkpoint_prepare(struct physical *p, const struct object_request *request,
                                 const struct object_root *id, struct object_reply *reply);
enum err phys_checkpoint_release(struct physical *p, uint64_t epoch);
enum err phys_restore_roots(struct physical *p, const struct object_request *request,
                            uint32_t source, struct object_reply *reply);
enum err phys_restore_adopt(struct physical *p, const struct object_request *request,
                            const struct object_root *id);
enum err phys_restore_intents(struct physical *p, const struct object_request *request,
                              uint32_t source, struct object_reply *reply);
enum err phys_restore_format(struct physical *p, const struct object_request *request,
                             const struct object_root *id);

/* ---- serve.c ---- */

/* Takes all memory. Called once. */
void physical_init(struct physical *p, uint32_t disk, const struct stack_options *options);
/* Does one request and fills in the reply. */
enum err physical_serve(struct physical *p, const struct msg *m, struct object_reply *reply);

#endif
