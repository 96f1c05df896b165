/*
 * The inside of a disk, for the files disk*.c alone: requests and the lists they wait in, the write
 * cache, and the functions by which those files call each other.
 *
 * A request goes NEW -> WAITING (the device's queue is full) -> one of
 *   READY -> MEDIA -> ENDING   needs the mechanism of a rotating disk
 *   MEDIA                      flash: its end is known at once
 *   STALLED -> ENDING          a write that waits for room in the cache
 *   FLUSHING -> ENDING         a flush that waits for writes to become stable
 *   ENDING                     served without the medium
 * and is freed by its end, an abort, a power cut or a reset.
 *
 * A cached write, once acknowledged, stands in the dirty list (oldest first) until it is written
 * back. It may be written back when a flush waits for it, when the cache is filled above
 * HIGH_WATER, or when it is older than the destage delay; the first such writes of the list are
 * eligible.
 *
 * Invariants:
 *   (1) every slot but free ones is in `all`, in order of acceptance; WAITING, STALLED, READY and
 *       FLUSHING slots are in the list of that name too;
 *   (2) acked_pending is the number of chain writes that are CACHED or DESTAGING;
 *   (3) cache_used is the sum of cache_bytes of chain writes;
 *   (4) an event whose epoch is not the disk's is stale and does nothing.
 */
#ifndef LORIS_SIM_DISK_STATE_H
#define LORIS_SIM_DISK_STATE_H

#include "sim/disk.h"
#include "sim/disk_chain.h"
#include "sim/disk_hdd.h"
#include "sim/disk_image.h"
#include "sim/disk_ssd.h"

enum request_state {
    REQUEST_FREE,
    REQUEST_NEW,
    REQUEST_WAITING,
    REQUEST_STALLED,
    REQUEST_READY,
    REQUEST_MEDIA,
    REQUEST_FLUSHING,
    REQUEST_ENDING,
};

/* Indexes of slots; 0 is none. */
struct disk_request {
    struct sim_disk_request r;
    uint64_t ordinal, write_ordinal;
    uint64_t target; /* sector that is really read or written */
    uint64_t accepted_ns;
    uint64_t flush_number; /* FLUSH: its ordinal */
    uint32_t flush_waits;  /* FLUSH: acknowledged writes that are not stable yet */
    sim_event_id event;
    uint32_t write;        /* WRITE: its slot in the chain until acknowledged or stable */
    uint32_t prev, next;   /* in `all`; next also links free slots */
    uint32_t qprev, qnext; /* in the list of its state */
    enum request_state state;
    enum sim_disk_status status;
    bool cached;
};

struct slot_list {
    uint32_t first, last, count;
};

struct disk_observer {
    sim_disk_observer_fn *fn;
    void *object;
};

/* What was armed by fault hooks. */
struct disk_faults {
    bool failed, lying_flush;
    uint32_t transient;                       /* requests still to be refused */
    uint64_t slow_permille;                   /* 1000: healthy */
    bool torn, lost, wrong_write, wrong_read; /* the next write or read */
    uint32_t torn_sectors;
    uint64_t wrong_write_sector, wrong_read_sector;
};

struct sim_disk {
    struct sim_engine *engine;
    struct sim_params params;
    uint32_t index;
    uint32_t sector_size;
    uint64_t sectors;
    uint32_t epoch; /* (4) */
    uint32_t drops; /* times that all requests vanished: cuts, resets, rollbacks */
    bool powered;
    bool fencing; /* nothing new begins while a fence ends requests */
    bool rotating;
    uint32_t resets;
    enum sim_write_cache cache;
    uint64_t cache_size, destage_delay_ns, interface_rate, overhead_ns;
    uint32_t queue_depth;

    struct disk_image image;
    struct disk_chain chain;

    struct disk_request *slot; /* SIM_DISK_REQUESTS_MAX + 1 of them */
    uint32_t free_slot, slots_used;
    struct slot_list all, waiting, stalled, ready, flushing;
    uint32_t in_device; /* requests beyond WAITING */
    uint64_t link_free_ns;

    uint32_t dirty_first, dirty_last; /* cached writes, oldest acknowledgement first */
    uint32_t retired;                 /* overtaken writes that are to be released, by dirty_next */
    uint32_t acked_pending;
    uint32_t destaging; /* flash */
    uint64_t cache_used;
    uint64_t flush_count;

    bool arm_busy; /* rotating: the one mechanism */
    uint32_t arm_request, arm_write;
    uint64_t timer_ns; /* the pump's next look, SIM_TIME_NEVER if none */
    sim_event_id timer;

    struct disk_hdd hdd;
    struct disk_ssd *ssd;
    struct disk_faults fault;
    struct sim_disk_stats stats;
    struct disk_observer observer[SIM_DISK_OBSERVERS_MAX];
    uint32_t observers;
    sim_disk_read_hook_fn *read_hook;
    void *read_hook_object;
};

/* disk_queue.c: from admission to the end. */
void disk_begin(struct sim_disk *disk, uint32_t slot);
void disk_admit(struct sim_disk *disk);
void disk_finish_at(struct sim_disk *disk, uint32_t slot, uint64_t at_ns,
                    enum sim_disk_status status);
/* Ends a request now: effects if OK, then observers and its callback. */
void disk_end(struct sim_disk *disk, uint32_t slot, enum sim_disk_status status);
/* Takes a request out of whatever list and event it waits in. */
void disk_unqueue(struct sim_disk *disk, uint32_t slot);
void disk_tell(struct sim_disk *disk, enum sim_disk_phase phase, const struct disk_request *q);

/* disk_cache.c: from acknowledgement to the medium. */
void disk_acknowledge(struct sim_disk *disk, uint32_t write);
void disk_make_stable(struct sim_disk *disk, uint32_t write);
void disk_release_write(struct sim_disk *disk, uint32_t write);
void disk_dirty_unlink(struct sim_disk *disk, uint32_t write);
void disk_trim_now(struct sim_disk *disk, uint64_t first, uint64_t count);
void disk_pump(struct sim_disk *disk);
/* Begins stalled writes for which there is room now. */
void disk_serve_stalled(struct sim_disk *disk);
bool disk_cache_has_room(const struct sim_disk *disk, uint64_t bytes);

/* disk.c: the one function that reads content. Returns false if a sector is unreadable. */
bool disk_content_read(struct sim_disk *disk, uint64_t first, uint32_t count, void *buffer);
/* It will be read soon: fetches the beginning of it into the host's caches. Speed only. */
void disk_content_expect(const struct sim_disk *disk, uint64_t first, uint32_t count);

/* What is under way in the mechanism ends for nobody; events that are under way are stale. */
void disk_stop_device(struct sim_disk *disk, bool cancel_events);

/* Forgets requests, cache and timing state: cold. Callbacks are not called. */
void disk_drop_volatile(struct sim_disk *disk, bool cancel_events);

/* Lists of slots by qprev, qnext. */
void disk_list_append(struct sim_disk *disk, struct slot_list *list, uint32_t slot);
void disk_list_remove(struct sim_disk *disk, struct slot_list *list, uint32_t slot);

static inline uint64_t disk_event_word(const struct sim_disk *disk, uint32_t index)
{
    return (uint64_t)disk->epoch << 32 | index;
}

static inline bool disk_event_stale(const struct sim_disk *disk, uint64_t word)
{
    return (uint32_t)(word >> 32) != disk->epoch;
}

#endif
