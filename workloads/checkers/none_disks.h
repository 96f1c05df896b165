/*
 * The checker of `none` on raw disks: on one disk as it is, on several through the layout of the
 * block RAID (stack/classic/blockraid/FORMAT.md), which is read here apart from its own code.
 */
#ifndef LORIS_WORKLOADS_CHECKERS_NONE_DISKS_H
#define LORIS_WORKLOADS_CHECKERS_NONE_DISKS_H

#include "workloads/checkers/checkers.h"

/* Fills the verdict. A volume of which no superblock can be found is damage. */
void none_check_disks(const struct checker_disks *disks, struct checker_verdict *verdict);

#endif
