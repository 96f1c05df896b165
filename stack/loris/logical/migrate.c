/*
 * Giving a file another level while applications run: its new layout is made beside the old one,
 * under the other of the two numbers that an object may have on its disks (OID_MOVED), piece by
 * piece; then the file's entry of the mapping names the new one; then the old one is removed.
 *
 *   wish     naming asks with the attributes (OBJECT_ATTR_LEVEL); the entry notes that it waits
 *   begin    the new layout is empty, and in slot OID_NONE of the mapping
 *   copy     blocks [0, moved) are in both: what changes there does in both
 *   switch   all are: the two layouts change slots
 *   remove   what is in slot OID_NONE goes
 *
 * Physical uses the blocks of what is removed only after the switch is released, as ever.
 *
 * All of it but the cursor is in the mapping, so it is in the same checkpoint as the blocks. The
 * cursor is lost with a restore: a layout found in slot OID_NONE then is removed, whichever it is,
 * and a file that still waits is begun anew. Blocks that were written in place may be newer in the
 * old layout after a power cut, so nothing of a copy is believed.
 *
 *   (1) the old layout takes every change until the switch, as if there were no other;
 *   (2) nothing of a new layout is overwritten in place before the switch: it has no intents;
 *   (3) what fails of the new layout costs the new layout: the file stays as it is.
 *
 * Room: the cache counts on what the last STATFS answered. A step leaves free on each disk as many
 * blocks as the cache may have promised since, a frame each, and it is told to ask again.
 */
#include "logical.h"

#include "assertion.h"
#include "bytes.h"
#include "mem.h"
#include "planted.h"
#include "proto.h"

#define HOLE 1u                           /* flag of a block's meta */
#define PUSHES_MAX 8u                     /* checkpoints asked for room before the file waits */
#define ASK_AGAIN_NS UINT64_C(1000000000) /* assumption: a checkpoint takes less */
#define LATER_NS UINT64_C(60000000000)    /* until what could not be is tried again */
#define ROOM_BESIDE_BLOCKS 64u            /* metadata, and parity of one step */

/* ---- State ----------------------------------------------------------------------------------- */

void logical_migrate_reset(struct logical *l)
{
    uint8_t *pages = l->migrate.pages;
    l->migrate = (struct migrate){.pages = pages};
}

void logical_migrate_found(struct logical *l, bool work)
{
    struct migrate *m = &l->migrate;
    if (!m->known && work)
        m->left = m->walk = true;
    m->known = true; /* from now on it is this process that changes it */
}

static void enqueue(struct migrate *m, uint64_t file)
{
    for (uint32_t k = 0; k < m->queued; k++)
        if (m->queue[k] == file)
            return;
    if (m->queued == MIGRATE_QUEUE)
        m->walk = true; /* found by looking */
    else
        m->queue[m->queued++] = file;
}

static void dequeue(struct migrate *m)
{
    ASSERT(m->queued > 0);
    m->queued--;
    memmove(m->queue, m->queue + 1, m->queued * sizeof(m->queue[0]));
}

/* The new layout is not what the file holds, or cannot be made: it goes. */
static void give_up(struct logical *l)
{
    l->core.moving = OID_NONE;
    l->core.moved = 0;
    l->migrate.left = true;
    l->migrate.pushes = 0;
}

/* It is begun anew at once; */
static void spoil(struct logical *l)
{
    enqueue(&l->migrate, l->core.moving);
    give_up(l);
}

/* or, as long as nothing better can be expected, later. */
static void postpone(struct logical *l, enum err why, uint64_t file)
{
    if (why != E_FULL) /* which is no fault */
        plat_report(REPORT_DETECTED, (uint64_t) - (int)why, file);
    l->migrate.postponed = l->migrate.walk = true;
    if (l->core.moving != OID_NONE)
        give_up(l);
}

/* No room before a checkpoint, or none at all. */
static void wait_for_room(struct logical *l, uint64_t file)
{
    struct migrate *m = &l->migrate;
    if (m->pushes++ >= PUSHES_MAX) {
        m->pushes = 0;
        postpone(l, E_FULL, file);
        return;
    }
    logical_background_ask(l);
    m->due_ns = plat_now() + ASK_AGAIN_NS;
    if (l->core.moving == OID_NONE)
        enqueue(m, file);
}

/* ---- What comes from the cache --------------------------------------------------------------- */

