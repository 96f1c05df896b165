#include "results/rows.h"

#include <stdio.h>

#include "assertion.h"
#include "results/store.h"

static void failed(sqlite3 *db, char *error)
{
    if (error[0] == 0)
        snprintf(error, STORE_ERROR_BYTES, "%s:1:1: cannot be read: %s",
                 sqlite3_db_filename(db, "main"), sqlite3_errmsg(db));
}

sqlite3_stmt *rows_query(sqlite3 *db, const char *sql, char *error)
{
    ASSERT(db != NULL);
    ASSERT(error != NULL);
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
        failed(db, error);
    return s;
}

bool rows_next(sqlite3_stmt *s, char *error)
{
    ASSERT(error != NULL);
    if (s == NULL || error[0] != 0)
        return false;
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW)
        return true;
    if (code != SQLITE_DONE)
        failed(sqlite3_db_handle(s), error);
    return false;
}

const char *rows_text(sqlite3_stmt *s, int at)
{
    const char *text = (const char *)sqlite3_column_text(s, at);
    return text != NULL ? text : "";
}
