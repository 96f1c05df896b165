/* Draws: keyed by meaning, scaled by what a variant offers, sorted; targets. */
#include <string.h>

#include "faults/inject_private.h"
#include "scripts/check_main.h"

#define TRIALS 400u

static struct fault faults[FAULTS_PER_PLAN_MAX];
static struct fault_plan plan;
static struct offer offer;
static struct stack_options options;
static struct injector in;

/* Draws the first `count` faults of the plan in trial n, without a machine. */
static void draw(uint32_t count, uint64_t n)
{
    in = (struct injector){.count = count,
                           .setup = {.options = &options,
                                     .plan = &plan,
                                     .count = count,
                                     .seed = 5,
                                     .n = n,
                                     .offer = &offer}};
    inject_draw_moments(&in);
    for (uint32_t i = 0; i < count; i++)
        inject_draw_targets(&in, i);
    for (uint32_t i = 0; i < count; i++)
        inject_draw_number(&in, i);
}

static struct fault *add(enum fault_kind kind, enum fault_when_kind when)
{
    struct fault *f = &faults[plan.count++];
    *f = fault_default(kind);
    f->at.kind = when;
    f->at.number = (struct amount){.kind = AMOUNT_UNIFORM};
    return f;
}

static void setup(void)
{
    plan = (struct fault_plan){.name = "p@x=1", .draw_name = "p", .faults = faults};
    options = (struct stack_options){.disks = 4, .environments = 3};
    offer = (struct offer){.run_ns = 1000000, .operations = 80, .marks = 4};
    for (uint32_t d = 0; d < 4; d++) {
        offer.requests[d] = 100 * (d + 1);
        offer.writes[d] = 10 * (d + 1);
    }
    for (uint32_t k = 0; k < 3; k++) {
        offer.messages[LAYER_NAMING][k] = 50 + k;
        offer.blocks[LAYER_NAMING][k] = 5000 + k;
    }
    offer.probes[PROBE_TXN_COMMIT] = 9;
}

START_TEST(test_inject_draw__two_variants_are_struck_at_the_same_share)
{
    struct offer wide = {.run_ns = 8000000}; /* eight times as long, on eight times the disks */
    add(FAULT_DISK_FAIL_STOP, FAULT_AT_UNIFORM);
    for (uint64_t n = 0; n < TRIALS; n++) {
        draw(1, n);
        uint64_t small_number = in.fault[0].number, small_disk = in.fault[0].disk;
        options.disks = 8;
        struct offer saved = offer;
        offer = wide;
        draw(1, n);
        offer = saved;
        options.disks = 4;
        ck_assert_uint_eq(in.fault[0].number / 8, small_number);
        ck_assert_uint_eq(in.fault[0].disk / 2, small_disk);
    }
}
END_TEST

START_TEST(test_inject_draw__a_fault_more_moves_no_draw_of_the_others)
{
    for (uint64_t n = 0; n < TRIALS; n++) {
        double before[DRAW_TEAR + 1], place;
        plan.count = 0;
        add(FAULT_DISK_BIT_ROT, FAULT_AT_AFTER);
        draw(1, n);
        for (uint64_t d = 0; d <= DRAW_TEAR; d++)
            before[d] = inject_fraction(&in, 0, d);
        place = inject_fraction(&in, 0, DRAW_MANY * (1 + DRAW_PLACE) + 5);
        uint32_t disk = in.fault[0].disk;
        add(FAULT_POWER_CUT, FAULT_AT_UNIFORM);
        draw(2, n);
        for (uint64_t d = 0; d <= DRAW_TEAR; d++)
            ck_assert(inject_fraction(&in, 0, d) == before[d]);
        ck_assert(inject_fraction(&in, 0, DRAW_MANY * (1 + DRAW_PLACE) + 5) == place);
        ck_assert_uint_eq(in.fault[0].disk, disk);
        ck_assert(inject_fraction(&in, 1, DRAW_MOMENT) != before[DRAW_MOMENT]);
    }
}
END_TEST

