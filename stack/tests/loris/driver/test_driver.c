/*
 * The driver on the fake device: order, queue, fence, errors.
 */
#include "scripts/check_main.h"

#include <string.h>

#include "block.h"
#include "stack/tests/fake_platform.h"

#define SECTORS 1024u

static uint8_t medium[SECTORS * SECTOR_BYTES];
static uint8_t data[64 * SECTOR_BYTES];
static uint32_t client;

static void start(uint32_t depth, bool automatic)
{
    struct boot boot = {.layer = LAYER_DRIVER};
    fake_reset();
    memset(medium, 0, sizeof(medium));
    for (uint32_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 13 + 1);
    fake_disk(medium, SECTORS, depth, automatic);
    fake_boot(driver_main, &boot);
    ck_assert_int_eq(fake_run(), FAKE_IDLE);
    ck_assert(fake_is_ready());
    client = fake_client(LAYER_PHYSICAL, 0);
}

static void send(enum block_op op, uint32_t id, uint64_t first, uint32_t count, uint32_t grant)
{
    struct block_request r = {.op = op, .first_sector = first, .count = count, .grant = grant};
    struct msg m;
    block_request_pack(&m, id, &r);
    fake_request(client, &m);
}

static int32_t status_of_next(uint32_t id)
{
    struct msg m;
    ck_assert(fake_take_reply(client, &m));
    ck_assert_uint_eq(m.id, id);
    ck_assert((m.type & PROTO_REPLY) != 0);
    return m.status;
}

START_TEST(test_driver__writes_and_reads)
{
    uint8_t back[8 * SECTOR_BYTES];
    start(4, true);
    uint32_t g = fake_grant(client, data, sizeof(back), PLAT_GRANT_READ);
    uint32_t h = fake_grant(client, back, sizeof(back), PLAT_GRANT_WRITE);
    send(BLOCK_WRITE, 1, 16, 8, g);
    send(BLOCK_READ, 2, 16, 8, h);
    send(BLOCK_FLUSH, 3, 0, 0, 0);
    ck_assert_int_eq(fake_run(), FAKE_IDLE);
    for (uint32_t id = 1; id <= 3; id++)
        ck_assert_int_eq(status_of_next(id), OK);
    ck_assert_int_eq(memcmp(back, data, sizeof(back)), 0);
    ck_assert_int_eq(memcmp(medium + 16 * SECTOR_BYTES, data, sizeof(back)), 0);
    ck_assert_uint_eq(fake_disk_flushes(), 1);
}
END_TEST

START_TEST(test_driver__keeps_order_when_the_device_is_full)
{
    start(2, false);
    uint32_t g = fake_grant(client, data, sizeof(data), PLAT_GRANT_READ);
    for (uint32_t id = 1; id <= 20; id++)
        send(id % 5 == 0 ? BLOCK_FLUSH : BLOCK_WRITE, id, id, 1, g);
    ck_assert_int_eq(fake_run(), FAKE_IDLE);
    for (uint32_t id = 1; id <= 20; id++) {
        ck_assert_uint_le(fake_disk_queued(), 2);
        ck_assert_uint_ge(fake_disk_queued(), 1);
        ck_assert_int_eq(fake_disk_peek(0)->op, id % 5 == 0 ? DISK_FLUSH : DISK_WRITE);
        fake_disk_complete(0, OK);
        ck_assert_int_eq(fake_run(), FAKE_IDLE);
        ck_assert_int_eq(status_of_next(id), OK);
    }
    ck_assert_uint_eq(fake_disk_queued(), 0);
}
END_TEST

START_TEST(test_driver__answers_out_of_order_as_the_device_completes)
{
    start(4, false);
    uint32_t g = fake_grant(client, data, sizeof(data), PLAT_GRANT_READ);
    send(BLOCK_WRITE, 1, 0, 1, g);
    send(BLOCK_WRITE, 2, 8, 1, g);
    ck_assert_int_eq(fake_run(), FAKE_IDLE);
    fake_disk_complete(1, E_MEDIA);
    ck_assert_int_eq(fake_run(), FAKE_IDLE);
    ck_assert_int_eq(status_of_next(2), E_MEDIA);
    fake_disk_complete(0, OK);
    ck_assert_int_eq(fake_run(), FAKE_IDLE);
    ck_assert_int_eq(status_of_next(1), OK);
}
END_TEST

