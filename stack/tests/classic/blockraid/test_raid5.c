/*
 * Level 5 of the block RAID: what is written can be read, with any one disk gone; parity is right
 * after whatever happened, or the array does not start.
 */
#include "scripts/check_main.h"

#include "stack/tests/classic/blockraid/raid_rig.h"

#define DATA_AT (256u * 4096u)
#define MODEL_BYTES (32u << 20)

static uint8_t model[MODEL_BYTES];
static uint64_t sectors;

static void build_5(uint32_t disks, size_t bytes)
{
    build_of(disks, 5, bytes);
    sectors = volume_sectors();
    ck_assert_uint_eq(sectors, (bytes - DATA_AT) / 512 * (disks - 1));
    ck_assert_uint_le(sectors * 512, MODEL_BYTES);
    memset(model, 0, sizeof(model));
}

/* The xor of all disks is nought in every row; `but` is left out if it is dead. */
static bool parity_is_right(void)
{
    for (size_t at = DATA_AT; at < disk[0].sectors * 512; at += 8) {
        uint64_t sum = 0, word;
        for (uint32_t d = 0; d < boot.options.disks; d++) {
            memcpy(&word, disk[d].bytes + at, 8);
            sum ^= word;
        }
        if (sum != 0)
            return false;
    }
    return true;
}

static void draw_range(uint64_t *first, uint32_t *count)
{
    *count = 1 + draw(draw(4) == 0 ? 1016 : 40);
    *first = draw((uint32_t)sectors - *count);
    if (draw(3) > 0) {
        *count = (*count + 7) & ~7u;
        *first &= ~UINT64_C(7);
    }
}

static void random_steps(uint32_t steps)
{
    for (uint32_t step = 0; step < steps; step++) {
        uint64_t first;
        uint32_t count;
        draw_range(&first, &count);
        if (draw(2) == 0) {
            const uint8_t *from = data + draw(DATA_BYTES - count * 512);
            ck_assert_int_eq(put(first, from, count), OK);
            memcpy(model + first * 512, from, (size_t)count * 512);
        } else {
            ck_assert_int_eq(get(first, back, count), OK);
            ck_assert_int_eq(memcmp(back, model + first * 512, (size_t)count * 512), 0);
        }
    }
}

static void everything_is_there(void)
{
    for (uint64_t at = 0; at < sectors; at += 512) {
        uint32_t count = sectors - at < 512 ? (uint32_t)(sectors - at) : 512;
        ck_assert_int_eq(get(at, back, count), OK);
        ck_assert_int_eq(memcmp(back, model + at * 512, (size_t)count * 512), 0);
    }
}

START_TEST(test_raid5__agrees_with_a_model_and_its_parity_is_right)
{
    for (uint32_t disks = 3; disks <= DISKS; disks++) {
        build_5(disks, DISK_BYTES);
        random_steps(1500);
        ck_assert(parity_is_right());
        for (uint32_t d = 0; d < disks; d++)
            ck_assert_uint_gt(disk[d].writes, 300);
        ck_assert_uint_gt(fake_probe_hits(PROBE_RAID_PARITY), 300);
        teardown();
    }
}
END_TEST

/* FORMAT.md by hand, for three disks and chunks of 32 sectors: chunk, stripe, disk. */
START_TEST(test_raid5__blocks_are_where_the_format_says)
{
    static const struct {
        uint32_t chunk, stripe, disk;
    } row[] = {{0, 0, 0}, {1, 0, 1}, {2, 1, 2}, {3, 1, 0}, {4, 2, 1}, {5, 2, 2}, {6, 3, 0}};
    build_5(3, SMALL_BYTES);
    for (uint32_t k = 0; k < 7; k++) {
        ck_assert_int_eq(put(row[k].chunk * 32, data + k * 16384, 32), OK);
        const uint8_t *at = disk[row[k].disk].bytes + DATA_AT + row[k].stripe * 16384;
        ck_assert_int_eq(memcmp(at, data + k * 16384, 16384), 0);
    }
}
END_TEST

/* Chunks smaller than a request and larger: runs of stripes, and pieces of one chunk. */
START_TEST(test_raid5__stripes_of_any_width_agree_with_a_model)
{
    static const uint32_t widths[] = {4096, 8192, 1u << 20};
    for (uint32_t k = 0; k < 3; k++) {
        build_5(4, DISK_BYTES);
        boot.options.stripe_bytes = widths[k];
        start(true);
        sectors = volume_sectors();
        random_steps(800);
        ck_assert(parity_is_right());
        disk[k].gone = true;
        random_steps(400);
        everything_is_there();
        teardown();
    }
}
END_TEST

