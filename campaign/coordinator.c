#define _GNU_SOURCE /* ppoll */
#include "campaign/coordinator.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "assertion.h"
#include "campaign/jobs.h"
#include "campaign/worker_fork.h"

#define NS_PER_S UINT64_C(1000000000)
#define TICK_MS 100      /* progress and time limits are looked at this often */
#define DEFECTS_SHOWN 20 /* lines on stderr; the rest is counted */
#define PLACE_NONE (UINT32_MAX - 1)

/* One worker process and the job it has. */
struct slot {
    pid_t pid; /* 0: none */
    int to, from;
    struct job job; /* its `faults` are those not yet answered */
    bool busy, retired, killed;
    uint32_t running;  /* fault index or WORKER_BASE: what it said it began; else PLACE_NONE */
    uint64_t since_ns; /* host time of that */
    uint8_t *buffer;   /* what came and is no whole frame yet */
    size_t used;
};

struct coordinator {
    const struct plan *plan;
    const struct worker_ops *ops;
    struct store *store;
    struct progress *progress;
    const char *replay;
    uint64_t host_limit_ns;
    struct slot *slots;
    uint32_t slot_count;
    struct jobs jobs;
    struct early *early; /* the rule by which cells end, or NULL */
    struct trial_record *record;
    struct coordinator_result result;
    struct worker_signals signals; /* the mask in which signals are taken: while waiting */
};

/* Tells of a trial that was lost. Line by line, for the first DEFECTS_SHOWN. */
static void tell_defect(struct coordinator *c, const struct job *job, uint32_t fault,
                        const char *what)
{
    const struct plan *plan = c->plan;
    uint32_t named = fault == WORKER_BASE ? job->faults[0] : fault;
    uint32_t cell = plan_cell_index(plan, job->variant, job->workload, named);
    c->result.defects += fault == WORKER_BASE ? job->count : 1;
    if (c->result.defects > DEFECTS_SHOWN)
        return;
    uint64_t trial = plan_trial_number(plan, cell, job->n);
    progress_clear(c->progress);
    (void)fprintf(stderr,
                  "loris: a defect of loris, please report it: trial %llu (%s/%s/%s/%llu)%s: %s; "
                  "the other trials go on; again: loris replay %s %llu\n",
                  (unsigned long long)trial, plan->variants[job->variant].name,
                  plan->workloads[job->workload].name, plan->faults[named].name,
                  (unsigned long long)job->n,
                  fault == WORKER_BASE ? ", in the fault-free run that it begins with" : "", what,
                  c->replay, (unsigned long long)trial);
}

/* A fresh child: the pipes of the others are not its. */
static _Noreturn void become_worker(struct coordinator *c, uint32_t index,
                                    struct worker_pipes pipes)
{
    for (uint32_t k = 0; k < c->slot_count; k++) {
        if (c->slots[k].pid == 0)
            continue;
        (void)close(c->slots[k].to); /* else the others never see the end of their pipes */
        (void)close(c->slots[k].from);
    }
    worker_main(c->plan, c->ops, pipes.jobs, pipes.results, index);
}

static void start_worker(struct coordinator *c, uint32_t index)
{
    ASSERT(c->slots[index].pid == 0);
    struct worker_pipes pipes;
    pid_t child = worker_fork(&c->signals, c->store, &pipes);
    if (child == 0)
        become_worker(c, index, pipes);
    struct slot *slot = &c->slots[index];
    slot->pid = child;
    slot->to = pipes.to;
    slot->from = pipes.from;
    slot->used = 0;
    slot->busy = slot->retired = slot->killed = false;
    slot->running = PLACE_NONE;
}

