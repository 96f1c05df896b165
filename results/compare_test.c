/* The statistics of a comparison: pairs, hypotheses, corrections, verdicts (the rule is
 * compare.h's). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "results/compare_private.h"

#define VALUES_MIN 5 /* times below it say nothing */
#define RATIOS_SIDE_MAX                                                                            \
    1500 /* values a side whose ratios are all formed; more are thinned evenly */

/* --- Pairs. --- */

static void pair_cell(struct compare_cell *cell)
{
    size_t least = cell->base.count < cell->new.count ? cell->base.count : cell->new.count;
    cell->pair = calloc(least + 1, sizeof(cell->pair[0]));
    ASSERT(cell->pair != NULL);
    bool any = false; /* a cell that no fault ever met can be identical too */
    cell->identical = true;
    for (size_t i = 0, j = 0; i < cell->base.count && j < cell->new.count;) {
        const struct side_trial *base = &cell->base.trial[i], *new = &cell->new.trial[j];
        if (base->n != new->n) {
            base->n < new->n ? i++ : j++;
            continue;
        }
        i++;
        j++;
        any = true;
        if (base->hash != new->hash)
            cell->identical = false;
        if (base->injected && new->injected)
            cell->pair[cell->pair_count++] = (struct pair){base, new};
    }
    cell->identical = cell->identical && any;
}

static bool breaks(const struct side_trial *t)
{
    return t->promised != LEVEL_NONE && t->level > t->promised;
}

static void count_promises(struct compare_cell *cell)
{
    for (size_t i = 0; i < cell->pair_count; i++) {
        struct pair p = cell->pair[i];
        ASSERT(p.base != NULL && p.new != NULL);
        if (p.base->promised == LEVEL_NONE || p.base->promised != p.new->promised ||
            breaks(p.base) || !breaks(p.new))
            continue;
        if (cell->promises_lost++ == 0)
            cell->promise_example = p;
    }
}

/* --- One share of one side. --- */

/* What a share counts at a cut: for level those at `at` or weaker, for the others broken or wrong.
 */
static bool counts(enum measure measure, const struct side_trial *t, enum level at)
{
    if (measure == MEASURE_BROKEN)
        return breaks(t);
    return t->level >= (measure == MEASURE_WRONG ? LEVEL_SILENT : at);
}

static bool is_of(enum measure measure, const struct side_trial *t)
{
    return t->injected && (measure != MEASURE_BROKEN || t->promised != LEVEL_NONE);
}

static bool is_share(enum measure measure)
{
    return measure < MEASURE_OUTAGE;
}

/* Levels of one trial as the measure sees them: more is weaker. */
static int weakness(enum measure measure, const struct side_trial *t)
{
    return measure == MEASURE_LEVEL ? (int)t->level : counts(measure, t, LEVEL_COUNT);
}

static void describe_side(struct compare_row *row, const struct side *side, uint64_t *n,
                          enum level *weakest, double *share)
{
    uint64_t events = 0;
    *n = 0;
    *weakest = LEVEL_TRANSPARENT;
    for (size_t i = 0; i < side->count; i++)
        if (is_of(row->measure, &side->trial[i])) {
            ++*n;
            *weakest = level_weaker(*weakest, side->trial[i].level);
        }
    for (size_t i = 0; i < side->count; i++)
        if (is_of(row->measure, &side->trial[i]))
            events += row->measure == MEASURE_LEVEL
                          ? side->trial[i].level == *weakest
                          : counts(row->measure, &side->trial[i], LEVEL_COUNT);
    *share = *n > 0 ? (double)events / (double)*n : NAN;
}

/* --- Paired shares. --- */

static void keep_example(struct compare_row *row, struct pair p)
{
    if (row->example_count < EXAMPLES_MAX)
        row->example[row->example_count++] = p;
}

