#include "sim/secded.h"

#include "assertion.h"

#define DATA_BITS 64u
#define CHECKS 256u /* values of 8 check bits */

/* The column of data bit `bit`: the values of weight 3 in order, then those of weight 5. */
static uint32_t column(uint32_t bit)
{
    uint32_t seen = 0;
    for (int weight = 3; weight <= 5; weight += 2)
        for (uint32_t value = 0; value < CHECKS; value++)
            if (__builtin_popcount(value) == weight && seen++ == bit)
                return value;
    ASSERT(bit < DATA_BITS);
    return 0;
}

static uint32_t syndrome_of(uint64_t flipped)
{
    uint32_t syndrome = 0;
    for (uint64_t left = flipped; left != 0; left &= left - 1)
        syndrome ^= column((uint32_t)__builtin_ctzll(left));
    return syndrome;
}

uint64_t secded_read(uint64_t flipped, bool *detected)
{
    uint32_t syndrome = syndrome_of(flipped);
    int weight = __builtin_popcount(syndrome);
    *detected = weight % 2 == 0 && syndrome != 0;
    if (weight % 2 == 0 || weight == 1) /* none; two; or a check bit, which is nobody's */
        return flipped;
    for (uint32_t bit = 0; bit < DATA_BITS; bit++)
        if (column(bit) == syndrome)
            return flipped ^ UINT64_C(1) << bit;
    *detected = true; /* of no bit */
    return flipped;
}
