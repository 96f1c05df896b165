/* The engine: total order, cancellation, time, and the hash over a run. */
#include <string.h>

#include "scripts/check_main.h"
#include "sim/engine.h"
#include "sim/rng.h"

#define LOG_MAX 200000

static struct {
    uint64_t value[LOG_MAX];
    uint64_t at_ns[LOG_MAX];
    uint32_t count;
} ran;

static struct sim_engine *engine;

static void setup(void)
{
    engine = sim_engine_create();
    memset(&ran, 0, sizeof(ran));
}

static void teardown(void)
{
    sim_engine_destroy(engine);
}

static void record(void *object, uint64_t argument)
{
    (void)object;
    ck_assert_uint_lt(ran.count, LOG_MAX);
    ran.at_ns[ran.count] = sim_engine_now(engine);
    ran.value[ran.count++] = argument;
}

static void run_all(void)
{
    while (sim_engine_step(engine))
        ;
}

START_TEST(test_engine__runs_by_time_then_in_order_of_scheduling)
{
    struct sim_rng rng;
    sim_rng_init(&rng, 1, 0, sim_rng_purpose("order", 0));
    for (uint64_t i = 0; i < 100000; i++)
        (void)sim_engine_at(engine, sim_rng_below(&rng, 1000), record, NULL, i);
    run_all();
    ck_assert_uint_eq(ran.count, 100000);
    for (uint32_t i = 1; i < ran.count; i++) {
        ck_assert_uint_le(ran.at_ns[i - 1], ran.at_ns[i]);
        if (ran.at_ns[i - 1] == ran.at_ns[i])
            ck_assert_uint_lt(ran.value[i - 1], ran.value[i]);
    }
    ck_assert_uint_eq(sim_engine_dispatched(engine), 100000);
}
END_TEST

START_TEST(test_engine__cancelled_events_never_run_and_stale_handles_do_nothing)
{
    static sim_event_id id[100000];
    for (uint64_t i = 0; i < 100000; i++)
        id[i] = sim_engine_at(engine, 1 + i * 7919 % 5000, record, NULL, i);
    for (uint64_t i = 0; i < 100000; i++)
        if (i % 10 != 3)
            ck_assert(sim_engine_cancel(engine, id[i]));
    for (uint64_t i = 0; i < 100000; i++)
        if (i % 10 != 3)
            ck_assert(!sim_engine_cancel(engine, id[i]));
    run_all();
    ck_assert_uint_eq(ran.count, 10000);
    for (uint32_t i = 0; i < ran.count; i++)
        ck_assert_uint_eq(ran.value[i] % 10, 3);
    ck_assert(!sim_engine_cancel(engine, id[3]));
    (void)sim_engine_after(engine, 1, record, NULL, 77); /* takes a slot over: still stale */
    ck_assert(!sim_engine_cancel(engine, id[3]));
    ck_assert(!sim_engine_cancel(engine, 0));
    run_all();
    ck_assert_uint_eq(ran.value[ran.count - 1], 77);
}
END_TEST

static void cancel_itself_and_next(void *object, uint64_t argument)
{
    sim_event_id *id = object;
    ck_assert(!sim_engine_cancel(engine, id[0])); /* it runs, so it no longer waits */
    ck_assert(sim_engine_cancel(engine, id[1]));
    record(NULL, argument);
    (void)sim_engine_after(engine, 0, record, NULL, 30);
    (void)sim_engine_after(engine, 0, record, NULL, 31);
}

START_TEST(test_engine__an_event_may_cancel_and_schedule)
{
    static sim_event_id id[2];
    id[0] = sim_engine_at(engine, 5, cancel_itself_and_next, id, 1);
    id[1] = sim_engine_at(engine, 5, record, NULL, 2);
    (void)sim_engine_at(engine, 5, record, NULL, 3);
    run_all();
    static const uint64_t want[] = {1, 3, 30, 31};
    ck_assert_uint_eq(ran.count, 4);
    ck_assert_mem_eq(ran.value, want, sizeof(want));
}
END_TEST

