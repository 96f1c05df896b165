/* A comparison as table, json (loris-compare-1), junit, markdown and csv. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "assertion.h"
#include "results/compare_private.h"
#include "results/text.h"

#define CELL_COLUMNS_MAX 26 /* of a cell's name in the table; longer ones are cut at the left */

#define TABLE_COLUMNS_MAX 100
#define EFFECT_COLUMNS 19 /* "+45.5 [+32.6, +57.6]" is one more */

/* Fewer discordant pairs cannot reach alpha: 2^-5 is 3.1 %, 2^-4 is 6.3 %. */
static uint64_t pairs_min(double alpha)
{
    uint64_t pairs = 1;
    while (stats_tail_half(pairs, pairs) > alpha)
        pairs++;
    return pairs;
}

static bool is_share(enum measure measure)
{
    return measure < MEASURE_OUTAGE;
}

/* "loris/mail/power"; within one file without the variant, which the heading has. */
static void cell_name(const struct comparison *c, const struct compare_cell *cell, char *room,
                      size_t bytes)
{
    if (c->options->new_path != NULL)
        snprintf(room, bytes, "%s/%s/%s", cell->new_variant, cell->workload, cell->fault);
    else
        snprintf(room, bytes, "%s/%s", cell->workload, cell->fault);
}

/* "13%", "4.5%", "0.2%". */
static const char *short_percent(char *room, double share)
{
    if (!isfinite(share))
        snprintf(room, TEXT_SHORT_BYTES, "-");
    else if (share == 0 || share == 1 || (share >= 0.0995 && share < 0.995))
        snprintf(room, TEXT_SHORT_BYTES, "%.0f%%", share * 100);
    else
        snprintf(room, TEXT_SHORT_BYTES, "%.*f%%", share < 0.001 ? 2 : 1, share * 100);
    return room;
}

static void side_text(const struct compare_row *row, bool new, char *room, size_t bytes)
{
    char a[TEXT_SHORT_BYTES], b[TEXT_SHORT_BYTES];
    if ((new ? row->new_n : row->base_n) == 0)
        snprintf(room, bytes, "-");
    else if (!is_share(row->measure))
        snprintf(room, bytes, "%s, %s", text_time(a, new ? row->new_p50_ns : row->base_p50_ns),
                 text_time(b, new ? row->new_p99_ns : row->base_p99_ns));
    else if (row->measure != MEASURE_LEVEL)
        snprintf(room, bytes, "%s", short_percent(a, new ? row->new_share : row->base_share));
    else if ((new ? row->new_share : row->base_share) == 1) /* all of them: the name says it */
        snprintf(room, bytes, "%s", level_name(new ? row->new_weakest : row->base_weakest));
    else
        snprintf(room, bytes, "%s %s", level_name(new ? row->new_weakest : row->base_weakest),
                 short_percent(a, new ? row->new_share : row->base_share));
}

/* "+4.5 [+2.6, +7.6]": points of a share, per cent of a time. */
static void effect_text(const struct compare_row *row, char *room, size_t bytes)
{
    if (row->cut_count == 0) {
        snprintf(room, bytes, "-");
        return;
    }
    const struct cut *cut = &row->cut[row->shown];
    snprintf(room, bytes, "%+.1f [%+.1f, %+.1f]", cut->effect * 100 + 0.0,
             cut->interval.low * 100 + 0.0, cut->interval.high * 100 + 0.0);
}

static void p_text(double p, char *room, size_t bytes)
{
    if (p < 1e-6)
        snprintf(room, bytes, "<1e-6"); /* beyond it nobody reads the digits */
    else
        snprintf(room, bytes, "%.2g", p);
}

/* The last column: the p that decided, or what is missing. */
static void last_text(const struct comparison *c, const struct compare_row *row, char *room,
                      size_t bytes)
{
    char a[TEXT_SHORT_BYTES];
    const struct cut *cut = &row->cut[row->shown];
    if (row->why == WHY_PROMISE)
        snprintf(room, bytes, "promise kept by base, broken");
    else if (row->why == WHY_IDENTICAL)
        snprintf(room, bytes, "identical event by event");
    else if (row->cut_count == 0)
        snprintf(room, bytes, "too few values");
    else if (row->verdict != VERDICT_UNDECIDED)
        p_text(row->verdict == VERDICT_BETTER ? cut->better_adjusted : cut->worse_adjusted, room,
               bytes);
    else if (row->needs_n > 0)
        snprintf(room, bytes, "needs %s", text_count(a, row->needs_n));
    else if (c->paired && is_share(row->measure) && row->weaker > 0 &&
             row->weaker + row->stronger < pairs_min(c->alpha))
        snprintf(room, bytes, "needs %" PRIu64 " weaker pairs, has %" PRIu64, pairs_min(c->alpha),
                 row->weaker);
    else
        p_text(cut->worse_adjusted, room, bytes);
}