static void test_paired_share(struct compare_row *row, double alpha)
{
    for (size_t i = 0; i < row->cell->pair_count; i++) {
        struct pair p = row->cell->pair[i];
        if (!is_of(row->measure, p.base) || !is_of(row->measure, p.new))
            continue;
        int base = weakness(row->measure, p.base), new = weakness(row->measure, p.new);
        row->n++;
        row->weaker += new > base;
        row->stronger += new < base;
        if (new > base)
            keep_example(row, p);
    }
    if (row->n == 0)
        return;
    uint64_t m = row->weaker + row->stronger;
    row->cut_count = 1;
    row->cut[0] =
        (struct cut){.worse = {stats_tail_half(row->weaker, m), ATTAINS_BINOMIAL, m, 0, 0},
                     .better = {stats_tail_half(row->stronger, m), ATTAINS_BINOMIAL, m, 0, 0},
                     .effect = ((double)row->weaker - (double)row->stronger) / (double)row->n,
                     .interval = stats_tango(row->weaker, row->stronger, row->n, 2 * alpha)};
    row->needs_n = stats_needs_pairs(row->weaker, row->stronger, row->n, row->margin, alpha);
}

/* --- Unpaired shares: each cut between two levels. --- */

static struct stats_shares add_cut(struct compare_row *row, enum level at, double alpha)
{
    const struct side *sides[2] = {&row->cell->base, &row->cell->new};
    uint64_t x[2] = {0, 0}, n[2] = {row->base_n, row->new_n};
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < sides[k]->count; i++)
            x[k] += is_of(row->measure, &sides[k]->trial[i]) &&
                    counts(row->measure, &sides[k]->trial[i], at);
    struct cut *cut = &row->cut[row->cut_count++];
    *cut = (struct cut){.worse = {stats_fisher_less(x[0], n[0], x[1], n[1]), ATTAINS_HYPERGEOMETRIC,
                                  x[0] + x[1], n[1], n[0]},
                        .better = {stats_fisher_less(x[1], n[1], x[0], n[0]),
                                   ATTAINS_HYPERGEOMETRIC, x[0] + x[1], n[0], n[1]},
                        .effect = (double)x[1] / (double)n[1] - (double)x[0] / (double)n[0],
                        .interval = stats_newcombe(x[1], n[1], x[0], n[0], 2 * alpha)};
    return (struct stats_shares){(double)x[0] / (double)n[0], (double)x[1] / (double)n[1]};
}

static void test_unpaired_share(struct compare_row *row, double alpha)
{
    struct stats_shares shares[CUTS_MAX];
    row->n = row->base_n < row->new_n ? row->base_n : row->new_n;
    if (row->n == 0)
        return;
    if (row->measure == MEASURE_LEVEL)
        for (int at = 1; at < LEVEL_COUNT; at++)
            shares[at - 1] = add_cut(row, (enum level)at, alpha);
    else
        shares[0] = add_cut(row, LEVEL_COUNT, alpha);
    for (size_t i = 1; i < row->cut_count; i++) /* of those with events, that of the largest low */
        if (row->cut[i].worse.m > 0 &&
            (row->cut[row->shown].worse.m == 0 ||
             row->cut[i].interval.low > row->cut[row->shown].interval.low))
            row->shown = i;
    const struct side *new = &row->cell->new;
    for (size_t i = 0; i < new->count && row->measure == MEASURE_LEVEL; i++)
        if (new->trial[i].injected && (new->trial[i].level == row->new_weakest) &&
            row->new_weakest > row->base_weakest)
            keep_example(row, (struct pair){NULL, &new->trial[i]});
    row->needs_n = stats_needs_trials(shares, row->cut_count, row->n, row->margin, alpha);
}

/* --- Times. --- */

static void describe_times(const struct side *side, size_t which, double *p50_ns, double *p99_ns)
{
    double *values = calloc(side->count + 1, sizeof(*values));
    ASSERT(values != NULL);
    size_t count = 0;
    for (size_t i = 0; i < side->count; i++)
        if (side->trial[i].injected)
            values[count++] = side->trial[i].time_ns[which];
    stats_sort(values, count);
    *p50_ns = count > 0 ? stats_quantile(values, count, 0.5) : NAN;
    *p99_ns = count > 0 ? stats_quantile(values, count, 0.99) : NAN;
    free(values);
}

