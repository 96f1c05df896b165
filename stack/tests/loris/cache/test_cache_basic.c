/* The cache without faults: bytes, transactions, locks, checkpoints, space. */
#include <string.h>

#include "cache_rig.h"
#include "scripts/check_main.h"

static struct rig r;
static uint8_t data[64 * BLOCK_BYTES], back[64 * BLOCK_BYTES];

static void start(void)
{
    rig_init(&r);
    rig_start(&r);
    ck_assert_msg(fake_is_ready(), "%s", fake_crash());
}

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

static uint32_t read_all(uint64_t oid)
{
    uint32_t moved = 0;
    ck_assert_int_eq(rig_read(&r, 0, oid, 0, back, sizeof(back), &moved, false), OK);
    return moved;
}

START_TEST(test_cache__gives_back_what_was_written)
{
    start();
    uint64_t oid = make(0, 10000, 1);
    ck_assert_uint_ge(oid, OID_FIRST_FREE);
    ck_assert_uint_eq(read_all(oid), 10000);
    ck_assert_mem_eq(back, data, 10000);
    rig_next(&r, 0);
    ck_assert_int_eq(rig_write(&r, 0, oid, 4000, "hello", 5), OK);
    ck_assert_int_eq(rig_commit(&r, 0), OK);
    memcpy(data + 4000, "hello", 5);
    ck_assert_uint_eq(read_all(oid), 10000);
    ck_assert_mem_eq(back, data, 10000);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__holes_and_cut_tails_are_zero)
{
    start();
    uint64_t oid = make(0, 10000, 3);
    rig_next(&r, 0);
    ck_assert_int_eq(rig_truncate(&r, 0, oid, 5000), OK);
    ck_assert_int_eq(rig_truncate(&r, 0, oid, 20000), OK);
    ck_assert_int_eq(rig_write(&r, 0, oid, 30000, "x", 1), OK);
    ck_assert_int_eq(rig_commit(&r, 0), OK);
    memset(data + 5000, 0, 25000);
    data[30000] = 'x';
    ck_assert_uint_eq(read_all(oid), 30001);
    ck_assert_mem_eq(back, data, 30001);
    ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
    rig_power_cut(&r);
    ck_assert_uint_eq(read_all(oid), 30001);
    ck_assert_mem_eq(back, data, 30001);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__an_aborted_transaction_leaves_nothing)
{
    start();
    uint64_t oid = make(0, 9000, 5), other = 0, size;
    uint8_t value;
    rig_next(&r, 0);
    ck_assert_int_eq(rig_create(&r, 0, &other), OK);
    ck_assert_int_eq(rig_write(&r, 0, other, 0, "y", 1), OK);
    ck_assert_int_eq(rig_write(&r, 0, oid, 100, "zzz", 3), OK);
    ck_assert_int_eq(rig_truncate(&r, 0, oid, 50), OK);
    ck_assert_int_eq(rig_setattr(&r, 0, oid, 99), OK);
    ck_assert_int_eq(rig_abort(&r, 0), OK);
    ck_assert_int_eq(rig_getattr(&r, 0, other, &size, &value, false), E_NOENT);
    ck_assert_int_eq(rig_getattr(&r, 0, oid, &size, &value, false), OK);
    ck_assert_uint_eq(size, 9000);
    ck_assert_uint_eq(value, 7);
    ck_assert_uint_eq(read_all(oid), 9000);
    ck_assert_mem_eq(back, data, 9000);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__others_see_a_transaction_only_when_it_is_committed)
{
    start();
    uint64_t oid = make(0, 100, 5), fresh = 0, size;
    uint8_t value;
    uint32_t moved;
    rig_next(&r, 1);
    ck_assert_int_eq(rig_write(&r, 1, oid, 0, "new", 3), OK);
    ck_assert_int_eq(rig_create(&r, 1, &fresh), OK);
    ck_assert_uint_eq(read_all(oid), 100);
    ck_assert_mem_eq(back, data, 100);
    ck_assert_int_eq(rig_getattr(&r, 0, fresh, &size, &value, false), E_NOENT);
    ck_assert_int_eq(rig_read(&r, 1, oid, 0, back, 3, &moved, true), OK);
    ck_assert_mem_eq(back, "new", 3);
    ck_assert_int_eq(rig_commit(&r, 1), OK);
    (void)read_all(oid);
    ck_assert_mem_eq(back, "new", 3);
    ck_assert_int_eq(rig_getattr(&r, 0, fresh, &size, &value, false), OK);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__sync_makes_everything_answered_durable)
{
    start();
    uint64_t oid = make(0, 20000, 9), late;
    ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
    late = make(0, 100, 11);
    rig_power_cut(&r);
    uint64_t size;
    uint8_t value;
    ck_assert_int_eq(rig_getattr(&r, 0, late, &size, &value, false), E_NOENT);
    fill(9, 20000);
    ck_assert_uint_eq(read_all(oid), 20000);
    ck_assert_mem_eq(back, data, 20000);
    uint64_t next = make(0, 10, 1);
    ck_assert_uint_gt(next, oid); /* an id that a checkpoint holds is not given out again */
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__checkpoint_comes_by_itself_in_time)
{
    start();
    uint64_t oid = make(0, 5000, 9);
    (void)fake_run_until(fake_now() + 6000000000u);
    rig_power_cut(&r);
    ck_assert_uint_eq(read_all(oid), 5000);
    ck_assert_mem_eq(back, data, 5000);
    uint32_t before = r.store.prepares;
    (void)fake_run_until(fake_now() + 60000000000u);
    ck_assert_uint_le(r.store.prepares, before + 1); /* none while nothing changes */
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__sync_is_not_answered_before_all_is_prepared)
{
    start();
    (void)make(0, 20000, 9);
    r.store.watched = r.client[0];
    ck_assert_int_eq(rig_sync(&r, 0, OID_NONE), OK);
    ck_assert_uint_eq(r.store.prepares, 1);
    ck_assert_uint_eq(r.store.answered_early, 0);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__sync_of_nothing_new_asks_nobody)
{
    start();
    uint64_t oid = make(0, 100, 9);
    ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
    uint64_t before = r.store.calls;
    ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
    ck_assert_uint_eq(r.store.calls, before);
    rig_fini(&r);
}
END_TEST

