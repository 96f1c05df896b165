/* With doublewrite: which version of a block is written again from the region of intents. */
#include "scripts/check_main.h"
#include "stack/tests/loris/physical/rig_physical.h"

#define OID 3000u
#define BLOCKS 30u
#define BLOCK 7u

static uint8_t page[BLOCK_BYTES];

/* Where the disk has these bytes last; NULL: nowhere. */
static uint8_t *find_on_disk(uint64_t version)
{
    struct rig_disk *d = &rig.disk[0];
    rig_fill_page(page, OID, BLOCK, version);
    for (uint64_t at = d->sectors / 8; at-- > 0;)
        if (memcmp(d->medium + at * BLOCK_BYTES, page, BLOCK_BYTES) == 0)
            return d->medium + at * BLOCK_BYTES;
    return NULL;
}

/* Version 1 is in the checkpoint, 2 and 3 were written over it; all is stable. */
static void start(void)
{
    ph.options.doublewrite = true;
    rig_disk_init(0, 2048);
    ph_boot();
    ph_ok(ph_format());
    ph_ok(ph_op(OBJECT_CREATE, OID, 0, 0));
    ph_ok(ph_write(OID, 0, BLOCKS, 1, 0));
    ph_ok(ph_checkpoint());
    for (uint64_t version = 2; version <= 3; version++) {
        ph_ok(ph_write(OID, BLOCK, 1, version, 0));
        ck_assert_uint_eq(ph.reply.moved, 1);
    }
    ph_ok(ph_op(OBJECT_FLUSH, 0, 0, 0));
}

/* The data of so many of the newest intents cannot be read any more. */
static void spoil_region(uint32_t versions)
{
    const struct layout *l = &ph.p->layout;
    uint64_t data = ph.p->core.intent_head - 1; /* of version 3; that of 2 is two before */
    uint64_t first = data - 2 * (versions - 1);
    ck_assert_uint_lt(data, l->intent_blocks);
    rig.disk[0].bad_sector = (l->intent_first + first) * 8;
    rig.disk[0].bad_sectors = versions == 0 ? 0 : (data - first + 1) * 8;
}

static void restart(void)
{
    static uint8_t raw[1 << 16];
    rig_power_on(0);
    ph_boot();
    ph_ok(ph_restore());
    struct object_request request = {.op = OBJECT_INTENTS,
                                     .length = sizeof(raw),
                                     .grant_data =
                                         fake_grant(ph.client, raw, sizeof(raw), PLAT_GRANT_WRITE)};
    ph_ok(ph_call(&request));
    fake_revoke(ph.client, request.grant_data);
}

START_TEST(test_redo__h25_a_block_that_is_whole_by_its_newest_intent_is_left_alone)
{
    for (uint32_t spoiled = 0; spoiled < 2; spoiled++) {
        start();
        spoil_region(spoiled);
        uint8_t *at = find_on_disk(3);
        restart();
        rig_fill_page(page, OID, BLOCK, 3);
        ck_assert_int_eq(memcmp(at, page, BLOCK_BYTES), 0);
        ck_assert_uint_eq(fake_report_count(REPORT_REPAIR), 0);
    }
}
END_TEST

/* Version 3, or 2 if the data of 3 cannot be read. */
START_TEST(test_redo__h25_a_torn_block_becomes_the_newest_version_that_can_be_read)
{
    for (uint32_t spoiled = 0; spoiled < 2; spoiled++) {
        start();
        spoil_region(spoiled);
        uint8_t *at = find_on_disk(3);
        ck_assert_ptr_nonnull(at);
        memset(at + SECTOR_BYTES, 0x5a, SECTOR_BYTES);
        memcpy(rig.disk[0].seen, rig.disk[0].medium, rig.disk[0].sectors * SECTOR_BYTES);
        restart();
        rig_fill_page(page, OID, BLOCK, 3 - spoiled);
        ck_assert_int_eq(memcmp(rig.disk[0].seen + (at - rig.disk[0].medium), page, BLOCK_BYTES),
                         0);
        ck_assert_uint_eq(fake_report_count(REPORT_REPAIR), 1);
    }
}
END_TEST

CHECK_MAIN("physical redo", 60,
           tcase_add_test(tc,
                          test_redo__h25_a_block_that_is_whole_by_its_newest_intent_is_left_alone);
           tcase_add_test(tc,
                          test_redo__h25_a_torn_block_becomes_the_newest_version_that_can_be_read);)
