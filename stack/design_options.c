#include "stack/design_options.h"

#include <stddef.h>

#include "assertion.h"
#include "block.h"
#include "mem.h"

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
    {"5", 5, false},
    {NULL, 0, false},
};
static const struct option_choice checksum_modes[] = {
    {"off", CHECKSUMS_OFF, false},
    {"lazy", CHECKSUMS_LAZY, false},
    {"eager", CHECKSUMS_EAGER, false},
    {NULL, 0, false},
};
static const struct option_choice fsync_modes[] = {
    {"checkpoint", 0, false}, {"log", 1, false}, {NULL, 0, false}};
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

static const struct option_spec loris_options[] = {
    {.name = "raid",
     .type = OPTION_CHOICE,
     .choices = raid_levels,
     .source = FORMAT,
     .doc = "level of each file; default 1 (two copies on any two disks), 0 on one disk; n-way: a "
            "copy on every disk"},
    {.name = "raid-policy",
     .type = OPTION_RULES,
     .choices = raid_levels,
     .max = RAID_POLICIES_MAX,
     .source = FORMAT,
     .doc = "levels of files whose name or path matches a pattern, the first one that does"},
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
    {.name = "meta-copies",
     .type = OPTION_INTEGER,
     .fallback = "1",
     .min = 1,
     .max = 2,
     .source = "stack/loris/physical/README.md",
     .doc = "copies of each metadata block on its disk"},
    {.name = "tries",
     .type = OPTION_INTEGER,
     .fallback = "3",
     .min = 1,
     .max = 100,
     .source = "stack/loris/README.md",
     .doc = "deaths in replay before a log record is skipped"},
};

/* Choices of the rival designs. */
static const struct option_choice rename_orders[] = {
    {"add-first", 0, false}, {"remove-first", 1, false}, {NULL, 0, false}};
static const struct option_choice fat_orphan_modes[] = {
    {"delete", 1, false}, {"keep", 0, false}, {NULL, 0, false}};
static const struct option_choice orphan_modes[] = {
    {"keep", 0, false}, {"delete", 1, false}, {NULL, 0, false}};
static const struct option_choice ffs_orders[] = {
    {"soft", 0, false}, {"sync", 1, false}, {NULL, 0, false}};
static const struct option_choice fsck_modes[] = {
    {"full", 0, false}, {"background", 1, false}, {NULL, 0, false}};
static const struct option_choice log_scopes[] = {
    {"all", 0, false}, {"file", 1, false}, {NULL, 0, false}};
static const struct option_choice cow_fsync_modes[] = {
    {"checkpoint", 0, false}, {"log", 1, false}, {NULL, 0, false}};
static const struct option_choice space_modes[] = {
    {"map", 0, false}, {"segment", 1, false}, {NULL, 0, false}};
static const struct option_choice journal_modes[] = {{"data", JOURNAL_DATA, false},
                                                     {"ordered", JOURNAL_ORDERED, false},
                                                     {"writeback", JOURNAL_WRITEBACK, false},
                                                     {NULL, 0, false}};
static const struct option_choice commit_modes[] = {
    {"flush", 0, false}, {"checksum", 1, false}, {NULL, 0, false}};
static const struct option_choice journal_checksums[] = {
    {"metadata", 1, false}, {"off", 0, false}, {NULL, 0, false}};
static const struct option_choice degraded_modes[] = {
    {"refuse", 0, false}, {"start", 1, false}, {NULL, 0, false}};

/* Of every classic stack; what one alone has comes with its design. */
#define CLASSIC_OPTIONS(SYNC)                                                                      \
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
        {.name = "bitmap",                                                                         \
         .type = OPTION_SWITCH,                                                                    \
         .fallback = "on",                                                                         \
         .source = FORMAT,                                                                         \
         .doc = "block RAID: write-intent bitmap; off: all of the disks is resynchronised"},       \
        {.name = "dirty-degraded",                                                                 \
         .type = OPTION_CHOICE,                                                                    \
         .choices = degraded_modes,                                                                \
         .fallback = "refuse",                                                                     \
         .source = "Linux md, start_dirty_degraded",                                               \
         .doc = "block RAID-5 that was not stopped and lacks a disk"},                             \
        {.name = "scrub",                                                                          \
         .type = OPTION_TIME,                                                                      \
         .may_off = true,                                                                          \
         .fallback = "off",                                                                        \
         .min = 1000000,                                                                           \
         .source = FORMAT,                                                                         \
         .doc = "block RAID: period in which all copies are compared"},                            \
        {.name = "cache",                                                                          \
         .type = OPTION_SIZE,                                                                      \
         .fallback = "8MiB",                                                                       \
         .min = MIB / 2,                                                                           \
         .max = 256 * MIB,                                                                         \
         .source = FORMAT,                                                                         \
         .doc = "block cache"},                                                                    \
    {                                                                                              \
        .name = "sync", .type = OPTION_TIME, .fallback = "30s", .min = 1000000,                    \
        .source = "MINIX 3, commands/update", .doc = SYNC                                          \
    }
