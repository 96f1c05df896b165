/*
 * A simulated disk: real bytes in sparse memory, a service-time model (rotating or flash), a queue
 * and a volatile write cache. It knows no file system and no process.
 *
 * Content is, for each sector, a chain: the stable image at the bottom, above it the versions that
 * were accepted and are not stable yet, in order of acceptance. Acceptance is submission. A read
 * returns the newest accepted version at the time at which the read completes. All reads of content
 * pass one function (disk_content_read); all changes of the stable image pass one other, which
 * keeps the undo log that makes a reset cost what was written.
 *
 * Invariants:
 *   (1) a request that was accepted gets exactly one callback, unless the power is cut or the disk
 * is reset first: then it gets none; (2) callbacks run from engine events, never inside
 * sim_disk_submit; only sim_disk_fence calls back directly; (3) when a flush is answered OK, all
 * writes acknowledged before its submission are stable (unless a lying flush was injected); when an
 * FUA write is answered, its own sectors are; (4) the stable versions of one sector are made so in
 * order of acceptance, never back; (5) nothing depends on host time, addresses, or uninitialised
 * bytes.
 */
#ifndef LORIS_SIM_DISK_H
#define LORIS_SIM_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "errors.h"
#include "sim/engine.h"
#include "sim/profiles.h"

#define SIM_DISK_SECTORS_MAX (1u << 16)  /* sectors a request at most (not TRIM: the whole disk) */
#define SIM_DISK_REQUESTS_MAX (1u << 14) /* outstanding requests a disk; more is a defect */
#define SIM_DISK_SIZE_MIN (UINT64_C(1) << 20)
#define SIM_DISK_SIZE_MAX (UINT64_C(1) << 40)
#define SIM_DISK_OBSERVERS_MAX 4u
#define SIM_DISK_LEVELS_MAX 8u

enum sim_disk_op { SIM_DISK_READ, SIM_DISK_WRITE, SIM_DISK_FLUSH, SIM_DISK_TRIM };

enum sim_disk_status {
    SIM_DISK_OK,
    SIM_DISK_MEDIA_ERROR, /* EIO: a sector cannot be read, or a transient error was injected */
    SIM_DISK_GONE,        /* the disk has failed or has no power */
    SIM_DISK_ABORTED,     /* by sim_disk_fence: had no effect */
};

/* request_id is the caller's; `buffer` of a read is filled before the call iff status is OK. */
typedef void sim_disk_done_fn(void *object, uint64_t request_id, enum sim_disk_status status);

struct sim_disk_request {
    enum sim_disk_op op;
    bool fua;              /* WRITE: answered only when stable */
    uint64_t first_sector; /* in sectors of this disk */
    uint32_t count;        /* sectors, > 0; 0 for FLUSH */
    uint64_t owner;        /* whoever sim_disk_fence tells apart: an endpoint */
    uint64_t request_id;   /* handed back */
    const void *data;      /* WRITE: copied before submit returns */
    void *buffer;          /* READ: must stay valid until the callback, a fence, a cut or a reset */
    sim_disk_done_fn *done;
    void *object; /* handed back */
};

struct sim_disk;

/* Which disk to make. */
struct sim_disk_config {
    struct sim_params params; /* sim_profile_load, then overrides; accepted by sim_params_check */
    uint64_t size_bytes;      /* SIM_DISK_SIZE_MIN..MAX, a multiple of 4096 */
};

/* Makes an empty (all zero), sealed, powered disk. index: its number, for observers and the run's
 * hash. Memory is sparse: only what is written counts. */
struct sim_disk *sim_disk_create(struct sim_engine *engine, uint32_t index,
                                 const struct sim_disk_config *config);
void sim_disk_destroy(struct sim_disk *disk);

/* Back to the image of the last seal: content, faults, statistics, ordinals, head position;
 * observers stay. Pending requests vanish without callbacks. Call it beside sim_engine_reset, in
 * any order. Costs what was written since. */
void sim_disk_reset(struct sim_disk *disk);

/* Makes the present stable content (with its bad sectors) the image; the disk must be idle and its
 * cache empty (flush first, or sim_disk_settle). */
void sim_disk_seal(struct sim_disk *disk);

/* Makes all that is accepted stable at once, without time. For formatting and tests; no request may
 * be outstanding. */
void sim_disk_settle(struct sim_disk *disk);

/* Nested images for exploration: push returns a level (1..); rollback returns content to that of
 * the push of `level` and keeps the level, drops those above, and leaves the device cold as after
 * power on. Level 0 is the sealed image. The cache must be empty at a push. */
uint32_t sim_disk_push(struct sim_disk *disk);
void sim_disk_rollback(struct sim_disk *disk, uint32_t level);

/*
 * Submits a request. Returns OK and calls back later, or E_INVAL (range, count, op) without an
 * effect. A disk that is gone answers SIM_DISK_GONE by callback. Without power: accepted and never
 * answered. O(count) plus the copy.
 */
