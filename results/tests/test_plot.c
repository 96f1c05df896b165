/* plot: pictures, scripts that make them again, names that stay names, kinds refused by name. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "results/plot.h"
#include "results/tests/rig.h"
#include "scripts/check_main.h"

static struct rig rig;
static struct trial_record r;
static char *out, *err;
static size_t out_bytes, err_bytes;
static char dir[128];

#define YEAR_NS UINT64_C(31536000000000000)

/* What a trial over calendar time has beside the rest. */
static void over_a_year(bool loses)
{
    r.exposure_ns = YEAR_NS;
    record_add_event(&r, YEAR_NS, "calendar", "down", loses ? "40000000000000" : "0");
    if (loses)
        record_add_event(&r, YEAR_NS / 4, "calendar", "loss", "silent");
}

static void build(unsigned variants, unsigned faults, uint64_t n)
{
    rig_open(&rig, 0, STORE_NEW);
    for (uint64_t i = 0; i < n; i++)
        for (uint32_t cell = 0; cell < variants * faults; cell++) {
            enum level level = (i + cell) % 20 == 3 ? LEVEL_SILENT : LEVEL_DURABLE;
            rig_record(&rig, &r, cell, i, level);
            over_a_year(i % 20 == 3);
            rig_put(&rig, &r);
        }
    rig_close(&rig);
}

static int plot(const char *kind, enum plot_format format, const char *where)
{
    snprintf(dir, sizeof(dir), "%s/plots", rig.dir);
    struct plot_options options = {
        .path = rig.path[0], .out_dir = dir, .kind = kind, .where = where, .format = format};
    free(out);
    free(err);
    FILE *o = open_memstream(&out, &out_bytes), *e = open_memstream(&err, &err_bytes);
    int code = plot_run(&options, o, e);
    fclose(o);
    fclose(e);
    return code;
}

/* The whole file as a text; the test fails if it is not there. */
static char *slurp(const char *name)
{
    static char text[400000];
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "r");
    ck_assert_msg(f != NULL, "no %s", path);
    text[fread(text, 1, sizeof(text) - 1, f)] = 0;
    fclose(f);
    return text;
}

START_TEST(test_plot__draws_every_available_kind)
{
    rig_init(&rig, 2, 2, 60);
    rig.cell[0].variant = rig.cell[1].variant = "loris@checkpoint=1s";
    rig.cell[2].variant = rig.cell[3].variant = "loris@checkpoint=5s";
    rig.parameter[0] =
        (struct store_parameter){"variant", "loris@checkpoint=1s", "checkpoint", "1s", 1e9};
    rig.parameter[1] =
        (struct store_parameter){"variant", "loris@checkpoint=5s", "checkpoint", "5s", 5e9};
    rig.parameter[2] = (struct store_parameter){"fault", "power", "0.over", "1year", 3.1536e16};
    build(2, 2, 60);
    ck_assert_msg(plot(NULL, PLOT_SVG, NULL) == 0, "%s", err);
    for (int i = 0; plot_kinds[i].name != NULL; i++) {
        char name[64];
        if (!plot_kinds[i].available)
            continue;
        snprintf(name, sizeof(name), "%s.svg", plot_kinds[i].name);
        rig_has(out, name);
        char *svg = slurp(name);
        rig_has(svg, "<svg");
        rig_has(svg, "</svg>");
        snprintf(name, sizeof(name), "%s.gp", plot_kinds[i].name);
        rig_has(slurp(name), "# caption: ");
        snprintf(name, sizeof(name), "%s.dat", plot_kinds[i].name);
        ck_assert_uint_gt(strlen(slurp(name)), 100);
    }
    ck_assert_uint_eq(err_bytes, 0);
    rig_fini(&rig);
}
END_TEST

