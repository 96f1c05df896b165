#include "campaign/explore.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "campaign/explore_private.h"
#include "campaign/explore_strike.h"
#include "campaign/progress.h" /* host time, for wall_ns only */
#include "sim/rng.h"

#define LEAF_BYTES_MAX (UINT64_C(256) << 20) /* of kept observations; then they are forgotten */

struct explorer *explorer_create(struct lab *lab, const struct plan *plan)
{
    struct explorer *x = calloc(1, sizeof(*x));
    ASSERT(x != NULL && lab != NULL && plan != NULL);
    x->lab = lab;
    x->plan = plan;
    x->states = sim_states_create();
    x->memo = sim_memo_create();
    x->seconds = explore_seconds_create();
    x->now = history_create();
    x->heard = calloc(1, sizeof(*x->heard));
    ASSERT(x->heard != NULL);
    return x;
}

void explorer_destroy(struct explorer *x)
{
    if (x == NULL)
        return;
    explore_forget(x);
    for (uint32_t k = 0; k < x->history_room; k++)
        history_destroy(x->histories[k]);
    sim_record_destroy(x->recording);
    sim_states_destroy(x->states);
    sim_memo_destroy(x->memo);
    explore_seconds_destroy(x->seconds);
    history_destroy(x->now);
    free(x->histories);
    free(x->places);
    free(x->leaves);
    free(x->images);
    free(x->read_in);
    free(x->heard);
    free(x);
}

const char *explore_refuses(const struct plan *plan, uint32_t cell)
{
    const struct plan_cell *c = &plan->cells[cell];
    const struct fault_plan *faults = &plan->faults[c->fault];
    if (c->skipped != NULL)
        return c->skipped;
    if (faults->count == 0)
        return "nothing strikes in it";
    if (striker_takes(plan, cell))
        return striker_refuses(plan, cell);
    if (faults->count > 1)
        return "explore takes one power.cut, or deaths of processes";
    const struct fault *f = &faults->faults[0];
    if (f->kind != FAULT_POWER_CUT)
        return "explore takes power.cut, process.crash and memory.flip only";
    if (f->chosen != NULL)
        return "its crash state is chosen already";
    if (f->at.kind != FAULT_AT_UNIFORM && f->at.number.kind != AMOUNT_UNIFORM)
        return "explore takes `uniform` moments only";
    if (f->tears == FAULT_TEARS_ANY || f->tears == FAULT_TEARS_ERROR)
        return "explore takes tears: none and prefix";
    return NULL;
}

/* ---- Points ------------------------------------------------------------------------------------
 */

static void name_point(const struct explorer *x, uint32_t number, char *to, size_t room)
{
    const struct sim_record *r = x->recording;
    const struct sim_entry *e = &r->entry[x->places[number].entry];
    if (e->kind == SIM_ENTRY_WRITE) {
        const struct sim_record_write *w = &r->write[e->index];
        (void)snprintf(to, room, "write %" PRIu64 " of disk %" PRIu32,
                       w->ordinal - x->first_write[w->disk], w->disk);
        return;
    }
    if (e->kind == SIM_ENTRY_NOTE) {
        (void)snprintf(to, room, "answer");
        return;
    }
    const struct sim_record_flush *f = &r->flush[e->index];
    uint64_t ordinal = 0;
    for (uint32_t k = 1; k <= e->index; k++)
        ordinal += r->flush[k].disk == f->disk;
    (void)snprintf(to, room, "flush %" PRIu64 " of disk %" PRIu32,
                   ordinal - x->first_flush[f->disk], f->disk);
}

static uint64_t time_of(const struct explorer *x, uint32_t number)
{
    uint64_t at_ns = x->recording->entry[x->places[number].entry].time_ns;
    return at_ns - x->base_run.origin_ns;
}

