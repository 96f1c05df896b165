/* Checks while the trial runs: right answers pass, each kind of wrong one is caught. */
#include <string.h>

#include "scripts/check_main.h"
#include "workloads/tests/oracle/scene.h"

static struct scene s;

static struct history_call path_call(enum history_kind kind, const char *path)
{
    return (struct history_call){.kind = kind, .path = path, .mode = 0755};
}

static enum history_clause last_clause(void)
{
    uint32_t count = history_wrongs(s.h);
    return count == 0 ? CLAUSE_NONE : history_wrong(s.h, count - 1)->clause;
}

static bool stat_right(uint32_t app, const char *path, struct history_stat stat)
{
    uint32_t op = scene_begin(&s, app, path_call(HISTORY_STAT, path));
    scene_end(&s, op, (struct history_answer){.stat = &stat});
    return !history_op(s.h, op)->wrong;
}

START_TEST(test_history__a_read_is_the_newest_write)
{
    scene_open(&s, 1);
    uint32_t old = scene_file(&s, 0, "f", 8192);
    uint32_t now = scene_write(&s, 0, 100, 5000);
    scene_fill(&s, old, 0, 8192);
    ck_assert(!scene_read(&s, 0, 0, 8192, 8192)); /* stale */
    ck_assert_int_eq(last_clause(), CLAUSE_CONTENT);
    ck_assert_uint_ge(history_wrong(s.h, 0)->bytes, 4990);
    scene_fill(&s, now, 100, 5000);
    ck_assert(scene_read(&s, 0, 0, 8192, 8192));
    ck_assert(scene_read(&s, 0, 8000, 4096, 192)); /* the end of the file */
    ck_assert(scene_read(&s, 0, 9000, 10, 0));
    s.bytes[4000] ^= 1;
    ck_assert(!scene_read(&s, 0, 4000, 1, 1));
    s.bytes[4000] ^= 1;
    ck_assert(!scene_read(&s, 0, 0, 8192, 8000));
    ck_assert_int_eq(last_clause(), CLAUSE_SIZE);
    memset(s.bytes, 0, 64);
    ck_assert(!scene_read(&s, 0, 0, 64, 64));
    ck_assert_int_eq(last_clause(), CLAUSE_ZEROS);
    scene_fill(&s, old, 512, 64);
    ck_assert(!scene_read(&s, 0, 512, 64, 64)); /* what was there before */
    ck_assert_int_eq(last_clause(), CLAUSE_CONTENT);
    scene_fill(&s, now, 4096, 64);
    memcpy(s.bytes + 512, s.bytes + 4096, 64);
    ck_assert(!scene_read(&s, 0, 512, 64, 64)); /* of another place */
    ck_assert_int_eq(last_clause(), CLAUSE_FOREIGN);
    scene_close(&s);
}
END_TEST

START_TEST(test_history__holes_and_growth_are_zeros)
{
    scene_open(&s, 1);
    uint32_t w = scene_file(&s, 0, "f", 100);
    uint32_t far = scene_write(&s, 0, 10000, 10);
    (void)scene_do(&s, 0, (struct history_call){.kind = HISTORY_TRUNCATE, .path = "f", .size = 50},
                   OK);
    (void)scene_do(&s, 0,
                   (struct history_call){.kind = HISTORY_TRUNCATE, .path = "f", .size = 12000}, OK);
    memset(s.bytes, 0, sizeof(s.bytes));
    scene_fill(&s, w, 0, 50);
    ck_assert(scene_read(&s, 0, 0, 20000, 12000));
    scene_fill(&s, far, 10000, 10);
    ck_assert(!scene_read(&s, 0, 0, 20000, 12000)); /* cut off, then grown over */
    scene_close(&s);
}
END_TEST

START_TEST(test_history__an_append_goes_where_the_answer_says)
{
    scene_open(&s, 1);
    uint32_t w = scene_file(&s, 0, "f", 100);
    struct history_call call = {
        .kind = HISTORY_WRITE, .fd = 3, .offset = HISTORY_AT_END, .length = 64};
    uint32_t a = scene_begin(&s, 0, call);
    history_fill(s.h, a, 0, s.bytes + 100, 64);
    scene_end(&s, a, (struct history_answer){.moved = 64, .offset = 100});
    scene_fill(&s, w, 0, 100);
    ck_assert(scene_read(&s, 0, 0, 200, 164));
    uint32_t b = scene_begin(&s, 0, call);
    history_fill(s.h, b, 0, s.bytes + 200, 64);
    scene_end(&s, b,
              (struct history_answer){.moved = 60, .offset = 200}); /* elsewhere, and short */
    memset(s.bytes + 164, 0, 36);
    ck_assert(scene_read(&s, 0, 0, 300, 260));
    ck_assert_uint_eq(history_wrongs(s.h), 0);
    scene_close(&s);
}
END_TEST

