/*
 * One slot of an object: the copy or part that one of its disks has. What it must hold is made from
 * the other slots, whatever the level, and written to a disk that is to have it: rebuild and scrub
 * know nothing of levels.
 *
 * Blocks are numbered as on the slot's disk. L2 holds: only blocks that verify are passed on; what
 * cannot be made is marked lost there, so that it never looks like a hole.
 */
#include "logical.h"

#include "assertion.h"
#include "mem.h"
#include "proto.h"

#define HOLE 1u /* flag of a block's meta */

/* A range of one disk's copy; pages NULL: what is said of it, without the data. */
static enum err read_range(struct logical *l, uint32_t disk, uint64_t oid, uint64_t first,
                           uint32_t count, uint8_t *pages, struct object_block_meta *metas)
{
    uint32_t to = l->endpoint[disk];
    struct object_block_meta unknown = {.status = E_INVAL};
    struct call call = {.disk = disk,
                        .request = {.op = OBJECT_READ,
                                    .oid = oid,
                                    .flags = pages == NULL ? OBJECT_NODATA : 0,
                                    .offset = first * BLOCK_BYTES,
                                    .length = (uint64_t)count * BLOCK_BYTES}};
    for (uint32_t i = 0; i < count; i++)
        object_block_meta_encode(l->wire[disk] + (size_t)i * OBJECT_META_BYTES, &unknown);
    if (pages != NULL)
        call.request.grant_data =
            proto_grant(to, pages, (size_t)count * BLOCK_BYTES, PLAT_GRANT_WRITE);
    call.request.grant_meta =
        proto_grant(to, l->wire[disk], (size_t)count * OBJECT_META_BYTES, PLAT_GRANT_WRITE);
    enum err e = logical_calls_one(l, &call);
    plat_revoke(call.request.grant_data);
    plat_revoke(call.request.grant_meta);
    if (e != OK)
        return e;
    for (uint32_t i = 0; i < count; i++) {
        struct object_block_meta *meta = &metas[i];
        object_block_meta_decode(meta, l->wire[disk] + (size_t)i * OBJECT_META_BYTES);
        if (meta->status == E_INVAL && call.status != OK)
            meta->status = (int32_t)call.status;
        if (meta->status == OK && pages != NULL &&
            plat_crc32c(pages + (size_t)i * BLOCK_BYTES, BLOCK_BYTES) != meta->crc)
            meta->status = E_CORRUPT; /* damaged on its way here */
    }
    if (call.status != E_DEAD)
        return OK;
    e = logical_disk_drop(l, disk); /* the last one stays: its blocks say why */
    return e == E_SESSION ? e : OK;
}

enum err logical_slot_verify(struct logical *l, uint32_t disk, uint64_t oid, uint64_t first,
                             uint32_t count, uint8_t *pages, struct object_block_meta *metas)
{
    ASSERT(pages != NULL && count <= MEND_BLOCKS);
    return read_range(l, disk, oid, first, count, pages, metas);
}

enum err logical_slot_look(struct logical *l, uint32_t disk, uint64_t oid, uint64_t first,
                           uint32_t count, struct object_block_meta *metas)
{
    ASSERT(count <= MEND_BLOCKS);
    return read_range(l, disk, oid, first, count, NULL, metas);
}

/* Blocks that the first copy did not give, from the others. */
static enum err read_others(struct logical *l, const struct entry *entry, uint32_t mask,
                            uint64_t first, uint32_t count, uint8_t *pages,
                            struct object_block_meta *metas)
{
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < DISKS_MAX && metas[i].status != OK; k++) {
            struct object_block_meta meta;
            if ((mask >> k & 1) == 0)
                continue;
            enum err e = logical_read_copy(l, k, entry->oid, first + i, l->copies, &meta);
            if (e != OK)
                return e;
            if (meta.status != OK)
                continue;
            metas[i] = meta;
            plat_copy(pages + (size_t)i * BLOCK_BYTES, l->copies, BLOCK_BYTES);
        }
    }
    return OK;
}

/* From another mirror. */
static enum err read_mirror(struct logical *l, const struct entry *entry, uint32_t mask,
                            uint64_t first, uint32_t count, uint8_t *pages,
                            struct object_block_meta *metas)
{
    uint32_t k = 0;
    while (k < DISKS_MAX && (mask >> k & 1) == 0)
        k++;
    if (k == DISKS_MAX)
        return OK; /* none is left: each block says E_LOST */
    enum err e = logical_slot_verify(l, k, entry->oid, first, count, pages, metas);
    if (e != OK)
        return e;
    return read_others(l, entry, mask & ~(1u << k), first, count, pages, metas);
}

enum err logical_slot_read(struct logical *l, const struct entry *entry, uint32_t slot,
                           uint64_t first, uint32_t count, uint8_t *pages,
                           struct object_block_meta *metas)
{
    ASSERT(slot < entry->count && count <= MEND_BLOCKS);
    for (uint32_t i = 0; i < count; i++)
        metas[i] = (struct object_block_meta){.status = E_LOST};
    if (entry->level == 0)
        return OK; /* nobody else has it */
    uint64_t seen = 0;
    if (logical_has_parity(entry))
        return logical_rows_make(l, entry, slot, first, count, pages, metas, &seen);
    uint32_t others = logical_entry_disks(l, entry) & ~(1u << entry->disk[slot]);
    return read_mirror(l, entry, others, first, count, pages, metas);
}

enum err logical_slot_write(struct logical *l, uint32_t disk, uint64_t oid, uint64_t first,
                            uint32_t count, const uint8_t *pages,
                            const struct object_block_meta *metas)
{
    struct plat_span spans[MEND_BLOCKS];
    uint32_t used = 0;
    bool data = false;
    ASSERT(count <= MEND_BLOCKS);
    for (uint32_t i = 0; i < count; i++) {
        bool good = metas[i].status == OK;
        if (good && (metas[i].flags & HOLE) != 0)
            continue;
        struct object_write_entry entry = {.oid = oid,
                                           .block = first + i,
                                           .lsn = l->core.highest_lsn,
                                           .crc = metas[i].crc,
                                           .status = E_INVAL,
                                           .flags = OBJECT_REPAIR};
        entry.flags |= good ? 0 : OBJECT_LOST_BLOCKS;
        data |= good;
        object_write_entry_encode(l->wire[disk] + (size_t)used * OBJECT_ENTRY_BYTES, &entry);
        spans[used++] = (struct plat_span){
            .base = (void *)(uintptr_t)(pages + (size_t)i * BLOCK_BYTES), .bytes = BLOCK_BYTES};
    }
    if (used == 0)
        return OK;
    uint32_t to = l->endpoint[disk];
    struct call call = {.disk = disk,
                        .request = {.op = OBJECT_WRITE,
                                    .flags = OBJECT_REPAIR,
                                    .length = (uint64_t)used * BLOCK_BYTES}};
    if (data)
        call.request.grant_data = proto_grant_spans(to, spans, used, PLAT_GRANT_READ);
    call.request.grant_meta = proto_grant(to, l->wire[disk], (size_t)used * OBJECT_ENTRY_BYTES,
                                          PLAT_GRANT_READ | PLAT_GRANT_WRITE);
    enum err e = logical_calls_one(l, &call);
    plat_revoke(call.request.grant_data);
    plat_revoke(call.request.grant_meta);
    if (e == OK && call.reply.moved > 0)
        l->core.unflushed |= 1u << disk;
    return e == OK ? call.status : e;
}
