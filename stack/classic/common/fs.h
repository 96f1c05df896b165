/*
 * What every classic file system shares: a process that serves the VFS protocol, the rules of its
 * name space, directories, reading and writing of files, a cache of blocks, inodes in memory. What
 * differs - where things lie on disk and in which order changes get there - is behind one const
 * table, struct store, which a design fills. README.md says who owns what.
 *
 * server.c    requests, the loop              names.c  requests on names and attributes
 * file.c      reading, writing, truncating    dir.c    entries of directories
 * index.c     which name is where, in memory  entry.c  encoding of an entry
 * user.h      user transactions: private views of it all, and their commit
 * inode.c     inodes in memory                change.c changes of blocks, told to the design
 * cache.c     blocks in memory, reading       writeback.c  dirty blocks to disk
 * layout_c.h  the layout that none, ffs and journal have on top of this
 *
 * Invariants:
 *   (1) a buffer is in the hash iff its key != 0, and is then on exactly one of: the LRU ring
 * (clean and not being written), the dirty ring, or neither (being read or written); (2) a buffer
 * that was got stays in memory over the next GETS_SAFE gets; (3) two writes under way never
 * overlap: a buffer is sent again only after its last write is answered; (4) an indexed directory
 * has all its entries but "." and ".." in the index; (5) bytes of a cached block of metadata are
 * changed between change_open and change_close only; (6) between requests no inode is `dirty`: what
 * an operation changed in it is in its record.
 */
#ifndef LORIS_STACK_CLASSIC_COMMON_FS_H
#define LORIS_STACK_CLASSIC_COMMON_FS_H

#include "block.h"
#include "entry.h"
#include "vfs.h"

#define BUFFER_CHUNK 64u   /* buffers that are allocated at once: memory is touched as needed */
#define BUFFERS_MIN 128u   /* of a cache of half a MiB, the smallest that can be asked for */
#define BUFFERS_MAX 10240u /* 40 MiB: the rest of the arena is for what describes them */
#define GETS_SAFE 16u
#define INODE_CHUNK 32u
#define INODES_MAX 2048u /* in memory */
#define INODE_BUCKETS 1024u
#define INLINE_MAX 140u /* bytes of a symbolic link's target that an inode may hold */
#define NAME_CHUNK 256u
#define NAMES_MAX 65536u /* in the index */
#define NAME_BUCKETS 4096u
#define RUNS_MAX 12u   /* writes under way */
#define READS_MAX 8u   /* reads under way of one request */
#define READ_AHEAD 32u /* blocks: 128 KiB, as Linux reads ahead */
#define WRITE_RUN_BLOCKS 64u
#define LISTING_BYTES 16384u
#define PREFETCH_MAX 64u      /* blocks of one call; at most a quarter of the cache */
#define CHANGE_BYTES_MAX 512u /* of metadata: a record never crosses a sector */
#define SECTORS_A_BLOCK (BLOCK_BYTES / SECTOR_BYTES)
#define KEY_PRIVATE (UINT64_C(1) << 62) /* in keys of pages of user transactions, in no others */

struct fs;
struct inode;
struct store;
struct users;

typedef enum err request_fn(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out);

/* ---- State ----------------------------------------------------------------------------------- */

/* A block in memory. `key` names it, `block` is where it lies on disk. A layout that writes in
 * place uses the block's number for both; one that writes anywhere names blocks by (inode, place in
 * the file) and moves them by setting `block` before they are written. */
struct buffer {
    uint8_t *page;
    uint64_t key;   /* 0: free */
    uint32_t block; /* 0: has no place yet, and is not written */
    bool dirty, writing, loading;
    bool failed; /* its last write: the disk has something else, so it stays in memory */
    uint8_t sum; /* layout C's (enum sum): what is known of its checksum; 0 when it was read */
    struct buffer *hash_next;
    struct buffer *lru_prev, *lru_next;     /* clean */
    struct buffer *dirty_prev, *dirty_next; /* dirty, oldest first */
    struct buffer *own_prev, *own_next;     /* dirty, of the same inode */
    struct inode *owner;                    /* while dirty: whose fsync writes it; or NULL */
    uint64_t dirty_since_ns;
    uint32_t pins; /* it stays in memory while not 0; layouts' and designs' */
    void *own;     /* the design's; NULL when the buffer is made and when it is let go */
};

