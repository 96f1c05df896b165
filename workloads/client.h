/*
 * The calls of an application, as a C library would offer them: each is one message to the VFS of
 * its environment and back. Runs inside a simulated process; what it returns is what the stack
 * answered, untouched. E_DEAD: the VFS is gone, and the application with it.
 */
#ifndef LORIS_WORKLOADS_CLIENT_H
#define LORIS_WORKLOADS_CLIENT_H

#include <stdint.h>

#include "call.h"

struct client {
    uint32_t vfs; /* endpoint */
    uint32_t next_id;
    uint32_t uid, gid; /* whom the application acts for; 0 unless it says so */
};

/* Finds the VFS of `environment`, waiting for it if it is down. */
void client_init(struct client *c, uint32_t environment);

/* One directory entry as client_readdir hands it out. */
struct client_entry {
    uint64_t ino;
    uint32_t type;
    char name[VFS_NAME_MAX + 1];
};

MUST_USE enum err client_open(struct client *c, const char *path, uint32_t flags, uint32_t mode,
                              int32_t *fd, struct vfs_stat *stat);
MUST_USE enum err client_close(struct client *c, int32_t fd);
/* *moved: bytes; fewer than asked at the end of the file. */
MUST_USE enum err client_read(struct client *c, int32_t fd, uint64_t offset, void *to,
                              uint64_t bytes, uint64_t *moved);
/* *where: the place of the first byte (of use where the descriptor appends); may be NULL. */
MUST_USE enum err client_write(struct client *c, int32_t fd, uint64_t offset, const void *from,
                               uint64_t bytes, uint64_t *moved, uint64_t *where);
MUST_USE enum err client_truncate(struct client *c, const char *path, uint64_t size);
MUST_USE enum err client_fsync(struct client *c, int32_t fd);
MUST_USE enum err client_sync(struct client *c);
MUST_USE enum err client_stat(struct client *c, const char *path, struct vfs_stat *stat);
MUST_USE enum err client_mkdir(struct client *c, const char *path, uint32_t mode,
                               struct vfs_stat *stat);
MUST_USE enum err client_rmdir(struct client *c, const char *path);
MUST_USE enum err client_unlink(struct client *c, const char *path);
MUST_USE enum err client_rename(struct client *c, const char *from, const char *to);
MUST_USE enum err client_link(struct client *c, const char *existing, const char *name);
MUST_USE enum err client_symlink(struct client *c, const char *target, const char *name);
/* Writes at most `room` bytes, without an end mark; *moved: how many. */
MUST_USE enum err client_readlink(struct client *c, const char *path, char *to, uint64_t room,
                                  uint64_t *moved);
/* Fills `packed` with vfs_dirent entries from *cookie on (0: the beginning); *cookie is the next
 * one, 0 at the end. */
MUST_USE enum err client_readdir(struct client *c, int32_t fd, uint64_t *cookie, void *packed,
                                 uint64_t room, uint64_t *moved);
/* Takes the entry at *at out of what client_readdir packed and moves *at on. False: no more. */
bool client_entry_next(const uint8_t *packed, uint64_t moved, uint64_t *at,
                       struct client_entry *entry);
MUST_USE enum err client_chmod(struct client *c, const char *path, uint32_t mode);
/* CALL_KEEP_ID: stays as it is. */
MUST_USE enum err client_chown(struct client *c, const char *path, uint32_t uid, uint32_t gid);
/* flags: CALL_KEEP_SIZE, CALL_PUNCH, CALL_ZERO. */
MUST_USE enum err client_fallocate(struct client *c, int32_t fd, uint32_t flags, uint64_t offset,
                                   uint64_t length);
/* Extended attributes of what the path leads to. *size: bytes of the value, or of all names, each
 * ended by a NUL; room 0 asks for that alone. E_RANGE: no room; E_NODATA: there is none. */
MUST_USE enum err client_getxattr(struct client *c, const char *path, const char *name, void *to,
                                  uint64_t room, uint64_t *size);
MUST_USE enum err client_setxattr(struct client *c, const char *path, const char *name,
                                  const void *value, uint64_t bytes);
MUST_USE enum err client_listxattr(struct client *c, const char *path, char *to, uint64_t room,
                                   uint64_t *size);
MUST_USE enum err client_removexattr(struct client *c, const char *path, const char *name);
MUST_USE enum err client_statfs(struct client *c, uint64_t *blocks, uint64_t *available);
MUST_USE enum err client_unmount(struct client *c);

/* A user transaction: the calls between are in it. */
MUST_USE enum err client_begin(struct client *c);
MUST_USE enum err client_commit(struct client *c);
MUST_USE enum err client_abort(struct client *c);

/* Pauses the calling process. */
void client_sleep(uint64_t ns);

#endif
