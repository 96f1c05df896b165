/* The results file: whole or absent, one writer, refused unharmed, resumable. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "results/tests/rig.h"
#include "scripts/check_main.h"

#define FINISHED "SELECT finished IS NOT NULL FROM campaigns"

static struct rig rig;
static struct trial_record r;

static void put_some(uint64_t from, uint64_t to)
{
    for (uint64_t n = from; n < to; n++)
        for (uint32_t cell = 0; cell < rig.plan.cell_count; cell++) {
            rig_record(&rig, &r, cell, n, n % 10 == 9 ? LEVEL_SILENT : LEVEL_DURABLE);
            rig_put(&rig, &r);
        }
}

static void expect_refused(unsigned which, enum store_mode mode, const char *why)
{
    struct store *store = NULL;
    ck_assert_int_eq(store_open(&store, rig.path[which], mode, &rig.plan, rig.error), E_INVAL);
    ck_assert_ptr_null(store);
    ck_assert_msg(strstr(rig.error, why) != NULL, "'%s' lacks '%s'", rig.error, why);
}

static unsigned files_in_dir(void)
{
    char command[128];
    snprintf(command, sizeof(command), "ls -A %s | wc -l", rig.dir);
    FILE *f = popen(command, "r");
    unsigned count = 0;
    ck_assert_int_eq(fscanf(f, "%u", &count), 1);
    pclose(f);
    return count;
}

START_TEST(test_store__views_hold_what_was_put)
{
    rig_init(&rig, 2, 3, 20);
    rig_open(&rig, 0, STORE_NEW);
    put_some(0, 19);
    for (uint32_t cell = 0; cell < rig.plan.cell_count; cell++) {
        rig_record(&rig, &r, cell, 19, LEVEL_SILENT);
        r.undecided = cell == 4;
        rig_put(&rig, &r);
    }
    ck_assert_int_eq(store_finish(rig.store), OK);
    rig_close(&rig);
    ck_assert_uint_eq(files_in_dir(), 1); /* no log, no index of it, nothing beside */
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT count(*) FROM trials"), 120);
    ck_assert_int_eq(
        rig_query(&rig, 0,
                  "SELECT count(*) FROM trials WHERE level='silent' AND kept=0 AND "
                  "promised='synced' AND campaign='rig' AND length(hash)=16 AND state IS NULL"),
        12);
    ck_assert_int_eq(rig_query(&rig, 0,
                               "SELECT trial FROM trials WHERE n=3 AND variant='ffs' AND "
                               "fault='bit-flip'"),
                     3 * 6 + 4 + 1);
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT sum(undecided) FROM trials"), 1);
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT trial FROM trials WHERE undecided"),
                     19 * 6 + 4 + 1);
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT count(*) FROM latencies"), 120 * 6);
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT sum(n) FROM latencies"), 120 * 400);
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT sum(n) FROM timelines"), 120 * 400);
    ck_assert_int_eq(rig_query(&rig, 0,
                               "SELECT count(*) FROM timelines WHERE p99_ns IS NULL OR "
                               "mean_ns IS NULL"),
                     0);
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT count(*) FROM events"), 120);
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT sum(killed) FROM environments"), 120);
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT sum(broken) FROM cells"), 12);
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT count(*) FROM parameters"), 3);
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT finished IS NOT NULL FROM campaigns"), 1);
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT count(*) FROM explored"), 0);
    rig_fini(&rig);
}
END_TEST