struct attributes {
    uint32_t type, mode; /* enum vfs_type, 0: free; permission bits */
    uint32_t nlink, uid, gid, generation;
    uint64_t size, mtime_ns, ctime_ns;
    uint32_t blocks;             /* allocated, what the layout needs included */
    uint8_t inlined[INLINE_MAX]; /* target of a short symbolic link */
};

struct inode {
    uint32_t ino; /* 0: free */
    bool dirty;   /* on fs->changed: memory is newer than the record */
    bool indexed, orphan;
    uint32_t pins; /* the design's: it stays in memory while not 0 */
    struct attributes d;
    void *own; /* store->inode_bytes of the design's, zeroed when the inode is loaded or made */
    struct inode *hash_next, *lru_prev, *lru_next, *changed_next;
    struct buffer *dirty_head; /* its dirty blocks */
    uint64_t read_end;         /* where the last read ended: a read from here is sequential */
    uint32_t free_bytes;       /* indexed directory: room inside its chunks */
    uint32_t chunk_hint;       /* indexed directory: chunk that had room last */
};

struct name { /* of the index */
    struct name *next;
    uint32_t dir, hash, offset; /* offset of the entry in the directory, bytes */
};

struct want { /* a block to be read or written */
    uint64_t key;
    uint32_t block;
};

struct run { /* one write under way */
    uint32_t slot, count;
    struct buffer *buffer[WRITE_RUN_BLOCKS];
};

/* What happened to a block. Told to the design by store->changed after the bytes are in place. */
enum change_kind {
    CHANGE_DATA,      /* content of file i (a symbolic link's target too); fresh, grows */
    CHANGE_DIR_BLOCK, /* fresh block of directory i: empty chunks, or the first with both dots */
    CHANGE_ADDED,     /* a name of inode `target` came into directory i */
    CHANGE_REMOVED,   /* a name of inode `target` left directory i */
    CHANGE_POINTED,   /* a name in i that led to `old_target` leads to `target` now */
    CHANGE_GOING,     /* the name of directory `target` in i is marked: another comes, this goes */
    CHANGE_DOTDOT,    /* ".." of directory i is `target` now, and was `old_target` */
    CHANGE_INODE,     /* the record of inode `target` (layout C: in its table block) */
    CHANGE_POINTER,   /* in an indirect block of i: block `old_target` -> `target`, 0 a hole */
    CHANGE_INDIRECT,  /* fresh indirect block of i, all holes */
    CHANGE_MAP        /* bits of a map of free things */
};

struct change {
    enum change_kind kind;
    struct buffer *b;
    uint32_t offset, bytes; /* in the block; `bytes` 0: the whole block or data, `old` is NULL */
    const uint8_t *old;     /* what was there */
    struct inode *i;        /* see the kind; NULL for CHANGE_MAP */
    uint32_t target, old_target;
    const uint8_t *name; /* ADDED, REMOVED: which; not ended by 0 */
    uint32_t name_bytes;
    bool fresh; /* DATA: the block was just allocated: nothing on disk leads to it */
    bool grows; /* DATA: bytes at or beyond the file's size so far were written */
};

struct fs {
    const struct store *store;
    void *own;          /* the design's */
    struct volume_c *c; /* of layout C (layout_c.h); NULL for other layouts */
    struct block_client client;
    struct block_client *log_client; /* the design's, of a log on a disk of its own; or NULL */
    struct stack_options options;
    uint64_t blocks;       /* of the volume, as the layout counts: keys and places are below it */
    uint32_t root;         /* its inode number; set by format and load */
    enum err mount_status; /* OK, or why there is nothing to serve */
    bool read_only;
    uint32_t dir_tail;   /* bytes at the end of each block of a directory that hold no entries */
    bool remove_first;   /* a rename removes the old name before the new one comes */
    struct users *users; /* user transactions; NULL: there was none yet */
    bool together;       /* their changes are being put in: all or none, contents too */
    bool more_follows; /* the change being closed goes to disk with the next, of the same sector */
    bool deferred;     /* set by a request function: the answer comes later, by server_answer */
    enum err write_error;      /* why it is read-only */
    const struct msg *message; /* the request being served; copy it to answer later */
    uint32_t vfs;              /* its endpoint */
    uint64_t now_ns;           /* at the start of the request */
    uint64_t planted_count;    /* in builds with defects on purpose: operations so far */

