#include "results/temp_folder.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "assertion.h"

#define WHAT_BYTES_MAX 16
#define UNIQUE_BYTES 6 /* mkdtemp fills in six X at the end */

/* What is left for TMPDIR beside "/loris-WHAT-", the unique part and the end. */
#define BASE_BYTES_MAX (TEMP_FOLDER_BYTES - 8 - WHAT_BYTES_MAX - UNIQUE_BYTES - 1)

bool temp_folder_make(char path[TEMP_FOLDER_BYTES], const char *what)
{
    ASSERT(path != NULL && what != NULL);
    ASSERT(strlen(what) <= WHAT_BYTES_MAX);
    const char *base = getenv("TMPDIR");
    if (base == NULL || base[0] == 0 || strlen(base) > BASE_BYTES_MAX)
        base = "/tmp";
    int bytes = snprintf(path, TEMP_FOLDER_BYTES, "%s/loris-%s-", base, what);
    ASSERT(bytes > 0 && bytes + UNIQUE_BYTES < TEMP_FOLDER_BYTES);
    memset(path + bytes, 'X', UNIQUE_BYTES);
    path[bytes + UNIQUE_BYTES] = 0;
    return mkdtemp(path) != NULL;
}

static const int guard_signals[] = {SIGINT, SIGTERM, SIGHUP};
#define GUARD_SIGNALS (sizeof(guard_signals) / sizeof(guard_signals[0]))

static char guarded[TEMP_FOLDER_BYTES]; /* "": none */

/* In a handler no folder can be read, but another program can be run. */
static void remove_guarded(int number)
{
    pid_t child = fork();
    if (child == 0) {
        (void)execl("/bin/rm", "rm", "-rf", "--", guarded, (char *)NULL);
        _exit(127);
    }
    if (child > 0)
        (void)waitpid(child, NULL, 0);
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

void temp_folder_guard(const char *path)
{
    ASSERT(path != NULL && strlen(path) < sizeof(guarded));
    (void)snprintf(guarded, sizeof(guarded), "%s", path);
    for (size_t k = 0; k < GUARD_SIGNALS; k++) {
        struct sigaction old, action = {.sa_handler = remove_guarded, .sa_flags = SA_RESTART};
        for (size_t j = 0; j < GUARD_SIGNALS; j++)
            (void)sigaddset(&action.sa_mask, guard_signals[j]);
        (void)sigaction(guard_signals[k], NULL, &old);
        if (old.sa_handler != SIG_IGN) /* as nohup has it */
            (void)sigaction(guard_signals[k], &action, NULL);
    }
}

static void end_guard(const char *path)
{
    if (guarded[0] == 0 || strcmp(path, guarded) != 0)
        return;
    for (size_t k = 0; k < GUARD_SIGNALS; k++)
        if (signal(guard_signals[k], SIG_DFL) == SIG_IGN)
            (void)signal(guard_signals[k], SIG_IGN);
    guarded[0] = 0;
}

void temp_folder_remove(const char *path)
{
    ASSERT(path != NULL);
    DIR *dir = opendir(path);
    if (dir == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        (void)unlinkat(dirfd(dir), entry->d_name, 0); /* refuses . and .. */
    closedir(dir);
    rmdir(path);
    end_guard(path);
}
