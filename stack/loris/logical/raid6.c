/* Multiplication by 2 goes over eight bytes of a word at once: shift all, then reduce those whose
 * highest bit fell out. Any other factor is a sum of doublings. */
#include "raid6.h"

#include "assertion.h"
#include "mem.h"
#include "object.h"

#define WORDS 8u /* at a time */
#define LOW_BITS UINT64_C(0x0101010101010101)
#define REDUCE UINT64_C(0x1d) /* the polynomial without x^8 */

uint8_t raid6_multiply(uint8_t a, uint8_t b)
{
    uint32_t product = 0, term = a;
    for (uint32_t bit = 0; bit < 8; bit++) {
        product ^= (b >> bit & 1u) * term;
        term = term << 1 ^ (term >> 7 & 1) * (0x100u | (uint32_t)REDUCE);
    }
    return (uint8_t)product;
}

uint8_t raid6_power(uint32_t exponent)
{
    uint8_t power = 1;
    for (uint32_t k = 0; k < exponent % 255; k++)
        power = raid6_multiply(power, 2);
    return power;
}

/* a^254: the multiplicative group has 255 elements. */
uint8_t raid6_inverse(uint8_t a)
{
    uint8_t inverse = 1;
    ASSERT(a != 0);
    for (uint32_t k = 0; k < 254; k++)
        inverse = raid6_multiply(inverse, a);
    return inverse;
}

void raid6_step(uint8_t *sum, const uint8_t *data)
{
    uint64_t word[WORDS];
    ASSERT(sum != NULL);
    for (size_t at = 0; at < BLOCK_BYTES; at += sizeof(word)) {
        memcpy(word, sum + at, sizeof(word));
        for (uint32_t k = 0; k < WORDS; k++) {
            uint64_t high = word[k] >> 7 & LOW_BITS;
            word[k] = (word[k] & ~(LOW_BITS << 7)) << 1 ^ high * REDUCE;
        }
        memcpy(sum + at, word, sizeof(word));
    }
    if (data != NULL)
        plat_xor(sum, data, BLOCK_BYTES);
}

void raid6_scale(uint8_t *block, uint8_t *scratch, uint8_t factor)
{
    ASSERT(block != scratch);
    plat_copy(scratch, block, BLOCK_BYTES);
    memset(block, 0, BLOCK_BYTES);
    for (uint32_t bit = 0; bit < 8; bit++) { /* scratch = 2^bit x block */
        if ((factor >> bit & 1) != 0)
            plat_xor(block, scratch, BLOCK_BYTES);
        if (factor >> bit > 1)
            raid6_step(scratch, NULL);
    }
}
