/* Spares: a new disk is made whole while the pool serves; what crashes, cuts and deaths in between
 * leave. */
#include "bytes.h"
#include "scripts/check_main.h"
#include "stack/tests/loris/logical/rig_pool.h"

#define DIR 1100u
#define FILE_A 1200u
#define FILE_B 1201u
#define BLOCKS_A 100u
#define BLOCKS_B 9u
#define TICK_NS UINT64_C(20000000)
#define TICKS_MAX 400u

/* What each block holds now: all of them have been synced. */
static uint64_t at_a[BLOCKS_A], at_b[BLOCKS_B], at_dir;

static void write_a(uint64_t first, uint32_t count, uint64_t version)
{
    pool_ok(pool_write(FILE_A, first, count, version, 0));
    for (uint32_t i = 0; i < count; i++)
        at_a[first + i] = version;
}

static void make(uint32_t members, uint32_t spares)
{
    pool_make_spared(members + spares, spares, 1, 2048, 4 * BLOCK_BYTES);
    pool_ok(pool_op(OBJECT_CREATE, DIR, 1, OBJECT_META));
    pool_ok(pool_op(OBJECT_CREATE, FILE_A, 100 * BLOCK_BYTES, 0));
    pool_ok(pool_op(OBJECT_CREATE, FILE_B, 1, 0));
    pool_ok(pool_write(DIR, 0, 6, 1, 0));
    memset(at_a, 0, sizeof(at_a));
    write_a(0, 40, 1);
    write_a(50, 50, 1); /* between them a hole */
    pool_ok(pool_write(FILE_B, 0, BLOCKS_B, 1, 0));
    for (uint32_t b = 0; b < BLOCKS_B; b++)
        at_b[b] = 1;
    at_dir = 1;
    pool_ok(pool_checkpoint());
}

static void check_all(void)
{
    int64_t version[64];
    for (uint32_t first = 0; first < BLOCKS_A; first += 50) {
        pool_ok(pool_read(FILE_A, first, 50, 9, version));
        for (uint32_t b = 0; b < 50; b++)
            ck_assert_int_eq(version[b], (int64_t)at_a[first + b]);
    }
    pool_ok(pool_read(FILE_B, 0, BLOCKS_B, 9, version));
    for (uint32_t b = 0; b < BLOCKS_B; b++)
        ck_assert_int_eq(version[b], (int64_t)at_b[b]);
    pool_ok(pool_read(DIR, 0, 6, at_dir, version));
    for (uint32_t b = 0; b < 6; b++)
        ck_assert_int_eq(version[b], (int64_t)at_dir);
    pool_ok(pool_op(OBJECT_GETATTR, FILE_A, 0, 0));
    ck_assert_uint_eq(pool.reply.size, 100 * BLOCK_BYTES);
}

/* The pool notices that a disk is gone. */
static void lose(uint32_t disk)
{
    rig.disk[disk].gone = true;
    at_dir++;
    pool_ok(pool_write(DIR, 0, 6, at_dir, 0));
}

/* Time passes, with a checkpoint at every other tick; true: redundancy is whole. */
static bool tick(uint32_t n)
{
    uint32_t before = fake_report_count(REPORT_REBUILT);
    ck_assert_int_eq(fake_run_until(fake_now() + TICK_NS), FAKE_IDLE);
    if (n % 2 == 1)
        pool_ok(pool_checkpoint());
    return fake_report_count(REPORT_REBUILT) > before;
}

static void rebuild_all(void)
{
    uint32_t n = 0;
    while (!tick(n))
        ck_assert_uint_lt(++n, TICKS_MAX);
}

/* Rebuilds until the power goes with the `cut`-th write or it is done, then starts again. Returns
 * whether the power went. */
static bool rebuild_until_cut(uint64_t cut, uint64_t tick_ns)
{
    rig.writes = 0;
    rig.cut_at = cut;
    for (uint32_t n = 0; n < TICKS_MAX && !rig.off; n++) {
        (void)fake_run_until(fake_now() + tick_ns);
        if (n % 2 == 1 && pool_checkpoint() != OK)
            break;
        if (fake_report_count(REPORT_REBUILT) > 0)
            break;
    }
    bool fired = rig.off;
    rig_power_on(cut);
    pool_boot(false);
    pool_ok(pool_restore(true));
    return fired;
}

