/* Segments of the log on all members: whole on any of them, and only while the list of members is
 * that of the last root. */
#include "bytes.h"
#include "scripts/check_main.h"
#include "stack/tests/loris/logical/rig_pool.h"

#define DISK_BLOCKS 2048u
#define BLOCKS 3u

static uint8_t wire[OBJECT_BATCH_MAX_BLOCKS * OBJECT_LOG_CRC_BYTES];

static void start(uint32_t disks)
{
    pool_make(disks, 1, DISK_BLOCKS, 65536);
    for (uint32_t k = 0; k < disks; k++)
        rig_disk_init(k, DISK_BLOCKS);
    pool.options.fsync_log = true;
    pool_boot(true);
    pool_ok(pool_restore(true));
    pool_ok(pool_checkpoint());
}

static enum err log_write(uint64_t number, uint64_t version)
{
    for (uint32_t i = 0; i < BLOCKS; i++) {
        uint8_t *page = pool_data + (size_t)i * BLOCK_BYTES;
        rig_fill_page(page, number, i, version);
        put_le32(wire + (size_t)i * OBJECT_LOG_CRC_BYTES, plat_crc32c(page, BLOCK_BYTES));
    }
    struct object_request request = {
        .op = OBJECT_LOG_WRITE,
        .epoch = pool.epoch,
        .lsn = number,
        .length = BLOCKS * BLOCK_BYTES,
        .grant_data = fake_grant(pool.client, pool_data, sizeof(pool_data), PLAT_GRANT_READ),
        .grant_meta = fake_grant(pool.client, wire, sizeof(wire), PLAT_GRANT_READ)};
    enum err e = pool_call(&request);
    fake_revoke(pool.client, request.grant_data);
    fake_revoke(pool.client, request.grant_meta);
    return e;
}

/* OK: the segment is that version. */
static enum err log_read(uint64_t number, uint64_t version)
{
    static uint8_t want[BLOCK_BYTES];
    memset(pool_data, 0xee, sizeof(pool_data));
    struct object_request request = {
        .op = OBJECT_LOG_READ,
        .epoch = pool.epoch,
        .lsn = number,
        .offset = (number - 1) * (BLOCKS + 1),
        .grant_data = fake_grant(pool.client, pool_data, sizeof(pool_data), PLAT_GRANT_WRITE),
        .grant_meta = fake_grant(pool.client, wire, sizeof(wire), PLAT_GRANT_WRITE)};
    enum err e = pool_call(&request);
    fake_revoke(pool.client, request.grant_data);
    fake_revoke(pool.client, request.grant_meta);
    for (uint32_t i = 0; i < BLOCKS && e == OK; i++) {
        rig_fill_page(want, number, i, version);
        ck_assert_mem_eq(want, pool_data + (size_t)i * BLOCK_BYTES, BLOCK_BYTES);
    }
    return e;
}

static void cut(uint64_t seed)
{
    rig_power_on(seed);
    pool_boot(false);
    pool_ok(pool_restore(true));
}

/* Flips a bit of segment `number` on one disk. */
static void rot(uint32_t disk, uint64_t number)
{
    uint64_t block = pool.p[disk]->layout.log_first + (number - 1) * (BLOCKS + 1) + 1;
    rig.disk[disk].medium[block * BLOCK_BYTES + 77] ^= 1;
}

START_TEST(test_segments__each_is_read_from_whoever_has_it_whole)
{
    start(3);
    for (uint64_t k = 1; k <= 4; k++)
        pool_ok(log_write(k, k));
    rot(0, 1);
    rot(1, 2);
    rot(0, 3);
    rot(1, 3);
    for (uint32_t disk = 0; disk < 3; disk++)
        rot(disk, 4);
    cut(1);
    for (uint64_t k = 1; k <= 3; k++)
        pool_ok(log_read(k, k));
    ck_assert_int_eq(log_read(4, 4), E_NOENT);
}
END_TEST

START_TEST(test_segments__one_disk_is_enough)
{
    start(2);
    pool_ok(log_write(1, 1));
    rig.disk[0].gone = true;
    cut(1);
    pool_ok(log_read(1, 1));
    ck_assert_int_eq(log_write(2, 2), E_AGAIN); /* nothing was released since */
    pool_ok(pool_checkpoint());
    pool_ok(log_write(1, 3));
}
END_TEST

/* The disk that died might come back beside a root that still lists it, without the group. */
START_TEST(test_segments__a_member_that_dies_wants_a_checkpoint_first)
{
    start(2);
    pool_ok(log_write(1, 1));
    rig.disk[1].gone = true;
    ck_assert_int_eq(log_write(2, 2), E_AGAIN);
    ck_assert_int_eq(log_write(2, 2), E_AGAIN);
    pool_ok(pool_checkpoint());
    pool_ok(log_write(1, 3));
    rig.disk[1].gone = false;
    cut(1);
    pool_ok(log_read(1, 3));
    ck_assert_int_eq(log_read(2, 2), E_NOENT);
}
END_TEST

