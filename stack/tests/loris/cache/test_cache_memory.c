/* Flipped bits in pages and log: eager checksums say so and never pass wrong bytes off as good. */
#include <string.h>

#include "cache_rig.h"
#include "scripts/check_main.h"

#define BYTES 6000u

static struct rig r;
static uint8_t data[BYTES], back[BYTES];
static uint64_t oid;

static void start_with(enum checksum_mode mode)
{
    rig_init(&r);
    r.boot.options.checksums = mode;
    rig_start(&r);
    rig_fill(data, 3, BYTES);
    oid = rig_make(&r, 0, data, BYTES);
}

/* Flips a bit of the page that holds data[at ...]; of each copy of it. */
static void flip_page(uint32_t at)
{
    ck_assert_uint_ge(rig_flip_pages(data + at), 1);
}

START_TEST(test_cache__a_flip_in_a_clean_page_is_mended_from_below)
{
    start_with(CHECKSUMS_EAGER);
    ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
    flip_page(0);
    ck_assert_int_eq(rig_read_back(&r, oid, back, BYTES), OK);
    ck_assert_mem_eq(back, data, BYTES);
    ck_assert_uint_eq(fake_report_count(REPORT_DETECTED), 1);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__a_flip_in_a_dirty_page_is_lost_and_said_so)
{
    start_with(CHECKSUMS_EAGER);
    flip_page(BLOCK_BYTES);
    ck_assert_int_eq(rig_read_back(&r, oid, back, BYTES), E_LOST);
    ck_assert_int_eq(rig_sync(&r, 0, oid), E_LOST);
    ck_assert_int_eq(rig_sync(&r, 0, oid), OK); /* once */
    ck_assert_int_eq(rig_read_back(&r, oid, back, BYTES), E_LOST);
    rig_power_cut(&r);
    ck_assert_int_eq(rig_read_back(&r, oid, back, BYTES),
                     E_LOST); /* never an older or a wrong version */
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__a_flip_is_found_when_the_page_is_flushed)
{
    start_with(CHECKSUMS_EAGER);
    flip_page(0);
    ck_assert_int_eq(rig_sync(&r, 0, oid), E_LOST);
    ck_assert_uint_eq(r.store.bad_crcs, 0);
    ck_assert_int_eq(rig_read_back(&r, oid, back, BYTES), E_LOST);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__a_partial_write_does_not_bless_a_flip)
{
    start_with(CHECKSUMS_EAGER);
    flip_page(0);
    r.sequence[0]++;
    ck_assert_int_eq(rig_begin(&r, 0, NULL), OK);
    ck_assert_int_eq(rig_write(&r, 0, oid, 10, "partial", 7), E_LOST);
    ck_assert_int_eq(rig_abort(&r, 0), OK);
    r.sequence[0]++; /* a whole overwrite heals */
    ck_assert_int_eq(rig_begin(&r, 0, NULL), OK);
    ck_assert_int_eq(rig_write(&r, 0, oid, 0, data, BYTES), OK);
    ck_assert_int_eq(rig_commit(&r, 0), OK);
    ck_assert_int_eq(rig_read_back(&r, oid, back, BYTES), OK);
    ck_assert_mem_eq(back, data, BYTES);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__a_flip_between_write_and_commit_is_not_committed_as_good)
{
    start_with(CHECKSUMS_EAGER);
    r.sequence[0]++;
    memset(data, 0xa5, BYTES);
    ck_assert_int_eq(rig_begin(&r, 0, NULL), OK);
    ck_assert_int_eq(rig_write(&r, 0, oid, 0, data, BYTES), OK);
    flip_page(0);
    ck_assert_int_eq(rig_commit(&r, 0), OK);
    ck_assert_int_eq(rig_read_back(&r, oid, back, BYTES), E_LOST);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__a_flip_is_found_after_its_own_crash)
{
    start_with(CHECKSUMS_EAGER);
    flip_page(0);
    fake_kill_layer();
    fake_boot(cache_main, &r.boot);
    (void)fake_run();
    ck_assert_int_eq(rig_read_back(&r, oid, back, BYTES), E_LOST);
    ck_assert_uint_ge(fake_report_count(REPORT_LOST), 1);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__a_written_back_page_is_mended_while_it_is_pinned)
{
    start_with(CHECKSUMS_EAGER);
    /* A death below makes the cache write the log's pages back: they are below, but pinned. */
    r.store.session = 0;
    fake_kill(LAYER_LOGICAL, 0);
    fake_restart(LAYER_LOGICAL, 0);
    (void)fake_run();
    ck_assert_uint_ge(r.store.count[OBJECT_WRITE], 1);
    ck_assert_uint_eq(r.store.prepares, 0);
    flip_page(0);
    ck_assert_int_eq(rig_read_back(&r, oid, back, BYTES), OK);
    ck_assert_mem_eq(back, data, BYTES);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__checksums_off_notice_nothing)
{
    start_with(CHECKSUMS_OFF);
    flip_page(0);
    ck_assert_int_eq(rig_read_back(&r, oid, back, BYTES), OK);
    ck_assert_mem_ne(back, data, BYTES); /* why eager exists */
    ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
    ck_assert_uint_eq(r.store.bad_crcs, 0); /* made at the flush */
    rig_fini(&r);
}
END_TEST

