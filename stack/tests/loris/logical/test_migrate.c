/* Files that are given another level while the pool serves: content, redundancy, what crashes, cuts
 * and deaths in between leave, and what the checker of the raw disks says of each state. */
#include "bytes.h"
#include "scripts/check_main.h"
#include "stack/tests/loris/logical/rig_check.h"

#define FILE_A 1200u
#define FILE_B 1201u
#define FILE_C 1202u
#define BLOCKS 150u
#define HOLE_FROM 60u
#define HOLE_TO 75u
#define TICK_NS UINT64_C(20000000)
#define TICKS_MAX 400u

/* In the numbering of OBJECT_LEVEL_SHIFT. */
enum level_number { POOLS, LEVEL_0, LEVEL_1, LEVEL_4, LEVEL_5, LEVEL_6, LEVEL_N_WAY };

static uint64_t at[BLOCKS]; /* version of each block of FILE_A; 0: a hole */
static void write_a(uint64_t first, uint32_t count, uint64_t version)
{
    pool_ok(pool_write(FILE_A, first, count, version, 0));
    for (uint32_t i = 0; i < count; i++)
        at[first + i] = version;
}

/* The attributes that naming stores when its user asks for a level. */
static enum err set_level(uint64_t oid, uint64_t blocks, enum level_number level)
{
    struct object_request request = {
        .op = OBJECT_SETATTR, .oid = oid, .size = blocks * BLOCK_BYTES, .lsn = ++pool.lsn};
    put_le32(request.attr + OBJECT_ATTR_LEVEL, (uint32_t)level);
    return pool_call(&request);
}

static void wish(enum level_number level)
{
    pool_ok(set_level(FILE_A, BLOCKS, level));
}

static void checkpoint(void)
{
    enum err e = pool_checkpoint();
    ck_assert_msg(e == OK, "%d: %s", e, fake_crash());
}

static void make_sized(uint32_t disks, enum level_number level, uint64_t blocks)
{
    pool_make(disks, 1, blocks, 4 * BLOCK_BYTES);
    uint32_t flags = (uint32_t)level << OBJECT_LEVEL_SHIFT;
    pool_ok(pool_op(OBJECT_CREATE, FILE_A, BLOCKS * BLOCK_BYTES, flags));
    pool_ok(pool_op(OBJECT_CREATE, FILE_B, 1, 0));
    wish(level);
    memset(at, 0, sizeof(at));
    write_a(0, HOLE_FROM, 1);
    write_a(HOLE_TO, BLOCKS - HOLE_TO, 1);
    pool_ok(pool_write(FILE_B, 0, 9, 1, 0));
    checkpoint();
}

static void make(uint32_t disks, enum level_number level)
{
    make_sized(disks, level, 2048);
}

static void check_all(void)
{
    int64_t version[64];
    for (uint32_t first = 0; first < BLOCKS; first += 50) {
        pool_ok(pool_read(FILE_A, first, 50, 9, version));
        for (uint32_t b = 0; b < 50; b++)
            ck_assert_int_eq(version[b], (int64_t)at[first + b]);
    }
    pool_ok(pool_read(FILE_B, 0, 9, 9, version));
    for (uint32_t b = 0; b < 9; b++)
        ck_assert_int_eq(version[b], 1);
    pool_ok(pool_op(OBJECT_GETATTR, FILE_A, 0, 0));
    ck_assert_uint_eq(pool.reply.size, BLOCKS * BLOCK_BYTES);
    ck_assert_uint_eq(pool.reply.oid, FILE_A);
}

/* Time passes, with a checkpoint at every other tick. */
static void tick(uint32_t n)
{
    ck_assert_int_eq(fake_run_until(fake_now() + TICK_NS), FAKE_IDLE);
    if (n % 2 == 1)
        checkpoint();
}

static void migrate_all(void)
{
    for (uint32_t n = 0; fake_probe_hits(PROBE_MIGRATE_REMOVED) == 0; n++) {
        tick(n);
        ck_assert_uint_lt(n, TICKS_MAX);
    }
    checkpoint();
    ck_assert_uint_ge(fake_report_count(REPORT_MIGRATED), 1);
}

