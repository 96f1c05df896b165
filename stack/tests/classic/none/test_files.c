/*
 * Contents, write-back, space and errors of `none`; and a random run against a model.
 */
#include "scripts/check_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stack/tests/classic/none/none_rig.h"

#define ROOT 1u
#define MIB (1u << 20)

static struct none_rig rig;
static uint8_t data[MIB], back[MIB];
static uint64_t rng;

static uint32_t draw(uint32_t below)
{
    rng = rng * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(rng >> 33) % below;
}

static void setup(void)
{
    none_rig_init(&rig, 64 << 20, MIB);
    rng = 4711;
    for (uint32_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)draw(256);
}

static void teardown(void)
{
    none_rig_fini(&rig);
}

START_TEST(test_files__a_file_larger_than_the_cache_comes_back)
{
    uint64_t f, moved;
    ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, ROOT, "f", &f), OK);
    for (uint32_t i = 0; i < 20; i++) { /* 20 MiB through a cache of one: indirect blocks too */
        data[0] = (uint8_t)i;
        ck_assert_int_eq(none_rig_write(&rig, f, (uint64_t)i * MIB, data, MIB), OK);
    }
    for (uint32_t i = 0; i < 20; i++) {
        data[0] = (uint8_t)i;
        ck_assert_int_eq(none_rig_read(&rig, f, (uint64_t)i * MIB, back, MIB, &moved), OK);
        ck_assert_uint_eq(moved, MIB);
        ck_assert_int_eq(memcmp(data, back, MIB), 0);
    }
    none_rig_reboot(&rig, true);
    data[0] = 7;
    ck_assert_int_eq(none_rig_read(&rig, f, 7 * MIB, back, MIB, &moved), OK);
    ck_assert_int_eq(memcmp(data, back, MIB), 0);
    ck_assert_int_eq(none_rig_plain(&rig, VFS_TRUNCATE, f, 5 * MIB + 10), OK);
    none_rig_expect_sound(&rig);
    none_rig_reboot(&rig, false);
    ck_assert_int_eq(none_rig_remove(&rig, VFS_UNLINK, ROOT, "f"), OK);
    none_rig_expect_sound(&rig);
}
END_TEST

START_TEST(test_files__holes_and_growth_read_as_zeros)
{
    uint64_t f, moved;
    static const uint8_t zero[10000];
    ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, ROOT, "f", &f), OK);
    ck_assert_int_eq(none_rig_write(&rig, f, 0, data, 6000), OK);
    ck_assert_int_eq(none_rig_plain(&rig, VFS_TRUNCATE, f, 1000), OK);
    ck_assert_int_eq(none_rig_plain(&rig, VFS_TRUNCATE, f, 5000), OK);
    ck_assert_int_eq(none_rig_read(&rig, f, 0, back, 9000, &moved), OK);
    ck_assert_uint_eq(moved, 5000);
    ck_assert_int_eq(memcmp(back, data, 1000), 0);
    ck_assert_int_eq(memcmp(back + 1000, zero, 4000), 0);
    ck_assert_int_eq(none_rig_write(&rig, f, 100 * 4096, data, 1), OK);
    ck_assert_int_eq(none_rig_read(&rig, f, 50 * 4096, back, 10000, &moved), OK);
    ck_assert_uint_eq(moved, 10000);
    ck_assert_int_eq(memcmp(back, zero, 10000), 0);
    none_rig_expect_sound(&rig);
}
END_TEST

START_TEST(test_files__append_goes_to_the_end_and_says_where)
{
    uint64_t f;
    ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, ROOT, "f", &f), OK);
    for (uint32_t i = 0; i < 10; i++) {
        struct vfs_request request = {
            .op = VFS_WRITE, .ino = f, .length = 1000, .flags = VFS_APPEND};
        ck_assert_int_eq(none_rig_call(&rig, &request, NULL, NULL, data, 1000, PLAT_GRANT_READ),
                         OK);
        ck_assert_uint_eq(rig.reply.ino2, i * 1000);
        ck_assert_uint_eq(rig.reply.size, (i + 1) * 1000);
    }
}
END_TEST

