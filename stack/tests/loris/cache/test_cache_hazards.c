/* Hazards that the cache answers, each under its number in stack/loris/INVARIANTS.md. */
#include <string.h>

#include "cache_rig.h"
#include "cache_script.h"
#include "scripts/check_main.h"

static struct rig r;
static uint8_t data[120 * BLOCK_BYTES], back[120 * BLOCK_BYTES];

static void fill(uint8_t seed, size_t bytes)
{
    ck_assert_uint_le(bytes, sizeof(data));
    rig_fill(data, seed, bytes);
}

static uint64_t make(uint32_t env, size_t bytes, uint8_t seed)
{
    fill(seed, bytes);
    return rig_make(&r, env, data, bytes);
}

/* ---- H10: one environment floods ------------------------------------------------------------- */

static void start_small(uint32_t environments)
{
    rig_init(&r);
    r.boot.options.environments = environments;
    r.boot.options.cache_bytes = 64 * BLOCK_BYTES;
    rig_start(&r);
}

/* A transaction that has nearly all frames makes the others wait until it ends, not fail. */
START_TEST(test_cache_hazards__h10_a_flood_of_pages_is_a_pause_for_the_others)
{
    start_small(2);
    uint64_t other = make(1, 100, 3);
    uint64_t big = make(0, 0, 1);
    rig_next(&r, 0);
    fill(5, 60 * BLOCK_BYTES);
    ck_assert_int_eq(rig_write(&r, 0, big, 0, data, 60 * BLOCK_BYTES), OK);
    rig_next(&r, 1);
    fill(6, 20 * BLOCK_BYTES);
    uint32_t g = fake_grant(r.client[1], data, 20 * BLOCK_BYTES, PLAT_GRANT_READ);
    struct object_request q = {
        .op = OBJECT_WRITE, .oid = other, .length = 20 * BLOCK_BYTES, .grant_data = g};
    struct object_reply reply;
    ck_assert_int_eq(rig_call(&r, 1, &q, &reply, true), E_TIMEOUT);
    ck_assert(r.parked);
    ck_assert_int_eq(rig_commit(&r, 0), OK);
    struct msg m;
    ck_assert(fake_take_reply(r.client[1], &m));
    ck_assert_int_eq(m.status, OK);
    ck_assert_int_eq(rig_commit(&r, 1), OK);
    uint32_t moved = 0;
    ck_assert_int_eq(rig_read(&r, 1, other, 0, back, 20 * BLOCK_BYTES, &moved, false), OK);
    ck_assert_mem_eq(back, data, 20 * BLOCK_BYTES);
    rig_fini(&r);
}
END_TEST

/* Two that both need what the other has: the younger begins again, the older goes on. */
START_TEST(test_cache_hazards__h10_two_floods_do_not_wait_for_each_other)
{
    start_small(2);
    uint64_t file[2] = {make(0, 100, 1), make(1, 100, 2)};
    fill(7, 40 * BLOCK_BYTES);
    rig_next(&r, 0);
    ck_assert_int_eq(rig_write(&r, 0, file[0], 0, data, 25 * BLOCK_BYTES), OK);
    rig_next(&r, 1);
    ck_assert_int_eq(rig_write(&r, 1, file[1], 0, data, 25 * BLOCK_BYTES), OK);
    uint32_t g = fake_grant(r.client[0], data, 40 * BLOCK_BYTES, PLAT_GRANT_READ);
    struct object_request q = {
        .op = OBJECT_WRITE, .oid = file[0], .length = 40 * BLOCK_BYTES, .grant_data = g};
    struct object_reply reply;
    ck_assert_int_eq(rig_call(&r, 0, &q, &reply, true), E_TIMEOUT);
    ck_assert_int_eq(rig_write(&r, 1, file[1], 0, data, 40 * BLOCK_BYTES), E_AGAIN);
    struct msg m;
    ck_assert(fake_take_reply(r.client[0], &m));
    ck_assert_int_eq(m.status, OK);
    ck_assert_int_eq(rig_commit(&r, 0), OK);
    rig_next(&r, 1);
    ck_assert_int_eq(rig_write(&r, 1, file[1], 0, data, 40 * BLOCK_BYTES), OK);
    ck_assert_int_eq(rig_commit(&r, 1), OK);
    rig_fini(&r);
}
END_TEST

