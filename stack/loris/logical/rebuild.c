/*
 * Making a new disk whole while applications run: every object that has a slot on a disk which left
 * gets that slot made anew on the disk that is REBUILDING.
 *
 * Order: the mapping (members.c), META objects, then the rest; then what the new disk has of
 * objects that are not its is removed; then the next root lists it as whole, and when that is
 * released redundancy is.
 *
 * There is no cursor of its own: an entry of the mapping names the new disk when, and only when,
 * its slot is whole there. Mapping and copies are in one checkpoint, so a rollback undoes both
 * together, and whoever goes on finds what is left to do by looking. The object in work is begun
 * anew.
 *
 * While an object is being copied (filling) its entry has the new disk as a sink: writes go to all.
 * A null pointer there counts as lost until the copy is complete, so nothing ever reads a hole that
 * is none.
 *
 * It goes on in steps of MEND_BLOCKS blocks (background.c says when).
 */
#include "logical.h"

#include "assertion.h"
#include "mem.h"
#include "planted.h"

#define PUSHES_MAX 8u                     /* checkpoints asked for space before it is given up */
#define ASK_AGAIN_NS UINT64_C(1000000000) /* assumption: a checkpoint takes less */

/* ---- State ----------------------------------------------------------------------------------- */

void logical_rebuild_reset(struct logical *l)
{
    l->rebuild = (struct rebuild){.phase = REBUILD_IDLE};
    l->delta.epoch = 0; /* what was kept of it is not known any more */
}

void logical_rebuild_disk_left(struct logical *l, uint32_t disk)
{
    if (l->rebuild.phase != REBUILD_IDLE && l->rebuild.disk == disk)
        l->rebuild = (struct rebuild){.phase = REBUILD_IDLE};
}

void logical_rebuild_prepare(struct logical *l)
{
    const struct rebuild *r = &l->rebuild;
    if (r->phase != REBUILD_DONE || (l->core.listed >> r->disk & 1) == 0)
        return; /* G8: the first root that lists it says that it is REBUILDING */
    l->core.whole = 1u << r->disk;
    l->core.refilled = r->remained ? 0 : r->replaced;
}

void logical_rebuild_release(struct logical *l)
{
    struct core *core = &l->core;
    core->listed = core->prepared_list;
    if (core->whole == 0)
        return;
    core->rebuilding &= ~core->whole;
    core->vacant &= ~core->refilled;
    core->whole = core->refilled = 0;
    plat_report(REPORT_REBUILT, l->rebuild.disk, 0);
    l->rebuild = (struct rebuild){.phase = REBUILD_IDLE};
    logical_members_tell(l);
}

/* ---- One disk -------------------------------------------------------------------------------- */

static enum err call_disk(struct logical *l, uint32_t disk, const struct object_request *request,
                          struct object_reply *reply)
{
    struct call call = {.disk = disk, .request = *request};
    enum err e = logical_calls_one(l, &call);
    *reply = call.reply;
    return e == OK ? call.status : e;
}

/* The new disk does not take what it must: it leaves again. */
static enum err give_up(struct logical *l, enum err why)
{
    uint32_t disk = l->rebuild.disk;
    plat_report(REPORT_DETECTED, (uint64_t) - (int)why, disk);
    l->unfit |= 1u << disk;
    return logical_disk_drop(l, disk);
}

/* What a refusal of the new disk means. OK: it may be tried again. */
static enum err refused(struct logical *l, enum err e)
{
    if (e == OK || e == E_SESSION)
        return e;
    if (e != E_AGAIN || l->rebuild.pushes++ >= PUSHES_MAX)
        return give_up(l, e);
    logical_background_ask(l);
    l->due_ns = plat_now() + ASK_AGAIN_NS;
    return OK;
}

/* ---- One object ------------------------------------------------------------------------------ */

/* Whether the whole slots say what the others held: one mirror, or all but as many as there are
 * parities. Else nothing is made: what is left of such an object says that it is lost. */
