/*
 * One trial of a results file, to be run again: the file, the campaign that it stores, and what it
 * says of the trial. For `loris replay` and `loris shrink`.
 */
#ifndef LORIS_CAMPAIGN_STORED_H
#define LORIS_CAMPAIGN_STORED_H

#include <sqlite3.h>
#include <stdbool.h>

#include "campaign/explore_strike.h"
#include "campaign/plan.h"
#include "sim/states.h"

struct stored {
    const char *db_path;
    sqlite3 *db;
    struct plan *plan;
    int unread; /* SQLite's code of the query that failed; within stored_open */
    uint64_t trial, n;
    uint32_t cell;
    bool present;     /* the file has the trial; else it is one that it is to have */
    uint64_t hash;    /* of the stored one */
    enum level level; /* the same */

    bool explored; /* it is a crash state that `loris explore` visited: */
    uint32_t point, disks;
    struct sim_state_disk disk[DISKS_MAX];

    uint32_t strike_count; /* deaths that `loris explore` chose, else 0 */
    struct explore_strike strikes[EXPLORE_STRIKES_MAX];
};

/*
 * Opens the file and finds the trial that a user names: a number, or variant/workload/fault/n.
 * any_build: also of a file that another build made. False after a line on stderr that says why
 * not; stored_close in either case.
 */
bool stored_open(struct stored *s, const char *db_path, const char *trial, bool any_build);
void stored_close(struct stored *s);

#endif
