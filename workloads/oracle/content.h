/*
 * What applications write: byte x of inode i written by operation w is f(i, w, x). So any range
 * that is read back can be held against the operation that should have written it, without a header
 * in the data, and content of another file, operation or place does not pass for it.
 *
 * f is evaluated 8 bytes at a time: byte x is byte x mod 8 (little-endian) of the word number x
 * / 8.
 *
 * Invariants (tests/oracle/test_content.c):
 *   (1) f does not depend on how a range is cut or on the alignment of the buffer;
 *   (2) words of one (i, w) at different places differ: the mixer is a bijection of the place;
 *   (3) words of different (i, w) agree by chance only, as 64-bit random numbers do.
 */
#ifndef LORIS_WORKLOADS_ORACLE_CONTENT_H
#define LORIS_WORKLOADS_ORACLE_CONTENT_H

#include <stdbool.h>
#include <stdint.h>

/* Fills to[0, bytes) with f(inode, writer, offset + k). offset in bytes, of any alignment. */
void content_fill(uint32_t inode, uint32_t writer, uint64_t offset, uint8_t *to, uint64_t bytes);

/*
 * How many bytes of from[0, bytes), from the first on, are f(inode, writer, offset + k). Equals
 * `bytes` if all are. Stops at the word that differs, so a mismatch costs O(1).
 */
uint64_t content_match(uint32_t inode, uint32_t writer, uint64_t offset, const uint8_t *from,
                       uint64_t bytes);

/* The same for zeros: how many bytes from the first on are 0. */
uint64_t content_match_zeros(const uint8_t *from, uint64_t bytes);

/* A value of an extended attribute in one word, not 0. The sum (exclusive or) of those of all
 * attributes of an inode stands for the set. */
uint64_t content_digest(const char *name, const uint8_t *value, uint64_t bytes);

#endif