static bool is_enough(const struct logical *l, const struct entry *entry)
{
    uint32_t whole = 0;
    for (uint32_t k = 0; k < entry->count; k++)
        whole += logical_entry_whole(l, entry, k);
    return whole + logical_place_spares(entry) >= entry->count;
}

/* The slot that the new disk is to take, entry->count: none. Its own one, if it had one: there its
 * old copy is of use, and else the entry would name it twice. */
static uint32_t slot_to_fill(struct logical *l, const struct entry *entry)
{
    struct rebuild *r = &l->rebuild;
    uint32_t bit = 1u << r->disk, to_fill = entry->count;
    bool has_one = (logical_entry_disks(l, entry) & bit) != 0;
    for (uint32_t k = 0; k < entry->count; k++) {
        uint32_t old = 1u << entry->disk[k];
        if (logical_entry_whole(l, entry, k) || (old & (r->replaced | bit)) == 0)
            continue;
        if (has_one || to_fill < entry->count)
            r->remained = true; /* it takes one slot of an object: the rest is the next one's */
        if (!has_one && (to_fill == entry->count || old == bit))
            to_fill = k;
    }
    return to_fill;
}

/* Whether the new disk has the object as it was when it left, and how far it reaches there. */
static enum err has_old_copy(struct logical *l, const struct entry *entry, uint32_t slot,
                             uint64_t *end)
{
    const struct delta *d = &l->delta;
    struct object_reply reply;
    struct object_request request = {.op = OBJECT_GETATTR, .oid = entry->oid};
    if (d->epoch == 0 || d->disk != l->rebuild.disk || entry->level == 0 ||
        entry->disk[slot] != d->disk || entry->generation[slot] != d->generation)
        return E_NOENT;
    for (uint32_t k = 0; k < d->doubted; k++)
        if (d->doubt[k] == entry->oid)
            return E_NOENT;
    enum err e = call_disk(l, d->disk, &request, &reply);
    if (e == OK && reply.flags != entry->flags)
        return E_NOENT; /* another object had that number */
    if (e == OK && reply.epoch > *end)
        *end = reply.epoch;
    return e;
}

/* An empty copy whose holes count as lost until it is complete. */
static enum err make_anew(struct logical *l, uint64_t oid, const struct object_reply *whole)
{
    struct object_reply reply;
    struct object_request request = {.op = OBJECT_CREATE,
                                     .oid = oid,
                                     .flags = whole->flags | OBJECT_REPAIR,
                                     .size = whole->size,
                                     .lsn = whole->lsn};
    memcpy(request.attr, whole->attr, OBJECT_ATTR_BYTES);
    enum err e = call_disk(l, l->rebuild.disk, &request, &reply);
    request.op = OBJECT_TRUNCATE;
    request.flags = 0;
    return e == OK ? call_disk(l, l->rebuild.disk, &request, &reply) : e;
}

static enum err begin_object(struct logical *l, const struct entry *entry, uint32_t slot)
{
    struct rebuild *r = &l->rebuild;
    struct object_reply whole;
    uint64_t end;
    enum err e = logical_walk_attributes(l, entry, &whole, &end);
    if (e == E_SESSION)
        return e;
    if (e != OK) { /* nothing is left of it, or too little to make a slot from */
        plat_report(REPORT_DETECTED, (uint64_t) - (int)e, entry->oid);
        return OK;
    }
    e = has_old_copy(l, entry, slot, &end);
    r->compares = e == OK;
    if (e != OK && e != E_SESSION)
        e = make_anew(l, entry->oid, &whole);
    if (e != OK) {
        r->at = entry->oid; /* again */
        return refused(l, e);
    }
    r->filling = true;
    r->oid = entry->oid;
    r->slot = slot;
    r->next = 0;
    r->end = end;
    return OK;
}

