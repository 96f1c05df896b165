/*
 * The inside of a history: inodes, name slots and the effects of operations on them. Private to
 * this folder: history.c records, apply.c predicts, check.c and the judge read.
 *
 * A *slot* is a place that operations change: a name in a directory, the size, mode or owner of an
 * inode, the bytes of a file. Each slot has its effects as a list from the newest to the oldest, in
 * the order in which their operations began.
 *
 * Invariants:
 *   (1) inode i is the one that operation i created; inode 0 is none, so a name slot of value 0 is
 *       absent; before its first effect every name is absent, and files do not exist;
 *   (2) effects of one operation are adjacent; a void effect belongs to no state at all;
 *   (3) in a list, an effect whose operation precedes another's stands after it.
 */
#ifndef LORIS_WORKLOADS_ORACLE_MODEL_H
#define LORIS_WORKLOADS_ORACLE_MODEL_H

#include <stddef.h>

#include "assertion.h"
#include "workloads/oracle/history.h"

enum slot_kind { SLOT_NAME, SLOT_SIZE, SLOT_MODE, SLOT_OWNER, SLOT_XATTRS, SLOT_RANGE };

enum range_what {
    RANGE_DATA,   /* f(inode, op, x + shift) */
    RANGE_ZERO,   /* growth and holes */
    RANGE_ABSENT, /* beyond the end of the file */
    RANGE_FOUND,  /* of the base: bytes as they were read back, from `value` on in base.bytes */
    RANGE_UNKNOWN /* of the base: could not be read, so anything */
};

struct effect {
    uint32_t op;
    uint32_t author;     /* RANGE_DATA: who wrote the bytes; op, unless that is a commit */
    uint32_t older;      /* index of the next older effect on this slot; 0: none */
    uint32_t object;     /* name slot, or inode */
    uint32_t sibling;    /* SLOT_NAME: next older name effect that leads to the same inode */
    uint64_t value;      /* SLOT_NAME: inode; SIZE, MODE: it; OWNER: uid << 32 | gid; XATTRS:
                            the digests of all attributes then; RANGE_FOUND: place */
    uint64_t from, to;   /* SLOT_RANGE: bytes [from, to); XATTRS: digest of the attribute's name,
                            and of the attribute then, 0: removed */
    uint64_t shift;      /* RANGE_DATA */
    uint64_t grown_from; /* RANGE_DATA: bytes of it from here on were beyond the end before; SIZE:
                            the size before */
    uint8_t slot, what;
    bool is_void;
};

struct name_slot {
    uint32_t dir;       /* inode */
    uint32_t text;      /* in the text pool, ends in NUL */
    uint32_t bytes;     /* of the name */
    uint32_t chain;     /* next slot in the hash bucket */
    uint32_t next;      /* next slot of the directory, older */
    uint32_t newest;    /* effect */
    uint32_t sync_tick; /* what ended before this tick is synced by an fsync through this name */
    uint32_t seen;      /* stamp of a listing in progress */
    bool set_since;     /* set since that: the listing may have it once more */
    uint64_t hash;
};

struct inode {
    uint32_t type; /* enum history_type; 0: this operation made no inode */
    uint32_t range, size, mode, owner, xattrs; /* newest effects */
    uint32_t names;                            /* newest name effect that leads here */
    uint32_t slots;                            /* directory: its newest name slot */
    uint32_t up;                               /* name slot that last led here */
    uint32_t text, text_bytes;                 /* symbolic link */
    uint32_t sync_tick;    /* effects on its slots that ended before are synced */
    uint32_t entries_tick; /* directory: the same for its name slots */
    uint32_t top;          /* of the base: the slot in a root that it lies below; else 0 */
    uint32_t dead_op;      /* the operation that took its last name, or 0 */
    uint32_t toucher;      /* app + 1 of the first that had an effect on it */
    bool mixed;            /* several applications had */
    bool optional;         /* an operation that failed or never ended has an effect on it */
    bool shared;           /* had a name in the shared tree */
    bool setup;            /* a root */
};

struct open_file {
    uint32_t inode, slot; /* 0: closed */
    uint32_t txn;         /* opened in this user transaction (its begin), 0: none or committed */
    bool unsure;          /* others were changing its path when it was opened */
};

