/* Takes down the marks of a run: what the machine, its disks and the laboratory tell. */
#include "campaign/replay_trace.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "campaign/replay_trace_private.h"
#include "faults/registry.h"
#include "stack/designs.h"

/* ---- Marks -------------------------------------------------------------------------------------
 */

/* Room for one more of `count` elements. */
static void *grown(void *array, size_t count, size_t *room, size_t bytes)
{
    if (count < *room)
        return array;
    *room = *room > 0 ? *room * 2 : 1024;
    array = realloc(array, *room * bytes);
    ASSERT(array != NULL);
    return array;
}

static uint64_t now_of(const struct replay_tracer *t)
{
    return sim_machine_now(t->machine);
}

/* A new mark, valid until the next one. */
static struct trace_mark *add(struct replay_tracer *t, enum trace_kind kind, uint64_t ts_ns,
                              uint32_t pid, uint32_t tid)
{
    t->mark = grown(t->mark, t->count, &t->room, sizeof(*t->mark));
    struct trace_mark *mark = &t->mark[t->count++];
    *mark = (struct trace_mark){.event = t->count,
                                .hash = sim_machine_hash(t->machine),
                                .ts_ns = ts_ns,
                                .pid = pid,
                                .tid = tid,
                                .kind = kind};
    return mark;
}

/* The last thing that each function does which the machine calls. */
static void look_at_stop(struct replay_tracer *t)
{
    if (!t->armed || t->stop_at == 0 || t->count < t->stop_at)
        return;
    t->stop_at = 0;
    t->stop(t->stop_context);
}

static void clear(struct replay_tracer *t)
{
    for (size_t k = 0; k < t->count; k++)
        free(t->mark[k].text);
    t->count = t->tracks = t->flows = 0;
    t->zero_ns = 0;
    memset(t->process, 0, sizeof(t->process));
    memset(t->environment, 0, sizeof(t->environment));
    for (uint32_t d = 0; d < DISKS_MAX; d++)
        t->disk[d].count = 0;
}

/* ---- Processes ---------------------------------------------------------------------------------
 */

static uint32_t pid_of(const struct replay_tracer *t, enum layer layer, uint32_t instance)
{
    switch (layer) {
    case LAYER_VFS:
    case LAYER_NAMING:
        return TRACE_ENVIRONMENT + instance;
    case LAYER_APP: /* the last ones read for the judge: one an environment */
        if (instance >= SIM_APPS_MAX - ENVIRONMENTS_MAX)
            return TRACE_ENVIRONMENT + instance - (SIM_APPS_MAX - ENVIRONMENTS_MAX);
        return TRACE_ENVIRONMENT + t->environment[instance];
    case LAYER_CACHE:
        return TRACE_CACHE;
    case LAYER_FS:
        return TRACE_FS;
    case LAYER_LOGICAL:
        return TRACE_LOGICAL;
    case LAYER_RAID:
        return TRACE_RAID;
    case LAYER_PHYSICAL:
    case LAYER_DRIVER:
        return TRACE_PHYSICAL + instance;
    case LAYER_NONE:
    case LAYER_KERNEL:
    case LAYER_COUNT:
        break;
    }
    return TRACE_MACHINE;
}

static const struct trace_track *track_of(const struct replay_tracer *t,
                                          const struct trace_process *p)
{
    ASSERT(p->track < t->tracks);
    return &t->track[p->track];
}

/* The time at which something may be put on the track of p. */
static uint64_t place(const struct replay_tracer *t, const struct trace_process *p, uint64_t ns)
{
    uint64_t now_ns = now_of(t);
    ns = now_ns > ns ? now_ns : ns;
    return p->free_ns > ns ? p->free_ns : ns;
}

static void close_slice(struct replay_tracer *t, struct trace_process *p)
{
    if (p->slice == 0)
        return;
    struct trace_mark *slice = &t->mark[p->slice - 1];
    ASSERT(slice->kind == TRACE_SLICE);
    uint64_t end_ns = place(t, p, slice->ts_ns) + 1; /* what is sent last lies in it, too */
    slice->dur_ns = end_ns - slice->ts_ns;
    slice->paired = true;
    p->free_ns = end_ns;
    p->slice = 0;
}

/* From now on p does this. not_before_ns: of what made it do so. */
static struct trace_mark *open_slice(struct replay_tracer *t, struct trace_process *p,
                                     const char *name, uint64_t not_before_ns)
{
    close_slice(t, p);
    const struct trace_track *track = track_of(t, p);
    uint64_t ts_ns = place(t, p, not_before_ns);
    struct trace_mark *slice = add(t, TRACE_SLICE, ts_ns, track->pid, track->tid);
    slice->name = name;
    p->slice = t->count;
    p->free_ns = ts_ns;
    return slice;
}

