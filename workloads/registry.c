#include "workloads/registry.h"

#include <stddef.h>
#include <string.h>

#include "assertion.h"

#define FORMAT "campaign/FORMAT.md"
#define GIB (INT64_C(1) << 30)
#define COUNT(table) ((uint32_t)(sizeof(table) / sizeof((table)[0])))

/* What every application takes; SYNC is its own default. */
#define COMMON(SYNC) COMMON_COPIES(SYNC, NULL, "instances; default one an environment")
#define COMMON_COPIES(SYNC, COPIES, COPIES_DOC)                                                    \
    {.name = "think",                                                                              \
     .type = OPTION_TIME,                                                                          \
     .drawn = true,                                                                                \
     .fallback = "0s",                                                                             \
     .source = FORMAT,                                                                             \
     .doc = "pause between operations"},                                                           \
        {.name = "sync",                                                                           \
         .type = OPTION_INTEGER,                                                                   \
         .drawn = true,                                                                            \
         .fallback = SYNC,                                                                         \
         .max = 1000000000,                                                                        \
         .source = FORMAT,                                                                         \
         .doc = "a sync every N operations, 0: never"},                                            \
        {.name = "copies",                                                                         \
         .type = OPTION_INTEGER,                                                                   \
         .fallback = COPIES,                                                                       \
         .min = 1,                                                                                 \
         .max = 32,                                                                                \
         .source = FORMAT,                                                                         \
         .doc = COPIES_DOC},                                                                       \
    {                                                                                              \
        .name = "share", .type = OPTION_PERCENT, .fallback = "0%", .source = FORMAT,               \
        .doc = "share of its files that lie in the shared tree"                                    \
    }

static const struct option_choice sets[] = {
    {"full", 0, false}, {"core", 1, false}, {NULL, 0, false}};

#define USER_TRANSACTIONS                                                                          \
    {                                                                                              \
        .name = "user-transactions", .type = OPTION_SWITCH, .fallback = "off", .source = FORMAT,   \
        .doc = "under begin and commit"                                                            \
    }
#define NUMBER(NAME, DEFAULT, MAX, DOC)                                                            \
    {                                                                                              \
        .name = NAME, .type = OPTION_INTEGER, .drawn = true, .fallback = DEFAULT, .min = 1,        \
        .max = MAX, .source = FORMAT, .doc = DOC                                                   \
    }
#define BYTES(DEFAULT, DOC)                                                                        \
    {                                                                                              \
        .name = "size", .type = OPTION_SIZE, .drawn = true, .fallback = DEFAULT, .min = 1,         \
        .max = GIB, .source = FORMAT, .doc = DOC                                                   \
    }

#define FALLOCATE                                                                                  \
    {                                                                                              \
        .name = "fallocate", .type = OPTION_SWITCH, .fallback = "off", .source = FORMAT,           \
        .doc = "ranges are allocated, zeroed and punched too"                                      \
    }
#define LEVELS                                                                                     \
    {                                                                                              \
        .name = "levels", .type = OPTION_SWITCH, .fallback = "off", .source = FORMAT,              \
        .doc = "files are given other RAID levels while they are in use (loris)"                   \
    }
#define XATTRS                                                                                     \
    {                                                                                              \
        .name = "xattrs", .type = OPTION_SWITCH, .fallback = "off", .source = FORMAT,              \
        .doc = "extended attributes are set, read and removed too"                                 \
    }

