/* From the faults of a plan to what the designs promise: what a fault's own keys decide. */
#include "campaign/trial_private.h"

#include <stdio.h>
#include <string.h>

#include "scripts/check_main.h"

static struct plan *plan;

static void begin(const char *faults)
{
    static const char head[] = "campaign: t\n"
                               "variants:\n"
                               "  loris: {stack: loris}\n"
                               "  one: {stack: loris, machine: {disks: {count: 1}}}\n"
                               "  ffs: {stack: ffs}\n"
                               "  cow: {stack: cow}\n"
                               "workloads: {a: {app: postmark}}\n"
                               "faults:\n";
    char text[4096];
    struct plan_request request = {.path = "t.yaml"};
    ck_assert_int_lt(snprintf(text, sizeof(text), "%s%s", head, faults), (int)sizeof(text));
    plan = plan_load_text(text, &request, stderr);
    ck_assert(plan != NULL);
}

/* Plan `fault` is promised these levels, in the order of the variants. */
static void check(uint32_t fault, enum level loris, enum level one, enum level ffs, enum level cow)
{
    const enum level want[] = {loris, one, ffs, cow};
    for (uint32_t v = 0; v < plan->variant_count; v++) {
        enum level got =
            promise_of_plan(&plan->variants[v], &plan->workloads[0], &plan->faults[fault]);
        ck_assert_msg(got == want[v], "plan %u, variant %u: %d", fault, v, (int)got);
    }
}

START_TEST(test_promise__a_cut_that_leaves_sectors_unreadable_is_two_faults_to_some)
{
    begin("  any: [{kind: power.cut, tears: any}]\n"
          "  error: [{kind: power.cut, tears: error}]\n");
    check(0, LEVEL_SYNCED, LEVEL_DETECTED, LEVEL_SYNCED, LEVEL_DURABLE);
    check(1, LEVEL_SYNCED, LEVEL_DETECTED, LEVEL_NONE, LEVEL_DURABLE);
    plan_destroy(plan);
}
END_TEST

START_TEST(test_promise__second_copies_on_one_disk_bear_one_bad_sector)
{
    static const enum level want[][2] = {
        {LEVEL_NONE, LEVEL_DETECTED}, {LEVEL_NONE, LEVEL_NONE}, {LEVEL_NONE, LEVEL_DETECTED}};
    struct plan_request request = {.path = "t.yaml"};
    plan = plan_load_text("campaign: t\n"
                          "machine: {disks: {count: 1}}\n"
                          "variants:\n"
                          "  one: {stack: loris, raid: 0}\n"
                          "  two: {stack: loris, raid: 0, meta-copies: 2}\n"
                          "workloads: {a: {app: postmark}}\n"
                          "faults:\n"
                          "  single: [{kind: disk.latent-error, disk: any}]\n"
                          "  several: [{kind: disk.bit-rot, disk: any, count: 2}]\n"
                          "  write: [{kind: disk.lost-write, disk: any}]\n",
                          &request, stderr);
    ck_assert(plan != NULL);
    for (uint32_t f = 0; f < 3; f++)
        for (uint32_t v = 0; v < 2; v++)
            ck_assert_int_eq(
                promise_of_plan(&plan->variants[v], &plan->workloads[0], &plan->faults[f]),
                want[f][v]);
    plan_destroy(plan);
}
END_TEST

START_TEST(test_promise__of_bugs_only_a_drivers_is_noticed_and_mended)
{
    begin("  value: [{kind: process.bug, layer: driver, bug: any}]\n"
          "  all: [{kind: process.bug, layer: driver, instance: all, bug: bad-message}]\n"
          "  vfs: [{kind: process.bug, layer: vfs, bug: wrong-error}]\n"
          "  leak: [{kind: process.bug, layer: vfs, bug: leak}]\n"
          "  two: [{kind: process.bug, layer: driver, bug: any}, {kind: power.cut}]\n");
    check(0, LEVEL_TRANSPARENT, LEVEL_NONE, LEVEL_NONE, LEVEL_NONE);
    check(1, LEVEL_NONE, LEVEL_NONE, LEVEL_NONE, LEVEL_NONE);
    check(2, LEVEL_NONE, LEVEL_NONE, LEVEL_NONE, LEVEL_NONE);
    check(3, LEVEL_NONE, LEVEL_NONE, LEVEL_NONE, LEVEL_NONE);
    check(4, LEVEL_NONE, LEVEL_NONE, LEVEL_NONE, LEVEL_NONE);
    plan_destroy(plan);
}
END_TEST

