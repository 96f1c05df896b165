/*
 * Full volumes: a request that does not fit says so and changes nothing, whatever the way in which
 * space is given out, and what is freed can be used again.
 */
#include "scripts/check_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stack/tests/classic/cow/cow_rig.h"

#define ROOT 1u
#define DISK_BYTES (24u << 20)
#define PIECE 65536u
#define FILES_MAX 400u
#define OVERWRITES 600u

static struct cow_rig rig;
static uint8_t data[PIECE], back[PIECE];
static uint32_t version[FILES_MAX]; /* what file k holds: 0: it is not there */
static uint64_t ino[FILES_MAX];
static uint32_t files;
static uint64_t rng;

static uint32_t draw(uint32_t below)
{
    rng = rng * UINT64_C(6364136223846793005) + 1442695040888963407u;
    ck_assert_uint_gt(below, 0);
    return (uint32_t)(rng >> 33) % below;
}

static void fill(uint8_t *to, uint32_t k, uint32_t v)
{
    for (uint32_t i = 0; i < PIECE; i += 4) {
        uint32_t word = k * 2654435761u ^ v * 40503u ^ i;
        memcpy(to + i, &word, 4);
    }
}

static const char *name_of(uint32_t k)
{
    static char name[16];
    snprintf(name, sizeof(name), "f%u", k);
    return name;
}

static enum err put(uint32_t k)
{
    enum err e = OK;
    fill(data, k, version[k] + 1);
    if (version[k] == 0)
        e = cow_rig_make(&rig, VFS_CREATE, ROOT, name_of(k), &ino[k]);
    if (e != OK)
        return e;
    e = cow_rig_write(&rig, ino[k], 0, data, PIECE);
    if (e == OK)
        version[k]++;
    else if (version[k] == 0)
        ck_assert_int_eq(cow_rig_remove(&rig, VFS_UNLINK, ROOT, name_of(k), 0), OK);
    return e;
}

static void fill_up(void)
{
    enum err e = OK;
    for (files = 0; files < FILES_MAX && e == OK; files += e == OK ? 1 : 0)
        e = put(files);
    ck_assert_int_eq(e, E_NOSPC);
    ck_assert_uint_ge(files, 100);
}

static void expect_contents(void)
{
    uint64_t moved;
    for (uint32_t k = 0; k < files; k++) {
        if (version[k] == 0)
            continue;
        fill(data, k, version[k]);
        ck_assert_int_eq(cow_rig_read(&rig, ino[k], 0, back, PIECE, &moved), OK);
        ck_assert_uint_eq(moved, PIECE);
        ck_assert_msg(memcmp(data, back, PIECE) == 0, "file %u", k);
    }
}

static void expect_sound(void)
{
    struct cow_check check;
    ck_assert_int_eq(cow_rig_plain(&rig, VFS_UNMOUNT, 0, 0), OK);
    cow_rig_check(&rig, &check);
    ck_assert_msg(check.ok, "%s", check.text);
    ck_assert_uint_eq(check.leaked_blocks + check.unreadable, 0);
}

static void begin(bool segment, bool log)
{
    memset(&rig, 0, sizeof(rig));
    cow_rig_init(&rig, DISK_BYTES, 4 << 20);
    memset(version, 0, sizeof(version));
    rng = 4711;
    rig.boot.options.space_segment = segment;
    rig.boot.options.fsync_log = log;
    ck_assert_int_eq(cow_rig_boot(&rig, true), OK);
}

/* Overwrites of a full volume: each is done, or refused and nothing has changed. */
static void overwrite(void)
{
    uint32_t done = 0;
    for (uint32_t n = 0; n < OVERWRITES; n++) {
        uint32_t k = draw(4) == 0 ? draw(files) : draw(files / 8);
        if (version[k] == 0)
            continue;
        enum err e = put(k);
        ck_assert(e == OK || e == E_NOSPC);
        done += e == OK ? 1 : 0;
        if (n % 20 == 0)
            ck_assert_int_eq(cow_rig_plain(&rig, VFS_FSYNC, ino[k], 0), OK);
    }
    ck_assert_uint_ge(done, OVERWRITES / 4);
}

static void full_life(bool segment, bool log)
{
    begin(segment, log);
    fill_up();
    expect_contents();
    for (uint32_t k = 0; k < files; k += 3) { /* room for what is overwritten */
        ck_assert_int_eq(cow_rig_remove(&rig, VFS_UNLINK, ROOT, name_of(k), 0), OK);
        version[k] = 0;
    }
    overwrite();
    expect_contents();
    expect_sound();
    ck_assert_int_eq(cow_rig_boot(&rig, false), OK);
    expect_contents();
    for (uint32_t k = 0; k < files; k++)
        if (version[k] != 0)
            ck_assert_int_eq(cow_rig_remove(&rig, VFS_UNLINK, ROOT, name_of(k), 0), OK);
    uint32_t before = files;
    memset(version, 0, sizeof(version));
    fill_up();
    ck_assert_uint_ge(files + 8, before); /* nothing was lost on the way */
    expect_contents();
    expect_sound();
    ck_assert_uint_ge(fake_probe_hits(PROBE_COW_CLEAN), segment ? 10 : 0);
    cow_rig_fini(&rig);
}

START_TEST(test_space__a_full_map_refuses_and_recovers)
{
    full_life(false, false);
}
END_TEST

START_TEST(test_space__a_full_map_with_a_log_refuses_and_recovers)
{
    full_life(false, true);
}
END_TEST

START_TEST(test_space__full_segments_are_cleaned)
{
    full_life(true, false);
}
END_TEST

START_TEST(test_space__full_segments_with_a_log_are_cleaned)
{
    full_life(true, true);
}
END_TEST

CHECK_MAIN("space", 120, tcase_add_test(tc, test_space__a_full_map_refuses_and_recovers);
           tcase_add_test(tc, test_space__a_full_map_with_a_log_refuses_and_recovers);
           tcase_add_test(tc, test_space__full_segments_are_cleaned);
           tcase_add_test(tc, test_space__full_segments_with_a_log_are_cleaned);)
