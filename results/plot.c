/* Files and processes of plots: one gnuplot a picture, run in the pictures' folder. */
#include "results/plot_private.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "assertion.h"
#include "results/store.h"
#include "results/text.h"

const struct plot_kind plot_kinds[] = {
    {"success", "which promises hold: kept, by fault and variant, with exact intervals", 1},
    {"levels", "what was left to the applications: designs x faults", 1},
    {"spread", "how far damage spreads: environments that noticed, operations lost", 1},
    {"timeline", "what users felt: latency around the fault", 1},
    {"latency", "the tail: operations slower than t, before, during and after the outage", 1},
    {"recovery", "how long until full service, by fault and variant", 1},
    {"loss", "how much work, in time, was lost (rpo_ns)", 1},
    {"sweep", "lost work, recovery, outage, bytes written and syncs against the swept option", 1},
    {"survival", "how long without loss, over calendar time: Kaplan-Meier", 1},
    {"availability", "how much of calendar time all of the stack served", 1},
    {"where", "which moments are unsafe: level against the point struck", 1},
    {"detection", "who notices: fault x first layer", 1},
    {NULL, NULL, 0}};

static void (*const drawers[])(struct plot *) = {
    plot_success, plot_levels, plot_spread,   plot_timeline,     plot_latency, plot_recovery,
    plot_loss,    plot_sweep,  plot_survival, plot_availability, plot_where,   plot_detection};
_Static_assert(sizeof(drawers) / sizeof(drawers[0]) + 1 ==
                   sizeof(plot_kinds) / sizeof(plot_kinds[0]),
               "a drawer for each kind");

const struct plot_series plot_series[PLOT_SERIES_MAX] = {
    {"#0072b2", 7, 6, "1"},       {"#d55e00", 9, 8, "(14,5)"},
    {"#009e73", 5, 4, "(5,4)"},   {"#cc79a7", 13, 12, "(10,3,2,3)"},
    {"#56b4e9", 11, 10, "(2,3)"}, {"#4d4d4d", 15, 14, "(16,3)"}};

const char *plot_level_colour(enum level level)
{
    static const char *const colours[LEVEL_COUNT] = {"#dfebf6", "#b4d0ea", "#85b4dc", "#d0983a",
                                                     "#a9752a", "#8560ad", "#c01030", "#1c1c1c"};
    ASSERT((unsigned)level < LEVEL_COUNT);
    return colours[level];
}

int plot_format_from_name(const char *name)
{
    return strcmp(name, "svg") == 0 ? PLOT_SVG : strcmp(name, "png") == 0 ? PLOT_PNG : -1;
}

void plot_quote(FILE *gp, const char *text, bool tic)
{
    fputc('\'', gp);
    for (; *text != 0; text++) {
        if (*text == '\'' || (tic && *text == '%'))
            fputc(*text, gp);
        fputc((unsigned char)*text < 0x20 ? ' ' : *text, gp);
    }
    fputc('\'', gp);
}

void plot_data_text(FILE *dat, const char *text)
{
    fputc('"', dat);
    for (; *text != 0; text++)
        fputc(*text == '"' || *text == '\\' || (unsigned char)*text < 0x20 ? '\'' : *text, dat);
    fputc('"', dat);
}

double plot_y(const struct plot *plot, double px_from_top)
{
    return 1 - px_from_top / plot->height;
}

double plot_x(const struct plot *plot, double px_from_left)
{
    return px_from_left / plot->width;
}

void plot_name(struct plot_names *names, const char *name)
{
    size_t characters = 0;
    for (; *name != 0; name++)
        characters += ((unsigned char)*name & 0xc0) != 0x80; /* UTF-8: first bytes */
    if (characters > names->longest)
        names->longest = characters;
}

double plot_names_left(const struct plot *plot, const struct plot_names *names)
{
    double left = 14 + names->px * (double)names->longest;
    return fmin(fmax(left, names->least), 0.4 * plot->width);
}

