/* Service times against closed forms: data sheets, seek curves, streaming, and queueing theory. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "scripts/check_main.h"
#include "sim/disk.h"
#include "sim/disk_hdd.h"
#include "sim/disk_ssd.h"
#include "sim/rng.h"

static struct sim_params params_of(const char *profile, const char *const *settings)
{
    struct sim_params params;
    ck_assert_int_eq(sim_profile_load(profile, &params), OK);
    for (; settings != NULL && settings[0] != NULL; settings += 2)
        ck_assert_int_eq(sim_params_set(&params, settings[0], settings[1]), OK);
    return params;
}

static void assert_near(double got, double want, double relative)
{
    ck_assert_msg(fabs(got - want) <= relative * fabs(want), "%.9g, wanted %.9g", got, want);
}

/* Solved by hand from the three published seek times of each profile, in ms. */
static struct {
    const char *profile;
    double root_ms, slope_ms;
} const curves[] = {{"hdd-15k", 0.0162668682, 9.9220469e-6},
                    {"barracuda-es2", 0.0336230992, 1.3258679e-5}};

START_TEST(test_disk_timing__three_point_curve_has_its_published_coefficients)
{
    struct sim_params params = params_of(curves[_i].profile, NULL);
    struct disk_hdd hdd;
    disk_hdd_init(&hdd, &params, 2048 * 64);
    assert_near(hdd.root_ns, curves[_i].root_ms * 1e6, 1e-6);
    assert_near(hdd.slope_ns, curves[_i].slope_ms * 1e6, 1e-6);
}
END_TEST

START_TEST(test_disk_timing__curves_meet_the_data_sheet)
{
    static const char *const profiles[] = {"hdd-7200", "hdd-15k", "hp97560", "barracuda-es2"};
    struct sim_params params = params_of(profiles[_i], NULL);
    struct disk_hdd hdd;
    disk_hdd_init(&hdd, &params, 2048 * 64);
    double d_max = (double)hdd.cylinders, mean = 0;
    uint64_t last = 0;
    for (uint64_t d = 1; d < hdd.cylinders; d++) {
        uint64_t at = disk_hdd_curve(&hdd, d);
        ck_assert_uint_ge(at + 1, last); /* monotone */
        last = at;
        mean += 2 * (d_max - (double)d) / (d_max * (d_max - 1)) * (double)at;
    }
    ck_assert_uint_eq(disk_hdd_curve(&hdd, 0), 0);
    assert_near((double)disk_hdd_curve(&hdd, 1), (double)params.value[SIM_PARAM_SEEK_TRACK], 1e-6);
    assert_near(mean, (double)params.value[SIM_PARAM_SEEK_AVERAGE], 1e-6);
    assert_near((double)last, (double)params.value[SIM_PARAM_SEEK_FULL], 1e-6);
}
END_TEST

START_TEST(test_disk_timing__hp97560_curve_as_published)
{
    static const struct {
        uint64_t distance;
        double ms;
    } points[] = {{1, 3.64},     {100, 7.24}, {382, 11.057928},
                  {383, 11.064}, {1000, 16},  {1961, 23.688}};
    struct sim_params params = params_of("hp97560", NULL);
    struct disk_hdd hdd;
    disk_hdd_init(&hdd, &params, 2048 * 64);
    for (uint32_t i = 0; i < 6; i++)
        assert_near((double)disk_hdd_curve(&hdd, points[i].distance), points[i].ms * 1e6, 1e-6);
}
END_TEST

/* ---- Through the whole disk ---- */

static struct sim_engine *engine;
static struct sim_disk *disk;
static uint64_t done_ns, done_count;
static uint64_t started_ns[4096], waited_ns;

static void on_done(void *object, uint64_t id, enum sim_disk_status status)
{
    (void)object;
    ck_assert_int_eq(status, SIM_DISK_OK);
    done_ns = sim_engine_now(engine);
    waited_ns += done_ns - started_ns[id % 4096];
    done_count++;
}

static void start(const char *profile, uint64_t size, const char *const *settings)
{
    struct sim_disk_config config = {.params = params_of(profile, settings), .size_bytes = size};
    engine = sim_engine_create();
    disk = sim_disk_create(engine, 0, &config);
    done_count = waited_ns = 0;
}

static void stop(void)
{
    sim_disk_destroy(disk);
    sim_engine_destroy(engine);
}

static uint8_t buffer[SIM_DISK_SECTORS_MAX * 512];
static uint64_t next_id;

static void submit(enum sim_disk_op op, uint64_t first, uint32_t count)
{
    next_id++;
    started_ns[next_id % 4096] = sim_engine_now(engine);
    struct sim_disk_request r = {.op = op,
                                 .first_sector = first,
                                 .count = count,
                                 .request_id = next_id,
                                 .data = buffer,
                                 .buffer = buffer,
                                 .done = on_done};
    ck_assert_int_eq(sim_disk_submit(disk, &r), OK);
}

