/* What applications rely on beside the levels: kept, broken, and not to be told. */
#include <string.h>

#include "scripts/check_main.h"
#include "workloads/oracle/invariants.h"
#include "workloads/tests/oracle/scene.h"

static struct scene s;
static char detail[128];

static uint32_t broken(void)
{
    return invariants_broken(s.h, s.o, false, detail, sizeof(detail));
}

/* One version of a new file, of 6000 bytes; its write. */
static uint32_t version(uint32_t file, const char *path, bool safe)
{
    history_version_begin(s.h, 0, file);
    uint32_t w = scene_file(&s, 0, path, 6000);
    history_version_done(s.h, 0);
    if (safe)
        history_versions_safe(s.h, 0, file);
    return w;
}

static void see(uint32_t root, const char *path, uint32_t inode, uint32_t write, uint64_t bytes)
{
    scene_fill(&s, write, 0, bytes);
    (void)scene_see(&s, root, path, inode, bytes);
}

START_TEST(test_invariants__a_replaced_file_is_one_whole_version)
{
    for (int bytes = 5000; bytes <= 6000; bytes += 1000) {
        scene_open(&s, 1);
        history_rely(s.h, 0, HISTORY_REPLACED, 0, "text", NULL);
        uint32_t w = version(0, "text", false);
        scene_cut(&s);
        see(scene_root(&s, 0, false), "text", 1, w, (uint64_t)bytes);
        ck_assert_uint_eq(broken(), bytes == 6000 ? 0 : 1);
        ck_assert_str_eq(detail, bytes == 6000 ? "" : "text is no whole version");
        scene_close(&s);
    }
}
END_TEST

START_TEST(test_invariants__a_replaced_file_is_not_older_than_what_was_saved)
{
    for (uint32_t safe = 0; safe < 2; safe++) {
        scene_open(&s, 1);
        history_rely(s.h, 0, HISTORY_REPLACED, 0, "text", "backup");
        uint32_t old = version(0, "text", true);
        uint32_t new = version(0, "backup", safe == 1);
        scene_cut(&s);
        see(scene_root(&s, 0, false), "text", 1, old, 6000);
        ck_assert_uint_eq(broken(), safe);
        ck_assert_str_eq(detail, safe ? "text is older than what was saved" : "");
        observation_reset(s.o);
        uint32_t root = scene_root(&s, 0, false);
        see(root, "text", 1, old, 6000);
        see(root, "backup", 2, new, 6000); /* from which the editor's start takes it */
        ck_assert_uint_eq(broken(), 0);
        scene_close(&s);
    }
}
END_TEST

START_TEST(test_invariants__what_was_saved_is_there)
{
    for (uint32_t safe = 0; safe < 2; safe++) {
        scene_open(&s, 1);
        history_rely(s.h, 0, HISTORY_REPLACED, 0, "text", NULL);
        (void)version(0, "text", safe == 1);
        scene_cut(&s);
        (void)scene_root(&s, 0, false);
        ck_assert_uint_eq(broken(), safe);
        ck_assert_str_eq(detail, safe ? "text is gone" : "");
        scene_close(&s);
    }
}
END_TEST

START_TEST(test_invariants__a_backup_that_was_cut_short_is_no_version)
{
    for (uint32_t renamed = 0; renamed < 2; renamed++) {
        scene_open(&s, 1);
        history_rely(s.h, 0, HISTORY_REPLACED, 0, "text", "backup");
        (void)version(0, "text", true);
        history_version_begin(s.h, 0, 0);
        uint32_t part = scene_file(&s, 0, "backup", 6000);
        struct history_call rename = {.kind = HISTORY_RENAME, .path = "backup", .path2 = "text"};
        if (renamed == 1)
            (void)scene_begin(&s, 0, rename);
        scene_cut(&s);
        see(scene_root(&s, 0, false), "backup", 2, part, 6000);
        ck_assert_uint_eq(broken(), 1 - renamed);
        ck_assert_str_eq(detail, renamed == 1 ? "" : "text is gone");
        scene_close(&s);
    }
}
END_TEST

/* A log of three records of 100 bytes, the first two safe; those in `there` are read back. */
static uint32_t log_of(int there)
{
    uint32_t w[3];
    scene_open(&s, 1);
    history_rely(s.h, 0, HISTORY_RECORDS, 7, "log", NULL);
    history_version_begin(s.h, 0, 7);
    w[0] = scene_file(&s, 0, "log", 100);
    history_version_done(s.h, 0);
    for (uint64_t k = 1; k < 3; k++) {
        history_version_begin(s.h, 0, 7);
        w[k] = scene_write(&s, 0, 100 * k, 100);
        history_version_done(s.h, 0);
        if (k == 1)
            history_versions_safe(s.h, 0, 7);
    }
    scene_cut(&s);
    memset(s.bytes, 0, 300); /* a tail of zeros is no record */
    for (int k = 0; k < there; k++)
        scene_fill(&s, w[k], (uint64_t)k * 100, 100);
    (void)scene_see(&s, scene_root(&s, 0, false), "log", 1, 300);
    uint32_t found = broken();
    scene_close(&s);
    return found;
}