void plot_row_tic(struct plot *plot, struct plot_names *names, size_t index, const char *fault,
                  const char *variant)
{
    char name[300];
    snprintf(name, sizeof(name), "%s  %s", fault, variant);
    plot_name(names, name);
    fputs(index > 0 ? ", " : "", plot->gp);
    plot_quote(plot->gp, name, true);
    fprintf(plot->gp, " %d", -(int)index);
}

void plot_add_name(const char **names, size_t *count, size_t most, const char *name)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp(names[i], name) == 0)
            return;
    if (*count < most)
        names[(*count)++] = name;
}

/* A place on a logarithmic axis, in its own unit, and how it is called. */
struct tic {
    double value, shown;
    const char *unit;
};
#define TICS_MAX 9
#define TICS_ROOM 64

/* The tics within [low, high], every second, third, ... if they are too many. */
static void put_tics(FILE *gp, const char *axis, const struct tic *tics, size_t count)
{
    size_t step = (count + TICS_MAX - 1) / TICS_MAX;
    fprintf(gp, "set %stics (", axis);
    for (size_t i = 0; i < count; i += step)
        fprintf(gp, "%s'%g %s' %g", i > 0 ? ", " : "", tics[i].shown, tics[i].unit, tics[i].value);
    fputs(")\n", gp);
}

/* Adds 1, 2, 5, 10, ... times a unit, below `end` of it: of a long range 1, 10, ... alone. */
static size_t add_tics(struct tic *tics, size_t count, double unit, double end, const char *name,
                       double low, double high)
{
    bool close = high < low * 100; /* decades alone would leave one label or none */
    for (double decade = 1; decade < end; decade *= 10)
        for (int mantissa = 1; mantissa <= (close ? 5 : 1); mantissa += mantissa == 1 ? 1 : 3) {
            double shown = mantissa * decade;
            if (shown < end && shown * unit >= low && shown * unit <= high && count < TICS_ROOM)
                tics[count++] = (struct tic){shown * unit, shown, name};
        }
    return count;
}

void plot_time_tics(FILE *gp, const char *axis, double low_ns, double high_ns)
{
    static const struct {
        double ns, end;
        const char *name;
    } units[] = {{1, 1e3, "ns"},    {1e3, 1e3, "us"},  {1e6, 1e3, "ms"},   {1e9, 60, "s"},
                 {60e9, 60, "min"}, {3600e9, 24, "h"}, {86400e9, 1e6, "d"}};
    struct tic tics[TICS_ROOM];
    size_t count = 0;
    for (size_t u = 0; u < sizeof(units) / sizeof(units[0]); u++)
        count = add_tics(tics, count, units[u].ns, units[u].end, units[u].name, low_ns, high_ns);
    put_tics(gp, axis, tics, count);
}

void plot_size_tics(FILE *gp, const char *axis, double low_bytes, double high_bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    struct tic tics[TICS_ROOM];
    size_t count = 0;
    for (int u = 0; u < 5; u++)
        count =
            add_tics(tics, count, pow(1000, u), u < 4 ? 1e3 : 1e6, units[u], low_bytes, high_bytes);
    put_tics(gp, axis, tics, count);
}

static FILE *open_in(struct plot *plot, const char *extension)
{
    char path[4300];
    snprintf(path, sizeof(path), "%s/%s.%s", plot->dir, plot->name, extension);
    FILE *f = fopen(path, "w");
    if (f == NULL) {
        fprintf(plot->err, "%s:1:1: %s\n", path, strerror(errno));
        plot->code = 2;
    }
    return f;
}

/* Whether a title says no more than the heading of a page. */
static bool is_question(const char *title)
{
    size_t length = strlen(title);
    return length > 0 && title[length - 1] == '?';
}