static bool has_times(const struct comparison *c)
{
    for (size_t i = 0; i < c->measure_count; i++)
        if (!is_share(c->measure[i]))
            return true;
    return false;
}

/* "1 point, 5 % of a time": of the measures at hand. */
static void print_margins(const struct comparison *c, FILE *out)
{
    bool shares = false;
    for (size_t i = 0; i < c->measure_count; i++)
        shares = shares || is_share(c->measure[i]);
    if (shares)
        fprintf(out, "%g point%s", c->margin_share * 100, c->margin_share == 0.01 ? "" : "s");
    if (has_times(c))
        fprintf(out, "%s%g %% of a time", shares ? ", " : "", c->margin_time * 100);
}

static void heading(const struct comparison *c, FILE *out)
{
    if (c->options->new_path != NULL)
        fprintf(out, "%s (%s) -> %s (%s): ", c->base_name,
                c->base_build != NULL ? c->base_build : "?", c->new_name,
                c->new_build != NULL ? c->new_build : "?");
    else
        fprintf(out, "%s: %s -> %s: ", c->options->base_path, c->base_name, c->new_name);
    fprintf(out, "%spaired%s%s%s, %zu cells, margin ", c->paired ? "" : "un",
            c->why_unpaired != NULL ? " (" : "", c->why_unpaired != NULL ? c->why_unpaired : "",
            c->why_unpaired != NULL ? ")" : "", c->cell_count);
    print_margins(c, out);
    fprintf(out, ", alpha %g %%\n", c->alpha * 100);
    if (has_times(c))
        fputs("  of times: median, p99; the verdict is about medians alone\n", out);
    uint64_t left_out = 0;
    for (size_t i = 0; i < c->row_count; i++)
        left_out += c->row[i].left_out;
    if (left_out > 0)
        fprintf(out, "  %" PRIu64 " pairs of times left out: 0, or never reached, on both sides\n",
                left_out);
    if (c->watched)
        fputs("  cells ended early because of what was seen in them (trials: half-width): these "
              "intervals\n  and p do not allow for that; a gate needs a fixed number of trials\n",
              out);
    if (c->cells_left_out > 0)
        fprintf(out, "  %zu cells left out: skipped, or absent on one side\n", c->cells_left_out);
    if (c->base_undecided + c->new_undecided > 0)
        fprintf(out,
                "  %" PRIu64 " base and %" PRIu64
                " new trials on which the oracle gave up: their level may be too weak\n",
                c->base_undecided, c->new_undecided);
}

/* Widths of the columns that depend on names and levels. */
struct widths {
    size_t cell, base, new, pairs;
    const char *pairs_name;
};

static bool in_table(const struct comparison *c, const struct compare_row *row)
{
    return row->verdict != VERDICT_NO_WORSE || c->options->verbose;
}

static struct widths table_widths(const struct comparison *c)
{
    struct widths w = {.cell = 16, .base = 6, .new = 6, .pairs = 5, .pairs_name = "w:b"};
    size_t effect = 0, last = 5;
    char text[256];
    for (size_t i = 0; i < c->row_count; i++) {
        if (!in_table(c, &c->row[i]))
            continue;
        cell_name(c, c->row[i].cell, text, sizeof(text));
        size_t cell = strlen(text) > CELL_COLUMNS_MAX ? CELL_COLUMNS_MAX : strlen(text);
        w.cell = cell > w.cell ? cell : w.cell;
        side_text(&c->row[i], false, text, sizeof(text));
        w.base = strlen(text) > w.base ? strlen(text) : w.base;
        side_text(&c->row[i], true, text, sizeof(text));
        w.new = strlen(text) > w.new ? strlen(text) : w.new;
        if (c->row[i].why == WHY_PROMISE)
            continue; /* it has the room of two columns */
        effect_text(&c->row[i], text, sizeof(text));
        effect = strlen(text) > effect ? strlen(text) : effect;
        last_text(c, &c->row[i], text, sizeof(text));
        last = strlen(text) > last ? strlen(text) : last;
    }
    effect = effect > EFFECT_COLUMNS ? effect : EFFECT_COLUMNS;
    static const char full[] = "worse:better";
    if (36 + w.cell + w.base + w.new + effect + last <= TABLE_COLUMNS_MAX) {
        w.pairs = sizeof(full) - 1;
        w.pairs_name = full;
    }
    return w;
}

