/* Rot on the disk and flips in memory: noticed, never believed, never made durable. */
#include "bytes.h"
#include "scripts/check_main.h"
#include "stack/tests/loris/physical/rig_physical.h"

#define OID 4000u
#define OBJECTS 20u
#define DISK_BLOCKS 2048u

static uint8_t image[DISK_BLOCKS * BLOCK_BYTES];

static void start(void)
{
    rig_disk_init(0, DISK_BLOCKS);
    ph_boot();
    ph_ok(ph_format());
    for (uint32_t k = 0; k < OBJECTS; k++) {
        ph_ok(ph_op(OBJECT_CREATE, OID + k, k, 0));
        ph_ok(ph_write(OID + k, k, 20, 1, 0));
    }
    ph_ok(ph_checkpoint());
    memcpy(image, rig.disk[0].medium, sizeof(image));
}

static void use_image(void)
{
    memcpy(rig.disk[0].medium, image, sizeof(image));
    rig.disk[0].pendings = 0;
    rig_power_on(0);
}

/* Reads everything: each answer is right or an error. Answers how many errors. */
static uint32_t read_all(void)
{
    uint32_t errors = 0;
    int64_t version;
    for (uint32_t k = 0; k < OBJECTS; k++) {
        enum err e = ph_op(OBJECT_GETATTR, OID + k, 0, 0);
        ck_assert_msg(e == OK || e == E_CORRUPT || e == E_SESSION, "object %u: %d", k, e);
        ck_assert(e != OK || ph.reply.size == k);
        errors += e != OK;
        for (uint64_t b = 0; b < 21; b += 4) {
            e = ph_read(OID + k, k + b, 1, &version);
            ck_assert_msg(e == OK || e == E_CORRUPT || e == E_SESSION, "read: %d", e);
            ck_assert(e != OK || version == (b < 20 ? 1 : 0));
            errors += e != OK;
        }
    }
    return errors;
}

START_TEST(test_rot__of_any_block_is_an_error_and_never_wrong_data)
{
    uint32_t noticed = 0;
    start();
    for (uint64_t block = 0; block < DISK_BLOCKS; block++) {
        bool used = false;
        for (uint32_t k = 0; k < BLOCK_BYTES && !used; k++)
            used = image[block * BLOCK_BYTES + k] != 0;
        if (!used)
            continue;
        use_image();
        uint32_t at = (uint32_t)(block * 37 % BLOCK_BYTES);
        if (block < FORMAT_MARGIN || block >= DISK_BLOCKS - FORMAT_MARGIN)
            at = 41; /* inside a root */
        rig.disk[0].seen[block * BLOCK_BYTES + at] ^= (uint8_t)(1u << block % 8);
        ph_boot();
        enum err e = ph_restore();
        ck_assert_msg(e == OK || e == E_CORRUPT, "block %lu: %d", (unsigned long)block, e);
        noticed += read_all() > 0;
    }
    ck_assert_uint_gt(noticed, 110); /* each block that read_all looks at */
}
END_TEST

/* What one sector of metadata says is said once more elsewhere on the disk. */
START_TEST(test_rot__of_any_metadata_is_mended_from_its_second_copy)
{
    uint32_t mended = 0;
    ph.options.meta_copies = 2;
    start();
    for (uint64_t block = ph.p->layout.group_first; block < ph.p->layout.group_end; block++) {
        const uint8_t *was = image + block * BLOCK_BYTES;
        if (get_le32(was) != UINT32_C(0x314d524c) || !phys_layout_is_slot(&ph.p->layout, block))
            continue;
        for (uint32_t kind = 0; kind < 2; kind++) {
            use_image();
            if (kind == 0)
                rig.disk[0].seen[block * BLOCK_BYTES + block * 37 % BLOCK_BYTES] ^= 1;
            rig.disk[0].bad_sector = 8 * block + block % 8;
            rig.disk[0].bad_sectors = kind;
            ph_boot();
            ph_ok(ph_restore());
            ck_assert_uint_eq(read_all(), 0);
            if (fake_report_count(REPORT_REPAIR) == 0)
                continue; /* of a tree that is no more, or not looked at */
            ck_assert_uint_gt(fake_report_count(REPORT_DETECTED), 0);
            mended++;
            rig.disk[0].bad_sectors = 0;
            ck_assert_mem_eq(rig.disk[0].seen + block * BLOCK_BYTES, was, BLOCK_BYTES);
        }
    }
    ck_assert_uint_gt(mended, 40);
    rig.disk[0].bad_sectors = 0;
    ph.options.meta_copies = 1;
}
END_TEST

