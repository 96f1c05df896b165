#define _GNU_SOURCE /* sched_getaffinity */
#include "campaign/cli.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assertion.h"
#include "campaign/parse.h"
#include "campaign/run.h"

static const struct argp_option campaign_options[] = {
    {"set", CLI_KEY_SET, "KEY=VALUE", 0,
     "Change the campaign: KEY is a path from its top, VALUE is YAML; repeatable", 1},
    {"only", CLI_KEY_ONLY, "PATTERN", 0,
     "Only the cells that match variant/workload/fault; repeatable", 1},
    {"skip", CLI_KEY_SKIP, "PATTERN", 0, "Not the cells that match; repeatable", 1},
    {"trials", CLI_KEY_TRIALS, "N", 0, "Trials a cell, in place of the file's", 1},
    {"seed", CLI_KEY_SEED, "N", 0, "Seed, in place of the file's", 1},
    {"shard", CLI_KEY_SHARD, "I/N", 0, "Only every N-th trial, from the I-th; see loris merge", 1},
    {0},
};

static void add(const char **list, uint32_t *count, const char *text, const char *option,
                bool *wrong)
{
    if (*count == CLI_LIST_MAX) {
        cli_refuse(option, "is given too often; at most %d times", CLI_LIST_MAX);
        *wrong = true;
        return;
    }
    list[(*count)++] = text;
}

static error_t parse_campaign(int key, char *arg, struct argp_state *state)
{
    struct cli_campaign *c = state->input;
    struct plan_request *r = &c->request;
    switch (key) {
    case CLI_KEY_SET:
        add(c->sets, &r->set_count, arg, "set", &c->wrong);
        return 0;
    case CLI_KEY_ONLY:
        add(c->only, &r->only_count, arg, "only", &c->wrong);
        return 0;
    case CLI_KEY_SKIP:
        add(c->skip, &r->skip_count, arg, "skip", &c->wrong);
        return 0;
    case CLI_KEY_TRIALS:
        r->trials_given = true;
        r->trials = cli_number("trials", arg, 1, PLAN_TRIALS_MAX, &c->wrong);
        return 0;
    case CLI_KEY_SEED:
        r->seed_given = true;
        r->seed = cli_number("seed", arg, 0, INT64_MAX, &c->wrong);
        return 0;
    case CLI_KEY_SHARD:
        r->shard = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp cli_campaign_argp = {
    campaign_options, parse_campaign, NULL, NULL, NULL, NULL, NULL};

void cli_campaign_finish(struct cli_campaign *campaign)
{
    ASSERT(campaign != NULL);
    campaign->request.sets = campaign->sets;
    campaign->request.only = campaign->only;
    campaign->request.skip = campaign->skip;
}

void cli_refuse(const char *option, const char *format, ...)
{
    (void)fprintf(stderr, "--%s:1:1: ", option);
    va_list args;
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
}

uint64_t cli_number(const char *option, const char *text, int64_t min, int64_t max, bool *wrong)
{
    char error[OPTION_ERROR_BYTES];
    int64_t value = min;
    if (!option_parse_integer(text, &value, error)) {
        cli_refuse(option, "%s", error);
        *wrong = true;
        return (uint64_t)min;
    }
    if (value < min || value > max) {
        cli_refuse(option, "`%.80s` is out of range; %lld to %lld", text, (long long)min,
                   (long long)max);
        *wrong = true;
        return (uint64_t)min;
    }
    return (uint64_t)value;
}

double cli_share(const char *option, const char *text, bool points, bool *wrong)
{
    char error[OPTION_ERROR_BYTES];
    double value = 0;
    if (parse_share_text(text, points, &value, error))
        return value;
    cli_refuse(option, "%s", error);
    *wrong = true;
    return 0;
}

int cli_format(int (*from_name)(const char *name), const char *text, const char *allowed,
               bool *wrong)
{
    int format = from_name(text);
    if (format >= 0)
        return format;
    cli_refuse("format", "`%.80s` is no format; allowed: %s", text, allowed);
    *wrong = true;
    return 0;
}

enum run_progress cli_progress(const char *text, bool *wrong)
{
    static const char *const names[] = {"bar", "lines", "json", "off"};
    static const enum run_progress values[] = {PROGRESS_BAR, PROGRESS_LINES, PROGRESS_JSON,
                                               PROGRESS_OFF};
    for (size_t k = 0; k < 4; k++)
        if (strcmp(names[k], text) == 0)
            return values[k];
    cli_refuse("progress", "`%.80s` is no way to show progress; bar, lines, json or off", text);
    *wrong = true;
    return PROGRESS_AUTO;
}

error_t cli_one_file(int key, char *arg, struct argp_state *state, const char *what,
                     const char **path)
{
    switch (key) {
    case ARGP_KEY_ARG:
        if (*path != NULL)
            argp_error(state, "one %s file at a time; `%s` is too many", what, arg);
        *path = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which %s file? As %s %s", what, state->name,
                   strcmp(what, "results") == 0 ? "demo.db" : "scripts/campaigns/demo.yaml");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

error_t cli_file_and_trial(int key, char *arg, struct argp_state *state, const char **db_path,
                           const char **trial)
{
    switch (key) {
    case ARGP_KEY_ARG:
        if (state->arg_num > 1)
            argp_error(state, "`%s` is too many; a results file and a trial", arg);
        *(state->arg_num == 0 ? db_path : trial) = arg;
        return 0;
    case ARGP_KEY_END:
        if (state->arg_num < 2)
            argp_error(state, "a results file and a trial are wanted; as %s demo.db 17",
                       state->name);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

void cli_default_path(const char *path, const char *extension, char *to, size_t room)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    const char *dot = strrchr(name, '.');
    int length = dot == NULL || dot == name ? (int)strlen(name) : (int)(dot - name);
    (void)snprintf(to, room, "%.*s%s", length, name, extension);
}

uint32_t cli_cpus(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    int count = CPU_COUNT(&set);
    if (count < 1)
        return 1;
    return (uint32_t)count > RUN_JOBS_MAX ? RUN_JOBS_MAX : (uint32_t)count;
}

bool cli_colour(void)
{
    const char *no_color = getenv("NO_COLOR");
    return isatty(STDOUT_FILENO) == 1 && (no_color == NULL || no_color[0] == '\0');
}

void cli_json_text(FILE *to, const char *text)
{
    if (text == NULL) {
        (void)fputs("null", to);
        return;
    }
    (void)fputc('"', to);
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\')
            (void)fprintf(to, "\\%c", byte);
        else if (byte < 0x20 || byte == 0x7f)
            (void)fprintf(to, "\\u%04x", byte);
        else
            (void)fputc(byte, to);
    }
    (void)fputc('"', to);
}
