/* Results files: made whole, opened by one writer, refused unharmed. */
#define _GNU_SOURCE /* F_OFD_SETLK */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "assertion.h"
#include "results/rows.h"
#include "results/schema.h"
#include "results/store_private.h"

/* A byte that SQLite never locks (its own begin at 0x40000000): the writer's. */
#define LOCK_BYTE 0x50000000
#define LOCK_TRIES 20

/* Appends a line to the error text; cut where it is full. Returns E_INVAL, for callers to return.
 */
__attribute__((format(printf, 2, 3))) static enum err say(char *error, const char *format, ...)
{
    size_t used = strlen(error);
    if (used > 0 && used + 2 < STORE_ERROR_BYTES)
        error[used++] = '\n', error[used] = 0;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error + used, STORE_ERROR_BYTES - used, format, arguments);
    va_end(arguments);
    return E_INVAL;
}

static int pragma_int(sqlite3 *db, const char *sql, int *code)
{
    sqlite3_stmt *s = NULL;
    int value = 0;
    *code = sqlite3_prepare_v2(db, sql, -1, &s, NULL);
    if (*code == SQLITE_OK)
        *code = sqlite3_step(s);
    if (*code == SQLITE_ROW) {
        value = sqlite3_column_int(s, 0);
        *code = SQLITE_OK;
    }
    sqlite3_finalize(s);
    return value;
}

/* Whether the open database is ours and of a version that this build knows. */
static enum err check_ours(sqlite3 *db, const char *path, char *error)
{
    int code;
    int id = pragma_int(db, "PRAGMA application_id", &code);
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        return say(error, "%s:1:1: locked by another program", path);
    if (code == SQLITE_NOTADB)
        return say(error, "%s:1:1: not a results file of loris (not a database)", path);
    if (code != SQLITE_OK)
        return say(error, "%s:1:1: cannot read: %s", path, sqlite3_errmsg(db));
    if (id != SCHEMA_APPLICATION_ID)
        return say(error, "%s:1:1: not a results file of loris (another program's database)", path);
    int version = pragma_int(db, "PRAGMA user_version", &code);
    if (code != SQLITE_OK)
        return say(error, "%s:1:1: cannot read: %s", path, sqlite3_errmsg(db));
    if (version > SCHEMA_VERSION)
        return say(error, "%s:1:1: format %d, of a newer loris; this build knows up to %d", path,
                   version, SCHEMA_VERSION);
    if (version < 1)
        return say(error, "%s:1:1: format %d, which no loris ever wrote", path, version);
    return OK;
}

static uint32_t get_be32(const uint8_t *raw)
{
    return (uint32_t)raw[0] << 24 | (uint32_t)raw[1] << 16 | (uint32_t)raw[2] << 8 | raw[3];
}

/*
 * Looks at the header before SQLite does (fileformat2.html, 1.3): a file that is not ours or too
 * new is not even opened, so no recovery of it can change it.
 */
static enum err check_file(const char *path, char *error)
{
    struct stat st;
    uint8_t head[100];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return say(error, "%s:1:1: %s", path, strerror(errno));
    bool regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    ssize_t got = regular ? pread(fd, head, sizeof(head), 0) : 0;
    close(fd);
    if (!regular)
        return say(error, "%s:1:1: not a file", path);
    if (got == 0)
        return say(error, "%s:1:1: not a results file of loris (it is empty)", path);
    if (got < (ssize_t)sizeof(head) || memcmp(head, "SQLite format 3", 16) != 0)
        return say(error, "%s:1:1: not a results file of loris (not a database)", path);
    if (get_be32(head + 68) != SCHEMA_APPLICATION_ID)
        return say(error, "%s:1:1: not a results file of loris (another program's database)", path);
    if (get_be32(head + 60) > SCHEMA_VERSION)
        return say(error, "%s:1:1: format %u, of a newer loris; this build knows up to %d", path,
                   get_be32(head + 60), SCHEMA_VERSION);
    return OK;
}