static void wait_all(void)
{
    while (sim_disk_outstanding(disk) > 0)
        ck_assert(sim_engine_step(engine));
}

/* Random single reads take an average seek, half a rotation, a sector and the overhead, whatever
 * the size of the disk. */
START_TEST(test_disk_timing__random_reads_and_writes_take_the_data_sheet_s_time)
{
    static const char *const profiles[] = {"hdd-7200", "hdd-15k"};
    enum sim_disk_op op = _i < 2 ? SIM_DISK_READ : SIM_DISK_WRITE;
    const char *settings[] = {"write-cache", "off", "track-buffer", "0", NULL};
    start(profiles[_i % 2], UINT64_C(64) << 30, settings);
    struct sim_rng rng;
    sim_rng_init(&rng, 1, 1, 1);
    uint64_t sectors = sim_disk_identify(disk).sectors, rounds = 20000;
    for (uint64_t n = 0; n < rounds; n++) {
        submit(op, sim_rng_below(&rng, sectors - 8), 1);
        wait_all();
    }
    const int64_t *v = sim_disk_params(disk)->value;
    double rotation = 60e9 / (double)v[SIM_PARAM_RPM];
    double want = (double)v[SIM_PARAM_SEEK_AVERAGE] + rotation / 2 +
                  (double)v[SIM_PARAM_COMMAND_OVERHEAD] +
                  (op == SIM_DISK_WRITE ? (double)v[SIM_PARAM_WRITE_SETTLE] : 0);
    /* zones put more sectors outside, so seeks are a little shorter than over uniform cylinders */
    assert_near((double)sim_engine_now(engine) / (double)rounds, want, 0.03);
    stop();
}
END_TEST

START_TEST(test_disk_timing__streams_run_at_media_rate)
{
    bool write = _i == 1;
    start("hdd-7200", UINT64_C(1) << 30, NULL);
    uint64_t total = UINT64_C(32) << 20;
    for (uint64_t at = 0; at < total / 512; at += 128) {
        submit(write ? SIM_DISK_WRITE : SIM_DISK_READ, at, 128);
        wait_all();
    }
    uint64_t begun = write ? sim_engine_now(engine) : 0; /* all in the cache: now the medium */
    if (write) {
        submit(SIM_DISK_FLUSH, 0, 0);
        wait_all();
    }
    double rate = (double)total / ((double)(sim_engine_now(engine) - begun) / 1e9);
    double track = 1458333, rotation = 60.0 / 7200, step = 0.0008;
    /* a track and a step to the next; the outermost zone; some time until the first sector */
    assert_near(rate, track / (rotation + step), 0.05);
    stop();
}
END_TEST

START_TEST(test_disk_timing__a_deep_queue_is_served_faster_than_one_by_one)
{
    uint64_t took[2];
    for (uint32_t deep = 0; deep < 2; deep++) {
        start("hdd-7200", UINT64_C(1) << 30, NULL);
        struct sim_rng rng;
        sim_rng_init(&rng, 1, 1, 2);
        for (uint32_t n = 0; n < 320; n++) {
            submit(SIM_DISK_READ, sim_rng_below(&rng, 2000000), 8);
            if (!deep || n % 32 == 31)
                wait_all();
        }
        took[deep] = sim_engine_now(engine);
        stop();
    }
    ck_assert_uint_lt(took[1] * 3, took[0] * 2);
}
END_TEST

START_TEST(test_disk_timing__flash_takes_page_and_channel_time)
{
    start("nvme", UINT64_C(1) << 30, (const char *const[]){"write-cache", "off", NULL});
    submit(SIM_DISK_READ, 0, 8); /* 4 KiB: sense, bus at 333 MB/s, interface in step, overhead */
    wait_all();
    assert_near((double)done_ns, 75000 + 4096 / 0.333 + 10000, 0.001);
    uint64_t before = done_ns;
    submit(SIM_DISK_WRITE, 0, 16); /* 8 KiB: interface, bus, program, overhead */
    wait_all();
    assert_near((double)(done_ns - before), 8192 / 4.0 + 8192 / 0.333 + 750000 + 10000, 0.001);
    before = done_ns;
    /* one page on each of 128 dies: at once, 16 a channel, the last 8 in turn over the interface */
    for (uint64_t k = 0; k < 128; k++)
        submit(SIM_DISK_READ, k * 16, 8);
    wait_all();
    assert_near((double)(done_ns - before), 75000 + 16 * 4096 / 0.333 + 7 * 1024 + 10000, 0.001);
    stop();
}
END_TEST

