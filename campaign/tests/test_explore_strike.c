/*
 * Deaths of processes, explored: one death stands for all of its stretch, a second strikes in the
 * recovery from the first, and each is a trial of a campaign that names its blocks.
 */
#include <stdio.h>
#include <string.h>

#include "campaign/explore_strike.h"
#include "campaign/tests/rig_trial.h"
#include "scripts/check_main.h"

#define MET_MAX 8192u
#define ROWS_MAX 256u

#define HEAD                                                                                       \
    "campaign: deaths\n"                                                                           \
    "seed: 3\n"                                                                                    \
    "machine: {disks: {count: 2, profile: ssd-sata, size: 16MiB}, environments: 1}\n"              \
    "variants:\n"                                                                                  \
    "  mirror: {stack: loris, raid: 1, checkpoint: 500ms, cache: 1MiB, log-size: 1MiB}\n"          \
    "  table: {stack: fat, raid: 0, cache: 1MiB, machine: {disks: {count: 1, sector-size: "        \
    "4096B}}}\n"                                                                                   \
    "workloads:\n"                                                                                 \
    "  create: {app: script, operations: \"create f\\nwrite f 0 4096\\nfsync f\\n\"}\n"            \
    "  one: {app: bounded, length: 1}\n"                                                           \
    "faults:\n"

static const char text[] = HEAD
    "  none: []\n"
    "  cache: [{kind: process.crash, layer: cache, at: uniform}]\n"
    "  physical: [{kind: process.crash, layer: physical, at: {block: uniform}}]\n"
    "  fs: [{kind: process.crash, layer: fs, at: {message: uniform}}]\n"
    "  second: [{kind: process.crash, layer: driver, instance: 0, at: uniform},\n"
    "           {kind: process.crash, layer: physical, instance: 1, at: {recovery: uniform}}]\n"
    "  all: [{kind: process.crash, layer: physical, instance: all, at: uniform}]\n"
    "  again: [{kind: process.crash, layer: physical, at: uniform, repeat: 2}]\n"
    "  chosen: [{kind: process.crash, layer: physical, at: {block: 7}}]\n"
    "  timed: [{kind: process.crash, layer: physical, at: uniform},\n"
    "          {kind: process.crash, layer: physical, at: {after: 1ms}}]\n"
    "  hangs: [{kind: process.hang, layer: physical, at: uniform}]\n"
    "  flip: [{kind: memory.flip, layer: cache, region: pages, at: uniform}]\n"
    "  frozen: [{kind: memory.flip, layer: cache, region: pages, state: dirty,\n"
    "            at: {probe: ckpt-frozen, n: uniform}}]\n"
    "  row: [{kind: memory.flip, layer: cache, at: uniform, pattern: row}]\n"
    "  boot: [{kind: power.cut, at: uniform, cache: drop},\n"
    "         {kind: process.crash, layer: physical, instance: 1, at: {recovery: uniform}}]\n"
    "  cut: [{kind: process.crash, layer: logical, at: uniform},\n"
    "        {kind: power.cut, at: {recovery: uniform}, cache: keep}]\n"
    "  alone: [{kind: power.cut, at: uniform}]\n"
    "  flips: [{kind: memory.flip, layer: cache, at: uniform},\n"
    "          {kind: memory.flip, layer: cache, at: uniform}]\n";
enum { MIRROR, TABLE };
enum { CREATE, ONE };
enum {
    NONE,
    CACHE,
    PHYSICAL,
    FS,
    SECOND,
    ALL,
    AGAIN,
    CHOSEN,
    TIMED,
    HANGS,
    FLIP,
    FROZEN,
    ROW,
    BOOT,
    CUT,
    ALONE,
    FLIPS
};

struct found {
    uint64_t met[MET_MAX];
    uint32_t met_count;
    struct {
        uint64_t trial, hash;
        char state[256];
    } row[ROWS_MAX];
    uint32_t rows;
    uint64_t states, distinct, left;
    uint32_t points;
};

