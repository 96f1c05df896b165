/*
 * A test program: include this, define tests with START_TEST, and list them in CHECK_MAIN. One
 * executable a test file, which mirrors the source it tests.
 */
#ifndef LORIS_SCRIPTS_CHECK_MAIN_H
#define LORIS_SCRIPTS_CHECK_MAIN_H

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* CHECK_ONLY=_h09_ runs the tests with that in their name alone. */
static inline bool check_wants(const char *test)
{
    const char *only = getenv("CHECK_ONLY");
    return only == NULL || strstr(test, only) != NULL;
}
#undef tcase_add_test
#define tcase_add_test(tc, test)                                                                   \
    do {                                                                                           \
        if (check_wants(#test))                                                                    \
            tcase_add_test_raise_signal(tc, test, 0);                                              \
    } while (0)

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
