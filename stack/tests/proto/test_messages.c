/*
 * What is packed comes out again, field by field, and what no honest sender makes is refused.
 */
#include "scripts/check_main.h"

#include <string.h>

#include "call.h"
#include "object.h"
#include "stack/tests/fake_platform.h"

START_TEST(test_messages__block_request_round_trip)
{
    struct block_request in = {.op = BLOCK_WRITE,
                               .fua = true,
                               .first_sector = UINT64_C(0x123456789a),
                               .count = 1024,
                               .grant = 77,
                               .fence_below = 5};
    struct block_request out;
    struct msg m;
    block_request_pack(&m, 42, &in);
    ck_assert_uint_eq(m.id, 42);
    ck_assert_int_eq(block_request_unpack(&out, &m), OK);
    ck_assert_int_eq(out.op, in.op);
    ck_assert(out.fua);
    ck_assert_uint_eq(out.first_sector, in.first_sector);
    ck_assert_uint_eq(out.count, in.count);
    ck_assert_uint_eq(out.grant, in.grant);
    ck_assert_uint_eq(out.fence_below, in.fence_below);
}
END_TEST

START_TEST(test_messages__block_request_refuses_broken_ones)
{
    struct block_request in = {.op = BLOCK_READ, .count = 1}, out;
    struct msg m;
    in.count = 0;
    block_request_pack(&m, 1, &in);
    ck_assert_int_eq(block_request_unpack(&out, &m), E_INVAL);
    in.count = 1025;
    block_request_pack(&m, 1, &in);
    ck_assert_int_eq(block_request_unpack(&out, &m), E_INVAL);
    in.count = 8;
    in.first_sector = UINT64_MAX - 3;
    block_request_pack(&m, 1, &in);
    ck_assert_int_eq(block_request_unpack(&out, &m), E_INVAL);
    in.first_sector = 0;
    block_request_pack(&m, 1, &in);
    ck_assert_int_eq(block_request_unpack(&out, &m), OK);
    m.type = PROTO_BLOCK | 9;
    ck_assert_int_eq(block_request_unpack(&out, &m), E_INVAL);
    m.type = PROTO_VFS | BLOCK_READ;
    ck_assert_int_eq(block_request_unpack(&out, &m), E_INVAL);
    m.type = PROTO_BLOCK | PROTO_REPLY | BLOCK_READ;
    ck_assert_int_eq(block_request_unpack(&out, &m), E_INVAL);
}
END_TEST

START_TEST(test_messages__object_request_round_trip)
{
    struct object_request in, out;
    struct msg m;
    memset(&in, 0, sizeof(in));
    in = (struct object_request){
        .op = OBJECT_WRITE,
        .flags = OBJECT_META | OBJECT_EXCLUSIVE,
        .oid = 1,
        .offset = 2 << 12,
        .length = 3 << 12,
        .size = 4,
        .txn = {.environment = 5, .generation = 6, .sequence = 7},
        .session = 8,
        .rev = 9,
        .lsn = 10,
        .epoch = 11,
        .grant_data = 12,
        .grant_meta = 13,
        .members = 14,
    };
    memset(in.attr, 0x5a, sizeof(in.attr));
    object_request_pack(&m, 3, &in);
    memset(&out, 0, sizeof(out));
    ck_assert_int_eq(object_request_unpack(&out, &m), OK);
    ck_assert_int_eq(memcmp(&in, &out, sizeof(in)), 0);
}
END_TEST

START_TEST(test_messages__object_request_refuses_broken_ones)
{
    struct object_request in = {.op = OBJECT_READ, .length = (1 << 20) + 1}, out;
    struct msg m;
    object_request_pack(&m, 1, &in);
    ck_assert_int_eq(object_request_unpack(&out, &m), E_INVAL);
    in.length = 4096;
    in.offset = OBJECT_SIZE_MAX;
    object_request_pack(&m, 1, &in);
    ck_assert_int_eq(object_request_unpack(&out, &m), E_INVAL);
    in.offset = UINT64_MAX - 4095; /* the sum wraps */
    object_request_pack(&m, 1, &in);
    ck_assert_int_eq(object_request_unpack(&out, &m), E_INVAL);
    in.offset = 0;
    in.flags = 2 * OBJECT_BEGINS; /* the highest */
    object_request_pack(&m, 1, &in);
    ck_assert_int_eq(object_request_unpack(&out, &m), E_INVAL);
    in.flags = 0;
    in.txn.environment = ENVIRONMENTS_MAX + 1;
    object_request_pack(&m, 1, &in);
    ck_assert_int_eq(object_request_unpack(&out, &m), E_INVAL);
    in.txn.environment = 0;
    object_request_pack(&m, 1, &in);
    ck_assert_int_eq(object_request_unpack(&out, &m), OK);
    m.type = PROTO_OBJECT | OBJECT_OP_COUNT;
    ck_assert_int_eq(object_request_unpack(&out, &m), E_INVAL);
}
END_TEST

