/* merge: the shards of a campaign are the file of one run; anything else is refused and leaves
 * none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "results/join.h"
#include "results/tests/rig.h"
#include "scripts/check_main.h"

static struct rig rig;
static struct trial_record r;
static char *out, *err;
static size_t out_bytes, err_bytes;

/* The trials whose number is `remainder` modulo `shards`; shards = 1: all. */
static void build(unsigned which, uint64_t shards, uint64_t remainder)
{
    rig_open(&rig, which, STORE_NEW);
    for (uint64_t n = 0; n < 20; n++)
        for (uint32_t cell = 0; cell < rig.plan.cell_count; cell++) {
            rig_record(&rig, &r, cell, n, n % 7 ? LEVEL_DURABLE : LEVEL_SILENT);
            if ((r.trial - 1) % shards == remainder)
                rig_put(&rig, &r);
        }
    rig_close(&rig);
}

static int join(unsigned first, unsigned second)
{
    const char *parts[] = {rig.path[first], rig.path[second]};
    struct join_options options = {.out_path = rig.path[3], .parts = parts, .part_count = 2};
    free(out);
    free(err);
    FILE *o = open_memstream(&out, &out_bytes), *e = open_memstream(&err, &err_bytes);
    int code = join_run(&options, o, e);
    fclose(o);
    fclose(e);
    return code;
}

START_TEST(test_join__gives_the_rows_of_one_run)
{
    static const char *const tables[] = {"trials",    "latencies", "events",    "environments",
                                         "timelines", "cells",     "parameters"};
    rig_init(&rig, 2, 3, 20);
    build(0, 2, 0);
    build(1, 2, 1);
    build(2, 1, 0);
    ck_assert_msg(join(1, 0) == 0, "%s", err);
    ck_assert_uint_eq(err_bytes, 0);
    rig_has(out, "120 trials of 2 parts");
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        char command[600];
        snprintf(command, sizeof(command),
                 "a=$(sqlite3 %s 'SELECT * FROM %s ORDER BY 1,2,3,4'); b=$(sqlite3 %s 'SELECT * "
                 "FROM %s ORDER BY 1,2,3,4'); test -n \"$a\" && test \"$a\" = \"$b\"",
                 rig.path[2], tables[i], rig.path[3], tables[i]);
        ck_assert_msg(system(command) == 0, "%s differ", tables[i]);
    }
    ck_assert_int_eq(rig_query(&rig, 3, "SELECT finished IS NOT NULL FROM campaigns"), 1);
    rig_fini(&rig);
}
END_TEST

START_TEST(test_join__names_missing_trials)
{
    rig_init(&rig, 1, 2, 20);
    build(0, 4, 0);
    build(1, 4, 1);
    ck_assert_int_eq(join(0, 1), 0);
    rig_has(err, "missing: trial 3, loris/mail/power/1\n");
    rig_has(err, "missing: 10 trials more\n");
    ck_assert_int_eq(rig_query(&rig, 3, "SELECT finished IS NULL FROM campaigns"), 1);
    rig_open(&rig, 3, STORE_RESUME); /* and it can be gone on with */
    ck_assert(!store_has(rig.store, 3));
    rig_close(&rig);
    rig_fini(&rig);
}
END_TEST

START_TEST(test_join__refuses_what_is_no_shard)
{
    rig_init(&rig, 1, 2, 20);
    build(0, 2, 0);
    ck_assert_int_eq(join(0, 0), 2);
    rig_has(err, "is in another part too");
    ck_assert_int_ne(access(rig.path[3], F_OK), 0);
    rig.plan.seed = 7;
    rig.parameter[0].text = "9s";
    build(1, 2, 1);
    ck_assert_int_eq(join(0, 1), 2);
    rig_has(err, "its seed differs");
    rig_has(err, "its options differ");
    ck_assert_int_ne(access(rig.path[3], F_OK), 0);
    ck_assert_int_eq(join(0, 2), 2);
    rig_has(err, "c.db:1:1: No such file");
    build(3, 2, 1);
    ck_assert_int_eq(join(0, 1), 2);
    rig_has(err, "d.db:1:1: exists already; what joins");
    ck_assert_int_eq(access(rig.path[3], F_OK), 0);
    rig_fini(&rig);
}
END_TEST

START_TEST(test_join__takes_parts_of_an_older_format)
{
    rig_init(&rig, 1, 2, 20);
    build(0, 2, 0);
    build(1, 2, 1);
    rig_make_older(&rig, 0, 3);
    ck_assert_msg(join(0, 1) == 0, "%s", err);
    rig_has(out, "40 trials of 2 parts");
    ck_assert_int_eq(rig_query(&rig, 3, "SELECT trial FROM trials WHERE undecided"), 3);
    ck_assert_int_eq(rig_query(&rig, 3, "SELECT sum(undecided) FROM trials"), 1);
    rig_fini(&rig);
}
END_TEST

START_TEST(test_join__tells_a_part_whose_rows_cannot_be_read)
{
    static const char *const tables[] = {"trial", "latency", "event", "environment"};
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        char command[600];
        rig_init(&rig, 1, 2, 20);
        build(0, 2, 0);
        build(1, 2, 1);
        snprintf(command, sizeof(command), "sqlite3 %s 'ALTER TABLE %s RENAME COLUMN trial TO t'",
                 rig.path[1], tables[i]);
        ck_assert_int_eq(system(command), 0);
        ck_assert_int_eq(join(0, 1), 2);
        rig_has(err, "no such column: trial");
        rig_has(err, "b.db:1:1: ");
        ck_assert_int_ne(access(rig.path[3], F_OK), 0);
        rig_fini(&rig);
    }
}
END_TEST

CHECK_MAIN("join", 60, tcase_add_test(tc, test_join__gives_the_rows_of_one_run);
           tcase_add_test(tc, test_join__names_missing_trials);
           tcase_add_test(tc, test_join__takes_parts_of_an_older_format);
           tcase_add_test(tc, test_join__tells_a_part_whose_rows_cannot_be_read);
           tcase_add_test(tc, test_join__refuses_what_is_no_shard);)