    struct buffer **bucket;
    uint32_t bucket_mask;
    uint32_t buffers, buffers_max;
    struct buffer *free_buffers;     /* by hash_next */
    struct buffer lru, dirty;        /* heads of rings */
    uint32_t dirty_count;            /* dirty or being written */
    struct want *order, *sync_order; /* blocks to write, in order of their places */
    uint32_t order_count, order_at;
    struct run run[RUNS_MAX];
    uint32_t run_first, runs; /* ring */
    uint64_t alarm_ns;        /* 0: none set */
    uint64_t idle_ns;         /* store->idle is due then, whoever waits; 0: it is not wanted */

    struct inode *inode_bucket[INODE_BUCKETS];
    struct inode *free_inodes;
    struct inode inode_lru;
    struct inode *changed; /* by changed_next: dirty inodes of this operation, last first */
    uint32_t inodes, free_inode_count;

    struct name *name_bucket[NAME_BUCKETS];
    struct name *free_names;
    uint32_t names;

    struct change change; /* the open one */
    uint8_t change_old[CHANGE_BYTES_MAX];

    uint8_t name[VFS_NAME_MAX + 1], name2[VFS_NAME_MAX + 1];
    uint32_t name_bytes, name2_bytes;
    uint8_t listing[LISTING_BYTES];
};

/* ---- The design's table ---------------------------------------------------------------------- */

/*
 * All functions run in the process and are called one at a time. "Optional": may be NULL. The calls
 * of one request come in the order that careful ordering wants (README.md, "Order of calls"); a
 * design that batches or logs need not look at it.
 */
struct store {
    const char *name;
    size_t inode_bytes;         /* of struct inode.own */
    uint32_t inline_max;        /* longest target that an inode holds itself; at most INLINE_MAX */
    bool careful;               /* inode_settle stores at once; change.old is filled */
    enum probe writeback_probe; /* when writeback_start has something to send; or PROBE_COUNT */

    /* -- life of the volume -- */

    /* Allocates what the design needs (fs->own, fs->c) and reads fs->options. Before anything else.
     */
    enum err (*init)(struct fs *fs);
    /* Makes an empty volume of so many blocks, with the directory `shared` in its root
     * (names_make_shared); stable when it returns. */
    enum err (*format)(struct fs *fs, uint64_t blocks);
    /* Reads it, and recovers it if it was not stopped in order. E_CORRUPT, E_MEDIA, E_VERSION:
     * there is nothing to serve. */
    enum err (*load)(struct fs *fs, uint64_t blocks);
    /* Optional: a VFS mounts; inodes that the one before had open are freed already. */
    void (*mounted)(struct fs *fs);
    request_fn *sync, *unmount, *statfs;
    request_fn *fsync; /* with begin and end, like a change: it may have to write */
    /* Optional: there are user transactions, and one may change so many blocks. A commit is one
     * operation: `begin` with VFS_COMMIT, length = bytes of blocks that change, size = blocks of
     * these that have no place yet; fs->together is set while it changes. */
    uint32_t (*user_blocks)(const struct fs *fs);

    /* -- requests -- */

    /* Optional: before each request that may change something (`changes`), and before all others.
     * Refuses it with any error (E_WAIT, E_ROFS, ...). Here the superblock loses its clean mark, a
     * transaction is joined, room for the request's worst case is made. */
    enum err (*begin)(struct fs *fs, const struct vfs_request *in, bool changes);
    /* Optional: after it, with its status, when begin was OK; all inodes are stored by now. Returns
     * what is answered. */
    enum err (*end)(struct fs *fs, const struct vfs_request *in, bool changes, enum err status);
    /* Before each changing request and each block of a write: too much is dirty?
     * writeback_throttle, or the design's own. */
    void (*throttle)(struct fs *fs);
    /* No buffer can be evicted: makes some clean, or frees one. */
    void (*make_room)(struct fs *fs);
    /* The alarm rang (plat_alarm, fs->alarm_ns); writeback_daemon, or the design's own. */
    void (*alarm)(struct fs *fs);
    /* Optional: fs->idle_ns has come: a step of work beside the requests. Sets it anew. */
    void (*idle)(struct fs *fs);
    /* Answers of the disk came in; writeback_pump, or the design's own. */
    void (*pump)(struct fs *fs);

    /* -- blocks -- */

