#include "results/group.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "results/record.h"
#include "results/rows.h"
#include "results/store.h"
#include "results/text.h"

/* Columns of `trials`: what --by may name besides swept keys. */
static const char *const trial_columns[] = {"campaign",
                                            "variant",
                                            "workload",
                                            "fault",
                                            "n",
                                            "hash",
                                            "level",
                                            "promised",
                                            "kept",
                                            "injected",
                                            "state",
                                            "detected_by",
                                            "anomalies",
                                            "environments_hit",
                                            "story",
                                            "trial",
                                            "design_promise",
                                            "undecided"};
#define TRIAL_COLUMNS (sizeof(trial_columns) / sizeof(trial_columns[0]))

static bool is_trial_column(const char *name)
{
    for (size_t i = 0; i < TRIAL_COLUMNS; i++)
        if (strcmp(trial_columns[i], name) == 0)
            return true;
    return false;
}

static bool is_key(sqlite3 *db, const char *name, char *error)
{
    sqlite3_stmt *s = rows_query(db,
                                 "SELECT 1 FROM parameters WHERE (key = ?1 AND part IN ('variant', "
                                 "'workload', 'fault')) OR (key = '0.' || ?1 AND part = 'fault') "
                                 "LIMIT 1",
                                 error);
    sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
    bool found = rows_next(s, error);
    sqlite3_finalize(s);
    return found;
}

/* The key of a name as `sweep` has it, `faults.NAME.KEY` too; NULL if there is none. A NAME may
 * have dots. */
static const char *key_of(sqlite3 *db, const char *name, char *error)
{
    static const char *const heads[] = {"variants.", "workloads.", "faults."};
    if (is_key(db, name, error))
        return name;
    for (size_t k = 0; k < sizeof(heads) / sizeof(heads[0]); k++) {
        if (strncmp(name, heads[k], strlen(heads[k])) != 0)
            continue;
        const char *dot = strchr(name + strlen(heads[k]), '.');
        while (dot != NULL && !is_key(db, dot + 1, error))
            dot = strchr(dot + 1, '.');
        return dot == NULL ? NULL : dot + 1;
    }
    return NULL;
}

/* Splits `by` and checks every name. */
static enum err split_columns(struct groups *groups, sqlite3 *db, const char *by, char *error)
{
    char *copy = strdup(by), *rest = copy;
    ASSERT(copy != NULL);
    enum err e = OK;
    for (char *name; e == OK && (name = strsep(&rest, ",")) != NULL;) {
        name += strspn(name, " ");
        name[strcspn(name, " ")] = 0;
        const char *near = text_nearest(name, trial_columns, TRIAL_COLUMNS);
        const char *column = is_trial_column(name) ? name : key_of(db, name, error);
        if (error[0] != 0) {
            e = E_INVAL;
        } else if (groups->column_count == GROUP_COLUMNS_MAX) {
            snprintf(error, STORE_ERROR_BYTES, "--by:1:1: at most %d columns", GROUP_COLUMNS_MAX);
            e = E_INVAL;
        } else if (column == NULL) {
            snprintf(error, STORE_ERROR_BYTES,
                     "--by:1:1: no column '%s'; allowed: a column of trials or a swept key%s%s",
                     name, near != NULL ? "; did you mean " : "", near != NULL ? near : "");
            e = E_INVAL;
        } else {
            groups->column[groups->column_count++] = strdup(column);
        }
    }
    free(copy);
    return e;
}

/* What SQLite says, and where a column is unknown, those that are. */
static void refuse_where(sqlite3 *db, char *error)
{
    snprintf(error, STORE_ERROR_BYTES, "--where:1:1: %s", sqlite3_errmsg(db));
    if (strstr(error, "no such column") == NULL)
        return;
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db, "SELECT group_concat(name, ', ') FROM pragma_table_info('trials')",
                           -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW) {
        size_t used = strlen(error);
        snprintf(error + used, STORE_ERROR_BYTES - used, "; allowed: %s",
                 (const char *)sqlite3_column_text(s, 0));
    }
    sqlite3_finalize(s);
}

/* `?` has no name. */
static const char *unnamed(const char *parameter)
{
    return parameter != NULL ? parameter : "?";
}

