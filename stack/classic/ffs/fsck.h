/*
 * The check of an unclean volume, between its files. It works on the cache's pages, without
 * patches: each mend is by itself, so any part of them that a cut leaves on disk leads the next
 * check to the same end. Blocks are given out again only after all of it is stable.
 */
#ifndef LORIS_STACK_CLASSIC_FFS_FSCK_H
#define LORIS_STACK_CLASSIC_FFS_FSCK_H

#include "ffs.h"

enum {                       /* struct seen.flags */
       SEEN_BAD = 1u << 0,   /* its record cannot be believed: left as it is */
       SEEN_LOST = 1u << 1,  /* has no name and will get one in lost+found */
       SEEN_INNER = 1u << 2, /* an unreached directory has a name of it */
       SEEN_EMPTY = 1u << 3, /* a file of size 0 */
};

struct seen { /* one inode in use */
    uint8_t type, flags;
    uint16_t nlink, names, subdirectories;
    uint32_t parent; /* of a directory: where its name is, */
    uint32_t dotdot; /* and where its `..` says that it is */
    uint32_t next;   /* directory to be walked after it */
};

struct check {
    struct fs *fs;
    struct seen **seen;     /* by group; NULL: no inode of it is in use */
    uint8_t **claimed;      /* by group; NULL: no block of it is in use; else a bit a block */
    uint32_t first, last;   /* directories to be walked */
    uint32_t lost;          /* inodes with SEEN_LOST */
    bool blind;             /* something could not be read: nothing is mended or freed */
    struct inode inode;     /* the one that is looked at, */
    struct inode_c inode_c; /* beside those in memory */
};

/* ---- fsck_scan.c ---- */

/* Phase 1: all inode tables; what lies beyond a file's end goes. E_FULL: no memory. */
MUST_USE enum err fsck_scan(struct check *c);
/* NULL: it is free, or no inode. */
struct seen *fsck_seen(const struct check *c, uint32_t ino);
/* Reads its record into c->inode. */
MUST_USE enum err fsck_load(struct check *c, uint32_t ino);
/* Writes the record of c->inode. */
void fsck_store(struct check *c);
/* Clears its record; its blocks are no longer claimed. */
void fsck_free(struct check *c, uint32_t ino);

/* ---- fsck_names.c ---- */

/* Phase 2: walks all directories from those that are queued. */
void fsck_walk(struct check *c);
void fsck_queue(struct check *c, uint32_t ino);
/* Makes a directory's `..` lead to where its name is. */
void fsck_mend_parent(struct check *c, uint32_t ino);
/* Whether the directory has no names; what cannot be read has some. */
bool fsck_is_empty(struct check *c, uint32_t ino);
/* Marks the directories that this one has names of. */
void fsck_mark_inner(struct check *c, uint32_t ino);

/* ---- fsck_maps.c ---- */

/* Phase 5: bitmaps as what was found says. */
void fsck_maps(struct check *c);

#endif
