/*
 * The start of the system with fsync=log: groups on top of the checkpoint that the layers below
 * went back to are read into the log and the pages, as if they had just been committed. Then they
 * are replayed, as after a crash below, and the next checkpoint supersedes them; until then they
 * stay.
 *
 * Groups are taken in order up to the first gap; one without its last segment is none. Whoever dies
 * meanwhile begins anew: nothing of it counts before the first restore is through.
 */
#include "cache.h"
#include "segment.h"

#include "proto.h"

#define SEGMENTS_MAX UINT32_MAX

struct reload {
    uint8_t *blocks; /* of the segment that was read last */
    uint8_t crc[OBJECT_BATCH_MAX_BLOCKS * OBJECT_LOG_CRC_BYTES];
    uint32_t count; /* blocks */
    uint64_t place; /* of the next segment */
    uint64_t last_lsn;
    uint32_t segments; /* taken */
    uint32_t whole;    /* of them, up to the end of a group */
};

/* Nothing was taken. A frame that an instance which died has left must not be found later. */
static void clear(struct cache *c)
{
    overlay_clear(c);
    log_drop(c, c->log_count, 0);
    for (uint32_t page = 1; page <= c->mem.frames; page++)
        if (c->mem.frame[page].seal != 0)
            c->mem.frame[page].seal = 0;
    c->reserved_blocks = 0;
    c->changed = false;
}

/* ---- One segment ----------------------------------------------------------------------------- */

/* E_NOENT: that was the last one. */
static enum err read_segment(struct cache *c, struct reload *l, bool *ends)
{
    struct object_request r = {
        .op = OBJECT_LOG_READ, .epoch = c->durable, .lsn = l->segments + 1, .offset = l->place};
    r.grant_data = proto_grant(c->logical, l->blocks, OBJECT_BATCH_MAX_BLOCKS * (size_t)BLOCK_BYTES,
                               PLAT_GRANT_WRITE);
    r.grant_meta = proto_grant(c->logical, l->crc, sizeof(l->crc), PLAT_GRANT_WRITE);
    struct object_reply reply;
    enum err e = lower_call(c, &r, &reply);
    plat_revoke(r.grant_data);
    plat_revoke(r.grant_meta);
    if (e != OK)
        return e;
    l->count = reply.moved / BLOCK_BYTES;
    if (l->count == 0 || l->count > OBJECT_BATCH_MAX_BLOCKS)
        return E_INVAL;
    for (uint32_t k = 0; k < l->count; k++)
        if (plat_crc32c(l->blocks + (size_t)k * BLOCK_BYTES, BLOCK_BYTES) !=
            get_le32(l->crc + (size_t)k * OBJECT_LOG_CRC_BYTES))
            return E_CORRUPT; /* a flip on the way: the whole attempt is made again */
    l->place = reply.size;
    *ends = reply.done != 0;
    return OK;
}

/* Its content fills the place that its WRITE record has made. */
static enum err take_page(struct cache *c, const struct segment_item *item, const uint8_t *raw,
                          uint32_t crc)
{
    uint32_t page = page_find(c, item->oid, item->a, 0);
    if (page == 0 || c->mem.frame[page].lsn != item->lsn)
        return E_CORRUPT;
    struct frame *f = &c->mem.frame[page];
    plat_copy(page_data(c, page), raw, BLOCK_BYTES);
    f->crc = crc;
    f->state = FRAME_COMMITTED | (c->lazy ? FRAME_SUMMED : 0);
    f->seal = frame_seal(f);
    c->page[page].flags &= (uint8_t) ~(PAGE_LOST | PAGE_HOLE);
    c->page[page].flags |= (item->flags & OBJECT_HOLE) != 0 ? PAGE_HOLE : 0;
    plat_page_state(page_data(c, page), PAGE_DIRTY);
    return OK;
}

static enum err take_record(struct cache *c, struct reload *l, const struct segment_item *item)
{
    if (!log_has_room(c, 1) || item->lsn <= l->last_lsn)
        return E_CORRUPT; /* it had room when it was answered */
    uint64_t next_lsn = c->next_lsn;
    c->next_lsn = item->lsn;
    struct record *r = log_add(c, (enum record_op)item->op, item->oid, item->a, item->b,
                               item->flags, item->attr, OBJECT_ATTR_BYTES);
    log_finish(c, r);
    c->next_lsn = next_lsn > item->lsn ? next_lsn : item->lsn + 1;
    l->last_lsn = item->lsn;
    revalidate_redo(c, r);
    return OK;
}

static enum err take_segment(struct cache *c, struct reload *l)
{
    struct segment_list list;
    uint32_t page = 0; /* the next one's block */
    for (uint32_t at = 0; at < l->count && (at == 0 || at < list.blocks); at++) {
        const uint8_t *raw = l->blocks + (size_t)at * BLOCK_BYTES;
        enum err e = segment_list_decode(&list, raw);
        page = at == 0 ? list.blocks : page;
        for (uint32_t k = 0; k < list.items && e == OK; k++) {
            struct segment_item item;
            e = segment_item_decode(&item,
                                    raw + SEGMENT_HEAD_BYTES + (size_t)k * SEGMENT_ITEM_BYTES);
            if (e != OK)
                break;
            if (item.op != SEGMENT_PAGE) {
                e = take_record(c, l, &item);
                continue;
            }
            e = page < l->count ? take_page(c, &item, l->blocks + (size_t)page * BLOCK_BYTES,
                                            get_le32(l->crc + (size_t)page * OBJECT_LOG_CRC_BYTES))
                                : E_CORRUPT;
            page++;
        }
        if (e != OK)
            return e;
    }
    return OK;
}

/* ---- All of them ----------------------------------------------------------------------------- */

/* Takes segments until there is none, or `most` are taken. */
static enum err take_all(struct cache *c, struct reload *l, uint32_t most)
{
    uint8_t *blocks = l->blocks;
    clear(c);
    *l = (struct reload){.blocks = blocks};
    while (l->segments < most) {
        bool ends = false;
        enum err e = read_segment(c, l, &ends);
        if (e == E_NOENT)
            return OK;
        if (e == OK)
            e = take_segment(c, l);
        if (e != OK)
            return e;
        l->segments++;
        l->whole = ends ? l->segments : l->whole;
        plat_probe(PROBE_CACHE_GROUP_READ);
    }
    return OK;
}

enum err reload_groups(struct cache *c)
{
    struct reload *l = c->reload;
    if (l == NULL) {
        l = c->reload = plat_alloc(sizeof(*l), TAG_HEAP);
        ASSERT(l != NULL);
        l->blocks = plat_alloc(OBJECT_BATCH_MAX_BLOCKS * (size_t)BLOCK_BYTES, TAG_PAGES);
        ASSERT(l->blocks != NULL);
    }
    enum err e = take_all(c, l, SEGMENTS_MAX);
    if (e == OK && l->whole < l->segments) /* the power went within a group */
        e = take_all(c, l, l->whole);
    if (e != OK) {
        clear(c);
        return e;
    }
    log_seal(c);
    revalidate_settle(c);
    c->changed = c->log_count > c->log_first;
    c->shadow_all = true; /* sizes of the checkpoint are not known */
    c->reserved_blocks = c->list[LIST_DIRTY].count;
    if (l->segments > 0)
        plat_report(REPORT_GROUPS_READ, c->durable, l->segments);
    return OK;
}
