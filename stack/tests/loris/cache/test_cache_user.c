/* User transactions: savepoints, isolation, deadlock, size, and every death (H33). */
#include <string.h>

#include "cache_rig.h"
#include "scripts/check_main.h"

#define PLACES_MAX 5000u

static struct rig r;
static uint8_t data[64 * BLOCK_BYTES], back[64 * BLOCK_BYTES];

static void start(void)
{
    rig_init(&r);
    rig_start(&r);
    ck_assert_msg(fake_is_ready(), "%s", fake_crash());
}

static enum err begin(uint32_t env)
{
    r.sequence[env]++;
    return rig_begin(&r, env, NULL);
}

/* A file with an attribute and two blocks, made outside of any user transaction. */
static uint64_t make(uint8_t value)
{
    uint64_t oid = 0;
    ck_assert_int_eq(begin(0), OK);
    ck_assert_int_eq(rig_create(&r, 0, &oid), OK);
    memset(data, value, sizeof(data));
    ck_assert_int_eq(rig_write(&r, 0, oid, 0, data, 2 * BLOCK_BYTES), OK);
    ck_assert_int_eq(rig_setattr(&r, 0, oid, value), OK);
    ck_assert_int_eq(rig_commit(&r, 0), OK);
    return oid;
}

static void open_user(uint32_t env, uint64_t outer)
{
    r.outer[env] = outer;
    ck_assert_int_eq(rig_user(&r, env, OBJECT_USER_BEGIN), OK);
}

/* One request: fills both blocks and the attribute with `value`. */
static enum err change(uint32_t env, uint64_t oid, uint8_t value)
{
    enum err e = begin(env);
    memset(data, value, 2 * BLOCK_BYTES);
    if (e == OK)
        e = rig_write(&r, env, oid, 0, data, 2 * BLOCK_BYTES);
    if (e == OK)
        e = rig_setattr(&r, env, oid, value);
    return e == OK ? rig_commit(&r, env) : e;
}

/* A user transaction of environment 0 has changed the file that is returned from 1 to 2. */
static uint64_t start_with_change(void)
{
    start();
    uint64_t a = make(1);
    open_user(0, 7);
    ck_assert_int_eq(change(0, a, 2), OK);
    return a;
}

static enum err end_user(uint32_t env)
{
    enum err e = begin(env);
    if (e == OK)
        e = rig_user(&r, env, OBJECT_USER_END);
    return e == OK ? rig_commit(&r, env) : e;
}

/* What everybody sees of it: the value, 0 if it is a mixture. */
static uint8_t seen(uint64_t oid)
{
    uint64_t outer = r.outer[2], size = 0;
    uint32_t moved = 0;
    uint8_t value = 0;
    r.outer[2] = 0;
    enum err e = rig_getattr(&r, 2, oid, &size, &value, false);
    if (e == E_DEAD) /* it died behind its last answer */
        e = rig_getattr(&r, 2, oid, &size, &value, false);
    ck_assert_int_eq(e, OK);
    ck_assert_int_eq(rig_read(&r, 2, oid, 0, back, sizeof(back), &moved, false), OK);
    r.outer[2] = outer;
    bool whole = size == 2 * BLOCK_BYTES && moved == size;
    for (uint32_t k = 0; k < moved; k++)
        whole = whole && back[k] == value;
    return whole ? value : 0;
}

START_TEST(test_user__requests_see_those_before_them_and_others_see_none)
{
    start();
    uint64_t a = make(1), b = make(1), made = 0, size;
    uint32_t moved;
    uint8_t value;
    open_user(0, 7);
    ck_assert_int_eq(change(0, a, 2), OK);
    ck_assert_int_eq(begin(0), OK);
    ck_assert_int_eq(rig_create(&r, 0, &made), OK);
    ck_assert_int_eq(rig_commit(&r, 0), OK);
    ck_assert_int_eq(change(0, made, 2), OK);
    ck_assert_int_eq(begin(0), OK);
    ck_assert_int_eq(rig_read(&r, 0, a, 0, back, sizeof(back), &moved, true), OK);
    ck_assert_uint_eq(back[100], 2);
    ck_assert_int_eq(rig_truncate(&r, 0, a, 10), OK);
    ck_assert_int_eq(rig_write(&r, 0, a, 0, data, 2 * BLOCK_BYTES), OK);
    ck_assert_int_eq(rig_delete(&r, 0, b), OK);
    ck_assert_int_eq(rig_commit(&r, 0), OK);
    ck_assert_uint_eq(seen(a), 1);
    ck_assert_uint_eq(seen(b), 1);
    ck_assert_int_eq(rig_getattr(&r, 1, made, &size, &value, false), E_NOENT);
    ck_assert_int_eq(end_user(0), OK);
    r.outer[0] = 0;
    ck_assert_uint_eq(seen(a), 2);
    ck_assert_uint_eq(seen(made), 2);
    ck_assert_int_eq(rig_getattr(&r, 1, b, &size, &value, false), E_NOENT);
    rig_fini(&r);
}
END_TEST

