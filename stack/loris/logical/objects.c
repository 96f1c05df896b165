/*
 * Operations on whole objects: the same request to every disk that has a part, all at a time.
 *
 * A copy that refuses while another accepts is damaged below (its inode cannot be read): it is made
 * anew from the good one, or its disk leaves the pool (L1: OK means that every live copy has it).
 */
#include "logical.h"

#include "assertion.h"
#include "mem.h"
#include "proto.h"

/* ---- Mending a copy -------------------------------------------------------------------------- */

static enum err call_disk(struct logical *l, uint32_t disk, const struct object_request *request,
                          struct object_reply *reply)
{
    struct call call = {.disk = disk, .request = *request};
    enum err e = logical_calls_one(l, &call);
    *reply = call.reply;
    return e == OK ? call.status : e;
}

/* Reads a range of the good copy into l->mend. */
static enum err read_good(struct logical *l, uint64_t oid, uint32_t good, uint64_t first,
                          struct object_block_meta meta[MEND_BLOCKS])
{
    struct object_reply reply;
    struct object_request r = {.op = OBJECT_READ,
                               .oid = oid,
                               .offset = first * BLOCK_BYTES,
                               .length = MEND_BLOCKS * BLOCK_BYTES};
    uint32_t to = l->endpoint[good];
    r.grant_data = proto_grant(to, l->mend, MEND_BLOCKS * BLOCK_BYTES, PLAT_GRANT_WRITE);
    r.grant_meta =
        proto_grant(to, l->wire[good], MEND_BLOCKS * OBJECT_META_BYTES, PLAT_GRANT_WRITE);
    enum err e = call_disk(l, good, &r, &reply);
    plat_revoke(r.grant_data);
    plat_revoke(r.grant_meta);
    for (uint32_t i = 0; i < MEND_BLOCKS; i++)
        object_block_meta_decode(&meta[i], l->wire[good] + (size_t)i * OBJECT_META_BYTES);
    return e;
}

/* A block that the good copy does not have either is marked lost: it must not look like a hole. */
static enum err copy_block(struct logical *l, uint64_t oid, uint32_t bad, uint64_t block,
                           const uint8_t *page, const struct object_block_meta *meta)
{
    uint32_t flags = meta->status == OK ? 0 : OBJECT_LOST_BLOCKS;
    return logical_write_one(l, bad, oid, block, page, meta->crc, OBJECT_REPAIR | flags);
}

static enum err copy_range(struct logical *l, uint64_t oid, uint32_t bad, uint32_t good,
                           uint64_t first, uint64_t *copied)
{
    struct object_block_meta meta[MEND_BLOCKS];
    enum err e = read_good(l, oid, good, first, meta);
    if (e == E_NOENT || e == E_DEAD)
        return E_CORRUPT; /* nothing to copy: no fault of the other disk */
    if (e == E_SESSION)
        return e;
    for (uint32_t i = 0; i < MEND_BLOCKS; i++) {
        if (meta[i].status == OK && (meta[i].flags & 1) != 0)
            continue; /* a hole */
        e = copy_block(l, oid, bad, first + i, l->mend + (size_t)i * BLOCK_BYTES, &meta[i]);
        if (e != OK)
            return e;
        *copied += meta[i].status != E_LOST; /* which the count of blocks does not have */
    }
    return OK;
}

/* An empty copy whose holes count as lost. */
static enum err make_anew(struct logical *l, uint64_t oid, uint32_t bad,
                          const struct object_reply *whole)
{
    struct object_reply reply;
    struct object_request r = {.op = OBJECT_CREATE,
                               .oid = oid,
                               .flags = whole->flags | OBJECT_REPAIR,
                               .size = whole->size,
                               .lsn = whole->lsn};
    memcpy(r.attr, whole->attr, OBJECT_ATTR_BYTES);
    enum err e = call_disk(l, bad, &r, &reply);
    r.op = OBJECT_TRUNCATE;
    r.flags = 0;
    return e == OK ? call_disk(l, bad, &r, &reply) : e;
}

static void note_neighbours(struct logical *l, uint64_t oid, uint32_t disk)
{
    if (l->damages < DAMAGES_MAX)
        l->damage[l->damages++] = (struct damage){.oid = oid, .disk = disk};
}

/* The same for the part of an object with parity: all blocks that the other parts have, wherever
 * they are, tell how far it may reach. */
