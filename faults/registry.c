#include "faults/registry.h"

#include <stddef.h>
#include <string.h>

#include "assertion.h"

#define FORMAT "campaign/FORMAT.md"
#define NS_PER_S INT64_C(1000000000)
#define COUNT(table) ((uint32_t)(sizeof(table) / sizeof((table)[0])))

static const struct option_choice caches[] = {
    {"drop", FAULT_CACHE_DROP, false},
    {"keep", FAULT_CACHE_KEEP, false},
    {"random", FAULT_CACHE_RANDOM, false},
    {"reorder", FAULT_CACHE_REORDER, false},
    {NULL, 0, false},
};
static const struct option_choice tears[] = {
    {"none", FAULT_TEARS_NONE, false},
    {"prefix", FAULT_TEARS_PREFIX, false},
    {"any", FAULT_TEARS_ANY, false},
    {"error", FAULT_TEARS_ERROR, false},
    {NULL, 0, false},
};
static const struct option_choice regions[] = {
    {"pages", FAULT_REGION_PAGES, false}, {"heap", FAULT_REGION_HEAP, false},
    {"stack", FAULT_REGION_STACK, false}, {"log", FAULT_REGION_LOG, false},
    {"any", FAULT_REGION_ANY, false},     {NULL, 0, false},
};
static const struct option_choice states[] = {
    {"any", FAULT_PAGE_ANY, false},
    {"clean", FAULT_PAGE_CLEAN, false},
    {"dirty", FAULT_PAGE_DIRTY, false},
    {"writing", FAULT_PAGE_WRITING, false},
    {NULL, 0, false},
};
static const struct option_choice patterns[] = {
    {"single", FAULT_PATTERN_SINGLE, false},
    {"row", FAULT_PATTERN_ROW, false},
    {"column", FAULT_PATTERN_COLUMN, false},
    {"stuck", FAULT_PATTERN_STUCK, false},
    {NULL, 0, false},
};
static const struct option_choice eccs[] = {
    {"none", FAULT_ECC_NONE, false}, {"secded", FAULT_ECC_SECDED, false}, {NULL, 0, false}};
static const struct option_choice wheres[] = {
    {"used", FAULT_WHERE_USED, false},
    {"any", FAULT_WHERE_ANY, false},
    {"data", FAULT_WHERE_DATA, false},
    {"metadata", FAULT_WHERE_METADATA, false},
    {NULL, 0, false},
};
static const struct option_choice bugs[] = {
    {"wrong-value", FAULT_BUG_WRONG_VALUE, false},
    {"wrong-error", FAULT_BUG_WRONG_ERROR, false},
    {"wild-store", FAULT_BUG_WILD_STORE, false},
    {"bad-message", FAULT_BUG_BAD_MESSAGE, false},
    {"leak", FAULT_BUG_LEAK, false},
    {"any", FAULT_BUG_ANY, false},
    {NULL, 0, false},
};

#define COUNT_KEY(DOC)                                                                             \
    {                                                                                              \
        .name = "count", .type = OPTION_INTEGER, .drawn = true, .fallback = "1", .min = 1,         \
        .max = 1000000, .source = FORMAT, .doc = DOC                                               \
    }
#define WHERE_KEY                                                                                  \
    {                                                                                              \
        .name = "where", .type = OPTION_CHOICE, .choices = wheres, .fallback = "used",             \
        .source = FORMAT,                                                                          \
        .doc = "which sectors: used = ever written, data = with content of applications, "         \
               "metadata = others that are not zeros; or {file: PATH}"                             \
    }
/* No fallback: for ever. */
#define FOR_KEY                                                                                    \
    {                                                                                              \
        .name = "for", .type = OPTION_TIME, .drawn = true, .min = 1, .source = FORMAT,             \
        .doc = "how long; default for ever"                                                        \
    }
#define REPEAT_KEY                                                                                 \
    {                                                                                              \
        .name = "repeat", .type = OPTION_INTEGER, .drawn = true, .fallback = "1", .min = 1,        \
        .max = 1000, .source = FORMAT,                                                             \
        .doc = "dies again at its first message after each of N - 1 restarts; same-request: "      \
               "whenever it meets that request"                                                    \
    }