static void table_row(const struct comparison *c, const struct compare_row *row, struct widths w,
                      FILE *out)
{
    static const char marks[VERDICT_COUNT] = {'x', '?', '+', '='};
    char cell[256], base[64], new[64], pairs[64] = "", effect[96], last[96];
    cell_name(c, row->cell, cell, sizeof(cell));
    side_text(row, false, base, sizeof(base));
    side_text(row, true, new, sizeof(new));
    effect_text(row, effect, sizeof(effect));
    last_text(c, row, last, sizeof(last));
    if (c->paired)
        snprintf(pairs, sizeof(pairs), "%" PRIu64 ":%" PRIu64, row->weaker, row->stronger);
    size_t length = strlen(cell);
    if (length > CELL_COLUMNS_MAX) {
        memmove(cell + 1, cell + length - CELL_COLUMNS_MAX + 1, CELL_COLUMNS_MAX);
        cell[0] = '~';
    }
    bool red = c->options->colour && row->verdict == VERDICT_WORSE;
    fprintf(out, "%s%c %-9s%s %-*s %-8s %-*s %-*s", red ? "\033[31m" : "", marks[row->verdict],
            verdict_name(row->verdict), red ? "\033[0m" : "", (int)w.cell, cell,
            measure_names[row->measure], (int)w.base, base, (int)w.new, new);
    if (c->paired)
        fprintf(out, " %*s", (int)w.pairs, pairs);
    if (row->why == WHY_PROMISE)
        fprintf(out, " %s\n", last);
    else
        fprintf(out, " %-*s %s\n", EFFECT_COLUMNS, effect, last);
}

/* "+12 ms"; "never" of what one side never reached. */
static void put_signed(FILE *out, double time_ns)
{
    char a[TEXT_SHORT_BYTES];
    fprintf(out, "%s%s",
            time_ns > 0      ? "+"
            : isinf(time_ns) ? "-"
                             : "",
            isinf(time_ns) ? "never" : text_time(a, time_ns));
}

/* ", of p99 +12 ms [-3.0 ms, +25 ms]"; nothing where too few pairs bound it. */
static void put_shift(FILE *out, const char *before, const struct stats_shift *s)
{
    if (isnan(s->shift))
        return;
    fputs(before, out);
    put_signed(out, s->shift);
    fputs(" [", out);
    put_signed(out, s->interval.low);
    fputs(", ", out);
    put_signed(out, s->interval.high);
    fputc(']', out);
}

/* What --verbose says below a row of times. */
static void table_shifts(const struct comparison *c, const struct compare_row *row, FILE *out)
{
    if (!c->options->verbose || isnan(row->shift_p50.shift))
        return;
    put_shift(out, "            shift of the median ", &row->shift_p50);
    put_shift(out, ", of p99 ", &row->shift_p99);
    fputc('\n', out);
}

/* The no-worse rows in one line, since a gate's reader looks for the others. */
static void table_folded(const struct comparison *c, FILE *out)
{
    size_t count = 0, identical = 0;
    for (size_t i = 0; i < c->row_count; i++) {
        count += c->row[i].verdict == VERDICT_NO_WORSE;
        identical += c->row[i].why == WHY_IDENTICAL;
    }
    const char *what = c->measure_count > 1 ? "rows" : "cells";
    if (count > 0 && identical > 0)
        fprintf(out, "= no-worse  %zu %s, %zu of them identical event by event\n", count, what,
                identical);
    else if (count > 0)
        fprintf(out, "= no-worse  %zu %s\n", count, what);
}

static void table_replay(const struct comparison *c, const struct compare_row *row, FILE *out)
{
    if (row->example_count == 0)
        return;
    const char *new_path =
        c->options->new_path != NULL ? c->options->new_path : c->options->base_path;
    fprintf(out, "  loris replay %s %" PRIu64 " --verbose", new_path, row->example[0].new->trial);
    if (row->example[0].base != NULL)
        fprintf(out, "        loris replay %s %" PRIu64 " --verbose", c->options->base_path,
                row->example[0].base->trial);
    fputc('\n', out);
}