START_TEST(test_rebuild__a_spare_takes_the_place_of_a_dead_disk)
{
    for (uint32_t dead = 0; dead < 2; dead++) {
        make(2, 1);
        lose(dead);
        rebuild_all();
        check_all();
        lose(1 - dead); /* now the spare has everything, alone */
        check_all();
        pool_ok(pool_checkpoint());
        pool_boot(false);
        pool_ok(pool_restore(true));
        check_all();
    }
}
END_TEST

START_TEST(test_rebuild__what_changes_meanwhile_is_on_both)
{
    for (uint32_t when = 0; when < 40; when++) {
        make(2, 1);
        lose(0);
        for (uint32_t n = 0; n < when; n++) {
            if (n == 1)
                pool_ok(pool_checkpoint());
            ck_assert_int_eq(fake_run_until(fake_now() + 1000000), FAKE_IDLE);
        }
        write_a(10, 60, 2);
        pool_ok(pool_op(OBJECT_CREATE, FILE_B + 1, 0, 0));
        pool_ok(pool_op(OBJECT_DELETE, FILE_B, 0, 0));
        pool_ok(pool_write(FILE_B + 1, 0, 5, 3, 0));
        pool_ok(pool_op(OBJECT_TRUNCATE, FILE_A, 90 * BLOCK_BYTES, 0));
        pool_ok(pool_op(OBJECT_SETATTR, FILE_A, 100 * BLOCK_BYTES, 0));
        for (uint32_t b = 90; b < BLOCKS_A; b++)
            at_a[b] = 0;
        rebuild_all();
        lose(1);
        ck_assert_int_eq(pool_op(OBJECT_GETATTR, FILE_B, 0, 0), E_NOENT);
        ck_assert_int_eq(pool_version(FILE_B + 1, 4, 3), 3);
        int64_t version[64];
        for (uint32_t first = 0; first < BLOCKS_A; first += 50) {
            pool_ok(pool_read(FILE_A, first, 50, 9, version));
            for (uint32_t b = 0; b < 50; b++)
                ck_assert_int_eq(version[b], (int64_t)at_a[first + b]);
        }
    }
}
END_TEST

/* Everything up to the death is synced; then the power goes with the n-th write from there. */
START_TEST(test_rebuild__a_power_cut_anywhere_only_delays_it)
{
    bool fired = true;
    for (uint64_t cut = 1; fired; cut++) {
        make(2, 1);
        lose(0);
        pool_ok(pool_checkpoint());
        fired = rebuild_until_cut(cut, TICK_NS);
        check_all();
        if (fired && fake_report_count(REPORT_REBUILDING) > 0)
            rebuild_all();
        lose(1);
        check_all();
        ck_assert_uint_lt(cut, 400);
    }
}
END_TEST

/* Logical dies at its n-th platform call, and the physicals with it; no power is lost. */
START_TEST(test_rebuild__a_crash_of_logical_anywhere_only_delays_it)
{
    bool died = true;
    for (uint64_t n = 1; died; n += 5) {
        make(2, 1);
        lose(0);
        pool_ok(pool_checkpoint());
        fake_crash_at_call(n);
        died = false;
        for (uint32_t t = 0; t < TICKS_MAX && !died; t++) {
            died = fake_run_until(fake_now() + TICK_NS) == FAKE_CRASHED;
            if (!died && t % 2 == 1)
                died = pool_checkpoint() == E_DEAD;
            if (fake_report_count(REPORT_REBUILT) > 0)
                break;
        }
        fake_crash_at_call(0);
        if (!died)
            break;
        uint32_t told = fake_report_count(REPORT_REBUILDING);
        struct boot boot = {.layer = LAYER_LOGICAL, .incarnation = 1, .options = pool.options};
        memset(pool.p, 0, sizeof(pool.p)); /* their memory was in its arena: they die with it */
        fake_boot(logical_main, &boot);
        ck_assert_int_eq(fake_run(), FAKE_IDLE);
        pool_ok(pool_restore(false));
        check_all();
        if (fake_report_count(REPORT_REBUILDING) > told)
            rebuild_all();
        lose(1);
        check_all();
        ck_assert_uint_lt(n, 40000);
    }
}
END_TEST

