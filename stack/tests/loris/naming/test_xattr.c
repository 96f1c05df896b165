/* Extended attributes: values, limits, and what becomes of their object. */
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "scripts/check_main.h"
#include "stack/tests/loris/naming/naming_rig.h"

static uint64_t file;
static uint8_t buffer[8192];
static struct vfs_reply reply;

static enum err ask(enum vfs_op op, uint32_t flags, const char *name, const void *data,
                    uint64_t bytes)
{
    struct vfs_request r = {.op = op,
                            .flags = flags,
                            .ino = file,
                            .length = bytes,
                            .sequence = ++rig_sequence,
                            .attempt = 1};
    enum err e = E_DEAD;
    ck_assert(rig_ask(&r, name, NULL, (void *)(uintptr_t)data, bytes, &e, &reply));
    return e;
}

static enum err set(const char *name, const char *value)
{
    return ask(VFS_SETXATTR, 0, name, value, strlen(value));
}

static void must_have(const char *name, const char *value)
{
    memset(buffer, 0, sizeof(buffer));
    ck_assert_int_eq(ask(VFS_GETXATTR, 0, name, buffer, sizeof(buffer)), OK);
    ck_assert_uint_eq(reply.moved, strlen(value));
    ck_assert_uint_eq(reply.size, strlen(value));
    ck_assert_str_eq((char *)buffer, value);
}

static void must_lack(const char *name)
{
    ck_assert_int_eq(ask(VFS_GETXATTR, 0, name, buffer, sizeof(buffer)), E_NODATA);
}

static void begin(void)
{
    rig_start();
    file = rig_make(VFS_CREATE, ROOT, "f");
}

START_TEST(test_xattr__values_are_kept_replaced_listed_and_removed)
{
    begin();
    must_lack("user.a");
    ck_assert_int_eq(set("user.a", "one"), OK);
    ck_assert_int_eq(set("user.b", "second"), OK);
    ck_assert_int_eq(set("user.c", ""), OK);
    must_have("user.a", "one");
    must_have("user.b", "second");
    must_have("user.c", "");
    ck_assert_int_eq(set("user.a", "another, longer"), OK);
    must_have("user.a", "another, longer");
    ck_assert_int_eq(ask(VFS_SETXATTR, VFS_NEW, "user.a", "x", 1), E_EXIST);
    must_have("user.a", "another, longer");
    ck_assert_int_eq(ask(VFS_LISTXATTR, 0, NULL, buffer, sizeof(buffer)), OK);
    ck_assert_uint_eq(reply.moved, 21);
    ck_assert_mem_eq(buffer, "user.b\0user.c\0user.a", 21);
    ck_assert_int_eq(ask(VFS_REMOVEXATTR, 0, "user.b", NULL, 0), OK);
    ck_assert_int_eq(ask(VFS_REMOVEXATTR, 0, "user.b", NULL, 0), E_NODATA);
    must_lack("user.b");
    must_have("user.a", "another, longer");
}
END_TEST

START_TEST(test_xattr__are_stored_as_the_format_says)
{
    begin();
    ck_assert_int_eq(set("a", "xyz"), OK);
    ck_assert_int_eq(set("bc", ""), OK);
    uint64_t oid = get_le64(fake_cache_find(file)->attr + 48);
    const struct fake_object *o = fake_cache_find(oid);
    static const uint8_t entries[] = {1, 0, 3, 0, 'a', 'x', 'y', 'z', 2, 0, 0, 0, 'b', 'c'};
    ck_assert_uint_eq(o->size, BLOCK_BYTES);
    ck_assert_uint_eq(get_le32(o->attr), 4);
    ck_assert_uint_eq(get_le32(o->data), 0x3158524c);
    ck_assert_uint_eq(get_le32(o->data + 4), sizeof(entries));
    ck_assert_uint_eq(get_le64(o->data + 8), file);
    ck_assert_mem_eq(o->data + 16, entries, sizeof(entries));
    for (size_t k = 16 + sizeof(entries); k < BLOCK_BYTES; k++)
        ck_assert_uint_eq(o->data[k], 0);
}
END_TEST

