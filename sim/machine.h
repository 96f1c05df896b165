/*
 * The machine: processes, kernel, restart service, disks and clock under one roof, as the
 * laboratory sees it. Inside, stack code sees platform.h. One machine a worker process (the regions
 * have fixed addresses); many trials a machine: it is reset, not rebuilt.
 *
 * Life of a trial:
 *   sim_machine_reset -> sim_machine_boot (format, once a variant and seed; then sim_machine_seal)
 * ... sim_machine_reset -> sim_machine_boot -> run until ready -> sim_machine_spawn_app ... -> run
 *   [-> sim_machine_power_cut -> time passes -> sim_machine_boot -> run ...] -> read the counters
 *
 * One CPU: a process runs until it blocks or its quantum ends, and the clock moves by what it
 * executed (basic blocks, bytes copied and checksummed, kernel calls at the documented rates). All
 * observers run on the simulator's stack, between processes or inside a trap of the running one,
 * and may kill, hang, flip or cut: what concerns the running process takes effect before it
 * executes another block.
 */
#ifndef LORIS_SIM_MACHINE_H
#define LORIS_SIM_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "planted.h"
#include "platform.h"
#include "programs.h"
#include "sim/disk.h"
#include "sim/engine.h"

struct sim_machine;

#define SIM_APPS_MAX 32u
#define SIM_PROCESSES_MAX 64u

/* How the restart service treats the processes of a machine; the defaults are MINIX 3's (servers/rs
 * at 4db99f4). */
struct sim_restart_policy {
    uint64_t poll_ns;        /* 1 s: status check and heartbeat */
    uint64_t backoff_cap_ns; /* 1 s for services kept in memory, which all of a storage stack are */
    uint64_t start_ns;       /* exec from memory copy and publishing: 5 ms */
    uint64_t init_limit_ns;  /* 10 s until plat_ready, then killed and started again */
    uint32_t silent_periods; /* 2: killed when a ping is pending that long */
};
extern const struct sim_restart_policy sim_restart_minix;

struct sim_machine_config {
    uint32_t disks;
    struct sim_disk_config disk[DISKS_MAX]; /* of sim/disk.h: profile, size, overrides */
    struct sim_restart_policy restart;
};

/* Creates regions, kernel and disks. One a process at a time; failure is a defect of loris (exit
 * 3). */
struct sim_machine *sim_machine_create(const struct sim_machine_config *config);
void sim_machine_destroy(struct sim_machine *m);

/*
 * Back to power-off at time 0: no process, no event, counters 0, disks as sealed, random streams
 * keyed by (seed, trial). Every region is cleared to its high-water mark.
 */
void sim_machine_reset(struct sim_machine *m, uint64_t seed, uint64_t trial);

/*
 * Forgets all memory of processes at once; a reset must follow. What a trial in a forked child
 * begins with (sim_regions_renew says why).
 */
void sim_machine_renew(struct sim_machine *m);

/* The present content of all disks (stable and cached) becomes the image that resets go back to. */
void sim_machine_seal(struct sim_machine *m);

/* A process of the stack: what runs as (layer, instance). */
struct sim_program {
    enum layer layer;
    uint32_t instance;
    program_main *main;
    bool survivor; /* has a region that outlives it */
    uint32_t disk; /* drivers: the device it owns; else UINT32_MAX */
};

/*
 * Powers on (if off) and starts all programs, in order, under the restart service. Copies the list.
 * They are up when sim_machine_all_ready says so: run until then.
 */
void sim_machine_boot(struct sim_machine *m, const struct sim_program *programs, uint32_t count,
                      const struct stack_options *options, bool format);

/* All programs of the boot have called plat_ready and none is down. */
bool sim_machine_all_ready(const struct sim_machine *m);

/*
 * Starts an application process (layer APP, instance `number`), which runs main(argument) and ends
 * when it returns. It is not restarted. It uses platform.h like any process.
 */
void sim_machine_spawn_app(struct sim_machine *m, uint32_t number, void (*main)(void *argument),
                           void *argument);

/* For applications: runs fn(argument) on the simulator's stack, outside the process: the only way
 * to touch the laboratory's memory. */
void sim_trap(void (*fn)(void *argument), void *argument);

/* ---- Running --------------------------------------------------------------------------------- */

enum sim_run_end {
    SIM_RUN_STOPPED, /* sim_machine_stop was called */
    SIM_RUN_IDLE,    /* nothing can happen any more: every process waits and no event is pending */
    SIM_RUN_TIME     /* the clock would pass until_ns; it stands at until_ns */
};