static void point(struct replay_tracer *t, struct trace_process *p, const char *name)
{
    const struct trace_track *track = track_of(t, p);
    p->free_ns = place(t, p, 0);
    add(t, TRACE_POINT, p->free_ns, track->pid, track->tid)->name = name;
}

static void starts(struct replay_tracer *t, struct trace_process *p, const struct sim_trace *what)
{
    const char *layer = layer_name(what->layer);
    ASSERT(p->starts + 1 < TRACE_STARTS_MAX);
    t->track = grown(t->track, t->tracks, &t->tracks_room, sizeof(*t->track));
    p->track = t->tracks++;
    p->alive = true;
    p->endpoint = what->endpoint;
    p->slice = 0;
    p->peer = ENDPOINT_NONE;
    p->free_ns = 0;
    p->starts++;
    struct trace_track *track = &t->track[p->track];
    track->pid = pid_of(t, what->layer, what->instance);
    track->tid = what->slot * TRACE_STARTS_MAX + p->starts;
    (void)snprintf(track->name, sizeof(track->name), "%.16s.%" PRIu32 " #%" PRIu32,
                   layer != NULL ? layer : "app", what->instance, p->starts);
    (void)open_slice(t, p, "start", 0);
}

/* Nobody will take what was sent to it. */
static void forget_flows(struct replay_tracer *t, uint32_t to)
{
    size_t kept = 0;
    for (size_t k = 0; k < t->flows; k++)
        if (t->mark[t->flow[k]].to != to)
            t->flow[kept++] = t->flow[k];
    t->flows = kept;
}

static void ends(struct replay_tracer *t, struct trace_process *p)
{
    close_slice(t, p);
    point(t, p, "ends");
    p->alive = false;
    forget_flows(t, p->endpoint);
}

/* ---- Messages ----------------------------------------------------------------------------------
 */

static void of_message(struct trace_mark *mark, const struct msg *m)
{
    mark->type = m->type;
    mark->number = m->id;
    mark->status = m->status;
    trace_message_range(m, mark->range, sizeof(mark->range));
}

static void sends(struct replay_tracer *t, struct trace_process *p, const struct sim_trace *what)
{
    const struct trace_track *track = track_of(t, p);
    p->free_ns = place(t, p, 0);
    struct trace_mark *mark = add(t, TRACE_SENT, p->free_ns, track->pid, track->tid);
    of_message(mark, what->message);
    mark->id = t->count;
    mark->from = what->endpoint;
    mark->to = what->peer;
    t->flow = grown(t->flow, t->flows, &t->flows_room, sizeof(*t->flow));
    t->flow[t->flows++] = t->count - 1;
}

/* Takes out the oldest message of the pair: the index of its mark. */
static size_t take_flow(struct replay_tracer *t, uint32_t from, uint32_t to)
{
    for (size_t k = 0; k < t->flows; k++) {
        size_t index = t->flow[k];
        if (t->mark[index].from != from || t->mark[index].to != to)
            continue;
        memmove(&t->flow[k], &t->flow[k + 1], (t->flows - k - 1) * sizeof(*t->flow));
        t->flows--;
        return index;
    }
    ASSERT(t->flows == SIZE_MAX); /* all that is given was sent */
    return 0;
}

static void given(struct replay_tracer *t, struct trace_process *p, const struct sim_trace *what)
{
    size_t sent = take_flow(t, what->peer, what->endpoint);
    t->mark[sent].paired = true;
    struct trace_mark *slice = open_slice(t, p, NULL, t->mark[sent].ts_ns);
    of_message(slice, what->message);
    uint64_t ts_ns = slice->ts_ns;
    uint32_t type = slice->type;
    const struct trace_track *track = track_of(t, p);
    struct trace_mark *mark = add(t, TRACE_GIVEN, ts_ns, track->pid, track->tid);
    mark->id = sent + 1;
    mark->type = type;
    p->peer = what->peer;
}

static const char *notifier(uint32_t peer)
{
    switch (peer) {
    case ENDPOINT_RS:
        return "heartbeat";
    case ENDPOINT_DS:
        return "told of a service";
    case ENDPOINT_HARDWARE:
        return "completion";
    case ENDPOINT_CLOCK:
        return "alarm";
    default:
        return "notification";
    }
}

