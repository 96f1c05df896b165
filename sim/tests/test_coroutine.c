/* Switching, block counting, and a hundred thousand crashes of every kind in one process. */
#include <fenv.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "assertion.h"
#include "scripts/check_main.h"
#include "sim/context.h"
#include "sim/coroutine.h"
#include "sim/crash.h"
#include "sim/region.h"

#define PLENTY (UINT64_C(1) << 40)

static struct sim_regions regions;
static struct sim_coroutine co;
static uint64_t counter;

static void setup(void)
{
    sim_crash_install();
    sim_regions_init(&regions);
    sim_regions_map(&regions, 0, true);
}

static void teardown(void)
{
    sim_regions_fini(&regions);
}

static void start(void (*entry)(void *), void *argument)
{
    sim_coroutine_init(&co, regions.region[0].base, SIM_STACK_BYTES, 5, entry, argument);
}

/* Stands for instrumented code: each turn is a block. */
static void count_blocks(void *argument)
{
    for (uint64_t i = 0; i < *(uint64_t *)argument; i++) {
        __sanitizer_cov_trace_pc();
        counter++;
    }
}

START_TEST(test_coroutine__stops_before_exactly_the_kth_block)
{
    uint64_t blocks = 2000;
    for (uint64_t k = 1; k <= blocks; k++) {
        counter = 0;
        start(count_blocks, &blocks);
        ck_assert_int_eq(sim_coroutine_run(&co, k), SIM_STOP_BLOCKS);
        ck_assert_uint_eq(co.blocks, k);
        ck_assert_uint_eq(counter, k - 1);
    }
    counter = 0;
    start(count_blocks, &blocks);
    ck_assert_int_eq(sim_coroutine_run(&co, blocks + 1), SIM_STOP_EXIT);
    ck_assert_uint_eq(counter, blocks);
    ck_assert_uint_eq(co.blocks, blocks);
}
END_TEST

START_TEST(test_coroutine__a_preempted_process_goes_on_where_it_was)
{
    uint64_t blocks = 10000;
    counter = 0;
    start(count_blocks, &blocks);
    uint64_t stops = 0;
    while (sim_coroutine_run(&co, 7) == SIM_STOP_BLOCKS)
        stops++;
    ck_assert_uint_eq(stops, blocks / 7);
    ck_assert_uint_eq(counter, blocks);
}
END_TEST

static void trap_often(void *argument)
{
    volatile double x = 0.5;
    for (uint64_t i = 0; i < *(uint64_t *)argument; i++) {
        counter += i;
        x += 1.0;
        sim_coroutine_trap();
    }
    counter = (uint64_t)x;
}

START_TEST(test_coroutine__traps_return_to_their_place_with_all_registers)
{
    uint64_t traps = 1000, seen = 0;
    counter = 0;
    start(trap_often, &traps);
    while (sim_coroutine_run(&co, PLENTY) == SIM_STOP_TRAP) {
        ck_assert_uint_eq(counter, seen * (seen + 1) / 2);
        seen++;
    }
    ck_assert_uint_eq(seen, traps);
    ck_assert_uint_eq(counter, traps);
}
END_TEST

START_TEST(test_coroutine__the_simulator_itself_is_never_switched_out)
{
    uint64_t blocks = 10000;
    counter = 0;
    count_blocks(&blocks);
    ck_assert_uint_eq(counter, blocks);
}
END_TEST

static void store_to(void *address)
{
    __asm__ volatile("movl $1, (%0)" ::"r"(address) : "memory");
}

static void store_non_canonical(void *unused)
{
    (void)unused;
    __asm__ volatile("movl $1, (%0)" ::"r"(UINT64_C(0x8000000000000000)) : "memory");
}

static void divide_by_zero(void *unused)
{
    (void)unused;
    __asm__ volatile("xorl %%ecx, %%ecx\n\tmovl $1, %%eax\n\tcltd\n\tidivl %%ecx" ::
                         : "eax", "ecx", "edx", "cc");
}

static void undefined_instruction(void *unused)
{
    (void)unused;
    __asm__ volatile("ud2");
}

static void call_abort(void *unused)
{
    (void)unused;
    abort();
}

static __attribute__((noinline)) uint64_t recurse(uint64_t depth)
{
    volatile uint8_t frame[4096] = {0};
    frame[depth % sizeof(frame)] = (uint8_t)depth;
    return depth == UINT64_MAX ? 0 : recurse(depth + 1) + frame[(depth + 1) % sizeof(frame)];
}

static void overflow(void *unused)
{
    (void)unused;
    counter = recurse(1);
}

static void jump_into_data(void *unused)
{
    (void)unused;
    __asm__ volatile("jmp *%0" ::"r"(regions.region[0].base + SIM_STACK_BYTES));
}

