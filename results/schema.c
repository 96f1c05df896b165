#include "results/schema.h"

#include <stddef.h>

#include "assertion.h"

const char schema_tables_sql[] =
    "CREATE TABLE level_name(id INTEGER PRIMARY KEY, name TEXT NOT NULL);"
    "INSERT INTO level_name VALUES (0,'transparent'),(1,'durable'),(2,'synced'),(3,'prefix'),"
    " (4,'structural'),(5,'detected'),(6,'silent'),(7,'dead');"
    "CREATE TABLE phase_name(id INTEGER PRIMARY KEY, name TEXT NOT NULL);"
    "INSERT INTO phase_name VALUES (0,'before'),(1,'during'),(2,'after');"

    "CREATE TABLE campaign(id INTEGER PRIMARY KEY, name TEXT NOT NULL, question TEXT,"
    " yaml TEXT NOT NULL, seed INTEGER NOT NULL, version TEXT NOT NULL, build TEXT NOT NULL,"
    " started TEXT NOT NULL, finished TEXT, tags TEXT, notes TEXT, compare TEXT);"
    "CREATE TABLE cell(id INTEGER PRIMARY KEY, campaign INTEGER NOT NULL, variant TEXT NOT NULL,"
    " workload TEXT NOT NULL, fault TEXT NOT NULL, planned INTEGER NOT NULL, skipped TEXT,"
    " UNIQUE(variant, workload, fault));"
    "CREATE TABLE parameter(part TEXT NOT NULL, name TEXT NOT NULL, key TEXT NOT NULL,"
    " text TEXT NOT NULL, value REAL, PRIMARY KEY(part, name, key)) WITHOUT ROWID;"

    "CREATE TABLE trial(trial INTEGER PRIMARY KEY, cell INTEGER NOT NULL, n INTEGER NOT NULL,"
    " hash INTEGER NOT NULL, level INTEGER NOT NULL, promised INTEGER, design_promise INTEGER,"
    " kept INTEGER, injected INTEGER NOT NULL, struck TEXT NOT NULL, state TEXT,"
    " exposure_ns INTEGER NOT NULL, anomalies INTEGER NOT NULL, ops INTEGER NOT NULL,"
    " ops_failed INTEGER NOT NULL, ops_lost INTEGER NOT NULL, synced_lost INTEGER NOT NULL,"
    " bytes_wrong INTEGER NOT NULL, rpo_ns INTEGER, outage_ns INTEGER, recovery_ns INTEGER,"
    " rebuild_ns INTEGER, detected_by TEXT, environments_hit INTEGER NOT NULL,"
    " sim_ns INTEGER NOT NULL, events INTEGER NOT NULL, messages INTEGER NOT NULL,"
    " ios INTEGER NOT NULL, blocks INTEGER NOT NULL, wall_ns INTEGER NOT NULL,"
    " dropped INTEGER NOT NULL, story TEXT NOT NULL, undecided INTEGER NOT NULL DEFAULT 0,"
    " written INTEGER, app_written INTEGER);"
    "CREATE INDEX trial_cell ON trial(cell, n);"
    "CREATE TABLE latency(trial INTEGER NOT NULL, phase INTEGER NOT NULL, op TEXT NOT NULL,"
    " n INTEGER NOT NULL, mean_ns INTEGER NOT NULL, p50_ns INTEGER NOT NULL,"
    " p99_ns INTEGER NOT NULL, max_ns INTEGER NOT NULL,"
    " PRIMARY KEY(trial, phase, op)) WITHOUT ROWID;"
    "CREATE TABLE event(trial INTEGER NOT NULL, seq INTEGER NOT NULL, time_ns INTEGER NOT NULL,"
    " layer TEXT NOT NULL, what TEXT NOT NULL, detail TEXT NOT NULL,"
    " PRIMARY KEY(trial, seq)) WITHOUT ROWID;"
    "CREATE TABLE environment(trial INTEGER NOT NULL, environment INTEGER NOT NULL,"
    " level INTEGER NOT NULL, killed INTEGER NOT NULL,"
    " PRIMARY KEY(trial, environment)) WITHOUT ROWID;"
    /* kind: 0..2 a phase's distribution (bucket 0), 3 the timeline by offset. */
    "CREATE TABLE bin(cell INTEGER NOT NULL, kind INTEGER NOT NULL, bucket INTEGER NOT NULL,"
    " bin INTEGER NOT NULL, start_ns INTEGER NOT NULL, low_ns INTEGER NOT NULL,"
    " n INTEGER NOT NULL, sum_ns INTEGER NOT NULL,"
    " PRIMARY KEY(cell, kind, bucket, bin)) WITHOUT ROWID;"
    "CREATE TABLE exploration(cell INTEGER NOT NULL, point TEXT NOT NULL, states INTEGER NOT NULL,"
    " distinct_states INTEGER NOT NULL, boots INTEGER NOT NULL, left INTEGER NOT NULL,"
    " weakest INTEGER, broken INTEGER NOT NULL, PRIMARY KEY(cell, point)) WITHOUT ROWID;";

