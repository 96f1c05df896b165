/*
 * levels: what was left to the applications? A row a design, a column a fault; a cell is one bar of
 * all its injected trials, strongest level at the left; a rare level is at least RARE of the bar,
 * so that it shows. Below it the weakest level seen and its share, bold and red where that is below
 * the weakest promise.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "results/plot_private.h"
#include "results/text.h"

#define COLUMNS_MAX 5 /* faults a picture: wider bars are told apart */
#define NARROW_COLUMNS 2
#define NARROW_KEY 4 /* levels a line of a narrow picture's key */
#define NAMES_MAX 64
#define RARE 0.035

struct grid {
    const char *variant[NAMES_MAX],
        *column[NAMES_MAX]; /* faults; their workloads are taken together */
    size_t variant_count, column_count;
};

/* Widths of the levels in a bar of width 1; what occurs has at least RARE. */
static void bar_widths(const struct group *g, double width[LEVEL_COUNT])
{
    double sum = 0;
    for (int l = 0; l < LEVEL_COUNT; l++) {
        double share = (double)g->level[l] / (double)g->injected;
        width[l] = g->level[l] > 0 ? fmax(share, RARE) : 0;
        sum += width[l];
    }
    for (double excess = sum - 1; excess > 1e-9;) { /* the widest pays */
        int widest = 0;
        for (int l = 1; l < LEVEL_COUNT; l++)
            if (width[l] > width[widest])
                widest = l;
        double paid = fmin(excess, width[widest] - RARE);
        if (paid <= 0)
            break;
        width[widest] -= paid;
        excess -= paid;
    }
}

static enum level weakest_of(const struct group *g)
{
    int weakest = 0;
    for (int l = 0; l < LEVEL_COUNT; l++)
        if (g->level[l] > 0)
            weakest = l;
    return (enum level)weakest;
}

/* Index 0: bars as x y xlow xhigh ylow yhigh colour. */
static void write_bars(struct plot *plot, const struct group *const *cell, size_t rows,
                       size_t columns)
{
    fputs("# x y xlow xhigh ylow yhigh rgb\n", plot->dat);
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < columns; k++) {
            const struct group *g = cell[r * columns + k];
            double width[LEVEL_COUNT], at = (double)k + 0.03, y = -(double)r;
            if (g == NULL || g->injected == 0)
                continue;
            bar_widths(g, width);
            for (int l = 0; l < LEVEL_COUNT; l++) {
                double next = at + 0.92 * width[l];
                if (width[l] > 0)
                    fprintf(plot->dat, "%.4f %.2f %.4f %.4f %.2f %.2f 0x%s\n", (at + next) / 2,
                            y + 0.12, at, next, y - 0.05, y + 0.29,
                            plot_level_colour((enum level)l) + 1);
                at = next;
            }
        }
    fputs("\n\n", plot->dat);
}

/* Index 1: texts below the bars as x y text, 2: those that break a promise, in bold red. */
static size_t write_texts(struct plot *plot, const struct group *const *cell, size_t rows,
                          size_t columns, bool broken)
{
    size_t count = 0;
    fputs(broken ? "# x y text, of broken promises\n" : "# x y text\n", plot->dat);
    for (size_t i = 0; i < rows * columns; i++) {
        const struct group *g = cell[i];
        char text[96], a[TEXT_SHORT_BYTES];
        enum level weakest = g != NULL ? weakest_of(g) : LEVEL_TRANSPARENT;
        if ((g != NULL && g->broken > 0) != broken)
            continue;
        if (g == NULL)
            snprintf(text, sizeof(text), "not run");
        else if (g->injected == 0)
            snprintf(text, sizeof(text), "never struck");
        else
            snprintf(text, sizeof(text), "%s%s %s%s", broken ? "x " : "", level_name(weakest),
                     text_percent(a, (double)g->level[weakest] / (double)g->injected),
                     g->injected < PLOT_THIN ? ", thin" : "");
        size_t row = i / columns;
        fprintf(plot->dat, "%.3f %.2f ", (double)(i % columns) + 0.03, -(double)row - 0.22);
        plot_data_text(plot->dat, text);
        fputc('\n', plot->dat);
        count++;
    }
    fputs("\n\n", plot->dat);
    return count;
}

static void write_names(struct plot *plot, const struct grid *grid, size_t first, size_t columns)
{
    FILE *gp = plot->gp;
    fputs("set ytics noenhanced scale 0 (", gp);
    struct plot_names names = {.px = PLOT_NAME_PX, .least = plot->options->narrow ? 60 : 120};
    for (size_t r = 0; r < grid->variant_count; r++) {
        plot_name(&names, grid->variant[r]);
        fputs(r > 0 ? ", " : "", gp);
        plot_quote(gp, grid->variant[r], true);
        fprintf(gp, " %.2f", 0.12 - (double)r);
    }
    fputs(")\nset x2tics noenhanced scale 0 offset 0,-0.4 (", gp);
    for (size_t k = 0; k < columns; k++) {
        fputs(k > 0 ? ", " : "", gp);
        plot_quote(gp, grid->column[first + k], true);
        fprintf(gp, " %.2f", (double)k + 0.49);
    }
    fputs(")\nunset xtics\nset border 0\n", gp);
    fprintf(gp, "set xrange [0:%zu]\nset x2range [0:%zu]\nset yrange [%.2f:0.45]\n", columns,
            columns, 0.45 - (double)grid->variant_count);
    fprintf(gp,
            "set lmargin at screen %.4f\nset rmargin at screen %.4f\nset tmargin at screen %.4f\n"
            "set bmargin at screen %.4f\nset style fill solid border rgb '#888888'\n",
            plot_x(plot, plot_names_left(plot, &names)), plot_x(plot, plot->width - 10),
            plot_y(plot, 78), (plot->options->narrow ? 58.0 : 38.0) / plot->height);
}

