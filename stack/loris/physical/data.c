/*
 * Data blocks: reads verified against the pointer, and writes in batches.
 *
 * A batch is planned whole (where does each block go), then one block of intents is made stable for
 * those that overwrite what the checkpoint holds, then all data go out at once, and last, blocks
 * whose write failed are given another place (P1, P2).
 */
#include "physical.h"

#include "assertion.h"
#include "bytes.h"
#include "mem.h"
#include "plan.h"
#include "planted.h"

#define RELOCATIONS_MAX 3u
#define SEEN_SLOTS 512u /* twice the entries of a batch and more: finds doubles */
#define META_BLOCK_HOLE 1u

/* ---- Reading --------------------------------------------------------------------------------- */

/* What the pointer of one block says before anything is read. true: the block must be read. */
static bool look_up(struct physical *p, uint64_t oid, const uint8_t *inode, uint64_t block,
                    struct pointer *at, struct object_block_meta *meta)
{
    struct spot spot;
    enum err e = phys_tree_spot(p, oid, 0, block, NODE_LOOK, false, &spot);
    *at = (struct pointer){.address = 0};
    *meta = (struct object_block_meta){.status = OK};
    if (e == OK)
        phys_pointer_decode(at, spot.raw);
    if (e != OK && e != E_NOENT)
        meta->status = e;
    else if (at->flags & POINTER_BAD)
        meta->status = E_LOST;
    else if (at->address == 0 && get_le32(inode + INODE_FLAGS) & INODE_HOLES_LOST)
        meta->status = E_LOST;
    else if (at->address == 0)
        meta->flags = META_BLOCK_HOLE;
    else if (!phys_space_holds(p, at->address))
        meta->status = E_CORRUPT;
    meta->crc = at->crc;
    meta->birth = at->birth;
    return meta->status == OK && at->address != 0;
}

static void verify_first(struct physical *p, const struct io_item *item,
                         struct object_block_meta *meta)
{
    meta->status = item->status;
    if (item->status == E_MEDIA)
        plat_report(REPORT_DETECTED, (uint64_t)-E_MEDIA, item->address);
    if (item->status != OK || PLANTED(PLANTED_CRC_UNCHECKED))
        return;
    if (plat_crc32c(item->page, BLOCK_BYTES) == meta->crc)
        return;
    /* The read may have been misdirected: once more. */
    meta->status = phys_io_block(p, BLOCK_READ, item->address, item->page);
    if (meta->status == OK && plat_crc32c(item->page, BLOCK_BYTES) != meta->crc)
        meta->status = E_CORRUPT;
    if (meta->status != OK)
        plat_report(REPORT_DETECTED, (uint64_t)-meta->status, item->address);
}

static void verify_read(struct physical *p, const struct io_item *item,
                        struct object_block_meta *meta)
{
    verify_first(p, item, meta);
    bool bad = meta->status == E_CORRUPT || meta->status == E_MEDIA;
    if (bad && phys_io_second(p, item->address, meta->crc, item->page))
        meta->status = OK;
}

static void read_blocks(struct physical *p, struct object_block_meta *meta, uint32_t count,
                        uint32_t to_read)
{
    (void)phys_io_run(p, BLOCK_READ, p->items, to_read);
    for (uint32_t i = 0, item = 0; i < count; i++) {
        if (meta[i].status != OK || meta[i].flags & META_BLOCK_HOLE)
            continue;
        verify_read(p, &p->items[item++], &meta[i]);
    }
}

/* Fills in meta and p->batch. */
static void read_range(struct physical *p, const struct object_request *request,
                       const uint8_t *inode, struct object_block_meta *meta, uint32_t count)
{
    bool no_data = (request->flags & OBJECT_NODATA) != 0;
    uint32_t to_read = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct pointer at;
        uint8_t *page = p->batch + (size_t)i * BLOCK_BYTES;
        bool read =
            look_up(p, request->oid, inode, request->offset / BLOCK_BYTES + i, &at, &meta[i]);
        if (no_data)
            continue;
        if (read)
            p->items[to_read++] = (struct io_item){.address = at.address, .page = page};
        else
            memset(page, 0, BLOCK_BYTES);
        if (meta[i].flags & META_BLOCK_HOLE)
            meta[i].crc = plat_crc32c(page, BLOCK_BYTES);
    }
    if (!no_data)
        read_blocks(p, meta, count, to_read);
}

