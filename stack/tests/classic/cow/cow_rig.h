/*
 * A `cow` on a RAM disk, with the test as its VFS.
 */
#ifndef LORIS_STACK_TESTS_CLASSIC_COW_COW_RIG_H
#define LORIS_STACK_TESTS_CLASSIC_COW_COW_RIG_H

#include "stack/tests/fake_ramdisk.h"
#include "vfs.h"
#include "workloads/checkers/cow_check.h"

struct cow_rig {
    struct ramdisk disk;
    uint32_t vfs; /* endpoint */
    uint64_t sequence;
    struct vfs_reply reply; /* of the last request */
    struct boot boot;
    bool crashed; /* the layer died instead of answering the last request */
};

/* Formats a disk of this size and mounts it. */
void cow_rig_init(struct cow_rig *rig, size_t disk_bytes, size_t cache_bytes);
void cow_rig_fini(struct cow_rig *rig);

/* Boots another instance on what is on the disk; MOUNT's status. */
enum err cow_rig_boot(struct cow_rig *rig, bool format);

/* Any request; name, data by grants made here. access: of the data's grant. A layer that dies is
 * told by rig->crashed and E_DEAD. */
enum err cow_rig_call(struct cow_rig *rig, struct vfs_request *request, const char *name,
                      const char *name2, void *data, size_t bytes, uint32_t access);

enum err cow_rig_lookup(struct cow_rig *rig, uint64_t dir, const char *name, uint64_t *ino);
/* op: CREATE, MKDIR. *ino may be NULL. */
enum err cow_rig_make(struct cow_rig *rig, enum vfs_op op, uint64_t dir, const char *name,
                      uint64_t *ino);
/* op: UNLINK, RMDIR. flags: VFS_OPEN */
enum err cow_rig_remove(struct cow_rig *rig, enum vfs_op op, uint64_t dir, const char *name,
                        uint32_t flags);
enum err cow_rig_rename(struct cow_rig *rig, uint64_t from, const char *name, uint64_t to,
                        const char *name2);
enum err cow_rig_write(struct cow_rig *rig, uint64_t ino, uint64_t offset, const void *data,
                       size_t bytes);
/* *moved: bytes that came. */
enum err cow_rig_read(struct cow_rig *rig, uint64_t ino, uint64_t offset, void *data, size_t bytes,
                      uint64_t *moved);
enum err cow_rig_plain(struct cow_rig *rig, enum vfs_op op, uint64_t ino, uint64_t size);

/* A hash of the whole visible tree: names, types, links, sizes, contents. *broken: requests that
 * failed on the way. */
uint64_t cow_rig_tree(struct cow_rig *rig, uint32_t *broken);

/* Runs the checker on the disk as it is. */
void cow_rig_check(struct cow_rig *rig, struct cow_check *out);

#endif
