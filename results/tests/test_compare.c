/* compare: the verdicts of the rule, the exit codes of a gate, and formats that read back. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "results/compare.h"
#include "results/tests/rig.h"
#include "scripts/check_main.h"

static struct rig rig;
static struct trial_record r;
static char *out, *err;
static size_t out_bytes, err_bytes;

/* What one file holds: silent trials of each cell, and how its times and hashes differ. */
struct content {
    uint64_t silent[4];
    double slower;       /* factor of all times */
    bool other_hash;     /* event streams differ from those of the other file */
    enum level promised; /* of all cells */
    uint64_t undecided;  /* trials of each cell */
    bool missed;         /* no fault ever struck */
    bool every_second;   /* it struck in these trials alone */
    bool idle;           /* no time was ever above 0 */
};

static void build(unsigned which, uint64_t n, const struct content *content)
{
    rig_open(&rig, which, STORE_NEW);
    for (uint64_t i = 0; i < n; i++)
        for (uint32_t cell = 0; cell < rig.plan.cell_count; cell++) {
            enum level level = i % 4 ? LEVEL_DURABLE : LEVEL_TRANSPARENT;
            rig_record(&rig, &r, cell, i, i < content->silent[cell] ? LEVEL_SILENT : level);
            r.promised = content->promised;
            r.hash ^= content->other_hash;
            r.undecided = i < content->undecided;
            r.injected = !content->missed && (!content->every_second || i % 2 == 0);
            if (content->idle)
                r.outage_ns = 0;
            if (content->slower > 0) {
                r.outage_ns = (int64_t)((double)r.outage_ns * content->slower);
                r.rpo_ns = (int64_t)((double)r.rpo_ns * content->slower);
            }
            rig_put(&rig, &r);
        }
    rig_close(&rig);
}

static void two_files(uint64_t n, const struct content *base, const struct content *new)
{
    rig_init(&rig, 1, 2, n);
    build(0, n, base);
    build(1, n, new);
}

static int compare(struct compare_options options)
{
    options.base_path = rig.path[0];
    if (options.margin == 0)
        options.margin = NAN;
    options.alpha = NAN;
    free(out);
    free(err);
    FILE *o = open_memstream(&out, &out_bytes), *e = open_memstream(&err, &err_bytes);
    int code = compare_run(&options, o, e);
    fclose(o);
    fclose(e);
    if (code == 2)
        ck_assert_uint_eq(out_bytes, 0);
    return code;
}

static int compare_files(struct compare_options options)
{
    options.new_path = rig.path[1];
    return compare(options);
}

