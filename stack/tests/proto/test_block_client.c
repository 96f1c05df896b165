/*
 * The block client against a RAM disk: what it must survive, and what it must pass on.
 */
#include "scripts/check_main.h"

#include <string.h>

#include "stack/tests/fake_ramdisk.h"

#define SECTORS 64u

static struct ramdisk disk;
static struct block_client client;
static struct block_identity identity;
static uint8_t data[SECTORS * SECTOR_BYTES], back[SECTORS * SECTOR_BYTES];
static enum err result[8];

static void setup(void)
{
    fake_reset();
    ramdisk_init(&disk, 1 << 20);
    ramdisk_attach(&disk, LAYER_DRIVER, 0);
    for (uint32_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 7 + i / 512);
    memset(back, 0, sizeof(back));
}

static void teardown(void)
{
    ramdisk_fini(&disk);
}

static void body_write_read(void *ctx)
{
    (void)ctx;
    result[0] = block_client_init(&client, LAYER_DRIVER, 0, &identity);
    result[1] = block_write(&client, 8, data, sizeof(data), false);
    result[2] = block_flush(&client);
    result[3] = block_read(&client, 8, back, sizeof(back));
}

static void expect_all_ok(void)
{
    for (uint32_t i = 0; i < 4; i++)
        ck_assert_int_eq(result[i], OK);
    ck_assert_int_eq(memcmp(data, back, sizeof(data)), 0);
    ck_assert_int_eq(memcmp(data, disk.bytes + 8 * SECTOR_BYTES, sizeof(data)), 0);
}

START_TEST(test_block_client__reads_what_it_wrote)
{
    fake_boot_body(body_write_read, NULL, LAYER_PHYSICAL, 0);
    ck_assert_int_eq(fake_run(), FAKE_RETURNED);
    expect_all_ok();
    ck_assert_uint_eq(identity.sectors, disk.sectors);
    ck_assert_uint_eq(client.written, 1);
    ck_assert_uint_eq(client.stable, 1);
    ck_assert_uint_eq(disk.fences, 1);
}
END_TEST

START_TEST(test_block_client__survives_death_of_the_driver_at_any_request)
{
    bool fired = true;
    for (uint32_t n = 1; fired; n++) {
        for (uint32_t executes = 0; executes < 2; executes++) {
            teardown();
            setup();
            disk.die_at_request = n;
            disk.die_executes = executes;
            fake_boot_body(body_write_read, NULL, LAYER_PHYSICAL, 0);
            ck_assert_int_eq(fake_run(), FAKE_RETURNED);
            expect_all_ok();
            fired = disk.fault_fired;
        }
        ck_assert_uint_lt(n, 50);
    }
}
END_TEST

START_TEST(test_block_client__waits_for_a_driver_that_is_down)
{
    fake_boot_body(body_write_read, NULL, LAYER_PHYSICAL, 0);
    disk.die_at_request = 3;
    disk.restart = false;
    ck_assert_int_eq(fake_run(), FAKE_IDLE);
    fake_send_heartbeat();
    ck_assert_int_eq(fake_run(), FAKE_IDLE);
    ck_assert_uint_eq(fake_heartbeats(), 1); /* answered while it waits */
    fake_restart(LAYER_DRIVER, 0);
    ck_assert_int_eq(fake_run(), FAKE_RETURNED);
    expect_all_ok();
}
END_TEST

START_TEST(test_block_client__gives_up_when_no_driver_comes_back)
{
    fake_boot_body(body_write_read, NULL, LAYER_PHYSICAL, 0);
    disk.die_at_request = 3;
    disk.restart = false;
    ck_assert_int_eq(fake_run_until(2 * BLOCK_AWAIT_NS), FAKE_RETURNED);
    ck_assert_int_eq(result[0], OK);
    ck_assert_int_eq(result[1], E_DEAD);
    ck_assert_int_eq(result[2], E_DEAD);
    ck_assert(client.gone);
}
END_TEST

START_TEST(test_block_client__retries_a_transient_error_and_passes_on_a_lasting_one)
{
    disk.fail_write = 1;
    disk.fail_repeats = BLOCK_TRIES - 1;
    fake_boot_body(body_write_read, NULL, LAYER_PHYSICAL, 0);
    ck_assert_int_eq(fake_run(), FAKE_RETURNED);
    expect_all_ok();

    disk.fail_write = 1;
    disk.fail_repeats = 0;
    fake_boot_body(body_write_read, NULL, LAYER_PHYSICAL, 0);
    ck_assert_int_eq(fake_run(), FAKE_RETURNED);
    ck_assert_int_eq(result[1], E_MEDIA);
    ck_assert_int_eq(result[2], OK);
}
END_TEST