/* The ratio of a pair; NAN where both are 0 or neither was reached. */
static double ratio(double base_ns, double new_ns)
{
    if ((base_ns == 0 && new_ns == 0) || (isinf(base_ns) && isinf(new_ns)))
        return NAN;
    if (isinf(new_ns) || base_ns == 0)
        return INFINITY;
    return isinf(base_ns) ? 0 : new_ns / base_ns;
}

static void sign_tests(struct compare_row *row, const double *ratios, size_t count, double alpha)
{
    uint64_t above = 0, below = 0, not_above = 0, not_below = 0;
    for (size_t i = 0; i < count; i++) {
        above += ratios[i] > 1 + row->margin;
        not_above += ratios[i] < 1 + row->margin;
        below += ratios[i] < 1 - row->margin;
        not_below += ratios[i] > 1 - row->margin;
    }
    struct cut *cut = &row->cut[0];
    uint64_t m = above + not_above, k = below + not_below;
    cut->worse = (struct hypothesis){stats_tail_half(above, m), ATTAINS_BINOMIAL, m, 0, 0};
    cut->better = (struct hypothesis){stats_tail_half(below, k), ATTAINS_BINOMIAL, k, 0, 0};
    double all = (double)count;
    row->needs_n = stats_needs_ratios((double)above / all, (double)not_above / all,
                                      (double)below / all, count, alpha);
}

/* By how much the whole distributions lie apart: a slow minority does not show in the median of
 * ratios. It has no verdict. */
static void describe_shifts(struct compare_row *row, double alpha)
{
    size_t which = (size_t)(row->measure - MEASURE_OUTAGE), count = row->cell->pair_count;
    double *base = calloc(count + 1, sizeof(*base)), *new = calloc(count + 1, sizeof(*new));
    ASSERT(base != NULL && new != NULL);
    for (size_t i = 0; i < count; i++) {
        base[i] = row->cell->pair[i].base->time_ns[which];
        new[i] = row->cell->pair[i].new->time_ns[which];
    }
    row->shift_p50 = stats_quantile_shift(base, new, count, 0.5, 2 * alpha);
    row->shift_p99 = stats_quantile_shift(base, new, count, 0.99, 2 * alpha);
    free(base);
    free(new);
}

static void test_paired_time(struct compare_row *row, double alpha)
{
    size_t which = (size_t)(row->measure - MEASURE_OUTAGE), count = 0;
    double *ratios = calloc(row->cell->pair_count + 1, sizeof(*ratios));
    ASSERT(ratios != NULL);
    for (size_t i = 0; i < row->cell->pair_count; i++) {
        struct pair p = row->cell->pair[i];
        double r = ratio(p.base->time_ns[which], p.new->time_ns[which]);
        if (isnan(r)) {
            row->left_out++;
            continue;
        }
        row->weaker += r > 1;
        row->stronger += r < 1;
        ratios[count++] = r;
        if (r > 1 + row->margin)
            keep_example(row, p);
    }
    row->n = count;
    if (count >= VALUES_MIN) {
        row->cut_count = 1;
        sign_tests(row, ratios, count, alpha);
        stats_sort(ratios, count);
        row->cut[0].effect = stats_median(ratios, count) - 1;
        row->cut[0].interval = stats_quantile_interval(ratios, count, 0.5, 2 * alpha);
        row->cut[0].interval.low = fmax(row->cut[0].interval.low, 0) - 1;
        row->cut[0].interval.high -= 1;
    }
    free(ratios);
}

/* The injected, reached or not, times of a side; thinned to RATIOS_SIDE_MAX order statistics. */
static size_t side_values(const struct side *side, size_t which, double **out, size_t *zeros)
{
    double *values = calloc(side->count + 1, sizeof(*values));
    ASSERT(values != NULL);
    size_t count = 0;
    *zeros = 0;
    for (size_t i = 0; i < side->count; i++)
        if (side->trial[i].injected) {
            *zeros += side->trial[i].time_ns[which] == 0;
            values[count++] = side->trial[i].time_ns[which];
        }
    stats_sort(values, count);
    *out = values;
    return count;
}

