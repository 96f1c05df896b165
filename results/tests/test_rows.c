/* rows: whatever page of a results file is sick, no reader takes what it still sees for all there
 * is. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "results/compare.h"
#include "results/join.h"
#include "results/plot.h"
#include "results/report.h"
#include "results/rows.h"
#include "results/show.h"
#include "results/tests/rig.h"
#include "scripts/check_main.h"

static struct rig rig;
static struct trial_record r;
static char *out, *err;
static size_t out_bytes, err_bytes;

/* 2 variants x 2 faults and a skipped cell, some trials broken. */
static void build(uint64_t trials)
{
    rig_init(&rig, 2, 3, trials);
    rig.cell[5].planned = 0;
    rig.cell[5].skipped = "needs two disks";
    rig_open(&rig, 0, STORE_NEW);
    for (uint64_t n = 0; n < trials; n++)
        for (uint32_t cell = 0; cell < 5; cell++) {
            rig_record(&rig, &r, cell, n, n % 5 == cell ? LEVEL_SILENT : LEVEL_DURABLE);
            rig_put(&rig, &r);
        }
    rig_close(&rig);
}

/* Copies the file `a` to `b`; page 0: as it is, else with that page zeroed. */
static void copy_with_sick_page(long page, long page_bytes)
{
    char command[300];
    static const char zeros[65536];
    snprintf(command, sizeof(command), "cp %s %s", rig.path[0], rig.path[1]);
    ck_assert_int_eq(system(command), 0);
    if (page == 0)
        return;
    FILE *f = fopen(rig.path[1], "r+");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fseek(f, (page - 1) * page_bytes, SEEK_SET), 0);
    ck_assert_uint_eq(fwrite(zeros, 1, (size_t)page_bytes, f), (size_t)page_bytes);
    ck_assert_int_eq(fclose(f), 0);
}

static int show(enum show_format format, FILE *o, FILE *e)
{
    struct show_options options = {.path = rig.path[1], .format = format};
    return show_run(&options, o, e);
}

static int show_table(FILE *o, FILE *e)
{
    return show(SHOW_TABLE, o, e);
}

static int show_junit(FILE *o, FILE *e)
{
    return show(SHOW_JUNIT, o, e);
}

static int compare(FILE *o, FILE *e)
{
    struct compare_options options = {.base_path = rig.path[1],
                                      .base_variant = "loris",
                                      .new_variant = "ffs",
                                      .common = true,
                                      .margin = NAN,
                                      .alpha = NAN};
    return compare_run(&options, o, e);
}

static int join(FILE *o, FILE *e)
{
    const char *const parts[] = {rig.path[1]};
    struct join_options options = {.parts = parts, .part_count = 1, .out_path = rig.path[2]};
    unlink(rig.path[2]);
    int code = join_run(&options, o, e);
    ck_assert_int_eq(access(rig.path[2], F_OK) == 0, code == 0);
    return code;
}

static int report(FILE *o, FILE *e)
{
    char page[160];
    snprintf(page, sizeof(page), "%s/page.html", rig.dir);
    unlink(page);
    struct report_options options = {.path = rig.path[1], .out_path = page};
    int code = report_run(&options, o, e);
    ck_assert_int_eq(access(page, F_OK) == 0, code == 0);
    return code;
}

static const char *kind; /* of plot */

static int plot(FILE *o, FILE *e)
{
    char folder[160];
    snprintf(folder, sizeof(folder), "%s/plots", rig.dir);
    struct plot_options options = {.path = rig.path[1], .kind = kind, .out_dir = folder};
    return plot_run(&options, o, e);
}

static int call(int (*command)(FILE *, FILE *))
{
    free(out);
    free(err);
    FILE *o = open_memstream(&out, &out_bytes), *e = open_memstream(&err, &err_bytes);
    int code = command(o, e);
    fclose(o);
    fclose(e);
    return code;
}

/* Every `step`-th page: the command fails and says so, or tells what it tells of the sound file.
 * The first page is the store's matter. */