/* The copy is complete: from now on its entry names the new disk. */
static enum err finish_object(struct logical *l, struct entry *entry)
{
    struct rebuild *r = &l->rebuild;
    struct object_reply whole, reply;
    uint64_t end;
    enum err e = logical_walk_attributes(l, entry, &whole, &end);
    if (e == E_NOENT)
        r->filling = false;     /* it was lost meanwhile */
    if (e != OK && e != E_LOST) /* how far it reaches was known when it was begun */
        return e == E_NOENT ? OK : e;
    struct object_request request = {.op = OBJECT_SETATTR,
                                     .oid = entry->oid,
                                     .flags = OBJECT_REPAIR,
                                     .size = whole.size,
                                     .lsn = whole.lsn};
    memcpy(request.attr, whole.attr, OBJECT_ATTR_BYTES);
    e = call_disk(l, r->disk, &request, &reply);
    if (e != OK)
        return refused(l, e);
    r->filling = false;
    r->pushes = 0;
    r->steps++;
    entry->filling = 0;
    entry->generation[r->slot] = l->core.generation[r->disk];
    ASSERT(entry->disk[r->slot] == r->disk);
    plat_probe(PROBE_REBUILD_OBJECT);
    return logical_mapping_put(l, entry);
}

/* A block that the new disk has as the others have it. */
static bool is_same(const struct logical *l, const struct object_block_meta *good,
                    const struct object_block_meta *own)
{
    if (good->status != OK || own->status != OK || (good->flags & 1) != (own->flags & 1))
        return false;
    return (good->flags & 1) != 0 ||
           (good->crc == own->crc && good->birth <= (uint32_t)l->delta.epoch);
}

/* Of the blocks of a range: bits of those that are there, and have not changed since the disk left;
 * of those that are holes, which do not say since when. */
struct part_blocks {
    uint32_t unchanged, holes;
};

static void narrow(const struct logical *l, const struct object_block_meta *metas, uint32_t count,
                   struct part_blocks *blocks)
{
    for (uint32_t i = 0; i < count; i++) {
        bool hole = metas[i].status == OK && (metas[i].flags & 1) != 0;
        bool old = metas[i].status == OK && metas[i].birth <= (uint32_t)l->delta.epoch;
        blocks->holes &= hole ? UINT32_MAX : ~(1u << i);
        blocks->unchanged &= old && !hole ? UINT32_MAX : ~(1u << i);
    }
}

/*
 * The same for a part of an object with parity, which no other is like: a block of it is what it
 * was if all others of its row are, since whatever changes a row changes another block of it too.
 */
static enum err compare_rows(struct logical *l, const struct entry *entry, uint64_t first,
                             uint32_t count, uint32_t *same)
{
    const struct rebuild *r = &l->rebuild;
    struct object_block_meta metas[MEND_BLOCKS];
    struct part_blocks all = {.unchanged = count == 32 ? UINT32_MAX : (1u << count) - 1};
    all.holes = all.unchanged;
    *same = 0;
    for (uint32_t k = 0; k < entry->count; k++) {
        uint32_t disk = k == r->slot ? r->disk : entry->disk[k];
        if (k != r->slot && !logical_entry_whole(l, entry, k))
            return OK;
        enum err e = logical_slot_look(l, disk, entry->oid, first, count, metas);
        if (e != OK || !r->filling)
            return e;
        narrow(l, metas, count, &all);
    }
    *same = all.unchanged | all.holes;
    return OK;
}

/*
 * Which blocks of a range the new disk has already: bit i of *same. A hole that it has not cannot
 * be made: then the whole copy is.
 */
static enum err compare(struct logical *l, const struct entry *entry, uint64_t first,
                        uint32_t count, uint32_t *same)
{
    if (logical_has_parity(entry))
        return compare_rows(l, entry, first, count, same);
    struct rebuild *r = &l->rebuild;
    struct object_block_meta good[MEND_BLOCKS], own[MEND_BLOCKS];
    uint32_t source = 0;
    *same = 0;
    while ((logical_entry_safe(l, entry) >> source & 1) == 0)
        if (++source == DISKS_MAX)
            return OK;
    enum err e = logical_slot_look(l, source, entry->oid, first, count, good);
    if (e == OK)
        e = logical_slot_look(l, r->disk, entry->oid, first, count, own);
    for (uint32_t i = 0; i < count && e == OK && r->filling; i++) {
        *same |= is_same(l, &good[i], &own[i]) ? 1u << i : 0;
        if (good[i].status == OK && (good[i].flags & 1) != 0 && (*same >> i & 1) == 0)
            r->compares = false;
    }
    return e;
}