static const struct option_spec stop_keys[] = {
    FOR_KEY,
    {.name = "replace",
     .type = OPTION_TIME,
     .drawn = true,
     .min = 1,
     .source = FORMAT,
     .doc = "after so long a blank disk stands in its place; default never"},
};
static const struct option_spec slow_keys[] = {
    {.name = "factor",
     .type = OPTION_INTEGER,
     .drawn = true,
     .fallback = "10",
     .min = 1,
     .max = 1000000,
     .source = FORMAT,
     .doc = "times slower"},
    FOR_KEY,
};
static const struct option_spec sector_keys[] = {
    COUNT_KEY("sectors"),
    WHERE_KEY,
    {.name = "near",
     .type = OPTION_SIZE,
     .fallback = "0B",
     .source = FORMAT,
     .doc = "with a chance of one half a sector lies so near the one before; 0: anywhere"},
};
static const struct option_spec request_keys[] = {COUNT_KEY("requests")};
static const struct option_spec write_keys[] = {COUNT_KEY("writes")};
static const struct option_spec flush_keys[] = {FOR_KEY};
static const struct option_spec power_keys[] = {
    {.name = "cache",
     .type = OPTION_CHOICE,
     .choices = caches,
     .fallback = "random",
     .source = FORMAT,
     .doc = "what becomes of the volatile write caches"},
    {.name = "off-for",
     .type = OPTION_TIME,
     .drawn = true,
     .fallback = "10s",
     .source = FORMAT,
     .doc = "time without power"},
    {.name = "tears",
     .type = OPTION_CHOICE,
     .choices = tears,
     .fallback = "prefix",
     .source = FORMAT,
     .doc = "how one write a disk may be torn"},
};
static const struct option_spec crash_keys[] = {REPEAT_KEY};
static const struct option_spec hang_keys[] = {REPEAT_KEY, FOR_KEY};
static const struct option_spec bug_keys[] = {
    {.name = "bug",
     .type = OPTION_CHOICE,
     .choices = bugs,
     .fallback = "wrong-value",
     .source = FORMAT,
     .doc = "what the process does wrong; any: by the shares of the field"},
    {.name = "repeat",
     .type = OPTION_INTEGER,
     .drawn = true,
     .fallback = "1",
     .min = 1,
     .max = 1000,
     .source = FORMAT,
     .doc = "messages, stores, or instances that leak; same-request: whenever it meets that "
            "request"},
};
static const struct option_spec flip_keys[] = {
    {.name = "region",
     .type = OPTION_CHOICE,
     .choices = regions,
     .fallback = "any",
     .source = FORMAT,
     .doc = "part of the process's memory, uniform over resident bytes"},
    {.name = "state",
     .type = OPTION_CHOICE,
     .choices = states,
     .fallback = "any",
     .source = FORMAT,
     .doc = "of the page that is hit"},
    {.name = "bits",
     .type = OPTION_INTEGER,
     .drawn = true,
     .fallback = "1",
     .min = 1,
     .max = 64,
     .source = FORMAT,
     .doc = "flipped bits, next to each other"},
    {.name = "pattern",
     .type = OPTION_CHOICE,
     .choices = patterns,
     .fallback = "single",
     .source = FORMAT,
     .doc = "shape of the damage"},
    {.name = "ecc",
     .type = OPTION_CHOICE,
     .choices = eccs,
     .fallback = "none",
     .source = FORMAT,
     .doc = "error correction of the memory"},
};

#define DISK(KIND, NAME, NOT_YET, KEYS, KEY_COUNT, DOC)                                            \
    [KIND] = {.kind = KIND,                                                                        \
              .name = NAME,                                                                        \
              .not_yet = NOT_YET,                                                                  \
              .on_disk = true,                                                                     \
              .keys = KEYS,                                                                        \
              .key_count = KEY_COUNT,                                                              \
              .doc = DOC}
