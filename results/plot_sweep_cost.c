/*
 * sweep, without faults: what does the option cost in writes and waits? Against the swept value:
 * what a sync waits, bytes that the disks wrote for each byte of the applications, bytes that they
 * wrote, and how long the run took. A series for each name before the @; median of the trials with
 * its 95 % interval, of a sync in grey what 1 in 100 waits. One picture a key, of the plan without
 * faults or else the first: (1) where a value is no number ("off", "nvme") the values stand side by
 * side, in the file's order; (2) a variant without the swept key is a level line, for comparison;
 * (3) more series than a picture takes make several, all with the same axes.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "results/plot_sweep_private.h"
#include "results/text.h"

#define POINTS_MAX 128
#define SERIES_MAX 24 /* beyond: not drawn; --where chooses */
#define PANEL_PX 190
#define CAPTION_CHARACTERS 140 /* what a line of the picture takes */

enum measured { SYNC, RATIO, WRITTEN, DURATION, MEASURED_COUNT };

/* Of one measure in one cell; median 0: nothing was measured. */
struct cost {
    double median, low, high, tail;
};

struct point {
    char series[192];
    int64_t rank, cell; /* the series' smallest cell, for its place; this one's */
    double x;
    char *text; /* of x; NULL: no swept value, the same everywhere */
    struct cost cost[MEASURED_COUNT];
};

struct costs {
    struct point point[POINTS_MAX];
    size_t count;
    const char *key;
    bool side_by_side;            /* (1) */
    size_t first[SERIES_MAX + 1]; /* series k: points first[k] to first[k + 1] */
    size_t series;
    double least, most; /* of x */
    struct sweep_extent extent[MEASURED_COUNT];
};

static struct cost summarise(double *values, double *tails, size_t count)
{
    if (count == 0)
        return (struct cost){0};
    stats_sort(values, count);
    stats_sort(tails, count);
    double median = stats_quantile(values, count, 0.5);
    struct interval ci = stats_quantile_interval(values, count, 0.5, 0.05);
    return (struct cost){.median = median,
                         .low = isfinite(ci.low) && ci.low > 0 ? ci.low : median,
                         .high = isfinite(ci.high) ? ci.high : median,
                         .tail = stats_quantile(tails, count, 0.5)};
}

/* What the trials of a cell cost, by their own rows: they need not have been struck. */
static void measure(struct plot *plot, const struct group *g, struct cost cost[MEASURED_COUNT])
{
    const char *where = plot->options->where != NULL ? plot->options->where : "1";
    char *sql = sqlite3_mprintf(
        "WITH s AS (SELECT trial, p50_ns, p99_ns, max(n) FROM latencies WHERE phase = 'before' AND "
        "op IN ('fsync', 'sync') GROUP BY trial) "
        "SELECT s.p50_ns, t.written * 1.0 / nullif(t.app_written, 0), t.written, t.sim_ns, "
        "s.p99_ns "
        "FROM (SELECT * FROM trials WHERE (%s\n)) t LEFT JOIN s USING (trial) "
        "WHERE t.variant = %Q AND t.workload = %Q AND t.fault = %Q",
        where, g->by[0], g->by[1], g->by[2]);
    double *values[MEASURED_COUNT], *tails = calloc(g->trials + 1, sizeof(double));
    size_t count[MEASURED_COUNT] = {0};
    for (int m = 0; m < MEASURED_COUNT; m++)
        values[m] = calloc(g->trials + 1, sizeof(double));
    sqlite3_stmt *s = rows_query(plot->db, sql, plot->error);
    sqlite3_free(sql);
    while (rows_next(s, plot->error)) {
        for (int m = 0; m < MEASURED_COUNT; m++) {
            ASSERT(values[m] != NULL && tails != NULL);
            if (sqlite3_column_type(s, m) == SQLITE_NULL || count[m] == g->trials)
                continue;
            if (m == SYNC)
                tails[count[m]] = sqlite3_column_double(s, MEASURED_COUNT);
            values[m][count[m]++] = sqlite3_column_double(s, m);
        }
    }
    sqlite3_finalize(s);
    for (int m = 0; m < MEASURED_COUNT; m++) {
        cost[m] = summarise(values[m], m == SYNC ? tails : values[m], count[m]);
        free(values[m]);
    }
    free(tails);
}

/* The plan whose cells are drawn: one without faults, or else the file's first. */
static const char *plain_fault(struct plot *plot, const struct groups *groups)
{
    const char *plain = groups->count > 0 ? groups->group[0].by[2] : "";
    for (size_t i = 0; i < groups->count; i++) {
        double value;
        char *text = NULL;
        if (!sweep_value(plot, "fault", groups->group[i].by[2], "", &value, &text))
            continue;
        bool none = strcmp(text, "[]") == 0;
        free(text);
        if (none)
            return groups->group[i].by[2];
    }
    return plain;
}

