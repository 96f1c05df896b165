/* show: the numbers of a file, in five formats, and no output for wrong input. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "results/show.h"
#include "results/stats.h"
#include "results/tests/rig.h"
#include "scripts/check_main.h"

static struct rig rig;
static struct trial_record r;
static char *out, *err;
static size_t out_bytes, err_bytes;

/* 2 variants x 2 faults; loris: 0 and 3 of 200 broken; ffs: 20 of 200, and 4 of 18 that were
 * struck. */
static void build(void)
{
    rig_init(&rig, 2, 2, 200);
    rig.cell[3].fault = "double";
    rig_open(&rig, 0, STORE_NEW);
    for (uint64_t n = 0; n < 200; n++)
        for (uint32_t cell = 0; cell < 4; cell++) {
            static const uint64_t bad[] = {0, 3, 20, 4};
            enum level level = n % 3 ? LEVEL_DURABLE : LEVEL_TRANSPARENT;
            rig_record(&rig, &r, cell, n, n < bad[cell] ? LEVEL_SILENT : level);
            r.injected = cell != 3 || n < 18;
            rig_put(&rig, &r);
        }
    rig_close(&rig);
}

static int show(enum show_format format, const char *by, const char *where)
{
    struct show_options options = {.path = rig.path[0], .by = by, .where = where, .format = format};
    free(out);
    free(err);
    FILE *o = open_memstream(&out, &out_bytes), *e = open_memstream(&err, &err_bytes);
    int code = show_run(&options, o, e);
    fclose(o);
    fclose(e);
    return code;
}

START_TEST(test_show__table_has_intervals_and_the_way_to_replay)
{
    build();
    ck_assert_int_eq(show(SHOW_TABLE, NULL, NULL), 0);
    rig_has(out, "variant");
    rig_has(out, "200       0   100 %   98.2 %  TTTTTTTDDDDDDDDDDDDD");
    rig_has(out, "200     ! 3  98.5 %   95.7 %  TTTTTTTDDDDDDDDDDDD!");
    rig_has(out, "18~    ! 4  77.8 %");
    rig_has(out, "T transparent  D durable  ! silent   ~ thin");
    rig_has(out, "27 broken promises in 618 trials; see one:  loris replay ");
    for (char *line = strtok(out, "\n"); line != NULL; line = strtok(NULL, "\n"))
        ck_assert_msg(strlen(line) <= 100 || strstr(line, "replay") != NULL, "too wide: %s", line);
    ck_assert_uint_eq(err_bytes, 0);
    rig_fini(&rig);
}
END_TEST

/* 20 years, in 6 of which the machine was down for a hundredth; 2 lost something in the middle: the
 * exact rate of 2 events in 19 years is 0.0127 to 0.380 a year. */
START_TEST(test_show__a_year_has_its_cost)
{
    rig_init(&rig, 1, 1, 20);
    rig.parameter[2] = (struct store_parameter){"fault", "power", "0.at.over", "1year", 3.1536e16};
    rig_open(&rig, 0, STORE_NEW);
    for (uint64_t i = 0; i < 20; i++) {
        rig_record(&rig, &r, 0, i, LEVEL_DURABLE);
        r.exposure_ns = UINT64_C(31536000000000000);
        r.synced_lost = i < 2 ? 10 : 0;
        record_add_event(&r, r.exposure_ns, "calendar", "down", i < 6 ? "315360000000000" : "0");
        if (i < 2)
            record_add_event(&r, r.exposure_ns / 2, "calendar", "loss", "silent");
        rig_put(&rig, &r);
    }
    rig_close(&rig);
    ck_assert_int_eq(show(SHOW_TABLE, NULL, NULL), 0);
    rig_has(out,
            "years available [95 %]           losses  years to a loss     synced ops lost a year");
    rig_has(out, "20 99.70 % [99.50, 99.90] ");
    rig_has(out, "2  9.5 [2.63, 78.4]    1\n"); /* of 2 values no interval */
    ck_assert_int_eq(show(SHOW_CSV, NULL, NULL), 0);
    rig_has(out, ",years,available,available_low,available_high,losses,loss_years,loss_years_low,"
                 "loss_years_high,lost_year,lost_year_low,lost_year_high\n");
    rig_has(out, ",20,0.997,");
    ck_assert_int_eq(show(SHOW_JSON, NULL, NULL), 0);
    rig_has(out, "\"losses\": 2, \"loss_years\": 9.5, ");
    rig_has(out, "\"lost_year\": 1, \"lost_year_low\": null");
    rig_fini(&rig);
}
END_TEST

