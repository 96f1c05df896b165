/*
 * The check of an unclean volume: what has no name, what was damaged, what cannot be read; and a
 * disk that goes while something is dirty.
 */
#include "scripts/check_main.h"

#include <stdio.h>
#include <string.h>

#include "stack/tests/classic/cut_rig.h"

#define ROOT 1u
#define BLOCK 4096u
#define SECOND UINT64_C(1000000000)

static struct cut_rig rig;

static void start(struct stack_options options)
{
    cut_rig_init(&rig, &(struct cut_design){.program = ffs_main, .options = options});
}

static uint64_t must_make(enum vfs_op op, uint64_t dir, const char *name)
{
    uint64_t ino = 0;
    ck_assert_int_eq(none_rig_make(&rig.none, op, dir, name, &ino), OK);
    return ino;
}

/* Makes a directory with two files and a subdirectory, all stable, and takes the name of `gone` off
 * the disk. Returns the inode of `gone`. */
static uint64_t lose_a_name(bool orphans_delete, enum vfs_op op)
{
    static uint8_t text[BLOCK] = "text";
    start((struct stack_options){.orphans_delete = orphans_delete});
    uint64_t gone = must_make(op, ROOT, "gone"), inside = gone;
    if (op == VFS_MKDIR)
        inside = must_make(VFS_CREATE, gone, "inside");
    ck_assert_int_eq(none_rig_write(&rig.none, inside, 0, text, sizeof(text)), OK);
    ck_assert_int_eq(none_rig_plain(&rig.none, VFS_SYNC, 0, 0), OK);
    uint8_t *bytes = rig.none.disk.bytes;
    for (size_t at = 0; at + 16 < rig.none.disk.sectors * 512; at += 4)
        if (bytes[at] == gone && memcmp(bytes + at + 8, "gone", 4) == 0)
            memset(bytes + at, 0, 4);
    none_rig_reboot(&rig.none, false);
    return gone;
}

static enum err lookup_lost(uint64_t ino, uint64_t *dir)
{
    char name[12];
    snprintf(name, sizeof(name), "#%u", (unsigned)ino);
    enum err e = none_rig_lookup(&rig.none, ROOT, "lost+found");
    if (e != OK)
        return e;
    *dir = rig.none.reply.stat.ino;
    return none_rig_lookup(&rig.none, *dir, name);
}

static void finish(void)
{
    none_rig_expect_sound(&rig.none);
    cut_rig_fini(&rig);
}

START_TEST(test_check__a_file_without_a_name_gets_one_in_lost_found)
{
    uint64_t dir, ino = lose_a_name(false, VFS_CREATE);
    ck_assert_int_eq(none_rig_lookup(&rig.none, ROOT, "gone"), E_NOENT);
    ck_assert_int_eq(lookup_lost(ino, &dir), OK);
    ck_assert_uint_eq(rig.none.reply.stat.ino, ino);
    ck_assert_uint_eq(rig.none.reply.stat.nlink, 1);
    finish();
}
END_TEST

START_TEST(test_check__a_directory_without_a_name_comes_back_with_all_in_it)
{
    uint64_t dir, ino = lose_a_name(false, VFS_MKDIR);
    ck_assert_int_eq(lookup_lost(ino, &dir), OK);
    ck_assert_int_eq(none_rig_lookup(&rig.none, ino, "inside"), OK);
    ck_assert_int_eq(none_rig_lookup(&rig.none, ino, ".."), OK);
    ck_assert_uint_eq(rig.none.reply.stat.ino, dir);
    finish();
}
END_TEST

START_TEST(test_check__what_has_no_name_is_freed_if_it_is_asked_for)
{
    uint64_t dir, ino = lose_a_name(true, _i == 0 ? VFS_CREATE : VFS_MKDIR);
    ck_assert_int_eq(lookup_lost(ino, &dir), E_NOENT);
    ck_assert_int_eq(none_rig_plain(&rig.none, VFS_STAT, ino, 0), E_NOENT);
    finish();
}
END_TEST

