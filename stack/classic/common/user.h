/*
 * User transactions: several requests of one process that take effect together or not at all. What
 * they change is a file system of its own in memory, the view, stacked on the one that everybody
 * sees (the base): a struct fs whose store finds inodes and blocks of the base until they are
 * changed. So the operations of names.c, file.c and dir.c run in it as they are. A commit puts the
 * view's inodes and pages into the base as one operation of the design; an abort drops the view.
 *
 * user.c       begin, commit, abort; requests    user_view.c  the view's store
 * user_lock.c  locks, deadlocks                  user_apply.c the commit
 *
 * Invariants:
 *   (1) the base holds what is committed, and inodes without a name (orphans) whose numbers were
 *       given out in a transaction: they go with its abort, or after a crash with the next mount;
 *   (2) an inode that a view has is locked by its transaction, one that was changed exclusively:
 *       what the view has not changed is in the base as it was when it was looked at first;
 *   (3) changed pages lie in the base's cache, with keys that no block of a file has, without a
 *       place on disk; they are on the view's dirty ring, and together at most a quarter of the
 *       cache. Pages that were copied to be changed, and were not, may be evicted: they are copied
 *       again;
 *   (4) nobody waits here: who meets another's lock is answered E_WAIT, has changed nothing, and
 *       comes again.
 */
#ifndef LORIS_STACK_CLASSIC_COMMON_USER_H
#define LORIS_STACK_CLASSIC_COMMON_USER_H

#include "fs.h"

#define USERS_MAX 8u /* open at once; one more waits for its begin */
/* In a view: what a design lists of inodes without names in one operation is a few more. */
#define USER_INODES_MAX 60u
#define USER_NAMES_MAX 4096u /* in a view's index: a larger directory is searched */
#define USER_LOCK_BUCKETS 256u
#define USER_LOCK_CHUNK 128u
#define USER_LOCKS_MAX 4096u /* inodes that all transactions together have looked at */

/* struct inode.own in a view. */
struct user_inode {
    uint64_t kept;  /* blocks of the base from here on were cut off */
    uint32_t index; /* in the view: part of the keys of its pages */
    bool made;      /* in this transaction: an orphan in the base until the commit */
    bool changed;
};

struct user {
    struct users *users;
    struct fs *view; /* NULL: never used */
    uint64_t outer, generation;
    uint64_t age;    /* lower: older */
    uint64_t serial; /* part of the keys of its pages */
    uint32_t slot;
    uint32_t inodes;    /* in the view */
    uint32_t waits_for; /* bits of slots whose locks its last request met */
    bool open;
};

struct user_lock {
    struct user_lock *next;
    uint32_t ino;
    uint32_t shared;    /* bits of slots */
    uint32_t exclusive; /* at most one bit */
};

struct users {
    struct fs *fs;
    struct store store; /* of views: what does not differ is the base's */
    struct user user[USERS_MAX];
    uint32_t open;
    uint64_t next_age;
    struct user_lock *bucket[USER_LOCK_BUCKETS];
    struct user_lock *free_locks;
    uint32_t locks;
};

static inline struct user_inode *user_inode(const struct inode *i)
{
    return i->own;
}

/* ---- user.c ---- */

/* Ends it; nothing of it has happened unless `committed`. */
void user_end(struct user *t, bool committed);

/* ---- user_view.c ---- */

/* Fills users->store. */
void user_view_store(struct users *users);
/* An empty view. NULL: no memory. */
struct fs *user_view_open(struct user *t);
void user_view_close(struct user *t);
/* Which file block of its inode a page of a view is. */
uint64_t user_page_at(const struct buffer *page);
/* The page goes; it is on the view's dirty ring. */
void user_page_drop(struct user *t, struct buffer *page);

/* ---- user_lock.c ---- */

/*
 * Locks the inode for `t`; NULL: for a call outside, which keeps no lock, only asks. exclusive:
 * nobody else may have it at all. OK; E_WAIT; E_ABORT: t gives way, as the youngest of those that
 * wait for each other; E_2BIG. An older one in such a circle has the youngest aborted instead.
 */
MUST_USE enum err user_lock(struct users *users, struct user *t, uint64_t ino, bool exclusive);
void user_unlock_all(struct user *t);
/* All that a request which changes something will change, its names' inodes included. */
MUST_USE enum err user_lock_change(struct users *users, struct user *t,
                                   const struct vfs_request *in);

/* ---- user_apply.c ---- */

/* The view becomes the base's state. E_2BIG; E_NOSPC and errors of the disk: nothing has changed.
 */
MUST_USE enum err user_apply(struct user *t);

#endif