static enum err mend_part(struct logical *l, const struct entry *entry, uint32_t bad, uint64_t size)
{
    struct object_block_meta metas[MEND_BLOCKS];
    uint64_t have = 0, seen = 0;
    uint32_t others = logical_entry_disks(l, entry) & ~(1u << bad);
    struct object_request r = {.op = OBJECT_GETATTR, .oid = entry->oid};
    uint32_t slot = 0;
    while (slot + 1u < entry->count && entry->disk[slot] != bad)
        slot++;
    uint64_t blocks = logical_place_kept(entry, slot, (size + BLOCK_BYTES - 1) / BLOCK_BYTES);
    for (uint32_t k = 0; k < DISKS_MAX; k++) {
        struct object_reply reply;
        enum err e = (others >> k & 1) == 0 ? E_NOENT : call_disk(l, k, &r, &reply);
        if (e == E_SESSION)
            return e;
        have += e == OK ? reply.blocks : 0;
    }
    for (uint64_t b = 0; seen < have || b < blocks; b += MEND_BLOCKS) {
        enum err e = b < MEND_REACH ? OK : E_FBIG;
        if (e == OK)
            e = logical_rows_make(l, entry, slot, b, MEND_BLOCKS, l->mend, metas, &seen);
        if (e == E_MEDIA || e == E_DEAD)
            e = E_CORRUPT; /* of the disks that it is made from */
        if (e == OK && (others & ~logical_entry_disks(l, entry)) != 0)
            e = E_CORRUPT; /* one of them has left: how far they reach is unknown */
        if (e == OK)
            e = logical_slot_write(l, bad, entry->oid, b, MEND_BLOCKS, l->mend, metas);
        if (e != OK)
            return e;
    }
    return OK;
}

static enum err mend_copy(struct logical *l, const struct entry *entry, uint32_t bad, uint32_t good,
                          const struct object_reply *whole, bool *scanned)
{
    uint64_t copied = 0;
    enum err e = OK;
    /* Blocks may lie beyond the size, which comes down last; lost ones, uncounted, only before. */
    uint64_t blocks = (whole->size + BLOCK_BYTES - 1) / BLOCK_BYTES;
    *scanned = entry->oid == OID_MAPPING || blocks <= MEND_SCAN_MAX;
    for (uint64_t b = 0; e == OK && (copied < whole->blocks || (*scanned && b < blocks));
         b += MEND_BLOCKS)
        e = b < MEND_REACH ? copy_range(l, entry->oid, bad, good, b, &copied) : E_FBIG;
    return e;
}

/* The copy, or part, on `bad` from the others, and the word that it is whole. */
static enum err make_whole(struct logical *l, const struct entry *entry, uint32_t bad,
                           uint32_t good, const struct object_reply *whole)
{
    struct object_reply reply;
    bool scanned = true;
    enum err e = make_anew(l, entry->oid, bad, whole);
    if (e == OK && logical_has_parity(entry))
        e = mend_part(l, entry, bad, whole->size);
    else if (e == OK)
        e = mend_copy(l, entry, bad, good, whole, &scanned);
    if (e != OK || !scanned)
        return e; /* a hole might be a lost block: that copy is not asked about holes */
    struct object_request r = {.op = OBJECT_SETATTR,
                               .oid = entry->oid,
                               .flags = OBJECT_REPAIR,
                               .size = whole->size,
                               .lsn = whole->lsn};
    memcpy(r.attr, whole->attr, OBJECT_ATTR_BYTES);
    return call_disk(l, bad, &r, &reply);
}

/*
 * A disk that takes no writes leaves the pool here: what shared a block of inodes with the object
 * is gone from it and cannot be made anew, so its copies must not count any more.
 */
enum err logical_objects_mend(struct logical *l, const struct entry *entry, uint32_t bad,
                              uint32_t good)
{
    struct object_reply whole;
    struct object_request r = {.op = OBJECT_GETATTR, .oid = entry->oid};
    if (l->in_pause || entry->level == 0)
        return E_CORRUPT;
    plat_report(REPORT_REPAIR, entry->oid, UINT64_MAX);
    enum err e = call_disk(l, good, &r, &whole);
    if (e != OK)
        return e == E_SESSION ? e : E_CORRUPT;
    note_neighbours(l, entry->oid, bad);
    e = make_whole(l, entry, bad, good, &whole);
    if (!logical_disk_failed(e))
        return e;
    e = logical_disk_drop(l, bad);
    return e == E_SESSION ? e : E_DEAD;
}

