/*
 * `loris replay`: one trial of a results file, run again from the campaign that the file stores.
 * The run happens in a child, so that a trial which kills its laboratory is told of like any other.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "assertion.h"
#include "campaign/cli.h"
#include "campaign/explore.h"
#include "campaign/replay_dump.h"
#include "campaign/replay_gdb.h"
#include "campaign/replay_trace.h"
#include "campaign/run.h"
#include "campaign/stored.h"
#include "campaign/trial.h"
#include "campaign/worker.h"
#include "results/text.h"

struct replay {
    const struct replay_options *options;
    struct stored file;
    struct trial_record *record; /* of the run, in *shared */
    struct replay_shared *shared;
    struct replay_tracer *tracer; /* the child's; NULL: nothing of it is asked for */
    FILE *trace, *record_file, *dump, *dump_stable;
    bool killed; /* by who debugs it */
};

/* What the child leaves. */
struct replay_shared {
    struct trial_record record;
    uint64_t events;
    bool stopped;   /* at --until: there it ended, or a debugger looked at it */
    bool unwritten; /* a file is not whole */
};

/* Writes what is asked for of the run, of which no more comes. */
static void write_files(struct replay *r)
{
    bool ok = true;
    if (r->tracer == NULL || replay_tracer_machine(r->tracer) == NULL)
        return;
    struct sim_machine *m = replay_tracer_machine(r->tracer);
    r->shared->events = replay_tracer_events(r->tracer);
    if (r->dump != NULL)
        ok = replay_dump(sim_machine_disk(m, r->options->dump_disk), r->dump, r->dump_stable);
    if (r->record_file != NULL) {
        replay_tracer_record(r->tracer, r->record_file);
        ok = fflush(r->record_file) == 0 && ferror(r->record_file) == 0 && ok;
    }
    if (r->trace != NULL) {
        replay_tracer_write(r->tracer, r->trace);
        ok = fflush(r->trace) == 0 && ferror(r->trace) == 0 && ok;
    }
    r->shared->unwritten = !ok;
}

/* The run has come to --until: this process, a child, ends here, unless a debugger goes on. */
static void stop_here(void *context)
{
    struct replay *r = context;
    replay_tracer_tell(r->tracer, stdout);
    r->shared->stopped = true;
    if (r->options->gdb) {
        replay_gdb_stop(replay_tracer_machine(r->tracer), replay_tracer_events(r->tracer));
        return;
    }
    write_files(r);
    (void)fflush(NULL);
    _exit(0);
}

/* From now on the runs of this laboratory are told. */
static void tell(struct replay *r, struct lab *lab)
{
    const struct replay_options *o = r->options;
    if (o->verbose)
        lab_tell(lab, stdout);
    if (o->trace_path == NULL && o->record_path == NULL && o->dump_path == NULL && o->until == 0 &&
        !o->gdb)
        return;
    r->tracer = replay_tracer_create();
    replay_tracer_stop_at(r->tracer, o->gdb && o->until == 0 ? 1 : o->until, stop_here, r);
    lab_trace(lab, replay_tracer_lab(r->tracer));
}

/* The run is over. */
static void told(struct replay *r)
{
    if (r->tracer != NULL && replay_tracer_machine(r->tracer) != NULL)
        replay_tracer_verdict(r->tracer, level_name(r->record->level), r->record->story);
    write_files(r);
    (void)fflush(stdout);
}

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
    tell(r, lab);
    if (!explorer_visit(x, r->file.cell, r->file.n, r->file.point, r->file.disk, r->record))
        r->record->trial = 0;
    told(r);
    lab_trace(lab, NULL);
    explorer_destroy(x);
    lab_destroy(lab);
    replay_tracer_destroy(r->tracer);
}

/* Runs the trial in this process. */
static void run_here(struct replay *r)
{
    const struct plan_cell *cell = &r->file.plan->cells[r->file.cell];
    bool alone = r->file.plan->faults[cell->fault].count == 0; /* the fault-free run is the trial */
    struct lab *lab = lab_create(r->file.plan);
    if (alone)
        tell(r, lab);
    lab_begin(lab, cell->variant, cell->workload, r->file.n);
    if (!alone)
        tell(r, lab);
    if (r->options->verbose)
        close_laboratory(r, lab);
    if (r->file.strike_count > 0)
        striker_trial(lab, r->file.plan, r->file.cell, r->file.strikes, r->file.strike_count,
                      r->record);
    else
        lab_trial(lab, cell->fault, r->record);
    told(r);
    lab_trace(lab, NULL);
    lab_destroy(lab);
    replay_tracer_destroy(r->tracer);
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
    do {
        while (waitpid(child, &status, r->options->gdb ? WUNTRACED : 0) < 0)
            ASSERT(errno == EINTR);
        if (WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP && r->shared->stopped)
            replay_gdb_attach(child);
    } while (WIFSTOPPED(status));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    r->killed =
        r->options->gdb && r->shared->stopped && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (r->killed)
        return true;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE)
        (void)raise(SIGPIPE); /* nobody reads on what it tells */
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