/* Runs until the end named by the result. */
enum sim_run_end sim_machine_run(struct sim_machine *m, uint64_t until_ns);

/* From an observer, event or trap: makes sim_machine_run return as soon as the running process
 * traps. */
void sim_machine_stop(struct sim_machine *m);

/* Nothing is under way: every process is up and waits for whatever may come, nothing lies in a
 * disk's queue. */
bool sim_machine_rests(const struct sim_machine *m);

/* There was work: the timers of processes that came until now were not for nothing. */
void sim_machine_worked(struct sim_machine *m);

/*
 * Jumps an idle stretch of a machine that rests (engine.h): up to to_ns, or the next event but the
 * heartbeats, which are moved along. timers: so are the timers of processes whose last three have
 * led to no work; a process whose timer hides a date behind a habit then meets the date late.
 * Returns by how much the clock moved.
 */
uint64_t sim_machine_jump(struct sim_machine *m, uint64_t to_ns, bool timers);

struct sim_engine *sim_machine_engine(struct sim_machine *m);
struct sim_disk *sim_machine_disk(struct sim_machine *m, uint32_t index);
uint32_t sim_machine_disks(const struct sim_machine *m);
uint64_t sim_machine_now(const struct sim_machine *m);

/* ---- What can be done to it ------------------------------------------------------------------ */

enum sim_death {
    SIM_DEATH_EXIT,   /* an application's main returned */
    SIM_DEATH_KILLED, /* by the laboratory: an injected crash, or an application whose VFS died */
    SIM_DEATH_SIGNAL, /* SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, stack overflow */
    SIM_DEATH_ASSERT,
    SIM_DEATH_PANIC,    /* plat_panic */
    SIM_DEATH_RS_HUNG,  /* the restart service lost patience */
    SIM_DEATH_RS_ASKED, /* plat_kill */
    SIM_DEATH_POWER
};

/* Kills the process now (at its next trap or block if it is running). False: it is not alive. */
bool sim_machine_kill(struct sim_machine *m, enum layer layer, uint32_t instance,
                      enum sim_death cause);

/* The process never executes again, but is not dead until somebody kills it. False: not alive. */
bool sim_machine_hang(struct sim_machine *m, enum layer layer, uint32_t instance);

bool sim_machine_hangs(const struct sim_machine *m, enum layer layer, uint32_t instance);

/* It goes on where it was. False: it does not hang, or is a fresh instance. */
bool sim_machine_wake(struct sim_machine *m, enum layer layer, uint32_t instance);

bool sim_machine_alive(const struct sim_machine *m, enum layer layer, uint32_t instance);

/* Calls on_block of the observer when (layer, instance), all its incarnations since the reset
 * together, has executed its k-th block from now on; k >= 1. One a process at a time; 0 disarms. */
void sim_machine_arm_block(struct sim_machine *m, enum layer layer, uint32_t instance, uint64_t k);

/* Power: all processes are gone, disks lose what `mode` says (not CHOSEN) and a write is torn as
 * `tears` says. Draws come from `rng_key`. */
void sim_machine_power_cut(struct sim_machine *m, enum sim_disk_cut mode, enum sim_cut_tears tears,
                           uint64_t rng_key);
bool sim_machine_powered(const struct sim_machine *m);

/*
 * After a power cut, nothing of a fault left: all but the time, what the disks hold and what was
 * counted is as after a reset. So what follows depends on these and on nothing else. Returns the
 * hash of the run so far; that of what follows begins anew.
 */
uint64_t sim_machine_rest(struct sim_machine *m);

/*
 * What is spoilt around the bit that is struck. The geometry is that of a rank of eight devices of
 * 8 bits (DDR3, x8, a row of 1 KiB a device): byte k of each word of 64 bits is device k's, a row
 * is 8 KiB of neighbours, and the same column of the next row of a bank lies 64 KiB away (8 banks).
 */
enum sim_flip_pattern {
    SIM_FLIP_SINGLE, /* `bits` neighbours */
    SIM_FLIP_ROW,    /* one device's byte of every word of the row, by values of `key` */
    SIM_FLIP_COLUMN, /* `bits` neighbours of one word, and of the words of that column */
    SIM_FLIP_STUCK,  /* as single, and the cells stay at what they are then, until the reset */
};

