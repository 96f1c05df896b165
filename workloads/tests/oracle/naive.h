/*
 * The oracle once more, as plainly as the rules of its README.md say it: no paths, no inodes found
 * by content, no pruning. Histories of a few operations over a handful of names and files of four
 * cells; a state is a small table; a level is found by trying every cut and every identity of every
 * object. The test makes both judge the same and compares (test_brute_force.c).
 *
 * Shares no code with the oracle but content_fill, which makes the bytes.
 */
#ifndef LORIS_WORKLOADS_TESTS_ORACLE_NAIVE_H
#define LORIS_WORKLOADS_TESTS_ORACLE_NAIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "levels.h"
#include "workloads/oracle/history.h"

#define NAIVE_OPS 40  /* places by the history's operation number */
#define NAIVE_NAMES 6 /* 0..2 files and 3 a directory in the base, 4..5 files in it */
#define NAIVE_DIR 3
#define NAIVE_CELLS 4
#define NAIVE_APPS 3
#define NAIVE_DELTAS 256

#define CELL_ABSENT (-1)
#define CELL_ZERO 0
#define CELL_FOREIGN (-2) /* read back: nobody's bytes */
#define CELL_ERROR (-3)   /* read back: unreadable */

extern const uint64_t naive_cell[NAIVE_CELLS + 1]; /* where cells begin: block 1 is cells 2, 3 */

enum naive_kind { NAIVE_NAME, NAIVE_SIZE, NAIVE_MODE, NAIVE_BYTES };

/* What an operation does to one slot. */
struct naive_delta {
    int op;
    enum naive_kind kind;
    int object; /* NAME: inode of the directory, 0: the base; else the inode */
    int part;   /* NAME: name; BYTES: cell */
    int value;  /* inode; size in cells; mode; writer, CELL_ZERO or CELL_ABSENT */
    bool grown; /* BYTES by a write: the cell was beyond the end */
    int was;    /* SIZE: before */
    bool synced;
};

struct naive_op {
    int app;
    int begin, end; /* ticks; end 0: never */
    int place;      /* in the order that is judged: as they began, unless one was chosen */
    bool troubled, write, effective, in_flight;
};

struct naive_inode {
    int type; /* 0: none */
    int dead_op;
};

struct naive {
    struct naive_op op[NAIVE_OPS];
    struct naive_inode inode[NAIVE_OPS];
    struct naive_delta delta[NAIVE_DELTAS];
    int deltas, apps, tick, last;
};

/* What was read back. */
struct naive_object {
    int type, size, mode, nlink;
    int cell[NAIVE_CELLS];
    bool stat_error, listing_error;
};
struct naive_entry {
    int name, object; /* object: place in objects, -1: the name is absent */
    bool not_found;   /* listed, not found */
    int listed_type;
};
struct naive_tree {
    struct naive_object object[2 * NAIVE_NAMES];
    struct naive_entry entry[NAIVE_NAMES];
    bool stray; /* a name that never was is in the base, too */
    int objects;
};

struct naive_verdict {
    enum level level;
    int lost; /* answered operations that the largest cut leaves out; -1: no cut was looked for */
};

/* errors: an application that lives saw an error. */
struct naive_verdict naive_judge(const struct naive *n, const struct naive_tree *t, bool errors);

#endif
