#include "campaign/explore_strike.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "assertion.h"
#include "campaign/explore_flip.h"
#include "campaign/progress.h" /* host time, for the deadline only */
#include "campaign/run.h"
#include "campaign/trial_private.h"
#include "campaign/worker.h"

/* A stretch of blocks of one process, or a class of bits. */
struct stretch {
    struct explore_strike at; /* what stands for it */
    uint32_t program;         /* its place in the list */
    uint32_t number;          /* among those of the program, from 1 */
    uint64_t blocks;          /* or bits */
};

/* The stretches of one run, in which the next strike may come. */
struct window {
    struct stretch *stretch;
    uint32_t count, room;
};

struct striker {
    struct lab *lab;
    const struct plan *plan;
    const struct explore_options *options;
    const struct explore_sink *sink;
    uint32_t cell, part;
    uint64_t n;
    uint32_t recorded; /* window[0] is of this cell, NO_FAULT: of none, */
    uint64_t recorded_n;

    bool watching;                         /* the run at hand is recorded, and has begun */
    uint32_t level;                        /* strikes that precede its window */
    bool from_mark;                        /* app `bounded`: what is before its mark is set-up */
    struct window *filled;                 /* by the run at hand */
    uint64_t last[SIM_PROCESSES_MAX];      /* of each program: the block at its last edge */
    uint32_t stretches[SIM_PROCESSES_MAX]; /* the same: in `filled` */
    uint32_t flipped;                      /* the program whose memory is looked at */
    uint64_t requests[DISKS_MAX];          /* since time 0 */
    struct window window[EXPLORE_STRIKES_MAX];

    struct explore_strike strikes[EXPLORE_STRIKES_MAX]; /* of the trial at hand */
    uint32_t from, to;
    struct explore_point point[EXPLORE_STRIKES_MAX];
    uint64_t rows[EXPLORE_STRIKES_MAX];
    struct explore_sum sum;
    struct trial_record *shared; /* with a child in which a trial runs */
    bool late;
};

_Static_assert(STRIKE_LEVEL_ROWS <= EXPLORE_DEPTHS * EXPLORE_ROWS / EXPLORE_STRIKES_MAX,
               "rows of one job do not reach into the next");

