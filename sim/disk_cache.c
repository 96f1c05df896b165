/* The write cache: acknowledgement, writing back, flushes; and the one arm of a rotating disk. */
#include <stddef.h>

#include "assertion.h"
#include "sim/disk_state.h"

#define HIGH_WATER_PERMILLE                                                                        \
    750u                        /* assumption: above it the cache is written back without delay    \
                                 */
#define DESTAGE_WINDOW 32u      /* assumption: cached writes the arm chooses from */
#define AGE_LIMIT_NS 200000000u /* assumption: a request this old goes before nearer ones */

bool disk_cache_has_room(const struct sim_disk *disk, uint64_t bytes)
{
    return disk->stalled.count == 0 && disk->cache_used + bytes <= disk->cache_size;
}

void disk_dirty_unlink(struct sim_disk *disk, uint32_t write)
{
    struct chain_write *all = disk->chain.write, *w = &all[write];
    ASSERT(w->in_dirty);
    if (w->dirty_prev != 0)
        all[w->dirty_prev].dirty_next = w->dirty_next;
    else
        disk->dirty_first = w->dirty_next;
    if (w->dirty_next != 0)
        all[w->dirty_next].dirty_prev = w->dirty_prev;
    else
        disk->dirty_last = w->dirty_prev;
    w->in_dirty = false;
}

static void dirty_append(struct sim_disk *disk, uint32_t write)
{
    struct chain_write *w = &disk->chain.write[write];
    w->dirty_prev = disk->dirty_last;
    w->dirty_next = 0;
    if (disk->dirty_last != 0)
        disk->chain.write[disk->dirty_last].dirty_next = write;
    else
        disk->dirty_first = write;
    disk->dirty_last = write;
    w->in_dirty = true;
}

void disk_acknowledge(struct sim_disk *disk, uint32_t write)
{
    struct chain_write *w = &disk->chain.write[write];
    ASSERT(w->state == WRITE_QUEUED);
    w->state = WRITE_CACHED;
    w->acked_ns = sim_engine_now(disk->engine);
    w->flushes_before = disk->flush_count;
    disk->acked_pending++;
    if (w->live == 0)
        disk_release_write(disk, write); /* nothing of it is left to store */
    else
        dirty_append(disk, write);
}

/* A write became stable: flushes that were begun after its acknowledgement waited for it. */
static void serve_flushes(struct sim_disk *disk, uint64_t flushes_before)
{
    uint32_t next;
    for (uint32_t slot = disk->flushing.first; slot != 0; slot = next) {
        struct disk_request *q = &disk->slot[slot];
        next = q->qnext;
        if (q->flush_number <= flushes_before)
            continue;
        ASSERT(q->flush_waits > 0);
        if (--q->flush_waits > 0)
            continue;
        disk_list_remove(disk, &disk->flushing, slot);
        q->state = REQUEST_ENDING;
        disk_finish_at(disk, slot, sim_engine_now(disk->engine) + disk->overhead_ns, SIM_DISK_OK);
    }
}

void disk_serve_stalled(struct sim_disk *disk)
{
    while (disk->stalled.first != 0 && !disk->fencing) {
        uint32_t slot = disk->stalled.first;
        uint64_t bytes = (uint64_t)disk->slot[slot].r.count * disk->sector_size;
        if (disk->cache_used + bytes > disk->cache_size)
            return;
        struct slot_list others = disk->stalled;
        disk_list_remove(disk, &others, slot);
        disk->stalled = (struct slot_list){0}; /* the room is this one's, whoever waits behind it */
        disk->in_device--;
        disk_begin(disk, slot);
        ASSERT(disk->stalled.count == 0);
        disk->stalled = others;
    }
}

void disk_release_write(struct sim_disk *disk, uint32_t write)
{
    struct chain_write w = disk->chain.write[write];
    ASSERT(!w.in_dirty);
    ASSERT(disk->cache_used >= w.cache_bytes);
    disk->cache_used -= w.cache_bytes;
    disk_chain_drop(&disk->chain, write);
    if (w.state == WRITE_CACHED || w.state == WRITE_DESTAGING) {
        ASSERT(disk->acked_pending > 0);
        disk->acked_pending--;
        serve_flushes(disk, w.flushes_before);
    }
    if (w.cache_bytes > 0)
        disk_serve_stalled(disk);
}

/* A newer version of all its sectors is stable, or they were trimmed. */
static void on_overtaken(void *object, uint32_t write)
{
    struct sim_disk *disk = object;
    struct chain_write *w = &disk->chain.write[write];
    if (w->state != WRITE_CACHED)
        return; /* whoever works on it finds nothing to do */
    disk_dirty_unlink(disk, write);
    w->dirty_next = disk->retired;
    disk->retired = write;
}