START_TEST(test_files__a_write_that_does_not_fit_changes_nothing)
{
    uint64_t f, g, moved, written = 0;
    teardown();
    none_rig_init(&rig, 4 * MIB, MIB);
    ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, ROOT, "f", &f), OK);
    ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, ROOT, "g", &g), OK);
    enum err e;
    while ((e = none_rig_write(&rig, f, written, data, 64 << 10)) == OK)
        written += 64 << 10;
    ck_assert_int_eq(e, E_NOSPC);
    ck_assert_uint_gt(written, 3 * MIB);
    ck_assert_int_eq(none_rig_plain(&rig, VFS_STAT, f, 0), OK);
    ck_assert_uint_eq(rig.reply.stat.size, written);
    ck_assert_int_eq(none_rig_write(&rig, f, 0, data + 100, 64 << 10), OK); /* overwriting fits */
    ck_assert_int_eq(none_rig_read(&rig, f, 0, back, 64 << 10, &moved), OK);
    ck_assert_int_eq(memcmp(back, data + 100, 64 << 10), 0);
    ck_assert_int_eq(none_rig_plain(&rig, VFS_TRUNCATE, f, 0), OK);
    ck_assert_int_eq(none_rig_write(&rig, g, 0, data, MIB), OK);
    none_rig_expect_sound(&rig);
}
END_TEST

START_TEST(test_files__inodes_run_out_and_come_back)
{
    char name[32];
    uint32_t made = 0;
    enum err e;
    teardown();
    none_rig_init(&rig, 8 * MIB, MIB);
    do {
        snprintf(name, sizeof(name), "%u", made);
        e = none_rig_make(&rig, VFS_CREATE, ROOT, name, NULL);
        made += e == OK ? 1 : 0;
    } while (e == OK);
    ck_assert_int_eq(e, E_NOSPC);
    ck_assert_uint_eq(made, 1024 - 4); /* 0, root, set aside, shared */
    ck_assert_int_eq(none_rig_remove(&rig, VFS_UNLINK, ROOT, "17"), OK);
    ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, ROOT, "again", NULL), OK);
    ck_assert_uint_eq(rig.reply.stat.generation, 2);
    none_rig_expect_sound(&rig);
}
END_TEST

START_TEST(test_files__daemon_writes_by_age_and_never_flushes)
{
    uint64_t f;
    ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, ROOT, "f", &f), OK);
    ck_assert_int_eq(none_rig_write(&rig, f, 0, data, 100000), OK);
    uint32_t writes = rig.disk.writes, flushes = rig.disk.flushes;
    ck_assert_int_eq(fake_run_until(UINT64_C(29000000000)), FAKE_IDLE);
    ck_assert_uint_eq(rig.disk.writes, writes);
    ck_assert_int_eq(fake_run_until(UINT64_C(31000000000)), FAKE_IDLE);
    ck_assert_uint_gt(rig.disk.writes, writes);
    ck_assert_uint_eq(fake_probe_hits(PROBE_NONE_WRITEBACK), 1);
    ck_assert_int_eq(none_rig_plain(&rig, VFS_SYNC, 0, 0), OK);
    ck_assert_uint_eq(rig.disk.flushes, flushes);
    none_rig_reboot(&rig, false); /* as after a crash: all was written */
    uint64_t moved;
    ck_assert_int_eq(none_rig_read(&rig, f, 0, back, 100000, &moved), OK);
    ck_assert_uint_eq(moved, 100000);
    ck_assert_int_eq(memcmp(back, data, 100000), 0);
}
END_TEST