static void read_by(uint32_t env, uint64_t oid, uint32_t blocks)
{
    for (uint32_t at = 0; at < blocks; at += 10) {
        uint32_t moved = 0;
        ck_assert_int_eq(rig_read(&r, env, oid, (uint64_t)at * BLOCK_BYTES, back, 10 * BLOCK_BYTES,
                                  &moved, false),
                         OK);
        ck_assert_uint_eq(moved, 10 * BLOCK_BYTES);
    }
}

/* Who reads more than memory holds drives out pages of his own. */
START_TEST(test_cache_hazards__h10_a_flood_of_reads_leaves_the_others_their_share)
{
    start_small(2);
    uint64_t used = make(1, 20 * BLOCK_BYTES, 3);
    uint64_t big = make(0, 0, 1);
    for (uint32_t at = 0; at < 120; at += 20) {
        rig_next(&r, 0);
        ck_assert_int_eq(rig_write(&r, 0, big, (uint64_t)at * BLOCK_BYTES, data, 20 * BLOCK_BYTES),
                         OK);
        ck_assert_int_eq(rig_commit(&r, 0), OK);
    }
    ck_assert_int_eq(rig_sync(&r, 0, big), OK);
    read_by(1, used, 20);
    read_by(0, big, 120);
    uint32_t reads = r.store.count[OBJECT_READ];
    read_by(1, used, 20);
    ck_assert_uint_eq(r.store.count[OBJECT_READ], reads);
    /* And what nobody else uses is his: half of the memory and more. */
    read_by(0, big, 30);
    reads = r.store.count[OBJECT_READ];
    read_by(0, big, 30);
    ck_assert_uint_eq(r.store.count[OBJECT_READ], reads);
    rig_fini(&r);
}
END_TEST

/* What no memory can hold is an error to the one who asks for it, at once. */
START_TEST(test_cache_hazards__h10_more_than_all_memory_is_an_error_to_the_flood)
{
    start_small(2);
    uint64_t big = make(0, 0, 1);
    rig_next(&r, 0);
    fill(5, 100 * BLOCK_BYTES);
    ck_assert_int_eq(rig_write(&r, 0, big, 0, data, 100 * BLOCK_BYTES), E_FULL);
    ck_assert_int_eq(rig_abort(&r, 0), OK);
    (void)make(1, 20 * BLOCK_BYTES, 4);
    rig_fini(&r);
}
END_TEST

/* A log of the smallest size: one floods it, the other's few records are all there after a rollback
 * at any moment. */
START_TEST(test_cache_hazards__h10_a_tiny_log_loses_no_record)
{
    for (uint64_t die = 1; die < 120; die += 3) {
        rig_init(&r);
        r.boot.options.environments = 2;
        r.boot.options.log_bytes = 1; /* LOG_SLOTS_MIN */
        rig_start(&r);
        uint64_t quiet[12], flood[48];
        r.store.die_at = r.store.calls + die;
        for (uint32_t k = 0; k < 12; k++) {
            for (uint32_t n = 0; n < 4; n++)
                flood[4 * k + n] = make(0, 300, (uint8_t)(4 * k + n));
            quiet[k] = make(1, 200, (uint8_t)(100 + k));
        }
        uint32_t moved = 0;
        for (uint32_t k = 0; k < 60; k++) {
            size_t bytes = k < 12 ? 200 : 300;
            uint64_t oid = k < 12 ? quiet[k] : flood[k - 12];
            fill((uint8_t)(k < 12 ? 100 + k : k - 12), bytes);
            ck_assert_int_eq(rig_read(&r, 1, oid, 0, back, bytes, &moved, false), OK);
            ck_assert_mem_eq(back, data, bytes);
        }
        ck_assert_uint_gt(r.store.prepares, 2);
        rig_fini(&r);
    }
}
END_TEST

/* ---- H6: poison ------------------------------------------------------------------------------ */

static const enum object_op poisons[] = {OBJECT_CREATE, OBJECT_WRITE, OBJECT_TRUNCATE,
                                         OBJECT_SETATTR, OBJECT_DELETE};

/* The change of a file that sends this operation below. */
static void provoke(enum object_op op, uint64_t oid)
{
    rig_next(&r, 0);
    switch (op) {
    case OBJECT_WRITE:
        ck_assert_int_eq(rig_write(&r, 0, oid, 0, "poison", 6), OK);
        break;
    case OBJECT_TRUNCATE:
        ck_assert_int_eq(rig_truncate(&r, 0, oid, 10), OK);
        break;
    case OBJECT_DELETE:
        ck_assert_int_eq(rig_delete(&r, 0, oid), OK);
        break;
    default:
        ck_assert_int_eq(rig_setattr(&r, 0, oid, 77), OK);
        break;
    }
    ck_assert_int_eq(rig_commit(&r, 0), OK);
}