/* From a comparison to a copy of everything. */
static enum err begin_anew(struct logical *l, const struct entry *entry)
{
    struct rebuild *r = &l->rebuild;
    struct object_reply whole;
    enum err e = logical_walk_attributes(l, entry, &whole, &r->end);
    if (e == E_NOENT || e == E_LOST) {
        r->filling = false; /* it was lost meanwhile */
        return OK;
    }
    if (e != OK)
        return e;
    e = make_anew(l, entry->oid, &whole);
    r->next = 0;
    return refused(l, e);
}

static enum err fill(struct logical *l)
{
    struct rebuild *r = &l->rebuild;
    struct object_block_meta metas[MEND_BLOCKS];
    struct entry entry;
    uint64_t left = r->end - r->next;
    uint32_t count = left < MEND_BLOCKS ? (uint32_t)left : MEND_BLOCKS;
    enum err e = logical_mapping_find(l, r->oid, &entry);
    if (e != OK || !is_enough(l, &entry)) { /* it was removed meanwhile, here too; or lost */
        r->filling = false;
        return e == E_SESSION ? e : OK;
    }
    if (count == 0)
        return finish_object(l, &entry);
    uint32_t same = 0;
    if (r->compares) {
        e = compare(l, &entry, r->next, count, &same);
        if (e != OK || !r->filling)
            return e;
        if (!r->compares)
            return begin_anew(l, &entry);
    }
    if (same == (count == 32 ? UINT32_MAX : (1u << count) - 1)) {
        r->next += count;
        return OK;
    }
    e = logical_slot_read(l, &entry, r->slot, r->next, count, l->mend, metas);
    if (e != OK || !r->filling)
        return e;
    if (!is_enough(l, &entry))
        return OK; /* a disk has left: the next step gives the object up */
    for (uint32_t i = 0; i < count && r->compares; i++)
        if (metas[i].status == OK && (metas[i].flags & 1) != 0 && (same >> i & 1) == 0) {
            r->compares = false; /* a hole that may be none on the disk: it cannot be made */
            return begin_anew(l, &entry);
        }
    for (uint32_t i = 0; i < count; i++) {
        if (metas[i].status == E_DEAD) { /* the last disk that has it, and it may come back */
            l->due_ns = plat_now() + ASK_AGAIN_NS;
            return OK;
        }
        if (PLANTED(PLANTED_LOST_BLOCK_COPIED) && metas[i].status != OK)
            metas[i] = (struct object_block_meta){
                .status = OK, .crc = plat_crc32c(l->mend + (size_t)i * BLOCK_BYTES, BLOCK_BYTES)};
        if (metas[i].status != OK && metas[i].status != E_LOST)
            plat_report(REPORT_LOST, r->oid, r->next + i);
    }
    for (uint32_t i = 0; i < count; i++)
        if ((same >> i & 1) != 0)
            metas[i] = (struct object_block_meta){.status = OK, .flags = 1}; /* left as it is */
    e = logical_slot_write(l, r->disk, r->oid, r->next, count, l->mend, metas);
    if (e != OK)
        return refused(l, e);
    r->next += count;
    r->steps++;
    plat_probe(PROBE_REBUILD_BLOCKS);
    return OK;
}

/* ---- Walking --------------------------------------------------------------------------------- */

/* The next object that a disk of `mask` has. E_NOENT: there is none; E_AGAIN: r->at has passed what
 * no disk can read. */
static enum err next_object(struct logical *l, uint32_t mask, uint64_t *oid)
{
    struct rebuild *r = &l->rebuild;
    enum err e = logical_walk_next(l, mask, r->at, oid);
    if (e != E_AGAIN)
        return e;
    r->at = (r->at / WALK_LEAF_OBJECTS + 1) * WALK_LEAF_OBJECTS;
    return ++r->skips < WALK_SKIPS_MAX ? E_AGAIN : E_NOENT;
}

