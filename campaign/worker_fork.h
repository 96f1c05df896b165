/*
 * What the coordinators of trials and of explorations have in common: children between two pipes,
 * and signals that are taken only while they wait (ppoll), so that nothing is half done then.
 */
#ifndef LORIS_CAMPAIGN_WORKER_FORK_H
#define LORIS_CAMPAIGN_WORKER_FORK_H

#include <signal.h>
#include <sys/types.h>

#include "results/store.h"

struct worker_signals {
    struct sigaction old[4];
    sigset_t mask;      /* as it was */
    sigset_t unblocked; /* for ppoll and for children */
};

/* Blocks SIGINT, SIGTERM and SIGCHLD, which are noted when they come, and ignores SIGPIPE: a dead
 * worker is found by its other pipe. Forgets what came before. One at a time in a process. */
void worker_signals_set(struct worker_signals *s);
void worker_signals_restore(const struct worker_signals *s);

/* The SIGINT or SIGTERM that came since, or 0. */
int worker_signal(void);

/* The pipes of a child: `to` writes to its jobs, `from` reads its results; in the child itself
 * `jobs` and `results`. */
struct worker_pipes {
    int to, from, jobs, results;
};

/* Forks. In the child it returns 0, and the child dies with its parent, takes signals as a worker
 * does, and leaves the store alone; else the child's number. Only the own ends are open. */
pid_t worker_fork(const struct worker_signals *s, struct store *store, struct worker_pipes *pipes);

#endif