MUST_USE enum err sim_disk_submit(struct sim_disk *disk, const struct sim_disk_request *request);

/*
 * Fence of a driver: after it returns no request of an owner other than `owner` is outstanding.
 * Writes that the device had begun, or was about to acknowledge, are done in full (their callbacks
 * say OK); the rest never was (SIM_DISK_ABORTED; versions are taken back, buffers of reads are not
 * touched). Acknowledged writes stay. Callbacks run inside, in order of acceptance.
 */
void sim_disk_fence(struct sim_disk *disk, uint64_t owner);

/* What identify tells. */
struct sim_disk_identity {
    uint64_t sectors;
    uint32_t sector_size; /* bytes */
    uint32_t queue_depth; /* commands */
    uint32_t resets;      /* times that the volatile cache was lost since the reset */
    bool volatile_cache;  /* a flush is needed for durability */
    bool failed;
};
struct sim_disk_identity sim_disk_identify(const struct sim_disk *disk);
uint64_t sim_disk_size(const struct sim_disk *disk); /* bytes */
const struct sim_params *sim_disk_params(const struct sim_disk *disk);

/* Outstanding requests, and writes accepted but not stable. */
uint32_t sim_disk_outstanding(const struct sim_disk *disk);
uint32_t sim_disk_pending(const struct sim_disk *disk);

struct sim_disk_stats {
    uint64_t requests, reads, writes, flushes, trims; /* accepted */
    uint64_t bytes_read, bytes_written;               /* of requests answered OK */
    uint64_t errors;                                  /* answered otherwise */
    uint64_t busy_ns;                                 /* of the mechanism, or of all flash units */
};
struct sim_disk_stats sim_disk_stats(const struct sim_disk *disk);

/* ---- Raw access for laboratory, oracle and checkers: no time, no statistics, no observers ---- */

/* Content as a read would see it now (newest accepted). Returns E_MEDIA if a sector is unreadable.
 */
MUST_USE enum err sim_disk_peek(struct sim_disk *disk, uint64_t first_sector, uint32_t count,
                                void *buffer);

/* Stable content, whether readable or not. */
void sim_disk_peek_stable(const struct sim_disk *disk, uint64_t first_sector, uint32_t count,
                          void *buffer);

/* Writes stable content at once (formatting from a file, tests). The cache must hold nothing there.
 */
void sim_disk_poke(struct sim_disk *disk, uint64_t first_sector, uint32_t count, const void *data);

/* Sectors of the stable image ever written (and not trimmed); the n-th of them in address order,
 * n < count. O(size / 32768 sectors). */
uint64_t sim_disk_used_count(const struct sim_disk *disk);
uint64_t sim_disk_used_nth(const struct sim_disk *disk, uint64_t n);

/* ---- Observers: how injectors and recorders see each request ---- */

enum sim_disk_phase {
    SIM_DISK_SUBMITTED, /* before it takes effect: hooks for the next request hit this one */
    SIM_DISK_ACCEPTED,  /* in the queue, versions in the chain: a power cut now may keep or tear it
                         */
    SIM_DISK_COMPLETED, /* just before its callback */
};
struct sim_disk_event {
    enum sim_disk_phase phase;
    enum sim_disk_op op;
    bool fua;
    uint32_t disk; /* index */
    uint32_t count;
    uint64_t first_sector;
    uint64_t request;            /* ordinal of the request since the trial began, from 1 */
    uint64_t write;              /* ordinal of the write, from 1; 0 if it is none */
    const void *data;            /* WRITE before completion: what is written, else NULL */
    enum sim_disk_status status; /* COMPLETED only */
};
typedef void sim_disk_observer_fn(void *object, struct sim_disk *disk,
                                  const struct sim_disk_event *event);

/* Observers are called in order of addition. They may call any fault hook, fail or cut this disk or
 * others; they must not submit, fence, reset or destroy. */
void sim_disk_observe(struct sim_disk *disk, sim_disk_observer_fn *fn, void *object);
void sim_disk_unobserve(struct sim_disk *disk, sim_disk_observer_fn *fn, void *object);

/* Whether a read of the sector would now see the sealed image: nothing was accepted or stored there
 * since the last seal or reset. */
bool sim_disk_is_initial(const struct sim_disk *disk, uint64_t sector);
/* How many of `count` sectors from `first` on are, up to the first that is not. */
uint32_t sim_disk_initial(const struct sim_disk *disk, uint64_t first, uint32_t count);

/* Pages of the stable image that are in use: how long flash takes depends on it. */
uint64_t sim_disk_used_pages(const struct sim_disk *disk);

/* The explorer's place in the one read function: called for what a request or peek reads, after its
 * content was found; may change the bytes; returns false for EIO. NULL takes it out. */
typedef bool sim_disk_read_hook_fn(void *object, struct sim_disk *disk, uint64_t first,
                                   uint32_t count, uint8_t *raw);