START_TEST(test_xattr__tells_the_size_and_refuses_too_small_a_room)
{
    begin();
    ck_assert_int_eq(set("n", "12345"), OK);
    ck_assert_int_eq(ask(VFS_GETXATTR, 0, "n", NULL, 0), OK);
    ck_assert_uint_eq(reply.size, 5);
    ck_assert_uint_eq(reply.moved, 0);
    ck_assert_int_eq(ask(VFS_GETXATTR, 0, "n", buffer, 4), E_RANGE);
    ck_assert_int_eq(ask(VFS_GETXATTR, 0, "n", buffer, 5), OK);
    ck_assert_int_eq(ask(VFS_LISTXATTR, 0, NULL, buffer, 1), E_RANGE);
    ck_assert_int_eq(ask(VFS_SETXATTR, 0, NULL, "v", 1), E_ARG);
}
END_TEST

START_TEST(test_xattr__fill_one_block_and_no_more)
{
    begin();
    char name[16];
    uint32_t k = 0;
    enum err e = OK;
    while (e == OK) {
        (void)snprintf(name, sizeof(name), "n%u", k);
        e = ask(VFS_SETXATTR, 0, name, buffer, 90);
        k += e == OK;
    }
    ck_assert_int_eq(e, E_NOSPC);
    ck_assert_uint_ge(k, 40);
    for (uint32_t i = 0; i < k; i++) { /* none was hurt by the refusal */
        (void)snprintf(name, sizeof(name), "n%u", i);
        ck_assert_int_eq(ask(VFS_GETXATTR, 0, name, buffer, sizeof(buffer)), OK);
        ck_assert_uint_eq(reply.size, 90);
    }
    ck_assert_int_eq(ask(VFS_SETXATTR, 0, "big", buffer, VFS_XATTR_BYTES_MAX + 1), E_RANGE);
    for (uint32_t i = 0; i < k; i++) {
        (void)snprintf(name, sizeof(name), "n%u", i);
        ck_assert_int_eq(ask(VFS_REMOVEXATTR, 0, name, NULL, 0), OK);
    }
    ck_assert_int_eq(ask(VFS_SETXATTR, 0, "big", buffer, VFS_XATTR_BYTES_MAX), OK);
}
END_TEST

START_TEST(test_xattr__their_object_goes_with_the_last_and_with_the_inode)
{
    begin();
    uint32_t objects = fake_cache_objects();
    struct vfs_reply ignored;
    ck_assert_int_eq(set("a", "1"), OK);
    ck_assert_uint_eq(fake_cache_objects(), objects + 1);
    ck_assert_int_eq(set("b", "2"), OK);
    ck_assert_int_eq(ask(VFS_REMOVEXATTR, 0, "a", NULL, 0), OK);
    ck_assert_uint_eq(fake_cache_objects(), objects + 1);
    ck_assert_int_eq(ask(VFS_REMOVEXATTR, 0, "b", NULL, 0), OK);
    ck_assert_uint_eq(fake_cache_objects(), objects);
    ck_assert_int_eq(set("a", "1"), OK);
    ck_assert_int_eq(rig_name_op(VFS_UNLINK, ROOT, "f", &ignored), OK);
    ck_assert_uint_eq(fake_cache_objects(), objects - 1);
}
END_TEST

START_TEST(test_xattr__of_an_open_inode_live_until_its_release)
{
    begin();
    uint32_t objects = fake_cache_objects();
    ck_assert_int_eq(set("a", "1"), OK);
    struct vfs_request r = {
        .op = VFS_UNLINK, .ino = ROOT, .flags = VFS_OPEN, .sequence = ++rig_sequence, .attempt = 1};
    enum err e = E_DEAD;
    ck_assert(rig_ask(&r, "f", NULL, NULL, 0, &e, &reply));
    ck_assert_int_eq(e, OK);
    must_have("a", "1");
    r = (struct vfs_request){
        .op = VFS_RELEASE, .ino = file, .sequence = ++rig_sequence, .attempt = 1};
    ck_assert(rig_ask(&r, NULL, NULL, NULL, 0, &e, &reply));
    ck_assert_int_eq(e, OK);
    ck_assert_uint_eq(fake_cache_objects(), objects - 1);
}
END_TEST

