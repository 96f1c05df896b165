/*
 * A `none` on a RAM disk, with the test as its VFS; or another design of layout C.
 */
#ifndef LORIS_STACK_TESTS_CLASSIC_NONE_NONE_RIG_H
#define LORIS_STACK_TESTS_CLASSIC_NONE_NONE_RIG_H

#include "stack/tests/fake_ramdisk.h"
#include "vfs.h"
#include "workloads/checkers/none_check.h"

struct none_rig {
    struct ramdisk disk;
    struct ramdisk log; /* of a design that has its log on a disk of its own */
    uint32_t vfs;       /* endpoint */
    uint64_t sequence;
    uint64_t outer;         /* user transaction that requests are in, 0: none */
    struct vfs_reply reply; /* of the last request */
    struct boot boot;
    program_main *program;
};

/* Formats a disk of this size and mounts it. */
void none_rig_init(struct none_rig *rig, size_t disk_bytes, size_t cache_bytes);
/* The same with another program. options: disks, environments, cache and sync are filled here. */
void none_rig_init_as(struct none_rig *rig, program_main *program,
                      const struct stack_options *options, size_t disk_bytes, size_t cache_bytes);
void none_rig_fini(struct none_rig *rig);

/* Boots another instance on what is on the disk. `orderly`: after an unmount. */
void none_rig_reboot(struct none_rig *rig, bool orderly);

/* Boots without formatting; MOUNT's status. */
enum err none_rig_boot(struct none_rig *rig, bool format);

/* Any request; name, data by grants made here. access: of the data's grant. */
enum err none_rig_call(struct none_rig *rig, struct vfs_request *request, const char *name,
                       const char *name2, void *data, size_t bytes, uint32_t access);

enum err none_rig_lookup(struct none_rig *rig, uint64_t dir, const char *name);
/* op: CREATE, MKDIR. *ino may be NULL. */
enum err none_rig_make(struct none_rig *rig, enum vfs_op op, uint64_t dir, const char *name,
                       uint64_t *ino);
/* op: UNLINK, RMDIR. */
enum err none_rig_remove(struct none_rig *rig, enum vfs_op op, uint64_t dir, const char *name);
enum err none_rig_rename(struct none_rig *rig, uint64_t from, const char *name, uint64_t to,
                         const char *name2);
enum err none_rig_write(struct none_rig *rig, uint64_t ino, uint64_t offset, const void *data,
                        size_t bytes);
/* *moved: bytes that came. */
enum err none_rig_read(struct none_rig *rig, uint64_t ino, uint64_t offset, void *data,
                       size_t bytes, uint64_t *moved);
enum err none_rig_plain(struct none_rig *rig, enum vfs_op op, uint64_t ino, uint64_t size);

/* Runs the checker on the disk as it is. */
void none_rig_check(struct none_rig *rig, struct none_check *out);

/* Unmounts; then the checker must find neither damage nor a leak. */
void none_rig_expect_sound(struct none_rig *rig);

#endif
