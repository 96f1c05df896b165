/*
 * Block-level RAID 0, 1 and 5 behind the block protocol, over one driver a disk. It
 * knows no files and no checksums: what a disk returns is believed.
 *
 *   format.c   superblocks and bitmaps on the disks
 *   super.c    the superblock, byte by byte
 *   request.c  requests of clients, split and joined
 *   parity.c   the same for level 5: stripes, locks, new parity, what a missing disk had
 *   bitmap.c   which regions may differ
 *   repair.c   failed members, other copies, resynchronisation
 *   rebuild.c  the same for level 5: what the other disks say
 *   scrub.c    comparing what should be equal, from time to time
 *   spare.c    a spare in place of a member that is out, copied in the background
 *   bad.c      sectors of such a disk that nobody could tell
 *   main.c     the loop
 *
 * A column is a disk (level 0), a pair of disks (level 1: 2k and 2k + 1) or all of them (level 5,
 * whose stripes are parity.c's matter). The volume is striped over the columns in chunks. Column
 * sectors count from the start of a disk's data; on level 5 they are called rows. Disks are
 * numbered by their place in the volume; the driver behind a place is a drive, and changes with a
 * spare.
 *
 * Invariants:
 *   (1) levels 1, 5: a write is sent to the members only after the bits of its regions are stable
 * on all live members of the column; (2) a bit is cleared only if all writes to the region were
 * answered, and flushed since; (3) a member that failed is recorded as failed on all other disks,
 * stable, before anything is answered that it missed; it is not used again; (4) regions that are
 * not in step (`unsynced`) are read from the pair's source alone, on level 5 without their parity;
 * (5) what repair.c writes never overlaps a write of a client: it works with none under way there,
 * and to its end before the next request is taken; (6) level 5: rows with a write under way are
 * that write's alone, but for reads of what a data disk has; (7) a drive that joins is read only in
 * regions that were copied, flushed and are in step since, never where its list of bad sectors says
 * so; it gets every write, but its answer alone is no success; (8) what the superblocks say of its
 * regions is true of its platters.
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
#define BADS_MAX 479u         /* entries of a list, as many as the superblock has room for */
#define WHOLE UINT32_MAX      /* all regions */
#define CURSOR_REGIONS 16u    /* copied between two records of how far it is (assumption) */
#define REQUESTS_MAX 64u
#define PARTS_A_REQUEST 16u    /* one a disk */
#define PARTS_A_REQUEST_5 160u /* of each of 7 segments, and where parity is in the way */
#define SEGMENTS_MAX 7u        /* 3 of a stripe in part, whole ones, 3 of a stripe in part */
#define SCRATCH_MAX 4096u      /* pages of old blocks and parity, unless one request is alone */
#define PARTS_A_DISK 28u       /* under way; some of the client's slots stay for repair.c */
#define PAGE_CHUNK 64u         /* pages that are allocated at once */
#define PAGES_A_REQUEST BLOCK_IO_MAX_BLOCKS
#define SWEEP_NS UINT64_C(2500000000) /* how often idle regions are looked for */
#define IDLE_NS UINT64_C(5000000000)  /* a region is idle: as md's bitmap daemon, 5 s */
#define SAFE_NS UINT64_C(200000000)   /* without a bitmap: the array is idle, as md's safe mode */
#define RESYNC_BLOCKS 128u            /* copied in one step */
#define RESYNC_AT_ONCE 64u            /* regions, after a reset: a second or so (assumption) */
#define RESYNC_RETRY_NS UINT64_C(1000000)
#define RESYNC_EVERY 16u /* messages between two steps, under load */

struct super {
    uint64_t uuid[2];
    uint32_t level, disks, index;
    uint64_t chunk_sectors, column_sectors; /* of data on each disk */
    uint64_t events;                        /* raised with each change of what follows */
    uint32_t failed;                        /* bit a disk */
    uint32_t drive[DISKS_MAX];              /* by disk: its driver's instance */
    uint32_t whole[DISKS_MAX]; /* by disk: so many regions are; WHOLE: it does not join */
    uint32_t bads[DISKS_MAX];  /* by disk: entries of its list */
};