/* Notes those counters of the process in a slot that are other than before. */
static void count_process(struct replay_tracer *t, struct trace_process *p, uint32_t slot)
{
#define GAUGE_NAME(id, name) name,
    static const char *const names[TRACE_LEVELS] = {"dirty pages", "pages being written",
                                                    GAUGE_LIST(GAUGE_NAME)};
#undef GAUGE_NAME
    const struct trace_track *track = track_of(t, p);
    for (uint32_t k = 0; k < TRACE_LEVELS; k++) {
        uint64_t now = k == TRACE_DIRTY ? sim_machine_pages(t->machine, slot, PAGE_DIRTY)
                       : k == TRACE_WRITING
                           ? sim_machine_pages(t->machine, slot, PAGE_WRITING)
                           : sim_machine_gauge(t->machine, slot, (enum gauge)(k - TRACE_GAUGES));
        if (now == p->level[k])
            continue;
        p->level[k] = now;
        struct trace_mark *mark = add(t, TRACE_COUNTER, now_of(t), track->pid, 0);
        mark->name = names[k];
        mark->count = now;
    }
}

static void power_cut(struct replay_tracer *t);

static void on_machine(void *context, const struct sim_trace *what)
{
    struct replay_tracer *t = context;
    ASSERT(what->slot < SIM_PROCESSES_MAX);
    struct trace_process *p = &t->process[what->slot];
    switch (what->kind) {
    case SIM_TRACE_STARTS:
        starts(t, p, what);
        break;
    case SIM_TRACE_SENDS:
        sends(t, p, what);
        break;
    case SIM_TRACE_GIVEN:
        given(t, p, what);
        break;
    case SIM_TRACE_NOTIFIED:
        p->peer = what->peer;
        (void)open_slice(t, p, notifier(what->peer), 0);
        break;
    case SIM_TRACE_WAITS:
        p->peer = what->peer;
        close_slice(t, p);
        count_process(t, p, what->slot);
        break;
    case SIM_TRACE_WAKES:
        if (p->slice == 0)
            open_slice(t, p, what->result == OK ? "goes on" : "wait ended", 0)->status =
                what->result;
        break;
    case SIM_TRACE_PROBE:
        point(t, p, probe_name(what->probe));
        break;
    case SIM_TRACE_ENDS:
        ends(t, p);
        break;
    case SIM_TRACE_POWER_CUT:
        power_cut(t);
        break;
    }
    look_at_stop(t);
}

/* ---- Disks -------------------------------------------------------------------------------------
 */

static void count_disk(struct replay_tracer *t, const struct sim_disk *disk, uint32_t d)
{
    struct trace_mark *mark = add(t, TRACE_COUNTER, now_of(t), TRACE_DISK + d, 0);
    mark->name = "requests";
    mark->count = t->disk[d].count;
    mark = add(t, TRACE_COUNTER, now_of(t), TRACE_DISK + d, 0);
    mark->name = "volatile writes";
    mark->count = sim_disk_pending(disk);
}

static const char *const request_words[] = {[SIM_DISK_READ] = "read",
                                            [SIM_DISK_WRITE] = "write",
                                            [SIM_DISK_FLUSH] = "flush",
                                            [SIM_DISK_TRIM] = "trim"};
/* Of a request that ends otherwise than OK; an empty word: OK. */
static const char *const status_words[] = {[SIM_DISK_OK] = "",
                                           [SIM_DISK_MEDIA_ERROR] = "media error",
                                           [SIM_DISK_GONE] = "disk gone",
                                           [SIM_DISK_ABORTED] = "aborted"};

/* Ends the k-th open request of the disk. */
static void end_request(struct replay_tracer *t, uint32_t d, size_t k, const char *how)
{
    struct trace_disk *disk = &t->disk[d];
    size_t begun = disk->open[k].mark;
    disk->open[k] = disk->open[--disk->count];
    t->mark[begun].paired = true;
    struct trace_mark *mark = add(t, TRACE_ENDED, now_of(t), TRACE_DISK + d, 0);
    mark->id = begun + 1;
    mark->name = t->mark[begun].name;
    (void)snprintf(mark->range, sizeof(mark->range), "%s", how);
}

static void on_disk(void *object, struct sim_disk *disk, const struct sim_disk_event *e)
{
    struct replay_tracer *t = object;
    struct trace_disk *mine = &t->disk[e->disk];
    if (e->phase == SIM_DISK_ACCEPTED) {
        struct trace_mark *mark = add(t, TRACE_BEGUN, now_of(t), TRACE_DISK + e->disk, 0);
        mark->name = request_words[e->op];
        mark->id = t->count;
        mark->first = e->first_sector;
        mark->count = e->count;
        (void)snprintf(mark->range, sizeof(mark->range), e->fua ? "stable before the answer" : "");
        mine->open = grown(mine->open, mine->count, &mine->room, sizeof(*mine->open));
        mine->open[mine->count++] =
            (struct trace_request){.ordinal = e->request, .mark = t->count - 1};
        count_disk(t, disk, e->disk);
    } else if (e->phase == SIM_DISK_COMPLETED) {
        for (size_t k = 0; k < mine->count; k++)
            if (mine->open[k].ordinal == e->request) {
                end_request(t, e->disk, k, status_words[e->status]);
                break;
            }
        count_disk(t, disk, e->disk);
    }
    look_at_stop(t);
}

