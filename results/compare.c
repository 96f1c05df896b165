/* The files, variants and cells of a comparison: what is compared with what, and whether by pairs.
 */
#include "results/compare.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "results/compare_private.h"
#include "results/record.h"
#include "results/rows.h"
#include "results/store.h"
#include "results/text.h"

#define DEFAULT_MARGIN_SHARE 0.01
#define DEFAULT_MARGIN_TIME 0.05
#define DEFAULT_ALPHA 0.05

static const char *const verdict_names[VERDICT_COUNT] = {"worse", "undecided", "better",
                                                         "no-worse"};
static const char *const why_names[] = {"statistics", "identical", "promise"};
static const char *const format_names[] = {"table", "json", "junit", "markdown", "csv"};

const char *verdict_name(enum verdict verdict)
{
    ASSERT((unsigned)verdict < VERDICT_COUNT);
    return verdict_names[verdict];
}

const char *why_name(enum why why)
{
    return why_names[why];
}

int compare_format_from_name(const char *name)
{
    for (int i = 0; i < (int)(sizeof(format_names) / sizeof(format_names[0])); i++)
        if (strcmp(format_names[i], name) == 0)
            return i;
    return -1;
}

/* Errors are collected, so that all are told at once. */
struct loader {
    struct comparison *c;
    const struct compare_options *options;
    sqlite3 *base, *new; /* one connection where it is one file */
    FILE *err;
    unsigned errors;
    char error[STORE_ERROR_BYTES]; /* of all queries */
};

