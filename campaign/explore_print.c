/* The table that `loris explore` ends with: what the view `explored` says of each cell. */
#include <inttypes.h>
#include <string.h>

#include "campaign/cli.h"
#include "campaign/explore_run.h"
#include "results/rows.h"
#include "results/store.h"
#include "results/text.h"

#define COLUMNS 10

static const char *const heads[COLUMNS] = {"variant",  "workload", "fault", "points",  "states",
                                           "distinct", "boots",    "left",  "weakest", "broken"};
#define FIRST_NUMBER 3u
#define WEAKEST 8u

static const char sql[] =
    "SELECT e.variant, e.workload, e.fault, e.points, e.states, e.classes, e.boots, e.missed,"
    " coalesce(n.name, '-'), e.broken FROM (SELECT c.id, c.variant, c.workload, c.fault,"
    " count(*) AS points, " ROWS_SUM(
        "x.states") " AS states, sum(x.distinct_states) AS classes,"
                    " sum(x.boots) AS boots, " ROWS_SUM(
                        "x.left") " AS missed, max(x.weakest) AS weakest,"
                                  " sum(x.broken) AS broken FROM exploration x JOIN cell c ON c.id "
                                  "= x.cell GROUP BY c.id) e"
                                  " LEFT JOIN level_name n ON n.id = e.weakest ORDER BY e.id";

bool explore_format_is(const char *name)
{
    return strcmp(name, "table") == 0 || strcmp(name, "csv") == 0 || strcmp(name, "json") == 0 ||
           strcmp(name, "markdown") == 0;
}

static bool is_number(int column)
{
    return column >= (int)FIRST_NUMBER && column != (int)WEAKEST;
}

static void print_csv(const char *const *text, FILE *out)
{
    for (int k = 0; k < COLUMNS; k++) {
        (void)fputs(k > 0 ? "," : "", out);
        text_csv(out, text[k]);
    }
    (void)fputc('\n', out);
}

static void print_json(const char *const *text, FILE *out)
{
    for (int k = 0; k < COLUMNS; k++) {
        (void)fprintf(out, "%s\"%s\": ", k > 0 ? ", " : "{", heads[k]);
        if (is_number(k))
            (void)fputs(text[k], out);
        else
            text_json(out, text[k]);
    }
    (void)fputc('}', out);
}

static void print_markdown(const char *const *text, FILE *out)
{
    for (int k = 0; k < COLUMNS; k++) {
        (void)fputs("| ", out);
        text_markdown(out, text[k]);
        (void)fputc(' ', out);
    }
    (void)fputs("|\n", out);
}

static void print_plain(const char *const *text, FILE *out)
{
    static const int width[COLUMNS] = {-20, -16, -12, 7, 14, 9, 8, 12, -12, 7};
    for (int k = 0; k < COLUMNS; k++)
        (void)fprintf(out, "%s%*s", k > 0 ? " " : "", width[k], text[k]);
    (void)fputc('\n', out);
}

static void print_head(const char *format, FILE *out)
{
    if (strcmp(format, "csv") == 0)
        print_csv(heads, out);
    else if (strcmp(format, "json") == 0)
        (void)fputc('[', out);
    else if (strcmp(format, "markdown") == 0) {
        print_markdown(heads, out);
        for (int k = 0; k < COLUMNS; k++)
            (void)fputs(is_number(k) ? "|---:" : "|---", out);
        (void)fputs("|\n", out);
    } else {
        print_plain(heads, out);
    }
}

static void print_row(const char *format, const char *const *text, bool first, FILE *out)
{
    if (strcmp(format, "csv") == 0) {
        print_csv(text, out);
    } else if (strcmp(format, "json") == 0) {
        (void)fputs(first ? "" : ",\n ", out);
        print_json(text, out);
    } else if (strcmp(format, "markdown") == 0) {
        print_markdown(text, out);
    } else {
        print_plain(text, out);
    }
}

int explore_print(const char *path, const char *format, FILE *out, FILE *err)
{
    sqlite3 *db = NULL;
    char error[STORE_ERROR_BYTES];
    if (store_open_read(&db, path, error) != OK) {
        (void)fprintf(err, "%s\n", error);
        return EXIT_WRONG_INPUT;
    }
    sqlite3_stmt *s = rows_query(db, sql, error);
    bool any = false, row = rows_next(s, error);
    if (s != NULL)
        print_head(format, out);
    for (; row; row = rows_next(s, error)) {
        const char *text[COLUMNS];
        for (int k = 0; k < COLUMNS; k++)
            text[k] = rows_text(s, k);
        print_row(format, text, !any, out);
        any = true;
    }
    if (s != NULL && strcmp(format, "json") == 0)
        (void)fputs("]\n", out);
    if (error[0] != '\0')
        (void)fprintf(err, "%s\n", error);
    (void)sqlite3_finalize(s);
    (void)sqlite3_close(db);
    return error[0] != '\0' ? EXIT_WRONG_INPUT : EXIT_DONE;
}
