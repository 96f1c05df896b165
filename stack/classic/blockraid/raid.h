/*
 * Block-level RAID 0 and 1 behind the block protocol, over one driver a disk. It
 * knows no files and no checksums: what a disk returns is believed.
 *
 * format.c    superblocks and bitmaps on the disks      request.c   requests of clients, split and
 * joined bitmap.c    which regions may differ                  repair.c    failed members, other
 * copies, resync main.c      the loop
 *
 * A column is a disk (level 0) or a pair of disks (level 1: 2k and 2k + 1). The volume is striped
 * over the columns in chunks. Column sectors count from the start of a disk's data.
 *
 * Invariants:
 *   (1) level 1: a write is sent to the members only after the bits of its regions are stable on
 * all live members of the pair; (2) a bit is cleared only if all writes to the region were
 * answered, and flushed since; (3) a member that failed is recorded as failed on all other disks,
 * stable, before anything is answered that it missed; it is not used again; (4) regions that are
 * not in step (`unsynced`) are read from the pair's source alone; (5) what repair.c writes never
 * overlaps a write of a client: it works with none under way there, and to its end before the next
 * request is taken.
 */
#ifndef LORIS_STACK_CLASSIC_BLOCKRAID_RAID_H
#define LORIS_STACK_CLASSIC_BLOCKRAID_RAID_H

#include "block.h"

#define SECTORS_A_BLOCK (BLOCK_BYTES / SECTOR_BYTES)
#define REGION_SECTORS 2048u /* 1 MiB a bit (assumption) */
#define DATA_START_BLOCK 256u
#define SUPER_BLOCK_A 0u
#define SUPER_BLOCK_B 128u
#define BITMAP_BLOCK 2u
#define BITMAP_BLOCKS_MAX 32u /* 1 TiB a disk */
#define REQUESTS_MAX 64u
#define PARTS_MAX 1024u  /* 64 requests on 16 disks */
#define PARTS_A_DISK 28u /* under way; some of the client's slots stay for repair.c */
#define PAGE_CHUNK 64u   /* pages that are allocated at once */
#define PAGES_A_REQUEST BLOCK_IO_MAX_BLOCKS
#define SWEEP_NS UINT64_C(2500000000) /* how often idle regions are looked for */
#define IDLE_NS UINT64_C(5000000000)  /* a region is idle: as md's bitmap daemon, 5 s */
#define RESYNC_BLOCKS 128u            /* copied in one step */
#define RESYNC_RETRY_NS UINT64_C(1000000)
#define RESYNC_EVERY 16u /* messages between two steps, under load */

struct super {
    uint64_t uuid[2];
    uint32_t level, disks, index;
    uint64_t chunk_sectors, column_sectors; /* of data on each disk */
    uint64_t events;                        /* raised with each change of `failed` */
    uint32_t failed;                        /* bit a disk */
};

enum kind { KIND_CLIENT, KIND_BITMAP, KIND_SWEEP };

struct part;

struct request {
    bool used;
    enum kind kind;
    uint32_t client, client_id, type;
    enum block_op op;
    bool fua;
    uint64_t first; /* sector of the volume; KIND_BITMAP: of the disk */
    uint32_t count, grant;
    uint32_t column; /* KIND_BITMAP */
    uint8_t *page[PAGES_A_REQUEST];
    uint32_t pages;
    uint32_t parts;                  /* not yet answered */
    uint32_t columns;                /* bit a column that it touches */
    uint32_t columns_ok;             /* a live member accepted it */
    enum err status;                 /* E_INVAL of a member's grant and the like */
    uint64_t bits_wanted[DISKS_MAX]; /* by column: waits until the bitmap is that far, 0: no wait */
    uint64_t order;                  /* of arrival */
    bool waiting;                    /* for bits */
};

struct part { /* what a request does on one disk */
    struct part *next;
    struct request *request;
    uint32_t disk, column;
    uint64_t first; /* column sector; KIND_BITMAP: sector of the disk */
    uint32_t count;
    uint32_t slot; /* of the block client, while under way */
};

struct member {
    struct block_client client;
    bool usable; /* present, not failed */
    struct part *queue, **queue_end;
    struct part *flight[PARTS_A_DISK];
    uint32_t flights;
    uint64_t heard_ns; /* when it answered last, or since when it is asked */
};

struct region {
    uint64_t last_ns;
    uint16_t writes; /* admitted, not answered */
    bool set, unsynced, candidate;
};

struct column {
    struct region *region;
    uint32_t regions, set, unsynced, resync_at;
    uint32_t source;                  /* disk that unsynced regions are read from */
    uint8_t *bits;                    /* as it should be on disk; a block each 32768 regions */
    uint32_t dirty_first, dirty_last; /* blocks of it that have to be written; first > last: none */
    uint64_t gen, writing_gen, stable_gen; /* of the content of `bits` */
    bool writing;
};

