/*
 * The RAM disk of fake_ramdisk.h. Everything is done at once and in order of arrival.
 */
#include "stack/tests/fake_ramdisk.h"

#include <stdlib.h>
#include <string.h>

#include "stack/tests/fake_internal.h"

void ramdisk_init(struct ramdisk *disk, size_t bytes)
{
    if (bytes == 0 || bytes % BLOCK_BYTES != 0)
        fake_misuse("size of a RAM disk");
    memset(disk, 0, sizeof(*disk));
    disk->bytes = calloc(1, bytes);
    disk->sectors = bytes / SECTOR_BYTES;
    disk->fail_with = E_MEDIA;
    disk->restart = true;
}

static void drop_log(struct ramdisk *disk)
{
    for (uint32_t i = 0; i < disk->logged; i++)
        free(disk->log[i].data);
    disk->logged = 0;
}

void ramdisk_fini(struct ramdisk *disk)
{
    drop_log(disk);
    free(disk->log);
    free(disk->bytes);
    free(disk->stable);
    memset(disk, 0, sizeof(*disk));
}

void ramdisk_set_volatile(struct ramdisk *disk)
{
    size_t bytes = disk->sectors * SECTOR_BYTES;
    disk->volatile_cache = true;
    drop_log(disk);
    if (disk->stable == NULL)
        disk->stable = malloc(bytes);
    memcpy(disk->stable, disk->bytes, bytes);
}

static void log_write(struct ramdisk *disk, const struct block_request *r)
{
    if (disk->logged == disk->log_room) {
        disk->log_room = disk->log_room == 0 ? 64 : disk->log_room * 2;
        disk->log = realloc(disk->log, disk->log_room * sizeof(*disk->log));
    }
    struct ramdisk_write *w = &disk->log[disk->logged++];
    size_t bytes = (size_t)r->count * SECTOR_BYTES;
    *w = (struct ramdisk_write){.first_sector = r->first_sector, .count = r->count};
    w->data = malloc(bytes);
    memcpy(w->data, disk->bytes + r->first_sector * SECTOR_BYTES, bytes);
}

static void make_stable(struct ramdisk *disk)
{
    for (uint32_t i = 0; i < disk->logged; i++) {
        struct ramdisk_write *w = &disk->log[i];
        memcpy(disk->stable + w->first_sector * SECTOR_BYTES, w->data,
               (size_t)w->count * SECTOR_BYTES);
    }
    drop_log(disk);
}

void ramdisk_power_cut(struct ramdisk *disk, ramdisk_keep *keep, void *ctx)
{
    if (!disk->volatile_cache)
        fake_misuse("power cut of a disk without volatile cache");
    for (uint32_t i = 0; keep != NULL && i < disk->logged; i++) {
        struct ramdisk_write *w = &disk->log[i];
        for (uint32_t s = 0; s < w->count; s++)
            if (keep(ctx, i, s))
                memcpy(disk->stable + (w->first_sector + s) * SECTOR_BYTES,
                       w->data + s * SECTOR_BYTES, SECTOR_BYTES);
    }
    memcpy(disk->bytes, disk->stable, disk->sectors * SECTOR_BYTES);
    drop_log(disk);
    disk->resets++;
}

bool ramdisk_keep_prefix(void *ctx, uint32_t write, uint32_t sector)
{
    (void)sector;
    return write < *(const uint32_t *)ctx;
}

static bool is_bad(const struct ramdisk *disk, const struct block_request *r)
{
    for (uint32_t i = 0; i < disk->bads; i++)
        if (disk->bad[i] >= r->first_sector && disk->bad[i] < r->first_sector + r->count)
            return true;
    return false;
}

static void mend(struct ramdisk *disk, const struct block_request *r)
{
    for (uint32_t i = 0; i < disk->bads;) {
        if (disk->bad[i] >= r->first_sector && disk->bad[i] < r->first_sector + r->count)
            disk->bad[i] = disk->bad[--disk->bads];
        else
            i++;
    }
}

/* Counts down to the failing request; from then on it fails as often as fail_repeats says. */
static bool fails(struct ramdisk *disk, uint32_t *countdown)
{
    if (*countdown == 0)
        return false;
    if (*countdown > 1) {
        (*countdown)--;
        return false;
    }
    disk->fault_fired = true;
    if (disk->fail_repeats > 0 && --disk->fail_repeats == 0)
        *countdown = 0;
    return true;
}

