/*
 * From a run and its verdict to the record that is stored.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "campaign/trial_private.h"
#include "results/samples.h"

/* Checkpoints come by the dozen: they leave half of the list to what happens because of a fault. */
static bool has_room_for(struct trial_record *record, const char *what)
{
    if (record->event_count + CALENDAR_EVENTS >= RECORD_EVENTS_MAX) {
        record->dropped++; /* the calendar's own come last */
        return false;
    }
    if (strcmp(what, "checkpoint") != 0 || record->event_count < RECORD_EVENTS_MAX / 2)
        return true;
    record->dropped++;
    return false;
}

void lab_event(struct lab *lab, const char *layer, const char *what, const char *detail)
{
    uint64_t now = lab_now(lab);
    uint64_t listed = lab->run.origin_ns == 0 ? 0 : now; /* the boot is before time 0 */
    if (lab->record != NULL && lab->run.lists_events && has_room_for(lab->record, what))
        record_add_event(lab->record, listed, layer, what, detail);
    if (lab->heard != NULL)
        record_add_event(lab->heard, now, layer, what, detail);
    if (lab->tracer != NULL)
        lab->tracer->event(lab->tracer->context, layer, what, detail);
    if (lab->tell != NULL)
        (void)fprintf(lab->tell, "%14.6f ms  %-9s %-15s %s\n", (double)now / 1e6, layer, what,
                      detail != NULL ? detail : "");
}

void lab_fill_offer(struct lab *lab)
{
    struct offer *o = &lab->offer;
    const struct sim_machine *m = lab->machine;
    *o = (struct offer){
        .run_ns = lab_now(lab), .operations = lab->work.operations, .marks = lab->work.marks};
    for (uint32_t d = 0; d < sim_machine_disks(m); d++) {
        struct sim_disk_stats s = sim_disk_stats(sim_machine_disk(lab->machine, d));
        o->requests[d] = s.requests - lab->disk_base[d].requests;
        o->writes[d] = s.writes - lab->disk_base[d].writes;
    }
    for (uint32_t p = 0; p < lab->program_count; p++) {
        enum layer l = lab->programs[p].layer;
        uint32_t i = lab->programs[p].instance;
        struct sim_counts c = sim_machine_counts(m, l, i);
        ASSERT(i < OFFER_INSTANCES_MAX);
        o->messages[l][i] = c.messages;
        o->blocks[l][i] = c.blocks;
    }
    for (uint32_t a = 0; a < lab->work.app_count && a < OFFER_INSTANCES_MAX; a++)
        o->messages[LAYER_APP][a] = sim_machine_counts(m, LAYER_APP, a).messages;
    for (uint32_t p = 0; p < PROBE_COUNT; p++)
        o->probes[p] = sim_machine_probe_count(m, (enum probe)p);
}

/* ---- What the run says --------------------------------------------------------------------------
 */

/* How much of a fault that strikes several times took effect: ", 2 of 3". */
static const char *share_done(const struct strike *s, char *to, size_t room)
{
    to[0] = '\0';
    if (s->wanted > 1)
        (void)snprintf(to, room, ", %" PRIu64 " of %" PRIu64, s->done, s->wanted);
    return to;
}

/* Of a rate the strike that is told is the last: how many there were. */
static const char *times_struck(const struct lab *lab, uint32_t i, char *to, size_t room)
{
    (void)snprintf(to, room, ",\"strikes\":%" PRIu64, injector_times(lab->injector, i));
    return to;
}

static void fill_struck(const struct lab *lab, struct trial_record *r)
{
    size_t at = 0;
    char share[48], times[40];
    r->injected = !lab->run.state_missed;
    at += (size_t)snprintf(r->struck, sizeof(r->struck), "[");
    for (uint32_t i = 0; i < lab->run.fault_count; i++) {
        const struct strike *s = lab_strike(lab, i);
        bool rated = lab->run.faults->faults[i].at.kind == FAULT_AT_RATE;
        r->injected = r->injected && (rated || strike_is_whole(s));
        if (at >= sizeof(r->struck) - 256)
            continue; /* FAULTS_PER_PLAN_MAX entries fit */
        if (s->struck)
            at += (size_t)snprintf(r->struck + at, sizeof(r->struck) - at,
                                   "%s{\"time_ns\":%" PRIu64
                                   ",\"target\":\"%s\",\"position\":\"%s%s\"%s}",
                                   i > 0 ? "," : "", s->time_ns, s->target, s->position,
                                   share_done(s, share, sizeof(share)),
                                   rated ? times_struck(lab, i, times, sizeof(times)) : "");
        else
            at += (size_t)snprintf(r->struck + at, sizeof(r->struck) - at, "%snull",
                                   i > 0 ? "," : "");
    }
    (void)snprintf(r->struck + at, sizeof(r->struck) - at, "]");
}

