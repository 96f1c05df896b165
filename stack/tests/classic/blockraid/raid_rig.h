/*
 * What the tests of the block RAID share: RAM disks below, the test as the file system above.
 */
#ifndef LORIS_STACK_TESTS_CLASSIC_BLOCKRAID_RAID_RIG_H
#define LORIS_STACK_TESTS_CLASSIC_BLOCKRAID_RAID_RIG_H

#include <check.h>
#include <string.h>

#include "stack/tests/fake_ramdisk.h"

#define DISK_BYTES (8u << 20)
#define SMALL_BYTES (3u << 20) /* for loops over many runs: two regions */
#define SECONDS UINT64_C(1000000000)
#define DATA_BYTES (512u << 10)

#define DISKS 5u
static struct ramdisk disk[DISKS];
static uint32_t client, next_id;
static struct boot boot;
static uint8_t data[DATA_BYTES], back[DATA_BYTES];
static uint64_t rng;
static uint64_t patience_ns; /* how long a client waits; the clock stands still if 0 */

static inline uint32_t draw(uint32_t below)
{
    rng = rng * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(rng >> 33) % below;
}

static inline void start(bool format)
{
    client = fake_client(LAYER_FS, 0);
    boot.format = format;
    fake_boot(blockraid_main, &boot);
    ck_assert_int_eq(fake_run(), FAKE_IDLE);
    ck_assert(fake_is_ready());
}

/* The spares are the last `spares` disks. */
static inline void build_spared(uint32_t disks, uint32_t spares, uint32_t level, size_t bytes)
{
    fake_reset();
    rng = 4711;
    next_id = 0;
    patience_ns = 0;
    boot = (struct boot){.layer = LAYER_RAID};
    boot.options.disks = disks + spares;
    boot.options.spares = spares;
    boot.options.raid = level;
    boot.options.stripe_bytes = 16384;
    boot.options.raid_bitmap = true;
    for (uint32_t d = 0; d < disks + spares; d++) {
        ramdisk_init(&disk[d], bytes);
        ramdisk_attach(&disk[d], LAYER_DRIVER, d);
    }
    for (uint32_t i = 0; i < DATA_BYTES; i++)
        data[i] = (uint8_t)draw(256);
    start(true);
}

static inline void build_of(uint32_t disks, uint32_t level, size_t bytes)
{
    build_spared(disks, 0, level, bytes);
}

static inline void build(uint32_t disks, uint32_t level)
{
    build_of(disks, level, DISK_BYTES);
}

static inline void teardown(void)
{
    fake_reset();
    for (uint32_t d = 0; d < DISKS; d++)
        ramdisk_fini(&disk[d]);
}

static inline enum err call(enum block_op op, uint64_t first, uint32_t count, uint32_t grant,
                            bool fua)
{
    struct block_request r = {
        .op = op, .first_sector = first, .count = count, .grant = grant, .fua = fua};
    struct msg m;
    block_request_pack(&m, ++next_id, &r);
    if (patience_ns == 0 ? !fake_call(client, &m) : !fake_call_for(client, &m, patience_ns))
        return E_TIMEOUT; /* it waits, or crashed */
    return (enum err)m.status;
}

static inline enum err put(uint64_t first, const uint8_t *from, uint32_t count)
{
    uint32_t g = fake_grant(client, (void *)(uintptr_t)from, (size_t)count * 512, PLAT_GRANT_READ);
    enum err e = call(BLOCK_WRITE, first, count, g, false);
    fake_revoke(client, g);
    return e;
}

static inline enum err get(uint64_t first, uint8_t *to, uint32_t count)
{
    uint32_t g = fake_grant(client, to, (size_t)count * 512, PLAT_GRANT_WRITE);
    enum err e = call(BLOCK_READ, first, count, g, false);
    fake_revoke(client, g);
    return e;
}

static inline uint64_t volume_sectors(void)
{
    struct block_identity identity;
    struct block_request r = {.op = BLOCK_IDENTIFY};
    struct msg m;
    block_request_pack(&m, ++next_id, &r);
    ck_assert(fake_call(client, &m));
    ck_assert_int_eq(m.status, OK);
    block_identity_unpack(&identity, &m);
    return identity.sectors;
}

static inline bool copies_are_equal(void)
{
    size_t from = 256 * 4096;
    return memcmp(disk[0].bytes + from, disk[1].bytes + from, disk[0].sectors * 512 - from) == 0;
}

static inline bool a_bit_is_set(const struct ramdisk *d)
{
    for (uint32_t k = 0; k < 4096; k++)
        if (d->bytes[2 * 4096 + k] != 0)
            return true;
    return false;
}

struct coin {
    uint32_t mode; /* 0 none, 1 all, 2 by a coin for each sector */
};

static inline bool keep(void *ctx, uint32_t write, uint32_t sector)
{
    const struct coin *coin = ctx;
    (void)write, (void)sector;
    return coin->mode == 1 || (coin->mode == 2 && draw(2) == 0);
}

#endif
