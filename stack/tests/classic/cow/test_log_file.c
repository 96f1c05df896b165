/*
 * `log-scope: file`: after a cut the file of an fsync is whole, with all names; every other file is
 * as it was when it was synced last, or empty if it never was.
 */
#include "scripts/check_main.h"

#include <stdio.h>
#include <string.h>

#include "stack/tests/classic/cow/cow_rig.h"

#define ROOT 1u
#define DISK_BYTES (16u << 20)
#define CACHE_BYTES (4u << 20)
#define FILE_BYTES (30u * BLOCK_BYTES)
#define FILES 6u
#define LIVES 40u
#define STEPS 60u
#define SIZE_MAX_BLOCKS 24u

static struct cow_rig rig;
static uint8_t data[FILE_BYTES], back[FILE_BYTES];
static uint64_t rng;

static uint32_t draw(uint32_t below)
{
    rng = rng * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(rng >> 33) % below;
}

static void setup(void)
{
    cow_rig_init(&rig, DISK_BYTES, CACHE_BYTES);
    rig.boot.options.fsync_log = rig.boot.options.log_scope_file = true;
    memset(rig.disk.bytes, 0, DISK_BYTES);
    ck_assert_int_eq(cow_rig_boot(&rig, true), OK);
    ck_assert_int_eq(cow_rig_plain(&rig, VFS_SYNC, 0, 0), OK); /* a root of this life: a log */
    ramdisk_set_volatile(&rig.disk);
}

static void teardown(void)
{
    cow_rig_fini(&rig);
}

static uint64_t filled(const char *name, uint8_t with, size_t bytes)
{
    uint64_t ino;
    memset(data, with, bytes);
    if (cow_rig_lookup(&rig, ROOT, name, &ino) != OK)
        ck_assert_int_eq(cow_rig_make(&rig, VFS_CREATE, ROOT, name, &ino), OK);
    ck_assert_int_eq(cow_rig_write(&rig, ino, 0, data, bytes), OK);
    return ino;
}

static void expect_filled(const char *name, uint8_t with, size_t bytes)
{
    uint64_t ino, moved;
    ck_assert_int_eq(cow_rig_lookup(&rig, ROOT, name, &ino), OK);
    ck_assert_int_eq(cow_rig_read(&rig, ino, 0, back, sizeof(back), &moved), OK);
    ck_assert_msg(moved == bytes, "%s: %u bytes, not %u", name, (unsigned)moved, (unsigned)bytes);
    for (size_t k = 0; k < bytes; k++)
        ck_assert_msg(back[k] == with, "%s: byte %u is %u", name, (unsigned)k, back[k]);
}

static void cut_and_boot(void)
{
    struct cow_check check;
    fake_kill_layer();
    ramdisk_power_cut(&rig.disk, NULL, NULL);
    ck_assert_int_eq(cow_rig_boot(&rig, false), OK);
    cow_rig_check(&rig, &check);
    ck_assert_msg(check.ok, "%s", check.text);
    ck_assert_uint_eq(check.leaked_blocks, 0);
}

START_TEST(test_log_file__an_fsync_brings_its_file_and_the_names_of_others)
{
    (void)filled("other", 1, FILE_BYTES);
    uint64_t ino = filled("mine", 2, 5000);
    uint64_t before = rig.disk.sectors_written;
    ck_assert_int_eq(cow_rig_plain(&rig, VFS_FSYNC, ino, 0), OK);
    uint64_t blocks = (rig.disk.sectors_written - before) * SECTOR_BYTES / BLOCK_BYTES;
    ck_assert_uint_le(blocks, 8); /* the log block, two of data, directory, inodes; no others */
    cut_and_boot();
    expect_filled("mine", 2, 5000);
    expect_filled("other", 0, 0);
}
END_TEST

