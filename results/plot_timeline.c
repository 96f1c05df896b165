/*
 * timeline: what did users feel? A picture a workload and fault, a panel a variant: latency by the
 * end of the operation, in time from the fault; median thick, 99th percentile thin. The outage (its
 * median over trials) is shaded, and so is the time after it until the median is normal again.
 *
 * The file adds operations up on a log-linear grid (samples.h); here they are added up once more
 * into DISPLAY_BINS columns of equal width, and a column without an operation is a gap, not a line.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "results/plot_private.h"
#include "results/samples.h"
#include "results/text.h"

#define DISPLAY_BINS 110
#define PANELS_MAX 4
#define PANEL_PX 150
#define SLOW_FACTOR 1.5   /* the median is normal again below this times the one before the fault */
#define SCALE_MIN_NS 20e6 /* the picture spans at least some of these: the grid is of whole ms */
#define SCALE_MAX_NS 20e9 /* a recovery longer than this does not widen the picture */

/* Operations of one panel by display column and latency bin. */
struct panel {
    const struct group *group;
    double outage_ns; /* median over trials; NAN: no outage */
    struct interval outage_interval;
    double *column[DISPLAY_BINS]; /* counts by latency bin, SAMPLES_BINS each */
    double total[DISPLAY_BINS];
    double before[SAMPLES_BINS]; /* counts before the fault */
    double before_total;
    double normal_ns; /* end of the slow phase; NAN: not within the picture */
};

struct span {
    double from_ns, to_ns;
    double unit_ns; /* of the x axis: a ms or a s */
};

static double column_start(struct span span, size_t column)
{
    return span.from_ns + (span.to_ns - span.from_ns) * (double)column / DISPLAY_BINS;
}

/* The latency below which a share p of the counted operations lies; the middle of its bin. */
static double quantile_of(const double *counts, double total, double p)
{
    double below = 0;
    for (uint32_t bin = 0; bin < SAMPLES_BINS; bin++) {
        below += counts[bin];
        if (counts[bin] > 0 && below >= total * p) /* timeline bins are 4 wide */
            return sqrt((double)samples_bin_low_ns(bin) * (double)samples_bin_low_ns(bin + 4));
    }
    return NAN;
}

/* Adds the file's counts of a grid bucket to the columns that it overlaps, by overlap. */
static void spread(struct panel *panel, struct span span, double start_ns, double end_ns,
                   uint32_t bin, double n)
{
    double width = (span.to_ns - span.from_ns) / DISPLAY_BINS;
    double from = (start_ns - span.from_ns) / width, to = (end_ns - span.from_ns) / width;
    for (double at = fmax(0, floor(from)); at < to && at < DISPLAY_BINS; at++) {
        double share = (fmin(to, at + 1) - fmax(from, at)) / (to - from);
        panel->column[(size_t)at][bin] += n * share;
        panel->total[(size_t)at] += n * share;
    }
}

static void load_panel(struct plot *plot, struct panel *panel, struct span span)
{
    sqlite3_stmt *s = rows_query(
        plot->db, "SELECT bucket, bin, n FROM bin WHERE kind = 3 AND cell = ? ORDER BY bucket, bin",
        plot->error);
    sqlite3_bind_int64(s, 1, panel->group->cell);
    for (size_t i = 0; i < DISPLAY_BINS; i++) {
        panel->column[i] = calloc(SAMPLES_BINS, sizeof(double));
        ASSERT(panel->column[i] != NULL);
    }
    while (rows_next(s, plot->error)) {
        int bucket = sqlite3_column_int(s, 0), bin = sqlite3_column_int(s, 1);
        double n = sqlite3_column_double(s, 2);
        if (bin < 0 || bin >= SAMPLES_BINS || abs(bucket) >= SAMPLES_BINS)
            continue;
        if (bucket < 0) {
            panel->before[bin] += n;
            panel->before_total += n;
        }
        spread(panel, span, (double)samples_bucket_start_ns(bucket),
               (double)samples_bucket_start_ns(bucket + 1), (uint32_t)bin, n);
    }
    sqlite3_finalize(s);
}

