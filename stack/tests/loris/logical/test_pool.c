/* A pool of several disks: levels, cuts, repair, degraded service. */
#include "scripts/check_main.h"
#include "stack/tests/loris/logical/rig_pool.h"

#define DIR 1100u
#define FILE_A 1200u
#define FILE_B 1201u
#define BLOCKS 24u

/* ---- Plain service ---- */

static void use_pool(uint32_t disks, uint32_t raid)
{
    int64_t version[64];
    pool_make(disks, raid, 2048, 8 * BLOCK_BYTES);
    pool_ok(pool_op(OBJECT_CREATE, DIR, 0, OBJECT_META));
    pool_ok(pool_op(OBJECT_CREATE, FILE_A, 100 * BLOCK_BYTES, 0));
    ck_assert_int_eq(pool_op(OBJECT_CREATE, FILE_A, 0, 0), E_EXIST);
    pool_ok(pool_op(OBJECT_CREATE, FILE_A, 100 * BLOCK_BYTES, OBJECT_REPLAY));
    pool_ok(pool_write(DIR, 0, 5, 1, 0));
    pool_ok(pool_write(FILE_A, 3, 97, 1, 0));
    pool_ok(pool_checkpoint());
    pool_ok(pool_write(FILE_A, 50, 20, 2, 0));
    for (uint32_t round = 0; round < 2; round++) {
        pool_ok(pool_read(FILE_A, 0, 64, 2, version));
        for (int64_t b = 0; b < 64; b++)
            ck_assert_int_eq(version[b], b < 3 ? 0 : b >= 50 ? 2 : 1);
        pool_ok(pool_read(FILE_A, 64, 64, 2, version));
        for (int64_t b = 0; b < 64; b++)
            ck_assert_int_eq(version[b], b < 6 ? 2 : b < 36 ? 1 : 0);
        ck_assert_int_eq(pool_version(DIR, 4, 2), 1);
        pool_ok(pool_op(OBJECT_GETATTR, FILE_A, 0, 0));
        ck_assert_uint_eq(pool.reply.size, 100 * BLOCK_BYTES);
        ck_assert_uint_eq(pool.reply.blocks, 97);
        pool_ok(pool_checkpoint());
        pool_boot(false);
        pool_ok(pool_restore(true));
    }
    pool_ok(pool_op(OBJECT_TRUNCATE, FILE_A, 55 * BLOCK_BYTES + 1, 0));
    pool_ok(pool_read(FILE_A, 50, 10, 2, version));
    for (int64_t b = 0; b < 10; b++)
        ck_assert_int_eq(version[b], b < 6 ? 2 : 0);
    pool_ok(pool_op(OBJECT_SETATTR, FILE_A, 77, 0));
    pool_ok(pool_op(OBJECT_GETATTR, FILE_A, 0, 0));
    ck_assert_uint_eq(pool.reply.size, 77);
    pool_ok(pool_op(OBJECT_DELETE, FILE_A, 0, 0));
    ck_assert_int_eq(pool_op(OBJECT_DELETE, FILE_A, 0, 0), E_NOENT);
    pool_ok(pool_op(OBJECT_DELETE, FILE_A, 0, OBJECT_REPLAY));
    ck_assert_int_eq(pool_op(OBJECT_GETATTR, FILE_A, 0, 0), E_NOENT);
    pool_ok(pool_op(OBJECT_STATFS, 0, 0, 0));
    ck_assert_uint_gt(pool.reply.blocks, 1000);
    pool_ok(pool_checkpoint());
}

START_TEST(test_pool__gives_back_what_was_written_on_every_level)
{
    use_pool(1, 0);
    use_pool(1, 1);
    use_pool(2, 1);
    use_pool(3, 1);
    use_pool(2, 0);
    use_pool(4, 0);
}
END_TEST

/* ---- Power cuts ---- */

static void make_old(uint32_t disks, uint32_t raid)
{
    pool_make(disks, raid, 2048, 4 * BLOCK_BYTES);
    pool_ok(pool_op(OBJECT_CREATE, DIR, 1, OBJECT_META));
    pool_ok(pool_op(OBJECT_CREATE, FILE_A, 1, 0));
    pool_ok(pool_op(OBJECT_CREATE, FILE_B, 1, 0));
    pool_ok(pool_write(DIR, 0, 6, 1, 0));
    pool_ok(pool_write(FILE_A, 0, BLOCKS, 1, 0));
    pool_ok(pool_write(FILE_B, 0, BLOCKS, 1, 0));
    pool_ok(pool_checkpoint());
}

