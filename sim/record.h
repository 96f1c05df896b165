/*
 * The recorder of one execution: every write that the disks accepted, with its bytes, when it was
 * acknowledged, and every flush; in the one order in which they happened, over all disks. From it
 * sim/states.h knows what a loss of power at any place of the execution may leave.
 *
 * A *variable* is a sector that was written at least once since the recording began; a *version* is
 * what one write put there; a *content* is a value that a variable ever had, interned: versions of
 * equal bytes have one content, and content 0 is what it had before. Numbers of variables, writes
 * and versions start at 1; 0 is none.
 *
 * Invariants: (1) entries, writes and versions are in order of time; (2) the versions of a write
 * are adjacent, in order of its sectors; (3) version.older is an earlier version of the same
 * variable.
 *
 * Recording changes nothing of the run. No layer trims, and a recording knows no trims; faults that
 * change what a write does (torn, lost, misdirected) must not strike during one.
 */
#ifndef LORIS_SIM_RECORD_H
#define LORIS_SIM_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "options.h"
#include "sim/disk.h"

enum sim_entry_kind {
    SIM_ENTRY_WRITE, /* accepted; index: the write */
    SIM_ENTRY_ACK,   /* answered OK; index: the write */
    SIM_ENTRY_ABORT, /* answered otherwise: it never was; index: the write */
    SIM_ENTRY_FLUSH, /* arrived; index: the flush */
    SIM_ENTRY_DONE,  /* answered OK; index: the flush */
    SIM_ENTRY_NOTE,  /* sim_record_note; index: as given */
};

struct sim_entry {
    enum sim_entry_kind kind;
    uint32_t index;
    uint64_t time_ns; /* of the engine */
    uint64_t hash;    /* of the run up to here */
};

struct sim_record_write {
    uint32_t disk;
    uint32_t count; /* sectors */
    uint32_t atoms; /* parts that are kept whole or not at all: 1, or one a sector */
    uint32_t first_version;
    uint64_t ordinal; /* as observers of the disk count */
    uint64_t first;   /* sector */
    uint32_t acked;   /* its ACK entry plus 1; 0: never */
    bool fua;
};

struct sim_record_flush {
    uint32_t disk, arrived; /* arrived: its FLUSH entry */
    uint64_t ordinal;       /* of the request */
};

struct sim_version {
    uint32_t variable, write, older, content;
};

struct sim_variable {
    uint32_t disk;
    uint64_t sector;
    uint32_t newest; /* version, of the whole recording */
    uint32_t contents, room;
    uint8_t **content; /* [contents] of a sector's bytes each */
};

/* What is to be known of a disk. */
struct sim_record_disk {
    struct sim_disk *disk;
    uint32_t sector_size;
    uint64_t atomic; /* sectors that a write is atomic in, aligned */
    enum sim_write_cache cache;
    uint32_t *variable; /* of each sector, sparse */
    uint64_t sectors;
    uint32_t *write_of; /* by ordinal */
    uint32_t write_room;
};

struct sim_record {
    struct sim_engine *engine;
    struct sim_record_disk disk[DISKS_MAX];
    uint32_t disks;
    struct sim_entry *entry;
    uint32_t entries, entry_room;
    struct sim_record_write *write; /* [1..writes] */
    uint32_t writes, write_room;
    struct sim_record_flush *flush; /* [1..flushes] */
    uint32_t flushes, flush_room;
    struct sim_version *version; /* [1..versions] */
    uint32_t versions, version_room;
    struct sim_variable *variable; /* [1..variables] */
    uint32_t variables, variable_room;
    bool running;
    void (*on_entry)(void *context, uint32_t entry); /* after each; may be NULL */
    void *context;
};

/* A recorder over these disks, which must outlive it. */
struct sim_record *sim_record_create(struct sim_engine *engine, struct sim_disk *const *disks,
                                     uint32_t count);
void sim_record_destroy(struct sim_record *r);

/* Forgets what was recorded, and begins: right after a reset of the disks, before any write. */
void sim_record_begin(struct sim_record *r);
void sim_record_end(struct sim_record *r);

/* Adds an entry of the caller's. Only while it runs. */
void sim_record_note(struct sim_record *r, uint32_t index);

/* The variable of a sector; 0: it was never written. */
static inline uint32_t sim_record_variable(const struct sim_record *r, uint32_t disk,
                                           uint64_t sector)
{
    return r->disk[disk].variable[sector];
}

/* How many of `count` sectors from `first` on were never written, up to the first that was. */
uint32_t sim_record_gap(const struct sim_record *r, uint32_t disk, uint64_t first, uint32_t count);

/* The bytes of a content of a variable. */
const uint8_t *sim_record_bytes(const struct sim_record *r, uint32_t variable, uint32_t content);

#endif
