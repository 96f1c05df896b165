/*
 * The scan after a crash: what has no name is freed or gets one in lost+found; what is damaged is
 * left as it is, with all that it may hide.
 */
#include "scripts/check_main.h"

#include <stdio.h>
#include <string.h>

#include "stack/tests/classic/cut_rig.h"
#include "stack/tests/classic/fat/fat_sound.h"

#define ROOT 1u
#define BLOCK 4096u

static struct cut_rig rig;
static uint8_t text[3 * BLOCK] = "text", back[3 * BLOCK];

static void start(bool orphans_delete)
{
    cut_rig_init(
        &rig, &(struct cut_design){.program = fat_main,
                                   .options = {.fat_tables = 2, .orphans_delete = orphans_delete}});
}

static uint64_t must_make(enum vfs_op op, uint64_t dir, const char *name)
{
    uint64_t ino = 0;
    ck_assert_int_eq(none_rig_make(&rig.none, op, dir, name, &ino), OK);
    return ino;
}

static void must_sync(void)
{
    ck_assert_int_eq(none_rig_plain(&rig.none, VFS_SYNC, 0, 0), OK);
}

/* The entry of that name in a directory on the disk. */
static uint8_t *entry_of(uint64_t ino, const char *name)
{
    uint8_t *bytes = rig.none.disk.bytes;
    for (size_t at = 0; at + 16 < rig.none.disk.sectors * 512; at += 4)
        if (bytes[at] == ino && memcmp(bytes + at + 8, name, strlen(name)) == 0)
            return bytes + at;
    ck_abort_msg("no entry of %s", name);
    return NULL;
}

static void expect_text(uint64_t ino)
{
    uint64_t moved;
    ck_assert_int_eq(none_rig_read(&rig.none, ino, 0, back, sizeof(back), &moved), OK);
    ck_assert_uint_eq(moved, sizeof(text));
    ck_assert_int_eq(memcmp(back, text, sizeof(text)), 0);
}

/* A directory `gone` with a directory and two files in it, or a file; its name is taken off. */
static uint64_t lose_a_name(bool orphans_delete, enum vfs_op op)
{
    start(orphans_delete);
    uint64_t gone = must_make(op, ROOT, "gone"), inside = gone;
    if (op == VFS_MKDIR)
        inside = must_make(VFS_CREATE, must_make(VFS_MKDIR, gone, "deeper"), "inside");
    ck_assert_int_eq(none_rig_write(&rig.none, inside, 0, text, sizeof(text)), OK);
    (void)must_make(VFS_CREATE, ROOT, "stays");
    must_sync();
    memset(entry_of(gone, "gone"), 0, 4);
    none_rig_reboot(&rig.none, false);
    ck_assert_int_eq(none_rig_lookup(&rig.none, ROOT, "gone"), E_NOENT);
    return gone;
}

static enum err lookup_lost(uint64_t ino)
{
    char name[12];
    snprintf(name, sizeof(name), "#%u", (unsigned)ino);
    enum err e = none_rig_lookup(&rig.none, ROOT, "lost+found");
    return e == OK ? none_rig_lookup(&rig.none, rig.none.reply.stat.ino, name) : e;
}

static void finish(void)
{
    ck_assert_int_eq(none_rig_lookup(&rig.none, ROOT, "stays"), OK);
    fat_expect_sound(&rig.none);
    cut_rig_fini(&rig);
}

START_TEST(test_scan__a_file_without_a_name_gets_one_in_lost_found)
{
    uint64_t ino = lose_a_name(false, VFS_CREATE);
    ck_assert_int_eq(lookup_lost(ino), OK);
    ck_assert_uint_eq(rig.none.reply.stat.ino, ino);
    ck_assert_uint_eq(rig.none.reply.stat.nlink, 1);
    expect_text(ino);
    none_rig_reboot(&rig.none, false); /* and keeps it */
    ck_assert_int_eq(lookup_lost(ino), OK);
    finish();
}
END_TEST

START_TEST(test_scan__a_directory_without_a_name_comes_back_with_all_in_it)
{
    uint64_t ino = lose_a_name(false, VFS_MKDIR);
    ck_assert_int_eq(lookup_lost(ino), OK);
    ck_assert_int_eq(none_rig_lookup(&rig.none, ino, "deeper"), OK);
    ck_assert_int_eq(none_rig_lookup(&rig.none, rig.none.reply.stat.ino, "inside"), OK);
    expect_text(rig.none.reply.stat.ino);
    ck_assert_int_eq(none_rig_lookup(&rig.none, ROOT, "lost+found"), OK);
    ck_assert_uint_eq(rig.none.reply.stat.nlink, 3); /* the top alone is there */
    finish();
}
END_TEST

START_TEST(test_scan__what_has_no_name_is_freed_if_it_is_asked_for)
{
    uint64_t ino = lose_a_name(true, _i == 0 ? VFS_CREATE : VFS_MKDIR);
    ck_assert_int_eq(lookup_lost(ino), E_NOENT);
    ck_assert_int_eq(none_rig_plain(&rig.none, VFS_STAT, ino, 0), E_NOENT);
    finish();
}
END_TEST

