/*
 * Many blocks at once: neighbours travel in one request, and up to IO_OUTSTANDING requests are on
 * their way, so that a disk with a queue can use it. With verify_writes what was written is read
 * back from the medium: after a flush, since the drive would answer out of its write cache.
 *
 * With two copies of metadata whatever goes to a slot goes to its second place too, and is read
 * from there if the first is bad.
 */
#include "physical.h"

#include "assertion.h"
#include "mem.h"
#include "planted.h"

#define IO_OUTSTANDING 16u
#define SECTORS (BLOCK_BYTES / SECTOR_BYTES)
#define IO_SPANS 64u
#define READ_TRIES 2u
#define VERIFY_ROUNDS 2u /* the write, and once more what is not there */

struct run {
    uint32_t first, count, slot;
};

/* A device that lost acknowledged writes (D3): what memory believes to be on the disk may not be.
 */
static void check_reset(const struct physical *p)
{
    if (!p->client.lost_writes || PLANTED(PLANTED_RESET_OVERLOOKED))
        return;
    plat_report(REPORT_DETECTED, (uint64_t)-E_MEDIA, p->disk);
    plat_panic(E_MEDIA);
}

static uint32_t submit(struct physical *p, enum block_op op, const struct io_item *items,
                       uint32_t count)
{
    struct plat_span spans[IO_SPANS];
    uint32_t used = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *page = items[i].page;
        if (used > 0 && (uint8_t *)spans[used - 1].base + spans[used - 1].bytes == page) {
            spans[used - 1].bytes += BLOCK_BYTES;
            continue;
        }
        ASSERT(used < IO_SPANS);
        spans[used++] = (struct plat_span){.base = page, .bytes = BLOCK_BYTES};
    }
    return block_submit(&p->client, op, items[0].address * SECTORS, false, spans, used);
}

/* One of several blocks failed: find out which, so that the others are not blamed. */
static void retry_each(struct physical *p, enum block_op op, struct io_item *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        items[i].status = phys_io_block(p, op, items[i].address, items[i].page);
}

static void finish(struct physical *p, enum block_op op, struct io_item *items,
                   const struct run *run)
{
    enum err e = block_wait(&p->client, run->slot);
    check_reset(p);
    if (e == E_MEDIA && run->count > 1) {
        retry_each(p, op, items + run->first, run->count);
        return;
    }
    for (uint32_t i = 0; i < run->count; i++)
        items[run->first + i].status = e;
}

enum err phys_io_run(struct physical *p, enum block_op op, struct io_item *items, uint32_t count)
{
    struct run runs[IO_OUTSTANDING];
    uint32_t begun = 0, done = 0, next = 0;
    ASSERT(op == BLOCK_READ || op == BLOCK_WRITE);
    phys_node_wait(p);
    while (next < count || done < begun) {
        if (next < count && begun - done < IO_OUTSTANDING) {
            uint32_t length = 1;
            while (next + length < count && length < IO_SPANS &&
                   items[next + length].address == items[next].address + length)
                length++;
            struct run *run = &runs[begun++ % IO_OUTSTANDING];
            *run = (struct run){.first = next, .count = length};
            run->slot = submit(p, op, items + next, length);
            next += length;
            continue;
        }
        finish(p, op, items, &runs[done++ % IO_OUTSTANDING]);
    }
    phys_node_woke(p);
    for (uint32_t i = 0; i < count; i++)
        if (items[i].status != OK)
            return items[i].status;
    return OK;
}

/* ---- Reading back ---------------------------------------------------------------------------- */

/* Compares up to VERIFY_BLOCKS written items with the medium; what differs becomes E_CORRUPT. */
static enum err compare(struct physical *p, struct io_item *items, uint32_t count)
{
    struct io_item back[VERIFY_BLOCKS];
    ASSERT(count <= VERIFY_BLOCKS);
    for (uint32_t i = 0; i < count; i++)
        back[i] = (struct io_item){.address = items[i].address,
                                   .page = p->verify + (size_t)i * BLOCK_BYTES};
    (void)phys_io_run(p, BLOCK_READ, back, count); /* each block has its own status */
    for (uint32_t i = 0; i < count; i++) {
        if (back[i].status == E_DEAD)
            return E_DEAD;
        if (items[i].status != OK)
            continue;
        if (back[i].status == OK && plat_crc32c(back[i].page, BLOCK_BYTES) == items[i].crc)
            continue;
        plat_report(REPORT_DETECTED, (uint64_t)-E_CORRUPT, items[i].address);
        items[i].status = E_CORRUPT;
    }
    return OK;
}

static enum err verify(struct physical *p, struct io_item *items, uint32_t count)
{
    enum err e = phys_io_flush(p);
    for (uint32_t done = 0; done < count && e == OK; done += VERIFY_BLOCKS) {
        uint32_t left = count - done;
        e = compare(p, items + done, left < VERIFY_BLOCKS ? left : VERIFY_BLOCKS);
    }
    return e;
}

