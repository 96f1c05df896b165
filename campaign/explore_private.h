/*
 * The inside of an explorer, shared by explore.c (points, walks, verdicts) and explore_boot.c (the
 * recorded run, and what a boot of one state finds).
 */
#ifndef LORIS_CAMPAIGN_EXPLORE_PRIVATE_H
#define LORIS_CAMPAIGN_EXPLORE_PRIVATE_H

#include "campaign/explore.h"
#include "campaign/trial_private.h"
#include "sim/memo.h"
#include "sim/record.h"
#include "workloads/oracle/copy.h"

/* A place of the recorded run where the power may fail. Its history is kept only if it is visited.
 */
struct place {
    uint32_t entry;   /* of the recording: it has happened */
    uint32_t history; /* which of the kept ones was the history then */
    uint64_t alive;   /* applications that had not ended: a bit each */
    bool persistence; /* an fsync, sync or commit was answered OK just now */
};

/* What a machine has done so far. */
struct work {
    uint64_t events, messages, ios, blocks;
};

/* What a boot of one class of states found. */
struct leaf {
    struct judge_input in; /* but for the history; observations are the leaf's own */
    struct observation *seen, *again;
    bool walked;
    uint64_t hash, digest; /* digest: only if the sink wants it */
    uint64_t service_ns;   /* from power on to full service; HISTORY_NEVER: not reached */
    uint64_t rebuilt_ns;   /* since time 0; 0: never */
    uint64_t power_ns;     /* when power came back, since time 0 */
    struct work work;
    struct record_event *heard;
    uint32_t heard_count;
    uint64_t visit; /* number of the point's visit that met it last */
};

/* Leaves of an eager exploration, by image. */
struct image {
    uint64_t low, high;
    uint32_t leaf;
};

struct explorer {
    struct lab *lab;
    const struct plan *plan;
    const struct fault *fault;
    const struct explore_options *options;
    const struct explore_sink *sink;
    uint32_t cell;

    struct sim_machine *machine; /* that `recording` is of */
    struct sim_record *recording;
    struct sim_states *states;
    struct sim_memo *memo;
    bool recording_now, answered_sync;
    uint32_t only;  /* the one point that is visited; UINT32_MAX: those that the options say */
    bool from_mark; /* app `bounded`: its set-up, before the mark, has no points */
    struct place *places;
    uint32_t place_count, place_room;
    struct history **histories; /* kept copies, made as needed and used again */
    uint32_t history_count, history_room;
    uint64_t history_progress;
    struct run_state base_run;                               /* as time 0 found it */
    uint64_t first_write[DISKS_MAX], first_flush[DISKS_MAX]; /* before time 0 */
    uint64_t end_ns; /* of the recorded run, on the machine's clock */

    struct leaf *leaves;
    uint32_t leaf_count, leaf_room;
    uint64_t leaf_bytes;
    struct image *images;
    uint32_t image_room;
    uint32_t *read_in; /* by variable: the boot that read it last */
    uint32_t read_room;
    uint32_t boot; /* number of the present one, from 1 */
    uint64_t boots, visits;
    struct seconds *seconds;    /* explore_second.c */
    struct trial_record *heard; /* of the present boot */

    struct history *now; /* the history of the present point, with the loss of power */
    struct strike strike;
    struct explore_sum sum;
    enum level promised;          /* of the cell */
    bool late;                    /* the deadline has passed */
    uint64_t row[EXPLORE_DEPTHS]; /* last number given in this job, by depth */
};

/* explore_boot.c */

/* Whether the point is one of those that are visited. */
bool explore_wants(const struct explorer *x, uint32_t number, bool persistence);

/* Runs the job without faults and records it: places, histories, entries. */
void explore_record(struct explorer *x, uint32_t cell, uint64_t n);

/* Boots the states at hand and keeps what came as a new leaf; its number. */
uint32_t explore_boot(struct explorer *x);

/* Forgets all leaves and what is known of them. */
void explore_forget(struct explorer *x);

struct work explore_work(const struct explorer *x);

/* explore_second.c: the second look of a boot, after an orderly stop, from what others found who
 * read the same. */

struct seconds *explore_seconds_create(void);
void explore_seconds_destroy(struct seconds *s);
/* For recordings on these disks. */
void explore_seconds_reset(struct explorer *x);
void explore_seconds_forget(struct explorer *x);

/* While a boot goes on its second look comes from here. */
void explore_seconds_begin(struct explorer *x);
/* It is over. Returns the hash of all of it; *work: what it did not do, but would have. */
uint64_t explore_seconds_end(struct explorer *x, struct work *work);
/* A read of the present boot: `count` sectors from `first` of disk `d` were `raw`. */
void explore_seconds_read(struct explorer *x, uint32_t d, uint64_t first, uint32_t count,
                          const uint8_t *raw);

#endif