static const struct option_spec postmark_options[] = {
    NUMBER("files", "50", 100000, "files of the initial pool"),
    NUMBER("transactions", "300", 1000000, "each a read or append and a create or delete"),
    BYTES("512B..16KiB", "of a file, drawn for each"),
    LEVELS,
    COMMON("20"),
};
static const struct option_spec fsx_options[] = {
    NUMBER("operations", "1000", 100000000, "random operations on one file"),
    BYTES("256KiB", "largest size of the file"),
    FALLOCATE,
    LEVELS,
    COMMON("50"),
};
static const struct option_spec fsstress_options[] = {
    NUMBER("operations", "300", 100000000, "random operations on names and data"),
    FALLOCATE,
    XATTRS,
    COMMON("20"),
};
static const struct option_spec bank_options[] = {
    NUMBER("transactions", "100", 100000000, "transfers"),
    USER_TRANSACTIONS,
    COMMON("1"),
};
static const struct option_spec editor_options[] = {
    NUMBER("saves", "50", 100000000, "each by backup and rename"),
    BYTES("4KiB..64KiB", "of the text, drawn for each save"),
    COMMON("1"),
};
static const struct option_spec mv_grep_options[] = {
    NUMBER("moves", "100", 100000000, "of a file while another process searches the tree"),
    USER_TRANSACTIONS,
    COMMON("0"),
};
static const struct option_spec append_log_options[] = {
    NUMBER("records", "500", 100000000, "appended to one file"),
    BYTES("100B..4KiB", "of a record, drawn for each"),
    COMMON("10"),
};
static const struct option_spec script_options[] = {
    {.name = "file",
     .type = OPTION_TEXT,
     .source = FORMAT,
     .doc = "path of the operation list; this or `operations` is required"},
    {.name = "operations",
     .type = OPTION_TEXT,
     .source = "what a database stores in place of the file",
     .doc = "the operation list itself"},
    COMMON("0"),
};
static const struct option_spec bounded_options[] = {
    {.name = "length",
     .type = OPTION_INTEGER,
     .fallback = "1",
     .min = 1,
     .max = 3,
     .source = FORMAT,
     .doc = "operations of a sequence; trial n runs the n-th one of that length"},
    {.name = "set",
     .type = OPTION_CHOICE,
     .choices = sets,
     .fallback = "full",
     .source = FORMAT,
     .doc = "which operations: all, or not chmod, symlink and sparse writes"},
    {.name = "related",
     .type = OPTION_SWITCH,
     .fallback = "off",
     .source = FORMAT,
     .doc = "only sequences whose operations touch common files"},
    COMMON_COPIES("0", "1", "instances; each runs the whole sequence"),
};

#define ROW(KIND, NAME, OPTIONS, NOT_YET, OVERWRITES, DOC)                                         \
    [KIND] = {.kind = KIND,                                                                        \
              .name = NAME,                                                                        \
              .not_yet = NOT_YET,                                                                  \
              .overwrites = OVERWRITES,                                                            \
              .options = OPTIONS,                                                                  \
              .option_count = COUNT(OPTIONS),                                                      \
              .doc = DOC}

static const struct app_info apps[APP_KINDS] = {
    ROW(APP_POSTMARK, "postmark", postmark_options, false, false,
        "a mail server: many small files"),
    ROW(APP_FSX, "fsx", fsx_options, false, true, "random operations on one file"),
    ROW(APP_FSSTRESS, "fsstress", fsstress_options, false, true,
        "random operations on names and data"),
    ROW(APP_BANK, "bank", bank_options, false, true, "transfers whose sum must stay the same"),
    ROW(APP_EDITOR, "editor", editor_options, false, false, "saves by backup and rename"),
    ROW(APP_MV_GREP, "mv-grep", mv_grep_options, false, false,
        "one moves files, one searches them"),
    ROW(APP_APPEND_LOG, "append-log", append_log_options, false, false,
        "records at the end of one file"),
    ROW(APP_SCRIPT, "script", script_options, false, true, "an operation list of the user"),
    ROW(APP_BOUNDED, "bounded", bounded_options, false, true,
        "every sequence of operations of a length, one a trial"),
};

const struct app_info *app_table(uint32_t *count)
{
    ASSERT(count != NULL);
    *count = APP_KINDS;
    return apps;
}

const struct app_info *app_find(const char *name)
{
    ASSERT(name != NULL);
    for (uint32_t k = 0; k < APP_KINDS; k++)
        if (strcmp(apps[k].name, name) == 0)
            return &apps[k];
    return NULL;
}

uint64_t app_copies(const struct option_set *options, uint64_t unsaid)
{
    ASSERT(unsaid >= 1);
    const struct option_spec *spec = option_find(options->specs, options->count, "copies");
    ASSERT(spec != NULL);
    bool known = spec->fallback != NULL || option_get(options, "copies")->given;
    return known ? option_number(options, "copies") : unsaid;
}
