/*
 * State of one VFS: descriptors, working directories, advisory locks. All of it is lost when the
 * VFS dies, and with it the applications of its environment.
 *
 * Invariants:
 *   (1) a descriptor in use names an open file in use, and that file's references count them;
 *   (2) an inode is open iff some open file names it; an unlinked open inode is released to the
 * server when its last open file goes; (3) sequence numbers never repeat within an incarnation, so
 * that the server can tell a retried request from a new one.
 */
#ifndef LORIS_VFS_STATE_H
#define LORIS_VFS_STATE_H

#include "assertion.h"
#include "call.h"
#include "mem.h"
#include "planted.h"

#define FILES_MAX 256u
#define DESCRIPTORS_MAX 256u
#define CLIENTS_MAX 64u

/* Where a name lives: a directory, and whether it lies in the shared tree. */
struct place {
    uint64_t ino;
    bool shared;
};

struct open_file {
    uint32_t references; /* descriptors; 0: free */
    uint32_t flags;      /* enum call_flags of its open */
    uint64_t ino;
    uint64_t cursor;
    bool directory;
    bool orphan;         /* unlinked while open: release at the last close */
    bool due;            /* closed, but not released yet: the slot is taken until then */
    enum err sync_error; /* another handle's fsync was told of it, this one's was not yet */
    uint64_t opened_in, orphaned_in; /* user transaction that may take it back, 0: none */
    uint32_t locked_by;              /* endpoint that holds the advisory lock, ENDPOINT_NONE */
};

struct descriptor {
    uint32_t owner; /* endpoint; ENDPOINT_NONE: free */
    uint32_t file;
};

struct client {
    uint32_t endpoint; /* ENDPOINT_NONE: free */
    struct place cwd;
    uint64_t outer; /* its user transaction, 0: none */
    bool aborted;   /* the stack has aborted it, which the client does not know or has not ended */
};

struct vfs {
    enum layer server_layer;
    uint32_t server_instance;
    uint32_t server; /* present endpoint */
    uint32_t environment, generation;
    uint64_t sequence;
    uint32_t next_id;
    uint64_t root, shared_root;
    uint32_t uid, gid;     /* of the caller whose call is served */
    uint64_t outer;        /* the user transaction that the call is in, 0: none */
    uint32_t transactions; /* clients that have one, aborted or not */
    bool wake;             /* one has ended: calls that wait may go on */
    uint32_t parked_count;
    uint64_t retry_ns;                                /* some wait: when they are tried again */
    uint32_t files_top, descriptors_top, clients_top; /* slots at and above were never used */
    struct open_file file[FILES_MAX];
    struct descriptor descriptor[DESCRIPTORS_MAX];
    struct client client[CLIENTS_MAX];
    struct msg
        parked[CLIENTS_MAX];       /* calls that wait for a user transaction, in order of arrival */
    char path[VFS_PATH_MAX + 1];   /* what is being walked */
    char path2[VFS_PATH_MAX + 1];  /* the second path of a call */
    char target[VFS_PATH_MAX + 1]; /* text of a symbolic link */
};

/* What the last component of a path is. */
enum walk_last { LAST_NAME, LAST_ROOT, LAST_DOT, LAST_DOT_DOT };

/* The result of a walk: the parent and last name, and what is there. */
struct walked {
    enum walk_last last;
    bool slash; /* a slash follows the last component, so a directory is meant */
    struct place parent;
    const char *name;    /* in the path buffer */
    uint32_t name_bytes; /* 0 unless LAST_NAME */
    struct place found;
    enum err found_error;        /* OK, or E_NOENT: the last component does not exist */
    struct vfs_stat stat;        /* of found */
    struct vfs_stat parent_stat; /* of parent; ino 0: not read, which user 0 can do without */
};

/* server.c ------------------------------------------------------------------------------------- */

/* What goes along with a request by grant. Grants name one endpoint, so they are made anew for each
 * instance of the server. */
struct cargo {
    const char *name, *name2; /* in memory of the VFS; NULL: none */
    uint32_t name_bytes, name2_bytes;
    void *data;              /* in memory of the VFS, or: */
    uint32_t granter, grant; /* a part of an application's grant */
    size_t offset, bytes;
    uint32_t access;
};

/*
 * Sends one request to the server and waits; after its death the same request goes to the next
 * instance. Fills environment, generation, sequence, attempt and the grants. `cargo` may be NULL.
 * Returns the server's answer, except that errors which mean a sick disk are turned into E_IO.
 */
MUST_USE enum err server_call(struct vfs *v, struct vfs_request *request, const struct cargo *cargo,
                              struct vfs_reply *reply);

/* Finds the server and mounts; call once at start. */
void server_mount(struct vfs *v);

/* transactions.c: user transactions. --------------------------------------------------------------
 */

/* Before a call: finds the transaction that it is in. OK, or the answer of a call that may not be.
 */
