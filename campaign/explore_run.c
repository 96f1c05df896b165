#define _GNU_SOURCE /* ppoll */
#include "campaign/explore_run.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "assertion.h"
#include "campaign/arena.h"
#include "campaign/cli.h"
#include "campaign/explore_jobs.h"
#include "campaign/explore_progress.h"
#include "campaign/explore_strike.h"
#include "campaign/progress.h"
#include "campaign/store_plan.h"
#include "campaign/worker.h"
#include "campaign/worker_fork.h"
#include "results/rows.h"

#define TICK_MS 100

/* Parts of one exploration: they are listed, some 100 bytes each. */
#define JOBS_MAX UINT64_C(4000000)

/* What a job has sent so far: whole frames. */
struct output {
    uint8_t *bytes;
    size_t used, room;
    bool ended;
};

struct explore_slot {
    pid_t pid; /* 0: none */
    int to, from;
    bool busy;
    uint64_t job; /* index */
    struct output output;
    size_t taken; /* of output: frames that were looked at */
};

struct explore_run {
    const struct plan *plan;
    const struct explore_run_options *options;
    struct explore_options explore; /* with the deadline */
    struct store *store;
    struct explore_jobs jobs;
    uint64_t next, stored;  /* handed out; stored, in order */
    struct output *outputs; /* of jobs that ended and are not stored yet */
    struct explore_slot *slots;
    uint32_t slot_count;
    struct explore_sum sum; /* of stored jobs */
    struct explore_show show;
    uint64_t defects;
    bool bounded; /* --states is reached */
    enum err failed;
    struct worker_signals signals;
};

/* ---- Storing -----------------------------------------------------------------------------------
 */

static enum err store_row(struct explore_run *run, const uint8_t *raw, size_t bytes)
{
    static struct trial_record record; /* large */
    enum err e = record_decode(&record, raw, bytes);
    ASSERT(e == OK); /* from our own worker, whole */
    return store_put(run->store, &record);
}

static enum err store_point(struct explore_run *run, const struct explore_job *job,
                            const struct explore_point *point)
{
    char name[EXPLORE_POINT_BYTES + 64];
    explore_jobs_name(job, point, name, sizeof(name));
    /* Depths that are still to come are left, though this job was not to visit them. */
    return store_put_explored(run->store, &(struct store_explored){.cell = job->cell,
                                                                   .point = name,
                                                                   .states = point->states,
                                                                   .distinct = point->distinct,
                                                                   .boots = point->boots,
                                                                   .left = point->left,
                                                                   .weakest = point->weakest,
                                                                   .broken = point->broken});
}

static enum err store_job(struct explore_run *run, uint64_t index)
{
    const struct output *o = &run->outputs[index];
    const struct explore_job *job = &run->jobs.job[index];
    struct explore_frame frame;
    enum err e = OK;
    for (size_t at = 0; at < o->used && e == OK; at += sizeof(frame) + frame.bytes) {
        struct explore_point point;
        struct explore_sum sum;
        memcpy(&frame, o->bytes + at, sizeof(frame));
        const uint8_t *payload = o->bytes + at + sizeof(frame);
        switch ((enum explore_frame_kind)frame.kind) {
        case EXPLORE_ROW:
            e = store_row(run, payload, frame.bytes);
            break;
        case EXPLORE_POINT:
            memcpy(&point, payload, sizeof(point));
            e = store_point(run, job, &point);
            break;
        case EXPLORE_PROGRESS:
            break;
        case EXPLORE_END:
            memcpy(&sum, payload, sizeof(sum));
            run->sum.points += sum.points;
            run->sum.states += sum.states;
            run->sum.boots += sum.boots;
            if (explore_jobs_is_deepest(run->plan, &run->explore,
                                        job)) /* else a later one has it */
                run->sum.left += sum.left;
            run->sum.broken += sum.broken;
            run->defects += sum.defects;
            break;
        }
    }
    return e == OK ? store_commit(run->store) : e;
}

