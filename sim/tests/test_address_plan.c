/* The plan: its first words as published with the rules, its distances, and the host's own maps. */
#include <stdlib.h>

#include "scripts/check_main.h"
#include "sim/address_plan.h"
#include "sim/region.h"

START_TEST(test_address_plan__begins_with_the_words_worked_out_by_hand)
{
    static const uint64_t first[] = {0x580000000000, 0x5800fc000000, 0x58071c000000,
                                     0x5807e0000000, 0x58192c000000, 0x5819d0000000,
                                     0x581e30000000, 0x581ecc000000};
    for (uint32_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
        ck_assert_uint_eq(sim_plan_base(i), first[i]);
}
END_TEST

START_TEST(test_address_plan__no_flip_of_five_bits_and_no_small_step_meets_a_region)
{
    for (uint32_t i = 0; i < SIM_REGIONS_MAX; i++)
        for (uint32_t k = 0; k < i; k++) {
            uint64_t a = sim_plan_base(i), b = sim_plan_base(k);
            ck_assert_int_ge(__builtin_popcountll(a ^ b), 6);
            for (uint64_t odd = 1; odd <= 7; odd += 2)
                for (unsigned bit = 0; bit < 44; bit++) {
                    /* any byte of region k, moved by odd * 2^bit, misses region i */
                    uint64_t up = b + (odd << bit), down = b - (odd << bit);
                    ck_assert(up >= a + SIM_REGION_BYTES || up + SIM_REGION_BYTES <= a);
                    ck_assert(down >= a + SIM_REGION_BYTES || down + SIM_REGION_BYTES <= a);
                }
        }
}
END_TEST

START_TEST(test_address_plan__the_host_maps_nothing_one_flip_away)
{
    ck_assert_uint_eq(sim_plan_hits(), 0);
}
END_TEST

CHECK_MAIN("address_plan", 60,
           tcase_add_test(tc, test_address_plan__begins_with_the_words_worked_out_by_hand);
           tcase_add_test(tc,
                          test_address_plan__no_flip_of_five_bits_and_no_small_step_meets_a_region);
           tcase_add_test(tc, test_address_plan__the_host_maps_nothing_one_flip_away);)
