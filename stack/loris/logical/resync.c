/*
 * Data resynchronisation (R1 to R5). Blocks named by intents above the checkpoint may
 * differ from its checksums. Each of their copies is read: it is whole if its content has the
 * checksum of the checkpoint (version 0) or of an intent (version: the lsn). The highest version
 * wins, its checksum is adopted, and copies that differ are overwritten, intent first. A block
 * without a whole copy is marked lost: nobody guesses, and no checksum is ever recomputed.
 *
 * Intents that do not fit into memory at once are worked off in several passes over their blocks.
 */
#include "logical.h"

#include "assertion.h"
#include "mem.h"
#include "planted.h"
#include "proto.h"

#define ITEMS_MAX 16384u
#define MIRRORED 255u /* in the place of a disk: the block is the same on all of them */
#define PASSES_MAX 64u

struct intent_item {
    uint64_t oid, block, lsn;
    uint32_t crc, where; /* disk or MIRRORED */
};

struct resync {
    uint32_t items, pass, passes, found, rewritten;
    bool quiet, overflow;
};

/* ---- Gathering ------------------------------------------------------------------------------- */

static bool before(const struct intent_item *a, const struct intent_item *b)
{
    if (a->oid != b->oid)
        return a->oid < b->oid;
    if (a->where != b->where)
        return a->where < b->where;
    if (a->block != b->block)
        return a->block < b->block;
    return a->lsn < b->lsn;
}

static void sort_items(struct intent_item *items, uint32_t count)
{
    for (uint32_t gap = count / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11)
        for (uint32_t i = gap; i < count; i++) {
            struct intent_item item = items[i];
            uint32_t j = i;
            for (; j >= gap && before(&item, &items[j - gap]); j -= gap)
                items[j] = items[j - gap];
            items[j] = item;
        }
}

static enum err keep_intent(struct logical *l, struct resync *r, uint32_t disk,
                            const struct object_intent *intent)
{
    struct entry entry;
    if (intent->lsn > l->core.highest_lsn)
        l->core.highest_lsn = intent->lsn;
    if ((intent->oid * 31 + intent->block) % r->passes != r->pass)
        return OK;
    enum err e = logical_mapping_find(l, intent->oid, &entry);
    if (e != OK || entry.file == OID_NONE)
        return e == E_SESSION ? e : OK; /* of no object of the checkpoint, or one that goes */
    if (l->items == NULL) {             /* most restores find no intent */
        l->items = plat_alloc(ITEMS_MAX * sizeof(l->items[0]), TAG_HEAP);
        ASSERT(l->items != NULL);
    }
    if (r->items == ITEMS_MAX) {
        r->overflow = true;
        return OK;
    }
    l->items[r->items++] = (struct intent_item){.oid = intent->oid,
                                                .block = intent->block,
                                                .lsn = intent->lsn,
                                                .crc = intent->crc,
                                                .where = entry.level == 1 ? MIRRORED : disk};
    return OK;
}

/* One answer's worth of a disk's intents, from *at on; *at = 0: that was all. */
static enum err gather_part(struct logical *l, struct resync *r, uint32_t disk, uint64_t *at)
{
    size_t room = (size_t)OBJECT_BATCH_MAX_BLOCKS * BLOCK_BYTES;
    struct call call = {.disk = disk,
                        .request = {.op = OBJECT_INTENTS, .offset = *at, .length = room}};
    call.request.grant_data = proto_grant(l->endpoint[disk], l->data, room, PLAT_GRANT_WRITE);
    enum err e = logical_calls_one(l, &call);
    plat_revoke(call.request.grant_data);
    if (e == OK && call.status != OK)
        e = logical_disk_failed(call.status) ? logical_disk_drop(l, disk) : call.status;
    else if (e == OK)
        *at = call.reply.size;
    if (e != OK || call.status != OK) {
        *at = 0;
        return e;
    }
    uint32_t count = call.reply.moved / OBJECT_INTENT_BYTES;
    for (uint32_t i = 0; i < count && i < room / OBJECT_INTENT_BYTES && e == OK; i++) {
        struct object_intent intent;
        object_intent_decode(&intent, l->data + (size_t)i * OBJECT_INTENT_BYTES);
        e = keep_intent(l, r, disk, &intent);
    }
    return e;
}

static enum err gather(struct logical *l, struct resync *r)
{
    r->items = 0;
    r->overflow = false;
    for (uint32_t k = 0; k < DISKS_MAX; k++) {
        uint64_t at = 0;
        if ((l->core.members >> k & 1) == 0)
            continue;
        do {
            enum err e = gather_part(l, r, k, &at);
            if (e != OK)
                return e;
        } while (at != 0);
    }
    sort_items(l->items, r->items);
    return OK;
}

/* ---- Judging one block ----------------------------------------------------------------------- */

struct copy {
    uint32_t disk, crc, tree_crc;
    uint64_t version;
    bool whole;
};

static void judge(struct copy *copy, const struct object_block_meta *meta,
                  const struct intent_item *items, uint32_t count)
{
    copy->tree_crc = meta->crc;
    copy->whole = meta->status == OK;
    copy->version = 0;
    if (meta->status != OK && meta->status != E_CORRUPT)
        return; /* no content came */
    for (uint32_t i = 0; i < count; i++)
        if (items[i].crc == copy->crc) {
            copy->whole = true;
            copy->version = items[i].lsn; /* sorted: the highest stays */
        }
    if (PLANTED(PLANTED_RESYNC_REGION)) {
        copy->whole = true;
        copy->version = items[count - 1].lsn;
    }
}