static void next_phase(struct logical *l)
{
    struct rebuild *r = &l->rebuild;
    r->phase++;
    r->at = OID_MAPPING + 1;
    r->skips = 0;
}

/* Goes on to the next object that has a slot to fill. */
static enum err look_on(struct logical *l)
{
    struct rebuild *r = &l->rebuild;
    for (uint32_t looks = 0; looks < WALK_LOOKS && r->phase != REBUILD_IDLE && !r->filling;
         looks++) {
        struct entry entry;
        uint64_t oid = 0;
        enum err e = next_object(l, l->core.members & ~l->core.rebuilding, &oid);
        if (e == E_NOENT) {
            next_phase(l);
            return OK;
        }
        if (e == E_AGAIN)
            continue;
        if (e != OK)
            return e;
        r->at = oid + 1;
        r->skips = 0;
        e = logical_mapping_find(l, oid, &entry);
        if (e == E_SESSION)
            return e;
        bool meta = (entry.flags & OBJECT_META) != 0;
        if (e != OK || meta != (r->phase == REBUILD_META) || !is_enough(l, &entry))
            continue;
        uint32_t slot = slot_to_fill(l, &entry);
        if (slot < entry.count)
            return begin_object(l, &entry, slot);
    }
    return OK;
}

/* Removes what the new disk has of objects that are not its: a copy begun before a rollback. */
static enum err sweep(struct logical *l)
{
    struct rebuild *r = &l->rebuild;
    for (uint32_t looks = 0; looks < WALK_LOOKS && r->phase == REBUILD_SWEEP; looks++) {
        struct entry entry;
        struct object_reply reply;
        uint64_t oid = 0;
        enum err e = next_object(l, 1u << r->disk, &oid);
        if (e == E_NOENT) {
            next_phase(l);
            return OK;
        }
        if (e == E_AGAIN)
            continue;
        if (e != OK || r->phase != REBUILD_SWEEP)
            return e;
        r->at = oid + 1;
        e = oid == OID_MAPPING ? E_INVAL : logical_mapping_find(l, oid, &entry);
        bool foreign = e == E_NOENT;
        if (e == OK)
            foreign = (logical_entry_disks(l, &entry) >> r->disk & 1) == 0;
        if (e == E_SESSION)
            return e;
        if (!foreign)
            continue;
        struct object_request request = {
            .op = OBJECT_DELETE, .oid = oid, .flags = OBJECT_REPLAY, .lsn = l->core.highest_lsn};
        e = call_disk(l, r->disk, &request, &reply);
        if (e != OK)
            return refused(l, e);
    }
    return OK;
}

/* ---- The background -------------------------------------------------------------------------- */

static enum err begin(struct logical *l)
{
    struct rebuild *r = &l->rebuild;
    if (l->core.rebuilding == 0)
        return logical_members_join(l);
    *r = (struct rebuild){.phase = REBUILD_META, .at = OID_MAPPING + 1};
    r->replaced = l->core.vacant;
    while ((l->core.rebuilding >> r->disk & 1) == 0)
        r->disk++;
    return OK;
}

bool logical_rebuild_has_work(const struct logical *l)
{
    return l->core.rebuilding != 0 || logical_members_may_join(l);
}

enum err logical_rebuild_work(struct logical *l)
{
    struct rebuild *r = &l->rebuild;
    uint64_t now = plat_now();
    bool due = l->options.checkpoint_ns > 0 && now - l->asked_ns >= l->options.checkpoint_ns;
    if (r->phase == REBUILD_DONE) {
        logical_background_ask(l);
        l->due_ns = now + ASK_AGAIN_NS;
        return OK;
    }
    if (due) { /* what was copied becomes durable: a power cut does not begin it all anew */
        logical_background_ask(l);
        if (r->steps > 0)
            plat_report(REPORT_REBUILDING, r->disk, r->steps);
        r->steps = 0;
    }
    if (r->phase == REBUILD_IDLE)
        return begin(l);
    if (r->filling)
        return fill(l);
    return r->phase == REBUILD_SWEEP ? sweep(l) : look_on(l);
}
