/* verify-writes: a write that the disk loses though it says OK is noticed at once and made good. */
#include "scripts/check_main.h"
#include "stack/tests/loris/physical/rig_physical.h"

#define OID 5000u
#define BLOCKS 24u

static void start(bool verify)
{
    rig_disk_init(0, 2048);
    ph.options.verify_writes = verify;
    ph_boot();
    ph_ok(ph_format());
    ph_ok(ph_op(OBJECT_CREATE, OID, 0, 0));
    ph_ok(ph_write(OID, 0, BLOCKS, 1, 0));
    ph_ok(ph_checkpoint());
}

/* Overwrites, grows, makes, then a checkpoint, in which the n-th write is lost. Whether it was. */
static bool run_without(uint64_t n)
{
    rig.writes = 0;
    rig.lose_at = n;
    ph_ok(ph_write(OID, 5, 6, 2, 0));
    ph_ok(ph_op(OBJECT_CREATE, OID + 400, 0, OBJECT_META));
    ph_ok(ph_write(OID + 400, 0, 5, 2, 0));
    ph_ok(ph_checkpoint());
    return rig.writes >= n;
}

/* Blocks that are not as they were written. */
static uint32_t count_wrong(void)
{
    uint32_t wrong = 0;
    int64_t version;
    ph_boot();
    if (ph_restore() != OK)
        return 1;
    for (uint64_t b = 0; b < BLOCKS; b++)
        wrong += ph_read(OID, b, 2, &version) != OK || version != (b >= 5 && b < 11 ? 2 : 1);
    for (uint64_t b = 0; b < 5; b++)
        wrong += ph_read(OID + 400, b, 2, &version) != OK || version != 2;
    return wrong;
}

START_TEST(test_verify__h16_any_lost_write_is_found_and_written_again)
{
    uint64_t n = 1;
    start(true);
    for (; run_without(n); n++) {
        ck_assert_uint_eq(count_wrong(), 0);
        ck_assert_uint_lt(n, 60); /* a loop that never ends proves nothing */
        start(true);
    }
    ck_assert_uint_gt(n, 5);
}
END_TEST

START_TEST(test_verify__without_it_a_lost_write_is_found_when_it_is_read)
{
    uint32_t found = 0;
    start(false);
    for (uint64_t n = 1; run_without(n); n++) {
        found += count_wrong() > 0;
        start(false);
    }
    ck_assert_uint_gt(found, 2);
}
END_TEST

CHECK_MAIN("physical verify", 60,
           tcase_add_test(tc, test_verify__h16_any_lost_write_is_found_and_written_again);
           tcase_add_test(tc, test_verify__without_it_a_lost_write_is_found_when_it_is_read);)