static struct rig_trial rig;
static struct striker *s;
static struct found first, second;
static struct trial_record record;

static void setup(void)
{
    rig_trial_init(&rig, text);
    s = striker_create(rig.lab, rig.plan);
}

static void teardown(void)
{
    striker_destroy(s);
    rig_trial_fini(&rig);
}

static void on_met(void *context, uint32_t point, uint64_t digest)
{
    struct found *f = context;
    (void)point;
    ck_assert_uint_lt(f->met_count, MET_MAX);
    f->met[f->met_count++] = digest;
}

static void on_row(void *context, const struct trial_record *r)
{
    struct found *f = context;
    ck_assert_uint_lt(f->rows, ROWS_MAX);
    ck_assert(record_check(r));
    f->row[f->rows].trial = r->trial;
    f->row[f->rows].hash = r->hash;
    ck_assert_uint_lt(strlen(r->state), sizeof(f->row[0].state));
    memcpy(f->row[f->rows++].state, r->state, strlen(r->state) + 1);
}

static void on_point(void *context, const struct explore_point *point)
{
    struct found *f = context;
    f->points++;
    f->states += point->states;
    f->distinct += point->distinct;
    f->left += point->left;
}

/* The first part that the cell has. */
static uint32_t part_of(uint32_t cell)
{
    uint32_t parts = 0, part = 0;
    while (!striker_has_part(rig.plan, cell, part, &parts))
        ck_assert_uint_lt(++part, 64);
    return part;
}

static struct explore_sum explore(uint32_t cell, uint64_t n, uint32_t from, uint32_t to,
                                  const struct explore_options *options, struct found *f)
{
    struct explore_sink sink = {.context = f, .met = on_met, .row = on_row, .point = on_point};
    *f = (struct found){0};
    return striker_run(s, cell, n, part_of(cell), from, to, options, &sink);
}

/* Told as the last, the death at every block of a stretch is the same run: the licence to prune. */
START_TEST(test_explore_strike__a_death_stands_for_its_whole_stretch)
{
    static const uint32_t fault[] = {CACHE, PHYSICAL, FS};
    uint32_t cell = plan_cell_index(rig.plan, fault[_i] == FS ? TABLE : MIRROR, CREATE, fault[_i]);
    struct explore_options options = {.every = 13};
    struct explore_sum some = explore(cell, 0, 1, 1, &options, &first);
    options.eager = true;
    struct explore_sum all = explore(cell, 0, 1, 1, &options, &second);
    ck_assert_uint_gt(some.boots, 3);
    ck_assert_uint_eq(some.boots, first.distinct);
    ck_assert_uint_eq(all.boots, some.states); /* each block */
    ck_assert_uint_gt(all.boots, 3 * some.boots);
    ck_assert_uint_eq(second.distinct, first.distinct);
    ck_assert_uint_eq(first.left, 0);
}
END_TEST

START_TEST(test_explore_strike__levels_one_by_one_are_the_same)
{
    uint32_t cell = plan_cell_index(rig.plan, MIRROR, ONE, PHYSICAL), rows = 0;
    struct explore_options options = {.every = 40, .keep_all = true};
    struct explore_sum whole = explore(cell, 5, 1, 2, &options, &first), sum = {0};
    ck_assert_uint_eq(first.points, 2);
    for (uint32_t level = 1; level <= 2; level++) {
        struct explore_sum part = explore(cell, 5, level, level, &options, &second);
        ck_assert_uint_eq(second.points, 1);
        sum.states += part.states;
        for (uint32_t k = 0; k < second.rows; k++, rows++) {
            uint32_t at = 0;
            while (at < first.rows && first.row[at].trial != second.row[k].trial)
                at++;
            ck_assert_uint_lt(at, first.rows);
            ck_assert_uint_eq(first.row[at].hash, second.row[k].hash);
            ck_assert_str_eq(first.row[at].state, second.row[k].state);
        }
    }
    ck_assert_uint_gt(rows, 4);
    ck_assert_uint_eq(rows, first.rows);
    ck_assert_uint_eq(sum.states, whole.states);
}
END_TEST

