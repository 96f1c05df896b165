/*
 * The run of a trial: from time 0 until the applications are over, nothing more is to strike and
 * the stack serves in full; with the rules of who falls with whom, of power, and of what recovery
 * is.
 */
#include <inttypes.h>
#include <string.h>

#include "assertion.h"
#include "campaign/trial_private.h"
#include "sim/rng.h"
#include "stack/promises.h"

#define CHECK_BIT (UINT32_C(1) << 31) /* of run.rebuilding: a check beside service */
_Static_assert(DISKS_MAX <= 31, "a bit a disk, and that");

/* Assumption: twice the most deaths that one fault of a campaign can ask for, and as many answers
 * to it. */
#define SERVICE_RETURNS_MAX 20000u
/* Of `limit`, so many basic blocks without progress are as good as all of it: 2e9 of 10 min, some
 * 10 s of host time. Assumption: a hundred times the blocks of a whole trial. */
#define BUSY_SHARE 300u

/* ---- Strikes -----------------------------------------------------------------------------------
 */

static void lose_service(struct lab *lab)
{
    if (lab->run.in_service)
        lab->run.lost_ns = lab->run.back_ns = sim_machine_now(lab->machine);
    lab->run.in_service = false;
}

/* Somebody noticed the last fault: recovery from it begins. */
static void detected(struct lab *lab, const char *layer)
{
    uint32_t i = lab->run.last_struck;
    if (i == NO_FAULT || lab->run.judging)
        return;
    injector_on_notice(lab->injector);
    if (lab->run.undetected) {
        lab->run.undetected = false;
        lab->run.recovery_begin_ns[i] = sim_machine_now(lab->machine);
        injector_on_recovery(lab->injector, i);
    }
    history_mark(lab->history, HISTORY_MARK_DETECTED, lab_now(lab), layer);
    lose_service(lab); /* the loop looks anew, and marks when it is whole */
    sim_machine_stop(lab->machine);
}

/* Which disks are gone now, and whether that is more than the design bears. */
static void note_losses(struct lab *lab)
{
    const struct plan_variant *v = lab_variant(lab);
    struct stack_options options = promise_options(v, &lab->plan->workloads[lab->workload]);
    uint32_t whole = 0;
    for (uint32_t d = 0; d < v->stack.disks; d++) {
        if (sim_disk_failed(sim_machine_disk(lab->machine, d)))
            lab->run.whole &= ~(1u << d);
        whole += lab->run.whole >> d & 1;
    }
    if (whole + design_disk_losses(v->design, &options) < v->machine.disk_count)
        lab->run.beyond = true;
}

static void on_struck(void *context, uint32_t i)
{
    struct lab *lab = context;
    const struct strike *s = injector_strike(lab->injector, i);
    char detail[RECORD_DETAIL_BYTES];
    (void)snprintf(detail, sizeof(detail), "%s %.40s %.40s",
                   fault_kind_name(lab->run.faults->faults[i].kind), s->target, s->position);
    lab_event(lab, "faults", "fault injected", detail);
    bool power = lab->run.faults->faults[i].kind == FAULT_POWER_CUT;
    if (s->took_effect)
        history_mark(lab->history, HISTORY_MARK_FAULT, lab_now(lab), NULL);
    lab->run.last_struck = i;
    lab->run.undetected = true;
    lab->run.struck_ns = lab_now(lab);
    lab->run.unseen = true;
    note_losses(lab);
    lab->run.progress_ns = sim_machine_now(lab->machine);
    if (s->took_effect && !power && !sim_machine_all_ready(lab->machine))
        detected(lab, "kernel"); /* a crash: the kernel knew before we did */
    sim_machine_stop(lab->machine);
}

static void on_cut(void *context, uint32_t i)
{
    struct lab *lab = context;
    lab->run.cut_wanted = i;
    sim_machine_stop(lab->machine);
}

/* ---- What the machine tells --------------------------------------------------------------------
 */

static const char *name_of(enum layer layer)
{
    const char *name = layer_name(layer);
    if (name != NULL)
        return name;
    return layer == LAYER_APP ? "app" : "kernel";
}

