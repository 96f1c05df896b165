/*
 * What a stack is told at boot: sizes of the machine and the options of its design variant. The
 * same bytes go to every process; each reads what concerns it.
 */
#ifndef LORIS_OPTIONS_H
#define LORIS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define DISKS_MAX 16u       /* drivers, physicals, members of a pool */
#define ENVIRONMENTS_MAX 8u /* vfs and naming pairs */

enum checksum_mode { CHECKSUMS_OFF, CHECKSUMS_LAZY, CHECKSUMS_EAGER };
/* A copy of each directory and map on every member, or the level of data for directories too. */
enum raid_metadata { RAID_METADATA_ALL, RAID_METADATA_AS_DATA };
#define RAID_N_WAY 255u /* a copy on every member */

/* Level of files whose name, or path, matches a pattern. */
#define RAID_POLICIES_MAX 8u
#define RAID_PATTERN_MAX 63u
#define RAID_PATTERN_PARTS 15u /* names of a path */
struct raid_policy {
    char pattern[RAID_PATTERN_MAX + 1];
    uint32_t level; /* in the numbering of OBJECT_LEVEL_SHIFT */
};
enum journal_mode { JOURNAL_DATA, JOURNAL_ORDERED, JOURNAL_WRITEBACK };
#define LOG_DISK_OFF 0u /* the first disk has data */

struct stack_options {
    uint32_t disks;        /* driver instances 0 .. disks - 1, spares included */
    uint32_t spares;       /* how many of them, the last ones, wait for a disk to fail */
    uint32_t environments; /* vfs and naming instances; 1 for classic stacks */
    bool classic;          /* vfs speaks to a classic file system (LAYER_FS 0) instead of naming */
    uint32_t raid;         /* level of data: 0, 1, 4, 5, 6 or RAID_N_WAY */
    uint32_t raid_copies;  /* copies of a file under raid 1; loris: 2 */
    enum raid_metadata raid_metadata; /* loris: of directories */
    uint32_t raid_policies;
    struct raid_policy raid_policy[RAID_POLICIES_MAX]; /* loris: the first that matches counts */
    uint64_t stripe_bytes;                             /* RAID-0 stripe unit, a multiple of 4096 */
    uint64_t cache_bytes;                              /* page cache */
    uint64_t checkpoint_ns;                            /* loris: longest time between checkpoints */
    uint64_t log_bytes;           /* loris: the in-memory roll-forward log; journal: its log */
    uint64_t sync_ns;             /* classic: age at which the update daemon writes a dirty block */
    enum checksum_mode checksums; /* loris: of cache pages */
    bool log;                     /* loris: roll-forward log on */
    bool data_cow;                /* loris: data=cow instead of in place */
    bool fsync_log;               /* loris, cow: an fsync logs instead of a whole checkpoint */
    bool doublewrite;             /* loris: torn=doublewrite: data of overwrites in the intents */
    uint32_t meta_copies;         /* loris: of each metadata block on its disk, 1 or 2 */
    bool verify_writes;           /* loris: every write is read back */
    bool meta_guard;              /* loris: checksums of metadata in physical's memory */
    bool steal;                   /* loris: dirty pages may go down before a checkpoint */
    bool unverified_drop;         /* loris: after the cache's death lazy pages without a CRC go */
    bool rollback_one;            /* loris: a crash below rolls back the dead layer alone */
    bool resync_region;           /* loris: resync trusts the first copy of what may differ */
    uint64_t scrub_ns;            /* period of the scrub, 0: off */
    uint32_t tries;               /* loris: K, deaths in recovery before a record is skipped */
    bool raid_bitmap;             /* block RAID: write-intent bitmap */
    bool dirty_degraded_start;    /* block RAID-5: serve although a write hole may be there */
    bool rename_remove_first;     /* fat, ffs: the old name goes before the new one is there */
    bool orphans_delete;          /* fat, ffs: what has no name is freed, not kept in lost+found */
    uint32_t fat_tables;          /* fat: copies of its table, 1 or 2 */
    bool order_sync;              /* ffs: operations on names are stable when they return */
    bool fsck_background;         /* ffs: serve at once, check meanwhile */
    bool log_scope_file;          /* cow, fsync=log: the file's data and all names, not all data */
    bool space_segment;           /* cow: segments with a cleaner instead of a map */
    uint32_t defer;               /* cow: stable roots before a freed block is used again */
    enum journal_mode journal_mode;
    bool commit_checksum;   /* journal: the commit's checksum stands for the flush before it */
    uint32_t log_disk;      /* journal: the disk of the log alone, or LOG_DISK_OFF */
    uint32_t inflight;      /* journal: transactions on their way to the log */
    bool journal_checksums; /* journal: of metadata blocks */
    uint64_t seed; /* for identities such as a pool's uuid; differs between trials' images only by
                      variant and seed */
};

/* Disks that hold data: 0 and those after it. Then comes the log's own, then the spares. */
static inline uint32_t options_data_disks(const struct stack_options *o)
{
    return o->disks - o->spares - (o->log_disk == LOG_DISK_OFF ? 0 : 1);
}

#endif
