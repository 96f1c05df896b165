/*
 * A workload in one trial: its applications spread over the environments, each a process of the
 * machine, with the history that they write. Applications end by themselves or die.
 */
#ifndef LORIS_WORKLOADS_RUN_H
#define LORIS_WORKLOADS_RUN_H

#include "sim/machine.h"
#include "sim/option.h"
#include "workloads/oracle/history.h"
#include "workloads/registry.h"

#define WORKLOAD_APPS_MAX (SIM_APPS_MAX - ENVIRONMENTS_MAX) /* the last ones are the readers' */

/* One entry of a workload of the plan. */
struct workload_part {
    const struct app_info *info;
    const struct option_set *options;
    const char *script; /* text of an operation list, or NULL */
};

struct workload_run;

struct workload_app {
    struct workload_run *run;
    const struct workload_part *part;
    uint32_t number; /* of the process (layer APP) and of the history */
    uint32_t copy;   /* within its part */
    uint32_t environment;
    uint64_t draw_key;
    uint32_t life;  /* how often it has started again */
    uint64_t steps; /* of its work that were begun, in all its lives; counted if it may resume */
    uint64_t operations; /* begun so far */
    bool ended;          /* main returned */
    bool dead;           /* killed */
};

/* Each may be NULL. They run in traps: they may kill, cut and stop. */
struct workload_hooks {
    void *context;
    /* The machine's time until which an application is to rest between two steps. */
    uint64_t (*rests_until)(void *context, uint32_t number);
    void (*on_op)(void *context, uint64_t n);   /* the n-th operation of all is about to be sent */
    void (*on_mark)(void *context, uint64_t n); /* the n-th mark of all scripts was passed */
    void (*on_end)(void *context);              /* an application ended */
    void (*on_unexpected)(void *context, const char *detail); /* not what a script's line expects */
    /* An application asks; it has its answer. In the order in which it does so. */
    void (*on_call)(void *context, uint32_t app, const struct history_call *call);
    void (*on_answer)(void *context, uint32_t app, const struct history_call *call,
                      const struct history_answer *answer);
};

struct workload_run {
    struct sim_machine *machine;
    struct history *history;
    struct workload_hooks hooks;
    struct workload_app app[WORKLOAD_APPS_MAX];
    uint32_t app_count;
    bool resumes;               /* workload_resume may be called: set before workload_start */
    uint64_t origin_ns;         /* machine time of time 0: the history counts from there */
    uint64_t operations, marks; /* begun so far */
    uint64_t unexpected;        /* answers that differ from what a script expects */
};

/*
 * Lays the applications out: copy c of a part runs in environment c mod environments. Resets the
 * history.
 * copies: of a part that does not say (app_copies). It is the machine's number of environments also
 * where a stack has one VFS for all (environments 1), so that every design gets the same work.
 * draw_seed: keyed by (campaign seed, workload's name, n) so that every variant sees the same
 * draws.
 */
void workload_prepare(struct workload_run *run, struct sim_machine *machine,
                      struct history *history, const struct workload_part *parts, uint32_t count,
                      uint32_t environments, uint32_t copies, uint64_t draw_seed);

/* Starts them all at the machine's present time, which is time 0. */
void workload_start(struct workload_run *run);

/* All have ended or died. */
bool workload_over(const struct workload_run *run);

/* The applications of an environment (UINT32_MAX: of all) are killed; returns how many were alive.
 */
uint32_t workload_kill(struct workload_run *run, uint32_t environment, enum history_death why);

/* Whether some died before they came to their end. */
bool workload_has_dead(const struct workload_run *run);

/* Those that died start again, at the machine's present time, on the tree that they find: each
 * begins with its own recovery and goes on with the steps that it had not begun, by draws of their
 * own. The history must have been rebased. Returns how many they are. */
uint32_t workload_resume(struct workload_run *run);

#endif