/* 0 of 200 by the always-valid interval instead of the exact one's 98.2 %. */
START_TEST(test_show__cells_that_ended_early_have_the_interval_that_allows_for_it)
{
    rig_init(&rig, 1, 1, 200);
    rig.parameter[0] = (struct store_parameter){"campaign", "", "trials.half-width", "2%", .02};
    rig_open(&rig, 0, STORE_NEW);
    for (uint64_t n = 0; n < 200; n++) {
        rig_record(&rig, &r, 0, n, LEVEL_DURABLE);
        rig_put(&rig, &r);
    }
    rig_close(&rig);
    ck_assert_int_eq(show(SHOW_TABLE, NULL, NULL), 0);
    struct interval i = stats_always_valid(200, 200, STATS_MIXTURE, .05);
    char want[64];
    ck_assert(i.low < 0.98 && i.low > 0.96);
    snprintf(want, sizeof(want), "200       0   100 %%   %.1f %%", floor(i.low * 1000) / 10);
    rig_has(out, want);
    rig_fini(&rig);
}
END_TEST

START_TEST(test_show__long_names_keep_what_tells_them_apart)
{
    rig_init(&rig, 2, 1, 1);
    rig.cell[0].variant = "loris@checkpoint=500ms";
    rig.cell[1].variant = "loris@checkpoint=2s";
    rig.cell[0].workload = rig.cell[1].workload = "a-workload-with-a-long-name";
    rig_open(&rig, 0, STORE_NEW);
    for (uint32_t cell = 0; cell < 2; cell++) {
        rig_record(&rig, &r, cell, 0, LEVEL_DURABLE);
        rig_put(&rig, &r);
    }
    rig_close(&rig);
    ck_assert_int_eq(show(SHOW_TABLE, NULL, NULL), 0);
    rig_has(out, "loris~500ms  ");
    rig_has(out, "loris~nt=2s  ");
    rig_has(out, "a-wor~g-name  ");
    rig_fini(&rig);
}
END_TEST

START_TEST(test_show__csv_counts_injected_trials_only)
{
    build();
    ck_assert_int_eq(show(SHOW_CSV, NULL, NULL), 0);
    rig_has(out,
            "variant,workload,fault,trials,injected,broken,kept,kept_low,kept_high,transparent,"
            "durable,synced,prefix,structural,detected,silent,dead,rpo_p99,outage_p50,outage_p99,"
            "recovery_p50,undecided,years,available");
    rig_has(out, "loris,mail,power,200,200,0,1,0.981");
    rig_has(out, "ffs,mail,double,200,18,4,0.7777777778,");
    rig_fini(&rig);
}
END_TEST

START_TEST(test_show__groups_by_columns_and_by_options)
{
    build();
    ck_assert_int_eq(show(SHOW_CSV, "variant", NULL), 0);
    rig_has(out, "variant,trials,");
    rig_has(out, "\nloris,400,400,3,");
    rig_has(out, "\nffs,400,218,24,");
    ck_assert(strstr(out, "\nloris,") < strstr(out, "\nffs,")); /* the file's order */
    ck_assert_int_eq(show(SHOW_CSV, "variants.a.b.checkpoint", NULL), 0);
    rig_has(out, "checkpoint,trials");
    ck_assert_int_eq(show(SHOW_CSV, "variants.loris.checkpont", NULL), 2);
    ck_assert_int_eq(show(SHOW_CSV, "checkpoint, level", "variant = 'loris' -- mine"), 0);
    rig_has(out, "checkpoint,level,trials,");
    rig_has(out, "\n5s,silent,3,3,3,0,");
    rig_fini(&rig);
}
END_TEST

START_TEST(test_show__groups_by_the_key_of_a_fault_that_is_alone_in_its_plan)
{
    rig_init(&rig, 1, 2, 1);
    rig.parameter[2] = (struct store_parameter){"fault", "power", "0.cache", "drop", NAN};
    rig_open(&rig, 0, STORE_NEW);
    for (uint32_t cell = 0; cell < 2; cell++) {
        rig_record(&rig, &r, cell, 0, LEVEL_DURABLE);
        rig_put(&rig, &r);
    }
    rig_close(&rig);
    ck_assert_int_eq(show(SHOW_CSV, "cache", NULL), 0);
    rig_has(out, "\ndrop,1,1,");
    rig_has(out, "\n,1,1,");
    rig_fini(&rig);
}
END_TEST

