/*
 * The history of a trial: what each application asked for, when, what it was answered, and what
 * that did to the namespace. The laboratory keeps it, outside all simulated processes, so that it
 * survives every crash. The oracle (judge.h) compares with it what is read back at the end; while
 * the trial runs, every answer is compared at once (history_end).
 *
 * An operation is recorded by two calls: history_begin when the application sends the request, and
 * history_end when it has the answer. One that never gets its answer stays in flight; history_kill
 * says so of an application that died.
 *
 * Paths are those of the VFS's calls (call.h): relative to the root of the application's
 * environment, "shared" there being the shared tree; a leading slash changes nothing. The oracle
 * resolves them by its own model of the namespace and never asks the stack.
 *
 * Identity of an inode: the number of the operation that created it. Operations are numbered from 1
 * in order of their start; the first numbers belong to the roots. Those of kind HISTORY_SETUP are
 * no application's: the roots, and after a boot what it found (base.h).
 *
 * Order: o precedes p if o ended before p began, in the order of these calls (a tick each), so that
 * equal times are no trouble. Times are kept for the measures alone.
 *
 * Memory is that of effects, not of contents; it is kept over history_reset.
 *
 * Typical use, by the library that applications call:
 *
 *     uint32_t op = history_begin(h, app, now, &(struct history_call){
 *         .kind = HISTORY_WRITE, .fd = fd, .offset = 4096, .length = n});
 *     history_fill(h, op, 0, buffer, n);      // what to write
 *     ... call the VFS ...
 *     history_end(h, op, now, &(struct history_answer){.result = e, .moved = moved});
 */
#ifndef LORIS_WORKLOADS_ORACLE_HISTORY_H
#define LORIS_WORKLOADS_ORACLE_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "errors.h"

#define HISTORY_ENVIRONMENTS_MAX 64u
#define HISTORY_APPS_MAX 64u
#define HISTORY_FDS_MAX 256u /* descriptors of one application */
/* Faults whose moments are kept: assumption: more than any plan has. */
#define HISTORY_FAULTS_MAX 256u
/* Wrong answers that are kept with their story, besides the first of each environment. */
#define HISTORY_WRONG_MAX 64u
#define HISTORY_NAME_MAX 255u     /* bytes of one name: VFS_NAME_MAX */
#define HISTORY_AT_END UINT64_MAX /* offset of a write: at the end of the file */
#define HISTORY_BLOCK_BYTES 4096u /* an unanswered write may be in by such blocks of the file */
#define HISTORY_NEVER UINT64_MAX
#define HISTORY_RELIANCE_BYTES 128u /* path of a file that an application relies on */

enum history_kind {
    HISTORY_SETUP = 0,   /* a root, or what a boot found; not for callers */
    HISTORY_OPEN,        /* path, flags, mode -> fd */
    HISTORY_CLOSE,       /* fd */
    HISTORY_READ,        /* fd, offset, length -> moved, data */
    HISTORY_WRITE,       /* fd, offset, length -> moved, offset */
    HISTORY_TRUNCATE,    /* fd, or path if given; size */
    HISTORY_FSYNC,       /* fd */
    HISTORY_SYNC,        /* covers everything that ended before */
    HISTORY_STAT,        /* fd, or path if given (the last component is not followed) -> stat */
    HISTORY_MKDIR,       /* path, mode */
    HISTORY_RMDIR,       /* path */
    HISTORY_UNLINK,      /* path */
    HISTORY_RENAME,      /* path -> path2 */
    HISTORY_LINK,        /* path existing, path2 new */
    HISTORY_SYMLINK,     /* path = text of the link, path2 new */
    HISTORY_READLINK,    /* path -> moved, data */
    HISTORY_READDIR,     /* path, or fd if NULL: one whole listing, entries by history_entry */
    HISTORY_CHMOD,       /* path, mode */
    HISTORY_CHOWN,       /* path, uid, gid */
    HISTORY_FALLOCATE,   /* fd, flags, offset, length */
    HISTORY_SETXATTR,    /* path, path2 = name of the attribute, length: of the value */
    HISTORY_GETXATTR,    /* path, path2 = name -> moved, data */
    HISTORY_REMOVEXATTR, /* path, path2 = name */
    HISTORY_BEGIN,       /* a user transaction: what follows is in it until it ends */
    HISTORY_COMMIT,      /* all of it takes effect with this, or nothing does */
    HISTORY_ABORT,       /* nothing of it has happened */
    HISTORY_OTHER,       /* no effect and nothing to check: statfs, lock, utimens, dup ... */
    HISTORY_KINDS
};

/* "open", "close", ...: the word of `latencies.op`. */
const char *history_kind_name(enum history_kind kind);

