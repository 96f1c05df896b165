/* Life of a disk, submission, and the one function that reads content. */
#include "sim/disk.h"

#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "sim/disk_state.h"

_Static_assert(SIM_DISK_LEVELS_MAX == IMAGE_LEVELS_MAX, "levels of an image are those of a disk");

#define EXPECT_BYTES 4096u /* more than that the processor fetches ahead by itself */
#define CACHE_LINE_BYTES 64u
#define NOTE_ACCEPTED UINT64_C(0x4449534b41) /* "DISKA" */

void disk_list_append(struct sim_disk *disk, struct slot_list *list, uint32_t slot)
{
    struct disk_request *q = &disk->slot[slot];
    q->qprev = list->last;
    q->qnext = 0;
    if (list->last != 0)
        disk->slot[list->last].qnext = slot;
    else
        list->first = slot;
    list->last = slot;
    list->count++;
}

void disk_list_remove(struct sim_disk *disk, struct slot_list *list, uint32_t slot)
{
    struct disk_request *q = &disk->slot[slot];
    ASSERT(list->count > 0);
    if (q->qprev != 0)
        disk->slot[q->qprev].qnext = q->qnext;
    else
        list->first = q->qnext;
    if (q->qnext != 0)
        disk->slot[q->qnext].qprev = q->qprev;
    else
        list->last = q->qprev;
    list->count--;
}

static void load_params(struct sim_disk *disk)
{
    const int64_t *v = disk->params.value;
    disk->sector_size = (uint32_t)v[SIM_PARAM_SECTOR_SIZE];
    disk->rotating = v[SIM_PARAM_KIND] == SIM_DISK_HDD;
    disk->cache = (enum sim_write_cache)v[SIM_PARAM_WRITE_CACHE];
    disk->cache_size = (uint64_t)v[SIM_PARAM_CACHE_SIZE];
    disk->destage_delay_ns = (uint64_t)v[SIM_PARAM_DESTAGE_DELAY];
    disk->interface_rate = (uint64_t)v[SIM_PARAM_INTERFACE_RATE];
    disk->overhead_ns = (uint64_t)v[SIM_PARAM_COMMAND_OVERHEAD];
    disk->queue_depth = (uint32_t)v[SIM_PARAM_QUEUE_DEPTH];
}

struct sim_disk *sim_disk_create(struct sim_engine *engine, uint32_t index,
                                 const struct sim_disk_config *config)
{
    ASSERT(engine != NULL && config != NULL);
    ASSERT(config->size_bytes >= SIM_DISK_SIZE_MIN && config->size_bytes <= SIM_DISK_SIZE_MAX);
    ASSERT(sim_params_check(&config->params, NULL) == OK);
    struct sim_disk *disk = calloc(1, sizeof(*disk));
    ASSERT(disk != NULL);
    disk->timer_ns = SIM_TIME_NEVER;
    disk->engine = engine;
    disk->index = index;
    disk->params = config->params;
    load_params(disk);
    disk->sectors = config->size_bytes / disk->sector_size;
    disk_image_init(&disk->image, config->size_bytes, disk->sector_size);
    disk_chain_init(&disk->chain, disk->sectors, disk->sector_size);
    disk->slot = calloc(SIM_DISK_REQUESTS_MAX + 1, sizeof(disk->slot[0]));
    disk->ssd = calloc(1, sizeof(*disk->ssd));
    ASSERT(disk->slot != NULL && disk->ssd != NULL);
    if (disk->rotating)
        disk_hdd_init(&disk->hdd, &disk->params, disk->sectors);
    else
        disk_ssd_init(disk->ssd, &disk->params, config->size_bytes);
    sim_disk_reset(disk);
    return disk;
}

void sim_disk_destroy(struct sim_disk *disk)
{
    if (disk == NULL)
        return;
    disk_image_fini(&disk->image);
    disk_chain_fini(&disk->chain);
    free(disk->slot);
    free(disk->ssd);
    free(disk);
}