/* The end of the first column after the outage from which on two in a row are normal. */
static void find_normal(struct panel *panel, struct span span)
{
    double usual = quantile_of(panel->before, panel->before_total, 0.5);
    unsigned calm = 0;
    panel->normal_ns = NAN;
    if (isnan(usual) || isnan(panel->outage_ns))
        return;
    for (size_t i = 0; i < DISPLAY_BINS && isnan(panel->normal_ns); i++) {
        if (column_start(span, i) < panel->outage_ns || panel->total[i] < 1)
            continue;
        calm = quantile_of(panel->column[i], panel->total[i], 0.5) <= SLOW_FACTOR * usual ? calm + 1
                                                                                          : 0;
        if (calm == 2)
            panel->normal_ns = column_start(span, i);
    }
}

/* Returns whether there was anything to write. */
static bool write_panel(struct plot *plot, const struct panel *panel, struct span span)
{
    bool any = false;
    fputs("# middle_of_column median_ns p99_ns operations of ", plot->dat);
    plot_data_text(plot->dat, panel->group->by[0]);
    fputc('\n', plot->dat);
    unsigned empty = 0;
    for (size_t i = 0; i < DISPLAY_BINS; i++) {
        if (panel->total[i] <= 0) {
            if (empty++ == 1) /* one column alone is chance, two are a gap */
                fputc('\n', plot->dat);
            continue;
        }
        empty = 0;
        any = true;
        double middle_ns = (column_start(span, i) + column_start(span, i + 1)) / 2;
        fprintf(plot->dat, "%.6f %.0f %.0f %.1f\n", middle_ns / span.unit_ns,
                quantile_of(panel->column[i], panel->total[i], 0.5),
                quantile_of(panel->column[i], panel->total[i], 0.99), panel->total[i]);
    }
    if (!any)
        fputs("0 1 1 0\n", plot->dat); /* off the axis: an empty block would fail */
    fputs("\n\n", plot->dat);
    return any;
}

static void draw_shades(struct plot *plot, const struct panel *panel, struct span span)
{
    FILE *gp = plot->gp;
    double end = panel->outage_ns / span.unit_ns;
    fputs("unset object\nunset label 1\nunset arrow\n", gp);
    if (end > 0) {
        double slow = (isnan(panel->normal_ns) ? span.to_ns : panel->normal_ns) / span.unit_ns;
        fprintf(gp,
                "set object 1 rectangle from first 0, graph 0 to first %.6f, graph 1 fc rgb "
                "'#f6d5cc' fs solid noborder behind\n",
                end);
        if (slow > end && panel->before_total > 0)
            fprintf(gp,
                    "set object 2 rectangle from first %.6f, graph 0 to first %.6f, graph 1 fc rgb "
                    "'#eef3f8' fs solid noborder behind\n",
                    end, slow);
    }
    fputs("set arrow 1 from first 0, graph 0 to first 0, graph 1 nohead lc rgb '#c01030' lw 1.5\n"
          "set label 1 ",
          gp);
    plot_quote(gp, panel->group->by[0], false);
    fputs(" at graph 0.008, graph 0.9 left noenhanced boxed tc rgb '#222222' front\n", gp);
}

static void draw_panel(struct plot *plot, const struct panel *panel, struct span span, size_t index,
                       size_t count)
{
    FILE *gp = plot->gp;
    double top = 66 + (double)index * PANEL_PX, bottom = top + PANEL_PX - 12;
    draw_shades(plot, panel, span);
    fprintf(gp, "set tmargin at screen %.4f\nset bmargin at screen %.4f\n", plot_y(plot, top),
            plot_y(plot, bottom));
    if (index + 1 == count)
        fprintf(gp,
                "set xtics auto\nset format x '%%g'\nset xlabel '%s from the fault' font small tc "
                "rgb '#555555' offset 0,0.85\n",
                span.unit_ns < 1e9 ? "ms" : "s");
    else
        fputs("set format x ''\nunset xlabel\n", gp);
    fprintf(gp,
            "plot '%s.dat' index %zu using 1:3 with lines lw 1 lc rgb '#d55e00' title '99th "
            "percentile', \\\n  '' index %zu using 1:2 with lines lw 3 lc rgb '#0072b2' title "
            "'median operation'\nunset key\n",
            plot->name, index, index);
    if (index == 0) /* title and caption are the first panel's; the next must not repeat them */
        fputs("unset label 98\nunset label 99\n", gp);
}

