/* `loris check`: what a campaign would run, what it skips, and roughly how long it takes. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "campaign/check_rare.h"
#include "campaign/cli.h"
#include "results/stats.h"
#include "results/text.h"

/* Assumption, until `loris bench` has measured: trials a second of one CPU. */
#define TRIALS_PER_CPU_S 100.0
/* What compare takes where the file says nothing. */
#define MARGIN_DEFAULT 0.01
#define ALPHA_DEFAULT 0.05
#define GATE_RISE 0.05  /* a rise that every gate should see ... */
#define GATE_POWER 0.80 /* ... and the power at which the least rise is told */

enum { KEY_FORMAT = CLI_KEY_OWN };

enum check_format { CHECK_TABLE, CHECK_CSV, CHECK_JSON };

struct check_input {
    struct cli_campaign campaign;
    enum check_format format;
};

struct totals {
    uint64_t cells, selected, skipped;
    uint64_t trials;     /* rows that will be */
    uint64_t fault_free; /* extra runs, where no plan is empty */
};

static int check_format_from_name(const char *name)
{
    static const char *const names[] = {"table", "csv", "json"};
    for (int k = 0; k < 3; k++)
        if (strcmp(names[k], name) == 0)
            return k;
    return -1;
}

static error_t parse_check(int key, char *arg, struct argp_state *state)
{
    struct check_input *in = state->input;
    struct cli_campaign *c = &in->campaign;
    switch (key) {
    case KEY_FORMAT:
        in->format = (enum check_format)cli_format(check_format_from_name, arg, "table, csv, json",
                                                   &c->wrong);
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = c;
        return 0;
    default:
        return cli_one_file(key, arg, state, "campaign", &c->request.path);
    }
}

static struct totals add_up(const struct plan *plan)
{
    struct totals t = {.cells = plan->cell_count};
    bool empty_plan = false;
    for (uint32_t f = 0; f < plan->fault_count; f++)
        empty_plan = empty_plan || plan->faults[f].count == 0;
    for (uint32_t v = 0; v < plan->variant_count; v++) {
        for (uint32_t w = 0; w < plan->workload_count; w++) {
            uint64_t most = 0;
            for (uint32_t f = 0; f < plan->fault_count; f++) {
                uint32_t cell = plan_cell_index(plan, v, w, f);
                uint64_t count = plan_wanted(plan, cell);
                t.selected += plan->cells[cell].selected;
                t.skipped += plan->cells[cell].skipped != NULL;
                t.trials += count;
                most = count > most ? count : most;
            }
            t.fault_free += empty_plan ? 0 : most;
        }
    }
    return t;
}

static bool is_alike(const struct plan_disk *a, const struct plan_disk *b)
{
    return strcmp(a->profile, b->profile) == 0 && a->size_bytes == b->size_bytes;
}

/* "2 x ssd-sata of 64MiB + 1 x hdd-7200 of 1GiB + 1 spare" */
static void print_disks(const struct plan_machine *machine)
{
    char size[32];
    for (uint32_t first = 0, end = 0; first < machine->disk_count; first = end) {
        const struct plan_disk *disk = &machine->disks[first];
        while (end < machine->disk_count && is_alike(disk, &machine->disks[end]))
            end++;
        option_format_size((int64_t)disk->size_bytes, size, sizeof(size));
        (void)printf("%s%" PRIu32 " x %s of %s", first == 0 ? "" : " + ", end - first,
                     disk->profile, size);
    }
    if (machine->spare_count > 0)
        (void)printf(" + %" PRIu32 " spare%s", machine->spare_count,
                     machine->spare_count == 1 ? "" : "s");
}

