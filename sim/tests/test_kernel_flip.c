/* Shapes of memory faults: rows, columns, cells that are stuck, and what ECC leaves of them. */
#include <string.h>

#include "scripts/check_main.h"
#include "sim/kernel.h"
#include "sim/tests/rig.h"

#define BYTES (1u << 20)

static struct {
    uint8_t *pages;
    uint64_t stored, read; /* of the first word */
} seen;

/* Stores to its first word and reads it back, a millisecond apart. */
static void memory_main(const struct boot *boot)
{
    (void)boot;
    seen.pages = plat_alloc(BYTES, TAG_LOG);
    plat_ready();
    for (uint64_t k = 1;; k++) {
        struct msg m;
        uint64_t *word = (uint64_t *)(void *)seen.pages;
        if (plat_receive(ENDPOINT_ANY, &m, plat_now() + MS) == OK && m.source == ENDPOINT_RS)
            plat_notify(ENDPOINT_RS);
        seen.read = *word;
        *word = seen.stored = k % 2 == 0 ? 0 : UINT64_MAX;
    }
}

static void run(uint64_t ns)
{
    (void)sim_machine_run(rig.m, sim_machine_now(rig.m) + ns);
}

static void setup(void)
{
    rig_setup();
    memset(&seen, 0, sizeof(seen));
    rig_boot(memory_main, NULL, NULL);
    run(20 * MS);
}

static struct sim_flip_result flip(enum sim_flip_pattern pattern, double where, uint32_t bits,
                                   bool secded)
{
    struct sim_flip how = {.layer = LAYER_NAMING,
                           .tag = TAG_LOG,
                           .where = where,
                           .bit = 5,
                           .bits = bits,
                           .pattern = pattern,
                           .secded = secded,
                           .key = 42};
    return sim_machine_flip(rig.m, &how);
}

/* Bits that are set in the pages, but for the first word. */
static uint32_t count_bits(void)
{
    uint32_t bits = 0;
    sim_regions_open(&rig.m->regions, process_by_name(rig.m, LAYER_NAMING, 0)->region);
    for (uint32_t k = sizeof(uint64_t); k < BYTES; k++)
        bits += (uint32_t)__builtin_popcount(seen.pages[k]);
    return bits;
}

START_TEST(test_kernel_flip__a_row_is_one_byte_of_each_word_of_8_kib)
{
    struct sim_flip_result r = flip(SIM_FLIP_ROW, 0.5, 1, false);
    ck_assert(r.hit && !r.detected);
    ck_assert_uint_eq(count_bits(), r.changed);
    ck_assert_uint_gt(r.changed, 1024 * 3); /* of 8 bits a byte every other one */
    uint64_t row = r.address / 8192 * 8192;
    for (uint32_t k = 0; k < 8192; k++)
        if (k % 8 != r.address % 8)
            ck_assert_uint_eq(*(uint8_t *)(uintptr_t)(row + k), 0);
    (void)flip(SIM_FLIP_ROW, 0.5, 1, false); /* the same once more */
    ck_assert_uint_eq(count_bits(), 0);
}
END_TEST

START_TEST(test_kernel_flip__a_column_is_a_bit_each_64_kib)
{
    struct sim_flip_result r = flip(SIM_FLIP_COLUMN, 0.4, 1, false);
    ck_assert(r.hit);
    uint32_t bits = count_bits();
    ck_assert_uint_ge(bits, BYTES / 65536);
    ck_assert_uint_le(bits, r.changed); /* the stack is in the same bank */
    ck_assert_uint_le(r.changed, BYTES / 65536 + 3);
    ck_assert_uint_eq(*(uint8_t *)(uintptr_t)r.address, 1 << 5);
}
END_TEST