START_TEST(test_files__fsync_writes_the_file_and_not_the_others)
{
    uint64_t f, g;
    ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, ROOT, "f", &f), OK);
    ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, ROOT, "g", &g), OK);
    ck_assert_int_eq(none_rig_write(&rig, f, 0, data, 40960), OK);
    ck_assert_int_eq(none_rig_write(&rig, g, 0, data, 40960), OK);
    uint64_t before = rig.disk.sectors_written;
    ck_assert_int_eq(none_rig_plain(&rig, VFS_FSYNC, f, 0), OK);
    ck_assert_uint_eq(rig.disk.sectors_written - before, (10 + 1) * 8); /* data and inode */
    before = rig.disk.sectors_written;
    ck_assert_int_eq(none_rig_plain(&rig, VFS_FSYNC, f, 0), OK);
    ck_assert_uint_eq(rig.disk.sectors_written, before);
}
END_TEST

START_TEST(test_files__failed_writes_make_it_read_only_and_are_reported)
{
    uint64_t f, moved;
    ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, ROOT, "f", &f), OK);
    ck_assert_int_eq(none_rig_write(&rig, f, 0, data, 8192), OK);
    rig.disk.fail_write = 1;
    ck_assert_int_eq(none_rig_plain(&rig, VFS_FSYNC, f, 0), E_MEDIA);
    ck_assert_int_eq(none_rig_write(&rig, f, 0, data, 10), E_ROFS);
    ck_assert_int_eq(none_rig_plain(&rig, VFS_SYNC, 0, 0), E_MEDIA);
    ck_assert_int_eq(none_rig_read(&rig, f, 0, back, 8192, &moved), OK);
    ck_assert_uint_eq(fake_report_count(REPORT_READ_ONLY), 1);
}
END_TEST

START_TEST(test_files__a_bad_sector_costs_its_block_only)
{
    uint64_t f, moved;
    uint32_t bad = 0;
    ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, ROOT, "f", &f), OK);
    ck_assert_int_eq(none_rig_write(&rig, f, 0, data, 40 * 4096), OK);
    none_rig_reboot(&rig, true);
    for (uint64_t at = 0; at < rig.disk.sectors; at += 8) /* where block 20 lies */
        if (memcmp(rig.disk.bytes + at * 512, data + 20 * 4096, 4096) == 0)
            rig.disk.bad[rig.disk.bads++] = at;
    ck_assert_uint_eq(rig.disk.bads, 1);
    for (uint32_t i = 0; i < 40; i++) {
        enum err e = none_rig_read(&rig, f, i * 4096, back, 4096, &moved);
        if (e == OK)
            ck_assert_int_eq(memcmp(back, data + i * 4096, 4096), 0);
        bad += e == E_MEDIA && i == 20;
        ck_assert(e == OK || i == 20);
    }
    ck_assert_uint_eq(bad, 1);
}
END_TEST

START_TEST(test_files__driver_deaths_are_transparent)
{
    uint64_t f, moved;
    ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, ROOT, "f", &f), OK);
    for (uint32_t i = 0; i < 40; i++) {
        rig.disk.die_at_request = 1 + i % 5;
        rig.disk.die_executes = i % 2;
        ck_assert_int_eq(none_rig_write(&rig, f, i * 100000, data + i, 100000), OK);
        ck_assert_int_eq(none_rig_plain(&rig, VFS_FSYNC, f, 0), OK);
    }
    rig.disk.die_at_request = 0;
    none_rig_reboot(&rig, true);
    for (uint32_t i = 0; i < 40; i++) {
        ck_assert_int_eq(none_rig_read(&rig, f, i * 100000, back, 100000, &moved), OK);
        ck_assert_int_eq(memcmp(back, data + i, 100000), 0);
    }
    none_rig_expect_sound(&rig);
}
END_TEST

