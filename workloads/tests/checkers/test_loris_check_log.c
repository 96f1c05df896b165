/* The log of a loris pool from raw bytes: sound segments pass, each breach of FORMAT.md is told. */
#include <isa-l.h>
#include <string.h>

#include "bytes.h"
#include "scripts/check_main.h"
#include "workloads/checkers/loris_check_log.h"

#define BLOCK 4096u
#define FIRST 48u
#define BLOCKS 64u
#define EPOCH 7u
#define ITEM(k) (16 + 104 * (size_t)(k))

static uint8_t disk[2][FIRST + BLOCKS][BLOCK];
static uint32_t breaches;

static void read_block(void *context, uint32_t k, uint64_t block, uint8_t *to, bool *readable)
{
    (void)context;
    *readable = block < FIRST + BLOCKS;
    memcpy(to, disk[k][block], BLOCK);
}

static void note(void *context, uint32_t k, uint64_t place, const char *what)
{
    (void)context;
    (void)k;
    ck_assert_uint_lt(place, BLOCKS);
    ck_assert(what[0] != '\0');
    breaches++;
}

static uint32_t crc(const uint8_t *raw)
{
    return ~crc32_iscsi((unsigned char *)(uintptr_t)raw, (int)BLOCK, 0xffffffffu);
}

/* Head and checksums of the segment at `place`, whose blocks are there. */
static void seal(uint32_t k, uint64_t place, uint64_t number, uint32_t blocks)
{
    uint8_t *head = disk[k][FIRST + place];
    memset(head, 0, BLOCK);
    put_le32(head, 0x314d524c);
    put_le16(head + 4, 1);
    put_le16(head + 6, 5);
    put_le16(head + 8, 1);
    put_le16(head + 10, (uint16_t)blocks);
    put_le64(head + 16, FIRST + place);
    put_le64(head + 32, number);
    put_le64(head + 40, EPOCH);
    memset(head + 48, 0x11 * (int)(k + 1), 16);
    for (uint32_t b = 0; b < blocks; b++)
        put_le32(head + 64 + 4 * (size_t)b, crc(disk[k][FIRST + place + 1 + b]));
    put_le32(head + 12, crc(head));
}

static void put_item(uint8_t *raw, uint32_t op, uint64_t lsn, uint64_t a, uint64_t b)
{
    put_le32(raw, op);
    put_le64(raw + 8, lsn);
    put_le64(raw + 16, 2000);
    put_le64(raw + 24, a);
    put_le64(raw + 32, b);
}

/* Two segments on each disk: a create, a write of two blocks and its pages; an attribute record. */
static void make(void)
{
    memset(disk, 0, sizeof(disk));
    for (uint32_t k = 0; k < 2; k++) {
        uint8_t *list = disk[k][FIRST + 1];
        put_le32(list, 0x3147524c);
        put_le16(list + 4, 1);
        put_le16(list + 6, 4);
        put_le16(list + 8, 1);
        put_item(list + ITEM(0), 1, 100, 0, 0);
        put_item(list + ITEM(1), 4, 101, 5, 2);
        put_item(list + ITEM(2), 6, 101, 5, 0);
        put_item(list + ITEM(3), 6, 101, 6, 0);
        memset(disk[k][FIRST + 2], 3, BLOCK);
        memset(disk[k][FIRST + 3], 4, BLOCK);
        seal(k, 0, 1, 3);
        list = disk[k][FIRST + 5];
        memcpy(list, disk[k][FIRST + 1], BLOCK);
        put_le16(list + 6, 1);
        put_item(list + ITEM(0), 5, 110, 8192, 0);
        seal(k, 4, 2, 1);
    }
}

static uint32_t check(void)
{
    struct checker_disks disks = {.read_block = read_block, .count = 2};
    struct loris_log_input in = {.disks = &disks, .count = 2, .damage = note};
    for (uint32_t k = 0; k < 2; k++) {
        in.log[k] = (struct loris_log){
            .disk = k, .blocks = BLOCKS, .first = FIRST, .epoch = EPOCH, .lsn = 100};
        memset(in.log[k].uuid, 0x11 * (int)(k + 1), 16);
    }
    breaches = 0;
    loris_check_log(&in);
    return breaches;
}

