/*
 * ffs: layout C with careful ordering of delayed writes (soft updates), and a full check of the
 * file system after whatever was no orderly stop.
 *
 * patch.c  the patch graph          fsck.c        the check: phases, what is freed and what is kept
 * order.c  rules: changes to patches  fsck_scan.c   inode tables and what they claim
 * pass.c   writing in that order     fsck_names.c  directories
 * main.c   the table                fsck_maps.c   bitmaps
 *                                   fsck_live.c   the check beside service
 *
 * Invariants:
 *   (1) a patch depends on patches made before it only: the graph has no cycle; (2) two unstable
 * patches that share bytes are in the order of their making, the later one depends on the earlier;
 * (3) a block with unstable patches is in memory, and page = what is on disk or on its way + all
 * its waiting patches; (4) what is freed is reusable only when no patch is unstable; (5) what is
 * written of a sector has, with each patch, all patches that it depends on, or they are stable.
 */
#ifndef LORIS_STACK_CLASSIC_FFS_FFS_H
#define LORIS_STACK_CLASSIC_FFS_FFS_H

#include "layout_c.h"

#define PATCHES_MAX 16384u
#define PATCH_SLOTS 8192u /* of old bytes, those of more than PATCH_SMALL */
#define PATCH_SMALL 8u
#define EDGES_MAX 65536u
#define PARTIES_MAX 8192u
#define PARTY_BUCKETS 2048u
#define FREED_MAX 8192u
#define COPIES_MAX 128u /* pages with patches undone that are on their way */
#define NO_PATCH 0u     /* index */
#define GONE_NAMES 4096u

enum patch_state {
    PATCH_FREE,
    PATCH_WAITING, /* in the page, not sent */
    PATCH_SENT     /* sent or written, not flushed since */
};

/* One change of bytes within a sector, or (bytes 0) the content of a whole block: a node. */
struct patch {
    enum patch_state state;
    enum change_kind kind;
    uint64_t id;                     /* never used again */
    uint64_t renewed;                /* ids from here on were made after it was renewed last */
    uint32_t block, ino;             /* ino: whose record or name, owner of the block */
    uint32_t dir;                    /* of a name: the directory that it is in */
    bool of_directory;               /* `ino` is one */
    uint32_t offset, bytes;          /* in the block */
    uint32_t dependents;             /* unstable patches that depend on it */
    uint32_t edges;                  /* first of what it depends on */
    uint32_t block_prev, block_next; /* of the same block, in the order of making */
    uint32_t all_prev, all_next;     /* all, in the order of making */
    bool pending;                    /* on the pending list of its inode */
    bool ready;                      /* of the set that is written now */
    bool wanted;                     /* this pass is not over before it is stable */
    uint8_t small[PATCH_SMALL];      /* what was there before */
    uint8_t *old;                    /* the same, if more */
};

struct edge {
    uint32_t patch, next;
    uint64_t id; /* of that patch: another one by now is no dependency */
};

struct patch_ref {
    uint32_t patch;
    uint64_t id;
};

/* What unstable patches there are for one inode. */
struct party {
    uint32_t ino;             /* 0: free */
    uint32_t next;            /* in the bucket */
    struct patch_ref record;  /* newest of its record */
    struct patch_ref added;   /* last name that came, or `..` of the directory */
    struct patch_ref removed; /* last name that went */
    uint32_t pending;         /* edges: blocks and pointers that its next record waits for */
};

struct ffs_block {          /* of a buffer with unstable patches: buffer->own */
    uint32_t first, last;   /* patches */
    uint8_t *copy;          /* page that is on its way in place of the buffer's */
    struct ffs_block *next; /* free */
};

struct freed {
    uint32_t first, count; /* blocks; or an inode number and 0 */
};

struct ffs {
    struct patch *patch;                          /* [0] unused */
    uint32_t free_patches, patches, patches_live; /* list, ever used, in use */
    uint32_t all_first, all_last;
    uint64_t next_id;
    uint8_t *slots;
    uint8_t *free_slots; /* each begins with a pointer to the next */
    uint32_t slots_used, slots_live;
    struct edge *edge;
    uint32_t free_edges, edges, edges_live;
    struct party *party;
    uint32_t party_bucket[PARTY_BUCKETS];
    uint32_t parties;
    struct ffs_block *blocks, *free_blocks;
    uint32_t blocks_used;
    uint8_t *copies[COPIES_MAX]; /* free ones */
    uint32_t copies_free;
    struct patch_ref gone[GONE_NAMES]; /* by hash of (directory, name): last that went */
    struct freed freed[FREED_MAX];
    uint32_t freed_count;
    uint64_t op_first_id; /* patches of this operation have this id or a later one */
    bool unflushed;       /* something was written since the last flush */
    bool off;             /* format and check: changes make no patches */
    bool passing;         /* a pass runs */
    bool moved_directory; /* in this operation: rule R5 */
    bool cut_a_block;     /* in this operation: rule R6 */
    bool guarded;         /* in this operation: the superblock asks for a full check */
    struct live *live;    /* the check beside service, NULL: none is under way */
};

