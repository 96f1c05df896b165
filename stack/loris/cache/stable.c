/*
 * fsync=log: what was answered since the last group goes into the log on the disks, as one group of
 * segments with the pages it names, instead of a checkpoint.
 *
 * A group is everything committed since the one before, of all objects: so the state after a power
 * cut is one that the applications have seen, and what followed it is lost as a whole. Who asks
 * while nothing was committed since is answered at once: that is how syncs share a group.
 *
 * Invariants:
 *   (1) stable_open: the layers below stand at checkpoint `durable`, released in this life of all
 * of them, and hold groups of exactly the records [log_first, logged) on top of it; (2) while it is
 * false every sync joins a checkpoint. It becomes true by a release alone: after a restore groups
 * on the disks are still needed, by whoever goes back to their checkpoint; (3) records that the
 * next checkpoint does not hold, since they came after its freeze, are not logged when it is
 * released.
 *
 * What cannot be sent as it is (a page or record whose checksum is wrong, content known lost) is
 * left to the checkpoint, which knows how to say it.
 */
#include "cache.h"
#include "segment.h"

#include "proto.h"

_Static_assert((int)SEGMENT_CREATE == (int)RECORD_CREATE &&
                   (int)SEGMENT_DELETE == (int)RECORD_DELETE,
               "their numbers are on disks");
_Static_assert((int)SEGMENT_TRUNCATE == (int)RECORD_TRUNCATE &&
                   (int)SEGMENT_WRITE == (int)RECORD_WRITE &&
                   (int)SEGMENT_SETATTR == (int)RECORD_SETATTR && (int)RECORD_OPS == 7,
               "and each record but the commit has one");

#define LIST_BYTES ((size_t)SEGMENT_LIST_MAX * BLOCK_BYTES)

struct stable { /* the segment that is being filled; its lists and pages come next */
    uint8_t *list;
    uint8_t crc[OBJECT_BATCH_MAX_BLOCKS * OBJECT_LOG_CRC_BYTES];
    uint32_t page[OBJECT_BATCH_MAX_BLOCKS];
    uint32_t pages, items;
    bool dry;       /* only to count */
    uint64_t total; /* blocks of the group */
    uint64_t sent;  /* of them */
};

static uint32_t lists_for(uint32_t items)
{
    return (items + SEGMENT_ITEMS - 1) / SEGMENT_ITEMS;
}

static uint32_t segment_blocks(const struct stable *s)
{
    return lists_for(s->items) + s->pages;
}

void stable_init(struct cache *c)
{
    if (!c->options.fsync_log || !c->log_on)
        return;
    c->stable = plat_alloc(sizeof(*c->stable), TAG_HEAP);
    ASSERT(c->stable != NULL);
    c->stable->list = plat_alloc(LIST_BYTES, TAG_HEAP);
    ASSERT(c->stable->list != NULL);
}

void stable_released(struct cache *c)
{
    c->stable_open = c->stable != NULL;
    c->stable_next = 1;
    c->logged = PLANTED(PLANTED_GROUP_ASTRIDE) ? c->log_count : c->log_first;
}

/* ---- Filling segments ------------------------------------------------------------------------ */

/* Lists and checksums; what the grants give. */
static uint32_t finish_lists(struct cache *c, struct stable *s, struct plat_span *span)
{
    uint32_t lists = lists_for(s->items);
    for (uint32_t k = 0; k < lists; k++) {
        uint8_t *raw = s->list + (size_t)k * BLOCK_BYTES;
        uint32_t before = k * SEGMENT_ITEMS;
        uint32_t here = s->items - before < SEGMENT_ITEMS ? s->items - before : SEGMENT_ITEMS;
        segment_list_encode(raw, &(struct segment_list){.items = here, .blocks = lists});
        size_t used = SEGMENT_HEAD_BYTES + here * (size_t)SEGMENT_ITEM_BYTES;
        memset(raw + used, 0, BLOCK_BYTES - used);
        put_le32(s->crc + k * OBJECT_LOG_CRC_BYTES, plat_crc32c(raw, BLOCK_BYTES));
    }
    span[0] = (struct plat_span){.base = s->list, .bytes = (size_t)lists * BLOCK_BYTES};
    for (uint32_t k = 0; k < s->pages; k++) {
        span[k + 1] = (struct plat_span){.base = page_data(c, s->page[k]), .bytes = BLOCK_BYTES};
        put_le32(s->crc + (lists + k) * OBJECT_LOG_CRC_BYTES, c->mem.frame[s->page[k]].crc);
    }
    return s->pages + 1;
}

