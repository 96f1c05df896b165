/* fsync=log: groups on the disks in place of a checkpoint, and back at a start. */
#include <string.h>

#include "cache_rig.h"
#include "cache_script.h"
#include "scripts/check_main.h"

#define LARGE (150u * BLOCK_BYTES)

static struct rig r;
static struct script s;
static uint8_t data[LARGE], back[LARGE];

static void prepare(void)
{
    rig_init(&r);
    r.boot.options.fsync_log = true;
}

/* The log takes groups: a start makes a checkpoint for that. */
static void open_log(void)
{
    (void)fake_run_until(fake_now() + 1000000000);
    ck_assert(r.store.log_open);
}

static void start(void)
{
    prepare();
    rig_start(&r);
    open_log();
}

static void put(uint64_t oid, size_t bytes, uint8_t seed)
{
    rig_next(&r, 0);
    rig_fill(data, seed, bytes);
    ck_assert_int_eq(rig_write(&r, 0, oid, 0, data, bytes), OK);
    ck_assert_int_eq(rig_commit(&r, 0), OK);
}

static uint64_t make(size_t bytes, uint8_t seed)
{
    rig_fill(data, seed, bytes);
    return rig_make(&r, 0, data, bytes);
}

static void expect(uint64_t oid, size_t bytes, uint8_t seed)
{
    uint32_t moved = 0;
    ck_assert_int_eq(rig_read(&r, 0, oid, 0, back, LARGE, &moved, false), OK);
    ck_assert_uint_eq(moved, bytes);
    rig_fill(data, seed, bytes);
    ck_assert_mem_eq(back, data, bytes);
}

static void expect_gone(uint64_t oid)
{
    uint64_t size = 0;
    uint8_t attr = 0;
    ck_assert_int_eq(rig_getattr(&r, 0, oid, &size, &attr, false), E_NOENT);
}

/* ---- Writing --------------------------------------------------------------------------------- */

START_TEST(test_cache_stable__an_fsync_is_a_group_and_no_checkpoint)
{
    start();
    uint64_t oid = make(9000, 1);
    uint32_t prepares = r.store.prepares;
    ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
    ck_assert_uint_eq(r.store.prepares, prepares);
    ck_assert_uint_eq(r.store.groups, 1);
    ck_assert_uint_eq(r.store.bad_crcs, 0);
    ck_assert_int_eq(rig_sync(&r, 0, oid), OK); /* nothing was committed since */
    ck_assert_uint_eq(r.store.groups, 1);
    rig_power_cut(&r);
    expect(oid, 9000, 1);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache_stable__a_sync_of_everything_is_a_checkpoint)
{
    start();
    (void)make(9000, 1);
    uint32_t prepares = r.store.prepares;
    ck_assert_int_eq(rig_sync(&r, 0, OID_NONE), OK);
    ck_assert_uint_eq(r.store.prepares, prepares + 1);
    ck_assert_uint_eq(r.store.groups, 0);
    rig_fini(&r);
}
END_TEST

/* All that was answered before, by whomever, and nothing that came later. */
START_TEST(test_cache_stable__a_group_is_all_that_was_committed_before_it)
{
    start();
    uint64_t first = make(9000, 1);
    uint64_t second = make(100, 2);
    ck_assert_int_eq(rig_sync(&r, 0, second), OK);
    uint64_t third = make(100, 3);
    put(first, 9000, 4);
    rig_power_cut(&r);
    expect(first, 9000, 1);
    expect(second, 100, 2);
    expect_gone(third);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache_stable__a_group_larger_than_a_segment_comes_back)
{
    start();
    uint64_t oid = make(LARGE, 1);
    put(oid, LARGE, 2);
    ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
    ck_assert_uint_eq(r.store.groups, 1);
    ck_assert_uint_ge(r.store.segments, 2);
    rig_power_cut(&r);
    expect(oid, LARGE, 2);
    rig_fini(&r);
}
END_TEST

