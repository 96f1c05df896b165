/*
 * Batches of writes to the mirrors, staggered: mirror 1 of every block, its flush, then the others.
 * So at any cut one copy of each block is whole (L5).
 *
 * The last mirrors are flushed before the next batch rather than after this one: nothing is
 * overwritten in place in between, and a checkpoint flushes anyway.
 */
#include "logical.h"

#include "assertion.h"
#include "mem.h"
#include "planted.h"
#include "proto.h"

/* ---- One request to one disk ----------------------------------------------------------------- */

struct part { /* of the batch, for one disk */
    uint32_t disk, count;
    uint8_t index[OBJECT_BATCH_MAX_BLOCKS];
    uint32_t data, meta; /* grants */
};

static bool is_run_of_grant(const struct batch *b, const struct part *part)
{
    for (uint32_t n = 0; n < part->count; n++)
        if (b->page[part->index[n]] != NULL || part->index[n] != part->index[0] + n)
            return false;
    return true;
}

/* Data that lie scattered in the caller's grant come into own memory first. */
static enum err grant_data(struct logical *l, struct part *part)
{
    struct batch *b = &l->batch;
    struct plat_span spans[OBJECT_BATCH_MAX_BLOCKS];
    uint32_t to = l->endpoint[part->disk];
    if (is_run_of_grant(b, part)) {
        part->data =
            plat_grant_forward(to, b->caller, b->grant, (size_t)part->index[0] * BLOCK_BYTES,
                               (size_t)part->count * BLOCK_BYTES, PLAT_GRANT_READ);
        return part->data == GRANT_NONE ? E_INVAL : OK;
    }
    for (uint32_t n = 0; n < part->count; n++) {
        uint32_t i = part->index[n];
        if (b->page[i] == NULL) {
            uint8_t *page = l->data + (size_t)i * BLOCK_BYTES;
            enum err e =
                plat_copy_in(b->caller, b->grant, (size_t)i * BLOCK_BYTES, page, BLOCK_BYTES);
            if (e != OK)
                return e;
            b->page[i] = page;
        }
        spans[n] = (struct plat_span){.base = (void *)(uintptr_t)b->page[i], .bytes = BLOCK_BYTES};
    }
    part->data = proto_grant_spans(to, spans, part->count, PLAT_GRANT_READ);
    return OK;
}

/* Entries of the batch for one disk; `data` stays GRANT_NONE if none carries data. */
static enum err make_part(struct logical *l, const uint32_t *mask, uint32_t disk, struct part *part)
{
    struct batch *b = &l->batch;
    bool data = false;
    *part = (struct part){.disk = disk};
    for (uint32_t i = 0; i < b->count; i++) {
        if ((mask[i] >> disk & 1) == 0)
            continue;
        struct object_write_entry entry = b->entry[i];
        entry.block = b->local[i];
        entry.status = E_INVAL; /* what it stays if physical does not come to it */
        if (b->shadow[i])
            entry.flags |= OBJECT_SHADOW;
        data |= (entry.flags & OBJECT_LOST_BLOCKS) == 0;
        object_write_entry_encode(l->wire[disk] + (size_t)part->count * OBJECT_ENTRY_BYTES, &entry);
        part->index[part->count++] = (uint8_t)i;
    }
    if (part->count == 0)
        return OK;
    part->meta =
        proto_grant(l->endpoint[disk], l->wire[disk], (size_t)part->count * OBJECT_ENTRY_BYTES,
                    PLAT_GRANT_READ | PLAT_GRANT_WRITE);
    return data ? grant_data(l, part) : OK;
}