START_TEST(test_plot__a_script_makes_its_picture_again)
{
    rig_init(&rig, 1, 1, 40);
    build(1, 1, 40);
    ck_assert_int_eq(plot("success", PLOT_PNG, NULL), 0);
    char command[400];
    snprintf(command, sizeof(command),
             "cd %s && cp success.png a && rm success.png && gnuplot -d success.gp && cmp a "
             "success.png",
             dir);
    ck_assert_int_eq(system(command), 0);
    rig_fini(&rig);
}
END_TEST

START_TEST(test_plot__success_writes_the_bound_of_zero_broken)
{
    rig_init(&rig, 1, 2, 200);
    rig_open(&rig, 0, STORE_NEW);
    for (uint64_t i = 0; i < 200; i++)
        for (uint32_t cell = 0; cell < 2; cell++) {
            rig_record(&rig, &r, cell, i, LEVEL_DURABLE);
            r.injected = cell == 0 || i < 18;
            rig_put(&rig, &r);
        }
    rig_close(&rig);
    ck_assert_int_eq(plot("success", PLOT_SVG, NULL), 0);
    rig_has(slurp("success.dat"), "\"0 of 200, >= 98.2 %\"");
    rig_has(slurp("success.dat"), "\"0 of 18, >= 81.5 %\"");
    rig_has(slurp("success.gp"), "Of 2 faults, loris kept its promise in every trial of 2");
    rig_fini(&rig);
}
END_TEST

/* A backtick in double quotes would be a command for the shell. */
START_TEST(test_plot__names_are_never_commands)
{
    rig_init(&rig, 1, 1, 40);
    char variant[160];
    snprintf(variant, sizeof(variant), "a`touch %s/ran`\"'$%%{^_@", rig.dir);
    rig.cell[0].variant = variant;
    rig.cell[0].fault = "f`touch ran`'%d\"; system('touch ran') #";
    build(1, 1, 40);
    ck_assert_msg(plot(NULL, PLOT_SVG, NULL) == 0, "%s", err);
    char path[256];
    snprintf(path, sizeof(path), "%s/ran", rig.dir);
    ck_assert_int_ne(access(path, F_OK), 0);
    snprintf(path, sizeof(path), "%s/ran", dir);
    ck_assert_int_ne(access(path, F_OK), 0);
    rig_fini(&rig);
}
END_TEST

START_TEST(test_plot__survives_what_is_thin_or_never_came)
{
    rig_init(&rig, 2, 2, 3);
    rig_open(&rig, 0, STORE_NEW);
    for (uint32_t cell = 0; cell < 4; cell++) {
        rig_record(&rig, &r, cell, 0, LEVEL_DEAD);
        r.injected = cell != 1;
        r.outage_ns = r.recovery_ns = r.rebuild_ns = RECORD_NULL;
        r.rpo_ns = 0;
        r.promised = cell == 2 ? LEVEL_NONE : LEVEL_SYNCED;
        r.timeline_count = cell == 3 ? 0 : r.timeline_count;
        rig_put(&rig, &r);
    }
    rig_close(&rig);
    ck_assert_msg(plot(NULL, PLOT_SVG, NULL) == 0, "%s", err);
    rig_has(slurp("success.dat"), "never struck");
    rig_has(slurp("success.dat"), "nothing promised");
    ck_assert_int_eq(plot("loss", PLOT_SVG, NULL), 2);
    rig_has(err, "nothing to draw of kind loss");
    rig_fini(&rig);
}
END_TEST

