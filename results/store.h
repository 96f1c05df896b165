/*
 * The results file: one SQLite database, one writer, any readers.
 *
 * Promises:
 *   (1) A file appears whole or not at all: it is made beside its name, with the plan in it, and
 * then linked there. So it exists only after the plan was valid. (2) Trials are stored whole, with
 * all their lists, in transactions: after kill -9 at any moment the file opens and holds all but
 * the last batch (STORE_BATCH_TRIALS, STORE_BATCH_NS). (3) A file that is not ours, is newer than
 * this build or has another writer is refused and not changed. A disk that is full costs the batch,
 * never the file. (4) The rows do not depend on the order in which trials are put.
 *
 * Every function that can fail writes one line for the user into the store's error text.
 */
#ifndef LORIS_RESULTS_STORE_H
#define LORIS_RESULTS_STORE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "errors.h"
#include "results/record.h"

#define STORE_ERROR_BYTES 4096

/* Trials and host time after which a batch is committed: what kill -9 may cost (assumptions). */
#define STORE_BATCH_TRIALS 5000
#define STORE_BATCH_NS UINT64_C(1000000000)

struct store; /* an open file that this process writes */

/* A cell of the plan: what every trial of it shares. Its index in the plan is trial_record.cell. */
struct store_cell {
    const char *variant, *workload, *fault; /* names as users see them */
    uint64_t planned;                       /* trials; 0 if skipped */
    const char *skipped;                    /* why it cannot be run, or NULL */
};

/*
 * One row of `parameters`: everything that shapes a run, so that --resume can tell that the plan is
 * the stored one. part: campaign, machine, variant, workload, fault, promise, and
 * explore: what `loris explore` was asked for. A swept value is
 * stored under the full name: {"variant", "loris@checkpoint=1s", "checkpoint", "1s", 1e9}.
 */
struct store_parameter {
    const char *part, *name, *key, *text;
    double value; /* in ns, B or 1; NAN: no number */
};

/* The valid plan of a campaign. All texts are the caller's and are copied. */
struct store_plan {
    const char *campaign;                /* its name */
    const char *question, *tags, *notes; /* or NULL; tags is a JSON map */
    const char *compare;                 /* JSON of the file's `compare`, or NULL */
    const char *yaml;                    /* the merged file */
    const char *version, *build;         /* of loris: release, and hash of the executable */
    uint64_t seed;
    const struct store_cell *cells; /* in the order of the plan, skipped ones too */
    size_t cell_count;
    const struct store_parameter *parameters;
    size_t parameter_count;
};

enum store_mode {
    STORE_NEW,       /* refuse where the file exists */
    STORE_RESUME,    /* go on; where there is none, begin */
    STORE_OVERWRITE, /* replace a results file; anything else is refused */
};

/* A row of `explored`. */
struct store_explored {
    uint32_t cell;
    const char *point; /* "write 17", ... */
    uint64_t states, distinct, boots, left;
    enum level weakest; /* LEVEL_NONE: nothing was booted */
    uint64_t broken;
};

/* What is explored of some points of a cell. */
struct store_explored_sum {
    uint64_t points, left;
};

/* How a stored trial came out: for rules that stop early. */
struct store_outcome {
    uint32_t cell;
    enum level level, promised; /* promised: LEVEL_NONE where nothing is */
    bool injected;
};
typedef void store_take_outcome(void *object, const struct store_outcome *outcome);

/* What a cell holds so far: for progress. */
struct store_tally {
    uint64_t done, injected, broken; /* broken: of the injected ones, promises not kept */
    uint64_t level[LEVEL_COUNT];     /* injected trials by level */
};

/*
 * Opens `path` for writing. Returns OK and the store, owned by the caller until store_close; or
 * E_INVAL (exit 2) with the reason in error[STORE_ERROR_BYTES], a line each, and nothing changed.
 */
MUST_USE enum err store_open(struct store **store, const char *path, enum store_mode mode,
                             const struct store_plan *plan, char *error);

/*
 * Puts a trial and its lists into the current batch. A trial that is there already is left as it is
 * (OK): the same trial gives the same row. E_INVAL: the record is no valid one, or of no cell.
 * E_FULL, E_MEDIA: the disk; the batch is lost, what was committed stays, and so does every later
 * answer.
 */
MUST_USE enum err store_put(struct store *store, const struct trial_record *record);
MUST_USE enum err store_put_explored(struct store *store, const struct store_explored *row);

/* Adds up the points of a cell whose name begins so, as "17." those of sequence 17. prefix: below
 * STORE_PREFIX_BYTES, ASCII. Errors as store_outcomes. */
#define STORE_PREFIX_BYTES 40u
MUST_USE enum err store_explored_of(struct store *store, uint32_t cell, const char *prefix,
                                    struct store_explored_sum *sum);

/* Commits the batch. Errors as store_put. */
MUST_USE enum err store_commit(struct store *store);

/* Whether this trial is stored (or in the batch). False too where the file cannot be read: every
 * later answer says so then. */
bool store_has(struct store *store, uint64_t trial);

/* Hands out the stored trials from number `first` to `last`, in that order. E_MEDIA: not all, as
 * the file cannot be read; store_error says why. */
MUST_USE enum err store_outcomes(struct store *store, uint64_t first, uint64_t last,
                                 store_take_outcome *take, void *object);

/* Adds up a cell; UINT32_MAX: all cells. Errors as store_outcomes. */
MUST_USE enum err store_tally(struct store *store, uint32_t cell, struct store_tally *tally);

/* Commits and marks the campaign as finished. Errors as store_put. */
MUST_USE enum err store_finish(struct store *store);

/*
 * To be called in a child that was forked while the store was open and that will not write: without
 * it a worker that outlives the coordinator keeps the file locked. The child must not use or close
 * the store.
 */
void store_after_fork(struct store *store);

/* The last error, a line for the user without a newline; "" if none. */
const char *store_error(const struct store *store);

/* Commits what it can, folds the write-ahead log into the file, and frees. NULL is allowed. */
void store_close(struct store *store);

/*
 * Opens a results file for reading; it may be being written. Returns OK and the connection, which
 * the caller closes with sqlite3_close; or E_INVAL and the reason. Nothing is changed.
 */
MUST_USE enum err store_open_read(sqlite3 **db, const char *path, char *error);

#endif
