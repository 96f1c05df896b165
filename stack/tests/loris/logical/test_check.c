/* The checker of the raw disks against real ones: content with what the stack leaves, not with
 * damage; and the bytes of a small pool, pinned. */
#include "scripts/check_main.h"
#include "stack/tests/loris/logical/rig_check.h"

#define DIR 1100u
#define FILE_A 1200u
#define GOLDEN_0 2664513141u
#define GOLDEN_1 1931301188u

static void expect_damage(void)
{
    run_check();
    ck_assert(!verdict.ok && verdict.damages > 0 && verdict.text[0] != '\0');
}

/* Random operations; checkpoints in between. */
static void work(uint64_t seed, uint32_t steps)
{
    uint64_t state = seed;
    for (uint32_t n = 0; n < steps && !rig.off; n++) {
        uint64_t oid = 1200 + rig_random(&state) % 30;
        uint32_t first = (uint32_t)(rig_random(&state) % 300);
        uint32_t count = 1 + (uint32_t)(rig_random(&state) % 20);
        switch (rig_random(&state) % 8) {
        case 0:
            (void)pool_op(OBJECT_DELETE, oid, 0, 0);
            break;
        case 1:
            (void)pool_op(OBJECT_TRUNCATE, oid, (uint64_t)first * BLOCK_BYTES, 0);
            break;
        case 2:
            (void)pool_checkpoint();
            break;
        default:
            (void)pool_op(OBJECT_CREATE, oid, 0, oid % 4 == 0 ? OBJECT_META : 0);
            (void)pool_write(oid, first, count, n, 0);
        }
    }
}

START_TEST(test_check__is_content_with_what_the_stack_leaves)
{
    static const struct {
        uint32_t disks, raid, meta_copies;
    } pools[] = {{1, 0, 1}, {2, 1, 1}, {3, 1, 1},          {4, 0, 1}, {3, 4, 1}, {3, 5, 1},
                 {5, 5, 1}, {4, 6, 1}, {3, RAID_N_WAY, 1}, {1, 0, 2}, {2, 1, 2}, {3, 5, 2}};
    for (uint32_t k = 0; k < sizeof(pools) / sizeof(pools[0]); k++) {
        pool.meta_copies = pools[k].meta_copies;
        for (uint64_t seed = 1; seed < 4; seed++) {
            pool_make(pools[k].disks, pools[k].raid, 4096, 4 * BLOCK_BYTES);
            expect_sound();
            work(seed, 150);
            pool_ok(pool_checkpoint());
            expect_sound();
            /* At rest nothing leaks either. */
            for (uint64_t oid = 1200; oid < 1230; oid++)
                (void)pool_op(OBJECT_DELETE, oid, 0, 0);
            pool_ok(pool_checkpoint());
            expect_sound();
        }
    }
    pool.meta_copies = 1;
}
END_TEST

START_TEST(test_check__is_content_after_cuts_and_recovery)
{
    for (uint64_t seed = 1; seed < 120; seed++) {
        pool.meta_copies = seed % 5 > 2 ? 2 : 1;
        if (seed % 4 == 3)
            pool_make(4, seed % 8 == 3 ? 5 : 6, 2048, 2 * BLOCK_BYTES);
        else
            pool_make(seed % 3 == 0 ? 3 : 2, 1, 2048, 0);
        work(seed, 40);
        rig.writes = 0;
        rig.cut_at = 1 + seed * 7 % 60;
        work(seed + 1000, 60);
        rig_power_on(seed);
        run_check(); /* as the cut left it: every block that differs is named by an intent */
        ck_assert_msg(verdict.ok, "seed %lu: %s", (unsigned long)seed, verdict.text);
        pool_boot(false);
        pool_ok(pool_restore(true));
        work(seed + 2000, 10);
        pool_ok(pool_checkpoint());
        expect_sound();
    }
    pool.meta_copies = 1;
}
END_TEST

/* The newest of the two places that such a block may be at. */
static uint64_t find_head(uint32_t disk, uint32_t type, uint64_t owner)
{
    uint64_t best = 0, epoch = 0;
    for (uint64_t b = 0; b < rig.disk[disk].sectors / 8; b++) {
        const uint8_t *raw = rig.disk[disk].medium + b * BLOCK_BYTES;
        if (memcmp(raw, "LRM1", 4) != 0 || get_le16(raw + 6) != type ||
            get_le64(raw + 24) != owner || get_le64(raw + 40) <= epoch)
            continue;
        best = b;
        epoch = get_le64(raw + 40);
    }
    ck_assert_uint_ne(best, 0);
    return best;
}

