/*
 * Random histories of applications that race, beside others that they never touch, with user
 * transactions, errors and a power cut; each with an order that it truly had, and what was read
 * back. What is in an order is told by the oracle's own world (order_world.h): they are for tests
 * of the search for orders, not of the rules.
 */
#ifndef LORIS_WORKLOADS_TESTS_ORACLE_RACES_H
#define LORIS_WORKLOADS_TESTS_ORACLE_RACES_H

#include "workloads/oracle/judge.h"
#include "workloads/oracle/order_world.h"

#define RACES_APPS 4
#define RACES_OPS 400 /* of all applications, at most */

struct races_app {
    uint32_t op; /* in flight, or 0 */
    bool happened, fails;
    struct history_answer answer;
    struct history_stat stat;
    struct history_call call;
    uint32_t listing;  /* directory whose listing is the answer, or 0 */
    bool open;         /* its descriptor */
    bool inside;       /* a user transaction is open */
    uint32_t names[2]; /* two sets of names that it uses, or one twice; 0: those of all */
};

struct races {
    uint64_t random;
    struct history *h;     /* as recorded */
    struct history *truth; /* as it happened, one operation after the other */
    struct world world;
    struct observation *o;
    struct races_app app[RACES_APPS];
    uint32_t apps, environments;
    struct step step[RACES_OPS + 1]; /* the true order */
    uint32_t steps;
    uint32_t ops[RACES_OPS + 1], op_count; /* all numbers, of the applications */
    bool killed, troubled, transactions;
    uint32_t kept; /* of `step`, that the tree shows */
    bool damaged;  /* the tree shows something that never was */
};

void races_open(struct races *r);
void races_close(struct races *r);

/* A history of up to `operations` operations, and the tree of a prefix of its true order. */
void races_draw(struct races *r, uint64_t seed, uint32_t operations);

#endif
