/*
 * The stacks that a campaign can name, each with its layers and its options. What is known but not
 * built yet stands here too, so that it is refused by name.
 *
 * Invariants: (1) names are unique; (2) layers are in the order in which a request goes down;
 * (3) every default of an option parses.
 */
#ifndef LORIS_STACK_DESIGNS_H
#define LORIS_STACK_DESIGNS_H

#include <stdbool.h>
#include <stdint.h>

#include "layers.h"
#include "options.h"
#include "stack/design_options.h"
#include "stack/include/programs.h"

#define DESIGN_LAYERS_MAX 8

enum design_kind {
    DESIGN_LORIS,
    DESIGN_FAT,
    DESIGN_FFS,
    DESIGN_COW,
    DESIGN_JOURNAL,
    DESIGN_NONE,
};

struct design {
    enum design_kind kind;
    const char *name;
    bool not_yet;
    bool classic;           /* one VFS, where all applications run; block RAID on pairs of disks */
    bool user_transactions; /* begin, commit, abort */
    enum layer layers[DESIGN_LAYERS_MAX]; /* from the top; ends with LAYER_NONE */
    const struct design_options *options;
    program_main *file_system; /* classic: what runs as LAYER_FS */
    uint64_t disk_bytes_min;   /* of each disk: what its format needs with a little room */
    const char *doc;           /* one line */
};

/* All of them, in the order in which users see them. */
const struct design *design_table(uint32_t *count);

/* The design of that name, or NULL. */
const struct design *design_find(const char *name);

/* Whether the design has that layer. */
bool design_has_layer(const struct design *design, enum layer layer);

/* "physical", ...; NULL for LAYER_NONE and beyond. */
const char *layer_name(enum layer layer);

/* The layer of that name, LAYER_NONE if there is none. */
enum layer layer_from_name(const char *name);

/* One line about a layer, for `loris list layers`. */
const char *layer_doc(enum layer layer);

/*
 * Turns the options of a variant into what its processes are told at boot.
 * disks, environments: of its machine (classic stacks get one environment whatever is asked).
 * Returns NULL, or why such a stack cannot be: "raid 1 needs at least 2 disks, ..." (static text).
 */
const char *design_stack_options(const struct design *design, const struct option_set *options,
                                 uint32_t disks, uint32_t environments, uint64_t seed,
                                 struct stack_options *out);

#endif