START_TEST(test_inject_draw__depends_on_plan_place_trial_and_seed)
{
    add(FAULT_POWER_CUT, FAULT_AT_UNIFORM);
    add(FAULT_POWER_CUT, FAULT_AT_UNIFORM);
    draw(2, 1);
    double here = inject_fraction(&in, 0, DRAW_MOMENT);
    ck_assert(inject_fraction(&in, 1, DRAW_MOMENT) != here);
    plan.name = "p@x=2"; /* a swept step of the same plan */
    draw(2, 1);
    ck_assert(inject_fraction(&in, 0, DRAW_MOMENT) == here);
    in.setup.seed++;
    ck_assert(inject_fraction(&in, 0, DRAW_MOMENT) != here);
    draw(2, 2);
    ck_assert(inject_fraction(&in, 0, DRAW_MOMENT) != here);
    plan.draw_name = "q";
    draw(2, 1);
    ck_assert(inject_fraction(&in, 0, DRAW_MOMENT) != here);
}
END_TEST

START_TEST(test_inject_draw__uniform_positions_are_sorted_and_the_same_set)
{
    for (uint32_t k = 0; k < 5; k++)
        add(FAULT_POWER_CUT, k == 2 ? FAULT_AT_RECOVERY : FAULT_AT_UNIFORM);
    faults[4].at = (struct fault_when){.kind = FAULT_AT_OP, .number = {.kind = AMOUNT_UNIFORM}};
    uint32_t unsorted = 0;
    for (uint64_t n = 0; n < TRIALS; n++) {
        static const uint32_t position[] = {0, 1, 3, 4};
        double sum = 0;
        draw(5, n);
        for (uint32_t k = 0; k < 4; k++) {
            sum += inject_fraction(&in, position[k], DRAW_MOMENT) - in.fault[position[k]].moment;
            ck_assert(k == 0 || in.fault[position[k - 1]].moment < in.fault[position[k]].moment);
        }
        ck_assert_double_eq_tol(sum, 0, 1e-9);
        ck_assert(in.fault[2].moment == inject_fraction(&in, 2, DRAW_MOMENT)); /* apart */
        unsorted += inject_fraction(&in, 0, DRAW_MOMENT) > inject_fraction(&in, 1, DRAW_MOMENT);
    }
    ck_assert_uint_gt(unsorted, TRIALS / 4); /* there was something to sort */
}
END_TEST

START_TEST(test_inject_draw__fixed_moments_are_neither_scaled_nor_sorted)
{
    add(FAULT_POWER_CUT, FAULT_AT_OP)->at.number = amount_fixed(70);
    add(FAULT_POWER_CUT, FAULT_AT_OP)->at.number = amount_fixed(3);
    add(FAULT_POWER_CUT, FAULT_AT_OP)->at.number =
        (struct amount){.kind = AMOUNT_RANGE, .low = 4, .high = 6};
    for (uint64_t n = 0; n < TRIALS; n++) {
        draw(3, n);
        ck_assert_uint_eq(in.fault[0].number, 70);
        ck_assert_uint_eq(in.fault[1].number, 3);
        ck_assert(in.fault[2].number >= 4 && in.fault[2].number <= 6);
    }
}
END_TEST

/* Draws every trial and checks that exactly low..high come up. */
static void check_range(uint64_t low, uint64_t high)
{
    uint64_t least = UINT64_MAX, most = 0;
    for (uint64_t n = 0; n < 20 * TRIALS; n++) {
        draw(plan.count, n);
        uint64_t number = in.fault[0].number;
        least = number < least ? number : least;
        most = number > most ? number : most;
    }
    ck_assert_uint_eq(least, low);
    ck_assert_uint_eq(most, high);
}

START_TEST(test_inject_draw__uniform_counts_are_1_to_what_is_offered)
{
    struct fault *f = add(FAULT_DISK_LOST_WRITE, FAULT_AT_OP);
    check_range(1, 80);
    f->at.kind = FAULT_AT_MARK;
    check_range(1, 4);
    f->disk = (struct fault_target){.kind = FAULT_TARGET_INDEX, .index = 1};
    f->at.kind = FAULT_AT_WRITE; /* of its own disk */
    check_range(1, 20);
    f->at.kind = FAULT_AT_IO;
    check_range(1, 200);
    f->at.disk = (struct fault_target){.kind = FAULT_TARGET_INDEX, .index = 0};
    check_range(1, 100);
    f->at.disk.kind = FAULT_TARGET_ALL;
    check_range(1, 1000);
    f->at.kind = FAULT_AT_PROBE;
    f->at.probe = PROBE_TXN_COMMIT;
    check_range(1, 9);
}
END_TEST