enum err group_check_where(sqlite3 *db, const char *where, char *error)
{
    if (where == NULL)
        return OK;
    sqlite3_stmt *s = NULL;
    const char *tail = "";
    char *sql = sqlite3_mprintf("SELECT 1 FROM trials WHERE (%s\n)", where);
    int code = sqlite3_prepare_v2(db, sql, -1, &s, &tail);
    enum err e = OK;
    if (code != SQLITE_OK) {
        refuse_where(db, error);
        e = E_INVAL;
    } else if (sqlite3_bind_parameter_count(s) > 0) {
        snprintf(error, STORE_ERROR_BYTES,
                 "--where:1:1: `%s` is a parameter, and nobody gives it a value",
                 unnamed(sqlite3_bind_parameter_name(s, 1)));
        e = E_INVAL;
    } else if (tail[strspn(tail, " \n\t;")] != 0) {
        snprintf(error, STORE_ERROR_BYTES,
                 "--where:1:1: one SQL expression, not several statements");
        e = E_INVAL;
    }
    sqlite3_finalize(s);
    sqlite3_free(sql);
    return e;
}

#define FIXED_COLUMNS 16 /* of build_query, before those of --by */

/* The query, in order of groups, whose columns are: cell, injected, kept, level, promised, the four
 * times, trial, undecided, whether there was something to recover from; of trials over calendar
 * time exposure, time down, time of the first loss, synced operations lost; by...
 */
static char *build_query(const struct groups *groups, const char *where, bool calendar)
{
    sqlite3_str *sql = sqlite3_str_new(NULL);
    sqlite3_str_appendall(
        sql, "SELECT (SELECT id FROM cell c WHERE c.variant = t.variant AND c.workload = "
             "t.workload AND c.fault = t.fault), injected, kept, level, promised, rpo_ns, "
             "outage_ns, recovery_ns, rebuild_ns, trial, undecided, recovery_ns IS NOT NULL OR "
             "detected_by IS NOT NULL OR level = 'dead'");
    sqlite3_str_appendall(
        sql, calendar ? ", exposure_ns, (SELECT detail FROM events e WHERE e.trial = t.trial AND "
                        "e.layer = 'calendar' AND e.what = 'down'), (SELECT min(time_ns) FROM "
                        "events e WHERE e.trial = t.trial AND e.layer = 'calendar' AND e.what = "
                        "'loss'), synced_lost"
                      : ", NULL, NULL, NULL, NULL");
    for (size_t i = 0; i < groups->column_count; i++) {
        if (is_trial_column(groups->column[i]))
            sqlite3_str_appendf(sql, ", t.\"%w\"", groups->column[i]);
        else
            sqlite3_str_appendf(sql,
                                ", (SELECT text FROM parameters p WHERE (p.key = %Q AND ((p.part = "
                                "'variant' AND p.name = t.variant) OR (p.part = 'workload' AND "
                                "p.name = t.workload) OR (p.part = 'fault' AND p.name = t.fault)))"
                                " OR (p.key = '0.%q' AND p.part = 'fault' AND p.name = t.fault))",
                                groups->column[i], groups->column[i]);
    }
    sqlite3_str_appendf(sql, " FROM (SELECT * FROM trials WHERE (%s\n)) t ORDER BY ",
                        where != NULL ? where : "1");
    for (size_t i = 0; i < groups->column_count; i++)
        sqlite3_str_appendf(sql, "%d, ", FIXED_COLUMNS + 1 + (int)i);
    sqlite3_str_appendall(sql, "trial");
    return sqlite3_str_finish(sql);
}

static bool is_of_group(const struct groups *groups, const struct group *group, sqlite3_stmt *s)
{
    for (size_t k = 0; k < groups->column_count; k++)
        if (strcmp(group->by[k], rows_text(s, FIXED_COLUMNS + (int)k)) != 0)
            return false;
    return true;
}

