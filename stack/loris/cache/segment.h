/*
 * Segments of the log on the disks (fsync=log): how records and pages of a group are laid out in
 * the blocks that physical stores (stack/loris/physical/FORMAT.md, Segments). Pure functions.
 *
 * A segment's first blocks hold items of fixed size, each a log record or the note that the next of
 * the blocks behind them is a page.
 */
#ifndef LORIS_STACK_LORIS_CACHE_SEGMENT_H
#define LORIS_STACK_LORIS_CACHE_SEGMENT_H

#include "object.h"

#define SEGMENT_HEAD_BYTES 16u
#define SEGMENT_ITEM_BYTES 104u
#define SEGMENT_ITEMS 39u    /* of a block: (4096 - 16) / 104 */
#define SEGMENT_LIST_MAX 16u /* blocks of items: the others are pages */

/* On disk: as they are. Numbers of the first five are those of enum record_op. */
enum segment_op {
    SEGMENT_CREATE = 1,
    SEGMENT_DELETE,
    SEGMENT_TRUNCATE,
    SEGMENT_WRITE,
    SEGMENT_SETATTR,
    SEGMENT_PAGE,
    SEGMENT_OPS
};

struct segment_item {
    uint32_t op, flags; /* flags: object flags of the record; OBJECT_HOLE of a page */
    uint64_t lsn, oid;
    uint64_t a, b; /* as in struct record; a page: its block, 0 */
    uint8_t attr[OBJECT_ATTR_BYTES];
};

struct segment_list { /* of one block of items */
    uint32_t items;   /* in this block */
    uint32_t blocks;  /* of items in the segment */
};

void segment_item_encode(uint8_t raw[SEGMENT_ITEM_BYTES], const struct segment_item *item);
/* OK, or E_CORRUPT: no such item. */
MUST_USE enum err segment_item_decode(struct segment_item *item,
                                      const uint8_t raw[SEGMENT_ITEM_BYTES]);
/* The head of a block of items. */
void segment_list_encode(uint8_t *raw, const struct segment_list *list);
/* OK, E_CORRUPT, E_VERSION. */
MUST_USE enum err segment_list_decode(struct segment_list *list, const uint8_t *raw);

#endif
