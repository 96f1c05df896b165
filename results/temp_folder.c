#include "results/temp_folder.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
}
