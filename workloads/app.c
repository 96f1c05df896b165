#include "workloads/app.h"

#include <stdio.h>
#include <string.h>

#include "assertion.h"
#include "sim/rng.h"

/* ---- Draws ------------------------------------------------------------------------------------
 */

struct draw {
    struct app *a;
    const char *option;
    double fraction;
    uint64_t value;
};

static void draw_unit(void *argument)
{
    struct draw *d = argument;
    d->fraction = sim_rng_draw_unit(d->a->draw_key, 0, 0, d->a->drawn++);
}

double app_unit(struct app *a)
{
    struct draw d = {.a = a};
    sim_trap(draw_unit, &d);
    return d.fraction;
}

uint64_t app_below(struct app *a, uint64_t limit)
{
    ASSERT(limit > 0);
    return amount_share(app_unit(a), limit);
}

static void draw_amount(void *argument)
{
    struct draw *d = argument;
    draw_unit(d);
    d->value = (uint64_t)amount_at(option_amount(d->a->options, d->option), d->fraction);
}

uint64_t app_amount(struct app *a, const char *option)
{
    struct draw d = {.a = a, .option = option};
    sim_trap(draw_amount, &d);
    return d.value;
}

uint64_t app_number(struct app *a, const char *option)
{
    const struct amount *amount = option_amount(a->options, option);
    return amount->kind == AMOUNT_FIXED ? (uint64_t)amount->low : app_amount(a, option);
}

static void count_step(void *argument)
{
    ((struct app *)argument)->self->steps++;
}

bool app_next_step(struct app *a, uint64_t steps)
{
    if (a->step >= steps)
        return false;
    a->step++;
    if (a->resumes)
        sim_trap(count_step, a);
    return true;
}

bool app_sync_due(struct app *a)
{
    if (a->sync_every == 0 || ++a->operations < a->sync_every)
        return false;
    a->operations = 0;
    a->sync_every = app_number(a, "sync");
    return true;
}

/* ---- Recording --------------------------------------------------------------------------------
 */

struct record {
    struct app *a;
    const struct history_call *call;
    const struct history_answer *answer;
    uint32_t op;
    uint64_t fill; /* WRITE: bytes to make */
    const struct client_entry *entry;
};

static void record_begin(void *argument)
{
    struct record *r = argument;
    struct workload_run *run = r->a->self->run;
    uint64_t now = sim_machine_now(run->machine) - run->origin_ns;
    r->a->self->operations++;
    r->op = history_begin(run->history, r->a->self->number, now, r->call);
    if (r->fill > 0)
        history_fill(run->history, r->op, 0, r->a->buffer, r->fill);
    run->operations++;
    if (run->hooks.on_call != NULL)
        run->hooks.on_call(run->hooks.context, r->a->self->number, r->call);
    if (run->hooks.on_op != NULL)
        run->hooks.on_op(run->hooks.context, run->operations);
}

static void record_end(void *argument)
{
    const struct record *r = argument;
    struct workload_run *run = r->a->self->run;
    (void)history_end(run->history, r->op, sim_machine_now(run->machine) - run->origin_ns,
                      r->answer);
    if (run->hooks.on_answer != NULL)
        run->hooks.on_answer(run->hooks.context, r->a->self->number, r->call, r->answer);
}

static void record_entry(void *argument)
{
    const struct record *r = argument;
    history_entry(r->a->self->run->history, r->op, r->entry->name, r->entry->type);
}

static struct record begin(struct app *a, const struct history_call *call, uint64_t fill)
{
    struct record r = {.a = a, .call = call, .fill = fill};
    sim_trap(record_begin, &r);
    return r;
}

/* An operation whose VFS died never gets an answer: it stays in flight. */
static enum err end(struct record *r, const struct history_answer *answer)
{
    if (answer->result == E_DEAD)
        return E_DEAD;
    r->answer = answer;
    sim_trap(record_end, r);
    return answer->result;
}

static enum err end_plain(struct record *r, enum err e)
{
    return end(r, &(struct history_answer){.result = e});
}

