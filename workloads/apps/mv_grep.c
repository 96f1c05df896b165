/*
 * mv-grep: one process moves a file to and fro between two directories, another looks for it in
 * both, one after the other. Where it does not find it, finds it twice, or finds less of it than
 * there is, that is an anomaly: no order of whole moves and whole searches gives it. Without
 * transactions timing alone does; with them each move and each search is one.
 *
 * Copies work in pairs, in the shared tree, for they may be in different environments: the even one
 * moves, the next one searches. A last one without a partner only moves.
 *
 * Started again, the mover sees to it that there is one file, in the first directory, and writes it
 * anew.
 */
#include "workloads/app.h"

#include <stdio.h>

#define FILE_BYTES 8192u
#define START_TRIES 2000u /* of a millisecond each, until the mover has made the file */

struct pair {
    struct app *a;
    bool transactions;
    char x[APP_PATH_BYTES], y[APP_PATH_BYTES], in_x[APP_PATH_BYTES], in_y[APP_PATH_BYTES];
};

struct names {
    struct pair *p;
    uint32_t mover;
};

/* Runs in the laboratory. */
static void name_paths(void *argument)
{
    struct names *n = argument;
    struct pair *p = n->p;
    n->mover = p->a->self->number - p->a->self->copy % 2;
    (void)snprintf(p->x, sizeof(p->x), "shared/mv%u-x", n->mover);
    (void)snprintf(p->y, sizeof(p->y), "shared/mv%u-y", n->mover);
    (void)snprintf(p->in_x, sizeof(p->in_x), "shared/mv%u-x/f", n->mover);
    (void)snprintf(p->in_y, sizeof(p->in_y), "shared/mv%u-y/f", n->mover);
}

static void count_anomaly(void *argument)
{
    ((struct app *)argument)->self->run->unexpected++;
}

static enum err begin(struct pair *p)
{
    return p->transactions ? app_begin(p->a) : OK;
}

static enum err finish(struct pair *p, enum err e)
{
    if (!p->transactions || e == E_DEAD)
        return e;
    return e == OK ? app_commit(p->a) : app_abort(p->a);
}

static enum err make(struct pair *p)
{
    enum err e = app_mkdir(p->a, p->y);
    if (e != E_DEAD)
        e = app_mkdir(p->a, p->x);
    return e != E_DEAD ? app_write_file(p->a, p->in_x, CALL_CREATE, FILE_BYTES) : e;
}

static enum err repair(struct pair *p)
{
    enum err x = app_stat(p->a, p->in_x);
    enum err e = x != E_DEAD ? app_stat(p->a, p->in_y) : x;
    if (e == OK)
        e = x == OK ? app_unlink(p->a, p->in_y) : app_rename(p->a, p->in_y, p->in_x);
    return e == E_DEAD ? e : make(p);
}

/* Tries again what a deadlock took back: it is to end on the other side. */
static enum err move(struct pair *p, bool back)
{
    enum err e = OK;
    for (uint32_t tries = 0; tries < 8; tries++) {
        e = begin(p);
        if (e != OK)
            return e;
        e = app_rename(p->a, back ? p->in_y : p->in_x, back ? p->in_x : p->in_y);
        bool moved = e == OK;
        e = finish(p, e);
        if (e != OK && e != E_ABORT)
            return e;
        if (moved && e == OK)
            return OK;
        if (!p->transactions)
            return e;
    }
    return e;
}

/* *found: 1 if the file is in this directory, *bytes: how much of it could be read. */
static enum err search(struct pair *p, const char *dir, const char *path, uint32_t *found,
                       uint64_t *bytes)
{
    int32_t fd = -1;
    enum err e = app_readdir(p->a, dir);
    if (e == OK)
        e = app_open(p->a, path, CALL_READ_ONLY, &fd);
    if (e == E_NOENT)
        return OK;
    if (e != OK)
        return e;
    uint64_t moved = 0;
    ++*found;
    e = app_read(p->a, fd, 0, FILE_BYTES, &moved);
    *bytes += moved;
    if (e == E_DEAD)
        return e;
    enum err closed = app_close(p->a, fd);
    return e == OK ? closed : e;
}

static enum err grep(struct pair *p)
{
    uint32_t found = 0;
    uint64_t bytes = 0;
    enum err e = begin(p);
    if (e != OK)
        return e;
    e = search(p, p->x, p->in_x, &found, &bytes);
    if (e == OK)
        e = search(p, p->y, p->in_y, &found, &bytes);
    bool looked = e == OK;
    e = finish(p, e);
    if (looked && e == OK && (found != 1 || bytes != FILE_BYTES))
        sim_trap(count_anomaly, p->a);
    return e;
}

/* Waits until the mover has made the file; not recorded. */
static enum err await(struct pair *p)
{
    struct vfs_stat stat = {0};
    enum err e = E_NOENT;
    for (uint32_t tries = 0; tries < START_TRIES; tries++) {
        e = client_stat(&p->a->client, p->in_x, &stat);
        if (e == OK && stat.size != FILE_BYTES)
            e = E_NOENT;
        if (e != OK && e != E_DEAD)
            e = client_stat(&p->a->client, p->in_y, &stat);
        if (e != E_NOENT)
            return e;
        client_sleep(1000000);
    }
    return E_DEAD; /* it never came to it */
}

void mv_grep_main(struct app *a)
{
    struct pair p = {.a = a, .transactions = option_on(a->options, "user-transactions")};
    struct names n = {.p = &p};
    sim_trap(name_paths, &n);
    uint64_t moves = app_number(a, "moves");
    bool moving = a->copy % 2 == 0;
    enum err e = !moving ? await(&p) : a->again ? repair(&p) : make(&p);
    for (uint64_t i = 0; e != E_DEAD && app_next_step(a, moves); i++) {
        e = moving ? move(&p, i % 2 == 1) : grep(&p);
        if (e != E_DEAD)
            e = app_pause(a);
    }
}
