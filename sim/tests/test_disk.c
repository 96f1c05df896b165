/* Content, cache, flushes, fences, faults and observers of simulated disks, against a plain model.
 */
#include "sim/disk.h"

#include <stdio.h>
#include <string.h>

#include "scripts/check_main.h"
#include "sim/rng.h"

#define SIZE (UINT64_C(4) << 20)
#define SECTOR 512u
#define SECTORS (SIZE / SECTOR)
#define OUT_MAX 64u

static struct sim_engine *engine;
static struct sim_disk *disk;

/* The answers that came, in order. */
static struct {
    uint64_t id;
    enum sim_disk_status status;
    uint64_t at_ns;
} answer[100000];
static uint32_t answers;

static void on_done(void *object, uint64_t id, enum sim_disk_status status)
{
    ck_assert_ptr_eq(object, disk);
    answer[answers].id = id;
    answer[answers].status = status;
    answer[answers++].at_ns = sim_engine_now(engine);
}

static void start(const char *profile, const char *const *settings)
{
    struct sim_disk_config config = {.size_bytes = SIZE};
    enum sim_param bad;
    ck_assert_int_eq(sim_profile_load(profile, &config.params), OK);
    for (; settings != NULL && settings[0] != NULL; settings += 2)
        ck_assert_int_eq(sim_params_set(&config.params, settings[0], settings[1]), OK);
    ck_assert_int_eq(sim_params_check(&config.params, &bad), OK);
    engine = sim_engine_create();
    disk = sim_disk_create(engine, 0, &config);
    answers = 0;
}

static void stop(void)
{
    sim_disk_destroy(disk);
    sim_engine_destroy(engine);
}

static void run(void)
{
    while (sim_engine_step(engine))
        continue;
}

static uint64_t next_id;

static uint64_t send(enum sim_disk_op op, bool fua, uint64_t first, uint32_t count, uint64_t owner,
                     const void *data, void *buffer)
{
    struct sim_disk_request r = {.op = op,
                                 .fua = fua,
                                 .first_sector = first,
                                 .count = count,
                                 .owner = owner,
                                 .request_id = ++next_id,
                                 .data = data,
                                 .buffer = buffer,
                                 .done = on_done,
                                 .object = disk};
    ck_assert_int_eq(sim_disk_submit(disk, &r), OK);
    return next_id;
}

/* The only answer with that id; fails if there is none. */
static enum sim_disk_status status_of(uint64_t id)
{
    for (uint32_t i = 0; i < answers; i++)
        if (answer[i].id == id)
            return answer[i].status;
    ck_abort_msg("no answer to %llu", (unsigned long long)id);
    return SIM_DISK_GONE;
}

static bool answered(uint64_t id)
{
    for (uint32_t i = 0; i < answers; i++)
        if (answer[i].id == id)
            return true;
    return false;
}

/* Steps until the answer came. */
static enum sim_disk_status wait_for(uint64_t id)
{
    while (!answered(id))
        ck_assert(sim_engine_step(engine));
    return status_of(id);
}

static uint8_t block[8 * SECTOR], back[8 * SECTOR];

static enum sim_disk_status put(uint64_t first, uint32_t count, uint8_t fill)
{
    memset(block, fill, sizeof(block));
    return wait_for(send(SIM_DISK_WRITE, false, first, count, 1, block, NULL));
}

static enum sim_disk_status get(uint64_t first, uint32_t count)
{
    memset(back, 0xEE, sizeof(back));
    return wait_for(send(SIM_DISK_READ, false, first, count, 1, NULL, back));
}

static enum sim_disk_status flush(void)
{
    return wait_for(send(SIM_DISK_FLUSH, false, 0, 0, 1, NULL, NULL));
}

static uint8_t stable_byte(uint64_t sector)
{
    uint8_t raw[SECTOR];
    sim_disk_peek_stable(disk, sector, 1, raw);
    return raw[0];
}

static const char *const profile_of[] = {"hdd-7200", "hdd-15k", "ssd-sata", "nvme", "hp97560"};

/* Random requests, many at once, on distinct sectors: each read returns the newest accepted bytes.
 */
