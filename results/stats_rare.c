#include "results/stats_rare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"

#define BIAS 0.5
#define TAYLOR 20u /* terms of exp(x), x <= 1, until they are below a double's last digit */
#define LARGEST_SHARE 0.05
#define LOSSES_MIN 30u
#define DOUBT 0.001 /* how often sound weights are refused */

static double deaths(const struct disk_group *g, uint32_t down)
{
    return (double)(g->disks - down) * g->lambda;
}

static double repairs(const struct disk_group *g, uint32_t down)
{
    return g->parallel ? (double)down * g->mu : g->mu;
}

static void check(const struct disk_group *g)
{
    ASSERT(g->borne < g->disks);
    ASSERT(g->lambda > 0);
    ASSERT(g->mu > 0);
}

/* Sum over the states on the way up of the mean times spent there, returns included. */
double stats_mttdl(const struct disk_group *g)
{
    double sum = 0;
    check(g);
    for (uint32_t i = 0; i <= g->borne; i++)
        for (uint32_t j = 0; j <= i; j++) {
            double term = 1 / deaths(g, j);
            for (uint32_t m = j + 1; m <= i; m++)
                term *= repairs(g, m) / deaths(g, m);
            sum += term;
        }
    return sum;
}

double stats_mttdl_unreadable(const struct disk_group *g, double unreadable)
{
    check(g);
    ASSERT(g->borne == 1);
    double second = deaths(g, 1);
    return ((g->mu + second) / deaths(g, 0) + 1) / (g->mu * unreadable + second);
}

/* product = a b, of n x n. */
static void multiply(const double *a, const double *b, uint32_t n, double *product)
{
    memset(product, 0, sizeof(*product) * n * n);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < n; k++)
            for (uint32_t j = 0; j < n; j++)
                product[i * n + j] += a[i * n + k] * b[k * n + j];
}

/* Rows of probabilities that sum to 1 again: no rounding grows as matrices are squared. */
static void normalise(double *matrix, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        double sum = 0;
        for (uint32_t j = 0; j < n; j++)
            sum += matrix[i * n + j];
        ASSERT(sum > 0);
        for (uint32_t j = 0; j < n; j++)
            matrix[i * n + j] /= sum;
    }
}

/* The chain's jumps at its largest rate, `most`: states are disks down, the last is the loss. */
static void fill_jumps(const struct disk_group *g, double most, uint32_t n, double *jumps)
{
    jumps[n * n - 1] = 1;
    for (uint32_t i = 0; i + 1 < n; i++) {
        double up = deaths(g, i) / most, back = i > 0 ? repairs(g, i) / most : 0;
        jumps[i * n + i + 1] = up;
        if (i > 0)
            jumps[i * n + i - 1] = back;
        jumps[i * n + i] = fmax(1 - up - back, 0);
    }
}

/*
 * By uniformization (Jensen 1953): after a time of x <= 1 mean jumps, sum of x^j / j! jumps^j; then
 * squared until that is the time asked for. No term is negative, so that small ones keep their
 * digits.
 */
double stats_loss_by(const struct disk_group *g, double time)
{
    check(g);
    ASSERT(time >= 0 && isfinite(time));
    uint32_t n = g->borne + 2, squarings = 0;
    double *jumps = calloc((size_t)n * n, 4 * sizeof(*jumps)), most = 0;
    ASSERT(jumps != NULL);
    double *power = jumps + n * n, *after = power + n * n, *next = after + n * n;
    for (uint32_t i = 0; i <= g->borne; i++)
        most = fmax(most, deaths(g, i) + (i > 0 ? repairs(g, i) : 0));
    fill_jumps(g, most, n, jumps);
    double x = most * time, term = 1;
    for (; x > 1; x /= 2)
        squarings++;
    for (uint32_t i = 0; i < n; i++)
        power[i * n + i] = after[i * n + i] = 1;
    for (uint32_t j = 1; j <= TAYLOR; j++) {
        multiply(power, jumps, n, next);
        memcpy(power, next, sizeof(*power) * n * n);
        term *= x / j;
        for (uint32_t k = 0; k < n * n; k++)
            after[k] += term * power[k];
    }
    normalise(after, n);
    for (; squarings > 0; squarings--) {
        multiply(after, after, n, next);
        memcpy(after, next, sizeof(*after) * n * n);
        normalise(after, n);
    }
    double loss = fmin(after[n - 1], 1);
    free(jumps);
    return loss;
}