enum err app_open(struct app *a, const char *path, uint32_t flags, int32_t *fd)
{
    struct history_call call = {.kind = HISTORY_OPEN,
                                .path = path,
                                .flags =
                                    flags & (HISTORY_CREATE | HISTORY_EXCLUSIVE | HISTORY_TRUNC),
                                .mode = 0644};
    struct record r = begin(a, &call, 0);
    enum err e = client_open(&a->client, path, flags, call.mode, fd, NULL);
    return end(&r, &(struct history_answer){.result = e, .fd = e == OK ? *fd : -1});
}

enum err app_close(struct app *a, int32_t fd)
{
    struct history_call call = {.kind = HISTORY_CLOSE, .fd = fd};
    struct record r = begin(a, &call, 0);
    return end_plain(&r, client_close(&a->client, fd));
}

enum err app_write(struct app *a, int32_t fd, uint64_t offset, uint64_t length)
{
    ASSERT(length <= APP_BUFFER_BYTES);
    struct history_call call = {
        .kind = HISTORY_WRITE, .fd = fd, .offset = offset, .length = length};
    struct record r = begin(a, &call, length);
    uint64_t at = offset == HISTORY_AT_END ? 0 : offset; /* CALL_APPEND: the VFS finds the end */
    struct history_answer answer = {.offset = at};
    answer.result = client_write(&a->client, fd, at, a->buffer, length, &answer.moved,
                                 offset == HISTORY_AT_END ? &answer.offset : NULL);
    return end(&r, &answer);
}

enum err app_read(struct app *a, int32_t fd, uint64_t offset, uint64_t length, uint64_t *moved)
{
    ASSERT(length <= APP_BUFFER_BYTES);
    struct history_call call = {.kind = HISTORY_READ, .fd = fd, .offset = offset, .length = length};
    struct record r = begin(a, &call, 0);
    enum err e = client_read(&a->client, fd, offset, a->buffer, length, moved);
    return end(&r, &(struct history_answer){.result = e, .moved = *moved, .data = a->buffer});
}

enum err app_truncate(struct app *a, const char *path, uint64_t size)
{
    struct history_call call = {.kind = HISTORY_TRUNCATE, .path = path, .size = size};
    struct record r = begin(a, &call, 0);
    return end_plain(&r, client_truncate(&a->client, path, size));
}

enum err app_fsync(struct app *a, int32_t fd)
{
    struct history_call call = {.kind = HISTORY_FSYNC, .fd = fd};
    struct record r = begin(a, &call, 0);
    return end_plain(&r, client_fsync(&a->client, fd));
}

enum err app_sync(struct app *a)
{
    struct history_call call = {.kind = HISTORY_SYNC};
    struct record r = begin(a, &call, 0);
    return end_plain(&r, client_sync(&a->client));
}

enum err app_begin(struct app *a)
{
    struct history_call call = {.kind = HISTORY_BEGIN};
    struct record r = begin(a, &call, 0);
    return end_plain(&r, client_begin(&a->client));
}

enum err app_commit(struct app *a)
{
    struct history_call call = {.kind = HISTORY_COMMIT};
    struct record r = begin(a, &call, 0);
    return end_plain(&r, client_commit(&a->client));
}

enum err app_abort(struct app *a)
{
    struct history_call call = {.kind = HISTORY_ABORT};
    struct record r = begin(a, &call, 0);
    return end_plain(&r, client_abort(&a->client));
}

enum err app_stat(struct app *a, const char *path)
{
    struct history_call call = {.kind = HISTORY_STAT, .path = path};
    struct record r = begin(a, &call, 0);
    struct vfs_stat s = {0};
    enum err e = client_stat(&a->client, path, &s);
    struct history_stat stat = {.ino = s.ino,
                                .size = s.size,
                                .type = s.type,
                                .mode = s.mode,
                                .nlink = s.nlink,
                                .uid = s.uid,
                                .gid = s.gid};
    return end(&r, &(struct history_answer){.result = e, .stat = &stat});
}

enum err app_mkdir(struct app *a, const char *path)
{
    struct history_call call = {.kind = HISTORY_MKDIR, .path = path, .mode = 0755};
    struct record r = begin(a, &call, 0);
    return end_plain(&r, client_mkdir(&a->client, path, call.mode, NULL));
}