/* Sizes go down with the checkpoint: a block across the smallest size must go with it too. */
START_TEST(test_cache__a_block_across_a_changed_end_is_shadowed)
{
    start();
    uint64_t oid = make(0, 10 * BLOCK_BYTES + 100, 9);
    ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
    r.store.shadowed = 0;
    rig_next(&r, 0); /* the same size: in place */
    ck_assert_int_eq(rig_write(&r, 0, oid, 0, data, 10 * BLOCK_BYTES + 100), OK);
    ck_assert_int_eq(rig_commit(&r, 0), OK);
    ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
    ck_assert_uint_eq(r.store.shadowed, 0);
    rig_next(&r, 0); /* growth */
    ck_assert_int_eq(rig_write(&r, 0, oid, 9 * BLOCK_BYTES, data, 3 * BLOCK_BYTES), OK);
    ck_assert_int_eq(rig_commit(&r, 0), OK);
    ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
    ck_assert_uint_eq(r.store.shadowed, 1u << 10);
    r.store.shadowed = 0;
    rig_next(&r, 0); /* cut and growth back to the same size, in two transactions */
    ck_assert_int_eq(rig_truncate(&r, 0, oid, 5 * BLOCK_BYTES + 7), OK);
    ck_assert_int_eq(rig_commit(&r, 0), OK);
    rig_next(&r, 0);
    ck_assert_int_eq(rig_truncate(&r, 0, oid, 12 * BLOCK_BYTES), OK);
    ck_assert_int_eq(rig_write(&r, 0, oid, 0, data, 6 * BLOCK_BYTES), OK);
    ck_assert_int_eq(rig_commit(&r, 0), OK);
    ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
    ck_assert_uint_eq(r.store.shadowed, 1u << 5);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__delete_and_create_go_below_at_commit)
{
    start();
    uint64_t oid = make(0, 100, 9), size;
    uint8_t value;
    ck_assert_ptr_nonnull(store_find(&r.store.live, oid));
    rig_next(&r, 0);
    ck_assert_int_eq(rig_delete(&r, 0, oid), OK);
    ck_assert_int_eq(rig_getattr(&r, 0, oid, &size, &value, true), E_NOENT);
    ck_assert_ptr_nonnull(store_find(&r.store.live, oid));
    ck_assert_int_eq(rig_commit(&r, 0), OK);
    ck_assert_ptr_null(store_find(&r.store.live, oid));
    ck_assert_int_eq(rig_getattr(&r, 0, oid, &size, &value, false), E_NOENT);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__h20_a_committed_transaction_runs_once)
{
    start();
    (void)make(0, 100, 9);
    bool done = false;
    ck_assert_int_eq(rig_begin(&r, 0, &done), OK);
    ck_assert(done);
    r.sequence[0]++;
    ck_assert_int_eq(rig_begin(&r, 0, &done), OK);
    ck_assert(!done);
    rig_fini(&r);
}
END_TEST

