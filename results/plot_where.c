/*
 * where: which moments are unsafe? A picture for each cell with a broken promise: every injected
 * trial by the time of its first fault, a lane a level; those that broke their promise are red
 * triangles. Above them the share broken in 30 equal parts of the time.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "results/plot_private.h"
#include "results/record.h"
#include "results/text.h"

#define PARTS 30
#define LANE_PX 40
#define POINTS_MAX 2000 /* of a picture; more are thinned evenly */

struct point {
    double time_s;
    enum level level;
    bool broken;
    uint64_t trial;
};

struct points {
    struct point *point;
    size_t count, room;
    double first_s, last_s;
    size_t broken;
};

static void load(struct plot *plot, const struct group *g, struct points *points)
{
    const char *where = plot->options->where != NULL ? plot->options->where : "1";
    char *sql = sqlite3_mprintf(
        "SELECT json_extract(struck, '$[0].time_ns') AS at, level, kept, trial FROM (SELECT * FROM "
        "trials WHERE (%s\n)) WHERE variant = %Q AND workload = %Q AND fault = %Q AND injected = 1 "
        "AND at IS NOT NULL ORDER BY trial",
        where, g->by[0], g->by[1], g->by[2]);
    sqlite3_stmt *s = rows_query(plot->db, sql, plot->error);
    sqlite3_free(sql);
    while (rows_next(s, plot->error)) {
        unsigned level = level_from_name(rows_text(s, 1));
        if (level >= LEVEL_COUNT)
            continue;
        if (points->count == points->room) {
            points->room = points->room * 2 + 256;
            points->point = realloc(points->point, points->room * sizeof(points->point[0]));
            ASSERT(points->point != NULL);
        }
        bool broken = sqlite3_column_type(s, 2) != SQLITE_NULL && sqlite3_column_int(s, 2) == 0;
        double time_s = sqlite3_column_double(s, 0) / 1e9;
        points->first_s = points->count == 0 ? time_s : fmin(points->first_s, time_s);
        points->last_s = points->count == 0 ? time_s : fmax(points->last_s, time_s);
        points->broken += broken;
        points->point[points->count++] =
            (struct point){time_s, (enum level)level, broken, (uint64_t)sqlite3_column_int64(s, 3)};
    }
    sqlite3_finalize(s);
}

static size_t part_of(const struct points *points, double time_s)
{
    double width = points->last_s - points->first_s;
    double part = width > 0 ? (time_s - points->first_s) / width * PARTS : 0;
    return part >= PARTS ? PARTS - 1 : (size_t)part;
}

/* Index 0: the parts; 1: the trials. Returns the largest share broken of a part. */
static double write_data(struct plot *plot, const struct points *points,
                         const int lane[LEVEL_COUNT])
{
    double all[PARTS] = {0}, broken[PARTS] = {0};
    double width = (points->last_s - points->first_s) / PARTS;
    for (size_t i = 0; i < points->count; i++) {
        size_t part = part_of(points, points->point[i].time_s);
        all[part]++;
        broken[part] += points->point[i].broken;
    }
    double most = 0;
    for (size_t k = 0; k < PARTS; k++)
        most = all[k] > 0 ? fmax(most, broken[k] / all[k]) : most;
    fputs("# from_s middle_s share_broken trials\n", plot->dat);
    for (size_t k = 0; k < PARTS; k++)
        fprintf(plot->dat, "%.6f %.6f %.4f %.0f\n", points->first_s + width * (double)k,
                points->first_s + width * ((double)k + 0.5), all[k] > 0 ? broken[k] / all[k] : 0,
                all[k]);
    fputs("\n\n# time_s lane trial broken\n", plot->dat);
    size_t step = (points->count + POINTS_MAX - 1) / POINTS_MAX;
    for (size_t i = 0; i < points->count; i++) {
        const struct point *p = &points->point[i];
        double jitter = (double)(p->trial * UINT64_C(2654435769) % 1000) / 1000 - 0.5;
        if (p->broken || i % step == 0)
            fprintf(plot->dat, "%.6f %.4f %llu %d\n", p->time_s, -lane[p->level] + 0.6 * jitter,
                    (unsigned long long)p->trial, p->broken);
    }
    fputs("\n\n", plot->dat);
    return most;
}