static size_t thin(double *sorted, size_t count)
{
    if (count <= RATIOS_SIDE_MAX)
        return count;
    for (size_t i = 0; i < RATIOS_SIDE_MAX; i++)
        sorted[i] = sorted[(2 * i + 1) * count / (2 * RATIOS_SIDE_MAX)];
    return RATIOS_SIDE_MAX;
}

/* Median of all ratios and, by the normal form of Mann-Whitney's ranks, its interval. */
static void ratio_interval(struct cut *cut, double *base, size_t n1, double *new, size_t n2,
                           double alpha)
{
    size_t thin1 = thin(base, n1), thin2 = thin(new, n2), count = 0;
    double *ratios = calloc(thin1 * thin2, sizeof(*ratios));
    ASSERT(ratios != NULL);
    for (size_t i = 0; i < thin1; i++)
        for (size_t k = 0; k < thin2; k++) {
            double r = ratio(base[i], new[k]);
            ratios[count++] = isnan(r) ? 1 : r;
        }
    stats_sort(ratios, count);
    double a = (double)n1, b = (double)n2;
    double half = stats_z(2 * alpha) * sqrt(a * b * (a + b + 1) / 12) / (a * b) * (double)count;
    double low = floor((double)count / 2 - half), high = ceil((double)count / 2 + half);
    cut->effect = stats_median(ratios, count) - 1;
    cut->interval.low = low < 0 ? -1 : ratios[(size_t)low] - 1;
    cut->interval.high = high >= (double)count ? INFINITY : ratios[(size_t)high] - 1;
    free(ratios);
}

static double rank_p(const double *base, size_t n1, double scale, const double *new, size_t n2,
                     bool greater)
{
    double *a = calloc(n1 + 1, sizeof(*a)), *b = calloc(n2 + 1, sizeof(*b));
    ASSERT(a != NULL && b != NULL);
    for (size_t i = 0; i < n1; i++)
        a[i] = base[i] * scale;
    memcpy(b, new, n2 * sizeof(*b));
    double p = greater ? stats_mann_whitney_greater(a, n1, b, n2)
                       : stats_mann_whitney_greater(b, n2, a, n1);
    free(a);
    free(b);
    return p;
}

static void test_unpaired_time(struct compare_row *row, double alpha)
{
    size_t which = (size_t)(row->measure - MEASURE_OUTAGE), zeros1, zeros2;
    double *base, *new;
    size_t n1 = side_values(&row->cell->base, which, &base, &zeros1);
    size_t n2 = side_values(&row->cell->new, which, &new, &zeros2);
    row->n = n1 < n2 ? n1 : n2;
    if (row->n >= VALUES_MIN && 2 * zeros1 <= n1 && 2 * zeros2 <= n2) {
        struct cut *cut = &row->cut[0];
        row->cut_count = 1;
        cut->worse.p = rank_p(base, n1, 1 + row->margin, new, n2, true);
        cut->better.p = rank_p(base, n1, 1 - row->margin, new, n2, false);
        cut->worse.kind = cut->better.kind = ATTAINS_ANY;
        ratio_interval(cut, base, n1, new, n2, alpha);
    }
    free(base);
    free(new);
}

/* --- All rows. --- */

static void test_row(struct comparison *c, struct compare_row *row)
{
    const struct compare_cell *cell = row->cell;
    row->margin = is_share(row->measure) ? c->margin_share : c->margin_time;
    row->base_p50_ns = row->base_p99_ns = row->new_p50_ns = row->new_p99_ns = NAN;
    row->shift_p50 = row->shift_p99 = (struct stats_shift){NAN, {NAN, NAN}};
    row->q = NAN;
    describe_side(row, &cell->base, &row->base_n, &row->base_weakest, &row->base_share);
    describe_side(row, &cell->new, &row->new_n, &row->new_weakest, &row->new_share);
    if (!is_share(row->measure)) {
        size_t which = (size_t)(row->measure - MEASURE_OUTAGE);
        describe_times(&cell->base, which, &row->base_p50_ns, &row->base_p99_ns);
        describe_times(&cell->new, which, &row->new_p50_ns, &row->new_p99_ns);
    }
    if (c->paired && !is_share(row->measure) &&
        (c->options->verbose || c->options->format == COMPARE_JSON ||
         c->options->format == COMPARE_CSV)) /* else nobody reads them */
        describe_shifts(row, c->alpha);
    if (c->paired && is_share(row->measure))
        test_paired_share(row, c->alpha);
    else if (c->paired)
        test_paired_time(row, c->alpha);
    else if (is_share(row->measure))
        test_unpaired_share(row, c->alpha);
    else
        test_unpaired_time(row, c->alpha);
}