    /* Optional: a block was read from disk: E_CORRUPT refuses it (it is not kept). May read it
     * again. */
    enum err (*check)(struct fs *fs, struct buffer *b);
    /* Optional: b's bytes are about to be changed; may come several times for one change. */
    void (*will_change)(struct fs *fs, struct buffer *b);
    /* Optional: they were changed; b is dirty. */
    void (*changed)(struct fs *fs, const struct change *change);
    /* Optional: b is dirty and about to be written. Returns the page to write: b->page, or a copy
     * that stays untouched until `written`; NULL: not now (it stays dirty). */
    uint8_t *(*prepare)(struct fs *fs, struct buffer *b);
    /* Optional: the write of b was answered. */
    void (*written)(struct fs *fs, struct buffer *b, enum err status);

    /* -- inodes: numbers and records -- */

    /* Reads the record: fills i->d and i->own. E_NOENT: free, or no such number. */
    enum err (*inode_load)(struct fs *fs, struct inode *i);
    /* Sees to it that inode_store cannot fail: E_MEDIA if its record is out of reach. */
    enum err (*inode_prepare)(struct fs *fs, struct inode *i);
    /* Puts i->d and i->own into the record. d.type 0: it is free. */
    void (*inode_store)(struct fs *fs, struct inode *i);
    /* Takes a free number near another; *generation: the one to give it. E_NOSPC. */
    enum err (*inode_take)(struct fs *fs, uint32_t near, uint32_t *ino, uint32_t *generation);
    /* The number is free again, when the record says so on disk. An error: it is leaked. */
    enum err (*inode_free)(struct fs *fs, uint32_t ino);

    /* -- blocks of files and directories -- */

    /* The buffer of a file block, read if need be; NULL: a hole. E_MEDIA, E_CORRUPT. */
    enum err (*block_get)(struct fs *fs, struct inode *i, uint64_t at, struct buffer **b);
    /* The same to be changed, allocated if it was a hole (*fresh). whole: all of it will be
     * overwritten, so it is not read; a fresh one is zeroed unless whole. E_NOSPC. */
    enum err (*block_make)(struct fs *fs, struct inode *i, uint64_t at, bool whole,
                           struct buffer **b, bool *fresh);
    /* Looks up file blocks: want[k] of block at + k, key 0 for a hole. Stops at an error, which is
     * returned with *count = how many were found. */
    enum err (*blocks_find)(struct fs *fs, struct inode *i, uint64_t at, uint32_t *count,
                            struct want *want);
    /* The file ends at i->d.size now, which was set before; type 0: it goes whole. Settles the
     * inode, then frees all blocks beyond. An error: nothing was freed; the caller puts the size
     * back. */
    enum err (*cut)(struct fs *fs, struct inode *i);
    /* Whether writing file blocks first .. last fits, whatever else it needs included. E_NOSPC. */
    enum err (*reserve)(struct fs *fs, struct inode *i, uint64_t first, uint64_t last);
    uint64_t file_blocks_max;
};

/* ---- server.c ---- */

/* The whole life of the process. Each program's main is one call of it. */
_Noreturn void server_main(const struct boot *boot, const struct store *store);
/* Answers a request that was deferred; `request` is the copy that was made of *fs->message. */
void server_answer(struct fs *fs, const struct msg *request, enum err status,
                   const struct vfs_reply *reply);
/* One operation of the design: room, begin, `function`, end. Not inside another. */
MUST_USE enum err server_operate(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out,
                                 request_fn *function, bool changes);
/* E_DEAD of a disk or RAID is E_MEDIA to those above. */
enum err as_media(enum err e);

/* ---- cache.c ---- */

MUST_USE enum err cache_init(struct fs *fs);
/* The buffer `key`, read from `block` if it is not here. E_MEDIA; E_CORRUPT: no such block, or
 * store->check says so. */
