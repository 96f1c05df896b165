/*
 * The inside of the injector: what was drawn for each fault of the plan and where it stands.
 */
#ifndef LORIS_FAULTS_INJECT_PRIVATE_H
#define LORIS_FAULTS_INJECT_PRIVATE_H

#include "assertion.h"
#include "faults/inject.h"
#include "faults/request.h"

/* What one fraction of a fault decides: its ordinal in the fault's stream. Drawn by meaning, so
 * that using one more never moves another. */
enum draw {
    DRAW_MOMENT,
    DRAW_DISK,
    DRAW_INSTANCE,
    DRAW_COUNT,
    DRAW_PLACE,
    DRAW_BIT,
    DRAW_BITS,
    DRAW_OFF_FOR,
    DRAW_CUT,
    DRAW_REPEAT,
    DRAW_MOMENT_DISK,
    DRAW_FACTOR,
    DRAW_FOR,
    DRAW_TEAR, /* the k-th torn write: ordinal DRAW_MANY + k */
    DRAW_BUG,
    DRAW_VALUE,      /* what stands where a bug was; as the next */
    DRAW_NEAR,       /* whether the k-th sector lies near the one before; as the next */
    DRAW_MANY = 1000 /* place and bit of the k-th sector: DRAW_MANY * (1 + draw) + k */
};

enum stage {
    STAGE_WAITING, /* for a count, or for the entry before it */
    STAGE_TIMED,   /* an event of the engine will strike */
    STAGE_ARMED,   /* its moment came; waits for the requests that it spoils */
    STAGE_OVER
};

/* What a software bug does: inject_bug.c has their names and shares. */
enum bug_operator {
    BUG_NOT_INITIALISED,
    BUG_NOT_ASSIGNED,
    BUG_WRONG_CONSTANT,
    BUG_OFF_BY_ONE,
    BUG_OTHER_VARIABLE,
    BUG_NOT_CHECKED,
    BUG_NEEDLESS_ERROR,
    BUG_NOT_SENT,
    BUG_HALF_FILLED,
    BUG_WRONG_HEAD,
    BUG_STORE,
    BUG_LEAK,
    BUG_OPERATORS
};

struct armed {
    struct strike strike;
    uint32_t of;     /* the fault of the plan whose it is */
    uint32_t target; /* of a rate: which of the targets, each has its own place */
    uint64_t times;  /* of a rate: strikes so far; in the plan's own place: of all targets */
    enum stage stage;
    double moment;     /* fraction of its position, sorted over the plan */
    uint64_t number;   /* what it waits for: n-th op, write, message, block, probe, mark; 1-based */
    uint32_t disk;     /* its target; DISKS_MAX: all */
    uint32_t instance; /* its target; OFFER_INSTANCES_MAX: all */
    uint32_t count_disk;     /* whose requests are counted; DISKS_MAX: all */
    uint32_t count_instance; /* of at.layer, whose messages or blocks are counted */
    sim_event_id event;
    uint64_t left[DISKS_MAX];                  /* ARMED: requests of each disk still to spoil */
    uint64_t deaths_left[OFFER_INSTANCES_MAX]; /* repeat: of each instance, still to come */
    bool reborn[OFFER_INSTANCES_MAX]; /* repeat: strikes with the next message that it meets */
    uint64_t messages_left[OFFER_INSTANCES_MAX]; /* a bug: of each instance, still to spoil */
    enum bug_operator bug;
    struct request_key request;                      /* same-request: type 0 until it is known */
    struct request_key at_work[OFFER_INSTANCES_MAX]; /* same-request: what each was given last */
    bool acting, ends;      /* a fault that lasts: it has begun; and it will end, by `end` */
    uint64_t slow_permille; /* fail-slow */
    bool noticed;           /* fail-stop: the stack knows */
    bool unnoticed;         /* replace: its time has come, and nobody knows that the disk is dead */
    sim_event_id end;
};

static inline bool inject_aims_at_instance(const struct armed *a, uint32_t k)
{
    return a->instance == OFFER_INSTANCES_MAX || a->instance == k;
}

static inline bool inject_aims_at_disk(const struct armed *a, uint32_t d)
{
    return a->disk == DISKS_MAX || a->disk == d;
}

/* A strike of a rate, as drawn. */
struct rated_strike {
    uint64_t at_ns; /* since time 0 */
    uint32_t slot;
};

/* Places of a plan's faults, and behind them one for each target of each fault that has a rate: two
 * disks may be away at a time. */
#define SLOTS_MAX (FAULTS_PER_PLAN_MAX * (1 + DISKS_MAX))

