/* `loris replay`: its options; the work is campaign/replay.c. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "campaign/cli.h"
#include "campaign/run.h"

enum { KEY_TRACE = CLI_KEY_OWN, KEY_UNTIL, KEY_DUMP, KEY_RECORD, KEY_GDB, KEY_ANY_BUILD };

static const struct argp_option replay_argp_options[] = {
    {"trace", KEY_TRACE, "FILE.json", 0,
     "Also write what processes and disks did, for Perfetto or Chrome's trace viewer", 0},
    {"until", KEY_UNTIL, "EVENT", 0, "Stop at this event of the trace and tell the state", 0},
    {"dump", KEY_DUMP, "disk:N FILE", 0,
     "Write that disk's image at the end, or at --until: FILE as it reads, FILE.stable without its "
     "volatile cache",
     0},
    {"record", KEY_RECORD, "FILE", 0,
     "Write the run's hash at each event of the trace, 8 bytes each: cmp of the files of two "
     "builds "
     "finds the first event that differs",
     0},
    {"gdb", KEY_GDB, NULL, 0,
     "Start gdb on the run at the event of --until, else at its first; then it goes on to its end",
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
    "  loris replay demo.db 17 --until 2041 --gdb\n"
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
    case KEY_RECORD:
        o->record_path = arg;
        return 0;
    case KEY_GDB:
        o->gdb = true;
        return 0;
    case 'v':
        o->verbose = true;
        return 0;
    case KEY_ANY_BUILD:
        o->any_build = true;
        return 0;
    default:
        return cli_file_and_trial(key, arg, state, &o->db_path, &o->trial);
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