/* The attributes of an object, by the request that begins the environment's next transaction. */
static enum err first_request(uint32_t env, uint64_t oid, struct object_reply *reply)
{
    struct object_request q = {
        .op = OBJECT_GETATTR, .flags = OBJECT_EXCLUSIVE | OBJECT_BEGINS, .oid = oid};
    return rig_call(&r, env, &q, reply, true);
}

START_TEST(test_cache__the_first_request_begins_its_transaction_once)
{
    start();
    uint64_t oid = make(0, 100, 9);
    struct object_reply reply;
    ck_assert_int_eq(first_request(0, oid, &reply), OK); /* of the transaction that made it */
    ck_assert_uint_eq(reply.done, 1);
    ck_assert_uint_eq(reply.result[0], (uint8_t)r.sequence[0]);
    r.sequence[0]++;
    ck_assert_int_eq(rig_setattr(&r, 0, oid, 20), E_AGAIN);
    ck_assert_int_eq(first_request(0, oid, &reply), OK);
    ck_assert_uint_eq(reply.done, 0);
    ck_assert_uint_eq(reply.size, 100);
    ck_assert_int_eq(rig_setattr(&r, 0, oid, 20), OK);
    ck_assert_int_eq(rig_commit(&r, 0), OK);
    ck_assert_int_eq(first_request(0, oid, &reply), OK);
    ck_assert_uint_eq(reply.done, 1);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__the_first_request_may_wait_and_keeps_its_transaction)
{
    start();
    uint64_t oid = make(0, 100, 9), other = make(0, 100, 9);
    struct object_reply reply;
    struct msg m;
    rig_next(&r, 0);
    r.sequence[1]++;
    ck_assert_int_eq(rig_setattr(&r, 0, oid, 20), OK);
    ck_assert_int_eq(first_request(1, oid, &reply), E_TIMEOUT);
    rig_next(&r, 2); /* younger than the one that waits */
    ck_assert_int_eq(rig_setattr(&r, 2, other, 22), OK);
    ck_assert_int_eq(rig_commit(&r, 0), OK);
    (void)fake_run();
    ck_assert(fake_take_reply(r.client[1], &m));
    ck_assert_int_eq(m.status, OK);
    ck_assert_int_eq(rig_setattr(&r, 2, oid, 22), E_TIMEOUT);
    ck_assert_int_eq(rig_setattr(&r, 1, other, 21), OK); /* the older goes on */
    ck_assert_int_eq(rig_commit(&r, 1), OK);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__a_dead_naming_begins_nothing)
{
    start();
    uint64_t oid = make(0, 100, 9);
    struct object_reply reply;
    r.sequence[0]++;
    uint32_t dead = r.client[0];
    r.client[0] = fake_client(LAYER_APP, 0); /* as little known as a dead one */
    ck_assert_int_eq(first_request(0, oid, &reply), E_AGAIN);
    r.client[0] = dead;
    ck_assert_int_eq(first_request(0, oid, &reply), OK);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__a_write_sets_attributes_with_the_bytes_or_neither)
{
    start();
    uint64_t oid = make(0, 100, 9), size;
    uint8_t value;
    for (uint32_t round = 0; round < 2; round++) {
        uint32_t grant = fake_grant(r.client[0], (void *)(uintptr_t) "new", 3, PLAT_GRANT_READ);
        struct object_request q = {.op = OBJECT_WRITE,
                                   .flags = OBJECT_ATTR,
                                   .oid = oid,
                                   .offset = 100,
                                   .length = 3,
                                   .grant_data = grant,
                                   .attr = {33}};
        struct object_reply reply;
        rig_next(&r, 0);
        ck_assert_int_eq(rig_call(&r, 0, &q, &reply, true), OK);
        ck_assert_int_eq(rig_getattr(&r, 0, oid, &size, &value, true), OK);
        ck_assert_uint_eq(value, 33);
        ck_assert_int_eq(round == 0 ? rig_abort(&r, 0) : rig_commit(&r, 0), OK);
        ck_assert_int_eq(rig_getattr(&r, 1, oid, &size, &value, false), OK);
        ck_assert_uint_eq(size, round == 0 ? 100 : 103);
        ck_assert_uint_eq(value, round == 0 ? 7 : 33);
    }
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__h20_a_late_commit_of_a_dead_naming_is_refused)
{
    start();
    uint64_t oid = make(0, 100, 9);
    rig_next(&r, 0);
    ck_assert_int_eq(rig_write(&r, 0, oid, 0, "late", 4), OK);
    r.client[0] = fake_client(LAYER_NAMING, 0);
    struct object_request q = {.op = OBJECT_ENVIRONMENT_DIED};
    struct object_reply reply;
    ck_assert_int_eq(rig_call(&r, 0, &q, &reply, true), OK);
    ck_assert_int_eq(rig_commit(&r, 0), E_AGAIN);
    ck_assert_uint_eq(read_all(oid), 100);
    ck_assert_mem_eq(back, data, 100);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__a_waiting_request_runs_when_the_lock_is_free)
{
    start();
    uint64_t oid = make(0, 100, 9);
    rig_next(&r, 0);
    rig_next(&r, 1);
    ck_assert_int_eq(rig_setattr(&r, 0, oid, 20), OK);
    ck_assert_int_eq(rig_setattr(&r, 1, oid, 21), E_TIMEOUT);
    ck_assert_int_eq(rig_abort(&r, 0), OK);
    (void)fake_run();
    struct msg m;
    ck_assert(fake_take_reply(r.client[1], &m));
    ck_assert_int_eq(m.status, OK);
    ck_assert_int_eq(rig_commit(&r, 1), OK);
    uint64_t size;
    uint8_t value;
    ck_assert_int_eq(rig_getattr(&r, 0, oid, &size, &value, false), OK);
    ck_assert_uint_eq(value, 21);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__in_a_deadlock_the_younger_gives_way)
{
    start();
    uint64_t a = make(0, 100, 9), b = make(0, 100, 9), size;
    uint8_t value;
    rig_next(&r, 0);
    rig_next(&r, 1);
    ck_assert_int_eq(rig_setattr(&r, 0, a, 1), OK);
    ck_assert_int_eq(rig_setattr(&r, 1, b, 2), OK);
    ck_assert_int_eq(rig_setattr(&r, 1, a, 2), E_TIMEOUT);
    ck_assert_int_eq(rig_setattr(&r, 0, b, 1), OK); /* the older goes on */
    struct msg m;
    ck_assert(fake_take_reply(r.client[1], &m));
    ck_assert_int_eq(m.status, E_AGAIN);
    ck_assert_int_eq(rig_commit(&r, 1), E_AGAIN);
    ck_assert_int_eq(rig_commit(&r, 0), OK);
    ck_assert_int_eq(rig_getattr(&r, 0, b, &size, &value, false), OK);
    ck_assert_uint_eq(value, 1);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__h11_no_space_is_said_before_the_ok)
{
    rig_init(&r);
    r.store.capacity_blocks = 200;
    rig_start(&r);
    fill(1, sizeof(data));
    enum err e = OK;
    uint32_t files = 0;
    while (e == OK && files < 50) {
        uint64_t oid;
        rig_next(&r, 0);
        e = rig_create(&r, 0, &oid);
        if (e == OK)
            e = rig_write(&r, 0, oid, 0, data, 16 * BLOCK_BYTES);
        if (e == OK)
            e = rig_commit(&r, 0);
        files += e == OK ? 1 : 0;
    }
    ck_assert_int_eq(e, E_NOSPC);
    ck_assert_uint_ge(files, 8);
    ck_assert_int_eq(rig_abort(&r, 0), OK);
    ck_assert_int_eq(rig_sync(&r, 0, OID_NONE), OK);
    ck_assert_uint_eq(r.store.refused, 0);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__a_full_disk_takes_removals)
{
    rig_init(&r);
    r.store.capacity_blocks = 200;
    rig_start(&r);
    struct object_request q = {.op = OBJECT_CREATE, .flags = OBJECT_META};
    struct object_reply directory;
    rig_next(&r, 0);
    ck_assert_int_eq(rig_call(&r, 0, &q, &directory, true), OK);
    fill(1, sizeof(data));
    ck_assert_int_eq(rig_write(&r, 0, directory.oid, 0, data, BLOCK_BYTES), OK);
    ck_assert_int_eq(rig_commit(&r, 0), OK);
    uint64_t file = make(0, 2 * BLOCK_BYTES, 2);
    rig_next(&r, 0);
    enum err e = OK;
    for (uint64_t b = 2; e == OK && b < 200; b++) {
        e = rig_write(&r, 0, file, b * BLOCK_BYTES, data, BLOCK_BYTES);
        if (e == OK) {
            ck_assert_int_eq(rig_commit(&r, 0), OK);
            rig_next(&r, 0);
        }
    }
    ck_assert_int_eq(e, E_NOSPC);
    ck_assert_int_eq(rig_write(&r, 0, file, 0, data, BLOCK_BYTES), E_NOSPC);
    ck_assert_int_eq(rig_write(&r, 0, directory.oid, BLOCK_BYTES, data, BLOCK_BYTES), E_NOSPC);
    ck_assert_int_eq(rig_write(&r, 0, directory.oid, 0, data, BLOCK_BYTES), OK);
    ck_assert_int_eq(rig_delete(&r, 0, file), OK);
    ck_assert_int_eq(rig_commit(&r, 0), OK);
    ck_assert_int_eq(rig_sync(&r, 0, OID_NONE), OK);
    ck_assert_uint_eq(r.store.refused, 0);
    (void)make(0, 16 * BLOCK_BYTES, 3);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__h10_a_tiny_log_and_few_frames_lose_nothing)
{
    rig_init(&r);
    r.boot.options.log_bytes = 1;
    r.boot.options.cache_bytes = 128 * BLOCK_BYTES;
    rig_start(&r);
    uint64_t oid[40];
    for (uint8_t k = 0; k < 40; k++)
        oid[k] = make(0, 40000, k);
    for (uint8_t k = 0; k < 40; k++) {
        fill(k, 40000);
        ck_assert_uint_eq(read_all(oid[k]), 40000);
        ck_assert_mem_eq(back, data, 40000);
    }
    ck_assert_uint_gt(r.store.prepares, 2);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__shutdown_marks_the_checkpoint_clean)
{
    start();
    (void)make(0, 100, 9);
    struct object_request q = {.op = OBJECT_SHUTDOWN};
    struct object_reply reply;
    ck_assert_int_eq(rig_call(&r, 0, &q, &reply, false), OK);
    ck_assert(r.store.clean);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__errors_from_below_go_up_as_they_are)
{
    start();
    uint64_t oid = make(0, 100, 9);
    ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
    rig_power_cut(&r);
    r.store.corrupt_oid = oid;
    uint32_t moved;
    ck_assert_int_eq(rig_read(&r, 0, oid, 0, back, 10, &moved, false), E_CORRUPT);
    r.store.corrupt_oid = 0;
    ck_assert_int_eq(rig_read(&r, 0, oid, 0, back, 10, &moved, false), OK);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__a_lost_block_below_spoils_no_other)
{
    start();
    uint64_t oid = make(0, 20 * BLOCK_BYTES, 9);
    ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
    store_find(&r.store.checkpoint, oid)->block[5]->lost = true;
    rig_power_cut(&r);
    uint32_t moved;
    for (uint32_t k = 0; k < 20; k++) { /* in order: read ahead meets it too */
        enum err e = rig_read(&r, 0, oid, k * BLOCK_BYTES, back, BLOCK_BYTES, &moved, false);
        ck_assert_int_eq(e, k == 5 ? E_LOST : OK);
        if (e == OK)
            ck_assert_mem_eq(back, data + k * BLOCK_BYTES, BLOCK_BYTES);
    }
    ck_assert_int_eq(rig_read(&r, 0, oid, 0, back, sizeof(back), &moved, false), E_LOST);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__reads_in_order_are_fetched_ahead)
{
    start();
    uint64_t oid = make(0, 40 * BLOCK_BYTES, 9);
    ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
    rig_power_cut(&r);
    uint32_t before = r.store.count[OBJECT_READ], moved;
    for (uint32_t k = 0; k < 40; k++)
        ck_assert_int_eq(rig_read(&r, 0, oid, k * BLOCK_BYTES, back, BLOCK_BYTES, &moved, false),
                         OK);
    ck_assert_uint_le(r.store.count[OBJECT_READ] - before, 5);
    rig_fini(&r);
}
END_TEST