START_TEST(test_block_client__h24_kills_a_driver_that_hangs)
{
    fake_boot_body(body_write_read, NULL, LAYER_PHYSICAL, 0);
    disk.mute = true;
    ck_assert_int_eq(fake_run(), FAKE_IDLE);
    ck_assert_uint_eq(fake_kills(LAYER_DRIVER, 0), 0);
    ck_assert_int_eq(fake_run_until(BLOCK_TIMEOUT_NS - 1), FAKE_IDLE);
    ck_assert_uint_eq(fake_kills(LAYER_DRIVER, 0), 0);
    fake_advance(1);
    disk.mute = false;
    ck_assert_int_eq(fake_run(), FAKE_RETURNED);
    ck_assert_uint_eq(fake_kills(LAYER_DRIVER, 0), 1);
    expect_all_ok();
}
END_TEST

/* ---- A disk that is silent, behind a driver that is not ---- */

static void body_slow(void *ctx)
{
    result[0] = block_client_init(&client, LAYER_DRIVER, 0, &identity);
    client.replaceable = ctx != NULL;
    result[1] = block_write(&client, 8, data, BLOCK_BYTES, false);
    result[2] = block_write(&client, 16, data, BLOCK_BYTES, false);
}

/* The disk answers again after so many time-outs. */
static void run_slow(uint32_t times, bool replaceable)
{
    disk.mute_transfers = true;
    fake_boot_body(body_slow, replaceable ? &disk : NULL, LAYER_PHYSICAL, 0);
    for (uint32_t k = 0; k < times; k++) {
        ck_assert_int_eq(fake_run_until(fake_now() + BLOCK_TIMEOUT_NS - 1), FAKE_IDLE);
        ck_assert_uint_eq(fake_kills(LAYER_DRIVER, 0), k);
        fake_advance(1);
        disk.mute_transfers = k + 1 < times;
        (void)fake_run();
    }
    ck_assert_int_eq(fake_run(), FAKE_RETURNED);
    ck_assert_int_eq(result[0], OK);
}

START_TEST(test_block_client__h24_gives_up_a_disk_that_stays_silent)
{
    uint32_t asked = disk.requests;
    run_slow(BLOCK_SILENCES, true);
    ck_assert_int_eq(result[1], E_DEAD);
    ck_assert_int_eq(result[2], E_DEAD);
    ck_assert_uint_lt(disk.requests - asked, 4 * BLOCK_SILENCES); /* and was sent nothing more */
}
END_TEST

START_TEST(test_block_client__h24_an_answer_ends_a_row_of_silences)
{
    run_slow(BLOCK_SILENCES - 1, true);
    ck_assert_int_eq(result[1], OK);
    ck_assert_int_eq(result[2], OK);
    ck_assert_uint_eq(client.silences, 0);
}
END_TEST

START_TEST(test_block_client__h24_a_disk_that_nobody_stands_in_for_is_waited_for)
{
    run_slow(BLOCK_DEATHS, false);
    ck_assert_int_eq(result[1], OK);
    ck_assert_int_eq(result[2], OK);
}
END_TEST

static void body_lost_writes(void *ctx)
{
    (void)ctx;
    result[0] = block_client_init(&client, LAYER_DRIVER, 0, &identity);
    result[1] = block_write(&client, 0, data, 4096, false);
    disk.resets++; /* the device lost its cache, and the driver dies at the next request */
    disk.die_at_request = 1;
    result[2] = block_read(&client, 0, back, 4096);
}

START_TEST(test_block_client__h19_says_when_unflushed_writes_are_lost)
{
    fake_boot_body(body_lost_writes, NULL, LAYER_PHYSICAL, 0);
    ck_assert_int_eq(fake_run(), FAKE_RETURNED);
    ck_assert_int_eq(result[2], OK);
    ck_assert(client.lost_writes);
}
END_TEST

/* Two flushes under way at once: a write that was answered after both were sent is in neither. */
static void body_overlapping_flushes(void *ctx)
{
    uint32_t slot[3];
    struct plat_span span = {.base = data, .bytes = 4096};
    (void)ctx;
    result[0] = block_client_init(&client, LAYER_DRIVER, 0, &identity);
    result[1] = block_write(&client, 0, data, 4096, false);
    slot[0] = block_submit(&client, BLOCK_FLUSH, 0, false, NULL, 0);
    slot[1] = block_submit(&client, BLOCK_FLUSH, 0, false, NULL, 0);
    slot[2] = block_submit(&client, BLOCK_WRITE, 8, false, &span, 1);
    for (uint32_t k = 0; k < 3; k++)
        result[2 + k] = block_wait(&client, slot[(k + 2) % 3]);
    disk.resets++;
    disk.die_at_request = 1;
    result[5] = block_read(&client, 0, back, 4096);
}