START_TEST(test_rebuild__a_spare_that_dies_gives_way_to_the_next)
{
    for (uint32_t when = 1; when < 60; when += 3) {
        make(2, 2);
        lose(0);
        pool_ok(pool_checkpoint());
        rig.disk[2].die_at = rig.disk[2].writes + when;
        rebuild_all();
        if (rig.disk[2].gone) {
            lose(1);
            check_all();
        }
        check_all();
    }
}
END_TEST

/* H23: the source has bad sectors: that block is lost, all others are whole. */
START_TEST(test_rebuild__h23_a_latent_error_costs_its_block_alone)
{
    static uint8_t want[BLOCK_BYTES];
    int64_t version[64];
    make(2, 1);
    rig_fill_page(want, FILE_A, 7, 1);
    struct rig_disk *d = &rig.disk[1];
    rig_settle(d);
    for (uint64_t s = 0; s < d->sectors; s += 8)
        if (memcmp(d->medium + s * SECTOR_BYTES, want, BLOCK_BYTES) == 0) {
            d->bad_sector = s;
            d->bad_sectors = 1;
        }
    ck_assert_uint_eq(d->bad_sectors, 1);
    lose(0);
    rebuild_all();
    lose(1);
    pool_ok(pool_read(FILE_A, 0, 50, 9, version));
    for (uint32_t b = 0; b < 50; b++)
        ck_assert_int_eq(version[b], b == 7 ? E_LOST - 1000 : (int64_t)at_a[b]);
    pool_ok(pool_read(FILE_A, 50, 50, 9, version));
    for (uint32_t b = 0; b < 50; b++)
        ck_assert_int_eq(version[b], 1);
}
END_TEST

/* REBUILDING is no redundancy: without the disk that has everything the pool does not start. */
START_TEST(test_rebuild__h30_what_is_half_rebuilt_is_no_pool)
{
    make(2, 1);
    lose(0);
    pool_ok(pool_checkpoint());
    for (uint32_t n = 0; n < 6; n++)
        ck_assert_int_eq(fake_run_until(fake_now() + 1000000), FAKE_IDLE);
    pool_ok(pool_checkpoint());
    ck_assert_uint_eq(fake_report_count(REPORT_REBUILT), 0);
    rig.disk[1].gone = true;
    pool_boot(false);
    ck_assert_int_eq(pool_restore(true), E_MEDIA);
    rig.disk[1].gone = false;
    pool_boot(false);
    pool_ok(pool_restore(true));
    check_all();
    rebuild_all();
    check_all();
}
END_TEST

/* ---- Disks that come back ---- */

/* Disk 0 was away while this was written; it has the old. */
static void go_on_without(void)
{
    make(2, 0);
    lose(0);
    pool_ok(pool_checkpoint());
    write_a(5, 30, 2);
    pool_ok(pool_op(OBJECT_DELETE, FILE_B, 0, 0));
    pool_ok(pool_op(OBJECT_CREATE, FILE_B + 1, 0, 0));
    pool_ok(pool_op(OBJECT_CREATE, FILE_B, 1, 0)); /* another one of that number */
    pool_ok(pool_write(FILE_B, 0, BLOCKS_B, 3, 0));
    for (uint32_t b = 0; b < BLOCKS_B; b++)
        at_b[b] = 3;
    pool_ok(pool_checkpoint());
}

START_TEST(test_rebuild__a_disk_that_comes_back_is_made_whole)
{
    for (uint32_t boot = 0; boot < 2; boot++) {
        go_on_without();
        rig.disk[0].gone = false;
        if (boot == 1) {
            pool_boot(false);
            pool_ok(pool_restore(true));
        }
        check_all(); /* from the other one */
        rebuild_all();
        check_all();
        lose(1);
        check_all();
        pool_ok(pool_checkpoint());
        rig.disk[1].gone = true;
        pool_boot(false);
        pool_ok(pool_restore(true));
        check_all();
    }
}
END_TEST