/* The group of the row: rows come group by group, so it is the last or a new one. */
static struct group *find_group(struct groups *groups, sqlite3_stmt *s)
{
    if (groups->count > 0 && is_of_group(groups, &groups->group[groups->count - 1], s))
        return &groups->group[groups->count - 1];
    if (groups->count == groups->room) {
        groups->room = groups->room * 2 + 16;
        groups->group = realloc(groups->group, groups->room * sizeof(groups->group[0]));
        ASSERT(groups->group != NULL);
    }
    struct group *group = &groups->group[groups->count++];
    *group = (struct group){.cell = sqlite3_column_int64(s, 0)};
    for (size_t i = 0; i < groups->column_count; i++)
        group->by[i] = strdup(rows_text(s, FIXED_COLUMNS + (int)i));
    return group;
}

static void add_time(struct group_times *times, sqlite3_stmt *s, int at)
{
    if (times->count == times->room) {
        times->room = times->room * 2 + 64;
        times->ns = realloc(times->ns, times->room * sizeof(times->ns[0]));
        ASSERT(times->ns != NULL);
    }
    bool null = sqlite3_column_type(s, at) == SQLITE_NULL;
    times->ns[times->count++] = null ? INFINITY : sqlite3_column_double(s, at);
}

/* Adds a trial over calendar time: one that says how long it was down. */
static void add_calendar(struct group_calendar *c, sqlite3_stmt *s)
{
    double exposure_ns = sqlite3_column_double(s, 12);
    if (sqlite3_column_type(s, 13) == SQLITE_NULL || exposure_ns <= 0)
        return;
    if (c->count == c->room) {
        c->room = c->room * 2 + 64;
        double **const columns[] = {&c->exposure_ns, &c->down_ns, &c->lost};
        for (size_t k = 0; k < sizeof(columns) / sizeof(columns[0]); k++) {
            *columns[k] = realloc(*columns[k], c->room * sizeof(double));
            ASSERT(*columns[k] != NULL);
        }
    }
    bool lost = sqlite3_column_type(s, 14) != SQLITE_NULL;
    c->exposure_ns[c->count] = exposure_ns;
    c->down_ns[c->count] = fmin(fmax(sqlite3_column_double(s, 13), 0), exposure_ns);
    c->lost[c->count++] = sqlite3_column_double(s, 15);
    c->losses += lost;
    c->at_risk_ns += lost ? sqlite3_column_double(s, 14) : exposure_ns;
}

static void add_row(struct group *group, sqlite3_stmt *s)
{
    int64_t cell = sqlite3_column_int64(s, 0);
    unsigned level = level_from_name(rows_text(s, 3));
    group->cell = cell < group->cell ? cell : group->cell;
    group->trials++;
    if (sqlite3_column_int(s, 10) != 0 && group->undecided++ == 0)
        group->undecided_example = (uint64_t)sqlite3_column_int64(s, 9);
    if (sqlite3_column_int(s, 1) == 0 || level >= LEVEL_COUNT)
        return;
    group->injected++;
    group->level[level]++;
    if (sqlite3_column_type(s, 2) != SQLITE_NULL) {
        enum level promised = (enum level)level_from_name(rows_text(s, 4));
        group->promised++;
        group->promised_weakest = level_weaker(group->promised_weakest, promised);
        if (sqlite3_column_int(s, 2) == 0) {
            group->broken++;
            if (group->example == 0 || (enum level)level > group->example_level) {
                group->example = (uint64_t)sqlite3_column_int64(s, 9);
                group->example_level = (enum level)level;
            }
        }
    } else {
        group->promised_weakest = LEVEL_NONE;
    }
    add_time(&group->rpo, s, 5);
    add_time(&group->outage, s, 6);
    if (sqlite3_column_int(s, 11) != 0) /* what nobody noticed had no recovery to end */
        add_time(&group->recovery, s, 7);
    add_time(&group->rebuild, s, 8);
    add_calendar(&group->calendar, s);
}

static int by_cell(const void *left, const void *right)
{
    const struct group *a = left, *b = right;
    if (a->cell != b->cell)
        return a->cell < b->cell ? -1 : 1;
    for (size_t i = 0; i < GROUP_COLUMNS_MAX && a->by[i] != NULL; i++) {
        int order = strcmp(a->by[i], b->by[i]);
        if (order != 0)
            return order;
    }
    return 0;
}

