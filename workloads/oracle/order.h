/*
 * Orders of operations that raced for names. Private to this folder.
 *
 * What an operation does to a name hangs on what others that ran at the same time had done before
 * it. The recorder works it out once, as of its begin, which is one order of several. Where that
 * mattered (history.raced) the judge asks here for all others: an order puts each operation at one
 * moment between its begin and its answer; it counts if every answer is right in it. The history is
 * told again in that order, with the moments of begin and answer as they were, and judged.
 *
 * An answered operation has its place; one in trouble has it with or without its effects; one in
 * flight may have one, or none.
 *
 * Not every order is told, only one of each set that cannot be told apart:
 *   (1) parts of the applications that share no object (order_parts.h) are searched apart, and one
 *       order of each makes one of all. There is a moment for each operation then: in an order of a
 *       part it is the latest begin of those up to it, which is before its end;
 *   (2) what commutes with all that others do (a close, say) comes as soon as it may;
 *   (3) orders that lead to one state are followed once;
 *   (4) where an operation in flight can still come at the end it does: cuts and versions may leave
 *       it out, so what an order without it explains the order with it does, too.
 */
#ifndef LORIS_WORKLOADS_ORACLE_ORDER_H
#define LORIS_WORKLOADS_ORACLE_ORDER_H

#include "workloads/oracle/model.h"

#define ORDER_STEPS_MAX 300000u /* operations told again in one search: about 0.2 s */
#define ORDER_FOUND_MAX 256u    /* orders that are judged */

struct order; /* working memory, kept */

struct order *order_create(void);
void order_destroy(struct order *s);

/* Begins the search through a history, which must not change until its end. */
void order_begin(struct order *s, const struct history *h);

/* The next history whose answers are all right, valid until the next call; or NULL. */
const struct history *order_next(struct order *s);

/* Whether a bound ended the search before all orders were seen. */
bool order_undecided(const struct order *s);

#endif
