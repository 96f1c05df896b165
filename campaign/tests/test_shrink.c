/* What shrink hears and tries; that the whole of it works is for scripts/check/shrink.sh. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "campaign/shrink_private.h"
#include "campaign/trial.h"
#include "scripts/check_main.h"
#include "workloads/oracle/history.h"

static struct shrink_tape tape;
static struct arena *arena;
static struct shrink s;

/* ---- The tape ---------------------------------------------------------------------------------
 */

static struct lab_listener recorder(uint32_t apps)
{
    struct lab_listener l = shrink_recorder(&tape);
    l.start(l.context, apps);
    return l;
}

/* A call that is answered with `fd` at once. */
static void hear(const struct lab_listener *l, uint64_t now_ns, const struct history_call *call,
                 int32_t fd)
{
    struct history_answer answer = {.result = OK, .fd = fd};
    l->call(l->context, 0, now_ns, call);
    l->answer(l->context, 0, now_ns, call, &answer);
}

START_TEST(test_shrink__hears_what_an_application_does_as_an_operation_list)
{
    struct lab_listener l = recorder(1);
    hear(&l, 1, &(struct history_call){.kind = HISTORY_MKDIR, .path = "app0"}, -1);
    hear(&l, 2, &(struct history_call){.kind = HISTORY_MKDIR, .path = "app0/d"}, -1);
    hear(&l, 3,
         &(struct history_call){.kind = HISTORY_OPEN, .path = "app0/d/f", .flags = HISTORY_CREATE},
         3);
    hear(&l, 4, &(struct history_call){.kind = HISTORY_WRITE, .fd = 3, .offset = 5, .length = 6},
         -1);
    hear(&l, 5,
         &(struct history_call){
             .kind = HISTORY_WRITE, .fd = 3, .offset = HISTORY_AT_END, .length = 7},
         -1);
    hear(&l, 2000005, &(struct history_call){.kind = HISTORY_FSYNC, .fd = 3}, -1);
    hear(&l, 2000006, &(struct history_call){.kind = HISTORY_CLOSE, .fd = 3}, -1);
    hear(&l, 2000007,
         &(struct history_call){
             .kind = HISTORY_RENAME, .path = "app0/d/f", .path2 = "shared/app0/g"},
         -1);
    hear(&l, 2000008,
         &(struct history_call){.kind = HISTORY_SYMLINK, .path = "../x", .path2 = "app0/s"}, -1);
    hear(&l, 2000009, &(struct history_call){.kind = HISTORY_CHMOD, .path = "app0/s", .mode = 0640},
         -1);
    hear(&l, 2000010, &(struct history_call){.kind = HISTORY_SYNC}, -1);
    ck_assert(!tape.inexact);
    ck_assert_str_eq(tape.text, "try mkdir d\ntry create d/f\ntry write d/f 5 6\n"
                                "try append d/f 7\nsleep 2000000ns\ntry fsync d/f\n"
                                "try rename d/f shared/app0/g\ntry symlink ../x s\n"
                                "try chmod s 640\nsync\n");
}
END_TEST

START_TEST(test_shrink__says_what_no_list_can_say)
{
    static const struct history_call calls[] = {
        {.kind = HISTORY_OTHER, .path = "app0/f"},
        {.kind = HISTORY_UNLINK, .path = "elsewhere"},
        {.kind = HISTORY_UNLINK, .path = "app0/a b"},
        {.kind = HISTORY_FSYNC, .fd = 9},
        {.kind = HISTORY_FSYNC, .fd = -1},
    };
    for (size_t k = 0; k < sizeof(calls) / sizeof(calls[0]); k++) {
        struct lab_listener l = recorder(1);
        hear(&l, 1, &calls[k], -1);
        ck_assert(tape.inexact);
        ck_assert_uint_eq(tape.used, 0);
    }
}
END_TEST

START_TEST(test_shrink__a_tape_that_is_full_is_inexact_and_ends_in_a_whole_line)
{
    struct lab_listener l = recorder(1);
    while (!tape.inexact)
        hear(&l, 1, &(struct history_call){.kind = HISTORY_SYNC}, -1);
    ck_assert_uint_gt(tape.used, SHRINK_TAPE_BYTES - 8);
    ck_assert_uint_eq(strlen(tape.text), tape.used);
    ck_assert_int_eq(tape.text[tape.used - 1], '\n');
}
END_TEST

START_TEST(test_shrink__of_two_processes_nothing_is_kept)
{
    struct lab_listener l = recorder(2);
    hear(&l, 1, &(struct history_call){.kind = HISTORY_SYNC}, -1);
    ck_assert_uint_eq(tape.apps, 2);
    ck_assert_uint_eq(tape.used, 0);
}
END_TEST

