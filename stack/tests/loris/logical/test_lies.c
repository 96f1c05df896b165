/* A flush that lied to an only disk: its newest root came down without its tree. */
#include "bytes.h"
#include "scripts/check_main.h"
#include "stack/tests/loris/logical/rig_pool.h"

#define OID 1200u
#define ROOT_MAGIC UINT32_C(0x3152524c)

/* Spoils the top of the tree of root `epoch`. */
static void spoil_top(uint64_t epoch)
{
    struct rig_disk *d = &rig.disk[0];
    uint64_t top = 0;
    for (uint64_t b = 0; b < d->sectors / 8; b++) {
        const uint8_t *raw = d->medium + b * BLOCK_BYTES;
        if (get_le32(raw) == ROOT_MAGIC && get_le64(raw + 40) == epoch)
            top = get_le64(raw + 280) & UINT64_C(0xffffffffffff);
    }
    ck_assert_uint_ne(top, 0);
    d->medium[top * BLOCK_BYTES + 2000] ^= 1;
    memcpy(d->seen, d->medium, d->sectors * SECTOR_BYTES);
}

/* Spoils the block of inodes that the object had in checkpoint `epoch`. */
static void spoil_leaf(uint64_t epoch)
{
    struct rig_disk *d = &rig.disk[0];
    uint32_t spoiled = 0;
    for (uint64_t b = 0; b < d->sectors / 8; b++) {
        uint8_t *raw = d->medium + b * BLOCK_BYTES;
        if (memcmp(raw, "LRM1", 4) != 0 || get_le16(raw + 6) != 1 ||
            get_le64(raw + 32) != OID / 15 || get_le64(raw + 40) != epoch)
            continue;
        raw[3000] ^= 1;
        spoiled++;
    }
    ck_assert_uint_eq(spoiled, 1);
    memcpy(d->seen, d->medium, d->sectors * SECTOR_BYTES);
}

static uint64_t two_checkpoints(void)
{
    pool_make(1, 0, 2048, 0);
    pool_ok(pool_op(OBJECT_CREATE, OID, 4 * BLOCK_BYTES, OBJECT_META));
    pool_ok(pool_write(OID, 0, 4, 1, 0));
    pool_ok(pool_checkpoint());
    pool_ok(pool_write(OID, 0, 4, 2, 0));
    pool_ok(pool_checkpoint());
    return pool.epoch;
}

START_TEST(test_lies__h32_the_checkpoint_before_is_gone_back_to_if_it_is_whole)
{
    uint64_t newest = two_checkpoints();
    spoil_top(newest);
    pool_boot(false);
    pool_ok(pool_restore(true));
    ck_assert_uint_lt(pool.epoch, newest);
    ck_assert_uint_ge(pool.reply.blocks, newest); /* no number is used twice */
    ck_assert_int_eq(pool_version(OID, 2, 2), 1);
    ck_assert_uint_gt(fake_report_count(REPORT_DETECTED), 0);
    pool_ok(pool_write(OID, 0, 4, 3, 0));
    pool_ok(pool_checkpoint());
    pool_boot(false);
    pool_ok(pool_restore(true));
    ck_assert_int_eq(pool_version(OID, 2, 3), 3);
}
END_TEST

START_TEST(test_lies__h32_nothing_is_gone_back_to_that_is_not_whole)
{
    uint64_t newest = two_checkpoints();
    spoil_top(newest);
    spoil_leaf(newest - 1);
    pool_boot(false);
    ck_assert_int_ne(pool_restore(true), OK);
    /* Nor after a crash of a process: the log of the cache begins at the newest. */
    newest = two_checkpoints();
    spoil_top(newest);
    pool_boot(false);
    ck_assert_int_ne(pool_restore(false), OK);
}
END_TEST

CHECK_MAIN("logical lies", 60,
           tcase_add_test(tc, test_lies__h32_the_checkpoint_before_is_gone_back_to_if_it_is_whole);
           tcase_add_test(tc, test_lies__h32_nothing_is_gone_back_to_that_is_not_whole);)
