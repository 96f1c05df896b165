/* Scrub: what no read touches is verified all the same, and mended while it can be. */
#include "scripts/check_main.h"
#include "stack/tests/loris/logical/rig_pool.h"

#define DIR 1100u
#define FILE_A 1200u
#define BLOCKS 90u
#define PERIOD_NS UINT64_C(1000000000)

static void make(uint32_t disks, uint32_t raid)
{
    pool_make(disks, raid, 2048, 4 * BLOCK_BYTES);
    pool.options.scrub_ns = PERIOD_NS;
    pool_boot(false);
    pool_ok(pool_restore(true));
    pool_ok(pool_op(OBJECT_CREATE, DIR, 1, OBJECT_META));
    pool_ok(pool_op(OBJECT_CREATE, FILE_A, BLOCKS * BLOCK_BYTES, 0));
    pool_ok(pool_write(DIR, 0, 6, 1, 0));
    pool_ok(pool_write(FILE_A, 0, BLOCKS, 1, 0));
    pool_ok(pool_checkpoint());
}

/* Rot in every copy of that block on one disk; how many there were. */
static uint32_t rot(uint32_t disk, uint64_t oid, uint64_t block)
{
    static uint8_t want[BLOCK_BYTES];
    struct rig_disk *d = &rig.disk[disk];
    uint32_t hits = 0;
    rig_settle(d);
    rig_fill_page(want, oid, block, 1);
    for (uint64_t s = 0; s < d->sectors; s += 8)
        if (memcmp(d->medium + s * SECTOR_BYTES, want, BLOCK_BYTES) == 0) {
            d->medium[s * SECTOR_BYTES + block] ^= 1;
            d->seen[s * SECTOR_BYTES + block] ^= 1;
            hits++;
        }
    return hits;
}

static void scrub(uint32_t passes)
{
    uint32_t done = fake_report_count(REPORT_SCRUBBED);
    for (uint32_t n = 0; fake_report_count(REPORT_SCRUBBED) < done + passes; n++) {
        ck_assert_int_eq(fake_run_until(fake_now() + PERIOD_NS / 4), FAKE_IDLE);
        ck_assert_uint_lt(n, 40);
    }
    pool_ok(pool_checkpoint());
}

static void check_without(uint32_t gone)
{
    int64_t version[64];
    rig.disk[gone].gone = true;
    for (uint32_t first = 0; first < BLOCKS; first += 45) {
        pool_ok(pool_read(FILE_A, first, 45, 2, version));
        for (uint32_t b = 0; b < 45; b++)
            ck_assert_int_eq(version[b], 1);
    }
    pool_ok(pool_read(DIR, 0, 6, 2, version));
    for (uint32_t b = 0; b < 6; b++)
        ck_assert_int_eq(version[b], 1);
}

START_TEST(test_scrub__finds_rot_on_either_mirror_before_the_other_dies)
{
    for (uint32_t bad = 0; bad < 2; bad++) {
        make(2, 1);
        uint32_t hits = 0;
        for (uint64_t b = 0; b < BLOCKS; b += 7)
            hits += rot(bad, FILE_A, b);
        hits += rot(bad, DIR, 2);
        ck_assert_uint_eq(hits, 14);
        scrub(1);
        uint32_t count;
        const struct fake_report *r = fake_reports(&count);
        uint64_t mended = 0;
        for (uint32_t i = 0; i < count; i++)
            mended += r[i].what == REPORT_SCRUBBED ? r[i].b : 0;
        ck_assert_uint_eq(mended, hits);
        check_without(1 - bad);
    }
}
END_TEST

START_TEST(test_scrub__finds_rot_of_parity_and_data_parts)
{
    for (uint32_t bad = 0; bad < 3; bad++) {
        make(3, 5);
        for (uint64_t b = 0; b < BLOCKS; b += 5)
            (void)rot(bad, FILE_A, b); /* where it has data of it; its parity stays good */
        scrub(1);
        check_without((bad + 1) % 3);
    }
}
END_TEST

START_TEST(test_scrub__leaves_a_sound_pool_alone_and_comes_again)
{
    make(2, 1);
    scrub(3);
    uint32_t count;
    const struct fake_report *r = fake_reports(&count);
    uint64_t last = 0;
    for (uint32_t i = 0; i < count; i++) {
        ck_assert(r[i].what != REPORT_REPAIR && r[i].what != REPORT_DETECTED);
        if (r[i].what != REPORT_SCRUBBED)
            continue;
        ck_assert_uint_eq(r[i].b, 0);
        ck_assert_uint_ge(r[i].a, 2 * (BLOCKS + 6));
        ck_assert(last == 0 || r[i].at_ns - last >= PERIOD_NS * 9 / 10);
        last = r[i].at_ns;
    }
    check_without(0);
}
END_TEST

/* All of a disk's metadata rot where nobody looks before the next start: it writes them anew. */
START_TEST(test_scrub__finds_rot_of_metadata_that_are_in_memory)
{
    make(2, 1);
    struct rig_disk *d = &rig.disk[1];
    uint32_t hits = 0;
    rig_settle(d);
    for (uint64_t s = 0; s < d->sectors; s += 8) {
        uint8_t *raw = d->medium + s * SECTOR_BYTES;
        bool intents = raw[6] == 4;
        if (memcmp(raw, "LRM1", 4) != 0 || intents)
            continue;
        raw[200] ^= 1;
        d->seen[s * SECTOR_BYTES + 200] ^= 1;
        hits++;
    }
    ck_assert_uint_ge(hits, 4); /* leaves, a map, a tree, and their twins */
    scrub(1);
    ck_assert_uint_ge(fake_report_count(REPORT_DETECTED), 3);
    rig.disk[0].gone = true;
    pool_boot(false);
    pool_ok(pool_restore(true));
    ck_assert_uint_eq(fake_report_count(REPORT_DETECTED), 0);
    check_without(0);
}
END_TEST

/* Between PREPARE and RELEASE nothing below changes. */
START_TEST(test_scrub__waits_while_a_checkpoint_is_prepared)
{
    make(2, 1);
    (void)rot(1, FILE_A, 3);
    pool_ok(pool_prepare());
    ck_assert_int_eq(fake_run_until(fake_now() + 5 * PERIOD_NS), FAKE_IDLE);
    ck_assert_uint_eq(fake_report_count(REPORT_SCRUBBED), 0);
    pool_ok(pool_release());
    scrub(1);
    check_without(0);
}
END_TEST

CHECK_MAIN("logical scrub", 60,
           tcase_add_test(tc, test_scrub__finds_rot_on_either_mirror_before_the_other_dies);
           tcase_add_test(tc, test_scrub__finds_rot_of_parity_and_data_parts);
           tcase_add_test(tc, test_scrub__leaves_a_sound_pool_alone_and_comes_again);
           tcase_add_test(tc, test_scrub__finds_rot_of_metadata_that_are_in_memory);
           tcase_add_test(tc, test_scrub__waits_while_a_checkpoint_is_prepared);)
