/* User transactions in the VFS: whose calls are in them, what ends them, and who waits. */
#include <string.h>

#include "call.h"
#include "scripts/check_main.h"
#include "stack/tests/fake_platform.h"
#include "stack/tests/loris/vfs/vfs_rig.h"

static enum err txn(uint32_t from, enum call_op op)
{
    return rig_call_of(from, (struct call_request){.op = op, .fd = -1}, NULL, NULL, NULL, 0);
}

static enum err stat_by(uint32_t from, const char *path)
{
    return rig_call_of(from, (struct call_request){.op = CALL_STAT, .fd = -1}, path, NULL, NULL, 0);
}

/* The transaction that the last request of the log bears. */
static uint64_t last_outer(void)
{
    uint32_t count;
    const struct tree_request *log = tree_log(&count);
    ck_assert_uint_gt(count, 0);
    return log[count - 1].request.outer;
}

START_TEST(test_transactions__calls_of_their_process_bear_their_number)
{
    uint32_t other = fake_client(LAYER_APP, 1);
    rig_make_file("f");
    ck_assert_uint_eq(last_outer(), 0);
    ck_assert_int_eq(txn(rig_app, CALL_COMMIT), E_ARG);
    ck_assert_int_eq(txn(rig_app, CALL_ABORT), E_ARG);
    ck_assert_int_eq(txn(rig_app, CALL_BEGIN), OK);
    uint64_t outer = last_outer();
    ck_assert_uint_ne(outer, 0);
    (void)rig_ino_of("f");
    ck_assert_uint_eq(last_outer(), outer);
    ck_assert_int_eq(stat_by(other, "f"), OK);
    ck_assert_uint_eq(last_outer(), 0);
    ck_assert_int_eq(txn(other, CALL_BEGIN), OK);
    ck_assert_uint_ne(last_outer(), outer);
    ck_assert_int_eq(txn(rig_app, CALL_BEGIN), E_BUSY);
    ck_assert_int_eq(txn(rig_app, CALL_SYNC), E_ARG);
    ck_assert_int_eq(txn(rig_app, CALL_COMMIT), OK);
    ck_assert_uint_eq(last_outer(), outer);
    (void)rig_ino_of("f");
    ck_assert_uint_eq(last_outer(), 0);
}
END_TEST

START_TEST(test_transactions__h33_once_aborted_nothing_runs_alone)
{
    rig_make_file("f");
    static const enum call_op ends[] = {CALL_COMMIT, CALL_ABORT};
    for (uint32_t k = 0; k < 2; k++) {
        ck_assert_int_eq(txn(rig_app, CALL_BEGIN), OK);
        tree_fail(VFS_LOOKUP, E_ABORT, 1);
        ck_assert_int_eq(stat_by(rig_app, "f"), E_ABORT);
        tree_forget_log();
        ck_assert_int_eq(stat_by(rig_app, "f"), E_ABORT);
        ck_assert_int_eq(rig_call(CALL_UNLINK, "f", NULL), E_ABORT);
        ck_assert_int_eq(txn(rig_app, CALL_SYNC), E_ABORT);
        ck_assert_int_eq(txn(rig_app, CALL_BEGIN), E_ABORT);
        ck_assert_int_eq(txn(rig_app, ends[k]), k == 0 ? E_ABORT : OK);
        uint32_t count;
        (void)tree_log(&count);
        ck_assert_uint_eq(count, 0);
        ck_assert_int_eq(stat_by(rig_app, "f"), OK);
        ck_assert_uint_eq(last_outer(), 0);
    }
}
END_TEST

START_TEST(test_transactions__a_commit_that_fails_is_aborted_below)
{
    ck_assert_int_eq(txn(rig_app, CALL_BEGIN), OK);
    tree_fail(VFS_COMMIT, E_NOSPC, 1);
    tree_forget_log();
    ck_assert_int_eq(txn(rig_app, CALL_COMMIT), E_NOSPC);
    ck_assert_uint_eq(tree_count(VFS_ABORT), 1);
    ck_assert_int_eq(txn(rig_app, CALL_COMMIT), E_ARG);
}
END_TEST

START_TEST(test_transactions__an_abort_closes_what_was_opened_in_it)
{
    for (uint32_t commit = 0; commit < 2; commit++) {
        int32_t before = rig_must_open("f", CALL_CREATE);
        ck_assert_int_eq(txn(rig_app, CALL_BEGIN), OK);
        int32_t fd = rig_must_open("f", 0);
        ck_assert_int_eq(txn(rig_app, commit ? CALL_COMMIT : CALL_ABORT), OK);
        ck_assert_int_eq(rig_on_fd(CALL_CLOSE, fd), commit ? OK : E_BADF);
        ck_assert_int_eq(rig_on_fd(CALL_CLOSE, before), OK);
    }
}
END_TEST

