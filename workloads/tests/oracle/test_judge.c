/* The levels, clause by clause, and the measures. */
#include <string.h>

#include "scripts/check_main.h"
#include "workloads/oracle/content.h"
#include "workloads/tests/oracle/scene.h"

static struct scene s;

static struct history_call path_call(enum history_kind kind, const char *path)
{
    return (struct history_call){.kind = kind, .path = path, .mode = 0755};
}

START_TEST(test_judge__nothing_lost_is_transparent_and_costs_nothing)
{
    scene_open(&s, 1);
    uint32_t w = scene_file(&s, 0, "f", 5000);
    scene_cut(&s);
    scene_fill(&s, w, 0, 5000);
    (void)scene_see(&s, scene_root(&s, 0, false), "f", 1, 5000);
    ck_assert_int_eq(scene_judge(&s), LEVEL_TRANSPARENT);
    ck_assert_uint_eq(s.v.ops, 2);
    ck_assert_uint_eq(s.v.ops_lost + s.v.synced_lost + s.v.bytes_wrong + s.v.ops_failed, 0);
    ck_assert_int_eq(s.v.rpo_ns, 0);
    ck_assert_uint_eq(s.v.environment[0].killed, 1);
    ck_assert_uint_eq(s.v.environments_hit, 1);
    ck_assert_str_eq(s.v.story, "");
    scene_close(&s);
}
END_TEST

START_TEST(test_judge__what_was_not_synced_may_be_lost_from_the_end)
{
    scene_open(&s, 1);
    uint32_t w = scene_file(&s, 0, "f", 5000);
    (void)scene_fsync(&s, 0);
    uint32_t gone = scene_write(&s, 0, 5000, 100);
    (void)scene_write(&s, 0, 5100, 100);
    scene_cut(&s);
    scene_fill(&s, w, 0, 5000);
    (void)scene_see(&s, scene_root(&s, 0, false), "f", 1, 5000);
    ck_assert_int_eq(scene_judge(&s), LEVEL_DURABLE);
    ck_assert_uint_eq(s.v.ops_lost, 2);
    ck_assert_uint_eq(s.v.synced_lost, 0);
    ck_assert_int_eq(s.v.rpo_ns, (int64_t)(s.now - history_op(s.h, gone)->start_ns));
    scene_close(&s);
}
END_TEST

START_TEST(test_judge__sync_covers_what_ended_before_it_began)
{
    scene_open(&s, 2);
    uint32_t sync = scene_begin(&s, 1, path_call(HISTORY_SYNC, NULL));
    (void)scene_do(&s, 0, path_call(HISTORY_MKDIR, "late"), OK);
    scene_end(&s, sync, (struct history_answer){.result = OK});
    scene_cut(&s);
    (void)scene_root(&s, 0, false);
    (void)scene_root(&s, 1, false);
    ck_assert_int_eq(scene_judge(&s), LEVEL_DURABLE);
    ck_assert_int_eq(s.v.environment[1].level, LEVEL_TRANSPARENT);
    scene_close(&s);
}
END_TEST

START_TEST(test_judge__a_prefix_that_lacks_what_is_synced_says_so)
{
    scene_open(&s, 1);
    (void)scene_file(&s, 0, "f", 5000);
    (void)scene_fsync(&s, 0);
    scene_cut(&s);
    (void)scene_root(&s, 0, false);
    ck_assert_int_eq(scene_judge(&s), LEVEL_PREFIX);
    ck_assert_int_eq(s.v.clause, CLAUSE_SYNCED);
    ck_assert_uint_eq(s.v.synced_lost, 2);
    scene_close(&s);
}
END_TEST

START_TEST(test_judge__old_blocks_are_synced_or_structural_by_what_was_promised)
{
    for (int synced = 0; synced < 2; synced++) {
        scene_open(&s, 1);
        uint32_t w = scene_file(&s, 0, "f", 8192);
        (void)scene_fsync(&s, 0);
        uint32_t first = scene_write(&s, 0, 0, 4096);
        if (synced)
            (void)scene_fsync(&s, 0);
        uint32_t second = scene_write(&s, 0, 4096, 4096);
        scene_cut(&s);
        scene_fill(&s, w, 0, 4096);
        scene_fill(&s, second, 4096, 4096);
        (void)scene_see(&s, scene_root(&s, 0, false), "f", 1, 8192);
        ck_assert_int_eq(scene_judge(&s), synced ? LEVEL_STRUCTURAL : LEVEL_SYNCED);
        ck_assert_uint_eq(s.v.ops_lost, 1);
        ck_assert_uint_eq(s.v.synced_lost, synced ? 1 : 0);
        ck_assert_uint_eq(first, w + 2);
        if (synced)
            ck_assert_str_eq(s.v.story, "f block 0, synced by op 5, reads op 2");
        scene_close(&s);
    }
}
END_TEST

START_TEST(test_judge__content_that_never_was_is_silent)
{
    scene_open(&s, 1);
    uint32_t w = scene_file(&s, 0, "f", 8192);
    uint32_t g = scene_file(&s, 0, "g", 8192);
    scene_cut(&s);
    static const enum history_clause want[] = {CLAUSE_FOREIGN, CLAUSE_ZEROS, CLAUSE_SIZE};
    for (int k = 0; k < 3; k++) {
        observation_reset(s.o);
        uint32_t root = scene_root(&s, 0, false);
        scene_fill(&s, g, 0, 8192);
        (void)scene_see(&s, root, "g", 2, 8192);
        scene_fill(&s, w, 0, 8192);
        if (k == 0)
            scene_fill(&s, g, 4096, 512);
        else if (k == 1)
            memset(s.bytes + 4096, 0, 512);
        (void)scene_see(&s, root, "f", 1, k == 2 ? 8000 : 8192);
        ck_assert_int_eq(scene_judge(&s), LEVEL_SILENT);
        ck_assert_int_eq(s.v.clause, want[k]);
        ck_assert_uint_eq(s.v.bytes_wrong, k == 2 ? 0 : 512);
    }
    scene_close(&s);
}
END_TEST

