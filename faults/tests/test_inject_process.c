/* Bugs of processes, requests that trigger a fault, hangs that end; on the small machine. */
#include "faults/inject.h"

#include <string.h>

#include "block.h"
#include "faults/tests/rig.h"
#include "scripts/check_main.h"

#define FIELDS (MSG_PAYLOAD_BYTES / sizeof(uint32_t))

/* A bug of the process that sends: cache 0. */
static struct fault *bug_of_sender(enum fault_bug bug)
{
    struct fault *f = rig_fault(FAULT_PROCESS_BUG, FAULT_AT_TIME, 5 * (int64_t)RIG_MS);
    f->layer = LAYER_CACHE;
    f->bug = bug;
    return f;
}

static struct fault *on_server(enum fault_kind kind, uint32_t instance)
{
    struct fault *f = rig_fault(kind, FAULT_AT_TIME, 5 * (int64_t)RIG_MS);
    f->layer = LAYER_NAMING;
    f->instance = (struct fault_target){.kind = FAULT_TARGET_INDEX, .index = instance};
    return f;
}

/* Fields of the last message to server `k` that are not what the sender meant. */
static uint32_t wrong_fields(uint32_t k)
{
    uint32_t word[FIELDS], wrong = 0;
    const uint64_t first = 11 + rig.last[k].id % 3;
    memcpy(word, rig.last[k].payload, sizeof(word));
    for (uint32_t i = 0; i < FIELDS; i++)
        wrong += word[i] != (i == 0 ? first : i == 2 ? 22 : i == 4 ? 33 : 0);
    return wrong;
}

/* Lets the machine run, ms by ms, and counts the messages that are wrong. */
static uint32_t count_wrong(uint32_t ms)
{
    uint32_t wrong = 0;
    uint64_t seen[RIG_DISKS] = {rig.handled[0], rig.handled[1]};
    for (uint32_t at = 0; at < ms; at++) {
        rig_run(RIG_MS);
        for (uint32_t k = 0; k < RIG_DISKS; k++)
            wrong += rig.handled[k] != seen[k] && wrong_fields(k) == 1;
        seen[0] = rig.handled[0];
        seen[1] = rig.handled[1];
    }
    return wrong;
}

START_TEST(test_inject_process__a_wrong_value_is_one_field_of_one_message)
{
    struct fault *f = bug_of_sender(FAULT_BUG_WRONG_VALUE);
    for (uint32_t times = 1; times <= 3; times += 2) {
        f->repeat = amount_fixed(times);
        rig_arm(1);
        ck_assert_uint_eq(count_wrong(4), 0);
        ck_assert_uint_eq(count_wrong(20), times);
        ck_assert(strike_is_whole(rig_strike(0)));
        ck_assert_uint_eq(rig.strikes, 1); /* told once, with the first */
        ck_assert_uint_ge(rig_strike(0)->time_ns, 5 * RIG_MS);
        ck_assert_uint_le(rig_strike(0)->time_ns, 7 * RIG_MS);
        ck_assert_ptr_nonnull(strstr(rig_strike(0)->target, "cache 0 "));
        injector_disarm(rig.injector);
    }
}
END_TEST

START_TEST(test_inject_process__a_bug_of_errors_waits_for_an_answer)
{
    bug_of_sender(FAULT_BUG_WRONG_ERROR);
    rig_arm(1);
    rig_run(30 * RIG_MS);
    ck_assert(rig_strike(0)->struck && !rig_strike(0)->took_effect);
    ck_assert_uint_eq(rig.strikes, 0);
    rig.answers = true;
    uint32_t wrong = 0;
    for (uint32_t ms = 0; ms < 10; ms++) {
        rig_run(RIG_MS);
        for (uint32_t k = 0; k < RIG_DISKS; k++)
            wrong += rig.last[k].status != (rig.last[k].id % 2 == 0 ? E_MEDIA : OK);
    }
    ck_assert_uint_eq(wrong, 1);
    ck_assert(strike_is_whole(rig_strike(0)));
}
END_TEST

START_TEST(test_inject_process__a_bad_message_is_missing_or_wrong)
{
    uint32_t missing = 0, other = 0;
    bug_of_sender(FAULT_BUG_BAD_MESSAGE);
    for (uint32_t k = 0; k < 30; k++) {
        char name[8] = {'p', (char)('a' + k), 0};
        rig.plan.draw_name = name;
        rig_arm(1);
        rig_run(4 * RIG_MS);
        uint64_t before = rig.handled[0] + rig.handled[1];
        uint32_t odd = 0;
        for (uint32_t ms = 0; ms < 10; ms++) {
            rig_run(RIG_MS);
            for (uint32_t s = 0; s < RIG_DISKS; s++)
                odd += wrong_fields(s) > 0 || rig.last[s].type != (PROTO_BLOCK | BLOCK_READ);
        }
        ck_assert(strike_is_whole(rig_strike(0)));
        missing += rig.handled[0] + rig.handled[1] - before == 19;
        other += odd > 0;
        injector_disarm(rig.injector);
    }
    ck_assert_uint_gt(missing, 10); /* 66 % */
    ck_assert_uint_gt(other, 3);
    ck_assert_uint_le(missing + other, 30);
}
END_TEST

