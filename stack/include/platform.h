/*
 * What a kernel gives a process: messages, grants, memory, time, one device, and services of the
 * host program (checksums). The whole world of stack code: nothing else may be called but mem.h.
 *
 * The simulator implements it (sim/), and a fake does for unit tests of a layer (stack/tests).
 * The rules follow MINIX 3: fixed-size messages between endpoints with generation numbers,
 * rendezvous or asynchronous; notifications that carry no data; grants for bulk data.
 *
 * A process is one function, `void NAME_main(const struct boot *boot)`, that never returns. It has
 * one arena, empty at each start, and perhaps a survivor region that outlives it. A failed ASSERT,
 * a fault signal, or plat_panic ends it; the restart service starts a fresh instance with a new
 * endpoint.
 */
#ifndef LORIS_PLATFORM_H
#define LORIS_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "errors.h"
#include "layers.h"
#include "options.h"
#include "probes.h"
#include "reports.h"

/* ---- Boot ------------------------------------------------------------------------------------ */

struct boot {
    enum layer layer;
    uint32_t instance;
    uint32_t
        incarnation; /* starts of this (layer, instance) before this one since power-on: 0 first */
    bool format;     /* make a fresh layout on the disks, then serve it */
    void *survivor;  /* region that outlives the process (cache), NULL if it has none */
    size_t survivor_bytes;
    bool survivor_fresh; /* the region is zeroed: first start since power-on */
    struct stack_options options;
};

/* ---- Messages -------------------------------------------------------------------------------- */

#define MSG_PAYLOAD_BYTES 176u

/* Larger than MINIX's 64 bytes, so that one message describes one object operation whole. */
struct msg {
    uint32_t source; /* endpoint of the sender; set by the kernel */
    uint32_t type;   /* protocol and operation, see protocol.h; MSG_NOTIFY for a notification */
    uint32_t id;     /* the caller's number of the request; a reply repeats it */
    int32_t status;  /* of a reply: enum err */
    uint8_t payload[MSG_PAYLOAD_BYTES];
};
_Static_assert(sizeof(struct msg) == 192, "a message has no padding");

#define MSG_NOTIFY 1u

/* Endpoints that are no process. */
#define ENDPOINT_NONE 0u
#define ENDPOINT_RS                                                                                \
    1u /* restart service: a heartbeat request; answer with plat_notify(ENDPOINT_RS) */
#define ENDPOINT_DS 2u       /* a service that this process subscribed to died or came up */
#define ENDPOINT_HARDWARE 3u /* the device has completions to poll */
#define ENDPOINT_CLOCK 4u    /* the alarm */
#define ENDPOINT_LAB 5u      /* the laboratory, to applications only */
#define ENDPOINT_ANY UINT32_MAX

#define PLAT_FOREVER UINT64_MAX

/*
 * Rendezvous: waits until `to` receives the message. OK; E_DEAD: the endpoint is not, or no longer,
 * alive (nothing was delivered).
 */
MUST_USE enum err plat_send(uint32_t to, const struct msg *m);

/*
 * Asynchronous: the kernel keeps a copy until `to` receives. OK; E_FULL: PLAT_POSTS_MAX messages of
 * this process wait already; E_DEAD.  Servers reply with this, so that a dead or slow client
 * never blocks them.
 */
#define PLAT_POSTS_MAX 256u
MUST_USE enum err plat_post(uint32_t to, const struct msg *m);

/*
 * Waits for a message from `from` (an endpoint or ENDPOINT_ANY) until absolute time deadline_ns
 * (PLAT_FOREVER: none). Notifications from the endpoints above are delivered whatever `from` is,
 * and before messages; then messages in order of sending. OK; E_TIMEOUT; E_DEAD: `from` is one
 * process and it is dead with nothing left to deliver.
 */
MUST_USE enum err plat_receive(uint32_t from, struct msg *m, uint64_t deadline_ns);

/*
 * plat_send, then plat_receive from the same endpoint; heartbeats are NOT answered meanwhile (use
 * proto_call of proto.h where the peer may be slow). Cheapest call: one rendezvous each way.
 */
MUST_USE enum err plat_sendrec(uint32_t to, struct msg *m);

/* Asynchronous, carries nothing, coalesced: at most one a pair waits. Unknown or dead: ignored. */
void plat_notify(uint32_t to);

/* The present endpoint of a service, ENDPOINT_NONE while it is down (dead, or not yet ready). */
uint32_t plat_lookup(enum layer layer, uint32_t instance);

/* From now on ENDPOINT_DS notifies this process when (layer, instance) dies or becomes ready. */
void plat_subscribe(enum layer layer, uint32_t instance);

/* Who this endpoint is; LAYER_NONE for a dead or unknown one. instance may be NULL. */
enum layer plat_layer_of(uint32_t endpoint, uint32_t *instance);

/* Says that initialisation is over: plat_lookup finds this process from now on. Call it once. */
void plat_ready(void);

/* Asks the restart service to kill (layer, instance), which does not answer; it will be restarted.
 */
void plat_kill(enum layer layer, uint32_t instance);

/* ---- Grants ---------------------------------------------------------------------------------- */

#define PLAT_GRANT_READ 1u
#define PLAT_GRANT_WRITE 2u
#define PLAT_GRANTS_MAX 1024u /* a process */
#define PLAT_SPANS_MAX 128u   /* pieces of one grant */
#define GRANT_NONE 0u