/* ---- Steps -------------------------------------------------------------------------------------
 */

static void set_up(void)
{
    arena = arena_create();
    s = (struct shrink){.arena = arena, .variant = "v", .workload = "w", .fault = "f"};
}

static void tear_down(void)
{
    arena_destroy(arena);
}

static void begin_with(const char *text)
{
    struct complaints *complaints = complaints_create(arena);
    s.best = yaml_parse(text, strlen(text), "t", 1, arena, complaints);
    ck_assert(s.best != NULL && complaints_count(complaints) == 0);
}

/* The campaign after way k of a step; "-" if there is none. */
static const char *after(shrink_step *step, uint32_t k)
{
    struct yaml *root = yaml_copy(arena, s.best);
    return step(&s, arena, root, k) ? yaml_write(arena, root) : "-";
}

static uint32_t ways(shrink_step *step)
{
    uint32_t k = 0;
    while (strcmp(after(step, k), "-") != 0)
        k++;
    return k;
}

static bool says(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

#define CAMPAIGN(VARIANT, WORKLOAD, FAULT)                                                         \
    "campaign: c\ntrials: 4\nvariants:\n  v: " VARIANT "\nworkloads:\n  w: " WORKLOAD              \
    "\nfaults:\n  f: " FAULT "\n"
#define SCRIPT(LINES) CAMPAIGN("{stack: none}", "{app: script, operations: \"" LINES "\"}", "[]")

START_TEST(test_shrink__leaves_out_each_piece_of_a_script)
{
    begin_with(SCRIPT("a\\nb\\nc\\n"));
    s.chunk = 2;
    ck_assert_uint_eq(ways(step_chunk), 2);
    ck_assert(says(after(step_chunk, 0), "operations: \"c\\n\""));
    ck_assert(says(after(step_chunk, 1), "operations: \"a\\nb\\n\""));
    s.chunk = 3; /* all of it: a script has a line */
    ck_assert_uint_eq(ways(step_chunk), 0);
    ck_assert_uint_eq(ways(step_tail), 2);
    ck_assert(says(after(step_tail, 1), "operations: \"a\\nb\\n\""));
}
END_TEST

START_TEST(test_shrink__makes_numbers_small_and_names_plain)
{
    begin_with(
        SCRIPT("try mkdir dir\\nappend dir/f 600\\nchmod dir/f 600\\nexpect ENOENT read x 5 1\\n"));
    /* 0, 1, 512 for 600; 0, 1 for 5; 0 for 1; the mode stays */
    ck_assert_uint_eq(ways(step_number), 6);
    ck_assert(says(after(step_number, 2), "append dir/f 512\\n"));
    ck_assert(says(after(step_number, 5), "read x 5 0\\n"));
    ck_assert_uint_eq(ways(step_name), 2);
    ck_assert(says(after(step_name, 0), "try mkdir a\\nappend a/f 600\\nchmod a/f 600\\n"));
    ck_assert(says(after(step_name, 1), "try mkdir dir\\nappend a 600\\nchmod a 600\\n"));
    begin_with(SCRIPT("try sync\\nsleep 5ms\\ncreate f\\n"));
    ck_assert_uint_eq(ways(step_sleeps), 1);
    ck_assert(says(after(step_sleeps, 0), "\"try sync\\ncreate f\\n\""));
    ck_assert(shrink_drop_tries(&s, arena, s.best));
    ck_assert_str_eq(shrink_script(&s, s.best), "sync\nsleep 5ms\ncreate f\n");
}
END_TEST

START_TEST(test_shrink__drops_faults_applications_and_disks)
{
    begin_with(CAMPAIGN("{stack: none, machine: {disks: {count: 3}, environments: 2}}",
                        "[{app: bank}, {app: fsx, operations: 8}]",
                        "[{kind: power.cut}, {kind: disk.bit-rot}]"));
    ck_assert_uint_eq(ways(step_fault), 2);
    ck_assert(!says(after(step_fault, 0), "power.cut"));
    ck_assert_uint_eq(ways(step_app), 2);
    ck_assert(!says(after(step_app, 1), "fsx"));
    ck_assert_uint_eq(ways(step_environments), 1);
    ck_assert(says(after(step_environments, 0), "environments: 1"));
    ck_assert(says(after(step_disks, 0), "count: 1"));
    ck_assert(says(after(step_disks, 0), "raid: 0"));
    ck_assert(says(after(step_disks, 3), "count: 2"));
    ck_assert_uint_eq(ways(step_disks), 5);
    ck_assert(says(after(step_disk_size, 0), "size: 1MiB"));
    ck_assert_uint_eq(ways(step_disk_size), 6); /* 64 MiB is the default */
    begin_with(CAMPAIGN("{stack: none}", "[{app: bank}]", "[]"));
    ck_assert_uint_eq(ways(step_fault) + ways(step_app), 0);
    ck_assert(says(after(step_one_app, 0), "w: {app: bank}") ||
              says(after(step_one_app, 0), "w:\n    app: bank"));
}
END_TEST

START_TEST(test_shrink__numbers_of_applications_fall_and_options_go)
{
    begin_with(CAMPAIGN("{stack: loris, log: off, cache: 1MiB, machine: {memory: 32MiB}}",
                        "{app: fsx, operations: 8, sync: 3}", "[{kind: power.cut, off-for: 1s}]"));
    static const char *const smaller[] = {"operations: 1", "operations: 4", "operations: 7"};
    ck_assert(says(after(step_app_number, 0), smaller[0]));
    ck_assert(says(after(step_app_number, 1), smaller[0])); /* 8 / 8 */
    ck_assert(says(after(step_app_number, 2), smaller[1]));
    ck_assert(says(after(step_app_number, 3), smaller[2]));
    ck_assert(says(after(step_app_number, 4), "copies: 1"));
    ck_assert_uint_eq(ways(step_app_number), 5);
    static const char *const gone[] = {"cache", "log", "memory", "sync", "off-for"};
    ck_assert_uint_eq(ways(step_option), 5);
    for (uint32_t k = 0; k < 5; k++)
        ck_assert_msg(!says(after(step_option, k), gone[k]), "%s", after(step_option, k));
}
END_TEST

START_TEST(test_shrink__draws_become_numbers)
{
    begin_with(CAMPAIGN("{stack: none}", "{app: bank}",
                        "[{kind: disk.fail-stop, at: {write: uniform}}, {kind: power.cut}]"));
    s.look.faults = 2;
    s.look.strike[0] = (struct strike){.struck = true, .target = "disk 1", .position = "write 40"};
    s.look.strike[1] = (struct strike){
        .struck = true, .time_ns = 1234567, .target = "all disks", .position = "at 0.001235 s"};
    ck_assert(says(after(step_explicit, 0), "at: {write: 40}, disk: 1"));
    ck_assert(!says(after(step_explicit, 1), "disk: 1"));
    ck_assert(says(after(step_explicit, 2), "at: {time: 1234567ns}"));
    ck_assert_uint_eq(ways(step_explicit), 4);
    ck_assert(says(after(step_first_trial, 0), "trials: 1"));
    ck_assert_uint_eq(ways(step_fault_number), 0);
    ck_assert(says(after(step_first_trial, 2), "seed: 2"));
    ck_assert_uint_eq(ways(step_crash), 3);
    ck_assert(says(after(step_crash, 0), "cache: drop"));
}
END_TEST

START_TEST(test_shrink__counts_of_probes_and_faults_become_small)
{
    begin_with(CAMPAIGN("{stack: loris}", "{app: bank}",
                        "[{kind: process.crash, layer: cache, at: {probe: p, n: uniform}, "
                        "repeat: 9}]"));
    s.look.faults = 1;
    s.look.strike[0] =
        (struct strike){.struck = true, .target = "cache 0", .position = "probe pass 3"};
    ck_assert(says(after(step_explicit, 0), "at: {probe: p, n: 3}"));
    ck_assert(says(after(step_explicit, 0), "instance: 0"));
    ck_assert_uint_eq(ways(step_fault_number), 3);
    ck_assert(says(after(step_fault_number, 1), "repeat: 4"));
    begin_with(after(step_explicit, 1));
    ck_assert_uint_eq(ways(step_explicit), 0);
    ck_assert_uint_eq(ways(step_strike), 2);
    ck_assert(says(after(step_strike, 1), "n: 2"));
}
END_TEST

START_TEST(test_shrink__crash_states_are_said_write_by_write_and_get_simpler)
{
    begin_with(CAMPAIGN("{stack: none, machine: {disks: {count: 2}}}", "{app: bank}",
                        "[{kind: power.cut, at: {write: 4}, tears: none}]"));
    ck_assert(says(after(step_state, 0), "cache: {keep: [0, 0]}}"));
    ck_assert(says(after(step_state, 40), "cache: {keep: [40, 40]}}"));
    ck_assert(says(after(step_state, 41), "cache: {keep: [2, 2], leave: [[0, 1], [1, 1]]}}"));
    ck_assert(says(after(step_state, 43), "cache: {keep: [3, 3], leave: [[0, 2], [1, 2]]}}"));
    ck_assert(says(after(step_state, 41 + 780 + 3),
                   "cache: {keep: [2, 2], tear: [[0, 2, 4], [1, 2, 4]]}}"));
    /* 41 that leave nothing out, 780 that leave one, 80 that tear one, 169 with disks apart */
    ck_assert_uint_eq(ways(step_state), 41 + 780 + 80 + 169);
    ck_assert(says(after(step_state, 41 + 780 + 80 + 14), "cache: {keep: [1, 1]}}"));
    begin_with(CAMPAIGN("{stack: none, machine: {disks: {count: 2}}}", "{app: bank}",
                        "[{kind: power.cut, cache: {keep: [2, 1], leave: [[0, 1], [1, 1]], "
                        "tear: [[1, 1, 3]]}}]"));
    ck_assert_uint_eq(ways(step_state), 0);
    ck_assert_uint_eq(ways(step_state_less), 2 + 1 + 2 + 1);
    ck_assert(says(after(step_state_less, 1), "leave: [[0, 1]]"));
    ck_assert(!says(after(step_state_less, 2), "tear"));
    ck_assert(says(after(step_state_less, 4), "keep: [1, 1]"));
    ck_assert(says(after(step_disks, 0), "count: 1"));
    ck_assert(says(after(step_disks, 0), "cache: {keep: [2], leave: [[0, 1]]}"));
}
END_TEST

START_TEST(test_shrink__strikes_earlier)
{
    begin_with(CAMPAIGN("{stack: loris}", "{app: script, operations: \"sync\\nsync\\n\"}",
                        "[{kind: power.cut, at: {write: 4}}]"));
    s.look.faults = 1;
    s.look.writes = 100;
    ck_assert_uint_eq(ways(step_strike), 3);
    ck_assert(says(after(step_strike, 0), "{write: 1}"));
    /* Each line left out, at each of the four places. */
    ck_assert_uint_eq(ways(step_line_and_strike), 8);
    ck_assert(says(after(step_line_and_strike, 7), "{write: 4}"));
    ck_assert(says(after(step_line_and_strike, 7), "\"sync\\n\""));
    begin_with(CAMPAIGN("{stack: loris}", "{app: script, operations: \"sync\\nsync\\n\"}",
                        "[{kind: power.cut, at: {write: 3}, cache: {keep: [1, 1]}}]"));
    /* Two lines, three places, four states that leave nothing out and three that leave one. */
    ck_assert_uint_eq(ways(step_line_and_strike), 2 * 3 * 7);
    ck_assert(says(after(step_line_and_strike, 20), "{write: 3}"));
    ck_assert(says(after(step_line_and_strike, 20), "keep: [3, 3], leave: [[0, 2], [1, 2]]"));
    begin_with(CAMPAIGN("{stack: loris}", "{app: bank}", "[{kind: power.cut, at: {time: 4s}}]"));
    ck_assert_uint_eq(ways(step_strike), 100);
    begin_with(CAMPAIGN("{stack: loris}", "{app: bank}",
                        "[{kind: process.crash, layer: cache, at: {block: 9000}}]"));
    s.look.messages[0] = 7;
    ck_assert_uint_eq(ways(step_strike), 7);
    ck_assert(says(after(step_strike, 6), "{message: 7}"));
    begin_with(CAMPAIGN("{stack: loris}", "{app: bank}", "[{kind: power.cut, at: {mark: 2}}]"));
    ck_assert_uint_eq(ways(step_strike), 0);
}
END_TEST

CHECK_MAIN("shrink", 30, tcase_add_checked_fixture(tc, set_up, tear_down);
           tcase_add_test(tc, test_shrink__hears_what_an_application_does_as_an_operation_list);
           tcase_add_test(tc, test_shrink__says_what_no_list_can_say);
           tcase_add_test(tc, test_shrink__a_tape_that_is_full_is_inexact_and_ends_in_a_whole_line);
           tcase_add_test(tc, test_shrink__of_two_processes_nothing_is_kept);
           tcase_add_test(tc, test_shrink__leaves_out_each_piece_of_a_script);
           tcase_add_test(tc, test_shrink__makes_numbers_small_and_names_plain);
           tcase_add_test(tc, test_shrink__drops_faults_applications_and_disks);
           tcase_add_test(tc, test_shrink__numbers_of_applications_fall_and_options_go);
           tcase_add_test(tc, test_shrink__draws_become_numbers);
           tcase_add_test(tc, test_shrink__counts_of_probes_and_faults_become_small);
           tcase_add_test(tc, test_shrink__crash_states_are_said_write_by_write_and_get_simpler);
           tcase_add_test(tc, test_shrink__strikes_earlier);)