static void expect_good(uint64_t oid, uint8_t seed)
{
    uint32_t moved = 0;
    fill(seed, 5000);
    ck_assert_int_eq(rig_read(&r, 0, oid, 0, back, 5000, &moved, false), OK);
    ck_assert_uint_eq(moved, 5000);
    ck_assert_mem_eq(back, data, 5000);
}

/* One file's operation kills whoever gets it, for ever; another death comes at a random place. */
static void poison_one(enum object_op op, uint64_t death)
{
    uint64_t file[5];
    rig_init(&r);
    rig_start(&r);
    r.store.die_op = op;
    if (op == OBJECT_CREATE)
        r.store.die_again = OID_FIRST_FREE + 2;
    for (uint32_t k = 0; k < 5; k++)
        file[k] = make(0, 5000, (uint8_t)k);
    ck_assert_uint_eq(file[2], OID_FIRST_FREE + 2);
    (void)rig_sync(&r, 0, OID_NONE);
    r.store.die_again = file[2];
    r.store.die_at = death == 0 ? 0 : r.store.calls + death;
    if (op != OBJECT_CREATE)
        provoke(op, file[2]);
    uint64_t later = make(0, 5000, 9);
    enum err e = rig_sync(&r, 0, OID_NONE);
    ck_assert_msg(op == OBJECT_CREATE || op == OBJECT_DELETE || e == E_LOST, "op %d: %d", op, e);
    ck_assert_int_eq(rig_sync(&r, 0, OID_NONE), OK);
    ck_assert_uint_eq(fake_report_count(REPORT_SKIPPED), 1);
    ck_assert_uint_ge(r.store.deaths, 3);
    ck_assert_uint_le(r.store.deaths, 8);
    for (uint32_t k = 0; k < 5; k++)
        if (k != 2)
            expect_good(file[k], (uint8_t)k);
    expect_good(later, 9);
    uint32_t moved = 0;
    e = rig_read(&r, 0, file[2], 0, back, 5000, &moved, false);
    if (op != OBJECT_DELETE) /* that stays below without a name: a leak */
        ck_assert_msg(e == E_LOST, "op %d: read %d", op, e);
    /* Where the mark is of the operation that kills, nothing can be said of it below, and no more
     * changes are taken. Else service goes on. */
    bool mark_kills = op == OBJECT_SETATTR || op == OBJECT_WRITE;
    ck_assert_uint_eq(fake_report_count(REPORT_READ_ONLY), mark_kills ? 1 : 0);
    if (!mark_kills)
        (void)make(0, 100, 1);
    ck_assert_int_eq(rig_sync(&r, 0, OID_NONE), OK);
    r.store.die_again = 0;
    rig_power_cut(&r);
    for (uint32_t k = 0; k < 5; k++)
        if (k != 2)
            expect_good(file[k], (uint8_t)k);
    rig_fini(&r);
}

START_TEST(test_cache_hazards__h06_a_request_that_always_kills_is_skipped_alone)
{
    for (uint32_t k = 0; k < sizeof(poisons) / sizeof(poisons[0]); k++)
        for (uint64_t death = 0; death < 12; death += 3)
            poison_one(poisons[k], death);
}
END_TEST

/* ---- H11: no ENOSPC after the OK ------------------------------------------------------------- */