START_TEST(test_disk__reads_return_the_newest_accepted_version)
{
    static const char *const modes[] = {"off", "on", "protected", "ordered"};
    static uint8_t model[SECTORS], buffer[OUT_MAX][8 * SECTOR];
    const char *settings[] = {"write-cache", modes[_i % 4], "cache-size", "64KiB", NULL};
    start(profile_of[_i / 4], settings);
    struct sim_rng rng;
    sim_rng_init(&rng, 1, (uint64_t)_i, 1);
    memset(model, 0, sizeof(model));
    for (uint32_t round = 0; round < 200; round++) {
        uint64_t first[OUT_MAX];
        uint32_t count[OUT_MAX], reads[OUT_MAX], n = 0;
        for (uint32_t k = 0; k < 40; k++) {
            first[n] = sim_rng_below(&rng, 16) * (SECTORS / 16) + k * 8 + sim_rng_below(&rng, 3);
            count[n] = 1 + (uint32_t)sim_rng_below(&rng, 5);
            reads[n] = (uint32_t)sim_rng_below(&rng, 2);
            uint8_t fill = (uint8_t)sim_rng_u32(&rng);
            memset(buffer[n], fill, sizeof(buffer[n]));
            if (!reads[n])
                memset(model + first[n], fill, count[n]);
            (void)send(reads[n] ? SIM_DISK_READ : SIM_DISK_WRITE, sim_rng_below(&rng, 8) == 0,
                       first[n], count[n], 1, buffer[n], buffer[n]);
            n++;
        }
        if (round % 7 == 0)
            (void)send(SIM_DISK_FLUSH, false, 0, 0, 1, NULL, NULL);
        while (sim_disk_outstanding(disk) > 0)
            ck_assert(sim_engine_step(engine));
        for (uint32_t k = 0; k < n; k++)
            for (uint32_t s = 0; reads[k] && s < count[k]; s++)
                ck_assert_uint_eq(buffer[k][s * SECTOR + 7], model[first[k] + s]);
    }
    run();
    ck_assert_uint_eq(sim_disk_pending(disk), 0); /* left alone, all becomes stable */
    for (uint64_t s = 0; s < SECTORS; s++)
        ck_assert_uint_eq(stable_byte(s), model[s]);
    for (uint32_t i = 0; i < answers; i++)
        ck_assert_int_eq(answer[i].status, SIM_DISK_OK);
    stop();
}
END_TEST

START_TEST(test_disk__flush_makes_stable_what_was_acknowledged_before)
{
    start(profile_of[_i], (const char *const[]){"write-cache", "on", NULL});
    for (uint32_t k = 0; k < 20; k++)
        ck_assert_int_eq(put(k * 300, 8, (uint8_t)(k + 1)), SIM_DISK_OK);
    ck_assert_uint_gt(sim_disk_pending(disk), 0);
    ck_assert_int_eq(flush(), SIM_DISK_OK);
    for (uint32_t k = 0; k < 20; k++)
        ck_assert_uint_eq(stable_byte(k * 300 + 7), k + 1);
    ck_assert_uint_eq(sim_disk_pending(disk), 0);
    stop();
}
END_TEST

START_TEST(test_disk__fua_is_stable_when_answered_and_alone)
{
    start(profile_of[_i], (const char *const[]){"write-cache", "on", "destage-delay", "60s", NULL});
    ck_assert_int_eq(put(100, 4, 1), SIM_DISK_OK);
    ck_assert_int_eq(put(500, 4, 2), SIM_DISK_OK);
    memset(block, 3, sizeof(block));
    uint64_t id = send(SIM_DISK_WRITE, true, 500, 2, 1, block, NULL);
    ck_assert_int_eq(wait_for(id), SIM_DISK_OK);
    ck_assert_uint_eq(stable_byte(500), 3);
    ck_assert_uint_eq(stable_byte(100), 0);
    ck_assert_uint_eq(stable_byte(502), 0); /* the rest of the older write is still cached */
    ck_assert_int_eq(get(500, 4), SIM_DISK_OK);
    ck_assert_uint_eq(back[0], 3);
    ck_assert_uint_eq(back[2 * SECTOR], 2);
    run();
    ck_assert_uint_eq(stable_byte(500), 3); /* the older version did not come back */
    ck_assert_uint_eq(stable_byte(502), 2);
    stop();
}
END_TEST

START_TEST(test_disk__without_a_cache_an_answer_means_stable)
{
    start(profile_of[_i], (const char *const[]){"write-cache", "off", NULL});
    ck_assert_int_eq(put(77, 8, 9), SIM_DISK_OK);
    ck_assert_uint_eq(stable_byte(84), 9);
    ck_assert(!sim_disk_identify(disk).volatile_cache);
    stop();
}
END_TEST