START_TEST(test_messages__object_commit_round_trip)
{
    struct object_txn in = {.environment = 1, .generation = 2, .sequence = 3, .outer = 4}, out;
    struct object_request head;
    uint8_t result[OBJECT_RESULT_BYTES], back[OBJECT_RESULT_BYTES];
    struct msg m;
    for (uint32_t i = 0; i < sizeof(result); i++)
        result[i] = (uint8_t)i;
    object_commit_pack(&m, 9, &in, result);
    ck_assert_int_eq(object_commit_unpack(&out, back, &m), OK);
    ck_assert_uint_eq(out.sequence, 3);
    ck_assert_uint_eq(out.environment, 1);
    ck_assert_uint_eq(out.generation, 2);
    ck_assert_uint_eq(out.outer, 4);
    ck_assert_int_eq(memcmp(result, back, sizeof(result)), 0);
    ck_assert_int_eq(object_request_unpack(&head, &m), OK);
    ck_assert_int_eq(head.op, OBJECT_TXN_COMMIT);
    ck_assert_uint_eq(head.txn.sequence, 3);
}
END_TEST

START_TEST(test_messages__object_root_round_trip_and_refusal)
{
    struct object_root in, out;
    uint8_t raw[OBJECT_ROOT_BYTES];
    memset(&in, 0, sizeof(in));
    memset(&out, 0, sizeof(out));
    in.valid = true;
    in.epoch = 3;
    in.lsn = 4;
    in.rev = 5;
    in.members = 6;
    in.self = 7;
    in.pool_uuid[1] = 8;
    in.disk_uuid[0] = 9;
    in.incarnation = 10;
    in.ancestor[0] = 11;
    in.ancestor[OBJECT_ANCESTORS - 1] = 12;
    in.highest_epoch = 13;
    in.highest_lsn = 14;
    object_root_encode(raw, &in);
    ck_assert_int_eq(object_root_decode(&out, raw), OK);
    ck_assert_int_eq(memcmp(&in, &out, sizeof(in)), 0);
    raw[12] = DISKS_MAX;
    ck_assert_int_eq(object_root_decode(&out, raw), E_INVAL);
}
END_TEST

START_TEST(test_messages__object_records_round_trip)
{
    struct object_write_entry e = {1, 2, 3, 4, E_LOST, 6}, e2 = {0};
    struct object_block_meta b = {1, 2, E_CORRUPT, 1}, b2 = {0};
    struct object_intent i = {1, 2, 3, 4, 5, 6}, i2 = {0};
    uint8_t raw[64];
    object_write_entry_encode(raw, &e);
    object_write_entry_decode(&e2, raw);
    ck_assert(e2.oid == 1 && e2.block == 2 && e2.lsn == 3 && e2.crc == 4);
    ck_assert(e2.status == E_LOST && e2.flags == 6);
    object_block_meta_encode(raw, &b);
    object_block_meta_decode(&b2, raw);
    ck_assert_int_eq(memcmp(&b, &b2, sizeof(b)), 0);
    object_intent_encode(raw, &i);
    object_intent_decode(&i2, raw);
    ck_assert(i2.oid == 1 && i2.block == 2 && i2.lsn == 3 && i2.epoch == 4);
    ck_assert(i2.address == 5 && i2.crc == 6);
}
END_TEST

