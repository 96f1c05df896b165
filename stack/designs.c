#include "stack/designs.h"

#include <stddef.h>
#include <string.h>

#include "assertion.h"

#define BLOCK_BYTES 4096u /* of every design */
#define FORMAT "campaign/FORMAT.md"
#define MIB (INT64_C(1) << 20)
#define COUNT(table) ((uint32_t)(sizeof(table) / sizeof((table)[0])))

static const struct option_choice raid_levels[] = {
    {"0", 0, false},  {"1", 1, false}, {"4", 4, false},
    {"5", 5, false},  {"6", 6, false}, {"n-way", RAID_N_WAY, false},
    {NULL, 0, false},
};
static const struct option_choice classic_raid_levels[] = {
    {"0", 0, false},
    {"1", 1, false},
    {"5", 5, true},
    {NULL, 0, false},
};
static const struct option_choice checksum_modes[] = {
    {"off", CHECKSUMS_OFF, false},
    {"lazy", CHECKSUMS_LAZY, false},
    {"eager", CHECKSUMS_EAGER, false},
    {NULL, 0, false},
};
static const struct option_choice fsync_modes[] = {
    {"checkpoint", 0, false}, {"log", 1, true}, {NULL, 0, false}};
static const struct option_choice data_modes[] = {
    {"inplace", 0, false}, {"cow", 1, false}, {NULL, 0, false}};
static const struct option_choice torn_modes[] = {
    {"detect", 0, false}, {"doublewrite", 1, false}, {NULL, 0, false}};
static const struct option_choice resync_modes[] = {
    {"block", 0, false}, {"region", 1, true}, {NULL, 0, false}};
static const struct option_choice metadata_levels[] = {
    {"all", RAID_METADATA_ALL, false}, {"as-data", RAID_METADATA_AS_DATA, false}, {NULL, 0, false}};
static const struct option_choice rollback_modes[] = {
    {"all", 0, false}, {"one", 1, true}, {NULL, 0, false}};
static const struct option_choice unverified_modes[] = {
    {"keep", 0, false}, {"drop", 1, false}, {NULL, 0, false}};
static const struct option_choice guard_modes[] = {
    {"eager", 1, false}, {"off", 0, false}, {NULL, 0, false}};
static const struct option_choice on_modes[] = {
    {"on", 1, false}, {"off", 0, false}, {NULL, 0, false}};
static const struct option_choice off_modes[] = {
    {"off", 0, false}, {"on", 1, false}, {NULL, 0, false}};
static const struct option_choice journal_modes[] = {
    {"data", 0, false}, {"ordered", 1, false}, {"writeback", 2, false}, {NULL, 0, false}};

