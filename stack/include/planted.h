/*
 * Defects built in on purpose, one chosen a run, only in builds with LORIS_PLANTED: the campaigns
 * in the test suite must catch each. Three that were tried are not here. A second mirror that is
 * not flushed before the next overwrite needs one cut to tear both copies of a block: not seen in
 * 1,600 trials, where a trial with the defect differed from one without. Two cannot show in a
 * trial: a driver whose fence aborts nothing (the simulated disk keeps the order of acceptance, and
 * grants of the dead are void), and a restore without a flush before roots are read (adopting the
 * chosen root writes it again, with a flush). In every other build PLANTED() is the constant false.
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
    X(PLANTED_READ_SWALLOWS_ERROR, "read-swallows-error", "vfs: an EIO becomes zeros")             \
    X(PLANTED_RENAME_DROPS_TARGET, "rename-drops-target", "naming: rename loses the new name")     \
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