START_TEST(test_cache_hazards__h11_a_full_disk_takes_what_was_answered_whatever_dies)
{
    bool fired = true;
    for (uint64_t die = 1; fired; die++) {
        rig_init(&r);
        store_fini(&r.store);
        store_init(&r.store, 160);
        rig_start(&r);
        r.store.how = die % 2 == 0 ? DIE_BEFORE : DIE_AFTER;
        r.store.die_at = r.store.calls + die;
        uint64_t file[60];
        uint32_t made = 0;
        enum err e = OK;
        while (e == OK && made < 60) { /* until it says no */
            rig_next(&r, 0);
            e = rig_create(&r, 0, &file[made]);
            fill((uint8_t)made, 3 * BLOCK_BYTES);
            if (e == OK)
                e = rig_write(&r, 0, file[made], 0, data, 3 * BLOCK_BYTES);
            if (e == OK)
                e = rig_commit(&r, 0);
            made += e == OK ? 1 : 0;
        }
        ck_assert_int_eq(e, E_NOSPC);
        ck_assert_uint_ge(made, 15);
        (void)rig_abort(&r, 0);
        rig_next(&r, 0); /* an overwrite: it needs shadows, and may be refused, but not lost */
        fill(200, 3 * BLOCK_BYTES);
        e = rig_write(&r, 0, file[0], 0, data, 3 * BLOCK_BYTES);
        if (e == OK)
            e = rig_commit(&r, 0);
        ck_assert(e == OK || e == E_NOSPC);
        bool changed = e == OK;
        if (!changed)
            (void)rig_abort(&r, 0);
        ck_assert_int_eq(rig_sync(&r, 0, OID_NONE), OK);
        fired = r.store.deaths > 0;
        r.store.die_at = 0;
        ck_assert_uint_eq(r.store.refused, 0);
        rig_power_cut(&r);
        for (uint32_t k = 0; k < made; k++) {
            uint32_t moved = 0;
            fill(k == 0 && changed ? 200 : (uint8_t)k, 3 * BLOCK_BYTES);
            ck_assert_int_eq(rig_read(&r, 0, file[k], 0, back, 3 * BLOCK_BYTES, &moved, false), OK);
            ck_assert_mem_eq(back, data, 3 * BLOCK_BYTES);
        }
        rig_fini(&r);
        ck_assert_uint_lt(die, 400);
    }
}
END_TEST

/* ---- H12: the checkpoint races ----------------------------------------------------------------
 */

static struct script s;

static void start_slow(uint32_t slow)
{
    rig_init(&r);
    r.slow = slow;
    r.boot.options.checkpoint_ns = 1000000;
    r.boot.options.tries = 100;
    rig_start(&r);
}

/* The next segment is open at each death below, at each call, PREPARE and RELEASE among them. */
START_TEST(test_cache_hazards__h12_a_death_below_while_the_next_segment_is_open)
{
    uint32_t served = 0;
    for (uint32_t slow = 1; slow <= 5; slow += 2) {
        bool fired = true;
        for (uint64_t n = 1; fired; n++) {
            start_slow(slow);
            r.store.how = n % 2 == 0 ? DIE_BEFORE : DIE_AFTER;
            r.store.die_at = r.store.calls + (n + 1) / 2;
            r.store.die_gap = n % 3 == 0 ? 1 + n % 7 : 0;
            script_run(&s, &r);
            fired = r.store.deaths > 0;
            r.store.die_at = 0;
            served += r.served;
            script_expect(&s, &r, "death below", n);
            rig_fini(&r);
            ck_assert_uint_lt(n, 2000);
        }
    }
    ck_assert_uint_gt(served, 0);
}
END_TEST

START_TEST(test_cache_hazards__h12_its_own_crash_while_the_next_segment_is_open)
{
    for (uint32_t slow = 2; slow <= 4; slow += 2) {
        bool fired = true;
        for (uint64_t n = 1 + slow; fired; n += 5) {
            start_slow(slow);
            fake_crash_at_call(n);
            if (n % 2 == 0) /* then one below, in its recovery */
                r.store.die_at = r.store.calls + 20 + n % 11;
            script_run(&s, &r);
            fired = r.crashes > 0;
            fake_crash_at_call(0);
            r.store.die_at = 0;
            script_expect(&s, &r, "own crash", n);
            rig_fini(&r);
            ck_assert_uint_lt(n, 20000);
        }
    }
}
END_TEST

static void prepare_crash_at_probe(uint32_t n)
{
    start_slow(1 + n % 4);
    r.store.die_at = r.store.calls + 6 + 3 * n; /* a replay too */
}

START_TEST(test_cache_hazards__h12_its_own_crash_at_each_probe_of_the_checkpoint)
{
    script_crash_at_probes(&s, &r, prepare_crash_at_probe, 24);
}
END_TEST

/* Checkpoints come at once and wait for store_finish. */
static void start_slow_store(void)
{
    rig_init(&r);
    r.store.slow = true;
    r.boot.options.checkpoint_ns = 1000000;
    rig_start(&r);
}

static void ask_sync(uint64_t oid)
{
    struct object_request q = {.op = OBJECT_SYNC, .oid = oid};
    struct msg m = {0};
    object_request_pack(&m, 99, &q);
    fake_request(r.client[0], &m);
    (void)fake_run();
}