/* Any byte of log, descriptors or superblock may flip before the cache dies: what is read back is
 * right, or an error, or (the object's creation is unknown) no object; and the sync after it or a
 * report says that something was noticed. */
START_TEST(test_cache__h08_a_flip_in_the_survivor_region_is_never_silent)
{
    static uint8_t before[RIG_REGION];
    start_with(CHECKSUMS_EAGER);
    memcpy(before, rig_region(), RIG_REGION); /* the same in each run */
    rig_fini(&r);
    uint32_t flips = 0;
    for (size_t at = 0; at < RIG_REGION; at += before[at] != 0 && at > 2u << 20 ? 61 : 1) {
        if (before[at] == 0)
            continue;
        start_with(CHECKSUMS_EAGER);
        rig_region()[at] ^= 0x04;
        flips++;
        fake_kill_layer();
        fake_boot(cache_main, &r.boot);
        (void)fake_run();
        ck_assert_msg(fake_is_ready(), "byte %zu: %s", at, fake_crash());
        uint64_t size = 0;
        uint8_t value = 0;
        enum err e = rig_getattr(&r, 0, oid, &size, &value, false);
        bool noticed = fake_report_count(REPORT_DETECTED) + fake_report_count(REPORT_LOST) > 0;
        ck_assert_msg(e == OK || noticed, "byte %zu: %d and no word", at, e);
        if (e == OK) {
            ck_assert_msg(size == BYTES || noticed, "byte %zu: size %u", at, (uint32_t)size);
            e = rig_read_back(&r, oid, back, BYTES);
            if (e == OK && size == BYTES)
                ck_assert_msg(memcmp(back, data, BYTES) == 0, "byte %zu: wrong bytes", at);
            ck_assert_msg(e == OK || noticed, "byte %zu: read %d and no word", at, e);
        }
        rig_fini(&r);
    }
    ck_assert_uint_gt(flips, 300);
}
END_TEST

/* Flips a bit in the number of the last record of the log that writes to the object. */
static void flip_write_record(void)
{
    uint8_t *found = NULL; /* crc 4, operation 4 (WRITE is 4), lsn 8, oid 8 */
    for (size_t at = 0; at + 24 <= RIG_REGION; at += 8) {
        uint32_t op;
        uint64_t lsn, of;
        memcpy(&op, rig_region() + at + 4, 4);
        memcpy(&lsn, rig_region() + at + 8, 8);
        memcpy(&of, rig_region() + at + 16, 8);
        found = op == 4 && lsn != 0 && of == oid ? rig_region() + at : found;
    }
    ck_assert_ptr_nonnull(found);
    found[15] ^= 0x40;
}

