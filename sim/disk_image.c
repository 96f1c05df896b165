#define _GNU_SOURCE
#include "sim/disk_image.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "assertion.h"

#define GROUP_PAGES 4096u /* pages counted together: 64 Ki groups for 1 TiB */
#define FIRST_UNDO_ROOM 64u
#define GAP_WORDS 16u /* looked at together: most are zero */

const uint8_t disk_image_zeros[IMAGE_PAGE_BYTES];

void *disk_sparse_map(uint64_t bytes)
{
    ASSERT(bytes > 0);
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT(memory != MAP_FAILED);
    return memory;
}

void *disk_dense_map(uint64_t bytes)
{
    void *memory = disk_sparse_map(bytes);
    (void)madvise(memory, bytes, MADV_HUGEPAGE); /* speed only: may be refused */
    return memory;
}

void disk_sparse_unmap(void *memory, uint64_t bytes)
{
    int failed = munmap(memory, bytes);
    ASSERT(!failed);
}

uint32_t disk_sparse_gap(const uint32_t *word, uint32_t count)
{
    uint32_t gap = 0;
    for (; gap + GAP_WORDS <= count; gap += GAP_WORDS) {
        uint32_t any = 0;
        for (uint32_t i = 0; i < GAP_WORDS; i++)
            any |= word[gap + i];
        if (any != 0)
            break;
    }
    while (gap < count && word[gap] == 0)
        gap++;
    return gap;
}

static uint64_t pages_of(const struct disk_image *image)
{
    return image->size_bytes / IMAGE_PAGE_BYTES;
}

static uint64_t groups_of(const struct disk_image *image)
{
    return (pages_of(image) + GROUP_PAGES - 1) / GROUP_PAGES;
}

void disk_image_init(struct disk_image *image, uint64_t size_bytes, uint32_t sector_size)
{
    ASSERT(size_bytes > 0 && size_bytes % IMAGE_PAGE_BYTES == 0);
    ASSERT(sector_size == 512 || sector_size == IMAGE_PAGE_BYTES);
    *image = (struct disk_image){.size_bytes = size_bytes, .sector_size = sector_size};
    image->sectors_per_page = IMAGE_PAGE_BYTES / sector_size;
    image->bytes = disk_sparse_map(size_bytes);
    image->page = disk_sparse_map(pages_of(image) * sizeof(image->page[0]));
    image->group_used = disk_sparse_map(groups_of(image) * sizeof(image->group_used[0]));
    image->generation = 0;
    disk_image_seal(image);
}

void disk_image_fini(struct disk_image *image)
{
    disk_sparse_unmap(image->bytes, image->size_bytes);
    disk_sparse_unmap(image->page, pages_of(image) * sizeof(image->page[0]));
    disk_sparse_unmap(image->group_used, groups_of(image) * sizeof(image->group_used[0]));
    free(image->undo);
    free(image->undo_data);
}

static uint32_t save_bytes(struct disk_image *image, uint64_t page)
{
    if (image->page[page].live == 0)
        return 0;
    if (image->data_count == image->data_room) {
        image->data_room = image->data_room == 0 ? FIRST_UNDO_ROOM : image->data_room * 2;
        image->undo_data = realloc(image->undo_data, image->data_room * IMAGE_PAGE_BYTES);
        ASSERT(image->undo_data != NULL);
    }
    memcpy(image->undo_data + image->data_count * IMAGE_PAGE_BYTES,
           image->bytes + page * IMAGE_PAGE_BYTES, IMAGE_PAGE_BYTES);
    image->data_count++;
    ASSERT(image->data_count < UINT32_MAX);
    return (uint32_t)image->data_count;
}

