/*
 * Operation scripts: one operation a line, `#` starts a comment. The language is that of
 * campaign/FORMAT.md: create P, mkdir P, write P OFFSET LENGTH, append P LENGTH, read P OFFSET
 * LENGTH, truncate P SIZE, rename P Q, link P Q, symlink TARGET P, unlink P, rmdir P, chmod P MODE,
 * fsync P, sync, sleep TIME, mark; fallocate P OFFSET LENGTH, zero P OFFSET LENGTH (both may end in
 * `keep`: the size stays), punch P OFFSET LENGTH; setxattr P NAME LENGTH, getxattr P NAME,
 * removexattr P NAME; policy P LEVEL (0 1 4 5 6 n-way: of file P, or of those made in directory P);
 * chown P UID GID, user UID GID (whom the operations that follow act for); `expect ERROR
 * operation`; and `try operation`, which may be answered in any way.
 *
 * A script's paths are relative to the application's home directory ("app0"), except those that
 * begin with "shared/", so that several copies do not meet by accident: they have no part `..`.
 */
#ifndef LORIS_WORKLOADS_SCRIPT_H
#define LORIS_WORKLOADS_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>

#include "errors.h"

#define SCRIPT_PATH_BYTES 256u
#define SCRIPT_LENGTH_MAX (UINT64_C(256) << 10) /* bytes of one read or write */
#define SCRIPT_VALUE_MAX 4000u                  /* bytes of an extended attribute */
#define SCRIPT_ERROR_BYTES 384u

enum script_kind {
    SCRIPT_CREATE,
    SCRIPT_MKDIR,
    SCRIPT_WRITE,
    SCRIPT_APPEND,
    SCRIPT_READ,
    SCRIPT_TRUNCATE,
    SCRIPT_RENAME,
    SCRIPT_LINK,
    SCRIPT_SYMLINK,
    SCRIPT_UNLINK,
    SCRIPT_RMDIR,
    SCRIPT_CHMOD,
    SCRIPT_FSYNC,
    SCRIPT_SYNC,
    SCRIPT_BEGIN,
    SCRIPT_COMMIT,
    SCRIPT_ABORT,
    SCRIPT_SLEEP,
    SCRIPT_MARK,
    SCRIPT_FALLOCATE,
    SCRIPT_ZERO,
    SCRIPT_PUNCH,
    SCRIPT_SETXATTR,
    SCRIPT_GETXATTR,
    SCRIPT_POLICY,
    SCRIPT_REMOVEXATTR,
    SCRIPT_CHOWN,
    SCRIPT_USER,
    SCRIPT_KINDS
};

struct script_op {
    enum script_kind kind;
    char path[SCRIPT_PATH_BYTES], path2[SCRIPT_PATH_BYTES];
    uint64_t number, number2; /* OFFSET LENGTH; LENGTH; SIZE; MODE; ns; UID GID */
    bool keep;                /* FALLOCATE, ZERO */
    enum err expected;        /* OK unless the line says `expect` */
    bool any_answer;          /* the line says `try` */
};

struct script_place {
    uint32_t line, column; /* from 1 */
};

enum script_next { SCRIPT_OP, SCRIPT_END, SCRIPT_BAD };

/*
 * Reads the next operation at *text, which it moves on. place: where it stands (in and out: the
 * line is counted; begin with line 0). SCRIPT_BAD: `error` (SCRIPT_ERROR_BYTES) says what is wrong
 * and what is allowed; the next call goes on with the next line.
 */
enum script_next script_next(const char **text, struct script_op *op, struct script_place *place,
                             char *error);

/* "ENOENT" and the other names that `expect` takes; "no error", "another error". */
const char *script_error_name(enum err error);

/* Whether some line is an operation of that kind. */
bool script_has(const char *text, enum script_kind kind);

#endif
