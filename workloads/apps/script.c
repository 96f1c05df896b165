/*
 * script: the operations of a list, in its order. What a line expects is compared with the answer;
 * a difference is counted (column `anomalies`) and told (an event), beside what the oracle says of
 * it. bounded: the same, of a list that bounded.c has made.
 *
 * Started again, it goes on with the line after the last that was begun, by the user who was named
 * last.
 */
#include "workloads/script.h"
#include "workloads/app.h"

#include <stdio.h>
#include <string.h>

struct step {
    struct app *a;
    const char **text;
    struct script_op *op;
    struct script_place *place;
    enum script_next next;
    enum err answer;
};

/* The parser is the laboratory's: it runs outside the process. */
static void next_step(void *argument)
{
    struct step *s = argument;
    char error[SCRIPT_ERROR_BYTES];
    s->next = script_next(s->text, s->op, s->place, error);
    ASSERT(s->next != SCRIPT_BAD); /* the campaign's check has read it before */
}

static void tell_unexpected(void *argument)
{
    const struct step *s = argument;
    struct workload_run *run = s->a->self->run;
    char detail[128];
    run->unexpected++;
    if (run->hooks.on_unexpected == NULL)
        return;
    (void)snprintf(detail, sizeof(detail), "app %u, line %u: %s, expected %s", s->a->self->number,
                   s->place->line, script_error_name(s->answer),
                   script_error_name(s->op->expected));
    run->hooks.on_unexpected(run->hooks.context, detail);
}

/* Puts the home directory before a path, unless it is in the shared tree. */
static void homed(const struct app *a, char to[APP_PATH_BYTES], const char *path)
{
    size_t at = 0;
    if (memcmp(path, "shared/", 7) != 0) {
        for (const char *p = a->home; *p != '\0'; p++)
            to[at++] = *p;
        to[at++] = '/';
    }
    for (const char *p = path; *p != '\0'; p++)
        to[at++] = *p;
    to[at] = '\0';
}

static enum err allocate(struct app *a, const struct script_op *op, int32_t fd)
{
    uint32_t flags = op->keep ? CALL_KEEP_SIZE : 0;
    if (op->kind == SCRIPT_PUNCH)
        flags |= CALL_PUNCH;
    if (op->kind == SCRIPT_ZERO)
        flags |= CALL_ZERO;
    return app_fallocate(a, fd, flags, op->number, op->number2);
}

/* Opens, does one thing, closes. */
static enum err with_file(struct app *a, const struct script_op *op, const char *path)
{
    int32_t fd = -1;
    uint64_t moved;
    uint32_t flags = op->kind == SCRIPT_APPEND ? CALL_APPEND : 0;
    if (op->kind == SCRIPT_CREATE)
        flags = CALL_CREATE | CALL_EXCLUSIVE;
    enum err e = app_open(a, path, flags, &fd);
    if (e != OK)
        return e;
    if (op->kind == SCRIPT_WRITE)
        e = app_write(a, fd, op->number, op->number2);
    else if (op->kind == SCRIPT_APPEND)
        e = app_write(a, fd, HISTORY_AT_END, op->number2);
    else if (op->kind == SCRIPT_READ)
        e = app_read(a, fd, op->number, op->number2, &moved);
    else if (op->kind == SCRIPT_FSYNC)
        e = app_fsync(a, fd);
    else if (op->kind != SCRIPT_CREATE)
        e = allocate(a, op, fd);
    if (e == E_DEAD)
        return e;
    enum err closed = app_close(a, fd);
    return e == OK ? closed : e;
}

static enum err run_step(struct app *a, const struct script_op *op)
{
    char path[APP_PATH_BYTES], path2[APP_PATH_BYTES];
    homed(a, path, op->path);
    homed(a, path2, op->path2);
    switch (op->kind) {
    case SCRIPT_MKDIR:
        return app_mkdir(a, path);
    case SCRIPT_TRUNCATE:
        return app_truncate(a, path, op->number);
    case SCRIPT_RENAME:
        return app_rename(a, path, path2);
    case SCRIPT_LINK:
        return app_link(a, path, path2);
    case SCRIPT_SYMLINK:
        return app_symlink(a, op->path, path2);
    case SCRIPT_UNLINK:
        return app_unlink(a, path);
    case SCRIPT_RMDIR:
        return app_rmdir(a, path);
    case SCRIPT_CHMOD:
        return app_chmod(a, path, (uint32_t)op->number);
    case SCRIPT_SYNC:
        return app_sync(a);
    case SCRIPT_BEGIN:
        return app_begin(a);
    case SCRIPT_COMMIT:
        return app_commit(a);
    case SCRIPT_ABORT:
        return app_abort(a);
    case SCRIPT_SLEEP:
        client_sleep(op->number);
        return OK;
    case SCRIPT_MARK:
        app_mark(a);
        return OK;
    case SCRIPT_SETXATTR:
        return app_setxattr(a, path, op->path2, op->number2);
    case SCRIPT_POLICY:
        return app_policy(a, path, op->path2);
    case SCRIPT_GETXATTR:
        return app_getxattr(a, path, op->path2);
    case SCRIPT_REMOVEXATTR:
        return app_removexattr(a, path, op->path2);
    case SCRIPT_CHOWN:
        return app_chown(a, path, (uint32_t)op->number, (uint32_t)op->number2);
    case SCRIPT_USER:
        a->client.uid = (uint32_t)op->number;
        a->client.gid = (uint32_t)op->number2;
        return OK;
    default:
        return with_file(a, op, path);
    }
}

void script_main(struct app *a)
{
    const char *text = a->script;
    struct script_op op;
    struct script_place place = {0};
    ASSERT(text != NULL);
    enum err e = app_make_homes(a);
    uint64_t begun = a->step;
    a->step = 0;
    while (e != E_DEAD) {
        struct step s = {.a = a, .text = &text, .op = &op, .place = &place};
        sim_trap(next_step, &s);
        if (s.next == SCRIPT_END)
            return;
        if (a->step < begun) {
            a->step++;
            if (op.kind == SCRIPT_USER)
                (void)run_step(a, &op);
            continue;
        }
        (void)app_next_step(a, UINT64_MAX);
        s.answer = e = run_step(a, &op);
        if (e != op.expected && !op.any_answer && e != E_DEAD)
            sim_trap(tell_unexpected, &s);
        if (e != E_DEAD)
            e = app_pause(a);
    }
}