/* Where a memory fault may strike. */
struct sim_flip {
    enum layer layer;
    uint32_t instance;
    bool any_tag; /* any resident byte; else: */
    bool stack;   /* the process's stack; else: */
    enum plat_tag tag;
    bool any_state; /* pages: of any state in use; else: */
    enum plat_page_state state;
    double where;  /* [0, 1): which of the resident bytes that qualify */
    uint32_t bit;  /* 0..7; in_word: 0..63 */
    bool in_word;  /* of these only words number `word` of their line of 64 bytes: */
    uint32_t word; /* 0..7 */
    uint32_t bits; /* adjacent bits, >= 1 */
    enum sim_flip_pattern pattern;
    bool secded; /* memory with ECC (secded.h): what it corrects changes nothing; of what it detects
                    the process dies at once, as by the next read or scrub, and the page is retired
                  */
    uint64_t key;
};

struct sim_flip_result {
    bool hit;         /* false: no byte qualifies; nothing changed */
    uint64_t address; /* virtual address that was hit */
    enum plat_tag tag;
    bool stack;
    enum plat_page_state state;
    uint32_t changed; /* bits that are wrong now */
    bool detected;    /* by ECC: the process died */
};

/* How many resident bytes qualify, wherever `where` is. */
uint64_t sim_machine_flip_bytes(struct sim_machine *m, const struct sim_flip *flip);

/* Flips, and from now on takes the machine's memory for suspect: strict mode. The child process in
 * which it runs must be retired after the trial. */
struct sim_flip_result sim_machine_flip(struct sim_machine *m, const struct sim_flip *flip);

/*
 * Software bugs. Whatever does one of these takes the machine's memory for suspect, as a flip does.
 *
 * The hook is called when a program of the stack sends a message, before anybody else sees it; it
 * may change all of it but the source. Returns whether it is sent; one that is not was posted, and
 * its sender is told OK (what somebody waits for an answer to is sent all the same). It must not
 * kill. Not called for applications. NULL takes it out; it is out after a reset.
 */
typedef bool sim_send_hook_fn(void *context, enum layer layer, uint32_t instance, struct msg *m,
                              bool posted);
void sim_machine_hook_sends(struct sim_machine *m, sim_send_hook_fn *fn, void *context);

/* The same of what a driver asks of its device; the hook may change all but id and granter. */
typedef void sim_device_hook_fn(void *context, uint32_t instance, struct plat_disk_request *r);
void sim_machine_hook_device(struct sim_machine *m, sim_device_hook_fn *fn, void *context);

/* A store where the process did not mean to. */
struct sim_store {
    enum layer layer;
    uint32_t instance;
    bool astray;    /* where nothing of the process is: it dies of it */
    double where;   /* [0, 1): else the first byte that is overwritten, of its resident ones */
    uint32_t bytes; /* what lies behind its region ends the run of bytes and the process */
    uint64_t key;   /* of the values */
};
/* Whether there was such a process, and it died of it or has a byte that is another now. */
bool sim_machine_store(struct sim_machine *m, const struct sim_store *store);

/* The process never gives back what it takes, and has taken all there is: from now on no memory is
 * to be had, and its grants stay. A fresh instance has it all again. False: not alive. */
bool sim_machine_leak(struct sim_machine *m, enum layer layer, uint32_t instance);

/* In on_message only: what is about to be delivered, and from which endpoint. */
const struct msg *sim_machine_arriving(const struct sim_machine *m, uint32_t *source);

/* Copies what (layer, instance) could copy of a grant made to it. False: it could not. */
bool sim_machine_read_grant(struct sim_machine *m, enum layer layer, uint32_t instance,
                            uint32_t granter, uint32_t grant, size_t offset, void *to,
                            size_t bytes);

/* What is closed while a process runs whose memory, or another's, is suspect. */
enum sim_strict {
    SIM_STRICT_REGIONS, /* after a fault in memory: the regions of all others; the default */
    SIM_STRICT_FULL,    /* after it, the laboratory's own memory as well (guard.h): dear */
    SIM_STRICT_ALWAYS,  /* both from the next boot on, without a fault: for tests */
};

/* Outlives resets. Changes no run, but how one ends that stores or reads where it should not.
 * Returns whether the host lets the laboratory find its own memory; else regions alone are closed.
 */
bool sim_machine_set_strict(struct sim_machine *m, enum sim_strict strict);

/* ---- What can be seen of it ------------------------------------------------------------------ */