/* What became of each entry on one disk. true: the disk failed. */
static bool settle(struct logical *l, const struct part *part, const struct call *call)
{
    struct batch *b = &l->batch;
    bool failed = call->status == E_DEAD;
    for (uint32_t n = 0; n < part->count; n++) {
        uint32_t i = part->index[n];
        struct object_write_entry entry;
        object_write_entry_decode(&entry, l->wire[part->disk] + (size_t)n * OBJECT_ENTRY_BYTES);
        enum err e = (enum err)entry.status;
        if (e == E_INVAL && call->status != OK)
            e = call->status;
        bool only = !b->backed[i] && (b->mask[i] & l->core.members & ~(1u << part->disk)) == 0;
        if (e == E_CORRUPT || e == E_NOENT || e == E_LOST)
            b->failed[i] |= 1u << part->disk;
        else if (e == E_DEAD || (e == E_MEDIA && !only))
            failed = true;
        else if (e != OK && b->status[i] == OK)
            b->status[i] = (int32_t)e; /* E_MEDIA too: no disk goes for the one copy of a block */
    }
    b->moved[part->disk] += call->reply.moved;
    if (call->reply.moved > 0)
        l->core.unflushed |= 1u << part->disk;
    return failed;
}

/* A disk that failed leaves the pool; if it must not, what it should have is not written. */
static enum err drop_failed(struct logical *l, uint32_t failed, const uint32_t *mask)
{
    struct batch *b = &l->batch;
    for (uint32_t k = 0; k < DISKS_MAX; k++) {
        if ((failed >> k & 1) == 0)
            continue;
        enum err e = logical_disk_drop(l, k);
        if (e == E_SESSION)
            return e;
        for (uint32_t i = 0; i < b->count && e != OK; i++)
            if ((mask[i] >> k & 1) != 0)
                b->status[i] = E_MEDIA;
    }
    return OK;
}

enum err logical_write_phase(struct logical *l, const uint32_t *mask)
{
    struct part part[DISKS_MAX];
    uint32_t parts = 0, failed = 0;
    enum err e = OK;
    for (uint32_t k = 0; k < DISKS_MAX && e == OK; k++) {
        if ((l->core.members >> k & 1) == 0)
            continue;
        e = make_part(l, mask, k, &part[parts]);
        if (part[parts].count == 0)
            continue;
        l->call[parts] =
            (struct call){.disk = k,
                          .request = {.op = OBJECT_WRITE,
                                      .flags = l->batch.flags,
                                      .length = (uint64_t)part[parts].count * BLOCK_BYTES,
                                      .grant_data = part[parts].data,
                                      .grant_meta = part[parts].meta}};
        parts++;
    }
    if (e == OK)
        e = logical_calls_run(l, l->call, parts);
    for (uint32_t n = 0; n < parts; n++) {
        plat_revoke(part[n].data);
        plat_revoke(part[n].meta);
        if (e == OK && settle(l, &part[n], &l->call[n]))
            failed |= 1u << part[n].disk;
        if (e == OK && (l->call[n].reply.flags & OBJECT_NEED_CHECKPOINT) != 0)
            l->need_checkpoint = true;
    }
    return e == OK ? drop_failed(l, failed, mask) : e;
}

/* ---- Copies that refuse ---------------------------------------------------------------------- */

enum err logical_write_alone(struct logical *l, uint32_t i, uint32_t disk)
{
    uint32_t mask[OBJECT_BATCH_MAX_BLOCKS];
    memset(mask, 0, sizeof(mask));
    mask[i] = 1u << disk;
    l->batch.failed[i] &= ~mask[i];
    return logical_write_phase(l, mask);
}

/* Once more, in case it was damaged on the way; then the copy is made anew from a good one. */
static enum err insist(struct logical *l, uint32_t i, uint32_t disk)
{
    struct batch *b = &l->batch;
    uint32_t bit = 1u << disk;
    struct entry entry = {.oid = b->entry[i].oid, .level = 1};
    enum err e = logical_write_alone(l, i, disk);
    if (e != OK || (b->failed[i] & bit) == 0)
        return e;
    uint32_t good = b->mask[i] & l->core.members & ~b->failed[i];
    if (good == 0)
        return OK;
    e = logical_objects_mend(l, &entry, disk, logical_lowest(good));
    if (e == OK)
        e = logical_write_alone(l, i, disk);
    if (e == OK && (b->failed[i] & bit) != 0)
        e = logical_disk_drop(l, disk);
    return e == E_SESSION ? e : OK;
}