static void print_variants(const struct plan *plan)
{
    (void)printf("\nvariants\n");
    for (uint32_t v = 0; v < plan->variant_count; v++) {
        const struct plan_variant *variant = &plan->variants[v];
        char level[16] = "n-way mirrors";
        if (variant->stack.raid != RAID_N_WAY)
            (void)snprintf(level, sizeof(level), "RAID-%u", variant->stack.raid);
        (void)printf("  %-24s stack %s, %s, ", variant->name, variant->design->name, level);
        print_disks(&variant->machine);
        (void)printf(", %" PRIu32 " environment%s%s\n", variant->stack.environments,
                     variant->stack.environments == 1 ? "" : "s",
                     option_number(&variant->machine.restart, "apps") != 0 ? ", applications go on"
                                                                           : "");
    }
}

static void print_names(const struct plan *plan)
{
    (void)printf("\nworkloads\n");
    for (uint32_t w = 0; w < plan->workload_count; w++) {
        const struct plan_workload *workload = &plan->workloads[w];
        (void)printf("  %-24s", workload->name);
        for (uint32_t k = 0; k < workload->app_count; k++)
            (void)printf("%s %s", k == 0 ? "" : " +", workload->apps[k].info->name);
        if (workload->sequences != 0)
            (void)printf(": %" PRIu64 " sequences, the first %" PRIu64 " run, one a trial",
                         workload->sequences, plan_cell_trials(plan, w));
        (void)printf("\n");
    }
    (void)printf("\nfault plans\n");
    for (uint32_t f = 0; f < plan->fault_count; f++) {
        const struct fault_plan *fault = &plan->faults[f];
        (void)printf("  %-24s", fault->name);
        for (uint32_t k = 0; k < fault->count; k++)
            (void)printf("%s %s", k == 0 ? "" : ",", fault_kind_name(fault->faults[k].kind));
        (void)printf("%s\n", fault->count == 0 ? " no fault" : "");
    }
}

/* "0.417/year of the machine power.cut": what a rate, or a field profile, stands for. */
static void print_rate(const struct fault *f)
{
    const char *of = f->kind == FAULT_POWER_CUT ? "the machine" : "each disk";
    if (f->layer != LAYER_NONE)
        of = "each process";
    if (f->disk.kind == FAULT_TARGET_INDEX || f->instance.kind == FAULT_TARGET_INDEX)
        of = "one target";
    if (f->disk.kind == FAULT_TARGET_ALL || f->instance.kind == FAULT_TARGET_ALL)
        of = "all targets at once";
    char gap[32];
    option_format_time(amount_at(&f->at.number, 0.5), gap, sizeof(gap));
    if (f->at.per_year > 0 || amount_is(&f->at.number, AMOUNT_MAX))
        (void)printf("    %-26s %.4g/year of %s\n", fault_kind_name(f->kind), f->at.per_year, of);
    else
        (void)printf("    %-26s of %s, half of the times between two below %s\n",
                     fault_kind_name(f->kind), of, gap);
}

static void print_rates(const struct plan *plan)
{
    for (uint32_t p = 0; p < plan->fault_count; p++) {
        const struct fault_plan *fault = &plan->faults[p];
        uint64_t over_ns = fault_plan_over_ns(fault);
        if (over_ns == 0)
            continue;
        char over[32];
        option_format_time((int64_t)over_ns, over, sizeof(over));
        (void)printf("\nrates of %s, over %s\n", fault->name, over);
        for (uint32_t k = 0; k < fault->count; k++)
            if (fault->faults[k].at.kind == FAULT_AT_RATE)
                print_rate(&fault->faults[k]);
    }
}

static void print_skipped(const struct plan *plan)
{
    bool first = true;
    for (uint32_t c = 0; c < plan->cell_count; c++) {
        const struct plan_cell *cell = &plan->cells[c];
        if (cell->skipped == NULL)
            continue;
        if (first)
            (void)printf("\nskipped\n");
        first = false;
        (void)printf("  %s/%s/%s: %s\n", plan->variants[cell->variant].name,
                     plan->workloads[cell->workload].name, plan->faults[cell->fault].name,
                     cell->skipped);
    }
}

