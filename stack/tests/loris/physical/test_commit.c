/* What a checkpoint of one disk promises: old or new, whatever is cut, torn or lost. */
#include "scripts/check_main.h"
#include "stack/tests/loris/physical/rig_physical.h"

#define DISK_BLOCKS 2048u
#define OID 2000u

static void start(void)
{
    rig_disk_init(0, DISK_BLOCKS);
    ph_boot();
    ph_ok(ph_format());
}

static int64_t version_of(uint64_t oid, uint64_t block)
{
    int64_t version;
    ph_ok(ph_read(oid, block, 9, &version));
    return version;
}

START_TEST(test_commit__gives_back_what_was_written)
{
    start();
    ph_ok(ph_op(OBJECT_CREATE, OID, 40 * BLOCK_BYTES, 0));
    ph_ok(ph_write(OID, 0, 40, 1, 0));
    ph_ok(ph_write(OID, 5, 2, 2, 0));
    ph_ok(ph_checkpoint());
    ph_boot();
    ph_ok(ph_restore());
    for (uint64_t b = 0; b < 41; b++)
        ck_assert_int_eq(version_of(OID, b), b >= 40 ? 0 : b == 5 || b == 6 ? 2 : 1);
    ph_ok(ph_op(OBJECT_GETATTR, OID, 0, 0));
    ck_assert_uint_eq(ph.reply.size, 40 * BLOCK_BYTES);
    ck_assert_uint_eq(ph.reply.blocks, 40);
}
END_TEST

START_TEST(test_commit__refuses_everything_before_restore_and_of_another_session)
{
    int64_t version;
    start();
    ph_boot();
    ck_assert_int_eq(ph_op(OBJECT_CREATE, OID, 0, 0), E_SESSION);
    ck_assert_int_eq(ph_checkpoint(), E_SESSION);
    ph_ok(ph_restore());
    ph_ok(ph_op(OBJECT_CREATE, OID, 0, 0));
    ph.session--;
    ck_assert_int_eq(ph_read(OID, 0, 0, &version), E_SESSION);
    ck_assert_int_eq(ph_op(OBJECT_DELETE, OID, 0, 0), E_SESSION);
}
END_TEST

/* A tree with META (shadowed) blocks, changed in epoch 3; then the power goes at write `cut`. */
static bool cut_in_epoch(uint64_t cut, uint64_t seed)
{
    start();
    ph_ok(ph_op(OBJECT_CREATE, OID, 0, OBJECT_META));
    ph_ok(ph_op(OBJECT_CREATE, OID + 500, 0, OBJECT_META));
    ph_ok(ph_write(OID, 0, 30, 1, 0));
    ph_ok(ph_write(OID + 500, 0, 3, 1, 0));
    ph_ok(ph_checkpoint());
    rig.writes = 0;
    rig.cut_at = cut;
    (void)ph_write(OID, 10, 10, 2, 0);
    (void)ph_op(OBJECT_DELETE, OID + 500, 0, 0);
    (void)ph_op(OBJECT_CREATE, OID + 900, 0, OBJECT_META);
    (void)ph_write(OID + 900, 0, 5, 3, 0);
    (void)ph_checkpoint();
    bool fired = rig.off;
    rig_power_on(seed);
    return fired;
}

static void check_old_or_new(void)
{
    int64_t version;
    bool new = version_of(OID, 10) == 2;
    for (uint64_t b = 0; b < 30; b++)
        ck_assert_int_eq(version_of(OID, b), b >= 10 && b < 20 && new ? 2 : 1);
    ck_assert_int_eq(ph_op(OBJECT_GETATTR, OID + 500, 0, 0), new ? E_NOENT : OK);
    ck_assert_int_eq(ph_read(OID + 900, 4, 3, &version), new ? OK : E_NOENT);
    if (new)
        ck_assert_int_eq(version, 3);
    else
        ck_assert_int_eq(version_of(OID + 500, 2), 1);
    ck_assert_uint_eq(ph.epoch, new ? 3 : 2);
}

