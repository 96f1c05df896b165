/* A disk that others stand in for and that answers too late, or never: it is waited for once. */
#include "scripts/check_main.h"
#include "stack/tests/loris/logical/rig_pool.h"

#include "block.h"

#define OID 1200u
#define SICK 1u
#define PATIENCE_NS UINT64_C(120000000000) /* as in stack/loris/logical/logical.h */

static enum { WELL, SILENT, DEAD_LATE, SLOW } state;
static enum object_op silent_from; /* the first request of this kind begins it; 0: any */
static uint32_t asked;             /* requests to the sick disk since then */
static struct msg held;            /* the last one, if it was not answered at once */
static uint64_t held_at_ns;
static bool holds;
static uint32_t sick_endpoint;

static void sick(void *ctx, const struct msg *m)
{
    struct object_request request;
    ck_assert_int_eq(object_request_unpack(&request, m), OK);
    if (state == WELL || (silent_from != 0 && request.op != silent_from)) {
        pool_physical(ctx, m);
        return;
    }
    silent_from = 0;
    asked++;
    held = *m;
    held_at_ns = fake_now();
    holds = true;
}

/* Says in the end what it has to say, BLOCK_TIMEOUT_NS after it was asked or twice that. */
static void answer_late(void)
{
    struct object_reply reply = {.session = 0};
    struct msg answer = held;
    holds = false;
    fake_act(sick_endpoint);
    if (state == SLOW) {
        pool_physical((void *)(uintptr_t)SICK, &held);
    } else {
        object_reply_pack(&answer, &reply);
        proto_reply(&held, E_DEAD, &answer);
    }
    fake_act(ENDPOINT_NONE);
}

static void idle(void)
{
    uint64_t delay_ns = state == SLOW ? BLOCK_TIMEOUT_NS : BLOCK_SILENCES * BLOCK_TIMEOUT_NS;
    if (holds && state != SILENT && fake_now() - held_at_ns >= delay_ns)
        answer_late();
    else
        fake_advance(UINT64_C(1000000000));
}

static void plug(void)
{
    state = WELL;
    asked = 0;
    holds = false;
    sick_endpoint = fake_peer(LAYER_PHYSICAL, SICK, sick, (void *)(uintptr_t)SICK);
    pool.p[SICK] = NULL;
}

static void make(uint32_t disks, uint32_t raid)
{
    pool.idle = NULL;
    pool_make(disks, raid, 2048, 64 << 10);
    pool_ok(pool_op(OBJECT_CREATE, OID, 8 * BLOCK_BYTES, 0));
    pool_ok(pool_write(OID, 0, 8, 1, 0));
    pool_ok(pool_checkpoint());
    pool_boot(false);
    pool.idle = idle;
    plug();
}

static void let_time_pass(uint64_t ns)
{
    ck_assert_int_eq(fake_run_until(fake_now() + ns), FAKE_IDLE);
}

static void expect_served(uint64_t version)
{
    uint64_t began_ns = fake_now();
    for (uint64_t k = 0; k < 8; k++)
        ck_assert_int_eq(pool_version(OID, k, version), (int64_t)version);
    pool_ok(pool_write(OID, 0, 8, version + 1, 0));
    pool_ok(pool_checkpoint());
    let_time_pass(UINT64_C(3600000000000)); /* looks for absent disks */
    pool_ok(pool_restore(false));
    ck_assert_int_eq(pool_version(OID, 3, version + 1), (int64_t)version + 1);
    ck_assert_uint_le(fake_now() - began_ns, UINT64_C(3600000000000));
}

