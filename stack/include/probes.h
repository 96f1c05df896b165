/*
 * Named points in stack code at which a fault can be injected and which measure coverage: a
 * campaign says which recovery code it never reached. A probe that nobody armed costs a platform
 * call. X(identifier, "name that users write", "what has just happened")
 */
#ifndef LORIS_PROBES_H
#define LORIS_PROBES_H

#define PROBE_LIST(X)                                                                              \
    X(PROBE_CKPT_FROZEN, "ckpt-frozen", "cache: the log segment of the checkpoint is closed")      \
    X(PROBE_CKPT_DATA_DOWN, "ckpt-data-down", "cache: all dirty data of it were sent down")        \
    X(PROBE_CKPT_ONE_PREPARED, "ckpt-one-prepared", "logical: the first disk is prepared")         \
    X(PROBE_CKPT_ALL_PREPARED, "ckpt-all-prepared", "logical: all disks are prepared: durable")    \
    X(PROBE_CKPT_ONE_RELEASED, "ckpt-one-released", "logical: the first disk is released")         \
    X(PROBE_PHYS_META_FLUSHED, "phys-meta-flushed", "physical: metadata written and flushed")      \
    X(PROBE_PHYS_ROOT_1, "phys-root-1", "physical: the first copy of the root is stable")          \
    X(PROBE_PHYS_ROOT_2, "phys-root-2", "physical: the second copy of the root is stable")         \
    X(PROBE_PHYS_INTENT, "phys-intent", "physical: an intent block is stable")                     \
    X(PROBE_PHYS_LOG_WRITTEN, "phys-log-written", "physical: a log segment is written, unflushed") \
    X(PROBE_PHYS_LOG_STABLE, "phys-log-stable", "physical: a group of the log is stable")          \
    X(PROBE_PHYS_SECOND_COPY, "phys-second-copy",                                                  \
      "physical: metadata mended from its second copy")                                            \
    X(PROBE_PHYS_ROOTS_READ, "phys-roots-read", "physical: restore has read the roots")            \
    X(PROBE_PHYS_ADOPTED, "phys-adopted", "physical: restore has adopted the chosen root")         \
    X(PROBE_LOGICAL_CHOSEN, "logical-chosen", "logical: restore has chosen the checkpoint")        \
    X(PROBE_LOGICAL_MIRROR_1, "logical-mirror-1", "logical: mirror 1 of a batch is flushed")       \
    X(PROBE_LOGICAL_PARITY, "logical-parity",                                                      \
      "logical: blocks and new parity are about to go down")                                       \
    X(PROBE_LOGICAL_REPAIR, "logical-repair", "logical: a bad copy is about to be rewritten")      \
    X(PROBE_LOGICAL_DEGRADED, "logical-degraded", "logical: a disk was taken out of the pool")     \
    X(PROBE_REBUILD_BLOCKS, "rebuild-blocks", "logical: blocks were copied to a new disk")         \
    X(PROBE_REBUILD_OBJECT, "rebuild-object", "logical: an object is whole on a new disk")         \
    X(PROBE_MIGRATE_BEGUN, "migrate-begun", "logical: a file's new layout is made, empty")         \
    X(PROBE_MIGRATE_BLOCKS, "migrate-blocks", "logical: blocks were copied to the new layout")     \
    X(PROBE_MIGRATE_BOTH, "migrate-both", "logical: a write went to both layouts")                 \
    X(PROBE_MIGRATE_SWITCHED, "migrate-switched", "logical: the file has its new layout")          \
    X(PROBE_MIGRATE_REMOVED, "migrate-removed", "logical: the layout without a file is gone")      \
    X(PROBE_RESYNC_BLOCK, "resync-block", "logical: one block of the intents was resolved")        \
    X(PROBE_RESYNC_DONE, "resync-done", "logical: data resynchronisation is complete")             \
    X(PROBE_CACHE_ROLLBACK, "cache-rollback", "cache: recovery begins, the session is raised")     \
    X(PROBE_CACHE_RESTORED, "cache-restored", "cache: the layers below are restored")              \
    X(PROBE_CACHE_REPLAY_RECORD, "cache-replay-record", "cache: one log record was replayed")      \
    X(PROBE_CACHE_REPLAYED, "cache-replayed", "cache: the log is replayed")                        \
    X(PROBE_CACHE_REVALIDATE, "cache-revalidate", "cache: its own region is being validated")      \
    X(PROBE_CACHE_GROUP_STABLE, "cache-group-stable", "cache: a group is stable on all disks")     \
    X(PROBE_CACHE_GROUP_READ, "cache-group-read", "cache: a log segment was read at a start")      \
    X(PROBE_TXN_COMMIT, "txn-commit", "cache: a naming transaction is committed")                  \
    X(PROBE_NAMING_COMMITTED, "naming-committed", "naming: committed, the reply is not yet sent")  \
    X(PROBE_DRIVER_FENCE, "driver-fence", "driver: a fence is complete")                           \
    X(PROBE_NONE_WRITEBACK, "none-writeback", "none: the update daemon writes back")               \
    X(PROBE_COW_CLOSED, "cow-closed", "cow: a batch is closed, nothing of it is written yet")      \
    X(PROBE_COW_DATA, "cow-data", "cow: all blocks of a batch are stable, its root is not sent")   \
    X(PROBE_COW_ROOT_1, "cow-root-1", "cow: the first copy of the root is stable: durable")        \
    X(PROBE_COW_ROOT_2, "cow-root-2", "cow: the second copy of the root is stable")                \
    X(PROBE_FAT_DATA, "fat-data", "fat: a round begins, its data are sent")                        \
    X(PROBE_FAT_ENTRY, "fat-entry", "fat: new entries are stable, nothing leads to them")          \
    X(PROBE_FAT_LINK, "fat-link", "fat: files end with their new entries")                         \
    X(PROBE_FAT_HEAD, "fat-head", "fat: heads are stable, the round is over")                      \
    X(PROBE_FAT_REC_SCAN, "fat-rec-scan", "fat: recovery has read the table and its chains")       \
    X(PROBE_FAT_REC_FREE, "fat-rec-free", "fat: recovery has freed what nothing reaches")          \
    X(PROBE_TXN_BEFORE_START, "txn-before-start", "journal: nobody has joined the transaction")    \
    X(PROBE_TXN_STARTED, "txn-started", "journal: its first operation has left it")                \
    X(PROBE_TXN_LOGGED, "txn-logged", "journal: its images are stable, its commit is not sent")    \
    X(PROBE_TXN_COMMITTED, "txn-committed", "journal: its commit is stable, nothing is home")      \
    X(PROBE_TXN_WRITTEN_BACK, "txn-written-back", "journal: all is home and stable, not the tail") \
    X(PROBE_TXN_RECLAIMED, "txn-reclaimed", "journal: the tail has passed it")                     \
    X(PROBE_REC_SCAN, "rec-scan", "journal: recovery has found a whole transaction")               \
    X(PROBE_REC_REDO, "rec-redo", "journal: recovery has written an image home")                   \
    X(PROBE_FFS_INODE, "ffs-inode", "ffs: the record of an inode is stable")                       \
    X(PROBE_FFS_NAME_ADDED, "ffs-name-added", "ffs: a new name is stable")                         \
    X(PROBE_FFS_NAME_REMOVED, "ffs-name-removed", "ffs: a name's removal is stable")               \
    X(PROBE_FFS_FREED, "ffs-freed", "ffs: all is stable, what was freed is about to be reusable")  \
    X(PROBE_FFS_PASS, "ffs-pass", "ffs: a round of a pass is written and flushed")                 \
    X(PROBE_FSCK_1, "fsck-1", "ffs: the inode tables are read")                                    \
    X(PROBE_FSCK_2, "fsck-2", "ffs: all directories are walked")                                   \
    X(PROBE_FSCK_3, "fsck-3", "ffs: directories without a name are dealt with")                    \
    X(PROBE_FSCK_4, "fsck-4", "ffs: files without a name and counts are dealt with")               \
    X(PROBE_FSCK_5, "fsck-5", "ffs: bitmaps and all else of the check are stable")                 \
    X(PROBE_COW_LOG, "cow-log", "cow: a log block is stable, the fsync is not answered")           \
    X(PROBE_COW_REPLAY, "cow-replay", "cow: a log block was replayed in memory")                   \
    X(PROBE_COW_CLEAN, "cow-clean", "cow: what is live in a segment has joined a batch")           \
    X(PROBE_RAID_BIT_SET, "raid-bit-set", "block RAID: changed bits are stable")                   \
    X(PROBE_RAID_PARITY, "raid-parity", "block RAID: blocks and new parity are about to go down")  \
    X(PROBE_RAID_DATA, "raid-data", "block RAID: blocks and parity were taken by the disks")       \
    X(PROBE_RAID_RESYNC, "raid-resync", "block RAID: resynchronisation step")                      \
    X(PROBE_RAID_REBUILD, "raid-rebuild", "block RAID: a spare gets a region")

#define PROBE_ENUM(id, name, doc) id,
enum probe { PROBE_LIST(PROBE_ENUM) PROBE_COUNT };

#endif