/* Stores what has ended, as far as nothing before it is missing. */
static void store_ended(struct explore_run *run)
{
    while (run->stored < run->next && run->outputs[run->stored].ended && !run->bounded &&
           run->failed == OK) {
        run->failed = store_job(run, run->stored);
        if (run->failed != OK)
            (void)fprintf(stderr, "%s\n", store_error(run->store));
        free(run->outputs[run->stored].bytes);
        run->outputs[run->stored] = (struct output){.ended = true};
        run->stored++;
        run->show.jobs_done = run->stored;
        run->show.broken = run->sum.broken;
        run->bounded = run->explore.states != 0 && run->sum.states >= run->explore.states;
    }
}

/* ---- Workers -----------------------------------------------------------------------------------
 */

/* A fresh child: the pipes of the others are not its. */
static _Noreturn void become_worker(struct explore_run *run, uint32_t index,
                                    struct worker_pipes pipes)
{
    for (uint32_t k = 0; k < run->slot_count; k++) {
        if (run->slots[k].pid == 0)
            continue;
        (void)close(run->slots[k].to); /* else the others never see the end of their pipes */
        (void)close(run->slots[k].from);
    }
    explore_worker(run->plan, &run->explore, pipes.jobs, pipes.results, index);
}

static void start_worker(struct explore_run *run, uint32_t index)
{
    ASSERT(run->slots[index].pid == 0);
    struct worker_pipes pipes;
    pid_t child = worker_fork(&run->signals, run->store, &pipes);
    if (child == 0)
        become_worker(run, index, pipes);
    struct explore_slot *slot = &run->slots[index];
    slot->pid = child;
    slot->to = pipes.to;
    slot->from = pipes.from;
}

/* Whether another job is to be begun. */
static bool goes_on(const struct explore_run *run)
{
    bool late = run->explore.deadline_ns != 0 && progress_now_ns() >= run->explore.deadline_ns;
    return run->next < run->jobs.count && worker_signal() == 0 && !run->bounded &&
           run->failed == OK && !late;
}

static void feed(struct explore_run *run, uint32_t index)
{
    struct explore_slot *slot = &run->slots[index];
    if (!goes_on(run))
        return;
    if (slot->pid == 0)
        start_worker(run, index);
    slot->job = run->next++;
    slot->busy = true;
    slot->taken = 0;
    slot->output = (struct output){0};
    (void)!write(slot->to, &run->jobs.job[slot->job], sizeof(run->jobs.job[0]));
}

static void end_job(struct explore_run *run, uint32_t index)
{
    struct explore_slot *slot = &run->slots[index];
    slot->output.ended = true;
    run->outputs[slot->job] = slot->output;
    slot->output = (struct output){0};
    slot->busy = false;
    store_ended(run);
    feed(run, index);
}

/* The worker died: the job is lost, and told. */
static void bury(struct explore_run *run, uint32_t index)
{
    struct explore_slot *slot = &run->slots[index];
    int status = 0;
    (void)close(slot->to);
    (void)close(slot->from);
    while (waitpid(slot->pid, &status, 0) < 0)
        ASSERT(errno == EINTR);
    slot->pid = 0;
    if (!slot->busy)
        return;
    const struct explore_job *job = &run->jobs.job[slot->job];
    const struct plan_cell *c = &run->plan->cells[job->cell];
    char text[128];
    worker_status_text(status, text, sizeof(text));
    explore_show_clear(&run->show);
    (void)fprintf(stderr,
                  "loris: a defect of loris, please report it: exploring %s/%s/%s, n = %" PRIu64
                  ", depth %" PRIu32 ": %s; the others go on\n",
                  run->plan->variants[c->variant].name, run->plan->workloads[c->workload].name,
                  run->plan->faults[c->fault].name, job->n, job->to, text);
    run->defects++;
    slot->output.used = 0; /* half a job is none */
    end_job(run, index);
}