/* ---- Files ------------------------------------------------------------------------------------
 */

static FILE *open_file(const char *option, const char *path)
{
    FILE *file = fopen(path, "w");
    if (file == NULL)
        (void)fprintf(stderr, "%s:1:1: cannot write `%.200s`: %s\n", option, path, strerror(errno));
    return file;
}

/* Whether this trial has what is asked for, and this host what it takes. */
static bool can_be(const struct replay *r)
{
    const struct replay_options *o = r->options;
    const struct plan *plan = r->file.plan;
    const struct plan_machine *machine = &plan->variants[plan->cells[r->file.cell].variant].machine;
    uint32_t disks = machine->disk_count + machine->spare_count;
    if (o->dump_path != NULL && r->file.explored) {
        (void)fputs(
            "--dump:1:1: not available yet: for a crash state of `loris explore`; dump what "
            "`loris shrink` makes of it\n",
            stderr);
        return false;
    }
    if (o->dump_path != NULL && o->dump_disk >= disks) {
        (void)fprintf(stderr, "--dump:1:1: disk:%" PRIu32 ": the machine has %" PRIu32 " disks\n",
                      o->dump_disk, disks);
        return false;
    }
    return !o->gdb || replay_gdb_found();
}

/* Makes the files that are asked for before anything runs. */
static bool open_files(struct replay *r)
{
    const struct replay_options *o = r->options;
    char path[4096];
    if (o->dump_path != NULL) {
        (void)snprintf(path, sizeof(path), "%s.stable", o->dump_path);
        r->dump = open_file("--dump", o->dump_path);
        r->dump_stable = r->dump != NULL ? open_file("--dump", path) : NULL;
    }
    if (o->trace_path != NULL)
        r->trace = open_file("--trace", o->trace_path);
    if (o->record_path != NULL)
        r->record_file = open_file("--record", o->record_path);
    return (o->dump_path == NULL || r->dump_stable != NULL) &&
           (o->trace_path == NULL || r->trace != NULL) &&
           (o->record_path == NULL || r->record_file != NULL);
}

static void close_files(struct replay *r)
{
    FILE *const files[] = {r->trace, r->record_file, r->dump, r->dump_stable};
    for (size_t k = 0; k < sizeof(files) / sizeof(files[0]); k++)
        if (files[k] != NULL)
            (void)fclose(files[k]); /* nothing was written here */
}

/* What became of the run, of which the child has left all that it found. */
static int report(const struct replay *r)
{
    const struct replay_options *o = r->options;
    int code = EXIT_DONE;
    if (r->killed) {
        (void)printf("trial %" PRIu64 " was ended in gdb\n", r->file.trial);
        return EXIT_DONE;
    } else if (r->shared->stopped && !o->gdb) {
        (void)printf("trial %" PRIu64 " stopped at event %" PRIu64 "\n", r->file.trial, o->until);
    } else if (r->file.explored && r->record->trial == 0) {
        (void)printf("DIVERGED: this run has no such state\n");
        return EXIT_WORSE;
    } else {
        print_story(r);
        code = judge(r);
        if (o->until != 0 && !r->shared->stopped) {
            (void)fprintf(stderr, "--until:1:1: the trial has %" PRIu64 " events\n",
                          r->shared->events);
            code = EXIT_WRONG_INPUT;
        }
    }
    if (r->shared->unwritten) {
        (void)fprintf(stderr, "--%s:1:1: cannot write all of it\n",
                      o->dump_path != NULL    ? "dump"
                      : o->trace_path != NULL ? "trace"
                                              : "record");
        code = EXIT_WRONG_INPUT;
    }
    return code;
}

/* A run that diverged, once more, and whether it is at least the same as itself. */
static void run_again(struct replay *r)
{
    static const struct replay_options quiet = {0};
    uint64_t hash = r->record->hash;
    r->options = &quiet;
    if (!run_apart(r))
        return;
    if (r->record->hash == hash)
        (void)printf("run twice it is the same: another build or campaign made the row; --record "
                     "of both names the event\n");
    else
        (void)printf("run twice it differs from itself, hash %016" PRIx64
                     ": a defect of loris, please report it\n",
                     r->record->hash);
}

int replay_trial(const struct replay_options *options)
{
    struct replay r = {.options = options};
    int code = EXIT_WRONG_INPUT;
    if (stored_open(&r.file, options->db_path, options->trial, options->any_build) && can_be(&r) &&
        open_files(&r)) {
        r.shared = mmap(NULL, sizeof(*r.shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                        -1, 0);
        ASSERT(r.shared != MAP_FAILED);
        r.record = &r.shared->record;
        code = run_apart(&r) ? report(&r) : EXIT_DEFECT;
        if (code == EXIT_WORSE)
            run_again(&r);
        (void)munmap(r.shared, sizeof(*r.shared));
    }
    close_files(&r);
    stored_close(&r.file);
    return code;
}
