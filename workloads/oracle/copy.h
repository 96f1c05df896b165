/*
 * Copies of histories and observations, for a laboratory that judges one execution at many places:
 * the history as it was at each, against what a boot read back once; or that reads in one process
 * what it goes on with in another.
 */
#ifndef LORIS_WORKLOADS_ORACLE_COPY_H
#define LORIS_WORKLOADS_ORACLE_COPY_H

#include <stdio.h>

#include "workloads/oracle/history.h"
#include "workloads/oracle/observe.h"

/* Makes *to, which the caller created, equal to *from. Costs what the history holds. */
void history_copy(struct history *to, const struct history *from);

/* How much was recorded: two equal answers of one history mean that nothing was between. */
uint64_t history_progress(const struct history *h);

/* Makes *to, which the caller created, equal to *from, in no more memory than that takes. */
void observation_copy(struct observation *to, const struct observation *from);

/* From one process to another that is a copy of it: all that was observed, through a stream.
 * Receiving returns false if the stream ends before that; the observation is empty then. */
void observation_send(const struct observation *o, FILE *to);
MUST_USE bool observation_receive(struct observation *o, FILE *from);

/* A digest: observations that tell the same, inode numbers included, have equal ones. */
uint64_t observation_digest(const struct observation *o);

/* Memory that a copy takes, bytes. */
uint64_t observation_bytes(const struct observation *o);

#endif
