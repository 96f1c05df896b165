/*
 * What a loss of power at one place of a recorded execution may leave on the disks: the legal
 * states, their number, and a walk over them that decides only what is asked for.
 *
 * Of each sector a crash keeps the base or one version that was accepted so far, not below its
 * *floor*. The floor rises to a version when a flush completes that arrived after the version was
 * acknowledged; when an acknowledged write was FUA; and at the acknowledgement on a disk without a
 * cache or with a protected one. A *pending* write has a version above a floor, and was not
 * aborted: it is kept, left out, or torn to a prefix of its atoms. A state says that of each.
 *
 * Legal states, a disk by itself: the cache stops after its p-th pending write, for any p; of those
 * p at most `depth` are left out; at most one that is kept is torn (if tears are wanted). An
 * `ordered` cache leaves none out. The disks are independent: states multiply.
 *
 * The walk: sim_states_start leaves everything undecided; sim_states_value asks for the content of
 * a sector, and so decides the writes that it depends on, newest first: kept if that is legal, else
 * left out. sim_states_open counts the legal states that agree with what is decided;
 * sim_states_next goes to the next choice of the last decision that has one. So the sets of states
 * that a walk goes through are disjoint, and together they are all.
 */
#ifndef LORIS_SIM_STATES_H
#define LORIS_SIM_STATES_H

#include "sim/record.h"

__extension__ typedef unsigned __int128 sim_count;

#define SIM_DEPTH_MAX 15u

enum sim_states_which {
    SIM_STATES_ALL,
    SIM_STATES_DROP, /* the one in which nothing pending is kept */
    SIM_STATES_KEEP, /* the one in which everything is */
};

struct sim_states_bounds {
    enum sim_states_which which;
    uint32_t depth; /* up to SIM_DEPTH_MAX */
    bool tears;     /* ALL: one kept write of each disk may be torn to a prefix */
};

/* One state of a disk in words. Places count its pending writes from 1, oldest first. */
struct sim_state_disk {
    uint32_t keep; /* the cache stops after this many */
    uint32_t left_count;
    uint32_t *left;         /* [left_count] ascending places up to keep, left out */
    uint32_t torn, sectors; /* the place that is torn and what is kept of it; 0: none */
};

struct sim_states;

struct sim_states *sim_states_create(void);
void sim_states_destroy(struct sim_states *s);

/* Stands before the first entry of a recording, which must outlive the use. */
void sim_states_rewind(struct sim_states *s, const struct sim_record *record);

/* Goes on until the first `entries` entries of the recording have happened; never back. */
void sim_states_advance(struct sim_states *s, uint32_t entries);

/* Pending writes of a disk here. */
uint32_t sim_states_pending(const struct sim_states *s, uint32_t disk);

/* Begins a walk: everything undecided. Returns the number of legal states. */
sim_count sim_states_start(struct sim_states *s, const struct sim_states_bounds *bounds);

/* The content of a variable in the states at hand (sim_record_bytes); may decide. */
uint32_t sim_states_value(struct sim_states *s, uint32_t variable);

/* Decides every write: one state is left. */
void sim_states_decide(struct sim_states *s);

/* Whether the variable has more than one content in the legal states here. O(its versions). */
bool sim_states_varies(const struct sim_states *s, uint32_t variable);

/* The legal states that agree with what is decided; at least 1. */
sim_count sim_states_open(const struct sim_states *s);

/* The next choice. False: none is left, the walk is over. */
bool sim_states_next(struct sim_states *s);

/* Of the states at hand the one that keeps what is undecided before the last kept write and leaves
 * out what is behind: its words for a disk. to->left has room for sim_states_pending places. */
void sim_states_describe(const struct sim_states *s, uint32_t disk, struct sim_state_disk *to);

/* After sim_states_start: decides all writes of a disk by its words. False: they are no state of it
 * here: places out of range or order, a tear of what is left or of no sector or all. Any depth. */
bool sim_states_set(struct sim_states *s, uint32_t disk, const struct sim_state_disk *state);

#endif