/* Two overwrites of the same blocks, a directory change, a new object, and a checkpoint. */
static bool cut_in_epoch(uint64_t cut)
{
    rig.writes = 0;
    rig.cut_at = cut;
    (void)pool_write(FILE_A, 4, 10, 2, 0);
    (void)pool_write(DIR, 0, 6, 2, 0);
    (void)pool_write(FILE_A, 8, 10, 3, 0);
    (void)pool_op(OBJECT_DELETE, FILE_B, 0, 0);
    (void)pool_op(OBJECT_CREATE, FILE_B + 1, 0, 0);
    (void)pool_write(FILE_B + 1, 0, 5, 2, 0);
    (void)pool_checkpoint();
    return rig.off;
}

/* Names, sizes and META of one checkpoint exactly; data old or later, each block whole (R1). */
static bool check_state(int64_t *version, bool lost_allowed)
{
    bool new = pool_version(DIR, 0, 3) == 2;
    for (uint64_t b = 0; b < 6; b++)
        ck_assert_int_eq(pool_version(DIR, b, 3), new ? 2 : 1);
    ck_assert_int_eq(pool_op(OBJECT_GETATTR, FILE_B, 0, 0), new ? E_NOENT : OK);
    ck_assert_int_eq(pool_op(OBJECT_GETATTR, FILE_B + 1, 0, 0), new ? OK : E_NOENT);
    pool_ok(pool_read(FILE_A, 0, BLOCKS, 3, version));
    for (int64_t b = 0; b < (int64_t)BLOCKS; b++) {
        int64_t newest = b >= 8 && b < 18 ? 3 : b >= 4 && b < 14 ? 2 : 1;
        bool lost = version[b] == E_LOST - 1000;
        if (new)
            ck_assert_int_eq(version[b], newest);
        else if (lost)
            ck_assert(lost_allowed && newest > 1);
        else
            ck_assert(version[b] >= 1 && version[b] <= newest && (version[b] != 2 || b < 14));
    }
    if (!new) {
        int64_t old[BLOCKS];
        pool_ok(pool_read(FILE_B, 0, BLOCKS, 3, old));
        for (uint32_t b = 0; b < BLOCKS; b++)
            ck_assert_int_eq(old[b], 1);
    }
    return new;
}

/* R2: each disk alone gives the same. */
static void check_copies_equal(const int64_t *version, bool new)
{
    for (uint32_t gone = 0; gone < 2; gone++) {
        int64_t alone[BLOCKS];
        rig.disk[gone].gone = true;
        pool_boot(false);
        pool_ok(pool_restore(true));
        ck_assert(check_state(alone, false) == new);
        for (uint32_t b = 0; b < BLOCKS; b++)
            ck_assert_int_eq(alone[b], version[b]);
        rig.disk[gone].gone = false;
        break; /* the other would be a half that ran apart */
    }
}

static void walk_cuts(uint32_t disks, uint32_t raid, uint32_t seeds)
{
    bool fired = true, was_old = false, was_new = false;
    for (uint64_t cut = 1; fired; cut++) {
        for (uint64_t seed = 0; seed < seeds; seed++) {
            int64_t version[BLOCKS];
            make_old(disks, raid);
            fired = cut_in_epoch(cut);
            rig_power_on(seed * 77 + (seed > 1 ? cut : 0));
            pool_boot(false);
            pool_ok(pool_restore(true));
            bool new = check_state(version, raid == 0);
            was_new |= new;
            was_old |= !new;
            if (disks == 2 && raid == 1 && seed % 3 == 2)
                check_copies_equal(version, new);
        }
        ck_assert_uint_lt(cut, 300);
    }
    ck_assert(was_old && was_new);
}

START_TEST(test_pool__h01_h02_h25_mirrors_are_whole_and_equal_after_a_cut_anywhere)
{
    walk_cuts(2, 1, 9);
}
END_TEST

START_TEST(test_pool__three_disks_keep_one_checkpoint_after_a_cut_anywhere)
{
    walk_cuts(3, 1, 5);
}
END_TEST

