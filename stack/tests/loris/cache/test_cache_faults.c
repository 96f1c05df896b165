/* The cache under one or two faults at every place of a fixed script. */
#include <string.h>

#include "cache_script.h"
#include "scripts/check_main.h"

#define PLACES_MAX 100000u

static struct rig r;
static struct script s;

static void start(void)
{
    rig_init(&r);
    rig_start(&r);
    ck_assert_msg(fake_is_ready(), "%s", fake_crash());
}

START_TEST(test_cache__script_without_faults)
{
    start();
    script_run(&s, &r);
    script_expect(&s, &r, "no fault", 0);
    ck_assert_uint_eq(r.crashes, 0);
    ck_assert_uint_eq(r.store.deaths, 0);
    ck_assert_uint_eq(r.store.bad_sessions, 0);
    rig_fini(&r);
}
END_TEST

static void die_everywhere(enum store_death how, uint64_t gap)
{
    bool fired = true;
    uint64_t n = 1;
    for (; fired; n++) {
        start();
        r.store.how = how;
        r.store.die_at = r.store.calls + n;
        r.store.die_gap = gap;
        script_run(&s, &r);
        fired = r.store.deaths > 0;
        r.store.die_at = 0;
        ck_assert_uint_eq(r.crashes, 0);
        script_expect(&s, &r, how == DIE_BEFORE ? "death before call" : "death after call", n);
        rig_fini(&r);
        ck_assert_uint_lt(n, PLACES_MAX);
    }
    ck_assert_uint_gt(n, 20); /* the script made that many calls */
}

START_TEST(test_cache__death_below_before_the_nth_call_is_transparent)
{
    die_everywhere(DIE_BEFORE, 0);
}
END_TEST

START_TEST(test_cache__death_below_after_the_nth_call_is_transparent)
{
    die_everywhere(DIE_AFTER, 0);
}
END_TEST

START_TEST(test_cache__death_below_during_recovery_is_transparent)
{
    for (uint64_t gap = 1; gap <= 12; gap++)
        die_everywhere(gap % 2 == 0 ? DIE_BEFORE : DIE_AFTER, gap);
}
END_TEST

START_TEST(test_cache__its_own_crash_at_the_nth_platform_call_keeps_what_was_answered)
{
    bool fired = true;
    uint64_t n = 1;
    for (; fired; n++) {
        start();
        fake_crash_at_call(n);
        script_run(&s, &r);
        fired = r.crashes > 0;
        fake_crash_at_call(0);
        script_expect(&s, &r, "own crash", n);
        rig_fini(&r);
        ck_assert_uint_lt(n, PLACES_MAX);
    }
    ck_assert_uint_gt(n, 500);
}
END_TEST

static void prepare_crash_at_probe(uint32_t n)
{
    (void)n;
    start();
    r.store.die_at = r.store.calls + 12; /* a recovery too */
}

START_TEST(test_cache__its_own_crash_at_each_probe_keeps_what_was_answered)
{
    script_crash_at_probes(&s, &r, prepare_crash_at_probe, 39);
}
END_TEST

/* Death below in the middle of the recovery from the cache's own crash. */
START_TEST(test_cache__own_crash_then_death_below_keeps_what_was_answered)
{
    for (uint64_t n = 100; n < 1500; n += 37) {
        for (uint64_t gap = 1; gap < 8; gap++) {
            start();
            fake_crash_at_call(n);
            r.store.die_at = r.store.calls + 14 + gap * 3;
            script_run(&s, &r);
            fake_crash_at_call(0);
            r.store.die_at = 0;
            script_expect(&s, &r, "own crash and death below", n);
            rig_fini(&r);
        }
    }
}
END_TEST

START_TEST(test_cache__short_of_space_below_once_is_transparent)
{
    static const enum err errors[] = {E_AGAIN, E_FULL};
    bool fired = true;
    for (uint64_t n = 1; fired; n++) {
        for (uint32_t k = 0; k < 2; k++) {
            start();
            r.store.fail_with = errors[k];
            r.store.fail_at = r.store.calls + n;
            r.store.fail_only_changes = true;
            script_run(&s, &r);
            fired = r.store.calls >= r.store.fail_at;
            r.store.fail_at = 0;
            script_expect(&s, &r, "no space once", n);
            rig_fini(&r);
        }
    }
}
END_TEST