/* Takes a cell as a point, if it is of the sweep or (2). */
static void take(struct plot *plot, struct costs *costs, const struct group *g, bool of_variants)
{
    struct point *point = &costs->point[costs->count];
    const char *part, *name = sweep_name(g, costs->key, &part);
    *point = (struct point){.rank = g->cell, .cell = g->cell};
    if (name == NULL) {
        if (!of_variants)
            return;
        snprintf(point->series, sizeof(point->series), "%s", g->by[0]);
    } else {
        if (!sweep_value(plot, part, name, costs->key, &point->x, &point->text))
            return;
        sweep_base(name, costs->key, point->series, sizeof(point->series));
        costs->side_by_side = costs->side_by_side || isnan(point->x);
        if (strcmp(part, "variant") != 0)
            snprintf(point->series, sizeof(point->series), "%.190s", g->by[0]);
    }
    measure(plot, g, point->cost);
    costs->count++;
}

static void gather(struct plot *plot, const struct groups *groups, struct costs *costs,
                   const char *workload, const char *fault)
{
    bool of_variants = false;
    const char *part;
    for (size_t i = 0; i < groups->count; i++)
        if (sweep_name(&groups->group[i], costs->key, &part) == groups->group[i].by[0])
            of_variants = true;
    for (size_t i = 0; i < groups->count && costs->count < POINTS_MAX; i++) {
        const struct group *g = &groups->group[i];
        char base[192];
        sweep_base(g->by[1], costs->key, base, sizeof(base));
        if (strcmp(g->by[2], fault) == 0 && strcmp(base, workload) == 0)
            take(plot, costs, g, of_variants);
    }
}

/* (1): x of each point becomes the place of its text among all, from 1. */
static void place_side_by_side(struct costs *costs)
{
    size_t places = 0;
    for (size_t i = 0; i < costs->count; i++) {
        struct point *point = &costs->point[i];
        size_t k = 0;
        while (k < i && (costs->point[k].text == NULL || point->text == NULL ||
                         strcmp(costs->point[k].text, point->text) != 0))
            k++;
        if (point->text != NULL)
            point->x = k < i ? costs->point[k].x : (double)++places;
    }
}

static int by_series_x(const void *left, const void *right)
{
    const struct point *a = left, *b = right;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    return (a->x > b->x) - (a->x < b->x);
}

/* Order, series and spans of all that was gathered. */
static void arrange(struct costs *costs)
{
    if (costs->side_by_side)
        place_side_by_side(costs);
    costs->least = INFINITY;
    costs->most = -INFINITY;
    for (size_t i = 0; i < costs->count; i++) {
        struct point *point = &costs->point[i];
        for (size_t k = 0; k < costs->count; k++)
            if (strcmp(costs->point[k].series, point->series) == 0 &&
                costs->point[k].cell < point->rank)
                point->rank = costs->point[k].cell;
        if (point->text != NULL) {
            costs->least = fmin(costs->least, point->x);
            costs->most = fmax(costs->most, point->x);
        }
        for (int m = 0; m < MEASURED_COUNT; m++) {
            sweep_widen(&costs->extent[m], point->cost[m].low);
            sweep_widen(&costs->extent[m], point->cost[m].high);
            sweep_widen(&costs->extent[m], point->cost[m].tail);
        }
    }
    qsort(costs->point, costs->count, sizeof(costs->point[0]), by_series_x);
    for (size_t i = 0; i < costs->count && costs->series < SERIES_MAX; i++)
        if (i == 0 || strcmp(costs->point[i].series, costs->point[i - 1].series) != 0)
            costs->first[costs->series++] = i;
    costs->first[costs->series] = costs->count;
}

static void write_row(FILE *dat, const struct point *point, double x)
{
    fprintf(dat, "%.10g", x);
    for (int m = 0; m < MEASURED_COUNT; m++) {
        const struct cost *c = &point->cost[m];
        fprintf(dat, " %.6g %.6g %.6g %.6g", c->median, c->low, c->high, c->tail);
    }
    fputc('\n', dat);
}

/* A block a series, a row a value; a level line has a row at each end. */
static void write_data(struct plot *plot, const struct costs *costs, size_t from, size_t to)
{
    fputs("# value, then of a sync (ns), written per byte, written (bytes), the run (ns): median "
          "low high tail (0: none)\n",
          plot->dat);
    for (size_t k = from; k < to; k++) {
        double offset = /* so that equal marks of one place are all seen */
            costs->side_by_side ? 0.06 * ((double)(k - from) - (double)(to - from - 1) / 2) : 0;
        for (size_t i = costs->first[k]; i < costs->first[k + 1]; i++) {
            const struct point *point = &costs->point[i];
            write_row(plot->dat, point, point->text != NULL ? point->x + offset : costs->least);
            if (point->text == NULL)
                write_row(plot->dat, point, costs->most);
        }
        fputs("\n\n", plot->dat);
    }
}