/* A sync of what the checkpoint in flight does not hold waits for the next one. */
START_TEST(test_cache_hazards__h12_a_sync_joins_the_next_freeze_never_a_past_one)
{
    start_slow_store();
    uint64_t first = make(0, 5000, 1);
    (void)fake_run_until(fake_now() + 10000000);
    ck_assert(r.store.late); /* the checkpoint of the first is being prepared */
    uint64_t second = make(0, 5000, 2);
    struct msg m = {0};
    ask_sync(second);
    store_finish(&r.store);
    (void)fake_run_until(fake_now() + 10000000);
    ck_assert(!fake_take_reply(r.client[0], &m));
    ck_assert(r.store.late);
    store_finish(&r.store);
    (void)fake_run();
    ck_assert(fake_take_reply(r.client[0], &m));
    ck_assert_int_eq(m.status, OK);
    r.store.slow = false;
    rig_power_cut(&r);
    expect_good(first, 1);
    expect_good(second, 2);
    rig_fini(&r);
}
END_TEST

/* One that wants nothing newer is answered with it. */
START_TEST(test_cache_hazards__h12_a_sync_of_what_is_frozen_needs_no_second_checkpoint)
{
    start_slow_store();
    uint64_t oid = make(0, 5000, 1);
    (void)fake_run_until(fake_now() + 10000000);
    ck_assert(r.store.late);
    struct msg m = {0};
    ask_sync(oid);
    ck_assert(!fake_take_reply(r.client[0], &m));
    store_finish(&r.store);
    (void)fake_run();
    ck_assert(fake_take_reply(r.client[0], &m));
    ck_assert_int_eq(m.status, OK);
    ck_assert_uint_eq(r.store.prepares, 1);
    rig_fini(&r);
}
END_TEST

/* ---- H13, H15: what comes late from the dead ---------------------------------------------------
 */

/* The layer below dies with a page of the cache granted to it: nothing can be put there later. */
START_TEST(test_cache_hazards__h13_a_grant_does_not_outlive_its_request)
{
    rig_init(&r);
    rig_start(&r);
    uint64_t oid = make(0, 5000, 1);
    ck_assert_int_eq(rig_sync(&r, 0, OID_NONE), OK);
    rig_power_cut(&r);
    r.store.die_op = OBJECT_READ;
    r.store.die_again = oid;
    uint32_t moved = 0;
    ck_assert_int_eq(rig_read(&r, 0, oid, 0, back, 5000, &moved, false), E_MEDIA);
    ck_assert_uint_ge(r.store.deaths, 2);
    r.store.die_again = 0;
    expect_good(oid, 1);
    ck_assert_uint_gt(r.store.read_grants, 0);
    uint8_t junk[16] = {0};
    for (uint32_t k = 0; k < r.store.read_grants; k++) {
        fake_act(r.store.read_from[k]);
        ck_assert_int_ne(plat_copy_out(fake_layer(), r.store.read_grant[k], 0, junk, sizeof(junk)),
                         OK);
        fake_act(ENDPOINT_NONE);
    }
    expect_good(oid, 1);
    rig_fini(&r);
}
END_TEST

/* An application's layer dies in the middle: what it granted is gone, and so is its change. */
START_TEST(test_cache_hazards__h13_a_write_whose_sender_is_dead_changes_nothing)
{
    rig_init(&r);
    rig_start(&r);
    uint64_t oid = make(0, 5000, 1);
    rig_next(&r, 0);
    struct object_request q = {
        .op = OBJECT_WRITE,
        .oid = oid,
        .length = 5000,
        .grant_data = fake_grant(r.client[0], data, 5000, PLAT_GRANT_READ),
        .txn = {.environment = 1, .generation = 1, .sequence = r.sequence[0]}};
    struct msg m = {0};
    fill(50, 5000);
    object_request_pack(&m, 5, &q);
    fake_request(r.client[0], &m);
    r.client[0] = fake_client(LAYER_NAMING, 0); /* a new one: the grants of the old are void */
    (void)fake_run();
    expect_good(oid, 1);
    rig_next(&r, 0);
    ck_assert_int_eq(rig_commit(&r, 0), OK);
    expect_good(oid, 1);
    rig_fini(&r);
}
END_TEST

