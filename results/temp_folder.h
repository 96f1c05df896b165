/*
 * Folders for files that only live while a command runs: each beneath $TMPDIR, or /tmp, under a
 * name of its own, with plain files in it and nothing else.
 */
#ifndef LORIS_RESULTS_TEMP_FOLDER_H
#define LORIS_RESULTS_TEMP_FOLDER_H

#include <stdbool.h>

#include "errors.h"

#define TEMP_FOLDER_BYTES 64

/*
 * Makes a fresh folder "$TMPDIR/loris-WHAT-..." and writes its name into `path`. A TMPDIR too long
 * for that counts as none. what: up to 16 bytes. Returns false if it cannot be made: errno says
 * why, `path` is what was tried.
 */
MUST_USE bool temp_folder_make(char path[TEMP_FOLDER_BYTES], const char *what);

/* From now on SIGINT, SIGTERM and SIGHUP remove the folder before they end the program, as they
 * would have. Of one folder at a time: the last. For commands without handlers of their own. */
void temp_folder_guard(const char *path);

/* Removes the folder with the files in it, and ends its guard. What cannot be removed stays. */
void temp_folder_remove(const char *path);

#endif