static double seconds_of(const struct totals *t)
{
    return (double)(t->trials + t->fault_free) / TRIALS_PER_CPU_S / cli_cpus();
}

static void print_duration(double seconds)
{
    if (seconds < 90)
        (void)printf("%.0f s", seconds < 1 ? 1 : seconds);
    else if (seconds < 5400)
        (void)printf("%.0f min", seconds / 60);
    else
        (void)printf("%.1f h", seconds / 3600);
}

/* How the number of trials comes about, where it is not just given. */
static void print_rule(const struct plan *plan)
{
    static const double shares[] = {0, 0.01, 0.05};
    const struct plan_trials *t = &plan->trials;
    if (t->kind == PLAN_TRIALS_DETECT)
        (void)printf("trials: %" PRIu64
                     " a cell, so that a rise from %g %% by %g points is seen in "
                     "%g %% (alpha %g %%)\n",
                     t->count, t->from * 100, t->detect * 100, t->power * 100, t->alpha * 100);
    if (t->kind != PLAN_TRIALS_HALF_WIDTH)
        return;
    (void)printf(
        "a cell ends when the share of `%s` is known to +-%g points (%g %%, always valid):", t->of,
        t->half_width * 100, t->confidence * 100);
    for (size_t k = 0; k < sizeof(shares) / sizeof(shares[0]); k++) {
        uint64_t n = stats_narrow_trials(shares[k], t->count, t->half_width, 1 - t->confidence);
        (void)printf("%s %g %%: %" PRIu64 "%s", k == 0 ? " at a share of" : ";", shares[k] * 100, n,
                     n == t->count ? " (max)" : "");
    }
    (void)printf("\n");
}

/* What `loris compare` can make of so many trials by its own rule, other cells being clean. */
static void print_gate(const struct plan *plan)
{
    const struct plan_compare *c = &plan->compare;
    struct stats_rise rise = {.detect = GATE_RISE,
                              .margin = c->margin_given ? c->margin : MARGIN_DEFAULT,
                              .alpha = c->alpha_given ? c->alpha : ALPHA_DEFAULT,
                              .cells = 1};
    uint64_t n = plan->trials.count < STATS_PLAN_MAX ? plan->trials.count : STATS_PLAN_MAX;
    double least = stats_gate_sees(&rise, n, GATE_POWER);
    (void)printf("as a gate: +%g points in a cell are seen in %.0f %%", GATE_RISE * 100,
                 stats_gate_power(&rise, n) * 100);
    if (!isnan(least))
        (void)printf(", +%.*f in %.0f %%", least < 0.095 ? 1 : 0, least * 100, GATE_POWER * 100);
    (void)printf("; `no-worse` needs %" PRIu64 "\n", stats_floor(rise.margin, rise.alpha));
}

static void print_plan(const struct plan *plan)
{
    struct totals t = add_up(plan);
    (void)printf("%s: %u variants x %u workloads x %u fault plans = %" PRIu64 " cells\n",
                 plan->name, plan->variant_count, plan->workload_count, plan->fault_count, t.cells);
    if (plan->question[0] != '\0')
        (void)printf("%s\n", plan->question);
    print_variants(plan);
    print_names(plan);
    print_rates(plan);
    check_rare(plan);
    print_skipped(plan);
    (void)printf("\n%" PRIu64 " cells run, %" PRIu64 " are skipped, %" PRIu64
                 " are not selected; %s%" PRIu64 " trials a cell, %" PRIu64 " in all",
                 t.selected, t.skipped, t.cells - t.selected - t.skipped,
                 plan->trials.kind == PLAN_TRIALS_HALF_WIDTH ? "at most " : "", plan->trials.count,
                 t.trials);
    if (t.fault_free > 0)
        (void)printf(", and %" PRIu64 " fault-free runs to aim by", t.fault_free);
    if (plan->shards > 1)
        (void)printf(" (shard %" PRIu64 " of %" PRIu64 ")", plan->shard, plan->shards);
    (void)printf("\nroughly ");
    print_duration(seconds_of(&t));
    (void)printf(" on %u CPU%s, if each does %.0f trials a second (see loris bench)\n", cli_cpus(),
                 cli_cpus() == 1 ? "" : "s", TRIALS_PER_CPU_S);
    print_rule(plan);
    print_gate(plan);
}