START_TEST(test_judge__a_mix_of_versions_in_one_block_is_torn)
{
    scene_open(&s, 1);
    uint32_t old = scene_file(&s, 0, "f", 4096);
    uint32_t now = scene_write(&s, 0, 0, 4096);
    scene_cut(&s);
    scene_fill(&s, old, 0, 4096);
    scene_fill(&s, now, 0, 512);
    (void)scene_see(&s, scene_root(&s, 0, false), "f", 1, 4096);
    ck_assert_int_eq(scene_judge(&s), LEVEL_SILENT);
    ck_assert_int_eq(s.v.clause, CLAUSE_TORN);
    scene_close(&s);
}
END_TEST

START_TEST(test_judge__an_unanswered_write_is_in_by_whole_blocks)
{
    for (int torn = 0; torn < 2; torn++) {
        scene_open(&s, 1);
        uint32_t old = scene_file(&s, 0, "f", 12288);
        struct history_call call = {.kind = HISTORY_WRITE, .fd = 3, .offset = 0, .length = 12288};
        uint32_t late = scene_begin(&s, 0, call);
        scene_cut(&s);
        scene_fill(&s, old, 0, 12288);
        scene_fill(&s, late, 4096, torn ? 512 : 4096);
        (void)scene_see(&s, scene_root(&s, 0, false), "f", 1, 12288);
        ck_assert_int_eq(scene_judge(&s), torn ? LEVEL_SILENT : LEVEL_TRANSPARENT);
        scene_close(&s);
    }
}
END_TEST

START_TEST(test_judge__an_unreadable_block_is_detected_in_its_environment_only)
{
    scene_open(&s, 2);
    uint32_t a = scene_file(&s, 0, "f", 8192);
    uint32_t b = scene_file(&s, 1, "f", 100);
    scene_fill(&s, a, 0, 8192);
    uint32_t root = scene_root(&s, 0, false);
    struct history_stat stat = {
        .ino = 1, .size = 8192, .type = HISTORY_FILE, .mode = 0644, .nlink = 1};
    uint32_t f = observe_entry(s.o, root, "f", HISTORY_FILE);
    observe_stat(s.o, f, OK, &stat);
    observe_data(s.o, f, 0, OK, s.bytes, 4096);
    observe_data(s.o, f, 4096, E_IO, NULL, 4096);
    scene_fill(&s, b, 0, 100);
    (void)scene_see(&s, scene_root(&s, 1, false), "f", 2, 100);
    ck_assert_int_eq(scene_judge(&s), LEVEL_DETECTED);
    ck_assert_int_eq(s.v.environment[0].level, LEVEL_DETECTED);
    ck_assert_int_eq(s.v.environment[1].level, LEVEL_TRANSPARENT);
    ck_assert_uint_eq(s.v.environments_hit, 1);
    ck_assert_uint_eq(s.v.ops_lost, 1);
    ck_assert_int_eq(s.v.clause, CLAUSE_ERROR);
    ck_assert_str_eq(s.v.story, "f cannot be read at 4096: an error");
    scene_close(&s);
}
END_TEST

/* Of what cannot be read at all: the history has nothing, which errors excuse. */
START_TEST(test_judge__says_what_could_not_be_read)
{
    static const char *const want[] = {"cannot be looked up", "d cannot be listed",
                                       "the root cannot be listed"};
    for (unsigned k = 0; k < 3; k++) {
        struct history_stat stat = {.ino = 7, .type = HISTORY_DIRECTORY, .mode = 0755, .nlink = 2};
        scene_open(&s, 1);
        (void)scene_do(&s, 0, path_call(HISTORY_MKDIR, "d"), OK);
        uint32_t root = observe_root(s.o, 0, false);
        observe_listing(s.o, root, k == 2 ? E_IO : OK);
        if (k < 2) {
            uint32_t d = observe_entry(s.o, root, "d", HISTORY_DIRECTORY);
            observe_stat(s.o, d, k == 0 ? E_IO : OK, &stat);
            observe_listing(s.o, d, E_IO);
        }
        ck_assert_int_eq(scene_judge(&s), LEVEL_DETECTED);
        ck_assert_msg(strstr(s.v.story, want[k]) != NULL, "%s", s.v.story);
        scene_close(&s);
    }
}
END_TEST

START_TEST(test_judge__an_error_counts_if_its_application_lives)
{
    for (int killed = 0; killed < 2; killed++) {
        scene_open(&s, 1);
        uint32_t w = scene_file(&s, 0, "f", 100);
        (void)scene_do(&s, 0, path_call(HISTORY_MKDIR, "d"), E_IO);
        if (killed)
            history_kill(s.h, 0, s.now, HISTORY_ENVIRONMENT);
        scene_fill(&s, w, 0, 100);
        (void)scene_see(&s, scene_root(&s, 0, false), "f", 1, 100);
        ck_assert_int_eq(scene_judge(&s), killed ? LEVEL_TRANSPARENT : LEVEL_DETECTED);
        ck_assert_uint_eq(s.v.ops_failed, 1);
        ck_assert_str_eq(s.v.story, killed ? "" : "mkdir, op 3, was answered by an error");
        scene_close(&s);
    }
}
END_TEST