/* What was synced of others stays, whatever was done to them since: overwritten, cut short. */
START_TEST(test_log_file__others_are_as_they_were_synced)
{
    uint64_t mine, cut;
    (void)filled("over", 1, FILE_BYTES);
    cut = filled("cut", 3, FILE_BYTES);
    mine = filled("mine", 5, 100);
    if (_i == 0)
        ck_assert_int_eq(cow_rig_plain(&rig, VFS_SYNC, 0, 0), OK);
    for (uint32_t k = 0; k < 2 && _i == 1; k++) {
        ck_assert_int_eq(cow_rig_lookup(&rig, ROOT, k == 0 ? "over" : "cut", &cut), OK);
        ck_assert_int_eq(cow_rig_plain(&rig, VFS_FSYNC, cut, 0), OK);
    }
    (void)filled("over", 2, FILE_BYTES);
    ck_assert_int_eq(cow_rig_plain(&rig, VFS_TRUNCATE, cut, 0), OK);
    (void)filled("cut", 4, 3 * BLOCK_BYTES);
    (void)filled("mine", 6, 200);
    ck_assert_int_eq(cow_rig_plain(&rig, VFS_FSYNC, mine, 0), OK);
    ck_assert_int_eq(cow_rig_rename(&rig, ROOT, "cut", ROOT, "moved"), OK);
    ck_assert_int_eq(cow_rig_plain(&rig, VFS_FSYNC, ROOT, 0), OK);
    cut_and_boot();
    expect_filled("mine", 6, 200);
    expect_filled("over", 1, FILE_BYTES);
    expect_filled("moved", 3, FILE_BYTES);
    ck_assert_int_eq(cow_rig_plain(&rig, VFS_SYNC, 0, 0), OK);
    cut_and_boot();
    expect_filled("over", 1, FILE_BYTES);
}
END_TEST

/* A number that is used again: the data of the file that went are not the new one's. */
START_TEST(test_log_file__a_file_that_went_leaves_nothing_to_the_next)
{
    uint64_t mine = filled("mine", 5, 100), old = filled("old", 1, FILE_BYTES), new;
    ck_assert_int_eq(cow_rig_plain(&rig, VFS_SYNC, 0, 0), OK);
    (void)filled("old", 2, 4 * BLOCK_BYTES);
    ck_assert_int_eq(cow_rig_plain(&rig, VFS_TRUNCATE, old, 2 * BLOCK_BYTES), OK);
    ck_assert_int_eq(cow_rig_remove(&rig, VFS_UNLINK, ROOT, "old", 0), OK);
    new = filled("new", 3, 8 * BLOCK_BYTES);
    ck_assert_uint_eq(new, old);
    if (_i == 1)
        mine = new;
    ck_assert_int_eq(cow_rig_plain(&rig, VFS_FSYNC, mine, 0), OK);
    cut_and_boot();
    expect_filled("mine", 5, 100);
    expect_filled("new", _i == 1 ? 3 : 0, _i == 1 ? 8 * BLOCK_BYTES : 0);
    ck_assert_int_ne(cow_rig_lookup(&rig, ROOT, "old", &old), OK);
}
END_TEST

/* ---- Lives ---- */

/* Of each file: what filled it, from when it was synced on; an fsync that has too much to log is a
 * batch, which brings all files. */
struct state {
    uint8_t with;
    uint32_t blocks;
};
struct model {
    bool exists;
    struct state state[STEPS + 2];
    uint32_t states;
};
static struct model model[FILES];

static void change(uint32_t k)
{
    char name[8];
    uint64_t ino;
    struct model *m = &model[k];
    snprintf(name, sizeof(name), "f%u", k);
    if (m->exists && draw(4) == 0) {
        ck_assert_int_eq(cow_rig_remove(&rig, VFS_UNLINK, ROOT, name, 0), OK);
        *m = (struct model){0};
        return;
    }
    struct state to = {.with = (uint8_t)(1 + draw(250)), .blocks = 1 + draw(SIZE_MAX_BLOCKS)};
    if (m->exists) {
        ck_assert_int_eq(cow_rig_lookup(&rig, ROOT, name, &ino), OK);
        ck_assert_int_eq(cow_rig_plain(&rig, VFS_TRUNCATE, ino, draw(2) * BLOCK_BYTES), OK);
    }
    if (!m->exists)
        *m = (struct model){.exists = true, .states = 1}; /* empty */
    m->state[m->states++] = to;
    (void)filled(name, to.with, to.blocks * BLOCK_BYTES);
}

