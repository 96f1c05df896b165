/* A physical that dies of what is on its disk, again and again: the disk is given up. */
#include "scripts/check_main.h"
#include "stack/tests/loris/logical/rig_pool.h"

#define OID 1200u
#define TRIES 3u /* of pool_make */

static bool dies; /* at each ADOPT */

static void sick(void *ctx, const struct msg *m)
{
    struct object_request request;
    ck_assert_int_eq(object_request_unpack(&request, m), OK);
    if (dies && request.op == OBJECT_ADOPT)
        fake_kill(LAYER_PHYSICAL, 1);
    else
        pool_physical(ctx, m);
}

static void start(void)
{
    pool_make(2, 1, 2048, 0);
    pool_ok(pool_op(OBJECT_CREATE, OID, 4 * BLOCK_BYTES, 0));
    pool_ok(pool_write(OID, 0, 4, 1, 0));
    pool_ok(pool_checkpoint());
    pool_boot(false);
    (void)fake_peer(LAYER_PHYSICAL, 1, sick, (void *)(uintptr_t)1);
    dies = true;
}

static void die_in_restore(uint32_t times)
{
    for (uint32_t n = 0; n < times; n++) {
        ck_assert_int_eq(pool_restore(false), E_SESSION);
        pool.p[0] = pool.p[1] = NULL;
        (void)fake_restart(LAYER_PHYSICAL, 1);
    }
}

START_TEST(test_given_up__a_disk_whose_process_dies_in_each_restore_is_left_out)
{
    start();
    die_in_restore(TRIES);
    pool_ok(pool_restore(false));
    ck_assert_uint_gt(fake_report_count(REPORT_DEGRADED), 0);
    ck_assert_int_eq(pool_version(OID, 3, 1), 1);
    pool_ok(pool_write(OID, 0, 4, 2, 0));
    pool_ok(pool_checkpoint());
}
END_TEST

START_TEST(test_given_up__deaths_before_a_restore_that_succeeds_do_not_count)
{
    start();
    for (uint32_t round = 0; round < 3; round++) {
        dies = true;
        die_in_restore(TRIES - 1);
        dies = false;
        pool_ok(pool_restore(false));
        ck_assert_uint_eq(fake_report_count(REPORT_DEGRADED), 0);
        pool.p[0] = pool.p[1] = NULL;
    }
}
END_TEST

CHECK_MAIN("logical given up", 60,
           tcase_add_test(tc, test_given_up__a_disk_whose_process_dies_in_each_restore_is_left_out);
           tcase_add_test(tc, test_given_up__deaths_before_a_restore_that_succeeds_do_not_count);)