START_TEST(test_judge__after_an_error_no_order_has_to_give_all_answers)
{
    scene_open(&s, 1);
    uint32_t w = scene_file(&s, 0, "f", 100);
    (void)scene_do(&s, 0, path_call(HISTORY_MKDIR, "d"), E_IO);
    (void)scene_do(&s, 0, path_call(HISTORY_RMDIR, "d"), E_NOENT); /* lost with the error */
    (void)scene_do(&s, 0, path_call(HISTORY_RMDIR, "d"), OK);      /* and found again */
    scene_fill(&s, w, 0, 100);
    (void)scene_see(&s, scene_root(&s, 0, false), "f", 1, 100);
    ck_assert_int_eq(scene_judge(&s), LEVEL_DETECTED);
    scene_close(&s);
}
END_TEST

START_TEST(test_judge__a_wrong_answer_while_running_is_silent)
{
    scene_open(&s, 2);
    uint32_t w = scene_file(&s, 0, "f", 100);
    memset(s.bytes, 1, 100);
    ck_assert(!scene_read(&s, 0, 0, 100, 100));
    scene_fill(&s, w, 0, 100);
    (void)scene_see(&s, scene_root(&s, 0, false), "f", 1, 100);
    (void)scene_root(&s, 1, false);
    ck_assert_int_eq(scene_judge(&s), LEVEL_SILENT);
    ck_assert_int_eq(s.v.clause, CLAUSE_FOREIGN);
    ck_assert_uint_eq(s.v.bytes_wrong, 100);
    ck_assert_int_eq(s.v.environment[1].level, LEVEL_TRANSPARENT);
    scene_close(&s);
}
END_TEST

START_TEST(test_judge__a_synced_file_does_not_vanish_between_two_names)
{
    scene_open(&s, 1);
    (void)scene_file(&s, 0, "a", 100);
    (void)scene_fsync(&s, 0);
    (void)scene_do(&s, 0, (struct history_call){.kind = HISTORY_LINK, .path = "a", .path2 = "b"},
                   OK);
    (void)scene_do(&s, 0, path_call(HISTORY_UNLINK, "a"), OK);
    scene_cut(&s);
    (void)scene_root(&s, 0, false);
    ck_assert_int_eq(scene_judge(&s), LEVEL_PREFIX); /* nothing at all is a prefix */
    scene_close(&s);
    scene_open(&s, 1);
    (void)scene_do(&s, 0, path_call(HISTORY_MKDIR, "d"), OK);
    (void)scene_do(&s, 0, path_call(HISTORY_SYNC, NULL), OK);
    (void)scene_file(&s, 0, "a", 100);
    (void)scene_fsync(&s, 0);
    (void)scene_do(&s, 0, (struct history_call){.kind = HISTORY_RENAME, .path = "a", .path2 = "b"},
                   OK);
    (void)scene_do(&s, 0, path_call(HISTORY_MKDIR, "e"), OK);
    scene_cut(&s);
    uint32_t root = scene_root(&s, 0, false);
    (void)scene_see_dir(&s, root, "d", 1);
    (void)scene_see_dir(&s, root, "e", 2);
    ck_assert_int_eq(scene_judge(&s), LEVEL_STRUCTURAL); /* both names are gone, e is there */
    scene_close(&s);
}
END_TEST

START_TEST(test_judge__fsync_reaches_up_to_the_root)
{
    scene_open(&s, 1);
    (void)scene_do(&s, 0, path_call(HISTORY_MKDIR, "x"), OK);
    (void)scene_do(&s, 0, path_call(HISTORY_MKDIR, "x/y"), OK);
    (void)scene_do(&s, 0, path_call(HISTORY_MKDIR, "z"), OK);
    (void)scene_file(&s, 0, "x/y/f", 0);
    (void)scene_fsync(&s, 0);
    scene_cut(&s);
    uint32_t root = scene_root(&s, 0, false);
    (void)scene_see_dir(&s, root, "x", 1);
    (void)scene_see_dir(&s, root, "z", 2);
    ck_assert_int_eq(scene_judge(&s), LEVEL_STRUCTURAL);
    ck_assert_uint_eq(s.v.synced_lost, 2); /* x/y and the file, not z */
    scene_close(&s);
}
END_TEST

START_TEST(test_judge__shared_files_count_for_all_who_see_them)
{
    scene_open(&s, 2);
    (void)scene_file(&s, 0, "shared/f", 100);
    (void)scene_fsync(&s, 0);
    (void)scene_do(&s, 1, path_call(HISTORY_MKDIR, "d"), OK);
    scene_cut(&s);
    (void)scene_root(&s, 0, false);
    (void)scene_root(&s, 0, true);
    (void)scene_see_dir(&s, scene_root(&s, 1, false), "d", 5);
    (void)scene_root(&s, 1, true);
    ck_assert_int_eq(scene_judge(&s), LEVEL_STRUCTURAL); /* d came after the file, which is gone */
    ck_assert_int_eq(s.v.environment[0].level, LEVEL_PREFIX);
    ck_assert_int_eq(s.v.environment[1].level, LEVEL_STRUCTURAL);
    ck_assert_uint_eq(s.v.environments_hit, 2);
    scene_close(&s);
}
END_TEST

START_TEST(test_judge__what_moved_to_another_environment_is_not_missed)
{
    scene_open(&s, 2);
    uint32_t g = scene_file(&s, 1, "shared/g", 100);
    (void)scene_fsync(&s, 1);
    (void)scene_do(
        &s, 1, (struct history_call){.kind = HISTORY_RENAME, .path = "shared/g", .path2 = "g"}, OK);
    uint32_t old = scene_file(&s, 0, "f", 8192);
    (void)scene_write(&s, 0, 0, 4096);
    uint32_t now = scene_write(&s, 0, 4096, 4096);
    scene_cut(&s);
    scene_fill(&s, old, 0, 4096);
    scene_fill(&s, now, 4096, 4096);
    (void)scene_see(&s, scene_root(&s, 0, false), "f", 1, 8192);
    (void)scene_root(&s, 0, true);
    scene_fill(&s, g, 0, 100);
    (void)scene_see(&s, scene_root(&s, 1, false), "g", 2, 100);
    (void)scene_root(&s, 1, true);
    ck_assert_int_eq(scene_judge(&s), LEVEL_SYNCED);
    ck_assert_int_eq(s.v.environment[1].level, LEVEL_TRANSPARENT);
    scene_close(&s);
}
END_TEST

