/* The jobs of an exploration, in the order in which their results are stored. */
#ifndef LORIS_CAMPAIGN_EXPLORE_JOBS_H
#define LORIS_CAMPAIGN_EXPLORE_JOBS_H

#include "campaign/explore_worker.h"

struct explore_jobs {
    struct explore_job *job;
    uint64_t count;
};

/* Whether the cell is selected and can be explored. */
bool explore_jobs_wants(const struct plan *plan, uint32_t cell);

/* How many jobs there are, stored ones too. bounded: each depth, and number of deaths, by itself,
 * over all cells before the next, so that whole ones are done first. */
uint64_t explore_jobs_count(const struct plan *plan, const struct explore_options *options,
                            bool bounded);

/* Lists them, but for those of which all is in `store` (NULL: nothing is). Freed by the caller by
 * explore_jobs_free. E_MEDIA: the store cannot be read, and says why. */
MUST_USE enum err explore_jobs_list(struct explore_jobs *jobs, const struct plan *plan,
                                    const struct explore_options *options, bool bounded,
                                    struct store *store);
void explore_jobs_free(struct explore_jobs *jobs);

/* Whether no other job goes deeper where this one was. */
bool explore_jobs_is_deepest(const struct plan *plan, const struct explore_options *options,
                             const struct explore_job *job);

/* How the store names a point of the job. */
void explore_jobs_name(const struct explore_job *job, const struct explore_point *point, char *to,
                       size_t room);

/* Adds up what the store has of the job's points: all of that sequence, whatever the depth; of
 * deaths of that number. */
MUST_USE enum err explore_jobs_stored(struct store *store, const struct plan *plan,
                                      const struct explore_job *job,
                                      struct store_explored_sum *sum);

#endif
