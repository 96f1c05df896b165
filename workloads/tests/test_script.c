#include <stdio.h>
#include <string.h>

#include "scripts/check_main.h"
#include "workloads/script.h"

static char error[SCRIPT_ERROR_BYTES];

START_TEST(test_script__reads_every_operation_with_its_words)
{
    const char *text = "create a/b # a comment\n\nwrite a/b 4096 100\nappend a/b 7\n"
                       "rename a/b c\nsymlink t s\nchmod c 640\nsleep 2ms\nmark\n";
    static const enum script_kind kinds[] = {SCRIPT_CREATE, SCRIPT_WRITE,   SCRIPT_APPEND,
                                             SCRIPT_RENAME, SCRIPT_SYMLINK, SCRIPT_CHMOD,
                                             SCRIPT_SLEEP,  SCRIPT_MARK};
    static const uint64_t number[] = {0, 4096, 0, 0, 0, 0640, 2000000, 0};
    static const uint64_t number2[] = {0, 100, 7, 0, 0, 0, 0, 0};
    struct script_op op;
    struct script_place place = {0};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        ck_assert_int_eq(script_next(&text, &op, &place, error), SCRIPT_OP);
        ck_assert_int_eq(op.kind, kinds[i]);
        ck_assert_uint_eq(op.number, number[i]);
        ck_assert_uint_eq(op.number2, number2[i]);
        ck_assert_int_eq(op.expected, OK);
    }
    ck_assert_int_eq(script_next(&text, &op, &place, error), SCRIPT_END);
    ck_assert_uint_eq(place.line, 9);
}
END_TEST

START_TEST(test_script__reads_ranges_attributes_and_users)
{
    const char *text = "fallocate f 1 2\nfallocate f 1 2 keep\nzero f 3 4 keep\npunch f 5 6\n"
                       "setxattr f user.a 7\nremovexattr f user.a\nchown f 8 9\nuser 10 11\n";
    static const struct {
        enum script_kind kind;
        uint64_t number, number2;
        bool keep;
        const char *path, *path2;
    } want[] = {
        {SCRIPT_FALLOCATE, 1, 2, false, "f", ""},
        {SCRIPT_FALLOCATE, 1, 2, true, "f", ""},
        {SCRIPT_ZERO, 3, 4, true, "f", ""},
        {SCRIPT_PUNCH, 5, 6, false, "f", ""},
        {SCRIPT_SETXATTR, 0, 7, false, "f", "user.a"},
        {SCRIPT_REMOVEXATTR, 0, 0, false, "f", "user.a"},
        {SCRIPT_CHOWN, 8, 9, false, "f", ""},
        {SCRIPT_USER, 10, 11, false, "", ""},
    };
    struct script_op op;
    struct script_place place = {0};
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        ck_assert_int_eq(script_next(&text, &op, &place, error), SCRIPT_OP);
        ck_assert_int_eq(op.kind, want[i].kind);
        ck_assert_uint_eq(op.number, want[i].number);
        ck_assert_uint_eq(op.number2, want[i].number2);
        ck_assert(op.keep == want[i].keep);
        ck_assert_str_eq(op.path, want[i].path);
        ck_assert_str_eq(op.path2, want[i].path2);
    }
}
END_TEST

START_TEST(test_script__expects_the_named_error)
{
    const char *text = "expect EEXIST create x";
    struct script_op op;
    struct script_place place = {0};
    ck_assert_int_eq(script_next(&text, &op, &place, error), SCRIPT_OP);
    ck_assert_int_eq(op.kind, SCRIPT_CREATE);
    ck_assert_int_eq(op.expected, E_EXIST);
    ck_assert_str_eq(op.path, "x");
}
END_TEST

START_TEST(test_script__tries_what_may_be_refused)
{
    const char *text = "try unlink x\ntry\n";
    struct script_op op;
    struct script_place place = {0};
    ck_assert_int_eq(script_next(&text, &op, &place, error), SCRIPT_OP);
    ck_assert_int_eq(op.kind, SCRIPT_UNLINK);
    ck_assert(op.any_answer);
    ck_assert_str_eq(op.path, "x");
    ck_assert_int_eq(script_next(&text, &op, &place, error), SCRIPT_BAD);
    ck_assert_ptr_nonnull(strstr(error, "allowed: try operation"));
}
END_TEST

