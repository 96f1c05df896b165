/*
 * A simulated process as the processor sees it: a stack to run on, and the ways to come back from
 * it. The simulator calls sim_coroutine_run, which returns for one of the reasons below; everything
 * that a process asks of the kernel is a trap, handled on the simulator's own stack, so a full or
 * corrupted process stack is never the simulator's.
 *
 * Stack code calls __sanitizer_cov_trace_pc (here) at each basic block. It counts down the blocks
 * that were granted; at 0 the process is switched out: that is how a crash hits the k-th block, how
 * a time slice ends, and how an endless loop is survived. A process that was switched out so can be
 * resumed or be dropped.
 *
 * Invariants: (1) one coroutine runs at most, and sim_cpu.running says which; (2) sim_cpu.running
 * is set and cleared on the simulator's stack only, so a fault during the switch counts as the
 * process's; (3) after SIGNAL, ASSERT or PANIC a coroutine is dead and is not resumed.
 *
 * The count is held in memory, or with SIM_BLOCKS_IN_REGISTER in r15, which then no code of the
 * program uses for anything else; stack code decrements it in place (scripts/count_blocks.sed). In
 * a register it costs a fifth of what it costs in memory, where each block waits for the store of
 * the last. It is the running process's alone: a switch keeps the simulator's r15, whose callers
 * (the C library, a test program) know nothing of this. So instrumented code runs in processes
 * only.
 *
 * One simulator a host process; the state is global because signal handlers and the block callback
 * have no argument to find it by.
 */
#ifndef LORIS_SIM_COROUTINE_H
#define LORIS_SIM_COROUTINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "assertion.h"
#include "sim/context.h"

/* What a basic block takes, on the PC of the messages' cost (kernel.h, with all other costs): five
 * instructions at 2 GHz and 2.5 a cycle (assumption; the host needs 0.3 ns). Also what makes a
 * block budget a time budget. */
#define COST_BLOCK_NS 1u

enum sim_stop {
    SIM_STOP_TRAP,   /* it called sim_coroutine_trap: a request for the kernel */
    SIM_STOP_BLOCKS, /* the granted blocks are used up */
    SIM_STOP_SIGNAL, /* a fault signal; dead */
    SIM_STOP_ASSERT, /* a failed assertion; dead */
    SIM_STOP_EXIT    /* the entry function returned; dead */
};

/* Why a coroutine died: valid after SIGNAL and ASSERT. */
struct sim_crash {
    int signal;            /* 0 for an assertion */
    uint64_t address;      /* of SIGSEGV and SIGBUS: what was accessed, 0 if the host cannot say */
    const char *condition; /* of an assertion: constant texts of the program */
    const char *file;
    int line;
};

struct sim_coroutine {
    void *sp; /* saved stack pointer while it does not run */
    uint8_t *stack_low;
    size_t stack_bytes;
    uint64_t blocks;     /* executed since the start */
    uint64_t charged_ns; /* CPU time charged by sim_coroutine_charge and not yet collected */
    void (*entry)(void *argument);
    void *argument;
    struct sim_crash crash;
    void *asan_stack; /* address sanitizer's fake stack, when built with it */
    bool started;     /* entered at least once */
};

struct sim_cpu {
    uint64_t blocks_left; /* until the running process is switched out: while it does not run */
    struct sim_coroutine *running; /* NULL: the simulator runs */
    void *simulator;               /* its stack pointer while a process runs */
    enum sim_stop stop;            /* why the process came back */
    uint64_t blocks_granted;
    const void *asan_low; /* the simulator's stack, for address sanitizer */
    size_t asan_bytes;
    void *asan_stack;
};
extern struct sim_cpu sim_cpu;

/*
 * Makes a coroutine that calls entry(argument) on the given stack (which must be zeroed by the
 * caller for a run to be reproducible). `colour` < 64 shifts the stack's top by cache lines so that
 * many stacks do not share cache sets. The crash handlers must be installed (crash.h).
 */
void sim_coroutine_init(struct sim_coroutine *co, uint8_t *stack_low, size_t stack_bytes,
                        uint32_t colour, void (*entry)(void *argument), void *argument);

