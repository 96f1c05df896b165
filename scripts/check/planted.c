/*
 * Runs trials of a campaign with one defect of planted.h built into the stack: a program of the
 * build with LORIS_PLANTED, for planted.sh.
 *
 *   planted CAMPAIGN.yaml BUG|- VARIANT/WORKLOAD/FAULT TRIALS [MIN.yaml]
 *
 * A line a trial on stdout: n, level, kept (1, 0, or - where nothing is promised), injected, story.
 * With a bug it ends at the first trial that breaks its promise: the bug is caught. MIN.yaml: what
 * that trial is shrunk to then (loris shrink).
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

int main(int argc, char **argv)
{
    enum planted bug = argc == 5 || argc == 6 ? planted_by_name(argv[2]) : PLANTED_COUNT;
    if (bug == PLANTED_COUNT) {
        (void)fprintf(stderr,
                      "planted CAMPAIGN.yaml BUG|- VARIANT/WORKLOAD/FAULT TRIALS [MIN.yaml]\n");
        return 2;
    }
    const char *only = argv[3];
    uint64_t trials = strtoull(argv[4], NULL, 10);
    struct plan_request request = {.path = argv[1], .only = &only, .only_count = 1};
    struct plan *plan = plan_load(&request, stderr);
    const struct plan_cell *cell = plan == NULL ? NULL : selected_cell(plan);
    if (cell == NULL || trials == 0) {
        (void)fprintf(stderr, "planted: %s is to name one cell of %s\n", only, argv[1]);
        return 2;
    }
    struct lab *lab = lab_create(plan);
    lab_plant(lab, bug);
    bool caught = false;
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