START_TEST(test_cache__an_error_below_is_never_silent)
{
    static const enum err errors[] = {E_MEDIA, E_CORRUPT, E_LOST};
    bool fired = true;
    for (uint64_t n = 1; fired; n++) {
        for (uint32_t k = 0; k < 3; k++) {
            start();
            r.store.fail_with = errors[k];
            r.store.fail_at = r.store.calls + n;
            script_run(&s, &r);
            fired = r.store.calls >= r.store.fail_at;
            r.store.fail_at = 0;
            const char *why = script_check(&s, &r, true);
            ck_assert_msg(why == NULL, "call %llu: %s", (unsigned long long)n, why);
            rig_fini(&r);
        }
    }
}
END_TEST

START_TEST(test_cache__log_off_goes_back_to_the_last_checkpoint)
{
    rig_init(&r);
    r.boot.options.log = false;
    rig_start(&r);
    uint64_t oid = 0, size;
    uint8_t value;
    r.sequence[0] = 1;
    ck_assert_int_eq(rig_begin(&r, 0, NULL), OK);
    ck_assert_int_eq(rig_create(&r, 0, &oid), OK);
    ck_assert_int_eq(rig_write(&r, 0, oid, 0, "old", 3), OK);
    ck_assert_int_eq(rig_commit(&r, 0), OK);
    ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
    r.sequence[0] = 2;
    ck_assert_int_eq(rig_begin(&r, 0, NULL), OK);
    ck_assert_int_eq(rig_write(&r, 0, oid, 0, "newer", 5), OK);
    ck_assert_int_eq(rig_commit(&r, 0), OK);
    r.sequence[1] = 1;
    ck_assert_int_eq(rig_begin(&r, 1, NULL), OK);
    ck_assert_int_eq(rig_setattr(&r, 1, oid, 9), OK);
    r.store.session = 0;
    fake_kill(LAYER_LOGICAL, 0);
    fake_restart(LAYER_LOGICAL, 0);
    (void)fake_run();
    ck_assert_uint_eq(r.store.restores, 2);
    ck_assert_int_eq(rig_commit(&r, 1), E_AGAIN);
    ck_assert_int_eq(rig_getattr(&r, 0, oid, &size, &value, false), OK);
    ck_assert_uint_eq(size, 3);
    bool done = true;
    ck_assert_int_eq(rig_begin(&r, 0, &done), OK);
    ck_assert(!done); /* its effect is gone, so is its result */
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__a_poison_create_is_skipped_alone)
{
    start();
    r.store.die_op = OBJECT_CREATE;
    r.store.die_again = OID_FIRST_FREE; /* the script's first file */
    script_run(&s, &r);
    ck_assert_uint_eq(r.crashes, 0);
    ck_assert_uint_eq(fake_report_count(REPORT_SKIPPED), 1);
    ck_assert_uint_ge(r.store.deaths, 3);
    const char *why = script_check(&s, &r, true);
    ck_assert_msg(why == NULL, "%s", why);
    ck_assert_uint_gt(s.sync_errors + s.errors, 0); /* it was said */
    uint64_t size;
    uint8_t value;
    ck_assert_int_eq(rig_getattr(&r, 0, OID_FIRST_FREE, &size, &value, false), E_LOST);
    ck_assert_int_eq(rig_getattr(&r, 0, s.file[2].oid, &size, &value, false), OK);
    ck_assert_int_eq(rig_sync(&r, 0, OID_NONE), OK);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__a_poison_cut_stays_an_error_after_a_restart)
{
    uint64_t size;
    uint8_t value;
    start();
    uint64_t oid = rig_make(&r, 0, "content", 7);
    ck_assert_int_eq(rig_sync(&r, 0, OID_NONE), OK);
    r.sequence[0]++;
    r.store.die_op = OBJECT_TRUNCATE;
    r.store.die_again = oid;
    ck_assert_int_eq(rig_begin(&r, 0, NULL), OK);
    ck_assert_int_eq(rig_truncate(&r, 0, oid, 0), OK);
    ck_assert_int_eq(rig_commit(&r, 0), OK);
    (void)rig_sync(&r, 0, OID_NONE); /* tells the loss, once */
    ck_assert_int_eq(rig_sync(&r, 0, OID_NONE), OK);
    ck_assert_uint_eq(fake_report_count(REPORT_SKIPPED), 1);
    ck_assert_int_eq(rig_getattr(&r, 0, oid, &size, &value, false), E_LOST);
    ck_assert_uint_eq(store_find(&r.store.checkpoint, oid)->attr[0], 0xff);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__a_poison_page_is_skipped_alone)
{
    start();
    r.store.poison_lsn = 2; /* CREATE is 1, the first write 2 */
    script_run(&s, &r);
    r.store.poison_lsn = 0;
    ck_assert_uint_eq(r.crashes, 0);
    ck_assert_uint_ge(fake_report_count(REPORT_SKIPPED), 1);
    const char *why = script_check(&s, &r, true);
    ck_assert_msg(why == NULL, "%s", why);
    ck_assert_uint_gt(s.sync_errors + s.errors, 0);
    ck_assert_int_eq(rig_sync(&r, 0, OID_NONE), OK);
    rig_power_cut(&r);
    why = script_check(&s, &r, true);
    ck_assert_msg(why == NULL, "%s", why);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__a_block_that_cannot_be_written_is_an_error_for_its_object_alone)
{
    start();
    uint64_t oid[2];
    uint8_t back[4];
    uint32_t moved;
    for (uint32_t k = 0; k < 2; k++)
        oid[k] = rig_make(&r, 0, "data", 4);
    r.store.media_oid = oid[0];
    ck_assert_int_eq(rig_sync(&r, 0, oid[1]), OK);
    ck_assert_int_eq(rig_sync(&r, 0, oid[0]), E_LOST);
    r.store.media_oid = 0;
    ck_assert_int_eq(rig_read(&r, 0, oid[0], 0, back, 4, &moved, false), E_LOST);
    ck_assert_int_eq(rig_read(&r, 0, oid[1], 0, back, 4, &moved, false), OK);
    r.sequence[0]++; /* written anew it is good again */
    ck_assert_int_eq(rig_begin(&r, 0, NULL), OK);
    ck_assert_int_eq(rig_write(&r, 0, oid[0], 0, "next", 4), OK);
    ck_assert_int_eq(rig_commit(&r, 0), OK);
    ck_assert_int_eq(rig_sync(&r, 0, oid[0]), OK);
    rig_power_cut(&r);
    ck_assert_int_eq(rig_read(&r, 0, oid[0], 0, back, 4, &moved, false), OK);
    ck_assert_mem_eq(back, "next", 4);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__a_mark_that_kills_too_spoils_its_object_for_good)
{
    uint64_t size;
    uint8_t value;
    start();
    uint64_t oid = rig_make(&r, 0, "content", 7);
    r.store.poison_lsn = 2; /* CREATE is 1 */
    r.store.poison_marks = true;
    (void)rig_sync(&r, 0, OID_NONE); /* tells the loss, once */
    ck_assert_int_eq(rig_sync(&r, 0, OID_NONE), OK);
    ck_assert_uint_eq(fake_report_count(REPORT_READ_ONLY), 1);
    ck_assert_int_eq(rig_getattr(&r, 0, oid, &size, &value, false), E_LOST);
    ck_assert_uint_eq(store_find(&r.store.checkpoint, oid)->attr[0], 0xff);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__too_many_poisons_make_the_pool_read_only)
{
    start();
    r.store.die_op = OBJECT_CREATE;
    r.store.die_again = STORE_ANY_OBJECT;
    enum err e = OK;
    uint32_t made = 0;
    while (e != E_ROFS && made < 40) {
        uint64_t oid;
        r.sequence[0]++;
        e = rig_begin(&r, 0, NULL);
        if (e == OK)
            e = rig_create(&r, 0, &oid);
        if (e == OK)
            e = rig_commit(&r, 0);
        made++;
    }
    ck_assert_int_eq(e, E_ROFS);
    ck_assert_uint_gt(made, 8);
    ck_assert_uint_eq(fake_report_count(REPORT_READ_ONLY), 1);
    ck_assert_uint_eq(r.crashes, 0);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__a_death_of_physical_while_idle_is_noticed)
{
    rig_init(&r);
    r.physical = true;
    rig_start(&r);
    script_run(&s, &r);
    uint32_t before = r.store.restores;
    fake_kill(LAYER_PHYSICAL, 0);
    fake_restart(LAYER_PHYSICAL, 0);
    (void)fake_run();
    ck_assert_uint_eq(r.store.restores, before + 1);
    script_expect(&s, &r, "physical died", 0);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__layers_below_that_cannot_be_restored_are_an_error_not_a_hang)
{
    rig_init(&r);
    r.store.fail_until = 1000;
    r.store.fail_with = E_MEDIA;
    rig_start(&r);
    ck_assert(fake_is_ready());
    uint64_t size;
    uint8_t value;
    ck_assert_int_eq(rig_getattr(&r, 0, OID_SHARED_ROOT, &size, &value, false), E_MEDIA);
    ck_assert_int_eq(rig_sync(&r, 0, OID_NONE), E_MEDIA);
    rig_fini(&r);
}
END_TEST