double stats_biased_weight(const struct disk_group *g, uint32_t down)
{
    ASSERT(down >= 1 && down <= g->borne);
    double death = deaths(g, down);
    return death / (death + repairs(g, down)) / BIAS;
}

/* Sums of a sample. */
struct moments {
    double n, sum, squares;
};

static void add(struct moments *m, double x)
{
    m->n++;
    m->sum += x;
    m->squares += x * x;
}

static double mean_of(const struct moments *m)
{
    return m->sum / m->n;
}

/* Standard error of the mean. */
static double error_of(const struct moments *m)
{
    double mean = mean_of(m);
    double variance = fmax(m->squares / m->n - mean * mean, 0) * m->n / (m->n - 1);
    return sqrt(variance / m->n);
}

static double exponential(double rate, stats_draw_fn *draw, void *object)
{
    return -log1p(-draw(object)) / rate;
}

/* How long a cycle takes, by plain simulation. */
static double cycle_length(const struct disk_group *g, stats_draw_fn *draw, void *object)
{
    double time = exponential(deaths(g, 0), draw, object);
    for (uint32_t down = 1; down > 0 && down <= g->borne;) {
        double death = deaths(g, down), all = death + repairs(g, down);
        time += exponential(all, draw, object);
        down = draw(object) < death / all ? down + 1 : down - 1;
    }
    return time;
}

/* The weight of a biased path; *lost: whether it ended with a loss. */
static double biased_path(const struct disk_group *g, stats_draw_fn *draw, void *object, bool *lost)
{
    double weight = 1;
    uint32_t down = 1;
    while (down > 0 && down <= g->borne) {
        double death = stats_biased_weight(g, down); /* true by biased probability */
        bool dies = draw(object) < BIAS;
        weight *= dies ? death : (1 - death * BIAS) / (1 - BIAS);
        down = dies ? down + 1 : down - 1;
    }
    *lost = down > g->borne;
    return weight;
}

struct rare_loss stats_rare_loss(const struct disk_group *g, uint64_t cycles, double alpha,
                                 stats_draw_fn *draw, void *object)
{
    struct moments length = {0}, loss = {0}, weight = {0};
    struct rare_loss r = {0};
    double largest = 0, z = stats_z(alpha), doubt = stats_z(DOUBT);
    check(g);
    ASSERT(cycles >= 2);
    for (uint64_t k = 0; k < cycles; k++) {
        bool lost = false;
        add(&length, cycle_length(g, draw, object));
        double w = biased_path(g, draw, object, &lost);
        add(&weight, w);
        add(&loss, lost ? w : 0);
        r.losses += lost;
        largest = lost && w > largest ? w : largest;
    }
    r.probability = mean_of(&loss);
    r.weight = mean_of(&weight);
    r.weights = (struct interval){r.weight - doubt * error_of(&weight),
                                  r.weight + doubt * error_of(&weight)};
    r.effective = weight.sum * weight.sum / weight.squares / weight.n;
    if (r.losses == 0) {
        r.mttdl = r.relative_error = INFINITY;
        r.interval = (struct interval){0, INFINITY};
        return r;
    }
    r.largest_share = largest / loss.sum;
    r.mttdl = mean_of(&length) / r.probability;
    r.relative_error = hypot(error_of(&length) / mean_of(&length), error_of(&loss) / r.probability);
    double spread = exp(z * r.relative_error); /* of a ratio of positive numbers */
    r.interval = (struct interval){r.mttdl / spread, r.mttdl * spread};
    return r;
}

bool stats_rare_is_sound(const struct rare_loss *r)
{
    return r->losses >= LOSSES_MIN && r->largest_share < LARGEST_SHARE && r->weights.low <= 1 &&
           1 <= r->weights.high;
}