START_TEST(test_invariants__a_log_has_all_records_that_were_safe)
{
    ck_assert_uint_eq(log_of(3), 0);
    ck_assert_uint_eq(log_of(2), 0);
    ck_assert_uint_eq(log_of(1), 1);
    ck_assert_str_eq(detail, "log lacks records that were safe");
    ck_assert_uint_eq(log_of(0), 1);
}
END_TEST

/* A record that was refused by an I/O error, in doubt at the end of the log, moves the content of
 * the next: it names the place where it would have gone. */
START_TEST(test_invariants__a_record_may_lie_before_the_place_that_it_names)
{
    for (uint32_t there = 0; there < 2; there++) {
        struct history_call append = {
            .kind = HISTORY_WRITE, .fd = 3, .offset = HISTORY_AT_END, .length = 100};
        scene_open(&s, 1);
        history_rely(s.h, 0, HISTORY_RECORDS, 7, "log", NULL);
        (void)scene_file(&s, 0, "log", 0);
        for (uint32_t k = 0; k < 2; k++) {
            history_version_begin(s.h, 0, 7);
            uint32_t op = scene_begin(&s, 0, append);
            scene_end(&s, op,
                      (struct history_answer){.result = k == 0 ? E_IO : OK, .moved = 100 * k});
        }
        history_version_done(s.h, 0);
        history_versions_safe(s.h, 0, 7);
        scene_cut(&s);
        memset(s.bytes, 0, 200);
        scene_fill(&s, history_ops(s.h), 100, 100);
        if (there == 1)
            memcpy(s.bytes, s.bytes + 100, 100);
        else
            memset(s.bytes, 0, 100);
        (void)scene_see(&s, scene_root(&s, 0, false), "log", 1, 100);
        ck_assert_uint_eq(broken(), 1 - there);
        scene_close(&s);
    }
}
END_TEST

START_TEST(test_invariants__two_files_are_of_one_version)
{
    scene_open(&s, 1);
    history_rely(s.h, 0, HISTORY_TOGETHER, 0, "tom", "mike");
    uint32_t tom[2], mike[2];
    for (int k = 0; k < 2; k++) {
        history_version_begin(s.h, 0, 0);
        tom[k] = scene_file(&s, 0, "tom", 4096);
        mike[k] = scene_file(&s, 0, "mike", 4096);
        history_version_done(s.h, 0);
        history_versions_safe(s.h, 0, 0);
    }
    scene_cut(&s);
    for (int k = 0; k < 4; k++) {
        observation_reset(s.o);
        uint32_t root = scene_root(&s, 0, false);
        see(root, "tom", 1, tom[k % 2], 4096);
        see(root, "mike", 2, mike[k / 2], 4096);
        ck_assert_uint_eq(broken(), k % 2 == k / 2 ? 0 : 1);
    }
    scene_close(&s);
}
END_TEST

START_TEST(test_invariants__what_cannot_be_read_breaks_nothing)
{
    scene_open(&s, 1);
    history_rely(s.h, 0, HISTORY_REPLACED, 0, "text", NULL);
    (void)version(0, "text", true);
    scene_cut(&s);
    uint32_t root = observe_root(s.o, 0, false);
    observe_listing(s.o, root, E_IO);
    ck_assert_uint_eq(broken(), 0);
    scene_close(&s);
}
END_TEST

CHECK_MAIN("invariants", 60,
           tcase_add_test(tc, test_invariants__a_replaced_file_is_one_whole_version);
           tcase_add_test(tc, test_invariants__a_replaced_file_is_not_older_than_what_was_saved);
           tcase_add_test(tc, test_invariants__what_was_saved_is_there);
           tcase_add_test(tc, test_invariants__a_backup_that_was_cut_short_is_no_version);
           tcase_add_test(tc, test_invariants__a_log_has_all_records_that_were_safe);
           tcase_add_test(tc, test_invariants__a_record_may_lie_before_the_place_that_it_names);
           tcase_add_test(tc, test_invariants__two_files_are_of_one_version);
           tcase_add_test(tc, test_invariants__what_cannot_be_read_breaks_nothing);)
