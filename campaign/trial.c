#include "campaign/trial.h"

#include <stdlib.h>

#include "assertion.h"
#include "campaign/progress.h" /* host time, for wall_ns and lab_times only */
#include "campaign/trial_private.h"

uint64_t lab_now(const struct lab *lab)
{
    uint64_t now = sim_machine_now(lab->machine);
    return now > lab->run.origin_ns ? now - lab->run.origin_ns : 0;
}

struct lab *lab_create(const struct plan *plan)
{
    struct lab *lab = calloc(1, sizeof(*lab));
    ASSERT(lab != NULL);
    lab->plan = plan;
    lab->variant = lab->workload = NO_FAULT;
    lab->history = history_create();
    lab->seen = observation_create();
    lab->again = observation_create();
    lab->judge = judge_create();
    lab->injector = injector_create();
    lab->planted = PLANTED_NONE;
    return lab;
}

void lab_destroy(struct lab *lab)
{
    lab_states_forget(lab);
    if (lab->machine != NULL)
        sim_machine_destroy(lab->machine);
    history_destroy(lab->history);
    observation_destroy(lab->seen);
    observation_destroy(lab->again);
    judge_destroy(lab->judge);
    injector_destroy(lab->injector);
    free(lab->samples);
    free(lab->content.word);
    free(lab);
}

void lab_reset(struct lab *lab, bool lists_events)
{
    sim_machine_reset(lab->machine, lab->plan->seed, lab->n);
#ifdef LORIS_PLANTED
    sim_machine_plant(lab->machine, lab->planted);
#endif
    lab->boots_judged = 0;
    lab->run = (struct run_state){
        .last_struck = NO_FAULT, .cut_wanted = NO_FAULT, .lists_events = lists_events};
    lab_observe(lab);
    if (lab->tracer != NULL)
        lab->tracer->begin(lab->tracer->context, lab->machine, lab->record != NULL);
}

/* From reset to the end of the run, with the first `count` faults. False: it did not even boot. */
static bool run_once(struct lab *lab, const struct fault_plan *faults, uint32_t count,
                     const uint64_t *recovery_ns, bool lists_events, enum run_end *end)
{
    uint64_t start = progress_now_ns();
    lab_reset(lab, lists_events);
    lab_states_begin(lab, faults, count);
    uint64_t reset = progress_now_ns();
    bool booted = lab_boot(lab);
    uint64_t boot = progress_now_ns();
    for (uint32_t d = 0; d < sim_machine_disks(lab->machine); d++)
        lab->disk_base[d] = sim_disk_stats(sim_machine_disk(lab->machine, d));
    if (booted)
        *end = lab_run(lab, faults, count, recovery_ns);
    lab_states_end(lab);
    lab->times.reset_ns += reset - start;
    lab->times.boot_ns += boot - reset;
    lab->times.workload_ns += progress_now_ns() - boot;
    return booted;
}

/* Judges the run that has just ended and fills the record. */
static void conclude(struct lab *lab, enum run_end end, struct judge_verdict *verdict,
                     struct trial_record *record)
{
    uint64_t start = progress_now_ns();
    lab_fill_run(lab, record);
    lab->run.lists_events = true;
    lab_judge(lab, end, verdict);
    if (lab->boots_judged > 0)
        judge_join(verdict, &lab->boots);
    lab_calendar_end(lab, end, verdict->level);
    lab_fill_verdict(lab, verdict, record);
    record->hash = sim_machine_hash(lab->machine);
    lab->times.judge_ns += progress_now_ns() - start;
    lab->times.trials++;
}

bool lab_prepare(struct lab *lab, uint32_t variant, uint32_t workload, uint64_t n)
{
    bool other = lab->variant != variant;
    lab->variant = variant;
    lab->workload = workload;
    lab->n = n;
    lab->has_base = false;
    lab->record = NULL;
    if (other)
        lab_build_machine(lab);
    return other;
}

void lab_begin(struct lab *lab, uint32_t variant, uint32_t workload, uint64_t n)
{
    uint64_t start = progress_now_ns();
    (void)lab_prepare(lab, variant, workload, n);
    record_init(&lab->base);
    lab->record = &lab->base;
    lab->offer = (struct offer){0};
    enum run_end end = RUN_RECOVERS;
    bool booted = run_once(lab, NULL, 0, NULL, true, &end);
    ASSERT(booted); /* healthy disks, as formatted */
    lab_fill_offer(lab);
    for (uint32_t a = 0; a < lab->work.app_count; a++)
        lab->app_operations[a] = lab->work.app[a].operations;
    conclude(lab, end, &lab->base_verdict, &lab->base);
    lab->has_base = true;
    lab->record = NULL;
    lab->base.wall_ns = progress_now_ns() - start;
}

