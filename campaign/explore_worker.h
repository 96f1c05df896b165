/*
 * The workers of an exploration: processes that run jobs in a laboratory each. The coordinator
 * forks them, so both know plan and options; they talk over two pipes.
 *
 * Coordinator -> worker: struct explore_job. End of the pipe: exit. Worker -> coordinator: frames,
 * of a job first rows and points in order, PROGRESS between them, at last END with the sum.
 */
#ifndef LORIS_CAMPAIGN_EXPLORE_WORKER_H
#define LORIS_CAMPAIGN_EXPLORE_WORKER_H

#include "campaign/explore.h"

struct explore_job {
    uint32_t cell, from, to; /* depths; or how many deaths */
    uint32_t part;           /* of deaths: the program that dies first */
    uint64_t n;
};

enum explore_frame_kind {
    EXPLORE_ROW = 1,  /* a record of results/record.h */
    EXPLORE_POINT,    /* struct explore_point */
    EXPLORE_PROGRESS, /* struct explore_progress */
    EXPLORE_END,      /* struct explore_sum */
};

struct explore_frame {
    uint32_t kind, bytes; /* bytes: of what follows */
};

struct explore_progress {
    uint64_t states, boots;
};

#define EXPLORE_FRAME_BYTES_MAX RECORD_ENCODED_MAX

/* The life of a worker process. cpu: as worker_main. */
_Noreturn void explore_worker(const struct plan *plan, const struct explore_options *options,
                              int jobs_fd, int results_fd, uint32_t cpu);

#endif