static const struct option_spec loris_options[] = {
    {.name = "raid",
     .type = OPTION_CHOICE,
     .choices = raid_levels,
     .source = FORMAT,
     .doc = "level of each file; default 1 (two copies on any two disks), 0 on one disk; n-way: a "
            "copy on every disk"},
    {.name = "raid-metadata",
     .type = OPTION_CHOICE,
     .choices = metadata_levels,
     .fallback = "all",
     .source = FORMAT,
     .doc = "directories: a copy on every disk, or spread as data are"},
    {.name = "stripe",
     .type = OPTION_SIZE,
     .fallback = "64KiB",
     .min = BLOCK_BYTES,
     .max = 64 * MIB,
     .source = FORMAT,
     .doc = "stripe unit of every level but RAID-1, a multiple of 4KiB"},
    {.name = "checkpoint",
     .type = OPTION_TIME,
     .fallback = "5s",
     .min = 1000000,
     .source = FORMAT,
     .doc = "longest time between two checkpoints"},
    {.name = "log",
     .type = OPTION_SWITCH,
     .fallback = "on",
     .source = FORMAT,
     .doc = "in-memory roll-forward log: a crash below the cache is replayed"},
    {.name = "log-size",
     .type = OPTION_SIZE,
     .fallback = "4MiB",
     .min = MIB / 4,
     .max = 64 * MIB,
     .source = FORMAT,
     .doc = "room of that log; a full one forces a checkpoint"},
    {.name = "checksums",
     .type = OPTION_CHOICE,
     .choices = checksum_modes,
     .fallback = "eager",
     .source = FORMAT,
     .doc = "of cache pages: when they are computed and verified"},
    {.name = "cache",
     .type = OPTION_SIZE,
     .fallback = "8MiB",
     .min = MIB / 2,
     .max = 256 * MIB,
     .source = FORMAT,
     .doc = "page cache"},
    {.name = "fsync",
     .type = OPTION_CHOICE,
     .choices = fsync_modes,
     .fallback = "checkpoint",
     .source = FORMAT,
     .doc = "how an fsync is made stable"},
    {.name = "scrub",
     .type = OPTION_TIME,
     .may_off = true,
     .fallback = "off",
     .min = 1000000,
     .source = FORMAT,
     .doc = "period in which all copies are verified"},
    {.name = "environments",
     .type = OPTION_INTEGER,
     .min = 1,
     .max = ENVIRONMENTS_MAX,
     .source = FORMAT,
     .doc = "execution environments (vfs and naming); default the machine's"},
    {.name = "data",
     .type = OPTION_CHOICE,
     .choices = data_modes,
     .fallback = "inplace",
     .source = "stack/loris/physical/README.md",
     .doc = "overwrites of plain RAID-0/1 data: in place or shadowed"},
    {.name = "torn",
     .type = OPTION_CHOICE,
     .choices = torn_modes,
     .fallback = "detect",
     .source = "stack/loris/physical/README.md",
     .doc = "torn block of an unmirrored file: reported or redone"},
    {.name = "resync",
     .type = OPTION_CHOICE,
     .choices = resync_modes,
     .fallback = "block",
     .source = "stack/loris/README.md",
     .doc = "what is compared after a power cut"},
    {.name = "steal",
     .type = OPTION_CHOICE,
     .choices = on_modes,
     .fallback = "on",
     .source = "stack/loris/cache/README.md",
     .doc = "write pages of unfinished checkpoints early"},
    {.name = "rollback",
     .type = OPTION_CHOICE,
     .choices = rollback_modes,
     .fallback = "all",
     .source = "stack/loris/README.md",
     .doc = "which layers a crash below the cache rolls back"},
    {.name = "meta-guard",
     .type = OPTION_CHOICE,
     .choices = guard_modes,
     .fallback = "eager",
     .source = "stack/loris/physical/README.md",
     .doc = "checksums of metadata in the memory of physical"},
    {.name = "unverified",
     .type = OPTION_CHOICE,
     .choices = unverified_modes,
     .fallback = "keep",
     .source = "stack/loris/cache/README.md",
     .doc = "after the cache's death: pages that lazy checksums had not reached yet"},
    {.name = "verify-writes",
     .type = OPTION_CHOICE,
     .choices = off_modes,
     .fallback = "off",
     .source = "stack/loris/physical/README.md",
     .doc = "read every write back"},
    {.name = "tries",
     .type = OPTION_INTEGER,
     .fallback = "3",
     .min = 1,
     .max = 100,
     .source = "stack/loris/README.md",
     .doc = "deaths in replay before a log record is skipped"},
};

/* Of every classic stack; what one alone has comes with its design. */
#define CLASSIC_OPTIONS                                                                            \
    {.name = "raid",                                                                               \
     .type = OPTION_CHOICE,                                                                        \
     .choices = classic_raid_levels,                                                               \
     .source = FORMAT,                                                                             \
     .doc = "block-level RAID; default 1 (pairs of disks), 0 on one disk"},                        \
        {.name = "stripe",                                                                         \
         .type = OPTION_SIZE,                                                                      \
         .fallback = "64KiB",                                                                      \
         .min = BLOCK_BYTES,                                                                       \
         .max = 64 * MIB,                                                                          \
         .source = FORMAT,                                                                         \
         .doc = "stripe unit, a multiple of 4KiB"},                                                \
        {.name = "cache",                                                                          \
         .type = OPTION_SIZE,                                                                      \
         .fallback = "8MiB",                                                                       \
         .min = MIB / 2,                                                                           \
         .max = 256 * MIB,                                                                         \
         .source = FORMAT,                                                                         \
         .doc = "block cache"},                                                                    \
    {                                                                                              \
        .name = "sync", .type = OPTION_TIME, .fallback = "30s", .min = 1000000,                    \
        .source = "MINIX 3, commands/update",                                                      \
        .doc = "age at which the update daemon writes a dirty block"                               \
    }