static void draw_picture(struct plot *plot, const struct panel *panels, size_t count,
                         struct span span)
{
    FILE *gp = plot->gp;
    bool any[PANELS_MAX];
    for (size_t i = 0; i < count; i++)
        any[i] = write_panel(plot, &panels[i], span);
    fprintf(gp,
            "set style textbox opaque fillcolor rgb '#ffffff' noborder\nset multiplot\n"
            "set lmargin at screen %.4f\nset rmargin at screen %.4f\n",
            PLOT_X(76), PLOT_X(864));
    fprintf(gp, "set xrange [%.6f:%.6f]\nset logscale y\n", span.from_ns / span.unit_ns,
            span.to_ns / span.unit_ns);
    plot_time_tics(gp, "y", 1, 1e12);
    fputs("set ytics font small\nset xtics font small\nset grid ytics lc rgb '#e4e4e4' lt 1 lw 1\n",
          gp);
    fprintf(gp, "set key at screen %.4f,%.4f right center horizontal font small\n", PLOT_X(866),
            plot_y(plot, 56));
    for (size_t i = 0; i < count; i++) {
        fputs(any[i] ? "set yrange [*:*]\n" : "set yrange [1e3:1e9]\n", gp);
        draw_panel(plot, &panels[i], span, i, count);
    }
    fputs("unset multiplot\n", gp);
}

/* The caption: the first panel's outage and when it was over. */
static void caption_of(const struct panel *panel, char *room, size_t bytes)
{
    char a[TEXT_SHORT_BYTES], b[TEXT_SHORT_BYTES], c[TEXT_SHORT_BYTES], d[TEXT_SHORT_BYTES];
    const char *name = panel->group->by[0];
    if (isnan(panel->outage_ns) || panel->outage_ns <= 0)
        snprintf(room, bytes, "%s: no operation waited because of the fault.", name);
    else if (isnan(panel->normal_ns))
        snprintf(room, bytes, "%s: the longest wait of a trial had median %s [%s, %s].", name,
                 text_time(a, panel->outage_ns), text_time(b, panel->outage_interval.low),
                 text_time(c, panel->outage_interval.high));
    else
        snprintf(room, bytes,
                 "%s: the longest wait of a trial had median %s [%s, %s]; normal speed after %s.",
                 name, text_time(a, panel->outage_ns), text_time(b, panel->outage_interval.low),
                 text_time(c, panel->outage_interval.high), text_time(d, panel->normal_ns));
}

/* From before the fault to well after it, in terms of the longest median outage or recovery. */
static struct span span_of(struct plot *plot, const struct panel *panels, size_t count)
{
    double longest = SCALE_MIN_NS, first = 0, last = 0;
    for (size_t i = 0; i < count; i++) {
        double recovery_ns = group_quantile(&panels[i].group->recovery, 0.5);
        if (panels[i].outage_ns > longest)
            longest = panels[i].outage_ns;
        if (recovery_ns > longest)
            longest = fmin(recovery_ns, fmax(longest, SCALE_MAX_NS));
        sqlite3_stmt *s = rows_query(
            plot->db, "SELECT min(start_ns), max(start_ns) FROM bin WHERE kind = 3 AND cell = ?",
            plot->error);
        sqlite3_bind_int64(s, 1, panels[i].group->cell);
        if (rows_next(s, plot->error)) {
            first = fmin(first, sqlite3_column_double(s, 0));
            last = fmax(last, sqlite3_column_double(s, 1));
        }
        sqlite3_finalize(s);
    }
    struct span span = {fmax(-1.5 * longest, first), fmin(5 * longest, last), 1e9};
    if (span.to_ns < longest * 1.2)
        span.to_ns = longest * 1.2;
    if (span.from_ns > -longest / 10)
        span.from_ns = -longest / 10;
    if (span.to_ns < 1.5e9)
        span.unit_ns = 1e6;
    return span;
}

