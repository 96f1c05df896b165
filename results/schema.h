/*
 * The tables and views of a results file, as SQL. The views are the contract (README.md); the
 * tables below them are ours to change, with a migration and a new SCHEMA_VERSION.
 */
#ifndef LORIS_RESULTS_SCHEMA_H
#define LORIS_RESULTS_SCHEMA_H

/* PRAGMA application_id: "lori". */
#define SCHEMA_APPLICATION_ID 0x6c6f7269

/* PRAGMA user_version. Raised by every change of a table or view. */
#define SCHEMA_VERSION 1

/* Create all tables in an empty database, then all views. */
extern const char schema_tables_sql[];
extern const char schema_views_sql[];

#endif
