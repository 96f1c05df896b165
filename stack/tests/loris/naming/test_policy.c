/* RAID levels by pattern: which inode gets which, from the flags of its object's creation. */
#include <string.h>

#include "scripts/check_main.h"
#include "stack/tests/loris/naming/naming_rig.h"

static void begin(void)
{
    rig_start();
}

static void pattern(const char *text, uint32_t level)
{
    struct raid_policy *policy = &rig_policy[rig_policies++];
    *policy = (struct raid_policy){.level = level};
    strncpy(policy->pattern, text, RAID_PATTERN_MAX);
}

/* The level of a file that is made under this name. */
static uint32_t made(uint64_t dir, const char *name)
{
    uint64_t ino = rig_make(VFS_CREATE, dir, name);
    return (fake_cache_find(ino)->flags & OBJECT_LEVEL_MASK) >> OBJECT_LEVEL_SHIFT;
}

static uint64_t directory(uint64_t dir, const char *name)
{
    return rig_make(VFS_MKDIR, dir, name);
}

START_TEST(test_policy__names_match_in_any_directory)
{
    pattern("*.db", 6);
    pattern("a?c", 1);
    pattern("**x*y*", 3);
    begin();
    uint64_t d = directory(ROOT, "d");
    ck_assert_uint_eq(made(ROOT, "a.db"), 6);
    ck_assert_uint_eq(made(d, ".db"), 6);
    ck_assert_uint_eq(made(d, "a.dbx"), 0);
    ck_assert_uint_eq(made(d, "db"), 0);
    ck_assert_uint_eq(made(d, "abc"), 1);
    ck_assert_uint_eq(made(d, "ac"), 0);
    ck_assert_uint_eq(made(d, "abcd"), 0);
    ck_assert_uint_eq(made(d, "xy"), 3);
    ck_assert_uint_eq(made(d, "aaxbxxbyx"), 3);
    ck_assert_uint_eq(made(d, "yx"), 0);
    ck_assert_uint_eq(made(d, "xxx.db"), 6); /* the first that matches */
}
END_TEST

START_TEST(test_policy__paths_match_from_the_root)
{
    pattern("/tmp/*", 1);
    pattern("/a/b?/f", 4);
    pattern("/*/log", 5);
    begin();
    uint64_t tmp = directory(ROOT, "tmp"), a = directory(ROOT, "a"), b1 = directory(a, "b1");
    uint64_t a2 = directory(b1, "a"), b2 = directory(a2, "b2");
    ck_assert_uint_eq(made(ROOT, "tmpx"), 0);
    ck_assert_uint_eq(made(tmp, "f"), 1);
    ck_assert_uint_eq(made(tmp, "log"), 1); /* the first */
    ck_assert_uint_eq(made(a, "log"), 5);
    ck_assert_uint_eq(made(ROOT, "log"), 0);
    ck_assert_uint_eq(made(b1, "log"), 0);
    ck_assert_uint_eq(made(b1, "f"), 4);
    ck_assert_uint_eq(made(b1, "g"), 0);
    ck_assert_uint_eq(made(b2, "f"), 0); /* /a/b1/a/b2/f */
    uint64_t below = directory(tmp, "below");
    ck_assert_uint_eq(made(directory(below, "deep"), "f"), 1); /* handed on */
}
END_TEST

START_TEST(test_policy__a_directory_that_moves_keeps_what_it_had)
{
    pattern("/tmp/f", 1);
    begin();
    uint64_t tmp = directory(ROOT, "tmp"), other = directory(ROOT, "other");
    ck_assert_int_eq(rig_two_names(VFS_RENAME, ROOT, "tmp", other, "tmp"), OK);
    ck_assert_uint_eq(made(tmp, "f"), 1);
    ck_assert_int_eq(rig_two_names(VFS_RENAME, ROOT, "other", ROOT, "tmp"), OK);
    ck_assert_uint_eq(made(other, "f"), 0);
}
END_TEST

START_TEST(test_policy__the_shared_tree_is_at_its_mount_point)
{
    pattern("/shared/x/*", 5);
    pattern("/x/*", 1);
    begin();
    ck_assert_uint_eq(made(directory(OID_SHARED_ROOT, "x"), "f"), 5);
    ck_assert_uint_eq(made(directory(ROOT, "x"), "f"), 1);
    ck_assert_uint_eq(made(directory(ROOT, "shared"), "x"), 0);
}
END_TEST

/* Where no room is counted for other levels, there are none. */
START_TEST(test_policy__none_in_pools_of_other_levels)
{
    pattern("*", 1);
    rig_raid = 5;
    begin();
    ck_assert_uint_eq(made(ROOT, "f"), 0);
    ck_assert_uint_eq(made(directory(ROOT, "d"), "f"), 0);
}
END_TEST

START_TEST(test_policy__a_file_without_its_own_level_has_its_patterns)
{
    static const char level[] = "1";
    struct vfs_reply reply;
    enum err e = E_DEAD;
    pattern("*.db", 6);
    begin();
    uint64_t ino = rig_make(VFS_CREATE, ROOT, "a.db");
    struct vfs_request set = {.op = VFS_SETXATTR, .ino = ino, .length = 1, .attempt = 1};
    set.sequence = ++rig_sequence;
    ck_assert(rig_ask(&set, "loris.raid", NULL, (void *)(uintptr_t)level, 1, &e, &reply));
    ck_assert_int_eq(e, OK);
    ck_assert_uint_eq(fake_cache_find(ino)->attr[OBJECT_ATTR_LEVEL], 2);
    struct vfs_request drop = {.op = VFS_REMOVEXATTR, .ino = ino, .ino2 = ROOT, .attempt = 1};
    drop.sequence = ++rig_sequence;
    ck_assert(rig_ask(&drop, "loris.raid", "a.db", NULL, 0, &e, &reply));
    ck_assert_int_eq(e, OK);
    ck_assert_uint_eq(fake_cache_find(ino)->attr[OBJECT_ATTR_LEVEL], 6);
}
END_TEST

CHECK_MAIN("policy", 60, tcase_add_test(tc, test_policy__names_match_in_any_directory);
           tcase_add_test(tc, test_policy__paths_match_from_the_root);
           tcase_add_test(tc, test_policy__a_directory_that_moves_keeps_what_it_had);
           tcase_add_test(tc, test_policy__the_shared_tree_is_at_its_mount_point);
           tcase_add_test(tc, test_policy__none_in_pools_of_other_levels);
           tcase_add_test(tc, test_policy__a_file_without_its_own_level_has_its_patterns);)
