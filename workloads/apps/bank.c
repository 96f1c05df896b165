/*
 * bank: Tom and Mike move money to each other, and their sum must stay what it is. The balances
 * themselves are the laboratory's self-describing data: the sum holds where both are of one
 * transfer.
 *
 * With user transactions an account is a file, and a transfer writes both between begin and commit.
 * Without, both are in one file, written anew and renamed over the old one. Each transfer is
 * followed by a look at both; what it finds is checked by the oracle, at once and at the end.
 *
 * Started again, it opens the accounts only if they are not both there; what is left of a transfer
 * that was cut short is overwritten by the next.
 */
#include "workloads/app.h"

#define BALANCE_BYTES 4096u /* a block each: two of one file may part ways */

struct bank {
    struct app *a;
    char tom[APP_PATH_BYTES], mike[APP_PATH_BYTES]; /* without user transactions: old, new */
    const char *home;
    bool transactions;
};

/* Ends a transfer or a look: what was aborted is not done, and nobody is owed a retry. */
static enum err finish(struct app *a, enum err e)
{
    if (e == OK)
        return app_commit(a);
    return e == E_DEAD ? e : app_abort(a);
}

static enum err write_balance(struct app *a, const char *path, uint32_t flags, uint64_t offset)
{
    int32_t fd = -1;
    enum err e = app_open(a, path, flags, &fd);
    if (e != OK)
        return e;
    e = app_write(a, fd, offset, BALANCE_BYTES);
    if (e == E_DEAD)
        return e;
    enum err closed = app_close(a, fd);
    return e == OK ? closed : e;
}

static enum err pay_in_transaction(struct bank *b)
{
    app_version_begin(b->a, 0);
    enum err e = app_begin(b->a);
    if (e != OK)
        return e;
    e = write_balance(b->a, b->tom, 0, 0);
    if (e == OK)
        e = write_balance(b->a, b->mike, 0, 0);
    e = finish(b->a, e);
    if (e == OK)
        app_version_done(b->a);
    return e;
}

static enum err pay_by_rename(struct bank *b)
{
    bool sync = app_sync_due(b->a);
    app_version_begin(b->a, 0);
    enum err e = write_balance(b->a, b->mike, CALL_CREATE | CALL_TRUNC, 0);
    if (e == OK)
        e = write_balance(b->a, b->mike, 0, BALANCE_BYTES);
    if (e == OK && sync)
        e = app_sync_path(b->a, b->mike, 0);
    if (e == OK)
        e = app_rename(b->a, b->mike, b->tom);
    if (e == OK && sync)
        e = app_sync_path(b->a, b->home, CALL_READ_ONLY | CALL_DIRECTORY);
    if (e == OK)
        app_version_done(b->a);
    if (e == OK && sync)
        app_versions_safe(b->a, 0);
    return e;
}

static enum err look(struct bank *b)
{
    if (!b->transactions)
        return app_read_file(b->a, b->tom);
    enum err e = app_begin(b->a);
    if (e != OK)
        return e;
    e = app_read_file(b->a, b->tom);
    if (e == OK)
        e = app_read_file(b->a, b->mike);
    return finish(b->a, e);
}

static enum err open_accounts(struct bank *b)
{
    if (!b->transactions)
        return pay_by_rename(b);
    app_version_begin(b->a, 0);
    enum err e = write_balance(b->a, b->tom, CALL_CREATE, 0);
    if (e != E_DEAD)
        e = write_balance(b->a, b->mike, CALL_CREATE, 0);
    if (e == OK)
        e = app_sync(b->a);
    if (e != OK)
        return e;
    app_version_done(b->a);
    app_versions_safe(b->a, 0);
    return OK;
}

/* Whether both accounts are there from an earlier life. */
static bool has_accounts(struct bank *b, enum err *e)
{
    if (!b->a->again || !b->transactions)
        return false;
    *e = app_stat(b->a, b->tom);
    if (*e == OK)
        *e = app_stat(b->a, b->mike);
    return *e == OK;
}

void bank_main(struct app *a)
{
    struct bank b = {.a = a, .transactions = option_on(a->options, "user-transactions")};
    uint64_t transfers = app_number(a, "transactions");
    bool shared = a->share > 0.5;
    b.home = app_home(a, shared);
    app_path(a, b.tom, shared, b.transactions ? "tom" : "bank", 0);
    app_path(a, b.mike, shared, b.transactions ? "mike" : "new", 0);
    app_rely(a, b.transactions ? HISTORY_TOGETHER : HISTORY_REPLACED, 0, b.tom,
             b.transactions ? b.mike : NULL);
    enum err e = app_make_homes(a);
    if (e != E_DEAD && !has_accounts(&b, &e) && e != E_DEAD)
        e = open_accounts(&b);
    while (e != E_DEAD && app_next_step(a, transfers)) {
        e = b.transactions ? pay_in_transaction(&b) : pay_by_rename(&b);
        if (e != E_DEAD)
            e = look(&b);
        if (e != E_DEAD && b.transactions)
            e = app_pause(a);
        else if (e != E_DEAD)
            app_think(a); /* it has synced what it renamed */
    }
}
