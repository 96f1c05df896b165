/*
 * The names of a loris pool (stack/loris/naming/FORMAT.md): part of its checker, over objects whose
 * bytes loris_check.c finds on the disks. It shares no code with the stack.
 *
 * What it demands: each directory a tree whose ranges tile and whose keys ascend, each of its
 * blocks in the tree once or in the free list once; each name leading to an inode of its type;
 * counts of names and subdirectories, parents, and objects of extended attributes that agree.
 * Inodes that nothing leads to are leaked: their blocks are counted, no damage.
 *
 * Where a directory cannot be read whole, its names are not known: then nothing is counted, as
 * readers of that directory are told.
 */
#ifndef LORIS_WORKLOADS_CHECKERS_NAMES_CHECK_H
#define LORIS_WORKLOADS_CHECKERS_NAMES_CHECK_H

#include <stddef.h>

#include "workloads/checkers/checkers.h"

struct names_object {
    uint64_t oid, size, blocks; /* blocks: stored, of one copy */
    uint8_t attr[64];
};

struct names_input {
    const struct names_object *object; /* all, in order of oid */
    size_t objects;
    void *context;
    /* Block `block` of an object, a hole as zeros; false: it cannot be read or is lost. */
    bool (*read)(void *context, uint64_t oid, uint64_t block, uint8_t raw[4096]);
    void (*damage)(void *context, uint64_t oid, const char *what); /* one broken invariant */
};

/* Returns blocks of inodes that nothing leads to. */
uint64_t names_check(const struct names_input *in);

#endif
