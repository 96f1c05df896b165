/*
 * The block protocol: physical, block RAID or a classic file system -> driver or block RAID.
 * Sector granularity; several requests may be outstanding. Two outstanding writes never overlap.
 *
 *   BLOCK_READ, BLOCK_WRITE  data through a grant (spans allowed); WRITE: FUA possible
 *   BLOCK_FLUSH              all writes answered before it was sent are stable when it is answered
 *   BLOCK_TRIM               contents of the range may be forgotten
 *   BLOCK_IDENTIFY           size, sector size, reset count
 *   BLOCK_FENCE              every request of an earlier endpoint, those in the device included, is
 * over (done or never) before the answer
 *
 * A driver's answers to the first four tell the device's reset count.
 */
#ifndef LORIS_BLOCK_H
#define LORIS_BLOCK_H

#include "proto.h"

#define BLOCK_BYTES 4096u
#define SECTOR_BYTES 512u
#define BLOCK_IO_MAX_BLOCKS 128u /* of 4096 bytes in one request */

enum block_op { BLOCK_READ = 1, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_TRIM, BLOCK_IDENTIFY, BLOCK_FENCE };

struct block_request {
    enum block_op op;
    bool fua;
    uint64_t first_sector; /* of 512 bytes, whatever the device's own size */
    uint32_t count;        /* sectors of 512 bytes */
    uint32_t grant;
    uint32_t fence_below; /* FENCE: endpoint of the caller */
};

struct block_identity { /* reply to IDENTIFY */
    uint64_t sectors;   /* of 512 bytes */
    uint32_t sector_bytes;
    uint32_t resets;
    bool write_cache;
};

void block_request_pack(struct msg *m, uint32_t id, const struct block_request *request);
/* OK, or E_INVAL: unknown operation, zero or too long range. */
MUST_USE enum err block_request_unpack(struct block_request *request, const struct msg *m);
void block_identity_pack(struct msg *m, const struct block_identity *identity);
void block_identity_unpack(struct block_identity *identity, const struct msg *m);
/* Puts the device's reset count into an answer; and takes it out. false: it tells none. */
void block_resets_pack(struct msg *m, uint32_t resets);
bool block_resets_unpack(uint32_t *resets, const struct msg *m);

/*
 * The block client: keeps each request until it is answered. On E_DEAD it waits for the new
 * endpoint (at most BLOCK_AWAIT_NS), fences, and sends all outstanding requests again in their
 * order; on E_MEDIA it tries up to BLOCK_TRIES times, at a time-out of BLOCK_TIMEOUT_NS it has the
 * driver killed. A disk that is `replaceable` is given up after BLOCK_SILENCES time-outs in a row,
 * without an answer between them. Memory is lent by the caller; data buffers belong to the caller
 * and stay untouched until the wait returns.
 */
#define BLOCK_TRIES 5u                  /* libbdev: 5 on EIO */
#define BLOCK_DEATHS 10u                /* libbdev: 10 on death of the driver */
#define BLOCK_TIMEOUT_NS 35000000000ull /* above the device's own 30 s (AHCI) */
#define BLOCK_AWAIT_NS 60000000000ull
#define BLOCK_SILENCES 2u /* the first may be the driver's fault, which a new one mends */
#define BLOCK_OUTSTANDING_MAX 32u

struct block_pending {
    struct block_request request;
    struct plat_span span[PLAT_SPANS_MAX];
    uint32_t spans;
    uint32_t id; /* 0: free */
    uint32_t tries, deaths;
    enum err status;
    bool done;
    uint64_t sequence;       /* order of submission */
    uint64_t written_before; /* the client's `written` when it was sent */
};

struct block_client {
    enum layer layer; /* DRIVER or RAID */
    uint32_t instance;
    uint32_t endpoint;
    uint32_t next_id;
    uint64_t next_sequence;
    uint32_t resets;  /* the device's reset count when last identified */
    uint64_t written; /* writes answered; */
    uint64_t stable;  /* that many of them before some flush was sent that was answered */
    bool lost_writes; /* the reset count rose over unflushed writes: physical must crash (D3) */
    bool gone;        /* given up: every request answers E_DEAD at once */
    bool replaceable; /* set after init by a caller that has other disks to serve from */
    bool watches; /* set likewise: an answer that tells of a reset is not taken; all is fenced and
                     sent again, as after a death, and lost_writes set */
    uint32_t silences; /* time-outs since the last answer */
    struct block_pending pending[BLOCK_OUTSTANDING_MAX];
};

/* Waits for the service, identifies the device. OK, or E_DEAD. */
MUST_USE enum err block_client_init(struct block_client *c, enum layer layer, uint32_t instance,
                                    struct block_identity *identity);

/* Sends one request; returns a slot for block_wait. Waits for a free slot if all are taken (then
 * the oldest finished one's status must have been collected: assert). spans: copied. */
uint32_t block_submit(struct block_client *c, enum block_op op, uint64_t first_sector, bool fua,
                      const struct plat_span *spans, uint32_t count_spans);

/* Waits until the request in `slot` is answered for good; frees the slot. OK, E_MEDIA, E_DEAD,
 * E_INVAL. */
MUST_USE enum err block_wait(struct block_client *c, uint32_t slot);

/* Submit and wait. */
MUST_USE enum err block_read(struct block_client *c, uint64_t first_sector, void *to, size_t bytes);
MUST_USE enum err block_write(struct block_client *c, uint64_t first_sector, const void *from,
                              size_t bytes, bool fua);
MUST_USE enum err block_flush(struct block_client *c);
MUST_USE enum err block_fence(struct block_client *c); /* also collects and drops all outstanding */

/*
 * For clients that also serve others: hand every received message to this first. true: it was a
 * reply to a pending request (or a driver's DS event) and has been taken.
 */
bool block_client_take(struct block_client *c, const struct msg *m);
/* The same clients keep the time themselves: nothing was answered for BLOCK_TIMEOUT_NS, though
 * something is outstanding. The driver is killed, or the disk given up: then all is answered. */
void block_client_silent(struct block_client *c);

/*
 * For servers: who fenced last. Endpoints of different processes have no order, so "of an earlier
 * endpoint" means: the sender is dead, or is another instance of the very process that fenced.
 */
struct block_fencer {
    uint32_t endpoint; /* ENDPOINT_NONE before the first fence */
    enum layer layer;
    uint32_t instance;
};
void block_fencer_set(struct block_fencer *f, uint32_t source);
/* Whether a request (a fence: is_fence) from `source` comes too late to be served. */
bool block_fencer_refuses(const struct block_fencer *f, uint32_t source, bool is_fence);

#endif
