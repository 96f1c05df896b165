/*
 * What a campaign file says of one fault: kind, target, moment and strength. Read-only data that
 * the parser makes and the injectors read; nothing here was drawn yet. A draw is a fraction of [0,
 * 1) keyed by (seed, plan, place in the plan, n); amount_at() and amount_share() of sim/amount.h
 * turn it into a value, so every variant strikes at the same share of what it offers.
 *
 * Fields that a kind does not use hold their defaults (fault_default). Texts are owned by the plan
 * (struct plan) and live as long as it.
 */
#ifndef LORIS_FAULTS_FAULT_H
#define LORIS_FAULTS_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layers.h"
#include "probes.h"
#include "sim/amount.h"
#include "sim/states.h"

#define FAULTS_PER_PLAN_MAX 16 /* assumption: no question of the papers needs more than four */

enum fault_kind {
    FAULT_DISK_FAIL_STOP,
    FAULT_DISK_FAIL_SLOW,
    FAULT_DISK_LATENT_ERROR,
    FAULT_DISK_TRANSIENT_ERROR,
    FAULT_DISK_BIT_ROT,
    FAULT_DISK_TORN_WRITE,
    FAULT_DISK_LOST_WRITE,
    FAULT_DISK_MISDIRECTED_WRITE,
    FAULT_DISK_MISDIRECTED_READ,
    FAULT_DISK_LYING_FLUSH,
    FAULT_POWER_CUT,
    FAULT_PROCESS_CRASH,
    FAULT_PROCESS_HANG,
    FAULT_PROCESS_BUG,
    FAULT_MEMORY_FLIP,
    FAULT_KINDS
};

/* When it strikes: counts are 1-based. `uniform` numbers are shares of the fault-free run. */
enum fault_when_kind {
    FAULT_AT_UNIFORM, /* a share of the virtual time of the fault-free run */
    FAULT_AT_TIME,    /* number: ns since the apps started */
    FAULT_AT_OP,      /* number: the n-th operation, of all apps */
    FAULT_AT_IO, /* number: the n-th request of `disk` (NONE here: the fault's; else all disks) */
    FAULT_AT_WRITE,    /* number: the n-th write of `disk` */
    FAULT_AT_MESSAGE,  /* number: the n-th message received by `layer` */
    FAULT_AT_BLOCK,    /* number: the n-th basic block of `layer` */
    FAULT_AT_PROBE,    /* number: the n-th time that `probe` is passed */
    FAULT_AT_MARK,     /* number: the n-th `mark` of an operation script */
    FAULT_AT_RECOVERY, /* number: UNIFORM share of (or ns into) the recovery from the fault before
                        */
    FAULT_AT_AFTER,    /* number: ns after the entry before it struck */
    FAULT_AT_RATE,     /* number: ns between the strikes of each target, drawn, over `over_ns` */
};

enum fault_target_kind {
    FAULT_TARGET_NONE, /* not given */
    FAULT_TARGET_ANY,  /* drawn */
    FAULT_TARGET_ALL,
    FAULT_TARGET_INDEX, /* `index`, from 0 */
    FAULT_TARGET_HOLDS, /* of the disks that hold content of file `path`: number `index` */
};

struct fault_target {
    enum fault_target_kind kind;
    uint32_t index;
    const char *path; /* HOLDS */
};

struct fault_when {
    enum fault_when_kind kind;
    struct amount number;
    struct fault_target disk; /* IO, WRITE: NONE if the fault's own or all */
    enum layer layer; /* MESSAGE, BLOCK: never NONE there (taken from the fault if absent) */
    enum probe probe; /* PROBE */
    double per_year;  /* RATE: as given, 0 if a distribution was */
    uint64_t over_ns; /* RATE: calendar time that the trial lasts */
};

/* What becomes of the volatile write caches at a power cut. */
enum fault_cache {
    FAULT_CACHE_DROP,
    FAULT_CACHE_KEEP,
    FAULT_CACHE_RANDOM,  /* each pending write by itself */
    FAULT_CACHE_REORDER, /* as if written back in a random order, cut at a random place */
};

enum fault_region {
    FAULT_REGION_ANY,
    FAULT_REGION_PAGES,
    FAULT_REGION_HEAP,
    FAULT_REGION_STACK,
    FAULT_REGION_LOG,
};