enum err phys_data_read(struct physical *p, const struct object_request *request, uint32_t source,
                        struct object_reply *reply)
{
    struct object_block_meta meta[OBJECT_IO_MAX_BLOCKS];
    struct node *leaf;
    uint8_t *inode;
    uint32_t count = (uint32_t)(request->length / BLOCK_BYTES);
    if (request->offset % BLOCK_BYTES != 0 || request->length % BLOCK_BYTES != 0 || count == 0 ||
        count > OBJECT_IO_MAX_BLOCKS)
        return E_INVAL;
    enum err e = phys_tree_object(p, request->oid, &leaf, &inode);
    if (e != OK)
        return e;
    read_range(p, request, inode, meta, count);
    for (uint32_t i = 0; i < count; i++) {
        object_block_meta_encode(p->meta + (size_t)i * OBJECT_META_BYTES, &meta[i]);
        if (e == OK)
            e = (enum err)meta[i].status;
    }
    enum err copied =
        plat_copy_out(source, request->grant_meta, 0, p->meta, (size_t)count * OBJECT_META_BYTES);
    if (copied == OK && (request->flags & OBJECT_NODATA) == 0)
        copied = plat_copy_out(source, request->grant_data, 0, p->batch, request->length);
    reply->moved = (uint32_t)request->length;
    return copied == OK ? e : copied;
}

/* ---- Planning a write ------------------------------------------------------------------------ */

static bool is_zero(const uint8_t *page)
{
    return page[0] == 0 && memcmp(page, page + 1, BLOCK_BYTES - 1) == 0;
}

static void release_old(struct physical *p, struct write_plan *w, const struct pointer *old)
{
    if (old->address == 0)
        return;
    phys_space_free(p, old->address);
    phys_tree_count(p, w->leaf, w->inode, -1);
}

/* Of the object; verified again, since there may have been a wait since it was looked up. */
static uint32_t flags_of(struct physical *p, const struct write_plan *w)
{
    size_t at = (size_t)(w->inode - w->leaf->raw);
    return get_le32(phys_node_see(p, w->leaf, at, FORMAT_INODE_BYTES) + INODE_FLAGS);
}

static enum err take_new(struct physical *p, struct write_plan *w, const struct pointer *old)
{
    uint64_t address;
    bool meta = (flags_of(p, w) & OBJECT_META) != 0;
    enum err e = phys_space_block(p, meta, w->privileged, &address);
    if (e != OK)
        return e;
    release_old(p, w, old);
    phys_tree_count(p, w->leaf, w->inode, 1);
    w->address = address;
    w->place = PLACE_NEW;
    return OK;
}

static bool must_shadow(struct physical *p, const struct write_plan *w)
{
    uint32_t flags = flags_of(p, w);
    return p->data_cow || (flags & (OBJECT_META | OBJECT_COW)) != 0 ||
           (w->entry.flags & OBJECT_SHADOW) != 0;
}

static enum err choose_place(struct physical *p, struct write_plan *w, const struct pointer *old)
{
    if (old->address == 0)
        return take_new(p, w, old);
    if (!phys_space_in_last(p, old->address)) {
        w->address = old->address; /* no checkpoint has it: free to overwrite */
        w->place = PLACE_NEW;
        return OK;
    }
    bool durable = phys_intent_is_durable(p, old->address, w->entry.crc);
    if (must_shadow(p, w))
        return take_new(p, w, old);
    if (!durable && !phys_intent_room(p, w->intents_before + 1)) {
        enum err e = take_new(p, w, old);
        return e == E_FULL ? E_AGAIN : e; /* a checkpoint makes room for intents */
    }
    w->address = old->address;
    w->place = durable ? PLACE_IN_PLACE : PLACE_INTENT;
    return OK;
}

static void point_to(struct physical *p, const struct write_plan *w, const struct spot *spot)
{
    struct pointer to = {
        .address = w->address, .crc = w->entry.crc, .birth = (uint32_t)p->core.released + 1};
    if (w->place == PLACE_LOST)
        to = (struct pointer){.flags = POINTER_BAD, .birth = to.birth};
    if (w->place == PLACE_HOLE)
        to = (struct pointer){.address = 0};
    phys_tree_point(p, spot, &to);
}

