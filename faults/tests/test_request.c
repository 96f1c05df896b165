/* Where the words of requests lie: what stack/proto packs is known again, or told apart. */
#include "faults/request.h"

#include <string.h>

#include "object.h"
#include "scripts/check_main.h"
#include "sim/machine.h"
#include "vfs.h"

void __sanitizer_cov_trace_pc(void);

enum { SENT = 12 };

static struct sim_machine *machine;
static uint32_t entry_grant;
static struct {
    bool found, same; /* has a key; is the request of message 0 of its protocol */
} met[2][SENT];
static uint32_t count[2];
static struct request_key first[2][4];

/* Packing is code of the stack: it runs in a process. */
static void pack(struct msg *m, uint32_t k, uint32_t to)
{
    struct vfs_request v = {.op = VFS_CREATE,
                            .ino = k,
                            .environment = 1,
                            .generation = 3,
                            .sequence = k < 2 ? 7 : 8,
                            .attempt = k < 3 ? k + 1 : 9};
    struct block_request b = {.op = k < 7 ? BLOCK_WRITE : BLOCK_FLUSH, .count = 8, .grant = k};
    struct object_request o = {.op = OBJECT_WRITE, .oid = 5, .length = 8192, .session = k};
    b.first_sector = k == 5 ? 100 : 99;
    o.grant_meta = entry_grant;
    (void)to;
    if (k < 4)
        vfs_request_pack(m, k, &v);
    else if (k < 8)
        block_request_pack(m, k, &b);
    else
        object_request_pack(m, k, &o);
}

static void sender_main(const struct boot *boot)
{
    (void)boot;
    uint8_t *entries = plat_alloc(2 * (size_t)OBJECT_ENTRY_BYTES, TAG_HEAP);
    const enum layer peers[] = {LAYER_NAMING, LAYER_LOGICAL};
    plat_ready();
    for (uint32_t p = 0; p < 2; p++) {
        uint32_t to = proto_await(peers[p], 0, PLAT_FOREVER);
        entry_grant = plat_grant(to, entries, 2 * (size_t)OBJECT_ENTRY_BYTES, PLAT_GRANT_READ);
        for (uint32_t k = 0; k < SENT; k++) {
            struct msg m;
            /* Message 8: blocks 1 and 2 of object 5; 9: 2, 1; 10: 2, 3; 11: object 6. */
            static const uint64_t block[4][2] = {{1, 2}, {2, 1}, {2, 3}, {1, 2}};
            for (uint32_t e = 0; e < 2 && k >= 8; e++) {
                struct object_write_entry entry = {.oid = k == 11 ? 6 : 5,
                                                   .block = block[k - 8][e]};
                object_write_entry_encode(entries + e * (size_t)OBJECT_ENTRY_BYTES, &entry);
            }
            pack(&m, k, to);
            if (plat_send(to, &m) != OK)
                plat_panic(E_DEAD);
        }
    }
    for (;;) {
        struct msg m;
        if (proto_receive(ENDPOINT_ANY, &m, PLAT_FOREVER) != OK)
            plat_panic(E_DEAD);
    }
}

static void server_main(const struct boot *boot)
{
    (void)boot;
    plat_ready();
    for (;;) {
        struct msg m;
        if (proto_receive(ENDPOINT_ANY, &m, PLAT_FOREVER) != OK)
            plat_panic(E_DEAD);
    }
}

static void on_message(void *context, enum layer layer, uint32_t instance, uint64_t n)
{
    (void)context, (void)n;
    uint32_t p = layer == LAYER_NAMING ? 0 : 1;
    struct request_key key;
    uint32_t k = count[p]++;
    if (layer == LAYER_CACHE || k >= SENT)
        return;
    met[p][k].found = request_key_of(machine, layer, instance, &key);
    if (k % 4 == 0)
        first[p][k / 4] = key;
    if (first[p][k / 4].type != 0)
        met[p][k].same = request_is(machine, layer, instance, &first[p][k / 4], 3);
}

START_TEST(test_request__is_known_again_whatever_else_has_changed)
{
    static const struct sim_program programs[] = {
        {LAYER_NAMING, 0, server_main, false, UINT32_MAX},
        {LAYER_CACHE, 0, sender_main, false, UINT32_MAX},
        {LAYER_LOGICAL, 0, server_main, false, UINT32_MAX},
    };
    struct sim_machine_config config = {.restart = sim_restart_minix};
    struct stack_options options = {.seed = 1};
    machine = sim_machine_create(&config);
    sim_machine_reset(machine, 1, 1);
    sim_machine_observe(machine, &(struct sim_observer){.on_message = on_message});
    sim_machine_boot(machine, programs, 3, &options, false);
    (void)sim_machine_run(machine, 1000000000);
    for (uint32_t p = 0; p < 2; p++) {
        ck_assert_uint_eq(count[p], SENT);
        /* VFS: by the sequence; naming that is only asked is another request. */
        ck_assert(met[p][0].found && met[p][0].same && met[p][1].same && !met[p][2].same);
        ck_assert(!met[p][3].same);
        /* Block: by the range, whatever its number; a flush is about nothing. */
        ck_assert(met[p][4].found && met[p][4].same && !met[p][5].same && met[p][6].same);
        ck_assert(!met[p][7].found && !met[p][7].same);
        /* A batch: by its first block, wherever that stands. */
        ck_assert(met[p][8].found && met[p][8].same && met[p][9].same);
        ck_assert(!met[p][10].same && !met[p][11].same);
    }
    sim_machine_destroy(machine);
}
END_TEST

CHECK_MAIN("request", 60,
           { tcase_add_test(tc, test_request__is_known_again_whatever_else_has_changed); })
