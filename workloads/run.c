#include "workloads/run.h"

#include <stdio.h>

#include "assertion.h"
#include "sim/rng.h"
#include "workloads/app.h"
#include "workloads/oracle/base.h"

static app_main *const mains[APP_KINDS] = {
    [APP_POSTMARK] = postmark_main, [APP_FSX] = fsx_main,
    [APP_FSSTRESS] = fsstress_main, [APP_SCRIPT] = script_main,
    [APP_BANK] = bank_main,         [APP_MV_GREP] = mv_grep_main,
    [APP_EDITOR] = editor_main,     [APP_APPEND_LOG] = append_log_main,
    [APP_BOUNDED] = script_main,
};

static void add_copy(struct workload_run *run, const struct workload_part *part, uint32_t copy,
                     uint32_t environments, uint64_t draw_seed)
{
    ASSERT(run->app_count < WORKLOAD_APPS_MAX);
    struct workload_app *app = &run->app[run->app_count];
    *app = (struct workload_app){.run = run,
                                 .part = part,
                                 .number = run->app_count,
                                 .copy = copy,
                                 .environment = copy % environments,
                                 .draw_key = sim_rng_mix(draw_seed, run->app_count)};
    uint32_t number = history_add_app(run->history, app->environment);
    ASSERT(number == app->number);
    run->app_count++;
}

void workload_prepare(struct workload_run *run, struct sim_machine *machine,
                      struct history *history, const struct workload_part *parts, uint32_t count,
                      uint32_t environments, uint32_t copies, uint64_t draw_seed)
{
    ASSERT(environments >= 1 && copies >= 1);
    *run = (struct workload_run){.machine = machine, .history = history};
    history_reset(history, environments);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t wanted = app_copies(parts[i].options, copies);
        for (uint32_t c = 0; c < wanted; c++)
            add_copy(run, &parts[i], c, environments, draw_seed);
    }
}

struct start {
    struct workload_app *self;
    struct app *app;
};

/* Copies what the process needs into its own memory. */
static void configure(void *argument)
{
    const struct start *s = argument;
    const struct workload_app *w = s->self;
    struct app *a = s->app;
    const struct option_set *o = w->part->options;
    a->self = s->self;
    a->draw_key = w->draw_key;
    a->life_key = w->life == 0 ? w->draw_key : sim_rng_mix(w->draw_key, w->life);
    a->again = w->life > 0;
    a->step = w->steps;
    a->resumes = w->run->resumes;
    a->options = o;
    a->script = w->part->script;
    a->copy = w->copy;
    a->share = option_real(o, "share");
    a->rests = w->run->hooks.rests_until != NULL;
    (void)snprintf(a->home, sizeof(a->home), "app%u", w->number);
    (void)snprintf(a->shared_home, sizeof(a->shared_home), "shared/app%u", w->number);
}

static void finish(void *argument)
{
    struct workload_app *w = argument;
    w->ended = true;
    history_leave(w->run->history, w->number);
    if (w->run->hooks.on_end != NULL)
        w->run->hooks.on_end(w->run->hooks.context);
}

/* What each application process runs. */
static void run_app(void *argument)
{
    struct workload_app *self = argument;
    struct app *a = plat_alloc(sizeof(*a), TAG_HEAP);
    ASSERT(a != NULL);
    a->buffer = plat_alloc(APP_BUFFER_BYTES, TAG_HEAP);
    ASSERT(a->buffer != NULL);
    sim_trap(configure, &(struct start){.self = self, .app = a});
    a->sync_every = app_number(a, "sync");
    client_init(&a->client, self->environment);
    mains[self->part->info->kind](a);
    sim_trap(finish, self);
}

void workload_start(struct workload_run *run)
{
    run->origin_ns = sim_machine_now(run->machine);
    for (uint32_t i = 0; i < run->app_count; i++)
        sim_machine_spawn_app(run->machine, run->app[i].number, run_app, &run->app[i]);
}

bool workload_over(const struct workload_run *run)
{
    for (uint32_t i = 0; i < run->app_count; i++)
        if (!run->app[i].ended && !run->app[i].dead)
            return false;
    return true;
}

uint32_t workload_kill(struct workload_run *run, uint32_t environment, enum history_death why)
{
    uint32_t killed = 0;
    for (uint32_t i = 0; i < run->app_count; i++) {
        struct workload_app *w = &run->app[i];
        if (w->ended || w->dead || (environment != UINT32_MAX && w->environment != environment))
            continue;
        w->dead = true;
        killed++;
        history_kill(run->history, w->number, sim_machine_now(run->machine) - run->origin_ns, why);
        (void)sim_machine_kill(run->machine, LAYER_APP, w->number, SIM_DEATH_KILLED);
    }
    return killed;
}

bool workload_has_dead(const struct workload_run *run)
{
    for (uint32_t i = 0; i < run->app_count; i++)
        if (run->app[i].dead && !run->app[i].ended)
            return true;
    return false;
}

uint32_t workload_resume(struct workload_run *run)
{
    uint32_t count = 0;
    ASSERT(run->resumes);
    for (uint32_t i = 0; i < run->app_count; i++) {
        struct workload_app *w = &run->app[i];
        if (!w->dead || w->ended)
            continue;
        w->dead = false;
        w->life++;
        history_revive(run->history, w->number);
        sim_machine_spawn_app(run->machine, w->number, run_app, w);
        count++;
    }
    return count;
}