static const struct option_spec classic_options[] = {CLASSIC_OPTIONS};
static const struct option_spec journal_options[] = {
    CLASSIC_OPTIONS,
    {.name = "mode",
     .type = OPTION_CHOICE,
     .choices = journal_modes,
     .fallback = "data",
     .source = FORMAT,
     .doc = "what goes through the journal"},
};

#define CLASSIC_LAYERS                                                                             \
    {                                                                                              \
        LAYER_VFS, LAYER_FS, LAYER_RAID, LAYER_DRIVER                                              \
    }

static const struct design designs[] = {
    {.name = "loris",
     .user_transactions = true,
     .layers = {LAYER_VFS, LAYER_NAMING, LAYER_CACHE, LAYER_LOGICAL, LAYER_PHYSICAL, LAYER_DRIVER},
     .options = loris_options,
     .option_count = COUNT(loris_options),
     .disk_bytes_min = 8 << 20, /* root slots, intents, a group: stack/loris/physical/FORMAT.md */
     .doc = "layers in processes, file-level RAID, checksums up to the root, checkpoint and log"},
    {.name = "fat",
     .not_yet = true,
     .classic = true,
     .layers = CLASSIC_LAYERS,
     .options = classic_options,
     .option_count = COUNT(classic_options),
     .doc = "a table of block chains, careful ordering; recovery scans the table"},
    {.name = "ffs",
     .not_yet = true,
     .classic = true,
     .layers = CLASSIC_LAYERS,
     .options = classic_options,
     .option_count = COUNT(classic_options),
     .doc = "inodes and bitmaps, careful ordering; a full check after a crash"},
    {.name = "cow",
     .not_yet = true,
     .classic = true,
     .user_transactions = true,
     .layers = CLASSIC_LAYERS,
     .options = classic_options,
     .option_count = COUNT(classic_options),
     .doc = "writes anywhere in batches, root slots, garbage collection"},
    {.name = "journal",
     .not_yet = true,
     .classic = true,
     .user_transactions = true,
     .layers = CLASSIC_LAYERS,
     .options = journal_options,
     .option_count = COUNT(journal_options),
     .doc = "a redo log: prepare, commit, write back, reclaim"},
    {.name = "none",
     .classic = true,
     .layers = CLASSIC_LAYERS,
     .options = classic_options,
     .option_count = COUNT(classic_options),
     .disk_bytes_min = 2 << 20, /* block RAID takes the first MiB of each disk */
     .doc = "in place, no order, no recovery: the control that must fail"},
};

struct layer_row {
    const char *name, *doc;
};

static const struct layer_row layer_rows[LAYER_COUNT] = {
    [LAYER_VFS] = {"vfs", "descriptors and path walk; one an environment (classic: one)"},
    [LAYER_NAMING] = {"naming", "loris: directories and attributes; one an environment"},
    [LAYER_CACHE] = {"cache", "loris: pages, write-back, checkpoints, the roll-forward log"},
    [LAYER_LOGICAL] = {"logical", "loris: file-level RAID, read-repair, the global checkpoint"},
    [LAYER_PHYSICAL] = {"physical", "loris: objects on one disk, checksums; one a disk"},
    [LAYER_DRIVER] = {"driver", "moves sectors, stateless; one a disk"},
    [LAYER_FS] = {"fs", "classic: the file system"},
    [LAYER_RAID] = {"raid", "classic: block-level RAID"},
};

const struct design *design_table(uint32_t *count)
{
    ASSERT(count != NULL);
    *count = COUNT(designs);
    return designs;
}

const struct design *design_find(const char *name)
{
    ASSERT(name != NULL);
    for (uint32_t k = 0; k < COUNT(designs); k++)
        if (strcmp(designs[k].name, name) == 0)
            return &designs[k];
    return NULL;
}

bool design_has_layer(const struct design *design, enum layer layer)
{
    ASSERT(design != NULL);
    ASSERT(layer != LAYER_NONE);
    for (uint32_t k = 0; k < DESIGN_LAYERS_MAX; k++)
        if (design->layers[k] == layer)
            return true;
    return false;
}

