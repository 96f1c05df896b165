/*
 * Reads: one copy, and if that is bad another, which also mends the bad one. Every block has its
 * own status in the answer; the request itself fails only if it could not be tried.
 */
#include "logical.h"

#include "assertion.h"
#include "mem.h"
#include "proto.h"

struct piece { /* of a read: blocks that follow each other on one disk */
    uint32_t disk, first, count;
    uint64_t block;
};

/* ---- One block ------------------------------------------------------------------------------- */

enum err logical_read_copy(struct logical *l, uint32_t disk, uint64_t oid, uint64_t block,
                           uint8_t *page, struct object_block_meta *meta)
{
    struct call call = {
        .disk = disk,
        .request = {
            .op = OBJECT_READ, .oid = oid, .offset = block * BLOCK_BYTES, .length = BLOCK_BYTES}};
    *meta = (struct object_block_meta){.status = E_INVAL};
    object_block_meta_encode(l->wire[disk], meta);
    call.request.grant_data = proto_grant(l->endpoint[disk], page, BLOCK_BYTES, PLAT_GRANT_WRITE);
    call.request.grant_meta =
        proto_grant(l->endpoint[disk], l->wire[disk], OBJECT_META_BYTES, PLAT_GRANT_WRITE);
    enum err e = logical_calls_one(l, &call);
    plat_revoke(call.request.grant_data);
    plat_revoke(call.request.grant_meta);
    if (e != OK)
        return e;
    object_block_meta_decode(meta, l->wire[disk]);
    if (meta->status == E_INVAL)
        meta->status = call.status == OK ? E_INVAL : (int32_t)call.status;
    if (meta->status == OK && plat_crc32c(page, BLOCK_BYTES) != meta->crc)
        meta->status = E_CORRUPT; /* damaged on its way here */
    return OK;
}

/*
 * A bad copy gets what a good one has: the block, or, if it is the way to it that cannot be read
 * (then nothing is known of the block's birth), the whole object. Its own failure is no failure of
 * the read.
 */
static enum err repair(struct logical *l, const struct entry *entry, uint32_t bad, uint32_t good,
                       uint64_t block, const uint8_t *page, const struct object_block_meta *meta,
                       const struct object_block_meta *was)
{
    enum err why = (enum err)was->status;
    enum err e = OK;
    if (l->in_pause)
        return OK;
    if (why == E_DEAD) {
        e = logical_disk_drop(l, bad);
        return e == E_SESSION ? e : OK;
    }
    bool whole = was->birth == 0;
    if (!whole)
        e = logical_write_repair(l, bad, entry->oid, block, page, meta->crc);
    if (whole || e == E_CORRUPT || e == E_NOENT)
        e = logical_objects_mend(l, entry, bad, good);
    if (e == E_DEAD)
        e = logical_disk_drop(l, bad);
    return e == E_SESSION ? e : OK;
}

/* Another copy of one block than that of disk `bad`. */
static enum err read_other(struct logical *l, const struct entry *entry, uint32_t bad,
                           uint64_t block, struct object_block_meta *meta)
{
    uint32_t others = logical_entry_disks(l, entry) & ~(1u << bad);
    struct object_block_meta was = *meta;
    for (uint32_t k = 0; k < DISKS_MAX; k++) {
        struct object_block_meta found;
        if ((others >> k & 1) == 0)
            continue;
        enum err e = logical_read_copy(l, k, entry->oid, block, l->copies, &found);
        if (e != OK)
            return e;
        if (found.status != OK)
            continue;
        *meta = found;
        return repair(l, entry, bad, k, block, l->copies, &found, &was);
    }
    return OK;
}

/* ---- A range --------------------------------------------------------------------------------- */

static uint32_t split(struct logical *l, const struct entry *entry, uint64_t first, uint32_t count,
                      struct piece *piece)
{
    uint32_t pieces = 0;
    uint32_t live = logical_entry_disks(l, entry);
    if (entry->level == 1) {
        uint32_t turn = (uint32_t)(first / 256 % entry->count);
        for (uint32_t k = 0; k < entry->count; k++) {
            uint32_t disk = entry->disk[(turn + k) % entry->count];
            if ((live >> disk & 1) == 0)
                continue;
            *piece = (struct piece){.disk = disk, .count = count, .block = first};
            return 1;
        }
        return 0;
    }
    for (uint32_t done = 0; done < count;) {
        struct place place;
        logical_place_stripe(entry, first + done, &place);
        uint32_t run = place.run < count - done ? place.run : count - done;
        if ((live >> place.disk & 1) != 0)
            piece[pieces++] = (struct piece){
                .disk = place.disk, .first = done, .count = run, .block = place.block};
        done += run;
    }
    return pieces;
}

static enum err read_pieces(struct logical *l, const struct object_request *request,
                            uint32_t source, const struct piece *piece, uint32_t pieces)
{
    bool data = (request->flags & OBJECT_NODATA) == 0;
    for (uint32_t n = 0; n < pieces; n++) {
        const struct piece *p = &piece[n];
        uint32_t to = l->endpoint[p->disk];
        struct object_request *r = &l->call[n].request;
        l->call[n] = (struct call){.disk = p->disk};
        *r = (struct object_request){.op = OBJECT_READ,
                                     .oid = request->oid,
                                     .flags = request->flags & OBJECT_NODATA,
                                     .offset = p->block * BLOCK_BYTES,
                                     .length = (uint64_t)p->count * BLOCK_BYTES};
        r->grant_meta = proto_grant(to, l->meta_wire + (size_t)p->first * OBJECT_META_BYTES,
                                    (size_t)p->count * OBJECT_META_BYTES, PLAT_GRANT_WRITE);
        if (data)
            r->grant_data =
                plat_grant_forward(to, source, request->grant_data, (size_t)p->first * BLOCK_BYTES,
                                   (size_t)p->count * BLOCK_BYTES, PLAT_GRANT_WRITE);
    }
    enum err e = logical_calls_run(l, l->call, pieces);
    for (uint32_t n = 0; n < pieces; n++) {
        plat_revoke(l->call[n].request.grant_data);
        plat_revoke(l->call[n].request.grant_meta);
    }
    return e;
}

