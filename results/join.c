#include "results/join.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assertion.h"
#include "results/join_rows.h"
#include "results/rows.h"
#include "results/store.h"

#define MISSING_TOLD 10 /* missing trials that are named; the rest are counted */

/* The plan of a part, with the memory behind its texts. */
struct stored_plan {
    struct store_plan plan;
    struct store_cell *cells;
    struct store_parameter *parameters;
    sqlite3_stmt *words; /* keeps the campaign's texts alive */
};

static char *copied(sqlite3_stmt *s, int at)
{
    const char *text = (const char *)sqlite3_column_text(s, at);
    return text != NULL ? strdup(text) : NULL;
}

static const char *word(sqlite3_stmt *s, int at)
{
    return (const char *)sqlite3_column_text(s, at);
}

static bool load_words(struct stored_plan *stored, sqlite3 *db, char *error)
{
    sqlite3_stmt *s = rows_query(
        db, "SELECT name, question, tags, notes, compare, yaml, version, build, seed FROM campaign",
        error);
    stored->words = s;
    if (!rows_next(s, error))
        return false;
    stored->plan = (struct store_plan){.campaign = word(s, 0),
                                       .question = word(s, 1),
                                       .tags = word(s, 2),
                                       .notes = word(s, 3),
                                       .compare = word(s, 4),
                                       .yaml = word(s, 5),
                                       .version = word(s, 6),
                                       .build = word(s, 7),
                                       .seed = (uint64_t)sqlite3_column_int64(s, 8)};
    return true;
}

static bool load_cells(struct stored_plan *stored, sqlite3 *db, char *error)
{
    sqlite3_stmt *s = rows_query(
        db, "SELECT variant, workload, fault, planned, skipped FROM cell ORDER BY id", error);
    size_t room = 0, count = 0;
    while (rows_next(s, error)) {
        if (count == room) {
            room = room * 2 + 64;
            stored->cells = realloc(stored->cells, room * sizeof(stored->cells[0]));
            ASSERT(stored->cells != NULL);
        }
        stored->cells[count++] =
            (struct store_cell){copied(s, 0), copied(s, 1), copied(s, 2),
                                (uint64_t)sqlite3_column_int64(s, 3), copied(s, 4)};
    }
    sqlite3_finalize(s);
    stored->plan.cells = stored->cells;
    stored->plan.cell_count = count;
    return error[0] == 0 && count > 0;
}

static bool load_parameters(struct stored_plan *stored, sqlite3 *db, char *error)
{
    sqlite3_stmt *s = rows_query(db, "SELECT part, name, key, text, value FROM parameter", error);
    size_t room = 0, count = 0;
    while (rows_next(s, error)) {
        if (count == room) {
            room = room * 2 + 64;
            stored->parameters = realloc(stored->parameters, room * sizeof(stored->parameters[0]));
            ASSERT(stored->parameters != NULL);
        }
        stored->parameters[count++] = (struct store_parameter){
            copied(s, 0), copied(s, 1), copied(s, 2), copied(s, 3),
            sqlite3_column_type(s, 4) == SQLITE_NULL ? NAN : sqlite3_column_double(s, 4)};
    }
    sqlite3_finalize(s);
    stored->plan.parameters = stored->parameters;
    stored->plan.parameter_count = count;
    return error[0] == 0;
}

static void plan_free(struct stored_plan *stored)
{
    for (size_t i = 0; i < stored->plan.cell_count; i++) {
        free((char *)stored->cells[i].variant);
        free((char *)stored->cells[i].workload);
        free((char *)stored->cells[i].fault);
        free((char *)stored->cells[i].skipped);
    }
    for (size_t i = 0; i < stored->plan.parameter_count; i++) {
        free((char *)stored->parameters[i].part);
        free((char *)stored->parameters[i].name);
        free((char *)stored->parameters[i].key);
        free((char *)stored->parameters[i].text);
    }
    free(stored->cells);
    free(stored->parameters);
    sqlite3_finalize(stored->words);
}

struct joiner {
    const struct join_options *options;
    sqlite3 *db;      /* the joined file */
    const char *part; /* path of the part at hand; the joined file when all are in */
    FILE *err;
    bool failed;     /* a query or statement did, and was told */
    bool unfinished; /* a part was */
};