START_TEST(test_commit__keeps_old_or_new_at_every_cut_and_any_unflushed_subset)
{
    bool fired = true;
    uint64_t cut = 0;
    while (fired) {
        cut++;
        for (uint64_t seed = 0; seed < 12; seed++) {
            ph.options.meta_copies = seed % 3 == 0 ? 2 : 1;
            fired = cut_in_epoch(cut, seed);
            ph_boot();
            ph_ok(ph_restore());
            check_old_or_new();
        }
        ck_assert_uint_lt(cut, 200);
    }
    ph.options.meta_copies = 1;
    ck_assert_uint_gt(cut, 5);
}
END_TEST

START_TEST(test_commit__keeps_old_or_new_when_recovery_is_cut_too)
{
    for (uint64_t cut = 1; cut < 12; cut++) {
        bool fired = true;
        for (uint64_t nested = 1; fired; nested++) {
            (void)cut_in_epoch(cut, 7 * cut + nested);
            ph_boot();
            rig.writes = 0;
            rig.cut_at = nested;
            (void)ph_restore();
            fired = rig.off;
            rig_power_on(13 * nested + cut);
            ph_boot();
            ph_ok(ph_restore());
            check_old_or_new();
            ck_assert_uint_lt(nested, 100);
        }
    }
}
END_TEST

START_TEST(test_commit__reports_any_write_that_fails_or_works_around_it)
{
    for (uint64_t n = 1; n < 60; n++) {
        int64_t version;
        start();
        ph_ok(ph_op(OBJECT_CREATE, OID, 0, 0));
        ph_ok(ph_write(OID, 0, 20, 1, 0));
        ph_ok(ph_checkpoint());
        rig.writes = 0;
        rig.fail_at = n;
        enum err written = ph_write(OID, 5, 5, 2, 0);
        enum err e = ph_checkpoint();
        bool fired = rig.writes >= n;
        ph_boot();
        ph_ok(ph_restore());
        for (uint64_t b = 0; b < 20; b++) {
            enum err r = ph_read(OID, b, 9, &version);
            if (b < 5 || b >= 10)
                ck_assert(r == OK && version == 1);
            else if (e == OK && written == OK)
                ck_assert(r == OK && version == 2);
        }
        if (!fired) {
            ck_assert_uint_gt(n, 5);
            return;
        }
    }
    ck_abort_msg("no end of writes");
}
END_TEST

START_TEST(test_commit__a_freed_block_is_not_reused_before_release)
{
    /* H5: fill the disk, delete, create again; the cut must find the old file whole. */
    start();
    ph_ok(ph_op(OBJECT_CREATE, OID, 0, OBJECT_META));
    ph_ok(ph_op(OBJECT_STATFS, 0, 0, 0));
    uint32_t blocks = (uint32_t)ph.reply.blocks;
    ck_assert_uint_gt(blocks, 1000);
    uint32_t written = 0;
    for (; written + 100 <= blocks; written += 100)
        ph_ok(ph_write(OID, written, 100, 1, 0));
    ph_ok(ph_checkpoint());
    ph_ok(ph_op(OBJECT_DELETE, OID, 0, 0));
    ph_ok(ph_op(OBJECT_CREATE, OID + 1, 0, OBJECT_META));
    uint32_t second = 0;
    enum err e = OK;
    for (; e == OK && second < blocks; second += 50)
        e = ph_write(OID + 1, second, 50, 2, 0);
    ck_assert_int_eq(e, E_AGAIN);
    rig.off = true;
    rig_power_on(0);
    ph_boot();
    ph_ok(ph_restore());
    for (uint64_t b = 0; b < written; b++)
        ck_assert_int_eq(version_of(OID, b), 1);
    /* And after a release it is. */
    ph_ok(ph_op(OBJECT_DELETE, OID, 0, 0));
    ph_ok(ph_checkpoint());
    ph_ok(ph_op(OBJECT_CREATE, OID + 1, 0, OBJECT_META));
    for (second = 0; second + 100 <= blocks; second += 100)
        ph_ok(ph_write(OID + 1, second, 100, 2, 0));
}
END_TEST

