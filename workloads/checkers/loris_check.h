/*
 * The checker of a loris pool from raw bytes alone (stack/loris/physical/FORMAT.md). It shares no
 * code with the stack.
 *
 * What it demands: a complete root, whose line of incarnations has each once and whose counts of
 * blocks in use lie between what trees reach and what maps say; on each member a tree whose
 * pointers are in range, used once and no younger than the block that has them, and a map that says
 * taken for whatever is reached and nothing beyond its data; intents in their places of the ring;
 * each object of the mapping readable, block by block, from at least one of its disks, or marked
 * lost; sound copies equal, their inodes too; entries that list each disk once, as many of them
 * that wait for another level as the mapping counts; no object that the mapping does not know, but
 * the layout that a migration makes or leaves behind, which may be anything; segments of the log as
 * loris_check_log.h has them, names as names_check.h.
 *
 * A bad block that another copy makes good is no damage: it is what redundancy is for. Blocks named
 * by live intents may differ from their checksums. What the map has taken and nothing reaches is
 * leaked: counted, no damage.
 */
#ifndef LORIS_WORKLOADS_CHECKERS_LORIS_CHECK_H
#define LORIS_WORKLOADS_CHECKERS_LORIS_CHECK_H

#include "workloads/checkers/checkers.h"

/* Memory: about two bytes a block of each disk and 32 a block in use. */
void loris_check(const struct checker_disks *disks, struct checker_verdict *verdict);

#endif
