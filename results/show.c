#include "results/show.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "results/group.h"
#include "results/rows.h"
#include "results/store.h"
#include "results/text.h"
#include "results/years.h"

#define BAR_LETTERS 20      /* a letter 5 % */
#define THIN_TRIALS 30      /* below it a rate says little: marked */
#define TABLE_COLUMNS 100   /* of a terminal */
#define NAME_COLUMNS_MAX 28 /* of a name; longer ones are cut */

static const char level_letter[LEVEL_COUNT + 1] = "TDSPRE!X";

static const char *const format_names[] = {[SHOW_TABLE] = "table",
                                           [SHOW_CSV] = "csv",
                                           [SHOW_JSON] = "json",
                                           [SHOW_MARKDOWN] = "markdown",
                                           [SHOW_JUNIT] = "junit"};

int show_format_from_name(const char *name)
{
    for (size_t i = 0; i < sizeof(format_names) / sizeof(format_names[0]); i++)
        if (strcmp(format_names[i], name) == 0)
            return (int)i;
    return -1;
}

/* The numbers of a group that every format prints. */
struct row {
    double kept;
    struct interval interval;
    double rpo_p99, outage_p50, outage_p99, recovery_p50;
};

static struct row row_of(const struct group *group)
{
    struct row row;
    row.kept = group_kept(group, &row.interval);
    row.rpo_p99 = group_quantile(&group->rpo, 0.99);
    row.outage_p50 = group_quantile(&group->outage, 0.5);
    row.outage_p99 = group_quantile(&group->outage, 0.99);
    row.recovery_p50 = group_quantile(&group->recovery, 0.5);
    return row;
}

/* What trials over calendar time add: columns at the end, empty of others. */
static const char *const years_names[] = {"years",          "available",       "available_low",
                                          "available_high", "losses",          "loss_years",
                                          "loss_years_low", "loss_years_high", "lost_year",
                                          "lost_year_low",  "lost_year_high"};
#define YEARS_NUMBERS (sizeof(years_names) / sizeof(years_names[0]))

static void years_numbers(const struct group *group, double numbers[YEARS_NUMBERS])
{
    struct years y;
    bool any = years_of(group, &y);
    const double all[YEARS_NUMBERS] = {any ? y.years : NAN,
                                       y.available,
                                       y.available_interval.low,
                                       y.available_interval.high,
                                       any ? (double)y.losses : NAN,
                                       y.loss_years,
                                       y.loss_interval.low,
                                       y.loss_interval.high,
                                       y.lost,
                                       y.lost_interval.low,
                                       y.lost_interval.high};
    memcpy(numbers, all, sizeof(all));
}

static void csv_number(FILE *out, double value)
{
    fputc(',', out);
    if (isfinite(value))
        text_json_number(out, value);
}

static void show_csv(const struct groups *groups, FILE *out)
{
    for (size_t k = 0; k < groups->column_count; k++) {
        text_csv(out, groups->column[k]);
        fputc(',', out);
    }
    fputs("trials,injected,broken,kept,kept_low,kept_high", out);
    for (int l = 0; l < LEVEL_COUNT; l++)
        fprintf(out, ",%s", level_name((enum level)l));
    fputs(",rpo_p99,outage_p50,outage_p99,recovery_p50,undecided", out);
    for (size_t k = 0; k < YEARS_NUMBERS; k++)
        fprintf(out, ",%s", years_names[k]);
    fputc('\n', out);
    for (size_t i = 0; i < groups->count; i++) {
        const struct group *group = &groups->group[i];
        struct row row = row_of(group);
        for (size_t k = 0; k < groups->column_count; k++) {
            text_csv(out, group->by[k]);
            fputc(',', out);
        }
        fprintf(out, "%" PRIu64 ",%" PRIu64 ",%" PRIu64, group->trials, group->injected,
                group->broken);
        csv_number(out, row.kept);
        csv_number(out, row.interval.low);
        csv_number(out, row.interval.high);
        for (int l = 0; l < LEVEL_COUNT; l++)
            fprintf(out, ",%" PRIu64, group->level[l]);
        csv_number(out, row.rpo_p99);
        csv_number(out, row.outage_p50);
        csv_number(out, row.outage_p99);
        csv_number(out, row.recovery_p50);
        fprintf(out, ",%" PRIu64, group->undecided);
        double numbers[YEARS_NUMBERS];
        years_numbers(group, numbers);
        for (size_t k = 0; k < YEARS_NUMBERS; k++)
            csv_number(out, numbers[k]);
        fputc('\n', out);
    }
}

