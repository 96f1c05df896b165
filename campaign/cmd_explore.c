/* `loris explore`. */
#include <stdio.h>
#include <string.h>

#include "campaign/cli.h"
#include "campaign/explore_run.h"
#include "sim/option.h"

#define NS_PER_S INT64_C(1000000000)

enum {
    KEY_RESUME = CLI_KEY_OWN,
    KEY_OVERWRITE,
    KEY_FORMAT,
    KEY_PROGRESS,
    KEY_DEPTH,
    KEY_EVERY,
    KEY_PERSISTENCE,
    KEY_STATES,
    KEY_BUDGET,
    KEY_KEEP,
    KEY_NO_MEMO
};

struct explore_input {
    struct cli_campaign campaign;
    struct explore_run_options run;
    char out[4096];
    bool wrong;
};

static const struct argp_option options[] = {
    {"output", 'o', "OUT.db", 0, "Results file; default the campaign's name with .db, here", 0},
    {"jobs", 'j', "N", 0, "Worker processes; default one a CPU; never changes a result", 0},
    {"depth", KEY_DEPTH, "N", 0,
     "Power: pending writes that a disk may lose before the last it keeps, default 2. Processes: "
     "how "
     "many die, one after the other, 1 to 3, default 1",
     0},
    {"every", KEY_EVERY, "N", 0, "Only each N-th point or class; default 1", 0},
    {"persistence", KEY_PERSISTENCE, NULL, 0, "Only points after fsync, sync and commit", 0},
    {"states", KEY_STATES, "N", 0, "Stop when so many states are covered", 0},
    {"budget", KEY_BUDGET, "TIME", 0, "Stop after this time: 90, 5min", 0},
    {"keep", KEY_KEEP, "WHICH", 0, "Rows of broken states (default) or of all", 0},
    {"no-memo", KEY_NO_MEMO, NULL, 0, "Boot each distinct image; slow, for checks", 0},
    {"resume", KEY_RESUME, NULL, 0, "Go on where the results file stops", 0},
    {"overwrite", KEY_OVERWRITE, NULL, 0, "Replace the results file", 0},
    {"format", KEY_FORMAT, "F", 0, "Of the final table: table csv json markdown", 0},
    {"progress", KEY_PROGRESS, "HOW", 0, "bar lines json off; default by terminal", 0},
    {"quiet", 'q', NULL, 0, "The same as --progress off", 0},
    {0},
};

static const char doc[] =
    "Visit every crash state, not a sample: the power fails at each disk write, completed flush "
    "and "
    "answer to an application, and the caches keep every set of writes that they may; or processes "
    "die at every block that matters; or memory is flipped in every class of bits."
    "\vPlans with `uniform` moments are explored: of one power.cut, of process.crash, of one "
    "memory.flip. States that recovery and judging cannot tell apart are booted once, deaths that "
    "leave the same behind are one trial. Broken ones become rows of trials, and each can be "
    "replayed; the view `explored` tells how much was covered.\n\nExamples:\n"
    "  loris explore demo.yaml --only '*/*/power'     every state of these cells\n"
    "  loris explore demo.yaml --depth 1 --every 10   fewer of them\n"
    "  loris explore demo.yaml --budget 5min          whole depths first, then stop\n"
    "  loris replay demo.db 3000001                   a broken state again\n"
    "Exit 1 if a state breaks its promise.";

/* A time; seconds if there is no unit. */
static void parse_budget(struct explore_input *input, const char *text)
{
    char error[OPTION_ERROR_BYTES];
    int64_t value = 0;
    if (option_parse_integer(text, &value, error) && value > 0 && value < INT64_MAX / NS_PER_S) {
        input->run.budget_ns = (uint64_t)(value * NS_PER_S);
    } else if (option_parse_time(text, &value, error) && value > 0) {
        input->run.budget_ns = (uint64_t)value;
    } else {
        cli_refuse("budget", "`%.80s` is no time above 0; as 90 or 5min", text);
        input->wrong = true;
    }
}

static void parse_keep(struct explore_input *input, const char *text)
{
    input->run.explore.keep_all = strcmp(text, "all") == 0;
    if (input->run.explore.keep_all || strcmp(text, "broken") == 0)
        return;
    cli_refuse("keep", "`%.80s` is nothing to keep; broken or all", text);
    input->wrong = true;
}

static error_t parse_bounds(int key, char *arg, struct explore_input *input)
{
    struct explore_options *e = &input->run.explore;
    switch (key) {
    case KEY_DEPTH:
        e->depth = (uint32_t)cli_number("depth", arg, 0, SIM_DEPTH_MAX, &input->wrong);
        e->strikes = e->depth;
        return 0;
    case KEY_EVERY:
        e->every = cli_number("every", arg, 1, UINT32_MAX, &input->wrong);
        return 0;
    case KEY_PERSISTENCE:
        e->persistence = true;
        return 0;
    case KEY_STATES:
        e->states = cli_number("states", arg, 1, INT64_MAX, &input->wrong);
        return 0;
    case KEY_BUDGET:
        parse_budget(input, arg);
        return 0;
    case KEY_KEEP:
        parse_keep(input, arg);
        return 0;
    case KEY_NO_MEMO:
        e->eager = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct explore_input *input = state->input;
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
    case KEY_FORMAT:
        input->run.format = arg;
        if (explore_format_is(arg))
            return 0;
        cli_refuse("format", "`%.80s` is no format; table, csv, json or markdown", arg);
        input->wrong = true;
        return 0;
    case KEY_PROGRESS:
        input->run.progress = cli_progress(arg, &input->wrong);
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &input->campaign;
        return 0;
    default:
        break;
    }
    if (parse_bounds(key, arg, input) == 0)
        return 0;
    return cli_one_file(key, arg, state, "campaign", &input->campaign.request.path);
}

int cmd_explore(int argc, char **argv)
{
    static const struct argp_child children[] = {{&cli_campaign_argp, 0, "The campaign:", 1}, {0}};
    static const struct argp argp = {options, parse, "CAMPAIGN.yaml", doc, children, NULL, NULL};
    static struct explore_input input; /* the lists are large */
    input.run.jobs = cli_cpus();
    input.run.format = "table";
    input.run.explore = (struct explore_options){.depth = 2, .strikes = 1, .every = 1};
    (void)argp_parse(&argp, argc, argv, 0, NULL, &input);
    cli_campaign_finish(&input.campaign);
    if (input.run.resume && input.run.overwrite) {
        cli_refuse("overwrite", "`--resume` and `--overwrite` exclude each other");
        input.wrong = true;
    }
    if (input.campaign.request.trials != 0)
        (void)fputs(
            "loris: explore visits every sequence of a workload, whatever --trials says; less "
            "of it by --budget, --states, --every or --shard\n",
            stderr);
    struct plan *plan = plan_load(&input.campaign.request, stderr);
    if (plan == NULL || input.wrong || input.campaign.wrong) {
        plan_destroy(plan);
        return EXIT_WRONG_INPUT;
    }
    if (input.run.out_path == NULL) {
        cli_default_path(input.campaign.request.path, ".db", input.out, sizeof(input.out));
        input.run.out_path = input.out;
    }
    input.run.request = &input.campaign.request;
    int code = explore_campaign(plan, &input.run);
    plan_destroy(plan);
    return code;
}