/* The columns that users may rely on, by name, in every view. */
START_TEST(test_store__views_have_the_columns_of_the_interface)
{
    static const char *const queries[] = {
        "SELECT id,name,question,yaml,seed,version,build,started,finished,tags,notes FROM "
        "campaigns",
        "SELECT trial,campaign,variant,workload,fault,n,hash,level,promised,design_promise,kept,"
        "injected,struck,state,exposure_ns,anomalies,ops,ops_failed,ops_lost,synced_lost,"
        "bytes_wrong,rpo_ns,outage_ns,recovery_ns,rebuild_ns,detected_by,environments_hit,sim_ns,"
        "events,messages,ios,blocks,wall_ns,story,undecided,written,app_written FROM "
        "trials",
        "SELECT trial,phase,op,n,mean_ns,p50_ns,p99_ns,max_ns FROM latencies",
        "SELECT trial,time_ns,layer,what FROM events",
        "SELECT variant,workload,fault,planned,done,injected,broken,skipped FROM cells",
        "SELECT part,name,key,text,value FROM parameters",
        "SELECT trial,environment,level,killed FROM environments",
        "SELECT variant,workload,fault,offset_ns,n,mean_ns,p99_ns FROM timelines",
        "SELECT variant,workload,fault,point,states,\"distinct\",boots,\"left\",weakest,broken "
        "FROM "
        "explored"};
    rig_init(&rig, 1, 1, 1);
    rig_open(&rig, 0, STORE_NEW);
    rig_close(&rig);
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        char sql[600];
        snprintf(sql, sizeof(sql), "SELECT count(*) FROM (%s)", queries[i]);
        ck_assert_int_ge(rig_query(&rig, 0, sql), 0);
    }
    rig_fini(&rig);
}
END_TEST

START_TEST(test_store__explored_points_are_rows)
{
    rig_init(&rig, 1, 1, 1);
    rig_open(&rig, 0, STORE_NEW);
    struct store_explored row = {0, "write 17", 9, 4, 4, 0, LEVEL_SILENT, 1};
    ck_assert_int_eq(store_put_explored(rig.store, &row), OK);
    rig_close(&rig);
    ck_assert_int_eq(rig_query(&rig, 0,
                               "SELECT states FROM explored WHERE point='write 17' AND "
                               "weakest='silent' AND \"distinct\"=4"),
                     9);
    rig_fini(&rig);
}
END_TEST

START_TEST(test_store__new_refuses_what_exists)
{
    rig_init(&rig, 1, 1, 1);
    rig_open(&rig, 0, STORE_NEW);
    rig_close(&rig);
    expect_refused(0, STORE_NEW, "--resume");
    rig_fini(&rig);
}
END_TEST

START_TEST(test_store__resume_goes_on_where_it_stopped)
{
    rig_init(&rig, 2, 2, 10);
    rig_open(&rig, 0, STORE_RESUME); /* none there: it begins */
    put_some(0, 4);
    rig_close(&rig);
    ck_assert_int_eq(rig_query(&rig, 0, FINISHED), 0);
    rig_open(&rig, 0, STORE_RESUME);
    ck_assert(store_has(rig.store, 1));
    ck_assert(store_has(rig.store, 16));
    ck_assert(!store_has(rig.store, 17));
    put_some(2, 10); /* some again: left as they are */
    struct store_tally tally;
    ck_assert_int_eq(store_tally(rig.store, 1, &tally), OK);
    ck_assert_uint_eq(tally.done, 10);
    ck_assert_uint_eq(tally.broken, 1);
    ck_assert_uint_eq(tally.level[LEVEL_DURABLE], 9);
    ck_assert_int_eq(store_tally(rig.store, UINT32_MAX, &tally), OK);
    ck_assert_uint_eq(tally.done, 40);
    ck_assert_int_eq(store_finish(rig.store), OK);
    rig_close(&rig);
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT sum(n) FROM timelines"), 40 * 400);
    ck_assert_int_eq(rig_query(&rig, 0, FINISHED), 1);
    rig_open(&rig, 0, STORE_RESUME);
    rig_close(&rig);
    ck_assert_int_eq(rig_query(&rig, 0, FINISHED), 1);
    for (unsigned i = 0; i < 4; i++)
        rig.cell[i].planned = 12; /* more trials: not finished any longer */
    rig.plan.question = "And now?";
    rig_open(&rig, 0, STORE_RESUME);
    rig_close(&rig);
    ck_assert_int_eq(rig_query(&rig, 0, FINISHED), 0);
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT question = 'And now?' FROM campaigns"), 1);
    rig_fini(&rig);
}
END_TEST

