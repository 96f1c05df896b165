/*
 * `trials: {max, half-width}`: cells that end before `max`. All open cells run STATS_LOOK trials,
 * then each is looked at: one whose always-valid interval is narrow enough has ended.
 *
 * Invariants: (1) a look reads nothing but stored trials below its end, all of which are done, so
 * that what is run depends neither on the number of workers nor on interruptions; (2) an ended cell
 * never opens again.
 */
#ifndef LORIS_CAMPAIGN_EARLY_H
#define LORIS_CAMPAIGN_EARLY_H

#include <stdbool.h>
#include <stdint.h>

#include "campaign/plan.h"
#include "results/store.h"

struct early;

/* For plans of PLAN_TRIALS_HALF_WIDTH; NULL for all others. The caller's: early_destroy. */
struct early *early_create(const struct plan *plan);
void early_destroy(struct early *early);

/* Trials of n below this may be run before the next look. */
uint64_t early_end(const struct early *early);

/* Whether the cell has not ended. */
bool early_open(const struct early *early, uint32_t cell);

/*
 * Looks at the trials up to early_end, all of which must be stored (one that was lost counts as not
 * injected), and moves on to the next. *saved: trials of this run that need not be run any more.
 * *more: there is a next. Errors as store_outcomes: nothing has ended then.
 */
MUST_USE enum err early_look(struct early *early, struct store *store, uint64_t *saved, bool *more);

#endif