static inline struct ffs *ffs_of(const struct fs *fs)
{
    return fs->own;
}

/* ---- patch.c ---- */

MUST_USE enum err ffs_patch_init(struct fs *fs);
/* A patch of the change's bytes, or a node; depends on the block's patches that share bytes. */
uint32_t ffs_patch_make(struct fs *fs, const struct change *change, uint32_t ino);
void ffs_patch_depends(struct fs *fs, uint32_t patch, struct patch_ref on);
struct patch_ref ffs_patch_ref(const struct ffs *f, uint32_t patch);
/* Its index, NO_PATCH if it is stable. */
uint32_t ffs_patch_at(const struct ffs *f, struct patch_ref ref);
/* The waiting node of a block, NO_PATCH if it has none. */
uint32_t ffs_patch_node(struct fs *fs, uint32_t block);
/* As if it was made now; nothing depends on it. */
void ffs_patch_renew(struct fs *fs, uint32_t patch);
/* It is on disk for good. */
void ffs_patch_stable(struct fs *fs, uint32_t patch);
/* Made if it is not there. */
struct party *ffs_party(struct fs *fs, uint32_t ino);
/* `on` has to be stable before the inode's next record. */
void ffs_party_pending(struct fs *fs, struct party *p, uint32_t on);
/* Makes patch `p` depend on all that is pending. */
void ffs_party_take(struct fs *fs, struct party *party, uint32_t p);
/* Less than a worst-case request's room is left. */
bool ffs_patch_is_short(const struct ffs *f);
/* No patch is unstable: parties are forgotten. */
void ffs_party_reset(struct fs *fs);

/* ---- order.c ---- */

/* store->changed. */
void ffs_changed(struct fs *fs, const struct change *change);
/* hooks_c.block_freed, store->inode_free: reusable after a whole pass. */
MUST_USE enum err ffs_block_freed(struct fs *fs, struct inode *i, uint32_t block);
MUST_USE enum err ffs_inode_free(struct fs *fs, uint32_t ino);
/* Makes what was freed reusable; no patch is unstable. */
void ffs_freed_release(struct fs *fs);

/* ---- pass.c ---- */

/* Writes everything, in order, until it is stable. Frees what waited for that. */
MUST_USE enum err ffs_pass_all(struct fs *fs);
/* Writes this operation's patches and what they depend on until they are stable. */
MUST_USE enum err ffs_pass_operation(struct fs *fs);
/* The same for an inode: its record, data and names, what a directory has in it; and, since nobody
 * knows the way up to the root by heart, records and names of all directories. */
MUST_USE enum err ffs_pass_inode(struct fs *fs, struct inode *i);
/* store->prepare, written, throttle, make_room, alarm; hooks_c.reclaim. */
uint8_t *ffs_prepare(struct fs *fs, struct buffer *b);
void ffs_written(struct fs *fs, struct buffer *b, enum err status);
void ffs_throttle(struct fs *fs);
void ffs_make_room(struct fs *fs);
void ffs_alarm(struct fs *fs);
bool ffs_reclaim(struct fs *fs);

/* ---- fsck.c ---- */

/* Checks and mends a volume that was not stopped in order; stable when it returns. */
MUST_USE enum err ffs_check(struct fs *fs);

/* What lost+found needs: made if it is not there; the name of one inode in it. E_EXIST. */
MUST_USE enum err ffs_lost_found(struct fs *fs, struct inode **out);
MUST_USE enum err ffs_give_name(struct fs *fs, struct inode *dir, uint32_t ino, uint32_t nlink);

/* ---- fsck_live.c: fsck: background ---- */

/* Begins the check beside service; the volume says that it has leaks only. */
MUST_USE enum err ffs_live_begin(struct fs *fs);
/* store->idle: one step. */
void ffs_live_step(struct fs *fs);
/* All steps that are left; nothing if no check is under way. */
void ffs_live_finish(struct fs *fs);
/* A request is about to change inode `ino`: what lies beyond its end goes first. */
MUST_USE enum err ffs_live_before(struct fs *fs, uint64_t ino);
/* A change was made; what was freed waits for its turn (count 0: an inode number). */
void ffs_live_changed(struct fs *fs, const struct change *change);
void ffs_live_freed(struct fs *fs, uint32_t first, uint32_t count);
/* The superblock on disk says from now on that an unclean volume has leaks only, or not. */
MUST_USE enum err ffs_set_leaks(struct fs *fs, bool leaks);

#endif
