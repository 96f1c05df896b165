/* Hazards of one disk, by their numbers in stack/loris/INVARIANTS.md. */
#include "bytes.h"
#include "scripts/check_main.h"
#include "stack/tests/loris/physical/rig_physical.h"

#define DISK_BLOCKS 2048u
#define OID 6000u
#define OBJECTS 30u

static uint64_t oid_of(uint32_t k)
{
    return OID + 40 * (uint64_t)k; /* each in a leaf of its own */
}

static void boot(uint32_t pool)
{
    ph_boot();
    ph.p->nodes_max = pool;
}

static void write_all(uint64_t version)
{
    for (uint32_t k = 0; k < OBJECTS; k++) {
        (void)ph_write(oid_of(k), 0, 1, version, 0);
        (void)ph_write(oid_of(k), 3000, 1, version, 0);
    }
}

/* Objects whose trees have two levels, at version 1 in checkpoint 2, at version 2 in checkpoint 3:
 * so both places of their metadata have been written. */
static void start(uint32_t pool, uint32_t versions)
{
    rig_disk_init(0, DISK_BLOCKS);
    boot(pool);
    ph_ok(ph_format());
    for (uint32_t k = 0; k < OBJECTS; k++)
        ph_ok(ph_op(OBJECT_CREATE, oid_of(k), 0, OBJECT_META));
    for (uint64_t v = 1; v <= versions; v++) {
        write_all(v);
        ph_ok(ph_checkpoint());
    }
}

/* Reads everything: `version` or an error, never another version. Answers the errors. */
static uint32_t read_all(int64_t want)
{
    uint32_t errors = 0;
    for (uint32_t k = 0; k < OBJECTS; k++)
        for (uint64_t b = 0; b <= 3000; b += 3000) {
            int64_t version;
            enum err e = ph_read(oid_of(k), b, 9, &version);
            ck_assert_msg(e != OK || version == want, "object %u: version %ld", k, (long)version);
            errors += e != OK;
        }
    return errors;
}

/* ---- H16 ------------------------------------------------------------------------------------- */

/* How many writes the next checkpoint has, found by making it. */
static uint64_t count_writes(uint32_t versions)
{
    start(NODES_MAX, versions);
    rig.writes = 0;
    write_all(versions + 1);
    ph_ok(ph_prepare());
    return rig.writes;
}

START_TEST(test_hazards__h16_a_checkpoint_that_the_disk_lost_is_not_prepared)
{
    start(NODES_MAX, 1);
    rig.writes = 0;
    rig.lose_at = 1;
    rig.loses = 1000000;
    write_all(2);
    ck_assert_int_eq(ph_prepare(), E_MEDIA); /* read back: the root is not there */
    rig.lose_at = 0;
    rig_power_on(0);
    boot(NODES_MAX);
    ph_ok(ph_restore());
    ck_assert_uint_eq(ph.epoch, 2);
    ck_assert_uint_eq(read_all(1), 0);
}
END_TEST

START_TEST(test_hazards__h16_a_root_whose_tree_was_lost_never_gives_old_data)
{
    uint64_t writes = count_writes(2);
    ck_assert_uint_gt(writes, 30);
    start(NODES_MAX, 2); /* where version 3 should be, version 1 lies */
    rig.writes = 0;
    rig.lose_at = 1;
    rig.loses = writes - 2; /* all but the two copies of the root */
    write_all(3);
    ph_ok(ph_checkpoint());
    boot(NODES_MAX);
    enum err e = ph_restore();
    ck_assert_msg(e == OK || e == E_CORRUPT, "%d", e);
    if (e == OK)
        ck_assert_uint_eq(read_all(3), 2 * OBJECTS);
}
END_TEST

/* ---- H17 ------------------------------------------------------------------------------------- */

static uint8_t image[DISK_BLOCKS * BLOCK_BYTES];

static bool is_metadata(uint64_t block, uint64_t epoch)
{
    const uint8_t *raw = image + block * BLOCK_BYTES;
    return get_le32(raw) == UINT32_C(0x314d524c) && get_le16(raw + 6) != TYPE_INTENT &&
           get_le64(raw + 40) == epoch;
}

