/* Synthetic results files for tests: a plan of variants x faults, and records with chosen outcomes.
 */
#ifndef LORIS_RESULTS_TESTS_RIG_H
#define LORIS_RESULTS_TESTS_RIG_H

#include "results/store.h"

#define RIG_CELLS_MAX 64

struct rig {
    char dir[64];      /* a fresh folder, removed by rig_fini */
    char path[4][128]; /* names in it */
    char error[STORE_ERROR_BYTES];
    struct store_plan plan;
    struct store_cell cell[RIG_CELLS_MAX];
    struct store_parameter parameter[8];
    struct store *store;
};

/* A plan of `variants` (loris, ffs, none, ...) x one workload x `faults` (power, bit-flip, ...). */
void rig_init(struct rig *rig, unsigned variants, unsigned faults, uint64_t planned);
void rig_fini(struct rig *rig);

/* Opens rig->path[which]; the test fails with the error text if that fails. */
void rig_open(struct rig *rig, unsigned which, enum store_mode mode);
void rig_close(struct rig *rig);

/* An injected record of that place with plausible times, promised `synced`; level is the caller's.
 */
void rig_record(struct rig *rig, struct trial_record *record, uint32_t cell, uint64_t n,
                enum level level);
void rig_put(struct rig *rig, const struct trial_record *record);

/* Turns path[which] into a file of format 1, in which the undecided trial is an event. */
void rig_make_older(struct rig *rig, unsigned which, uint64_t undecided);
/* Makes a closed file one of version 2: without bytes written. */
void rig_make_version_2(struct rig *rig, unsigned which);

/* The first column of the first row of a query on path[which], as an integer. */
int64_t rig_query(struct rig *rig, unsigned which, const char *sql);

/* The test fails if `text` lacks `part`. */
void rig_has(const char *text, const char *part);

#endif
