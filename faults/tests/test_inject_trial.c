/* The injector in whole trials of the control stack on one disk. */
#include "campaign/trial.h"

#include <stdio.h>
#include <string.h>

#include "faults/inject.h"
#include "scripts/check_main.h"

#define HEAD                                                                                       \
    "campaign: t\n"                                                                                \
    "machine: {disks: {count: 1, profile: ssd-sata, size: 64MiB}, environments: 1}\n"              \
    "variants: {n: {stack: %s}}\n"                                                                 \
    "workloads:\n"                                                                                 \
    "  w: {app: script, operations: \"create a\\nwrite a 0 20000\\nmark\\nfsync a\\ncreate b\\n"   \
    "write b 0 4096\\nread a 0 8192\\nmark\\nrename b c\\nsync\\nread a 0 8192\\n\"}\n"            \
    "faults:\n"                                                                                    \
    "  none: []\n"

static struct plan *plan;
static struct lab *lab;
static struct trial_record *record, *base;

/* A laboratory with these fault plans, numbered from 1, whose job has begun. */
static void begin_on(const char *stack, const char *fault_lines)
{
    char text[8192];
    struct plan_request request = {.path = "t.yaml"};
    ck_assert_int_lt(snprintf(text, sizeof(text), HEAD "%s", stack, fault_lines),
                     (int)sizeof(text));
    plan = plan_load_text(text, &request, stderr);
    ck_assert(plan != NULL);
    lab = lab_create(plan);
    record = malloc(sizeof(*record));
    base = malloc(sizeof(*base));
    ck_assert(record != NULL && base != NULL);
    lab_begin(lab, 0, 0, 0);
    lab_trial(lab, 0, base);
}

static void begin(const char *fault_lines)
{
    begin_on("none", fault_lines);
}

static void end(void)
{
    lab_destroy(lab);
    plan_destroy(plan);
    free(record);
    free(base);
}

static uint32_t count_events(const char *what)
{
    uint32_t count = 0;
    for (uint32_t k = 0; k < record->event_count; k++)
        count += strcmp(record->event[k].what, what) == 0;
    return count;
}

/* Every column of a trial that does not name the fault, as bytes. */
static size_t essence(const struct trial_record *from, uint8_t *to)
{
    static struct trial_record r;
    r = *from;
    r.trial = 1;
    r.cell = 0;
    r.wall_ns = 0;
    r.injected = true;
    r.promised = r.design_promise = LEVEL_NONE;
    r.struck[0] = r.story[0] = '\0';
    return record_encode(&r, to);
}

static void check_equals_base(void)
{
    static uint8_t one[RECORD_ENCODED_MAX], other[RECORD_ENCODED_MAX];
    size_t bytes = essence(base, one);
    ck_assert_uint_eq(record->hash, base->hash);
    ck_assert_uint_eq(essence(record, other), bytes);
    ck_assert_mem_eq(one, other, bytes);
}

START_TEST(test_inject_trial__a_fault_that_never_fires_changes_nothing)
{
    static const char *const moments[] = {"{op: 100000}",
                                          "{mark: 50}",
                                          "{io: 100000}",
                                          "{write: 100000}",
                                          "{message: 100000, layer: fs}",
                                          "{block: 900000000, layer: fs}",
                                          "{probe: none-writeback, n: 900}"};
    static const char *const kinds[] = {"kind: power.cut",
                                        "kind: process.crash, layer: vfs, repeat: 3",
                                        "kind: disk.torn-write",
                                        "kind: memory.flip, layer: fs",
                                        "kind: process.bug, layer: fs, bug: any",
                                        "kind: process.crash, layer: fs, repeat: same-request"};
    char lines[4096];
    size_t at = 0;
    uint32_t plans = 0;
    for (uint32_t m = 0; m < 7; m++)
        for (uint32_t k = 0; k < 6; k++)
            at += (size_t)snprintf(lines + at, sizeof(lines) - at, "  p%u: [{%s, at: %s}]\n",
                                   ++plans, kinds[k], moments[m]);
    begin(lines);
    for (uint32_t p = 1; p <= plans; p++) {
        lab_trial(lab, p, record);
        ck_assert(!record->injected);
        ck_assert_str_eq(record->struck, "[null]");
        check_equals_base();
    }
    ck_assert_int_eq(base->level, LEVEL_TRANSPARENT);
    end();
}
END_TEST

