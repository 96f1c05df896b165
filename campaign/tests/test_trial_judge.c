/* What the judge does to the stack while it reads belongs to no measure of the trial. */
#include <stdio.h>
#include <string.h>

#include "block.h"
#include "campaign/tests/rig_trial.h"
#include "campaign/trial_private.h"
#include "scripts/check_main.h"
#include "stack/classic/common/entry.h"
#include "workloads/oracle/copy.h"

/* Rot that strikes when all applications have ended is read by nobody but the judge. */
static const char text[] =
    "campaign: judge\n"
    "machine: {disks: {count: 2, size: 32MiB}, environments: 2}\n"
    "variants: {loris: {stack: loris, raid: 1, checkpoint: 1s, cache: 2MiB, log-size: 1MiB}}\n"
    "workloads: {mail: {app: postmark, files: 20, transactions: 60, think: 20ms},\n"
    "  list: {app: script, copies: 1, operations: \"create a\\nexpect ENOENT unlink a\\n\\nmkdir "
    "b/c\"}}\n"
    "faults:\n"
    "  late: [{kind: disk.bit-rot, disk: 0, at: {time: 60s}, count: 512}]\n"
    "  early: [{kind: disk.fail-stop, disk: 0, at: {time: 1s}}]\n";
enum { LATE, EARLY };

static struct rig_trial rig;
static struct trial_record record;

static void setup(void)
{
    rig_trial_init(&rig, text);
    lab_begin(rig.lab, 0, 0, 0);
}

static void teardown(void)
{
    rig_trial_fini(&rig);
}

START_TEST(test_trial_judge__what_it_provokes_is_no_detection)
{
    unsigned noticed = 0;
    lab_trial(rig.lab, LATE, &record);
    for (uint32_t k = 0; k < record.event_count; k++)
        if (strcmp(record.event[k].what, "detected") == 0) {
            ck_assert_uint_gt(record.event[k].time_ns, record.sim_ns);
            noticed++;
        }
    ck_assert_uint_gt(noticed, 0);
    ck_assert(record.injected);
    ck_assert_int_eq(record.level, LEVEL_TRANSPARENT);
    ck_assert_str_eq(record.detected_by, "");
    ck_assert_int_eq(record.recovery_ns, RECORD_NULL);
    ck_assert_ptr_null(strstr(record.story, "noticed"));
}
END_TEST

START_TEST(test_trial_judge__what_the_run_noticed_is)
{
    lab_trial(rig.lab, EARLY, &record);
    ck_assert_str_ne(record.detected_by, "");
    ck_assert_int_ge(record.recovery_ns, 0);
    ck_assert_uint_eq(record.environments_hit, 0);
}
END_TEST

START_TEST(test_trial_judge__answers_that_a_list_does_not_expect_are_events)
{
    static const char *const want[] = {"app 0, line 2: no error, expected ENOENT",
                                       "app 0, line 4: ENOENT, expected no error"};
    unsigned told = 0;
    lab_begin(rig.lab, 0, 1, 0);
    lab_trial(rig.lab, LATE, &record);
    for (uint32_t k = 0; k < record.event_count; k++)
        if (strcmp(record.event[k].what, "unexpected") == 0) {
            ck_assert_uint_lt(told, 2);
            ck_assert_str_eq(record.event[k].layer, "app");
            ck_assert_str_eq(record.event[k].detail, want[told++]);
        }
    ck_assert_uint_eq(told, 2);
    ck_assert_uint_eq(record.anomalies, 2);
}
END_TEST

/* The boot says that its mirror is compared; all of that is before time 0, none of it after what
 * came later. */
START_TEST(test_trial_judge__the_boot_is_before_time_0)
{
    unsigned booted = 0;
    rig_trial_fini(&rig);
    rig_trial_init(&rig, "campaign: boot\n"
                         "machine: {disks: {count: 2, size: 32MiB}}\n"
                         "variants: {mirror: {stack: journal, raid: 1, sync: 100ms}}\n"
                         "workloads: {mail: {app: postmark, files: 20, transactions: 20}}\n"
                         "faults: {early: [{kind: disk.bit-rot, at: {time: 1ms}}]}\n");
    lab_begin(rig.lab, 0, 0, 0);
    lab_trial(rig.lab, 0, &record);
    for (uint32_t k = 0; k < record.event_count; k++) {
        if (strcmp(record.event[k].what, "fault injected") == 0)
            break;
        booted += strcmp(record.event[k].what, "resync") == 0;
        ck_assert_uint_le(record.event[k].time_ns, 1000000);
    }
    ck_assert_uint_gt(booted, 0);
}
END_TEST

