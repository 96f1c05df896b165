/* Lazy checksums: where a flip is seen and where it is not, and what becomes of pages that have no
 * checksum yet when the cache dies. h07_: the same flip, lazy and eager. */
#include <string.h>

#include "cache_rig.h"
#include "scripts/check_main.h"

#define BYTES (3 * BLOCK_BYTES)
#define IDLE_NS 100000000u /* enough for every checksum of so few pages */
#define PASS_NS 12000000000u

static struct rig r;
static uint8_t data[BYTES], back[BYTES];
static uint64_t oid;

static void start_with(enum checksum_mode mode, bool drop)
{
    rig_init(&r);
    r.boot.options.checksums = mode;
    r.boot.options.unverified_drop = drop;
    r.boot.options.checkpoint_ns = 100000000000u; /* none comes by itself */
    rig_start(&r);
    rig_fill(data, 3, BYTES);
    oid = rig_make(&r, 0, data, BYTES);
}

static void idle(uint64_t ns)
{
    (void)fake_run_until(fake_now() + ns);
}

/* Flips a bit of the page that holds the first block. */
static void flip(void)
{
    ck_assert_uint_eq(rig_flip_pages(data), 1);
}

static void crash_and_start(void)
{
    fake_kill_layer();
    fake_boot(cache_main, &r.boot);
    (void)fake_run();
}

START_TEST(test_cache_lazy__a_checksum_of_an_idle_moment_shows_a_flip_at_the_flush)
{
    start_with(CHECKSUMS_LAZY, false);
    idle(IDLE_NS);
    flip();
    ck_assert_int_eq(rig_sync(&r, 0, oid), E_LOST);
    ck_assert_uint_eq(r.store.bad_crcs, 0);
    ck_assert_int_eq(rig_read_back(&r, oid, back, BYTES), E_LOST);
    rig_fini(&r);
}
END_TEST

/* Nothing answers H7 but eager: both halves, so that the difference is a fact and not a hope. */
START_TEST(test_cache_lazy__h07_a_flip_before_the_checksum_is_blessed_and_eager_says_so)
{
    start_with(CHECKSUMS_LAZY, false);
    flip();
    ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
    ck_assert_int_eq(rig_read_back(&r, oid, back, BYTES), OK);
    ck_assert_mem_ne(back, data, BYTES);
    ck_assert_uint_eq(fake_report_count(REPORT_DETECTED), 0);
    rig_fini(&r);
    start_with(CHECKSUMS_EAGER, false);
    flip();
    ck_assert_int_eq(rig_sync(&r, 0, oid), E_LOST);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache_lazy__hits_are_not_verified_and_the_background_pass_mends_clean_pages)
{
    start_with(CHECKSUMS_LAZY, false);
    ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
    flip();
    ck_assert_int_eq(rig_read_back(&r, oid, back, BYTES), OK);
    ck_assert_mem_ne(back, data, BYTES);
    idle(PASS_NS);
    ck_assert_uint_eq(fake_report_count(REPORT_DETECTED), 1);
    ck_assert_int_eq(rig_read_back(&r, oid, back, BYTES), OK);
    ck_assert_mem_eq(back, data, BYTES);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache_lazy__the_background_pass_loses_a_dirty_page_before_anyone_asks)
{
    start_with(CHECKSUMS_LAZY, false);
    idle(IDLE_NS);
    flip();
    idle(PASS_NS);
    ck_assert_uint_eq(fake_report_count(REPORT_LOST), 1);
    ck_assert_int_eq(rig_read_back(&r, oid, back, BYTES), E_LOST);
    rig_fini(&r);
}
END_TEST

