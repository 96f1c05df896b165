/*
 * The VFS protocol: vfs -> naming, or vfs -> a classic file system. By inode, without descriptors.
 * Each request is atomic and is retried by vfs with the same sequence after the server died:
 * it takes effect once. Inode numbers are object ids on loris.
 *
 * Names travel by grant (name_grant, name_bytes; at most VFS_NAME_MAX, no '/' and no NUL in it).
 * Open descriptors matter to the server in one way: an inode unlinked while open lives on until
 * VFS_RELEASE.
 */
#ifndef LORIS_VFS_H
#define LORIS_VFS_H

#include "proto.h"

#define VFS_NAME_MAX 255u
#define VFS_PATH_MAX 4096u
#define VFS_LINK_MAX 65000u
#define VFS_SYMLINKS_MAX 8u
#define VFS_MODE_BITS 07777u
#define VFS_XATTR_BYTES_MAX 4000u /* of one value */
#define VFS_IO_MAX (1u << 20)     /* bytes of one read or write: one transaction */

enum vfs_op {
    VFS_MOUNT = 1, /* answers ino = root, ino2 = root of the shared tree (0: none) */
    VFS_LOOKUP,    /* ino, name -> stat; flag PATH: ino, path -> stat, ino2, moved (below) */
    VFS_CREATE,    /* ino, name, mode -> stat; E_EXIST */
    VFS_MKDIR,     /* ino, name, mode -> stat */
    VFS_UNLINK,    /* ino, name; flag OPEN: some descriptor has the inode ino2 open: keep it until
                      RELEASE */
    VFS_RMDIR,     /* ino, name */
    VFS_LINK,      /* ino2 = existing, ino, name */
    VFS_SYMLINK,   /* ino, name; data = target -> stat */
    VFS_READLINK,  /* ino; data -> moved */
    VFS_RENAME,  /* ino, name -> ino2, second name (name2_*); flag OPEN: the replaced inode is open
                  */
    VFS_READDIR, /* ino, offset = cookie (0 first); data <- entries; answers moved, size = next
                    cookie (0: end) */
    VFS_STAT,    /* ino -> stat */
    VFS_SETATTR, /* ino; which, mode, uid, gid, mtime_ns -> stat */
    VFS_READ,    /* ino, offset, length; data -> moved */
    VFS_WRITE, /* ino, offset, length; data -> moved, size; flag APPEND: at the end, answers offset
                  in ino2 */
    VFS_TRUNCATE, /* ino, size */
    VFS_FSYNC,    /* ino (file or directory): covers content, attributes and names up to it */
    VFS_SYNC,
    VFS_STATFS,    /* answers size = blocks, blocks = free, in BLOCK_BYTES */
    VFS_RELEASE,   /* ino: the last descriptor of an unlinked inode is closed */
    VFS_UNMOUNT,   /* orderly stop: everything stable, marked clean; later requests make it unclean
                      again */
    VFS_BEGIN,     /* outer: a user transaction; its requests bear it. E_NOTSUP; E_WAIT */
    VFS_COMMIT,    /* outer; all of it or nothing: on any error it is aborted, or still to be */
    VFS_ABORT,     /* outer; OK also if it is not open */
    VFS_FALLOCATE, /* ino, offset, length; flags KEEP_SIZE, PUNCH, ZERO; answers size: the file's */
    VFS_GETXATTR,  /* ino, name, length = room (0: size only); data -> moved, size; E_RANGE */
    VFS_SETXATTR,  /* ino, name ("loris.raid": a file's level, of a directory that of new files);
                      data  of length; flag NEW: E_EXIST */
    VFS_LISTXATTR, /* ino, length = room; data -> moved, size */
    VFS_REMOVEXATTR, /* ino, name; ino2, second name: where it was found, 0 none; E_NODATA */
    VFS_OP_COUNT
};

enum vfs_flags {
    VFS_OPEN = 1u << 0,
    VFS_APPEND = 1u << 1,
    VFS_KEEP_SIZE = 1u << 2,
    VFS_PUNCH = 1u << 3,
    VFS_ZERO = 1u << 4,
    VFS_NEW = 1u << 5,
    /* LOOKUP at naming: the name is several with slashes between, none of them a dot or dots,
     * looked up one after the other as far as they are directories. Answers OK or E_NOENT of the
     * last one looked at, in ino2 the directory that it was looked up in, in moved where it ends
     * (0: of none). */
    VFS_PATH = 1u << 6
};
enum vfs_which { VFS_SET_MODE = 1u << 0, VFS_SET_OWNER = 1u << 1, VFS_SET_MTIME = 1u << 2 };

enum vfs_type { VFS_FILE = 1, VFS_DIRECTORY = 2, VFS_LINK_TYPE = 3 };

struct vfs_stat {
    uint64_t ino, size, blocks; /* blocks of 4096 bytes that are allocated */
    uint64_t mtime_ns, ctime_ns;
    uint32_t type; /* enum vfs_type */
    uint32_t mode; /* permission bits */
    uint32_t nlink, uid, gid;
    uint32_t generation;
};

struct vfs_request {
    enum vfs_op op;
    uint32_t flags, which;
    uint64_t ino, ino2;
    uint64_t offset, length, size;
    uint64_t mtime_ns;
    uint64_t sequence;    /* per vfs instance, from 1; the same again when retried */
    uint64_t outer;       /* user transaction that it is part of, 0: none */
    uint32_t environment; /* of the vfs */
    uint32_t generation;  /* incarnation of the vfs: sequences of an earlier one are another's */
    uint32_t attempt;     /* 1, 2, ...: after K attempts naming only asks whether it was done */
    uint32_t name_grant, name_bytes, name2_grant, name2_bytes;
    uint32_t data_grant;
    uint32_t mode, uid, gid;
};

struct vfs_reply {
    struct vfs_stat stat;
    uint64_t ino2, size;
    uint64_t moved;
};

/* One entry in READDIR's data: header, then the name; entries are packed, none is split. */
struct vfs_dirent {
    uint64_t ino;
    uint64_t next; /* cookie after this entry */
    uint32_t type;
    uint32_t name_bytes;
};
#define VFS_DIRENT_BYTES 24u /* header as encoded, before the name */
void vfs_dirent_encode(uint8_t raw[VFS_DIRENT_BYTES], const struct vfs_dirent *entry);
void vfs_dirent_decode(struct vfs_dirent *entry, const uint8_t raw[VFS_DIRENT_BYTES]);

void vfs_request_pack(struct msg *m, uint32_t id, const struct vfs_request *request);
MUST_USE enum err vfs_request_unpack(struct vfs_request *request, const struct msg *m);
void vfs_reply_pack(struct msg *m, const struct vfs_reply *reply);
void vfs_reply_unpack(struct vfs_reply *reply, const struct msg *m);

#endif