enum fault_page_state {
    FAULT_PAGE_ANY,
    FAULT_PAGE_CLEAN,
    FAULT_PAGE_DIRTY,
    FAULT_PAGE_WRITING,
};

enum fault_pattern {
    FAULT_PATTERN_SINGLE,
    FAULT_PATTERN_ROW,
    FAULT_PATTERN_COLUMN,
    FAULT_PATTERN_STUCK,
};

enum fault_ecc {
    FAULT_ECC_NONE,
    FAULT_ECC_SECDED,
};

/* Which sectors bit rot and latent errors choose from. */
enum fault_where {
    FAULT_WHERE_USED, /* sectors ever written */
    FAULT_WHERE_ANY,
    FAULT_WHERE_DATA,
    FAULT_WHERE_METADATA,
    FAULT_WHERE_FILE, /* `where_path` */
};

enum fault_tears {
    FAULT_TEARS_NONE,
    FAULT_TEARS_PREFIX, /* one write a disk may be torn to a prefix of its sectors (default) */
    FAULT_TEARS_ANY,
    FAULT_TEARS_ERROR,
};

enum fault_bug {
    FAULT_BUG_WRONG_VALUE,
    FAULT_BUG_WRONG_ERROR,
    FAULT_BUG_WILD_STORE,
    FAULT_BUG_BAD_MESSAGE,
    FAULT_BUG_LEAK,
    FAULT_BUG_ANY, /* drawn by the shares of the field */
};

/* A crash state, write by write: which pending writes of each disk survive a power cut. */
struct fault_state {
    uint32_t disks; /* given; others keep nothing */
    struct sim_state_disk disk[DISKS_MAX];
};

struct fault {
    enum fault_kind kind;
    struct fault_when at;

    struct fault_target disk; /* disk.*: default ANY */
    struct amount count;      /* sectors, requests or writes, by kind: default 1 */
    enum fault_where where;   /* latent-error, bit-rot */
    const char *where_path;
    uint64_t near_bytes; /* latent-error, bit-rot: every other sector lies so near the one before */
    struct amount factor; /* fail-slow: times slower, default 10 */
    struct amount for_ns; /* how long: fail-stop, fail-slow, lying-flush, default FOREVER */
    bool replaced;        /* fail-stop: after that time a blank disk stands in its place */

    enum fault_cache cache;           /* power.cut, default RANDOM */
    const struct fault_state *chosen; /* power.cut: in place of `cache` and `tears`; or NULL */
    enum fault_tears tears;           /* power.cut, default PREFIX */
    struct amount off_for_ns;         /* power.cut: default 10 s */

    enum layer layer;             /* process.*, memory.flip; NONE for other kinds */
    struct fault_target instance; /* ANY, ALL, INDEX: the disk's or the environment's number */
    struct amount repeat;         /* process.*: dies this many times, default 1 */
    bool repeat_same_request;     /* process.*: dies whenever it meets that request */
    enum fault_bug bug;           /* process.bug */

    enum fault_region region; /* memory.flip */
    enum fault_page_state state;
    enum fault_pattern pattern;
    enum fault_ecc ecc;
    struct amount bits; /* default 1 */
    /* memory.flip, as `loris explore` chooses: a bit of words of one number in their line of 64
     * bytes, of these words drawn with this ordinal. No campaign says it. */
    bool in_word;
    uint32_t word, bit;
    uint64_t draw;
};

/* One fault plan: all its faults are injected in each of its trials, in this order. */
struct fault_plan {
    const char *name;      /* with its @ part if it was swept */
    const char *draw_name; /* without: draws are keyed by it */
    uint32_t count;        /* 0: the fault-free plan */
    struct fault *faults;
};

/* The calendar time that a trial of this plan lasts: the longest `over`; 0: no entry has one. */
uint64_t fault_plan_over_ns(const struct fault_plan *plan);

/* The defaults of campaign/FORMAT.md for a fault of `kind`. */
struct fault fault_default(enum fault_kind kind);

/* The name that campaign files use: "disk.fail-stop", ... Static text. */
const char *fault_kind_name(enum fault_kind kind);

/* Whether a fault of this kind can corrupt the memory of processes (wild stores): a child that ran
 * one is retired after the trial, and the trial runs in strict mode. */
bool fault_corrupts_memory(enum fault_kind kind);

#endif