/* Below the share that forces a checkpoint: above the share that starts write-back. */
START_TEST(test_cache__without_steal_pages_go_down_with_checkpoints_only)
{
    for (uint32_t steal = 0; steal < 2; steal++) {
        rig_init(&r);
        r.boot.options.cache_bytes = 1u << 19;
        r.boot.options.steal = steal != 0;
        r.boot.options.log = false; /* nothing is pinned: only steal decides */
        rig_start(&r);
        (void)make(0, 40 * BLOCK_BYTES, 9);
        (void)fake_run_until(fake_now() + 1000000000u);
        ck_assert_uint_eq(r.store.prepares, 0);
        ck_assert_uint_eq(r.store.count[OBJECT_WRITE] > 0, steal != 0);
        (void)make(0, 40 * BLOCK_BYTES, 9);
        (void)fake_run_until(fake_now() + 1000000000u);
        ck_assert_uint_eq(r.store.prepares > 0, steal == 0);
        rig_fini(&r);
    }
}
END_TEST

START_TEST(test_cache__syncs_of_several_environments_share_a_checkpoint)
{
    rig_init(&r);
    r.boot.options.environments = 2;
    rig_start(&r);
    (void)make(0, 100, 1);
    (void)make(1, 100, 2);
    struct object_request q = {.op = OBJECT_SYNC};
    struct msg m[2] = {0};
    for (uint32_t k = 0; k < 2; k++) {
        object_request_pack(&m[k], 77 + k, &q);
        fake_request(r.client[k], &m[k]);
    }
    (void)fake_run_until(fake_now() + 5000000);
    for (uint32_t k = 0; k < 2; k++) {
        ck_assert(fake_take_reply(r.client[k], &m[k]));
        ck_assert_int_eq(m[k].status, OK);
    }
    ck_assert_uint_eq(r.store.prepares, 1);
    rig_fini(&r);
}
END_TEST