/* A connection that changes nothing, and sees an older file as today's. */
static enum err set_reader(sqlite3 *db, const char *path, char *error)
{
    int code;
    int version = pragma_int(db, "PRAGMA user_version", &code);
    const char *views = code == SQLITE_OK ? schema_read_older_sql(version) : NULL;
    if (code == SQLITE_OK && views != NULL)
        code = sqlite3_exec(db, views, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, "PRAGMA query_only=1", NULL, NULL, NULL);
    return code == SQLITE_OK ? OK : say(error, "%s:1:1: cannot read: %s", path, sqlite3_errmsg(db));
}

enum err store_open_read(sqlite3 **db, const char *path, char *error)
{
    ASSERT(db != NULL);
    *db = NULL;
    error[0] = 0;
    if (check_file(path, error) != OK)
        return E_INVAL;
    /* Writable, if it may be: a log that a killed writer left must be recovered to be read. */
    int flags = access(path, W_OK) == 0 ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    if (sqlite3_open_v2(path, db, flags, NULL) != SQLITE_OK)
        say(error, "%s:1:1: cannot open: %s", path,
            *db != NULL ? sqlite3_errmsg(*db) : "no memory");
    else
        (void)sqlite3_busy_timeout(*db, 10000);
    if (error[0] != 0 || check_ours(*db, path, error) != OK || set_reader(*db, path, error) != OK) {
        sqlite3_close(*db);
        *db = NULL;
        return E_INVAL;
    }
    return OK;
}

/*
 * Takes the writer's lock: one of an open file description, since SQLite drops all of the process's
 * other locks whenever it drops its own. Returns the descriptor that holds it, or -1. Workers of a
 * writer that was just killed may hold it for a moment: it is tried for LOCK_TRIES x 50 ms.
 */
static int take_lock(const char *path, char *error)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        say(error, "%s:1:1: cannot write: %s", path, strerror(errno));
        return -1;
    }
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = LOCK_BYTE, .l_len = 1};
    for (unsigned i = 0; i < LOCK_TRIES; i++) {
        if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
            return fd;
        if (errno != EAGAIN && errno != EACCES)
            break;
        usleep(50000);
    }
    if (errno == EAGAIN || errno == EACCES)
        say(error, "%s:1:1: being written by another process", path);
    else
        say(error, "%s:1:1: cannot lock: %s", path, strerror(errno));
    close(fd);
    return -1;
}

void store_after_fork(struct store *store)
{
    ASSERT(store != NULL);
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    store->lock_fd = -1;
}

static void bind(sqlite3_stmt *s, int at, const char *text)
{
    if (text != NULL)
        sqlite3_bind_text(s, at, text, -1, SQLITE_STATIC);
    else
        sqlite3_bind_null(s, at);
}