static enum err mend_failed(struct logical *l)
{
    struct batch *b = &l->batch;
    for (uint32_t i = 0; i < b->count; i++) {
        for (uint32_t k = 0; k < DISKS_MAX; k++) {
            if ((b->failed[i] >> k & 1) == 0 || (l->core.members >> k & 1) == 0)
                continue;
            enum err e = insist(l, i, k);
            if (e != OK)
                return e;
        }
        if (b->status[i] == OK && (b->failed[i] & l->core.members) != 0)
            b->status[i] = E_CORRUPT;
        if (b->status[i] == OK && (b->mask[i] & l->core.members) == 0)
            b->status[i] = E_NOENT;
    }
    return OK;
}

/* ---- Staggering ------------------------------------------------------------------------------ */

static bool any(const uint32_t *mask, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (mask[i] != 0)
            return true;
    return false;
}

static uint32_t disks_moved(const struct batch *b)
{
    uint32_t mask = 0;
    for (uint32_t k = 0; k < DISKS_MAX; k++)
        if (b->moved[k] > 0)
            mask |= 1u << k;
    return mask;
}

/* Before anything is overwritten in place: what was overwritten last is stable on every mirror. */
static enum err settle_mirrors(struct logical *l)
{
    if (l->core.unflushed == 0 || PLANTED(PLANTED_MIRROR_2_UNFLUSHED))
        return OK;
    return logical_flush_disks(l, l->core.unflushed);
}

static enum err second_phase(struct logical *l, const uint32_t *first)
{
    struct batch *b = &l->batch;
    uint32_t mask[OBJECT_BATCH_MAX_BLOCKS];
    for (uint32_t i = 0; i < b->count; i++) {
        uint32_t live = b->mask[i] & l->core.members;
        mask[i] = live & ~first[i];
        if ((live & (live - 1)) == 0 && live != b->mask[i] && !PLANTED(PLANTED_LAST_COPY_IN_PLACE))
            b->shadow[i] = true; /* the other copy is gone: this one must stay whole */
    }
    if (!any(mask, b->count))
        return OK;
    uint32_t moved = disks_moved(b);
    if (moved != 0 && !PLANTED(PLANTED_NOT_STAGGERED)) {
        enum err e = logical_flush_disks(l, moved);
        if (e != OK)
            return e;
        plat_probe(PROBE_LOGICAL_MIRROR_1);
    }
    return logical_write_phase(l, mask);
}

enum err logical_write_batch(struct logical *l)
{
    struct batch *b = &l->batch;
    uint32_t first[OBJECT_BATCH_MAX_BLOCKS] = {0};
    bool mirrors = false;
    for (uint32_t i = 0; i < b->count; i++) {
        uint32_t live = b->mask[i] & l->core.members;
        bool stagger = b->stagger[i] && (live & (live - 1)) != 0;
        mirrors |= stagger;
        first[i] = stagger && !PLANTED(PLANTED_NOT_STAGGERED) ? 1u << logical_lowest(live) : live;
    }
    enum err e = mirrors ? settle_mirrors(l) : OK;
    if (e == OK)
        e = logical_write_phase(l, first);
    if (e == OK)
        e = second_phase(l, first);
    if (e == OK)
        e = mend_failed(l);
    return e;
}

