/*
 * Where things lie on a disk of a loris pool (FORMAT.md, Layout): part of loris_check. What comes
 * behind the intents is known only when a root has said whether there is a log.
 */
#ifndef LORIS_WORKLOADS_CHECKERS_LORIS_LAYOUT_H
#define LORIS_WORKLOADS_CHECKERS_LORIS_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#define LORIS_GROUP_BLOCKS 32256u

struct loris_layout { /* in blocks */
    uint64_t blocks, first_log, first_group, end;
    uint32_t intent_blocks, groups;
    uint32_t copies; /* of metadata blocks, 1 or 2 */
};

enum loris_zone { ZONE_NONE, ZONE_A, ZONE_DATA, ZONE_B };

/* Up to the intents. False: too small a disk. */
bool loris_layout_begin(struct loris_layout *l, uint64_t blocks);
/* Whether a log may have so many blocks. */
bool loris_layout_log_possible(const struct loris_layout *l, uint32_t log_blocks);
/* The rest. */
void loris_layout_end(struct loris_layout *l, uint32_t log_blocks, uint32_t copies);
uint64_t loris_layout_group(const struct loris_layout *l, uint32_t group); /* its first block */
uint32_t loris_layout_group_blocks(const struct loris_layout *l, uint32_t group);
uint32_t loris_layout_slots(const struct loris_layout *l, uint32_t group);
uint32_t loris_layout_zone_blocks(const struct loris_layout *l, uint32_t group); /* A, and B */
/* The second copy of a block in zone A or B; with two copies. */
uint64_t loris_layout_second(const struct loris_layout *l, uint64_t address);
/* Where an address lies; ZONE_NONE: no place that a pointer may name; *slot: the block of zone A
 * that stands for it (itself if it is data). */
enum loris_zone loris_layout_zone(const struct loris_layout *l, uint64_t address, uint64_t *slot);

#endif
