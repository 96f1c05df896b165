/*
 * `loris replay`: one trial of a results file, run again from the campaign that the file stores.
 * The run happens in a child, so that a trial which kills its laboratory is told of like any other.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "assertion.h"
#include "campaign/cli.h"
#include "campaign/explore.h"
#include "campaign/run.h"
#include "campaign/stored.h"
#include "campaign/trial.h"
#include "campaign/worker.h"
#include "results/text.h"

struct replay {
    const struct replay_options *options;
    struct stored file;
    struct trial_record *record; /* of the run, shared with the child */
};

/* A told trial whose fault can store anywhere: a store into the laboratory is to be seen as one. */
static void close_laboratory(const struct replay *r, struct lab *lab)
{
    const struct fault_plan *plan = &r->file.plan->faults[r->file.plan->cells[r->file.cell].fault];
    bool wild = false;
    for (uint32_t i = 0; i < plan->count; i++)
        wild = wild || fault_corrupts_memory(plan->faults[i].kind);
    if (!wild)
        return;
    bool closes = lab_set_strict(lab, SIM_STRICT_FULL);
    (void)fprintf(stderr, "loris: %s\n",
                  closes ? "after the fault the laboratory's own memory is closed to the stack: "
                           "this takes up to minutes"
                         : "this host does not list its mappings: a wild store into the "
                           "laboratory's own memory would not be noticed");
}

/* Visits the crash state of the row in this process. A run that has no such state leaves the record
 * without a trial. */
static void visit_here(struct replay *r)
{
    struct lab *lab = lab_create(r->file.plan);
    struct explorer *x = explorer_create(lab, r->file.plan);
    record_init(r->record);
    if (r->options->verbose)
        lab_tell(lab, stdout);
    if (!explorer_visit(x, r->file.cell, r->file.n, r->file.point, r->file.disk, r->record))
        r->record->trial = 0;
    (void)fflush(stdout);
    explorer_destroy(x);
    lab_destroy(lab);
}

/* Runs the trial in this process. */
static void run_here(struct replay *r)
{
    const struct plan_cell *cell = &r->file.plan->cells[r->file.cell];
    bool alone = r->file.plan->faults[cell->fault].count == 0; /* the fault-free run is the trial */
    struct lab *lab = lab_create(r->file.plan);
    if (r->options->verbose && alone)
        lab_tell(lab, stdout);
    lab_begin(lab, cell->variant, cell->workload, r->file.n);
    if (r->options->verbose) {
        lab_tell(lab, stdout);
        close_laboratory(r, lab);
    }
    lab_trial(lab, cell->fault, r->record);
    (void)fflush(stdout);
    lab_destroy(lab);
}

/* The same in a child; false if it died, after telling so. */
static bool run_apart(struct replay *r)
{
    int status = 0;
    (void)fflush(NULL);
    pid_t parent = getpid(), child = fork();
    ASSERT(child >= 0);
    if (child == 0) {
        worker_die_with((int)parent);
        if (r->file.explored)
            visit_here(r);
        else
            run_here(r);
        _exit(0);
    }
    while (waitpid(child, &status, 0) < 0)
        ASSERT(errno == EINTR);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    char text[128];
    worker_status_text(status, text, sizeof(text));
    (void)fprintf(stderr, "loris: a defect of loris, please report it: trial %" PRIu64 ": %s\n",
                  r->file.trial, text);
    return false;
}

/* What apps `bounded` did: the campaign tells its number only. */
static void print_sequences(const struct replay *r)
{
    const struct plan_workload *w =
        &r->file.plan->workloads[r->file.plan->cells[r->file.cell].workload];
    char text[BOUNDED_SCRIPT_BYTES];
    for (uint32_t k = 0; k < w->app_count; k++) {
        if (w->apps[k].bounded == NULL || r->file.n >= w->apps[k].bounded->count)
            continue;
        bounded_script(w->apps[k].bounded, r->file.n, text);
        (void)printf("%s", text);
    }
}

static void print_story(const struct replay *r)
{
    const struct trial_record *record = r->record;
    const struct plan_cell *cell = &r->file.plan->cells[r->file.cell];
    char time[TEXT_SHORT_BYTES];
    int kept = record_kept(record);
    (void)printf("trial %" PRIu64 ": %s/%s/%s/%" PRIu64 "\n", r->file.trial,
                 r->file.plan->variants[cell->variant].name,
                 r->file.plan->workloads[cell->workload].name,
                 r->file.plan->faults[cell->fault].name, r->file.n);
    print_sequences(r);
    if (!r->options->verbose)
        for (uint32_t k = 0; k < record->event_count; k++) {
            const struct record_event *e = &record->event[k];
            (void)printf("  %10s  %-10s %s%s%s\n", text_time(time, (double)e->time_ns), e->layer,
                         e->what, e->detail[0] == '\0' ? "" : ": ", e->detail);
        }
    (void)printf("%s\n", record->story);
    (void)printf("level %s, promised %s%s%s\n", level_name(record->level),
                 level_name(record->promised),
                 kept == 1   ? ": kept"
                 : kept == 0 ? ": BROKEN"
                             : "",
                 record->injected ? "" : " (not every fault found its moment)");
}

