/* What the classic designs promise: see stack/promises.h, which asks here. */
#ifndef LORIS_STACK_PROMISES_CLASSIC_H
#define LORIS_STACK_PROMISES_CLASSIC_H

#include "stack/promises.h"

/* design_promise of a classic design. */
enum level classic_promise(enum design_kind kind, const struct stack_options *options,
                           enum fault_class fault, enum layer layer);

/* design_promise_combines of a classic design. */
bool classic_promise_combines(enum fault_class fault, enum layer layer);

#endif