/* The end of the second group did not come down: nothing of it is believed. */
START_TEST(test_cache_stable__a_group_without_its_last_segment_is_none)
{
    start();
    uint64_t oid = make(LARGE, 1);
    ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
    put(oid, LARGE, 2);
    ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
    ck_assert_uint_eq(r.store.groups, 2);
    r.store.segment[--r.store.segments].epoch = 0;
    rig_power_cut(&r);
    expect(oid, LARGE, 1);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache_stable__a_log_without_room_makes_a_checkpoint)
{
    start();
    r.store.log_room = 20;
    uint32_t prepares = r.store.prepares;
    uint64_t oid = make(9000, 0);
    for (uint8_t k = 1; k < 20; k++) {
        put(oid, 9000, k);
        ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
        if (k % 7 == 0) {
            rig_power_cut(&r);
            expect(oid, 9000, k);
            open_log();
        }
    }
    ck_assert_uint_gt(r.store.groups, 5);
    ck_assert_uint_gt(r.store.prepares, prepares + 2);
    rig_fini(&r);
}
END_TEST

/* Damaged memory: nothing of it goes into a group; who asked is told. */
START_TEST(test_cache_stable__a_damaged_page_is_not_logged)
{
    start();
    uint64_t oid = make(9000, 1);
    ck_assert_uint_eq(rig_flip_pages(data + BLOCK_BYTES), 1);
    ck_assert_int_eq(rig_sync(&r, 0, oid), E_LOST);
    ck_assert_uint_eq(r.store.groups, 0);
    uint32_t moved = 0;
    rig_power_cut(&r);
    ck_assert_int_eq(rig_read(&r, 0, oid, 0, back, 9000, &moved, false), E_LOST);
    rig_fini(&r);
}
END_TEST

/* The same of what leads to it: the group lacks the page, and whoever reads it then is told. */
START_TEST(test_cache_stable__a_page_that_is_hidden_is_lost_and_not_old)
{
    start();
    uint64_t oid = make(9000, 1);
    ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
    put(oid, 9000, 2);
    ck_assert_uint_gt(rig_hide_frame(oid, 1), 0);
    (void)rig_sync(&r, 0, oid);
    uint32_t moved = 0;
    rig_power_cut(&r);
    ck_assert_int_eq(rig_read(&r, 0, oid, 0, back, 9000, &moved, false), E_LOST);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache_stable__holds_with_every_way_of_checksums)
{
    static const enum checksum_mode modes[] = {CHECKSUMS_OFF, CHECKSUMS_LAZY, CHECKSUMS_EAGER};
    for (uint32_t k = 0; k < 3; k++) {
        prepare();
        r.boot.options.checksums = modes[k];
        rig_start(&r);
        open_log();
        uint64_t oid = make(LARGE, 1);
        ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
        ck_assert_uint_eq(r.store.groups, 1);
        ck_assert_uint_eq(r.store.bad_crcs, 0);
        rig_power_cut(&r);
        expect(oid, LARGE, 1);
        rig_fini(&r);
    }
}
END_TEST

/* ---- Back at a start ------------------------------------------------------------------------- */

static void expect_script(const char *what, uint64_t n)
{
    const char *why = script_check(&s, &r, false);
    ck_assert_msg(why == NULL, "%s %llu: %s", what, (unsigned long long)n, why);
}

static void sync_all(void)
{
    enum err e = E_DEAD;
    for (uint32_t tries = 0; tries < 20 && e == E_DEAD; tries++)
        e = rig_sync(&r, 0, OID_FIRST_FREE);
    ck_assert_int_eq(e, OK);
}

/* After each transaction of the script the power goes; with a group each, or one of all. */
START_TEST(test_cache_stable__what_was_synced_is_there_after_a_cut_at_any_transaction)
{
    uint32_t groups = 0;
    for (uint32_t end = 1; end <= SCRIPT_GROUPS; end++) {
        for (uint32_t each = 0; each < 2; each++) {
            start();
            for (uint32_t k = 0; k < end; k++) {
                script_run_part(&s, &r, k, k + 1);
                if (each != 0 || k + 1 == end)
                    sync_all();
            }
            groups += r.store.groups;
            rig_power_cut(&r);
            expect_script("cut after", end);
            rig_power_cut(&r);
            expect_script("second cut after", end);
            rig_fini(&r);
        }
    }
    ck_assert_uint_gt(groups, 100);
}
END_TEST

