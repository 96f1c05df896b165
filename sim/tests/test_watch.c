/*
 * Stretches of a process: they end at calls, at events, and where what outlives it changes; deaths
 * within one leave the same run behind; whoever looks changes nothing.
 */
#include <string.h>

#include "assertion.h"
#include "scripts/check_main.h"
#include "sim/tests/rig.h"

#define EDGES_MAX 64u
#define PAGE_BYTES 4096u
#define WORK 200u /* blocks of one stretch */

static struct {
    enum layer layer;
    uint64_t block;
} edge[EDGES_MAX];
static uint32_t edges;

static struct {
    uint64_t k;
    bool kill;
} fate;

static void work(uint32_t blocks)
{
    for (uint32_t i = 0; i < blocks; i++)
        STEP();
}

static void wait_for_ever(void)
{
    struct msg m;
    for (;;)
        if (plat_receive(ENDPOINT_ANY, &m, PLAT_FOREVER) == OK && m.source == ENDPOINT_RS)
            plat_notify(ENDPOINT_RS);
}

/* Calls at blocks 3, 3 and 5; an alarm comes within the WORK blocks behind; then it waits. */
static void caller_main(const struct boot *boot)
{
    (void)boot;
    work(3);
    plat_ready();
    plat_subscribe(LAYER_LOGICAL, 0);
    work(2);
    plat_alarm(plat_now() + 150);
    work(WORK);
    wait_for_ever();
}

/* Blocks 3, 5 and 6 change what outlives it; 7 stores what is there, 2 only counts. */
static void keeper_main(const struct boot *boot)
{
    uint8_t *bytes = boot->survivor;
    STEP();
    plat_ready();
    work(2);
    bytes[0] = 1;
    work(2);
    bytes[PAGE_BYTES + 9] = 1;
    STEP();
    bytes[PAGE_BYTES + 9] = 0;
    STEP();
    bytes[0] = 1;
    STEP();
    wait_for_ever();
}

static void on_edge(void *context, enum layer layer, uint32_t instance, uint64_t blocks)
{
    (void)context;
    ck_assert_uint_eq(instance, 0);
    ck_assert_uint_lt(edges, EDGES_MAX);
    edge[edges].layer = layer;
    edge[edges++].block = blocks;
}

/* The distinct blocks of the edges of one layer, in order; how many. */
static uint32_t blocks_of(enum layer layer, uint64_t *to)
{
    uint32_t count = 0;
    for (uint32_t k = 0; k < edges; k++)
        if (edge[k].layer == layer && (count == 0 || to[count - 1] != edge[k].block))
            to[count++] = edge[k].block;
    return count;
}

static uint64_t run(uint64_t until_ns)
{
    edges = 0;
    rig_boot(caller_main, keeper_main, NULL);
    sim_machine_zero_counters(rig.m);
    if (fate.kill)
        sim_machine_arm_block(rig.m, LAYER_NAMING, 0, fate.k);
    (void)sim_machine_run(rig.m, until_ns);
    return sim_machine_hash(rig.m);
}

static void on_block(void *context, enum layer layer, uint32_t instance)
{
    (void)context;
    (void)sim_machine_kill(rig.m, layer, instance, SIM_DEATH_KILLED);
}

static void setup(void)
{
    rig_setup();
    fate.kill = false;
}

START_TEST(test_watch__a_stretch_ends_at_calls_and_at_events)
{
    uint64_t block[EDGES_MAX] = {0};
    sim_machine_watch(rig.m, on_edge, NULL);
    (void)run(100 * MS);
    ck_assert_uint_eq(blocks_of(LAYER_NAMING, block), 4);
    ck_assert_uint_eq(block[0], 3);
    ck_assert_uint_eq(block[1], 5);
    ck_assert_uint_gt(block[2], 5); /* the alarm */
    ck_assert_uint_lt(block[2], 5 + WORK);
    ck_assert_uint_eq(block[3], 5 + WORK);
}
END_TEST

START_TEST(test_watch__a_stretch_ends_where_what_survives_changes)
{
    static const uint64_t want[] = {1, 3, 5, 6, 8};
    uint64_t block[EDGES_MAX] = {0};
    sim_machine_watch(rig.m, on_edge, NULL);
    (void)run(100 * MS);
    ck_assert_uint_eq(blocks_of(LAYER_CACHE, block), 5);
    for (uint32_t k = 0; k < 5; k++)
        ck_assert_uint_eq(block[k], want[k]);
}
END_TEST

START_TEST(test_watch__a_watched_run_is_the_same_run)
{
    uint64_t plain = run(3 * SECOND);
    uint64_t now = sim_machine_now(rig.m);
    sim_machine_watch(rig.m, on_edge, NULL);
    ck_assert_uint_eq(run(3 * SECOND), plain);
    ck_assert_uint_eq(sim_machine_now(rig.m), now);
    ck_assert_uint_gt(edges, 0);
    sim_machine_watch(rig.m, NULL, NULL);
    ck_assert_uint_eq(run(3 * SECOND), plain);
    ck_assert_uint_eq(edges, 0);
}
END_TEST

/* The hash of the run in which the caller dies at block k, told as at `last` (0: as it comes). */
static uint64_t die_at(uint64_t k, uint64_t last, uint64_t at_ns)
{
    fate.kill = true;
    fate.k = k;
    if (last != 0)
        sim_machine_stamp_death(rig.m, LAYER_NAMING, 0, last, at_ns);
    uint64_t hash = run(3 * SECOND);
    ck_assert_uint_eq(rig.deaths, 1);
    return hash;
}

START_TEST(test_watch__deaths_in_one_stretch_leave_the_same_run)
{
    uint64_t block[EDGES_MAX] = {0};
    rig_observe((struct sim_observer){.on_block = on_block});
    sim_machine_watch(rig.m, on_edge, NULL);
    (void)run(100 * MS);
    uint32_t count = blocks_of(LAYER_NAMING, block);
    sim_machine_watch(rig.m, NULL, NULL);
    for (uint32_t s = 0; s < count; s++) {
        uint64_t hash = die_at(block[s], 0, 0), at_ns = rig.death[0].at_ns;
        for (uint64_t k = s == 0 ? 1 : block[s - 1] + 1; k < block[s]; k += 7) {
            ck_assert_uint_eq(die_at(k, block[s], at_ns), hash);
            ck_assert_uint_ne(die_at(k, 0, 0), hash); /* it is another time: that is told apart */
        }
    }
    /* Another stretch is another run: it was ready, or it was not. */
    uint64_t after = die_at(block[1], 0, 0), at_ns = rig.death[0].at_ns;
    ck_assert_uint_ne(die_at(block[0], block[1], at_ns), after);
}
END_TEST

CHECK_MAIN("watch", 60, tcase_add_checked_fixture(tc, setup, rig_teardown);
           tcase_add_test(tc, test_watch__a_stretch_ends_at_calls_and_at_events);
           tcase_add_test(tc, test_watch__a_stretch_ends_where_what_survives_changes);
           tcase_add_test(tc, test_watch__a_watched_run_is_the_same_run);
           tcase_add_test(tc, test_watch__deaths_in_one_stretch_leave_the_same_run);)
