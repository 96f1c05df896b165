/*
 * The rest of `loris bench`: what each dependability feature of the Loris stack costs while nothing
 * fails, in virtual and in host time of an operation; and how operations and recoveries grow with
 * the size of what they work on. Ratios to a base of the same campaign and the same draws.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "assertion.h"
#include "campaign/bench_out.h"
#include "campaign/plan.h"
#include "campaign/run.h"
#include "campaign/trial.h"

#define TRIALS 6u
#define ROUNDS 3u
#define NS_PER_S 1e9

/* A base is that of all up to the next one, and is shown in units. */
struct cost {
    const char *variant, *workload, *what;
    bool base;
};

static const char costs_text[] =
    "campaign: costs\n"
    "machine: {disks: {count: 4, profile: hdd-7200, size: 64MiB}, environments: 1}\n"
    "variants:\n"
    "  base: {stack: loris, raid: 1}\n"
    "  checksums-off: {like: base, checksums: off}\n"
    "  checksums-lazy: {like: base, checksums: lazy}\n"
    "  log-off: {like: base, log: off}\n"
    "  cow: {like: base, data: cow}\n"
    "  verify: {like: base, verify-writes: on}\n"
    "  guard-off: {like: base, meta-guard: off}\n"
    "  raid-0: {like: base, raid: 0}\n"
    "  raid-5: {like: base, raid: 5}\n"
    "  raid-6: {like: base, raid: 6}\n"
    "  n-way: {like: base, raid: n-way}\n"
    "  eight: {like: base, machine: {environments: 8}}\n"
    "  fsync-log: {like: base, fsync: log}\n"
    "workloads: {mail: {app: postmark, transactions: 300}, bank: {app: bank}}\n"
    "faults: {none: []}\n";

static const struct cost costs[] = {
    {"base", "mail", "postmark: RAID-1, eager checksums, log on", true},
    {"checksums-off", "mail", "checksums off", false},
    {"checksums-lazy", "mail", "checksums lazy", false},
    {"log-off", "mail", "log off", false},
    {"cow", "mail", "data shadowed", false},
    {"verify", "mail", "writes read back", false},
    {"guard-off", "mail", "metadata in memory unguarded", false},
    {"raid-0", "mail", "RAID-0", false},
    {"raid-5", "mail", "RAID-5", false},
    {"raid-6", "mail", "RAID-6", false},
    {"n-way", "mail", "four copies", false},
    {"eight", "mail", "eight environments, a copy each", false},
    {"base", "bank", "bank: the same, each transfer synced", true},
    {"fsync-log", "bank", "syncs by groups of the log", false},
};

static const char growth_text[] =
    "campaign: growth\n"
    "machine: {disks: {count: 2, profile: ssd-sata, size: 64MiB}, environments: 1}\n"
    "variants:\n"
    "  base: {stack: loris, raid: 1, checkpoint: 5s}\n"
    "  disk: {like: base, machine: {disks: {size: 640MiB}}}\n"
    "workloads:\n"
    "  mail: {app: postmark, files: 50, transactions: 300}\n"
    "  files: {app: postmark, files: 500, transactions: 300}\n"
    "  small: {app: fsx, operations: 500, size: 256KiB}\n"
    "  large: {app: fsx, operations: 500, size: 2560KiB}\n"
    "faults:\n"
    "  none: []\n"
    "  cut: [{kind: power.cut, at: {op: uniform}, cache: drop, off-for: 1s}]\n"
    "  physical: [{kind: process.crash, layer: physical, at: {op: uniform}}]\n";

struct growth {
    const char *variant, *workload, *base_variant, *base_workload, *fault, *what;
};

static const struct growth growths[] = {
    {"base", "files", "base", "mail", "none", "an operation, 10 x the files of a directory"},
    {"base", "large", "base", "small", "none", "an operation, 10 x the size of the file"},
    {"disk", "mail", "base", "mail", "none", "an operation, 10 x the size of the disks"},
    {"disk", "mail", "base", "mail", "cut", "recovery from a power cut, 10 x the disks"},
    {"disk", "mail", "base", "mail", "physical", "recovery from a crash, 10 x the disks"},
};

struct sum {
    double ops, virtual_ns, recovery_ns, host_s;
    uint32_t recoveries;
};

static double cpu_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / NS_PER_S;
}

static uint32_t variant_of(const struct plan *plan, const char *name)
{
    for (uint32_t k = 0; k < plan->variant_count; k++)
        if (strcmp(plan->variants[k].name, name) == 0)
            return k;
    ASSERT(false);
    return 0;
}

static uint32_t workload_of(const struct plan *plan, const char *name)
{
    for (uint32_t k = 0; k < plan->workload_count; k++)
        if (strcmp(plan->workloads[k].name, name) == 0)
            return k;
    ASSERT(false);
    return 0;
}

static uint32_t fault_of(const struct plan *plan, const char *name)
{
    for (uint32_t k = 0; k < plan->fault_count; k++)
        if (strcmp(plan->faults[k].name, name) == 0)
            return k;
    ASSERT(false);
    return 0;
}

