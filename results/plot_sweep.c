/*
 * sweep: what does the option cost? A picture for each swept key, workload and fault: lost work,
 * recovery and outage against the value, a series for each name before the @; median with its 95 %
 * interval, and the 99th percentile in grey. x is logarithmic where the values span a factor of 20.
 * After them a picture a key of what it costs without faults (plot_sweep_cost.c).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "results/plot_sweep_private.h"
#include "results/text.h"

#define STEPS_MAX 64 /* cells of a picture */
#define PANELS 3
#define PANEL_PX 190
#define LOG_SPAN 20

/* One swept cell: its base name, the value of the key, and what was measured. */
struct step {
    char base[192];
    int64_t rank; /* the file's order of base names: smallest cell */
    double value;
    char *text;
    const struct group *group;
};

struct steps {
    struct step step[STEPS_MAX];
    size_t count;
};

static const struct group_times *times_of(const struct group *g, int panel)
{
    return panel == 0 ? &g->rpo : panel == 1 ? &g->recovery : &g->outage;
}

const char *sweep_name(const struct group *g, const char *key, const char **part)
{
    static const char *const parts[] = {"variant", "workload", "fault"};
    char mark[160];
    for (int i = 0; i < 3; i++) {
        const char *at = strchr(g->by[i], '@');
        *part = parts[i];
        snprintf(mark, sizeof(mark), "@%s=", key);
        if (at != NULL && strstr(at, mark) != NULL)
            return g->by[i];
        snprintf(mark, sizeof(mark), ",%s=", key);
        if (at != NULL && strstr(at, mark) != NULL)
            return g->by[i];
    }
    return NULL;
}

bool sweep_value(struct plot *plot, const char *part, const char *name, const char *key,
                 double *value, char **text)
{
    sqlite3_stmt *s = rows_query(
        plot->db, "SELECT value, text FROM parameter WHERE part = ? AND name = ? AND key = ?",
        plot->error);
    sqlite3_bind_text(s, 1, part, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, name, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 3, key, -1, SQLITE_STATIC);
    bool found = rows_next(s, plot->error);
    if (found) {
        *value = sqlite3_column_type(s, 0) == SQLITE_NULL ? NAN : sqlite3_column_double(s, 0);
        *text = strdup(rows_text(s, 1));
        ASSERT(*text != NULL);
    }
    sqlite3_finalize(s);
    return found;
}

/* The step's value and text; false if it has no place on an axis of numbers. */
static bool value_of(struct plot *plot, const char *part, const char *name, const char *key,
                     struct step *step)
{
    if (!sweep_value(plot, part, name, key, &step->value, &step->text))
        return false;
    if (!isnan(step->value))
        return true;
    free(step->text);
    return false;
}

void sweep_base(const char *name, const char *key, char *room, size_t bytes)
{
    char mark[160];
    snprintf(mark, sizeof(mark), "%s=", key);
    const char *at = strstr(name, mark);
    size_t head = at != NULL ? (size_t)(at - name) : strlen(name);
    const char *rest = at != NULL ? strchr(at, ',') : NULL;
    if (head > 0 && rest == NULL)
        head--; /* the @ or , before it */
    snprintf(room, bytes, "%.*s%s", (int)head, name, rest != NULL ? rest + 1 : "");
}

static int by_base_value(const void *left, const void *right)
{
    const struct step *a = left, *b = right;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    return (a->value > b->value) - (a->value < b->value);
}

void sweep_widen(struct sweep_extent *extent, double value)
{
    if (!(value > 0) || !isfinite(value))
        return;
    extent->low = extent->high > 0 ? fmin(extent->low, value) : value;
    extent->high = fmax(extent->high, value);
}

double sweep_round_to_tic(double value, bool up)
{
    static const double tics[] = {5, 2, 1};
    double decade = pow(10, floor(log10(value))), below = decade, above = 10 * decade;
    for (size_t k = 0; k < 3; k++) {
        if (tics[k] * decade > value) {
            above = tics[k] * decade;
            continue;
        }
        below = tics[k] * decade;
        break;
    }
    return up && below < value ? above : below;
}

/* Index by index: a block a series, a row a value: value, and for each panel median low high p99.
 */
