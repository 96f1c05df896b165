/*
 * Exploration end to end: the tree of reads visits what booting every image visits, rows have one
 * number however the depths are taken, and each can be visited again.
 */
#include <stdlib.h>
#include <string.h>

#include "campaign/explore.h"
#include "campaign/tests/rig_trial.h"
#include "scripts/check_main.h"

#define MET_MAX 4096u
#define ROWS_MAX 1024u

static const char text[] =
    "campaign: explored\n"
    "seed: 3\n"
    "machine: {disks: {count: 2, profile: ssd-sata, size: 16MiB}, environments: 1}\n"
    "variants:\n"
    "  mirror: {stack: loris, raid: 1, checkpoint: 500ms, cache: 1MiB, log-size: 1MiB}\n"
    "  anywhere: {stack: cow, raid: 0, cache: 1MiB, machine: {disks: {count: 1}}}\n"
    "  table: {stack: fat, raid: 0, cache: 1MiB, machine: {disks: {count: 1, sector-size: "
    "4096B}}}\n"
    "  control: {stack: none, raid: 0, cache: 1MiB, machine: {disks: {count: 1}}}\n"
    "workloads:\n"
    "  create: {app: script, operations: \"create f\\nwrite f 0 4096\\nfsync f\\n\"}\n"
    "  rename: {app: script, operations: \"create f\\nfsync f\\nrename f g\\nfsync g\\n\"}\n"
    "faults:\n"
    "  none: []\n"
    "  cut: [{kind: power.cut, at: uniform, cache: random, tears: none}]\n"
    "  torn: [{kind: power.cut, at: uniform, cache: random}]\n"
    "  drop: [{kind: power.cut, at: {write: uniform}, cache: drop}]\n"
    "  twice: [{kind: power.cut, at: uniform}, {kind: power.cut, at: uniform}]\n"
    "  dies: [{kind: disk.fail-stop, at: uniform}]\n"
    "  once: [{kind: power.cut, at: {time: 1ms}}]\n"
    "promises: {\"control/*/*\": durable}\n";
enum { MIRROR, ANYWHERE, TABLE, CONTROL };
enum { CREATE, RENAME };
enum { NONE, CUT, TORN, DROP, TWICE, DIES, ONCE };

struct met {
    uint32_t point;
    uint64_t digest;
};

struct found {
    struct met met[MET_MAX];
    uint32_t count;
    struct {
        uint64_t trial, hash;
        enum level level;
        char state[256], struck[128];
    } row[ROWS_MAX];
    uint32_t rows;
    uint64_t states, left;
};

static struct rig_trial rig;
static struct explorer *x;
static struct found first, second;
static struct trial_record record;
static uint32_t to = UINT32_MAX; /* depth; else what the options say */

static void setup(void)
{
    rig_trial_init(&rig, text);
    x = explorer_create(rig.lab, rig.plan);
}

static void teardown(void)
{
    explorer_destroy(x);
    rig_trial_fini(&rig);
}

static void on_met(void *context, uint32_t point, uint64_t digest)
{
    struct found *f = context;
    ck_assert_uint_lt(f->count, MET_MAX);
    f->met[f->count++] = (struct met){point, digest};
}

static void on_row(void *context, const struct trial_record *r)
{
    struct found *f = context;
    ck_assert_uint_lt(f->rows, ROWS_MAX);
    ck_assert(record_check(r));
    f->row[f->rows].trial = r->trial;
    f->row[f->rows].hash = r->hash;
    f->row[f->rows].level = r->level;
    ck_assert_uint_lt(strlen(r->state), sizeof(f->row[0].state));
    memcpy(f->row[f->rows].struck, r->struck, sizeof(f->row[0].struck));
    memcpy(f->row[f->rows++].state, r->state, strlen(r->state) + 1);
}

static void on_point(void *context, const struct explore_point *point)
{
    struct found *f = context;
    f->states += point->states;
    f->left += point->left;
    ck_assert_uint_le(point->broken, point->distinct);
}

static struct explore_sum explore(uint32_t cell, uint32_t from,
                                  const struct explore_options *options, struct found *f)
{
    struct explore_sink sink = {.context = f, .met = on_met, .row = on_row, .point = on_point};
    f->count = f->rows = 0;
    f->states = f->left = 0;
    return explorer_run(x, cell, 0, from, to < options->depth ? to : options->depth, options,
                        &sink);
}