START_TEST(test_disk_timing__garbage_collection_costs_more_the_fuller_the_disk)
{
    ck_assert_uint_lt(disk_ssd_valid_permille(500), 250);
    ck_assert_uint_gt(disk_ssd_valid_permille(930), 840);
    for (uint64_t u = 10; u < 990; u += 10) { /* u = (v - 1) / ln v */
        double v = (double)disk_ssd_valid_permille(u) / 1000;
        if (v > 0.05)
            ck_assert_double_eq_tol((v - 1) / log(v), (double)u / 1000, 0.005);
        ck_assert_uint_le(disk_ssd_valid_permille(u), u);
    }
    uint64_t took[2];
    for (uint32_t full = 0; full < 2; full++) {
        start("ssd-sata", UINT64_C(8) << 20, (const char *const[]){"write-cache", "off", NULL});
        struct sim_rng rng;
        sim_rng_init(&rng, 1, 1, 3);
        for (uint32_t n = 0; n < 20000; n++) {
            submit(SIM_DISK_WRITE, sim_rng_below(&rng, full ? 2048 : 512) * 8, 8);
            if (n % 32 == 31)
                wait_all();
        }
        wait_all();
        took[full] = sim_engine_now(engine);
        stop();
    }
    ck_assert_uint_gt(took[1], took[0] * 3 / 2);
}
END_TEST

/* One die, reads of one page: constant service, Poisson arrivals. */
START_TEST(test_disk_timing__one_die_is_an_m_d_1_queue)
{
    const char *settings[] = {"channels",
                              "1",
                              "dies",
                              "1",
                              "page-read",
                              "100us",
                              "command-overhead",
                              "0",
                              "interface-rate",
                              "1000000000000",
                              "channel-rate",
                              "1000000000000",
                              NULL};
    start("nvme", UINT64_C(64) << 20, settings);
    struct sim_rng rng;
    sim_rng_init(&rng, 1, 1, 4);
    double at = 0, load = 0.7, service = 100000;
    uint64_t rounds = 400000;
    for (uint64_t n = 0; n < rounds; n++) {
        at += -log(1 - sim_rng_unit(&rng)) * service / load;
        while (sim_engine_next_ns(engine) <= (uint64_t)at)
            (void)sim_engine_step(engine);
        sim_engine_advance(engine, (uint64_t)at);
        submit(SIM_DISK_READ, sim_rng_below(&rng, 1000) * 8, 8);
    }
    wait_all();
    ck_assert_uint_eq(done_count, rounds);
    double wait = (double)waited_ns / (double)rounds - service;
    assert_near(wait, load * service / (2 * (1 - load)), 0.03);
    stop();
}
END_TEST

/* The interface, with sizes drawn from a geometric law: nearly exponential service. */
START_TEST(test_disk_timing__the_interface_is_an_m_m_1_queue)
{
    const char *settings[] = {
        "page-read",     "0", "command-overhead", "0", "interface-rate", "1000000", "channel-rate",
        "1000000000000", NULL};
    start("nvme", UINT64_C(64) << 20, settings);
    struct sim_rng rng;
    sim_rng_init(&rng, 1, 1, 5);
    double at = 0, load = 0.5, mean_sectors = 100, service = mean_sectors * 512 * 1000;
    uint64_t rounds = 400000;
    for (uint64_t n = 0; n < rounds; n++) {
        at += -log(1 - sim_rng_unit(&rng)) * service / load;
        while (sim_engine_next_ns(engine) <= (uint64_t)at)
            (void)sim_engine_step(engine);
        sim_engine_advance(engine, (uint64_t)at);
        double size = ceil(log(1 - sim_rng_unit(&rng)) / log(1 - 1 / mean_sectors));
        submit(SIM_DISK_READ, 0, size < 1 ? 1 : (uint32_t)size);
    }
    wait_all();
    assert_near((double)waited_ns / (double)rounds, service / (1 - load), 0.03);
    stop();
}
END_TEST

CHECK_MAIN("disk_timing", 120,
           tcase_add_loop_test(tc,
                               test_disk_timing__three_point_curve_has_its_published_coefficients,
                               0, 2);
           tcase_add_loop_test(tc, test_disk_timing__curves_meet_the_data_sheet, 0, 4);
           tcase_add_test(tc, test_disk_timing__hp97560_curve_as_published); tcase_add_loop_test(
               tc, test_disk_timing__random_reads_and_writes_take_the_data_sheet_s_time, 0, 4);
           tcase_add_loop_test(tc, test_disk_timing__streams_run_at_media_rate, 0, 2);
           tcase_add_test(tc, test_disk_timing__a_deep_queue_is_served_faster_than_one_by_one);
           tcase_add_test(tc, test_disk_timing__flash_takes_page_and_channel_time);
           tcase_add_test(tc, test_disk_timing__garbage_collection_costs_more_the_fuller_the_disk);
           tcase_add_test(tc, test_disk_timing__one_die_is_an_m_d_1_queue);
           tcase_add_test(tc, test_disk_timing__the_interface_is_an_m_m_1_queue);)
