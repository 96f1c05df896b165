/*
 * The coordinator and its workers with a laboratory that makes records up: what is stored must not
 * depend on -j, interruption, resume or kill -9, and a worker that dies costs one trial.
 */
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "campaign/coordinator.h"
#include "campaign/run.h"
#include "campaign/worker.h"
#include "results/temp_folder.h"
#include "scripts/check_main.h"

#define CELLS 8 /* 2 variants x 1 workload x 4 plans */
#define TRIALS 40
#define ALL (CELLS * TRIALS)

static const char text[] = "campaign: fake\ntrials: 40\n"
                           "variants: {a: {stack: loris}, b: {like: a, log: off}}\n"
                           "workloads: {w: {app: fsx}}\n"
                           "faults: {none: [], cut: [{kind: power.cut}], flip: [{kind: "
                           "memory.flip, layer: cache}], die: [{kind: process.crash, layer: "
                           "physical}]}\n";

/* What the fake laboratory does; set before workers are forked, so they know it too. */
static struct {
    uint64_t crash, hang, exits, lies; /* trial numbers, 0: none */
    bool crash_base;                   /* die in the fault-free run of variant 0, n = 0 */
    bool retires;                      /* after every third trial */
    bool first_sound;                  /* nothing ever happens in variant 0 */
    unsigned slow_us;                  /* a trial takes this long */
} fake;

struct fake_lab {
    const struct plan *plan;
    uint32_t variant, workload;
    uint64_t n;
    unsigned trials;
};

static void *fake_create(const struct plan *plan)
{
    struct fake_lab *lab = calloc(1, sizeof(*lab));
    lab->plan = plan;
    return lab;
}

static void fake_begin(void *object, uint32_t variant, uint32_t workload, uint64_t n)
{
    struct fake_lab *lab = object;
    lab->variant = variant;
    lab->workload = workload;
    lab->n = n;
    if (fake.crash_base && variant == 0 && n == 0)
        (void)raise(SIGKILL);
}

static void fake_trial(void *object, uint32_t fault, struct trial_record *record)
{
    struct fake_lab *lab = object;
    record->cell = plan_cell_index(lab->plan, lab->variant, lab->workload, fault);
    record->n = lab->n;
    record->trial = plan_trial_number(lab->plan, record->cell, lab->n);
    record->hash = record->trial * UINT64_C(0x9E3779B97F4A7C15);
    record->level = (enum level)(record->hash >> 40) % 3;
    if (fake.first_sound && lab->variant == 0)
        record->level = LEVEL_TRANSPARENT;
    record->promised = record->design_promise = LEVEL_DURABLE;
    record->injected = true;
    record->wall_ns = progress_now_ns();
    lab->trials++;
    if (record->trial == fake.crash)
        (void)raise(SIGKILL);
    if (record->trial == fake.exits)
        _exit(3);
    while (record->trial == fake.hang)
        (void)pause();
    if (record->trial == fake.lies)
        record->n++;
    if (fake.slow_us > 0)
        (void)usleep(fake.slow_us);
}

static bool fake_retires(const void *object)
{
    const struct fake_lab *lab = object;
    return fake.retires && lab->trials % 3 == 0 && lab->trials > 0;
}

static const struct worker_ops fake_ops = {.create = fake_create,
                                           .destroy = free,
                                           .begin = fake_begin,
                                           .trial = fake_trial,
                                           .must_retire = fake_retires};

static char folder[TEMP_FOLDER_BYTES];

static void setup(void)
{
    ck_assert(temp_folder_make(folder, "coordinator"));
    ck_assert_int_eq(chdir(folder), 0);
    memset(&fake, 0, sizeof(fake));
}

static void teardown(void)
{
    temp_folder_remove(folder);
}

struct ask {
    const char *out;
    uint32_t jobs;
    bool resume, strict;
    uint64_t limit_s, trials;
    const char *only;
    const char *set; /* or NULL */
};

/* Runs with stdout and stderr in files; returns the exit code. */
static int run(struct ask ask)
{
    const char *const sets[] = {"notes=it's", ask.set};
    struct plan_request request = {.path = "f.yaml",
                                   .sets = sets,
                                   .set_count = ask.set == NULL ? 1 : 2,
                                   .trials_given = ask.trials != 0,
                                   .trials = ask.trials,
                                   .only = &ask.only,
                                   .only_count = ask.only != NULL};
    struct plan *plan = plan_load_text(text, &request, stderr);
    ck_assert_ptr_nonnull(plan);
    struct run_options options = {.request = &request,
                                  .out_path = ask.out,
                                  .jobs = ask.jobs,
                                  .resume = ask.resume,
                                  .strict = ask.strict,
                                  .progress = PROGRESS_OFF,
                                  .format = "csv",
                                  .host_limit_s = ask.limit_s};
    ck_assert_ptr_nonnull(freopen("out", "w", stdout));
    ck_assert_ptr_nonnull(freopen("errors", "w", stderr));
    int code = run_with(plan, &options, &fake_ops);
    (void)fflush(NULL);
    plan_destroy(plan);
    return code;
}

