#include "results/tests/rig.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "results/samples.h"
#include "results/temp_folder.h"

static const char *const variant_names[] = {"loris", "ffs", "none", "journal", "cow", "fat"};
static const char *const fault_names[] = {"power",  "bit-flip", "double", "disk-dies",
                                          "latent", "none",     "cache",  "physical"};

void rig_init(struct rig *rig, unsigned variants, unsigned faults, uint64_t planned)
{
    memset(rig, 0, sizeof(*rig));
    ck_assert(temp_folder_make(rig->dir, "results"));
    for (unsigned i = 0; i < 4; i++)
        snprintf(rig->path[i], sizeof(rig->path[i]), "%s/%c.db", rig->dir, (char)('a' + i));
    unsigned count = 0;
    for (unsigned v = 0; v < variants; v++)
        for (unsigned f = 0; f < faults; f++)
            rig->cell[count++] =
                (struct store_cell){variant_names[v], "mail", fault_names[f], planned, NULL};
    rig->parameter[0] = (struct store_parameter){"variant", "loris", "checkpoint", "5s", 5e9};
    rig->parameter[1] = (struct store_parameter){"variant", "ffs", "sync", "30s", 30e9};
    rig->parameter[2] = (struct store_parameter){"machine", "", "disks.profile", "hdd-7200", NAN};
    rig->plan = (struct store_plan){.campaign = "rig",
                                    .question = "Does it hold?",
                                    .yaml = "campaign: rig\n",
                                    .version = "1.0",
                                    .build = "0123abc",
                                    .seed = 42,
                                    .cells = rig->cell,
                                    .cell_count = count,
                                    .parameters = rig->parameter,
                                    .parameter_count = 3};
}

void rig_fini(struct rig *rig)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", rig->dir);
    ck_assert_int_eq(system(command), 0);
}

void rig_open(struct rig *rig, unsigned which, enum store_mode mode)
{
    enum err e = store_open(&rig->store, rig->path[which], mode, &rig->plan, rig->error);
    ck_assert_msg(e == OK, "%s", rig->error);
}

void rig_close(struct rig *rig)
{
    store_close(rig->store);
    rig->store = NULL;
}

/* A fixed scrambler: plausible times that differ from trial to trial. */
static uint64_t scramble(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

void rig_record(struct rig *rig, struct trial_record *record, uint32_t cell, uint64_t n,
                enum level level)
{
    record_init(record);
    record->trial = n * rig->plan.cell_count + cell + 1;
    record->cell = cell;
    record->n = n;
    record->hash = scramble(record->trial);
    record->level = level;
    record->promised = record->design_promise = LEVEL_SYNCED;
    record->injected = true;
    uint64_t draw = scramble(n * 1000 + cell / 2);
    snprintf(record->struck, sizeof(record->struck),
             "[{\"kind\":\"power.cut\",\"time_ns\":%llu,\"target\":\"disk 1\",\"position\":%.3f}]",
             (unsigned long long)(draw % 3000000000u), (double)(draw % 1000) / 1000.0);
    double spread = exp(1.2 * ((double)(draw % 997) / 997.0 - 0.5));
    record->outage_ns = (int64_t)(4e8 * spread * (1 + 0.3 * (double)(cell % 3)));
    record->recovery_ns = (int64_t)(5e8 * spread * (1 + 0.4 * (double)(cell % 3)));
    record->rebuild_ns = draw % 7 == 0 ? RECORD_NULL : (int64_t)(9e9 * spread);
    record->rpo_ns = draw % 3 == 0 ? 0 : (int64_t)(2e9 * spread);
    record->ops = 320;
    record->environments_hit = draw % 2;
    record->ops_lost = draw % 5;
    record->sim_ns = 9000000000u;
    record->exposure_ns = record->sim_ns;
    record->wall_ns = 4000000;
    record_text(record->detected_by, sizeof(record->detected_by), draw % 9 ? "physical" : "cache");
    record_text(record->story, sizeof(record->story), "power went at 2.1 s; nothing was lost");
    record_add_event(record, 2100000000, "machine", "fault injected", "power.cut");
    record->environment[record->environment_count++] = (struct record_environment){level, 1};
    static struct sample samples[400];
    for (unsigned i = 0; i < 400; i++) {
        int64_t offset_ns = ((int64_t)i - 120) * 25000000 + (int64_t)(draw % 9000000);
        uint64_t latency_ns = 300000 + scramble(draw + i) % 4000000;
        if (offset_ns >= 0 && offset_ns < record->outage_ns + 50000000)
            latency_ns = (uint64_t)offset_ns + 1000000;
        else if (offset_ns >= 0 && offset_ns < 3000000000)
            latency_ns *= 4;
        enum phase phase = offset_ns < 0                   ? PHASE_BEFORE
                           : offset_ns < record->outage_ns ? PHASE_DURING
                                                           : PHASE_AFTER;
        samples[i] = (struct sample){i % 3 ? "write" : "read", phase, latency_ns, offset_ns, true};
    }
    samples_fill(record, samples, 400);
}

void rig_put(struct rig *rig, const struct trial_record *record)
{
    enum err e = store_put(rig->store, record);
    ck_assert_msg(e == OK, "%s", store_error(rig->store));
}

void rig_make_older(struct rig *rig, unsigned which, uint64_t undecided)
{
    char sql[1000], *why = NULL;
    snprintf(sql, sizeof(sql),
             "DROP VIEW trials; ALTER TABLE trial DROP COLUMN undecided;"
             "ALTER TABLE trial DROP COLUMN written; ALTER TABLE trial DROP COLUMN app_written;"
             "CREATE VIEW trials AS SELECT t.trial AS trial, l.name AS level, t.hash AS hash "
             "FROM trial t JOIN level_name l ON l.id = t.level;"
             "INSERT INTO event VALUES (%llu, 99, 7, 'oracle', 'undecided', '');"
             "INSERT INTO event VALUES (%llu, 98, 7, 'cache', 'undecided', '');"
             "PRAGMA user_version = 1;",
             (unsigned long long)undecided, (unsigned long long)undecided + 1);
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(rig->path[which], &db), SQLITE_OK);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &why) == SQLITE_OK, "%s", why);
    sqlite3_close(db);
}

void rig_make_version_2(struct rig *rig, unsigned which)
{
    static const char sql[] =
        "DROP VIEW trials;"
        "ALTER TABLE trial DROP COLUMN written; ALTER TABLE trial DROP COLUMN app_written;"
        "CREATE VIEW trials AS SELECT t.trial AS trial, l.name AS level, t.undecided AS undecided "
        "FROM trial t JOIN level_name l ON l.id = t.level;"
        "PRAGMA user_version = 2;";
    sqlite3 *db;
    char *why = NULL;
    ck_assert_int_eq(sqlite3_open(rig->path[which], &db), SQLITE_OK);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &why) == SQLITE_OK, "%s", why);
    sqlite3_close(db);
}

int64_t rig_query(struct rig *rig, unsigned which, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *s;
    enum err e = store_open_read(&db, rig->path[which], rig->error);
    ck_assert_msg(e == OK, "%s", rig->error);
    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
    ck_assert_int_eq(sqlite3_step(s), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return value;
}

void rig_has(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "lacks '%s':\n%.3000s", part, text);
}
