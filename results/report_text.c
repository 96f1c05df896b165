/* The words and tables of a report: every number in them is of the file, and can be replayed. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "results/reached.h"
#include "results/report_private.h"
#include "results/rows.h"
#include "results/text.h"

#define THIN_TRIALS 30
#define ROWS_OPEN 20  /* of the table; the rest unfolds */
#define KINDS_MAX 20  /* of broken promises */
#define CLAUSES_MAX 4 /* of the answer's list of what broke */

/* Whether `g` is a cell of the first variant, which the answer is about. */
static bool is_subject(const struct report *r, const struct group *g)
{
    return strcmp(g->by[0], r->cells.group[0].by[0]) == 0;
}

static void answer_broken(struct report *r, const struct group *subject)
{
    char a[TEXT_SHORT_BYTES], b[TEXT_SHORT_BYTES], c[TEXT_SHORT_BYTES], d[TEXT_SHORT_BYTES];
    struct interval kept;
    double share = 1 - group_kept(subject, &kept);
    fprintf(r->page, " broke a promise in %s of %s injected trials (%s, at most %s): ",
            text_count(a, subject->broken), text_count(b, subject->promised),
            text_percent(c, share), text_percent(d, 1 - kept.low));
    size_t told = 0, more = 0;
    for (size_t i = 0; i < r->cells.count; i++) {
        const struct group *g = &r->cells.group[i];
        if (!is_subject(r, g) || g->broken == 0)
            continue;
        if (told == CLAUSES_MAX) {
            more += g->broken;
            continue;
        }
        fprintf(r->page, "%s<a href=\"#broken\">%s in ", told++ > 0 ? ", " : "",
                text_count(a, g->broken));
        text_xml(r->page, g->by[1]);
        fputs("/", r->page);
        text_xml(r->page, g->by[2]);
        fputs("</a>", r->page);
    }
    if (more > 0)
        fprintf(r->page, ", %s more", text_count(a, more));
    fputs(". ", r->page);
}

static void answer_kept(struct report *r, bool other)
{
    char a[TEXT_SHORT_BYTES], b[TEXT_SHORT_BYTES];
    uint64_t trials = 0;
    size_t cells = 0;
    double bound = 0;
    for (size_t i = 0; i < r->cells.count; i++) {
        const struct group *g = &r->cells.group[i];
        struct interval kept;
        if (!is_subject(r, g) || g->broken > 0 || g->promised == 0)
            continue;
        (void)group_kept(g, &kept);
        trials += g->promised;
        cells++;
        bound = fmax(bound, 1 - kept.low);
    }
    if (cells > 0)
        fprintf(r->page,
                "It kept every promise in %s trials of %zu%s cell%s, so there it breaks fewer than "
                "%s in each (95 %%). ",
                text_count(a, trials), cells, other ? " other" : "", cells == 1 ? "" : "s",
                text_percent(b, bound));
}

void report_answer(struct report *r)
{
    char a[TEXT_SHORT_BYTES], b[TEXT_SHORT_BYTES];
    if (r->variants.count == 0 || r->cells.count == 0) {
        fputs("<p class=\"answer\">There are no trials yet.</p>\n", r->page);
        return;
    }
    const struct group *subject = &r->variants.group[0];
    for (size_t i = 0; i < r->variants.count; i++)
        if (is_subject(r, &r->variants.group[i]))
            subject = &r->variants.group[i];
    bool none = subject->promised == 0, good = subject->broken == 0;
    bool much = (double)subject->broken > 0.1 * (double)subject->promised;
    fprintf(r->page, "<p class=\"answer %s\"><strong>", good && !none ? "good" : "bad");
    if (none)
        fputs("It promises nothing here.", r->page);
    else if (good)
        fprintf(r->page, "Yes, as far as %s trials can tell.", text_count(a, subject->promised));
    else
        fputs(much ? "No." : "Not entirely.", r->page);
    fputs("</strong> <code>", r->page);
    text_xml(r->page, subject->by[0]);
    fputs("</code>", r->page);
    if (none)
        fprintf(r->page, " was struck in %s trials. ", text_count(a, subject->injected));
    else if (good)
        fputs(" broke no promise. ", r->page);
    else
        answer_broken(r, subject);
    answer_kept(r, !good);
    if (subject->undecided > 0)
        fprintf(r->page,
                "In %s trial%s the oracle gave up its search: the level may be too weak there. ",
                text_count(a, subject->undecided), subject->undecided == 1 ? "" : "s");
    report_calendar_answer(r, subject);
    if (subject->outage.count > 0 && isfinite(group_quantile(&subject->outage, 1)))
        fprintf(r->page, "The longest outage was %s (median %s).",
                text_time(a, group_quantile(&subject->outage, 1)),
                text_time(b, group_quantile(&subject->outage, 0.5)));
    fputs("</p>\n", r->page);
}