/* Of those that applications wrote and were told OK, setup apart. */
static int64_t app_written(const struct lab *lab)
{
    uint64_t bytes = 0;
    for (uint32_t i = 1; i <= history_ops(lab->history); i++) {
        const struct history_op *op = history_op(lab->history, i);
        if (op->kind == HISTORY_WRITE && op->state == HISTORY_DONE)
            bytes += op->length;
    }
    return (int64_t)bytes;
}

void lab_fill_run(struct lab *lab, struct trial_record *r)
{
    struct sim_counts totals = sim_machine_totals(lab->machine);
    fill_struck(lab, r);
    r->sim_ns = r->exposure_ns = lab_now(lab);
    if (lab->calendar.over_ns > 0)
        r->exposure_ns = lab->calendar.over_ns;
    r->events = sim_engine_dispatched(sim_machine_engine(lab->machine));
    r->messages = totals.messages;
    r->blocks = totals.blocks;
    r->written = 0;
    r->app_written = app_written(lab);
    for (uint32_t d = 0; d < sim_machine_disks(lab->machine); d++) {
        struct sim_disk_stats s = sim_disk_stats(sim_machine_disk(lab->machine, d));
        r->ios += s.requests - lab->disk_base[d].requests;
        r->written += (int64_t)(s.bytes_written - lab->disk_base[d].bytes_written);
    }
    r->anomalies = lab->work.unexpected;
}

/* ---- What the judge says ------------------------------------------------------------------------
 */

static void fill_samples(struct lab *lab, const struct judge_verdict *v, struct trial_record *r)
{
    uint32_t ops = history_ops(lab->history);
    if (ops + 1 > lab->samples_room) {
        lab->samples_room = ops + 1 + ops / 2;
        free(lab->samples);
        lab->samples = malloc(lab->samples_room * sizeof(*lab->samples));
        ASSERT(lab->samples != NULL);
    }
    size_t count = 0;
    bool struck = v->fault_ns != HISTORY_NEVER;
    for (uint32_t i = 1; i <= ops; i++) {
        const struct history_op *op = history_op(lab->history, i);
        if (op->end_ns == HISTORY_NEVER || op->kind == HISTORY_SETUP)
            continue;
        enum phase phase = PHASE_BEFORE;
        if (struck && op->end_ns >= v->fault_ns)
            phase = v->service_ns != HISTORY_NEVER && op->start_ns > v->service_ns ? PHASE_AFTER
                                                                                   : PHASE_DURING;
        lab->samples[count++] = (struct sample){
            .op = history_kind_name(op->kind),
            .phase = phase,
            .latency_ns = op->end_ns - op->start_ns,
            .offset_ns = struck ? (int64_t)op->end_ns - (int64_t)v->fault_ns : 0,
            .has_offset = struck,
        };
    }
    samples_fill(r, lab->samples, count);
}

static void seconds(char *to, size_t room, uint64_t ns)
{
    if (ns < 1000000)
        (void)snprintf(to, room, "%.0f us", (double)ns / 1e3);
    else if (ns < 1000000000)
        (void)snprintf(to, room, "%.1f ms", (double)ns / 1e6);
    else if (ns >= UINT64_C(172800000000000))
        (void)snprintf(to, room, "%.2f days", (double)ns / 86400e9);
    else
        (void)snprintf(to, room, "%.2f s", (double)ns / 1e9);
}

/* "disk 1 at 2.13 s", of a rate with how many strikes came before. */
static void story_strike(const struct lab *lab, uint32_t i, char *to, size_t room)
{
    const struct strike *s = lab_strike(lab, i);
    uint64_t times = lab->told != NULL ? 1 : injector_times(lab->injector, i);
    char when[32];
    if (!s->struck) {
        (void)snprintf(to, room, "never struck");
        return;
    }
    seconds(when, sizeof(when), s->time_ns);
    int at = snprintf(to, room, "%s at %s", s->target, when);
    if (times > 1)
        (void)snprintf(to + at, room - (size_t)at, ", %" PRIu64 " before", times - 1);
}

