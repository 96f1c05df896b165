/*
 * The processes that stack/ has: one main function a layer. stack/designs.c says which make which
 * stack.
 */
#ifndef LORIS_PROGRAMS_H
#define LORIS_PROGRAMS_H

#include "platform.h"

typedef void program_main(const struct boot *boot);

program_main vfs_main; /* one VFS for all stacks */
program_main naming_main;
program_main cache_main;
program_main logical_main;
program_main physical_main;
program_main driver_main; /* one driver for all stacks */
program_main none_main;
program_main fat_main;
program_main ffs_main;
program_main journal_main;
program_main cow_main;
program_main blockraid_main;

#endif