START_TEST(test_files__mount_of_rubbish_is_refused_and_of_damage_is_not_a_crash)
{
    uint64_t dir, f, moved;
    char name[16];
    ck_assert_int_eq(none_rig_make(&rig, VFS_MKDIR, ROOT, "d", &dir), OK);
    for (uint32_t i = 0; i < 30; i++) {
        snprintf(name, sizeof(name), "%u", i);
        ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, dir, name, &f), OK);
        ck_assert_int_eq(none_rig_write(&rig, f, i * 30000, data, 50000), OK);
    }
    ck_assert_int_eq(none_rig_plain(&rig, VFS_UNMOUNT, 0, 0), OK);
    uint8_t *image = malloc(64 << 20);
    memcpy(image, rig.disk.bytes, 64 << 20);
    for (uint32_t round = 0; round < 150; round++) {
        memcpy(rig.disk.bytes, image, 4 << 20);
        for (uint32_t k = 0; k < 1 + round; k++) /* metadata and the first data of group 0 */
            rig.disk.bytes[4096 + draw(70 * 4096)] ^= (uint8_t)(1u << draw(8));
        if (none_rig_boot(&rig, false) != OK)
            continue;
        for (uint32_t i = 0; i < 30; i++) {
            snprintf(name, sizeof(name), "%u", i);
            if (none_rig_lookup(&rig, dir, name) == OK)
                (void)!none_rig_read(&rig, rig.reply.stat.ino, 0, back, MIB, &moved);
            (void)!none_rig_remove(&rig, VFS_UNLINK, dir, name);
            (void)!none_rig_make(&rig, VFS_CREATE, dir, name, NULL);
        }
        (void)!none_rig_plain(&rig, VFS_SYNC, 0, 0);
    }
    memset(rig.disk.bytes, 0x5a, 64 << 20);
    ck_assert_int_eq(none_rig_boot(&rig, false), E_CORRUPT);
    free(image);
}
END_TEST

/* ---- Against a model ---- */

#define FILES 24u
#define FILE_MAX 300000u

struct model_file {
    bool there;
    uint32_t dir; /* 0: root, 1: d */
    uint64_t ino;
    uint64_t size;
    uint8_t *bytes;
};

static struct model_file model[FILES];
static uint64_t dirs[2];

static void model_compare(uint32_t k)
{
    struct model_file *m = &model[k];
    char name[16];
    uint64_t moved;
    snprintf(name, sizeof(name), "file%u", k);
    enum err e = none_rig_lookup(&rig, dirs[m->dir], name);
    ck_assert_int_eq(none_rig_lookup(&rig, dirs[1 - m->dir], name), E_NOENT);
    ck_assert_int_eq(e, m->there ? OK : E_NOENT);
    if (!m->there)
        return;
    ck_assert_int_eq(none_rig_lookup(&rig, dirs[m->dir], name), OK);
    ck_assert_uint_eq(rig.reply.stat.ino, m->ino);
    ck_assert_uint_eq(rig.reply.stat.size, m->size);
    ck_assert_int_eq(none_rig_read(&rig, m->ino, 0, back, FILE_MAX, &moved), OK);
    ck_assert_uint_eq(moved, m->size);
    ck_assert_int_eq(memcmp(back, m->bytes, m->size), 0);
}

static void model_write(struct model_file *m)
{
    uint32_t bytes = 1 + draw(draw(2) ? 6000 : 60000);
    uint32_t offset = draw(FILE_MAX - bytes), from = draw(MIB - bytes);
    ck_assert_int_eq(none_rig_write(&rig, m->ino, offset, data + from, bytes), OK);
    memcpy(m->bytes + offset, data + from, bytes);
    if (offset + bytes > m->size)
        m->size = offset + bytes;
}

static void model_truncate(struct model_file *m)
{
    uint32_t size = draw(FILE_MAX);
    ck_assert_int_eq(none_rig_plain(&rig, VFS_TRUNCATE, m->ino, size), OK);
    if (size < m->size)
        memset(m->bytes + size, 0, m->size - size);
    m->size = size;
}

