/* What the kinds of pictures share: files, colours, texts, the gnuplot process (plot.c). */
#ifndef LORIS_RESULTS_PLOT_PRIVATE_H
#define LORIS_RESULTS_PLOT_PRIVATE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "errors.h"
#include "results/group.h"
#include "results/plot.h"
#include "results/rows.h"
#include "results/store.h"

#define PLOT_WIDTH 880 /* px */
#define PLOT_NARROW_WIDTH 400
#define PLOT_SERIES_MAX 6    /* more go to the next picture */
#define PLOT_THIN 30         /* injected trials below which a mark is hollow */
#define PLOT_PICTURES_MAX 24 /* of one kind: beyond it, --where chooses */

struct plot {
    const struct plot_options *options;
    sqlite3 *db;
    const char *dir;
    FILE *out, *err;
    char error[STORE_ERROR_BYTES]; /* of all queries */
    /* The picture at hand. */
    char name[64];
    FILE *gp, *dat;
    unsigned width;    /* px, of all: PLOT_WIDTH, or narrow */
    unsigned height;   /* px */
    unsigned pictures; /* of all kinds, drawn */
    unsigned pictures_of_kind;
    int code; /* exit code so far */
};

/* Colour, point type and dash of the k-th series, in the order of the campaign file. */
struct plot_series {
    const char *colour;
    int point, hollow; /* gnuplot's pt */
    const char *dash;
};
extern const struct plot_series plot_series[PLOT_SERIES_MAX];

/* "#dfebf6" ... of a level. */
const char *plot_level_colour(enum level level);

/*
 * Begins a picture of `height` px: KIND, KIND-2, ...; opens script and data and writes the
 * terminal, title and caption. caption: one line, UTF-8. Returns false, with the error told, if it
 * cannot.
 */
bool plot_begin(struct plot *plot, const char *kind, unsigned height, const char *title,
                const char *caption);

/* Ends the script and runs gnuplot on it; not if the file could not be read. */
void plot_end(struct plot *plot);

/* Adds up the trials of the options' --where by columns. Returns whether it could, having told why
 * not; groups_free in any case. */
bool plot_groups(struct plot *plot, const char *by, struct groups *groups);

/* `text` as a single-quoted gnuplot string; tic: % doubled too, as tic labels want. */
void plot_quote(FILE *gp, const char *text, bool tic);

/* `text` as a data column: double-quoted, with what gnuplot would take for an escape replaced. */
void plot_data_text(FILE *dat, const char *text);

/* Distances from the picture's edge as gnuplot's screen fractions. */
double plot_y(const struct plot *plot, double px_from_top);
double plot_x(const struct plot *plot, double px_from_left);
#define PLOT_X(px) ((double)(px) / PLOT_WIDTH) /* of kinds that are never narrow */

/* Where the plot begins, in px from the left edge, so that the longest of its names fits: `px` a
 * character of its font, at least `least`, and never more than 40 % of the picture. */
struct plot_names {
    double px, least;
    size_t longest; /* characters */
};
void plot_name(struct plot_names *names, const char *name);
double plot_names_left(const struct plot *plot, const struct plot_names *names);

/* The tic of row `index` of a y axis whose rows are faults and variants, one below the other;
 * within "set ytics (". */
void plot_row_tic(struct plot *plot, struct plot_names *names, size_t index, const char *fault,
                  const char *variant);

/* Adds a name to a list of at most `most`, if it is not there. */
void plot_add_name(const char **names, size_t *count, size_t most, const char *name);

#define PLOT_NAME_PX 8.2       /* a character of 14 px, on average of what we draw */
#define PLOT_SMALL_NAME_PX 6.5 /* of 11 px */

/* Tics "1 ms", "10 ms", ..., "1 min", "1 h", "1 d" for a logarithmic axis in ns, with 2 and 5
 * between in a short range; at most 9 in a long one. axis: "x", "y". */
void plot_time_tics(FILE *gp, const char *axis, double low_ns, double high_ns);

/* The same of bytes: "1 kB" is 1,000. */
void plot_size_tics(FILE *gp, const char *axis, double low_bytes, double high_bytes);

/* The kinds; each draws what there is and returns nothing: errors are in plot->code. */
void plot_success(struct plot *plot);
void plot_levels(struct plot *plot);
void plot_spread(struct plot *plot);
void plot_timeline(struct plot *plot);
void plot_latency(struct plot *plot);
void plot_recovery(struct plot *plot);
void plot_loss(struct plot *plot);
void plot_sweep(struct plot *plot);
void plot_survival(struct plot *plot);
void plot_availability(struct plot *plot);
void plot_where(struct plot *plot);
void plot_detection(struct plot *plot);

#endif