/* "Prepared", said by an instance that is dead, and once more under its successor's name. */
START_TEST(test_cache_hazards__h15_a_stale_reply_answers_no_sync)
{
    rig_init(&r);
    r.store.slow = true;
    rig_start(&r);
    uint64_t oid = make(0, 5000, 1);
    struct object_request q = {.op = OBJECT_SYNC, .oid = oid};
    struct msg m = {0}, none;
    object_request_pack(&m, 99, &q);
    fake_request(r.client[0], &m);
    (void)fake_run_until(fake_now() + 10000000);
    ck_assert(r.store.late);
    struct msg held = r.store.late_request;
    uint32_t old = r.store.late_endpoint;
    r.store.late = false;
    r.store.session = 0;
    fake_kill(LAYER_LOGICAL, 0);
    uint32_t young = fake_restart(LAYER_LOGICAL, 0);
    (void)fake_run_until(fake_now() + 100000000);
    ck_assert(r.store.late); /* recovered, and at the next checkpoint */
    for (uint32_t k = 0; k < 2; k++) {
        struct msg stale = {0};
        fake_act(k == 0 ? old : young);
        proto_reply(&held, OK, &stale);
        fake_act(ENDPOINT_NONE);
        (void)fake_run();
        ck_assert(!fake_take_reply(r.client[0], &none));
        ck_assert_uint_eq(r.store.prepares, 0);
    }
    store_finish(&r.store);
    (void)fake_run();
    ck_assert(fake_take_reply(r.client[0], &m));
    ck_assert_int_eq(m.status, OK);
    r.store.slow = false;
    rig_power_cut(&r);
    expect_good(oid, 1);
    rig_fini(&r);
}
END_TEST

/* ---- H20: naming dies with its commit ----------------------------------------------------------
 */

/* It dies after the commit, three times: each successor asks and is told the result, nothing runs
 * again, the cache's own death in between included. */
START_TEST(test_cache_hazards__h20_a_result_is_told_to_each_successor)
{
    rig_init(&r);
    rig_start(&r);
    uint64_t oid = make(0, 5000, 1);
    for (uint32_t k = 0; k < 3; k++) {
        r.client[0] = fake_client(LAYER_NAMING, 0);
        struct object_request q = {.op = OBJECT_ENVIRONMENT_DIED};
        struct object_reply reply;
        ck_assert_int_eq(rig_call(&r, 0, &q, &reply, true), OK);
        if (k == 1) {
            fake_kill_layer();
            fake_boot(cache_main, &r.boot);
            (void)fake_run();
        }
        bool done = false;
        ck_assert_int_eq(rig_begin(&r, 0, &done), OK);
        ck_assert(done);
    }
    expect_good(oid, 1);
    rig_fini(&r);
}
END_TEST

CHECK_MAIN(
    "cache_hazards", 240,
    tcase_add_test(tc, test_cache_hazards__h10_a_flood_of_pages_is_a_pause_for_the_others);
    tcase_add_test(tc, test_cache_hazards__h10_two_floods_do_not_wait_for_each_other);
    tcase_add_test(tc, test_cache_hazards__h10_a_flood_of_reads_leaves_the_others_their_share);
    tcase_add_test(tc, test_cache_hazards__h10_more_than_all_memory_is_an_error_to_the_flood);
    tcase_add_test(tc, test_cache_hazards__h10_a_tiny_log_loses_no_record);
    tcase_add_test(tc, test_cache_hazards__h06_a_request_that_always_kills_is_skipped_alone);
    tcase_add_test(tc, test_cache_hazards__h11_a_full_disk_takes_what_was_answered_whatever_dies);
    tcase_add_test(tc, test_cache_hazards__h12_a_death_below_while_the_next_segment_is_open);
    tcase_add_test(tc, test_cache_hazards__h12_its_own_crash_while_the_next_segment_is_open);
    tcase_add_test(tc, test_cache_hazards__h12_its_own_crash_at_each_probe_of_the_checkpoint);
    tcase_add_test(tc, test_cache_hazards__h12_a_sync_joins_the_next_freeze_never_a_past_one);
    tcase_add_test(tc, test_cache_hazards__h12_a_sync_of_what_is_frozen_needs_no_second_checkpoint);
    tcase_add_test(tc, test_cache_hazards__h13_a_grant_does_not_outlive_its_request);
    tcase_add_test(tc, test_cache_hazards__h13_a_write_whose_sender_is_dead_changes_nothing);
    tcase_add_test(tc, test_cache_hazards__h15_a_stale_reply_answers_no_sync);
    tcase_add_test(tc, test_cache_hazards__h20_a_result_is_told_to_each_successor);)