enum err app_rmdir(struct app *a, const char *path)
{
    struct history_call call = {.kind = HISTORY_RMDIR, .path = path};
    struct record r = begin(a, &call, 0);
    return end_plain(&r, client_rmdir(&a->client, path));
}

enum err app_unlink(struct app *a, const char *path)
{
    struct history_call call = {.kind = HISTORY_UNLINK, .path = path};
    struct record r = begin(a, &call, 0);
    return end_plain(&r, client_unlink(&a->client, path));
}

enum err app_rename(struct app *a, const char *from, const char *to)
{
    struct history_call call = {.kind = HISTORY_RENAME, .path = from, .path2 = to};
    struct record r = begin(a, &call, 0);
    return end_plain(&r, client_rename(&a->client, from, to));
}

enum err app_link(struct app *a, const char *existing, const char *name)
{
    struct history_call call = {.kind = HISTORY_LINK, .path = existing, .path2 = name};
    struct record r = begin(a, &call, 0);
    return end_plain(&r, client_link(&a->client, existing, name));
}

enum err app_symlink(struct app *a, const char *target, const char *name)
{
    struct history_call call = {.kind = HISTORY_SYMLINK, .path = target, .path2 = name};
    struct record r = begin(a, &call, 0);
    return end_plain(&r, client_symlink(&a->client, target, name));
}

enum err app_readlink(struct app *a, const char *path)
{
    struct history_call call = {.kind = HISTORY_READLINK, .path = path};
    struct record r = begin(a, &call, 0);
    uint64_t moved = 0;
    enum err e = client_readlink(&a->client, path, (char *)a->buffer, VFS_PATH_MAX, &moved);
    return end(&r, &(struct history_answer){.result = e, .moved = moved, .data = a->buffer});
}

/* One whole listing: open, all entries, close; the calls of its own are not recorded. */
enum err app_readdir(struct app *a, const char *path)
{
    return app_list(a, path, NULL, NULL);
}

enum err app_list(struct app *a, const char *path, app_visit *visit, void *context)
{
    struct history_call call = {.kind = HISTORY_READDIR, .path = path};
    struct record r = begin(a, &call, 0);
    struct client_entry entry;
    int32_t fd = -1;
    uint64_t cookie = 0, moved = 0;
    enum err e = client_open(&a->client, path, CALL_READ_ONLY | CALL_DIRECTORY, 0, &fd, NULL);
    bool opened = e == OK;
    do {
        if (e == OK)
            e = client_readdir(&a->client, fd, &cookie, a->buffer, 16384, &moved);
        for (uint64_t at = 0; e == OK && client_entry_next(a->buffer, moved, &at, &entry);) {
            r.entry = &entry;
            sim_trap(record_entry, &r);
            if (visit != NULL)
                visit(context, entry.name);
        }
    } while (e == OK && cookie != 0);
    enum err closed = opened ? client_close(&a->client, fd) : OK;
    return end_plain(&r, e == OK ? closed : e);
}

enum err app_chmod(struct app *a, const char *path, uint32_t mode)
{
    struct history_call call = {.kind = HISTORY_CHMOD, .path = path, .mode = mode};
    struct record r = begin(a, &call, 0);
    return end_plain(&r, client_chmod(&a->client, path, mode));
}

enum err app_chown(struct app *a, const char *path, uint32_t uid, uint32_t gid)
{
    struct history_call call = {.kind = HISTORY_CHOWN, .path = path, .uid = uid, .gid = gid};
    struct record r = begin(a, &call, 0);
    return end_plain(&r, client_chown(&a->client, path, uid, gid));
}

_Static_assert((uint32_t)CALL_KEEP_SIZE == (uint32_t)HISTORY_KEEP_SIZE, "one set of bits");
_Static_assert((uint32_t)CALL_PUNCH == (uint32_t)HISTORY_PUNCH, "one set of bits");
_Static_assert((uint32_t)CALL_ZERO == (uint32_t)HISTORY_ZERO, "one set of bits");