START_TEST(test_disk__refuses_requests_that_break_the_protocol)
{
    start("nvme", NULL);
    struct sim_disk_request r = {.op = SIM_DISK_READ, .buffer = back, .done = on_done};
    ck_assert_int_eq(sim_disk_submit(disk, &r), E_INVAL); /* no sectors */
    r.count = 2;
    r.first_sector = SECTORS - 1;
    ck_assert_int_eq(sim_disk_submit(disk, &r), E_INVAL); /* past the end */
    r.first_sector = UINT64_MAX;
    ck_assert_int_eq(sim_disk_submit(disk, &r), E_INVAL);
    r.first_sector = 0;
    r.count = SIM_DISK_SECTORS_MAX + 1;
    ck_assert_int_eq(sim_disk_submit(disk, &r), E_INVAL);
    r.count = 1;
    r.op = (enum sim_disk_op)99;
    ck_assert_int_eq(sim_disk_submit(disk, &r), E_INVAL);
    ck_assert_uint_eq(sim_disk_stats(disk).requests, 0);
    stop();
}
END_TEST

START_TEST(test_disk__reset_returns_to_the_sealed_image_and_replays_alike)
{
    start(profile_of[_i], NULL);
    ck_assert_int_eq(put(40, 8, 5), SIM_DISK_OK);
    run();
    sim_disk_seal(disk);
    uint64_t hash[3] = {0}, ended[3] = {0};
    for (uint32_t turn = 0; turn < 3; turn++) {
        sim_engine_reset(engine);
        sim_disk_reset(disk);
        answers = 0;
        ck_assert_uint_eq(stable_byte(40), 5);
        ck_assert_uint_eq(stable_byte(900), 0);
        ck_assert_uint_eq(sim_disk_used_count(disk), 8);
        ck_assert_uint_eq(sim_disk_bad_count(disk), 0);
        ck_assert_int_eq(put(44, 8, 6), SIM_DISK_OK);
        ck_assert_int_eq(put(900, 8, 7), SIM_DISK_OK);
        (void)sim_disk_bit_rot(disk, 41, 3);
        sim_disk_latent_error(disk, 2000, 3);
        ck_assert_int_eq(flush(), SIM_DISK_OK);
        ck_assert_int_eq(put(910, 8, 8), SIM_DISK_OK); /* pending at the reset */
        hash[turn] = sim_engine_hash(engine);
        ended[turn] = sim_engine_now(engine);
    }
    ck_assert_uint_eq(hash[0], hash[1]);
    ck_assert_uint_eq(hash[1], hash[2]);
    ck_assert_uint_eq(ended[0], ended[2]);
    stop();
}
END_TEST

START_TEST(test_disk__levels_nest)
{
    start("nvme", NULL);
    ck_assert_int_eq(put(0, 8, 1), SIM_DISK_OK);
    run();
    uint32_t first = sim_disk_push(disk);
    ck_assert_int_eq(put(0, 8, 2), SIM_DISK_OK);
    run();
    uint32_t second = sim_disk_push(disk);
    ck_assert_uint_eq(second, first + 1);
    for (uint8_t turn = 3; turn < 6; turn++) {
        ck_assert_int_eq(put(0, 8, turn), SIM_DISK_OK);
        run();
        ck_assert_uint_eq(stable_byte(0), turn);
        sim_disk_rollback(disk, second);
        ck_assert_uint_eq(stable_byte(0), 2);
    }
    sim_disk_rollback(disk, first);
    ck_assert_uint_eq(stable_byte(0), 1);
    sim_engine_reset(engine);
    sim_disk_reset(disk);
    ck_assert_uint_eq(stable_byte(0), 0);
    stop();
}
END_TEST