/* Recoveries that later entries of the plan are placed in are measured in runs without those. */
static void measure_recoveries(struct lab *lab, const struct fault_plan *faults,
                               uint64_t recovery_ns[FAULTS_PER_PLAN_MAX])
{
    for (uint32_t k = 1; k < faults->count; k++) {
        if (faults->faults[k].at.kind != FAULT_AT_RECOVERY)
            continue;
        enum run_end end;
        bool booted = run_once(lab, faults, k, recovery_ns, false, &end);
        ASSERT(booted);
        uint64_t begin = lab->run.recovery_begin_ns[k - 1];
        uint64_t done = lab->run.recovery_end_ns[k - 1];
        recovery_ns[k - 1] = begin != 0 && done > begin ? done - begin : 0;
    }
}

/* A rate that struck several times is as many faults; more than a few promise no less. */
#define PROMISED_STRIKES_MAX 4u

/* What is promised for the strikes that came: a rate that never struck is no fault. */
static enum level promise_of_strikes(const struct lab *lab, const struct fault_plan *plan)
{
    struct fault faults[FAULTS_PER_PLAN_MAX * PROMISED_STRIKES_MAX];
    struct fault_plan came = {.name = plan->name, .draw_name = plan->draw_name, .faults = faults};
    for (uint32_t i = 0; i < plan->count; i++) {
        bool rated = plan->faults[i].at.kind == FAULT_AT_RATE;
        uint64_t times = rated ? injector_times(lab->injector, i) : 1;
        times = times < PROMISED_STRIKES_MAX ? times : PROMISED_STRIKES_MAX;
        for (uint64_t k = 0; k < times; k++)
            faults[came.count++] = plan->faults[i];
    }
    return promise_of_plan(lab_variant(lab), &lab->plan->workloads[lab->workload], &came);
}

void lab_fill_place(const struct lab *lab, uint32_t fault, struct trial_record *record)
{
    const struct plan *plan = lab->plan;
    uint32_t cell = plan_cell_index(plan, lab->variant, lab->workload, fault);
    const struct plan_cell *c = &plan->cells[cell];
    record->cell = cell;
    record->n = lab->n;
    record->trial = plan_trial_number(plan, cell, lab->n);
    const struct fault_plan *planned = &plan->faults[fault];
    const struct fault_plan *faults = planned->count > 0 ? lab->run.faults : planned;
    record->design_promise = lab->run.beyond ? LEVEL_NONE : promise_of_strikes(lab, faults);
    record->promised = c->promise_given ? c->promise : record->design_promise;
}

static bool corrupts(const struct fault_plan *faults)
{
    for (uint32_t i = 0; i < faults->count; i++)
        if (fault_corrupts_memory(faults->faults[i].kind))
            return true;
    return false;
}

void lab_trial(struct lab *lab, uint32_t fault, struct trial_record *record)
{
    const struct fault_plan *faults = &lab->plan->faults[fault];
    ASSERT(lab->has_base);
    if (faults->count > 0) {
        lab_trial_with(lab, fault, faults, record);
        return;
    }
    *record = lab->base;
    lab->last = lab->base_verdict;
    lab_fill_place(lab, fault, record);
}

void lab_trial_with(struct lab *lab, uint32_t fault, const struct fault_plan *faults,
                    struct trial_record *record)
{
    ASSERT(lab->has_base);
    ASSERT(faults->count > 0);
    uint64_t start = progress_now_ns();
    uint64_t recovery_ns[FAULTS_PER_PLAN_MAX] = {0};
    struct judge_verdict verdict;
    enum run_end end;
    record_init(record);
    if (corrupts(faults))
        sim_machine_renew(lab->machine); /* it runs in a forked child, in strict mode */
    measure_recoveries(lab, faults, recovery_ns);
    lab->record = record;
    bool booted = run_once(lab, faults, faults->count, recovery_ns, true, &end);
    ASSERT(booted);
    lab_fill_place(lab, fault, record); /* what happened decides what is promised */
    conclude(lab, end, &verdict, record);
    lab->record = NULL;
    lab->retire = lab->retire || corrupts(faults);
    record->wall_ns = progress_now_ns() - start;
}

bool lab_must_retire(const struct lab *lab)
{
    return lab->retire;
}

struct lab_times lab_times(const struct lab *lab)
{
    return lab->times;
}

void lab_tell(struct lab *lab, FILE *out)
{
    lab->tell = out;
}

bool lab_set_strict(struct lab *lab, enum sim_strict strict)
{
    return sim_machine_set_strict(lab->machine, strict);
}

void lab_listen(struct lab *lab, const struct lab_listener *listener)
{
    lab->listener = listener;
}

void lab_trace(struct lab *lab, const struct lab_tracer *tracer)
{
    if (lab->tracer != NULL)
        lab->tracer->begin(lab->tracer->context, NULL, false);
    lab->tracer = tracer;
}

const struct judge_verdict *lab_verdict(const struct lab *lab)
{
    return &lab->last;
}

const struct strike *lab_strike(const struct lab *lab, uint32_t i)
{
    return lab->told != NULL ? &lab->told[i] : injector_strike(lab->injector, i);
}

const struct offer *lab_offer(const struct lab *lab)
{
    return &lab->offer;
}

#ifdef LORIS_PLANTED
void lab_plant(struct lab *lab, enum planted bug)
{
    lab->planted = bug;
}
#endif
