/* `loris show` and `loris compare`: the command line of results/show.h and results/compare.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "campaign/cli.h"
#include "results/compare.h"
#include "results/show.h"

enum {
    KEY_BY = CLI_KEY_OWN,
    KEY_WHERE,
    KEY_FORMAT,
    KEY_MARGIN,
    KEY_ALPHA,
    KEY_MEASURE,
    KEY_UNPAIRED,
    KEY_COMMON,
    KEY_STRICT,
    KEY_BASE,
    KEY_NEW,
    KEY_ALLOW_BROKEN
};

struct show_input {
    struct show_options options;
    bool wrong;
};

static error_t parse_show(int key, char *arg, struct argp_state *state)
{
    struct show_input *in = state->input;
    switch (key) {
    case KEY_BY:
        in->options.by = arg;
        return 0;
    case KEY_WHERE:
        in->options.where = arg;
        return 0;
    case KEY_FORMAT:
        in->options.format = (enum show_format)cli_format(
            show_format_from_name, arg, "table, csv, json, markdown, junit", &in->wrong);
        return 0;
    default:
        return cli_one_file(key, arg, state, "results", &in->options.path);
    }
}

int cmd_show(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"by", KEY_BY, "COLUMNS", 0, "Group by these, with commas; default variant,workload,fault",
         0},
        {"where", KEY_WHERE, "SQL", 0, "Only the trials that satisfy this condition", 0},
        {"format", KEY_FORMAT, "F", 0, "table csv json markdown junit", 0},
        {0},
    };
    static const char doc[] =
        "Print the outcomes of a campaign as a table, with exact intervals."
        "\vExamples:\n"
        "  loris show demo.db\n"
        "  loris show demo.db --by variant,fault --where 'injected = 1'\n"
        "  loris show demo.db --where \"level = 'silent'\" --format csv\n"
        "  loris show demo.db --by variant,checkpoint     a swept key is a column too";
    static const struct argp argp = {options, parse_show, "OUT.db", doc, NULL, NULL, NULL};
    struct show_input in = {.options = {.colour = cli_colour()}};
    (void)argp_parse(&argp, argc, argv, 0, NULL, &in);
    if (in.wrong)
        return EXIT_WRONG_INPUT;
    return show_run(&in.options, stdout, stderr);
}

struct compare_input {
    struct compare_options options;
    bool wrong;
};

/* The options that take a value. */
static bool parse_compare_value(struct compare_input *in, int key, char *arg)
{
    struct compare_options *o = &in->options;
    switch (key) {
    case KEY_MARGIN:
        o->margin = cli_share("margin", arg, true, &in->wrong);
        return true;
    case KEY_ALPHA:
        o->alpha = cli_share("alpha", arg, false, &in->wrong);
        return true;
    case KEY_MEASURE:
        o->measures = arg;
        return true;
    case KEY_BASE:
        o->base_variant = arg;
        return true;
    case KEY_NEW:
        o->new_variant = arg;
        return true;
    case KEY_ALLOW_BROKEN:
        o->allow_broken = cli_number("allow-broken", arg, 0, INT64_MAX, &in->wrong);
        return true;
    case KEY_FORMAT:
        o->format = (enum compare_format)cli_format(
            compare_format_from_name, arg, "table, json, junit, markdown, csv", &in->wrong);
        return true;
    default:
        return false;
    }
}

static error_t parse_compare(int key, char *arg, struct argp_state *state)
{
    struct compare_input *in = state->input;
    struct compare_options *o = &in->options;
    if (parse_compare_value(in, key, arg))
        return 0;
    switch (key) {
    case KEY_UNPAIRED:
        o->unpaired = true;
        return 0;
    case KEY_COMMON:
        o->common = true;
        return 0;
    case KEY_STRICT:
        o->strict = true;
        return 0;
    case 'v':
        o->verbose = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num == 0)
            o->base_path = arg;
        else if (state->arg_num == 1)
            o->new_path = arg;
        else
            argp_error(state, "`%s` is too many; one or two results files", arg);
        return 0;
    case ARGP_KEY_END:
        if (state->arg_num == 0)
            argp_error(state, "which results files? As loris compare old.db new.db");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cmd_compare(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"margin", KEY_MARGIN, "PCT", 0, "What may get worse; default 1 point, 5% of a time", 0},
        {"alpha", KEY_ALPHA, "A", 0, "Chance of a false alarm; default 5%", 0},
        {"measure", KEY_MEASURE, "M,M", 0,
         "level broken wrong outage recovery rebuild rpo time; default level", 0},
        {"base", KEY_BASE, "VARIANT", 0, "With one file: the variant to measure against", 0},
        {"new", KEY_NEW, "VARIANT", 0, "With one file: the variant in question", 0},
        {"unpaired", KEY_UNPAIRED, NULL, 0, "Do not pair trials by number", 0},
        {"common", KEY_COMMON, NULL, 0, "Only the cells that both sides have", 0},
        {"strict", KEY_STRICT, NULL, 0, "Undecided fails too", 0},
        {"allow-broken", KEY_ALLOW_BROKEN, "N", 0, "Newly broken promises to tolerate", 0},
        {"verbose", 'v', NULL, 0, "Show every cell", 0},
        {"format", KEY_FORMAT, "F", 0, "table json junit markdown csv", 0},
        {0},
    };
    static const char doc[] =
        "Say whether a new build or design is significantly worse than a base; exit 1 if so."
        "\vExamples:\n"
        "  loris compare old.db new.db                     the same campaign by two builds\n"
        "  loris compare old.db new.db --strict --format junit > gate.xml\n"
        "  loris compare demo.db --base ffs --new loris --measure level,outage\n"
        "A cell is worse, better, no-worse (within the margin; from 299 trials on, or if all of "
        "them "
        "are identical event by event) or undecided, with the trials it needs. A promise that the "
        "base kept everywhere and the new one breaks is worse, however rare.\n"
        "Exit 0: nothing is shown to be worse; 1: something is; 2: not comparable, and why.";
    static const struct argp argp = {
        options, parse_compare, "BASE.db NEW.db\nOUT.db --base VARIANT --new VARIANT", doc, NULL,
        NULL,    NULL};
    struct compare_input in = {.options = {.margin = NAN, .alpha = NAN, .colour = cli_colour()}};
    (void)argp_parse(&argp, argc, argv, 0, NULL, &in);
    if (in.wrong)
        return EXIT_WRONG_INPUT;
    return compare_run(&in.options, stdout, stderr);
}
