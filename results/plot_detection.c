/*
 * detection: who notices? A picture a variant: a row a fault, a column the layer that noticed
 * first, the share of injected trials in the cell, from white to blue; a dot is none. At the right,
 * after a red rule, the trials in which nobody noticed.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "results/plot_private.h"

#define LAYERS_MAX 12
#define FAULTS_MAX 40
#define DARK 0.45 /* cells above it have white text */

struct matrix {
    char *layer[LAYERS_MAX], *fault[FAULTS_MAX];
    size_t layer_count, fault_count;
    uint64_t count[FAULTS_MAX][LAYERS_MAX + 1]; /* the last column: nobody */
    uint64_t total[FAULTS_MAX];
};

/* The place of a name in a list, added if there is room; SIZE_MAX if not. */
static size_t place_of(char **names, size_t *count, size_t room, const char *name)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    if (*count == room)
        return SIZE_MAX;
    names[*count] = strdup(name);
    return (*count)++;
}

/* Struck trials by fault and first layer; layers come in the order in which they stand in a stack.
 */
static void load(struct plot *plot, const char *variant, struct matrix *m)
{
    static const char *const known[] = {"vfs",  "naming",  "cache",    "fs",
                                        "raid", "logical", "physical", "driver"};
    const char *where = plot->options->where != NULL ? plot->options->where : "1";
    char *sql = sqlite3_mprintf(
        "SELECT fault, detected_by, count(*), (SELECT min(id) FROM cell c WHERE c.fault = t.fault) "
        "AS at FROM (SELECT * FROM trials WHERE (%s\n)) t WHERE variant = %Q AND injected = 1 AND "
        "struck <> '[]' GROUP BY fault, detected_by ORDER BY at, detected_by",
        where, variant);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        (void)place_of(m->layer, &m->layer_count, LAYERS_MAX, known[i]);
    sqlite3_stmt *s = rows_query(plot->db, sql, plot->error);
    sqlite3_free(sql);
    while (rows_next(s, plot->error)) {
        const char *layer = (const char *)sqlite3_column_text(s, 1);
        size_t row = place_of(m->fault, &m->fault_count, FAULTS_MAX, rows_text(s, 0));
        size_t column =
            layer == NULL ? LAYERS_MAX : place_of(m->layer, &m->layer_count, LAYERS_MAX, layer);
        if (row == SIZE_MAX || column == SIZE_MAX)
            continue;
        m->count[row][column] += (uint64_t)sqlite3_column_int64(s, 2);
        m->total[row] += (uint64_t)sqlite3_column_int64(s, 2);
    }
    sqlite3_finalize(s);
}

static bool layer_used(const struct matrix *m, size_t column)
{
    for (size_t r = 0; r < m->fault_count; r++)
        if (m->count[r][column] > 0)
            return true;
    return false;
}

static void write_cell(struct plot *plot, const struct matrix *m, size_t row, size_t column,
                       size_t at)
{
    double share = (double)m->count[row][column] / (double)m->total[row];
    unsigned red = (unsigned)(255 - share * (255 - 0x0b));
    unsigned green = (unsigned)(255 - share * (255 - 0x4a));
    unsigned blue = (unsigned)(255 - share * (255 - 0x86));
    char text[16] = "·";
    if (share > 0)
        snprintf(text, sizeof(text), share < 0.01 ? "%.1f" : "%.0f", share * 100);
    double x = (double)at, y = -(double)row;
    fprintf(plot->dat, "%.2f %.2f %.2f %.2f %.2f %.2f 0x%02x%02x%02x \"%s\" %s\n", x, y, x - 0.48,
            x + 0.48, y - 0.45, y + 0.45, red, green, blue, text,
            share > DARK ? "0xffffff" : "0x222222");
}