/* Looks at frames that have come whole since the last time. */
static void take_frames(struct explore_run *run, uint32_t index)
{
    struct explore_slot *slot = &run->slots[index];
    struct output *o = &slot->output;
    struct explore_frame frame;
    while (slot->busy && o->used - slot->taken >= sizeof(frame)) {
        memcpy(&frame, o->bytes + slot->taken, sizeof(frame));
        ASSERT(frame.bytes <= EXPLORE_FRAME_BYTES_MAX);
        if (o->used - slot->taken < sizeof(frame) + frame.bytes)
            return;
        if (frame.kind == EXPLORE_PROGRESS) {
            struct explore_progress p;
            memcpy(&p, o->bytes + slot->taken + sizeof(frame), sizeof(p));
            run->show.states += p.states;
            run->show.boots += p.boots;
        }
        slot->taken += sizeof(frame) + frame.bytes;
        if (frame.kind == EXPLORE_END)
            end_job(run, index); /* a worker sends nothing after it until it is fed */
    }
}

static void read_slot(struct explore_run *run, uint32_t index)
{
    struct explore_slot *slot = &run->slots[index];
    struct output *o = &slot->output;
    if (o->room - o->used < EXPLORE_FRAME_BYTES_MAX) {
        o->room = o->room * 2 + EXPLORE_FRAME_BYTES_MAX;
        o->bytes = realloc(o->bytes, o->room);
        ASSERT(o->bytes != NULL);
    }
    ssize_t got = read(slot->from, o->bytes + o->used, o->room - o->used);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got <= 0) {
        bury(run, index);
        return;
    }
    o->used += (size_t)got;
    take_frames(run, index);
}

static bool any_busy(const struct explore_run *run)
{
    for (uint32_t k = 0; k < run->slot_count; k++)
        if (run->slots[k].busy)
            return true;
    return false;
}

static void wait_once(struct explore_run *run, struct pollfd *polls, uint32_t *places)
{
    nfds_t count = 0;
    for (uint32_t k = 0; k < run->slot_count; k++) {
        if (run->slots[k].pid == 0)
            continue;
        places[count] = k;
        polls[count++] = (struct pollfd){.fd = run->slots[k].from, .events = POLLIN};
    }
    struct timespec tick = {.tv_nsec = TICK_MS * 1000000L};
    if (ppoll(polls, count, &tick, &run->signals.unblocked) > 0)
        for (nfds_t k = 0; k < count; k++)
            if (polls[k].revents != 0)
                read_slot(run, places[k]);
    explore_show_tick(&run->show);
}

static void stop_workers(struct explore_run *run)
{
    for (uint32_t k = 0; k < run->slot_count; k++) {
        struct explore_slot *slot = &run->slots[k];
        free(slot->output.bytes);
        if (slot->pid == 0)
            continue;
        if (slot->busy)
            (void)kill(slot->pid, SIGKILL);
        (void)close(slot->to);
        (void)close(slot->from);
        while (waitpid(slot->pid, NULL, 0) < 0)
            ASSERT(errno == EINTR);
    }
    free(run->slots);
}

static void run_jobs(struct explore_run *run)
{
    uint32_t workers = run->options->jobs;
    struct pollfd *polls = calloc(workers, sizeof(*polls));
    uint32_t *places = calloc(workers, sizeof(*places));
    run->slot_count = workers;
    run->slots = calloc(workers, sizeof(*run->slots));
    ASSERT(polls != NULL && places != NULL && run->slots != NULL);
    for (uint32_t k = 0; k < workers; k++)
        feed(run, k);
    while (any_busy(run) && worker_signal() == 0 && !run->bounded && run->failed == OK)
        wait_once(run, polls, places);
    stop_workers(run);
    free(polls);
    free(places);
}

/* ---- The command -------------------------------------------------------------------------------
 */

/* False, after saying so: more deaths are asked for than can be. */
static bool check_strikes(const struct plan *plan, const struct explore_options *o)
{
    for (uint32_t c = 0; c < plan->cell_count; c++)
        if (explore_jobs_wants(plan, c) && striker_takes(plan, c) && !striker_flips(plan, c) &&
            o->strikes > EXPLORE_STRIKES_MAX) {
            (void)fprintf(stderr,
                          "--depth:1:1: `%" PRIu32 "` is too deep for %s: at most %u processes "
                          "die, one after the other\n",
                          o->strikes, plan->faults[plan->cells[c].fault].name, EXPLORE_STRIKES_MAX);
            return false;
        }
    return true;
}