START_TEST(test_block_client__a_flush_covers_what_was_answered_before_it_was_sent)
{
    fake_boot_body(body_overlapping_flushes, NULL, LAYER_PHYSICAL, 0);
    ck_assert_int_eq(fake_run(), FAKE_RETURNED);
    for (uint32_t k = 0; k < 6; k++)
        ck_assert_int_eq(result[k], OK);
    ck_assert(client.lost_writes);
}
END_TEST

/* ctx: whether it watches. Nobody dies. */
static void body_silent_reset(void *ctx)
{
    const bool *watches = ctx;
    result[0] = block_client_init(&client, LAYER_DRIVER, 0, &identity);
    client.watches = *watches;
    result[1] = block_write(&client, 0, data, 4096, false);
    disk.resets++;
    result[2] = block_read(&client, 0, back, 4096);
    disk.resets++; /* nothing else was written since */
    result[3] = block_flush(&client);
}

START_TEST(test_block_client__h19_a_reset_that_an_answer_tells_of_is_noticed)
{
    bool watches = _i == 1;
    fake_boot_body(body_silent_reset, &watches, LAYER_PHYSICAL, 0);
    ck_assert_int_eq(fake_run(), FAKE_RETURNED);
    for (uint32_t k = 0; k < 4; k++)
        ck_assert_int_eq(result[k], OK);
    ck_assert(client.lost_writes == watches);
    ck_assert_uint_eq(disk.fences, watches ? 3 : 1); /* what was outstanding is sent again */
    ck_assert_uint_eq(disk.reads, watches ? 2 : 1);
    ck_assert_uint_eq(client.resets, watches ? 2 : 0);
}
END_TEST

static void body_many(void *ctx)
{
    uint32_t slot[BLOCK_OUTSTANDING_MAX];
    (void)ctx;
    result[0] = block_client_init(&client, LAYER_DRIVER, 0, &identity);
    for (uint32_t i = 0; i < BLOCK_OUTSTANDING_MAX; i++) {
        struct plat_span span = {.base = data + i * SECTOR_BYTES, .bytes = SECTOR_BYTES};
        slot[i] = block_submit(&client, BLOCK_WRITE, i, false, &span, 1);
    }
    result[1] = OK;
    for (uint32_t i = BLOCK_OUTSTANDING_MAX; i-- > 0;)
        if (block_wait(&client, slot[i]) != OK)
            result[1] = E_MEDIA;
}

START_TEST(test_block_client__keeps_many_outstanding_over_deaths)
{
    disk.die_at_request = 20;
    fake_boot_body(body_many, NULL, LAYER_PHYSICAL, 0);
    ck_assert_int_eq(fake_run(), FAKE_RETURNED);
    ck_assert(disk.fault_fired);
    ck_assert_int_eq(result[1], OK);
    ck_assert_int_eq(memcmp(disk.bytes, data, BLOCK_OUTSTANDING_MAX * SECTOR_BYTES), 0);
}
END_TEST

CHECK_MAIN(
    "block_client", 30, tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_block_client__reads_what_it_wrote);
    tcase_add_test(tc, test_block_client__survives_death_of_the_driver_at_any_request);
    tcase_add_test(tc, test_block_client__waits_for_a_driver_that_is_down);
    tcase_add_test(tc, test_block_client__gives_up_when_no_driver_comes_back);
    tcase_add_test(tc, test_block_client__retries_a_transient_error_and_passes_on_a_lasting_one);
    tcase_add_test(tc, test_block_client__h24_kills_a_driver_that_hangs);
    tcase_add_test(tc, test_block_client__h24_gives_up_a_disk_that_stays_silent);
    tcase_add_test(tc, test_block_client__h24_an_answer_ends_a_row_of_silences);
    tcase_add_test(tc, test_block_client__h24_a_disk_that_nobody_stands_in_for_is_waited_for);
    tcase_add_test(tc, test_block_client__h19_says_when_unflushed_writes_are_lost);
    tcase_add_test(tc, test_block_client__a_flush_covers_what_was_answered_before_it_was_sent);
    tcase_add_loop_test(tc, test_block_client__h19_a_reset_that_an_answer_tells_of_is_noticed, 0,
                        2);
    tcase_add_test(tc, test_block_client__keeps_many_outstanding_over_deaths);)
