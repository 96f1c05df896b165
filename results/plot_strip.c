/*
 * recovery and loss: how long until full service, how much work was lost? A strip a fault and
 * variant: every injected trial a grey dot, the median with its 95 % interval in blue with its
 * number, the 99th percentile a tick; x logarithmic. Zeros, which have no logarithm, stand in a
 * lane "none" at the left.
 */
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "results/plot_private.h"
#include "results/text.h"

#define STRIPS_MAX 16 /* a picture */
#define DOTS_MAX 500  /* a picture: more are thinned evenly, and the caption says so */
#define STRIP_PX 34

struct strips {
    const char *kind, *title, *none; /* none: what a zero means */
    size_t time_at;                  /* offset of the times in struct group */
};

static const struct group_times *times_of(const struct strips *what, const struct group *g)
{
    return (const struct group_times *)(const void *)((const char *)g + what->time_at);
}

/* How many are 0; sorted, so they come first. Values never reached are infinite and come last. */
static size_t zeros_of(const struct group_times *times)
{
    size_t zeros = 0;
    while (zeros < times->count && times->ns[zeros] <= 0)
        zeros++;
    return zeros;
}

static size_t reached_of(const struct group_times *times)
{
    size_t reached = times->count;
    while (reached > 0 && isinf(times->ns[reached - 1]))
        reached--;
    return reached;
}

/* A fixed scatter in [-1/2, 1/2) by the place in the order: pictures of equal data are equal. */
static double jitter(size_t i)
{
    uint32_t x = ((uint32_t)i + 1) * UINT32_C(2654435769);
    x = (x ^ (x >> 15)) * UINT32_C(2246822519);
    return (double)(x >> 8) / (double)(1u << 24) - 0.5;
}

/* x of a value: its own, or within the lane of zeros, which is a decade left of the smallest. */
static double place(double value_ns, double lane_ns, size_t i)
{
    return value_ns > 0 ? value_ns : lane_ns * pow(10, 0.5 * jitter(i * 7 + 3));
}

static void write_dots(struct plot *plot, const struct group_times *times, double y, double lane_ns,
                       size_t dots_max)
{
    size_t reached = reached_of(times), step = (reached + dots_max - 1) / dots_max;
    fputs("# x_ns y\n", plot->dat);
    for (size_t i = 0; i < reached; i += step)
        fprintf(plot->dat, "%.0f %.4f\n", place(times->ns[i], lane_ns, i), y + 0.55 * jitter(i));
    fputs("\n\n", plot->dat);
}

/* "64 ms [31 ms, 112 ms]; of 40: 10 none, 2 never". */
static void summary_text(const struct group_times *times, const char *none, char *text,
                         size_t bytes)
{
    char a[TEXT_SHORT_BYTES], b[TEXT_SHORT_BYTES], c[TEXT_SHORT_BYTES];
    size_t zeros = zeros_of(times), never = times->count - reached_of(times), at = 0;
    double median = stats_quantile(times->ns, times->count, 0.5);
    struct interval i = stats_quantile_interval(times->ns, times->count, 0.5, 0.05);
    if (!isfinite(median))
        at += (size_t)snprintf(text, bytes, "mostly never");
    else
        at += (size_t)snprintf(text, bytes, "%s [%s, %s]", median > 0 ? text_time(a, median) : none,
                               i.low > 0 ? text_time(b, i.low) : "0",
                               isfinite(i.high) ? text_time(c, i.high) : "never");
    if (zeros + never > 0)
        at += (size_t)snprintf(text + at, bytes - at, "; of %zu:", times->count);
    if (zeros > 0)
        at +=
            (size_t)snprintf(text + at, bytes - at, " %zu %s%s", zeros, none, never > 0 ? "," : "");
    if (never > 0)
        snprintf(text + at, bytes - at, " %zu never", never);
}

/* The summary of a strip as x y low high p99, its text and its trials. */
static void write_summary(struct plot *plot, const struct group_times *times, double y,
                          double lane_ns, const char *none)
{
    char text[160];
    double median = stats_quantile(times->ns, times->count, 0.5);
    double p99 = stats_quantile(times->ns, times->count, 0.99);
    struct interval i = stats_quantile_interval(times->ns, times->count, 0.5, 0.05);
    summary_text(times, none, text, sizeof(text));
    double low = place(fmax(i.low, 0), lane_ns, 0), middle = place(median, lane_ns, 0);
    fprintf(plot->dat, "%.0f %.4f %.0f %.0f %.0f ", isfinite(median) ? middle : -1, y,
            fmin(low, middle), isfinite(i.high) ? place(i.high, lane_ns, 0) : middle,
            isfinite(p99) ? place(p99, lane_ns, 0) : -1);
    plot_data_text(plot->dat, text);
    fprintf(plot->dat, " %zu\n", times->count);
}

