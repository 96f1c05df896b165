/*
 * Single error correction, double error detection over words of 64 bits: the code that memory with
 * ECC has. An odd-weight-column code (M. Y. Hsiao, "A class of optimal minimum odd-weight-column
 * SEC-DED codes", IBM J. Res. Dev. 14(4), 1970): 8 check bits; the columns of data are the 56 of
 * weight 3 and 8 of weight 5, which eight is our choice. Check bits are taken to be whole.
 */
#ifndef LORIS_SIM_SECDED_H
#define LORIS_SIM_SECDED_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What the processor gets of a word of which the bits in `flipped` are wrong: the bits that are
 * wrong then. One bit is corrected. Two are detected; so are more, unless they look like one bit
 * (which is then wrong as well) or like none. *detected: the word cannot be read.
 */
uint64_t secded_read(uint64_t flipped, bool *detected);

#endif