/* With a bound each depth by itself, so that whole depths are done first. */
static bool is_bounded(const struct explore_run *run)
{
    return run->explore.states != 0 || run->options->budget_ns != 0;
}

/* Why the selected cells of a fault plan are not explored; NULL: they are, or none is selected. */
static const char *refused_plan(const struct plan *plan, uint32_t fault)
{
    for (uint32_t c = 0; c < plan->cell_count; c++) {
        const struct plan_cell *cell = &plan->cells[c];
        if (cell->fault == fault && cell->selected && cell->skipped == NULL)
            return explore_refuses(plan, c);
    }
    return NULL;
}

/* Says which plans are not explored, and why. Returns how many cells are. */
static uint32_t tell_refused(const struct plan *plan)
{
    uint32_t explored = 0;
    for (uint32_t f = 0; f < plan->fault_count; f++) {
        const char *why = refused_plan(plan, f);
        if (why != NULL)
            (void)fprintf(stderr, "loris: not explored: */*/%s: %s\n", plan->faults[f].name, why);
    }
    for (uint32_t c = 0; c < plan->cell_count; c++)
        explored += explore_jobs_wants(plan, c);
    return explored;
}

/* States that the file says are left, of the jobs of this run that were begun at any depth. */
static enum err count_left(const struct explore_run *run, uint64_t *left)
{
    *left = 0;
    for (uint64_t k = 0; k < run->stored; k++) {
        const struct explore_job *job = &run->jobs.job[k];
        struct store_explored_sum sum;
        if (!striker_takes(run->plan, job->cell) && job->from > 0)
            continue; /* the first depth has counted the sequence */
        enum err e = explore_jobs_stored(run->store, run->plan, job, &sum);
        if (e != OK)
            return e;
        *left = sum.left > UINT64_MAX - *left ? UINT64_MAX : *left + sum.left;
    }
    return OK;
}

static int finish(struct explore_run *run)
{
    const struct explore_run_options *o = run->options;
    bool whole = run->stored == run->jobs.count && run->sum.left == 0 && run->defects == 0;
    uint64_t left = run->jobs.count - run->stored;
    if (run->failed == OK) {
        run->failed = whole ? store_finish(run->store) : store_commit(run->store);
        if (run->failed != OK)
            (void)fprintf(stderr, "%s\n", store_error(run->store));
    }
    struct store_tally tally;
    bool bounded = left > 0 || run->sum.left > 0;
    uint64_t left_states = 0;
    enum err read = store_tally(run->store, UINT32_MAX, &tally);
    if (read == OK && bounded)
        read = count_left(run, &left_states);
    if (read != OK && run->failed == OK) {
        (void)fprintf(stderr, "%s\n", store_error(run->store));
        run->failed = read;
    }
    store_close(run->store);
    if (worker_signal() != 0) {
        (void)fprintf(stderr,
                      "loris: interrupted after %" PRIu64 " of %" PRIu64
                      " parts, all kept; go on with the same command and --resume\n",
                      run->stored, run->jobs.count);
        return 128 + worker_signal();
    }
    if (bounded)
        (void)fprintf(stderr,
                      "loris: stopped at its bound: %" PRIu64 " states were covered, %" PRIu64
                      " of the points begun are left, and %" PRIu64 " of %" PRIu64
                      " parts were not begun; go on with --resume\n",
                      run->sum.states, left_states, left, run->jobs.count);
    else if (run->jobs.count > 0 && run->sum.points == 0)
        (void)fprintf(stderr,
                      "loris: nothing was explored: no run has a point that is asked for\n");
    int code = explore_print(o->out_path, o->format, stdout, stderr);
    if (run->defects > 0)
        return EXIT_DEFECT;
    if (run->failed != OK || code != EXIT_DONE)
        return EXIT_WRONG_INPUT;
    return tally.broken > 0 ? EXIT_WORSE : EXIT_DONE;
}

