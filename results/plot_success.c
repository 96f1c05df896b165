/*
 * success: which promises hold? A row a fault, a mark a variant, x the share kept, stretched
 * towards 100 % by -log10(1.002 - p), with the exact 95 % interval. A mark without a broken promise
 * has its lower bound written beside it: an absent failure bounds a rate, it does not make it zero.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "results/plot_private.h"
#include "results/text.h"

#define ROWS_MAX 64
#define NARROW_KEY_PX 18 /* a line of it */
#define SKIPPED_WIDTH 18 /* characters beside "skipped: " before the edge of the picture */

/* Which rows and variants there are, in the file's order. */
struct axes {
    const char *row[ROWS_MAX]; /* faults; their workloads are taken together */
    size_t row_count;
    const char *variant[ROWS_MAX];
    size_t variant_count;
};

static struct axes find_axes(const struct groups *groups)
{
    struct axes axes = {.row_count = 0};
    for (size_t i = 0; i < groups->count; i++) {
        plot_add_name(axes.variant, &axes.variant_count, ROWS_MAX, groups->group[i].by[0]);
        plot_add_name(axes.row, &axes.row_count, ROWS_MAX, groups->group[i].by[1]);
    }
    return axes;
}

static const struct group *find(const struct groups *groups, const char *variant, const char *fault)
{
    for (size_t i = 0; i < groups->count; i++) {
        const struct group *g = &groups->group[i];
        if (strcmp(g->by[0], variant) == 0 && strcmp(g->by[1], fault) == 0)
            return g;
    }
    return NULL;
}

/* "3 of 200 broken", "0 of 200, >= 98.2 %", "never struck", "nothing promised". */
static void label_of(const struct group *g, bool narrow, char *room, size_t bytes)
{
    char a[TEXT_SHORT_BYTES];
    struct interval interval;
    (void)group_kept(g, &interval);
    if (g->injected == 0)
        snprintf(room, bytes, "never struck");
    else if (g->promised == 0)
        snprintf(room, bytes, "nothing promised");
    else if (g->broken == 0)
        snprintf(room, bytes, "0 of %llu, >= %s", (unsigned long long)g->promised,
                 text_percent(a, interval.low));
    else
        snprintf(room, bytes, "%llu of %llu broken%s", (unsigned long long)g->broken,
                 (unsigned long long)g->promised,
                 g->injected < PLOT_THIN && !narrow ? ", thin" : "");
}

/* Why the cell was skipped, or "". */
static void skipped_of(struct plot *plot, const char *variant, const char *fault, char *room,
                       size_t bytes)
{
    sqlite3_stmt *s = rows_query(
        plot->db,
        "SELECT skipped FROM cell WHERE variant = ? AND fault = ? AND skipped IS NOT NULL",
        plot->error);
    room[0] = 0;
    sqlite3_bind_text(s, 1, variant, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, fault, -1, SQLITE_STATIC);
    if (rows_next(s, plot->error)) {
        const char *why = rows_text(s, 0);
        /* Longer ones would be cut by the edge of the picture; `loris check` tells them whole. */
        if (strlen(why) <= SKIPPED_WIDTH && !plot->options->narrow)
            snprintf(room, bytes, "skipped: %s", why);
        else
            snprintf(room, bytes, plot->options->narrow ? "skipped" : "skipped, see loris check");
    }
    sqlite3_finalize(s);
}

