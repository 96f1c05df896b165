/*
 * User transactions of `cow`, with and without a log of fsyncs, with either way of giving out
 * space.
 */
#include "scripts/check_main.h"
#include "stack/tests/classic/user_tests.h"

#include <string.h>

#include "workloads/checkers/cow_check.h"

#define MODES 5

static bool disk_block(void *object, uint32_t copy, uint64_t at, uint8_t *raw)
{
    const struct ramdisk *disk = object;
    ck_assert_uint_eq(copy, 0);
    memcpy(raw, disk->bytes + at * BLOCK_BYTES, BLOCK_BYTES);
    return true;
}

static void expect_sound(struct none_rig *rig)
{
    struct cow_check check;
    ck_assert_int_eq(none_rig_plain(rig, VFS_UNMOUNT, 0, 0), OK);
    cow_check(disk_block, &rig->disk, rig->disk.sectors / 8, 1, &check);
    ck_assert_msg(check.ok, "%s", check.text);
    ck_assert_uint_eq(check.leaked_blocks, 0);
    ck_assert_uint_eq(check.leaked_inodes, 0);
}

static struct cut_design design_of(int k)
{
    return (struct cut_design){.program = cow_main,
                               .options = {.defer = 2,
                                           .fsync_log = k % 2 == 1 || k == 4,
                                           .log_scope_file = k == 4,
                                           .space_segment = k == 2 || k == 3},
                               .cache_bytes = 4u << 20,
                               .expect_sound = expect_sound};
}

CHECK_MAIN("cow user transactions", 120, user_tests_add(tc, design_of, MODES);)
