/*
 * The tables and views of a results file, as SQL. The views are the contract (README.md); the
 * tables below them are ours to change, with a migration and a new SCHEMA_VERSION.
 */
#ifndef LORIS_RESULTS_SCHEMA_H
#define LORIS_RESULTS_SCHEMA_H

/* PRAGMA application_id: "lori". */
#define SCHEMA_APPLICATION_ID 0x6c6f7269

/* PRAGMA user_version. Raised by every change of a table or view. */
#define SCHEMA_VERSION 3

/* Create all tables in an empty database, then all views. */
extern const char schema_tables_sql[];
extern const char schema_views_sql[];

/*
 * An older file, by its version, at least 1: `read` makes, in the connection's own temporary
 * schema, the views that today's readers ask for; `migrate` makes its tables those of today and
 * drops its views, which schema_views_sql then makes again. NULL for SCHEMA_VERSION.
 */
const char *schema_read_older_sql(int version);
const char *schema_migrate_sql(int version);

/* The column `undecided` of the table `trial` of schema `part`, of version 1, which kept it as an
 * event. */
#define SCHEMA_UNDECIDED_OF_1(part)                                                                \
    "EXISTS (SELECT 1 FROM " part ".event e WHERE e.trial = t.trial AND e.layer = 'oracle' AND "   \
    "e.what = 'undecided')"

#endif
