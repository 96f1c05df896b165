/*
 * The form in which a vfs_stat travels, shared by the VFS and the call protocol.
 */
#ifndef LORIS_STACK_PROTO_VFS_WIRE_H
#define LORIS_STACK_PROTO_VFS_WIRE_H

#include "vfs.h"

struct vfs_stat_wire {
    uint64_t ino, size, blocks, mtime_ns, ctime_ns;
    uint32_t type, mode, nlink, uid, gid, generation;
};
_Static_assert(sizeof(struct vfs_stat_wire) == 64, "no padding");

/* Copies every field between a stat and the bytes of its form; neither side is validated: a stat is
 * data. */
void vfs_stat_to_wire(uint8_t *raw, const struct vfs_stat *stat);
void vfs_stat_from_wire(struct vfs_stat *stat, const uint8_t *raw);

#endif
