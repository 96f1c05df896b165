/*
 * `loris bench`: what one CPU of this machine does a second, each figure beside its target. Inner
 * loops first (sim/bench.h), then whole trials of the Loris stack and of the control, with the
 * share of host time that each step takes, then rows into a results file, then bench_costs.c and
 * bench_explore.c. About 40 s. Nothing is judged: a slow or busy machine is no error.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "assertion.h"
#include "campaign/bench_out.h"
#include "campaign/plan.h"
#include "campaign/progress.h"
#include "campaign/run.h"
#include "campaign/store_plan.h"
#include "campaign/trial.h"
#include "results/temp_folder.h"
#include "sim/bench.h"

#define NS_PER_S 1e9
#define NS_PER_MS 1e6
#define RUN_FOR_NS UINT64_C(5000000000) /* host time for each stack: enough for two digits */
#define ROUNDS 5u
#define LOOPS UINT64_C(300000)
#define CRASHES UINT64_C(20000)
#define DISK_REQUESTS UINT64_C(200000)
#define CRC_BYTES 4096
#define ROWS UINT64_C(50000)
#define NAME_BYTES 128

/* A trial of a mail server on a mirror: judged, with both walks, remounted. */
static const char campaign[] =
    "campaign: bench\ntrials: 1000000\n"
    "machine: {disks: {count: 2, profile: hdd-7200, size: 64MiB}, environments: 1}\n"
    "variants: {loris: {stack: loris, raid: 1}, none: {stack: none, raid: 1}}\n"
    "workloads: {mail: {app: postmark, transactions: 300}}\n"
    "faults: {power: [{kind: power.cut, at: {write: uniform}, cache: random}], driver: [{kind: "
    "process.crash, layer: driver, at: {block: uniform}}]}\n";

/* ---- The machine ------------------------------------------------------------------------------
 */

static void print_machine(struct bench_out *out)
{
    char line[NAME_BYTES] = "", name[NAME_BYTES] = "unknown processor";
    FILE *info = fopen("/proc/cpuinfo", "r");
    while (info != NULL && fgets(line, sizeof(line), info) != NULL) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || colon == NULL)
            continue;
        (void)snprintf(name, sizeof(name), "%s", colon + 2);
        name[strcspn(name, "\n")] = '\0';
        break;
    }
    if (info != NULL)
        (void)fclose(info);
    double load[1] = {0};
    (void)getloadavg(load, 1);
    bench_begin(out, name, sysconf(_SC_NPROCESSORS_ONLN), load[0]);
}

static double cpu_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / NS_PER_S;
}

/* ---- Inner loops ------------------------------------------------------------------------------
 */

/* A line of the table; indented if it is of something. */
static void print_row(struct bench_out *out, const struct bench_figure *f)
{
    const char *target = f->target == NULL ? "" : f->target;
    bench_text(out, "%s%-*s %10.1f %-7s %s\n", f->of == NULL ? "" : "  ", f->of == NULL ? 40 : 38,
               f->measure, f->value, f->unit, target);
    bench_figure(out, f);
}

static void print_loop(struct bench_out *out, const char *name, double value, const char *unit,
                       const char *target)
{
    print_row(out, &(struct bench_figure){"inner loops", NULL, name, value, unit, target});
}

static double hold_ns(uint64_t holds)
{
    return sim_bench_hold_ns(1000, holds);
}

static double nvme_ns(uint64_t requests)
{
    return sim_bench_disk_ns("nvme", requests);
}

static double hdd_ns(uint64_t requests)
{
    return sim_bench_disk_ns("hdd-7200", requests);
}

/* The best of some rounds: what the others took more, the rest of the machine took. */
static double best_ns(double (*measure)(uint64_t count), uint64_t count)
{
    double best = measure(count);
    for (uint32_t round = 1; round < ROUNDS; round++) {
        double ns = measure(count);
        best = ns < best ? ns : best;
    }
    return best;
}

