/* What an application did, as an operation list: one line an operation, paths without its home. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "assertion.h"
#include "campaign/shrink_private.h"
#include "campaign/trial.h"
#include "workloads/oracle/history.h"

#define PAUSE_NS 10000u /* assumption: a shorter one is the process computing */
#define HOME "app0"

static void put(struct shrink_tape *tape, const char *form, ...)
    __attribute__((format(printf, 2, 3)));

static void put(struct shrink_tape *tape, const char *form, ...)
{
    va_list list;
    size_t room = sizeof(tape->text) - tape->used;
    va_start(list, form);
    int bytes = vsnprintf(tape->text + tape->used, room, form, list);
    va_end(list);
    ASSERT(bytes >= 0);
    if ((size_t)bytes < room) {
        tape->used += (uint32_t)bytes;
        return;
    }
    tape->text[tape->used] = '\0';
    tape->inexact = true;
}

/* The path as a script has it; NULL if it can have none such. */
static const char *script_path(struct shrink_tape *tape, const char *path)
{
    bool at_home = strncmp(path, HOME "/", sizeof(HOME)) == 0;
    const char *own = at_home ? path + sizeof(HOME) : path;
    if ((at_home || strncmp(path, "shared/", 7) == 0) && own[0] != '\0' &&
        strpbrk(own, " \t\r\n#") == NULL && strlen(own) < SHRINK_TAPE_PATH)
        return own;
    tape->inexact = true;
    return NULL;
}

static void start(void *context, uint32_t apps)
{
    struct shrink_tape *tape = context;
    *tape = (struct shrink_tape){.apps = apps};
}

static void put_pause(struct shrink_tape *tape, uint64_t now_ns)
{
    if (tape->last_ns != 0 && now_ns > tape->last_ns + PAUSE_NS)
        put(tape, "sleep %" PRIu64 "ns\n", now_ns - tape->last_ns);
}

/* The file of a call that has a descriptor or a path. */
static const char *file_of(struct shrink_tape *tape, const struct history_call *call)
{
    if (call->path != NULL)
        return script_path(tape, call->path);
    bool known =
        call->fd >= 0 && call->fd < (int32_t)SHRINK_TAPE_FDS && tape->path[call->fd][0] != '\0';
    tape->inexact = tape->inexact || !known;
    return known ? tape->path[call->fd] : NULL;
}

static void put_open(struct shrink_tape *tape, const struct history_call *call, const char *path)
{
    if ((call->flags & HISTORY_CREATE) != 0)
        put(tape, "try create %s\n", path);
    if ((call->flags & HISTORY_TRUNC) != 0)
        put(tape, "try truncate %s 0\n", path);
}

static void put_data(struct shrink_tape *tape, const struct history_call *call, const char *path)
{
    if (call->kind == HISTORY_READ)
        put(tape, "try read %s %" PRIu64 " %" PRIu64 "\n", path, call->offset, call->length);
    else if (call->offset == HISTORY_AT_END)
        put(tape, "try append %s %" PRIu64 "\n", path, call->length);
    else
        put(tape, "try write %s %" PRIu64 " %" PRIu64 "\n", path, call->offset, call->length);
}

static void put_range(struct shrink_tape *tape, const struct history_call *call, const char *path)
{
    const char *word = (call->flags & HISTORY_PUNCH) != 0  ? "punch"
                       : (call->flags & HISTORY_ZERO) != 0 ? "zero"
                                                           : "fallocate";
    bool keep = (call->flags & HISTORY_KEEP_SIZE) != 0 && (call->flags & HISTORY_PUNCH) == 0;
    put(tape, "try %s %s %" PRIu64 " %" PRIu64 "%s\n", word, path, call->offset, call->length,
        keep ? " keep" : "");
}

/* Calls with two paths. */
static void put_names(struct shrink_tape *tape, const struct history_call *call)
{
    bool symbolic = call->kind == HISTORY_SYMLINK;
    const char *from = symbolic ? call->path : script_path(tape, call->path);
    const char *to = script_path(tape, call->path2);
    if (from == NULL || to == NULL)
        return;
    put(tape, "try %s %s %s\n",
        symbolic                       ? "symlink"
        : call->kind == HISTORY_RENAME ? "rename"
                                       : "link",
        from, to);
}