START_TEST(test_transactions__an_orphan_is_released_after_the_commit_only)
{
    for (uint32_t commit = 0; commit < 2; commit++) {
        int32_t fd = rig_must_open("f", CALL_CREATE);
        ck_assert_int_eq(txn(rig_app, CALL_BEGIN), OK);
        rig_make(CALL_UNLINK, "f");
        tree_forget_log();
        ck_assert_int_eq(rig_on_fd(CALL_CLOSE, fd), OK);
        ck_assert_uint_eq(tree_count(VFS_RELEASE), 0);
        ck_assert_int_eq(txn(rig_app, commit ? CALL_COMMIT : CALL_ABORT), OK);
        ck_assert_uint_eq(tree_count(VFS_RELEASE), commit);
        if (commit)
            ck_assert_uint_eq(last_outer(), 0);
    }
}
END_TEST

START_TEST(test_transactions__who_meets_one_waits_while_others_are_served)
{
    uint32_t other = fake_client(LAYER_APP, 1);
    rig_make_file("f");
    ck_assert_int_eq(txn(other, CALL_BEGIN), OK);
    tree_fail(VFS_LOOKUP, E_WAIT, 1);
    struct msg m;
    struct call_request r = {.op = CALL_STAT, .fd = -1, .path_bytes = 1};
    r.path_grant = fake_grant(rig_app, (void *)(uintptr_t) "f", 1, PLAT_GRANT_READ);
    call_request_pack(&m, 1, &r);
    ck_assert(!fake_call_for(rig_app, &m, 1000)); /* not yet */
    ck_assert_int_eq(txn(other, CALL_COMMIT), OK);
    ck_assert(fake_take_reply(rig_app, &m)); /* the end of a transaction wakes it */
    ck_assert_int_eq(m.status, OK);
    tree_fail(VFS_LOOKUP, E_WAIT, 3); /* another environment's ends unheard */
    call_request_pack(&m, 2, &r);
    ck_assert(fake_call_for(rig_app, &m, 100000000));
    ck_assert_int_eq(m.status, OK);
}
END_TEST

START_TEST(test_transactions__callers_that_die_waiting_make_room)
{
    struct msg m;
    struct call_request r = {.op = CALL_STAT, .fd = -1, .path_bytes = 1};
    rig_make_file("f");
    tree_fail(VFS_LOOKUP, E_WAIT, 1000);
    for (uint32_t k = 0; k < 100; k++) { /* more than it has room for at a time */
        uint32_t mortal = fake_client(LAYER_APP, 1);
        r.path_grant = fake_grant(mortal, (void *)(uintptr_t) "f", 1, PLAT_GRANT_READ);
        call_request_pack(&m, 1, &r);
        ck_assert(!fake_call_for(mortal, &m, 1000));
        fake_client_die(mortal);
    }
    tree_fail(VFS_LOOKUP, OK, 0);
    ck_assert_int_eq(stat_by(rig_app, "f"), OK);
}
END_TEST

START_TEST(test_transactions__that_of_a_dead_process_is_aborted)
{
    ck_assert_int_eq(txn(rig_app, CALL_BEGIN), OK);
    uint64_t outer = last_outer();
    fake_client_die(rig_app);
    tree_forget_log();
    (void)fake_run_until(fake_now() + 1000000000);
    ck_assert_uint_eq(tree_count(VFS_ABORT), 1);
    ck_assert_uint_eq(last_outer(), outer);
}
END_TEST

CHECK_MAIN("vfs_transactions", 30, tcase_add_checked_fixture(tc, rig_start, NULL);
           tcase_add_test(tc, test_transactions__calls_of_their_process_bear_their_number);
           tcase_add_test(tc, test_transactions__h33_once_aborted_nothing_runs_alone);
           tcase_add_test(tc, test_transactions__a_commit_that_fails_is_aborted_below);
           tcase_add_test(tc, test_transactions__an_abort_closes_what_was_opened_in_it);
           tcase_add_test(tc, test_transactions__an_orphan_is_released_after_the_commit_only);
           tcase_add_test(tc, test_transactions__who_meets_one_waits_while_others_are_served);
           tcase_add_test(tc, test_transactions__callers_that_die_waiting_make_room);
           tcase_add_test(tc, test_transactions__that_of_a_dead_process_is_aborted);)