START_TEST(test_inject_process__a_wild_store_hits_its_own_process_or_ends_it)
{
    uint32_t died = 0, spoiled = 0;
    on_server(FAULT_PROCESS_BUG, 0)->bug = FAULT_BUG_WILD_STORE;
    rig.looks = true;
    for (uint32_t k = 0; k < 30; k++) {
        char name[8] = {'w', (char)('a' + k), 0};
        rig.plan.draw_name = name;
        while (!sim_machine_all_ready(rig.machine))
            rig_run(100 * RIG_MS);
        rig_arm(1);
        rig.bits = 0;
        rig_run(4 * RIG_MS);
        uint32_t before = rig.bits;
        rig_run(10 * RIG_MS);
        ck_assert(strike_is_whole(rig_strike(0)));
        ck_assert_uint_eq(rig.deaths[1], 0);
        died += rig.deaths[0];
        spoiled += rig.deaths[0] == 0 && rig.bits != before;
        injector_disarm(rig.injector);
    }
    ck_assert_uint_gt(died, 8);
    ck_assert_uint_gt(spoiled, 2);
    ck_assert(sim_machine_alive(rig.machine, LAYER_NAMING, 1));
}
END_TEST

START_TEST(test_inject_process__any_bug_is_drawn_by_the_shares_of_the_field)
{
    static const char *const names[] = {"MVI",  "MVAE", "WVAV", "WAEP",  "WPFV", "MIFS",
                                        "MLAC", "MFC",  "MLPC", "store", "leak"};
    static const double shares[] = {2.25,  5.25, 2.44, 2.25, 1.5, 9.96,
                                    15.21, 8.64, 3.19, 4.48, 4.48};
    double total = 0;
    uint32_t count[11] = {0};
    on_server(FAULT_PROCESS_BUG, 0)->bug = FAULT_BUG_ANY;
    for (uint32_t k = 0; k < 4000; k++) {
        char name[8] = {(char)('a' + k / 676), (char)('a' + k / 26 % 26), (char)('a' + k % 26), 0};
        rig.plan.draw_name = name;
        rig.fault[0].at.number = amount_fixed(0);
        rig_arm(1);
        rig_run(1);
        const char *word = strrchr(rig_strike(0)->target, ' ') + 1;
        for (uint32_t i = 0; i < 11; i++)
            count[i] += strcmp(word, names[i]) == 0;
        injector_disarm(rig.injector);
    }
    for (uint32_t i = 0; i < 11; i++)
        total += shares[i];
    for (uint32_t i = 0; i < 11; i++) { /* five standard deviations are below 0.04 */
        double share = count[i] / 4000.0;
        ck_assert_msg(share > shares[i] / total - 0.04 && share < shares[i] / total + 0.04,
                      "%s: %f", names[i], share);
        ck_assert_uint_gt(count[i], 0);
    }
}
END_TEST

START_TEST(test_inject_process__the_same_request_kills_whenever_it_is_met)
{
    struct fault *f = on_server(FAULT_PROCESS_CRASH, 1);
    f->repeat_same_request = true;
    rig_arm(1);
    rig_run(5 * RIG_MS);
    ck_assert_uint_eq(rig.deaths[1], 0);
    rig_run(RIG_MS + RIG_MS / 2);
    ck_assert_uint_eq(rig.deaths[1], 1);
    const struct strike *s = rig_strike(0);
    uint64_t first = rig.last[1].id + 1; /* the one that it did not get */
    rig_run(12000 * RIG_MS);             /* back-off of a second each */
    ck_assert_uint_ge(s->done, 3);
    ck_assert_uint_eq(s->done, s->wanted);
    ck_assert_uint_eq(s->done, rig.deaths[1]);
    ck_assert_uint_eq(rig.deaths[0], 0);
    ck_assert_uint_ne(rig.last[1].id % 3, first % 3); /* the other two are served */
    ck_assert_uint_eq(rig.strikes, 1);
}
END_TEST

START_TEST(test_inject_process__a_hang_that_ends_goes_on_where_it_was)
{
    struct fault *f = on_server(FAULT_PROCESS_HANG, 0);
    f->for_ns = amount_fixed(500 * (int64_t)RIG_MS);
    rig_arm(1);
    rig_run(5 * RIG_MS);
    uint64_t before = rig.handled[0];
    rig_run(490 * RIG_MS);
    ck_assert(injector_awaits(rig.injector));
    ck_assert_uint_le(rig.handled[0], before + 1);
    rig_run(100 * RIG_MS);
    ck_assert(!injector_awaits(rig.injector));
    ck_assert_uint_ge(rig.handled[0], before + 255); /* what waits for it is bounded */
    ck_assert_uint_eq(rig.deaths[0], 0);
    ck_assert(strike_is_whole(rig_strike(0)));
}
END_TEST

START_TEST(test_inject_process__disarmed_nothing_more_goes_wrong)
{
    bug_of_sender(FAULT_BUG_WRONG_VALUE)->repeat = amount_fixed(1000);
    rig_arm(1);
    ck_assert_uint_gt(count_wrong(10), 0);
    injector_disarm(rig.injector);
    ck_assert_uint_eq(count_wrong(10), 0);
}
END_TEST

CHECK_MAIN("inject_process", 60, {
    tcase_add_checked_fixture(tc, rig_setup, rig_teardown);
    tcase_add_test(tc, test_inject_process__a_wrong_value_is_one_field_of_one_message);
    tcase_add_test(tc, test_inject_process__a_bug_of_errors_waits_for_an_answer);
    tcase_add_test(tc, test_inject_process__a_bad_message_is_missing_or_wrong);
    tcase_add_test(tc, test_inject_process__a_wild_store_hits_its_own_process_or_ends_it);
    tcase_add_test(tc, test_inject_process__any_bug_is_drawn_by_the_shares_of_the_field);
    tcase_add_test(tc, test_inject_process__the_same_request_kills_whenever_it_is_met);
    tcase_add_test(tc, test_inject_process__a_hang_that_ends_goes_on_where_it_was);
    tcase_add_test(tc, test_inject_process__disarmed_nothing_more_goes_wrong);
})