static size_t write_data(struct plot *plot, const struct steps *steps, const char *series[],
                         struct sweep_extent extent[PANELS])
{
    size_t count = 0;
    fputs("# value, then of loss, recovery, outage: median_ns low_ns high_ns p99_ns (0: none)\n",
          plot->dat);
    for (size_t i = 0; i < steps->count; i++) {
        const struct step *step = &steps->step[i];
        if (i == 0 || strcmp(step->base, steps->step[i - 1].base) != 0) {
            if (count == PLOT_SERIES_MAX)
                break;
            fputs(i > 0 ? "\n\n" : "", plot->dat);
            series[count++] = step->base;
        }
        fprintf(plot->dat, "%.10g", step->value);
        for (int p = 0; p < PANELS; p++) {
            const struct group_times *t = times_of(step->group, p);
            double median = group_quantile(t, 0.5), p99 = group_quantile(t, 0.99);
            struct interval ci = stats_quantile_interval(t->ns, t->count, 0.5, 0.05);
            double low = isfinite(ci.low) && ci.low > 0 ? ci.low : median;
            double high = isfinite(ci.high) ? ci.high : median;
            if (median > 0) {
                const double drawn_ns[] = {median, low, high, p99};
                for (size_t k = 0; k < 4; k++)
                    sweep_widen(&extent[p], drawn_ns[k]);
            }
            fprintf(plot->dat, " %.0f %.0f %.0f %.0f", median > 0 ? median : 0, low > 0 ? low : 0,
                    high > 0 ? high : 0, p99 > 0 ? p99 : 0);
        }
        fputc('\n', plot->dat);
    }
    fputs("\n\n", plot->dat);
    return count;
}

void sweep_x(FILE *gp, double least, double most)
{
    bool logarithmic = least > 0 && most / least > LOG_SPAN;
    double pad = (most - least) * 0.06;
    if (logarithmic)
        fprintf(gp, "set logscale x\nset xrange [%g:%g]\n", least / 1.4, most * 1.4);
    else
        fprintf(gp, "set xrange [%.12g:%.12g]\n", least - pad, most + pad);
}

static void write_x(struct plot *plot, const struct steps *steps)
{
    double least = INFINITY, most = -INFINITY;
    for (size_t i = 0; i < steps->count; i++) {
        least = fmin(least, steps->step[i].value);
        most = fmax(most, steps->step[i].value);
    }
    sweep_x(plot->gp, least, most);
}

/* The swept values only, labelled in the lowest panel. */
static void write_tics(FILE *gp, const struct steps *steps, bool labels)
{
    fputs("set xtics font small noenhanced (", gp);
    for (size_t i = 0; i < steps->count; i++) {
        fputs(i > 0 ? ", " : "", gp);
        plot_quote(gp, labels ? steps->step[i].text : "", true);
        fprintf(gp, " %.12g", steps->step[i].value);
    }
    fputs(")\n", gp);
}

static void draw_panel(struct plot *plot, const struct steps *steps, const char *series[],
                       size_t count, int panel, struct sweep_extent extent, double top, bool last)
{
    static const char *const names[PANELS] = {"lost work", "recovery", "outage"};
    FILE *gp = plot->gp;
    int at = 2 + 4 * panel;
    fprintf(gp, "set tmargin at screen %.4f\nset bmargin at screen %.4f\n", plot_y(plot, top),
            plot_y(plot, top + PANEL_PX - 30));
    double low_ns = sweep_round_to_tic(extent.low, false),
           high_ns = sweep_round_to_tic(extent.high, true);
    fprintf(gp, "set yrange [%g:%g]\n", low_ns / 1.1, high_ns * 1.1);
    plot_time_tics(gp, "y", low_ns, high_ns);
    fprintf(gp, "set ytics font small\nset ylabel '%s' tc rgb '#222222' offset 1,0\n",
            names[panel]);
    write_tics(gp, steps, last);
    for (size_t i = 0; i < count; i++) {
        const struct plot_series *s = &plot_series[i];
        fprintf(gp,
                "%s'%s.dat' index %zu using 1:($%d>0?$%d:NaN) with lines dt (6,4) lc rgb '#9aa0a8' "
                "notitle, \\\n  '' index %zu using 1:($%d>0?$%d:NaN):%d:%d with yerrorlines pt %d "
                "ps 1 lw 1.6 dt %s lc rgb '%s' title ",
                i == 0 ? "plot " : ", \\\n  ", plot->name, i, at + 3, at + 3, i, at, at, at + 1,
                at + 2, s->point, s->dash, s->colour);
        plot_quote(gp, series[i], false);
    }
    fputs("\nunset key\nunset label 98\nunset label 99\n", gp);
}

static void caption_of(const struct steps *steps, const char *key, char *room, size_t bytes)
{
    const struct step *first = &steps->step[0], *last = first;
    char a[TEXT_SHORT_BYTES], b[TEXT_SHORT_BYTES];
    for (size_t i = 1; i < steps->count && strcmp(steps->step[i].base, first->base) == 0; i++)
        last = &steps->step[i];
    int panel = group_quantile(&last->group->rpo, 0.5) > 0 ? 0 : 1;
    snprintf(room, bytes, "%.80s: median %s %s at %.60s = %.40s, %s at %.40s.", first->base,
             panel == 0 ? "loss" : "recovery",
             text_time(a, group_quantile(times_of(first->group, panel), 0.5)), key, first->text,
             text_time(b, group_quantile(times_of(last->group, panel), 0.5)), last->text);
}

/* `off` has no place on the axis: what is left may be one value, which is no sweep. */
static bool has_two_values(const struct steps *steps)
{
    for (size_t i = 1; i < steps->count; i++)
        if (steps->step[i].value != steps->step[0].value)
            return true;
    return false;
}