/* Looks at one object near a damaged one. *mended: it was damaged too. */
static enum err look_at(struct logical *l, uint64_t oid, uint32_t disk, bool *mended)
{
    struct entry entry;
    struct object_reply reply;
    struct object_request r = {.op = OBJECT_GETATTR, .oid = oid};
    uint32_t bit = 1u << disk;
    *mended = false;
    enum err e = logical_mapping_find(l, oid, &entry);
    if (e != OK)
        return e == E_SESSION ? e : OK;
    uint32_t live = logical_entry_disks(l, &entry);
    if (entry.level == 0 || (live & bit) == 0 || (live & ~bit) == 0)
        return OK;
    e = call_disk(l, disk, &r, &reply);
    if (e != E_NOENT && e != E_CORRUPT)
        return e == E_SESSION ? e : OK;
    e = logical_objects_mend(l, &entry, disk, logical_lowest(live & ~bit));
    *mended = e == OK;
    return e == E_SESSION ? e : OK;
}

/* Ids from `oid` on, one way, until none of a whole block of inodes needed mending: the next block
 * may be bad as well, and what is mended in it has neighbours of its own. */
static enum err mend_towards(struct logical *l, uint64_t oid, uint32_t disk, bool up)
{
    uint32_t sound = 0;
    for (uint64_t near = oid; sound < NEIGHBOURS && near > OID_MAPPING + 1;) {
        bool mended;
        near = up ? near + 1 : near - 1;
        enum err e = look_at(l, near, disk, &mended);
        if (e != OK)
            return e;
        sound = mended ? 0 : sound + 1;
    }
    return OK;
}

enum err logical_objects_mend_neighbours(struct logical *l)
{
    uint32_t count = l->damages;
    for (uint32_t n = 0; n < count; n++) {
        enum err e = mend_towards(l, l->damage[n].oid, l->damage[n].disk, true);
        if (e == OK)
            e = mend_towards(l, l->damage[n].oid, l->damage[n].disk, false);
        if (e != OK)
            return e;
    }
    l->damages = 0; /* those that were found on the way: mend_towards has seen their neighbours */
    return OK;
}

/* ---- The same to all disks ------------------------------------------------------------------- */

struct outcome {
    uint32_t ok, damaged, failed; /* disks */
    enum err first;               /* other refusal, OK if none */
};

static void sort_out(const struct call *calls, uint32_t count, struct outcome *out)
{
    *out = (struct outcome){.first = OK};
    for (uint32_t i = 0; i < count; i++) {
        enum err e = calls[i].status;
        uint32_t bit = 1u << calls[i].disk;
        if (e == OK)
            out->ok |= bit;
        else if (logical_disk_failed(e))
            out->failed |= bit;
        else if (e == E_CORRUPT || e == E_NOENT || e == E_LOST)
            out->damaged |= bit;
        else if (out->first == OK)
            out->first = e;
    }
}

/* Brings one damaged copy to where the others are after `request`. */
static enum err redo_on(struct logical *l, const struct entry *entry,
                        const struct object_request *request, uint32_t disk, uint32_t good)
{
    struct object_reply reply;
    struct object_request r = *request;
    enum err e = OK;
    if (request->op == OBJECT_DELETE)
        r = (struct object_request){.op = OBJECT_CREATE, .oid = entry->oid, .flags = OBJECT_REPAIR};
    if (request->op == OBJECT_CREATE)
        r.flags |= OBJECT_REPAIR;
    if (request->op == OBJECT_DELETE || request->op == OBJECT_CREATE) {
        e = call_disk(l, disk, &r, &reply);
        note_neighbours(l, entry->oid, disk);
    } else {
        e = logical_objects_mend(l, entry, disk, good);
    }
    r = *request;
    if (request->op == OBJECT_CREATE) { /* new, so its holes are holes */
        r.op = OBJECT_SETATTR;
        r.flags = OBJECT_REPAIR;
    }
    return e == OK ? call_disk(l, disk, &r, &reply) : e;
}

/* Sends what is in l->call[0..count) and deals with disks and copies that fail. */
static enum err fan_out(struct logical *l, const struct entry *entry, uint32_t count,
                        uint32_t *accepted)
{
    struct object_request request = l->call[0].request;
    struct outcome out;
    enum err e = logical_calls_run(l, l->call, count);
    if (e != OK)
        return e;
    sort_out(l->call, count, &out);
    *accepted = out.ok;
    for (uint32_t k = 0; k < DISKS_MAX; k++) {
        uint32_t bit = 1u << k;
        e = OK;
        if ((out.damaged & bit) != 0 && out.ok != 0 && entry->level != 0)
            e = redo_on(l, entry, &request, k, logical_lowest(out.ok));
        else if ((out.damaged & bit) != 0)
            return E_CORRUPT;
        if (e == E_SESSION)
            return e;
        if (e != OK || (out.failed & bit) != 0)
            e = logical_disk_drop(l, k);
        if (e != OK)
            return e;
    }
    return out.ok == 0 && out.first == OK ? E_LOST : out.first;
}

