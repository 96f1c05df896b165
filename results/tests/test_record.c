/* Records survive the pipe, and no bytes from it are believed. */
#include <stdio.h>
#include <string.h>

#include "results/record.h"
#include "results/samples.h"
#include "scripts/check_main.h"

static struct trial_record a, b;
static uint8_t raw[RECORD_ENCODED_MAX];

static void fill(struct trial_record *r)
{
    record_init(r);
    r->trial = 4711;
    r->cell = 3;
    r->n = 12;
    r->hash = 0x8123456789abcdefu;
    r->level = LEVEL_SYNCED;
    r->promised = LEVEL_DURABLE;
    r->injected = true;
    r->undecided = true;
    record_text(r->struck, sizeof(r->struck), "[{\"time_ns\":5}]");
    record_text(r->story, sizeof(r->story), "disk 1 failed");
    r->rebuild_ns = 77;
    r->written = 4096;
    r->ops = 9;
    r->probes[1] = 5;
    record_add_event(r, 5, "disk", "fault injected", "disk 1");
    r->environment[r->environment_count++] = (struct record_environment){LEVEL_DEAD, 2};
    struct sample s[] = {{"read", PHASE_BEFORE, 100, -3000000, true},
                         {"write", PHASE_AFTER, 5000, 90000000, true},
                         {"read", PHASE_BEFORE, 300, -2500000, true}};
    samples_fill(r, s, 3);
}

START_TEST(test_record__comes_back_equal)
{
    fill(&a);
    size_t bytes = record_encode(&a, raw);
    ck_assert_int_eq(record_decode(&b, raw, bytes), OK);
    ck_assert_mem_eq(&a, &b, sizeof(a));
}
END_TEST

START_TEST(test_record__refuses_every_shorter_message)
{
    fill(&a);
    size_t bytes = record_encode(&a, raw);
    for (size_t cut = 0; cut < bytes; cut++) {
        ck_assert_int_eq(record_decode(&b, raw, cut), E_CORRUPT);
        if (cut < 4)
            continue;
        uint32_t claim = (uint32_t)(cut - 4); /* even with a prefix that agrees */
        uint8_t prefix[4] = {(uint8_t)claim, (uint8_t)(claim >> 8), (uint8_t)(claim >> 16), 0};
        uint8_t saved[4];
        memcpy(saved, raw, 4);
        memcpy(raw, prefix, 4);
        ck_assert_int_eq(record_decode(&b, raw, cut), E_CORRUPT);
        memcpy(raw, saved, 4);
    }
}
END_TEST

START_TEST(test_record__survives_any_flipped_byte)
{
    fill(&a);
    size_t bytes = record_encode(&a, raw);
    unsigned refused = 0;
    for (size_t at = 0; at < bytes; at++) {
        raw[at] ^= 0xff;
        if (record_decode(&b, raw, bytes) != OK)
            refused++;
        else
            ck_assert(record_check(&b)); /* what is taken holds the invariants */
        raw[at] ^= 0xff;
    }
    ck_assert_uint_gt(refused, 20);
}
END_TEST

START_TEST(test_record__kept_compares_with_the_promise)
{
    record_init(&a);
    a.level = LEVEL_DEAD;
    ck_assert_int_eq(record_kept(&a), RECORD_NULL);
    a.promised = LEVEL_SYNCED;
    ck_assert_int_eq(record_kept(&a), 0);
    a.level = LEVEL_SYNCED;
    ck_assert_int_eq(record_kept(&a), 1);
}
END_TEST

START_TEST(test_record__text_is_never_half_a_character)
{
    char text[4];
    record_text(text, sizeof(text), "ab\xc3\xa9");
    ck_assert_str_eq(text, "ab");
    record_text(text, sizeof(text), "a\xc3\xa9x");
    ck_assert_str_eq(text, "a\xc3\xa9");
}
END_TEST

START_TEST(test_record__events_beyond_the_limit_are_counted)
{
    record_init(&a);
    for (unsigned i = 0; i < RECORD_EVENTS_MAX + 3; i++)
        record_add_event(&a, i, "disk", "repair", NULL);
    ck_assert_uint_eq(a.event_count, RECORD_EVENTS_MAX);
    ck_assert_uint_eq(a.dropped, 3);
}
END_TEST

START_TEST(test_samples__grids_are_monotone_and_invert)
{
    for (uint32_t bin = 0; bin < SAMPLES_BINS; bin++) {
        ck_assert_uint_eq(samples_bin(samples_bin_low_ns(bin)), bin);
        if (bin > 0)
            ck_assert_uint_eq(samples_bin(samples_bin_low_ns(bin) - 1), bin - 1);
    }
    ck_assert_uint_eq(samples_bin(UINT64_MAX), SAMPLES_BINS - 1);
    for (int32_t bucket = -300; bucket < 300; bucket++)
        ck_assert_int_eq(samples_bucket(samples_bucket_start_ns(bucket)), bucket);
    ck_assert_int_eq(samples_bucket(-1), -1);
    ck_assert_int_eq(samples_bucket(0), 0);
}
END_TEST

START_TEST(test_samples__percentiles_are_order_statistics)
{
    static struct sample s[200];
    for (unsigned i = 0; i < 200; i++)
        s[i] = (struct sample){"read", PHASE_DURING, 200 - i, 0, false};
    record_init(&a);
    samples_fill(&a, s, 200);
    ck_assert_uint_eq(a.latency_count, 1);
    ck_assert_uint_eq(a.latency[0].n, 200);
    ck_assert_uint_eq(a.latency[0].p50_ns, 100);
    ck_assert_uint_eq(a.latency[0].p99_ns, 198);
    ck_assert_uint_eq(a.latency[0].max_ns, 200);
    ck_assert_uint_eq(a.timeline_count, 0);
    uint64_t n = 0;
    for (unsigned i = 0; i < a.bin_count; i++)
        n += a.bin[i].n;
    ck_assert_uint_eq(n, 200);
}
END_TEST

CHECK_MAIN("record", 60, tcase_add_test(tc, test_record__comes_back_equal);
           tcase_add_test(tc, test_record__refuses_every_shorter_message);
           tcase_add_test(tc, test_record__survives_any_flipped_byte);
           tcase_add_test(tc, test_record__kept_compares_with_the_promise);
           tcase_add_test(tc, test_record__text_is_never_half_a_character);
           tcase_add_test(tc, test_record__events_beyond_the_limit_are_counted);
           tcase_add_test(tc, test_samples__grids_are_monotone_and_invert);
           tcase_add_test(tc, test_samples__percentiles_are_order_statistics);)