/* It left in this life and has the tree of then: what has not changed since is not copied again. */
START_TEST(test_rebuild__what_a_returning_disk_still_has_is_kept)
{
    for (uint32_t late = 0; late < 2; late++) {
        make(2, 0);
        write_a(20, 4, 2); /* in place on both: in its intents, so all of the object is copied */
        if (late == 1)
            pool_ok(pool_checkpoint());
        lose(0);
        pool_ok(pool_checkpoint());
        write_a(60, 3, 3);
        pool_ok(pool_op(OBJECT_TRUNCATE, FILE_B, 4 * BLOCK_BYTES, 0));
        pool_ok(pool_op(OBJECT_SETATTR, FILE_B, BLOCKS_B * BLOCK_BYTES, 0));
        for (uint32_t b = 4; b < BLOCKS_B; b++)
            at_b[b] = 0;
        pool_ok(pool_checkpoint());
        rig.disk[0].gone = false;
        uint64_t before = rig.disk[0].written;
        rebuild_all();
        uint64_t blocks = (rig.disk[0].written - before) / 8;
        ck_assert_msg(late == 1 ? blocks < 60 : blocks > 90, "%lu blocks", (unsigned long)blocks);
        lose(1);
        check_all();
        pool_ok(pool_checkpoint());
        pool_boot(false);
        pool_ok(pool_restore(true));
        check_all();
    }
}
END_TEST

/* Rows of 3 data blocks and a parity, which no two disks have alike. */
static void make_rows(void)
{
    pool_make_spared(4, 0, 5, 2048, 4 * BLOCK_BYTES);
    pool_ok(pool_op(OBJECT_CREATE, DIR, 1, OBJECT_META));
    pool_ok(pool_op(OBJECT_CREATE, FILE_A, 100 * BLOCK_BYTES, 0));
    pool_ok(pool_op(OBJECT_CREATE, FILE_B, 1, 0));
    pool_ok(pool_write(DIR, 0, 6, 1, 0));
    at_dir = 1;
    memset(at_a, 0, sizeof(at_a));
    write_a(0, 60, 1);
    write_a(72, 28, 1);
    pool_ok(pool_write(FILE_B, 0, BLOCKS_B, 1, 0));
    for (uint32_t b = 0; b < BLOCKS_B; b++)
        at_b[b] = 1;
    pool_ok(pool_checkpoint());
}

static void cut_a(uint32_t blocks)
{
    pool_ok(pool_op(OBJECT_TRUNCATE, FILE_A, (uint64_t)blocks * BLOCK_BYTES, 0));
    pool_ok(pool_op(OBJECT_SETATTR, FILE_A, BLOCKS_A * BLOCK_BYTES, 0));
    for (uint32_t b = blocks; b < BLOCKS_A; b++)
        at_a[b] = 0;
}

/* Everything with each of the other disks gone as well: what came back serves for it. */
static void check_without_any(uint32_t but)
{
    pool_ok(pool_checkpoint());
    for (uint32_t k = 0; k < 4; k++) {
        if (k == but)
            continue;
        pool_boot(false);
        rig.disk[k].gone = true;
        pool_ok(pool_restore(true));
        check_all();
        rig.disk[k].gone = false;
        pool_boot(false);
        pool_ok(pool_restore(true));
        rebuild_all();
    }
}

START_TEST(test_rebuild__of_a_returning_part_only_rows_that_changed_are_made_anew)
{
    for (uint32_t gone = 0; gone < 4; gone++) {
        make_rows();
        lose(gone);
        pool_ok(pool_checkpoint());
        write_a(14, 3, 2);
        pool_ok(pool_checkpoint());
        rig.disk[gone].gone = false;
        uint64_t before = rig.disk[gone].written;
        rebuild_all();
        uint64_t blocks = (rig.disk[gone].written - before) / 8;
        ck_assert_msg(blocks < 40, "%lu blocks", (unsigned long)blocks); /* a part has 30 */
        check_without_any(gone);
    }
}
END_TEST

START_TEST(test_rebuild__a_returning_part_is_what_the_file_became)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        uint64_t state = seed;
        uint32_t gone = (uint32_t)seed % 4;
        make_rows();
        lose(gone);
        pool_ok(pool_checkpoint());
        for (uint32_t n = 0; n < 6; n++) {
            uint32_t first = (uint32_t)(rig_random(&state) % 90);
            uint32_t kind = (uint32_t)(rig_random(&state) % 6);
            if (kind == 0)
                cut_a(first);
            else if (kind == 1)
                pool_ok(pool_checkpoint());
            else
                write_a(first, 1 + (uint32_t)(rig_random(&state) % 10), 2 + n);
        }
        pool_ok(pool_checkpoint());
        rig.disk[gone].gone = false;
        for (uint32_t n = 0; n < seed % 5; n++) /* and goes on becoming */
            (void)tick(n);
        write_a((uint32_t)(rig_random(&state) % 90), 8, 8);
        rebuild_all();
        check_without_any(gone);
    }
}
END_TEST

