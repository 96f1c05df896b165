#include "stack/designs.h"

#include <stddef.h>

#include "assertion.h"
#include "block.h"
#include "mem.h"
#include "stack/include/programs.h"

#define COUNT(table) ((uint32_t)(sizeof(table) / sizeof((table)[0])))

#define CLASSIC_LAYERS                                                                             \
    {                                                                                              \
        LAYER_VFS, LAYER_FS, LAYER_RAID, LAYER_DRIVER                                              \
    }

/* A write of 1 MiB is one transaction, of which all is in memory until it is committed. */
#define DATA_LOG_MIN (2u << 20)
#define DATA_CACHE_MIN (4u << 20)

static const struct design designs[] = {
    {.kind = DESIGN_LORIS,
     .name = "loris",
     .user_transactions = true,
     .layers = {LAYER_VFS, LAYER_NAMING, LAYER_CACHE, LAYER_LOGICAL, LAYER_PHYSICAL, LAYER_DRIVER},
     .options = &loris_design_options,
     .disk_bytes_min = 8 << 20, /* root slots, intents, a group: stack/loris/physical/FORMAT.md */
     .doc = "layers in processes, file-level RAID, checksums up to the root, checkpoint and log"},
    {.kind = DESIGN_FAT,
     .name = "fat",
     .classic = true,
     .file_system = fat_main,
     .disk_bytes_min = 4 << 20,
     .layers = CLASSIC_LAYERS,
     .options = &fat_design_options,
     .doc = "a table of block chains, careful ordering; recovery scans the table"},
    {.kind = DESIGN_FFS,
     .name = "ffs",
     .classic = true,
     .file_system = ffs_main,
     .layers = CLASSIC_LAYERS,
     .options = &ffs_design_options,
     .disk_bytes_min = 2 << 20, /* block RAID takes the first MiB of each disk */
     .doc = "inodes and bitmaps, careful ordering; a full check after a crash"},
    {.kind = DESIGN_COW,
     .name = "cow",
     .classic = true,
     .user_transactions = true,
     .file_system = cow_main,
     .layers = CLASSIC_LAYERS,
     .options = &cow_design_options,
     .disk_bytes_min = 6 << 20, /* 2 MiB are for roots; block RAID takes the first MiB */
     .doc = "writes anywhere in batches, root slots, garbage collection"},
    {.kind = DESIGN_JOURNAL,
     .name = "journal",
     .classic = true,
     .user_transactions = true,
     .file_system = journal_main,
     .disk_bytes_min = 8 << 20, /* block RAID's MiB, its log, a group */
     .layers = CLASSIC_LAYERS,
     .options = &journal_design_options,
     .doc = "a redo log: prepare, commit, write back, reclaim"},
    {.kind = DESIGN_NONE,
     .name = "none",
     .classic = true,
     .file_system = none_main,
     .layers = CLASSIC_LAYERS,
     .options = &none_design_options,
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

static bool is_same(const char *a, const char *b)
{
    size_t length = strlen(a);
    return strlen(b) == length && memcmp(a, b, length) == 0;
}

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
        if (is_same(designs[k].name, name))
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
        if (layer_rows[k].name != NULL && is_same(layer_rows[k].name, name))
            return (enum layer)k;
    return LAYER_NONE;
}

const char *layer_doc(enum layer layer)
{
    return (unsigned)layer < LAYER_COUNT ? layer_rows[layer].doc : NULL;
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
    design_options_read(design->options, options, out);
    if (out->stripe_bytes % BLOCK_BYTES != 0)
        return "`stripe` is no multiple of 4KiB; as 64KiB";
    if (out->cache_bytes % BLOCK_BYTES != 0)
        return "`cache` is no multiple of 4KiB; as 8MiB";
    if (!design->classic && out->fsync_log && !out->log)
        return "`fsync: log` makes records of the log stable, which `log: off` has none of; log: "
               "on";
    if (out->log_scope_file && !out->fsync_log)
        return "`log-scope: file` says what `fsync: log` puts into the log; fsync: log";
    if (out->fsck_background && (out->order_sync || out->rename_remove_first))
        return "`fsck: background` is for `order: soft` and `rename: add-first`, whose cuts leave "
               "leaks only";
    if (design->kind == DESIGN_JOURNAL && out->journal_mode == JOURNAL_DATA &&
        (out->log_bytes < DATA_LOG_MIN || out->cache_bytes < DATA_CACHE_MIN))
        return "`mode` data puts whole writes into the log: `log-size` of 2MiB and `cache` of "
               "4MiB at least, or mode: ordered";
    if (out->log_disk != LOG_DISK_OFF && out->log_disk != disks - 1)
        return "`log-disk` is the last disk of the machine, which has no data: of two disks, 1";
    static const uint32_t levels[] = {0, 1, 4,
                                      5, 6, RAID_N_WAY}; /* as OBJECT_LEVEL_SHIFT has them */
    const char *few = too_few_disks(out->raid, options_data_disks(out));
    for (uint32_t k = 0; k < out->raid_policies && few == NULL; k++)
        few = too_few_disks(levels[out->raid_policy[k].level - 1], disks);
    if (few != NULL)
        return few;
    if (out->raid_policies > 0 && out->raid != 1 && out->raid != RAID_N_WAY)
        return "`raid-policy` gives files levels of their own, for which only a pool of raid: 1 or "
               "n-way counts the room";
    if (design->classic && out->raid == 1 && options_data_disks(out) % 2 != 0)
        return "block-level RAID-1 is made of pairs, this machine has an odd number of disks; "
               "an even count, or raid: 0";
    return NULL;
}