START_TEST(test_show__json_reads_back)
{
    build();
    ck_assert_int_eq(show(SHOW_JSON, NULL, NULL), 0);
    char path[160], command[400];
    snprintf(path, sizeof(path), "%s/out.json", rig.dir);
    FILE *f = fopen(path, "w");
    fputs(out, f);
    fclose(f);
    snprintf(command, sizeof(command),
             "sqlite3 :memory: \"SELECT json_array_length(readfile('%s'))\" | grep -qx 4", path);
    ck_assert_int_eq(system(command), 0);
    rig_has(out, "\"fault\": \"double\", \"trials\": 200, \"injected\": 18, \"broken\": 4");
    ck_assert_int_eq(show(SHOW_JSON, NULL, "0"), 0);
    ck_assert_str_eq(out, "[]\n");
    rig_fini(&rig);
}
END_TEST

START_TEST(test_show__markdown_and_junit)
{
    build();
    ck_assert_int_eq(show(SHOW_MARKDOWN, NULL, NULL), 0);
    rig_has(out, "| loris | mail | power | 200 | 200 | 0 | 100 % | 98.2 % to 100 % |");
    ck_assert_int_eq(show(SHOW_JUNIT, "level", NULL), 0);
    rig_has(out, "<testsuite name=\"loris\" tests=\"2\" failures=\"1\" skipped=\"0\">");
    rig_has(out, "<testcase classname=\"loris\" name=\"mail/power\"/>");
    rig_has(out, "<failure message=\"20 of 200 trials broke the promise\">loris replay ");
    rig_fini(&rig);
}
END_TEST

START_TEST(test_show__skipped_cells_are_cases_of_junit)
{
    rig_init(&rig, 1, 2, 3);
    rig.cell[1].skipped = "no such layer";
    rig.cell[1].planned = 0;
    rig_open(&rig, 0, STORE_NEW);
    for (uint64_t n = 0; n < 3; n++) {
        rig_record(&rig, &r, 0, n, LEVEL_DURABLE);
        rig_put(&rig, &r);
    }
    rig_close(&rig);
    ck_assert_int_eq(show(SHOW_JUNIT, NULL, NULL), 0);
    rig_has(out, "tests=\"2\" failures=\"0\" skipped=\"1\">");
    rig_has(out, "<skipped message=\"no such layer\"/>");
    rig_fini(&rig);
}
END_TEST

/* Of five trials two were noticed and recovered, two by nobody: the median is of three, of which
 * one never ended.
 */
START_TEST(test_show__what_nobody_noticed_had_no_recovery)
{
    rig_init(&rig, 1, 1, 5);
    rig_open(&rig, 0, STORE_NEW);
    for (uint64_t n = 0; n < 5; n++) {
        rig_record(&rig, &r, 0, n, n == 4 ? LEVEL_DEAD : LEVEL_DURABLE);
        r.recovery_ns = n < 2 ? 7000 + (int64_t)n : RECORD_NULL;
        if (n >= 2)
            r.detected_by[0] = '\0';
        rig_put(&rig, &r);
    }
    rig_close(&rig);
    ck_assert_int_eq(show(SHOW_JSON, NULL, NULL), 0);
    rig_has(out, "\"recovery_p50\": 7001,");
    ck_assert_int_eq(show(SHOW_JSON, NULL, "n >= 2 AND n < 4"), 0);
    rig_has(out, "\"recovery_p50\": null,");
    rig_fini(&rig);
}
END_TEST

START_TEST(test_show__what_the_oracle_gave_up_on_is_told)
{
    build();
    ck_assert_int_eq(show(SHOW_TABLE, NULL, NULL), 0);
    ck_assert_ptr_null(strchr(out, '?'));
    rig_open(&rig, 1, STORE_NEW);
    for (uint64_t n = 0; n < 40; n++) {
        rig_record(&rig, &r, 1, n, LEVEL_DURABLE);
        r.undecided = n >= 38;
        rig_put(&rig, &r);
    }
    rig_close(&rig);
    snprintf(rig.path[0], sizeof(rig.path[0]), "%s", rig.path[1]);
    ck_assert_int_eq(show(SHOW_TABLE, NULL, NULL), 0);
    rig_has(out, " outage p50    ?\n");
    rig_has(out, " ms    2\n");
    rig_has(out, "? 2 undecided: the oracle gave up");
    rig_has(out, "b.db 154 --verbose"); /* trial 38 * 4 + 1 + 1 */
    char *line = strtok(out, "\n");
    for (int i = 0; i < 2; i++, line = strtok(NULL, "\n"))
        ck_assert_msg(strlen(line) <= 100, "too wide: %s", line);
    ck_assert_int_eq(show(SHOW_CSV, "undecided", NULL), 0);
    rig_has(out, "\n0,38,");
    rig_has(out, "\n1,2,");
    ck_assert_int_eq(show(SHOW_JSON, NULL, NULL), 0);
    rig_has(out, "\"undecided\": 2, \"years\": null");
    ck_assert_int_eq(show(SHOW_MARKDOWN, NULL, NULL), 0);
    rig_has(out, " ms | 2 |\n");
    rig_fini(&rig);
}
END_TEST

