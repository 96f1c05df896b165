/*
 * A number that a campaign file gives: fixed, a range, or a distribution, in the base unit of its
 * key (ns, bytes, or 1). It is drawn by inverting its distribution at a fraction of [0, 1), so
 * whoever draws needs one random fraction and no generator of ours, and equal fractions give equal
 * values.
 *
 * Invariants: (1) low <= high; (2) FIXED has low == high; (3) every draw lies in [0, 2^62].
 */
#ifndef LORIS_SIM_AMOUNT_H
#define LORIS_SIM_AMOUNT_H

#include <stdbool.h>
#include <stdint.h>

#define AMOUNT_MAX                                                                                 \
    (INT64_C(1) << 62) /* 146 years in ns, 4 EiB: beyond any machine simulated here */

enum amount_kind {
    AMOUNT_FIXED,       /* low */
    AMOUNT_RANGE,       /* low..high, uniform, both ends */
    AMOUNT_WEIBULL,     /* shape `first`, scale `second` in the base unit */
    AMOUNT_EXPONENTIAL, /* mean `first` in the base unit */
    AMOUNT_LOGNORMAL,   /* mu `first`, sigma `second` of the natural logarithm in the base unit */
    AMOUNT_UNIFORM, /* the text `uniform`: a share of what the fault-free run offers, see fault.h */
    AMOUNT_FOREVER, /* no end: the default of `for` */
};

struct amount {
    enum amount_kind kind;
    int64_t low,
        high; /* FIXED, RANGE; of distributions the limits of a draw (high 0: AMOUNT_MAX) */
    double first, second; /* the distributions */
};

/* The amount that is always `value`, 0 <= value <= AMOUNT_MAX. */
struct amount amount_fixed(int64_t value);

/* Whether it is FIXED and equals `value`. */
bool amount_is(const struct amount *amount, int64_t value);

/* Its value at `fraction`, 0 <= fraction < 1, in the base unit; not for UNIFORM. FOREVER:
 * AMOUNT_MAX. Deterministic: the same fraction gives the same value. */
int64_t amount_at(const struct amount *amount, double fraction);

/* A share of `offered` things, for UNIFORM: an index 0..offered-1 (offered > 0), monotone in
 * `fraction`. */
uint64_t amount_share(double fraction, uint64_t offered);

#endif