static void json_number(FILE *out, const char *key, double value)
{
    fprintf(out, ", \"%s\": ", key);
    text_json_number(out, value);
}

static void show_json(const struct groups *groups, FILE *out)
{
    fputs("[", out);
    for (size_t i = 0; i < groups->count; i++) {
        const struct group *group = &groups->group[i];
        struct row row = row_of(group);
        fputs(i > 0 ? ",\n  {" : "\n  {", out);
        for (size_t k = 0; k < groups->column_count; k++) {
            text_json(out, groups->column[k]);
            fputs(": ", out);
            text_json(out, group->by[k]);
            fputs(", ", out);
        }
        fprintf(out, "\"trials\": %" PRIu64, group->trials);
        json_number(out, "injected", (double)group->injected);
        json_number(out, "broken", (double)group->broken);
        json_number(out, "kept", row.kept);
        json_number(out, "kept_low", row.interval.low);
        json_number(out, "kept_high", row.interval.high);
        for (int l = 0; l < LEVEL_COUNT; l++)
            json_number(out, level_name((enum level)l), (double)group->level[l]);
        json_number(out, "rpo_p99", row.rpo_p99);
        json_number(out, "outage_p50", row.outage_p50);
        json_number(out, "outage_p99", row.outage_p99);
        json_number(out, "recovery_p50", row.recovery_p50);
        json_number(out, "undecided", (double)group->undecided);
        double numbers[YEARS_NUMBERS];
        years_numbers(group, numbers);
        for (size_t k = 0; k < YEARS_NUMBERS; k++)
            json_number(out, years_names[k], numbers[k]);
        fputs("}", out);
    }
    fputs(groups->count > 0 ? "\n]\n" : "]\n", out);
}

/* Letters by share, 20 in all; every level that occurs gets one. "" without injected trials. */
static void level_bar(const struct group *group, char bar[BAR_LETTERS + 1])
{
    unsigned letters[LEVEL_COUNT] = {0}, sum = 0;
    bar[0] = 0;
    if (group->injected == 0)
        return;
    for (int l = 0; l < LEVEL_COUNT; l++) {
        double exact = (double)group->level[l] * BAR_LETTERS / (double)group->injected;
        letters[l] = group->level[l] == 0 ? 0 : exact < 1 ? 1 : (unsigned)(exact + 0.5);
        sum += letters[l];
    }
    while (sum != BAR_LETTERS) { /* the widest pays, or gains: it is the least distorted */
        int widest = 0;
        for (int l = 1; l < LEVEL_COUNT; l++)
            if (letters[l] > letters[widest])
                widest = l;
        letters[widest] += sum < BAR_LETTERS ? 1 : -1u;
        sum += sum < BAR_LETTERS ? 1 : -1u;
    }
    unsigned at = 0;
    for (int l = 0; l < LEVEL_COUNT; l++)
        for (unsigned i = 0; i < letters[l]; i++)
            bar[at++] = level_letter[l];
    ASSERT(at == BAR_LETTERS);
    bar[at] = 0;
}

static void show_markdown(const struct groups *groups, FILE *out)
{
    char a[TEXT_SHORT_BYTES], b[TEXT_SHORT_BYTES], c[TEXT_SHORT_BYTES], bar[BAR_LETTERS + 1];
    for (size_t k = 0; k < groups->column_count; k++)
        fprintf(out, "| %s ", groups->column[k]);
    fputs("| trials | injected | broken | kept | 95 % | levels | rpo p99 | outage p50 | outage p99 "
          "| recovery p50 | undecided |\n",
          out);
    for (size_t k = 0; k < groups->column_count; k++)
        fputs("|---", out);
    fputs("|--:|--:|--:|--:|---|---|--:|--:|--:|--:|--:|\n", out);
    for (size_t i = 0; i < groups->count; i++) {
        const struct group *group = &groups->group[i];
        struct row row = row_of(group);
        level_bar(group, bar);
        for (size_t k = 0; k < groups->column_count; k++) {
            fputs("| ", out);
            text_markdown(out, group->by[k]);
            fputc(' ', out);
        }
        fprintf(out, "| %" PRIu64 " | %" PRIu64 " | %" PRIu64 " | %s | %s to %s | `%s` ",
                group->trials, group->injected, group->broken, text_percent(a, row.kept),
                text_percent(b, row.interval.low), text_percent(c, row.interval.high), bar);
        fprintf(out, "| %s ", text_time(a, row.rpo_p99));
        fprintf(out, "| %s ", text_time(a, row.outage_p50));
        fprintf(out, "| %s ", text_time(a, row.outage_p99));
        fprintf(out, "| %s | %" PRIu64 " |\n", text_time(a, row.recovery_p50), group->undecided);
    }
}