/* Committed and not yet below; then its record is damaged, and a layer dies that makes it be read.
 */
static void damage_then(bool own)
{
    uint64_t size;
    uint8_t value = 0;
    start_with(CHECKSUMS_EAGER);
    ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
    rig_fill(data, 5, BYTES);
    rig_next(&r, 0);
    ck_assert_int_eq(rig_write(&r, 0, oid, 0, data, BYTES), OK);
    ck_assert_int_eq(rig_commit(&r, 0), OK);
    flip_write_record();
    if (own) {
        fake_kill_layer();
        fake_boot(cache_main, &r.boot);
    } else {
        r.store.session = 0;
        fake_kill(LAYER_LOGICAL, 0);
        fake_restart(LAYER_LOGICAL, 0);
    }
    (void)fake_run();
    ck_assert_int_eq(rig_read_back(&r, oid, back, BYTES), E_LOST);
    ck_assert_int_eq(rig_sync(&r, 0, oid), E_LOST);
    ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
    rig_power_cut(&r);
    ck_assert_int_eq(rig_getattr(&r, 0, oid, &size, &value, false), OK);
    ck_assert_uint_eq(value, 0xff); /* nobody takes it for a file */
    rig_fini(&r);
}

START_TEST(test_cache__h08_a_damaged_record_leaves_no_older_version_after_its_own_crash)
{
    damage_then(true);
}
END_TEST

START_TEST(test_cache__h08_a_damaged_record_leaves_no_older_version_after_a_crash_below)
{
    damage_then(false);
}
END_TEST

/* Both superblocks are damaged: what was answered is not known any more. */
START_TEST(test_cache__h08_a_region_that_is_given_up_ends_the_environments)
{
    rig_init(&r);
    r.boot.options.environments = 2;
    rig_start(&r);
    (void)fake_client(LAYER_VFS, 0);
    (void)fake_client(LAYER_VFS, 1);
    rig_fill(data, 3, BYTES);
    oid = rig_make(&r, 0, data, BYTES);
    rig_region()[8] ^= 1;
    rig_region()[2048 + 8] ^= 1;
    fake_kill_layer();
    fake_boot(cache_main, &r.boot);
    (void)fake_run();
    ck_assert_uint_eq(fake_kills(LAYER_VFS, 0), 1);
    ck_assert_uint_eq(fake_kills(LAYER_VFS, 1), 1);
    ck_assert_uint_eq(fake_report_count(REPORT_LOST), 1);
    rig_fini(&r);
}
END_TEST

CHECK_MAIN(
    "cache_memory", 120,
    tcase_add_test(tc, test_cache__a_flip_in_a_clean_page_is_mended_from_below);
    tcase_add_test(tc, test_cache__a_flip_in_a_dirty_page_is_lost_and_said_so);
    tcase_add_test(tc, test_cache__a_flip_is_found_when_the_page_is_flushed);
    tcase_add_test(tc, test_cache__a_partial_write_does_not_bless_a_flip);
    tcase_add_test(tc, test_cache__a_flip_between_write_and_commit_is_not_committed_as_good);
    tcase_add_test(tc, test_cache__a_flip_is_found_after_its_own_crash);
    tcase_add_test(tc, test_cache__a_written_back_page_is_mended_while_it_is_pinned);
    tcase_add_test(tc, test_cache__checksums_off_notice_nothing);
    tcase_add_test(tc, test_cache__h08_a_flip_in_the_survivor_region_is_never_silent);
    tcase_add_test(tc,
                   test_cache__h08_a_damaged_record_leaves_no_older_version_after_its_own_crash);
    tcase_add_test(tc,
                   test_cache__h08_a_damaged_record_leaves_no_older_version_after_a_crash_below);
    tcase_add_test(tc, test_cache__h08_a_region_that_is_given_up_ends_the_environments);)
