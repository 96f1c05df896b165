/*
 * Shards deal out trials in turn, so part after part would write each page of the joined file once
 * a part. All parts are read side by side instead, the smallest trial first, and the file only
 * grows. Invariant: a source's rows come in order of their trial, the first column of each table.
 */
#include "results/join_rows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "assertion.h"
#include "results/rows.h"
#include "results/schema.h"
#include "results/store.h"

struct source {
    const char *path;
    sqlite3 *db;
    sqlite3_stmt *rows; /* stands on the next row while there are more */
    int64_t trial;      /* of that row */
    bool more;
};

struct gatherer {
    sqlite3 *db;
    struct source *source;
    size_t count;
    FILE *err;
    char error[STORE_ERROR_BYTES]; /* of the parts; empty while all is well */
};

static const char *const trials_sql[SCHEMA_VERSION + 1] = {
    [1] = "SELECT t.*, " SCHEMA_UNDECIDED_OF_1("main") ", NULL, NULL FROM trial t ORDER BY t.trial",
    [2] = "SELECT *, NULL, NULL FROM trial ORDER BY trial",
    [3] = "SELECT * FROM trial ORDER BY trial",
};

/* One a table, trials first; each order is that of a key, so nothing is sorted. */
static const struct {
    const char *select; /* NULL: by the part's version */
    const char *insert; /* up to its values */
} tables[] = {
    {NULL, "INSERT INTO trial VALUES ("},
    {"SELECT * FROM latency ORDER BY trial, phase, op", "INSERT INTO latency VALUES ("},
    {"SELECT * FROM event ORDER BY trial, seq", "INSERT INTO event VALUES ("},
    {"SELECT * FROM environment ORDER BY trial, environment", "INSERT INTO environment VALUES ("},
};

static void advance(struct gatherer *g, struct source *s)
{
    int64_t before = s->trial;
    s->more = rows_next(s->rows, g->error);
    if (s->more)
        s->trial = sqlite3_column_int64(s->rows, 0);
    ASSERT(!s->more || s->trial >= before);
}

static int version_of(struct gatherer *g, struct source *s)
{
    sqlite3_stmt *q = rows_query(s->db, "PRAGMA user_version", g->error);
    int version = rows_next(q, g->error) ? sqlite3_column_int(q, 0) : SCHEMA_VERSION;
    sqlite3_finalize(q);
    ASSERT(version >= 1 && version <= SCHEMA_VERSION); /* store_open_read refuses others */
    return version;
}

/* Puts each part before its first row of the table. */
static void begin(struct gatherer *g, const char *select)
{
    for (size_t k = 0; k < g->count; k++) {
        struct source *s = &g->source[k];
        const char *sql = select != NULL ? select : trials_sql[version_of(g, s)];
        sqlite3_finalize(s->rows);
        s->rows = rows_query(s->db, sql, g->error);
        s->trial = INT64_MIN;
        advance(g, s);
    }
}

/* The source with the smallest trial, NULL at the end; *twice: another one that has it too. */
static struct source *smallest(struct gatherer *g, const struct source **twice)
{
    struct source *first = NULL;
    *twice = NULL;
    for (size_t k = 0; k < g->count; k++) {
        struct source *s = &g->source[k];
        if (!s->more || (first != NULL && s->trial > first->trial))
            continue;
        *twice = first != NULL && s->trial == first->trial ? s : NULL;
        first = *twice == NULL ? s : first;
    }
    return first;
}

/* `begins` with a parameter for each of the columns. */
static sqlite3_stmt *prepare_insert(struct gatherer *g, const char *begins, int columns)
{
    sqlite3_str *sql = sqlite3_str_new(g->db);
    sqlite3_stmt *insert = NULL;
    sqlite3_str_appendf(sql, "%s?", begins);
    for (int c = 1; c < columns; c++)
        sqlite3_str_appendall(sql, ",?");
    sqlite3_str_appendall(sql, ")");
    char *text = sqlite3_str_finish(sql);
    ASSERT(text != NULL);
    (void)sqlite3_prepare_v2(g->db, text, -1, &insert, NULL);
    sqlite3_free(text);
    return insert;
}

static bool insert_row(sqlite3_stmt *insert, sqlite3_stmt *row)
{
    int columns = sqlite3_column_count(row);
    for (int c = 0; c < columns; c++)
        if (sqlite3_bind_value(insert, c + 1, sqlite3_column_value(row, c)) != SQLITE_OK)
            return false;
    return sqlite3_step(insert) == SQLITE_DONE && sqlite3_reset(insert) == SQLITE_OK;
}

/* Tells why the joined file takes no row. */
static bool fail(struct gatherer *g)
{
    fprintf(g->err, "%s:1:1: cannot be joined: %s\n", sqlite3_db_filename(g->db, "main"),
            sqlite3_errmsg(g->db));
    return false;
}

/* All rows of one table. */
static bool gather(struct gatherer *g, size_t table)
{
    begin(g, tables[table].select);
    if (g->error[0] != 0)
        return true; /* is told at the end */
    sqlite3_stmt *insert =
        prepare_insert(g, tables[table].insert, sqlite3_column_count(g->source[0].rows));
    bool good = insert != NULL || fail(g);
    const struct source *twice = NULL;
    for (struct source *s = smallest(g, &twice); good && s != NULL; s = smallest(g, &twice)) {
        int64_t trial = s->trial;
        if (table == 0 && twice != NULL) {
            fprintf(g->err, "%s:1:1: trial %" PRId64 " is in another part too\n", twice->path,
                    trial);
            good = false;
        }
        while (good && s->more && s->trial == trial) {
            good = insert_row(insert, s->rows) || fail(g);
            advance(g, s);
        }
    }
    sqlite3_finalize(insert);
    return good;
}

/* As many files at a time as there are parts, if the system lets us. */
static void raise_limit(size_t part_count)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= part_count + 64)
        return;
    limit.rlim_cur = limit.rlim_max < part_count + 64 ? limit.rlim_max : part_count + 64;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* if not, a part cannot be opened, and that is told */
}

bool join_rows(sqlite3 *db, const char *const *parts, size_t part_count, FILE *err)
{
    ASSERT(part_count > 0);
    struct gatherer g = {.db = db, .count = part_count, .err = err};
    g.source = calloc(part_count, sizeof(g.source[0]));
    ASSERT(g.source != NULL);
    raise_limit(part_count);
    bool good = true;
    for (size_t k = 0; k < part_count && good; k++) {
        g.source[k].path = parts[k];
        good = store_open_read(&g.source[k].db, parts[k], g.error) == OK;
    }
    good = good && (sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK || fail(&g));
    for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]) && good; t++)
        good = gather(&g, t) && g.error[0] == 0;
    good = good && (sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK || fail(&g));
    if (!sqlite3_get_autocommit(db))
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    if (g.error[0] != 0)
        fprintf(err, "%s\n", g.error);
    for (size_t k = 0; k < part_count; k++) {
        sqlite3_finalize(g.source[k].rows);
        sqlite3_close(g.source[k].db);
    }
    free(g.source);
    return good;
}