struct plat_span {
    void *base;
    size_t bytes;
};

/*
 * Lets `to` read and/or write `bytes` at `base` of this process by plat_copy_in/out. Returns a
 * grant number > 0 that goes into a message; GRANT_NONE if the table is full. Revoke it after use.
 * A number is not reused soon (it carries a sequence), so a stale one is refused.
 */
uint32_t plat_grant(uint32_t to, void *base, size_t bytes, uint32_t access);

/* The same over up to PLAT_SPANS_MAX pieces that appear as one range. The list is copied. */
uint32_t plat_grant_spans(uint32_t to, const struct plat_span *spans, uint32_t count,
                          uint32_t access);

/* Passes on part of a grant that `granter` gave to this process, without copying the data. */
uint32_t plat_grant_forward(uint32_t to, uint32_t granter, uint32_t grant, size_t offset,
                            size_t bytes, uint32_t access);

/* Ends a grant of this process; GRANT_NONE is ignored. */
void plat_revoke(uint32_t grant);

/*
 * Copy between a granter's range and own memory. OK; E_DEAD: the granter (or the owner behind a
 * forwarded grant) is dead; E_INVAL: no such grant for this process, wrong direction, out of
 * bounds. Charged by the byte.
 */
MUST_USE enum err plat_copy_in(uint32_t granter, uint32_t grant, size_t offset, void *to,
                               size_t bytes);
MUST_USE enum err plat_copy_out(uint32_t granter, uint32_t grant, size_t offset, const void *from,
                                size_t bytes);

/* ---- Memory ---------------------------------------------------------------------------------- */

enum plat_tag { TAG_HEAP, TAG_PAGES, TAG_LOG };

/*
 * Bump allocation from the arena, zeroed, aligned to 64 bytes (4096 for TAG_PAGES and 4096 or more
 * bytes); never freed. NULL if the arena (PLAT_ARENA_BYTES) is used up. The tag is what fault
 * injectors aim by.
 */
#define PLAT_ARENA_BYTES (60u << 20)
void *plat_alloc(size_t bytes, enum plat_tag tag);

/* Declares what a range of the survivor region holds (at each start, after the layout is known). */
void plat_tag_survivor(size_t offset, size_t bytes, enum plat_tag tag);

/*
 * State of a 4096-byte page tagged TAG_PAGES, for injectors that aim at dirty pages. A page of the
 * survivor tagged TAG_PAGES or TAG_LOG is declared so before it is first written to: a trial ends
 * with what was declared being cleared.
 */
enum plat_page_state { PAGE_UNUSED, PAGE_CLEAN, PAGE_DIRTY, PAGE_WRITING };
void plat_page_state(const void *page, enum plat_page_state state);

/* memcpy charged by the byte: for page data. */
void plat_copy(void *to, const void *from, size_t bytes);

/* ---- Services of the host program ------------------------------------------------------------ */

/* CRC32C (Castagnoli; initial value and final xor 0xffffffff, as iSCSI), charged by the byte. */
uint32_t plat_crc32c(const void *data, size_t bytes);

/* to ^= from, charged by the byte. */
void plat_xor(void *to, const void *from, size_t bytes);

/* ---- Time, chance, last words ---------------------------------------------------------------- */

uint64_t plat_now(void);         /* virtual ns since power-on of the machine's first boot */
void plat_alarm(uint64_t at_ns); /* one alarm a process: ENDPOINT_CLOCK notifies at this time;
                                    PLAT_FOREVER: none */
uint64_t plat_random(void);      /* a keyed stream of this (layer, instance, incarnation) */
void plat_probe(enum probe probe);
void plat_report(enum report what, uint64_t a, uint64_t b);
void plat_gauge(enum gauge which, uint64_t value); /* how full it is now; 0 in a fresh instance */
_Noreturn void
plat_panic(enum err why); /* crash on purpose: memory or protocol state is not to be believed */

/* ---- The device (drivers only) --------------------------------------------------------------- */

enum plat_disk_op { DISK_READ = 1, DISK_WRITE, DISK_FLUSH, DISK_TRIM };

struct plat_disk_request {
    uint32_t id; /* the driver's */
    enum plat_disk_op op;
    bool fua; /* writes: stable before completion */
    uint64_t first_sector;
    uint32_t count;   /* sectors */
    uint32_t granter; /* endpoint and grant that the device moves data from or to */
    uint32_t grant;
    size_t grant_offset;
};

struct plat_disk_completion {
    uint32_t id;
    enum err status; /* OK; E_MEDIA; E_DEAD: the disk is gone; E_INVAL: grant or range */
    uint32_t resets; /* of the device when it was done, as plat_disk_info has it */
};

struct plat_disk_info {
    uint64_t sectors;
    uint32_t sector_bytes;
    uint32_t queue_depth;
    uint32_t resets; /* times the device lost its volatile cache since it was made */
    bool write_cache;
    bool gone;
};

/* OK: accepted, a completion will come; E_FULL: queue_depth requests are in the device; E_DEAD. */
MUST_USE enum err plat_disk_submit(const struct plat_disk_request *request);

/* Takes one completion out; false if there is none. ENDPOINT_HARDWARE notifies when there is. */
bool plat_disk_poll(struct plat_disk_completion *completion);

/* Completes or aborts all that is in the device, of earlier driver instances too, before it
 * returns. */
void plat_disk_abort(void);
void plat_disk_identify(struct plat_disk_info *info);

#endif
