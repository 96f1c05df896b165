/*
 * The base of a history: what a boot read back, where applications go on after it.
 *
 * A loss of power takes what was not stable, so the history of what was asked no longer says what
 * is there; what was read back does. It is judged as ever, and then becomes the first state of a
 * new epoch: each object that was found is an inode made by an operation of set-up, its bytes are
 * kept as they were read. All of it counts as synced: what power did not take and recovery has
 * shown may not go with the next loss of power. Versions from before the boot are none any more.
 *
 * Operations keep their numbers, so content of an earlier epoch is never taken for that of a later
 * one. Earlier operations stay in the record for the measures, but have no effects.
 */
#ifndef LORIS_WORKLOADS_ORACLE_BASE_H
#define LORIS_WORKLOADS_ORACLE_BASE_H

#include "workloads/oracle/history.h"
#include "workloads/oracle/observe.h"

/*
 * Begins a new epoch of `h` on what `o` has, at time now_ns. No application may be alive with a
 * request in flight. Wrong answers so far count as judged.
 * shared_is_name: as of invariants_broken.
 * Returns false, and changes nothing, if names or attributes are missing in `o`: then nobody can
 * say what is there. Bytes that could not be read may be anything. O(operations so far + what was
 * read back).
 */
MUST_USE bool history_rebase(struct history *h, const struct observation *o, uint64_t now_ns,
                             bool shared_is_name);

/* An application that died starts again, with no open file. */
void history_revive(struct history *h, uint32_t app);

/* Bytes [*from, *to) of a file of the base: its k-th range, from 0, that could be read. NULL: there
 * are no more, or `inode` is none of the base. They hold until the next epoch. */
const uint8_t *history_found_bytes(const struct history *h, uint32_t inode, uint32_t k,
                                   uint64_t *from, uint64_t *to);

/* Gives `w`, which was just reset, the base of `h` and its earlier operations; it borrows the
 * bytes. Private to this folder. */
void base_repeat(struct history *w, const struct history *h);

#endif