START_TEST(test_commit__the_reserve_serves_replay_and_repair_alone)
{
    start();
    ph_ok(ph_op(OBJECT_CREATE, OID, 0, 0));
    uint64_t b = 0;
    enum err e = OK;
    for (; e == OK && b < DISK_BLOCKS; b++)
        e = ph_write(OID, b, 1, 1, 0);
    ck_assert_int_eq(e, E_FULL);
    ph_ok(ph_op(OBJECT_STATFS, 0, 0, 0));
    ck_assert_uint_eq(ph.reply.blocks, 0);
    uint32_t flags[] = {OBJECT_REPAIR, OBJECT_REPLAY};
    for (uint32_t k = 0; k < 64; k++) /* at least so many blocks */
        ph_ok(ph_write(OID, b + k, 1, 2, flags[k % 2]));
    ck_assert_int_eq(ph_write(OID, b + 100, 1, 2, OBJECT_REPLAY), E_FULL);
    ph_ok(ph_checkpoint()); /* metadata need none of it */
    ph_boot();
    ph_ok(ph_restore());
    ck_assert_int_eq(version_of(OID, b + 63), 2);
}
END_TEST

/* Of two copies of metadata: what STATFS promised shrinks by no more than what was written. */
START_TEST(test_commit__second_copies_take_nothing_of_what_was_promised)
{
    ph.options.meta_copies = 2;
    start();
    ph_ok(ph_op(OBJECT_CREATE, OID, 0, OBJECT_META));
    ph_ok(ph_op(OBJECT_CREATE, OID + 1, 0, 0));
    ph_ok(ph_op(OBJECT_STATFS, 0, 0, 0));
    uint64_t slots = ph.p->core.used_slots, promised = ph.reply.blocks, b = 0;
    for (; promised > 1; b++) {
        ph_ok(ph_write(OID + (b % 5 == 4), b, 1, 1, 0));
        ph_ok(ph_op(OBJECT_STATFS, 0, 0, 0));
        ck_assert_uint_ge(ph.reply.blocks + 1 + DATA_PER_SLOT, promised); /* a node now and then */
        promised = ph.reply.blocks;
    }
    ck_assert_uint_gt(b, ph.p->core.total_data / 2);
    ck_assert_uint_gt(ph.p->core.used_slots, slots + 50);
    ph_ok(ph_checkpoint());
    ph_boot();
    ph_ok(ph_restore());
    for (uint64_t k = 0; k < b; k++)
        ck_assert_int_eq(version_of(OID + (k % 5 == 4), k), 1);
    ph.options.meta_copies = 1;
}
END_TEST

START_TEST(test_commit__prepare_and_release_are_idempotent)
{
    start();
    ph_ok(ph_op(OBJECT_CREATE, OID, 0, 0));
    ph_ok(ph_prepare());
    uint64_t writes = rig.writes;
    ph_ok(ph_prepare());
    ck_assert_uint_eq(rig.writes, writes);
    ck_assert_int_eq(ph_op(OBJECT_CREATE, OID + 1, 0, 0), E_INVAL); /* nothing changes now */
    ph_ok(ph_release());
    ph.epoch--;
    ph_ok(ph_release());
    ph_ok(ph_op(OBJECT_CREATE, OID + 1, 0, 0));
    ph_ok(ph_checkpoint());
}
END_TEST

