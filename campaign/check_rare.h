/* What `loris check` says of losses too rare to be met: plans in which disks die at a rate. */
#ifndef LORIS_CAMPAIGN_CHECK_RARE_H
#define LORIS_CAMPAIGN_CHECK_RARE_H

#include "campaign/plan.h"

/*
 * Prints, for each cell to be run whose disks die at a constant rate and are replaced, by a blank
 * one that the pool takes or where none may die, and which has no spares, the mean time to a loss
 * by the textbook's chain of states and by biased cycles (results/stats_rare.h), and how many
 * losses the planned trials would meet. Of deaths of disks alone: what else strikes comes on top.
 * Nothing where no cell is such.
 */
void check_rare(const struct plan *plan);

#endif
