/*
 * Where the memory of simulated processes lies: 64 MiB slots at fixed addresses, so far from each
 * other that a flipped bit of a valid pointer, or of an index, never lands in another slot.
 *
 * Base of region i = 0x16 << 42 | word(i) << 26. Words are taken greedily, smallest first, so that
 *   (1) any two differ in at least 6 bits: no flip of 1 to 5 bits leads from one to another;
 *   (2) no two are m * 2^k apart for odd m <= 7, nor any byte of one that far
 *       from a byte of the other: a flipped index is an addition;
 *   (3) so the slots beside a region are free, and running off either end faults.
 */
#ifndef LORIS_SIM_ADDRESS_PLAN_H
#define LORIS_SIM_ADDRESS_PLAN_H

#include <stdint.h>

#define SIM_REGION_BITS 26u
#define SIM_REGION_BYTES (UINT64_C(1) << SIM_REGION_BITS)
#define SIM_REGIONS_MAX 94u /* as many as the rules admit; the test counts them */

/* Base address of region `index` < SIM_REGIONS_MAX. The table is computed by the first call. */
uint64_t sim_plan_base(uint32_t index);

/*
 * Looks for mappings of this process, other than regions, that one flipped bit (26..46) of a
 * region's address reaches. Returns their number: 0 unless the host lays out memory in a way that
 * the plan does not foresee; then memory faults cannot be judged. Reads /proc/self/maps.
 */
uint32_t sim_plan_hits(void);

#endif
