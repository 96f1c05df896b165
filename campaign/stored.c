#include "campaign/stored.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "campaign/explore_flip.h"
#include "campaign/store_plan.h"
#include "faults/registry.h"
#include "results/store.h"

/* ---- Queries: what fails in one is kept, and ends stored_open ----------------------------------
 */

/* A query whose parameters are numbers; NULL is taken by `next` and sqlite3_finalize. */
static sqlite3_stmt *query(struct stored *r, const char *sql, const uint64_t *number, int numbers)
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(r->db, sql, -1, &s, NULL);
    for (int k = 0; k < numbers && code == SQLITE_OK; k++)
        code = sqlite3_bind_int64(s, k + 1, (sqlite3_int64)number[k]);
    if (r->unread == SQLITE_OK)
        r->unread = code;
    return s;
}

static bool next(struct stored *r, sqlite3_stmt *s)
{
    if (r->unread != SQLITE_OK)
        return false;
    int code = sqlite3_step(s);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        r->unread = code;
    return code == SQLITE_ROW;
}

/* False, after saying so: something could not be read. */
static bool is_read(const struct stored *r)
{
    if (r->unread != SQLITE_OK)
        (void)fprintf(stderr, "%s:1:1: cannot be read: %s\n", r->db_path,
                      sqlite3_errstr(r->unread));
    return r->unread == SQLITE_OK;
}

/* A text of the campaign's row; the caller frees it. */
static char *campaign_text(struct stored *r, const char *column)
{
    char sql[64];
    char *copy = NULL;
    (void)snprintf(sql, sizeof(sql), "SELECT %s FROM campaigns", column);
    sqlite3_stmt *s = query(r, sql, NULL, 0);
    if (next(r, s) && sqlite3_column_text(s, 0) != NULL)
        copy = strdup((const char *)sqlite3_column_text(s, 0));
    (void)sqlite3_finalize(s);
    return copy;
}

/* Whether this build may replay the file. */
static bool check_build(struct stored *r, bool any_build)
{
    char *build = campaign_text(r, "build");
    if (!is_read(r))
        return false;
    bool same = build != NULL && strcmp(build, build_id()) == 0;
    if (!same && !any_build)
        (void)fprintf(stderr,
                      "%s:1:1: was made by another build (%s, this is %s); --any-build compares "
                      "the outcome instead of the hash\n",
                      r->db_path, build == NULL ? "unknown" : build, build_id());
    free(build);
    return same || any_build;
}

static bool load_plan(struct stored *r)
{
    char *yaml = campaign_text(r, "yaml");
    if (!is_read(r))
        return false;
    if (yaml == NULL) {
        (void)fprintf(stderr, "%s:1:1: holds no campaign\n", r->db_path);
        return false;
    }
    struct plan_request request = {.path = r->db_path};
    r->plan = plan_load_text(yaml, &request, stderr);
    free(yaml);
    return r->plan != NULL;
}

