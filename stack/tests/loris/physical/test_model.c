/* Random operations against a model in memory, with restarts, cuts and small pools. */
#include "scripts/check_main.h"
#include "stack/tests/loris/physical/rig_physical.h"

#define OBJECTS 24u
#define SPOTS 40u /* blocks an object uses, spread widely */
#define CASES 60u
#define STEPS 250u

struct model_object {
    bool exists;
    uint64_t size;
    uint64_t version[SPOTS]; /* 0: a hole */
};

struct model {
    struct model_object object[OBJECTS];
};

static struct model now;
static uint64_t versions;
static uint32_t pool;

static uint64_t oid_of(uint32_t k)
{
    static const uint64_t far[4] = {1024, 60000, 1000003, 77};
    return k < 20 ? 1100 + k : far[k - 20];
}

/* From dense beginnings to the end of the largest object. */
static uint64_t block_of(uint32_t spot)
{
    static const uint64_t far[10] = {252,      2268,      2269,      63503,     571536,
                                     16003008, 144027071, 144027072, 268435455, 300};
    return spot < 30 ? spot : far[spot - 30];
}

static void check_object(uint32_t k, uint64_t *state)
{
    const struct model_object *o = &now.object[k];
    int64_t version;
    enum err e = ph_op(OBJECT_GETATTR, oid_of(k), 0, 0);
    ck_assert_int_eq(e, o->exists ? OK : E_NOENT);
    if (!o->exists)
        return;
    ck_assert_uint_eq(ph.reply.size, o->size);
    for (uint32_t n = 0; n < 6; n++) {
        uint32_t spot = (uint32_t)(rig_random(state) % SPOTS);
        uint64_t v = o->version[spot];
        ph_ok(ph_read(oid_of(k), block_of(spot), 0, &version));
        if (v == 0) {
            ck_assert_int_eq(version, 0);
            continue;
        }
        static uint8_t want[BLOCK_BYTES];
        rig_fill_page(want, oid_of(k), block_of(spot), v);
        ck_assert_int_eq(version, -1);
        static uint8_t got[BLOCK_BYTES], raw[OBJECT_META_BYTES];
        struct object_request request = {
            .op = OBJECT_READ,
            .oid = oid_of(k),
            .offset = block_of(spot) * BLOCK_BYTES,
            .length = BLOCK_BYTES,
            .grant_data = fake_grant(ph.client, got, sizeof(got), PLAT_GRANT_WRITE),
            .grant_meta = fake_grant(ph.client, raw, sizeof(raw), PLAT_GRANT_WRITE)};
        ph_ok(ph_call(&request));
        fake_revoke(ph.client, request.grant_data);
        fake_revoke(ph.client, request.grant_meta);
        ck_assert_int_eq(memcmp(want, got, sizeof(want)), 0);
    }
}

static void step_write(uint32_t k, uint64_t *state)
{
    struct model_object *o = &now.object[k];
    uint32_t spot = (uint32_t)(rig_random(state) % SPOTS);
    uint32_t count = spot < 30 ? 1 + (uint32_t)(rig_random(state) % (30 - spot)) : 1;
    uint64_t v = ++versions;
    enum err e = ph_write(oid_of(k), block_of(spot), count, v, 0);
    ck_assert_int_eq(e, o->exists ? OK : E_NOENT);
    for (uint32_t n = 0; n < count && o->exists; n++)
        o->version[spot + n] = v;
}

static void step_truncate(uint32_t k, uint64_t *state)
{
    struct model_object *o = &now.object[k];
    uint32_t spot = (uint32_t)(rig_random(state) % SPOTS);
    uint64_t first = block_of(spot);
    enum err e = ph_call(&(struct object_request){.op = OBJECT_TRUNCATE,
                                                  .oid = oid_of(k),
                                                  .size = first * BLOCK_BYTES,
                                                  .offset = first * BLOCK_BYTES});
    ck_assert_int_eq(e, o->exists ? OK : E_NOENT);
    if (!o->exists)
        return;
    o->size = first * BLOCK_BYTES;
    for (uint32_t n = 0; n < SPOTS; n++)
        if (block_of(n) >= first)
            o->version[n] = 0;
}