enum err logical_migrate_wish(struct logical *l, const struct entry *entry, const uint8_t *attr)
{
    uint32_t level = get_le32(attr + OBJECT_ATTR_LEVEL);
    if ((entry->flags & OBJECT_META) != 0 || level > OBJECT_LEVELS || level == entry->wanted)
        return OK; /* a directory's is that of its files */
    struct entry changed = *entry;
    changed.wanted = (uint8_t)level;
    changed.waits = true;
    enum err e = logical_mapping_put(l, &changed);
    if (e != OK)
        return e;
    if (l->core.moving == entry->file)
        spoil(l);
    else
        enqueue(&l->migrate, entry->file);
    return OK;
}

enum err logical_migrate_change(struct logical *l, const struct entry *entry,
                                const struct object_request *request)
{
    struct entry to;
    if (l->core.moving != entry->file || entry->file == OID_NONE)
        return OK;
    if (request->op == OBJECT_DELETE) {
        give_up(l);
        return OK;
    }
    enum err e = logical_mapping_spare(l, &to);
    if (e == OK)
        e = logical_objects_change(l, &to, request);
    if (e != OK && e != E_SESSION)
        spoil(l);
    return e == E_SESSION ? e : OK;
}

/* Whether block i of a batch goes to both. */
static bool goes_to_both(const struct logical *l, const struct intake *in, uint32_t i)
{
    return in->found[i] == OK && in->status[i] == OK && in->entry[i].file == l->core.moving &&
           in->wire[i].block < l->core.moved && !PLANTED(PLANTED_MIGRATE_ONE_SIDED);
}

/* A batch of blocks to the new layout, for which found[i] is OK. *worst: of these, OK if all are.
 */
static enum err write_new(struct logical *l, struct intake *in, enum err *worst)
{
    in->flags = 0;
    enum err e = logical_write_intake(l, in);
    l->migrate.took = true;
    *worst = OK;
    for (uint32_t i = 0; i < in->count; i++)
        if (in->found[i] == OK && in->status[i] != OK && (*worst == OK || *worst == E_AGAIN))
            *worst = (enum err)in->status[i];
    return e == E_SESSION ? e : OK;
}

enum err logical_migrate_write(struct logical *l, const struct intake *in)
{
    struct object_write_entry wire[OBJECT_BATCH_MAX_BLOCKS];
    struct entry entries[OBJECT_BATCH_MAX_BLOCKS], to;
    enum err found[OBJECT_BATCH_MAX_BLOCKS], worst = OK;
    int32_t status[OBJECT_BATCH_MAX_BLOCKS];
    uint32_t both = 0;
    for (uint32_t i = 0; i < in->count && l->core.moving != OID_NONE; i++)
        both += goes_to_both(l, in, i);
    if (both == 0)
        return OK;
    enum err e = logical_mapping_spare(l, &to);
    if (e != OK) {
        spoil(l);
        return e == E_SESSION ? e : OK;
    }
    for (uint32_t i = 0; i < in->count; i++) {
        found[i] = goes_to_both(l, in, i) ? OK : E_NOENT;
        wire[i] = in->wire[i];
        wire[i].oid = to.oid;
        wire[i].flags |= OBJECT_SHADOW;
        entries[i] = to;
        status[i] = (int32_t)found[i];
    }
    struct intake copy = *in;
    copy.wire = wire;
    copy.entry = entries;
    copy.found = found;
    copy.status = status;
    e = write_new(l, &copy, &worst);
    if (e == OK && worst != OK)
        spoil(l);
    plat_probe(PROBE_MIGRATE_BOTH);
    return e;
}

/* ---- Beginning ------------------------------------------------------------------------------- */

/* Disks that may go before something of a file of this layout is lost. */
static uint32_t bears(const struct logical *l, const struct entry *entry)
{
    uint32_t lacks = entry->count - logical_bits(logical_entry_safe(l, entry));
    uint32_t spare = logical_place_spares(entry);
    return spare > lacks ? spare - lacks : 0;
}

/* Blocks of the file up to its last one, where its longest part has `end` of its own. */
static uint64_t file_end(const struct entry *entry, uint64_t end)
{
    if (entry->level == 1)
        return end;
    uint64_t unit = entry->stripe_blocks;
    return (end + unit - 1) / unit * unit * (entry->count - logical_place_parities(entry));
}

