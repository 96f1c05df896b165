/*
 * Philox streams behind GSL's interface. The block function is Random123's; this file only names
 * streams and hands out words.
 */
#include "sim/rng.h"

#include <Random123/philox.h>
#include <stddef.h>

#include "assertion.h"

/* 2^-53: spacing of doubles in [0.5, 1), so that every 53-bit integer maps to another double. */
#define UNIT_53 0x1.0p-53
/* 2^-32 for GSL's get_double, which promises 32 bits. */
#define UNIT_32 0x1.0p-32

static philox4x32_ctr_t philox_block(uint64_t key, uint64_t high, uint64_t low)
{
    philox4x32_ctr_t counter = {
        {(uint32_t)low, (uint32_t)(low >> 32), (uint32_t)high, (uint32_t)(high >> 32)}};
    philox4x32_key_t philox_key = {{(uint32_t)key, (uint32_t)(key >> 32)}};
    return philox4x32(counter, philox_key);
}

/* The 64-bit finaliser of MurmurHash3 (Appleby): a bijection in which every bit reaches all. */
static uint64_t finalise(uint64_t x)
{
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    x ^= x >> 33;
    return x;
}

uint64_t sim_rng_mix(uint64_t a, uint64_t b)
{
    /* The golden ratio's bits part (a, b) from (b, a) and keep (0, 0) off the fixed point 0. */
    return finalise(finalise(a + UINT64_C(0x9e3779b97f4a7c15)) ^ b);
}

uint64_t sim_rng_purpose(const char *name, uint64_t ordinal)
{
    ASSERT(name != NULL);
    ASSERT(name[0] != '\0');
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a, offset basis and prime */
    for (const char *p = name; *p != '\0'; p++)
        hash = (hash ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
    return sim_rng_mix(hash, ordinal);
}

void sim_rng_init(struct sim_rng *rng, uint64_t seed, uint64_t trial, uint64_t purpose)
{
    ASSERT(rng != NULL);
    *rng = (struct sim_rng){.key = sim_rng_mix(seed, purpose), .trial = trial, .used = 4};
    rng->gsl.type = sim_rng_type;
    rng->gsl.state = rng;
}

uint32_t sim_rng_u32(struct sim_rng *rng)
{
    ASSERT(rng->used <= 4);
    if (rng->used == 4) {
        philox4x32_ctr_t block = philox_block(rng->key, rng->trial, rng->block++);
        for (int i = 0; i < 4; i++)
            rng->word[i] = block.v[i];
        rng->used = 0;
    }
    return rng->word[rng->used++];
}

uint64_t sim_rng_u64(struct sim_rng *rng)
{
    uint64_t low = sim_rng_u32(rng);
    return low | (uint64_t)sim_rng_u32(rng) << 32;
}

double sim_rng_unit(struct sim_rng *rng)
{
    return (double)(sim_rng_u64(rng) >> 11) * UNIT_53;
}

uint64_t sim_rng_below(struct sim_rng *rng, uint64_t limit)
{
    __extension__ typedef unsigned __int128 wide;
    ASSERT(limit >= 1);
    return (uint64_t)((wide)sim_rng_u64(rng) * limit >> 64);
}

uint64_t sim_rng_draw(uint64_t seed, uint64_t trial, uint64_t purpose, uint64_t ordinal)
{
    philox4x32_ctr_t block = philox_block(sim_rng_mix(seed, purpose), trial, ordinal);
    /* The stream of the same name starts with the same block; its upper half is not used here. */
    return block.v[0] | (uint64_t)block.v[1] << 32;
}

double sim_rng_draw_unit(uint64_t seed, uint64_t trial, uint64_t purpose, uint64_t ordinal)
{
    return (double)(sim_rng_draw(seed, trial, purpose, ordinal) >> 11) * UNIT_53;
}

void sim_rng_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    philox4x32_ctr_t block =
        philox_block(key[0] | (uint64_t)key[1] << 32, counter[2] | (uint64_t)counter[3] << 32,
                     counter[0] | (uint64_t)counter[1] << 32);
    for (int i = 0; i < 4; i++)
        out[i] = block.v[i];
}

static void gsl_set(void *state, unsigned long seed)
{
    struct sim_rng *rng = state;
    rng->key = seed;
    rng->trial = 0;
    rng->block = 0;
    rng->used = 4;
}

static unsigned long gsl_get(void *state)
{
    return sim_rng_u32(state);
}

static double gsl_get_double(void *state)
{
    return sim_rng_u32(state) * UNIT_32;
}

static const gsl_rng_type philox_type = {.name = "philox4x32-10",
                                         .max = UINT32_MAX,
                                         .min = 0,
                                         .size = sizeof(struct sim_rng),
                                         .set = gsl_set,
                                         .get = gsl_get,
                                         .get_double = gsl_get_double};
const gsl_rng_type *const sim_rng_type = &philox_type;
