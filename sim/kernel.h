/*
 * Inside the machine: what its parts (machine, kernel_*, restart, platform) share. Nobody outside
 * sim/ includes this.
 *
 * A process is a slot: programs of the boot have slots 0.., applications those above. A slot has
 * one region (and the survivor region of its program), so an instance always lives at the same
 * address. An endpoint is slot + 16 + (generation << 15); generations only grow until the reset, so
 * a stale endpoint never names a later instance.
 *
 * How a platform call works: the stub (platform.c, in the process) copies what it was given into
 * the slot's gate and traps; the kernel (here, on the simulator's stack) fills in the result; the
 * stub copies it out. So a bad pointer faults in the process, and is its crash.
 *
 * Invariants:
 *   (1) state RUNNING belongs to at most one slot, m->running; READY slots are in the ready queue,
 *       unless hung;
 *   (2) a slot in state SENDING has its send_node in the inbox of the slot that it waits for, and
 *       nowhere else; in any other state it is in none;
 *   (3) a slot in state RECEIVING has nothing in its inbox that matches what it waits for;
 *   (4) posts of a slot = nodes in all inboxes whose poster it is.
 * Observers may kill any process, the running one included: whoever called one must look at
 * `alive` (and the endpoint) again.
 */
#ifndef LORIS_SIM_KERNEL_H
#define LORIS_SIM_KERNEL_H

#include "sim/coroutine.h"
#include "sim/guard.h"
#include "sim/machine.h"
#include "sim/region.h"
#include "sim/rng.h"

/* ---- Costs in virtual time ------------------------------------------------------------------- */

/* A basic block: COST_BLOCK_NS, in coroutine.h. */
/* A message, a hop: MINIX 3 on PCs of the mid-2000s, as quoted publicly. */
#define COST_MESSAGE_NS 500u
/* Any other kernel call (assumption: a null system call measured 91 ns here). */
#define COST_CALL_NS 100u
/* Bytes a nanosecond: copy and xor 4 (DDR2-era memcpy, assumption), CRC32C 1.8 (slice-by-8, 1.79
 * GB/s measured; those PCs had no instruction for it). */
#define COST_COPY_BYTES_PER_NS 4u
#define COST_CRC_BYTES_PER_10NS 18u
/* MINIX 3's quantum of user processes and servers (recalled, 200 ms). */
#define QUANTUM_NS UINT64_C(200000000)

/* ---- Processes ------------------------------------------------------------------------------- */

#define SLOT_NONE UINT32_MAX
#define ENDPOINT_SLOT_FIRST 16u /* below: kernel endpoints */
#define ENDPOINT_SLOT_BITS 15u
#define GENERATION_MAX ((1u << (32 - ENDPOINT_SLOT_BITS)) - 2)
#define COMPLETIONS_MAX 1024u /* of a device, not yet polled; a power of two */
#define EXTENTS_MAX 256u      /* tagged ranges of one region; neighbours of one tag are merged */
#define REGION_PAGES (SIM_REGION_BYTES / 4096)
#define FORWARD_DEPTH_MAX 8u /* grants passed on and on */

enum sim_call {
    CALL_SEND,
    CALL_POST,
    CALL_RECEIVE,
    CALL_SENDREC,
    CALL_NOTIFY,
    CALL_LOOKUP,
    CALL_SUBSCRIBE,
    CALL_LAYER_OF,
    CALL_READY,
    CALL_KILL,
    CALL_GRANT,
    CALL_GRANT_FORWARD,
    CALL_REVOKE,
    CALL_COPY_IN,
    CALL_COPY_OUT,
    CALL_ALLOC,
    CALL_TAG_SURVIVOR,
    CALL_PAGE_STATE,
    CALL_ALARM,
    CALL_RANDOM,
    CALL_PROBE,
    CALL_REPORT,
    CALL_GAUGE,
    CALL_PANIC,
    CALL_DISK_SUBMIT,
    CALL_DISK_POLL,
    CALL_DISK_ABORT,
    CALL_DISK_IDENTIFY,
    CALL_LAB,
    CALL_COUNT
};

/* Arguments and results of a call. Which fields a call uses: kernel_*.c at its handler. */
struct sim_gate {
    enum sim_call call;
    enum err result;
    uint32_t peer; /* endpoint */
    uint32_t grant;
    uint32_t access;
    uint32_t count;
    enum layer layer;
    uint32_t instance;
    uint64_t a, b, c; /* offset, bytes, time, ... */
    void *pointer;
    void (*fn)(void *argument);
    struct msg msg;
    union {
        struct plat_span spans[PLAT_SPANS_MAX];
        struct plat_disk_request request;
        struct plat_disk_completion completion;
        struct plat_disk_info info;
    } u;
};