enum err app_fallocate(struct app *a, int32_t fd, uint32_t flags, uint64_t offset, uint64_t length)
{
    struct history_call call = {
        .kind = HISTORY_FALLOCATE, .fd = fd, .flags = flags, .offset = offset, .length = length};
    struct record r = begin(a, &call, 0);
    return end_plain(&r, client_fallocate(&a->client, fd, flags, offset, length));
}

/* Attributes that begin with "loris." are the stack's: what they mean is not the history's. */
static enum history_kind xattr_kind(const char *name, enum history_kind kind)
{
    return strncmp(name, "loris.", 6) == 0 ? HISTORY_OTHER : kind;
}

enum err app_setxattr(struct app *a, const char *path, const char *name, uint64_t length)
{
    ASSERT(length <= APP_XATTR_BYTES);
    struct history_call call = {
        .kind = HISTORY_SETXATTR, .path = path, .path2 = name, .length = length};
    struct record r = begin(a, &call, length);
    return end_plain(&r, client_setxattr(&a->client, path, name, a->buffer, length));
}

enum err app_policy(struct app *a, const char *path, const char *level)
{
    struct history_call call = {.kind = HISTORY_OTHER, .path = path};
    struct record r = begin(a, &call, 0);
    return end_plain(&r, client_setxattr(&a->client, path, "loris.raid", level, strlen(level)));
}

enum err app_change_level(struct app *a, const char *path)
{
    static const char *const levels[] = {"1", "5", "n-way"};
    uint64_t which = app_below(a, 4);
    return which < 3 ? app_policy(a, path, levels[which]) : app_removexattr(a, path, "loris.raid");
}

enum err app_getxattr(struct app *a, const char *path, const char *name)
{
    struct history_call call = {
        .kind = xattr_kind(name, HISTORY_GETXATTR), .path = path, .path2 = name};
    struct record r = begin(a, &call, 0);
    uint64_t size = 0;
    enum err e = client_getxattr(&a->client, path, name, a->buffer, APP_XATTR_BYTES, &size);
    return end(&r, &(struct history_answer){.result = e, .moved = size, .data = a->buffer});
}

enum err app_removexattr(struct app *a, const char *path, const char *name)
{
    struct history_call call = {
        .kind = xattr_kind(name, HISTORY_REMOVEXATTR), .path = path, .path2 = name};
    struct record r = begin(a, &call, 0);
    return end_plain(&r, client_removexattr(&a->client, path, name));
}

/* ---- Compounds --------------------------------------------------------------------------------
 */

enum err app_sync_path(struct app *a, const char *path, uint32_t flags)
{
    int32_t fd = -1;
    enum err e = app_open(a, path, flags, &fd);
    if (e != OK)
        return e;
    e = app_fsync(a, fd);
    if (e == E_DEAD)
        return e;
    enum err closed = app_close(a, fd);
    return e == OK ? closed : e;
}

enum err app_write_file(struct app *a, const char *path, uint32_t flags, uint64_t length)
{
    int32_t fd = -1;
    enum err e = app_open(a, path, flags, &fd);
    if (e != OK)
        return e;
    bool appends = (flags & CALL_APPEND) != 0;
    for (uint64_t done = 0; e == OK && done < length;) {
        uint64_t left = length - done;
        uint64_t piece = left < APP_BUFFER_BYTES ? left : APP_BUFFER_BYTES;
        e = app_write(a, fd, appends ? HISTORY_AT_END : done, piece);
        done += piece;
    }
    if (e == E_DEAD)
        return e;
    enum err closed = app_close(a, fd);
    return e == OK ? closed : e;
}

enum err app_read_file(struct app *a, const char *path)
{
    int32_t fd = -1;
    enum err e = app_open(a, path, CALL_READ_ONLY, &fd);
    if (e != OK)
        return e;
    uint64_t moved = APP_BUFFER_BYTES;
    for (uint64_t at = 0; e == OK && moved == APP_BUFFER_BYTES; at += moved)
        e = app_read(a, fd, at, APP_BUFFER_BYTES, &moved);
    if (e == E_DEAD)
        return e;
    enum err closed = app_close(a, fd);
    return e == OK ? closed : e;
}

