/*
 * The reader: walks every name, attribute and byte of an environment through the live stack and
 * tells the observation; probes whether service is whole; stops the stack in order. It is an
 * application process of its own in each environment, outside the history.
 */
#ifndef LORIS_WORKLOADS_READER_H
#define LORIS_WORKLOADS_READER_H

#include "sim/machine.h"
#include "workloads/oracle/observe.h"

enum reader_task {
    READER_WALK,  /* the private tree and the shared one, into the observation */
    READER_PROBE, /* create, write, fsync, read, rename, delete, statfs */
    READER_STOP,  /* orderly stop: everything stable, marked clean */
};

struct reader {
    enum reader_task task;
    uint32_t environment;
    bool shared_is_name; /* classic: "shared" is an ordinary name of the root, as is lost+found */
    bool xattrs;         /* WALK: extended attributes too */
    struct sim_machine *machine;
    struct observation *observation; /* WALK */
    void (*ended)(void *context);    /* called in a trap when it is done; may be NULL */
    void *context;
    uint64_t progress;  /* calls answered so far: a reader that makes none hangs */
    bool done;          /* main returned */
    enum err result;    /* PROBE, STOP: the first thing that went wrong */
    const char *failed; /* what it was, static text */
};

/* Starts the process; run the machine until done. The reader stays the caller's. */
void reader_start(struct reader *r);

#endif
