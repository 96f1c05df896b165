/*
 * What holds where no cut explains the tree: each slot by itself against all values that it ever
 * had (levels `synced` and `structural`). Private to this folder.
 *
 * A name, size or attribute is right if some operation gave it that value; a block of a file if it
 * is what the block was after one of the operations on it, as a whole. It is right *and synced* if
 * no synced operation on the slot comes after that one. An inode with something synced must be
 * there, unless a later operation took its last name.
 */
#ifndef LORIS_WORKLOADS_ORACLE_VERSIONS_H
#define LORIS_WORKLOADS_ORACLE_VERSIONS_H

#include "workloads/oracle/sight.h"

struct versions_result {
    bool right;  /* every slot has a value that it once had */
    bool synced; /* and none is older than what was synced on it */
};

/*
 * Judges each slot. Needs sight_init. j->flaw gets the first slot that is wrong, else the first
 * that lacks something synced. mark: the operations whose effects are gone are set in j->lost, and
 * j->bytes_wrong grows by what no version explains.
 */
void versions_judge(struct judge *j, bool mark, struct versions_result *result);

#endif
