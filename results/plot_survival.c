/*
 * survival: how long without loss? Of trials over calendar time, a picture for each workload and
 * fault plan: Kaplan-Meier's steps of each variant with their 95 % band, names and shares at the
 * ends of the lines, and below how many were still at risk. A trial without a loss is censored when
 * its calendar ends. Where nothing was lost at all the band is the exact one of 0 in so many.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "results/plot_private.h"
#include "results/stats_survival.h"
#include "results/text.h"

#define ALPHA 0.05
#define LEFT_PX 80
#define RIGHT_PX 690       /* where the plot ends, for names of some ten characters, */
#define RIGHT_LEAST_PX 460 /* and for the longest */
#define TOP_PX 60
#define PLOT_PX 300
#define RISK_PX 22  /* a line of the table of those at risk */
#define LABEL_PX 17 /* least distance of two names */
#define TICS_MAX 6  /* of the time, and columns of the table, with 0 */

struct curve {
    const char *name;
    struct survival_time *time; /* in ns */
    size_t count, room;
    uint64_t losses;
    double end_ns;
    struct survival_step *step;
    size_t steps;
};

struct picture {
    const char *workload, *fault;
    struct curve curve[PLOT_SERIES_MAX];
    size_t curves;
    double unit_ns, end;  /* of the axis, and its length in units */
    double tic[TICS_MAX]; /* places of it, 0 first and its end last */
    size_t tics;
    const char *unit;
    double bottom; /* least share shown */
    double right_px;
};

/* Trials over calendar time have an event `down`; what was lost has `loss`. */
static void load(struct plot *plot, const struct group *g, struct curve *c)
{
    const char *where = plot->options->where != NULL ? plot->options->where : "1";
    char *sql = sqlite3_mprintf(
        "SELECT t.exposure_ns, min(CASE WHEN e.what = 'loss' THEN e.time_ns END) FROM (SELECT * "
        "FROM trials WHERE (%s\n)) t JOIN events e ON e.trial = t.trial AND e.layer = 'calendar' "
        "WHERE t.variant = %Q AND t.workload = %Q AND t.fault = %Q AND t.injected = 1 "
        "GROUP BY t.trial ORDER BY t.trial",
        where, g->by[0], g->by[1], g->by[2]);
    sqlite3_stmt *s = rows_query(plot->db, sql, plot->error);
    sqlite3_free(sql);
    while (rows_next(s, plot->error)) {
        if (c->count == c->room) {
            c->room = c->room * 2 + 256;
            c->time = realloc(c->time, c->room * sizeof(c->time[0]));
            ASSERT(c->time != NULL);
        }
        bool lost = sqlite3_column_type(s, 1) != SQLITE_NULL;
        double end_ns = sqlite3_column_double(s, 0);
        double time_ns = lost ? sqlite3_column_double(s, 1) : end_ns;
        c->time[c->count++] = (struct survival_time){.time = time_ns, .censored = !lost};
        c->losses += lost;
        c->end_ns = fmax(c->end_ns, end_ns);
    }
    sqlite3_finalize(s);
    c->name = g->by[0];
}

static void estimate(struct curve *c)
{
    stats_survival_sort(c->time, c->count);
    c->step = calloc(c->count + 1, sizeof(c->step[0]));
    ASSERT(c->step != NULL);
    c->steps = stats_survival(c->time, c->count, ALPHA, c->step);
}

/* What is left at the end, and its interval. */
static double last_of(const struct curve *c, struct interval *interval)
{
    if (c->steps == 0) {
        *interval = stats_clopper_pearson(c->count, c->count, ALPHA);
        return 1;
    }
    const struct survival_step *s = &c->step[c->steps - 1];
    *interval = s->interval;
    if (s->survival <= 0) /* none is left: log(-log 0) has no interval */
        *interval = stats_clopper_pearson(0, c->count, ALPHA);
    return s->survival;
}

/* Round places, and the end. */
static void place_tics(struct picture *p)
{
    double step = 1e-6;
    for (int i = 0; p->end / step > TICS_MAX - 1; i++)
        step *= i % 3 == 1 ? 2.5 : 2; /* 1, 2, 5, 10, ... */
    p->tics = 0;
    for (double at = 0; at < p->end - step / 2 && p->tics < TICS_MAX - 1; at += step)
        p->tic[p->tics++] = at;
    p->tic[p->tics++] = p->end;
}

