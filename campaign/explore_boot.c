/*
 * The recorded run of an explorer, and the boot of one state of its disks: on a machine that was
 * reset, at a time after the whole recorded run, with the disks as they were sealed but for what
 * the read hook puts in the place of sectors that the run wrote. So a boot meets the state only
 * through its reads, and nothing is built for it.
 */
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "campaign/explore_private.h"
#include "sim/rng.h"

/* ---- The recorded run --------------------------------------------------------------------------
 */

/* The kept copy that is the history now; a new one only if something was recorded since the last.
 */
static uint32_t keep_history(struct explorer *x)
{
    uint64_t progress = history_progress(x->lab->history);
    if (x->history_count > 0 && x->history_progress == progress)
        return x->history_count - 1;
    if (x->history_count == x->history_room) {
        uint32_t room = x->history_room == 0 ? 32 : x->history_room * 2;
        x->histories = realloc(x->histories, room * sizeof(*x->histories));
        ASSERT(x->histories != NULL);
        for (; x->history_room < room; x->history_room++)
            x->histories[x->history_room] = NULL;
    }
    struct history **to = &x->histories[x->history_count];
    if (*to == NULL)
        *to = history_create();
    history_copy(*to, x->lab->history);
    x->history_progress = progress;
    return x->history_count++;
}

static uint64_t alive_now(const struct explorer *x)
{
    uint64_t alive = 0;
    for (uint32_t a = 0; a < x->lab->work.app_count; a++)
        alive |= (uint64_t)!x->lab->work.app[a].ended << a;
    return alive;
}

bool explore_wants(const struct explorer *x, uint32_t number, bool persistence)
{
    if (x->only != UINT32_MAX)
        return number == x->only;
    return (number + 1) % x->options->every == 0 && (persistence || !x->options->persistence);
}

static void on_entry(void *context, uint32_t entry)
{
    struct explorer *x = context;
    enum sim_entry_kind kind = x->recording->entry[entry].kind;
    bool point = kind == SIM_ENTRY_WRITE || kind == SIM_ENTRY_DONE || kind == SIM_ENTRY_NOTE;
    if (!x->recording_now || !point || (x->from_mark && x->lab->work.marks == 0))
        return;
    if (x->place_count == x->place_room) {
        x->place_room = x->place_room == 0 ? 256 : x->place_room * 2;
        x->places = realloc(x->places, x->place_room * sizeof(*x->places));
        ASSERT(x->places != NULL);
    }
    bool persistence = kind == SIM_ENTRY_NOTE && x->answered_sync;
    bool wanted = explore_wants(x, x->place_count, persistence);
    x->places[x->place_count++] = (struct place){.entry = entry,
                                                 .history = wanted ? keep_history(x) : 0,
                                                 .alive = alive_now(x),
                                                 .persistence = persistence};
}

/* Whether what was just answered makes something stable. */
static bool is_persistence(const struct history_call *call, const struct history_answer *answer)
{
    return answer->result == OK && (call->kind == HISTORY_FSYNC || call->kind == HISTORY_SYNC ||
                                    call->kind == HISTORY_COMMIT);
}

static void on_answer(void *context, uint32_t app, uint64_t now_ns, const struct history_call *call,
                      const struct history_answer *answer)
{
    struct explorer *x = context;
    (void)app, (void)now_ns;
    x->answered_sync = is_persistence(call, answer);
    if (x->recording_now)
        sim_record_note(x->recording, 0);
    x->answered_sync = false;
}

static void on_start(void *context, uint32_t apps)
{
    (void)context, (void)apps;
}

static void on_call(void *context, uint32_t app, uint64_t now_ns, const struct history_call *call)
{
    (void)context, (void)app, (void)now_ns, (void)call;
}

static void attach(struct explorer *x)
{
    struct sim_machine *m = x->lab->machine;
    struct sim_disk *disks[DISKS_MAX];
    uint32_t count = sim_machine_disks(m);
    for (uint32_t d = 0; d < count; d++)
        disks[d] = sim_machine_disk(m, d);
    sim_record_destroy(x->recording);
    x->recording = sim_record_create(sim_machine_engine(m), disks, count);
    x->recording->on_entry = on_entry;
    x->recording->context = x;
    x->machine = m;
    explore_seconds_reset(x);
}

/* Ordinals of points are told from time 0, as the `at` of a fault counts. */
static void note_time_0(struct explorer *x)
{
    for (uint32_t d = 0; d < x->recording->disks; d++) {
        struct sim_disk_stats s = sim_disk_stats(x->recording->disk[d].disk);
        x->lab->disk_base[d] = s;
        x->first_write[d] = s.writes;
        x->first_flush[d] = 0;
    }
    for (uint32_t f = 1; f <= x->recording->flushes; f++)
        x->first_flush[x->recording->flush[f].disk]++;
}

