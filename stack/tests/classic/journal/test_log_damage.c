/*
 * A log of which something cannot be read, or is rotten: what was synced is there as long as one
 * superblock of the log is, an empty log is not missed, and what is rotten is never forgotten.
 */
#include <stdio.h>

#include "bytes.h"
#include "scripts/check_main.h"
#include "stack/tests/classic/cut_rig.h"

#define ROOT 1u
#define SECTORS (BLOCK_BYTES / SECTOR_BYTES)
#define LOG_FIRST 44u /* in the superblock of the volume; stack/classic/none/FORMAT.md */
#define LOG_TAIL 32u  /* in that of the log; FORMAT.md */
#define LOG_SUPERS 2u

static struct cut_rig rig;

static void init(void)
{
    struct cut_design design = {
        .program = journal_main,
        .options = {.journal_mode = JOURNAL_DATA, .log_bytes = 2u << 20, .inflight = 2},
        .cache_bytes = 4u << 20,
        .expect_sound = none_rig_expect_sound};
    cut_rig_init(&rig, &design);
}

static uint32_t log_first(void)
{
    return get_le32(rig.none.disk.bytes + LOG_FIRST);
}

/* Block of the log where the oldest transaction begins, or would. */
static uint32_t tail_block(void)
{
    uint64_t tail = get_le64(rig.none.disk.bytes + (size_t)log_first() * BLOCK_BYTES + LOG_TAIL);
    return log_first() + LOG_SUPERS + (uint32_t)(tail % ((2u << 20) / BLOCK_BYTES - LOG_SUPERS));
}

static void make_unreadable(uint32_t block)
{
    for (uint32_t s = 0; s < SECTORS; s++)
        rig.none.disk.bad[rig.none.disk.bads++] = (uint64_t)block * SECTORS + s;
}

static void make_files(uint32_t from, uint32_t to)
{
    char name[16];
    for (uint32_t k = from; k < to; k++) {
        snprintf(name, sizeof(name), "file%u", k);
        ck_assert_int_eq(none_rig_make(&rig.none, VFS_CREATE, ROOT, name, NULL), OK);
        ck_assert_int_eq(none_rig_plain(&rig.none, VFS_SYNC, 0, 0), OK);
    }
}

/* What was synced after a mount is in an epoch of its own, which both know of. */
START_TEST(test_log_damage__either_superblock_finds_what_was_synced)
{
    for (uint32_t syncs = 1; syncs < 300; syncs = syncs * 3 + 1) {
        char name[16];
        init();
        make_files(0, 5);
        (void)cut_rig_cut(&rig, 0);
        cut_rig_reboot(&rig, 0, 0);
        make_files(5, 5 + syncs);
        (void)cut_rig_cut(&rig, 0);
        make_unreadable(log_first() + (uint32_t)_i);
        cut_rig_reboot(&rig, 0, 0);
        for (uint32_t k = 0; k < 5 + syncs; k++) {
            snprintf(name, sizeof(name), "file%u", k);
            ck_assert_msg(none_rig_lookup(&rig.none, ROOT, name) == OK, "%s of %u", name, syncs);
        }
        none_rig_expect_sound(&rig.none);
        cut_rig_fini(&rig);
    }
}
END_TEST

START_TEST(test_log_damage__an_empty_log_is_not_missed)
{
    init();
    make_files(0, 20);
    ck_assert_int_eq(none_rig_plain(&rig.none, VFS_UNMOUNT, 0, 0), OK);
    make_unreadable(tail_block());
    rig.none.boot.incarnation++;
    ck_assert_int_eq(none_rig_boot(&rig.none, false), OK);
    ck_assert_int_eq(none_rig_lookup(&rig.none, ROOT, "file19"), OK);
    make_files(20, 40);
    none_rig_expect_sound(&rig.none);
    cut_rig_fini(&rig);
}
END_TEST

START_TEST(test_log_damage__a_rotten_image_keeps_each_mount_from_writing)
{
    init();
    make_files(0, 5);
    (void)cut_rig_cut(&rig, 0);
    size_t image = ((size_t)tail_block() + 1) * BLOCK_BYTES;
    rig.none.disk.bytes[image] ^= 1;
    rig.none.disk.stable[image] ^= 1;
    for (uint32_t life = 0; life < 3; life++) {
        cut_rig_reboot(&rig, 0, 0);
        ck_assert_int_eq(none_rig_make(&rig.none, VFS_CREATE, ROOT, "new", NULL), E_ROFS);
        (void)cut_rig_cut(&rig, 100);
    }
    cut_rig_fini(&rig);
}
END_TEST

/* What a cut tore before its commit may be unreadable: the log ends there. */
START_TEST(test_log_damage__what_cannot_be_read_and_was_not_committed_is_no_damage)
{
    init();
    make_files(0, 5);
    (void)cut_rig_cut(&rig, 0);
    cut_rig_reboot(&rig, 0, 0);
    ck_assert_int_eq(none_rig_make(&rig.none, VFS_CREATE, ROOT, "unsynced", NULL), OK);
    (void)cut_rig_cut(&rig, 0);
    make_unreadable(tail_block());
    cut_rig_reboot(&rig, 0, 0);
    ck_assert_int_eq(none_rig_lookup(&rig.none, ROOT, "file4"), OK);
    make_files(5, 40);
    none_rig_expect_sound(&rig.none);
    cut_rig_fini(&rig);
}
END_TEST

/* Something committed lies behind a header (0), or in an image (1), that cannot be read. */
START_TEST(test_log_damage__what_cannot_be_read_and_was_committed_leaves_it_read_only)
{
    init();
    make_files(0, 5);
    (void)cut_rig_cut(&rig, 0);
    make_unreadable(tail_block() + (uint32_t)_i);
    for (uint32_t life = 0; life < 3; life++) {
        cut_rig_reboot(&rig, 0, 0);
        ck_assert_int_eq(none_rig_plain(&rig.none, VFS_STAT, ROOT, 0), OK);
        ck_assert_int_eq(none_rig_make(&rig.none, VFS_CREATE, ROOT, "new", NULL), E_ROFS);
        (void)cut_rig_cut(&rig, 100);
    }
    cut_rig_fini(&rig);
}
END_TEST

CHECK_MAIN(
    "journal log damage", 60,
    tcase_add_loop_test(tc, test_log_damage__either_superblock_finds_what_was_synced, 0, 2);
    tcase_add_test(tc, test_log_damage__an_empty_log_is_not_missed);
    tcase_add_test(tc, test_log_damage__what_cannot_be_read_and_was_not_committed_is_no_damage);
    tcase_add_loop_test(tc,
                        test_log_damage__what_cannot_be_read_and_was_committed_leaves_it_read_only,
                        0, 2);
    tcase_add_test(tc, test_log_damage__a_rotten_image_keeps_each_mount_from_writing);)