START_TEST(test_cache__own_crash_with_the_log_off_keeps_what_was_synced)
{
    bool fired = true;
    for (uint64_t n = 1; fired; n++) {
        rig_init(&r);
        r.boot.options.log = false;
        rig_start(&r);
        uint64_t oid = 0, later = 0, size;
        uint8_t value, back[4];
        uint32_t moved;
        r.sequence[0] = 1;
        ck_assert_int_eq(rig_begin(&r, 0, NULL), OK);
        ck_assert_int_eq(rig_create(&r, 0, &oid), OK);
        ck_assert_int_eq(rig_write(&r, 0, oid, 0, "kept", 4), OK);
        ck_assert_int_eq(rig_commit(&r, 0), OK);
        ck_assert_int_eq(rig_sync(&r, 0, oid), OK);
        fake_crash_at_call(n);
        r.sequence[0] = 2;
        enum err e = rig_begin(&r, 0, NULL);
        if (e == OK)
            e = rig_create(&r, 0, &later);
        if (e == OK)
            e = rig_setattr(&r, 0, oid, 99);
        if (e == OK)
            e = rig_commit(&r, 0);
        if (e == OK)
            e = rig_sync(&r, 0, oid);
        fired = r.crashes > 0;
        fake_crash_at_call(0);
        ck_assert_msg(fake_is_ready(), "%s", fake_crash());
        enum err alive = E_DEAD;
        while (alive == E_DEAD) /* it may have died after its last answer */
            alive = rig_read(&r, 0, oid, 0, back, 4, &moved, false);
        ck_assert_int_eq(alive, OK);
        ck_assert_mem_eq(back, "kept", 4);
        ck_assert_int_eq(rig_getattr(&r, 0, oid, &size, &value, false), OK);
        ck_assert(value == 99 || (value == 7 && e != OK));
        enum err found = rig_getattr(&r, 0, later, &size, &value, false);
        ck_assert(found == OK || e != OK);
        rig_fini(&r);
    }
}
END_TEST

