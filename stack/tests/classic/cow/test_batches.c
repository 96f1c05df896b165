/*
 * Batches of `cow`: what a cut leaves is the tree as it was after some operation, and never before
 * the last one that was synced.
 */
#include "scripts/check_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stack/tests/classic/cow/cow_rig.h"

#define ROOT 1u
#define DISK_BYTES (16u << 20)
#define CACHE_BYTES (4u << 20)
#define NAMES 6u
#define STATES_MAX 400u

static struct cow_rig rig;
static uint8_t data[1 << 16], back[1 << 16];
static uint64_t rng;

static uint32_t draw(uint32_t below)
{
    rng = rng * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(rng >> 33) % below;
}

static void setup(void)
{
    cow_rig_init(&rig, DISK_BYTES, CACHE_BYTES);
    rng = 4711;
    for (uint32_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)draw(256);
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

/* ---- A random life with a cut ---- */

static const char *name_of(uint32_t k)
{
    static const char *const names[NAMES] = {"a", "b", "c", "d", "e", "f"};
    return names[k];
}

/* One random operation in a small tree; what it answers does not matter. */
static void random_step(void)
{
    uint64_t dir = ROOT, f, to = ROOT;
    if (draw(2) == 0)
        (void)!cow_rig_lookup(&rig, ROOT, "dir", &dir);
    if (draw(2) == 0)
        (void)!cow_rig_lookup(&rig, ROOT, "dir", &to);
    if (dir == 0)
        dir = ROOT;
    if (to == 0)
        to = ROOT;
    const char *name = name_of(draw(NAMES));
    switch (draw(9)) {
    case 0:
        (void)!cow_rig_make(&rig, VFS_MKDIR, ROOT, "dir", NULL);
        break;
    case 1:
    case 2:
        (void)!cow_rig_make(&rig, VFS_CREATE, dir, name, NULL);
        break;
    case 3:
        (void)!cow_rig_remove(&rig, VFS_UNLINK, dir, name, draw(2) == 0 ? VFS_OPEN : 0);
        break;
    case 4:
        (void)!cow_rig_rename(&rig, dir, name, to, name_of(draw(NAMES)));
        break;
    case 5:
        if (cow_rig_lookup(&rig, dir, name, &f) == OK)
            (void)!cow_rig_plain(&rig, VFS_TRUNCATE, f, draw(2) == 0 ? 0 : draw(1200000));
        break;
    default:
        if (cow_rig_lookup(&rig, dir, name, &f) == OK)
            (void)!cow_rig_write(&rig, f, draw(3) == 0 ? draw(1100000) : draw(20000),
                                 data + draw(1000), 1 + draw(30000));
    }
}

struct life {
    uint64_t state[STATES_MAX]; /* hash of the tree after each operation */
    uint32_t count, synced;
};

static void note(struct life *life)
{
    uint32_t broken;
    ck_assert_uint_lt(life->count, STATES_MAX);
    life->state[life->count++] = cow_rig_tree(&rig, &broken);
    ck_assert_uint_eq(broken, 0);
}

static void expect_sound(void)
{
    struct cow_check check;
    cow_rig_check(&rig, &check);
    ck_assert_msg(check.ok, "%s", check.text);
    ck_assert_uint_eq(check.leaked_blocks, 0);
    ck_assert_uint_eq(check.leaked_inodes, 0);
    ck_assert_uint_eq(check.unreadable, 0);
}

static bool keep_some(void *ctx, uint32_t write, uint32_t sector)
{
    (void)ctx, (void)write, (void)sector;
    return draw(2) == 0;
}

/* Lives for some operations, cuts the power, and finds the tree as it was at some time. */
static void live_and_cut(struct life *life, uint32_t steps)
{
    uint32_t broken;
    for (uint32_t k = 0; k < steps; k++) {
        random_step();
        note(life);
        if (draw(4) == 0) {
            ck_assert_int_eq(cow_rig_plain(&rig, VFS_SYNC, 0, 0), OK);
            life->synced = life->count - 1;
        }
        if (draw(3) == 0)
            (void)fake_run_until(fake_now() + UINT64_C(31000000000));
    }
    fake_kill_layer();
    ramdisk_power_cut(&rig.disk, draw(3) == 0 ? NULL : keep_some, NULL);
    expect_sound();
    ck_assert_int_eq(cow_rig_boot(&rig, false), OK);
    uint64_t found = cow_rig_tree(&rig, &broken);
    ck_assert_uint_eq(broken, 0);
    uint32_t k = life->count;
    while (k > life->synced && life->state[k - 1] != found)
        k--;
    ck_assert_msg(k > life->synced, "not one of %u states since the sync",
                  life->count - life->synced);
    *life = (struct life){.state = {found}, .count = 1};
}

START_TEST(test_batches__a_cut_leaves_the_tree_of_an_operation_since_the_sync)
{
    for (uint32_t seed = 1; seed <= 12; seed++) {
        static struct life life;
        rng = seed;
        memset(rig.disk.bytes, 0, DISK_BYTES);
        ck_assert_int_eq(cow_rig_boot(&rig, true), OK);
        ramdisk_set_volatile(&rig.disk);
        life = (struct life){0};
        note(&life);
        for (uint32_t cut = 0; cut < 5; cut++)
            live_and_cut(&life, 5 + draw(40));
    }
}
END_TEST

/* Dies at the n-th hit of a probe in the middle of a sync; the cut keeps any subset of sectors. */
static void die_at(enum probe probe, uint32_t n, uint32_t steps)
{
    static struct life life;
    uint32_t broken;
    memset(rig.disk.bytes, 0, DISK_BYTES);
    ck_assert_int_eq(cow_rig_boot(&rig, true), OK);
    ramdisk_set_volatile(&rig.disk);
    life = (struct life){0};
    note(&life);
    fake_crash_at_probe(probe, n);
    for (uint32_t k = 0; k < steps && !rig.crashed; k++) {
        random_step();
        ck_assert(!rig.crashed); /* no batch is closed but by the sync */
        note(&life);
        if (draw(3) == 0 && cow_rig_plain(&rig, VFS_SYNC, 0, 0) == OK)
            life.synced = life.count - 1;
    }
    ck_assert(rig.crashed);
    fake_crash_at_probe(probe, 0);
    ramdisk_power_cut(&rig.disk, keep_some, NULL);
    ck_assert_int_eq(cow_rig_boot(&rig, false), OK);
    uint64_t found = cow_rig_tree(&rig, &broken);
    ck_assert_uint_eq(broken, 0);
    bool old = found == life.state[life.synced], new = found == life.state[life.count - 1];
    ck_assert_msg(old || new, "probe %d, hit %u: neither old nor new", (int)probe, n);
    ck_assert(new || probe == PROBE_COW_CLOSED || probe == PROBE_COW_DATA);
    ck_assert(old || probe == PROBE_COW_ROOT_1 || probe == PROBE_COW_ROOT_2);
}

START_TEST(test_batches__a_root_is_durable_with_its_first_copy)
{
    static const enum probe probes[] = {PROBE_COW_CLOSED, PROBE_COW_DATA, PROBE_COW_ROOT_1,
                                        PROBE_COW_ROOT_2};
    for (uint32_t k = 0; k < 4; k++)
        for (uint32_t n = 1; n <= 6; n++) {
            rng = 100 * k + n;
            die_at(probes[k], n, 200);
        }
}
END_TEST

CHECK_MAIN("batches", 120, tcase_add_checked_fixture(tc, setup, teardown);
           tcase_add_test(tc, test_batches__a_synced_file_is_there_after_a_boot);
           tcase_add_test(tc, test_batches__a_cut_leaves_the_tree_of_an_operation_since_the_sync);
           tcase_add_test(tc, test_batches__a_root_is_durable_with_its_first_copy);)
