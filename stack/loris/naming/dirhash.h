/*
 * SipHash-2-4 of a name, keyed by the directory's seed: nobody who does not know the seed can
 * choose names that collide. After Aumasson and Bernstein, "SipHash: a fast short-input PRF"
 * (INDOCRYPT 2012); the test repeats the example of its appendix A.
 */
#ifndef LORIS_NAMING_DIRHASH_H
#define LORIS_NAMING_DIRHASH_H

#include <stdint.h>

uint64_t dirhash(const uint64_t seed[2], const char *name, uint32_t bytes);

#endif
