/* A request's way through the device: admission, what it waits for, its end. */
#include <stddef.h>

#include "assertion.h"
#include "sim/disk_state.h"

#define NOTE_ENDED UINT64_C(0x4449534b45) /* "DISKE" */

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Passes `bytes` over the interface from `from_ns` on; returns when the host sees the command done.
 */
static uint64_t over_link(struct sim_disk *disk, uint64_t from_ns, uint64_t bytes)
{
    disk->link_free_ns =
        later(disk->link_free_ns, from_ns) + bytes * UINT64_C(1000000000) / disk->interface_rate;
    return disk->link_free_ns + disk->overhead_ns;
}

static uint64_t bytes_of(const struct sim_disk *disk, const struct disk_request *q)
{
    return (uint64_t)q->r.count * disk->sector_size;
}

static void on_end(void *object, uint64_t word)
{
    struct sim_disk *disk = object;
    if (disk_event_stale(disk, word))
        return;
    uint32_t slot = (uint32_t)word;
    disk->slot[slot].event = 0;
    disk_end(disk, slot, disk->slot[slot].status);
}

static void end_by_event(struct sim_disk *disk, uint32_t slot, enum request_state state,
                         uint64_t at_ns, enum sim_disk_status status)
{
    struct disk_request *q = &disk->slot[slot];
    ASSERT(q->state != REQUEST_FREE);
    ASSERT(q->event == 0);
    disk->in_device += (q->state == REQUEST_NEW);
    q->state = state;
    q->status = status;
    q->event = sim_engine_at(disk->engine, at_ns, on_end, disk, disk_event_word(disk, slot));
}

void disk_finish_at(struct sim_disk *disk, uint32_t slot, uint64_t at_ns,
                    enum sim_disk_status status)
{
    end_by_event(disk, slot, REQUEST_ENDING, at_ns, status);
}

void disk_unqueue(struct sim_disk *disk, uint32_t slot)
{
    struct disk_request *q = &disk->slot[slot];
    switch (q->state) {
    case REQUEST_WAITING:
        disk_list_remove(disk, &disk->waiting, slot);
        disk->in_device++; /* from here on it is like the others */
        break;
    case REQUEST_STALLED:
        disk_list_remove(disk, &disk->stalled, slot);
        break;
    case REQUEST_READY:
        disk_list_remove(disk, &disk->ready, slot);
        break;
    case REQUEST_FLUSHING:
        disk_list_remove(disk, &disk->flushing, slot);
        break;
    case REQUEST_NEW:
        disk->in_device++;
        break;
    case REQUEST_MEDIA:
    case REQUEST_ENDING:
        if (disk->arm_request == slot)
            disk->arm_request = 0; /* the arm finishes its movement for nobody */
        if (q->event != 0)
            (void)sim_engine_cancel(disk->engine, q->event);
        q->event = 0;
        break;
    case REQUEST_FREE:
        ASSERT(q->state != REQUEST_FREE);
        break;
    }
    q->state = REQUEST_ENDING;
}

/* ---- Beginning ---- */

/* Flash knows the end of a request at once; the arm takes it up when it likes. */
static void to_medium(struct sim_disk *disk, uint32_t slot)
{
    struct disk_request *q = &disk->slot[slot];
    if (disk->rotating) {
        q->state = REQUEST_READY;
        disk_list_append(disk, &disk->ready, slot);
        disk_pump(disk);
        return;
    }
    uint64_t bytes = bytes_of(disk, q), offset = q->target * disk->sector_size, at_ns;
    uint64_t now_ns = sim_engine_now(disk->engine);
    uint64_t slow = disk->fault.slow_permille;
    if (q->r.op == SIM_DISK_READ) {
        at_ns = disk_ssd_read(disk->ssd, now_ns, offset, bytes, slow);
        uint64_t wire_ns = bytes * UINT64_C(1000000000) / disk->interface_rate;
        uint64_t early_ns = at_ns > wire_ns ? at_ns - wire_ns : 0; /* in step with the last page */
        at_ns = later(over_link(disk, later(early_ns, now_ns), bytes), at_ns + disk->overhead_ns);
    } else {
        uint64_t used = disk->image.used_pages * IMAGE_PAGE_BYTES / disk->ssd->page_bytes;
        uint64_t arrived_ns = over_link(disk, now_ns, bytes) - disk->overhead_ns;
        at_ns =
            disk_ssd_program(disk->ssd, arrived_ns, offset, bytes, slow, used) + disk->overhead_ns;
    }
    q->state = REQUEST_MEDIA;
    end_by_event(disk, slot, REQUEST_MEDIA, at_ns, SIM_DISK_OK);
    if (q->write != 0)
        disk->chain.write[q->write].state = WRITE_THROUGH;
}

static void begin_read(struct sim_disk *disk, uint32_t slot)
{
    struct disk_request *q = &disk->slot[slot];
    uint64_t now_ns = sim_engine_now(disk->engine), at_ns = 0;
    disk_content_expect(disk, q->target, q->r.count);
    bool hit = disk_chain_covers(&disk->chain, q->target, q->r.count);
    if (!hit && disk->rotating)
        hit = disk_hdd_buffered(&disk->hdd, now_ns, q->target, q->r.count, &at_ns);
    if (hit)
        disk_finish_at(disk, slot, over_link(disk, later(at_ns, now_ns), bytes_of(disk, q)),
                       SIM_DISK_OK);
    else
        to_medium(disk, slot);
}