/* Where the blocks left are counted while a process runs. */
#ifdef SIM_BLOCKS_IN_REGISTER
__extension__ register uint64_t sim_blocks_left __asm__("r15");
#else
#define sim_blocks_left sim_cpu.blocks_left
#endif

#ifdef __SANITIZE_ADDRESS__
/* The sanitizer must be told of each switch before and after; a dropped stack has no saved one. */
void sim_asan_leave_simulator(struct sim_coroutine *co);
void sim_asan_enter_simulator(void);
void sim_asan_leave_process(struct sim_coroutine *co);
void sim_asan_enter_process(struct sim_coroutine *co);
#else
#define sim_asan_leave_simulator(co) (void)(co)
#define sim_asan_enter_simulator() (void)0
#define sim_asan_leave_process(co) (void)(co)
#define sim_asan_enter_process(co) (void)(co)
#endif

/* Runs it until it stops for one of the reasons, at the latest after `blocks` >= 1 blocks. Inline,
 * as the next: context.h tells why. */
static inline enum sim_stop sim_coroutine_run(struct sim_coroutine *co, uint64_t blocks)
{
    ASSERT(sim_cpu.running == NULL);
    ASSERT(co->sp != NULL);
    ASSERT(blocks >= 1);
    sim_cpu.blocks_granted = blocks;
    sim_cpu.blocks_left = blocks;
    sim_asan_leave_simulator(co);
    sim_cpu.running = co;
    sim_context_switch_here(&sim_cpu.simulator, co->sp);
    sim_cpu.running = NULL;
    sim_asan_enter_simulator();
    co->blocks += sim_cpu.blocks_granted - sim_cpu.blocks_left;
    return sim_cpu.stop;
}

/* In a process: back to the simulator; returns when it is resumed. */
static inline void sim_coroutine_leave(enum sim_stop stop)
{
    struct sim_coroutine *co = sim_cpu.running;
    sim_cpu.stop = stop;
    sim_cpu.blocks_left = sim_blocks_left;
    sim_asan_leave_process(co);
    sim_context_switch_here(&co->sp, sim_cpu.simulator);
    sim_asan_enter_process(co);
    sim_blocks_left = sim_cpu.blocks_left;
}

/* The same with SIM_STOP_TRAP: a request for the kernel. */
static inline void sim_coroutine_trap(void)
{
    sim_coroutine_leave(SIM_STOP_TRAP);
}

/* In a process: gives up the CPU for good. */
_Noreturn void sim_coroutine_end(enum sim_stop stop);

/* In a process: no blocks are left. Returns when it was granted more. */
void sim_coroutine_blocks_used_up(void);

/* In a process: so many blocks less are left, but none was executed. If none is left it comes back
 * at once. */
static inline void sim_coroutine_shorten(uint64_t blocks)
{
    uint64_t cut = blocks < sim_blocks_left ? blocks : sim_blocks_left;
    sim_cpu.blocks_granted -= cut;
    sim_blocks_left -= cut;
    if (sim_blocks_left == 0)
        sim_coroutine_blocks_used_up();
}

/* In a process: adds CPU time for work that the block count does not see, and takes it off what the
 * process may still run. */
static inline void sim_coroutine_charge(uint64_t ns)
{
    if (sim_cpu.running == NULL)
        return;
    sim_cpu.running->charged_ns += ns;
    sim_coroutine_shorten(ns / COST_BLOCK_NS);
}

/* In a process: blocks executed in this run of sim_coroutine_run so far. */
static inline uint64_t sim_coroutine_blocks_now(void)
{
    return sim_cpu.blocks_granted - sim_blocks_left;
}

/* In a process: adds these to the blocks it has executed, as coming back would. */
static inline void sim_coroutine_settle(struct sim_coroutine *co)
{
    co->blocks += sim_coroutine_blocks_now();
    sim_cpu.blocks_granted = sim_blocks_left;
}

/* The callback that instrumented code makes at each basic block; nothing in the simulator. */
void __sanitizer_cov_trace_pc(void);

#endif