static void scale(struct picture *p)
{
    static const struct {
        double ns;
        const char *name;
    } units[] = {{365 * 86400e9, "years"}, {86400e9, "days"}, {3600e9, "hours"}, {1e9, "s"}};
    static const double bottoms[] = {0.99, 0.98, 0.95, 0.9, 0.8, 0.5};
    double end_ns = 0, low = 1;
    for (size_t k = 0; k < p->curves; k++) {
        struct interval last;
        (void)last_of(&p->curve[k], &last);
        low = fmin(low, last.low);
        end_ns = fmax(end_ns, p->curve[k].end_ns);
    }
    size_t u = 0;
    while (u + 1 < sizeof(units) / sizeof(units[0]) && end_ns < 2 * units[u].ns)
        u++;
    p->unit = units[u].name;
    p->unit_ns = units[u].ns;
    p->end = end_ns / units[u].ns;
    place_tics(p);
    p->bottom = 0;
    for (size_t k = 0; k < sizeof(bottoms) / sizeof(bottoms[0]) && p->bottom == 0; k++)
        if (bottoms[k] < low)
            p->bottom = bottoms[k];
}

/* Index k: the curve as steps, each place twice, so that the band has steps too. */
static void write_curve(struct plot *plot, const struct picture *p, const struct curve *c)
{
    struct interval last;
    (void)last_of(c, &last);
    double survival = 1, low = c->steps == 0 ? last.low : NAN, high = 1; /* no band as yet */
    fprintf(plot->dat, "# %s survival low high\n0 1 %.6f 1\n", p->unit, low);
    for (size_t k = 0; k < c->steps; k++) {
        const struct survival_step *s = &c->step[k];
        double x = s->time / p->unit_ns;
        struct interval i = s->survival > 0 ? s->interval : last;
        fprintf(plot->dat, "%.6f %.6f %.6f %.6f\n", x, survival, low, high);
        survival = s->survival;
        low = i.low;
        high = i.high;
        fprintf(plot->dat, "%.6f %.6f %.6f %.6f\n", x, survival, low, high);
    }
    fprintf(plot->dat, "%.6f %.6f %.6f %.6f\n\n\n", c->end_ns / p->unit_ns, survival, low, high);
}

/* Pixels from the top of a share. */
static double y_of(const struct picture *p, double share)
{
    return TOP_PX + PLOT_PX * (1 - (share - p->bottom) / (1 - p->bottom));
}

/* Where the names stand: beside the ends, moved apart where these are too near. */
static void place_names(const struct picture *p, double y[PLOT_SERIES_MAX])
{
    struct interval unused;
    size_t order[PLOT_SERIES_MAX];
    for (size_t k = 0; k < p->curves; k++) {
        y[k] = y_of(p, last_of(&p->curve[k], &unused));
        size_t at = k;
        for (; at > 0 && y[order[at - 1]] > y[k]; at--)
            order[at] = order[at - 1];
        order[at] = k;
    }
    for (size_t i = 1; i < p->curves; i++)
        y[order[i]] = fmax(y[order[i]], y[order[i - 1]] + LABEL_PX);
    double over = p->curves > 0 ? y[order[p->curves - 1]] - (TOP_PX + PLOT_PX) : 0;
    for (size_t i = p->curves; i-- > 0 && over > 0;) { /* back up from the bottom */
        double limit = i + 1 < p->curves ? y[order[i + 1]] - LABEL_PX : TOP_PX + PLOT_PX;
        y[order[i]] = fmin(y[order[i]], limit);
    }
}

/* "raid-5 82.5 % [66.8 %, 91.2 %]" */
static void end_text(const struct curve *c, char *text, size_t room)
{
    struct interval i;
    char a[TEXT_SHORT_BYTES], b[TEXT_SHORT_BYTES], d[TEXT_SHORT_BYTES];
    double last = last_of(c, &i);
    snprintf(text, room, "%.60s %s [%s, %s]", c->name, text_percent(a, last),
             text_percent(b, i.low), text_percent(d, i.high));
}

/* The names stand at the right of the plot. */
static void leave_room(struct picture *p)
{
    size_t longest = 0;
    for (size_t k = 0; k < p->curves; k++) {
        char text[200];
        end_text(&p->curve[k], text, sizeof(text));
        longest = text_width(text) > longest ? text_width(text) : longest;
    }
    double right_px = PLOT_WIDTH - 20 - PLOT_SMALL_NAME_PX * (double)longest;
    p->right_px = fmax(fmin(right_px, RIGHT_PX), RIGHT_LEAST_PX);
}