static void never_tells_less(int (*command)(FILE *, FILE *), long step)
{
    long page_bytes = (long)rig_query(&rig, 0, "PRAGMA page_size");
    long pages = (long)rig_query(&rig, 0, "PRAGMA page_count"), failed = 0, alike = 0;
    copy_with_sick_page(0, page_bytes);
    int code = call(command);
    ck_assert_msg(code <= 1, "%s", err);
    char *sound = strdup(out);
    for (long page = 2; page <= pages; page += step) {
        copy_with_sick_page(page, page_bytes);
        if (call(command) == code) {
            ck_assert_msg(strcmp(out, sound) == 0, "page %ld:\n%s\nnot\n%s", page, out, sound);
            alike++;
            continue;
        }
        ck_assert_msg(out_bytes == 0, "page %ld: %s", page, out);
        ck_assert_msg(strstr(err, ".db:1:1: ") != NULL, "page %ld: %s", page, err);
        failed++;
    }
    ck_assert_int_gt(failed, 0);
    ck_assert_msg(step > 1 || alike > 0 || command == join, "every page fails: of what is sick?");
    free(sound);
}

START_TEST(test_rows__show_tells_all_or_fails)
{
    build(60);
    never_tells_less(show_table, 1);
    never_tells_less(show_junit, 1);
    rig_fini(&rig);
}
END_TEST

START_TEST(test_rows__compare_tells_all_or_fails)
{
    build(60);
    never_tells_less(compare, 1);
    rig_fini(&rig);
}
END_TEST

START_TEST(test_rows__merge_joins_all_or_makes_no_file)
{
    build(60);
    never_tells_less(join, 1);
    rig_fini(&rig);
}
END_TEST

START_TEST(test_rows__report_tells_all_or_makes_no_page)
{
    build(12);
    never_tells_less(report, 7);
    rig_fini(&rig);
}
END_TEST

START_TEST(test_rows__plot_draws_all_or_fails)
{
    build(12);
    static const char *const kinds[] = {"timeline", "latency", "detection", "where"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        kind = kinds[i];
        long page_bytes = (long)rig_query(&rig, 0, "PRAGMA page_size");
        const char *table = i < 2 ? "bin" : "trial";
        char sql[120];
        snprintf(sql, sizeof(sql), "SELECT rootpage FROM sqlite_master WHERE name = '%s'", table);
        copy_with_sick_page(0, page_bytes);
        ck_assert_msg(call(plot) == 0, "%s: %s", kind, err);
        copy_with_sick_page((long)rig_query(&rig, 0, sql), page_bytes);
        ck_assert_msg(call(plot) == 2, "%s of a sick file", kind);
        ck_assert_uint_eq(out_bytes, 0);
        ck_assert_msg(strstr(err, "b.db:1:1: cannot be read: ") != NULL, "%s: %s", kind, err);
    }
    rig_fini(&rig);
}
END_TEST

START_TEST(test_rows__the_first_failure_stays)
{
    build(1);
    sqlite3 *db;
    char error[STORE_ERROR_BYTES] = "";
    ck_assert_int_eq(store_open_read(&db, rig.path[0], rig.error), OK);
    sqlite3_stmt *s = rows_query(db, "SELECT 1 FROM nowhere", error);
    ck_assert_ptr_null(s);
    ck_assert(!rows_next(s, error));
    ck_assert_ptr_nonnull(strstr(error, "nowhere"));
    s = rows_query(db, "SELECT count(*) FROM trials", error);
    ck_assert_ptr_nonnull(s);
    ck_assert(!rows_next(s, error));
    ck_assert_ptr_nonnull(strstr(error, "nowhere"));
    error[0] = 0;
    ck_assert(rows_next(s, error));
    ck_assert_str_eq(rows_text(s, 0), "5");
    ck_assert(!rows_next(s, error));
    ck_assert_str_eq(error, "");
    sqlite3_finalize(s);
    s = rows_query(db, "SELECT json_extract('{', '$') UNION ALL SELECT NULL", error);
    ck_assert(!rows_next(s, error));
    ck_assert_ptr_nonnull(strstr(error, "a.db:1:1: cannot be read: malformed JSON"));
    sqlite3_finalize(s);
    sqlite3_close(db);
    rig_fini(&rig);
}
END_TEST

CHECK_MAIN("rows", 120, tcase_add_test(tc, test_rows__the_first_failure_stays);
           tcase_add_test(tc, test_rows__show_tells_all_or_fails);
           tcase_add_test(tc, test_rows__compare_tells_all_or_fails);
           tcase_add_test(tc, test_rows__merge_joins_all_or_makes_no_file);
           tcase_add_test(tc, test_rows__report_tells_all_or_makes_no_page);
           tcase_add_test(tc, test_rows__plot_draws_all_or_fails);)
