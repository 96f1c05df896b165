#include "campaign/run.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "campaign/cli.h"
#include "campaign/coordinator.h"
#include "campaign/jobs.h"
#include "campaign/store_plan.h"
#include "campaign/trial.h"
#include "results/show.h"

static void *lab_open(const struct plan *plan)
{
    return lab_create(plan);
}

static void lab_close(void *lab)
{
    lab_destroy(lab);
}

static void lab_job(void *lab, uint32_t variant, uint32_t workload, uint64_t n)
{
    lab_begin(lab, variant, workload, n);
}

static void lab_run(void *lab, uint32_t fault, struct trial_record *record)
{
    lab_trial(lab, fault, record);
}

static bool lab_retires(const void *lab)
{
    return lab_must_retire(lab);
}

const struct worker_ops run_lab_ops = {.create = lab_open,
                                       .destroy = lab_close,
                                       .begin = lab_job,
                                       .trial = lab_run,
                                       .must_retire = lab_retires};

static bool have_trial(void *object, uint64_t trial)
{
    return store_has(object, trial);
}

/* Counts what the store holds already into the tallies. */
static void count_stored(struct store *store, struct progress *progress)
{
    struct store_tally tally;
    if (store_tally(store, UINT32_MAX, &tally) != OK)
        return; /* told with the first trial, or at the end */
    progress->broken = tally.broken;
    for (unsigned k = 0; k < LEVEL_COUNT; k++)
        progress->level[k] = tally.level[k];
}

/* Whether the run, once through, leaves nothing of the campaign to do. */
static bool covers_all(const struct plan *plan)
{
    for (uint32_t c = 0; c < plan->cell_count; c++)
        if (plan->cells[c].skipped == NULL && !plan->cells[c].selected)
            return false;
    return true;
}

/* A word as a shell would need it: as it is, if it has nothing but harmless characters; else in
 * quotes. */
static void print_word(const char *word)
{
    bool plain = word[0] != '\0' &&
                 strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                              "._-/+=@%,:") == strlen(word);
    (void)fputs(plain ? " " : " '", stderr);
    for (const char *c = word; *c != '\0'; c++) {
        if (*c == '\'')
            (void)fputs("'\\'", stderr);
        (void)fputc(*c, stderr);
    }
    if (!plain)
        (void)fputc('\'', stderr);
}

static void print_words(const char *option, const char *const *words, uint32_t count)
{
    for (uint32_t k = 0; k < count; k++) {
        (void)fprintf(stderr, " --%s", option);
        print_word(words[k]);
    }
}

/* What changes the plan or chooses from it: without these the run would be another. */
static void print_request(const struct plan_request *r)
{
    print_words("set", r->sets, r->set_count);
    print_words("only", r->only, r->only_count);
    print_words("skip", r->skip, r->skip_count);
    print_words("shard", &r->shard, r->shard != NULL);
    if (r->trials_given)
        (void)fprintf(stderr, " --trials %llu", (unsigned long long)r->trials);
    if (r->seed_given)
        (void)fprintf(stderr, " --seed %llu", (unsigned long long)r->seed);
}

static void tell_how_to_resume(const struct run_options *o, const struct progress *progress)
{
    (void)fprintf(stderr, "loris: interrupted after %llu of %llu trials, all kept; go on with: ",
                  (unsigned long long)progress->done, (unsigned long long)progress->total);
    (void)fputs("loris run", stderr);
    print_word(o->request == NULL ? "CAMPAIGN.yaml" : o->request->path);
    if (o->request != NULL)
        print_request(o->request);
    (void)fputs(" -o", stderr);
    print_word(o->out_path);
    (void)fputs(" --resume\n", stderr);
}

/* While the file is made and closed, a signal waits: it would leave half a file beside its name. */
static void hold_signals(sigset_t *before)
{
    sigset_t held;
    (void)sigemptyset(&held);
    (void)sigaddset(&held, SIGINT);
    (void)sigaddset(&held, SIGTERM);
    (void)sigaddset(&held, SIGHUP);
    (void)sigaddset(&held, SIGQUIT);
    (void)sigprocmask(SIG_BLOCK, &held, before);
}

/* The coordinator takes SIGINT and SIGTERM, also those that came while they were held. */
static void release_others(void)
{
    sigset_t others;
    (void)sigemptyset(&others);
    (void)sigaddset(&others, SIGHUP);
    (void)sigaddset(&others, SIGQUIT);
    (void)sigprocmask(SIG_UNBLOCK, &others, NULL);
}

static int finish(const struct plan *plan, const struct run_options *o, struct store *store,
                  struct progress *progress, const struct coordinator_result *result,
                  const sigset_t *signals)
{
    struct store_tally tally;
    enum err err = store_tally(store, UINT32_MAX, &tally);
    bool whole = result->defects == 0 && result->signal == 0 && covers_all(plan);
    if (result->store != OK)
        err = result->store;
    else if (err == OK)
        err = whole ? store_finish(store) : store_commit(store);
    if (err != OK && result->store == OK)
        (void)fprintf(stderr, "%s\n", store_error(store));
    store_close(store);
    if (result->signal != 0)
        tell_how_to_resume(o, progress); /* a second signal does not cut that off */
    (void)sigprocmask(SIG_SETMASK, signals, NULL);
    if (result->signal != 0)
        return 128 + result->signal;
    struct show_options show = {.path = o->out_path, .colour = cli_colour()};
    int format = show_format_from_name(o->format == NULL ? "table" : o->format);
    show.format = (enum show_format)(format < 0 ? 0 : format);
    int code = show_run(&show, stdout, stderr);
    if (result->defects > 0)
        return EXIT_DEFECT;
    if (err != OK || code != EXIT_DONE)
        return EXIT_WRONG_INPUT;
    return o->strict && tally.broken > 0 ? EXIT_WORSE : EXIT_DONE;
}

int run_with(const struct plan *plan, const struct run_options *o, const struct worker_ops *ops)
{
    ASSERT(plan != NULL && o != NULL && ops != NULL);
    ASSERT(o->out_path != NULL);
    struct store_plan stored;
    struct store *store = NULL;
    char error[STORE_ERROR_BYTES];
    enum store_mode mode = o->overwrite ? STORE_OVERWRITE : o->resume ? STORE_RESUME : STORE_NEW;
    sigset_t signals;
    store_plan_make(plan, &stored);
    hold_signals(&signals);
    enum err opened = store_open(&store, o->out_path, mode, &stored, error);
    if (opened == OK)
        release_others();
    else
        (void)sigprocmask(SIG_SETMASK, &signals, NULL);
    if (opened != OK) {
        (void)fprintf(stderr, "%s\n", error);
        return EXIT_WRONG_INPUT;
    }
    uint64_t total = 0, done = 0;
    jobs_count(plan, o->resume ? have_trial : NULL, store, &total, &done);
    struct progress progress;
    progress_begin(&progress, o->progress, stderr, total, done);
    if (o->resume)
        count_stored(store, &progress);
    struct coordinator_result result = {0};
    if (done < total)
        result = coordinator_run(plan, ops, store, &progress, o->jobs, o->host_limit_s, o->resume,
                                 o->out_path);
    progress_end(&progress);
    return finish(plan, o, store, &progress, &result, &signals);
}

int run_campaign(const struct plan *plan, const struct run_options *options)
{
    return run_with(plan, options, &run_lab_ops);
}