/* ---- The operations -------------------------------------------------------------------------- */

static uint32_t spread(struct logical *l, const struct entry *entry,
                       const struct object_request *request)
{
    uint32_t count = 0;
    for (uint32_t k = 0; k < entry->count; k++) {
        if (!logical_entry_sink(l, entry, k))
            continue;
        struct call *call = &l->call[count++];
        *call = (struct call){.disk = entry->disk[k], .request = *request};
        call->request.oid = entry->oid;
        if (request->op == OBJECT_TRUNCATE) {
            uint64_t blocks = (request->size + BLOCK_BYTES - 1) / BLOCK_BYTES;
            call->request.offset = logical_place_kept(entry, k, blocks) * BLOCK_BYTES;
        }
    }
    return count;
}

enum err logical_objects_make(struct logical *l, const struct entry *entry,
                              const struct object_request *request)
{
    uint32_t accepted = 0;
    struct object_request below = *request;
    ASSERT(request->op == OBJECT_CREATE);
    below.flags |= entry->flags & OBJECT_COW;
    uint32_t count = spread(l, entry, &below);
    enum err e = count == 0 ? E_MEDIA : fan_out(l, entry, count, &accepted);
    if (e == OK || e == E_SESSION || accepted == 0)
        return e;
    struct object_request undo = {.op = OBJECT_DELETE, .oid = entry->oid, .flags = OBJECT_REPLAY};
    enum err undone = logical_calls_all(l, accepted & l->core.members, &undo, &count);
    return undone == OK ? e : undone;
}

static enum err create(struct logical *l, const struct object_request *request)
{
    struct entry entry;
    bool replay = (request->flags & OBJECT_REPLAY) != 0;
    if (request->oid >= OID_MOVED)
        return E_INVAL;
    enum err e = logical_mapping_get(l, request->oid, &entry);
    if (e == OK && !replay)
        return E_EXIST;
    if (e != OK && e != E_NOENT)
        return e;
    if (e == E_NOENT)
        logical_mapping_choose(l, request->oid, request->flags, &entry);
    e = logical_objects_make(l, &entry, request);
    return e == OK ? logical_mapping_put(l, &entry) : e;
}

/* Parts whose parity could not be changed before the cut. */
static enum err mend_refused(struct logical *l, const struct entry *entry, uint32_t refused)
{
    for (uint32_t k = 0; k < DISKS_MAX; k++) {
        uint32_t others = logical_entry_disks(l, entry) & ~(1u << k);
        if ((refused & l->core.members & 1u << k) == 0)
            continue;
        enum err e =
            others == 0 ? E_CORRUPT : logical_objects_mend(l, entry, k, logical_lowest(others));
        if (e != OK && e != E_SESSION)
            e = logical_disk_drop(l, k);
        if (e != OK)
            return e;
    }
    return OK;
}

enum err logical_objects_change(struct logical *l, const struct entry *entry,
                                const struct object_request *request)
{
    uint32_t accepted, refused = 0;
    enum err e = OK;
    uint64_t blocks = (request->size + BLOCK_BYTES - 1) / BLOCK_BYTES;
    if (request->op == OBJECT_TRUNCATE && logical_has_parity(entry))
        e = logical_rows_truncate(l, entry, blocks, request->lsn, &refused);
    if (e != OK)
        return e;
    uint32_t count = spread(l, entry, request);
    if (count == 0 && request->op != OBJECT_DELETE)
        return E_LOST; /* no disk that has it is left */
    e = count == 0 ? OK : fan_out(l, entry, count, &accepted);
    if (e == OK && refused != 0)
        e = mend_refused(l, entry, refused);
    return e;
}

static enum err change(struct logical *l, const struct object_request *request)
{
    struct entry entry;
    bool forgiving = request->op == OBJECT_DELETE && (request->flags & OBJECT_REPLAY) != 0;
    enum err e = logical_mapping_get(l, request->oid, &entry);
    if (e != OK)
        return e == E_NOENT && forgiving ? OK : e;
    e = logical_objects_change(l, &entry, request);
    if (e != OK)
        return e;
    if (request->op == OBJECT_SETATTR)
        return logical_migrate_wish(l, &entry, request->attr);
    e = logical_migrate_change(l, &entry, request);
    if (e != OK || request->op != OBJECT_DELETE)
        return e;
    entry.count = 0;
    return logical_mapping_put(l, &entry);
}