/* Stands at the point: states, and the history with the loss of power. */
static void go_to(struct explorer *x, uint32_t number)
{
    const struct place *p = &x->places[number];
    uint64_t at_ns = time_of(x, number);
    uint64_t off_ns = (uint64_t)amount_at(&x->fault->off_for_ns, 0.5);
    sim_states_advance(x->states, p->entry + 1);
    history_copy(x->now, x->histories[p->history]);
    for (uint32_t a = 0; a < history_apps(x->now); a++)
        if ((p->alive >> a & 1) != 0)
            history_kill(x->now, a, at_ns, HISTORY_POWER);
    history_mark(x->now, HISTORY_MARK_FAULT, at_ns, NULL);
    history_mark(x->now, HISTORY_MARK_DETECTED, at_ns + off_ns, "kernel");
    x->strike = (struct strike){
        .struck = true, .took_effect = true, .wanted = 1, .done = 1, .time_ns = at_ns};
    (void)snprintf(x->strike.target, sizeof(x->strike.target), "all disks");
    name_point(x, number, x->strike.position, sizeof(x->strike.position));
}

static struct sim_states_bounds bounds_of(const struct explorer *x, uint32_t depth)
{
    static const enum sim_states_which which[] = {[FAULT_CACHE_DROP] = SIM_STATES_DROP,
                                                  [FAULT_CACHE_KEEP] = SIM_STATES_KEEP,
                                                  [FAULT_CACHE_RANDOM] = SIM_STATES_ALL,
                                                  [FAULT_CACHE_REORDER] = SIM_STATES_ALL};
    return (struct sim_states_bounds){.which = which[x->fault->cache],
                                      .depth = depth,
                                      .tears = x->fault->tears != FAULT_TEARS_NONE};
}

/* ---- Verdicts and rows -------------------------------------------------------------------------
 */

/* What the history at the point says of what the boot found. */
static void judge_leaf(struct explorer *x, const struct leaf *leaf, struct judge_verdict *verdict)
{
    struct judge_input in = leaf->in;
    struct history *whole = x->lab->history;
    uint64_t off_ns = (uint64_t)amount_at(&x->fault->off_for_ns, 0.5);
    uint64_t service_ns = HISTORY_NEVER; /* of this boot, whatever others at the point had */
    if (leaf->service_ns != HISTORY_NEVER)
        service_ns = x->strike.time_ns + off_ns + leaf->service_ns;
    history_mark(x->now, HISTORY_MARK_SERVICE, service_ns, NULL);
    x->lab->history = x->now;
    in.history = x->now;
    lab_conclude(x->lab, &in, leaf->walked, verdict);
    x->lab->history = whole;
}

static size_t list_places(const struct sim_state_disk *s, char *to, size_t room)
{
    size_t at = (size_t)snprintf(to, room, ",\"leave\":[");
    for (uint32_t k = 0; k < s->left_count && at < room; k++)
        at += (size_t)snprintf(to + at, room - at, "%s%" PRIu32, k > 0 ? "," : "", s->left[k]);
    return at < room ? at + (size_t)snprintf(to + at, room - at, "]") : at;
}

/* {"point":17,"disks":[{"keep":3,"leave":[2],"tear":[3,5]},{"keep":0}]} */
static void write_state(const struct explorer *x, uint32_t point, char *to, size_t room)
{
    size_t at = (size_t)snprintf(to, room, "{\"point\":%" PRIu32 ",\"disks\":[", point);
    for (uint32_t d = 0; d < x->recording->disks && at < room; d++) {
        struct sim_state_disk s = {0};
        s.left = calloc(sim_states_pending(x->states, d) + 1, sizeof(*s.left));
        ASSERT(s.left != NULL);
        sim_states_describe(x->states, d, &s);
        at +=
            (size_t)snprintf(to + at, room - at, "%s{\"keep\":%" PRIu32, d > 0 ? "," : "", s.keep);
        if (s.left_count > 0 && at < room)
            at += list_places(&s, to + at, room - at);
        if (s.torn != 0 && at < room)
            at += (size_t)snprintf(to + at, room - at, ",\"tear\":[%" PRIu32 ",%" PRIu32 "]",
                                   s.torn, s.sectors);
        if (at < room)
            at += (size_t)snprintf(to + at, room - at, "}");
        free(s.left);
    }
    if (at < room)
        at += (size_t)snprintf(to + at, room - at, "]}");
    ASSERT(at < room); /* depth and disks are bounded */
}

