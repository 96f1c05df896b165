/*
 * Scrub: every copy and part of every object is read and verified once a period, so that rot is
 * found while there is something to mend it from. Objects are walked in the order of their ids,
 * round and round, so the one that was looked at longest ago is next.
 *
 * What a disk cannot give is made from the other slots and written there (read-repair's way).
 * Copies that are both good and differ: the higher birth wins; of the same birth neither is
 * believed more, it is reported and left.
 *
 * Metadata that a physical has not in memory it reads, and verifies, on the way to the blocks;
 * those that it has it is asked to compare with its disk.
 */
#include "logical.h"

#include "assertion.h"
#include "mem.h"

/* ---- One range of one slot ------------------------------------------------------------------- */

static enum err mend_block(struct logical *l, const struct entry *entry, uint32_t slot,
                           uint64_t block)
{
    struct object_block_meta good;
    uint32_t disk = entry->disk[slot];
    enum err e = logical_slot_read(l, entry, slot, block, 1, l->mend, &good);
    if (e != OK || good.status != OK || !logical_entry_whole(l, entry, slot))
        return e; /* no other has it: whoever reads it is told */
    if ((good.flags & 1) != 0)
        return OK; /* a hole elsewhere: nothing to mend it with */
    e = logical_write_repair(l, disk, entry->oid, block, l->mend, good.crc);
    l->scrub.mended += e == OK;
    if (e == E_DEAD)
        e = logical_disk_drop(l, disk);
    return e == E_SESSION ? e : OK;
}

/* The way to the blocks is bad: the whole copy is made anew. */
static enum err mend_object(struct logical *l, const struct entry *entry, uint32_t slot)
{
    uint32_t others = logical_entry_disks(l, entry) & ~(1u << entry->disk[slot]);
    uint32_t good = 0;
    if (others == 0)
        return OK;
    while ((others >> good & 1) == 0)
        good++;
    enum err e = logical_objects_mend(l, entry, entry->disk[slot], good);
    l->scrub.mended += e == OK;
    return e == E_SESSION ? e : OK;
}

/* Blocks that the slot's disk did not give well. */
static enum err mend_bad(struct logical *l, const struct entry *entry, uint32_t slot,
                         uint64_t first, uint32_t count, const struct object_block_meta *metas)
{
    for (uint32_t i = 0; i < count && logical_entry_whole(l, entry, slot); i++) {
        enum err why = (enum err)metas[i].status;
        if (why == OK)
            continue;
        bool way = (why == E_CORRUPT || why == E_NOENT || why == E_MEDIA) && metas[i].birth == 0;
        enum err e = way ? mend_object(l, entry, slot) : mend_block(l, entry, slot, first + i);
        if (e != OK || way)
            return e;
    }
    return OK;
}

/* Mirrors that are both good must be equal. */
static enum err compare(struct logical *l, const struct entry *entry, uint32_t a, uint32_t b,
                        uint64_t first, uint32_t count,
                        struct object_block_meta metas[DISKS_MAX][MEND_BLOCKS])
{
    for (uint32_t i = 0; i < count; i++) {
        const struct object_block_meta *x = &metas[a][i], *y = &metas[b][i];
        if (x->status != OK || y->status != OK || x->crc == y->crc)
            continue;
        plat_report(REPORT_DETECTED, (uint64_t)-E_CORRUPT, entry->oid);
        if (x->birth == y->birth)
            continue;
        uint32_t newer = x->birth > y->birth ? a : b;
        struct object_block_meta meta;
        enum err e =
            logical_read_copy(l, entry->disk[newer], entry->oid, first + i, l->mend, &meta);
        if (e == OK && meta.status == OK)
            e = logical_write_repair(l, entry->disk[newer == a ? b : a], entry->oid, first + i,
                                     l->mend, meta.crc);
        if (e == E_SESSION)
            return e;
    }
    return OK;
}

/* Blocks [first, first + count) of all slots. */
static enum err verify(struct logical *l, const struct entry *entry, uint64_t first, uint32_t count)
{
    struct object_block_meta metas[DISKS_MAX][MEND_BLOCKS];
    uint32_t read = 0;
    for (uint32_t k = 0; k < entry->count; k++) {
        if (!logical_entry_whole(l, entry, k))
            continue;
        enum err e =
            logical_slot_verify(l, entry->disk[k], entry->oid, first, count, l->mend, metas[k]);
        if (e == OK)
            e = mend_bad(l, entry, k, first, count, metas[k]);
        if (e != OK)
            return e;
        read |= 1u << k;
        l->scrub.blocks += count;
    }
    uint32_t one = 0;
    while (entry->level == 1 && one < entry->count && (read >> one & 1) == 0)
        one++;
    for (uint32_t k = one + 1; entry->level == 1 && k < entry->count; k++) {
        enum err e = (read >> k & 1) == 0 ? OK : compare(l, entry, one, k, first, count, metas);
        if (e != OK)
            return e;
    }
    return OK;
}