static void release_retired(struct sim_disk *disk)
{
    while (disk->retired != 0) {
        uint32_t write = disk->retired;
        disk->retired = disk->chain.write[write].dirty_next;
        disk_release_write(disk, write);
    }
}

void disk_make_stable(struct sim_disk *disk, uint32_t write)
{
    disk_chain_apply(&disk->chain, write, &disk->image, on_overtaken, disk);
    disk_release_write(disk, write);
    release_retired(disk);
}

void disk_trim_now(struct sim_disk *disk, uint64_t first, uint64_t count)
{
    disk_chain_discard(&disk->chain, first, count, on_overtaken, disk);
    release_retired(disk);
    disk_image_trim(&disk->image, first, count);
}

/* ---- Writing back ---- */

static bool is_urgent(const struct sim_disk *disk)
{
    return disk->stalled.count > 0 || disk->flushing.count > 0 ||
           disk->cache_used * 1000 > disk->cache_size * HIGH_WATER_PERMILLE;
}

static bool is_eligible(const struct sim_disk *disk, uint32_t write, uint64_t now_ns)
{
    const struct chain_write *w = &disk->chain.write[write];
    if (now_ns - w->acked_ns >= disk->destage_delay_ns)
        return true;
    if (disk->stalled.count > 0 || disk->cache_used * 1000 > disk->cache_size * HIGH_WATER_PERMILLE)
        return true;
    return disk->flushing.last != 0 &&
           disk->slot[disk->flushing.last].flush_number > w->flushes_before;
}

static void on_timer(void *object, uint64_t word)
{
    struct sim_disk *disk = object;
    if (disk_event_stale(disk, word))
        return;
    disk->timer_ns = SIM_TIME_NEVER;
    disk_pump(disk);
}

/* Looks again at at_ns, or earlier if that was asked for already. */
static void look_again(struct sim_disk *disk, uint64_t at_ns)
{
    if (disk->timer_ns <= at_ns)
        return;
    if (disk->timer_ns != SIM_TIME_NEVER)
        (void)sim_engine_cancel(disk->engine, disk->timer);
    disk->timer_ns = at_ns;
    disk->timer = sim_engine_at(disk->engine, at_ns, on_timer, disk, disk_event_word(disk, 0));
}

/* The whole of a cached write was written again: put the newest on the medium, the others go with
 * it. */
static uint32_t newest_alike(const struct sim_disk *disk, uint32_t write)
{
    const struct chain_write *w = &disk->chain.write[write];
    uint32_t newest = disk_chain_newest_write(&disk->chain, w->first);
    if (newest == 0 || newest == write || disk->cache == SIM_CACHE_ORDERED)
        return write;
    const struct chain_write *n = &disk->chain.write[newest];
    return n->in_dirty && n->first == w->first && n->count == w->count ? newest : write;
}

static void on_programmed(void *object, uint64_t word)
{
    struct sim_disk *disk = object;
    if (disk_event_stale(disk, word))
        return;
    ASSERT(disk->destaging > 0);
    disk->destaging--;
    disk_make_stable(disk, (uint32_t)word);
    disk_pump(disk);
}

static void pump_flash(struct sim_disk *disk, uint64_t now_ns)
{
    uint32_t limit = disk->cache == SIM_CACHE_ORDERED ? 1 : disk->ssd->dies;
    while (disk->destaging < limit && disk->dirty_first != 0 &&
           is_eligible(disk, disk->dirty_first, now_ns)) {
        uint32_t write = newest_alike(disk, disk->dirty_first);
        struct chain_write *w = &disk->chain.write[write];
        disk_dirty_unlink(disk, write);
        w->state = WRITE_DESTAGING;
        disk->destaging++;
        uint64_t used = disk->image.used_pages * IMAGE_PAGE_BYTES / disk->ssd->page_bytes;
        uint64_t end_ns = disk_ssd_program(disk->ssd, now_ns, w->first * disk->sector_size,
                                           (uint64_t)w->count * disk->sector_size,
                                           disk->fault.slow_permille, used);
        (void)sim_engine_at(disk->engine, end_ns, on_programmed, disk,
                            disk_event_word(disk, write));
    }
    if (disk->destaging < limit && disk->dirty_first != 0)
        look_again(disk, disk->chain.write[disk->dirty_first].acked_ns + disk->destage_delay_ns);
}

/* What the arm could do next: a request, or a cached write, and how far away it is. */
struct arm_choice {
    uint32_t request, write;
    uint64_t position_ns;
};