START_TEST(test_store__resume_names_every_difference_and_changes_nothing)
{
    rig_init(&rig, 2, 2, 10);
    rig_open(&rig, 0, STORE_NEW);
    put_some(0, 2);
    rig_close(&rig);
    rig.plan.seed = 43;
    rig.plan.build = "other";
    rig.cell[1].fault = "other-fault";
    rig.cell[2].planned = 5;
    rig.parameter[0].text = "1s";
    expect_refused(0, STORE_RESUME, "seed is 42 in the file, 43 now");
    ck_assert_ptr_nonnull(strstr(rig.error, "build is 0123abc in the file, other now"));
    ck_assert_ptr_nonnull(strstr(rig.error, "other-fault"));
    ck_assert_ptr_nonnull(strstr(rig.error, "10 in the file, fewer (5) now"));
    ck_assert_ptr_nonnull(strstr(rig.error, "checkpoint is 5s in the file, 1s now"));
    rig.plan.parameter_count = 2;
    expect_refused(0, STORE_RESUME, "1 of its 3 options are absent now");
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT count(*) FROM trials"), 8);
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT seed FROM campaigns"), 42);
    rig_fini(&rig);
}
END_TEST

/* A table that cannot be read is neither an empty one nor a defect of ours. */
START_TEST(test_store__resume_tells_what_cannot_be_read)
{
    static const char *const tables[] = {"parameter", "cell", "campaign"};
    for (size_t k = 0; k < sizeof(tables) / sizeof(tables[0]); k++) {
        char sql[200], why[80];
        sqlite3 *db;
        rig_init(&rig, 2, 2, 10);
        rig_open(&rig, 0, STORE_NEW);
        put_some(0, 2);
        rig_close(&rig);
        snprintf(sql, sizeof(sql),
                 "ALTER TABLE %s RENAME TO gone; PRAGMA writable_schema=1; DELETE FROM "
                 "sqlite_schema WHERE type = 'view'",
                 tables[k]);
        ck_assert_int_eq(sqlite3_open(rig.path[0], &db), SQLITE_OK);
        ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s",
                      sqlite3_errmsg(db));
        sqlite3_close(db);
        snprintf(why, sizeof(why), "cannot be read: no such table: %s", tables[k]);
        expect_refused(0, STORE_RESUME, why);
        rig_fini(&rig);
    }
}
END_TEST

START_TEST(test_store__overwrite_replaces_ours_alone)
{
    rig_init(&rig, 1, 1, 10);
    rig_open(&rig, 0, STORE_NEW);
    put_some(0, 3);
    rig_close(&rig);
    rig_open(&rig, 0, STORE_OVERWRITE);
    rig_close(&rig);
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT count(*) FROM trials"), 0);
    ck_assert_uint_eq(files_in_dir(), 1);
    rig_fini(&rig);
}
END_TEST

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