MUST_USE enum err transaction_enter(struct vfs *v, uint32_t caller, enum call_op op);
/* After it, with its answer. */
void transaction_leave(struct vfs *v, uint32_t caller, enum err answer);
/* Keeps a call that met another's user transaction. */
void transaction_park(struct vfs *v, const struct msg *call);
/* When the VFS has to look after transactions though nobody calls. */
uint64_t transactions_deadline(const struct vfs *v);
/* Aborts those of dead clients. */
void transactions_sweep(struct vfs *v);
/* The same; whether calls that wait are to be tried again. */
bool transactions_tick(struct vfs *v);

/* walk.c --------------------------------------------------------------------------------------- */

/*
 * Copies the path behind a caller's grant into `buffer` (VFS_PATH_MAX + 1 bytes) and checks it.
 * OK; E_NOENT (empty), E_NAMETOOLONG, E_ARG (a NUL in it), E_DEAD (the caller is gone).
 */
MUST_USE enum err walk_fetch(uint32_t caller, uint32_t grant, uint32_t bytes, char *buffer);

/*
 * Walks `path` (a buffer of VFS_PATH_MAX + 1 bytes, which it may change) from `start`. follow:
 * whether a symbolic link as last component is followed. OK also when the last component does not
 * exist (found_error tells); else E_NOENT, E_NOTDIR, E_LOOP, E_NAMETOOLONG, E_IO, E_ACCES.
 */
MUST_USE enum err walk(struct vfs *v, struct place start, char *path, bool follow,
                       struct walked *out);

/* Whether this name in this directory is the mount point of the shared tree. */
bool walk_is_shared_point(const struct vfs *v, uint64_t directory, const char *name,
                          uint32_t name_bytes);

/* permissions.c: what the caller of the present call may do. User 0 may do all. ------------------
 */

enum permission { MAY_SEARCH = 1, MAY_WRITE = 2, MAY_READ = 4 };

/* OK, or E_ACCES: the mode bits do not let the caller do all of `want`. */
MUST_USE enum err permit(const struct vfs *v, const struct vfs_stat *stat, uint32_t want);
/* Whether a name may be added to the parent that a walk has found. */
MUST_USE enum err permit_new_name(const struct vfs *v, const struct walked *w);
/* Whether the name that a walk has found may go. E_PERM: the directory is sticky. */
MUST_USE enum err permit_removal(const struct vfs *v, const struct walked *w);
/* Whether the caller owns the inode; else E_PERM. */
MUST_USE enum err permit_owner(const struct vfs *v, const struct vfs_stat *stat);
/* Whether owner and group may become these; else E_PERM. */
MUST_USE enum err permit_chown(const struct vfs *v, const struct vfs_stat *stat, uint32_t uid,
                               uint32_t gid);

/* files.c -------------------------------------------------------------------------------------- */

/* The client's record, made with the root as working directory at its first call; NULL: too many.
 */
struct client *client_of(struct vfs *v, uint32_t endpoint);

/* The open file behind a descriptor of this caller, NULL if it has no such descriptor. */
struct open_file *file_of(struct vfs *v, uint32_t caller, int32_t fd);

/* Whether one more file can be opened, perhaps after what dead clients left open was closed. */
bool files_have_room(struct vfs *v);

/* A new descriptor on a new open file; E_MFILE if a table is full. */
MUST_USE enum err file_open(struct vfs *v, uint32_t caller, uint64_t ino, bool directory,
                            uint32_t flags, int32_t *fd);
MUST_USE enum err file_dup(struct vfs *v, uint32_t caller, int32_t fd, int32_t *copy);
MUST_USE enum err file_close(struct vfs *v, uint32_t caller, int32_t fd);

bool file_is_open(const struct vfs *v, uint64_t ino);
void file_mark_orphan(struct vfs *v, uint64_t ino);
/* What an fsync through this handle is to be told: each handle that was open when data of the file
 * was found lost hears of it once (V3). `e`: what the server said now. */
MUST_USE enum err file_sync_result(struct vfs *v, struct open_file *file, enum err e);
MUST_USE enum err file_lock(struct vfs *v, uint32_t caller, struct open_file *file);
void file_unlock(struct vfs *v, uint32_t caller, const struct open_file *file);

/* A user transaction has ended: what it opened and orphaned holds, or is taken back. */
void files_settle(struct vfs *v, uint64_t outer, bool committed);
/* Releases inodes whose last descriptor was closed while that was not possible. */
void files_release(struct vfs *v);

/* Closes what dead clients had open. */
void files_sweep(struct vfs *v);

/* calls_*.c: one function a call, in the table of main.c. ----------------------------------------
 */

typedef enum err call_fn(struct vfs *v, uint32_t caller, const struct call_request *in,
                         struct call_reply *out);
call_fn do_open, do_close, do_dup, do_read, do_write, do_truncate, do_fsync, do_sync, do_stat;
call_fn do_mkdir, do_rmdir, do_unlink, do_rename, do_link, do_symlink, do_readlink, do_readdir;
call_fn do_setattr, do_chdir, do_lock, do_unlock, do_statfs, do_unmount, do_transaction;
call_fn do_fallocate, do_getxattr, do_setxattr, do_listxattr, do_removexattr;

#endif
