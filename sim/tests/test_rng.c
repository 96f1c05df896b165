/* Random streams: the published answers of Philox, and independence of streams. */
#include <gsl/gsl_randist.h>

#include "scripts/check_main.h"
#include "sim/rng.h"

/* Random123's kat_vectors file, rows "philox4x32 10". */
static const struct known_answer {
    uint32_t counter[4], key[2], out[4];
} known[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

START_TEST(test_rng__reproduces_the_published_answers)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        uint32_t out[4];
        sim_rng_philox(known[i].counter, known[i].key, out);
        for (int w = 0; w < 4; w++)
            ck_assert_uint_eq(out[w], known[i].out[w]);
    }
}
END_TEST

START_TEST(test_rng__gsl_type_with_seed_0_hands_out_the_words_of_block_0)
{
    gsl_rng *r = gsl_rng_alloc(sim_rng_type);
    gsl_rng_set(r, 0);
    for (int w = 0; w < 4; w++)
        ck_assert_uint_eq(gsl_rng_get(r), known[0].out[w]);
    ck_assert_uint_ne(gsl_rng_get(r), known[0].out[0]);
    gsl_rng_free(r);
}
END_TEST

START_TEST(test_rng__a_stream_depends_on_each_part_of_its_name)
{
    struct sim_rng rng[5];
    uint64_t seek = sim_rng_purpose("seek", 0);
    sim_rng_init(&rng[0], 1, 7, seek);
    sim_rng_init(&rng[1], 2, 7, seek);
    sim_rng_init(&rng[2], 1, 8, seek);
    sim_rng_init(&rng[3], 1, 7, sim_rng_purpose("seek", 1));
    sim_rng_init(&rng[4], 1, 7, sim_rng_purpose("sees", 0));
    uint64_t first[5];
    for (int i = 0; i < 5; i++)
        first[i] = sim_rng_u64(&rng[i]);
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < i; k++)
            ck_assert_uint_ne(first[i], first[k]);
}
END_TEST

START_TEST(test_rng__a_stream_does_not_depend_on_draws_of_another)
{
    struct sim_rng a, b, again;
    sim_rng_init(&a, 1, 7, sim_rng_purpose("a", 0));
    sim_rng_init(&b, 1, 7, sim_rng_purpose("b", 0));
    sim_rng_init(&again, 1, 7, sim_rng_purpose("a", 0));
    for (int i = 0; i < 1000; i++) {
        (void)sim_rng_u32(&b);
        ck_assert_uint_eq(sim_rng_u32(&a), sim_rng_u32(&again));
    }
}
END_TEST

START_TEST(test_rng__below_covers_its_range_evenly)
{
    struct sim_rng rng;
    uint32_t seen[7] = {0};
    sim_rng_init(&rng, 3, 0, sim_rng_purpose("below", 0));
    for (int i = 0; i < 70000; i++) {
        uint64_t x = sim_rng_below(&rng, 7);
        ck_assert_uint_lt(x, 7);
        seen[x]++;
    }
    for (int i = 0; i < 7; i++) { /* 10,000 +- 5 standard deviations of 92.6 */
        ck_assert_uint_gt(seen[i], 9537);
        ck_assert_uint_lt(seen[i], 10463);
    }
    ck_assert_uint_eq(sim_rng_below(&rng, 1), 0);
}
END_TEST

START_TEST(test_rng__unit_and_gsl_exponential_have_their_means)
{
    struct sim_rng rng;
    double unit = 0, exponential = 0;
    sim_rng_init(&rng, 3, 1, sim_rng_purpose("mean", 0));
    for (int i = 0; i < 100000; i++) {
        double u = sim_rng_unit(&rng);
        ck_assert(u >= 0.0 && u < 1.0);
        unit += u;
        exponential += gsl_ran_exponential(&rng.gsl, 2.0);
    }
    ck_assert_double_eq_tol(unit / 1e5, 0.5, 0.005); /* 5 sd */
    ck_assert_double_eq_tol(exponential / 1e5, 2.0, 0.032);
}
END_TEST

START_TEST(test_rng__stateless_draws_differ_by_ordinal_and_repeat)
{
    uint64_t purpose = sim_rng_purpose("draw", 0);
    uint64_t d0 = sim_rng_draw(1, 2, purpose, 0);
    ck_assert_uint_ne(d0, sim_rng_draw(1, 2, purpose, 1));
    ck_assert_uint_ne(d0, sim_rng_draw(1, 3, purpose, 0));
    ck_assert_uint_eq(d0, sim_rng_draw(1, 2, purpose, 0));
    double u = sim_rng_draw_unit(1, 2, purpose, 0);
    ck_assert_double_eq_tol(u, (double)d0 / 18446744073709551616.0, 1e-15);
}
END_TEST

CHECK_MAIN("rng", 60, tcase_add_test(tc, test_rng__reproduces_the_published_answers);
           tcase_add_test(tc, test_rng__gsl_type_with_seed_0_hands_out_the_words_of_block_0);
           tcase_add_test(tc, test_rng__a_stream_depends_on_each_part_of_its_name);
           tcase_add_test(tc, test_rng__a_stream_does_not_depend_on_draws_of_another);
           tcase_add_test(tc, test_rng__below_covers_its_range_evenly);
           tcase_add_test(tc, test_rng__unit_and_gsl_exponential_have_their_means);
           tcase_add_test(tc, test_rng__stateless_draws_differ_by_ordinal_and_repeat);)