START_TEST(test_check__an_unreadable_record_frees_nothing_and_makes_it_read_only)
{
    uint64_t ino;
    start((struct stack_options){.orphans_delete = false});
    uint64_t f = must_make(VFS_CREATE, ROOT, "f");
    ck_assert_int_eq(none_rig_plain(&rig.none, VFS_SYNC, 0, 0), OK);
    rig.none.disk.bad[rig.none.disk.bads++] = (1 + 2 + 40) * 8; /* a table block nobody uses */
    none_rig_reboot(&rig.none, false);
    ck_assert_int_eq(none_rig_lookup(&rig.none, ROOT, "f"), OK);
    ck_assert_uint_eq(rig.none.reply.stat.ino, f);
    ck_assert_int_eq(none_rig_make(&rig.none, VFS_CREATE, ROOT, "g", &ino), E_ROFS);
    cut_rig_fini(&rig);
}
END_TEST

/* Its sector read again, all is there as it was. */
START_TEST(test_check__an_unreadable_root_frees_nothing_and_is_an_error_to_each_path)
{
    start((struct stack_options){.orphans_delete = true});
    uint64_t f = must_make(VFS_CREATE, ROOT, "f");
    ck_assert_int_eq(none_rig_plain(&rig.none, VFS_SYNC, 0, 0), OK);
    rig.none.disk.bad[rig.none.disk.bads++] = 3 * 8;
    none_rig_reboot(&rig.none, false);
    ck_assert_int_eq(none_rig_lookup(&rig.none, ROOT, "f"), E_MEDIA);
    rig.none.disk.bads = 0;
    none_rig_reboot(&rig.none, false);
    ck_assert_int_eq(none_rig_lookup(&rig.none, ROOT, "f"), OK);
    ck_assert_uint_eq(rig.none.reply.stat.ino, f);
    finish();
}
END_TEST

START_TEST(test_check__a_disk_that_goes_ends_the_daemon)
{
    static uint8_t data[8 * BLOCK];
    start((struct stack_options){.orphans_delete = false});
    uint64_t f = must_make(VFS_CREATE, ROOT, "f");
    ck_assert_int_eq(none_rig_write(&rig.none, f, 0, data, sizeof(data)), OK);
    rig.none.disk.gone = true;
    ck_assert_int_eq(fake_run_until(fake_now() + 200 * SECOND), FAKE_IDLE);
    ck_assert_int_ne(none_rig_plain(&rig.none, VFS_FSYNC, f, 0), OK);
    cut_rig_fini(&rig);
}
END_TEST

/* More unflushed blocks than fit beside what is read. */
START_TEST(test_check__a_file_larger_than_the_cache_is_written_and_read)
{
    static uint8_t data[64 * BLOCK], back[64 * BLOCK];
    uint64_t moved;
    start((struct stack_options){.orphans_delete = false});
    uint64_t f = must_make(VFS_CREATE, ROOT, "f");
    for (uint32_t k = 0; k < 20; k++) {
        memset(data, (int)k + 1, sizeof(data));
        ck_assert_int_eq(none_rig_write(&rig.none, f, k * sizeof(data), data, sizeof(data)), OK);
    }
    for (uint32_t k = 0; k < 20; k++) {
        memset(data, (int)k + 1, sizeof(data));
        ck_assert_int_eq(none_rig_read(&rig.none, f, k * sizeof(back), back, sizeof(back), &moved),
                         OK);
        ck_assert_uint_eq(moved, sizeof(back));
        ck_assert_int_eq(memcmp(data, back, sizeof(back)), 0);
    }
    ck_assert_int_eq(none_rig_remove(&rig.none, VFS_UNLINK, ROOT, "f"), OK);
    finish();
}
END_TEST

CHECK_MAIN(
    "ffs check", 60, tcase_add_test(tc, test_check__a_file_without_a_name_gets_one_in_lost_found);
    tcase_add_test(tc, test_check__a_directory_without_a_name_comes_back_with_all_in_it);
    tcase_add_loop_test(tc, test_check__what_has_no_name_is_freed_if_it_is_asked_for, 0, 2);
    tcase_add_test(tc, test_check__an_unreadable_record_frees_nothing_and_makes_it_read_only);
    tcase_add_test(tc, test_check__an_unreadable_root_frees_nothing_and_is_an_error_to_each_path);
    tcase_add_test(tc, test_check__a_disk_that_goes_ends_the_daemon);
    tcase_add_test(tc, test_check__a_file_larger_than_the_cache_is_written_and_read);)