/* Both disks get the same wrong item; the segment is sealed again. */
static uint32_t check_with(uint32_t item, uint32_t op, uint64_t lsn, uint64_t a, uint64_t b)
{
    make();
    for (uint32_t k = 0; k < 2; k++) {
        put_item(disk[k][FIRST + 1] + ITEM(item), op, lsn, a, b);
        seal(k, 0, 1, 3);
    }
    return check();
}

START_TEST(test_loris_check_log__sound_segments_pass)
{
    make();
    ck_assert_uint_eq(check(), 0);
    ck_assert_uint_eq(check_with(0, 3, 100, 0, 0), 0);
}
END_TEST

/* A cut leaves such things: the log ends before them. */
START_TEST(test_loris_check_log__what_is_not_whole_is_no_damage)
{
    for (uint32_t at = 0; at < 6; at++) {
        make();
        disk[0][FIRST + at][70] ^= 1;
        ck_assert_uint_eq(check(), 0);
    }
    make();
    put_le16(disk[0][FIRST + 5] + 6, 0); /* nonsense, in a segment of another checkpoint */
    seal(0, 4, 2, 1);
    put_le64(disk[0][FIRST + 4] + 40, EPOCH - 1);
    ck_assert_uint_eq(check(), 0);
}
END_TEST

START_TEST(test_loris_check_log__items_that_are_none)
{
    ck_assert_uint_gt(check_with(0, 0, 100, 0, 0), 0);
    ck_assert_uint_gt(check_with(0, 7, 100, 0, 0), 0);
}
END_TEST

START_TEST(test_loris_check_log__records_out_of_order)
{
    ck_assert_uint_gt(check_with(0, 1, 101, 0, 0), 0); /* no higher in the next */
    ck_assert_uint_gt(check_with(0, 1, 99, 0, 0), 0);  /* older than the root */
    ck_assert_uint_gt(check_with(0, 1, 120, 0, 0), 0);
}
END_TEST

START_TEST(test_loris_check_log__pages_that_no_record_wrote)
{
    ck_assert_uint_gt(check_with(3, 6, 101, 7, 0), 0); /* beyond */
    ck_assert_uint_gt(check_with(3, 6, 101, 5, 0), 0); /* twice */
    ck_assert_uint_gt(check_with(3, 6, 100, 6, 0), 0); /* another's */
    ck_assert_uint_gt(check_with(3, 5, 102, 6, 0), 0); /* one too few */
}
END_TEST

START_TEST(test_loris_check_log__lists_that_are_none)
{
    static const struct {
        size_t at;
        uint8_t value;
    } wrong[] = {{0, 9}, {4, 2}, {6, 0}, {6, 40}, {8, 0}, {8, 4}};
    for (size_t n = 0; n < sizeof(wrong) / sizeof(wrong[0]); n++) {
        make();
        for (uint32_t k = 0; k < 2; k++) {
            disk[k][FIRST + 1][wrong[n].at] = wrong[n].value;
            seal(k, 0, 1, 3);
        }
        ck_assert_msg(check() > 0, "byte %zu", wrong[n].at);
    }
}
END_TEST

START_TEST(test_loris_check_log__disks_that_differ)
{
    make();
    disk[1][FIRST + 2][9] ^= 1;
    seal(1, 0, 1, 3);
    ck_assert_uint_gt(check(), 0);
}
END_TEST

CHECK_MAIN("loris_check_log", 30, tcase_add_test(tc, test_loris_check_log__sound_segments_pass);
           tcase_add_test(tc, test_loris_check_log__what_is_not_whole_is_no_damage);
           tcase_add_test(tc, test_loris_check_log__items_that_are_none);
           tcase_add_test(tc, test_loris_check_log__records_out_of_order);
           tcase_add_test(tc, test_loris_check_log__pages_that_no_record_wrote);
           tcase_add_test(tc, test_loris_check_log__lists_that_are_none);
           tcase_add_test(tc, test_loris_check_log__disks_that_differ);)
