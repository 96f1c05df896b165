/*
 * spread: how far does damage spread? A bar a fault and variant, of all its injected trials: how
 * many environments noticed more than a delay, from none (left) to all that there are (dark);
 * beside it the median and the most of completed operations that were lost. What struck nobody, as
 * far as anybody saw, has no bar.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "results/plot_private.h"
#include "results/text.h"

#define HIT_MAX 6 /* environments told apart; the last stands for more, too */
#define BARS_MAX 16
#define BAR_PX 30
#define RIGHT_PX 560 /* where the bars end; their texts stand beside */

struct bar {
    const char *variant, *fault;
    uint64_t hit[HIT_MAX + 1]; /* trials by environments hit */
    uint64_t trials;
    unsigned environments; /* that there are */
    double *lost;          /* operations, a trial each */
    size_t room;
};

static void load(struct plot *plot, struct bar *bar)
{
    const char *where = plot->options->where != NULL ? plot->options->where : "1";
    char *sql = sqlite3_mprintf(
        "SELECT environments_hit, ops_lost, (SELECT count(*) FROM environments e WHERE e.trial = "
        "t.trial) FROM (SELECT * FROM trials WHERE (%s\n)) t WHERE variant = %Q AND fault = %Q AND "
        "injected = 1 ORDER BY trial",
        where, bar->variant, bar->fault);
    sqlite3_stmt *s = rows_query(plot->db, sql, plot->error);
    sqlite3_free(sql);
    while (rows_next(s, plot->error)) {
        int hit = sqlite3_column_int(s, 0), all = sqlite3_column_int(s, 2);
        if (bar->trials == bar->room) {
            bar->room = bar->room * 2 + 128;
            bar->lost = realloc(bar->lost, bar->room * sizeof(bar->lost[0]));
            ASSERT(bar->lost != NULL);
        }
        bar->hit[hit < 0 ? 0 : hit > HIT_MAX ? HIT_MAX : hit]++;
        bar->lost[bar->trials++] = sqlite3_column_double(s, 1);
        bar->environments = all > (int)bar->environments ? (unsigned)all : bar->environments;
    }
    sqlite3_finalize(s);
    stats_sort(bar->lost, bar->trials);
}

static bool has_damage(const struct bar *bar)
{
    return bar->trials > 0 && (bar->hit[0] < bar->trials || bar->lost[bar->trials - 1] > 0);
}

/* Trials in which every environment noticed. */
static uint64_t all_hit(const struct bar *bar)
{
    unsigned all = bar->environments > HIT_MAX ? HIT_MAX : bar->environments;
    uint64_t trials = 0;
    for (unsigned k = all > 0 ? all : 1; k <= HIT_MAX; k++)
        trials += bar->hit[k];
    return trials;
}

/* Grey for none, from pale for one of several to dark for all. */
static unsigned long colour_of(unsigned hit, unsigned all)
{
    static const int pale[3] = {0xb4, 0xd0, 0xea}, dark[3] = {0x0b, 0x4a, 0x86};
    if (hit == 0)
        return 0xf0f1f3;
    double share = all > 1 ? fmin(1, (double)(hit - 1) / (all - 1)) : 1;
    unsigned long colour = 0;
    for (int i = 0; i < 3; i++)
        colour = colour << 8 | (unsigned long)lround(pale[i] + share * (dark[i] - pale[i]));
    return colour;
}

/* Index 0: the parts as x y xlow xhigh ylow yhigh colour. */
static void write_bars(struct plot *plot, const struct bar *bars, size_t count)
{
    fputs("# x y xlow xhigh ylow yhigh rgb trials environments_hit\n", plot->dat);
    for (size_t i = 0; i < count; i++) {
        double at = 0, y = -(double)i;
        for (unsigned k = 0; k <= HIT_MAX; k++) {
            if (bars[i].hit[k] == 0)
                continue;
            double next = at + 100 * (double)bars[i].hit[k] / (double)bars[i].trials;
            fprintf(plot->dat, "%.4f %.2f %.4f %.4f %.2f %.2f 0x%06lx %llu %u\n", (at + next) / 2,
                    y, at, next, y - 0.32, y + 0.32, colour_of(k, bars[i].environments),
                    (unsigned long long)bars[i].hit[k], k);
            at = next;
        }
    }
}

/* Index 1: y and text of each bar. */
static void write_texts(struct plot *plot, const struct bar *bars, size_t count)
{
    fputs("\n\n# y text\n", plot->dat);
    for (size_t i = 0; i < count; i++) {
        const struct bar *b = &bars[i];
        char text[160], a[TEXT_SHORT_BYTES];
        snprintf(text, sizeof(text), "all %u in %s; lost ops: median %.0f, most %.0f%s",
                 b->environments, text_percent(a, (double)all_hit(b) / (double)b->trials),
                 stats_quantile(b->lost, b->trials, 0.5), b->lost[b->trials - 1],
                 b->trials < PLOT_THIN ? ", thin" : "");
        fprintf(plot->dat, "%.2f ", -(double)i);
        plot_data_text(plot->dat, text);
        fputc('\n', plot->dat);
    }
}