static void small_pool(uint32_t disks, uint32_t raid)
{
    pool_make(disks, raid, 2048, 4 * BLOCK_BYTES);
    pool_ok(pool_op(OBJECT_CREATE, DIR, 5, OBJECT_META));
    pool_ok(pool_op(OBJECT_CREATE, FILE_A, 6, 0));
    pool_ok(pool_write(DIR, 0, 3, 1, 0));
    pool_ok(pool_write(FILE_A, 0, raid < 4 ? 20 : 60, 1, 0)); /* more than fit in an inode */
    pool_ok(pool_checkpoint());
    expect_sound();
}

static uint8_t *at_block(uint32_t disk, uint64_t block)
{
    return rig.disk[disk].medium + block * BLOCK_BYTES;
}

/* Content of the pool of small_pool, each block of it or how many errors. */
static uint32_t count_lost(void)
{
    uint32_t lost = 0;
    int64_t version[20];
    pool_boot(false);
    if (pool_restore(true) != OK)
        return UINT32_MAX;
    pool_ok(pool_read(DIR, 0, 3, 1, version));
    for (uint32_t k = 0; k < 3; k++)
        lost += version[k] != 1;
    if (pool_read(FILE_A, 0, 20, 1, version) != OK)
        return UINT32_MAX;
    for (uint32_t k = 0; k < 20; k++) {
        ck_assert(version[k] == 1 || version[k] < 0);
        lost += version[k] != 1;
    }
    return lost;
}

/* One disk, nothing beside it: what any one sector takes with it is a block of a file at most. */
START_TEST(test_check__h17_with_two_copies_no_sector_takes_more_than_its_file_block)
{
    static uint8_t image[2048 * BLOCK_BYTES];
    uint32_t files = 0, mended = 0;
    pool.meta_copies = 2;
    small_pool(1, 0);
    memcpy(image, rig.disk[0].medium, sizeof(image));
    for (uint64_t block = 0; block < 2048; block++) {
        if (image[block * BLOCK] == 0 &&
            memcmp(image + block * BLOCK, image + block * BLOCK + 1, BLOCK - 1) == 0)
            continue;
        memcpy(rig.disk[0].medium, image, sizeof(image));
        at_block(0, block)[41] ^= 1;
        rig_power_on(0);
        run_check();
        uint32_t lost = count_lost();
        ck_assert_msg(lost <= 1 && verdict.ok == (lost == 0), "block %lu: %u lost, %s",
                      (unsigned long)block, lost, verdict.text);
        files += lost;
        mended += fake_report_count(REPORT_REPAIR) > 0 ? 1 : 0;
    }
    ck_assert_uint_eq(files, 20);
    ck_assert_uint_gt(mended, 8); /* map, leaves, nodes, mapping, directory */
    pool.meta_copies = 1;
}
END_TEST

/* The newest inode leaf, and its second copy. */
START_TEST(test_check__sees_metadata_of_which_both_copies_are_bad)
{
    pool.meta_copies = 2;
    small_pool(1, 0);
    uint64_t leaf = find_head(0, TYPE_LEAF, 0);
    for (uint64_t b = 0; b < 2048; b++) {
        if (b == leaf || memcmp(at_block(0, b), at_block(0, leaf), BLOCK) != 0)
            continue;
        at_block(0, b)[200] ^= 1;
        run_check();
        ck_assert_msg(verdict.ok, "%s", verdict.text);
        at_block(0, leaf)[200] ^= 1;
        expect_damage();
        pool.meta_copies = 1;
        return;
    }
    ck_abort_msg("there is one copy only");
}
END_TEST

/* Makes every block from a changed node up to the roots valid again, on one disk: as a bug of the
 * stack would. Only for nodes whose parent is the inode leaf. */
