#include "results/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "assertion.h"
#include "results/reached.h"
#include "results/rows.h"
#include "results/samples.h"
#include "results/store_private.h"

static const char *const statement_sql[STATEMENT_COUNT] = {
    [INSERT_TRIAL] = "INSERT OR IGNORE INTO trial VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,"
                     "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [INSERT_LATENCY] = "INSERT INTO latency VALUES (?,?,?,?,?,?,?,?)",
    [INSERT_EVENT] = "INSERT INTO event VALUES (?,?,?,?,?,?)",
    [INSERT_ENVIRONMENT] = "INSERT INTO environment VALUES (?,?,?,?)",
    [INSERT_BIN] = "INSERT INTO bin VALUES (?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET"
                   " n = n + excluded.n, sum_ns = sum_ns + excluded.sum_ns",
    [INSERT_EXPLORED] = "INSERT OR REPLACE INTO exploration VALUES (?,?,?,?,?,?,?,?)",
    [SELECT_TRIAL] = "SELECT 1 FROM trial WHERE trial = ?",
};

static uint64_t host_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Keeps SQLite's reason; from here on the store only answers it. */
static enum err fail(struct store *store)
{
    int code = sqlite3_errcode(store->db);
    const char *name = sqlite3_db_filename(store->db, "main");
    store->failed = true;
    store->why = code == SQLITE_FULL ? E_FULL : E_MEDIA;
    if (code == SQLITE_FULL)
        snprintf(
            store->error, sizeof(store->error),
            "%s:1:1: the disk is full; all trials of earlier batches are stored: free space, then "
            "go on with --resume",
            name);
    else
        snprintf(store->error, sizeof(store->error),
                 "%s:1:1: cannot go on: %s; all trials of earlier batches are stored", name,
                 sqlite3_errmsg(store->db));
    if (!sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    store->in_batch = false;
    return store->why;
}

enum err store_prepare(struct store *store)
{
    for (int i = 0; i < STATEMENT_COUNT; i++)
        if (sqlite3_prepare_v3(store->db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &store->statement[i], NULL) != SQLITE_OK)
            return fail(store);
    return OK;
}

static void bind_u64(sqlite3_stmt *s, int at, uint64_t value)
{
    sqlite3_bind_int64(s, at, (sqlite3_int64)value);
}

static void bind_time(sqlite3_stmt *s, int at, int64_t value_ns)
{
    if (value_ns == RECORD_NULL)
        sqlite3_bind_null(s, at);
    else
        sqlite3_bind_int64(s, at, value_ns);
}

static void bind_level(sqlite3_stmt *s, int at, enum level level)
{
    if (level == LEVEL_NONE)
        sqlite3_bind_null(s, at);
    else
        sqlite3_bind_int(s, at, (int)level);
}

static void bind_text(sqlite3_stmt *s, int at, const char *text)
{
    sqlite3_bind_text(s, at, text, -1, SQLITE_STATIC);
}

static void bind_text_or_null(sqlite3_stmt *s, int at, const char *text)
{
    if (text[0] != 0)
        bind_text(s, at, text);
    else
        sqlite3_bind_null(s, at);
}

/* Runs a bound statement that returns no row. */
static enum err run(struct store *store, enum statement which)
{
    sqlite3_stmt *s = store->statement[which];
    int code = sqlite3_step(s);
    ASSERT(code != SQLITE_ROW);
    if (code != SQLITE_DONE) {
        enum err e = fail(store);
        sqlite3_reset(s);
        return e;
    }
    sqlite3_reset(s);
    return OK;
}

static enum err begin(struct store *store)
{
    if (store->failed)
        return store->why;
    if (store->in_batch)
        return OK;
    if (sqlite3_exec(store->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        return fail(store);
    store->in_batch = true;
    store->batch_trials = 0;
    store->batch_start_ns = host_ns();
    return OK;
}

static enum err put_row(struct store *store, const struct trial_record *r)
{
    sqlite3_stmt *s = store->statement[INSERT_TRIAL];
    int at = 1;
    bind_u64(s, at++, r->trial);
    bind_u64(s, at++, r->cell);
    bind_u64(s, at++, r->n);
    bind_u64(s, at++, r->hash);
    bind_level(s, at++, r->level);
    bind_level(s, at++, r->promised);
    bind_level(s, at++, r->design_promise);
    bind_time(s, at++, record_kept(r));
    sqlite3_bind_int(s, at++, r->injected ? 1 : 0);
    bind_text(s, at++, r->struck[0] != 0 ? r->struck : "[]");
    bind_text_or_null(s, at++, r->state);
    const uint64_t counts[] = {r->exposure_ns, r->anomalies,   r->ops,        r->ops_failed,
                               r->ops_lost,    r->synced_lost, r->bytes_wrong};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        bind_u64(s, at++, counts[i]);
    const int64_t times[] = {r->rpo_ns, r->outage_ns, r->recovery_ns, r->rebuild_ns};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        bind_time(s, at++, times[i]);
    bind_text_or_null(s, at++, r->detected_by);
    const uint64_t costs[] = {r->environments_hit, r->sim_ns,  r->events, r->messages, r->ios,
                              r->blocks,           r->wall_ns, r->dropped};
    for (size_t i = 0; i < sizeof(costs) / sizeof(costs[0]); i++)
        bind_u64(s, at++, costs[i]);
    bind_text(s, at++, r->story);
    sqlite3_bind_int(s, at++, r->undecided ? 1 : 0);
    bind_time(s, at++, r->written);
    bind_time(s, at++, r->app_written);
    ASSERT(at - 1 == sqlite3_bind_parameter_count(s));
    return run(store, INSERT_TRIAL);
}

static enum err put_latencies(struct store *store, const struct trial_record *r)
{
    sqlite3_stmt *s = store->statement[INSERT_LATENCY];
    for (uint32_t i = 0; i < r->latency_count; i++) {
        const struct record_latency *l = &r->latency[i];
        bind_u64(s, 1, r->trial);
        sqlite3_bind_int(s, 2, (int)l->phase);
        bind_text(s, 3, l->op);
        bind_u64(s, 4, l->n);
        bind_u64(s, 5, l->mean_ns);
        bind_u64(s, 6, l->p50_ns);
        bind_u64(s, 7, l->p99_ns);
        bind_u64(s, 8, l->max_ns);
        enum err e = run(store, INSERT_LATENCY);
        if (e != OK)
            return e;
    }
    return OK;
}

static enum err put_events(struct store *store, const struct trial_record *r)
{
    sqlite3_stmt *s = store->statement[INSERT_EVENT];
    for (uint32_t i = 0; i < r->event_count; i++) {
        const struct record_event *event = &r->event[i];
        bind_u64(s, 1, r->trial);
        bind_u64(s, 2, i);
        bind_u64(s, 3, event->time_ns);
        bind_text(s, 4, event->layer);
        bind_text(s, 5, event->what);
        bind_text(s, 6, event->detail);
        enum err e = run(store, INSERT_EVENT);
        if (e != OK)
            return e;
    }
    s = store->statement[INSERT_ENVIRONMENT];
    for (uint32_t i = 0; i < r->environment_count; i++) {
        bind_u64(s, 1, r->trial);
        bind_u64(s, 2, i);
        bind_level(s, 3, r->environment[i].level);
        bind_u64(s, 4, r->environment[i].killed);
        enum err e = run(store, INSERT_ENVIRONMENT);
        if (e != OK)
            return e;
    }
    return OK;
}

_Static_assert(PROBE_COUNT <= 64 * RECORD_PROBE_WORDS, "a bit for each probe");
_Static_assert(RECORD_TIMELINE_MAX + RECORD_BINS_MAX + PROBE_COUNT <= STORE_BIN_SLOTS / 4 * 3,
               "a record fits an empty table");

static int by_place(const void *left, const void *right)
{
    const struct store_bin *a = left, *b = right;
    if (a->cell != b->cell)
        return a->cell < b->cell ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->bucket != b->bucket)
        return a->bucket < b->bucket ? -1 : 1;
    return (a->bin > b->bin) - (a->bin < b->bin);
}

/* Moves the used slots to the front, in order of the table's key: so the disk sees them in order.
 */
static size_t gather_bins(struct store *store)
{
    size_t count = 0;
    for (size_t i = 0; i < STORE_BIN_SLOTS; i++)
        if (store->bins[i].n != 0)
            store->bins[count++] = store->bins[i];
    ASSERT(count == store->bin_count);
    qsort(store->bins, count, sizeof(store->bins[0]), by_place);
    return count;
}

static void clear_bins(struct store *store)
{
    memset(store->bins, 0, STORE_BIN_SLOTS * sizeof(store->bins[0]));
    store->bin_count = 0;
}

static enum err write_bins(struct store *store)
{
    sqlite3_stmt *s = store->statement[INSERT_BIN];
    size_t count = gather_bins(store);
    for (size_t i = 0; i < count; i++) {
        const struct store_bin *b = &store->bins[i];
        bind_u64(s, 1, b->cell);
        bind_u64(s, 2, b->kind);
        sqlite3_bind_int(s, 3, b->bucket);
        bind_u64(s, 4, b->bin);
        sqlite3_bind_int64(s, 5, b->kind == BIN_TIMELINE ? samples_bucket_start_ns(b->bucket) : 0);
        bind_u64(s, 6, samples_bin_low_ns(b->bin));
        bind_u64(s, 7, b->n);
        bind_u64(s, 8, b->sum_ns);
        enum err e = run(store, INSERT_BIN);
        if (e != OK)
            return e;
    }
    clear_bins(store);
    return OK;
}

/* The slot of a place in the open-addressed table: its own, or the free one where it goes. */
static struct store_bin *find_bin(struct store *store, const struct store_bin *place)
{
    uint64_t key = ((uint64_t)place->cell << 34) ^ ((uint64_t)place->kind << 32) ^
                   ((uint64_t)(uint32_t)place->bucket << 12) ^ place->bin;
    size_t at = (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - STORE_BIN_BITS));
    while (store->bins[at].n != 0 && by_place(&store->bins[at], place) != 0)
        at = (at + 1) & (STORE_BIN_SLOTS - 1);
    return &store->bins[at];
}

static void add_bin(struct store *store, const struct store_bin *addend)
{
    if (addend->n == 0)
        return;
    struct store_bin *slot = find_bin(store, addend);
    if (slot->n == 0) {
        *slot = *addend;
        store->bin_count++;
    } else {
        slot->n += addend->n;
        slot->sum_ns += addend->sum_ns;
    }
}

static enum err put_bins(struct store *store, const struct trial_record *r)
{
    size_t wanted = (size_t)r->timeline_count + r->bin_count + PROBE_COUNT;
    if (store->bin_count + wanted > STORE_BIN_SLOTS / 4 * 3) {
        enum err e = write_bins(store);
        if (e != OK)
            return e;
    }
    for (uint32_t i = 0; i < r->timeline_count; i++)
        add_bin(store,
                &(struct store_bin){r->cell, BIN_TIMELINE, r->timeline[i].bucket,
                                    r->timeline[i].bin, r->timeline[i].n, r->timeline[i].sum_ns});
    for (uint32_t i = 0; i < r->bin_count; i++)
        add_bin(store, &(struct store_bin){r->cell, (uint32_t)r->bin[i].phase, 0, r->bin[i].bin,
                                           r->bin[i].n, 0});
    for (uint32_t p = 0; p < PROBE_COUNT; p++)
        if ((r->probes[p / 64] >> (p % 64) & 1) != 0)
            add_bin(store, &(struct store_bin){r->cell, BIN_PROBE, reached_sum(), p, 1, 0});
    return OK;
}

static enum err put_lists(struct store *store, const struct trial_record *record)
{
    enum err e = put_latencies(store, record);
    if (e == OK)
        e = put_events(store, record);
    if (e == OK)
        e = put_bins(store, record);
    return e;
}

enum err store_put(struct store *store, const struct trial_record *record)
{
    ASSERT(store != NULL);
    if (!record_check(record) || record->cell >= store->cell_count) {
        snprintf(store->error, sizeof(store->error), "trial %llu is no valid record of this plan",
                 (unsigned long long)record->trial);
        return E_INVAL;
    }
    enum err e = begin(store);
    if (e != OK || (e = put_row(store, record)) != OK)
        return e;
    if (sqlite3_changes(store->db) == 0)
        return OK; /* it was there, lists and all */
    e = put_lists(store, record);
    if (e != OK)
        return e;
    store->batch_trials++;
    if (store->batch_trials >= STORE_BATCH_TRIALS ||
        host_ns() - store->batch_start_ns >= STORE_BATCH_NS)
        return store_commit(store);
    return OK;
}

enum err store_put_explored(struct store *store, const struct store_explored *row)
{
    ASSERT(row->cell < store->cell_count);
    enum err e = begin(store);
    if (e != OK)
        return e;
    sqlite3_stmt *s = store->statement[INSERT_EXPLORED];
    bind_u64(s, 1, row->cell);
    bind_text(s, 2, row->point);
    bind_u64(s, 3, row->states);
    bind_u64(s, 4, row->distinct);
    bind_u64(s, 5, row->boots);
    bind_u64(s, 6, row->left);
    bind_level(s, 7, row->weakest);
    bind_u64(s, 8, row->broken);
    return run(store, INSERT_EXPLORED);
}

enum err store_explored_of(struct store *store, uint32_t cell, const char *prefix,
                           struct store_explored_sum *sum)
{
    char end[STORE_PREFIX_BYTES + 1];
    sqlite3_stmt *s;
    ASSERT(strlen(prefix) < STORE_PREFIX_BYTES);
    *sum = (struct store_explored_sum){0};
    if (store->failed)
        return store->why;
    int code = sqlite3_prepare_v2(
        store->db,
        "SELECT count(*), coalesce(" ROWS_SUM("left") ", 0) FROM exploration WHERE "
                                                      "cell = ? AND point >= ? AND point < ?",
        -1, &s, NULL);
    if (code != SQLITE_OK)
        return fail(store);
    snprintf(end, sizeof(end), "%s\x7f", prefix); /* after any letter */
    bind_u64(s, 1, cell);
    bind_text(s, 2, prefix);
    bind_text(s, 3, end);
    enum err e = sqlite3_step(s) == SQLITE_ROW ? OK : fail(store);
    if (e == OK) {
        sum->points = (uint64_t)sqlite3_column_int64(s, 0);
        sum->left = (uint64_t)sqlite3_column_int64(s, 1);
    }
    sqlite3_finalize(s);
    return e;
}

enum err store_commit(struct store *store)
{
    ASSERT(store != NULL);
    if (store->failed)
        return store->why;
    if (!store->in_batch)
        return OK;
    enum err e = store->bin_count > 0 ? write_bins(store) : OK;
    if (e != OK)
        return e;
    if (sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        return fail(store);
    store->in_batch = false;
    return OK;
}

bool store_has(struct store *store, uint64_t trial)
{
    sqlite3_stmt *s = store->statement[SELECT_TRIAL];
    bind_u64(s, 1, trial);
    int code = store->failed ? SQLITE_DONE : sqlite3_step(s);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        (void)fail(store); /* and so say all later answers */
    sqlite3_reset(s);
    return code == SQLITE_ROW;
}

enum err store_tally(struct store *store, uint32_t cell, struct store_tally *tally)
{
    *tally = (struct store_tally){0};
    if (store->failed)
        return store->why;
    sqlite3_stmt *s;
    int code = sqlite3_prepare_v2(store->db,
                                  "SELECT level, count(*), sum(injected), sum(injected AND kept IS "
                                  "0) FROM trial WHERE ?1 IS NULL OR cell = ?1 GROUP BY level",
                                  -1, &s, NULL);
    if (code != SQLITE_OK)
        return fail(store);
    if (cell != UINT32_MAX)
        sqlite3_bind_int64(s, 1, cell);
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        unsigned level = (unsigned)sqlite3_column_int(s, 0);
        tally->done += (uint64_t)sqlite3_column_int64(s, 1);
        tally->injected += (uint64_t)sqlite3_column_int64(s, 2);
        tally->broken += (uint64_t)sqlite3_column_int64(s, 3);
        if (level < LEVEL_COUNT)
            tally->level[level] += (uint64_t)sqlite3_column_int64(s, 2);
    }
    enum err e = code == SQLITE_DONE ? OK : fail(store);
    sqlite3_finalize(s);
    return e;
}

enum err store_outcomes(struct store *store, uint64_t first, uint64_t last,
                        store_take_outcome *take, void *object)
{
    sqlite3_stmt *s;
    int code = sqlite3_prepare_v2(store->db,
                                  "SELECT cell, level, promised, injected FROM trial "
                                  "WHERE trial BETWEEN ?1 AND ?2 ORDER BY trial",
                                  -1, &s, NULL);
    if (code != SQLITE_OK)
        return fail(store);
    sqlite3_bind_int64(s, 1, (sqlite3_int64)first);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)last);
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        struct store_outcome o = {.cell = (uint32_t)sqlite3_column_int64(s, 0),
                                  .level = (enum level)sqlite3_column_int(s, 1),
                                  .promised = LEVEL_NONE,
                                  .injected = sqlite3_column_int(s, 3) != 0};
        if (sqlite3_column_type(s, 2) != SQLITE_NULL)
            o.promised = (enum level)sqlite3_column_int(s, 2);
        take(object, &o);
    }
    enum err e = code == SQLITE_DONE ? OK : fail(store);
    sqlite3_finalize(s);
    return e;
}

enum err store_finish(struct store *store)
{
    enum err e = begin(store);
    if (e != OK)
        return e;
    if (!store->finished &&
        sqlite3_exec(store->db,
                     "UPDATE campaign SET finished = strftime('%Y-%m-%dT%H:%M:%SZ', 'now')", NULL,
                     NULL, NULL) != SQLITE_OK)
        return fail(store);
    e = store_commit(store);
    store->finished = e == OK;
    return e;
}

const char *store_error(const struct store *store)
{
    return store->error;
}