/* Asks the disks one after the other; striped: all, for the sum of their blocks. */
static enum err ask(struct logical *l, const struct entry *entry,
                    const struct object_request *request, struct object_reply *reply,
                    struct outcome *out)
{
    *out = (struct outcome){.first = OK};
    for (uint32_t k = 0; k < entry->count && (entry->level != 1 || out->ok == 0); k++) {
        struct object_reply part;
        uint32_t bit = 1u << entry->disk[k];
        if (!logical_entry_whole(l, entry, k))
            continue;
        enum err e = call_disk(l, entry->disk[k], request, &part);
        if (e == E_SESSION)
            return e;
        if (e != OK) {
            out->damaged |= e == E_DEAD ? 0 : bit;
            out->failed |= e == E_DEAD ? bit : 0;
            out->first = e;
            continue;
        }
        out->ok |= bit;
        part.blocks += reply->blocks;
        *reply = part;
    }
    return OK;
}

static enum err get_attributes(struct logical *l, const struct object_request *request,
                               struct object_reply *reply)
{
    struct entry entry;
    struct outcome out;
    struct object_request below = *request;
    enum err e = logical_mapping_get(l, request->oid, &entry);
    below.oid = entry.oid;
    if (e == OK)
        e = ask(l, &entry, &below, reply, &out);
    if (e != OK)
        return e;
    reply->oid = request->oid;
    for (uint32_t k = 0; k < DISKS_MAX && entry.level != 0; k++) {
        e = OK;
        if ((out.failed >> k & 1) != 0)
            e = logical_disk_drop(l, k);
        else if ((out.damaged >> k & 1) != 0 && out.ok != 0)
            e = logical_objects_mend(l, &entry, k, logical_lowest(out.ok));
        if (e == E_SESSION)
            return e; /* else the answer is good all the same */
    }
    if (out.ok != 0)
        return OK;
    return out.first == E_NOENT || out.first == E_CORRUPT ? E_CORRUPT : E_MEDIA;
}

enum err logical_objects_serve(struct logical *l, const struct object_request *request,
                               struct object_reply *reply)
{
    if (request->oid == OID_MAPPING || request->oid == OID_NONE)
        return E_INVAL;
    if (request->lsn > l->core.highest_lsn)
        l->core.highest_lsn = request->lsn;
    switch (request->op) {
    case OBJECT_CREATE:
        return create(l, request);
    case OBJECT_GETATTR:
        return get_attributes(l, request, reply);
    default:
        return change(l, request);
    }
}

/* Free blocks of call i's disk. What a disk that is REBUILDING is still to take is none: it will be
 * as full as the fullest. */
static uint64_t free_on(const struct logical *l, uint32_t count, uint32_t i)
{
    const struct object_reply *own = &l->call[i].reply;
    uint64_t used = 0;
    if ((l->core.rebuilding >> l->call[i].disk & 1) == 0)
        return own->blocks;
    for (uint32_t k = 0; k < count; k++) {
        uint64_t other = l->call[k].reply.size - l->call[k].reply.blocks;
        used = other > used ? other : used;
    }
    return own->size > used ? own->size - used : 0;
}

/*
 * What a caller may count on, in blocks: each of them is a block on every disk that holds a copy,
 * and a directory is on all disks. With parity a block may be the only one of its row.
 */
enum err logical_objects_statfs(struct logical *l, struct object_reply *reply)
{
    uint32_t count;
    struct object_request request = {.op = OBJECT_STATFS};
    enum err e = logical_calls_all(l, l->core.members, &request, &count);
    uint64_t size = UINT64_MAX, free = UINT64_MAX;
    for (uint32_t i = 0; i < count && e == OK; i++) {
        const struct object_reply *r = &l->call[i].reply;
        uint64_t room = free_on(l, count, i);
        e = l->call[i].status;
        size = r->size < size ? r->size : size;
        free = room < free ? room : free;
        l->room[l->call[i].disk] = r->blocks;
    }
    if (e != OK)
        return e;
    uint32_t raid = l->options.raid;
    uint64_t disks = raid == 1 || raid == RAID_N_WAY ? 1 : count;
    uint64_t parities = raid == 6 ? 2 : raid >= 4 && raid != RAID_N_WAY ? 1 : 0;
    uint64_t everywhere = free < STATFS_META_BLOCKS ? free : STATFS_META_BLOCKS;
    reply->size = size * (disks > parities ? disks - parities : 1);
    reply->blocks = (free * disks - (disks - 1) * everywhere) / (1 + parities);
    return OK;
}