MUST_USE enum err cache_get(struct fs *fs, uint64_t key, uint32_t block, struct buffer **out);
/* The same without reading; zeroed. For blocks that were just allocated. */
struct buffer *cache_get_new(struct fs *fs, uint64_t key, uint32_t block);
/* Without reading, content undefined if it is not here: the caller overwrites all of it. */
struct buffer *cache_get_overwrite(struct fs *fs, uint64_t key, uint32_t block);
/* Reads those of the blocks that are not here, as many at once as fit. Best effort. */
void cache_prefetch(struct fs *fs, const struct want *want, uint32_t count);
struct buffer *cache_find(struct fs *fs, uint64_t key);
/* It was changed. owner: whose fsync has to write it, or NULL. */
void cache_dirty(struct fs *fs, struct buffer *b, struct inode *owner);
/* The block was freed: its content need not be written. */
void cache_forget(struct fs *fs, uint64_t key);
/* Forgets all clean blocks that no design holds; nothing may be dirty. */
void cache_drop(struct fs *fs);
/* Off the dirty lists: before it is sent, or by a design that writes it on its own; the caller sets
 * `writing`, and calls cache_written when the answer is there. */
void cache_undirty(struct buffer *b);
/* No inode's fsync has to write it any more. */
void cache_disown(struct buffer *b);
void cache_written(struct fs *fs, struct buffer *b);
/* A page of a user transaction, dirty or not, is nobody's any more. */
void cache_drop_private(struct fs *fs, struct buffer *b);

/* ---- writeback.c ---- */

/* Starts to write what has been dirty since before `since_ns`, if nothing is being written back. */
void writeback_start(struct fs *fs, uint64_t since_ns);
/* Collects what is answered and sends more. Never waits. */
void writeback_pump(struct fs *fs);
/* Waits until at most half of the cache is dirty. */
void writeback_throttle(struct fs *fs);
/* store->make_room of whoever may write any dirty block at any time. */
void writeback_make_room(struct fs *fs);
/* Lists the dirty blocks of one inode, NULL: all, in fs->sync_order, which has room for a few more;
 * returns how many. */
uint32_t writeback_collect(struct fs *fs, struct inode *inode);
/* Writes all dirty blocks and waits. OK, or why it is read-only. Nothing is flushed. */
MUST_USE enum err writeback_sync(struct fs *fs);
/* Sends those of these that are dirty and waits for the answers; sorts the list. All other writes
 * under way are over as well when it returns. OK, or why it is read-only. Nothing is flushed. */
MUST_USE enum err writeback_blocks(struct fs *fs, struct want *list, uint32_t count);
/* Waits until nothing is under way. */
void writeback_settle(struct fs *fs);
/* The update daemon: store->alarm of whoever writes back by age. */
void writeback_daemon(struct fs *fs);
void writeback_set_alarm(struct fs *fs);
/* A write failed for good: read-only from now on. */
void writeback_fail(struct fs *fs, enum err why);

/* ---- change.c ---- */

/*
 * Bytes [offset, offset + bytes) of b are about to be changed (and were looked at to decide how:
 * what an ordering has to know). bytes 0: the whole block, or data. Then the caller changes them
 * and calls change_close; if it does not come to that, nothing has to be undone.
 */
void change_open(struct fs *fs, struct buffer *b, uint32_t offset, uint32_t bytes);
/* The name that comes or goes by the open change. */
void change_name(struct fs *fs, const uint8_t *name, uint32_t bytes);
/* Marks it dirty, for i's fsync if i is not NULL, and tells the design. */
void change_close(struct fs *fs, enum change_kind kind, struct inode *i, uint32_t target,
                  uint32_t old_target);
/* The same for data of a file. */
void change_close_data(struct fs *fs, struct inode *i, bool fresh, bool grows);

/* ---- inode.c ---- */

void inode_init(struct fs *fs);
/* Before a request: some inodes are free. */
void inode_make_room(struct fs *fs);
/* The inode in memory; valid until the request ends. E_NOENT: free or no such number. */
MUST_USE enum err inode_get(struct fs *fs, uint64_t ino, struct inode **out);
/* NULL if it is not in memory. */
struct inode *inode_find(struct fs *fs, uint32_t ino);
/* A fresh inode of a number that is taken already; nlink 0. */
MUST_USE enum err inode_make(struct fs *fs, uint32_t ino, uint32_t type, uint32_t generation,
                             struct inode **out);
/* A fresh inode near another, nlink 0. */
MUST_USE enum err inode_new(struct fs *fs, uint32_t near, uint32_t type, struct inode **out);
/* It was changed, or will be before the request ends: it is stored when that ends, or by
 * inode_settle. E_MEDIA: its record is out of reach. */