static int by_place(const void *a, const void *b)
{
    const struct met *m = a, *n = b;
    if (m->point != n->point)
        return m->point < n->point ? -1 : 1;
    return (m->digest > n->digest) - (m->digest < n->digest);
}

/* Sorted, each once: a class that several images lead to is met once an image. */
static void sort(struct found *f)
{
    uint32_t kept = 0;
    qsort(f->met, f->count, sizeof(f->met[0]), by_place);
    for (uint32_t k = 0; k < f->count; k++)
        if (kept == 0 || by_place(&f->met[kept - 1], &f->met[k]) != 0)
            f->met[kept++] = f->met[k];
    f->count = kept;
}

START_TEST(test_explore__the_tree_meets_what_booting_every_image_meets)
{
    static const uint32_t variant[] = {MIRROR, ANYWHERE, TABLE, CONTROL};
    uint32_t cell =
        plan_cell_index(rig.plan, variant[_i % 4], _i < 4 ? CREATE : RENAME, _i < 4 ? CUT : TORN);
    struct explore_options options = {.depth = _i < 4, .every = _i < 4 ? 1 : 5};
    struct explore_sum lazy = explore(cell, 0, &options, &first);
    options.eager = true;
    struct explore_sum eager = explore(cell, 0, &options, &second);
    ck_assert_uint_eq(lazy.states, eager.states);
    ck_assert_uint_le(lazy.boots, eager.boots);
    ck_assert_uint_eq(eager.repeated, 0); /* each looks for itself, and meets the same */
    if (variant[_i % 4] == MIRROR)
        ck_assert_uint_gt(lazy.repeated, 0);
    sort(&first);
    sort(&second);
    ck_assert_uint_eq(first.count, second.count);
    ck_assert_uint_gt(first.count, 0);
    for (uint32_t k = 0; k < first.count; k++) {
        ck_assert_uint_eq(first.met[k].point, second.met[k].point);
        ck_assert_uint_eq(first.met[k].digest, second.met[k].digest);
    }
}
END_TEST

START_TEST(test_explore__rows_are_the_same_depth_by_depth)
{
    uint32_t cell = plan_cell_index(rig.plan, _i == 0 ? MIRROR : CONTROL, CREATE, CUT), rows = 0;
    struct explore_options options = {.depth = 2, .every = 1, .keep_all = true};
    struct explore_sum whole = explore(cell, 0, &options, &first), sum = {0};
    for (uint32_t depth = 0; depth <= 2; depth++) {
        to = depth;
        struct explore_sum part = explore(cell, depth, &options, &second);
        to = UINT32_MAX;
        sum.states += part.states;
        for (uint32_t k = 0; k < second.rows; k++, rows++) {
            uint32_t at = 0;
            while (at < first.rows && first.row[at].trial != second.row[k].trial)
                at++;
            ck_assert_uint_lt(at, first.rows);
            ck_assert_uint_eq(first.row[at].hash, second.row[k].hash);
            ck_assert_str_eq(first.row[at].state, second.row[k].state);
        }
        ck_assert_uint_eq(first.states, second.states);
        ck_assert((part.left == 0) == (depth == 2));
    }
    ck_assert_uint_gt(rows, 0);
    ck_assert_uint_eq(rows, first.rows);
    ck_assert_uint_eq(sum.states, whole.states);
    ck_assert_uint_eq(whole.left, 0);
}
END_TEST