/* And what comes then is on top of it. */
START_TEST(test_cache_stable__the_script_goes_on_after_a_cut)
{
    for (uint32_t end = 1; end < SCRIPT_GROUPS; end++) {
        start();
        script_run_part(&s, &r, 0, end);
        sync_all();
        rig_power_cut(&r);
        script_run_part(&s, &r, end, SCRIPT_GROUPS);
        ck_assert_uint_eq(s.errors, 0);
        sync_all();
        rig_power_cut(&r);
        expect_script("cut after", end);
        rig_fini(&r);
    }
}
END_TEST

/* A layer below dies at each call of run, sync and start. */
START_TEST(test_cache_stable__deaths_below_at_any_call)
{
    for (int how = DIE_BEFORE; how <= DIE_AFTER; how++) {
        bool fired = true;
        for (uint64_t n = 1; fired; n++) {
            prepare();
            r.store.die_at = n;
            r.store.die_gap = n % 3 == 0 ? 5 : 0;
            r.store.how = (enum store_death)how;
            rig_start(&r);
            script_run(&s, &r);
            ck_assert_uint_eq(s.errors + s.sync_errors, 0);
            sync_all();
            fired = r.store.deaths > 0;
            rig_power_cut(&r);
            expect_script("death below", n);
            rig_fini(&r);
            ck_assert_uint_lt(n, 2000);
        }
    }
}
END_TEST

START_TEST(test_cache_stable__its_own_death_at_any_call)
{
    bool fired = true;
    for (uint64_t n = 1; fired; n += 3) {
        prepare();
        rig_start(&r);
        fake_crash_at_call(n);
        script_run(&s, &r);
        fake_crash_at_call(0);
        fired = r.crashes > 0;
        sync_all();
        rig_power_cut(&r);
        expect_script("own death", n);
        rig_fini(&r);
        ck_assert_uint_lt(n, 20000);
    }
}
END_TEST

/* A region that cannot be believed: what was synced is there all the same, the rest is said. */
START_TEST(test_cache_stable__a_lost_region_costs_only_what_was_not_synced)
{
    start();
    uint64_t oid = make(9000, 1);
    ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
    uint64_t other = make(100, 2);
    memset(rig_region(), 0xee, BLOCK_BYTES); /* both superblocks */
    fake_crash_at_call(1);
    uint64_t size = 0;
    uint8_t attr = 0;
    ck_assert_int_eq(rig_getattr(&r, 0, oid, &size, &attr, false), E_DEAD);
    fake_crash_at_call(0);
    ck_assert_uint_eq(r.crashes, 1);
    expect(oid, 9000, 1);
    expect_gone(other);
    ck_assert_int_eq(rig_sync(&r, 0, OID_NONE), E_LOST);
    ck_assert_int_eq(rig_sync(&r, 0, OID_NONE), OK);
    rig_fini(&r);
}
END_TEST

/* ---- H34 ------------------------------------------------------------------------------------- */

/* What is committed while a checkpoint is prepared is not in it: a sync has to log it. */
START_TEST(test_cache_stable__h34_what_a_freeze_missed_is_in_the_next_group)
{
    prepare();
    r.boot.options.checkpoint_ns = 1000000;
    rig_start(&r);
    open_log();
    r.store.slow = true;
    uint64_t first = make(5000, 1);
    (void)fake_run_until(fake_now() + 10000000);
    ck_assert(r.store.late); /* frozen, and not yet released */
    uint64_t second = make(5000, 2);
    r.boot.options.checkpoint_ns = 5000000000u;
    store_finish(&r.store);
    r.store.slow = false;
    (void)fake_run();
    ck_assert_int_eq(rig_sync(&r, 0, second), OK);
    rig_power_cut(&r);
    expect(first, 5000, 1);
    expect(second, 5000, 2);
    rig_fini(&r);
}
END_TEST