/* A page that is taken back keeps its memory, and nobody may see what is in it. */
START_TEST(test_disk__of_what_was_taken_back_no_byte_is_seen_again)
{
    start("nvme", NULL);
    uint32_t level = sim_disk_push(disk);
    ck_assert_int_eq(put(0, 8, 7), SIM_DISK_OK);
    run();
    ck_assert(sim_disk_bit_rot(disk, 2, 0));
    sim_disk_rollback(disk, level);
    ck_assert_int_eq(put(3, 1, 9), SIM_DISK_OK);
    run();
    ck_assert(!sim_disk_bit_rot(disk, 5, 0));
    ck_assert_int_eq(get(0, 8), SIM_DISK_OK);
    sim_disk_peek_stable(disk, 0, 8, block);
    for (uint32_t at = 0; at < sizeof(back); at++) {
        uint8_t want = at / SECTOR == 3 ? 9 : at == (size_t)5 * SECTOR ? 1 : 0;
        ck_assert_uint_eq(back[at], want);
        ck_assert_uint_eq(block[at], want);
    }
    ck_assert_uint_eq(sim_disk_used_count(disk), 1);
    stop();
}
END_TEST

START_TEST(test_disk__sizes_from_1_mib_to_1_tib_are_sparse)
{
    struct sim_disk_config config = {.size_bytes = _i == 0 ? SIM_DISK_SIZE_MIN : SIM_DISK_SIZE_MAX};
    ck_assert_int_eq(sim_profile_load(_i == 2 ? "nvme" : "hdd-7200", &config.params), OK);
    if (_i == 2)
        ck_assert_int_eq(sim_params_set(&config.params, "sector-size", "4KiB"), OK);
    engine = sim_engine_create();
    disk = sim_disk_create(engine, 0, &config);
    answers = 0;
    static uint8_t page[4096];
    struct sim_disk_identity identity = sim_disk_identify(disk);
    ck_assert_uint_eq(identity.sectors * identity.sector_size, config.size_bytes);
    for (uint64_t k = 0; k < 10; k++) {
        memset(page, (int)k + 1, sizeof(page));
        uint64_t at = (identity.sectors - 1) / 9 * k;
        (void)wait_for(send(SIM_DISK_WRITE, false, at, 1, 1, page, NULL));
    }
    run();
    ck_assert_uint_eq(sim_disk_used_count(disk), 10);
    for (uint64_t k = 0; k < 10; k++) {
        sim_disk_peek_stable(disk, (identity.sectors - 1) / 9 * k, 1, page);
        ck_assert_uint_eq(page[identity.sector_size - 1], k + 1);
        ck_assert_uint_eq(sim_disk_used_nth(disk, k), (identity.sectors - 1) / 9 * k);
    }
    stop();
}
END_TEST

/* ---- Fences ---- */

START_TEST(test_disk__fence_leaves_no_request_of_another_owner)
{
    start(profile_of[_i], (const char *const[]){"write-cache", "off", "queue-depth", "2", NULL});
    static uint8_t data[20][SECTOR];
    uint64_t id[20];
    for (uint32_t k = 0; k < 20; k++) {
        memset(data[k], (int)k + 1, SECTOR);
        id[k] = send(SIM_DISK_WRITE, false, 3000 - k * 100, 1, 7, data[k], NULL);
    }
    for (uint32_t k = 0; k < 12; k++)
        (void)sim_engine_step(engine);
    uint64_t mine = send(SIM_DISK_READ, false, 5, 1, 8, NULL, back);
    sim_disk_fence(disk, 8);
    ck_assert_uint_eq(sim_disk_outstanding(disk), 1);
    uint32_t aborted = 0, done = 0;
    for (uint32_t k = 0; k < 20; k++) {
        bool stored = stable_byte(3000 - k * 100) == k + 1;
        ck_assert(stored == (status_of(id[k]) == SIM_DISK_OK));
        aborted += !stored;
        done += stored;
    }
    ck_assert_uint_gt(aborted, 0);
    ck_assert_uint_gt(done, 0);
    ck_assert_int_eq(wait_for(mine), SIM_DISK_OK);
    run();
    for (uint32_t k = 0; k < 20; k++) /* and nothing of them reaches the medium later */
        ck_assert(stable_byte(3000 - k * 100) == (status_of(id[k]) == SIM_DISK_OK ? k + 1 : 0));
    ck_assert_uint_eq(answers, 21);
    stop();
}
END_TEST

/* ---- Faults ---- */

