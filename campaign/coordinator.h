/*
 * The coordinator: hands jobs to workers, takes their records, and is the only one that writes the
 * results file. A worker that dies costs the trial it was in: a defect of loris, named on stderr;
 * all else goes on in a new worker.
 *
 * Invariants: (1) a record is stored only if it is a valid one of the trial that its worker said it
 * began; (2) when coordinator_run returns no worker is left; (3) what is stored does not depend on
 * the number of workers or on their timing.
 */
#ifndef LORIS_CAMPAIGN_COORDINATOR_H
#define LORIS_CAMPAIGN_COORDINATOR_H

#include <stdint.h>

#include "campaign/plan.h"
#include "campaign/progress.h"
#include "campaign/run.h"
#include "campaign/worker.h"
#include "results/store.h"

struct coordinator_result {
    uint64_t defects; /* trials lost to a defect of loris */
    int signal;       /* SIGINT or SIGTERM that ended the run, or 0 */
    enum err store;   /* OK, or why the store gave up */
};

/*
 * Runs all trials that the plan wants and the store lacks. replay: what replay commands on stderr
 * call the results file. Returns when all are done or it was interrupted; the store is left open.
 */
struct coordinator_result coordinator_run(const struct plan *plan, const struct worker_ops *ops,
                                          struct store *store, struct progress *progress,
                                          uint32_t workers, uint64_t host_limit_s, bool resume,
                                          const char *replay);

#endif