/* The cache reads its own object first: so page 0 of the mapping, which says what is to do. */
static void restore(bool system)
{
    pool_ok(pool_restore(system));
    ck_assert_int_eq(pool_op(OBJECT_GETATTR, 8, 0, 0), E_NOENT);
}

static void boot_again(void)
{
    pool_boot(false);
    restore(true);
}

/* Blocks in use on all disks. */
static uint64_t blocks_used(void)
{
    uint64_t used = 0;
    for (uint32_t k = 0; k < pool.options.disks; k++) {
        struct physical *p = pool.p[k];
        used += p->core.used_data;
    }
    return used;
}

START_TEST(test_migrate__every_level_becomes_every_other)
{
    for (enum level_number from = LEVEL_0; from <= LEVEL_N_WAY; from++)
        for (enum level_number to = LEVEL_0; to <= LEVEL_N_WAY; to++) {
            if (from == to)
                continue;
            make(4, to);
            uint64_t used = blocks_used(); /* of a file that was made so */
            make(4, from);
            wish(to);
            migrate_all();
            check_all();
            ck_assert_uint_eq(blocks_used(), used);
            rig_power_on(1);
            expect_sound();
            boot_again();
            check_all();
            if (to != LEVEL_0) {
                rig.disk[(from + to) % 4].gone = true;
                check_all();
            }
        }
}
END_TEST

START_TEST(test_migrate__there_and_back_and_to_the_pools)
{
    static const enum level_number way[] = {LEVEL_5, LEVEL_N_WAY, LEVEL_1, LEVEL_6, POOLS};
    make(4, LEVEL_1);
    uint64_t used = blocks_used();
    for (uint32_t k = 0; k < 5; k++) {
        uint32_t done = fake_probe_hits(PROBE_MIGRATE_REMOVED);
        wish(way[k]);
        for (uint32_t n = 0; fake_probe_hits(PROBE_MIGRATE_REMOVED) == done; n++) {
            tick(n);
            ck_assert_uint_lt(n, TICKS_MAX);
        }
        write_a(k * 10, 10, k + 2); /* before the hole */
        check_all();
    }
    checkpoint();
    ck_assert_uint_eq(blocks_used(), used);
    rig_power_on(1);
    expect_sound();
    boot_again();
    check_all();
}
END_TEST

START_TEST(test_migrate__what_changes_meanwhile_is_kept)
{
    static const enum level_number to[] = {LEVEL_0, LEVEL_5, LEVEL_N_WAY, LEVEL_6};
    for (uint32_t when = 0; when < 60; when++) {
        make(4, when % 3 == 0 ? LEVEL_5 : LEVEL_1);
        wish(when % 3 == 0 ? LEVEL_1 : to[when % 4]);
        for (uint32_t n = 0; n < when; n++)
            ck_assert_int_eq(fake_run_until(fake_now() + 1000000), FAKE_IDLE);
        write_a(10, 60, 2);
        ck_assert_int_eq(fake_run_until(fake_now() + 2000000), FAKE_IDLE);
        pool_ok(pool_op(OBJECT_TRUNCATE, FILE_A, 90 * BLOCK_BYTES, 0));
        ck_assert_int_eq(fake_run_until(fake_now() + 1000000), FAKE_IDLE);
        for (uint32_t b = 90; b < BLOCKS; b++)
            at[b] = 0;
        write_a(100, 40, 3);
        write_a(5, 1, 4);
        pool_ok(pool_op(OBJECT_SETATTR, FILE_A, BLOCKS * BLOCK_BYTES, 0));
        wish(when % 3 == 0 ? LEVEL_1 : to[when % 4]);
        migrate_all();
        check_all();
        rig_power_on(1);
        expect_sound();
        boot_again();
        check_all();
    }
}
END_TEST

/* All is synced before; then the power goes with the n-th write from there. */
static void cut_everywhere(enum level_number from, enum level_number to, uint64_t step)
{
    bool fired = true;
    for (uint64_t cut = 1; fired; cut += step) {
        make(4, from);
        wish(to);
        rig.writes = 0;
        rig.cut_at = cut;
        for (uint32_t n = 0; n < TICKS_MAX && !rig.off; n++) {
            (void)fake_run_until(fake_now() + TICK_NS);
            if ((n % 2 == 1 && pool_checkpoint() != OK) ||
                fake_probe_hits(PROBE_MIGRATE_REMOVED) > 0)
                break;
        }
        fired = rig.off;
        rig_power_on(cut);
        expect_sound();
        boot_again();
        check_all();
        wish(to);
        for (uint32_t n = 0; n < 40; n++)
            tick(n);
        check_all();
        rig_power_on(0);
        expect_sound();
        rig.disk[cut % 4].gone = to != LEVEL_0;
        boot_again();
        check_all();
        ck_assert_uint_lt(cut, 2000);
    }
}

