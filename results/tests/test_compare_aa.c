/*
 * A/A: comparisons of a design with itself, drawn, not simulated, through the statistics of `loris
 * compare` and nothing less. Alarms must not come more often than alpha says; planted differences
 * must be seen. Every draw is of a fixed seed.
 */
#include <math.h>
#include <stdlib.h>

#include "results/compare_private.h"
#include "scripts/check_main.h"

#define ROUNDS 300
#define ALPHA 0.05
#define MOST 29 /* of ROUNDS at ALPHA, and at 25 %: upper ends of bands of 99.9 % */
#define MOST_OF_QUARTER 100
#define CELLS_MAX 20
#define TRIALS_MAX 600

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t state;

static uint64_t draw_bits(void)
{
    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static double draw(void)
{
    return (double)(draw_bits() >> 11) / 9007199254740992.0;
}

/* Near to normal: the sum of twelve. */
static double draw_normal(void)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += draw();
    return sum;
}

/* How the trials of both sides are drawn. */
struct world {
    size_t cells, trials;
    enum measure measure;
    bool paired;
    double weak;    /* share of trials that the base leaves `detected` instead of `durable` */
    double redrawn; /* of the trials of the new side: another draw of the same law */
    double worse;   /* of the trials of the new side in cell 0: made `silent` */
    double slower;  /* factor of all its times in cell 0 */
    double jitter;  /* of the logarithm of its times, from trial to trial */
    double broken;  /* both sides: share of trials that break the promise */
};

static enum level draw_level(const struct world *w)
{
    double u = draw();
    return u < w->weak / 4 ? LEVEL_SILENT : u < w->weak ? LEVEL_DETECTED : LEVEL_DURABLE;
}

static struct side_trial draw_trial(const struct world *w, size_t n)
{
    struct side_trial t = {.n = (int64_t)n, .trial = n + 1, .injected = true};
    t.hash = (int64_t)draw_bits();
    t.level = draw_level(w);
    t.promised = LEVEL_NONE;
    if (w->broken > 0) {
        t.promised = LEVEL_SYNCED;
        t.level = draw() < w->broken ? LEVEL_SILENT : LEVEL_DURABLE;
    }
    if (w->measure >= MEASURE_OUTAGE)
        t.time_ns[0] = 1e8 * exp(draw_normal());
    return t;
}

static void draw_cell(const struct world *w, bool first, struct compare_cell *cell)
{
    cell->base.count = cell->new.count = w->trials;
    for (size_t n = 0; n < w->trials; n++) {
        struct side_trial *base = &cell->base.trial[n], *new = &cell->new.trial[n];
        *base = draw_trial(w, n);
        *new = *base;
        new->hash = (int64_t)draw_bits();
        if (!w->paired || draw() < w->redrawn || w->broken > 0)
            *new = draw_trial(w, n);
        if (w->measure >= MEASURE_OUTAGE)
            new->time_ns[0] *= exp(w->jitter * draw_normal()) * (first ? w->slower : 1);
        if (first && draw() < w->worse)
            new->level = LEVEL_SILENT;
    }
}

/* Whether a comparison in that world says worse. */
static bool alarm(const struct world *w)
{
    static struct side_trial trials[2][CELLS_MAX][TRIALS_MAX];
    static struct compare_cell cells[CELLS_MAX];
    const struct compare_options options = {.allow_broken = 0};
    struct comparison c = {.options = &options,
                           .paired = w->paired,
                           .alpha = ALPHA,
                           .margin_share = 0.01,
                           .margin_time = 0.05,
                           .measure = {w->measure},
                           .measure_count = 1,
                           .cell = cells,
                           .cell_count = w->cells};
    for (size_t i = 0; i < w->cells; i++) {
        cells[i] = (struct compare_cell){.base.trial = trials[0][i], .new.trial = trials[1][i]};
        draw_cell(w, i == 0, &cells[i]);
    }
    comparison_test(&c);
    for (size_t i = 0; i < w->cells; i++)
        free(cells[i].pair);
    free(c.row);
    return c.verdict == VERDICT_WORSE;
}

static unsigned alarms(struct world w, unsigned rounds)
{
    unsigned count = 0;
    state = 1;
    if (w.slower == 0)
        w.slower = 1;
    for (unsigned round = 0; round < rounds; round++)
        count += alarm(&w);
    return count;
}

START_TEST(test_aa__paired_levels_alarm_at_most_at_alpha)
{
    static const double weak[] = {.001, .01, .1};
    for (size_t k = 0; k < 3; k++)
        for (size_t trials = 100; trials <= 300; trials += 200) {
            unsigned count = alarms(
                (struct world){
                    .cells = 20, .trials = trials, .paired = true, .weak = weak[k], .redrawn = 0.5},
                ROUNDS);
            ck_assert_msg(count <= MOST, "%zu trials, %g weak: %u", trials, weak[k], count);
        }
}
END_TEST

