/*
 * `loris plot`: pictures by gnuplot, each with its editable script and its data beside it.
 *
 * Every picture KIND is three files: KIND.svg or KIND.png, KIND.gp (gnuplot runs it in that folder
 * and makes the picture again) and KIND.dat; further ones of a kind are KIND-2, KIND-3, ... A
 * picture has a caption made from its numbers, as its second line and in the script as "# caption:
 * ...".
 */
#ifndef LORIS_RESULTS_PLOT_H
#define LORIS_RESULTS_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum plot_format { PLOT_SVG, PLOT_PNG };

struct plot_options {
    const char *path;    /* of the results file */
    const char *out_dir; /* NULL: NAME-plots in the current folder; made if it is absent */
    const char *kind;    /* NULL: all that apply */
    const char *where; /* SQL over the columns of trials; NULL: all. timeline and latency are added
                        * up a cell: there it chooses cells, not trials */
    enum plot_format format;
    bool in_page; /* for a page that has captions of its own: pictures have none */
    bool narrow;  /* 400 px wide instead of 880, as KIND-narrow: success and levels alone */
};

/* The format of that name (svg, png), or -1. */
int plot_format_from_name(const char *name);

/* The kinds there will be: name, what it shows, and whether it is built. Ends with a NULL name. */
struct plot_kind {
    const char *name, *shows;
    int available;
};
extern const struct plot_kind plot_kinds[];

/*
 * Draws. A line with the name of each picture goes to `out`, errors to `err`. Returns the exit
 * code: 0; 2 for wrong input (an unknown kind, nothing to draw, a folder that cannot be written, no
 * gnuplot), then without a picture; 3 if gnuplot refuses a script of ours.
 */
int plot_run(const struct plot_options *options, FILE *out, FILE *err);

#endif