struct striker *striker_create(struct lab *lab, const struct plan *plan)
{
    struct striker *s = calloc(1, sizeof(*s));
    ASSERT(s != NULL && lab != NULL && plan != NULL);
    s->lab = lab;
    s->plan = plan;
    s->recorded = NO_FAULT;
    s->shared =
        mmap(NULL, sizeof(*s->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT(s->shared != MAP_FAILED);
    return s;
}

void striker_destroy(struct striker *s)
{
    if (s == NULL)
        return;
    for (uint32_t l = 0; l < EXPLORE_STRIKES_MAX; l++)
        free(s->window[l].stretch);
    (void)munmap(s->shared, sizeof(*s->shared));
    free(s);
}

/* ---- Which cells, which processes --------------------------------------------------------------
 */

bool striker_takes(const struct plan *plan, uint32_t cell)
{
    const struct fault_plan *faults = &plan->faults[plan->cells[cell].fault];
    if (faults->count == 0)
        return false;
    enum fault_kind kind = faults->faults[0].kind;
    return kind == FAULT_PROCESS_CRASH || kind == FAULT_MEMORY_FLIP ||
           (kind == FAULT_POWER_CUT &&
            faults->count > 1); /* alone it has all states of the disks */
}

bool striker_flips(const struct plan *plan, uint32_t cell)
{
    const struct fault_plan *faults = &plan->faults[plan->cells[cell].fault];
    return faults->count > 0 && faults->faults[0].kind == FAULT_MEMORY_FLIP;
}

static bool is_first(const struct fault *f)
{
    const struct fault_when *at = &f->at;
    if (at->kind == FAULT_AT_UNIFORM)
        return true;
    bool counts = at->kind == FAULT_AT_BLOCK || at->kind == FAULT_AT_MESSAGE;
    if (f->kind == FAULT_POWER_CUT)
        return false;
    return counts && at->layer == f->layer && at->number.kind == AMOUNT_UNIFORM;
}

static bool is_later(const struct fault *f)
{
    return f->at.kind == FAULT_AT_RECOVERY && f->at.number.kind == AMOUNT_UNIFORM;
}

const char *striker_refuses(const struct plan *plan, uint32_t cell)
{
    const struct fault_plan *faults = &plan->faults[plan->cells[cell].fault];
    if (striker_flips(plan, cell))
        return explore_flip_refuses(faults);
    if (faults->count > EXPLORE_STRIKES_MAX)
        return "explore takes three strikes at most";
    for (uint32_t i = 0; i < faults->count; i++) {
        const struct fault *f = &faults->faults[i];
        bool cut = f->kind == FAULT_POWER_CUT;
        if (f->kind != FAULT_PROCESS_CRASH && !cut)
            return "explore takes power.cut, process.crash and memory.flip only";
        if (cut && f->chosen != NULL)
            return "its crash state is chosen already";
        if (f->repeat_same_request || !amount_is(&f->repeat, 1))
            return "explore takes processes that die once";
        if (f->instance.kind == FAULT_TARGET_ALL)
            return "explore takes one instance at a time";
        if (i == 0 && !is_first(f))
            return "explore takes `uniform` moments only";
        if (i > 0 && !is_later(f))
            return "explore takes further strikes at {recovery: uniform}";
    }
    return NULL;
}

/* Whether fault f may strike this program. `any` draws from members, not from spares. */
static bool aims_at(const struct plan_variant *v, const struct fault *f,
                    const struct sim_program *p)
{
    if (p->layer != f->layer)
        return false;
    if (f->instance.kind == FAULT_TARGET_INDEX)
        return p->instance == f->instance.index;
    bool of_disk = p->layer == LAYER_DRIVER || p->layer == LAYER_PHYSICAL;
    return !of_disk || p->instance < v->stack.disks - v->stack.spares;
}

bool striker_has_part(const struct plan *plan, uint32_t cell, uint32_t part, uint32_t *parts)
{
    struct sim_program list[SIM_PROCESSES_MAX];
    const struct plan_cell *c = &plan->cells[cell];
    const struct plan_variant *v = &plan->variants[c->variant];
    *parts = design_programs(v->design, &v->stack, list);
    if (plan->faults[c->fault].faults[0].kind == FAULT_POWER_CUT)
        *parts = 1;
    const struct fault *f = &plan->faults[c->fault].faults[0];
    return part < *parts && (f->kind == FAULT_POWER_CUT || aims_at(v, f, &list[part]));
}

uint32_t striker_levels(const struct plan *plan, uint32_t cell)
{
    return plan->faults[plan->cells[cell].fault].count;
}

/* What the plan says of strike `level`; NULL: nothing, any process may be struck. */
static const struct fault *planned(const struct plan *plan, uint32_t cell, uint32_t level)
{
    const struct fault_plan *faults = &plan->faults[plan->cells[cell].fault];
    return level < faults->count ? &faults->faults[level] : NULL;
}

bool striker_can(const struct plan *plan, uint32_t cell, uint32_t level,
                 const struct explore_strike *strike)
{
    struct sim_program list[SIM_PROCESSES_MAX];
    const struct plan_variant *v = &plan->variants[plan->cells[cell].variant];
    const struct fault *f = planned(plan, cell, level);
    uint32_t count = design_programs(v->design, &v->stack, list);
    bool has = false;
    for (uint32_t p = 0; p < count; p++)
        has = has || (list[p].layer == strike->layer && list[p].instance == strike->instance);
    if (strike->block > AMOUNT_MAX || strike->pass > AMOUNT_MAX)
        return false;
    if (f != NULL && f->kind == FAULT_POWER_CUT)
        return strike->layer == LAYER_NONE && strike->instance < v->stack.disks &&
               strike->block >= 1;
    if (f != NULL && f->kind == FAULT_MEMORY_FLIP)
        return has && strike->block == 0 && strike->probe < PROBE_COUNT && strike->pass >= 1 &&
               strike->region != FAULT_REGION_ANY && strike->word < 8 && strike->bit < 64;
    return has && strike->block >= 1;
}

/* ---- Recording the stretches of a run ----------------------------------------------------------
 */

static void on_start(void *context, uint32_t apps)
{
    struct striker *s = context;
    (void)apps;
    s->watching = true;
    s->filled->count = 0;
    memset(s->last, 0, sizeof(s->last)); /* counters start anew now */
    memset(s->stretches, 0, sizeof(s->stretches));
    memset(s->requests, 0, sizeof(s->requests));
}

static void on_call(void *context, uint32_t app, uint64_t now_ns, const struct history_call *call)
{
    (void)context, (void)app, (void)now_ns, (void)call;
}

static void on_answer(void *context, uint32_t app, uint64_t now_ns, const struct history_call *call,
                      const struct history_answer *answer)
{
    (void)context, (void)app, (void)now_ns, (void)call, (void)answer;
}

/* Whether the next strike may come now: after the first from detection to full service. */
static bool in_window(const struct striker *s)
{
    const struct run_state *run = &s->lab->run;
    if (!s->watching || run->judging)
        return false;
    if (s->level == 0)
        return !s->from_mark || s->lab->work.marks > 0;
    return run->last_struck == s->level - 1 && !run->undetected && !run->in_service;
}

static void add(struct striker *s, uint32_t program, const struct explore_strike *at,
                uint64_t blocks)
{
    struct window *w = s->filled;
    if (w->count == w->room) {
        w->room = w->room == 0 ? 256 : w->room * 2;
        w->stretch = realloc(w->stretch, w->room * sizeof(*w->stretch));
        ASSERT(w->stretch != NULL);
    }
    w->stretch[w->count++] = (struct stretch){
        .at = *at, .program = program, .number = ++s->stretches[program], .blocks = blocks};
}

static void on_edge(void *context, enum layer layer, uint32_t instance, uint64_t blocks)
{
    struct striker *s = context;
    const struct lab *lab = s->lab;
    const struct fault *f = planned(s->plan, s->cell, s->level);
    uint32_t p = 0;
    while (p < lab->program_count &&
           (lab->programs[p].layer != layer || lab->programs[p].instance != instance))
        p++;
    ASSERT(p < lab->program_count);
    uint64_t count = blocks > s->last[p] ? blocks - s->last[p] : 0;
    s->last[p] = blocks;
    if (count == 0 || !in_window(s) || (f != NULL && f->kind == FAULT_POWER_CUT) ||
        (s->level > 0 && f != NULL && !aims_at(lab_variant(lab), f, &lab->programs[p])))
        return;
    add(s, p, &(struct explore_strike){.layer = layer, .instance = instance, .block = blocks},
        count);
}

/* A disk is given a write or a flush: the power may fail now. */
static void on_request(void *object, struct sim_disk *disk, const struct sim_disk_event *e)
{
    struct striker *s = object;
    const struct fault *f = planned(s->plan, s->cell, s->level);
    (void)disk;
    if (e->phase != SIM_DISK_SUBMITTED)
        return;
    s->requests[e->disk]++;
    bool changes = e->op == SIM_DISK_WRITE || e->op == SIM_DISK_FLUSH;
    if (f != NULL && f->kind == FAULT_POWER_CUT && changes && in_window(s))
        add(s, 0,
            &(struct explore_strike){
                .layer = LAYER_NONE, .instance = e->disk, .block = s->requests[e->disk]},
            1);
}

static void on_flip(void *context, const struct explore_strike *at, uint64_t bits)
{
    struct striker *s = context;
    add(s, s->flipped, at, bits);
}

/* A probe is passed: what could be flipped now, of all that the plan may strike. */
static void on_trace(void *context, const struct sim_trace *t)
{
    struct striker *s = context;
    const struct lab *lab = s->lab;
    const struct fault *f = planned(s->plan, s->cell, 0);
    bool wanted = t->kind == SIM_TRACE_PROBE && in_window(s) &&
                  (f->at.kind != FAULT_AT_PROBE || f->at.probe == t->probe);
    for (uint32_t p = 0; wanted && p < lab->program_count; p++) {
        s->flipped = p;
        if (aims_at(lab_variant(lab), f, &lab->programs[p]))
            explore_flip_classes(lab->machine, f, lab->programs[p].instance, t->probe,
                                 sim_machine_probe_count(lab->machine, t->probe), on_flip, s);
    }
}

/* From now on the next run fills the window of strike `level`. */
static void watch(struct striker *s, uint32_t level)
{
    static const struct lab_listener template = {
        .start = on_start, .call = on_call, .answer = on_answer};
    static struct lab_listener listener; /* one striker at a time watches */
    listener = template;
    listener.context = s;
    s->watching = false;
    s->level = level;
    s->filled = &s->window[level];
    s->filled->count = 0;
    lab_listen(s->lab, &listener);
    for (uint32_t d = 0; d < sim_machine_disks(s->lab->machine); d++)
        sim_disk_observe(sim_machine_disk(s->lab->machine, d), on_request, s);
    if (striker_flips(s->plan, s->cell))
        sim_machine_trace(s->lab->machine, on_trace, s);
    else
        sim_machine_watch(s->lab->machine, on_edge, s);
}

static void unwatch(struct striker *s)
{
    sim_machine_watch(s->lab->machine, NULL, NULL);
    sim_machine_trace(s->lab->machine, NULL, NULL);
    for (uint32_t d = 0; d < sim_machine_disks(s->lab->machine); d++)
        sim_disk_unobserve(sim_machine_disk(s->lab->machine, d), on_request, s);
    lab_listen(s->lab, NULL);
}

/* Runs the job without faults: the window of the first strike, of all programs. */
static void record(struct striker *s)
{
    const struct plan_cell *c = &s->plan->cells[s->cell];
    const struct plan_workload *w = &s->plan->workloads[c->workload];
    if (s->recorded == s->cell && s->recorded_n == s->n)
        return;
    s->from_mark = false;
    for (uint32_t a = 0; a < w->app_count; a++)
        s->from_mark = s->from_mark || w->apps[a].bounded != NULL;
    (void)lab_prepare(s->lab, c->variant, c->workload, s->n);
    watch(s, 0);
    lab_begin(s->lab, c->variant, c->workload, s->n);
    unwatch(s);
    s->recorded = s->cell;
    s->recorded_n = s->n;
}

/* ---- Trials ------------------------------------------------------------------------------------
 */

/* The fault of one strike: of the plan, as far as it says something. */
static struct fault fault_of(const struct plan *plan, uint32_t cell, uint32_t level,
                             const struct explore_strike *at)
{
    const struct fault *f = planned(plan, cell, level);
    struct fault fault = f != NULL ? *f : fault_default(FAULT_PROCESS_CRASH);
    if (fault.kind == FAULT_POWER_CUT) {
        fault.at = (struct fault_when){.kind = FAULT_AT_IO,
                                       .number = amount_fixed((int64_t)at->block),
                                       .disk = {.kind = FAULT_TARGET_INDEX, .index = at->instance},
                                       .probe = PROBE_COUNT};
        return fault;
    }
    if (fault.kind == FAULT_MEMORY_FLIP)
        fault = explore_flip_fault(f, at);
    fault.layer = at->layer;
    fault.instance = (struct fault_target){.kind = FAULT_TARGET_INDEX, .index = at->instance};
    if (fault.kind != FAULT_MEMORY_FLIP)
        fault.at = (struct fault_when){.kind = FAULT_AT_BLOCK,
                                       .number = amount_fixed((int64_t)at->block),
                                       .layer = at->layer,
                                       .probe = PROBE_COUNT};
    return fault;
}

/* {"strikes":[{"layer":"cache","instance":0,"block":1234}]} */
static void write_state(const struct explore_strike *strikes, uint32_t count, char *to, size_t room)
{
    size_t at = (size_t)snprintf(to, room, "{\"strikes\":[");
    for (uint32_t l = 0; l < count; l++) {
        const struct explore_strike *k = &strikes[l];
        if (k->layer == LAYER_NONE) {
            at += (size_t)snprintf(to + at, room - at,
                                   "%s{\"power\":\"cut\",\"disk\":%" PRIu32 ",\"request\":%" PRIu64
                                   "}",
                                   l > 0 ? "," : "", k->instance, k->block);
            continue;
        }
        at += (size_t)snprintf(to + at, room - at, "%s{\"layer\":\"%s\",\"instance\":%" PRIu32,
                               l > 0 ? "," : "", layer_name(k->layer), k->instance);
        if (k->block != 0)
            at += (size_t)snprintf(to + at, room - at, ",\"block\":%" PRIu64, k->block);
        else
            at += (size_t)explore_flip_write(k, to + at, room - at);
        at += (size_t)snprintf(to + at, room - at, "}");
    }
    at += (size_t)snprintf(to + at, room - at, "]}");
    ASSERT(at < room); /* three strikes */
}

void striker_trial(struct lab *lab, const struct plan *plan, uint32_t cell,
                   const struct explore_strike *strikes, uint32_t count, struct trial_record *r)
{
    struct fault faults[EXPLORE_STRIKES_MAX];
    uint32_t fault = plan->cells[cell].fault;
    struct fault_plan struck = {.name = plan->faults[fault].name,
                                .draw_name = plan->faults[fault].draw_name,
                                .count = count,
                                .faults = faults};
    ASSERT(count >= 1 && count <= EXPLORE_STRIKES_MAX);
    for (uint32_t l = 0; l < count; l++)
        faults[l] = fault_of(plan, cell, l, &strikes[l]);
    lab_trial_with(lab, fault, &struck, r);
    write_state(strikes, count, r->state, sizeof(r->state));
}

static bool late(struct striker *s)
{
    const struct explore_options *o = s->options;
    s->late = s->late || (o->deadline_ns != 0 && progress_now_ns() >= o->deadline_ns);
    return s->late || (o->states != 0 && s->sum.states >= o->states);
}

static bool is_told(const struct striker *s, uint32_t level)
{
    return level + 1 >= s->from;
}

static void tell_row(struct striker *s, uint32_t level, struct trial_record *r)
{
    uint64_t row = ++s->rows[level];
    if (row > STRIKE_PART_ROWS)
        return; /* counted in `broken` */
    r->trial = (r->trial - 1) * EXPLORE_DEPTHS * EXPLORE_ROWS + level * STRIKE_LEVEL_ROWS +
               s->part * STRIKE_PART_ROWS + row;
    s->sum.rows++;
    if (s->sink->row != NULL)
        s->sink->row(s->sink->context, r);
}

/* What became of a class, of so many blocks. */
static void tell(struct striker *s, uint32_t level, uint64_t blocks, struct trial_record *r)
{
    struct explore_point *point = &s->point[level];
    bool broken = record_kept(r) == 0;
    point->boots++;
    point->left -= blocks;
    point->weakest =
        point->weakest == LEVEL_NONE ? r->level : level_weaker(point->weakest, r->level);
    point->broken += broken;
    s->sum.boots++;
    s->sum.states += blocks;
    s->sum.broken += broken;
    if (broken || s->options->keep_all)
        tell_row(s, level, r);
    if (s->sink->progress != NULL)
        s->sink->progress(s->sink->context, blocks, 1);
}

/* The same in a child: a process whose memory is wrong may spoil the laboratory's. False: it did,
 * after saying so. */
static bool trial_apart(struct striker *s, uint32_t count, struct trial_record *r)
{
    int status = 0;
    (void)fflush(NULL);
    pid_t parent = getpid(), child = fork();
    ASSERT(child >= 0);
    if (child == 0) {
        worker_die_with((int)parent);
        (void)alarm(RUN_HOST_LIMIT_S); /* else one that computes for ever would end the search */
        striker_trial(s->lab, s->plan, s->cell, s->strikes, count, s->shared);
        _exit(0);
    }
    while (waitpid(child, &status, 0) < 0)
        ASSERT(errno == EINTR);
    *r = *s->shared;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    char text[128], state[RECORD_STATE_BYTES];
    worker_status_text(status, text, sizeof(text));
    write_state(s->strikes, count, state, sizeof(state));
    (void)fprintf(stderr,
                  "loris: a defect of loris, please report it: a trial ended the laboratory (%s): "
                  "%s; the others go on\n",
                  text, state);
    s->sum.defects++;
    return false;
}

/* Runs what stands for a stretch. *r has the trial; false: it was lost. */
static bool strike(struct striker *s, uint32_t level, const struct stretch *at,
                   struct trial_record *r)
{
    bool goes_on = level + 1 < s->to, ran = true;
    s->strikes[level] = at->at;
    if (goes_on)
        watch(s, level + 1);
    if (at->at.block == 0)
        ran = trial_apart(s, level + 1, r);
    else
        striker_trial(s->lab, s->plan, s->cell, s->strikes, level + 1, r);
    if (goes_on)
        unwatch(s);
    /* What was recorded comes again; a flip that memory corrects has changed nothing. */
    ASSERT(!ran || r->injected || at->at.block == 0);
    return ran;
}

/* The deaths at all other blocks of the stretch, each told as the last one: for the licence to
 * leave them out. */
static void strike_all(struct striker *s, uint32_t level, const struct stretch *at,
                       const struct trial_record *last)
{
    static struct trial_record other; /* large */
    const struct sim_program *p = &s->lab->programs[at->program];
    uint64_t at_ns = lab_strike(s->lab, level)->time_ns + s->lab->run.origin_ns;
    uint64_t end = at->at.block;
    for (uint64_t k = end - at->blocks + 1; k < end; k++) {
        s->strikes[level].block = k;
        sim_machine_stamp_death(s->lab->machine, p->layer, p->instance, end, at_ns);
        striker_trial(s->lab, s->plan, s->cell, s->strikes, level + 1, &other);
        s->point[level].boots++;
        s->sum.boots++;
        s->point[level].distinct += other.hash != last->hash;
        if (s->sink->met != NULL)
            s->sink->met(s->sink->context, s->point[level].number, other.hash);
    }
    s->strikes[level].block = end;
}

/* ---- Walks -------------------------------------------------------------------------------------
 */

/* The k-th number in the order of reversed bits, of 2^bits. */
static uint32_t reversed(uint32_t k, uint32_t bits)
{
    uint32_t r = 0;
    for (uint32_t b = 0; b < bits; b++)
        r |= (k >> b & 1) << (bits - 1 - b);
    return r;
}

/* Whether stretch k of the window is one that is asked for. */
static bool is_wanted(const struct striker *s, uint32_t level, uint32_t k)
{
    return (level > 0 || s->window[0].stretch[k].program == s->part) &&
           s->window[level].stretch[k].number % s->options->every == 0;
}

/* What is there to be done at this level, in blocks; of deeper ones at least as much. */
static void count_window(struct striker *s, uint32_t level)
{
    const struct window *w = &s->window[level];
    for (uint32_t k = 0; k < w->count; k++) {
        if (!is_wanted(s, level, k))
            continue;
        s->point[level].states += w->stretch[k].blocks;
        s->point[level].left += w->stretch[k].blocks;
        s->point[level].distinct++;
    }
}

static void walk(struct striker *s, uint32_t level);

static void visit(struct striker *s, uint32_t level, const struct stretch *at)
{
    static struct trial_record records[EXPLORE_STRIKES_MAX]; /* large; one striker at a time */
    struct trial_record *r = &records[level];
    if (!strike(s, level, at, r))
        return; /* it is left */
    if (is_told(s, level)) {
        uint64_t hash = r->hash;
        tell(s, level, at->blocks, r);
        if (s->sink->met != NULL)
            s->sink->met(s->sink->context, s->point[level].number, hash);
        /* No bit stands for another, and no request. */
        if (s->options->eager && at->at.block != 0 && at->at.layer != LAYER_NONE)
            strike_all(s, level, at, r);
    }
    if (level + 1 < s->to) {
        count_window(s, level + 1);
        walk(s, level + 1);
    }
}

/* All stretches of the window that are asked for: far ones from each other first, so that a bound
 * leaves an even share. */
static void walk(struct striker *s, uint32_t level)
{
    const struct window *w = &s->window[level];
    uint32_t bits = 0;
    while (w->count > 1u << bits)
        bits++;
    for (uint32_t k = 0; k < 1u << bits; k++) {
        uint32_t at = reversed(k, bits);
        if (at >= w->count || !is_wanted(s, level, at))
            continue;
        const struct stretch stretch = w->stretch[at];
        if (!late(s))
            visit(s, level, &stretch);
        else if (level + 1 < s->to) /* unknown: at least as much */
            s->point[level + 1].left += stretch.blocks;
    }
}

static void begin_point(struct striker *s, uint32_t level)
{
    static const char *const words[EXPLORE_STRIKES_MAX] = {"dies", "dies, then one in recovery",
                                                           "dies, then two in recovery"};
    const struct sim_program *p = &s->lab->programs[s->part];
    s->rows[level] = 0;
    s->point[level] =
        (struct explore_point){.number = striker_point(s->part, level + 1), .weakest = LEVEL_NONE};
    char *name = s->point[level].name;
    const struct fault *first = planned(s->plan, s->cell, 0);
    if (first->kind == FAULT_POWER_CUT)
        (void)snprintf(name, EXPLORE_POINT_BYTES, "power %s", words[level]);
    else
        (void)snprintf(name, EXPLORE_POINT_BYTES, "%s %" PRIu32 " %s", layer_name(p->layer),
                       p->instance,
                       first->kind == FAULT_MEMORY_FLIP ? "sampled by class" : words[level]);
}

struct explore_sum striker_run(struct striker *s, uint32_t cell, uint64_t n, uint32_t part,
                               uint32_t from, uint32_t to, const struct explore_options *options,
                               const struct explore_sink *sink)
{
    ASSERT(from >= 1 && from <= to && to <= EXPLORE_STRIKES_MAX);
    ASSERT(options->every >= 1);
    s->options = options;
    s->sink = sink;
    s->cell = cell;
    s->n = n;
    s->part = part;
    s->from = from;
    s->to = to;
    s->late = false;
    s->sum = (struct explore_sum){0};
    record(s);
    for (uint32_t level = 0; level < to; level++)
        begin_point(s, level);
    count_window(s, 0);
    walk(s, 0);
    for (uint32_t level = from - 1; level < to; level++) {
        s->sum.points++;
        s->sum.left += s->point[level].left;
        if (sink->point != NULL)
            sink->point(sink->context, &s->point[level]);
    }
    return s->sum;
}