START_TEST(test_driver__h14_after_a_fence_nothing_earlier_moves_or_is_answered)
{
    struct msg m;
    start(2, false);
    uint32_t g = fake_grant(client, data, sizeof(data), PLAT_GRANT_READ);
    for (uint32_t id = 1; id <= 5; id++)
        send(BLOCK_WRITE, id, id, 1, g);
    send(BLOCK_FENCE, 6, 0, 0, 0);
    ck_assert_int_eq(fake_run(), FAKE_IDLE);
    ck_assert_int_eq(status_of_next(6), OK);
    ck_assert(!fake_take_reply(client, &m));
    ck_assert_uint_eq(fake_disk_queued(), 0);
    ck_assert_uint_eq(fake_disk_aborts(), 1);
    ck_assert_uint_eq(fake_probe_hits(PROBE_DRIVER_FENCE), 1);
    send(BLOCK_WRITE, 7, 9, 1, g); /* and it goes on serving */
    ck_assert_int_eq(fake_run(), FAKE_IDLE);
    fake_disk_complete(0, OK);
    ck_assert_int_eq(fake_run(), FAKE_IDLE);
    ck_assert_int_eq(status_of_next(7), OK);
}
END_TEST

START_TEST(test_driver__refuses_what_an_earlier_instance_of_the_client_sent)
{
    start(4, false);
    uint32_t older = client;
    uint32_t g = fake_grant(older, data, sizeof(data), PLAT_GRANT_READ);
    client = fake_client(LAYER_PHYSICAL, 0); /* kills the older */
    send(BLOCK_FENCE, 1, 0, 0, 0);
    client = older;
    send(BLOCK_WRITE, 2, 0, 1, g);
    send(BLOCK_FENCE, 3, 0, 0, 0); /* must not become the fencer */
    send(BLOCK_WRITE, 4, 0, 1, g);
    ck_assert_int_eq(fake_run(), FAKE_IDLE);
    ck_assert_uint_eq(fake_disk_queued(), 0);
    ck_assert_uint_eq(fake_disk_aborts(), 1);
}
END_TEST

START_TEST(test_driver__refuses_ranges_beyond_the_end)
{
    start(4, true);
    uint32_t g = fake_grant(client, data, sizeof(data), PLAT_GRANT_READ);
    send(BLOCK_WRITE, 1, SECTORS, 1, g);
    send(BLOCK_WRITE, 2, SECTORS - 1, 2, g);
    send(BLOCK_WRITE, 3, UINT64_MAX - 8, 1, g);
    send(BLOCK_WRITE, 4, SECTORS - 1, 1, g);
    send(BLOCK_WRITE, 5, 0, 1, 0x77777777); /* no such grant */
    ck_assert_int_eq(fake_run(), FAKE_IDLE);
    for (uint32_t id = 1; id <= 3; id++)
        ck_assert_int_eq(status_of_next(id), E_INVAL);
    ck_assert_int_eq(status_of_next(4), OK);
    ck_assert_int_eq(status_of_next(5), E_INVAL);
}
END_TEST

START_TEST(test_driver__identify_tells_size_and_resets_and_death)
{
    struct block_identity identity;
    struct block_request r = {.op = BLOCK_IDENTIFY};
    struct msg m;
    start(4, true);
    fake_disk_set(3, false);
    block_request_pack(&m, 1, &r);
    ck_assert(fake_call(client, &m));
    ck_assert_int_eq(m.status, OK);
    block_identity_unpack(&identity, &m);
    ck_assert_uint_eq(identity.sectors, SECTORS);
    ck_assert_uint_eq(identity.resets, 3);
    fake_disk_set(3, true);
    block_request_pack(&m, 2, &r);
    ck_assert(fake_call(client, &m));
    ck_assert_int_eq(m.status, E_DEAD);
    send(BLOCK_FLUSH, 3, 0, 0, 0);
    ck_assert_int_eq(fake_run(), FAKE_IDLE);
    ck_assert_int_eq(status_of_next(3), E_DEAD);
}
END_TEST