static void recommit(uint32_t disk, uint64_t node)
{
    uint64_t leaf = 0, upper = 0;
    uint8_t *raw = at_block(disk, node);
    for (uint64_t b = 0; b < rig.disk[disk].sectors / 8; b++) {
        uint8_t *l = at_block(disk, b);
        if (memcmp(l, "LRM1", 4) != 0 || get_le16(l + 6) != 1)
            continue;
        for (uint32_t k = HEAD; k + 16 <= BLOCK; k += 16)
            if ((get_le64(l + k) & 0xffffffffffff) == node) {
                put_le32(l + k + 8, loris_crc(raw, BLOCK));
                leaf = b;
            }
    }
    ck_assert_uint_ne(leaf, 0);
    for (uint64_t b = 0; b < rig.disk[disk].sectors / 8; b++) {
        uint8_t *u = at_block(disk, b);
        if (memcmp(u, "LRM1", 4) != 0 || get_le16(u + 6) != 2 || get_le64(u + 24) != 0)
            continue;
        for (uint32_t k = HEAD; k + 16 <= BLOCK; k += 16)
            if ((get_le64(u + k) & 0xffffffffffff) == leaf) {
                put_le32(u + k + 8, loris_crc(at_block(disk, leaf), BLOCK));
                upper = b;
            }
    }
    for (uint64_t b = 0; b < rig.disk[disk].sectors / 8; b++) {
        uint8_t *r = at_block(disk, b);
        uint64_t top = upper != 0 ? upper : leaf;
        if (memcmp(r, "LRR1", 4) != 0 || (get_le64(r + 280) & 0xffffffffffff) != top)
            continue;
        put_le32(r + 288, loris_crc(at_block(disk, top), BLOCK));
        put_le32(r + 508, loris_crc(r, 508));
    }
}

START_TEST(test_check__sees_rot_that_nothing_mends)
{
    static const uint32_t types[] = {1, 2};
    small_pool(1, 0);
    for (uint32_t k = 0; k < 2; k++) {
        uint64_t b = find_head(0, types[k], types[k] == 2 ? FILE_A : 0);
        at_block(0, b)[3000] ^= 1;
        at_block(0, b)[80] ^= 1;
        expect_damage();
        at_block(0, b)[80] ^= 1;
        at_block(0, b)[3000] ^= 1;
        expect_sound();
    }
    /* One copy of two is no damage. */
    small_pool(2, 1);
    at_block(1, find_head(1, 2, FILE_A))[90] ^= 1;
    run_check();
    ck_assert_msg(verdict.ok, "%s", verdict.text);
    at_block(0, find_head(0, 2, FILE_A))[90] ^= 1;
    expect_damage();
}
END_TEST

START_TEST(test_check__sees_a_block_used_twice)
{
    small_pool(1, 0);
    uint64_t node = find_head(0, 2, FILE_A);
    memcpy(at_block(0, node) + HEAD, at_block(0, node) + HEAD + 16, 16);
    recommit(0, node);
    expect_damage();
}
END_TEST

START_TEST(test_check__sees_a_pointer_out_of_place)
{
    small_pool(1, 0);
    uint64_t node = find_head(0, 2, FILE_A);
    put_le64(at_block(0, node) + HEAD, 3);
    recommit(0, node);
    expect_damage();
}
END_TEST

START_TEST(test_check__sees_a_used_block_that_is_free_and_counts_leaks)
{
    small_pool(1, 0);
    uint64_t map = find_head(0, 3, 2);
    uint8_t *bits = at_block(0, map) + HEAD;
    const uint8_t *node = at_block(0, find_head(0, 2, FILE_A));
    uint64_t first = 16 + 32; /* of the only group */
    uint64_t bit = (get_le64(node + HEAD) & 0xffffffffffff) - first;
    uint8_t mask = (uint8_t)(1u << bit % 8);
    ck_assert((bits[bit / 8] & mask) != 0);
    bits[bit / 8] &= (uint8_t)~mask;
    recommit(0, map);
    expect_damage();
    bits[bit / 8] |= mask;
    bits[bit / 8 + 10] |= mask;
    recommit(0, map);
    run_check();
    ck_assert(verdict.ok);
    ck_assert_uint_eq(verdict.leaked_blocks, 1);
}
END_TEST

START_TEST(test_check__sees_a_block_that_is_younger_than_its_parent)
{
    small_pool(1, 0);
    uint64_t node = find_head(0, 2, FILE_A);
    uint8_t *birth = at_block(0, node) + HEAD + 12;
    put_le32(birth, get_le32(birth) + 1);
    recommit(0, node);
    expect_damage();
}
END_TEST

START_TEST(test_check__sees_bits_of_a_map_that_stand_for_nothing)
{
    small_pool(1, 0);
    uint64_t map = find_head(0, 3, 2);
    uint32_t blocks = 2048 - 16 - 16 - 32;               /* of the only group */
    at_block(0, map)[HEAD + (blocks - 1) / 8] |= 1 << 4; /* in zone B */
    recommit(0, map);
    expect_damage();
}
END_TEST