/* Both families over all cells and measures: what is worse, and what is better. */
static void correct(struct comparison *c)
{
    size_t count = 0;
    for (size_t i = 0; i < c->row_count; i++)
        count += c->row[i].cut_count;
    struct hypothesis *tests = calloc(count + 1, sizeof(*tests));
    double *adjusted = calloc(count + 1, sizeof(*adjusted));
    ASSERT(tests != NULL && adjusted != NULL);
    for (int better = 0; better < 2; better++) {
        size_t at = 0;
        for (size_t i = 0; i < c->row_count; i++)
            for (size_t k = 0; k < c->row[i].cut_count; k++)
                tests[at++] = better ? c->row[i].cut[k].better : c->row[i].cut[k].worse;
        stats_discrete_holm(tests, count, adjusted);
        at = 0;
        for (size_t i = 0; i < c->row_count; i++)
            for (size_t k = 0; k < c->row[i].cut_count; k++, at++)
                *(better ? &c->row[i].cut[k].better_adjusted : &c->row[i].cut[k].worse_adjusted) =
                    adjusted[at];
    }
    free(tests);
    free(adjusted);
}

/* What an explorer of many cells reads; the verdicts stand on stats_discrete_holm. */
static void add_false_discovery(struct comparison *c)
{
    double *p = calloc(c->row_count + 1, sizeof(*p)), *q = calloc(c->row_count + 1, sizeof(*q));
    ASSERT(p != NULL && q != NULL);
    size_t count = 0, at = 0;
    for (size_t i = 0; i < c->row_count; i++)
        if (c->row[i].cut_count > 0)
            p[count++] = c->row[i].cut[c->row[i].shown].worse.p;
    stats_false_discovery(p, count, q);
    for (size_t i = 0; i < c->row_count; i++)
        if (c->row[i].cut_count > 0)
            c->row[i].q = q[at++];
    free(p);
    free(q);
}

static void judge_row(const struct comparison *c, struct compare_row *row)
{
    bool worse = false, better = false, no_worse = row->cut_count > 0;
    if (is_share(row->measure) && row->n < stats_floor(row->margin, c->alpha))
        no_worse = false;
    for (size_t k = 0; k < row->cut_count; k++) {
        const struct cut *cut = &row->cut[k];
        if (cut->worse_adjusted <= c->alpha && cut->interval.low > row->margin) {
            if (!worse || cut->interval.low > row->cut[row->shown].interval.low)
                row->shown = k;
            worse = true;
        }
        better = better || (cut->better_adjusted <= c->alpha && cut->interval.high < -row->margin);
        no_worse = no_worse && cut->interval.high < row->margin;
    }
    row->why = WHY_STATISTICS;
    row->verdict = worse      ? VERDICT_WORSE
                   : better   ? VERDICT_BETTER
                   : no_worse ? VERDICT_NO_WORSE
                              : VERDICT_UNDECIDED;
    if (c->paired && row->cell->identical) {
        row->verdict = VERDICT_NO_WORSE;
        row->why = WHY_IDENTICAL;
    }
    if (row->verdict != VERDICT_UNDECIDED || row->needs_n <= row->n)
        row->needs_n = 0; /* or it is the other cells that keep it from being decided */
}

/*
 * Rule 6: if base kept every promise in all compared cells, each that new breaks is worse, however
 * rare. It is told on the cell's first share, else on its first row.
 */