static void fill_run(const struct explorer *x, const struct leaf *leaf, struct trial_record *r)
{
    r->injected = true;
    r->sim_ns = r->exposure_ns = x->strike.time_ns;
    r->events = leaf->work.events;
    r->messages = leaf->work.messages;
    r->ios = leaf->work.ios;
    r->blocks = leaf->work.blocks;
    r->anomalies = 0;
    (void)snprintf(r->struck, sizeof(r->struck),
                   "[{\"time_ns\":%" PRIu64 ",\"target\":\"%s\",\"position\":\"%s\"}]",
                   x->strike.time_ns, x->strike.target, x->strike.position);
}

/* What happened, as if the power had been cut at the point: events of the boot come as much earlier
 * as it came later. */
static void fill_events(const struct explorer *x, const struct leaf *leaf, struct trial_record *r)
{
    char detail[RECORD_DETAIL_BYTES];
    uint64_t off_ns = (uint64_t)amount_at(&x->fault->off_for_ns, 0.5);
    uint64_t power_ns = x->strike.time_ns + off_ns;
    (void)snprintf(detail, sizeof(detail), "%s, %s", fault_kind_name(x->fault->kind),
                   x->strike.position);
    record_add_event(r, x->strike.time_ns, "faults", "fault injected", detail);
    for (uint32_t k = 0; k < leaf->heard_count; k++) {
        const struct record_event *e = &leaf->heard[k];
        record_add_event(r, e->time_ns - leaf->power_ns + power_ns, e->layer, e->what, e->detail);
    }
}

static void fill_record(struct explorer *x, uint32_t point, const struct leaf *leaf,
                        struct trial_record *r)
{
    struct lab *lab = x->lab;
    struct judge_verdict verdict;
    uint64_t start = progress_now_ns();
    record_init(r);
    lab->run = x->base_run;
    lab->run.faults = &x->plan->faults[x->plan->cells[x->cell].fault];
    lab->run.fault_count = 1;
    lab->run.lists_events = true;
    lab->run.rebuilt_ns = leaf->rebuilt_ns;
    lab_fill_place(lab, x->plan->cells[x->cell].fault, r);
    fill_run(x, leaf, r);
    fill_events(x, leaf, r);
    lab->record = r;
    lab->told = &x->strike;
    judge_leaf(x, leaf, &verdict);
    struct history *whole = lab->history;
    lab->history = x->now; /* latencies are of the operations up to the point */
    lab_fill_verdict(lab, &verdict, r);
    memset(r->probes, 0, sizeof(r->probes)); /* the machine has those of its last boot, not ours */
    lab->history = whole;
    lab->record = NULL;
    lab->told = NULL;
    r->hash = sim_rng_mix(x->recording->entry[x->places[point].entry].hash, leaf->hash);
    write_state(x, point, r->state, sizeof(r->state));
    r->wall_ns = progress_now_ns() - start;
}

/* ---- Walks -------------------------------------------------------------------------------------
 */

static uint32_t value_of(void *context, uint32_t variable)
{
    return sim_states_value(((struct explorer *)context)->states, variable);
}

/* The state at hand as an image: a sum over what each variable holds, 128 bits. */
static struct image image_at_hand(struct explorer *x)
{
    struct image image = {0};
    for (uint32_t v = 1; v <= x->recording->variables; v++) {
        uint32_t content = sim_states_value(x->states, v);
        if (content == 0)
            continue;
        uint64_t place = sim_rng_mix(v, content);
        image.low += place;
        image.high += sim_rng_mix(place, v);
    }
    return image;
}

