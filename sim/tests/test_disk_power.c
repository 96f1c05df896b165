/* Power cuts: every state that a cut leaves is legal, and the legal ones are reached. */
#include <string.h>

#include "scripts/check_main.h"
#include "sim/disk.h"
#include "sim/rng.h"

#define SECTOR 512u
#define SIZE (UINT64_C(1) << 20)

static struct sim_engine *engine;
static struct sim_disk *disk;
static uint32_t answers;

static void on_done(void *object, uint64_t id, enum sim_disk_status status)
{
    (void)object;
    (void)id;
    ck_assert_int_eq(status, SIM_DISK_OK);
    answers++;
}

static void start(const char *profile, const char *cache, const char *delay)
{
    struct sim_disk_config config = {.size_bytes = SIZE};
    ck_assert_int_eq(sim_profile_load(profile, &config.params), OK);
    ck_assert_int_eq(sim_params_set(&config.params, "write-cache", cache), OK);
    ck_assert_int_eq(sim_params_set(&config.params, "destage-delay", delay), OK);
    engine = sim_engine_create();
    disk = sim_disk_create(engine, 3, &config);
    answers = 0;
}

static void stop(void)
{
    sim_disk_destroy(disk);
    sim_engine_destroy(engine);
}

static void begin_write(uint64_t first, uint32_t count, uint8_t fill)
{
    uint8_t data[16 * SECTOR];
    memset(data, fill, sizeof(data));
    struct sim_disk_request r = {
        .op = SIM_DISK_WRITE, .first_sector = first, .count = count, .data = data, .done = on_done};
    ck_assert_int_eq(sim_disk_submit(disk, &r), OK);
}

static void wait_all(void)
{
    while (sim_disk_outstanding(disk) > 0)
        ck_assert(sim_engine_step(engine));
}

static void put(uint64_t first, uint32_t count, uint8_t fill)
{
    begin_write(first, count, fill);
    wait_all();
}

static void flush(void)
{
    struct sim_disk_request r = {.op = SIM_DISK_FLUSH, .done = on_done};
    ck_assert_int_eq(sim_disk_submit(disk, &r), OK);
    wait_all();
}

static uint8_t byte_of(uint64_t sector)
{
    uint8_t raw[SECTOR];
    sim_disk_peek_stable(disk, sector, 1, raw);
    for (uint32_t i = 1; i < SECTOR; i++)
        ck_assert_uint_eq(raw[i], raw[0]); /* a sector is never torn */
    return raw[0];
}

static uint64_t draw(void *object)
{
    return sim_rng_u64(object);
}

static void cut(enum sim_disk_cut mode, enum sim_cut_tears tears, struct sim_rng *rng)
{
    struct sim_disk_cut_plan plan = {
        .mode = mode, .tears = tears, .draw = rng != NULL ? draw : NULL, .draw_object = rng};
    sim_disk_power_cut(disk, &plan);
    ck_assert(!sim_disk_powered(disk));
    ck_assert_uint_eq(sim_disk_pending(disk), 0);
    ck_assert_uint_eq(sim_disk_outstanding(disk), 0);
}

static const char *const profiles[] = {"hdd-7200", "ssd-sata"};

START_TEST(test_disk_power__drop_keeps_what_was_flushed_and_keep_keeps_all)
{
    start(profiles[_i % 2], "on", "60s");
    put(10, 8, 1);
    flush();
    put(10, 4, 2);
    put(100, 8, 3);
    begin_write(200, 8, 4); /* not answered */
    uint32_t before = answers;
    cut(_i < 2 ? SIM_CUT_DROP : SIM_CUT_KEEP, SIM_TEARS_NONE, NULL);
    ck_assert_uint_eq(byte_of(10), _i < 2 ? 1 : 2);
    ck_assert_uint_eq(byte_of(14), 1);
    ck_assert_uint_eq(byte_of(107), _i < 2 ? 0 : 3);
    ck_assert_uint_eq(byte_of(200), _i < 2 ? 0 : 4);
    sim_disk_power_on(disk);
    while (sim_engine_step(engine)) /* nothing of before comes through */
        continue;
    ck_assert_uint_eq(answers, before);
    ck_assert_uint_eq(sim_disk_identify(disk).resets, 1);
    ck_assert_uint_eq(byte_of(200), _i < 2 ? 0 : 4);
    put(300, 1, 5);
    ck_assert_uint_eq(answers, before + 1);
    stop();
}
END_TEST

START_TEST(test_disk_power__a_protected_cache_keeps_what_it_acknowledged)
{
    start("nvme", "protected", "60s");
    put(10, 8, 1);
    put(10, 2, 2);
    begin_write(50, 8, 3);
    cut(SIM_CUT_DROP, SIM_TEARS_NONE, NULL);
    ck_assert_uint_eq(byte_of(11), 2);
    ck_assert_uint_eq(byte_of(12), 1);
    ck_assert_uint_eq(byte_of(50), 0);
    stop();
}
END_TEST

