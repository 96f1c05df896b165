/*
 * A debugger at one event of a replayed run. The run, a child process, stops itself there; its
 * parent starts gdb on it, which continues up to loris_stop_here() and then takes commands, from a
 * terminal or from whatever stdin is. When gdb continues or ends, the run goes on to its end.
 *
 * Invariants: (1) what gdb does not change, it does not change: the run has the hash of any other;
 * (2) a context that `loris-process` loads is put back before anything of the run goes on.
 */
#ifndef LORIS_CAMPAIGN_REPLAY_GDB_H
#define LORIS_CAMPAIGN_REPLAY_GDB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sim/machine.h"

/* Whether there is a gdb to start; else says so as an error of --gdb. */
bool replay_gdb_found(void);

/* In the run: waits until the parent has done with replay_gdb_attach, or gdb goes on. */
void replay_gdb_stop(struct sim_machine *m, uint64_t event);

/* In the parent, when the run has stopped itself: runs gdb until it ends, then lets the run go on.
 */
void replay_gdb_attach(pid_t run);

/* Where gdb stops the run: `event` of the trace has just been noted. */
void loris_stop_here(struct sim_machine *m, uint64_t event);

#endif
