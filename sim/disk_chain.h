/*
 * The versions above the stable image: for each sector a chain, newest first, of what was accepted
 * and is not stable. A write holds its data in chunks of 4 KiB from a pool; each sector of it is a
 * node.
 *
 * Invariants:
 *   (1) newest[s] is the newest node of sector s, 0 if it has none; node.older leads to its elder;
 *   (2) chain order is order of insertion; nodes are taken out as a suffix of oldest ones (they
 * became stable, or were overtaken by one that did) or singly (an aborted write); (3) write.live
 * counts its nodes that are in chains; a node that left its chain is NODE_DEAD; (4) the list
 * first..last has all writes with a slot, in order of insertion.
 */
#ifndef LORIS_SIM_DISK_CHAIN_H
#define LORIS_SIM_DISK_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/disk_image.h"

#define CHUNK_BYTES 4096u
#define CHUNK_NODES 8u
#define CHAIN_CHUNKS_MAX (1u << 20) /* 4 GiB of versions a disk; more is a defect */
#define CHAIN_WRITES_MAX (1u << 20)
#define NODE_DEAD UINT32_MAX

/* Where a write is on its way to the medium. */
enum write_state {
    WRITE_QUEUED,    /* accepted, not acknowledged */
    WRITE_THROUGH,   /* not acknowledged, being put on the medium */
    WRITE_CACHED,    /* acknowledged, in the cache */
    WRITE_DESTAGING, /* acknowledged, being put on the medium */
};

/* All indexes name slots; 0 is none. */
struct chain_write {
    uint64_t first;   /* sector where it is stored (not where it was sent, if misdirected) */
    uint64_t ordinal; /* as observers count */
    uint64_t acked_ns;
    uint64_t flushes_before; /* flushes accepted before its acknowledgement */
    uint32_t count;          /* sectors stored; fewer than asked for if torn */
    uint32_t live;
    uint32_t chunk;                  /* first chunk */
    uint32_t cache_bytes;            /* what it occupies of the modelled cache */
    uint32_t prev, next;             /* (4); next also links free slots */
    uint32_t dirty_prev, dirty_next; /* the owner's list of cached writes */
    enum write_state state;
    bool in_dirty;
};

struct chain_chunk {
    uint32_t next;
    uint32_t write;
    uint32_t older[CHUNK_NODES];
};

struct disk_chain {
    uint32_t sector_size, chunk_sectors;
    uint64_t sectors;
    uint32_t *newest; /* a node a sector; sparse */
    struct chain_chunk *chunk;
    uint8_t *bytes; /* of chunks */
    struct chain_write *write;
    uint32_t free_chunk, chunks_used;
    uint32_t free_write, writes_used;
    uint32_t first, last; /* (4) */
    uint32_t writes;      /* in the list */
    uint64_t live;        /* nodes in chains, all writes */
};

void disk_chain_init(struct disk_chain *chain, uint64_t sectors, uint32_t sector_size);
void disk_chain_fini(struct disk_chain *chain);

/* Adds a write of `count` sectors (0: it stores nothing) as the newest of them; copies data.
 * Returns its slot. */
uint32_t disk_chain_insert(struct disk_chain *chain, uint64_t first, uint32_t count,
                           const void *data, uint64_t ordinal);

/*
 * Makes all live sectors of a write stable; older versions of these sectors leave with them.
 * overtaken(object, slot) is called for each other write that has no live node left by this.
 */
typedef void disk_chain_overtaken_fn(void *object, uint32_t slot);
void disk_chain_apply(struct disk_chain *chain, uint32_t slot, struct disk_image *image,
                      disk_chain_overtaken_fn *overtaken, void *object);

/* Stores sectors from..from+count-1 of a write in the image and leaves the chains as they are: what
 * a power cut kept. For versions of one sector the caller goes from old to new. */
void disk_chain_keep(const struct disk_chain *chain, uint32_t slot, uint32_t from, uint32_t count,
                     struct disk_image *image);

/* Takes the write's live nodes out of the chains and frees its slot. */
void disk_chain_drop(struct disk_chain *chain, uint32_t slot);

/* Discards all versions of the sectors: they are trimmed. overtaken: as above. Costs what is
 * pending. */
void disk_chain_discard(struct disk_chain *chain, uint64_t first, uint64_t count,
                        disk_chain_overtaken_fn *overtaken, void *object);

/* Drops all writes. Costs what there is. */
void disk_chain_clear(struct disk_chain *chain);

/* The newest version's bytes of a sector, NULL if it has none. */
const uint8_t *disk_chain_find(const struct disk_chain *chain, uint64_t sector);

/* How many of `count` sectors from `first` on have no version, up to the first that has one. */
uint32_t disk_chain_gap(const struct disk_chain *chain, uint64_t first, uint32_t count);

/* Whether every sector has a version; whether any has. */
bool disk_chain_covers(const struct disk_chain *chain, uint64_t first, uint32_t count);
bool disk_chain_touches(const struct disk_chain *chain, uint64_t first, uint64_t count);

/* The write of the newest version of a sector, 0 if none. */
uint32_t disk_chain_newest_write(const struct disk_chain *chain, uint64_t sector);

#endif