static void write_names(struct plot *plot, const struct picture *p)
{
    double y[PLOT_SERIES_MAX];
    place_names(p, y);
    for (size_t k = 0; k < p->curves; k++) {
        char text[200];
        end_text(&p->curve[k], text, sizeof(text));
        fputs("set label ", plot->gp);
        plot_quote(plot->gp, text, false);
        fprintf(plot->gp, " at screen %.4f,%.4f left font small tc rgb '#222222' noenhanced\n",
                PLOT_X(p->right_px + 8), plot_y(plot, y[k]));
    }
}

/* "raid-5, lost in 3.6 [2.1, 6.8] years": the mean time to data loss if its rate is constant. */
static void mean_text(const struct curve *c, char *text, size_t room)
{
    double years = 0;
    for (size_t i = 0; i < c->count; i++)
        years += c->time[i].time / (365 * 86400e9);
    struct interval rate = stats_rate_interval(c->losses, fmax(years, 1e-9), ALPHA);
    if (c->losses == 0)
        snprintf(text, room, "%.40s, > %.3g years", c->name, 1 / rate.high);
    else
        snprintf(text, room, "%.40s, %.3g [%.3g, %.3g]", c->name, years / (double)c->losses,
                 1 / rate.high, 1 / rate.low);
}

static void write_risk(struct plot *plot, const struct picture *p)
{
    char text[120];
    fprintf(plot->gp,
            "set label 'mean years to a loss [95 %%]' at screen %.4f,%.4f left font small tc rgb "
            "'#555555'\n",
            PLOT_X(p->right_px + 24), plot_y(plot, TOP_PX + PLOT_PX + 58));
    fprintf(plot->gp,
            "set label 'still at risk' at screen %.4f,%.4f left font small tc rgb '#555555'\n",
            PLOT_X(14), plot_y(plot, TOP_PX + PLOT_PX + 58));
    for (size_t k = 0; k < p->curves; k++) {
        const struct curve *c = &p->curve[k];
        double y = plot_y(plot, TOP_PX + PLOT_PX + 58 + RISK_PX * (double)(k + 1));
        for (size_t t = 0; t < p->tics; t++) {
            double share = p->tic[t] / p->end;
            uint64_t n = stats_survival_at_risk(c->time, c->count, p->tic[t] * p->unit_ns);
            fprintf(plot->gp,
                    "set label '%llu' at screen %.4f,%.4f center font small tc rgb '#222222'\n",
                    (unsigned long long)n, PLOT_X(LEFT_PX + share * (p->right_px - LEFT_PX)), y);
        }
        fputs("set label ", plot->gp);
        mean_text(c, text, sizeof(text));
        plot_quote(plot->gp, text, false);
        fprintf(plot->gp, " at screen %.4f,%.4f left font small tc rgb '#222222' noenhanced\n",
                PLOT_X(p->right_px + 24), y);
    }
}

static void write_script(struct plot *plot, const struct picture *p)
{
    FILE *gp = plot->gp;
    fprintf(gp,
            "set lmargin at screen %.4f\nset rmargin at screen %.4f\nset tmargin at screen "
            "%.4f\nset bmargin at screen %.4f\n",
            PLOT_X(LEFT_PX), PLOT_X(p->right_px), plot_y(plot, TOP_PX),
            plot_y(plot, TOP_PX + PLOT_PX));
    fprintf(gp, "set xrange [0:%.6f]\nset xtics (", p->end);
    for (size_t t = 0; t < p->tics; t++)
        fprintf(gp, "%s'%.4g' %.6f", t > 0 ? ", " : "", p->tic[t], p->tic[t]);
    fprintf(gp,
            ") font small\nset xlabel '%s' font small tc rgb '#555555' offset 0,0.8\nset yrange "
            "[%g:1]\nset ytics font small\nset format y '%%.3g%%%%'\nset ytics (",
            p->unit, p->bottom);
    for (int t = 0; t <= 5; t++) {
        double share = p->bottom + (1 - p->bottom) * t / 5;
        fprintf(gp, "%s'%.4g %%%%' %.6f", t > 0 ? ", " : "", share * 100, share);
    }
    fprintf(gp,
            ") font small\nset grid ytics lc rgb '#e4e4e4' lt 1\nset ylabel 'without loss%s' "
            "font small tc rgb '#555555' offset 2,0\n",
            p->bottom > 0 ? " (not from 0)" : "");
    write_names(plot, p);
    write_risk(plot, p);
    const char *gap = "plot";
    bool unhurt = false; /* all that lost nothing have about the same band: one is drawn */
    for (size_t k = 0; k < p->curves; k++) {
        bool lost = p->curve[k].losses > 0;
        if (!lost && unhurt)
            continue;
        unhurt = unhurt || !lost;
        fprintf(gp,
                "%s '%s.dat' index %zu using 1:3:4 with filledcurves fs transparent solid 0.18 "
                "noborder lc rgb '%s' notitle",
                gap, plot->name, k, plot_series[k].colour);
        gap = ", \\\n ";
    }
    for (size_t k = 0; k < p->curves; k++)
        fprintf(gp,
                ", \\\n  '%s.dat' index %zu using 1:2 with lines lw 2 dt %s lc rgb '%s' notitle",
                plot->name, k, plot_series[k].dash, plot_series[k].colour);
    fputs("\n", gp);
}