START_TEST(test_disk__fail_stop_answers_gone_to_old_and_new)
{
    start(profile_of[_i], (const char *const[]){"write-cache", "on", NULL});
    uint64_t id[30];
    for (uint32_t k = 0; k < 30; k++)
        id[k] = send(k % 3 == 0 ? SIM_DISK_WRITE : SIM_DISK_READ, k % 6 == 0, k * 200, 8, 1, block,
                     back);
    sim_disk_fail_stop(disk);
    uint64_t late = send(SIM_DISK_FLUSH, false, 0, 0, 1, NULL, NULL);
    run();
    for (uint32_t k = 0; k < 30; k++)
        ck_assert_int_eq(status_of(id[k]), SIM_DISK_GONE);
    ck_assert_int_eq(status_of(late), SIM_DISK_GONE);
    ck_assert_uint_eq(answers, 31);
    ck_assert(sim_disk_identify(disk).failed);
    sim_disk_revive(disk);
    ck_assert_int_eq(get(0, 8), SIM_DISK_OK);
    ck_assert_uint_eq(sim_disk_identify(disk).resets, 1);
    stop();
}
END_TEST

START_TEST(test_disk__latent_error_lasts_until_the_sector_is_stored)
{
    start(profile_of[_i], (const char *const[]){"write-cache", "on", "destage-delay", "9s", NULL});
    sim_disk_latent_error(disk, 50, 3);
    ck_assert_int_eq(get(48, 8), SIM_DISK_MEDIA_ERROR);
    ck_assert_int_eq(get(53, 1), SIM_DISK_OK);
    ck_assert_int_eq(put(50, 2, 1), SIM_DISK_OK);
    ck_assert_int_eq(get(50, 2), SIM_DISK_OK); /* from the cache */
    ck_assert_uint_eq(sim_disk_bad_count(disk), 3);
    ck_assert_int_eq(flush(), SIM_DISK_OK);
    ck_assert_uint_eq(sim_disk_bad_count(disk), 1);
    ck_assert_int_eq(get(52, 1), SIM_DISK_MEDIA_ERROR);
    ck_assert_int_eq(get(51, 1), SIM_DISK_OK);
    stop();
}
END_TEST

START_TEST(test_disk__transient_errors_hit_exactly_the_next_and_change_nothing)
{
    start("ssd-sata", NULL);
    sim_disk_transient_errors(disk, 2);
    ck_assert_int_eq(put(9, 1, 1), SIM_DISK_MEDIA_ERROR);
    ck_assert_int_eq(get(9, 1), SIM_DISK_MEDIA_ERROR);
    ck_assert_int_eq(get(9, 1), SIM_DISK_OK);
    ck_assert_uint_eq(back[0], 0);
    ck_assert_uint_eq(sim_disk_stats(disk).errors, 2);
    stop();
}
END_TEST

START_TEST(test_disk__torn_lost_and_misdirected_writes_are_acknowledged)
{
    start(profile_of[_i], NULL);
    sim_disk_torn_write(disk, 3);
    ck_assert_int_eq(put(100, 8, 1), SIM_DISK_OK);
    sim_disk_lost_write(disk);
    ck_assert_int_eq(put(200, 8, 2), SIM_DISK_OK);
    sim_disk_misdirected_write(disk, 400);
    ck_assert_int_eq(put(300, 8, 3), SIM_DISK_OK);
    ck_assert_int_eq(put(500, 8, 4), SIM_DISK_OK); /* each hook hits one write */
    run();
    ck_assert_uint_eq(stable_byte(102), 1);
    ck_assert_uint_eq(stable_byte(103), 0);
    ck_assert_uint_eq(stable_byte(200), 0);
    ck_assert_uint_eq(stable_byte(300), 0);
    ck_assert_uint_eq(stable_byte(407), 3);
    ck_assert_uint_eq(stable_byte(507), 4);
    sim_disk_misdirected_read(disk, 500);
    ck_assert_int_eq(get(100, 8), SIM_DISK_OK);
    ck_assert_uint_eq(back[0], 4);
    ck_assert_int_eq(get(100, 8), SIM_DISK_OK);
    ck_assert_uint_eq(back[0], 1);
    ck_assert_uint_eq(sim_disk_pending(disk), 0);
    stop();
}
END_TEST

START_TEST(test_disk__bit_rot_flips_one_stable_bit_and_tells_whether_it_was_used)
{
    start("nvme", NULL);
    ck_assert_int_eq(put(10, 2, 0xF0), SIM_DISK_OK);
    run();
    ck_assert(sim_disk_bit_rot(disk, 11, 2));
    ck_assert(!sim_disk_bit_rot(disk, 12, 0));
    ck_assert_int_eq(get(10, 3), SIM_DISK_OK);
    ck_assert_uint_eq(back[0], 0xF0);
    ck_assert_uint_eq(back[SECTOR], 0xF4);
    ck_assert_uint_eq(back[2 * SECTOR], 0x01);
    stop();
}
END_TEST

