/*
 * What is in the log: what was written is read; what is torn, foreign or flipped is refused.
 */
#include "stack/classic/journal/record.h"

#include <string.h>

#include "bytes.h"
#include "scripts/check_main.h"
#include "stack/tests/fake_platform.h"

#define SECTOR 512u

static uint8_t page[BLOCK_BYTES], other[BLOCK_BYTES];
static const struct record images = {RECORD_IMAGES, 7, 41, 1000, 3};

static void setup(void)
{
    fake_reset();
    memset(page, 0, sizeof(page));
    memset(other, 0, sizeof(other));
}

static void make_images(uint8_t *to, uint64_t txid)
{
    struct record r = images;
    r.txid = txid;
    for (uint32_t k = 0; k < r.count; k++)
        record_tag(to, k, 500 + k, (uint32_t)txid * 3 + k);
    record_tag(to, RECORD_TAGS - 1, 9, (uint32_t)txid); /* in the last sector */
    (void)record_seal(to, &r);
}

static void make_commit(uint8_t *to, const uint32_t *orphan, uint32_t orphans)
{
    struct record r = {RECORD_COMMIT, 7, 41, 1000, orphans};
    record_commit(to, &r, &(struct commit){.blocks = 5, .time_ns = 9, .crc = 77, .orphan = orphan});
}

/* As the reader that expects the transaction 41 at 1000 in epoch 7 would. */
static enum err open_page(struct record *r)
{
    uint32_t crc;
    *r = (struct record){.epoch = 7, .txid = 41, .position = 1000};
    return record_open(page, r, &crc);
}

START_TEST(test_record__a_header_is_read_as_it_was_written)
{
    struct record r;
    uint32_t home, crc;
    make_images(page, 41);
    ck_assert_int_eq(open_page(&r), OK);
    ck_assert_int_eq(r.type, RECORD_IMAGES);
    ck_assert_uint_eq(r.count, 3);
    record_tag_get(page, 2, &home, &crc);
    ck_assert_uint_eq(home, 502);
    ck_assert_uint_eq(crc, 125);
    ck_assert_uint_eq(get_le64(page), UINT64_C(0x314c4e524a53524c)); /* FORMAT.md */
    ck_assert_uint_eq(get_le64(page + 28), 1000);
    ck_assert_uint_eq(get_le32(page + 64 + 2 * 24), 502);
}
END_TEST

START_TEST(test_record__a_header_of_another_place_or_life_is_refused)
{
    uint32_t crc;
    make_images(page, 41);
    for (uint32_t k = 0; k < 3; k++) {
        struct record r = {
            .epoch = 7 + (k == 0), .txid = 41 + (k == 1), .position = 1000 + (k == 2)};
        ck_assert_int_eq(record_open(page, &r, &crc), E_CORRUPT);
    }
}
END_TEST

START_TEST(test_record__a_header_with_any_byte_changed_is_refused)
{
    struct record r;
    make_images(page, 41);
    for (uint32_t at = 0; at < BLOCK_BYTES; at++) {
        page[at] ^= (uint8_t)(1u << at % 8);
        ck_assert_msg(open_page(&r) == E_CORRUPT, "byte %u", at);
        page[at] ^= (uint8_t)(1u << at % 8);
    }
    ck_assert_int_eq(open_page(&r), OK);
}
END_TEST

START_TEST(test_record__a_torn_header_is_refused)
{
    struct record r;
    make_images(other, 40); /* what was there before */
    for (uint32_t sectors = 1; sectors < BLOCK_BYTES / SECTOR; sectors++) {
        make_images(page, 41);
        memcpy(page + (size_t)sectors * SECTOR, other + (size_t)sectors * SECTOR,
               BLOCK_BYTES - (size_t)sectors * SECTOR);
        ck_assert_msg(open_page(&r) == E_CORRUPT, "%u sectors", sectors);
    }
}
END_TEST