static void put_attribute(struct shrink_tape *tape, const struct history_call *call,
                          const char *path)
{
    if (call->kind == HISTORY_CHMOD)
        put(tape, "try chmod %s %o\n", path, call->mode);
    else if (call->kind == HISTORY_CHOWN)
        put(tape, "try chown %s %u %u\n", path, call->uid, call->gid);
    else if (call->kind == HISTORY_SETXATTR)
        put(tape, "try setxattr %s %s %" PRIu64 "\n", path, call->path2, call->length);
    else
        put(tape, "try %s %s %s\n", call->kind == HISTORY_GETXATTR ? "getxattr" : "removexattr",
            path, call->path2);
}

static void put_file_call(struct shrink_tape *tape, const struct history_call *call)
{
    static const char *const words[HISTORY_KINDS] = {[HISTORY_MKDIR] = "mkdir",
                                                     [HISTORY_RMDIR] = "rmdir",
                                                     [HISTORY_UNLINK] = "unlink",
                                                     [HISTORY_FSYNC] = "fsync"};
    const char *path = file_of(tape, call);
    if (path == NULL)
        return;
    if (words[call->kind] != NULL)
        put(tape, "try %s %s\n", words[call->kind], path);
    else if (call->kind == HISTORY_OPEN)
        put_open(tape, call, path);
    else if (call->kind == HISTORY_READ || call->kind == HISTORY_WRITE)
        put_data(tape, call, path);
    else if (call->kind == HISTORY_TRUNCATE)
        put(tape, "try truncate %s %" PRIu64 "\n", path, call->size);
    else if (call->kind == HISTORY_FALLOCATE)
        put_range(tape, call, path);
    else
        put_attribute(tape, call, path);
}

static void heard_call(void *context, uint32_t app, uint64_t now_ns,
                       const struct history_call *call)
{
    struct shrink_tape *tape = context;
    if (tape->apps != 1 || app != 0)
        return;
    if (call->kind == HISTORY_MKDIR && strcmp(call->path, HOME) == 0)
        return; /* the script makes its home too */
    put_pause(tape, now_ns);
    switch (call->kind) {
    case HISTORY_SYNC:
        put(tape, "sync\n");
        break;
    case HISTORY_BEGIN:
    case HISTORY_COMMIT:
    case HISTORY_ABORT:
        put(tape, "try %s\n", history_kind_name(call->kind));
        break;
    case HISTORY_RENAME:
    case HISTORY_LINK:
    case HISTORY_SYMLINK:
        put_names(tape, call);
        break;
    case HISTORY_CLOSE:
    case HISTORY_STAT:
    case HISTORY_READLINK:
    case HISTORY_READDIR:
        break; /* no line says so; they change nothing */
    case HISTORY_SETUP:
    case HISTORY_OTHER:
    case HISTORY_KINDS:
        tape->inexact = true;
        break;
    case HISTORY_OPEN:
    case HISTORY_READ:
    case HISTORY_WRITE:
    case HISTORY_TRUNCATE:
    case HISTORY_FSYNC:
    case HISTORY_MKDIR:
    case HISTORY_RMDIR:
    case HISTORY_UNLINK:
    case HISTORY_CHMOD:
    case HISTORY_CHOWN:
    case HISTORY_FALLOCATE:
    case HISTORY_SETXATTR:
    case HISTORY_GETXATTR:
    case HISTORY_REMOVEXATTR:
        put_file_call(tape, call);
        break;
    }
}

static void heard_answer(void *context, uint32_t app, uint64_t now_ns,
                         const struct history_call *call, const struct history_answer *answer)
{
    struct shrink_tape *tape = context;
    if (tape->apps != 1 || app != 0)
        return;
    tape->last_ns = now_ns;
    if (call->kind != HISTORY_OPEN || answer->result != OK || answer->fd < 0 ||
        answer->fd >= (int32_t)SHRINK_TAPE_FDS)
        return;
    const char *path = script_path(tape, call->path);
    (void)snprintf(tape->path[answer->fd], SHRINK_TAPE_PATH, "%s", path == NULL ? "" : path);
}

struct lab_listener shrink_recorder(struct shrink_tape *tape)
{
    return (struct lab_listener){
        .context = tape, .start = start, .call = heard_call, .answer = heard_answer};
}