static bool fail(struct joiner *j)
{
    if (!j->failed)
        fprintf(j->err, "%s:1:1: cannot be joined: %s\n", j->part, sqlite3_errmsg(j->db));
    j->failed = true;
    return false;
}

/* Runs SQL on the joined file; tells the error. */
static bool run(struct joiner *j, const char *sql)
{
    return sqlite3_exec(j->db, sql, NULL, NULL, NULL) == SQLITE_OK || fail(j);
}

/* The number that a query of one row answers; 0 if it fails, which is told. */
static int64_t number(struct joiner *j, const char *sql)
{
    char error[STORE_ERROR_BYTES] = ""; /* names the joined file, but the part is to blame */
    sqlite3_stmt *s = rows_query(j->db, sql, error);
    int64_t value = rows_next(s, error) ? sqlite3_column_int64(s, 0) : 0;
    if (error[0] != 0)
        (void)fail(j);
    sqlite3_finalize(s);
    return value;
}

/* What makes the attached part another campaign, as queries that must be 0, each with its name. */
static const struct {
    const char *what, *sql;
} differences[] = {
    {"campaign", "SELECT count(*) FROM main.campaign a, part.campaign b WHERE a.name <> b.name"},
    {"seed", "SELECT count(*) FROM main.campaign a, part.campaign b WHERE a.seed <> b.seed"},
    {"build", "SELECT count(*) FROM main.campaign a, part.campaign b WHERE a.build <> b.build"},
    {"cells",
     "SELECT (SELECT count(*) FROM (SELECT id, variant, workload, fault, skipped IS NULL FROM "
     "main.cell EXCEPT SELECT id, variant, workload, fault, skipped IS NULL FROM part.cell)) + "
     "abs((SELECT count(*) FROM main.cell) - (SELECT count(*) FROM part.cell))"},
    {"options",
     "SELECT (SELECT count(*) FROM (SELECT part, name, key, text FROM main.parameter EXCEPT SELECT "
     "part, name, key, text FROM part.parameter)) + abs((SELECT count(*) FROM main.parameter) - "
     "(SELECT count(*) FROM part.parameter))"},
};

static bool check_part(struct joiner *j, const char *path)
{
    bool same = true;
    for (size_t i = 0; i < sizeof(differences) / sizeof(differences[0]); i++)
        if (number(j, differences[i].sql) != 0) {
            fprintf(j->err, "%s:1:1: not a shard of the campaign of %s: its %s %s\n", path,
                    j->options->parts[0], differences[i].what, i < 3 ? "differs" : "differ");
            same = false;
        }
    if (number(j, "SELECT count(*) FROM part.campaign WHERE finished IS NULL") > 0)
        j->unfinished = true;
    return same && !j->failed;
}

static bool copy_part(struct joiner *j)
{
    return run(j,
               "INSERT INTO main.bin SELECT * FROM part.bin WHERE true ON CONFLICT DO UPDATE SET "
               "n = n + excluded.n, sum_ns = sum_ns + excluded.sum_ns;"
               "INSERT OR IGNORE INTO main.exploration SELECT * FROM part.exploration;"
               "UPDATE main.cell SET planned = max(planned, (SELECT planned FROM part.cell p "
               "WHERE p.id = main.cell.id));"
               "UPDATE main.campaign SET started = min(started, (SELECT started FROM "
               "part.campaign))");
}