struct app {
    uint32_t environment, in_flight; /* operation, or 0 */
    enum history_death death;
    bool died; /* ever: it may have started again */
    uint64_t died_ns;
    struct open_file fds[HISTORY_FDS_MAX];
    /* The request in flight, with its own copies of the texts. */
    struct history_call call;
    char *path, *path2;
    size_t path_room, path2_room;
    bool unsettled;   /* the answer hangs on what others were doing meanwhile */
    uint32_t commits; /* of the history, when the request in flight began */
    uint32_t txn;     /* the begin of its open user transaction, or 0 */
    bool doomed;      /* it was aborted, and the application was told; txn stays until it ends it */
};

/* The wrong answers that applications of one environment got, however many. */
struct wrongs {
    uint64_t count, bytes;
    struct history_wrong first; /* if count > 0 */
};

#define LOG_BYTES_MAX (UINT32_C(1) << 26) /* of texts and contents of one history */

/* A request and its answer as they were: order.h. Places are in log.pool; UINT32_MAX: none. */
struct history_record {
    struct history_call call;
    struct history_answer answer;
    struct history_stat stat;
    uint32_t path, path2, data;
    uint32_t newest_entry; /* of its listing, from 1 */
    bool has_stat;
};

struct history_entry_record {
    uint32_t type, text, older;
};

struct history_log {
    struct history_record *record; /* by operation */
    struct history_entry_record *entry;
    char *pool;
    uint32_t record_room, entry_room, entries, pool_room, bytes;
    bool full; /* something that an order needs found no room */
};

struct reliance { /* of an application on its own files */
    enum history_invariant kind;
    uint32_t app, file;
    char path[HISTORY_RELIANCE_BYTES], path2[HISTORY_RELIANCE_BYTES];
    uint64_t found; /* by the last boot: history_found */
};

struct told_version { /* of such a file */
    uint32_t app, file;
    uint32_t after,
        last; /* its operations are those of the application in (after, last]; 0: open */
    bool done, safe;
};

/* What the last boot found, if the history was told of it: base.h. */
struct history_base {
    uint32_t first;          /* its first operation; they end at setup_ops */
    uint32_t slots, effects; /* it has the first ones */
    uint32_t tick;           /* what ended before is of it, or of earlier epochs */
    bool links;           /* files of several names, or symbolic links: paths may meet anywhere */
    const uint8_t *bytes; /* of files: `own`, or those of the history that this one is told from */
    uint8_t *own;
    uint64_t own_bytes, own_room;
};

struct history {
    struct history_log log;
    struct history_base base;
    struct reliance *reliances; /* in the order in which they were told, as versions are */
    uint32_t reliance_count, reliance_room;
    struct told_version *versions;
    uint32_t version_count, version_room;
    bool raced;       /* what an operation did to names hangs on others that ran then: order.h */
    bool linear;      /* told by order.c: one operation after the other, */
    uint32_t number;  /* each with the number that it has there */
    uint32_t commits; /* user transactions whose commit was asked for */
    uint32_t environments, app_count, op_count, tick, setup_ops, sync_tick;
    uint32_t set_up; /* operations that are no application's, in all; setup_ops: the last of them */
    struct app *apps; /* HISTORY_APPS_MAX */
    struct history_op *ops;
    struct inode *inodes; /* as ops */
    uint32_t op_room;
    struct effect *effects;
    uint32_t effect_count, effect_room;
    struct name_slot *slots;
    uint32_t slot_count, slot_room;
    uint32_t *buckets;
    uint32_t bucket_count;
    char *text;
    uint32_t text_bytes, text_room;
    struct history_wrong wrong[HISTORY_WRONG_MAX];
    uint32_t wrong_count;
    struct wrongs wrongs[HISTORY_ENVIRONMENTS_MAX];
    uint64_t fault_ns[HISTORY_FAULTS_MAX]; /* in order of time */
    uint32_t fault_count;
    uint64_t detected_ns, service_ns; /* HISTORY_NEVER: not yet */
    const char *detected_by;
    uint32_t stamp;
    bool has_xattrs;         /* any was ever set */
    struct range_work *work; /* range.h */
};

/* Which effects count when the model is asked for a value. */
enum view {
    VIEW_SURE, /* of operations that were answered OK, and of `self` */
    VIEW_ALL   /* and of those in flight or in trouble */
};

struct where {      /* the end of a path */
    uint32_t inode; /* what the path leads to; 0: nothing */
    uint32_t dir;   /* the directory of the last component */
    uint32_t slot;  /* its name slot; 0 if the history has none yet */
    const char *name;
    uint32_t name_bytes; /* 0: the path is the root itself, or ends in "." or ".." */
    bool unsettled;      /* a name on the way was being changed, or may or may not have been */
};