const char schema_views_sql[] =
    "CREATE VIEW campaigns AS SELECT id, name, question, yaml, seed, version, build, started,"
    " finished, tags, notes, compare FROM campaign;"
    "CREATE VIEW trials AS SELECT t.trial AS trial, k.name AS campaign, c.variant AS variant,"
    " c.workload AS workload, c.fault AS fault, t.n AS n, printf('%016x', t.hash) AS hash,"
    " l.name AS level, p.name AS promised, d.name AS design_promise, t.kept AS kept,"
    " t.injected AS injected, t.struck AS struck, t.state AS state, t.exposure_ns AS exposure_ns,"
    " t.anomalies AS anomalies, t.ops AS ops, t.ops_failed AS ops_failed, t.ops_lost AS ops_lost,"
    " t.synced_lost AS synced_lost, t.bytes_wrong AS bytes_wrong, t.rpo_ns AS rpo_ns,"
    " t.outage_ns AS outage_ns, t.recovery_ns AS recovery_ns, t.rebuild_ns AS rebuild_ns,"
    " t.detected_by AS detected_by, t.environments_hit AS environments_hit, t.sim_ns AS sim_ns,"
    " t.events AS events, t.messages AS messages, t.ios AS ios, t.blocks AS blocks,"
    " t.wall_ns AS wall_ns, t.story AS story, t.undecided AS undecided,"
    " t.written AS written, t.app_written AS app_written"
    " FROM trial t JOIN cell c ON c.id = t.cell JOIN campaign k ON k.id = c.campaign"
    " JOIN level_name l ON l.id = t.level LEFT JOIN level_name p ON p.id = t.promised"
    " LEFT JOIN level_name d ON d.id = t.design_promise;"
    "CREATE VIEW latencies AS SELECT trial, p.name AS phase, op, n, mean_ns, p50_ns, p99_ns, max_ns"
    " FROM latency JOIN phase_name p ON p.id = phase;"
    "CREATE VIEW events AS SELECT trial, time_ns, layer, what, detail FROM event;"
    "CREATE VIEW environments AS SELECT trial, environment, l.name AS level, killed"
    " FROM environment JOIN level_name l ON l.id = level;"
    "CREATE VIEW cells AS SELECT c.variant AS variant, c.workload AS workload, c.fault AS fault,"
    " c.planned AS planned, coalesce(t.done, 0) AS done, coalesce(t.injected, 0) AS injected,"
    " coalesce(t.broken, 0) AS broken, c.skipped AS skipped FROM cell c LEFT JOIN"
    " (SELECT cell, count(*) AS done, sum(injected) AS injected,"
    "  sum(injected AND kept IS 0) AS broken FROM trial GROUP BY cell) t ON t.cell = c.id"
    " ORDER BY c.id;"
    "CREATE VIEW parameters AS SELECT part, name, key, text, value FROM parameter;"
    "CREATE VIEW timelines AS SELECT c.variant AS variant, c.workload AS workload,"
    " c.fault AS fault, g.start_ns AS offset_ns, g.total AS n, g.sum_ns / g.total AS mean_ns,"
    " min(CASE WHEN g.upto * 100 >= g.total * 99 THEN g.low_ns END) AS p99_ns FROM"
    " (SELECT cell, bucket, start_ns, low_ns,"
    "   sum(n) OVER (PARTITION BY cell, bucket) AS total,"
    "   sum(sum_ns) OVER (PARTITION BY cell, bucket) AS sum_ns,"
    "   sum(n) OVER (PARTITION BY cell, bucket ORDER BY bin) AS upto"
    "  FROM bin WHERE kind = 3) g JOIN cell c ON c.id = g.cell"
    " GROUP BY g.cell, g.bucket ORDER BY g.cell, g.start_ns;"
    "CREATE VIEW explored AS SELECT c.variant AS variant, c.workload AS workload,"
    " c.fault AS fault, e.point AS point, e.states AS states, e.distinct_states AS \"distinct\","
    " e.boots AS boots, e.left AS \"left\", l.name AS weakest, e.broken AS broken"
    " FROM exploration e JOIN cell c ON c.id = e.cell LEFT JOIN level_name l ON l.id = e.weakest;";

const char *schema_read_older_sql(int version)
{
    static const char *const sql[SCHEMA_VERSION] = {
        [1] = "CREATE TEMP VIEW trials AS SELECT t.*, " SCHEMA_UNDECIDED_OF_1(
            "main") " AS "
                    "undecided, NULL AS written, NULL AS app_written FROM main.trials t;",
        [2] = "CREATE TEMP VIEW trials AS SELECT *, NULL AS written, NULL AS app_written "
              "FROM main.trials;",
    };
    ASSERT(version >= 1 && version <= SCHEMA_VERSION);
    return version < SCHEMA_VERSION ? sql[version] : NULL;
}

const char *schema_migrate_sql(int version)
{
    static const char *const sql[SCHEMA_VERSION] = {
        [1] = "ALTER TABLE trial ADD COLUMN undecided INTEGER NOT NULL DEFAULT 0;"
              "UPDATE trial AS t SET undecided = " SCHEMA_UNDECIDED_OF_1(
                  "main") ";"
                          "DROP VIEW campaigns; DROP VIEW trials; DROP VIEW latencies; DROP VIEW "
                          "events;"
                          "DROP VIEW environments; DROP VIEW cells; DROP VIEW parameters; DROP "
                          "VIEW timelines;"
                          "DROP VIEW explored;",
        [2] = "ALTER TABLE trial ADD COLUMN written INTEGER;"
              "ALTER TABLE trial ADD COLUMN app_written INTEGER;"
              "DROP VIEW IF EXISTS campaigns; DROP VIEW IF EXISTS trials;"
              "DROP VIEW IF EXISTS latencies; DROP VIEW IF EXISTS events;"
              "DROP VIEW IF EXISTS environments; DROP VIEW IF EXISTS cells;"
              "DROP VIEW IF EXISTS parameters; DROP VIEW IF EXISTS timelines;"
              "DROP VIEW IF EXISTS explored;",
    };
    ASSERT(version >= 1 && version <= SCHEMA_VERSION);
    return version < SCHEMA_VERSION ? sql[version] : NULL;
}
