#define _GNU_SOURCE /* pipe2 */
#include "campaign/worker_fork.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "assertion.h"
#include "campaign/worker.h"

static volatile sig_atomic_t caught;

static void catch_signal(int number)
{
    caught = number;
}

static void catch_child(int number)
{
    (void)number; /* it only ends the wait */
}

int worker_signal(void)
{
    return caught;
}

void worker_signals_set(struct worker_signals *s)
{
    static const int numbers[3] = {SIGINT, SIGTERM, SIGCHLD};
    sigset_t blocked;
    (void)sigemptyset(&blocked);
    caught = 0;
    for (size_t k = 0; k < 3; k++) {
        struct sigaction action = {.sa_handler = k == 2 ? catch_child : catch_signal};
        (void)sigaddset(&blocked, numbers[k]);
        (void)sigaction(numbers[k], &action, &s->old[k]);
    }
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, &s->old[3]);
    (void)sigprocmask(SIG_BLOCK, &blocked, &s->mask);
    s->unblocked = s->mask;
    for (size_t k = 0; k < 3; k++)
        (void)sigdelset(&s->unblocked, numbers[k]);
}

void worker_signals_restore(const struct worker_signals *s)
{
    static const int numbers[4] = {SIGINT, SIGTERM, SIGCHLD, SIGPIPE};
    for (size_t k = 0; k < 4; k++)
        (void)sigaction(numbers[k], &s->old[k], NULL);
    (void)sigprocmask(SIG_SETMASK, &s->mask, NULL);
}

pid_t worker_fork(const struct worker_signals *s, struct store *store, struct worker_pipes *pipes)
{
    int jobs[2], results[2];
    int failed = pipe2(jobs, O_CLOEXEC);
    ASSERT(failed == 0);
    failed = pipe2(results, O_CLOEXEC);
    ASSERT(failed == 0);
    (void)fflush(NULL); /* the child must not print what waits in our buffers */
    pid_t parent = getpid(), child = fork();
    ASSERT(child >= 0);
    bool is_child = child == 0;
    (void)close(jobs[is_child]);
    (void)close(results[!is_child]);
    *pipes = (struct worker_pipes){
        .to = jobs[1], .from = results[0], .jobs = jobs[0], .results = results[1]};
    if (!is_child)
        return child;
    worker_die_with((int)parent);
    (void)signal(SIGINT, SIG_IGN); /* the terminal sends it to all; the coordinator decides */
    (void)signal(SIGTERM, SIG_DFL);
    (void)signal(SIGCHLD, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &s->unblocked, NULL);
    store_after_fork(store);
    return 0;
}
