/*
 * `loris bench`: what one CPU of this machine does a second. Inner loops first (sim/bench.h), then
 * whole trials of each available stack, with the share of host time that each step takes. Nothing
 * is judged here: a slow machine is no error.
 */
#include <inttypes.h>
#include <stdio.h>

#include "assertion.h"
#include "campaign/plan.h"
#include "campaign/progress.h"
#include "campaign/run.h"
#include "campaign/trial.h"
#include "sim/bench.h"

#define NS_PER_S 1e9
#define RUN_FOR_NS UINT64_C(3000000000) /* host time for each stack: enough for two digits */
#define LOOPS 200000u

static const char campaign[] =
    "campaign: bench\ntrials: 1000000\n"
    "variants: {loris: {stack: loris}, none: {stack: none}}\n"
    "workloads: {mail: {app: postmark, files: 20, transactions: 100}}\n"
    "faults: {power: [{kind: power.cut}], driver: [{kind: process.crash, layer: driver, at: "
    "{block: uniform}}]}\n";

static void print_loop(const char *name, double ns)
{
    (void)printf("%-28s %12.0f /s %10.1f ns\n", name, NS_PER_S / ns, ns);
}

static void bench_loops(void)
{
    print_loop("events, 1,000 pending", sim_bench_hold_ns(1000, LOOPS));
    print_loop("switches between stacks", sim_bench_switch_ns(LOOPS));
    print_loop("messages with a reply", sim_bench_call_ns(LOOPS));
    print_loop("random numbers", sim_bench_random_ns(LOOPS));
}

struct sums {
    uint64_t trials, jobs, events, messages, ios, blocks;
};

static void print_share(const char *name, uint64_t part_ns, uint64_t all_ns)
{
    (void)printf("  %-26s %11.1f %%\n", name,
                 all_ns == 0 ? 0 : 100 * (double)part_ns / (double)all_ns);
}

static void print_sums(const char *stack, const struct sums *s, uint64_t all_ns,
                       const struct lab_times *times)
{
    double seconds = (double)all_ns / NS_PER_S;
    (void)printf("\nstack %s: %" PRIu64 " trials after %" PRIu64 " fault-free runs in %.1f s\n",
                 stack, s->trials, s->jobs, seconds);
    (void)printf("%-28s %12.1f /s\n", "trials", (double)s->trials / seconds);
    (void)printf("%-28s %12.0f /s\n", "events", (double)s->events / seconds);
    (void)printf("%-28s %12.0f /s\n", "messages", (double)s->messages / seconds);
    (void)printf("%-28s %12.0f /s\n", "disk requests", (double)s->ios / seconds);
    (void)printf("%-28s %12.0f /s\n", "basic blocks", (double)s->blocks / seconds);
    print_share("boot", times->boot_ns, all_ns);
    print_share("workload", times->workload_ns, all_ns);
    print_share("recovery", times->recovery_ns, all_ns);
    print_share("read back and judge", times->judge_ns, all_ns);
    print_share("reset", times->reset_ns, all_ns);
}

static void bench_stack(const struct plan *plan, uint32_t variant, struct trial_record *record)
{
    struct sums s = {0};
    struct lab *lab = lab_create(plan);
    uint64_t begin_ns = progress_now_ns();
    while (progress_now_ns() - begin_ns < RUN_FOR_NS) {
        lab_begin(lab, variant, 0, s.jobs++);
        for (uint32_t fault = 0; fault < plan->fault_count; fault++) {
            lab_trial(lab, fault, record);
            s.trials++;
            s.events += record->events;
            s.messages += record->messages;
            s.ios += record->ios;
            s.blocks += record->blocks;
        }
    }
    uint64_t all_ns = progress_now_ns() - begin_ns;
    struct lab_times times = lab_times(lab);
    lab_destroy(lab);
    print_sums(plan->variants[variant].name, &s, all_ns, &times);
    (void)fflush(stdout);
}

int bench_machine(void)
{
    static struct trial_record record; /* too large for a stack */
    struct plan_request request = {.path = "bench"};
    struct plan *plan = plan_load_text(campaign, &request, stderr);
    ASSERT(plan != NULL);
    bench_loops();
    for (uint32_t v = 0; v < plan->variant_count; v++)
        bench_stack(plan, v, &record);
    plan_destroy(plan);
    return 0;
}
