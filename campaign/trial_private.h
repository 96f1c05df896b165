/*
 * The inside of a laboratory, shared by the files trial_*.c: what a run in progress knows, and the
 * steps of a trial in the order in which they are taken.
 */
#ifndef LORIS_CAMPAIGN_TRIAL_PRIVATE_H
#define LORIS_CAMPAIGN_TRIAL_PRIVATE_H

#include "campaign/trial.h"
#include "faults/inject.h"
#include "sim/machine.h"
#include "stack/programs.h"
#include "workloads/oracle/judge.h"
#include "workloads/reader.h"
#include "workloads/run.h"

#define NO_FAULT UINT32_MAX
#define LAB_STEP_NS 1000000000ull /* how often a wait looks at its limit */

/* How a run of the machine ended. */
enum run_end {
    RUN_OVER,    /* applications over, nothing to come, full service */
    RUN_HANGS,   /* no progress within the limit, though all services are up */
    RUN_RECOVERS /* full service did not come back within the limit */
};

/* What happens during one run of the machine, from time 0. */
struct run_state {
    const struct fault_plan *faults;
    uint32_t fault_count;                       /* armed: the first ones of the plan */
    uint64_t origin_ns;                         /* machine time of time 0 */
    uint64_t progress_ns;                       /* machine time of the last sign of progress */
    uint64_t progress_seen_ns, progress_blocks; /* the same, and blocks executed by then */
    uint64_t power_on_ns; /* machine time at which power returns; 0: it is on */
    uint32_t cut_wanted;  /* fault that is a power cut to be carried out, NO_FAULT */
    uint32_t recovering;  /* layers that said that a recovery runs: a bit a layer */
    bool in_service;      /* all up, none recovering */
    bool in_cascade;      /* a death is taking others down */
    uint32_t last_struck; /* fault, NO_FAULT: none yet */
    bool undetected;      /* last_struck has not been noticed yet */
    uint64_t recovery_begin_ns[FAULTS_PER_PLAN_MAX]; /* after fault i; 0: none */
    uint64_t recovery_end_ns[FAULTS_PER_PLAN_MAX];
    uint32_t returns;    /* to full service so far */
    uint64_t lost_ns;    /* machine time at which service was last lost */
    uint64_t down_ns;    /* without full service, in all, while it came back */
    uint64_t longest_ns; /* the longest of these times, without power apart */
    uint64_t back_ns;    /* machine time from which the present one counts for it */
    uint64_t struck_ns;  /* since time 0: the last strike */
    bool unseen;         /* it struck since the tree was last looked at */
    uint64_t service_ns; /* machine time of the last of them */
    uint64_t rebuilt_ns; /* since time 0; 0: never */
    uint32_t rebuilding; /* disks that are being made whole: a bit a disk; and CHECK_BIT */
    uint32_t whole;      /* disks that have all that they should: as far as we know, a bit a disk */
    bool beyond;         /* more disks were gone at a time than the design bears */
    bool judging;        /* the run is over: what is noticed from now on, the judge provoked */
    bool boot_unjudged;  /* power came back, and what it found has not been judged yet */
    bool resumes;        /* applications that died start again after a loss of power */
    bool state_missed;   /* a power cut was to leave a crash state that there is not */
    bool lists_events;   /* into the record */
};

/* Calendar time of a trial (trial_calendar.c). */
#define CALENDAR_ANCHORS_MAX 1024u
#define CALENDAR_EVENTS 2u /* of lab_calendar_end */
struct calendar {
    uint64_t over_ns; /* how long the trial lasts; 0: as long as its applications */
    uint32_t count;   /* moments around which the applications work */
    struct {
        uint64_t at_ns; /* since time 0 */
        double share;   /* of the work that is done by then */
    } anchor[CALENDAR_ANCHORS_MAX];
    uint64_t worked_ns; /* machine time of the last sign of work */
    uint64_t work;      /* the counts that showed it */
    uint64_t loss_ns;   /* since time 0: the strike after which something synced was missing */
    bool lost;
};