/* Its chain is in several blocks of the table: a head never leads to what is free already. */
START_TEST(test_scan__a_cut_while_a_long_file_is_freed_is_no_damage)
{
    static uint8_t block[BLOCK];
    for (uint32_t k = 0; k < 60; k++) {
        start(true);
        rig.rng = k;
        uint64_t gone = must_make(VFS_CREATE, ROOT, "gone");
        for (uint32_t b = 0; b < 200; b++)
            ck_assert_int_eq(none_rig_write(&rig.none, gone, b * BLOCK, block, BLOCK), OK);
        (void)must_make(VFS_CREATE, ROOT, "stays");
        must_sync();
        uint8_t *entry = entry_of(gone, "gone");
        memset(rig.none.disk.stable + (entry - rig.none.disk.bytes), 0, 4);
        memset(entry, 0, 4);
        cut_rig_reboot(&rig, 3, 50);
        ck_assert_int_eq(none_rig_plain(&rig.none, VFS_STAT, gone, 0), E_NOENT);
        finish();
    }
}
END_TEST

/* The entry before it is broken, so that the name behind is hidden; a bad sector; a broken chain.
 */
static void hide(uint32_t how, uint8_t *broken)
{
    struct ramdisk *disk = &rig.none.disk;
    if (how == 0) {
        broken[4] = 3; /* no length of an entry */
    } else if (how == 1) {
        disk->bad[disk->bads++] = (uint64_t)(broken - disk->bytes) / 512;
    } else { /* both copies of the table's first block */
        uint32_t blocks = (uint32_t)(disk->sectors / 8);
        disk->bad[disk->bads++] = 8;
        for (uint32_t b = 2; b < blocks / 8; b++)
            if (memcmp(disk->bytes + b * BLOCK, disk->bytes + BLOCK, BLOCK) == 0)
                disk->bad[disk->bads++] = b * 8;
        ck_assert_uint_eq(disk->bads, 2);
    }
}

START_TEST(test_scan__what_damage_may_hide_is_not_freed)
{
    start(true);
    uint64_t first = must_make(VFS_CREATE, ROOT, "first");
    uint64_t hidden = must_make(VFS_CREATE, ROOT, "hidden"), ino;
    ck_assert_int_eq(none_rig_write(&rig.none, hidden, 0, text, sizeof(text)), OK);
    must_sync();
    uint8_t *broken = entry_of(first, "first"), length = broken[4];
    hide((uint32_t)_i, broken);
    none_rig_reboot(&rig.none, false);
    enum err e = none_rig_lookup(&rig.none, ROOT, "hidden");
    ck_assert_int_eq(e, _i == 0 ? E_CORRUPT : E_MEDIA);
    e = none_rig_make(&rig.none, VFS_CREATE, ROOT, "more", &ino);
    ck_assert_int_eq(e, E_ROFS);
    broken[4] = length; /* read again, all is as it was */
    rig.none.disk.bads = 0;
    none_rig_reboot(&rig.none, false);
    ck_assert_int_eq(none_rig_lookup(&rig.none, ROOT, "hidden"), OK);
    ck_assert_uint_eq(rig.none.reply.stat.ino, hidden);
    expect_text(hidden);
    fat_expect_sound(&rig.none);
    cut_rig_fini(&rig);
}
END_TEST

#define SCAN_READS_MAX 200u /* a loop that never ends proves nothing */

/* Whatever read of the scan fails for good, nothing is freed: not what looked sound before, either.
 */
START_TEST(test_scan__what_cannot_be_read_at_any_moment_is_not_freed)
{
    bool fired = true;
    for (uint32_t n = 1; fired; n++) {
        start(true);
        uint64_t dir = must_make(VFS_MKDIR, ROOT, "dir");
        uint64_t hidden = must_make(VFS_CREATE, dir, "hidden");
        ck_assert_int_eq(none_rig_write(&rig.none, hidden, 0, text, sizeof(text)), OK);
        must_sync();
        rig.none.disk.fail_read = n;
        rig.none.disk.fail_repeats = BLOCK_TRIES;
        rig.none.disk.fault_fired = false;
        rig.none.boot.incarnation++;
        enum err e = none_rig_boot(&rig.none, false);
        fired = rig.none.disk.fault_fired;
        ck_assert(fired || e == OK);
        rig.none.disk.fail_read = 0;
        none_rig_reboot(&rig.none, false);
        ck_assert_int_eq(none_rig_lookup(&rig.none, ROOT, "dir"), OK);
        ck_assert_int_eq(none_rig_lookup(&rig.none, dir, "hidden"), OK);
        ck_assert_uint_eq(rig.none.reply.stat.ino, hidden);
        expect_text(hidden);
        fat_expect_sound(&rig.none);
        cut_rig_fini(&rig);
        ck_assert_uint_lt(n, SCAN_READS_MAX);
    }
}
END_TEST

CHECK_MAIN("fat scan", 60,
           tcase_add_test(tc, test_scan__what_cannot_be_read_at_any_moment_is_not_freed);
           tcase_add_test(tc, test_scan__a_file_without_a_name_gets_one_in_lost_found);
           tcase_add_test(tc, test_scan__a_directory_without_a_name_comes_back_with_all_in_it);
           tcase_add_loop_test(tc, test_scan__what_has_no_name_is_freed_if_it_is_asked_for, 0, 2);
           tcase_add_test(tc, test_scan__a_cut_while_a_long_file_is_freed_is_no_damage);
           tcase_add_loop_test(tc, test_scan__what_damage_may_hide_is_not_freed, 0, 3);)