void sim_disk_set_read_hook(struct sim_disk *disk, sim_disk_read_hook_fn *fn, void *object);

/* ---- Power ---- */

enum sim_disk_cut {
    SIM_CUT_DROP,    /* nothing pending survives */
    SIM_CUT_KEEP,    /* everything pending survives */
    SIM_CUT_RANDOM,  /* each pending write, or with SIM_TEARS_ANY each sector of it, by a coin */
    SIM_CUT_REORDER, /* as if written back in a random order and cut at a random place */
    SIM_CUT_CHOSEN,  /* `choose` says for each pending write how many of its sectors survive */
};
enum sim_cut_tears {
    SIM_TEARS_PREFIX, /* one write at most, begun or not acknowledged, keeps a random prefix */
    SIM_TEARS_NONE,
    SIM_TEARS_ANY,   /* any subset of the sectors of any pending write */
    SIM_TEARS_ERROR, /* as PREFIX, and the sector at which it stopped reads EIO until rewritten */
};

/* A pending write, oldest first: accepted and not stable. */
struct sim_disk_pending {
    uint64_t write; /* ordinal, as in sim_disk_event */
    uint64_t first_sector;
    uint32_t count;
    bool acknowledged;
    bool begun; /* the medium is being written with it */
};

struct sim_disk_cut_plan {
    enum sim_disk_cut mode;
    enum sim_cut_tears tears;
    uint64_t (*draw)(void *object); /* 64 uniform bits; may be NULL for DROP, KEEP without tears */
    void *draw_object;
    uint32_t (*choose)(void *object, uint32_t disk, const struct sim_disk_pending *pending);
    void *choose_object; /* for CHOSEN: sectors kept, 0..count */
};

/* Lists up to `room` pending writes, oldest first; returns how many there are. */
uint32_t sim_disk_pending_list(const struct sim_disk *disk, struct sim_disk_pending *list,
                               uint32_t room);

/* Cuts the power: decides what survives, drops requests (no callbacks) and cache. A protected cache
 * keeps what it acknowledged; write-cache `ordered` keeps a prefix; a write up to `atomic` aligned
 * sectors is kept or dropped whole. The disk is then without power. */
void sim_disk_power_cut(struct sim_disk *disk, const struct sim_disk_cut_plan *plan);

/* Power on, cold: head at cylinder 0, nothing cached, reset count + 1. */
void sim_disk_power_on(struct sim_disk *disk);

/* Without power: all but what the disk holds and has counted is as after a reset and a power cut.
 */
void sim_disk_rest(struct sim_disk *disk);
bool sim_disk_powered(const struct sim_disk *disk);

/* ---- Fault hooks. "Next" is the next accepted request of that kind; inside an observer at
 * SIM_DISK_SUBMITTED it is the one observed. All last until the reset.
 * ---- */

/* Gone from now on, outstanding requests too (by events). Content stays for inspection. */
void sim_disk_fail_stop(struct sim_disk *disk);
/* The failed disk answers again with the stable content that it had, cold. */
void sim_disk_revive(struct sim_disk *disk);
/* A new one of its kind stands in the failed disk's place: blank, healthy, cold. */
void sim_disk_replace(struct sim_disk *disk);
bool sim_disk_failed(const struct sim_disk *disk);

/* `count` sectors from `first` cannot be read until rewritten (stable). Clipped to the disk. */
void sim_disk_latent_error(struct sim_disk *disk, uint64_t first_sector, uint64_t count);
uint64_t sim_disk_bad_count(const struct sim_disk *disk);
bool sim_disk_bad(const struct sim_disk *disk, uint64_t sector);

/* The next n requests are answered SIM_DISK_MEDIA_ERROR and have no effect. */
void sim_disk_transient_errors(struct sim_disk *disk, uint32_t requests);

/* Flips bit 0..sector_size*8-1 of a stable sector. Returns whether it was ever written. */
bool sim_disk_bit_rot(struct sim_disk *disk, uint64_t sector, uint32_t bit);

/* The next write stores only its first `sectors` sectors, though it is acknowledged. */
void sim_disk_torn_write(struct sim_disk *disk, uint32_t sectors);
/* The next write is acknowledged and not stored. */
void sim_disk_lost_write(struct sim_disk *disk);
/* The next write, read goes to `sector` instead (moved down if it would pass the end). */
void sim_disk_misdirected_write(struct sim_disk *disk, uint64_t sector);
void sim_disk_misdirected_read(struct sim_disk *disk, uint64_t sector);
/* While on, flushes are answered at once and FUA is ignored (taken as a cached write). */
void sim_disk_lying_flush(struct sim_disk *disk, bool on);
/* Mechanism and flash times are multiplied by permille/1000 (1000 is healthy; >= 1). */
void sim_disk_fail_slow(struct sim_disk *disk, uint64_t permille);

#endif