static const char *death_word(enum sim_death cause)
{
    static const char *const words[] = {
        [SIM_DEATH_EXIT] = "ended",
        [SIM_DEATH_KILLED] = "killed",
        [SIM_DEATH_SIGNAL] = "died of a signal",
        [SIM_DEATH_ASSERT] = "died of an assertion",
        [SIM_DEATH_PANIC] = "crashed on purpose",
        [SIM_DEATH_RS_HUNG] = "killed: hangs",
        [SIM_DEATH_RS_ASKED] = "killed: asked for",
        [SIM_DEATH_POWER] = "lost its power",
    };
    ASSERT((unsigned)cause < sizeof(words) / sizeof(words[0]));
    return words[cause];
}

/* Whether this layer is part of what the applications of an environment stand on. */
static bool is_of_environment(enum layer layer)
{
    return layer == LAYER_VFS || layer == LAYER_NAMING || layer == LAYER_FS || layer == LAYER_APP;
}

/* The environment that instance `k` of a layer belongs to. */
static uint32_t environment_of(const struct lab *lab, enum layer layer, uint32_t k)
{
    if (lab_variant(lab)->design->classic)
        return 0;
    return layer == LAYER_APP && k < lab->work.app_count ? lab->work.app[k].environment : k;
}

/* Whether a fault has struck what the applications of this environment stand on. */
static bool environment_was_struck(const struct lab *lab, uint32_t environment)
{
    for (uint32_t i = 0; i < lab->run.fault_count; i++) {
        enum layer layer = lab->run.faults->faults[i].layer;
        const struct strike *s = injector_strike(lab->injector, i);
        if (!s->struck || !is_of_environment(layer))
            continue;
        if (s->instance == OFFER_INSTANCES_MAX ||
            environment_of(lab, layer, s->instance) == environment)
            return true;
    }
    return false;
}

/* What its applications are told to have died of. */
static enum history_death death_of_apps(const struct lab *lab, enum sim_death cause,
                                        uint32_t environment)
{
    const struct plan_variant *v = lab_variant(lab);
    bool by_design = cause == SIM_DEATH_RS_ASKED && design_ends_environments(v->design, &v->stack);
    return by_design || environment_was_struck(lab, environment) ? HISTORY_ENVIRONMENT
                                                                 : HISTORY_STRAY;
}

static void take_down(struct lab *lab, enum layer layer, uint32_t instance, enum sim_death cause)
{
    const struct design *design = lab_variant(lab)->design;
    for (uint32_t p = 0; p < lab->program_count; p++) {
        const struct sim_program *o = &lab->programs[p];
        if (design_falls_with(design, layer, instance, o->layer, o->instance))
            (void)sim_machine_kill(lab->machine, o->layer, o->instance, SIM_DEATH_KILLED);
    }
    for (uint32_t e = 0; e < lab_variant(lab)->stack.environments; e++)
        if (design_falls_with(design, layer, instance, LAYER_APP, e))
            (void)workload_kill(&lab->work, e, death_of_apps(lab, cause, e));
}

static void app_died(struct lab *lab, uint32_t number)
{
    if (number >= lab->work.app_count || lab->work.app[number].dead)
        return;
    lab->work.app[number].dead = true;
    history_kill(lab->history, number, lab_now(lab),
                 environment_was_struck(lab, lab->work.app[number].environment)
                     ? HISTORY_ENVIRONMENT
                     : HISTORY_STRAY);
}

static void on_death(void *context, enum layer layer, uint32_t instance, enum sim_death cause)
{
    struct lab *lab = context;
    if (cause == SIM_DEATH_POWER || cause == SIM_DEATH_EXIT || lab->run.in_cascade)
        return;
    char detail[RECORD_DETAIL_BYTES];
    (void)snprintf(detail, sizeof(detail), "%s %" PRIu32 " %s", name_of(layer), instance,
                   death_word(cause));
    lab_event(lab, name_of(layer), "crash", detail);
    sim_machine_stop(lab->machine);
    if (layer == LAYER_APP) {
        app_died(lab, instance);
        return;
    }
    lab->run.recovering &= ~(1u << layer); /* it will say so again, if it still is */
    detected(lab, cause == SIM_DEATH_PANIC ? name_of(layer) : "kernel");
    lab->run.in_cascade = true;
    take_down(lab, layer, instance, cause);
    lab->run.in_cascade = false;
}