/* One part but for its trials: attached, checked, copied in one transaction. */
static bool join_part(struct joiner *j, const char *path)
{
    sqlite3_stmt *s = NULL;
    bool good = false;
    j->part = path;
    j->failed = false;
    if (sqlite3_prepare_v2(j->db, "ATTACH ? AS part", -1, &s, NULL) == SQLITE_OK) {
        sqlite3_bind_text(s, 1, path, -1, SQLITE_STATIC);
        good = sqlite3_step(s) == SQLITE_DONE;
    }
    sqlite3_finalize(s);
    if (!good)
        return fail(j);
    good = check_part(j, path) && run(j, "BEGIN") && copy_part(j) && run(j, "COMMIT");
    if (!sqlite3_get_autocommit(j->db))
        sqlite3_exec(j->db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_exec(j->db, "DETACH part", NULL, NULL, NULL);
    return good;
}

/* Names what no part has; the number of such trials. */
static uint64_t tell_missing(struct joiner *j)
{
    static const char sql[] =
        "WITH RECURSIVE k(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM k WHERE n + 1 < (SELECT "
        "max(planned) FROM cell)) SELECT n * (SELECT count(*) FROM cell) + c.id + 1 AS trial, "
        "c.variant || '/' || c.workload || '/' || c.fault || '/' || n FROM k, cell c WHERE n < "
        "c.planned AND c.skipped IS NULL AND trial NOT IN (SELECT trial FROM trial) ORDER BY 1";
    char error[STORE_ERROR_BYTES] = "";
    uint64_t missing = 0;
    sqlite3_stmt *s = rows_query(j->db, sql, error);
    while (rows_next(s, error))
        if (missing++ < MISSING_TOLD)
            fprintf(j->err, "missing: trial %lld, %s\n", (long long)sqlite3_column_int64(s, 0),
                    rows_text(s, 1));
    if (error[0] != 0)
        (void)fail(j);
    sqlite3_finalize(s);
    if (missing > MISSING_TOLD)
        fprintf(j->err, "missing: %" PRIu64 " trials more\n", missing - MISSING_TOLD);
    return missing;
}

/* Explored rows have numbers of their own, with gaps: there the parts know whether they are whole.
 */
static bool is_whole(struct joiner *j)
{
    if (number(j, "SELECT EXISTS (SELECT 1 FROM parameter WHERE part = 'explore')") > 0)
        return !j->unfinished;
    return tell_missing(j) == 0;
}

/* An empty results file with the plan of the first part. */
static bool make_empty(struct joiner *j)
{
    char error[STORE_ERROR_BYTES];
    struct stored_plan stored = {.cells = NULL};
    sqlite3 *first;
    struct store *store = NULL;
    if (store_open_read(&first, j->options->parts[0], error) != OK) {
        fprintf(j->err, "%s\n", error);
        return false;
    }
    bool good = load_words(&stored, first, error) && load_cells(&stored, first, error) &&
                load_parameters(&stored, first, error);
    if (!good && error[0] != 0)
        fprintf(j->err, "%s\n", error);
    else if (!good)
        fprintf(j->err, "%s:1:1: has no plan\n", j->options->parts[0]);
    else if (access(j->options->out_path, F_OK) == 0) {
        fprintf(j->err, "%s:1:1: exists already; what joins the parts is a new file\n",
                j->options->out_path);
        good = false;
    } else if (store_open(&store, j->options->out_path, STORE_NEW, &stored.plan, error) != OK) {
        fprintf(j->err, "%s\n", error);
        good = false;
    }
    store_close(store);
    plan_free(&stored);
    sqlite3_close(first);
    return good;
}

/* All parts must be ours and readable before anything is made. */
static bool check_files(struct joiner *j)
{
    bool good = true;
    char error[STORE_ERROR_BYTES];
    for (size_t i = 0; i < j->options->part_count; i++) {
        sqlite3 *db;
        if (store_open_read(&db, j->options->parts[i], error) != OK) {
            fprintf(j->err, "%s\n", error);
            good = false;
        }
        sqlite3_close(db);
    }
    return good;
}

int join_run(const struct join_options *options, FILE *out, FILE *err)
{
    ASSERT(options->part_count > 0);
    struct joiner j = {.options = options, .err = err};
    if (!check_files(&j) || !make_empty(&j))
        return 2;
    bool good = sqlite3_open_v2(options->out_path, &j.db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK;
    for (size_t i = 0; i < options->part_count; i++)
        good = join_part(&j, options->parts[i]) && good;
    good = good && join_rows(j.db, options->parts, options->part_count, err);
    j.part = options->out_path;
    if (good && is_whole(&j) && !j.failed)
        good = run(&j, "UPDATE campaign SET finished = strftime('%Y-%m-%dT%H:%M:%SZ', 'now')");
    int64_t trials = good ? number(&j, "SELECT count(*) FROM trial") : 0;
    sqlite3_close(j.db);
    if (!good || j.failed) {
        unlink(options->out_path); /* ours: it did not exist before */
        return 2;
    }
    fprintf(out, "%s: %lld trials of %zu part%s\n", options->out_path, (long long)trials,
            options->part_count, options->part_count == 1 ? "" : "s");
    return 0;
}