START_TEST(test_hazards__h17_a_bad_metadata_block_is_an_error_and_its_twin_is_not_used)
{
    uint32_t blocks = 0, noticed = 0;
    start(NODES_MAX, 2);
    memcpy(image, rig.disk[0].medium, sizeof(image));
    struct layout layout = ph.p->layout;
    for (uint64_t block = layout.group_first; block < layout.group_end; block++) {
        if (!is_metadata(block, 3))
            continue;
        for (uint32_t both = 0; both < 2; both++) {
            memcpy(rig.disk[0].medium, image, sizeof(image));
            rig.disk[0].pendings = 0;
            rig.disk[0].medium[block * BLOCK_BYTES + 80 + block % 4000] ^= 1;
            if (both == 1)
                rig.disk[0].medium[phys_layout_twin(&layout, block) * BLOCK_BYTES + 90] ^= 1;
            rig_power_on(0);
            boot(NODES_MAX);
            enum err e = ph_restore();
            ck_assert(e == OK || e == E_CORRUPT);
            noticed += e == OK ? read_all(2) > 0 : 1;
        }
        blocks++;
    }
    ck_assert_uint_gt(blocks, OBJECTS);
    ck_assert_uint_ge(noticed, 2 * (blocks - 1)); /* all but the map, which reading does not need */
}
END_TEST

/* ---- H26 ------------------------------------------------------------------------------------- */

/* The process dies when the first copy of root 3 is in the drive's cache; the next instance reads
 * roots; then the power goes, and with it all that was not flushed. */
START_TEST(test_hazards__h26_a_root_that_restore_has_read_survives_the_power)
{
    uint8_t raw[OBJECT_ROOTS_MAX * OBJECT_ROOT_BYTES];
    uint64_t writes = count_writes(1);
    start(NODES_MAX, 1);
    rig.writes = 0;
    rig.cut_at = writes - 1;
    write_all(2);
    ck_assert_int_ne(ph_prepare(), OK);
    rig.off = false; /* the power stayed: only the process is gone */
    rig.cut_at = 0;
    boot(NODES_MAX);
    ph.session++;
    struct object_request roots = {.op = OBJECT_ROOTS,
                                   .grant_data =
                                       fake_grant(ph.client, raw, sizeof(raw), PLAT_GRANT_WRITE)};
    ph_ok(ph_call(&roots));
    ck_assert_int_eq(object_root_decode(&ph.root, raw), OK);
    ck_assert_uint_eq(ph.root.epoch, 3);
    rig_power_on(1);
    boot(NODES_MAX);
    ph_ok(ph_restore());
    ck_assert_uint_eq(ph.epoch, 3);
    ck_assert_uint_eq(read_all(2), 0);
}
END_TEST

/* ---- H31 ------------------------------------------------------------------------------------- */

/* Evicts, fails to prepare, is taken back, evicts again; the power goes at write `cut` of it. */
static bool evict_and_cut(uint64_t cut, uint64_t seed)
{
    start(24, 1);
    rig.writes = 0;
    rig.cut_at = cut;
    write_all(2);
    write_all(3); /* each leaf is evicted more than once in this epoch */
    rig.disk[0].bad_write = true;
    (void)ph_prepare();
    rig.disk[0].bad_write = false;
    if (!rig.off) {
        ph_ok(ph_restore());
        ck_assert_uint_eq(ph.epoch, 2);
        write_all(4);
        write_all(5);
    }
    bool fired = rig.off;
    rig_power_on(seed);
    return fired;
}

START_TEST(test_hazards__h31_no_eviction_touches_the_released_tree)
{
    bool fired = true;
    uint64_t cut = 1;
    for (; fired; cut += 7) {
        for (uint64_t seed = 0; seed < 3; seed++) {
            fired = evict_and_cut(cut, seed);
            boot(NODES_MAX);
            ph_ok(ph_restore());
            ck_assert_uint_eq(ph.epoch, 2);
            ck_assert_uint_eq(read_all(1), 0);
        }
        ck_assert_uint_lt(cut, 5000);
    }
    ck_assert_uint_gt(cut, 100);
}
END_TEST