enum err logical_write_one(struct logical *l, uint32_t disk, uint64_t oid, uint64_t block,
                           const uint8_t *page, uint32_t crc, uint32_t flags)
{
    struct object_write_entry entry = {.oid = oid,
                                       .block = block,
                                       .lsn = l->core.highest_lsn,
                                       .crc = crc,
                                       .flags = flags,
                                       .status = E_INVAL};
    struct call call = {
        .disk = disk,
        .request = {.op = OBJECT_WRITE, .flags = OBJECT_REPAIR, .length = BLOCK_BYTES}};
    object_write_entry_encode(l->wire[disk], &entry);
    call.request.grant_data =
        proto_grant(l->endpoint[disk], (void *)(uintptr_t)page, BLOCK_BYTES, PLAT_GRANT_READ);
    call.request.grant_meta = proto_grant(l->endpoint[disk], l->wire[disk], OBJECT_ENTRY_BYTES,
                                          PLAT_GRANT_READ | PLAT_GRANT_WRITE);
    enum err e = logical_calls_one(l, &call);
    plat_revoke(call.request.grant_data);
    plat_revoke(call.request.grant_meta);
    if (e != OK)
        return e;
    if (call.reply.moved > 0)
        l->core.unflushed |= 1u << disk;
    return call.status;
}

enum err logical_write_repair(struct logical *l, uint32_t disk, uint64_t oid, uint64_t block,
                              const uint8_t *page, uint32_t crc)
{
    plat_probe(PROBE_LOGICAL_REPAIR);
    enum err e = logical_write_one(l, disk, oid, block, page, crc, OBJECT_REPAIR);
    if (e == OK)
        plat_report(REPORT_REPAIR, oid, block);
    return e;
}

/* ---- The cache's request --------------------------------------------------------------------- */

/* Where block i of the batch goes. */
static void aim(struct logical *l, uint32_t i, const struct entry *entry)
{
    struct batch *b = &l->batch;
    uint32_t live = logical_entry_sinks(l, entry);
    uint32_t safe = logical_entry_safe(l, entry);
    b->mask[i] = live;
    b->local[i] = b->entry[i].block;
    bool meta = (entry->flags & (OBJECT_META | OBJECT_COW)) != 0;
    b->stagger[i] = entry->level == 1 && !meta && !l->options.data_cow;
    b->shadow[i] = entry->level == 1 && entry->count > 1 && (safe & (safe - 1)) == 0 &&
                   !PLANTED(PLANTED_LAST_COPY_IN_PLACE);
    if (entry->level == 0) {
        struct place place;
        logical_place_stripe(entry, b->entry[i].block, &place);
        b->local[i] = place.block;
        b->mask[i] = live & 1u << place.disk;
    }
    if ((b->mask[i] & l->core.members) == 0) {
        b->mask[i] = 0;
        b->status[i] = E_NOENT; /* no disk that has it is left */
    }
}

/* The mapping first: looking it up may itself write a batch. */
static enum err look_up(struct logical *l, struct object_write_entry *wire, uint32_t count,
                        struct entry *entries, enum err *found)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t file = wire[i].oid;
        if (i > 0 && entries[i - 1].file == file) {
            entries[i] = entries[i - 1];
            found[i] = found[i - 1];
        } else {
            found[i] = logical_mapping_get(l, file, &entries[i]);
        }
        if (found[i] == E_SESSION)
            return E_SESSION;
        entries[i].file = file;
        wire[i].oid = found[i] == OK ? entries[i].oid : file;
    }
    return OK;
}

/* Answers to the blocks, and to the whole: the first that is not OK. */
static enum err answer(const struct object_request *request, uint32_t source, uint8_t *raw,
                       const int32_t *status, uint32_t count)
{
    enum err e = OK;
    for (uint32_t i = 0; i < count; i++) {
        struct object_write_entry entry;
        object_write_entry_decode(&entry, raw + (size_t)i * OBJECT_ENTRY_BYTES);
        entry.status = status[i];
        object_write_entry_encode(raw + (size_t)i * OBJECT_ENTRY_BYTES, &entry);
        if (e == OK)
            e = (enum err)status[i];
    }
    enum err copied =
        plat_copy_out(source, request->grant_meta, 0, raw, (size_t)count * OBJECT_ENTRY_BYTES);
    return e == OK ? copied : e;
}

