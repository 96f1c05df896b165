/*
 * Defects built in on purpose, one chosen a run, only in builds with LORIS_PLANTED: the test suite
 * must catch each (scripts/check/planted.sh), in a trial of a campaign or in the test of a hazard.
 * What trials cannot or seldom show is left to tests of a layer: a fence that ends nothing (the
 * simulated disk keeps the order of acceptance, and grants of the dead are void), a restore without
 * a flush before roots are read (adopting one writes it again, with a flush), a second mirror that
 * is not flushed (one cut has to tear both copies of a block). In every other build PLANTED() is
 * the constant false.
 * X(identifier, "name", "what it leaves out")
 */
#ifndef LORIS_PLANTED_H
#define LORIS_PLANTED_H

#include <stdbool.h>

#define PLANTED_LIST(X)                                                                            \
    X(PLANTED_NO_FLUSH_BEFORE_ROOT, "no-flush-before-root", "physical: flush before the root")     \
    X(PLANTED_ROOT_BEFORE_CHILDREN, "root-before-children", "physical: root written first")        \
    X(PLANTED_RECORD_DROPPED, "record-dropped", "cache: every 7th log record is left out")         \
    X(PLANTED_RECOMPUTE_FOR_VERIFY, "recompute-for-verify", "cache: checksum made, not checked")   \
    X(PLANTED_REUSE_AT_ONCE, "reuse-at-once", "physical: freed blocks usable before release")      \
    X(PLANTED_EARLY_FSYNC, "early-fsync", "cache: fsync answered before all disks prepared")       \
    X(PLANTED_NOT_STAGGERED, "not-staggered", "logical: both mirrors overwritten at once")         \
    X(PLANTED_PARITY_IN_PLACE, "parity-in-place", "logical: objects with parity are not shadowed") \
    X(PLANTED_DEAD_ROOT_KEPT, "dead-root-kept", "physical: roots above the chosen one stay")       \
    X(PLANTED_NO_REPLY_TABLE, "no-reply-table", "cache: a retried transaction runs again")         \
    X(PLANTED_RESYNC_REGION, "resync-region", "logical: resync recomputes checksums blindly")      \
    X(PLANTED_LATE_COMMIT, "late-commit", "cache: the commit of a dead naming is taken")           \
    X(PLANTED_TXN_TORN, "txn-torn", "cache: half of a user transaction is committed")              \
    X(PLANTED_TXN_IN_PLACE, "txn-in-place", "cache: a user transaction's pages go in place")       \
    X(PLANTED_NO_INTENT_FLUSH, "no-intent-flush", "physical: intents are not flushed")             \
    X(PLANTED_POISON_RETRIED, "poison-retried", "cache: what kills is sent again, for ever")       \
    X(PLANTED_CREDIT_UNCHECKED, "credit-unchecked", "cache: space is promised, not reserved")      \
    X(PLANTED_SEGMENT_DROPPED, "segment-dropped", "cache: a release empties the whole log")        \
    X(PLANTED_GRANT_KEPT, "grant-kept", "cache: what a read was granted is not revoked")           \
    X(PLANTED_STALE_REPLY, "stale-reply", "cache: any answer will do for a PREPARE")               \
    X(PLANTED_CRC_UNCHECKED, "crc-unchecked", "physical: data read without checksum check")        \
    X(PLANTED_OLD_INCARNATION, "old-incarnation", "logical: a restore keeps the incarnation")      \
    X(PLANTED_LOST_MEMBER_LISTED, "lost-member-listed", "logical: no new root when a disk goes")   \
    X(PLANTED_NO_FENCE, "no-fence", "driver: a fence ends nothing")                                \
    X(PLANTED_RESET_OVERLOOKED, "reset-overlooked", "physical: writes lost by a reset")            \
    X(PLANTED_NO_FLUSH_ON_LOSS, "no-flush-on-loss", "logical: no flush when a disk goes")          \
    X(PLANTED_LAST_COPY_IN_PLACE, "last-copy-in-place", "logical: an only copy is not shadowed")   \
    X(PLANTED_MIRROR_2_UNFLUSHED, "mirror-2-unflushed", "logical: overwritten again at once")      \
    X(PLANTED_JOINER_TRUSTED, "joiner-trusted", "logical: a new disk counts as whole at once")     \
    X(PLANTED_LOST_BLOCK_COPIED, "lost-block-copied", "logical: rebuild blesses bad blocks")       \
    X(PLANTED_MIGRATE_ONE_SIDED, "migrate-one-sided", "logical: a change meanwhile is in the old") \
    X(PLANTED_NO_RESYNC_IN_CRASH, "no-resync-in-crash", "logical: only after a power cut")         \
    X(PLANTED_LIAR_KEPT, "liar-kept", "logical: no root is complete, no disk is left out")         \
    X(PLANTED_GUARD_UNCHECKED, "guard-unchecked", "physical: metadata in memory is believed")      \
    X(PLANTED_SECOND_UNWRITTEN, "second-unwritten", "physical: meta-copies: 2 writes one copy")    \
    X(PLANTED_META_UNCHECKED, "meta-unchecked", "physical: metadata is read without a check")      \
    X(PLANTED_TWIN_OVERWRITTEN, "twin-overwritten", "physical: metadata goes to the same place")   \
    X(PLANTED_NO_READ_BACK, "no-read-back", "physical: roots are not read back")                   \
    X(PLANTED_NO_FLUSH_IN_RESTORE, "no-flush-in-restore", "physical: roots of the write cache")    \
    X(PLANTED_INTENT_ONCE, "intent-once", "physical: a second overwrite has no intent")            \
    X(PLANTED_ORPHANS_KEPT, "orphans-kept",                                                        \
      "naming: a mount leaves what its predecessor had open")                                      \
    X(PLANTED_USER_OUTLIVES, "user-outlives", "cache: the dead VFS keeps its user transactions")   \
    X(PLANTED_SLOW_AWAITED, "slow-awaited", "protocol: a driver that is silent is waited for")     \
    X(PLANTED_GROUP_ASTRIDE, "group-astride", "cache: what a freeze missed counts as logged")      \
    X(PLANTED_GROUP_ANY_BASE, "group-any-base", "physical: groups of any checkpoint are taken")    \
    X(PLANTED_FFS_SIZE_FIRST, "ffs-size-first", "ffs: size and pointers wait for no data")         \
    X(PLANTED_FFS_CLEARED_FIRST, "ffs-cleared-first", "ffs: an inode goes before its name")        \
    X(PLANTED_FFS_REUSED_EARLY, "ffs-reused-early",                                                \
      "ffs: blocks are reusable when memory says so")                                              \
    X(PLANTED_FFS_NO_UNDO, "ffs-no-undo", "ffs: a sector goes with all its patches")               \
    X(PLANTED_FFS_R4_OFF, "ffs-r4-off", "ffs: a name goes before the new one is there")            \
    X(PLANTED_FFS_FSYNC_NAMELESS, "ffs-fsync-nameless", "ffs: fsync leaves the names out")         \
    X(PLANTED_FFS_CLEAN_EARLY, "ffs-clean-early", "ffs: marked clean before the check is stable")  \
    X(PLANTED_READ_SWALLOWS_ERROR, "read-swallows-error", "vfs: an EIO becomes zeros")             \
    X(PLANTED_RENAME_DROPS_TARGET, "rename-drops-target", "naming: rename loses the new name")     \
    X(PLANTED_COMMIT_UNFLUSHED, "commit-unflushed",                                                \
      "journal: commit before its images are stable")                                              \
    X(PLANTED_NO_REVOKE, "no-revoke", "journal: freed blocks are not revoked")                     \
    X(PLANTED_HOME_EARLY, "home-early", "journal: blocks go home before their commit")             \
    X(PLANTED_TAIL_UNFLUSHED, "tail-unflushed", "journal: the tail moves before home is stable")   \
    X(PLANTED_TAIL_BEFORE_REDO, "tail-before-redo", "journal: recovery empties the log first")     \
    X(PLANTED_META_SUM_UNCHECKED, "meta-sum-unchecked",                                            \
      "journal: metadata is read without a check")                                                 \
    X(PLANTED_FREED_AT_ONCE, "freed-at-once", "journal: a freed block is given out before commit") \
    X(PLANTED_ROOT_UNFLUSHED, "root-unflushed", "cow: a root before its blocks are stable")        \
    X(PLANTED_FREED_REUSED, "freed-reused", "cow: freed blocks are given out at once")             \
    X(PLANTED_SUM_UNCHECKED, "sum-unchecked", "cow: blocks are read without a check")              \
    X(PLANTED_LOG_UNFLUSHED, "log-unflushed", "cow: an fsync does not flush its log block")        \
    X(PLANTED_LOG_UNCLAIMED, "log-unclaimed", "cow: recovery gives out blocks of the log")         \
    X(PLANTED_LOG_HALF, "log-half", "cow: a log block counts without its images")                  \
    X(PLANTED_USER_TORN, "user-torn", "classic: half of a user transaction is committed")          \
    X(PLANTED_USER_UNLOGGED, "user-unlogged", "journal: a user transaction's data go in place")    \
    X(PLANTED_LINK_BEFORE_DATA, "link-before-data",                                                \
      "fat: chains lead to blocks without their data")                                             \
    X(PLANTED_LINK_BEFORE_ENTRY, "link-before-entry", "fat: chains lead to entries not written")   \
    X(PLANTED_TAIL_FORGOTTEN, "tail-forgotten", "fat: what grew inside its last block stays so")   \
    X(PLANTED_RAID_BIT_LATE, "raid-bit-late", "blockraid: data do not wait for their bit")         \
    X(PLANTED_RAID_PARITY_LEFT, "raid-parity-left", "blockraid: degraded, parity is not written")  \
    X(PLANTED_RAID_UNRECORDED, "raid-unrecorded", "blockraid: a failed disk is not recorded")      \
    X(PLANTED_RAID_CURSOR_AHEAD, "raid-cursor-ahead", "blockraid: a spare counts as whole early")  \
    X(PLANTED_ZERO_AT_MOUNT, "zero-at-mount", "none: a data block is zeroed at mount")             \
    X(PLANTED_ENTRIES_SWAPPED, "entries-swapped", "none: two entries swap their inodes")           \
    X(PLANTED_UNLINK_KEEPS_NAME, "unlink-keeps-name", "none: unlink leaves the name")

#define PLANTED_ENUM(id, name, doc) id,
enum planted { PLANTED_NONE = -1, PLANTED_LIST(PLANTED_ENUM) PLANTED_COUNT };

#ifdef LORIS_PLANTED
enum planted plat_planted(void); /* the defect of this run, chosen by the laboratory */
#define PLANTED(bug) (plat_planted() == (bug))
#else
#define PLANTED(bug) (false)
#endif

#endif
