/*
 * Which processes make a stack, and which of them fall together.
 */
#ifndef LORIS_STACK_PROGRAMS_H
#define LORIS_STACK_PROGRAMS_H

#include "sim/machine.h"
#include "stack/designs.h"

/*
 * The processes of a design on a machine, bottom first, in the order in which they are started.
 * Writes at most SIM_PROCESSES_MAX and returns how many.
 */
uint32_t design_programs(const struct design *design, const struct stack_options *options,
                         struct sim_program list[SIM_PROCESSES_MAX]);

/*
 * Whether the death of (layer, instance) takes (other, other_instance) down with it: an environment
 * falls with its VFS; a classic file system and its VFS are one, as under a monolithic kernel.
 * Applications are asked for with LAYER_APP and the environment that they run in.
 */
bool design_falls_with(const struct design *design, enum layer layer, uint32_t instance,
                       enum layer other, uint32_t other_instance);

/*
 * Whether this design ends all environments itself when a process below its cache dies, as a power
 * cut would: loris without its log goes back to the checkpoint, which no running application could
 * bear.
 */
bool design_ends_environments(const struct design *design, const struct stack_options *options);

#endif