/* Sends the slot's job to its worker. A worker that died meanwhile is found by its pipe's end. */
static void send_job(struct slot *slot)
{
    struct job_head head = {slot->job.variant, slot->job.workload, slot->job.n, slot->job.count};
    ASSERT(slot->job.count > 0);
    slot->busy = true;
    slot->running = WORKER_BASE;
    slot->since_ns = progress_now_ns();
    if (write(slot->to, &head, sizeof(head)) == (ssize_t)sizeof(head))
        (void)!write(slot->to, slot->job.faults, slot->job.count * sizeof(*slot->job.faults));
}

static bool any_busy(const struct coordinator *c)
{
    for (uint32_t k = 0; k < c->slot_count; k++)
        if (c->slots[k].busy)
            return true;
    return false;
}

/* The first error of the store is told, and ends the run. */
static void note_store(struct coordinator *c, enum err e)
{
    if (e == OK || c->result.store != OK)
        return;
    progress_clear(c->progress);
    (void)fprintf(stderr, "%s\n", store_error(c->store));
    c->result.store = e;
}

/* The next new job. Where cells end early, there may be one once the others have come back. */
static bool next_job(struct coordinator *c, struct job *job)
{
    uint64_t saved = 0;
    bool more = false;
    while (!jobs_next(&c->jobs, job)) {
        if (c->early == NULL || any_busy(c))
            return false;
        note_store(c, early_look(c->early, c->store, &saved, &more));
        if (c->result.store != OK || !more)
            return false;
        ASSERT(c->progress->total >= saved);
        c->progress->total -= saved;
        jobs_go_on(&c->jobs);
    }
    return true;
}

/* Gives the slot its next job, if there is one: what is left of its last, else a new one. */
static void feed(struct coordinator *c, uint32_t index)
{
    struct slot *slot = &c->slots[index];
    if (worker_signal() != 0 || c->result.store != OK)
        return;
    if (slot->job.count == 0 && !next_job(c, &slot->job))
        return;
    if (slot->pid == 0)
        start_worker(c, index);
    send_job(slot);
}

/* Takes a fault plan off the slot's job. */
static void strike_off(struct slot *slot, uint32_t fault)
{
    for (uint32_t k = 0; k < slot->job.count; k++) {
        if (slot->job.faults[k] != fault)
            continue;
        slot->job.count--;
        memmove(slot->job.faults + k, slot->job.faults + k + 1,
                (slot->job.count - k) * sizeof(*slot->job.faults));
        return;
    }
}

/* Stores a record if it is what its worker said it would be. */
static void take_record(struct coordinator *c, struct slot *slot, uint32_t fault,
                        const uint8_t *raw, size_t bytes)
{
    uint32_t cell = plan_cell_index(c->plan, slot->job.variant, slot->job.workload, fault);
    struct trial_record *r = c->record;
    bool sound = record_decode(r, raw, bytes) == OK && r->cell == cell && r->n == slot->job.n &&
                 r->trial == plan_trial_number(c->plan, cell, slot->job.n);
    if (!sound) {
        tell_defect(c, &slot->job, fault, "its record makes no sense");
        strike_off(slot, fault);
        return;
    }
    strike_off(slot, fault);
    enum err err = store_put(c->store, r);
    note_store(c, err);
    if (err == OK)
        progress_add(c->progress, r);
}

/* Acts on one whole frame. False if it cannot be from a worker in its right mind. */
static bool take_frame(struct coordinator *c, uint32_t index, const struct frame *frame,
                       const uint8_t *payload)
{
    struct slot *slot = &c->slots[index];
    char text[256];
    bool known = frame->fault < c->plan->fault_count;
    switch ((enum frame_kind)frame->kind) {
    case FRAME_START:
        slot->running = frame->fault;
        slot->since_ns = progress_now_ns();
        return known || frame->fault == WORKER_BASE;
    case FRAME_RECORD:
        if (!known || frame->fault != slot->running)
            return false;
        take_record(c, slot, frame->fault, payload, frame->bytes);
        return true;
    case FRAME_DEFECT:
        if (!known || frame->fault != slot->running || frame->bytes >= sizeof(text))
            return false;
        memcpy(text, payload, frame->bytes);
        text[frame->bytes] = '\0';
        tell_defect(c, &slot->job, frame->fault, text);
        strike_off(slot, frame->fault);
        return true;
    case FRAME_IDLE:
        slot->running = PLACE_NONE;
        slot->busy = false;
        feed(c, index);
        return true;
    case FRAME_RETIRED:
        slot->running = PLACE_NONE;
        slot->retired = true;
        return true;
    }
    return false;
}