/* Naming dies at each of its calls: the value is set once, and no object is left over. */
START_TEST(test_xattr__is_set_once_wherever_naming_dies)
{
    bool died = true;
    for (uint64_t call = 1; died; call++) {
        begin();
        uint32_t objects = fake_cache_objects();
        uint64_t commits = fake_cache_commits();
        struct vfs_request r = {.op = VFS_SETXATTR,
                                .ino = file,
                                .length = 3,
                                .flags = VFS_NEW,
                                .sequence = ++rig_sequence,
                                .attempt = 1};
        enum err e = E_DEAD;
        fake_crash_at_call(call);
        bool answered = rig_ask(&r, "a", NULL, "one", 3, &e, &reply);
        died = fake_crash()[0] != '\0';
        fake_crash_at_call(0);
        if (died)
            rig_start_naming();
        r.attempt++;
        if (!answered)
            ck_assert(rig_ask(&r, "a", NULL, "one", 3, &e, &reply));
        ck_assert_int_eq(e, OK); /* not E_EXIST */
        ck_assert_uint_eq(fake_cache_commits(), commits + 1);
        ck_assert_uint_eq(fake_cache_objects(), objects + 1);
        must_have("a", "one");
        ck_assert_uint_lt(call, 500);
    }
}
END_TEST

/* Every byte of the block, flipped: an answer or an error, never a crash. */
START_TEST(test_xattr__n5_a_bad_block_is_an_error)
{
    for (uint32_t byte = 0; byte < 64; byte++)
        for (uint32_t flip = 1; flip < 256; flip = flip * 2 + 1) {
            begin();
            ck_assert_int_eq(set("first", "1"), OK);
            ck_assert_int_eq(set("second", "22"), OK);
            uint64_t oid = get_le64(fake_cache_find(file)->attr + 48);
            fake_cache_find(oid)->data[byte] ^= (uint8_t)flip;
            (void)ask(VFS_LISTXATTR, 0, NULL, buffer, sizeof(buffer));
            (void)ask(VFS_GETXATTR, 0, "second", buffer, sizeof(buffer));
            (void)set("second", "333");
            (void)ask(VFS_REMOVEXATTR, 0, "first", NULL, 0);
            ck_assert_str_eq(fake_crash(), "");
        }
}
END_TEST

static uint32_t level_of(uint64_t ino)
{
    return (fake_cache_find(ino)->flags & OBJECT_LEVEL_MASK) >> OBJECT_LEVEL_SHIFT;
}

START_TEST(test_xattr__a_directory_chooses_the_level_of_files_made_in_it)
{
    struct vfs_reply ignored;
    begin();
    uint64_t plain = file, dir = rig_make(VFS_MKDIR, ROOT, "d");
    file = dir;
    ck_assert_int_eq(set("loris.raid", "7"), E_ARG);
    ck_assert_int_eq(set("loris.raid", ""), E_ARG);
    must_lack("loris.raid");
    ck_assert_int_eq(set("loris.raid", "5"), OK);
    must_have("loris.raid", "5");
    uint64_t below = rig_make(VFS_MKDIR, dir, "below");
    uint64_t five = rig_make(VFS_CREATE, below, "f");
    ck_assert_int_eq(set("loris.raid", "n-way"), OK);
    uint64_t all = rig_make(VFS_CREATE, dir, "g");
    ck_assert_int_eq(ask(VFS_REMOVEXATTR, 0, "loris.raid", NULL, 0), OK);
    uint64_t again = rig_make(VFS_CREATE, dir, "h");
    ck_assert_int_eq(rig_two_names(VFS_RENAME, below, "f", ROOT, "moved"), OK);
    ck_assert_uint_eq(level_of(plain), 0);
    ck_assert_uint_eq(level_of(five), 4);
    ck_assert_uint_eq(level_of(all), 6);
    ck_assert_uint_eq(level_of(again), 0);
    ck_assert_uint_eq(level_of(below), 0); /* directories are metadata, of the pool's own choice */
    ck_assert_int_eq(rig_name_op(VFS_UNLINK, ROOT, "moved", &ignored), OK);
}
END_TEST