/* A number of the JSON output, by SQLite's path. */
static double json_value(const char *path)
{
    sqlite3 *db;
    sqlite3_stmt *s;
    ck_assert_int_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT json_extract(?, ?)", -1, &s, NULL), SQLITE_OK);
    sqlite3_bind_text(s, 1, out, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, path, -1, SQLITE_STATIC);
    ck_assert_msg(sqlite3_step(s) == SQLITE_ROW, "%s: %s", sqlite3_errmsg(db), out);
    double value = sqlite3_column_type(s, 0) == SQLITE_NULL ? NAN : sqlite3_column_double(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return value;
}

static const struct content plain = {.other_hash = false, .promised = LEVEL_NONE};

START_TEST(test_compare__equal_event_streams_are_no_worse_at_any_n)
{
    two_files(20, &plain, &plain);
    ck_assert_int_eq(compare_files((struct compare_options){.strict = true}), 0);
    rig_has(out, "2 of them identical event by event");
    rig_has(out, "NO WORSE: all 2 cells, within 1 point");
    rig_fini(&rig);
}
END_TEST

START_TEST(test_compare__nine_of_two_hundred_is_worse)
{
    struct content new = {.silent = {9, 0}, .other_hash = true, .promised = LEVEL_NONE};
    two_files(200, &plain, &new);
    ck_assert_int_eq(compare_files((struct compare_options){.format = COMPARE_JSON}), 1);
    rig_has(out, "\"format\": \"loris-compare-1\"");
    rig_has(out, "\"verdict\": \"worse\"");
    rig_has(out, "\"base\": {\"durable\": 0.75}, \"new\": {\"silent\": 0.045}");
    ck_assert(json_value("$.cells[0].weaker") == 9);
    ck_assert(json_value("$.cells[0].stronger") == 0);
    ck_assert(fabs(json_value("$.cells[0].low") - .02636517) < 1e-8);
    ck_assert(fabs(json_value("$.cells[0].high") - .07578075) < 1e-8);
    ck_assert(fabs(json_value("$.cells[0].p") - 1.0 / 512) < 1e-9);
    ck_assert(fabs(json_value("$.cells[0].p_adjusted") - 1.0 / 512) < 1e-9); /* the other costs 0 */
    ck_assert(json_value("$.cells[0].examples[0].new_trial") == 1);
    ck_assert(json_value("$.cells[1].needs_n") == 299);
    ck_assert(fabs(json_value("$.cells[0].q") - 2.0 / 512) < 1e-9); /* of two cells */
    ck_assert(json_value("$.cells[1].q") == 1);
    ck_assert_int_eq(compare_files((struct compare_options){0}), 1);
    rig_has(out,
            "x worse     loris/mail/power    level    durable 75% silent 4.5%   9:0 +4.5 [+2.6, "
            "+7.6]   0.002");
    rig_has(out, "WORSE: 1 of 2 cells. loris/mail/power: `silent` in 9 of 200 trials");
    rig_has(out, "loris replay ");
    rig_fini(&rig);
}
END_TEST

START_TEST(test_compare__the_mirror_is_better)
{
    struct content base = {.silent = {40, 40}, .promised = LEVEL_NONE};
    struct content new = {.other_hash = true, .promised = LEVEL_NONE};
    two_files(200, &base, &new);
    ck_assert_int_eq(compare_files((struct compare_options){.strict = true}), 0);
    rig_has(out, "BETTER: all 2 cells");
    rig_fini(&rig);
}
END_TEST

/* 0 of 268 would do for the interval alone; the floor wants 299. */
START_TEST(test_compare__no_worse_needs_its_floor)
{
    struct content new = {.other_hash = true, .promised = LEVEL_NONE};
    two_files(298, &plain, &new);
    ck_assert_int_eq(compare_files((struct compare_options){0}), 0);
    rig_has(out, "UNDECIDED: 2 of 2 cells; --trials 299 would decide them");
    ck_assert_int_eq(compare_files((struct compare_options){.strict = true}), 1);
    rig_fini(&rig);
    two_files(299, &plain, &new);
    ck_assert_int_eq(compare_files((struct compare_options){.strict = true}), 0);
    rig_has(out, "= no-worse  2 cells\n");
    rig_fini(&rig);
}
END_TEST

/* Where the fault strikes in every second trial it takes twice as many. */
START_TEST(test_compare__the_trials_needed_allow_for_those_that_do_not_count)
{
    struct content half = {.every_second = true, .promised = LEVEL_NONE};
    struct content other = {.every_second = true, .other_hash = true, .promised = LEVEL_NONE};
    two_files(100, &half, &other);
    ck_assert_int_eq(compare_files((struct compare_options){0}), 0);
    rig_has(out, "needs 299");
    rig_has(out, "UNDECIDED: 2 of 2 cells; --trials 598 would decide them");
    rig_fini(&rig);
}
END_TEST

START_TEST(test_compare__one_promise_that_base_kept_is_worse)
{
    struct content base = {.promised = LEVEL_SYNCED};
    struct content new = {.silent = {0, 1}, .other_hash = true, .promised = LEVEL_SYNCED};
    two_files(200, &base, &new);
    ck_assert_int_eq(compare_files((struct compare_options){0}), 1);
    rig_has(out, "promise kept by base, broken");
    rig_has(out, "1 of 200 trials break a promise that the base kept");
    ck_assert_int_eq(compare_files((struct compare_options){.allow_broken = 1}), 0);
    ck_assert_int_eq(
        compare_files((struct compare_options){.format = COMPARE_JUNIT, .measures = "level"}), 1);
    rig_has(out, "failures=\"1\" skipped=\"1\"");
    rig_has(out, "<failure message=\"worse: silent 0.5%, was durable 75%;");
    rig_fini(&rig);
}
END_TEST

START_TEST(test_compare__the_promise_rule_rests_where_base_broke_one)
{
    struct content base = {.silent = {1, 0}, .promised = LEVEL_SYNCED};
    struct content new = {.silent = {0, 1}, .other_hash = true, .promised = LEVEL_SYNCED};
    two_files(200, &base, &new);
    ck_assert_int_eq(compare_files((struct compare_options){0}), 0);
    rig_fini(&rig);
    struct content sound = {.promised = LEVEL_NONE}; /* nor where the promises differ */
    two_files(200, &sound, &new);
    ck_assert_int_eq(compare_files((struct compare_options){0}), 0);
    rig_fini(&rig);
}
END_TEST

START_TEST(test_compare__times_by_pairs)
{
    struct content slow = {.slower = 1.2, .other_hash = true, .promised = LEVEL_NONE};
    two_files(100, &plain, &slow);
    ck_assert_int_eq(
        compare_files((struct compare_options){.measures = "outage,rpo", .format = COMPARE_JSON}),
        1);
    ck_assert(fabs(json_value("$.cells[0].effect") - 0.2) < 1e-6);
    ck_assert(json_value("$.cells[0].low") > 0.19);
    ck_assert(json_value("$.cells[0].n") <= 100);
    rig_has(out, "\"measure\": \"rpo\"");
    double shift_ns = json_value("$.cells[0].shift_p50_ns"); /* p99 needs 299 pairs */
    double apart_ns = json_value("$.cells[0].new.p50_ns") - json_value("$.cells[0].base.p50_ns");
    ck_assert(shift_ns > 0 && fabs(shift_ns - apart_ns) < 2);
    ck_assert(json_value("$.cells[0].shift_p50_low_ns") <= shift_ns);
    ck_assert(json_value("$.cells[0].shift_p50_high_ns") >= shift_ns);
    ck_assert(isnan(json_value("$.cells[0].shift_p99_ns")));
    ck_assert_int_eq(
        compare_files((struct compare_options){.measures = "outage", .format = COMPARE_CSV}), 1);
    rig_has(out, "base_variant,new_variant,workload,fault,measure,verdict,why,n,weaker,");
    rig_has(out, "\nloris,loris,mail,power,outage,worse,statistics,100,100,0,0.19999");
    ck_assert_int_eq(compare_files((struct compare_options){.measures = "outage", .verbose = true}),
                     1);
    rig_has(out, "\n            shift of the median +");
    rig_fini(&rig);
    struct content same = {.slower = 1.01, .other_hash = true, .promised = LEVEL_NONE};
    two_files(100, &plain, &same);
    ck_assert_int_eq(compare_files((struct compare_options){.measures = "outage", .strict = true}),
                     0);
    ck_assert_int_eq(compare_files((struct compare_options){
                         .measures = "outage", .strict = true, .margin = 0.005}),
                     1);
    rig_fini(&rig);
}
END_TEST

START_TEST(test_compare__other_seeds_are_unpaired_and_say_so)
{
    struct content new = {.silent = {40, 0}, .slower = 2, .promised = LEVEL_NONE};
    rig_init(&rig, 1, 2, 300);
    build(0, 300, &plain);
    rig.plan.seed = 43;
    build(1, 300, &new);
    ck_assert_int_eq(compare_files((struct compare_options){.measures = "level,wrong,outage"}), 1);
    rig_has(out, "unpaired (the seeds differ)");
    rig_has(out, "x worse     loris/mail/power    wrong ");
    rig_has(out, "x worse     loris/mail/bit-flip outage ");
    rig_has(out, "= no-worse  1 rows"); /* wrong of bit-flip: 0 of 300 on both sides */
    rig_fini(&rig);
}
END_TEST

static void build_outages(unsigned which, const double *logarithms, uint64_t n)
{
    rig_open(&rig, which, STORE_NEW);
    for (uint64_t i = 0; i < n; i++) {
        rig_record(&rig, &r, 0, i, LEVEL_DURABLE);
        r.outage_ns = llround(1e9 * exp(logarithms[i]));
        rig_put(&rig, &r);
    }
    rig_close(&rig);
}

/* The textbook's ten values as logarithms: Hodges and Lehmann's shift of 2.4 is a factor of e^2.4,
 * Mann and Whitney's U = 5 has p = 19 / 252. */
START_TEST(test_compare__unpaired_times_by_all_ratios)
{
    static const double base[] = {1.1, 2.2, 3.3, 4.4, 5.5}, new[] = {2.5, 3.5, 6, 7, 8};
    rig_init(&rig, 1, 1, 5);
    build_outages(0, base, 5);
    rig.plan.seed = 43;
    build_outages(1, new, 5);
    (void)compare_files(
        (struct compare_options){.measures = "outage", .format = COMPARE_JSON, .margin = 1e-6});
    ck_assert_msg(fabs(json_value("$.cells[0].effect") / expm1(2.4) - 1) < 1e-6, "%s", out);
    ck_assert(fabs(json_value("$.cells[0].p") - 19.0 / 252) < 1e-7);
    ck_assert(json_value("$.cells[0].low") > -1);
    rig_fini(&rig);
}
END_TEST

START_TEST(test_compare__two_variants_of_one_file)
{
    struct content content = {.silent = {0, 0, 60, 0}, .promised = LEVEL_NONE};
    rig_init(&rig, 2, 2, 300);
    rig.plan.compare =
        "{\"base\":\"loris\",\"measure\":[\"wrong\"],\"margin\":0.02,\"alpha\":0.05}";
    build(0, 300, &content);
    ck_assert_int_eq(compare((struct compare_options){.new_variant = "ffs", .verbose = true}), 1);
    rig_has(out, "loris -> ffs: paired, 2 cells, margin 2 points");
    rig_has(out, "x worse     mail/power       wrong    0%     20%");
    rig_has(out, "= no-worse  mail/bit-flip ");
    ck_assert_int_eq(
        compare((struct compare_options){.base_variant = "ffs", .new_variant = "loris"}), 0);
    rig_has(out, "+ better ");
    ck_assert_int_eq(compare((struct compare_options){
                         .new_variant = "ffs", .format = COMPARE_MARKDOWN, .measures = "level"}),
                     1);
    rig_has(out, "| **worse** | mail/power | level | 300 |");
    ck_assert_int_eq(compare((struct compare_options){.base_variant = "loris"}), 2);
    rig_has(err, "give --base and --new");
    rig_fini(&rig);
}
END_TEST

START_TEST(test_compare__the_campaign_names_both_variants)
{
    struct content content = {.silent = {0, 0, 60, 0}, .promised = LEVEL_NONE};
    rig_init(&rig, 2, 2, 300);
    rig.plan.compare = "{\"base\":\"loris\",\"new\":\"ffs\",\"measure\":[]}";
    build(0, 300, &content);
    ck_assert_int_eq(compare((struct compare_options){0}), 1);
    rig_has(out, "loris -> ffs: paired, 2 cells");
    rig_fini(&rig);
}
END_TEST

START_TEST(test_compare__cells_of_one_side_are_errors_unless_common)
{
    rig_init(&rig, 1, 2, 20);
    build(0, 20, &plain);
    rig.cell[1].fault = "other";
    build(1, 20, &plain);
    ck_assert_int_eq(compare_files((struct compare_options){0}), 2);
    rig_has(err, "loris/mail/bit-flip: is absent in ");
    rig_has(err, "loris/mail/other: is absent in ");
    ck_assert_int_eq(compare_files((struct compare_options){.common = true}), 0);
    rig_has(out, "2 cells left out");
    rig_fini(&rig);
}
END_TEST

START_TEST(test_compare__wrong_input_is_named)
{
    rig_init(&rig, 2, 2, 5);
    build(0, 5, &plain);
    ck_assert_int_eq(
        compare((struct compare_options){.base_variant = "lorris", .new_variant = "ffs"}), 2);
    rig_has(err, "--base:1:1: no variant 'lorris' in");
    rig_has(err, "did you mean loris");
    ck_assert_int_eq(compare((struct compare_options){0}), 2);
    rig_has(err, "give --base and --new");
    ck_assert_int_eq(compare((struct compare_options){.base_variant = "loris",
                                                      .new_variant = "ffs",
                                                      .measures = "levle,outage",
                                                      .margin = 2}),
                     2);
    rig_has(err, "did you mean level");
    rig_has(err, "--margin:1:1: 2 is no margin");
    ck_assert_int_eq(compare_files((struct compare_options){0}), 2);
    rig_has(err, "b.db:1:1: No such file");
    rig_fini(&rig);
}
END_TEST

START_TEST(test_compare__what_the_oracle_gave_up_on_is_told)
{
    struct content new = {.undecided = 3, .promised = LEVEL_NONE};
    two_files(20, &plain, &new);
    ck_assert_int_eq(compare_files((struct compare_options){0}), 0);
    rig_has(out, "0 base and 6 new trials on which the oracle gave up");
    ck_assert_int_eq(compare_files((struct compare_options){.format = COMPARE_JSON}), 0);
    ck_assert(json_value("$.base_undecided") == 0);
    ck_assert(json_value("$.new_undecided") == 6);
    unlink(rig.path[1]);
    build(1, 20, &plain);
    ck_assert_int_eq(compare_files((struct compare_options){0}), 0);
    ck_assert_ptr_null(strstr(out, "gave up"));
    rig_fini(&rig);
}
END_TEST

START_TEST(test_compare__any_number_of_variants)
{
    rig_init(&rig, 1, 1, 20);
    build(0, 20, &plain);
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(rig.path[0], &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db,
                                  "WITH RECURSIVE k(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM k "
                                  "WHERE n < 400) INSERT INTO cell SELECT n, 1, 'v' || n, "
                                  "workload, fault, 0, NULL FROM cell, k",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    ck_assert_int_eq(
        compare((struct compare_options){.base_variant = "loris", .new_variant = "v400"}), 2);
    ck_assert_msg(strstr(err, "no variant") == NULL, "%s", err);
    ck_assert_int_eq(
        compare((struct compare_options){.base_variant = "loris", .new_variant = "v401"}), 2);
    rig_has(err, "no variant 'v401'");
    rig_fini(&rig);
}
END_TEST

START_TEST(test_compare__cells_that_no_fault_met_can_be_identical)
{
    struct content missed = {.missed = true, .promised = LEVEL_NONE};
    two_files(20, &missed, &missed);
    ck_assert_int_eq(compare_files((struct compare_options){.strict = true, .verbose = true}), 0);
    rig_has(out, "identical event by event");
    ck_assert_int_eq(compare_files((struct compare_options){.format = COMPARE_JSON}), 0);
    ck_assert(json_value("$.cells[0].n") == 0);
    ck_assert(isnan(json_value("$.cells[0].effect")));
    rig_fini(&rig);
    struct content other = {.missed = true, .other_hash = true, .promised = LEVEL_NONE};
    two_files(20, &missed, &other);
    ck_assert_int_eq(compare_files((struct compare_options){.strict = true}), 1);
    rig_fini(&rig);
}
END_TEST

START_TEST(test_compare__times_of_0_on_both_sides_are_left_out_and_counted)
{
    struct content idle = {.idle = true, .promised = LEVEL_NONE};
    struct content also = {.idle = true, .other_hash = true, .promised = LEVEL_NONE};
    two_files(20, &idle, &also);
    ck_assert_int_eq(compare_files((struct compare_options){.measures = "outage"}), 0);
    rig_has(out, "40 pairs of times left out");
    rig_has(out, "? undecided");
    rig_has(out, "UNDECIDED: 2 of 2 cells\n");
    ck_assert_int_eq(
        compare_files((struct compare_options){.measures = "outage", .format = COMPARE_JSON}), 0);
    ck_assert(json_value("$.cells[0].left_out") == 20 && json_value("$.cells[0].n") == 0);
    rig_fini(&rig);
    struct content slow = {.slower = 1.01, .other_hash = true, .promised = LEVEL_NONE};
    two_files(100, &plain, &slow);
    ck_assert_int_eq(compare_files((struct compare_options){.measures = "outage"}), 0);
    rig_has(out, "NO WORSE: all 2 cells, within 5 % of a time\n");
    rig_fini(&rig);
}
END_TEST

START_TEST(test_compare__an_exploration_is_no_sample)
{
    two_files(5, &plain, &plain);
    rig_open(&rig, 1, STORE_RESUME);
    struct store_explored row = {.cell = 0, .point = "write 1", .states = 1, .weakest = LEVEL_NONE};
    ck_assert_int_eq(store_put_explored(rig.store, &row), OK);
    rig_close(&rig);
    ck_assert_int_eq(compare_files((struct compare_options){0}), 2);
    rig_has(err, "b.db:1:1: cannot be compared: its rows are the broken states");
    rig_fini(&rig);
}
END_TEST

START_TEST(test_compare__only_what_the_compared_cells_have_must_be_equal)
{
    struct store_parameter both[] = {{"workload", "mail", "app", "postmark", NAN},
                                     {"workload", "extra", "app", "fsx", NAN},
                                     {"campaign", "", "trials.half-width", "1%", 0.01}};
    rig_init(&rig, 1, 2, 20);
    rig.plan.parameters = both;
    rig.plan.parameter_count = 1;
    build(0, 20, &plain);
    rig.plan.parameter_count = 3;
    build(1, 20, &plain);
    ck_assert_int_eq(compare_files((struct compare_options){0}), 0);
    rig_has(out, ": paired, 2 cells");
    rig_has(out, "cells ended early");
    ck_assert_int_eq(unlink(rig.path[1]), 0);
    both[0].text = "fsx";
    build(1, 20, &plain);
    ck_assert_int_eq(compare_files((struct compare_options){0}), 0);
    rig_has(out, "unpaired (the workloads differ)");
    rig_fini(&rig);
}
END_TEST

/* A p below 1e-6 is told as such, and must not end the document. */
START_TEST(test_compare__junit_is_sound_xml)
{
    struct content new = {.silent = {100, 0}, .other_hash = true, .promised = LEVEL_NONE};
    two_files(200, &plain, &new);
    ck_assert_int_eq(compare_files((struct compare_options){.format = COMPARE_JUNIT}), 1);
    rig_has(out, "; &lt;1e-6\"/>");
    rig_fini(&rig);
}
END_TEST

CHECK_MAIN("compare", 120,
           tcase_add_test(tc, test_compare__cells_that_no_fault_met_can_be_identical);
           tcase_add_test(tc, test_compare__times_of_0_on_both_sides_are_left_out_and_counted);
           tcase_add_test(tc, test_compare__an_exploration_is_no_sample);
           tcase_add_test(tc, test_compare__only_what_the_compared_cells_have_must_be_equal);
           tcase_add_test(tc, test_compare__junit_is_sound_xml);
           tcase_add_test(tc, test_compare__the_trials_needed_allow_for_those_that_do_not_count);
           tcase_add_test(tc, test_compare__equal_event_streams_are_no_worse_at_any_n);
           tcase_add_test(tc, test_compare__nine_of_two_hundred_is_worse);
           tcase_add_test(tc, test_compare__the_mirror_is_better);
           tcase_add_test(tc, test_compare__no_worse_needs_its_floor);
           tcase_add_test(tc, test_compare__one_promise_that_base_kept_is_worse);
           tcase_add_test(tc, test_compare__the_promise_rule_rests_where_base_broke_one);
           tcase_add_test(tc, test_compare__times_by_pairs);
           tcase_add_test(tc, test_compare__unpaired_times_by_all_ratios);
           tcase_add_test(tc, test_compare__other_seeds_are_unpaired_and_say_so);
           tcase_add_test(tc, test_compare__two_variants_of_one_file);
           tcase_add_test(tc, test_compare__the_campaign_names_both_variants);
           tcase_add_test(tc, test_compare__cells_of_one_side_are_errors_unless_common);
           tcase_add_test(tc, test_compare__wrong_input_is_named);
           tcase_add_test(tc, test_compare__what_the_oracle_gave_up_on_is_told);
           tcase_add_test(tc, test_compare__any_number_of_variants);)