/* A message that waits in an inbox. */
struct sim_node {
    struct sim_node *next;
    const struct msg *msg; /* the blocked sender's gate, or `copy` */
    uint32_t source;       /* endpoint */
    bool posted;           /* from the pool; else the send_node of a blocked sender */
    struct msg copy;
};

struct sim_grant {
    uint32_t number; /* 0: free */
    uint32_t to;
    uint32_t access;
    uint32_t count;         /* spans; 0: forwarded */
    struct plat_span first; /* the span if there is one */
    struct plat_span *more; /* room for PLAT_SPANS_MAX, kept for reuse; NULL until needed */
    size_t bytes;           /* in all */
    uint32_t granter;       /* forwarded: whose grant, which, from where */
    uint32_t forwarded;
    size_t offset;
};

struct sim_extent {
    size_t offset; /* from the region's base */
    size_t bytes;
    enum plat_tag tag;
};

/* What injectors know of a region. */
struct sim_map {
    struct sim_extent extent[EXTENTS_MAX];
    uint32_t count;
    bool pages_declared;
    uint8_t *page_state; /* REGION_PAGES of enum plat_page_state; NULL until needed */
};

enum sim_state { STATE_DEAD, STATE_READY, STATE_RUNNING, STATE_SENDING, STATE_RECEIVING };

struct sim_process {
    struct sim_coroutine co; /* first: the running coroutine is the running process */
    struct sim_gate gate;
    struct sim_machine *m;
    uint32_t slot;

    /* Of the slot, until the reset. */
    uint32_t generation;
    uint32_t region;   /* index */
    uint32_t survivor; /* index of its region, UINT32_MAX: none */
    enum layer layer;
    uint32_t instance;
    uint32_t disk;
    program_main *program; /* NULL: an application */
    void (*app)(void *argument);
    void *app_argument;
    struct sim_counts counts;
    uint64_t arm_left; /* blocks until on_block; 0: not armed */

    /* Of the restart service, until power off. */
    bool service;
    uint32_t starts;
    uint32_t deaths;
    bool survivor_used;
    bool ping_pending;
    uint64_t ping_ns;
    uint64_t started_ns;
    sim_event_id restart;

    /* Of the instance. */
    enum sim_state state;
    bool alive;
    bool hung;
    bool ready; /* called plat_ready: published */
    bool leaks; /* no memory is left for it, and what it gives back it keeps */
    uint32_t endpoint;
    uint32_t incarnation;
    struct boot *boot; /* in its arena */
    size_t arena_used; /* bytes from the region's base */
    struct sim_map map;
    struct sim_map survivor_map;
    uint64_t gauge[GAUGE_COUNT];
    struct sim_rng rng;
    sim_event_id alarm;
    uint32_t timeouts; /* alarms and deadlines that came since sim_machine_worked */
    uint64_t quantum_left_ns;
    uint64_t blocks_accounted; /* of co.blocks: what the clock and the counters know of */
    struct sim_process *ready_next;

    uint32_t waits_for; /* SENDING: endpoint; RECEIVING: endpoint or ENDPOINT_ANY */
    bool then_receive;  /* SENDING: part of a sendrec */
    bool quiet;         /* RECEIVING: no notifications (a sendrec) */
    sim_event_id deadline;
    struct sim_node send_node;
    struct sim_node *inbox;
    struct sim_node **inbox_end;
    uint32_t posts;
    uint32_t kernel_notes; /* bit e: notification of kernel endpoint e */
    uint64_t notes;        /* bit s: notification of slot s */
    uint64_t subscribed;   /* bit s: tell of slot s */

    struct sim_grant *grants; /* PLAT_GRANTS_MAX, allocated once a slot */
    uint32_t grants_used;     /* entries ever used by this instance */
    uint32_t grant_free;      /* those below are all in use */
    uint32_t grant_sequence;

    struct plat_disk_completion *completions; /* ring of COMPLETIONS_MAX, once a slot */
    uint32_t completion_first, completion_count;
};

/* A request that the device holds, with its bounce buffer. */
struct sim_transfer {
    struct sim_transfer *next; /* of the free ones */
    struct sim_transfer *all;  /* of all ever made */
    struct sim_machine *m;
    uint32_t driver; /* endpoint */
    struct plat_disk_request request;
    uint8_t *buffer;
    size_t buffer_bytes;
    size_t bytes;
};

/* Cells of one word that keep their value. */
struct sim_stuck {
    uint64_t address;
    uint64_t mask, value;
    uint32_t region; /* index */
};
#define STUCK_MAX 64u

