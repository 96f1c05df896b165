/*
 * Block RAID over RAM disks, with the test as the file system above.
 */
#include "scripts/check_main.h"

#include "stack/tests/classic/blockraid/raid_rig.h"

/* ---- Both levels ---- */

static void random_against_model(uint32_t disks, uint32_t level)
{
    static uint8_t model[16u << 20];
    build(disks, level);
    uint64_t sectors = volume_sectors();
    ck_assert_uint_eq(sectors, (DISK_BYTES - (1u << 20)) / 512 * disks / (level == 1 ? 2 : 1));
    if (sectors > sizeof(model) / 512)
        sectors = sizeof(model) / 512;
    memset(model, 0, sizeof(model));
    for (uint32_t step = 0; step < 3000; step++) {
        bool aligned = draw(3) > 0;
        uint32_t count = 1 + draw(draw(4) == 0 ? 1016 : 40);
        uint64_t first = draw((uint32_t)sectors - count);
        if (aligned) {
            count = (count + 7) & ~7u;
            first &= ~UINT64_C(7);
        }
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

START_TEST(test_raid__level_0_agrees_with_a_model)
{
    random_against_model(3, 0);
    for (uint32_t d = 0; d < 3; d++)
        ck_assert_uint_gt(disk[d].writes, 300);
}
END_TEST

START_TEST(test_raid__level_1_on_one_and_two_pairs_agrees_with_a_model)
{
    random_against_model(2, 1);
    ck_assert(copies_are_equal());
    teardown();
    random_against_model(4, 1);
    ck_assert(copies_are_equal());
    for (uint32_t d = 0; d < 4; d++)
        ck_assert_uint_gt(disk[d].reads, 100);
}
END_TEST

START_TEST(test_raid__one_disk_passes_through)
{
    random_against_model(1, 0);
}
END_TEST

START_TEST(test_raid__keeps_its_content_over_a_restart)
{
    build(4, 1);
    ck_assert_int_eq(put(1000, data, 1000), OK);
    start(false);
    ck_assert_int_eq(get(1000, back, 1000), OK);
    ck_assert_int_eq(memcmp(data, back, 512000), 0);
}
END_TEST

START_TEST(test_raid__refuses_what_is_outside_or_too_long)
{
    build(2, 1);
    uint64_t sectors = volume_sectors();
    ck_assert_int_eq(put(sectors - 7, data, 8), E_INVAL);
    ck_assert_int_eq(put(sectors - 8, data, 8), OK);
    ck_assert_int_eq(put(1, data, 1024), E_INVAL);
    ck_assert_int_eq(call(BLOCK_WRITE, 0, 8, 0x12345678, false), E_INVAL);
    ck_assert_int_eq(call(BLOCK_TRIM, 0, 8, 0, false), OK);
    ck_assert_int_eq(call(BLOCK_FLUSH, 0, 0, 0, false), OK);
    ck_assert_uint_eq(disk[0].flushes, disk[1].flushes);
}
END_TEST

START_TEST(test_raid__driver_deaths_are_transparent)
{
    build(2, 1);
    for (uint32_t n = 1; n < 200; n++) {
        struct ramdisk *d = &disk[n % 2];
        d->die_at_request = 1 + n % 7;
        d->die_executes = n % 3 == 0;
        ck_assert_int_eq(put(n * 40, data + n * 512, 64), OK);
        ck_assert_int_eq(get(n * 40, back, 64), OK);
        ck_assert_int_eq(memcmp(back, data + n * 512, 64 * 512), 0);
    }
    ck_assert_uint_eq(fake_report_count(REPORT_DEGRADED), 0);
    ck_assert(copies_are_equal());
}
END_TEST

/* ---- Failures ---- */

START_TEST(test_raid__goes_on_without_a_disk_and_remembers_it)
{
    build(2, 1);
    ck_assert_int_eq(put(0, data, 512), OK);
    disk[0].gone = true;
    ck_assert_int_eq(put(100, data + 512, 512), OK);
    ck_assert_uint_eq(fake_report_count(REPORT_DEGRADED), 1);
    disk[0].gone = false; /* it comes back with old content: not to be believed */
    start(false);
    ck_assert_int_eq(get(100, back, 512), OK);
    ck_assert_int_eq(memcmp(back, data + 512, 512 * 512), 0);
    uint32_t reads = disk[0].reads;
    for (uint32_t k = 0; k < 64; k++)
        ck_assert_int_eq(get(k * 32, back, 32), OK);
    ck_assert_uint_eq(disk[0].reads, reads);
}
END_TEST

START_TEST(test_raid__unreadable_superblocks_are_written_anew)
{
    build(2, 1);
    ck_assert_int_eq(put(0, data, 512), OK);
    disk[0].bad[0] = 0;
    disk[0].bad[1] = 128 * 8;
    disk[0].bads = 2;
    start(false);
    ck_assert_uint_eq(fake_report_count(REPORT_DEGRADED), 0);
    disk[1].gone = true; /* what is on the first one is believed */
    boot.incarnation++;
    start(false);
    ck_assert_int_eq(get(0, back, 512), OK);
    ck_assert_int_eq(memcmp(back, data, 512 * 512), 0);
}
END_TEST

START_TEST(test_raid__a_failed_write_takes_the_member_out_but_not_the_last_one)
{
    build(2, 1);
    ck_assert_int_eq(put(0, data, 8), OK);
    disk[1].fail_write = 1;
    ck_assert_int_eq(put(8, data, 8), OK);
    ck_assert_uint_eq(fake_report_count(REPORT_DEGRADED), 1);
    disk[0].fail_write = 1;
    disk[0].fail_repeats = BLOCK_TRIES;
    ck_assert_int_eq(put(16, data, 8), E_MEDIA);
    ck_assert_int_eq(put(16, data, 8), OK);
    ck_assert_int_eq(get(8, back, 8), OK);
    ck_assert_int_eq(memcmp(back, data, 4096), 0);
}
END_TEST

START_TEST(test_raid__reads_the_other_copy_and_mends_the_bad_one)
{
    build(2, 1);
    ck_assert_int_eq(put(0, data, 1024), OK);
    disk[0].bad[0] = 256 * 8 + 100; /* not the same blocks: together all is there */
    disk[1].bad[0] = 256 * 8 + 300;
    disk[0].bads = disk[1].bads = 1;
    for (uint32_t k = 0; k < 4; k++) {
        ck_assert_int_eq(get(0, back, 1024), OK);
        ck_assert_int_eq(memcmp(back, data, DATA_BYTES), 0);
        ck_assert_int_eq(get(64, back, 512), OK);
        ck_assert_int_eq(memcmp(back, data + 64 * 512, 512 * 512), 0);
    }
    ck_assert_uint_gt(fake_report_count(REPORT_REPAIR), 0);
    ck_assert_uint_eq(fake_report_count(REPORT_DEGRADED), 0);
    disk[0].bad[0] = disk[1].bad[0] = 256 * 8 + 5;
    disk[0].bads = disk[1].bads = 1;
    ck_assert_int_eq(get(0, back, 8), E_MEDIA);
    ck_assert_int_eq(get(8, back, 8), OK);
}
END_TEST

/* In time for a client that waits for three time-outs: at a write, and at a start. */
START_TEST(test_raid__h24_goes_on_without_a_disk_that_does_not_answer)
{
    for (uint32_t at_start = 0; at_start < 2; at_start++) {
        build(2, 1);
        ck_assert_int_eq(put(0, data, 512), OK);
        patience_ns = 3 * BLOCK_TIMEOUT_NS;
        disk[0].mute_transfers = true;
        if (at_start)
            start(false);
        ck_assert_int_eq(put(100, data + 512, 512), OK);
        ck_assert_uint_eq(fake_report_count(REPORT_DEGRADED), 1);
        ck_assert_uint_eq(fake_kills(LAYER_DRIVER, 0), BLOCK_SILENCES);
        patience_ns = 0; /* from now on nobody waits */
        ck_assert_int_eq(get(100, back, 512), OK);
        ck_assert_int_eq(memcmp(back, data + 512, 512 * 512), 0);
        ck_assert_int_eq(call(BLOCK_FLUSH, 0, 0, GRANT_NONE, false), OK);
        teardown();
    }
    build(2, 1);
}
END_TEST

START_TEST(test_raid__h24_level_0_waits_for_its_disks)
{
    build(2, 0);
    patience_ns = 3 * BLOCK_TIMEOUT_NS;
    disk[0].mute_transfers = true;
    ck_assert_int_eq(put(0, data, 512), E_TIMEOUT);
    disk[0].mute_transfers = false;
    ck_assert_int_eq(put(0, data, 512), OK);
    ck_assert_uint_eq(fake_report_count(REPORT_DEGRADED), 0);
}
END_TEST

START_TEST(test_raid__level_0_passes_errors_on)
{
    build(2, 0);
    ck_assert_int_eq(put(0, data, 1024), OK);
    disk[0].bad[0] = 256 * 8;
    disk[0].bads = 1;
    ck_assert_int_eq(get(0, back, 8), E_MEDIA);
    ck_assert_int_eq(get(32, back, 32), OK); /* the second chunk: the other disk */
    disk[1].gone = true;
    ck_assert_int_eq(get(32, back, 32), E_MEDIA);
}
END_TEST

/* ---- Write intent ---- */

START_TEST(test_raid__bits_are_set_by_writes_and_cleared_when_idle_and_flushed)
{
    build(2, 1);
    ck_assert(!a_bit_is_set(&disk[0]));
    ck_assert_int_eq(put(0, data, 8), OK);
    ck_assert(a_bit_is_set(&disk[0]));
    ck_assert(a_bit_is_set(&disk[1]));
    ck_assert_int_eq(fake_run_until(4 * SECONDS), FAKE_IDLE);
    ck_assert(a_bit_is_set(&disk[0]));
    uint32_t flushes = disk[1].flushes;
    ck_assert_int_eq(fake_run_until(11 * SECONDS), FAKE_IDLE);
    ck_assert(!a_bit_is_set(&disk[0]));
    ck_assert(!a_bit_is_set(&disk[1]));
    ck_assert_uint_eq(disk[1].flushes, flushes + 1);
    ck_assert_int_eq(put(0, data, 8), OK); /* and again */
    ck_assert(a_bit_is_set(&disk[0]));
}
END_TEST

/* Runs writes and crashes the RAID at its n-th platform call; then the power fails on both disks,
 * each keeping something else. Afterwards the copies must agree, and what was flushed must be
 * there. */
static bool cut_at(uint64_t n, uint32_t mode)
{
    build_of(2, 1, SMALL_BYTES);
    ramdisk_set_volatile(&disk[0]);
    ramdisk_set_volatile(&disk[1]);
    ck_assert_int_eq(put(0, data, 64), OK);
    ck_assert_int_eq(call(BLOCK_FLUSH, 0, 0, 0, false), OK);
    fake_crash_at_call(n);
    enum err e = OK;
    for (uint32_t k = 0; k < 6 && e == OK; k++)
        e = put(64 + k * 600, data + k * 512, 100);
    bool fired = e != OK;
    fake_crash_at_call(0);
    ramdisk_power_cut(&disk[0], keep, &(struct coin){mode});
    ramdisk_power_cut(&disk[1], keep, &(struct coin){(mode + 1) % 3});
    boot.incarnation++;
    start(false);
    ck_assert_int_eq(fake_run_until(fake_now() + SECONDS), FAKE_IDLE);
    ck_assert_msg(copies_are_equal(), "call %llu mode %u", (unsigned long long)n, mode);
    ck_assert_int_eq(get(0, back, 64), OK);
    ck_assert_int_eq(memcmp(back, data, 64 * 512), 0);
    teardown();
    return fired;
}

START_TEST(test_raid__copies_agree_after_a_power_cut_at_any_call)
{
    bool fired = true;
    for (uint64_t n = 1; fired; n++) {
        for (uint32_t mode = 0; mode < 3; mode++)
            fired = cut_at(n, mode);
        ck_assert_uint_lt(n, 5000);
    }
}
END_TEST

START_TEST(test_raid__a_crash_while_a_failure_is_recorded_costs_no_other_disk)
{
    bool fired = true;
    for (uint64_t n = 1; fired; n++) {
        build_of(4, 1, SMALL_BYTES);
        ck_assert_int_eq(put(0, data, 256), OK);
        disk[2].gone = true;
        fake_crash_at_call(n);
        fired = put(256, data, 256) != OK;
        fake_crash_at_call(0);
        boot.incarnation++;
        start(false);
        ck_assert_int_eq(get(0, back, 256), OK);
        ck_assert_int_eq(memcmp(back, data, 256 * 512), 0);
        ck_assert_int_eq(put(0, data + 512, 512), OK);
        start(false);
        ck_assert_int_eq(get(0, back, 512), OK);
        ck_assert_int_eq(memcmp(back, data + 512, 512 * 512), 0);
        uint32_t count;
        const struct fake_report *reports = fake_reports(&count);
        for (uint32_t k = 0; k < count; k++)
            ck_assert(reports[k].what != REPORT_DEGRADED || reports[k].a == 2);
        teardown();
        ck_assert_uint_lt(n, 5000);
    }
}
END_TEST

START_TEST(test_raid__resync_itself_may_be_cut_anywhere)
{
    bool fired = true;
    for (uint64_t n = 1; fired; n++) {
        build_of(2, 1, SMALL_BYTES);
        ck_assert_int_eq(put(0, data, 64), OK);
        ck_assert_int_eq(put(3000, data, 64), OK);
        memset(disk[1].bytes + 256 * 4096, 0x77, 4096); /* as if the second write was cut off */
        start(false);
        fake_crash_at_call(n); /* the resynchronisation is done already: count from its start */
        boot.incarnation++;
        memset(disk[1].bytes + 256 * 4096, 0x77, 4096);
        disk[0].bytes[2 * 4096] |= 1;
        fake_boot(blockraid_main, &boot);
        fired = fake_run() == FAKE_CRASHED;
        fake_crash_at_call(0);
        start(false);
        ck_assert_int_eq(fake_run_until(fake_now() + SECONDS), FAKE_IDLE);
        ck_assert(copies_are_equal());
        ck_assert_int_eq(memcmp(disk[1].bytes + 256 * 4096, data, 4096), 0);
        ck_assert_uint_gt(fake_probe_hits(PROBE_RAID_RESYNC), 0);
        teardown();
        ck_assert_uint_lt(n, 5000);
    }
}
END_TEST

START_TEST(test_raid__reads_the_source_alone_until_a_region_is_in_step)
{
    struct block_request r = {.op = BLOCK_READ, .count = 32};
    struct msg m;
    build(2, 1);
    ck_assert_int_eq(put(0, data, 1024), OK);
    memset(disk[1].bytes + 256 * 4096, 0x77, DATA_BYTES); /* its bit is still set */
    client = fake_client(LAYER_FS, 0);
    boot.format = false;
    fake_boot(blockraid_main, &boot);
    r.grant = fake_grant(client, back, 16384, PLAT_GRANT_WRITE);
    for (uint32_t k = 0; k < 8; k++) { /* before it has an idle moment */
        r.first_sector = k * 32;
        block_request_pack(&m, 1000 + k, &r);
        fake_request(client, &m);
    }
    uint32_t answers = 0;
    ck_assert_int_eq(fake_run(), FAKE_IDLE);
    while (fake_take_reply(client, &m))
        answers += m.status == OK ? 1 : 0;
    ck_assert_uint_eq(answers, 8);
    ck_assert_int_eq(memcmp(back, data + 7 * 16384, 16384), 0);
    ck_assert(copies_are_equal());
}
END_TEST

START_TEST(test_raid__a_disk_that_lost_its_cache_is_filled_from_the_other)
{
    build(2, 1);
    ramdisk_set_volatile(&disk[0]);
    ck_assert_int_eq(put(0, data, 64), OK);
    ramdisk_power_cut(&disk[0], NULL, NULL); /* one disk alone: a reset, and its driver dies */
    fake_kill(LAYER_DRIVER, 0);
    fake_restart(LAYER_DRIVER, 0);
    ck_assert_int_eq(fake_run_until(fake_now() + SECONDS), FAKE_IDLE);
    ck_assert(copies_are_equal());
    ck_assert_int_eq(get(0, back, 64), OK);
    ck_assert_int_eq(memcmp(back, data, 64 * 512), 0);
}
END_TEST

/* Away so short a time that nobody missed it: the next answer tells. */
START_TEST(test_raid__a_reset_that_nobody_met_is_noticed_and_nothing_old_is_read)
{
    build(2, 1);
    ramdisk_set_volatile(&disk[_i]);
    ck_assert_int_eq(put(0, data, 64), OK);
    ramdisk_power_cut(&disk[_i], NULL, NULL);
    for (uint32_t k = 0; k < 4; k++) { /* whichever member is asked */
        ck_assert_int_eq(get(k % 2 * 32, back, 32), OK);
        ck_assert_int_eq(memcmp(back, data + k % 2 * 32 * 512, 32 * 512), 0);
    }
    ck_assert_int_eq(call(BLOCK_FLUSH, 0, 0, 0, false), OK);
    ck_assert_int_eq(fake_run_until(fake_now() + SECONDS), FAKE_IDLE);
    ck_assert(copies_are_equal());
    disk[1 - _i].gone = true;
    ck_assert_int_eq(get(0, back, 64), OK); /* it is a member still */
    ck_assert_int_eq(memcmp(back, data, 64 * 512), 0);
}
END_TEST

START_TEST(test_raid__the_last_member_s_reset_is_an_error_and_nothing_old_is_read)
{
    build(2, 1);
    ramdisk_set_volatile(&disk[0]);
    disk[1].gone = true;
    ck_assert_int_eq(put(0, data, 64), OK);
    ck_assert_int_eq(get(0, back, 64), OK);
    ramdisk_power_cut(&disk[0], NULL, NULL);
    ck_assert_int_ne(get(0, back, 64), OK);
    ck_assert_int_ne(call(BLOCK_FLUSH, 0, 0, 0, false), OK);
}
END_TEST

/* What nobody reads: a bad sector, and a block that differs. Without a scrub they stay. */
START_TEST(test_raid__a_scrub_makes_copies_equal_that_nobody_reads)
{
    build(2, 1);
    ck_assert_int_eq(put(0, data, 512), OK);
    ck_assert_int_eq(call(BLOCK_FLUSH, 0, 0, 0, false), OK);
    boot.options.scrub_ns = _i == 0 ? 0 : SECONDS;
    start(false);
    disk[0].bad[disk[0].bads++] = 2048 + 8; /* data begin at 1 MiB */
    disk[1].bad[disk[1].bads++] = 2048 + 24;
    disk[1].bytes[(2048 + 100) * 512] ^= 1;
    ck_assert_int_eq(fake_run_until(fake_now() + 3 * SECONDS), FAKE_IDLE);
    ck_assert_uint_eq(disk[0].bads + disk[1].bads, _i == 0 ? 2 : 0);
    ck_assert(copies_are_equal() == (_i == 1));
    disk[0].gone = true;
    enum err e = get(0, back, 512);
    ck_assert(_i == 0 || (e == OK && memcmp(back, data, 512 * 512) == 0));
}
END_TEST

START_TEST(test_raid__after_a_fence_nothing_earlier_is_answered_or_moves)
{
    struct msg m;
    struct block_request r = {.op = BLOCK_WRITE, .count = 8};
    build(2, 1);
    r.grant = fake_grant(client, data, 4096, PLAT_GRANT_READ);
    for (uint32_t k = 0; k < 5; k++) {
        r.first_sector = k * 4096;
        block_request_pack(&m, 1000 + k, &r);
        fake_request(client, &m);
    }
    ck_assert_int_eq(call(BLOCK_FENCE, 0, 0, 0, false), OK);
    uint32_t writes = disk[0].writes + disk[1].writes;
    ck_assert_int_eq(fake_run(), FAKE_IDLE);
    ck_assert_uint_eq(disk[0].writes + disk[1].writes, writes);
    ck_assert_int_eq(put(0, data, 8), OK);
    ck_assert(copies_are_equal());
}
END_TEST

CHECK_MAIN(
    "blockraid", 120, tcase_add_checked_fixture(tc, NULL, teardown);
    tcase_add_test(tc, test_raid__level_0_agrees_with_a_model);
    tcase_add_test(tc, test_raid__level_1_on_one_and_two_pairs_agrees_with_a_model);
    tcase_add_test(tc, test_raid__one_disk_passes_through);
    tcase_add_test(tc, test_raid__keeps_its_content_over_a_restart);
    tcase_add_test(tc, test_raid__refuses_what_is_outside_or_too_long);
    tcase_add_test(tc, test_raid__driver_deaths_are_transparent);
    tcase_add_test(tc, test_raid__goes_on_without_a_disk_and_remembers_it);
    tcase_add_test(tc, test_raid__unreadable_superblocks_are_written_anew);
    tcase_add_test(tc, test_raid__a_failed_write_takes_the_member_out_but_not_the_last_one);
    tcase_add_test(tc, test_raid__reads_the_other_copy_and_mends_the_bad_one);
    tcase_add_test(tc, test_raid__h24_goes_on_without_a_disk_that_does_not_answer);
    tcase_add_test(tc, test_raid__h24_level_0_waits_for_its_disks);
    tcase_add_test(tc, test_raid__level_0_passes_errors_on);
    tcase_add_test(tc, test_raid__bits_are_set_by_writes_and_cleared_when_idle_and_flushed);
    tcase_add_test(tc, test_raid__copies_agree_after_a_power_cut_at_any_call);
    tcase_add_test(tc, test_raid__a_crash_while_a_failure_is_recorded_costs_no_other_disk);
    tcase_add_test(tc, test_raid__resync_itself_may_be_cut_anywhere);
    tcase_add_test(tc, test_raid__reads_the_source_alone_until_a_region_is_in_step);
    tcase_add_test(tc, test_raid__a_disk_that_lost_its_cache_is_filled_from_the_other);
    tcase_add_loop_test(tc, test_raid__a_scrub_makes_copies_equal_that_nobody_reads, 0, 2);
    tcase_add_loop_test(tc, test_raid__a_reset_that_nobody_met_is_noticed_and_nothing_old_is_read,
                        0, 2);
    tcase_add_test(tc, test_raid__the_last_member_s_reset_is_an_error_and_nothing_old_is_read);
    tcase_add_test(tc, test_raid__after_a_fence_nothing_earlier_is_answered_or_moves);)
