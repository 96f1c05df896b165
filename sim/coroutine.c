/* Running processes and counting their blocks. */
#include "sim/coroutine.h"

#include "assertion.h"
#include "sim/context.h"

/* Granted to the simulator itself, which may call instrumented code: a century of blocks. */
#define BLOCKS_UNLIMITED (UINT64_C(1) << 62)
#define CACHE_LINE_BYTES 64u
#define COLOURS 64u

struct sim_cpu sim_cpu = {.blocks_left = BLOCKS_UNLIMITED};

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

/* Address sanitizer must be told of each switch before and after; a dropped stack has no saved one.
 */
static void asan_leave_simulator(const struct sim_coroutine *co)
{
    __sanitizer_start_switch_fiber(&sim_cpu.asan_stack, co->stack_low, co->stack_bytes);
}

static void asan_enter_simulator(void)
{
    __sanitizer_finish_switch_fiber(sim_cpu.asan_stack, NULL, NULL);
}

static void asan_leave_process(struct sim_coroutine *co, bool for_good)
{
    __sanitizer_start_switch_fiber(for_good ? NULL : &co->asan_stack, sim_cpu.asan_low,
                                   sim_cpu.asan_bytes);
}

static void asan_enter_process(struct sim_coroutine *co)
{
    __sanitizer_finish_switch_fiber(co->asan_stack, &sim_cpu.asan_low, &sim_cpu.asan_bytes);
}

static void asan_new_stack(const struct sim_coroutine *co)
{
    __asan_unpoison_memory_region(co->stack_low, co->stack_bytes);
}

/* Read by the sanitizer's runtime at its start: our handlers and alternate stack are in charge. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_stack_use_after_return=0:use_sigaltstack=0:detect_leaks=0";
}
#else
static inline void asan_leave_simulator(const struct sim_coroutine *co)
{
    (void)co;
}

static inline void asan_enter_simulator(void)
{
}

static inline void asan_leave_process(struct sim_coroutine *co, bool for_good)
{
    (void)co;
    (void)for_good;
}

static inline void asan_enter_process(struct sim_coroutine *co)
{
    (void)co;
}

static inline void asan_new_stack(const struct sim_coroutine *co)
{
    (void)co;
}
#endif

static void first_frame(void)
{
    struct sim_coroutine *co = sim_cpu.running;
    asan_enter_process(co);
    co->entry(co->argument);
    sim_coroutine_end(SIM_STOP_EXIT);
}

void sim_coroutine_init(struct sim_coroutine *co, uint8_t *stack_low, size_t stack_bytes,
                        uint32_t colour, void (*entry)(void *argument), void *argument)
{
    ASSERT(entry != NULL);
    ASSERT(colour < COLOURS);
    ASSERT(stack_bytes > 2 * COLOURS * CACHE_LINE_BYTES);
    *co = (struct sim_coroutine){
        .stack_low = stack_low, .stack_bytes = stack_bytes, .entry = entry, .argument = argument};
    asan_new_stack(co);
    uint8_t *top = stack_low + stack_bytes - (size_t)colour * CACHE_LINE_BYTES;
    co->sp = sim_context_make(top, first_frame);
}

enum sim_stop sim_coroutine_run(struct sim_coroutine *co, uint64_t blocks)
{
    ASSERT(sim_cpu.running == NULL);
    ASSERT(co->sp != NULL);
    ASSERT(blocks >= 1);
    sim_cpu.blocks_granted = blocks;
    sim_cpu.blocks_left = blocks;
    asan_leave_simulator(co);
    sim_cpu.running = co;
    sim_context_switch(&sim_cpu.simulator, co->sp);
    sim_cpu.running = NULL;
    asan_enter_simulator();
    co->blocks += sim_cpu.blocks_granted - sim_cpu.blocks_left;
    sim_cpu.blocks_left = BLOCKS_UNLIMITED;
    return sim_cpu.stop;
}

static inline void leave(enum sim_stop stop)
{
    struct sim_coroutine *co = sim_cpu.running;
    sim_cpu.stop = stop;
    asan_leave_process(co, false);
    sim_context_switch(&co->sp, sim_cpu.simulator);
    asan_enter_process(co);
}

void sim_coroutine_trap(void)
{
    leave(SIM_STOP_TRAP);
}

_Noreturn void sim_coroutine_end(enum sim_stop stop)
{
    struct sim_coroutine *co = sim_cpu.running;
    sim_cpu.stop = stop;
    co->sp = NULL; /* running it again is a defect that sim_coroutine_run asserts */
    asan_leave_process(co, true);
    sim_context_drop(sim_cpu.simulator);
}

static __attribute__((noinline, cold)) void blocks_used_up(void)
{
    if (sim_cpu.running != NULL)
        leave(SIM_STOP_BLOCKS);
    else
        sim_cpu.blocks_left = BLOCKS_UNLIMITED;
}

void __sanitizer_cov_trace_pc(void)
{
    if (__builtin_expect(--sim_cpu.blocks_left == 0, 0))
        blocks_used_up();
}