/* The file's attributes, and how many blocks it has. E_LOST: so many slots do not say how far they
 * reach that a part of the file would be taken for a hole. */
static enum err measure(struct logical *l, const struct entry *from, struct object_reply *whole,
                        uint64_t *blocks)
{
    uint64_t end;
    enum err e = logical_walk_attributes(l, from, whole, &end);
    *blocks = file_end(from, end);
    return e;
}

/* Whether each disk of the layout has room for so many blocks beside what the cache may have
 * promised. OK, E_FULL; E_SESSION. */
static enum err has_room(struct logical *l, const struct entry *to, uint64_t blocks)
{
    uint32_t count;
    struct object_request request = {.op = OBJECT_STATFS};
    uint64_t keep = l->options.cache_bytes / BLOCK_BYTES + ROOM_BESIDE_BLOCKS;
    enum err e = logical_calls_all(l, logical_entry_sinks(l, to), &request, &count);
    for (uint32_t i = 0; i < count && e == OK; i++)
        if (l->call[i].status != OK || l->call[i].reply.blocks < keep + blocks)
            e = E_FULL;
    return e;
}

/* Nothing to do for it, or no more. */
static enum err settle(struct logical *l, struct entry *entry)
{
    entry->waits = false;
    return logical_mapping_put(l, entry);
}

static enum err make(struct logical *l, struct entry *from, struct entry *to)
{
    struct object_reply whole;
    uint64_t blocks;
    enum err e = measure(l, from, &whole, &blocks);
    if (e != OK)
        return e;
    e = has_room(l, to, logical_place_kept(to, 0, blocks));
    if (e != OK)
        return e;
    struct object_request request = {
        .op = OBJECT_CREATE, .oid = to->oid, .size = whole.size, .lsn = whole.lsn};
    memcpy(request.attr, whole.attr, OBJECT_ATTR_BYTES);
    e = logical_objects_make(l, to, &request);
    if (e != OK)
        return e;
    l->migrate.took = true;
    l->migrate.left = true; /* until it is known to be in work */
    e = logical_mapping_put(l, to);
    if (e != OK)
        return E_SESSION; /* on the disks, but in no mapping */
    l->migrate.left = false;
    l->migrate.end = blocks;
    l->core.moving = from->file;
    l->core.moved = 0;
    plat_probe(PROBE_MIGRATE_BEGUN);
    return OK;
}

static enum err begin(struct logical *l, uint64_t file)
{
    struct entry from, to;
    enum err e = logical_mapping_get(l, file, &from);
    if (e != OK || !from.waits)
        return e == E_SESSION ? e : OK; /* deleted, or served meanwhile */
    logical_mapping_choose(l, file, (uint32_t)from.wanted << OBJECT_LEVEL_SHIFT, &to);
    if (to.level == from.level && to.count == from.count)
        return settle(l, &from);
    to.oid = from.oid ^ OID_MOVED;
    to.file = OID_NONE;
    to.wanted = 0;
    if (bears(l, &to) < logical_place_spares(&to) && bears(l, &to) < bears(l, &from)) {
        postpone(l, E_DEAD, file); /* a disk is missed: it would bear less than now */
        return OK;
    }
    l->migrate.whole = logical_bits(logical_entry_disks(l, &to));
    e = make(l, &from, &to);
    if (e == E_FULL || e == E_AGAIN)
        wait_for_room(l, file);
    else if (e != OK && e != E_SESSION)
        postpone(l, e, file);
    return e == E_SESSION ? e : OK;
}

/* ---- Copying --------------------------------------------------------------------------------- */

/* Reads a range of the file as the cache would: what is bad is mended on the way. */
static enum err read_old(struct logical *l, uint32_t self, uint32_t count, uint32_t *data)
{
    struct migrate *m = &l->migrate;
    struct object_reply reply = {0};
    *data = proto_grant(self, m->pages, (size_t)count * BLOCK_BYTES,
                        PLAT_GRANT_READ | PLAT_GRANT_WRITE);
    struct object_request request = {.op = OBJECT_READ,
                                     .oid = l->core.moving,
                                     .offset = l->core.moved * BLOCK_BYTES,
                                     .length = (uint64_t)count * BLOCK_BYTES,
                                     .grant_data = *data};
    request.grant_meta =
        proto_grant(self, m->metas, (size_t)count * OBJECT_META_BYTES, PLAT_GRANT_WRITE);
    enum err e = logical_read_serve(l, &request, self, &reply);
    plat_revoke(request.grant_meta);
    return e;
}