static void step(uint64_t *state)
{
    uint32_t k = (uint32_t)(rig_random(state) % OBJECTS);
    struct model_object *o = &now.object[k];
    uint32_t flags = k % 3 == 0 ? OBJECT_META : 0;
    switch (rig_random(state) % 12) {
    case 0:
        ck_assert_int_eq(ph_op(OBJECT_DELETE, oid_of(k), 0, 0), o->exists ? OK : E_NOENT);
        *o = (struct model_object){.exists = false};
        break;
    case 1:
        step_truncate(k, state);
        break;
    case 2:
        check_object(k, state);
        break;
    case 3:
        if (rig_random(state) % 2 == 0)
            ph_ok(ph_checkpoint());
        break;
    case 4:
        if (rig_random(state) % 8 == 0) {
            ph_ok(ph_checkpoint()); /* what is not in a checkpoint may be half there */
            ph_boot();
            ph.p->nodes_max = pool;
            ph_ok(ph_restore());
        }
        break;
    default:
        if (!o->exists) {
            ph_ok(ph_op(OBJECT_CREATE, oid_of(k), 0, flags));
            o->exists = true;
        }
        step_write(k, state);
    }
}

START_TEST(test_model__every_operation_agrees_with_the_model)
{
    for (uint64_t seed = 1; seed <= CASES; seed++) {
        uint64_t state = seed;
        rig_disk_init(0, seed % 2 == 0 ? 4096 : 40000);
        pool = seed % 3 == 0 ? NODES_MAX : 64; /* blocks are evicted, dirty ones too */
        ph.options.meta_copies = seed % 5 == 0 ? 2 : 1;
        ph_boot();
        ph.p->nodes_max = pool;
        ph_ok(ph_format());
        memset(&now, 0, sizeof(now));
        for (uint32_t n = 0; n < STEPS; n++)
            step(&state);
        for (uint32_t k = 0; k < OBJECTS; k++)
            check_object(k, &state);
        ph_ok(ph_checkpoint());
        ph_boot();
        ph_ok(ph_restore());
        for (uint32_t k = 0; k < OBJECTS; k++)
            check_object(k, &state);
        uint64_t oid = 0;
        for (uint32_t seen = 0;; seen++) { /* and NEXT lists exactly what there is */
            enum err e = ph_op(OBJECT_NEXT, oid, 0, 0);
            if (e == E_NOENT)
                break;
            ph_ok(e);
            oid = ph.reply.oid + 1;
            ck_assert_uint_lt(seen, OBJECTS);
        }
        for (uint32_t k = 0; k < OBJECTS; k++)
            if (now.object[k].exists)
                ph_ok(ph_op(OBJECT_DELETE, oid_of(k), 0, 0));
        ph_ok(ph_checkpoint());
        ck_assert_uint_eq(ph.p->core.used_data, 0); /* nothing leaks */
        /* The maps, the first leaf and the way to it. */
        ck_assert_uint_le(ph.p->core.used_slots, ph.p->layout.groups + 1 + ph.p->core.height);
    }
}
END_TEST

/* Three groups, the first of them full: neither a start nor an allocation asks for its map again.
 */
START_TEST(test_model__full_groups_are_not_looked_at_again)
{
    rig_disk_init(0, 3 * FORMAT_GROUP_BLOCKS + 1000);
    ph_boot();
    ph_ok(ph_format());
    ph_ok(ph_op(OBJECT_CREATE, 1100, 0, OBJECT_META));
    for (uint64_t b = 0; ph.p->core.data_group == 0; b += 126)
        ph_ok(ph_write(1100, b, 126, 1, 0));
    ph_ok(ph_checkpoint());
    ph_boot();
    ph_ok(ph_restore());
    ck_assert_uint_eq(ph.p->core.data_group, 1);
    ph_ok(ph_op(OBJECT_CREATE, 1101, 0, OBJECT_META));
    ph_ok(ph_checkpoint()); /* the map of the group that slots come from is in memory now */
    uint64_t reads = rig.disk[0].reads;
    ph_ok(ph_write(1101, 0, 1, 1, 0));
    ck_assert_uint_le(rig.disk[0].reads - reads, 1); /* the map of group 1 */
    reads = rig.disk[0].reads;
    ph_ok(ph_write(1101, 1, 1, 1, 0));
    ck_assert_uint_eq(rig.disk[0].reads - reads, 0);
    ck_assert_uint_eq(ph.p->core.data_group, 1);
}
END_TEST

CHECK_MAIN("physical model", 120,
           tcase_add_test(tc, test_model__every_operation_agrees_with_the_model);
           tcase_add_test(tc, test_model__full_groups_are_not_looked_at_again);)
