#include "campaign/explore_worker.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assertion.h"
#include "campaign/explore_strike.h"
#include "campaign/worker.h"

struct explore_pipe {
    int fd;
    uint8_t *raw; /* RECORD_ENCODED_MAX */
};

static void send_frame(const struct explore_pipe *p, enum explore_frame_kind kind,
                       const void *bytes, size_t count)
{
    ASSERT(count <= EXPLORE_FRAME_BYTES_MAX);
    struct explore_frame frame = {.kind = kind, .bytes = (uint32_t)count};
    worker_write_all(p->fd, &frame, sizeof(frame));
    worker_write_all(p->fd, bytes, count);
}

static void on_row(void *context, const struct trial_record *record)
{
    const struct explore_pipe *p = context;
    size_t bytes = record_encode(record, p->raw);
    send_frame(p, EXPLORE_ROW, p->raw, bytes);
}

static void on_point(void *context, const struct explore_point *point)
{
    send_frame(context, EXPLORE_POINT, point, sizeof(*point));
}

static void on_progress(void *context, uint64_t states, uint64_t boots)
{
    struct explore_progress progress = {states, boots};
    send_frame(context, EXPLORE_PROGRESS, &progress, sizeof(progress));
}

/* One of both works in the laboratory at a time. */
struct hands {
    struct lab *lab;
    struct explorer *explorer;
    struct striker *striker;
};

static struct explore_sum run_job(struct hands *h, const struct plan *plan,
                                  const struct explore_job *job,
                                  const struct explore_options *options,
                                  const struct explore_sink *sink)
{
    if (!striker_takes(plan, job->cell)) {
        striker_destroy(h->striker);
        h->striker = NULL;
        if (h->explorer == NULL)
            h->explorer = explorer_create(h->lab, plan);
        return explorer_run(h->explorer, job->cell, job->n, job->from, job->to, options, sink);
    }
    explorer_destroy(h->explorer);
    h->explorer = NULL;
    if (h->striker == NULL)
        h->striker = striker_create(h->lab, plan);
    return striker_run(h->striker, job->cell, job->n, job->part, job->from, job->to, options, sink);
}

_Noreturn void explore_worker(const struct plan *plan, const struct explore_options *options,
                              int jobs_fd, int results_fd, uint32_t cpu)
{
    struct explore_pipe p = {.fd = results_fd, .raw = malloc(RECORD_ENCODED_MAX)};
    struct explore_sink sink = {
        .context = &p, .row = on_row, .point = on_point, .progress = on_progress};
    struct explore_job job;
    ASSERT(p.raw != NULL);
    worker_pin(cpu);
    struct hands hands = {.lab = lab_create(plan)};
    while (worker_read_all(jobs_fd, &job, sizeof(job))) {
        struct explore_sum sum = run_job(&hands, plan, &job, options, &sink);
        send_frame(&p, EXPLORE_END, &sum, sizeof(sum));
    }
    _exit(0);
}