/* The whole file, static. */
static const char *content(const char *name)
{
    static char buffer[65536];
    FILE *file = fopen(name, "r");
    ck_assert_ptr_nonnull(file);
    buffer[fread(buffer, 1, sizeof(buffer) - 1, file)] = '\0';
    (void)fclose(file);
    return buffer;
}

/* Rows of `trials` in a file, and a text of all that must be the same in two runs. */
static int64_t rows(const char *path, char *all, size_t room)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    int64_t count = 0;
    ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db,
                                        "SELECT trial || variant || workload || fault || n || hash "
                                        "|| level || injected FROM trials ORDER BY trial",
                                        -1, &s, NULL),
                     SQLITE_OK);
    size_t used = 0;
    while (sqlite3_step(s) == SQLITE_ROW) {
        count++;
        if (all != NULL)
            used += (size_t)snprintf(all + used, room - used, "%s\n", sqlite3_column_text(s, 0));
    }
    (void)sqlite3_finalize(s);
    (void)sqlite3_close(db);
    return count;
}

static char first[ALL * 128], second[ALL * 128];

START_TEST(test_coordinator__rows_do_not_depend_on_the_number_of_workers)
{
    ck_assert_int_eq(run((struct ask){.out = "a.db", .jobs = 1}), 0);
    ck_assert_int_eq(run((struct ask){.out = "b.db", .jobs = 5}), 0);
    ck_assert_int_eq(rows("a.db", first, sizeof(first)), ALL);
    ck_assert_int_eq(rows("b.db", second, sizeof(second)), ALL);
    ck_assert_str_eq(first, second);
    ck_assert_str_eq(content("errors"), "");
    ck_assert_ptr_nonnull(strstr(content("out"), "variant")); /* the table of show */
}
END_TEST

START_TEST(test_coordinator__a_worker_that_dies_costs_one_trial_and_resume_does_it)
{
    static const uint64_t victims[] = {2, 3, 4 + 3 * CELLS}; /* cut, flip (in a child), die */
    for (size_t k = 0; k < 3; k++) {
        fake.crash = victims[k];
        ck_assert_int_eq(run((struct ask){.out = "a.db", .jobs = 2}), 3);
        ck_assert_int_eq(rows("a.db", NULL, 0), ALL - 1);
        char want[64];
        (void)snprintf(want, sizeof(want), "trial %u (a/w/", (unsigned)victims[k]);
        ck_assert_ptr_nonnull(strstr(content("errors"), want));
        ck_assert_ptr_nonnull(strstr(content("errors"), "signal 9"));
        fake.crash = 0;
        ck_assert_int_eq(run((struct ask){.out = "a.db", .jobs = 2, .resume = true}), 0);
        ck_assert_int_eq(rows("a.db", NULL, 0), ALL);
        teardown();
        setup();
    }
}
END_TEST

START_TEST(test_coordinator__exit_3_and_nonsense_are_defects_too)
{
    fake.exits = 6;
    fake.lies = 14;
    ck_assert_int_eq(run((struct ask){.out = "a.db", .jobs = 2}), 3);
    ck_assert_int_eq(rows("a.db", NULL, 0), ALL - 2);
    ck_assert_ptr_nonnull(strstr(content("errors"), "exit 3"));
    ck_assert_ptr_nonnull(strstr(content("errors"), "its record makes no sense"));
}
END_TEST

START_TEST(test_coordinator__a_death_in_the_fault_free_run_costs_its_job)
{
    fake.crash_base = true;
    ck_assert_int_eq(run((struct ask){.out = "a.db", .jobs = 2}), 3);
    ck_assert_int_eq(rows("a.db", NULL, 0), ALL - 4); /* the four plans of a/w, n = 0 */
    ck_assert_ptr_nonnull(strstr(content("errors"), "in the fault-free run"));
}
END_TEST

START_TEST(test_coordinator__a_trial_that_hangs_is_ended)
{
    fake.hang = 2;
    ck_assert_int_eq(run((struct ask){.out = "a.db", .jobs = 2, .limit_s = 1}), 3);
    ck_assert_int_eq(rows("a.db", NULL, 0), ALL - 1);
    ck_assert_ptr_nonnull(strstr(content("errors"), "longer than 1 s of host time"));
    teardown();
    setup();
    fake.hang = 3; /* in a child of the worker */
    ck_assert_int_eq(run((struct ask){.out = "a.db", .jobs = 1, .limit_s = 1}), 3);
    ck_assert_int_eq(rows("a.db", NULL, 0), ALL - 1);
}
END_TEST

