/*
 * An application as a process: its configuration, its random draws, and the recorded calls that
 * it makes. Each recorded call tells the history what is asked, asks the VFS, and tells the history
 * what came back; what was written is the history's self-describing content.
 *
 * The record lies in the laboratory's memory and is reached by traps only; what the process itself
 * works on lies in its own arena, so a fault in it hurts nobody else.
 *
 * A call that returns E_DEAD means that the VFS is gone: the application returns from its main and
 * is dead with it. All other errors are answers: applications go on.
 *
 * An application may be started again on what a loss of power has left (`again`): its main then
 * runs its own recovery first, and goes on with the steps that were not begun before
 * (app_next_step). How far it was is kept by the laboratory, as its user would know it.
 */
#ifndef LORIS_WORKLOADS_APP_H
#define LORIS_WORKLOADS_APP_H

#include "assertion.h"
#include "sim/option.h"
#include "workloads/client.h"
#include "workloads/run.h"

#define APP_BUFFER_BYTES (256u << 10) /* largest single read or write */
#define APP_PATH_BYTES 512u

/* The working copy in the process's arena. */
struct app {
    struct client client;
    struct workload_app *self; /* in the laboratory: only for traps */
    uint64_t draw_key;         /* of this application in this trial; */
    uint64_t life_key;         /* that of this life, from app_make_homes on */
    bool again;                /* it has lived before */
    bool resumes;              /* it may live again */
    uint64_t step;             /* of its work that were begun, in all its lives */
    uint64_t drawn;            /* draws so far */
    const struct option_set *options;
    const char *script;
    uint32_t copy;                  /* within its part of the workload */
    char home[64], shared_home[64]; /* its directory in the private and in the shared tree */
    double share;                   /* of its files in the shared tree */
    uint64_t sync_every;            /* operations until the next sync, 0: never */
    uint64_t operations;            /* since the last sync */
    bool rests;                     /* its steps are spread over calendar time */
    uint8_t *buffer;                /* APP_BUFFER_BYTES */
};

typedef void app_main(struct app *a);
app_main postmark_main, fsx_main, fsstress_main, script_main, bank_main, mv_grep_main, editor_main,
    append_log_main;

/* ---- Draws: keyed by (seed, workload, n, application), one word each ---------------------------
 */

double app_unit(struct app *a);
uint64_t app_below(struct app *a, uint64_t limit);
/* Draws a value of an option that may be a range or a distribution. */
uint64_t app_amount(struct app *a, const char *option);
/* The same, but a fixed value takes no draw. */
uint64_t app_number(struct app *a, const char *option);
/* Begins the next of so many steps. False: all were begun, in this life or an earlier one. */
bool app_next_step(struct app *a, uint64_t steps);
/* Counts an operation; whether a sync is due after it. */
bool app_sync_due(struct app *a);

/* ---- Recorded calls ---------------------------------------------------------------------------
 */

MUST_USE enum err app_open(struct app *a, const char *path, uint32_t flags, int32_t *fd);
MUST_USE enum err app_close(struct app *a, int32_t fd);
/* Writes `length` bytes (at most APP_BUFFER_BYTES) at `offset`, HISTORY_AT_END: at the end (the
 * descriptor was opened with CALL_APPEND). */
MUST_USE enum err app_write(struct app *a, int32_t fd, uint64_t offset, uint64_t length);
MUST_USE enum err app_read(struct app *a, int32_t fd, uint64_t offset, uint64_t length,
                           uint64_t *moved);
MUST_USE enum err app_truncate(struct app *a, const char *path, uint64_t size);
MUST_USE enum err app_fsync(struct app *a, int32_t fd);
MUST_USE enum err app_sync(struct app *a);
/* A user transaction: what is called between is in it. E_ABORT: the stack has aborted it, and says
 * so until one of the last two is called. */
MUST_USE enum err app_begin(struct app *a);
MUST_USE enum err app_commit(struct app *a);
MUST_USE enum err app_abort(struct app *a);
MUST_USE enum err app_stat(struct app *a, const char *path);
MUST_USE enum err app_mkdir(struct app *a, const char *path);
MUST_USE enum err app_rmdir(struct app *a, const char *path);
MUST_USE enum err app_unlink(struct app *a, const char *path);
MUST_USE enum err app_rename(struct app *a, const char *from, const char *to);
MUST_USE enum err app_link(struct app *a, const char *existing, const char *name);
MUST_USE enum err app_symlink(struct app *a, const char *target, const char *name);
MUST_USE enum err app_readlink(struct app *a, const char *path);
MUST_USE enum err app_readdir(struct app *a, const char *path);
/* The same; visit, or NULL, is told each name, in the order of the listing. */
typedef void app_visit(void *context, const char *name);
MUST_USE enum err app_list(struct app *a, const char *path, app_visit *visit, void *context);
MUST_USE enum err app_chmod(struct app *a, const char *path, uint32_t mode);

MUST_USE enum err app_chown(struct app *a, const char *path, uint32_t uid, uint32_t gid);
/* flags: CALL_KEEP_SIZE, CALL_PUNCH, CALL_ZERO. */
MUST_USE enum err app_fallocate(struct app *a, int32_t fd, uint32_t flags, uint64_t offset,
                                uint64_t length);
#define APP_XATTR_BYTES 4000u /* largest value of an extended attribute */
/* `length`: bytes of a value that the history makes, at most APP_XATTR_BYTES. */
MUST_USE enum err app_setxattr(struct app *a, const char *path, const char *name, uint64_t length);
/* Chooses the RAID level of a file, or of those that will be made in a directory (attribute
 * loris.raid). */
MUST_USE enum err app_policy(struct app *a, const char *path, const char *level);
/* Gives a file one of the levels 1, 5, n-way, or its directory's, by even chances. */
MUST_USE enum err app_change_level(struct app *a, const char *path);
MUST_USE enum err app_getxattr(struct app *a, const char *path, const char *name);
MUST_USE enum err app_removexattr(struct app *a, const char *path, const char *name);

/* Tells the oracle what the application relies on, and of which version of its file it writes what
 * (invariants.h). done: it is complete; safe: and said to be stable. */
void app_rely(struct app *a, enum history_invariant kind, uint32_t file, const char *path,
              const char *path2);
void app_version_begin(struct app *a, uint32_t file);
void app_version_done(struct app *a);
void app_versions_safe(struct app *a, uint32_t file);
/* What the last boot left of its file (history_found): for an application's recovery, which would
 * see it by checksums in what it reads. */
uint64_t app_found(struct app *a, uint32_t file);

/* open with these flags, fsync, close. */
MUST_USE enum err app_sync_path(struct app *a, const char *path, uint32_t flags);
/* open, write all of `length` in pieces, close; and open, read all, close. */
MUST_USE enum err app_write_file(struct app *a, const char *path, uint32_t flags, uint64_t length);
MUST_USE enum err app_read_file(struct app *a, const char *path);

/* Pauses as the option `think` says, and as the trial's calendar does. */
void app_think(struct app *a);
/* Thinks, and syncs when it is time: call it after each step of the application. */
MUST_USE enum err app_pause(struct app *a);
/* A `mark` of an operation script was passed. */
void app_mark(struct app *a);

/* The directory in which app_path puts files. */
const char *app_home(const struct app *a, bool shared);
/* Makes the home directories. What is drawn from here on is of this life. */
MUST_USE enum err app_make_homes(struct app *a);
/* Writes "HOME/PREFIXnumber" into path; shared: in the shared tree. */
void app_path(const struct app *a, char path[APP_PATH_BYTES], bool shared, const char *prefix,
              uint64_t number);

#endif