static void grow_images(struct explorer *x)
{
    struct image *old = x->images;
    uint32_t room = x->image_room;
    x->image_room = room == 0 ? 1024 : room * 2;
    x->images = calloc(x->image_room, sizeof(*x->images));
    ASSERT(x->images != NULL);
    for (uint32_t k = 0; k < room; k++) {
        if (old[k].leaf == 0)
            continue;
        uint32_t at = (uint32_t)(old[k].low % x->image_room);
        while (x->images[at].leaf != 0)
            at = (at + 1) % x->image_room;
        x->images[at] = old[k];
    }
    free(old);
}

/* The leaf of a whole image; booted if it is new. */
static uint32_t eager_leaf(struct explorer *x)
{
    sim_states_decide(x->states);
    struct image image = image_at_hand(x);
    if ((x->leaf_count + 1) * 2 > x->image_room)
        grow_images(x);
    uint32_t at = (uint32_t)(image.low % x->image_room);
    while (x->images[at].leaf != 0 &&
           (x->images[at].low != image.low || x->images[at].high != image.high))
        at = (at + 1) % x->image_room;
    if (x->images[at].leaf == 0) {
        image.leaf = explore_boot(x) + 1;
        x->images[at] = image;
    }
    return x->images[at].leaf - 1;
}

static uint32_t leaf_at_hand(struct explorer *x)
{
    if (x->options->eager)
        return eager_leaf(x);
    uint32_t leaf = sim_memo_follow(x->memo, value_of, x);
    return leaf != UINT32_MAX ? leaf : explore_boot(x);
}

static uint64_t saturate(sim_count count)
{
    return count > INT64_MAX ? (uint64_t)INT64_MAX : (uint64_t)count;
}

/* A row of its own for a class at this point. */
static void tell_row(struct explorer *x, uint32_t point, const struct leaf *leaf, uint32_t depth,
                     uint64_t row)
{
    static struct trial_record record; /* large; one explorer at a time tells */
    fill_record(x, point, leaf, &record);
    record.trial = ((record.trial - 1) * EXPLORE_DEPTHS + depth) * EXPLORE_ROWS + row;
    x->sum.rows++;
    if (x->sink->row != NULL)
        x->sink->row(x->sink->context, &record);
}

/* A class that this point had not met: judged, and told of. */
static void meet(struct explorer *x, const struct leaf *leaf, uint32_t depth, uint32_t from,
                 struct explore_point *point)
{
    struct judge_verdict verdict;
    judge_leaf(x, leaf, &verdict);
    bool broken = x->promised != LEVEL_NONE && verdict.level > x->promised;
    point->distinct++;
    point->broken += broken;
    point->weakest =
        point->weakest == LEVEL_NONE ? verdict.level : level_weaker(point->weakest, verdict.level);
    x->sum.broken += broken && depth >= from;
    if (x->sink->met != NULL)
        x->sink->met(x->sink->context, point->number, leaf->digest);
    uint64_t row = ++x->row[depth];
    if (depth >= from && row <= EXPLORE_ROWS && (broken || x->options->keep_all))
        tell_row(x, point->number, leaf, depth, row);
}

/* The time for all of the exploration is over. Host time: what is left is told, and differs. */
static bool late(struct explorer *x)
{
    x->late = x->late || progress_now_ns() >= x->options->deadline_ns;
    return x->late;
}

/* All states of one depth at the point. Returns how many were covered. */
static sim_count walk(struct explorer *x, uint32_t depth, uint32_t from,
                      struct explore_point *point, sim_count room)
{
    struct sim_states_bounds bounds = bounds_of(x, depth);
    sim_count total = sim_states_start(x->states, &bounds), covered = 0;
    do {
        if (covered >= room || (x->options->deadline_ns != 0 && late(x)))
            return covered;
        uint32_t leaf = leaf_at_hand(x);
        covered += sim_states_open(x->states);
        if (x->leaves[leaf].visit == x->visits)
            continue;
        x->leaves[leaf].visit = x->visits;
        meet(x, &x->leaves[leaf], depth, from, point);
    } while (sim_states_next(x->states));
    ASSERT(covered == total); /* the proof that nothing was left out */
    return covered;
}