/* The plan, and with it what else shapes rows and points: a file has them of one such choice. */
static void make_stored(const struct plan *plan, const struct explore_options *o,
                        struct store_plan *stored)
{
    struct arena *arena = plan->arena;
    const struct store_parameter own[] = {
        {"explore", "", "depth", arena_printf(arena, "%" PRIu32, o->depth), o->depth},
        {"explore", "", "strikes", arena_printf(arena, "%" PRIu32, o->strikes), o->strikes},
        {"explore", "", "every", arena_printf(arena, "%" PRIu64, o->every), (double)o->every},
        {"explore", "", "persistence", o->persistence ? "on" : "off", o->persistence},
        {"explore", "", "keep", o->keep_all ? "all" : "broken", NAN},
        {"explore", "", "memo", o->eager ? "off" : "on", NAN},
    };
    store_plan_make(plan, stored);
    size_t count = stored->parameter_count, more = sizeof(own) / sizeof(own[0]);
    struct store_parameter *all = ARENA_ARRAY(arena, struct store_parameter, count + more);
    memcpy(all, stored->parameters, count * sizeof(*all));
    memcpy(all + count, own, sizeof(own));
    stored->parameters = all;
    stored->parameter_count = count + more;
}

int explore_campaign(const struct plan *plan, const struct explore_run_options *options)
{
    struct explore_run run = {.plan = plan, .options = options, .explore = options->explore};
    struct store_plan stored;
    char error[STORE_ERROR_BYTES];
    if (tell_refused(plan) == 0) {
        (void)fprintf(
            stderr,
            "%s:1:1: has nothing to explore; a plan of one power.cut, process.crash or memory.flip "
            "with `at: uniform` is wanted\n",
            options->request->path);
        return EXIT_WRONG_INPUT;
    }
    if (!check_strikes(plan, &options->explore))
        return EXIT_WRONG_INPUT;
    uint64_t jobs = explore_jobs_count(plan, &options->explore, is_bounded(&run));
    if (jobs > JOBS_MAX) {
        (void)fprintf(stderr,
                      "%s:1:1: has %" PRIu64 " parts to explore, with a bound those of each depth; "
                      "at most %" PRIu64 " at a time, as --shard 1/%" PRIu64 "\n",
                      options->request->path, jobs, JOBS_MAX,
                      ((jobs - 1) / JOBS_MAX + 1) * plan->shards);
        return EXIT_WRONG_INPUT;
    }
    enum store_mode mode = options->overwrite ? STORE_OVERWRITE
                           : options->resume  ? STORE_RESUME
                                              : STORE_NEW;
    make_stored(plan, &options->explore, &stored);
    worker_signals_set(&run.signals);
    if (store_open(&run.store, options->out_path, mode, &stored, error) != OK) {
        worker_signals_restore(&run.signals);
        (void)fprintf(stderr, "%s\n", error);
        return EXIT_WRONG_INPUT;
    }
    run.failed = explore_jobs_list(&run.jobs, plan, &options->explore, is_bounded(&run),
                                   options->resume ? run.store : NULL);
    if (run.failed != OK)
        (void)fprintf(stderr, "%s\n", store_error(run.store));
    run.outputs = calloc(run.jobs.count + 1, sizeof(*run.outputs));
    ASSERT(run.outputs != NULL);
    if (options->budget_ns != 0)
        run.explore.deadline_ns = progress_now_ns() + options->budget_ns;
    explore_show_begin(&run.show, options->progress, stderr, run.jobs.count);
    run_jobs(&run);
    explore_show_end(&run.show);
    int code = finish(&run);
    worker_signals_restore(&run.signals);
    for (uint64_t k = 0; k < run.jobs.count; k++)
        free(run.outputs[k].bytes);
    free(run.outputs);
    explore_jobs_free(&run.jobs);
    return code;
}
