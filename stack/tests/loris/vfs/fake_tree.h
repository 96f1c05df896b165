/*
 * A server of the VFS protocol in a few functions, for tests of the VFS: a tree in host memory that
 * carries each sequence out once, logs every request, and can die at its n-th one, before or after
 * it took effect.
 */
#ifndef LORIS_STACK_TESTS_VFS_FAKE_TREE_H
#define LORIS_STACK_TESTS_VFS_FAKE_TREE_H

#include "vfs.h"

#define TREE_ROOT 10u
#define TREE_SHARED 11u
#define TREE_NODES 40u
#define TREE_FILE_BYTES (4u << 20)
#define TREE_LOG 4096u

struct tree_node {
    bool used;
    uint32_t type, mode, nlink, uid, gid;
    uint64_t size, mtime_ns;
    bool kept;         /* without a name, until RELEASE */
    uint8_t xattr[64]; /* the only one */
    uint64_t xattr_bytes;
    bool has_xattr;
};

struct tree_request {
    struct vfs_request request;
    enum err answer;
    bool again; /* had been carried out before */
};

/* Two empty roots; registered as naming 0. */
void tree_init(void);

/* From now on: it dies at its n-th request (0: never), before or after carrying it out. */
void tree_die_at(uint64_t n, bool after);
/* The next `times` requests of this kind answer e and do nothing. */
void tree_fail(enum vfs_op op, enum err e, uint32_t times);
/* Answers to reads, writes and readlinks claim to have moved this much; 0: the truth. */
void tree_lie(uint64_t moved);
/* Answers to paths claim to have ended there; 0: the truth. */
void tree_stray(uint64_t moved);

/* The log since the last call of this. */
const struct tree_request *tree_log(uint32_t *count);
void tree_forget_log(void);
uint32_t tree_count(enum vfs_op op); /* in the log */

struct tree_node *tree_node(uint64_t ino); /* NULL: there is none */
uint8_t *tree_data(uint64_t ino);
uint32_t tree_nodes(void); /* that exist */

#endif