enum history_flags { /* of HISTORY_OPEN and FALLOCATE; the bits of call.h's call_flags */
                     HISTORY_CREATE = 1u << 0,
                     HISTORY_EXCLUSIVE = 1u << 1,
                     HISTORY_TRUNC = 1u << 2,
                     HISTORY_KEEP_SIZE = 1u << 6, /* this and the next two: of FALLOCATE */
                     HISTORY_PUNCH = 1u << 7,
                     HISTORY_ZERO = 1u << 8
};

/* A request. What a kind does not name is ignored. Texts are copied where they are needed later. */
struct history_call {
    enum history_kind kind;
    const char *path, *path2;
    int32_t fd;
    uint32_t flags, mode, uid, gid;
    uint64_t offset, length, size;
};

enum history_type { HISTORY_FILE = 1, HISTORY_DIRECTORY = 2, HISTORY_SYMBOLIC = 3 }; /* vfs_type */

struct history_stat {
    uint64_t ino; /* the stack's number: used only to see which names are one object */
    uint64_t size;
    uint32_t type; /* enum history_type */
    uint32_t mode, nlink, uid, gid;
    uint64_t xattrs; /* digests of all extended attributes (content.h); only readers tell it */
};

/* An answer. */
struct history_answer {
    enum err result;
    int32_t fd;                      /* OPEN */
    uint64_t moved;                  /* READ, WRITE, READLINK: bytes */
    uint64_t offset;                 /* WRITE at HISTORY_AT_END: where the bytes went */
    const uint8_t *data;             /* READ, READLINK, GETXATTR: what came, `moved` bytes */
    const struct history_stat *stat; /* STAT */
};

enum history_state {
    HISTORY_IN_FLIGHT, /* no answer yet, or never: its application was killed */
    HISTORY_DONE,      /* answered OK */
    HISTORY_REFUSED,   /* answered by an error that says that nothing changed (E_NOENT, E_NOSPC) */
    HISTORY_TROUBLED   /* answered by an error that a fault causes (E_IO, E_DEAD, E_ROFS ...) */
};

/* Why an application died. */
enum history_death {
    HISTORY_ALIVE = 0,
    HISTORY_POWER,       /* the machine's power was cut */
    HISTORY_ENVIRONMENT, /* a fault of its own environment (its VFS died, its process was hit) */
    HISTORY_STRAY        /* anything else: counts as an error that it saw */
};

enum history_mark_kind {
    HISTORY_MARK_FAULT,    /* a fault struck and took effect */
    HISTORY_MARK_DETECTED, /* a layer noticed: the first counts */
    HISTORY_MARK_SERVICE   /* full service again: the last counts */
};

/* A record that anyone may read: history_op(h, number). */
struct history_op {
    enum history_kind kind;
    enum history_state state;
    enum err result;
    uint32_t app, environment;
    uint64_t start_ns, end_ns;      /* end: HISTORY_NEVER while in flight */
    uint32_t begin_tick, end_tick;  /* order; end: UINT32_MAX while in flight */
    uint32_t txn;                   /* the begin of the open user transaction that it is in, or 0 */
    uint32_t inode;                 /* the one it works on or makes; 0 if none is known */
    uint32_t key;                   /* WRITE: the inode that its bytes name (history_fill) */
    uint32_t first_effect, effects; /* in the model (model.h) */
    uint32_t name, name2;           /* name slots of path and path2; 0 if none */
    uint64_t shift;                 /* WRITE: byte x of the file has content of byte x + shift */
    uint64_t offset, length;        /* of READ and WRITE; OPEN: flags; TRUNCATE: size in offset */
    bool wrong;                     /* the answer is none that the history allows */
    bool forbade;                   /* the model's own answer was an error at its begin */
};

/* What an answer or a tree can break of the rules of README.md; a failure's identity. */
enum history_clause {
    CLAUSE_NONE = 0,
    CLAUSE_CONTENT,     /* bytes that this place never had, or no longer has */
    CLAUSE_FOREIGN,     /* another file's, operation's or place's bytes */
    CLAUSE_ZEROS,       /* zeros where data was */
    CLAUSE_TORN,        /* a mix of versions in one block */
    CLAUSE_SIZE,        /* a size, or count of bytes read, that no order of operations gives */
    CLAUSE_ATTRIBUTE,   /* mode, owner or text of a symbolic link */
    CLAUSE_NAME,        /* a name that should not be, is missing, or leads to another object */
    CLAUSE_TYPE,        /* a name leads to an object of another type */
    CLAUSE_LINKS,       /* a wrong link count */
    CLAUSE_LISTING,     /* readdir and lookup disagree */
    CLAUSE_TREE,        /* a directory with two parents, or a cycle */
    CLAUSE_ANSWER,      /* OK for what must fail, or an error of the name space for what must not */
    CLAUSE_CHECKER,     /* the checker of the raw disks found damage that no error told of */
    CLAUSE_REMOUNT,     /* the tree differs after an orderly stop and mount */
    CLAUSE_TRANSACTION, /* a part of a user transaction is there, another is not */
    CLAUSE_SYNCED,      /* a synced effect is gone (not a wrong answer: prefix, structural) */
    CLAUSE_ERROR,       /* an error was seen (detected) */
    CLAUSE_MOUNT,       /* does not mount, hangs, recovery never ends */
    CLAUSE_SERVICE,     /* the probe of service failed */
    CLAUSES
};
const char *history_clause_name(enum history_clause clause);