/* Trials 0 .. TRIALS - 1 of a cell. Host time is that of the fault-free runs alone. */
static struct sum measure(struct lab *lab, uint32_t variant, uint32_t workload, uint32_t fault)
{
    static struct trial_record record; /* too large for a stack */
    struct sum s = {0};
    lab_begin(lab, variant, workload, 0); /* formats: not of a trial */
    for (uint64_t n = 0; n < TRIALS; n++) {
        double start = cpu_seconds();
        lab_begin(lab, variant, workload, n);
        s.host_s += cpu_seconds() - start;
        lab_trial(lab, fault, &record);
        s.ops += (double)record.ops;
        s.virtual_ns += (double)record.sim_ns;
        if (record.recovery_ns != RECORD_NULL) {
            s.recovery_ns += (double)record.recovery_ns;
            s.recoveries++;
        }
    }
    return s;
}

/* The same with the best host time of some rounds: what the others took more was somebody else's.
 */
static struct sum measure_best(struct lab *lab, uint32_t variant, uint32_t workload)
{
    struct sum best = measure(lab, variant, workload, 0);
    for (uint32_t round = 1; round < ROUNDS; round++) {
        struct sum s = measure(lab, variant, workload, 0);
        if (s.host_s < best.host_s)
            best.host_s = s.host_s;
    }
    return best;
}

static void bench_features(struct bench_out *out)
{
    struct plan_request request = {.path = "costs"};
    struct plan *plan = plan_load_text(costs_text, &request, stderr);
    ASSERT(plan != NULL);
    struct lab *lab = lab_create(plan);
    double base_virtual = 0, base_host = 0;
    bench_text(out, "\n%-40s %12s %12s\n", "four disks, nothing fails", "virtual time",
               "host time");
    for (size_t k = 0; k < sizeof(costs) / sizeof(costs[0]); k++) {
        struct sum s = measure_best(lab, variant_of(plan, costs[k].variant),
                                    workload_of(plan, costs[k].workload));
        double of_virtual = s.virtual_ns / s.ops, of_host = NS_PER_S * s.host_s / s.ops;
        bool base = costs[k].base;
        if (base) {
            base_virtual = of_virtual;
            base_host = of_host;
            bench_text(out, "%-40s %9.0f us %9.2f us   an operation\n", costs[k].what,
                       of_virtual / 1e3, of_host / 1e3);
        } else {
            bench_text(out, "  %-38s %10.2f x %10.2f x\n", costs[k].what, of_virtual / base_virtual,
                       of_host / base_host);
        }
        double virtual_value = base ? of_virtual / 1e3 : of_virtual / base_virtual;
        double host_value = base ? of_host / 1e3 : of_host / base_host;
        bench_figure(out, &(struct bench_figure){"costs", costs[k].what, "virtual time",
                                                 virtual_value, base ? "us" : "x", NULL});
        bench_figure(out, &(struct bench_figure){"costs", costs[k].what, "host time", host_value,
                                                 base ? "us" : "x", NULL});
    }
    lab_destroy(lab);
    plan_destroy(plan);
}

/* Virtual time of an operation, or of a recovery where the cell has a fault. */
static double time_of(const struct sum *s, uint32_t fault)
{
    if (fault == 0)
        return s->virtual_ns / s->ops;
    return s->recoveries == 0 ? 0 : s->recovery_ns / s->recoveries;
}

static void bench_growth(struct bench_out *out)
{
    struct plan_request request = {.path = "growth"};
    struct plan *plan = plan_load_text(growth_text, &request, stderr);
    ASSERT(plan != NULL);
    struct lab *lab = lab_create(plan);
    bench_text(out, "\n%-46s %12s %12s %7s\n", "virtual time, as things grow", "base", "10 x",
               "ratio");
    for (size_t k = 0; k < sizeof(growths) / sizeof(growths[0]); k++) {
        const struct growth *g = &growths[k];
        uint32_t fault = fault_of(plan, g->fault);
        struct sum base = measure(lab, variant_of(plan, g->base_variant),
                                  workload_of(plan, g->base_workload), fault);
        struct sum grown =
            measure(lab, variant_of(plan, g->variant), workload_of(plan, g->workload), fault);
        double a = time_of(&base, fault), b = time_of(&grown, fault);
        bench_text(out, "  %-44s %9.0f us %9.0f us %7.2f\n", g->what, a / 1e3, b / 1e3,
                   a > 0 ? b / a : 0);
        bench_figure(out, &(struct bench_figure){"growth", g->what, "base", a / 1e3, "us", NULL});
        bench_figure(out, &(struct bench_figure){"growth", g->what, "10 x", b / 1e3, "us", NULL});
    }
    lab_destroy(lab);
    plan_destroy(plan);
}

void bench_costs(struct bench_out *out)
{
    bench_features(out);
    bench_growth(out);
}
