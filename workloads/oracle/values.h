/*
 * What a slot may hold: the value of the last operation on it, where several may have been the last
 * because they ran at the same time, and some may not have happened at all. Private to this folder.
 */
#ifndef LORIS_WORKLOADS_ORACLE_VALUES_H
#define LORIS_WORKLOADS_ORACLE_VALUES_H

#include "workloads/oracle/range.h"

#define VALUES_MAX 24u /* assumption: more applications than that do not race for one slot */

struct value_option {
    uint64_t value;
    uint64_t partial_from; /* size of an unanswered write: block ends above this are possible too */
};

struct values {
    struct value_option option[VALUES_MAX];
    uint32_t count;
    bool more; /* there was no room for all: anything is possible */
};

struct values_query {
    const struct history *h;
    presence_fn *presence;
    const void *object;
    uint32_t newest;
    uint64_t initial; /* before any effect */
};

/* The values that the slot may hold. */
void values_list(const struct values_query *q, struct values *v);

/* Whether `value` is one of them. */
bool values_allow(const struct values *v, uint64_t value);

#endif
