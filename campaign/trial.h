/*
 * One trial from reset to verdict: builds the machine of a variant, boots the stack, starts the
 * applications, arms the faults, runs, reads back, judges, and fills one record. A laboratory is
 * what one worker's child has: it is used for many trials, one after the other.
 *
 * A job is (variant, workload, n): lab_begin runs it without faults, which tells how much there is
 * to strike (struct offer), then lab_trial runs each fault plan of it. The record of an empty plan
 * is that of the fault-free run.
 *
 * Invariants: (1) a record depends on the plan, the build and the place (cell, n) alone, not on
 * what the laboratory ran before; (2) everything a trial changed is undone by the next reset.
 */
#ifndef LORIS_CAMPAIGN_TRIAL_H
#define LORIS_CAMPAIGN_TRIAL_H

#include <stdio.h>

#include "campaign/plan.h"
#include "planted.h"
#include "results/record.h"
#include "sim/machine.h"

struct lab;

/* Makes the laboratory of a plan, which must outlive it. One a process. */
struct lab *lab_create(const struct plan *plan);
void lab_destroy(struct lab *lab);

/* Begins a job: the fault-free run of (variant, workload, n). Formats and seals the disks if the
 * variant is another than before. */
void lab_begin(struct lab *lab, uint32_t variant, uint32_t workload, uint64_t n);

/* Runs fault plan `fault` of the job that was begun and fills *record, wall_ns included. */
void lab_trial(struct lab *lab, uint32_t fault, struct trial_record *record);

/* The same with these faults in place of the plan's, whose cell the record is of: what `uniform`
 * and `any` of the plan can be (explore_strike.c). Neither is empty. */
void lab_trial_with(struct lab *lab, uint32_t fault, const struct fault_plan *faults,
                    struct trial_record *record);

/* The last trial may have corrupted this process: send the record, then end the child. */
bool lab_must_retire(const struct lab *lab);

/* Host time by what it was spent on, since lab_create, ns: for `loris bench`. */
struct lab_times {
    uint64_t boot_ns, workload_ns, recovery_ns, judge_ns, reset_ns, trials;
};
struct lab_times lab_times(const struct lab *lab);

/* From now on every event of a trial is told to `out` as it happens, a line each (replay). NULL:
 * no. */
void lab_tell(struct lab *lab, FILE *out);

/*
 * Who traces the runs (replay_trace.c). All its functions are called on the simulator's stack; none
 * may change the machine but by ending this process.
 */
struct lab_tracer {
    void *context;
    /* A run begins, on a machine just reset: what was traced is void. trial: it is the run that a
     * trial is, not one that measures. m NULL: from now on this process, a copy that only judges,
     * traces nothing. */
    void (*begin)(void *context, struct sim_machine *m, bool trial);
    /* Time 0 of the trial is now; apps: the environment of each application. */
    void (*zero)(void *context, const uint32_t *environments, uint32_t apps);
    void (*event)(void *context, const char *layer, const char *what, const char *detail);
};

/* All runs from now on tell it; NULL: nobody. It must outlive the laboratory's runs. A traced run
 * has the same hash and times as any other. */
void lab_trace(struct lab *lab, const struct lab_tracer *tracer);

/* After lab_begin, until the next: what is closed while a process runs (sim/machine.h). Changes no
 * outcome but that of wild stores. False if the laboratory's own memory cannot be closed here. */
bool lab_set_strict(struct lab *lab, enum sim_strict strict);

/* ---- For `loris shrink`: more than a record tells ----------------------------------------------
 */

struct history_call;
struct history_answer;
struct judge_verdict;
struct offer;
struct strike;

/* Who hears each call of an application; the times are since time 0. */
struct lab_listener {
    void *context;
    void (*start)(void *context, uint32_t apps); /* a run begins: what was heard is void */
    void (*call)(void *context, uint32_t app, uint64_t now_ns, const struct history_call *call);
    void (*answer)(void *context, uint32_t app, uint64_t now_ns, const struct history_call *call,
                   const struct history_answer *answer);
};

/* All runs from now on tell it; NULL: nobody. It must outlive the laboratory's runs. */
void lab_listen(struct lab *lab, const struct lab_listener *listener);

/* Of the last trial: why it has its level; what became of fault i; and what the fault-free run of
 * its job offered. Valid until the next trial or job. */
const struct judge_verdict *lab_verdict(const struct lab *lab);
const struct strike *lab_strike(const struct lab *lab, uint32_t i);
const struct offer *lab_offer(const struct lab *lab);

#ifdef LORIS_PLANTED
/* Trials run with this defect of the stack from now on. */
void lab_plant(struct lab *lab, enum planted bug);
#endif

#endif