/* The same later in the batch, when the tree may have grown and moved its pointers. */
static void point_again(struct physical *p, const struct write_plan *w)
{
    struct spot spot;
    enum err e = phys_tree_spot(p, w->entry.oid, 0, w->entry.block, NODE_LOOK, true, &spot);
    ASSERT(e == OK); /* the plan made it, and what a request touched stays in memory */
    point_to(p, w, &spot);
}

static enum err plan_one(struct physical *p, struct write_plan *w)
{
    struct pointer old;
    struct spot spot;
    struct node *leaf;
    const struct object_write_entry *entry = &w->entry;
    if (entry->oid == OID_MAP || entry->block >= OBJECT_SIZE_MAX / BLOCK_BYTES)
        return E_INVAL;
    bool lost = (entry->flags & OBJECT_LOST_BLOCKS) != 0;
    if (!lost && plat_crc32c(w->page, BLOCK_BYTES) != entry->crc)
        return E_CORRUPT; /* damaged on its way here: the sender still has it */
    enum err e = phys_tree_object(p, entry->oid, &leaf, &w->inode);
    if (e == OK)
        e = phys_tree_spot(p, entry->oid, 0, entry->block, NODE_MAKE, w->privileged, &spot);
    if (e != OK)
        return e;
    phys_pointer_decode(&old, spot.raw);
    if (old.address != 0 && !phys_space_holds(p, old.address))
        return E_CORRUPT;
    w->leaf = leaf;
    phys_node_change(p, leaf);
    bool hole = entry->oid == OID_MAPPING || (entry->flags & OBJECT_HOLE) != 0;
    if (lost || (hole && is_zero(w->page))) {
        release_old(p, w, &old);
        w->place = lost ? PLACE_LOST : PLACE_HOLE;
    } else {
        e = choose_place(p, w, &old);
    }
    if (e == OK)
        point_to(p, w, &spot);
    return e;
}

/* ---- Carrying it out ------------------------------------------------------------------------- */

/* The intents could not be made durable: shadow the blocks that needed one. */
static void shadow_instead(struct physical *p, struct write_plan *plan, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct write_plan *w = &plan[i];
        if (w->status != OK || w->place != PLACE_INTENT)
            continue;
        struct pointer old = {.address = w->address};
        enum err e = take_new(p, w, &old);
        if (e == OK) {
            point_again(p, w);
            continue;
        }
        w->status = E_MEDIA; /* the pointer holds the new checksum of a block never written */
        release_old(p, w, &old);
        w->place = PLACE_LOST;
        point_again(p, w);
    }
}

static void write_intents(struct physical *p, struct write_plan *plan, uint32_t count)
{
    struct object_intent intents[FORMAT_INTENTS];
    uint8_t *pages[FORMAT_INTENTS];
    uint32_t used = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct write_plan *w = &plan[i];
        if (w->status != OK || w->place != PLACE_INTENT)
            continue;
        pages[used] = w->page;
        intents[used++] = (struct object_intent){.oid = w->entry.oid,
                                                 .block = w->entry.block,
                                                 .lsn = w->entry.lsn,
                                                 .address = w->address,
                                                 .crc = w->entry.crc};
    }
    if (used == 0)
        return;
    if (phys_intent_write(p, intents, pages, used) != OK)
        shadow_instead(p, plan, count);
}

static uint32_t list_items(struct physical *p, struct write_plan *plan, uint32_t count)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct write_plan *w = &plan[i];
        if (w->status != OK || w->place == PLACE_LOST || w->place == PLACE_HOLE || w->written)
            continue;
        p->items[used++] =
            (struct io_item){.address = w->address, .page = w->page, .crc = w->entry.crc};
    }
    return used;
}

/* Gives failed blocks a new place; the place that failed stays allocated, so that nobody gets it.
 */
static bool relocate(struct physical *p, struct write_plan *w, enum err why, bool last)
{
    static const struct pointer none = {.address = 0};
    uint64_t failed = w->address;
    plat_report(REPORT_DETECTED, (uint64_t) - (int)why, failed);
    if (why == E_MEDIA && !last && take_new(p, w, &none) == OK) {
        phys_tree_count(p, w->leaf, w->inode, -1);
        point_again(p, w);
        return true;
    }
    w->status = why;
    w->place = PLACE_LOST;
    point_again(p, w);
    phys_tree_count(p, w->leaf, w->inode, -1);
    return false;
}