static void model_rename(uint32_t k)
{
    struct model_file *m = &model[k];
    uint32_t to = draw(FILES), dir = draw(2);
    char name[16], name2[16];
    if (to == k || (model[to].there && model[to].dir != dir))
        return;
    snprintf(name, sizeof(name), "file%u", k);
    snprintf(name2, sizeof(name2), "file%u", to);
    ck_assert_int_eq(none_rig_rename(&rig, dirs[m->dir], name, dirs[dir], name2), OK);
    struct model_file gone = model[to];
    model[to] = *m;
    model[to].dir = dir;
    gone.there = false;
    gone.size = 0;
    memset(gone.bytes, 0, FILE_MAX);
    *m = gone;
}

static void model_step(uint32_t k)
{
    struct model_file *m = &model[k];
    char name[16];
    uint32_t what = draw(100);
    snprintf(name, sizeof(name), "file%u", k);
    if (!m->there) {
        m->dir = draw(2);
        ck_assert_int_eq(none_rig_make(&rig, VFS_CREATE, dirs[m->dir], name, &m->ino), OK);
        m->there = true;
    } else if (what < 50) {
        model_write(m);
    } else if (what < 60) {
        model_truncate(m);
    } else if (what < 70) {
        model_rename(k);
    } else if (what < 80) {
        ck_assert_int_eq(none_rig_remove(&rig, VFS_UNLINK, dirs[m->dir], name), OK);
        m->there = false;
        m->size = 0;
        memset(m->bytes, 0, FILE_MAX);
    } else if (what < 83) {
        ck_assert_int_eq(none_rig_plain(&rig, VFS_FSYNC, m->ino, 0), OK);
    } else if (what < 84) {
        ck_assert_int_eq(fake_run_until(fake_now() + UINT64_C(40000000000)), FAKE_IDLE);
    } else {
        model_compare(k);
    }
}

START_TEST(test_files__random_operations_agree_with_a_model_over_remounts)
{
    dirs[0] = ROOT;
    ck_assert_int_eq(none_rig_make(&rig, VFS_MKDIR, ROOT, "d", &dirs[1]), OK);
    for (uint32_t k = 0; k < FILES; k++)
        model[k].bytes = calloc(1, FILE_MAX);
    for (uint32_t round = 0; round < 10; round++) {
        for (uint32_t step = 0; step < 400; step++)
            model_step(draw(FILES));
        none_rig_expect_sound(&rig);
        none_rig_reboot(&rig, false);
        for (uint32_t k = 0; k < FILES; k++)
            model_compare(k);
    }
    for (uint32_t k = 0; k < FILES; k++)
        free(model[k].bytes);
}
END_TEST

CHECK_MAIN("none files", 120, tcase_add_checked_fixture(tc, setup, teardown);
           tcase_add_test(tc, test_files__a_file_larger_than_the_cache_comes_back);
           tcase_add_test(tc, test_files__holes_and_growth_read_as_zeros);
           tcase_add_test(tc, test_files__append_goes_to_the_end_and_says_where);
           tcase_add_test(tc, test_files__a_write_that_does_not_fit_changes_nothing);
           tcase_add_test(tc, test_files__inodes_run_out_and_come_back);
           tcase_add_test(tc, test_files__daemon_writes_by_age_and_never_flushes);
           tcase_add_test(tc, test_files__fsync_writes_the_file_and_not_the_others);
           tcase_add_test(tc, test_files__failed_writes_make_it_read_only_and_are_reported);
           tcase_add_test(tc, test_files__a_bad_sector_costs_its_block_only);
           tcase_add_test(tc, test_files__driver_deaths_are_transparent);
           tcase_add_test(tc, test_files__mount_of_rubbish_is_refused_and_of_damage_is_not_a_crash);
           tcase_add_test(tc, test_files__random_operations_agree_with_a_model_over_remounts);)
