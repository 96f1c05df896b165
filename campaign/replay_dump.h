/* The image of a simulated disk as a file of the host. */
#ifndef LORIS_CAMPAIGN_REPLAY_DUMP_H
#define LORIS_CAMPAIGN_REPLAY_DUMP_H

#include <stdbool.h>
#include <stdio.h>

#include "sim/disk.h"

/*
 * Writes the disk's content as large as the disk, with holes where it was never written: `reads` as
 * a read would find it now, bad sectors with what they hold; `stable` without what the volatile
 * cache holds alone. Both are empty files at their beginning. False: the host could not (errno).
 */
bool replay_dump(struct sim_disk *disk, FILE *reads, FILE *stable);

#endif