START_TEST(test_raid5__goes_on_without_any_one_disk)
{
    for (uint32_t gone = 0; gone < 4; gone++) {
        build_5(4, SMALL_BYTES);
        random_steps(300);
        disk[gone].gone = true;
        random_steps(600);
        everything_is_there();
        ck_assert_uint_eq(fake_report_count(REPORT_DEGRADED), 1);
        teardown();
    }
}
END_TEST

START_TEST(test_raid5__without_two_disks_every_request_says_so)
{
    build_5(4, SMALL_BYTES);
    random_steps(50);
    disk[1].gone = true;
    random_steps(50);
    disk[3].gone = true;
    ck_assert_int_eq(get(0, back, 512), E_MEDIA);
    ck_assert_int_eq(put(0, data, 512), E_MEDIA);
    start(false);
    ck_assert_int_eq(get(0, back, 8), E_DEAD);
}
END_TEST

/* The file system's stop ends with a flush: nothing is out of step then, so the array comes up. */
START_TEST(test_raid5__a_disk_that_missed_writes_is_not_believed_again)
{
    build_5(3, SMALL_BYTES);
    random_steps(100);
    disk[2].gone = true;
    random_steps(100);
    ck_assert_int_eq(call(BLOCK_FLUSH, 0, 0, 0, false), OK);
    disk[2].gone = false;
    boot.incarnation++;
    start(false);
    uint32_t reads = disk[2].reads;
    everything_is_there();
    random_steps(100);
    ck_assert_uint_eq(disk[2].reads, reads);
}
END_TEST

START_TEST(test_raid5__bad_sectors_are_mended_from_the_other_disks)
{
    build_5(3, SMALL_BYTES);
    random_steps(200);
    for (uint32_t d = 0; d < 3; d++) { /* not in the same rows */
        for (uint32_t k = 0; k < 8; k++)
            disk[d].bad[k] = DATA_AT / 512 + d * 100 + k * 400;
        disk[d].bads = 8;
    }
    everything_is_there();
    random_steps(300);
    ck_assert_uint_gt(fake_report_count(REPORT_REPAIR), 5);
    ck_assert_uint_eq(fake_report_count(REPORT_DEGRADED), 0);
    ck_assert(parity_is_right());
    disk[0].bad[0] = disk[1].bad[0] = DATA_AT / 512;
    disk[0].bads = disk[1].bads = 1;
    ck_assert_int_eq(get(0, back, 64), E_MEDIA);
}
END_TEST

START_TEST(test_raid5__a_failed_write_takes_the_member_out_but_not_a_second_one)
{
    build_5(3, SMALL_BYTES);
    random_steps(20);
    disk[1].fail_write = 1;
    random_steps(100);
    ck_assert_uint_eq(fake_report_count(REPORT_DEGRADED), 1);
    disk[0].fail_write = 1;
    disk[0].fail_repeats = BLOCK_TRIES;
    ck_assert_int_eq(put(0, data, 64), E_MEDIA);
    ck_assert_int_eq(put(0, data, 64), OK);
    memcpy(model, data, 64 * 512);
    everything_is_there();
}
END_TEST

START_TEST(test_raid5__driver_deaths_are_transparent)
{
    build_5(3, SMALL_BYTES);
    for (uint32_t n = 1; n < 200; n++) {
        struct ramdisk *d = &disk[n % 3];
        d->die_at_request = 1 + n % 7;
        d->die_executes = n % 4 == 0;
        random_steps(4);
    }
    ck_assert_uint_eq(fake_report_count(REPORT_DEGRADED), 0);
    everything_is_there();
    ck_assert(parity_is_right());
}
END_TEST

