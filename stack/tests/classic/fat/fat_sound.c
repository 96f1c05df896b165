/*
 * The checker is laboratory code that the tests of stack/ do not link, so it is compiled in here.
 */
#include "stack/tests/classic/fat/fat_sound.h"

#include "scripts/check_main.h"
#include "workloads/checkers/fat_check.c"

static bool read_disk(void *object, uint64_t at, uint8_t *raw)
{
    const struct ramdisk *disk = object;
    memcpy(raw, disk->bytes + at * BLOCK, BLOCK);
    return true;
}

void fat_expect_sound(struct none_rig *rig)
{
    struct fat_check check;
    ck_assert_int_eq(none_rig_plain(rig, VFS_UNMOUNT, 0, 0), OK);
    fat_check(read_disk, &rig->disk, rig->disk.sectors / 8, &check);
    ck_assert_msg(check.ok, "%s", check.text);
    ck_assert(check.clean);
    ck_assert_uint_eq(check.leaked_entries, 0);
}