START_TEST(test_show__wrong_input_is_named_and_prints_nothing)
{
    build();
    ck_assert_int_eq(show(SHOW_TABLE, "varient", NULL), 2);
    rig_has(err, "did you mean variant");
    ck_assert_uint_eq(out_bytes, 0);
    ck_assert_int_eq(show(SHOW_TABLE, NULL, "nonsense ="), 2);
    rig_has(err, "--where:1:1: ");
    ck_assert_uint_eq(out_bytes, 0);
    ck_assert_int_eq(show(SHOW_TABLE, NULL, "json_extract(story, '$') = 1"), 2);
    rig_has(err, "--where:1:1: malformed JSON");
    ck_assert_int_eq(show(SHOW_TABLE, NULL, "1); DELETE FROM trial; --"), 2);
    ck_assert_int_eq(show(SHOW_TABLE, NULL, "1) UNION SELECT (1"), 2);
    snprintf(rig.path[0], sizeof(rig.path[0]), "%s/none.db", rig.dir);
    ck_assert_int_eq(show(SHOW_TABLE, NULL, NULL), 2);
    rig_has(err, "none.db:1:1: No such file");
    ck_assert_uint_eq(out_bytes, 0);
    rig_fini(&rig);
}
END_TEST

START_TEST(test_show__strange_names_stay_names)
{
    rig_init(&rig, 1, 1, 1);
    rig.cell[0].fault = "a\"b<c>&,|'d\n";
    rig_open(&rig, 0, STORE_NEW);
    rig_record(&rig, &r, 0, 0, LEVEL_DEAD);
    rig_put(&rig, &r);
    rig_close(&rig);
    ck_assert_int_eq(show(SHOW_CSV, NULL, NULL), 0);
    rig_has(out, ",\"a\"\"b<c>&,|'d\n\",1,1,1,0,0,0.975,");
    ck_assert_int_eq(show(SHOW_JSON, NULL, NULL), 0);
    rig_has(out, "\"a\\\"b<c>&,|'d\\u000a\"");
    ck_assert_int_eq(show(SHOW_JUNIT, NULL, NULL), 0);
    rig_has(out, "a&quot;b&lt;c&gt;&amp;,|'d");
    ck_assert_int_eq(show(SHOW_MARKDOWN, NULL, NULL), 0);
    rig_has(out, "a\"b<c>&,\\|'d ");
    rig_fini(&rig);
}
END_TEST

CHECK_MAIN("show", 60, tcase_add_test(tc, test_show__a_year_has_its_cost);
           tcase_add_test(tc,
                          test_show__cells_that_ended_early_have_the_interval_that_allows_for_it);
           tcase_add_test(tc, test_show__table_has_intervals_and_the_way_to_replay);
           tcase_add_test(tc, test_show__long_names_keep_what_tells_them_apart);
           tcase_add_test(tc, test_show__csv_counts_injected_trials_only);
           tcase_add_test(tc, test_show__groups_by_columns_and_by_options);
           tcase_add_test(tc, test_show__groups_by_the_key_of_a_fault_that_is_alone_in_its_plan);
           tcase_add_test(tc, test_show__json_reads_back);
           tcase_add_test(tc, test_show__markdown_and_junit);
           tcase_add_test(tc, test_show__skipped_cells_are_cases_of_junit);
           tcase_add_test(tc, test_show__what_nobody_noticed_had_no_recovery);
           tcase_add_test(tc, test_show__what_the_oracle_gave_up_on_is_told);
           tcase_add_test(tc, test_show__wrong_input_is_named_and_prints_nothing);
           tcase_add_test(tc, test_show__strange_names_stay_names);)