struct injector {
    struct inject_setup setup;
    uint32_t count;             /* of the plan, the first of them, are armed */
    uint32_t slots;             /* used of `fault` */
    struct rated_strike *rated; /* sorted by time; room is kept from trial to trial */
    size_t rated_count, rated_room, rated_next;
    sim_event_id rated_event;
    bool live;                             /* between arm and disarm */
    uint64_t total_requests, total_writes; /* since time 0 */
    uint64_t requests[DISKS_MAX], writes[DISKS_MAX];
    struct armed fault[SLOTS_MAX]; /* last; all of the plan first: moments are sorted over all */
};

static inline const struct fault *fault_of(const struct injector *in, uint32_t i)
{
    ASSERT(i < in->slots && in->fault[i].of < in->setup.plan->count);
    return &in->setup.plan->faults[in->fault[i].of];
}

/* Whether this is a place of a rate's target. */
static inline bool inject_is_rated(const struct injector *in, uint32_t i)
{
    return i >= in->setup.plan->count;
}

/* inject_draw.c: fractions, targets and moments. */
uint64_t inject_purpose(const struct injector *in, uint32_t i);
double inject_fraction(const struct injector *in, uint32_t i, uint64_t ordinal);
uint64_t inject_amount(const struct injector *in, uint32_t i, const struct amount *amount,
                       enum draw draw);
void inject_draw_targets(struct injector *in, uint32_t i);
/* Makes the places of the plan's faults, with the moments of all of the plan. */
void inject_draw_moments(struct injector *in);
void inject_draw_number(struct injector *in, uint32_t i);
uint32_t inject_instances(const struct injector *in, enum layer layer);

/* inject.c: fault i strikes now. */
void inject_now(struct injector *in, uint32_t i);

/* field_rate.c: draws the strikes of all rates and waits for the first; and waits no more. */
void inject_rates_arm(struct injector *in);
void inject_rates_forget(struct injector *in);

/* inject_strike.c: carries fault i out. Fills strike.took_effect as far as it is known at once. */
void inject_strike(struct injector *in, uint32_t i);
/* A request of a disk that an ARMED fault still has to spoil is being submitted. Whether it was. */
bool inject_spoil(struct injector *in, uint32_t i, struct sim_disk *disk,
                  const struct sim_disk_event *event);
/* inject_lasting.c: fail-slow and lying-flush act from now on, for as long as they say; and nothing
 * will end them any more: the disk stays as it is until its reset. */
void inject_lasting_begin(struct injector *in, uint32_t i);
void inject_lasting_forget(struct injector *in, uint32_t i);
/* Whether its end is part of the trial's story: the disk will be back, the process go on. */
bool inject_lasting_awaited(const struct injector *in, uint32_t i);

/* inject_place.c: the sectors of a disk that a fault of media may strike, in order of address. */
struct inject_places {
    const struct sim_disk *disk;
    bool any;         /* every sector */
    uint64_t *sector; /* else these; NULL: those that were ever written */
    uint64_t count;
};
struct inject_places inject_places_find(const struct injector *in, uint32_t i,
                                        const struct sim_disk *disk);
uint64_t inject_places_nth(const struct inject_places *places, uint64_t k);
/* How many of them lie below `sector`. */
uint64_t inject_places_below(const struct inject_places *places, uint64_t sector);
void inject_places_free(struct inject_places *places);

/* `disk: {holds: ...}`: which one that is, now; NO_DISK if none is. */
#define NO_DISK (DISKS_MAX + 1u)
void inject_find_holder(struct injector *in, uint32_t i);

/* inject_bug.c: which bug it is; in a word, and whether it is one of messages. */
void inject_bug_draw(struct injector *in, uint32_t i);
const char *inject_bug_name(const struct injector *in, uint32_t i);
bool inject_bug_is_of_messages(const struct injector *in, uint32_t i);
/* Makes the message that is being sent wrong, if it can; *sent: whether it still is sent. */
bool inject_bug_spoil(struct injector *in, uint32_t i, struct msg *m, bool posted, bool *sent);
/* The same of a driver's request to its device. */
bool inject_bug_spoil_device(struct injector *in, uint32_t i, struct plat_disk_request *r);
/* A bug that is none of messages: does it to this instance. Whether it lives. */
bool inject_bug_strike(struct injector *in, uint32_t i, uint32_t instance);

/* inject_process.c: crashes, hangs and bugs, once or again. */
void inject_instances_strike(struct injector *in, uint32_t i);
/* A message is about to be delivered to an instance of the fault's layer: it may be what a fault
 * that repeats waits for. */
void inject_instance_meets(struct injector *in, uint32_t i, uint32_t instance);
/* Tells of a fault that strikes later than at its moment: with what it spoils. (inject.c) */
void inject_struck_late(struct injector *in, uint32_t i);

#endif
