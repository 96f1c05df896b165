/*
 * What a layer tells the laboratory about itself, for the event list, the story line and the
 * measures of recovery. Reports never influence the stack. X(identifier, "name in the view events",
 * "meaning of the two numbers")
 */
#ifndef LORIS_REPORTS_H
#define LORIS_REPORTS_H

#define REPORT_LIST(X)                                                                             \
    X(REPORT_DETECTED, "detected", "a fault was noticed: a = err as positive number, b = place")   \
    X(REPORT_RECOVERY_BEGIN, "recovery-begin", "full service ends: a = session")                   \
    X(REPORT_RECOVERY_END, "recovery-end", "full service again: a = session")                      \
    X(REPORT_ROLLBACK, "rollback", "lower layers are back at a checkpoint: a = its number")        \
    X(REPORT_REPLAY, "replay", "log replayed: a = records, b = skipped")                           \
    X(REPORT_RESYNC, "resync", "data resynchronised: a = blocks examined, b = rewritten")          \
    X(REPORT_GROUP, "group", "fsync=log: a = checkpoint below it, b = blocks on each disk")        \
    X(REPORT_GROUPS_READ, "groups-read", "at a start: a = checkpoint below them, b = segments")    \
    X(REPORT_CHECKPOINT, "checkpoint", "durable: a = its number, b = blocks written")              \
    X(REPORT_REPAIR, "repair", "a bad copy was rewritten: a = object, b = block")                  \
    X(REPORT_DEGRADED, "degraded", "runs without a disk: a = disk")                                \
    X(REPORT_REBUILDING, "rebuilding", "a disk is made whole: a = disk, b = steps since the last") \
    X(REPORT_SCRUBBED, "scrubbed", "all copies were verified: a = blocks, b = mended")             \
    X(REPORT_MIGRATED, "migrated", "a file has another RAID level: a = object, b = level")         \
    X(REPORT_REBUILT, "rebuilt", "redundancy is whole again: a = disk")                            \
    X(REPORT_LOST, "lost", "a block or record is given up: a = object, b = block")                 \
    X(REPORT_READ_ONLY, "read-only", "the pool takes no more changes")                             \
    X(REPORT_SKIPPED, "skipped", "a poison record was skipped: a = lsn")                           \
    X(REPORT_PANIC, "panic", "crash on purpose: a = err as positive number")                       \
    X(REPORT_UNVERIFIED, "unverified", "pages of the dead cache without a checksum: a = count")    \
    X(REPORT_LEAK, "leak", "blocks in no file: a = count")                                         \
    X(REPORT_CHECKING, "checking", "a check beside service: a = inode numbers seen of b")          \
    X(REPORT_CHECKED, "checked", "no check is under way: a = 1 if it came to its end")

/* How full something of a process is, for who looks at a run. X(identifier, "name and unit") */
#define GAUGE_LIST(X)                                                                              \
    X(GAUGE_LOG, "log bytes")                                                                      \
    X(GAUGE_CREDIT, "credit blocks")

#define GAUGE_ENUM(id, name) id,
enum gauge { GAUGE_LIST(GAUGE_ENUM) GAUGE_COUNT };

#define REPORT_ENUM(id, name, doc) id,
enum report { REPORT_LIST(REPORT_ENUM) REPORT_COUNT };

#endif
