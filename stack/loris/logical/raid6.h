/*
 * The field GF(2^8) of RAID-6 and its sums over blocks: P = sum D_i, Q = sum g^i D_i, with g = 2
 * and the polynomial x^8 + x^4 + x^3 + x^2 + 1 (H. P. Anvin, "The mathematics of RAID-6", 2004).
 * ISA-L's pq_gen computes the same, which the test compares.
 *
 * Blocks have BLOCK_BYTES. No state; addition is XOR.
 */
#ifndef LORIS_STACK_LORIS_LOGICAL_RAID6_H
#define LORIS_STACK_LORIS_LOGICAL_RAID6_H

#include <stdint.h>

uint8_t raid6_multiply(uint8_t a, uint8_t b);
uint8_t raid6_power(uint32_t exponent); /* g^exponent */
uint8_t raid6_inverse(uint8_t a);       /* a is not 0 */

/* sum = 2 sum + data; data NULL: a block of zeros. From the last block to the first it makes Q. */
void raid6_step(uint8_t *sum, const uint8_t *data);

/* block = factor x block; scratch: a block that is overwritten. */
void raid6_scale(uint8_t *block, uint8_t *scratch, uint8_t factor);

#endif