/* Who is told of the edges between stretches of a process (watch.c). */
struct sim_watch_page;
struct sim_watch {
    sim_edge_fn *fn; /* NULL: nobody */
    void *context;
    uint8_t *survivor; /* the region that is closed to stores, if `closed` */
    bool closed;
    struct sim_watch_page *page; /* those that were opened since; room for REGION_PAGES */
    uint32_t page_count;
    uint64_t looked_blocks; /* of the process with the survivor, when it was compared last */
};

/* A death that is to be told as if it had come later; slot SLOT_NONE: none. */
struct sim_stamp {
    uint32_t slot;
    uint64_t blocks, at_ns;
};

struct sim_machine {
    struct sim_engine *engine;
    struct sim_machine_config config;
    struct sim_disk *disk[DISKS_MAX];
    struct sim_regions regions;
    struct sim_guard guard;
    enum sim_strict strict;
    bool guarded; /* the laboratory's memory is closed while a program runs */
    struct sim_process process[SIM_PROCESSES_MAX];
    uint32_t programs;       /* slots 0 .. programs - 1 */
    uint32_t slots;          /* slots ever used since the reset */
    uint32_t survivors;      /* regions given to programs of this boot */
    uint64_t slice_start_ns; /* when the running process was last entered */
    struct stack_options options;
    bool format;
    bool powered;
    bool stop;
    bool layout_checked; /* no mapping of the host lies a flip away from a region */
    uint64_t seed, trial;
    uint32_t generation; /* of the youngest instance, all slots */
    sim_event_id poll;   /* of the restart service */
    struct sim_process *running;
    struct sim_process *ready_first;
    struct sim_process **ready_end;
    struct sim_node *free_nodes;
    struct sim_node_chunk *chunks;
    struct sim_transfer *free_transfers;
    struct sim_transfer *all_transfers;
    struct sim_observer observer;
    sim_trace_fn *tracer;
    void *tracer_context;
    struct sim_watch watch;
    struct sim_stamp stamp;
    sim_send_hook_fn *send_hook;
    void *send_hook_context;
    sim_device_hook_fn *device_hook;
    void *device_hook_context;
    struct sim_stuck stuck[STUCK_MAX];
    uint32_t stuck_count;
    const struct msg *arriving; /* while on_message runs */
    uint32_t arriving_from;
    struct sim_counts totals;
    uint64_t probe_count[PROBE_COUNT];
    enum planted planted;
};

/* What is folded into the run's hash. */
enum sim_note {
    NOTE_START = 1,
    NOTE_DEATH,
    NOTE_MESSAGE,
    NOTE_NOTIFY,
    NOTE_READY,
    NOTE_PROBE,
    NOTE_POWER,
    NOTE_FLIP,
    NOTE_HANG,
    NOTE_JUMP,
    NOTE_BUG,
    NOTE_WAKE
};

/* Copies a message by 16-byte pieces: for this size compilers take a string instruction whose start
 * alone costs more. */
static inline void msg_copy(struct msg *to, const struct msg *from)
{
    typedef uint64_t piece __attribute__((vector_size(16), aligned(4), may_alias));
    piece *a = (piece *)to;
    const piece *b = (const piece *)from;
#pragma GCC unroll 12
    for (uint32_t i = 0; i < sizeof(*to) / sizeof(piece); i++)
        a[i] = b[i];
}
_Static_assert(sizeof(struct msg) % 16 == 0, "a message is whole pieces");

/* ---- machine.c ------------------------------------------------------------------------------- */

struct sim_process *process_by_endpoint(struct sim_machine *m, uint32_t endpoint); /* alive */
struct sim_process *process_by_name(struct sim_machine *m, enum layer layer, uint32_t instance);
void process_make_ready(struct sim_process *p);
/* Starts the next instance in the slot. */
void process_start(struct sim_process *p);
void process_die(struct sim_process *p, enum sim_death cause);
/* For a call in place of p, which runs: moves clock and counters to where a trap would find them.
 */
void process_catch_up(struct sim_process *p);
/* Tells the tracer, if there is one, of p. */
void process_trace(const struct sim_process *p, enum sim_trace_kind kind, uint32_t peer,
                   const struct msg *message, enum err result);

/* ---- watch.c --------------------------------------------------------------------------------- */

/* While somebody watches: p has come back for this reason, and nothing was done about it yet. */
void watch_stop(struct sim_process *p, enum sim_stop stop);
/* The survivor is open to stores again. */
void watch_open(struct sim_machine *m);

/* A store faulted: true if it was to a page of the survivor that is watched, and is open now. */
bool watch_mend(struct sim_machine *m, uint64_t address);
void watch_free(struct sim_machine *m);
/* p dies now: moves clock and counters to where its death is to be told. */
void watch_stamp(struct sim_process *p);