/* A wrong answer while the trial ran: immediately `silent` in that environment. */
struct history_wrong {
    uint32_t op;
    enum history_clause clause;
    uint64_t bytes;  /* of content returned wrong */
    char detail[96]; /* "read of mail/f3 at 4096: bytes of operation 17, want 31" */
};

struct history;

struct history *history_create(void);
void history_destroy(struct history *h);

/* Forgets all; environments 0 .. count - 1 have their root, and all the shared tree. Keeps memory.
 */
void history_reset(struct history *h, uint32_t environments);

/* One more application, in that environment. Returns its number, from 0. */
uint32_t history_add_app(struct history *h, uint32_t environment);

/*
 * The application asks at time now_ns. It must not have a request in flight.
 * Returns the operation's number. O(length of the paths).
 */
uint32_t history_begin(struct history *h, uint32_t app, uint64_t now_ns,
                       const struct history_call *call);

/*
 * What operation `op`, a WRITE or SETXATTR in flight, must write at place `at` of its own bytes (0:
 * its first).
 */
void history_fill(const struct history *h, uint32_t op, uint64_t at, uint8_t *to, uint64_t bytes);

/* Whether any extended attribute was ever set: readers then have to tell them. */
bool history_has_xattrs(const struct history *h);

/* READDIR in flight: the listing has this entry ("." and ".." need not be told). */
void history_entry(struct history *h, uint32_t op, const char *name, uint32_t type);

/*
 * The answer came. It is checked at once against what the history allows; a wrong one is kept for
 * the judge. Returns whether it was right.
 */
bool history_end(struct history *h, uint32_t op, uint64_t now_ns,
                 const struct history_answer *answer);

/* The application died; its request in flight, if any, never gets an answer. Again: no effect. */
void history_kill(struct history *h, uint32_t app, uint64_t now_ns, enum history_death why);

/* The application came to its end by itself: a user transaction that it left open is aborted. */
void history_leave(struct history *h, uint32_t app);

/* A fault, a detection, the end of a recovery. layer: who detected, static text; else NULL. */
void history_mark(struct history *h, enum history_mark_kind kind, uint64_t now_ns,
                  const char *layer);

/* ---- An application's own invariants (invariants.h) ----------------------------------------- */

enum history_invariant {
    HISTORY_REPLACED, /* path, or path2 beside it if that is newer, is one whole version, and none
                         older than the last safe one */
    HISTORY_RECORDS,  /* path begins with all versions that are safe, each a record */
    HISTORY_TOGETHER  /* path has the first write of a version, path2 the second of the same */
};

/* The application relies on this for its file `file`, a number of its own. path2: or NULL. Again,
 * of the same file: no effect. */
void history_rely(struct history *h, uint32_t app, enum history_invariant kind, uint32_t file,
                  const char *path, const char *path2);

/* What it writes from now on is the next version of that file. */
void history_version_begin(struct history *h, uint32_t app, uint32_t file);
/* That version is complete. */
void history_version_done(struct history *h, uint32_t app);
/* All complete versions of the file were said to be stable. */
void history_versions_safe(struct history *h, uint32_t app, uint32_t file);

/* The inode that a path leads to now, in the first environment that has it; 0: none. */
uint32_t history_inode(const struct history *h, const char *path);

/*
 * What the application would find of its file by the checksums in it, as the last boot left it
 * (base.h), told by the laboratory: HISTORY_REPLACED: 1 if path2 is a whole version, and newer than
 * what path is, else 0; HISTORY_RECORDS: bytes of path up to the first record that is not whole.
 */
uint64_t history_found(const struct history *h, uint32_t app, uint32_t file);

/* Readers. Pointers hold until the next call that records something. */
uint32_t history_ops(const struct history *h);       /* highest number */
uint32_t history_setup_ops(const struct history *h); /* the last of kind HISTORY_SETUP */
const struct history_op *history_op(const struct history *h, uint32_t op);
uint32_t history_apps(const struct history *h);
uint32_t history_environments(const struct history *h);
uint32_t history_wrongs(const struct history *h); /* how many in all; the first are kept */
const struct history_wrong *history_wrong(const struct history *h, uint32_t index);

#endif