/* {"strikes":[{"layer":"driver","instance":0,"block":9},{...}]} as a fault plan. cache: of cuts. */
static void as_plan(const char *state, const char *cache, char *yaml, size_t room)
{
    size_t at = (size_t)snprintf(yaml, room, "  x: [");
    for (const char *from = strchr(state, '['); (from = strchr(from, '{')) != NULL; from++) {
        char layer[16];
        unsigned instance = 0;
        unsigned long long block = 0;
        const char *comma = at > 6 ? ", " : "";
        if (sscanf(from, "{\"power\":\"cut\",\"disk\":%u,\"request\":%llu}", &instance, &block) ==
            2) {
            at += (size_t)snprintf(yaml + at, room - at,
                                   "%s{kind: power.cut, at: {io: %llu, disk: %u}, cache: %s}",
                                   comma, block, instance, cache);
            continue;
        }
        ck_assert_int_eq(sscanf(from, "{\"layer\":\"%15[a-z]\",\"instance\":%u,\"block\":%llu}",
                                layer, &instance, &block),
                         3);
        at += (size_t)snprintf(yaml + at, room - at,
                               "%s{kind: process.crash, layer: %s, instance: %u, at: {block: "
                               "%llu}}",
                               comma, layer, instance, block);
    }
    (void)snprintf(yaml + at, room - at, "]\n");
}

START_TEST(test_explore_strike__a_row_is_a_trial_of_a_campaign)
{
    static const struct {
        uint32_t fault;
        const char *cache, *has;
    } of[] = {{SECOND, "", "layer: physical, instance: 1"},
              {BOOT, "drop", "[{kind: power.cut"},
              {CUT, "keep", ", {kind: power.cut"}};
    char plan[512], campaign[sizeof(HEAD) + sizeof(plan)];
    struct explore_options options = {.every = 9, .keep_all = true};
    uint32_t cell = plan_cell_index(rig.plan, MIRROR, CREATE, of[_i].fault);
    struct explore_sum sum = explore(cell, 0, 2, 2, &options, &first);
    ck_assert_uint_gt(sum.boots, 3);
    ck_assert_uint_eq(sum.boots, first.rows);
    teardown(); /* one laboratory a process */
    for (uint32_t k = 0; k < first.rows; k += 5) {
        as_plan(first.row[k].state, of[_i].cache, plan, sizeof(plan));
        ck_assert_ptr_nonnull(strstr(plan, of[_i].has));
        (void)snprintf(campaign, sizeof(campaign), "%s%s", HEAD, plan);
        rig_trial_init(&rig, campaign);
        lab_begin(rig.lab, MIRROR, CREATE, 0);
        lab_trial(rig.lab, 0, &record);
        ck_assert(record.injected);
        ck_assert_uint_eq(record.hash, first.row[k].hash);
        rig_trial_fini(&rig);
    }
    setup();
}
END_TEST

START_TEST(test_explore_strike__bounds_leave_blocks_and_say_so)
{
    uint32_t cell = plan_cell_index(rig.plan, MIRROR, CREATE, PHYSICAL);
    struct explore_options options = {.every = 9};
    struct explore_sum all = explore(cell, 0, 1, 1, &options, &first);
    options.states = all.states / 2;
    struct explore_sum half = explore(cell, 0, 1, 1, &options, &second);
    ck_assert_uint_gt(half.left, 0);
    ck_assert_uint_lt(half.boots, all.boots);
    ck_assert_uint_eq(half.states + half.left, all.states);
    ck_assert_uint_eq(second.states, first.states);
    ck_assert_uint_eq(second.left, half.left);
}
END_TEST