#define LAYER(KIND, NAME, NOT_YET, KEYS, DOC)                                                      \
    [KIND] = {.kind = KIND,                                                                        \
              .name = NAME,                                                                        \
              .not_yet = NOT_YET,                                                                  \
              .on_layer = true,                                                                    \
              .keys = KEYS,                                                                        \
              .key_count = COUNT(KEYS),                                                            \
              .doc = DOC}

static const struct fault_kind_info kinds[FAULT_KINDS] = {
    DISK(FAULT_DISK_FAIL_STOP, "disk.fail-stop", false, stop_keys, COUNT(stop_keys),
         "the disk is gone, for good or until it comes back as it was"),
    DISK(FAULT_DISK_FAIL_SLOW, "disk.fail-slow", false, slow_keys, COUNT(slow_keys),
         "every request takes longer"),
    DISK(FAULT_DISK_LATENT_ERROR, "disk.latent-error", false, sector_keys, COUNT(sector_keys),
         "sectors that cannot be read until they are written again"),
    DISK(FAULT_DISK_TRANSIENT_ERROR, "disk.transient-error", false, request_keys,
         COUNT(request_keys), "requests fail once"),
    DISK(FAULT_DISK_BIT_ROT, "disk.bit-rot", false, sector_keys, COUNT(sector_keys),
         "sectors that read back wrong without an error"),
    DISK(FAULT_DISK_TORN_WRITE, "disk.torn-write", false, write_keys, COUNT(write_keys),
         "of a write only some sectors reach the medium, and it says OK"),
    DISK(FAULT_DISK_LOST_WRITE, "disk.lost-write", false, write_keys, COUNT(write_keys),
         "a write says OK and never reaches the medium"),
    DISK(FAULT_DISK_MISDIRECTED_WRITE, "disk.misdirected-write", false, write_keys,
         COUNT(write_keys), "a write goes to another place"),
    DISK(FAULT_DISK_MISDIRECTED_READ, "disk.misdirected-read", false, request_keys,
         COUNT(request_keys), "a read comes from another place"),
    DISK(FAULT_DISK_LYING_FLUSH, "disk.lying-flush", false, flush_keys, COUNT(flush_keys),
         "a flush says OK and leaves the cache volatile"),
    [FAULT_POWER_CUT] = {.kind = FAULT_POWER_CUT,
                         .name = "power.cut",
                         .keys = power_keys,
                         .key_count = COUNT(power_keys),
                         .doc = "all processes die, the volatile write caches are lost or not"},
    LAYER(FAULT_PROCESS_CRASH, "process.crash", false, crash_keys, "a process of a layer dies"),
    LAYER(FAULT_PROCESS_HANG, "process.hang", false, hang_keys, "a process of a layer stops"),
    LAYER(FAULT_PROCESS_BUG, "process.bug", false, bug_keys, "a process of a layer does wrong"),
    LAYER(FAULT_MEMORY_FLIP, "memory.flip", false, flip_keys, "bits change in a layer's memory"),
};

static const struct fault_when_info whens[] = {
    {FAULT_AT_UNIFORM, "uniform", false, OPTION_TIME,
     "any time of the fault-free run, the default"},
    {FAULT_AT_TIME, "time", false, OPTION_TIME, "a time since the applications started"},
    {FAULT_AT_OP, "op", false, OPTION_INTEGER, "the n-th operation of all applications"},
    {FAULT_AT_IO, "io", false, OPTION_INTEGER, "the n-th request of a disk"},
    {FAULT_AT_WRITE, "write", false, OPTION_INTEGER, "the n-th write of a disk"},
    {FAULT_AT_MESSAGE, "message", false, OPTION_INTEGER, "the n-th message of a layer"},
    {FAULT_AT_BLOCK, "block", false, OPTION_INTEGER, "the n-th basic block of a layer"},
    {FAULT_AT_PROBE, "probe", false, OPTION_INTEGER, "the n-th passing of a named point of code"},
    {FAULT_AT_MARK, "mark", false, OPTION_INTEGER, "the n-th mark of an operation script"},
    {FAULT_AT_RECOVERY, "recovery", false, OPTION_TIME, "in recovery from the entry before"},
    {FAULT_AT_AFTER, "after", false, OPTION_TIME, "a time after the entry before struck"},
    {FAULT_AT_RATE, "rate", false, OPTION_RATE,
     "strikes of each target a year, or a distribution of the time between them, `over` a time"},
};

