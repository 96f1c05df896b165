/*
 * The injector: turns one fault plan into triggers on a machine, and strikes. Each fault's moment
 * and target are drawn as fractions keyed by (campaign seed, plan's name, place in the plan, n) and
 * scaled by what the fault-free run of this variant offers, so that every variant is struck at the
 * same share of its own run. Nothing here reaches into the stack.
 *
 * The trial runner owns the machine's observer and tells the injector what happens
 * (injector_on_...); requests of disks the injector observes itself. A strike takes effect inside
 * these calls. A power cut is the trial runner's to carry out: it is asked for it (cut), since it
 * must also end the applications and boot again.
 */
#ifndef LORIS_FAULTS_INJECT_H
#define LORIS_FAULTS_INJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "faults/fault.h"
#include "sim/machine.h"

#define OFFER_INSTANCES_MAX DISKS_MAX

/* What the fault-free run of the same (variant, workload, n) had, from time 0 to its end. */
struct offer {
    uint64_t run_ns;
    uint64_t operations, marks;
    uint64_t requests[DISKS_MAX], writes[DISKS_MAX]; /* of each disk */
    uint64_t messages[LAYER_COUNT][OFFER_INSTANCES_MAX];
    uint64_t blocks[LAYER_COUNT][OFFER_INSTANCES_MAX];
    uint64_t probes[PROBE_COUNT];
};

struct inject_setup {
    struct sim_machine *machine;
    const struct stack_options *options; /* disks, environments */
    bool classic;                        /* vfs and fs have one instance */
    const struct fault_plan *plan;
    uint32_t count;   /* the first `count` faults of the plan are armed */
    uint64_t seed, n; /* of the campaign; of the trial in its cell */
    const struct offer *offer;
    uint64_t over_ns;   /* calendar time of the trial, 0: as long as its run */
    uint64_t origin_ns; /* machine time of the trial's time 0 */
    const uint64_t
        *recovery_ns; /* [count]: length of the recovery after fault i in a run without the
                         faults behind it; 0 if not measured (no `recovery` entry follows) */
    void *context;
    /* Whether these bytes of a sector are an application's content, with a path: that file's (as
     * the history has it now). NULL: nobody can tell, and no sector is. */
    bool (*holds)(void *context, const char *path, const uint8_t *bytes, uint32_t count);
    /* Fault i struck just now, of a rate once more; of faults of requests, with the first that it
     * spoils. */
    void (*struck)(void *context, uint32_t i);
    /* A power cut: carry it out as soon as the running process has stopped, as injector_cut_plan
     * says of `cut`. */
    void (*cut)(void *context, uint32_t cut);
};

/* What became of fault i. */
struct strike {
    uint32_t instance; /* of the fault's layer that was meant; OFFER_INSTANCES_MAX: all */
    bool struck;       /* its moment came; of faults of requests: also if none was left to spoil */
    bool took_effect;  /* it changed what a real fault would, at least once */
    uint64_t wanted;   /* times it was to: sectors, requests, deaths, of all that it aims at */
    uint64_t done;     /* times it did; it was injected as a whole once that is `wanted` */
    uint64_t time_ns;  /* since time 0 */
    char target[48];   /* "disk 1", "physical 0", "cache pages" */
    char position[64]; /* "write 40 of disk 1", "block 12345", "probe ckpt-frozen 2", "at 2.13 s" */
};

/* The whole of fault i took effect: every sector, request and death that it asks for. */
static inline bool strike_is_whole(const struct strike *s)
{
    return s->took_effect && s->done == s->wanted;
}

/* What a memory fault asks of the machine, but for its draws: where, bit, bits, key. */
struct sim_flip inject_flip_of(const struct fault *f, uint32_t instance);

struct injector;

struct injector *injector_create(void);
void injector_destroy(struct injector *in);

/* Draws and arms; at time 0, before the applications start. Forgets the trial before. */
void injector_arm(struct injector *in, const struct inject_setup *setup);

/* Takes all triggers back (observers of disks too). At the end of a trial, before anything is read
 * back. */
void injector_disarm(struct injector *in);

/* A fault with a set moment is still to come: time, `after` whose base has struck, `recovery` that
 * has begun. What waits for a count that may never be reached (op, write, message, probe...) does
 * not count. */
bool injector_awaits(const struct injector *in);

/* Of a rate: the strike that came last. */
const struct strike *injector_strike(const struct injector *in, uint32_t i);

/* How often fault i has struck, if it has a rate; else 0. */
uint64_t injector_times(const struct injector *in, uint32_t i);

/* The k-th strike of all rates of the plan, by time since time 0, if there are so many. Returns how
 * many there are. Known when it is armed. */
size_t injector_rated(const struct injector *in, size_t k, uint64_t *at_ns);

/* Told by the trial runner, with counts since time 0. */
void injector_on_op(struct injector *in, uint64_t n);
void injector_on_mark(struct injector *in, uint64_t n);
void injector_on_message(struct injector *in, enum layer layer, uint32_t instance, uint64_t n);
void injector_on_block(struct injector *in, enum layer layer, uint32_t instance);
void injector_on_probe(struct injector *in, enum probe probe, uint64_t n);
/* A fresh instance is up (for `repeat`). */
void injector_on_ready(struct injector *in, enum layer layer, uint32_t instance);
/* The stack has noticed something: disks that are gone may be replaced. */
void injector_on_notice(struct injector *in);
/* Recovery from fault i begins: detection, or power is back. */
void injector_on_recovery(struct injector *in, uint32_t i);

/* What sim_machine_power_cut is to be told, and after how long power is back. */
struct inject_cut {
    enum sim_disk_cut mode;
    enum sim_cut_tears tears;
    uint64_t rng_key;
    uint64_t off_for_ns;
    const struct fault_state *chosen; /* the crash state that the plan names, or NULL: by mode */
};

/* How a power cut is to be carried out, with its draws. */
struct inject_cut injector_cut_plan(const struct injector *in, uint32_t cut);

#endif
