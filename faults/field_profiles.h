/*
 * What the field reports of failures, as sets of faults with their rates: `{profile: NAME, over:
 * TIME}` in a campaign stands for all of them. A profile is an input; nothing here may be tuned to
 * results.
 *
 * Invariants: (1) every entry reads as a fault of a campaign; (2) each number has its source, with
 * the year, and its status: SEEN (in the paper or manual), SEEN* (in a summary or a simulator that
 * quotes it), RECALLED (an order of magnitude), DERIVED (computed from the source named).
 */
#ifndef LORIS_FAULTS_FIELD_PROFILES_H
#define LORIS_FAULTS_FIELD_PROFILES_H

#include <stdbool.h>
#include <stdint.h>

struct field_fault {
    const char *fault; /* keys of a fault as a campaign has them, without `at` */
    const char *rate;  /* of each target: a rate, or a distribution of the time between strikes */
    const char *source, *status;
};

struct field_profile {
    const char *name, *title;
    bool on_layer; /* its faults are of a layer, which the campaign has to name */
    const struct field_fault *faults;
    uint32_t count;
};

const struct field_profile *field_profile_table(uint32_t *count);
const struct field_profile *field_profile_find(const char *name);

#endif