#define PROBE_NAME(id, name, doc) name,
#define PROBE_DOC(id, name, doc) doc,
static const char *const probe_names[PROBE_COUNT] = {PROBE_LIST(PROBE_NAME)};
static const char *const probe_docs[PROBE_COUNT] = {PROBE_LIST(PROBE_DOC)};

struct fault fault_default(enum fault_kind kind)
{
    ASSERT((unsigned)kind < FAULT_KINDS);
    bool disk = kinds[kind].on_disk, layer = kinds[kind].on_layer;
    struct fault fault = {
        .kind = kind,
        .at = {.kind = FAULT_AT_UNIFORM, .number = {.kind = AMOUNT_UNIFORM}, .probe = PROBE_COUNT},
        .disk = {.kind = disk ? FAULT_TARGET_ANY : FAULT_TARGET_NONE},
        .count = amount_fixed(1),
        .where = FAULT_WHERE_USED,
        .factor = amount_fixed(10),
        .for_ns = {.kind = AMOUNT_FOREVER},
        .cache = FAULT_CACHE_RANDOM,
        .tears = FAULT_TEARS_PREFIX,
        .off_for_ns = amount_fixed(10 * NS_PER_S),
        .layer = LAYER_NONE,
        .instance = {.kind = layer ? FAULT_TARGET_ANY : FAULT_TARGET_NONE},
        .repeat = amount_fixed(1),
        .bits = amount_fixed(1),
    };
    return fault;
}

uint64_t fault_plan_over_ns(const struct fault_plan *plan)
{
    uint64_t over_ns = 0;
    for (uint32_t i = 0; i < plan->count; i++)
        if (plan->faults[i].at.kind == FAULT_AT_RATE && plan->faults[i].at.over_ns > over_ns)
            over_ns = plan->faults[i].at.over_ns;
    return over_ns;
}

const char *fault_kind_name(enum fault_kind kind)
{
    ASSERT((unsigned)kind < FAULT_KINDS);
    return kinds[kind].name;
}

bool fault_corrupts_memory(enum fault_kind kind)
{
    return kind == FAULT_MEMORY_FLIP || kind == FAULT_PROCESS_BUG;
}

const struct fault_kind_info *fault_kind_table(uint32_t *count)
{
    ASSERT(count != NULL);
    *count = FAULT_KINDS;
    return kinds;
}

const struct fault_kind_info *fault_kind_find(const char *name)
{
    ASSERT(name != NULL);
    for (uint32_t k = 0; k < FAULT_KINDS; k++)
        if (strcmp(kinds[k].name, name) == 0)
            return &kinds[k];
    return NULL;
}

const struct fault_when_info *fault_when_table(uint32_t *count)
{
    ASSERT(count != NULL);
    *count = COUNT(whens);
    return whens;
}

const struct fault_when_info *fault_when_find(const char *name)
{
    ASSERT(name != NULL);
    for (uint32_t k = 0; k < COUNT(whens); k++)
        if (strcmp(whens[k].name, name) == 0)
            return &whens[k];
    return NULL;
}

const char *probe_name(enum probe probe)
{
    return (unsigned)probe < PROBE_COUNT ? probe_names[probe] : NULL;
}

const char *probe_doc(enum probe probe)
{
    return (unsigned)probe < PROBE_COUNT ? probe_docs[probe] : NULL;
}

enum probe probe_from_name(const char *name)
{
    ASSERT(name != NULL);
    for (unsigned k = 0; k < PROBE_COUNT; k++)
        if (strcmp(probe_names[k], name) == 0)
            return (enum probe)k;
    return PROBE_COUNT;
}
