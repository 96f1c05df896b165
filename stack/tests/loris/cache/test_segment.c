/* Items and lists of segments: pinned bytes, and every field that can be wrong. */
#include <string.h>

#include "bytes.h"
#include "scripts/check_main.h"
#include "stack/loris/cache/segment.h"

static const struct segment_item item = {.op = SEGMENT_WRITE,
                                         .flags = OBJECT_META,
                                         .lsn = 0x1122334455667788,
                                         .oid = 1024,
                                         .a = 3,
                                         .b = 2,
                                         .attr = {1, 2, 3}};

START_TEST(test_segment__an_item_has_these_bytes)
{
    uint8_t raw[SEGMENT_ITEM_BYTES];
    static const uint8_t want[SEGMENT_ITEM_BYTES] = {
        4, 0, 0, 0, 1, 0, 0, 0, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0, 4, 0, 0, 0, 0,
        0, 0, 3, 0, 0, 0, 0, 0, 0,    0,    2,    0,    0,    0,    0,    0,    0, 0, 1, 2, 3};
    segment_item_encode(raw, &item);
    ck_assert_mem_eq(raw, want, sizeof(raw));
}
END_TEST

START_TEST(test_segment__an_item_comes_back)
{
    uint8_t raw[SEGMENT_ITEM_BYTES];
    struct segment_item back;
    segment_item_encode(raw, &item);
    ck_assert_int_eq(segment_item_decode(&back, raw), OK);
    ck_assert_uint_eq(back.op, item.op);
    ck_assert_uint_eq(back.flags, item.flags);
    ck_assert_uint_eq(back.lsn, item.lsn);
    ck_assert_uint_eq(back.oid, item.oid);
    ck_assert_uint_eq(back.a, item.a);
    ck_assert_uint_eq(back.b, item.b);
    ck_assert_mem_eq(back.attr, item.attr, sizeof(back.attr));
}
END_TEST

static enum err decode_with(uint32_t at, uint64_t value)
{
    uint8_t raw[SEGMENT_ITEM_BYTES];
    struct segment_item back;
    segment_item_encode(raw, &item);
    if (at == 0)
        put_le32(raw, (uint32_t)value);
    else
        put_le64(raw + at, value);
    return segment_item_decode(&back, raw);
}

START_TEST(test_segment__an_item_that_cannot_be_is_none)
{
    ck_assert_int_eq(decode_with(0, 0), E_CORRUPT);
    ck_assert_int_eq(decode_with(0, SEGMENT_OPS), E_CORRUPT);
    ck_assert_int_eq(decode_with(8, 0), E_CORRUPT);
    ck_assert_int_eq(decode_with(16, OID_NONE), E_CORRUPT);
    ck_assert_int_eq(decode_with(24, OBJECT_SIZE_MAX / BLOCK_BYTES + 1), E_CORRUPT);
    ck_assert_int_eq(decode_with(32, OBJECT_SIZE_MAX / BLOCK_BYTES + 1), E_CORRUPT);
    ck_assert_int_eq(decode_with(24, OBJECT_SIZE_MAX / BLOCK_BYTES), OK);
}
END_TEST

START_TEST(test_segment__a_list_has_these_bytes_and_comes_back)
{
    uint8_t raw[SEGMENT_HEAD_BYTES];
    static const uint8_t want[SEGMENT_HEAD_BYTES] = {'L', 'R', 'G', '1', 1, 0, 39, 0, 16};
    struct segment_list back;
    segment_list_encode(raw, &(struct segment_list){.items = 39, .blocks = 16});
    ck_assert_mem_eq(raw, want, sizeof(raw));
    ck_assert_int_eq(segment_list_decode(&back, raw), OK);
    ck_assert_uint_eq(back.items, 39);
    ck_assert_uint_eq(back.blocks, 16);
}
END_TEST

START_TEST(test_segment__a_list_that_cannot_be_is_none)
{
    static const struct {
        size_t at;
        uint8_t value;
        enum err e;
    } wrong[] = {{0, 0, E_CORRUPT},  {4, 2, E_VERSION}, {6, 0, E_CORRUPT},
                 {6, 40, E_CORRUPT}, {8, 0, E_CORRUPT}, {8, 17, E_CORRUPT}};
    for (size_t k = 0; k < sizeof(wrong) / sizeof(wrong[0]); k++) {
        uint8_t raw[SEGMENT_HEAD_BYTES];
        struct segment_list back;
        segment_list_encode(raw, &(struct segment_list){.items = 5, .blocks = 1});
        raw[wrong[k].at] = wrong[k].value;
        ck_assert_int_eq(segment_list_decode(&back, raw), wrong[k].e);
    }
}
END_TEST

CHECK_MAIN("segment", 10, tcase_add_test(tc, test_segment__an_item_has_these_bytes);
           tcase_add_test(tc, test_segment__an_item_comes_back);
           tcase_add_test(tc, test_segment__an_item_that_cannot_be_is_none);
           tcase_add_test(tc, test_segment__a_list_has_these_bytes_and_comes_back);
           tcase_add_test(tc, test_segment__a_list_that_cannot_be_is_none);)
