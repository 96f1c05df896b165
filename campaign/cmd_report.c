/* `loris report` and `loris merge`: the command line of results/report.h and results/join.h. */
#include <stdio.h>

#include "campaign/cli.h"
#include "results/join.h"
#include "results/report.h"

#define PARTS_MAX 4096

static error_t parse_report(int key, char *arg, struct argp_state *state)
{
    struct report_options *o = state->input;
    switch (key) {
    case 'o':
        o->out_path = arg;
        return 0;
    default:
        return cli_one_file(key, arg, state, "results", &o->path);
    }
}

int cmd_report(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"output", 'o', "FILE", 0, "The page; default NAME.html in the current folder", 0},
        {0},
    };
    static const char doc[] =
        "Write one HTML page with question, answer, pictures and tables."
        "\vExample:\n"
        "  loris report demo.db -o demo.html     opens offline, in any browser\n";
    static const struct argp argp = {options, parse_report, "OUT.db", doc, NULL, NULL, NULL};
    struct report_options o = {0};
    (void)argp_parse(&argp, argc, argv, 0, NULL, &o);
    return report_run(&o, stdout, stderr);
}

struct merge_input {
    const char *part[PARTS_MAX];
    struct join_options options;
};

static error_t parse_merge(int key, char *arg, struct argp_state *state)
{
    struct merge_input *in = state->input;
    switch (key) {
    case 'o':
        in->options.out_path = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (in->options.part_count == PARTS_MAX)
            argp_error(state, "too many parts; at most %d", PARTS_MAX);
        in->part[in->options.part_count++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (in->options.out_path == NULL || in->options.part_count == 0)
            argp_error(state, "as loris merge -o whole.db part-1.db part-2.db");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cmd_merge(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"output", 'o', "FILE", 0, "The file to make; it must not exist", 0},
        {0},
    };
    static const char doc[] = "Join the shards of one campaign into the file of one run."
                              "\vExample:\n"
                              "  loris run c.yaml --shard 1/2 -o p1.db\n"
                              "  loris run c.yaml --shard 2/2 -o p2.db\n"
                              "  loris merge -o c.db p1.db p2.db\n";
    static const struct argp argp = {options, parse_merge, "PART.db...", doc, NULL, NULL, NULL};
    static struct merge_input in;
    (void)argp_parse(&argp, argc, argv, 0, NULL, &in);
    in.options.parts = in.part;
    return join_run(&in.options, stdout, stderr);
}