static void end_requests(struct replay_tracer *t, const char *how)
{
    for (uint32_t d = 0; d < DISKS_MAX; d++)
        while (t->disk[d].count > 0)
            end_request(t, d, t->disk[d].count - 1, how);
}

static void power_cut(struct replay_tracer *t)
{
    add(t, TRACE_EVENT, now_of(t), TRACE_MACHINE, TRACE_OF_STACK)->name = "power off";
    end_requests(t, "power off");
}

void trace_finish(struct replay_tracer *t)
{
    ASSERT(t->machine != NULL);
    t->armed = false;
    for (uint32_t s = 0; s < SIM_PROCESSES_MAX; s++)
        close_slice(t, &t->process[s]);
    end_requests(t, "still under way");
}

/* ---- The laboratory ----------------------------------------------------------------------------
 */

static void attach(struct replay_tracer *t, struct sim_machine *m)
{
    if (t->machine == m)
        return;
    for (uint32_t d = 0; t->machine != NULL && d < sim_machine_disks(t->machine); d++)
        sim_disk_unobserve(sim_machine_disk(t->machine, d), on_disk, t);
    if (t->machine != NULL)
        sim_machine_trace(t->machine, NULL, NULL);
    t->machine = m;
    for (uint32_t d = 0; m != NULL && d < sim_machine_disks(m); d++)
        sim_disk_observe(sim_machine_disk(m, d), on_disk, t);
    if (m != NULL)
        sim_machine_trace(m, on_machine, t);
}

static void on_begin(void *context, struct sim_machine *m, bool trial)
{
    struct replay_tracer *t = context;
    if (m != NULL)
        clear(t);
    attach(t, m);
    t->armed = trial;
}

static void on_zero(void *context, const uint32_t *environments, uint32_t apps)
{
    struct replay_tracer *t = context;
    ASSERT(apps <= SIM_APPS_MAX);
    memcpy(t->environment, environments, apps * sizeof(*environments));
    t->zero_ns = now_of(t);
}

static void on_event(void *context, const char *layer, const char *what, const char *detail)
{
    struct replay_tracer *t = context;
    char text[768];
    if (t->machine == NULL)
        return;
    bool fault = strcmp(layer, "faults") == 0, oracle = strcmp(layer, "oracle") == 0;
    struct trace_mark *mark =
        add(t, fault ? TRACE_FAULT : TRACE_EVENT, now_of(t), TRACE_MACHINE,
            fault ? TRACE_OF_FAULTS : (oracle ? TRACE_OF_ORACLE : TRACE_OF_STACK));
    (void)snprintf(text, sizeof(text), "%s: %s%s%s", layer, what, detail != NULL ? ": " : "",
                   detail != NULL ? detail : "");
    mark->text = strdup(text);
    ASSERT(mark->text != NULL);
    look_at_stop(t);
}

struct replay_tracer *replay_tracer_create(void)
{
    struct replay_tracer *t = calloc(1, sizeof(*t));
    ASSERT(t != NULL);
    t->lab =
        (struct lab_tracer){.context = t, .begin = on_begin, .zero = on_zero, .event = on_event};
    return t;
}

void replay_tracer_destroy(struct replay_tracer *t)
{
    if (t == NULL)
        return;
    clear(t);
    for (uint32_t d = 0; d < DISKS_MAX; d++)
        free(t->disk[d].open);
    free(t->mark);
    free(t->track);
    free(t->flow);
    free(t);
}

const struct lab_tracer *replay_tracer_lab(struct replay_tracer *t)
{
    return &t->lab;
}

void replay_tracer_stop_at(struct replay_tracer *t, uint64_t event, void (*stop)(void *context),
                           void *context)
{
    t->stop_at = event;
    t->stop = stop;
    t->stop_context = context;
}

struct sim_machine *replay_tracer_machine(const struct replay_tracer *t)
{
    return t->machine;
}

uint64_t replay_tracer_events(const struct replay_tracer *t)
{
    return t->count;
}

void replay_tracer_verdict(struct replay_tracer *t, const char *level, const char *story)
{
    char text[512];
    (void)snprintf(text, sizeof(text), "%s: %s", level, story);
    t->armed = false;
    on_event(t, "oracle", "verdict", text);
}