/* The status of each block: its own, or that of the request which did not come to it. */
static void collect(struct logical *l, const struct piece *piece, uint32_t pieces)
{
    for (uint32_t n = 0; n < pieces; n++)
        for (uint32_t i = piece[n].first; i < piece[n].first + piece[n].count; i++) {
            struct object_block_meta *meta = &l->metas[i];
            object_block_meta_decode(meta, l->meta_wire + (size_t)i * OBJECT_META_BYTES);
            if (meta->status == E_INVAL && l->call[n].status != OK)
                meta->status = (int32_t)l->call[n].status;
        }
}

/* Blocks that the first copy did not give, of a mirror. */
static enum err second_chance(struct logical *l, const struct object_request *request,
                              uint32_t source, const struct entry *entry, const struct piece *piece)
{
    uint64_t first = request->offset / BLOCK_BYTES;
    for (uint32_t i = 0; i < piece->count; i++) {
        struct object_block_meta *meta = &l->metas[i];
        if (meta->status == OK)
            continue;
        enum err e = read_other(l, entry, piece->disk, first + i, meta);
        if (e == OK && meta->status == OK && (request->flags & OBJECT_NODATA) == 0)
            e = plat_copy_out(source, request->grant_data, (size_t)i * BLOCK_BYTES, l->copies,
                              BLOCK_BYTES);
        if (e != OK)
            return e;
    }
    return OK;
}

static void reset_metas(struct logical *l, uint32_t count)
{
    struct object_block_meta unknown = {.status = E_INVAL};
    for (uint32_t i = 0; i < count; i++) {
        l->metas[i] = (struct object_block_meta){.status = E_MEDIA};
        object_block_meta_encode(l->meta_wire + (size_t)i * OBJECT_META_BYTES, &unknown);
    }
}

enum err logical_read_serve(struct logical *l, const struct object_request *request,
                            uint32_t source, struct object_reply *reply)
{
    struct piece piece[OBJECT_IO_MAX_BLOCKS];
    struct entry entry;
    uint32_t count = (uint32_t)(request->length / BLOCK_BYTES);
    if (request->offset % BLOCK_BYTES != 0 || request->length % BLOCK_BYTES != 0 || count == 0 ||
        count > OBJECT_IO_MAX_BLOCKS)
        return E_INVAL;
    struct object_request below = *request;
    enum err e = logical_mapping_get(l, request->oid, &entry);
    if (e != OK)
        return e;
    below.oid = entry.oid;
    uint32_t pieces = split(l, &entry, request->offset / BLOCK_BYTES, count, piece);
    reset_metas(l, count);
    e = read_pieces(l, &below, source, piece, pieces);
    if (e != OK)
        return e;
    collect(l, piece, pieces);
    if (entry.level == 1 && pieces > 0)
        e = second_chance(l, request, source, &entry, &piece[0]);
    else if (logical_has_parity(&entry))
        e = logical_rows_recover(l, request, source, &entry, request->offset / BLOCK_BYTES, count);
    if (e != OK)
        return e;
    for (uint32_t i = 0; i < count; i++) {
        struct object_block_meta *meta = &l->metas[i];
        if (meta->status == E_DEAD || meta->status == E_NOENT)
            meta->status = E_MEDIA; /* the disk that has it is gone; the object is there */
        object_block_meta_encode(l->meta_wire + (size_t)i * OBJECT_META_BYTES, meta);
    }
    reply->moved = (uint32_t)request->length;
    return plat_copy_out(source, request->grant_meta, 0, l->meta_wire,
                         (size_t)count * OBJECT_META_BYTES);
}

/*
 * All copies are looked at, though one would do: pages of the mapping are read once, and nothing
 * else would find a bad copy of it before it is the last.
 */
enum err logical_read_mapping(struct logical *l, uint64_t block, uint8_t *page)
{
    struct entry entry = {.oid = OID_MAPPING, .level = 1};
    struct object_block_meta good = {.status = E_CORRUPT};
    struct object_block_meta was[DISKS_MAX];
    uint32_t bad = 0, from = 0;
    for (uint32_t k = 0; k < DISKS_MAX; k++) {
        struct object_block_meta meta;
        if ((l->core.members >> k & 1) == 0)
            continue;
        uint8_t *to = good.status == OK ? l->copies : page;
        enum err e = logical_read_copy(l, k, OID_MAPPING, block, to, &meta);
        if (e != OK)
            return e;
        was[k] = meta;
        if (meta.status != OK) {
            bad |= 1u << k;
        } else if (good.status != OK) {
            good = meta;
            from = k;
        }
    }
    for (uint32_t k = 0; k < DISKS_MAX && good.status == OK; k++) {
        if ((bad >> k & 1) == 0)
            continue;
        enum err e = repair(l, &entry, k, from, block, page, &good, &was[k]);
        if (e != OK)
            return e;
    }
    return (enum err)good.status;
}