/* Four cached writes of two sectors, two of them of one place. Each state of a cut, as a number:
 * which of three values sector 0 has, whether 10 and 20 are new, and whether the pairs agree. */
static uint32_t state_after(enum sim_disk_cut mode, enum sim_cut_tears tears, struct sim_rng *rng,
                            bool *torn)
{
    sim_engine_reset(engine);
    sim_disk_reset(disk);
    begin_write(0, 2, 1);
    begin_write(10, 2, 1);
    begin_write(0, 2, 2);
    begin_write(20, 2, 1);
    wait_all();
    cut(mode, tears, rng);
    *torn = byte_of(0) != byte_of(1) || byte_of(10) != byte_of(11) || byte_of(20) != byte_of(21);
    ck_assert_uint_le(byte_of(0), 2);
    return byte_of(0) * 4u + byte_of(10) * 2u + byte_of(20);
}

START_TEST(test_disk_power__random_and_reorder_reach_all_legal_states_and_no_other)
{
    struct sim_rng rng;
    sim_rng_init(&rng, 1, 1, 1);
    for (enum sim_disk_cut mode = SIM_CUT_RANDOM; mode <= SIM_CUT_REORDER; mode++) {
        start("ssd-sata", "on", "60s");
        uint32_t seen = 0;
        for (uint32_t n = 0; n < 600; n++) {
            bool torn;
            seen |= 1u << state_after(mode, SIM_TEARS_PREFIX, &rng, &torn);
            ck_assert(!torn); /* whole in the cache: not being written */
        }
        ck_assert_uint_eq(seen, 0xFFF); /* 3 x 2 x 2 */
        stop();
    }
}
END_TEST

START_TEST(test_disk_power__tears_any_reaches_torn_states)
{
    struct sim_rng rng;
    sim_rng_init(&rng, 1, 1, 2);
    start("ssd-sata", "on", "60s");
    uint32_t torn_count = 0;
    for (uint32_t n = 0; n < 200; n++) {
        bool torn;
        (void)state_after(SIM_CUT_RANDOM, SIM_TEARS_ANY, &rng, &torn);
        torn_count += torn;
    }
    ck_assert_uint_gt(torn_count, 50);
    ck_assert_uint_lt(torn_count, 200);
    stop();
}
END_TEST

START_TEST(test_disk_power__an_ordered_cache_leaves_a_prefix)
{
    struct sim_rng rng;
    sim_rng_init(&rng, 1, 1, 3);
    start("ssd-sata", "ordered", "60s");
    uint32_t seen = 0;
    for (uint32_t n = 0; n < 300; n++) {
        bool torn;
        seen |= 1u << state_after(_i == 0 ? SIM_CUT_RANDOM : SIM_CUT_REORDER, SIM_TEARS_ANY, &rng,
                                  &torn);
        ck_assert(!torn);
    }
    /* after 0, 1, 2, 3, 4 writes */
    ck_assert_uint_eq(seen, 1u << 0 | 1u << 4 | 1u << 6 | 1u << 10 | 1u << 11);
    stop();
}
END_TEST

/* A write of 16 sectors is cut while the medium is written with it. */
START_TEST(test_disk_power__a_write_in_flight_is_torn_by_a_prefix)
{
    struct sim_rng rng;
    sim_rng_init(&rng, 1, 1, 4);
    start(profiles[_i % 2], "off", "0");
    bool error = _i >= 2;
    uint32_t lengths = 0;
    for (uint32_t n = 0; n < 600; n++) {
        sim_engine_reset(engine);
        sim_disk_reset(disk);
        begin_write(64, 16, 9);
        cut(n % 2 ? SIM_CUT_DROP : SIM_CUT_RANDOM, error ? SIM_TEARS_ERROR : SIM_TEARS_PREFIX,
            &rng);
        uint32_t kept = 0;
        while (kept < 16 && byte_of(64 + kept) == 9)
            kept++;
        for (uint32_t k = kept; k < 16; k++)
            ck_assert_uint_eq(byte_of(64 + k), 0);
        lengths |= 1u << kept;
        bool inside = kept > 0 && kept < 16;
        ck_assert_uint_eq(sim_disk_bad_count(disk), inside && error);
        if (inside && error)
            ck_assert(sim_disk_bad(disk, 64 + kept));
    }
    ck_assert_uint_eq(lengths, 0x1FFFF);
    stop();
}
END_TEST

