/*
 * The VFS on the fake platform over a tree in memory, with calls as those of an application.
 */
#ifndef LORIS_STACK_TESTS_VFS_RIG_H
#define LORIS_STACK_TESTS_VFS_RIG_H

#include "call.h"
#include "stack/tests/fake_platform.h"
#include "stack/tests/loris/vfs/fake_tree.h"

extern uint32_t rig_app;            /* an application's endpoint */
extern struct call_reply rig_reply; /* of the last call */
extern uint8_t rig_big[3 * VFS_IO_MAX], rig_back[3 * VFS_IO_MAX];

/* A VFS of this environment on the present tree. */
void rig_start_as(uint32_t environment, uint32_t incarnation);
/* A fresh platform, an empty tree, a VFS and an application. */
void rig_start(void);

/* One call of `from`; its answer is in rig_reply. */
enum err rig_call_of(uint32_t from, struct call_request r, const char *path, const char *path2,
                     void *data, uint64_t bytes);
/* Calls of rig_app. */
enum err rig_call(enum call_op op, const char *path, const char *path2);
enum err rig_open_as(uint32_t from, const char *path, uint32_t flags, int32_t *fd);
int32_t rig_must_open(const char *path, uint32_t flags);
enum err rig_on_fd(enum call_op op, int32_t fd);
enum err rig_transfer(enum call_op op, int32_t fd, uint64_t offset, void *data, uint64_t bytes);
/* Calls that must succeed. */
void rig_make(enum call_op op, const char *path);
void rig_make_file(const char *path);
uint64_t rig_ino_of(const char *path);

#endif
