/* `loris plot`: the command line of results/plot.h. */
#include <stdio.h>

#include "campaign/cli.h"
#include "results/plot.h"

enum { KEY_FORMAT = CLI_KEY_OWN, KEY_KIND, KEY_WHERE };

struct plot_input {
    struct plot_options options;
    bool wrong;
};

static error_t parse_plot(int key, char *arg, struct argp_state *state)
{
    struct plot_input *in = state->input;
    switch (key) {
    case 'o':
        in->options.out_dir = arg;
        return 0;
    case KEY_KIND:
        in->options.kind = arg;
        return 0;
    case KEY_WHERE:
        in->options.where = arg;
        return 0;
    case KEY_FORMAT:
        in->options.format =
            (enum plot_format)cli_format(plot_format_from_name, arg, "svg, png", &in->wrong);
        return 0;
    default:
        return cli_one_file(key, arg, state, "results", &in->options.path);
    }
}

int cmd_plot(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"output", 'o', "DIR", 0, "Folder of the pictures; default NAME-plots, here", 0},
        {"format", KEY_FORMAT, "F", 0, "svg or png", 0},
        {"kind", KEY_KIND, "NAME", 0, "Only this kind; see loris list plots", 0},
        {"where", KEY_WHERE, "SQL", 0, "Only the trials that satisfy this condition", 0},
        {0},
    };
    static const char doc[] =
        "Draw the outcomes by gnuplot; each picture comes with its script and its data."
        "\vExamples:\n"
        "  loris plot demo.db                          all that apply, into demo-plots/\n"
        "  loris plot demo.db --kind levels --format png\n"
        "  gnuplot demo-plots/levels.gp                again, after you changed the script";
    static const struct argp argp = {options, parse_plot, "OUT.db", doc, NULL, NULL, NULL};
    struct plot_input in = {0};
    (void)argp_parse(&argp, argc, argv, 0, NULL, &in);
    if (in.wrong)
        return EXIT_WRONG_INPUT;
    return plot_run(&in.options, stdout, stderr);
}
