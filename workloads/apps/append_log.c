/*
 * append-log: records at the end of one file, an fsync every `sync` of them. Whoever reads the log
 * after a crash takes records as long as they are whole; those that an fsync covered must be among
 * them (invariants.h).
 *
 * Started again, it reads the log, cuts off what follows the last whole record, and goes on there.
 */
#include "workloads/app.h"

static enum err append(struct app *a, int32_t fd)
{
    app_version_begin(a, 0);
    enum err e = app_write(a, fd, HISTORY_AT_END, app_amount(a, "size"));
    if (e == OK)
        app_version_done(a);
    return e;
}

static enum err pause_log(struct app *a, int32_t fd)
{
    app_think(a);
    if (!app_sync_due(a))
        return OK;
    enum err e = app_fsync(a, fd);
    if (e == OK)
        app_versions_safe(a, 0);
    return e;
}

static enum err recover(struct app *a, const char *path)
{
    enum err e = app_read_file(a, path);
    return e == OK ? app_truncate(a, path, app_found(a, 0)) : e;
}

void append_log_main(struct app *a)
{
    char path[APP_PATH_BYTES];
    int32_t fd = -1;
    uint64_t records = app_number(a, "records");
    app_path(a, path, a->share > 0.5, "log", 0);
    app_rely(a, HISTORY_RECORDS, 0, path, NULL);
    enum err e = app_make_homes(a);
    if (e != E_DEAD && a->again)
        e = recover(a, path);
    if (e != E_DEAD)
        e = app_open(a, path, CALL_CREATE | CALL_APPEND, &fd);
    if (e != OK)
        return;
    while (e != E_DEAD && app_next_step(a, records)) {
        e = append(a, fd);
        if (e != E_DEAD)
            e = pause_log(a, fd);
    }
}