static void on_ready(void *context, enum layer layer, uint32_t instance, uint32_t incarnation)
{
    struct lab *lab = context;
    if (incarnation > 0) {
        char detail[RECORD_DETAIL_BYTES];
        (void)snprintf(detail, sizeof(detail), "%s %" PRIu32 " is up again", name_of(layer),
                       instance);
        lab_event(lab, name_of(layer), "restart", detail);
    }
    injector_on_ready(lab->injector, layer, instance);
    sim_machine_stop(lab->machine);
}

/* A disk that is made whole keeps the trial going; that it is ends the recovery from what struck
 * last. */
static void note_rebuild(struct lab *lab, enum report what, uint64_t a)
{
    uint32_t i = lab->run.last_struck;
    uint64_t now = sim_machine_now(lab->machine);
    uint32_t bit = 1u << (a % DISKS_MAX);
    if (what == REPORT_DEGRADED)
        lab->run.rebuilding &= CHECK_BIT; /* it says next which disk it makes whole now, if any */
    if (what == REPORT_REBUILDING) {
        lab->run.rebuilding |= bit;
        lab->run.progress_ns = now;
    }
    if (what != REPORT_REBUILT)
        return;
    lab->run.rebuilding &= ~bit;
    lab->run.whole |= bit;
    lab->run.rebuilt_ns = lab_now(lab);
    lab->run.progress_ns = now;
    if (i != NO_FAULT && lab->run.recovery_begin_ns[i] != 0)
        lab->run.recovery_end_ns[i] = now;
    sim_machine_stop(lab->machine);
}

/* So does a check beside service: what it mends is seen by the end. It is no recovery. */
static void note_check(struct lab *lab, enum report what)
{
    if (what != REPORT_CHECKING && what != REPORT_CHECKED)
        return;
    lab->run.progress_ns = sim_machine_now(lab->machine);
    if (what == REPORT_CHECKING)
        lab->run.rebuilding |= CHECK_BIT;
    else if ((lab->run.rebuilding & CHECK_BIT) != 0)
        sim_machine_stop(lab->machine);
    if (what == REPORT_CHECKED)
        lab->run.rebuilding &= ~CHECK_BIT;
}

static void on_report(void *context, enum layer layer, uint32_t instance, enum report what,
                      uint64_t a, uint64_t b)
{
    static const char *const names[REPORT_COUNT] = {
#define REPORT_NAME(id, name, doc) [(id)] = (name),
        REPORT_LIST(REPORT_NAME)
#undef REPORT_NAME
    };
    static const bool speaks_of_a_fault[REPORT_COUNT] = {
        [REPORT_DETECTED] = true, [REPORT_RECOVERY_BEGIN] = true, [REPORT_REPAIR] = true,
        [REPORT_LOST] = true,     [REPORT_DEGRADED] = true,       [REPORT_READ_ONLY] = true,
    };
    struct lab *lab = context;
    char detail[RECORD_DETAIL_BYTES];
    (void)snprintf(detail, sizeof(detail), "%s %" PRIu32 ": %" PRIu64 " %" PRIu64, name_of(layer),
                   instance, a, b);
    ASSERT(what < REPORT_COUNT);
    lab_event(lab, name_of(layer), names[what], detail);
    if (what == REPORT_RECOVERY_BEGIN)
        lab->run.recovering |= 1u << layer;
    if (speaks_of_a_fault[what])
        detected(lab, name_of(layer));
    if (what == REPORT_RECOVERY_END) {
        lab->run.recovering &= ~(1u << layer);
        sim_machine_stop(lab->machine);
    }
    note_rebuild(lab, what, a);
    note_check(lab, what);
}

