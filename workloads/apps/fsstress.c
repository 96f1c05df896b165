/*
 * fsstress: random operations on names and data in a small tree (in the manner of SGI's fsstress).
 * Names are few, so operations meet: renames replace, links and unlinks cross, directories fill and
 * empty. Many are refused; that too is compared with what the history says.
 */
#include "workloads/app.h"

#define DIRECTORIES 6u
#define NAMES 8u /* in a directory */
#define WRITE_MAX (32u << 10)
#define FILE_MAX (128u << 10)

/* The path of directory k: "HOME/dk"; d4 and d5 lie in d0 and d1. Returns where it ends. */
static char *directory_path(struct app *a, char path[APP_PATH_BYTES], uint64_t k)
{
    uint64_t top = k >= 4 ? k - 4 : k;
    bool shared = (double)(top * 37 % 100) < a->share * 100.0;
    app_path(a, path, shared, "d", top);
    char *p = path;
    while (*p != '\0')
        p++;
    if (k >= 4) {
        *p++ = '/';
        *p++ = 'd';
        *p++ = (char)('0' + k);
        *p = '\0';
    }
    return p;
}

static void random_path(struct app *a, char path[APP_PATH_BYTES])
{
    char *p = directory_path(a, path, app_below(a, DIRECTORIES));
    *p++ = '/';
    *p++ = 'n';
    *p++ = (char)('0' + app_below(a, NAMES));
    *p = '\0';
}

static enum err write_some(struct app *a, const char *path)
{
    int32_t fd = -1;
    enum err e = app_open(a, path, CALL_CREATE, &fd);
    if (e != OK)
        return e;
    e = app_write(a, fd, app_below(a, FILE_MAX), 1 + app_below(a, WRITE_MAX));
    if (e == OK && app_below(a, 16) == 0)
        e = app_fsync(a, fd);
    return e == E_DEAD ? e : app_close(a, fd);
}

static enum err change_names(struct app *a, uint64_t what, const char *path, const char *other)
{
    switch (what) {
    case 0:
        return app_mkdir(a, path);
    case 1:
        return app_rmdir(a, path);
    case 2:
    case 3:
        return app_unlink(a, path);
    case 4:
        return app_link(a, path, other);
    case 5:
        return app_symlink(a, path, other);
    default:
        return app_rename(a, path, other);
    }
}

/* Sets, gets or removes one of a few attributes. */
static enum err attribute(struct app *a, const char *path)
{
    char name[] = "user.n0";
    name[6] = (char)('0' + app_below(a, 4));
    uint64_t what = app_below(a, 4);
    if (what < 2)
        return app_setxattr(a, path, name, app_below(a, 300));
    return what == 2 ? app_getxattr(a, path, name) : app_removexattr(a, path, name);
}

static enum err allocate(struct app *a, const char *path)
{
    static const uint32_t ways[] = {0, CALL_ZERO, CALL_ZERO | CALL_KEEP_SIZE, CALL_PUNCH};
    int32_t fd = -1;
    enum err e = app_open(a, path, 0, &fd);
    if (e != OK)
        return e;
    uint32_t way = ways[app_below(a, 4)];
    e = app_fallocate(a, fd, way, app_below(a, FILE_MAX), 1 + app_below(a, WRITE_MAX));
    return e == E_DEAD ? e : app_close(a, fd);
}

static enum err step(struct app *a)
{
    char path[APP_PATH_BYTES], other[APP_PATH_BYTES];
    random_path(a, path);
    random_path(a, other);
    if (option_on(a->options, "xattrs") && app_below(a, 6) == 0)
        return attribute(a, path);
    if (option_on(a->options, "fallocate") && app_below(a, 6) == 0)
        return allocate(a, path);
    uint64_t what = app_below(a, 24);
    if (what < 8)
        return write_some(a, path);
    if (what < 16)
        return change_names(a, what - 8, path, other);
    if (what < 18)
        return app_read_file(a, path);
    if (what < 20)
        return app_truncate(a, path, app_below(a, FILE_MAX));
    if (what == 20)
        return app_chmod(a, path, 0600 + (uint32_t)app_below(a, 64));
    if (what == 21)
        return app_stat(a, path);
    if (what == 22)
        return app_readlink(a, path);
    (void)directory_path(a, path, app_below(a, DIRECTORIES));
    return app_readdir(a, path);
}

static enum err make_tree(struct app *a)
{
    char path[APP_PATH_BYTES];
    enum err e = app_make_homes(a);
    for (uint64_t k = 0; e != E_DEAD && k < DIRECTORIES; k++) {
        (void)directory_path(a, path, k);
        e = app_mkdir(a, path);
    }
    return e;
}

void fsstress_main(struct app *a)
{
    uint64_t operations = app_number(a, "operations");
    enum err e = make_tree(a);
    while (e != E_DEAD && app_next_step(a, operations)) {
        e = step(a);
        if (e != E_DEAD)
            e = app_pause(a);
    }
}
