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

/*
 * The same, expanded where it is used. A switch by a call leaves an entry on the processor's stack
 * of return addresses that nobody will return to, and so every return after it is mispredicted; one
 * that was expanded leaves that stack as it was. Contexts are alike whichever saved them.
 */
static inline __attribute__((always_inline)) void sim_context_switch_here(void **save, void *load)
{
#if defined(__x86_64__)
    __asm__ volatile("lea -128(%%rsp), %%rsp\n\t" /* the red zone */
                     "lea 1f(%%rip), %%rcx\n\t"
                     "push %%rcx\n\t"
                     "push %%rbx\n\t"
                     "push %%rbp\n\t"
                     "push %%r12\n\t"
                     "push %%r13\n\t"
                     "push %%r14\n\t"
                     "push %%r15\n\t"
                     "mov %%rsp, (%%rdi)\n\t"
                     "mov %%rsi, %%rsp\n\t"
                     "pop %%r15\n\t"
                     "pop %%r14\n\t"
                     "pop %%r13\n\t"
                     "pop %%r12\n\t"
                     "pop %%rbp\n\t"
                     "pop %%rbx\n\t"
                     "pop %%rcx\n\t"
                     "jmp *%%rcx\n"
                     "1:\n\t"
                     "lea 128(%%rsp), %%rsp"
                     : "+D"(save), "+S"(load)
                     :
                     : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2",
                       "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
                       "xmm12", "xmm13", "xmm14", "xmm15", "cc", "memory");
#else
    sim_context_switch(save, load);
#endif
}

/* Goes on in `load`; the present context is lost, wherever its stack pointer may point. */
_Noreturn void sim_context_drop(void *load);

/*
 * Makes a context that begins by calling entry() on the stack that ends at stack_top (aligned to 64
 * bytes), with all saved registers 0. entry must not return. Returns its stack pointer.
 */
void *sim_context_make(void *stack_top, void (*entry)(void));

#endif