void explore_record(struct explorer *x, uint32_t cell, uint64_t n)
{
    struct lab *lab = x->lab;
    const struct plan_cell *c = &x->plan->cells[cell];
    bool other = lab_prepare(lab, c->variant, c->workload, n);
    x->cell = cell;
    x->fault = &x->plan->faults[c->fault].faults[0];
    if (other || x->machine != lab->machine)
        attach(x);
    x->place_count = x->history_count = 0;
    x->from_mark = false;
    const struct plan_workload *w = &x->plan->workloads[c->workload];
    for (uint32_t a = 0; a < w->app_count; a++)
        x->from_mark = x->from_mark || w->apps[a].bounded != NULL;
    struct lab_listener listener = {
        .context = x, .start = on_start, .call = on_call, .answer = on_answer};
    lab_listen(lab, &listener);
    lab_reset(lab, false);
    sim_record_begin(x->recording);
    bool booted = lab_boot(lab);
    ASSERT(booted); /* healthy disks, as formatted */
    note_time_0(x);
    x->recording_now = true;
    (void)lab_run(lab, NULL, 0, NULL);
    x->recording_now = false;
    sim_record_end(x->recording);
    lab_listen(lab, NULL);
    (void)workload_kill(&lab->work, UINT32_MAX, HISTORY_POWER);
    x->base_run = lab->run;
    x->end_ns = sim_machine_now(lab->machine);
    if (x->recording->variables >= x->read_room) {
        x->read_room = x->recording->variables + 1;
        free(x->read_in);
        x->read_in = malloc(x->read_room * sizeof(*x->read_in));
        ASSERT(x->read_in != NULL);
    }
    memset(x->read_in, 0, x->read_room * sizeof(*x->read_in));
    x->boot = 0;
    explore_forget(x);
}

/* ---- The boot of a state -----------------------------------------------------------------------
 */

/* A sector that the recorded run wrote, and this boot has not. */
static void read_variable(struct explorer *x, uint32_t variable, uint8_t *raw, uint32_t bytes)
{
    uint32_t content = sim_states_value(x->states, variable);
    if (x->read_in[variable] != x->boot) {
        x->read_in[variable] = x->boot;
        if (!x->options->eager)
            sim_memo_read(x->memo, variable, content);
    }
    memcpy(raw, sim_record_bytes(x->recording, variable, content), bytes);
}

static bool on_read(void *object, struct sim_disk *disk, uint64_t first, uint32_t count,
                    uint8_t *raw)
{
    struct explorer *x = object;
    struct sim_record *r = x->recording;
    uint32_t d = 0;
    while (r->disk[d].disk != disk)
        d++;
    for (uint32_t i = 0; (i += sim_record_gap(r, d, first + i, count - i)) < count; i++)
        if (sim_disk_is_initial(disk, first + i))
            read_variable(x, sim_record_variable(r, d, first + i),
                          raw + (size_t)i * r->disk[d].sector_size, r->disk[d].sector_size);
    explore_seconds_read(x, d, first, count, raw);
    return true;
}

static void hook(struct explorer *x, sim_disk_read_hook_fn *fn)
{
    for (uint32_t d = 0; d < x->recording->disks; d++)
        sim_disk_set_read_hook(x->recording->disk[d].disk, fn, x);
}

/* The machine as a loss of power leaves it, at the time at which power comes back. */
static uint64_t prepare(struct explorer *x)
{
    struct lab *lab = x->lab;
    struct sim_disk_cut_plan drop = {.mode = SIM_CUT_DROP, .tears = SIM_TEARS_NONE};
    lab_reset(lab, false);
    for (uint32_t d = 0; d < x->recording->disks; d++)
        sim_disk_power_cut(x->recording->disk[d].disk, &drop); /* counts as a reset of the disk */
    uint64_t power_ns = x->end_ns + (uint64_t)amount_at(&x->fault->off_for_ns, 0.5);
    sim_engine_advance(sim_machine_engine(lab->machine), power_ns);
    lab->run.faults = x->base_run.faults;
    lab->run.origin_ns = x->base_run.origin_ns;
    lab->run.whole = x->base_run.whole;
    lab->run.power_on_ns = lab->run.progress_ns = power_ns;
    lab_observe(lab);
    hook(x, on_read);
    return power_ns;
}

struct work explore_work(const struct explorer *x)
{
    struct sim_counts totals = sim_machine_totals(x->lab->machine);
    struct work work = {.events = sim_engine_dispatched(sim_machine_engine(x->lab->machine)),
                        .messages = totals.messages,
                        .blocks = totals.blocks};
    for (uint32_t d = 0; d < x->recording->disks; d++)
        work.ios += sim_disk_stats(x->recording->disk[d].disk).requests;
    return work;
}