/* What applications have written, as of a moment (trial_content.c). */
struct content_index {
    uint64_t *word; /* sorted; room is kept */
    size_t count, room;
    const char *path; /* of that file alone; NULL: of all */
    uint64_t at_ns;
    bool listed; /* in this run */
};

/* What the second boot of a judgement found; what it read is in lab->again. */
struct second_look {
    struct judge_checker checker;
    bool booted, walked;
    enum err walk[ENVIRONMENTS_MAX], probe[ENVIRONMENTS_MAX];
};

struct lab {
    const struct plan *plan;
    uint32_t variant, workload; /* of the job; NO_FAULT: none yet */
    uint64_t n;
    struct sim_machine *machine; /* of the variant */
    struct sim_program programs[SIM_PROCESSES_MAX];
    uint32_t program_count;
    struct history *history;
    struct observation *seen, *again;
    struct judge *judge;
    struct injector *injector;
    struct content_index content;
    struct workload_run work;
    struct run_state run;
    struct offer offer;                         /* of the job's fault-free run */
    uint64_t app_operations[WORKLOAD_APPS_MAX]; /* of the same, by application */
    struct calendar calendar;
    bool has_base; /* of the job */
    struct judge_verdict base_verdict;
    struct judge_verdict boots; /* of all boots before the last: the weakest of each */
    uint32_t boots_judged;
    struct trial_record base;    /* its record, but for the cell */
    struct trial_record *record; /* being filled: events go there */
    struct sim_record *recorder; /* of a plan that chooses crash states; NULL: none yet */
    struct sim_states *states;
    struct trial_record *heard; /* events go there too, if there is one (explore.c) */
    const struct strike *told;  /* what struck, where no injector did (explore.c) */
    /* In place of lab_look_again, or NULL (explore_second.c). */
    void (*look_again)(void *context, struct second_look *to);
    void *look_again_context;
    struct sim_disk_stats disk_base[DISKS_MAX]; /* at time 0 */
    struct lab_times times;
    struct sample *samples; /* room for latencies, kept */
    size_t samples_room;
    FILE *tell;
    const struct lab_listener *listener; /* or NULL */
    const struct lab_tracer *tracer;     /* or NULL */
    struct judge_verdict last;           /* of the last run that was judged */
    enum planted planted;
    char sequence[PLAN_APPS_MAX][BOUNDED_SCRIPT_BYTES]; /* what apps `bounded` run in this trial */
    bool retire;
};

static inline const struct plan_variant *lab_variant(const struct lab *lab)
{
    return &lab->plan->variants[lab->variant];
}

/* Time since time 0. */
uint64_t lab_now(const struct lab *lab);

/* An event of the trial: into the record, and told. detail may be NULL. */
void lab_event(struct lab *lab, const char *layer, const char *what, const char *detail);

/* trial_machine.c: makes the machine of the variant, formats its disks, seals them. */
void lab_build_machine(struct lab *lab);
/* Boots the stack on what the disks hold; runs until all are up. False: not within the limit. */
bool lab_boot(struct lab *lab);
/* Runs readers of this task in all environments to their end. result: of each, OK or the first
 * error that it met, E_TIMEOUT if it made no progress within the limit. True: all OK. */
bool lab_read(struct lab *lab, enum reader_task task, struct observation *o,
              enum err result[ENVIRONMENTS_MAX]);

/* trial_run.c: the run from time 0 with the first `count` faults of the plan (NULL: none). */
enum run_end lab_run(struct lab *lab, const struct fault_plan *faults, uint32_t count,
                     const uint64_t *recovery_ns);
/* The loop of a run in which power is off until run.power_on_ns: to its end. */
enum run_end lab_loop(struct lab *lab);
/* Observers of the machine, in force from boot to the end of the trial. */
void lab_observe(struct lab *lab);
/* Runs on until a check beside service is over, or for the plan's limit. */
void lab_await_check(struct lab *lab);