START_TEST(test_migrate__a_power_cut_anywhere_leaves_the_file_whole)
{
    cut_everywhere(LEVEL_1, LEVEL_5, 3);
    cut_everywhere(LEVEL_5, LEVEL_N_WAY, 5);
    cut_everywhere(LEVEL_6, LEVEL_1, 5);
}
END_TEST

/* Logical dies, and the physicals with it; no power is lost. The cache replays what it wrote. */
static void die_and_return(void)
{
    struct boot boot = {.layer = LAYER_LOGICAL, .incarnation = 1, .options = pool.options};
    memset(pool.p, 0, sizeof(pool.p)); /* their memory was in its arena */
    fake_boot(logical_main, &boot);
    ck_assert_int_eq(fake_run(), FAKE_IDLE);
    restore(false);
}

START_TEST(test_migrate__a_crash_of_logical_anywhere_only_delays_it)
{
    bool died = true;
    for (uint64_t n = 1; died; n += 23) {
        make(4, n % 2 == 0 ? LEVEL_1 : LEVEL_5);
        wish(n % 2 == 0 ? LEVEL_5 : LEVEL_N_WAY);
        checkpoint();
        fake_crash_at_call(n);
        died = false;
        for (uint32_t t = 0; t < TICKS_MAX && !died; t++) {
            died = fake_run_until(fake_now() + TICK_NS) == FAKE_CRASHED;
            if (!died && t % 3 == 0)
                died = pool_write(FILE_A, t % 50, 1, 1, 0) == E_DEAD;
            if (!died && t % 2 == 1)
                died = pool_checkpoint() == E_DEAD;
            if (fake_probe_hits(PROBE_MIGRATE_REMOVED) > 0)
                break;
        }
        fake_crash_at_call(0);
        if (!died)
            break;
        die_and_return();
        check_all();
        for (uint32_t t = 0; t < 30; t++)
            tick(t);
        check_all();
        rig_power_on(0);
        expect_sound();
        ck_assert_uint_lt(n, 40000);
    }
}
END_TEST

START_TEST(test_migrate__a_crash_at_each_step_leaves_it_to_be_finished)
{
    static const enum probe probes[] = {PROBE_MIGRATE_BEGUN, PROBE_MIGRATE_BLOCKS,
                                        PROBE_MIGRATE_BOTH, PROBE_MIGRATE_SWITCHED,
                                        PROBE_MIGRATE_REMOVED};
    for (uint32_t k = 0; k < 5; k++)
        for (uint32_t hit = 1; hit <= 2; hit++) {
            make(4, LEVEL_1);
            fake_crash_at_probe(probes[k], hit);
            bool died = set_level(FILE_A, BLOCKS, LEVEL_5) == E_DEAD;
            died = died || pool_checkpoint() == E_DEAD;
            for (uint32_t t = 0; t < 40 && !died; t++) {
                died = fake_run_until(fake_now() + 3000000) == FAKE_CRASHED;
                for (uint32_t b = 0; b < 3 && !died; b++)
                    died = pool_write(FILE_A, b, 1, 1, 0) == E_DEAD;
                if (!died && t % 4 == 3)
                    died = pool_checkpoint() == E_DEAD;
            }
            ck_assert_msg(died || hit == 2, "%u", k);
            fake_crash_at_probe(probes[k], 0);
            if (!died)
                continue;
            die_and_return();
            check_all();
            wish(LEVEL_5);
            for (uint32_t t = 0; t < 60; t++)
                tick(t);
            check_all();
            rig_power_on(1);
            expect_sound();
            rig.disk[3].gone = true;
            boot_again();
            check_all();
        }
}
END_TEST

