/*
 * Rows: the blocks of the parts of a parity object that have the same number, one on each disk (the
 * roles of place.c). What all files of parity share.
 *
 *   rows.c       old content into memory; what is missing is worked out
 *   rows_write.c a batch: parity computed anew or from what changes; truncation
 *   rows_read.c  blocks that their disk does not give; parts of an object that are made anew
 *
 * Rules that all keep:
 *   (1) a parity block that can be read is the parity of the data of its row, holes and blocks that
 *       cannot be read included; one for which that is not known is marked lost;
 *   (2) whatever cannot be read, for whatever reason, is an erasure: worked out or an error, never
 *       a guess; a block that cannot be written is made one, by the mark of a loss;
 *   (3) nothing is computed from a block whose checksum was not verified here;
 *   (4) what is worked out must have the checksum that its disk holds for it, if that can be known.
 *
 * Objects with parity are OBJECT_COW below: the rows of the last checkpoint stay as they were until
 * the next is released, so a crash in the middle of a row's writes leaves a sound row.
 */
#ifndef LORIS_STACK_LORIS_LOGICAL_ROWS_H
#define LORIS_STACK_LORIS_LOGICAL_ROWS_H

#include "logical.h"

#define ROWS_MAX 63u    /* in memory: with a parity each they fill a batch of single blocks */
#define ROW_BLOCKS 256u /* of old content in memory */

/* How new parity comes about. */
enum row_way { ROW_NONE, ROW_FROM_ALL, ROW_FROM_CHANGE, ROW_GIVEN_UP };

struct row {
    struct entry entry;
    uint64_t block;
    uint32_t first;       /* of its old content: role r in block first + r of rows->old */
    uint32_t have, bad;   /* roles whose content is there; whose cannot be had */
    uint32_t holes;       /* roles that were read as holes */
    uint32_t fresh, lost; /* roles that are being overwritten; those that become known lost */
    enum row_way way;
    const uint8_t *page[DISKS_MAX]; /* of fresh ones */
    uint8_t batch[DISKS_MAX];       /* where in l->batch a role is */
    uint32_t sent;                  /* roles that are in it */
    uint32_t failed;                /* roles that were not written, and are marked lost */
    enum err error;                 /* why not, if trying again may help */
    struct object_block_meta meta[DISKS_MAX];
};

struct rows {
    struct row row[ROWS_MAX];
    uint32_t count, blocks;                      /* used */
    uint8_t *old;                                /* ROW_BLOCKS blocks */
    uint8_t *scratch;                            /* two blocks */
    uint8_t *zeros;                              /* a block */
    struct place place[OBJECT_BATCH_MAX_BLOCKS]; /* of the cache's batch */
    uint8_t order[OBJECT_BATCH_MAX_BLOCKS];      /* its blocks with parity, by row */
    uint8_t origin[OBJECT_BATCH_MAX_BLOCKS];     /* of what is in l->batch: where it was there */
    uint32_t ordered;
};

/* Empty rows over memory that is made when first needed. */
struct rows *rows_begin(struct rows **rows);
/* Adds a row, after those before it by object and block; NULL: no room. */
struct row *rows_add(const struct logical *l, struct rows *rows, const struct entry *entry,
                     uint64_t block);
uint8_t *row_old(const struct rows *rows, const struct row *row, uint32_t role);
uint32_t row_data(const struct row *row);     /* roles of data, a bit each */
uint32_t row_parities(const struct row *row); /* roles of parity */
/* The disk of a role. */
uint32_t row_disk(const struct row *row, uint32_t role);
/* Roles whose slot takes no writes; and, with these, those whose slot is not whole: not read. */
uint32_t row_dead(const struct logical *l, const struct row *row);
uint32_t row_unread(const struct logical *l, const struct row *row);
/*
 * Reads old content of the roles want[i] of each row; what comes and is sound is in `have` then,
 * the others are in `bad`. E_SESSION; a disk that has died leaves the pool, its roles are bad.
 */
MUST_USE enum err rows_read(struct logical *l, struct rows *rows, const uint32_t *want);
/* What has yet to be read so that all data are known; 0: row_work_out does it, if *possible. */
uint32_t row_wanted(const struct row *row, bool *possible);
/* Works out the data that are bad. false: what is there does not suffice. */
bool row_work_out(struct rows *rows, struct row *row);
/* Parity `role` of the row by row->way, into `out`. */
void row_parity(const struct rows *rows, const struct row *row, uint32_t role, uint8_t *out);

#endif