START_TEST(test_inject_draw__messages_and_blocks_count_in_the_instance_that_is_hit)
{
    struct fault *f = add(FAULT_PROCESS_CRASH, FAULT_AT_MESSAGE);
    f->layer = f->at.layer = LAYER_NAMING;
    f->instance = (struct fault_target){.kind = FAULT_TARGET_INDEX, .index = 2};
    check_range(1, 52);
    ck_assert_uint_eq(in.fault[0].count_instance, 2);
    f->layer = LAYER_CACHE; /* another layer's messages: its first instance */
    f->instance.kind = FAULT_TARGET_ANY;
    check_range(1, 50);
    ck_assert_uint_eq(in.fault[0].count_instance, 0);
}
END_TEST

START_TEST(test_inject_draw__what_a_run_has_none_of_never_comes)
{
    offer.marks = 0;
    add(FAULT_POWER_CUT, FAULT_AT_MARK);
    draw(1, 0);
    ck_assert_uint_eq(in.fault[0].number, UINT64_MAX);
}
END_TEST

START_TEST(test_inject_draw__targets_are_any_all_or_the_one_that_is_named)
{
    uint32_t seen_disks = 0, seen_instances = 0;
    add(FAULT_DISK_FAIL_STOP, FAULT_AT_UNIFORM);
    add(FAULT_DISK_FAIL_STOP, FAULT_AT_UNIFORM)->disk.kind = FAULT_TARGET_ALL;
    struct fault *named = add(FAULT_DISK_FAIL_STOP, FAULT_AT_UNIFORM);
    named->disk = (struct fault_target){.kind = FAULT_TARGET_INDEX, .index = 3};
    add(FAULT_PROCESS_CRASH, FAULT_AT_UNIFORM)->layer = LAYER_VFS;
    struct fault *all = add(FAULT_PROCESS_CRASH, FAULT_AT_UNIFORM);
    all->layer = LAYER_PHYSICAL;
    all->instance.kind = FAULT_TARGET_ALL;
    for (uint64_t n = 0; n < TRIALS; n++) {
        draw(5, n);
        ck_assert_uint_lt(in.fault[0].disk, 4);
        ck_assert_uint_lt(in.fault[3].instance, 3);
        seen_disks |= 1u << in.fault[0].disk;
        seen_instances |= 1u << in.fault[3].instance;
        ck_assert_uint_eq(in.fault[1].disk, DISKS_MAX);
        ck_assert_uint_eq(in.fault[2].disk, 3);
        ck_assert_uint_eq(in.fault[4].instance, OFFER_INSTANCES_MAX);
    }
    ck_assert_uint_eq(seen_disks, 0xf);
    ck_assert_uint_eq(seen_instances, 0x7);
    in.setup.classic = true; /* one VFS for all */
    ck_assert_uint_eq(inject_instances(&in, LAYER_VFS), 1);
    ck_assert_uint_eq(inject_instances(&in, LAYER_DRIVER), 4);
}
END_TEST

CHECK_MAIN("inject_draw", 60, {
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, test_inject_draw__two_variants_are_struck_at_the_same_share);
    tcase_add_test(tc, test_inject_draw__a_fault_more_moves_no_draw_of_the_others);
    tcase_add_test(tc, test_inject_draw__depends_on_plan_place_trial_and_seed);
    tcase_add_test(tc, test_inject_draw__uniform_positions_are_sorted_and_the_same_set);
    tcase_add_test(tc, test_inject_draw__fixed_moments_are_neither_scaled_nor_sorted);
    tcase_add_test(tc, test_inject_draw__uniform_counts_are_1_to_what_is_offered);
    tcase_add_test(tc, test_inject_draw__messages_and_blocks_count_in_the_instance_that_is_hit);
    tcase_add_test(tc, test_inject_draw__what_a_run_has_none_of_never_comes);
    tcase_add_test(tc, test_inject_draw__targets_are_any_all_or_the_one_that_is_named);
})