START_TEST(test_disk__lying_flush_leaves_the_cache_volatile)
{
    start(profile_of[_i], (const char *const[]){"write-cache", "on", "destage-delay", "60s", NULL});
    sim_disk_lying_flush(disk, true);
    ck_assert_int_eq(put(10, 2, 1), SIM_DISK_OK);
    ck_assert_int_eq(flush(), SIM_DISK_OK);
    ck_assert_uint_eq(stable_byte(10), 0);
    sim_disk_lying_flush(disk, false);
    ck_assert_int_eq(flush(), SIM_DISK_OK);
    ck_assert_uint_eq(stable_byte(10), 1);
    stop();
}
END_TEST

START_TEST(test_disk__fail_slow_takes_its_time)
{
    start(profile_of[_i], (const char *const[]){"write-cache", "off", NULL});
    ck_assert_int_eq(get(4000, 8), SIM_DISK_OK);
    uint64_t before = sim_engine_now(engine);
    sim_disk_fail_slow(disk, 1000000);
    ck_assert_int_eq(get(0, 8), SIM_DISK_OK);
    ck_assert_uint_gt(sim_engine_now(engine) - before, 10000000);
    stop();
}
END_TEST

START_TEST(test_disk__trim_zeroes_cached_and_stable_sectors)
{
    start("ssd-sata", NULL);
    ck_assert_int_eq(put(100, 8, 1), SIM_DISK_OK);
    ck_assert_int_eq(flush(), SIM_DISK_OK);
    ck_assert_int_eq(put(104, 8, 2), SIM_DISK_OK);
    uint64_t id = send(SIM_DISK_TRIM, false, 102, 8, 1, NULL, NULL);
    ck_assert_int_eq(wait_for(id), SIM_DISK_OK);
    run();
    ck_assert_uint_eq(stable_byte(101), 1);
    ck_assert_uint_eq(stable_byte(102), 0);
    ck_assert_uint_eq(stable_byte(109), 0);
    ck_assert_uint_eq(stable_byte(110), 2);
    ck_assert_uint_eq(sim_disk_used_count(disk), 4);
    id = send(SIM_DISK_TRIM, false, 0, SECTORS, 1, NULL, NULL);
    ck_assert_int_eq(wait_for(id), SIM_DISK_OK);
    ck_assert_uint_eq(sim_disk_used_count(disk), 0);
    stop();
}
END_TEST

/* ---- Observers ---- */

static struct {
    uint64_t strike_at, seen[3], last_write;
} watch;

static void on_event(void *object, struct sim_disk *which, const struct sim_disk_event *event)
{
    ck_assert_ptr_eq(object, &watch);
    watch.seen[event->phase]++;
    if (event->phase == SIM_DISK_SUBMITTED)
        watch.last_write = event->write;
    if (event->phase == SIM_DISK_SUBMITTED && event->write == watch.strike_at && event->write > 0)
        sim_disk_lost_write(which);
    ck_assert((event->data != NULL) ==
              (event->op == SIM_DISK_WRITE && event->phase != SIM_DISK_COMPLETED));
}

START_TEST(test_disk__observer_strikes_exactly_the_nth_write)
{
    for (uint64_t n = 1; n <= 5; n++) {
        start("hdd-15k", NULL);
        memset(&watch, 0, sizeof(watch));
        watch.strike_at = n;
        sim_disk_observe(disk, on_event, &watch);
        for (uint64_t k = 1; k <= 5; k++) {
            ck_assert_int_eq(put(k * 10, 1, 7), SIM_DISK_OK);
            ck_assert_int_eq(get(1, 1), SIM_DISK_OK);
        }
        run();
        for (uint64_t k = 1; k <= 5; k++)
            ck_assert_uint_eq(stable_byte(k * 10), k == n ? 0 : 7);
        ck_assert_uint_eq(watch.seen[SIM_DISK_SUBMITTED], 10);
        ck_assert_uint_eq(watch.seen[SIM_DISK_ACCEPTED], 10);
        ck_assert_uint_eq(watch.seen[SIM_DISK_COMPLETED], 10);
        sim_disk_unobserve(disk, on_event, &watch);
        ck_assert_int_eq(get(1, 1), SIM_DISK_OK);
        ck_assert_uint_eq(watch.seen[SIM_DISK_SUBMITTED], 10);
        stop();
    }
}
END_TEST

