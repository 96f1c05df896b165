/* What the two pictures of a swept key share: its names, its values, the span of an axis. */
#ifndef LORIS_RESULTS_PLOT_SWEEP_PRIVATE_H
#define LORIS_RESULTS_PLOT_SWEEP_PRIVATE_H

#include "results/plot_private.h"

/* What a panel spans: least and most of what is drawn in it; high 0: nothing is. */
struct sweep_extent {
    double low, high;
};

/* Widens the extent by a value; one that is not positive and finite is not drawn. */
void sweep_widen(struct sweep_extent *extent, double value);

/* The next of 1, 2, 5, 10, ... up or down from a positive value: where a tic can stand. */
double sweep_round_to_tic(double value, bool up);

/* The part of the cell's name that has @KEY=, or NULL; its part of the parameters in *part. */
const char *sweep_name(const struct group *g, const char *key, const char **part);

/* "loris" of "loris@checkpoint=1s": what the series is called; other swept keys stay in it. */
void sweep_base(const char *name, const char *key, char *room, size_t bytes);

/* The value of a part's key, NAN if it is no number, and its text, which the caller frees. Returns
 * false, with neither, if the file has none. */
bool sweep_value(struct plot *plot, const char *part, const char *name, const char *key,
                 double *value, char **text);

/* The x axis from `least` to `most`, logarithmic where that is a factor of 20. */
void sweep_x(FILE *gp, double least, double most);

/* The picture of what the key costs without faults: bytes written and waits of a sync. */
void plot_sweep_cost(struct plot *plot, const struct groups *groups, const char *key);

#endif