static void write_key(struct plot *plot)
{
    static const struct {
        const char *name;
        unsigned hit;
        double px;
    } keys[] = {
        {"no environment noticed", 0, 420}, {"some, the more the darker", 1, 582}, {"all", 2, 776}};
    for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
        double x = PLOT_X(keys[k].px), y = plot_y(plot, 64);
        fprintf(plot->gp,
                "set object %zu rectangle from screen %.4f, screen %.4f to screen %.4f, screen "
                "%.4f fc rgb %lu fs solid border rgb '#888888'\nset label %zu '%s' at screen %.4f, "
                "screen %.4f left font small tc rgb '#222222'\n",
                40 + k, x, y, x + PLOT_X(12), y + 12.0 / plot->height, colour_of(keys[k].hit, 2),
                40 + k, keys[k].name, x + PLOT_X(17), plot_y(plot, 58));
    }
}

static void write_script(struct plot *plot, const struct bar *bars, size_t count)
{
    FILE *gp = plot->gp;
    struct plot_names names = {.px = PLOT_SMALL_NAME_PX, .least = 150};
    fprintf(gp,
            "set xrange [0:100]\nset yrange [%.1f:0.6]\nset ytics noenhanced font small scale 0 (",
            0.4 - (double)count);
    for (size_t i = 0; i < count; i++)
        plot_row_tic(plot, &names, i, bars[i].fault, bars[i].variant);
    fprintf(
        gp,
        ")\nset xtics ('0 %%%%' 0, '50 %%%%' 50, '100 %%%%' 100) font small\nset xlabel 'of the "
        "trials' font small tc rgb '#555555' offset 0,0.85\nset lmargin at screen %.4f\nset "
        "rmargin at screen %.4f\nset tmargin at screen %.4f\nset bmargin at screen %.4f\n"
        "set style fill solid border rgb '#888888'\n",
        PLOT_X(plot_names_left(plot, &names)), PLOT_X(RIGHT_PX), plot_y(plot, 72),
        48.0 / plot->height);
    write_key(plot);
    fprintf(
        gp,
        "plot '%s.dat' index 0 using 1:2:3:4:5:6:7 with boxxyerror fc rgb variable notitle, \\\n"
        "  '' index 1 using (100):1:2 with labels left offset 0.8,0 font small tc rgb '#222222' "
        "noenhanced notitle\n",
        plot->name);
}

/* The subject's first bar, else the first of all. */
static const struct bar *first_of(const struct bar *bars, size_t count, const char *subject)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(bars[i].variant, subject) == 0)
            return &bars[i];
    return &bars[0];
}

/* What this variant's worst fault reached, and how often damage stayed in one environment. */
static void caption_of(const struct bar *widest, size_t count, const struct bar *bars, char *room,
                       size_t bytes)
{
    const char *subject = widest->variant;
    size_t faults = 0, within = 0;
    char a[TEXT_SHORT_BYTES];
    for (size_t i = 0; i < count; i++) {
        const struct bar *b = &bars[i];
        if (strcmp(b->variant, subject) != 0)
            continue;
        faults++;
        within += b->environments > 1 && b->hit[0] + b->hit[1] == b->trials;
        if ((double)all_hit(b) * (double)widest->trials >
            (double)all_hit(widest) * (double)b->trials)
            widest = b;
    }
    int at = snprintf(room, bytes, "%s: widest %s, where %s noticed in %s of %llu trials",
                      widest->variant, widest->fault,
                      widest->environments > 1 ? "every environment" : "the only environment",
                      text_percent(a, (double)all_hit(widest) / (double)widest->trials),
                      (unsigned long long)widest->trials);
    if (widest->environments > 1)
        snprintf(room + at, bytes - (size_t)at,
                 "; of %zu faults with damage %zu stayed within one environment.", faults, within);
    else
        snprintf(room + at, bytes - (size_t)at, ".");
}

static void draw(struct plot *plot, const char *subject, const struct bar *bars, size_t count)
{
    char caption[500];
    caption_of(first_of(bars, count, subject), count, bars, caption, sizeof(caption));
    if (!plot_begin(plot, "spread", 124 + BAR_PX * (unsigned)count, "How far does damage spread?",
                    caption))
        return;
    write_bars(plot, bars, count);
    write_texts(plot, bars, count);
    write_script(plot, bars, count);
    plot_end(plot);
}

/* Those with damage, by fault. */
static size_t gather(struct plot *plot, const struct groups *groups, struct bar *bars)
{
    const struct group **order = calloc(groups->count + 1, sizeof(const struct group *));
    ASSERT(order != NULL);
    size_t count = 0, all = groups_by_fault(groups, order);
    for (size_t i = 0; i < all; i++) {
        struct bar *bar = &bars[count];
        *bar = (struct bar){.variant = order[i]->by[0], .fault = order[i]->by[1]};
        load(plot, bar);
        if (has_damage(bar))
            count++;
        else
            free(bar->lost);
    }
    free(order);
    return count;
}

void plot_spread(struct plot *plot)
{
    struct groups groups;
    if (plot_groups(plot, "variant,fault", &groups)) {
        struct bar *bars = calloc(groups.count + 1, sizeof(*bars));
        ASSERT(bars != NULL);
        size_t count = gather(plot, &groups, bars);
        for (size_t first = 0; first < count && plot->code == 0; first += BARS_MAX)
            draw(plot, groups.group[0].by[0], bars + first,
                 count - first > BARS_MAX ? BARS_MAX : count - first);
        for (size_t i = 0; i < count; i++)
            free(bars[i].lost);
        free(bars);
    }
    groups_free(&groups);
}
