/*
 * The part of `loris bench` that measures exploration: every crash state of the sequences of one
 * operation, by one worker, on each design. A boot is recovery, reading back and orderly stop, then
 * checker, boot, reading back and probe, but for those of `repeated` of them, which another had
 * made; the recorded runs and all judgements are in the time.
 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "assertion.h"
#include "campaign/bench_out.h"
#include "campaign/explore.h"
#include "campaign/run.h"

#define NS_PER_S 1e9

static const char explore_text[] =
    "campaign: explored\n"
    "seed: 7\n"
    "machine: {disks: {count: 1, profile: ssd-sata, size: 16MiB}, environments: 1}\n"
    "variants:\n"
    "  loris: {stack: loris, raid: 1, machine: {disks: {count: 2}}}\n"
    "  fat: {stack: fat, raid: 0, machine: {disks: {sector-size: 4096B}}}\n"
    "  ffs: {stack: ffs, raid: 0, machine: {disks: {sector-size: 4096B}}}\n"
    "  cow: {stack: cow, raid: 0}\n"
    "  journal: {stack: journal, raid: 0}\n"
    "workloads: {one: {app: bounded, length: 1}}\n"
    "faults: {cut: [{kind: power.cut, at: uniform}]}\n";

static double cpu_seconds(void)
{
    struct timespec t;
    int failed = clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    ASSERT(failed == 0);
    return (double)t.tv_sec + (double)t.tv_nsec / NS_PER_S;
}

static void bench_variant(struct bench_out *out, struct explorer *x, const struct plan *plan,
                          uint32_t variant)
{
    static const struct explore_options options = {.depth = 2, .every = 1};
    static const struct explore_sink nobody = {0};
    const struct bounded *sequences = plan->workloads[0].apps[0].bounded;
    uint32_t cell = plan_cell_index(plan, variant, 0, 0);
    uint64_t states = 0, boots = 0, repeated = 0;
    ASSERT(sequences != NULL);
    (void)explorer_run(x, cell, 0, 0, options.depth, &options, &nobody); /* formats */
    double begin = cpu_seconds();
    for (uint64_t n = 0; n < sequences->count; n++) {
        struct explore_sum sum = explorer_run(x, cell, n, 0, options.depth, &options, &nobody);
        states += sum.states;
        boots += sum.boots;
        repeated += sum.repeated;
        ASSERT(sum.left == 0);
    }
    double seconds = cpu_seconds() - begin;
    bench_text(out, "  %-20s %14" PRIu64 " %8" PRIu64 " %8" PRIu64 " %9.2f %9.0f\n",
               plan->variants[variant].name, states, boots, repeated, seconds,
               (double)boots / seconds);
    const char *name = plan->variants[variant].name;
    const struct bench_figure figures[] = {
        {"explored", name, "states", (double)states, NULL, NULL},
        {"explored", name, "boots", (double)boots, NULL, NULL},
        {"explored", name, "repeated", (double)repeated, NULL, NULL},
        {"explored", name, "CPU time", seconds, "s", NULL},
        {"explored", name, "boots a second of CPU", (double)boots / seconds, "/s", NULL},
    };
    for (size_t k = 0; k < sizeof(figures) / sizeof(figures[0]); k++)
        bench_figure(out, &figures[k]);
}

void bench_explore(struct bench_out *out)
{
    struct plan_request request = {.path = "explored"};
    struct plan *plan = plan_load_text(explore_text, &request, stderr);
    ASSERT(plan != NULL);
    struct lab *lab = lab_create(plan);
    struct explorer *x = explorer_create(lab, plan);
    bench_text(out, "\n%-22s %14s %8s %8s %9s %9s\n", "explored, 139 scripts", "states", "boots",
               "repeated", "CPU s", "boots/s");
    for (uint32_t v = 0; v < plan->variant_count; v++)
        bench_variant(out, x, plan, v);
    explorer_destroy(x);
    lab_destroy(lab);
    plan_destroy(plan);
}