struct lookup { /* how to resolve */
    enum view view;
    uint32_t self; /* operation that asks */
    bool follow;   /* a symbolic link as last component */
};

static inline bool op_precedes(const struct history_op *o, const struct history_op *p)
{
    return o->end_tick < p->begin_tick;
}

static inline bool precedes(const struct history *h, uint32_t o, uint32_t p)
{
    return op_precedes(&h->ops[o], &h->ops[p]);
}

/* Grows an array of `size`-byte elements to at least `want`; out of memory is a defect of loris. */
void *model_grow(void *array, uint32_t *room, uint32_t want, size_t size);

/* Room for so many bytes, exactly; what was there is lost. */
void *model_remake(void *bytes, uint64_t *room, uint64_t want);

/* The newest effect of a list that counts in this view, or 0. */
uint32_t model_newest(const struct history *h, uint32_t newest, enum view view, uint32_t self);

/* The value of a name slot: an inode, or 0. */
uint32_t model_name(const struct history *h, uint32_t slot, enum view view, uint32_t self);

/* The size of an inode; 0 if it has none. */
uint64_t model_size(const struct history *h, uint32_t inode, enum view view, uint32_t self);

/* Whether nobody but `self` changed this list since self began, nor may have. */
bool model_settled(const struct history *h, uint32_t newest, uint32_t self);

/* The slot of that name, or 0. */
uint32_t model_find(const struct history *h, uint32_t dir, const char *name, uint32_t bytes);

/* The same; makes it if it is new. */
uint32_t model_slot(struct history *h, uint32_t dir, const char *name, uint32_t bytes);

/* Makes the hash chains of all name slots that there are. O(slots + buckets). */
void model_rechain(struct history *h);

/* Keeps a copy of a text, ended by NUL. Returns its place in the pool. */
uint32_t model_text(struct history *h, const char *text, uint32_t bytes);

/* Follows a path for an application. OK with *at filled (inode 0 if only the last name is absent),
 * or an error of the name space. O(length). */
enum err model_walk(const struct history *h, uint32_t environment, const char *path,
                    const struct lookup *how, struct where *at);

/* Records an effect, on top of its list. The operation's effects must be the last recorded. */
struct effect *model_effect(struct history *h, uint32_t op, enum slot_kind slot, uint32_t object,
                            uint64_t value);

/* The newest effect in this view on the attribute of that name, or 0. */
uint32_t model_xattr(const struct history *h, uint32_t inode, const char *name, enum view view,
                     uint32_t self);

/* How many names lead to the inode now. */
uint32_t model_names(const struct history *h, uint32_t inode, enum view view, uint32_t self);

/* The head of the list that such an effect belongs to. */
uint32_t *model_list(struct history *h, enum slot_kind slot, uint32_t object);

/* Whether an operation is in an open user transaction of another application than that of `self`.
 * (transaction.c) */
bool model_hidden(const struct history *h, uint32_t op, uint32_t self);

/* One more operation of set-up, that has happened and made nothing yet. (history.c) */
uint32_t history_set_up(struct history *h, uint32_t environment, uint64_t now_ns);

/* The roots, empty but for the names of the shared tree. (history.c) */
void history_make_roots(struct history *h);

/* As if the operation in flight had no effects. (history.c) */
void history_forget(struct history *h, uint32_t op);

/* Makes all effects of an operation void. */
void model_void(struct history *h, uint32_t op);

/* The root above a directory as things are now, or 0 if it hangs nowhere. */
uint32_t model_root(const struct history *h, uint32_t dir);

/* Whether directory `inner` is `outer` or lies below it. */
bool model_below(const struct history *h, uint32_t inner, uint32_t outer);

/*
 * What the model answers to the request of `app` (its call), and, if OK, records the effects of
 * operation op. *unsettled: the answer hangs on what others were doing meanwhile. (apply.c)
 */
enum err apply_call(struct history *h, uint32_t op, enum view view, bool *unsettled);

/* Holds an answer of OK against the model. Returns CLAUSE_NONE or what is wrong. (check.c) */
void check_answer(struct history *h, uint32_t op, const struct history_answer *answer);

/* Keeps a wrong answer, with the clause, bytes and a story of printf's form. (check.c) */
void check_wrong(struct history *h, uint32_t op, enum history_clause clause, uint64_t bytes,
                 const char *form, ...) __attribute__((format(printf, 5, 6)));

#endif
