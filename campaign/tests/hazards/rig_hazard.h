/*
 * Walks for tests of hazards (stack/loris/INVARIANTS.md): the same trial again and again, with the
 * number at which one of its faults strikes moved on from walk to walk, so that a cut, a death or a
 * lost disk meets every place instead of a sample of them.
 *
 * In a build with LORIS_PLANTED all trials run with the defect that LORIS_PLANT names: then the
 * test is to fail (scripts/check/planted.sh).
 */
#ifndef LORIS_CAMPAIGN_TESTS_HAZARDS_RIG_HAZARD_H
#define LORIS_CAMPAIGN_TESTS_HAZARDS_RIG_HAZARD_H

#include "campaign/tests/rig_trial.h"
#include "results/record.h"

struct hazard_walk {
    const char *cell;     /* variant/workload/plan */
    uint32_t entry;       /* fault of the plan whose number walks */
    uint64_t first;       /* its first value; 0: 1 */
    uint64_t step;        /* 0: 1 */
    uint64_t last;        /* 0: until it comes no more, which must be before `most` walks */
    uint64_t most;        /* walks */
    uint64_t trials;      /* n = 0 .. trials - 1 at each place: other draws, other subsets; 0: 1 */
    enum level weakest;   /* that a trial may be left with */
    uint64_t whole_above; /* in more trials than this all faults of the plan must have come */
    bool whole;           /* in all of them */
};

struct hazard_tally {
    uint64_t places, trials, whole; /* whole: all faults of the plan took effect */
    uint64_t level[LEVEL_COUNT];
    uint64_t detected; /* trials in which some layer noticed */
};

/* The test fails if the text is no sound campaign. */
void hazard_init(struct rig_trial *rig, const char *text);

/* Fails the test with the place and the story of the first trial that is weaker than `weakest`. */
struct hazard_tally hazard_walk(struct rig_trial *rig, const struct hazard_walk *walk);

/* One trial of a cell, as it stands in the text. */
void hazard_trial(struct rig_trial *rig, const char *cell, uint64_t n, struct trial_record *record);

#define HAZARD_TIMEOUT_S 300

#endif