START_TEST(test_driver__survives_garbage)
{
    struct msg m;
    start(4, true);
    for (uint32_t i = 0; i < 2000; i++) {
        memset(&m, (int)(i * 37), sizeof(m));
        m.type = i * 2654435761u >> 16;
        m.id = i + 1;
        if (m.type != MSG_NOTIFY)
            fake_request(client, &m);
        ck_assert_int_eq(fake_run(), FAKE_IDLE);
        while (fake_take_reply(client, &m))
            ck_assert(m.status != OK || PROTO_OPERATION(m.type) >= BLOCK_FLUSH);
    }
}
END_TEST

START_TEST(test_driver__answers_tell_of_a_reset)
{
    struct msg m;
    uint32_t resets;
    start(4, true);
    uint32_t g = fake_grant(client, data, SECTOR_BYTES, PLAT_GRANT_READ);
    for (uint32_t id = 1; id <= 3; id++) {
        fake_disk_set(id, false);
        send(BLOCK_WRITE, id, 0, 1, g);
        ck_assert_int_eq(fake_run(), FAKE_IDLE);
        ck_assert(fake_take_reply(client, &m));
        ck_assert_int_eq(m.status, OK);
        ck_assert(block_resets_unpack(&resets, &m));
        ck_assert_uint_eq(resets, id);
    }
    send(BLOCK_FENCE, 9, 0, 0, 0);
    ck_assert_int_eq(fake_run(), FAKE_IDLE);
    ck_assert(fake_take_reply(client, &m));
    ck_assert(!block_resets_unpack(&resets, &m));
}
END_TEST

/* It was away for a moment: what it had acknowledged and not flushed is gone. */
START_TEST(test_driver__no_flush_is_ok_after_a_reset_until_a_fence)
{
    start(4, true);
    send(BLOCK_FLUSH, 1, 0, 0, 0);
    ck_assert_int_eq(fake_run(), FAKE_IDLE);
    ck_assert_int_eq(status_of_next(1), OK);
    fake_disk_set(1, false);
    for (uint32_t id = 2; id < 4; id++) {
        send(BLOCK_FLUSH, id, 0, 0, 0);
        ck_assert_int_eq(fake_run(), FAKE_IDLE);
        ck_assert_int_eq(status_of_next(id), E_DEAD);
    }
    send(BLOCK_FENCE, 4, 0, 0, 0);
    send(BLOCK_FLUSH, 5, 0, 0, 0);
    ck_assert_int_eq(fake_run(), FAKE_IDLE);
    ck_assert_int_eq(status_of_next(4), OK);
    ck_assert_int_eq(status_of_next(5), OK);
}
END_TEST

CHECK_MAIN("driver", 30, tcase_add_test(tc, test_driver__writes_and_reads);
           tcase_add_test(tc, test_driver__keeps_order_when_the_device_is_full);
           tcase_add_test(tc, test_driver__answers_out_of_order_as_the_device_completes);
           tcase_add_test(tc, test_driver__h14_after_a_fence_nothing_earlier_moves_or_is_answered);
           tcase_add_test(tc, test_driver__refuses_what_an_earlier_instance_of_the_client_sent);
           tcase_add_test(tc, test_driver__refuses_ranges_beyond_the_end);
           tcase_add_test(tc, test_driver__identify_tells_size_and_resets_and_death);
           tcase_add_test(tc, test_driver__answers_tell_of_a_reset);
           tcase_add_test(tc, test_driver__no_flush_is_ok_after_a_reset_until_a_fence);
           tcase_add_test(tc, test_driver__survives_garbage);)