START_TEST(test_script__says_where_and_what_and_goes_on_with_the_next_line)
{
    static const struct {
        const char *line;
        uint32_t column;
        const char *says;
    } bad[] = {
        {"  creat x", 3, "did you mean create"},
        {"write x 1", 1, "write P OFFSET LENGTH"},
        {"write x one 2", 9, "bad number `one`"},
        {"write x 0 999999999", 11, "bad number"},
        {"policy x 7", 10, "`7` is no level; allowed: 0, 1, 4, 5, 6, n-way"},
        {"create /x", 8, "no leading slash"},
        {"mkdir ../up", 7, "a path has no `..`"},
        {"rename a b/..", 10, "a path has no `..`"},
        {"symlink t a/../b", 11, "a path has no `..`"},
        {"chmod x 99", 9, "octal"},
        {"sleep 5", 7, "unit"},
        {"expect ENOWHERE mark", 1, "expect ERROR operation"},
        {"zero x 0 1 kept", 12, "allowed: keep"},
        {"punch x 0 1 keep", 1, "punch P OFFSET LENGTH"},
        {"setxattr x user.a 4001", 19, "from 0 to 4000"},
        {"user 1", 1, "user UID GID"},
        {"begin x", 1, "allowed: begin"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[64];
        struct script_op op;
        struct script_place place = {0};
        (void)snprintf(text, sizeof(text), "%s\nsync\n", bad[i].line);
        const char *at = text;
        ck_assert_int_eq(script_next(&at, &op, &place, error), SCRIPT_BAD);
        ck_assert_uint_eq(place.line, 1);
        ck_assert_msg(place.column == bad[i].column, "%s: column %u", bad[i].line, place.column);
        ck_assert_msg(strstr(error, bad[i].says) != NULL, "%s: %s", bad[i].line, error);
        ck_assert_int_eq(script_next(&at, &op, &place, error), SCRIPT_OP);
        ck_assert_int_eq(op.kind, SCRIPT_SYNC);
    }
}
END_TEST

START_TEST(test_script__survives_lines_of_any_length_and_bytes)
{
    static char text[5000];
    struct script_op op;
    struct script_place place = {0};
    memset(text, 'x', sizeof(text) - 1);
    const char *at = text;
    ck_assert_int_eq(script_next(&at, &op, &place, error), SCRIPT_BAD);
    ck_assert_int_eq(script_next(&at, &op, &place, error), SCRIPT_END);
    for (uint32_t i = 0; i < sizeof(text) - 1; i++)
        text[i] = (char)(1 + i * 7 % 255);
    at = text;
    for (uint32_t lines = 0; script_next(&at, &op, &place, error) != SCRIPT_END; lines++)
        ck_assert_uint_lt(lines, sizeof(text));
}
END_TEST

START_TEST(test_script__takes_dots_in_names_and_in_targets)
{
    const char *text = "create ..a/b..\nsymlink ../up l\n";
    struct script_op op;
    struct script_place place = {0};
    ck_assert_int_eq(script_next(&text, &op, &place, error), SCRIPT_OP);
    ck_assert_str_eq(op.path, "..a/b..");
    ck_assert_int_eq(script_next(&text, &op, &place, error), SCRIPT_OP);
    ck_assert_str_eq(op.path, "../up");
}
END_TEST

START_TEST(test_script__names_errors_as_expect_does)
{
    ck_assert_str_eq(script_error_name(E_NOENT), "ENOENT");
    ck_assert_str_eq(script_error_name(OK), "no error");
    ck_assert_str_eq(script_error_name(E_MEDIA), "another error");
}
END_TEST

START_TEST(test_script__tells_whether_it_has_an_operation)
{
    ck_assert(script_has("creat x\nsync\n begin # one\n", SCRIPT_BEGIN));
    ck_assert(!script_has("# begin\nsync\nexpect EINVAL commit", SCRIPT_BEGIN));
    ck_assert(!script_has("", SCRIPT_BEGIN));
}
END_TEST

CHECK_MAIN("script", 20, tcase_add_test(tc, test_script__reads_every_operation_with_its_words);
           tcase_add_test(tc, test_script__reads_ranges_attributes_and_users);
           tcase_add_test(tc, test_script__expects_the_named_error);
           tcase_add_test(tc, test_script__tries_what_may_be_refused);
           tcase_add_test(tc, test_script__says_where_and_what_and_goes_on_with_the_next_line);
           tcase_add_test(tc, test_script__survives_lines_of_any_length_and_bytes);
           tcase_add_test(tc, test_script__takes_dots_in_names_and_in_targets);
           tcase_add_test(tc, test_script__names_errors_as_expect_does);
           tcase_add_test(tc, test_script__tells_whether_it_has_an_operation);)
