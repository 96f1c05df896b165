/*
 * The `loris` program: finds the command and hands over. Each command is a cmd_*.c with its own
 * options and its own --help.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "campaign/cli.h"
#include "campaign/store_plan.h"
#include "campaign/teach.h"
#include "sim/option.h"

struct command {
    const char *name;
    cli_command *run;
    const char *doc;
};

static const struct command commands[] = {
    {"run", cmd_run, "run a campaign into a results file"},
    {"check", cmd_check, "say what a campaign would run, and what is wrong with it"},
    {"show", cmd_show, "outcomes as a table, with intervals"},
    {"plot", cmd_plot, "pictures by gnuplot, each with its script and data"},
    {"report", cmd_report, "one HTML file that opens offline"},
    {"compare", cmd_compare, "is one design, or one build, significantly worse?"},
    {"replay", cmd_replay, "run one trial again and tell its story"},
    {"explore", cmd_explore, "every crash state, not a sample"},
    {"shrink", cmd_shrink, "the smallest campaign with the same failure"},
    {"merge", cmd_merge, "join the shards of one campaign"},
    {"list", cmd_list, "every name that a campaign may use"},
    {"bench", cmd_bench, "how fast this machine is"},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_help(FILE *to)
{
    (void)fputs("Usage: loris COMMAND [OPTION...]\n"
                "A laboratory that injects faults into real storage stacks on simulated hardware.\n"
                "\nCommands:\n",
                to);
    for (size_t k = 0; k < COMMANDS; k++)
        (void)fprintf(to, "  %-9s %s\n", commands[k].name, commands[k].doc);
    (void)fputs("\nFirst steps:\n"
                "  loris check scripts/campaigns/demo.yaml     what would run?\n"
                "  loris run scripts/campaigns/demo.yaml       run it: demo.db and a table\n"
                "  loris show demo.db --by variant,fault       the table again, by other columns\n"
                "  loris replay demo.db 17 --verbose           trial 17, event by event\n"
                "  loris list faults                           what can be injected\n"
                "\nloris COMMAND --help tells each command's options, with examples.\n"
                "Exit: 0 done, 1 worse or broken, 2 wrong input, 3 a defect of loris, 130 and 143 "
                "interrupted.\n",
                to);
}

static int unknown(const char *name)
{
    const char *names[COMMANDS];
    for (size_t k = 0; k < COMMANDS; k++)
        names[k] = commands[k].name;
    const char *guess = option_nearest(name, names, COMMANDS);
    (void)fprintf(stderr, "loris:1:1: unknown command `%.80s`; see loris --help", name);
    if (guess != NULL)
        (void)fprintf(stderr, "; did you mean `%s`?", guess);
    (void)fputc('\n', stderr);
    return EXIT_WRONG_INPUT;
}

static int run_command(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return EXIT_WRONG_INPUT;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return EXIT_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)printf("loris %s, build %s\n", LORIS_VERSION, build_id());
        return EXIT_DONE;
    }
    for (size_t k = 0; k < COMMANDS; k++) {
        if (strcmp(commands[k].name, argv[1]) != 0)
            continue;
        if (argc == 2 && teach(argv[1], stderr))
            return EXIT_WRONG_INPUT;
        char name[64]; /* what the command's own messages call it */
        (void)snprintf(name, sizeof(name), "loris %s", commands[k].name);
        argv[1] = name;
        return commands[k].run(argc - 1, argv + 1);
    }
    return unknown(argv[1]);
}

int main(int argc, char **argv)
{
    argp_err_exit_status = EXIT_WRONG_INPUT;
    int code = run_command(argc, argv);
    /* A result that got lost on its way must not look like success. */
    if ((fflush(stdout) != 0 || ferror(stdout) != 0) && code == EXIT_DONE) {
        (void)fprintf(stderr, "stdout:1:1: cannot write: %s\n", strerror(errno));
        return EXIT_WRONG_INPUT;
    }
    return code;
}
