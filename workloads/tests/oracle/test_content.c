#include <string.h>

#include "bytes.h"
#include "scripts/check_main.h"
#include "workloads/oracle/content.h"

#define BYTES 300u

static uint8_t whole[BYTES], part[BYTES];

START_TEST(test_content__does_not_depend_on_how_a_range_is_cut)
{
    content_fill(7, 9, 4093, whole, BYTES);
    for (uint64_t from = 0; from < 40; from++) {
        for (uint64_t to = from; to <= BYTES; to += 7) {
            content_fill(7, 9, 4093 + from, part, to - from);
            ck_assert(memcmp(part, whole + from, to - from) == 0);
        }
    }
}
END_TEST

START_TEST(test_content__match_stops_at_the_first_byte_that_differs)
{
    content_fill(7, 9, 5, whole, BYTES);
    ck_assert_uint_eq(content_match(7, 9, 5, whole, BYTES), BYTES);
    for (uint64_t at = 0; at < BYTES; at++) {
        whole[at] ^= 0x40;
        ck_assert_uint_eq(content_match(7, 9, 5, whole, BYTES), at);
        whole[at] ^= 0x40;
    }
}
END_TEST

START_TEST(test_content__of_another_inode_operation_or_place_does_not_match)
{
    content_fill(7, 9, 4096, whole, BYTES);
    ck_assert_uint_lt(content_match(8, 9, 4096, whole, BYTES), 8);
    ck_assert_uint_lt(content_match(7, 10, 4096, whole, BYTES), 8);
    ck_assert_uint_lt(content_match(9, 7, 4096, whole, BYTES), 8);
    for (uint64_t shift = 1; shift < 4096; shift++)
        ck_assert_uint_lt(content_match(7, 9, 4096 + shift, whole, 16), 8);
    ck_assert_uint_lt(content_match_zeros(whole, BYTES), 8);
}
END_TEST

static int compare(const void *a, const void *b)
{
    uint64_t x;
    uint64_t y;
    memcpy(&x, a, 8);
    memcpy(&y, b, 8);
    return x < y ? -1 : x > y;
}

START_TEST(test_content__no_two_of_a_million_words_agree)
{
    enum { WORDS = 1 << 20, EACH = 1 << 10 };
    uint64_t *words = malloc(WORDS * sizeof(*words));
    ck_assert_ptr_nonnull(words);
    for (uint32_t k = 0; k < WORDS / EACH; k++) /* 32 inodes, 32 writers each, 8 KiB of each */
        content_fill(k % 32 + 1, k / 32 + 1, 0, (uint8_t *)(words + k * EACH), EACH * 8);
    qsort(words, WORDS, sizeof(*words), compare);
    for (uint32_t k = 1; k < WORDS; k++)
        ck_assert_uint_ne(words[k - 1], words[k]);
    ck_assert_uint_ne(words[0], 0);
    free(words);
}
END_TEST

START_TEST(test_content__half_of_all_bits_are_set)
{
    uint64_t set = 0;
    for (uint32_t k = 1; k <= 1000; k++) {
        uint8_t word[8];
        content_fill(3, k, 8 * (uint64_t)k, word, 8);
        set += (uint64_t)__builtin_popcountll(get_le64(word));
    }
    ck_assert_uint_gt(set, 31000); /* 64,000 fair coins: deviation 126, so this is eight of them */
    ck_assert_uint_lt(set, 33000);
}
END_TEST

START_TEST(test_content__counts_zeros)
{
    memset(whole, 0, BYTES);
    for (uint64_t at = 0; at < BYTES; at++) {
        whole[at] = 1;
        ck_assert_uint_eq(content_match_zeros(whole, BYTES), at);
        whole[at] = 0;
    }
    ck_assert_uint_eq(content_match_zeros(whole, BYTES), BYTES);
    ck_assert_uint_eq(content_match_zeros(whole, 0), 0);
}
END_TEST

CHECK_MAIN("content", 60, tcase_add_test(tc, test_content__does_not_depend_on_how_a_range_is_cut);
           tcase_add_test(tc, test_content__match_stops_at_the_first_byte_that_differs);
           tcase_add_test(tc, test_content__of_another_inode_operation_or_place_does_not_match);
           tcase_add_test(tc, test_content__no_two_of_a_million_words_agree);
           tcase_add_test(tc, test_content__half_of_all_bits_are_set);
           tcase_add_test(tc, test_content__counts_zeros);)