START_TEST(test_user__a_request_that_is_taken_back_leaves_those_before_it)
{
    start();
    uint64_t a = make(1), made = 0;
    uint32_t moved;
    open_user(0, 7);
    ck_assert_int_eq(change(0, a, 2), OK);
    ck_assert_int_eq(begin(0), OK);
    ck_assert_int_eq(rig_create(&r, 0, &made), OK);
    ck_assert_int_eq(rig_truncate(&r, 0, a, 0), OK);
    ck_assert_int_eq(rig_abort(&r, 0), OK);
    ck_assert_int_eq(begin(0), OK);
    ck_assert_int_eq(rig_read(&r, 0, a, 0, back, sizeof(back), &moved, true), OK);
    ck_assert_uint_eq(moved, 2 * BLOCK_BYTES);
    ck_assert_uint_eq(back[5000], 2);
    ck_assert_int_eq(rig_write(&r, 0, a, 0, "lost", 4), OK);
    struct object_request died = {.op = OBJECT_ENVIRONMENT_DIED};
    struct object_reply reply;
    died.txn.environment = 1; /* naming's death: no generation */
    ck_assert_int_eq(rig_call(&r, 0, &died, &reply, false), OK);
    ck_assert_int_eq(rig_commit(&r, 0), E_AGAIN);
    ck_assert_int_eq(end_user(0), OK);
    ck_assert_uint_eq(seen(a), 2);
    rig_fini(&r);
}
END_TEST

START_TEST(test_user__a_request_takes_effect_once)
{
    start();
    uint64_t a = make(1);
    bool done = false;
    open_user(0, 7);
    open_user(0, 7); /* the same again */
    ck_assert_int_eq(change(0, a, 2), OK);
    ck_assert_int_eq(rig_begin(&r, 0, &done), OK);
    ck_assert(done);
    ck_assert_int_eq(end_user(0), OK);
    ck_assert_int_eq(rig_begin(&r, 0, &done), OK); /* the commit, too, once it is over */
    ck_assert(done);
    ck_assert_int_eq(change(0, a, 3), E_ABORT);
    ck_assert_uint_eq(seen(a), 2);
    rig_fini(&r);
}
END_TEST

START_TEST(test_user__an_abort_leaves_nothing_and_no_lock)
{
    uint64_t a = start_with_change();
    ck_assert_int_eq(change(1, a, 3), E_WAIT);
    ck_assert_int_eq(rig_abort(&r, 1), OK);
    ck_assert_int_eq(rig_user(&r, 0, OBJECT_USER_ABORT), OK);
    ck_assert_int_eq(rig_user(&r, 0, OBJECT_USER_ABORT), OK);
    ck_assert_uint_eq(seen(a), 1);
    ck_assert_int_eq(change(1, a, 3), OK);
    ck_assert_int_eq(change(0, a, 2), E_ABORT); /* never alone */
    ck_assert_uint_eq(seen(a), 3);
    rig_fini(&r);
}
END_TEST

START_TEST(test_user__what_was_read_stays_until_the_end)
{
    start();
    uint64_t a = make(1);
    uint32_t moved;
    open_user(0, 7);
    ck_assert_int_eq(begin(0), OK);
    ck_assert_int_eq(rig_read(&r, 0, a, 0, back, 10, &moved, true), OK);
    ck_assert_int_eq(rig_abort(&r, 0), OK); /* even where the request failed after that */
    ck_assert_int_eq(change(1, a, 3), E_WAIT);
    ck_assert_int_eq(rig_abort(&r, 1), OK);
    ck_assert_int_eq(end_user(0), OK);
    ck_assert_int_eq(change(1, a, 3), OK);
    rig_fini(&r);
}
END_TEST