static void write_data(struct physical *p, struct write_plan *plan, uint32_t count)
{
    bool again = true;
    for (uint32_t attempt = 0; again && attempt <= RELOCATIONS_MAX; attempt++) {
        uint32_t used = list_items(p, plan, count);
        uint32_t item = 0;
        again = false;
        if (used == 0 || phys_io_write(p, p->items, used) == OK)
            return;
        for (uint32_t i = 0; i < count; i++) {
            struct write_plan *w = &plan[i];
            if (w->status != OK || w->place == PLACE_LOST || w->place == PLACE_HOLE || w->written)
                continue;
            enum err e = p->items[item++].status;
            w->written = e == OK;
            if (e != OK)
                again |= relocate(p, w, e, attempt == RELOCATIONS_MAX);
        }
    }
}

/* A block twice in one batch would be two writes on their way to one place. */
static bool has_doubles(const struct write_plan *plan, uint32_t count)
{
    uint16_t seen[SEEN_SLOTS];
    memset(seen, 0, sizeof(seen));
    for (uint32_t i = 0; i < count; i++) {
        const struct object_write_entry *a = &plan[i].entry;
        uint64_t h =
            (a->oid * UINT64_C(0x9e3779b97f4a7c15) + a->block) * UINT64_C(0xbf58476d1ce4e5b9);
        uint32_t slot = (uint32_t)(h >> 40) % SEEN_SLOTS;
        for (; seen[slot] != 0; slot = (slot + 1) % SEEN_SLOTS) {
            const struct object_write_entry *b = &plan[seen[slot] - 1].entry;
            if (a->oid == b->oid && a->block == b->block)
                return true;
        }
        seen[slot] = (uint16_t)(i + 1);
    }
    return false;
}

static enum err copy_in(struct physical *p, const struct object_request *request, uint32_t source,
                        uint32_t count)
{
    enum err e =
        plat_copy_in(source, request->grant_meta, 0, p->meta, (size_t)count * OBJECT_ENTRY_BYTES);
    if (e == OK && request->grant_data != GRANT_NONE)
        e = plat_copy_in(source, request->grant_data, 0, p->batch, request->length);
    for (uint32_t i = 0; e == OK && i < count; i++) {
        struct write_plan *w = &p->plan[i];
        *w = (struct write_plan){.page = p->batch + (size_t)i * BLOCK_BYTES};
        object_write_entry_decode(&w->entry, p->meta + (size_t)i * OBJECT_ENTRY_BYTES);
        w->privileged = ((request->flags | w->entry.flags) & (OBJECT_REPLAY | OBJECT_REPAIR)) != 0;
        if (request->grant_data == GRANT_NONE && (w->entry.flags & OBJECT_LOST_BLOCKS) == 0)
            return E_INVAL;
    }
    return e;
}

static enum err answer(struct physical *p, const struct object_request *request, uint32_t source,
                       uint32_t count, struct object_reply *reply)
{
    enum err e = OK;
    for (uint32_t i = 0; i < count; i++) {
        struct write_plan *w = &p->plan[i];
        w->entry.status = w->status;
        object_write_entry_encode(p->meta + (size_t)i * OBJECT_ENTRY_BYTES, &w->entry);
        if (e == OK)
            e = w->status;
        reply->moved += w->status == OK && (w->place == PLACE_IN_PLACE || w->place == PLACE_INTENT);
    }
    if (phys_intent_half_full(p))
        reply->flags |= OBJECT_NEED_CHECKPOINT;
    enum err copied =
        plat_copy_out(source, request->grant_meta, 0, p->meta, (size_t)count * OBJECT_ENTRY_BYTES);
    return e == OK ? copied : e;
}

enum err phys_data_write(struct physical *p, const struct object_request *request, uint32_t source,
                         struct object_reply *reply)
{
    uint32_t count = (uint32_t)(request->length / BLOCK_BYTES);
    if (request->length % BLOCK_BYTES != 0 || count == 0 || count > OBJECT_BATCH_MAX_BLOCKS)
        return E_INVAL;
    enum err e = copy_in(p, request, source, count);
    if (e != OK)
        return e;
    if (has_doubles(p->plan, count))
        return E_INVAL;
    uint32_t intents = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct write_plan *w = &p->plan[i];
        w->intents_before = intents;
        w->status = plan_one(p, w);
        intents += w->status == OK && w->place == PLACE_INTENT;
    }
    write_intents(p, p->plan, count);
    write_data(p, p->plan, count);
    return answer(p, request, source, count, reply);
}