START_TEST(test_rot__of_a_second_copy_is_found_by_a_scrub)
{
    ph.options.meta_copies = 2;
    start();
    uint64_t place = phys_layout_second(&ph.p->layout, ph.p->node[0]->address);
    rig.disk[0].seen[place * BLOCK_BYTES + 99] ^= 1;
    ph_ok(ph_call(&(struct object_request){.op = OBJECT_VERIFY}));
    ck_assert_uint_eq(ph.reply.moved, 1);
    ph_ok(ph_checkpoint());
    ph_ok(ph_call(&(struct object_request){.op = OBJECT_VERIFY}));
    ck_assert_uint_eq(ph.reply.moved, 0);
    ph.options.meta_copies = 1;
}
END_TEST

/* A write of one copy that fails, for good, moves nothing and loses nothing. */
START_TEST(test_rot__one_copy_that_cannot_be_written_is_enough)
{
    ph.options.meta_copies = 2;
    for (uint32_t which = 0; which < 2; which++) {
        rig_disk_init(0, DISK_BLOCKS);
        ph_boot();
        ph_ok(ph_format());
        uint64_t map = phys_layout_twin(&ph.p->layout, ph.p->layout.group_first);
        rig.disk[0].bad_sector = 8 * (which == 0 ? map : phys_layout_second(&ph.p->layout, map));
        rig.disk[0].bad_sectors = 1;
        rig.disk[0].bad_for_writes = true;
        ph_ok(ph_op(OBJECT_CREATE, OID, 0, 0));
        ph_ok(ph_write(OID, 0, 20, 1, 0));
        ph_ok(ph_checkpoint());
        ck_assert_uint_eq(fake_report_count(REPORT_DETECTED), 1);
        ph_boot();
        ph_ok(ph_restore());
        int64_t version;
        ph_ok(ph_read(OID, 5, 1, &version));
        ck_assert_int_eq(version, 1);
    }
    rig_disk_init(0, DISK_BLOCKS);
    ph.options.meta_copies = 1;
}
END_TEST

START_TEST(test_rot__of_one_root_copy_is_survived)
{
    start();
    for (uint32_t slot = 0; slot < 2; slot++)
        for (uint32_t copy = 0; copy < 2; copy++) {
            use_image();
            uint64_t sector = phys_layout_root_sector(&ph.p->layout, slot, copy);
            rig.disk[0].seen[sector * SECTOR_BYTES + 100] ^= 1;
            ph_boot();
            ph_ok(ph_restore());
            ck_assert_uint_eq(ph.epoch, 2);
            ck_assert_uint_eq(read_all(), 0);
        }
}
END_TEST

START_TEST(test_rot__unreadable_and_misplaced_blocks_are_errors)
{
    int64_t version;
    start();
    ph_boot();
    ph_ok(ph_restore());
    rig.disk[0].bad_sector = phys_layout_root_sector(&ph.p->layout, 0, 0);
    rig.disk[0].bad_sectors = 1;
    ph_ok(ph_restore());
    rig.disk[0].bad_sectors = 0;
    ck_assert_uint_eq(read_all(), 0);
    /* Every data block unreadable. */
    rig.disk[0].bad_sector = 8 * (ph.p->layout.group_first + 248);
    rig.disk[0].bad_sectors = 8 * 1400;
    uint32_t noticed = fake_report_count(REPORT_DETECTED);
    ck_assert_int_eq(ph_read(OID, 0, 1, &version), E_MEDIA);
    ck_assert_uint_eq(fake_report_count(REPORT_DETECTED), noticed + 1);
    rig.disk[0].bad_sectors = 0;
    ph_ok(ph_read(OID, 0, 1, &version));
}
END_TEST

