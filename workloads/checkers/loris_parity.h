/*
 * The arithmetic of parity, for loris_check.c: written from FORMAT.md, not from the stack.
 */
#ifndef LORIS_WORKLOADS_CHECKERS_LORIS_PARITY_H
#define LORIS_WORKLOADS_CHECKERS_LORIS_PARITY_H

#include <stdbool.h>
#include <stdint.h>

#define PARITY_BLOCK 4096u

/*
 * Whether P (which 0) or Q (1) of a row is that of its data, all of which are known. content: the
 * blocks of the row by slot; first: the slot of P, then come Q, if there is one, and the data.
 */
bool loris_parity_holds(const uint8_t (*content)[PARITY_BLOCK], uint32_t slots, uint32_t parities,
                        uint32_t first, uint32_t which);

#endif