static uint32_t level_asked(uint64_t ino)
{
    return get_le32(fake_cache_find(ino)->attr + OBJECT_ATTR_LEVEL);
}

/* The layers below read it there and migrate the file's data. */
START_TEST(test_xattr__a_file_asks_for_a_level_of_its_own)
{
    struct vfs_request request = {.op = VFS_REMOVEXATTR, .attempt = 1};
    enum err e = E_DEAD;
    begin();
    uint64_t dir = rig_make(VFS_MKDIR, ROOT, "d");
    uint64_t five = rig_make(VFS_CREATE, dir, "f");
    ck_assert_int_eq(set("loris.raid", "5"), OK);
    must_have("loris.raid", "5");
    ck_assert_uint_eq(level_asked(file), 4);
    ck_assert_uint_eq(level_of(file), 0); /* it was made with the pool's */
    ck_assert_int_eq(set("loris.raid", "7"), E_ARG);
    ck_assert_uint_eq(level_asked(file), 4);
    ck_assert_int_eq(ask(VFS_REMOVEXATTR, 0, "loris.raid", NULL, 0), OK);
    ck_assert_uint_eq(level_asked(file), 0);
    file = dir;
    ck_assert_int_eq(set("loris.raid", "6"), OK);
    file = five;
    ck_assert_int_eq(set("loris.raid", "1"), OK);
    request.ino = five;
    request.ino2 = dir; /* where it was found: its level is the file's again */
    request.sequence = ++rig_sequence;
    ck_assert(rig_ask(&request, "loris.raid", NULL, NULL, 0, &e, &reply));
    ck_assert_int_eq(e, OK);
    ck_assert_uint_eq(level_asked(five), 5);
    must_lack("loris.raid");
}
END_TEST

START_TEST(test_xattr__a_file_too_large_for_two_layouts_keeps_its_level)
{
    begin();
    fake_cache_find(file)->size = 900 * BLOCK_BYTES; /* as many as are free */
    ck_assert_int_eq(set("loris.raid", "5"), E_NOSPC);
    must_lack("loris.raid");
    ck_assert_uint_eq(level_asked(file), 0);
    fake_cache_find(file)->size = 899 * BLOCK_BYTES;
    ck_assert_int_eq(set("loris.raid", "5"), OK);
}
END_TEST

/* A pool that does not count a block as one on every disk may not have the room. */
START_TEST(test_xattr__levels_are_refused_where_room_is_not_counted_for_them)
{
    static const uint32_t pools[] = {0, 4, 5, 6};
    for (uint32_t k = 0; k < 4; k++) {
        rig_raid = pools[k];
        begin();
        file = ROOT;
        ck_assert_int_eq(set("loris.raid", "1"), E_NOTSUP);
        ck_assert_int_eq(set("user.raid", "1"), OK);
    }
    rig_raid = RAID_N_WAY;
    begin();
    file = ROOT;
    ck_assert_int_eq(set("loris.raid", "0"), OK);
    rig_raid = 1;
}
END_TEST

CHECK_MAIN("xattr", 60, tcase_add_test(tc, test_xattr__values_are_kept_replaced_listed_and_removed);
           tcase_add_test(tc, test_xattr__are_stored_as_the_format_says);
           tcase_add_test(tc, test_xattr__tells_the_size_and_refuses_too_small_a_room);
           tcase_add_test(tc, test_xattr__fill_one_block_and_no_more);
           tcase_add_test(tc, test_xattr__their_object_goes_with_the_last_and_with_the_inode);
           tcase_add_test(tc, test_xattr__of_an_open_inode_live_until_its_release);
           tcase_add_test(tc, test_xattr__is_set_once_wherever_naming_dies);
           tcase_add_test(tc, test_xattr__n5_a_bad_block_is_an_error);
           tcase_add_test(tc, test_xattr__a_directory_chooses_the_level_of_files_made_in_it);
           tcase_add_test(tc, test_xattr__a_file_asks_for_a_level_of_its_own);
           tcase_add_test(tc, test_xattr__a_file_too_large_for_two_layouts_keeps_its_level);
           tcase_add_test(tc, test_xattr__levels_are_refused_where_room_is_not_counted_for_them);)