/* Sectors of a drive whose content nobody could tell when it was copied. */
struct bad_list {
    uint32_t count;
    struct {
        uint32_t block;  /* of the column */
        uint8_t sectors; /* bit a sector of 512 bytes, never 0 */
    } entry[BADS_MAX];
};

enum kind { KIND_CLIENT, KIND_BITMAP, KIND_SWEEP };

struct part;

/* Level 5: rows in which each data column is written, or read, whole or not at all; either of one
 * stripe or of a run of stripes that are covered whole. */
struct segment {
    uint64_t first; /* row */
    uint32_t rows;
    uint32_t want;    /* bit a data column: it is the request's */
    uint32_t reads;   /* data columns that are read first */
    bool read_parity; /* parity is read first */
    bool change; /* a write: new parity is old parity and what changes; else from all columns */
    uint32_t missing; /* a disk that cannot tell what it has here; DISKS_MAX: none */
    uint32_t base;    /* of its pages in `scratch`: parity, then columns */
};

enum phase { PHASE_READ, PHASE_WRITE };

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
    bool waiting;                    /* for bits, a lock, scratch */
    /* Level 5. */
    enum phase phase;
    bool wants_lock, has_lock; /* of rows lock_first to lock_end - 1 */
    bool careful;              /* a read that met a bad sector: once more, with the lock */
    bool again;                /* a disk went meanwhile: plan anew */
    uint64_t lock_first, lock_end;
    struct segment segment[SEGMENTS_MAX];
    uint32_t segments;
    uint8_t **scratch; /* room for as many as a request may want */
    uint32_t scratches, scratch_wanted;
};

struct part { /* what a request does on one disk */
    struct part *next;
    struct request *request;
    uint32_t disk, column;
    uint64_t first; /* column sector; KIND_BITMAP: sector of the disk */
    uint32_t count;
    uint32_t slot;    /* of the block client, while under way */
    uint32_t segment; /* level 5 */
    bool old;         /* the disk lost writes meanwhile: what it reads is not to be believed */
};

struct member {
    struct block_client client;
    uint32_t drive;   /* the driver's instance */
    uint64_t sectors; /* of the drive */
    bool usable;      /* present, not failed */
    bool joins;       /* usable, not yet whole */
    bool spent;       /* has, or had, a place: no spare */
    struct bad_list bad;
    struct part *queue, **queue_end;
    struct part *flight[PARTS_A_DISK];
    uint32_t flights;
    uint64_t heard_ns; /* when it answered last, or since when it is asked */
};

struct region {
    uint64_t last_ns;
    uint16_t writes; /* admitted, not answered */
    bool set, unsynced, candidate;
    bool joins;   /* unsynced, as the disk that joins has not got it yet */
    uint8_t lost; /* unsynced: disk + 1 whose content is old, 0: level 5 parity, level 1 either */
};

struct column {
    struct region *region;
    uint32_t regions, set, unsynced, resync_at;
    uint32_t joining, join_at;        /* unsynced regions with `joins`; where the copy is */
    uint32_t source;                  /* disk that unsynced regions are read from */
    uint8_t *bits;                    /* as it should be on disk; a block each 32768 regions */
    uint32_t dirty_first, dirty_last; /* blocks of it that have to be written; first > last: none */
    uint64_t gen, writing_gen, stable_gen; /* of the content of `bits` */
    bool writing;
};

