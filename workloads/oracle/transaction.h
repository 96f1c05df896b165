/*
 * What becomes of a user transaction's operations. Private to this folder.
 */
#ifndef LORIS_WORKLOADS_ORACLE_TRANSACTION_H
#define LORIS_WORKLOADS_ORACLE_TRANSACTION_H

#include "workloads/oracle/model.h"

/* The commit of the transaction that `begin` opened is asked for: it has all effects now. */
void transaction_gather(struct history *h, uint32_t begin, uint32_t commit);

/* The commit was answered at `tick`: what failed within ended not later. */
void transaction_ended(struct history *h, uint32_t commit, uint32_t tick);

/* The transaction is aborted: nothing of it has happened, what it opened is closed. */
void transaction_void(struct history *h, uint32_t app, uint32_t begin);

#endif
