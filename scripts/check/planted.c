/*
 * Runs trials of a campaign with one defect of planted.h built into the stack: a program of the
 * build with LORIS_PLANTED, for planted.sh.
 *
 *   planted CAMPAIGN.yaml BUG|- VARIANT/WORKLOAD/FAULT TRIALS|depth=N [MIN.yaml]
 *
 * A line a trial on stdout: n, level, kept (1, 0, or - where nothing is promised), injected, story.
 * With a bug it ends at the first trial that breaks its promise: the bug is caught. MIN.yaml: what
 * that trial is shrunk to then (loris shrink).
 *
 * With depth=N it visits every crash state of the cell of up to that depth instead, or every death
 * of a process and up to N - 1 further ones, and prints how many states there were, how many boots,
 * how many classes broke their promise, and the weakest level of those.
 *
 * Exit 0; 1 if a bug was not caught; 2 for wrong arguments; 3 if a trial took the laboratory down.
 *
 * Each trial runs in a child of its own, forked after the fault-free run of its job: what a defect
 * leads to cannot reach the next one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "assertion.h"
#include "campaign/explore_strike.h"
#include "campaign/plan.h"
#include "campaign/shrink.h"
#include "campaign/stored.h"
#include "campaign/trial.h"
#include "scripts/check/planted_name.h"

#define EXIT_BROKEN 11 /* of the child of a trial; a failed assertion exits with 3 */

/* The one cell that runs. */
static const struct plan_cell *selected_cell(const struct plan *plan)
{
    const struct plan_cell *found = NULL;
    for (uint32_t c = 0; c < plan->cell_count; c++) {
        if (!plan->cells[c].selected)
            continue;
        if (found != NULL)
            return NULL;
        found = &plan->cells[c];
    }
    return found;
}

/* Returns whether the trial broke its promise. */
static bool trial_in_child(struct lab *lab, const struct plan_cell *cell, uint64_t n)
{
    (void)fflush(stdout);
    pid_t child = fork();
    ASSERT(child >= 0);
    if (child == 0) {
        struct trial_record *record = calloc(1, sizeof(*record));
        ASSERT(record != NULL);
        record_init(record);
        lab_trial(lab, cell->fault, record);
        int kept = record_kept(record);
        const char *level = level_name(record->level);
        ASSERT(level != NULL);
        printf("%llu %s %s %d %s\n", (unsigned long long)n, level,
               kept == RECORD_NULL ? "-"
               : kept              ? "1"
                                   : "0",
               record->injected, record->story);
        (void)fflush(stdout);
        _exit(kept == 0 ? EXIT_BROKEN : 0);
    }
    int status = 0;
    ASSERT(waitpid(child, &status, 0) == child);
    if (!WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != EXIT_BROKEN)) {
        (void)fprintf(stderr, "planted: trial %llu took the laboratory down\n",
                      (unsigned long long)n);
        exit(3);
    }
    return WEXITSTATUS(status) == EXIT_BROKEN;
}

static int shrink_caught(struct plan *plan, const struct plan_cell *cell, uint64_t n,
                         enum planted bug, const char *out)
{
    struct stored file = {.db_path = "planted",
                          .plan = plan,
                          .n = n,
                          .cell =
                              plan_cell_index(plan, cell->variant, cell->workload, cell->fault)};
    file.trial = plan_trial_number(plan, file.cell, n);
    return shrink_found(
        &(struct shrink_options){.out_path = out, .jobs = 2, .budget_s = 120, .planted = bug},
        &file);
}

static void note_weakest(void *context, const struct trial_record *record)
{
    enum level *weakest = context;
    *weakest = level_weaker(*weakest, record->level);
}

static struct explore_sum explore_power(struct lab *lab, const struct plan *plan, uint32_t cell,
                                        const struct explore_options *options,
                                        const struct explore_sink *sink)
{
    struct explorer *x = explorer_create(lab, plan);
    struct explore_sum sum = explorer_run(x, cell, 0, 0, options->depth, options, sink);
    explorer_destroy(x);
    return sum;
}

/* Of each process that may die first. */
static struct explore_sum explore_deaths(struct lab *lab, const struct plan *plan, uint32_t cell,
                                         const struct explore_options *options,
                                         const struct explore_sink *sink)
{
    struct explore_sum sum = {0};
    struct striker *s = striker_create(lab, plan);
    uint32_t parts = 1, levels = striker_levels(plan, cell);
    for (uint32_t part = 0; part < parts; part++) {
        if (!striker_has_part(plan, cell, part, &parts))
            continue;
        struct explore_sum one =
            striker_run(s, cell, 0, part, levels, options->depth > levels ? options->depth : levels,
                        options, sink);
        sum.states += one.states;
        sum.boots += one.boots;
        sum.broken += one.broken;
    }
    striker_destroy(s);
    return sum;
}

/* Returns whether a state broke its promise. */
static bool explore(struct lab *lab, const struct plan *plan, const struct plan_cell *cell,
                    const char *depth)
{
    uint32_t c = plan_cell_index(plan, cell->variant, cell->workload, cell->fault);
    enum level weakest = LEVEL_TRANSPARENT;
    struct explore_options options = {.depth = (uint32_t)strtoul(depth, NULL, 10), .every = 1};
    struct explore_sink sink = {.context = &weakest, .row = note_weakest};
    struct explore_sum sum = striker_takes(plan, c) ? explore_deaths(lab, plan, c, &options, &sink)
                                                    : explore_power(lab, plan, c, &options, &sink);
    printf("%llu states, %llu boots, %llu broken %s\n", (unsigned long long)sum.states,
           (unsigned long long)sum.boots, (unsigned long long)sum.broken, level_name(weakest));
    return sum.broken > 0;
}

int main(int argc, char **argv)
{
    enum planted bug = argc == 5 || argc == 6 ? planted_by_name(argv[2]) : PLANTED_COUNT;
    if (bug == PLANTED_COUNT) {
        (void)fprintf(
            stderr,
            "planted CAMPAIGN.yaml BUG|- VARIANT/WORKLOAD/FAULT TRIALS|depth=N [MIN.yaml]\n");
        return 2;
    }
    const char *only = argv[3];
    const char *depth = strncmp(argv[4], "depth=", 6) == 0 ? argv[4] + 6 : NULL;
    uint64_t trials = depth != NULL ? 0 : strtoull(argv[4], NULL, 10);
    struct plan_request request = {.path = argv[1], .only = &only, .only_count = 1};
    struct plan *plan = plan_load(&request, stderr);
    const struct plan_cell *cell = plan == NULL ? NULL : selected_cell(plan);
    if (cell == NULL || (trials == 0 && depth == NULL)) {
        (void)fprintf(stderr, "planted: %s is to name one cell of %s\n", only, argv[1]);
        return 2;
    }
    struct lab *lab = lab_create(plan);
    lab_plant(lab, bug);
    bool caught = depth != NULL && explore(lab, plan, cell, depth);
    uint64_t n = 0;
    for (; n < trials && !caught; n++) {
        lab_begin(lab, cell->variant, cell->workload, n);
        caught = trial_in_child(lab, cell, n) && bug != PLANTED_NONE;
    }
    lab_destroy(lab);
    int code = bug == PLANTED_NONE || caught ? 0 : 1;
    if (caught && argc == 6)
        code = shrink_caught(plan, cell, n - 1, bug, argv[5]);
    plan_destroy(plan);
    return code;
}