static sim_count states_of_depth(struct explorer *x, uint32_t depth)
{
    struct sim_states_bounds bounds = bounds_of(x, depth);
    return sim_states_start(x->states, &bounds);
}

/* How many states the job may still cover at this point, of which `before` are not new to it. */
static sim_count room_here(const struct explorer *x, sim_count before)
{
    uint64_t bound = x->options->states;
    if (bound == 0)
        return ~(sim_count)0;
    return before + (x->sum.states < bound ? bound - x->sum.states : 0);
}

/* One point, shallow states first. */
static void visit_point(struct explorer *x, uint32_t number, uint32_t from, uint32_t to)
{
    struct explore_point point = {.number = number, .weakest = LEVEL_NONE};
    uint64_t boots = x->boots;
    if (x->leaf_bytes > LEAF_BYTES_MAX)
        explore_forget(x);
    go_to(x, number);
    x->visits++;
    sim_count total = states_of_depth(x, x->options->depth), covered = 0;
    sim_count before = from == 0 ? 0 : states_of_depth(x, from - 1);
    for (uint32_t depth = 0; depth <= to; depth++)
        if (states_of_depth(x, depth) != covered) /* else it has no state more */
            covered = walk(x, depth, from, &point, room_here(x, before));
    name_point(x, number, point.name, sizeof(point.name));
    point.states = saturate(total);
    point.left = saturate(total - covered);
    point.boots = x->boots - boots;
    uint64_t fresh = covered > before ? saturate(covered - before) : 0;
    x->sum.points++;
    x->sum.states += fresh;
    x->sum.left += point.left;
    x->sum.boots += point.boots;
    if (x->sink->point != NULL)
        x->sink->point(x->sink->context, &point);
    if (x->sink->progress != NULL)
        x->sink->progress(x->sink->context, fresh, point.boots);
}

/* What is promised of every state of the cell. */
static enum level promised_here(const struct explorer *x)
{
    const struct plan_cell *c = &x->plan->cells[x->cell];
    return c->promise_given ? c->promise
                            : promise_of_plan(lab_variant(x->lab), &x->plan->workloads[c->workload],
                                              &x->plan->faults[c->fault]);
}

struct explore_sum explorer_run(struct explorer *x, uint32_t cell, uint64_t n, uint32_t from,
                                uint32_t to, const struct explore_options *options,
                                const struct explore_sink *sink)
{
    ASSERT(explore_refuses(x->plan, cell) == NULL && !striker_takes(x->plan, cell));
    ASSERT(options->depth <= SIM_DEPTH_MAX && options->every >= 1);
    ASSERT(from <= to && to <= options->depth);
    x->options = options;
    x->sink = sink;
    x->sum = (struct explore_sum){0};
    memset(x->row, 0, sizeof(x->row));
    x->late = false;
    x->only = UINT32_MAX;
    explore_record(x, cell, n);
    x->promised = promised_here(x);
    sim_states_rewind(x->states, x->recording);
    for (uint32_t number = 0; number < x->place_count; number++)
        if (explore_wants(x, number, x->places[number].persistence))
            visit_point(x, number, from, to);
    return x->sum;
}

bool explorer_visit(struct explorer *x, uint32_t cell, uint64_t n, uint32_t point,
                    const struct sim_state_disk *disks, struct trial_record *record)
{
    static const struct explore_options eager = {.every = 1, .eager = true};
    static const struct explore_sink nobody = {0};
    struct sim_states_bounds bounds = {
        .which = SIM_STATES_ALL, .depth = SIM_DEPTH_MAX, .tears = true};
    x->options = &eager;
    x->sink = &nobody;
    x->only = point;
    explore_record(x, cell, n);
    if (point >= x->place_count)
        return false;
    sim_states_rewind(x->states, x->recording);
    go_to(x, point);
    (void)sim_states_start(x->states, &bounds);
    for (uint32_t d = 0; d < x->recording->disks; d++)
        if (!sim_states_set(x->states, d, &disks[d]))
            return false;
    uint32_t leaf = explore_boot(x);
    fill_record(x, point, &x->leaves[leaf], record);
    return true;
}