/* Each request at which it may fall silent, on each level that bears it. */
START_TEST(test_silent__h24_a_disk_that_falls_silent_leaves_the_pool_after_one_wait)
{
    static const enum object_op ops[] = {OBJECT_CREATE, OBJECT_WRITE, OBJECT_PREPARE, OBJECT_READ};
    static const struct {
        uint32_t disks, raid;
    } pools[] = {{2, 1}, {3, 5}, {4, 6}, {3, RAID_N_WAY}};
    for (uint32_t p = 0; p < sizeof(pools) / sizeof(pools[0]); p++)
        for (uint32_t k = 0; k < sizeof(ops) / sizeof(ops[0]); k++)
            for (uint32_t late = 0; late < 2; late++) {
                make(pools[p].disks, pools[p].raid);
                pool_ok(pool_restore(false));
                state = late ? DEAD_LATE : SILENT;
                silent_from = ops[k];
                uint64_t began_ns = fake_now();
                pool_ok(pool_op(OBJECT_CREATE, OID + 1, 0, 0));
                pool_ok(pool_write(OID, 0, 8, 2, 0));
                ck_assert_int_eq(pool_version(OID, 1, 2), 2);
                pool_ok(pool_checkpoint());
                ck_assert_uint_le(fake_now() - began_ns, PATIENCE_NS);
                if (asked == 0)
                    continue; /* nothing was read of it */
                ck_assert_uint_eq(fake_kills(LAYER_PHYSICAL, SICK), late ? 0 : 1);
                expect_served(2);
                ck_assert_uint_eq(asked, 1);
                ck_assert_uint_eq(fake_report_count(REPORT_DEGRADED) > 0, 1);
            }
}
END_TEST

START_TEST(test_silent__h24_a_start_waits_once_and_goes_on_without)
{
    static const enum object_op ops[] = {OBJECT_ROOTS, OBJECT_ADOPT, OBJECT_INTENTS};
    for (uint32_t k = 0; k < sizeof(ops) / sizeof(ops[0]); k++) {
        make(2, 1);
        state = SILENT;
        silent_from = ops[k];
        pool_ok(pool_restore(true));
        ck_assert_uint_le(fake_now(), PATIENCE_NS);
        ck_assert_uint_eq(asked, 1);
        expect_served(1);
        ck_assert_uint_eq(asked, 1);
    }
}
END_TEST

/* ROOTS, two ADOPT, INTENTS: each is answered in time, all together are not. */
START_TEST(test_silent__h24_slow_answers_to_one_request_share_its_limit)
{
    make(2, 1);
    state = SLOW;
    pool_ok(pool_restore(true));
    ck_assert_uint_le(fake_now(), PATIENCE_NS);
    ck_assert_uint_eq(asked, PATIENCE_NS / BLOCK_TIMEOUT_NS + 1);
    ck_assert_uint_eq(fake_report_count(REPORT_DEGRADED), 1);
    expect_served(1);
}
END_TEST

START_TEST(test_silent__h24_slow_answers_to_many_requests_do_not_add_up)
{
    make(2, 1);
    pool_ok(pool_restore(true));
    state = SLOW;
    for (uint32_t round = 0; round < 5; round++)
        pool_ok(pool_op(OBJECT_CREATE, OID + 1 + round, 0, 0));
    ck_assert_uint_ge(asked, 5);
    ck_assert_uint_ge(fake_now(), asked * BLOCK_TIMEOUT_NS);
    ck_assert_uint_eq(fake_report_count(REPORT_DEGRADED), 0);
}
END_TEST

START_TEST(test_silent__h24_a_disk_that_nobody_stands_in_for_is_asked_again)
{
    make(2, 0);
    state = SILENT;
    ck_assert_int_eq(pool_restore(true), E_SESSION);
    state = WELL;
    pool.p[0] = pool.p[1] = NULL;
    pool_ok(pool_restore(true));
    ck_assert_int_eq(pool_version(OID, 3, 1), 1);
}
END_TEST

START_TEST(test_silent__h24_a_pool_that_does_not_go_without_it_asks_again)
{
    make(3, 1);
    rig.disk[2].gone = true; /* two of three are absent: more than a mirror bears at a start */
    state = SILENT;
    ck_assert_int_eq(pool_restore(true), E_MEDIA);
    state = WELL;
    pool_ok(pool_restore(true));
    ck_assert_int_eq(pool_version(OID, 3, 1), 1);
}
END_TEST

CHECK_MAIN("logical silent", 60,
           tcase_add_test(tc,
                          test_silent__h24_a_disk_that_falls_silent_leaves_the_pool_after_one_wait);
           tcase_add_test(tc, test_silent__h24_a_start_waits_once_and_goes_on_without);
           tcase_add_test(tc, test_silent__h24_slow_answers_to_one_request_share_its_limit);
           tcase_add_test(tc, test_silent__h24_slow_answers_to_many_requests_do_not_add_up);
           tcase_add_test(tc, test_silent__h24_a_disk_that_nobody_stands_in_for_is_asked_again);
           tcase_add_test(tc, test_silent__h24_a_pool_that_does_not_go_without_it_asks_again);)