static void bench_loops(struct bench_out *out)
{
    bench_text(out, "%-40s %10s %-7s %s\n", "inner loops", "measured", "", "target");
    print_loop(out, "event out and in, 1,000 pending", best_ns(hold_ns, LOOPS), "ns", "<= 60");
    print_loop(out, "switch between stacks", best_ns(sim_bench_switch_ns, LOOPS), "ns", "<= 4");
    print_loop(out, "message, from send to receive", best_ns(sim_bench_rendezvous_ns, LOOPS), "ns",
               "<= 50");
    print_loop(out, "message and its reply", best_ns(sim_bench_call_ns, LOOPS), "ns", NULL);
    print_loop(out, "random number of 64 bits", best_ns(sim_bench_random_ns, LOOPS), "ns", NULL);
    print_loop(out, "crash by a fault signal", best_ns(sim_bench_crash_ns, CRASHES), "ns", NULL);
    print_loop(out, "CRC32C of 4 KiB", CRC_BYTES / best_ns(sim_bench_crc_ns, LOOPS), "GB/s",
               ">= 27");
    print_loop(out, "disk requests of 4 KiB, nvme", NS_PER_MS / best_ns(nvme_ns, DISK_REQUESTS),
               "k/s", ">= 1000");
    print_loop(out, "disk requests of 4 KiB, hdd-7200", NS_PER_MS / best_ns(hdd_ns, DISK_REQUESTS),
               "k/s", ">= 1000");
}

/* In a process of its own, whose memory is not counted to that of a worker. */
static void bench_loops_apart(struct bench_out *out)
{
    pid_t child = fork();
    if (child == 0) {
        bench_loops(out);
        _exit(0);
    }
    int status = -1;
    if (child > 0)
        (void)waitpid(child, &status, 0);
    out->any = status == 0; /* here too */
}

/* ---- Trials -----------------------------------------------------------------------------------
 */

struct sums {
    uint64_t trials, events, messages, ios, blocks;
};

static void add(struct sums *s, const struct trial_record *record)
{
    s->trials++;
    s->events += record->events;
    s->messages += record->messages;
    s->ios += record->ios;
    s->blocks += record->blocks;
}

static void print_shares(struct bench_out *out, const char *stack, const struct lab_times *t)
{
    double all = (double)(t->reset_ns + t->boot_ns + t->workload_ns + t->judge_ns) / 100;
    all = all > 0 ? all : 1;
    const struct bench_figure shares[] = {
        {"trials", stack, "reset", (double)t->reset_ns / all, "%", NULL},
        {"trials", stack, "boot", (double)t->boot_ns / all, "%", NULL},
        {"trials", stack, "workload and recovery", (double)t->workload_ns / all, "%", NULL},
        {"trials", stack, "remount and judging", (double)t->judge_ns / all, "%", NULL},
    };
    bench_text(out, "  of that:");
    for (size_t k = 0; k < sizeof(shares) / sizeof(shares[0]); k++) {
        bench_text(out, "%s %s %.1f %%", k > 0 ? "," : "", shares[k].measure, shares[k].value);
        bench_figure(out, &shares[k]);
    }
    bench_text(out, "\n");
}

static void print_sums(struct bench_out *out, const char *stack, const struct sums *s,
                       double seconds, const struct lab_times *times)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    const struct bench_figure rows[] = {
        {"trials", stack, "trials a second of CPU", (double)s->trials / seconds, "/s", ">= 100"},
        {"trials", stack, "CPU time of a trial", seconds * 1e3 / (double)s->trials, "ms", "<= 10"},
        {"trials", stack, "messages", (double)s->messages / seconds / 1e3, "k/s", NULL},
        {"trials", stack, "basic blocks", (double)s->blocks / seconds / 1e6, "M/s", NULL},
        {"trials", stack, "events", (double)s->events / seconds / 1e3, "k/s", NULL},
        {"trials", stack, "disk requests", (double)s->ios / seconds / 1e3, "k/s", NULL},
        {"trials", stack, "peak memory", (double)usage.ru_maxrss / 1024, "MiB", "<= 100"},
    };
    bench_text(out, "\nstack %s, postmark with 300 transactions, %" PRIu64 " trials\n", stack,
               s->trials);
    for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
        print_row(out, &rows[k]);
        if (k == 1)
            print_shares(out, stack, times);
    }
}