START_TEST(test_judge__what_lies_in_a_directory_moved_to_the_shared_tree_is_shared)
{
    for (int lost = 0; lost < 2; lost++) {
        scene_open(&s, 2);
        (void)scene_do(&s, 1, path_call(HISTORY_MKDIR, "d"), OK);
        uint32_t f = scene_file(&s, 1, "d/f", 100);
        (void)scene_do(
            &s, 1, (struct history_call){.kind = HISTORY_RENAME, .path = "d", .path2 = "shared/d"},
            OK);
        uint32_t more = scene_write(&s, 1, 100, 100);
        scene_cut(&s);
        scene_fill(&s, f, 0, 100);
        scene_fill(&s, more, 100, 100);
        for (uint32_t e = 0; e < 2; e++) {
            (void)scene_root(&s, e, false);
            uint32_t d = scene_see_dir(&s, scene_root(&s, e, true), "d", 1);
            (void)scene_see(&s, d, "f", 2, lost ? 100 : 200);
        }
        (void)scene_judge(&s);
        enum level want = lost ? LEVEL_DURABLE : LEVEL_TRANSPARENT;
        ck_assert_int_eq(s.v.environment[0].level, want);
        ck_assert_int_eq(s.v.environment[1].level, want);
        scene_close(&s);
    }
}
END_TEST

START_TEST(test_judge__what_a_repair_found_is_not_judged)
{
    scene_open(&s, 1);
    (void)scene_do(&s, 0, path_call(HISTORY_MKDIR, "d"), OK);
    uint32_t root = scene_root(&s, 0, false);
    (void)scene_see_dir(&s, root, "d", 1);
    uint32_t found = scene_see_dir(&s, root, "lost+found", 2);
    (void)scene_see(&s, found, "#17", 17, 300);
    ck_assert_int_eq(scene_judge(&s), LEVEL_TRANSPARENT);
    (void)scene_see_dir(&s, root, "#17", 3);
    ck_assert_int_eq(scene_judge(&s), LEVEL_SILENT);
    ck_assert_int_eq(s.v.clause, CLAUSE_NAME);
    scene_close(&s);
}
END_TEST

START_TEST(test_judge__the_trees_before_and_after_a_remount_must_agree)
{
    scene_open(&s, 1);
    uint32_t w = scene_file(&s, 0, "f", 100);
    (void)scene_write(&s, 0, 0, 100);
    scene_cut(&s);
    scene_fill(&s, w + 1, 0, 100);
    (void)scene_see(&s, scene_root(&s, 0, false), "f", 1, 100);
    struct observation *live = s.o;
    s.o = observation_create();
    uint32_t root = scene_root(&s, 0, false);
    scene_fill(&s, w, 0, 100);
    (void)scene_see(&s, root, "f", 9, 100);
    ck_assert(observation_agrees(live, live));
    ck_assert(!observation_agrees(live, s.o));
    struct judge_input in = {.history = s.h, .observed = live, .again = s.o};
    judge_trial(s.j, &in, &s.v);
    ck_assert_int_eq(s.v.level, LEVEL_SILENT);
    ck_assert_int_eq(s.v.clause, CLAUSE_REMOUNT);
    in.again = live;
    judge_trial(s.j, &in, &s.v);
    ck_assert_int_eq(s.v.level, LEVEL_TRANSPARENT);
    observation_destroy(live);
    scene_close(&s);
}
END_TEST

START_TEST(test_judge__a_machine_that_does_not_serve_is_dead)
{
    scene_open(&s, 2);
    (void)scene_root(&s, 0, false);
    (void)scene_root(&s, 1, false);
    struct judge_input in = {.history = s.h, .observed = s.o};
    in.probe[1] = JUDGE_PROBE_FAILED;
    judge_trial(s.j, &in, &s.v);
    ck_assert_int_eq(s.v.level, LEVEL_DEAD);
    ck_assert_int_eq(s.v.environment[0].level, LEVEL_TRANSPARENT);
    in.degraded = true;
    judge_trial(s.j, &in, &s.v);
    ck_assert_int_eq(s.v.level, LEVEL_DETECTED);
    in = (struct judge_input){.history = s.h, .observed = NULL};
    judge_trial(s.j, &in, &s.v);
    ck_assert_int_eq(s.v.level, LEVEL_DEAD);
    ck_assert_int_eq(s.v.clause, CLAUSE_MOUNT);
    scene_close(&s);
}
END_TEST

START_TEST(test_judge__what_ends_without_service_has_not_recovered)
{
    scene_open(&s, 2);
    history_mark(s.h, HISTORY_MARK_FAULT, s.now, NULL);
    history_mark(s.h, HISTORY_MARK_DETECTED, s.now + 10, "physical");
    history_mark(s.h, HISTORY_MARK_SERVICE, s.now + 50, NULL); /* from the first fault */
    history_mark(s.h, HISTORY_MARK_FAULT, s.now + 70, NULL);
    struct judge_input in = {.history = s.h, .observed = NULL};
    judge_trial(s.j, &in, &s.v);
    ck_assert_int_eq(s.v.recovery_ns, 40);
    in.machine[1] = JUDGE_MACHINE_RECOVERS;
    judge_trial(s.j, &in, &s.v);
    ck_assert_int_eq(s.v.level, LEVEL_DEAD);
    ck_assert_int_eq(s.v.recovery_ns, -1);
    scene_close(&s);
}
END_TEST