/* The caption: what the first variant kept, and its worst fault. */
static void caption_of(const struct groups *groups, const struct axes *axes, size_t variant,
                       char *room, size_t bytes)
{
    size_t whole = 0, faults = 0;
    double bound = 0;
    const struct group *worst = NULL;
    for (size_t r = 0; r < axes->row_count; r++) {
        const struct group *g = find(groups, axes->variant[variant], axes->row[r]);
        struct interval interval;
        if (g == NULL || g->promised == 0)
            continue;
        double kept = group_kept(g, &interval);
        faults++;
        if (g->broken == 0) {
            whole++;
            bound = fmax(bound, 1 - interval.low);
        }
        struct interval other;
        if (worst == NULL || kept < group_kept(worst, &other))
            worst = g;
    }
    char a[TEXT_SHORT_BYTES];
    int at = snprintf(room, bytes, "Of %zu faults, %s kept its promise in every trial of %zu",
                      faults, axes->variant[variant], whole);
    if (whole > 0 && at > 0 && (size_t)at < bytes)
        at +=
            snprintf(room + at, bytes - (size_t)at, " (each broken < %s)", text_percent(a, bound));
    if (worst != NULL && worst->broken > 0 && (size_t)at < bytes)
        at += snprintf(room + at, bytes - (size_t)at, "; worst: %s, %llu of %llu", worst->by[1],
                       (unsigned long long)worst->broken, (unsigned long long)worst->promised);
    if ((size_t)at < bytes)
        snprintf(room + at, bytes - (size_t)at, ".");
}

/* One block of data a variant: y, kept, low, high, injected, label; a cell without a mark has kept
 * -1 and its reason as the label. Returns the smallest low. */
static double write_data(struct plot *plot, const struct groups *groups, const struct axes *axes,
                         size_t first, size_t count)
{
    double least = 1, step = 0.96 / (double)count; /* 19 px */
    fputs("# y kept low high injected label fault\n", plot->dat);
    for (size_t v = 0; v < count; v++) {
        fputs("# ", plot->dat);
        plot_data_text(plot->dat, axes->variant[first + v]);
        fputc('\n', plot->dat);
        for (size_t r = 0; r < axes->row_count; r++) {
            const struct group *g = find(groups, axes->variant[first + v], axes->row[r]);
            char label[160] = "not run";
            struct interval interval = {-1, -1};
            double kept = -1, y = -(double)r - step * ((double)v - (double)(count - 1) / 2);
            if (g != NULL)
                label_of(g, plot->options->narrow, label, sizeof(label));
            else
                skipped_of(plot, axes->variant[first + v], axes->row[r], label, sizeof(label));
            if (g != NULL && g->promised > 0) {
                kept = group_kept(g, &interval);
                least = fmin(least, interval.low);
            }
            fprintf(plot->dat, "%.4f %.8f %.8f %.8f %llu ", y, kept, interval.low, interval.high,
                    g != NULL ? (unsigned long long)g->injected : 0ULL);
            plot_data_text(plot->dat, label);
            fputc(' ', plot->dat);
            plot_data_text(plot->dat, axes->row[r]);
            fputc('\n', plot->dat);
        }
        fputs("\n\n", plot->dat);
    }
    return least;
}

/* Where the plot and its key stand; a narrow picture has its key above, a line a variant. */
static void write_margins(struct plot *plot, const struct plot_names *names, size_t count)
{
    FILE *gp = plot->gp;
    bool narrow = plot->options->narrow;
    double right_px = narrow ? PLOT_NARROW_WIDTH - 118 : 690;
    fprintf(gp,
            "set lmargin at screen %.4f\nset rmargin at screen %.4f\nset tmargin at screen %.4f\n"
            "set bmargin at screen %.4f\n",
            plot_x(plot, plot_names_left(plot, names)), plot_x(plot, right_px),
            plot_y(plot, narrow ? 42 + NARROW_KEY_PX * (double)count : 72), 34.0 / plot->height);
    if (narrow)
        fprintf(gp, "set key at screen 0.03,%.4f left top vertical Left reverse\n",
                plot_y(plot, 32));
    else
        fprintf(gp, "set key at screen %.4f,%.4f right center horizontal\n", PLOT_X(866),
                plot_y(plot, 58));
}