START_TEST(test_user__h33_of_a_cross_locked_pair_the_younger_goes)
{
    for (uint32_t last = 0; last < 2; last++) { /* whoever closes the cycle */
        start();
        uint64_t a = make(1), b = make(1);
        open_user(0, 7);
        open_user(1, 7);
        ck_assert_int_eq(change(0, a, 2), OK);
        ck_assert_int_eq(change(1, b, 3), OK);
        ck_assert_int_eq(change(1 - last, last == 0 ? a : b, 4), E_WAIT);
        ck_assert_int_eq(rig_abort(&r, 1 - last), OK);
        ck_assert_int_eq(change(last, last == 0 ? b : a, 5), last == 0 ? OK : E_ABORT);
        ck_assert_int_eq(change(1, b, 6), E_ABORT);
        ck_assert_int_eq(change(0, b, 7), OK);
        ck_assert_int_eq(end_user(0), OK);
        ck_assert_uint_eq(seen(a), 2);
        ck_assert_uint_eq(seen(b), 7);
        rig_fini(&r);
    }
}
END_TEST

START_TEST(test_user__h33_those_of_an_earlier_vfs_go_and_their_late_commit_is_refused)
{
    uint64_t a = start_with_change();
    ck_assert_int_eq(begin(0), OK);
    ck_assert_int_eq(rig_user(&r, 0, OBJECT_USER_END), OK);
    struct object_request died = {.op = OBJECT_ENVIRONMENT_DIED,
                                  .txn = {.environment = 1, .generation = 2}};
    struct object_reply reply;
    ck_assert_int_eq(rig_call(&r, 0, &died, &reply, false), OK);
    ck_assert_int_eq(rig_commit(&r, 0), E_AGAIN);
    ck_assert_int_eq(rig_begin(&r, 0, NULL), E_ABORT);
    ck_assert_uint_eq(seen(a), 1);
    ck_assert_int_eq(change(1, a, 3), OK);
    rig_fini(&r);
}
END_TEST

START_TEST(test_user__one_that_is_too_large_is_aborted_and_the_rest_goes_on)
{
    start();
    uint64_t a = make(1), big = make(1);
    open_user(0, 7);
    ck_assert_int_eq(change(0, a, 2), OK);
    enum err e = OK;
    uint32_t blocks = 0;
    while (e == OK && blocks < 2048) {
        e = begin(0);
        if (e == OK)
            e = rig_write(&r, 0, big, (uint64_t)blocks * BLOCK_BYTES, data, sizeof(data));
        if (e == OK)
            e = rig_commit(&r, 0);
        blocks += 64;
    }
    ck_assert_int_eq(e, E_2BIG);
    ck_assert_int_eq(change(0, a, 2), E_ABORT);
    ck_assert_uint_eq(seen(a), 1);
    ck_assert_uint_eq(seen(big), 1);
    r.outer[0] = 0;
    ck_assert_int_eq(change(0, a, 3), OK);
    rig_fini(&r);
}
END_TEST

START_TEST(test_user__its_pages_do_not_go_in_place_before_their_checkpoint)
{
    start();
    uint64_t a = make(1);
    ck_assert_int_eq(rig_sync(&r, 0, OID_NONE), OK);
    ck_assert_int_eq(change(0, a, 2), OK);
    r.store.shadowed = 0;
    ck_assert_int_eq(rig_sync(&r, 0, OID_NONE), OK);
    ck_assert_uint_eq(r.store.shadowed, 0); /* what is outside does */
    open_user(0, 7);
    ck_assert_int_eq(change(0, a, 3), OK);
    ck_assert_int_eq(end_user(0), OK);
    r.outer[0] = 0;
    ck_assert_int_eq(begin(0), OK); /* an overwrite outside does not change that */
    ck_assert_int_eq(rig_write(&r, 0, a, 0, data, BLOCK_BYTES), OK);
    ck_assert_int_eq(rig_commit(&r, 0), OK);
    ck_assert_int_eq(rig_sync(&r, 0, OID_NONE), OK);
    ck_assert_uint_eq(r.store.shadowed, 3);
    rig_fini(&r);
}
END_TEST