START_TEST(test_pool__unmirrored_blocks_are_whole_or_known_lost_after_a_cut)
{
    walk_cuts(1, 0, 8);
    walk_cuts(2, 0, 5);
}
END_TEST

START_TEST(test_pool__h09_a_cut_in_recovery_changes_nothing)
{
    for (uint64_t cut = 2; cut < 40; cut += 3) {
        bool fired = true;
        for (uint64_t nested = 1; fired; nested++) {
            int64_t version[BLOCKS];
            make_old(2, 1);
            (void)cut_in_epoch(cut);
            rig_power_on(cut * 5 + nested);
            pool_boot(false);
            rig.writes = 0;
            rig.cut_at = nested;
            (void)pool_restore(true);
            fired = rig.off;
            rig_power_on(nested * 11 + 2);
            pool_boot(false);
            pool_ok(pool_restore(true));
            bool new = check_state(version, false);
            check_copies_equal(version, new);
            ck_assert_uint_lt(nested, 100);
        }
    }
}
END_TEST

/* The processes die, the disks live on: everything of the epoch is gone or resolved, and what the
 * replay writes again holds (H28). */
START_TEST(test_pool__h28_a_process_crash_rolls_back_and_replays)
{
    for (uint64_t cut = 1; cut < 30; cut++) {
        int64_t version[BLOCKS];
        make_old(2, 1);
        (void)cut_in_epoch(cut); /* from here on nothing reaches the disk: the process is gone */
        rig.off = false;
        rig.cut_at = 0;
        pool_boot(false);
        pool_ok(pool_restore(false));
        bool new = check_state(version, false);
        if (new)
            continue;
        /* Replay, cut again in the middle, with any subset lost. */
        rig.writes = 0;
        rig.cut_at = cut % 7 + 1;
        (void)pool_write(FILE_A, 4, 10, 2, OBJECT_REPLAY);
        (void)pool_write(FILE_A, 8, 10, 3, OBJECT_REPLAY);
        rig_power_on(cut + 2);
        pool_boot(false);
        pool_ok(pool_restore(true));
        (void)check_state(version, false);
    }
}
END_TEST

/* ---- Sick disks ---- */

static void rot_data(uint32_t disk, uint64_t oid)
{
    static uint8_t want[BLOCK_BYTES];
    struct rig_disk *d = &rig.disk[disk];
    rig_settle(d);
    for (uint64_t b = 0; b < BLOCKS; b++) {
        rig_fill_page(want, oid, b, 1);
        for (uint64_t s = 0; s < d->sectors; s += 8)
            if (memcmp(d->medium + s * SECTOR_BYTES, want, BLOCK_BYTES) == 0) {
                d->medium[s * SECTOR_BYTES + b] ^= 1;
                d->seen[s * SECTOR_BYTES + b] ^= 1;
            }
    }
}

START_TEST(test_pool__read_repair_mends_rotten_blocks)
{
    make_old(2, 1);
    for (uint32_t disk = 0; disk < 2; disk++) {
        int64_t version[BLOCKS];
        rot_data(disk, FILE_A);
        for (uint32_t round = 0; round < 2; round++) {
            pool_ok(pool_read(FILE_A, 0, BLOCKS, 1, version));
            for (uint32_t b = 0; b < BLOCKS; b++)
                ck_assert_int_eq(version[b], 1);
        }
    }
    ck_assert_uint_eq(fake_report_count(REPORT_REPAIR), BLOCKS); /* one copy is read */
    pool_ok(pool_checkpoint());
}
END_TEST