static int insert_campaign(sqlite3 *db, const struct store_plan *plan)
{
    sqlite3_stmt *s;
    int code =
        sqlite3_prepare_v2(db,
                           "INSERT INTO campaign VALUES (1,?,?,?,?,?,?,strftime('%Y-%m-%dT%H:%M:%S"
                           "Z','now'),NULL,?,?,?)",
                           -1, &s, NULL);
    if (code != SQLITE_OK)
        return code;
    bind(s, 1, plan->campaign);
    bind(s, 2, plan->question);
    bind(s, 3, plan->yaml);
    sqlite3_bind_int64(s, 4, (sqlite3_int64)plan->seed);
    bind(s, 5, plan->version);
    bind(s, 6, plan->build);
    bind(s, 7, plan->tags);
    bind(s, 8, plan->notes);
    bind(s, 9, plan->compare);
    code = sqlite3_step(s);
    sqlite3_finalize(s);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int insert_cells(sqlite3 *db, const struct store_plan *plan)
{
    sqlite3_stmt *s;
    int code = sqlite3_prepare_v2(db, "INSERT INTO cell VALUES (?,1,?,?,?,?,?)", -1, &s, NULL);
    for (size_t i = 0; i < plan->cell_count && code == SQLITE_OK; i++) {
        const struct store_cell *cell = &plan->cells[i];
        sqlite3_bind_int64(s, 1, (sqlite3_int64)i);
        bind(s, 2, cell->variant);
        bind(s, 3, cell->workload);
        bind(s, 4, cell->fault);
        sqlite3_bind_int64(s, 5, (sqlite3_int64)cell->planned);
        bind(s, 6, cell->skipped);
        code = sqlite3_step(s) == SQLITE_DONE ? SQLITE_OK : sqlite3_errcode(db);
        sqlite3_reset(s);
    }
    sqlite3_finalize(s);
    return code;
}

static int insert_parameters(sqlite3 *db, const struct store_plan *plan)
{
    sqlite3_stmt *s;
    int code = sqlite3_prepare_v2(db, "INSERT INTO parameter VALUES (?,?,?,?,?)", -1, &s, NULL);
    for (size_t i = 0; i < plan->parameter_count && code == SQLITE_OK; i++) {
        const struct store_parameter *p = &plan->parameters[i];
        bind(s, 1, p->part);
        bind(s, 2, p->name);
        bind(s, 3, p->key);
        bind(s, 4, p->text);
        if (isnan(p->value))
            sqlite3_bind_null(s, 5);
        else
            sqlite3_bind_double(s, 5, p->value);
        code = sqlite3_step(s) == SQLITE_DONE ? SQLITE_OK : sqlite3_errcode(db);
        sqlite3_reset(s);
    }
    sqlite3_finalize(s);
    return code;
}

/* Schema and plan into an empty database, in one transaction. */
static int fill_new(sqlite3 *db, const struct store_plan *plan)
{
    char header[128];
    snprintf(header, sizeof(header),
             "PRAGMA page_size=8192; BEGIN; PRAGMA application_id=%d; PRAGMA user_version=%d;",
             SCHEMA_APPLICATION_ID, SCHEMA_VERSION);
    int code = sqlite3_exec(db, header, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, schema_tables_sql, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, schema_views_sql, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = insert_campaign(db, plan);
    if (code == SQLITE_OK)
        code = insert_cells(db, plan);
    if (code == SQLITE_OK)
        code = insert_parameters(db, plan);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    return code;
}

/* Makes the file beside its name and gives it the name: link refuses to replace, rename replaces.
 */
static enum err create(const char *path, bool replace, const struct store_plan *plan, char *error)
{
    char beside[4096];
    if (snprintf(beside, sizeof(beside), "%s.new-%d", path, (int)getpid()) >= (int)sizeof(beside))
        return say(error, "%s:1:1: name too long", path);
    unlink(beside);
    int made = open(beside, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (made < 0) /* SQLite would go on to try it read-only, and tell why that fails */
        return say(error, "%s:1:1: cannot be made: %s", path, strerror(errno));
    (void)close(made);
    sqlite3 *db = NULL;
    enum err e = OK;
    int code = sqlite3_open_v2(beside, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    if (code == SQLITE_OK)
        code = fill_new(db, plan);
    if (code == SQLITE_CANTOPEN)
        e = say(error, "%s:1:1: cannot be made: %s", path, strerror(sqlite3_system_errno(db)));
    else if (code != SQLITE_OK)
        e = say(error, "%s:1:1: cannot be made: %s", path, sqlite3_errmsg(db));
    sqlite3_close(db);
    if (e == OK && (replace ? rename(beside, path) : link(beside, path)) != 0)
        e = say(error, "%s:1:1: cannot be made: %s", path, strerror(errno));
    unlink(beside);
    return e;
}

/* The old file is ours and nobody writes it: folds its log in, so that none is left behind. */
static enum err make_way(const char *path, char *error)
{
    sqlite3 *db = NULL;
    if (store_open_read(&db, path, error) != OK)
        return E_INVAL;
    sqlite3_close(db);
    int fd = take_lock(path, error);
    if (fd < 0)
        return E_INVAL;
    enum err e = OK;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
        sqlite3_exec(db, "PRAGMA journal_mode=DELETE; BEGIN EXCLUSIVE; ROLLBACK", NULL, NULL,
                     NULL) != SQLITE_OK)
        e = say(error, "%s:1:1: cannot be replaced: %s", path, sqlite3_errmsg(db));
    sqlite3_close(db);
    close(fd);
    return e;
}

/* One difference a line: text by text of the stored plan against the wanted. */
static void differ(char *error, const char *path, const char *what, const char *stored,
                   const char *wanted)
{
    if (strcmp(stored != NULL ? stored : "", wanted != NULL ? wanted : "") != 0)
        say(error, "%s:1:1: cannot resume: %s is %s in the file, %s now", path, what,
            stored != NULL ? stored : "absent", wanted != NULL ? wanted : "absent");
}

static void compare_campaign(sqlite3 *db, const char *path, const struct store_plan *plan,
                             char *error)
{
    char seed[32], why[STORE_ERROR_BYTES] = "";
    snprintf(seed, sizeof(seed), "%llu", (unsigned long long)plan->seed);
    sqlite3_stmt *s = rows_query(db, "SELECT name, seed, build FROM campaign", why);
    if (rows_next(s, why)) {
        differ(error, path, "campaign", (const char *)sqlite3_column_text(s, 0), plan->campaign);
        differ(error, path, "seed", (const char *)sqlite3_column_text(s, 1), seed);
        differ(error, path, "build", (const char *)sqlite3_column_text(s, 2), plan->build);
    } else if (why[0] != 0) {
        say(error, "%s", why);
    } else {
        say(error, "%s:1:1: cannot resume: no campaign in the file", path);
    }
    sqlite3_finalize(s);
}

static void compare_cell(sqlite3_stmt *s, const char *path, const struct store_cell *cell,
                         char *error)
{
    char stored[512], wanted[512];
    snprintf(stored, sizeof(stored), "%s/%s/%s%s%s", sqlite3_column_text(s, 0),
             sqlite3_column_text(s, 1), sqlite3_column_text(s, 2),
             sqlite3_column_type(s, 4) == SQLITE_NULL ? "" : ", skipped: ",
             sqlite3_column_type(s, 4) == SQLITE_NULL ? ""
                                                      : (const char *)sqlite3_column_text(s, 4));
    snprintf(wanted, sizeof(wanted), "%s/%s/%s%s%s", cell->variant, cell->workload, cell->fault,
             cell->skipped != NULL ? ", skipped: " : "",
             cell->skipped != NULL ? cell->skipped : "");
    differ(error, path, "cell", stored, wanted);
    uint64_t planned = (uint64_t)sqlite3_column_int64(s, 3);
    if (strcmp(stored, wanted) == 0 && cell->planned < planned)
        say(error, "%s:1:1: cannot resume: trials of %s are %llu in the file, fewer (%llu) now",
            path, stored, (unsigned long long)planned, (unsigned long long)cell->planned);
}

static void compare_cells(sqlite3 *db, const char *path, const struct store_plan *plan, char *error)
{
    char why[STORE_ERROR_BYTES] = "";
    size_t i = 0;
    sqlite3_stmt *s = rows_query(
        db, "SELECT variant, workload, fault, planned, skipped FROM cell ORDER BY id", why);
    for (; rows_next(s, why); i++)
        if (i < plan->cell_count)
            compare_cell(s, path, &plan->cells[i], error);
    sqlite3_finalize(s);
    if (why[0] != 0)
        say(error, "%s", why);
    else if (i != plan->cell_count)
        say(error, "%s:1:1: cannot resume: %zu cells in the file, %zu now", path, i,
            plan->cell_count);
}

static void compare_parameters(sqlite3 *db, const char *path, const struct store_plan *plan,
                               char *error)
{
    char why[STORE_ERROR_BYTES] = "";
    sqlite3_stmt *s =
        rows_query(db, "SELECT text FROM parameter WHERE part = ? AND name = ? AND key = ?", why);
    size_t found = 0;
    for (size_t i = 0; i < plan->parameter_count && why[0] == 0; i++) {
        const struct store_parameter *p = &plan->parameters[i];
        char what[300];
        snprintf(what, sizeof(what), "%s%s%s: %s", p->part, p->name[0] == '\0' ? "" : " ", p->name,
                 p->key);
        bind(s, 1, p->part);
        bind(s, 2, p->name);
        bind(s, 3, p->key);
        bool row = rows_next(s, why);
        found += row;
        if (why[0] == 0)
            differ(error, path, what, row ? (const char *)sqlite3_column_text(s, 0) : NULL,
                   p->text);
        sqlite3_reset(s);
    }
    sqlite3_finalize(s);
    int code = SQLITE_OK, stored = pragma_int(db, "SELECT count(*) FROM parameter", &code);
    if (why[0] != 0)
        say(error, "%s", why);
    else if (code != SQLITE_OK)
        say(error, "%s:1:1: cannot resume: %s", path, sqlite3_errstr(code));
    else if ((size_t)stored != found)
        say(error, "%s:1:1: cannot resume: %zu of its %d options are absent now", path,
            (size_t)stored - found, stored);
}

/* What a resumed campaign may say otherwise: the newer words are kept. */
static int update_words(sqlite3 *db, const struct store_plan *plan)
{
    sqlite3_stmt *s;
    int code = sqlite3_prepare_v2(
        db, "UPDATE campaign SET question = ?1, tags = ?2, notes = ?3, compare = ?4, yaml = ?5", -1,
        &s, NULL);
    if (code != SQLITE_OK)
        return code;
    bind(s, 1, plan->question);
    bind(s, 2, plan->tags);
    bind(s, 3, plan->notes);
    bind(s, 4, plan->compare);
    bind(s, 5, plan->yaml);
    code = sqlite3_step(s);
    sqlite3_finalize(s);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* Makes an older file one of today's, version by version, within the caller's transaction. */
static int migrate(sqlite3 *db)
{
    int code;
    char now[64];
    int from = pragma_int(db, "PRAGMA user_version", &code);
    for (int version = from; version < SCHEMA_VERSION && code == SQLITE_OK; version++)
        code = sqlite3_exec(db, schema_migrate_sql(version), NULL, NULL, NULL);
    if (from == SCHEMA_VERSION || code != SQLITE_OK)
        return code;
    code = sqlite3_exec(db, schema_views_sql, NULL, NULL, NULL);
    snprintf(now, sizeof(now), "PRAGMA user_version=%d", SCHEMA_VERSION);
    return code == SQLITE_OK ? sqlite3_exec(db, now, NULL, NULL, NULL) : code;
}

/*
 * The stored plan and the wanted: a larger number of trials and other words are taken over, all
 * else must agree.
 */
static enum err take_up(struct store *store, const char *path, const struct store_plan *plan,
                        char *error)
{
    compare_campaign(store->db, path, plan, error);
    compare_cells(store->db, path, plan, error);
    compare_parameters(store->db, path, plan, error);
    if (error[0] != 0)
        return E_INVAL;
    sqlite3_stmt *s = NULL;
    int code = sqlite3_exec(store->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = migrate(store->db);
    if (code == SQLITE_OK)
        code = sqlite3_prepare_v2(
            store->db, "UPDATE cell SET planned = ?2 WHERE id = ?1 AND planned < ?2", -1, &s, NULL);
    bool more = false;
    for (size_t i = 0; i < plan->cell_count && code == SQLITE_OK; i++) {
        sqlite3_bind_int64(s, 1, (sqlite3_int64)i);
        sqlite3_bind_int64(s, 2, (sqlite3_int64)plan->cells[i].planned);
        code = sqlite3_step(s) == SQLITE_DONE ? SQLITE_OK : sqlite3_errcode(store->db);
        more = more || sqlite3_changes(store->db) > 0;
        sqlite3_reset(s);
    }
    sqlite3_finalize(s);
    if (code == SQLITE_OK)
        code = update_words(store->db, plan);
    if (code == SQLITE_OK && more)
        code = sqlite3_exec(store->db, "UPDATE campaign SET finished = NULL", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL);
    if (code != SQLITE_OK)
        return say(error, "%s:1:1: cannot write: %s", path, sqlite3_errmsg(store->db));
    store->finished =
        pragma_int(store->db, "SELECT finished IS NOT NULL FROM campaign", &code) != 0;
    return OK;
}

static enum err open_store(struct store *store, const char *path, char *error)
{
    store->lock_fd = take_lock(path, error);
    if (store->lock_fd < 0)
        return E_INVAL;
    if (sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        return say(error, "%s:1:1: cannot open: %s", path, sqlite3_errmsg(store->db));
    sqlite3_busy_timeout(store->db, 2000);
    if (check_ours(store->db, path, error) != OK)
        return E_INVAL;
    if (sqlite3_exec(store->db,
                     "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
                     "PRAGMA wal_autocheckpoint=2000; PRAGMA cache_size=-16384;"
                     "PRAGMA temp_store=MEMORY",
                     NULL, NULL, NULL) != SQLITE_OK)
        return say(error, "%s:1:1: cannot write: %s", path, sqlite3_errmsg(store->db));
    return OK;
}

enum err store_open(struct store **out, const char *path, enum store_mode mode,
                    const struct store_plan *plan, char *error)
{
    ASSERT(out != NULL);
    ASSERT(plan->cell_count > 0);
    *out = NULL;
    error[0] = 0;
    struct stat st;
    bool exists = lstat(path, &st) == 0;
    if (exists && mode == STORE_NEW)
        return say(error,
                   "%s:1:1: exists already; --resume goes on with it, --overwrite replaces it",
                   path);
    bool empty = exists && S_ISREG(st.st_mode) && st.st_size == 0; /* as mktemp makes it */
    if (exists && mode == STORE_OVERWRITE && !empty && make_way(path, error) != OK)
        return E_INVAL;
    if (exists && mode == STORE_RESUME) {
        sqlite3 *db; /* first without touching it: a foreign file stays as it is */
        if (store_open_read(&db, path, error) != OK)
            return E_INVAL;
        sqlite3_close(db);
    }
    if ((!exists || mode == STORE_OVERWRITE) &&
        create(path, mode == STORE_OVERWRITE, plan, error) != OK)
        return E_INVAL;
    struct store *store = calloc(1, sizeof(*store));
    ASSERT(store != NULL);
    store->bins = calloc(STORE_BIN_SLOTS, sizeof(store->bins[0]));
    ASSERT(store->bins != NULL);
    store->lock_fd = -1;
    store->cell_count = (uint32_t)plan->cell_count;
    enum err e = open_store(store, path, error);
    if (e == OK)
        e = take_up(store, path, plan, error);
    if (e == OK)
        sqlite3_busy_timeout(store->db, 60000); /* another program's short write is waited for */
    if (e == OK && store_prepare(store) != OK)
        e = say(error, "%s", store->error);
    if (e != OK) {
        store_close(store);
        return e;
    }
    *out = store;
    return OK;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    if (store->db != NULL && store->in_batch && store_commit(store) != OK)
        fprintf(stderr, "%s\n", store->error);
    for (int i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(store->statement[i]);
    if (store->db != NULL) {
        /* One plain file, readable from read-only media too; a reader at work prevents it. */
        sqlite3_busy_timeout(store->db, 200);
        sqlite3_exec(store->db, "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode=DELETE", NULL,
                     NULL, NULL);
        sqlite3_close(store->db);
    }
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    free(store->bins);
    free(store);
}