static void again(void *object, uint64_t argument)
{
    record(object, argument);
    if (argument > 0)
        (void)sim_engine_after(engine, 10, again, object, argument - 1);
    ck_assert_uint_eq(sim_engine_next_ns(engine),
                      argument > 0 ? sim_engine_now(engine) + 10 : 1000);
}

START_TEST(test_engine__next_time_is_right_inside_and_outside_an_event)
{
    ck_assert_uint_eq(sim_engine_next_ns(engine), SIM_TIME_NEVER);
    (void)sim_engine_at(engine, 10, again, NULL, 50);
    (void)sim_engine_at(engine, 1000, record, NULL, 99);
    ck_assert_uint_eq(sim_engine_next_ns(engine), 10);
    for (int i = 0; i < 51; i++)
        ck_assert(sim_engine_step(engine));
    ck_assert_uint_eq(sim_engine_now(engine), 510);
    ck_assert(sim_engine_step(engine));
    ck_assert(!sim_engine_step(engine));
}
END_TEST

START_TEST(test_engine__overdue_events_run_late_in_order)
{
    (void)sim_engine_at(engine, 20, record, NULL, 2);
    (void)sim_engine_at(engine, 10, record, NULL, 1);
    sim_engine_advance(engine, 500);
    run_all();
    ck_assert_uint_eq(ran.count, 2);
    ck_assert_uint_eq(ran.value[0], 1);
    ck_assert_uint_eq(ran.value[1], 2);
    ck_assert_uint_eq(ran.at_ns[0], 500);
    ck_assert_uint_eq(sim_engine_now(engine), 500);
}
END_TEST

START_TEST(test_engine__many_cancelled_timeouts_do_not_fill_the_queue)
{
    for (uint32_t i = 0; i < 4 * SIM_EVENTS_MAX; i++) {
        sim_event_id id = sim_engine_after(engine, 1000000, record, NULL, i);
        ck_assert(sim_engine_cancel(engine, id));
    }
    ck_assert_uint_eq(sim_engine_next_ns(engine), SIM_TIME_NEVER);
}
END_TEST

START_TEST(test_engine__reset_is_a_new_engine)
{
    sim_engine_note(engine, 1, 2, 3);
    uint64_t hash = sim_engine_hash(engine);
    sim_event_id stale = sim_engine_after(engine, 10, record, NULL, 1);
    (void)sim_engine_after(engine, 5, record, NULL, 1);
    ck_assert(sim_engine_step(engine));
    sim_engine_reset(engine);
    ck_assert_uint_eq(sim_engine_now(engine), 0);
    ck_assert_uint_eq(sim_engine_dispatched(engine), 0);
    ck_assert(!sim_engine_cancel(engine, stale));
    ck_assert(!sim_engine_step(engine));
    sim_engine_note(engine, 1, 2, 3);
    ck_assert_uint_eq(sim_engine_hash(engine), hash);
}
END_TEST

/* The hash of three notes, with one word (0-9) of the ten words involved changed if `change` < 10.
 */
static uint64_t hash_of(uint32_t change, uint64_t by)
{
    uint64_t word[10] = {1, 2, 3, 1, 2, 4, 0, 0, 0, 100};
    if (change < 10)
        word[change] ^= by;
    sim_engine_reset(engine);
    for (int i = 0; i < 3; i++)
        sim_engine_note(engine, word[3 * i], word[3 * i + 1], word[3 * i + 2]);
    sim_engine_advance(engine, word[9]);
    sim_engine_note(engine, 9, 9, 9);
    return sim_engine_hash(engine);
}