static void write_head(struct plot *plot, const char *title, const char *caption)
{
    bool svg = plot->options->format == PLOT_SVG;
    FILE *gp = plot->gp;
    fprintf(gp, "# %s, of a campaign's results. Edit at will; made again by: gnuplot -d %s.gp\n",
            plot->name, plot->name);
    fprintf(gp, "# caption: %s\n", caption);
    char id[sizeof(plot->name)]; /* of the SVG: letters, digits and _ alone */
    snprintf(id, sizeof(id), "%s", plot->name);
    for (char *p = id; *p != 0; p++)
        *p = *p == '-' ? '_' : *p;
    if (svg)
        fprintf(gp, "set terminal svg size %u,%u dynamic font 'sans-serif,14' name '%s'\n",
                plot->width, plot->height, id);
    else
        fprintf(gp, "set terminal pngcairo size %u,%u font 'DejaVu Sans,10.5'\n", plot->width,
                plot->height);
    fprintf(gp, "set output '%s.%s'\nset encoding utf8\n", plot->name, svg ? "svg" : "png");
    fprintf(gp, "small = ',%s'\n", svg ? "11" : "8.5");
    fputs("set border 3 lc rgb '#888888' lw 1\nset tics nomirror out scale 0.5 tc rgb '#222222'\n"
          "set key noenhanced tc rgb '#222222' samplen 2\n",
          gp);
    fputs("set label 98 ", gp);
    plot_quote(gp, plot->options->in_page && is_question(title) ? "" : title, false);
    fprintf(gp, " at screen 0.012,%.4f left tc rgb '#222222' noenhanced\nset label 99 ",
            plot_y(plot, 18));
    plot_quote(gp, plot->options->in_page ? "" : caption, false);
    fprintf(gp, " at screen 0.012,%.4f left tc rgb '#555555' font small noenhanced\n",
            plot_y(plot, 38));
}

/* Whether all that was asked of the file came; if not, tells why, once, and sets the code. */
static bool is_sound(struct plot *plot)
{
    if (plot->error[0] != 0 && plot->code == 0) {
        fprintf(plot->err, "%s\n", plot->error);
        plot->code = 2;
    }
    return plot->error[0] == 0;
}

bool plot_groups(struct plot *plot, const char *by, struct groups *groups)
{
    ASSERT(plot->error[0] == 0); /* a kind is not begun after a failure */
    enum err e = groups_load(groups, plot->db, by, plot->options->where, plot->error);
    return is_sound(plot) && e == OK;
}

bool plot_begin(struct plot *plot, const char *kind, unsigned height, const char *title,
                const char *caption)
{
    ASSERT(plot->gp == NULL);
    if (plot->code != 0 || !is_sound(plot))
        return false;
    if (plot->pictures_of_kind == PLOT_PICTURES_MAX) {
        fprintf(plot->err, "%s: more than %d pictures; --where chooses which\n", kind,
                PLOT_PICTURES_MAX);
        plot->pictures_of_kind++; /* said once */
    }
    if (plot->pictures_of_kind >= PLOT_PICTURES_MAX)
        return false;
    plot->height = height;
    int at = snprintf(plot->name, sizeof(plot->name), "%s%s", kind,
                      plot->options->narrow ? "-narrow" : "");
    if (plot->pictures_of_kind++ > 0)
        snprintf(plot->name + at, sizeof(plot->name) - (size_t)at, "-%u", plot->pictures_of_kind);
    if (mkdir(plot->dir, 0777) != 0 && errno != EEXIST) {
        fprintf(plot->err, "%s:1:1: %s\n", plot->dir, strerror(errno));
        plot->code = 2;
        return false;
    }
    plot->dat = open_in(plot, "dat");
    plot->gp = plot->dat != NULL ? open_in(plot, "gp") : NULL;
    if (plot->gp == NULL) {
        if (plot->dat != NULL)
            fclose(plot->dat);
        plot->dat = NULL;
        return false;
    }
    write_head(plot, title, caption);
    return true;
}

/*
 * Runs gnuplot in the folder, without a shell; what it says goes to `says`, for it warns of much
 * that is none of the user's business. Returns its exit status, 127 if it is absent.
 */