struct rest {
    const struct workload_app *app;
    uint64_t ns;
};

static void ask_rest(void *argument)
{
    struct rest *rest = argument;
    const struct workload_run *run = rest->app->run;
    uint64_t now = sim_machine_now(run->machine);
    uint64_t until = run->hooks.rests_until(run->hooks.context, rest->app->number);
    rest->ns = until > now ? until - now : 0;
}

void app_think(struct app *a)
{
    const struct amount *think = option_amount(a->options, "think");
    if (!amount_is(think, 0))
        client_sleep(app_amount(a, "think"));
    if (!a->rests)
        return;
    struct rest rest = {.app = a->self};
    sim_trap(ask_rest, &rest);
    if (rest.ns > 0)
        client_sleep(rest.ns);
}

enum err app_pause(struct app *a)
{
    app_think(a);
    return app_sync_due(a) ? app_sync(a) : OK;
}

/* ---- What it relies on ------------------------------------------------------------------------
 */

struct reliance_told {
    const struct app *a;
    enum history_invariant kind;
    uint32_t file;
    const char *path, *path2;
};

static struct history *history_of(const struct app *a)
{
    return a->self->run->history;
}

static void tell_reliance(void *argument)
{
    const struct reliance_told *t = argument;
    history_rely(history_of(t->a), t->a->self->number, t->kind, t->file, t->path, t->path2);
}

void app_rely(struct app *a, enum history_invariant kind, uint32_t file, const char *path,
              const char *path2)
{
    sim_trap(tell_reliance, &(struct reliance_told){a, kind, file, path, path2});
}

static void tell_version(void *argument)
{
    const struct reliance_told *t = argument;
    history_version_begin(history_of(t->a), t->a->self->number, t->file);
}

void app_version_begin(struct app *a, uint32_t file)
{
    sim_trap(tell_version, &(struct reliance_told){.a = a, .file = file});
}

static void tell_done(void *argument)
{
    const struct app *a = argument;
    history_version_done(history_of(a), a->self->number);
}

void app_version_done(struct app *a)
{
    sim_trap(tell_done, a);
}

static void tell_safe(void *argument)
{
    const struct reliance_told *t = argument;
    history_versions_safe(history_of(t->a), t->a->self->number, t->file);
}

void app_versions_safe(struct app *a, uint32_t file)
{
    sim_trap(tell_safe, &(struct reliance_told){.a = a, .file = file});
}

struct found {
    const struct app *a;
    uint32_t file;
    uint64_t found;
};

static void ask_found(void *argument)
{
    struct found *f = argument;
    f->found = history_found(history_of(f->a), f->a->self->number, f->file);
}

uint64_t app_found(struct app *a, uint32_t file)
{
    struct found f = {.a = a, .file = file};
    sim_trap(ask_found, &f);
    return f.found;
}

static void pass_mark(void *argument)
{
    struct workload_run *run = ((struct app *)argument)->self->run;
    run->marks++;
    if (run->hooks.on_mark != NULL)
        run->hooks.on_mark(run->hooks.context, run->marks);
}

void app_mark(struct app *a)
{
    sim_trap(pass_mark, a);
}

enum err app_make_homes(struct app *a)
{
    if (a->again) {
        a->draw_key = a->life_key;
        a->drawn = 0;
    }
    enum err e = app_mkdir(a, a->home);
    if ((e == OK || (a->again && e == E_EXIST)) && a->share > 0)
        e = app_mkdir(a, a->shared_home);
    return e;
}

const char *app_home(const struct app *a, bool shared)
{
    return shared ? a->shared_home : a->home;
}

void app_path(const struct app *a, char path[APP_PATH_BYTES], bool shared, const char *prefix,
              uint64_t number)
{
    char digits[24];
    size_t count = 0, at = 0;
    do
        digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    for (const char *p = app_home(a, shared); *p != '\0'; p++)
        path[at++] = *p;
    path[at++] = '/';
    for (const char *p = prefix; *p != '\0'; p++)
        path[at++] = *p;
    while (count > 0)
        path[at++] = digits[--count];
    ASSERT(at < APP_PATH_BYTES);
    path[at] = '\0';
}