START_TEST(test_history__stat_tells_type_size_mode_and_links)
{
    scene_open(&s, 1);
    (void)scene_file(&s, 0, "f", 100);
    struct history_stat stat = {.size = 100, .type = HISTORY_FILE, .mode = 0644, .nlink = 1};
    ck_assert(stat_right(0, "f", stat));
    (void)scene_do(&s, 0, (struct history_call){.kind = HISTORY_LINK, .path = "f", .path2 = "g"},
                   OK);
    ck_assert(!stat_right(0, "f", stat));
    ck_assert_int_eq(last_clause(), CLAUSE_LINKS);
    stat.nlink = 2;
    ck_assert(stat_right(0, "g", stat));
    stat.size = 99;
    ck_assert(!stat_right(0, "g", stat));
    ck_assert_int_eq(last_clause(), CLAUSE_SIZE);
    stat.size = 100;
    stat.mode = 0600;
    ck_assert(!stat_right(0, "g", stat));
    ck_assert_int_eq(last_clause(), CLAUSE_ATTRIBUTE);
    stat.mode = 0644;
    stat.type = HISTORY_DIRECTORY;
    ck_assert(!stat_right(0, "g", stat));
    ck_assert_int_eq(last_clause(), CLAUSE_TYPE);
    scene_close(&s);
}
END_TEST

START_TEST(test_history__an_answer_about_names_must_be_true)
{
    scene_open(&s, 1);
    (void)scene_do(&s, 0, path_call(HISTORY_MKDIR, "d"), OK);
    (void)scene_file(&s, 0, "d/f", 10);
    (void)scene_do(&s, 0, path_call(HISTORY_STAT, "d/g"), E_NOENT);
    (void)scene_do(&s, 0, path_call(HISTORY_RMDIR, "d"), E_NOTEMPTY);
    (void)scene_do(&s, 0, path_call(HISTORY_MKDIR, "d"), E_EXIST);
    (void)scene_do(&s, 0, path_call(HISTORY_MKDIR, "e"), E_NOSPC); /* may always be */
    (void)scene_do(&s, 0, path_call(HISTORY_RMDIR, "e"), E_NOENT);
    (void)scene_do(&s, 0, path_call(HISTORY_UNLINK, "d/f"), E_IO); /* in doubt from now on */
    (void)scene_do(&s, 0, path_call(HISTORY_UNLINK, "d/f"), E_NOENT);
    (void)scene_do(&s, 0, path_call(HISTORY_RMDIR, "d"), OK);
    ck_assert_uint_eq(history_wrongs(s.h), 0);
    (void)scene_do(&s, 0, path_call(HISTORY_MKDIR, "d"), E_EXIST);
    ck_assert_int_eq(last_clause(), CLAUSE_ANSWER);
    (void)scene_do(&s, 0, path_call(HISTORY_UNLINK, "x"), OK);
    ck_assert_uint_eq(history_wrongs(s.h), 2);
    ck_assert_int_eq(last_clause(), CLAUSE_ANSWER);
    scene_close(&s);
}
END_TEST

static bool list_right(const char *const *names)
{
    uint32_t op = scene_begin(&s, 0, path_call(HISTORY_READDIR, "d"));
    for (; *names != NULL; names++)
        history_entry(s.h, op, *names, 0);
    scene_end(&s, op, (struct history_answer){.result = OK});
    return !history_op(s.h, op)->wrong;
}

START_TEST(test_history__a_listing_has_each_name_once)
{
    scene_open(&s, 1);
    (void)scene_do(&s, 0, path_call(HISTORY_MKDIR, "d"), OK);
    (void)scene_file(&s, 0, "d/a", 10);
    (void)scene_file(&s, 0, "d/b", 10);
    (void)scene_file(&s, 0, "d/gone", 10);
    (void)scene_do(&s, 0, path_call(HISTORY_UNLINK, "d/gone"), OK);
    ck_assert(list_right((const char *[]){".", "..", "b", "a", NULL}));
    ck_assert(!list_right((const char *[]){"a", NULL}));
    ck_assert(!list_right((const char *[]){"a", "b", "gone", NULL}));
    ck_assert(!list_right((const char *[]){"a", "b", "never", NULL}));
    ck_assert(!list_right((const char *[]){"a", "b", "a", NULL}));
    ck_assert_int_eq(last_clause(), CLAUSE_NAME);
    scene_close(&s);
}
END_TEST