/* There is nothing that the pass could mend from: it waits for what comes, and does not spin. */
START_TEST(test_cache_lazy__the_background_pass_rests_while_what_is_below_is_down)
{
    start_with(CHECKSUMS_LAZY, false);
    ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
    r.store.fail_until = UINT64_MAX;
    r.store.fail_with = E_MEDIA;
    fake_kill(LAYER_LOGICAL, 0);
    fake_restart(LAYER_LOGICAL, 0);
    ck_assert_int_eq(fake_run_until(fake_now() + PASS_NS), FAKE_IDLE);
    ck_assert_int_eq(rig_sync(&r, 0, OID_NONE), E_MEDIA);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache_lazy__a_partial_write_does_not_bless_a_flip)
{
    start_with(CHECKSUMS_LAZY, false);
    idle(IDLE_NS);
    flip();
    r.sequence[0]++;
    ck_assert_int_eq(rig_begin(&r, 0, NULL), OK);
    ck_assert_int_eq(rig_write(&r, 0, oid, 10, "partial", 7), E_LOST);
    ck_assert_int_eq(rig_abort(&r, 0), OK);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache_lazy__a_changed_page_gets_a_new_checksum)
{
    start_with(CHECKSUMS_LAZY, false);
    idle(IDLE_NS);
    for (uint32_t k = 0; k < 4; k++) {
        r.sequence[0]++;
        data[10] = (uint8_t)k;
        ck_assert_int_eq(rig_begin(&r, 0, NULL), OK);
        ck_assert_int_eq(rig_write(&r, 0, oid, 10, data + 10, 1), OK);
        ck_assert_int_eq(rig_commit(&r, 0), OK);
        idle(k % 2 == 0 ? IDLE_NS : 0);
    }
    ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
    ck_assert_int_eq(rig_read_back(&r, oid, back, BYTES), OK);
    ck_assert_mem_eq(back, data, BYTES);
    ck_assert_uint_eq(r.store.bad_crcs, 0);
    ck_assert_uint_eq(fake_report_count(REPORT_DETECTED), 0);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache_lazy__its_own_crash_keeps_unverified_pages_and_counts_them)
{
    start_with(CHECKSUMS_LAZY, false);
    crash_and_start();
    ck_assert_uint_eq(fake_report_count(REPORT_UNVERIFIED), 1);
    uint32_t count = 0;
    const struct fake_report *report = fake_reports(&count);
    for (uint32_t k = 0; k < count; k++)
        if (report[k].what == REPORT_UNVERIFIED)
            ck_assert_uint_eq(report[k].a, BYTES / BLOCK_BYTES);
    ck_assert_int_eq(rig_read_back(&r, oid, back, BYTES), OK);
    ck_assert_mem_eq(back, data, BYTES);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache_lazy__unverified_drop_says_that_they_are_lost)
{
    start_with(CHECKSUMS_LAZY, true);
    crash_and_start();
    ck_assert_int_eq(rig_read_back(&r, oid, back, BYTES), E_LOST);
    ck_assert_uint_eq(fake_report_count(REPORT_LOST), BYTES / BLOCK_BYTES);
    rig_fini(&r);
    start_with(CHECKSUMS_LAZY, true);
    idle(IDLE_NS); /* with checksums they are verified, not dropped */
    crash_and_start();
    ck_assert_uint_eq(fake_report_count(REPORT_UNVERIFIED), 0);
    ck_assert_int_eq(rig_read_back(&r, oid, back, BYTES), OK);
    ck_assert_mem_eq(back, data, BYTES);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache_lazy__its_own_crash_finds_a_flip_in_a_page_with_a_checksum)
{
    start_with(CHECKSUMS_LAZY, false);
    idle(IDLE_NS);
    flip();
    crash_and_start();
    ck_assert_int_eq(rig_read_back(&r, oid, back, BYTES), E_LOST);
    rig_fini(&r);
}
END_TEST

/* Wherever it dies while checksums are being computed, no page is lost by it. */
START_TEST(test_cache_lazy__its_own_crash_at_the_nth_platform_call_loses_nothing)
{
    bool fired = true;
    uint64_t n = 1;
    for (; fired; n++) {
        start_with(CHECKSUMS_LAZY, false);
        fake_crash_at_call(n);
        idle(IDLE_NS);
        fired = fake_crash()[0] != '\0';
        fake_crash_at_call(0);
        if (fired) {
            fake_boot(cache_main, &r.boot);
            (void)fake_run();
        }
        ck_assert_int_eq(rig_read_back(&r, oid, back, BYTES), OK);
        ck_assert_mem_eq(back, data, BYTES);
        ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
        rig_fini(&r);
        ck_assert_uint_lt(n, 200);
    }
    ck_assert_uint_gt(n, 4);
}
END_TEST

CHECK_MAIN(
    "cache_lazy", 60,
    tcase_add_test(tc, test_cache_lazy__a_checksum_of_an_idle_moment_shows_a_flip_at_the_flush);
    tcase_add_test(tc,
                   test_cache_lazy__h07_a_flip_before_the_checksum_is_blessed_and_eager_says_so);
    tcase_add_test(
        tc, test_cache_lazy__hits_are_not_verified_and_the_background_pass_mends_clean_pages);
    tcase_add_test(tc, test_cache_lazy__the_background_pass_loses_a_dirty_page_before_anyone_asks);
    tcase_add_test(tc, test_cache_lazy__the_background_pass_rests_while_what_is_below_is_down);
    tcase_add_test(tc, test_cache_lazy__a_partial_write_does_not_bless_a_flip);
    tcase_add_test(tc, test_cache_lazy__a_changed_page_gets_a_new_checksum);
    tcase_add_test(tc, test_cache_lazy__its_own_crash_keeps_unverified_pages_and_counts_them);
    tcase_add_test(tc, test_cache_lazy__unverified_drop_says_that_they_are_lost);
    tcase_add_test(tc, test_cache_lazy__its_own_crash_finds_a_flip_in_a_page_with_a_checksum);
    tcase_add_test(tc, test_cache_lazy__its_own_crash_at_the_nth_platform_call_loses_nothing);)