MUST_USE enum err inode_dirty(struct fs *fs, struct inode *i);
/* What comes next in this operation wants the record first: a careful design stores it now. */
MUST_USE enum err inode_settle(struct fs *fs, struct inode *i);
/* Stores all dirty inodes, in the order in which they became so. By server.c when a request ends.
 */
void inode_store_all(struct fs *fs);
/* Frees its blocks and its number. */
MUST_USE enum err inode_delete(struct fs *fs, struct inode *i);
bool inode_has_orphans(const struct fs *fs);
/* Deletes all orphans, if anything can be changed. */
MUST_USE enum err inode_free_orphans(struct fs *fs);
/* Forgets all that may go. */
void inode_drop_all(struct fs *fs);
void inode_stat(const struct inode *i, struct vfs_stat *stat);

/* ---- file.c ---- */

request_fn file_read, file_write, file_truncate, file_readlink;
/* Makes `bytes` of fs->listing the target of a new link. */
MUST_USE enum err file_set_target(struct fs *fs, struct inode *link, uint32_t bytes);

/* ---- dir.c, index.c ---- */

struct found {
    uint32_t ino, type;
    bool going;
    uint32_t offset; /* of the entry, bytes */
};
/* E_NOENT, E_CORRUPT, E_MEDIA. */
MUST_USE enum err dir_find(struct fs *fs, struct inode *dir, const uint8_t *name, uint32_t bytes,
                           struct found *out);
MUST_USE enum err dir_add(struct fs *fs, struct inode *dir, const uint8_t *name, uint32_t bytes,
                          uint32_t ino, uint32_t type);
MUST_USE enum err dir_remove(struct fs *fs, struct inode *dir, const struct found *found,
                             const uint8_t *name, uint32_t bytes);
/* Makes the entry at `found` lead to another inode. */
MUST_USE enum err dir_point(struct fs *fs, struct inode *dir, const struct found *found,
                            uint32_t ino, uint32_t type);
/* Marks the entry: if a cut leaves this and another name of a directory, this one goes. */
MUST_USE enum err dir_mark_going(struct fs *fs, struct inode *dir, const struct found *found);
/* The first block with "." and "..". */
MUST_USE enum err dir_make(struct fs *fs, struct inode *dir, uint32_t parent);
MUST_USE enum err dir_parent(struct fs *fs, struct inode *dir, uint32_t *parent);
MUST_USE enum err dir_set_parent(struct fs *fs, struct inode *dir, uint32_t parent);
MUST_USE enum err dir_is_empty(struct fs *fs, struct inode *dir, bool *empty);
/* Packs entries from *cookie on into fs->listing; *cookie = next, 0 at the end. */
MUST_USE enum err dir_list(struct fs *fs, struct inode *dir, uint64_t *cookie, uint32_t room,
                           uint32_t *used);
bool dir_is_dots(const uint8_t *name, uint32_t bytes);

uint32_t index_hash(uint32_t dir, const uint8_t *name, uint32_t bytes);
void index_add(struct fs *fs, struct inode *dir, uint32_t hash, uint32_t offset);
void index_remove(struct fs *fs, struct inode *dir, uint32_t hash, uint32_t offset);
/* The next name of this hash after `after` (NULL: first); NULL if there is none. */
struct name *index_next(struct fs *fs, uint32_t dir, uint32_t hash, struct name *after);
/* Whether `more` names fit. */
bool index_has_room(struct fs *fs, uint32_t more);
void index_drop(struct fs *fs);
/* All names of one directory. */
void index_forget(struct fs *fs, struct inode *dir);

/* ---- user.c ---- */

request_fn user_begin, user_commit, user_abort;
/* A request inside a user transaction (in->outer). E_ABORT, E_2BIG: it is aborted whole. E_WAIT:
 * another's is in the way; nothing has changed. */
MUST_USE enum err user_request(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out,
                               request_fn *function, bool changes);
/* Before a request outside changes anything. E_WAIT. */
MUST_USE enum err user_outside(struct fs *fs, const struct vfs_request *in);
void user_abort_all(struct fs *fs);

/* ---- names.c ---- */

request_fn names_mount, names_lookup, names_create, names_mkdir, names_unlink, names_rmdir,
    names_link, names_symlink, names_rename, names_readdir, names_stat, names_setattr,
    names_release;
/* For a format: the root `ino` (its number is taken), and in it the directory `shared`. */
MUST_USE enum err names_make_root(struct fs *fs, uint32_t ino);

#endif