struct scrub {
    bool runs;
    uint64_t began_ns, next_ns; /* this pass; the next one */
    uint32_t column, region;    /* where it is */
    uint64_t blocks, mended;
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
    struct member *drive[DISKS_MAX]; /* all there are, those without a place too */
    uint32_t drives;
    struct column column[DISKS_MAX];
    struct request request[REQUESTS_MAX];
    struct part *free_parts;
    uint8_t *free_pages;       /* list through the first bytes */
    uint32_t scratch_pages;    /* of all requests */
    uint64_t written, flushed; /* level 5: writes that ended, and how many a flush has seen */
    struct block_fencer fencer;
    uint64_t next_order, sweep_ns;
    bool sweeping; /* its flush is under way */
    bool recheck;  /* something waited elsewhere: answers or deaths may have passed by */
    struct scrub scrub;
    uint64_t join_ns;      /* not before that the next region is copied */
    uint32_t join_steps;   /* since the last report */
    bool bad_changed;      /* a list is not as the superblocks say */
    struct bad_list bad;   /* of the copy of a superblock that is being read */
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
MUST_USE enum err format_tables(struct raid *r);
/* Writes all of the column's bitmap to a disk that joins, stable. */
MUST_USE enum err format_join(struct raid *r, uint32_t disk);

/* ---- super.c ---- */

/* Fills a block, with the list of the disk super->index. */
void super_encode(uint8_t *raw, const struct super *super, const struct bad_list *bad);
/* E_CORRUPT, E_VERSION: nothing that is there is to be believed. */
MUST_USE enum err super_decode(struct super *super, struct bad_list *bad, const uint8_t *raw);

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
/* Level 5 without a disk, all that was written is stable: all bits go, at once, if nothing is under
 * way. */
void bitmap_clear_all(struct raid *r);

/* Notes that the region is not in step: `lost` as in struct region; and that it is. */
void region_mark(struct column *col, uint32_t region, uint32_t lost, bool joins);
void region_clear(struct column *col, uint32_t region);

/* ---- request.c ---- */

void request_serve(struct raid *r, const struct msg *m, const struct block_request *in);
/* Takes up what is answered, on one disk or on all. */
void request_reap(struct raid *r, uint32_t disk);
void request_reap_all(struct raid *r);
/* Sends waiting requests whose bits are stable now. */
void request_wake(struct raid *r);
/* Ends everything that came before: waits for what is under way, answers nothing. */
void request_drain(struct raid *r);
/* Waits for all that is under way; what waits stays. */
void request_settle(struct raid *r);
/* A request of the RAID itself; NULL: all are taken. */
struct request *request_take(struct raid *r, enum kind kind, enum block_op op);
void request_add_part(struct raid *r, struct request *q, uint32_t disk, uint32_t column,
                      uint64_t first, uint32_t count);
/* The same of level 5. */
void request_add_rows(struct raid *r, struct request *q, uint32_t disk, uint32_t segment,
                      uint64_t first, uint32_t count);
/* Where in memory this sector of the volume is, which the request covers. */
uint8_t *request_place(const struct request *q, uint64_t sector);
/* All of its parts are answered: answers the client, gives everything back. */
void request_end(struct raid *r, struct request *q);
/* A page of the pool, NULL: not enough memory; and back. */
uint8_t *request_get_page(struct raid *r);
void request_put_page(struct raid *r, uint8_t *page);
/* Gets `count` pages; false: not enough memory. */
bool request_get_pages(struct raid *r, struct request *q, uint32_t count);
/* The places in memory of a part's sectors, in its order. Returns how many. */
uint32_t request_spans(const struct raid *r, const struct part *p, struct plat_span *span);

/* ---- parity.c: level 5 ---- */

/* The rows that the request touches, and more where it touches several chunks. */
void parity_rows(const struct raid *r, const struct request *q, uint64_t *first, uint64_t *end);
/* Whether nobody else has, or earlier asked for, any of the rows that it wants. */
bool parity_may_go(const struct raid *r, const struct request *q);
/* Sends what comes first; or the request waits, for rows or for scratch. */
void parity_start(struct raid *r, struct request *q);
/* All parts of this phase are answered. */
void parity_next(struct raid *r, struct request *q);
/* A part failed for good. */
void parity_failed(struct raid *r, struct part *p, enum err e);
/* Gives back what it got: rows, scratch. */
void parity_release(struct raid *r, struct request *q);
uint8_t *parity_place(const struct raid *r, const struct part *p, uint64_t row);

/* ---- repair.c ---- */

/* The member is gone or cannot write: out of the volume, for good. */
void repair_fail(struct raid *r, uint32_t disk, enum err why);
/* Takes a member out, in memory; with it what joins, which has nothing left to be copied from. */
void repair_leave(struct raid *r, uint32_t disk);
/* Reads a part from whatever copies have it, block by block, and rewrites bad ones. */
MUST_USE enum err repair_read(struct raid *r, const struct part *p);
/* One step of the resynchronisation; false: nothing to do now. */
bool repair_step(struct raid *r);
bool repair_is_needed(const struct raid *r);
/* Brings one region that is not in step, and not being written, in step. */
void repair_region(struct raid *r, uint32_t column, uint32_t region);
/* What may differ on a disk that lost writes in a reset is copied from the others; one that no
 * other stands in for is out. */
void repair_lost_writes(struct raid *r);
/* Flushes one disk; it is out if it cannot. */
MUST_USE enum err repair_flush(struct raid *r, uint32_t disk);
/* Whether there is a disk of which that is to be done yet. */
bool repair_has_lost(const struct raid *r);

/* ---- rebuild.c: level 5 ---- */

/* At most a block that `disk` cannot read, from all others; the disk gets it again. The rows are
 * the caller's. */
MUST_USE enum err rebuild_piece(struct raid *r, uint32_t disk, uint64_t first, uint32_t count,
                                uint8_t *at);
/* Brings a region in step: its parity, or what a disk lost. */
MUST_USE enum err rebuild_region(struct raid *r, uint32_t region);
/* Compares a region's parity with its data, which win; bad sectors get what the others say. Returns
 * how many pieces were mended. */
uint32_t rebuild_compare(struct raid *r, uint32_t region);
/* How many members are out, or join. */
uint32_t rebuild_missing(const struct raid *r);

/* ---- scrub.c ---- */

void scrub_init(struct raid *r);
/* When there is something to do: 0 at once, PLAT_FOREVER never. */
uint64_t scrub_deadline(const struct raid *r);
/* Compares one region, if a pass is due or under way. */
void scrub_step(struct raid *r);

/* ---- spare.c ---- */

/* Says which drive will take a place, if a member is out and there is one. */
void spare_tell(const struct raid *r);
/* After a start: what joined before goes on. */
void spare_resume(struct raid *r, uint32_t disk);
/* The disk joins no more: it is out, or nobody is left to copy from. */
void spare_abandon(struct raid *r, uint32_t disk);
/* These column sectors were written, but not to the disk's whole counterpart: they are copied anew.
 */
void spare_again(struct raid *r, uint32_t disk, uint64_t first, uint32_t count);
/* When there is something to do; PLAT_FOREVER: no member is out, or there is no spare. */
uint64_t spare_deadline(const struct raid *r);
/* Takes a spare, or copies one region, if it is time. */
void spare_step(struct raid *r);

/* ---- bad.c ---- */

/* Whether the list of the disk has any of these column sectors. */
bool bad_hits(const struct raid *r, uint32_t disk, uint64_t first, uint32_t count);
/* Puts a block, or less, on the list. E_FULL. It is stable after bad_store(). */
MUST_USE enum err bad_add(struct raid *r, uint32_t disk, uint64_t first, uint32_t count);
void bad_store(struct raid *r);
/* They were written: takes them off the list, stable, after the data are. */
void bad_written(struct raid *r, uint32_t disk, uint64_t first, uint32_t count);
/* Read and write column sectors of a disk with regard to its list. Errors are the client's. */
MUST_USE enum err bad_read(struct raid *r, uint32_t disk, uint64_t first, void *to, size_t bytes);
MUST_USE enum err bad_write(struct raid *r, uint32_t disk, uint64_t first, const void *from,
                            size_t bytes);

/* ---- Geometry ---- */

static inline uint32_t raid_disk(const struct raid *r, uint32_t column, uint32_t copy)
{
    return column * r->copies + copy;
}

static inline uint64_t raid_disk_sector(uint64_t column_sector)
{
    return (uint64_t)DATA_START_BLOCK * SECTORS_A_BLOCK + column_sector;
}

/* The disk of a pair that is not this one. */
static inline uint32_t raid_twin(uint32_t disk)
{
    return disk ^ 1u;
}

static inline bool raid_is_whole(const struct raid *r, uint32_t disk)
{
    return r->member[disk]->usable && !r->member[disk]->joins;
}

static inline bool raid_is_5(const struct raid *r)
{
    return r->super.level == 5;
}

/* Level 5: the disk of a stripe's parity; its data come after it, in turn. */
static inline uint32_t raid_parity_disk(const struct raid *r, uint64_t stripe)
{
    return r->disks - 1 - (uint32_t)(stripe % r->disks);
}

/* Level 5: which data column of a stripe a disk has; disks - 1: its parity. */
static inline uint32_t raid_data_column(const struct raid *r, uint64_t stripe, uint32_t disk)
{
    return (disk + r->disks - raid_parity_disk(r, stripe) - 1) % r->disks;
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
