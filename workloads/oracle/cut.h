/*
 * The search for a consistent cut that explains what an environment sees (README.md, Cuts).
 * Private to this folder.
 *
 * Each application contributes a prefix of its operations that have effects here. Applications
 * whose effects never meet are *apart*: each of their positions is judged alone, and since
 * precedence only ever asks for more of another's operations, the largest consistent choice is
 * unique and found by going down. Those whose effects meet are searched together, within
 * CUT_EVALUATIONS_MAX.
 */
#ifndef LORIS_WORKLOADS_ORACLE_CUT_H
#define LORIS_WORKLOADS_ORACLE_CUT_H

#include "workloads/oracle/sight.h"

#define CUT_EVALUATIONS_MAX                                                                        \
    20000u /* assumption: a fifth of a second, hundreds of times the usual */

enum cut_found {
    CUT_NONE,
    CUT_ANY,     /* lacks something synced */
    CUT_DURABLE, /* has all that is synced */
    CUT_FULL     /* has all that was answered OK */
};

struct cut_result {
    enum cut_found found;
    bool undecided;
    uint32_t
        position[HISTORY_APPS_MAX]; /* of the strongest cut: how many of each sequence are in */
};

/* Needs sight_init. */
void cut_search(struct judge *j, struct cut_result *result);

#endif