/* Many writes and reads at once, in the same stripes, some with a disk that goes meanwhile. */
static void many_at_once(bool goes)
{
    build_5(4, SMALL_BYTES);
    for (uint32_t round = 0; round < 60; round++) {
        uint32_t grant[40];
        uint64_t at = draw((uint32_t)sectors / 8 - 400);
        for (uint32_t k = 0; k < 40; k++) { /* a block or two each, none shared */
            uint64_t first = (at + k * 8 + draw(4)) * 8;
            uint32_t count = 8 + 8 * draw(3);
            const uint8_t *from = data + draw(DATA_BYTES - 16384);
            struct block_request q = {.op = BLOCK_WRITE, .first_sector = first, .count = count};
            struct msg m;
            q.grant = grant[k] =
                fake_grant(client, (void *)(uintptr_t)from, count * 512, PLAT_GRANT_READ);
            block_request_pack(&m, ++next_id, &q);
            fake_request(client, &m);
            memcpy(model + first * 512, from, count * 512);
        }
        if (goes && round == 30)
            disk[2].gone = true;
        ck_assert_int_eq(fake_run(), FAKE_IDLE);
        struct msg m;
        uint32_t answers = 0;
        for (; fake_take_reply(client, &m); answers++)
            ck_assert_int_eq(m.status, OK);
        ck_assert_uint_eq(answers, 40);
        for (uint32_t k = 0; k < 40; k++)
            fake_revoke(client, grant[k]);
    }
    everything_is_there();
}

START_TEST(test_raid5__writes_to_one_stripe_do_not_meet)
{
    many_at_once(false);
    ck_assert(parity_is_right());
    teardown();
    many_at_once(true);
}
END_TEST

/* ---- Write intent, the write hole ---- */

/* As in test_raid.c, on three disks that each keep something else; `bitmap`: on. */
static bool cut_at(uint64_t n, uint32_t mode, bool bitmap)
{
    build_5(3, SMALL_BYTES);
    boot.options.raid_bitmap = bitmap;
    start(true);
    for (uint32_t d = 0; d < 3; d++)
        ramdisk_set_volatile(&disk[d]);
    ck_assert_int_eq(put(0, data, 64), OK);
    ck_assert_int_eq(call(BLOCK_FLUSH, 0, 0, 0, false), OK);
    fake_crash_at_call(n);
    enum err e = OK;
    for (uint32_t k = 0; k < 5 && e == OK; k++)
        e = put(64 + k * 1200, data + k * 512, k % 2 == 0 ? 8 : 100);
    bool fired = e != OK;
    fake_crash_at_call(0);
    for (uint32_t d = 0; d < 3; d++)
        ramdisk_power_cut(&disk[d], keep, &(struct coin){(mode + d) % 3});
    boot.incarnation++;
    start(false);
    ck_assert_int_eq(fake_run_until(fake_now() + SECONDS), FAKE_IDLE);
    ck_assert_msg(parity_is_right(), "call %llu mode %u", (unsigned long long)n, mode);
    ck_assert_int_eq(get(0, back, 64), OK);
    ck_assert_int_eq(memcmp(back, data, 64 * 512), 0);
    teardown();
    return fired;
}

START_TEST(test_raid5__h03_parity_is_right_after_a_power_cut_at_any_call)
{
    for (uint32_t bitmap = 0; bitmap < 2; bitmap++) {
        bool fired = true;
        for (uint64_t n = 1; fired; n++) {
            fired = cut_at(n, (uint32_t)(n % 3), bitmap != 0);
            ck_assert_uint_lt(n, 5000);
        }
    }
}
END_TEST

START_TEST(test_raid5__bits_are_cleared_when_idle_and_flushed)
{
    for (uint32_t bitmap = 0; bitmap < 2; bitmap++) {
        build_5(3, SMALL_BYTES);
        boot.options.raid_bitmap = bitmap != 0;
        start(true);
        uint64_t idle_ns = bitmap != 0 ? 11 * SECONDS : SECONDS;
        ck_assert(!a_bit_is_set(&disk[2]));
        ck_assert_int_eq(put(0, data, 8), OK);
        uint8_t bits = disk[2].bytes[2 * 4096];
        ck_assert_uint_eq(bits, bitmap != 0 ? 1 : 3); /* without one: both regions of the disk */
        uint32_t flushes = disk[1].flushes;
        ck_assert_int_eq(fake_run_until(idle_ns), FAKE_IDLE);
        for (uint32_t d = 0; d < 3; d++)
            ck_assert(!a_bit_is_set(&disk[d]));
        ck_assert_uint_eq(disk[1].flushes, flushes + 1);
        teardown();
    }
}
END_TEST