static void kill_slot(struct slot *slot)
{
    slot->killed = true;
    (void)kill(slot->pid, SIGKILL);
}

/* Takes the whole frames out of the slot's buffer. */
static void take_frames(struct coordinator *c, uint32_t index)
{
    struct slot *slot = &c->slots[index];
    size_t at = 0;
    struct frame frame;
    while (slot->used - at >= sizeof(frame)) {
        memcpy(&frame, slot->buffer + at, sizeof(frame));
        if (frame.bytes > FRAME_BYTES_MAX) {
            kill_slot(slot); /* its end is reported as a defect of what it was running */
            at = slot->used;
            break;
        }
        if (slot->used - at < sizeof(frame) + frame.bytes)
            break;
        if (!take_frame(c, index, &frame, slot->buffer + at + sizeof(frame))) {
            kill_slot(slot);
            at = slot->used;
            break;
        }
        at += sizeof(frame) + frame.bytes;
    }
    slot->used -= at;
    memmove(slot->buffer, slot->buffer + at, slot->used);
}

/* The worker's pipe ended: it died, or retired. What is left of its job goes on in a new one. */
static void bury(struct coordinator *c, uint32_t index)
{
    struct slot *slot = &c->slots[index];
    int status = 0;
    (void)close(slot->to);
    (void)close(slot->from);
    if (slot->killed)
        (void)kill(slot->pid, SIGKILL);
    while (waitpid(slot->pid, &status, 0) < 0)
        ASSERT(errno == EINTR);
    slot->pid = 0;
    slot->used = 0;
    bool lost = slot->busy && !slot->retired && worker_signal() == 0 && slot->running != PLACE_NONE;
    if (lost && (slot->running != WORKER_BASE || slot->job.count > 0)) {
        char text[160];
        worker_status_text(status, text, sizeof(text));
        if (slot->killed)
            (void)snprintf(text, sizeof(text),
                           "it took longer than %llu s of host time, or "
                           "answered nonsense",
                           (unsigned long long)(c->host_limit_ns / NS_PER_S));
        tell_defect(c, &slot->job, slot->running, text);
        if (slot->running == WORKER_BASE)
            slot->job.count = 0;
        else
            strike_off(slot, slot->running);
    }
    slot->busy = false;
    feed(c, index);
}

static void read_slot(struct coordinator *c, uint32_t index)
{
    struct slot *slot = &c->slots[index];
    size_t room = FRAME_BYTES_MAX + sizeof(struct frame) - slot->used;
    ASSERT(room > 0);
    ssize_t got = read(slot->from, slot->buffer + slot->used, room);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got <= 0) {
        bury(c, index);
        return;
    }
    slot->used += (size_t)got;
    take_frames(c, index);
}

static void check_limits(struct coordinator *c)
{
    uint64_t now_ns = progress_now_ns();
    for (uint32_t k = 0; k < c->slot_count; k++) {
        struct slot *slot = &c->slots[k];
        if (slot->pid != 0 && slot->busy && !slot->killed &&
            now_ns - slot->since_ns > c->host_limit_ns)
            kill_slot(slot);
    }
}