/* Sets a byte of an entry of the mapping, the same on both disks. */
static void set_entry(uint64_t oid, uint32_t at, uint8_t value)
{
    for (uint32_t k = 0; k < 2; k++) {
        uint64_t node = find_head(k, 2, 1);
        uint8_t *pointer = at_block(k, node) + HEAD + 16 * (oid / 64);
        uint8_t *page = at_block(k, get_le64(pointer) & 0xffffffffffff);
        uint8_t *e = page + oid % 64 * ENTRY;
        ck_assert_uint_eq(get_le64(e), oid);
        e[at] = value;
        put_le32(e + 60, loris_crc(e, 60));
        put_le32(pointer + 8, loris_crc(page, BLOCK));
        recommit(k, node);
    }
}

START_TEST(test_check__sees_an_entry_with_a_disk_twice_or_none_such)
{
    static const uint8_t wrong[] = {0, DISKS_MAX, 255};
    for (uint32_t k = 0; k < 3; k++) {
        small_pool(2, 1);
        set_entry(FILE_A, 16, 0);
        set_entry(FILE_A, 17, 1);
        expect_sound();
        set_entry(FILE_A, 17, wrong[k]);
        expect_damage();
        ck_assert_ptr_nonnull(strstr(verdict.text, "the entry"));
    }
}
END_TEST

START_TEST(test_check__sees_intents_in_a_wrong_place_of_the_ring)
{
    small_pool(1, 0);
    pool_ok(pool_write(FILE_A, 0, 5, 2, 0)); /* in place */
    rig_power_on(0);
    run_check();
    ck_assert_msg(verdict.ok, "%s", verdict.text);
    uint8_t *raw = at_block(0, 16);
    ck_assert_uint_eq(get_le16(raw + 6), 4);
    put_le64(raw + 32, get_le64(raw + 32) + 1);
    put_le32(raw + 12, 0);
    put_le32(raw + 12, loris_crc(raw, BLOCK));
    expect_damage();
}
END_TEST

START_TEST(test_check__sees_copies_that_differ)
{
    small_pool(2, 1);
    uint64_t node = find_head(1, 2, FILE_A);
    uint8_t *p = at_block(1, node) + HEAD + 32;
    uint8_t *data = at_block(1, get_le64(p) & 0xffffffffffff);
    data[7] ^= 1;
    run_check();
    ck_assert(verdict.ok); /* bad, and mended by the other */
    put_le32(p + 8, loris_crc(data, BLOCK));
    recommit(1, node);
    expect_damage(); /* sound, and different */
}
END_TEST

/* Every slot of a row in turn: whoever differs, data or parity, the row does not match. */
START_TEST(test_check__sees_parity_that_does_not_match)
{
    static const uint32_t raids[] = {4, 5, 6};
    for (uint32_t n = 0; n < 3; n++)
        for (uint32_t disk = 0; disk < 4; disk++) {
            small_pool(4, raids[n]);
            uint64_t node = find_head(disk, 2, FILE_A);
            uint8_t *p = at_block(disk, node) + HEAD + 32;
            uint8_t *data = at_block(disk, get_le64(p) & 0xffffffffffff);
            data[7] ^= 1;
            run_check();
            ck_assert(verdict.ok); /* bad, and worked out from the others */
            put_le32(p + 8, loris_crc(data, BLOCK));
            recommit(disk, node);
            expect_damage();
        }
}
END_TEST

START_TEST(test_check__sees_more_bad_blocks_than_parity_stands_in_for)
{
    for (uint32_t bears = 1; bears < 3; bears++) {
        small_pool(4, bears == 1 ? 5 : 6);
        for (uint32_t disk = 0; disk <= bears; disk++) {
            const uint8_t *p = at_block(disk, find_head(disk, 2, FILE_A)) + HEAD + 32;
            at_block(disk, get_le64(p) & 0xffffffffffff)[7] ^= 1;
            run_check();
            ck_assert(verdict.ok == (disk < bears));
        }
    }
}
END_TEST

START_TEST(test_check__sees_a_pool_without_a_root)
{
    small_pool(1, 0);
    for (uint64_t b = 4; b <= 8; b += 4) {
        at_block(0, b)[50] ^= 1;
        at_block(0, 2048 - b)[50] ^= 1;
    }
    expect_damage();
}
END_TEST

/* Rots every inode leaf of these objects on a disk, and the map of its only group. */
static void rot_leaves(uint32_t disk, uint64_t first, uint64_t last, bool map)
{
    for (uint64_t b = 0; b < rig.disk[disk].sectors / 8; b++) {
        uint8_t *raw = at_block(disk, b);
        if (memcmp(raw, "LRM1", 4) != 0)
            continue;
        uint64_t index = get_le64(raw + 32);
        bool leaf = get_le16(raw + 6) == 1 && index >= first / INODES && index <= last / INODES;
        if (leaf || (map && get_le16(raw + 6) == 3))
            raw[100] ^= 1;
    }
    memcpy(rig.disk[disk].seen, rig.disk[disk].medium, rig.disk[disk].sectors * SECTOR_BYTES);
}

