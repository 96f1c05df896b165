/*
 * The options of each design as users write them, and their translation into what the processes of
 * a stack are told at boot.
 *
 * Invariant: every row of a table reaches struct stack_options, or is refused by name.
 */
#ifndef LORIS_STACK_DESIGN_OPTIONS_H
#define LORIS_STACK_DESIGN_OPTIONS_H

#include <stdint.h>

#include "options.h"
#include "sim/option.h"

struct design_options {
    const struct option_spec *specs;
    uint32_t count;
    void (*read)(const struct option_set *options, struct stack_options *out); /* its own part */
};

extern const struct design_options loris_design_options, none_design_options, fat_design_options,
    ffs_design_options, cow_design_options, journal_design_options;

/* Fills the fields of *out that the options decide; out->disks is set. Nothing is checked here. */
void design_options_read(const struct design_options *design, const struct option_set *options,
                         struct stack_options *out);

#endif