static void write_axes(struct plot *plot, const struct axes *axes, size_t count, double least)
{
    static const char *const all[] = {"0",  "50",   "80",   "90",  "95", "98",
                                      "99", "99.5", "99.8", "100", NULL};
    static const char *const few[] = {"50", "90", "98", "100", NULL};
    const char *const *tics = plot->options->narrow ? few : all;
    FILE *gp = plot->gp;
    fprintf(gp, "f(p) = -log10(1.002 - p) # stretches what is near 100 %%\n");
    fprintf(gp, "set xrange [f(%.6f):f(1)+0.06]\nset yrange [%.2f:0.6]\n",
            fmax(0, fmin(least, 0.9) - 0.01), 0.4 - (double)axes->row_count);
    fputs("set xtics (", gp);
    for (size_t i = 0; tics[i] != NULL; i++)
        fprintf(gp, "%s'%s %%%%' f(%s/100.0)", i > 0 ? ", " : "", tics[i], tics[i]);
    fputs(") font small\nset ytics noenhanced scale 0 (", gp);
    struct plot_names names = {.px = PLOT_NAME_PX, .least = plot->options->narrow ? 60 : 130};
    for (size_t r = 0; r < axes->row_count; r++) {
        plot_name(&names, axes->row[r]);
        fputs(r > 0 ? ", " : "", gp);
        plot_quote(gp, axes->row[r], true);
        fprintf(gp, " %d", -(int)r);
    }
    fputs(")\nset grid xtics lc rgb '#e4e4e4' lt 1 lw 1\n", gp);
    for (size_t r = 1; r < axes->row_count; r++)
        fprintf(gp,
                "set arrow from graph 0, first %.1f to graph 1, first %.1f nohead lc rgb "
                "'#eeeeee'\n",
                0.5 - (double)r, 0.5 - (double)r);
    write_margins(plot, &names, count);
}

static void write_marks(struct plot *plot, const struct axes *axes, size_t first, size_t count)
{
    FILE *gp = plot->gp;
    for (size_t v = 0; v < count; v++) {
        const struct plot_series *s = &plot_series[v];
        fputs(v == 0 ? "plot " : ", \\\n  ", gp);
        fprintf(gp,
                "'%s.dat' index %zu using ($2<0||$5<%d ? NaN : f($2)):1:(f($3)):(f($4)) with "
                "xerrorbars pt %d ps 1 lw 1.6 lc rgb '%s' title ",
                plot->name, v, PLOT_THIN, s->point, s->colour);
        plot_quote(gp, axes->variant[first + v], false);
        fprintf(gp,
                ", \\\n  '' index %zu using ($2<0||$5>=%d ? NaN : f($2)):1:(f($3)):(f($4)) with "
                "xerrorbars pt %d ps 1 lw 1.6 dt (4,3) lc rgb '%s' notitle",
                v, PLOT_THIN, s->hollow, s->colour);
        fprintf(gp,
                ", \\\n  '' index %zu using (f(1)+0.06):1:6 with labels left offset 0.8,0 "
                "tc rgb '#555555' font small noenhanced notitle",
                v);
    }
    fputc('\n', gp);
}

void plot_success(struct plot *plot)
{
    struct groups groups;
    char caption[400];
    if (!plot_groups(plot, "variant,fault", &groups)) {
        groups_free(&groups);
        return;
    }
    struct axes axes = find_axes(&groups);
    for (size_t first = 0; first < axes.variant_count; first += PLOT_SERIES_MAX) {
        size_t count = axes.variant_count - first;
        count = count > PLOT_SERIES_MAX ? PLOT_SERIES_MAX : count;
        unsigned height = 110 + 20 * (unsigned)(count * axes.row_count);
        if (plot->options->narrow)
            height = 80 + NARROW_KEY_PX * (unsigned)count + 18 * (unsigned)(count * axes.row_count);
        caption_of(&groups, &axes, first, caption, sizeof(caption));
        if (!plot_begin(plot, "success", height < 170 ? 170 : height, "Which promises hold?",
                        caption))
            break;
        double least = write_data(plot, &groups, &axes, first, count);
        write_axes(plot, &axes, count, least);
        write_marks(plot, &axes, first, count);
        plot_end(plot);
    }
    groups_free(&groups);
}
