/*
 * What the commands of `loris` share: exit codes, the options that run, check and explore have in
 * common, and a few habits (where output goes by default, how an option's value is refused).
 */
#ifndef LORIS_CAMPAIGN_CLI_H
#define LORIS_CAMPAIGN_CLI_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#include "campaign/plan.h"
#include "campaign/run.h"

#define EXIT_DONE 0
#define EXIT_WORSE 1
#define EXIT_WRONG_INPUT 2
#define EXIT_DEFECT 3

#define CLI_LIST_MAX 256 /* --set, --only, --skip: of each */

/* The commands: each gets its own argv, argv[0] being "loris COMMAND", and returns an exit code. */
typedef int cli_command(int argc, char **argv);
cli_command cmd_run, cmd_check, cmd_show, cmd_plot, cmd_compare, cmd_replay, cmd_report, cmd_merge,
    cmd_list, cmd_bench, cmd_explore, cmd_shrink;

/* The campaign file and the options that change it. */
struct cli_campaign {
    struct plan_request request;
    const char *sets[CLI_LIST_MAX], *only[CLI_LIST_MAX], *skip[CLI_LIST_MAX];
    bool wrong; /* a value was refused: exit 2 */
};

/* An argp of those options, for use as a child; its input is a struct cli_campaign. */
extern const struct argp cli_campaign_argp;

/* Keys of long options, beyond characters; commands begin theirs at CLI_KEY_OWN. */
enum cli_key {
    CLI_KEY_SET = 256,
    CLI_KEY_ONLY,
    CLI_KEY_SKIP,
    CLI_KEY_TRIALS,
    CLI_KEY_SEED,
    CLI_KEY_SHARD,
    CLI_KEY_OWN
};

/* Ties the lists into the request; to be called after parsing. */
void cli_campaign_finish(struct cli_campaign *campaign);

/* "--jobs:1:1: ..." on stderr. */
__attribute__((format(printf, 2, 3))) void cli_refuse(const char *option, const char *format, ...);

/* A whole number of an option within bounds; refuses and sets *wrong if it is none. */
uint64_t cli_number(const char *option, const char *text, int64_t min, int64_t max, bool *wrong);

/* The value of --format; refuses and sets *wrong if `from_name` answers below 0. */
int cli_format(int (*from_name)(const char *name), const char *text, const char *allowed,
               bool *wrong);

/* The value of --progress; refuses and sets *wrong if it is none. */
enum run_progress cli_progress(const char *text, bool *wrong);

/* The end of the parser of a command that takes one file, ARG and NO_ARGS. what: results or
 * campaign. */
error_t cli_one_file(int key, char *arg, struct argp_state *state, const char *what,
                     const char **path);

/* The same of a command that takes a results file and a trial of it. */
error_t cli_file_and_trial(int key, char *arg, struct argp_state *state, const char **db_path,
                           const char **trial);

/* The name of the file in `path`, with its extension replaced, in a static buffer's place: `to`. */
void cli_default_path(const char *path, const char *extension, char *to, size_t room);

/* CPUs that this process may use, at least 1. */
uint32_t cli_cpus(void);

/* Whether results on stdout may be coloured: a terminal, and no NO_COLOR. */
bool cli_colour(void);

/* Writes text as a JSON string, quotes included; NULL as null. */
void cli_json_text(FILE *to, const char *text);

/* A share or alpha as users give it: 1% or 0.01; margins also bare points (1 = 1 %). */
double cli_share(const char *option, const char *text, bool points, bool *wrong);

#endif