static void table_worse(const struct comparison *c, size_t cells, FILE *out)
{
    const struct compare_row *row = &c->row[0];
    char cell[256], a[TEXT_SHORT_BYTES], b[TEXT_SHORT_BYTES];
    cell_name(c, row->cell, cell, sizeof(cell));
    fprintf(out, "WORSE: %zu of %zu cells. %s: ", cells, c->cell_count, cell);
    if (row->why == WHY_PROMISE)
        fprintf(out, "%" PRIu64 " of %zu trials break a promise that the base kept.",
                row->cell->promises_lost, row->cell->pair_count);
    else if (row->measure == MEASURE_LEVEL && row->new_weakest == row->base_weakest)
        fprintf(out, "`%s` in %.0f of %" PRIu64 " trials, in the base in %.0f of %" PRIu64 ".",
                level_name(row->new_weakest), row->new_share * (double)row->new_n, row->new_n,
                row->base_share * (double)row->base_n, row->base_n);
    else if (row->measure == MEASURE_LEVEL)
        fprintf(out, "`%s` in %.0f of %" PRIu64 " trials where the base left at worst `%s`.",
                level_name(row->new_weakest), row->new_share * (double)row->new_n, row->new_n,
                level_name(row->base_weakest));
    else if (is_share(row->measure))
        fprintf(out, "%s in %s of trials, %s in the base.", measure_names[row->measure],
                short_percent(a, row->new_share), short_percent(b, row->base_share));
    else
        fprintf(out, "median %s %s, %s in the base.", measure_names[row->measure],
                text_time(a, row->new_p50_ns), text_time(b, row->base_p50_ns));
    fputs(row->example_count > 0 ? " See:\n" : "\n", out);
    table_replay(c, row, out);
}

static size_t cells_with(const struct comparison *c, enum verdict verdict)
{
    size_t count = 0;
    for (size_t i = 0; i < c->cell_count; i++) {
        bool found = false;
        for (size_t k = 0; k < c->row_count; k++)
            found = found || (c->row[k].cell == &c->cell[i] && c->row[k].verdict == verdict);
        count += found;
    }
    return count;
}

/* Trials a cell that would make the n that the row needs, as many counting as do now; 0: unknown.
 */
static uint64_t trials_needed(const struct compare_row *row)
{
    const struct compare_cell *cell = row->cell;
    size_t trials = cell->base.count < cell->new.count ? cell->base.count : cell->new.count;
    if (row->needs_n == 0 || row->n == 0)
        return 0;
    return (uint64_t)ceil((double)row->needs_n * (double)trials / (double)row->n - 1e-9);
}

static void table_verdict(const struct comparison *c, FILE *out)
{
    uint64_t most = 0;
    bool known = true;
    for (size_t i = 0; i < c->row_count; i++)
        if (c->row[i].verdict == VERDICT_UNDECIDED) {
            uint64_t trials = trials_needed(&c->row[i]);
            most = trials > most ? trials : most;
            known = known && trials > 0;
        }
    size_t cells = cells_with(c, c->verdict);
    if (c->verdict == VERDICT_WORSE)
        table_worse(c, cells, out);
    else if (c->verdict == VERDICT_UNDECIDED && most > 0)
        fprintf(out, "UNDECIDED: %zu of %zu cells; --trials %" PRIu64 " would decide %s\n", cells,
                c->cell_count, most, known ? "them" : "some of them");
    else if (c->verdict == VERDICT_UNDECIDED)
        fprintf(out, "UNDECIDED: %zu of %zu cells\n", cells, c->cell_count);
    else if (c->verdict == VERDICT_BETTER)
        fprintf(out, "BETTER: all %zu cells\n", c->cell_count);
    else {
        fprintf(out, "NO WORSE: all %zu cells, within ", c->cell_count);
        print_margins(c, out);
        size_t better = cells_with(c, VERDICT_BETTER);
        if (better > 0)
            fprintf(out, "; %zu are better", better);
        fputc('\n', out);
    }
}