START_TEST(test_pool__rot_of_any_metadata_block_of_one_disk_is_mended_or_survived)
{
    static uint8_t image[2][2048 * BLOCK_BYTES];
    make_old(2, 1);
    pool_ok(pool_checkpoint());
    uint64_t tried = 0;
    for (uint32_t k = 0; k < 2; k++)
        memcpy(image[k], rig.disk[k].medium, sizeof(image[k]));
    for (uint64_t b = 0; b < 2048; b++) {
        for (uint32_t k = 0; k < 2; k++) {
            memcpy(rig.disk[k].medium, image[k], sizeof(image[k]));
            rig.disk[k].pendings = 0;
        }
        uint8_t *raw = rig.disk[1].medium + b * BLOCK_BYTES;
        if (memcmp(raw, "LRM1", 4) != 0 && memcmp(raw, "LRR1", 4) != 0)
            continue;
        raw[90] ^= 1;
        rig_power_on(0);
        tried++;
        int64_t version[BLOCKS];
        pool_boot(false);
        pool_ok(pool_restore(true));
        ck_assert(!check_state(version, false));
        pool_ok(pool_op(OBJECT_SETATTR, FILE_A, 9, 0));
        pool_ok(pool_write(FILE_A, 0, 4, 2, 0));
        pool_ok(pool_write(FILE_B, 0, 4, 2, 0));
        pool_ok(pool_checkpoint());
        /* With the healthy disk gone the mended one, if it is still a member, has it all. */
        if (fake_report_count(REPORT_DEGRADED) > 0)
            continue;
        rig.disk[0].gone = true;
        pool_boot(false);
        pool_ok(pool_restore(true));
        ck_assert_int_eq(pool_version(FILE_A, 3, 2), 2);
        ck_assert_int_eq(pool_version(FILE_A, 9, 2), 1);
        ck_assert_int_eq(pool_version(FILE_B, 2, 2), 2);
        rig.disk[0].gone = false;
    }
    ck_assert_uint_gt(tried, 8);
}
END_TEST

START_TEST(test_pool__h22_h29_a_disk_that_dies_at_any_write_costs_nothing)
{
    /* The disk dies at its n-th write; what was acknowledged survives a cut after. */
    for (uint32_t victim = 0; victim < 2; victim++) {
        uint64_t n = 1;
        for (; n < 60; n++) {
            int64_t version[BLOCKS];
            make_old(2, 1);
            rig.disk[victim].die_at = rig.disk[victim].writes + n;
            pool_ok(pool_write(FILE_A, 4, 10, 2, 0));
            pool_ok(pool_write(DIR, 0, 6, 2, 0));
            pool_ok(pool_write(FILE_A, 8, 10, 3, 0));
            pool_ok(pool_op(OBJECT_DELETE, FILE_B, 0, 0));
            pool_ok(pool_op(OBJECT_CREATE, FILE_B + 1, 0, 0));
            pool_ok(pool_prepare());
            bool died = rig.disk[victim].gone;
            rig_power_on(n + 1);
            pool_boot(false);
            pool_ok(pool_restore(true));
            ck_assert(check_state(version, false));
            if (!died)
                break;
            /* The disk comes back: stale, and never believed. */
            pool_ok(pool_write(FILE_A, 0, 4, 2, 0));
            pool_ok(pool_checkpoint());
            rig.disk[victim].gone = false;
            pool_boot(false);
            pool_ok(pool_restore(true));
            ck_assert_int_eq(pool_version(FILE_A, 1, 3), 2);
            pool_ok(pool_write(FILE_A, 0, 4, 3, 0));
            pool_ok(pool_checkpoint());
            for (uint64_t b = 0; b < BLOCKS; b++)
                ck_assert_int_eq(pool_version(FILE_A, b, 3),
                                 b < 4 || b >= 8 ? (b < 18 ? 3 : 1) : 2);
        }
        ck_assert(n > 6 && n < 60);
    }
}
END_TEST

/* Disks of unequal size fill up together, and what STATFS promises is there to the last. */
START_TEST(test_pool__unequal_disks_fill_up_together)
{
    pool_make(3, 1, 2048, 4 * BLOCK_BYTES);
    rig_disk_init(0, 6144);
    rig_disk_init(1, 6144);
    rig_disk_init(2, 2048);
    pool_boot(true);
    pool.session = 0;
    pool_ok(pool_restore(true));
    pool_ok(pool_op(OBJECT_STATFS, 0, 0, 0));
    uint64_t first = pool.reply.blocks;
    uint32_t files = 0;
    while (pool.reply.blocks > 20) {
        pool_ok(pool_op(OBJECT_CREATE, FILE_A + files, 0, 0));
        pool_ok(pool_write(FILE_A + files, 0, 10, 1, 0));
        if (files++ % 16 == 0)
            pool_ok(pool_checkpoint());
        pool_ok(pool_op(OBJECT_STATFS, 0, 0, 0));
        ck_assert_uint_lt(files, 2000);
    }
    /* A third of them on each disk would end at the smallest: 3 / 2 of what it takes. */
    ck_assert_uint_gt(files * 10, first * 2);
    for (uint32_t f = 0; f < files; f += 7)
        ck_assert_int_eq(pool_version(FILE_A + f, 9, 1), 1);
}
END_TEST