/* Meanwhile the file was removed and another one of its number made, whose blocks are never
 * overwritten in place: no copy of it stays what the old one was. */
START_TEST(test_rebuild__a_returning_disk_keeps_no_copy_of_another_kind)
{
    make(2, 0);
    pool_ok(pool_checkpoint());
    lose(0);
    pool_ok(pool_checkpoint());
    pool_ok(pool_op(OBJECT_DELETE, FILE_B, 0, 0));
    pool_ok(pool_op(OBJECT_CREATE, FILE_B, 1, OBJECT_COW));
    pool_ok(pool_write(FILE_B, 0, BLOCKS_B, 3, 0));
    for (uint32_t b = 0; b < BLOCKS_B; b++)
        at_b[b] = 3;
    pool_ok(pool_checkpoint());
    rig.disk[0].gone = false;
    rebuild_all();
    lose(1);
    check_all();
    pool_ok(pool_op(OBJECT_GETATTR, FILE_B, 0, 0));
    ck_assert_uint_eq(pool.reply.flags & (OBJECT_META | OBJECT_COW), OBJECT_COW);
}
END_TEST

/* H30: cut with any write of join and rebuild; both disks are there again. */
START_TEST(test_rebuild__a_cut_while_a_disk_comes_back_only_delays_it)
{
    bool fired = true;
    for (uint64_t cut = 1; fired; cut++) {
        go_on_without();
        rig.disk[0].gone = false;
        fired = rebuild_until_cut(cut, 10 * TICK_NS);
        check_all();
        if (fired && fake_report_count(REPORT_REBUILT) == 0)
            rebuild_all();
        lose(1);
        check_all();
        ck_assert_uint_lt(cut, 400);
    }
}
END_TEST

/* Two of three parts are gone: what is left must not pass for holes on the new disk. */
START_TEST(test_rebuild__makes_nothing_of_too_few_parts)
{
    int64_t version[64];
    pool_make_spared(4, 1, 5, 2048, 4 * BLOCK_BYTES);
    for (uint32_t f = 0; f < 6; f++) {
        pool_ok(pool_op(OBJECT_CREATE, FILE_A + f, 3 * BLOCK_BYTES, 0));
        pool_ok(pool_write(FILE_A + f, 0, 3, 1, 0));
    }
    pool_ok(pool_op(OBJECT_CREATE, DIR, 1, OBJECT_META));
    pool_ok(pool_checkpoint());
    rig.disk[0].gone = rig.disk[1].gone = true;
    at_dir = 1;
    pool_ok(pool_write(DIR, 0, 6, 1, 0));
    rebuild_all();
    for (uint32_t f = 0; f < 6; f++) {
        pool_ok(pool_read(FILE_A + f, 0, 3, 9, version));
        for (uint32_t b = 0; b < 3; b++)
            ck_assert_msg(version[b] == 1 || version[b] < 0, "file %u block %u", f, b);
    }
    pool_ok(pool_read(DIR, 0, 6, 9, version));
    for (uint32_t b = 0; b < 6; b++)
        ck_assert_int_eq(version[b], 1);
}
END_TEST

/* What a disk has of the inodes of FILE_A and its neighbours rots. */
static void rot_leaf(uint32_t disk)
{
    uint32_t rotted = 0;
    for (uint64_t b = 0; b < 2048; b++) {
        uint8_t *raw = rig.disk[disk].seen + b * BLOCK_BYTES;
        if (get_le32(raw) != UINT32_C(0x314d524c) || get_le16(raw + 6) != TYPE_LEAF ||
            get_le64(raw + 32) != FILE_A / FORMAT_LEAF_INODES)
            continue;
        raw[200] ^= 1;
        rotted++;
    }
    ck_assert_uint_gt(rotted, 0);
}

/* Of the only disks that know how far a file reaches one is gone, and the other cannot say: what
 * they had is no hole. */