/* Sends what was filled in. OK, E_SESSION, or why a checkpoint has to do it. */
static enum err send_segment(struct cache *c, struct stable *s)
{
    uint32_t blocks = segment_blocks(s);
    s->sent += blocks + 1;
    if (s->dry) {
        s->total = s->sent;
        s->items = s->pages = 0;
        return OK;
    }
    struct plat_span span[OBJECT_BATCH_MAX_BLOCKS + 1];
    uint32_t spans = finish_lists(c, s, span);
    struct object_request r = {.op = OBJECT_LOG_WRITE,
                               .epoch = c->durable,
                               .lsn = c->stable_next++,
                               .length = (uint64_t)blocks * BLOCK_BYTES,
                               .size = s->total - s->sent};
    r.grant_data = proto_grant_spans(c->logical, span, spans, PLAT_GRANT_READ);
    r.grant_meta =
        proto_grant(c->logical, s->crc, (size_t)blocks * OBJECT_LOG_CRC_BYTES, PLAT_GRANT_READ);
    struct object_reply reply;
    enum err e = lower_call(c, &r, &reply);
    plat_revoke(r.grant_data);
    plat_revoke(r.grant_meta);
    s->items = s->pages = 0;
    return e;
}

/* Room for one more item, and its page if it has one. */
static enum err make_room(struct cache *c, struct stable *s, uint32_t pages)
{
    bool full = s->items == SEGMENT_LIST_MAX * SEGMENT_ITEMS ||
                lists_for(s->items + 1) + s->pages + pages > OBJECT_BATCH_MAX_BLOCKS;
    return full ? send_segment(c, s) : OK;
}

static void put_item(struct stable *s, const struct segment_item *item)
{
    if (!s->dry)
        segment_item_encode(s->list + (size_t)(s->items / SEGMENT_ITEMS) * BLOCK_BYTES +
                                SEGMENT_HEAD_BYTES +
                                (size_t)(s->items % SEGMENT_ITEMS) * SEGMENT_ITEM_BYTES,
                            item);
    s->items++;
}

/* E_CORRUPT: its content is not what was answered. */
static enum err check_page(struct cache *c, uint32_t page)
{
    if ((c->page[page].flags & (PAGE_LOST | PAGE_UNLOGGED)) != 0 || !page_sound(c, page))
        return E_CORRUPT;
    if (page_unsummed(c, page))
        page_sum(c, page);
    return OK;
}

/* The pages of one record that no later one has overwritten or cut off. One that damaged memory has
 * hidden is not missed here: a start finds a record without it and says E_LOST, nothing older. */
static enum err put_pages(struct cache *c, struct stable *s, const struct record *r)
{
    for (uint64_t block = r->a; block < r->a + r->b; block++) {
        uint32_t page = page_find(c, r->oid, block, 0);
        if (page == 0 || c->mem.frame[page].lsn != r->lsn)
            continue;
        enum err e = s->dry ? check_page(c, page) : OK;
        if (e == OK)
            e = make_room(c, s, 1);
        if (e != OK)
            return e;
        s->page[s->pages++] = page;
        bool hole = (c->page[page].flags & PAGE_HOLE) != 0;
        put_item(s, &(struct segment_item){.op = SEGMENT_PAGE,
                                           .flags = hole ? OBJECT_HOLE : 0,
                                           .lsn = r->lsn,
                                           .oid = r->oid,
                                           .a = block});
    }
    return OK;
}

static enum err put_record(struct cache *c, struct stable *s, const struct record *r)
{
    if (s->dry && !record_sound(c, r))
        return E_CORRUPT;
    if (r->op == RECORD_NONE || r->op == RECORD_COMMIT)
        return OK; /* results are asked for by those alone whom a power cut kills */
    enum err e = make_room(c, s, 0);
    if (e != OK)
        return e;
    struct segment_item item = {
        .op = r->op, .flags = r->flags, .lsn = r->lsn, .oid = r->oid, .a = r->a, .b = r->b};
    memcpy(item.attr, r->data, OBJECT_ATTR_BYTES);
    put_item(s, &item);
    return r->op == RECORD_WRITE ? put_pages(c, s, r) : OK;
}

static enum err put_group(struct cache *c, struct stable *s, bool dry)
{
    s->dry = dry;
    s->items = s->pages = 0;
    s->sent = 0;
    for (uint32_t k = c->logged; k < c->log_count; k++) {
        enum err e = put_record(c, s, &c->mem.log[k]);
        if (e != OK)
            return e;
    }
    return s->items > 0 ? send_segment(c, s) : OK;
}

/* ---- Asking for it --------------------------------------------------------------------------- */

enum err stable_sync(struct cache *c)
{
    if (!c->stable_open || c->preparing)
        return E_AGAIN;
    if (c->logged == c->log_count)
        return OK;
    ASSERT(c->logged >= c->log_first && c->logged < c->log_count);
    uint32_t count = c->log_count;
    enum err e = put_group(c, c->stable, true);
    if (e == OK)
        e = put_group(c, c->stable, false);
    if (e != OK) {
        c->stable_open = false;
        return e;
    }
    ASSERT(count == c->log_count); /* nobody was served meanwhile */
    c->logged = count;
    plat_probe(PROBE_CACHE_GROUP_STABLE);
    plat_report(REPORT_GROUP, c->durable, c->stable->total);
    return OK;
}