/* trial_state.c: records a run whose plan chooses crash states; from the reset on. Else nothing. */
void lab_states_begin(struct lab *lab, const struct fault_plan *faults, uint32_t count);
void lab_states_end(struct lab *lab);
/* Cuts the power so that it leaves this state. */
void lab_states_cut(struct lab *lab, const struct fault_state *state);
/* Before the machine goes. */
void lab_states_forget(struct lab *lab);

/* trial.c: makes the laboratory that of a job, without running anything. True: with a new machine.
 */
bool lab_prepare(struct lab *lab, uint32_t variant, uint32_t workload, uint64_t n);
/* trial.c: a machine as at the begin of every run: reset and observed. */
void lab_reset(struct lab *lab, bool lists_events);
/* trial.c: the cell, number and promises of a record. */
void lab_fill_place(const struct lab *lab, uint32_t fault, struct trial_record *record);

/* trial_judge.c: reads back, stops, checks, boots, reads again, probes; judges. */
void lab_judge(struct lab *lab, enum run_end end, struct judge_verdict *verdict);
/* The first half of it: fills *in but for the history. False: not all could be read. */
bool lab_look(struct lab *lab, enum run_end end, struct judge_input *in);
/* Its second half, while the machine is off: checks, boots, reads again, probes. */
void lab_look_again(struct lab *lab, struct second_look *to);
/* What lab->history says of what was looked at. */
void lab_conclude(struct lab *lab, const struct judge_input *in, bool walked,
                  struct judge_verdict *verdict);
/* The same of a boot in the middle of a trial: only reads back. The machine goes on from there. */
void lab_judge_walk(struct lab *lab, struct judge_verdict *verdict);

/* trial_boot.c: judges what the present boot found, in a child that is a copy of this process, so
 * that the trial goes on as if nobody had looked; adds the verdict to lab->boots. Applications that
 * are to resume then start again on what was found. */
void lab_judge_boot(struct lab *lab);
/* Whether the present boot has yet to be judged so that applications can start again. */
bool lab_awaits_resume(const struct lab *lab);

/* The same after a strike, but as at the end of a trial, with a stop and a boot, since a cache
 * hides what the disks have lost; notes the first loss that it finds. */
void lab_judge_strike(struct lab *lab);

/* trial_calendar.c: before lab_run arms its faults, after it has; whether the calendar is over; and
 * jumps an idle stretch if this is one. */
void lab_calendar_begin(struct lab *lab);
void lab_calendar_spread(struct lab *lab);
bool lab_calendar_over(const struct lab *lab);
void lab_calendar_skip(struct lab *lab);
/* The machine's time until which an application rests: of struct workload_hooks. */
uint64_t lab_rests_until(void *context, uint32_t number);
/* Once the trial is judged: into the record, as events, how long there was no full service (ns) and
 * when something was lost. */
void lab_calendar_end(struct lab *lab, enum run_end end, enum level level);
/* Something of it that was synced is missing at this judgement. */
void lab_calendar_note_loss(struct lab *lab, enum level level);

/* trial_record.c */
void lab_fill_offer(struct lab *lab);
void lab_fill_run(struct lab *lab, struct trial_record *record);
void lab_fill_verdict(struct lab *lab, const struct judge_verdict *verdict,
                      struct trial_record *record);

/* promise.c: the options that promises are made for: the least redundant level that a file may get.
 */
struct stack_options promise_options(const struct plan_variant *variant,
                                     const struct plan_workload *workload);
/* What the design promises for a plan of faults under this variant; LEVEL_NONE: nothing.
 */
enum level promise_of_plan(const struct plan_variant *variant, const struct plan_workload *workload,
                           const struct fault_plan *faults);

/* trial_content.c: whether a sector has content of applications (inject_setup.holds). */
bool lab_holds(void *context, const char *path, const uint8_t *bytes, uint32_t count);

#endif
