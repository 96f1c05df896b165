/* Running processes and counting their blocks. */
#include "sim/coroutine.h"

#include "assertion.h"

#define CACHE_LINE_BYTES 64u
#define COLOURS 64u

struct sim_cpu sim_cpu;

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

void sim_asan_leave_simulator(struct sim_coroutine *co)
{
    __sanitizer_start_switch_fiber(&sim_cpu.asan_stack, co->stack_low, co->stack_bytes);
}

void sim_asan_enter_simulator(void)
{
    __sanitizer_finish_switch_fiber(sim_cpu.asan_stack, NULL, NULL);
}

void sim_asan_leave_process(struct sim_coroutine *co)
{
    __sanitizer_start_switch_fiber(&co->asan_stack, sim_cpu.asan_low, sim_cpu.asan_bytes);
}

static void asan_drop_process(void)
{
    __sanitizer_start_switch_fiber(NULL, sim_cpu.asan_low, sim_cpu.asan_bytes);
}

void sim_asan_enter_process(struct sim_coroutine *co)
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
static inline void asan_drop_process(void)
{
}

static inline void asan_new_stack(const struct sim_coroutine *co)
{
    (void)co;
}
#endif

static void first_frame(void)
{
    struct sim_coroutine *co = sim_cpu.running;
    sim_asan_enter_process(co);
    sim_blocks_left = sim_cpu.blocks_left;
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

/* A process that runs wild may leave any number in the register. */
static uint64_t believable(uint64_t left)
{
    return left <= sim_cpu.blocks_granted ? left : sim_cpu.blocks_granted;
}

_Noreturn void sim_coroutine_end(enum sim_stop stop)
{
    struct sim_coroutine *co = sim_cpu.running;
    sim_cpu.stop = stop;
    sim_cpu.blocks_left = believable(sim_blocks_left);
    co->sp = NULL; /* running it again is a defect that sim_coroutine_run asserts */
    asan_drop_process();
    sim_context_drop(sim_cpu.simulator);
}

__attribute__((noinline, cold)) void sim_coroutine_blocks_used_up(void)
{
    sim_coroutine_leave(SIM_STOP_BLOCKS);
}

void __sanitizer_cov_trace_pc(void)
{
#ifdef SIM_BLOCKS_IN_REGISTER
    if (sim_cpu.running == NULL)
        return;
    if (--sim_blocks_left == 0)
        sim_coroutine_blocks_used_up();
#else
    if (__builtin_expect(--sim_cpu.blocks_left == 0, 0) && sim_cpu.running != NULL)
        sim_coroutine_blocks_used_up();
#endif
}
