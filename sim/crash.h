/*
 * Crashes: a fault signal or a failed assertion while a simulated process runs ends that process
 * and is an outcome of the trial; at any other time it is a defect of loris: a line on stderr with
 * what is known of the trial, and exit status 3.
 *
 * The handler runs on its own stack, leaves by a switch into the simulator and never returns (but
 * where it was asked to mend the fault, and could), so nothing of the dead process (mxcsr,
 * direction flag, signal mask) reaches the simulator.
 */
#ifndef LORIS_SIM_CRASH_H
#define LORIS_SIM_CRASH_H

#include <stdbool.h>
#include <stdint.h>

#define SIM_DEFECT_STATUS 3

/* Installs the handlers for SEGV, BUS, FPE, ILL and ABRT and the alternate stack. Idempotent. */
void sim_crash_install(void);

/*
 * What to print if loris itself fails: `describe` writes a short text ("trial 7 of x.yaml at 3.2
 * s") into the buffer, using no allocation. NULL: nothing is known. Kept until replaced.
 */
void sim_crash_describe_by(void (*describe)(void *context, char *text, uint32_t size),
                           void *context);

/*
 * Who is asked first of a store or load that faults, wherever it came from: true if it can be done
 * again now. Called on the handler's stack. NULL: nobody.
 */
void sim_crash_mend_by(bool (*mend)(void *context, uint64_t address), void *context);

#endif
