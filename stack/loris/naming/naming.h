/*
 * Naming: directories, links and attributes over objects; one process an execution environment. It
 * keeps nothing between requests: each request of its VFS is one transaction in the cache, and
 * after naming's death the same request finds there whether it took effect.
 *
 * Invariants:
 *   (N1) each request takes effect once or not at all: between begin and commit nothing is visible;
 *   (N2) an error answer changes nothing: its transaction is aborted;
 *   (N3) an inode that is unlinked while open moves to the environment's orphan directory in the
 *        same transaction, and is deleted at its release or when the next VFS mounts.
 */
#ifndef LORIS_NAMING_H
#define LORIS_NAMING_H

#include "assertion.h"
#include "bytes.h"
#include "dirtree.h"
#include "mem.h"
#include "object.h"
#include "planted.h"
#include "vfs.h"

#define DEPTH_MAX 4096u /* directories above each other */
#define AGAIN_MAX 8u    /* internal retries of a transaction that gave way */
#define TORN_MAX 8u     /* times that a query which met a change is asked again */

/* What an object's attributes mean to naming; its layout is in FORMAT.md. */
struct attributes {
    uint32_t type; /* enum vfs_type */
    uint32_t mode, nlink, uid, gid, generation;
    uint64_t mtime_ns, ctime_ns;
    uint64_t parent;  /* of a directory */
    uint32_t level;   /* RAID level that files made in this directory get, 0: the pool's; a file's
                         own.  In the numbering of OBJECT_LEVEL_SHIFT */
    uint32_t matched; /* of a directory: policy.c */
    uint64_t xattrs;  /* object with its extended attributes, OID_NONE: it has none */
};

/* Type of an object that holds another's extended attributes: no name leads to one. */
#define ATTRIBUTES_TYPE 4u

/* An object with its attributes, as read in the present transaction. */
struct node {
    uint64_t oid, size, blocks;
    struct attributes a;
};

struct naming {
    uint32_t environment;
    bool levels; /* the pool has room for any level in the place of its own */
    uint32_t policies;
    struct raid_policy policy[RAID_POLICIES_MAX];
    uint32_t tries;  /* attempts after which a request is only asked about (N4) */
    uint32_t cache;  /* endpoint */
    uint32_t vfs;    /* endpoint that sent the present request: behind its grants */
    bool cache_died; /* during the present request */
    uint32_t next_id;
    uint64_t now_ns;       /* time stamp of the present request */
    struct object_txn txn; /* of the present request; environment 0: none open */
    bool unbegun;          /* its first request begins it, and is still to come */
    bool done;             /* it turned out to be committed already, with this result */
    uint8_t result[OBJECT_RESULT_BYTES];
    uint64_t attr_oid; /* the next write to it sets these attributes; OID_NONE: none are kept */
    uint8_t attr[OBJECT_ATTR_BYTES];
    char name[VFS_NAME_MAX + 1], name2[VFS_NAME_MAX + 1];
    uint32_t name_bytes, name2_bytes;
    struct dirtree tree;         /* path into the directory that is at hand */
    uint8_t text[VFS_PATH_MAX];  /* target of a symbolic link, or a path to be looked up */
    uint8_t listing[16384];      /* packed entries on their way to VFS */
    uint8_t xattrs[BLOCK_BYTES]; /* extended attributes of the inode at hand */
    uint8_t value[BLOCK_BYTES];  /* one of them; one block of a file */
    uint8_t zeros[16384];        /* written anew before each use */
};

/* objects.c: calls to the cache. All return the cache's answer, or E_DEAD with cache_died set.
 * ------ */

MUST_USE enum err objects_call(struct naming *n, struct object_request *request,
                               struct object_reply *reply);
/* Opens a transaction here; the cache begins it with the first request. That may find that it was
 * committed before: n->done, and E_AGAIN to whoever called. */
void objects_open(struct naming *n, const struct object_txn *txn);
/* Begins it with a request of its own, if there was none yet. Answers as that would. */
MUST_USE enum err objects_begin(struct naming *n);
MUST_USE enum err objects_commit(struct naming *n, const uint8_t result[OBJECT_RESULT_BYTES]);
void objects_abort(struct naming *n);

/* Reads size and attributes; exclusive: it will be changed. E_CORRUPT: attributes make no sense. */
MUST_USE enum err objects_load(struct naming *n, uint64_t oid, bool exclusive, struct node *node);
/* The same, and the object's first block in the same answer; *moved is less where it is shorter. */
MUST_USE enum err objects_load_block(struct naming *n, uint64_t oid, bool exclusive,
                                     struct node *node, uint8_t *to, uint32_t *moved);
/* Stores the attributes of a node. */
MUST_USE enum err objects_store(struct naming *n, const struct node *node);
/* The same along with the next write to it, which saves a message. If none is sure to come,
 * objects_store_kept stores what is still kept. */
