/*
 * RAM disks with a volatile write cache, in the place of driver and block client: this header
 * defines the functions of block.h, so that a test which includes it links these instead.
 *
 * A write is visible to reads at once and stable after the next flush of its disk. A power cut is
 * armed at the n-th write of all disks together: that write is the last one that the disk received;
 * everything after it answers E_DEAD. rig_power_on then decides, by a seed, which unflushed writes
 * reached the medium, whole or torn by sectors.
 */
#ifndef LORIS_STACK_TESTS_LORIS_RIG_H
#define LORIS_STACK_TESTS_LORIS_RIG_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "object.h"
#include "stack/tests/fake_platform.h"

#define RIG_DISKS 6u
#define RIG_PENDING 65536u

struct rig_write {
    uint64_t sector;
    uint32_t count;
    uint8_t *data;
};

struct rig_disk {
    uint64_t sectors;
    uint8_t *medium, *seen; /* stable; with the write cache */
    struct rig_write *pending;
    uint32_t pendings;
    bool gone;                        /* fail-stop: E_DEAD for good */
    bool bad_write;                   /* every write fails with E_MEDIA */
    uint64_t bad_sector, bad_sectors; /* reads of this range fail with E_MEDIA */
    bool bad_for_writes;              /* and writes to it too */
    uint64_t reads, writes, flushes;
    uint64_t die_at;  /* dies with its own n-th write: 0 never */
    uint32_t scale;   /* SECTOR_BYTES in a sector of the device; 0: 1 */
    uint64_t written; /* sectors */
};

static struct rig {
    struct rig_disk disk[RIG_DISKS];
    uint64_t writes;  /* of all disks */
    uint64_t cut_at;  /* power goes with this write; 0: never */
    uint64_t fail_at; /* this write fails with E_MEDIA, five times as the client tries; 0: none */
    uint64_t lose_at; /* this write is lost though it says OK; 0: none */
    uint64_t loses;   /* and so many in all, lose_at the first; 0: one */
    bool off;         /* the power is off */
    void (*during)(void); /* called within every request to a disk; NULL: nothing */
} rig;

static inline void rig_disk_init(uint32_t index, uint64_t blocks)
{
    struct rig_disk *d = &rig.disk[index];
    free(d->medium);
    free(d->seen);
    for (uint32_t i = 0; i < d->pendings; i++)
        free(d->pending[i].data);
    free(d->pending);
    *d = (struct rig_disk){.sectors = blocks * 8};
    d->medium = calloc(blocks, BLOCK_BYTES);
    d->seen = calloc(blocks, BLOCK_BYTES);
    d->pending = calloc(RIG_PENDING, sizeof(d->pending[0]));
    rig.writes = rig.cut_at = rig.fail_at = rig.lose_at = rig.loses = 0;
    rig.off = false;
    rig.during = NULL;
}

static inline void rig_apply(uint8_t *to, const struct rig_write *w, uint32_t sector)
{
    memcpy(to + (w->sector + sector) * SECTOR_BYTES, w->data + (size_t)sector * SECTOR_BYTES,
           SECTOR_BYTES);
}

static inline void rig_settle(struct rig_disk *d)
{
    for (uint32_t i = 0; i < d->pendings; i++) {
        for (uint32_t s = 0; s < d->pending[i].count; s++)
            rig_apply(d->medium, &d->pending[i], s);
        free(d->pending[i].data);
    }
    d->pendings = 0;
}

static inline uint64_t rig_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* The bytes of a block that only this object, place and version has. */
static inline void rig_fill_page(uint8_t *page, uint64_t oid, uint64_t block, uint64_t version)
{
    uint64_t state = oid * 1000003 + block * 101 + version * UINT64_C(0x123456789);
    for (uint32_t k = 0; k < BLOCK_BYTES; k += 8) {
        uint64_t word = rig_random(&state);
        memcpy(page + k, &word, 8);
    }
}

/* Which unflushed writes survive: all (seed 0), none (1), else each whole, torn or lost. */
static inline void rig_power_on(uint64_t seed)
{
    uint64_t state = seed;
    for (uint32_t k = 0; k < RIG_DISKS; k++) {
        struct rig_disk *d = &rig.disk[k];
        if (d->medium == NULL)
            continue;
        for (uint32_t i = 0; i < d->pendings; i++) {
            uint64_t fate = seed < 2 ? seed : rig_random(&state) % 3;
            for (uint32_t s = 0; s < d->pending[i].count; s++)
                if (fate == 0 || (fate == 2 && (rig_random(&state) & 1) != 0))
                    rig_apply(d->medium, &d->pending[i], s);
            free(d->pending[i].data);
        }
        d->pendings = 0;
        memcpy(d->seen, d->medium, d->sectors * SECTOR_BYTES);
    }
    rig.off = false;
    rig.cut_at = 0;
}

