/*
 * Random histories and random states for the oracle's tests: the same history is told to the oracle
 * (history.h) and to the naive reference (naive.h), the same tree to both.
 */
#ifndef LORIS_WORKLOADS_TESTS_ORACLE_RIG_H
#define LORIS_WORKLOADS_TESTS_ORACLE_RIG_H

#include "workloads/oracle/judge.h"
#include "workloads/tests/oracle/naive.h"

/* The file system as it truly is: each operation takes effect when it begins. */
struct rig_fs {
    int name[NAIVE_OPS][NAIVE_NAMES]; /* [0]: the base */
    int size[NAIVE_OPS], mode[NAIVE_OPS];
    int cell[NAIVE_OPS][NAIVE_CELLS];
};

struct rig_app {
    int op; /* in flight, or 0 */
    enum err answer;
    int fd_inode, fd_dir, fd_name;       /* the open file; fd_inode 0: none */
    int next_inode, next_dir, next_name; /* of an open in flight */
    enum history_kind kind;
    uint64_t length;
    int sync_tick;
    bool fd_inside; /* the open file was opened in the open user transaction */
};

/* One operation that was drawn: its request, and what it does. */
struct draw {
    struct history_call call;
    int name, name2; /* -1: none */
    int dir, dir2, inode;
    int first, last; /* cells of a write; size of a truncate in `first` */
};

/* What an abort goes back to. */
struct rig_before {
    struct rig_fs fs;
    struct naive_inode inode[NAIVE_OPS];
    int deltas, begin; /* begin: the operation, 0: no user transaction is open */
};

struct rig {
    uint64_t random;
    struct history *h;
    struct observation *o;
    struct naive n;
    struct rig_fs fs;
    struct rig_app app[NAIVE_APPS];
    struct naive_tree tree;
    bool shared, killed, troubled;
    bool transactions; /* one application, with user transactions */
    struct rig_before before;
    int commits;
    bool ordered;                /* in an order that was chosen: what has a place has happened */
    bool racing;                 /* requests may hang on what others do at the same time */
    struct draw draw[NAIVE_OPS]; /* of each operation */
    enum err answer[NAIVE_OPS];
};

/* A number in [0, limit). */
int rig_draw(struct rig *r, int limit);

/* A history of up to `operations` operations by up to NAIVE_APPS applications. */
void rig_history(struct rig *r, uint64_t seed, int operations);

/* Performs an operation that was drawn once more, on r->fs as it is now. Returns whether its answer
 * can be the one that it got. */
bool rig_again(struct rig *r, int op);

/*
 * The strongest level, over all orders of the operations in which their answers are right, and the
 * fewest operations lost at it: of the environments 0 (errors[0]) and, if shared, 1 the weaker.
 * *orders: how many there are; 0 leaves the verdict undefined.
 */
struct naive_verdict rig_best_order(const struct rig *r, const bool errors[2], uint32_t *orders);

/* What is read back: a cut, a mix of versions, or one of these with damage. */
void rig_tree(struct rig *r);

/* Tells the tree to r->o, once for each environment. */
void rig_observe(struct rig *r);

#endif
