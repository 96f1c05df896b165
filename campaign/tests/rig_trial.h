/* A laboratory for tests: trials of a campaign that is given as text, in this process. */
#ifndef LORIS_CAMPAIGN_TESTS_RIG_TRIAL_H
#define LORIS_CAMPAIGN_TESTS_RIG_TRIAL_H

#include "campaign/trial.h"

struct rig_trial {
    struct plan *plan;
    struct lab *lab;
};

/* The test fails if the text is no sound campaign. */
void rig_trial_init(struct rig_trial *rig, const char *text);
void rig_trial_fini(struct rig_trial *rig);

#endif