CHECK_MAIN("cache_basic", 60, tcase_add_test(tc, test_cache__gives_back_what_was_written);
           tcase_add_test(tc, test_cache__holes_and_cut_tails_are_zero);
           tcase_add_test(tc, test_cache__an_aborted_transaction_leaves_nothing);
           tcase_add_test(tc, test_cache__others_see_a_transaction_only_when_it_is_committed);
           tcase_add_test(tc, test_cache__sync_makes_everything_answered_durable);
           tcase_add_test(tc, test_cache__checkpoint_comes_by_itself_in_time);
           tcase_add_test(tc, test_cache__sync_is_not_answered_before_all_is_prepared);
           tcase_add_test(tc, test_cache__sync_of_nothing_new_asks_nobody);
           tcase_add_test(tc, test_cache__a_block_across_a_changed_end_is_shadowed);
           tcase_add_test(tc, test_cache__delete_and_create_go_below_at_commit);
           tcase_add_test(tc, test_cache__h20_a_committed_transaction_runs_once);
           tcase_add_test(tc, test_cache__h20_a_late_commit_of_a_dead_naming_is_refused);
           tcase_add_test(tc, test_cache__the_first_request_begins_its_transaction_once);
           tcase_add_test(tc, test_cache__the_first_request_may_wait_and_keeps_its_transaction);
           tcase_add_test(tc, test_cache__a_dead_naming_begins_nothing);
           tcase_add_test(tc, test_cache__a_write_sets_attributes_with_the_bytes_or_neither);
           tcase_add_test(tc, test_cache__a_waiting_request_runs_when_the_lock_is_free);
           tcase_add_test(tc, test_cache__in_a_deadlock_the_younger_gives_way);
           tcase_add_test(tc, test_cache__h11_no_space_is_said_before_the_ok);
           tcase_add_test(tc, test_cache__a_full_disk_takes_removals);
           tcase_add_test(tc, test_cache__h10_a_tiny_log_and_few_frames_lose_nothing);
           tcase_add_test(tc, test_cache__shutdown_marks_the_checkpoint_clean);
           tcase_add_test(tc, test_cache__a_lost_block_below_spoils_no_other);
           tcase_add_test(tc, test_cache__reads_in_order_are_fetched_ahead);
           tcase_add_test(tc, test_cache__syncs_of_several_environments_share_a_checkpoint);
           tcase_add_test(tc, test_cache__without_steal_pages_go_down_with_checkpoints_only);
           tcase_add_test(tc, test_cache__errors_from_below_go_up_as_they_are);)
