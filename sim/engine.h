/*
 * The engine: one clock in integer nanoseconds and one queue of events ordered by (time, sequence).
 * An event is a function with two words of argument that runs once on the simulator's stack when
 * the clock reaches its time. Events of equal time run in the order in which they were scheduled,
 * so a run is a function of its inputs alone.
 *
 * Every dispatched event may be folded into a 64-bit hash over the run (sim_engine_note): two
 * runs are the same run if their hashes are equal.
 *
 * Invariants, checked as it runs:
 *   (1) the clock never goes back; no event lies before now;
 *   (2) a handle names at most one pending event; after it ran or was cancelled the handle is stale
 *       and cancelling it again does nothing;
 *   (3) the number of pending events is at most SIM_EVENTS_MAX (a trial that reaches it is a
 * defect).
 */
#ifndef LORIS_SIM_ENGINE_H
#define LORIS_SIM_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "assertion.h"

#define SIM_TIME_NEVER UINT64_MAX
#define SIM_EVENTS_MAX (1u << 20)

typedef void sim_event_fn(void *object, uint64_t argument);

/* Names a pending event; 0 is no event. */
typedef uint64_t sim_event_id;

struct sim_engine;

/* Makes an engine at time 0 without events. Never fails (out of memory is a defect of loris). */
struct sim_engine *sim_engine_create(void);
void sim_engine_destroy(struct sim_engine *engine);

/* Back to time 0, no events, the initial hash; keeps its memory. O(1) amortised. */
void sim_engine_reset(struct sim_engine *engine);

/* The begin of an engine: what is asked for at every call of a process. Not to be written outside.
 */
struct sim_clock {
    uint64_t now_ns;
    uint64_t next_ns;       /* time of the next event, or: */
#define SIM_NEXT_UNKNOWN 0u /* costs a look at the heap, and is never wrong to say */
};

/* Virtual time now, ns since the start. */
static inline uint64_t sim_engine_now(const struct sim_engine *engine)
{
    return ((const struct sim_clock *)(const void *)engine)->now_ns;
}

/* Schedules fn(object, argument) at absolute time `at_ns` (>= now). Returns its handle. O(log n).
 */
sim_event_id sim_engine_at(struct sim_engine *engine, uint64_t at_ns, sim_event_fn *fn,
                           void *object, uint64_t argument);

/* The same, `delay_ns` from now (saturates at SIM_TIME_NEVER - 1). */
sim_event_id sim_engine_after(struct sim_engine *engine, uint64_t delay_ns, sim_event_fn *fn,
                              void *object, uint64_t argument);

/* Takes the event out if it is still pending; returns whether it was. O(log n) or lazily O(1). */
bool sim_engine_cancel(struct sim_engine *engine, sim_event_id id);

/* Runs the next event, advancing the clock. Returns false if none is pending. */
bool sim_engine_step(struct sim_engine *engine);

/* Time of the next pending event, SIM_TIME_NEVER if none. */
uint64_t sim_engine_find_next(struct sim_engine *engine);
static inline uint64_t sim_engine_next_ns(struct sim_engine *engine)
{
    uint64_t next_ns = ((const struct sim_clock *)(const void *)engine)->next_ns;
    return next_ns != SIM_NEXT_UNKNOWN ? next_ns : sim_engine_find_next(engine);
}

/* Moves the clock forward by CPU time spent outside events (a process that ran). `to_ns` must not
 * pass the next pending event by rule (1): pending events that became overdue run at `to_ns`, in
 * order, which is how an interrupt waits for the end of a process's time slice. */
static inline void sim_engine_advance(struct sim_engine *engine, uint64_t to_ns)
{
    struct sim_clock *clock = (struct sim_clock *)(void *)engine;
    ASSERT(to_ns >= clock->now_ns);
    ASSERT(to_ns != SIM_TIME_NEVER);
    clock->now_ns = to_ns;
}

/* Whether a pending event is a tick of something periodic, which may come later. */
typedef bool sim_tick_fn(const void *context, sim_event_id id);

/*
 * Jumps an idle stretch: the clock goes to `to_ns` (>= now), or to the first pending event that is
 * no tick if that is nearer. Ticks are moved along by as much, so that they keep their order and
 * their distance from now; events that are overdue stop it. Returns by how much the clock moved.
 * O(n) of pending events.
 */
uint64_t sim_engine_jump(struct sim_engine *engine, uint64_t to_ns, sim_tick_fn *is_tick,
                         const void *context);

/* Folds three words into the run's hash: what happened, to whom, with what. Cheap (a few ns). */
void sim_engine_note(struct sim_engine *engine, uint64_t what, uint64_t who, uint64_t value);

/* The hash so far. */
uint64_t sim_engine_hash(const struct sim_engine *engine);
/* The same; and a new one begins, as at the start. */
uint64_t sim_engine_split_hash(struct sim_engine *engine);

/* Events dispatched since the start or reset. */
uint64_t sim_engine_dispatched(const struct sim_engine *engine);

#endif