START_TEST(test_rot__repair_mends_a_leaf_a_node_and_a_block)
{
    int64_t version;
    for (uint32_t kind = 0; kind < 2; kind++) {
        start();
        use_image();
        uint32_t rotted = 0;
        for (uint64_t b = ph.p->layout.group_first; b < ph.p->layout.group_end; b++) {
            uint8_t *raw = rig.disk[0].seen + b * BLOCK_BYTES;
            bool leaf = get_le16(raw + 6) == TYPE_LEAF && get_le64(raw + 32) > 0;
            bool node = get_le16(raw + 6) == TYPE_NODE && get_le64(raw + 24) == OID;
            if (get_le32(raw) == UINT32_C(0x314d524c) && (kind == 0 ? leaf : node)) {
                raw[200] ^= 1;
                rotted++;
            }
        }
        ck_assert_uint_gt(rotted, 0);
        ph_boot();
        ph_ok(ph_restore());
        ck_assert_int_eq(ph_read(OID, 19, 1, &version), E_CORRUPT);
        ph_ok(ph_op(OBJECT_CREATE, OID, 7, OBJECT_REPAIR));
        ck_assert_int_ne(ph_read(OID, 19, 1, &version), OK); /* lost, not a hole */
        ph_ok(ph_op(OBJECT_TRUNCATE, OID, 7, 0));            /* what cannot be read goes */
        ck_assert_int_eq(ph_read(OID, 19, 1, &version), E_LOST);
        ph_ok(ph_write(OID, 0, 20, 1, OBJECT_REPAIR));
        ph_ok(ph_read(OID, 19, 1, &version));
        ck_assert_int_eq(version, 1);
        ph_ok(ph_op(OBJECT_SETATTR, OID, 7, OBJECT_REPAIR));
        ph_ok(ph_checkpoint());
        ph_boot();
        ph_ok(ph_restore());
        for (uint64_t b = 0; b < 20; b++) {
            ph_ok(ph_read(OID, b, 1, &version));
            ck_assert_int_eq(version, 1);
        }
    }
}
END_TEST

START_TEST(test_rot__blocks_marked_lost_say_so_until_written)
{
    int64_t version;
    start();
    ph_ok(ph_write(OID, 2, 3, 1, OBJECT_LOST_BLOCKS));
    ck_assert_int_eq(ph_read(OID, 3, 1, &version), E_LOST);
    ph_ok(ph_checkpoint());
    ph_boot();
    ph_ok(ph_restore());
    ck_assert_int_eq(ph_read(OID, 4, 1, &version), E_LOST);
    ph_ok(ph_write(OID, 4, 1, 1, 0));
    ph_ok(ph_read(OID, 4, 1, &version));
}
END_TEST

/* Flips one bit of what the process keeps about the disk. */
static void flip(uint64_t *state)
{
    struct physical *p = ph.p;
    uint8_t *base;
    size_t bytes;
    uint32_t n = (uint32_t)(rig_random(state) % p->nodes);
    switch (rig_random(state) % 4) {
    case 0:
        base = (uint8_t *)&p->core;
        bytes = sizeof(p->core);
        break;
    case 1:
        base = p->group[0].last;
        bytes = BLOCK_BYTES - FORMAT_HEAD_BYTES;
        break;
    default:
        base = p->node[n]->raw;
        bytes = BLOCK_BYTES;
    }
    base[rig_random(state) % bytes] ^= (uint8_t)(1u << rig_random(state) % 8);
}

START_TEST(test_rot__a_flip_in_memory_crashes_and_is_never_made_durable)
{
    uint64_t state = 99;
    uint32_t crashes = 0;
    int64_t version;
    for (uint32_t n = 0; n < 400; n++) {
        start();
        (void)read_all();
        ph_ok(ph_write(OID + n % OBJECTS, 100, 20, 2, OBJECT_SHADOW));
        flip(&state);
        (void)ph_write(OID + 3, 50, 5, 2, 0);
        (void)ph_op(OBJECT_DELETE, OID + 4, 0, 0);
        enum err e = ph_checkpoint();
        bool crashed = fake_crash()[0] != '\0';
        crashes += crashed;
        ck_assert_msg(e == OK || crashed, "%d", e);
        ph_boot();
        ph_ok(ph_restore());
        for (uint32_t k = 0; k < OBJECTS; k++) {
            enum err r = ph_op(OBJECT_GETATTR, OID + k, 0, 0);
            ck_assert(r == OK || (k == 4 && r == E_NOENT));
            if (r != OK)
                continue;
            for (uint64_t b = 0; b < 20; b += 7) {
                ph_ok(ph_read(OID + k, k + b, 1, &version));
                ck_assert_int_eq(version, 1);
            }
        }
    }
    ck_assert_uint_gt(crashes, 50);
}
END_TEST