START_TEST(test_engine__hash_sees_every_bit_of_every_word_and_the_time)
{
    uint64_t base = hash_of(10, 0);
    ck_assert_uint_eq(base, hash_of(10, 0));
    for (uint32_t word = 0; word < 10; word++)
        for (uint32_t bit = 0; bit < 63; bit++) /* time 2^63 and more is legal, ~0 is not */
            ck_assert_uint_ne(base, hash_of(word, UINT64_C(1) << bit));
    sim_engine_reset(engine);
    sim_engine_note(engine, 1, 2, 4); /* the same notes in another order */
    sim_engine_note(engine, 1, 2, 3);
    uint64_t swapped = sim_engine_hash(engine);
    sim_engine_reset(engine);
    sim_engine_note(engine, 1, 2, 3);
    sim_engine_note(engine, 1, 2, 4);
    ck_assert_uint_ne(swapped, sim_engine_hash(engine));
}
END_TEST

static bool is_tick(const void *context, sim_event_id id)
{
    const sim_event_id *tick = context;
    return id == tick[0] || id == tick[1];
}

START_TEST(test_engine__a_jump_takes_ticks_along_and_stops_at_a_date)
{
    sim_engine_advance(engine, 100);
    sim_event_id tick[2] = {sim_engine_at(engine, 130, record, NULL, 1),
                            sim_engine_at(engine, 110, record, NULL, 2)};
    (void)sim_engine_at(engine, 5000, record, NULL, 3);
    sim_event_id gone = sim_engine_at(engine, 120, record, NULL, 4);
    ck_assert(sim_engine_cancel(engine, gone));
    ck_assert_uint_eq(sim_engine_jump(engine, 1000000, is_tick, tick), 4900);
    ck_assert_uint_eq(sim_engine_now(engine), 5000);
    ck_assert_uint_eq(sim_engine_jump(engine, 1000000, is_tick, tick), 0);
    ck_assert_uint_eq(sim_engine_next_ns(engine), 5000);
    run_all();
    ck_assert_uint_eq(ran.count, 3);
    const uint64_t order[] = {3, 2, 1}, at[] = {5000, 5010, 5030};
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(ran.value[i], order[i]);
        ck_assert_uint_eq(ran.at_ns[i], at[i]);
    }
}
END_TEST

START_TEST(test_engine__a_jump_without_events_goes_all_the_way)
{
    sim_event_id none[2] = {0, 0};
    ck_assert_uint_eq(sim_engine_jump(engine, 77, is_tick, none), 77);
    ck_assert_uint_eq(sim_engine_now(engine), 77);
    ck_assert_uint_eq(sim_engine_next_ns(engine), SIM_TIME_NEVER);
}
END_TEST

START_TEST(test_engine__an_event_in_the_past_is_a_defect)
{
    sim_engine_advance(engine, 10);
    (void)sim_engine_at(engine, 9, record, NULL, 0);
}
END_TEST

CHECK_MAIN("engine", 60, tcase_add_checked_fixture(tc, setup, teardown);
           tcase_add_test(tc, test_engine__runs_by_time_then_in_order_of_scheduling);
           tcase_add_test(tc, test_engine__cancelled_events_never_run_and_stale_handles_do_nothing);
           tcase_add_test(tc, test_engine__an_event_may_cancel_and_schedule);
           tcase_add_test(tc, test_engine__next_time_is_right_inside_and_outside_an_event);
           tcase_add_test(tc, test_engine__overdue_events_run_late_in_order);
           tcase_add_test(tc, test_engine__many_cancelled_timeouts_do_not_fill_the_queue);
           tcase_add_test(tc, test_engine__reset_is_a_new_engine);
           tcase_add_test(tc, test_engine__hash_sees_every_bit_of_every_word_and_the_time);
           tcase_add_test(tc, test_engine__a_jump_takes_ticks_along_and_stops_at_a_date);
           tcase_add_test(tc, test_engine__a_jump_without_events_goes_all_the_way);
           tcase_add_exit_test(tc, test_engine__an_event_in_the_past_is_a_defect, 3);)