void objects_keep(struct naming *n, const struct node *node);
MUST_USE enum err objects_store_kept(struct naming *n);
/* Deletes one object. */
MUST_USE enum err objects_remove(struct naming *n, uint64_t oid);
MUST_USE enum err objects_create(struct naming *n, uint64_t oid, const struct attributes *a,
                                 struct node *node);
/* Deletes an inode with all that belongs to it. */
MUST_USE enum err objects_delete(struct naming *n, const struct node *node);
/* Moves bytes between an object and own memory; *moved may be less at the end of the object. */
MUST_USE enum err objects_read(struct naming *n, uint64_t oid, uint64_t offset, void *to,
                               size_t bytes, uint32_t *moved);
MUST_USE enum err objects_write(struct naming *n, uint64_t oid, uint64_t offset, const void *from,
                                size_t bytes);
/* The same from behind a grant to the cache. */
MUST_USE enum err objects_write_granted(struct naming *n, uint64_t oid, uint64_t offset,
                                        uint64_t bytes, uint32_t grant);
/* Writes zeros (at most VFS_IO_MAX bytes); hole: whole blocks need no room any more. */
MUST_USE enum err objects_zero(struct naming *n, uint64_t oid, uint64_t offset, uint64_t bytes,
                               bool hole);
MUST_USE enum err objects_truncate(struct naming *n, uint64_t oid, uint64_t size);

/* directory.c ------------------------------------------------------------------------------------
 */

struct entry {
    uint64_t ino;
    uint32_t type;
    uint64_t key; /* in the directory's tree; stays while the name is there */
};

/* OK, E_NOENT, E_CORRUPT (the directory makes no sense), or an error of the cache. */
MUST_USE enum err directory_find(struct naming *n, const struct node *dir, const char *name,
                                 uint32_t name_bytes, struct entry *entry);
/* E_EXIST if the name is there. Grows the directory if no block has room; updates dir->size. */
MUST_USE enum err directory_insert(struct naming *n, struct node *dir, const char *name,
                                   uint32_t name_bytes, uint64_t ino, uint32_t type);
/* Removes the entry that directory_find found; may shrink dir->size. */
MUST_USE enum err directory_remove(struct naming *n, struct node *dir, const struct entry *entry);
/* Lets an existing entry lead to another inode. */
MUST_USE enum err directory_replace(struct naming *n, const struct node *dir,
                                    const struct entry *entry, uint64_t ino, uint32_t type);
MUST_USE enum err directory_is_empty(struct naming *n, const struct node *dir, bool *empty);
/*
 * Packs entries from cookie *at on into `to` (`room` bytes) as vfs_dirent; *at becomes the next
 * cookie, 0 at the end; *used the bytes packed. E_ARG: not even one entry fits, or the cookie is
 * none.
 */
MUST_USE enum err directory_list(struct naming *n, const struct node *dir, uint64_t *at,
                                 uint8_t *to, size_t room, size_t *used);

/* A file for a change: E_ISDIR if it is none. */
MUST_USE enum err load_file(struct naming *n, uint64_t oid, struct node *node);

/* changes.c, allocate.c, xattr.c, queries.c: one function a request.
 * ---------------------------------------------------
 */

typedef enum err naming_fn(struct naming *n, const struct vfs_request *in, struct vfs_reply *out);
naming_fn change_make, change_unlink, change_rmdir, change_link, change_symlink;
naming_fn change_rename, change_setattr, change_write, change_truncate, change_release;
naming_fn change_allocate, change_setxattr, change_removexattr, query_getxattr, query_listxattr;
naming_fn query_lookup, query_readlink, query_readdir, query_stat, query_read, query_statfs;
naming_fn sync_whole, sync_one, unmount;
naming_fn user_begin, user_commit, user_abort; /* user_txn.c */

void stat_fill(const struct node *node, struct vfs_stat *stat);

/* policy.c ----------------------------------------------------------------------------------------
 */

/* The level of what is made in the directory under this name; *matched: for its attributes. */
uint32_t policy_level(const struct naming *n, const struct node *dir, const char *name,
                      uint32_t bytes, uint32_t *matched);

/* orphans.c ---------------------------------------------------------------------------------------
 */

/* Puts an unlinked, still open inode into the orphan directory (inside the present transaction). */
MUST_USE enum err orphans_add(struct naming *n, uint64_t oid, uint32_t type);
/* Takes it out and deletes the object; E_NOENT if it is no orphan. */
MUST_USE enum err orphans_drop(struct naming *n, uint64_t oid);
/* The first orphan, OID_NONE if there is none. */
MUST_USE enum err orphans_first(struct naming *n, uint64_t *oid);

/* format.c: makes the first directories; once, on a fresh layout. */
void naming_format(struct naming *n);

#endif