START_TEST(test_judge__waits_count_as_outage_less_what_is_usual)
{
    struct history_call call = {.kind = HISTORY_SYNC};
    struct judge_verdict usual;
    scene_open(&s, 1);
    (void)scene_root(&s, 0, false);
    (void)scene_do(&s, 0, call, OK);
    ck_assert_int_eq(scene_judge(&s), LEVEL_TRANSPARENT);
    usual = s.v;
    uint32_t op = scene_begin(&s, 0, call);
    history_mark(s.h, HISTORY_MARK_FAULT, s.now + 5, NULL);
    history_mark(s.h, HISTORY_MARK_DETECTED, s.now + 50, "physical");
    s.now += JUDGE_SAME_WAIT_NS;
    history_mark(s.h, HISTORY_MARK_SERVICE, s.now, NULL);
    scene_end(&s, op, (struct history_answer){.result = OK});
    s.now += 5000;
    op = scene_begin(&s, 0, call); /* after the outage: does not count */
    s.now += 2 * JUDGE_SAME_WAIT_NS;
    scene_end(&s, op, (struct history_answer){.result = OK});
    ck_assert_int_eq(scene_judge(&s), LEVEL_TRANSPARENT);
    ck_assert_uint_eq(judge_outage_ns(&s.v, NULL), JUDGE_SAME_WAIT_NS + 10);
    ck_assert_uint_eq(judge_outage_ns(&s.v, &usual), JUDGE_SAME_WAIT_NS);
    usual.longest_wait_ns[HISTORY_SYNC]++; /* less than two runs of the same work differ by */
    ck_assert_uint_eq(judge_outage_ns(&s.v, &usual), 0);
    ck_assert_uint_eq(judge_outage_ns(&usual, NULL), 0);
    ck_assert_int_eq(s.v.recovery_ns, JUDGE_SAME_WAIT_NS - 50);
    ck_assert_str_eq(s.v.detected_by, "physical");
    scene_close(&s);
}
END_TEST

START_TEST(test_judge__many_wrong_answers_hide_none_of_another_environment)
{
    scene_open(&s, 2);
    for (uint32_t a = 0; a < 2; a++) {
        uint32_t w = scene_file(&s, a, "f", 5000);
        scene_fill(&s, w, 0, 5000);
        (void)scene_see(&s, scene_root(&s, a, false), "f", 1 + a, 5000);
    }
    uint32_t wrong = HISTORY_WRONG_MAX + 7;
    memset(s.bytes, 1, 100);
    for (uint32_t k = 0; k <= wrong; k++)
        ck_assert(!scene_read(&s, k == wrong, 0, 100, 100));
    ck_assert_int_eq(scene_judge(&s), LEVEL_SILENT);
    ck_assert_int_eq(s.v.environment[0].level, LEVEL_SILENT);
    ck_assert_int_eq(s.v.environment[1].level, LEVEL_SILENT);
    ck_assert_int_eq(s.v.environment[1].clause, CLAUSE_FOREIGN);
    ck_assert_uint_eq(s.v.bytes_wrong, (wrong + 1) * 100);
    scene_close(&s);
}
END_TEST

START_TEST(test_judge__many_recoveries_hide_no_later_fault)
{
    scene_open(&s, 1);
    (void)scene_file(&s, 0, "f", 5000);
    history_mark(s.h, HISTORY_MARK_FAULT, s.now, NULL);
    history_mark(s.h, HISTORY_MARK_DETECTED, s.now + 3, "cache");
    for (uint32_t k = 0; k < 1000; k++) {
        s.now += 10;
        history_mark(s.h, HISTORY_MARK_DETECTED, s.now, "kernel");
        history_mark(s.h, HISTORY_MARK_SERVICE, s.now + 1, NULL);
    }
    uint64_t service = s.now + 1;
    uint32_t gone = scene_write(&s, 0, 5000, 100);
    s.now += 1000;
    scene_cut(&s);
    (void)scene_root(&s, 0, false);
    (void)scene_judge(&s);
    ck_assert_str_eq(s.v.detected_by, "cache");
    ck_assert_uint_eq(s.v.service_ns, service);
    ck_assert_int_eq(s.v.rpo_ns, (int64_t)(s.now - history_op(s.h, gone)->start_ns));
    scene_close(&s);
}
END_TEST

START_TEST(test_judge__joined_with_an_earlier_boot_the_weaker_counts)
{
    struct judge_verdict end = {.environments = 2, .level = LEVEL_DURABLE, .ops_lost = 3};
    end.environment[0] = (struct judge_environment){.level = LEVEL_DURABLE, .hit = true};
    end.environment[1] = (struct judge_environment){.level = LEVEL_TRANSPARENT, .killed = 2};
    end.rpo_ns = 50;
    strcpy(end.story, "end");
    struct judge_verdict earlier = {.environments = 2, .level = LEVEL_PREFIX, .ops_lost = 2};
    earlier.environment[1] =
        (struct judge_environment){.level = LEVEL_PREFIX, .clause = CLAUSE_SYNCED, .hit = true};
    earlier.rpo_ns = 70;
    earlier.clause = CLAUSE_SYNCED;
    earlier.undecided = true;
    strcpy(earlier.story, "earlier");
    struct judge_verdict v = end;
    judge_join(&v, &earlier);
    ck_assert_int_eq(v.level, LEVEL_PREFIX);
    ck_assert_int_eq(v.clause, CLAUSE_SYNCED);
    ck_assert_str_eq(v.story, "earlier");
    ck_assert_int_eq(v.environment[0].level, LEVEL_DURABLE);
    ck_assert_int_eq(v.environment[1].level, LEVEL_PREFIX);
    ck_assert_uint_eq(v.environment[1].killed, 2);
    ck_assert_uint_eq(v.environments_hit, 2);
    ck_assert_uint_eq(v.ops_lost, 3);
    ck_assert_int_eq(v.rpo_ns, 70);
    ck_assert(v.undecided);
    v = end;
    earlier.level = earlier.environment[1].level = LEVEL_TRANSPARENT;
    judge_join(&v, &earlier);
    ck_assert_int_eq(v.level, LEVEL_DURABLE);
    ck_assert_str_eq(v.story, "end");
}
END_TEST