/* One user transaction over two files; asks again about what a death interrupted. Whether it was
 * committed; both files are of the old or of the new state then. */
static bool run_pair(uint64_t a, uint64_t b)
{
    r.outer[0] = 7;
    r.sequence[0]++;
    enum err e = rig_user(&r, 0, OBJECT_USER_BEGIN);
    if (e == OK)
        e = change(0, a, 2);
    if (e == OK)
        e = change(0, b, 2);
    if (e == OK)
        e = end_user(0);
    for (uint32_t tries = 0; e == E_DEAD && tries < 5; tries++) {
        bool done = false;
        e = rig_begin(&r, 0, &done); /* the cache has died: done, or it knows of nothing */
        ck_assert(e == E_DEAD || e == E_ABORT || (e == OK && done));
    }
    r.outer[0] = 0;
    return e == OK;
}

START_TEST(test_user__h33_the_caches_death_anywhere_leaves_all_or_nothing)
{
    bool fired = true;
    uint32_t committed = 0, died = 0;
    for (uint64_t n = 1; fired; n++) {
        start();
        uint64_t a = make(1), b = make(1);
        fake_crash_at_call(n);
        bool done = run_pair(a, b);
        fired = r.crashes > 0;
        fake_crash_at_call(0);
        uint8_t want = done ? 2 : 1;
        ck_assert_msg(seen(a) == want && seen(b) == want, "call %llu: %u %u, want %u",
                      (unsigned long long)n, seen(a), seen(b), want);
        ck_assert_int_eq(rig_sync(&r, 0, OID_NONE), OK);
        rig_power_cut(&r);
        ck_assert_uint_eq(seen(a), want);
        ck_assert_uint_eq(seen(b), want);
        committed += fired && done ? 1 : 0;
        died += fired ? 1 : 0;
        rig_fini(&r);
        ck_assert_uint_lt(n, PLACES_MAX);
    }
    ck_assert_uint_gt(died, 20);
    ck_assert_uint_gt(committed, 0);
    ck_assert_uint_lt(committed, died);
}
END_TEST

START_TEST(test_user__h33_a_death_below_is_only_a_pause)
{
    bool fired = true;
    for (uint64_t n = 1; fired; n++) {
        start();
        uint64_t a = make(1), b = make(1);
        r.store.how = n % 2 == 0 ? DIE_BEFORE : DIE_AFTER;
        r.store.die_at = r.store.calls + (n + 1) / 2;
        ck_assert(run_pair(a, b));
        ck_assert_int_eq(rig_sync(&r, 0, OID_NONE), OK);
        fired = r.store.deaths > 0;
        r.store.die_at = 0;
        rig_power_cut(&r);
        ck_assert_uint_eq(seen(a), 2);
        ck_assert_uint_eq(seen(b), 2);
        rig_fini(&r);
        ck_assert_uint_lt(n, PLACES_MAX);
    }
}
END_TEST

CHECK_MAIN(
    "cache_user", 120,
    tcase_add_test(tc, test_user__requests_see_those_before_them_and_others_see_none);
    tcase_add_test(tc, test_user__a_request_that_is_taken_back_leaves_those_before_it);
    tcase_add_test(tc, test_user__a_request_takes_effect_once);
    tcase_add_test(tc, test_user__an_abort_leaves_nothing_and_no_lock);
    tcase_add_test(tc, test_user__what_was_read_stays_until_the_end);
    tcase_add_test(tc, test_user__h33_of_a_cross_locked_pair_the_younger_goes);
    tcase_add_test(tc, test_user__h33_those_of_an_earlier_vfs_go_and_their_late_commit_is_refused);
    tcase_add_test(tc, test_user__one_that_is_too_large_is_aborted_and_the_rest_goes_on);
    tcase_add_test(tc, test_user__its_pages_do_not_go_in_place_before_their_checkpoint);
    tcase_add_test(tc, test_user__h33_the_caches_death_anywhere_leaves_all_or_nothing);
    tcase_add_test(tc, test_user__h33_a_death_below_is_only_a_pause);)