/* One flip for each class of bits of dirty pages when the checkpoint freezes; the same again. */
START_TEST(test_explore_strike__flips_are_sampled_by_class)
{
    uint32_t cell = plan_cell_index(rig.plan, MIRROR, CREATE, FROZEN);
    struct explore_options options = {.every = 1, .keep_all = true};
    struct explore_sum sum = explore(cell, 0, 1, 1, &options, &first);
    ck_assert_uint_eq(sum.boots % 40, 0); /* eight words, five meanings of bits */
    ck_assert_uint_gt(sum.boots, 0);
    ck_assert_uint_eq(first.rows, sum.boots);
    ck_assert_uint_eq(sum.states % (4096 * 8), 0); /* all bits of whole pages */
    ck_assert_uint_eq(first.left, 0);
    (void)explore(cell, 0, 1, 1, &options, &second);
    ck_assert_uint_eq(second.rows, first.rows);
    bool differ = false;
    for (uint32_t k = 0; k < first.rows; k++) {
        ck_assert_uint_eq(second.row[k].hash, first.row[k].hash);
        ck_assert_ptr_nonnull(strstr(first.row[k].state, "\"probe\":\"ckpt-frozen\""));
        ck_assert_ptr_nonnull(strstr(first.row[k].state, "\"state\":\"dirty\""));
        differ = differ || first.row[k].hash != first.row[0].hash;
    }
    ck_assert(differ);
    /* Of pages in any state there are more. */
    uint32_t all = plan_cell_index(rig.plan, MIRROR, CREATE, FLIP);
    options = (struct explore_options){.every = 50};
    ck_assert_uint_gt(explore(all, 0, 1, 1, &options, &second).boots * 50, sum.boots);
}
END_TEST

START_TEST(test_explore_strike__other_plans_are_refused_with_a_reason)
{
    static const uint32_t refused[] = {ALL, AGAIN, CHOSEN, TIMED, ROW, FLIPS};
    static const uint32_t taken[] = {CACHE, PHYSICAL, SECOND, FLIP, FROZEN, BOOT, CUT};
    for (uint32_t k = 0; k < 6; k++) {
        uint32_t cell = plan_cell_index(rig.plan, MIRROR, CREATE, refused[k]);
        ck_assert(striker_takes(rig.plan, cell));
        ck_assert_ptr_nonnull(striker_refuses(rig.plan, cell));
        ck_assert_ptr_nonnull(explore_refuses(rig.plan, cell));
    }
    for (uint32_t k = 0; k < 7; k++)
        ck_assert_ptr_null(
            explore_refuses(rig.plan, plan_cell_index(rig.plan, MIRROR, CREATE, taken[k])));
    ck_assert(!striker_takes(rig.plan, plan_cell_index(rig.plan, MIRROR, CREATE, HANGS)));
    ck_assert(!striker_takes(rig.plan, plan_cell_index(rig.plan, MIRROR, CREATE, ALONE)));
    ck_assert(!striker_takes(rig.plan, plan_cell_index(rig.plan, MIRROR, CREATE, NONE)));
}
END_TEST

CHECK_MAIN("explore_strike", 300, tcase_add_checked_fixture(tc, setup, teardown);
           tcase_add_loop_test(tc, test_explore_strike__a_death_stands_for_its_whole_stretch, 0, 3);
           tcase_add_test(tc, test_explore_strike__levels_one_by_one_are_the_same);
           tcase_add_loop_test(tc, test_explore_strike__a_row_is_a_trial_of_a_campaign, 0, 3);
           tcase_add_test(tc, test_explore_strike__bounds_leave_blocks_and_say_so);
           tcase_add_test(tc, test_explore_strike__flips_are_sampled_by_class);
           tcase_add_test(tc, test_explore_strike__other_plans_are_refused_with_a_reason);)