/* ---- H32 ------------------------------------------------------------------------------------- */

static enum err walk(uint64_t epoch)
{
    uint8_t raw[OBJECT_ROOTS_MAX * OBJECT_ROOT_BYTES];
    boot(64); /* a small pool: the tree does not fit */
    ph.session++;
    struct object_request roots = {.op = OBJECT_ROOTS,
                                   .grant_data =
                                       fake_grant(ph.client, raw, sizeof(raw), PLAT_GRANT_WRITE)};
    ph_ok(ph_call(&roots));
    ph.root.epoch = epoch;
    return ph_call_with_root(
        &(struct object_request){.op = OBJECT_ADOPT, .epoch = epoch, .size = OBJECT_ADOPT_WALK});
}

START_TEST(test_hazards__h32_walking_a_tree_finds_any_bad_block_of_it)
{
    uint32_t blocks = 0;
    start(NODES_MAX, 2);
    memcpy(image, rig.disk[0].medium, sizeof(image));
    struct layout layout = ph.p->layout;
    ph_ok(walk(2));
    ph_ok(walk(3));
    for (uint64_t block = layout.group_first; block < layout.group_end; block++) {
        if (!is_metadata(block, 2))
            continue;
        memcpy(rig.disk[0].medium, image, sizeof(image));
        rig.disk[0].pendings = 0;
        rig.disk[0].medium[block * BLOCK_BYTES + 70 + block % 4000] ^= 8;
        rig_power_on(0);
        ck_assert_int_eq(walk(2), E_CORRUPT);
        ph_ok(walk(3));
        blocks++;
    }
    ck_assert_uint_gt(blocks, 3 * OBJECTS);
}
END_TEST

/* ---- Voided roots ---------------------------------------------------------------------------- */

START_TEST(test_hazards__a_dead_root_whose_voiding_is_lost_is_voided_again)
{
    uint8_t raw[OBJECT_ROOTS_MAX * OBJECT_ROOT_BYTES];
    for (uint64_t lost = 1; lost <= 2; lost++) {
        start(NODES_MAX, 1);
        write_all(2);
        ph_ok(ph_prepare()); /* root 3, which logical finds dead */
        boot(NODES_MAX);
        ph.session++;
        struct object_request roots = {
            .op = OBJECT_ROOTS,
            .grant_data = fake_grant(ph.client, raw, sizeof(raw), PLAT_GRANT_WRITE)};
        ph_ok(ph_call(&roots));
        rig.writes = 0;
        rig.lose_at = lost;
        ph_ok(ph_call(
            &(struct object_request){.op = OBJECT_ADOPT, .epoch = 2, .size = OBJECT_ADOPT_VOID}));
        ck_assert_uint_ge(rig.writes, 3);
        boot(NODES_MAX);
        ph_ok(ph_restore());
        ck_assert_uint_eq(ph.epoch, 2);
        ck_assert_uint_eq(read_all(1), 0);
    }
}
END_TEST

CHECK_MAIN(
    "physical hazards", 120,
    tcase_add_test(tc, test_hazards__h16_a_checkpoint_that_the_disk_lost_is_not_prepared);
    tcase_add_test(tc, test_hazards__h16_a_root_whose_tree_was_lost_never_gives_old_data);
    tcase_add_test(tc, test_hazards__h17_a_bad_metadata_block_is_an_error_and_its_twin_is_not_used);
    tcase_add_test(tc, test_hazards__h26_a_root_that_restore_has_read_survives_the_power);
    tcase_add_test(tc, test_hazards__h32_walking_a_tree_finds_any_bad_block_of_it);
    tcase_add_test(tc, test_hazards__h32_walking_a_tree_finds_any_bad_block_of_it);
    tcase_add_test(tc, test_hazards__h31_no_eviction_touches_the_released_tree);
    tcase_add_test(tc, test_hazards__a_dead_root_whose_voiding_is_lost_is_voided_again);)
