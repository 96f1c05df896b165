/*
 * A plan as the results file stores it, and the identity of this build.
 */
#ifndef LORIS_CAMPAIGN_STORE_PLAN_H
#define LORIS_CAMPAIGN_STORE_PLAN_H

#include "campaign/plan.h"
#include "results/store.h"

#define LORIS_VERSION "0.1.0"

/* Fills *out, whose texts and lists live in the plan's arena. */
void store_plan_make(const struct plan *plan, struct store_plan *out);

/* 16 hex digits: a hash of the running executable, computed once. Static text. */
const char *build_id(void);

#endif