static int run_gnuplot(const struct plot *plot, FILE *says)
{
    char script[80];
    snprintf(script, sizeof(script), "%s.gp", plot->name);
    pid_t child = fork();
    if (child == 0) {
        if (chdir(plot->dir) != 0 || dup2(fileno(says), STDERR_FILENO) < 0)
            _exit(126);
        execlp("gnuplot", "gnuplot", "-d", script, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child)
        return 126;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}

void plot_end(struct plot *plot)
{
    ASSERT(plot->gp != NULL);
    fputs("unset output\n", plot->gp);
    bool bad = ferror(plot->gp) != 0 || ferror(plot->dat) != 0;
    bad = fclose(plot->gp) != 0 || bad;
    bad = fclose(plot->dat) != 0 || bad;
    plot->gp = plot->dat = NULL;
    if (bad) {
        fprintf(plot->err, "%s/%s: cannot write: %s\n", plot->dir, plot->name, strerror(errno));
        plot->code = 2;
    }
    if (bad || !is_sound(plot))
        return;
    FILE *says = tmpfile();
    ASSERT(says != NULL);
    int status = run_gnuplot(plot, says);
    if (status == 127) {
        fprintf(plot->err, "gnuplot is not installed; `make setup` installs it\n");
        plot->code = 2;
    } else if (status != 0) {
        fprintf(plot->err, "%s/%s.gp: gnuplot failed (%d): a defect of loris, please report it\n",
                plot->dir, plot->name, status);
        plot->code = 3;
    } else {
        plot->pictures++;
        fprintf(plot->out, "%s/%s.%s\n", plot->dir, plot->name,
                plot->options->format == PLOT_SVG ? "svg" : "png");
    }
    fclose(says);
}

static int find_kind(const struct plot_options *options, FILE *err)
{
    const char *names[16];
    size_t count = 0;
    for (int i = 0; plot_kinds[i].name != NULL; i++) {
        names[count++] = plot_kinds[i].name;
        if (strcmp(plot_kinds[i].name, options->kind) != 0)
            continue;
        if (plot_kinds[i].available)
            return i;
        fprintf(err, "--kind:1:1: not available yet: plot kind %s\n", options->kind);
        return -1;
    }
    const char *near = text_nearest(options->kind, names, count);
    fprintf(err, "--kind:1:1: no kind '%s'; allowed:", options->kind);
    for (size_t i = 0; i < count; i++)
        fprintf(err, " %s", names[i]);
    fprintf(err, "%s%s\n", near != NULL ? "; did you mean " : "", near != NULL ? near : "");
    return -1;
}

static void draw(struct plot *plot, int only)
{
    for (int i = 0; plot_kinds[i].name != NULL && plot->code == 0; i++)
        if (drawers[i] != NULL && (only < 0 || only == i)) {
            plot->pictures_of_kind = 0;
            drawers[i](plot);
            (void)is_sound(plot);
        }
    if (plot->code == 0 && plot->pictures == 0) {
        fprintf(plot->err, "%s:1:1: nothing to draw%s%s\n", plot->options->path,
                only >= 0 ? " of kind " : "", only >= 0 ? plot_kinds[only].name : "");
        plot->code = 2;
    }
}

int plot_run(const struct plot_options *options, FILE *out, FILE *err)
{
    ASSERT(options->path != NULL);
    char dir[256];
    struct plot plot = {.options = options, .dir = options->out_dir, .out = out, .err = err};
    plot.width = options->narrow ? PLOT_NARROW_WIDTH : PLOT_WIDTH;
    int only = options->kind != NULL ? find_kind(options, err) : -1;
    if (options->kind != NULL && only < 0)
        return 2;
    if (store_open_read(&plot.db, options->path, plot.error) != OK) {
        fprintf(err, "%s\n", plot.error);
        return 2;
    }
    if (plot.dir == NULL) {
        char stem[200];
        text_stem(options->path, stem, sizeof(stem));
        snprintf(dir, sizeof(dir), "%s-plots", stem);
        plot.dir = dir;
    }
    fflush(out); /* gnuplot is a fork of us: nothing may be printed twice */
    fflush(err);
    if (group_check_where(plot.db, options->where, plot.error) == OK)
        draw(&plot, only);
    else
        (void)is_sound(&plot);
    sqlite3_close(plot.db);
    return plot.code;
}