void disk_stop_device(struct sim_disk *disk, bool cancel_events)
{
    if (cancel_events && disk->timer_ns != SIM_TIME_NEVER)
        (void)sim_engine_cancel(disk->engine, disk->timer);
    disk->epoch++; /* what is still under way finds itself stale */
    disk->timer_ns = SIM_TIME_NEVER;
    disk->arm_busy = false;
    disk->arm_request = disk->arm_write = 0;
    disk->destaging = 0;
}

void disk_drop_volatile(struct sim_disk *disk, bool cancel_events)
{
    for (uint32_t slot = disk->all.first; slot != 0; slot = disk->slot[slot].next) {
        if (cancel_events && disk->slot[slot].event != 0)
            (void)sim_engine_cancel(disk->engine, disk->slot[slot].event);
        disk->slot[slot].state = REQUEST_FREE;
    }
    disk->drops++;
    disk_stop_device(disk, cancel_events);
    disk->free_slot = 0;
    disk->slots_used = 1;
    disk->all = disk->waiting = disk->stalled = disk->ready = disk->flushing =
        (struct slot_list){0};
    disk->in_device = 0;
    disk->link_free_ns = 0;
    disk_chain_clear(&disk->chain);
    disk->dirty_first = disk->dirty_last = disk->retired = 0;
    disk->acked_pending = 0;
    disk->cache_used = 0;
    if (disk->rotating)
        disk_hdd_cold(&disk->hdd);
    else
        disk_ssd_cold(disk->ssd, false);
}

void sim_disk_reset(struct sim_disk *disk)
{
    disk_drop_volatile(disk, false);
    disk_image_rollback(&disk->image, 0);
    if (!disk->rotating)
        disk_ssd_cold(disk->ssd, true);
    disk->fault = (struct disk_faults){.slow_permille = 1000};
    disk->stats = (struct sim_disk_stats){0};
    disk->flush_count = 0;
    disk->resets = 0;
    disk->powered = true;
}

void sim_disk_seal(struct sim_disk *disk)
{
    ASSERT(disk->all.count == 0);
    ASSERT(disk->chain.writes == 0);
    disk_image_seal(&disk->image);
}

void sim_disk_settle(struct sim_disk *disk)
{
    ASSERT(disk->all.count == 0);
    while (disk->chain.first != 0) {
        uint32_t write = disk->chain.first;
        if (disk->chain.write[write].in_dirty)
            disk_dirty_unlink(disk, write);
        disk_make_stable(disk, write);
    }
    disk_stop_device(disk, true);
}

uint32_t sim_disk_push(struct sim_disk *disk)
{
    ASSERT(disk->chain.writes == 0);
    return disk_image_push(&disk->image);
}

void sim_disk_rollback(struct sim_disk *disk, uint32_t level)
{
    disk_drop_volatile(disk, true);
    disk_image_rollback(&disk->image, level);
}

/* The newest version of a sector; NULL if it cannot be read. */
static inline const uint8_t *version_of(const struct sim_disk *disk, uint64_t sector)
{
    const uint8_t *version = disk_chain_find(&disk->chain, sector);
    if (version != NULL)
        return version;
    return disk_image_is_bad(&disk->image, sector) ? NULL : disk_image_sector(&disk->image, sector);
}

/* Sectors without a version in the chain. False: one of them cannot be read. */
static bool read_stable(const struct sim_disk *disk, uint64_t first, uint32_t count, uint8_t *to)
{
    for (uint32_t i = 0; disk->image.bad_count != 0 && i < count; i++)
        if (disk_image_is_bad(&disk->image, first + i))
            return false;
    disk_image_read(&disk->image, first, count, to);
    return true;
}