/* All that recovery, reading back and checker saw, in a word. */
static uint64_t digest_of(const struct leaf *leaf)
{
    const struct judge_input *in = &leaf->in;
    uint64_t digest = sim_rng_mix(leaf->walked, observation_digest(leaf->seen));
    digest = sim_rng_mix(digest, in->again != NULL ? observation_digest(leaf->again) : 0);
    digest = sim_rng_mix(digest, (uint64_t)in->checker.ran | (uint64_t)in->checker.ok << 1 |
                                     (uint64_t)in->degraded << 2 | (uint64_t)in->remount << 3);
    digest = sim_rng_mix(digest, sim_rng_mix(in->checker.leaks, in->checker.damages));
    digest = sim_rng_mix(digest, sim_rng_mix(leaf->work.events, leaf->work.messages));
    digest = sim_rng_mix(digest, sim_rng_mix(leaf->work.ios, leaf->work.blocks));
    digest = sim_rng_mix(digest, leaf->heard_count);
    for (uint32_t e = 0; e < HISTORY_ENVIRONMENTS_MAX; e++)
        digest = sim_rng_mix(digest, (uint64_t)in->machine[e] << 8 | (uint64_t)in->probe[e]);
    return sim_rng_mix(digest, leaf->hash);
}

static struct leaf *new_leaf(struct explorer *x)
{
    if (x->leaf_count == x->leaf_room) {
        x->leaf_room = x->leaf_room == 0 ? 64 : x->leaf_room * 2;
        x->leaves = realloc(x->leaves, x->leaf_room * sizeof(*x->leaves));
        ASSERT(x->leaves != NULL);
    }
    struct leaf *leaf = &x->leaves[x->leaf_count++];
    *leaf = (struct leaf){.service_ns = HISTORY_NEVER};
    return leaf;
}

/* Copies what the laboratory holds until the next boot. */
static void keep(struct explorer *x, struct leaf *leaf)
{
    leaf->seen = observation_create();
    observation_copy(leaf->seen, x->lab->seen);
    leaf->in.observed = leaf->in.observed == NULL ? NULL : leaf->seen;
    if (leaf->in.again != NULL) {
        leaf->again = observation_create();
        observation_copy(leaf->again, x->lab->again);
        leaf->in.again = leaf->again;
    }
    leaf->heard_count = x->heard->event_count;
    leaf->heard = malloc((leaf->heard_count + 1) * sizeof(*leaf->heard));
    ASSERT(leaf->heard != NULL);
    memcpy(leaf->heard, x->heard->event, leaf->heard_count * sizeof(*leaf->heard));
    x->leaf_bytes += sizeof(*leaf) + leaf->heard_count * sizeof(*leaf->heard) +
                     observation_bytes(leaf->seen) +
                     (leaf->again == NULL ? 0 : observation_bytes(leaf->again));
}

uint32_t explore_boot(struct explorer *x)
{
    struct lab *lab = x->lab;
    x->boot++;
    x->boots++;
    uint64_t power_ns = prepare(x);
    if (x->only != UINT32_MAX && lab->tracer != NULL) /* this boot is what a replay looks at */
        lab->tracer->begin(lab->tracer->context, lab->machine, true);
    x->heard->event_count = x->heard->dropped = 0;
    lab->heard = x->heard;
    if (!x->options->eager)
        sim_memo_enter(x->memo);
    enum run_end end = lab_loop(lab);
    struct leaf *leaf = new_leaf(x);
    leaf->power_ns = power_ns - lab->run.origin_ns;
    if (lab->run.in_service)
        leaf->service_ns = lab->run.service_ns - power_ns;
    leaf->rebuilt_ns = lab->run.rebuilt_ns;
    observation_reset(lab->seen);
    observation_reset(lab->again);
    explore_seconds_begin(x);
    leaf->walked = lab_look(lab, end, &leaf->in);
    leaf->hash = explore_seconds_end(x, &leaf->work);
    hook(x, NULL);
    lab->heard = NULL;
    keep(x, leaf);
    if (x->sink->met != NULL)
        leaf->digest = digest_of(leaf); /* for tests: it costs as much as reading back */
    if (!x->options->eager)
        sim_memo_leave(x->memo, x->leaf_count - 1);
    return x->leaf_count - 1;
}

void explore_forget(struct explorer *x)
{
    for (uint32_t k = 0; k < x->leaf_count; k++) {
        observation_destroy(x->leaves[k].seen);
        observation_destroy(x->leaves[k].again);
        free(x->leaves[k].heard);
    }
    x->leaf_count = 0;
    x->leaf_bytes = 0;
    explore_seconds_forget(x);
    sim_memo_reset(x->memo);
    for (uint32_t k = 0; k < x->image_room; k++)
        x->images[k] = (struct image){0};
}