/* A line that is built from left to right; what does not fit is left out. */
struct line {
    char *to;
    size_t room, at; /* at < room */
};

static void say(struct line *l, const char *form, ...) __attribute__((format(printf, 2, 3)));

static void say(struct line *l, const char *form, ...)
{
    va_list list;
    va_start(list, form);
    size_t more = (size_t)vsnprintf(l->to + l->at, l->room - l->at, form, list);
    va_end(list);
    l->at = more < l->room - l->at ? l->at + more : l->room - 1;
}

/* What comes behind it is worth more than the last of many strikes. */
static void story_strikes(const struct lab *lab, struct line *l)
{
    for (uint32_t i = 0; i < lab->run.fault_count && l->at + 256 < l->room; i++) {
        char strike[128];
        story_strike(lab, i, strike, sizeof(strike));
        say(l, "%s%s %s", i > 0 ? "; " : "", fault_kind_name(lab->run.faults->faults[i].kind),
            strike);
    }
}

/* One line for a person: what struck, how it was taken, what was left. */
static void fill_story(const struct lab *lab, const struct judge_verdict *v, struct trial_record *r)
{
    struct line l = {.to = r->story, .room = sizeof(r->story)};
    char text[32];
    story_strikes(lab, &l);
    if (l.at == 0)
        say(&l, "no fault");
    if (v->detected_by != NULL)
        say(&l, "; noticed by %s", v->detected_by);
    if (r->recovery_ns > 0) {
        seconds(text, sizeof(text), (uint64_t)r->recovery_ns);
        say(&l, "; full service after %s", text);
    }
    if (r->ops_lost > 0)
        say(&l, "; %" PRIu64 " operations lost, %" PRIu64 " synced", r->ops_lost, r->synced_lost);
    else if (v->level <= LEVEL_SYNCED)
        say(&l, "; nothing synced was lost");
    if (v->story[0] != '\0')
        say(&l, "; %s", v->story);
}

void lab_fill_verdict(struct lab *lab, const struct judge_verdict *v, struct trial_record *r)
{
    lab->last = *v;
    r->level = v->level;
    r->ops = v->ops;
    r->ops_failed = v->ops_failed;
    r->ops_lost = v->ops_lost;
    r->synced_lost = v->synced_lost;
    r->bytes_wrong = v->bytes_wrong;
    r->rpo_ns = v->rpo_ns;
    r->recovery_ns = v->recovery_ns < 0 ? RECORD_NULL : v->recovery_ns;
    if (lab->calendar.over_ns > 0 && r->recovery_ns != RECORD_NULL)
        r->recovery_ns = (int64_t)lab->run.longest_ns; /* of many recoveries the longest */
    r->outage_ns = (int64_t)judge_outage_ns(v, lab->has_base ? &lab->base_verdict : NULL);
    bool rebuilt = v->detected_ns != HISTORY_NEVER && lab->run.rebuilt_ns > v->detected_ns;
    r->rebuild_ns = rebuilt ? (int64_t)(lab->run.rebuilt_ns - v->detected_ns) : RECORD_NULL;
    r->environments_hit = v->environments_hit;
    r->undecided = v->undecided;
    record_text(r->detected_by, sizeof(r->detected_by),
                v->detected_by != NULL ? v->detected_by : "");
    r->environment_count = v->environments;
    for (uint32_t e = 0; e < v->environments; e++)
        r->environment[e] = (struct record_environment){.level = v->environment[e].level,
                                                        .killed = v->environment[e].killed};
    if (v->leaked_blocks > 0) {
        char detail[RECORD_DETAIL_BYTES];
        (void)snprintf(detail, sizeof(detail), "%" PRIu64, v->leaked_blocks);
        record_add_event(r, r->sim_ns, "checker", "leaked_blocks", detail);
    }
    for (uint32_t p = 0; p < PROBE_COUNT; p++)
        if (sim_machine_probe_count(lab->machine, (enum probe)p) > 0)
            r->probes[p / 64] |= UINT64_C(1) << (p % 64);
    fill_samples(lab, v, r);
    fill_story(lab, v, r);
}