/* {"point":4,"disks":[{"keep":2},{"keep":3,"leave":[1],"tear":[3,2]}]} */
static bool visit(uint32_t cell, const char *state)
{
    uint32_t left[16], point = 0, disk = 0;
    struct sim_state_disk disks[DISKS_MAX] = {{0}};
    ck_assert_int_eq(sscanf(state, "{\"point\":%u", &point), 1);
    for (const char *at = strstr(state, "{\"keep\""); at != NULL; disk++) {
        const char *next = strstr(at + 1, "{\"keep\""), *leave = strstr(at, "\"leave\":[");
        const char *tear = strstr(at, "\"tear\":[");
        ck_assert_int_eq(sscanf(at, "{\"keep\":%u", &disks[disk].keep), 1);
        if (leave != NULL && (next == NULL || leave < next)) {
            disks[disk].left = left;
            ck_assert_int_ge(sscanf(leave, "\"leave\":[%u,%u", &left[0], &left[1]), 1);
            disks[disk].left_count =
                strchr(leave, ',') != NULL && strchr(leave, ',') < strchr(leave, ']') ? 2 : 1;
        }
        if (tear != NULL && (next == NULL || tear < next))
            ck_assert_int_eq(
                sscanf(tear, "\"tear\":[%u,%u", &disks[disk].torn, &disks[disk].sectors), 2);
        at = next;
    }
    return explorer_visit(x, cell, 0, point, disks, &record);
}

START_TEST(test_explore__a_row_can_be_visited_again)
{
    uint32_t cell = plan_cell_index(rig.plan, _i == 0 ? MIRROR : CONTROL, CREATE, TORN);
    struct explore_options options = {.depth = 2, .every = 2, .keep_all = true};
    (void)explore(cell, 0, &options, &first);
    ck_assert_uint_gt(first.rows, 3);
    for (uint32_t k = 0; k < first.rows; k += _i == 0 ? 3 : 17) {
        ck_assert(visit(cell, first.row[k].state));
        ck_assert_uint_eq(record.hash, first.row[k].hash);
        ck_assert_int_eq(record.level, first.row[k].level);
        ck_assert_str_eq(record.state, first.row[k].state);
    }
    ck_assert(!visit(cell, "{\"point\":100000,\"disks\":[{\"keep\":0}]}"));
    ck_assert(!visit(cell, "{\"point\":0,\"disks\":[{\"keep\":100000}]}"));
}
END_TEST

/* The state as the `cache` of a fault. */
static void as_cache(const char *state, char *yaml, size_t room)
{
    char leave[64] = "", tear[64] = "";
    uint32_t keep = 0, left = 0, torn = 0, sectors = 0;
    ck_assert_ptr_nonnull(strstr(state, "\"keep\":"));
    (void)sscanf(strstr(state, "\"keep\":"), "\"keep\":%u", &keep);
    const char *at = strstr(state, "\"leave\":["), *end = at == NULL ? NULL : strchr(at, ']');
    for (at = at == NULL ? NULL : strchr(at, '['); at != NULL && at < end; at = strchr(at + 1, ','))
        if (sscanf(at + 1, "%u", &left) == 1 && at + 1 < end)
            (void)snprintf(leave + strlen(leave), sizeof(leave) - strlen(leave), "%s[0, %u]",
                           leave[0] == '\0' ? "" : ", ", left);
    at = strstr(state, "\"tear\":[");
    if (at != NULL && sscanf(at, "\"tear\":[%u,%u", &torn, &sectors) == 2)
        (void)snprintf(tear, sizeof(tear), "[0, %u, %u]", torn, sectors);
    (void)snprintf(yaml, room, "{keep: [%u], leave: [%s], tear: [%s]}", keep, leave, tear);
}

/* Of one disk: a broken state, written into a campaign, breaks the promise there as it did here. */
START_TEST(test_explore__a_state_is_a_fault_of_a_campaign)
{
    static const char head[] =
        "campaign: chosen\n"
        "seed: 3\n"
        "machine: {disks: {count: 1, profile: ssd-sata, size: 16MiB}, environments: 1}\n"
        "variants:\n"
        "  control: {stack: none, raid: 0, cache: 1MiB}\n"
        "workloads:\n"
        "  create: {app: script, operations: \"create f\\nwrite f 0 4096\\nfsync f\\n\"}\n"
        "promises: {\"control/*/*\": durable}\n"
        "faults:\n";
    char campaign[sizeof(head) + 256], cache[160];
    struct explore_options options = {.depth = 2, .every = 1};
    (void)explore(plan_cell_index(rig.plan, CONTROL, CREATE, TORN), 0, &options, &first);
    uint32_t tried = 0;
    teardown(); /* one laboratory a process */
    for (uint32_t k = 0; k < first.rows; k++) {
        uint32_t write = 0;
        const char *place = strstr(first.row[k].struck, "write ");
        if (place == NULL || sscanf(place, "write %u of disk 0", &write) != 1)
            continue;
        as_cache(first.row[k].state, cache, sizeof(cache));
        (void)snprintf(campaign, sizeof(campaign),
                       "%s  x: [{kind: power.cut, at: {write: %u, disk: 0}, cache: %s}]\n", head,
                       write, cache);
        rig_trial_init(&rig, campaign);
        lab_begin(rig.lab, 0, 0, 0);
        lab_trial(rig.lab, 0, &record);
        ck_assert(record.injected);
        ck_assert_int_eq(record.level, first.row[k].level);
        ck_assert_int_eq(record_kept(&record), 0);
        rig_trial_fini(&rig);
        tried++;
    }
    ck_assert_uint_gt(tried, 2);
    setup();
}
END_TEST