START_TEST(test_plot__survival_counts_trials_that_lost_nothing_as_censored)
{
    rig_init(&rig, 2, 1, 60);
    rig_open(&rig, 0, STORE_NEW);
    for (uint64_t i = 0; i < 60; i++)
        for (uint32_t cell = 0; cell < 2; cell++) {
            rig_record(&rig, &r, cell, i, LEVEL_DURABLE);
            over_a_year(cell == 1 && i < 15);
            rig_put(&rig, &r);
        }
    rig_close(&rig);
    ck_assert_msg(plot("survival", PLOT_SVG, NULL) == 0, "%s", err);
    char *dat = slurp("survival.dat");
    rig_has(dat, "365.000000 1.000000 0.940"); /* nothing lost: the exact bound of 0 in 60 */
    rig_has(dat, "91.250000 0.750000 0.620");
    rig_has(dat, "365.000000 0.750000 0.620");
    rig_has(slurp("survival.gp"), "log-rank p");
    rig_has(slurp("survival.gp"), "set label '45'");
    rig_fini(&rig);
    rig_init(&rig, 1, 1, 3);
    rig_open(&rig, 0, STORE_NEW);
    rig_record(&rig, &r, 0, 0, LEVEL_DURABLE);
    rig_put(&rig, &r);
    rig_close(&rig);
    ck_assert_int_eq(plot("survival", PLOT_SVG, NULL), 2);
    rig_has(err, "nothing to draw of kind survival"); /* no calendar */
    rig_fini(&rig);
}
END_TEST

START_TEST(test_plot__words_at_the_end_of_availability_stand_alone)
{
    static const char *const down[3] = {"0", "25000000000000", "15768000000000000"};
    rig_init(&rig, 3, 1, 40);
    rig.parameter[0] =
        (struct store_parameter){"fault", rig.cell[0].fault, "0.over", "1year", 3.1536e16};
    rig_open(&rig, 0, STORE_NEW);
    for (uint64_t i = 0; i < 40; i++)
        for (uint32_t cell = 0; cell < 3; cell++) {
            rig_record(&rig, &r, cell, i, LEVEL_DURABLE);
            r.exposure_ns = YEAR_NS;
            record_add_event(&r, YEAR_NS, "calendar", "down", down[cell]);
            rig_put(&rig, &r);
        }
    rig_close(&rig);
    ck_assert_msg(plot("availability", PLOT_SVG, NULL) == 0, "%s", err);
    char *gp = slurp("availability.gp");
    rig_has(gp, "50 % in 40 years, 4,380 hours a year down");
    rig_has(gp, "'99.9 %%' 3.0000");
    ck_assert_ptr_null(strstr(gp, "'99.99 %%'")); /* it would meet the next */
    rig_has(gp, "'never down' 4.4000");
    rig_fini(&rig);
}
END_TEST

/* A sweep without faults of `count` variants at two values: what is written halves. */
static void build_costs(const char *const *values, const double *numbers, unsigned count,
                        char names[][64])
{
    for (unsigned k = 0; k < count; k++) {
        snprintf(names[k], 64, "v%u@log=%s", k / 2, values[k % 2]);
        rig.cell[k] = (struct store_cell){names[k], "mail", "none", 40, NULL};
        rig.parameter[k] =
            (struct store_parameter){"variant", names[k], "log", values[k % 2], numbers[k % 2]};
    }
    rig.plan.parameter_count = count;
    rig_open(&rig, 0, STORE_NEW);
    for (uint64_t i = 0; i < 40; i++)
        for (uint32_t cell = 0; cell < rig.plan.cell_count; cell++) {
            rig_record(&rig, &r, cell, i, LEVEL_TRANSPARENT);
            r.app_written = 1000000;
            r.written = cell % 2 == 0 ? 8500000 : 4250000;
            rig_put(&rig, &r);
        }
    rig_close(&rig);
}