static bool has_timeline(struct plot *plot, const struct group *group)
{
    sqlite3_stmt *s =
        rows_query(plot->db, "SELECT 1 FROM bin WHERE kind = 3 AND cell = ? LIMIT 1", plot->error);
    sqlite3_bind_int64(s, 1, group->cell);
    bool found = rows_next(s, plot->error);
    sqlite3_finalize(s);
    return found;
}

static void draw_cells(struct plot *plot, const struct group *const *groups, size_t count)
{
    static struct panel panels[PANELS_MAX];
    char caption[300], title[300];
    memset(panels, 0, sizeof(panels));
    for (size_t i = 0; i < count; i++) {
        panels[i].group = groups[i];
        panels[i].outage_ns = group_quantile(&groups[i]->outage, 0.5);
        panels[i].outage_interval =
            stats_quantile_interval(groups[i]->outage.ns, groups[i]->outage.count, 0.5, 0.05);
    }
    struct span span = span_of(plot, panels, count);
    for (size_t i = 0; i < count; i++) {
        load_panel(plot, &panels[i], span);
        find_normal(&panels[i], span);
    }
    caption_of(&panels[0], caption, sizeof(caption));
    snprintf(title, sizeof(title), "What did users feel? Latency around %s, %s", groups[0]->by[2],
             groups[0]->by[1]);
    if (plot_begin(plot, "timeline", 66 + PANEL_PX * (unsigned)count + 36, title, caption)) {
        draw_picture(plot, panels, count, span);
        plot_end(plot);
    }
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < DISPLAY_BINS; k++)
            free(panels[i].column[k]);
}

/* Whether the p-quantile of some design's trials waited: a fault that made nobody wait has no
 * picture. */
static bool made_wait(const struct group *const *panel, size_t count, double p)
{
    bool waited = false;
    for (size_t k = 0; k < count; k++) {
        double outage_ns = group_quantile(&panel[k]->outage, p);
        waited = waited || outage_ns > 0 || isnan(outage_ns);
    }
    return waited;
}

/* A picture for each workload and fault that made its p-quantile wait: all variants that have a
 * timeline there. */
static void draw_all(struct plot *plot, const struct groups *groups, double p)
{
    bool *drawn = calloc(groups->count + 1, sizeof(*drawn));
    ASSERT(drawn != NULL);
    for (size_t i = 0; i < groups->count; i++) {
        const struct group *panel[PANELS_MAX];
        size_t count = 0;
        for (size_t k = i; k < groups->count && !drawn[i] && count < PANELS_MAX; k++) {
            const struct group *g = &groups->group[k];
            if (drawn[k] || strcmp(g->by[1], groups->group[i].by[1]) != 0 ||
                strcmp(g->by[2], groups->group[i].by[2]) != 0)
                continue;
            if (k > i)
                drawn[k] = true;
            if (has_timeline(plot, g))
                panel[count++] = g;
        }
        if (made_wait(panel, count, p))
            draw_cells(plot, panel, count);
    }
    free(drawn);
}

void plot_timeline(struct plot *plot)
{
    struct groups groups;
    if (plot_groups(plot, "variant,workload,fault", &groups)) {
        /* A page has no room for all: first those that most trials felt. */
        if (plot->options->in_page)
            draw_all(plot, &groups, 0.5);
        if (plot->pictures_of_kind == 0)
            draw_all(plot, &groups, 0.99);
    }
    groups_free(&groups);
}
