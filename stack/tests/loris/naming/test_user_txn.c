/* Requests in user transactions: each is a savepoint, queries too, and answers pass unchanged. */
#include "scripts/check_main.h"
#include "stack/tests/loris/naming/naming_rig.h"

static enum err ask(enum vfs_op op, uint64_t ino, const char *name, uint64_t outer)
{
    struct vfs_request r = {.op = op, .ino = ino, .mode = 0644, .outer = outer};
    struct vfs_reply reply;
    enum err result;
    r.sequence = ++rig_sequence;
    r.attempt = 1;
    r.generation = rig_generation;
    ck_assert(rig_ask(&r, name, NULL, NULL, 0, &result, &reply));
    return result;
}

START_TEST(test_user_txn__queries_are_savepoints_only_inside)
{
    uint64_t f = rig_make(VFS_CREATE, ROOT, "f");
    uint64_t begun = fake_cache_count(OBJECT_TXN_BEGIN), commits = fake_cache_commits();
    ck_assert_int_eq(ask(VFS_STAT, f, NULL, 0), OK);
    ck_assert_uint_eq(fake_cache_count(OBJECT_TXN_BEGIN), begun);
    ck_assert_int_eq(ask(VFS_STAT, f, NULL, 5), OK);
    ck_assert_int_eq(ask(VFS_LOOKUP, ROOT, "f", 5), OK);
    ck_assert_uint_eq(fake_cache_count(OBJECT_TXN_BEGIN), begun + 2);
    ck_assert_uint_eq(fake_cache_commits(), commits + 2);
}
END_TEST

START_TEST(test_user_txn__begin_and_abort_run_in_none_and_commit_in_one)
{
    uint64_t begun = fake_cache_count(OBJECT_TXN_BEGIN), commits = fake_cache_commits();
    ck_assert_int_eq(ask(VFS_BEGIN, 0, NULL, 5), OK);
    ck_assert_int_eq(ask(VFS_ABORT, 0, NULL, 5), OK);
    ck_assert_uint_eq(fake_cache_count(OBJECT_USER_BEGIN), 1);
    ck_assert_uint_eq(fake_cache_count(OBJECT_USER_ABORT), 1);
    ck_assert_uint_eq(fake_cache_count(OBJECT_TXN_BEGIN), begun);
    ck_assert_int_eq(ask(VFS_COMMIT, 0, NULL, 5), OK);
    ck_assert_uint_eq(fake_cache_count(OBJECT_USER_END), 1);
    ck_assert_uint_eq(fake_cache_commits(), commits + 1);
    ck_assert_int_eq(ask(VFS_COMMIT, 0, NULL, 0), E_INVAL);
}
END_TEST

START_TEST(test_user_txn__wait_and_abort_come_back_as_they_are)
{
    static const enum err errors[] = {E_WAIT, E_ABORT, E_2BIG};
    for (uint32_t k = 0; k < 3; k++) {
        fake_cache_fail(OBJECT_TXN_BEGIN, errors[k], 1);
        ck_assert_int_eq(ask(VFS_CREATE, ROOT, "f", 5), errors[k]);
        fake_cache_fail(OBJECT_CREATE, errors[k], 1);
        ck_assert_int_eq(ask(VFS_CREATE, ROOT, "f", 5), errors[k]);
    }
    ck_assert_int_eq(ask(VFS_CREATE, ROOT, "f", 5), OK);
}
END_TEST

START_TEST(test_user_txn__h33_a_commit_takes_effect_once_over_the_caches_deaths)
{
    bool fired = true;
    for (uint64_t n = 1; fired; n++) {
        rig_start();
        uint64_t commits = fake_cache_commits();
        fake_cache_die_at(n);
        ck_assert_int_eq(ask(VFS_COMMIT, 0, NULL, 5), OK);
        fired = fake_cache_deaths() > 0;
        ck_assert_uint_eq(fake_cache_commits(), commits + 1);
        ck_assert_uint_lt(n, 20);
    }
}
END_TEST

CHECK_MAIN("naming_user_txn", 30, tcase_add_checked_fixture(tc, rig_start, NULL);
           tcase_add_test(tc, test_user_txn__queries_are_savepoints_only_inside);
           tcase_add_test(tc, test_user_txn__begin_and_abort_run_in_none_and_commit_in_one);
           tcase_add_test(tc, test_user_txn__wait_and_abort_come_back_as_they_are);
           tcase_add_test(tc,
                          test_user_txn__h33_a_commit_takes_effect_once_over_the_caches_deaths);)
