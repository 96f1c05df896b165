/*
 * A disk for tests of the layers above the driver: a peer (fake_platform.h) that speaks the block
 * protocol over bytes in memory and answers at once, in order, with failures on demand and, if
 * asked for, a volatile write cache whose loss the test chooses.
 *
 *     static struct ramdisk disk;
 *     ramdisk_init(&disk, 64 << 20);                    // bytes, zeroed
 *     ramdisk_attach(&disk, LAYER_DRIVER, 0);           // after each fake_reset
 *     disk.fail_write = 3;                              // the third write from now: E_MEDIA for
 * good
 *     ...
 *     ramdisk_power_cut(&disk, keep, ctx);              // which unflushed sectors survive
 *     ramdisk_fini(&disk);
 *
 * With `volatile_cache` a write changes `bytes` at once and is logged; a flush, or FUA for its own
 * sectors, makes it stable. A cut takes back what is not stable, sector by sector, except what
 * keep() says survived, in the order of the writes.
 */
#ifndef LORIS_STACK_TESTS_FAKE_RAMDISK_H
#define LORIS_STACK_TESTS_FAKE_RAMDISK_H

#include "block.h"
#include "stack/tests/fake_platform.h"

#define RAMDISK_BAD_MAX 64u

struct ramdisk_write { /* one unflushed write */
    uint64_t first_sector;
    uint32_t count;
    uint8_t *data; /* new content, malloc'd */
};

struct ramdisk {
    uint8_t *bytes;
    uint64_t sectors;
    enum layer layer;
    uint32_t instance;
    /* Failures: n-th request of the kind from now (1: next) and all its repeats; 0: none. */
    uint32_t fail_read, fail_write, fail_flush;
    uint32_t fail_repeats;         /* requests that fail from there on; 0: as many as come */
    enum err fail_with;            /* E_MEDIA unless set */
    uint64_t bad[RAMDISK_BAD_MAX]; /* sectors whose reads fail with E_MEDIA; a write mends them */
    uint32_t bads;
    uint32_t die_at_request; /* the driver dies instead of answering the n-th request; 0: never */
    bool die_executes;       /* the request that it dies at was still executed */
    bool restart;            /* and comes up again at once */
    bool mute;               /* answers nothing (hangs) */
    bool mute_transfers;     /* its driver does answer, but the disk reads and writes nothing */
    bool gone;               /* answers E_DEAD to everything */
    bool volatile_cache;
    uint32_t resets;
    /* Counted, executed only: */
    uint32_t reads, writes, flushes, fences, requests;
    uint64_t sectors_read, sectors_written;
    bool fault_fired;
    /* The volatile cache. */
    uint8_t *stable;
    struct ramdisk_write *log;
    uint32_t logged, log_room;
};

/* `bytes`: size, a multiple of 4096. Zeroed. */
void ramdisk_init(struct ramdisk *disk, size_t bytes);
void ramdisk_fini(struct ramdisk *disk);

/* Makes it the service (layer, instance) of the fake platform. Returns the endpoint. */
uint32_t ramdisk_attach(struct ramdisk *disk, enum layer layer, uint32_t instance);

/* What it does with a request, for a peer of the test's own that stands before it. ctx: the disk.
 */
void ramdisk_serve(void *ctx, const struct msg *request);

/* From now on what is written may be lost: the present content is the stable one. */
void ramdisk_set_volatile(struct ramdisk *disk);

/*
 * The power goes and comes back. keep(ctx, write, sector) says whether sector `sector` (0: first)
 * of the write-th unflushed write (0: oldest) survived; NULL: none did. Raises resets.
 */
typedef bool ramdisk_keep(void *ctx, uint32_t write, uint32_t sector);
void ramdisk_power_cut(struct ramdisk *disk, ramdisk_keep *keep, void *ctx);

/* keep() for "the first *(uint32_t *)ctx writes, whole". */
bool ramdisk_keep_prefix(void *ctx, uint32_t write, uint32_t sector);

#endif