START_TEST(test_migrate__a_rollback_takes_the_switch_back)
{
    make(4, LEVEL_1);
    wish(LEVEL_5);
    while (fake_probe_hits(PROBE_MIGRATE_SWITCHED) == 0)
        ck_assert_int_eq(fake_run_until(fake_now() + 1000000), FAKE_IDLE);
    pool_ok(pool_write(FILE_A, 3, 5, 7, 0)); /* to the new layout alone */
    restore(false);
    check_all();
    write_a(3, 5, 7);
    wish(LEVEL_5);
    uint32_t done = fake_report_count(REPORT_MIGRATED);
    migrate_all();
    ck_assert_uint_eq(fake_report_count(REPORT_MIGRATED), done + 1);
    check_all();
}
END_TEST

START_TEST(test_migrate__a_disk_that_dies_meanwhile_costs_nothing)
{
    for (uint32_t disk = 0; disk < 4; disk++)
        for (uint64_t when = 1; when < 60; when += 4) {
            make(4, LEVEL_1);
            wish(when % 8 == 1 ? LEVEL_5 : LEVEL_N_WAY);
            rig.disk[disk].die_at = rig.disk[disk].writes + when;
            for (uint32_t n = 0; n < 40; n++) {
                tick(n);
                write_a(n, 2, 1 + n % 5);
            }
            check_all();
            checkpoint();
            rig_power_on(0);
            expect_sound();
            boot_again();
            check_all();
        }
}
END_TEST

START_TEST(test_migrate__without_room_the_file_stays_as_it_is)
{
    pool_make(4, 1, 2048, 4 * BLOCK_BYTES);
    pool.options.cache_bytes = 0;
    pool_ok(pool_op(OBJECT_CREATE, FILE_A, BLOCKS * BLOCK_BYTES, 0));
    pool_ok(pool_op(OBJECT_CREATE, FILE_B, 1, 0));
    pool_ok(pool_write(FILE_B, 0, 9, 1, 0));
    memset(at, 0, sizeof(at));
    write_a(0, 100, 1);
    write_a(100, 50, 1);
    pool_ok(pool_op(OBJECT_CREATE, FILE_B + 1, 0, (uint32_t)LEVEL_N_WAY << OBJECT_LEVEL_SHIFT));
    uint64_t filler = 0;
    for (;; filler += 50) {
        pool_ok(pool_op(OBJECT_STATFS, 0, 0, 0));
        if (pool.reply.blocks < BLOCKS + 40)
            break;
        pool_ok(pool_write(FILE_B + 1, filler, 50, 1, 0));
        checkpoint();
    }
    checkpoint();
    wish(LEVEL_N_WAY);
    checkpoint();
    for (uint32_t n = 0; n < 30; n++) {
        ck_assert_int_eq(fake_run_until(fake_now() + UINT64_C(1000000000)), FAKE_IDLE);
        checkpoint();
    }
    ck_assert_uint_eq(fake_report_count(REPORT_MIGRATED), 0);
    check_all();
    rig_power_on(0);
    expect_sound();
    pool_ok(pool_op(OBJECT_DELETE, FILE_B + 1, 0, 0));
    checkpoint();
    for (uint32_t n = 0; n < 100; n++) {
        ck_assert_int_eq(fake_run_until(fake_now() + UINT64_C(1000000000)), FAKE_IDLE);
        checkpoint();
    }
    ck_assert_uint_eq(fake_report_count(REPORT_MIGRATED), 1);
    check_all();
}
END_TEST

START_TEST(test_migrate__the_cache_hears_that_room_was_taken)
{
    make(4, LEVEL_1);
    wish(LEVEL_N_WAY);
    checkpoint();
    uint32_t told = 0;
    for (uint32_t n = 0; n < 50; n++) {
        ck_assert_int_eq(fake_run_until(fake_now() + 1000000), FAKE_IDLE);
        pool_ok(pool_op(OBJECT_GETATTR, FILE_B, 0, 0));
        told += (pool.reply.flags & OBJECT_LESS_ROOM) != 0;
    }
    ck_assert_uint_ge(told, 3);
    pool_ok(pool_op(OBJECT_GETATTR, FILE_B, 0, 0));
    ck_assert_uint_eq(pool.reply.flags & OBJECT_LESS_ROOM, 0);
}
END_TEST