static void on_probe(void *context, enum layer layer, uint32_t instance, enum probe probe,
                     uint64_t n)
{
    (void)layer, (void)instance;
    injector_on_probe(((struct lab *)context)->injector, probe, n);
}

static void on_message(void *context, enum layer layer, uint32_t instance, uint64_t n)
{
    injector_on_message(((struct lab *)context)->injector, layer, instance, n);
}

static void on_block(void *context, enum layer layer, uint32_t instance)
{
    injector_on_block(((struct lab *)context)->injector, layer, instance);
}

/* Messages are told only to plans that ask for them: the call is made for each one delivered. */
static bool wants_messages(const struct run_state *run)
{
    for (uint32_t i = 0; i < run->fault_count; i++) {
        const struct fault *f = &run->faults->faults[i];
        if (f->at.kind == FAULT_AT_MESSAGE || f->repeat_same_request || !amount_is(&f->repeat, 1))
            return true;
    }
    return false;
}

void lab_await_check(struct lab *lab)
{
    uint64_t end_ns = sim_machine_now(lab->machine) + lab->plan->limit_ns;
    while ((lab->run.rebuilding & CHECK_BIT) != 0 && sim_machine_now(lab->machine) < end_ns) {
        uint64_t until_ns = sim_machine_now(lab->machine) + LAB_STEP_NS;
        if (sim_machine_run(lab->machine, until_ns) == SIM_RUN_IDLE)
            sim_engine_advance(sim_machine_engine(lab->machine), until_ns);
    }
}

void lab_observe(struct lab *lab)
{
    sim_machine_observe(lab->machine,
                        &(struct sim_observer){
                            .context = lab,
                            .on_death = on_death,
                            .on_ready = on_ready,
                            .on_report = on_report,
                            .on_probe = lab->run.fault_count > 0 ? on_probe : NULL,
                            .on_message = wants_messages(&lab->run) ? on_message : NULL,
                            .on_block = on_block,
                        });
}

/* ---- What the applications tell -----------------------------------------------------------------
 */

static void on_op(void *context, uint64_t n)
{
    struct lab *lab = context;
    lab->run.progress_ns = sim_machine_now(lab->machine);
    injector_on_op(lab->injector, n);
}

static void on_unexpected(void *context, const char *detail)
{
    lab_event(context, "app", "unexpected", detail);
}

static void on_mark(void *context, uint64_t n)
{
    injector_on_mark(((struct lab *)context)->injector, n);
}

static void on_call(void *context, uint32_t app, const struct history_call *call)
{
    struct lab *lab = context;
    lab->listener->call(lab->listener->context, app, lab_now(lab), call);
}

static void on_answer(void *context, uint32_t app, const struct history_call *call,
                      const struct history_answer *answer)
{
    struct lab *lab = context;
    lab->listener->answer(lab->listener->context, app, lab_now(lab), call, answer);
}

static void on_end(void *context)
{
    struct lab *lab = context;
    lab->run.progress_ns = sim_machine_now(lab->machine);
    sim_machine_stop(lab->machine);
}

/* ---- Power -------------------------------------------------------------------------------------
 */

static void cut_power(struct lab *lab)
{
    struct inject_cut cut = injector_cut_plan(lab->injector, lab->run.cut_wanted);
    lab->run.cut_wanted = NO_FAULT;
    lab->run.recovering = 0;
    lab->run.rebuilding = 0;
    lose_service(lab);
    (void)workload_kill(&lab->work, UINT32_MAX, HISTORY_POWER);
    if (cut.chosen != NULL)
        lab_states_cut(lab, cut.chosen);
    else
        sim_machine_power_cut(lab->machine, cut.mode, cut.tears, cut.rng_key);
    lab->run.power_on_ns = sim_machine_now(lab->machine) + cut.off_for_ns;
    lab->run.progress_ns = lab->run.power_on_ns;
}