static void write_script(struct plot *plot, const struct matrix *m, const size_t *column,
                         size_t columns)
{
    FILE *gp = plot->gp;
    fputs("set border 0\nset style fill solid border rgb '#e4e4e4'\nset ytics noenhanced scale 0 (",
          gp);
    struct plot_names names = {.px = PLOT_NAME_PX, .least = 140};
    for (size_t r = 0; r < m->fault_count; r++) {
        plot_name(&names, m->fault[r]);
        fputs(r > 0 ? ", " : "", gp);
        plot_quote(gp, m->fault[r], true);
        fprintf(gp, " %d", -(int)r);
    }
    fputs(")\nunset xtics\nset x2tics noenhanced scale 0 (", gp);
    for (size_t k = 0; k < columns; k++) {
        plot_quote(gp, m->layer[column[k]], true);
        fprintf(gp, " %zu, ", k);
    }
    fprintf(gp, "'nobody' %zu)\n", columns);
    fprintf(gp,
            "set xrange [-0.5:%.1f]\nset x2range [-0.5:%.1f]\nset yrange [%.1f:0.5]\n"
            "set arrow from %.2f, graph 0 to %.2f, graph 1 nohead lc rgb '#c01030' lw 2 front\n",
            (double)columns + 0.5, (double)columns + 0.5, 0.5 - (double)m->fault_count,
            (double)columns - 0.5, (double)columns - 0.5);
    fprintf(gp,
            "set lmargin at screen %.4f\nset rmargin at screen %.4f\nset tmargin at screen %.4f\n"
            "set bmargin at screen %.4f\n",
            PLOT_X(plot_names_left(plot, &names)), PLOT_X(864), plot_y(plot, 80),
            14.0 / plot->height);
    fprintf(gp,
            "plot '%s.dat' using 1:2:3:4:5:6:7 with boxxyerror fc rgb variable notitle, \\\n"
            "  '' using 1:2:8:9 with labels font small tc rgb variable noenhanced notitle\n",
            plot->name);
}

static void draw(struct plot *plot, const char *variant, const struct matrix *m)
{
    size_t column[LAYERS_MAX], columns = 0;
    char title[200], caption[400];
    uint64_t nobody = 0, all = 0;
    for (size_t k = 0; k < m->layer_count; k++)
        if (layer_used(m, k))
            column[columns++] = k;
    for (size_t r = 0; r < m->fault_count; r++) {
        nobody += m->count[r][LAYERS_MAX];
        all += m->total[r];
    }
    snprintf(title, sizeof(title), "Who notices? %s", variant);
    snprintf(
        caption, sizeof(caption),
        "Layer that noticed first, %% of the trials of a fault. Not noticed while it ran: %llu of "
        "%llu (the judge's own reads, after it, do not count).",
        (unsigned long long)nobody, (unsigned long long)all);
    if (!plot_begin(plot, "detection", 100 + 34 * (unsigned)m->fault_count, title, caption))
        return;
    fputs("# x y xlow xhigh ylow yhigh rgb per_cent text_rgb\n", plot->dat);
    for (size_t r = 0; r < m->fault_count; r++) {
        for (size_t k = 0; k < columns; k++)
            write_cell(plot, m, r, column[k], k);
        write_cell(plot, m, r, LAYERS_MAX, columns);
    }
    write_script(plot, m, column, columns);
    plot_end(plot);
}

void plot_detection(struct plot *plot)
{
    sqlite3_stmt *s = rows_query(
        plot->db, "SELECT variant FROM cell GROUP BY variant ORDER BY min(id)", plot->error);
    while (plot->code == 0 && rows_next(s, plot->error)) {
        struct matrix *m = calloc(1, sizeof(*m));
        ASSERT(m != NULL);
        const char *variant = rows_text(s, 0);
        load(plot, variant, m);
        if (m->fault_count > 0)
            draw(plot, variant, m);
        for (size_t i = 0; i < m->layer_count; i++)
            free(m->layer[i]);
        for (size_t i = 0; i < m->fault_count; i++)
            free(m->fault[i]);
        free(m);
    }
    sqlite3_finalize(s);
}
