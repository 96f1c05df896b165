/*
 * What each design promises: for a class of fault, the weakest level that applications may be left
 * with. In the words of stack/include alone: faults are classes here, not injectors.
 *
 * The reasoning stands with each row in promises.c; what the layers keep for it in their README.md.
 */
#ifndef LORIS_STACK_PROMISES_H
#define LORIS_STACK_PROMISES_H

#include <stdbool.h>

#include "layers.h"
#include "levels.h"
#include "options.h"
#include "stack/designs.h"

enum fault_class {
    CLASS_DISK_DEAD,
    CLASS_DISK_SLOW,
    CLASS_LATENT_ERROR,
    CLASS_TRANSIENT_ERROR,
    CLASS_BIT_ROT,
    CLASS_METADATA_ROT, /* the same where no application's content is */
    CLASS_TORN_WRITE,
    CLASS_LOST_WRITE,
    CLASS_MISDIRECTED_WRITE,
    CLASS_MISDIRECTED_READ,
    CLASS_LYING_FLUSH,
    CLASS_POWER_CUT,
    CLASS_CRASH, /* with a layer */
    CLASS_HANG,
    CLASS_BUG,        /* with a layer: a wrong value, error, message or store */
    CLASS_LEAK,       /* with a layer: no memory and no grant is left for a process */
    CLASS_FLIP_PAGES, /* with a layer */
    CLASS_FLIP_LOG,
    CLASS_FLIP_OTHER, /* heap, stack, or anywhere */
    CLASS_COUNT
};

/*
 * The weakest level promised when one fault of this class strikes `layer` (LAYER_NONE where a class
 * has none); LEVEL_NONE where nothing is promised.
 */
enum level design_promise(const struct design *design, const struct stack_options *options,
                          enum fault_class fault, enum layer layer);

/*
 * The same for a layer that the plan kills `deaths` times in all (the layers that are rolled back
 * together: all of them). A request or record that keeps killing is given up after some
 * (stack/README.md), and so is a driver: what is left out is reported, and no stack promises more.
 */
enum level design_promise_deaths(const struct design *design, const struct stack_options *options,
                                 enum layer layer, uint64_t deaths);

/* Whether faults of this class combine: a plan of several such faults promises the weakest of its
 * parts, any other plan of several faults nothing. */
bool design_promise_combines(const struct design *design, enum fault_class fault, enum layer layer);

/* Whether such a fault may also come with one fault of a disk that the redundancy bears: what the
 * disk lacks is taken from elsewhere, and nothing of that is what this fault harms. */
bool design_promise_beside_disk(const struct design *design, const struct stack_options *options,
                                enum fault_class fault, enum layer layer);

/* What is left when the power goes after a disk has lied about flushes: one disk, or RAID-0. */
enum level design_promise_lie(const struct design *design, const struct stack_options *options);

/* How many disks may be gone at the same time, spares apart, while CLASS_DISK_DEAD's promise holds.
 * A disk that was made whole in the place of one that is gone makes up for it. */
uint32_t design_disk_losses(const struct design *design, const struct stack_options *options);

/* How many sectors, or writes, one such fault may spoil while its promise holds: the next one might
 * hit the copy that stands in for the first. */
uint64_t design_promise_strikes(const struct design *design, const struct stack_options *options,
                                enum fault_class fault);

/* Whether a power cut may leave data that were overwritten in place as a mix of old and new sectors
 * which the design cannot see: nothing is then promised to who overwrites. */
bool design_tears_overwrites(const struct design *design, const struct stack_options *options);

/* Whether a power cut may also leave the sector at which a write stopped unreadable (`tears:
 * error`). Two faults at once to what writes in place or reads a log to its end; nothing to what
 * never writes where something is that it needs (cow), or has checksums and a second source (loris,
 * which reports the block where it has none). */
bool design_bears_bad_tears(const struct design *design);

#endif