START_TEST(test_plot__sweep_tells_bytes_written_for_each_byte)
{
    static const char *const values[] = {"1MiB", "2MiB"};
    static const double numbers[] = {1048576, 2097152};
    char names[8][64];
    rig_init(&rig, 3, 1, 40);
    rig.cell[2].fault = "none"; /* of a variant without the key */
    build_costs(values, numbers, 2, names);
    ck_assert_msg(plot("sweep", PLOT_SVG, NULL) == 0, "%s", err);
    rig_has(out, "sweep-2.svg"); /* the first: lost work, recovery, outage */
    rig_has(slurp("sweep-2.gp"),
            "byte of the applications, 1MiB to 2MiB: v0 8.5 to 4.2, none 8.5.");
    rig_has(slurp("sweep-2.gp"), "'2MiB' 2097152");
    rig_has(slurp("sweep-2.dat"), "\n1048576 0 0 0 0 8.5 8.5 8.5 8.5 8.5e+06 ");
    rig_has(slurp("sweep-2.dat"), "\n2097152 0 0 0 0 4.25 4.25 4.25 4.25 4.25e+06 ");
    ck_assert_ptr_null(strstr(slurp("sweep-2.gp"), "a sync")); /* there was none */
    ck_assert_int_eq(plot("sweep", PLOT_SVG, "n < 0"), 2);
    rig_fini(&rig);
}
END_TEST

START_TEST(test_plot__sweep_of_words_stands_side_by_side_in_the_file_s_order)
{
    static const char *const values[] = {"hdd", "flash"};
    static const double numbers[] = {NAN, NAN};
    char names[8][64];
    rig_init(&rig, 2, 1, 40);
    build_costs(values, numbers, 2, names);
    ck_assert_msg(plot("sweep", PLOT_SVG, NULL) == 0, "%s", err);
    rig_has(slurp("sweep.gp"), "hdd to flash: v0 8.5 to 4.2.");
    rig_has(slurp("sweep.gp"), "('hdd' 1, 'flash' 2)");
    rig_fini(&rig);
}
END_TEST

/* What files of before and of explore have. */
START_TEST(test_plot__sweep_without_bytes_written_is_as_before)
{
    rig_init(&rig, 2, 1, 40);
    rig.cell[0].variant = "loris@checkpoint=1s";
    rig.cell[1].variant = "loris@checkpoint=5s";
    rig.parameter[0] =
        (struct store_parameter){"variant", "loris@checkpoint=1s", "checkpoint", "1s", 1e9};
    rig.parameter[1] =
        (struct store_parameter){"variant", "loris@checkpoint=5s", "checkpoint", "5s", 5e9};
    build(2, 1, 40);
    ck_assert_msg(plot("sweep", PLOT_SVG, NULL) == 0, "%s", err);
    rig_has(out, "sweep.svg");
    ck_assert_ptr_null(strstr(out, "sweep-2.svg"));
    rig_fini(&rig);
}
END_TEST

START_TEST(test_plot__wrong_input_is_named_and_makes_nothing)
{
    rig_init(&rig, 1, 1, 3);
    build(1, 1, 3);
    ck_assert_int_eq(plot("sucess", PLOT_SVG, NULL), 2);
    rig_has(err, "did you mean success");
    ck_assert_int_eq(plot("success", PLOT_SVG, "no such"), 2);
    rig_has(err, "--where:1:1: ");
    ck_assert_int_ne(access(dir, F_OK), 0);
    ck_assert_uint_eq(out_bytes, 0);
    rig_fini(&rig);
}
END_TEST

CHECK_MAIN("plot", 120, tcase_add_test(tc, test_plot__draws_every_available_kind);
           tcase_add_test(tc, test_plot__a_script_makes_its_picture_again);
           tcase_add_test(tc, test_plot__success_writes_the_bound_of_zero_broken);
           tcase_add_test(tc, test_plot__names_are_never_commands);
           tcase_add_test(tc, test_plot__survives_what_is_thin_or_never_came);
           tcase_add_test(tc, test_plot__survival_counts_trials_that_lost_nothing_as_censored);
           tcase_add_test(tc, test_plot__words_at_the_end_of_availability_stand_alone);
           tcase_add_test(tc, test_plot__sweep_tells_bytes_written_for_each_byte);
           tcase_add_test(tc, test_plot__sweep_of_words_stands_side_by_side_in_the_file_s_order);
           tcase_add_test(tc, test_plot__sweep_without_bytes_written_is_as_before);
           tcase_add_test(tc, test_plot__wrong_input_is_named_and_makes_nothing);)