static void write_script(struct plot *plot, const struct points *points,
                         const int lane[LEVEL_COUNT], int lanes, double most)
{
    FILE *gp = plot->gp;
    double pad = fmax((points->last_s - points->first_s) * 0.02, 1e-6);
    fprintf(gp, "set multiplot\nset lmargin at screen %.4f\nset rmargin at screen %.4f\n",
            PLOT_X(120), PLOT_X(860));
    fprintf(gp, "set xrange [%.6f:%.6f]\nset tmargin at screen %.4f\nset bmargin at screen %.4f\n",
            points->first_s - pad, points->last_s + pad, plot_y(plot, 60), plot_y(plot, 130));
    fprintf(
        gp,
        "set format x ''\nset yrange [0:%g]\nset ytics ('0 %%%%' 0, '%.0f %%%%' %g) font small\n",
        most * 105, most * 100, most * 100);
    fputs("set ylabel 'broken' font small tc rgb '#555555'\nset boxwidth 0.9 relative\n", gp);
    fprintf(gp,
            "plot '%s.dat' index 0 using 2:($3*100) with boxes fs solid noborder lc rgb '#c01030' "
            "notitle\nunset label 98\nunset label 99\nunset ylabel\n",
            plot->name);
    fprintf(
        gp,
        "set tmargin at screen %.4f\nset bmargin at screen %.4f\nset yrange [%.1f:0.6]\nset "
        "format x '%%g'\nset xtics font small\nset xlabel 's from the start to the first fault' "
        "font small tc rgb '#555555' offset 0,0.85\nset ytics scale 0 (",
        plot_y(plot, 142), 50.0 / plot->height, 0.4 - lanes);
    const char *gap = "";
    for (int l = 0; l < LEVEL_COUNT; l++)
        if (lane[l] >= 0) {
            fprintf(gp, "%s'%s' %d", gap, level_name((enum level)l), -lane[l]);
            gap = ", ";
        }
    fprintf(gp,
            ")\nplot '%s.dat' index 1 using ($4==0?$1:NaN):2 with points pt 7 ps 0.4 lc rgb "
            "'#9aa0a8' notitle, \\\n  '' index 1 using ($4==1?$1:NaN):2 with points pt 9 ps 0.9 lc "
            "rgb '#c01030' notitle\nunset multiplot\n",
            plot->name);
}

static void draw(struct plot *plot, const struct group *g, const struct points *points)
{
    int lane[LEVEL_COUNT], lanes = 0;
    char title[300], caption[300], a[TEXT_SHORT_BYTES], b[TEXT_SHORT_BYTES];
    char c[TEXT_SHORT_BYTES], d[TEXT_SHORT_BYTES];
    double from = INFINITY, to = -INFINITY;
    for (int l = 0; l < LEVEL_COUNT; l++)
        lane[l] = g->level[l] > 0 ? lanes++ : -1;
    for (size_t i = 0; i < points->count; i++)
        if (points->point[i].broken) {
            from = fmin(from, points->point[i].time_s);
            to = fmax(to, points->point[i].time_s);
        }
    snprintf(title, sizeof(title), "Which moments are unsafe? %s, %s, %s", g->by[0], g->by[1],
             g->by[2]);
    snprintf(caption, sizeof(caption),
             "All %zu trials that broke a promise were struck between %s and %s; faults struck "
             "between %s and %s.",
             points->broken, text_time(a, from * 1e9), text_time(b, to * 1e9),
             text_time(c, points->first_s * 1e9), text_time(d, points->last_s * 1e9));
    if (!plot_begin(plot, "where", 200 + LANE_PX * (unsigned)lanes, title, caption))
        return;
    double most = write_data(plot, points, lane);
    write_script(plot, points, lane, lanes, most);
    plot_end(plot);
}

void plot_where(struct plot *plot)
{
    struct groups groups;
    (void)plot_groups(plot, "variant,workload,fault", &groups);
    for (size_t i = 0; i < groups.count && plot->code == 0; i++) {
        struct points points = {0};
        if (groups.group[i].broken == 0)
            continue;
        load(plot, &groups.group[i], &points);
        if (points.broken > 0)
            draw(plot, &groups.group[i], &points);
        free(points.point);
    }
    groups_free(&groups);
}