START_TEST(test_migrate__deleted_or_asked_otherwise_it_ends)
{
    for (uint32_t when = 0; when < 40; when += 2) {
        make(4, LEVEL_1);
        uint64_t with = blocks_used();
        wish(LEVEL_5);
        for (uint32_t n = 0; n < when; n++)
            ck_assert_int_eq(fake_run_until(fake_now() + 1000000), FAKE_IDLE);
        if (when % 4 == 0) {
            pool_ok(pool_op(OBJECT_DELETE, FILE_A, 0, 0));
        } else {
            wish(LEVEL_1);
        }
        for (uint32_t n = 0; n < 40; n++)
            tick(n);
        if (when % 4 == 0)
            ck_assert_int_eq(pool_op(OBJECT_GETATTR, FILE_A, 0, 0), E_NOENT);
        else
            check_all();
        ck_assert(when % 4 == 0 ? blocks_used() < with : blocks_used() == with);
        rig_power_on(1);
        expect_sound();
    }
}
END_TEST

START_TEST(test_migrate__many_files_wait_for_their_turn)
{
    make(4, LEVEL_1);
    for (uint32_t k = 0; k < 50; k++) {
        pool_ok(pool_op(OBJECT_CREATE, 2000 + k, BLOCK_BYTES, 0));
        pool_ok(pool_write(2000 + k, 0, 1 + k % 3, 1, 0));
        pool_ok(set_level(2000 + k, 1, LEVEL_5));
    }
    checkpoint();
    for (uint32_t n = 0; n < 4; n++)
        tick(n);
    uint32_t first = fake_report_count(REPORT_MIGRATED);
    rig_power_on(1);
    expect_sound();
    boot_again(); /* who waits is found by looking */
    ck_assert_uint_lt(fake_report_count(REPORT_MIGRATED), 50);
    uint32_t last = 0, still = 0;
    for (uint32_t n = 0; still < 20; n++) {
        tick(n);
        still = fake_report_count(REPORT_MIGRATED) == last ? still + 1 : 0;
        last = fake_report_count(REPORT_MIGRATED);
        ck_assert_uint_lt(n, TICKS_MAX);
    }
    ck_assert_uint_eq(first + last, 50);
    rig_power_on(1);
    expect_sound();
    rig.disk[2].gone = true;
    boot_again();
    for (uint32_t k = 0; k < 50; k++)
        ck_assert_int_eq(pool_version(2000 + k, k % 3, 1), 1);
    check_all();
}
END_TEST

/* A block that is known lost stays so; one that cannot be read now keeps the file where it is. */
START_TEST(test_migrate__what_is_bad_does_not_become_good_or_lost)
{
    static uint8_t want[BLOCK_BYTES];
    make(4, LEVEL_0);
    rig_fill_page(want, FILE_A, 7, 1);
    for (uint32_t k = 0; k < 4; k++) {
        struct rig_disk *d = &rig.disk[k];
        rig_settle(d);
        for (uint64_t s = 0; s < d->sectors; s += 8)
            if (memcmp(d->medium + s * SECTOR_BYTES, want, BLOCK_BYTES) == 0) {
                d->bad_sector = s;
                d->bad_sectors = 1;
            }
    }
    wish(LEVEL_1);
    for (uint32_t n = 0; n < 40; n++)
        tick(n);
    ck_assert_uint_eq(fake_report_count(REPORT_MIGRATED), 0);
    int64_t version = 0;
    pool_ok(pool_read(FILE_A, 7, 1, 9, &version));
    ck_assert_int_eq(version, E_MEDIA - 1000);
    for (uint32_t k = 0; k < 4; k++)
        rig.disk[k].bad_sectors = 0;
    for (uint32_t n = 0; n < 100; n++) {
        ck_assert_int_eq(fake_run_until(fake_now() + UINT64_C(1000000000)), FAKE_IDLE);
        checkpoint();
    }
    ck_assert_uint_eq(fake_report_count(REPORT_MIGRATED), 1);
    check_all();
}
END_TEST

/* With its only disk goes the word of how far a striped file reaches: no part of it becomes a hole.
 */