START_TEST(test_history__symbolic_links_lead_on)
{
    scene_open(&s, 1);
    (void)scene_do(&s, 0, path_call(HISTORY_MKDIR, "d"), OK);
    (void)scene_do(&s, 0,
                   (struct history_call){.kind = HISTORY_SYMLINK, .path = "/d", .path2 = "l"}, OK);
    (void)scene_do(&s, 0,
                   (struct history_call){.kind = HISTORY_SYMLINK, .path = "me", .path2 = "me"}, OK);
    (void)scene_file(&s, 0, "l/f", 10);
    (void)scene_do(&s, 0, path_call(HISTORY_UNLINK, "d/f"), OK);
    (void)scene_do(&s, 0, path_call(HISTORY_RMDIR, "l/../d"), OK);
    (void)scene_do(&s, 0, path_call(HISTORY_CHMOD, "me"), E_LOOP);
    uint32_t op = scene_begin(&s, 0, path_call(HISTORY_READLINK, "l"));
    scene_end(&s, op, (struct history_answer){.moved = 2, .data = (const uint8_t *)"/d"});
    ck_assert_uint_eq(history_wrongs(s.h), 0);
    op = scene_begin(&s, 0, path_call(HISTORY_READLINK, "l"));
    scene_end(&s, op, (struct history_answer){.moved = 2, .data = (const uint8_t *)"/e"});
    ck_assert_uint_eq(history_wrongs(s.h), 1);
    scene_close(&s);
}
END_TEST

START_TEST(test_history__what_runs_at_the_same_time_may_be_seen_or_not)
{
    scene_open(&s, 2);
    uint32_t w = scene_file(&s, 0, "shared/f", 4096);
    (void)scene_do(&s, 1, path_call(HISTORY_OPEN, "/shared/f"), OK);
    struct history_call call = {.kind = HISTORY_WRITE, .fd = 3, .offset = 0, .length = 8192};
    uint32_t late = scene_begin(&s, 0, call);
    scene_fill(&s, w, 0, 4096);
    ck_assert(scene_read(&s, 1, 0, 8192, 4096));
    scene_fill(&s, late, 0, 8192);
    ck_assert(scene_read(&s, 1, 0, 8192, 8192));
    scene_end(&s, late, (struct history_answer){.moved = 8192});
    ck_assert(scene_read(&s, 1, 0, 8192, 8192));
    scene_fill(&s, w, 0, 4096);
    ck_assert(!scene_read(&s, 1, 0, 4096, 4096)); /* it ended before this read began */
    scene_close(&s);
}
END_TEST

START_TEST(test_history__an_unlinked_file_is_read_through_its_descriptor)
{
    scene_open(&s, 1);
    uint32_t w = scene_file(&s, 0, "f", 100);
    (void)scene_do(&s, 0, path_call(HISTORY_UNLINK, "f"), OK);
    scene_fill(&s, w, 0, 100);
    ck_assert(scene_read(&s, 0, 0, 100, 100));
    s.bytes[0] ^= 1;
    ck_assert(!scene_read(&s, 0, 0, 100, 100));
    scene_close(&s);
}
END_TEST

START_TEST(test_history__a_request_while_one_is_in_flight_is_a_bug)
{
    scene_open(&s, 1);
    (void)scene_begin(&s, 0, path_call(HISTORY_MKDIR, "d"));
    (void)scene_begin(&s, 0, path_call(HISTORY_MKDIR, "e"));
}
END_TEST

START_TEST(test_history__a_user_transaction_is_seen_by_its_own_application_only)
{
    scene_open(&s, 1);
    uint32_t other = history_add_app(s.h, 0);
    (void)scene_do(&s, 0, (struct history_call){.kind = HISTORY_BEGIN}, OK);
    (void)scene_file(&s, 0, "f", 100);
    struct history_call look = {.kind = HISTORY_STAT, .path = "f"};
    (void)scene_do(&s, other, look, E_NOENT);
    (void)scene_do(&s, 0, look, OK);
    ck_assert_uint_eq(history_wrongs(s.h), 0);
    (void)scene_do(&s, other, look, OK); /* half of it shows */
    ck_assert_uint_eq(history_wrongs(s.h), 1);
    (void)scene_do(&s, 0, (struct history_call){.kind = HISTORY_COMMIT}, OK);
    (void)scene_do(&s, other, look, OK);
    ck_assert_uint_eq(history_wrongs(s.h), 1);
    (void)scene_do(&s, other, look, E_NOENT);
    ck_assert_uint_eq(history_wrongs(s.h), 2);
    scene_close(&s);
}
END_TEST