/* A stripe whose data are new on one disk and whose parity is old; then another disk goes. */
static void make_a_hole(bool start_anyway)
{
    build_5(3, SMALL_BYTES);
    boot.options.dirty_degraded_start = start_anyway;
    ck_assert_int_eq(put(0, data, 64), OK);      /* of stripe 0, both chunks; its bit stays set */
    memset(disk[0].bytes + DATA_AT, 0x77, 4096); /* written, and parity was not */
    disk[1].gone = true;
    boot.incarnation++;
    start(false);
}

START_TEST(test_raid5__dirty_without_a_disk_does_not_start)
{
    make_a_hole(false);
    ck_assert_int_eq(get(0, back, 8), E_DEAD);
    disk[1].gone = false; /* it was only away: now all can be made right */
    start(false);
    ck_assert_int_eq(get(32, back, 32), OK);
    ck_assert_int_eq(memcmp(back, data + 32 * 512, 32 * 512), 0);
    ck_assert(parity_is_right());
}
END_TEST

START_TEST(test_raid5__started_nevertheless_it_tells_what_nobody_wrote)
{
    make_a_hole(true);
    ck_assert_int_eq(get(8, back, 24), OK);
    ck_assert_int_eq(memcmp(back, data + 8 * 512, 24 * 512), 0);
    ck_assert_int_eq(get(32, back, 8), OK); /* never touched since, and gone: the write hole */
    ck_assert_int_ne(memcmp(back, data + 32 * 512, 8 * 512), 0);
}
END_TEST

/* Before it has an idle moment: the new parity is made from data, not from what may be wrong. */
START_TEST(test_raid5__wrong_parity_is_not_built_upon)
{
    struct block_request q = {.op = BLOCK_WRITE, .count = 8};
    struct msg m;
    build_5(5, SMALL_BYTES);
    ck_assert_int_eq(put(0, data, 128), OK);
    memset(disk[4].bytes + DATA_AT, 0x77, 16384); /* stripe 0's parity */
    client = fake_client(LAYER_FS, 0);
    boot.format = false;
    boot.incarnation++;
    fake_boot(blockraid_main, &boot);
    q.grant = fake_grant(client, data + 65536, 4096, PLAT_GRANT_READ);
    block_request_pack(&m, 1000, &q);
    fake_request(client, &m);
    ck_assert_int_eq(fake_run(), FAKE_IDLE);
    ck_assert(fake_take_reply(client, &m));
    ck_assert_int_eq(m.status, OK);
    ck_assert(parity_is_right());
    disk[0].gone = true; /* which has the block */
    ck_assert_int_eq(get(0, back, 8), OK);
    ck_assert_int_eq(memcmp(back, data + 65536, 4096), 0);
}
END_TEST

START_TEST(test_raid5__a_disk_that_lost_its_cache_is_filled_from_the_others)
{
    for (uint32_t d = 0; d < 3; d++) {
        build_5(3, SMALL_BYTES);
        random_steps(20);
        ck_assert_int_eq(call(BLOCK_FLUSH, 0, 0, 0, false), OK);
        ramdisk_set_volatile(&disk[d]);
        random_steps(50);
        ramdisk_power_cut(&disk[d], NULL, NULL); /* one disk alone: a reset, and its driver dies */
        fake_kill(LAYER_DRIVER, d);
        fake_restart(LAYER_DRIVER, d);
        ck_assert_int_eq(fake_run_until(fake_now() + SECONDS), FAKE_IDLE);
        everything_is_there();
        ck_assert(parity_is_right());
        teardown();
    }
}
END_TEST

START_TEST(test_raid5__a_scrub_mends_parity_and_bad_sectors_that_nobody_reads)
{
    build_5(3, SMALL_BYTES);
    random_steps(30);
    ck_assert_int_eq(call(BLOCK_FLUSH, 0, 0, 0, false), OK);
    ck_assert_int_eq(fake_run_until(fake_now() + 11 * SECONDS), FAKE_IDLE); /* no bit is set */
    boot.options.scrub_ns = SECONDS;
    start(false);
    for (uint32_t stripe = 0; stripe < 4; stripe++) { /* 32 rows each */
        uint64_t row = DATA_AT / 512 + stripe * 32;
        disk[2 - stripe % 3].bytes[row * 512] ^= 1; /* its parity */
        disk[stripe % 3].bad[disk[stripe % 3].bads++] = row + 16;
    }
    ck_assert(!parity_is_right());
    ck_assert_int_eq(fake_run_until(fake_now() + 3 * SECONDS), FAKE_IDLE);
    for (uint32_t d = 0; d < 3; d++)
        ck_assert_uint_eq(disk[d].bads, 0);
    ck_assert(parity_is_right());
    everything_is_there();
}
END_TEST