static enum err read_copies(struct logical *l, const struct intent_item *items, uint32_t count,
                            uint32_t mask, struct copy copies[DISKS_MAX], uint32_t *found)
{
    *found = 0;
    for (uint32_t k = 0; k < DISKS_MAX; k++) {
        struct object_block_meta meta;
        if ((mask >> k & 1) == 0)
            continue;
        struct copy *copy = &copies[*found];
        uint8_t *page = l->copies + (size_t)(*found)++ * BLOCK_BYTES;
        enum err e = logical_read_copy(l, k, items[0].oid, items[0].block, page, &meta);
        if (e != OK)
            return e;
        *copy = (struct copy){.disk = k, .crc = plat_crc32c(page, BLOCK_BYTES)};
        judge(copy, &meta, items, count);
    }
    return OK;
}

/* ---- Writing what was decided ---------------------------------------------------------------- */

static enum err send(struct logical *l, struct resync *r)
{
    struct batch *b = &l->batch;
    if (b->count == 0)
        return OK;
    enum err e = logical_write_phase(l, b->mask);
    for (uint32_t i = 0; i < b->count && e == OK; i++)
        if (b->failed[i] != 0 || b->status[i] != OK)
            plat_report(REPORT_DETECTED, (uint64_t)-E_CORRUPT, b->entry[i].oid);
    r->rewritten += b->count;
    *b = (struct batch){.flags = OBJECT_REPLAY};
    return e;
}

/* Puts the block into the batch: `best` to all copies that are not it, or the mark of a loss. */
static void decide(struct logical *l, const struct resync *r, const struct intent_item *item,
                   const struct copy *copies, uint32_t found, uint32_t best)
{
    struct batch *b = &l->batch;
    uint32_t i = b->count;
    uint32_t mask = 0;
    for (uint32_t k = 0; k < found; k++) {
        const struct copy *c = &copies[k];
        if (best == found || !c->whole || c->crc != copies[best].crc ||
            c->tree_crc != copies[best].crc)
            mask |= 1u << c->disk;
    }
    if (mask == 0)
        return;
    b->entry[i] =
        (struct object_write_entry){.oid = item->oid, .block = item->block, .flags = OBJECT_REPAIR};
    b->local[i] = item->block;
    b->mask[i] = mask;
    b->count++;
    if (best == found) {
        b->entry[i].flags |= OBJECT_LOST_BLOCKS;
        b->entry[i].lsn = item->lsn;
        b->page[i] = l->copies; /* not looked at */
        if (!r->quiet)
            plat_report(REPORT_LOST, item->oid, item->block);
        return;
    }
    uint8_t *page = l->data + (size_t)i * BLOCK_BYTES;
    plat_copy(page, l->copies + (size_t)best * BLOCK_BYTES, BLOCK_BYTES);
    b->page[i] = page;
    b->entry[i].crc = copies[best].crc;
    b->entry[i].lsn = copies[best].version;
}

/* All intents of one block. */
static enum err resolve(struct logical *l, struct resync *r, const struct intent_item *items,
                        uint32_t count)
{
    struct copy copies[DISKS_MAX];
    struct entry entry;
    uint32_t found;
    enum err e = logical_mapping_find(l, items[0].oid, &entry);
    if (e != OK)
        return e;
    uint32_t mask = logical_entry_disks(l, &entry);
    if (items[0].where != MIRRORED)
        mask &= 1u << items[0].where;
    e = read_copies(l, items, count, mask, copies, &found);
    if (e != OK)
        return e;
    uint32_t best = found;
    for (uint32_t k = 0; k < found; k++)
        if (copies[k].whole && (best == found || copies[k].version > copies[best].version))
            best = k;
    r->found++;
    decide(l, r, &items[count - 1], copies, found, best);
    plat_probe(PROBE_RESYNC_BLOCK);
    return l->batch.count == OBJECT_BATCH_MAX_BLOCKS ? send(l, r) : OK;
}

static enum err resolve_all(struct logical *l, struct resync *r)
{
    l->batch = (struct batch){.flags = OBJECT_REPLAY};
    for (uint32_t i = 0; i < r->items;) {
        const struct intent_item *first = &l->items[i];
        uint32_t count = 1;
        while (i + count < r->items && first[count].oid == first->oid &&
               first[count].where == first->where && first[count].block == first->block)
            count++;
        enum err e = resolve(l, r, first, count);
        if (e != OK)
            return e;
        i += count;
    }
    return send(l, r);
}

enum err logical_resync_run(struct logical *l, bool quiet, uint32_t *found)
{
    struct resync r = {.passes = 1, .quiet = quiet};
    *found = 0;
    while (r.pass < r.passes) {
        enum err e = gather(l, &r);
        if (e == OK &&
            r.overflow) { /* from the start in smaller parts: doing it twice is harmless */
            r.pass = 0;
            r.passes *= 2;
            if (r.passes > PASSES_MAX)
                return E_FULL;
            continue;
        }
        if (e == OK)
            e = resolve_all(l, &r);
        if (e != OK)
            return e;
        r.pass++;
    }
    *found = r.found;
    if (r.found > 0)
        plat_report(REPORT_RESYNC, r.found, r.rewritten);
    plat_probe(PROBE_RESYNC_DONE);
    return OK;
}