/* What is to be written of the range that was read. OK; or why it cannot be copied. */
static enum err plan(struct logical *l, const struct entry *to, uint32_t count,
                     struct object_write_entry *wire, struct entry *entries, enum err *found)
{
    for (uint32_t i = 0; i < count; i++) {
        struct object_block_meta meta;
        object_block_meta_decode(&meta, l->migrate.metas + (size_t)i * OBJECT_META_BYTES);
        if (meta.status != OK && meta.status != E_LOST)
            return (enum err)meta.status; /* it may come back: not to be given up for lost */
        bool lost = meta.status == E_LOST;
        found[i] = !lost && (meta.flags & HOLE) != 0 ? E_NOENT : OK;
        wire[i] = (struct object_write_entry){.oid = to->oid,
                                              .block = l->core.moved + i,
                                              .lsn = l->core.highest_lsn,
                                              .crc = meta.crc,
                                              .flags = OBJECT_SHADOW};
        if (lost)
            wire[i].flags |= OBJECT_LOST_BLOCKS;
        entries[i] = *to;
    }
    return OK;
}

/* Blocks [moved, moved + count) of the file. *worst: why not; it may be E_AGAIN. */
static enum err copy_range(struct logical *l, const struct entry *to, uint32_t count,
                           enum err *worst)
{
    struct object_write_entry wire[MEND_BLOCKS];
    struct entry entries[MEND_BLOCKS];
    enum err found[MEND_BLOCKS];
    int32_t status[MEND_BLOCKS] = {0};
    uint32_t data, self = plat_lookup(LAYER_LOGICAL, 0);
    enum err e = read_old(l, self, count, &data);
    *worst = e;
    if (e == OK)
        *worst = plan(l, to, count, wire, entries, found);
    struct intake in = {.source = self,
                        .grant = data,
                        .count = count,
                        .wire = wire,
                        .entry = entries,
                        .found = found,
                        .status = status};
    if (*worst == OK)
        e = write_new(l, &in, worst);
    plat_revoke(data);
    return e == E_SESSION ? e : OK;
}

/* The file's entry names the new layout from now on, the spare one the old. */
static enum err change_slots(struct logical *l, struct entry *from, struct entry *to)
{
    to->file = from->file;
    to->wanted = from->wanted;
    to->waits = false;
    from->file = OID_NONE;
    from->wanted = 0;
    from->waits = false;
    enum err e = logical_mapping_put(l, to);
    if (e != OK)
        return e;
    e = logical_mapping_put(l, from);
    if (e != OK)
        return E_SESSION; /* half done: only a restore says */
    give_up(l);
    plat_report(REPORT_MIGRATED, to->file, to->level);
    plat_probe(PROBE_MIGRATE_SWITCHED);
    return OK;
}

/* All that was there has been copied: size and attributes, and, if nothing has grown, the switch.
 */
static enum err finish(struct logical *l, struct entry *from, struct entry *to)
{
    struct object_reply whole;
    uint64_t blocks;
    enum err e = measure(l, from, &whole, &blocks);
    if (e != OK)
        return e;
    if (blocks > l->core.moved) {
        l->migrate.end = blocks;
        return OK;
    }
    struct object_request request = {
        .op = OBJECT_SETATTR, .oid = to->oid, .size = whole.size, .lsn = whole.lsn};
    memcpy(request.attr, whole.attr, OBJECT_ATTR_BYTES);
    e = logical_objects_change(l, to, &request);
    if (e == OK && logical_bits(logical_entry_disks(l, to)) < l->migrate.whole)
        return E_DEAD;
    return e == OK ? change_slots(l, from, to) : e;
}