/* Reads, and writes that need what was there, come before anybody has noticed. */
START_TEST(test_raid5__a_reset_that_nobody_met_is_noticed_before_anything_old_is_used)
{
    for (uint32_t d = 0; d < 3; d++) {
        build_5(3, SMALL_BYTES);
        random_steps(20);
        ck_assert_int_eq(call(BLOCK_FLUSH, 0, 0, 0, false), OK);
        ramdisk_set_volatile(&disk[d]);
        random_steps(50);
        ramdisk_power_cut(&disk[d], NULL, NULL);
        if (_i == 1)
            random_steps(20);
        everything_is_there();
        ck_assert_int_eq(fake_run_until(fake_now() + SECONDS), FAKE_IDLE);
        ck_assert(parity_is_right());
        teardown();
    }
}
END_TEST

/* At every call while a failure is recorded the array crashes. The disk comes back at once: what it
 * missed must not be read from it; or the array does not start, which is honest. */
START_TEST(test_raid5__a_failure_is_recorded_before_anything_it_missed_is_answered)
{
    bool fired = true;
    uint32_t started = 0;
    for (uint64_t n = 1; fired; n++) {
        build_5(3, SMALL_BYTES);
        ck_assert_int_eq(put(0, data, 64), OK);
        ck_assert_int_eq(fake_run_until(fake_now() + 11 * SECONDS), FAKE_IDLE);
        disk[0].gone = true;
        fake_crash_at_call(n);
        bool first = put(0, data + 512, 64) == OK;
        bool flushed = first && call(BLOCK_FLUSH, 0, 0, 0, false) == OK;
        fired = !flushed;
        fake_crash_at_call(0);
        disk[0].gone = false;
        boot.incarnation++;
        start(false);
        enum err e = get(0, back, 64);
        ck_assert(e == OK || (e == E_DEAD && !flushed));
        started += e == OK ? 1 : 0;
        if (e == OK && first)
            ck_assert_int_eq(memcmp(back, data + 512, 64 * 512), 0);
        teardown();
        ck_assert_uint_lt(n, 5000);
    }
    ck_assert_uint_gt(started, 1);
}
END_TEST

CHECK_MAIN(
    "blockraid-5", 120, tcase_add_checked_fixture(tc, NULL, teardown);
    tcase_add_test(tc, test_raid5__agrees_with_a_model_and_its_parity_is_right);
    tcase_add_test(tc, test_raid5__blocks_are_where_the_format_says);
    tcase_add_test(tc, test_raid5__stripes_of_any_width_agree_with_a_model);
    tcase_add_test(tc, test_raid5__goes_on_without_any_one_disk);
    tcase_add_test(tc, test_raid5__without_two_disks_every_request_says_so);
    tcase_add_test(tc, test_raid5__a_disk_that_missed_writes_is_not_believed_again);
    tcase_add_test(tc, test_raid5__bad_sectors_are_mended_from_the_other_disks);
    tcase_add_test(tc, test_raid5__a_failed_write_takes_the_member_out_but_not_a_second_one);
    tcase_add_test(tc, test_raid5__driver_deaths_are_transparent);
    tcase_add_test(tc, test_raid5__writes_to_one_stripe_do_not_meet);
    tcase_add_test(tc, test_raid5__h03_parity_is_right_after_a_power_cut_at_any_call);
    tcase_add_test(tc, test_raid5__bits_are_cleared_when_idle_and_flushed);
    tcase_add_test(tc, test_raid5__dirty_without_a_disk_does_not_start);
    tcase_add_test(tc, test_raid5__started_nevertheless_it_tells_what_nobody_wrote);
    tcase_add_test(tc, test_raid5__wrong_parity_is_not_built_upon);
    tcase_add_test(tc, test_raid5__a_scrub_mends_parity_and_bad_sectors_that_nobody_reads);
    tcase_add_test(tc, test_raid5__a_disk_that_lost_its_cache_is_filled_from_the_others);
    tcase_add_loop_test(tc,
                        test_raid5__a_reset_that_nobody_met_is_noticed_before_anything_old_is_used,
                        0, 2);
    tcase_add_test(tc, test_raid5__a_failure_is_recorded_before_anything_it_missed_is_answered);)