#define SYNC_DAEMON "age at which the update daemon writes a dirty block"
#define CHOICE(NAME, CHOICES, FALLBACK, README, DOC)                                               \
    {                                                                                              \
        .name = NAME, .type = OPTION_CHOICE, .choices = CHOICES, .fallback = FALLBACK,             \
        .source = "stack/classic/" README "/README.md", .doc = DOC                                 \
    }

static const struct option_spec none_options[] = {CLASSIC_OPTIONS(SYNC_DAEMON)};
static const struct option_spec fat_options[] = {
    CLASSIC_OPTIONS(SYNC_DAEMON),
    CHOICE("rename", rename_orders, "add-first", "fat", "which name of a move is written first"),
    CHOICE("orphans", fat_orphan_modes, "delete", "fat", "what a crash left without a name"),
    {.name = "tables",
     .type = OPTION_INTEGER,
     .fallback = "2",
     .min = 1,
     .max = 2,
     .source = "stack/classic/fat/README.md",
     .doc = "copies of the table"},
};
static const struct option_spec ffs_options[] = {
    CLASSIC_OPTIONS(SYNC_DAEMON),
    CHOICE("order", ffs_orders, "soft", "ffs",
           "delayed writes with their dependencies, or each operation on names at once"),
    CHOICE("rename", rename_orders, "add-first", "ffs", "which name of a move is written first"),
    CHOICE("orphans", orphan_modes, "keep", "ffs", "what a crash left without a name"),
    CHOICE("fsck", fsck_modes, "full", "ffs", "the check after a crash: before or beside service"),
};
static const struct option_spec cow_options[] = {
    CLASSIC_OPTIONS("longest time between two batches"),
    CHOICE("fsync", cow_fsync_modes, "checkpoint", "cow", "how an fsync is made stable"),
    CHOICE("log-scope", log_scopes, "all", "cow", "fsync=log: what is logged with a file"),
    CHOICE("space", space_modes, "map", "cow", "how free space is found"),
    {.name = "defer",
     .type = OPTION_INTEGER,
     .fallback = "2",
     .min = 1,
     .max = 2,
     .source = "stack/classic/cow/README.md",
     .doc = "stable roots before a freed block is used again"},
};
static const struct option_spec journal_options[] = {
    CLASSIC_OPTIONS("commit period"),
    CHOICE("mode", journal_modes, "data", "journal", "what goes through the journal"),
    CHOICE("commit", commit_modes, "flush", "journal",
           "what makes a commit whole: a flush before it, or its checksum"),
    {.name = "log-size",
     .type = OPTION_SIZE,
     .fallback = "4MiB",
     .min = MIB / 4,
     .max = 64 * MIB,
     .source = FORMAT,
     .doc = "room of the journal"},
    {.name = "log-disk",
     .type = OPTION_INTEGER,
     .may_off = true,
     .fallback = "off",
     .min = 1,
     .max = DISKS_MAX - 1,
     .source = FORMAT,
     .doc = "the disk that holds nothing but the journal: the last one"},
    {.name = "inflight",
     .type = OPTION_INTEGER,
     .fallback = "2",
     .min = 1,
     .max = 4,
     .source = FORMAT,
     .doc = "transactions that may be on their way to the journal"},
    {.name = "checksums",
     .type = OPTION_CHOICE,
     .choices = journal_checksums,
     .fallback = "off",
     .source = "stack/classic/journal/README.md",
     .doc = "of metadata blocks"},
};

/* The level asked for, or the default for so many disks. */
static uint32_t raid_level(const struct option_set *options, uint32_t disks)
{
    if (option_get(options, "raid")->given)
        return (uint32_t)option_number(options, "raid");
    return disks == 1 ? 0 : 1;
}

/* The bytes up to the next `end`, which comes. */
static size_t bytes_to(const char *text, char end)
{
    size_t bytes = 0;
    for (; text[bytes] != end; bytes++)
        ASSERT(text[bytes] != '\0');
    return bytes;
}