/* ---- kernel_call.c --------------------------------------------------------------------------- */

/* Does what the gate of p asks for. */
void kernel_call(struct sim_process *p);

/*
 * The same for calls that let p go on, without a trap: on the stack of p, which runs,
 * and which has room (platform.c). False: this one needs the trap, and nothing has changed.
 */
bool kernel_call_in_place(struct sim_process *p);

/* As sim_plan_base of its region and of its survivor, which are mapped. */
static inline uint64_t region_base(const struct sim_process *p)
{
    return (uint64_t)(uintptr_t)p->m->regions.region[p->region].base;
}

static inline uint64_t survivor_base(const struct sim_process *p)
{
    return (uint64_t)(uintptr_t)p->m->regions.region[p->survivor].base;
}

/* ---- kernel_message.c ------------------------------------------------------------------------ */

void kernel_send(struct sim_process *p);
void kernel_sendrec(struct sim_process *p);
void kernel_post(struct sim_process *p);
void kernel_receive(struct sim_process *p);
void kernel_notify(struct sim_process *p);
/* A notification from a kernel endpoint to p. */
void kernel_tell(struct sim_process *p, uint32_t from);
void kernel_alarm(struct sim_process *p);
/* Takes a dead process out of all that waits: its own and others'. */
void kernel_forget_peer(struct sim_process *dead);
/* All messages that wait are gone, with those who wait for them. */
void message_forget_all(struct sim_machine *m);
void message_free_all(struct sim_machine *m);

/* ---- kernel_grant.c -------------------------------------------------------------------------- */

void kernel_grant(struct sim_process *p);
void kernel_grant_forward(struct sim_process *p);
void kernel_revoke(struct sim_process *p);
void kernel_copy(struct sim_process *p, bool out);
/* Whether the call of the gate, one of the above, ends without a crash or a need of memory. */
bool kernel_grant_is_plain(const struct sim_process *p);
/* Copies between a grant made to `user` and memory that is the simulator's or checked. */
MUST_USE enum err grant_move(struct sim_machine *m, uint32_t user, uint32_t granter, uint32_t grant,
                             size_t offset, void *mine, size_t bytes, bool out);
/* Whether p may name this range in a call. */
bool process_owns(const struct sim_process *p, const void *base, size_t bytes, bool write);

/* ---- kernel_memory.c ------------------------------------------------------------------------- */

void kernel_alloc(struct sim_process *p);
void kernel_tag_survivor(struct sim_process *p);
void kernel_page_state(struct sim_process *p);
/* Pages tagged TAG_PAGES that were declared to be in this state. O(pages of a region). */
uint32_t kernel_pages(const struct sim_map *map, enum plat_page_state state);
/* Whether that call needs no memory. */
bool kernel_page_state_is_plain(struct sim_process *p);
/* Forgets what was declared of the arena of p. */
void memory_forget(struct sim_map *map);

/* ---- kernel_flip.c, kernel_bug.c ------------------------------------------------------------- */

/* From now on memory is not to be believed: strict mode. */
void memory_suspect(struct sim_machine *m);
/* Finds the byte that a fault of memory strikes; false: none qualifies. */
bool memory_pick(const struct sim_process *p, const struct sim_flip *flip,
                 struct sim_flip_result *picked);
/* Makes the memory of p accessible to the simulator. */
void memory_open(struct sim_process *p);
/* Cells in the memory of p that are stuck are what they are, whatever was stored there. */
void memory_stick(struct sim_process *p);
/* Asks the hook of bugs, if there is one, of the message in the gate of p. Whether it is sent. */
bool bug_lets_send(struct sim_process *p, bool posted);
/* The same of the request of a device in the gate of p. */
void bug_meets_device(struct sim_process *p);

/* ---- kernel_device.c ------------------------------------------------------------------------- */

void kernel_disk_submit(struct sim_process *p);
void kernel_disk_poll(struct sim_process *p);
void kernel_disk_abort(struct sim_process *p);
void kernel_disk_identify(struct sim_process *p);
/* The disks have dropped what they held: power cut, reset. */
void device_forget_all(struct sim_machine *m);
void device_free_all(struct sim_machine *m);

/* ---- restart.c ------------------------------------------------------------------------------- */

/* The service's clock starts: at power on. */
void restart_begin(struct sim_machine *m);
/* A service died: says so to subscribers, plans its next instance. */
void restart_on_death(struct sim_process *p);
void restart_on_ready(struct sim_process *p);
void restart_on_pong(struct sim_process *p);
/* Tells all that subscribed to p. */
void restart_publish(struct sim_process *p);

#endif