static void begin_write(struct sim_disk *disk, uint32_t slot)
{
    struct disk_request *q = &disk->slot[slot];
    uint64_t bytes = bytes_of(disk, q);
    if (!q->cached) {
        to_medium(disk, slot);
    } else if (disk_cache_has_room(disk, bytes)) {
        disk->cache_used += bytes;
        disk->chain.write[q->write].cache_bytes = (uint32_t)bytes;
        disk_finish_at(disk, slot, over_link(disk, sim_engine_now(disk->engine), bytes),
                       SIM_DISK_OK);
    } else {
        q->state = REQUEST_STALLED;
        disk_list_append(disk, &disk->stalled, slot);
        disk_pump(disk);
    }
}

static void begin_flush(struct sim_disk *disk, uint32_t slot)
{
    struct disk_request *q = &disk->slot[slot];
    bool nothing =
        disk->cache == SIM_CACHE_PROTECTED || disk->fault.lying_flush || q->flush_waits == 0;
    if (nothing) {
        disk_finish_at(disk, slot, sim_engine_now(disk->engine) + disk->overhead_ns, SIM_DISK_OK);
        return;
    }
    q->state = REQUEST_FLUSHING;
    disk_list_append(disk, &disk->flushing, slot);
    disk_pump(disk);
}

void disk_begin(struct sim_disk *disk, uint32_t slot)
{
    struct disk_request *q = &disk->slot[slot];
    disk->in_device++;
    switch (q->r.op) {
    case SIM_DISK_READ:
        begin_read(disk, slot);
        break;
    case SIM_DISK_WRITE:
        begin_write(disk, slot);
        break;
    case SIM_DISK_FLUSH:
        q->flush_number = ++disk->flush_count;
        q->flush_waits = disk->acked_pending;
        begin_flush(disk, slot);
        break;
    case SIM_DISK_TRIM:
        disk_finish_at(disk, slot, sim_engine_now(disk->engine) + disk->overhead_ns, SIM_DISK_OK);
        break;
    }
}

void disk_admit(struct sim_disk *disk)
{
    while (!disk->fencing && disk->waiting.first != 0 && disk->in_device < disk->queue_depth) {
        uint32_t slot = disk->waiting.first;
        disk_list_remove(disk, &disk->waiting, slot);
        disk->slot[slot].state = REQUEST_MEDIA; /* begun: disk_begin counts it in */
        disk_begin(disk, slot);
    }
}

/* ---- The end ---- */

/* What an answer of OK stands for, in content. May turn it into a media error. */
static enum sim_disk_status take_effect(struct sim_disk *disk, struct disk_request *q)
{
    switch (q->r.op) {
    case SIM_DISK_READ:
        if (!disk_content_read(disk, q->target, q->r.count, q->r.buffer))
            return SIM_DISK_MEDIA_ERROR;
        disk->stats.bytes_read += bytes_of(disk, q);
        break;
    case SIM_DISK_WRITE:
        if (q->write != 0 && q->cached)
            disk_acknowledge(disk, q->write);
        else if (q->write != 0)
            disk_make_stable(disk, q->write);
        q->write = 0;
        disk->stats.bytes_written += bytes_of(disk, q);
        break;
    case SIM_DISK_TRIM:
        if (disk->params.value[SIM_PARAM_TRIM] != 0)
            disk_trim_now(disk, q->r.first_sector, q->r.count);
        break;
    case SIM_DISK_FLUSH:
        break;
    }
    return SIM_DISK_OK;
}

static void free_slot(struct sim_disk *disk, uint32_t slot)
{
    struct disk_request *q = &disk->slot[slot];
    if (q->prev != 0)
        disk->slot[q->prev].next = q->next;
    else
        disk->all.first = q->next;
    if (q->next != 0)
        disk->slot[q->next].prev = q->prev;
    else
        disk->all.last = q->prev;
    ASSERT(disk->all.count > 0 && disk->in_device > 0);
    disk->all.count--;
    disk->in_device--;
    q->state = REQUEST_FREE;
    q->next = disk->free_slot;
    disk->free_slot = slot;
}

void disk_end(struct sim_disk *disk, uint32_t slot, enum sim_disk_status status)
{
    struct disk_request *q = &disk->slot[slot];
    if (status == SIM_DISK_OK)
        status = take_effect(disk, q);
    if (q->write != 0)
        disk_release_write(disk, q->write); /* it never was */
    disk->stats.errors += (status != SIM_DISK_OK);
    q->write = 0;
    q->status = status;
    struct disk_request ended = *q;
    free_slot(disk, slot);
    sim_engine_note(disk->engine, NOTE_ENDED + status, disk->index, ended.ordinal);
    uint32_t drops = disk->drops;
    disk_admit(disk);
    disk_pump(disk);
    disk_tell(disk, SIM_DISK_COMPLETED, &ended);
    if (disk->drops == drops) /* an observer may have cut the power */
        ended.r.done(ended.r.object, ended.r.request_id, status);
}
