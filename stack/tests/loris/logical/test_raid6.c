/* The field of RAID-6 against its definition and against ISA-L; and who plays which role. */
#include "stack/loris/logical/raid6.h"

#include <isa-l.h>
#include <string.h>

#include "scripts/check_main.h"
#include "stack/loris/logical/logical.h"
#include "stack/tests/fake_platform.h"

#define DATA_MAX 14u

static _Alignas(64) uint8_t block[DATA_MAX + 2][BLOCK_BYTES];

/* Multiplication of polynomials over GF(2), then the remainder, bit by bit. */
static uint8_t slow_multiply(uint32_t a, uint32_t b)
{
    uint32_t product = 0;
    for (uint32_t i = 0; i < 8; i++)
        for (uint32_t k = 0; k < 8; k++)
            product ^= ((a >> i & 1) * (b >> k & 1)) << (i + k);
    for (uint32_t bit = 15; bit >= 8; bit--)
        product ^= (product >> bit & 1) * (0x11du << (bit - 8));
    return (uint8_t)product;
}

START_TEST(test_raid6__multiplies_as_polynomials_do)
{
    for (uint32_t a = 0; a < 256; a++)
        for (uint32_t b = 0; b < 256; b++)
            ck_assert_uint_eq(raid6_multiply((uint8_t)a, (uint8_t)b), slow_multiply(a, b));
    for (uint32_t a = 1; a < 256; a++)
        ck_assert_uint_eq(raid6_multiply((uint8_t)a, raid6_inverse((uint8_t)a)), 1);
    for (uint32_t k = 0; k < 600; k++)
        ck_assert_uint_eq(raid6_power(k + 1), raid6_multiply(raid6_power(k), 2));
}
END_TEST

static void fill(uint64_t seed)
{
    for (uint32_t i = 0; i < DATA_MAX; i++)
        for (uint32_t k = 0; k < BLOCK_BYTES; k++) {
            seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            block[i][k] = (uint8_t)(seed >> 56);
        }
}

START_TEST(test_raid6__makes_the_parities_of_isa_l)
{
    static _Alignas(64) uint8_t p[BLOCK_BYTES], q[BLOCK_BYTES];
    for (int data = 2; data <= (int)DATA_MAX; data++) {
        void *all[DATA_MAX + 2];
        fill((uint64_t)data);
        for (int i = 0; i < data; i++)
            all[i] = block[i];
        all[data] = p;
        all[data + 1] = q;
        ck_assert_int_eq(pq_gen(data + 2, BLOCK_BYTES, all), 0);
        memset(block[DATA_MAX], 0, BLOCK_BYTES);
        memset(block[DATA_MAX + 1], 0, BLOCK_BYTES);
        for (int i = data; i-- > 0;) {
            plat_xor(block[DATA_MAX], block[i], BLOCK_BYTES);
            raid6_step(block[DATA_MAX + 1], block[i]);
        }
        ck_assert_mem_eq(block[DATA_MAX], p, BLOCK_BYTES);
        ck_assert_mem_eq(block[DATA_MAX + 1], q, BLOCK_BYTES);
    }
}
END_TEST

START_TEST(test_raid6__scales_every_byte)
{
    fill(99);
    for (uint32_t factor = 0; factor < 256; factor++) {
        memcpy(block[1], block[0], BLOCK_BYTES);
        raid6_scale(block[1], block[2], (uint8_t)factor);
        for (uint32_t k = 0; k < BLOCK_BYTES; k++)
            ck_assert_uint_eq(block[1][k], slow_multiply(block[0][k], factor));
    }
}
END_TEST

START_TEST(test_place__each_slot_of_a_row_has_one_role)
{
    static const uint8_t levels[] = {0, 4, 5, 6};
    for (uint32_t n = 0; n < 4 * 12; n++) {
        struct entry entry = {
            .level = levels[n % 4], .count = (uint8_t)(4 + n / 4), .stripe_blocks = 3};
        uint32_t p_seen = 0;
        for (uint32_t k = 0; k < entry.count; k++)
            entry.disk[k] = (uint8_t)(entry.count - 1 - k);
        for (uint64_t b = 0; b < 100; b++) {
            uint32_t slots = 0;
            for (uint32_t role = 0; role < entry.count; role++) {
                uint32_t slot = logical_place_slot(&entry, b, role);
                slots |= 1u << slot;
                ck_assert_uint_eq(logical_place_role(&entry, b, slot), role);
            }
            ck_assert_uint_eq(slots, (1u << entry.count) - 1);
            uint32_t data = entry.count - logical_place_parities(&entry);
            if (data < entry.count)
                p_seen |= 1u << logical_place_slot(&entry, b, data);
        }
        if (entry.level == 4)
            ck_assert_uint_eq(p_seen, 1u << (entry.count - 1));
        else if (entry.level >= 5)
            ck_assert_uint_eq(p_seen, (1u << entry.count) - 1);
    }
}
END_TEST

/* A part keeps the blocks that it has of those that stay, and the parity over any of them. */
START_TEST(test_place__keeps_what_belongs_to_what_stays)
{
    static const uint8_t levels[] = {0, 4, 5, 6};
    for (uint32_t n = 0; n < 4 * 3; n++) {
        struct entry entry = {
            .level = levels[n % 4], .count = (uint8_t)(4 + n / 4), .stripe_blocks = 3};
        uint64_t want[DISKS_MAX] = {0};
        for (uint32_t k = 0; k < entry.count; k++)
            entry.disk[k] = (uint8_t)k;
        for (uint64_t blocks = 0; blocks < 120; blocks++) {
            struct place place;
            for (uint32_t k = 0; k < entry.count; k++)
                ck_assert_uint_eq(logical_place_kept(&entry, k, blocks), want[k]);
            logical_place_stripe(&entry, blocks, &place);
            for (uint32_t k = 0; k < entry.count; k++) {
                uint32_t role = logical_place_role(&entry, place.block, k);
                bool parity = role >= entry.count - logical_place_parities(&entry);
                if ((role == place.role || parity) && want[k] < place.block + 1)
                    want[k] = place.block + 1;
            }
        }
    }
}
END_TEST

CHECK_MAIN("raid6", 60, tcase_add_test(tc, test_raid6__multiplies_as_polynomials_do);
           tcase_add_test(tc, test_raid6__makes_the_parities_of_isa_l);
           tcase_add_test(tc, test_raid6__scales_every_byte);
           tcase_add_test(tc, test_place__each_slot_of_a_row_has_one_role);
           tcase_add_test(tc, test_place__keeps_what_belongs_to_what_stays);)