/* Whether the oracle gave up on a trial: only then the table has a column for it. */
static bool any_undecided(const struct groups *groups)
{
    for (size_t i = 0; i < groups->count; i++)
        if (groups->group[i].undecided > 0)
            return true;
    return false;
}

/* The widths of the name columns: as wide as needed, cut evenly where the line has no room. */
static void name_widths(const struct groups *groups, size_t width[GROUP_COLUMNS_MAX])
{
    size_t sum = 0, room = TABLE_COLUMNS - 66; /* what follows the names */
    room -= any_undecided(groups) ? 5 : 0;
    for (size_t k = 0; k < groups->column_count; k++) {
        width[k] = text_width(groups->column[k]);
        for (size_t i = 0; i < groups->count; i++) {
            size_t wide = text_width(groups->group[i].by[k]);
            wide = wide > NAME_COLUMNS_MAX ? NAME_COLUMNS_MAX : wide;
            width[k] = wide > width[k] ? wide : width[k];
        }
        sum += width[k] + 2;
    }
    while (sum > room) {
        size_t widest = 0;
        for (size_t k = 1; k < groups->column_count; k++)
            if (width[k] > width[widest])
                widest = k;
        if (width[widest] <= 8)
            break; /* rather a longer line than no name */
        width[widest]--;
        sum--;
    }
}

/* `text` in exactly `width` columns and two spaces; a tilde stands for the middle of a long one,
 * since what a sweep varies is at the end. */
static void put_name(FILE *out, const char *text, size_t width)
{
    size_t wide = text_width(text), cut = wide > width ? wide - width + 1 : 0, columns = 0;
    size_t head = cut > 0 ? (width - 1) / 2 : wide;
    for (const char *p = text; *p != 0; p++) {
        bool starts = ((unsigned char)*p & 0xC0) != 0x80;
        columns += starts;
        if (columns <= head || columns > head + cut)
            fputc(*p, out);
        else if (starts && columns == head + 1)
            fputc('~', out);
    }
    fprintf(out, "%*s", (int)(wide > width ? 2 : width - wide + 2), "");
}

static void table_row(const struct show_options *options, const struct group *group,
                      size_t column_count, const size_t *width, bool undecided, FILE *out)
{
    char a[TEXT_SHORT_BYTES], b[TEXT_SHORT_BYTES], c[TEXT_SHORT_BYTES], bar[BAR_LETTERS + 1];
    char broken[TEXT_SHORT_BYTES];
    struct row row = row_of(group);
    level_bar(group, bar);
    for (size_t k = 0; k < column_count; k++)
        put_name(out, group->by[k], width[k]);
    snprintf(broken, sizeof(broken), group->broken > 0 ? "! %" PRIu64 : "%" PRIu64, group->broken);
    bool red = options->colour && group->broken > 0;
    fprintf(out, "%8" PRIu64 "%c %s%6s%s %7s %8s  %-20s %10s", group->injected,
            group->injected < THIN_TRIALS ? '~' : ' ', red ? "\033[31m" : "", broken,
            red ? "\033[0m" : "", text_percent(a, row.kept), text_percent(b, row.interval.low), bar,
            text_time(c, row.outage_p50));
    if (undecided)
        fprintf(out, "%5" PRIu64, group->undecided);
    fputc('\n', out);
}

