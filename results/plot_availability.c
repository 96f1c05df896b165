/*
 * availability: how much of the time did all of the stack serve? Of trials over calendar time, a
 * row a fault and variant: the share of the time as a dot with its 95 % interval, on an axis of
 * nines; a row that was never down stands at the right edge, hollow.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "results/plot_private.h"
#include "results/years.h"

#define ROWS_MAX 20
#define ROW_PX 26
#define RIGHT_PX 640
#define NINES_MAX 7.0   /* 3 s a year: what is down for less stands there */
#define EDGE_SHARE 0.16 /* of the axis: room for the words at its right end */

struct row {
    const struct group *group;
    struct years years;
};

/* 0.99 is 2, 0.999 is 3. */
static double nines(double share)
{
    return fmin(-log10(fmax(1 - share, 1e-12)), NINES_MAX);
}

/* y, nines, their interval, and the text; a row never down has `edge`. Returns nothing. */
static void write_rows(struct plot *plot, const struct row *rows, size_t count, double edge)
{
    fputs("# y nines low high never_down text\n", plot->dat);
    for (size_t i = 0; i < count; i++) {
        const struct years *y = &rows[i].years;
        struct years_texts t;
        bool never = y->available >= 1, bounded = !isnan(y->available_interval.low);
        double at = never ? edge : nines(y->available);
        years_texts(y, &t);
        fprintf(plot->dat, "%.1f %.5f %.5f %.5f %d ", -(double)i, at,
                bounded ? nines(y->available_interval.low) : at,
                bounded ? fmin(nines(y->available_interval.high), edge) : at, never);
        plot_data_text(plot->dat, t.available);
        fputc('\n', plot->dat);
    }
}

/* 99 %, 99.9 %, ...; of a short axis 99.5 % and 99.8 % too, of a long one every second. */
static void write_tics(FILE *gp, double low, double edge)
{
    bool close = edge - low < 2.5;
    bool far = edge - low > 6;
    double end = edge - EDGE_SHARE * (edge - low);
    for (int k = 0; k <= (int)NINES_MAX; k += far ? 2 : 1)
        for (int m = 10; m > 1; m = m == 10 ? 5 : m == 5 ? 2 : 1) {
            double share = 1 - m * pow(10, -k - 1);
            if (nines(share) >= low && nines(share) < end && (close || m == 10))
                fprintf(gp, "'%.9g %%%%' %.4f, ", 100 * share, nines(share));
        }
}

static void write_script(struct plot *plot, const struct row *rows, size_t count, double low,
                         double edge)
{
    FILE *gp = plot->gp;
    struct plot_names names = {.px = PLOT_SMALL_NAME_PX, .least = 150};
    fprintf(gp, "set xrange [%.4f:%.4f]\nset yrange [%.1f:0.6]\nset xtics (", low, edge + 0.1,
            0.4 - (double)count);
    write_tics(gp, low, edge);
    fprintf(gp, "'never down' %.4f) font small\nset ytics noenhanced font small scale 0 (", edge);
    for (size_t i = 0; i < count; i++)
        plot_row_tic(plot, &names, i, rows[i].group->by[1], rows[i].group->by[0]);
    fprintf(
        gp,
        ")\nset grid xtics lc rgb '#e4e4e4' lt 1 lw 1\nset lmargin at screen %.4f\nset rmargin "
        "at screen %.4f\nset tmargin at screen %.4f\nset bmargin at screen %.4f\nset bars 0.6\n",
        PLOT_X(plot_names_left(plot, &names)), PLOT_X(RIGHT_PX), plot_y(plot, 54),
        34.0 / plot->height);
    fprintf(
        gp,
        "plot '%s.dat' using ($5==0?$2:NaN):1:3:4 with xerrorbars pt 7 ps 0.9 lw 2 lc rgb "
        "'#0072b2' notitle, \\\n  '' using ($5==1?$2:NaN):1 with points pt 6 ps 0.9 lw 2 lc rgb "
        "'#0072b2' notitle, \\\n  '' using (%.4f):1:6 with labels left offset 0.8,0 font small "
        "tc rgb '#222222' noenhanced notitle\n",
        plot->name, edge + 0.1);
}

static void draw(struct plot *plot, const struct row *rows, size_t count)
{
    double low = INFINITY, high = 0;
    char caption[400], a[TEXT_SHORT_BYTES], hours[TEXT_SHORT_BYTES];
    size_t worst = 0;
    for (size_t i = 0; i < count; i++) {
        const struct years *y = &rows[i].years;
        bool bounded = !isnan(y->available_interval.low);
        low = fmin(low, nines(bounded ? y->available_interval.low : y->available));
        if (y->available < 1)
            high = fmax(high, nines(bounded ? y->available_interval.high : y->available));
        worst = y->available < rows[worst].years.available ? i : worst;
    }
    const struct years *y = &rows[worst].years;
    double down_hours = (1 - y->available) * 8760;
    if (down_hours < 100)
        snprintf(hours, sizeof(hours), "%.3g", down_hours);
    else
        text_count(hours, (uint64_t)llround(down_hours));
    snprintf(caption, sizeof(caption), "Least: %s of %s, %s in %.4g years, %s hours a year down.",
             rows[worst].group->by[1], rows[worst].group->by[0], years_percent(a, y->available),
             y->years, hours);
    if (!plot_begin(plot, "availability", 96 + ROW_PX * (unsigned)count,
                    "How much of the time did all of it serve?", caption))
        return;
    double edge = floor(high) + 1.4;
    write_rows(plot, rows, count, edge);
    write_script(plot, rows, count, fmax(0, fmin(low, high) - 0.15), edge);
    plot_end(plot);
}

void plot_availability(struct plot *plot)
{
    struct groups groups;
    if (plot_groups(plot, "variant,fault", &groups)) {
        struct row *rows = calloc(groups.count + 1, sizeof(*rows));
        const struct group **order = calloc(groups.count + 1, sizeof(*order));
        ASSERT(rows != NULL && order != NULL);
        size_t count = 0, ordered = groups_by_fault(&groups, order);
        bool down = false;
        for (size_t i = 0; i < ordered; i++)
            if (years_of(order[i], &rows[count].years)) {
                down = down || rows[count].years.available < 1;
                rows[count++].group = order[i];
            }
        for (size_t first = 0; first < count && down && plot->code == 0; first += ROWS_MAX)
            draw(plot, rows + first, count - first > ROWS_MAX ? ROWS_MAX : count - first);
        free(order);
        free(rows);
    }
    groups_free(&groups);
}
