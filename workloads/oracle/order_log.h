/*
 * What the recorder keeps of requests and answers so that they can be told again in another order
 * (order.h). Private to this folder.
 */
#ifndef LORIS_WORKLOADS_ORACLE_ORDER_LOG_H
#define LORIS_WORKLOADS_ORACLE_ORDER_LOG_H

#include "workloads/oracle/model.h"

/* The request of `op`, an entry of its listing, its answer. */
void order_keep_call(struct history *h, uint32_t op, const struct history_call *call);
void order_keep_entry(struct history *h, uint32_t op, const char *name, uint32_t type);
void order_keep_answer(struct history *h, uint32_t op, const struct history_answer *answer);

/* The bytes at a place of the log, or NULL if nothing was kept. */
const char *order_text(const struct history *h, uint32_t at);

#endif