static void table_end(const struct show_options *options, const struct groups *groups, FILE *out)
{
    uint64_t broken = 0, injected = 0, example = 0, undecided = 0, undecided_example = 0;
    enum level worst = LEVEL_TRANSPARENT;
    char a[TEXT_SHORT_BYTES], b[TEXT_SHORT_BYTES];
    bool occurs[LEVEL_COUNT] = {false}, thin = false;
    for (size_t i = 0; i < groups->count; i++) {
        const struct group *group = &groups->group[i];
        broken += group->broken;
        injected += group->injected;
        undecided += group->undecided;
        if (undecided_example == 0)
            undecided_example = group->undecided_example;
        thin = thin || group->injected < THIN_TRIALS;
        for (int l = 0; l < LEVEL_COUNT; l++)
            occurs[l] = occurs[l] || group->level[l] > 0;
        if (group->example != 0 && (example == 0 || group->example_level > worst)) {
            example = group->example;
            worst = group->example_level;
        }
    }
    const char *gap = "";
    for (int l = 0; l < LEVEL_COUNT; l++)
        if (occurs[l]) {
            fprintf(out, "%s%c %s", gap, level_letter[l], level_name((enum level)l));
            gap = "  ";
        }
    fprintf(out, "%s\n", thin ? "   ~ thin" : "");
    if (broken > 0)
        fprintf(out,
                "%s broken promise%s in %s trials; see one:  loris replay %s %" PRIu64
                " --verbose\n",
                text_count(a, broken), broken == 1 ? "" : "s", text_count(b, injected),
                options->path, example);
    else
        fprintf(out, "no broken promise in %s trials\n", text_count(b, injected));
    if (undecided > 0)
        fprintf(out,
                "? %s undecided: the oracle gave up, their level may be too weak; see one:  loris "
                "replay %s %" PRIu64 " --verbose\n",
                text_count(a, undecided), options->path, undecided_example);
}

/* Below the table, of trials over calendar time: what a year cost. */
static void table_years(const struct groups *groups, const size_t *width, FILE *out)
{
    bool any = false;
    for (size_t i = 0; i < groups->count; i++) {
        struct years y;
        struct years_texts t;
        if (!years_of(&groups->group[i], &y))
            continue;
        if (!any) {
            fputc('\n', out);
            for (size_t k = 0; k < groups->column_count; k++)
                put_name(out, groups->column[k], width[k]);
            fprintf(out, "%6s %-27s%6s  %-18s  %s\n", "years", "available [95 %]", "losses",
                    "years to a loss", "synced ops lost a year");
        }
        any = true;
        years_texts(&y, &t);
        for (size_t k = 0; k < groups->column_count; k++)
            put_name(out, groups->group[i].by[k], width[k]);
        fprintf(out, "%6.4g %-27s%6" PRIu64 "  %-18s  %s\n", y.years, t.available, y.losses,
                t.loss_years, t.lost);
    }
}

static void show_table(const struct show_options *options, const struct groups *groups, FILE *out)
{
    if (groups->count == 0) {
        fputs("no trials\n", out);
        return;
    }
    size_t width[GROUP_COLUMNS_MAX];
    bool undecided = any_undecided(groups);
    name_widths(groups, width);
    for (size_t k = 0; k < groups->column_count; k++)
        put_name(out, groups->column[k], width[k]);
    fprintf(out, "%8s  %6s %7s %8s  %-20s %10s%s\n", "injected", "broken", "kept", "at least",
            "levels, a letter 5 %", "outage p50", undecided ? "    ?" : "");
    for (size_t i = 0; i < groups->count; i++)
        table_row(options, &groups->group[i], groups->column_count, width, undecided, out);
    table_end(options, groups, out);
    table_years(groups, width, out);
}

static void junit_case(const struct show_options *options, const struct group *group, FILE *out)
{
    fputs("    <testcase classname=\"", out);
    text_xml(out, group->by[0]);
    fputs("\" name=\"", out);
    text_xml(out, group->by[1]);
    fputs("/", out);
    text_xml(out, group->by[2]);
    if (group->broken == 0) {
        fputs("\"/>\n", out);
        return;
    }
    fprintf(out, "\"><failure message=\"%" PRIu64 " of %" PRIu64 " trials broke the promise",
            group->broken, group->promised);
    fputs("\">loris replay ", out);
    text_xml(out, options->path);
    fprintf(out, " %" PRIu64 " --verbose</failure></testcase>\n", group->example);
}