/* Copies what lies in one piece from the version of `first` on. Returns how many sectors. */
static uint32_t read_versions(const struct sim_disk *disk, uint64_t first, uint32_t count,
                              uint8_t *to)
{
    const uint8_t *version = disk_chain_find(&disk->chain, first);
    uint32_t run = 1;
    while (run < count &&
           disk_chain_find(&disk->chain, first + run) == version + (size_t)run * disk->sector_size)
        run++;
    memcpy(to, version, (size_t)run * disk->sector_size);
    return run;
}

bool disk_content_read(struct sim_disk *disk, uint64_t first, uint32_t count, void *buffer)
{
    ASSERT(first <= disk->sectors && count <= disk->sectors - first);
    uint8_t *to = buffer;
    uint32_t run;
    for (uint32_t i = 0; i < count; i += run, to += (size_t)run * disk->sector_size) {
        run = disk_chain_gap(&disk->chain, first + i, count - i);
        if (run == 0)
            run = read_versions(disk, first + i, count - i, to);
        else if (!read_stable(disk, first + i, run, to))
            return false;
    }
    return disk->read_hook == NULL ||
           disk->read_hook(disk->read_hook_object, disk, first, count, buffer);
}

void disk_content_expect(const struct sim_disk *disk, uint64_t first, uint32_t count)
{
    uint32_t sectors = EXPECT_BYTES / disk->sector_size;
    sectors = sectors < count ? sectors : count;
    for (uint32_t i = 0; i < sectors; i++) {
        const uint8_t *version = version_of(disk, first + i);
        for (uint32_t k = 0; version != NULL && k < disk->sector_size; k += CACHE_LINE_BYTES)
            __builtin_prefetch(version + k);
    }
}

/* ---- Submission ---- */

static bool is_sound(const struct sim_disk *disk, const struct sim_disk_request *r)
{
    if (r->op == SIM_DISK_FLUSH)
        return true;
    if (r->op != SIM_DISK_READ && r->op != SIM_DISK_WRITE && r->op != SIM_DISK_TRIM)
        return false;
    if (r->count == 0 || (r->count > SIM_DISK_SECTORS_MAX && r->op != SIM_DISK_TRIM))
        return false;
    return r->first_sector < disk->sectors && r->count <= disk->sectors - r->first_sector;
}

static uint32_t take_slot(struct sim_disk *disk)
{
    uint32_t slot = disk->free_slot;
    if (slot != 0) {
        disk->free_slot = disk->slot[slot].next;
    } else {
        ASSERT(disk->slots_used <= SIM_DISK_REQUESTS_MAX); /* callers bound what they have out */
        slot = disk->slots_used++;
    }
    struct disk_request *q = &disk->slot[slot];
    ASSERT(q->state == REQUEST_FREE);
    *q = (struct disk_request){.state = REQUEST_NEW, .prev = disk->all.last};
    if (disk->all.last != 0)
        disk->slot[disk->all.last].next = slot;
    else
        disk->all.first = slot;
    disk->all.last = slot;
    disk->all.count++;
    return slot;
}

static void count_request(struct sim_disk *disk, struct disk_request *q)
{
    q->ordinal = ++disk->stats.requests;
    switch (q->r.op) {
    case SIM_DISK_READ:
        disk->stats.reads++;
        break;
    case SIM_DISK_WRITE:
        q->write_ordinal = ++disk->stats.writes;
        break;
    case SIM_DISK_FLUSH:
        disk->stats.flushes++;
        break;
    case SIM_DISK_TRIM:
        disk->stats.trims++;
        break;
    }
}

/* Keeps `count` sectors from `wanted` within the disk. */
static uint64_t place_within(const struct sim_disk *disk, uint64_t wanted, uint32_t count)
{
    uint64_t last = disk->sectors - count;
    return wanted < last ? wanted : last;
}

