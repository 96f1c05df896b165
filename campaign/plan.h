/*
 * A campaign, understood: everything a trial needs, typed and checked, with `like`, includes,
 * sweeps and --set already worked in. The trial runner, the coordinator and the result store read
 * it; nobody writes to it after plan_load.
 *
 * Numbering. Variants, workloads and fault plans keep the file's order (sweep steps in the place of
 * what they multiply). Cell c = (variant * workloads + workload) * faults + fault; trial number of
 * the n-th trial of cell c = n * cells + c + 1. Selection and skipping renumber nothing.
 *
 * Invariants: (1) there is at least one variant, workload and fault plan, and cell_count is their
 * product; (2) every cell that is not skipped can run; (3) `yaml` alone, loaded again, gives an
 * equal plan.
 */
#ifndef LORIS_CAMPAIGN_PLAN_H
#define LORIS_CAMPAIGN_PLAN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "faults/fault.h"
#include "levels.h"
#include "results/measure.h"
#include "sim/option.h"
#include "sim/profiles.h"
#include "stack/designs.h"
#include "workloads/apps/bounded.h"
#include "workloads/registry.h"

#define PLAN_DISKS_MAX DISKS_MAX    /* of a machine, spares included */
#define PLAN_APPS_MAX 16            /* entries of one workload */
#define PLAN_CELLS_MAX 100000u      /* assumption: beyond, a sweep was a slip */
#define PLAN_STEPS_MAX 4096u        /* the same, of the combinations of a sweep */
#define PLAN_TRIALS_MAX 1000000000u /* a cell; trial numbers stay far below 2^63 */

/* A name and a text: of tags. */
struct plan_setting {
    const char *name, *text;
};

/* One leaf of what the file says of a variant, workload, fault plan ..., resolved and swept. */
struct plan_parameter {
    const char *part; /* campaign, variant, workload, fault, promise */
    const char *name; /* of the variant, ...; "" */
    const char *key;  /* path below it: "checkpoint", "machine.disks.size", "0.kind" */
    const char *text;
    double value; /* in ns, B or 1; NAN: no number */
};

struct plan_disk {
    const char *profile;      /* a name that sim/profiles.h knows */
    struct sim_params params; /* of the profile, with the file's overrides; checked */
    uint64_t size_bytes;      /* a multiple of 4096 */
    bool spare;
};

struct plan_machine {
    struct plan_disk disks[PLAN_DISKS_MAX]; /* members first, then spares */
    uint32_t disk_count;                    /* without spares */
    uint32_t spare_count;
    uint64_t memory_bytes;
    uint32_t environments;
    struct option_set restart; /* table of plan_restart_specs: policy, apps, heartbeat, ... */
};

struct plan_variant {
    const char *name;      /* "loris@checkpoint=1s" */
    const char *draw_name; /* "loris": what draws are keyed by */
    const struct design *design;
    struct option_set options;
    struct plan_machine machine;
    struct stack_options stack; /* what its processes are told; seed as of the plan */
};

struct plan_app {
    const struct app_info *info;
    struct option_set options;     /* `copies` is resolved: never 0 */
    const char *script;            /* app script: the text of the operation list, else NULL */
    const char *script_path;       /* as the campaign names it */
    const struct bounded *bounded; /* app bounded: its sequences, else NULL */
};

struct plan_workload {
    const char *name, *draw_name;
    uint32_t app_count;
    struct plan_app *apps;
    bool user_transactions; /* some app of it uses them */
    uint64_t sequences;     /* app bounded: how many there are, of several apps the least; else 0 */
};

struct plan_cell {
    uint32_t variant, workload, fault; /* indices */
    const char *skipped;               /* why it cannot or shall not run; NULL: it runs */
    bool selected;                     /* by --only and --skip, and not skipped */
    bool promise_given;                /* the file's promises override the design's here: */
    enum level promise;                /* what is promised; LEVEL_NONE: nothing */
};

/* Defaults for `loris compare`. */
struct plan_compare {
    const char *base, *new_variant; /* or NULL */
    bool measure_given;
    uint32_t measures; /* a bit for each of results/measure.h; level if not given */
    bool margin_given, alpha_given;
    double margin, alpha; /* shares of 1 */
};