static void print_table(const struct comparison *c, FILE *out)
{
    char pooled[64], effect[48];
    struct widths w = table_widths(c);
    heading(c, out);
    snprintf(effect, sizeof(effect), "effect [%.0f %%]", 100 * (1 - 2 * c->alpha));
    fprintf(out, "  %-9s %-*s %-8s %-*s %-*s", "verdict", (int)w.cell, "cell", "measure",
            (int)w.base, "base", (int)w.new, "new");
    if (c->paired)
        fprintf(out, " %*s", (int)w.pairs, w.pairs_name);
    fprintf(out, " %-*s %s\n", EFFECT_COLUMNS, effect, "p adj");
    for (size_t i = 0; i < c->row_count; i++)
        if (in_table(c, &c->row[i])) {
            table_row(c, &c->row[i], w, out);
            table_shifts(c, &c->row[i], out);
        }
    if (!c->options->verbose)
        table_folded(c, out);
    if (c->paired) {
        snprintf(pooled, sizeof(pooled), "%" PRIu64 ":%" PRIu64, c->pooled_worse, c->pooled_better);
        fprintf(out, "  %-*s %-8s %-*s %*s %-*s %.2g\n", (int)w.cell + 10, "all cells, by trial",
                "level", (int)(w.base + w.new) + 1, "", (int)w.pairs, pooled, EFFECT_COLUMNS, "",
                c->pooled_p);
    }
    table_verdict(c, out);
}

static void json_field(FILE *out, const char *key, const char *text)
{
    fprintf(out, "\"%s\": ", key);
    text_json(out, text);
}

static void json_number(FILE *out, const char *key, double value)
{
    fprintf(out, ", \"%s\": ", key);
    text_json_number(out, value);
}

static void json_side(const struct compare_row *row, bool new, FILE *out)
{
    fprintf(out, ", \"%s\": {", new ? "new" : "base");
    double share = new ? row->new_share : row->base_share;
    if (row->measure == MEASURE_LEVEL)
        fprintf(out, "\"%s\": ", level_name(new ? row->new_weakest : row->base_weakest));
    else if (is_share(row->measure))
        fprintf(out, "\"%s\": ", measure_names[row->measure]);
    if (is_share(row->measure)) {
        text_json_number(out, share);
    } else {
        fputs("\"p50_ns\": ", out);
        text_json_number(out, new ? row->new_p50_ns : row->base_p50_ns);
        json_number(out, "p99_ns", new ? row->new_p99_ns : row->base_p99_ns);
    }
    fputs("}", out);
}

static void json_statistics(const struct comparison *c, const struct compare_row *row, FILE *out)
{
    bool tested = row->cut_count > 0, mirror = row->verdict == VERDICT_BETTER;
    const struct cut *cut = &row->cut[row->shown];
    json_number(out, "weaker", c->paired ? (double)row->weaker : NAN);
    json_number(out, "stronger", c->paired ? (double)row->stronger : NAN);
    json_number(out, "effect", tested ? cut->effect : NAN);
    json_number(out, "low", tested ? cut->interval.low : NAN);
    json_number(out, "high", tested ? cut->interval.high : NAN);
    json_number(out, "p", !tested ? NAN : mirror ? cut->better.p : cut->worse.p);
    json_number(out, "p_adjusted",
                !tested  ? NAN
                : mirror ? cut->better_adjusted
                         : cut->worse_adjusted);
    fprintf(out, ", \"verdict\": \"%s\", \"why\": \"%s\"", verdict_name(row->verdict),
            why_name(row->why));
    json_number(out, "needs_n", row->needs_n > 0 ? (double)row->needs_n : NAN);
}

static void json_shift(FILE *out, const char *name, const struct stats_shift *s)
{
    char key[32];
    snprintf(key, sizeof(key), "shift_%s_ns", name);
    json_number(out, key, s->shift);
    snprintf(key, sizeof(key), "shift_%s_low_ns", name);
    json_number(out, key, s->interval.low);
    snprintf(key, sizeof(key), "shift_%s_high_ns", name);
    json_number(out, key, s->interval.high);
}