static uint32_t wait_left;

static void flip_in_wait(void)
{
    static uint64_t state = 4711;
    if (wait_left > 0 && --wait_left == 0)
        flip(&state);
}

/* Most of the time passes in waits: a flip there must not be taken for a change. */
START_TEST(test_rot__a_flip_while_waiting_for_the_disk_is_never_made_durable)
{
    uint32_t crashes = 0;
    int64_t version;
    for (uint32_t n = 0; n < 600; n++) {
        start();
        (void)read_all();
        rig.during = flip_in_wait;
        wait_left = 1 + n % 25;
        (void)ph_write(OID + 3, 50, 5, 2, 0);
        (void)ph_write(OID + 5, 5, 3, 1, 0);
        (void)ph_op(OBJECT_DELETE, OID + 4, 0, 0);
        enum err e = ph_checkpoint();
        if (e == OK) {
            (void)ph_write(OID + 3, 50, 5, 3, 0);
            e = ph_checkpoint();
        }
        bool crashed = fake_crash()[0] != '\0';
        crashes += crashed;
        ck_assert_msg(e == OK || crashed, "%d", e);
        wait_left = 0;
        ph_boot();
        ph_ok(ph_restore());
        for (uint32_t k = 0; k < OBJECTS; k++) {
            enum err r = ph_op(OBJECT_GETATTR, OID + k, 0, 0);
            ck_assert(r == OK || (k == 4 && r == E_NOENT));
            for (uint64_t b = 0; r == OK && b < 20; b += 3) {
                ck_assert_int_eq(ph_read(OID + k, k + b, 1, &version), OK);
                ck_assert_int_eq(version, 1);
            }
        }
    }
    ck_assert_uint_gt(crashes, 100);
}
END_TEST

/* What ROOTS found waits in memory until the other disks have answered too. */
START_TEST(test_rot__a_flip_in_what_was_found_crashes_before_it_is_adopted)
{
    uint8_t raw[OBJECT_ROOTS_MAX * OBJECT_ROOT_BYTES];
    uint64_t state = 7;
    for (uint32_t n = 0; n < 60; n++) {
        start();
        ph_boot();
        ph.session++;
        struct object_request roots = {
            .op = OBJECT_ROOTS,
            .grant_data = fake_grant(ph.client, raw, sizeof(raw), PLAT_GRANT_WRITE)};
        ph_ok(ph_call(&roots));
        ck_assert_int_eq(object_root_decode(&ph.root, raw), OK);
        uint8_t *found = (uint8_t *)ph.p->found;
        found[rig_random(&state) % sizeof(ph.p->found)] ^= (uint8_t)(1u << n % 8);
        uint64_t writes = rig.writes;
        (void)ph_call_with_root(&(struct object_request){
            .op = OBJECT_ADOPT, .epoch = ph.root.epoch, .size = OBJECT_ADOPT_LOAD});
        ck_assert(fake_crash()[0] != '\0');
        ck_assert_uint_eq(rig.writes, writes);
    }
}
END_TEST

CHECK_MAIN("physical rot", 120,
           tcase_add_test(tc, test_rot__of_any_block_is_an_error_and_never_wrong_data);
           tcase_add_test(tc, test_rot__of_any_metadata_is_mended_from_its_second_copy);
           tcase_add_test(tc, test_rot__of_a_second_copy_is_found_by_a_scrub);
           tcase_add_test(tc, test_rot__one_copy_that_cannot_be_written_is_enough);
           tcase_add_test(tc, test_rot__of_one_root_copy_is_survived);
           tcase_add_test(tc, test_rot__unreadable_and_misplaced_blocks_are_errors);
           tcase_add_test(tc, test_rot__repair_mends_a_leaf_a_node_and_a_block);
           tcase_add_test(tc, test_rot__blocks_marked_lost_say_so_until_written);
           tcase_add_test(tc, test_rot__a_flip_in_memory_crashes_and_is_never_made_durable);
           tcase_add_test(tc, test_rot__a_flip_while_waiting_for_the_disk_is_never_made_durable);
           tcase_add_test(tc, test_rot__a_flip_in_what_was_found_crashes_before_it_is_adopted);)
