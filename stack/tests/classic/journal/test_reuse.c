/*
 * Blocks that had an image in the log, were freed, and hold something else now: a redo must not put
 * the old image over it.
 */
#include <stdio.h>
#include <string.h>

#include "scripts/check_main.h"
#include "stack/tests/classic/cut_rig.h"

#define ROOT 1u
#define DIRECTORIES 16u
#define FILE_BLOCKS 64u /* more than the directories had, so it has theirs too */

static struct cut_rig rig;
static uint8_t data[FILE_BLOCKS * BLOCK_BYTES], back[FILE_BLOCKS * BLOCK_BYTES];

static void name_of(uint32_t k, char name[8])
{
    snprintf(name, 8, "d%u", k);
}

/* Directories, whose blocks are in the log and not home; then they go, all but one: that keeps
 * their transaction in the log. */
static void make_and_remove(void)
{
    char name[8];
    ck_assert_int_eq(none_rig_make(&rig.none, VFS_MKDIR, ROOT, "stays", NULL), OK);
    for (uint32_t k = 0; k < DIRECTORIES; k++) {
        name_of(k, name);
        ck_assert_int_eq(none_rig_make(&rig.none, VFS_MKDIR, ROOT, name, NULL), OK);
    }
    ck_assert_int_eq(none_rig_plain(&rig.none, VFS_SYNC, 0, 0), OK);
    for (uint32_t k = 0; k < DIRECTORIES; k++) {
        name_of(k, name);
        ck_assert_int_eq(none_rig_remove(&rig.none, VFS_RMDIR, ROOT, name), OK);
    }
    ck_assert_int_eq(none_rig_plain(&rig.none, VFS_SYNC, 0, 0), OK);
}

START_TEST(test_reuse__a_redo_leaves_what_took_a_freed_block)
{
    struct cut_design design = {
        .program = journal_main,
        .options = {.journal_mode = (enum journal_mode)_i, .log_bytes = 2u << 20, .inflight = 2},
        .cache_bytes = 4u << 20,
        .expect_sound = none_rig_expect_sound};
    uint64_t f, moved;
    cut_rig_init(&rig, &design);
    make_and_remove();
    for (size_t k = 0; k < sizeof(data); k++)
        data[k] = (uint8_t)(k / BLOCK_BYTES + 1);
    ck_assert_int_eq(none_rig_make(&rig.none, VFS_CREATE, ROOT, "f", &f), OK);
    ck_assert_int_eq(none_rig_write(&rig.none, f, 0, data, sizeof(data)), OK);
    ck_assert_int_eq(none_rig_plain(&rig.none, VFS_SYNC, 0, 0), OK);
    (void)cut_rig_cut(&rig, 0);
    cut_rig_reboot(&rig, 0, 0);
    ck_assert_int_eq(none_rig_lookup(&rig.none, ROOT, "f"), OK);
    ck_assert_uint_eq(rig.none.reply.stat.ino, f);
    ck_assert_int_eq(none_rig_read(&rig.none, f, 0, back, sizeof(back), &moved), OK);
    ck_assert_uint_eq(moved, sizeof(back));
    for (uint32_t k = 0; k < FILE_BLOCKS; k++)
        ck_assert_msg(memcmp(data + (size_t)k * BLOCK_BYTES, back + (size_t)k * BLOCK_BYTES,
                             BLOCK_BYTES) == 0,
                      "block %u holds something else", k);
    none_rig_expect_sound(&rig.none);
    cut_rig_fini(&rig);
}
END_TEST

/* Mode writeback promises no order of data, but here the sync had written them. */
CHECK_MAIN("journal reuse", 30,
           tcase_add_loop_test(tc, test_reuse__a_redo_leaves_what_took_a_freed_block, 0, 3);)
