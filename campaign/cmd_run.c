/* `loris run`, and `loris bench`, which also hands over to campaign/run.h. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "campaign/bench_out.h"
#include "campaign/cli.h"
#include "campaign/run.h"

enum { KEY_RESUME = CLI_KEY_OWN, KEY_OVERWRITE, KEY_STRICT, KEY_FORMAT, KEY_PROGRESS };

struct run_input {
    struct cli_campaign campaign;
    struct run_options run;
    char out[4096]; /* the results file's name where none is given */
    bool wrong;
};

static const struct argp_option run_argp_options[] = {
    {"output", 'o', "OUT.db", 0, "Results file; default the campaign's name with .db, here", 0},
    {"jobs", 'j', "N", 0, "Worker processes; default one a CPU; never changes a result", 0},
    {"resume", KEY_RESUME, NULL, 0, "Go on where the results file stops", 0},
    {"overwrite", KEY_OVERWRITE, NULL, 0, "Replace the results file", 0},
    {"strict", KEY_STRICT, NULL, 0, "Exit 1 if a promise was broken", 0},
    {"format", KEY_FORMAT, "F", 0, "Of the final table: table csv json markdown junit", 0},
    {"progress", KEY_PROGRESS, "HOW", 0, "bar lines json off; default by terminal", 0},
    {"quiet", 'q', NULL, 0, "The same as --progress off", 0},
    {0},
};

static const char run_doc[] =
    "Run a campaign: every variant meets every workload and every fault plan."
    "\vExamples:\n"
    "  loris run demo.yaml                        into demo.db, then print the table\n"
    "  loris run demo.yaml --trials 20 -o try.db  a quick look\n"
    "  loris run demo.yaml --only 'loris/*/power' one fault plan of one variant\n"
    "  loris run demo.yaml --resume --trials 500  more trials of the same campaign\n"
    "  loris run demo.yaml --set variants.loris.checkpoint=10s -o slow.db";

static void parse_format(struct run_input *input, const char *text)
{
    static const char *const names[] = {"table", "csv", "json", "markdown", "junit"};
    for (size_t k = 0; k < 5; k++)
        if (strcmp(names[k], text) == 0)
            input->run.format = names[k];
    if (input->run.format != NULL && strcmp(input->run.format, text) == 0)
        return;
    cli_refuse("format", "`%.80s` is no format; table, csv, json, markdown or junit", text);
    input->wrong = true;
}

static error_t parse_run(int key, char *arg, struct argp_state *state)
{
    struct run_input *input = state->input;
    switch (key) {
    case 'o':
        input->run.out_path = arg;
        return 0;
    case 'j':
        input->run.jobs = (uint32_t)cli_number("jobs", arg, 1, RUN_JOBS_MAX, &input->wrong);
        return 0;
    case 'q':
        input->run.progress = PROGRESS_OFF;
        return 0;
    case KEY_RESUME:
        input->run.resume = true;
        return 0;
    case KEY_OVERWRITE:
        input->run.overwrite = true;
        return 0;
    case KEY_STRICT:
        input->run.strict = true;
        return 0;
    case KEY_FORMAT:
        parse_format(input, arg);
        return 0;
    case KEY_PROGRESS:
        input->run.progress = cli_progress(arg, &input->wrong);
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &input->campaign;
        return 0;
    default:
        return cli_one_file(key, arg, state, "campaign", &input->campaign.request.path);
    }
}

/* Campaigns of all sequences of operations: whether these are all. */
static void tell_sequences(const struct plan *plan)
{
    for (uint32_t w = 0; w < plan->workload_count; w++) {
        unsigned long long all = plan->workloads[w].sequences, some = plan_cell_trials(plan, w);
        if (all == 0)
            continue;
        if (some == all)
            (void)fprintf(stderr, "loris: workload %s: all %llu sequences, one a trial\n",
                          plan->workloads[w].name, all);
        else
            (void)fprintf(stderr, "loris: workload %s: the first %llu of %llu sequences\n",
                          plan->workloads[w].name, some, all);
    }
}

int cmd_run(int argc, char **argv)
{
    static const struct argp_child children[] = {{&cli_campaign_argp, 0, "The campaign:", 1}, {0}};
    static const struct argp argp = {
        run_argp_options, parse_run, "CAMPAIGN.yaml", run_doc, children, NULL, NULL};
    static struct run_input input; /* the lists are large */
    input.run.jobs = cli_cpus();
    (void)argp_parse(&argp, argc, argv, 0, NULL, &input);
    cli_campaign_finish(&input.campaign);
    if (input.run.resume && input.run.overwrite) {
        cli_refuse("overwrite", "`--resume` and `--overwrite` exclude each other");
        input.wrong = true;
    }
    struct plan *plan = plan_load(&input.campaign.request, stderr);
    if (plan == NULL || input.wrong || input.campaign.wrong) {
        plan_destroy(plan);
        return EXIT_WRONG_INPUT;
    }
    if (input.run.out_path == NULL) {
        cli_default_path(input.campaign.request.path, ".db", input.out, sizeof(input.out));
        input.run.out_path = input.out;
    }
    if (input.run.format == NULL)
        input.run.format = "table";
    input.run.request = &input.campaign.request;
    if (input.run.progress != PROGRESS_OFF)
        tell_sequences(plan);
    int code = run_campaign(plan, &input.run);
    plan_destroy(plan);
    return code;
}

struct bench_input {
    struct bench_out out;
    bool wrong;
};

static error_t parse_bench(int key, char *arg, struct argp_state *state)
{
    struct bench_input *in = state->input;
    switch (key) {
    case KEY_FORMAT:
        in->out.format = (enum bench_format)cli_format(bench_format_from_name, arg,
                                                       "table, csv, json", &in->wrong);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "`%s` is too many; bench takes nothing", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cmd_bench(int argc, char **argv)
{
    static const struct argp_option bench_options[] = {
        {"format", KEY_FORMAT, "F", 0, "table csv json", 0},
        {0},
    };
    static const char doc[] = "Measure how fast this machine runs trials, events and I/Os."
                              "\vTakes about 40 s.\n\nExamples:\n"
                              "  loris bench\n"
                              "  loris bench --format csv > speed.csv     a row a figure";
    static const struct argp argp = {bench_options, parse_bench, "", doc, NULL, NULL, NULL};
    struct bench_input in = {.out = {.to = stdout}};
    (void)argp_parse(&argp, argc, argv, 0, NULL, &in);
    return in.wrong ? EXIT_WRONG_INPUT : bench_machine(&in.out);
}