static bool on_read(void *object, struct sim_disk *which, uint64_t first, uint32_t count,
                    uint8_t *raw)
{
    (void)object;
    ck_assert_ptr_eq(which, disk);
    for (uint32_t i = 0; i < count; i++)
        raw[(size_t)i * SECTOR] = (uint8_t)(first + i + 1);
    return first > 5 || first + count <= 5;
}

START_TEST(test_disk__read_hook_sees_every_sector_read)
{
    start("nvme", NULL);
    sim_disk_set_read_hook(disk, on_read, NULL);
    ck_assert_int_eq(get(2, 3), SIM_DISK_OK);
    ck_assert_uint_eq(back[0], 3);
    ck_assert_uint_eq(back[2 * SECTOR], 5);
    ck_assert_int_eq(get(4, 2), SIM_DISK_MEDIA_ERROR);
    sim_disk_set_read_hook(disk, NULL, NULL);
    ck_assert_int_eq(get(5, 1), SIM_DISK_OK);
    ck_assert_uint_eq(back[0], 0);
    stop();
}
END_TEST

START_TEST(test_disk__initial_is_what_nobody_wrote_since_the_seal)
{
    start("nvme", NULL);
    ck_assert_int_eq(put(3, 2, 7), SIM_DISK_OK);
    sim_disk_settle(disk);
    ck_assert(!sim_disk_is_initial(disk, 3));
    sim_disk_seal(disk);
    ck_assert(sim_disk_is_initial(disk, 3));
    ck_assert_int_eq(put(4, 1, 8), SIM_DISK_OK);
    ck_assert(sim_disk_is_initial(disk, 3));
    ck_assert(!sim_disk_is_initial(disk, 4)); /* cached, */
    ck_assert_uint_eq(sim_disk_initial(disk, 0, 8), 4);
    sim_disk_settle(disk);
    ck_assert(!sim_disk_is_initial(disk, 4)); /* then stable */
    ck_assert_uint_eq(sim_disk_initial(disk, 0, 8), 4);
    ck_assert_uint_eq(sim_disk_initial(disk, 5, 8), 8);
    sim_disk_reset(disk);
    ck_assert(sim_disk_is_initial(disk, 4));
    stop();
}
END_TEST

#define LOOP(TEST, N) tcase_add_loop_test(tc, TEST, 0, N)

CHECK_MAIN("disk", 120, LOOP(test_disk__reads_return_the_newest_accepted_version, 20);
           LOOP(test_disk__flush_makes_stable_what_was_acknowledged_before, 5);
           LOOP(test_disk__fua_is_stable_when_answered_and_alone, 5);
           LOOP(test_disk__without_a_cache_an_answer_means_stable, 5);
           tcase_add_test(tc, test_disk__refuses_requests_that_break_the_protocol);
           LOOP(test_disk__reset_returns_to_the_sealed_image_and_replays_alike, 5);
           tcase_add_test(tc, test_disk__levels_nest);
           tcase_add_test(tc, test_disk__of_what_was_taken_back_no_byte_is_seen_again);
           LOOP(test_disk__sizes_from_1_mib_to_1_tib_are_sparse, 3);
           LOOP(test_disk__fence_leaves_no_request_of_another_owner, 5);
           LOOP(test_disk__fail_stop_answers_gone_to_old_and_new, 5);
           LOOP(test_disk__latent_error_lasts_until_the_sector_is_stored, 5);
           tcase_add_test(tc, test_disk__transient_errors_hit_exactly_the_next_and_change_nothing);
           LOOP(test_disk__torn_lost_and_misdirected_writes_are_acknowledged, 5);
           tcase_add_test(tc,
                          test_disk__bit_rot_flips_one_stable_bit_and_tells_whether_it_was_used);
           LOOP(test_disk__lying_flush_leaves_the_cache_volatile, 5);
           LOOP(test_disk__fail_slow_takes_its_time, 5);
           tcase_add_test(tc, test_disk__trim_zeroes_cached_and_stable_sectors);
           tcase_add_test(tc, test_disk__observer_strikes_exactly_the_nth_write);
           tcase_add_test(tc, test_disk__initial_is_what_nobody_wrote_since_the_seal);
           tcase_add_test(tc, test_disk__read_hook_sees_every_sector_read);)