START_TEST(test_inject_trial__a_lying_in_wait_for_writes_that_never_come_changes_nothing)
{
    begin("  torn: [{kind: disk.torn-write, at: {op: 20}}]\n"
          "  error: [{kind: disk.transient-error, at: {op: 20}}]\n");
    for (uint32_t p = 1; p <= 2; p++) { /* all is stable and cached by then */
        lab_trial(lab, p, record);
        ck_assert(strstr(record->struck, "operation 20") != NULL);
        ck_assert(!record->injected);
        check_equals_base();
    }
    end();
}
END_TEST

START_TEST(test_inject_trial__leaves_nothing_behind_for_the_next_trial)
{
    begin("  a: [{kind: disk.fail-stop, at: {op: 3}}]\n"
          "  b: [{kind: process.crash, layer: fs, at: {message: 5}, repeat: 2}]\n"
          "  c: [{kind: power.cut, at: {write: 4}, cache: drop}]\n"
          "  d: [{kind: disk.lost-write, at: {write: 2}, count: 3}]\n"
          "  e: [{kind: disk.latent-error, at: {time: 0s}, count: 900, where: any}]\n"
          "  f: [{kind: process.crash, layer: driver, at: {block: 300}}]\n"
          "  g: [{kind: power.cut, at: {op: 100000}}]\n");
    for (uint32_t p = 1; p <= 6; p++) {
        lab_trial(lab, p, record);
        ck_assert_msg(record->injected, "plan %u: %s", p, record->story);
        uint64_t hash = record->hash;
        lab_trial(lab, 7, record); /* fires never */
        check_equals_base();
        lab_trial(lab, p, record); /* and again the same */
        ck_assert_uint_eq(record->hash, hash);
    }
    end();
}
END_TEST

START_TEST(test_inject_trial__closing_all_but_what_runs_changes_no_trial)
{
    begin("  a: [{kind: process.crash, layer: fs, at: {message: 5}}]\n"
          "  b: [{kind: power.cut, at: {write: 4}, cache: random}]\n"
          "  c: [{kind: memory.flip, layer: fs, region: pages, at: {op: 3}, bits: 8}]\n");
    for (uint32_t p = 1; p <= 3; p++) {
        ck_assert(lab_set_strict(lab, SIM_STRICT_REGIONS));
        lab_trial(lab, p, record);
        ck_assert_msg(record->injected, "plan %u: %s", p, record->story);
        uint64_t hash = record->hash;
        enum level level = record->level;
        (void)lab_set_strict(lab,
                             SIM_STRICT_ALWAYS); /* where the host cannot, it changes nothing */
        lab_trial(lab, p, record);
        ck_assert_uint_eq(record->hash, hash);
        ck_assert_int_eq(record->level, level);
    }
    end();
}
END_TEST

START_TEST(test_inject_trial__repeat_kills_as_often_as_it_says)
{
    begin("  a: [{kind: process.crash, layer: driver, at: {op: 4}}]\n"
          "  b: [{kind: process.crash, layer: driver, at: {op: 4}, repeat: 3}]\n");
    for (uint32_t p = 1; p <= 2; p++) {
        lab_trial(lab, p, record);
        ck_assert(record->injected);
        ck_assert_uint_eq(count_events("crash"), p == 1 ? 1 : 3);
        ck_assert_uint_eq(count_events("fault injected"), 1);
        ck_assert_int_eq(record->level, LEVEL_TRANSPARENT);
    }
    end();
}
END_TEST

START_TEST(test_inject_trial__is_injected_only_if_all_of_it_took_effect_and_says_how_much)
{
    begin("  a: [{kind: disk.lost-write, at: {write: 2}, count: 1000}]\n"
          "  b: [{kind: process.crash, layer: driver, at: {op: 11}, repeat: 900}]\n"
          "  c: [{kind: disk.latent-error, at: {op: 5}, count: 900, where: any}]\n"
          "  d: [{kind: process.crash, layer: driver, at: {op: 4}, repeat: 3}]\n"
          "  e: [{kind: disk.lost-write, at: {write: 2}}]\n");
    static const char *const shares[] = {" of 1000", " of 900", ", 900 of 900", ", 3 of 3",
                                         "write"};
    for (uint32_t p = 1; p <= 5; p++) {
        lab_trial(lab, p, record);
        ck_assert_int_eq(record->injected, p >= 3);
        ck_assert_msg(strstr(record->struck, shares[p - 1]) != NULL, "%s", record->struck);
    }
    ck_assert_ptr_null(strstr(record->struck, " of "));
    end();
}
END_TEST