START_TEST(test_messages__vfs_round_trip_and_refusal)
{
    struct vfs_request in, out;
    struct vfs_reply reply, reply2;
    struct msg m;
    memset(&in, 0, sizeof(in));
    memset(&out, 0, sizeof(out));
    in = (struct vfs_request){VFS_RENAME, VFS_OPEN, VFS_SET_MODE, 1,  2,  3,  4,  5,  6,  7,  8,
                              9,          10,       11,           12, 13, 14, 15, 16, 17, 18, 19};
    vfs_request_pack(&m, 1, &in);
    ck_assert_int_eq(vfs_request_unpack(&out, &m), OK);
    ck_assert_int_eq(memcmp(&in, &out, sizeof(in)), 0);
    in.length = VFS_IO_MAX + 1;
    vfs_request_pack(&m, 1, &in);
    ck_assert_int_eq(vfs_request_unpack(&out, &m), E_INVAL);
    in.length = 0;
    in.name2_bytes = VFS_PATH_MAX + 1;
    vfs_request_pack(&m, 1, &in);
    ck_assert_int_eq(vfs_request_unpack(&out, &m), E_INVAL);
    memset(&reply, 0, sizeof(reply));
    memset(&reply2, 0, sizeof(reply2));
    reply.stat = (struct vfs_stat){1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    reply.ino2 = 12;
    reply.size = 13;
    reply.moved = 14;
    vfs_reply_pack(&m, &reply);
    vfs_reply_unpack(&reply2, &m);
    ck_assert_int_eq(memcmp(&reply, &reply2, sizeof(reply)), 0);
}
END_TEST

START_TEST(test_messages__call_round_trip_and_refusal)
{
    struct call_request in, out;
    struct call_reply reply, reply2;
    struct msg m;
    memset(&in, 0, sizeof(in));
    memset(&out, 0, sizeof(out));
    memset(&reply, 0, sizeof(reply));
    memset(&reply2, 0, sizeof(reply2));
    in = (struct call_request){CALL_OPEN, CALL_CREATE, -1, 1,  2,  3,  4,  5, 6,
                               7,         8,           9,  10, 11, 12, 13, 14};
    call_request_pack(&m, 1, &in);
    ck_assert_int_eq(call_request_unpack(&out, &m), OK);
    ck_assert_int_eq(memcmp(&in, &out, sizeof(in)), 0);
    m.type = PROTO_CALL | CALL_OP_COUNT;
    ck_assert_int_eq(call_request_unpack(&out, &m), E_INVAL);
    reply.fd = -1;
    reply.moved = 1;
    reply.size = 2;
    reply.ino2 = 3;
    reply.stat.ino = 4;
    call_reply_pack(&m, &reply);
    call_reply_unpack(&reply2, &m);
    ck_assert_int_eq(memcmp(&reply, &reply2, sizeof(reply)), 0);
}
END_TEST

START_TEST(test_messages__equal_requests_are_equal_bytes)
{
    struct vfs_request request = {.op = VFS_SYNC};
    struct msg a, b;
    memset(&a, 0x11, sizeof(a));
    memset(&b, 0x22, sizeof(b));
    vfs_request_pack(&a, 1, &request);
    vfs_request_pack(&b, 1, &request);
    ck_assert_int_eq(memcmp(&a, &b, sizeof(a)), 0);
}
END_TEST

START_TEST(test_messages__fake_crc32c_is_castagnoli)
{
    fake_reset(); /* check value of CRC-32/ISCSI over "123456789" */
    ck_assert_uint_eq(plat_crc32c("123456789", 9), 0xe3069283u);
}
END_TEST

CHECK_MAIN("messages", 20, tcase_add_test(tc, test_messages__block_request_round_trip);
           tcase_add_test(tc, test_messages__block_request_refuses_broken_ones);
           tcase_add_test(tc, test_messages__object_request_round_trip);
           tcase_add_test(tc, test_messages__object_request_refuses_broken_ones);
           tcase_add_test(tc, test_messages__object_commit_round_trip);
           tcase_add_test(tc, test_messages__object_root_round_trip_and_refusal);
           tcase_add_test(tc, test_messages__object_records_round_trip);
           tcase_add_test(tc, test_messages__vfs_round_trip_and_refusal);
           tcase_add_test(tc, test_messages__call_round_trip_and_refusal);
           tcase_add_test(tc, test_messages__equal_requests_are_equal_bytes);
           tcase_add_test(tc, test_messages__fake_crc32c_is_castagnoli);)