static void draw(struct plot *plot, struct steps *steps, const char *key, const char *fault)
{
    char title[300], caption[400];
    const char *series[PLOT_SERIES_MAX] = {NULL};
    struct sweep_extent extent[PANELS] = {{0, 0}};
    qsort(steps->step, steps->count, sizeof(steps->step[0]), by_base_value);
    unsigned panels = 0;
    for (int p = 0; p < PANELS; p++) {
        bool some = false;
        for (size_t i = 0; i < steps->count; i++)
            some = some || group_quantile(times_of(steps->step[i].group, p), 0.5) > 0;
        panels += some;
    }
    snprintf(title, sizeof(title), "What does %s cost? Fault %s", key, fault);
    caption_of(steps, key, caption, sizeof(caption));
    if (panels == 0 || !has_two_values(steps) ||
        !plot_begin(plot, "sweep", 76 + PANEL_PX * panels, title, caption))
        return;
    size_t count = write_data(plot, steps, series, extent);
    write_x(plot, steps);
    fprintf(plot->gp,
            "set multiplot\nset lmargin at screen %.4f\nset rmargin at screen %.4f\nset logscale "
            "y\nset grid ytics lc rgb '#e4e4e4' lt 1 lw 1\nset key at screen %.4f,%.4f right "
            "center horizontal\n",
            PLOT_X(100), PLOT_X(850), PLOT_X(866), plot_y(plot, 56));
    unsigned drawn = 0;
    for (int p = 0; p < PANELS; p++)
        if (extent[p].high > 0) {
            drawn++;
            draw_panel(plot, steps, series, count, p, extent[p],
                       72 + (double)(drawn - 1) * PANEL_PX, drawn == panels);
        }
    fputs("unset multiplot\n", plot->gp);
    plot_end(plot);
}

/* All swept cells of a key and fault; the rest of their names makes the series. */
static void gather(struct plot *plot, const struct groups *groups, const char *key,
                   const char *fault, struct steps *steps)
{
    steps->count = 0;
    for (size_t i = 0; i < groups->count && steps->count < STEPS_MAX; i++) {
        const struct group *g = &groups->group[i];
        struct step *step = &steps->step[steps->count];
        const char *part, *name = sweep_name(g, key, &part);
        if (name == NULL || strcmp(g->by[2], fault) != 0 || g->injected == 0 ||
            !value_of(plot, part, name, key, step))
            continue;
        sweep_base(name, key, step->base, sizeof(step->base));
        if (strcmp(part, "variant") != 0) {
            size_t at = strlen(step->base);
            snprintf(step->base + at, sizeof(step->base) - at, " %.60s", g->by[0]);
        }
        step->group = g;
        step->rank = g->cell;
        for (size_t k = 0; k < steps->count; k++)
            if (strcmp(steps->step[k].base, step->base) == 0 && steps->step[k].rank < step->rank)
                step->rank = steps->step[k].rank;
        steps->count++;
    }
}

static void draw_key(struct plot *plot, const struct groups *groups, const char *key)
{
    struct steps *steps = calloc(1, sizeof(*steps));
    ASSERT(steps != NULL);
    for (size_t i = 0; i < groups->count && plot->code == 0; i++) {
        bool seen = false;
        for (size_t k = 0; k < i; k++)
            seen = seen || strcmp(groups->group[k].by[2], groups->group[i].by[2]) == 0;
        if (seen)
            continue;
        gather(plot, groups, key, groups->group[i].by[2], steps);
        if (steps->count > 1)
            draw(plot, steps, key, groups->group[i].by[2]);
        for (size_t k = 0; k < steps->count; k++)
            free(steps->step[k].text);
    }
    free(steps);
}

/* The swept keys of the file, one after the other; only those with numbers if `numbers`. */
static sqlite3_stmt *query_keys(struct plot *plot, bool numbers)
{
    sqlite3_stmt *s = rows_query(plot->db,
                                 "SELECT DISTINCT key FROM parameter WHERE (value IS NOT NULL OR "
                                 "NOT ?) AND (instr(name, '@' || key || '=') OR instr(name, ',' || "
                                 "key || '=')) ORDER BY key",
                                 plot->error);
    sqlite3_bind_int(s, 1, numbers);
    return s;
}

void plot_sweep(struct plot *plot)
{
    struct groups groups;
    (void)plot_groups(plot, "variant,workload,fault", &groups);
    sqlite3_stmt *s = query_keys(plot, true);
    while (plot->code == 0 && rows_next(s, plot->error))
        draw_key(plot, &groups, rows_text(s, 0));
    sqlite3_finalize(s);
    s = query_keys(plot, false);
    while (plot->code == 0 && rows_next(s, plot->error))
        plot_sweep_cost(plot, &groups, rows_text(s, 0));
    sqlite3_finalize(s);
    groups_free(&groups);
}