START_TEST(test_promise__a_request_that_always_kills_is_given_up_and_said_so)
{
    begin("  naming: [{kind: process.crash, layer: naming, repeat: same-request}]\n"
          "  driver: [{kind: process.crash, layer: driver, repeat: same-request}]\n"
          "  vfs: [{kind: process.hang, layer: vfs, repeat: same-request}]\n");
    check(1, LEVEL_NONE, LEVEL_NONE, LEVEL_NONE, LEVEL_NONE);
    check(2, LEVEL_DURABLE, LEVEL_DURABLE, LEVEL_SYNCED, LEVEL_DURABLE);
    ck_assert_int_eq(promise_of_plan(&plan->variants[0], &plan->workloads[0], &plan->faults[0]),
                     LEVEL_DETECTED);
    plan_destroy(plan);
}
END_TEST

START_TEST(test_promise__ecc_corrects_one_bit_and_makes_two_a_death)
{
    begin("  one: [{kind: memory.flip, layer: vfs, ecc: secded}]\n"
          "  two: [{kind: memory.flip, layer: vfs, ecc: secded, bits: 2}]\n"
          "  three: [{kind: memory.flip, layer: vfs, ecc: secded, bits: 3}]\n"
          "  column: [{kind: memory.flip, layer: vfs, ecc: secded, pattern: column}]\n"
          "  row: [{kind: memory.flip, layer: vfs, ecc: secded, pattern: row}]\n"
          "  none: [{kind: memory.flip, layer: vfs, pattern: stuck}]\n"
          "  page: [{kind: memory.flip, layer: cache, region: pages, pattern: row}]\n"
          "  cell: [{kind: memory.flip, layer: cache, region: pages, pattern: stuck}]\n");
    check(0, LEVEL_TRANSPARENT, LEVEL_TRANSPARENT, LEVEL_TRANSPARENT, LEVEL_TRANSPARENT);
    check(1, LEVEL_DURABLE, LEVEL_DURABLE, LEVEL_SYNCED, LEVEL_DURABLE);
    check(2, LEVEL_NONE, LEVEL_NONE, LEVEL_NONE, LEVEL_NONE);
    check(3, LEVEL_TRANSPARENT, LEVEL_TRANSPARENT, LEVEL_TRANSPARENT, LEVEL_TRANSPARENT);
    check(4, LEVEL_NONE, LEVEL_NONE, LEVEL_NONE, LEVEL_NONE);
    check(5, LEVEL_NONE, LEVEL_NONE, LEVEL_NONE, LEVEL_NONE);
    /* What is stored in a stuck cell is wrong before its checksum is made. */
    for (uint32_t f = 6; f < 8; f++)
        ck_assert_int_eq(promise_of_plan(&plan->variants[0], &plan->workloads[0], &plan->faults[f]),
                         f == 6 ? LEVEL_DETECTED : LEVEL_NONE);
    plan_destroy(plan);
}
END_TEST

CHECK_MAIN("promise", 60, {
    tcase_add_test(tc, test_promise__second_copies_on_one_disk_bear_one_bad_sector);
    tcase_add_test(tc, test_promise__a_cut_that_leaves_sectors_unreadable_is_two_faults_to_some);
    tcase_add_test(tc, test_promise__of_bugs_only_a_drivers_is_noticed_and_mended);
    tcase_add_test(tc, test_promise__ecc_corrects_one_bit_and_makes_two_a_death);
    tcase_add_test(tc, test_promise__a_request_that_always_kills_is_given_up_and_said_so);
})
