/* The rows of all parts of a campaign, brought into one file in the order of their trials. */
#ifndef LORIS_RESULTS_JOIN_ROWS_H
#define LORIS_RESULTS_JOIN_ROWS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*
 * Copies trials and what belongs to each from `parts`, results files of one plan, into `db`, which
 * has none. Returns whether all went well; else the reason is told on `err`, a trial in two parts
 * included, and `db` has none or some of them.
 * Cost: one pass over each part, pages of `db` are written once; a file descriptor and a cache of
 * at most 2 MB a part.
 */
bool join_rows(sqlite3 *db, const char *const *parts, size_t part_count, FILE *err);

#endif