START_TEST(test_kernel_flip__a_stuck_cell_is_not_what_is_stored)
{
    run(10 * MS);
    ck_assert_uint_eq(seen.read, ~seen.stored); /* what was stored a round ago */
    struct sim_flip_result r = flip(SIM_FLIP_STUCK, 0.0, 2, false);
    ck_assert(r.hit && r.changed == 2);
    uint64_t mask = UINT64_C(3) << 5, wrong = 0;
    for (uint32_t k = 0; k < 10; k++) {
        run(MS);
        wrong += seen.read != 0 && seen.read != UINT64_MAX;
        ck_assert(((seen.read ^ ~seen.stored) & ~mask) == 0);
    }
    ck_assert_uint_ge(wrong, 4); /* every other value is the cells' own */
}
END_TEST

START_TEST(test_kernel_flip__ecc_corrects_one_bit_and_dies_of_two)
{
    struct sim_flip_result r = flip(SIM_FLIP_SINGLE, 0.3, 1, true);
    ck_assert(r.hit && !r.detected && r.changed == 0);
    r = flip(SIM_FLIP_COLUMN, 0.3, 1, true);
    ck_assert(r.hit && !r.detected && r.changed == 0);
    r = flip(SIM_FLIP_STUCK, 0.3, 1, true);
    ck_assert(r.hit && !r.detected && r.changed == 0);
    ck_assert_uint_eq(count_bits(), 0);
    ck_assert(sim_machine_alive(rig.m, LAYER_NAMING, 0));
    uint32_t deaths = rig.deaths;
    r = flip(SIM_FLIP_SINGLE, 0.3, 2, true);
    ck_assert(r.hit && r.detected);
    ck_assert_uint_eq(rig.deaths, deaths + 1);
    ck_assert_int_eq(rig.death[deaths].cause, SIM_DEATH_SIGNAL);
}
END_TEST

START_TEST(test_kernel_flip__a_row_is_too_much_for_ecc)
{
    struct sim_flip_result r = flip(SIM_FLIP_ROW, 0.3, 1, true);
    ck_assert(r.hit && r.detected);
    ck_assert(!sim_machine_alive(rig.m, LAYER_NAMING, 0));
}
END_TEST

/* Of the words with one number in their line, each bit of them can be struck, and no other. */
START_TEST(test_kernel_flip__a_bit_of_words_of_one_number)
{
    struct sim_flip how = {.layer = LAYER_NAMING, .tag = TAG_LOG, .bits = 1, .in_word = true};
    uint64_t all = 0;
    for (how.word = 0; how.word < 8; how.word++)
        all += sim_machine_flip_bytes(rig.m, &how);
    ck_assert_uint_eq(all, BYTES);
    for (uint32_t k = 0; k < 64; k++) {
        how.word = k % 8;
        how.bit = k;
        how.where = k / 64.0;
        ck_assert_uint_eq(sim_machine_flip_bytes(rig.m, &how), BYTES / 8);
        struct sim_flip_result r = sim_machine_flip(rig.m, &how);
        ck_assert(r.hit && r.changed == 1);
        ck_assert_uint_eq(r.address % 64, how.word * 8 + how.bit / 8);
        ck_assert_uint_eq(r.address - (uint64_t)(uintptr_t)seen.pages < BYTES, 1);
        if (k > 0) /* the first word is the program's own */
            ck_assert_uint_ne(*(uint8_t *)(uintptr_t)r.address >> how.bit % 8 & 1, 0);
    }
}
END_TEST

CHECK_MAIN("kernel_flip", 60, {
    tcase_add_test(tc, test_kernel_flip__a_bit_of_words_of_one_number);
    tcase_add_checked_fixture(tc, setup, rig_teardown);
    tcase_add_test(tc, test_kernel_flip__a_row_is_one_byte_of_each_word_of_8_kib);
    tcase_add_test(tc, test_kernel_flip__a_column_is_a_bit_each_64_kib);
    tcase_add_test(tc, test_kernel_flip__a_stuck_cell_is_not_what_is_stored);
    tcase_add_test(tc, test_kernel_flip__ecc_corrects_one_bit_and_dies_of_two);
    tcase_add_test(tc, test_kernel_flip__a_row_is_too_much_for_ecc);
})
