/*
 * Naming on the fake platform and the fake cache, with requests as calls of a VFS.
 */
#ifndef LORIS_STACK_TESTS_NAMING_RIG_H
#define LORIS_STACK_TESTS_NAMING_RIG_H

#include "stack/tests/fake_platform.h"
#include "stack/tests/loris/naming/fake_cache.h"
#include "vfs.h"

#define ROOT OID_MEE_ROOT(0)

extern uint32_t rig_vfs;        /* endpoint */
extern uint64_t rig_sequence;   /* of the last request */
extern uint32_t rig_generation; /* of the VFS that asks */

extern uint32_t rig_raid; /* level of the pool at the next rig_start; 1 unless set */
extern uint32_t rig_policies;
extern struct raid_policy rig_policy[RAID_POLICIES_MAX]; /* its patterns; none unless set */

/* A fresh platform, an empty cache, naming formatted and ready. */
void rig_start(void);
/* The next instance of naming, after a death. */
void rig_start_naming(void);

/* One request with the given number and attempt; the names live as long as the call. False: naming
 * died. */
bool rig_ask(struct vfs_request *r, const char *name, const char *name2, void *data, size_t bytes,
             enum err *result, struct vfs_reply *reply);
/* Requests that naming answers; each with the next number. */
enum err rig_name_op(enum vfs_op op, uint64_t dir, const char *name, struct vfs_reply *reply);
enum err rig_two_names(enum vfs_op op, uint64_t dir, const char *name, uint64_t dir2,
                       const char *name2);
enum err rig_lookup(uint64_t dir, const char *name, struct vfs_stat *stat);
/* CREATE or MKDIR that must succeed. Returns the inode. */
uint64_t rig_make(enum vfs_op op, uint64_t dir, const char *name);
uint32_t rig_links(uint64_t ino);

#endif