START_TEST(test_store__foreign_and_newer_files_are_refused_unharmed)
{
    static const char letter[] =
        "Dear diary, this is no database at all, but it is longer than its header, which has one "
        "hundred bytes.\n";
    rig_init(&rig, 1, 1, 1);
    write_file(rig.path[0], letter);
    write_file(rig.path[1], "");
    char command[800];
    snprintf(
        command, sizeof(command),
        "sqlite3 %s 'CREATE TABLE a(b)' && sqlite3 %s 'PRAGMA application_id=1819243113;PRAGMA "
        "user_version=999; CREATE TABLE a(b)'",
        rig.path[2], rig.path[3]);
    ck_assert_int_eq(system(command), 0);
    static const char *const why[] = {"not a database", "empty", "another program", "newer"};
    for (unsigned i = 0; i < 4; i++) {
        struct stat before, after;
        ck_assert_int_eq(stat(rig.path[i], &before), 0);
        expect_refused(i, STORE_RESUME, why[i]);
        if (i != 1)
            expect_refused(i, STORE_OVERWRITE, why[i]);
        sqlite3 *db;
        ck_assert_int_eq(store_open_read(&db, rig.path[i], rig.error), E_INVAL);
        ck_assert_ptr_nonnull(strstr(rig.error, why[i]));
        ck_assert_int_eq(stat(rig.path[i], &after), 0);
        ck_assert_int_eq(before.st_size, after.st_size);
        ck_assert_int_eq(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
        ck_assert_uint_eq(before.st_ino, after.st_ino);
    }
    ck_assert_uint_eq(files_in_dir(), 4);
    rig_open(&rig, 1, STORE_OVERWRITE); /* an empty file holds nothing that could be lost */
    rig_close(&rig);
    ck_assert_int_eq(rig_query(&rig, 1, "SELECT count(*) FROM campaigns"), 1);
    ck_assert_uint_eq(files_in_dir(), 4);
    rig_fini(&rig);
}
END_TEST

START_TEST(test_store__a_folder_that_is_absent_is_an_error)
{
    rig_init(&rig, 1, 1, 1);
    snprintf(rig.path[0], sizeof(rig.path[0]), "%s/no/such.db", rig.dir);
    expect_refused(0, STORE_NEW, "No such file");
    sqlite3 *db;
    ck_assert_int_eq(store_open_read(&db, rig.path[0], rig.error), E_INVAL);
    ck_assert_uint_eq(files_in_dir(), 0);
    rig_fini(&rig);
}
END_TEST

#define NOBODY 65534

START_TEST(test_store__a_folder_that_takes_no_file_says_why)
{
    rig_init(&rig, 1, 1, 1);
    uid_t self = geteuid();
    ck_assert_int_eq(chmod(rig.dir, 0555), 0);
    if (self == 0) /* root may write anywhere */
        ck_assert_int_eq(seteuid(NOBODY), 0);
    expect_refused(0, STORE_NEW, "Permission denied");
    ck_assert_int_eq(seteuid(self), 0);
    ck_assert_int_eq(chmod(rig.dir, 0755), 0);
    ck_assert_uint_eq(files_in_dir(), 0);
    rig_fini(&rig);
}
END_TEST

START_TEST(test_store__a_second_writer_is_refused_and_readers_are_not)
{
    rig_init(&rig, 1, 1, 10);
    int ready[2], go[2];
    ck_assert_int_eq(pipe(ready), 0);
    ck_assert_int_eq(pipe(go), 0);
    pid_t child = fork();
    char byte = 0;
    if (child == 0) {
        rig_open(&rig, 0, STORE_NEW);
        put_some(0, 3);
        if (store_commit(rig.store) != OK || write(ready[1], &byte, 1) != 1 ||
            read(go[0], &byte, 1) != 1)
            _exit(1);
        put_some(3, 10);
        rig_close(&rig);
        _exit(0);
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT count(*) FROM trials"), 3);
    expect_refused(0, STORE_RESUME, "being written by another");
    expect_refused(0, STORE_OVERWRITE, "being written by another");
    ck_assert_int_eq(write(go[1], &byte, 1), 1);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT count(*) FROM trials"), 10);
    rig_fini(&rig);
}
END_TEST

/* Killed at twenty moments: the file opens, trials are whole, and resume completes them. */
START_TEST(test_store__survives_kill_at_any_moment)
{
    rig_init(&rig, 2, 2, 50);
    for (unsigned round = 0; round < 20; round++) {
        pid_t child = fork();
        if (child == 0) {
            rig_open(&rig, 0, STORE_RESUME);
            for (uint64_t n = 0; n < 50; n++) {
                put_some(n, n + 1);
                if (n % 3 == 0 && store_commit(rig.store) != OK)
                    _exit(1);
            }
            _exit(0);
        }
        usleep(500 + 1700 * round);
        kill(child, SIGKILL);
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        struct stat st;
        if (stat(rig.path[0], &st) != 0)
            continue; /* killed before the file appeared: there is none */
        ck_assert_int_eq(rig_query(&rig, 0,
                                   "SELECT count(*) FROM pragma_integrity_check WHERE "
                                   "integrity_check <> 'ok'"),
                         0);
        ck_assert_int_eq(rig_query(&rig, 0,
                                   "SELECT count(*) FROM trials WHERE (SELECT sum(n) FROM "
                                   "latencies l WHERE l.trial = trials.trial) <> 400"),
                         0);
        ck_assert_int_eq(rig_query(&rig, 0,
                                   "SELECT coalesce((SELECT sum(n) FROM timelines),0) - "
                                   "400 * (SELECT count(*) FROM trials)"),
                         0);
    }
    rig_open(&rig, 0, STORE_RESUME);
    put_some(0, 50);
    rig_close(&rig);
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT count(*) FROM trials"), 200);
    rig_fini(&rig);
}
END_TEST

/* A limit on the file's size stands for a full disk: the batch is lost, what was committed stays.
 */
START_TEST(test_store__a_full_disk_costs_the_batch_alone)
{
    rig_init(&rig, 1, 1, 100000);
    signal(SIGXFSZ, SIG_IGN);
    rig_open(&rig, 0, STORE_NEW);
    put_some(0, 50);
    ck_assert_int_eq(store_commit(rig.store), OK);
    struct stat st;
    char wal[160];
    snprintf(wal, sizeof(wal), "%s-wal", rig.path[0]);
    ck_assert_int_eq(stat(wal, &st), 0);
    struct rlimit old, limit;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = old;
    limit.rlim_cur = (rlim_t)st.st_size + 100000;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    enum err e = OK;
    for (uint64_t n = 50; n < 20000 && e == OK; n++) {
        rig_record(&rig, &r, 0, n, LEVEL_DURABLE);
        e = store_put(rig.store, &r);
        if (e == OK && n % 10 == 0)
            e = store_commit(rig.store);
    }
    ck_assert(e == E_FULL || e == E_MEDIA);
    ck_assert_ptr_nonnull(strstr(store_error(rig.store), "earlier batches are stored"));
    ck_assert_int_ne(store_finish(rig.store), OK);
    rig_close(&rig);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
    ck_assert_int_ge(rig_query(&rig, 0, "SELECT count(*) FROM trials"), 50);
    rig_open(&rig, 0, STORE_RESUME);
    put_some(0, 300);
    rig_close(&rig);
    ck_assert_int_ge(rig_query(&rig, 0, "SELECT count(*) FROM trials"), 300);
    rig_fini(&rig);
}
END_TEST

START_TEST(test_store__a_record_of_no_cell_is_refused)
{
    rig_init(&rig, 1, 1, 1);
    rig_open(&rig, 0, STORE_NEW);
    rig_record(&rig, &r, 0, 0, LEVEL_DURABLE);
    r.cell = 1;
    ck_assert_int_eq(store_put(rig.store, &r), E_INVAL);
    r.cell = 0;
    r.trial = 0;
    ck_assert_int_eq(store_put(rig.store, &r), E_INVAL);
    rig_close(&rig);
    rig_fini(&rig);
}
END_TEST

static void make_older(unsigned which)
{
    rig_open(&rig, which, STORE_NEW);
    put_some(0, 1);
    rig_close(&rig);
    rig_make_older(&rig, which, 3);
}

START_TEST(test_store__an_older_file_is_read_as_it_is)
{
    rig_init(&rig, 2, 3, 1);
    make_older(0);
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT trial FROM trials WHERE undecided"), 3);
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT sum(undecided) FROM trials"), 1);
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT count(level) FROM trials"), 6);
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT count(written) FROM trials"), 0);
    ck_assert_int_eq(rig_query(&rig, 0, "PRAGMA user_version"), 1);
    rig_fini(&rig);
}
END_TEST

START_TEST(test_store__an_older_file_is_migrated_by_its_first_writer)
{
    rig_init(&rig, 2, 3, 1);
    make_older(0);
    rig.plan.seed++;
    expect_refused(0, STORE_RESUME, "seed");
    ck_assert_int_eq(rig_query(&rig, 0, "PRAGMA user_version"), 1); /* refused: unchanged */
    rig.plan.seed--;
    for (unsigned i = 0; i < rig.plan.cell_count; i++)
        rig.cell[i].planned = 2;
    rig_open(&rig, 0, STORE_RESUME);
    rig_record(&rig, &r, 1, 1, LEVEL_DURABLE);
    r.undecided = true;
    r.written = 4096;
    r.app_written = 512;
    rig_put(&rig, &r);
    rig_close(&rig);
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT sum(written) FROM main.trials"), 4096);
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT sum(app_written) FROM main.trials"), 512);
    ck_assert_int_eq(rig_query(&rig, 0, "PRAGMA user_version"), 3);
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT count(*) FROM main.trials"), 7);
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT min(trial) FROM main.trials WHERE undecided"), 3);
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT max(trial) FROM main.trials WHERE undecided"), 8);
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT sum(undecided) FROM main.trials"), 2);
    rig_fini(&rig);
}
END_TEST

START_TEST(test_store__a_file_of_version_2_has_no_bytes_written_until_there_are_some)
{
    rig_init(&rig, 2, 3, 1);
    rig_open(&rig, 0, STORE_NEW);
    put_some(0, 1);
    rig_close(&rig);
    rig_make_version_2(&rig, 0);
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT count(*) FROM trials WHERE written IS NULL"), 6);
    for (unsigned i = 0; i < rig.plan.cell_count; i++)
        rig.cell[i].planned = 2;
    rig_open(&rig, 0, STORE_RESUME);
    rig_record(&rig, &r, 1, 1, LEVEL_DURABLE);
    r.written = 8192;
    rig_put(&rig, &r);
    rig_close(&rig);
    ck_assert_int_eq(rig_query(&rig, 0, "PRAGMA user_version"), 3);
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT count(*) FROM main.trials"), 7);
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT sum(written) FROM main.trials"), 8192);
    rig_fini(&rig);
}
END_TEST

CHECK_MAIN(
    "store", 120, tcase_add_test(tc, test_store__views_hold_what_was_put);
    tcase_add_test(tc, test_store__views_have_the_columns_of_the_interface);
    tcase_add_test(tc, test_store__explored_points_are_rows);
    tcase_add_test(tc, test_store__new_refuses_what_exists);
    tcase_add_test(tc, test_store__resume_goes_on_where_it_stopped);
    tcase_add_test(tc, test_store__resume_names_every_difference_and_changes_nothing);
    tcase_add_test(tc, test_store__resume_tells_what_cannot_be_read);
    tcase_add_test(tc, test_store__overwrite_replaces_ours_alone);
    tcase_add_test(tc, test_store__foreign_and_newer_files_are_refused_unharmed);
    tcase_add_test(tc, test_store__a_folder_that_is_absent_is_an_error);
    tcase_add_test(tc, test_store__a_folder_that_takes_no_file_says_why);
    tcase_add_test(tc, test_store__a_second_writer_is_refused_and_readers_are_not);
    tcase_add_test(tc, test_store__survives_kill_at_any_moment);
    tcase_add_test(tc, test_store__a_full_disk_costs_the_batch_alone);
    tcase_add_test(tc, test_store__an_older_file_is_read_as_it_is);
    tcase_add_test(tc, test_store__an_older_file_is_migrated_by_its_first_writer);
    tcase_add_test(tc, test_store__a_file_of_version_2_has_no_bytes_written_until_there_are_some);
    tcase_add_test(tc, test_store__a_record_of_no_cell_is_refused);)
