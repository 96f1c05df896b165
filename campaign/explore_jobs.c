#include "campaign/explore_jobs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "assertion.h"
#include "campaign/explore_strike.h"

/* How many sequences a workload has: those of app `bounded`, else one. */
static uint64_t sequences_of(const struct plan_workload *w)
{
    for (uint32_t k = 0; k < w->app_count; k++)
        if (w->apps[k].bounded != NULL)
            return w->apps[k].bounded->count;
    return 1;
}

bool explore_jobs_wants(const struct plan *plan, uint32_t cell)
{
    return plan->cells[cell].selected && explore_refuses(plan, cell) == NULL;
}

/* The least and the greatest depth of a cell: of power cuts writes that are left out, else deaths.
 */
static void depths_of(const struct plan *plan, const struct explore_options *o, uint32_t cell,
                      uint32_t *least, uint32_t *most)
{
    *least = 0;
    *most = o->depth;
    if (!striker_takes(plan, cell))
        return;
    *least = *most = striker_levels(plan, cell);
    if (striker_flips(plan, cell))
        return;
    *most = o->strikes > *least ? o->strikes : *least;
}

/* The parts of a cell: of power cuts one, else each process that may die first. */
static uint32_t parts_of(const struct plan *plan, uint32_t cell, bool has[SIM_PROCESSES_MAX])
{
    uint32_t parts = 1, count = 0;
    has[0] = true;
    if (striker_takes(plan, cell))
        has[0] = striker_has_part(plan, cell, 0, &parts);
    for (uint32_t k = 0; k < parts; k++) {
        if (k > 0)
            has[k] = striker_has_part(plan, cell, k, &parts);
        count += has[k];
    }
    for (uint32_t k = parts; k < SIM_PROCESSES_MAX; k++)
        has[k] = false;
    return count;
}

uint64_t explore_jobs_count(const struct plan *plan, const struct explore_options *options,
                            bool bounded)
{
    uint64_t first = (plan->shard - 1) % plan->shards, jobs = 0;
    for (uint32_t c = 0; c < plan->cell_count; c++) {
        bool has[SIM_PROCESSES_MAX];
        uint32_t least, most;
        uint64_t count = sequences_of(&plan->workloads[plan->cells[c].workload]);
        if (!explore_jobs_wants(plan, c) || count <= first)
            continue;
        depths_of(plan, options, c, &least, &most);
        jobs += ((count - first - 1) / plan->shards + 1) * parts_of(plan, c, has) *
                (bounded ? most - least + 1 : 1);
    }
    return jobs;
}

static void add(struct explore_jobs *jobs, const struct explore_job *job)
{
    if ((jobs->count & (jobs->count - 1)) == 0) { /* grows at powers of two */
        uint64_t room = jobs->count == 0 ? 1 : jobs->count * 2;
        jobs->job = realloc(jobs->job, room * sizeof(*jobs->job));
        ASSERT(jobs->job != NULL);
    }
    jobs->job[jobs->count++] = *job;
}

/* Adds the job unless all of its points are stored, with nothing left. */
static enum err add_unless_stored(struct explore_jobs *jobs, const struct plan *plan,
                                  struct store *store, const struct explore_job *job)
{
    struct store_explored_sum sum = {0};
    enum err e = store == NULL ? OK : explore_jobs_stored(store, plan, job, &sum);
    if (e == OK && (sum.points == 0 || sum.left > 0))
        add(jobs, job);
    return e;
}

/* The jobs of a cell with these depths. */
static enum err add_cell(struct explore_jobs *jobs, const struct plan *plan, struct store *store,
                         struct explore_job job)
{
    bool has[SIM_PROCESSES_MAX];
    uint64_t count = sequences_of(&plan->workloads[plan->cells[job.cell].workload]);
    (void)parts_of(plan, job.cell, has);
    for (job.n = (plan->shard - 1) % plan->shards; job.n < count; job.n += plan->shards)
        for (job.part = 0; job.part < SIM_PROCESSES_MAX; job.part++) {
            enum err e = has[job.part] ? add_unless_stored(jobs, plan, store, &job) : OK;
            if (e != OK)
                return e;
        }
    return OK;
}

enum err explore_jobs_list(struct explore_jobs *jobs, const struct plan *plan,
                           const struct explore_options *options, bool bounded, struct store *store)
{
    enum err e = OK;
    bool more = true;
    *jobs = (struct explore_jobs){0};
    for (uint32_t round = 0; more && e == OK; round++) {
        more = false;
        for (uint32_t c = 0; c < plan->cell_count && e == OK; c++) {
            uint32_t least, most;
            if (!explore_jobs_wants(plan, c))
                continue;
            depths_of(plan, options, c, &least, &most);
            if (least + round > most)
                continue;
            struct explore_job job = {.cell = c, .from = least, .to = most};
            if (bounded)
                job.from = job.to = least + round;
            e = add_cell(jobs, plan, store, job);
            more = more || job.to < most;
        }
    }
    return e;
}

void explore_jobs_free(struct explore_jobs *jobs)
{
    free(jobs->job);
    *jobs = (struct explore_jobs){0};
}

bool explore_jobs_is_deepest(const struct plan *plan, const struct explore_options *options,
                             const struct explore_job *job)
{
    uint32_t least, most;
    /* What a power cut leaves at a depth counts all that is deeper; deaths count by themselves. */
    depths_of(plan, options, job->cell, &least, &most);
    return striker_takes(plan, job->cell) || job->to == most;
}

void explore_jobs_name(const struct explore_job *job, const struct explore_point *point, char *to,
                       size_t room)
{
    (void)snprintf(to, room, "%" PRIu64 ".%05" PRIu32 " %s", job->n, point->number, point->name);
}

enum err explore_jobs_stored(struct store *store, const struct plan *plan,
                             const struct explore_job *job, struct store_explored_sum *sum)
{
    char prefix[STORE_PREFIX_BYTES];
    if (!striker_takes(plan, job->cell)) {
        (void)snprintf(prefix, sizeof(prefix), "%" PRIu64 ".", job->n);
        return store_explored_of(store, job->cell, prefix, sum);
    }
    *sum = (struct store_explored_sum){0};
    for (uint32_t level = job->from; level <= job->to; level++) {
        struct store_explored_sum one;
        (void)snprintf(prefix, sizeof(prefix), "%" PRIu64 ".%05" PRIu32 " ", job->n,
                       striker_point(job->part, level));
        enum err e = store_explored_of(store, job->cell, prefix, &one);
        if (e != OK)
            return e;
        sum->points += one.points;
        sum->left += one.left + (one.points == 0); /* not begun */
    }
    return OK;
}