static void restore_power(struct lab *lab)
{
    lab->run.power_on_ns = 0;
    lab->run.back_ns = lab->run.progress_ns = sim_machine_now(lab->machine);
    lab_event(lab, "kernel", "power", "power is back");
    sim_machine_boot(lab->machine, lab->programs, lab->program_count, &lab_variant(lab)->stack,
                     false);
    lab->run.boot_unjudged = true;
    detected(lab, "kernel");
}

/* ---- The loop ----------------------------------------------------------------------------------
 */

static bool serves(const struct lab *lab)
{
    return lab->run.power_on_ns == 0 && lab->run.recovering == 0 &&
           sim_machine_all_ready(lab->machine);
}

/* Notes when full service is back. */
static void look_at_service(struct lab *lab)
{
    bool now = serves(lab);
    if (now && !lab->run.in_service) {
        uint32_t i = lab->run.last_struck;
        history_mark(lab->history, HISTORY_MARK_SERVICE, lab_now(lab), NULL);
        if (i != NO_FAULT && lab->run.recovery_begin_ns[i] != 0 && lab->run.recovery_end_ns[i] == 0)
            lab->run.recovery_end_ns[i] = sim_machine_now(lab->machine);
        lab->run.progress_ns = sim_machine_now(lab->machine);
        lab->run.returns++;
        uint64_t recovery_ns = sim_machine_now(lab->machine) - lab->run.back_ns;
        lab->run.down_ns += sim_machine_now(lab->machine) - lab->run.lost_ns;
        if (recovery_ns > lab->run.longest_ns)
            lab->run.longest_ns = recovery_ns;
        lab->run.service_ns = sim_machine_now(lab->machine);
    }
    if (!now)
        lose_service(lab);
    lab->run.in_service = now;
}

static bool over(const struct lab *lab)
{
    bool to_come =
        lab->calendar.over_ns > 0 ? !lab_calendar_over(lab) : injector_awaits(lab->injector);
    return lab->run.in_service && lab->run.rebuilding == 0 && workload_over(&lab->work) &&
           !lab_awaits_resume(lab) && !to_come && lab->run.cut_wanted == NO_FAULT;
}

/* No progress for so long that it never will be any. What only computes is given up sooner: hours
 * of host time would teach no more. */
static bool is_stuck(struct lab *lab)
{
    uint64_t now = sim_machine_now(lab->machine);
    uint64_t blocks = sim_machine_totals(lab->machine).blocks;
    if (lab->run.progress_seen_ns != lab->run.progress_ns) {
        lab->run.progress_seen_ns = lab->run.progress_ns;
        lab->run.progress_blocks = blocks;
    }
    return now > lab->run.progress_ns &&
           (now - lab->run.progress_ns >= lab->plan->limit_ns ||
            blocks - lab->run.progress_blocks >= lab->plan->limit_ns / BUSY_SHARE);
}

static uint64_t next_look(const struct lab *lab)
{
    if (lab->run.power_on_ns != 0)
        return lab->run.power_on_ns;
    return sim_machine_now(lab->machine) + LAB_STEP_NS;
}

enum run_end lab_loop(struct lab *lab)
{
    for (;;) {
        if (lab->run.cut_wanted != NO_FAULT)
            cut_power(lab);
        uint64_t now = sim_machine_now(lab->machine);
        if (lab->run.power_on_ns != 0 && now >= lab->run.power_on_ns)
            restore_power(lab);
        look_at_service(lab);
        if (over(lab))
            return RUN_OVER; /* what this boot found is what the end finds */
        bool waits = lab_awaits_resume(lab) && (lab->run.rebuilding & CHECK_BIT) != 0;
        if (lab->run.boot_unjudged && lab->run.in_service && !waits)
            lab_judge_boot(lab);
        if (lab->run.returns > SERVICE_RETURNS_MAX)
            return RUN_RECOVERS; /* it comes up and dies again, for ever */
        bool stuck = is_stuck(lab);
        if (stuck && workload_over(&lab->work) && lab->run.in_service)
            lab->run.rebuilding = 0; /* it gets nowhere: redundancy is never whole, no more */
        /* Waiting for a fault that is to strike at a set time is no hang. */
        bool idle = workload_over(&lab->work) && lab->run.in_service && lab->run.rebuilding == 0;
        if (stuck && !idle)
            return lab->run.in_service ? RUN_HANGS : RUN_RECOVERS;
        lab_calendar_skip(lab);
        uint64_t until = next_look(lab);
        /* Without power nothing is pending: the clock has to be moved. */
        if (sim_machine_run(lab->machine, until) == SIM_RUN_IDLE)
            sim_engine_advance(sim_machine_engine(lab->machine), until);
    }
}

