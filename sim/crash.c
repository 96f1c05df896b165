/* Fault signals and failed assertions. */
#define _GNU_SOURCE
#include "sim/crash.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "assertion.h"
#include "sim/coroutine.h"

#define ALTERNATE_STACK_BYTES (64u << 10)
#define DEFECT_TEXT_BYTES 768
#define TRIAL_TEXT_BYTES 256

static struct {
    void (*describe)(void *context, char *text, uint32_t size);
    void *context;
    bool defective; /* a defect is being printed: a second one only exits */
} defect;

static struct {
    bool (*mend)(void *context, uint64_t address);
    void *context;
} repair;

static _Alignas(64) uint8_t alternate_stack[ALTERNATE_STACK_BYTES];
static const int fault_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

void sim_crash_describe_by(void (*describe)(void *context, char *text, uint32_t size),
                           void *context)
{
    defect.describe = describe;
    defect.context = context;
}

void sim_crash_mend_by(bool (*mend)(void *context, uint64_t address), void *context)
{
    repair.mend = mend;
    repair.context = context;
}

/* Prints and ends the program. From a signal handler: only calls that are safe there, as far as the
 * describing function keeps to that (snprintf of integers does). */
static _Noreturn void defect_exit(const char *what)
{
    char trial[TRIAL_TEXT_BYTES] = "";
    char text[DEFECT_TEXT_BYTES];
    if (!defect.defective) {
        defect.defective = true;
        if (defect.describe != NULL)
            defect.describe(defect.context, trial, sizeof(trial));
        int length = snprintf(text, sizeof(text), "loris: defect of the laboratory: %s%s%s\n", what,
                              trial[0] != '\0' ? ": " : "", trial);
        size_t bytes = length < (int)sizeof(text) ? (size_t)length : sizeof(text) - 1;
        ssize_t written = write(STDERR_FILENO, text, bytes);
        (void)written; /* nobody is left to be told */
    }
    _exit(SIM_DEFECT_STATUS);
}

static void on_fault(int signal_number, siginfo_t *info, void *machine_context)
{
    struct sim_coroutine *co = sim_cpu.running;
    (void)machine_context;
    if (signal_number == SIGSEGV && repair.mend != NULL &&
        repair.mend(repair.context, (uint64_t)(uintptr_t)info->si_addr))
        return;
    if (co == NULL) {
        char what[96];
        (void)snprintf(what, sizeof(what), "signal %d at address %p", signal_number, info->si_addr);
        defect_exit(what);
    }
    co->crash = (struct sim_crash){.signal = signal_number};
    if (signal_number == SIGSEGV || signal_number == SIGBUS)
        co->crash.address = (uint64_t)(uintptr_t)info->si_addr;
    sim_coroutine_end(SIM_STOP_SIGNAL);
}

void sim_crash_install(void)
{
    stack_t stack = {.ss_sp = alternate_stack, .ss_size = sizeof(alternate_stack)};
    int failed = sigaltstack(&stack, NULL);
    ASSERT(failed == 0);
    struct sigaction action = {.sa_flags = SA_ONSTACK | SA_NODEFER | SA_SIGINFO};
    action.sa_sigaction = on_fault;
    (void)sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(fault_signals) / sizeof(fault_signals[0]); i++) {
        failed = sigaction(fault_signals[i], &action, NULL);
        ASSERT(failed == 0);
    }
}

_Noreturn void assert_failed(const char *condition, const char *file, int line)
{
    struct sim_coroutine *co = sim_cpu.running;
    if (co == NULL) {
        char what[512];
        (void)snprintf(what, sizeof(what), "assertion %s failed at %s:%d", condition, file, line);
        defect_exit(what);
    }
    co->crash = (struct sim_crash){.condition = condition, .file = file, .line = line};
    sim_coroutine_end(SIM_STOP_ASSERT);
}
