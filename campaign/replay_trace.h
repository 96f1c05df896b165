/*
 * The trace of one run, for Perfetto and Chrome's viewer, and what stops a run at one event of it.
 * What happens is noted as marks, numbered from 1 in the order in which it happens; the number is
 * what `--until` takes. Nothing of it is in the run: a traced run has the hash of any other.
 *
 * Invariants, of a written trace: (1) on each track time does not run backwards and the slices (X)
 * do not overlap; (2) every flow and every asynchronous event that begins, ends. A process that is
 * given two things in one ns has a slice of 1 ns of the first: marks are late by as much.
 */
#ifndef LORIS_CAMPAIGN_REPLAY_TRACE_H
#define LORIS_CAMPAIGN_REPLAY_TRACE_H

#include <stdint.h>
#include <stdio.h>

#include "campaign/trial.h"

struct replay_tracer;

struct replay_tracer *replay_tracer_create(void);
void replay_tracer_destroy(struct replay_tracer *t);

/* To be given to lab_trace; valid as long as *t. */
const struct lab_tracer *replay_tracer_lab(struct replay_tracer *t);

/* Calls stop once, as soon as `event` of the trial's run is noted, on the simulator's stack. It may
 * end the process; the run goes on if it returns. 0: never. */
void replay_tracer_stop_at(struct replay_tracer *t, uint64_t event, void (*stop)(void *context),
                           void *context);

/* Of the present run: the machine, NULL before the first; and how many events it has. */
struct sim_machine *replay_tracer_machine(const struct replay_tracer *t);
uint64_t replay_tracer_events(const struct replay_tracer *t);

/* Notes how the trial ended. */
void replay_tracer_verdict(struct replay_tracer *t, const char *level, const char *story);

/* What every process and disk does now, and the last events, a line each. */
void replay_tracer_tell(const struct replay_tracer *t, FILE *to);

/* Writes the hash of the run up to each event, 8 bytes each, little-endian: two files differ from
 * the first event on that does. To be called before replay_tracer_write. The caller looks at
 * ferror. */
void replay_tracer_record(const struct replay_tracer *t, FILE *to);

/* Writes the trace as a JSON object. Nothing can be noted after it. The caller looks at ferror. */
void replay_tracer_write(struct replay_tracer *t, FILE *to);

#endif
