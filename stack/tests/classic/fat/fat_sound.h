/*
 * The checker of `fat` on the disk of a rig.
 */
#ifndef LORIS_STACK_TESTS_CLASSIC_FAT_FAT_SOUND_H
#define LORIS_STACK_TESTS_CLASSIC_FAT_FAT_SOUND_H

#include "stack/tests/classic/none/none_rig.h"

/* Unmounts; then the checker must find neither damage nor a leak. */
void fat_expect_sound(struct none_rig *rig);

#endif
