/*
 * Many tests at once: Holm 1979, and its discrete form, after Tarone 1990 and Westfall & Wolfinger
 * 1997: a test that cannot reach a small p costs the family nothing at small p. And the share of
 * false findings among many: Benjamini & Hochberg 1995.
 */
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_errno.h>
#include <math.h>
#include <stdlib.h>

#include "assertion.h"
#include "results/stats.h"

/* Equal tails are computed along different ways: they agree to this much, relative. */
#define TAIL_TOLERANCE 1e-9

struct ranked {
    double p;
    size_t index;
};

static int by_p(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    if (a->p != b->p)
        return a->p < b->p ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

static struct ranked *ranked_p(const double *p, size_t count)
{
    struct ranked *order = calloc(count + 1, sizeof(*order));
    ASSERT(order != NULL);
    for (size_t i = 0; i < count; i++)
        order[i] = (struct ranked){p[i], i};
    qsort(order, count, sizeof(*order), by_p);
    return order;
}

/* The k-th tail of a test, falling in k; k = 0 is 1. */
static double tail(const struct hypothesis *h, uint64_t k)
{
    if (h->kind == ATTAINS_BINOMIAL)
        return stats_tail_half(k, h->m);
    ASSERT(h->kind == ATTAINS_HYPERGEOMETRIC);
    if (k == 0)
        return 1;
    return gsl_cdf_hypergeometric_Q((unsigned)k - 1, (unsigned)h->m,
                                    (unsigned)(h->n1 + h->n2 - h->m), (unsigned)h->n1);
}

/* The largest p <= limit that the test could have reached; 0 if none. */
static double attainable(const struct hypothesis *h, double limit)
{
    if (h->kind == ATTAINS_ANY)
        return limit;
    limit *= 1 + TAIL_TOLERANCE;
    uint64_t most = h->m; /* events that k can reach */
    if (h->kind == ATTAINS_HYPERGEOMETRIC && h->n1 < most)
        most = h->n1;
    uint64_t low = 0, high = most + 1; /* tail(low) may be above; tail(high) = 0 */
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (tail(h, middle) <= limit)
            high = middle;
        else
            low = middle + 1;
    }
    return low > most ? 0 : tail(h, low);
}

void stats_false_discovery(const double *p, size_t count, double *q)
{
    struct ranked *order = ranked_p(p, count);
    double least = 1;
    for (size_t rank = count; rank > 0; rank--) {
        least = fmin(least, order[rank - 1].p * (double)count / (double)rank);
        q[order[rank - 1].index] = least;
    }
    free(order);
}

void stats_discrete_holm(const struct hypothesis *tests, size_t count, double *adjusted)
{
    gsl_set_error_handler_off();
    double *p = calloc(count + 1, sizeof(*p));
    ASSERT(p != NULL);
    for (size_t i = 0; i < count; i++)
        p[i] = tests[i].p;
    struct ranked *order = ranked_p(p, count);
    double most = 0;
    for (size_t j = 0; j < count; j++) {
        double sum = 0;
        for (size_t l = j; l < count && sum < 1; l++)
            sum += attainable(&tests[order[l].index], order[j].p);
        most = fmax(most, fmin(1, fmax(sum, order[j].p)));
        adjusted[order[j].index] = most;
    }
    free(order);
    free(p);
}