static void many_objects(void)
{
    pool_make(2, 1, 2048, 0);
    for (uint64_t oid = 1200; oid < 1245; oid++) {
        pool_ok(pool_op(OBJECT_CREATE, oid, 4 * BLOCK_BYTES, 0));
        pool_ok(pool_write(oid, 0, 4, 1, 0));
    }
    pool_ok(pool_checkpoint());
    expect_sound();
}

/* A leaf that is made anew has lost its other objects; the next leaf may be bad too. */
START_TEST(test_check__h17_objects_that_shared_bad_leaves_are_all_made_anew)
{
    many_objects();
    rot_leaves(1, 1200, 1229, false);
    pool_boot(false);
    pool_ok(pool_restore(true));
    pool_ok(pool_op(OBJECT_SETATTR, 1201, 4 * BLOCK_BYTES, 0));
    pool_ok(pool_checkpoint());
    ck_assert_uint_eq(fake_report_count(REPORT_DEGRADED), 0);
    run_check();
    ck_assert_msg(verdict.ok, "%s", verdict.text);
    ck_assert_uint_eq(verdict.leaked_blocks, 30 * 4); /* nobody knows where their blocks were */
}
END_TEST

/* Without its map a disk takes no new blocks: what was in the bad leaves cannot be made anew. */
START_TEST(test_check__h17_a_disk_that_cannot_be_mended_does_not_count)
{
    many_objects();
    rot_leaves(1, 1200, 1214, true);
    pool_boot(false);
    pool_ok(pool_restore(true));
    int64_t version;
    for (uint64_t b = 0; b <= 256; b += 256) /* each of the disks is asked first */
        pool_ok(pool_read(1203, b, 1, 1, &version));
    pool_ok(pool_checkpoint());
    run_check();
    ck_assert_msg(verdict.ok, "%s", verdict.text);
}
END_TEST

/* A change of these numbers is a change of the format: version, FORMAT.md, checker. */
START_TEST(test_check__the_bytes_of_a_small_pool_are_pinned)
{
    small_pool(2, 1);
    pool.meta_copies = 1;
    ck_assert_uint_eq(loris_crc(rig.disk[0].medium, 2048 * BLOCK), GOLDEN_0);
    ck_assert_uint_eq(loris_crc(rig.disk[1].medium, 2048 * BLOCK), GOLDEN_1);
}
END_TEST

CHECK_MAIN("loris check", 120,
           tcase_add_test(tc, test_check__is_content_with_what_the_stack_leaves);
           tcase_add_test(tc, test_check__is_content_after_cuts_and_recovery);
           tcase_add_test(tc,
                          test_check__h17_with_two_copies_no_sector_takes_more_than_its_file_block);
           tcase_add_test(tc, test_check__sees_metadata_of_which_both_copies_are_bad);
           tcase_add_test(tc, test_check__sees_rot_that_nothing_mends);
           tcase_add_test(tc, test_check__sees_a_block_used_twice);
           tcase_add_test(tc, test_check__sees_a_pointer_out_of_place);
           tcase_add_test(tc, test_check__sees_a_used_block_that_is_free_and_counts_leaks);
           tcase_add_test(tc, test_check__sees_a_block_that_is_younger_than_its_parent);
           tcase_add_test(tc, test_check__sees_bits_of_a_map_that_stand_for_nothing);
           tcase_add_test(tc, test_check__sees_an_entry_with_a_disk_twice_or_none_such);
           tcase_add_test(tc, test_check__sees_intents_in_a_wrong_place_of_the_ring);
           tcase_add_test(tc, test_check__sees_copies_that_differ);
           tcase_add_test(tc, test_check__sees_parity_that_does_not_match);
           tcase_add_test(tc, test_check__sees_more_bad_blocks_than_parity_stands_in_for);
           tcase_add_test(tc, test_check__sees_a_pool_without_a_root);
           tcase_add_test(tc, test_check__h17_objects_that_shared_bad_leaves_are_all_made_anew);
           tcase_add_test(tc, test_check__h17_a_disk_that_cannot_be_mended_does_not_count);
           tcase_add_test(tc, test_check__the_bytes_of_a_small_pool_are_pinned);)