/* Cells that cannot be are cases too, told as skipped. Ends the suite of `variant`. */
static void junit_skipped(sqlite3 *db, const char *variant, FILE *out, char *error)
{
    sqlite3_stmt *s = rows_query(
        db, "SELECT workload, fault, skipped FROM cells WHERE variant = ? AND skipped IS NOT NULL",
        error);
    sqlite3_bind_text(s, 1, variant, -1, SQLITE_STATIC);
    while (rows_next(s, error)) {
        fputs("    <testcase classname=\"", out);
        text_xml(out, variant);
        fputs("\" name=\"", out);
        text_xml(out, rows_text(s, 0));
        fputs("/", out);
        text_xml(out, rows_text(s, 1));
        fputs("\"><skipped message=\"", out);
        text_xml(out, rows_text(s, 2));
        fputs("\"/></testcase>\n", out);
    }
    sqlite3_finalize(s);
    fputs("  </testsuite>\n", out);
}

static unsigned count_skipped(sqlite3 *db, const char *variant, char *error)
{
    unsigned count = 0;
    sqlite3_stmt *s =
        rows_query(db, "SELECT 1 FROM cells WHERE variant = ? AND skipped IS NOT NULL", error);
    sqlite3_bind_text(s, 1, variant, -1, SQLITE_STATIC);
    while (rows_next(s, error))
        count++;
    sqlite3_finalize(s);
    return count;
}

static void put_junit(const struct show_options *options, const struct groups *groups, sqlite3 *db,
                      FILE *out, char *error)
{
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", out);
    const char *variant = NULL; /* groups of a variant follow one another, as cells do */
    for (size_t i = 0; i < groups->count; i++) {
        const struct group *group = &groups->group[i];
        if (variant == NULL || strcmp(variant, group->by[0]) != 0) {
            if (variant != NULL)
                junit_skipped(db, variant, out, error);
            variant = group->by[0];
            unsigned skipped = count_skipped(db, variant, error);
            unsigned tests = skipped, failures = 0;
            for (size_t k = 0; k < groups->count; k++)
                if (strcmp(groups->group[k].by[0], variant) == 0) {
                    tests++;
                    failures += groups->group[k].broken > 0;
                }
            fputs("  <testsuite name=\"", out);
            text_xml(out, variant);
            fprintf(out, "\" tests=\"%u\" failures=\"%u\" skipped=\"%u\">\n", tests, failures,
                    skipped);
        }
        junit_case(options, group, out);
    }
    if (variant != NULL)
        junit_skipped(db, variant, out, error);
    fputs("</testsuites>\n", out);
}

/* Written to memory first, since it is read while it is written: nothing if that fails. */
static void show_junit(const struct show_options *options, const struct groups *groups, sqlite3 *db,
                       FILE *out, char *error)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *memory = open_memstream(&text, &bytes);
    ASSERT(memory != NULL);
    put_junit(options, groups, db, memory, error);
    fclose(memory);
    if (error[0] == 0)
        fwrite(text, 1, bytes, out);
    free(text);
}

int show_run(const struct show_options *options, FILE *out, FILE *err)
{
    ASSERT(options->path != NULL);
    static const char default_by[] = "variant,workload,fault";
    char error[STORE_ERROR_BYTES];
    sqlite3 *db;
    if (store_open_read(&db, options->path, error) != OK) {
        fprintf(err, "%s\n", error);
        return 2;
    }
    bool fixed = options->by == NULL || options->format == SHOW_JUNIT;
    struct groups groups;
    enum err e = groups_load(&groups, db, fixed ? default_by : options->by, options->where, error);
    if (e != OK)
        ASSERT(error[0] != 0);
    else if (options->format == SHOW_TABLE)
        show_table(options, &groups, out);
    else if (options->format == SHOW_CSV)
        show_csv(&groups, out);
    else if (options->format == SHOW_JSON)
        show_json(&groups, out);
    else if (options->format == SHOW_MARKDOWN)
        show_markdown(&groups, out);
    else
        show_junit(options, &groups, db, out, error);
    if (error[0] != 0)
        fprintf(err, "%s\n", error);
    groups_free(&groups);
    sqlite3_close(db);
    return error[0] == 0 ? 0 : 2;
}
