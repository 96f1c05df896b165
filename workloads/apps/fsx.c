/*
 * fsx: random operations on one file (in the manner of Apple's file system exerciser): reads,
 * writes, appends, truncations up and down, closing and opening again, with an fsync every `sync`
 * operations. With `fallocate` every fifth step allocates, zeroes or punches a range, with `levels`
 * every 25th asks for another RAID level.
 */
#include "workloads/app.h"

#define WRITE_MAX (64u << 10)

struct fsx {
    struct app *a;
    char path[APP_PATH_BYTES];
    int32_t fd;
    bool allocates, migrates;
    uint64_t limit; /* largest size of the file */
};

static enum err reopen(struct fsx *f)
{
    enum err e = app_close(f->a, f->fd);
    return e == E_DEAD ? e : app_open(f->a, f->path, 0, &f->fd);
}

/* One of the ways to allocate, zero or punch a range. */
static enum err allocate(struct fsx *f, uint64_t offset, uint64_t length)
{
    static const uint32_t ways[] = {0, CALL_ZERO, CALL_ZERO | CALL_KEEP_SIZE, CALL_PUNCH};
    return app_fallocate(f->a, f->fd, ways[app_below(f->a, 4)], offset, length);
}

static enum err step(struct fsx *f)
{
    struct app *a = f->a;
    uint64_t what = app_below(a, 16), offset = app_below(a, f->limit), moved;
    uint64_t most = f->limit - offset < WRITE_MAX ? f->limit - offset : WRITE_MAX;
    uint64_t length = 1 + app_below(a, most);
    if (f->migrates && app_below(a, 25) == 0)
        return app_change_level(a, f->path);
    if (f->allocates && app_below(a, 5) == 0)
        return allocate(f, offset, length);
    if (what < 7)
        return app_write(a, f->fd, offset, length);
    if (what < 13)
        return app_read(a, f->fd, offset, length, &moved);
    if (what < 15)
        return app_truncate(a, f->path, offset);
    return reopen(f);
}

static enum err pause_fsx(struct fsx *f)
{
    struct app *a = f->a;
    app_think(a);
    return app_sync_due(a) ? app_fsync(a, f->fd) : OK;
}

void fsx_main(struct app *a)
{
    uint64_t operations = app_number(a, "operations");
    struct fsx f = {.a = a,
                    .fd = -1,
                    .allocates = option_on(a->options, "fallocate"),
                    .migrates = option_on(a->options, "levels"),
                    .limit = app_amount(a, "size")};
    app_path(a, f.path, a->share > 0 && app_unit(a) < a->share, "fsx", 0);
    enum err e = app_make_homes(a);
    if (e != E_DEAD)
        e = app_open(a, f.path, CALL_CREATE, &f.fd);
    while (e != E_DEAD && app_next_step(a, operations)) {
        e = step(&f);
        if (e != E_DEAD)
            e = pause_fsx(&f);
    }
    if (e != E_DEAD)
        e = app_close(a, f.fd);
    (void)e; /* the oracle has seen it */
}
