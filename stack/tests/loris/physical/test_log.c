/* The region of the log: segments are whole or none, in order, and on top of one checkpoint. */
#include "bytes.h"
#include "scripts/check_main.h"
#include "stack/tests/loris/physical/rig_physical.h"

#define DISK_BLOCKS 2048u
#define LOG_BLOCKS 64u /* of such a disk */
#define MORE 1u        /* as `size`: the group goes on */

static uint8_t wire[OBJECT_BATCH_MAX_BLOCKS * OBJECT_LOG_CRC_BYTES];

static void start(void)
{
    rig_disk_init(0, DISK_BLOCKS);
    ph.options.fsync_log = true;
    ph_boot();
    ph_ok(ph_format());
    ph_ok(ph_checkpoint());
}

static enum err log_write(uint64_t number, uint32_t count, uint64_t version, uint64_t more)
{
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *page = ph_data + (size_t)i * BLOCK_BYTES;
        rig_fill_page(page, number, i, version);
        put_le32(wire + (size_t)i * OBJECT_LOG_CRC_BYTES, plat_crc32c(page, BLOCK_BYTES));
    }
    struct object_request request = {
        .op = OBJECT_LOG_WRITE,
        .epoch = ph.epoch,
        .lsn = number,
        .length = (uint64_t)count * BLOCK_BYTES,
        .size = more,
        .grant_data = fake_grant(ph.client, ph_data, sizeof(ph_data), PLAT_GRANT_READ),
        .grant_meta = fake_grant(ph.client, wire, sizeof(wire), PLAT_GRANT_READ)};
    enum err e = ph_call(&request);
    fake_revoke(ph.client, request.grant_data);
    fake_revoke(ph.client, request.grant_meta);
    return e;
}

/* The segment at a place; OK: it is `count` blocks of that version, and its checksums are right. */
static enum err log_read(uint64_t number, uint64_t place, uint32_t count, uint64_t version)
{
    static uint8_t want[BLOCK_BYTES];
    memset(ph_data, 0xee, sizeof(ph_data));
    struct object_request request = {
        .op = OBJECT_LOG_READ,
        .epoch = ph.epoch,
        .lsn = number,
        .offset = place,
        .grant_data = fake_grant(ph.client, ph_data, sizeof(ph_data), PLAT_GRANT_WRITE),
        .grant_meta = fake_grant(ph.client, wire, sizeof(wire), PLAT_GRANT_WRITE)};
    enum err e = ph_call(&request);
    fake_revoke(ph.client, request.grant_data);
    fake_revoke(ph.client, request.grant_meta);
    if (e != OK)
        return e;
    ck_assert_uint_eq(ph.reply.moved, count * BLOCK_BYTES);
    ck_assert_uint_eq(ph.reply.size, place + 1 + count);
    for (uint32_t i = 0; i < count; i++) {
        rig_fill_page(want, number, i, version);
        ck_assert_mem_eq(want, ph_data + (size_t)i * BLOCK_BYTES, BLOCK_BYTES);
        ck_assert_uint_eq(get_le32(wire + (size_t)i * OBJECT_LOG_CRC_BYTES),
                          plat_crc32c(want, BLOCK_BYTES));
    }
    return OK;
}

static void cut(uint64_t seed)
{
    rig_power_on(seed);
    ph_boot();
    ph_ok(ph_restore());
}

START_TEST(test_log__what_was_flushed_comes_back_in_order)
{
    start();
    ph_ok(log_write(1, 3, 1, MORE));
    ph_ok(log_write(2, 1, 2, 0));
    ph_ok(log_write(3, OBJECT_BATCH_MAX_BLOCKS / 4, 3, 0));
    cut(1); /* nothing that was not flushed stays */
    ph_ok(log_read(1, 0, 3, 1));
    ck_assert_uint_eq(ph.reply.done, 0);
    ph_ok(log_read(2, 4, 1, 2));
    ck_assert_uint_eq(ph.reply.done, 1);
    ph_ok(log_read(3, 6, OBJECT_BATCH_MAX_BLOCKS / 4, 3));
    ck_assert_int_eq(log_read(4, ph.reply.size, 1, 4), E_NOENT);
    ck_assert_int_eq(log_read(1, LOG_BLOCKS, 1, 1), E_NOENT);
}
END_TEST

START_TEST(test_log__of_a_group_only_the_end_is_flushed)
{
    start();
    uint64_t flushes = rig.disk[0].flushes;
    ph_ok(log_write(1, 3, 1, 5));
    ck_assert_uint_eq(rig.disk[0].flushes, flushes);
    ph_ok(log_write(2, 3, 1, 0));
    ck_assert_uint_eq(rig.disk[0].flushes, flushes + 1);
}
END_TEST