static void judge_promises(struct comparison *c)
{
    uint64_t lost = 0;
    for (size_t i = 0; i < c->cell_count; i++) {
        for (size_t k = 0; k < c->cell[i].base.count; k++)
            if (c->cell[i].base.trial[k].injected && breaks(&c->cell[i].base.trial[k]))
                return;
        lost += c->cell[i].promises_lost;
    }
    if (lost <= c->options->allow_broken)
        return;
    for (size_t i = 0; i < c->row_count; i++) {
        struct compare_row *row = &c->row[i];
        bool first = i == 0 || c->row[i - 1].cell != row->cell;
        if (!first || row->cell->promises_lost == 0)
            continue;
        if (row->verdict != VERDICT_WORSE)
            row->why = WHY_PROMISE;
        row->verdict = VERDICT_WORSE;
        row->needs_n = 0;
        if (row->example_count == 0)
            row->example_count = 1;
        row->example[0] = row->cell->promise_example;
    }
}

struct net {
    int64_t n, sum;
};

static int by_n(const void *left, const void *right)
{
    const struct net *a = left, *b = right;
    return (a->n > b->n) - (a->n < b->n);
}

/* All cells by trial number: the sign of the net keeps the dependence between cells of equal n. */
static void pool(struct comparison *c)
{
    size_t count = 0, at = 0;
    for (size_t i = 0; i < c->cell_count; i++)
        count += c->cell[i].pair_count;
    struct net *nets = calloc(count + 1, sizeof(*nets));
    ASSERT(nets != NULL);
    for (size_t i = 0; i < c->cell_count; i++)
        for (size_t k = 0; k < c->cell[i].pair_count; k++) {
            struct pair p = c->cell[i].pair[k];
            int sign = (p.new->level > p.base->level) - (p.new->level < p.base->level);
            nets[at++] = (struct net){p.base->n, sign};
        }
    qsort(nets, count, sizeof(nets[0]), by_n);
    for (size_t i = 0; i < count;) {
        int64_t sum = 0, n = nets[i].n;
        for (; i < count && nets[i].n == n; i++)
            sum += nets[i].sum;
        c->pooled_worse += sum > 0;
        c->pooled_better += sum < 0;
    }
    free(nets);
    c->pooled_p = stats_tail_half(c->pooled_worse, c->pooled_worse + c->pooled_better);
}

static int worst_first(const void *left, const void *right)
{
    const struct compare_row *a = left, *b = right;
    if (a->verdict != b->verdict)
        return a->verdict < b->verdict ? -1 : 1;
    double effect_a = a->cut_count > 0 ? a->cut[a->shown].effect : 0;
    double effect_b = b->cut_count > 0 ? b->cut[b->shown].effect : 0;
    bool share_a = is_share(a->measure), share_b = is_share(b->measure);
    if (share_a != share_b)
        return share_a ? -1 : 1;
    if (effect_a != effect_b)
        return effect_a > effect_b ? -1 : 1;
    if (a->cell != b->cell)
        return a->cell < b->cell ? -1 : 1;
    return (int)a->measure - (int)b->measure;
}

void comparison_test(struct comparison *c)
{
    ASSERT(c->cell_count > 0 && c->measure_count > 0);
    c->row = calloc(c->cell_count * c->measure_count, sizeof(c->row[0]));
    ASSERT(c->row != NULL);
    for (size_t i = 0; i < c->cell_count; i++) {
        if (c->paired) {
            pair_cell(&c->cell[i]);
            count_promises(&c->cell[i]);
        }
        for (size_t k = 0; k < c->measure_count; k++) {
            struct compare_row *row = &c->row[c->row_count++];
            row->cell = &c->cell[i];
            row->measure = c->measure[k];
            test_row(c, row);
        }
    }
    correct(c);
    for (size_t i = 0; i < c->row_count; i++)
        judge_row(c, &c->row[i]);
    add_false_discovery(c);
    if (c->paired) {
        judge_promises(c);
        pool(c);
    }
    qsort(c->row, c->row_count, sizeof(c->row[0]), worst_first);
    c->verdict = VERDICT_NO_WORSE;
    bool all_better = true;
    for (size_t i = 0; i < c->row_count; i++) {
        all_better = all_better && c->row[i].verdict == VERDICT_BETTER;
        if (c->row[i].verdict <= VERDICT_UNDECIDED && c->row[i].verdict < c->verdict)
            c->verdict = c->row[i].verdict;
    }
    if (all_better)
        c->verdict = VERDICT_BETTER;
}
