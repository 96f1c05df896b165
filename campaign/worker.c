#define _GNU_SOURCE /* sched_setaffinity */
#include "campaign/worker.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "assertion.h"

struct worker {
    const struct plan *plan;
    const struct worker_ops *ops;
    int jobs_fd, results_fd;
    void *lab;
    struct trial_record *record;
    uint8_t *raw;     /* RECORD_ENCODED_MAX, shared with children that run a trial */
    uint32_t *faults; /* of the job: room for all plans */
};

void worker_die_with(int parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != (pid_t)parent)
        _exit(0); /* it died before we could ask to be told */
}

void worker_status_text(int status, char *to, size_t room)
{
    if (WIFSIGNALED(status))
        (void)snprintf(to, room, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        (void)snprintf(to, room, "exit %d", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

bool worker_isolates(const struct fault_plan *plan)
{
    for (uint32_t k = 0; k < plan->count; k++)
        if (fault_corrupts_memory(plan->faults[k].kind))
            return true;
    return false;
}

bool worker_read_all(int fd, void *to, size_t bytes)
{
    uint8_t *at = to;
    while (bytes > 0) {
        ssize_t got = read(fd, at, bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        bytes -= (size_t)got;
    }
    return true;
}

void worker_write_all(int fd, const void *from, size_t bytes)
{
    const uint8_t *at = from;
    while (bytes > 0) {
        ssize_t put = write(fd, at, bytes);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            _exit(0);
        at += put;
        bytes -= (size_t)put;
    }
}

static void send_frame(struct worker *w, enum frame_kind kind, uint32_t fault, const void *bytes,
                       size_t count)
{
    ASSERT(count <= FRAME_BYTES_MAX);
    struct frame frame = {.kind = kind, .fault = fault, .bytes = (uint32_t)count};
    worker_write_all(w->results_fd, &frame, sizeof(frame));
    if (count > 0)
        worker_write_all(w->results_fd, bytes, count);
}

/* Runs the trial in this process and encodes its record; returns the bytes. */
static size_t run_trial(struct worker *w, uint32_t fault)
{
    record_init(w->record);
    w->ops->trial(w->lab, fault, w->record);
    size_t bytes = record_encode(w->record, w->raw);
    ASSERT(bytes <= RECORD_ENCODED_MAX);
    return bytes;
}

/* The same in a child, whose memory goes with it. 0 if it died; *status tells of what. */
static size_t run_isolated(struct worker *w, uint32_t fault, int *status)
{
    pid_t parent = getpid();
    memset(w->raw, 0, sizeof(uint32_t));
    pid_t child = fork();
    ASSERT(child >= 0);
    if (child == 0) {
        worker_die_with((int)parent);
        (void)run_trial(w, fault);
        _exit(0);
    }
    while (waitpid(child, status, 0) < 0)
        ASSERT(errno == EINTR);
    uint32_t follow = 0; /* an encoded record begins with the count of what follows */
    for (int k = 3; k >= 0; k--)
        follow = follow << 8 | w->raw[k];
    bool sound = WIFEXITED(*status) && WEXITSTATUS(*status) == 0 && follow > 0 &&
                 follow <= RECORD_ENCODED_MAX - sizeof(uint32_t);
    return sound ? follow + sizeof(uint32_t) : 0;
}

static void do_trial(struct worker *w, uint32_t fault)
{
    int status = 0;
    send_frame(w, FRAME_START, fault, NULL, 0);
    size_t bytes = worker_isolates(&w->plan->faults[fault]) ? run_isolated(w, fault, &status)
                                                            : run_trial(w, fault);
    if (bytes > 0) {
        send_frame(w, FRAME_RECORD, fault, w->raw, bytes);
        return;
    }
    char text[128];
    worker_status_text(status, text, sizeof(text));
    send_frame(w, FRAME_DEFECT, fault, text, strlen(text));
}

/* Does one job. False: the laboratory is not to be used again. */
static bool do_job(struct worker *w, const struct job_head *job)
{
    send_frame(w, FRAME_START, WORKER_BASE, NULL, 0);
    if (w->lab == NULL)
        w->lab = w->ops->create(w->plan);
    w->ops->begin(w->lab, job->variant, job->workload, job->n);
    for (uint32_t k = 0; k < job->count; k++) {
        do_trial(w, w->faults[k]);
        if (w->ops->must_retire(w->lab))
            return false;
    }
    return true;
}

void worker_pin(uint32_t k)
{
    cpu_set_t allowed, one;
    CPU_ZERO(&allowed);
    if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0 || CPU_COUNT(&allowed) == 0)
        return;
    k %= (uint32_t)CPU_COUNT(&allowed);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed) || k-- > 0)
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        (void)sched_setaffinity(0, sizeof(one), &one);
        return;
    }
}

_Noreturn void worker_main(const struct plan *plan, const struct worker_ops *ops, int jobs_fd,
                           int results_fd, uint32_t cpu)
{
    struct worker w = {.plan = plan, .ops = ops, .jobs_fd = jobs_fd, .results_fd = results_fd};
    w.record = calloc(1, sizeof(*w.record));
    w.faults = calloc(plan->fault_count, sizeof(*w.faults));
    w.raw =
        mmap(NULL, RECORD_ENCODED_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT(w.record != NULL && w.faults != NULL && w.raw != MAP_FAILED);
    worker_pin(cpu);
    struct job_head job;
    while (worker_read_all(jobs_fd, &job, sizeof(job))) {
        ASSERT(job.count <= plan->fault_count);
        if (!worker_read_all(jobs_fd, w.faults, job.count * sizeof(*w.faults)))
            break;
        if (!do_job(&w, &job)) {
            send_frame(&w, FRAME_RETIRED, 0, NULL, 0);
            break;
        }
        send_frame(&w, FRAME_IDLE, 0, NULL, 0);
    }
    _exit(0);
}
