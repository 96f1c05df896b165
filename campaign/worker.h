/*
 * A worker: a process that runs jobs in one laboratory and sends records back. The coordinator
 * forks it, so both know the plan; they talk over two pipes.
 *
 * A job is (variant, workload, n) and a list of fault plans; the fault-free run comes first, then
 * each plan. A trial that may corrupt memory runs in a child of the worker, forked after the
 * fault-free run, so nothing of it stays and the worker need not begin again.
 *
 * Coordinator -> worker: struct job_head, then `count` fault indices. End of the pipe: exit.
 * Worker -> coordinator: frames. START before whatever may die, RECORD after a trial (a record of
 * results/record.h), DEFECT if a trial's child died (a text), IDLE after the job, RETIRED before
 * the worker ends by itself because its memory may be wrong; the coordinator then forks another.
 */
#ifndef LORIS_CAMPAIGN_WORKER_H
#define LORIS_CAMPAIGN_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "campaign/plan.h"
#include "results/record.h"

#define WORKER_BASE UINT32_MAX /* in the place of a fault: the fault-free run */

/* What a worker does; the real one is campaign/trial.h, tests bring others. */
struct worker_ops {
    void *(*create)(const struct plan *plan);
    void (*destroy)(void *lab);
    void (*begin)(void *lab, uint32_t variant, uint32_t workload, uint64_t n);
    void (*trial)(void *lab, uint32_t fault, struct trial_record *record);
    bool (*must_retire)(const void *lab);
};

struct job_head {
    uint32_t variant, workload;
    uint64_t n;
    uint32_t count; /* fault indices that follow */
};

enum frame_kind { FRAME_START = 1, FRAME_RECORD, FRAME_DEFECT, FRAME_IDLE, FRAME_RETIRED };

struct frame {
    uint32_t kind;
    uint32_t fault; /* START, RECORD, DEFECT: index, or WORKER_BASE */
    uint32_t bytes; /* of what follows */
};

#define FRAME_BYTES_MAX RECORD_ENCODED_MAX

/*
 * The life of a worker process: does jobs until the pipe ends, then exits. cpu: the k-th CPU of
 * those allowed, on which it stays.
 */
_Noreturn void worker_main(const struct plan *plan, const struct worker_ops *ops, int jobs_fd,
                           int results_fd, uint32_t cpu);

/* Whether some fault of the plan can corrupt memory. */
bool worker_isolates(const struct fault_plan *plan);

/* Reads exactly `bytes`; false at the end of the pipe. */
bool worker_read_all(int fd, void *to, size_t bytes);

/* Writes all of it; if the coordinator is gone there is nothing left to do. */
void worker_write_all(int fd, const void *from, size_t bytes);

/* Stays on the k-th allowed CPU; a machine that refuses runs on without. */
void worker_pin(uint32_t k);

/* Ends the calling process when its parent (of that pid) is gone. */
void worker_die_with(int parent);

/* "signal 11 (Segmentation fault)", "exit 3" of a wait status. */
void worker_status_text(int status, char *to, size_t room);

#endif
