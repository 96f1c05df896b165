/* Hazards that the cache answers, each under its number in stack/loris/INVARIANTS.md. */
#include <string.h>

#include "cache_rig.h"
#include "scripts/check_main.h"

static struct rig r;
static uint8_t data[120 * BLOCK_BYTES], back[120 * BLOCK_BYTES];

static void fill(uint8_t seed, size_t bytes)
{
    ck_assert_uint_le(bytes, sizeof(data));
    for (size_t k = 0; k < bytes; k++)
        data[k] = (uint8_t)(seed + k * 7 + k / 251);
}

static void begin(uint32_t env)
{
    r.sequence[env]++;
    ck_assert_int_eq(rig_begin(&r, env, NULL), OK);
}

static uint64_t make(uint32_t env, size_t bytes, uint8_t seed)
{
    uint64_t oid = 0;
    begin(env);
    ck_assert_int_eq(rig_create(&r, env, &oid), OK);
    fill(seed, bytes);
    if (bytes > 0)
        ck_assert_int_eq(rig_write(&r, env, oid, 0, data, bytes), OK);
    ck_assert_int_eq(rig_commit(&r, env), OK);
    return oid;
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
    begin(0);
    fill(5, 60 * BLOCK_BYTES);
    ck_assert_int_eq(rig_write(&r, 0, big, 0, data, 60 * BLOCK_BYTES), OK);
    begin(1);
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
    begin(0);
    ck_assert_int_eq(rig_write(&r, 0, file[0], 0, data, 25 * BLOCK_BYTES), OK);
    begin(1);
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
    begin(1);
    ck_assert_int_eq(rig_write(&r, 1, file[1], 0, data, 40 * BLOCK_BYTES), OK);
    ck_assert_int_eq(rig_commit(&r, 1), OK);
    rig_fini(&r);
}
END_TEST

/* What no memory can hold is an error to the one who asks for it, at once. */
START_TEST(test_cache_hazards__h10_more_than_all_memory_is_an_error_to_the_flood)
{
    start_small(2);
    uint64_t big = make(0, 0, 1);
    begin(0);
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

CHECK_MAIN("cache_hazards", 120,
           tcase_add_test(tc, test_cache_hazards__h10_a_flood_of_pages_is_a_pause_for_the_others);
           tcase_add_test(tc, test_cache_hazards__h10_two_floods_do_not_wait_for_each_other);
           tcase_add_test(tc,
                          test_cache_hazards__h10_more_than_all_memory_is_an_error_to_the_flood);
           tcase_add_test(tc, test_cache_hazards__h10_a_tiny_log_loses_no_record);)
