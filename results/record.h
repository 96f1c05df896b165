/*
 * What one trial leaves behind: the row of the view `trials` and its lists, flat, so that a worker
 * can send it over a pipe and the coordinator can store it (store.h).
 *
 * A record carries no pointer. Texts are bounded and end in NUL; lists have a count and a limit,
 * and what finds no room is counted in `dropped`, never lost without a trace. Names of variant,
 * workload and fault are those of the plan's cell `cell` (store.h): a record does not repeat them.
 *
 * Invariants of a valid record (record_check):
 *   (1) trial >= 1; level < LEVEL_COUNT; promised, design_promise <= LEVEL_NONE;
 *   (2) every count is within its limit, every text ends within its room;
 *   (3) rebuild_ns, recovery_ns, outage_ns, rpo_ns >= RECORD_NULL.
 */
#ifndef LORIS_RESULTS_RECORD_H
#define LORIS_RESULTS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "errors.h"
#include "levels.h"

/* Stands for SQL NULL in the times of a record: not reached, not known. */
#define RECORD_NULL (-1)

/* Limits, all assumptions: what a person would read of one trial, and 64 KiB of a pipe. */
#define RECORD_STRUCK_BYTES 4096
#define RECORD_STATE_BYTES 4096
#define RECORD_STORY_BYTES 512
#define RECORD_WORD_BYTES 24    /* a layer, an operation, a kind of event */
#define RECORD_DETAIL_BYTES 104 /* what an event adds */
#define RECORD_LATENCIES_MAX 96 /* three phases of 32 operations */
#define RECORD_EVENTS_MAX 256
#define RECORD_ENVIRONMENTS_MAX 64
#define RECORD_TIMELINE_MAX 2048
#define RECORD_BINS_MAX 512

enum phase {
    PHASE_BEFORE = 0, /* before the first fault struck; all of a trial without one */
    PHASE_DURING = 1, /* overlapped the outage */
    PHASE_AFTER = 2,
    PHASE_COUNT = 3
};

/* One row of `latencies`: the answers of one operation in one phase. Times in ns. */
struct record_latency {
    enum phase phase;
    char op[RECORD_WORD_BYTES]; /* create, write, fsync, ... */
    uint64_t n;                 /* answered operations */
    uint64_t mean_ns, p50_ns, p99_ns, max_ns;
};

/* One row of `events`: what the trace tells of the trial, in order of time. */
struct record_event {
    uint64_t time_ns;
    char layer[RECORD_WORD_BYTES]; /* "physical", "disk", "machine", ... */
    char what[RECORD_WORD_BYTES];  /* "fault injected", "detected", "crash", "restart", ... */
    char detail[RECORD_DETAIL_BYTES];
};

#define RECORD_PROBE_WORDS 2

/* One row of `environments`. */
struct record_environment {
    enum level level;
    uint32_t killed; /* applications that died */
};

/* Operations that ended near the fault, by end time and latency; see samples.h for both grids. */
struct record_timeline {
    int32_t bucket;  /* place on the offset grid, samples_bucket */
    uint32_t bin;    /* place on the latency grid, samples_bin */
    uint64_t n;      /* operations */
    uint64_t sum_ns; /* of their latencies */
};

/* Operations of a phase by latency: what the distribution over a cell is added up from. */
struct record_bin {
    enum phase phase;
    uint32_t bin; /* samples_bin */
    uint64_t n;
};

struct trial_record {
    uint64_t trial; /* as the user writes it, from 1 */
    uint32_t cell;  /* index of the cell in the plan, from 0 */
    uint64_t n;     /* the trial's index within the cell, from 0 */
    uint64_t hash;  /* of the event stream */
    enum level level;
    enum level promised, design_promise; /* after and before the file's promises; or LEVEL_NONE */
    bool injected;                       /* every fault of the plan took effect */
    char struck[RECORD_STRUCK_BYTES];    /* JSON list; "" is stored as [] */
    char state[RECORD_STATE_BYTES];      /* JSON map of explore; "" is stored as NULL */
    uint64_t exposure_ns;
    uint64_t anomalies;
    uint64_t ops, ops_failed, ops_lost, synced_lost, bytes_wrong;
    int64_t rpo_ns, outage_ns, recovery_ns, rebuild_ns; /* RECORD_NULL: not reached */
    char detected_by[RECORD_WORD_BYTES];                /* "" is stored as NULL */
    uint32_t environments_hit;
    bool undecided; /* the oracle gave up a search: the level may be too weak */
    uint64_t sim_ns, events, messages, ios, blocks;
    int64_t written; /* bytes that disks wrote until the end of the run; RECORD_NULL: not counted */
    int64_t app_written; /* bytes of the applications' writes that were answered OK */
    uint64_t wall_ns;
    uint64_t probes[RECORD_PROBE_WORDS]; /* bit p: the run reached probe p of this build */
    char story[RECORD_STORY_BYTES];

    uint32_t latency_count, event_count, environment_count, timeline_count, bin_count;
    uint32_t dropped; /* list entries that found no room */
    struct record_latency latency[RECORD_LATENCIES_MAX];
    struct record_event event[RECORD_EVENTS_MAX];
    struct record_environment environment[RECORD_ENVIRONMENTS_MAX];
    struct record_timeline timeline[RECORD_TIMELINE_MAX];
    struct record_bin bin[RECORD_BINS_MAX];
};

/* Bytes that any record fits in when encoded, its length prefix included. */
#define RECORD_ENCODED_MAX (256 * 1024)

/* Makes an empty record: level transparent, nothing promised, not injected, times and bytes written
 * RECORD_NULL but rpo_ns and outage_ns, which are 0. */
void record_init(struct trial_record *record);

/* 1 kept, 0 broken, RECORD_NULL where nothing is promised. */
int record_kept(const struct trial_record *record);

/* Whether the record holds its invariants. For one that came from outside. */
bool record_check(const struct trial_record *record);

/*
 * Appends to the list of events; texts are cut to their room. Beyond RECORD_EVENTS_MAX the entry is
 * counted in `dropped`. detail may be NULL.
 */
void record_add_event(struct trial_record *record, uint64_t time_ns, const char *layer,
                      const char *what, const char *detail);

/* Copies `text` into `room` bytes, cut where needed (at a UTF-8 boundary), always ended by NUL. */
void record_text(char *to, size_t room, const char *text);

/*
 * Writes the record as bytes: a little-endian 32-bit count of the bytes that follow, then fields.
 * out: room for RECORD_ENCODED_MAX. Returns the bytes written, prefix included.
 */
size_t record_encode(const struct trial_record *record, uint8_t *out);

/*
 * Reads one encoded record, prefix included, of exactly `bytes` bytes. Returns OK, or E_CORRUPT
 * with *record undefined: the bytes come from a worker that may have died badly.
 */
MUST_USE enum err record_decode(struct trial_record *record, const uint8_t *raw, size_t bytes);

/* The level of that name, "none" included; LEVEL_COUNT + 1 for a name that is none. */
unsigned level_from_name(const char *name);

/* "before", "during", "after". */
const char *phase_name(enum phase phase);

#endif