/* To be called before any change of a page: invariant (1). */
static void touch(struct disk_image *image, uint64_t page)
{
    ASSERT(page < pages_of(image));
    if (image->page[page].saved >= image->level[image->levels - 1].generation)
        return;
    if (image->undo_count == image->undo_room) {
        image->undo_room = image->undo_room == 0 ? FIRST_UNDO_ROOM : image->undo_room * 2;
        image->undo = realloc(image->undo, image->undo_room * sizeof(image->undo[0]));
        ASSERT(image->undo != NULL);
    }
    image->undo[image->undo_count++] = (struct image_undo){
        .page = page,
        .before = image->page[page],
        .data = save_bytes(image, page),
    };
    image->page[page].saved = image->generation;
}

static uint32_t bits(uint8_t byte)
{
    static const uint8_t of_half[16] = {0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4};
    return (uint32_t)of_half[byte & 15] + of_half[byte >> 4];
}

/* Sets the flags of a page and keeps the counts (3). */
static void set_flags(struct disk_image *image, uint64_t page, uint8_t used, uint8_t bad)
{
    struct image_page *p = &image->page[page];
    if (p->used == used && p->bad == bad)
        return;
    uint32_t before = bits(p->used), after = bits(used);
    image->used_count += after;
    image->used_count -= before;
    image->group_used[page / GROUP_PAGES] += after - before;
    image->used_pages += (after != 0);
    image->used_pages -= (before != 0);
    image->bad_count += bits(bad);
    image->bad_count -= bits(p->bad);
    p->used = used;
    p->bad = bad;
}

/* The bits of sectors first..first+count-1, all of one page. */
static uint8_t mask_of(const struct disk_image *image, uint64_t first, uint64_t count)
{
    uint32_t shift = (uint32_t)(first % image->sectors_per_page);
    ASSERT(shift + count <= image->sectors_per_page);
    return (uint8_t)(((1u << count) - 1u) << shift);
}

/* How many of `count` sectors from `first` lie in the page of `first`. */
static uint64_t within_page(const struct disk_image *image, uint64_t first, uint64_t count)
{
    uint64_t room = image->sectors_per_page - first % image->sectors_per_page;
    return count < room ? count : room;
}

void disk_image_read(const struct disk_image *image, uint64_t first, uint64_t count, void *to)
{
    uint8_t *at = to;
    uint64_t run;
    for (uint64_t end = first + count; first < end; first += run, at += run * image->sector_size) {
        uint8_t live = image->page[first / image->sectors_per_page].live;
        run = within_page(image, first, end - first);
        uint8_t mask = mask_of(image, first, run);
        if ((live & mask) == 0) {
            memset(at, 0, run * image->sector_size);
            continue;
        }
        if ((live & mask) != mask)
            run = 1;
        memcpy(at, disk_image_sector(image, first), run * image->sector_size);
    }
}

void disk_image_store(struct disk_image *image, uint64_t first, uint32_t count, const void *data)
{
    const uint8_t *from = data;
    while (count > 0) {
        uint64_t page = first / image->sectors_per_page;
        uint32_t part = (uint32_t)within_page(image, first, count);
        uint8_t mask = mask_of(image, first, part);
        touch(image, page);
        set_flags(image, page, image->page[page].used | mask,
                  image->page[page].bad & (uint8_t)~mask);
        image->page[page].live |= mask;
        image->page[page].own |= mask;
        memcpy(image->bytes + first * image->sector_size, from, (size_t)part * image->sector_size);
        from += (size_t)part * image->sector_size;
        first += part;
        count -= part;
    }
}

void disk_image_trim(struct disk_image *image, uint64_t first, uint64_t count)
{
    while (count > 0) {
        uint64_t page = first / image->sectors_per_page;
        uint64_t part = within_page(image, first, count);
        if (image->group_used[page / GROUP_PAGES] == 0 && image->bad_count == 0) {
            part = (page / GROUP_PAGES + 1) * GROUP_PAGES * image->sectors_per_page - first;
            part = part < count ? part : count; /* nothing to do in the rest of the group */
        } else if (image->page[page].used != 0 || image->page[page].bad != 0) {
            uint8_t mask = mask_of(image, first, part);
            touch(image, page);
            set_flags(image, page, image->page[page].used & (uint8_t)~mask,
                      image->page[page].bad & (uint8_t)~mask);
            image->page[page].live &= (uint8_t)~mask;
            image->page[page].own |= mask;
        }
        first += part;
        count -= part;
    }
}

