#include "sim/amount.h"

#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stddef.h>

#include "assertion.h"

struct amount amount_fixed(int64_t value)
{
    ASSERT(value >= 0);
    ASSERT(value <= AMOUNT_MAX);
    return (struct amount){.kind = AMOUNT_FIXED, .low = value, .high = value};
}

bool amount_is(const struct amount *amount, int64_t value)
{
    ASSERT(amount != NULL);
    return amount->kind == AMOUNT_FIXED && amount->low == value;
}

/* Rounds to nearest and keeps within the amount's limits; not a number becomes the lower one. */
static int64_t clamp(const struct amount *amount, double value)
{
    int64_t high = amount->high == 0 ? AMOUNT_MAX : amount->high;
    if (!(value > (double)amount->low))
        return amount->low;
    if (value >= (double)high)
        return high;
    return (int64_t)llround(value);
}

int64_t amount_at(const struct amount *amount, double fraction)
{
    ASSERT(amount != NULL);
    ASSERT(fraction >= 0 && fraction < 1);
    switch (amount->kind) {
    case AMOUNT_FIXED:
        return amount->low;
    case AMOUNT_RANGE:
        ASSERT(amount->low <= amount->high);
        return amount->low +
               (int64_t)amount_share(fraction, (uint64_t)(amount->high - amount->low) + 1);
    case AMOUNT_WEIBULL: /* F(t) = 1 - exp(-(t / scale)^shape) */
        return clamp(amount, amount->second * pow(-log1p(-fraction), 1 / amount->first));
    case AMOUNT_EXPONENTIAL:
        return clamp(amount, -amount->first * log1p(-fraction));
    case AMOUNT_LOGNORMAL:
        if (fraction == 0)
            return amount->low;
        return clamp(amount,
                     exp(amount->first + amount->second * gsl_cdf_ugaussian_Pinv(fraction)));
    case AMOUNT_FOREVER:
        return AMOUNT_MAX;
    case AMOUNT_UNIFORM:
        break;
    }
    ASSERT(amount->kind != AMOUNT_UNIFORM); /* a share of what? the caller knows: amount_share */
    return 0;
}

uint64_t amount_share(double fraction, uint64_t offered)
{
    ASSERT(fraction >= 0 && fraction < 1);
    ASSERT(offered > 0);
    /* 53 bits of the fraction times 64 bits, exactly: no rounding up to `offered`. */
    uint64_t bits = (uint64_t)(fraction * 9007199254740992.0);
    __extension__ unsigned __int128 product = (__extension__(unsigned __int128) bits) * offered;
    uint64_t index = (uint64_t)(product >> 53);
    ASSERT(index < offered);
    return index;
}