/* Cells by the share broken, then as the file has them. */
static int worst_first(const void *left, const void *right)
{
    const struct group *a = *(const struct group *const *)left;
    const struct group *b = *(const struct group *const *)right;
    double x = a->promised > 0 ? (double)a->broken / (double)a->promised : 0;
    double y = b->promised > 0 ? (double)b->broken / (double)b->promised : 0;
    if (x != y)
        return x > y ? -1 : 1;
    return a->cell < b->cell ? -1 : a->cell > b->cell;
}

/* "96.4", whose unit is the next number's. */
static const char *bare_percent(char *room, double share)
{
    (void)text_percent(room, share);
    room[strcspn(room, " ")] = 0;
    return room;
}

static void table_row(FILE *page, const struct group *g)
{
    char a[TEXT_SHORT_BYTES], b[TEXT_SHORT_BYTES], c[TEXT_SHORT_BYTES];
    struct interval i;
    double kept = group_kept(g, &i);
    int weakest = 0;
    for (int l = 0; l < LEVEL_COUNT; l++)
        weakest = g->level[l] > 0 ? l : weakest;
    fputs("<tr><th scope=\"row\" class=\"w\">", page);
    text_xml(page, g->by[2]);
    fputs("</th><td class=\"w\">", page);
    text_xml(page, g->by[0]);
    fputs("</td><td class=\"w\">", page);
    text_xml(page, g->by[1]);
    fprintf(page, "</td><td>%" PRIu64 "%s</td><td%s>%s%" PRIu64 "</td>", g->injected,
            g->injected < THIN_TRIALS ? "~" : "", g->broken > 0 ? " class=\"bad\"" : "",
            g->broken > 0 ? "! " : "", g->broken);
    fprintf(page, "<td>%s</td>", text_percent(a, kept));
    if (g->promised > 0)
        fprintf(page, "<td>%s to %s</td>", bare_percent(b, i.low), text_percent(c, i.high));
    else
        fputs("<td>-</td>", page);
    fprintf(page, "<td class=\"w\">%s</td>",
            g->injected > 0 ? level_name((enum level)weakest) : "-");
    fprintf(page, "<td>%s</td>", text_time(a, group_quantile(&g->outage, 0.5)));
    fprintf(page, "<td>%s</td>", text_time(a, group_quantile(&g->outage, 0.99)));
    fprintf(page, "<td>%s</td>", text_time(a, group_quantile(&g->recovery, 0.5)));
    fprintf(page, "<td>%s</td></tr>\n", text_time(a, group_quantile(&g->rpo, 0.99)));
}