/* Each may be NULL. `n` counts from 1 since the reset or sim_machine_zero_counters. */
struct sim_observer {
    void *context;
    void (*on_death)(void *context, enum layer layer, uint32_t instance, enum sim_death cause);
    void (*on_ready)(void *context, enum layer layer, uint32_t instance, uint32_t incarnation);
    void (*on_report)(void *context, enum layer layer, uint32_t instance, enum report what,
                      uint64_t a, uint64_t b);
    void (*on_probe)(void *context, enum layer layer, uint32_t instance, enum probe probe,
                     uint64_t n);
    /* A message is about to be delivered to (layer, instance): its n-th. */
    void (*on_message)(void *context, enum layer layer, uint32_t instance, uint64_t n);
    void (*on_block)(void *context, enum layer layer, uint32_t instance);
};
void sim_machine_observe(struct sim_machine *m, const struct sim_observer *observer);

/*
 * What a tracer is told as it happens. It only looks: it must not do to the machine what an
 * observer may. A run that is traced is the same run, to its hash; it costs more host time.
 */
enum sim_trace_kind {
    SIM_TRACE_STARTS,   /* a fresh instance */
    SIM_TRACE_SENDS,    /* `message` to `peer`, which may never take it */
    SIM_TRACE_GIVEN,    /* `message` from `peer`, and it goes on: of one pair in order of sending */
    SIM_TRACE_NOTIFIED, /* by `peer`, a process or an endpoint of platform.h, and it goes on */
    SIM_TRACE_WAITS,    /* it stands still until it is given something or wakes */
    SIM_TRACE_WAKES,    /* what it waited for has ended with `result` */
    SIM_TRACE_PROBE,
    SIM_TRACE_ENDS,     /* it is dead */
    SIM_TRACE_POWER_CUT /* of the machine: what the disks held is gone after this */
};
struct sim_trace {
    enum sim_trace_kind kind;
    uint32_t slot; /* of the process: that of all its instances, below SIM_PROCESSES_MAX */
    enum layer layer;
    uint32_t instance;
    uint32_t endpoint, peer;
    const struct msg *message; /* valid until the function returns */
    enum err result;
    enum probe probe;
};
typedef void sim_trace_fn(void *context, const struct sim_trace *t);

/* For a tracer, of what runs in a slot now: the last value of a gauge, and pages in a state. */
uint64_t sim_machine_gauge(const struct sim_machine *m, uint32_t slot, enum gauge which);
uint32_t sim_machine_pages(const struct sim_machine *m, uint32_t slot, enum plat_page_state state);

/* Outlives resets; NULL takes it out. */
void sim_machine_trace(struct sim_machine *m, sim_trace_fn *fn, void *context);

/*
 * Told of each process of the stack where a stretch of its blocks ends: with block number `blocks`,
 * which counts as sim_machine_counts does. Killed at any block of one stretch it leaves the same
 * behind, but for the time: its memory is gone, and nobody has met it since the last stretch; where
 * something of it outlives it, that has the same bytes. Stretches may be empty. It only looks. A
 * watched run is the same run, to its hash; it must have no faults of memory.
 */
typedef void sim_edge_fn(void *context, enum layer layer, uint32_t instance, uint64_t blocks);

/* Outlives resets; NULL takes it out. At most one program of the machine may have a survivor. */
void sim_machine_watch(struct sim_machine *m, sim_edge_fn *fn, void *context);

/*
 * The next time that it is killed (SIM_DEATH_KILLED) it dies as if at block `blocks`, at `at_ns`,
 * both not before the present ones: so that deaths in one stretch can be compared to the bit.
 * Outlives resets.
 */
void sim_machine_stamp_death(struct sim_machine *m, enum layer layer, uint32_t instance,
                             uint64_t blocks, uint64_t at_ns);

struct sim_counts {
    uint64_t messages; /* delivered to this process */
    uint64_t blocks;   /* executed */
};
struct sim_counts sim_machine_counts(const struct sim_machine *m, enum layer layer,
                                     uint32_t instance);
struct sim_counts sim_machine_totals(const struct sim_machine *m);
uint64_t sim_machine_probe_count(const struct sim_machine *m, enum probe probe);

/* Counters of messages, blocks and probes start anew (time 0 of the trial). */
void sim_machine_zero_counters(struct sim_machine *m);

/* The hash of the run so far. */
uint64_t sim_machine_hash(const struct sim_machine *m);

#ifdef LORIS_PLANTED
/* Chooses the defect that plat_planted answers in this process from now on. */
void sim_machine_plant(struct sim_machine *m, enum planted bug);
#endif

#endif