/* Returns CPU seconds of a trial; *record is the last one. */
static double bench_stack(struct bench_out *out, const struct plan *plan, uint32_t variant,
                          struct trial_record *record)
{
    struct sums s = {0};
    struct lab *lab = lab_create(plan);
    uint64_t n = 0;
    lab_begin(lab, variant, 0, n); /* formats: once a variant, not of a trial */
    struct lab_times before = lab_times(lab);
    double begin = cpu_seconds();
    for (uint64_t start_ns = progress_now_ns(); progress_now_ns() - start_ns < RUN_FOR_NS; n++) {
        s.trials++; /* the run without faults is one, too */
        lab_begin(lab, variant, 0, n);
        for (uint32_t fault = 0; fault < plan->fault_count; fault++) {
            lab_trial(lab, fault, record);
            add(&s, record);
        }
    }
    double seconds = cpu_seconds() - begin;
    struct lab_times times = lab_times(lab);
    times.reset_ns -= before.reset_ns;
    times.boot_ns -= before.boot_ns;
    times.workload_ns -= before.workload_ns;
    times.judge_ns -= before.judge_ns;
    lab_destroy(lab);
    print_sums(out, plan->variants[variant].name, &s, seconds, &times);
    return seconds / (double)s.trials;
}

/* ---- Rows -------------------------------------------------------------------------------------
 */

/* CPU seconds of a row; 0 if the place for temporary files takes none. */
static double store_rows(const struct plan *plan, struct trial_record *record, const char *path)
{
    char error[STORE_ERROR_BYTES];
    struct store_plan stored;
    struct store *store = NULL;
    store_plan_make(plan, &stored);
    if (store_open(&store, path, STORE_NEW, &stored, error) != OK) {
        (void)fprintf(stderr, "rows: %s\n", error);
        return 0;
    }
    double begin = cpu_seconds();
    enum err err = OK;
    for (uint64_t n = 0; err == OK && n < ROWS; n++) {
        record->n = n;
        record->trial = plan_trial_number(plan, record->cell, n);
        err = store_put(store, record);
    }
    if (err == OK)
        err = store_commit(store);
    double seconds = cpu_seconds() - begin;
    store_close(store);
    return err == OK ? seconds / (double)ROWS : 0;
}

static void bench_rows(struct bench_out *out, const struct plan *plan, struct trial_record *record,
                       double trial_s)
{
    char folder[TEMP_FOLDER_BYTES], path[TEMP_FOLDER_BYTES + 16];
    if (!temp_folder_make(folder, "bench"))
        return;
    (void)snprintf(path, sizeof(path), "%s/rows.db", folder);
    double row_s = store_rows(plan, record, path);
    temp_folder_remove(folder);
    if (row_s <= 0)
        return;
    bench_text(out, "\n");
    print_row(out, &(struct bench_figure){"rows", NULL, "trials stored with their lists",
                                          1e-3 / row_s, "k/s", NULL});
    print_row(out, &(struct bench_figure){"rows", "", "for each trial of two workers, of a CPU",
                                          100 * row_s / (trial_s / 2), "%", NULL});
}

int bench_machine(struct bench_out *out)
{
    static struct trial_record record; /* too large for a stack */
    struct plan_request request = {.path = "bench"};
    struct plan *plan = plan_load_text(campaign, &request, stderr);
    ASSERT(plan != NULL);
    ASSERT(plan->variant_count == 2);
    print_machine(out);
    bench_loops_apart(out);
    double trial_s = bench_stack(out, plan, 0, &record);
    bench_rows(out, plan, &record, trial_s);
    (void)bench_stack(out, plan, 1, &record);
    plan_destroy(plan);
    bench_costs(out);
    bench_explore(out);
    bench_end(out);
    return 0;
}