/* ---- Walking --------------------------------------------------------------------------------- */

/* The mapping is in no mapping: it is on every member. */
static enum err get_entry(struct logical *l, uint64_t oid, struct entry *entry)
{
    if (oid != OID_MAPPING)
        return logical_mapping_find(l, oid, entry);
    *entry = (struct entry){.oid = oid, .level = 1, .flags = OBJECT_META};
    for (uint32_t k = 0; k < DISKS_MAX; k++) {
        if ((l->core.members >> k & 1) == 0)
            continue;
        entry->disk[entry->count] = (uint8_t)k;
        entry->generation[entry->count++] = l->core.generation[k];
    }
    return OK;
}

static void end_pass(struct logical *l)
{
    struct scrub *s = &l->scrub;
    uint64_t now = plat_now();
    plat_report(REPORT_SCRUBBED, s->blocks, s->mended);
    if (s->mended > 0)
        logical_background_ask(l);
    *s = (struct scrub){.next_pass_ns = s->began_ns + l->options.scrub_ns};
    if (s->next_pass_ns < now)
        s->next_pass_ns = now;
}

/* The next object and how far it reaches, into s; the end of the pass if there is none. */
static enum err next_object(struct logical *l)
{
    struct scrub *s = &l->scrub;
    for (uint32_t looks = 0; looks < WALK_LOOKS; looks++) {
        struct entry entry;
        struct object_reply known;
        uint64_t oid = 0;
        enum err e = logical_walk_next(l, l->core.members, s->oid + 1, &oid);
        if (e == E_AGAIN) { /* a leaf that no disk can read: past it */
            s->oid = (s->oid + 1) / WALK_LEAF_OBJECTS * WALK_LEAF_OBJECTS + WALK_LEAF_OBJECTS - 1;
            if (++s->skips < WALK_SKIPS_MAX)
                continue;
            e = E_NOENT;
        }
        if (e == E_NOENT) {
            s->metadata = true;
            return OK;
        }
        if (e != OK)
            return e;
        s->oid = oid;
        s->skips = 0;
        s->next = 0;
        s->end = 0;
        e = get_entry(l, oid, &entry);
        if (e == OK)
            e = logical_walk_attributes(l, &entry, &known, &s->end);
        if (e == E_SESSION)
            return e;
        if (s->end > 0)
            return OK;
    }
    return OK;
}

/* Metadata that a physical has in memory: what is wrong on the disk it rewrites itself. */
static enum err verify_metadata(struct logical *l)
{
    struct scrub *s = &l->scrub;
    while (s->disk < DISKS_MAX && (l->core.members >> s->disk & 1) == 0)
        s->disk++;
    if (s->disk == DISKS_MAX) {
        end_pass(l);
        return OK;
    }
    struct call call = {.disk = s->disk, .request = {.op = OBJECT_VERIFY, .offset = s->at}};
    enum err e = logical_calls_one(l, &call);
    if (e != OK)
        return e;
    s->at = call.status == OK ? call.reply.size : 0;
    if (s->at == 0)
        s->disk++;
    if (call.status == E_DEAD)
        return logical_disk_drop(l, call.disk);
    s->blocks += call.status == OK ? call.reply.blocks : 0;
    s->mended += call.status == OK ? call.reply.moved : 0;
    return OK;
}

uint64_t logical_scrub_due(const struct logical *l)
{
    return l->options.scrub_ns == 0 ? PLAT_FOREVER : l->scrub.next_pass_ns;
}

enum err logical_scrub_work(struct logical *l)
{
    struct scrub *s = &l->scrub;
    struct entry entry;
    ASSERT(l->options.scrub_ns > 0);
    if (s->began_ns == 0)
        s->began_ns = plat_now();
    if (s->next >= s->end && s->metadata)
        return verify_metadata(l);
    if (s->next >= s->end)
        return next_object(l);
    uint64_t left = s->end - s->next;
    uint32_t count = left < MEND_BLOCKS ? (uint32_t)left : MEND_BLOCKS;
    enum err e = get_entry(l, s->oid, &entry);
    if (e == OK)
        e = verify(l, &entry, s->next, count);
    s->next += count;
    return e == E_SESSION ? e : OK;
}
