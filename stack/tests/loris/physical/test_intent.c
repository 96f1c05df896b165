/* In-place data: what a power cut leaves is whole, or named by an intent. */
#include "bytes.h"
#include "scripts/check_main.h"
#include "stack/tests/loris/physical/rig_physical.h"

#define OID 3000u
#define BLOCKS 30u

static struct object_intent intents[4096];
static uint32_t intent_count;

static void fetch_intents(void)
{
    static uint8_t raw[200 * OBJECT_INTENT_BYTES];
    uint64_t offset = 0;
    intent_count = 0;
    do {
        struct object_request request = {
            .op = OBJECT_INTENTS,
            .offset = offset,
            .length = sizeof(raw),
            .grant_data = fake_grant(ph.client, raw, sizeof(raw), PLAT_GRANT_WRITE)};
        ph_ok(ph_call(&request));
        fake_revoke(ph.client, request.grant_data);
        for (uint32_t i = 0; i < ph.reply.moved / OBJECT_INTENT_BYTES; i++)
            object_intent_decode(&intents[intent_count++], raw + (size_t)i * OBJECT_INTENT_BYTES);
        offset = ph.reply.size;
    } while (offset != 0);
}

static bool is_named(uint64_t block, uint64_t version)
{
    static uint8_t page[BLOCK_BYTES];
    rig_fill_page(page, OID, block, version);
    for (uint32_t i = 0; i < intent_count; i++)
        if (intents[i].oid == OID && intents[i].block == block && intents[i].lsn == version &&
            intents[i].crc == plat_crc32c(page, BLOCK_BYTES))
            return true;
    return false;
}

static void start(void)
{
    rig_disk_init(0, 2048);
    ph_boot();
    ph_ok(ph_format());
    ph_ok(ph_op(OBJECT_CREATE, OID, 0, 0));
    ph_ok(ph_write(OID, 0, BLOCKS, 1, 0));
    ph_ok(ph_checkpoint());
}

/* Which version the bytes of a block are, whatever its checksum says; -1: none. */
static int64_t version_on_disk(uint64_t block, uint64_t highest)
{
    static uint8_t page[BLOCK_BYTES], want[BLOCK_BYTES], raw[OBJECT_META_BYTES];
    struct object_request request = {
        .op = OBJECT_READ,
        .oid = OID,
        .offset = block * BLOCK_BYTES,
        .length = BLOCK_BYTES,
        .grant_data = fake_grant(ph.client, page, sizeof(page), PLAT_GRANT_WRITE),
        .grant_meta = fake_grant(ph.client, raw, sizeof(raw), PLAT_GRANT_WRITE)};
    (void)ph_call(&request);
    fake_revoke(ph.client, request.grant_data);
    fake_revoke(ph.client, request.grant_meta);
    for (uint64_t v = 1; v <= highest; v++) {
        rig_fill_page(want, OID, block, v);
        if (memcmp(want, page, sizeof(want)) == 0)
            return (int64_t)v;
    }
    return -1;
}

static void check_block(uint64_t block, uint64_t highest)
{
    int64_t version;
    enum err e = ph_read(OID, block, highest, &version);
    bool named = false;
    for (uint64_t v = 2; v <= highest; v++)
        named |= is_named(block, v);
    if (!named) {
        ph_ok(e); /* R3: in no intent, so it is what the checkpoint says */
        ck_assert_int_eq(version, 1);
        return;
    }
    if (e == OK)
        ck_assert_int_eq(version, 1);
    else
        ck_assert_int_eq(e, E_CORRUPT);
    int64_t there = version_on_disk(block, highest); /* or torn: nobody's version */
    ck_assert(there < 0 || there == 1 || is_named(block, (uint64_t)there));
}

START_TEST(test_intent__h25_every_block_that_differs_is_named_at_every_cut)
{
    bool fired = true;
    uint32_t differing = 0;
    for (uint64_t cut = 1; fired; cut++) {
        for (uint64_t seed = 0; seed < 10; seed++) {
            start();
            rig.writes = 0;
            rig.cut_at = cut;
            (void)ph_write(OID, 3, 10, 2, 0);
            (void)ph_write(OID, 8, 10, 3, 0); /* H25: some twice in one epoch */
            fired = rig.off;
            rig_power_on(seed);
            ph_boot();
            ph_ok(ph_restore());
            fetch_intents();
            differing += intent_count;
            for (uint64_t b = 0; b < BLOCKS; b++)
                check_block(b, 3);
        }
        ck_assert_uint_lt(cut, 50);
    }
    ck_assert_uint_gt(differing, 0);
}
END_TEST