/* A row a cell; one that is not selected has no trials and no reason. */
static void print_cell_csv(const struct plan *plan, uint32_t c)
{
    const struct plan_cell *cell = &plan->cells[c];
    text_csv(stdout, plan->variants[cell->variant].name);
    (void)fputc(',', stdout);
    text_csv(stdout, plan->workloads[cell->workload].name);
    (void)fputc(',', stdout);
    text_csv(stdout, plan->faults[cell->fault].name);
    (void)printf(",%" PRIu64 ",", plan_wanted(plan, c));
    text_csv(stdout, cell->skipped);
    (void)fputc('\n', stdout);
}

static void print_cell_json(const struct plan *plan, uint32_t c)
{
    const struct plan_cell *cell = &plan->cells[c];
    (void)printf("%s\n  {\"variant\": ", c == 0 ? "" : ",");
    text_json(stdout, plan->variants[cell->variant].name);
    (void)printf(", \"workload\": ");
    text_json(stdout, plan->workloads[cell->workload].name);
    (void)printf(", \"fault\": ");
    text_json(stdout, plan->faults[cell->fault].name);
    (void)printf(", \"trials\": %" PRIu64 ", \"skipped\": ", plan_wanted(plan, c));
    text_json(stdout, cell->skipped);
    (void)printf("}");
}

static void print_csv(const struct plan *plan)
{
    (void)printf("variant,workload,fault,trials,skipped\n");
    for (uint32_t c = 0; c < plan->cell_count; c++)
        print_cell_csv(plan, c);
}

static void print_json(const struct plan *plan)
{
    struct totals t = add_up(plan);
    (void)printf("{\"format\": \"loris-check-1\", \"campaign\": ");
    text_json(stdout, plan->name);
    (void)printf(", \"trials\": %" PRIu64 ", \"fault_free\": %" PRIu64 ", \"seconds\": ", t.trials,
                 t.fault_free);
    text_json_number(stdout, seconds_of(&t));
    (void)printf(", \"cells\": [");
    for (uint32_t c = 0; c < plan->cell_count; c++)
        print_cell_json(plan, c);
    (void)printf("\n]}\n");
}

int cmd_check(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"format", KEY_FORMAT, "F", 0, "table csv json", 0},
        {0},
    };
    static const char doc[] =
        "Validate a campaign file and say what it would run; nothing is run or written."
        "\vExamples:\n"
        "  loris check demo.yaml\n"
        "  loris check demo.yaml --only 'loris/*/power' --trials 1000\n"
        "  loris check demo.yaml --format csv             a row a cell, with its trials\n"
        "Errors are lines FILE:LINE:COL: what is wrong; what is allowed; exit 2.";
    static const struct argp_child children[] = {{&cli_campaign_argp, 0, "The campaign:", 1}, {0}};
    static const struct argp argp = {options, parse_check, "CAMPAIGN.yaml", doc, children,
                                     NULL,    NULL};
    static struct check_input in; /* the lists are large */
    (void)argp_parse(&argp, argc, argv, 0, NULL, &in);
    cli_campaign_finish(&in.campaign);
    struct plan *plan = plan_load(&in.campaign.request, stderr);
    if (plan == NULL || in.campaign.wrong) {
        plan_destroy(plan);
        return EXIT_WRONG_INPUT;
    }
    if (in.format == CHECK_CSV)
        print_csv(plan);
    else if (in.format == CHECK_JSON)
        print_json(plan);
    else
        print_plan(plan);
    plan_destroy(plan);
    return EXIT_DONE;
}
