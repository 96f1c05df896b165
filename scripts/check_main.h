/*
 * A test program: include this, define tests with START_TEST, and list them in CHECK_MAIN. One
 * executable a test file, which mirrors the source it tests.
 */
#ifndef LORIS_SCRIPTS_CHECK_MAIN_H
#define LORIS_SCRIPTS_CHECK_MAIN_H

#include <check.h>
#include <stdlib.h>

/* CHECK_MAIN("inbox", 60, tcase_add_test(tc, a); tcase_add_test(tc, b);) : name, time-out in s. */
#define CHECK_MAIN(NAME, TIMEOUT_S, ...)                                                           \
    int main(void)                                                                                 \
    {                                                                                              \
        Suite *suite = suite_create(NAME);                                                         \
        TCase *tc = tcase_create(NAME);                                                            \
        tcase_set_timeout(tc, TIMEOUT_S);                                                          \
        __VA_ARGS__                                                                                \
        suite_add_tcase(suite, tc);                                                                \
        SRunner *runner = srunner_create(suite);                                                   \
        srunner_run_all(runner, CK_ENV);                                                           \
        int failed = srunner_ntests_failed(runner);                                                \
        srunner_free(runner);                                                                      \
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;                                          \
    }

#endif