/* ---- The functions of block.h ---- */

static enum err rig_do(struct rig_disk *d, enum block_op op, uint64_t sector,
                       const struct plat_span *spans, uint32_t count_spans, bool fua)
{
    size_t bytes = 0;
    if (rig.during != NULL)
        rig.during();
    if (rig.off || d->gone)
        return E_DEAD;
    if (op == BLOCK_FLUSH) {
        d->flushes++;
        rig_settle(d);
        return OK;
    }
    for (uint32_t i = 0; i < count_spans; i++)
        bytes += spans[i].bytes;
    uint64_t count = bytes / SECTOR_BYTES;
    ck_assert_uint_ne(count, 0);
    ck_assert_uint_le(count, BLOCK_IO_MAX_BLOCKS * 8);
    ck_assert_uint_le(sector + count, d->sectors);
    if (d->scale > 1 && (sector % d->scale != 0 || count % d->scale != 0))
        return E_INVAL;
    uint8_t *at = d->seen + sector * SECTOR_BYTES;
    bool bad = sector < d->bad_sector + d->bad_sectors && sector + count > d->bad_sector;
    if (op == BLOCK_READ) {
        d->reads++;
        if (bad)
            return E_MEDIA;
        for (uint32_t i = 0; i < count_spans; at += spans[i++].bytes)
            memcpy(spans[i].base, at, spans[i].bytes);
        return OK;
    }
    d->writes++;
    d->written += count;
    rig.writes++;
    if (d->writes == d->die_at) {
        d->gone = true;
        return E_DEAD;
    }
    if (d->bad_write || (bad && d->bad_for_writes) || rig.writes == rig.fail_at)
        return E_MEDIA;
    uint64_t loses = rig.loses == 0 ? 1 : rig.loses;
    if (rig.lose_at != 0 && rig.writes >= rig.lose_at && rig.writes - rig.lose_at < loses)
        return OK;
    struct rig_write w = {.sector = sector, .count = (uint32_t)count, .data = malloc(bytes)};
    size_t moved = 0;
    for (uint32_t i = 0; i < count_spans; moved += spans[i++].bytes)
        memcpy(w.data + moved, spans[i].base, spans[i].bytes);
    memcpy(at, w.data, bytes);
    ck_assert_uint_lt(d->pendings, RIG_PENDING);
    d->pending[d->pendings++] = w;
    if (fua)
        rig_settle(d);
    if (rig.writes == rig.cut_at) {
        rig.off = true;
        return E_DEAD;
    }
    return OK;
}

enum err block_client_init(struct block_client *c, enum layer layer, uint32_t instance,
                           struct block_identity *identity)
{
    memset(c, 0, sizeof(*c));
    c->layer = layer;
    c->instance = instance;
    const struct rig_disk *d = &rig.disk[instance];
    *identity =
        (struct block_identity){.sectors = d->sectors,
                                .sector_bytes = SECTOR_BYTES * (d->scale > 1 ? d->scale : 1),
                                .write_cache = true};
    return rig.off || rig.disk[instance].gone ? E_DEAD : OK;
}

uint32_t block_submit(struct block_client *c, enum block_op op, uint64_t first_sector, bool fua,
                      const struct plat_span *spans, uint32_t count_spans)
{
    for (uint32_t slot = 0; slot < BLOCK_OUTSTANDING_MAX; slot++) {
        if (c->pending[slot].id != 0)
            continue;
        c->pending[slot].id = 1;
        c->pending[slot].status =
            rig_do(&rig.disk[c->instance], op, first_sector, spans, count_spans, fua);
        return slot;
    }
    ck_abort_msg("no free slot");
}

enum err block_wait(struct block_client *c, uint32_t slot)
{
    ck_assert_uint_eq(c->pending[slot].id, 1);
    c->pending[slot].id = 0;
    return c->pending[slot].status;
}

enum err block_read(struct block_client *c, uint64_t first_sector, void *to, size_t bytes)
{
    struct plat_span span = {.base = to, .bytes = bytes};
    return rig_do(&rig.disk[c->instance], BLOCK_READ, first_sector, &span, 1, false);
}

enum err block_write(struct block_client *c, uint64_t first_sector, const void *from, size_t bytes,
                     bool fua)
{
    struct plat_span span = {.base = (void *)(uintptr_t)from, .bytes = bytes};
    return rig_do(&rig.disk[c->instance], BLOCK_WRITE, first_sector, &span, 1, fua);
}

enum err block_flush(struct block_client *c)
{
    return rig_do(&rig.disk[c->instance], BLOCK_FLUSH, 0, NULL, 0, false);
}

enum err block_fence(struct block_client *c)
{
    return rig.off || rig.disk[c->instance].gone ? E_DEAD : OK;
}

bool block_client_take(struct block_client *c, const struct msg *m)
{
    (void)c;
    (void)m;
    return false;
}

#endif