void report_table(struct report *r)
{
    static const char head[] =
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Outcomes by "
        "cell\"><table>"
        "<thead><tr><th class=\"w\">fault</th><th class=\"w\">variant</th><th class=\"w\">workload"
        "</th><th>injected</th><th>broken</th><th>kept</th><th>95 %</th><th "
        "class=\"w\">weakest</th>"
        "<th>outage p50</th><th>outage p99</th><th>recovery p50</th><th>lost work p99</th></tr>"
        "</thead><tbody>\n";
    const struct group **order = calloc(r->cells.count + 1, sizeof(const struct group *));
    ASSERT(order != NULL);
    for (size_t i = 0; i < r->cells.count; i++)
        order[i] = &r->cells.group[i];
    if (r->cells.count > 0)
        qsort(order, r->cells.count, sizeof(const struct group *), worst_first);
    for (size_t i = 0; i < r->cells.count; i++) {
        if (i == ROWS_OPEN)
            fprintf(r->page,
                    "</tbody></table></div><details><summary>The other %zu cells</summary>",
                    r->cells.count - ROWS_OPEN);
        if (i == 0 || i == ROWS_OPEN)
            fputs(head, r->page);
        table_row(r->page, order[i]);
    }
    if (r->cells.count > 0)
        fputs("</tbody></table></div>\n", r->page);
    if (r->cells.count > ROWS_OPEN)
        fputs("</details>\n", r->page);
    free(order);
}

static sqlite3_stmt *query(struct report *r, const char *sql)
{
    return rows_query(r->db, sql, r->error);
}

static void put_column(struct report *r, sqlite3_stmt *s, int at)
{
    text_xml(r->page, rows_text(s, at));
}

static void broken_case(struct report *r, sqlite3_stmt *s)
{
    uint64_t alike = (uint64_t)sqlite3_column_int64(s, 6);
    fprintf(r->page, "<article class=\"case\"><p><strong class=\"bad\">");
    put_column(r, s, 3);
    fputs("</strong>, promised <strong>", r->page);
    put_column(r, s, 4);
    fputs("</strong>: ", r->page);
    for (int i = 0; i < 3; i++) {
        fputs(i > 0 ? " / " : "", r->page);
        put_column(r, s, i);
    }
    fprintf(r->page, ", trial %lld", (long long)sqlite3_column_int64(s, 7));
    if (alike > 1)
        fprintf(r->page, " (%" PRIu64 " trials alike, first shown)", alike);
    fputs("; noticed by ", r->page);
    put_column(r, s, 5);
    fputs("</p><p>", r->page);
    put_column(r, s, 8);
    fputs("</p><pre>loris replay ", r->page);
    text_xml(r->page, r->options->path);
    fprintf(r->page, " %lld --verbose</pre></article>\n", (long long)sqlite3_column_int64(s, 7));
}

void report_broken(struct report *r)
{
    uint64_t broken = 0;
    char a[TEXT_SHORT_BYTES];
    for (size_t i = 0; i < r->cells.count; i++)
        broken += r->cells.group[i].broken;
    fprintf(r->page, "<h2 id=\"broken\">Broken promises (%s%s)</h2>\n", text_count(a, broken),
            broken > 0 ? "; one of each kind" : "");
    if (broken == 0) {
        fputs("<p>None.</p>\n", r->page);
        return;
    }
    sqlite3_stmt *s = query(
        r, "SELECT variant, workload, fault, level, promised, coalesce(detected_by, 'nobody') "
           "AS seen, count(*), min(trial), story FROM trials WHERE kept = 0 AND injected = 1 "
           "GROUP BY variant, workload, fault, level, promised, seen ORDER BY variant = ? DESC, "
           "(SELECT id FROM "
           "level_name WHERE name = level) DESC, count(*) DESC, min(trial)");
    sqlite3_bind_text(s, 1, r->cells.group[0].by[0], -1, SQLITE_STATIC); /* the answer's first */
    size_t kinds = 0, left = 0;
    while (rows_next(s, r->error))
        if (kinds++ < KINDS_MAX)
            broken_case(r, s);
        else
            left++;
    sqlite3_finalize(s);
    if (left > 0)
        fprintf(r->page, "<p>%zu more kinds: <code>loris show --where 'kept = 0'</code>.</p>\n",
                left);
}

/* "variant/workload/fault". */
static void put_cell(struct report *r, const struct group *g)
{
    for (int k = 0; k < 3; k++) {
        fputs(k > 0 ? "/" : "", r->page);
        text_xml(r->page, g->by[k]);
    }
}