/* Puts a write's version into the chain, as the injected faults say. */
static void accept_write(struct sim_disk *disk, struct disk_request *q)
{
    struct disk_faults *f = &disk->fault;
    uint32_t count = q->r.count;
    if (f->wrong_write) {
        q->target = place_within(disk, f->wrong_write_sector, count);
        f->wrong_write = false;
    }
    if (f->torn) {
        count = f->torn_sectors < count ? f->torn_sectors : count;
        f->torn = false;
    }
    if (f->lost) {
        count = 0;
        f->lost = false;
    }
    q->write = disk_chain_insert(&disk->chain, q->target, count, q->r.data, q->write_ordinal);
    bool fua = q->r.fua && !f->lying_flush;
    q->cached = disk->cache != SIM_CACHE_OFF && !fua &&
                (uint64_t)q->r.count * disk->sector_size <= disk->cache_size;
}

/* Whether the request is refused: then its end is scheduled. */
static bool refuse(struct sim_disk *disk, uint32_t slot)
{
    enum sim_disk_status status = SIM_DISK_OK;
    if (disk->fault.failed) {
        status = SIM_DISK_GONE;
    } else if (disk->fault.transient > 0) {
        disk->fault.transient--;
        status = SIM_DISK_MEDIA_ERROR;
    }
    if (status == SIM_DISK_OK)
        return false;
    disk_finish_at(disk, slot, sim_engine_now(disk->engine) + disk->overhead_ns, status);
    return true;
}

/* What the request is to do, once observers had their say. */
static void accept(struct sim_disk *disk, uint32_t slot)
{
    struct disk_request *q = &disk->slot[slot];
    q->target = q->r.first_sector;
    if (refuse(disk, slot))
        return;
    if (q->r.op == SIM_DISK_WRITE)
        accept_write(disk, q);
    if (q->r.op == SIM_DISK_READ && disk->fault.wrong_read) {
        q->target = place_within(disk, disk->fault.wrong_read_sector, q->r.count);
        disk->fault.wrong_read = false;
    }
}

enum err sim_disk_submit(struct sim_disk *disk, const struct sim_disk_request *request)
{
    ASSERT(disk != NULL && request != NULL);
    ASSERT(request->done != NULL);
    if (!is_sound(disk, request))
        return E_INVAL;
    if (!disk->powered)
        return OK;
    ASSERT(request->op != SIM_DISK_WRITE || request->data != NULL);
    ASSERT(request->op != SIM_DISK_READ || request->buffer != NULL);
    uint32_t drops = disk->drops, slot = take_slot(disk);
    struct disk_request *q = &disk->slot[slot];
    q->r = *request;
    q->accepted_ns = sim_engine_now(disk->engine);
    count_request(disk, q);
    sim_engine_note(disk->engine, NOTE_ACCEPTED + request->op,
                    (uint64_t)disk->index << 32 | request->count, request->first_sector);
    disk_tell(disk, SIM_DISK_SUBMITTED, q);
    if (disk->drops != drops)
        return OK; /* an observer cut the power: the request came too late */
    if (q->state == REQUEST_NEW)
        accept(disk, slot);
    disk_tell(disk, SIM_DISK_ACCEPTED, q);
    if (disk->drops != drops || q->state != REQUEST_NEW)
        return OK;
    q->state = REQUEST_WAITING;
    disk_list_append(disk, &disk->waiting, slot);
    disk_admit(disk);
    return OK;
}

/* ---- What it is and what it counted ---- */

struct sim_disk_identity sim_disk_identify(const struct sim_disk *disk)
{
    return (struct sim_disk_identity){
        .sectors = disk->sectors,
        .sector_size = disk->sector_size,
        .queue_depth = disk->queue_depth,
        .resets = disk->resets,
        .volatile_cache = disk->cache == SIM_CACHE_ON || disk->cache == SIM_CACHE_ORDERED,
        .failed = disk->fault.failed,
    };
}

uint64_t sim_disk_size(const struct sim_disk *disk)
{
    return disk->image.size_bytes;
}

const struct sim_params *sim_disk_params(const struct sim_disk *disk)
{
    return &disk->params;
}