static void json_cell(const struct comparison *c, const struct compare_row *row, FILE *out)
{
    fputs("{", out);
    json_field(out, "base_variant", row->cell->base_variant);
    fputs(", ", out);
    json_field(out, "new_variant", row->cell->new_variant);
    fputs(", ", out);
    json_field(out, "workload", row->cell->workload);
    fputs(", ", out);
    json_field(out, "fault", row->cell->fault);
    fprintf(out, ", \"measure\": \"%s\"", measure_names[row->measure]);
    json_number(out, "n", (double)row->n);
    if (!is_share(row->measure))
        json_number(out, "left_out", (double)row->left_out);
    json_side(row, false, out);
    json_side(row, true, out);
    json_statistics(c, row, out);
    fputs(", \"examples\": [", out);
    for (size_t i = 0; i < row->example_count; i++) {
        fputs(i > 0 ? ", {\"base_trial\": " : "{\"base_trial\": ", out);
        text_json_number(out,
                         row->example[i].base != NULL ? (double)row->example[i].base->trial : NAN);
        json_number(out, "new_trial", (double)row->example[i].new->trial);
        fputs("}", out);
    }
    fputs("]", out);
    json_number(out, "q", row->q);
    if (!is_share(row->measure)) {
        json_shift(out, "p50", &row->shift_p50);
        json_shift(out, "p99", &row->shift_p99);
    }
    fputs("}", out);
}

static void print_json(const struct comparison *c, FILE *out)
{
    fputs("{\"format\": \"loris-compare-1\", ", out);
    json_field(out, "base", c->base_name);
    fputs(", ", out);
    json_field(out, "new", c->new_name);
    fprintf(out, ", \"paired\": %s", c->paired ? "true" : "false");
    if (c->why_unpaired != NULL) {
        fputs(", ", out);
        json_field(out, "why_unpaired", c->why_unpaired);
    }
    json_number(out, "margin", c->margin_share);
    json_number(out, "margin_time", c->margin_time);
    json_number(out, "alpha", c->alpha);
    if (c->watched)
        fputs(", \"ended_early\": true", out);
    json_number(out, "base_undecided", (double)c->base_undecided);
    json_number(out, "new_undecided", (double)c->new_undecided);
    fprintf(out, ", \"verdict\": \"%s\"", verdict_name(c->verdict));
    if (c->paired) {
        fprintf(out, ", \"pooled\": {\"weaker\": %" PRIu64 ", \"stronger\": %" PRIu64,
                c->pooled_worse, c->pooled_better);
        json_number(out, "p", c->pooled_p);
        fputs("}", out);
    }
    fputs(", \"cells\": [", out);
    for (size_t i = 0; i < c->row_count; i++) {
        fputs(i > 0 ? ",\n  " : "\n  ", out);
        json_cell(c, &c->row[i], out);
    }
    fputs("\n]}\n", out);
}

static void junit_row(const struct comparison *c, const struct compare_row *row, FILE *out)
{
    char base[64], new[64], effect[96], last[96], cell[256];
    snprintf(cell, sizeof(cell), "%s/%s", row->cell->workload, row->cell->fault);
    side_text(row, false, base, sizeof(base));
    side_text(row, true, new, sizeof(new));
    effect_text(row, effect, sizeof(effect));
    last_text(c, row, last, sizeof(last));
    fputs("    <testcase classname=\"", out);
    text_xml(out, row->cell->new_variant);
    fputs("\" name=\"", out);
    text_xml(out, cell);
    fprintf(out, " %s\">", measure_names[row->measure]);
    bool failure =
        row->verdict == VERDICT_WORSE || (row->verdict == VERDICT_UNDECIDED && c->options->strict);
    if (failure || row->verdict == VERDICT_UNDECIDED) {
        fprintf(out, "<%s message=\"%s: %s, was %s; effect %s; ", failure ? "failure" : "skipped",
                verdict_name(row->verdict), new, base, effect);
        text_xml(out, last); /* "<1e-6" */
        fputs("\"/>", out);
    }
    fputs("</testcase>\n", out);
}

static void print_junit(const struct comparison *c, FILE *out)
{
    size_t failures = 0, skipped = 0;
    for (size_t i = 0; i < c->row_count; i++) {
        failures += c->row[i].verdict == VERDICT_WORSE ||
                    (c->row[i].verdict == VERDICT_UNDECIDED && c->options->strict);
        skipped += c->row[i].verdict == VERDICT_UNDECIDED && !c->options->strict;
    }
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"", out);
    text_xml(out, c->base_name);
    fputs(" to ", out);
    text_xml(out, c->new_name);
    fprintf(out, "\" tests=\"%zu\" failures=\"%zu\" skipped=\"%zu\">\n", c->row_count, failures,
            skipped);
    for (size_t i = 0; i < c->row_count; i++)
        junit_row(c, &c->row[i], out);
    fputs("  </testsuite>\n</testsuites>\n", out);
}