struct raid {
    struct stack_options options;
    struct super super;
    enum err status; /* OK, or why there is no volume */
    uint32_t disks, columns, copies;
    uint64_t volume_sectors;
    uint32_t sector_bytes;
    bool write_cache;
    struct member *member[DISKS_MAX];
    struct column column[DISKS_MAX];
    struct request request[REQUESTS_MAX];
    struct part *free_parts;
    uint8_t *free_pages; /* list through the first bytes */
    uint32_t pages;
    struct block_fencer fencer;
    uint64_t next_order, sweep_ns;
    bool sweeping;         /* its flush is under way */
    bool recheck;          /* something waited elsewhere: answers or deaths may have passed by */
    uint32_t since_resync; /* messages */
    bool resync_waits;
    uint8_t *block; /* a page for superblocks */
    uint8_t *copy;  /* RESYNC_BLOCKS pages */
};

/* ---- format.c ---- */

/* Makes the superblocks and empty bitmaps, stable. */
MUST_USE enum err format_make(struct raid *r, const uint64_t *disk_sectors);
/* Finds out which disks belong to the volume and which regions are not in step. E_CORRUPT: no
 * volume; E_VERSION. */
MUST_USE enum err format_load(struct raid *r);
/* Writes the superblock of all usable members, stable. A member that fails meanwhile is marked. */
void format_write_supers(struct raid *r);
void super_encode(uint8_t *raw, const struct super *super);
MUST_USE enum err super_decode(struct super *super, const uint8_t *raw);
MUST_USE enum err format_tables(struct raid *r);

/* ---- bitmap.c ---- */

/* Notes a write to these column sectors: counts it, sets bits. Returns the generation that must be
 * stable before the data may go, 0: none. */
uint64_t bitmap_begin(struct raid *r, uint32_t column, uint64_t first, uint32_t count);
void bitmap_end(struct raid *r, uint32_t column, uint64_t first, uint32_t count);
/* Writes changed parts of the bitmap if none of the column is being written. */
void bitmap_push(struct raid *r, uint32_t column);
void bitmap_written(struct raid *r, const struct request *q);
/* Time for it: looks for idle regions; starts the flush. */
void bitmap_sweep(struct raid *r);
void bitmap_swept(struct raid *r, const struct request *q);
bool bitmap_is_unsynced(const struct raid *r, uint32_t column, uint64_t first, uint32_t count);
bool bitmap_is_busy(const struct raid *r, uint32_t column, uint64_t first, uint32_t count);
/* Clears the bit of a region whose copies are equal and stable. */
void bitmap_clear(struct raid *r, uint32_t column, uint32_t region);

/* ---- request.c ---- */

void request_serve(struct raid *r, const struct msg *m, const struct block_request *in);
/* Takes up what is answered, on one disk or on all. */
void request_reap(struct raid *r, uint32_t disk);
void request_reap_all(struct raid *r);
/* Sends waiting requests whose bits are stable now. */
void request_wake(struct raid *r);
/* Ends everything that came before: waits for what is under way, answers nothing. */
void request_drain(struct raid *r);
/* A request of the RAID itself; NULL: all are taken. */
struct request *request_take(struct raid *r, enum kind kind, enum block_op op);
void request_add_part(struct raid *r, struct request *q, uint32_t disk, uint32_t column,
                      uint64_t first, uint32_t count);
/* Gets `count` pages; false: not enough memory. */
bool request_get_pages(struct raid *r, struct request *q, uint32_t count);
/* The places in memory of a part's sectors, in its order. Returns how many. */
uint32_t request_spans(const struct raid *r, const struct part *p, struct plat_span *span);

/* ---- repair.c ---- */

/* The member is gone or cannot write: out of the volume, for good. */
void repair_fail(struct raid *r, uint32_t disk, enum err why);
/* Reads a part from whatever copies have it, block by block, and rewrites bad ones. */
MUST_USE enum err repair_read(struct raid *r, const struct part *p);
/* One step of the resynchronisation; false: nothing to do now. */
bool repair_step(struct raid *r);
bool repair_is_needed(const struct raid *r);
/* A reset of this disk lost writes: what may differ is copied from the other. */
void repair_lost_writes(struct raid *r, uint32_t disk);

/* ---- Geometry ---- */

static inline uint32_t raid_disk(const struct raid *r, uint32_t column, uint32_t copy)
{
    return column * r->copies + copy;
}

static inline uint64_t raid_disk_sector(uint64_t column_sector)
{
    return (uint64_t)DATA_START_BLOCK * SECTORS_A_BLOCK + column_sector;
}

/* The sector of the volume behind a column's. */
static inline uint64_t raid_volume_sector(const struct raid *r, uint32_t column, uint64_t sector)
{
    uint64_t chunk = r->super.chunk_sectors;
    return (sector / chunk * r->columns + column) * chunk + sector % chunk;
}

/* The first sector of the column at or behind a sector of the volume. */
static inline uint64_t raid_column_sector(const struct raid *r, uint32_t column, uint64_t sector)
{
    uint64_t chunk = r->super.chunk_sectors;
    uint64_t stripe = sector / chunk / r->columns;
    uint64_t at = sector / chunk % r->columns;
    if (at == column)
        return stripe * chunk + sector % chunk;
    return (at < column ? stripe : stripe + 1) * chunk;
}

#endif