/* A hole that was punched and synced, read back as a hole, as what was there, and as neither. */
START_TEST(test_judge__zeros_of_a_punched_range_are_that_operations)
{
    static const enum level want[] = {LEVEL_TRANSPARENT, LEVEL_STRUCTURAL, LEVEL_SILENT};
    for (int seen = 0; seen < 3; seen++) {
        scene_open(&s, 1);
        uint32_t w = scene_file(&s, 0, "f", 16384);
        (void)scene_fsync(&s, 0);
        struct history_call punch = {.kind = HISTORY_FALLOCATE,
                                     .fd = 3,
                                     .flags = HISTORY_PUNCH,
                                     .offset = 4096,
                                     .length = 8192};
        (void)scene_do(&s, 0, punch, OK);
        (void)scene_fsync(&s, 0);
        scene_cut(&s);
        scene_fill(&s, w, 0, 16384);
        memset(s.bytes + 4096, seen == 2 ? 7 : 0, seen == 1 ? 4096 : 8192);
        (void)scene_see(&s, scene_root(&s, 0, false), "f", 1, 16384);
        ck_assert_int_eq(scene_judge(&s), want[seen]);
        scene_close(&s);
    }
}
END_TEST

/* One in flight may be in by whole blocks, and have grown the file to a block's end. */
START_TEST(test_judge__an_unanswered_allocation_is_in_by_whole_blocks)
{
    for (uint64_t size = 4096; size <= 12288; size += 4096) {
        scene_open(&s, 1);
        uint32_t w = scene_file(&s, 0, "f", 4096);
        struct history_call grow = {.kind = HISTORY_FALLOCATE, .fd = 3, .length = 12288};
        (void)scene_begin(&s, 0, grow);
        scene_cut(&s);
        scene_fill(&s, w, 0, 4096);
        memset(s.bytes + 4096, 0, 8192);
        (void)scene_see(&s, scene_root(&s, 0, false), "f", 1, size);
        ck_assert_int_eq(scene_judge(&s), LEVEL_TRANSPARENT);
        scene_close(&s);
    }
}
END_TEST

static uint64_t digest_of(uint32_t op, const char *name, uint64_t bytes)
{
    uint8_t value[64];
    history_fill(s.h, op, 0, value, bytes);
    return content_digest(name, value, bytes);
}

/* The file f alone, with what the scene has filled in, and the digests of its attributes. */
static void see_with_attributes(uint64_t sum)
{
    uint32_t node = scene_see(&s, scene_root(&s, 0, false), "f", 1, 4096);
    struct history_stat stat = {
        .ino = 1, .size = 4096, .type = HISTORY_FILE, .mode = 0644, .nlink = 1, .xattrs = sum};
    observe_stat(s.o, node, OK, &stat);
}

/* The set of an inode's attributes: the newest, one without the last change, and one that never
 * was. */
START_TEST(test_judge__extended_attributes_are_one_slot_of_an_inode)
{
    static const enum level want[] = {LEVEL_TRANSPARENT, LEVEL_DURABLE, LEVEL_SILENT, LEVEL_SILENT};
    for (int seen = 0; seen < 4; seen++) {
        scene_open(&s, 1);
        uint32_t w = scene_file(&s, 0, "f", 4096);
        struct history_call set = {
            .kind = HISTORY_SETXATTR, .path = "f", .path2 = "user.a", .length = 20};
        uint32_t first = scene_begin(&s, 0, set);
        uint64_t a = digest_of(first, "user.a", 20);
        scene_end(&s, first, (struct history_answer){.result = OK});
        (void)scene_fsync(&s, 0);
        set.path2 = "user.b";
        uint32_t second = scene_begin(&s, 0, set);
        uint64_t b = digest_of(second, "user.b", 20);
        scene_end(&s, second, (struct history_answer){.result = OK});
        ck_assert(history_has_xattrs(s.h));
        const uint64_t sums[] = {a ^ b, a, b, 5};
        scene_cut(&s);
        scene_fill(&s, w, 0, 4096);
        see_with_attributes(sums[seen]);
        ck_assert_int_eq(scene_judge(&s), want[seen]);
        scene_close(&s);
    }
}
END_TEST

/* Two attributes set in one user transaction: none, or both. */
START_TEST(test_judge__attributes_of_a_user_transaction_are_whole_or_not_at_all)
{
    static const enum level want[] = {LEVEL_TRANSPARENT, LEVEL_DURABLE, LEVEL_SILENT, LEVEL_SILENT};
    for (int seen = 0; seen < 4; seen++) {
        uint64_t digest[2];
        scene_open(&s, 1);
        uint32_t w = scene_file(&s, 0, "f", 4096);
        (void)scene_fsync(&s, 0);
        (void)scene_do(&s, 0, (struct history_call){.kind = HISTORY_BEGIN}, OK);
        for (int k = 0; k < 2; k++) {
            const char *name = k == 0 ? "user.a" : "user.b";
            uint32_t op = scene_begin(
                &s, 0,
                (struct history_call){
                    .kind = HISTORY_SETXATTR, .path = "f", .path2 = name, .length = 20});
            digest[k] = digest_of(op, name, 20);
            scene_end(&s, op, (struct history_answer){.result = OK});
        }
        (void)scene_do(&s, 0, (struct history_call){.kind = HISTORY_COMMIT}, OK);
        const uint64_t sums[] = {digest[0] ^ digest[1], 0, digest[0], digest[1]};
        scene_cut(&s);
        scene_fill(&s, w, 0, 4096);
        see_with_attributes(sums[seen]);
        ck_assert_int_eq(scene_judge(&s), want[seen]);
        scene_close(&s);
    }
}
END_TEST