const char *layer_name(enum layer layer)
{
    return (unsigned)layer < LAYER_COUNT ? layer_rows[layer].name : NULL;
}

enum layer layer_from_name(const char *name)
{
    ASSERT(name != NULL);
    for (unsigned k = 0; k < LAYER_COUNT; k++)
        if (layer_rows[k].name != NULL && strcmp(layer_rows[k].name, name) == 0)
            return (enum layer)k;
    return LAYER_NONE;
}

const char *layer_doc(enum layer layer)
{
    return (unsigned)layer < LAYER_COUNT ? layer_rows[layer].doc : NULL;
}

/* The level asked for, or the default for so many disks. */
static uint32_t raid_level(const struct option_set *options, uint32_t disks)
{
    if (option_get(options, "raid")->given)
        return (uint32_t)option_number(options, "raid");
    return disks == 1 ? 0 : 1;
}

static void loris_options_read(const struct option_set *options, struct stack_options *out)
{
    out->checkpoint_ns = option_number(options, "checkpoint");
    out->log_bytes = option_number(options, "log-size");
    out->checksums = (enum checksum_mode)option_number(options, "checksums");
    out->log = option_on(options, "log");
    out->data_cow = option_number(options, "data") == 1;
    out->fsync_log = option_number(options, "fsync") == 1;
    out->doublewrite = option_number(options, "torn") == 1;
    out->verify_writes = option_number(options, "verify-writes") == 1;
    out->meta_guard = option_number(options, "meta-guard") == 1;
    out->steal = option_number(options, "steal") == 1;
    out->unverified_drop = option_number(options, "unverified") == 1;
    out->rollback_one = option_number(options, "rollback") == 1;
    out->resync_region = option_number(options, "resync") == 1;
    out->raid_metadata = (enum raid_metadata)option_number(options, "raid-metadata");
    out->scrub_ns = option_number(options, "scrub");
    out->tries = (uint32_t)option_number(options, "tries");
    if (option_get(options, "environments")->given)
        out->environments = (uint32_t)option_number(options, "environments");
}

/* NULL, or why that level cannot be on so few disks. */
static const char *too_few_disks(uint32_t raid, uint32_t disks)
{
    if ((raid == 1 || raid == RAID_N_WAY) && disks < 2)
        return "RAID-1 wants two disks or more, this machine has 1; raid: 0, or "
               "machine: {disks: {count: 2}}";
    if ((raid == 4 || raid == 5) && disks < 3)
        return "RAID-4 and RAID-5 want three disks or more, this machine has fewer; raid: 1, or "
               "machine: {disks: {count: 3}}";
    if (raid == 6 && disks < 4)
        return "RAID-6 wants four disks or more, this machine has fewer; raid: 1, or "
               "machine: {disks: {count: 4}}";
    return NULL;
}

const char *design_stack_options(const struct design *design, const struct option_set *options,
                                 uint32_t disks, uint32_t environments, uint64_t seed,
                                 struct stack_options *out)
{
    ASSERT(design != NULL && options != NULL);
    ASSERT(disks >= 1 && disks <= DISKS_MAX);
    ASSERT(environments >= 1 && environments <= ENVIRONMENTS_MAX);
    *out = (struct stack_options){.disks = disks, .environments = environments, .seed = seed};
    out->raid = raid_level(options, disks);
    out->raid_copies = out->raid == 1 ? 2 : 1;
    out->stripe_bytes = option_number(options, "stripe");
    out->cache_bytes = option_number(options, "cache");
    if (out->stripe_bytes % BLOCK_BYTES != 0)
        return "`stripe` is no multiple of 4KiB; as 64KiB";
    if (out->cache_bytes % BLOCK_BYTES != 0)
        return "`cache` is no multiple of 4KiB; as 8MiB";
    const char *few = too_few_disks(out->raid, disks);
    if (few != NULL)
        return few;
    if (design->classic && out->raid == 1 && disks % 2 != 0)
        return "block-level RAID-1 is made of pairs, this machine has an odd number of disks; "
               "an even count, or raid: 0";
    if (design->classic) {
        out->classic = true;
        out->environments = 1;
        out->sync_ns = option_number(options, "sync");
    } else {
        loris_options_read(options, out);
    }
    return NULL;
}