START_TEST(test_coordinator__a_worker_that_retires_is_replaced)
{
    fake.retires = true;
    ck_assert_int_eq(run((struct ask){.out = "a.db", .jobs = 2}), 0);
    ck_assert_int_eq(rows("a.db", NULL, 0), ALL);
    ck_assert_str_eq(content("errors"), "");
}
END_TEST

START_TEST(test_coordinator__refuses_an_existing_file_and_another_plan)
{
    ck_assert_int_eq(run((struct ask){.out = "a.db", .jobs = 1, .trials = 3}), 0);
    ck_assert_int_eq(run((struct ask){.out = "a.db", .jobs = 1, .trials = 3}), 2);
    ck_assert_int_eq(rows("a.db", NULL, 0), 3 * CELLS);
    ck_assert_int_eq(run((struct ask){.out = "a.db", .jobs = 1, .trials = 2, .resume = true}), 2);
    ck_assert_int_eq(run((struct ask){.out = "a.db", .jobs = 1, .trials = 5, .resume = true}), 0);
    ck_assert_int_eq(rows("a.db", NULL, 0), 5 * CELLS);
    ck_assert_int_eq(run((struct ask){.out = "a.db", .jobs = 1, .trials = 5, .resume = true}), 0);
}
END_TEST

START_TEST(test_coordinator__only_some_cells_then_the_rest_are_the_same_rows)
{
    ck_assert_int_eq(run((struct ask){.out = "a.db", .jobs = 1}), 0);
    ck_assert_int_eq(run((struct ask){.out = "b.db", .jobs = 1, .only = "*/*/cut"}), 0);
    ck_assert_int_eq(rows("b.db", NULL, 0), 2 * TRIALS);
    ck_assert_int_eq(run((struct ask){.out = "b.db", .jobs = 1, .resume = true}), 0);
    (void)rows("a.db", first, sizeof(first));
    (void)rows("b.db", second, sizeof(second));
    ck_assert_str_eq(first, second);
}
END_TEST

START_TEST(test_coordinator__strict_fails_on_a_broken_promise)
{
    ck_assert_int_eq(run((struct ask){.out = "a.db", .jobs = 1, .strict = true}), 1);
}
END_TEST

/* 0 of 50 is known to +-10 points, a third never is within 120 trials. */
#define EARLY "trials={max: 120, half-width: 10%, of: durable}"

START_TEST(test_coordinator__cells_end_early_and_equally_for_any_number_of_workers)
{
    fake.first_sound = true;
    ck_assert_int_eq(run((struct ask){.out = "a.db", .jobs = 1, .set = EARLY}), 0);
    ck_assert_int_eq(run((struct ask){.out = "b.db", .jobs = 5, .set = EARLY}), 0);
    ck_assert_int_eq(rows("a.db", first, sizeof(first)), 4 * 50 + 4 * 120);
    (void)rows("b.db", second, sizeof(second));
    ck_assert_str_eq(first, second);
    /* Cell by cell, and with trials that were lost on the way, it is the same. */
    fake.crash = 3;
    ck_assert_int_eq(run((struct ask){.out = "c.db", .jobs = 2, .only = "*/*/flip", .set = EARLY}),
                     3);
    fake.crash = 0;
    fake.retires = true;
    ck_assert_int_eq(run((struct ask){.out = "c.db", .jobs = 3, .resume = true, .set = EARLY}), 0);
    (void)rows("c.db", second, sizeof(second));
    ck_assert_str_eq(first, second);
    ck_assert_int_eq(run((struct ask){.out = "c.db", .jobs = 2, .resume = true, .set = EARLY}), 0);
    ck_assert_int_eq(rows("c.db", NULL, 0), 4 * 50 + 4 * 120);
}
END_TEST

START_TEST(test_coordinator__another_rule_of_ending_is_another_plan)
{
    fake.first_sound = true;
    ck_assert_int_eq(run((struct ask){.out = "a.db", .jobs = 1, .set = EARLY}), 0);
    ck_assert_int_eq(run((struct ask){.out = "a.db",
                                      .jobs = 1,
                                      .resume = true,
                                      .set = "trials={max: 120, half-width: 11%, of: durable}"}),
                     2);
    ck_assert_ptr_nonnull(strstr(content("errors"), "trials.half-width is 10% in the file, 11%"));
    ck_assert_int_eq(run((struct ask){.out = "a.db",
                                      .jobs = 1,
                                      .resume = true,
                                      .set = "trials={max: 130, half-width: 10%, of: durable}"}),
                     0);
    ck_assert_int_eq(rows("a.db", NULL, 0), 4 * 50 + 4 * 130);
}
END_TEST

