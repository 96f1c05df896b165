/*
 * The device of the fake platform, for tests of the driver: a queue of requests that the test, or
 * idleness of the layer, completes. The bytes are the test's.
 */
#include <string.h>

#include "stack/tests/fake_internal.h"
#include "stack/tests/fake_platform.h"

#define SECTOR 512u

static struct device {
    uint8_t *bytes;
    uint64_t sectors;
    uint32_t depth, resets, aborts, flushes;
    bool automatic, gone;
    struct plat_disk_request queue[FAKE_DISK_QUEUE];
    uint32_t queued;
    struct plat_disk_completion ready[FAKE_DISK_QUEUE * 2];
    uint32_t readies;
} d;

void fake_device_reset(void)
{
    memset(&d, 0, sizeof(d));
}

void fake_disk(uint8_t *bytes, uint64_t sectors, uint32_t queue_depth, bool auto_complete)
{
    if (queue_depth == 0 || queue_depth > FAKE_DISK_QUEUE)
        fake_misuse("queue depth of the fake disk");
    d = (struct device){
        .bytes = bytes, .sectors = sectors, .depth = queue_depth, .automatic = auto_complete};
}

uint32_t fake_disk_queued(void)
{
    return d.queued;
}

const struct plat_disk_request *fake_disk_peek(uint32_t index)
{
    return index < d.queued ? &d.queue[index] : NULL;
}

void fake_disk_set(uint32_t resets, bool gone)
{
    d.resets = resets;
    d.gone = gone;
}

uint32_t fake_disk_aborts(void)
{
    return d.aborts;
}

uint32_t fake_disk_flushes(void)
{
    return d.flushes;
}

/* The device moves data in the name of the driver, which submitted the request. */
static enum err transfer(const struct plat_disk_request *r)
{
    if (r->op == DISK_FLUSH) {
        d.flushes++;
        return OK;
    }
    if (r->first_sector > d.sectors || r->count > d.sectors - r->first_sector)
        return E_INVAL;
    uint8_t *at = d.bytes + r->first_sector * SECTOR;
    size_t bytes = (size_t)r->count * SECTOR;
    if (r->op == DISK_TRIM)
        return OK;
    if (r->op == DISK_READ)
        return plat_copy_out(r->granter, r->grant, r->grant_offset, at, bytes);
    return plat_copy_in(r->granter, r->grant, r->grant_offset, at, bytes);
}

static void complete(uint32_t index, enum err status)
{
    struct plat_disk_request r = d.queue[index];
    d.queued--;
    memmove(&d.queue[index], &d.queue[index + 1], (d.queued - index) * sizeof(r));
    if (status == OK && transfer(&r) != OK)
        status = E_INVAL;
    if (d.readies == FAKE_DISK_QUEUE * 2)
        fake_misuse("completions that the driver never polls");
    d.ready[d.readies++] =
        (struct plat_disk_completion){.id = r.id, .status = status, .resets = d.resets};
}

void fake_disk_complete(uint32_t index, enum err status)
{
    if (index >= d.queued)
        fake_misuse("completion of a request that is not queued");
    complete(index, status);
    fake_ring_hardware();
}

bool fake_device_idle(void)
{
    if (!d.automatic || d.queued == 0)
        return false;
    complete(0, d.gone ? E_DEAD : OK);
    fake_ring_hardware();
    return true;
}

enum err plat_disk_submit(const struct plat_disk_request *request)
{
    fake_count_call();
    if (d.gone)
        return E_DEAD;
    if (d.queued >= d.depth)
        return E_FULL;
    d.queue[d.queued++] = *request;
    return OK;
}

bool plat_disk_poll(struct plat_disk_completion *completion)
{
    fake_count_call();
    if (d.readies == 0)
        return false;
    *completion = d.ready[0];
    d.readies--;
    memmove(&d.ready[0], &d.ready[1], d.readies * sizeof(d.ready[0]));
    return true;
}

/* Every second queued request has happened, the others never do. */
void plat_disk_abort(void)
{
    fake_count_call();
    d.aborts++;
    for (uint32_t i = 0; i < d.queued; i += 2)
        (void)transfer(&d.queue[i]);
    d.queued = 0;
    d.readies = 0;
}

void plat_disk_identify(struct plat_disk_info *info)
{
    fake_count_call();
    *info = (struct plat_disk_info){.sectors = d.sectors,
                                    .sector_bytes = SECTOR,
                                    .queue_depth = d.depth,
                                    .resets = d.resets,
                                    .write_cache = true,
                                    .gone = d.gone};
}