/* Whether the code that has a probe belongs to one of the stacks, whose names have commas around.
 */
static bool is_of_stacks(enum probe probe, const char *stacks)
{
    static const char *const loris[] = {"cache", "logical", "physical", "naming"};
    char part[32], name[40];
    snprintf(part, sizeof(part), "%.30s", reached_about(probe));
    part[strcspn(part, ":")] = 0;
    for (size_t i = 0; i < sizeof(loris) / sizeof(loris[0]); i++)
        if (strcmp(part, loris[i]) == 0)
            return strstr(stacks, ",loris,") != NULL;
    if (strcmp(part, "block RAID") == 0) /* beneath all others */
        return stacks[0] != 0 && strcmp(stacks, ",loris,") != 0;
    snprintf(name, sizeof(name), ",%s,", part);
    return strcmp(part, "driver") == 0 || strstr(stacks, name) != NULL;
}

/* Of an exploration only what broke is a trial of the file: what others reached is not known. */
static bool is_explored(struct report *r)
{
    sqlite3_stmt *s = query(r, "SELECT 1 FROM explored LIMIT 1");
    bool explored = rows_next(s, r->error);
    sqlite3_finalize(s);
    return explored;
}

/* Probes of the stacks' code that no trial reached. Returns whether there are any. */
static bool put_probes(struct report *r)
{
    bool reached[PROBE_COUNT] = {false}, any = false;
    char stacks[400] = "";
    unsigned all = 0, never = 0, told = 0;
    sqlite3_stmt *s = query(r, "SELECT DISTINCT bin FROM bin WHERE kind = 4 AND bucket = ?");
    sqlite3_bind_int(s, 1, reached_sum());
    while (rows_next(s, r->error)) {
        int64_t probe = sqlite3_column_int64(s, 0);
        if (probe >= 0 && probe < PROBE_COUNT)
            any = reached[probe] = true;
    }
    sqlite3_finalize(s);
    s = query(r, "SELECT ',' || group_concat(text) || ',' FROM (SELECT DISTINCT text FROM "
                 "parameters WHERE part = 'variant' AND key = 'stack')");
    if (rows_next(s, r->error))
        snprintf(stacks, sizeof(stacks), "%s", rows_text(s, 0));
    sqlite3_finalize(s);
    for (int p = 0; p < PROBE_COUNT; p++) {
        bool counts = reached[p] || is_of_stacks((enum probe)p, stacks);
        all += counts;
        never += counts && !reached[p];
    }
    if (!any || never == 0 || is_explored(r))
        return false; /* an older file says nothing, or another build's */
    fprintf(r->page, "<li>%u of %u probes in the code of these stacks were never reached: ", never,
            all);
    for (int p = 0; p < PROBE_COUNT; p++)
        if (!reached[p] && is_of_stacks((enum probe)p, stacks)) {
            fprintf(r->page, "%s<code>%s</code>", told++ > 0 ? ", " : "",
                    reached_name((enum probe)p));
        }
    fputs("; <code>loris list probes</code> says what they are</li>\n", r->page);
    return true;
}

/* Cells without a trial, by reason. Returns how many reasons there are. */
static size_t put_skipped(struct report *r)
{
    size_t told = 0;
    sqlite3_stmt *s =
        query(r, "SELECT skipped, count(*), group_concat(CASE WHEN place <= 3 THEN name END, ', ') "
                 "FROM (SELECT skipped, variant || '/' || workload || '/' || fault AS name, "
                 "row_number() OVER (PARTITION BY skipped) AS place FROM cells WHERE done = 0) "
                 "GROUP BY skipped ORDER BY skipped");
    for (; rows_next(s, r->error); told++) {
        long long more = (long long)sqlite3_column_int64(s, 1) - 3;
        bool skipped = sqlite3_column_type(s, 0) != SQLITE_NULL;
        fputs(skipped ? "<li>skipped, since " : "<li>not run", r->page);
        put_column(r, s, 0);
        fputs(": ", r->page);
        put_column(r, s, 2);
        if (more > 0)
            fprintf(r->page, " and %lld more", more);
        fputs("</li>\n", r->page);
    }
    sqlite3_finalize(s);
    return told;
}

