#include "results/temp_folder.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scripts/check_main.h"

static void put_file(const char *folder, const char *name)
{
    char path[2 * TEMP_FOLDER_BYTES];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fclose(file);
}

START_TEST(test_temp_folder__each_is_fresh_and_goes_with_its_files)
{
    char one[TEMP_FOLDER_BYTES], other[TEMP_FOLDER_BYTES];
    ck_assert(temp_folder_make(one, "test"));
    ck_assert(temp_folder_make(other, "test"));
    ck_assert_str_ne(one, other);
    put_file(one, "a");
    put_file(one, ".b");
    put_file(other, "a");
    temp_folder_remove(one);
    ck_assert_int_ne(access(one, F_OK), 0);
    ck_assert_int_eq(access(other, F_OK), 0);
    temp_folder_remove(other);
    ck_assert_int_ne(access(other, F_OK), 0);
}
END_TEST

/* Guards a folder in a child, which then gets the signal; returns how it ended. */
static int signalled(const char *folder, int number, bool removed)
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        temp_folder_guard(folder);
        if (removed)
            temp_folder_remove(folder);
        raise(number);
        _exit(0);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

START_TEST(test_temp_folder__a_guarded_one_goes_with_the_program)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t k = 0; k < 6; k++) {
        char path[TEMP_FOLDER_BYTES];
        ck_assert(temp_folder_make(path, "test"));
        put_file(path, "a");
        int status = signalled(path, numbers[k / 2], k % 2 == 1);
        ck_assert(WIFSIGNALED(status));
        ck_assert_int_eq(WTERMSIG(status), numbers[k / 2]);
        ck_assert_int_ne(access(path, F_OK), 0);
    }
}
END_TEST

START_TEST(test_temp_folder__what_is_ignored_stays_so)
{
    char path[TEMP_FOLDER_BYTES];
    ck_assert(temp_folder_make(path, "test"));
    ck_assert(signal(SIGHUP, SIG_IGN) != SIG_ERR);
    int status = signalled(path, SIGHUP, false);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(access(path, F_OK), 0);
    status = signalled(path, SIGHUP, true);
    ck_assert(WIFEXITED(status));
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(test_temp_folder__lies_in_tmpdir_unless_that_is_too_long)
{
    char base[TEMP_FOLDER_BYTES], path[TEMP_FOLDER_BYTES], long_base[TEMP_FOLDER_BYTES + 1];
    ck_assert_int_eq(unsetenv("TMPDIR"), 0);
    ck_assert(temp_folder_make(base, "base"));
    ck_assert_int_eq(setenv("TMPDIR", base, 1), 0);
    ck_assert(temp_folder_make(path, "0123456789012345"));
    ck_assert_int_eq(strncmp(path, base, strlen(base)), 0);
    temp_folder_remove(path);
    memset(long_base, '/', sizeof(long_base) - 1);
    long_base[sizeof(long_base) - 1] = 0;
    ck_assert_int_eq(setenv("TMPDIR", long_base, 1), 0);
    ck_assert(temp_folder_make(path, "0123456789012345"));
    ck_assert_int_eq(strncmp(path, "/tmp/loris-", strlen("/tmp/loris-")), 0);
    temp_folder_remove(path);
    temp_folder_remove(base);
}
END_TEST

START_TEST(test_temp_folder__says_why_there_is_none)
{
    char path[TEMP_FOLDER_BYTES];
    ck_assert_int_eq(setenv("TMPDIR", "/no/such/folder", 1), 0);
    ck_assert(!temp_folder_make(path, "test"));
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_int_eq(strncmp(path, "/no/such/folder/loris-test-", 27), 0);
}
END_TEST

CHECK_MAIN("temp_folder", 60,
           tcase_add_test(tc, test_temp_folder__each_is_fresh_and_goes_with_its_files);
           tcase_add_test(tc, test_temp_folder__a_guarded_one_goes_with_the_program);
           tcase_add_test(tc, test_temp_folder__what_is_ignored_stays_so);
           tcase_add_test(tc, test_temp_folder__lies_in_tmpdir_unless_that_is_too_long);
           tcase_add_test(tc, test_temp_folder__says_why_there_is_none);)