/* The swept values only, labelled in the lowest panel. */
static void write_tics(FILE *gp, const struct costs *costs, bool labels)
{
    const char *gap = "";
    fputs("set xtics font small noenhanced (", gp);
    for (size_t i = 0; i < costs->count; i++) {
        if (costs->point[i].text == NULL)
            continue;
        fputs(gap, gp);
        plot_quote(gp, labels ? costs->point[i].text : "", true);
        fprintf(gp, " %.12g", costs->point[i].x);
        gap = ", ";
    }
    fputs(")\n", gp);
}

/* Tics of a quotient: 0.1, 0.2, 0.5, 1, ..., and decades alone in a long range. */
static void ratio_tics(FILE *gp, double low, double high)
{
    const char *gap = "";
    fputs("set ytics (", gp);
    for (double tic = low; tic <= high * 1.01; tic = sweep_round_to_tic(tic * 1.01, true)) {
        fprintf(gp, "%s'%g' %g", gap, tic, tic);
        gap = ", ";
    }
    fputs(")\n", gp);
}

static void draw_panel(struct plot *plot, const struct costs *costs, size_t from, size_t to,
                       enum measured m, double top, bool last)
{
    static const char *const names[MEASURED_COUNT] = {"a sync (p99 grey)", "written per byte",
                                                      "written", "the run takes"};
    FILE *gp = plot->gp;
    int at = 2 + 4 * (int)m;
    double low = sweep_round_to_tic(costs->extent[m].low, false),
           high = sweep_round_to_tic(costs->extent[m].high, true);
    fprintf(gp, "set tmargin at screen %.4f\nset bmargin at screen %.4f\nset yrange [%g:%g]\n",
            plot_y(plot, top), plot_y(plot, top + PANEL_PX - 30), low / 1.1, high * 1.1);
    if (m == SYNC || m == DURATION)
        plot_time_tics(gp, "y", low, high);
    else if (m == WRITTEN)
        plot_size_tics(gp, "y", low, high);
    else
        ratio_tics(gp, low, high);
    fprintf(gp, "set ytics font small\nset ylabel '%s' tc rgb '#222222' offset 1,0\n", names[m]);
    write_tics(gp, costs, last);
    for (size_t k = from; k < to; k++) {
        const struct plot_series *s = &plot_series[k - from];
        const struct point *point = &costs->point[costs->first[k]];
        fputs(k == from ? "plot " : ", \\\n  ", gp);
        if (m == SYNC)
            fprintf(gp,
                    "'%s.dat' index %zu using 1:($%d>0?$%d:NaN) with lines dt (6,4) lc rgb "
                    "'#9aa0a8' notitle, \\\n  ",
                    plot->name, k - from, at + 3, at + 3);
        if (point->text == NULL)
            fprintf(gp, "'%s.dat' index %zu using 1:($%d>0?$%d:NaN) with lines", plot->name,
                    k - from, at, at);
        else
            fprintf(gp, "'%s.dat' index %zu using 1:($%d>0?$%d:NaN):%d:%d with %s pt %d ps 1",
                    plot->name, k - from, at, at, at + 1, at + 2,
                    costs->side_by_side ? "yerrorbars" : "yerrorlines", s->point);
        fprintf(gp, " lw 1.6 dt %s lc rgb '%s' title ", s->dash, s->colour);
        plot_quote(gp, point->series, false);
    }
    fputs("\nunset key\nunset label 98\nunset label 99\n", gp);
}

/* The measure that the swept value moves most in a series: what the caption tells. */
static enum measured telling(const struct costs *costs)
{
    double most[2] = {0, 0};
    for (int m = SYNC; m <= RATIO; m++)
        for (size_t k = 0; k < costs->series; k++) {
            struct sweep_extent medians = {0, 0};
            for (size_t i = costs->first[k]; i < costs->first[k + 1]; i++)
                sweep_widen(&medians, costs->point[i].cost[m].median);
            if (medians.high > 0)
                most[m] = fmax(most[m], medians.high / medians.low);
        }
    return most[SYNC] > most[RATIO] ? SYNC : RATIO;
}

static const char *value_text(char room[TEXT_SHORT_BYTES], enum measured m, double value)
{
    if (m == SYNC)
        return text_time(room, value);
    snprintf(room, TEXT_SHORT_BYTES, value < 9.95 ? "%.1f" : "%.0f", value);
    return room;
}