enum plan_trials_kind {
    PLAN_TRIALS_FIXED,
    PLAN_TRIALS_HALF_WIDTH, /* cells end early (early.h); `count` is max */
    PLAN_TRIALS_DETECT,     /* `count` was computed before the run */
};

struct plan_trials {
    enum plan_trials_kind kind;
    uint64_t count; /* a cell: fixed number, or the most */
    double half_width, confidence;
    const char *of; /* "broken", "wrong" or a level */
    double detect, from, power, alpha;
};

struct yaml;

struct plan {
    const char *name, *question, *notes; /* question, notes: "" if absent */
    const struct plan_setting *tags;
    uint32_t tag_count;
    uint64_t seed;
    struct plan_trials trials;
    uint64_t limit_ns; /* virtual time without progress after which a trial is dead */

    struct plan_variant *variants;
    uint32_t variant_count;
    struct plan_workload *workloads;
    uint32_t workload_count;
    struct fault_plan *faults;
    uint32_t fault_count;
    struct plan_cell *cells;
    uint32_t cell_count;

    const char *const *sweep_keys; /* names without their prefix: "checkpoint", "disks.size" */
    uint32_t sweep_count;

    struct plan_compare compare;

    const struct plan_parameter *parameters; /* everything that shapes a run */
    uint32_t parameter_count;

    uint64_t shard, shards;                                       /* 1 of 1 unless --shard */
    struct yaml **variant_nodes, **workload_nodes, **fault_nodes; /* of each, as the file has it,
                                with includes, `like` and sweeps worked in */
    const char *yaml;     /* the merged campaign, canonical: what the database stores */
    const char *identity; /* yaml without what resume lets differ: question, notes, tags, compare,
                             trials */
    struct arena *arena;  /* owns all of the above */
};

/* What the command line adds; all lists may be empty. */
struct plan_request {
    const char *path; /* of the campaign file; shown as is in messages */
    const char *const *sets;
    uint32_t set_count;
    const char *const *only;
    uint32_t only_count;
    const char *const *skip;
    uint32_t skip_count;
    bool trials_given, seed_given;
    uint64_t trials, seed;
    const char *shard; /* "I/N" or NULL */
};

/*
 * Reads, merges and checks a campaign. Returns the plan, the caller's (plan_destroy), or NULL after
 * writing every error, a line each, to `errors`.
 */
struct plan *plan_load(const struct plan_request *request, FILE *errors);

/*
 * The same of a text that stands for the file: the YAML that a database stores. Paths of scripts
 * and includes must not occur in it (their content is stored in it).
 */
struct plan *plan_load_text(const char *text, const struct plan_request *request, FILE *errors);

void plan_destroy(struct plan *plan);

/* The number of the n-th trial of a cell; and back (trial >= 1). */
uint64_t plan_trial_number(const struct plan *plan, uint32_t cell, uint64_t n);
void plan_trial_place(const struct plan *plan, uint64_t trial, uint32_t *cell, uint64_t *n);

/* Index of a cell. */
uint32_t plan_cell_index(const struct plan *plan, uint32_t variant, uint32_t workload,
                         uint32_t fault);

/*
 * Finds the trial that a user names: a number, or variant/workload/fault/n. Returns the number, or
 * 0 with a message in error[OPTION_ERROR_BYTES].
 */
uint64_t plan_find_trial(const struct plan *plan, const char *name, char *error);

/* How many trials each cell of a workload has: trials.count, but not more than it has sequences. */
uint64_t plan_cell_trials(const struct plan *plan, uint32_t workload);

/* Whether trial `n` of `cell` belongs to this run: selected, below plan_cell_trials, of this shard.
 */
bool plan_wants(const struct plan *plan, uint32_t cell, uint64_t n);

/* How many trials of `cell` belong to this run. O(shards). */
uint64_t plan_wanted(const struct plan *plan, uint32_t cell);

/* The table of the options of the restart service (machine: restart). */
const struct option_spec *plan_restart_specs(uint32_t *count);

#endif