START_TEST(test_log__a_segment_is_whole_or_none_after_a_cut_at_any_write)
{
    uint32_t whole = 0, none = 0;
    for (uint64_t seed = 0; seed < 12; seed++) {
        bool fired = true;
        for (uint64_t n = 1; fired; n++) {
            start();
            ph_ok(log_write(1, 4, 1, 0));
            rig.cut_at = rig.writes + n;
            bool second = log_write(2, 6, 2, MORE) == OK && log_write(3, 2, 3, 0) == OK;
            fired = rig.off;
            cut(seed);
            ph_ok(log_read(1, 0, 4, 1));
            enum err e = log_read(2, 5, 6, 2);
            ck_assert(e == OK || (!second && (e == E_NOENT || e == E_CORRUPT)));
            whole += e == OK;
            none += e != OK;
            ck_assert_uint_lt(n, 100);
        }
    }
    ck_assert_uint_gt(whole, 10);
    ck_assert_uint_gt(none, 10);
}
END_TEST

/* The next checkpoint has all of it: what is in the region after its release is nobody's. */
START_TEST(test_log__h34_segments_of_another_checkpoint_are_void)
{
    start();
    ph_ok(log_write(1, 3, 1, 0));
    ph_ok(log_write(2, 3, 1, 0));
    ph_ok(ph_checkpoint());
    ph_ok(log_write(1, 3, 2, 0)); /* of the same length: what was number 2 lies behind it */
    cut(1);
    ph_ok(log_read(1, 0, 3, 2));
    ck_assert_int_eq(log_read(2, 4, 3, 1), E_NOENT);
}
END_TEST

/* A checkpoint that was prepared and never released: both it and the groups may be needed. */
START_TEST(test_log__h34_nothing_is_overwritten_between_a_freeze_or_restore_and_a_release)
{
    start();
    ph_ok(log_write(1, 3, 1, 0));
    ph_ok(ph_prepare());
    ck_assert_int_eq(log_write(2, 3, 2, 0), E_AGAIN);
    ph_ok(ph_release());
    ph_ok(log_write(1, 3, 3, 0));
    cut(1);
    ck_assert_int_eq(log_write(1, 3, 4, 0), E_AGAIN);
    ck_assert_int_eq(log_write(2, 3, 4, 0), E_AGAIN);
    ph_ok(log_read(1, 0, 3, 3));
    ph_ok(ph_checkpoint());
    ph_ok(log_write(1, 3, 4, 0));
}
END_TEST

START_TEST(test_log__takes_only_the_next_number_on_top_of_its_checkpoint)
{
    start();
    ck_assert_int_eq(log_write(2, 1, 1, 0), E_AGAIN);
    ph.epoch++;
    ck_assert_int_eq(log_write(1, 1, 1, 0), E_AGAIN);
    ph.epoch--;
    ck_assert_int_eq(log_write(1, 0, 1, 0), E_INVAL);
    ph_ok(log_write(1, 1, 1, 0));
    ck_assert_int_eq(log_write(1, 1, 1, 0), E_AGAIN);
}
END_TEST

START_TEST(test_log__a_group_that_does_not_fit_is_refused_at_its_first_segment)
{
    start();
    ck_assert_int_eq(log_write(1, 3, 1, LOG_BLOCKS - 3), E_FULL);
    ph_ok(log_write(1, 3, 1, LOG_BLOCKS - 4));
    ph_ok(log_write(2, LOG_BLOCKS - 5, 1, 0)); /* the very last block */
    ck_assert_int_eq(log_write(3, 1, 1, 0), E_FULL);
}
END_TEST

START_TEST(test_log__after_a_failed_write_it_takes_nothing_until_a_release)
{
    start();
    ph_ok(log_write(1, 3, 1, 0));
    rig.disk[0].bad_write = true;
    ck_assert_int_eq(log_write(2, 3, 1, 0), E_MEDIA);
    rig.disk[0].bad_write = false;
    ck_assert_int_eq(log_write(2, 3, 1, 0), E_AGAIN);
    ck_assert_int_eq(log_write(3, 3, 1, 0), E_AGAIN);
    ph_ok(ph_checkpoint());
    ph_ok(log_write(1, 3, 1, 0));
}
END_TEST