/* One step of the file in work. */
static enum err go_on(struct logical *l)
{
    struct migrate *m = &l->migrate;
    struct entry from, to;
    uint64_t file = l->core.moving;
    enum err worst = OK;
    enum err e = logical_mapping_get(l, file, &from);
    if (e == OK)
        e = logical_mapping_spare(l, &to);
    if (e == OK && logical_bits(logical_entry_disks(l, &to)) < m->whole) {
        spoil(l); /* a disk has left: with those that are there */
        return OK;
    }
    uint64_t left = m->end > l->core.moved ? m->end - l->core.moved : 0;
    uint32_t count = left < MEND_BLOCKS ? (uint32_t)left : MEND_BLOCKS;
    if (e == OK && count == 0)
        e = finish(l, &from, &to);
    else if (e == OK && (e = has_room(l, &to, count)) == OK)
        e = copy_range(l, &to, count, &worst);
    if (e == E_SESSION)
        return e;
    e = e == OK ? worst : e;
    if (e == E_FULL || e == E_AGAIN) {
        wait_for_room(l, file);
    } else if (e != OK) {
        postpone(l, e, file);
    } else if (count > 0) {
        m->pushes = 0;
        l->core.moved += count;
        plat_probe(PROBE_MIGRATE_BLOCKS);
    }
    return OK;
}

/* ---- Removing -------------------------------------------------------------------------------- */

static enum err clear(struct logical *l)
{
    struct entry spare;
    enum err e = logical_mapping_spare(l, &spare);
    ASSERT(l->core.moving == OID_NONE);
    if (e == E_NOENT)
        l->migrate.left = false;
    if (e != OK)
        return e == E_SESSION ? e : OK;
    struct object_request request = {
        .op = OBJECT_DELETE, .oid = spare.oid, .flags = OBJECT_REPLAY, .lsn = l->core.highest_lsn};
    e = logical_objects_change(l, &spare, &request);
    if (e == E_SESSION)
        return e;
    if (e != OK) { /* no copy of it can be reached: perhaps later */
        l->migrate.due_ns = plat_now() + LATER_NS;
        return OK;
    }
    spare.count = 0;
    e = logical_mapping_put(l, &spare);
    if (e != OK)
        return E_SESSION;
    l->migrate.left = false;
    plat_probe(PROBE_MIGRATE_REMOVED);
    return OK;
}

/* ---- The background -------------------------------------------------------------------------- */

/* The next file that waits. */
static enum err look_on(struct logical *l)
{
    struct migrate *m = &l->migrate;
    uint64_t waiting = 0;
    enum err e = logical_mapping_waiting(l, &waiting);
    if (e != OK)
        return e;
    for (uint32_t looks = 0; waiting > 0 && looks < WALK_LOOKS && m->queued == 0; looks++) {
        struct entry entry;
        uint64_t oid = 0;
        e = logical_walk_next(l, l->core.members & ~l->core.rebuilding, m->at, &oid);
        if (e == E_AGAIN && ++m->skips < WALK_SKIPS_MAX) {
            m->at = (m->at / WALK_LEAF_OBJECTS + 1) * WALK_LEAF_OBJECTS;
            continue;
        }
        if (e != OK)
            break;
        m->at = oid + 1;
        m->skips = 0;
        e = oid == OID_MAPPING ? E_NOENT : logical_mapping_find(l, oid, &entry);
        if (e == E_SESSION)
            return e;
        if (e == OK && entry.waits)
            enqueue(m, entry.file);
        e = OK;
    }
    if (e == E_SESSION || (waiting > 0 && e == OK))
        return e;
    m->walk = waiting > 0 && m->postponed; /* all were looked at: the others later again */
    m->postponed = false;
    m->at = 0;
    m->skips = 0;
    m->walk_ns = plat_now() + LATER_NS;
    return OK;
}

bool logical_migrate_must_clear(const struct logical *l)
{
    return l->migrate.left && plat_now() >= l->migrate.due_ns;
}

uint64_t logical_migrate_due(const struct logical *l)
{
    const struct migrate *m = &l->migrate;
    if (m->left || l->core.moving != OID_NONE || m->queued > 0)
        return m->due_ns;
    return !m->walk ? PLAT_FOREVER : m->due_ns > m->walk_ns ? m->due_ns : m->walk_ns;
}

enum err logical_migrate_work(struct logical *l)
{
    struct migrate *m = &l->migrate;
    if (m->pages == NULL)
        m->pages = plat_alloc((size_t)MEND_BLOCKS * BLOCK_BYTES, TAG_PAGES);
    ASSERT(m->pages != NULL);
    if (m->left)
        return clear(l);
    if (l->core.moving != OID_NONE)
        return go_on(l);
    if (m->queued == 0)
        return look_on(l);
    uint64_t file = m->queue[0];
    dequeue(m);
    return begin(l, file);
}