static void lose_stack(void *unused)
{
    (void)unused;
    __asm__ volatile("movq $0x1000, %%rsp\n\tpushq %%rax" ::: "memory");
}

static void spoil_flags(void *unused)
{
    uint32_t mxcsr = 0x0000; /* every exception unmasked, other rounding possible */
    (void)unused;
    __asm__ volatile("ldmxcsr %0\n\tstd\n\tud2" ::"m"(mxcsr) : "cc");
}

static void fail_assertion(void *unused)
{
    (void)unused;
    ASSERT(counter == UINT64_MAX);
}

static const struct crash_kind {
    void (*entry)(void *);
    void *argument;
    int signal; /* 0: an assertion */
} kinds[] = {
    {store_to, (void *)8, SIGSEGV},
    {store_non_canonical, NULL, SIGSEGV},
    {divide_by_zero, NULL, SIGFPE},
    {undefined_instruction, NULL, SIGILL},
    {call_abort, NULL, SIGABRT},
    {overflow, NULL, SIGSEGV},
    {jump_into_data, NULL, SIGSEGV},
    {lose_stack, NULL, SIGSEGV},
    {store_to, (void *)(uintptr_t)kill, SIGSEGV}, /* text cannot be written */
    {spoil_flags, NULL, SIGILL},
    {fail_assertion, NULL, 0},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

START_TEST(test_coroutine__survives_crashes_of_every_kind_unchanged)
{
    sigset_t mask;
    stack_t stack;
    counter = 0;
    for (uint32_t i = 0; i < 100000; i++) {
        const struct crash_kind *kind = &kinds[i % KINDS];
        start(kind->entry, kind->argument);
        enum sim_stop stop = sim_coroutine_run(&co, PLENTY);
        ck_assert_int_eq(stop, kind->signal != 0 ? SIM_STOP_SIGNAL : SIM_STOP_ASSERT);
        ck_assert_int_eq(co.crash.signal, kind->signal);
    }
    ck_assert_int_eq(sigprocmask(SIG_BLOCK, NULL, &mask), 0);
    ck_assert(!sigismember(&mask, SIGSEGV) && !sigismember(&mask, SIGILL));
    ck_assert_int_eq(sigaltstack(NULL, &stack), 0);
    ck_assert_int_eq(stack.ss_flags & SS_ONSTACK, 0);
    ck_assert_int_eq(fegetround(), FE_TONEAREST);
    ck_assert_double_eq_tol(1.0 / 3.0 * (double)co.blocks, 0.0, 1e-9); /* no trap: masked again */
}
END_TEST

START_TEST(test_coroutine__a_crash_tells_where)
{
    start(store_to, (void *)0x1230);
    ck_assert_int_eq(sim_coroutine_run(&co, PLENTY), SIM_STOP_SIGNAL);
    ck_assert_uint_eq(co.crash.address, 0x1230);
    start(fail_assertion, NULL);
    ck_assert_int_eq(sim_coroutine_run(&co, PLENTY), SIM_STOP_ASSERT);
    ck_assert_str_eq(co.crash.condition, "counter == UINT64_MAX");
}
END_TEST

START_TEST(test_coroutine__a_fault_of_the_simulator_is_a_defect)
{
    store_to((void *)8);
}
END_TEST

START_TEST(test_coroutine__an_assertion_of_the_simulator_is_a_defect)
{
    counter = 0;
    fail_assertion(NULL);
}
END_TEST

START_TEST(test_coroutine__a_dead_process_does_not_run_again)
{
    start(fail_assertion, NULL);
    (void)sim_coroutine_run(&co, PLENTY);
    (void)sim_coroutine_run(&co, PLENTY);
}
END_TEST

CHECK_MAIN("coroutine", 120, tcase_add_checked_fixture(tc, setup, teardown);
           tcase_add_test(tc, test_coroutine__stops_before_exactly_the_kth_block);
           tcase_add_test(tc, test_coroutine__a_preempted_process_goes_on_where_it_was);
           tcase_add_test(tc, test_coroutine__traps_return_to_their_place_with_all_registers);
           tcase_add_test(tc, test_coroutine__the_simulator_itself_is_never_switched_out);
           tcase_add_test(tc, test_coroutine__survives_crashes_of_every_kind_unchanged);
           tcase_add_test(tc, test_coroutine__a_crash_tells_where);
           tcase_add_exit_test(tc, test_coroutine__a_fault_of_the_simulator_is_a_defect, 3);
           tcase_add_exit_test(tc, test_coroutine__an_assertion_of_the_simulator_is_a_defect, 3);
           tcase_add_exit_test(tc, test_coroutine__a_dead_process_does_not_run_again, 3);)