START_TEST(test_migrate__what_has_left_does_not_become_a_hole)
{
    uint32_t lost = 0;
    for (uint32_t disk = 0; disk < 4; disk++) {
        int64_t version = 0;
        make(4, LEVEL_1);
        pool_ok(pool_op(OBJECT_CREATE, FILE_C, BLOCK_BYTES, LEVEL_0 << OBJECT_LEVEL_SHIFT));
        pool_ok(pool_write(FILE_C, 0, 1, 1, 0));
        pool_ok(set_level(FILE_C, 1, LEVEL_0));
        checkpoint();
        rig.disk[disk].gone = true;
        write_a(0, 30, 2);
        checkpoint();
        pool_ok(set_level(FILE_C, 1, LEVEL_1));
        for (uint32_t n = 0; n < 40; n++)
            tick(n);
        pool_ok(pool_read(FILE_C, 0, 1, 9, &version));
        ck_assert_msg(version == 1 || version < 0, "disk %u: %d", disk, (int)version);
        lost += version < 0 ? 1 : 0;
    }
    ck_assert_uint_eq(lost, 1);
}
END_TEST

/* Until redundancy is whole once more. */
static void rebuild(void)
{
    uint32_t before = fake_report_count(REPORT_REBUILT);
    for (uint32_t n = 0; fake_report_count(REPORT_REBUILT) == before; n++) {
        tick(n);
        ck_assert_uint_lt(n, TICKS_MAX);
    }
}

/* A copy that is being made on a new disk does not count, though its entry is written: here the
 * disk that left and the new one are of the same generation. */
START_TEST(test_migrate__a_wish_during_a_rebuild_makes_no_copy_whole)
{
    for (uint32_t when = 1; when < 14; when++) {
        pool_make_spared(4, 2, 1, 2048, 4 * BLOCK_BYTES);
        pool_ok(pool_op(OBJECT_CREATE, FILE_B, 1, 0));
        pool_ok(pool_op(OBJECT_CREATE, FILE_A, BLOCKS * BLOCK_BYTES, 0));
        memset(at, 0, sizeof(at));
        write_a(0, HOLE_FROM, 1);
        write_a(HOLE_TO, BLOCKS - HOLE_TO, 1);
        pool_ok(pool_write(FILE_B, 0, 9, 1, 0));
        checkpoint();
        rig.disk[0].gone = true;
        write_a(0, 5, 2);
        rebuild();
        rig.disk[2].gone = true;
        write_a(0, 5, 3);
        checkpoint();
        for (uint32_t n = 0; n < when; n++)
            ck_assert_int_eq(fake_run_until(fake_now() + 1000000), FAKE_IDLE);
        wish(LEVEL_N_WAY);
        checkpoint();
        rig_power_on(1);
        boot_again();
        if (fake_report_count(REPORT_REBUILDING) > 0)
            rebuild();
        rig.disk[1].gone = true;
        check_all();
    }
}
END_TEST

CHECK_MAIN("migrate", 240, tcase_add_test(tc, test_migrate__every_level_becomes_every_other);
           tcase_add_test(tc, test_migrate__there_and_back_and_to_the_pools);
           tcase_add_test(tc, test_migrate__what_changes_meanwhile_is_kept);
           tcase_add_test(tc, test_migrate__a_power_cut_anywhere_leaves_the_file_whole);
           tcase_add_test(tc, test_migrate__a_crash_of_logical_anywhere_only_delays_it);
           tcase_add_test(tc, test_migrate__a_crash_at_each_step_leaves_it_to_be_finished);
           tcase_add_test(tc, test_migrate__a_rollback_takes_the_switch_back);
           tcase_add_test(tc, test_migrate__a_disk_that_dies_meanwhile_costs_nothing);
           tcase_add_test(tc, test_migrate__without_room_the_file_stays_as_it_is);
           tcase_add_test(tc, test_migrate__the_cache_hears_that_room_was_taken);
           tcase_add_test(tc, test_migrate__deleted_or_asked_otherwise_it_ends);
           tcase_add_test(tc, test_migrate__a_wish_during_a_rebuild_makes_no_copy_whole);
           tcase_add_test(tc, test_migrate__what_has_left_does_not_become_a_hole);
           tcase_add_test(tc, test_migrate__many_files_wait_for_their_turn);
           tcase_add_test(tc, test_migrate__what_is_bad_does_not_become_good_or_lost);)