START_TEST(test_rebuild__takes_no_silent_part_for_a_short_one)
{
    uint32_t lost = 0;
    for (uint32_t pair = 0; pair < 16; pair++) {
        uint32_t gone = pair / 4, silent = pair % 4;
        int64_t version;
        if (gone == silent)
            continue;
        pool_make_spared(5, 1, 5, 2048, 4 * BLOCK_BYTES);
        pool_ok(pool_op(OBJECT_CREATE, DIR, 1, OBJECT_META));
        pool_ok(pool_op(OBJECT_CREATE, FILE_A, BLOCK_BYTES, 0));
        pool_ok(pool_write(FILE_A, 0, 1, 1, 0));
        pool_ok(pool_checkpoint());
        rot_leaf(silent);
        pool_boot(false);
        pool_ok(pool_restore(true));
        at_dir = 0;
        lose(gone);
        rebuild_all();
        pool_ok(pool_read(FILE_A, 0, 1, 9, &version));
        ck_assert_msg(version == 1 || version < 0, "disks %u, %u: %d", gone, silent, (int)version);
        lost += version < 0 ? 1 : 0;
    }
    ck_assert_uint_eq(lost, 6); /* the block's disk and any other one, either way */
}
END_TEST

/* The disk that had left has an older checkpoint than one that was answered: it is not gone back
 * to while anybody knows better. */
START_TEST(test_rebuild__nobody_goes_back_beyond_what_was_released)
{
    for (uint32_t crash = 0; crash < 2; crash++) {
        go_on_without();
        rig.disk[0].gone = false;
        rig.disk[1].gone = true;
        if (crash == 1) {
            struct boot boot = {.layer = LAYER_LOGICAL, .incarnation = 1, .options = pool.options};
            memset(pool.p, 0, sizeof(pool.p));
            fake_boot(logical_main, &boot);
            ck_assert_int_eq(fake_run(), FAKE_IDLE);
        }
        pool.session++;
        struct object_request request = {.op = OBJECT_RESTORE, .size = pool.epoch};
        ck_assert_int_eq(pool_call(&request), E_MEDIA);
    }
}
END_TEST

/* One that refuses writes is not asked again: it would be made whole for ever. */
START_TEST(test_rebuild__a_sick_disk_stays_out)
{
    make(2, 0);
    rig.disk[0].bad_write = true;
    at_dir++;
    (void)pool_write(DIR, 0, 6, at_dir, 0);
    pool_ok(pool_checkpoint());
    ck_assert_uint_eq(fake_report_count(REPORT_DEGRADED), 1);
    for (uint32_t n = 0; n < 50; n++)
        ck_assert(!tick(n));
    ck_assert_uint_eq(fake_report_count(REPORT_DEGRADED), 1);
    check_all();
}
END_TEST

/* ---- Disks that come and go ---- */

#define DAY_NS UINT64_C(86400000000000)
#define JOINS 3u /* tries of pool_make_spared */

/* Disk 0 is seen to go, then it is back; true: it was made whole before `ticks` ticks. */
static bool come_and_go(uint64_t away_ns, uint32_t ticks)
{
    lose(0);
    pool_ok(pool_checkpoint());
    ck_assert_int_eq(fake_run_until(fake_now() + away_ns), FAKE_IDLE);
    rig.disk[0].gone = false;
    for (uint32_t n = 0; n < ticks; n++)
        if (tick(n))
            return true;
    return false;
}

/* Whatever it was that went, another one is in its place after days: none of them is a storm. */
START_TEST(test_rebuild__a_disk_is_replaced_as_often_as_it_dies)
{
    make(2, 0);
    for (uint32_t n = 0; n < 4 * JOINS; n++) {
        lose(0);
        pool_ok(pool_checkpoint());
        ck_assert_int_eq(fake_run_until(fake_now() + 10 * DAY_NS), FAKE_IDLE);
        rig_disk_init(0, 2048); /* a blank one */
        pool.p[0] = NULL;
        ck_assert_int_eq(fake_run_until(fake_now() + DAY_NS / 12), FAKE_IDLE);
        rebuild_all();
        check_all();
    }
    lose(1);
    check_all();
}
END_TEST

