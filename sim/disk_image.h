/*
 * The stable image of a disk: bytes in sparse memory, which sectors were ever written, which cannot
 * be read, and the undo log that takes all three back to a level. A sector that is not live is
 * zero, whatever its memory holds: most of what a trial writes to was zero before, and neither has
 * to be looked at when it is first written to nor cleared when it is taken back.
 *
 * The log works on pages of 4096 bytes. Each level has a generation; the first change of a page in
 * a level saves the page as it was, and its `saved` becomes that generation. A rollback pops
 * entries.
 *
 * Invariants:
 *   (1) `saved` of a page >= generation of the top level iff the log above that level's mark has
 * the page; (2) generations only grow, so a page saved in a level that is over is saved again; (3)
 * bad_count and used_count are the numbers of set bits; (4) used sectors are live, and others that
 * a bit was flipped in; (5) `own` sectors were stored, trimmed or flipped since the last seal.
 */
#ifndef LORIS_SIM_DISK_IMAGE_H
#define LORIS_SIM_DISK_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAGE_PAGE_BYTES 4096u
#define IMAGE_LEVELS_MAX 8u

/* What is known of a page, together because it is needed together. */
struct image_page {
    uint32_t saved;               /* a generation */
    uint8_t live, used, bad, own; /* bits of its sectors */
};

/* A page as it was. Without live sectors, as most are, it keeps no bytes. */
struct image_undo {
    uint64_t page;
    struct image_page before;
    uint32_t data; /* index of its bytes in undo_data plus 1; 0: none is live */
};

struct image_level {
    size_t undo_count, data_count; /* the log's length at its start */
    uint32_t generation;
};

struct disk_image {
    uint64_t size_bytes;
    uint32_t sector_size;
    uint32_t sectors_per_page;
    uint8_t *bytes;
    struct image_page *page;
    uint32_t *group_used; /* used sectors of each group of IMAGE_GROUP_PAGES pages */
    uint64_t used_count, used_pages, bad_count;
    struct image_undo *undo;
    size_t undo_count, undo_room;
    uint8_t *undo_data;
    size_t data_count, data_room; /* pages */
    struct image_level level[IMAGE_LEVELS_MAX];
    uint32_t levels; /* >= 1 */
    uint32_t generation;
};

/* Memory that reads as zeros and costs nothing until touched. Failure is a defect of loris. */
void *disk_sparse_map(uint64_t bytes);
/* The same for what is filled from its start, without holes, and read all over: in huge pages. */
void *disk_dense_map(uint64_t bytes);
void disk_sparse_unmap(void *memory, uint64_t bytes);
/* Of a sparse array with a word a sector: how many of `count` words are zero before one is not. */
uint32_t disk_sparse_gap(const uint32_t *word, uint32_t count);

/* An image of zeros; size_bytes is a multiple of 4096, sector_size 512 or 4096. */
void disk_image_init(struct disk_image *image, uint64_t size_bytes, uint32_t sector_size);
void disk_image_fini(struct disk_image *image);

/* Where the bytes of a sector are. Those of the next lie behind them if both are live, or neither,
 * in one page. */
static inline const uint8_t *disk_image_sector(const struct disk_image *image, uint64_t sector)
{
    extern const uint8_t disk_image_zeros[IMAGE_PAGE_BYTES];
    uint64_t within = sector % image->sectors_per_page;
    if ((image->page[sector / image->sectors_per_page].live >> within & 1) == 0)
        return disk_image_zeros + within * image->sector_size;
    return image->bytes + sector * image->sector_size;
}

/* Copies whole sectors, bad ones too. */
void disk_image_read(const struct disk_image *image, uint64_t first, uint64_t count, void *to);

/* Stores whole sectors: used from now on, readable again. */
void disk_image_store(struct disk_image *image, uint64_t first, uint32_t count, const void *data);

/* Sectors become zero and unused. Costs what was used of them. */
void disk_image_trim(struct disk_image *image, uint64_t first, uint64_t count);

/* Flips one bit of a sector; returns whether the sector is used. */
bool disk_image_flip(struct disk_image *image, uint64_t sector, uint32_t bit);

/* Makes a sector unreadable until stored. */
void disk_image_spoil(struct disk_image *image, uint64_t sector);

bool disk_image_is_bad(const struct disk_image *image, uint64_t sector);
bool disk_image_is_used(const struct disk_image *image, uint64_t sector);

/* Whether the sector has been changed since the last seal (and not taken back). */
static inline bool disk_image_is_own(const struct disk_image *image, uint64_t sector)
{
    uint64_t within = sector % image->sectors_per_page;
    return (image->page[sector / image->sectors_per_page].own >> within & 1) != 0;
}

/* The n-th used sector in address order, n < used_count. */
uint64_t disk_image_used_nth(const struct disk_image *image, uint64_t n);

/* Forgets the log: level 0 is the present. */
void disk_image_seal(struct disk_image *image);

/* Starts a level above the others and returns its number, 1.. */
uint32_t disk_image_push(struct disk_image *image);

/* Takes everything back to the start of `level`, which stays the top. Cost: what was changed. */
void disk_image_rollback(struct disk_image *image, uint32_t level);

#endif