/* Makes the batch of what has no parity; returns how many blocks have. */
static uint32_t plain_batch(struct logical *l, const struct intake *in)
{
    struct batch *b = &l->batch;
    uint32_t others = 0;
    *b = (struct batch){
        .count = in->count, .flags = in->flags, .caller = in->source, .grant = in->grant};
    for (uint32_t i = 0; i < in->count; i++) {
        b->entry[i] = in->wire[i];
        b->entry[i].flags &= OBJECT_REPAIR | OBJECT_SHADOW | OBJECT_LOST_BLOCKS | OBJECT_HOLE;
        b->status[i] = (int32_t)in->found[i];
        if (b->entry[i].lsn > l->core.highest_lsn)
            l->core.highest_lsn = b->entry[i].lsn;
        if (in->found[i] == OK && logical_has_parity(&in->entry[i]))
            others++;
        else if (in->found[i] == OK)
            aim(l, i, &in->entry[i]);
    }
    return others;
}

enum err logical_write_intake(struct logical *l, struct intake *in)
{
    struct batch *b = &l->batch;
    uint32_t others = plain_batch(l, in);
    enum err e = others < in->count ? logical_write_batch(l) : OK;
    for (uint32_t k = 0; k < DISKS_MAX; k++)
        in->moved += (uint32_t)b->moved[k];
    memcpy(in->status, b->status, in->count * sizeof(b->status[0]));
    if (e == OK && others > 0)
        e = logical_rows_write(l, in);
    for (uint32_t i = 0; i < in->count && e != OK; i++)
        if (in->status[i] == OK)
            in->status[i] = (int32_t)e; /* it ended early: nobody knows what of it was written */
    return e;
}

enum err logical_write_serve(struct logical *l, const struct object_request *request,
                             uint32_t source, struct object_reply *reply)
{
    uint8_t raw[OBJECT_BATCH_MAX_BLOCKS * OBJECT_ENTRY_BYTES];
    struct object_write_entry wire[OBJECT_BATCH_MAX_BLOCKS];
    struct entry entries[OBJECT_BATCH_MAX_BLOCKS];
    enum err found[OBJECT_BATCH_MAX_BLOCKS];
    int32_t status[OBJECT_BATCH_MAX_BLOCKS];
    uint32_t count = (uint32_t)(request->length / BLOCK_BYTES);
    if (request->length % BLOCK_BYTES != 0 || count == 0 || count > OBJECT_BATCH_MAX_BLOCKS)
        return E_INVAL;
    size_t bytes = (size_t)count * OBJECT_ENTRY_BYTES;
    struct intake in = {.source = source,
                        .grant = request->grant_data,
                        .flags = request->flags & OBJECT_REPLAY,
                        .count = count,
                        .wire = wire,
                        .entry = entries,
                        .found = found,
                        .status = status};
    enum err e = plat_copy_in(source, request->grant_meta, 0, raw, bytes);
    for (uint32_t i = 0; i < count && e == OK; i++)
        object_write_entry_decode(&wire[i], raw + (size_t)i * OBJECT_ENTRY_BYTES);
    if (e == OK)
        e = look_up(l, wire, count, entries, found);
    if (e != OK)
        return e;
    e = logical_write_intake(l, &in);
    if (e != E_SESSION && logical_migrate_write(l, &in) == E_SESSION)
        e = E_SESSION;
    if (e != E_SESSION) {
        enum err answered = answer(request, source, raw, status, count);
        e = e == OK ? answered : e;
    }
    reply->moved += in.moved;
    if (l->need_checkpoint)
        reply->flags |= OBJECT_NEED_CHECKPOINT;
    l->need_checkpoint = false;
    return e;
}
