/*
 * Batches of `cow`: what a cut leaves is the tree as it was after some operation, and never before
 * the last one that was synced.
 */
#include "scripts/check_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stack/tests/classic/cow/cow_life.h"

#define ROOT 1u
#define DISK_BYTES (16u << 20)
#define CACHE_BYTES (4u << 20)
#define LIVES 12u
#define CUTS 5u
#define HITS 6u

static struct cow_rig rig;
static struct cow_life life;
static uint8_t data[50010], back[1 << 16];

static void setup(void)
{
    cow_rig_init(&rig, DISK_BYTES, CACHE_BYTES);
    for (uint32_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * i >> 3);
}

static void teardown(void)
{
    cow_rig_fini(&rig);
}

START_TEST(test_batches__a_synced_file_is_there_after_a_boot)
{
    uint64_t f, moved;
    ck_assert_int_eq(cow_rig_make(&rig, VFS_CREATE, ROOT, "f", &f), OK);
    ck_assert_int_eq(cow_rig_write(&rig, f, 0, data, 50000), OK);
    ck_assert_int_eq(cow_rig_plain(&rig, VFS_FSYNC, f, 0), OK);
    ck_assert_int_eq(cow_rig_write(&rig, f, 0, data + 5, 50000), OK);
    ck_assert_int_eq(cow_rig_boot(&rig, false), OK);
    ck_assert_int_eq(cow_rig_lookup(&rig, ROOT, "f", &f), OK);
    ck_assert_int_eq(cow_rig_read(&rig, f, 0, back, sizeof(back), &moved), OK);
    ck_assert_uint_eq(moved, 50000);
    ck_assert_int_eq(memcmp(data, back, 50000), 0);
}
END_TEST

/* Lives for some operations, with syncs and batches by age, then loses the power. */
static void live_and_cut(uint32_t steps)
{
    for (uint32_t k = 0; k < steps; k++) {
        cow_life_step(&life);
        if (cow_life_draw(&life, 4) == 0)
            ck_assert(cow_life_sync(&life));
        if (cow_life_draw(&life, 6) == 0)
            (void)fake_run_until(fake_now() + UINT64_C(31000000000));
    }
    cow_life_cut(&life);
    cow_life_expect_sound(&life);
    (void)cow_life_find(&life);
}

static void many_lives(enum vfs_op sync, uint32_t lives)
{
    for (uint32_t seed = 1; seed <= lives; seed++) {
        cow_life_begin(&life, &rig, seed, sync);
        for (uint32_t cut = 0; cut < CUTS; cut++)
            live_and_cut(5 + cow_life_draw(&life, 40));
    }
}

START_TEST(test_batches__a_cut_leaves_the_tree_of_an_operation_since_the_sync)
{
    many_lives(VFS_SYNC, LIVES);
}
END_TEST

START_TEST(test_batches__the_log_leaves_the_tree_of_an_operation_since_the_fsync)
{
    rig.boot.options.fsync_log = true;
    many_lives(VFS_FSYNC, LIVES);
    ck_assert_uint_ge(fake_probe_hits(PROBE_COW_LOG), 50);
    ck_assert_uint_ge(fake_probe_hits(PROBE_COW_REPLAY), 20);
}
END_TEST

START_TEST(test_batches__segments_leave_the_tree_of_an_operation_since_the_fsync)
{
    rig.boot.options.space_segment = rig.boot.options.fsync_log = true;
    many_lives(VFS_FSYNC, LIVES / 2);
}
END_TEST

/* Lives until it dies at the n-th hit of the probe, in the middle of a sync. */
static void die_at(enum probe probe, uint32_t n, enum vfs_op sync)
{
    cow_life_begin(&life, &rig, n, sync);
    fake_crash_at_probe(probe, n);
    while (!rig.crashed) {
        cow_life_step(&life);
        if (cow_life_draw(&life, 3) == 0)
            (void)cow_life_sync(&life);
    }
    fake_crash_at_probe(probe, 0);
    cow_life_cut(&life);
}

START_TEST(test_batches__a_root_is_durable_with_its_first_copy)
{
    static const enum probe probes[] = {PROBE_COW_CLOSED, PROBE_COW_DATA, PROBE_COW_ROOT_1,
                                        PROBE_COW_ROOT_2};
    for (uint32_t k = 0; k < 4; k++)
        for (uint32_t n = 1; n <= HITS; n++) {
            die_at(probes[k], n, VFS_SYNC);
            uint64_t old = life.state[life.synced], new = life.state[life.count - 1];
            (void)cow_life_find(&life);
            bool durable = probes[k] == PROBE_COW_ROOT_1 || probes[k] == PROBE_COW_ROOT_2;
            ck_assert_uint_eq(life.state[0], durable ? new : old);
        }
}
END_TEST

START_TEST(test_batches__a_log_block_is_durable_once_it_is_flushed_and_replayed_twice_over)
{
    rig.boot.options.fsync_log = true;
    for (uint32_t n = 1; n <= HITS; n++) {
        die_at(PROBE_COW_LOG, n, VFS_FSYNC);
        uint64_t new = life.state[life.count - 1];
        fake_crash_at_probe(n % 2 == 0 ? PROBE_COW_REPLAY : PROBE_COW_DATA, 1);
        ck_assert_int_ne(cow_rig_boot(&rig, false), OK);
        ck_assert(rig.crashed);
        cow_life_cut(&life);
        (void)cow_life_find(&life);
        ck_assert_uint_eq(life.state[0], new);
    }
}
END_TEST

CHECK_MAIN(
    "batches", 120, tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_batches__a_synced_file_is_there_after_a_boot);
    tcase_add_test(tc, test_batches__a_cut_leaves_the_tree_of_an_operation_since_the_sync);
    tcase_add_test(tc, test_batches__the_log_leaves_the_tree_of_an_operation_since_the_fsync);
    tcase_add_test(tc, test_batches__segments_leave_the_tree_of_an_operation_since_the_fsync);
    tcase_add_test(tc, test_batches__a_root_is_durable_with_its_first_copy); tcase_add_test(
        tc, test_batches__a_log_block_is_durable_once_it_is_flushed_and_replayed_twice_over);)