/* Writes again what was not found, or gives it up as E_MEDIA. true: something was written. */
static bool write_again(struct physical *p, struct io_item *items, uint32_t count, bool last)
{
    bool again = false;
    for (uint32_t i = 0; i < count; i++) {
        if (items[i].status != E_CORRUPT)
            continue;
        items[i].status =
            last ? E_MEDIA : phys_io_block(p, BLOCK_WRITE, items[i].address, items[i].page);
        again |= !last;
    }
    return again;
}

static enum err write_all(struct physical *p, struct io_item *items, uint32_t count)
{
    enum err e = phys_io_run(p, BLOCK_WRITE, items, count);
    if (!p->verify_writes)
        return e;
    bool again = true;
    for (uint32_t round = 1; again && round <= VERIFY_ROUNDS; round++) {
        e = verify(p, items, count);
        if (e != OK)
            return e;
        again = write_again(p, items, count, round == VERIFY_ROUNDS);
    }
    for (uint32_t i = 0; i < count; i++)
        if (items[i].status != OK)
            return items[i].status;
    return OK;
}

/* ---- Second copies --------------------------------------------------------------------------- */

static bool has_second(const struct physical *p, uint64_t address)
{
    return p->layout.copies == 2 && phys_layout_is_slot(&p->layout, address);
}

/* One of two copies is enough: the other is written with the next change, or by a scrub. */
static void merge(struct io_item *first, const struct io_item *second)
{
    enum err one = first->status, other = second->status;
    bool both = one == OK && other == OK;
    if (both || one == E_DEAD)
        return;
    if (one == OK || other == OK)
        plat_report(REPORT_DETECTED, (uint64_t) - (int)(one == OK ? other : one),
                    one == OK ? second->address : first->address);
    if (other == OK || other == E_DEAD)
        first->status = other;
}

/* The second copies of those of items[0..count) that have one. */
static void write_seconds(struct physical *p, struct io_item *items, uint32_t count)
{
    struct io_item second[IO_SPANS];
    uint32_t of[IO_SPANS], used = 0;
    for (uint32_t i = 0; i <= count; i++) {
        if (used == IO_SPANS || (i == count && used > 0)) {
            (void)write_all(p, second, used); /* each has its own status */
            for (uint32_t k = 0; k < used; k++)
                merge(&items[of[k]], &second[k]);
            used = 0;
        }
        if (i == count || !has_second(p, items[i].address))
            continue;
        second[used] = (struct io_item){.address = phys_layout_second(&p->layout, items[i].address),
                                        .page = items[i].page,
                                        .crc = items[i].crc};
        of[used++] = i;
    }
}

enum err phys_io_write(struct physical *p, struct io_item *items, uint32_t count)
{
    enum err e = write_all(p, items, count);
    if (p->layout.copies == 1 || PLANTED(PLANTED_SECOND_UNWRITTEN))
        return e;
    write_seconds(p, items, count);
    for (uint32_t i = 0; i < count; i++)
        if (items[i].status != OK)
            return items[i].status;
    return OK;
}

bool phys_io_second(struct physical *p, uint64_t address, uint32_t crc, void *page)
{
    bool good = false;
    if (!has_second(p, address))
        return false;
    uint64_t second = phys_layout_second(&p->layout, address);
    for (uint32_t k = 0; k < READ_TRIES && !good; k++) /* a read may be misdirected */
        good = phys_io_block(p, BLOCK_READ, second, page) == OK &&
               plat_crc32c(page, BLOCK_BYTES) == crc;
    if (good && phys_io_block(p, BLOCK_WRITE, address, page) == OK) {
        plat_report(REPORT_REPAIR, OID_INODES, address);
        plat_probe(PROBE_PHYS_SECOND_COPY);
    }
    return good;
}

/* ---- One at a time --------------------------------------------------------------------------- */

static enum err transfer(struct physical *p, enum block_op op, uint64_t sector, void *raw,
                         size_t bytes)
{
    phys_node_wait(p);
    enum err e = op == BLOCK_READ ? block_read(&p->client, sector, raw, bytes)
                                  : block_write(&p->client, sector, raw, bytes, false);
    check_reset(p);
    phys_node_woke(p);
    return e;
}

enum err phys_io_block(struct physical *p, enum block_op op, uint64_t address, void *page)
{
    return transfer(p, op, address * SECTORS, page, BLOCK_BYTES);
}

enum err phys_io_sector(struct physical *p, enum block_op op, uint64_t sector, void *raw)
{
    if (p->sector_bytes == SECTOR_BYTES)
        return transfer(p, op, sector, raw, SECTOR_BYTES);
    memset(p->sector, 0, sizeof(p->sector));
    if (op == BLOCK_WRITE)
        memcpy(p->sector, raw, SECTOR_BYTES);
    enum err e = transfer(p, op, sector, p->sector, p->sector_bytes);
    if (op == BLOCK_READ)
        memcpy(raw, p->sector, SECTOR_BYTES);
    return e;
}

enum err phys_io_flush(struct physical *p)
{
    phys_node_wait(p);
    enum err e = block_flush(&p->client);
    check_reset(p);
    phys_node_woke(p);
    return e;
}