START_TEST(test_inject_trial__moments_strike_where_they_say)
{
    begin("  op: [{kind: disk.fail-stop, at: {op: 6}}]\n"
          "  mark: [{kind: disk.fail-stop, at: {mark: 2}}]\n"
          "  write: [{kind: disk.fail-stop, at: {write: 3}}]\n"
          "  block: [{kind: process.crash, layer: fs, at: {block: 777}}]\n"
          "  message: [{kind: process.crash, layer: vfs, at: {message: 9}}]\n"
          "  time: [{kind: disk.fail-stop, at: {time: 20us}}]\n"
          "  after: [{kind: process.crash, layer: driver, at: {op: 4}}, "
          "{kind: process.crash, layer: driver, at: {after: 3s}}]\n"
          "  recovery: [{kind: process.crash, layer: driver, at: {op: 4}}, "
          "{kind: process.crash, layer: fs, at: {recovery: 1ms}}]\n"
          "  share: [{kind: process.crash, layer: driver, at: {op: 4}}, "
          "{kind: process.crash, layer: fs, at: {recovery: uniform}}]\n");
    static const char *const positions[] = {"operation 6", "mark 2",    "write 3",
                                            "block 777",   "message 9", "at 0.000020 s"};
    for (uint32_t p = 1; p <= 9; p++) {
        lab_trial(lab, p, record);
        ck_assert_msg(record->injected, "plan %u: %s", p, record->story);
        if (p <= 6)
            ck_assert_msg(strstr(record->struck, positions[p - 1]) != NULL, "%s", record->struck);
        ck_assert_uint_eq(count_events("fault injected"), p <= 6 ? 1 : 2);
    }
    end();
}
END_TEST

START_TEST(test_inject_trial__content_tells_whose_a_sector_is)
{
    begin_on("ffs",
             "  a: [{kind: disk.bit-rot, where: {file: app0/a}, at: {mark: 2}, count: 3}]\n"
             "  gone: [{kind: disk.bit-rot, where: {file: app0/z}, at: {mark: 2}}]\n"
             "  data: [{kind: disk.bit-rot, where: data, at: {mark: 2}, count: 3}]\n"
             "  meta: [{kind: disk.bit-rot, where: metadata, at: {mark: 2}}]\n"
             "  disk: [{kind: disk.fail-slow, disk: {holds: app0/a}, at: {mark: 2}}]\n"
             "  other: [{kind: disk.fail-slow, disk: {holds: app0/a, copy: 1}, at: {mark: 2}}]\n");
    static const bool injected[] = {true, false, true, true, true, false};
    for (uint32_t p = 1; p <= 6; p++) {
        lab_trial(lab, p, record);
        ck_assert_msg(record->injected == injected[p - 1], "plan %u: %s", p, record->struck);
        ck_assert(p != 2 || record->level == LEVEL_TRANSPARENT);
    }
    end();
}
END_TEST

START_TEST(test_inject_trial__power_cuts_take_what_their_mode_says)
{
    begin("  keep: [{kind: power.cut, at: {mark: 1}, cache: keep, tears: none}]\n"
          "  off: [{kind: power.cut, at: {mark: 1}, cache: keep, off-for: 100s}]\n");
    lab_trial(lab, 1, record);
    ck_assert(record->injected);
    ck_assert_uint_eq(count_events("power"), 1);
    uint64_t short_ns = record->sim_ns;
    lab_trial(lab, 2, record);
    ck_assert_uint_ge(record->sim_ns, short_ns + UINT64_C(89000000000));
    end();
}
END_TEST

CHECK_MAIN("inject_trial", 120, {
    tcase_add_test(tc, test_inject_trial__a_fault_that_never_fires_changes_nothing);
    tcase_add_test(tc,
                   test_inject_trial__a_lying_in_wait_for_writes_that_never_come_changes_nothing);
    tcase_add_test(tc, test_inject_trial__leaves_nothing_behind_for_the_next_trial);
    tcase_add_test(tc, test_inject_trial__closing_all_but_what_runs_changes_no_trial);
    tcase_add_test(tc, test_inject_trial__repeat_kills_as_often_as_it_says);
    tcase_add_test(tc,
                   test_inject_trial__is_injected_only_if_all_of_it_took_effect_and_says_how_much);
    tcase_add_test(tc, test_inject_trial__moments_strike_where_they_say);
    tcase_add_test(tc, test_inject_trial__content_tells_whose_a_sector_is);
    tcase_add_test(tc, test_inject_trial__power_cuts_take_what_their_mode_says);
})