static void keep_last(struct model *m)
{
    if (!m->exists)
        return;
    m->state[0] = m->state[m->states - 1];
    m->states = 1;
}

static void sync_one(uint32_t k)
{
    char name[8];
    uint64_t ino;
    snprintf(name, sizeof(name), "f%u", k);
    if (!model[k].exists)
        return;
    ck_assert_int_eq(cow_rig_lookup(&rig, ROOT, name, &ino), OK);
    ck_assert_int_eq(cow_rig_plain(&rig, VFS_FSYNC, ino, 0), OK);
    keep_last(&model[k]);
}

static void sync_all(void)
{
    ck_assert_int_eq(cow_rig_plain(&rig, VFS_SYNC, 0, 0), OK);
    for (uint32_t k = 0; k < FILES; k++)
        keep_last(&model[k]);
}

/* It is one of its states whole, and goes on from that. Returns how many since it was lost. */
static uint32_t expect_one_of(const char *name, struct model *m)
{
    uint64_t ino, moved;
    uint32_t k = m->states;
    ck_assert_int_eq(cow_rig_lookup(&rig, ROOT, name, &ino), OK);
    ck_assert_int_eq(cow_rig_read(&rig, ino, 0, back, sizeof(back), &moved), OK);
    while (k > 0 && (m->state[k - 1].blocks * BLOCK_BYTES != moved ||
                     (moved > 0 && m->state[k - 1].with != back[0])))
        k--;
    ck_assert_msg(k > 0, "%s: %u bytes of %u", name, (unsigned)moved, back[0]);
    uint32_t lost = m->states - k;
    expect_filled(name, m->state[k - 1].with, moved);
    m->state[0] = m->state[k - 1];
    m->states = 1;
    return lost;
}

START_TEST(test_log_file__each_file_is_of_its_own_last_fsync)
{
    char name[8];
    uint64_t ino;
    uint32_t lost = 0;
    rng = 700 + (uint64_t)_i;
    rig.boot.options.space_segment = _i % 2 == 1;
    memset(model, 0, sizeof(model));
    for (uint32_t life = 0; life < 4; life++) {
        for (uint32_t step = draw(STEPS); step > 0; step--) {
            change(draw(FILES));
            if (draw(3) == 0)
                sync_one(draw(FILES));
            if (draw(12) == 0)
                sync_all();
        }
        ck_assert_int_eq(cow_rig_plain(&rig, VFS_FSYNC, ROOT, 0), OK); /* all names */
        cut_and_boot();
        for (uint32_t k = 0; k < FILES; k++) {
            snprintf(name, sizeof(name), "f%u", k);
            if (model[k].exists)
                lost += expect_one_of(name, &model[k]);
            else
                ck_assert_int_eq(cow_rig_lookup(&rig, ROOT, name, &ino), E_NOENT);
        }
    }
    ck_assert_uint_gt(lost, 0); /* else it was no file's own */
}
END_TEST

CHECK_MAIN("log of files", 120, tcase_add_checked_fixture(tc, setup, teardown);
           tcase_add_test(tc, test_log_file__an_fsync_brings_its_file_and_the_names_of_others);
           tcase_add_loop_test(tc, test_log_file__others_are_as_they_were_synced, 0, 2);
           tcase_add_loop_test(tc, test_log_file__a_file_that_went_leaves_nothing_to_the_next, 0,
                               2);
           tcase_add_loop_test(tc, test_log_file__each_file_is_of_its_own_last_fsync, 0, LIVES);)