static enum err do_read(struct ramdisk *disk, uint32_t client, const struct block_request *r)
{
    if (fails(disk, &disk->fail_read))
        return disk->fail_with;
    if (is_bad(disk, r))
        return E_MEDIA;
    disk->reads++;
    disk->sectors_read += r->count;
    return plat_copy_out(client, r->grant, 0, disk->bytes + r->first_sector * SECTOR_BYTES,
                         (size_t)r->count * SECTOR_BYTES);
}

static enum err do_write(struct ramdisk *disk, uint32_t client, const struct block_request *r)
{
    uint8_t *at = disk->bytes + r->first_sector * SECTOR_BYTES;
    size_t bytes = (size_t)r->count * SECTOR_BYTES;
    if (fails(disk, &disk->fail_write))
        return disk->fail_with;
    enum err e = plat_copy_in(client, r->grant, 0, at, bytes);
    if (e != OK)
        return e;
    disk->writes++;
    disk->sectors_written += r->count;
    mend(disk, r);
    if (disk->volatile_cache) {
        log_write(disk, r);
        if (r->fua)
            memcpy(disk->stable + r->first_sector * SECTOR_BYTES, at, bytes);
    }
    return OK;
}

static enum err execute(struct ramdisk *disk, uint32_t client, const struct block_request *r)
{
    bool ranged = r->op == BLOCK_READ || r->op == BLOCK_WRITE || r->op == BLOCK_TRIM;
    if (ranged && (r->first_sector > disk->sectors || r->count > disk->sectors - r->first_sector))
        return E_INVAL;
    switch (r->op) {
    case BLOCK_READ:
        return do_read(disk, client, r);
    case BLOCK_WRITE:
        return do_write(disk, client, r);
    case BLOCK_FLUSH:
        if (fails(disk, &disk->fail_flush))
            return disk->fail_with;
        disk->flushes++;
        if (disk->volatile_cache)
            make_stable(disk);
        return OK;
    case BLOCK_FENCE:
        disk->fences++;
        return OK;
    case BLOCK_TRIM:
    case BLOCK_IDENTIFY:
        return OK;
    }
    return E_INVAL;
}

static void answer(struct ramdisk *disk, const struct msg *request)
{
    struct block_request r;
    struct msg reply = {0};
    enum err e = block_request_unpack(&r, request);
    if (e == OK)
        e = disk->gone ? E_DEAD : execute(disk, request->source, &r);
    if (e == OK && r.op == BLOCK_IDENTIFY) {
        struct block_identity identity = {.sectors = disk->sectors,
                                          .sector_bytes = SECTOR_BYTES,
                                          .resets = disk->resets,
                                          .write_cache = disk->volatile_cache};
        block_identity_pack(&reply, &identity);
    } else if (e != E_INVAL && r.op != BLOCK_IDENTIFY && r.op != BLOCK_FENCE) {
        block_resets_pack(&reply, disk->resets);
    }
    proto_reply(request, e, &reply);
}

static bool transfers(const struct msg *request)
{
    struct block_request r;
    return block_request_unpack(&r, request) == OK && (r.op == BLOCK_READ || r.op == BLOCK_WRITE);
}

void ramdisk_serve(void *ctx, const struct msg *request)
{
    struct ramdisk *disk = ctx;
    disk->requests++;
    if (disk->mute || (disk->mute_transfers && transfers(request)))
        return;
    if (disk->die_at_request == 0 || --disk->die_at_request > 0) {
        answer(disk, request);
        return;
    }
    struct block_request r;
    disk->fault_fired = true;
    if (disk->die_executes && block_request_unpack(&r, request) == OK)
        (void)!execute(disk, request->source, &r);
    fake_kill(disk->layer, disk->instance);
    if (disk->restart)
        (void)fake_restart(disk->layer, disk->instance);
}

uint32_t ramdisk_attach(struct ramdisk *disk, enum layer layer, uint32_t instance)
{
    disk->layer = layer;
    disk->instance = instance;
    return fake_peer(layer, instance, ramdisk_serve, disk);
}