/* What the swept value at x is called. */
static const char *text_at(const struct costs *costs, double x)
{
    for (size_t i = 0; i < costs->count; i++)
        if (costs->point[i].text != NULL && costs->point[i].x == x)
            return costs->point[i].text;
    return "";
}

static void caption_of(const struct costs *costs, size_t from, size_t to, char *room, size_t bytes)
{
    enum measured m = telling(costs);
    const char *gap =
        m == SYNC ? "A sync waits, median, " : "Disks write per byte of the applications, ";
    char a[TEXT_SHORT_BYTES], b[TEXT_SHORT_BYTES];
    int used = snprintf(room, bytes, "%s%.20s to %.20s: ", gap, text_at(costs, costs->least),
                        text_at(costs, costs->most));
    gap = "";
    for (size_t k = from; k < to; k++) {
        const struct point *first = &costs->point[costs->first[k]];
        const struct point *last = &costs->point[costs->first[k + 1] - 1];
        if (first->cost[m].median <= 0 || last->cost[m].median <= 0)
            continue;
        char words[300];
        int more = snprintf(words, sizeof(words), "%s%.80s %s", gap, first->series,
                            value_text(a, m, first->cost[m].median));
        if (first != last)
            more += snprintf(words + more, sizeof(words) - (size_t)more, " to %s",
                             value_text(b, m, last->cost[m].median));
        if (used + more > CAPTION_CHARACTERS) {
            snprintf(room + used, bytes - (size_t)used, ", ...");
            return;
        }
        used += snprintf(room + used, bytes - (size_t)used, "%s", words);
        gap = ", ";
    }
    snprintf(room + used, bytes - (size_t)used, ".");
}

/* One picture, of the series from `from` to before `to`. */
static void draw(struct plot *plot, const struct costs *costs, const char *fault, size_t from,
                 size_t to)
{
    char title[300], caption[400];
    unsigned panels = 0, drawn = 0;
    for (int m = 0; m < MEASURED_COUNT; m++)
        panels += costs->extent[m].high > 0;
    snprintf(title, sizeof(title), "What does %.100s cost in writes and waits? Fault %.100s",
             costs->key, fault);
    caption_of(costs, from, to, caption, sizeof(caption));
    if (!plot_begin(plot, "sweep", 76 + PANEL_PX * panels, title, caption))
        return;
    write_data(plot, costs, from, to);
    double pad = costs->side_by_side ? 0.4 : 0; /* beside the first and last of few places */
    sweep_x(plot->gp, costs->least - pad, costs->most + pad);
    fprintf(plot->gp,
            "set multiplot\nset lmargin at screen %.4f\nset rmargin at screen %.4f\nset logscale "
            "y\nset grid ytics lc rgb '#e4e4e4' lt 1 lw 1\nset key at screen %.4f,%.4f right "
            "center horizontal\n",
            PLOT_X(100), PLOT_X(850), PLOT_X(866), plot_y(plot, 56));
    for (int m = 0; m < MEASURED_COUNT; m++)
        if (costs->extent[m].high > 0) {
            drawn++;
            draw_panel(plot, costs, from, to, (enum measured)m, 72 + (double)(drawn - 1) * PANEL_PX,
                       drawn == panels);
        }
    fputs("unset multiplot\n", plot->gp);
    plot_end(plot);
}

static void draw_workload(struct plot *plot, const struct groups *groups, const char *key,
                          const char *workload, const char *fault)
{
    struct costs *costs = calloc(1, sizeof(*costs));
    ASSERT(costs != NULL);
    costs->key = key;
    gather(plot, groups, costs, workload, fault);
    arrange(costs);
    size_t pages = (costs->series + PLOT_SERIES_MAX - 1) / PLOT_SERIES_MAX;
    bool worth = costs->most > costs->least && costs->extent[WRITTEN].high > 0;
    for (size_t page = 0; worth && page < pages && plot->code == 0; page++)
        draw(plot, costs, fault, costs->series * page / pages, costs->series * (page + 1) / pages);
    for (size_t i = 0; i < costs->count; i++)
        free(costs->point[i].text);
    free(costs);
}

void plot_sweep_cost(struct plot *plot, const struct groups *groups, const char *key)
{
    const char *fault = plain_fault(plot, groups);
    for (size_t i = 0; i < groups->count && plot->code == 0; i++) {
        char base[192], before[192];
        bool seen = false;
        sweep_base(groups->group[i].by[1], key, base, sizeof(base));
        for (size_t k = 0; k < i && !seen; k++) {
            sweep_base(groups->group[k].by[1], key, before, sizeof(before));
            seen = strcmp(before, base) == 0;
        }
        if (!seen)
            draw_workload(plot, groups, key, base, fault);
    }
}