START_TEST(test_aa__unpaired_shares_alarm_at_most_at_alpha)
{
    static const double weak[] = {.01, .1};
    for (size_t k = 0; k < 2; k++)
        for (enum measure m = MEASURE_LEVEL; m <= MEASURE_WRONG; m += 2) {
            unsigned count = alarms(
                (struct world){.cells = 4, .trials = 100, .measure = m, .weak = weak[k]}, ROUNDS);
            ck_assert_msg(count <= MOST, "%s, %g weak: %u", measure_names[m], weak[k], count);
        }
}
END_TEST

START_TEST(test_aa__times_alarm_at_most_at_alpha)
{
    for (int paired = 0; paired < 2; paired++) {
        unsigned count = alarms((struct world){.cells = 4,
                                               .trials = 50,
                                               .measure = MEASURE_OUTAGE,
                                               .paired = paired,
                                               .jitter = 0.3},
                                ROUNDS);
        ck_assert_msg(count <= MOST, "paired %d: %u", paired, count);
    }
}
END_TEST

/* A change of exactly the margin is none that may be called worse: it must not come often. */
START_TEST(test_aa__exactly_at_the_margin_alarms_seldom)
{
    unsigned count =
        alarms((struct world){.cells = 4, .trials = 600, .paired = true, .worse = .01}, ROUNDS);
    ck_assert_msg(count <= MOST, "%u", count);
    count = alarms((struct world){.cells = 1,
                                  .trials = 100,
                                  .measure = MEASURE_OUTAGE,
                                  .paired = true,
                                  .slower = 1.05,
                                  .jitter = .3},
                   ROUNDS);
    ck_assert_msg(count <= MOST, "%u of times", count);
}
END_TEST

/* The promise rule does not go by alpha: at the worst true rate, .69 a comparison, one in four. */
START_TEST(test_aa__the_promise_rule_alarms_in_a_quarter_at_most)
{
    struct world w = {.cells = 3, .trials = 200, .paired = true, .broken = .69 / 600};
    unsigned count = alarms(w, ROUNDS);
    ck_assert_msg(count <= MOST_OF_QUARTER && count >= ROUNDS / 8, "%u", count);
    w.broken = 1e-9; /* none is broken: none is new */
    ck_assert_uint_eq(alarms(w, ROUNDS), 0);
}
END_TEST

/* Among clean cells the rule has a power that can be computed; noise costs some of it. */
START_TEST(test_aa__planted_differences_are_seen)
{
    struct stats_rise rise = {.detect = .05, .margin = .01, .alpha = ALPHA, .cells = 1};
    double power = stats_gate_power(&rise, 100);
    struct world w = {.cells = 20, .trials = 100, .paired = true, .worse = .05};
    double seen = (double)alarms(w, ROUNDS) / ROUNDS;
    ck_assert_msg(fabs(seen - power) < 4 * sqrt(power * (1 - power) / ROUNDS), "%g, not %g", seen,
                  power);
    w.trials = 300;
    w.weak = .01;
    w.redrawn = .5;
    ck_assert_uint_ge(alarms(w, ROUNDS), ROUNDS * 9 / 10);
    w = (struct world){.cells = 4, .trials = 300, .worse = .1};
    ck_assert_uint_ge(alarms(w, ROUNDS), ROUNDS * 9 / 10);
    w = (struct world){.cells = 4,
                       .trials = 100,
                       .measure = MEASURE_OUTAGE,
                       .paired = true,
                       .slower = 1.2,
                       .jitter = .3};
    ck_assert_uint_ge(alarms(w, ROUNDS), ROUNDS * 8 / 10);
}
END_TEST

/* Ending a cell at the look at which its interval is narrow: the interval must still cover. */
START_TEST(test_aa__cells_that_end_early_are_covered)
{
    static const double shares[] = {.002, .02, .1};
    state = 1;
    for (size_t k = 0; k < 3; k++) {
        unsigned missed = 0;
        for (unsigned round = 0; round < ROUNDS; round++) {
            uint64_t n = 0, x = 0;
            while (n < 1000 && !stats_narrow(x, n, .03, ALPHA))
                for (unsigned look = 0; look < STATS_LOOK; look++, n++)
                    x += draw() < shares[k];
            struct interval i = stats_always_valid(x, n, STATS_MIXTURE, ALPHA);
            missed += shares[k] < i.low || shares[k] > i.high;
        }
        ck_assert_msg(missed <= ROUNDS / 50, "%g: %u missed", shares[k], missed);
    }
}
END_TEST

CHECK_MAIN("compare_aa", 300, tcase_add_test(tc, test_aa__paired_levels_alarm_at_most_at_alpha);
           tcase_add_test(tc, test_aa__unpaired_shares_alarm_at_most_at_alpha);
           tcase_add_test(tc, test_aa__times_alarm_at_most_at_alpha);
           tcase_add_test(tc, test_aa__exactly_at_the_margin_alarms_seldom);
           tcase_add_test(tc, test_aa__the_promise_rule_alarms_in_a_quarter_at_most);
           tcase_add_test(tc, test_aa__planted_differences_are_seen);
           tcase_add_test(tc, test_aa__cells_that_end_early_are_covered);)