START_TEST(test_record__what_no_record_can_be_is_refused)
{
    static const struct {
        uint32_t type, count;
        enum err want;
    } tries[] = {{RECORD_IMAGES, RECORD_TAGS, OK},
                 {RECORD_IMAGES, RECORD_TAGS + 1, E_CORRUPT},
                 {RECORD_REVOKED, RECORD_REVOKES, OK},
                 {RECORD_REVOKED, RECORD_REVOKES + 1, E_CORRUPT},
                 {RECORD_COMMIT, RECORD_ORPHANS_MAX, OK},
                 {RECORD_COMMIT, RECORD_ORPHANS_MAX + 1, E_CORRUPT},
                 {0, 0, E_CORRUPT},
                 {RECORD_COMMIT + 1, 0, E_CORRUPT}};
    for (size_t k = 0; k < sizeof(tries) / sizeof(tries[0]); k++) {
        struct record r = {(enum record_type)tries[k].type, 7, 41, 1000, tries[k].count};
        (void)record_seal(page, &r);
        ck_assert_msg(open_page(&r) == tries[k].want, "type %u, count %u", tries[k].type,
                      tries[k].count);
    }
}
END_TEST

START_TEST(test_record__a_commit_is_whole_in_its_sector)
{
    uint32_t orphan[RECORD_ORPHANS_MAX], back[RECORD_ORPHANS_MAX];
    struct record r;
    struct commit c;
    for (uint32_t k = 0; k < RECORD_ORPHANS_MAX; k++)
        orphan[k] = 10 * k;
    make_commit(page, orphan, RECORD_ORPHANS_MAX);
    memset(page + SECTOR, 0xee, BLOCK_BYTES - SECTOR); /* left by another block */
    ck_assert_int_eq(open_page(&r), OK);
    ck_assert_uint_eq(record_commit_get(page, &c, back), RECORD_ORPHANS_MAX);
    ck_assert_uint_eq(c.blocks, 5);
    ck_assert_uint_eq(c.time_ns, 9);
    ck_assert_uint_eq(c.crc, 77);
    ck_assert_int_eq(memcmp(orphan, back, sizeof(back)), 0);
    for (uint32_t at = 0; at < SECTOR; at++) {
        page[at] ^= (uint8_t)(1u << at % 8);
        ck_assert_msg(open_page(&r) == E_CORRUPT, "byte %u", at);
        page[at] ^= (uint8_t)(1u << at % 8);
    }
}
END_TEST

START_TEST(test_record__an_image_belongs_to_its_transaction)
{
    uint32_t crc = record_image_crc(41, page);
    ck_assert_uint_ne(crc, record_image_crc(42, page));
    page[4095] ^= 1;
    ck_assert_uint_ne(crc, record_image_crc(41, page));
}
END_TEST

START_TEST(test_record__a_log_superblock_is_read_or_refused)
{
    struct log_super s = {{1, 2}, 7, 1000, 41, 512, 2, {30, 31}}, back = {0};
    log_super_encode(page, &s);
    ck_assert_int_eq(log_super_decode(&back, page), OK);
    ck_assert_int_eq(memcmp(&back, &s, sizeof(s)), 0);
    for (uint32_t at = 0; at < SECTOR; at++) {
        page[at] ^= (uint8_t)(1u << at % 8);
        ck_assert_msg(log_super_decode(&back, page) == E_CORRUPT, "byte %u", at);
        page[at] ^= (uint8_t)(1u << at % 8);
    }
    s.tail_txid = 0; /* sound, and impossible */
    log_super_encode(page, &s);
    ck_assert_int_eq(log_super_decode(&back, page), E_CORRUPT);
}
END_TEST

CHECK_MAIN("journal records", 20, tcase_add_checked_fixture(tc, setup, NULL);
           tcase_add_test(tc, test_record__a_header_is_read_as_it_was_written);
           tcase_add_test(tc, test_record__a_header_of_another_place_or_life_is_refused);
           tcase_add_test(tc, test_record__a_header_with_any_byte_changed_is_refused);
           tcase_add_test(tc, test_record__a_torn_header_is_refused);
           tcase_add_test(tc, test_record__what_no_record_can_be_is_refused);
           tcase_add_test(tc, test_record__a_commit_is_whole_in_its_sector);
           tcase_add_test(tc, test_record__an_image_belongs_to_its_transaction);
           tcase_add_test(tc, test_record__a_log_superblock_is_read_or_refused);)
