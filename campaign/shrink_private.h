/*
 * The inside of `loris shrink`, shared by shrink*.c.
 *
 * A candidate is a campaign of one cell, as a tree; what runs is the last of its trials. It fails
 * the same way if it has the same cause: level, clause of the oracle, promise broken or not, and of
 * a death who died of what. Paths and times do not count.
 *
 * Invariants: (1) `best` fails the same way, and its canonical text is the shortest so far of
 * its line; (2) which candidate is taken depends on their order alone: the first that fails the
 * same, whatever -j (the budget apart); (3) a candidate runs in a child process and changes nothing
 * here.
 */
#ifndef LORIS_CAMPAIGN_SHRINK_PRIVATE_H
#define LORIS_CAMPAIGN_SHRINK_PRIVATE_H

#include "campaign/shrink.h"
#include "campaign/yaml.h"
#include "faults/inject.h"
#include "levels.h"
#include "results/record.h"

#define SHRINK_NONE UINT32_MAX
#define SHRINK_CAUSE_BYTES 200u
#define SHRINK_TAPE_BYTES (1u << 20) /* an operation list; assumption: 30,000 operations */
#define SHRINK_TAPE_FDS 256u
#define SHRINK_TAPE_PATH 256u

/* What the only application of a run did, as an operation list. */
struct shrink_tape {
    uint32_t apps;    /* processes; with more than one nothing is kept */
    bool inexact;     /* it did something that no line says, or too much */
    uint32_t used;    /* bytes of text */
    uint64_t last_ns; /* of its last answer */
    char path[SHRINK_TAPE_FDS][SHRINK_TAPE_PATH];
    char text[SHRINK_TAPE_BYTES];
};

/* What became of a candidate. */
struct shrink_outcome {
    bool ran; /* it is a sound campaign, and its run came to an end */
    char cause[SHRINK_CAUSE_BYTES];
    char story[RECORD_STORY_BYTES];
    bool injected; /* every fault took effect */
    bool fails; /* a promise or an invariant is broken, or nothing is promised and much is lost */
    uint64_t hash;
    enum level level;
    uint64_t anomalies;
    uint64_t writes;                        /* of all disks, in the fault-free run */
    uint64_t messages[FAULTS_PER_PLAN_MAX]; /* of the busiest instance of fault i's layer, there */
    uint32_t faults;
    struct strike strike[FAULTS_PER_PLAN_MAX];
};

struct shrink_cache;
struct shrink_slot;

struct shrink {
    const struct shrink_options *options;
    struct arena *arena;
    struct yaml *best;
    const char *variant, *workload, *fault; /* names of the cell */
    struct shrink_outcome look;             /* of `best`, as of the last shrink_look */
    char cause[SHRINK_CAUSE_BYTES];         /* what a candidate must have */
    bool injected;                          /* the same: its faults have to strike, if they did */
    struct shrink_cache *cache;
    struct shrink_slot *slots; /* options->jobs */
    uint64_t deadline_ns;      /* host time */
    uint64_t runs;
    struct shrink_tape *tape; /* while it is offered as a script, else NULL */
    uint32_t chunk;           /* lines that a pass over the script takes out together */
};

/*
 * One step of a pass: changes `root`, a copy of the best candidate in `arena`, in the k-th way.
 * Returns false if there are not so many ways.
 */
typedef bool shrink_step(const struct shrink *s, struct arena *arena, struct yaml *root,
                         uint32_t k);

/* shrink_run.c */

/* Runs a candidate to know it in full. tape: filled, may be NULL. */
void shrink_run(struct shrink *s, const struct yaml *root, struct shrink_outcome *outcome,
                struct shrink_tape *tape);
/* Visits the crash state of a row that `loris explore` made. */
struct stored;
void shrink_visit(struct shrink *s, const struct stored *file, struct shrink_outcome *outcome);
/* Runs `best` and keeps what it finds in s->look. */
void shrink_look(struct shrink *s);
/* Tries the step's ways from number `from` on, several at a time. The first in order that fails the
 * same becomes `best`; returns its number, or SHRINK_NONE. */
uint32_t shrink_first(struct shrink *s, shrink_step *step, uint32_t from);
/* The same again and again; whether anything was found. */
bool shrink_all(struct shrink *s, shrink_step *step);
/* Whether no further candidate is begun: the budget is used up, or a signal came. */
bool shrink_is_over(const struct shrink *s);
/* SIGINT and SIGTERM end the search from now on; a second one ends the program, as ever. */
void shrink_catch(void);
/* The signal that came, or 0. */
int shrink_caught(void);
void shrink_open(struct shrink *s);
void shrink_close(struct shrink *s);

/* shrink_record.c: a listener that fills a tape. */
struct lab_listener;
struct lab_listener shrink_recorder(struct shrink_tape *tape);

/* shrink_tree.c: places of a candidate, and small changes. */
struct yaml *shrink_variant(const struct shrink *s, const struct yaml *root);
struct yaml *shrink_faults(const struct shrink *s, const struct yaml *root);
/* The k-th application, or NULL. */
struct yaml *shrink_app(const struct shrink *s, const struct yaml *root, uint32_t k);
struct yaml *shrink_workload(const struct shrink *s, const struct yaml *root);
void shrink_set_workload(const struct shrink *s, struct arena *arena, struct yaml *root,
                         struct yaml *node);
/* Whether a run is the same failure. */
bool shrink_same(const struct shrink *s, const struct shrink_outcome *outcome);
struct yaml *shrink_machine(const struct shrink *s, const struct yaml *root);
void shrink_put(struct arena *arena, struct yaml *map, const char *key, const char *yaml);
void shrink_drop_item(struct yaml *list, uint32_t k);
/* The whole number that a plain text is. */
bool shrink_number(const struct yaml *node, uint64_t *number);
/* The operation list, or NULL if the workload is no single script. */
const char *shrink_script(const struct shrink *s, const struct yaml *root);
void shrink_put_script(const struct shrink *s, struct arena *arena, struct yaml *root,
                       const char *text);

/* shrink_passes.c, shrink_script.c: what is tried. */
shrink_step step_fault, step_app, step_one_app, step_app_number, step_environments, step_disks,
    step_crash, step_state, step_state_less, step_fault_number, step_option, step_disk_size,
    step_strike, step_explicit, step_first_trial;
shrink_step step_chunk, step_tail, step_sleeps, step_pauses, step_number, step_name,
    step_line_and_strike;
/* Takes every `try` out of the script. False: there is none. */
bool shrink_drop_tries(const struct shrink *s, struct arena *arena, struct yaml *root);
/* ddmin over the lines of the script. Whether anything was found. */
bool shrink_lines(struct shrink *s);

#endif