/* The groups of the checkpoint before are void with it: old content must not come back. */
START_TEST(test_cache_stable__h34_a_checkpoint_supersedes_the_groups_below_it)
{
    start();
    uint64_t oid = make(5000, 1);
    ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
    put(oid, 5000, 2);
    ck_assert_int_eq(rig_sync(&r, 0, OID_NONE), OK);
    rig_power_cut(&r);
    expect(oid, 5000, 2);
    rig_fini(&r);
}
END_TEST

/* The power goes again and again within the start, at each of its steps: the groups stay until the
 * checkpoint that has them is released, and nothing is put over them. */
START_TEST(test_cache_stable__h34_a_start_that_is_cut_short_is_repeated)
{
    bool fired = true;
    uint32_t at_work = 0;
    for (uint64_t n = 1; fired; n++) {
        start();
        script_run(&s, &r);
        sync_all();
        ck_assert_uint_gt(r.store.groups, 0);
        fake_crash_at_call(n);
        rig_power_cut(&r);
        if (fake_is_ready()) /* the checkpoint of it is part of it */
            (void)fake_run_until(fake_now() + 1000000000);
        fired = fake_crash()[0] != '\0';
        at_work += fired;
        fake_crash_at_call(0);
        rig_power_cut(&r);
        expect_script("cut at call", n);
        rig_fini(&r);
        ck_assert_uint_lt(n, 5000);
    }
    ck_assert_uint_gt(at_work, 50);
}
END_TEST

/* Between the start and that release a sync is a checkpoint, whose cut leaves old groups valid. */
START_TEST(test_cache_stable__h34_no_group_before_the_first_release)
{
    start();
    uint64_t oid = make(5000, 1);
    ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
    r.store.slow = true;
    rig_power_cut(&r);
    (void)fake_run_until(fake_now() + 1000000000);
    ck_assert(r.store.late);
    put(oid, 5000, 2);
    struct object_request q = {.op = OBJECT_SYNC, .oid = oid};
    struct msg m = {0};
    object_request_pack(&m, 99, &q);
    fake_request(r.client[0], &m);
    (void)fake_run_until(fake_now() + 10000000);
    ck_assert(!fake_take_reply(r.client[0], &m));
    ck_assert_uint_eq(r.store.groups, 1);
    r.store.slow = r.store.late = false;
    rig_power_cut(&r);
    expect(oid, 5000, 1);
    rig_fini(&r);
}
END_TEST

CHECK_MAIN("cache_stable", 120,
           tcase_add_test(tc, test_cache_stable__an_fsync_is_a_group_and_no_checkpoint);
           tcase_add_test(tc, test_cache_stable__a_sync_of_everything_is_a_checkpoint);
           tcase_add_test(tc, test_cache_stable__a_group_is_all_that_was_committed_before_it);
           tcase_add_test(tc, test_cache_stable__a_group_larger_than_a_segment_comes_back);
           tcase_add_test(tc, test_cache_stable__a_group_without_its_last_segment_is_none);
           tcase_add_test(tc, test_cache_stable__a_log_without_room_makes_a_checkpoint);
           tcase_add_test(tc, test_cache_stable__a_damaged_page_is_not_logged);
           tcase_add_test(tc, test_cache_stable__a_page_that_is_hidden_is_lost_and_not_old);
           tcase_add_test(tc, test_cache_stable__holds_with_every_way_of_checksums); tcase_add_test(
               tc, test_cache_stable__what_was_synced_is_there_after_a_cut_at_any_transaction);
           tcase_add_test(tc, test_cache_stable__the_script_goes_on_after_a_cut);
           tcase_add_test(tc, test_cache_stable__deaths_below_at_any_call);
           tcase_add_test(tc, test_cache_stable__its_own_death_at_any_call);
           tcase_add_test(tc, test_cache_stable__a_lost_region_costs_only_what_was_not_synced);
           tcase_add_test(tc, test_cache_stable__h34_what_a_freeze_missed_is_in_the_next_group);
           tcase_add_test(tc, test_cache_stable__h34_a_checkpoint_supersedes_the_groups_below_it);
           tcase_add_test(tc, test_cache_stable__h34_a_start_that_is_cut_short_is_repeated);
           tcase_add_test(tc, test_cache_stable__h34_no_group_before_the_first_release);)
