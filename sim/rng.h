/*
 * Random numbers: counter-based streams of Philox4x32-10 (Salmon et al., "Parallel random numbers:
 * as easy as 1, 2, 3", SC 2011; code of Random123). A stream is named by (campaign seed, trial,
 * purpose); no stream's draws depend on how much another has drawn. So variants of one campaign
 * meet the same workload and the same faults in the same trial, which makes paired comparison
 * possible.
 *
 * How names map to Philox: its 64-bit key is hash(seed, purpose), the upper half of its 128-bit
 * counter is the trial, the lower half counts blocks. Two trials of one purpose thus never share a
 * block; two purposes share one only if their 64-bit hashes collide.
 *
 * GSL's rejection samplers (gamma, gaussian, ...) take a varying number of draws: give each such
 * variate a purpose or ordinal of its own, or use an inverse distribution function.
 */
#ifndef LORIS_SIM_RNG_H
#define LORIS_SIM_RNG_H

#include <gsl/gsl_rng.h>
#include <stdint.h>

/* The generator's state; lent by the caller. It points into itself: do not copy it by value. */
struct sim_rng {
    gsl_rng gsl;       /* type and a pointer to this struct, for GSL's distributions */
    uint64_t key;      /* hash of seed and purpose */
    uint64_t trial;    /* upper half of the counter */
    uint64_t block;    /* lower half: the next block of four words */
    uint32_t word[4];  /* the block that is being handed out */
    uint32_t used;     /* words of it already handed out, 4 = none left */
    uint32_t reserved; /* 0 */
};

/* Philox behind GSL's interface: 32 bits a draw; gsl_rng_set(seed) selects key `seed`, trial 0. */
extern const gsl_rng_type *const sim_rng_type;

/*
 * The 64-bit name of a purpose: a hash of a text and a number, e.g. ("disk-seek", disk index) or
 * ("fault", plan's row). Nest calls to use more numbers: sim_rng_purpose("x", sim_rng_mix(a, b)).
 */
uint64_t sim_rng_purpose(const char *name, uint64_t ordinal);

/* Mixes two words into one (a fixed function, well spread; not cryptographic). */
uint64_t sim_rng_mix(uint64_t a, uint64_t b);

/* Starts the stream named (seed, trial, purpose) at its first number. */
void sim_rng_init(struct sim_rng *rng, uint64_t seed, uint64_t trial, uint64_t purpose);

/* The next 32 bits, 64 bits, and a double in [0, 1) with 53 bits. */
uint32_t sim_rng_u32(struct sim_rng *rng);
uint64_t sim_rng_u64(struct sim_rng *rng);
double sim_rng_unit(struct sim_rng *rng);

/*
 * An integer uniform in [0, limit), limit >= 1, by one 64-bit draw times limit (Lemire's method
 * without its rejection): off from uniform by less than limit / 2^64, always two words.
 */
uint64_t sim_rng_below(struct sim_rng *rng, uint64_t limit);

/*
 * The stateless draw: 64 bits that depend on the four words alone. For decisions that must not move
 * when the order of events does ("does request 812 of this trial fail?").
 */
uint64_t sim_rng_draw(uint64_t seed, uint64_t trial, uint64_t purpose, uint64_t ordinal);

/* The same as a double in [0, 1). */
double sim_rng_draw_unit(uint64_t seed, uint64_t trial, uint64_t purpose, uint64_t ordinal);

/* One block of Philox4x32-10, as published; counter and key are words, least significant first. */
void sim_rng_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

#endif
