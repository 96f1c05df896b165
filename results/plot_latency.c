/*
 * latency: how bad is the tail? A picture a variant: the share of its operations that took longer
 * than t, both axes logarithmic, a line for the time before, during and after the outages of all
 * its trials. A line ends where fewer than OPERATIONS_MIN operations are left.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "results/plot_private.h"
#include "results/samples.h"
#include "results/text.h"

#define OPERATIONS_MIN 5

struct curves {
    double count[PHASE_COUNT][SAMPLES_BINS];
    double total[PHASE_COUNT];
};

static void add_cell(struct plot *plot, int64_t cell, struct curves *curves)
{
    sqlite3_stmt *s = rows_query(
        plot->db, "SELECT kind, bin, n FROM bin WHERE cell = ? AND kind < 3", plot->error);
    sqlite3_bind_int64(s, 1, cell);
    while (rows_next(s, plot->error)) {
        int phase = sqlite3_column_int(s, 0), bin = sqlite3_column_int(s, 1);
        if (phase < 0 || phase >= PHASE_COUNT || bin < 0 || bin >= SAMPLES_BINS)
            continue;
        curves->count[phase][bin] += sqlite3_column_double(s, 2);
        curves->total[phase] += sqlite3_column_double(s, 2);
    }
    sqlite3_finalize(s);
}

/* The latency that a share p of operations exceeds; NAN where too few would be left. */
static double exceeded(const struct curves *curves, int phase, double p)
{
    double above = 0;
    if (curves->total[phase] * p < OPERATIONS_MIN)
        return NAN;
    for (uint32_t bin = SAMPLES_BINS; bin-- > 0;) {
        above += curves->count[phase][bin];
        if (above >= curves->total[phase] * p)
            return (double)samples_bin_low_ns(bin);
    }
    return NAN;
}

/* Blocks of t_ns and share above it, a phase each. */
static void write_curves(struct plot *plot, const struct curves *curves)
{
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        if (curves->total[phase] < OPERATIONS_MIN)
            continue;
        double above = curves->total[phase];
        fprintf(plot->dat, "# t_ns share_above, %s\n", phase_name((enum phase)phase));
        for (uint32_t bin = 0; bin < SAMPLES_BINS; bin++) {
            if (curves->count[phase][bin] <= 0)
                continue;
            if (above < OPERATIONS_MIN)
                break;
            fprintf(plot->dat, "%.0f %.8f\n", fmax(1, (double)samples_bin_low_ns(bin)),
                    above / curves->total[phase]);
            above -= curves->count[phase][bin];
        }
        fputs("\n\n", plot->dat);
    }
}

static void write_script(struct plot *plot, const struct curves *curves)
{
    FILE *gp = plot->gp;
    unsigned block = 0;
    fputs(
        "set logscale xy\nset yrange [0.00005:1.3]\nset ytics ('all' 1, '1 in 10' 0.1, '1 in 100' "
        "0.01, '1 in 1,000' 0.001, '1 in 10,000' 0.0001) font small\nset xtics font small\n"
        "set grid ytics lc rgb '#e4e4e4' lt 1 lw 1\n",
        gp);
    double low = INFINITY, high = 0;
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        low = fmin(low, exceeded(curves, phase, 1));
        for (int halvings = 0; halvings < 20; halvings++)
            high = fmax(high, exceeded(curves, phase, ldexp(1, -halvings)));
    }
    fprintf(gp, "set xrange [%g:%g]\n", fmax(low, 1) / 1.5, high * 2);
    plot_time_tics(gp, "x", fmax(low, 1) / 1.5, high * 2);
    fprintf(gp,
            "set lmargin at screen %.4f\nset rmargin at screen %.4f\nset tmargin at screen %.4f\n"
            "set bmargin at screen %.4f\nset xlabel 'an operation took longer than' font small tc "
            "rgb '#555555' offset 0,0.85\nset key at screen %.4f,%.4f right center horizontal\n",
            PLOT_X(100), PLOT_X(860), plot_y(plot, 72), 52.0 / plot->height, PLOT_X(866),
            plot_y(plot, 58));
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        const struct plot_series *s = &plot_series[phase];
        if (curves->total[phase] < OPERATIONS_MIN)
            continue;
        fprintf(gp, "%s'%s.dat' index %u using 1:2 with steps lw 2 dt %s lc rgb '%s' title '%s'",
                block == 0 ? "plot " : ", \\\n  ", plot->name, block, s->dash, s->colour,
                phase_name((enum phase)phase));
        block++;
    }
    fputc('\n', gp);
}

/* The phase that a caption is about where one of two has no operations. */
static int phase_told(const struct curves *curves)
{
    return curves->total[PHASE_BEFORE] >= OPERATIONS_MIN ? PHASE_BEFORE : PHASE_DURING;
}

/* The rarest share that all phases told of have operations for. */
static double told_share(const struct curves *curves, const char **name)
{
    static const struct {
        double share;
        const char *name;
    } shares[] = {{0.01, "1 in 100"}, {0.1, "1 in 10"}, {0.25, "1 in 4"}};
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
        bool known = true;
        for (int phase = PHASE_BEFORE; phase <= PHASE_DURING; phase++)
            known = known && (curves->total[phase] < OPERATIONS_MIN ||
                              !isnan(exceeded(curves, phase, shares[i].share)));
        *name = shares[i].name;
        if (known)
            return shares[i].share;
    }
    *name = "Half of the";
    return 0.5;
}

static void draw(struct plot *plot, const char *variant, const struct curves *curves)
{
    char caption[300], title[200], a[TEXT_SHORT_BYTES], b[TEXT_SHORT_BYTES];
    snprintf(title, sizeof(title), "How bad is the tail? %s", variant);
    const char *share = NULL;
    double p = told_share(curves, &share);
    if (curves->total[PHASE_DURING] >= OPERATIONS_MIN &&
        curves->total[PHASE_BEFORE] >= OPERATIONS_MIN)
        snprintf(caption, sizeof(caption), "%s operations took > %s in the outage, > %s before.",
                 share, text_time(a, exceeded(curves, PHASE_DURING, p)),
                 text_time(b, exceeded(curves, PHASE_BEFORE, p)));
    else
        snprintf(caption, sizeof(caption), "%s operations took > %s.", share,
                 text_time(a, exceeded(curves, phase_told(curves), p)));
    if (!plot_begin(plot, "latency", 400, title, caption))
        return;
    write_curves(plot, curves);
    write_script(plot, curves);
    plot_end(plot);
}

void plot_latency(struct plot *plot)
{
    struct groups groups;
    struct curves *curves = calloc(1, sizeof(*curves));
    ASSERT(curves != NULL);
    (void)plot_groups(plot, "variant,workload,fault", &groups);
    for (size_t i = 0; i < groups.count && plot->code == 0; i++) {
        bool seen = false;
        for (size_t k = 0; k < i; k++)
            seen = seen || strcmp(groups.group[k].by[0], groups.group[i].by[0]) == 0;
        if (seen)
            continue;
        memset(curves, 0, sizeof(*curves));
        for (size_t k = i; k < groups.count; k++)
            if (strcmp(groups.group[k].by[0], groups.group[i].by[0]) == 0)
                add_cell(plot, groups.group[k].cell, curves);
        if (curves->total[PHASE_BEFORE] + curves->total[PHASE_DURING] >= OPERATIONS_MIN)
            draw(plot, groups.group[i].by[0], curves);
    }
    free(curves);
    groups_free(&groups);
}