/* One disk of two is gone, and the pool has noticed. */
static void lose_one(uint32_t victim)
{
    rig.disk[victim].gone = true;
    pool_ok(pool_write(DIR, 0, 6, 1, 0)); /* on every disk, and in place on none */
    ck_assert_uint_eq(fake_report_count(REPORT_DEGRADED), 1);
}

static void cut_and_look(uint64_t seed)
{
    int64_t version[BLOCKS];
    rig_power_on(seed);
    pool_boot(false);
    pool_ok(pool_restore(true));
    (void)check_state(version, false);
}

/* What was overwritten last is whole and stable on one mirror only, which then is lost. */
START_TEST(test_pool__h29_the_other_copy_is_flushed_when_one_is_lost)
{
    for (uint32_t victim = 0; victim < 2; victim++)
        for (uint64_t seed = 1; seed < 20; seed++) {
            make_old(2, 1);
            pool_ok(pool_write(FILE_A, 4, 10, 2, 0));
            lose_one(victim);
            cut_and_look(seed);
        }
}
END_TEST

/* The power goes with write `cut` of two overwrites. */
static bool overwrite_alone(uint32_t victim, uint64_t cut)
{
    make_old(2, 1);
    lose_one(victim);
    pool_ok(pool_checkpoint());
    rig.writes = 0;
    rig.cut_at = cut;
    (void)pool_write(FILE_A, 4, 10, 2, 0);
    (void)pool_write(FILE_A, 8, 10, 3, 0);
    return rig.off;
}

START_TEST(test_pool__h29_an_only_copy_is_not_overwritten)
{
    for (uint32_t victim = 0; victim < 2; victim++) {
        uint64_t cut = 1;
        for (bool fired = true; fired; cut++) {
            for (uint64_t seed = 1; seed < 12; seed++) {
                fired = overwrite_alone(victim, cut);
                cut_and_look(seed);
            }
            ck_assert_uint_lt(cut, 100);
        }
        ck_assert_uint_gt(cut, 2);
    }
}
END_TEST

START_TEST(test_pool__h04_halves_that_ran_apart_are_refused)
{
    make_old(2, 1);
    for (uint32_t k = 0; k < 2; k++) {
        rig.disk[k].gone = true;
        pool_boot(false);
        pool_ok(pool_restore(true));
        pool_ok(pool_write(FILE_A, 0, 4, 2 + k, 0));
        pool_ok(pool_checkpoint());
        rig.disk[k].gone = false;
    }
    pool_boot(false);
    ck_assert_int_ne(pool_restore(true), OK); /* H4 */
}
END_TEST

/* ---- Starts without a disk ---- */

#define CUTS 60u /* of the epoch before: more than it has writes */
#define AWAY_WRITES 12u

/* After a cut in the epoch one disk stays away; the other goes on alone, until its write `last`
 * (0: to the end), and the power goes again. true: it came to that write. */
static bool go_on_alone(uint64_t cut, uint32_t away, uint64_t last)
{
    make_old(2, 1);
    (void)cut_in_epoch(cut);
    rig_power_on(0); /* nothing is torn: the mate of what was is away */
    rig.disk[away].gone = true;
    pool_boot(false);
    rig.writes = 0;
    rig.cut_at = last;
    enum err e = pool_restore(true);
    if (e == OK)
        e = pool_write(FILE_A, 0, 4, 4, 0);
    if (e == OK)
        e = pool_write(DIR, 0, 6, 4, 0);
    if (e == OK)
        e = pool_checkpoint();
    bool fired = rig.off;
    ck_assert(fired || e == OK);
    rig_power_on(0);
    rig.disk[away].gone = false;
    return fired;
}