/* One that goes as soon as it is whole costs the pool its bandwidth for nothing. */
START_TEST(test_rebuild__a_disk_that_comes_and_goes_may_join_few_times_a_day)
{
    make(2, 0);
    for (uint32_t n = 0; n < JOINS; n++)
        ck_assert(come_and_go(0, TICKS_MAX));
    lose(0);
    pool_ok(pool_checkpoint());
    rig.disk[0].gone = false;
    uint32_t before = fake_report_count(REPORT_REBUILDING);
    uint64_t written = rig.disk[0].written;
    for (uint32_t hour = 0; hour < 20; hour++) {
        ck_assert_int_eq(fake_run_until(fake_now() + DAY_NS / 24), FAKE_IDLE);
        pool_ok(pool_checkpoint());
    }
    ck_assert_uint_eq(fake_report_count(REPORT_REBUILDING), before);
    ck_assert_uint_eq(rig.disk[0].written, written);
    check_all();
    ck_assert_int_eq(fake_run_until(fake_now() + DAY_NS / 4), FAKE_IDLE);
    rebuild_all(); /* the day is over: it may have been mended */
    lose(1);
    check_all();
}
END_TEST

/* So does one that dies each time while it is made whole. */
START_TEST(test_rebuild__a_disk_that_dies_in_its_rebuild_may_join_few_times_a_day)
{
    make(2, 0);
    lose(0);
    pool_ok(pool_checkpoint());
    for (uint32_t n = 0; n < 200; n++) {
        rig.disk[0].gone = n % 2 == 0; /* it answers, and dies of what it is asked next */
        ck_assert_int_eq(fake_run_until(fake_now() + DAY_NS / 400), FAKE_IDLE);
        pool_ok(pool_checkpoint());
        at_dir++;
        pool_ok(pool_write(DIR, 0, 6, at_dir, 0));
    }
    ck_assert_uint_eq(fake_report_count(REPORT_REBUILT), 0);
    ck_assert_uint_le(fake_report_count(REPORT_DEGRADED), 1 + JOINS);
    check_all();
}
END_TEST

/* With two places to take it takes the one that it had: no layout names a disk twice. */
START_TEST(test_rebuild__a_disk_that_comes_back_takes_its_own_place)
{
    for (uint32_t back = 0; back < 3; back += 2) {
        make(3, 0); /* each object has a copy on disk 1 */
        lose(2 - back);
        pool_ok(pool_checkpoint());
        lose(back);
        pool_ok(pool_checkpoint());
        rig.disk[back].gone = false;
        rebuild_all();
        check_all();
        rig.disk[2 - back].gone = false;
        rebuild_all();
        lose(1);
        check_all();
    }
}
END_TEST

CHECK_MAIN("logical rebuild", 120,
           tcase_add_test(tc, test_rebuild__a_spare_takes_the_place_of_a_dead_disk);
           tcase_add_test(tc, test_rebuild__what_changes_meanwhile_is_on_both);
           tcase_add_test(tc, test_rebuild__a_power_cut_anywhere_only_delays_it);
           tcase_add_test(tc, test_rebuild__a_crash_of_logical_anywhere_only_delays_it);
           tcase_add_test(tc, test_rebuild__a_spare_that_dies_gives_way_to_the_next);
           tcase_add_test(tc, test_rebuild__h23_a_latent_error_costs_its_block_alone);
           tcase_add_test(tc, test_rebuild__h30_what_is_half_rebuilt_is_no_pool);
           tcase_add_test(tc, test_rebuild__a_disk_that_comes_back_is_made_whole);
           tcase_add_test(tc,
                          test_rebuild__of_a_returning_part_only_rows_that_changed_are_made_anew);
           tcase_add_test(tc, test_rebuild__a_returning_part_is_what_the_file_became);
           tcase_add_test(tc, test_rebuild__a_returning_disk_keeps_no_copy_of_another_kind);
           tcase_add_test(tc, test_rebuild__what_a_returning_disk_still_has_is_kept);
           tcase_add_test(tc, test_rebuild__a_cut_while_a_disk_comes_back_only_delays_it);
           tcase_add_test(tc, test_rebuild__makes_nothing_of_too_few_parts);
           tcase_add_test(tc, test_rebuild__takes_no_silent_part_for_a_short_one);
           tcase_add_test(tc, test_rebuild__nobody_goes_back_beyond_what_was_released);
           tcase_add_test(tc, test_rebuild__a_sick_disk_stays_out);
           tcase_add_test(tc, test_rebuild__a_disk_is_replaced_as_often_as_it_dies);
           tcase_add_test(tc, test_rebuild__a_disk_that_comes_and_goes_may_join_few_times_a_day);
           tcase_add_test(tc,
                          test_rebuild__a_disk_that_dies_in_its_rebuild_may_join_few_times_a_day);
           tcase_add_test(tc, test_rebuild__a_disk_that_comes_back_takes_its_own_place);)