START_TEST(test_segments__one_that_refuses_wants_a_checkpoint_and_stays)
{
    start(2);
    rig.disk[1].bad_write = true;
    ck_assert_int_eq(log_write(1, 1), E_AGAIN);
    rig.disk[1].bad_write = false;
    ck_assert_int_eq(log_write(2, 1), E_AGAIN);
    pool_ok(pool_checkpoint());
    pool_ok(log_write(1, 2));
    rig.disk[0].gone = true;
    cut(1);
    pool_ok(log_read(1, 2));
}
END_TEST

/* The cache's checkpoint has what was read; later nobody may read it as if it were news. */
START_TEST(test_segments__h34_nothing_is_read_after_a_release)
{
    start(2);
    pool_ok(log_write(1, 1));
    ck_assert_int_eq(log_read(1, 1), E_NOENT);
    cut(1);
    pool_ok(log_read(1, 1));
    pool_ok(pool_checkpoint());
    ck_assert_int_eq(log_read(1, 1), E_NOENT);
}
END_TEST

/* A power cut at each write of the segments: what was answered is there, and what is there is
 * whole, whichever disks are. */
START_TEST(test_segments__h34_what_was_answered_is_there_after_a_cut_at_any_write)
{
    for (uint64_t seed = 0; seed < 8; seed++) {
        bool fired = true;
        for (uint64_t n = 1; fired; n++) {
            uint64_t answered = 0;
            start(2);
            rig.cut_at = rig.writes + n;
            while (answered < 3 && log_write(answered + 1, answered + 1) == OK)
                answered++;
            fired = rig.off;
            rig.disk[n % 2].gone = seed % 2 == 1;
            cut(seed);
            for (uint64_t k = 1; k <= 3; k++) {
                enum err e = log_read(k, k);
                ck_assert_msg(e == OK || (e == E_NOENT && k > answered), "segment %u of %u: %d",
                              (unsigned)k, (unsigned)answered, e);
            }
            rig.disk[n % 2].gone = false;
            ck_assert_uint_lt(n, 200);
        }
    }
}
END_TEST

/* With intents of overwritten blocks the start makes no checkpoint of its own: that would supersede
 * the groups before anybody has read them. */
START_TEST(test_segments__h34_resynchronisation_leaves_the_log)
{
    start(2);
    pool_ok(pool_op(OBJECT_CREATE, 1100, 0, 0));
    pool_ok(pool_write(1100, 0, 4, 1, 0));
    pool_ok(pool_checkpoint());
    pool_ok(log_write(1, 1));
    pool_ok(pool_write(1100, 0, 4, 2, 0)); /* in place */
    uint64_t epoch = pool.epoch;
    cut(0);
    ck_assert_uint_eq(pool.epoch, epoch);
    pool_ok(log_read(1, 1));
    cut(0);
    pool_ok(log_read(1, 1));
    ck_assert_int_eq(pool_version(1100, 0, 2), 2);
}
END_TEST

/* A disk whose last root was a lie: the group on top of it says that all had it. */
START_TEST(test_segments__h32_a_group_shows_who_lacks_the_root_below_it)
{
    start(2);
    pool_ok(pool_op(OBJECT_CREATE, 1100, 0, 0));
    pool_ok(pool_write(1100, 0, 4, 1, 0));
    static uint8_t before[DISK_BLOCKS * BLOCK_BYTES];
    memcpy(before, rig.disk[1].medium, sizeof(before));
    pool_ok(pool_checkpoint());
    pool_ok(log_write(1, 1));
    uint64_t epoch = pool.epoch;
    memcpy(rig.disk[1].medium, before, sizeof(before));
    cut(1);
    ck_assert_uint_eq(pool.epoch, epoch);
    pool_ok(log_read(1, 1));
}
END_TEST

CHECK_MAIN("segments", 120,
           tcase_add_test(tc, test_segments__each_is_read_from_whoever_has_it_whole);
           tcase_add_test(tc, test_segments__one_disk_is_enough);
           tcase_add_test(tc, test_segments__a_member_that_dies_wants_a_checkpoint_first);
           tcase_add_test(tc, test_segments__one_that_refuses_wants_a_checkpoint_and_stays);
           tcase_add_test(tc, test_segments__h34_nothing_is_read_after_a_release);
           tcase_add_test(tc,
                          test_segments__h34_what_was_answered_is_there_after_a_cut_at_any_write);
           tcase_add_test(tc, test_segments__h34_resynchronisation_leaves_the_log);
           tcase_add_test(tc, test_segments__h32_a_group_shows_who_lacks_the_root_below_it);)