/* Whether the query has a row. */
static bool is_any(sqlite3 *db, const char *sql, char *error)
{
    sqlite3_stmt *s = rows_query(db, sql, error);
    bool any = rows_next(s, error);
    sqlite3_finalize(s);
    return any;
}

/* Whether the file's cells may have ended because of what was seen in them. */
static bool cells_watched(sqlite3 *db, char *error)
{
    static const char sql[] =
        "SELECT 1 FROM parameters WHERE part = 'campaign' AND key = 'trials.half-width'";
    return is_any(db, sql, error);
}

/* Whether the file may have trials over calendar time: their plans say over how much. */
static bool over_calendar(sqlite3 *db, char *error)
{
    return is_any(db, "SELECT 1 FROM parameters WHERE part = 'fault' AND key LIKE '%over' LIMIT 1",
                  error);
}

enum err groups_load(struct groups *groups, sqlite3 *db, const char *by, const char *where,
                     char *error)
{
    *groups = (struct groups){0};
    error[0] = 0;
    if (split_columns(groups, db, by, error) != OK || group_check_where(db, where, error) != OK)
        return E_INVAL;
    char *sql = build_query(groups, where, over_calendar(db, error));
    sqlite3_stmt *s = rows_query(db, sql, error);
    sqlite3_free(sql);
    while (rows_next(s, error))
        add_row(find_group(groups, s), s);
    if (error[0] != 0 && where != NULL && sqlite3_errcode(db) == SQLITE_ERROR)
        snprintf(error, STORE_ERROR_BYTES, "--where:1:1: %s",
                 sqlite3_errmsg(db)); /* a value of it */
    sqlite3_finalize(s);
    bool watched = error[0] == 0 && cells_watched(db, error);
    for (size_t i = 0; i < groups->count; i++) {
        struct group *group = &groups->group[i];
        group->watched = watched;
        stats_sort(group->rpo.ns, group->rpo.count);
        stats_sort(group->outage.ns, group->outage.count);
        stats_sort(group->recovery.ns, group->recovery.count);
        stats_sort(group->rebuild.ns, group->rebuild.count);
    }
    if (groups->count > 0)
        qsort(groups->group, groups->count, sizeof(groups->group[0]), by_cell);
    return error[0] == 0 ? OK : E_INVAL;
}

void groups_free(struct groups *groups)
{
    for (size_t i = 0; i < groups->count; i++) {
        struct group *group = &groups->group[i];
        for (size_t k = 0; k < groups->column_count; k++)
            free(group->by[k]);
        free(group->rpo.ns);
        free(group->outage.ns);
        free(group->recovery.ns);
        free(group->rebuild.ns);
        free(group->calendar.exposure_ns);
        free(group->calendar.down_ns);
        free(group->calendar.lost);
    }
    for (size_t k = 0; k < groups->column_count; k++)
        free(groups->column[k]);
    free(groups->group);
    *groups = (struct groups){0};
}

size_t groups_by_fault(const struct groups *groups, const struct group **order)
{
    size_t count = 0;
    ASSERT(groups->count == 0 || groups->column_count == 2);
    for (size_t i = 0; i < groups->count; i++) {
        const char *fault = groups->group[i].by[1];
        bool seen = false;
        for (size_t k = 0; k < i && !seen; k++)
            seen = strcmp(groups->group[k].by[1], fault) == 0;
        for (size_t k = i; k < groups->count && !seen; k++)
            if (strcmp(groups->group[k].by[1], fault) == 0)
                order[count++] = &groups->group[k];
    }
    ASSERT(count == groups->count);
    return count;
}

double group_kept(const struct group *group, struct interval *interval)
{
    uint64_t kept = group->promised - group->broken;
    *interval = group->watched ? stats_always_valid(kept, group->promised, STATS_MIXTURE, 0.05)
                               : stats_clopper_pearson(kept, group->promised, 0.05);
    if (group->promised == 0) {
        *interval = (struct interval){NAN, NAN};
        return NAN;
    }
    return (double)kept / (double)group->promised;
}

double group_quantile(const struct group_times *times, double p)
{
    if (times->count == 0)
        return NAN;
    double value = stats_quantile(times->ns, times->count, p);
    return isfinite(value) ? value : NAN;
}
