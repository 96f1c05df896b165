/*
 * Root slots: 4 of 2 copies each, in the first and in the last MiB. A root is one sector, so a cut
 * leaves a copy old or new; the second is written when the first is stable.
 *
 * The newest is the one of the highest (life, batch). It is taken if its tree begins well: what the
 * root points to, the record of the root directory. Else the one before: its tree is whole, as what
 * a batch frees waits for the next but one root. Never is it taken instead of one that an orderly
 * stop wrote: what would be lost then, nobody expects to lose, and no error would say so.
 *
 * An orderly stop reads back what the next mount begins with, since a root that was lost is missed
 * by nobody then.
 */
#include "assertion.h"
#include "cow.h"
#include "mem.h"

enum err cow_read(struct cow *c, const struct cow_pointer *from, uint8_t *to)
{
    enum err e = E_CORRUPT;
    if (!cow_is_data(c->fs->blocks, from->address))
        return E_CORRUPT;
    for (uint32_t k = 0; k < CRC_TRIES && e == E_CORRUPT; k++) {
        e = as_media(
            block_read(&c->fs->client, (uint64_t)from->address * SECTORS_A_BLOCK, to, BLOCK_BYTES));
        if (e == OK && plat_crc32c(to, BLOCK_BYTES) != from->crc)
            e = E_CORRUPT;
    }
    if (e != OK)
        plat_report(REPORT_DETECTED, (uint64_t) - (int64_t)e, from->address);
    return e;
}

/* Either copy. E_VERSION, E_CORRUPT, E_MEDIA: of the one that says most. */
static enum err read_slot(struct cow *c, uint32_t slot, struct cow_root *root)
{
    enum err worst = OK;
    for (uint32_t copy = 0; copy < ROOT_COPIES; copy++) {
        uint64_t block = cow_root_block(c->fs->blocks, slot, copy);
        enum err e = as_media(
            block_read(&c->fs->client, block * SECTORS_A_BLOCK, c->root_page, BLOCK_BYTES));
        if (e == OK)
            e = cow_root_decode(root, c->root_page, c->fs->blocks, slot);
        if (e == OK)
            return OK;
        worst = e == E_VERSION || worst == OK ? e : worst;
    }
    return worst;
}

static bool newer(const struct cow_root *a, const struct cow_root *b)
{
    return a->life != b->life ? a->life > b->life : a->batch > b->batch;
}

/* Does its tree begin well? */
static bool begins_well(struct cow *c, const struct cow_root *root)
{
    struct cow_pointer at = root->inode_file;
    struct cow_disk_inode d;
    for (uint32_t level = 0; level <= COW_INODE_FILE_HEIGHT; level++) {
        if (cow_read(c, &at, c->scratch) != OK)
            return false;
        if (level < COW_INODE_FILE_HEIGHT)
            cow_pointer_decode(&at, c->scratch); /* the first: of inodes 0 to 15 */
    }
    if (cow_inode_decode(&d, c->scratch + COW_INO_ROOT * COW_INODE_BYTES) != OK || d.type == 0)
        return false;
    return cow_read(c, &root->map, c->scratch) == OK;
}

/* The newest first; those that cannot be read are left out. */
static uint32_t read_all(struct cow *c, struct cow_root root[ROOT_SLOTS], enum err *why)
{
    uint32_t count = 0;
    *why = E_CORRUPT;
    for (uint32_t slot = 0; slot < ROOT_SLOTS; slot++) {
        struct cow_root r;
        enum err e = read_slot(c, slot, &r);
        c->slot_life[slot] = e == OK ? r.life : 0;
        c->slot_batch[slot] = e == OK ? r.batch : 0;
        if (e != OK) {
            *why = e == E_VERSION || *why == E_CORRUPT ? e : *why;
            continue;
        }
        uint32_t at = count++;
        for (; at > 0 && newer(&r, &root[at - 1]); at--)
            root[at] = root[at - 1];
        root[at] = r;
    }
    return count;
}

enum err cow_root_choose(struct cow *c)
{
    struct cow_root root[ROOT_SLOTS];
    enum err why;
    uint32_t count = read_all(c, root, &why), at = 0;
    if (count == 0)
        return why;
    while (at < count && !begins_well(c, &root[at]))
        at = root[at].clean ? count : at + 1;
    c->fell_back = at > 0 && at < count;
    if (c->fell_back)
        plat_report(REPORT_ROLLBACK, root[at].batch, 0);
    c->damaged = at == count;
    if (c->damaged)
        at = 0; /* each use will say that it is broken; nothing is written any more */
    c->stable = root[at];
    c->life = root[0].life + 1;
    for (c->has_previous = false; ++at < count && !c->has_previous;) {
        c->previous = root[at];
        c->has_previous = begins_well(c, &root[at]);
    }
    return OK;
}

/* ---- Orderly stop ---- */

static enum err verify_copy(struct cow *c, uint32_t copy)
{
    struct cow_root root;
    uint64_t sector = cow_root_block(c->fs->blocks, c->stable.slot, copy) * SECTORS_A_BLOCK;
    enum err e = as_media(block_read(&c->fs->client, sector, c->root_page, BLOCK_BYTES));
    if (e == OK)
        e = cow_root_decode(&root, c->root_page, c->fs->blocks, c->stable.slot);
    if (e == OK && root.life == c->stable.life && root.batch == c->stable.batch)
        return OK;
    plat_report(REPORT_DETECTED, (uint64_t) - (int64_t)(e == OK ? E_CORRUPT : e), copy);
    memset(c->root_page, 0, BLOCK_BYTES);
    cow_root_encode(c->root_page, &c->stable);
    e = as_media(block_write(&c->fs->client, sector, c->root_page, BLOCK_BYTES, true));
    return e == OK ? E_AGAIN : e;
}

/* New places for what a root needs to begin well. */
static enum err write_beginning(struct cow *c)
{
    struct buffer *b;
    bool fresh;
    enum err e = cow_reserve(c, REQUEST_BLOCKS_MAX, true);
    if (e == OK)
        e = cow_tree_change(c, &c->inode_file, 0, false, &b, &fresh);
    return e == OK ? cow_sync(c) : e;
}

enum err cow_root_verify(struct cow *c)
{
    enum err e = E_AGAIN;
    for (uint32_t tries = 0; tries < CRC_TRIES && e == E_AGAIN; tries++) {
        enum err first = verify_copy(c, 0), second = verify_copy(c, 1);
        e = first == OK ? second : first;
        if (e == OK && !begins_well(c, &c->stable)) {
            e = write_beginning(c);
            e = e == OK ? E_AGAIN : e;
        }
    }
    return e == E_AGAIN ? E_CORRUPT : e;
}

/* ---- Slots ---- */

uint32_t cow_root_oldest(const struct cow *c)
{
    uint32_t oldest = ROOT_SLOTS;
    for (uint32_t slot = 0; slot < ROOT_SLOTS; slot++) {
        if (slot == c->stable.slot || (c->has_previous && slot == c->previous.slot))
            continue;
        if (oldest == ROOT_SLOTS || c->slot_life[slot] < c->slot_life[oldest] ||
            (c->slot_life[slot] == c->slot_life[oldest] &&
             c->slot_batch[slot] < c->slot_batch[oldest]))
            oldest = slot;
    }
    ASSERT(oldest < ROOT_SLOTS);
    return oldest;
}

void cow_root_took(struct cow *c, const struct cow_root *root)
{
    c->previous = c->stable;
    c->has_previous = true;
    c->stable = *root;
    c->slot_life[root->slot] = root->life;
    c->slot_batch[root->slot] = root->batch;
}