void report_never(struct report *r)
{
    size_t told = 0;
    fputs("<ul>\n", r->page);
    if (r->finished == NULL) {
        fputs("<li>It has not finished: <code>loris run ... --resume</code> goes on.</li>\n",
              r->page);
        told++;
    }
    for (size_t i = 0; i < r->cells.count; i++) {
        const struct group *g = &r->cells.group[i];
        if (g->undecided > 0) {
            fprintf(r->page,
                    "<li>undecided: the oracle gave up in %" PRIu64 " of %" PRIu64 " trials of ",
                    g->undecided, g->trials);
            put_cell(r, g);
            fprintf(r->page, "; their level may be too weak: <code>loris replay ");
            text_xml(r->page, r->options->path);
            fprintf(r->page, " %" PRIu64 " --verbose</code></li>\n", g->undecided_example);
            told++;
        }
        if (g->injected >= THIN_TRIALS)
            continue;
        fprintf(r->page, "<li>%s: every fault struck in %" PRIu64 " of %" PRIu64 " trials of ",
                g->injected == 0 ? "never struck" : "thin", g->injected, g->trials);
        put_cell(r, g);
        fputs("</li>\n", r->page);
        told++;
    }
    told += put_skipped(r);
    told += put_probes(r);
    fputs(told == 0 ? "<li>Every cell was run, and struck in 30 trials or more.</li>\n</ul>\n"
                    : "</ul>\n",
          r->page);
}

/* FNV-1a over what decides a row: equal campaigns by equal builds print equal sums. */
static uint64_t rows_hash(struct report *r)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    sqlite3_stmt *s = query(r, "SELECT trial, hash, level, injected FROM trial ORDER BY trial");
    while (rows_next(s, r->error))
        for (int i = 0; i < 4; i++) {
            uint64_t value = (uint64_t)sqlite3_column_int64(s, i);
            for (int byte = 0; byte < 8; byte++)
                hash = (hash ^ ((value >> (8 * byte)) & 0xff)) * UINT64_C(0x100000001b3);
        }
    sqlite3_finalize(s);
    return hash;
}

void report_method(struct report *r)
{
    bool watched = r->cells.count > 0 && r->cells.group[0].watched;
    fprintf(
        r->page,
        "<p>Each trial ran the real code of the storage stack on "
        "simulated disks, memory, processes and power, with the faults of its plan, and an "
        "oracle judged what the applications could still read. Rates count trials in which "
        "every fault of the plan took effect. Intervals are %s 95 %% intervals, each cell by "
        "itself: of %zu about %.0f may miss. The hardware is simulated, the storage code is "
        "real; an absent failure bounds a rate, it does not make it zero. Variants saw the same "
        "workload and the same fault draw in trials of equal number. Who noticed a fault first is "
        "told "
        "of the run alone: damage that only the judge's own reads met, after it, counts as not "
        "noticed while it ran, also where the stack then found and mended it.</p>\n",
        watched ? "always-valid (cells ended early because of what was seen in them)" : "exact",
        r->cells.count, ceil(0.05 * (double)r->cells.count));
    fputs("<dl><dt>loris</dt><dd>", r->page);
    text_xml(r->page, r->version);
    fputs(", build ", r->page);
    text_xml(r->page, r->build);
    fputs("</dd><dt>seed</dt><dd>", r->page);
    text_xml(r->page, r->seed);
    fprintf(r->page, "</dd><dt>rows</dt><dd>%016" PRIx64 "</dd>", rows_hash(r));
    if (r->notes != NULL) {
        fputs("<dt>notes</dt><dd>", r->page);
        text_xml(r->page, r->notes);
        fputs("</dd>", r->page);
    }
    fputs("</dl>\n<details><summary>The campaign, merged</summary><pre>", r->page);
    text_xml(r->page, r->yaml);
    fputs("</pre></details>\n", r->page);
}
