/* The address plan: the greedy code of the header, and the check of the host's own mappings. */
#include "sim/address_plan.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "assertion.h"

#define PLAN_PREFIX (UINT64_C(0x16) << 42)
#define WORD_BITS 16u
#define WORD_DISTANCE_MIN 6
#define FLIP_BIT_FIRST SIM_REGION_BITS
#define FLIP_BIT_LAST 46u /* bit 47 and above make no user address on x86-64 */

static bool is_odd_times_power(uint32_t d)
{
    while (d != 0 && d % 2 == 0)
        d /= 2;
    return d == 1 || d == 3 || d == 5 || d == 7;
}

/*
 * Whether words `d` apart break rule (2) or (3). A step of m * 2^k bytes with k >= 26 moves by a
 * whole number of slots, so it meets another slot only if d is that number; a smaller step moves by
 * at most 7/2 slots and what it could meet beside that is d <= 4, all of the form m * 2^k.
 */
static bool is_too_near(uint32_t d)
{
    return d <= 1 || is_odd_times_power(d);
}

static bool word_fits(uint32_t word, const uint32_t *words, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t d = word > words[i] ? word - words[i] : words[i] - word;
        if (__builtin_popcount(word ^ words[i]) < WORD_DISTANCE_MIN || is_too_near(d))
            return false;
    }
    return true;
}

static const uint32_t *plan_words(void)
{
    static uint32_t words[SIM_REGIONS_MAX];
    static uint32_t count;
    for (uint32_t w = 0; count < SIM_REGIONS_MAX && w < 1u << WORD_BITS; w++)
        if (word_fits(w, words, count))
            words[count++] = w;
    ASSERT(count == SIM_REGIONS_MAX);
    return words;
}

uint64_t sim_plan_base(uint32_t index)
{
    ASSERT(index < SIM_REGIONS_MAX);
    return PLAN_PREFIX | (uint64_t)plan_words()[index] << SIM_REGION_BITS;
}

static bool is_region(uint64_t address)
{
    for (uint32_t i = 0; i < SIM_REGIONS_MAX; i++)
        if (address >> SIM_REGION_BITS == sim_plan_base(i) >> SIM_REGION_BITS)
            return true;
    return false;
}

/* Whether a flip of one bit of some region's address meets [low, high). */
static bool is_one_flip_away(uint64_t low, uint64_t high)
{
    for (uint32_t i = 0; i < SIM_REGIONS_MAX; i++)
        for (unsigned bit = FLIP_BIT_FIRST; bit <= FLIP_BIT_LAST; bit++) {
            uint64_t slot = sim_plan_base(i) ^ UINT64_C(1) << bit;
            if (low < slot + SIM_REGION_BYTES && high > slot)
                return true;
        }
    return false;
}

uint32_t sim_plan_hits(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];
    uint32_t hits = 0;
    if (maps == NULL)
        return 0; /* no such file on this host: nothing can be checked */
    while (fgets(line, sizeof(line), maps) != NULL) {
        char *dash;
        uint64_t low = strtoull(line, &dash, 16);
        if (*dash != '-')
            continue; /* the rest of a line with a long path */
        uint64_t high = strtoull(dash + 1, NULL, 16);
        if (!is_region(low) && is_one_flip_away(low, high))
            hits++;
    }
    fclose(maps);
    return hits;
}