__attribute__((format(printf, 2, 3))) static void complain(struct loader *l, const char *format,
                                                           ...)
{
    char line[STORE_ERROR_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    fprintf(l->err, "%s\n", line);
    l->errors++;
}

/* The first column of the first row as a copied text, or NULL. */
static char *one_text(struct loader *l, sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s = rows_query(db, sql, l->error);
    char *text = NULL;
    if (rows_next(s, l->error) && sqlite3_column_type(s, 0) != SQLITE_NULL)
        text = strdup(rows_text(s, 0));
    sqlite3_finalize(s);
    return text;
}

static void add_measure(struct loader *l, const char *name)
{
    const char *near = text_nearest(name, measure_names, MEASURE_COUNT);
    struct comparison *c = l->c;
    enum measure measure = measure_from_name(name);
    for (size_t i = 0; i < c->measure_count; i++)
        if (c->measure[i] == measure)
            return;
    if (measure != MEASURE_COUNT) {
        c->measure[c->measure_count++] = measure;
        return;
    }
    complain(
        l,
        "--measure:1:1: no measure '%s'; allowed: level, broken, wrong, outage, recovery, rebuild, "
        "rpo, time%s%s",
        name, near != NULL ? "; did you mean " : "", near != NULL ? near : "");
}

static void read_measures(struct loader *l)
{
    char *list = l->options->measures != NULL
                     ? strdup(l->options->measures)
                     : one_text(l, l->base,
                                "SELECT group_concat(value) FROM campaigns, json_each(compare, "
                                "'$.measure')");
    char *rest = list;
    for (char *name; list != NULL && (name = strsep(&rest, ",")) != NULL;) {
        name += strspn(name, " ");
        name[strcspn(name, " ")] = 0;
        add_measure(l, name);
    }
    free(list);
    if (l->c->measure_count == 0 && l->errors == 0)
        l->c->measure[l->c->measure_count++] = MEASURE_LEVEL;
}

/* The option, else the file's number, else NAN. */
static double number_or_stored(struct loader *l, double option, const char *sql)
{
    if (!isnan(option))
        return option;
    char *text = one_text(l, l->base, sql);
    double value = text != NULL ? strtod(text, NULL) : NAN;
    free(text);
    return value;
}

static void read_numbers(struct loader *l)
{
    struct comparison *c = l->c;
    double margin = number_or_stored(l, l->options->margin,
                                     "SELECT json_extract(compare, '$.margin') FROM campaigns");
    double alpha = number_or_stored(l, l->options->alpha,
                                    "SELECT json_extract(compare, '$.alpha') FROM campaigns");
    c->margin_share = isnan(margin) ? DEFAULT_MARGIN_SHARE : margin;
    c->margin_time = isnan(margin) ? DEFAULT_MARGIN_TIME : margin;
    c->alpha = isnan(alpha) ? DEFAULT_ALPHA : alpha;
    if (!(c->margin_share > 0 && c->margin_share < 1))
        complain(l, "--margin:1:1: %g is no margin; allowed: above 0 %% and below 100 %%",
                 c->margin_share);
    if (!(c->alpha > 0 && c->alpha < 0.5))
        complain(l, "--alpha:1:1: %g is no alpha; allowed: above 0 %% and below 50 %%", c->alpha);
}

static enum level level_or_none(sqlite3_stmt *s, int at)
{
    int value = sqlite3_column_type(s, at) == SQLITE_NULL ? LEVEL_NONE : sqlite3_column_int(s, at);
    return value >= 0 && value < LEVEL_COUNT ? (enum level)value : LEVEL_NONE;
}

static void load_side(struct loader *l, sqlite3 *db, int64_t cell, struct side *side,
                      uint64_t *undecided)
{
    static const char sql[] = "SELECT n, hash, trial, level, promised, injected, outage_ns, "
                              "recovery_ns, rebuild_ns, rpo_ns, sim_ns, (SELECT undecided FROM "
                              "trials v WHERE v.trial = t.trial) FROM trial t WHERE cell = ? "
                              "ORDER BY n, trial";
    sqlite3_stmt *s = rows_query(db, sql, l->error);
    size_t room = 0;
    sqlite3_bind_int64(s, 1, cell);
    while (rows_next(s, l->error)) {
        if (side->count == room) {
            room = room * 2 + 128;
            side->trial = realloc(side->trial, room * sizeof(side->trial[0]));
            ASSERT(side->trial != NULL);
        }
        struct side_trial *t = &side->trial[side->count++];
        *t = (struct side_trial){.n = sqlite3_column_int64(s, 0),
                                 .hash = sqlite3_column_int64(s, 1),
                                 .trial = (uint64_t)sqlite3_column_int64(s, 2),
                                 .level = level_or_none(s, 3),
                                 .promised = level_or_none(s, 4),
                                 .injected = sqlite3_column_int(s, 5) != 0};
        *undecided += sqlite3_column_int(s, 6 + TIMES_COUNT) != 0;
        if (t->level == LEVEL_NONE)
            t->injected = false; /* no row of ours: counts for nothing */
        for (int i = 0; i < TIMES_COUNT; i++)
            t->time_ns[i] = sqlite3_column_type(s, 6 + i) == SQLITE_NULL
                                ? INFINITY
                                : sqlite3_column_double(s, 6 + i);
    }
    sqlite3_finalize(s);
}

static void add_cell(struct loader *l, sqlite3_stmt *s, const char *new_variant)
{
    struct comparison *c = l->c;
    if (c->cell_count == c->cell_room) {
        c->cell_room = c->cell_room * 2 + 16;
        c->cell = realloc(c->cell, c->cell_room * sizeof(c->cell[0]));
        ASSERT(c->cell != NULL);
    }
    struct compare_cell *cell = &c->cell[c->cell_count++];
    *cell = (struct compare_cell){.base_variant = strdup(rows_text(s, 0)),
                                  .new_variant = strdup(new_variant),
                                  .workload = strdup(rows_text(s, 1)),
                                  .fault = strdup(rows_text(s, 2))};
    load_side(l, l->base, sqlite3_column_int64(s, 3), &cell->base, &c->base_undecided);
}

/* What a file knows of a cell. */
enum presence { ABSENT, SKIPPED, EMPTY, PRESENT };

static enum presence find_cell(struct loader *l, sqlite3 *db, const char *variant,
                               const char *workload, const char *fault, int64_t *id)
{
    sqlite3_stmt *s = rows_query(
        db,
        "SELECT id, skipped IS NOT NULL, EXISTS (SELECT 1 FROM trial t WHERE t.cell = c.id) "
        "FROM cell c WHERE variant = ? AND workload = ? AND fault = ?",
        l->error);
    enum presence presence = ABSENT;
    sqlite3_bind_text(s, 1, variant, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, workload, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 3, fault, -1, SQLITE_STATIC);
    if (rows_next(s, l->error)) {
        *id = sqlite3_column_int64(s, 0);
        presence = sqlite3_column_int(s, 1) != 0   ? SKIPPED
                   : sqlite3_column_int(s, 2) == 0 ? EMPTY
                                                   : PRESENT;
    }
    sqlite3_finalize(s);
    return presence;
}

/* One direction: cells of `from` that `to` lacks are errors; in the first, those of both are added.
 */
static void match_cells(struct loader *l, bool add)
{
    const struct compare_options *o = l->options;
    sqlite3 *from = add ? l->base : l->new, *to = add ? l->new : l->base;
    const char *only = o->new_path != NULL ? NULL : add ? o->base_variant : o->new_variant;
    const char *other = o->new_path != NULL ? NULL : add ? o->new_variant : o->base_variant;
    sqlite3_stmt *s = rows_query(
        from,
        "SELECT variant, workload, fault, id, skipped IS NOT NULL, EXISTS (SELECT 1 FROM "
        "trial t WHERE t.cell = c.id) FROM cell c WHERE ?1 IS NULL OR variant = ?1 ORDER BY id",
        l->error);
    sqlite3_bind_text(s, 1, only, -1, SQLITE_STATIC);
    while (rows_next(s, l->error)) {
        const char *variant = rows_text(s, 0);
        const char *workload = rows_text(s, 1);
        const char *fault = rows_text(s, 2);
        int64_t id = -1;
        if (other != NULL)
            variant = other;
        enum presence there = find_cell(l, to, variant, workload, fault, &id);
        bool here = sqlite3_column_int(s, 5) != 0;
        if (sqlite3_column_int(s, 4) != 0 || there == SKIPPED || (!here && there != PRESENT)) {
            l->c->cells_left_out += add && (here || there == PRESENT);
        } else if (there != PRESENT && !o->common) {
            complain(
                l, "%s:1:1: %s/%s/%s: %s in %s; every cell must be on both sides, or use --common",
                add && o->new_path != NULL ? o->new_path : o->base_path, variant, workload, fault,
                there == EMPTY ? "has no trials" : "is absent",
                add ? l->c->new_name : l->c->base_name);
        } else if (there != PRESENT || !here) {
            l->c->cells_left_out += there != PRESENT;
        } else if (add) {
            add_cell(l, s, variant);
            load_side(l, l->new, id, &l->c->cell[l->c->cell_count - 1].new, &l->c->new_undecided);
        }
    }
    sqlite3_finalize(s);
}

/* The parameters of one workload or plan as one text, to be compared. */
static char *part_text(struct loader *l, sqlite3 *db, const char *part, const char *name)
{
    char *sql = sqlite3_mprintf("SELECT group_concat(key || char(31) || text, char(30)) FROM "
                                "(SELECT * FROM parameter WHERE part = %Q AND name = %Q ORDER BY "
                                "key)",
                                part, name);
    char *text = one_text(l, db, sql);
    sqlite3_free(sql);
    return text;
}

/* Whether a workload or plan of a cell is another on the other side. */
static bool part_differs(struct loader *l, const char *part, const char *name)
{
    char *a = part_text(l, l->base, part, name), *b = part_text(l, l->new, part, name);
    bool differs = strcmp(a != NULL ? a : "", b != NULL ? b : "") != 0;
    free(a);
    free(b);
    return differs;
}

/* Whether trial n of both sides saw the same workload and fault draw; the reason if not. */
static const char *why_unpaired(struct loader *l)
{
    if (l->options->unpaired)
        return "as asked";
    if (l->base == l->new)
        return NULL;
    char *a = one_text(l, l->base, "SELECT seed FROM campaigns");
    char *b = one_text(l, l->new, "SELECT seed FROM campaigns");
    const char *why = a == NULL || b == NULL || strcmp(a, b) != 0 ? "the seeds differ" : NULL;
    free(a);
    free(b);
    const struct comparison *c = l->c; /* its cells: what else a file has does not matter */
    for (size_t i = 0; i < c->cell_count && why == NULL; i++) {
        if (part_differs(l, "workload", c->cell[i].workload))
            why = "the workloads differ";
        else if (part_differs(l, "fault", c->cell[i].fault))
            why = "the fault plans differ";
    }
    return why;
}

/* What a file is that its rows cannot be compared as trials of a sample. */
static void check_sample(struct loader *l, sqlite3 *db, const char *path)
{
    char *explored = one_text(l, db, "SELECT 1 FROM explored");
    char *watched = one_text(l, db,
                             "SELECT 1 FROM parameters WHERE part = 'campaign' AND key = "
                             "'trials.half-width'");
    if (explored != NULL)
        complain(l,
                 "%s:1:1: cannot be compared: its rows are the broken states that `loris explore` "
                 "found, no sample of trials; see its view `explored`",
                 path);
    l->c->watched = l->c->watched || watched != NULL;
    free(explored);
    free(watched);
}

static void check_variant(struct loader *l, const char *option, const char *variant)
{
    if (variant == NULL) {
        complain(l,
                 "%s:1:1: one file is compared between two of its variants: give --base and --new",
                 l->options->base_path);
        return;
    }
    const char **names = NULL;
    size_t count = 0, room = 0;
    bool found = false;
    sqlite3_stmt *s =
        rows_query(l->base, "SELECT variant FROM cell GROUP BY variant ORDER BY min(id)", l->error);
    while (rows_next(s, l->error)) {
        if (count == room) {
            room = room * 2 + 16;
            const char **more = realloc(names, room * sizeof(names[0]));
            ASSERT(more != NULL);
            names = more;
        }
        names[count] = strdup(rows_text(s, 0));
        found = found || strcmp(names[count], variant) == 0;
        count++;
    }
    sqlite3_finalize(s);
    const char *near = text_nearest(variant, names, count);
    if (!found && l->error[0] == 0)
        complain(l, "%s:1:1: no variant '%s' in %s%s%s", option, variant, l->options->base_path,
                 near != NULL ? "; did you mean " : "", near != NULL ? near : "");
    for (size_t i = 0; i < count; i++)
        free((char *)names[i]);
    free(names);
}

static void open_files(struct loader *l)
{
    char error[STORE_ERROR_BYTES];
    if (store_open_read(&l->base, l->options->base_path, error) != OK)
        complain(l, "%s", error);
    if (l->options->new_path == NULL)
        l->new = l->base;
    else if (store_open_read(&l->new, l->options->new_path, error) != OK)
        complain(l, "%s", error);
}

static void load(struct loader *l, struct compare_options *o)
{
    struct comparison *c = l->c;
    char *stored_base = NULL, *stored_new = NULL;
    open_files(l);
    if (l->errors > 0)
        return;
    if (o->new_path == NULL) {
        if (o->base_variant == NULL)
            o->base_variant = stored_base =
                one_text(l, l->base, "SELECT json_extract(compare, '$.base') FROM campaigns");
        if (o->new_variant == NULL)
            o->new_variant = stored_new =
                one_text(l, l->base, "SELECT json_extract(compare, '$.new') FROM campaigns");
        check_variant(l, "--base", o->base_variant);
        if (o->base_variant != NULL)
            check_variant(l, "--new", o->new_variant);
        if (o->base_variant != NULL && o->new_variant != NULL &&
            strcmp(o->base_variant, o->new_variant) == 0)
            complain(l, "--new:1:1: '%s' is the base too", o->new_variant);
    } else if (o->base_variant != NULL || o->new_variant != NULL) {
        complain(l, "--base:1:1: two variants are compared within one file, not between two");
    }
    check_sample(l, l->base, o->base_path);
    if (l->new != l->base)
        check_sample(l, l->new, o->new_path);
    read_measures(l);
    read_numbers(l);
    if (l->errors == 0) {
        const char *base_name = o->new_path != NULL ? o->base_path : o->base_variant;
        const char *new_name = o->new_path != NULL ? o->new_path : o->new_variant;
        ASSERT(base_name != NULL && new_name != NULL); /* check_variant saw to it */
        c->base_name = strdup(base_name);
        c->new_name = strdup(new_name);
        c->base_build = one_text(l, l->base, "SELECT substr(build, 1, 7) FROM campaigns");
        c->new_build = one_text(l, l->new, "SELECT substr(build, 1, 7) FROM campaigns");
        match_cells(l, true);
        match_cells(l, false);
        c->why_unpaired = why_unpaired(l);
        c->paired = c->why_unpaired == NULL;
        if (l->errors == 0 && l->error[0] == 0 && c->cell_count == 0)
            complain(l, "%s and %s have no cell in common that ran", c->base_name, c->new_name);
    }
    if (stored_base != NULL)
        o->base_variant = NULL; /* it ends with us */
    if (stored_new != NULL)
        o->new_variant = NULL;
    free(stored_base);
    free(stored_new);
}

static void comparison_free(struct comparison *c)
{
    for (size_t i = 0; i < c->cell_count; i++) {
        struct compare_cell *cell = &c->cell[i];
        free(cell->base_variant);
        free(cell->new_variant);
        free(cell->workload);
        free(cell->fault);
        free(cell->base.trial);
        free(cell->new.trial);
        free(cell->pair);
    }
    free(c->cell);
    free(c->row);
    free(c->base_name);
    free(c->new_name);
    free(c->base_build);
    free(c->new_build);
}

int compare_run(const struct compare_options *options, FILE *out, FILE *err)
{
    ASSERT(options->base_path != NULL);
    struct compare_options o = *options; /* takes what the file says in addition */
    struct comparison c = {.options = &o};
    struct loader l = {.c = &c, .options = &o, .err = err};
    load(&l, &o);
    if (l.error[0] != 0)
        complain(&l, "%s", l.error);
    if (l.new != l.base)
        sqlite3_close(l.new);
    sqlite3_close(l.base);
    int code = 2;
    if (l.errors == 0) {
        comparison_test(&c);
        comparison_print(&c, out);
        code = c.verdict == VERDICT_WORSE ? 1 : c.verdict == VERDICT_UNDECIDED && o.strict ? 1 : 0;
    }
    comparison_free(&c);
    return code;
}