START_TEST(test_judge__the_next_trial_knows_of_no_attributes)
{
    scene_open(&s, 1);
    (void)scene_file(&s, 0, "f", 100);
    ck_assert(!history_has_xattrs(s.h));
    struct history_call set = {
        .kind = HISTORY_SETXATTR, .path = "f", .path2 = "user.a", .length = 20};
    (void)scene_do(&s, 0, set, OK);
    ck_assert(history_has_xattrs(s.h));
    history_reset(s.h, 1);
    ck_assert(!history_has_xattrs(s.h));
    scene_close(&s);
}
END_TEST

START_TEST(test_judge__a_wrong_attribute_while_running_is_silent)
{
    for (int wrong = 0; wrong < 3; wrong++) {
        scene_open(&s, 1);
        (void)scene_file(&s, 0, "f", 100);
        struct history_call call = {
            .kind = HISTORY_SETXATTR, .path = "f", .path2 = "user.a", .length = 20};
        uint8_t value[20];
        uint32_t op = scene_begin(&s, 0, call);
        history_fill(s.h, op, 0, value, sizeof(value));
        scene_end(&s, op, (struct history_answer){.result = OK});
        call.kind = HISTORY_GETXATTR;
        value[3] ^= wrong == 1;
        op = scene_begin(&s, 0, call);
        struct history_answer answer = {.result = OK, .moved = sizeof(value), .data = value};
        if (wrong == 2)
            answer = (struct history_answer){.result = E_NODATA};
        scene_end(&s, op, answer);
        ck_assert(history_op(s.h, op)->wrong == (wrong > 0));
        call.kind = HISTORY_REMOVEXATTR;
        (void)scene_do(&s, 0, call, OK);
        op = scene_do(&s, 0, call, E_NODATA);
        ck_assert(!history_op(s.h, op)->wrong);
        scene_close(&s);
    }
}
END_TEST

/* Two files, written anew in one user transaction; returns the writes. */
static void transfer(uint32_t old[2], uint32_t now[2], bool answered)
{
    old[0] = scene_file(&s, 0, "tom", 4096);
    old[1] = scene_file(&s, 0, "mike", 4096);
    (void)scene_do(&s, 0, (struct history_call){.kind = HISTORY_SYNC}, OK);
    (void)scene_do(&s, 0, (struct history_call){.kind = HISTORY_BEGIN}, OK);
    for (int k = 0; k < 2; k++) {
        struct history_call open = {
            .kind = HISTORY_OPEN, .path = k == 0 ? "tom" : "mike", .flags = 0};
        uint32_t op = scene_begin(&s, 0, open);
        scene_end(&s, op, (struct history_answer){.result = OK, .fd = 3});
        now[k] = scene_write(&s, 0, 0, 4096);
    }
    uint32_t commit = scene_begin(&s, 0, (struct history_call){.kind = HISTORY_COMMIT});
    if (answered)
        scene_end(&s, commit, (struct history_answer){.result = OK});
    scene_cut(&s);
}

static enum level see_both(uint32_t tom, uint32_t mike)
{
    observation_reset(s.o);
    uint32_t root = scene_root(&s, 0, false);
    scene_fill(&s, tom, 0, 4096);
    (void)scene_see(&s, root, "tom", 1, 4096);
    scene_fill(&s, mike, 0, 4096);
    (void)scene_see(&s, root, "mike", 2, 4096);
    return scene_judge(&s);
}

START_TEST(test_judge__a_user_transaction_is_whole_or_not_at_all)
{
    for (int answered = 0; answered < 2; answered++) {
        uint32_t old[2], now[2];
        scene_open(&s, 1);
        transfer(old, now, answered != 0);
        ck_assert_int_eq(see_both(now[0], now[1]), LEVEL_TRANSPARENT);
        ck_assert_int_eq(see_both(old[0], old[1]), answered ? LEVEL_DURABLE : LEVEL_TRANSPARENT);
        ck_assert_uint_eq(s.v.ops_lost, answered ? 1 : 0);
        for (int k = 0; k < 2; k++) {
            ck_assert_int_eq(see_both(k == 0 ? old[0] : now[0], k == 0 ? now[1] : old[1]),
                             LEVEL_SILENT);
            ck_assert_int_eq(s.v.clause, CLAUSE_TRANSACTION);
        }
        scene_close(&s);
    }
}
END_TEST

START_TEST(test_judge__an_aborted_or_unfinished_user_transaction_leaves_nothing)
{
    for (int aborted = 0; aborted < 2; aborted++) {
        scene_open(&s, 1);
        (void)scene_do(&s, 0, (struct history_call){.kind = HISTORY_BEGIN}, OK);
        uint32_t w = scene_file(&s, 0, "f", 4096);
        if (aborted)
            (void)scene_do(&s, 0, (struct history_call){.kind = HISTORY_ABORT}, OK);
        scene_cut(&s);
        (void)scene_root(&s, 0, false);
        ck_assert_int_eq(scene_judge(&s), LEVEL_TRANSPARENT);
        observation_reset(s.o);
        scene_fill(&s, w, 0, 4096);
        (void)scene_see(&s, scene_root(&s, 0, false), "f", 1, 4096);
        ck_assert_int_eq(scene_judge(&s), LEVEL_SILENT);
        scene_close(&s);
    }
}
END_TEST

/* ---- Names that were changed at the same time ---- */