/* "After 10 years 60 % [55 %, 65 %] of stripes had lost nothing; best mirror, 98 %." */
static void write_caption(const struct picture *p, char *caption, size_t room)
{
    const struct curve *worst = &p->curve[0], *best = &p->curve[0];
    struct interval i, unused;
    char a[TEXT_SHORT_BYTES], b[TEXT_SHORT_BYTES], c[TEXT_SHORT_BYTES];
    for (size_t k = 1; k < p->curves; k++) {
        double last = last_of(&p->curve[k], &unused);
        worst = last < last_of(worst, &unused) ? &p->curve[k] : worst;
        best = last > last_of(best, &unused) ? &p->curve[k] : best;
    }
    double last = last_of(worst, &i);
    bool alike = best == worst && p->curves > 1;
    int at =
        snprintf(caption, room, "After %.4g %s %s [%s, %s] of %zu trials of %.60s had lost nothing",
                 p->end, p->unit, text_percent(a, last), text_percent(b, i.low),
                 text_percent(c, i.high), worst->count, alike ? "each variant" : worst->name);
    if (best == worst) {
        snprintf(caption + at, room - (size_t)at, ".");
        return;
    }
    struct log_rank r = stats_log_rank(worst->time, worst->count, best->time, best->count);
    snprintf(caption + at, room - (size_t)at, "; best %.60s with %s (log-rank p %.2g).", best->name,
             text_percent(a, last_of(best, &unused)), r.p);
}

static void draw(struct plot *plot, struct picture *p)
{
    char title[300], caption[400];
    if (p->curves == 0)
        return;
    for (size_t k = 0; k < p->curves; k++)
        estimate(&p->curve[k]);
    scale(p);
    leave_room(p);
    write_caption(p, caption, sizeof(caption));
    snprintf(title, sizeof(title), "How long without loss? %s, %s", p->workload, p->fault);
    if (plot_begin(plot, "survival", (unsigned)(TOP_PX + PLOT_PX + 74 + RISK_PX * p->curves), title,
                   caption)) {
        for (size_t k = 0; k < p->curves; k++)
            write_curve(plot, p, &p->curve[k]);
        write_script(plot, p);
        plot_end(plot);
    }
    for (size_t k = 0; k < p->curves; k++) {
        free(p->curve[k].time);
        free(p->curve[k].step);
    }
    p->curves = 0;
}

/* All variants of the workload and fault plan of group `first`. */
static void draw_plan(struct plot *plot, const struct groups *groups, size_t first)
{
    const struct group *of = &groups->group[first];
    struct picture p = {.workload = of->by[1], .fault = of->by[2]};
    for (size_t i = first; i < groups->count && plot->code == 0; i++) {
        const struct group *g = &groups->group[i];
        if (strcmp(g->by[1], p.workload) != 0 || strcmp(g->by[2], p.fault) != 0)
            continue;
        struct curve *c = &p.curve[p.curves];
        *c = (struct curve){0};
        load(plot, g, c);
        if (c->count == 0)
            continue; /* not over calendar time */
        if (++p.curves == PLOT_SERIES_MAX)
            draw(plot, &p);
    }
    draw(plot, &p);
}

void plot_survival(struct plot *plot)
{
    struct groups groups;
    (void)plot_groups(plot, "variant,workload,fault", &groups);
    for (size_t i = 0; i < groups.count && plot->code == 0; i++) {
        bool seen = false;
        for (size_t k = 0; k < i && !seen; k++)
            seen = strcmp(groups.group[k].by[1], groups.group[i].by[1]) == 0 &&
                   strcmp(groups.group[k].by[2], groups.group[i].by[2]) == 0;
        if (!seen)
            draw_plan(plot, &groups, i);
    }
    groups_free(&groups);
}
