/*
 * What a batch of writes plans for each of its blocks; shared by data.c and the place that allots
 * the memory.
 */
#ifndef LORIS_STACK_LORIS_PHYSICAL_PLAN_H
#define LORIS_STACK_LORIS_PHYSICAL_PLAN_H

#include "physical.h"

enum write_place {
    PLACE_NEW,      /* no checkpoint holds the place */
    PLACE_INTENT,   /* in place, after an intent */
    PLACE_IN_PLACE, /* in place, an equal intent is durable */
    PLACE_LOST,     /* no data: the pointer says BAD */
    PLACE_HOLE      /* no data: the pointer is null */
};

struct write_plan {
    struct object_write_entry entry;
    struct node *leaf; /* of the object's inode */
    uint8_t *inode, *page;
    uint64_t address;
    enum write_place place;
    enum err status;
    uint32_t intents_before; /* of this batch */
    bool privileged, written;
};

#endif