/* What came is not what was sent: P3. */
START_TEST(test_log__damage_on_the_way_is_refused)
{
    start();
    rig_fill_page(ph_data, 1, 0, 1);
    put_le32(wire, plat_crc32c(ph_data, BLOCK_BYTES) ^ 4);
    struct object_request request = {
        .op = OBJECT_LOG_WRITE,
        .epoch = ph.epoch,
        .lsn = 1,
        .length = BLOCK_BYTES,
        .grant_data = fake_grant(ph.client, ph_data, sizeof(ph_data), PLAT_GRANT_READ),
        .grant_meta = fake_grant(ph.client, wire, sizeof(wire), PLAT_GRANT_READ)};
    ck_assert_int_eq(ph_call(&request), E_CORRUPT);
}
END_TEST

START_TEST(test_log__a_flipped_bit_anywhere_makes_it_none)
{
    start();
    ph_ok(log_write(1, 2, 1, 0));
    uint8_t *region = rig.disk[0].medium + ph.p->layout.log_first * BLOCK_BYTES;
    for (uint32_t at = 0; at < 3 * BLOCK_BYTES; at += at < 100 ? 1 : 97) {
        region[at] ^= 0x10;
        cut(1);
        enum err e = log_read(1, 0, 2, 1);
        ck_assert_msg(e == E_NOENT || e == E_CORRUPT, "byte %u: %d", at, e);
        region[at] ^= 0x10;
    }
    cut(1);
    ph_ok(log_read(1, 0, 2, 1));
}
END_TEST

/* The same pool made again on the same disk has the same numbers. */
/* Nobody knows whether there was one: that is said, as it is not when the power has torn it. */
START_TEST(test_log__a_segment_that_cannot_be_read_is_reported)
{
    for (uint32_t k = 0; k < 5; k++) {
        start();
        ph_ok(log_write(1, 3, 1, 0));
        ph_boot();
        ph_ok(ph_restore());
        rig.disk[0].bad_sector = 8 * (ph.p->layout.log_first + k);
        rig.disk[0].bad_sectors = 8;
        enum err e = log_read(1, 0, 3, 1);
        ck_assert_int_eq(e, k < 4 ? E_MEDIA : OK); /* a head, three blocks, and one of no segment */
        ck_assert_uint_eq(fake_report_count(REPORT_DETECTED), k < 4);
        rig.disk[0].bad_sectors = 0;
    }
}
END_TEST

START_TEST(test_log__a_new_layout_believes_nothing_of_an_older_one)
{
    start();
    ph_ok(log_write(1, 2, 1, 0));
    ph_ok(log_write(2, 2, 1, 0));
    ph_boot();
    ph_ok(ph_format());
    ph_ok(ph_checkpoint());
    cut(0);
    ck_assert_int_eq(log_read(1, 0, 2, 1), E_NOENT);
    ck_assert_int_eq(log_read(2, 3, 2, 1), E_NOENT);
}
END_TEST

/* A pool without the region, mounted as one that has it, and the other way round: none of it is
 * where it should be. */
START_TEST(test_log__a_root_of_another_layout_is_none)
{
    start();
    ph.options.fsync_log = false;
    rig_power_on(0);
    ph_boot();
    ck_assert_int_eq(ph_restore(), E_NOENT);
    ph.options.fsync_log = true;
    ph_boot();
    ph_ok(ph_restore());
}
END_TEST

CHECK_MAIN("log", 60, tcase_add_test(tc, test_log__what_was_flushed_comes_back_in_order);
           tcase_add_test(tc, test_log__of_a_group_only_the_end_is_flushed);
           tcase_add_test(tc, test_log__a_segment_is_whole_or_none_after_a_cut_at_any_write);
           tcase_add_test(tc, test_log__h34_segments_of_another_checkpoint_are_void);
           tcase_add_test(
               tc, test_log__h34_nothing_is_overwritten_between_a_freeze_or_restore_and_a_release);
           tcase_add_test(tc, test_log__takes_only_the_next_number_on_top_of_its_checkpoint);
           tcase_add_test(tc, test_log__a_group_that_does_not_fit_is_refused_at_its_first_segment);
           tcase_add_test(tc, test_log__after_a_failed_write_it_takes_nothing_until_a_release);
           tcase_add_test(tc, test_log__damage_on_the_way_is_refused);
           tcase_add_test(tc, test_log__a_flipped_bit_anywhere_makes_it_none);
           tcase_add_test(tc, test_log__a_segment_that_cannot_be_read_is_reported);
           tcase_add_test(tc, test_log__a_new_layout_believes_nothing_of_an_older_one);
           tcase_add_test(tc, test_log__a_root_of_another_layout_is_none);)