uint32_t sim_disk_outstanding(const struct sim_disk *disk)
{
    return disk->all.count;
}

uint32_t sim_disk_pending(const struct sim_disk *disk)
{
    return disk->chain.writes;
}

struct sim_disk_stats sim_disk_stats(const struct sim_disk *disk)
{
    struct sim_disk_stats stats = disk->stats;
    if (!disk->rotating)
        stats.busy_ns = disk->ssd->busy_ns;
    return stats;
}

/* ---- Raw access ---- */

enum err sim_disk_peek(struct sim_disk *disk, uint64_t first_sector, uint32_t count, void *buffer)
{
    return disk_content_read(disk, first_sector, count, buffer) ? OK : E_MEDIA;
}

void sim_disk_peek_stable(const struct sim_disk *disk, uint64_t first_sector, uint32_t count,
                          void *buffer)
{
    ASSERT(first_sector <= disk->sectors && count <= disk->sectors - first_sector);
    disk_image_read(&disk->image, first_sector, count, buffer);
}

void sim_disk_poke(struct sim_disk *disk, uint64_t first_sector, uint32_t count, const void *data)
{
    ASSERT(first_sector <= disk->sectors && count <= disk->sectors - first_sector);
    ASSERT(!disk_chain_touches(&disk->chain, first_sector, count));
    disk_image_store(&disk->image, first_sector, count, data);
}

uint64_t sim_disk_used_count(const struct sim_disk *disk)
{
    return disk->image.used_count;
}

uint64_t sim_disk_used_nth(const struct sim_disk *disk, uint64_t n)
{
    return disk_image_used_nth(&disk->image, n);
}

/* ---- Observers ---- */

void sim_disk_observe(struct sim_disk *disk, sim_disk_observer_fn *fn, void *object)
{
    ASSERT(fn != NULL);
    ASSERT(disk->observers < SIM_DISK_OBSERVERS_MAX);
    disk->observer[disk->observers++] = (struct disk_observer){.fn = fn, .object = object};
}

void sim_disk_unobserve(struct sim_disk *disk, sim_disk_observer_fn *fn, void *object)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < disk->observers; i++)
        if (disk->observer[i].fn != fn || disk->observer[i].object != object)
            disk->observer[kept++] = disk->observer[i];
    ASSERT(kept + 1 == disk->observers); /* one that was added */
    disk->observers = kept;
}

bool sim_disk_is_initial(const struct sim_disk *disk, uint64_t sector)
{
    return disk_chain_find(&disk->chain, sector) == NULL &&
           !disk_image_is_own(&disk->image, sector);
}

uint32_t sim_disk_initial(const struct sim_disk *disk, uint64_t first, uint32_t count)
{
    uint32_t initial = 0;
    count = disk_chain_gap(&disk->chain, first, count);
    while (initial < count && !disk_image_is_own(&disk->image, first + initial))
        initial++;
    return initial;
}

uint64_t sim_disk_used_pages(const struct sim_disk *disk)
{
    return disk->image.used_pages;
}

void sim_disk_set_read_hook(struct sim_disk *disk, sim_disk_read_hook_fn *fn, void *object)
{
    disk->read_hook = fn;
    disk->read_hook_object = object;
}

void disk_tell(struct sim_disk *disk, enum sim_disk_phase phase, const struct disk_request *q)
{
    if (disk->observers == 0)
        return;
    struct sim_disk_event event = {
        .phase = phase,
        .op = q->r.op,
        .fua = q->r.fua,
        .disk = disk->index,
        .count = q->r.count,
        .first_sector = q->r.first_sector,
        .request = q->ordinal,
        .write = q->write_ordinal,
        .data = phase == SIM_DISK_COMPLETED || q->r.op != SIM_DISK_WRITE ? NULL : q->r.data,
        .status = q->status,
    };
    for (uint32_t i = 0; i < disk->observers; i++)
        disk->observer[i].fn(disk->observer[i].object, disk, &event);
}