/* G5: logical chose the older one, since another disk lacks the newer. */
START_TEST(test_commit__a_dead_root_is_void_before_anything_else_is_written)
{
    uint8_t raw[OBJECT_ROOTS_MAX * OBJECT_ROOT_BYTES];
    start();
    ph_ok(ph_op(OBJECT_CREATE, OID, 0, 0));
    ph_ok(ph_checkpoint());
    ph_ok(ph_op(OBJECT_CREATE, OID + 1, 0, 0));
    ph_ok(ph_prepare());
    ph_boot();
    ph.session++;
    uint32_t grant = fake_grant(ph.client, raw, sizeof(raw), PLAT_GRANT_WRITE);
    struct object_request roots = {.op = OBJECT_ROOTS, .grant_data = grant};
    ph_ok(ph_call(&roots));
    ck_assert_uint_eq(ph.reply.moved, 2 * OBJECT_ROOT_BYTES); /* 3, which is dead, and 2 */
    ph_ok(ph_call(
        &(struct object_request){.op = OBJECT_ADOPT, .epoch = 2, .size = OBJECT_ADOPT_VOID}));
    rig_power_on(1);
    ph_boot();
    ph.session++;
    roots.grant_data = fake_grant(ph.client, raw, sizeof(raw), PLAT_GRANT_WRITE);
    ph_ok(ph_call(&roots));
    ck_assert_uint_eq(ph.reply.moved, OBJECT_ROOT_BYTES);
    ck_assert_int_eq(object_root_decode(&ph.root, raw), OK);
    ck_assert_uint_eq(ph.root.epoch, 2);
    ph_ok(ph_restore());
    ck_assert_int_eq(ph_op(OBJECT_GETATTR, OID + 1, 0, 0), E_NOENT);
    ph_ok(ph_op(OBJECT_GETATTR, OID, 0, 0));
}
END_TEST

START_TEST(test_commit__format_writes_little)
{
    rig_disk_init(0, 16384);
    ph_boot();
    ph_ok(ph_format());
    uint64_t bytes = 0;
    for (uint64_t s = 0; s < rig.disk[0].sectors; s++) {
        bool used = false;
        for (uint32_t k = 0; k < SECTOR_BYTES && !used; k++)
            used = rig.disk[0].medium[s * SECTOR_BYTES + k] != 0;
        bytes += used ? SECTOR_BYTES : 0;
    }
    ck_assert_uint_lt(rig.writes, 12);
    ck_assert_uint_lt(bytes, 16384);
}
END_TEST

START_TEST(test_commit__roots_are_whole_sectors_of_the_device)
{
    rig_disk_init(0, DISK_BLOCKS);
    rig.disk[0].scale = BLOCK_BYTES / SECTOR_BYTES;
    ph_boot();
    ph_ok(ph_format());
    ph_ok(ph_restore());
    ph_ok(ph_op(OBJECT_CREATE, OID, 0, 0));
    ph_ok(ph_checkpoint());
    rig_power_on(1);
    ph_boot();
    ph_ok(ph_restore());
    ph_ok(ph_op(OBJECT_GETATTR, OID, 0, 0));
}
END_TEST

CHECK_MAIN("physical commit", 120, tcase_add_test(tc, test_commit__gives_back_what_was_written);
           tcase_add_test(tc,
                          test_commit__refuses_everything_before_restore_and_of_another_session);
           tcase_add_test(tc, test_commit__keeps_old_or_new_at_every_cut_and_any_unflushed_subset);
           tcase_add_test(tc, test_commit__keeps_old_or_new_when_recovery_is_cut_too);
           tcase_add_test(tc, test_commit__reports_any_write_that_fails_or_works_around_it);
           tcase_add_test(tc, test_commit__roots_are_whole_sectors_of_the_device);
           tcase_add_test(tc, test_commit__a_freed_block_is_not_reused_before_release);
           tcase_add_test(tc, test_commit__the_reserve_serves_replay_and_repair_alone);
           tcase_add_test(tc, test_commit__second_copies_take_nothing_of_what_was_promised);
           tcase_add_test(tc, test_commit__prepare_and_release_are_idempotent);
           tcase_add_test(tc, test_commit__a_dead_root_is_void_before_anything_else_is_written);
           tcase_add_test(tc, test_commit__format_writes_little);)