static bool same_event(sqlite3_stmt *s, const struct record_event *e)
{
    return (uint64_t)sqlite3_column_int64(s, 0) == e->time_ns &&
           strcmp((const char *)sqlite3_column_text(s, 1), e->layer) == 0 &&
           strcmp((const char *)sqlite3_column_text(s, 2), e->what) == 0 &&
           strcmp((const char *)sqlite3_column_text(s, 3), e->detail) == 0;
}

/* Names the first event of the story in which the two runs differ. */
static void print_difference(const struct replay *r)
{
    const struct trial_record *record = r->record;
    sqlite3_stmt *s = NULL;
    uint32_t k = 0;
    char time[TEXT_SHORT_BYTES];
    int code = sqlite3_prepare_v2(
        r->file.db, "SELECT time_ns, layer, what, detail FROM event WHERE trial = ? ORDER BY seq",
        -1, &s, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_bind_int64(s, 1, (sqlite3_int64)r->file.trial);
    bool row = code == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW;
    while (row && k < record->event_count && same_event(s, &record->event[k])) {
        k++;
        row = sqlite3_step(s) == SQLITE_ROW;
    }
    if (row)
        (void)printf("first different event, stored: %s %s %s %s\n",
                     text_time(time, (double)sqlite3_column_int64(s, 0)), sqlite3_column_text(s, 1),
                     sqlite3_column_text(s, 2), sqlite3_column_text(s, 3));
    else
        (void)printf("first different event, stored: none\n");
    if (k < record->event_count)
        (void)printf("                          now: %s %s %s %s\n",
                     text_time(time, (double)record->event[k].time_ns), record->event[k].layer,
                     record->event[k].what, record->event[k].detail);
    else
        (void)printf("                          now: none\n");
    (void)sqlite3_finalize(s);
}

static int judge(const struct replay *r)
{
    const struct trial_record *record = r->record;
    if (!r->file.present) {
        (void)printf("hash %016" PRIx64 "; the file does not have this trial\n", record->hash);
        return EXIT_DONE;
    }
    if (record->hash == r->file.hash) {
        (void)printf("hash %016" PRIx64 ": the same run, event by event\n", record->hash);
        return EXIT_DONE;
    }
    if (r->options->any_build && record->level == r->file.level) {
        (void)printf("hash %016" PRIx64 ", stored %016" PRIx64 ": another run, the same outcome\n",
                     record->hash, r->file.hash);
        return EXIT_DONE;
    }
    (void)printf("DIVERGED: hash %016" PRIx64 ", stored %016" PRIx64 "; level %s, stored %s\n",
                 record->hash, r->file.hash, level_name(record->level), level_name(r->file.level));
    print_difference(r);
    return EXIT_WORSE;
}

/* The story as a trace of Chrome's format: instant events, a thread a layer. */
static bool write_trace(const struct replay *r)
{
    const char *path = r->options->trace_path;
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        (void)fprintf(stderr, "--trace:1:1: cannot write `%.200s`: %s\n", path, strerror(errno));
        return false;
    }
    (void)fputs("{\"displayTimeUnit\": \"ns\", \"traceEvents\": [", file);
    for (uint32_t k = 0; k < r->record->event_count; k++) {
        const struct record_event *e = &r->record->event[k];
        (void)fprintf(file, "%s\n{\"ph\": \"i\", \"s\": \"t\", \"pid\": 1, \"ts\": %.3f, \"tid\": ",
                      k == 0 ? "" : ",", (double)e->time_ns / 1000);
        cli_json_text(file, e->layer);
        (void)fputs(", \"name\": ", file);
        cli_json_text(file, e->what);
        (void)fputs(", \"args\": {\"detail\": ", file);
        cli_json_text(file, e->detail);
        (void)fputs("}}", file);
    }
    (void)fputs("\n]}\n", file);
    return fclose(file) == 0;
}

int replay_trial(const struct replay_options *options)
{
    struct replay r = {.options = options};
    int code = EXIT_WRONG_INPUT;
    if (stored_open(&r.file, options->db_path, options->trial, options->any_build)) {
        r.record = mmap(NULL, sizeof(*r.record), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                        -1, 0);
        ASSERT(r.record != MAP_FAILED);
        code = EXIT_DEFECT;
        bool ran = run_apart(&r);
        if (ran && r.file.explored && r.record->trial == 0) {
            (void)printf("DIVERGED: this run has no such state\n");
            code = EXIT_WORSE;
        } else if (ran) {
            print_story(&r);
            code = judge(&r);
            if (options->trace_path != NULL && !write_trace(&r))
                code = EXIT_WRONG_INPUT;
        }
        (void)munmap(r.record, sizeof(*r.record));
    }
    stored_close(&r.file);
    return code;
}