static struct history_call make(const char *path)
{
    return (struct history_call){
        .kind = HISTORY_OPEN, .path = path, .flags = HISTORY_CREATE, .mode = 0644};
}

static struct history_call from_to(enum history_kind kind, const char *from, const char *to)
{
    return (struct history_call){.kind = kind, .path = from, .path2 = to};
}

START_TEST(test_judge__no_cut_has_a_file_without_the_operation_that_made_it)
{
    scene_open(&s, 1);
    uint32_t other = history_add_app(s.h, 0);
    uint32_t made = scene_begin(&s, 0, make("c"));
    (void)scene_do(&s, other, from_to(HISTORY_LINK, "c", "a"), OK);
    (void)scene_do(&s, other,
                   (struct history_call){.kind = HISTORY_CHMOD, .path = "a", .mode = 0644}, OK);
    scene_end(&s, made, (struct history_answer){.fd = 3});
    scene_cut(&s);
    (void)scene_see(&s, scene_root(&s, 0, false), "a", 1, 0); /* and no c */
    ck_assert_int_eq(scene_judge(&s), LEVEL_SYNCED);
    scene_close(&s);
}
END_TEST

START_TEST(test_judge__equal_files_are_whichever_of_them_explains_all_names)
{
    static const char *const names[] = {"p", "q"};
    for (uint32_t first = 0; first < 2; first++) { /* whichever name is looked at first */
        scene_open(&s, 1);
        uint32_t other = history_add_app(s.h, 0);
        uint32_t made = scene_begin(&s, 0, make("p"));
        (void)scene_do(&s, other, make("q"), OK);
        (void)scene_do(&s, other, from_to(HISTORY_LINK, "q", "r"), OK);
        (void)scene_do(&s, other, from_to(HISTORY_RENAME, "r", "p"), OK);
        scene_end(&s, made, (struct history_answer){.fd = 3});
        scene_cut(&s);
        uint32_t root = scene_root(&s, 0, false);
        (void)scene_see(&s, root, names[first], 1, 0); /* p may be q's file, but that is q */
        (void)scene_see(&s, root, names[1 - first], 2, 0);
        ck_assert_int_eq(scene_judge(&s), LEVEL_TRANSPARENT);
        ck_assert(!s.v.undecided);
        scene_close(&s);
    }
}
END_TEST

CHECK_MAIN(
    "judge", 60, tcase_add_test(tc, test_judge__nothing_lost_is_transparent_and_costs_nothing);
    tcase_add_test(tc, test_judge__what_was_not_synced_may_be_lost_from_the_end);
    tcase_add_test(tc, test_judge__sync_covers_what_ended_before_it_began);
    tcase_add_test(tc, test_judge__a_prefix_that_lacks_what_is_synced_says_so);
    tcase_add_test(tc, test_judge__old_blocks_are_synced_or_structural_by_what_was_promised);
    tcase_add_test(tc, test_judge__content_that_never_was_is_silent);
    tcase_add_test(tc, test_judge__a_mix_of_versions_in_one_block_is_torn);
    tcase_add_test(tc, test_judge__an_unanswered_write_is_in_by_whole_blocks);
    tcase_add_test(tc, test_judge__an_unreadable_block_is_detected_in_its_environment_only);
    tcase_add_test(tc, test_judge__says_what_could_not_be_read);
    tcase_add_test(tc, test_judge__an_error_counts_if_its_application_lives);
    tcase_add_test(tc, test_judge__after_an_error_no_order_has_to_give_all_answers);
    tcase_add_test(tc, test_judge__a_wrong_answer_while_running_is_silent);
    tcase_add_test(tc, test_judge__a_synced_file_does_not_vanish_between_two_names);
    tcase_add_test(tc, test_judge__fsync_reaches_up_to_the_root);
    tcase_add_test(tc, test_judge__shared_files_count_for_all_who_see_them);
    tcase_add_test(tc, test_judge__what_moved_to_another_environment_is_not_missed);
    tcase_add_test(tc, test_judge__what_lies_in_a_directory_moved_to_the_shared_tree_is_shared);
    tcase_add_test(tc, test_judge__what_a_repair_found_is_not_judged);
    tcase_add_test(tc, test_judge__the_trees_before_and_after_a_remount_must_agree);
    tcase_add_test(tc, test_judge__a_machine_that_does_not_serve_is_dead);
    tcase_add_test(tc, test_judge__what_ends_without_service_has_not_recovered);
    tcase_add_test(tc, test_judge__waits_count_as_outage_less_what_is_usual);
    tcase_add_test(tc, test_judge__many_wrong_answers_hide_none_of_another_environment);
    tcase_add_test(tc, test_judge__many_recoveries_hide_no_later_fault);
    tcase_add_test(tc, test_judge__joined_with_an_earlier_boot_the_weaker_counts);
    tcase_add_test(tc, test_judge__zeros_of_a_punched_range_are_that_operations);
    tcase_add_test(tc, test_judge__an_unanswered_allocation_is_in_by_whole_blocks);
    tcase_add_test(tc, test_judge__extended_attributes_are_one_slot_of_an_inode);
    tcase_add_test(tc, test_judge__attributes_of_a_user_transaction_are_whole_or_not_at_all);
    tcase_add_test(tc, test_judge__a_wrong_attribute_while_running_is_silent);
    tcase_add_test(tc, test_judge__the_next_trial_knows_of_no_attributes);
    tcase_add_test(tc, test_judge__a_user_transaction_is_whole_or_not_at_all);
    tcase_add_test(tc, test_judge__no_cut_has_a_file_without_the_operation_that_made_it);
    tcase_add_test(tc, test_judge__equal_files_are_whichever_of_them_explains_all_names);
    tcase_add_test(tc, test_judge__an_aborted_or_unfinished_user_transaction_leaves_nothing);)