/* ---- A tree that holds itself ---- */

static const char cycle_text[] =
    "campaign: cycle\n"
    "machine: {disks: {count: 1, size: 32MiB, write-cache: off}}\n"
    "variants: {none: {stack: none, raid: 0}}\n"
    "workloads: {list: {app: script, copies: 1,\n"
    "  operations: \"mkdir d\\nsync\\ncreate d/f\\nsync\\n\"}}\n"
    "faults: {late: [{kind: disk.bit-rot, where: data, at: {time: 60s}}]}\n"; /* there is none */
#define DISK_BLOCKS ((32u << 20) / BLOCK_BYTES)

/* Turns ".." of the root into an ordinary name of it: one bit rots. Returns whether this block is
 * that of the root, of which alone both dots lead to the same directory. */
static bool rot_dots(struct sim_disk *disk, uint64_t block)
{
    uint8_t raw[BLOCK_BYTES];
    uint32_t count = BLOCK_BYTES / sim_disk_identify(disk).sector_size;
    ck_assert_int_eq(sim_disk_peek(disk, block * count, count, raw), OK);
    const uint8_t *self = raw, *up = raw + DOTDOT_OFFSET;
    if (self[6] != 1 || self[ENTRY_BYTES] != '.' || up[6] != 2 ||
        memcmp(up + ENTRY_BYTES, "..", 2) != 0 || memcmp(self, up, 4) != 0)
        return false;
    ck_assert(sim_disk_bit_rot(disk, block * count, (DOTDOT_OFFSET + ENTRY_BYTES + 1) * 8 + 6));
    return true;
}

/* When all that is in the root is on the disk, and nothing of it will be written again. */
static void on_create(void *context, uint32_t app, uint64_t now_ns, const struct history_call *call)
{
    (void)context, (void)app, (void)now_ns;
    unsigned found = 0;
    if (call->path == NULL || strcmp(call->path, "app0/d/f") != 0)
        return;
    for (uint64_t block = 0; block < DISK_BLOCKS; block++)
        found += rot_dots(sim_machine_disk(rig.lab->machine, 0), block);
    ck_assert_uint_eq(found, 1);
}

static void on_start(void *context, uint32_t apps)
{
    (void)context, (void)apps;
}

static void on_answer(void *context, uint32_t app, uint64_t now_ns, const struct history_call *call,
                      const struct history_answer *answer)
{
    (void)context, (void)app, (void)now_ns, (void)call, (void)answer;
}

START_TEST(test_trial_judge__a_tree_that_holds_itself_is_read_to_an_end)
{
    static const struct lab_listener listener = {
        .start = on_start, .call = on_create, .answer = on_answer};
    rig_trial_fini(&rig);
    rig_trial_init(&rig, cycle_text);
    lab_begin(rig.lab, 0, 0, 0);
    lab_listen(rig.lab, &listener);
    lab_trial(rig.lab, 0, &record);
    ck_assert_int_eq(record.level, LEVEL_SILENT);
    /* Three rounds: of the root, which has no known inode, and of two names of it. */
    ck_assert_uint_lt(observation_bytes(rig.lab->again), 8192);
}
END_TEST

CHECK_MAIN("trial_judge", 60, tcase_add_checked_fixture(tc, setup, teardown);
           tcase_add_test(tc, test_trial_judge__what_it_provokes_is_no_detection);
           tcase_add_test(tc, test_trial_judge__answers_that_a_list_does_not_expect_are_events);
           tcase_add_test(tc, test_trial_judge__the_boot_is_before_time_0);
           tcase_add_test(tc, test_trial_judge__a_tree_that_holds_itself_is_read_to_an_end);
           tcase_add_test(tc, test_trial_judge__what_the_run_noticed_is);)
