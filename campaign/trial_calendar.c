/*
 * Trials that last calendar time (`over`): a year with a few strikes, run in the time of its real
 * work.
 *
 * Work. A machine of a data centre works all year; a trial's operations are a sample of that work,
 * taken where it matters, around the strikes. Each strike meets the applications at a share of
 * their work that is drawn like any `uniform` moment, and they go on after it; in between they
 * rest. Without a strike their steps are spread evenly. So what a trial says is said of a machine
 * that works: what is rare because machines idle is rarer by as much.
 *
 * Time. While they rest, and the machine with them (sim_machine_rests), the clock is moved to the
 * next event but the heartbeats. Timers that led to nothing for QUIET_NS are habits (a sweep, a
 * question whether a disk is back): they are moved along too, but then no further than
 * HABIT_JUMP_NS at a time, since a process may have hidden the date of a scrub behind its habit.
 * Nothing is jumped while service is not whole, a disk is made whole, or a boot or strike is to be
 * judged.
 *
 * Loss. After each strike, when the stack serves in full again and rests, a forked child judges as
 * if the trial ended here. The first look that misses something synced says that the last strike
 * before it took it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "assertion.h"
#include "campaign/trial_private.h"
#include "sim/rng.h"

#define QUIET_NS UINT64_C(60000000000)         /* twice the update daemon's period */
#define HABIT_JUMP_NS UINT64_C(86400000000000) /* a day; with a scrub at most a part of its */
#define HABIT_JUMPS_A_SCRUB 8u                 /* period */

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

void lab_calendar_begin(struct lab *lab)
{
    struct calendar *c = &lab->calendar;
    c->over_ns = fault_plan_over_ns(lab->run.faults);
    c->count = 0;
    c->work = 0;
    c->worked_ns = sim_machine_now(lab->machine);
    c->loss_ns = 0;
    c->lost = false;
}

void lab_calendar_spread(struct lab *lab)
{
    struct calendar *c = &lab->calendar;
    double share[CALENDAR_ANCHORS_MAX];
    uint64_t at_ns = 0;
    if (c->over_ns == 0)
        return;
    size_t strikes = injector_rated(lab->injector, 0, &at_ns);
    size_t step = strikes / CALENDAR_ANCHORS_MAX + 1; /* of very many, every second, third, ... */
    uint64_t purpose =
        sim_rng_mix(sim_rng_purpose("calendar", 0), sim_rng_purpose(lab->run.faults->draw_name, 0));
    for (size_t k = 0; k < strikes; k += step) {
        (void)injector_rated(lab->injector, k, &at_ns);
        share[c->count] = sim_rng_draw_unit(lab->plan->seed, lab->n, purpose, k);
        c->anchor[c->count++].at_ns = at_ns;
    }
    qsort(share, c->count, sizeof(share[0]), by_value);
    for (uint32_t k = 0; k < c->count; k++)
        c->anchor[k].share = share[k];
}

/* When, since time 0, work that is done up to this share goes on. */
static uint64_t place_of(const struct calendar *c, double share, uint64_t run_ns)
{
    if (c->count == 0)
        return (uint64_t)(share * (double)c->over_ns);
    uint32_t k = 0;
    while (k + 1 < c->count && share >= (c->anchor[k].share + c->anchor[k + 1].share) / 2)
        k++;
    double at = (double)c->anchor[k].at_ns + (share - c->anchor[k].share) * (double)run_ns;
    return at > 0 ? (uint64_t)at : 0;
}

uint64_t lab_rests_until(void *context, uint32_t number)
{
    const struct lab *lab = context;
    const struct calendar *c = &lab->calendar;
    uint64_t all = lab->app_operations[number], done = lab->work.app[number].operations;
    if (c->over_ns == 0 || done >= all)
        return 0;
    uint64_t at_ns = place_of(c, (double)done / (double)all, lab->offer.run_ns);
    return lab->run.origin_ns + (at_ns < c->over_ns ? at_ns : c->over_ns);
}

bool lab_calendar_over(const struct lab *lab)
{
    return lab_now(lab) >= lab->calendar.over_ns;
}

void lab_calendar_note_loss(struct lab *lab, enum level level)
{
    struct calendar *c = &lab->calendar;
    if (c->over_ns == 0 || c->lost || level <= LEVEL_SYNCED)
        return;
    c->lost = true;
    c->loss_ns = lab->run.struck_ns;
}

/* Counts that rise with whatever is done for somebody. */
static uint64_t work_done(const struct lab *lab)
{
    uint64_t work = lab->work.operations + lab->run.returns;
    for (uint32_t d = 0; d < sim_machine_disks(lab->machine); d++) {
        struct sim_disk *disk = sim_machine_disk(lab->machine, d);
        if (!sim_disk_failed(disk)) /* asking a dead one is no work */
            work += sim_disk_stats(disk).requests;
        else
            work += UINT64_C(1) << 48; /* that it died, or is back, is */
    }
    return work;
}

static void note_work(struct lab *lab)
{
    struct calendar *c = &lab->calendar;
    uint64_t work = work_done(lab);
    if (work == c->work)
        return;
    c->work = work;
    c->worked_ns = sim_machine_now(lab->machine);
    sim_machine_worked(lab->machine);
}

/* How far the clock may be moved at once, habits included. */
static uint64_t habit_jump_ns(const struct lab *lab)
{
    uint64_t scrub_ns = lab_variant(lab)->stack.scrub_ns / HABIT_JUMPS_A_SCRUB;
    return scrub_ns > 0 && scrub_ns < HABIT_JUMP_NS ? scrub_ns : HABIT_JUMP_NS;
}

void lab_calendar_skip(struct lab *lab)
{
    struct calendar *c = &lab->calendar;
    if (c->over_ns == 0)
        return;
    note_work(lab);
    bool whole = lab->run.in_service && lab->run.rebuilding == 0 && !lab->run.boot_unjudged &&
                 lab->run.cut_wanted == NO_FAULT && lab->run.power_on_ns == 0;
    if (!whole || !sim_machine_rests(lab->machine))
        return;
    if (lab->run.unseen)
        lab_judge_strike(lab);
    uint64_t now = sim_machine_now(lab->machine), end = lab->run.origin_ns + c->over_ns;
    bool quiet = now - c->worked_ns >= QUIET_NS;
    uint64_t far = quiet ? now + habit_jump_ns(lab) : end;
    uint64_t to = far < end ? far : end;
    if (to <= now)
        return;
    if (sim_machine_jump(lab->machine, to, quiet) > 0)
        lab->run.progress_ns = sim_machine_now(lab->machine);
}

/* What follows a run that hangs, or never comes back, is time without service too. */
static uint64_t down_ns(const struct lab *lab, enum run_end end)
{
    uint64_t stop = lab->run.origin_ns + lab->calendar.over_ns;
    uint64_t from = end == RUN_HANGS ? lab->run.progress_ns : lab->run.lost_ns;
    uint64_t rest = end != RUN_OVER && stop > from ? stop - from : 0;
    return lab->run.down_ns + rest;
}

void lab_calendar_end(struct lab *lab, enum run_end end, enum level level)
{
    const struct calendar *c = &lab->calendar;
    struct trial_record *r = lab->record;
    char detail[RECORD_DETAIL_BYTES];
    if (c->over_ns == 0)
        return;
    lab_calendar_note_loss(lab, level);
    (void)snprintf(detail, sizeof(detail), "%" PRIu64, down_ns(lab, end));
    record_add_event(r, c->over_ns, "calendar", "down", detail);
    if (c->lost)
        record_add_event(r, c->loss_ns, "calendar", "loss", level_name(level));
}
