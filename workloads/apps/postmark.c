/*
 * postmark: a mail server's life with small files (after Katcher, "PostMark: a new file system
 * benchmark", NetApp TR3022, 1997). A pool of files is made; each transaction reads a file or
 * appends to one, and creates a file or deletes one, by even chances; at the end what is left is
 * deleted, unless the campaign wants to see it: it stays, so that the oracle has something to read.
 * With `levels` a file is asked to change its RAID level before every fourth transaction.
 *
 * Started again, it takes the files that it finds for its pool and does the rest.
 */
#include "workloads/app.h"

#define APPEND_SHARE 4 /* an append has up to a quarter of a drawn file size */

struct pool {
    struct app *a;
    uint64_t *file; /* numbers of the live files */
    uint64_t count, room;
    uint64_t next; /* number of the next new file */
    bool migrates;
};

/* Numbers are dealt to the shared tree by their place in every hundred, so that a file's tree is
 * known from its number. */
static void pool_path(const struct pool *p, uint64_t number, char path[APP_PATH_BYTES])
{
    bool shared = (double)(number * 61 % 100) < p->a->share * 100.0;
    app_path(p->a, path, shared, "f", number);
}

static enum err pool_create(struct pool *p)
{
    char path[APP_PATH_BYTES];
    if (p->count == p->room)
        return OK;
    uint64_t number = p->next++;
    pool_path(p, number, path);
    enum err e = app_write_file(p->a, path, CALL_CREATE | CALL_EXCLUSIVE, app_amount(p->a, "size"));
    p->file[p->count++] = number;
    return e;
}

static enum err pool_delete(struct pool *p)
{
    char path[APP_PATH_BYTES];
    if (p->count == 0)
        return OK;
    uint64_t at = app_below(p->a, p->count);
    pool_path(p, p->file[at], path);
    p->file[at] = p->file[--p->count];
    return app_unlink(p->a, path);
}

static enum err pool_read(struct pool *p)
{
    char path[APP_PATH_BYTES];
    if (p->count == 0)
        return OK;
    pool_path(p, p->file[app_below(p->a, p->count)], path);
    return app_read_file(p->a, path);
}

static enum err pool_append(struct pool *p)
{
    char path[APP_PATH_BYTES];
    if (p->count == 0)
        return OK;
    pool_path(p, p->file[app_below(p->a, p->count)], path);
    uint64_t length = 1 + app_amount(p->a, "size") / APPEND_SHARE;
    return app_write_file(p->a, path, CALL_APPEND, length);
}

static enum err pool_migrate(struct pool *p)
{
    char path[APP_PATH_BYTES];
    if (p->count == 0)
        return OK;
    pool_path(p, p->file[app_below(p->a, p->count)], path);
    return app_change_level(p->a, path);
}

/* A name of the pool is "f" and a number: keeps those numbers in ascending order, so that they do
 * not hang on how a design lists them. */
static void pool_meet(void *context, const char *name)
{
    struct pool *p = context;
    uint64_t number = 0;
    if (*name != 'f' || p->count == p->room)
        return;
    for (const char *digit = name + 1; *digit != '\0'; digit++)
        number = 10 * number + (uint64_t)(*digit - '0');
    uint64_t at = p->count++;
    for (; at > 0 && p->file[at - 1] > number; at--)
        p->file[at] = p->file[at - 1];
    p->file[at] = number;
    p->next = number >= p->next ? number + 1 : p->next;
}

static enum err pool_find(struct pool *p)
{
    enum err e = app_list(p->a, app_home(p->a, false), pool_meet, p);
    if (e != E_DEAD && p->a->share > 0)
        e = app_list(p->a, app_home(p->a, true), pool_meet, p);
    return e;
}

static enum err transaction(struct pool *p)
{
    if (p->migrates && app_below(p->a, 4) == 0 && pool_migrate(p) == E_DEAD)
        return E_DEAD;
    enum err e = app_below(p->a, 2) == 0 ? pool_read(p) : pool_append(p);
    if (e == E_DEAD)
        return e;
    return app_below(p->a, 2) == 0 ? pool_create(p) : pool_delete(p);
}

void postmark_main(struct app *a)
{
    uint64_t files = app_number(a, "files");
    uint64_t transactions = app_number(a, "transactions");
    struct pool p = {
        .a = a, .room = files + transactions, .migrates = option_on(a->options, "levels")};
    p.file = plat_alloc(p.room * sizeof(*p.file), TAG_HEAP);
    ASSERT(p.file != NULL);
    enum err e = app_make_homes(a);
    if (e != E_DEAD && a->again)
        e = pool_find(&p);
    while (e != E_DEAD && app_next_step(a, files + transactions)) {
        e = a->step <= files ? pool_create(&p) : transaction(&p);
        if (e != E_DEAD)
            e = app_pause(a);
    }
}
