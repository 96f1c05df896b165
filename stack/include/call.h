/*
 * The calls of applications: app -> vfs, by path or descriptor. Each carries whom the application
 * acts for; user 0 may do anything. Paths are relative to the caller's
 * root ("mail/inbox"; a leading slash changes nothing), and pass by grant. "shared" in the root is
 * the shared tree. One call at a time a process. Errors are those of the name space (E_NOENT ...,
 * E_IO).
 */
#ifndef LORIS_CALL_H
#define LORIS_CALL_H

#include "vfs.h"

enum call_op {
    CALL_OPEN = 1, /* path, flags, mode -> fd */
    CALL_CLOSE,    /* fd */
    CALL_DUP,      /* fd -> fd */
    CALL_READ, /* fd, offset, length; data -> moved.  offset CALL_AT_CURSOR: the descriptor's own */
    CALL_WRITE,    /* fd, offset, length; data -> moved; ino2 = where the first byte went */
    CALL_TRUNCATE, /* fd, or path if fd is -1; size */
    CALL_FSYNC,    /* fd */
    CALL_SYNC,
    CALL_STAT, /* path, or fd if path_bytes is 0 -> stat; the last component is not followed */
    CALL_MKDIR,
    CALL_RMDIR,
    CALL_UNLINK,
    CALL_RENAME,   /* path, path2 */
    CALL_LINK,     /* path existing, path2 new */
    CALL_SYMLINK,  /* path2 = new name, path = target text */
    CALL_READLINK, /* path; data -> moved */
    CALL_READDIR,  /* fd of a directory, offset = cookie; data <- vfs_dirent entries; moved, size =
                      next cookie */
    CALL_CHMOD,
    CALL_CHOWN,
    CALL_UTIMENS, /* path; mode | uid, gid (CALL_KEEP_ID: as it is) | mtime_ns */
    CALL_CHDIR,   /* path */
    CALL_LOCK,
    CALL_UNLOCK,  /* fd: advisory, whole file, exclusive; E_AGAIN if held */
    CALL_STATFS,  /* size = blocks, ino2 = free */
    CALL_UNMOUNT, /* orderly stop of what this VFS has mounted */
    CALL_BEGIN,   /* a user transaction: the caller's calls are in it until it ends; E_NOTSUP */
    CALL_COMMIT,  /* any error: nothing of it has happened */
    CALL_ABORT,   /* E_ABORT: the stack has aborted it; so says every call until one of these two */
    CALL_FALLOCATE, /* fd, offset, length: room for the range is taken, the file grown to its end.
                       Flags: KEEP_SIZE: it does not grow; PUNCH: the range becomes a hole (does
                       not grow); ZERO: it becomes zeros that have their room */
    CALL_GETXATTR,  /* path, path2 = name, length = room; data -> moved, size; room 0: size only */
    CALL_SETXATTR,  /* path, path2 = name, data of length; flag EXCLUSIVE: E_EXIST if it is there */
    CALL_LISTXATTR, /* path, length = room; data -> names, each ended by a NUL; moved, size */
    CALL_REMOVEXATTR, /* path, path2 = name; E_NODATA */
    CALL_OP_COUNT
};

enum call_flags {
    CALL_CREATE = 1u << 0,
    CALL_EXCLUSIVE = 1u << 1,
    CALL_TRUNC = 1u << 2,
    CALL_APPEND = 1u << 3,
    CALL_READ_ONLY = 1u << 4,
    CALL_DIRECTORY = 1u << 5, /* E_NOTDIR if it is none */
    CALL_KEEP_SIZE = 1u << 6, /* this and the next two: FALLOCATE */
    CALL_PUNCH = 1u << 7,
    CALL_ZERO = 1u << 8,
};
#define CALL_AT_CURSOR UINT64_MAX
#define CALL_KEEP_ID UINT32_MAX

struct call_request {
    enum call_op op;
    uint32_t flags;
    int32_t fd;
    uint32_t mode;
    uint32_t uid, gid;               /* CHOWN */
    uint32_t caller_uid, caller_gid; /* whom the caller acts for; owner of what it makes */
    uint32_t path_grant, path_bytes, path2_grant, path2_bytes;
    uint32_t data_grant;
    uint64_t offset, length, size, mtime_ns;
};

struct call_reply {
    int32_t fd;
    uint64_t moved, size, ino2;
    struct vfs_stat stat;
};

void call_request_pack(struct msg *m, uint32_t id, const struct call_request *request);
MUST_USE enum err call_request_unpack(struct call_request *request, const struct msg *m);
void call_reply_pack(struct msg *m, const struct call_reply *reply);
void call_reply_unpack(struct call_reply *reply, const struct msg *m);

#endif
