/* `loris run`, and `loris replay` and `loris bench`, which also hand over to campaign/run.h. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "campaign/cli.h"
#include "campaign/run.h"

enum {
    KEY_RESUME = CLI_KEY_OWN,
    KEY_OVERWRITE,
    KEY_STRICT,
    KEY_FORMAT,
    KEY_PROGRESS,
    KEY_TRACE,
    KEY_UNTIL,
    KEY_DUMP,
    KEY_ANY_BUILD
};

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

static void parse_progress(struct run_input *input, const char *text)
{
    static const char *const names[] = {"bar", "lines", "json", "off"};
    static const enum run_progress values[] = {PROGRESS_BAR, PROGRESS_LINES, PROGRESS_JSON,
                                               PROGRESS_OFF};
    for (size_t k = 0; k < 4; k++) {
        if (strcmp(names[k], text) == 0) {
            input->run.progress = values[k];
            return;
        }
    }
    cli_refuse("progress", "`%.80s` is no way to show progress; bar, lines, json or off", text);
    input->wrong = true;
}

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
        parse_progress(input, arg);
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

static const struct argp_option replay_argp_options[] = {
    {"trace", KEY_TRACE, "FILE.json", 0,
     "Also write what processes and disks did, for Perfetto or Chrome's trace viewer", 0},
    {"until", KEY_UNTIL, "EVENT", 0, "Stop at this event of the trace and tell the state", 0},
    {"dump", KEY_DUMP, "disk:N FILE", 0,
     "Write that disk's image at the end, or at --until: FILE as it reads, FILE.stable without its "
     "volatile cache",
     0},
    {"verbose", 'v', NULL, 0, "Tell every event, not only the milestones", 0},
    {"any-build", KEY_ANY_BUILD, NULL, 0,
     "Also by another build than the stored one: compares the outcome, not the hash", 0},
    {0},
};

static const char replay_doc[] =
    "Run one trial of a results file again, check its hash and tell its story."
    "\vTRIAL is a number, or variant/workload/fault/n.\n\nExamples:\n"
    "  loris replay demo.db 17\n"
    "  loris replay demo.db loris/mail/power/3 --verbose\n"
    "  loris replay demo.db 17 --trace 17.json       open it in ui.perfetto.dev\n"
    "  loris replay demo.db 17 --until 2041 --dump disk:0 disk0.img\n"
    "Exit 1 if the run diverged from the stored one; the first difference is named.";

/* `disk:N` and, from the next argument, FILE. */
static void parse_dump(struct replay_options *o, const char *disk, struct argp_state *state)
{
    char *end = NULL;
    bool named = strncmp(disk, "disk:", 5) == 0 && disk[5] >= '0' && disk[5] <= '9';
    unsigned long number = named ? strtoul(disk + 5, &end, 10) : 0;
    if (!named || *end != '\0' || number > UINT32_MAX)
        argp_error(state, "`%s` is no disk; as --dump disk:0 FILE", disk);
    if (state->next >= state->argc)
        argp_error(state, "--dump wants a file behind the disk; as --dump disk:0 FILE");
    o->dump_disk = (uint32_t)number;
    o->dump_path = state->argv[state->next++];
}

static void parse_until(struct replay_options *o, const char *event, struct argp_state *state)
{
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(event, &end, 10);
    if (event[0] < '0' || event[0] > '9' || *end != '\0' || number == 0 || errno != 0)
        argp_error(state, "`%s` is no event; a number of the trace, from 1", event);
    o->until = number;
}

static error_t parse_replay(int key, char *arg, struct argp_state *state)
{
    struct replay_options *o = state->input;
    switch (key) {
    case KEY_TRACE:
        o->trace_path = arg;
        return 0;
    case KEY_UNTIL:
        parse_until(o, arg, state);
        return 0;
    case KEY_DUMP:
        parse_dump(o, arg, state);
        return 0;
    case 'v':
        o->verbose = true;
        return 0;
    case KEY_ANY_BUILD:
        o->any_build = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num == 0)
            o->db_path = arg;
        else if (state->arg_num == 1)
            o->trial = arg;
        else
            argp_error(state, "`%s` is too many; a results file and a trial", arg);
        return 0;
    case ARGP_KEY_END:
        if (state->arg_num < 2)
            argp_error(state, "a results file and a trial are wanted; as loris replay demo.db 17");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cmd_replay(int argc, char **argv)
{
    static const struct argp argp = {
        replay_argp_options, parse_replay, "OUT.db TRIAL", replay_doc, NULL, NULL, NULL};
    struct replay_options options = {0};
    (void)argp_parse(&argp, argc, argv, 0, NULL, &options);
    return replay_trial(&options);
}

static error_t parse_bench(int key, char *arg, struct argp_state *state)
{
    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    argp_error(state, "`%s` is too many; bench takes nothing", arg);
    return 0;
}

int cmd_bench(int argc, char **argv)
{
    static const struct argp argp = {
        NULL, parse_bench, "",  "Measure how fast this machine runs trials, events and I/Os.",
        NULL, NULL,        NULL};
    (void)argp_parse(&argp, argc, argv, 0, NULL, NULL);
    return bench_machine();
}