CHECK_MAIN(
    "cache_faults", 300, tcase_add_test(tc, test_cache__script_without_faults);
    tcase_add_test(tc, test_cache__death_below_before_the_nth_call_is_transparent);
    tcase_add_test(tc, test_cache__death_below_after_the_nth_call_is_transparent);
    tcase_add_test(tc, test_cache__death_below_during_recovery_is_transparent);
    tcase_add_test(tc, test_cache__its_own_crash_at_the_nth_platform_call_keeps_what_was_answered);
    tcase_add_test(tc, test_cache__its_own_crash_at_each_probe_keeps_what_was_answered);
    tcase_add_test(tc, test_cache__own_crash_then_death_below_keeps_what_was_answered);
    tcase_add_test(tc, test_cache__short_of_space_below_once_is_transparent);
    tcase_add_test(tc, test_cache__an_error_below_is_never_silent);
    tcase_add_test(tc, test_cache__log_off_goes_back_to_the_last_checkpoint);
    tcase_add_test(tc, test_cache__a_poison_create_is_skipped_alone);
    tcase_add_test(tc, test_cache__a_poison_cut_stays_an_error_after_a_restart);
    tcase_add_test(tc, test_cache__a_poison_page_is_skipped_alone);
    tcase_add_test(tc, test_cache__a_block_that_cannot_be_written_is_an_error_for_its_object_alone);
    tcase_add_test(tc, test_cache__a_mark_that_kills_too_spoils_its_object_for_good);
    tcase_add_test(tc, test_cache__too_many_poisons_make_the_pool_read_only);
    tcase_add_test(tc, test_cache__a_death_of_physical_while_idle_is_noticed);
    tcase_add_test(tc, test_cache__layers_below_that_cannot_be_restored_are_an_error_not_a_hang);
    tcase_add_test(tc, test_cache__own_crash_with_the_log_off_keeps_what_was_synced);)