/* Waits for workers, a signal or the next tick, and acts on what came. */
static void wait_once(struct coordinator *c, struct pollfd *polls, uint32_t *places)
{
    nfds_t count = 0;
    for (uint32_t k = 0; k < c->slot_count; k++) {
        if (c->slots[k].pid == 0)
            continue;
        places[count] = k;
        polls[count++] = (struct pollfd){.fd = c->slots[k].from, .events = POLLIN};
    }
    struct timespec tick = {.tv_nsec = TICK_MS * 1000000L};
    int ready = ppoll(polls, count, &tick, &c->signals.unblocked);
    if (ready > 0)
        for (nfds_t k = 0; k < count; k++)
            if (polls[k].revents != 0)
                read_slot(c, places[k]);
    for (uint32_t k = 0; k < c->slot_count && c->early != NULL; k++)
        if (!c->slots[k].busy)
            feed(c, k); /* it had to wait for a look */
    check_limits(c);
    progress_tick(c->progress);
}

static void stop_workers(struct coordinator *c)
{
    for (uint32_t k = 0; k < c->slot_count; k++) {
        struct slot *slot = &c->slots[k];
        if (slot->pid != 0) {
            if (slot->busy)
                (void)kill(slot->pid, SIGKILL);
            (void)close(slot->to);
            (void)close(slot->from);
            while (waitpid(slot->pid, NULL, 0) < 0)
                ASSERT(errno == EINTR);
        }
        free(slot->buffer);
        free(slot->job.faults);
    }
    free(c->slots);
}

static bool have_trial(void *object, uint64_t trial)
{
    return store_has(object, trial);
}

static void make_slots(struct coordinator *c, uint32_t workers)
{
    c->slot_count = workers;
    c->slots = calloc(workers, sizeof(*c->slots));
    ASSERT(c->slots != NULL);
    for (uint32_t k = 0; k < workers; k++) {
        c->slots[k].buffer = malloc(FRAME_BYTES_MAX + sizeof(struct frame));
        c->slots[k].job.faults = calloc(c->plan->fault_count, sizeof(uint32_t));
        ASSERT(c->slots[k].buffer != NULL && c->slots[k].job.faults != NULL);
    }
}

/* A trial over calendar time is judged after each of its strikes, of which a year may have many. */
static uint64_t usual_limit_s(const struct plan *plan)
{
    uint64_t over_ns = 0;
    for (uint32_t k = 0; k < plan->fault_count; k++)
        over_ns |= fault_plan_over_ns(&plan->faults[k]);
    return over_ns == 0 ? RUN_HOST_LIMIT_S : RUN_HOST_LIMIT_CALENDAR_S;
}

struct coordinator_result coordinator_run(const struct plan *plan, const struct worker_ops *ops,
                                          struct store *store, struct progress *progress,
                                          uint32_t workers, uint64_t host_limit_s, bool resume,
                                          const char *replay)
{
    struct coordinator c = {.plan = plan, .ops = ops, .store = store, .progress = progress};
    ASSERT(workers >= 1 && workers <= RUN_JOBS_MAX);
    c.replay = replay;
    c.host_limit_ns = (host_limit_s == 0 ? usual_limit_s(plan) : host_limit_s) * NS_PER_S;
    c.record = calloc(1, sizeof(*c.record));
    struct pollfd *polls = calloc(workers, sizeof(*polls));
    uint32_t *places = calloc(workers, sizeof(*places));
    ASSERT(c.record != NULL && polls != NULL && places != NULL);
    worker_signals_set(&c.signals);
    make_slots(&c, workers);
    c.early = early_create(plan);
    jobs_begin(&c.jobs, plan, c.early, resume ? have_trial : NULL, store);
    for (uint32_t k = 0; k < workers; k++)
        feed(&c, k);
    while (any_busy(&c) && worker_signal() == 0 && c.result.store == OK)
        wait_once(&c, polls, places);
    c.result.signal = worker_signal();
    stop_workers(&c);
    early_destroy(c.early);
    worker_signals_restore(&c.signals);
    free(polls);
    free(places);
    free(c.record);
    if (c.result.defects > DEFECTS_SHOWN)
        (void)fprintf(stderr, "loris: and %llu more trials were lost to defects of loris\n",
                      (unsigned long long)(c.result.defects - DEFECTS_SHOWN));
    return c.result;
}