START_TEST(test_intent__is_void_after_release)
{
    start();
    ph_ok(ph_write(OID, 3, 10, 2, 0));
    ck_assert_uint_eq(ph.reply.moved, 10);
    ph_ok(ph_checkpoint());
    ph_boot();
    ph_ok(ph_restore());
    fetch_intents();
    ck_assert_uint_eq(intent_count, 0);
    ck_assert_uint_eq(ph.root.highest_lsn, 2);
}
END_TEST

START_TEST(test_intent__an_equal_one_is_not_written_twice)
{
    start();
    ph_ok(ph_write(OID, 3, 1, 2, 0));
    uint64_t writes = rig.writes;
    ph_ok(ph_write(OID, 3, 1, 2, 0));
    ck_assert_uint_eq(rig.writes - writes, 1);
    writes = rig.writes;
    ph_ok(ph_write(OID, 3, 1, 4, 0));
    ck_assert_uint_eq(rig.writes - writes, 2);
}
END_TEST

START_TEST(test_intent__a_full_region_shadows_and_says_so_before)
{
    int64_t version;
    start();
    uint32_t said = 0, in_place = 0;
    for (uint64_t v = 2; v < 60; v++) {
        ph_ok(ph_write(OID, 0, 2, v, 0));
        said += (ph.reply.flags & OBJECT_NEED_CHECKPOINT) != 0;
        in_place += ph.reply.moved > 0;
    }
    ck_assert_uint_eq(in_place, 32); /* the region of the smallest disk */
    ck_assert_uint_gt(said, 30);
    rig_power_on(0);
    ph_boot();
    ph_ok(ph_restore());
    fetch_intents();
    ck_assert_uint_eq(intent_count, 64);
    ph_ok(ph_read(OID, 5, 1, &version));
    ck_assert_int_eq(version, 1);
}
END_TEST

START_TEST(test_intent__h18_unreadable_ones_count_as_none_and_the_rest_holds)
{
    start();
    ph_ok(ph_write(OID, 3, 1, 2, 0));
    ph_ok(ph_write(OID, 4, 1, 2, 0));
    ph_ok(ph_write(OID, 5, 1, 2, 0));
    rig_power_on(0);
    rig.disk[0].medium[(FORMAT_MARGIN + 1) * BLOCK_BYTES + 70] ^= 4; /* H18 */
    memcpy(rig.disk[0].seen, rig.disk[0].medium, rig.disk[0].sectors * SECTOR_BYTES);
    ph_boot();
    ph_ok(ph_restore());
    ck_assert_uint_gt(fake_report_count(REPORT_DETECTED), 0);
    fetch_intents();
    ck_assert_uint_eq(intent_count, 2);
    ck_assert(is_named(3, 2) && is_named(5, 2) && !is_named(4, 2));
    int64_t version;
    ck_assert_int_eq(ph_read(OID, 4, 2, &version), E_CORRUPT); /* R3: never blessed */
    ph_ok(ph_read(OID, 6, 2, &version));
    ck_assert_int_eq(version, 1);
}
END_TEST

START_TEST(test_intent__shadow_and_cow_leave_the_checkpoint_alone)
{
    int64_t version;
    start();
    ph_ok(ph_op(OBJECT_CREATE, OID + 1, 0, OBJECT_COW));
    ph_ok(ph_write(OID + 1, 0, 5, 1, 0));
    ph_ok(ph_checkpoint());
    ph_ok(ph_write(OID, 0, 5, 2, OBJECT_SHADOW));
    ck_assert_uint_eq(ph.reply.moved, 0);
    ph_ok(ph_write(OID + 1, 0, 5, 2, 0));
    ck_assert_uint_eq(ph.reply.moved, 0);
    rig_power_on(0);
    ph_boot();
    ph_ok(ph_restore());
    fetch_intents();
    ck_assert_uint_eq(intent_count, 0);
    for (uint64_t b = 0; b < 5; b++) {
        ph_ok(ph_read(OID, b, 2, &version));
        ck_assert_int_eq(version, 1);
        ph_ok(ph_read(OID + 1, b, 2, &version));
        ck_assert_int_eq(version, 1);
    }
}
END_TEST

/* data=cow: nothing that the checkpoint has is overwritten, so there is nothing to resynchronise.
 */
