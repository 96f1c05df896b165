/* Marks of a trace and the tracks on which they lie: shared by the files replay_trace*.c. */
#ifndef LORIS_CAMPAIGN_REPLAY_TRACE_PRIVATE_H
#define LORIS_CAMPAIGN_REPLAY_TRACE_PRIVATE_H

#include <stdbool.h>

#include "campaign/replay_trace.h"
#include "platform.h"

/* Numbers of "processes" of the viewer: what belongs together, in this order from top to bottom. */
enum {
    TRACE_MACHINE = 1,
    TRACE_ENVIRONMENT = 10, /* + number */
    TRACE_CACHE = 100,
    TRACE_FS = 150,
    TRACE_LOGICAL = 200,
    TRACE_RAID = 250,
    TRACE_PHYSICAL = 300, /* + disk */
    TRACE_DISK = 500,     /* + disk */
};
/* Threads of TRACE_MACHINE. */
enum { TRACE_OF_FAULTS = 1, TRACE_OF_STACK, TRACE_OF_ORACLE };

/* A thread is slot x this + start of the slot: a restart is a new track. A slot starts some tens of
 * thousands of times at most (SERVICE_RETURNS_MAX). */
#define TRACE_STARTS_MAX 100000u

enum trace_kind {
    TRACE_SLICE,   /* X: from being given something to waiting for more */
    TRACE_SENT,    /* s, if it was given to somebody; else i */
    TRACE_GIVEN,   /* f */
    TRACE_BEGUN,   /* b */
    TRACE_ENDED,   /* e */
    TRACE_COUNTER, /* C */
    TRACE_POINT,   /* i of a thread */
    TRACE_EVENT,   /* i of all of a process of the viewer */
    TRACE_FAULT,   /* i of all */
};

struct trace_mark {
    uint64_t event; /* its number, from 1 */
    uint64_t hash;  /* of the run up to it */
    uint64_t ts_ns, dur_ns;
    uint64_t id; /* of s, f, b, e: number of the first of the pair */
    uint32_t pid, tid;
    enum trace_kind kind;
    bool paired;
    const char *name; /* static */
    char *text;       /* owned, or NULL */
    uint32_t type, number;
    int32_t status;
    uint32_t from, to;     /* endpoints */
    uint64_t first, count; /* of a disk: sectors; of a counter: its value, in count */
    char range[80];        /* of a message: what it is about */
};

struct trace_track {
    uint32_t pid, tid;
    char name[40];
};

/* Counters of a process: dirty pages, pages being written, then its gauges. */
enum { TRACE_DIRTY, TRACE_WRITING, TRACE_GAUGES, TRACE_LEVELS = TRACE_GAUGES + GAUGE_COUNT };

/* The present instance in a slot. */
struct trace_process {
    bool alive;
    uint32_t starts, endpoint;
    size_t track;
    size_t slice;                 /* open: index of its mark + 1; 0: it waits */
    uint64_t free_ns;             /* the first ns at which something may be put on its track */
    uint32_t peer;                /* that it waits for, or was last given something by */
    uint64_t level[TRACE_LEVELS]; /* of its counters, as they were told last */
};

struct trace_request {
    uint64_t ordinal;
    size_t mark; /* index */
};

struct trace_disk {
    struct trace_request *open;
    size_t count, room;
};

struct replay_tracer {
    struct lab_tracer lab;
    struct sim_machine *machine; /* NULL: nothing is traced */
    bool armed;
    uint64_t stop_at;
    void (*stop)(void *context);
    void *stop_context;
    struct trace_mark *mark;
    size_t count, room;
    struct trace_track *track;
    size_t tracks, tracks_room;
    size_t *flow; /* indices of marks sent and not given yet, oldest first */
    size_t flows, flows_room;
    struct trace_process process[SIM_PROCESSES_MAX];
    struct trace_disk disk[DISKS_MAX];
    uint32_t environment[SIM_APPS_MAX]; /* of applications */
    uint64_t zero_ns;
};

/* Ends all that is under way on the tracks: nothing can be noted after it. */
void trace_finish(struct replay_tracer *t);

/* Words for a type of message: "object", "read"; and whether it answers. */
void trace_message_name(uint32_t type, char *to, size_t room);
/* What it is about, "object 17 at 4096, 8192 bytes"; empty: nothing that can be said in short. */
void trace_message_range(const struct msg *m, char *to, size_t room);

#endif