static void write_script(struct plot *plot, const struct group *const *strip, size_t count,
                         double low_ns, double high_ns, double lane_ns, const char *none)
{
    FILE *gp = plot->gp;
    fprintf(gp, "set logscale x\nset xrange [%g:%g]\nset yrange [%.1f:0.6]\n", low_ns, high_ns,
            0.4 - (double)count);
    plot_time_tics(gp, "x",
                   lane_ns > 0 ? lane_ns * pow(10, 0.32) * pow(high_ns / lane_ns, 0.06) : low_ns,
                   high_ns); /* the lane's own name has room */
    if (lane_ns > 0) {
        fprintf(gp, "set xtics add ('%s' %g)\n", none, lane_ns);
        fprintf(gp,
                "set arrow from first %g, graph 0 to first %g, graph 1 nohead lc rgb "
                "'#888888' dt (3,3)\n",
                lane_ns * pow(10, 0.32), lane_ns * pow(10, 0.32));
    }
    fputs("set xtics font small\nset grid xtics lc rgb '#e4e4e4' lt 1 lw 1\nset ytics noenhanced "
          "font small scale 0 (",
          gp);
    struct plot_names names = {.px = PLOT_SMALL_NAME_PX, .least = 170};
    for (size_t i = 0; i < count; i++)
        plot_row_tic(plot, &names, i, strip[i]->by[1], strip[i]->by[0]);
    fprintf(gp,
            ")\nset lmargin at screen %.4f\nset rmargin at screen %.4f\nset tmargin at screen "
            "%.4f\nset bmargin at screen %.4f\nset bars 0.6\n",
            PLOT_X(plot_names_left(plot, &names)), PLOT_X(590), plot_y(plot, 56),
            34.0 / plot->height);
    for (size_t i = 0; i < count; i++)
        fprintf(gp,
                "%s'%s.dat' index %zu using 1:2 with points pt 7 ps 0.35 lc rgb '#b8bcc2' notitle, "
                "\\\n",
                i == 0 ? "plot " : "  ", plot->name, i);
    fprintf(gp,
            "  '' index %zu using ($5>0?$5:NaN):2 with points pt '|' tc rgb '#0072b2' notitle, \\\n"
            "  '' index %zu using ($1>0&&$7>=%d?$1:NaN):2:3:4 with xerrorbars pt 7 ps 0.9 lw 2 lc "
            "rgb '#0072b2' notitle, \\\n"
            "  '' index %zu using ($1>0&&$7<%d?$1:NaN):2:3:4 with xerrorbars pt 6 ps 0.9 lw 2 dt "
            "(4,3) lc rgb '#0072b2' notitle, \\\n"
            "  '' index %zu using (%g):2:6 with labels left offset 0.8,0 font small tc rgb "
            "'#222222' noenhanced notitle\n",
            count, count, PLOT_THIN, count, PLOT_THIN, count, high_ns);
}

static void draw(struct plot *plot, const struct strips *what, const struct group *const *strip,
                 size_t count)
{
    double least = INFINITY, most = 0;
    bool zeros = false, thinned = false;
    char caption[400], p99[TEXT_SHORT_BYTES], summary[160];
    for (size_t i = 0; i < count; i++) {
        const struct group_times *t = times_of(what, strip[i]);
        size_t zero = zeros_of(t), reached = reached_of(t);
        zeros = zeros || zero > 0;
        thinned = thinned || reached > DOTS_MAX / count;
        if (reached > zero) {
            least = fmin(least, t->ns[zero]);
            most = fmax(most, t->ns[reached - 1]);
        }
    }
    if (!(most > 0))
        return; /* all zero or never: nothing that an axis could show */
    double low_ns = least / 1.4, high_ns = most * 1.3;
    double lane_ns = zeros ? low_ns / 2.5 : 0;
    const struct group_times *first = times_of(what, strip[0]);
    double last = group_quantile(first, 0.99);
    summary_text(first, what->none, summary, sizeof(summary));
    snprintf(caption, sizeof(caption), "%s, %s: median %s; p99 %s.%s", strip[0]->by[0],
             strip[0]->by[1], summary, isfinite(last) ? text_time(p99, last) : "never",
             thinned ? " Dots are thinned." : "");
    if (!plot_begin(plot, what->kind, 100 + STRIP_PX * (unsigned)count, what->title, caption))
        return;
    for (size_t i = 0; i < count; i++)
        write_dots(plot, times_of(what, strip[i]), -(double)i, lane_ns, DOTS_MAX / count);
    fputs("# median_ns y low_ns high_ns p99_ns text trials\n", plot->dat);
    for (size_t i = 0; i < count; i++)
        write_summary(plot, times_of(what, strip[i]), -(double)i, lane_ns, what->none);
    write_script(plot, strip, count, zeros ? low_ns / 5 : low_ns, high_ns, lane_ns, what->none);
    plot_end(plot);
}

/* Those with a time, by fault. */
static size_t gather(const struct strips *what, const struct groups *groups,
                     const struct group **out)
{
    size_t count = 0, all = groups_by_fault(groups, out);
    for (size_t i = 0; i < all; i++) {
        const struct group_times *t = times_of(what, out[i]);
        if (reached_of(t) > zeros_of(t))
            out[count++] = out[i];
    }
    return count;
}

static void plot_strips(struct plot *plot, const struct strips *what)
{
    struct groups groups;
    if (!plot_groups(plot, "variant,fault", &groups)) {
        groups_free(&groups);
        return;
    }
    const struct group **strip = calloc(groups.count + 1, sizeof(const struct group *));
    ASSERT(strip != NULL);
    size_t count = gather(what, &groups, strip);
    for (size_t first = 0; first < count; first += STRIPS_MAX)
        draw(plot, what, strip + first, count - first > STRIPS_MAX ? STRIPS_MAX : count - first);
    free(strip);
    groups_free(&groups);
}

void plot_recovery(struct plot *plot)
{
    static const struct strips what = {"recovery", "How long until full service?", "at once",
                                       offsetof(struct group, recovery)};
    plot_strips(plot, &what);
}

void plot_loss(struct plot *plot)
{
    static const struct strips what = {"loss", "How much work, in time, was lost?", "none",
                                       offsetof(struct group, rpo)};
    plot_strips(plot, &what);
}
