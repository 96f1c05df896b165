/* `loris shrink`: its options; the work is campaign/shrink.c. */
#include "campaign/cli.h"
#include "campaign/shrink.h"

enum { KEY_BUDGET = CLI_KEY_OWN, KEY_OVERWRITE, KEY_ANY_BUILD };

struct shrink_input {
    struct shrink_options shrink;
    bool wrong;
};

static const struct argp_option shrink_argp_options[] = {
    {"output", 'o', "MIN.yaml", 0, "The campaign; default min-TRIAL.yaml, here; MIN.ops beside it",
     0},
    {"overwrite", KEY_OVERWRITE, NULL, 0, "Replace these files", 0},
    {"jobs", 'j', "N", 0, "Candidates at a time; default one a CPU; never changes a result", 0},
    {"budget", KEY_BUDGET, "S", 0, "Seconds after which the best so far is written; default 300",
     0},
    {"any-build", KEY_ANY_BUILD, NULL, 0,
     "Also by another build than the stored one: compares the outcome, not the hash", 0},
    {0},
};

static const char shrink_doc[] =
    "Find the smallest campaign that fails as a trial of a results file did."
    "\vTRIAL is a number, or variant/workload/fault/n.\n"
    "The same failure has the same level, clause of the oracle and, of a death, the same victim.\n"
    "Fewer faults, operations, applications, environments and disks are tried, the earliest\n"
    "strike, small numbers, plain names, options at their defaults, until nothing more helps.\n\n"
    "Examples:\n"
    "  loris shrink demo.db 17                        into min-17.yaml and min-17.ops\n"
    "  loris shrink demo.db none/mail/power/3 -o scripts/campaigns/known/torn.yaml\n"
    "Exit 1 if the trial did not fail again.";

static error_t parse_shrink(int key, char *arg, struct argp_state *state)
{
    struct shrink_input *input = state->input;
    struct shrink_options *o = &input->shrink;
    switch (key) {
    case 'o':
        o->out_path = arg;
        return 0;
    case 'j':
        o->jobs = (uint32_t)cli_number("jobs", arg, 1, SHRINK_JOBS_MAX, &input->wrong);
        return 0;
    case KEY_BUDGET:
        o->budget_s = cli_number("budget", arg, 1, 1000000, &input->wrong);
        return 0;
    case KEY_OVERWRITE:
        o->overwrite = true;
        return 0;
    case KEY_ANY_BUILD:
        o->any_build = true;
        return 0;
    default:
        return cli_file_and_trial(key, arg, state, &o->db_path, &o->trial);
    }
}

int cmd_shrink(int argc, char **argv)
{
    static const struct argp argp = {
        shrink_argp_options, parse_shrink, "OUT.db TRIAL", shrink_doc, NULL, NULL, NULL};
    struct shrink_input input = {
        .shrink = {.jobs = cli_cpus(), .budget_s = SHRINK_BUDGET_S, .planted = PLANTED_NONE}};
    (void)argp_parse(&argp, argc, argv, 0, NULL, &input);
    return input.wrong ? EXIT_WRONG_INPUT : shrink_trial(&input.shrink);
}