static void trace_zero(const struct lab *lab)
{
    uint32_t environment[WORKLOAD_APPS_MAX];
    if (lab->tracer == NULL)
        return;
    for (uint32_t a = 0; a < lab->work.app_count; a++)
        environment[a] = lab->work.app[a].environment;
    lab->tracer->zero(lab->tracer->context, environment, lab->work.app_count);
}

enum run_end lab_run(struct lab *lab, const struct fault_plan *faults, uint32_t count,
                     const uint64_t *recovery_ns)
{
    static const struct fault_plan no_faults = {.name = "none", .draw_name = "none"};
    const struct plan_variant *v = lab_variant(lab);
    const struct plan_workload *w = &lab->plan->workloads[lab->workload];
    struct workload_part parts[PLAN_APPS_MAX];
    for (uint32_t i = 0; i < w->app_count; i++) {
        const struct plan_app *app = &w->apps[i];
        parts[i] = (struct workload_part){
            .info = app->info, .options = &app->options, .script = app->script};
        if (app->bounded == NULL)
            continue;
        bounded_script(app->bounded, lab->n, lab->sequence[i]);
        parts[i].script = lab->sequence[i];
    }
    lab->run.faults = faults != NULL ? faults : &no_faults;
    lab->run.fault_count = count;
    lab_calendar_begin(lab);
    uint32_t copies = v->design->classic ? v->machine.environments : v->stack.environments;
    uint64_t draw = sim_rng_draw(lab->plan->seed, lab->n, sim_rng_purpose(w->draw_name, 0), 0);
    workload_prepare(&lab->work, lab->machine, lab->history, parts, w->app_count,
                     v->stack.environments, copies, draw);
    lab->work.hooks = (struct workload_hooks){.context = lab,
                                              .on_op = on_op,
                                              .on_mark = on_mark,
                                              .on_end = on_end,
                                              .on_unexpected = on_unexpected};
    lab->run.resumes = option_number(&v->machine.restart, "apps") != 0;
    lab->work.resumes = lab->run.resumes;
    if (lab->listener != NULL) {
        lab->work.hooks.on_call = on_call;
        lab->work.hooks.on_answer = on_answer;
        lab->listener->start(lab->listener->context, lab->work.app_count);
    }
    sim_machine_zero_counters(lab->machine);
    lab->run.origin_ns = lab->run.progress_ns = sim_machine_now(lab->machine);
    lab->run.cut_wanted = lab->run.last_struck = NO_FAULT;
    lab->run.in_service = true;
    lab->run.whole = (1u << v->machine.disk_count) - 1;
    if (lab->calendar.over_ns > 0)
        lab->work.hooks.rests_until = lab_rests_until;
    lab->content.listed = false;
    injector_arm(lab->injector, &(struct inject_setup){.machine = lab->machine,
                                                       .options = &v->stack,
                                                       .classic = v->design->classic,
                                                       .plan = lab->run.faults,
                                                       .count = count,
                                                       .seed = lab->plan->seed,
                                                       .n = lab->n,
                                                       .offer = &lab->offer,
                                                       .over_ns = lab->calendar.over_ns,
                                                       .origin_ns = lab->run.origin_ns,
                                                       .recovery_ns = recovery_ns,
                                                       .context = lab,
                                                       .holds = lab_holds,
                                                       .struck = on_struck,
                                                       .cut = on_cut});
    lab_calendar_spread(lab);
    lab_observe(lab);
    trace_zero(lab);
    workload_start(&lab->work);
    enum run_end end = lab_loop(lab);
    injector_disarm(lab->injector);
    return end;
}