START_TEST(test_disk_power__atomic_writes_are_never_torn)
{
    struct sim_rng rng;
    sim_rng_init(&rng, 1, 1, 5);
    struct sim_disk_config config = {.size_bytes = SIZE};
    ck_assert_int_eq(sim_profile_load("ssd-sata", &config.params), OK);
    ck_assert_int_eq(sim_params_set(&config.params, "atomic", "16"), OK);
    engine = sim_engine_create();
    disk = sim_disk_create(engine, 3, &config);
    uint32_t torn_across = 0;
    for (uint32_t n = 0; n < 100; n++) {
        sim_engine_reset(engine);
        sim_disk_reset(disk);
        begin_write(64, 16, 9);
        begin_write(104, 16, 9); /* not aligned: no promise */
        cut(SIM_CUT_RANDOM, SIM_TEARS_ANY, &rng);
        for (uint32_t k = 1; k < 16; k++) {
            ck_assert_uint_eq(byte_of(64 + k), byte_of(64));
            torn_across += byte_of(104 + k) != byte_of(104);
        }
    }
    ck_assert_uint_gt(torn_across, 0);
    stop();
}
END_TEST

static uint32_t choose(void *object, uint32_t index, const struct sim_disk_pending *pending)
{
    const uint32_t *kept = object;
    ck_assert_uint_eq(index, 3);
    ck_assert_uint_eq(pending->count, 2);
    return kept[pending->write - 1];
}

START_TEST(test_disk_power__chosen_states_are_exactly_as_chosen)
{
    start("hdd-15k", "on", "60s");
    for (uint32_t n = 0; n < 27; n++) {
        uint32_t kept[3] = {n % 3, n / 3 % 3, n / 9};
        sim_engine_reset(engine);
        sim_disk_reset(disk);
        for (uint8_t k = 0; k < 3; k++)
            put(10, 2, k + 1);
        struct sim_disk_pending list[4];
        ck_assert_uint_eq(sim_disk_pending_list(disk, list, 4), 3);
        ck_assert_uint_eq(list[2].write, 3);
        ck_assert(list[2].acknowledged && !list[2].begun);
        struct sim_disk_cut_plan plan = {
            .mode = SIM_CUT_CHOSEN, .choose = choose, .choose_object = kept};
        sim_disk_power_cut(disk, &plan);
        uint8_t want[2] = {0, 0};
        for (uint8_t k = 0; k < 3; k++)
            for (uint32_t s = 0; s < kept[k]; s++)
                want[s] = k + 1;
        ck_assert_uint_eq(byte_of(10), want[0]);
        ck_assert_uint_eq(byte_of(11), want[1]);
    }
    stop();
}
END_TEST

static void cut_at(void *object, struct sim_disk *which, const struct sim_disk_event *event)
{
    static const struct sim_disk_cut_plan plan = {.mode = SIM_CUT_KEEP};
    const enum sim_disk_phase *phase = object;
    if (event->phase == *phase && event->write == 2)
        sim_disk_power_cut(which, &plan);
}

START_TEST(test_disk_power__an_observer_may_cut_at_any_phase)
{
    enum sim_disk_phase phase = (enum sim_disk_phase)_i;
    start("ssd-sata", "on", "60s");
    sim_disk_observe(disk, cut_at, &phase);
    put(10, 1, 1);
    begin_write(20, 1, 2);
    while (sim_engine_step(engine))
        continue;
    ck_assert(!sim_disk_powered(disk));
    ck_assert_uint_eq(answers, 1); /* the second write's answer never came */
    ck_assert_uint_eq(byte_of(10), 1);
    ck_assert_uint_eq(byte_of(20), phase == SIM_DISK_SUBMITTED ? 0 : 2);
    stop();
}
END_TEST

CHECK_MAIN("disk_power", 60,
           tcase_add_loop_test(tc, test_disk_power__drop_keeps_what_was_flushed_and_keep_keeps_all,
                               0, 4);
           tcase_add_test(tc, test_disk_power__a_protected_cache_keeps_what_it_acknowledged);
           tcase_add_test(tc,
                          test_disk_power__random_and_reorder_reach_all_legal_states_and_no_other);
           tcase_add_test(tc, test_disk_power__tears_any_reaches_torn_states);
           tcase_add_loop_test(tc, test_disk_power__an_ordered_cache_leaves_a_prefix, 0, 2);
           tcase_add_loop_test(tc, test_disk_power__a_write_in_flight_is_torn_by_a_prefix, 0, 4);
           tcase_add_test(tc, test_disk_power__atomic_writes_are_never_torn);
           tcase_add_test(tc, test_disk_power__chosen_states_are_exactly_as_chosen);
           tcase_add_loop_test(tc, test_disk_power__an_observer_may_cut_at_any_phase, 0, 3);)