static void consider(struct sim_disk *disk, struct arm_choice *best, const struct hdd_aim *aim,
                     uint32_t request, uint32_t write)
{
    const struct disk_request *q = &disk->slot[request];
    uint64_t first = request != 0 ? q->target : disk->chain.write[write].first;
    bool writes = request == 0 || q->r.op == SIM_DISK_WRITE;
    uint64_t position_ns = disk_hdd_position(&disk->hdd, aim, first, writes);
    if (best->request + best->write == 0 || position_ns < best->position_ns)
        *best = (struct arm_choice){request, write, position_ns};
}

/* Shortest positioning first; requests before cached writes unless these are urgent. */
static struct arm_choice choose(struct sim_disk *disk, uint64_t now_ns)
{
    struct arm_choice best = {0};
    struct hdd_aim aim = disk_hdd_aim(&disk->hdd, now_ns);
    uint32_t oldest = disk->ready.first;
    if (oldest != 0 && now_ns - disk->slot[oldest].accepted_ns > AGE_LIMIT_NS) {
        consider(disk, &best, &aim, oldest, 0);
        return best;
    }
    for (uint32_t slot = oldest; slot != 0; slot = disk->slot[slot].qnext)
        consider(disk, &best, &aim, slot, 0);
    if (best.request != 0 && !is_urgent(disk))
        return best;
    uint32_t window = disk->cache == SIM_CACHE_ORDERED ? 1 : DESTAGE_WINDOW;
    for (uint32_t write = disk->dirty_first; write != 0 && window > 0; window--) {
        if (!is_eligible(disk, write, now_ns))
            break;
        consider(disk, &best, &aim, 0, write);
        write = disk->chain.write[write].dirty_next;
    }
    if (best.write != 0)
        best.write = newest_alike(disk, best.write);
    return best;
}

static void on_arm(void *object, uint64_t word)
{
    struct sim_disk *disk = object;
    if (disk_event_stale(disk, word))
        return;
    uint32_t slot = disk->arm_request, write = disk->arm_write;
    disk->arm_busy = false;
    disk->arm_request = disk->arm_write = 0;
    if (write != 0)
        disk_make_stable(disk, write);
    if (slot != 0) {
        struct disk_request *q = &disk->slot[slot];
        if (q->write != 0)
            disk_make_stable(disk, q->write);
        q->write = 0;
        disk_finish_at(disk, slot, sim_engine_now(disk->engine) + disk->overhead_ns, SIM_DISK_OK);
    }
    disk_pump(disk);
}

static void move_arm(struct sim_disk *disk, const struct arm_choice *choice, uint64_t now_ns)
{
    uint64_t first;
    uint32_t count;
    bool writes = true;
    if (choice->request != 0) {
        struct disk_request *q = &disk->slot[choice->request];
        disk_list_remove(disk, &disk->ready, choice->request);
        q->state = REQUEST_MEDIA;
        writes = q->r.op == SIM_DISK_WRITE;
        first = q->target;
        count = q->r.count;
        if (q->write != 0)
            disk->chain.write[q->write].state = WRITE_THROUGH;
    } else {
        disk_dirty_unlink(disk, choice->write);
        disk->chain.write[choice->write].state = WRITE_DESTAGING;
        first = disk->chain.write[choice->write].first;
        count = disk->chain.write[choice->write].count;
    }
    struct hdd_aim aim = disk_hdd_aim(&disk->hdd, now_ns);
    uint64_t took_ns = disk_hdd_position(&disk->hdd, &aim, first, writes) +
                       disk_hdd_transfer(&disk->hdd, first, count);
    took_ns = took_ns * disk->fault.slow_permille / 1000;
    disk->stats.busy_ns += took_ns;
    disk->arm_busy = true;
    disk->arm_request = choice->request;
    disk->arm_write = choice->write;
    disk_hdd_moved(&disk->hdd, now_ns + took_ns, first, count, writes);
    (void)sim_engine_at(disk->engine, now_ns + took_ns, on_arm, disk, disk_event_word(disk, 0));
}

static void pump_arm(struct sim_disk *disk, uint64_t now_ns)
{
    if (disk->arm_busy || (disk->ready.first == 0 && disk->dirty_first == 0))
        return;
    if (disk->ready.first == 0 && !is_eligible(disk, disk->dirty_first, now_ns)) {
        look_again(disk, disk->chain.write[disk->dirty_first].acked_ns + disk->destage_delay_ns);
        return;
    }
    disk_hdd_stop_reading_ahead(&disk->hdd, now_ns);
    struct arm_choice choice = choose(disk, now_ns);
    ASSERT(choice.request + choice.write != 0);
    move_arm(disk, &choice, now_ns);
}

void disk_pump(struct sim_disk *disk)
{
    uint64_t now_ns = sim_engine_now(disk->engine);
    if (disk->fault.failed || !disk->powered || disk->fencing)
        return;
    if (disk->rotating)
        pump_arm(disk, now_ns);
    else
        pump_flash(disk, now_ns);
}
