/*
 * Which probes of the stacks' code the trials of a file reached: what a campaign never exercised.
 *
 * A file keeps them as places in this build's list, marked with a sum of its names: rows of a build
 * with another list say nothing here.
 */
#ifndef LORIS_RESULTS_REACHED_H
#define LORIS_RESULTS_REACHED_H

#include <stdint.h>

#include "probes.h"

/* The sum of all names in their order; the `bucket` of their rows. */
int32_t reached_sum(void);

/* Name and what has just happened there; static texts. */
const char *reached_name(enum probe probe);
const char *reached_about(enum probe probe);

#endif