START_TEST(test_intent__with_data_cow_every_cut_leaves_the_checkpoint_as_it_was)
{
    bool fired = true;
    ph.options.data_cow = true;
    for (uint64_t cut = 1; fired; cut++) {
        for (uint64_t seed = 0; seed < 10; seed++) {
            start();
            rig.writes = 0;
            rig.cut_at = cut;
            (void)ph_write(OID, 3, 10, 2, 0);
            ck_assert_uint_eq(ph.reply.moved, 0);
            (void)ph_write(OID, 8, 10, 3, 0);
            ck_assert_uint_eq(ph.reply.moved, 0);
            fired = rig.off;
            rig_power_on(seed);
            ph_boot();
            ph_ok(ph_restore());
            fetch_intents();
            ck_assert_uint_eq(intent_count, 0);
            for (uint64_t b = 0; b < BLOCKS; b++)
                check_block(b, 3);
        }
        ck_assert_uint_lt(cut, 50);
    }
}
END_TEST

/* Overwrites blocks twice in one epoch, cut at each write; how many blocks are torn after restore,
 * and after another cut while it redoes them. */
static uint32_t torn_blocks(bool nested)
{
    bool fired = true;
    uint32_t torn = 0;
    for (uint64_t cut = 1; fired; cut++) {
        for (uint64_t seed = 0; seed < 12; seed++) {
            start();
            rig.writes = 0;
            rig.cut_at = cut;
            (void)ph_write(OID, 3, 10, 2, 0);
            (void)ph_write(OID, 8, 10, 3, 0);
            fired = rig.off;
            for (uint32_t turn = 0; turn < 2; turn++) {
                rig_power_on(seed + turn);
                ph_boot();
                ph_ok(ph_restore());
                rig.writes = 0;
                rig.cut_at = nested && turn == 0 ? 1 + seed % 4 : 0;
                if (rig.cut_at == 0)
                    fetch_intents();
                else
                    (void)ph_call(
                        &(struct object_request){.op = OBJECT_INTENTS, .length = 1 << 16});
            }
            for (uint64_t b = 0; b < BLOCKS; b++) {
                int64_t version = version_on_disk(b, 3);
                torn += version < 0;
                ck_assert(version == 1 || version < 0 || is_named(b, (uint64_t)version));
            }
        }
        ck_assert_uint_lt(cut, 60);
    }
    return torn;
}

START_TEST(test_intent__h25_with_doublewrite_no_cut_leaves_a_torn_block)
{
    ck_assert_uint_gt(torn_blocks(false), 20); /* else the rig tears nothing */
    ph.options.doublewrite = true;
    ck_assert_uint_eq(torn_blocks(false), 0);
    ck_assert_uint_eq(torn_blocks(true), 0);
}
END_TEST

START_TEST(test_intent__data_in_the_region_live_as_long_as_their_intents)
{
    ph.options.doublewrite = true;
    start();
    uint32_t in_place = 0;
    for (uint64_t v = 2; v < 60;
         v++) { /* ten and a half fit into 32 blocks, then all are shadowed */
        ph_ok(ph_write(OID, 0, 2, v, 0));
        in_place += ph.reply.moved;
    }
    ck_assert_uint_eq(in_place, 21);
    ph_ok(ph_checkpoint());
    for (uint64_t v = 60; v < 75; v++) /* and over the end of the ring */
        ph_ok(ph_write(OID, 10, 2, v, 0));
    rig_power_on(0);
    ph_boot();
    ph_ok(ph_restore());
    fetch_intents();
    ck_assert_uint_eq(intent_count, 21);
    uint64_t head = ph.p->core.intent_head;
    ph_ok(ph_write(OID, 12, 2, 80, 0)); /* none of the ring is left */
    ck_assert_uint_eq(ph.reply.moved, 0);
    ck_assert_uint_eq(ph.p->core.intent_head, head);
}
END_TEST

CHECK_MAIN("physical intent", 120,
           tcase_add_test(tc, test_intent__h25_every_block_that_differs_is_named_at_every_cut);
           tcase_add_test(tc, test_intent__is_void_after_release);
           tcase_add_test(tc, test_intent__an_equal_one_is_not_written_twice);
           tcase_add_test(tc, test_intent__a_full_region_shadows_and_says_so_before);
           tcase_add_test(tc, test_intent__h18_unreadable_ones_count_as_none_and_the_rest_holds);
           tcase_add_test(tc, test_intent__shadow_and_cow_leave_the_checkpoint_alone);
           tcase_add_test(tc, test_intent__h25_with_doublewrite_no_cut_leaves_a_torn_block);
           tcase_add_test(tc, test_intent__data_in_the_region_live_as_long_as_their_intents);
           tcase_add_test(tc,
                          test_intent__with_data_cow_every_cut_leaves_the_checkpoint_as_it_was);)