/* The key: a box and a name for each level, along the lower edge. */
static void write_key(struct plot *plot)
{
    bool narrow = plot->options->narrow;
    for (int l = 0; l < LEVEL_COUNT; l++) {
        double x = plot_x(plot, narrow ? 12 + 97 * (l % NARROW_KEY) : 120 + 93 * l);
        double y = (narrow && l < NARROW_KEY ? 30.0 : 12.0) / plot->height;
        fprintf(plot->gp,
                "set object %d rectangle from screen %.4f, screen %.4f to screen %.4f, screen %.4f "
                "fc rgb '%s' fs solid border rgb '#888888'\nset label %d '%s' at screen %.4f, "
                "screen %.4f left font small tc rgb '#222222'\n",
                10 + l, x, y, x + plot_x(plot, 12), y + 12.0 / plot->height,
                plot_level_colour((enum level)l), 10 + l, level_name((enum level)l),
                x + plot_x(plot, 17), y + 6.0 / plot->height);
    }
}

static void write_plot(struct plot *plot, size_t texts, size_t broken)
{
    FILE *gp = plot->gp;
    fprintf(gp, "plot '%s.dat' index 0 using 1:2:3:4:5:6:7 with boxxyerror fc rgb variable notitle",
            plot->name);
    /* An index without rows would fail. Those of texts follow the bars in order of the file. */
    if (texts > 0)
        fputs(", \\\n  '' index 1 using 1:2:3 with labels left font small tc rgb '#555555' "
              "noenhanced notitle",
              gp);
    if (broken > 0)
        fprintf(gp,
                ", \\\n  '' index %d using 1:2:3 with labels left font small tc rgb '#c01030' "
                "noenhanced notitle",
                texts > 0 ? 2 : 1);
    fputc('\n', gp);
}

static void caption_of(const struct groups *groups, const struct grid *grid, char *room,
                       size_t bytes)
{
    size_t at = 0, silent = 0;
    char names[200] = "";
    for (size_t v = 0; v < grid->variant_count; v++) {
        bool lied = false;
        for (size_t i = 0; i < groups->count; i++)
            if (strcmp(groups->group[i].by[0], grid->variant[v]) == 0)
                lied = lied || groups->group[i].level[LEVEL_SILENT] > 0;
        silent += lied;
        if (!lied && at < sizeof(names))
            at += (size_t)snprintf(names + at, sizeof(names) - at, "%s%s", at > 0 ? ", " : "",
                                   grid->variant[v]);
    }
    if (silent == grid->variant_count)
        snprintf(room, bytes, "Each design was silent about damage in some trial.");
    else if (silent == 0)
        snprintf(room, bytes, "No design was ever silent about damage.");
    else
        snprintf(room, bytes, "Never silent about damage: %s.", names);
}

static size_t columns_max(const struct plot *plot)
{
    return plot->options->narrow ? NARROW_COLUMNS : COLUMNS_MAX;
}

static void draw(struct plot *plot, const struct groups *groups, const struct grid *grid,
                 size_t first)
{
    size_t rows = grid->variant_count, columns = grid->column_count - first;
    columns = columns > columns_max(plot) ? columns_max(plot) : columns;
    const struct group **cell = calloc(rows * columns, sizeof(const struct group *));
    ASSERT(cell != NULL);
    char caption[300];
    bool any = false;
    for (size_t i = 0; i < groups->count; i++)
        for (size_t c = 0; c < rows * columns; c++)
            if (strcmp(groups->group[i].by[0], grid->variant[c / columns]) == 0 &&
                strcmp(groups->group[i].by[1], grid->column[first + c % columns]) == 0) {
                cell[c] = &groups->group[i];
                any = any || cell[c]->injected > 0;
            }
    caption_of(groups, grid, caption, sizeof(caption));
    unsigned height = (plot->options->narrow ? 140 : 120) + 52 * (unsigned)rows;
    if (any && plot_begin(plot, "levels", height, "What was left to the applications?", caption)) {
        write_bars(plot, cell, rows, columns);
        size_t texts = write_texts(plot, cell, rows, columns, false);
        size_t broken = write_texts(plot, cell, rows, columns, true);
        write_names(plot, grid, first, columns);
        write_key(plot);
        write_plot(plot, texts, broken);
        plot_end(plot);
    }
    free(cell);
}

void plot_levels(struct plot *plot)
{
    struct groups groups;
    struct grid grid = {.variant_count = 0};
    if (!plot_groups(plot, "variant,fault", &groups)) {
        groups_free(&groups);
        return;
    }
    for (size_t i = 0; i < groups.count; i++) {
        const struct group *g = &groups.group[i];
        plot_add_name(grid.variant, &grid.variant_count, NAMES_MAX, g->by[0]);
        plot_add_name(grid.column, &grid.column_count, NAMES_MAX, g->by[1]);
    }
    for (size_t first = 0; first < grid.column_count; first += columns_max(plot))
        draw(plot, &groups, &grid, first);
    groups_free(&groups);
}
