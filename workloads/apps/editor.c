/*
 * editor: a word processor's protocol (CS 423: a list of open files, a backup, a rename). At its
 * start it names the texts that it has open in a file of their own; each save writes the whole
 * text beside the old one and renames it over; at its end the list goes. With `sync` each step is
 * stable before the next, without it the order is left to the file system.
 *
 * What the user of an editor is owed after a crash is worked out from the tree (invariants.h): for
 * each text its backup if that is whole, else the text, and no older than the last save that was
 * said to be done. Started again the editor does so itself: it reads both, and renames the backup
 * over the text or removes it; then the old list goes.
 */
#include "workloads/app.h"

#define TEXTS 3u

struct editor {
    struct app *a;
    const char *home;
    char list[APP_PATH_BYTES], new_list[APP_PATH_BYTES];
    char text[TEXTS][APP_PATH_BYTES], backup[TEXTS][APP_PATH_BYTES];
};

static enum err write_new(struct app *a, const char *path, uint64_t length, bool sync)
{
    int32_t fd = -1;
    enum err e = app_open(a, path, CALL_CREATE | CALL_TRUNC, &fd);
    if (e != OK)
        return e;
    for (uint64_t at = 0; e == OK && at < length; at += APP_BUFFER_BYTES)
        e = app_write(a, fd, at, length - at < APP_BUFFER_BYTES ? length - at : APP_BUFFER_BYTES);
    if (e == OK && sync)
        e = app_fsync(a, fd);
    if (e == E_DEAD)
        return e;
    enum err closed = app_close(a, fd);
    return e == OK ? closed : e;
}

static enum err sync_home(const struct editor *d)
{
    return app_sync_path(d->a, d->home, CALL_READ_ONLY | CALL_DIRECTORY);
}

/* Writes `length` bytes beside the file, and renames them over it. */
static enum err replace(struct editor *d, const char *beside, const char *path, uint64_t length,
                        bool sync)
{
    enum err e = write_new(d->a, beside, length, sync);
    if (e == OK)
        e = app_rename(d->a, beside, path);
    if (e == OK && sync)
        e = sync_home(d);
    return e;
}

static enum err save(struct editor *d, uint32_t text)
{
    struct app *a = d->a;
    bool sync = app_sync_due(a);
    app_version_begin(a, text);
    enum err e = replace(d, d->backup[text], d->text[text], app_amount(a, "size"), sync);
    if (e == OK)
        app_version_done(a);
    if (e == OK && sync)
        app_versions_safe(a, text);
    return e;
}

static void stop(struct editor *d)
{
    if (app_unlink(d->a, d->list) == OK && sync_home(d) == E_DEAD)
        return;
}

/* One text after a crash. */
static enum err recover_text(struct editor *d, uint32_t text)
{
    struct app *a = d->a;
    enum err e = app_read_file(a, d->backup[text]);
    if (e == E_DEAD || e == E_NOENT)
        return e;
    e = app_read_file(a, d->text[text]);
    if (e == E_DEAD)
        return e;
    bool newer = app_found(a, text) != 0;
    return newer ? app_rename(a, d->backup[text], d->text[text]) : app_unlink(a, d->backup[text]);
}

static enum err recover(struct editor *d)
{
    enum err e = OK;
    for (uint32_t i = 0; e != E_DEAD && i < TEXTS; i++)
        e = recover_text(d, i);
    if (e != E_DEAD)
        e = app_unlink(d->a, d->list);
    if (e == E_DEAD || d->a->sync_every == 0)
        return e;
    return sync_home(d);
}

void editor_main(struct app *a)
{
    bool shared = a->share > 0.5;
    struct editor d = {.a = a, .home = app_home(a, shared)};
    app_path(a, d.list, shared, "list", 0);
    app_path(a, d.new_list, shared, "list-new", 0);
    for (uint32_t i = 0; i < TEXTS; i++) {
        app_path(a, d.text[i], shared, "text", i);
        app_path(a, d.backup[i], shared, "backup", i);
        app_rely(a, HISTORY_REPLACED, i, d.text[i], d.backup[i]);
    }
    uint64_t saves = app_number(a, "saves");
    enum err e = app_make_homes(a);
    if (e != E_DEAD && a->again)
        e = recover(&d);
    if (e != E_DEAD)
        e = replace(&d, d.new_list, d.list, 64 * TEXTS, a->sync_every != 0);
    while (e != E_DEAD && app_next_step(a, saves)) {
        e = save(&d, (uint32_t)app_below(a, TEXTS));
        if (e != E_DEAD)
            app_think(a); /* it has synced what it saved */
    }
    if (e != E_DEAD)
        (void)stop(&d);
}