/* The lines "PATTERN=LEVEL" that the parser of campaigns has made and checked. */
static void policies_read(const char *text, struct stack_options *out)
{
    while (*text != '\0') {
        ASSERT(out->raid_policies < RAID_POLICIES_MAX);
        struct raid_policy *policy = &out->raid_policy[out->raid_policies++];
        size_t bytes = bytes_to(text, '=');
        ASSERT(bytes <= RAID_PATTERN_MAX);
        memcpy(policy->pattern, text, bytes);
        text += bytes + 1;
        bytes = bytes_to(text, '\n');
        for (uint32_t k = 0; raid_levels[k].name != NULL; k++)
            if (strlen(raid_levels[k].name) == bytes &&
                memcmp(raid_levels[k].name, text, bytes) == 0)
                policy->level = k + 1; /* the order of levels is that of OBJECT_LEVEL_SHIFT */
        ASSERT(policy->level > 0);
        text += bytes + 1;
    }
}

static void loris_read(const struct option_set *options, struct stack_options *out)
{
    policies_read(option_get(options, "raid-policy")->text, out);
    out->checkpoint_ns = option_number(options, "checkpoint");
    out->log_bytes = option_number(options, "log-size");
    out->checksums = (enum checksum_mode)option_number(options, "checksums");
    out->log = option_on(options, "log");
    out->data_cow = option_number(options, "data") == 1;
    out->fsync_log = option_number(options, "fsync") == 1;
    out->doublewrite = option_number(options, "torn") == 1;
    out->verify_writes = option_number(options, "verify-writes") == 1;
    out->meta_copies = (uint32_t)option_number(options, "meta-copies");
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

/* What every classic stack reads. */
static void classic_read(const struct option_set *options, struct stack_options *out)
{
    const struct option_value *scrub = option_get(options, "scrub");
    out->classic = true;
    out->environments = 1;
    out->sync_ns = option_number(options, "sync");
    out->raid_bitmap = option_on(options, "bitmap");
    out->dirty_degraded_start = option_number(options, "dirty-degraded") == 1;
    out->scrub_ns = scrub->off ? 0 : option_number(options, "scrub");
}

static void fat_read(const struct option_set *options, struct stack_options *out)
{
    classic_read(options, out);
    out->rename_remove_first = option_number(options, "rename") == 1;
    out->orphans_delete = option_number(options, "orphans") == 1;
    out->fat_tables = (uint32_t)option_number(options, "tables");
}

static void ffs_read(const struct option_set *options, struct stack_options *out)
{
    classic_read(options, out);
    out->order_sync = option_number(options, "order") == 1;
    out->rename_remove_first = option_number(options, "rename") == 1;
    out->orphans_delete = option_number(options, "orphans") == 1;
    out->fsck_background = option_number(options, "fsck") == 1;
}

static void cow_read(const struct option_set *options, struct stack_options *out)
{
    classic_read(options, out);
    out->fsync_log = option_number(options, "fsync") == 1;
    out->log_scope_file = option_number(options, "log-scope") == 1;
    out->space_segment = option_number(options, "space") == 1;
    out->defer = (uint32_t)option_number(options, "defer");
}

static void journal_read(const struct option_set *options, struct stack_options *out)
{
    const struct option_value *log_disk = option_get(options, "log-disk");
    classic_read(options, out);
    out->journal_mode = (enum journal_mode)option_number(options, "mode");
    out->commit_checksum = option_number(options, "commit") == 1;
    out->log_bytes = option_number(options, "log-size");
    out->log_disk = log_disk->off ? LOG_DISK_OFF : (uint32_t)log_disk->amount.low;
    out->inflight = (uint32_t)option_number(options, "inflight");
    out->journal_checksums = option_number(options, "checksums") == 1;
}

#define OPTIONS(TABLE, READ)                                                                       \
    {                                                                                              \
        .specs = (TABLE), .count = COUNT(TABLE), .read = (READ)                                    \
    }
const struct design_options loris_design_options = OPTIONS(loris_options, loris_read);
const struct design_options none_design_options = OPTIONS(none_options, classic_read);
const struct design_options fat_design_options = OPTIONS(fat_options, fat_read);
const struct design_options ffs_design_options = OPTIONS(ffs_options, ffs_read);
const struct design_options cow_design_options = OPTIONS(cow_options, cow_read);
const struct design_options journal_design_options = OPTIONS(journal_options, journal_read);

void design_options_read(const struct design_options *design, const struct option_set *options,
                         struct stack_options *out)
{
    ASSERT(design != NULL && options != NULL && out != NULL);
    out->raid = raid_level(options, out->disks);
    out->raid_copies = out->raid == 1 ? 2 : 1;
    out->stripe_bytes = option_number(options, "stripe");
    out->cache_bytes = option_number(options, "cache");
    design->read(options, out);
}