START_TEST(test_explore__the_control_breaks_what_others_keep)
{
    struct explore_options options = {.depth = 1, .every = 1};
    struct explore_sum sound =
        explore(plan_cell_index(rig.plan, MIRROR, RENAME, CUT), 0, &options, &first);
    ck_assert_uint_eq(sound.broken, 0);
    ck_assert_uint_eq(sound.rows, 0);
    struct explore_sum control =
        explore(plan_cell_index(rig.plan, CONTROL, RENAME, CUT), 0, &options, &first);
    ck_assert_uint_gt(control.broken, 0);
    ck_assert_uint_eq(control.rows, control.broken);
}
END_TEST

START_TEST(test_explore__bounds_leave_points_and_states_out_and_say_so)
{
    uint32_t cell = plan_cell_index(rig.plan, MIRROR, RENAME, CUT);
    struct explore_options options = {.depth = 1, .every = 1};
    struct explore_sum all = explore(cell, 0, &options, &first);
    options.every = 4;
    struct explore_sum some = explore(cell, 0, &options, &second);
    ck_assert_uint_eq(some.points, all.points / 4);
    options.every = 1;
    options.persistence = true;
    ck_assert_uint_eq(explore(cell, 0, &options, &second).points, 2); /* its two fsyncs */
    options.persistence = false;
    options.states = all.states / 2;
    struct explore_sum half = explore(cell, 0, &options, &second);
    ck_assert_uint_gt(half.left, 0);
    ck_assert_uint_eq(second.states, first.states);
    ck_assert_uint_eq(half.states + half.left, all.states);
}
END_TEST

/* Nothing kept is one state a point. */
START_TEST(test_explore__drop_is_one_state_a_point)
{
    struct explore_options options = {.depth = 2, .every = 1};
    struct explore_sum sum =
        explore(plan_cell_index(rig.plan, MIRROR, CREATE, DROP), 0, &options, &first);
    ck_assert_uint_eq(sum.states, sum.points);
    ck_assert_uint_eq(sum.broken, 0);
}
END_TEST

START_TEST(test_explore__other_plans_are_refused_with_a_reason)
{
    static const uint32_t refused[] = {NONE, TWICE, DIES, ONCE};
    for (uint32_t k = 0; k < 4; k++)
        ck_assert_ptr_nonnull(
            explore_refuses(rig.plan, plan_cell_index(rig.plan, MIRROR, CREATE, refused[k])));
    ck_assert_ptr_null(explore_refuses(rig.plan, plan_cell_index(rig.plan, MIRROR, CREATE, CUT)));
}
END_TEST

CHECK_MAIN("explore", 300, tcase_add_checked_fixture(tc, setup, teardown);
           tcase_add_loop_test(tc, test_explore__the_tree_meets_what_booting_every_image_meets, 0,
                               8);
           tcase_add_loop_test(tc, test_explore__rows_are_the_same_depth_by_depth, 0, 2);
           tcase_add_loop_test(tc, test_explore__a_row_can_be_visited_again, 0, 2);
           tcase_add_test(tc, test_explore__a_state_is_a_fault_of_a_campaign);
           tcase_add_test(tc, test_explore__the_control_breaks_what_others_keep);
           tcase_add_test(tc, test_explore__bounds_leave_points_and_states_out_and_say_so);
           tcase_add_test(tc, test_explore__drop_is_one_state_a_point);
           tcase_add_test(tc, test_explore__other_plans_are_refused_with_a_reason);)
