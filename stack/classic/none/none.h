/*
 * The control: layout C in place, without any order of writes and without recovery.
 */
#ifndef LORIS_STACK_CLASSIC_NONE_NONE_H
#define LORIS_STACK_CLASSIC_NONE_NONE_H

#include "layout_c.h"

/* planted.c: what a mount spoils in builds with defects on purpose. */
void none_planted_at_mount(struct fs *fs);

#endif