/* Another's transaction removes a name that a listing has given already: it is not missing. */
START_TEST(test_history__a_listing_keeps_what_another_transaction_removes_meanwhile)
{
    scene_open(&s, 1);
    uint32_t other = history_add_app(s.h, 0);
    (void)scene_do(&s, 0, path_call(HISTORY_MKDIR, "d"), OK);
    (void)scene_file(&s, 0, "d/f", 100);
    (void)scene_do(&s, other, (struct history_call){.kind = HISTORY_BEGIN}, OK);
    uint32_t list = scene_begin(&s, 0, path_call(HISTORY_READDIR, "d"));
    history_entry(s.h, list, "f", 0);
    uint32_t move = scene_begin(
        &s, other, (struct history_call){.kind = HISTORY_RENAME, .path = "d/f", .path2 = "f"});
    scene_end(&s, list, (struct history_answer){0});
    ck_assert_uint_eq(history_wrongs(s.h), 0);
    scene_end(&s, move, (struct history_answer){0});
    list = scene_begin(&s, 0, path_call(HISTORY_READDIR, "d"));
    scene_end(&s, list, (struct history_answer){0}); /* before the commit it is missing */
    ck_assert_uint_eq(history_wrongs(s.h), 1);
    scene_close(&s);
}
END_TEST

START_TEST(test_history__nothing_is_done_in_an_aborted_user_transaction)
{
    scene_open(&s, 1);
    struct history_call make = {.kind = HISTORY_MKDIR, .path = "d", .mode = 0755};
    struct history_call look = {.kind = HISTORY_STAT, .path = "d"};
    (void)scene_do(&s, 0, (struct history_call){.kind = HISTORY_BEGIN}, OK);
    (void)scene_do(&s, 0, make, OK);
    (void)scene_do(&s, 0, look, E_ABORT);
    (void)scene_do(&s, 0, look, E_ABORT);
    (void)scene_do(&s, 0, (struct history_call){.kind = HISTORY_ABORT}, OK);
    (void)scene_do(&s, 0, look, E_NOENT);
    ck_assert_uint_eq(history_wrongs(s.h), 0);
    (void)scene_do(&s, 0, (struct history_call){.kind = HISTORY_BEGIN}, OK);
    (void)scene_do(&s, 0, look, E_ABORT);
    (void)scene_do(&s, 0, make, OK); /* run alone */
    ck_assert_uint_eq(history_wrongs(s.h), 1);
    (void)scene_do(&s, 0, (struct history_call){.kind = HISTORY_COMMIT}, OK);
    ck_assert_uint_eq(history_wrongs(s.h), 2);
    scene_close(&s);
}
END_TEST

CHECK_MAIN("history", 60, tcase_add_test(tc, test_history__a_read_is_the_newest_write);
           tcase_add_test(tc, test_history__holes_and_growth_are_zeros);
           tcase_add_test(tc, test_history__an_append_goes_where_the_answer_says);
           tcase_add_test(tc, test_history__stat_tells_type_size_mode_and_links);
           tcase_add_test(tc, test_history__an_answer_about_names_must_be_true);
           tcase_add_test(tc, test_history__a_listing_has_each_name_once);
           tcase_add_test(tc, test_history__symbolic_links_lead_on);
           tcase_add_test(tc, test_history__what_runs_at_the_same_time_may_be_seen_or_not);
           tcase_add_test(tc, test_history__an_unlinked_file_is_read_through_its_descriptor);
           tcase_add_exit_test(tc, test_history__a_request_while_one_is_in_flight_is_a_bug, 3);
           tcase_add_test(tc, test_history__a_user_transaction_is_seen_by_its_own_application_only);
           tcase_add_test(tc,
                          test_history__a_listing_keeps_what_another_transaction_removes_meanwhile);
           tcase_add_test(tc, test_history__nothing_is_done_in_an_aborted_user_transaction);)
