/*
 * Switching between stacks: all that depends on the processor. A context is its saved stack
 * pointer; the callee-saved registers and the address to go on at lie below it on its stack.
 *
 * The switch saves no flags, no mxcsr and no x87 control word (code that changes them is a bug),
 * and ends in a jump, not a return: the return would be mispredicted each time (2 ns against 10).
 */
#ifndef LORIS_SIM_CONTEXT_H
#define LORIS_SIM_CONTEXT_H

/* Saves the present context's stack pointer in *save and goes on in `load`. Returns when somebody
 * switches back. */
void sim_context_switch(void **save, void *load);

/* Goes on in `load`; the present context is lost, wherever its stack pointer may point. */
_Noreturn void sim_context_drop(void *load);

/*
 * Makes a context that begins by calling entry() on the stack that ends at stack_top (aligned to 64
 * bytes), with all saved registers 0. entry must not return. Returns its stack pointer.
 */
void *sim_context_make(void *stack_top, void (*entry)(void));

#endif