/* What the two hold now is of one line: what went on alone is found again, or nothing of it. */
static void check_together(bool finished, uint32_t away)
{
    int64_t version[BLOCKS], alone[BLOCKS];
    pool_boot(false);
    pool_ok(pool_restore(true));
    int64_t dir = pool_version(DIR, 0, 4);
    ck_assert(!finished || dir == 4);
    for (uint64_t b = 1; b < 6; b++)
        ck_assert_int_eq(pool_version(DIR, b, 4), dir);
    pool_ok(pool_read(FILE_A, 0, BLOCKS, 4, version));
    for (uint32_t b = 0; b < BLOCKS; b++)
        ck_assert(version[b] >= 1 && (!finished || b >= 4 || version[b] == 4));
    pool_ok(pool_checkpoint());
    /* What was away is no member yet, or has the same. */
    rig.disk[1 - away].gone = true;
    pool_boot(false);
    if (pool_restore(true) != OK)
        return;
    for (uint64_t b = 0; b < 6; b++)
        ck_assert_int_eq(pool_version(DIR, b, 4), dir);
    pool_ok(pool_read(FILE_A, 0, BLOCKS, 4, alone));
    for (uint32_t b = 0; b < BLOCKS; b++)
        ck_assert_int_eq(alone[b], version[b]);
}

START_TEST(test_pool__h27_a_start_without_a_disk_cut_early_then_it_returns)
{
    for (uint64_t cut = 1; cut < CUTS; cut++)
        for (uint32_t away = 0; away < 2; away++)
            for (uint64_t last = 0; last < AWAY_WRITES; last += 3) {
                bool fired = go_on_alone(cut, away, last);
                check_together(!fired, away);
            }
}
END_TEST

START_TEST(test_pool__too_few_members_are_refused)
{
    make_old(2, 0);
    rig.disk[1].gone = true;
    pool_boot(false);
    ck_assert_int_eq(pool_restore(true), E_MEDIA);
    make_old(3, 1);
    rig.disk[1].gone = rig.disk[2].gone = true;
    pool_boot(false);
    ck_assert_int_eq(pool_restore(true), E_MEDIA);
    rig.disk[2].gone = false;
    pool_boot(false);
    pool_ok(pool_restore(true));
}
END_TEST

START_TEST(test_pool__a_death_below_ends_the_session_until_restored)
{
    make_old(2, 1);
    fake_restart(LAYER_PHYSICAL, 1);
    pool.p[1] = NULL;
    ck_assert_int_eq(pool_write(FILE_A, 0, 1, 2, 0), E_SESSION);
    ck_assert_int_eq(pool_op(OBJECT_GETATTR, FILE_A, 0, 0), E_SESSION);
    pool_ok(pool_restore(false));
    ck_assert_int_eq(pool_version(FILE_A, 9, 2), 1);
    pool.session--;
    ck_assert_int_eq(pool_op(OBJECT_GETATTR, FILE_A, 0, 0), E_SESSION);
}
END_TEST

CHECK_MAIN(
    "logical pool", 240, tcase_add_test(tc, test_pool__gives_back_what_was_written_on_every_level);
    tcase_add_test(tc, test_pool__h01_h02_h25_mirrors_are_whole_and_equal_after_a_cut_anywhere);
    tcase_add_test(tc, test_pool__three_disks_keep_one_checkpoint_after_a_cut_anywhere);
    tcase_add_test(tc, test_pool__unmirrored_blocks_are_whole_or_known_lost_after_a_cut);
    tcase_add_test(tc, test_pool__h09_a_cut_in_recovery_changes_nothing);
    tcase_add_test(tc, test_pool__h28_a_process_crash_rolls_back_and_replays);
    tcase_add_test(tc, test_pool__read_repair_mends_rotten_blocks);
    tcase_add_test(tc, test_pool__rot_of_any_metadata_block_of_one_disk_is_mended_or_survived);
    tcase_add_test(tc, test_pool__h22_h29_a_disk_that_dies_at_any_write_costs_nothing);
    tcase_add_test(tc, test_pool__unequal_disks_fill_up_together);
    tcase_add_test(tc, test_pool__h29_the_other_copy_is_flushed_when_one_is_lost);
    tcase_add_test(tc, test_pool__h29_an_only_copy_is_not_overwritten);
    tcase_add_test(tc, test_pool__h04_halves_that_ran_apart_are_refused);
    tcase_add_test(tc, test_pool__h27_a_start_without_a_disk_cut_early_then_it_returns);
    tcase_add_test(tc, test_pool__too_few_members_are_refused);
    tcase_add_test(tc, test_pool__a_death_below_ends_the_session_until_restored);)
