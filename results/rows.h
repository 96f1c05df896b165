/*
 * Queries on a results file whose failure cannot pass for the end of their rows.
 *
 * A sick file may fail at any row. Each reader has one error text for all its queries, empty at the
 * start; it reads to the end as if all were well and looks at the text before it prints:
 *   (1) while `error` is empty, all rows so far were all the rows that there are;
 *   (2) the first failure stays in `error`; no row comes after it, from any query.
 */
#ifndef LORIS_RESULTS_ROWS_H
#define LORIS_RESULTS_ROWS_H

#include <sqlite3.h>
#include <stdbool.h>

/* SQL: a sum of counts that stays at the largest number, where sum() fails. */
#define ROWS_SUM(column)                                                                           \
    "CASE WHEN total(" column ") < 9e18 THEN (sum(" column " >> 32) << 32) + sum(" column          \
    " & 4294967295) ELSE 9223372036854775807 END"

/*
 * Prepares `sql`. Returns the statement, which the caller finalizes; or NULL, with a line for the
 * user in error[STORE_ERROR_BYTES]. NULL may be bound to, iterated and finalized like any other.
 */
sqlite3_stmt *rows_query(sqlite3 *db, const char *sql, char *error);

/* Goes to the next row. Returns whether there is one; false at the end and after a failure. */
bool rows_next(sqlite3_stmt *s, char *error);

/* A column of the row as text, "" for NULL; until the next row. */
const char *rows_text(sqlite3_stmt *s, int at);

#endif
