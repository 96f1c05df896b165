#include "campaign/jobs.h"

#include <stddef.h>

#include "assertion.h"

void jobs_begin(struct jobs *jobs, const struct plan *plan, const struct early *early,
                jobs_have *have, void *object)
{
    ASSERT(plan != NULL && plan->variant_count > 0);
    *jobs = (struct jobs){.plan = plan, .have = have, .object = object, .early = early};
    jobs->end = early == NULL ? plan->trials.count : early_end(early);
    jobs->ended = jobs->end == 0;
}

void jobs_go_on(struct jobs *jobs)
{
    ASSERT(jobs->ended && early_end(jobs->early) > jobs->end);
    ASSERT(jobs->variant == 0 && jobs->workload == 0 && jobs->n == jobs->end);
    jobs->end = early_end(jobs->early);
    jobs->ended = false;
}

/* Moves to the next place: n within the block, then workload, variant, block. */
static void advance(struct jobs *jobs)
{
    const struct plan *plan = jobs->plan;
    uint64_t end = jobs->block + JOBS_BLOCK < jobs->end ? jobs->block + JOBS_BLOCK : jobs->end;
    if (++jobs->n < end)
        return;
    jobs->n = jobs->block;
    if (++jobs->workload < plan->workload_count)
        return;
    jobs->workload = 0;
    if (++jobs->variant < plan->variant_count)
        return;
    jobs->variant = 0;
    jobs->block = jobs->n = end;
    jobs->ended = end == jobs->end;
}

/* The fault plans that the place at hand still wants. */
static void fill(const struct jobs *jobs, struct job *job)
{
    const struct plan *plan = jobs->plan;
    job->variant = jobs->variant;
    job->workload = jobs->workload;
    job->n = jobs->n;
    job->count = 0;
    for (uint32_t f = 0; f < plan->fault_count; f++) {
        uint32_t cell = plan_cell_index(plan, jobs->variant, jobs->workload, f);
        if (!plan_wants(plan, cell, jobs->n))
            continue;
        if (jobs->early != NULL && !early_open(jobs->early, cell))
            continue;
        if (jobs->have != NULL && jobs->have(jobs->object, plan_trial_number(plan, cell, jobs->n)))
            continue;
        job->faults[job->count++] = f;
    }
}

bool jobs_next(struct jobs *jobs, struct job *job)
{
    ASSERT(job->faults != NULL);
    while (!jobs->ended) {
        fill(jobs, job);
        advance(jobs);
        if (job->count > 0)
            return true;
    }
    return false;
}

void jobs_count(const struct plan *plan, jobs_have *have, void *object, uint64_t *total,
                uint64_t *done)
{
    *total = *done = 0;
    for (uint32_t c = 0; c < plan->cell_count; c++) {
        *total += plan_wanted(plan, c);
        for (uint64_t n = 0; have != NULL && n < plan->trials.count; n++)
            *done += plan_wants(plan, c, n) && have(object, plan_trial_number(plan, c, n));
    }
}