/* How many trials of the cell the file is to hold: more than its text says after a --trials. */
static uint64_t planned_trials(struct stored *r)
{
    const struct plan_cell *cell = &r->plan->cells[r->cell];
    uint64_t planned = 0;
    sqlite3_stmt *s = query(
        r, "SELECT planned FROM cells WHERE variant = ? AND workload = ? AND fault = ?", NULL, 0);
    (void)sqlite3_bind_text(s, 1, r->plan->variants[cell->variant].name, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(s, 2, r->plan->workloads[cell->workload].name, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(s, 3, r->plan->faults[cell->fault].name, -1, SQLITE_STATIC);
    if (next(r, s))
        planned = (uint64_t)sqlite3_column_int64(s, 0);
    (void)sqlite3_finalize(s);
    return planned;
}

/* Places that are left out, of the disk whose state the row has. */
static void read_left(struct stored *r, struct sim_state_disk *to, const char *list)
{
    sqlite3_stmt *s = query(r, "SELECT value FROM json_each(?)", NULL, 0);
    (void)sqlite3_bind_text(s, 1, list, -1, SQLITE_STATIC);
    while (next(r, s)) {
        to->left = realloc(to->left, (to->left_count + 1) * sizeof(*to->left));
        ASSERT(to->left != NULL);
        to->left[to->left_count++] = (uint32_t)sqlite3_column_int64(s, 0);
    }
    (void)sqlite3_finalize(s);
}

/* The crash state of an explored row, if it is one. */
static void read_state(struct stored *r)
{
    static const char sql[] =
        "SELECT t.cell, t.n, json_extract(t.state, '$.point'), d.key, json_extract(d.value,"
        " '$.keep'), json_extract(d.value, '$.leave'), json_extract(d.value, '$.tear[0]'),"
        " json_extract(d.value, '$.tear[1]') FROM trial t, json_each(t.state, '$.disks') d"
        " WHERE t.trial = ? AND json_valid(t.state)";
    sqlite3_stmt *s = query(r, sql, &r->trial, 1);
    while (next(r, s)) {
        sqlite3_int64 cell = sqlite3_column_int64(s, 0), disk = sqlite3_column_int64(s, 3);
        if (cell < 0 || cell >= r->plan->cell_count || disk < 0 || disk >= DISKS_MAX)
            continue;
        r->explored = true;
        r->disks++;
        r->cell = (uint32_t)cell;
        r->n = (uint64_t)sqlite3_column_int64(s, 1);
        r->point = (uint32_t)sqlite3_column_int64(s, 2);
        struct sim_state_disk *to = &r->disk[disk];
        to->keep = (uint32_t)sqlite3_column_int64(s, 4);
        to->torn = (uint32_t)sqlite3_column_int64(s, 6);
        to->sectors = (uint32_t)sqlite3_column_int64(s, 7);
        if (sqlite3_column_type(s, 5) == SQLITE_TEXT)
            read_left(r, to, (const char *)sqlite3_column_text(s, 5));
    }
    (void)sqlite3_finalize(s);
}

static const char *text_at(sqlite3_stmt *s, int column)
{
    const char *text = (const char *)sqlite3_column_text(s, column);
    return text != NULL ? text : "";
}

/* The deaths, or the flip, of an explored row, if it is one of them. */
static void read_strikes(struct stored *r)
{
    static const char sql[] =
        "SELECT t.cell, t.n, json_extract(s.value, '$.layer'), coalesce(json_extract("
        "s.value, '$.instance'), json_extract(s.value, '$.disk')), coalesce(json_extract(s.value,"
        " '$.block'), json_extract(s.value, '$.request')), json_extract(s.value, '$.probe'),"
        " json_extract(s.value, '$.n'), json_extract(s.value, '$.region'), json_extract(s.value,"
        " '$.state'), json_extract(s.value, '$.word'), json_extract(s.value, '$.bit') FROM trial t,"
        " json_each(t.state, '$.strikes') s WHERE t.trial = ? AND json_valid(t.state)"
        " ORDER BY s.key";
    sqlite3_stmt *s = query(r, sql, &r->trial, 1);
    while (r->strike_count < EXPLORE_STRIKES_MAX && next(r, s)) {
        sqlite3_int64 cell = sqlite3_column_int64(s, 0);
        struct explore_strike at = {.layer = layer_from_name(text_at(s, 2)),
                                    .instance = (uint32_t)sqlite3_column_int64(s, 3),
                                    .block = (uint64_t)sqlite3_column_int64(s, 4),
                                    .probe = probe_from_name(text_at(s, 5)),
                                    .pass = (uint64_t)sqlite3_column_int64(s, 6),
                                    .region = explore_flip_region(text_at(s, 7)),
                                    .state = explore_flip_state(text_at(s, 8)),
                                    .word = (uint32_t)sqlite3_column_int64(s, 9),
                                    .bit = (uint32_t)sqlite3_column_int64(s, 10)};
        if (cell < 0 || cell >= r->plan->cell_count ||
            !striker_can(r->plan, (uint32_t)cell, r->strike_count, &at))
            continue;
        r->cell = (uint32_t)cell;
        r->n = (uint64_t)sqlite3_column_int64(s, 1);
        r->strikes[r->strike_count++] = at;
    }
    (void)sqlite3_finalize(s);
}

/* The first number of the answer to a query with up to three numbers in it; 0: there is none. */
static uint64_t ask(struct stored *r, const char *sql, const uint64_t *number, int numbers)
{
    sqlite3_stmt *s = query(r, sql, number, numbers);
    uint64_t answer = next(r, s) ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
    (void)sqlite3_finalize(s);
    return answer;
}

/*
 * In a file of `loris explore`, n is that of a run of which many states may be kept, each a row: a
 * name stands for the only one. False, after saying so: there is none, or more than one.
 */
static bool find_state(struct stored *r, bool named)
{
    static const char of_place[] = "FROM trial WHERE cell = ? AND n = ? AND state IS NOT NULL";
    char sql[128];
    const uint64_t place[] = {r->cell, r->n};
    if (ask(r, "SELECT count(*) FROM explored", NULL, 0) == 0 ||
        ask(r, "SELECT count(*) FROM trial WHERE trial = ?", &r->trial, 1) != 0)
        return true;
    if (!named) {
        (void)fprintf(stderr,
                      "%s:1:1: trial %" PRIu64
                      " is none of the file, which holds crash states that "
                      "`loris explore` kept; its view `trials` has their numbers\n",
                      r->db_path, r->trial);
        return false;
    }
    (void)snprintf(sql, sizeof(sql), "SELECT count(*) %s", of_place);
    uint64_t count = ask(r, sql, place, 2);
    (void)snprintf(sql, sizeof(sql), "SELECT min(trial) %s", of_place);
    uint64_t first = ask(r, sql, place, 2);
    if (count == 1) {
        r->trial = first;
        return true;
    }
    if (count == 0)
        (void)fprintf(stderr,
                      "%s:1:1: the file keeps no crash state of that run; it has those that are "
                      "broken, or with `loris explore --keep all` all\n",
                      r->db_path);
    else
        (void)fprintf(stderr,
                      "%s:1:1: the file keeps %" PRIu64
                      " crash states of that run; name one by its "
                      "number, as %" PRIu64 "\n",
                      r->db_path, count, first);
    return false;
}

/* False, after saying so: the row has strikes or disks that cannot be in this plan and build. */
static bool knows_state(struct stored *r)
{
    static const char strikes[] =
        "SELECT coalesce(json_array_length(state, '$.strikes'), 0) FROM trial WHERE trial = ?";
    static const char disks[] = "SELECT count(*) FROM trial t, json_each(t.state, '$.disks') WHERE"
                                " t.trial = ? AND json_valid(t.state)";
    if (ask(r, strikes, &r->trial, 1) == r->strike_count && ask(r, disks, &r->trial, 1) == r->disks)
        return true;
    (void)fprintf(stderr,
                  "%s:1:1: trial %" PRIu64
                  " has a strike or a disk that this build or campaign cannot have\n",
                  r->db_path, r->trial);
    return false;
}

static bool find_trial(struct stored *r, const char *trial)
{
    char error[OPTION_ERROR_BYTES];
    r->trial = plan_find_trial(r->plan, trial, error);
    if (r->trial == 0) {
        (void)fprintf(stderr, "%s:1:1: %s\n", r->db_path, error);
        return false;
    }
    plan_trial_place(r->plan, r->trial, &r->cell, &r->n);
    bool found = find_state(r, strchr(trial, '/') != NULL);
    if (!is_read(r) || !found)
        return false;
    read_state(r);
    read_strikes(r);
    bool known = knows_state(r);
    if (!is_read(r) || !known)
        return false;
    const struct plan_cell *cell = &r->plan->cells[r->cell];
    if (cell->skipped != NULL || r->n >= PLAN_TRIALS_MAX) {
        (void)fprintf(stderr, "%s:1:1: trial %" PRIu64 " cannot be: %s\n", r->db_path, r->trial,
                      cell->skipped == NULL ? "no such number" : cell->skipped);
        return false;
    }
    sqlite3_stmt *s = query(r, "SELECT hash, level FROM trials WHERE trial = ?", &r->trial, 1);
    if (next(r, s)) {
        r->present = true;
        r->hash = strtoull((const char *)sqlite3_column_text(s, 0), NULL, 16);
        r->level = (enum level)level_from_name((const char *)sqlite3_column_text(s, 1));
    }
    (void)sqlite3_finalize(s);
    uint64_t planned = r->present ? 0 : planned_trials(r);
    if (!is_read(r))
        return false;
    if (r->present || r->n < planned)
        return true;
    (void)fprintf(stderr,
                  "%s:1:1: trial %" PRIu64 " is none of the file: %s/%s/%s has %" PRIu64
                  " trials, numbered from 0\n",
                  r->db_path, r->trial, r->plan->variants[cell->variant].name,
                  r->plan->workloads[cell->workload].name, r->plan->faults[cell->fault].name,
                  planned);
    return false;
}

bool stored_open(struct stored *r, const char *db_path, const char *trial, bool any_build)
{
    ASSERT(r != NULL && db_path != NULL && trial != NULL);
    char error[STORE_ERROR_BYTES];
    *r = (struct stored){.db_path = db_path};
    if (store_open_read(&r->db, db_path, error) != OK) {
        (void)fprintf(stderr, "%s\n", error);
        return false;
    }
    return check_build(r, any_build) && load_plan(r) && find_trial(r, trial);
}

void stored_close(struct stored *r)
{
    for (uint32_t d = 0; d < DISKS_MAX; d++)
        free(r->disk[d].left);
    plan_destroy(r->plan);
    (void)sqlite3_close(r->db);
    *r = (struct stored){0};
}
