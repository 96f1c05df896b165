/* The code of ECC: one corrected, two detected, more by what they look like. */
#include "sim/secded.h"

#include "scripts/check_main.h"

#define BIT(k) (UINT64_C(1) << (k))

START_TEST(test_secded__one_bit_is_corrected_and_two_are_detected)
{
    bool detected = true;
    ck_assert_uint_eq(secded_read(0, &detected), 0);
    ck_assert(!detected);
    for (uint32_t a = 0; a < 64; a++) {
        ck_assert_uint_eq(secded_read(BIT(a), &detected), 0);
        ck_assert(!detected);
        for (uint32_t b = 0; b < a; b++) {
            ck_assert_uint_eq(secded_read(BIT(a) | BIT(b), &detected), BIT(a) | BIT(b));
            ck_assert(detected);
        }
    }
}
END_TEST

START_TEST(test_secded__three_bits_are_never_made_whole)
{
    uint32_t seen[2] = {0};
    for (uint32_t a = 0; a < 64; a += 3)
        for (uint32_t b = 0; b < a; b++)
            for (uint32_t c = 0; c < b; c++) {
                bool detected = false;
                uint64_t wrong = secded_read(BIT(a) | BIT(b) | BIT(c), &detected);
                int bits = __builtin_popcountll(wrong);
                ck_assert(bits == 3 || (bits == 4 && !detected)); /* as it is, or one more */
                seen[detected]++;
            }
    ck_assert_uint_gt(seen[0], seen[1]); /* most triples pass for a single */
    ck_assert_uint_gt(seen[1], 0);
}
END_TEST

START_TEST(test_secded__some_fours_look_like_nothing)
{
    uint32_t silent = 0, detected_count = 0;
    for (uint32_t a = 3; a < 64; a++)
        for (uint32_t b = 2; b < a; b++)
            for (uint32_t c = 1; c < b; c += 5)
                for (uint32_t d = 0; d < c; d += 5) {
                    bool detected = false;
                    (void)secded_read(BIT(a) | BIT(b) | BIT(c) | BIT(d), &detected);
                    silent += !detected;
                    detected_count += detected;
                }
    ck_assert_uint_gt(silent, 0);
    ck_assert_uint_gt(detected_count, 20 * silent);
}
END_TEST

CHECK_MAIN("secded", 60, {
    tcase_add_test(tc, test_secded__one_bit_is_corrected_and_two_are_detected);
    tcase_add_test(tc, test_secded__three_bits_are_never_made_whole);
    tcase_add_test(tc, test_secded__some_fours_look_like_nothing);
})