/* Begins a slow run in a process of its own and returns it when some rows are there. */
static pid_t begin_slow_run(void)
{
    fake.slow_us = 2000;
    (void)fflush(NULL);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        (void)setpgid(0, 0);
        _exit(run((struct ask){.out = "a.db", .jobs = 2}));
    }
    while (access("a.db", F_OK) != 0)
        (void)usleep(1000);
    (void)usleep(100000); /* however few or many trials this is, the assertions hold */
    return child;
}

START_TEST(test_coordinator__kill_9_and_resume_give_the_rows_of_one_run)
{
    pid_t child = begin_slow_run();
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    fake.slow_us = 0;
    ck_assert_int_eq(run((struct ask){.out = "a.db", .jobs = 2, .resume = true}), 0);
    ck_assert_int_eq(run((struct ask){.out = "b.db", .jobs = 1}), 0);
    ck_assert_int_eq(rows("a.db", first, sizeof(first)), ALL);
    (void)rows("b.db", second, sizeof(second));
    ck_assert_str_eq(first, second);
}
END_TEST

START_TEST(test_coordinator__a_signal_keeps_the_rows_and_says_how_to_resume)
{
    static const int signals[] = {SIGINT, SIGTERM};
    static const int codes[] = {130, 143};
    for (size_t k = 0; k < 2; k++) {
        int status = 0;
        pid_t child = begin_slow_run();
        ck_assert_int_eq(kill(child, signals[k]), 0);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(WIFEXITED(status) ? WEXITSTATUS(status) : -1, codes[k]);
        ck_assert_ptr_nonnull(
            strstr(content("errors"),
                   "go on with: loris run f.yaml --set 'notes=it'\\''s' -o a.db --resume"));
        fake.slow_us = 0;
        ck_assert_int_eq(run((struct ask){.out = "a.db", .jobs = 2, .resume = true}), 0);
        ck_assert_int_eq(rows("a.db", NULL, 0), ALL);
        teardown();
        setup();
    }
}
END_TEST

START_TEST(test_progress__has_the_forms_that_users_rely_on)
{
    struct progress p;
    char line[200];
    progress_begin(&p, PROGRESS_LINES, stderr, 2000, 0);
    p.done = 1240;
    p.broken = 3;
    p.broken_level[LEVEL_SILENT] = 2;
    p.broken_level[LEVEL_DEAD] = 1;
    progress_format(&p, p.begin_ns + UINT64_C(5850000000), line, sizeof(line));
    ck_assert_str_eq(line, "1,240/2,000  62 %  212/s  4 s left  broken 3 (2 silent, 1 dead)");
    p.mode = PROGRESS_BAR;
    progress_format(&p, p.begin_ns + UINT64_C(5850000000), line, sizeof(line));
    ck_assert_str_eq(line, "1,240/2,000 [============>       ] 62 %  212/s  4 s left  broken 3 (2 "
                           "silent, 1 dead)");
}
END_TEST

CHECK_MAIN("coordinator", 300, tcase_add_checked_fixture(tc, setup, teardown);
           tcase_add_test(tc,
                          test_coordinator__cells_end_early_and_equally_for_any_number_of_workers);
           tcase_add_test(tc, test_coordinator__another_rule_of_ending_is_another_plan);
           tcase_add_test(tc, test_coordinator__rows_do_not_depend_on_the_number_of_workers);
           tcase_add_test(tc,
                          test_coordinator__a_worker_that_dies_costs_one_trial_and_resume_does_it);
           tcase_add_test(tc, test_coordinator__exit_3_and_nonsense_are_defects_too);
           tcase_add_test(tc, test_coordinator__a_death_in_the_fault_free_run_costs_its_job);
           tcase_add_test(tc, test_coordinator__a_trial_that_hangs_is_ended);
           tcase_add_test(tc, test_coordinator__a_worker_that_retires_is_replaced);
           tcase_add_test(tc, test_coordinator__refuses_an_existing_file_and_another_plan);
           tcase_add_test(tc, test_coordinator__only_some_cells_then_the_rest_are_the_same_rows);
           tcase_add_test(tc, test_coordinator__strict_fails_on_a_broken_promise);
           tcase_add_test(tc, test_coordinator__kill_9_and_resume_give_the_rows_of_one_run);
           tcase_add_test(tc, test_coordinator__a_signal_keeps_the_rows_and_says_how_to_resume);
           tcase_add_test(tc, test_progress__has_the_forms_that_users_rely_on);)
