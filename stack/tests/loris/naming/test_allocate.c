/* Ranges that get or give up their room, against a file kept in memory. */
#include <stdlib.h>
#include <string.h>

#include "scripts/check_main.h"
#include "stack/tests/loris/naming/naming_rig.h"

#define FILE_BYTES (200u << 10)

static uint64_t file;
static uint8_t want[FILE_BYTES];
static uint64_t want_size;

static enum err ask(struct vfs_request r, void *data, size_t bytes, struct vfs_reply *reply)
{
    enum err e = E_DEAD;
    r.ino = file;
    r.sequence = ++rig_sequence;
    r.attempt = 1;
    ck_assert(rig_ask(&r, NULL, NULL, data, bytes, &e, reply));
    return e;
}

static enum err allocate(uint32_t flags, uint64_t offset, uint64_t length)
{
    struct vfs_reply reply;
    return ask(
        (struct vfs_request){
            .op = VFS_FALLOCATE, .flags = flags, .offset = offset, .length = length},
        NULL, 0, &reply);
}

static void begin(void)
{
    rig_start();
    file = rig_make(VFS_CREATE, ROOT, "f");
    want_size = 0;
    memset(want, 0, sizeof(want));
}

static void write_some(uint64_t offset, uint64_t length, uint8_t value)
{
    static uint8_t data[FILE_BYTES];
    struct vfs_reply reply;
    memset(data, value, length);
    ck_assert_int_eq(ask((struct vfs_request){.op = VFS_WRITE, .offset = offset, .length = length},
                         data, length, &reply),
                     OK);
    memset(want + offset, value, length);
    want_size = offset + length > want_size ? offset + length : want_size;
}

static void check(void)
{
    const struct fake_object *o = fake_cache_find(file);
    ck_assert_uint_eq(o->size, want_size);
    ck_assert_mem_eq(o->data, want, want_size);
}

START_TEST(test_allocate__reads_as_posix_says_after_any_sequence)
{
    static const uint32_t kinds[] = {
        0, VFS_KEEP_SIZE, VFS_PUNCH, VFS_PUNCH | VFS_KEEP_SIZE, VFS_ZERO, VFS_ZERO | VFS_KEEP_SIZE};
    for (uint32_t round = 0; round < 10; round++) {
        begin();
        srand(round);
        for (uint32_t step = 0; step < 100; step++) {
            uint64_t from = (uint64_t)rand() % (FILE_BYTES - 1);
            uint64_t to = from + 1 + (uint64_t)rand() % (FILE_BYTES - from);
            uint32_t kind = kinds[(uint32_t)rand() % 6];
            if (step % 3 == 0) {
                write_some(from, to - from, (uint8_t)(1 + step));
                check();
                continue;
            }
            bool keep = (kind & (VFS_KEEP_SIZE | VFS_PUNCH)) != 0;
            enum err e = allocate(kind, from, to - from);
            bool beyond = kind == VFS_KEEP_SIZE && to > want_size;
            ck_assert_int_eq(e, beyond ? E_NOTSUP : OK);
            uint64_t end = keep && to > want_size ? want_size : to;
            if ((kind & (VFS_PUNCH | VFS_ZERO)) != 0 && from < end)
                memset(want + from, 0, end - from);
            want_size = !keep && to > want_size ? to : want_size;
            check();
        }
    }
}
END_TEST

START_TEST(test_allocate__refuses_what_makes_no_sense)
{
    begin();
    write_some(0, 100, 1);
    ck_assert_int_eq(allocate(0, 0, 0), E_ARG);
    ck_assert_int_eq(allocate(VFS_PUNCH | VFS_ZERO, 0, 10), E_ARG);
    ck_assert_int_eq(allocate(0, OBJECT_SIZE_MAX, 1), E_FBIG);
    ck_assert_int_eq(allocate(0, UINT64_MAX, 10), E_FBIG);
    check();
    file = ROOT;
    ck_assert_int_eq(allocate(0, 0, 10), E_ISDIR);
}
END_TEST

START_TEST(test_allocate__only_a_hole_gives_up_its_room)
{
    begin();
    write_some(0, 40960, 1);
    ck_assert_int_eq(allocate(VFS_ZERO, 0, 8192), OK);
    ck_assert_int_eq(allocate(0, 0, 40960), OK);
    ck_assert_uint_eq(fake_cache_hole_bytes(), 0);
    ck_assert_int_eq(allocate(VFS_PUNCH, 4096, 8192), OK);
    ck_assert_uint_eq(fake_cache_hole_bytes(), 8192);
}
END_TEST

/* A block with data has its room; one of zeros may be a hole and is written. */
START_TEST(test_allocate__writes_only_what_may_be_a_hole)
{
    begin();
    write_some(8 * 4096, 4096, 1); /* eight blocks of nothing before it */
    uint64_t before = fake_cache_count(OBJECT_WRITE);
    ck_assert_int_eq(allocate(0, 0, 9 * 4096), OK);
    ck_assert_uint_eq(fake_cache_count(OBJECT_WRITE) - before, 8);
    before = fake_cache_count(OBJECT_WRITE);
    ck_assert_int_eq(allocate(0, 8 * 4096, 4096), OK);
    ck_assert_uint_eq(fake_cache_count(OBJECT_WRITE) - before, 0);
    check();
}
END_TEST

START_TEST(test_allocate__without_space_changes_nothing)
{
    begin();
    write_some(0, 8192, 1);
    fake_cache_fail(OBJECT_WRITE, E_FULL, 1);
    ck_assert_int_eq(allocate(0, 0, 65536), E_FULL);
    check();
}
END_TEST

CHECK_MAIN("allocate", 60,
           tcase_add_test(tc, test_allocate__reads_as_posix_says_after_any_sequence);
           tcase_add_test(tc, test_allocate__refuses_what_makes_no_sense);
           tcase_add_test(tc, test_allocate__only_a_hole_gives_up_its_room);
           tcase_add_test(tc, test_allocate__writes_only_what_may_be_a_hole);
           tcase_add_test(tc, test_allocate__without_space_changes_nothing);)