static void print_markdown(const struct comparison *c, FILE *out)
{
    char base[64], new[64], effect[96], last[96], cell[256];
    heading(c, out);
    fprintf(
        out,
        "\n| verdict | cell | measure | n | base | new | weaker:stronger | effect [%.0f %%] | p "
        "adjusted |\n|---|---|---|--:|---|---|--:|---|---|\n",
        100 * (1 - 2 * c->alpha));
    for (size_t i = 0; i < c->row_count; i++) {
        const struct compare_row *row = &c->row[i];
        cell_name(c, row->cell, cell, sizeof(cell));
        side_text(row, false, base, sizeof(base));
        side_text(row, true, new, sizeof(new));
        effect_text(row, effect, sizeof(effect));
        last_text(c, row, last, sizeof(last));
        fprintf(out, "| %s%s%s | ", row->verdict == VERDICT_WORSE ? "**" : "",
                verdict_name(row->verdict), row->verdict == VERDICT_WORSE ? "**" : "");
        text_markdown(out, cell);
        fprintf(out, " | %s | %" PRIu64 " | %s | %s | ", measure_names[row->measure], row->n, base,
                new);
        if (c->paired)
            fprintf(out, "%" PRIu64 ":%" PRIu64, row->weaker, row->stronger);
        fprintf(out, " | %s | %s |\n", effect, last);
    }
    fputc('\n', out);
    table_verdict(c, out);
}

static void csv_number(FILE *out, double value)
{
    fputc(',', out);
    if (isfinite(value))
        text_json_number(out, value);
}

/* A row a cell and measure; its numbers are json's, and of the examples the first. */
static void csv_row(const struct comparison *c, const struct compare_row *row, FILE *out)
{
    const char *const names[] = {row->cell->base_variant, row->cell->new_variant,
                                 row->cell->workload, row->cell->fault};
    bool tested = row->cut_count > 0, mirror = row->verdict == VERDICT_BETTER;
    const struct cut *cut = &row->cut[row->shown];
    const struct pair first = row->example_count > 0 ? row->example[0] : (struct pair){NULL, NULL};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        text_csv(out, names[i]);
        fputc(',', out);
    }
    fprintf(out, "%s,%s,%s,%" PRIu64, measure_names[row->measure], verdict_name(row->verdict),
            why_name(row->why), row->n);
    const double numbers[] = {c->paired ? (double)row->weaker : NAN,
                              c->paired ? (double)row->stronger : NAN,
                              tested ? cut->effect : NAN,
                              tested ? cut->interval.low : NAN,
                              tested ? cut->interval.high : NAN,
                              !tested  ? NAN
                              : mirror ? cut->better.p
                                       : cut->worse.p,
                              !tested  ? NAN
                              : mirror ? cut->better_adjusted
                                       : cut->worse_adjusted,
                              row->q,
                              row->needs_n > 0 ? (double)row->needs_n : NAN,
                              row->shift_p50.shift,
                              row->shift_p50.interval.low,
                              row->shift_p50.interval.high,
                              row->shift_p99.shift,
                              row->shift_p99.interval.low,
                              row->shift_p99.interval.high,
                              first.base != NULL ? (double)first.base->trial : NAN,
                              first.new != NULL ? (double)first.new->trial : NAN};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        csv_number(out, numbers[i]);
    fputc('\n', out);
}

static void print_csv(const struct comparison *c, FILE *out)
{
    fputs(
        "base_variant,new_variant,workload,fault,measure,verdict,why,n,weaker,stronger,effect,low,"
        "high,p,p_adjusted,q,needs_n,shift_p50_ns,shift_p50_low_ns,shift_p50_high_ns,shift_p99_ns,"
        "shift_p99_low_ns,shift_p99_high_ns,base_trial,new_trial\n",
        out);
    for (size_t i = 0; i < c->row_count; i++)
        csv_row(c, &c->row[i], out);
}

void comparison_print(const struct comparison *c, FILE *out)
{
    ASSERT(c->row_count > 0);
    switch (c->options->format) {
    case COMPARE_TABLE:
        print_table(c, out);
        break;
    case COMPARE_JSON:
        print_json(c, out);
        break;
    case COMPARE_JUNIT:
        print_junit(c, out);
        break;
    case COMPARE_MARKDOWN:
        print_markdown(c, out);
        break;
    case COMPARE_CSV:
        print_csv(c, out);
        break;
    }
}