bool disk_image_flip(struct disk_image *image, uint64_t sector, uint32_t bit)
{
    uint64_t page = sector / image->sectors_per_page;
    uint8_t mask = mask_of(image, sector, 1);
    uint8_t *bytes = image->bytes + sector * image->sector_size;
    ASSERT(bit < image->sector_size * 8);
    touch(image, page);
    if ((image->page[page].live & mask) == 0)
        memset(bytes, 0, image->sector_size);
    image->page[page].live |= mask;
    image->page[page].own |= mask;
    bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    return disk_image_is_used(image, sector);
}

void disk_image_spoil(struct disk_image *image, uint64_t sector)
{
    uint64_t page = sector / image->sectors_per_page;
    touch(image, page);
    set_flags(image, page, image->page[page].used,
              image->page[page].bad | mask_of(image, sector, 1));
}

bool disk_image_is_bad(const struct disk_image *image, uint64_t sector)
{
    return image->bad_count != 0 &&
           (image->page[sector / image->sectors_per_page].bad & mask_of(image, sector, 1)) != 0;
}

bool disk_image_is_used(const struct disk_image *image, uint64_t sector)
{
    return (image->page[sector / image->sectors_per_page].used & mask_of(image, sector, 1)) != 0;
}

uint64_t disk_image_used_nth(const struct disk_image *image, uint64_t n)
{
    ASSERT(n < image->used_count);
    uint64_t group = 0;
    while (n >= image->group_used[group])
        n -= image->group_used[group++];
    uint64_t page = group * GROUP_PAGES;
    while (n >= bits(image->page[page].used))
        n -= bits(image->page[page++].used);
    uint32_t sector = 0;
    for (;; sector++) {
        ASSERT(sector < image->sectors_per_page);
        if ((image->page[page].used >> sector & 1) == 0)
            continue;
        if (n == 0)
            break;
        n--;
    }
    return page * image->sectors_per_page + sector;
}

static void start_level(struct disk_image *image)
{
    ASSERT(image->levels < IMAGE_LEVELS_MAX);
    ASSERT(image->generation < UINT32_MAX);
    image->generation++;
    image->level[image->levels++] = (struct image_level){.undo_count = image->undo_count,
                                                         .data_count = image->data_count,
                                                         .generation = image->generation};
}

void disk_image_seal(struct disk_image *image)
{
    for (size_t i = 0; i < image->undo_count; i++)
        image->page[image->undo[i].page].own = 0; /* what was changed since the seal before */
    image->levels = 0;
    image->undo_count = 0;
    image->data_count = 0;
    start_level(image);
}

uint32_t disk_image_push(struct disk_image *image)
{
    start_level(image);
    return image->levels - 1;
}

static void undo_one(struct disk_image *image, const struct image_undo *undo)
{
    if (undo->data != 0)
        memcpy(image->bytes + undo->page * IMAGE_PAGE_BYTES,
               image->undo_data + (size_t)(undo->data - 1) * IMAGE_PAGE_BYTES, IMAGE_PAGE_BYTES);
    set_flags(image, undo->page, undo->before.used, undo->before.bad);
    image->page[undo->page] = undo->before;
}

void disk_image_rollback(struct disk_image *image, uint32_t level)
{
    ASSERT(level < image->levels);
    const struct image_level *to = &image->level[level];
    while (image->undo_count > to->undo_count)
        undo_one(image, &image->undo[--image->undo_count]);
    image->data_count = to->data_count;
    image->levels = level + 1;
}
